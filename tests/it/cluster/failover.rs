//! A fight survives its server: its log is in Redis, and when its node is gone another goes on with it. Nothing acknowledged is lost, nothing
//! happens twice, and who had it has it no more, however alive.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tiltyard_client::Order;
use tiltyard_protocol::CloseCode;
use uuid::Uuid;

use super::{Case, Node, Postgres, Redis, health, nodes, with_key_of};
use crate::redis::Redis as LogRedis;
use crate::support::{answer, attack, close_code, plain_rules, result};

/// Nodes that share a store, a directory and a log.
struct Nodes {
    directory: Redis,
    /// Goes with whoever holds it.
    _log: LogRedis,
    all: Vec<Case>,
}

impl Nodes {
    async fn start(names: &[&str]) -> Self {
        let (directory, log) = (Redis::start(), LogRedis::start());
        let database = Postgres::shared().database().await;
        let key = Node::start_on_with(TempDir::new().unwrap(), &["--node", "key"]);
        let (at, log_at) = (directory.url(), log.url());
        let of = |name: &&str| {
            let flags = ["--node", name, "--database", &database, "--redis", &at, "--redis-log", &log_at];
            Case::of(Node::start_on_with(with_key_of(&key), &flags))
        };
        let all: Vec<Case> = names.iter().map(of).collect();
        for case in &all {
            nodes(case, names.len() as u64).await;
        }
        // For a while after a node has come nobody is taken for dead.
        tokio::time::sleep(CALM).await;
        Self { directory, _log: log, all }
    }

    /// Waits until the fight lives at another node than `than`, as the node `asked` says, and says at which, and how long that took.
    async fn moved(&self, fight: Uuid, asked: usize, than: &str) -> (usize, Duration) {
        let since = Instant::now();
        loop {
            let reply = self.all[asked].get(&format!("/sessions/{fight}")).await;
            assert!([200, 503].contains(&reply.status), "{} {}", reply.status, reply.body);
            let node = reply.body["node"].as_str().unwrap_or(than).to_owned();
            if reply.status == 200 && node != than {
                let place = self.all.iter().position(|case| name_of(case) == node);
                return (place.unwrap(), since.elapsed());
            }
            assert!(since.elapsed() < Duration::from_secs(10), "{}", reply.body);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// More than nobody is taken for dead.
const CALM: Duration = Duration::from_millis(4_500);

fn name_of(case: &Case) -> &str {
    case.node.flag("--node")
}

fn rules() -> serde_json::Value {
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    rules
}

#[tokio::test]
async fn a_fight_goes_on_at_another_node_when_its_own_is_killed() {
    let mut nodes_ = Nodes::start(&["one", "two"]).await;
    let mut fight = nodes_.all[0].node.fight(2, plain_rules()).await;
    fight.begin().await;
    let mut acknowledged = attack(&mut fight.clients[0], 1).await.unwrap();
    for _ in 0..3 {
        acknowledged = attack(&mut fight.clients[0], 1).await.unwrap();
    }
    nodes_.all[0].node.kill();
    let (place, took) = nodes_.moved(fight.id, 1, "one").await;
    assert_eq!(place, 1);
    assert!(took < Duration::from_secs(3), "{took:?}");
    let case = &nodes_.all[1];
    fight.reconnect(&case.node).await;
    let client = &mut fight.clients[0];
    assert_eq!(client.view().participants[1].hp, 60, "exactly the four acknowledged hits");
    assert!(client.seq() >= acknowledged.q);
    client.act_as(acknowledged.id, Order::attack(1)).await.unwrap();
    assert_eq!(answer(client, acknowledged.id).await.unwrap(), acknowledged, "a repeat is known at the other node");
    assert!(case.node.metric("tiltyard_failover_fights_total").await >= 1.0);
    // Its node comes back while it goes on: it is the other's, and is not ended for want of a log.
    nodes_.all[0].node.start_again();
    nodes(&nodes_.all[1], 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(nodes_.moved(fight.id, 0, "one").await.0, 1, "asked at the node that had it");
    for _ in 0..6 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    assert_eq!(result(&mut fight.clients[1]).await.winner, Some(0));
}

#[tokio::test]
async fn many_fights_are_shared_out_and_nothing_acknowledged_is_lost() {
    let mut nodes_ = Nodes::start(&["one", "two", "three"]).await;
    let mut fights = Vec::new();
    for _ in 0..24 {
        let mut fight = nodes_.all[0].node.fight(2, rules()).await;
        fight.begin().await;
        for _ in 0..3 {
            attack(&mut fight.clients[0], 1).await.unwrap();
        }
        fights.push(fight);
    }
    // In flight when it dies: it may be applied or not, and once at most.
    let mut sent = Vec::new();
    for fight in &mut fights {
        sent.push(fight.clients[0].act(Order::attack(1)).await.unwrap());
    }
    nodes_.all[0].node.kill();
    let mut places = [0; 3];
    for (fight, id) in fights.iter_mut().zip(sent) {
        let (place, _) = nodes_.moved(fight.id, 1, "one").await;
        places[place] += 1;
        fight.reconnect(&nodes_.all[place].node).await;
        fight.clients[0].act_as(id, Order::attack(1)).await.unwrap();
        answer(&mut fight.clients[0], id).await.unwrap();
        fight.settle().await;
        assert_eq!(fight.clients[1].view().participants[1].hp, 1_000_000 - 40);
    }
    assert!(places[0] == 0 && places[1] > 3 && places[2] > 3, "{places:?}");
    // And once more: from the one that went on with some to the last.
    nodes_.all[1].node.kill();
    for fight in &mut fights {
        let (place, _) = nodes_.moved(fight.id, 2, "two").await;
        assert_eq!(place, 2);
        fight.reconnect(&nodes_.all[2].node).await;
        attack(&mut fight.clients[0], 1).await.unwrap();
        fight.settle().await;
        assert_eq!(fight.clients[0].view().participants[1].hp, 1_000_000 - 50);
    }
}

#[tokio::test]
async fn a_node_that_stood_still_has_its_fights_no_more() {
    let mut nodes_ = Nodes::start(&["one", "two"]).await;
    let mut fight = nodes_.all[0].node.fight(2, rules()).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    // One in which nothing happens: nobody says anything of it that could be refused.
    let mut idle = nodes_.all[0].node.fight(2, rules()).await;
    nodes_.all[0].node.signal("STOP");
    // The signal is on its way to each of its threads.
    tokio::time::sleep(Duration::from_millis(100)).await;
    // What is sent to it now is heard when it goes on, and is not done.
    let mut old = std::mem::take(&mut fight.clients);
    let late = old[0].act(Order::attack(1)).await.unwrap();
    let since = Instant::now();
    nodes(&nodes_.all[1], 1).await;
    let (place, _) = nodes_.moved(fight.id, 1, "one").await;
    assert_eq!(place, 1);
    assert!(since.elapsed() < Duration::from_secs(4), "{:?}", since.elapsed());
    fight.reconnect(&nodes_.all[1].node).await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    // For so long that it is found to have nothing left.
    tokio::time::sleep(Duration::from_secs(2)).await;
    nodes_.all[0].node.signal("CONT");
    let since = Instant::now();
    assert_eq!(close_code(&mut old[0]).await, CloseCode::Restart.code());
    assert_eq!(close_code(&mut idle.clients[1]).await, CloseCode::Restart.code());
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    nodes(&nodes_.all[1], 2).await;
    // Asked where it was, too, it is the other's.
    assert_eq!(nodes_.moved(fight.id, 0, "one").await.0, 1);
    attack(&mut fight.clients[0], 1).await.unwrap();
    fight.settle().await;
    assert_eq!(fight.clients[0].view().participants[1].hp, 1_000_000 - 30, "{late} was not done");
    // It goes on as a node like others: what it has from now on is found when it is gone for good.
    tokio::time::sleep(CALM).await;
    let mut fight = nodes_.all[0].node.fight(2, rules()).await;
    fight.begin().await;
    nodes_.all[0].node.kill();
    assert_eq!(nodes_.moved(fight.id, 1, "one").await.0, 1);
}

#[tokio::test]
async fn nobody_is_taken_for_dead_by_a_directory_that_has_forgotten_all() {
    let mut nodes_ = Nodes::start(&["one", "two"]).await;
    let mut fight = nodes_.all[0].node.fight(2, rules()).await;
    fight.begin().await;
    for way in ["restarted", "emptied"] {
        if way == "restarted" {
            nodes_.directory.kill();
            nodes_.directory.restart();
        } else {
            nodes_.directory.ask("FLUSHALL");
        }
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            attack(&mut fight.clients[0], 1).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    for case in &nodes_.all {
        health(case, |health| health["cluster"]["nodes"] == 2).await;
        assert!(case.node.metric("tiltyard_failover_fights_total").await < 0.5);
    }
}

#[tokio::test]
async fn fights_of_a_node_that_stops_for_good_go_on_as_well() {
    let mut nodes_ = Nodes::start(&["one", "two"]).await;
    let mut fight = nodes_.all[0].node.fight(2, rules()).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    nodes_.all[0].node.signal("TERM");
    assert_eq!(close_code(&mut fight.clients[0]).await, CloseCode::Restart.code());
    let (place, took) = nodes_.moved(fight.id, 1, "one").await;
    assert_eq!(place, 1);
    assert!(took < Duration::from_secs(4), "{took:?}");
    // Both are gone for a while: who comes first goes on with everything.
    nodes_.all[1].node.kill();
    nodes_.all[0].node.kill();
    nodes_.all[0].node.start_again();
    let (place, _) = nodes_.moved(fight.id, 0, "two").await;
    assert_eq!(place, 0);
    fight.reconnect(&nodes_.all[0].node).await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    fight.settle().await;
    assert_eq!(fight.clients[0].view().participants[1].hp, 1_000_000 - 20);
}
