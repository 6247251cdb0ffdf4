//! Who is in a session by a socket of another shard stays in it where it goes.

use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::{Client, HELD_MS, Shards, Two, attack_of, handle_of, is_open};
use crate::limits;

pub(super) type Three = Shards<3>;

/// The ids of actions that were answered, in order.
pub(super) fn acked(client: &mut Client, session: Uuid) -> Vec<u64> {
    client.news();
    let start = format!(r#""t":"ack","d":{{"s":{},"id":"#, handle_of(session));
    client.seen.split(&start).skip(1).map(|rest| rest.split(',').next().unwrap().parse().unwrap()).collect()
}

/// The sequences of its deltas, in order.
fn sequences(client: &mut Client, session: Uuid) -> Vec<u64> {
    client.news();
    let handle = format!(r#""s":{},"q":"#, handle_of(session));
    let deltas = client.seen.split(r#""t":"delta","d":{"id":"#).skip(1);
    let own = deltas.filter_map(|rest| rest.split_once(',')?.1.strip_prefix(handle.as_str()));
    own.map(|rest| rest.split([',', '}']).next().unwrap().parse().unwrap()).collect()
}

/// It has been told nothing but what happened in the fight: all of it, in order.
pub(super) fn noticed_nothing(client: &mut Client, session: Uuid, joins: usize) {
    for told in ["left", "error", "refused"] {
        assert_eq!(client.count(told), 0, "{}", client.seen);
    }
    assert_eq!((client.count("joined"), client.count("snapshot")), (joins, joins));
    let sequences = sequences(client, session);
    assert!(sequences.windows(2).all(|two| two[1] == two[0] + 1), "{sequences:?}");
}

/// A shard that is neither this nor that.
fn third(one: usize, other: usize) -> usize {
    3 - one - other
}

impl Three {
    /// A fight, where that is, and a connection of a third shard that is in it and in one there; the shards in which the fight may be.
    fn joined_from_elsewhere(&mut self) -> (Uuid, [usize; 2], Client) {
        let (id, home) = self.create();
        let socket = (home + 2) % 3;
        let other = self.create_at(socket);
        let mut client = self.join(socket, other, None);
        self.join_too(&mut client, id);
        (id, [home, third(home, socket)], client)
    }

    pub(super) fn is_connected(&self, shard: usize, session: Uuid) -> bool {
        self.session(shard, session).unwrap().fight.participants()[0].is_connected()
    }
}

#[test]
fn who_is_in_a_session_by_a_socket_of_another_shard_stays_in_it_where_it_goes() {
    let mut three = Three::start();
    let (id, [home, away], mut client) = three.joined_from_elsewhere();
    let (mut at, mut to) = (home, away);
    for round in 1..=6 {
        let last = 3 * round;
        // Some are sent before, some meanwhile, some after.
        client.say(&attack_of(id, last - 2));
        let mut handed_over = three.begin(at, id, to);
        three.turn(at);
        client.say(&attack_of(id, last - 1));
        three.answer("a hand-over", &mut handed_over).unwrap();
        client.say(&attack_of(id, last));
        three.until("answers", |_| acked(&mut client, id).len() as u64 == last);
        assert_eq!((three.workers[at].far.len(), three.workers[to].far.len()), (0, 1), "it is where its session is");
        (at, to) = (to, at);
    }
    assert_eq!(acked(&mut client, id), (1..=18).collect::<Vec<u64>>());
    noticed_nothing(&mut client, id, 2);
    assert_eq!(three.read(at, id).unwrap().actions, 18);
    drop(client);
    three.until("that it is lost", |three| !three.is_connected(at, id));
    three.until("that it is gone", |three| three.workers.iter().all(|worker| worker.connections.is_empty()));
}

#[test]
fn who_is_in_a_session_that_comes_to_the_shard_of_its_socket_is_in_it_there() {
    let mut two = Two::start();
    let (id, home) = two.create();
    let away = 1 - home;
    let other = two.create_at(away);
    let mut client = two.join(away, other, None);
    two.join_too(&mut client, id);
    client.say(&attack_of(id, 1));
    let mut handed_over = two.begin(home, id, away);
    two.turn(away);
    two.turn(home);
    client.say(&attack_of(id, 2));
    two.answer("a hand-over", &mut handed_over).unwrap();
    client.say(&attack_of(id, 3));
    two.until("answers", |_| acked(&mut client, id).len() == 3);
    assert_eq!(acked(&mut client, id), [1, 2, 3]);
    noticed_nothing(&mut client, id, 2);
    assert_eq!(two.read(away, id).unwrap().actions, 3);
    assert!(two.workers.iter().all(|worker| worker.far.is_empty()));
    let connections: Vec<_> = two.workers[away].connections.values().collect();
    assert!(matches!(&connections[..], [one] if one.joins.len() == 2 && one.links.is_none() && one.waits == 0));
    // It leaves as any other does.
    client.say(&format!(r#"{{"t":"leave","d":{{"s":{}}}}}"#, handle_of(id)));
    two.until("that it left", |_| client.count("left") == 1);
    assert!(!two.session(away, id).unwrap().fight.participants()[0].is_connected());
}

#[test]
fn what_is_said_by_way_of_the_shard_of_before_comes_before_what_is_said_directly() {
    let mut three = Three::start();
    let (id, [home, away], mut client) = three.joined_from_elsewhere();
    let socket = third(home, away);
    let mut handed_over = three.begin(home, id, away);
    for shard in [home, away, away, home] {
        three.turn(shard);
    }
    handed_over.try_recv().unwrap().unwrap();
    // The socket's shard has not heard of it.
    three.say(socket, &mut client, &attack_of(id, 1));
    three.turn(socket);
    three.say(socket, &mut client, &attack_of(id, 2));
    for _ in 0..3 {
        three.turn(socket);
        three.turn(away);
    }
    assert_eq!(acked(&mut client, id), Vec::<u64>::new(), "the first is where it was sent");
    // Meanwhile it goes nowhere else.
    let mut back = three.begin(away, id, home);
    for _ in 0..3 {
        three.turn(away);
    }
    assert!(is_open(&mut back));
    three.until("answers", |_| acked(&mut client, id).len() == 2);
    assert_eq!(acked(&mut client, id), [1, 2]);
    three.answer("a hand-over", &mut back).unwrap();
    client.say(&attack_of(id, 3));
    three.until("an answer", |_| acked(&mut client, id).len() == 3);
    noticed_nothing(&mut client, id, 2);
}

#[test]
fn where_it_is_not_taken_in_time_who_is_elsewhere_goes_on_with_it_where_it_was() {
    let (mut three, stores) = Three::with_doubles();
    let (id, [home, away], mut client) = three.joined_from_elsewhere();
    stores[away].be_late();
    let mut handed_over = three.begin(home, id, away);
    three.turn(home);
    three.turn(away);
    three.say(third(home, away), &mut client, &attack_of(id, 1));
    three.turn(third(home, away));
    three.turn(home);
    assert!(three.workers[home].far.is_empty(), "it is on its way");
    three.skip(home, HELD_MS);
    three.turn(home);
    assert_eq!(handed_over.try_recv().unwrap().unwrap_err().reason, Reason::Overloaded);
    three.until("an answer", |_| acked(&mut client, id) == [1]);
    stores[away].be_prompt();
    three.until("that it is dropped", |three| three.session(away, id).is_none());
    client.say(&attack_of(id, 2));
    three.until("an answer", |_| acked(&mut client, id) == [1, 2]);
    noticed_nothing(&mut client, id, 2);
    assert!(three.is_connected(home, id));
}

#[test]
fn who_wants_to_join_from_elsewhere_meanwhile_joins_where_it_is_then() {
    let (mut three, stores) = Three::with_doubles();
    let (id, home) = three.create();
    let (socket, away) = ((home + 1) % 3, (home + 2) % 3);
    let other = three.create_at(socket);
    let mut client = three.join(socket, other, None);
    stores[away].be_late();
    let mut handed_over = three.begin(home, id, away);
    three.turn(home);
    three.turn(away);
    three.say(socket, &mut client, &format!(r#"{{"t":"join","d":{{"session":"{id}"}}}}"#));
    three.turn(socket);
    three.until("that it waits where it was", |three| three.workers[home].moves.values().any(|of| of.joins.len() == 1));
    stores[away].be_prompt();
    three.answer("a hand-over", &mut handed_over).unwrap();
    three.until("a snapshot", |_| client.count("snapshot") == 2);
    client.say(&attack_of(id, 1));
    three.until("an answer", |_| acked(&mut client, id) == [1]);
    noticed_nothing(&mut client, id, 2);
    assert!(three.workers[home].far.is_empty() && three.workers[home].connections.is_empty());
}

#[test]
fn who_leaves_or_is_lost_while_it_is_on_its_way_is_so_there() {
    for leaves in [true, false] {
        let (mut three, stores) = Three::with_doubles();
        let (id, [home, away], mut client) = three.joined_from_elsewhere();
        stores[away].be_late();
        let mut handed_over = three.begin(home, id, away);
        three.turn(home);
        three.turn(away);
        if leaves {
            let leave = format!(r#"{{"t":"leave","d":{{"s":{}}}}}"#, handle_of(id));
            three.say(third(home, away), &mut client, &leave);
        } else {
            client.stream.shutdown(std::net::Shutdown::Both).unwrap();
        }
        for _ in 0..3 {
            three.turn(third(home, away));
            three.turn(home);
        }
        stores[away].be_prompt();
        three.answer("a hand-over", &mut handed_over).unwrap();
        three.until("that it is gone", |three| !three.is_connected(away, id));
        three.until("nothing is left of it", |three| three.workers.iter().all(|worker| worker.far.is_empty()));
        if leaves {
            three.until("that it left", |_| client.count("left") == 1);
            three.join_too(&mut client, id);
            client.say(&attack_of(id, 1));
            three.until("an answer", |_| acked(&mut client, id) == [1]);
        }
    }
}

#[test]
fn who_is_elsewhere_and_does_not_read_is_brought_up_to_date_where_it_went() {
    let mut three = Three::start();
    let (id, [home, away], mut client) = three.joined_from_elsewhere();
    // More than may be delivered: nothing is read, and the socket's shard takes no turn.
    for _ in 0..limits::FAR_BYTES / 100 {
        let mut attack = three.attack(home, id);
        three.turn(home);
        attack.try_recv().unwrap().unwrap();
    }
    let in_flight = |three: &Three, shard: usize| {
        let far = three.workers[shard].connections.values().find_map(|of| of.stream.far());
        far.map_or(0, |far| far.in_flight)
    };
    assert!(in_flight(&three, home) > limits::FAR_BYTES / 2);
    let mut handed_over = three.begin(home, id, away);
    for _ in 0..4 {
        three.turn(home);
        three.turn(away);
    }
    handed_over.try_recv().unwrap().unwrap();
    assert!(in_flight(&three, away) > limits::FAR_BYTES / 2, "what the socket has not taken counts there");
    three.until("that it has taken all", |three| {
        client.news();
        in_flight(three, away) == 0
    });
    let mut last = three.attack(away, id);
    three.answer("an attack", &mut last).unwrap();
    let seq = three.session(away, id).unwrap().fight.seq();
    three.until("the last", |_| sequences(&mut client, id).last() == Some(&seq));
    assert_eq!((client.count("left"), client.count("joined")), (0, 2));
}
