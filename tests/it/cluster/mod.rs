//! Nodes that share a PostgreSQL and find each other through Redis: any of them answers REST for any session, as its own node would; and
//! what becomes of that when a node or Redis is gone.

mod failover;
mod redis;
mod sameness;
mod sockets;

use std::process::Stdio;
use std::time::{Duration, Instant};

use redis::Redis;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tiltyard::auth::{Hop, TokenKey};
use tiltyard_client::{Client, Error, Update};
use tiltyard_protocol::{Encoding, Reason};
use uuid::Uuid;

use crate::contract::case::{Case, all};
use crate::postgres::Postgres;
use crate::support::{Node, PATIENCE, soon, until};

/// Two nodes, `one` and `two`.
struct Pair {
    redis: Redis,
    database: String,
    one: Case,
    two: Case,
}

impl Pair {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(flags: &[&str]) -> Self {
        let redis = Redis::start();
        let (database, directory) = (Postgres::shared().database().await, redis.url());
        let data = TempDir::new().unwrap();
        // A node that only makes the key which all of them have.
        let key = Node::start_on_with(data, &["--node", "key"]);
        let of = |name: &str| {
            let flags = [&["--node", name, "--database", &database, "--redis", &directory], flags].concat();
            Case::of(Node::start_on_with(with_key_of(&key), &flags))
        };
        let (one, two) = (of("one"), of("two"));
        let pair = Self { redis, database, one, two };
        for case in [&pair.one, &pair.two] {
            nodes(case, 2).await;
        }
        pair
    }
}

/// A new data folder with the same token key.
fn with_key_of(node: &Node) -> TempDir {
    let data = TempDir::new().unwrap();
    std::fs::copy(node.data.path().join("token.key"), data.path().join("token.key")).unwrap();
    data
}

/// Waits until a node says that so many live, and says how long that took.
async fn nodes(case: &Case, count: u64) -> Duration {
    health(case, |health| health["cluster"]["nodes"] == count).await
}

/// Waits until a node's health is so, and says how long that took.
async fn health(case: &Case, wanted: impl Fn(&Value) -> bool) -> Duration {
    let since = Instant::now();
    loop {
        let health = case.get("/health").anonymous().expect(200).await.body;
        if wanted(&health) {
            return since.elapsed();
        }
        assert!(since.elapsed() < PATIENCE, "{health}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Starts a node that is refused, and returns what it says.
fn refused(data: &TempDir, flags: &[&str]) -> String {
    // One that is not refused after all would go on for ever.
    let started = std::process::Command::new("timeout")
        .arg(PATIENCE.as_secs().to_string())
        .args([env!("CARGO_BIN_EXE_tiltyard"), "serve", "--log", "error", "--data"])
        .arg(data.path())
        .env("TILTYARD__LISTEN", "127.0.0.1:0")
        .args(flags)
        .stdout(Stdio::null())
        .output()
        .unwrap();
    assert!(!started.status.success());
    String::from_utf8(started.stderr).unwrap()
}

#[tokio::test]
async fn changes_through_both_nodes_at_once_keep_what_if_match_promises() {
    let pair = Pair::start().await;
    let room = pair.one.create("custom", Uuid::new_v4()).await;
    let mut expected = json!({});
    for round in 0..10 {
        let tag = pair.two.read(&room).await.etag();
        let changes = (0..8).map(|n| {
            let case = if n % 2 == 0 { &pair.one } else { &pair.two };
            let ask = case.patch(&room, &json!({ "round": round, "by": n })).header("if-match", &tag);
            async move { (n, ask.await) }
        });
        let told = all(changes).await;
        let done: Vec<_> = told.iter().filter(|(_, reply)| reply.status == 200).collect();
        assert_eq!(done.len(), 1, "of those who named one version one has changed it");
        assert!(told.iter().all(|(_, reply)| matches!(reply.status, 200 | 412)));
        expected = json!({ "round": round, "by": done[0].0 });
    }
    for case in [&pair.one, &pair.two] {
        assert_eq!(case.get(&room.path("/state")).expect(200).await.body, expected);
    }
}

#[tokio::test]
async fn a_key_of_idempotency_is_good_at_both_nodes() {
    let pair = Pair::start().await;
    let players = [Uuid::new_v4(), Uuid::new_v4()];
    let fight = pair.one.fight(&players).await;
    let path = format!("/combat{}/hand-over", fight.path(""));
    let ask = |case: &Case| {
        let admin = case.node.token(&["--admin"]);
        case.post(&path, &json!({ "shard": 1 })).by(&admin).header("idempotency-key", "once")
    };
    let first = ask(&pair.two).expect(200).await;
    assert_eq!(first.header("idempotent-replayed"), None);
    for case in [&pair.one, &pair.two] {
        let again = ask(case).expect(200).await;
        assert_eq!((again.header("idempotent-replayed").as_deref(), &again.body), (Some("true"), &first.body));
    }
}

#[tokio::test]
async fn a_login_of_one_node_is_good_at_the_other_until_it_ends() {
    let pair = Pair::start().await;
    let player = Uuid::new_v4();
    let login = pair.one.create("auth", player).await;
    let token = login.body["tokens"]["access_token"].as_str().unwrap().to_owned();
    let refresh = json!({ "refresh_token": login.body["tokens"]["refresh_token"] });
    let room =
        pair.two.post("/sessions", &json!({ "type": "custom", "player_id": player })).by(&token).expect(201).await;
    pair.one.get(&room.path("")).by(&token).expect(200).await;
    let renewed = pair.two.post(&login.path("/refresh"), &refresh).anonymous().expect(200).await;
    assert_eq!(renewed.text("node"), "one");
    pair.two.delete(&login.path("")).expect(200).await;
    pair.one.get(&room.path("")).by(&token).refused(401, "unauthorized").await;
    let since = Instant::now();
    while pair.two.get(&room.path("")).by(&token).await.status != 401 {
        assert!(
            since.elapsed() < Duration::from_secs(3),
            "what has ended at its node is good here for a second at most"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_session_of_another_node_than_the_sockets_is_told_with_its_place() {
    let pair = Pair::start().await;
    let players = vec![Uuid::new_v4(), Uuid::new_v4()];
    let there = pair.one.fight(&players).await;
    let here = pair.two.fight(&players).await;
    let room = pair.one.create("custom", players[0]).await;

    // The ticket is the owner's, and leads there, whoever is asked for it.
    let token = pair.two.service.clone();
    let ticket = pair.two.node.rest().ticket(&token, there.id(), players[0]).await.unwrap();
    assert!(ticket.url.starts_with(&pair.one.node.url.replacen("http", "ws", 1)), "{}", ticket.url);
    let mut client = Client::connect(&ticket.url, Encoding::Json).await.unwrap();
    client.join(there.id()).await.unwrap();
    until(&mut client, |update| matches!(update, Update::Snapshot)).await;

    // An upgrade at the other node comes there, too: see `sockets`.
    let own = pair.two.node.player(players[0]);
    // A join of a socket that is there for another session: on every shard of the node.
    for id in [there.id(), room.id()] {
        let url = format!("{}/ws?session={}", pair.two.node.url.replacen("http", "ws", 1), here.id());
        let mut client = Client::connect_with_token(&url, Encoding::MsgPack, &own).await.unwrap();
        client.join(id).await.unwrap();
        match soon(client.next()).await {
            Err(Error::Notice { reason, url, .. }) => {
                assert_eq!((reason, url), (Reason::SessionElsewhere, Some(pair.one.node.url.clone())));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_node_that_is_killed_is_told_within_two_seconds_and_its_sessions_are_when_it_is_back() {
    let mut pair = Pair::start().await;
    let player = Uuid::new_v4();
    let room = pair.one.create("custom", player).await;
    let ended = pair.one.create("custom", player).await;
    let kept = pair.two.create("custom", player).await;
    let players = [player, Uuid::new_v4()];
    let (lost, own) = (pair.one.fight(&players).await, pair.two.fight(&players).await);
    pair.two.delete(&ended.path("")).expect(200).await;
    let before = pair.two.read(&room).await;

    pair.one.node.kill();
    let since = Instant::now();
    let refused = pair.two.get(&room.path("")).refused(503, "node_unavailable").await;
    assert!(since.elapsed() < Duration::from_secs(2));
    assert_eq!((&refused.body["details"]["node"], &refused.body["details"]["retry_ms"]), (&json!("one"), &json!(300)));
    let gone = nodes(&pair.two, 1).await;
    assert!(since.elapsed() < Duration::from_millis(2_500), "{gone:?}");
    for ask in
        [pair.two.get(&room.path("")), pair.two.patch(&room, &json!({ "a": 1 })), pair.two.delete(&room.path(""))]
    {
        let refused = ask.refused(503, "node_unavailable").await;
        assert_eq!(refused.body["details"].get("outcome"), None, "it has not gone");
    }
    // Whoever may not know of it is not told where it was.
    pair.two.get(&room.path("")).by(&pair.two.node.player(Uuid::new_v4())).refused(404, "no_session").await;
    // What has ended is nobody's, and the others go on.
    assert_eq!(pair.two.read(&ended).await.text("status"), "terminated");
    pair.two.patch(&kept, &json!({ "a": 1 })).expect(200).await;
    let listed = pair.two.get(&format!("/sessions?player_id={player}")).expect(200).await;
    let mark = |id: Uuid| {
        let found = listed.list("sessions").iter().find(|session| session["session_id"] == id.to_string());
        found.unwrap().get("node_unavailable").cloned()
    };
    assert_eq!([room.id(), ended.id(), kept.id()].map(mark), [Some(json!(true)), None, None]);
    assert_eq!(listed.body.get("nodes_unknown"), None);
    let listed = pair.two.get("/combat/sessions?status=initializing").expect(200).await;
    let mark = |id: Uuid| {
        let found = listed.list("sessions").iter().find(|session| session["session_id"] == id.to_string());
        found.unwrap().get("node_unavailable").cloned()
    };
    assert_eq!([lost.id(), own.id()].map(mark), [Some(json!(true)), None]);

    pair.one.node.start_again();
    nodes(&pair.two, 2).await;
    let back = pair.two.read(&room).await;
    assert_eq!((back.etag(), back.body), (before.etag(), before.body));
}

#[tokio::test]
async fn what_was_sent_to_a_node_that_does_not_answer_is_of_unknown_outcome() {
    let pair = Pair::start().await;
    let room = pair.one.create("custom", Uuid::new_v4()).await;
    pair.one.node.signal("STOP");
    let since = Instant::now();
    let refused = pair.two.patch(&room, &json!({ "a": 1 })).refused(503, "node_unavailable").await;
    assert_eq!(refused.body["details"]["outcome"], "unknown", "{}", refused.body);
    assert!(since.elapsed() < Duration::from_millis(3_500), "{:?}: it is known not to live", since.elapsed());
    // By now it is known not to live: nobody waits for it any more.
    let since = Instant::now();
    pair.two.get(&room.path("")).refused(503, "node_unavailable").await;
    assert!(since.elapsed() < Duration::from_secs(1));
    pair.one.node.signal("CONT");
    nodes(&pair.two, 2).await;
    pair.two.read(&room).await;
}

#[tokio::test]
async fn who_reads_waits_for_a_node_that_hangs_for_a_moment_also_while_redis_is_away() {
    let mut pair = Pair::start().await;
    let room = pair.one.create("custom", Uuid::new_v4()).await;
    pair.two.read(&room).await;
    pair.redis.kill();
    health(&pair.two, |health| health["cluster"]["redis"] == "away").await;
    pair.one.node.signal("STOP");
    let since = Instant::now();
    let refused = pair.two.get(&room.path("")).refused(503, "node_unavailable").await;
    assert_eq!(refused.body["details"].get("outcome"), None);
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    // What was sent may have come about.
    let refused = pair.two.patch(&room, &json!({ "a": 1 })).refused(503, "node_unavailable").await;
    assert_eq!(refused.body["details"]["outcome"], "unknown", "{}", refused.body);
    pair.one.node.signal("CONT");
}

#[tokio::test]
async fn redis_that_is_lost_degrades_by_name_stops_nothing_and_comes_back() {
    let mut pair = Pair::start().await;
    let room = pair.one.create("custom", Uuid::new_v4()).await;
    for way in ["kill", "hang"] {
        if way == "kill" {
            pair.redis.kill();
        } else {
            pair.redis.signal("STOP");
        }
        for case in [&pair.one, &pair.two] {
            health(case, |health| health["status"] == "degraded" && health["cluster"]["redis"] == "away").await;
            case.get("/readyz").anonymous().expect(200).await;
            case.create("custom", Uuid::new_v4()).await;
            for path in ["/sessions", "/combat/sessions"] {
                assert_eq!(case.get(path).expect(200).await.body["nodes_unknown"], true, "{path}");
            }
            // With whom was known last.
            case.patch(&room, &json!({ "a": way })).expect(200).await;
        }
        assert!(pair.one.node.metric("tiltyard_cluster_redis_up").await < 0.5);
        if way == "kill" {
            pair.redis.restart();
        } else {
            pair.redis.signal("CONT");
        }
        let back = health(&pair.one, |health| health["status"] == "healthy").await;
        assert!(back < Duration::from_secs(4), "{back:?}");
        // One that was started again knows nobody at first: nobody is taken for dead by that.
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            pair.two.read(&room).await;
            pair.one.get("/health").anonymous().expect(200).await;
        }
        for case in [&pair.one, &pair.two] {
            health(case, |health| health["status"] == "healthy" && health["cluster"]["nodes"] == 2).await;
        }
    }
    assert!(pair.one.node.metric("tiltyard_cluster_redis_lost_total").await >= 2.0);
}

#[tokio::test]
async fn nobody_but_a_node_says_for_whom_a_request_is() {
    let pair = Pair::start().await;
    let room = pair.one.create("custom", Uuid::new_v4()).await;
    let admin = pair.one.node.token(&["--admin"]);
    for forged in ["", "127.0.0.1", admin.as_str(), "eyJhbGciOiJub25lIn0.e30."] {
        for case in [&pair.one, &pair.two] {
            for path in [room.path(""), "/sessions".to_owned()] {
                let refused = case.get(&path).header("x-tiltyard-hop", forged).refused(403, "forbidden").await;
                assert_eq!(refused.body["details"]["header"], "x-tiltyard-hop");
            }
        }
    }
    assert!(pair.one.node.metric("tiltyard_cluster_hops_total").await > 7.0);
    // A node that has no other takes no notice of it, and believes none.
    let alone = Case::sqlite();
    alone.get("/sessions").header("x-tiltyard-hop", "x").expect(200).await;
}

#[tokio::test]
async fn addresses_are_counted_where_the_client_is_and_not_the_node() {
    let pair = Pair::start_with(&["--trusted-proxy", "127.0.0.1", "--rate-address", "1/s,3"]).await;
    let login = pair.one.create("auth", Uuid::new_v4()).await;
    let try_from = |address: &str| {
        let body = json!({ "refresh_token": "none" });
        pair.two.post(&login.path("/refresh"), &body).anonymous().header("x-forwarded-for", address)
    };
    for _ in 0..3 {
        try_from("192.0.2.1").refused(401, "unauthorized").await;
    }
    try_from("192.0.2.1").refused(429, "too_many_requests").await;
    try_from("192.0.2.2").refused(401, "unauthorized").await;
    // The owner has counted them for the same address, not for the other node's.
    let directly = |address: &str| {
        let body = json!({ "refresh_token": "none" });
        pair.one.post(&login.path("/refresh"), &body).anonymous().header("x-forwarded-for", address)
    };
    directly("192.0.2.1").refused(429, "too_many_requests").await;
    directly("192.0.2.3").refused(401, "unauthorized").await;
}

#[tokio::test]
async fn a_request_is_forwarded_once_and_only_to_whom_it_is_meant_for() {
    let pair = Pair::start().await;
    let room = pair.one.create("custom", Uuid::new_v4()).await;
    let key = TokenKey::open(pair.one.node.data.path()).unwrap();
    let instances = pair.redis.ask("SMEMBERS {tiltyard}:nodes");
    let two = instances.lines().find(|line| line.starts_with("two#")).unwrap();
    let word = |to: &str, method: &str, target: &str| {
        Hop { from: "one".to_owned(), to: to.to_owned(), client: [192, 0, 2, 1].into() }.sign(&key, method, target)
    };
    // Where nodes disagree on whose a session is, the second says so and asks nobody.
    let path = room.path("");
    for (ask, method) in [(pair.two.get(&path), "GET"), (pair.two.delete(&path), "DELETE")] {
        let refused = ask.header("x-tiltyard-hop", &word(two, method, &path)).refused(421, "session_elsewhere").await;
        assert_eq!(refused.body["details"]["node"], "one");
    }
    // Another process, method, path or query than was meant.
    let ghost = format!("ghost#{}", Uuid::new_v4().simple());
    let query = format!("{path}?include_stats=true");
    for said in [word(&ghost, "GET", &path), word(two, "DELETE", &path), word(two, "GET", &query)] {
        pair.two.get(&path).header("x-tiltyard-hop", &said).refused(403, "forbidden").await;
    }

    // A node that gives another one's address for its own gets nothing by that: what is sent there is refused.
    let boot = ghost.split_once('#').unwrap().1;
    let entry = json!({ "name": "ghost", "boot": boot, "url": pair.one.node.url, "public_url": pair.one.node.url, "version": "0",
        "key": "", "ready": true, "sessions": 0, "connections": 0 });
    let quoted = serde_json::to_string(&entry.to_string()).unwrap();
    pair.redis.ask(&format!("SET {{tiltyard}}:i:{ghost} {quoted}\r\nSADD {{tiltyard}}:nodes {ghost}"));
    nodes(&pair.two, 3).await;
    let room = pair.one.create("custom", Uuid::new_v4()).await;
    let mut store = PgConnection::connect(&pair.database).await.unwrap();
    let moved = sqlx::query("UPDATE sessions SET node = 'ghost' WHERE id = $1").bind(room.id());
    assert_eq!(moved.execute(&mut store).await.unwrap().rows_affected(), 1);
    let other = pair.two.get(&room.path("")).refused(403, "forbidden").await;
    assert_eq!(other.body["details"]["header"], "x-tiltyard-hop");
}

#[tokio::test]
async fn a_start_that_does_not_fit_the_cluster_is_refused_by_name() {
    let pair = Pair::start().await;
    let redis = pair.redis.url();
    let base = |name: &'static str, redis: &str| {
        ["--database", &pair.database, "--redis", redis, "--node", name].map(str::to_owned).to_vec()
    };
    let said =
        |data: &TempDir, flags: Vec<String>| refused(data, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    let twin = said(&with_key_of(&pair.one.node), base("two", &redis));
    assert!(
        twin.contains("another node named two lives in this cluster") && twin.contains(&pair.two.node.url),
        "{twin}"
    );
    let data = TempDir::new().unwrap();
    let stranger = said(&data, base("three", &redis));
    assert!(!data.path().join("token.key").exists(), "it would be in the way of the right one");
    assert!(stranger.contains("has another token key, as this one has none yet"), "{stranger}");
    assert!(stranger.contains("so copy the token.key of"), "{stranger}");
    let away = said(&with_key_of(&pair.one.node), base("three", "redis://:secret@127.0.0.1:1"));
    assert!(away.contains("redis redis://…@127.0.0.1:1") && !away.contains("secret"), "{away}");
    assert!(!away.contains("run alone"), "{away}");
    let everywhere = [base("three", &redis), vec!["--listen".to_owned(), "0.0.0.0:0".to_owned()]].concat();
    let said = said(&with_key_of(&pair.one.node), everywhere);
    assert!(said.contains("say with --node-url"), "{said}");
    nodes(&pair.one, 2).await;
}

#[tokio::test]
async fn redis_over_tls_is_spoken_to_with_a_certificate_that_the_system_trusts() {
    let folder = TempDir::new().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let file = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (cert, key) = (file("cert.pem", made.cert.pem()), file("key.pem", made.signing_key.serialize_pem()));
    let redis = Redis::start_with(&["--tls-cert-file", &cert, "--tls-key-file", &key, "--tls-auth-clients", "no"]);
    let database = Postgres::shared().database().await;
    let url = format!("rediss://localhost:{}", redis.port);
    let flags = ["--database", &database, "--redis", &url];
    let untrusted = refused(&TempDir::new().unwrap(), &flags);
    assert!(untrusted.contains("redis rediss://localhost"), "{untrusted}");
    let case = Case::of(Node::start_trusting(&cert, &flags));
    health(&case, |health| health["cluster"]["redis"] == "connected").await;
}

#[tokio::test]
async fn a_password_of_redis_is_used_and_a_wrong_one_refused() {
    let redis = Redis::start_with(&["--requirepass", "right"]);
    let database = Postgres::shared().database().await;
    let at = |password: &str| format!("redis://:{password}@127.0.0.1:{}", redis.port);
    let wrong = refused(&TempDir::new().unwrap(), &["--database", &database, "--redis", &at("wrong")]);
    assert!(wrong.contains("redis redis://…@127.0.0.1") && !wrong.contains("wrong@"), "{wrong}");
    let case = Case::with(&["--database", &database, "--redis", &at("right"), "--node", "one"]);
    health(&case, |health| health["cluster"] == json!({ "redis": "connected", "nodes": 1 })).await;
    // What it says of itself lasts no longer than it does.
    let told = redis.ask("AUTH right\r\nSMEMBERS {tiltyard}:nodes");
    let instance = told.lines().find(|line| line.starts_with("one#")).unwrap().to_owned();
    let left = redis.ask(&format!("AUTH right\r\nPTTL {{tiltyard}}:i:{instance}"));
    let left: u64 = left.lines().find_map(|line| line.strip_prefix(':')).unwrap().parse().unwrap();
    assert!((1..=1_500).contains(&left), "{left}");
}
