//! Fights are handed over between the shards of a node while they are fought: nobody in them notices.

use std::fs;
use std::path::PathBuf;

use reqwest::Method;
use serde_json::json;
use tiltyard_client::Client;
use uuid::Uuid;

use crate::recovery::{journals, refuse_to_start};
use crate::support::{Node, attack, plain_rules, soon};

/// Has a shard go on with a fight; how many microseconds nothing was done to it.
async fn hand_over(node: &Node, admin: &str, session: Uuid, shard: u128) -> u64 {
    let path = format!("/combat/sessions/{session}/hand-over");
    let answer = node
        .rest()
        .call(Method::POST, &path, Some(admin), Some(&json!({ "shard": u64::try_from(shard).unwrap() })))
        .await
        .unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body["gap_us"].as_u64().unwrap()
}

/// Attacks until told to stop; every attack has its answer before the next.
async fn fight_on(mut client: Client, target: u8, stop: tokio::sync::watch::Receiver<bool>) -> (Client, u64) {
    let mut acks = 0;
    while !*stop.borrow() {
        attack(&mut client, target).await.unwrap();
        acks += 1;
    }
    (client, acks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fights_are_handed_to_and_fro_under_load_and_nobody_in_them_notices() {
    const FIGHTS: u32 = 6;
    const ROUNDS: u32 = 5;
    let mut node = Node::start_with(&["--rate-connection", "off"]);
    let admin = node.token(&["--admin"]);
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000_000);
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let (mut fights, mut fighting) = (Vec::new(), Vec::new());
    for _ in 0..FIGHTS {
        let mut fight = node.fight(2, rules.clone()).await;
        fight.begin().await;
        let clients: Vec<Client> = fight.clients.drain(..).collect();
        for (slot, client) in clients.into_iter().enumerate() {
            let target = u8::try_from(1 - slot).unwrap();
            fighting.push(tokio::spawn(fight_on(client, target, stopped.clone())));
        }
        fights.push(fight);
    }
    let mut gaps = Vec::new();
    for round in 0..ROUNDS {
        for fight in &fights {
            let away = (fight.id.as_u128() + 1) % 2;
            gaps.push(hand_over(&node, &admin, fight.id, (away + u128::from(round)) % 2).await);
        }
    }
    stop.send(true).unwrap();
    let mut acks = Vec::new();
    for one in fighting {
        let (client, answered) = soon(one).await.unwrap();
        assert!(answered > 0);
        fights[acks.len() / 2].clients.push(client);
        acks.push(answered);
    }
    let taken: Vec<u64> = acks.chunks(2).map(|of_fight| of_fight.iter().sum()).collect();
    for (fight, taken) in fights.iter_mut().zip(&taken) {
        fight.settle().await;
        assert_eq!(actions(&node, &admin, fight.id).await, *taken, "every action once");
    }
    assert!(gaps.iter().all(|gap| *gap < 1_000_000), "{gaps:?}");
    let handed_over = node.metric("tiltyard_sessions_handed_over_total").await;
    assert!((handed_over - f64::from(FIGHTS * ROUNDS)).abs() < 0.1, "{handed_over}");
    assert!(node.metric("tiltyard_hand_over_gap_seconds_count").await > 0.0);

    for (body, status) in [(json!({ "shard": 2 }), 400), (json!({}), 400)] {
        let path = format!("/combat/sessions/{}/hand-over", fights[0].id);
        let answer = node.rest().call(Method::POST, &path, Some(&admin), Some(&body)).await.unwrap();
        assert_eq!(answer.status, status, "{body}: {}", answer.body);
    }

    // Their number of hand-overs is odd: they are away from home, where the next start has them.
    node.crash_and_restart();
    for (fight, taken) in fights.iter().zip(&taken) {
        assert_eq!(actions(&node, &admin, fight.id).await, *taken, "none is lost");
    }
}

#[tokio::test]
async fn a_fight_that_was_handed_over_is_at_stake_with_the_journal_of_the_shard_that_has_it() {
    at_stake_where_it_is(false).await;
}

/// The store is told how a fight stands at the end of a turn: what is done to it in the turn in which it comes is in that, too.
#[tokio::test]
async fn a_fight_that_was_handed_over_and_fought_on_is_told_of_too_where_the_store_knows_that() {
    at_stake_where_it_is(true).await;
}

async fn at_stake_where_it_is(store_knows_what_was_done: bool) {
    let mut node = Node::start_with(&["--shards", "2"]);
    let admin = node.token(&["--admin"]);
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let home = fight.id.as_u128() % 2;
    hand_over(&node, &admin, fight.id, 1 - home).await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    if store_knows_what_was_done {
        let (path, body) = (format!("/sessions/{}", fight.id), json!({ "metadata": { "n": 1 } }));
        let told = fight.call(&node, Method::PUT, &path, Some(&body)).await;
        assert_eq!(told.status, 200, "{}", told.body);
    }
    // The store has heard of it.
    soon(async { while node.metric("tiltyard_fights_unsettled").await > 0.5 {} }).await;
    node.kill();
    let journal = |shard: u128| -> PathBuf {
        let of_shard = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(&format!("{shard}-"));
        journals(&node).into_iter().find(of_shard).unwrap()
    };
    let [at_home, away] = [home, 1 - home].map(journal);
    let aside = node.data.path().join("aside");
    for (gone, at_stake) in [(&at_home, "no fight"), (&away, "1 fight")] {
        fs::rename(gone, &aside).unwrap();
        let said = refuse_to_start(&node);
        assert!(said.contains(&format!("At stake is {at_stake} of the node `local` ")), "{said}");
        fs::rename(&aside, gone).unwrap();
    }
    // Where it was at home it is as it was when it left, which is told.
    fs::remove_file(&away).unwrap();
    node.flags_of_restart(&["--shards", "2", "--accept-loss"]);
    node.start_again();
    soon(async { while node.metric("tiltyard_fights_rolled_back_total").await < 0.5 {} }).await;
    assert_eq!(actions(&node, &admin, fight.id).await, 0);
    assert!(node.metric("tiltyard_fights_rolled_back_total").await < 1.5, "once");
}

/// Actions that were taken in a fight.
async fn actions(node: &Node, admin: &str, session: Uuid) -> u64 {
    let path = format!("/combat/sessions/{session}");
    let told = node.rest().call(Method::GET, &path, Some(admin), None).await.unwrap();
    told.body["stats"]["total_actions"].as_u64().unwrap_or_else(|| panic!("{}", told.body))
}
