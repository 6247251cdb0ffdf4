//! JSON and `MessagePack` carry the same fight.

use tiltyard_protocol::Encoding;

use crate::support::{Node, attack, plain_rules, until};
use tiltyard_client::Update;

#[tokio::test]
async fn a_fight_in_two_encodings() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.clients[1] = fight.connect(&node, 1, Encoding::MsgPack).await;
    fight.begin().await;
    for _ in 0..9 {
        attack(&mut fight.clients[0], 1).await.unwrap();
        attack(&mut fight.clients[1], 0).await.unwrap();
    }
    fight.settle().await;
    assert_eq!(fight.clients[1].view().participants[0].hp, 10);
    let client = &mut fight.clients[1];
    client.ping(7).await.unwrap();
    let pong = until(client, |update| matches!(update, Update::Pong(_))).await;
    assert!(matches!(pong, Update::Pong(pong) if pong.n == 7 && pong.time > 1_600_000_000_000));
}
