//! A fight that has ended is there as a file, which is the fight; and its log has everything that happened in it.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use tiltyard_combat::load::load;
use tiltyard_combat::{Event, Fight, Replay};

use super::case::Case;
use super::listing::walk;
use super::reply::Reply;
use crate::support::{self, attack, plain_rules};

/// Rules under which a fight is over at once when it is decided, with `health` for everybody.
fn short(health: u32) -> Value {
    let mut rules = plain_rules();
    rules["health"] = json!(health);
    rules["cooldown_ms"] = json!(0);
    rules
}

async fn ended(case: &Case, fight: &support::Fight) {
    let path = format!("/combat/sessions/{}", fight.id);
    while case.get(&path).expect(200).await.body["status"] != "completed" {}
}

/// Fights a replay again, and says how many hits it had.
fn fought_again(file: &[u8]) -> (Replay, Fight, usize) {
    let replay = Replay::decode(file).unwrap();
    let ruleset = Arc::new(load(&replay.text).unwrap());
    let mut hits = 0;
    let fight = replay.play(ruleset, |played| {
        hits += played.step.events().iter().filter(|event| matches!(event, Event::Hit { .. })).count();
    });
    let fight = fight.unwrap();
    (replay, fight, hits)
}

fn entries(reply: &Reply) -> Vec<Value> {
    reply.list("logs").to_vec()
}

async fn a_fight_is_there_as_a_file_once_it_has_ended(mut case: Case) {
    let mut fight = case.node.fight(2, short(3_000)).await;
    fight.begin().await;
    let path = format!("/combat/sessions/{}/replay", fight.id);
    attack(&mut fight.clients[0], 1).await.unwrap();
    case.get(&path).refused(404, "no_replay").await;
    for _ in 0..299 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    ended(&case, &fight).await;
    let first = case.get(&path).expect(200).await;
    assert_eq!(first.header("content-disposition"), Some(format!("attachment; filename=\"{}.replay\"", fight.id)));
    let (replay, over, hits) = fought_again(&first.file);
    assert_eq!((replay.session, hits), (fight.id.as_u128(), 300));
    assert_eq!(over.lifecycle().winner(), Some(0));
    let logs = walk(&case, &format!("/sessions/{}/logs?limit=100", fight.id), entries).await.concat();

    // Without its log the server knows it only from the store.
    case.node.kill();
    fs::remove_dir_all(case.node.data.path().join("log")).unwrap();
    fs::remove_dir_all(case.node.data.path().join("replays")).unwrap();
    case.node.crash_and_restart();
    assert_eq!(case.get(&path).expect(200).await.file, first.file, "byte by byte");
    let again = walk(&case, &format!("/sessions/{}/logs?limit=100", fight.id), entries).await.concat();
    assert_eq!(again, logs);
}

async fn a_fight_of_which_part_is_in_files_survives_kill_9(mut case: Case) {
    let mut fight = case.node.fight(2, short(10_000)).await;
    fight.begin().await;
    for _ in 0..3 {
        for _ in 0..220 {
            attack(&mut fight.clients[0], 1).await.unwrap();
        }
        case.node.crash_and_restart();
        fight.clients = vec![];
        for slot in 0..2 {
            let client = fight.connect(&case.node, slot, tiltyard_protocol::Encoding::Json).await;
            fight.clients.push(client);
        }
    }
    let live = walk(&case, &format!("/sessions/{}/logs?limit=100", fight.id), entries).await.concat();
    let hits = |logs: &[Value]| logs.iter().filter(|entry| entry["event_type"] == "hit").count();
    assert_eq!(hits(&live), 660, "each once, while it goes on");
    for _ in 0..340 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    ended(&case, &fight).await;
    let file = case.get(&format!("/combat/sessions/{}/replay", fight.id)).expect(200).await.file;
    assert_eq!(fought_again(&file).2, 1_000);
    let logs = walk(&case, &format!("/sessions/{}/logs?limit=100", fight.id), entries).await.concat();
    assert_eq!(hits(&logs), 1_000);
    assert!(logs.len() > live.len() && logs.ends_with(&live[live.len() - 100..]), "what was told stays as it was told");
}

async fn the_log_is_told_in_pages_newest_first(case: Case) {
    let mut fight = case.node.fight(2, short(400)).await;
    fight.begin().await;
    for _ in 0..30 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    let path = format!("/sessions/{}", fight.id);
    let all = entries(&case.get(&format!("{path}/logs?limit=100")).expect(200).await);
    assert!((35..100).contains(&all.len()), "{}", all.len());
    assert_eq!(walk(&case, &format!("{path}/logs?limit=7"), entries).await.concat(), all);
    assert_eq!(case.get(&format!("{path}?include_logs=true")).expect(200).await.list("logs"), all);
    // A page that was begun goes on where it was, whatever happens meanwhile.
    let first = case.get(&format!("{path}/logs?limit=10")).expect(200).await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    let cursor = first.body["next_cursor"].as_str().unwrap();
    let second = case.get(&format!("{path}/logs?limit=10&cursor={cursor}")).expect(200).await;
    assert_eq!([entries(&first), entries(&second)].concat(), all[..20]);
}

on_both_stores!(
    a_fight_is_there_as_a_file_once_it_has_ended,
    a_fight_of_which_part_is_in_files_survives_kill_9,
    the_log_is_told_in_pages_newest_first,
);
