//! A connection that is in several sessions stays where it is when one of them goes, and stays in that.

use uuid::Uuid;

use super::follow::{acked, noticed_nothing};
use super::{Client, HELD_MS, Shards, Two, attack_of, handle_of};
use crate::shard::Command;

impl<const N: usize> Shards<N> {
    /// Two fights of the same shard, which that is, and a connection there that is in both.
    fn joined_both(&mut self) -> (Uuid, Uuid, usize, Client) {
        let (one, home) = self.create();
        let other = self.create_at(home);
        let mut client = self.join(home, one, None);
        self.join_too(&mut client, other);
        (one, other, home, client)
    }

    fn is_in(&self, shard: usize, session: Uuid) -> bool {
        self.session(shard, session).unwrap().fight.participants()[0].is_connected()
    }

    /// Bytes that are on the way to a socket of another shard.
    fn in_flight(&self, shard: usize) -> usize {
        self.workers[shard].connections.values().filter_map(|of| of.stream.far()).map(|far| far.in_flight).sum()
    }
}

#[test]
fn who_is_in_several_sessions_of_which_one_goes_is_told_nothing_of_it() {
    let mut two = Two::start();
    let (one, other, home, mut client) = two.joined_both();
    let (mut at, mut to) = (home, 1 - home);
    for round in 1..=6 {
        let last = 3 * round;
        // Some are sent before, some meanwhile, some after.
        client.say(&attack_of(one, last - 2));
        let mut handed_over = two.begin(at, one, to);
        two.turn(at);
        client.say(&attack_of(one, last - 1));
        client.say(&attack_of(other, round));
        two.answer("a hand-over", &mut handed_over).unwrap();
        client.say(&attack_of(one, last));
        two.until("answers", |_| acked(&mut client, one).len() as u64 == last);
        two.until("the other's", |_| acked(&mut client, other).len() as u64 == round);
        let far = usize::from(to != home);
        assert_eq!((two.workers[at].far.len(), two.workers[to].far.len()), (0, far), "it is where its session is");
        assert_eq!(two.workers[home].connections.len(), 1, "and its socket where it was");
        (at, to) = (to, at);
    }
    assert_eq!(acked(&mut client, one), (1..=18).collect::<Vec<u64>>());
    noticed_nothing(&mut client, one, 2);
    noticed_nothing(&mut client, other, 2);
    assert_eq!((two.read(at, one).unwrap().actions, two.read(home, other).unwrap().actions), (18, 6));
    // It leaves, joins again and is replaced as anywhere.
    two.hand_over(home, one, 1 - home).unwrap();
    client.say(&format!(r#"{{"t":"leave","d":{{"s":{}}}}}"#, handle_of(one)));
    two.until("that it left", |_| client.count("left") == 1);
    assert!(!two.is_in(1 - home, one) && two.is_in(home, other));
    two.join_too(&mut client, one);
    let newer = two.join(1 - home, one, None);
    two.until("that it is replaced", |_| client.count("left") == 2);
    drop((client, newer));
    two.until("that all are gone", |two| two.workers.iter().all(|worker| worker.connections.is_empty()));
    assert!(two.workers.iter().all(|worker| worker.far.is_empty()));
}

#[test]
fn who_stays_and_waits_for_something_holds_nobody_up() {
    let mut two = Two::start();
    let (one, _, home, mut client) = two.joined_both();
    // As for what another shard has not answered.
    let waits = |two: &mut Two, more: bool| {
        for connection in two.workers[home].connections.values_mut() {
            connection.waits = if more { connection.waits + 1 } else { connection.waits - 1 };
        }
    };
    waits(&mut two, true);
    two.hand_over(home, one, 1 - home).unwrap();
    waits(&mut two, false);
    client.say(&attack_of(one, 1));
    two.until("an answer", |_| acked(&mut client, one) == [1]);
    noticed_nothing(&mut client, one, 2);
}

#[test]
fn where_it_does_not_go_after_all_nothing_stands_for_anybody() {
    let (mut two, stores) = Two::with_doubles();
    let (one, other, home, mut client) = two.joined_both();
    let away = 1 - home;
    stores[away].be_late();
    let mut handed_over = two.begin(home, one, away);
    two.turn(home);
    two.turn(away);
    client.say(&attack_of(one, 1));
    two.skip(home, HELD_MS);
    two.turn(home);
    assert!(handed_over.try_recv().unwrap().is_err());
    two.until("an answer", |_| acked(&mut client, one) == [1]);
    stores[away].be_prompt();
    two.until("that it is dropped", |two| two.session(away, one).is_none());
    client.say(&attack_of(other, 1));
    two.until("an answer", |_| acked(&mut client, other) == [1]);
    noticed_nothing(&mut client, one, 2);
    assert!(two.is_in(home, one) && two.workers.iter().all(|worker| worker.far.is_empty()));
    assert_eq!((two.workers[home].connections.len(), two.workers[away].connections.len()), (1, 0));
}

#[test]
fn who_is_lost_meanwhile_is_lost_in_both() {
    for is_closed in [false, true] {
        let (mut two, stores) = Two::with_doubles();
        let (one, home) = two.create();
        let (other, away, sid) = (two.create_at(home), 1 - home, Uuid::now_v7());
        let mut client = two.join(home, one, Some(sid));
        two.join_too(&mut client, other);
        stores[away].be_late();
        let mut handed_over = two.begin(home, one, away);
        two.turn(home);
        two.turn(away);
        if is_closed {
            // By its own shard, which knows at once.
            two.handles[home].send(Command::Revoke(sid)).unwrap();
        } else {
            client.stream.shutdown(std::net::Shutdown::Both).unwrap();
        }
        for _ in 0..3 {
            two.turn(home);
        }
        assert_eq!(two.workers[home].connections.values().all(|of| of.joins.is_empty()), is_closed);
        stores[away].be_prompt();
        two.answer("a hand-over", &mut handed_over).unwrap();
        two.until("that it is lost", |two| !two.is_in(away, one) && !two.is_in(home, other));
        drop(client);
        two.until("that nothing is left of it", |two| two.workers.iter().all(|worker| worker.connections.is_empty()));
        assert!(two.workers[away].far.is_empty());
    }
}

#[test]
fn what_the_new_owner_says_first_is_heard_as_its_own() {
    let mut two = Two::start();
    let (one, _, home, mut client) = two.joined_both();
    let away = 1 - home;
    let mut handed_over = two.begin(home, one, away);
    two.turn(home);
    for _ in 0..3 {
        two.turn(away);
    }
    let mut attack = two.attack(away, one);
    for _ in 0..3 {
        two.turn(away);
    }
    attack.try_recv().unwrap().unwrap();
    assert!(two.in_flight(away) > 0, "it has it, and says so to a shard that has not looked whether it has");
    // As where it takes it in the midst of the other's turn.
    two.workers[home].drain_inbox();
    two.answer("a hand-over", &mut handed_over).unwrap();
    two.until("that the socket has taken all", |two| {
        client.news();
        two.in_flight(away) == 0
    });
    client.say(&attack_of(one, 1));
    two.until("an answer", |_| acked(&mut client, one) == [1]);
    noticed_nothing(&mut client, one, 2);
}

#[test]
fn what_it_has_not_been_told_yet_it_is_told_where_the_session_is() {
    let mut two = Two::start();
    let (one, _, home, mut client) = two.joined_both();
    let away = 1 - home;
    // It does not read, as far as the shard can tell.
    for connection in two.workers[home].connections.values_mut() {
        assert!(connection.outbox.lag());
    }
    let mut attack = two.attack(home, one);
    two.workers[home].drain_inbox();
    let mut handed_over = two.begin(home, one, away);
    two.answer("an attack", &mut attack).unwrap();
    two.answer("a hand-over", &mut handed_over).unwrap();
    let seq = two.session(away, one).unwrap().fight.seq();
    two.until("a snapshot", |_| {
        client.news().contains(&format!(r#""q":{seq},"#)) || client.seen.contains(&format!(r#""q":{seq},"#))
    });
    client.say(&attack_of(one, 1));
    two.until("an answer", |_| acked(&mut client, one) == [1]);
    assert_eq!((client.count("left"), client.count("joined")), (0, 2));
}
