//! A socket at any node plays in a session of any node: as it would at the session's own, and with ends that tell the client to come again.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use sqlx::{Connection as _, PgConnection};
use tempfile::TempDir;
use tiltyard::auth::{Hop, TokenKey};
use tiltyard_client::{Client, Connection, Error, Fight, Options, Order, Rest, Status, Told, Trust, Update};
use tiltyard_protocol::{Encoding, Reason};
use uuid::Uuid;

use super::redis::Redis;
use super::{Pair, health, nodes, with_key_of};
use crate::authority::Authority;
use crate::contract::case::{Ask, Case, all};
use crate::postgres::Postgres;
use crate::raw::Raw;
use crate::support::{self, Node, answer, attack, close_code, plain_rules, result, soon, until};

/// Milliseconds in which a client hears that its node is lost.
const TOLD_MS: u64 = 1_000;

/// Where sockets are opened at a node.
fn socket_url(case: &Case) -> String {
    format!("{}/ws", case.node.url.replacen("http", "ws", 1))
}

/// A ticket of the session's node, shown at `front`.
async fn ticket_at(front: &Case, session: Uuid, player: Uuid) -> String {
    let ticket = front.node.rest().ticket(&front.service, session, player).await.unwrap();
    format!("{}?ticket={}", socket_url(front), ticket.ticket)
}

/// A fight at `one` that nobody has joined.
async fn seats(pair: &Pair, players: usize) -> support::Fight {
    let ids = (0..players).map(|_| Uuid::new_v4()).collect();
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000_000);
    pair.one.node.seats("pvp", ids, json!({ "rules": rules })).await
}

/// A joined client of the player in `slot`, by way of `front`.
async fn client_at(front: &Case, fight: &support::Fight, slot: usize, encoding: Encoding) -> Client {
    let url = ticket_at(front, fight.id, fight.players[slot]).await;
    let mut client = Client::connect(&url, encoding).await.unwrap();
    client.join(fight.id).await.unwrap();
    until(&mut client, |update| matches!(update, Update::Snapshot)).await;
    client
}

/// An upgrade of the holder of `token` at `case`.
fn upgrade(case: &Case, query: &str, token: &str) -> Ask {
    let ask = case.ask(Method::GET, &format!("/ws?{query}")).by(token);
    ask.header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
}

/// Waits until so many sockets are relayed by a node.
async fn relayed(case: &Case, count: u32) {
    let since = Instant::now();
    while (case.node.metric("tiltyard_cluster_relayed_sockets").await - f64::from(count)).abs() > 0.5 {
        assert!(since.elapsed() < support::PATIENCE, "relayed sockets");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn players_at_different_nodes_fight_to_the_end_and_see_the_same() {
    let pair = Pair::start().await;
    for encodings in [[Encoding::Json, Encoding::MsgPack], [Encoding::MsgPack, Encoding::Json]] {
        let ids = vec![Uuid::new_v4(), Uuid::new_v4()];
        let mut fight = pair.one.node.seats("pvp", ids, json!({ "rules": plain_rules() })).await;
        for (slot, (front, encoding)) in [&pair.one, &pair.two].into_iter().zip(encodings).enumerate() {
            let client = client_at(front, &fight, slot, encoding).await;
            fight.clients.push(client);
        }
        relayed(&pair.two, 1).await;
        fight.begin().await;
        // The digest of every delta is looked at by the client.
        for _ in 0..9 {
            attack(&mut fight.clients[0], 1).await.unwrap();
            attack(&mut fight.clients[1], 0).await.unwrap();
        }
        fight.settle().await;
        attack(&mut fight.clients[1], 0).await.unwrap();
        for client in &mut fight.clients {
            assert_eq!(result(client).await.winner, Some(1));
        }
        fight.settle().await;
        drop(fight);
        relayed(&pair.two, 0).await;
    }
    let text = pair.two.node.metrics().await;
    let value = |line: &str| -> f64 {
        text.lines().find_map(|told| told.strip_prefix(line)).expect(line).trim().parse().unwrap()
    };
    assert!(value(r#"tiltyard_cluster_relayed_bytes_total{direction="up"}"#) > 1_000.0);
    assert!(value(r#"tiltyard_cluster_relayed_bytes_total{direction="down"}"#) > 4_000.0);
    assert!(pair.two.node.metric("tiltyard_cluster_relay_failures_total").await < 0.5);
    assert!(pair.one.node.metric("tiltyard_cluster_relays_total").await < 0.5, "the fights are its own");
}

#[tokio::test]
async fn a_room_and_a_presence_are_joined_by_way_of_another_node() {
    let pair = Pair::start().await;
    let player = Uuid::new_v4();
    for kind in ["custom", "player"] {
        let session = pair.one.create(kind, player).await;
        let url = ticket_at(&pair.two, session.id(), player).await;
        let mut client = Client::connect(&url, Encoding::Json).await.unwrap();
        client.join(session.id()).await.unwrap();
        soon(client.next()).await.unwrap();
        let id = if kind == "custom" { client.patch(&json!({ "a": 1 }), None).await } else { client.beat().await };
        answer(&mut client, id.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_ticket_is_used_up_once_wherever_it_is_shown() {
    let pair = Pair::start().await;
    let fight = seats(&pair, 2).await;
    let refused = |url: String| async move {
        match Client::connect(&url, Encoding::Json).await {
            Err(Error::Upgrade(status)) => status,
            other => panic!("{other:?}"),
        }
    };
    // Of which node it was asked makes no difference: it is made by the session's.
    for (asked, first) in [(&pair.one, &pair.two), (&pair.two, &pair.one), (&pair.two, &pair.two)] {
        let ticket = ticket_at(asked, fight.id, fight.players[0]).await;
        let ticket = ticket.split_once("ticket=").unwrap().1;
        let at = |case: &Case| format!("{}?ticket={ticket}", socket_url(case));
        let mut client = Client::connect(&at(first), Encoding::Json).await.unwrap();
        client.join(fight.id).await.unwrap();
        until(&mut client, |update| matches!(update, Update::Snapshot)).await;
        for again in [&pair.one, &pair.two] {
            assert_eq!(refused(at(again)).await, 401);
        }
    }
}

#[tokio::test]
async fn what_is_refused_is_refused_as_at_the_sessions_node() {
    let pair = Pair::start_with(&["--rate-player", "1/s,4"]).await;
    let fight = seats(&pair, 2).await;
    let query = format!("session={}", fight.id);
    let player = |id: Uuid| pair.two.node.player(id);
    upgrade(&pair.two, &query, &player(fight.players[0])).anonymous().refused(401, "unauthorized").await;
    upgrade(&pair.two, &query, "forged").refused(401, "unauthorized").await;
    upgrade(&pair.two, "ticket=forged", "").anonymous().refused(401, "unauthorized").await;
    upgrade(&pair.two, &query, &pair.two.service).refused(403, "forbidden").await;
    upgrade(&pair.two, &query, &player(Uuid::new_v4())).refused(404, "no_session").await;
    let ask = upgrade(&pair.two, &query, &player(fight.players[0])).header("origin", "https://evil.example");
    ask.refused(403, "bad_origin").await;
    let ask = upgrade(&pair.two, &query, &player(fight.players[0])).header("sec-websocket-protocol", "other");
    ask.refused(400, "bad_request").await;
    let login = pair.one.create("auth", fight.players[1]).await;
    let ask = upgrade(&pair.two, &format!("session={}", login.id()), &player(fight.players[1]));
    ask.refused(409, "wrong_type").await;
    let room = pair.one.create("custom", fight.players[1]).await;
    pair.one.delete(&room.path("")).expect(200).await;
    let ask = upgrade(&pair.two, &format!("session={}", room.id()), &player(fight.players[1]));
    ask.refused(409, "session_ended").await;
    // The answer is the other node's own, with this one's name for the request.
    let ask = upgrade(&pair.two, &query, &player(Uuid::new_v4())).header("x-request-id", "mine");
    assert_eq!(ask.refused(404, "no_session").await.header("x-request-id").as_deref(), Some("mine"));
    // A player's quota: the rest of four.
    let eager = player(Uuid::new_v4());
    for _ in 0..4 {
        upgrade(&pair.two, &query, &eager).refused(404, "no_session").await;
    }
    let refused = upgrade(&pair.two, &query, &eager).refused(429, "too_many_requests").await;
    assert!(refused.header("retry-after").is_some());
}

#[tokio::test]
async fn a_player_has_as_many_connections_as_at_one_node() {
    let pair = Pair::start().await;
    let fight = seats(&pair, 2).await;
    let player = fight.players[0];
    let here = pair.two.fight(&[player, Uuid::new_v4()]).await;
    let mut held = Vec::new();
    for n in 0..16 {
        // Own sockets and relayed ones are the same to the node that is connected to.
        let session = if n % 2 == 0 { fight.id } else { here.id() };
        let url = ticket_at(&pair.two, session, player).await;
        held.push(Client::connect(&url, Encoding::Json).await.unwrap());
    }
    for session in [fight.id, here.id()] {
        let query = format!("session={session}");
        let token = pair.two.node.player(player);
        upgrade(&pair.two, &query, &token).refused(429, "too_many_connections").await;
    }
    // They are given back.
    held.drain(..8);
    relayed(&pair.two, 4).await;
    let url = ticket_at(&pair.two, fight.id, player).await;
    held.push(Client::connect(&url, Encoding::Json).await.unwrap());
}

#[tokio::test]
async fn a_relayed_client_that_does_not_read_costs_only_itself() {
    let pair = Pair::start_with(&["--rate-connection", "off"]).await;
    let mut fight = seats(&pair, 3).await;
    for (slot, front) in [(0, &pair.one), (1, &pair.two)] {
        let client = client_at(front, &fight, slot, Encoding::Json).await;
        fight.clients.push(client);
    }
    let mut slow = Raw::at(&ticket_at(&pair.two, fight.id, fight.players[2]).await);
    slow.say(&[json!({ "t": "join", "d": { "session": fight.id } })]);
    slow.until("snapshot");
    slow.say(&[json!({ "t": "ready", "d": { "s": handle(fight.id) } })]);
    fight.begin().await;
    let [active, other] = &mut fight.clients[..] else { panic!("two") };
    // Some 3 MB of deltas.
    for _ in 0..400 {
        for _ in 0..50 {
            active.act(Order::attack(2)).await.unwrap();
        }
        for _ in 0..50 {
            until(active, |update| matches!(update, Update::Ack(_))).await;
        }
        let seq = active.seq();
        while other.seq() < seq {
            until(other, |_| true).await;
        }
    }
    assert_eq!(other.missed(), None, "who reads misses nothing");
    let heard = slow.until("snapshot");
    let waited: usize = heard.iter().map(|(_, bytes)| bytes).sum::<usize>() - heard.last().unwrap().1;
    // What may wait for a client at its own node, and what the relay's two sockets and its buffer have besides.
    assert!(waited <= 1024 * 1024, "{waited} bytes");
    let mut q = heard.last().unwrap().0["d"]["q"].as_u64().unwrap();
    let last = attack(active, 1).await.unwrap().q;
    while q < last {
        let (message, _) = slow.hear().unwrap();
        q = message["d"]["q"].as_u64().unwrap();
    }
}

/// What a session is called in messages.
fn handle(session: Uuid) -> u64 {
    (session.as_u128() & 0xFFFF_FFFF) as u64
}

#[tokio::test]
async fn when_the_sessions_node_is_killed_its_clients_are_told_and_come_back_the_same_way() {
    let mut pair = Pair::start().await;
    let mut fight = pair.one.node.seats("pvp", vec![Uuid::new_v4(), Uuid::new_v4()], json!({})).await;
    let mut plain = client_at(&pair.two, &fight, 0, Encoding::MsgPack).await;
    let (front, token, session, player) = (socket_url(&pair.two), pair.two.service.clone(), fight.id, fight.players[1]);
    let rest = pair.two.node.rest();
    let tried = Arc::new(Mutex::new(0));
    let options = Options::new(move || {
        let (rest, token, front): (Rest, String, String) = (rest.clone(), token.clone(), front.clone());
        *tried.lock().unwrap() += 1;
        async move {
            let mut ticket = rest.ticket(&token, session, player).await?;
            ticket.url = format!("{front}?ticket={}", ticket.ticket);
            Ok(ticket)
        }
    });
    let mut connection = Connection::new(options);
    let key = connection.join::<Fight>(session);
    connection[key].ready();
    plain.ready().await.unwrap();
    soon(async {
        while !connection[key].is_on() {
            connection.next().await.unwrap();
        }
    })
    .await;
    let place = |connection: &Connection| connection[key].me().map(|me| (me.x, me.y)).unwrap();
    let told = async |connection: &mut Connection, is_it: &dyn Fn(&Told) -> bool| {
        soon(async {
            loop {
                let (_, told) = connection.next().await.expect("it is not closed");
                assert!(!matches!(told, Told::Drift(_) | Told::Error(_)), "{told:?}");
                if is_it(&told) {
                    return;
                }
            }
        })
        .await;
    };
    let (x, y) = place(&connection);
    let id = connection[key].act(Order::walk(x, y + 20)).unwrap();
    told(&mut connection, &|told| matches!(told, Told::Ack(ack) if ack.id == id)).await;

    pair.one.node.kill();
    let since = Instant::now();
    assert_eq!(close_code(&mut plain).await, 1012);
    assert!(since.elapsed() < Duration::from_millis(TOLD_MS), "{:?}", since.elapsed());
    let url = format!("session={session}");
    let refused = upgrade(&pair.two, &url, &pair.two.node.player(fight.players[0]));
    let refused = refused.refused(503, "node_unavailable").await;
    assert_eq!((&refused.body["details"]["node"], &refused.body["details"]["retry_ms"]), (&json!("one"), &json!(300)));
    pair.one.node.start_again();
    nodes(&pair.two, 2).await;
    told(&mut connection, &|told| matches!(told, Told::Status(Status::Waiting | Status::Connecting))).await;
    told(&mut connection, &|told| matches!(told, Told::Status(Status::Live))).await;
    assert_eq!(place(&connection), (x, y + 20), "what was acknowledged is there");
    let id = connection[key].act(Order::walk(x, y + 40)).unwrap();
    told(&mut connection, &|told| matches!(told, Told::Ack(ack) if ack.id == id)).await;
    assert!(pair.two.node.metric("tiltyard_cluster_relay_failures_total").await > 1.5, "two were lost");
    fight.clients.clear();
}

#[tokio::test]
async fn when_the_sessions_node_hangs_its_clients_are_told_as_soon_as_it_is_known() {
    let pair = Pair::start().await;
    let fight = seats(&pair, 2).await;
    let mut client = client_at(&pair.two, &fight, 0, Encoding::Json).await;
    pair.one.node.signal("STOP");
    let since = Instant::now();
    assert_eq!(close_code(&mut client).await, 1012);
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    pair.one.node.signal("CONT");
    nodes(&pair.two, 2).await;
    client_at(&pair.two, &fight, 0, Encoding::Json).await;
}

#[tokio::test]
async fn a_node_that_stops_says_so_to_those_it_relays_and_their_fight_goes_on() {
    let mut pair = Pair::start_with(&["--drain-seconds", "0"]).await;
    let mut fight = seats(&pair, 2).await;
    for (slot, front) in [&pair.one, &pair.two].into_iter().enumerate() {
        let client = client_at(front, &fight, slot, Encoding::Json).await;
        fight.clients.push(client);
    }
    fight.begin().await;
    let (here, there) = fight.clients.split_first_mut().unwrap();
    // Whatever is under way at that moment, the client hears it between two frames.
    let hitting = async {
        for _ in 0..200 {
            attack(here, 1).await.unwrap();
        }
    };
    pair.two.node.signal("TERM");
    let since = Instant::now();
    let (code, ()) = tokio::join!(close_code(&mut there[0]), hitting);
    assert_eq!(code, 1012);
    while pair.two.node.is_alive() {
        assert!(since.elapsed() < Duration::from_secs(8), "it ends");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    fight.clients[1] = client_at(&pair.one, &fight, 1, Encoding::Json).await;
    attack(&mut fight.clients[1], 0).await.unwrap();
    fight.settle().await;
}

#[tokio::test]
async fn an_upgrade_is_relayed_once_and_a_word_that_is_not_its_own_is_refused() {
    let pair = Pair::start().await;
    let fight = seats(&pair, 2).await;
    let player = fight.players[0];
    let token = pair.one.node.player(player);
    let query = format!("session={}", fight.id);
    for case in [&pair.one, &pair.two] {
        for forged in ["", "127.0.0.1", token.as_str()] {
            let refused = upgrade(case, &query, &token).header("x-tiltyard-hop", forged);
            assert_eq!(refused.refused(403, "forbidden").await.body["details"]["header"], "x-tiltyard-hop");
        }
    }
    let key = TokenKey::open(pair.one.node.data.path()).unwrap();
    let instances = pair.redis.ask("SMEMBERS {tiltyard}:nodes");
    let instance = |name: &str| instances.lines().find(|line| line.starts_with(&format!("{name}#"))).unwrap();
    let word = |to: &str, target: &str| {
        Hop { from: "one".to_owned(), to: to.to_owned(), client: [192, 0, 2, 1].into() }.sign(&key, "GET", target)
    };
    let target = format!("/ws?{query}");
    // For another process, or another session.
    for said in [word(instance("one"), &target), word(instance("two"), "/ws?session=other")] {
        upgrade(&pair.two, &query, &token).header("x-tiltyard-hop", &said).refused(403, "forbidden").await;
    }
    // By way of another node, and not here: it is not sent on.
    let said = word(instance("two"), &target);
    let refused = upgrade(&pair.two, &query, &token).header("x-tiltyard-hop", &said);
    let refused = refused.refused(421, "session_elsewhere").await;
    assert_eq!(
        (&refused.body["details"]["node"], &refused.body["details"]["url"]),
        (&json!("one"), &json!(pair.one.node.url))
    );
}

#[tokio::test]
async fn what_was_remembered_of_a_sessions_node_is_looked_up_again_where_it_is_no_longer_so() {
    let pair = Pair::start().await;
    let flags = ["--node", "three", "--database", &pair.database, "--redis", &pair.redis.url()];
    let three = Case::of(Node::start_on_with(with_key_of(&pair.one.node), &flags));
    for case in [&pair.one, &pair.two, &three] {
        nodes(case, 3).await;
    }
    let room = pair.one.create("custom", Uuid::new_v4()).await;
    let mut store = PgConnection::connect(&pair.database).await.unwrap();
    let mut lives_at = async |node: &str| {
        let moved = sqlx::query("UPDATE sessions SET node = $2 WHERE id = $1").bind(room.id()).bind(node.to_owned());
        assert_eq!(moved.execute(&mut store).await.unwrap().rows_affected(), 1);
    };
    let player: Uuid = room.text("player_id").parse().unwrap();
    let token = pair.two.node.player(player);
    let url = format!("{}?session={}", socket_url(&pair.two), room.id());
    lives_at("three").await;
    pair.two.get(&room.path("")).by(&token).await;
    lives_at("one").await;
    let mut client = Client::connect_with_token(&url, Encoding::Json, &token).await.unwrap();
    client.join(room.id()).await.unwrap();
    soon(client.next()).await.unwrap();
    assert!(client.room().is_some());
    // Where two nodes say of each other that it is there, nobody is sent to and fro.
    drop(client);
    pair.one.delete(&room.path("")).expect(200).await;
}

#[tokio::test]
async fn a_second_session_over_a_relayed_socket_is_of_the_same_node_or_told_where_it_is() {
    let pair = Pair::start().await;
    let fight = seats(&pair, 2).await;
    let player = fight.players[0];
    let with = pair.one.fight(&[player, Uuid::new_v4()]).await;
    let here = pair.two.fight(&[player, Uuid::new_v4()]).await;
    let url = format!("{}?session={}", socket_url(&pair.two), fight.id);
    let token = pair.two.node.player(player);
    let mut client = Client::connect_with_token(&url, Encoding::MsgPack, &token).await.unwrap();
    client.join(with.id()).await.unwrap();
    until(&mut client, |update| matches!(update, Update::Snapshot)).await;
    let mut client = Client::connect_with_token(&url, Encoding::MsgPack, &token).await.unwrap();
    client.join(here.id()).await.unwrap();
    match soon(client.next()).await {
        Err(Error::Notice { reason, url, .. }) => {
            assert_eq!((reason, url), (Reason::SessionElsewhere, Some(pair.two.node.url.clone())));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tries_with_a_used_ticket_are_counted_by_the_clients_address_at_both_nodes() {
    let pair = Pair::start_with(&["--trusted-proxy", "127.0.0.1", "--rate-address", "1/s,3"]).await;
    let fight = seats(&pair, 2).await;
    let url = ticket_at(&pair.two, fight.id, fight.players[0]).await;
    let query = url.split_once('?').unwrap().1.to_owned();
    let _held = Client::connect(&url, Encoding::Json).await.unwrap();
    let from = |case: &Case, address: &str| upgrade(case, &query, "").anonymous().header("x-forwarded-for", address);
    for _ in 0..3 {
        from(&pair.two, "192.0.2.1").refused(401, "unauthorized").await;
    }
    for case in [&pair.two, &pair.one] {
        from(case, "192.0.2.1").refused(429, "too_many_requests").await;
        from(case, "192.0.2.2").refused(401, "unauthorized").await;
    }
}

#[tokio::test]
async fn a_node_is_not_held_to_what_one_address_may_have_of_connections() {
    let pair = Pair::start_with(&["--connections-per-address", "3"]).await;
    let mut fights = Vec::new();
    for case in [&pair.one, &pair.two] {
        fights.push(case.fight(&[Uuid::new_v4(), Uuid::new_v4()]).await);
    }
    // Each node has had the other's word from 127.0.0.1, where the test is, too.
    for (fight, front) in fights.iter().zip([&pair.two, &pair.one]) {
        front.get(&fight.path("")).expect(200).await;
    }
    let mut urls = Vec::new();
    for _ in 0..24 {
        let player = Uuid::new_v4();
        let fight = pair.one.fight(&[player, Uuid::new_v4()]).await;
        urls.push(ticket_at(&pair.two, fight.id(), player).await);
    }
    let opened = all(urls.into_iter().map(|url| async move { Client::connect(&url, Encoding::Json).await })).await;
    let failed = opened.iter().filter(|opened| opened.is_err()).count();
    assert_eq!(failed, 0, "{:?}", opened.iter().find(|opened| opened.is_err()));
    relayed(&pair.two, 24).await;
    health(&pair.one, |health| health["status"] == "healthy").await;
}

#[tokio::test]
async fn between_nodes_and_to_the_client_it_is_tls_where_that_is_spoken() {
    let (authority, files) = (Authority::new(), TempDir::new().unwrap());
    let issued = authority.issue("127.0.0.1");
    let file = |name: &str, text: &str| {
        let path = files.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (cert, key) = (file("cert.pem", &issued.chain), file("key.pem", &issued.key));
    let trusted = file("authority.pem", &authority.pem);
    let (redis, database) = (Redis::start(), Postgres::shared().database().await);
    let directory = redis.url();
    let made = Node::start_on_with(TempDir::new().unwrap(), &["--node", "key"]);
    let [one, two] = ["one", "two"].map(|name| {
        let shared = ["--database", &database, "--redis", &directory, "--tls-cert", &cert, "--tls-key", &key];
        let flags = [&["--node", name], &shared[..]].concat();
        let mut node = Node::start_trusting_on(with_key_of(&made), &trusted, &flags);
        node.trust = Trust::authorities(authority.pem.as_bytes()).unwrap();
        node
    });
    let since = Instant::now();
    while two.metric("tiltyard_cluster_nodes").await < 1.5 {
        assert!(since.elapsed() < support::PATIENCE);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ids = vec![Uuid::new_v4(), Uuid::new_v4()];
    let mut fight = one.seats("pvp", ids, json!({ "rules": plain_rules() })).await;
    for (slot, encoding) in [Encoding::Json, Encoding::MsgPack].into_iter().enumerate() {
        let ticket = two.rest().ticket(&two.service(), fight.id, fight.players[slot]).await.unwrap();
        let url = format!("{}/ws?ticket={}", two.url.replacen("http", "ws", 1), ticket.ticket);
        let mut client = Client::connect_trusting(&url, encoding, &two.trust).await.unwrap();
        client.join(fight.id).await.unwrap();
        until(&mut client, |update| matches!(update, Update::Snapshot)).await;
        fight.clients.push(client);
    }
    fight.begin().await;
    for _ in 0..10 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    for client in &mut fight.clients {
        assert_eq!(result(client).await.winner, Some(0));
    }
    fight.settle().await;
    one.signal("KILL");
    for client in &mut fight.clients {
        assert_eq!(close_code(client).await, 1012);
    }
}
