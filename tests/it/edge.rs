//! Before anybody is known: connections of those who do not read, do not write or are many, and tickets that are many. None of them
//! is in anybody else's way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use tiltyard_client::{Client, Error, Update};
use tiltyard_protocol::Encoding;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Node, PATIENCE, plain_rules, soon, until};

/// The longest a connection may outlive its client's interest, on a machine with other things to do.
const BOUND: Duration = Duration::from_mins(1);

const LONG_ANSWER: &[u8] = b"GET /docs/swagger-ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: a\r\n\r\n";
const LIVE: &[u8] = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
const HALF_A_HEAD: &[u8] = b"GET /health HTTP/1.1\r\nHost: ";

/// A connection from one of this machine's many addresses that has sent `bytes`.
pub async fn connection(node: &Node, from: u8, bytes: &[u8]) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    socket.bind(SocketAddr::from((Ipv4Addr::new(127, 0, 0, from), 0))).unwrap();
    let mut stream = soon(socket.connect(address(node))).await.unwrap();
    // It may be closed for the next one already.
    let _ = stream.write_all(bytes).await;
    stream
}

fn address(node: &Node) -> SocketAddr {
    node.url.strip_prefix("http://").unwrap().parse().unwrap()
}

/// Asks for the node's health over a new connection.
async fn is_served(node: &Node, from: u8) -> bool {
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, from));
    let client = reqwest::Client::builder().local_address(from).build().unwrap();
    soon(client.get(format!("{}/health", node.url)).send()).await.is_ok_and(|answer| answer.status() == StatusCode::OK)
}

/// Reads the answer to [`LIVE`].
async fn answer_of(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    while !answer.ends_with(r#"{"status":"live"}"#) {
        let mut space = [0; 1024];
        let count = soon(stream.read(&mut space)).await.unwrap();
        assert!(count > 0, "closed after {answer:?}");
        answer.push_str(str::from_utf8(&space[..count]).unwrap());
    }
    answer
}

/// Reads until there is no more.
async fn read_out(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    match tokio::time::timeout(BOUND, stream.read_to_end(&mut text)).await.expect("it is closed") {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn answers_that_nobody_reads_are_given_up_and_others_are_answered_all_along() {
    let node = Node::start();
    let mut held = Vec::new();
    for _ in 0..300 {
        held.push(connection(&node, 1, LONG_ANSWER).await);
    }
    let since = Instant::now();
    while node.metric("tiltyard_write_timeouts_total").await < 300.0 {
        assert!(since.elapsed() < BOUND, "{} of 300", node.metric("tiltyard_write_timeouts_total").await);
        assert!(is_served(&node, 1).await && is_served(&node, 2).await);
    }
    assert!(node.metric("tiltyard_http_connections").await < 10.0);
}

#[tokio::test]
async fn a_byte_now_and_then_is_no_reading() {
    let node = Node::start();
    let mut stream = connection(&node, 1, LONG_ANSWER).await;
    let since = Instant::now();
    let mut byte = [0];
    while node.metric("tiltyard_write_timeouts_total").await < 1.0 {
        assert!(since.elapsed() < BOUND, "it goes on for ever");
        let _ = stream.read(&mut byte).await;
    }
}

#[tokio::test]
async fn requests_whose_answers_are_not_read_are_not_read_either() {
    let node = Node::start();
    let mut stream = connection(&node, 1, LONG_ANSWER).await;
    let requests = LONG_ANSWER.repeat(1_000);
    let mut sent = 0;
    let since = Instant::now();
    // 64 KB each, until the connection is cut off: the kernel and the server take a few of them.
    while node.metric("tiltyard_write_timeouts_total").await < 1.0 {
        assert!(since.elapsed() < BOUND, "it goes on for ever");
        if let Ok(Ok(count)) = tokio::time::timeout(Duration::from_millis(10), stream.write(&requests)).await {
            sent += count;
        }
    }
    assert!(sent < 16 << 20, "{sent} bytes of requests");
    let text = node.metrics().await;
    let pages = text.lines().find(|line| line.starts_with("tiltyard_http_requests_total{route=\"none\"")).unwrap();
    let answered: u32 = pages.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(answered <= 3, "{pages}");
}

#[tokio::test]
async fn who_sends_nothing_or_half_is_closed() {
    let node = Node::start();
    let mut idle = connection(&node, 1, LIVE).await;
    assert!(answer_of(&mut idle).await.starts_with("HTTP/1.1 200"));
    let mut silent = connection(&node, 1, b"").await;
    let mut half = connection(&node, 1, HALF_A_HEAD).await;
    let token = node.player(uuid::Uuid::new_v4());
    let head = "POST /arena/seats HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 9\r\n";
    let mut no_body = connection(&node, 1, format!("{head}Authorization: Bearer {token}\r\n\r\n{{").as_bytes()).await;
    let head = head.replace("Content-Length: 9", "Transfer-Encoding: chunked");
    let dribble = format!("{head}Authorization: Bearer {token}\r\n\r\n1\r\n{{\r\n5;");
    let mut dribbling = connection(&node, 1, dribble.as_bytes()).await;
    assert_eq!(read_out(&mut silent).await, "");
    for stream in [&mut half, &mut no_body, &mut dribbling] {
        let answer = read_out(stream).await;
        assert!(answer.starts_with("HTTP/1.1 408") && answer.contains(r#""reason":"timeout""#), "{answer}");
    }
    // Between two requests there is more time.
    idle.write_all(LIVE).await.unwrap();
    assert!(answer_of(&mut idle).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn with_few_descriptors_who_does_not_read_locks_nobody_out() {
    // 144 connections fit, a quarter of them from one address.
    let node = Node::start_with_descriptors(400, &[]);
    let mut held = Vec::new();
    for count in 0..160 {
        held.push(connection(&node, 1, LONG_ANSWER).await);
        assert!(count % 20 != 0 || is_served(&node, 1).await, "the same address after {count}");
    }
    assert!(is_served(&node, 1).await && is_served(&node, 2).await);
    assert!(node.metric("tiltyard_http_connections").await <= 40.0);
    let evicted = node.metric("tiltyard_connections_evicted_total").await;
    assert!(evicted + node.metric("tiltyard_write_timeouts_total").await >= 100.0, "{evicted}");
}

#[tokio::test]
async fn a_full_node_makes_room_at_the_cost_of_whoever_has_the_most() {
    let node = Node::start_with_descriptors(400, &["--connections-per-address", "200"]);
    let mut held = Vec::new();
    for _ in 0..200 {
        held.push(connection(&node, 1, LONG_ANSWER).await);
    }
    assert!(is_served(&node, 3).await && is_served(&node, 1).await);
    assert!(node.metric("tiltyard_connections_evicted_total").await > 0.0, "of one address with fewer than its bound");
}

#[tokio::test]
async fn sockets_are_not_counted_by_address_and_leave_a_few_connections_to_rest() {
    // 16 connections, 14 of which may be sockets.
    let node = Node::start_with_descriptors(256 + 16, &["--connections-per-address", "4"]);
    let mut ten = node.fight(10, plain_rules()).await;
    let mut four = node.fight(4, plain_rules()).await;
    let service = node.service();
    let (id, player) = (four.id, four.players[0]);
    let ticket = node.rest().ticket(&service, id, player).await.unwrap();
    match Client::connect(&ticket.url, Encoding::Json).await {
        Err(Error::Upgrade(503)) => {}
        other => panic!("{other:?}"),
    }
    assert!(is_served(&node, 1).await && is_served(&node, 2).await);
    for client in ten.clients.iter_mut().chain(&mut four.clients) {
        client.ping(1).await.unwrap();
        until(client, |update| matches!(update, Update::Pong(_))).await;
    }
    drop(ten);
    let since = Instant::now();
    while Client::connect(&ticket.url, Encoding::Json).await.is_err() {
        assert!(since.elapsed() < PATIENCE, "the ticket was not used up, and there is room again");
    }
}

#[tokio::test]
async fn a_player_with_many_tickets_gives_up_its_own_oldest() {
    let node = Node::start();
    let fight = node.fight(2, plain_rules()).await;
    let (rest, service) = (node.rest(), node.service());
    let others = rest.ticket(&service, fight.id, fight.players[1]).await.unwrap();
    let own = node.player(fight.players[0]);
    let mut tickets = Vec::new();
    for _ in 0..17 {
        tickets.push(rest.ticket(&own, fight.id, fight.players[0]).await.unwrap());
    }
    let refused = Client::connect(&tickets[0].url, Encoding::Json).await;
    assert!(matches!(refused, Err(Error::Upgrade(401))), "the oldest is given up: {refused:?}");
    for ticket in [&tickets[1], &tickets[16], &others] {
        Client::connect(&ticket.url, Encoding::Json).await.unwrap();
    }
    assert!(node.metrics().await.contains("tiltyard_tickets_given_up_total{reason=\"player\"} 1"));
    let path = format!("/sessions/{}/tickets", fight.id);
    assert_eq!(rest.call(Method::POST, &path, Some(&own), None).await.unwrap().status, 201, "and none is refused");
}
