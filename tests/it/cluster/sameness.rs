//! Every operation of the document that names a session, of every type, by every kind of caller: sent to the node that has the session and to
//! the other one, and answered the same.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Pair;
use crate::contract::case::{Ask, Case, TYPES};
use crate::contract::reply::Reply;

/// A session to ask about.
struct Subject {
    id: Uuid,
    player: Uuid,
    refresh_token: Option<String>,
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
enum Who {
    Service,
    Admin,
    Owner,
    Stranger,
    Nobody,
}

/// What of an answer's head comes from the operation. How much is left of a quota is one node's.
const HEADS: [&str; 11] = [
    "etag",
    "location",
    "content-type",
    "content-encoding",
    "cache-control",
    "vary",
    "retry-after",
    "allow",
    "www-authenticate",
    "replay-complete",
    "x-content-type-options",
];

/// What passes while one is asked after the other.
const CLOCKS: [&str; 4] = ["time_remaining", "duration_seconds", "gap_us", "expires_in"];

#[tokio::test]
async fn any_node_answers_for_any_session_as_its_own_node_does() {
    let pair = Pair::start_with(&["--rate-limits", "off"]).await;
    let document = pair.one.get("/openapi.json").anonymous().expect(200).await.body;
    let mut compared = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap().iter().filter(|_| path.contains("{session_id}")) {
            let Some(operation) = operation["operationId"].as_str() else { continue };
            for kind in TYPES {
                for who in [Who::Service, Who::Admin, Who::Owner, Who::Stranger, Who::Nobody] {
                    for filled in [true, false] {
                        let (here, there) = (subject(&pair.one, kind).await, subject(&pair.one, kind).await);
                        let ask = |case, subject| asked(case, method, path, operation, subject, who, filled);
                        let own = ask(&pair.one, &here).await;
                        let other = ask(&pair.two, &there).await;
                        let what = format!("{operation} of {kind} by {who:?}, filled {filled}");
                        assert_eq!(told(&other, &pair), told(&own, &pair), "{what}");
                        // What it has become says its own node, too.
                        let path = format!("/sessions/{}?include_stats=true", here.id);
                        let own = pair.one.get(&path).await;
                        let other = pair.one.get(&format!("/sessions/{}?include_stats=true", there.id)).await;
                        assert_eq!(told(&other, &pair), told(&own, &pair), "after {what}");
                        compared += 1;
                    }
                }
            }
        }
    }
    assert!(compared >= 16 * 4 * 5 * 2, "{compared}");
}

#[tokio::test]
async fn heads_come_and_go_as_they_are() {
    let pair = Pair::start().await;
    let room = pair.one.create("custom", Uuid::new_v4()).await;
    let long = json!({ "text": "x".repeat(20_000) });
    let tag = pair.two.patch(&room, &long).header("if-match", &room.etag()).expect(200).await.etag();
    pair.two.patch(&room, &long).header("if-match", &room.etag()).refused(412, "precondition_failed").await;
    for case in [&pair.one, &pair.two] {
        let path = room.path("/state");
        let same = case.get(&path).header("if-none-match", &tag).expect(304).await;
        assert_eq!(same.etag(), tag);
        let named = case.get(&path).header("x-request-id", "mine").expect(200).await;
        assert_eq!(named.header("x-request-id").as_deref(), Some("mine"));
        let head = case.ask(Method::HEAD, &path).await;
        assert_eq!((head.status, head.header("content-length")), (200, named.header("content-length")));
        let packed = packed(case, &path).await;
        let coded = tag.trim_end_matches('"').to_owned() + "-gzip\"";
        assert_eq!((packed.0.as_deref(), packed.1.as_deref()), (Some("gzip"), Some(coded.as_str())));
    }
    // What is too long, cut off or no JSON is refused by both alike.
    for body in ["x".repeat(2 << 20), "{".to_owned(), "[]".to_owned()] {
        let ask = |case: &Case| case.ask(Method::PUT, &room.path("")).text("application/json", &body);
        let (own, other) = (ask(&pair.one).await, ask(&pair.two).await);
        assert_eq!((own.status, &own.body), (other.status, &other.body));
        assert!(own.status >= 400);
    }
}

/// `Content-Encoding` and `ETag` of an answer that may be packed.
async fn packed(case: &Case, path: &str) -> (Option<String>, Option<String>) {
    let ask = reqwest::Client::new().get(format!("{}{path}", case.node.url)).header("accept-encoding", "gzip");
    let answer = ask.bearer_auth(&case.service).send().await.unwrap();
    let head = |name: &str| answer.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    (head("content-encoding"), head("etag"))
}

async fn subject(case: &Case, kind: &str) -> Subject {
    let player = Uuid::new_v4();
    if kind == "combat" {
        return Subject { id: case.fight(&[player, Uuid::new_v4()]).await.id(), player, refresh_token: None };
    }
    let made = case.create(kind, player).await;
    let refresh_token = made.body["tokens"]["refresh_token"].as_str().map(str::to_owned);
    Subject { id: made.id(), player, refresh_token }
}

/// The request, filled with what the operation takes, or with nothing.
fn asked(case: &Case, method: &str, path: &str, operation: &str, of: &Subject, who: Who, filled: bool) -> Ask {
    let path = path.replace("{session_id}", &of.id.to_string()).replace("{player_id}", &of.player.to_string());
    let ask = case.ask(method.to_uppercase().parse().unwrap(), &path);
    let ask = match who {
        Who::Service => ask,
        Who::Admin => ask.by(&case.node.token(&["--admin"])),
        Who::Owner => ask.by(&case.node.player(of.player)),
        Who::Stranger => ask.by(&case.node.player(Uuid::new_v4())),
        Who::Nobody => ask.anonymous(),
    };
    let player = json!({ "player_id": of.player });
    let body = match operation {
        _ if !filled => return ask,
        "updateSession" => json!({ "status": "paused", "metadata": { "a": 1 } }),
        "terminateSession" => json!({ "force": true, "reason": "over" }),
        "joinSession" => json!({ "player_id": Uuid::new_v4() }),
        "patchSessionState" => return ask.text("application/merge-patch+json", r#"{"score":1}"#),
        "refreshTokens" => json!({ "refresh_token": of.refresh_token.as_deref().unwrap_or("none") }),
        "createTicket" | "readyForCombat" => player,
        "executeCombatAction" => json!({ "action_type": "defend", "player_id": of.player }),
        "handOverCombatSession" => json!({ "shard": 1 }),
        _ => return ask,
    };
    ask.json(&body)
}

/// An answer, but for ids, times and secrets, which no two sessions have in common.
fn told(reply: &Reply, pair: &Pair) -> (u16, Map<String, Value>, Value, usize) {
    let heads = HEADS.into_iter().filter_map(|name| Some((name.to_owned(), Value::String(reply.header(name)?))));
    let mut names = Names { seen: BTreeMap::new(), one: pair.one.node.url.replacen("http", "ws", 1) };
    let heads: Map<String, Value> = heads.collect();
    let (mut heads, mut body) = (Value::Object(heads), reply.body.clone());
    names.leave_out(&mut body);
    names.leave_out(&mut heads);
    let file = if reply.body.is_null() { reply.file.len() } else { 0 };
    (reply.status, heads.as_object().unwrap().clone(), body, file)
}

struct Names {
    /// By the order in which they come.
    seen: BTreeMap<String, usize>,
    /// Where sockets of the owner are.
    one: String,
}

impl Names {
    fn leave_out(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) => {
                for clock in CLOCKS {
                    if members.contains_key(clock) {
                        members.insert(clock.to_owned(), json!("clock"));
                    }
                }
                members.values_mut().for_each(|member| self.leave_out(member));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.leave_out(item)),
            Value::String(text) => *text = self.name_of(text),
            _ => {}
        }
    }

    fn name_of(&mut self, text: &str) -> String {
        if text.parse::<Uuid>().is_ok() {
            let next = self.seen.len();
            return format!("id {}", *self.seen.entry(text.to_owned()).or_insert(next));
        }
        if humantime::parse_rfc3339(text).is_ok() {
            return "time".to_owned();
        }
        if text.starts_with("eyJ") {
            return "token".to_owned();
        }
        // A ticket's: it leads to the session's node.
        match text.split_once("/ws?ticket=") {
            Some((place, _)) if place == self.one => "ticket of one".to_owned(),
            _ => text.to_owned(),
        }
    }
}
