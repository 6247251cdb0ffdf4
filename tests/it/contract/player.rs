//! Player sessions: one per player, kept alive by heartbeats, with a presence.

use std::future::IntoFuture;
use std::time::Duration;

use serde_json::json;
use uuid::Uuid;

use super::case::{Case, all, new};
use super::reply::Reply;
use crate::support::soon;

async fn a_player_has_one(case: Case) {
    let player = Uuid::new_v4();
    let first = case.create("player", player).await;
    let refused = case.post("/sessions", &new("player", player, json!({}))).refused(409, "already_active").await;
    assert_eq!(refused.body["details"]["session_id"], first.id().to_string());
    case.create("player", Uuid::new_v4()).await;

    let second = case.create_with("player", player, json!({ "replace": true })).await;
    assert_ne!(second.id(), first.id());
    let replaced = case.read(&first).await;
    assert_eq!((replaced.status_of_session(), replaced.text("end_reason")), ("terminated", "replaced"));
    case.delete(&second.path("")).expect(200).await;
    case.create("player", player).await;
}

async fn of_many_at_once_one_is_made(case: Case) {
    let player = Uuid::new_v4();
    let replies = all((0..16).map(|_| case.post("/sessions", &new("player", player, json!({}))).into_future())).await;
    let made: Vec<_> = replies.iter().filter(|reply| reply.status == 201).collect();
    assert_eq!(made.len(), 1);
    for reply in replies.iter().filter(|reply| reply.status != 201) {
        assert_eq!((reply.status, reply.reason()), (409, "already_active"), "{}", reply.body);
    }
    let replace = new("player", player, json!({ "replace": true }));
    let replies = all((0..16).map(|_| case.post("/sessions", &replace).into_future())).await;
    assert!(replies.iter().all(|reply| reply.status == 201), "{replies:?}");
    let live = case.get(&format!("/sessions?player_id={player}&status=active")).expect(200).await;
    assert_eq!(live.body["total_count"], 1, "however many replace it at once");
}

async fn the_one_is_remembered_through_a_crash(mut case: Case) {
    let player = Uuid::new_v4();
    let first = case.create("player", player).await;
    case.node.crash_and_restart();
    let refused = case.post("/sessions", &new("player", player, json!({}))).refused(409, "already_active").await;
    assert_eq!(refused.body["details"]["session_id"], first.id().to_string());
    case.create_with("player", player, json!({ "replace": true })).await;
    assert_eq!(case.read(&first).await.text("end_reason"), "replaced");
}

async fn heartbeats_keep_it_online(case: Case) {
    let player = Uuid::new_v4();
    let token = case.node.player(player);
    let session = case.create("player", player).await;
    let beat = case.post(&session.path("/heartbeat"), &json!({})).by(&token).expect(200).await;
    assert_eq!(beat.text("presence"), "online");
    assert!(beat.time("last_seen_at") >= session.time("created_at"));
    case.ask(reqwest::Method::POST, &session.path("/heartbeat")).by(&token).expect(200).await;
    case.delete(&session.path("")).expect(200).await;
    case.post(&session.path("/heartbeat"), &json!({})).expect(409).await;
    let custom = case.create("custom", player).await;
    case.post(&custom.path("/heartbeat"), &json!({})).expect(409).await;
    let login = case.create("auth", player).await;
    case.post(&login.path("/heartbeat"), &json!({})).expect(200).await;
}

async fn who_is_silent_is_away_and_then_gone(case: Case) {
    let settings = json!({ "heartbeat_seconds": 5, "reconnect_seconds": 5 });
    let silent = case.create_with("player", Uuid::new_v4(), settings.clone()).await;
    let back_again = case.create_with("player", Uuid::new_v4(), settings).await;
    assert_eq!(silent.text("presence"), "online");
    let away = is_not(&case, &back_again, "online").await;
    assert_eq!((away.text("presence"), away.status_of_session()), ("away", "active"), "it may come back");
    let beat = case.post(&back_again.path("/heartbeat"), &json!({})).expect(200).await;
    assert_eq!((beat.text("presence"), beat.version()), ("online", back_again.version()));
    is_not(&case, &silent, "online").await;
    let gone = is_not(&case, &silent, "away").await;
    assert_eq!((gone.text("presence"), gone.status_of_session()), ("offline", "terminated"));
    assert_eq!(gone.text("end_reason"), "expired");
    assert_eq!(case.read(&back_again).await.status_of_session(), "active");
}

/// The session as soon as its presence is another.
async fn is_not(case: &Case, session: &Reply, presence: &str) -> Reply {
    soon(async {
        loop {
            let now = case.read(session).await;
            if now.text("presence") != presence {
                return now;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    })
    .await
}

on_both_stores!(
    a_player_has_one,
    of_many_at_once_one_is_made,
    the_one_is_remembered_through_a_crash,
    heartbeats_keep_it_online,
    who_is_silent_is_away_and_then_gone,
);
