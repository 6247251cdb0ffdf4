//! Over TLS everything is as it is without: REST, pages, fights, clients that are slow, and the end. What is no handshake, or never becomes
//! one, is over soon, and the certificate is what its files say.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use serde_json::json;
use tempfile::TempDir;
use tiltyard_client::{Order, Trust, Update};
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::authority::{Authority, Issued};
use crate::support::{Fight, Node, PATIENCE, attack, close_code, plain_rules, result, soon, until};

/// A node with a certificate, and who has issued it.
pub struct Secured {
    pub node: Node,
    authority: Authority,
    files: TempDir,
}

impl Secured {
    pub fn start(flags: &[&str]) -> Self {
        let (authority, files) = (Authority::new(), TempDir::new().unwrap());
        write(&files, &authority.issue("127.0.0.1"));
        let [cert, key] = paths(&files);
        let mut node = Node::start_with(&[&["--tls-cert", &cert, "--tls-key", &key], flags].concat());
        node.trust = Trust::authorities(authority.pem.as_bytes()).unwrap();
        assert!(node.url.starts_with("https://127.0.0.1:"), "{}", node.url);
        Self { node, authority, files }
    }

    fn socket(&self) -> TcpStream {
        let socket = TcpStream::connect(self.node.url.strip_prefix("https://").unwrap()).unwrap();
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket
    }

    pub fn client(&self) -> Arc<ClientConfig> {
        self.node.trust.tls().unwrap().unwrap()
    }

    /// A connection over TLS, before its handshake.
    pub fn stream(&self, config: &Arc<ClientConfig>) -> StreamOwned<ClientConnection, TcpStream> {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        StreamOwned::new(ClientConnection::new(Arc::clone(config), name).unwrap(), self.socket())
    }

    /// The certificate that a new connection is shown.
    fn shown(&self) -> Vec<u8> {
        let mut stream = self.stream(&self.client());
        stream.conn.complete_io(&mut stream.sock).unwrap();
        stream.conn.peer_certificates().unwrap()[0].to_vec()
    }

    async fn failures(&self, reason: &str) -> f64 {
        let line = format!("tiltyard_tls_handshake_failures_total{{reason=\"{reason}\"}} ");
        let text = self.node.metrics().await;
        text.lines().find_map(|found| found.strip_prefix(&line)).unwrap().parse().unwrap()
    }
}

fn paths(files: &TempDir) -> [String; 2] {
    ["cert.pem", "key.pem"].map(|name| files.path().join(name).to_str().unwrap().to_owned())
}

fn write(files: &TempDir, issued: &Issued) {
    let [cert, key] = paths(files);
    fs::write(cert, &issued.chain).unwrap();
    fs::write(key, &issued.key).unwrap();
}

const LIVE: &[u8] = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

/// Reads to the end, which has to be told and not only come.
fn read_out(mut stream: impl Read) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_whole_fight_in_both_encodings_beside_rest_and_pages() {
    let secured = Secured::start(&[]);
    let node = &secured.node;
    let mut rules = plain_rules();
    rules["health"] = json!(50);
    let players = vec![Uuid::new_v4(), Uuid::new_v4()];
    let mut fight = node.seats("pvp", players, json!({ "rules": rules })).await;
    for (slot, encoding) in [Encoding::Json, Encoding::MsgPack].into_iter().enumerate() {
        let client = fight.connect(node, slot, encoding).await;
        fight.clients.push(client);
    }
    fight.begin().await;
    for _ in 0..5 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    for client in &mut fight.clients {
        assert_eq!(result(client).await.winner, Some(0));
    }
    // What the server says of itself can be followed.
    let token = node.service();
    let body = json!({ "mode": "pvp", "participants": fight.players });
    let created = node.rest().call(Method::POST, "/combat/sessions", Some(&token), Some(&body)).await.unwrap();
    assert_eq!(created.status, StatusCode::CREATED);
    let location = format!("{}{}", node.url, created.headers["location"].to_str().unwrap());
    let http = node.trust.http().unwrap();
    assert_eq!(http.get(location).bearer_auth(&token).send().await.unwrap().status(), StatusCode::OK);
    let page = http.get(format!("{}/docs/swagger-ui/swagger-ui-bundle.js", node.url)).send().await.unwrap();
    assert!(page.content_length().unwrap() > 500_000);
    assert_eq!(page.content_length().unwrap(), page.bytes().await.unwrap().len() as u64);
    assert!(node.metric("tiltyard_tls_handshakes_total").await >= 3.0);
    assert!(node.metric("tiltyard_tls_certificate_expiry_timestamp_seconds").await > 3.7e9, "2090");
}

#[tokio::test]
async fn large_messages_are_larger_than_records() {
    let secured = Secured::start(&[]);
    let mut fight = secured.node.fight(2, plain_rules()).await;
    let client = &mut fight.clients[0];
    for length in [100, 16_300, 16_384, 40_000, 65_000] {
        let asked = format!(r#"{{"t":"ping","d":{{"n":{length}}}}}{:1$}"#, "", length);
        client.send_raw(asked).await.unwrap();
        let pong = until(client, |update| matches!(update, Update::Pong(_))).await;
        assert!(matches!(pong, Update::Pong(pong) if pong.n == length as u64));
    }
}

#[tokio::test]
async fn who_does_not_read_is_left_out_and_brought_up_to_date() {
    let secured = Secured::start(&["--rate-connection", "off"]);
    let node = &secured.node;
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000_000);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    let (active, rest) = fight.clients.split_first_mut().unwrap();
    let mut hits = 0;
    while node.metric("tiltyard_lagged_total").await < 1.0 {
        for _ in 0..200 {
            active.act(Order::attack(1)).await.unwrap();
        }
        for _ in 0..200 {
            until(active, |update| matches!(update, Update::Ack(_))).await;
        }
        hits += 200;
        assert!(hits < 120_000, "something is left out in the end");
    }
    let slow = &mut rest[0];
    until(slow, |update| matches!(update, Update::Snapshot)).await;
    let last = attack(active, 1).await.unwrap().q;
    while slow.seq() < last {
        until(slow, |_| true).await;
    }
    assert_eq!(slow.view().participants[1].hp, 1_000_000_000 - 10 * (hits + 1));
    assert!(node.metric("tiltyard_conflated_total").await >= 1.0);
}

#[tokio::test]
async fn a_handshake_may_come_byte_by_byte_and_the_next_one_is_short() {
    let secured = Secured::start(&[]);
    let config = secured.client();
    let mut stream = secured.stream(&config);
    let mut hello = Vec::new();
    stream.conn.write_tls(&mut hello).unwrap();
    for byte in hello {
        stream.sock.write_all(&[byte]).unwrap();
    }
    stream.write_all(LIVE).unwrap();
    assert!(read_out(&mut stream).starts_with("HTTP/1.1 200 "));
    let mut again = secured.stream(&config);
    again.write_all(LIVE).unwrap();
    assert!(read_out(&mut again).starts_with("HTTP/1.1 200 "));
    assert_eq!(again.conn.handshake_kind(), Some(rustls::HandshakeKind::Resumed));
    assert_eq!(again.conn.alpn_protocol(), None, "it was not asked for");
    let text = secured.node.metrics().await;
    assert!(text.contains(r#"tiltyard_tls_handshakes_total{kind="resumed"} "#), "{text}");
}

#[tokio::test]
async fn http_is_all_that_is_spoken_over_it_and_who_is_done_with_asking_is_answered() {
    let secured = Secured::start(&[]);
    let mut config = Arc::unwrap_or_clone(secured.client());
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut stream = secured.stream(&Arc::new(config.clone()));
    stream.write_all(LIVE).unwrap();
    stream.conn.send_close_notify();
    stream.flush().unwrap();
    assert!(read_out(&mut stream).starts_with("HTTP/1.1 200 "));
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut stream = secured.stream(&Arc::new(config));
    let refused = stream.conn.complete_io(&mut stream.sock).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidData, "{refused}");
    assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    assert!(secured.failures("incompatible").await >= 1.0);
}

#[tokio::test]
async fn who_speaks_no_tls_is_told_so_and_who_never_ends_is_cut_off() {
    let secured = Secured::start(&[]);
    // Begun first, so that all wait together.
    let silent = secured.socket();
    let mut hello = Vec::new();
    // Whose connection is closed before it says anything.
    secured.stream(&secured.client()).conn.write_tls(&mut hello).unwrap();
    let mut half = secured.socket();
    half.write_all(&hello[..hello.len() / 2]).unwrap();
    let mut gone = secured.socket();
    gone.write_all(&hello[..10]).unwrap();
    gone.shutdown(Shutdown::Write).unwrap();
    assert_eq!(gone.read(&mut [0]).unwrap(), 0);
    for path in ["/livez", "/ws?ticket=a"] {
        let mut plain = secured.socket();
        write!(plain, "GET {path} HTTP/1.1\r\nHost: a\r\nX-Request-Id: mine\r\n\r\n").unwrap();
        let answer = read_out(plain);
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("https://"), "{answer}");
        assert!(answer.contains(r#""reason":"bad_request""#) && answer.contains("x-request-id: mine"), "{answer}");
    }
    // A first message of TLS 1.1 with one cipher of its time.
    let mut old = vec![22, 3, 1, 0, 45, 1, 0, 0, 41, 3, 2];
    old.extend([7; 32]);
    old.extend([0, 0, 2, 0, 47, 1, 0]);
    let mut socket = secured.socket();
    socket.write_all(&old).unwrap();
    let mut alert = Vec::new();
    socket.read_to_end(&mut alert).unwrap();
    assert_eq!((alert[0], &alert[3..6]), (21, &[0, 2, 2][..]), "a fatal alert: {alert:?}");
    // Noise, and a first message that never ends.
    let mut long = vec![22, 3, 1, 64, 0, 1, 0, 250, 0];
    long.resize(5 + 16 * 1024, 0);
    long.extend([22, 3, 1, 64, 0]);
    long.resize(2 * (5 + 16 * 1024), 0);
    for bytes in [vec![0; 600], long] {
        let mut socket = secured.socket();
        let _ = socket.write_all(&bytes);
        // What was not read of it resets the connection.
        let _ = socket.read_to_end(&mut alert);
    }
    let since = Instant::now();
    for mut waiting in [silent, half] {
        assert_eq!(waiting.read(&mut [0]).unwrap(), 0);
    }
    assert!(since.elapsed() < Duration::from_secs(10));
    for (reason, count) in
        [("timeout", 2.0), ("no_tls", 2.0), ("incompatible", 1.0), ("protocol", 2.0), ("closed", 2.0)]
    {
        assert!((secured.failures(reason).await - count).abs() < 0.1, "{reason}");
    }
}

#[tokio::test]
async fn a_new_certificate_is_shown_without_a_restart_and_one_that_does_not_fit_is_not() {
    let secured = Secured::start(&[]);
    let node = &secured.node;
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let first = secured.shown();
    let [cert, key] = paths(&secured.files);
    fs::write(&key, secured.authority.issue("127.0.0.1").key).unwrap();
    node.signal("HUP");
    soon(async { while node.metric("tiltyard_tls_reloads_total").await < 1.0 {} }).await;
    assert_eq!(secured.shown(), first);
    assert!(node.metrics().await.contains(r#"tiltyard_tls_reloads_total{outcome="refused"} 1"#));
    let second = secured.authority.issue("127.0.0.1");
    write(&secured.files, &second);
    node.signal("HUP");
    let since = Instant::now();
    while secured.shown() == first {
        assert!(since.elapsed() < PATIENCE, "the old one is shown on");
    }
    assert_eq!(secured.shown(), CertificateDer::from_pem_slice(&fs::read(cert).unwrap()).unwrap().to_vec());
    // Connections go on, and a client that comes back to a server that it knew is shown the new one, too.
    assert!(attack(&mut fight.clients[0], 1).await.is_ok());
    fight.settle().await;
}

#[tokio::test]
async fn a_connection_goes_with_its_fight_to_another_shard() {
    let secured = Secured::start(&[]);
    let node = &secured.node;
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let (admin, path) = (node.token(&["--admin"]), format!("/combat/sessions/{}/hand-over", fight.id));
    for shard in [0, 1, 0] {
        let body = json!({ "shard": shard });
        let moved = node.rest().call(Method::POST, &path, Some(&admin), Some(&body)).await.unwrap();
        assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
        assert!(attack(&mut fight.clients[0], 1).await.is_ok());
        fight.settle().await;
    }
}

#[tokio::test]
async fn the_end_is_told_over_tls_too() {
    let mut secured = Secured::start(&["--drain-seconds", "0"]);
    let mut fight = secured.node.fight(2, plain_rules()).await;
    let mut raw = upgraded(&secured, &fight).await;
    secured.node.signal("TERM");
    assert_eq!(close_code(&mut fight.clients[0]).await, 1012);
    let mut rest = Vec::new();
    raw.read_to_end(&mut rest).unwrap();
    assert!(rest.windows(2).any(|two| two == 1012u16.to_be_bytes()), "{rest:?}");
    drop(raw);
    let since = Instant::now();
    while secured.node.is_alive() {
        assert!(since.elapsed() < PATIENCE, "it goes on");
        std::thread::yield_now();
    }
}

/// A connection of the second player that has been upgraded.
async fn upgraded(secured: &Secured, fight: &Fight) -> StreamOwned<ClientConnection, TcpStream> {
    let node = &secured.node;
    let ticket = node.rest().ticket(&node.service(), fight.id, fight.players[1]).await.unwrap();
    let (host, path) = ticket.url.strip_prefix("wss://").unwrap().split_once('/').unwrap();
    let mut stream = secured.stream(&secured.client());
    write!(
        stream,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    stream
}

#[test]
fn a_start_without_what_it_should_show_says_what_is_missing_and_makes_nothing() {
    let (authority, files, data) = (Authority::new(), TempDir::new().unwrap(), TempDir::new().unwrap());
    write(&files, &authority.issue("127.0.0.1"));
    let [cert, key] = paths(&files);
    let other = files.path().join("other.pem").to_str().unwrap().to_owned();
    fs::write(&other, authority.issue("127.0.0.1").key).unwrap();
    let folder = data.path().join("data");
    for (flags, said) in [
        (&["--tls-cert", &cert][..], "tls_key: TLS needs a certificate and its key"),
        (&["--tls-key", &key], "tls_cert: TLS needs a certificate and its key"),
        (&["--tls-cert", &cert, "--tls-key", "/nowhere"], "tls-key /nowhere: No such file or directory"),
        (&["--tls-cert", &key, "--tls-key", &key], "there is no certificate in it"),
        (&["--tls-cert", &cert, "--tls-key", &other], "its key is not that of the first certificate in"),
    ] {
        let serve = Command::new(env!("CARGO_BIN_EXE_tiltyard"))
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(&folder)
            .args(flags)
            .output();
        let Output { status, stderr, .. } = serve.unwrap();
        let stderr = String::from_utf8_lossy(&stderr);
        assert!(!status.success() && stderr.contains(said), "{said}: {stderr}");
        assert!(!folder.exists());
    }
}
