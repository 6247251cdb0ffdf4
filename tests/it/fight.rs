//! A fight over real sockets, from the first join to the result.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tiltyard_client::{Order, Update};
use tiltyard_protocol::server::{EndReason, ParticipantStatus, SessionStatus};
use tiltyard_protocol::{ActionKind, Encoding, Reason};

use crate::support::{Node, PATIENCE, answer, attack, close_code, plain_rules, result, until};

#[tokio::test]
async fn a_duel_to_its_end() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    assert_eq!(fight.clients[0].view().phase.status, SessionStatus::Initializing);
    fight.begin().await;
    for hit in 1..=10 {
        let ack = attack(&mut fight.clients[0], 1).await.unwrap();
        assert_eq!(ack.id, hit);
    }
    for client in &mut fight.clients {
        let outcome = result(client).await;
        assert_eq!((outcome.winner, outcome.reason), (Some(0), EndReason::LastStanding));
        assert_eq!(outcome.standings[0].damage, 100);
    }
    fight.settle().await;
    assert_eq!(fight.clients[1].view().participants[1].status, ParticipantStatus::Eliminated);

    let state = fight.state(&node).await.body;
    assert_eq!(state["phase"], "cooldown");
    assert_eq!(state["participants"][1]["status"], "eliminated");
    let refused = attack(&mut fight.clients[0], 1).await.unwrap_err();
    assert_eq!(refused.reason, Reason::WrongPhase);
}

#[tokio::test]
async fn four_against_each_other_see_the_same() {
    let node = Node::start();
    let mut fight = node.fight(4, plain_rules()).await;
    fight.begin().await;
    for round in 0..9 {
        for slot in 0..4_u8 {
            attack(&mut fight.clients[usize::from(slot)], (slot + 1 + round % 3) % 4).await.unwrap();
        }
    }
    fight.settle().await;
    assert_eq!(fight.clients[0].view().participants.iter().map(|p| p.hp).sum::<u32>(), 400 - 36 * 10);
    for slot in 1..4 {
        attack(&mut fight.clients[0], slot).await.unwrap();
    }
    assert_eq!(result(&mut fight.clients[3]).await.winner, Some(0));
}

#[tokio::test]
async fn a_repeated_action_id_gets_the_first_answer_and_hits_once() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let client = &mut fight.clients[0];
    let first = attack(client, 1).await.unwrap();
    for _ in 0..3 {
        client.act_as(first.id, Order::attack(1)).await.unwrap();
        assert_eq!(answer(client, first.id).await.unwrap(), first);
    }
    let id = client.act(ActionKind::Attack).await.unwrap();
    let refused = answer(client, id).await.unwrap_err();
    assert_eq!(refused.reason, Reason::NeedsTarget);
    client.act_as(id, Order::attack(1)).await.unwrap();
    assert_eq!(answer(client, id).await.unwrap_err(), refused, "also a refusal is remembered");
    assert_eq!(client.view().participants[1].hp, 90);

    // On a new connection too.
    let mut again = fight.connect(&node, 0, Encoding::Json).await;
    again.act_as(first.id, Order::attack(1)).await.unwrap();
    assert_eq!(answer(&mut again, first.id).await.unwrap(), first);
    assert_eq!(again.view().participants[1].hp, 90);
}

#[tokio::test]
async fn rest_and_socket_meet_in_one_fight() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let path = format!("/combat/sessions/{}/actions", fight.id);
    let body = json!({ "action_type": "attack", "player_id": fight.players[1], "target_id": fight.players[0] });
    let applied = fight.call(&node, Method::POST, &path, Some(&body)).await;
    assert_eq!(applied.status, 200, "{}", applied.body);
    assert_eq!(applied.body["damage_dealt"], 10);
    assert_eq!(applied.body["success"], true);
    let client = &mut fight.clients[0];
    until(client, |update| matches!(update, Update::Delta(events) if !events.is_empty())).await;
    assert_eq!(client.view().participants[0].hp, 90, "what REST did shows on the socket");

    let refused = json!({ "action_type": "attack", "player_id": fight.players[1], "target_id": fight.players[1] });
    let refused = fight.call(&node, Method::POST, &path, Some(&refused)).await;
    assert_eq!((refused.status.as_u16(), refused.reason()), (409, "invalid_target"));
}

#[tokio::test]
async fn the_newest_connection_wins() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let mut newer = fight.connect(&node, 0, Encoding::Json).await;
    assert_eq!(close_code(&mut fight.clients[0]).await, 4409);
    attack(&mut newer, 1).await.unwrap();
    // The old one's late end takes nothing from the new one.
    assert_eq!(newer.view().participants[0].status, ParticipantStatus::Active);
    attack(&mut newer, 1).await.unwrap();
}

#[tokio::test]
async fn who_does_not_come_back_forfeits() {
    let node = Node::start();
    let mut rules = plain_rules();
    rules["reconnect_ms"] = json!(150);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    fight.clients.remove(0).close().await.unwrap();
    let outcome = result(&mut fight.clients[0]).await;
    assert_eq!((outcome.winner, outcome.reason), (Some(1), EndReason::Forfeit));
}

#[tokio::test]
async fn pausing_and_ending_over_rest_shows_on_the_socket() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let path = format!("/sessions/{}", fight.id);
    let paused = fight.call(&node, Method::PUT, &path, Some(&json!({ "status": "paused" }))).await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    let refused = attack(&mut fight.clients[0], 1).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Paused);
    let again = fight.call(&node, Method::PUT, &path, Some(&json!({ "status": "active" }))).await;
    assert_eq!(again.status, 200, "{}", again.body);
    attack(&mut fight.clients[0], 1).await.unwrap();
    let ended = fight.call(&node, Method::DELETE, &path, Some(&json!({ "force": true }))).await;
    assert_eq!((ended.status.as_u16(), &ended.body["status"]), (200, &json!("terminated")));
    assert_eq!(result(&mut fight.clients[1]).await.reason, EndReason::Terminated);
    let refused = attack(&mut fight.clients[0], 1).await.unwrap_err();
    assert_eq!(refused.reason, Reason::SessionEnded, "and the connection lives on");
    let repeated = fight.call(&node, Method::DELETE, &path, None).await;
    assert_eq!(repeated.status, 200, "ending what has ended is no error");
}

#[tokio::test]
async fn time_that_was_told_does_not_go_back_when_the_server_is_stopped_and_started() {
    let mut node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    // Nobody does anything from then on, and nobody is there whose going would be an input.
    fight.clients.clear();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let service = node.service();
    let path = format!("/combat/sessions/{}", fight.id);
    let seconds = async |node: &Node| {
        let told = node.rest().call(Method::GET, &path, Some(&service), None).await.unwrap();
        told.body["stats"]["duration_seconds"].as_u64().unwrap()
    };
    let told = seconds(&node).await;
    assert!(told >= 3);
    node.signal("TERM");
    let since = Instant::now();
    while node.is_alive() {
        assert!(since.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    node.start_again();
    assert!(seconds(&node).await >= told);
}
