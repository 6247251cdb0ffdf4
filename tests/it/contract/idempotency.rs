//! `Idempotency-Key`: a repeat has the first one's effect and its answer, nothing more.

use std::future::IntoFuture;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use uuid::Uuid;

use super::case::{Ask, Case, all, new};
use super::reply::Reply;
use crate::support::soon;

/// How many repeat at once.
const REPEATS: usize = 32;

/// Requests whose client is gone before they are answered.
const KEYS: usize = 40;

fn keyed(ask: Ask, key: &str) -> Ask {
    ask.header("idempotency-key", key)
}

async fn total(case: &Case, player: Uuid) -> Value {
    case.get(&format!("/sessions?player_id={player}")).expect(200).await.body["total_count"].clone()
}

/// That `again` is `first` again.
fn replayed(first: &Reply, again: &Reply) {
    assert_eq!(again.status, first.status, "{}", first.line);
    // Tokens are not kept: they are made anew.
    let without_tokens = |reply: &Reply| {
        let mut body = reply.body.clone();
        body.as_object_mut().unwrap().remove("tokens");
        body
    };
    assert_eq!(without_tokens(again), without_tokens(first), "{}", first.line);
    assert_eq!(again.body["tokens"].is_object(), first.body["tokens"].is_object(), "{}", first.line);
    assert_eq!(again.header("idempotent-replayed").as_deref(), Some("true"), "{}", first.line);
    for name in ["etag", "location"] {
        assert_eq!(again.header(name), first.header(name), "{}: {name}", first.line);
    }
}

async fn a_repeat_is_answered_as_the_first_was(case: Case) {
    let player = Uuid::new_v4();
    let body = new("custom", player, json!({}));
    let first = keyed(case.post("/sessions", &body), "k-1").expect(201).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    // What happened to the session since does not change what was answered.
    case.put(&first.path(""), &json!({ "metadata": { "later": 1 } })).expect(200).await;
    replayed(&first, &keyed(case.post("/sessions", &body), "k-1").await);
    let other = new("custom", player, json!({ "max_members": 2 }));
    keyed(case.post("/sessions", &other), "k-1").refused(422, "idempotency_mismatch").await;
    assert_eq!(total(&case, player).await, 1);
    let second = keyed(case.post("/sessions", &body), "k-2").expect(201).await;
    assert_ne!(second.id(), first.id());
}

async fn a_used_key_with_another_body_is_that_whatever_is_wrong_with_it(case: Case) {
    let player = Uuid::new_v4();
    let mut fight = case.node.fight(2, crate::support::plain_rules()).await;
    fight.begin().await;
    let hit = json!({ "action_type": "attack", "player_id": fight.players[0], "target_id": fight.players[1] });
    for (path, body) in [
        ("/sessions".to_owned(), new("custom", player, json!({}))),
        ("/combat/sessions".to_owned(), json!({ "mode": "pvp", "participants": [player] })),
        (format!("/combat/sessions/{}/actions", fight.id), hit),
    ] {
        let first = keyed(case.post(&path, &body), "used").await;
        assert!(first.status < 300, "{path}: {}", first.body);
        for other in ["", "{", "[]", "7", "null", "{}", r#"{"type":"raid","mode":7,"action_type":null}"#] {
            let ask = |key: &str| keyed(case.ask(Method::POST, &path), key).text("application/json", other);
            ask("used").refused(422, "idempotency_mismatch").await;
            // Of a key that was never used it is the body that is wrong, and the key stays free.
            ask("free").expect(400).await;
            ask("no key").expect(400).await;
        }
        replayed(&first, &keyed(case.post(&path, &body), "used").await);
        let second = keyed(case.post(&path, &body), "free").expect(first.status).await;
        assert_eq!(second.header("idempotent-replayed"), None, "{path}");
    }
}

async fn a_key_is_its_callers_own(case: Case) {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let player = Uuid::new_v4();
        let token = case.node.player(player);
        let made =
            keyed(case.post("/sessions", &new("custom", player, json!({}))).by(&token), "same").expect(201).await;
        assert_eq!(made.header("idempotent-replayed"), None);
        ids.push(made.id());
    }
    assert_ne!(ids[0], ids[1]);
}

async fn keys_have_a_form(case: Case) {
    let player = Uuid::new_v4();
    let body = new("custom", player, json!({}));
    for bad in ["", "with space", "caf\u{e9}", &"k".repeat(129)] {
        keyed(case.post("/sessions", &body), bad).expect(400).await;
    }
    keyed(case.post("/sessions", &body), &"~".repeat(128)).expect(201).await;
    assert_eq!(total(&case, player).await, 1);
}

async fn thirty_two_at_once_have_one_effect(case: Case) {
    let player = Uuid::new_v4();
    let fight = json!({ "mode": "pvp", "participants": [player] });
    for (path, body) in [("/sessions", new("custom", player, json!({}))), ("/combat/sessions", fight)] {
        let replies = all((0..REPEATS).map(|_| keyed(case.post(path, &body), path).into_future())).await;
        one_effect(&replies, 201);
    }
    assert_eq!(total(&case, player).await, 2);
}

async fn thirty_two_at_once_hit_once(case: Case) {
    let mut fight = case.node.fight(2, crate::support::plain_rules()).await;
    fight.begin().await;
    let body = json!({ "action_type": "attack", "player_id": fight.players[0], "target_id": fight.players[1] });
    let path = format!("/combat/sessions/{}/actions", fight.id);
    let replies = all((0..REPEATS).map(|_| keyed(case.post(&path, &body), "hit").into_future())).await;
    one_effect(&replies, 200);
    let state = case.get(&format!("/combat/sessions/{}/state", fight.id)).expect(200).await;
    assert_eq!(state.body["participants"][1]["hp"], 90, "{}", state.body);
}

/// That one of `replies` came of doing it, and the others waited for it and say what it said.
fn one_effect(replies: &[Reply], status: u16) {
    let is_first = |reply: &&Reply| reply.status == status && reply.header("idempotent-replayed").is_none();
    let firsts: Vec<&Reply> = replies.iter().filter(is_first).collect();
    assert_eq!(firsts.len(), 1, "one of them did it");
    for reply in replies {
        assert_eq!((reply.status, &reply.body), (status, &firsts[0].body));
    }
}

async fn a_repeat_after_a_crash_is_known(mut case: Case) {
    let player = Uuid::new_v4();
    let (custom, login) = (new("custom", player, json!({})), new("auth", player, json!({})));
    let fight = json!({ "mode": "pvp", "participants": [player] });
    let requests = [("/sessions", custom), ("/sessions", login), ("/combat/sessions", fight)];
    let mut firsts = Vec::new();
    for (index, (path, body)) in requests.iter().enumerate() {
        firsts.push(keyed(case.post(path, body), &format!("key-{index}")).expect(201).await);
    }
    case.node.crash_and_restart();
    for (index, (path, body)) in requests.iter().enumerate() {
        let again = keyed(case.post(path, body), &format!("key-{index}")).await;
        replayed(&firsts[index], &again);
        let mut other = body.clone();
        other["settings"] = json!({ "other": true });
        keyed(case.post(path, &other), &format!("key-{index}")).refused(422, "idempotency_mismatch").await;
    }
    assert_eq!(total(&case, player).await, 3);
}

/// Sends an action with a key and is gone before it is answered.
async fn send_and_go(case: &Case, path: &str, key: &str, body: &Value) {
    let host = case.node.url.strip_prefix("http://").unwrap();
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        case.service,
        body.len()
    );
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
}

async fn what_was_begun_is_finished_whoever_listens(case: Case) {
    let mut rules = crate::support::plain_rules();
    rules["health"] = json!(1_000_000);
    let mut fight = case.node.fight(2, rules).await;
    fight.begin().await;
    let body = json!({ "action_type": "attack", "player_id": fight.players[0], "target_id": fight.players[1] });
    let own = format!("/combat/sessions/{}", fight.id);
    let path = format!("{own}/actions");
    for n in 0..KEYS {
        send_and_go(&case, &path, &format!("gone-{n}"), &body).await;
        let reply = keyed(case.post(&path, &body), &format!("gone-{n}")).await;
        assert_eq!(reply.status, 200, "{n}: {}", reply.body);
    }
    let player = Uuid::new_v4();
    let creation = json!({ "mode": "pvp", "participants": [player] });
    for n in 0..KEYS / 4 {
        send_and_go(&case, "/combat/sessions", &format!("made-{n}"), &creation).await;
        let reply = keyed(case.post("/combat/sessions", &creation), &format!("made-{n}")).await;
        assert_eq!(reply.status, 201, "{n}: {}", reply.body);
    }
    let stats = case.get(&own).expect(200).await.body["stats"].clone();
    assert_eq!(stats["total_actions"], KEYS, "each of them once");
    assert_eq!(total(&case, player).await, KEYS / 4);
}

async fn a_fight_is_handed_over_once_with_one_key(case: Case) {
    let admin = case.node.token(&["--admin"]);
    let fight = case.fight(&[Uuid::new_v4(), Uuid::new_v4()]).await;
    let path = format!("/combat{}", fight.path("/hand-over"));
    let to = |shard: u32| case.post(&path, &json!({ "shard": shard })).by(&admin);
    let home = u32::try_from(fight.id().as_u128() % 2).unwrap();
    let first = keyed(to(1 - home), "move").expect(200).await;
    assert_eq!((first.header("idempotent-replayed"), &first.body["shard"]), (None, &json!(1 - home)));
    to(home).expect(200).await;
    let moves = || case.node.metric("tiltyard_sessions_handed_over_total");
    let before = moves().await;
    replayed(&first, &keyed(to(1 - home), "move").await);
    assert!((moves().await - before).abs() < 0.1, "it stays where it is by now");
    keyed(to(home), "move").refused(422, "idempotency_mismatch").await;
    // The same key for another fight is another key.
    let other = case.fight(&[Uuid::new_v4(), Uuid::new_v4()]).await;
    let again = case.post(&format!("/combat{}", other.path("/hand-over")), &json!({ "shard": 0 })).by(&admin);
    assert_eq!(keyed(again, "move").expect(200).await.header("idempotent-replayed"), None);
    // So is a refusal kept that is for good.
    case.delete(&fight.path("")).json(&json!({ "force": true })).expect(200).await;
    let refused = keyed(to(home), "late").refused(409, "session_ended").await;
    replayed(&refused, &keyed(to(home), "late").await);
    keyed(to(home), "a b").expect(400).await;
}

async fn a_cooldown_is_not_kept(case: Case) {
    let mut rules = crate::support::plain_rules();
    rules["defend_cooldown_ms"] = json!(1_500);
    let mut fight = case.node.fight(2, rules).await;
    fight.begin().await;
    let body = json!({ "action_type": "defend", "player_id": fight.players[0] });
    let path = format!("/combat/sessions/{}/actions", fight.id);
    keyed(case.post(&path, &body), "first").expect(200).await;
    let early = keyed(case.post(&path, &body), "second").refused(409, "cooldown").await;
    assert!(early.header("retry-after").is_some());
    let done = soon(async {
        loop {
            let reply = keyed(case.post(&path, &body), "second").await;
            assert_eq!(reply.header("idempotent-replayed"), None, "{}", reply.body);
            if reply.reason() != "cooldown" {
                return reply;
            }
        }
    })
    .await;
    assert_eq!(done.status, 200, "{}", done.body);
}

async fn a_refusal_for_want_of_time_is_not_kept(case: Case) {
    let mut rules = crate::support::plain_rules();
    rules["actions_per_second"] = json!(1);
    let mut fight = case.node.fight(2, rules).await;
    fight.begin().await;
    let body = json!({ "action_type": "defend", "player_id": fight.players[0] });
    let path = format!("/combat/sessions/{}/actions", fight.id);
    let mut n = 0;
    let limited = soon(async {
        loop {
            n += 1;
            let reply = keyed(case.post(&path, &body), &format!("k-{n}")).await;
            if reply.reason() == "rate_limited" {
                return reply;
            }
        }
    })
    .await;
    assert_eq!(limited.status, 409);
    let wait = limited.body["details"]["retry_ms"].as_u64().unwrap();
    assert_eq!(limited.header("retry-after"), Some(wait.div_ceil(1_000).max(1).to_string()));
    let done = soon(async {
        loop {
            let reply = keyed(case.post(&path, &body), &format!("k-{n}")).await;
            if reply.reason() != "rate_limited" {
                return reply;
            }
            assert_eq!(reply.header("idempotent-replayed"), None);
        }
    })
    .await;
    assert_eq!(done.header("idempotent-replayed"), None, "{}", done.body);
    // What the fight itself refuses is the answer.
    let paused = case.put(&format!("/sessions/{}", fight.id), &json!({ "status": "paused" })).expect(200).await;
    for _ in 0..10 {
        case.post(&path, &body).refused(409, "paused").await;
    }
    keyed(case.post(&path, &body), "paused").refused(409, "paused").await;
    case.put(&paused.path(""), &json!({ "status": "active" })).expect(200).await;
    let again = keyed(case.post(&path, &body), "paused").refused(409, "paused").await;
    assert_eq!(again.header("idempotent-replayed").as_deref(), Some("true"));
}

on_both_stores!(
    a_cooldown_is_not_kept,
    what_was_begun_is_finished_whoever_listens,
    a_refusal_for_want_of_time_is_not_kept,
    a_repeat_is_answered_as_the_first_was,
    a_used_key_with_another_body_is_that_whatever_is_wrong_with_it,
    a_key_is_its_callers_own,
    keys_have_a_form,
    thirty_two_at_once_have_one_effect,
    thirty_two_at_once_hit_once,
    a_repeat_after_a_crash_is_known,
    a_fight_is_handed_over_once_with_one_key,
);
