//! A fight can be played from its first seat to its end over REST alone, in every mode of every shipped ruleset.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::case::Case;

/// A fight of `players` that begins only when all are ready, and ends soon.
async fn fight(case: &Case, ruleset: &str, mode: &str, players: &[Uuid]) -> Uuid {
    let rules = json!({
        "preparation_ms": 600_000, "lobby_ms": 3_600_000, "intermission_ms": 0, "cooldown_ms": 0, "rounds": 1,
        "max_duration_ms": 3_000, "score_limit": 0, "actions_per_second": 0,
    });
    let body = json!({ "mode": mode, "participants": players, "settings": { "ruleset": ruleset, "rules": rules } });
    case.post("/combat/sessions", &body).expect(201).await.id()
}

/// Everybody acts until the fight is over; how many actions were applied, and the state at the end.
async fn play(case: &Case, id: Uuid, tokens: &[(Uuid, String)]) -> (usize, Value) {
    let path = format!("/combat/sessions/{id}");
    let mut applied = 0;
    loop {
        for (player, token) in tokens {
            let action = json!({ "action_type": "defend", "player_id": player });
            let reply = case.post(&format!("{path}/actions"), &action).by(token).await;
            assert!(matches!(reply.status, 200 | 409), "{}", reply.body);
            applied += usize::from(reply.status == 200);
        }
        let state = case.get(&format!("{path}/state")).by(&tokens[0].1).expect(200).await.body;
        if state["phase"] != "active" {
            return (applied, state);
        }
    }
}

#[tokio::test]
async fn every_mode_of_every_shipped_ruleset() {
    let case = Case::with(&["--rate-limits", "off"]);
    let rulesets = case.get("/rulesets").expect(200).await.body["rulesets"].clone();
    let mut played = 0;
    for ruleset in rulesets.as_array().unwrap() {
        let name = ruleset["name"].as_str().unwrap();
        for mode in ruleset["modes"].as_array().unwrap().iter().filter_map(Value::as_str) {
            let players = [Uuid::new_v4(), Uuid::new_v4()];
            let tokens = players.map(|player| (player, case.node.player(player)));
            let id = fight(&case, name, mode, &players).await;
            let ready = format!("/combat/sessions/{id}/ready");
            let first = case.post(&ready, &json!({})).by(&tokens[0].1).expect(200).await;
            assert_eq!(first.body["phase"], "preparation", "{name} {mode}: one is not ready yet");
            case.post(&ready, &json!({})).by(&tokens[0].1).expect(200).await;
            let begun = case.post(&ready, &json!({ "player_id": players[1] })).by(&tokens[1].1).expect(200).await;
            assert_eq!(begun.body["phase"], "active", "{name} {mode}");
            let again = case.post(&ready, &json!({})).by(&tokens[1].1).expect(200).await;
            assert_eq!(again.body["session_id"], id.to_string(), "{name} {mode}: the answer may have been lost");
            let (applied, state) = play(&case, id, &tokens).await;
            assert!(applied > 0, "{name} {mode}");
            assert_eq!(state["status"], "completed", "{name} {mode}: {state}");
            case.post(&ready, &json!({})).by(&tokens[0].1).refused(409, "session_ended").await;
            played += 1;
        }
    }
    assert!(played >= 9, "{played} modes");
}

#[tokio::test]
async fn who_is_ready_has_a_seat() {
    let case = Case::sqlite();
    let players = [Uuid::new_v4(), Uuid::new_v4()];
    let id = fight(&case, "default", "pvp", &players).await;
    let ready = format!("/combat/sessions/{id}/ready");
    let (ann, stranger) = (case.node.player(players[0]), case.node.player(Uuid::new_v4()));
    case.post(&ready, &json!({})).by(&stranger).refused(404, "no_session").await;
    case.post(&ready, &json!({ "player_id": players[1] })).by(&ann).refused(403, "forbidden").await;
    case.post(&ready, &json!({})).refused(400, "validation_failed").await;
    case.post(&ready, &json!({ "player_id": Uuid::new_v4() })).refused(409, "not_a_participant").await;
    case.post(&ready, &json!({ "player_id": "bob" })).refused(400, "validation_failed").await;
    for player in players {
        case.post(&ready, &json!({ "player_id": player })).expect(200).await;
    }
    let state = case.get(&format!("/combat/sessions/{id}/state")).expect(200).await;
    assert_eq!(state.body["phase"], "active");
}

#[tokio::test]
async fn flags_of_a_request_may_be_true_and_false() {
    let case = Case::sqlite();
    let ask = |rules: Value| json!({ "mode": "tournament", "participants": [Uuid::new_v4()], "settings": { "seats": 2, "rules": rules } });
    let made =
        case.post("/combat/sessions", &ask(json!({ "ready_check": false, "late_join": true }))).expect(201).await;
    assert_eq!(made.body["settings"]["rules"], json!({ "ready_check": false, "late_join": true }));
    for (rules, field) in [
        (json!({ "health": true }), "settings.rules.health"),
        (json!({ "late_join": "true" }), "settings.rules.late_join"),
        (json!({ "late_join": 2 }), "settings.rules.late_join"),
    ] {
        let refused = case.post("/combat/sessions", &ask(rules)).refused(400, "validation_failed").await;
        assert_eq!(refused.body["details"]["validation_errors"][0]["field"], field);
    }
}
