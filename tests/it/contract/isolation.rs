//! To a player, a session it has no part in does not exist: not in answers, not in lists, not in anything it is sent.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Case, TYPES};
use super::reply::Reply;

/// What only the owner's answers may hold.
const CANARY: &str = "canary-5d1f";

async fn a_foreign_session_is_as_one_that_never_was(case: Case) {
    let stranger = case.node.player(Uuid::new_v4());
    for kind in TYPES {
        let session = case.create_with(kind, Uuid::new_v4(), json!({ "note": CANARY })).await;
        // Whoever knows the id of a custom session may join it: that one route is not here.
        let paths = [
            (Method::GET, ""),
            (Method::GET, "?include_logs=true&include_stats=true"),
            (Method::GET, "/logs"),
            (Method::PUT, ""),
            (Method::DELETE, ""),
            (Method::POST, "/tickets"),
            (Method::GET, "/state"),
            (Method::PATCH, "/state"),
            (Method::POST, "/heartbeat"),
        ];
        for (method, path) in paths {
            let foreign = ask(&case, &method, session.id(), path, &stranger).await;
            let absent = ask(&case, &method, Uuid::now_v7(), path, &stranger).await;
            assert_eq!(foreign.status, 404, "{kind} {}: {}", foreign.line, foreign.body);
            assert_eq!(foreign.body, absent.body, "{kind} {}", foreign.line);
        }
        assert_eq!(case.read(&session).await.version(), session.version(), "{kind}: nothing was changed");
    }
}

async fn ask(case: &Case, method: &Method, session: Uuid, path: &str, token: &str) -> Reply {
    let ask = case.ask(method.clone(), &format!("/sessions/{session}{path}")).by(token);
    if *method == Method::PATCH {
        return ask.header("content-type", "application/merge-patch+json").json(&json!({ "n": 1 })).await;
    }
    if *method == Method::PUT { ask.json(&json!({ "metadata": {} })).await } else { ask.await }
}

async fn a_foreign_fight_is_as_one_that_never_was(case: Case) {
    let player = Uuid::new_v4();
    let stranger = case.node.player(player);
    let fight = case.fight(&[Uuid::new_v4(), Uuid::new_v4()]).await;
    let action = json!({ "action_type": "attack", "player_id": player });
    for id in [fight.id(), Uuid::now_v7()] {
        for path in ["", "/state"] {
            case.get(&format!("/combat/sessions/{id}{path}")).by(&stranger).refused(404, "no_session").await;
        }
        case.post(&format!("/combat/sessions/{id}/actions"), &action).by(&stranger).refused(404, "no_session").await;
    }
}

async fn lists_hold_what_the_caller_takes_part_in(case: Case) {
    let [ann, bob] = [Uuid::new_v4(), Uuid::new_v4()];
    let (of_ann, of_bob) = (case.node.player(ann), case.node.player(bob));
    for kind in TYPES {
        case.create_with(kind, ann, json!({ "note": CANARY })).await;
    }
    let body = json!({ "mode": "pvp", "participants": [ann], "settings": { "note": CANARY } });
    case.post("/combat/sessions", &body).expect(201).await;
    let own = case.create("custom", bob).await;
    let shared = case.fight(&[ann, bob]).await;
    let everything = [
        "/sessions".to_owned(),
        "/sessions?limit=100&status=active".to_owned(),
        format!("/sessions?player_id={ann}"),
        "/sessions?type=combat".to_owned(),
        "/combat/sessions?status=initializing".to_owned(),
        "/combat/sessions".to_owned(),
    ];
    for path in &everything {
        let reply = case.get(path).by(&of_bob).await;
        assert!(reply.status == 200 || reply.status == 403, "{path}: {}", reply.body);
        assert!(!reply.body.to_string().contains(CANARY), "{path}: {}", reply.body);
        if reply.status == 200 {
            let known = [own.id(), shared.id()];
            assert!(reply.ids().iter().all(|id| known.contains(id)), "{path}: {}", reply.body);
            assert_eq!(reply.body["total_count"], reply.ids().len(), "{path}: and does not count the others'");
        }
    }
    let mut all = case.get("/sessions").by(&of_bob).expect(200).await.ids();
    all.sort();
    let mut expected = [own.id(), shared.id()];
    expected.sort();
    assert_eq!(all, expected);
    assert_eq!(case.get("/sessions").by(&of_ann).expect(200).await.body["total_count"], 6);
    assert!(case.get("/sessions").by(&of_ann).expect(200).await.body.to_string().contains(CANARY));
}

async fn what_a_body_claims_does_not_make_it_so(case: Case) {
    let [player, other] = [Uuid::new_v4(), Uuid::new_v4()];
    let token = case.node.player(player);
    for name in ["session_id", "id", "owner", "epoch", "node", "creator", "created_at"] {
        let mut body = json!({ "type": "custom", "player_id": player });
        body[name] = Value::from("mine");
        let refused = case.post("/sessions", &body).by(&token).expect(400).await;
        assert_eq!(refused.fields(), [name]);
    }
    let body = json!({ "type": "custom", "player_id": other });
    let refused = case.post("/sessions", &body).by(&token).await;
    assert!(matches!(refused.status, 400 | 403), "{}", refused.body);
    let fight = case.fight(&[player, other]).await;
    let action = json!({ "action_type": "attack", "player_id": other, "target_id": player });
    case.post(&format!("/combat/sessions/{}/actions", fight.id()), &action).by(&token).refused(403, "forbidden").await;
    let ticket = json!({ "player_id": other });
    case.post(&fight.path("/tickets"), &ticket).by(&token).refused(403, "forbidden").await;
}

on_both_stores!(
    a_foreign_session_is_as_one_that_never_was,
    a_foreign_fight_is_as_one_that_never_was,
    lists_hold_what_the_caller_takes_part_in,
    what_a_body_claims_does_not_make_it_so,
);
