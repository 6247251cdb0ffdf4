//! One who sends more than it may costs nobody but itself.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use tiltyard_client::{Order, Update};
use tiltyard_protocol::Reason;

use crate::support::{Node, answer, attack, until};

#[tokio::test]
async fn one_floods_and_the_other_is_neither_refused_nor_flagged() {
    let node = Node::start();
    // The other's thirty are just what a participant may do at once.
    let rules =
        json!({ "health": 1_000_000, "attack_interval_ms": 0, "preparation_ms": 60_000, "actions_per_second": 30 });
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    assert_eq!(fight.clients[1].rules().unwrap().actions_per_second, 30, "who is to keep to it is told");
    // Refused actions, and some that hit: far more than a second has room for, all on its way while the other acts, and no more than a
    // connection may send at once.
    for no in 0..30 {
        for _ in 0..14 {
            fight.clients[0].act(Order::attack(u8::from(no % 3 == 0))).await.unwrap();
        }
        attack(&mut fight.clients[1], 0).await.expect("nobody pays for another");
    }
    let flooder = &mut fight.clients[0];
    let over = until(flooder, |update| matches!(update, Update::Refused(no) if no.reason == Reason::RateLimited)).await;
    let Update::Refused(over) = over else { panic!("{over:?}") };
    assert!(over.retry_ms.is_some_and(|ms| ms <= 1_000), "{over:?}");
    flooder.ping(1).await.unwrap();
    until(flooder, |update| matches!(update, Update::Pong(_))).await;

    let logs = fight.call(&node, Method::GET, &format!("/sessions/{}/logs?limit=100", fight.id), None).await.body;
    let flagged = logs["logs"].as_array().unwrap().iter().filter(|entry| entry["event_type"] == "flagged");
    let rate: Vec<_> =
        flagged.filter(|entry| entry["data"]["flag"] == "rate").map(|entry| &entry["data"]["by"]).collect();
    assert_eq!(rate, [&json!(fight.players[0])]);
    assert!(node.metric("tiltyard_inputs_turned_away_total").await >= 1.0);
}

#[tokio::test]
async fn what_was_refused_for_want_of_time_is_done_when_its_id_comes_again() {
    let node = Node::start();
    let rules = json!({ "health": 1_000_000, "attack_interval_ms": 300, "preparation_ms": 60_000 });
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    let client = &mut fight.clients[0];
    let mut refused = None;
    while refused.is_none() {
        let id = client.act(Order::attack(1)).await.unwrap();
        refused = answer(client, id).await.err();
    }
    let (mut refused, other) = (refused.unwrap(), client.act(Order::attack(0)).await.unwrap());
    assert_eq!(answer(client, other).await.unwrap_err().reason, Reason::InvalidTarget);
    let done = loop {
        assert_eq!(refused.reason, Reason::Cooldown);
        tokio::time::sleep(Duration::from_millis(refused.retry_ms.unwrap().into())).await;
        client.act_as(refused.id, Order::attack(1)).await.unwrap();
        match answer(client, refused.id).await {
            Ok(ack) => break ack,
            Err(again) => refused = again,
        }
    };
    client.act_as(done.id, Order::attack(1)).await.unwrap();
    assert_eq!(answer(client, done.id).await.unwrap(), done, "and then it is remembered");
}
