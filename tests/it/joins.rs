//! A welcome is the largest thing a client can ask for: nobody else pays for those who ask for many.

use serde_json::{Value, json};
use tiltyard_client::{Client, Update};
use tiltyard_protocol::Encoding;
use tiltyard_protocol::server::EventKind;
use uuid::Uuid;

use crate::raw::{Raw, join, leave, ping};
use crate::support::{Fight, Node, attack, plain_rules, soon, until};

/// A fight of `seats` that nobody has joined.
async fn large(node: &Node, seats: usize) -> Fight {
    let ids = (0..seats).map(|_| Uuid::new_v4()).collect();
    node.seats("pvp", ids, json!({ "rules": plain_rules() })).await
}

fn count(heard: &[(Value, usize)], t: &str) -> usize {
    heard.iter().filter(|(message, _)| message["t"] == t).count()
}

fn reasons(heard: &[(Value, usize)]) -> Vec<&str> {
    heard.iter().filter_map(|(message, _)| message["d"]["reason"].as_str()).collect()
}

#[tokio::test]
async fn a_second_join_gets_one_snapshot_and_then_short_answers() {
    let node = Node::start();
    let fight = large(&node, 100).await;
    let mut raw = Raw::connect(&node, &fight, 0).await;
    raw.say(&[join(&fight), ping(1)]);
    let first = raw.until("pong");
    let welcome: usize = first.iter().map(|(_, bytes)| bytes).sum();
    assert_eq!((count(&first, "joined"), count(&first, "snapshot")), (1, 1));

    let many = [vec![join(&fight); 50], vec![ping(2)]].concat();
    raw.say(&many);
    let heard = raw.until("pong");
    let answers = count(&heard, "joined") + count(&heard, "error");
    assert_eq!(answers, 50, "each is answered");
    // One at once, and one for each second that this machine may need for it.
    assert!((1..10).contains(&count(&heard, "snapshot")), "{}", count(&heard, "snapshot"));
    assert!(reasons(&heard).iter().all(|reason| *reason == "already_joined"), "{:?}", reasons(&heard));
    let short: Vec<usize> =
        heard.iter().filter(|(message, _)| message["t"] == "error").map(|(_, bytes)| *bytes).collect();
    assert!(short.iter().all(|bytes| bytes * 50 < welcome), "{short:?} against {welcome}");
}

#[tokio::test]
async fn joining_and_leaving_again_and_again_is_refused_and_shown_to_nobody() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    drop(fight.clients.pop());
    let mut raw = Raw::connect(&node, &fight, 1).await;
    let loops: Vec<Value> = (0..100).flat_map(|_| [join(&fight), leave(&fight)]).collect();
    raw.say(&[loops, vec![ping(1)]].concat());
    let heard = raw.until("pong");
    assert!(count(&heard, "joined") < 40, "{}", count(&heard, "joined"));
    assert!(reasons(&heard).contains(&"too_many_requests"));

    let witness = &mut fight.clients[0];
    witness.ping(1).await.unwrap();
    let mut shown = 0;
    loop {
        match soon(witness.next()).await.unwrap().unwrap() {
            Update::Pong(_) => break,
            Update::Delta(events) => {
                let link = |kind| matches!(kind, EventKind::Connected | EventKind::Disconnected);
                shown += events.iter().filter(|event| link(event.k)).count();
            }
            _ => {}
        }
    }
    assert!((1..80).contains(&shown), "{shown} of 200");
    assert!(node.metric("tiltyard_joins_refused_total").await >= 1.0);
}

#[tokio::test]
async fn many_joins_at_once_of_one_who_reads_nothing_cost_the_shard_a_few_answers() {
    let node = Node::start_with(&["--shards", "1"]);
    let crowd = large(&node, 100).await;
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let mut pair = node.fight(2, rules).await;
    pair.begin().await;
    let mut rude = Vec::new();
    for slot in 0..4 {
        let mut raw = Raw::connect(&node, &crowd, slot).await;
        // As much as one read takes.
        raw.say(&vec![join(&crowd); 400]);
        rude.push(raw);
    }
    for _ in 0..50 {
        attack(&mut pair.clients[0], 1).await.unwrap();
    }
    for raw in &mut rude {
        raw.say(&vec![join(&crowd); 50]);
    }
    for _ in 0..50 {
        attack(&mut pair.clients[0], 1).await.unwrap();
    }
    assert!(node.metric("tiltyard_joins_total").await >= 3.0);
    let made = node.metric("tiltyard_single_bytes_total").await;
    assert!(made < 4.0 * 512.0 * 1024.0, "{made} bytes, some 80 MB if every join were welcomed");
}

#[tokio::test]
async fn three_hundred_who_come_at_once_are_all_taken_and_what_each_says_is_taken_in_order() {
    let node = Node::start_with(&["--shards", "1"]);
    let (service, mut seats) = (node.service(), Vec::new());
    for _ in 0..3 {
        let fight = large(&node, 100).await;
        seats.extend(fight.players.iter().map(|&player| (fight.id, player)));
    }
    let coming = seats.into_iter().map(|(id, player)| {
        let (rest, service) = (node.rest(), service.clone());
        tokio::spawn(async move {
            let ticket = rest.ticket(&service, id, player).await.unwrap();
            let mut client = Client::connect(&ticket.url, Encoding::MsgPack).await.unwrap();
            client.join(id).await.unwrap();
            client.ping(1).await.unwrap();
            let mut heard = Vec::new();
            loop {
                match soon(client.next()).await.unwrap().unwrap() {
                    Update::Joined(_) => heard.push("joined"),
                    Update::Snapshot => heard.push("snapshot"),
                    Update::Pong(_) => break,
                    _ => {}
                }
            }
            assert_eq!(heard, ["joined", "snapshot"], "before the pong");
            client
        })
    });
    let mut clients = Vec::new();
    for client in coming.collect::<Vec<_>>() {
        clients.push(client.await.unwrap());
    }
    assert!(node.metric("tiltyard_joins_total").await >= 300.0);
    assert!(node.metric("tiltyard_joins_waiting").await < 1.0);
    // Nothing was lost on the way: all see the same.
    for client in &mut clients {
        client.ping(2).await.unwrap();
        until(client, |update| matches!(update, Update::Pong(_))).await;
    }
}
