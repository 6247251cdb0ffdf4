//! A ticket admits one player to one session, once.

use reqwest::Method;
use serde_json::{Value, json};
use tiltyard_client::{Client, Error, Update};
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::support::{Node, plain_rules, soon, until};

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
async fn a_ticket_is_for_its_session_its_player_and_a_socket() {
    let node = Node::start();
    let rest = node.rest();
    let one = node.fight(2, plain_rules()).await;
    let service = node.service();
    // The same players fight elsewhere, too.
    let body = serde_json::json!({ "mode": "pvp", "participants": one.players });
    let other = rest.call(Method::POST, "/combat/sessions", Some(&service), Some(&body)).await.unwrap();
    let other: Uuid = other.body["session_id"].as_str().unwrap().parse().unwrap();
    let of_two = rest.ticket(&service, one.id, one.players[1]).await.unwrap();

    let mut client = Client::connect(&of_two.url, Encoding::Json).await.unwrap();
    client.join(other).await.unwrap();
    match soon(client.next()).await {
        Err(Error::Notice { .. }) => {}
        admitted => panic!("another session: {admitted:?}"),
    }
    client.join(one.id).await.unwrap();
    until(&mut client, |update| matches!(update, Update::Snapshot)).await;
    assert_eq!(client.slot(), Some(1), "the player's seat, not the service's choice");

    // Neither is a ticket a token, nor a token a ticket, whoever's it is.
    let ticket = rest.ticket(&service, one.id, one.players[0]).await.unwrap();
    let state = format!("/combat/sessions/{}/state", one.id);
    for path in ["/metrics", &state] {
        assert_eq!(rest.call(Method::GET, path, Some(&ticket.ticket), None).await.unwrap().status, 401, "{path}");
    }
    let url = format!("{}/ws?session={}", node.url.replacen("http", "ws", 1), one.id);
    let refused = |attempt: Result<Client, Error>| matches!(attempt, Err(Error::Upgrade(401)));
    assert!(refused(Client::connect_with_token(&url, Encoding::Json, &ticket.ticket).await));
    for token in [node.player(one.players[0]), service, node.token(&["--admin"])] {
        let url = format!("{}/ws?ticket={token}", node.url.replacen("http", "ws", 1));
        assert!(refused(Client::connect(&url, Encoding::Json).await));
    }
    Client::connect(&ticket.url, Encoding::Json).await.expect("none of this has used it up");
    assert!(refused(Client::connect(&ticket.url, Encoding::Json).await));
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

/// The status, reason and faulty fields that a handshake is refused with.
async fn refused(node: &Node, query: &str, token: Option<&str>) -> (u16, String, Vec<String>) {
    let ask = reqwest::Client::new().get(format!("{}/ws?{query}", node.url)).header("connection", "upgrade");
    let ask = ask.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let ask = ask.header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = soon(token.into_iter().fold(ask, reqwest::RequestBuilder::bearer_auth).send()).await.unwrap();
    let status = answer.status().as_u16();
    let error: Value = soon(answer.json()).await.unwrap();
    let faults = error["details"]["validation_errors"].as_array().cloned().unwrap_or_default();
    let fields = faults.iter().map(|fault| fault["field"].as_str().unwrap().to_owned()).collect();
    (status, error["details"]["reason"].as_str().unwrap().to_owned(), fields)
}

#[tokio::test]
async fn of_a_handshake_s_parameters_each_is_known_and_given_once() {
    let node = Node::start();
    let fight = node.fight(2, plain_rules()).await;
    let (service, token, id) = (node.service(), node.player(fight.players[0]), fight.id);
    let ticket = node.rest().ticket(&service, id, fight.players[0]).await.unwrap();
    let query = ticket.url.split_once('?').unwrap().1;
    for (query, field) in [
        ("ticket=a&ticket=b".to_owned(), "ticket"),
        (format!("{query}&{query}"), "ticket"),
        (format!("session={id}&session={id}"), "session"),
        (format!("session={id}&sesion={id}"), "sesion"),
        (format!("{query}&token=x"), "token"),
        (format!("{query}&session=bob"), "session"),
    ] {
        for token in [None, Some(token.as_str())] {
            let (status, reason, fields) = refused(&node, &query, token).await;
            assert_eq!(
                (status, reason.as_str(), fields),
                (400, "validation_failed", vec![field.to_owned()]),
                "{query}"
            );
        }
    }
    Client::connect(&ticket.url, Encoding::Json).await.expect("none of this has used it up");
}

#[tokio::test]
async fn what_a_session_is_or_was_is_told_to_who_may_know_of_it() {
    let node = Node::start();
    let (service, owner, member, stranger) = (node.service(), Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4());
    for kind in ["custom", "player", "auth"] {
        let settings = if kind == "custom" { json!({ "members": [member] }) } else { json!({}) };
        let body = json!({ "type": kind, "player_id": owner, "settings": settings });
        let made = node.rest().call(Method::POST, "/sessions", Some(&service), Some(&body)).await.unwrap();
        let id = made.body["session_id"].as_str().unwrap().to_owned();
        for ended in [false, true] {
            if ended {
                let path = format!("/sessions/{id}");
                node.rest().call(Method::DELETE, &path, Some(&service), None).await.unwrap();
            }
            let known = match kind {
                "auth" => Some((409, "wrong_type")),
                _ => ended.then_some((409, "session_ended")),
            };
            let hidden = Some((404, "no_session"));
            for (player, expected) in
                [(owner, known), (member, if kind == "custom" { known } else { hidden }), (stranger, hidden)]
            {
                let Some(expected) = expected else {
                    let url = format!("{}/ws?session={id}", node.url.replacen("http", "ws", 1));
                    let admitted = Client::connect_with_token(&url, Encoding::Json, &node.player(player)).await;
                    admitted.unwrap_or_else(|error| panic!("{kind} to {player}: {error}"));
                    continue;
                };
                let (status, reason, _) = refused(&node, &format!("session={id}"), Some(&node.player(player))).await;
                assert_eq!((status, reason.as_str()), expected, "{kind} to {player}, ended: {ended}");
            }
        }
    }
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
    let refused = rest.call(Method::POST, "/combat/sessions", Some(&one.token), Some(&create)).await.unwrap();
    assert_eq!(refused.status, 403);
}
