//! An upgrade ends no fight: the server goes on with a log that the version before it left.

use std::path::Path;

use reqwest::Method;
use tempfile::TempDir;
use tiltyard_client::{Client, Update};
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::restored::copy;
use crate::support::{Node, attack, until};

/// A duel in `tests/form7`, whose first player has the turn.
const DUEL: &str = "01a21fa5-704e-741b-8677-b260a46076fc";
const PLAYERS: [&str; 2] = ["3f1b8a52-0c54-4b65-9e38-0a6d0b6f0001", "3f1b8a52-0c54-4b65-9e38-0a6d0b6f0002"];

async fn connect(node: &Node, slot: usize) -> Client {
    let (duel, player): (Uuid, Uuid) = (DUEL.parse().unwrap(), PLAYERS[slot].parse().unwrap());
    let ticket = node.rest().ticket(&node.service(), duel, player).await.unwrap();
    let mut client = Client::connect(&ticket.url, Encoding::Json).await.unwrap();
    client.join(duel).await.unwrap();
    until(&mut client, |update| matches!(update, Update::Snapshot)).await;
    client
}

#[tokio::test]
async fn fights_of_the_version_before_go_on_over_an_upgrade_and_over_the_next_start() {
    let data = TempDir::new().unwrap();
    copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/form7"), data.path());
    let mut node = Node::start_on(data);
    let path = format!("/combat/sessions/{DUEL}");
    let stands = node.rest().call(Method::GET, &path, Some(&node.service()), None).await.unwrap();
    assert_eq!((stands.status.as_u16(), &stands.body["stats"]["total_actions"]), (200, &6.into()), "{}", stands.body);
    let mut health = [73, 82];
    let mut seq = 10;
    for slot in [0, 1] {
        let mut client = connect(&node, slot).await;
        assert!(client.seq() >= seq, "at {} after {seq}", client.seq());
        let hp: Vec<u32> = client.view().participants.iter().map(|one| one.hp).collect();
        assert_eq!(hp, health);
        let other = 1 - slot;
        // The client compares what it has made of it with the server's digest.
        attack(&mut client, u8::try_from(other).unwrap()).await.unwrap();
        client.ping(1).await.unwrap();
        until(&mut client, |update| matches!(update, Update::Pong(_))).await;
        health[other] = client.view().participants[other].hp;
        seq = client.seq();
        node.crash_and_restart();
    }
}
