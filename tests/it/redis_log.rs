//! A fight whose log is in Redis survives its server, its Redis and a second server: nothing acknowledged is lost, nothing happens twice.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tiltyard_client::{Order, Update};
use tiltyard_protocol::CloseCode;

use crate::redis::Redis;
use crate::support::{Fight, Node, answer, attack, close_code, plain_rules, result, soon, until};

fn node(redis: &Redis) -> Node {
    Node::start_with(&["--redis-log", &redis.url()])
}

/// What the node answers to whoever watches it.
async fn ask(node: &Node, path: &str) -> (u16, serde_json::Value) {
    let answer = reqwest::get(format!("{}{path}", node.url)).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Asks again and again until it is so, which takes no longer than that.
async fn becomes(node: &Node, path: &str, most: Duration, wanted: impl Fn(u16, &serde_json::Value) -> bool) {
    let since = Instant::now();
    loop {
        let (status, told) = ask(node, path).await;
        if wanted(status, &told) {
            return;
        }
        assert!(since.elapsed() < most, "{path}: {status} {told}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn health(fight: &Fight) -> Vec<u32> {
    fight.clients[0].view().participants.iter().map(|p| p.hp).collect()
}

#[tokio::test]
async fn a_fight_goes_on_after_kill_9_with_its_log_in_redis() {
    let redis = Redis::start();
    let mut node = node(&redis);
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let mut acknowledged = attack(&mut fight.clients[0], 1).await.unwrap();
    for _ in 0..3 {
        acknowledged = attack(&mut fight.clients[0], 1).await.unwrap();
    }
    node.crash_and_restart();
    // It is gone on with at its sequence: its clients come back to it, and are told what they have missed.
    fight.reconnect(&node).await;
    let client = &mut fight.clients[0];
    assert_eq!(client.view().participants[1].hp, 60, "exactly the four acknowledged hits");
    assert!(client.seq() >= acknowledged.q);
    client.act_as(acknowledged.id, Order::attack(1)).await.unwrap();
    assert_eq!(answer(client, acknowledged.id).await.unwrap(), acknowledged, "a repeat is known after a crash");
    for _ in 0..6 {
        attack(client, 1).await.unwrap();
    }
    assert_eq!(result(&mut fight.clients[1]).await.winner, Some(0));
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_or_doubled_by_kills_of_the_server_and_of_redis() {
    let mut redis = Redis::start();
    let mut node = node(&redis);
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let mut fight = node.fight(4, rules).await;
    fight.begin().await;
    let mut hits: [u32; 4] = [0; 4];
    for round in 0..6 {
        let mut sent = Vec::new();
        for (slot, client) in fight.clients.iter_mut().enumerate() {
            let target = u8::try_from((slot + 1) % 4).unwrap();
            // Long enough that snapshots take the place of what was before.
            for _ in 0..(100 + round) {
                attack(client, target).await.unwrap();
                hits[usize::from(target)] += 1;
            }
            sent.push((client.act(Order::attack(target)).await.unwrap(), target));
        }
        match round % 3 {
            // The server, with actions in flight.
            0 => {
                node.crash_and_restart();
                fight.reconnect(&node).await;
            }
            // Redis, likewise: the server waits for it.
            1 => {
                redis.kill9();
                tokio::time::sleep(Duration::from_millis(300)).await;
                redis.restart();
            }
            // Both.
            _ => {
                redis.kill9();
                node.kill();
                redis.restart();
                node.start_again();
                fight.reconnect(&node).await;
            }
        }
        for (client, (id, target)) in fight.clients.iter_mut().zip(sent) {
            if round % 3 != 1 {
                client.act_as(id, Order::attack(target)).await.unwrap();
            }
            answer(client, id).await.unwrap();
            hits[usize::from(target)] += 1;
        }
        fight.settle().await;
    }
    assert_eq!(health(&fight), hits.map(|hits| 1_000_000 - 10 * hits));
    let key = format!("o:{{{}}}", fight.id);
    assert!(redis.ask(&["HGET", &key, "snapped"]).number().is_some(), "there was a snapshot");
    let left = redis.ask(&["XLEN", &format!("l:{{{}}}", fight.id)]).number().unwrap();
    assert!(left <= 1_100, "{left} entries are left of some 2,500");
}

#[tokio::test]
async fn a_hung_redis_holds_answers_back_and_loses_none() {
    let mut redis = Redis::start();
    let node = node(&redis);
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    redis.hang();
    let id = fight.clients[0].act(Order::attack(1)).await.unwrap();
    let seen = tokio::time::timeout(
        Duration::from_millis(2_500),
        until(&mut fight.clients[0], |update| matches!(update, Update::Ack(_) | Update::Refused(_) | Update::Delta(_))),
    );
    assert!(seen.await.is_err(), "nothing is shown that the log has not kept");
    let refused = fight.state(&node).await;
    assert_eq!(refused.status, 503, "{}", refused.body);
    let (status, told) = ask(&node, "/readyz").await;
    assert_eq!((status, &told["details"]["reason"]), (503, &json!("log_unavailable")));
    assert!(told["message"].as_str().unwrap().contains("--redis-log"), "{told}");
    let (status, told) = ask(&node, "/health").await;
    assert_eq!((status, &told["status"], &told["log"]["redis"]), (503, &json!("unhealthy"), &json!("away")));
    redis.resume();
    answer(&mut fight.clients[0], id).await.unwrap();
    fight.settle().await;
    assert_eq!(health(&fight), [100, 90], "once");
    assert!(node.metric("tiltyard_log_unknown_total").await > 0.0, "it was said again");
    becomes(&node, "/readyz", Duration::from_secs(3), |status, _| status == 200).await;
    // A slow answer and a connection that was made again are counted.
    for name in ["connections", "reconnects_total", "commands_total", "answers_total", "answer_microseconds_total"] {
        assert!(node.metric(&format!("tiltyard_log_redis_{name}")).await > 0.0, "{name}");
    }
    assert!(!node.metrics().await.contains("tiltyard_log_reserve"), "that is room for files");
}

#[tokio::test]
async fn a_redis_that_is_away_is_told_of_also_where_there_is_no_fight() {
    let mut redis = Redis::start();
    let node = node(&redis);
    becomes(&node, "/health", Duration::from_secs(1), |_, told| {
        told["status"] == "healthy" && told["log"] == json!({ "redis": "connected" })
    })
    .await;
    for way in ["kill", "hang"] {
        if way == "kill" {
            redis.kill9();
        } else {
            redis.hang();
        }
        becomes(&node, "/readyz", Duration::from_secs(3), |status, told| {
            status == 503 && told["message"].as_str().unwrap().contains("--redis-log")
        })
        .await;
        let (status, told) = ask(&node, "/health").await;
        assert_eq!((status, &told["status"], &told["log"]["redis"]), (200, &json!("degraded"), &json!("away")));
        if way == "kill" {
            redis.restart();
        } else {
            redis.resume();
        }
        becomes(&node, "/health", Duration::from_secs(3), |_, told| told["status"] == "healthy").await;
    }
    assert!(Node::start().metrics().await.contains("tiltyard_log_reserve"));
}

#[tokio::test]
async fn a_second_server_of_the_name_takes_the_fights_over_and_the_first_shows_nothing_more() {
    let redis = Redis::start();
    let first = node(&redis);
    let mut fight = first.fight(2, plain_rules()).await;
    let mut idle = first.fight(2, plain_rules()).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    // The same key, so that its tokens are good there, and nothing else of the first's.
    let data = TempDir::new().unwrap();
    std::fs::copy(first.data.path().join("token.key"), data.path().join("token.key")).unwrap();
    let second = Node::start_on_with(data, &["--redis-log", &redis.url()]);
    let since = Instant::now();
    let id = fight.clients[0].act(Order::attack(1)).await.unwrap();
    for client in &mut fight.clients {
        assert_eq!(close_code(client).await, CloseCode::Restart.code());
        assert_eq!(client.view().participants[1].hp, 90, "nothing is shown that was not kept");
    }
    // Also where nobody does anything.
    for client in &mut idle.clients {
        assert_eq!(close_code(client).await, CloseCode::Restart.code());
    }
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    assert!(first.metric("tiltyard_sessions_fenced_total").await >= 2.0);
    // Nobody is sent there any more, nothing is begun there, and whoever watches is told why.
    becomes(&first, "/readyz", Duration::from_secs(1), |status, told| {
        status == 503 && told["details"]["reason"] == "node_superseded"
    })
    .await;
    let (status, told) = ask(&first, "/health").await;
    assert_eq!((status, &told["status"], &told["log"]["redis"]), (200, &json!("degraded"), &json!("superseded")));
    assert!(told["log"]["message"].as_str().unwrap().contains("give one another --node"), "{told}");
    let service = first.service();
    let new = json!({ "mode": "pvp", "participants": fight.players });
    let refused =
        first.rest().call(reqwest::Method::POST, "/combat/sessions", Some(&service), Some(&new)).await.unwrap();
    assert_eq!((refused.status.as_u16(), &refused.body["details"]["reason"]), (503, &json!("node_superseded")));
    let action = json!({ "action_type": "attack", "player_id": fight.players[0], "target_id": fight.players[1] });
    let path = format!("/combat/sessions/{}/actions", fight.id);
    let refused = first.rest().call(reqwest::Method::POST, &path, Some(&service), Some(&action)).await.unwrap();
    assert_eq!((refused.status.as_u16(), &refused.body["details"]["reason"]), (503, &json!("node_superseded")));
    assert_eq!(ask(&second, "/readyz").await.0, 200);
    assert!(first.metric("tiltyard_log_superseded").await > 0.0);
    fight.reconnect(&second).await;
    assert_eq!(health(&fight), [100, 90]);
    fight.clients[0].act_as(id, Order::attack(1)).await.unwrap();
    answer(&mut fight.clients[0], id).await.unwrap();
    fight.settle().await;
    assert_eq!(health(&fight), [100, 80], "it was not kept by the first, and is once by the second");
    drop(first);
}

#[tokio::test]
async fn a_redis_that_forgets_is_told_anew_while_the_server_lives() {
    let mut redis = Redis::forgetful();
    let mut node = node(&redis);
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    let (log, start) = (redis.ask(&["GET", "tiltyard:log"]), redis.ask(&["GET", "b:local"]));
    for round in 1..=4 {
        // With and without its connections.
        if round % 2 == 0 {
            redis.ask(&["FLUSHALL"]);
        } else {
            redis.kill9();
            redis.restart();
        }
        attack(&mut fight.clients[0], 1).await.unwrap();
        // Which log it is comes before what is in it.
        assert_eq!([redis.ask(&["GET", "tiltyard:log"]), redis.ask(&["GET", "b:local"])], [log.clone(), start.clone()]);
    }
    fight.settle().await;
    assert_eq!(health(&fight), [100, 50]);
    assert!(node.metric("tiltyard_log_redis_restored_total").await >= 4.0);
    // So the next start finds the log that it looks for.
    node.crash_and_restart();
    fight.reconnect(&node).await;
    assert_eq!(health(&fight), [100, 50]);
}

#[tokio::test]
async fn a_redis_that_forgets_is_told_which_log_it_is_also_where_there_is_no_fight() {
    let redis = Redis::forgetful();
    let mut node = node(&redis);
    let log = redis.ask(&["GET", "tiltyard:log"]);
    let first = redis.ask(&["GET", "b:local"]);
    node.crash_and_restart();
    let second = redis.ask(&["GET", "b:local"]);
    assert_ne!(first, second);
    // A copy from before the start is no other server's.
    redis.ask(&["SET", "b:local", std::str::from_utf8(first.text().unwrap()).unwrap()]);
    let since = Instant::now();
    while redis.ask(&["GET", "b:local"]) != second {
        assert!(since.elapsed() < Duration::from_secs(2), "it is not told anew");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(ask(&node, "/readyz").await.0, 200);
    redis.ask(&["FLUSHALL"]);
    let since = Instant::now();
    while redis.ask(&["GET", "tiltyard:log"]) != log || redis.ask(&["GET", "b:local"]).text().is_none() {
        assert!(since.elapsed() < Duration::from_secs(2), "it is not told anew");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    node.crash_and_restart();
}

#[tokio::test]
async fn a_redis_with_another_log_is_told_of_and_left_as_it_is() {
    let redis = Redis::start();
    let mut node = node(&redis);
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    assert!(node.metric("tiltyard_log_redis_other_log").await < 0.5);
    redis.ask(&["FLUSHALL"]);
    redis.ask(&["SET", "tiltyard:log", "another"]);
    attack(&mut fight.clients[0], 1).await.unwrap();
    let since = Instant::now();
    while node.metric("tiltyard_log_redis_other_log").await < 0.5 {
        assert!(since.elapsed() < Duration::from_secs(2), "it is not noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (status, told) = ask(&node, "/health").await;
    assert_eq!(
        (status, &told["status"], &told["log"]["redis"]),
        (200, &json!("degraded"), &json!("other_log")),
        "{told}"
    );
    attack(&mut fight.clients[0], 1).await.unwrap();
    assert_eq!(redis.ask(&["GET", "tiltyard:log"]).text(), Some(&b"another"[..]));
    node.kill();
    let refused = said(node.data.path(), &["serve", "--listen", "127.0.0.1:0", "--redis-log", &redis.url()]);
    assert!(refused.contains("its log is another, and that of the last start was"), "{refused}");
}

#[tokio::test]
async fn shards_and_hand_overs_are_as_with_files() {
    let redis = Redis::start();
    let mut node = node(&redis);
    let mut fights = Vec::new();
    for _ in 0..4 {
        let mut fight = node.fight(2, plain_rules()).await;
        fight.begin().await;
        attack(&mut fight.clients[0], 1).await.unwrap();
        fights.push(fight);
    }
    for fight in &mut fights {
        for shard in [1, 0, 1] {
            let path = format!("/combat/sessions/{}/hand-over", fight.id);
            let admin = node.token(&["--admin"]);
            let body = json!({ "shard": shard });
            let moved = node.rest().call(reqwest::Method::POST, &path, Some(&admin), Some(&body)).await.unwrap();
            assert_eq!(moved.status, 200, "{}", moved.body);
            attack(&mut fight.clients[0], 1).await.unwrap();
        }
    }
    for shards in ["5", "1"] {
        node.flags_of_restart(&["--shards", shards, "--redis-log", &redis.url()]);
        node.crash_and_restart();
        for fight in &mut fights {
            fight.reconnect(&node).await;
            attack(&mut fight.clients[1], 0).await.unwrap();
            fight.settle().await;
        }
    }
    for fight in &fights {
        assert_eq!(health(fight), [80, 60]);
    }
    assert!(node.metric("tiltyard_sessions_fenced_total").await < 1.0);
}

/// What a command says that fails.
fn said(data: &std::path::Path, words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tiltyard")).args(words).arg("--data").arg(data).output().unwrap();
    assert!(!output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

#[tokio::test]
async fn a_start_that_cannot_be_says_why() {
    let data = TempDir::new().unwrap();
    let start = |url: &str| said(data.path(), &["serve", "--listen", "127.0.0.1:0", "--redis-log", url]);
    assert!(start("redis://127.0.0.1:1").contains("redis://127.0.0.1:1: cannot be reached"));
    assert!(start("http://127.0.0.1").contains("--redis-log: must be redis://"));
    let closed = Redis::start_with(&["--requirepass", "right"]);
    let none = start(&closed.url());
    assert!(none.contains("it may want a password"), "{none}");
    let wrong = start(&format!("redis://:wrong@127.0.0.1:{}", closed.port));
    assert!(wrong.contains("the user name or the password is refused") && !wrong.contains("wrong@"), "{wrong}");
    let bare = Redis::start_with(&["--rename-command", "FUNCTION", ""]);
    let bare = start(&bare.url());
    assert!(bare.contains("it has no Functions"), "{bare}");
    let redis = Redis::start();
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &redis.port.to_string()]);
    assert!(start(&replica.url()).contains("it is a replica"));
    let mut hung = Redis::start();
    hung.hang();
    let late = start(&hung.url());
    assert!(late.contains(&hung.url()) && late.contains("no answer within 1000 ms"), "{late}");
    let refusing = Redis::start_with(&["--rename-command", "INFO", ""]);
    let told = start(&refusing.url());
    assert!(told.contains("it refuses INFO: ERR unknown command"), "{told}");
    // A key that is left would be in the way of the one that is to be copied there.
    assert!(!data.path().join("token.key").exists());
}

#[tokio::test]
async fn a_log_is_not_left_for_another_while_it_has_fights() {
    let mut redis = Redis::start();
    let mut files = Node::start();
    let fight = files.fight(2, plain_rules()).await;
    files.kill();
    let refused = said(files.data.path(), &["serve", "--listen", "127.0.0.1:0", "--redis-log", &redis.url()]);
    assert!(
        refused.contains(&format!("1 fight: {}", fight.id)) && refused.contains("without --redis-log"),
        "{refused}"
    );
    let mut node = node(&redis);
    let fight = node.fight(2, plain_rules()).await;
    node.kill();
    let url = redis.url();
    let to_files = ["serve", "--listen", "127.0.0.1:0"];
    let refused = said(node.data.path(), &to_files);
    assert!(refused.contains("the log is in Redis") && refused.contains("Start with --redis-log"), "{refused}");
    assert!(refused.contains(&format!("not all of its fights are over (1 fight: {})", fight.id)), "{refused}");
    assert!(refused.contains("At stake is 1 fight of the node `local`"), "{refused}");
    let renamed = said(node.data.path(), &["serve", "--listen", "127.0.0.1:0", "--node", "b", "--redis-log", &url]);
    assert!(renamed.contains("those of the node `local`"), "{renamed}");
    assert!(renamed.contains("At stake is no fight of the node `b`"), "{renamed}");
    assert!(renamed.contains("of other nodes there live 1 of `local`: is the --node"), "{renamed}");
    redis.kill9();
    let refused = said(node.data.path(), &to_files);
    assert!(refused.contains(&format!("it cannot be asked what it has: {url}")), "{refused}");
    redis.restart();
    node.start_again();
    assert_eq!(soon(fight.state(&node)).await.status, 200);
}

/// Fights until it is decided; its result is shown from then on.
async fn decide(node: &Node) -> Fight {
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    for _ in 0..10 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    assert_eq!(result(&mut fight.clients[1]).await.winner, Some(0));
    fight.clients.clear();
    fight
}

/// It has ended with its result.
async fn has_ended_as_decided(node: &Node, fight: &Fight) {
    let service = node.service();
    let path = format!("/combat/sessions/{}", fight.id);
    let since = Instant::now();
    loop {
        let told = node.rest().call(reqwest::Method::GET, &path, Some(&service), None).await.unwrap();
        if told.body["status"] == "completed" {
            assert_eq!(told.body["stats"]["winner"], json!(fight.players[0]), "{}", told.body);
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{}", told.body);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_log_is_left_for_another_as_soon_as_no_fight_lives_and_what_is_over_comes_along() {
    let redis = Redis::start();
    let mut node = Node::start();
    let first = decide(&node).await;
    node.kill();
    // From files to Redis, while the result is shown.
    node.flags_of_restart(&["--redis-log", &redis.url()]);
    node.start_again();
    let second = decide(&node).await;
    has_ended_as_decided(&node, &first).await;
    node.kill();
    // Nothing of what was in files comes back with them.
    let output = Command::new(env!("CARGO_BIN_EXE_tiltyard")).args(["check", "--data"]).arg(node.data.path()).output();
    assert!(output.unwrap().status.success());
    let generations = std::fs::read_dir(node.data.path().join("log")).unwrap();
    let numbers = generations.filter(|entry| entry.as_ref().unwrap().path().is_dir()).count();
    assert_eq!(numbers, 1, "an empty one");
    // And back.
    node.flags_of_restart(&[]);
    node.start_again();
    assert!(!node.file("log/redis").exists());
    has_ended_as_decided(&node, &second).await;
    assert!(redis.ask(&["SMEMBERS", "s:local"]).items().is_empty());
    for fight in [&first, &second] {
        let left = redis.ask(&["TTL", &format!("o:{{{}}}", fight.id)]).number();
        assert!(matches!(left, Some(1..)), "{left:?}");
    }
    // What Redis had is not looked at any more.
    redis.ask(&["FLUSHALL"]);
    node.crash_and_restart();
    has_ended_as_decided(&node, &first).await;
}

#[tokio::test]
async fn what_has_ended_leaves_redis_a_minute_later_whatever_restarts_meanwhile() {
    let redis = Redis::start();
    let mut node = node(&redis);
    let fight = decide(&node).await;
    has_ended_as_decided(&node, &fight).await;
    let (since, key) = (Instant::now(), format!("o:{{{}}}", fight.id));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(redis.ask(&["TTL", &key]).number(), Some(-1), "who was in it may look at it");
    node.crash_and_restart();
    while redis.ask(&["TTL", &key]).number() == Some(-1) {
        assert!(since.elapsed() < Duration::from_secs(65), "it stays");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(redis.ask(&["HGET", &key, "over"]).text(), Some(&b"1"[..]));
    assert!(redis.ask(&["SMEMBERS", "s:local"]).items().is_empty());
    has_ended_as_decided(&node, &fight).await;
    // A folder that never had a log in files may have one from now on.
    node.kill();
    node.flags_of_restart(&[]);
    node.start_again();
    has_ended_as_decided(&node, &fight).await;
}

#[tokio::test]
async fn a_start_that_is_refused_takes_no_fight_over() {
    let redis = Redis::start();
    let first = node(&redis);
    let mut whole = first.fight(2, plain_rules()).await;
    let broken = first.fight(2, plain_rules()).await;
    whole.begin().await;
    let entries = format!("l:{{{}}}", broken.id);
    let all = redis.ask(&["XRANGE", &entries, "-", "+"]);
    let second = String::from_utf8(all.items()[1].items()[0].text().unwrap().to_vec()).unwrap();
    redis.ask(&["XDEL", &entries, &second]);
    let epoch = |fight: &Fight| redis.ask(&["HGET", &format!("o:{{{}}}", fight.id), "epoch"]);
    let before = [epoch(&whole), epoch(&broken)];
    let data = TempDir::new().unwrap();
    let refused = said(data.path(), &["serve", "--listen", "127.0.0.1:0", "--redis-log", &redis.url()]);
    assert!(refused.contains(&format!("session {} cannot be read", broken.id)), "{refused}");
    assert_eq!([epoch(&whole), epoch(&broken)], before);
    // The server that has them has noticed nothing.
    attack(&mut whole.clients[0], 1).await.unwrap();
    assert_eq!(ask(&first, "/readyz").await.0, 200);
}

#[tokio::test]
async fn a_check_reads_the_sessions_in_redis_and_names_what_is_damaged() {
    let redis = Redis::start();
    let mut node = node(&redis);
    let fight = node.fight(2, plain_rules()).await;
    let whole = node.fight(2, plain_rules()).await;
    node.kill();
    let check = || {
        let words = ["check", "--redis-log", &redis.url(), "--data"];
        let output = Command::new(env!("CARGO_BIN_EXE_tiltyard")).args(words).arg(node.data.path()).output().unwrap();
        (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let (sound, told) = check();
    assert!(sound && told.contains("2 sessions of the node local: whole"), "{told}");
    // Without the Redis it says where they are, which is no damage.
    let words = ["check", "--data"];
    let output = Command::new(env!("CARGO_BIN_EXE_tiltyard")).args(words).arg(node.data.path()).output().unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !told.contains("DAMAGED"), "{told}");
    assert!(told.contains("its fights are not looked at: give --redis-log"), "{told}");
    let entries = format!("l:{{{}}}", fight.id);
    let all = redis.ask(&["XRANGE", &entries, "-", "+"]);
    let second = String::from_utf8(all.items()[1].items()[0].text().unwrap().to_vec()).unwrap();
    redis.ask(&["XDEL", &entries, &second]);
    let (sound, told) = check();
    assert!(!sound && told.contains(&format!("session {} cannot be read", fight.id)), "{told}");
    // So does a start, which goes on without it where that is accepted.
    let refused = said(node.data.path(), &["serve", "--listen", "127.0.0.1:0", "--redis-log", &redis.url()]);
    assert!(refused.contains(&format!("session {} cannot be read", fight.id)), "{refused}");
    node.flag_of_restart("--accept-loss");
    node.start_again();
    assert_eq!(whole.state(&node).await.status, 200);
    assert_ne!(fight.state(&node).await.body["status"], "active");
    assert!(matches!(redis.ask(&["TTL", &entries]).number(), Some(1..)), "it is kept for a while");
}

/// The commands that the manual says a user needs, as `ACL SETUSER` takes them.
fn permissions() -> Vec<String> {
    let manual = include_str!("../../docs/OPERATING.md");
    let (_, rest) = manual.split_once("A user (ACL) needs these keys and\n`").unwrap();
    let (commands, _) = rest.split_once('`').unwrap();
    commands.split(' ').map(|command| format!("+{}", command.to_lowercase())).collect()
}

#[tokio::test]
async fn a_user_who_may_what_the_manual_says_is_enough() {
    let redis = Redis::start();
    let permissions = permissions();
    let keys = ["~o:*", "~l:*", "~s:*", "~b:*", "~t:*", "~tiltyard:log", "~tiltyard:nodes"];
    let words = ["ACL", "SETUSER", "hub", "on", ">p@ss"].into_iter().chain(keys);
    let words: Vec<&str> = words.chain(permissions.iter().map(String::as_str)).collect();
    assert_eq!(redis.ask(&words).text(), Some(&b"OK"[..]));
    let url = format!("redis://hub:p%40ss@127.0.0.1:{}/0", redis.port);
    let mut node = Node::start_with(&["--redis-log", &url]);
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    for _ in 0..600 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    node.crash_and_restart();
    fight.reconnect(&node).await;
    assert_eq!(health(&fight), [1_000_000, 994_000]);
    let key = format!("o:{{{}}}", fight.id);
    assert!(redis.ask(&["HGET", &key, "snapped"]).number().is_some(), "there was a snapshot");
}
