//! A value outside its enum or range is a 400 that names the field, and changes nothing.

use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Case, new};
use super::reply::Reply;

async fn bodies_of_create(case: Case) {
    let player = Uuid::new_v4();
    let with = |kind: &str, settings: Value| new(kind, player, settings);
    let table = [
        (json!({ "player_id": player }), "type"),
        (json!({ "type": "raid", "player_id": player }), "type"),
        (json!({ "type": 4, "player_id": player }), "type"),
        (json!({ "type": null, "player_id": player }), "type"),
        (json!({ "type": "custom" }), "player_id"),
        (json!({ "type": "custom", "player_id": "bob" }), "player_id"),
        (json!({ "type": "custom", "player_id": player, "metadata": [] }), "metadata"),
        (json!({ "type": "custom", "player_id": player, "metadata": "x" }), "metadata"),
        (json!({ "type": "custom", "player_id": player, "metadata": { "x": "y".repeat(9000) } }), "metadata"),
        (with("custom", json!({ "x": "y".repeat(9000) })), "settings"),
        (json!({ "type": "custom", "player_id": player, "settings": 7 }), "settings"),
        (json!({ "type": "custom", "player_id": player, "session_id": player }), "session_id"),
        (json!({ "type": "custom", "player_id": player, "version": 1 }), "version"),
        (with("player", json!({ "replace": "yes" })), "settings.replace"),
        (with("player", json!({ "heartbeat_seconds": 4 })), "settings.heartbeat_seconds"),
        (with("player", json!({ "heartbeat_seconds": 301 })), "settings.heartbeat_seconds"),
        (with("player", json!({ "reconnect_seconds": 4 })), "settings.reconnect_seconds"),
        (with("player", json!({ "reconnect_seconds": 3601 })), "settings.reconnect_seconds"),
        (with("player", json!({ "reconnect_seconds": 5.5 })), "settings.reconnect_seconds"),
        (with("auth", json!({ "idle_seconds": 59 })), "settings.idle_seconds"),
        (with("auth", json!({ "idle_seconds": 2_592_001 })), "settings.idle_seconds"),
        (with("auth", json!({ "absolute_seconds": 59 })), "settings.absolute_seconds"),
        (with("auth", json!({ "absolute_seconds": 31_536_001 })), "settings.absolute_seconds"),
        (with("auth", json!({ "scope": 7 })), "settings.scope"),
        (with("custom", json!({ "ttl_seconds": 59 })), "settings.ttl_seconds"),
        (with("custom", json!({ "ttl_seconds": 2_592_001 })), "settings.ttl_seconds"),
        (with("custom", json!({ "max_members": 0 })), "settings.max_members"),
        (with("custom", json!({ "max_members": 1001 })), "settings.max_members"),
        (with("custom", json!({ "members": "all" })), "settings.members"),
        (with("custom", json!({ "members": ["bob"] })), "settings.members[0]"),
        (with("custom", json!({ "members": [player, player] })), "settings.members[1]"),
        (with("combat", json!({ "mode": "custom" })), "settings.mode"),
        (with("combat", json!({ "participants": [] })), "settings.participants"),
        (with("combat", json!({ "max_duration": 59 })), "settings.max_duration"),
        (with("combat", json!({ "max_duration": 3601 })), "settings.max_duration"),
        (with("combat", json!({ "difficulty": "insane" })), "settings.difficulty"),
        (with("combat", json!({ "rules": { "helth": 1 } })), "settings.rules.helth"),
    ];
    for (body, field) in table {
        named(&case, Method::POST, "/sessions", Some(&body), field).await;
    }
    let table = [
        (json!({ "participants": [player] }), "mode"),
        (json!({ "mode": "custom", "participants": [player] }), "mode"),
        (json!({ "mode": "pvp" }), "participants"),
        (json!({ "mode": "pvp", "participants": [] }), "participants"),
        (json!({ "mode": "pvp", "participants": [player, player] }), "participants[1]"),
        (
            json!({ "mode": "pvp", "participants": [player], "settings": { "max_duration": 1 } }),
            "settings.max_duration",
        ),
    ];
    for (body, field) in table {
        named(&case, Method::POST, "/combat/sessions", Some(&body), field).await;
    }
    let kept = case.get(&format!("/sessions?player_id={player}")).expect(200).await;
    assert_eq!(kept.body["total_count"], 0, "nothing was made");
}

async fn parameters(case: Case) {
    let session = case.create("custom", Uuid::new_v4()).await;
    let admin = case.node.token(&["--admin"]);
    let logs = |query: &str| session.path(&format!("/logs?{query}"));
    let details = |query: &str| session.path(&format!("?{query}"));
    let table = [
        ("/sessions?type=raid".to_owned(), "type"),
        ("/sessions?type=".to_owned(), "type"),
        ("/sessions?status=initializing".to_owned(), "status"),
        ("/sessions?player_id=bob".to_owned(), "player_id"),
        ("/sessions?limit=0".to_owned(), "limit"),
        ("/sessions?limit=101".to_owned(), "limit"),
        ("/sessions?limit=ten".to_owned(), "limit"),
        ("/sessions?cursor=nonsense".to_owned(), "cursor"),
        ("/combat/sessions?status=asleep".to_owned(), "status"),
        ("/combat/sessions?mode=raid".to_owned(), "mode"),
        ("/combat/sessions?limit=0".to_owned(), "limit"),
        ("/combat/sessions?limit=51".to_owned(), "limit"),
        ("/combat/sessions?cursor=%00".to_owned(), "cursor"),
        (logs("limit=0"), "limit"),
        (logs("limit=101"), "limit"),
        (logs("cursor=nonsense"), "cursor"),
        (details("include_logs=maybe"), "include_logs"),
        (details("include_stats=1"), "include_stats"),
    ];
    for (path, field) in table {
        named(&case, Method::GET, &path, None, field).await;
    }
    let fight = format!("/combat/sessions/{}", case.fight(&[Uuid::new_v4()]).await.id());
    for (path, parameters) in [
        ("/sessions".to_owned(), &["type=custom", "status=active", "player_id=bob", "limit=3", "cursor=x"][..]),
        ("/combat/sessions".to_owned(), &["status=active", "mode=pvp", "limit=3", "cursor=x"]),
        ("/analytics/sessions".to_owned(), &["timeframe=1h", "session_type=all", "metric=all"]),
        (session.path(""), &["include_logs=true", "include_stats=false"]),
        (session.path("/logs"), &["limit=3", "cursor=x"]),
        (session.path("/state"), &[]),
        (fight.clone(), &[]),
        (format!("{fight}/state"), &[]),
        (format!("{fight}/replay"), &[]),
    ] {
        let ask = |query: &str| case.get(&format!("{path}?{query}")).by(&admin).expect(400);
        for parameter in parameters {
            let name = parameter.split('=').next().unwrap();
            assert_eq!(ask(&format!("{parameter}&{parameter}")).await.fields(), [name], "{path}: given twice");
        }
        for (query, name) in
            [("limt=3", "limt"), ("Limit=3", "Limit"), ("ticket", "ticket"), ("x=1&x=2", "x"), ("=", "")]
        {
            assert_eq!(ask(query).await.fields(), [name], "{path}: {query}");
        }
    }
    for (query, field) in
        [("timeframe=2h", "timeframe"), ("session_type=raid", "session_type"), ("metric=mood", "metric")]
    {
        let ask = case.get(&format!("/analytics/sessions?{query}")).by(&case.statistics);
        assert_eq!(ask.expect(400).await.fields(), [field]);
    }
}

async fn ids_and_bodies_of_the_rest(case: Case) {
    let player = Uuid::new_v4();
    let session = case.create("custom", player).await;
    let login = case.create("auth", player).await;
    let fight = case.fight(&[player, Uuid::new_v4()]).await;
    let actions = format!("/combat/sessions/{}/actions", fight.id());
    let action = |name: &str, value: Value| {
        let mut body = json!({ "action_type": "attack", "player_id": player });
        body[name] = value;
        body
    };
    let table = [
        (Method::GET, "/sessions/bob".to_owned(), None, "session_id"),
        (Method::PUT, "/sessions/bob".to_owned(), Some(json!({})), "session_id"),
        (Method::DELETE, "/sessions/bob".to_owned(), None, "session_id"),
        (Method::GET, "/sessions/bob/logs".to_owned(), None, "session_id"),
        (Method::GET, "/combat/sessions/bob/state".to_owned(), None, "session_id"),
        (Method::POST, "/combat/sessions/bob/actions".to_owned(), Some(action("x", json!(1))), "session_id"),
        (Method::PUT, session.path(""), Some(json!({ "status": "initializing" })), "status"),
        (Method::PUT, session.path(""), Some(json!({ "status": 1 })), "status"),
        (Method::PUT, session.path(""), Some(json!({ "metadata": 1 })), "metadata"),
        (Method::PUT, session.path(""), Some(json!({ "settings": [] })), "settings"),
        (Method::PUT, session.path(""), Some(json!({ "settings": { "ttl_seconds": 1 } })), "settings.ttl_seconds"),
        (Method::PUT, session.path(""), Some(json!({ "version": -1 })), "version"),
        (Method::PUT, session.path(""), Some(json!({ "owner": player })), "owner"),
        (Method::DELETE, session.path(""), Some(json!({ "reason": 5 })), "reason"),
        (Method::DELETE, session.path(""), Some(json!({ "force": "yes" })), "force"),
        (Method::POST, session.path("/members"), Some(json!({ "player_id": 5 })), "player_id"),
        (Method::DELETE, session.path("/members/bob"), None, "player_id"),
        (Method::POST, login.path("/refresh"), Some(json!({})), "refresh_token"),
        (Method::POST, "/tokens/revocations".to_owned(), Some(json!({})), "player_id"),
        (Method::POST, actions.clone(), Some(action("action_type", json!("dance"))), "action_type"),
        (Method::POST, actions.clone(), Some(action("player_id", json!("bob"))), "player_id"),
        (Method::POST, actions.clone(), Some(action("target_id", json!(3))), "target_id"),
        (Method::POST, actions, Some(action("timestamp", json!("now"))), "timestamp"),
    ];
    for (method, path, body, field) in table {
        named(&case, method, &path, body.as_ref(), field).await;
    }
    assert_eq!(case.read(&session).await.version(), session.version(), "nothing was changed");
}

async fn named(case: &Case, method: Method, path: &str, body: Option<&Value>, field: &str) {
    let mut ask = case.ask(method, path);
    if let Some(body) = body {
        ask = ask.json(body);
    }
    let reply = ask.expect(400).await;
    assert!(reply.fields().contains(&field), "{} {body:?}: {field} is not named: {}", reply.line, reply.body);
}

async fn every_fault_is_named_at_once(case: Case) {
    let fields = |reply: &Reply| {
        let mut fields: Vec<String> = reply.fields().iter().map(|field| (*field).to_owned()).collect();
        fields.sort();
        fields
    };
    let player = Uuid::new_v4();
    let settings = json!({ "ttl_seconds": 1, "members": ["x", 7], "max_members": 0 });
    let body = json!({ "type": "custom", "player_id": "bob", "metadata": 7, "version": 1, "settings": settings });
    let refused = case.post("/sessions", &body).header("idempotency-key", "a b").expect(400).await;
    let all = ["Idempotency-Key", "metadata", "player_id", "settings.max_members", "settings.members[0]"];
    assert_eq!(fields(&refused), [&all[..], &["settings.members[1]", "settings.ttl_seconds", "version"]].concat());

    let settings = json!({ "difficulty": "odd", "max_duration": 1, "rules": { "helth": 1, "health": 0 }, "seats": 0 });
    let body = json!({ "mode": "custom", "participants": ["x", player, player], "settings": settings });
    let refused = case.post("/combat/sessions", &body).header("idempotency-key", "").expect(400).await;
    let all = ["Idempotency-Key", "mode", "participants[0]", "participants[2]", "settings.difficulty"];
    let more = ["settings.max_duration", "settings.rules.health", "settings.rules.helth", "settings.seats"];
    assert_eq!(fields(&refused), [&all[..], &more].concat());

    let fight = case.fight(&[player, Uuid::new_v4()]).await;
    let actions = format!("/combat/sessions/{}/actions", fight.id());
    let parameters = json!({ "ability": "none such", "cover": 255, "body_part": "nose" });
    let body = json!({
        "action_type": "ability", "player_id": player, "target_id": 3, "timestamp": "now", "parameters": parameters
    });
    let refused = case.post(&actions, &body).header("idempotency-key", "a b").expect(400).await;
    let all = ["Idempotency-Key", "parameters.ability", "parameters.body_part", "parameters.cover"];
    assert_eq!(fields(&refused), [&all[..], &["target_id", "timestamp"]].concat());

    let session = case.create("custom", player).await;
    let body =
        json!({ "status": "gone", "version": "x", "metadata": [], "settings": { "ttl_seconds": 5 }, "owner": 1 });
    let refused = case.put(&session.path(""), &body).expect(400).await;
    assert_eq!(fields(&refused), ["metadata", "owner", "settings.ttl_seconds", "status", "version"]);
    for (method, path, body, fault) in [
        (Method::PUT, "", json!({ "status": "gone" }), "status"),
        (Method::DELETE, "", json!({ "force": 1 }), "force"),
        (Method::POST, "/members", json!({ "player_id": 1 }), "player_id"),
        (Method::POST, "/tickets", json!({ "player_id": 1 }), "player_id"),
        (Method::POST, "/refresh", json!({}), "refresh_token"),
        (Method::GET, "?include_logs=x", json!({}), "include_logs"),
        (Method::GET, "/logs?limit=x", json!({}), "limit"),
    ] {
        let refused = case.ask(method, &format!("/sessions/bob{path}")).json(&body).expect(400).await;
        let mut both = ["session_id", fault];
        both.sort_unstable();
        assert_eq!(fields(&refused), both, "{}", refused.line);
    }
    let body = json!({ "action_type": "dance", "player_id": player });
    let refused = case.post("/combat/sessions/bob/actions", &body).expect(400).await;
    assert_eq!(fields(&refused), ["action_type", "session_id"]);
    let lists = "type=x&status=x&player_id=x&limit=0&cursor=x";
    let refused = case.get(&format!("/sessions?{lists}")).expect(400).await;
    assert_eq!(fields(&refused), ["cursor", "limit", "player_id", "status", "type"]);
}

on_both_stores!(bodies_of_create, parameters, ids_and_bodies_of_the_rest, every_fault_is_named_at_once);
