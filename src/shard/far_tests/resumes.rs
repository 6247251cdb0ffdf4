//! Who comes back, turn by turn: to a session of its socket's shard and of another.

use serde_json::Value;
use tiltyard_combat::SessionStatus;
use tiltyard_protocol::Encoding;
use tiltyard_protocol::server::ResumeWhy;
use uuid::Uuid;

use super::super::held::{Client, count, handle_of};
use super::{NEAR, OWNER, Pair, concede_of, messages};
use crate::session::{Expected, shard_of};
use crate::shard::Command;
use crate::shard::history::Wanted;

/// A join by who has that of the session, which has not changed hands yet.
fn back_to(session: Uuid, seq: u64) -> String {
    format!(r#"{{"t":"join","d":{{"session":"{session}","seq":{seq},"epoch":1}}}}"#)
}

impl Pair {
    fn seq(&self, session: Uuid) -> u64 {
        let worker = &self.workers[shard_of(session, 2)];
        worker.sessions[worker.index[&session]].fight.seq()
    }

    /// Another connection of this player, which has been told `seq` and all behind it.
    fn comes_back(&mut self, player: u128, session: Uuid, seq: u64) -> Client {
        let mut client = self.attach(NEAR, player);
        client.say(&back_to(session, seq));
        self.heard(&mut client, "a join", |seen| count(seen, "joined") == 1);
        self.settle();
        client.news();
        client
    }
}

fn deltas(client: &Client) -> Vec<Value> {
    messages(&client.seen, "delta")
}

fn seqs(client: &Client) -> Vec<u64> {
    deltas(client).iter().map(|delta| delta["q"].as_u64().unwrap()).collect()
}

#[test]
fn what_is_told_again_waits_for_the_log_as_all_else_of_its_turn_does() {
    for shard in [NEAR, OWNER] {
        let mut pair = Pair::start();
        let id = pair.create(shard);
        let mut client = pair.join(&[id]);
        let seq = pair.seq(id);
        pair.attack_often(id, 3);
        pair.heard(&mut client, "three", |seen| count(seen, "delta") == 3);
        let told = deltas(&client);
        pair.stores[shard].be_late();
        let attack = pair.attack(id);
        let mut again = pair.attach(NEAR, 1);
        again.say(&back_to(id, seq));
        pair.until("a join", |pair| pair.workers[shard].stats.resumed == 1);
        pair.settle();
        assert_eq!(again.news(), "", "not before the log has it");
        pair.until("all of it", |pair| {
            let store = pair.stores[shard].clone();
            store.waiting().into_iter().for_each(|turn| store.keep(turn));
            again.count("delta") == 5
        });
        assert_eq!((count(&again.seen, "joined"), count(&again.seen, "snapshot")), (1, 0));
        assert_eq!(deltas(&again)[..3], told, "and as it was");
        assert_eq!(seqs(&again)[3..], [seq + 4, seq + 5], "and that it has come");
        drop(attack);
    }
}

#[test]
fn what_is_missed_is_kept_for_who_is_gone_and_for_who_takes_nothing() {
    let mut pair = Pair::start();
    for shard in [NEAR, OWNER] {
        let id = pair.create(shard);
        let client = pair.join(&[id]);
        let seq = pair.seq(id);
        drop(client);
        pair.until("a loss", |pair| pair.seq(id) == seq + 1);
        pair.attack_often(id, 20);
        let newest = pair.seq(id);
        let mut client = pair.comes_back(1, id, seq);
        // Its coming is the last.
        assert_eq!(seqs(&client), (seq + 1..=newest + 1).collect::<Vec<_>>());
        // Its own attacks over REST: each shows one more as applied, or as many as have been.
        let ids: Vec<u64> = deltas(&client).iter().map(|delta| delta["id"].as_u64().unwrap()).collect();
        assert!(ids.is_sorted(), "{ids:?}");
        assert!(deltas(&client).iter().any(|delta| delta["h"].is_u64()), "with digests where they were due");

        // From now on it takes nothing.
        let seq = pair.seq(id);
        let worker = &mut pair.workers[shard];
        let member = worker.sessions[worker.index[&id]].members[0].conn;
        worker.connections[member].outbox.lag();
        pair.attack_often(id, 20);
        let newest = pair.seq(id);
        client = pair.comes_back(1, id, seq);
        assert_eq!(seqs(&client), (seq + 1..=newest + 1).collect::<Vec<_>>());
        assert_eq!(count(&client.seen, "snapshot"), 0);
    }
}

#[test]
fn who_takes_a_seat_is_told_nothing_of_who_had_it() {
    let mut pair = Pair::start();
    for shard in [NEAR, OWNER] {
        let open = pair.create_open(shard);
        let client = &mut pair.join(&[open]);
        let is_free =
            |pair: &mut Pair| pair.workers[shard].sessions[pair.workers[shard].index[&open]].fight.is_vacant(0);
        client.say(&concede_of(open));
        pair.until("a free seat", is_free);
        let mut seat = pair.ask(shard, |reply| Command::Seat {
            session: open,
            expected: Expected::default(),
            player: Uuid::from_u128(3),
            shares: Vec::new(),
            reply,
        });
        pair.until("a seat", |_| seat.try_recv().is_ok_and(|slot| slot == Ok(0)));
        pair.settle();
        let (seq, mut clients) = (pair.seq(open), Vec::new());
        // Not even before it has been there.
        let worker = &pair.workers[shard];
        let chain = &worker.sessions[worker.index[&open]].history;
        let wanted = Wanted { slot: 0, encoding: Encoding::Json, seq: seq - 1, newest: seq, applied: 0 };
        assert_eq!(worker.history.since(chain, &wanted).unwrap_err(), ResumeWhy::TooOld);
        for behind in 1..=seq.min(3) {
            // One replaces the other.
            clients.push(pair.comes_back(3, open, seq - behind));
            let client = clients.last().unwrap();
            let joined = &messages(&client.seen, "joined")[0];
            assert_eq!((&joined["resume"], &joined["why"]), (&"snapshot".into(), &"too_old".into()), "{behind}");
            assert_eq!((count(&client.seen, "snapshot"), count(&client.seen, "delta")), (1, 0));
        }
        // What comes from now on is its own.
        let newest = pair.seq(open);
        let client = pair.comes_back(3, open, newest);
        assert_eq!(
            (count(&client.seen, "snapshot"), seqs(&client)),
            (0, vec![newest + 1]),
            "it lacks nothing but its coming"
        );
        let newest = pair.seq(open);
        drop((client, clients));
        pair.until("a loss", |pair| pair.seq(open) > newest);
        let client = pair.comes_back(3, open, newest);
        assert_eq!(seqs(&client), (newest + 1..=pair.seq(open)).collect::<Vec<_>>());
        assert_eq!(pair.read(open).status, SessionStatus::Initializing);
    }
}

#[test]
fn a_session_that_has_changed_hands_has_no_history_until_there_is_some_again() {
    let mut pair = Pair::start();
    let id = pair.create(OWNER);
    let client = pair.join(&[id]);
    let seq = pair.seq(id);
    pair.attack_often(id, 2);
    let mut moved = pair.ask(OWNER, |reply| Command::HandOver { session: id, to: NEAR, reply });
    pair.until("a hand-over", |_| moved.try_recv().is_ok_and(|moved| moved.is_ok()));
    pair.settle();
    drop(client);
    let mut client = pair.attach(NEAR, 1);
    client.say(&back_to(id, seq));
    pair.heard(&mut client, "a snapshot", |seen| count(seen, "snapshot") == 1);
    let (joined, snapshot) = (&messages(&client.seen, "joined")[0], &messages(&client.seen, "snapshot")[0]);
    assert_eq!((&joined["resume"], &joined["why"]), (&"snapshot".into(), &"changed_hands".into()));
    let missed = serde_json::json!({ "from": seq + 1, "to": snapshot["q"] });
    assert_eq!((&snapshot["missed"], count(&client.seen, "delta")), (&missed, 0), "how many events is not known");
    assert_eq!(joined["s"], handle_of(id));
    assert_eq!(pair.workers[NEAR].stats.resumes_changed_hands, 1);
}
