//! What fog hides no answer tells, not by a sum, a sequence, a time or a cursor; and an answer is the same wherever the fight
//! is read from.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::case::Case;
use super::reply::Reply;
use crate::postgres::Postgres;
use crate::support::{Fight, Node, attack, plain_rules, result, soon};

/// Two on their own sides in the fog, twice as far from each other as they see.
async fn in_the_fog(case: &Case) -> Fight {
    let players = vec![Uuid::new_v4(), Uuid::new_v4()];
    let rules = json!({ "sight_cm": 300, "modifiers": 0, "speed_cm_per_s": 100_000, "health": 1000, "energy": 10_000,
        "energy_per_second": 10_000, "preparation_ms": 0, "accuracy_percent": 100 });
    let mut fight = case.node.fight_of("arena", players, json!({ "ruleset": "arena-fast", "rules": rules })).await;
    fight.begin().await;
    for (slot, x) in [(0, 2000), (1, 2600)] {
        act(case, &fight, slot, "move", at(x, 150)).await;
    }
    fight
}

fn at(x: i32, y: i32) -> Value {
    json!({ "position": { "x": x, "y": y } })
}

fn with(ability: &str, x: i32, y: i32) -> Value {
    json!({ "ability": ability, "position": { "x": x, "y": y } })
}

async fn act(case: &Case, fight: &Fight, slot: usize, kind: &str, parameters: Value) -> Reply {
    let player = fight.players[slot];
    let body = json!({ "action_type": kind, "player_id": player, "parameters": parameters });
    let path = format!("/combat/sessions/{}/actions", fight.id);
    case.post(&path, &body).by(&case.node.player(player)).expect(200).await
}

/// Every way to read a fight.
fn ways(id: Uuid) -> Vec<String> {
    let generic = format!("/sessions/{id}");
    let combat = format!("/combat/sessions/{id}");
    vec![
        format!("{generic}?include_stats=true&include_logs=true"),
        format!("{generic}/logs?limit=100"),
        format!("{generic}/logs?limit=2"),
        format!("{combat}/state"),
        "/sessions?limit=100".to_owned(),
        "/combat/sessions?limit=50".to_owned(),
        "/combat/sessions?limit=50&status=terminated".to_owned(),
        generic,
        combat,
    ]
}

/// What all ways tell whoever has `token`; what time alone changes is left out.
async fn everything(case: &Case, id: Uuid, token: &str) -> Vec<(String, Option<String>, Value)> {
    let mut told = Vec::new();
    for way in ways(id) {
        let reply = case.get(&way).by(token).expect(200).await;
        let mut body = reply.body.clone();
        leave_out_clocks(&mut body);
        told.push((way, reply.header("etag"), body));
    }
    told
}

fn leave_out_clocks(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("time_remaining");
            members.remove("duration_seconds");
            members.values_mut().for_each(leave_out_clocks);
        }
        Value::Array(items) => items.iter_mut().for_each(leave_out_clocks),
        _ => {}
    }
}

async fn nothing_a_player_reads_moves_when_the_hidden_act(case: Case) {
    let fight = in_the_fog(&case).await;
    let own = case.node.player(fight.players[0]);
    // A younger one, so that lists have an order.
    case.fight(&[fight.players[0], Uuid::new_v4()]).await;
    let before = everything(&case, fight.id, &own).await;
    let all = everything(&case, fight.id, &case.service).await;
    act(&case, &fight, 1, "defend", json!({})).await;
    act(&case, &fight, 1, "move", at(2610, 150)).await;
    let refused = json!({ "action_type": "attack", "player_id": fight.players[1], "target_id": fight.players[0] });
    let path = format!("/combat/sessions/{}/actions", fight.id);
    case.post(&path, &refused).by(&case.node.player(fight.players[1])).expect(409).await;
    assert_eq!(everything(&case, fight.id, &own).await, before);
    case.get(&format!("/combat/sessions/{}/replay", fight.id)).by(&own).refused(404, "no_replay").await;
    assert_ne!(everything(&case, fight.id, &case.service).await, all, "who sees all sees it");
    let other = case.get(&format!("/combat/sessions/{}", fight.id)).by(&case.node.player(fight.players[1])).await;
    assert_eq!(other.body["stats"]["total_actions"], 3, "and who did it knows it");
}

async fn an_action_tells_nothing_of_the_hidden_it_reached(case: Case) {
    let fight = in_the_fog(&case).await;
    let own = case.node.player(fight.players[0]);
    let stats = |reply: &Reply| reply.body["stats"]["total_damage"].clone();
    let path = format!("/combat/sessions/{}", fight.id);
    let hit = act(&case, &fight, 0, "ability", with("shockwave", 2600, 150)).await;
    assert!(stats(&case.get(&path).await).as_u64().unwrap() > 0, "the hidden one is hit");
    assert_eq!((&hit.body["damage_dealt"], &hit.body["effects"]), (&json!(0), &json!([])));
    let smoked = act(&case, &fight, 0, "ability", with("smoke", 2600, 150)).await;
    assert_eq!(smoked.body["effects"], json!([]));
    assert_eq!(stats(&case.get(&path).by(&own).await), 0);
    let names = |events: &Value| -> Vec<String> {
        events.as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    };
    for answer in [&smoked.body["new_state"], &case.get(&format!("{path}/state")).by(&own).await.body] {
        let names = names(&answer["events"]);
        assert!(!names.iter().any(|name| name == "hit" || name == "affected"), "{names:?}");
        assert_eq!(names.iter().filter(|&name| name == "used").count(), 2, "its own deeds are told: {names:?}");
        assert!(answer["participants"][1].get("hp").is_none() && answer["participants"][1].get("position").is_none());
    }
    // It meets the other: what it does to that one it is told.
    act(&case, &fight, 1, "move", at(2200, 150)).await;
    let struck = json!({ "action_type": "attack", "player_id": fight.players[0], "target_id": fight.players[1] });
    let struck = case.post(&format!("{path}/actions"), &struck).by(&own).expect(200).await;
    let damage = struck.body["damage_dealt"].as_u64().unwrap();
    assert!(damage > 0, "{}", struck.body);
    assert_eq!(stats(&case.get(&path).by(&own).await), damage);
}

/// A fight with something to tell of that has ended.
async fn ended(case: &Case) -> Fight {
    let mut fight =
        case.node.fight_of("pve", vec![Uuid::new_v4(), Uuid::new_v4()], json!({ "rules": plain_rules() })).await;
    fight.begin().await;
    let enemy = u8::try_from(fight.players.len()).unwrap();
    // Whether it is hit or not, the fight has something in it.
    let _ = attack(&mut fight.clients[0], enemy).await;
    act(case, &fight, 1, "defend", json!({})).await;
    case.delete(&format!("/sessions/{}", fight.id)).json(&json!({ "force": true })).expect(200).await;
    result(&mut fight.clients[1]).await;
    until_kept(case).await;
    fight
}

/// The store has the replays of what has ended.
async fn until_kept(case: &Case) {
    soon(async { while case.node.metric("tiltyard_replays_unsettled").await > 0.0 {} }).await;
}

async fn an_ended_fight_is_the_same_from_its_shard_and_after_a_restart(mut case: Case) {
    let fight = ended(&case).await;
    let readers = [case.service.clone(), case.node.player(fight.players[0]), case.node.player(fight.players[1])];
    let mut from_shard = Vec::new();
    for reader in &readers {
        from_shard.push(everything(&case, fight.id, reader).await);
    }
    let state = &from_shard[0][3].2;
    assert!(state["environment"]["covers"].is_array() && state["events"].as_array().unwrap().len() > 3, "{state}");
    assert!(from_shard.iter().all(|told| told[3].2 == *state), "when it is over there are no secrets");
    // Without its log the fight is nowhere but in the store.
    case.node.kill();
    fs::remove_dir_all(case.node.data.path().join("log")).unwrap();
    case.node.start_again();
    for _from_the_store_then_from_the_cache in 0..2 {
        for (reader, before) in readers.iter().zip(&from_shard) {
            assert_eq!(&everything(&case, fight.id, reader).await, before);
        }
    }
}

#[tokio::test]
async fn what_lives_at_another_node_is_read_here_and_changed_there() {
    let url = Postgres::shared().database().await;
    let of = |name: &str| Case::of(Node::start_with(&["--database", &url, "--node", name]));
    let (one, two) = (of("one"), of("two"));
    let (creator, friend) = (Uuid::new_v4(), Uuid::new_v4());
    let room = one.create("custom", creator).await;
    let presence = one.create("player", creator).await;
    let fight = in_the_fog(&one).await;
    let generic = format!("/sessions/{}", fight.id);
    for id in [room.id(), presence.id(), fight.id] {
        assert_eq!(two.get(&format!("/sessions/{id}")).expect(200).await.text("node"), "one");
    }
    let listed = two.get("/sessions?limit=100").expect(200).await;
    assert!(listed.list("sessions").iter().all(|session| session["node"] == "one"), "{}", listed.body);

    let action = json!({ "action_type": "defend", "player_id": fight.players[0] });
    let refusals = [
        two.put(&room.path(""), &json!({ "status": "paused" })),
        two.delete(&room.path("")),
        two.patch(&room, &json!({ "score": 1 })),
        two.post(&room.path("/members"), &json!({ "player_id": friend })),
        two.delete(&room.path(&format!("/members/{creator}"))),
        two.ask(Method::POST, &presence.path("/heartbeat")),
        two.put(&generic, &json!({ "status": "paused" })),
        two.delete(&generic).json(&json!({ "force": true })),
        two.post(&format!("/combat{generic}/actions"), &action),
        two.post(&format!("{generic}/tickets"), &json!({ "player_id": fight.players[0] })),
        two.post(&format!("{generic}/members"), &json!({ "player_id": friend })),
    ];
    for refusal in refusals {
        let refused = refusal.refused(421, "session_elsewhere").await;
        assert_eq!(refused.body["details"]["node"], "one", "{}", refused.body);
    }
    // Whoever may not know of it is not told where it is.
    two.post(&presence.path("/members"), &json!({})).by(&two.node.player(friend)).refused(404, "no_session").await;
    two.delete(&generic).by(&two.node.player(friend)).refused(404, "no_session").await;

    // What the row says of a live fight is not for its players.
    let own = two.node.player(fight.players[0]);
    let state = two.get(&format!("/combat{generic}/state")).by(&own).expect(200).await;
    for seat in state.list("participants") {
        assert!(seat.get("hp").is_none() && seat.get("position").is_none(), "{}", state.body);
    }
    assert_eq!(state.body["events"], json!([]));

    // It has ended: now it is nobody's, and the same from everywhere.
    one.delete(&generic).json(&json!({ "force": true })).expect(200).await;
    until_kept(&one).await;
    let there = everything(&one, fight.id, &one.node.player(fight.players[0])).await;
    for _from_the_store_then_from_the_cache in 0..2 {
        assert_eq!(everything(&two, fight.id, &own).await, there);
    }
    two.delete(&generic).expect(200).await;
    two.put(&generic, &json!({ "status": "paused" })).refused(409, "invalid_transition").await;
}

on_both_stores!(
    nothing_a_player_reads_moves_when_the_hidden_act,
    an_action_tells_nothing_of_the_hidden_it_reached,
    an_ended_fight_is_the_same_from_its_shard_and_after_a_restart,
);
