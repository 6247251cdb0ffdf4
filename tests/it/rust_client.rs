//! The Rust client that comes back by itself, and a server: the fight of its README, a server that dies under a fight, a room and a presence.

use std::sync::{Arc, Mutex};

use reqwest::Method;
use serde_json::{Value, json};
use tiltyard_client::{Connection, Fight, Key, Options, Order, Pulse, Rest, Room, Status, Told};
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::support::{Node, soon};

/// The program of the README.
#[allow(dead_code)] // Its `main` is for those who start it.
#[path = "../../clients/rust/examples/fight.rs"]
mod fight;

#[tokio::test]
async fn the_readmes_fight_is_fought_to_its_end() {
    let program = include_str!("../../clients/rust/examples/fight.rs");
    let readme = include_str!("../../clients/rust/README.md");
    assert!(readme.contains(program), "the README shows the program that runs here");
    assert!(program.lines().count() < 40);
    let node = Node::start();
    let (one, other) = soon(async { tokio::join!(fight::duel(&node.url), fight::duel(&node.url)) }).await;
    let mut ends = [one.unwrap(), other.unwrap()];
    ends.sort_unstable();
    assert_eq!(ends, ["lost", "won"]);
}

/// How `player` gets to `session`, wherever the server is by then.
fn options(node: &Node, place: &Arc<Mutex<String>>, session: Uuid, player: Uuid) -> Options {
    let (place, token) = (Arc::clone(place), node.service());
    Options::new(move || {
        let (rest, token) = (Rest::new(&place.lock().unwrap()), token.clone());
        async move { rest.ticket(&token, session, player).await }
    })
}

/// Goes on until this is told.
async fn told(connection: &mut Connection, is_it: impl Fn(&Told) -> bool) -> Told {
    soon(async {
        loop {
            let (_, told) = connection.next().await.expect("it is not closed");
            assert!(!matches!(told, Told::Drift(_) | Told::Error(_)), "{told:?}");
            if is_it(&told) {
                return told;
            }
        }
    })
    .await
}

#[tokio::test]
async fn a_fight_goes_on_after_its_server_was_killed() {
    let mut node = Node::start();
    let place = Arc::new(Mutex::new(node.url.clone()));
    let seats = node.seats("pvp", vec![Uuid::new_v4(), Uuid::new_v4()], json!({})).await;
    let mut both = [(0, Encoding::Json), (1, Encoding::MsgPack)].map(|(slot, encoding)| {
        let options = options(&node, &place, seats.id, seats.players[slot]);
        let mut connection = Connection::new(options.encoding(encoding));
        let fight = connection.join::<Fight>(seats.id);
        connection[fight].ready();
        (connection, fight)
    });
    let [(one, fight), (other, others)] = &mut both;
    soon(async { tokio::join!(begins(one, *fight), begins(other, *others)) }).await;
    let me = |connection: &Connection| connection[*fight].me().map(|me| (me.x, me.y)).unwrap();
    let (x, y) = me(one);
    let id = one[*fight].act(Order::walk(x, y + 20)).unwrap();
    told(one, |told| matches!(told, Told::Ack(ack) if ack.id == id)).await;
    node.crash_and_restart();
    place.lock().unwrap().clone_from(&node.url);
    told(one, |told| matches!(told, Told::Status(Status::Waiting | Status::Connecting))).await;
    told(one, |told| matches!(told, Told::Status(Status::Live))).await;
    assert_eq!(me(one), (x, y + 20), "what was acknowledged is there");
    assert!(one[*fight].epoch() > Some(1), "another server has it");
    let id = one[*fight].act(Order::walk(x, y + 40)).unwrap();
    told(one, |told| matches!(told, Told::Ack(ack) if ack.id == id)).await;
}

async fn begins(connection: &mut Connection, fight: Key<Fight>) {
    while !connection[fight].is_on() {
        connection.next().await.expect("it is not closed");
    }
}

#[tokio::test]
async fn a_room_and_a_presence_over_one_connection_each() {
    let node = Node::start();
    let players = [Uuid::new_v4(), Uuid::new_v4()];
    let create = async |body: Value| -> Uuid {
        let answer = node.rest().call(Method::POST, "/sessions", Some(&node.service()), Some(&body)).await.unwrap();
        answer.body["session_id"].as_str().unwrap().parse().unwrap()
    };
    let session =
        create(json!({ "type": "custom", "player_id": players[0], "settings": { "members": players } })).await;
    let place = Arc::new(Mutex::new(node.url.clone()));
    let mut connections = players.map(|player| Connection::new(options(&node, &place, session, player)));
    let room = connections.each_mut().map(|connection| connection.join::<Room>(session))[0];
    let [one, other] = &mut connections;
    told(one, |told| matches!(told, Told::Joined(_))).await;
    told(other, |told| matches!(told, Told::Joined(_))).await;
    let id = one[room].patch(&json!({ "map": "yard" }), None).unwrap();
    told(one, |told| matches!(told, Told::Ack(ack) if ack.id == id)).await;
    assert_eq!(one[room].state(), &json!({ "map": "yard" }));
    one[room].relay(&json!("hello"), None).unwrap();
    told(one, |told| matches!(told, Told::Ack(ack) if ack.to == Some(1))).await;
    told(other, |told| matches!(told, Told::Relayed(relayed) if relayed.data == "hello")).await;
    assert_eq!(other[room].state(), &json!({ "map": "yard" }));

    let presence = create(json!({ "type": "player", "player_id": players[0] })).await;
    let mut alive = Connection::new(options(&node, &place, presence, players[0]));
    let pulse = alive.join::<Pulse>(presence);
    told(&mut alive, |told| matches!(told, Told::Beat(_))).await;
    let beat = alive[pulse].beat().unwrap();
    told(&mut alive, |told| matches!(told, Told::Ack(ack) if ack.id == beat)).await;
    soon(alive.end()).await;
}
