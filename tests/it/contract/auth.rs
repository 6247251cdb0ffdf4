//! Auth sessions: their tokens work while they live and not a moment longer.

use serde_json::json;
use tiltyard_client::Client;
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use super::case::Case;
use super::reply::Reply;
use crate::support::close_code;

struct Tokens {
    access: String,
    refresh: String,
}

fn tokens(reply: &Reply) -> Tokens {
    let tokens = &reply.body["tokens"];
    assert_eq!(tokens["token_type"], "Bearer", "{}", reply.body);
    assert!(tokens["expires_in"].as_u64().unwrap() > 0);
    let text = |name: &str| tokens[name].as_str().unwrap().to_owned();
    Tokens { access: text("access_token"), refresh: text("refresh_token") }
}

/// Asks for new tokens, as nobody in particular: the refresh token says who it is.
async fn refresh(case: &Case, session: &Reply, token: &str) -> Reply {
    case.post(&session.path("/refresh"), &json!({ "refresh_token": token })).anonymous().await
}

/// Whether `token` is good at all.
async fn is_good(case: &Case, token: &str) -> bool {
    match case.get("/sessions").by(token).await.status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

async fn tokens_are_told_once_and_work(case: Case) {
    let player = Uuid::new_v4();
    let session = case.create("auth", player).await;
    let own = tokens(&session);
    assert!(session.body["absolute_expires_at"].is_string() && session.body["expires_at"].is_string());
    let made = case.create("custom", player).await;
    case.get(&made.path("")).by(&own.access).expect(200).await;
    let read = case.read(&session).await;
    assert!(read.body.get("tokens").is_none(), "{}", read.body);
    let listed = case.get(&format!("/sessions?player_id={player}")).expect(200).await;
    for (secret, whole) in [(&own.access, &read), (&own.refresh, &listed)] {
        assert!(!whole.body.to_string().contains(secret.as_str()));
    }
    let foreign = case.create("custom", Uuid::new_v4()).await;
    case.get(&foreign.path("")).by(&own.access).expect(404).await;
    assert!(!is_good(&case, &own.refresh).await, "a refresh token is no access token");
}

async fn refreshing_rotates_and_reuse_ends_the_session(case: Case) {
    let session = case.create("auth", Uuid::new_v4()).await;
    let first = tokens(&session);
    let refreshed = refresh(&case, &session, &first.refresh).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    let second = tokens(&refreshed);
    assert_ne!(second.refresh, first.refresh);
    assert!(is_good(&case, &second.access).await);

    let other = case.create("auth", Uuid::new_v4()).await;
    for wrong in ["", "nonsense", &tokens(&other).refresh, &second.access] {
        assert_eq!(refresh(&case, &session, wrong).await.status, 401, "{wrong}");
    }
    let third = tokens(&refresh(&case, &session, &second.refresh).await);
    assert!(is_good(&case, &third.access).await, "guesses end nothing");

    assert_eq!(refresh(&case, &session, &second.refresh).await.status, 401);
    assert_eq!(case.read(&session).await.status_of_session(), "terminated", "one of the two who have it stole it");
    for token in [&first.access, &second.access, &third.access] {
        assert!(!is_good(&case, token).await);
    }
    assert_eq!(refresh(&case, &session, &third.refresh).await.status, 401);
    assert!(is_good(&case, &tokens(&other).access).await, "nobody else's is touched");
}

async fn rotation_is_remembered_through_a_crash(mut case: Case) {
    let session = case.create("auth", Uuid::new_v4()).await;
    let first = tokens(&session);
    let second = tokens(&refresh(&case, &session, &first.refresh).await);
    let ended = case.create("auth", Uuid::new_v4()).await;
    case.delete(&ended.path("")).expect(200).await;
    case.node.crash_and_restart();
    assert!(is_good(&case, &second.access).await);
    assert!(!is_good(&case, &tokens(&ended).access).await);
    let third = refresh(&case, &session, &second.refresh).await;
    assert_eq!(third.status, 200, "{}", third.body);
    assert_eq!(refresh(&case, &session, &first.refresh).await.status, 401);
    assert!(!is_good(&case, &tokens(&third).access).await);
}

async fn its_end_is_the_end_of_its_tokens_and_sockets(case: Case) {
    let fight = case.node.fight(2, crate::support::plain_rules()).await;
    let session = case.create("auth", fight.players[0]).await;
    let own = tokens(&session);
    let url = format!("{}/ws?session={}", case.node.url.replacen("http", "ws", 1), fight.id);
    let mut socket = Client::connect_with_token(&url, Encoding::Json, &own.access).await.unwrap();
    socket.join(fight.id).await.unwrap();
    assert!(is_good(&case, &own.access).await);
    case.delete(&session.path("")).expect(200).await;
    for path in ["/sessions", &session.path(""), &format!("/sessions/{}", fight.id)] {
        case.get(path).by(&own.access).expect(401).await;
    }
    assert_eq!(close_code(&mut socket).await, 4401);
    assert!(Client::connect_with_token(&url, Encoding::Json, &own.access).await.is_err());
    assert_eq!(refresh(&case, &session, &own.refresh).await.status, 401);
}

async fn a_player_logs_itself_out(case: Case) {
    let session = case.create("auth", Uuid::new_v4()).await;
    let own = tokens(&session);
    case.delete(&session.path("")).by(&own.access).expect(200).await;
    case.delete(&session.path("")).by(&own.access).expect(401).await;
}

async fn all_of_a_players_are_revoked_at_once(case: Case) {
    let player = Uuid::new_v4();
    let sessions = [case.create("auth", player).await, case.create("auth", player).await];
    let other = case.create("auth", Uuid::new_v4()).await;
    let body = json!({ "player_id": player });
    case.post("/tokens/revocations", &body).by(&tokens(&sessions[0]).access).refused(403, "forbidden").await;
    let revoked = case.post("/tokens/revocations", &body).expect(200).await;
    assert_eq!(revoked.body["revoked"], 2);
    for session in &sessions {
        assert!(!is_good(&case, &tokens(session).access).await);
        assert_eq!(case.read(session).await.status_of_session(), "terminated");
    }
    assert!(is_good(&case, &tokens(&other).access).await);
    assert_eq!(case.post("/tokens/revocations", &body).expect(200).await.body["revoked"], 0);
}

on_both_stores!(
    tokens_are_told_once_and_work,
    refreshing_rotates_and_reuse_ends_the_session,
    rotation_is_remembered_through_a_crash,
    its_end_is_the_end_of_its_tokens_and_sockets,
    a_player_logs_itself_out,
    all_of_a_players_are_revoked_at_once,
);
