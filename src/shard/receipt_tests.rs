//! Clients whose systems take what they are sent, and who do not read it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use tiltyard_combat::Rules;
use uuid::Uuid;

use super::{Shard, read_until, text};
use crate::limits;

/// A ping as the server sends it, and the answer.
const PING: [u8; 2] = [0x89, 0];
const PONG: [u8; 6] = [0x8A, 0x80, 0, 0, 0, 0];

/// Attacks whose deltas are more than [`limits::RECEIPT_BYTES`], and fit into any buffer.
const ATTACKS: usize = 100;

impl Shard {
    fn start_of_two() -> (Self, Uuid, TcpStream) {
        let shard = Self::start();
        let rules = Rules { attack_interval_ms: 0, health: 1_000_000, ..Rules::default() };
        let id = shard.create_under(&rules, Uuid::nil(), 2).id;
        let client = shard.join(id);
        (shard, id, client)
    }

    /// Has so much happen that the client is pinged again.
    fn have_it_pinged(&self, id: Uuid) {
        self.skip(Duration::from_millis(limits::RECEIPT_EVERY_MS));
        self.attack_often(id, ATTACKS);
        // The ping goes with the first delta behind so many bytes.
        self.attack_often(id, 1);
    }
}

/// Reads up to a ping.
fn read_to_ping(client: &mut TcpStream) {
    let mut last = [0; 2];
    while last != PING {
        last[0] = last[1];
        client.read_exact(&mut last[1..]).unwrap();
    }
}

/// Answers the server's ping, and waits until the shard knows.
fn answer(client: &mut TcpStream) {
    client.write_all(&PONG).unwrap();
    say(client);
}

/// Sends something, and reads up to the answer.
fn say(client: &mut TcpStream) {
    client.write_all(&text(r#"{"t":"ping","d":{"n":1}}"#)).unwrap();
    read_until(client, r#""t":"pong""#);
}

#[test]
fn who_does_not_read_what_its_system_takes_is_sent_no_more_deltas_and_one_snapshot_when_it_reads_again() {
    let (shard, id, mut client) = Shard::start_of_two();
    shard.have_it_pinged(id);
    read_to_ping(&mut client);
    answer(&mut client);
    let before = shard.handle.stats();
    shard.have_it_pinged(id);
    shard.skip(Duration::from_millis(limits::RECEIPT_MS));
    shard.attack_often(id, ATTACKS);
    let lagged_and_conflated = || {
        let stats = shard.handle.stats();
        (stats.lagged - before.lagged, stats.conflated - before.conflated)
    };
    assert_eq!(lagged_and_conflated(), (1, 0), "it gets nothing more");
    // It acts, and still does not read.
    client.write_all(&text(r#"{"t":"ping","d":{"n":1}}"#)).unwrap();
    shard.attack_often(id, 1);
    assert_eq!(lagged_and_conflated(), (1, 0));

    read_to_ping(&mut client);
    client.write_all(&PONG).unwrap();
    read_until(&mut client, r#""t":"snapshot""#);
    shard.attack_often(id, 1);
    read_until(&mut client, r#""t":"delta""#);
    assert_eq!(lagged_and_conflated(), (1, 1));
    drop(client);
    drop(shard.stop());
}

#[test]
fn a_client_that_knows_no_pings_is_believed_by_whatever_it_sends() {
    let (shard, id, mut client) = Shard::start_of_two();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    for _ in 0..3 {
        shard.have_it_pinged(id);
        say(&mut client);
        shard.skip(Duration::from_millis(limits::RECEIPT_MS));
        shard.attack_often(id, 1);
        // Else it would be left out for good.
        read_until(&mut client, r#""t":"delta""#);
    }
    drop(client);
    drop(shard.stop());
}
