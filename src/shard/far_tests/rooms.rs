//! Rooms of either shard, with all that may be in them.

use std::sync::Arc;

use serde_json::{Value, json};
use tiltyard_protocol::{CloseCode, Reason};
use uuid::Uuid;

use super::super::held::{Client, attack_of, handle_of};
use super::{NEAR, OWNER, Pair, acks, join_of, messages};
use crate::limits;
use crate::session::{Kind, shard_of};
use crate::shard::Command;
use crate::shard::room::desk::{Facts, News, Wanted, Wish, desks};
use crate::socket::frame;

/// Pairs of shards that ask the test for their sessions.
fn start() -> (Pair, Vec<flume::Receiver<Wish>>) {
    let mut pair = Pair::start();
    let (desks, wishes) = desks(pair.workers.len());
    for (number, worker) in pair.workers.iter_mut().enumerate() {
        worker.desk = desks.of(number);
    }
    (pair, wishes)
}

/// An id that leads to this shard.
fn id_of(shard: usize) -> Uuid {
    std::iter::repeat_with(Uuid::now_v7).find(|&id| shard_of(id, 2) == shard).unwrap()
}

fn facts(members: usize, state: &Value) -> Arc<Facts> {
    let members: Vec<Uuid> = (1..=members as u128).map(Uuid::from_u128).collect();
    let (owner, state) = (members[0], state.to_string().into());
    Arc::new(Facts { kind: Kind::Custom, owner, members, version: 1, state, expires_at: 1_000 })
}

/// The first player's connection joins a room, which is opened when `before` has been done.
fn enter(
    pair: &mut Pair,
    wishes: &[flume::Receiver<Wish>],
    client: &mut Client,
    (room, facts): (Uuid, &Arc<Facts>),
    before: impl FnOnce(&mut Pair),
) {
    let shard = shard_of(room, 2);
    client.say(&join_of(room));
    let mut wish = None;
    pair.until("a wish", |_| {
        wish = wishes[shard].try_recv().ok();
        wish.is_some()
    });
    let Some(Wish { what: Wanted::Open { conn, .. }, .. }) = wish else { panic!("another wish: {wish:?}") };
    before(pair);
    let news = News::Opened { conn, opened: Ok(Arc::clone(facts)) };
    pair.handles[shard].send(Command::Room(room, news)).unwrap();
}

/// Takes turns until that is so of what the client has been sent and of the shards, and nobody is closed meanwhile.
fn open_until(pair: &mut Pair, client: &mut Client, what: &str, is_so: impl Fn(&mut Pair, &str) -> bool) {
    pair.until(what, |pair| {
        let closed: u64 = pair.workers.iter().map(|worker| worker.stats.closed_slow).sum();
        assert_eq!(
            closed,
            0,
            "closed with {}, as if it did not read, before there was {what}",
            CloseCode::TooSlow.code()
        );
        client.news();
        is_so(pair, &client.seen)
    });
}

#[test]
fn nobody_is_closed_for_joining_what_is_large_behind_much_that_waits() {
    let state = json!({ "text": "x".repeat(limits::STATE_BYTES - 100) });
    // As many names as where all of them are here, too.
    let members = 2 * limits::MEMBERS;
    let facts = facts(members, &state);
    for shard in [NEAR, OWNER] {
        let (mut pair, wishes) = start();
        let (fight, room) = (pair.create(NEAR), id_of(shard));
        let mut client = pair.join(&[fight]);
        let conn = pair.workers[NEAR].connections.keys().next().unwrap();
        // What is made is not shown, and so not taken, before the log has kept it.
        pair.stores[NEAR].be_late();
        client.say(&attack_of(fight, 1));
        pair.until("an action", |pair| !pair.stores[NEAR].waiting().is_empty());
        enter(&mut pair, &wishes, &mut client, (room, &facts), |pair| {
            let outbox = &mut pair.workers[NEAR].connections[conn].outbox;
            let mut ping = Vec::new();
            frame::ping(&mut ping);
            let count = (limits::OUTBOX_ASK_BYTES - outbox.len()) / ping.len();
            let filler = ping.repeat(count);
            let worker = &mut pair.workers[NEAR];
            worker.queue_answer(conn, &filler);
        });
        let large = limits::OUTBOX_BYTES;
        let joined = |pair: &mut Pair, _: &str| pair.workers[NEAR].connections[conn].outbox.len() > large;
        open_until(&mut pair, &mut client, "a join", joined);
        // Another answer, of those that come unasked.
        pair.workers[NEAR].pong(conn, 77, None, None);
        pair.settle();
        pair.stores[NEAR].be_prompt();
        let answered = |_: &mut Pair, seen: &str| seen.contains(r#"{"t":"pong","d":{"n":77,"#);
        open_until(&mut pair, &mut client, "an answer", answered);
        let joined = messages(&client.seen, "joined").pop().unwrap();
        assert_eq!((&joined["s"], &joined["state"]), (&handle_of(room).into(), &state));
        assert_eq!(joined["members"].as_array().map(Vec::len), Some(members));
        client.say(&attack_of(fight, 2));
        open_until(&mut pair, &mut client, "another action", |_, seen| acks(seen, fight, 2) == 1);
        // Who does not read is closed all the same.
        pair.stores[NEAR].be_late();
        client.say(&attack_of(fight, 3));
        pair.until("an action", |pair| !pair.stores[NEAR].waiting().is_empty());
        let most = vec![0; limits::OUTBOX_BYTES];
        pair.workers[NEAR].queue_answer(conn, &most);
        pair.settle();
        assert_eq!(pair.workers[NEAR].stats.closed_slow, 1, "{}", CloseCode::TooSlow.code());
    }
}

#[test]
fn in_a_room_of_either_shard_a_pong_says_which_and_a_relay_is_for_others() {
    let facts = facts(3, &json!({}));
    for shard in [NEAR, OWNER] {
        let (mut pair, wishes) = start();
        let room = id_of(shard);
        let mut client = pair.attach(NEAR, 1);
        enter(&mut pair, &wishes, &mut client, (room, &facts), |_| ());
        pair.heard(&mut client, "a join", |seen| !messages(seen, "joined").is_empty());
        let s = handle_of(room);
        let say = |client: &mut Client, t: &str, d: Value| client.say(&json!({ "t": t, "d": d }).to_string());
        say(&mut client, "ping", json!({ "n": 1, "s": s }));
        say(&mut client, "ping", json!({ "n": 2, "s": s ^ 1 }));
        say(&mut client, "relay", json!({ "s": s, "id": 1, "data": 0, "to": Uuid::from_u128(1) }));
        say(&mut client, "relay", json!({ "s": s, "id": 2, "data": 0, "to": Uuid::from_u128(2) }));
        say(&mut client, "relay", json!({ "s": s, "id": 3, "data": null, "to": null }));
        say(&mut client, "relay", json!({ "s": s, "id": 4 }));
        say(&mut client, "patch", json!({ "s": s, "id": 5, "merge": {}, "if": "x" }));
        say(&mut client, "beat", json!({ "s": s, "id": 6 }));
        pair.heard(&mut client, "the last answer", |seen| messages(seen, "refused").len() == 5);
        let pongs = messages(&client.seen, "pong");
        assert_eq!((&pongs[0]["s"], &pongs[0]["at"]), (&s.into(), &Value::Null));
        assert_eq!((&pongs[1]["s"], &pongs[1]["at"]), (&Value::Null, &Value::Null));
        let refused = messages(&client.seen, "refused");
        let refused: Vec<_> = refused.iter().map(|of| (of["reason"].as_str().unwrap(), &of["message"])).collect();
        assert_eq!(refused[0].0, Reason::InvalidTarget.name());
        assert_eq!(refused[1], (Reason::NotHere.name(), &Value::Null));
        assert_eq!(refused[2], (Reason::BadFields.name(), &json!("data: is needed")));
        assert_eq!(refused[3].0, Reason::BadFields.name());
        assert!(refused[3].1.as_str().unwrap().starts_with("if: must be a whole number"), "{}", refused[3].1);
        assert_eq!(refused[4].0, Reason::WrongType.name());
        assert!(refused[0].1.as_str().unwrap().starts_with("to: "));
        assert_eq!(messages(&client.seen, "ack"), [json!({ "s": s, "id": 3, "to": 0 })]);
    }
}
