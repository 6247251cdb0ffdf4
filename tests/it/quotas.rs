//! What one player has too much of costs nobody else: quotas of what lives, of what is made in a day, and of the arena's seats.

use std::future::IntoFuture;

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::case::{Case, all};
use crate::contract::reply::Reply;
use crate::postgres::Postgres;

fn case() -> Case {
    Case::with(&["--rate-limits", "off"])
}

/// A fight of one player who waits for others for an hour.
fn fight_of(player: Uuid, seats: u8) -> Value {
    let settings = json!({ "seats": seats, "pad": "x".repeat(7_000), "rules": { "lobby_ms": 3_600_000 } });
    json!({ "mode": "pvp", "participants": [player], "settings": settings })
}

/// Makes fights until one is refused: how many there are, and the refusal's details.
async fn fill(case: &Case, player: Uuid, token: &str, seats: u8) -> (usize, Value) {
    let mut made = 0;
    loop {
        let reply = case.post("/combat/sessions", &fight_of(player, seats)).by(token).await;
        if reply.status != 201 {
            assert_eq!((reply.status, reply.reason()), (409, "quota_exceeded"), "{}", reply.body);
            return (made, reply.body["details"].clone());
        }
        made += 1;
        assert!(made <= 300, "nobody stops it");
    }
}

#[tokio::test]
async fn a_player_has_so_many_live_fights_and_others_are_not_concerned() {
    let mut case = case();
    let (ann, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let (anns, bobs) = (case.node.player(ann), case.node.player(bob));
    let first = case.post("/combat/sessions", &fight_of(ann, 2)).by(&anns).expect(201).await.id();
    let (made, details) = fill(&case, ann, &anns, 2).await;
    assert_eq!((made, &details["quota"]), (255, &json!("live_sessions")));
    assert_eq!((&details["limit"], &details["used"]), (&json!(256), &json!(256)));
    let generic = json!({ "type": "combat", "player_id": ann });
    case.post("/sessions", &generic).by(&anns).refused(409, "quota_exceeded").await;

    // Others may, with her in their fights too, and so may the service.
    let named = json!({ "mode": "pvp", "participants": [bob, ann] });
    case.post("/combat/sessions", &named).by(&bobs).expect(201).await;
    case.post("/combat/sessions", &named).expect(201).await;

    case.node.crash_and_restart();
    case.post("/combat/sessions", &fight_of(ann, 2)).by(&anns).refused(409, "quota_exceeded").await;
    case.ask(Method::DELETE, &format!("/sessions/{first}")).by(&anns).expect(200).await;
    case.post("/combat/sessions", &fight_of(ann, 2)).by(&anns).expect(201).await;
    case.post("/combat/sessions", &fight_of(ann, 2)).by(&anns).refused(409, "quota_exceeded").await;
    let text = case.node.metrics().await;
    assert!(text.contains(r#"tiltyard_quota_refused_total{quota="live_sessions"}"#), "{text}");
}

#[tokio::test]
async fn large_fights_weigh_more_and_being_named_by_others_costs_nothing() {
    let case = case();
    let (ann, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let (anns, bobs) = (case.node.player(ann), case.node.player(bob));
    let (made, details) = fill(&case, ann, &anns, 100).await;
    assert!(made < 50, "{made} fights of a hundred seats");
    assert_eq!(details["quota"], "session_bytes");
    for _ in 0..made {
        case.post("/combat/sessions", &json!({ "mode": "pvp", "participants": [bob, ann] }))
            .by(&bobs)
            .expect(201)
            .await;
    }
    assert_eq!(fill(&case, bob, &bobs, 2).await.0, 256 - made, "and what is one's own counts");
}

/// How many are asked for at once.
const AT_ONCE: usize = 100;

/// Makes sessions and has the service end them, until one is refused: how many there were, and the refusal.
async fn make_and_end(case: &Case, token: &str, path: &str, body: &Value) -> (usize, Reply) {
    let mut made = 0;
    loop {
        let replies = all((0..AT_ONCE).map(|_| case.post(path, body).by(token).into_future())).await;
        let (good, mut refused): (Vec<Reply>, Vec<Reply>) = replies.into_iter().partition(|reply| reply.status == 201);
        made += good.len();
        let force = json!({ "force": true });
        all(good.iter().map(|reply| case.delete(&reply.path("")).json(&force).into_future())).await;
        if let Some(refusal) = refused.pop() {
            return (made, refusal);
        }
        assert!(made <= 2_000, "nobody stops it");
    }
}

async fn a_player_makes_so_many_in_a_day_however_soon_it_ends_them(case: Case) {
    let (ann, bob) = (Uuid::new_v4(), Uuid::new_v4());
    let (anns, bobs) = (case.node.player(ann), case.node.player(bob));
    let fight = |player| json!({ "mode": "pvp", "participants": [player] });
    let of = |kind: &str, player| json!({ "type": kind, "player_id": player, "settings": { "replace": true } });
    let custom = |player| json!({ "type": "custom", "player_id": player });
    for (path, body, others, most) in [
        ("/combat/sessions", fight(ann), fight(bob), 1_000),
        ("/sessions", custom(ann), custom(bob), 500),
        ("/sessions", of("player", ann), of("player", bob), 500),
    ] {
        // What is not made, or was made before, costs nothing.
        let mut bad = body.clone();
        bad["metadata"] = json!("none");
        bad["settings"] = json!({ "max_duration": 1, "ttl_seconds": 1, "heartbeat_seconds": 1 });
        let key = format!("once-{}", body["type"]);
        let keyed = || case.post(path, &body).by(&anns).header("idempotency-key", &key);
        let first = keyed().expect(201).await;
        for _ in 0..5 {
            case.post(path, &bad).by(&anns).expect(400).await;
            assert_eq!(keyed().expect(201).await.id(), first.id());
        }
        if body["type"] == "player" {
            let without = json!({ "type": "player", "player_id": ann });
            for _ in 0..5 {
                case.post(path, &without).by(&anns).refused(409, "already_active").await;
            }
        }
        let (made, refusal) = make_and_end(&case, &anns, path, &body).await;
        // In a slow run one or two are given back meanwhile.
        assert!((most..most + 3).contains(&(made + 1)), "{made} of {body}");
        assert_eq!((refusal.status, refusal.reason()), (409, "quota_exceeded"));
        let details = &refusal.body["details"];
        assert_eq!((&details["quota"], &details["limit"]), (&json!("daily_sessions"), &json!(most)));
        assert_eq!(details["used"], most);
        let wait = details["retry_ms"].as_u64().unwrap();
        assert!((1..=86_400_000 / most as u64 + 1).contains(&wait), "{details}");
        assert_eq!(refusal.header("retry-after"), Some(wait.div_ceil(1_000).to_string()));
        assert_eq!(keyed().expect(201).await.id(), first.id(), "a repeat makes nothing");

        case.post(path, &others).by(&bobs).expect(201).await;
        case.post(path, &body).expect(201).await;
    }
    let text = case.node.metrics().await;
    assert!(text.contains(r#"tiltyard_quota_refused_total{quota="daily_sessions"}"#), "{text}");
}

#[tokio::test]
async fn a_player_makes_so_many_in_a_day_on_sqlite() {
    a_player_makes_so_many_in_a_day_however_soon_it_ends_them(case()).await;
}

#[tokio::test]
async fn a_player_makes_so_many_in_a_day_on_postgres() {
    let url = Postgres::shared().database().await;
    let case = Case::with(&["--rate-limits", "off", "--database", &url]);
    a_player_makes_so_many_in_a_day_however_soon_it_ends_them(case).await;
}
