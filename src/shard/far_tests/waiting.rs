//! What has to wait: for a log, for a shard that has no room, for a client that does not read.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Events;
use serde_json::json;
use uuid::Uuid;

use super::super::held::{Client, PATIENCE, attack_of, count, handle_of};
use super::{NEAR, OWNER, Pair, acks, deltas, join_of, leave_of, messages, newest, refusals, refused_ids, take_turn};
use crate::limits;
use crate::shard::Command;

#[test]
fn nothing_of_a_session_elsewhere_is_shown_before_its_own_log_has_kept_it() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    let entries = pair.stores[OWNER].kept(there);
    pair.stores[OWNER].be_late();
    client.say(&attack_of(there, 1));
    pair.until("an action", |pair| !pair.stores[OWNER].waiting().is_empty());
    let first = pair.stores[OWNER].waiting()[0];
    client.say(&attack_of(there, 2));
    pair.until("another", |pair| pair.workers[OWNER].stats.actions == 2);
    client.news();
    let before = client.seen.len();
    client.say(&attack_of(here, 1));
    pair.heard(&mut client, "the other fight", |seen| acks(seen, here, 1) == 1);
    assert_eq!((deltas(&client.seen[before..], there), acks(&client.seen, there, 1)), (0, 0));

    // The socket's own shard is late, too: what is shown stays in order.
    pair.stores[NEAR].be_late();
    client.say(&attack_of(here, 2));
    pair.until("an action here", |pair| !pair.stores[NEAR].waiting().is_empty());
    pair.stores[OWNER].keep(first);
    pair.settle();
    client.news();
    assert_eq!((acks(&client.seen, here, 2), acks(&client.seen, there, 1)), (0, 0), "behind what is not kept");
    pair.stores[NEAR].be_prompt();
    pair.heard(&mut client, "the first", |seen| acks(seen, there, 1) == 1);
    pair.settle();
    client.news();
    assert_eq!(
        (acks(&client.seen, here, 2), acks(&client.seen, there, 2)),
        (1, 0),
        "the turn that is kept, and no more"
    );
    pair.stores[OWNER].be_prompt();
    pair.heard(&mut client, "the second", |seen| acks(seen, there, 2) == 1);
    assert_eq!((acks(&client.seen, there, 1), pair.stores[OWNER].kept(there)), (1, entries + 2), "nothing twice");
    let place = |id: u64| client.seen.find(&format!(r#""t":"ack","d":{{"s":{},"id":{id},"#, handle_of(there)));
    assert!(place(1) < place(2));
}

#[test]
fn who_does_not_read_is_brought_up_to_date_by_a_session_elsewhere_too() {
    let mut pair = Pair::start();
    let there = pair.create(OWNER);
    let mut client = pair.join(&[there]);
    let mut attacks = 0;
    pair.until("a client that is behind", |pair| {
        if pair.workers[OWNER].inbox.commands.is_empty() {
            (0..20).for_each(|_| drop(pair.attack(there)));
            attacks += 20;
        }
        let near = pair.workers[NEAR].connections.values().next().unwrap().outbox.len();
        let far: usize =
            pair.workers[OWNER].far.values().map(|key| pair.workers[OWNER].connections[*key].outbox.len()).sum();
        assert!(near <= limits::FAR_BYTES, "{near}");
        assert!(far <= limits::FAR_BYTES + limits::FAR_STATE_BYTES + 8 * 1024, "{far}");
        pair.workers[OWNER].stats.lagged > 0
    });
    assert!(attacks > 100);
    pair.until("no attacks any more", |pair| pair.workers[OWNER].inbox.commands.is_empty());
    let before = client.seen.len();
    pair.heard(&mut client, "a snapshot", |seen| count(&seen[before..], "snapshot") > 0);
    let waited = client.seen[before..].find(r#""t":"snapshot""#).unwrap();
    assert!(waited <= 512 * 1024, "{waited} bytes before it");
    // It says how much it stands for: of each attack there was one event.
    let (told, snapshot) = (&client.seen[..before + waited], newest(&client.seen, "snapshot", there));
    let (last, q) = (newest(told, "delta", there)["q"].as_u64().unwrap(), snapshot["q"].as_u64().unwrap());
    assert!(q > last);
    assert_eq!(snapshot["missed"], json!({ "events": q - last, "from": last + 1, "to": q }));
    // Then it goes on from there.
    let mut last = pair.attack(there);
    let mut seq = None;
    pair.until("an action", |_| {
        seq = last.try_recv().ok();
        seq.is_some()
    });
    let seq = seq.unwrap().unwrap().seq;
    pair.heard(&mut client, "its delta", |seen| seen.contains(&format!(r#""q":{seq},"#)));
    assert_eq!(pair.workers[OWNER].stats.closed_slow, 0);
}

#[test]
fn a_shard_with_a_full_inbox_is_not_waited_for_and_nothing_is_lost() {
    let mut pair = Pair::start();
    let (here, there, other) = (pair.create(NEAR), pair.create(OWNER), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    while pair.handles[OWNER].send(Command::Fence(Uuid::nil())).is_ok() {}
    client.say(&attack_of(there, 1));
    client.say(&leave_of(there));
    client.say(&join_of(other));
    client.say(&attack_of(here, 1));
    let since = Instant::now();
    while acks(&client.seen, here, 1) == 0 {
        assert!(since.elapsed() < PATIENCE);
        take_turn(&mut pair.workers[NEAR]);
        client.news();
    }
    assert_eq!(refusals(&client.seen, there, "overloaded"), 1, "{}", client.seen);
    assert_eq!(client.seen.matches(r#""reason":"overloaded""#).count(), 3, "{}", client.seen);
    // It is gone: that waits until there is room.
    drop(client);
    while pair.workers[NEAR].unsaid.is_empty() {
        assert!(since.elapsed() < PATIENCE);
        take_turn(&mut pair.workers[NEAR]);
    }
    assert!(pair.workers[NEAR].sleep() <= Some(Duration::from_millis(limits::FULL_LOOK_MS)));
    assert_eq!(pair.far(OWNER), (1, 1));
    pair.until("an end", |pair| pair.far(OWNER) == (0, 0) && pair.is_quiet());
    assert_eq!(pair.read(there).participants[0].status, tiltyard_combat::ParticipantStatus::Disconnected);
    assert_eq!(pair.read(there).actions, 0);
}

#[test]
fn what_two_full_shards_have_for_each_other_comes_in_order() {
    let mut pair = Pair::start();
    let (zero, one) = (pair.create(NEAR), pair.create(OWNER));
    let mut clients = [pair.join(&[zero, one]), pair.attach(OWNER, 2)];
    pair.join_too(&mut clients[1], zero);
    pair.join_too(&mut clients[1], one);
    let mut ids = 0;
    for _ in 0..6 {
        for _ in 0..3 {
            ids += 1;
            clients[0].say(&attack_of(one, ids));
            clients[1].say(&attack_of(zero, ids).replace(r#""to":1"#, r#""to":0"#));
        }
        pair.turn();
        // Both are full when either has something for the other.
        for handle in &pair.handles {
            while handle.send(Command::Fence(Uuid::nil())).is_ok() {}
        }
        let [first, second] = &mut clients;
        pair.until("answers", |_| {
            let done = |client: &mut Client, session| {
                client.news();
                (1..=ids).all(|id| acks(&client.seen, session, id) + refused_ids(&client.seen, session, id) == 1)
            };
            done(first, one) && done(second, zero)
        });
    }
    pair.until("quiet", |pair| pair.is_quiet());
    let applied: u64 = (1..=ids).map(|id| acks(&clients[0].seen, one, id) as u64).sum();
    assert_eq!(pair.read(one).actions, applied);
    assert_eq!(pair.far(NEAR).1 + pair.far(OWNER).1, 2);
    for (client, session) in clients.iter().zip([one, zero]) {
        let deltas = messages(&client.seen, "delta").into_iter().filter(|delta| delta["s"] == handle_of(session));
        let places: Vec<u64> = deltas.map(|delta| delta["q"].as_u64().unwrap()).collect();
        assert!(places.len() as u64 >= applied, "each is shown");
        assert!(places.windows(2).all(|two| two[1] == two[0] + 1), "no delta is missing or out of order");
    }
}

#[test]
fn while_the_log_elsewhere_takes_nothing_what_is_said_to_it_waits() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    pair.stores[OWNER].be_late();
    pair.stores[OWNER].stall(true);
    let mut over_rest = pair.attack(there);
    let stats = pair.handles[OWNER].clone();
    let (near, owner) = pair.workers.split_at_mut(1);
    let store = Arc::clone(&pair.stores[OWNER]);
    std::thread::scope(|scope| {
        let stalled = scope.spawn(|| take_turn(&mut owner[0]));
        let since = Instant::now();
        let mut near_until = |client: &mut Client, is_so: &dyn Fn(&str) -> bool| {
            while !is_so(&client.seen) {
                assert!(since.elapsed() < PATIENCE);
                take_turn(&mut near[0]);
                client.news();
            }
        };
        while stats.stats().stalled == 0 {
            assert!(since.elapsed() < PATIENCE, "it does not say so");
            std::thread::yield_now();
        }
        for id in 1..=3 {
            client.say(&attack_of(there, id));
        }
        client.say(&attack_of(here, 1));
        near_until(&mut client, &|seen| acks(seen, here, 1) == 1);
        assert_eq!(acks(&client.seen, there, 1), 0);
        // It has seen what came by then.
        let failures = stats.stats().log_failures;
        while stats.stats().log_failures < failures + 3 {
            assert!(since.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
        store.stall(false);
        store.be_prompt();
        stalled.join().unwrap();
    });
    pair.heard(&mut client, "answers", |seen| (1..=3).all(|id| acks(seen, there, id) == 1));
    assert!(over_rest.try_recv().unwrap().is_ok());
    assert_eq!(pair.read(there).actions, 4);
}

#[test]
fn a_client_that_asks_and_does_not_read_is_not_heard_before_it_has() {
    let mut pair = Pair::start();
    let there = pair.create(OWNER);
    let mut client = pair.join(&[there]);
    let before = client.seen.len();
    let (mut id, mut most, mut turns_deaf) = (0, 0, 0);
    pair.until("a client that is not heard", |pair| {
        let worker = &pair.workers[OWNER];
        most = most.max(worker.far.values().map(|key| worker.connections[*key].outbox.len()).sum());
        if pair.workers[NEAR].connections.values().any(|connection| connection.waits > 0) {
            turns_deaf += 1;
        } else {
            for _ in 0..400 {
                id += 1;
                client.say(&attack_of(there, id));
            }
        }
        turns_deaf > 200
    });
    assert!((limits::OUTBOX_ASK_BYTES..limits::OUTBOX_ASK_BYTES + 32 * 1024).contains(&most), "{most}");
    assert_eq!(pair.workers[NEAR].stats.closed_slow + pair.workers[OWNER].stats.closed_slow, 0);
    let answers = |seen: &str| (count(seen, "ack") as u64, count(seen, "refused") as u64);
    let mut length = 0;
    pair.until("all answers", |_| {
        client.news();
        // Counting takes long: not before nothing more comes.
        let is_still = std::mem::replace(&mut length, client.seen.len()) == client.seen.len();
        let (acknowledged, refused) = if is_still { answers(&client.seen[before..]) } else { (0, 0) };
        acknowledged + refused >= id
    });
    // What was on its way when it was heard no more waits at the session, as much as that takes of it.
    let (acknowledged, refused) = answers(&client.seen[before..]);
    assert_eq!(acknowledged + refused, id, "each once");
    assert_eq!(refusals(&client.seen[before..], there, "overloaded") as u64, refused);
    assert_eq!(pair.read(there).actions, acknowledged);
}

#[test]
fn what_could_not_be_said_comes_before_what_can() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    client.news();
    let mut newer = pair.attach(OWNER, 1);
    newer.say(&join_of(there));
    let since = Instant::now();
    while pair.workers[NEAR].inbox.commands.is_empty() {
        assert!(since.elapsed() < PATIENCE);
        take_turn(&mut pair.workers[OWNER]);
    }
    // It has been replaced, and says so to a full inbox.
    while pair.handles[OWNER].send(Command::Fence(Uuid::nil())).is_ok() {}
    take_turn(&mut pair.workers[NEAR]);
    assert_eq!(pair.workers[NEAR].unsaid.len(), 1);
    take_turn(&mut pair.workers[OWNER]);
    // Then there is room, for who is first.
    let asked = pair.workers[NEAR].stats.messages_in + 1;
    client.say(&join_of(there));
    let mut events = Events::with_capacity(64);
    pair.workers[NEAR].poll.poll(&mut events, Some(PATIENCE)).unwrap();
    pair.workers[NEAR].turn(&events);
    assert_eq!(pair.workers[NEAR].stats.messages_in, asked);
    pair.heard(&mut client, "that it is to try again", |seen| count(seen, "error") == 1);
    pair.join_too(&mut client, there);
    pair.settle();
    client.say(&attack_of(there, 1));
    pair.heard(&mut client, "an answer", |seen| acks(seen, there, 1) == 1);
    assert!(client.seen.contains(r#""reason":"overloaded""#) && pair.is_quiet());
}

#[test]
fn who_does_not_read_what_its_system_takes_is_sent_no_more_by_a_session_elsewhere_either() {
    let mut pair = Pair::start();
    let there = pair.create(OWNER);
    let mut client = pair.join(&[there]);
    pair.attack_often(there, 100);
    pair.skip_to(limits::RECEIPT_EVERY_MS);
    pair.attack_often(there, 1);
    assert!(client.news().contains("\u{FFFD}\0"), "it is pinged");
    assert_eq!(pair.workers[OWNER].stats.lagged, 0);
    pair.skip_to(limits::RECEIPT_EVERY_MS + limits::RECEIPT_MS);
    pair.attack_often(there, 10);
    assert_eq!((pair.workers[OWNER].stats.lagged, pair.workers[OWNER].stats.conflated), (1, 0));
    client.news();
    pair.attack_often(there, 10);
    assert_eq!(deltas(&client.news(), there), 0, "nothing more");
    client.stream.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).unwrap();
    let before = client.seen.len();
    pair.heard(&mut client, "a snapshot", |seen| count(&seen[before..], "snapshot") == 1);
    pair.attack_often(there, 1);
    assert_eq!((deltas(&client.news(), there), pair.workers[OWNER].stats.conflated), (1, 1));
}
