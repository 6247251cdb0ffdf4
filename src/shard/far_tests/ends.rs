//! What ends a session elsewhere for a connection, or it for the session.

use std::time::Instant;

use tiltyard_protocol::CloseCode;
use uuid::Uuid;

use super::super::held::{Client, PATIENCE, attack_of, count, handle_of};
use super::super::{Worker, attachment};
use super::{NEAR, OWNER, Pair, acks, concede_of, join_of, leave_of, refusals, refused_ids, take_turn};
use crate::limits;
use crate::session::Expected;
use crate::shard::Command;

/// The seat of who gave up before all had come is another's: nothing of that one is shown to who had it.
#[test]
fn who_watches_from_a_seat_that_it_gave_up_is_let_go_when_another_takes_it() {
    let mut pair = Pair::start();
    let (other, open) = (pair.create(NEAR), pair.create_open(OWNER));
    let mut client = pair.join(&[other, open]);
    client.say(&concede_of(open));
    pair.until("a free seat", |pair| pair.workers[OWNER].sessions.values().any(|session| session.fight.is_vacant(0)));
    for (player, is_let_go) in [(1, false), (3, true)] {
        if player == 3 {
            client.say(&concede_of(open));
            pair.settle();
        }
        let mut seat = pair.ask(OWNER, |reply| Command::Seat {
            session: open,
            expected: Expected::default(),
            player: Uuid::from_u128(player),
            shares: Vec::new(),
            reply,
        });
        pair.until("a seat", |_| seat.try_recv().is_ok_and(|slot| slot == Ok(0)));
        pair.settle();
        client.news();
        let left = format!(r#""t":"left","d":{{"s":{},"why":"replaced"}}"#, handle_of(open));
        assert_eq!(client.seen.contains(&left), is_let_go, "{player}");
        let info = pair.read(open);
        assert_eq!(
            pair.workers[OWNER].sessions.values().next().unwrap().fight.participants()[0].is_connected(),
            !is_let_go
        );
        assert_eq!(info.participants[0].player, Uuid::from_u128(player));
    }
    pair.until("nothing left of it", |pair| pair.far(OWNER) == (0, 0));
}

#[test]
fn a_session_elsewhere_hears_that_a_connection_is_lost() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let client = pair.join(&[here, there]);
    drop(client);
    pair.until("an end", |pair| pair.far(NEAR) == (0, 0) && pair.far(OWNER) == (0, 0));
    for session in [here, there] {
        let status = pair.read(session).participants[0].status;
        assert_eq!(status, tiltyard_combat::ParticipantStatus::Disconnected);
    }
    // Its way back goes on where it was.
    let mut client = pair.join(&[here, there]);
    client.say(&attack_of(there, 1));
    pair.heard(&mut client, "an answer", |seen| acks(seen, there, 1) == 1);
}

#[test]
fn a_fenced_session_elsewhere_closes_the_connection() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    client.news();
    pair.stores[OWNER].be_late();
    client.say(&attack_of(there, 1));
    pair.until("an action", |pair| !pair.stores[OWNER].waiting().is_empty());
    pair.stores[OWNER].fence(there);
    pair.settle();
    assert_eq!(client.closed(), CloseCode::Restart.code(), "and nothing that was not kept before it");
    pair.stores[OWNER].be_prompt();
    drop(client);
    pair.until("an end", |pair| pair.far(NEAR) == (0, 0) && pair.far(OWNER) == (0, 0));
}

#[test]
fn the_newest_connection_wins_wherever_the_others_are() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let (mut both, mut newer) = (pair.join(&[here, there]), pair.attach(OWNER, 1));
    pair.join_too(&mut newer, there);
    pair.heard(&mut both, "that it has left", |seen| count(seen, "left") == 1);
    both.say(&attack_of(there, 1));
    both.say(&attack_of(here, 1));
    pair.heard(&mut both, "answers", |seen| acks(seen, here, 1) == 1 && refusals(seen, there, "not_joined") == 1);
    let mut alone = pair.join(&[there]);
    pair.settle();
    assert_eq!(newer.closed(), CloseCode::Replaced.code());
    drop(newer);
    let mut newest = pair.attach(NEAR, 1);
    alone.news();
    pair.join_too(&mut newest, there);
    pair.settle();
    assert_eq!(alone.closed(), CloseCode::Replaced.code());
    pair.until("the places of the old ones", |pair| pair.far(OWNER).1 == 1);
    newest.say(&attack_of(there, 1));
    pair.heard(&mut newest, "an answer", |seen| acks(seen, there, 1) == 1);
}

#[test]
fn what_is_asked_in_the_moment_in_which_a_seat_is_taken_is_answered() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut both = pair.join(&[here, there]);
    let mut newer = pair.attach(OWNER, 1);
    pair.settle();
    newer.say(&join_of(there));
    // The session has said that it is left, and the socket's shard has not heard that yet.
    let since = Instant::now();
    while pair.workers[NEAR].inbox.commands.is_empty() {
        assert!(since.elapsed() < PATIENCE);
        take_turn(&mut pair.workers[OWNER]);
    }
    for id in 1..=3 {
        both.say(&attack_of(there, id));
    }
    let is_answered = |seen: &str| (1..=3).all(|id| refused_ids(seen, there, id) == 1);
    pair.heard(&mut both, "an answer to each", is_answered);
    assert_eq!((count(&both.seen, "left"), refusals(&both.seen, there, "not_joined")), (1, 3));
    pair.until("the place of the old one", |pair| pair.far(OWNER) == (1, 0));
    pair.settle();
    assert!(is_answered(&both.seen) && pair.is_quiet());
}

#[test]
fn what_cannot_be_joined_elsewhere_leaves_nothing_behind() {
    let mut pair = Pair::start();
    let there = pair.create(OWNER);
    let unknown = Uuid::from_u128((Uuid::now_v7().as_u128() & !0xF) | 1);
    let mut stranger = pair.attach(NEAR, 3);
    for (nth, session) in [unknown, there].into_iter().enumerate() {
        stranger.say(&join_of(session));
        pair.heard(&mut stranger, "a refusal", |seen| seen.matches(r#""reason":"no_session""#).count() > nth);
    }
    assert_eq!((pair.far(OWNER), pair.far(NEAR)), ((0, 0), (1, 0)));
    // A ticket is for its own session alone.
    let (mut ticket, stream) = attachment(None);
    (ticket.only, ticket.session) = (true, unknown);
    pair.handles[NEAR].send(Command::Attach(Box::new(ticket))).unwrap();
    let mut by_ticket = Client { stream, seen: String::new() };
    by_ticket.say(&join_of(there));
    pair.heard(&mut by_ticket, "a refusal", |seen| seen.contains("no_session"));
    assert_eq!(pair.far(OWNER), (0, 0));

    // There is a bound for all together, and joining again is not joining more.
    let mut sessions = Vec::new();
    for nth in 0..=limits::JOINS_PER_CONNECTION {
        sessions.push(pair.create(nth % 2));
    }
    let last = sessions.pop().unwrap();
    let mut client = pair.join(&sessions);
    let other = pair.create(OWNER);
    for (nth, session) in [last, other].into_iter().enumerate() {
        client.say(&join_of(session));
        pair.heard(&mut client, "a refusal", |seen| seen.matches("too_many_sessions").count() > nth);
    }
    pair.join_too(&mut client, sessions[1]);
    client.say(&join_of(sessions[1]));
    pair.heard(&mut client, "another", |seen| seen.contains("already_joined"));
    // Neither did a refusal end it, nor does anything wait.
    client.say(&attack_of(sessions[1], 1));
    pair.heard(&mut client, "an answer", |seen| acks(seen, sessions[1], 1) == 1);
    pair.settle();
    assert!(pair.is_quiet());
    assert_eq!(pair.far(OWNER), (limits::JOINS_PER_CONNECTION / 2, limits::JOINS_PER_CONNECTION / 2));
    // Who asks for too many at once is told by the session's shard, as for its own.
    let mut greedy = pair.attach(NEAR, 2);
    for _ in 0..=limits::JOINS_AT_ONCE {
        greedy.say(&join_of(there));
        greedy.say(&leave_of(there));
    }
    pair.heard(&mut greedy, "a refusal", |seen| seen.contains("too_many_requests"));
    greedy.say(&join_of(sessions[0]));
    pair.heard(&mut greedy, "another fight", |seen| seen.contains(&format!(r#""session":"{}""#, sessions[0])));
}

#[test]
fn shards_that_stop_do_not_wait_for_each_other() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    let mut other = pair.attach(OWNER, 2);
    pair.join_too(&mut other, here);
    client.news();
    other.news();
    for handle in &pair.handles {
        handle.drain();
    }
    pair.settle();
    for client in [&mut client, &mut other] {
        assert_eq!(client.closed(), CloseCode::Restart.code());
    }
    drop((client, other));
    pair.until("the end", |pair| pair.workers.iter().all(Worker::is_drained));
}
