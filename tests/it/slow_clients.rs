//! A client that does not read is brought up to date with a snapshot, and nobody else waits for it.

use serde_json::json;
use tiltyard_client::{Order, Update};

use crate::support::{Node, attack, plain_rules, until};

#[tokio::test]
async fn a_client_that_stops_reading_gets_one_snapshot_instead_of_the_backlog() {
    let node = Node::start();
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000_000);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    let (active, rest) = fight.clients.split_first_mut().unwrap();
    let slow = &mut rest[0];
    // More than the kernel's buffers and the outbox hold together.
    let mut hits = 0;
    while hits < 120_000 {
        for _ in 0..50 {
            active.act(Order::attack(1)).await.unwrap();
        }
        for _ in 0..50 {
            until(active, |update| matches!(update, Update::Ack(_))).await;
        }
        hits += 50;
    }
    until(slow, |update| matches!(update, Update::Snapshot)).await;
    let last = attack(active, 1).await.unwrap().q;
    while slow.seq() < last {
        until(slow, |_| true).await;
    }
    assert_eq!(slow.view().participants[1].hp, 1_000_000_000 - 10 * (hits + 1));
    assert!(node.metric("tiltyard_conflated_total").await >= 1.0);
}
