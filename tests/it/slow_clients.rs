//! A client that does not read is brought up to date with a snapshot, and nobody else waits for it.

use serde_json::json;
use tiltyard_client::{Order, Update};

use crate::raw::{Raw, join};
use crate::support::{Node, attack, plain_rules, until};

/// What may wait for one client, in the kernels' buffers and ours.
const WAITING_BYTES: usize = 512 * 1024;

#[tokio::test]
async fn a_client_that_stops_reading_gets_one_snapshot_instead_of_the_backlog() {
    let node = Node::start_with(&["--rate-connection", "off"]);
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000_000);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    let (active, rest) = fight.clients.split_first_mut().unwrap();
    let slow = &mut rest[0];
    let mut hits = 0;
    while node.metric("tiltyard_lagged_total").await < 1.0 {
        for _ in 0..50 {
            active.act(Order::attack(1)).await.unwrap();
        }
        for _ in 0..50 {
            until(active, |update| matches!(update, Update::Ack(_))).await;
        }
        hits += 50;
        assert!(hits < 120_000, "something is left out in the end");
    }
    until(slow, |update| matches!(update, Update::Snapshot)).await;
    let last = attack(active, 1).await.unwrap().q;
    while slow.seq() < last {
        until(slow, |_| true).await;
    }
    assert_eq!(slow.view().participants[1].hp, 1_000_000_000 - 10 * (hits + 1));
    assert!(node.metric("tiltyard_conflated_total").await >= 1.0);
}

#[tokio::test]
async fn who_reads_again_has_little_to_read_before_the_snapshot_and_then_goes_on_from_there() {
    let node = Node::start_with(&["--rate-connection", "off"]);
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000_000);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    drop(fight.clients.pop());
    let mut slow = Raw::connect(&node, &fight, 1).await;
    slow.say(&[join(&fight)]);
    slow.until("snapshot");
    // Some 3 MB of deltas: what was once taken in by buffers alone.
    let active = &mut fight.clients[0];
    for _ in 0..400 {
        for _ in 0..50 {
            active.act(Order::attack(1)).await.unwrap();
        }
        for _ in 0..50 {
            until(active, |update| matches!(update, Update::Ack(_))).await;
        }
    }
    let heard = slow.until("snapshot");
    let waited: usize = heard.iter().map(|(_, bytes)| bytes).sum();
    let snapshot = heard.last().unwrap().1;
    // What it stands for: everything behind the last delta, one event each.
    let to = heard.last().unwrap().0["d"]["q"].as_u64().unwrap();
    let told = heard.iter().rfind(|(message, _)| message["t"] == "delta").unwrap().0["d"]["q"].as_u64().unwrap();
    assert_eq!(heard.last().unwrap().0["d"]["missed"], json!({ "events": to - told, "from": told + 1, "to": to }));
    assert!(waited - snapshot <= WAITING_BYTES, "{waited} bytes");
    let mut q = heard.last().unwrap().0["d"]["q"].as_u64().unwrap();
    let last = attack(active, 1).await.unwrap().q;
    // It may lag once more while it takes what waited: then it gets another snapshot. There are no gaps without one.
    while q < last {
        let (message, _) = slow.hear().unwrap();
        let next = message["d"]["q"].as_u64().unwrap();
        assert!(message["t"] == "snapshot" || next == q + 1, "{next} after {q}");
        q = next;
    }
}
