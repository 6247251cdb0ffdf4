//! A fight survives its server: kill -9 in the middle, the same data folder, and it goes on from what was acknowledged.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use serde_json::json;
use tiltyard_client::{Client, Order};
use tiltyard_protocol::server::Ack;
use tiltyard_protocol::{Encoding, Reason};

use crate::support::{Fight, Node, answer, attack, plain_rules, result, soon};

#[tokio::test]
async fn a_fight_goes_on_after_kill_9() {
    let mut node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let mut acknowledged = None;
    for _ in 0..4 {
        acknowledged = Some(attack(&mut fight.clients[0], 1).await.unwrap());
    }
    let acknowledged = acknowledged.unwrap();
    node.crash_and_restart();
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
async fn nothing_acknowledged_is_lost_and_nothing_is_applied_twice() {
    it_dies_between_action_and_answer(Node::start()).await;
}

/// Answers come when the disk has the turn: later than it was taken.
#[tokio::test]
async fn nothing_acknowledged_is_lost_where_turns_wait_for_the_disk() {
    it_dies_between_action_and_answer(Node::start_with(&["--sync"])).await;
}

async fn it_dies_between_action_and_answer(mut node: Node) {
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let mut fight = node.fight(4, rules).await;
    fight.begin().await;
    // In each round actions are in flight, unanswered, when the server dies.
    let mut hits: [u32; 4] = [0; 4];
    for round in 0..5 {
        let mut sent = Vec::new();
        for (slot, client) in fight.clients.iter_mut().enumerate() {
            let target = u8::try_from((slot + 1) % 4).unwrap();
            for _ in 0..(3 + round) {
                attack(client, target).await.unwrap();
                hits[usize::from(target)] += 1;
            }
            sent.push((client.act(Order::attack(target)).await.unwrap(), target));
        }
        node.crash_and_restart();
        fight.reconnect(&node).await;
        for (client, (id, target)) in fight.clients.iter_mut().zip(sent) {
            // Sent again with its id: applied now, or answered from memory. Either way once.
            client.act_as(id, Order::attack(target)).await.unwrap();
            answer(client, id).await.unwrap();
            hits[usize::from(target)] += 1;
        }
        fight.settle().await;
    }
    let health: Vec<u32> = fight.clients[0].view().participants.iter().map(|p| p.hp).collect();
    assert_eq!(health, hits.map(|hits| 1_000_000 - 10 * hits));
}

#[tokio::test]
async fn shards_may_be_more_or_fewer_after_a_restart() {
    let mut node = Node::start();
    let mut fights = Vec::new();
    for _ in 0..6 {
        let mut fight = node.fight(2, plain_rules()).await;
        fight.begin().await;
        attack(&mut fight.clients[0], 1).await.unwrap();
        fights.push(fight);
    }
    for shards in ["5", "1"] {
        node.flags_of_restart(&["--shards", shards]);
        node.crash_and_restart();
        for fight in &mut fights {
            fight.reconnect(&node).await;
            attack(&mut fight.clients[1], 0).await.unwrap();
        }
    }
    for fight in &mut fights {
        fight.settle().await;
        let health: Vec<u32> = fight.clients[1].view().participants.iter().map(|p| p.hp).collect();
        assert_eq!(health, [80, 90]);
    }
}

#[tokio::test]
async fn nobody_forfeits_or_is_idle_while_the_process_stands_still() {
    let node = Node::start();
    let mut rules = plain_rules();
    rules["reconnect_ms"] = json!(6_000);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    // One has just lost its connection when the process is stopped, for longer than its seat is kept.
    fight.clients.truncate(1);
    while fight.state(&node).await.body["participants"][1]["status"] != "disconnected" {}
    node.signal("STOP");
    // Real time, as a process that is stopped has no other; two seconds of it pass for the seat, the rest is left to come back in.
    std::thread::sleep(Duration::from_secs(7));
    node.signal("CONT");
    let client = fight.connect(&node, 1, Encoding::Json).await;
    fight.clients.push(client);
    attack(&mut fight.clients[1], 0).await.unwrap();
    attack(&mut fight.clients[0], 1).await.unwrap();
    assert!(node.metric("tiltyard_stands_total").await > 0.0);
}

pub fn journals(node: &Node) -> Vec<PathBuf> {
    let generations = fs::read_dir(node.data.path().join("log")).unwrap();
    let folders = generations.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    folders.flat_map(|folder| fs::read_dir(folder).unwrap()).map(|entry| entry.unwrap().path()).collect()
}

/// Waits until every shard has marked how far its journal is whole.
pub async fn marked(node: &Node) {
    let is_marked = |journal: &PathBuf| {
        let shard: usize = journal.file_stem().unwrap().to_str().unwrap().split('-').next().unwrap().parse().unwrap();
        let marks = fs::read(node.data.path().join("log/marks")).unwrap();
        let end = u64::from_le_bytes(marks[shard * 64 + 24..][..8].try_into().unwrap());
        // Behind the last turn is an empty frame.
        end + 12 == fs::metadata(journal).unwrap().len()
    };
    let since = std::time::Instant::now();
    while !journals(node).iter().all(is_marked) {
        assert!(since.elapsed() < crate::support::PATIENCE, "what was done last is not marked");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Tries to serve the data folder of a dead node and returns what it said.
pub fn refuse_to_start(node: &Node) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tiltyard"))
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(node.data.path())
        .output()
        .unwrap();
    assert!(!output.status.success(), "it started");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test]
async fn damage_is_told_and_a_torn_end_is_cut_off() {
    let mut node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    node.kill();

    let journal = journals(&node).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let whole = fs::read(&journal).unwrap();
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    fs::write(&journal, &damaged).unwrap();
    let said = refuse_to_start(&node);
    assert!(said.contains("damaged at byte") && said.contains(journal.to_str().unwrap()), "{said}");
    assert_eq!(fs::read(&journal).unwrap(), damaged, "and nothing was changed");

    let torn = [&whole[..], &[200, 0, 0, 0, 1, 2, 3]].concat();
    fs::write(&journal, torn).unwrap();
    node.crash_and_restart();
    fight.reconnect(&node).await;
    assert_eq!(fight.clients[0].view().participants[1].hp, 90);
}

/// What clients were told, and what the server must still say for it.
struct Told {
    /// By slot: the newest sequence, and the answers to its actions.
    by_slot: Vec<(u64, Vec<Ack>)>,
    health: Vec<u32>,
}

impl Told {
    /// Every player acts some times, and all see it.
    async fn of(fight: &mut Fight, actions: usize) -> Self {
        let (mut acks, players) = (vec![Vec::new(); fight.clients.len()], fight.clients.len());
        for (slot, client) in fight.clients.iter_mut().enumerate() {
            for _ in 0..actions {
                acks[slot].push(attack(client, u8::try_from((slot + 1) % players).unwrap()).await.unwrap());
            }
        }
        fight.settle().await;
        let by_slot = fight.clients.iter().map(tiltyard_client::Client::seq).zip(acks).collect();
        Self { by_slot, health: fight.clients[0].view().participants.iter().map(|p| p.hp).collect() }
    }

    /// Connects everybody again; what is not as it was told is an error.
    async fn is_kept(&self, node: &Node, fight: &mut Fight) -> Result<(), String> {
        fight.clients.clear();
        for (slot, (seq, acks)) in self.by_slot.iter().enumerate() {
            let ticket = node.rest().ticket(&node.service(), fight.id, fight.players[slot]).await.unwrap();
            let mut client = Client::connect(&ticket.url, Encoding::Json).await.unwrap();
            client.join_again(fight.id, *seq).await.unwrap();
            while client.seq() == 0 {
                soon(client.next()).await.map_err(|error| error.to_string())?;
            }
            for ack in acks {
                client
                    .act_as(ack.id, Order::attack(u8::try_from((slot + 1) % self.health.len()).unwrap()))
                    .await
                    .unwrap();
                let again = answer(&mut client, ack.id).await.map_err(|refused| format!("{refused:?}"))?;
                if again != *ack {
                    return Err(format!("slot {slot} was told {ack:?}, and is told {again:?}"));
                }
            }
            fight.clients.push(client);
        }
        fight.settle().await;
        let health: Vec<u32> = fight.clients[0].view().participants.iter().map(|p| p.hp).collect();
        if health == self.health { Ok(()) } else { Err(format!("health {health:?} and not {:?}", self.health)) }
    }
}

#[tokio::test]
async fn rounds_of_kill_9_lose_nothing_and_what_is_cut_off_the_log_is_told() {
    let mut node = Node::start();
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let mut fight = node.fight(3, rules).await;
    fight.begin().await;
    for round in 0..4 {
        let told = Told::of(&mut fight, 4).await;
        node.crash_and_restart();
        assert_eq!(told.is_kept(&node, &mut fight).await, Ok(()), "round {round}");
    }
    // The same with a log that has lost its end: the start goes on as behind a torn one, and knows how much of it had been acknowledged.
    let told = Told::of(&mut fight, 4).await;
    marked(&node).await;
    node.kill();
    let journal = journals(&node).into_iter().max_by_key(|path| fs::metadata(path).unwrap().len()).unwrap();
    let length = fs::metadata(&journal).unwrap().len();
    fs::OpenOptions::new().write(true).open(&journal).unwrap().set_len(length - 40).unwrap();
    node.start_again();
    crate::support::soon(async { while node.metric("tiltyard_log_missing_bytes_total").await < 0.5 {} }).await;
    let found = told.is_kept(&node, &mut fight).await.unwrap_err();
    println!("found: {found}");
}

/// The folder of the log in use.
fn generation(node: &Node) -> PathBuf {
    journals(node).remove(0).parent().unwrap().to_owned()
}

#[tokio::test]
async fn a_log_that_is_gone_stops_the_start_and_says_how_many_fights_are_at_stake() {
    let mut node = Node::start();
    let mut fights = Vec::new();
    for _ in 0..8 {
        let mut fight = node.fight(2, plain_rules()).await;
        fight.begin().await;
        fights.push(fight.id);
    }
    node.kill();
    let aside = node.data.path().join("aside");
    // One shard's journal, the log in use, all of it.
    let journal = journals(&node).remove(0);
    fs::rename(&journal, &aside).unwrap();
    let said = refuse_to_start(&node);
    assert!(said.contains("--accept-loss") && said.contains("At stake "), "{said}");
    // One fight, or none, is said otherwise.
    let at_stake =
        said.split("At stake are ").nth(1).map_or(0, |told| told.split(' ').next().unwrap().parse().unwrap());
    assert!(at_stake < 8, "{said}");
    fs::rename(&aside, &journal).unwrap();
    for gone in [generation(&node), node.data.path().join("log")] {
        fs::rename(&gone, &aside).unwrap();
        let said = refuse_to_start(&node);
        assert!(said.contains("--accept-loss") && said.contains("At stake are 8 fights"), "{said}");
        assert!(said.contains(gone.to_str().unwrap()), "{said}");
        let _ = fs::remove_dir_all(&gone);
        fs::rename(&aside, &gone).unwrap();
    }
    fs::remove_file(&journal).unwrap();
    node.flags_of_restart(&["--shards", "2", "--accept-loss"]);
    node.start_again();
    let lost = f64::from(u32::try_from(at_stake).unwrap());
    crate::support::soon(async { while node.metric("tiltyard_fights_lost_total").await < lost {} }).await;
    assert!((node.metric("tiltyard_fights_lost_total").await - lost).abs() < 0.5);
    assert!((node.metric("tiltyard_log_lost_journals_total").await - 1.0).abs() < 0.5);
    // It is said for one start: the log is whole again.
    node.flags_of_restart(&["--shards", "2"]);
    node.crash_and_restart();
}

#[tokio::test]
async fn two_nodes_cannot_share_a_data_folder() {
    let node = Node::start();
    let said = refuse_to_start(&node);
    assert!(said.contains("another server of this node's name writes to it"), "{said}");
}

#[tokio::test]
async fn time_stands_still_while_the_server_is_down() {
    let mut node = Node::start();
    let mut rules = plain_rules();
    rules["attack_interval_ms"] = json!(60_000);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    let before = fight.state(&node).await.body["time_remaining"].as_u64().unwrap();
    node.crash_and_restart();
    fight.reconnect(&node).await;
    let after = fight.state(&node).await.body["time_remaining"].as_u64().unwrap();
    assert!(after <= before && after + 60 > before, "{before} s before, {after} s after");
    let refused = attack(&mut fight.clients[0], 1).await.unwrap_err();
    assert_eq!(refused.reason, Reason::Cooldown);
    assert!(refused.retry_ms.unwrap() > 30_000);
}
