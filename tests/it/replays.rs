//! What a fight's log tells to whom; and a ruleset that changes while fights go on under it.

use std::fs;
use std::process::Command;

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tiltyard_client::Order;
use tiltyard_combat::Replay;
use tiltyard_protocol::{Encoding, Reason};

use crate::support::{Fight, Node, answer, attack, plain_rules};

/// Names of what a log tells, with whether it names who did it.
async fn told(node: &Node, fight: &Fight, token: &str) -> Vec<(String, bool)> {
    let path = format!("/sessions/{}/logs?limit=100", fight.id);
    let answer = node.rest().call(Method::GET, &path, Some(token), None).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    let named = |entry: &Value| (entry["event_type"].as_str().unwrap().to_owned(), entry["data"]["by"].is_string());
    answer.body["logs"].as_array().unwrap().iter().map(named).collect()
}

fn count(told: &[(String, bool)], name: &str) -> usize {
    told.iter().filter(|(told, _)| told == name).count()
}

#[tokio::test]
async fn what_fog_hides_is_not_in_a_players_log_before_the_end() {
    let node = Node::start();
    let mut rules = plain_rules();
    rules["sight_cm"] = json!(100);
    rules["cooldown_ms"] = json!(0);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    for client in &mut fight.clients {
        let id = client.act(Order::defend()).await.unwrap();
        answer(client, id).await.unwrap();
    }
    let (service, player) = (node.service(), node.player(fight.players[0]));
    assert_eq!(count(&told(&node, &fight, &service).await, "guard"), 2);
    let own = told(&node, &fight, &player).await;
    assert_eq!(count(&own, "guard"), 1, "its own alone: {own:?}");
    assert_eq!(count(&own, "ready"), 2, "what is no secret is told");

    let end = json!({ "force": true });
    let ended = fight.call(&node, Method::DELETE, &format!("/sessions/{}", fight.id), Some(&end)).await;
    assert_eq!(ended.status, 200, "{}", ended.body);
    assert_eq!(count(&told(&node, &fight, &player).await, "guard"), 2, "when it is over there are no secrets");
}

#[tokio::test]
async fn what_fair_play_notices_is_told_to_services_and_counted() {
    let node = Node::start();
    let mut rules = plain_rules();
    rules["actions_per_second"] = json!(1);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    let refused = attack(&mut fight.clients[0], 1).await.unwrap_err();
    assert_eq!(refused.reason, Reason::RateLimited);
    let (service, player) = (node.service(), node.player(fight.players[0]));
    assert_eq!(count(&told(&node, &fight, &service).await, "flagged"), 1);
    assert_eq!(count(&told(&node, &fight, &player).await, "flagged"), 0);
    let metrics = node.metrics().await;
    assert!(metrics.contains("tiltyard_fair_play_flags_total{flag=\"rate\"} 1"), "{metrics}");
}

const DEFAULT: &str = include_str!("../../rules/default.toml");

#[tokio::test]
async fn a_fight_stays_under_the_rules_it_was_begun_with() {
    let rules = TempDir::new().unwrap();
    let file = rules.path().join("default.toml");
    fs::write(&file, DEFAULT).unwrap();
    let folder = rules.path().to_str().unwrap().to_owned();
    let mut node = Node::start_with(&["--rules", &folder]);
    let mut plain = plain_rules();
    plain["cooldown_ms"] = json!(0);
    let mut fight = node.fight(2, plain).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();

    let changed = DEFAULT.replace("title = \"", "title = \"Changed: ");
    fs::write(&file, &changed).unwrap();
    node.crash_and_restart();
    fight.clients = vec![fight.connect(&node, 0, Encoding::Json).await];
    for _ in 0..9 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    let path = format!("{}/combat/sessions/{}", node.url, fight.id);
    let client = reqwest::Client::new();
    let get = |path: String| client.get(path).bearer_auth(node.service()).send();
    while get(path.clone()).await.unwrap().json::<Value>().await.unwrap()["status"] != "completed" {}
    let bytes = get(format!("{path}/replay")).await.unwrap().bytes().await.unwrap();
    let replay = Replay::decode(&bytes).unwrap();
    assert_eq!(replay.text, DEFAULT, "the file says under which rules it was");

    // The command line fights it again, and names what the rules say differently now.
    let file_of = |name: &str| rules.path().join(name);
    fs::write(file_of("fight.replay"), &bytes).unwrap();
    let run = |flags: &[&std::ffi::OsStr]| {
        Command::new(env!("CARGO_BIN_EXE_tiltyard")).arg("replay").args(flags).output().unwrap()
    };
    let replay = file_of("fight.replay");
    let same = run(&[replay.as_os_str(), "--events".as_ref()]);
    let text = String::from_utf8(same.stdout).unwrap();
    assert!(same.status.success() && text.contains("p0 hit p1, damage 10") && text.contains("the same"), "{text}");
    let differs = run(&[replay.as_os_str(), "--rules".as_ref(), file.as_os_str()]);
    let text = String::from_utf8(differs.stdout).unwrap();
    assert!(!differs.status.success() && text.contains("title: \"Firefight"), "{text}");
}

#[tokio::test]
async fn a_session_whose_ruleset_nobody_has_stops_the_start() {
    let rules = TempDir::new().unwrap();
    let file = rules.path().join("default.toml");
    fs::write(&file, DEFAULT.replace("title = \"", "title = \"Mine: ")).unwrap();
    let folder = rules.path().to_str().unwrap().to_owned();
    let mut node = Node::start_with(&["--rules", &folder]);
    let fight = node.fight(2, plain_rules()).await;
    node.kill();
    fs::remove_file(&file).unwrap();
    let kept = node.data.path().join("rules");
    let away = TempDir::new().unwrap();
    let mut hashes = Vec::new();
    for entry in fs::read_dir(&kept).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(away.path().join(path.file_name().unwrap()), &text).unwrap();
        if text.contains("Mine: ") {
            hashes.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
        }
        fs::remove_file(path).unwrap();
    }
    let start = || {
        Command::new(env!("CARGO_BIN_EXE_tiltyard"))
            .args(["serve", "--listen", "127.0.0.1:0", "--rules", &folder, "--data"])
            .arg(node.data.path())
            .output()
            .unwrap()
    };
    let said = start();
    let text = String::from_utf8(said.stderr).unwrap();
    assert!(!said.status.success());
    for part in [&fight.id.to_string(), &hashes[0], kept.to_str().unwrap()] {
        assert!(text.contains(part), "{part} in {text}");
    }
    // Put back where it said, the fight goes on.
    let name = format!("{}.toml", hashes[0]);
    fs::copy(away.path().join(&name), kept.join(&name)).unwrap();
    node.crash_and_restart();
    fight.connect(&node, 0, Encoding::Json).await;
}
