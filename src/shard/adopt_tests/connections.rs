//! What becomes of its connections.

use tiltyard_protocol::CloseCode;
use uuid::Uuid;

use super::super::close_code;
use super::super::held::Client;
use super::{HELD_MS, Two, attack_of, is_open};
use crate::shard::Command;

#[test]
fn a_connection_goes_with_its_session_and_is_told_nothing() {
    let mut two = Two::start();
    let (id, mut shard) = two.create();
    let sid = Uuid::now_v7();
    let mut client = two.join(shard, id, Some(sid));
    for round in 1..=6 {
        // Some are sent before, some meanwhile, some after.
        let sent = 3 * round;
        client.say(&attack_of(id, sent - 2));
        let mut handed_over = two.begin(shard, id, 1 - shard);
        two.turn(shard);
        client.say(&attack_of(id, sent - 1));
        two.answer("a hand-over", &mut handed_over).unwrap();
        shard = 1 - shard;
        client.say(&attack_of(id, sent));
        two.until("acks", |_| client.count("ack") as u64 == sent);
        let connections = two.workers.each_ref().map(|worker| worker.connections.len());
        assert_eq!((connections[shard], connections[1 - shard]), (1, 0), "it is where its session is");
        assert_eq!(two.read(shard, id).unwrap().actions, sent);
    }
    for told in ["left", "error", "refused"] {
        assert_eq!(client.count(told), 0, "{}", client.seen);
    }
    assert_eq!((client.count("joined"), client.count("snapshot")), (1, 1), "nothing it had not asked for");
    // A repeat gets the answer that it had.
    client.say(&attack_of(id, 17));
    two.until("the same answer", |_| client.count("ack") == 19);
    assert_eq!(two.read(shard, id).unwrap().actions, 18);
    // The end of its login finds it.
    two.handles[shard].send(Command::Revoke(sid)).unwrap();
    client.news();
    two.turn(shard);
    assert_eq!(close_code(&mut client.stream), CloseCode::Unauthorized.code());
}

#[test]
fn a_login_that_ends_while_its_connection_is_on_the_way_closes_it() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    let sid = Uuid::now_v7();
    let mut client = two.join(home, id, Some(sid));
    client.news();
    stores[away].be_late();
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    for handle in &two.handles {
        handle.send(Command::Revoke(sid)).unwrap();
    }
    two.turn(home);
    two.turn(away);
    stores[away].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    two.until("a close", |two| two.workers[away].connections.values().all(|of| of.joins.is_empty()));
    for _ in 0..3 {
        two.turn(away);
    }
    assert_eq!(close_code(&mut client.stream), CloseCode::Unauthorized.code());
}

#[test]
fn who_is_lost_meanwhile_is_lost_there_too() {
    let mut two = Two::start();
    let (id, home) = two.create();
    let away = 1 - home;
    let client = two.join(home, id, None);
    let is_connected = |two: &Two, shard| two.session(shard, id).unwrap().fight.participants()[0].is_connected();
    assert!(is_connected(&two, home));
    let mut handed_over = two.begin(home, id, away);
    // It breaks in the turn in which it is to leave.
    drop(client);
    two.answer("a hand-over", &mut handed_over).unwrap();
    two.until("that it is lost", |two| !is_connected(two, away));
    two.until("that it is gone", |two| two.workers.iter().all(|worker| worker.connections.is_empty()));
}

#[test]
fn who_wants_to_join_meanwhile_joins_where_it_is_then() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    let other = two.create_at(home);
    let mut client = two.attach(home, other, None);
    two.turn(home);
    stores[away].be_late();
    // One hand-over that does not come about.
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    client.say(&format!(r#"{{"t":"join","d":{{"session":"{id}"}}}}"#));
    for _ in 0..3 {
        two.turn(home);
    }
    assert_eq!(client.news(), "", "it waits");
    two.skip(home, HELD_MS);
    two.turn(home);
    assert!(handed_over.try_recv().unwrap().is_err());
    two.until("a snapshot", |_| client.count("snapshot") == 1);

    // And one that does, for clients of both shards.
    stores[away].be_prompt();
    two.until("that it is dropped", |two| two.session(away, id).is_none());
    let session = two.create_at(home);
    let elsewhere = two.create_at(away);
    let mut clients = [two.attach(home, other, None), two.attach(away, elsewhere, None)];
    stores[away].be_late();
    let mut handed_over = two.begin(home, session, away);
    two.turn(home);
    two.turn(away);
    for (client, shard) in clients.iter_mut().zip([home, away]) {
        two.say(shard, client, &format!(r#"{{"t":"join","d":{{"session":"{session}"}}}}"#));
    }
    for _ in 0..3 {
        two.turn(away);
        two.turn(home);
    }
    assert!(is_open(&mut handed_over) && clients.each_mut().map(Client::news).iter().all(String::is_empty));
    stores[away].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    // Both are the same player's: one is joined, and then the other.
    for mut client in clients {
        two.until("a snapshot", |_| client.count("snapshot") == 1);
    }
}
