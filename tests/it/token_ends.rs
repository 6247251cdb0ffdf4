//! A socket lives as long as its token, and a new token keeps it alive.

use reqwest::Method;
use serde_json::json;
use tiltyard_client::{Client, Error, Update};
use tiltyard_protocol::{Encoding, Reason};
use uuid::Uuid;

use crate::support::{Fight, Node, attack, close_code, plain_rules, soon, until};

/// Long enough to connect with on a machine that has much else to do.
const SHORT: &str = "5s";

const TOKEN_EXPIRED: u16 = 4419;
const UNAUTHORIZED: u16 = 4401;

fn short(node: &Node, player: Uuid) -> String {
    node.token(&["--player", &player.to_string(), "--ttl", SHORT])
}

/// A connection of the player in `slot` by `token`, joined.
async fn connect(node: &Node, fight: &Fight, encoding: Encoding, token: &str) -> Client {
    let url = format!("{}/ws?session={}", node.url.replacen("http", "ws", 1), fight.id);
    join(fight, Client::connect_with_token(&url, encoding, token).await.unwrap()).await
}

async fn join(fight: &Fight, mut client: Client) -> Client {
    client.join(fight.id).await.unwrap();
    until(&mut client, |update| matches!(update, Update::Snapshot)).await;
    client
}

/// Reads on to the refusal of what was handed in.
async fn refusal(client: &mut Client) -> Reason {
    soon(async {
        loop {
            match client.next().await {
                Err(Error::Notice { reason, .. }) => return reason,
                Ok(Some(Update::Renewed(_))) => panic!("it was taken"),
                Ok(Some(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await
}

async fn renewed(client: &mut Client) -> u64 {
    match until(client, |update| matches!(update, Update::Renewed(_))).await {
        Update::Renewed(left_ms) => left_ms,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn sockets_end_with_their_tokens_unless_new_ones_are_handed_in() {
    let node = Node::start();
    let players: Vec<Uuid> = (0..4).map(|_| Uuid::new_v4()).collect();
    let mut fight = node.seats("pvp", players.clone(), json!({ "rules": plain_rules() })).await;
    let later: Vec<String> = players.iter().map(|&player| node.player(player)).collect();
    let mut ended = connect(&node, &fight, Encoding::Json, &short(&node, players[0])).await;
    // By a ticket: the token that asked for it counts, a service's too.
    let service = node.token(&["--service", "short", "--scope", "sessions:write", "--ttl", SHORT]);
    let ticket = node.rest().ticket(&service, fight.id, players[1]).await.unwrap();
    let mut by_ticket = join(&fight, Client::connect(&ticket.url, Encoding::Json).await.unwrap()).await;
    let mut kept = Vec::new();
    for (slot, encoding) in [(2, Encoding::Json), (3, Encoding::MsgPack)] {
        let mut client = connect(&node, &fight, encoding, &short(&node, players[slot])).await;
        let Update::Expiring(left_ms) = until(&mut client, |update| matches!(update, Update::Expiring(_))).await else {
            panic!("asked for a new one");
        };
        assert!(left_ms <= 2_500, "at half of what it had: {left_ms}");
        client.renew(&later[slot]).await.unwrap();
        assert!(renewed(&mut client).await > 60_000);
        kept.push(client);
    }
    assert_eq!(close_code(&mut ended).await, TOKEN_EXPIRED);
    assert_eq!(close_code(&mut by_ticket).await, TOKEN_EXPIRED);
    let state = fight.state(&node).await;
    let seated = state.body["participants"].as_array().unwrap().len();
    assert_eq!(seated, 4, "nobody is thrown out: {}", state.body);

    // Both come back, and those who stayed play on after the end of what they came with.
    let mut clients = vec![
        connect(&node, &fight, Encoding::Json, &later[0]).await,
        connect(&node, &fight, Encoding::Json, &later[1]).await,
    ];
    clients.append(&mut kept);
    fight.clients = clients;
    fight.begin().await;
    for slot in 0..4_u8 {
        attack(&mut fight.clients[usize::from(slot)], (slot + 1) % 4).await.expect("it may act");
    }
    assert!(node.metric("tiltyard_closed_expired_total").await > 1.5);
    assert!(node.metric("tiltyard_tokens_renewed_total").await > 1.5);
}

#[tokio::test]
async fn what_is_no_token_of_the_player_is_refused_by_name() {
    let node = Node::start();
    let fight = node.seats("pvp", vec![Uuid::new_v4(), Uuid::new_v4()], json!({})).await;
    let [own, other] = [node.player(fight.players[0]), node.player(fight.players[1])];
    let mut client = connect(&node, &fight, Encoding::Json, &own).await;
    let idle = node.token(&["--player", &fight.players[0].to_string(), "--scope", "ops:read"]);
    for token in [&other, &idle, &node.service()] {
        client.renew(token).await.unwrap();
        assert_eq!(refusal(&mut client).await, Reason::Forbidden);
    }
    let elsewhere = node.seats("pvp", fight.players.clone(), json!({})).await;
    let ticket = node.rest().ticket(&own, elsewhere.id, fight.players[0]).await.unwrap();
    client.renew_by_ticket(&ticket.ticket).await.unwrap();
    assert_eq!(refusal(&mut client).await, Reason::Forbidden, "it has joined another session than the ticket's");
    client.renew("nonsense").await.unwrap();
    // The fifth: where the others took more than a second, there is room for it again.
    let reason = refusal(&mut client).await;
    assert!(matches!(reason, Reason::TooManyRequests | Reason::Unauthorized), "{reason}");
    until_pong(&mut client).await;

    // None of that has used the ticket up; and one that has been used is no good.
    let mut by_ticket = join(&elsewhere, Client::connect(&ticket.url, Encoding::MsgPack).await.unwrap()).await;
    by_ticket.renew_by_ticket(&ticket.ticket).await.unwrap();
    assert_eq!(refusal(&mut by_ticket).await, Reason::Unauthorized);
    let again = node.rest().ticket(&node.service(), elsewhere.id, fight.players[0]).await.unwrap();
    by_ticket.renew_by_ticket(&again.ticket).await.unwrap();
    assert!(renewed(&mut by_ticket).await > 1_000_000, "as long as the service's token");
    let others = node.rest().ticket(&node.service(), fight.id, fight.players[1]).await.unwrap();
    by_ticket.renew_by_ticket(&others.ticket).await.unwrap();
    assert_eq!(refusal(&mut by_ticket).await, Reason::Forbidden);
    let mut its_own = join(&fight, Client::connect(&others.url, Encoding::Json).await.unwrap()).await;
    its_own.renew(&other).await.unwrap();
    assert!(renewed(&mut its_own).await > 1_000_000, "who came by a ticket may go on by a token");
}

#[tokio::test]
async fn a_connection_that_came_by_a_token_goes_on_by_a_ticket_in_the_ticket_s_session_alone() {
    // One part of the node has all sessions, so that a connection may join any.
    let node = Node::start_with(&["--shards", "1"]);
    let players = vec![Uuid::new_v4(), Uuid::new_v4()];
    let fight = node.seats("pvp", players.clone(), json!({})).await;
    let other = node.seats("pvp", players.clone(), json!({})).await;
    let service = node.service();
    let ticket = async |of: &Fight| node.rest().ticket(&service, of.id, players[0]).await.unwrap().ticket;
    let mut client = connect(&node, &fight, Encoding::Json, &short(&node, players[0])).await;
    client.renew_by_ticket(&ticket(&other).await).await.unwrap();
    assert_eq!(refusal(&mut client).await, Reason::Forbidden, "it is in another session");
    let good = ticket(&fight).await;
    client.renew_by_ticket(&good).await.unwrap();
    assert!(renewed(&mut client).await > 60_000, "as long as the service's token");
    client.renew_by_ticket(&good).await.unwrap();
    assert_eq!(refusal(&mut client).await, Reason::Unauthorized, "a ticket is used once");
    client.join(other.id).await.unwrap();
    assert_eq!(refusal(&mut client).await, Reason::NoSession, "by its ticket it has this one only");
    // Before that it would have.
    let mut free = connect(&node, &other, Encoding::Json, &node.player(players[1])).await;
    free.join_again(fight.id, 0).await.unwrap();
    until(&mut free, |update| matches!(update, Update::Snapshot)).await;
    free.renew_by_ticket(&node.rest().ticket(&service, fight.id, players[1]).await.unwrap().ticket).await.unwrap();
    assert_eq!(refusal(&mut free).await, Reason::Forbidden, "it is in two");
    until_pong(&mut client).await;
}

async fn until_pong(client: &mut Client) {
    client.ping(1).await.unwrap();
    until(client, |update| matches!(update, Update::Pong(_))).await;
}

#[tokio::test]
async fn a_login_s_socket_goes_on_by_its_next_access_token_and_ends_with_it() {
    let node = Node::start();
    let fight = node.seats("pvp", vec![Uuid::new_v4(), Uuid::new_v4()], json!({})).await;
    let (rest, service) = (node.rest(), node.service());
    let body = json!({ "type": "auth", "player_id": fight.players[0] });
    let login = rest.call(Method::POST, "/sessions", Some(&service), Some(&body)).await.unwrap();
    assert_eq!(login.status, 201, "{}", login.body);
    let id: Uuid = login.body["session_id"].as_str().unwrap().parse().unwrap();
    let text = |name: &str| login.body["tokens"][name].as_str().unwrap().to_owned();
    let (first, refresh) = (text("access_token"), text("refresh_token"));
    let (second, _) = rest.refresh(id, &refresh).await.unwrap();
    assert_ne!(first, second, "within one second, too");
    let mut client = connect(&node, &fight, Encoding::Json, &node.player(fight.players[0])).await;
    client.renew(&second).await.unwrap();
    assert!(renewed(&mut client).await <= 15 * 60 * 1_000, "its end counts, not the longer one of before");
    rest.call(Method::DELETE, &format!("/sessions/{id}"), Some(&service), None).await.unwrap();
    assert_eq!(close_code(&mut client).await, UNAUTHORIZED, "the connection is of that login now");
    let mut client = connect(&node, &fight, Encoding::Json, &node.player(fight.players[0])).await;
    client.renew(&second).await.unwrap();
    assert_eq!(refusal(&mut client).await, Reason::Unauthorized, "the login has ended");
}

#[tokio::test]
async fn a_guest_gets_its_next_token_and_stays_who_it_is() {
    let node = Node::start();
    let rest = node.rest();
    let guest = rest.guest().await.unwrap();
    let next = rest.guest_again(&guest.token).await.unwrap();
    assert_eq!(next.player_id, guest.player_id);
    assert_ne!(next.token, guest.token);
    let seat = rest.take_seat(&guest.token, "duel").await.unwrap();
    let mut client = Client::connect(&seat.url, Encoding::Json).await.unwrap();
    client.join(seat.session_id).await.unwrap();
    client.renew(&next.token).await.unwrap();
    assert!(renewed(&mut client).await > 60_000);
    for stranger in [node.player(Uuid::new_v4()), "nonsense".to_owned()] {
        assert_ne!(rest.guest_again(&stranger).await.unwrap().player_id, guest.player_id, "a new guest");
    }
}
