//! HTTP as other people's clients speak it, over bare sockets: bodies in chunks and packed, heads that are wrong, requests that are
//! refused before their bodies are read. Every answer is ours, and every client knows whether its connection goes on.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Node, PATIENCE, plain_rules};

/// Bytes of a body at the most.
const BODY_BYTES: usize = 256 * 1024;

/// A connection.
struct Wire {
    socket: TcpStream,
    came: Vec<u8>,
}

/// An answer.
struct Reply {
    status: u16,
    /// In lower case.
    head: String,
    body: Vec<u8>,
}

impl Wire {
    fn to(node: &Node) -> Self {
        let socket = TcpStream::connect(node.url.strip_prefix("http://").unwrap()).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { socket, came: Vec::new() }
    }

    /// Sends it; a connection that was closed meanwhile takes no more.
    fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.socket.write_all(bytes.as_ref());
        self
    }

    /// Nothing more is sent.
    fn done(&mut self) -> &mut Self {
        self.socket.shutdown(Shutdown::Write).unwrap();
        self
    }

    fn answer(&mut self) -> Reply {
        self.answer_to("GET")
    }

    fn answer_to(&mut self, method: &str) -> Reply {
        loop {
            let head = self.until(|came| came.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4));
            let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
            let status = head.strip_prefix("http/1.1 ").unwrap_or_else(|| panic!("{head}"))[..3].parse().unwrap();
            if status == 100 {
                continue;
            }
            let length = field(&head, "content-length").map_or(0, |length| length.parse().unwrap());
            let length = if method == "HEAD" { 0 } else { length };
            let body = self.until(|came| (came.len() >= length).then_some(length));
            return Reply { status, head, body };
        }
    }

    /// Whether the connection is closed, in order.
    fn ends(&mut self) -> bool {
        self.came.is_empty() && matches!(self.socket.read(&mut [0]), Ok(0))
    }

    /// The bytes up to where `end` says, as soon as it does.
    fn until(&mut self, end: impl Fn(&[u8]) -> Option<usize>) -> Vec<u8> {
        let mut space = vec![0; 64 * 1024];
        loop {
            if let Some(end) = end(&self.came) {
                return self.came.drain(..end).collect();
            }
            let count = self.socket.read(&mut space).unwrap_or_else(|error| panic!("{error} after {:?}", self.text()));
            assert!(count > 0, "the end after {:?}", self.text());
            self.came.extend_from_slice(&space[..count]);
        }
    }

    fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.came)
    }

    /// The connection goes on, or the answer has said that it does not.
    fn goes_on_or_was_told(mut self, reply: &Reply) {
        if field(&reply.head, "connection").is_some_and(|value| value.contains("close")) {
            assert!(self.ends(), "{}", reply.head);
        } else {
            assert_eq!(self.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 200, "{}", reply.head);
        }
    }
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&self.body)))
    }

    /// It is an error as all are, with this reason.
    fn is_error(&self, status: u16, reason: &str) -> &Self {
        assert_eq!(self.status, status, "{}{}", self.head, String::from_utf8_lossy(&self.body));
        let body = self.json();
        assert_eq!((&body["code"], &body["details"]["reason"]), (&json!(status), &json!(reason)), "{body}");
        assert!(body["message"].as_str().is_some_and(|message| !message.is_empty()), "{body}");
        assert_eq!(field(&self.head, "content-type"), Some("application/json"));
        assert!(field(&self.head, "x-request-id").is_some_and(|id| !id.is_empty()), "{}", self.head);
        self
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// A body that makes a session.
fn session() -> String {
    json!({ "type": "custom", "player_id": Uuid::new_v4(), "metadata": { "é": "\u{1F40E}".repeat(40) } }).to_string()
}

/// A POST without its body and the head's end.
fn post(path: &str, token: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n")
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::default());
    packer.write_all(bytes).unwrap();
    packer.finish().unwrap()
}

#[test]
fn bodies_in_chunks_are_taken_however_they_are_cut() {
    let node = Node::start();
    let token = node.service();
    let head = post("/sessions", &token) + "Transfer-Encoding: chunked\r\n\r\n";
    let body = session().into_bytes();
    let bytewise: Vec<u8> = body.chunks(1).flat_map(chunk).collect();
    let odd = [
        format!("{:X};name=\"va\\\"lue\"\r\n", 10).as_bytes(),
        &body[..10],
        format!("\r\n000{:x} \t\r\n", body.len() - 10).as_bytes(),
        &body[10..],
        b"\r\n00;last\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\n",
    ]
    .concat();
    let last = &b"0\r\n\r\n"[..];
    let mut wire = Wire::to(&node);
    // As clients do it: of a stream that is one buffer, byte by byte, with what nobody writes but is allowed.
    for (name, body) in [("one", [&chunk(&body), last].concat()), ("bytes", [&bytewise, last].concat()), ("odd", odd)] {
        let reply = wire.send(&head).send(&body).answer();
        assert_eq!(reply.status, 201, "{name}: {}", String::from_utf8_lossy(&reply.body));
        for piece in [head.as_bytes(), &body].concat().chunks(97) {
            wire.send(piece);
        }
        assert_eq!(wire.answer().status, 201, "{name} in pieces");
    }
    // The next request is where the body ends, sent with it or later.
    let both = [head.as_bytes(), &chunk(&body), last, b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    assert_eq!((wire.send(both).answer().status, wire.answer().status), (201, 200));
    let empty = post("/sessions", &token) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    wire.send(empty).answer().is_error(400, "validation_failed");
    let text = head.replace("application/json", "text/plain");
    let reply = wire.send(text).send(chunk(&body)).send(last).answer();
    reply.is_error(415, "unsupported_media_type");
    wire.goes_on_or_was_told(&reply);
}

#[test]
fn bodies_in_chunks_are_bounded_and_nothing_is_smuggled_behind_one() {
    let node = Node::start();
    let token = node.service();
    let head = post("/sessions", &token);
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");

    // More than is taken: the answer is there although the client goes on.
    let mut wire = Wire::to(&node);
    wire.send(&chunked);
    for _ in 0..32 {
        wire.send(chunk(&[b' '; 16 * 1024]));
    }
    let reply = wire.answer();
    reply.is_error(413, "body_too_large");
    wire.goes_on_or_was_told(&reply);
    let mut wire = Wire::to(&node);
    let full = [session().as_bytes(), &vec![b' '; BODY_BYTES - session().len()]].concat();
    assert_eq!(wire.send(&chunked).send(chunk(&full)).send("0\r\n\r\n").answer().status, 201, "as much as is taken");

    // None of these bodies ends, so what is behind them is no request.
    let behind = "\r\n0\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    for bad in ["x", "5 5\r\nhello", "-1\r\n", "5\nhello", "2\r\n{}x", "fffffffffffffffff\r\n", "0\r\nno field\n\r\r"] {
        let mut wire = Wire::to(&node);
        let reply = wire.send(&chunked).send(format!("{bad}{behind}")).answer();
        reply.is_error(400, "bad_request");
        wire.goes_on_or_was_told(&reply);
    }
    // Two lengths, and codings that nobody here knows, are no body at all.
    for (fields, status) in [
        ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", 400),
        ("transfer-encoding: chunked\r\nTransfer-Encoding: chunked\r\n", 400),
        ("Transfer-Encoding: gzip, chunked\r\n", 501),
        ("Transfer-Encoding: identity\r\n", 501),
        ("Transfer-Encoding: xchunked\r\n", 501),
    ] {
        let mut wire = Wire::to(&node);
        let reply = wire.send(format!("{head}{fields}\r\n0\r\n\r\n")).send(behind).answer();
        reply.is_error(status, "bad_request");
        wire.goes_on_or_was_told(&reply);
    }
}

#[test]
fn packed_bodies_are_taken_and_never_unpacked_beyond_the_bound() {
    let node = Node::start();
    let token = node.service();
    let mut wire = Wire::to(&node);
    let mut send = |method_path: &str, fields: &str, body: &[u8]| {
        let head = post("/", &token).replacen("POST /", method_path, 1);
        let head = format!("{head}{fields}\r\nContent-Length: {}\r\n\r\n", body.len());
        wire.send(head).send(body).answer()
    };
    let made = send("POST /sessions", "Content-Encoding: gzip", &gzip(session().as_bytes()));
    assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
    let path = format!("/v1/session/sessions/{}", made.json()["session_id"].as_str().unwrap());
    let packed = gzip(br#"{"metadata":{"a":1}}"#);
    let changed = send(&format!("PUT {path}"), "Content-Encoding: X-GZIP", &packed);
    assert_eq!((changed.status, &changed.json()["metadata"]["a"]), (200, &json!(1)));
    assert_eq!(send(&format!("DELETE {path}"), "Content-Encoding: gzip", &gzip(br#"{"reason":"x"}"#)).status, 200);
    assert_eq!(send(&format!("DELETE {path}"), "Content-Encoding: br", b"").status, 200, "of nothing");

    let bomb = gzip(&vec![b' '; 100 << 20]);
    assert!(bomb.len() < BODY_BYTES);
    send("POST /sessions", "Content-Encoding: gzip", &bomb).is_error(413, "body_too_large");
    send("POST /combat/sessions", "Content-Encoding: gzip", b"{}").is_error(400, "bad_request");
    send("POST /sessions", "Content-Encoding: gzip", &packed[..packed.len() - 1]).is_error(400, "bad_request");
    for coding in ["br", "deflate", "gzip, gzip"] {
        let reply = send("POST /sessions", &format!("Content-Encoding: {coding}"), &packed);
        reply.is_error(415, "unsupported_media_type");
        assert_eq!(field(&reply.head, "accept-encoding"), Some("gzip"));
    }
    let last = send("POST /sessions", "Content-Encoding: identity", session().as_bytes());
    assert_eq!(last.status, 201);
    wire.goes_on_or_was_told(&last);
}

#[test]
fn who_takes_no_form_at_all_is_answered_as_if_it_had_not_said_so() {
    let node = Node::start();
    let token = node.service();
    let mut wire = Wire::to(&node);
    for accept in ["identity;q=0", "*;q=0", "identity;q=0, *;q=0", "gzip;q=0, identity; q=0.0", "br, identity;q=0"] {
        let body = session();
        let head = post("/sessions", &token);
        let made =
            wire.send(format!("{head}Accept-Encoding: {accept}\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
        let made = made.answer();
        assert_eq!(made.status, 201, "{accept}: {}", made.head);
        for path in [&format!("/sessions/{}", made.json()["session_id"].as_str().unwrap()), "/openapi.json", "/livez"] {
            let get = format!("GET {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n");
            let reply = wire.send(format!("{get}Accept-Encoding: {accept}\r\n\r\n")).answer();
            assert_eq!(reply.status, 200, "{path} with {accept}");
        }
    }
    let last = wire.send("GET /x HTTP/1.1\r\nHost: a\r\nAccept-Encoding: *;q=0\r\n\r\n").answer();
    last.is_error(404, "no_route");
    wire.goes_on_or_was_told(&last);
}

/// Refused requests with bodies that nobody needs: how they begin, and what comes of them.
fn refused(node: &Node) -> Vec<(String, u16)> {
    let service = node.service();
    let json = "Host: a\r\nContent-Type: application/json\r\n";
    vec![
        (format!("POST /sessions HTTP/1.1\r\n{json}"), 401),
        (format!("POST /nowhere HTTP/1.1\r\n{json}"), 404),
        (format!("PATCH /sessions HTTP/1.1\r\n{json}"), 405),
        (format!("DELETE /livez HTTP/1.1\r\n{json}"), 405),
        (post("/sessions", &service).replace("json", "xml"), 415),
        (post("/tokens/revocations", "guessed"), 401),
        (format!("POST /guest HTTP/1.1\r\n{json}Origin: https://evil.example\r\n"), 403),
    ]
}

#[test]
fn after_a_refusal_the_connection_goes_on_or_the_client_is_told() {
    let node = Node::start_with(&["--rate-address", "1000/s,10000"]);
    for (head, status) in refused(&node) {
        // The body comes with its head, in chunks, behind it, only when it is asked for, or is very long.
        let (short, long) = (vec![b'{'; 1000], vec![b' '; 1 << 20]);
        for (fields, body) in [
            ("Content-Length: 1000\r\n\r\n", short.clone()),
            ("Transfer-Encoding: chunked\r\n\r\n", [chunk(&short), b"0\r\n\r\n".to_vec()].concat()),
            ("Content-Length: 1000\r\n\r\n", Vec::new()),
            ("Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n", Vec::new()),
            ("Content-Length: 1048576\r\n\r\n", long.clone()),
            ("Transfer-Encoding: chunked\r\n\r\n", chunk(&long)),
        ] {
            let mut wire = Wire::to(&node);
            let reply = wire.send(format!("{head}{fields}")).send(&body).answer();
            let status = if status == 415 && fields.contains("1048576") { 413 } else { status };
            assert_eq!(reply.status, status, "{head}{fields}: {}", String::from_utf8_lossy(&reply.body));
            assert!(reply.json()["details"]["reason"].is_string());
            if body.len() == 1000 {
                assert_eq!(field(&reply.head, "connection"), None, "a short body costs no connection: {}", reply.head);
                assert_eq!(field(&reply.head, "keep-alive"), Some("timeout=75"));
            }
            wire.goes_on_or_was_told(&reply);
        }
    }
    let limited = Node::start_with(&["--rate-address", "1/s,1"]);
    let mut wire = Wire::to(&limited);
    let again = format!("POST /guest HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{}", "x".repeat(9));
    wire.send(&again).answer();
    let reply = wire.send(&again).answer();
    reply.is_error(429, "too_many_requests");
    wire.goes_on_or_was_told(&reply);
}

#[test]
fn who_is_done_with_sending_gets_its_answer() {
    let node = Node::start();
    let token = node.service();
    let body = session();
    let whole = format!("{}Content-Length: {}\r\n\r\n{body}", post("/sessions", &token), body.len());
    let mut wire = Wire::to(&node);
    assert_eq!(wire.send(&whole).done().answer().status, 201);
    assert!(wire.ends());
    let mut wire = Wire::to(&node);
    let two = format!("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n{whole}");
    wire.send(two).done();
    assert_eq!((wire.answer().status, wire.answer().status), (200, 201));
    assert!(wire.ends());
    for (cut, reason) in [(whole.len() - 1, "bad_request"), (20, "bad_request")] {
        let mut wire = Wire::to(&node);
        let reply = wire.send(&whole[..cut]).done().answer();
        reply.is_error(400, reason);
        wire.goes_on_or_was_told(&reply);
    }
    let mut silent = Wire::to(&node);
    assert!(silent.done().ends(), "nothing is answered by nothing");
}

#[test]
fn a_head_that_cannot_be_read_is_refused_as_everything_is() {
    let node = Node::start_with(&["--allow-origin", "https://game.example"]);
    let long = "a".repeat(100_000);
    let fields = "X-Many: y\r\n".repeat(150);
    let and = |fields: &str| format!("GET /livez HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    for (bad, status) in [
        ("GET /livez HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n".to_owned(), 400),
        ("GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n".to_owned(), 400),
        (and("X: a\u{0}b\r\n"), 400),
        (and("X: a\u{7f}b\r\n"), 400),
        (and("X y: a\r\n"), 400),
        (and("Content-Length: -1\r\n"), 400),
        (and("Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
        (and("Content-Length: 99999999999999999999\r\n"), 400),
        (format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (and(&format!("X: {long}\r\n")), 431),
        (and(&fields), 431),
        ("GET /livez HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), 505),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), 400),
        ("GET  /livez HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /liv ez HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400),
        ("GET /livez?a=b c HTTP/2.0\r\nHost: a\r\n\r\n".to_owned(), 400),
    ] {
        let mut wire = Wire::to(&node);
        let good = wire.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").answer();
        assert_eq!(good.status, 200);
        let reply = wire.send(&bad).answer();
        reply.is_error(status, "bad_request");
        assert_eq!(field(&reply.head, "connection"), Some("close"), "{bad:.80}");
        wire.goes_on_or_was_told(&reply);
    }
    let mut wire = Wire::to(&node);
    let mine = "Origin: https://game.example\r\nX-Request-Id: mine-7\r\n";
    let reply = wire.send(format!("GET /livez HTTP/1.1\r\n{mine}\r\n")).answer();
    reply.is_error(400, "bad_request");
    assert_eq!(field(&reply.head, "x-request-id"), Some("mine-7"));
    assert_eq!(field(&reply.head, "access-control-allow-origin"), Some("https://game.example"));
    let mut wire = Wire::to(&node);
    let reply = wire.send("HEAD /livez HTTP/1.1\r\n\r\n").answer_to("HEAD");
    assert!(reply.status == 400 && wire.ends(), "without a body");
    // What came before it is answered before it.
    let mut wire = Wire::to(&node);
    wire.send(
        "GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\n\r\nGET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    );
    assert_eq!((wire.answer().status, wire.answer().status), (200, 400));
    assert!(wire.ends());
}

#[tokio::test]
async fn a_handshake_with_a_body_opens_no_socket() {
    let node = Node::start();
    let fight = node.fight(1, plain_rules()).await;
    let ticket = node.rest().ticket(&node.service(), fight.id, fight.players[0]).await.unwrap();
    let path = ticket.url.strip_prefix("ws://").unwrap().split_once('/').unwrap().1;
    let handshake = format!(
        "GET /{path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    );
    let ping = [0x89, 0x80, 0, 0, 0, 0];
    for (fields, body) in [
        ("Content-Length: 6\r\n\r\n", ping.to_vec()),
        ("Transfer-Encoding: chunked\r\n\r\n", [chunk(&ping), b"0\r\n\r\n".to_vec()].concat()),
        ("Content-Length: 1000000\r\n\r\n", Vec::new()),
    ] {
        let mut wire = Wire::to(&node);
        let reply = wire.send(format!("{handshake}{fields}")).send(body).answer();
        reply.is_error(400, "bad_request");
        wire.goes_on_or_was_told(&reply);
    }
    // The ticket is good still, and what follows a handshake is a frame.
    let mut wire = Wire::to(&node);
    wire.send([format!("{handshake}Content-Length: 0\r\n\r\n").as_bytes(), &ping].concat());
    assert_eq!(wire.answer().status, 101);
    assert_eq!(wire.until(|came| (came.len() >= 2).then_some(2)), [0x8A, 0x00], "a pong");
}

#[test]
fn a_guest_is_made_by_no_page_of_another_site() {
    let node = Node::start_with(&["--allow-origin", "https://game.example"]);
    let host = node.url.strip_prefix("http://").unwrap();
    let mut wire = Wire::to(&node);
    let mut ask = |fields: &str| wire.send(format!("POST /guest HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n")).answer();
    let json = "Content-Type: application/json\r\n";
    for (kind, origin) in [
        ("application/x-www-form-urlencoded", "https://evil.example"),
        ("text/plain", "null"),
        ("application/json", "https://evil.example"),
    ] {
        // The empty line that ends the other heads is behind the body here, where it is nothing.
        ask(&format!("Content-Type: {kind}\r\nOrigin: {origin}\r\nContent-Length: 2\r\n\r\n{{}}"))
            .is_error(403, "bad_origin");
    }
    ask(&format!("{json}Sec-Fetch-Site: cross-site\r\n")).is_error(403, "bad_origin");
    // What no page can leave out, or may say.
    for fields in ["Content-Type: text/plain\r\n", &format!("Origin: http://{host}\r\n"), "Sec-Fetch-Site: none\r\n"] {
        ask(fields).is_error(415, "unsupported_media_type");
    }
    ask(&format!("{json}Content-Length: 2\r\n\r\n[]")).is_error(400, "validation_failed");
    let own = format!("{json}Origin: http://{host}\r\nSec-Fetch-Site: same-origin\r\n");
    let listed = format!("{json}Origin: https://game.example\r\nSec-Fetch-Site: cross-site\r\n");
    for fields in ["", json, &format!("{json}Sec-Fetch-Site: none\r\n"), &own, &listed] {
        let reply = ask(fields);
        assert_eq!(reply.status, 201, "{fields}{}", String::from_utf8_lossy(&reply.body));
        assert!(reply.json()["token"].is_string());
    }
}

#[test]
fn a_page_talks_to_its_own_server_alone() {
    let policy = |node: &Node| {
        let page = Wire::to(node).send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer();
        field(&page.head, "content-security-policy").unwrap().to_owned()
    };
    let own = policy(&Node::start());
    for directive in ["connect-src 'self'", "form-action 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(own.split(';').any(|part| part.trim() == directive), "{own}");
    }
    let advertised = policy(&Node::start_with(&["--advertise", "https://hub.example:8443/a"]));
    let connect = "connect-src 'self' https://hub.example:8443 wss://hub.example:8443";
    assert!(advertised.split(';').any(|part| part.trim() == connect), "{advertised}");
}

#[test]
fn while_it_drains_a_node_says_so_and_serves_then_it_is_gone() {
    let mut node = Node::start_with(&["--drain-seconds", "3"]);
    let mut kept = Wire::to(&node);
    assert_eq!(kept.send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 200);
    let since = Instant::now();
    node.signal("TERM");
    loop {
        let mut new = Wire::to(&node);
        let reply = new.send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").answer();
        if reply.status == 503 {
            reply.is_error(503, "draining");
            assert_eq!(
                (field(&reply.head, "connection"), field(&reply.head, "retry-after")),
                (Some("close"), Some("1"))
            );
            assert!(new.ends());
            break;
        }
        assert!(since.elapsed() < PATIENCE);
    }
    let health = Wire::to(&node).send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n").answer();
    assert_eq!((health.status, &health.json()["status"]), (503, &json!("unhealthy")));
    // Who was connected is served too, and told to go.
    let live = kept.send("GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").answer();
    assert_eq!((live.status, field(&live.head, "connection")), (200, Some("close")));
    assert!(kept.ends());
    while node.is_alive() {
        assert!(since.elapsed() < PATIENCE, "it is gone in the end");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(since.elapsed() >= Duration::from_secs(3), "not before it said");
}

#[test]
fn told_twice_it_stops_at_once() {
    let mut node = Node::start_with(&["--drain-seconds", "300"]);
    let since = Instant::now();
    node.signal("TERM");
    while Wire::to(&node).send("GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n").answer().status != 503 {
        assert!(since.elapsed() < PATIENCE);
    }
    node.signal("INT");
    while node.is_alive() {
        assert!(since.elapsed() < PATIENCE, "it does not wait");
        std::thread::sleep(Duration::from_millis(10));
    }
}
