//! What every path answers to every method: a HEAD is told what a GET is, and what a path does not take is a 405 that says what it does.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Node, soon};

/// What no two answers have alike, or is of the moment.
const OF_THE_MOMENT: [&str; 4] = ["date", "x-request-id", "x-ratelimit-remaining", "x-ratelimit-reset"];

/// Paths whose answers are longer or shorter from one moment to the next.
const OF_ANY_LENGTH: [&str; 3] = ["/health", "/metrics", "/analytics/sessions"];

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"];

/// Pages, and a folder of such.
const PAGES: [&str; 4] = ["/", "/docs/", "/docs", "/arena/game.js"];

async fn document(node: &Node) -> BTreeMap<String, Value> {
    let document: Value = soon(reqwest::get(format!("{}/openapi.json", node.url))).await.unwrap().json().await.unwrap();
    serde_json::from_value(document["paths"].clone()).unwrap()
}

/// A server's sessions, of which nothing changes any more: one that is custom, and a fight that has ended.
struct Still {
    node: Node,
    client: Client,
    token: String,
    custom: Uuid,
    fight: Uuid,
}

impl Still {
    async fn new() -> Self {
        let node = Node::start_with(&["--rate-limits", "off"]);
        let token = node.token(&["--admin"]);
        let mut still = Self { node, client: Client::new(), token, custom: Uuid::nil(), fight: Uuid::nil() };
        let long = "x".repeat(4_000);
        let custom = json!({ "type": "custom", "player_id": Uuid::new_v4(), "metadata": { "long": long } });
        still.custom = still.made("/sessions", &custom).await;
        let patch = still.ask("PATCH", &format!("/sessions/{}/state", still.custom), &[]);
        let patch =
            patch.header("content-type", "application/merge-patch+json").body(json!({ "long": long }).to_string());
        assert_eq!(soon(patch.send()).await.unwrap().status(), StatusCode::OK);
        let players: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
        still.fight = still.made("/combat/sessions", &json!({ "mode": "pvp", "participants": players })).await;
        let end = still.ask("DELETE", &format!("/sessions/{}", still.fight), &[]).json(&json!({ "force": true }));
        assert_eq!(soon(end.send()).await.unwrap().status(), StatusCode::OK);
        soon(async {
            // It has left its shard once the store has its replay.
            while still.get(&format!("/combat/sessions/{}/replay", still.fight), &[]).await.status() != StatusCode::OK {
            }
        })
        .await;
        still
    }

    fn ask(&self, method: &str, path: &str, heads: &[(&str, &str)]) -> reqwest::RequestBuilder {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let ask = self.client.request(method, format!("{}{path}", self.node.url)).bearer_auth(&self.token);
        heads.iter().fold(ask, |ask, (name, value)| ask.header(*name, *value))
    }

    async fn get(&self, path: &str, heads: &[(&str, &str)]) -> Response {
        soon(self.ask("GET", path, heads).send()).await.unwrap()
    }

    async fn made(&self, path: &str, body: &Value) -> Uuid {
        let made: Value = soon(self.ask("POST", path, &[]).json(body).send()).await.unwrap().json().await.unwrap();
        made["session_id"].as_str().unwrap_or_else(|| panic!("{made}")).parse().unwrap()
    }

    /// A path of the document, of a session that there is.
    fn path(&self, path: &str) -> String {
        let of = if path.starts_with("/combat") { self.fight } else { self.custom };
        path.replace("{session_id}", &of.to_string()).replace("{player_id}", &Uuid::nil().to_string())
    }
}

/// The head of an answer, but for what is of the moment.
fn head(answer: &Response, path: &str) -> Vec<(String, String)> {
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        let any = name == "content-length" && OF_ANY_LENGTH.contains(&path);
        (name.to_string(), if any { "any".to_owned() } else { value.to_str().unwrap().to_owned() })
    };
    let mut head: Vec<_> = answer.headers().iter().map(text).collect();
    head.retain(|(name, _)| !OF_THE_MOMENT.contains(&name.as_str()));
    head.sort();
    head
}

#[tokio::test]
async fn a_head_is_told_what_a_get_is() {
    let still = Still::new().await;
    let document = document(&still.node).await;
    let described = document.iter().filter(|(_, item)| item.get("get").is_some()).map(|(path, _)| path.as_str());
    let (mut packed, mut known) = (0, 0);
    for path in described.chain(PAGES).chain(["/nowhere", "/combat/sessions/bob"]) {
        let path = still.path(path);
        for accept in [&[][..], &[("accept-encoding", "gzip")], &[("accept-encoding", "br")]] {
            let get = still.get(&path, accept).await;
            let heard = soon(still.ask("HEAD", &path, accept).send()).await.unwrap();
            assert_eq!(heard.status(), get.status(), "{path} {accept:?}");
            assert_eq!(head(&heard, &path), head(&get, &path), "{path} {accept:?}");
            let tag = get.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
            packed += usize::from(get.headers().contains_key("content-encoding"));
            let length: usize = get.headers()["content-length"].to_str().unwrap().parse().unwrap();
            assert_eq!(soon(get.bytes()).await.unwrap().len(), length, "{path} {accept:?}");
            assert!(soon(heard.bytes()).await.unwrap().is_empty(), "{path}");

            let Some(tag) = tag else { continue };
            let heads = [accept, &[("if-none-match", tag.as_str())]].concat();
            let get = still.get(&path, &heads).await;
            let heard = soon(still.ask("HEAD", &path, &heads).send()).await.unwrap();
            assert_eq!((heard.status(), head(&heard, &path)), (get.status(), head(&get, &path)), "{path} {heads:?}");
            if get.status() == StatusCode::NOT_MODIFIED {
                known += 1;
                assert_eq!(heard.headers()["etag"], tag.as_str(), "{path} {heads:?}");
                assert!(!get.headers().contains_key("content-length"), "{path}: the length of nothing is not its own");
            }
        }
    }
    assert!(packed >= 10 && known >= 12, "{packed} were packed, {known} known");
}

#[tokio::test]
async fn what_a_path_does_not_take_is_a_405_that_says_what_it_does() {
    let still = Still::new().await;
    let document = document(&still.node).await;
    let taken = |item: &Value| {
        let mut taken: BTreeSet<&str> =
            METHODS.into_iter().filter(|method| item.get(method.to_ascii_lowercase()).is_some()).collect();
        taken.extend(taken.contains("GET").then_some("HEAD"));
        taken
    };
    let operations = document.iter().map(|(path, item)| (path.as_str(), taken(item)));
    let pages = PAGES.into_iter().map(|path| (path, BTreeSet::from(["GET", "HEAD"])));
    for (path, taken) in operations.chain(pages) {
        for base in if PAGES.contains(&path) { &[""][..] } else { &["", "/v1/session"] } {
            for method in METHODS.into_iter().filter(|method| !taken.contains(method)) {
                let line = format!("{method} {base}{path}");
                let answer = soon(still.ask(method, &format!("{base}{}", still.path(path)), &[]).send()).await.unwrap();
                assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{line}");
                let allowed = answer.headers()["allow"].to_str().unwrap().to_owned();
                assert_eq!(allowed.split(',').map(str::trim).collect::<BTreeSet<_>>(), taken, "{line}");
                if method != "HEAD" {
                    let error: Value = soon(answer.json()).await.unwrap();
                    assert_eq!(error["details"]["reason"], "method_not_allowed", "{line}");
                }
            }
        }
    }
    // What is nowhere is that for every method.
    for method in ["GET", "PUT", "DELETE"] {
        assert_eq!(soon(still.ask(method, "/nowhere", &[]).send()).await.unwrap().status(), StatusCode::NOT_FOUND);
    }
}
