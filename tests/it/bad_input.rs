//! Bad input gets a named answer and costs nobody else anything.

use std::io::{Read, Write};

use reqwest::Method;
use serde_json::{Value, json};
use tiltyard_client::{Client, Error, Order, Update};
use tiltyard_protocol::{ActionKind, Encoding, Reason};
use uuid::Uuid;

use crate::raw;
use crate::support::{Node, answer, attack, close_code, plain_rules, soon, until};

/// The reason of the next `error`.
async fn notice(client: &mut Client) -> Reason {
    soon(async {
        loop {
            match client.next().await {
                Err(Error::Notice { reason, .. }) => return reason,
                Ok(Some(_)) => {}
                other => panic!("no error message: {other:?}"),
            }
        }
    })
    .await
}

#[tokio::test]
async fn on_a_socket_each_mistake_has_its_name_and_the_connection_lives() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let handle = tiltyard_protocol::view::player_word(fight.id);
    let (client, others) = fight.clients.split_first_mut().unwrap();
    let deep = "[".repeat(60_000);
    for (bytes, reason) in [
        ("not json", Reason::BadMessage),
        ("", Reason::BadMessage),
        (deep.as_str(), Reason::BadMessage),
        (r#"{"t":"fly","d":{}}"#, Reason::UnknownType),
        (r#"{"t":"action","d":{"s":1}}"#, Reason::BadFields),
        (r#"{"t":"action","d":{"s":1e400,"id":1,"kind":"attack"}}"#, Reason::BadFields),
        (r#"{"t":"action","d":{"s":1,"id":-1,"kind":"attack"}}"#, Reason::BadFields),
        (r#"{"t":"join","d":{"session":"no uuid"}}"#, Reason::BadFields),
    ] {
        client.send_raw(bytes).await.unwrap();
        assert_eq!(notice(client).await, reason, "{bytes:.60}");
    }
    client.join(Uuid::new_v4()).await.unwrap();
    assert_eq!(notice(client).await, Reason::NoSession);

    for (text, reason) in [
        (format!(r#"{{"t":"action","d":{{"s":{handle},"id":0,"kind":"attack","to":1}}}}"#), Reason::BadActionId),
        (r#"{"t":"action","d":{"s":77,"id":5,"kind":"attack","to":1}}"#.to_owned(), Reason::NotJoined),
        (r#"{"t":"action","d":{"s":77,"id":5,"kind":"fly"}}"#.to_owned(), Reason::NotJoined),
        (format!(r#"{{"t":"action","d":{{"s":{handle},"id":5,"kind":"fly"}}}}"#), Reason::BadFields),
    ] {
        client.send_raw(text).await.unwrap();
        let refused = until(client, |update| matches!(update, Update::Refused(_))).await;
        assert!(matches!(&refused, Update::Refused(refused) if refused.reason == reason), "{refused:?}");
    }
    for (order, reason) in [
        (Order::attack(9), Reason::NoSuchTarget),
        (Order::attack(0), Reason::InvalidTarget),
        (Order::break_cover(0).at(1), Reason::BadFields),
        (Order::from(ActionKind::Attack), Reason::NeedsTarget),
        (Order::from(ActionKind::Ability), Reason::ActionUnavailable),
        (Order::from(ActionKind::Move), Reason::NeedsPlace),
    ] {
        let id = client.act(order).await.unwrap();
        assert_eq!(answer(client, id).await.unwrap_err().reason, reason);
    }
    // None of it cost anybody anything.
    attack(client, 1).await.unwrap();
    attack(&mut others[0], 0).await.unwrap();
}

/// What is said of the next message that is wrong: by `error`, or by `refused`.
async fn said(client: &mut Client) -> String {
    soon(async {
        loop {
            match client.next().await {
                Err(Error::Notice { message, .. }) => return message,
                Ok(Some(Update::Refused(refused))) => return refused.message.unwrap(),
                Ok(Some(_)) => {}
                other => panic!("no error message: {other:?}"),
            }
        }
    })
    .await
}

#[tokio::test]
async fn each_wrong_field_is_named_in_both_encodings_and_no_token_is_repeated() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let s = tiltyard_protocol::view::player_word(fight.id);
    let secret = node.service();
    for (id, encoding) in (1..).zip(Encoding::ALL) {
        let mut client = fight.connect(&node, 0, encoding).await;
        for (message, expected) in [
            (
                json!({ "t": 5 }),
                "The message is not valid in the encoding this connection uses. (t: must be the message's type as text)",
            ),
            (
                json!({ "t": "join", "d": { "session": 5 } }),
                "A field of the message is missing or has the wrong type. (session: must be a uuid as text)",
            ),
            (
                json!({ "t": "leave", "d": {} }),
                "A field of the message is missing or has the wrong type. (s: is needed)",
            ),
            (
                json!({ "t": "ping", "d": { "n": secret } }),
                "A field of the message is missing or has the wrong type. (n: must be a whole number from 0 to 2^64 - 1)",
            ),
            (
                json!({ "t": "renew", "d": { "token": { "token": secret } } }),
                "A field of the message is missing or has the wrong type. (token: must be text)",
            ),
            (
                json!({ "t": "renew", "d": secret }),
                "A field of the message is missing or has the wrong type. (d: must be an object whose names are text)",
            ),
            (
                json!({ "t": "renew", "d": { "token": secret, "ticket": secret } }),
                "A field of the message is missing or has the wrong type. (token, ticket: exactly one of them is needed)",
            ),
            (
                json!({ "t": "concede", "d": { "s": "x" } }),
                "A field of the message is missing or has the wrong type. (s: must be a whole number from 0 to 4294967295)",
            ),
            (
                json!({ "t": "action", "d": { "s": s, "id": id, "kind": 1 } }),
                "kind: must be one of attack, defend, ability, move and item_use",
            ),
            (
                json!({ "t": "action", "d": { "s": s, "id": id, "kind": "move", "x": 1, "y": 2, "f": 360 } }),
                "f: must be a whole number from 0 to 359",
            ),
            (
                json!({ "t": "patch", "d": { "s": s, "id": id, "merge": {}, "if": -1 } }),
                "if: must be a whole number from 0 to 2^64 - 1",
            ),
            (json!({ "t": "relay", "d": { "s": s, "id": id, "data": 1, "to": secret } }), "to: must be a uuid as text"),
            (
                json!({ "t": "beat", "d": { "s": s } }),
                "A field of the message is missing or has the wrong type. (id: is needed)",
            ),
        ] {
            let mut bytes = Vec::new();
            encoding.encode(&message, &mut bytes);
            client.send_raw(bytes).await.unwrap();
            assert_eq!(said(&mut client).await, expected);
        }
        // A null is as if it were not there.
        let mut bytes = Vec::new();
        encoding.encode(
            &json!({ "t": "action", "d": { "s": s, "id": id, "kind": "attack", "to": 1, "part": null, "c": null } }),
            &mut bytes,
        );
        client.send_raw(bytes).await.unwrap();
        assert!(answer(&mut client, id).await.is_ok());
        drop(client);
    }
}

#[tokio::test]
async fn too_many_mistakes_too_much_at_once_and_the_wrong_frame_close_with_their_codes() {
    let node = Node::start();
    let mut fight = node.fight(3, plain_rules()).await;
    fight.begin().await;
    let mut third = fight.clients.pop().unwrap();
    for _ in 0..16 {
        third.send_raw("nonsense").await.unwrap();
    }
    assert_eq!(close_code(&mut third).await, 4400);

    let mut big = fight.connect(&node, 2, Encoding::Json).await;
    // The server closes at the frame's head; the rest may find the socket shut already.
    let _ = big.send_raw(vec![b' '; 1024 * 1024]).await;
    assert_eq!(close_code(&mut big).await, 1009);

    let mut binary = fight.connect(&node, 2, Encoding::Json).await;
    binary.send_raw(vec![0xFF, 0xFE]).await.unwrap();
    assert_eq!(close_code(&mut binary).await, 1003);

    attack(&mut fight.clients[0], 1).await.unwrap();
    attack(&mut fight.clients[1], 0).await.unwrap();
}

#[tokio::test]
async fn bytes_that_are_no_websocket_are_closed_properly() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    for (bytes, code) in [
        (&[0x81, 0x01, b'x'][..], 1002_u16),     // not masked
        (&[0xF1, 0x80, 0, 0, 0, 0], 1002),       // reserved bits
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),       // reserved opcode
        (&[0x81, 0x81, 0, 0, 0, 0, 0xFF], 1007), // not UTF-8
        (&[0x82, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0], 1009), // 2^64-1 bytes
    ] {
        let mut socket = raw::asking(&node, &fight, 0).await;
        socket.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).unwrap();
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let frame = &answer[head..];
        assert_eq!(frame[0], 0x88, "a close frame for {bytes:x?}");
        assert_eq!(u16::from_be_bytes([frame[2], frame[3]]), code, "{bytes:x?}");
    }
    attack(&mut fight.clients[0], 1).await.unwrap();
}

#[tokio::test]
async fn over_rest_each_mistake_is_an_error_with_a_reason() {
    let mut node = Node::start();
    let fight = node.fight(2, plain_rules()).await;
    let (service, stranger) = (node.service(), node.player(Uuid::new_v4()));
    let state = format!("/combat/sessions/{}/state", fight.id);
    let create = "/combat/sessions";
    let post = Method::POST;
    let body = |mode: &str, participants: Value, settings: Value| {
        Some(json!({ "mode": mode, "participants": participants, "settings": settings }))
    };
    let one = json!([Uuid::new_v4()]);
    let cases = [
        (Method::GET, state.as_str(), None, None, 401, "unauthorized"),
        (Method::GET, &state, Some("nonsense"), None, 401, "unauthorized"),
        (Method::GET, &state, Some(stranger.as_str()), None, 404, "no_session"),
        (Method::GET, "/combat/sessions/nonsense/state", Some(service.as_str()), None, 400, "validation_failed"),
        (Method::GET, "/nowhere", Some(service.as_str()), None, 404, "no_route"),
        (Method::PATCH, create, Some(service.as_str()), None, 405, "method_not_allowed"),
        (post.clone(), create, Some(service.as_str()), body("war", one.clone(), json!({})), 400, "validation_failed"),
        (post.clone(), create, Some(service.as_str()), body("pvp", json!([]), json!({})), 400, "validation_failed"),
        (post.clone(), create, Some(service.as_str()), body("pvp", json!(["x"]), json!({})), 400, "validation_failed"),
        (
            post.clone(),
            create,
            Some(service.as_str()),
            body("pvp", one.clone(), json!({ "rules": { "helth": 1 } })),
            400,
            "validation_failed",
        ),
        (
            post.clone(),
            create,
            Some(service.as_str()),
            body("pvp", one.clone(), json!({ "max_duration": 59 })),
            400,
            "validation_failed",
        ),
        (post, create, Some(stranger.as_str()), body("pvp", one, json!({})), 400, "validation_failed"),
    ];
    for (method, path, token, body, status, reason) in cases {
        let answer = node.rest().call(method.clone(), path, token, body.as_ref()).await.unwrap();
        assert_eq!((answer.status.as_u16(), answer.reason()), (status, reason), "{method} {path} {body:?}");
        assert_eq!(answer.body["code"], status);
        assert!(answer.headers.contains_key("x-request-id"));
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
    }
    let http = reqwest::Client::new();
    let url = format!("{}{create}", node.url);
    let send = |content_type: &'static str, body: Vec<u8>| {
        http.post(&url).bearer_auth(&service).header("content-type", content_type).body(body).send()
    };
    assert_eq!(send("text/plain", b"{}".to_vec()).await.unwrap().status(), 415);
    assert_eq!(send("application/json", b"{".to_vec()).await.unwrap().status(), 400);
    assert_eq!(send("application/json", vec![b' '; 300 * 1024]).await.unwrap().status(), 413);
    assert!(node.is_alive());
}
