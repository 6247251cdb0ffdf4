//! What one player has too much of costs nobody else: quotas of what lives, of what is made in a day, and of the arena's seats.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::contract::case::Case;

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
