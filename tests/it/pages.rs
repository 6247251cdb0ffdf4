//! Pages and API documents are packed once, when the server is built or when the first one asks, and not for every request.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use flate2::read::GzDecoder;
use reqwest::header::HeaderMap;
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde_json::Value;

use crate::support::{Node, soon};

const BUNDLE: &str = "/docs/swagger-ui/swagger-ui-bundle.js";
/// What the build script has packed, as the source text of a table.
const TABLE: &str = include_str!(concat!(env!("OUT_DIR"), "/pages.rs"));

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
        ("/docs/examples/view.js", "docs/examples/view.js", "text/javascript; charset=utf-8"),
        ("/docs/examples/duel.py", "docs/examples/duel.py", "text/plain; charset=utf-8"),
        ("/protocol/kit/README.md", "protocol/kit/README.md", "text/markdown; charset=utf-8"),
        ("/protocol/kit/case.schema.json", "protocol/kit/case.schema.json", "application/json"),
        ("/protocol/kit/cases/actions.json", "protocol/kit/cases/actions.json", "application/json"),
        ("/protocol/kit/make/reference.mjs", "protocol/kit/make/reference.mjs", "text/javascript; charset=utf-8"),
        ("/clients/rust/tests/kit/run.rs", "clients/rust/tests/kit/run.rs", "text/plain; charset=utf-8"),
        ("/protocol/asyncapi.yaml", "protocol/asyncapi.yaml", "application/yaml"),
        ("/protocol/messages.schema.json", "protocol/messages.schema.json", "application/json"),
        ("/protocol/openapi.yaml", "protocol/openapi.yaml", "application/yaml"),
    ] {
        let served = get(&node, path, "identity").await;
        assert_eq!((served.status(), text(served.headers(), "content-type")), (StatusCode::OK, kind), "{path}");
        assert_eq!(served.bytes().await.unwrap(), std::fs::read(root.join(file)).unwrap(), "{path}");
    }
}

#[tokio::test]
async fn the_kit_is_served_whole_and_says_how_to_get_it() {
    let node = Node::start_with(&["--rate-limits", "off"]);
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("protocol/kit");
    let readme = std::fs::read_to_string(folder.join("README.md")).unwrap();
    let entries = std::fs::read_dir(folder.join("cases")).unwrap();
    let mut topics: Vec<String> =
        entries.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    topics.sort();
    assert!(readme.contains(&format!("cases/{{{}}}.json", topics.join(","))), "the README's loop has {topics:?}");
    for topic in topics {
        assert!(readme.contains(&format!("[{topic}](cases/{topic}.json)")), "the README lists {topic}");
        let served = get(&node, &format!("/protocol/kit/cases/{topic}.json"), "br").await;
        assert_eq!((served.status(), text(served.headers(), "content-encoding")), (StatusCode::OK, "br"), "{topic}");
    }
}

/// What a document links to, as it is written there.
fn links(name: &str, text: &str) -> BTreeSet<String> {
    let after = |text: &str, mark: &str, end: &[char]| -> Vec<String> {
        text.split(mark).skip(1).map(|rest| rest.split(end).next().unwrap_or_default().to_owned()).collect()
    };
    let in_words = |text: &str| {
        let prose: String = text.split("```").step_by(2).collect();
        after(&prose, "](", &[')'])
    };
    let found = match name.rsplit('.').next().unwrap_or_default() {
        "md" => in_words(text),
        "html" => ["href=\"", "src=\""].iter().flat_map(|mark| after(text, mark, &['"'])).collect(),
        "json" => ["\"$ref\": \"", "\"$schema\": \""].iter().flat_map(|mark| after(text, mark, &['"'])).collect(),
        "yaml" => {
            let values = ["$ref: ", " url: "].iter().flat_map(|mark| after(text, mark, &['\n']));
            let bare = values.map(|value| value.trim_matches(['\'', '"']).to_owned());
            bare.filter(|value| !value.is_empty()).chain(in_words(text)).collect()
        }
        _ => Vec::new(),
    };
    found.into_iter().filter(|link| !link.contains("://") && !link.starts_with("data:")).collect()
}

/// Whether a document has what a link names behind its `#`.
fn has_anchor(name: &str, text: &str, anchor: &str) -> bool {
    let slug = |heading: &str| -> String {
        let lower = heading.to_lowercase().replace(' ', "-");
        lower.chars().filter(|&c| c.is_alphanumeric() || c == '-' || c == '_').collect()
    };
    match name.rsplit('.').next().unwrap_or_default() {
        "md" => text.lines().any(|line| line.starts_with('#') && slug(line.trim_start_matches(['#', ' '])) == anchor),
        "html" => text.contains(&format!("id=\"{anchor}\"")),
        "json" => serde_json::from_str::<Value>(text).is_ok_and(|json| json.pointer(anchor).is_some()),
        // A place in a document that is read by programs, whose own tests follow them.
        _ => true,
    }
}

/// What was answered, by path.
type Seen = BTreeMap<String, (StatusCode, String)>;

async fn leads_somewhere(node: &Node, seen: &mut Seen, here: &Url, link: &str) -> bool {
    let Ok(there) = here.join(link) else { return false };
    if !seen.contains_key(there.path()) {
        let found = get(node, there.path(), "identity").await;
        seen.insert(there.path().to_owned(), (found.status(), found.text().await.unwrap()));
    }
    let (status, target) = &seen[there.path()];
    let anchor = there.fragment().unwrap_or_default();
    *status == StatusCode::OK && (anchor.is_empty() || has_anchor(there.path(), target, anchor))
}

#[tokio::test]
async fn every_link_of_every_served_document_leads_somewhere() {
    let node = Node::start_with(&["--rate-limits", "off"]);
    let names = TABLE.split("name: \"").skip(1).map(|rest| rest.split('"').next().unwrap());
    let is_document = |name: &&str| ["md", "html", "json", "yaml"].contains(&name.rsplit('.').next().unwrap());
    let documents: Vec<&str> = names.filter(is_document).chain(["openapi.yaml", "openapi.json"]).collect();
    let (mut seen, mut broken, mut followed) = (Seen::new(), Vec::new(), 0);
    for name in &documents {
        let here = Url::parse(&format!("{}/{name}", node.url)).unwrap();
        let text = get(&node, here.path(), "identity").await.text().await.unwrap();
        for link in links(name, &text) {
            followed += 1;
            if !leads_somewhere(&node, &mut seen, &here, &link).await {
                broken.push(format!("{name}: {link}"));
            }
        }
    }
    assert!(broken.is_empty(), "{} of {followed}:\n{}", broken.len(), broken.join("\n"));
    assert!(documents.len() > 25 && followed > 200, "{followed} links of {documents:?}");
    let here = Url::parse(&format!("{}/docs/PROTOCOL.md", node.url)).unwrap();
    for planted in ["../protocol/kit/cases/no.json", "../src/main.rs", "#no-such-part", "../messages.schema.json#/no"] {
        assert!(!leads_somewhere(&node, &mut seen, &here, planted).await, "{planted} is found to be broken");
    }
}

#[test]
fn a_link_is_found_however_a_document_has_it() {
    let of = |name: &str, text: &str| links(name, text).into_iter().collect::<Vec<_>>();
    assert_eq!(of("a.md", "[b](b.md#c), [d](https://d/)\n```\nx[1](2)\n```\n[`e`](../e)"), ["../e", "b.md#c"]);
    assert_eq!(of("a.html", r#"<a href="b/">, <img src="c.svg"> <i src="data:x">"#), ["b/", "c.svg"]);
    assert_eq!(of("a.json", r##"{"$schema": "b.json", "x": {"$ref": "#/x"}}"##), ["#/x", "b.json"]);
    assert_eq!(of("a.yaml", "  url: b.md\n  $ref: 'c.json#/d'\n  text: see [e](f)\n"), ["b.md", "c.json#/d", "f"]);
    assert!(has_anchor("a.md", "# A\n## Who sees what, and `when`\n", "who-sees-what-and-when"));
    assert!(!has_anchor("a.md", "## Who sees\n", "who-sees-what") && !has_anchor("a.json", r#"{"a": 1}"#, "/b"));
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
