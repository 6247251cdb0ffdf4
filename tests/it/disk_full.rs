//! The disk is full: what cannot be kept is refused and says so, what was answered is there, and once there is room again
//! everything goes on by itself.

use std::fs;
use std::time::Instant;

use reqwest::Method;
use serde_json::json;
use uuid::Uuid;

use crate::support::{Node, PATIENCE, attack, plain_rules};

const MIB: usize = 1 << 20;

#[tokio::test]
async fn what_cannot_be_kept_is_refused_until_there_is_room() {
    let mut node = Node::start_on_small_disk(24 * MIB, 16 * MIB);
    let service = node.service();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();

    let rest = node.rest();
    let create = |n: usize| {
        let body =
            json!({ "type": "custom", "player_id": Uuid::new_v4(), "metadata": { "n": n, "text": "x".repeat(8_000) } });
        let (rest, service) = (&rest, &service);
        async move { rest.call(Method::POST, "/sessions", Some(service), Some(&body)).await.unwrap() }
    };
    let mut created = Vec::new();
    let refused = loop {
        let answer = create(created.len()).await;
        if answer.status != 201 {
            break answer;
        }
        created.push(answer.body["session_id"].as_str().unwrap().to_owned());
        assert!(created.len() < 2_000, "the disk is never full");
    };
    assert_eq!(
        (refused.status.as_u16(), &refused.body["details"]["reason"]),
        (507, &json!("storage_full")),
        "{}",
        refused.body
    );
    assert!(created.len() > 20 && node.is_alive(), "after {}", created.len());
    assert_eq!(create(0).await.status, 507, "and again");
    // Reading needs no room.
    let path = format!("/sessions/{}", created[0]);
    assert_eq!(rest.call(Method::GET, &path, Some(&service), None).await.unwrap().status, 200);

    fs::remove_file(node.file("ballast")).unwrap();
    let since = Instant::now();
    let after = loop {
        let answer = create(0).await;
        if answer.status == 201 {
            break answer.body["session_id"].as_str().unwrap().to_owned();
        }
        assert!(since.elapsed() < PATIENCE, "{}", answer.body);
    };
    for id in created.iter().chain([&after]) {
        let answer = rest.call(Method::GET, &format!("/sessions/{id}"), Some(&service), None).await.unwrap();
        assert_eq!(answer.status, 200, "{id} was answered");
    }
    let listed = rest.call(Method::GET, "/sessions?type=custom&limit=1", Some(&service), None).await.unwrap();
    assert_eq!(listed.body["total_count"], created.len() + 1);
    attack(&mut fight.clients[1], 0).await.unwrap();
}
