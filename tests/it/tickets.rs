//! A ticket admits one player to one session, once.

use tiltyard_client::{Client, Error};
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::support::{Node, plain_rules};

#[tokio::test]
async fn fifty_at_once_and_one_gets_in() {
    let node = Node::start();
    let fight = node.fight(2, plain_rules()).await;
    let ticket = node.rest().ticket(&node.service(), fight.id, fight.players[0]).await.unwrap();
    let tries = (0..50).map(|_| {
        let url = ticket.url.clone();
        tokio::spawn(async move { Client::connect(&url, Encoding::Json).await })
    });
    let mut admitted = 0;
    for attempt in tries.collect::<Vec<_>>() {
        match attempt.await.unwrap() {
            Ok(_) => admitted += 1,
            Err(Error::Upgrade(401)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(admitted, 1);
}

#[tokio::test]
async fn sockets_need_credentials_and_a_seat() {
    let node = Node::start();
    let fight = node.fight(2, plain_rules()).await;
    let url = format!("{}/ws?session={}", node.url.replacen("http", "ws", 1), fight.id);
    let refused = |attempt: Result<Client, Error>| match attempt {
        Err(Error::Upgrade(status)) => status,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(Client::connect(&url, Encoding::Json).await), 401);
    let stranger = node.player(Uuid::new_v4());
    assert_eq!(refused(Client::connect_with_token(&url, Encoding::Json, &stranger).await), 404);
    let player = node.player(fight.players[0]);
    let mut client = Client::connect_with_token(&url, Encoding::Json, &player).await.unwrap();
    client.join(fight.id).await.unwrap();
    client.next().await.unwrap().unwrap();
    assert_eq!(client.slot(), Some(0));
}

#[tokio::test]
async fn guests_fight_in_the_arena_and_nowhere_else() {
    let node = Node::start();
    let rest = node.rest();
    let (one, two) = (rest.guest().await.unwrap(), rest.guest().await.unwrap());
    let first = rest.take_seat(&one.token, "duel").await.unwrap();
    let second = rest.take_seat(&two.token, "duel").await.unwrap();
    assert_eq!(first.session_id, second.session_id);
    assert_eq!((first.slot, second.slot), (0, 1));
    let create = serde_json::json!({ "mode": "pvp", "participants": [one.player_id] });
    let refused = rest.call(reqwest::Method::POST, "/combat/sessions", Some(&one.token), Some(&create)).await.unwrap();
    assert_eq!(refused.status, 403);
}
