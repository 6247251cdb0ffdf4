//! Whoever sends without limit is told once and closed, and nobody else notices.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tiltyard_client::{Client, Error, Order};
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::bare::{Raw, frame, text};
use crate::support::{Fight, Node, PATIENCE, answer, is_active, plain_rules, soon};

/// One shard, so that everybody is beside the flood.
fn node() -> Node {
    Node::start_with(&["--shards", "1"])
}

async fn fight(node: &Node) -> Fight {
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    node.fight(2, rules).await
}

/// A fight whose second player has a raw connection, and that connection's session handle.
async fn with_raw(node: &Node) -> (Fight, Raw, u64) {
    let mut fight = fight(node).await;
    let mut raw = Raw::open(node, fight.id, &node.player(fight.players[1])).unwrap();
    let handle = raw.join(fight.id);
    // The newest connection has the seat.
    fight.clients.truncate(1);
    raw.send(&text(&json!({ "t": "ready", "d": { "s": handle } })));
    fight.clients[0].ready().await.unwrap();
    while !is_active(&fight.clients[0]) {
        soon(fight.clients[0].next()).await.unwrap();
    }
    (fight, raw, handle)
}

/// Every action of a player, one after the other, is acknowledged.
async fn acts(client: &mut Client, times: usize) {
    for _ in 0..times {
        let id = client.act(Order::attack(1)).await.unwrap();
        answer(client, id).await.unwrap();
    }
}

/// What is sent again and again, by what it is called, and the codes it may be closed with.
fn floods(session: Uuid, handle: u64) -> Vec<(&'static str, Vec<u8>, &'static [u16])> {
    let message = |t: &str, d: Value| text(&json!({ "t": t, "d": d }));
    let join = message("join", json!({ "session": session }));
    let leave = message("leave", json!({ "s": handle }));
    let many = |frame: Vec<u8>| frame.repeat(4096_usize.div_ceil(frame.len()));
    let fragmented = [frame(0x01, b"{"), frame(0x00, b" ").repeat(100), frame(0x80, b"}")].concat();
    let large = message("ping", json!({ "n": 1, "x": "x".repeat(60_000) }));
    let fragments = |payload: &[u8]| [frame(0x01, b"{"), frame(0x00, payload).repeat(10_000)].concat();
    vec![
        ("actions", many(action(handle, 1 << 40)), &[4429]),
        ("refused actions", many(action(handle, 0)), &[4429]),
        ("actions of no session", many(action(77, 5)), &[4429]),
        ("application pings", many(message("ping", json!({ "n": 1 }))), &[4429]),
        ("pings", many(frame(0x89, b"")), &[4429]),
        ("pongs", many(frame(0x8A, b"")), &[4429]),
        ("readies", many(message("ready", json!({ "s": handle }))), &[4429]),
        ("leaves of no session", many(message("leave", json!({ "s": 77 }))), &[4429]),
        ("joins of no session", many(message("join", json!({ "session": Uuid::nil() }))), &[4429]),
        // Every join is answered with a snapshot: who does not read them may be too slow before it is too fast.
        ("joins", many(join.clone()), &[4413, 4429]),
        ("joins and leaves", many([join, leave].concat()), &[4413, 4429]),
        ("messages in fragments", fragmented, &[4429]),
        ("large messages", large, &[4429]),
        ("bad messages", many(frame(0x81, b"nonsense")), &[4400]),
        ("empty fragments", fragments(b""), &[1009]),
        ("fragments of a byte", fragments(b" "), &[1009]),
    ]
}

fn action(s: u64, id: u64) -> Vec<u8> {
    text(&json!({ "t": "action", "d": { "s": s, "id": id, "kind": "attack", "to": 0 } }))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_flood_is_closed_and_nobody_else_is_refused_anything() {
    let node = node();
    let mut others = fight(&node).await;
    others.begin().await;
    let mut kinds = floods(Uuid::nil(), 0).len();
    while kinds > 0 {
        kinds -= 1;
        let (its, mut raw, handle) = with_raw(&node).await;
        let (name, bytes, codes) = floods(its.id, handle).swap_remove(kinds);
        let sending = raw.flood(bytes, PATIENCE);
        let reading = tokio::task::spawn_blocking(move || raw.until_the_end());
        // Beside the flood, and at least once.
        acts(&mut others.clients[0], 1).await;
        while !reading.is_finished() {
            acts(&mut others.clients[0], 1).await;
        }
        let (messages, code) = reading.await.unwrap();
        assert!(code.is_some_and(|code| codes.contains(&code)), "{name}: {code:?}");
        let told = messages.iter().filter(|message| message["d"]["reason"] == "rate_limited");
        let told: Vec<_> = told.filter(|message| message["d"]["retry_ms"].as_u64() > Some(0)).collect();
        assert!(told.len() <= 1, "{name} is told once: {told:?}");
        // Who does not read enough is not told either.
        assert!(codes.len() > 1 || told.len() == usize::from(code == Some(4429)), "{name}: {told:?}");
        sending.join().unwrap();
    }
    assert!(node.metric("tiltyard_closed_flood_total").await >= 11.0);
    assert!(node.metric("tiltyard_messages_over_budget_total").await > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_over_the_budget_is_refused_by_its_id_and_whoever_waits_goes_on() {
    let node = Node::start_with(&["--rate-connection", "20/s,40"]);
    let (_fight, mut raw, handle) = with_raw(&node).await;
    let ids = 1..60_u64;
    raw.send(&ids.clone().flat_map(|id| action(handle, id)).collect::<Vec<u8>>());
    let refused = raw.message("refused");
    assert_eq!((&refused["reason"], &refused["s"]), (&json!("rate_limited"), &json!(handle)), "{refused}");
    let (id, retry_ms) = (refused["id"].as_u64().unwrap(), refused["retry_ms"].as_u64().unwrap());
    assert!(ids.contains(&id) && (1..=2_000).contains(&retry_ms), "{refused}");
    tokio::time::sleep(Duration::from_millis(retry_ms)).await;
    raw.send(&action(handle, 100));
    while raw.message("ack")["id"] != 100 {}
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_three_sessions_at_60_hertz_is_never_limited() {
    // More than twice what may come at once.
    const FRAMES: u64 = 360;
    let node = node();
    let (mut fights, token) = (Vec::new(), Uuid::new_v4());
    for _ in 0..3 {
        let mut rules = plain_rules();
        rules["health"] = json!(1_000_000);
        fights.push(node.fight_of("pvp", vec![Uuid::new_v4(), token], json!({ "rules": rules })).await);
    }
    let mut raw = Raw::open(&node, fights[0].id, &node.player(token)).unwrap();
    let handles: Vec<u64> = fights.iter().map(|fight| raw.join(fight.id)).collect();
    for (fight, handle) in fights.iter_mut().zip(&handles) {
        raw.send(&text(&json!({ "t": "ready", "d": { "s": handle } })));
        fight.clients[0].ready().await.unwrap();
        while !is_active(&fight.clients[0]) {
            soon(fight.clients[0].next()).await.unwrap();
        }
    }
    let mut stream = raw.stream.try_clone().unwrap();
    let reading = tokio::task::spawn_blocking(move || {
        let mut acks = 0;
        // The answers of each fight are in their order; between fights of different shards there is none.
        while acks < 3 * FRAMES {
            let (first, payload) = raw.next().expect("not closed");
            if first != 0x81 {
                // A ping: whether this client reads.
                continue;
            }
            let message: Value = serde_json::from_slice(&payload).unwrap();
            match message["t"].as_str() {
                Some("ack") => acks += 1,
                Some("refused" | "error") => panic!("{message}"),
                _ => {}
            }
        }
    });
    let mut every = tokio::time::interval(Duration::from_micros(16_667));
    for id in 1..=FRAMES {
        every.tick().await;
        let bytes: Vec<u8> = handles.iter().flat_map(|&handle| action(handle, id)).collect();
        std::io::Write::write_all(&mut stream, &bytes).unwrap();
    }
    soon(reading).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_closed_for_a_flood_is_shut_out_for_a_while_and_its_opponent_is_not() {
    let node = node();
    let (its, mut raw, handle) = with_raw(&node).await;
    let sending = raw.flood(action(handle, 1).repeat(100), PATIENCE);
    assert_eq!(raw.until_the_end().1, Some(4429));
    sending.join().unwrap();
    let refused = Raw::open(&node, its.id, &node.player(its.players[1])).err().unwrap();
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let retry = refused.lines().find_map(|line| line.strip_prefix("retry-after: ")).expect("Retry-After");
    assert!((1..=5).contains(&retry.parse::<u64>().unwrap()), "{refused}");
    // A service's ticket is for the player.
    let ticket = node.rest().ticket(&node.service(), its.id, its.players[1]).await.unwrap();
    let attempt = Client::connect(&ticket.url, Encoding::Json).await;
    assert!(matches!(attempt, Err(Error::Upgrade(429))), "{attempt:?}");
    let mut other = its.connect(&node, 0, Encoding::Json).await;
    acts(&mut other, 1).await;
    assert!(node.metric("tiltyard_upgrades_refused_total").await >= 2.0);
    // The ticket was not used up, and the time is.
    let mut again = soon(async {
        loop {
            match Client::connect(&ticket.url, Encoding::Json).await {
                Err(Error::Upgrade(429)) => {}
                connected => return connected.unwrap(),
            }
        }
    })
    .await;
    again.join(its.id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_connection_is_no_new_budget() {
    // Nothing comes back in the time of a test.
    let node = Node::start_with(&["--rate-connection", "1/s,100"]);
    let (its, mut raw, handle) = with_raw(&node).await;
    let token = node.player(its.players[1]);
    raw.send(&(1..=60).flat_map(|id| action(handle, id)).collect::<Vec<u8>>());
    while raw.message("ack")["id"] != 60 {}
    raw.hang_up();
    // A newer connection of the player takes its place: the server has seen the end of the one before when it answers.
    let mut next = Raw::open(&node, its.id, &token).unwrap();
    let gone = || async { node.metric("tiltyard_connections").await <= 2.0 };
    soon(async { while !gone().await {} }).await;
    drop(next);
    soon(async { while node.metric("tiltyard_connections").await > 1.0 {} }).await;
    next = Raw::open(&node, its.id, &token).unwrap();
    next.send(&text(&json!({ "t": "ping", "d": { "n": 1 } })).repeat(60));
    let (mut pongs, mut errors) = (0, 0);
    while errors == 0 {
        let (_, payload) = next.next().unwrap();
        let message: Value = serde_json::from_slice(&payload).unwrap();
        pongs += i32::from(message["t"] == "pong");
        errors += i32::from(message["t"] == "error");
    }
    assert!((1..45).contains(&pongs), "{pongs}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_player_has_so_many_connections_and_no_more() {
    let node = Node::start();
    let its = fight(&node).await;
    let token = node.player(its.players[1]);
    // The one that joined counts, too.
    let mut raws: Vec<Raw> = (0..15).map(|_| Raw::open(&node, its.id, &token).unwrap()).collect();
    let ticket = node.rest().ticket(&node.service(), its.id, its.players[1]).await.unwrap();
    let attempt = Client::connect(&ticket.url, Encoding::Json).await;
    assert!(matches!(attempt, Err(Error::Upgrade(429))), "{attempt:?}");
    let host = node.url.replacen("http", "ws", 1);
    let url = format!("{host}/ws?session={}", its.id);
    let attempt = Client::connect_with_token(&url, Encoding::Json, &node.player(its.players[0])).await;
    attempt.expect("others are not concerned");
    raws.pop();
    soon(async { while matches!(Client::connect(&ticket.url, Encoding::Json).await, Err(Error::Upgrade(429))) {} })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_closed_is_not_read_on() {
    let node = node();
    let (_its, mut raw, _) = with_raw(&node).await;
    // Sixteen mistakes, and then as much as it takes.
    raw.send(&frame(0x81, b"nonsense").repeat(16));
    assert_eq!(raw.until_the_end().1, Some(4400));
    let before = node.metric("tiltyard_received_bytes_total").await;
    let sent = raw.flood(vec![0; 64 * 1024], PATIENCE).join().unwrap();
    let read = node.metric("tiltyard_received_bytes_total").await - before;
    assert!(read <= 2.0 * 64.0 * 1024.0, "{read} of {sent}");
    assert!(sent > 0);
}

#[tokio::test]
async fn rates_of_connections_can_be_set_and_switched_off() {
    let node = Node::start_with(&["--rate-connection", "off"]);
    let its = fight(&node).await;
    let mut raw = Raw::open(&node, its.id, &node.player(its.players[1])).unwrap();
    let ping = text(&json!({ "t": "ping", "d": { "n": 1 } }));
    raw.send(&ping.repeat(2_000));
    for _ in 0..2_000 {
        raw.message("pong");
    }
    let answer = its.call(&node, Method::GET, "/health", None).await;
    assert_eq!(answer.status, 200);
}
