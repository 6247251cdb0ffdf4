//! Logs of fights and their recordings: what was stepped is not stepped again, readers have shares, and a tape of which a part is
//! lost keeps its head.

use std::fs;
use std::process::Command;
use std::time::Instant;

use reqwest::Response;
use serde_json::{Value, json};
use tempfile::TempDir;
use tiltyard_combat::Replay;
use tiltyard_combat::load::load;
use tiltyard_combat::replay::Loss;
use tokio::task::JoinSet;

use crate::support::{Fight, Node, PATIENCE, attack, plain_rules};

/// For clients that act as fast as they are answered.
const ACTING_FAST: [&str; 2] = ["--rate-connection", "off"];

/// A live fight in which somebody has hit somebody so often.
async fn fought(node: &Node, hits: usize) -> Fight {
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    for _ in 0..hits {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    fight
}

async fn get(node: &Node, token: &str, path: &str) -> Response {
    reqwest::Client::new().get(format!("{}{path}", node.url)).bearer_auth(token).send().await.unwrap()
}

async fn page(node: &Node, token: &str, path: &str) -> Value {
    let response = get(node, token, path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.json().await.unwrap()
}

/// A figure of the node; 0 where it is not there yet.
async fn figure(node: &Node, name: &str) -> u64 {
    let metrics = node.metrics().await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0, |value| value.parse().unwrap())
}

const STEPS: &str = "tiltyard_story_steps_total";

#[tokio::test]
async fn what_was_told_once_is_not_stepped_again() {
    let node = Node::start_with(&ACTING_FAST);
    let mut fight = fought(&node, 700).await;
    let (service, player) = (node.service(), node.player(fight.players[0]));
    let path = format!("/sessions/{}/logs?limit=20", fight.id);
    let first = page(&node, &service, &path).await;
    let steps = figure(&node, STEPS).await;
    assert!((700..900).contains(&steps), "the fight, once: {steps}");

    // Older pages, also after the fight has gone on, cost nothing.
    attack(&mut fight.clients[0], 1).await.unwrap();
    let (mut told, mut last) = (Vec::new(), first.clone());
    for _ in 0..5 {
        told.extend(last["logs"].as_array().unwrap().clone());
        let cursor = last["next_cursor"].as_str().unwrap();
        last = page(&node, &service, &format!("{path}&cursor={cursor}")).await;
    }
    assert_eq!(figure(&node, STEPS).await, steps);
    // Again from the top: only what there is of the last segment.
    let newest = page(&node, &service, &path).await;
    assert_ne!(newest["logs"], first["logs"], "the fight has gone on");
    assert_eq!(newest["logs"][1], first["logs"][0]);
    let more = figure(&node, STEPS).await - steps;
    assert!((1..512).contains(&more), "{more}");
    let whole = page(&node, &service, &format!("/sessions/{}/logs?limit=100", fight.id)).await;
    assert_eq!(whole["logs"].as_array().unwrap()[1..], told[..99], "and it is what one page says");

    // Another reader is told what that one may know, from where the first has been.
    let steps = figure(&node, STEPS).await;
    page(&node, &player, &path).await;
    let more = figure(&node, STEPS).await - steps;
    assert!((1..512).contains(&more), "told anew, and not from the beginning: {more}");
}

#[tokio::test]
async fn sixty_requests_of_one_player_keep_nobody_else_out() {
    let node = Node::start_with(&ACTING_FAST);
    let fight = fought(&node, 600).await;
    let (greedy, other) = (node.player(fight.players[0]), node.player(fight.players[1]));
    let path = format!("/sessions/{}/logs?limit=100", fight.id);
    let client = reqwest::Client::new();
    let ask = |token: &str| client.get(format!("{}{path}", node.url)).bearer_auth(token).send();
    let mut asked = JoinSet::new();
    for _ in 0..60 {
        asked.spawn(ask(&greedy));
    }
    let (service, player) = tokio::join!(ask(&node.service()), ask(&other));
    assert_eq!((service.unwrap().status().as_u16(), player.unwrap().status().as_u16()), (200, 200));
    let mut answered = 0;
    while let Some(response) = asked.join_next().await {
        let response = response.unwrap().unwrap();
        if response.status() == 200 {
            answered += 1;
            continue;
        }
        assert_eq!(response.status(), 429, "its own backlog is refused by name");
        assert!(response.headers().contains_key("retry-after"));
        let body: Value = response.json().await.unwrap();
        assert_eq!(body["details"]["reason"], "too_many_requests");
    }
    assert!(answered >= 5, "and those in its share are answered: {answered}");
    let steps = figure(&node, STEPS).await;
    assert!(steps < 60 * 600 / 8, "all together: {steps}");
    assert_eq!(figure(&node, "tiltyard_story_waiting").await, 0);
}

#[tokio::test]
async fn a_tape_with_a_damaged_part_keeps_its_head_and_says_so() {
    let node = Node::start();
    let fight = fought(&node, 300).await;
    for entry in fs::read_dir(node.data.path().join("replays")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let service = node.service();
    let (path, force) = (format!("/sessions/{}", fight.id), json!({ "force": true }));
    let ended = fight.call(&node, reqwest::Method::DELETE, &path, Some(&force)).await;
    assert_eq!(ended.status, 200);
    let replay = get(&node, &service, &format!("/combat/sessions/{}/replay", fight.id)).await;
    assert_eq!(replay.status(), 200);
    assert_eq!(
        (&replay.headers()["replay-complete"], &replay.headers()["replay-cut"]),
        (&"false".parse().unwrap(), &"damaged".parse().unwrap())
    );
    let bytes = replay.bytes().await.unwrap();
    let replay = Replay::decode(&bytes).unwrap();
    let fought = replay.play(load(&replay.text).unwrap().into(), |_| ()).unwrap();
    assert!((50..300).contains(&replay.end.inputs) && !fought.lifecycle().is_ended(), "{:?}", replay.end);
    assert_eq!(replay.cut.map(|cut| (cut.loss, cut.at)), Some((Loss::Damaged, fought.now())));

    let logs = page(&node, &service, &format!("/sessions/{}/logs?limit=100", fight.id)).await;
    let newest = &logs["logs"][0];
    assert_eq!(
        (&newest["event_type"], &newest["data"]["reason"]),
        (&json!("recording_ended"), &json!("damaged")),
        "{newest}"
    );
    assert_eq!(logs["logs"][1]["event_type"], "hit", "behind it is what was recorded");
    let since = Instant::now();
    while figure(&node, "tiltyard_replays_lost_total{reason=\"damaged\"}").await != 1 {
        assert!(since.elapsed() < PATIENCE);
    }

    let folder = TempDir::new().unwrap();
    let file = folder.path().join("head.replay");
    fs::write(&file, &bytes).unwrap();
    let said = Command::new(env!("CARGO_BIN_EXE_tiltyard")).arg("replay").arg(&file).output().unwrap();
    let text = String::from_utf8(said.stdout).unwrap();
    assert!(
        said.status.success() && text.contains("the same") && text.contains("cut       its recording ends at"),
        "{text}"
    );
}
