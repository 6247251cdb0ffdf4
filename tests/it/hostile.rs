//! Clients that mean harm: frames without end, frames that are none, handshakes that are never finished. They are closed at once and with the
//! right code, take no memory, and nobody waits for them.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tiltyard_client::Client;
use tiltyard_protocol::Encoding;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::bare::{Raw, frame};
use crate::edge;
use crate::support::{Node, PATIENCE, Scale, soon};

/// What is sent first, what is sent after it again and again, and the code that it is closed with.
struct Attack {
    name: &'static str,
    first: Vec<u8>,
    then: Vec<u8>,
    code: u16,
}

/// Of a text that is said to be so long.
fn head(length: u64) -> Vec<u8> {
    [&[0x81, 0xFF][..], &length.to_be_bytes(), &[0; 4]].concat()
}

fn attacks() -> Vec<Attack> {
    let block = vec![b' '; 64 * 1024];
    // Each byte with reserved bits, should it be a head's first.
    let noise: Vec<u8> =
        (0..16 * 1024_u32).flat_map(|no| (no.wrapping_mul(0x9E37_79B1) | 0x7070_7070).to_be_bytes()).collect();
    let long = frame(0x00, &block);
    let attack = |name, first: Vec<u8>, then: Vec<u8>, code| Attack { name, first, then, code };
    let again = |name, bytes: Vec<u8>, code| attack(name, bytes.clone(), bytes, code);
    vec![
        attack("a frame of 64 MiB", head(64 << 20), block.clone(), 1009),
        attack("a frame of 2^63-1 bytes", head(u64::MAX >> 1), block.clone(), 1009),
        attack("a frame of 2^64-1 bytes", head(u64::MAX), block.clone(), 1009),
        attack("a million empty fragments", frame(0x01, b""), frame(0x00, b"").repeat(10_000), 1009),
        attack("a million fragments of a byte", frame(0x01, b" "), frame(0x00, b" ").repeat(10_000), 1009),
        attack("a message of fragments of 64 KiB", frame(0x01, &block), long, 1009),
        again("noise", noise, 1002),
        again("reserved bits", frame(0xC1, b"x"), 1002),
        again("a reserved opcode", frame(0x83, b"x"), 1002),
        again("no mask", vec![0x81, 1, b'x'], 1002),
        again("a ping in fragments", frame(0x09, b"x"), 1002),
        again("a ping of 126 bytes", frame(0x89, &[b'x'; 126]), 1002),
        again("a ping of 2^63-1 bytes", [&[0x89, 0xFF][..], &(u64::MAX >> 1).to_be_bytes(), &[0; 4]].concat(), 1002),
        again("a fragment of nothing", frame(0x80, b"x"), 1002),
        again("a message in a message", frame(0x01, b"x"), 1002),
        again("a close with a code that there is not", frame(0x88, &1005_u16.to_be_bytes()), 1002),
        again("bytes that are no text", frame(0x81, b"\xFF"), 1007),
        again("half a character", frame(0x81, b"\xE2\x82"), 1007),
        again("a surrogate in fragments", [frame(0x01, b"\xED"), frame(0x80, b"\xA0\x80")].concat(), 1007),
        attack("no text in a frame that never ends", [&head(64 * 1024)[..], b"\xC0"].concat(), Vec::new(), 1007),
    ]
}

impl Attack {
    /// How long it takes until the connection is closed.
    fn run(&self, mut raw: Raw) -> Duration {
        let since = Instant::now();
        // It may be closed before it has taken all.
        let _ = std::io::Write::write_all(&mut raw.stream, &self.first);
        let sending = (!self.then.is_empty()).then(|| raw.flood(self.then.clone(), PATIENCE));
        let (_, code) = raw.until_the_end();
        let took = since.elapsed();
        raw.hang_up();
        if let Some(sending) = sending {
            sending.join().unwrap();
        }
        assert_eq!(code, Some(self.code), "{}", self.name);
        took
    }
}

/// A player and a session of its own.
struct Comer {
    session: Uuid,
    token: String,
}

/// So many, so that none is another's budget.
async fn comers(node: &Node, service: &str, count: usize) -> Vec<Comer> {
    let mut comers = Vec::new();
    for _ in 0..count {
        let guest = node.rest().guest().await.unwrap();
        let body = json!({ "type": "custom", "player_id": guest.player_id });
        let made = node.rest().call(Method::POST, "/sessions", Some(service), Some(&body)).await.unwrap();
        let session = made.body["session_id"].as_str().unwrap_or_else(|| panic!("{}", made.body)).parse().unwrap();
        comers.push(Comer { session, token: guest.token });
    }
    comers
}

/// Each of the attacks by each of these in turn; the longest that one took.
fn run_all(attacks: &[Attack], node: &Node, comers: &[Comer]) -> Vec<Duration> {
    let mut longest = vec![Duration::ZERO; attacks.len()];
    for (nth, comer) in comers.iter().enumerate() {
        let attack = nth % attacks.len();
        let took = attacks[attack].run(Raw::open(node, comer.session, &comer.token).unwrap());
        longest[attack] = longest[attack].max(took);
    }
    longest
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_ends_and_what_is_no_frame_is_closed_at_once_and_takes_no_memory() {
    let scale = Scale::of("ROUNDS", 1);
    let node = Node::start_in_small_pages(&["--shards", "1", "--rate-limits", "off"]);
    let attacks = attacks();
    // Sessions stay, and take what they take: they are there before it is looked at what their connections take.
    let (service, count) = (node.service(), attacks.len() * scale.count);
    let (first, then) = (comers(&node, &service, attacks.len()).await, comers(&node, &service, count).await);
    // What is touched once is there from then on.
    run_all(&attacks, &node, &first);
    node.peak_kib();
    let before = node.peak_kib();
    let longest = run_all(&attacks, &node, &then);
    for (attack, longest) in attacks.iter().zip(longest) {
        println!("{}: {}, closed after {longest:.1?} at most", attack.name, attack.code);
        scale.within(longest, Duration::from_secs(1));
    }
    let more = node.peak_kib().saturating_sub(before);
    println!("{count} connections, {more} KiB more at the peak");
    assert!(more <= 1024, "{more} KiB");
}

/// Nothing, half a request, and an upgrade that lacks its end.
const HALVES: [&[u8]; 3] = [
    b"",
    b"GET /health HTTP/1.1\r\nHost: ",
    b"GET /ws?ticket=x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
];

/// Connections from one address, fewer than it may have.
const OF_ONE_ADDRESS: usize = 2_000;

/// How often somebody else connects meanwhile.
const CONNECT_EVERY: Duration = Duration::from_millis(25);

#[tokio::test(flavor = "multi_thread")]
async fn who_never_finishes_asking_is_gone_within_five_seconds_and_others_connect_meanwhile() {
    let scale = Scale::of("HALVES", 300);
    let node = Node::start();
    let guest = node.rest().guest().await.unwrap();
    let body = json!({ "type": "custom", "player_id": guest.player_id });
    let made = node.rest().call(Method::POST, "/sessions", Some(&node.service()), Some(&body)).await.unwrap();
    let url =
        format!("{}/ws?session={}", node.url.replacen("http", "ws", 1), made.body["session_id"].as_str().unwrap());
    let mut ends = JoinSet::new();
    for nth in 0..scale.count {
        let from = u8::try_from(2 + nth / OF_ONE_ADDRESS).unwrap();
        let sent = HALVES[nth % HALVES.len()];
        let mut stream = edge::connection(&node, from, sent).await;
        let since = Instant::now();
        ends.spawn(async move {
            let mut answer = Vec::new();
            soon(stream.read_to_end(&mut answer)).await.unwrap();
            let took = since.elapsed();
            // Ours, too, or the server waits for it.
            let _ = stream.shutdown().await;
            let answer = String::from_utf8(answer).unwrap();
            assert!(if sent.is_empty() { answer.is_empty() } else { answer.starts_with("HTTP/1.1 408 ") }, "{answer}");
            took
        });
    }
    let (mut every, mut connects, mut took) = (tokio::time::interval(CONNECT_EVERY), Vec::new(), Vec::new());
    while took.len() < scale.count {
        tokio::select! {
            ended = ends.join_next() => took.push(ended.unwrap().unwrap()),
            _ = every.tick() => {
                let since = Instant::now();
                let mut client = soon(Client::connect_with_token(&url, Encoding::Json, &guest.token)).await.unwrap();
                connects.push(since.elapsed());
                client.ping(1).await.unwrap();
                soon(client.next()).await.unwrap();
                client.close().await.unwrap();
            }
        }
    }
    took.sort_unstable();
    connects.sort_unstable();
    let (first, last) = (took[0], took[took.len() - 1]);
    let (median, worst) = (connects[connects.len() / 2], connects[connects.len() - 1]);
    println!(
        "{} closed after {first:.2?} to {last:.2?}; {} others connected in {median:.1?}, {worst:.1?} at most",
        took.len(),
        connects.len()
    );
    scale.within(last, Duration::from_secs(5));
    scale.within(worst, Duration::from_millis(200));
}
