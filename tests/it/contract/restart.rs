//! kill -9 at any moment: whatever was answered is there afterwards, at its version.

use std::collections::HashMap;

use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Case, TYPES};
use super::reply::Reply;
use crate::support::soon;

/// What of a session time alone does not change.
fn lasting(reply: &Reply) -> HashMap<String, Value> {
    let volatile = ["presence", "last_seen_at", "expires_at", "node"];
    let members = reply.body.as_object().unwrap().iter();
    members.filter(|(name, _)| !volatile.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())).collect()
}

async fn everything_answered_is_there(mut case: Case) {
    let mut sessions = Vec::new();
    for round in 0..3 {
        for kind in TYPES {
            let session = case.create(kind, Uuid::new_v4()).await;
            let path = session.path("");
            for level in 0..=round {
                case.put(&path, &json!({ "metadata": { "level": level } })).expect(200).await;
            }
            match (round, kind) {
                (1, _) => drop(case.put(&path, &json!({ "status": "paused" })).expect(200).await),
                (2, "custom") => drop(case.put(&path, &json!({ "status": "completed" })).expect(200).await),
                (2, _) => drop(case.delete(&path).json(&json!({ "force": true })).expect(200).await),
                _ => {}
            }
            sessions.push(session);
        }
    }
    let custom = case.create("custom", Uuid::new_v4()).await;
    case.patch(&custom, &json!({ "score": { "red": 3 } })).expect(200).await;
    let member = json!({ "player_id": Uuid::new_v4() });
    case.post(&custom.path("/members"), &member).expect(200).await;
    sessions.push(custom);

    let mut before = Vec::new();
    for session in &sessions {
        before.push(case.read(session).await);
    }
    let state = case.get(&sessions[12].path("/state")).expect(200).await;
    for _ in 0..2 {
        case.node.crash_and_restart();
        for (session, before) in sessions.iter().zip(&before) {
            let after = case.read(session).await;
            assert_eq!(lasting(&after), lasting(before));
        }
    }
    let after = case.get(&sessions[12].path("/state")).expect(200).await;
    assert_eq!((&after.body, after.etag()), (&state.body, state.etag()));
    let all = case.get("/sessions?limit=100").expect(200).await;
    assert_eq!(all.body["total_count"], sessions.len());
    // And they go on from there.
    for session in sessions.iter().take(8) {
        let changed = case.put(&session.path(""), &json!({ "metadata": { "after": true } })).expect(200).await;
        assert!(changed.version() > session.version());
    }
}

async fn a_fight_that_has_ended_is_remembered(mut case: Case) {
    let mut fight = case.node.fight(2, crate::support::plain_rules()).await;
    fight.begin().await;
    for _ in 0..10 {
        crate::support::attack(&mut fight.clients[0], 1).await.unwrap();
    }
    crate::support::result(&mut fight.clients[1]).await;
    let path = format!("/combat/sessions/{}", fight.id);
    case.delete(&format!("/sessions/{}", fight.id)).json(&json!({ "force": true })).await;
    let before = case.get(&path).expect(200).await;
    case.node.crash_and_restart();
    let after = case.get(&path).expect(200).await;
    assert_eq!(after.body["stats"]["winner"], fight.players[0].to_string(), "{}", after.body);
    assert_eq!(after.body["stats"]["total_damage"], 100);
    assert_eq!((after.version(), after.status_of_session()), (before.version(), before.status_of_session()));
    let listed = case.get(&format!("/sessions?player_id={}", fight.players[1])).expect(200).await;
    assert_eq!(listed.ids(), [fight.id]);
}

async fn a_fight_whose_log_is_gone_says_so_in_every_view(mut case: Case) {
    let fight = case.fight(&[Uuid::new_v4(), Uuid::new_v4()]).await;
    let before = case.read(&fight).await;
    case.node.kill();
    std::fs::remove_dir_all(case.node.data.path().join("log")).unwrap();
    case.node.flag_of_restart("--accept-loss");
    case.node.start_again();
    let ended = soon(async {
        loop {
            let read = case.read(&fight).await;
            if read.status_of_session() != "active" {
                return read;
            }
        }
    })
    .await;
    let own = case.get(&format!("/combat{}", fight.path(""))).expect(200).await;
    for view in [&ended, &own] {
        assert_eq!((view.status_of_session(), view.text("end_reason")), ("terminated", "failed"), "{}", view.line);
        assert!(view.version() > before.version() && view.version() == own.version(), "{}", view.line);
    }
}

on_both_stores!(
    everything_answered_is_there,
    a_fight_that_has_ended_is_remembered,
    a_fight_whose_log_is_gone_says_so_in_every_view,
);
