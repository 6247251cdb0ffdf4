//! Nobody can ask more than their share, whoever else does; and what else every answer's head promises.

use reqwest::header::HeaderMap;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Node, plain_rules};

/// Asks for a session that is not there.
fn ask(node: &Node, token: &str) -> RequestBuilder {
    Client::new().get(format!("{}/sessions/{}", node.url, Uuid::now_v7())).bearer_auth(token)
}

/// Sends until it is too much.
async fn exhaust(request: &RequestBuilder) -> Response {
    for _ in 0..100 {
        let response = request.try_clone().unwrap().send().await.unwrap();
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            return response;
        }
    }
    panic!("a hundred requests were not too many");
}

fn number(headers: &HeaderMap, name: &str) -> u64 {
    headers.get(name).unwrap_or_else(|| panic!("{name} in {headers:?}")).to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_player_over_its_quota_is_refused_and_nobody_else() {
    let node = Node::start_with(&["--rate-player", "1/s,3"]);
    let (greedy, modest) = (node.player(Uuid::now_v7()), node.player(Uuid::now_v7()));
    let first = ask(&node, &greedy).send().await.unwrap();
    assert_eq!(first.status(), StatusCode::NOT_FOUND);
    let [limit, remaining, reset] =
        ["limit", "remaining", "reset"].map(|name| number(first.headers(), &format!("x-ratelimit-{name}")));
    assert_eq!((limit, remaining, reset), (3, 2, 1));

    let refused = exhaust(&ask(&node, &greedy)).await;
    assert_eq!((number(refused.headers(), "retry-after"), number(refused.headers(), "x-ratelimit-remaining")), (1, 0));
    assert!(refused.headers().contains_key("x-request-id"));
    let body: Value = refused.json().await.unwrap();
    assert_eq!((&body["code"], &body["details"]["reason"]), (&json!(429), &json!("too_many_requests")));

    let other = ask(&node, &modest).send().await.unwrap();
    assert_eq!((other.status(), number(other.headers(), "x-ratelimit-remaining")), (StatusCode::NOT_FOUND, 2));
    let service = ask(&node, &node.service()).send().await.unwrap();
    assert_eq!((service.status(), number(service.headers(), "x-ratelimit-limit")), (StatusCode::NOT_FOUND, 40_000));
    assert!(node.metric("tiltyard_rate_limited_total").await >= 1.0);
}

#[tokio::test]
async fn failures_count_by_address_and_good_tokens_from_there_do_not() {
    let node = Node::start_with(&["--rate-address", "1/s,3"]);
    let refused = exhaust(&ask(&node, "a.guessed.token")).await;
    assert_eq!(number(refused.headers(), "x-ratelimit-limit"), 3);
    for path in ["/guest", "/v1/session/guest"] {
        exhaust(&Client::new().post(format!("{}{path}", node.url))).await;
    }
    let ticket = Client::new().get(format!("{}/ws?ticket=guessed", node.url)).headers(handshake());
    exhaust(&ticket).await;

    let good = ask(&node, &node.player(Uuid::now_v7())).send().await.unwrap();
    assert_eq!(good.status(), StatusCode::NOT_FOUND);
    for path in ["/health", "/livez"] {
        let free = Client::new().get(format!("{}{path}", node.url)).send().await.unwrap();
        assert_eq!(free.status(), StatusCode::OK);
        assert!(!free.headers().contains_key("x-ratelimit-limit"), "{path} is not counted");
    }
    let page = Client::new().get(format!("{}/", node.url)).send().await.unwrap();
    assert_eq!((page.status(), number(page.headers(), "x-ratelimit-limit")), (StatusCode::OK, 6_000), "another count");
    // Without a trusted proxy the header is nothing but the client's own claim.
    exhaust(&ask(&node, "a.guessed.token").header("x-forwarded-for", "192.0.2.7")).await;
}

#[tokio::test]
async fn behind_a_trusted_proxy_it_is_the_client_that_counts() {
    let node = Node::start_with(&["--rate-address", "1/s,3", "--trusted-proxy", "127.0.0.1"]);
    let from = |address: &'static str| ask(&node, "a.guessed.token").header("x-forwarded-for", address);
    exhaust(&from("6.6.6.6, 192.0.2.7")).await;
    let other = from("6.6.6.6, 192.0.2.8").send().await.unwrap();
    assert_eq!((other.status(), number(other.headers(), "x-ratelimit-remaining")), (StatusCode::UNAUTHORIZED, 2));
}

#[tokio::test]
async fn switched_off_nobody_is_refused() {
    let node = Node::start_with(&["--rate-limits", "off", "--rate-player", "1/s"]);
    let token = node.player(Uuid::now_v7());
    for _ in 0..5 {
        let response = ask(&node, &token).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(!response.headers().contains_key("x-ratelimit-limit"));
    }
}

#[tokio::test]
async fn long_answers_are_compressed_for_who_takes_it() {
    let node = Node::start();
    let fight = node.fight(8, plain_rules()).await;
    let service = node.service();
    let get = |path: &str, accept: &str| {
        Client::new().get(format!("{}{path}", node.url)).bearer_auth(&service).header("accept-encoding", accept).send()
    };
    let state = format!("/combat/sessions/{}/state", fight.id);
    let plain = get(&state, "identity").await.unwrap();
    assert!(!plain.headers().contains_key("content-encoding"));
    let length = plain.bytes().await.unwrap().len();
    assert!(length > 1024);
    for (accept, encoding, magic) in [
        ("gzip", "gzip", &[0x1F, 0x8B][..]),
        ("zstd", "zstd", &[0x28, 0xB5, 0x2F, 0xFD]),
        ("br", "br", &[]),
        ("gzip;q=0.5, br;q=0.9", "br", &[]),
    ] {
        let packed = get(&state, accept).await.unwrap();
        assert_eq!(packed.headers()["content-encoding"], encoding, "{accept}");
        assert!(varies(packed.headers()), "{:?}", packed.headers());
        let bytes = packed.bytes().await.unwrap();
        assert!(bytes.len() < length / 2 && bytes.starts_with(magic), "{encoding}: {} of {length}", bytes.len());
    }
    let short = get("/health", "gzip").await.unwrap();
    assert!(!short.headers().contains_key("content-encoding"), "not worth it");
}

#[tokio::test]
async fn a_page_of_a_listed_origin_may_patch_and_read_the_heads() {
    let node = Node::start_with(&["--allow-origin", "https://game.example"]);
    let preflight = |origin: &'static str| {
        Client::new()
            .request(Method::OPTIONS, format!("{}/sessions/{}", node.url, Uuid::now_v7()))
            .header("origin", origin)
            .header("access-control-request-method", "PATCH")
            .header("access-control-request-headers", "authorization,idempotency-key,if-none-match")
            .send()
    };
    let allowed = preflight("https://game.example").await.unwrap();
    assert_eq!(allowed.status(), StatusCode::OK);
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://game.example");
    let lists = |headers: &HeaderMap, name: &str, wanted: &[&str]| {
        let list = headers[name].to_str().unwrap().to_ascii_lowercase();
        wanted.iter().all(|wanted| list.split(',').any(|value| value.trim() == *wanted))
    };
    assert!(lists(allowed.headers(), "access-control-allow-methods", &["patch", "put", "delete"]));
    let may_send = ["authorization", "content-type", "if-match", "if-none-match", "idempotency-key", "x-request-id"];
    assert!(lists(allowed.headers(), "access-control-allow-headers", &may_send));

    let answer = ask(&node, "bad").header("origin", "https://game.example").send().await.unwrap();
    let may_read = [
        "etag",
        "retry-after",
        "x-request-id",
        "idempotent-replayed",
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ];
    assert!(lists(answer.headers(), "access-control-expose-headers", &may_read), "{:?}", answer.headers());
    let foreign = preflight("https://evil.example").await.unwrap();
    assert!(!foreign.headers().contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_page_that_is_known_is_not_sent_again() {
    let node = Node::start();
    let get = |known: String| Client::new().get(format!("{}/", node.url)).header("if-none-match", known).send();
    let tag = get("\"other\"".to_owned()).await.unwrap().headers()["etag"].to_str().unwrap().to_owned();
    assert_eq!(get(format!("\"other\", W/{tag}")).await.unwrap().status(), StatusCode::NOT_MODIFIED);
    assert_eq!(get("*".to_owned()).await.unwrap().status(), StatusCode::NOT_MODIFIED);
}

fn varies(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all("vary").iter().filter_map(|value| value.to_str().ok());
    values.any(|value| value.to_ascii_lowercase().contains("accept-encoding"))
}

fn handshake() -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ] {
        headers.insert(name, value.parse().unwrap());
    }
    headers
}
