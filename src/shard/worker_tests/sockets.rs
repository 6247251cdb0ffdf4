//! Connections that are silent, take nothing, join nothing, or come and go by the thousand.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tiltyard_combat::Rules;
use tiltyard_protocol::CloseCode;
use uuid::Uuid;

use super::{Shard, at_rest, attachment, close_code, last_code, read_until, text};
use crate::hub::Hub;
use crate::limits;
use crate::shard::Command;
use crate::shard::connection::State;

#[test]
fn whoever_says_nothing_for_a_minute_is_closed_and_pings_of_ours_do_not_count() {
    let shard = Shard::start();
    let id = shard.create().id;
    let mut client = shard.join(id);
    for _ in 0..3 {
        shard.skip(Duration::from_millis(limits::PING_AFTER_MS));
    }
    assert_eq!(last_code(&mut client), CloseCode::Idle.code());
    drop(client);
    drop(shard.stop());
}

#[test]
fn whoever_takes_nothing_for_long_is_closed_as_too_slow_once_it_reads_again() {
    let shard = Shard::start();
    let rules = Rules { attack_interval_ms: 0, health: 1_000_000, ..Rules::default() };
    let id = shard.create_under(&rules, Uuid::nil(), 2).id;
    let mut client = shard.join(id);
    // More than kernel and outbox take: state is left out.
    while shard.handle.stats().lagged == 0 {
        shard.attack_often(id, 100);
    }
    shard.skip(Duration::from_millis(limits::STUCK_MS / 2));
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().closed_slow, 0, "it still has time");
    shard.skip(Duration::from_millis(limits::STUCK_MS / 2));
    assert_eq!(last_code(&mut client), CloseCode::TooSlow.code());
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().closed_slow, 1);
    drop(client);
    drop(shard.stop());
}

#[test]
fn a_connection_that_joins_nothing_is_closed_pings_or_not() {
    let shard = Shard::start();
    let id = shard.create().id;
    let mut silent = shard.attach(None);
    let mut pings = shard.attach(None);
    let mut left = shard.join(id);
    // As the protocol has it.
    let handle = id.as_u128() & u128::from(u32::MAX);
    left.write_all(&text(&format!(r#"{{"t":"leave","d":{{"s":{handle}}}}}"#))).unwrap();
    read_until(&mut left, r#""t":"left""#);
    shard.skip(Duration::from_millis(limits::UNJOINED_MS / 2));
    // Of the protocol, and of the WebSocket.
    pings.write_all(&[0x89, 0x80, 0, 0, 0, 0]).unwrap();
    pings.write_all(&text(r#"{"t":"ping","d":{"n":1}}"#)).unwrap();
    read_until(&mut pings, r#""t":"pong""#);
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().closed_unjoined, 0, "it still has time");
    shard.skip(Duration::from_millis(limits::UNJOINED_MS / 2));
    for client in [&mut silent, &mut pings, &mut left] {
        assert_eq!(last_code(client), CloseCode::NoSession.code());
    }
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().closed_unjoined, 3);
    drop((silent, pings, left));
    drop(shard.stop());
}

#[test]
fn a_connection_that_is_being_closed_has_its_time_for_that_whenever_it_was_to_be_pinged() {
    let shard = Shard::start();
    let id = shard.create().id;
    let mut client = shard.join(id);
    // One millisecond before it would be pinged.
    shard.skip(Duration::from_millis(limits::UNJOINED_MS));
    shard.skip(Duration::from_millis(limits::PING_AFTER_MS - limits::UNJOINED_MS - 1_000));
    client.write_all(&text("nonsense").repeat(usize::from(limits::BAD_MESSAGES))).unwrap();
    assert_eq!(last_code(&mut client), CloseCode::BadMessages.code());
    let connections = || shard.handle.stats().connections;
    shard.skip(Duration::from_millis(1_100));
    shard.skip(Duration::ZERO);
    assert_eq!(connections(), 1, "it could still answer the close");
    shard.skip(Duration::from_millis(limits::CLOSE_MS));
    shard.skip(Duration::ZERO);
    assert_eq!(connections(), 0);
    drop(shard.stop());
}

#[test]
fn a_connection_that_no_shard_takes_is_told_to_come_back() {
    let shard = Shard::start();
    let id = shard.create().id;
    shard.log_fails.store(true, Ordering::SeqCst);
    let held = shard.attack(id);
    while shard.handle.stats().log_failures < 1 {
        std::thread::yield_now();
    }
    // Taken from the inbox by a shard that cannot write its log, and refused by a full inbox.
    assert_eq!(close_code(&mut shard.attach(None)), CloseCode::TryLater.code());
    let hub = Hub::new(vec![shard.handle.clone()]);
    while shard.handle.send(Command::Revoke(Uuid::nil())).is_ok() {}
    let (refused, mut client) = attachment(None);
    if hub.attach(refused).is_err() {
        assert_eq!(close_code(&mut client), CloseCode::TryLater.code());
    }
    shard.log_fails.store(false, Ordering::SeqCst);
    held.blocking_recv().unwrap().unwrap();
    shard.handle.drain();
    shard.thread.join().unwrap();
    let (refused, mut client) = attachment(None);
    assert!(hub.attach(refused).is_err());
    assert_eq!(close_code(&mut client), CloseCode::Restart.code());
}

#[test]
fn sockets_that_come_at_once_and_break_at_once_are_dealt_with_over_several_turns() {
    // Each costs calls of the kernel: hundreds cannot be dealt with in half a millisecond.
    let (handle, mut worker, clients, _data) = at_rest(limits::COMMANDS_PER_TURN as u64);
    worker.drain_inbox();
    assert!((1..clients.len()).contains(&worker.connections.len()), "{} in one turn", worker.connections.len());
    while worker.connections.len() < clients.len() {
        worker.drain_inbox();
    }
    for key in worker.connections.keys().collect::<Vec<_>>() {
        worker.lose(key);
    }
    worker.let_go();
    assert!((1..clients.len()).contains(&worker.connections.len()), "{} are left", worker.connections.len());
    assert!(worker.sleep().is_some_and(|sleep| sleep.is_zero()), "and the next turn begins at once");
    while !worker.lost.is_empty() {
        worker.let_go();
    }
    assert!(worker.connections.is_empty());
    drop(handle);
}

#[test]
fn a_connection_that_is_being_closed_keeps_nothing_of_what_it_has_sent() {
    let (handle, mut worker, clients, _data) = at_rest(2);
    while worker.connections.len() < clients.len() {
        worker.drain_inbox();
    }
    let keys: Vec<_> = worker.connections.keys().collect();
    // Most of a message, whose end is to come.
    let begun = [&[0x01, 0xFE, 0xEA, 0x60, 0, 0, 0, 0], &*vec![b' '; 60_000]].concat();
    for &key in &keys {
        worker.received(key, &mut begun.clone());
        assert!(!worker.connections[key].reader.is_empty(), "it waits for the end of it");
    }
    // One makes a mistake then, and the other one's time is over.
    worker.received(keys[0], &mut [0x83, 0x80, 0, 0, 0, 0]);
    worker.close(keys[1], CloseCode::Idle);
    for &key in &keys {
        let connection = &worker.connections[key];
        assert_eq!(connection.state, State::Closing);
        assert!(connection.reader.is_empty(), "nothing is read any more");
    }
    drop((handle, clients));
}
