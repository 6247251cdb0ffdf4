//! Sessions of every type are created, read, changed and ended.

use serde_json::json;
use uuid::Uuid;

use super::case::{Case, TYPES, new};
use super::reply::Reply;

async fn every_type_lives_from_create_to_delete(case: Case) {
    for kind in TYPES {
        let player = Uuid::new_v4();
        let made = case.create(kind, player).await;
        assert_eq!(made.text("type"), kind);
        assert_eq!(made.text("player_id"), player.to_string());
        assert_eq!(made.status_of_session(), "active");
        assert_eq!(made.body["metadata"], json!({ "made": "by a test" }));
        assert!(made.header("location").unwrap().ends_with(&made.path("")), "{kind}");
        assert!(made.body["created_at"].is_string() && made.body["updated_at"].is_string(), "{kind}");
        assert!(made.body["node"].is_string(), "{kind}");

        let read = case.read(&made).await;
        assert_eq!(read.etag(), made.etag(), "{kind}");
        for name in ["session_id", "type", "player_id", "status", "created_at", "metadata", "settings"] {
            assert_eq!(read.body[name], made.body[name], "{kind}: {name}");
        }

        let body = json!({ "metadata": { "level": 7, "tags": ["a", "b"] } });
        let changed = case.put(&made.path(""), &body).expect(200).await;
        assert_eq!(changed.body["metadata"], body["metadata"], "{kind}");
        assert!(changed.version() > made.version(), "{kind}");
        assert_eq!(case.read(&made).await.body["metadata"], body["metadata"], "{kind}");

        let ended = case.delete(&made.path("")).json(&json!({ "reason": "enough", "force": true })).expect(200).await;
        assert_eq!(ended.status_of_session(), "terminated", "{kind}");
        assert!(ended.body["ended_at"].is_string() && ended.body["end_reason"].is_string(), "{kind}: {}", ended.body);
        let gone = case.read(&made).await;
        assert_eq!((gone.status_of_session(), gone.version()), ("terminated", ended.version()), "{kind}");
    }
}

async fn every_base_path_is_the_same_service(case: Case) {
    let player = Uuid::new_v4();
    for base in ["", "/v1/session", "/api/v1/session"] {
        let made = case.post(&format!("{base}/sessions"), &new("custom", player, json!({}))).expect(201).await;
        assert_eq!(made.header("location").unwrap(), format!("{base}{}", made.path("")));
        for base in ["", "/v1/session", "/api/v1/session"] {
            let read = case.get(&format!("{base}{}", made.path(""))).expect(200).await;
            assert_eq!(read.id(), made.id());
        }
    }
    assert_eq!(case.get(&format!("/v1/session/sessions?player_id={player}")).expect(200).await.body["total_count"], 3);
}

async fn where_it_is_said_to_be_is_what_was_answered(case: Case) {
    let player = Uuid::new_v4();
    for base in ["", "/v1/session"] {
        for (path, body) in [
            ("/combat/sessions", json!({ "mode": "pvp", "participants": [player] })),
            ("/sessions", json!({ "type": "combat", "player_id": player })),
            ("/sessions", json!({ "type": "custom", "player_id": player })),
        ] {
            let ask = || case.post(&format!("{base}{path}"), &body).header("idempotency-key", &format!("{base}{body}"));
            let (made, again) = (ask().expect(201).await, ask().expect(201).await);
            let location = made.header("location").unwrap();
            assert_eq!(location, format!("{base}{path}/{}", made.id()));
            assert_eq!(again.header("location").as_ref(), Some(&location));
            let read = case.get(&location).expect(200).await;
            let names = |reply: &Reply| reply.body.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&read), names(&made), "{location}");
        }
    }
}

async fn what_is_not_there_is_not_found(case: Case) {
    let id = Uuid::now_v7();
    for path in ["", "/logs", "/state"] {
        case.get(&format!("/sessions/{id}{path}")).refused(404, "no_session").await;
    }
    case.put(&format!("/sessions/{id}"), &json!({})).refused(404, "no_session").await;
    case.delete(&format!("/sessions/{id}")).refused(404, "no_session").await;
    case.get(&format!("/combat/sessions/{id}")).refused(404, "no_session").await;
    case.get(&format!("/combat/sessions/{id}/state")).refused(404, "no_session").await;
    // A session of another type is no fight.
    let custom = case.create("custom", Uuid::new_v4()).await;
    case.get(&format!("/combat/sessions/{}", custom.id())).expect(404).await;
}

async fn settings_have_their_defaults_and_keep_names_of_the_callers_own(case: Case) {
    let made = case.create_with("custom", Uuid::new_v4(), json!({ "map": "dock", "max_members": 3 })).await;
    assert_eq!(case.read(&made).await.body["settings"]["map"], "dock");
    assert_eq!(case.read(&made).await.body["settings"]["max_members"], 3);
    let expiring = case.create_with("custom", Uuid::new_v4(), json!({ "ttl_seconds": 60 })).await;
    assert!(expiring.time("expires_at") > expiring.time("created_at"));
    let fight = case.fight(&[Uuid::new_v4(), Uuid::new_v4()]).await;
    let view = case.get(&format!("/combat/sessions/{}", fight.id())).expect(200).await;
    assert_eq!(view.list("participants").len(), 2);
    assert_eq!(view.etag(), case.read(&fight).await.etag(), "one session, one version");
    assert_eq!(case.read(&fight).await.text("type"), "combat");
}

on_both_stores!(
    every_type_lives_from_create_to_delete,
    every_base_path_is_the_same_service,
    where_it_is_said_to_be_is_what_was_answered,
    what_is_not_there_is_not_found,
    settings_have_their_defaults_and_keep_names_of_the_callers_own,
);
