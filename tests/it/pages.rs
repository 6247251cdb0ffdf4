//! Pages and API documents are packed once, when the server is built or when the first one asks, and not for every request.

use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response, StatusCode};

use crate::support::{Node, soon};

const BUNDLE: &str = "/docs/swagger-ui/swagger-ui-bundle.js";

async fn ask(node: &Node, method: Method, path: &str, heads: &[(&str, &str)]) -> Response {
    let mut request = Client::new().request(method, format!("{}{path}", node.url));
    for (name, value) in heads {
        request = request.header(*name, *value);
    }
    soon(request.send()).await.unwrap()
}

async fn get(node: &Node, path: &str, accept: &str) -> Response {
    ask(node, Method::GET, path, &[("accept-encoding", accept)]).await
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn unpacked(encoding: &str, bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    match encoding {
        "gzip" => drop(GzDecoder::new(bytes).read_to_end(&mut plain).unwrap()),
        "br" => drop(brotli::Decompressor::new(bytes, 4096).read_to_end(&mut plain).unwrap()),
        _ => plain.extend(bytes),
    }
    plain
}

#[tokio::test]
async fn every_form_holds_the_same_bytes_and_has_a_validator_of_its_own() {
    let node = Node::start();
    for path in [
        BUNDLE,
        "/",
        "/arena/game.js",
        "/client/fight.js",
        "/arena/art/lists.svg",
        "/openapi.json",
        "/v1/session/openapi.yaml",
    ] {
        let plain = get(&node, path, "identity").await;
        assert_eq!((plain.status(), text(plain.headers(), "content-encoding")), (StatusCode::OK, ""), "{path}");
        let kind = text(plain.headers(), "content-type").to_owned();
        let mut tags = vec![text(plain.headers(), "etag").to_owned()];
        let plain = plain.bytes().await.unwrap();
        for (accept, encoding) in [
            ("gzip", "gzip"),
            ("gzip, deflate, br, zstd", "br"),
            ("br;q=0.1, gzip", "gzip"),
            ("*;q=0.5", "br"),
            ("gzip;q=0, br;q=0", ""),
            ("zstd", ""),
        ] {
            let form = get(&node, path, accept).await;
            let heads = form.headers().clone();
            assert_eq!(text(&heads, "content-encoding"), encoding, "{path} for {accept}");
            assert_eq!((text(&heads, "content-type"), text(&heads, "vary")), (kind.as_str(), "accept-encoding"));
            let tag = text(&heads, "etag").to_owned();
            assert!(tag.starts_with('"'), "{tag} is strong");
            let bytes = form.bytes().await.unwrap();
            assert_eq!(text(&heads, "content-length"), bytes.len().to_string());
            assert!(encoding.is_empty() || bytes.len() < plain.len() / 2 || path == "/", "{path}: {}", bytes.len());
            assert_eq!(unpacked(encoding, &bytes), plain, "{path} as {encoding}");
            let known = ask(&node, Method::GET, path, &[("accept-encoding", accept), ("if-none-match", &tag)]).await;
            assert_eq!((known.status(), text(known.headers(), "etag")), (StatusCode::NOT_MODIFIED, tag.as_str()));
            assert_eq!(text(known.headers(), "vary"), "accept-encoding");
            tags.push(tag);
        }
        tags.sort();
        tags.dedup();
        assert_eq!(tags.len(), 3, "{path}: {tags:?}");
        let other = [("accept-encoding", "gzip"), ("if-none-match", "\"other\"")];
        assert_eq!(ask(&node, Method::GET, path, &other).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn the_documents_of_the_socket_are_served_as_they_are_written() {
    let node = Node::start();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    for (path, file, kind) in [
        ("/docs/PROTOCOL.md", "docs/PROTOCOL.md", "text/markdown; charset=utf-8"),
        ("/asyncapi.yaml", "protocol/asyncapi.yaml", "application/yaml"),
        ("/messages.schema.json", "protocol/messages.schema.json", "application/json"),
        ("/docs/examples/client.html", "docs/examples/client.html", "text/html; charset=utf-8"),
        ("/docs/examples/client.js", "docs/examples/client.js", "text/javascript; charset=utf-8"),
        ("/docs/examples/client.py", "docs/examples/client.py", "text/plain; charset=utf-8"),
    ] {
        let served = get(&node, path, "identity").await;
        assert_eq!((served.status(), text(served.headers(), "content-type")), (StatusCode::OK, kind), "{path}");
        assert_eq!(served.bytes().await.unwrap(), std::fs::read(root.join(file)).unwrap(), "{path}");
    }
}

#[tokio::test]
async fn a_page_is_never_packed_for_a_request() {
    let node = Node::start();
    // Of all that could be asked for only what was packed before comes packed, whatever credentials are claimed.
    for heads in [
        &[("accept-encoding", "zstd")][..],
        &[("accept-encoding", "zstd"), ("authorization", "Bearer guessed")],
        &[("accept-encoding", "zstd"), ("authorization", "Bearer guessed"), ("origin", "https://game.example")],
        &[("accept-encoding", "deflate"), ("origin", "https://game.example")],
    ] {
        for path in [BUNDLE, "/arena/game.js", "/openapi.json", "/openapi.yaml"] {
            let page = ask(&node, Method::GET, path, heads).await;
            assert_eq!(text(page.headers(), "content-encoding"), "", "{path} with {heads:?}");
            assert_eq!(page.status(), StatusCode::OK);
        }
    }
}

#[tokio::test]
async fn a_head_is_that_of_the_get_and_a_range_is_all_of_it() {
    let node = Node::start();
    for accept in ["identity", "gzip", "br"] {
        let whole = get(&node, BUNDLE, accept).await;
        let head = ask(&node, Method::HEAD, BUNDLE, &[("accept-encoding", accept)]).await;
        for name in ["content-length", "content-encoding", "content-type", "etag", "vary"] {
            assert_eq!(text(head.headers(), name), text(whole.headers(), name), "{name} for {accept}");
        }
        assert!(head.bytes().await.unwrap().is_empty());
        let part = ask(&node, Method::GET, BUNDLE, &[("accept-encoding", accept), ("range", "bytes=5-9")]).await;
        assert_eq!(part.status(), StatusCode::OK);
        assert_eq!(part.bytes().await.unwrap(), whole.bytes().await.unwrap());
    }
}

#[tokio::test]
async fn pages_are_counted_by_address_and_by_what_they_weigh() {
    let node = Node::start_with(&["--rate-page", "1/s,12", "--trusted-proxy", "127.0.0.1"]);
    let from = |address| {
        let node = &node;
        async move { ask(node, Method::GET, BUNDLE, &[("x-forwarded-for", address)]).await }
    };
    let first = from("192.0.2.1").await;
    assert_eq!((first.status(), text(first.headers(), "x-ratelimit-limit")), (StatusCode::OK, "12"));
    assert_eq!(text(first.headers(), "x-ratelimit-remaining"), "5", "1.7 MB are seven");
    let refused = from("192.0.2.1").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.headers().contains_key("retry-after"));
    assert_eq!(from("192.0.2.2").await.status(), StatusCode::OK);
    assert!(node.metrics().await.contains("tiltyard_rate_limited_total{kind=\"page\"} 1"));
}
