//! Facing and velocity over real sockets and REST, and why somebody comes and goes.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tiltyard_client::{Client, Order, Update};
use tiltyard_protocol::client::Degrees;
use tiltyard_protocol::server::{EventKind, PresenceWhy};
use tiltyard_protocol::{Encoding, Reason};
use uuid::Uuid;

use crate::support::{Fight, Node, answer, close_code, plain_rules, until};

/// Reads until somebody comes or goes, and says how.
async fn presence(client: &mut Client) -> (EventKind, Option<u8>, Option<PresenceWhy>) {
    loop {
        let Update::Delta(events) = until(client, |update| matches!(update, Update::Delta(_))).await else { continue };
        let link = |kind| matches!(kind, EventKind::Connected | EventKind::Disconnected);
        if let Some(event) = events.iter().find(|event| link(event.k)) {
            return (event.k, event.by, event.why);
        }
    }
}

async fn walk(client: &mut Client, (x, y): (i32, i32)) -> Order {
    client.ping(1).await.unwrap();
    until(client, |update| matches!(update, Update::Pong(_))).await;
    let me = &client.view().participants[usize::from(client.slot().unwrap())];
    Order::walk(me.x + x, me.y + y)
}

#[tokio::test]
async fn others_see_which_way_one_faces_and_how_fast_one_goes_until_one_cannot() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let order = walk(&mut fight.clients[0], (10, 0)).await;
    let turned = order.facing(Degrees::new(270).unwrap()).going(-300, 400);
    let id = fight.clients[0].act(turned.clone()).await.unwrap();
    answer(&mut fight.clients[0], id).await.unwrap();
    fight.settle().await;
    let of = |fight: &Fight, slot: usize| {
        let p = &fight.clients[1].view().participants[slot];
        (p.f, p.vx, p.vy)
    };
    assert_eq!((of(&fight, 0), of(&fight, 1)), ((270, -300, 400), (0, 0, 0)));
    // Whoever comes now sees it, too, and REST tells it.
    let late = fight.connect(&node, 1, Encoding::MsgPack).await;
    assert_eq!((late.view().participants[0].f, late.view().participants[0].vy), (270, 400));
    let state = fight.state(&node).await.body;
    let told = &state["participants"][0];
    assert_eq!((&told["facing"], &told["velocity"]), (&json!(270), &json!({ "x": -300, "y": 400 })));
    assert!(state["participants"][1].get("facing").is_none() && state["participants"][1].get("velocity").is_none());

    // Faster than it can: what it was stays.
    let id = fight.clients[0].act(turned.going(9_000, 0)).await.unwrap();
    let refused = answer(&mut fight.clients[0], id).await.unwrap_err();
    assert_eq!((refused.reason, refused.x.is_some()), (Reason::TooFast, true));
    assert!(refused.message.unwrap().starts_with("vx, vy: "));

    // Over REST one says the same, and in a pause nobody goes anywhere.
    let player = fight.players[0];
    let position = told["position"].clone();
    let parameters = json!({ "position": position, "facing": 10, "velocity": { "x": 5, "y": -6 } });
    let body = json!({ "action_type": "move", "player_id": player, "parameters": parameters });
    let path = format!("/combat/sessions/{}/actions", fight.id);
    let done = fight.call(&node, Method::POST, &path, Some(&body)).await;
    assert_eq!(done.status, 200, "{}", done.body);
    assert_eq!(done.body["new_state"]["participants"][0]["velocity"], json!({ "x": 5, "y": -6 }));
    fight.clients[1] = late;
    fight.settle().await;
    assert_eq!(of(&fight, 0), (10, 5, -6));
    let paused = json!({ "status": "paused" });
    let path = format!("/sessions/{}", fight.id);
    let paused = fight.call(&node, Method::PUT, &path, Some(&paused)).await;
    assert_eq!(paused.status, 200, "{}", paused.body);
    fight.settle().await;
    assert_eq!(of(&fight, 0), (10, 0, 0));
}

#[tokio::test]
async fn it_is_told_why_somebody_comes_and_goes_also_over_a_restart() {
    let mut node = Node::start();
    let ids = vec![Uuid::new_v4(), Uuid::new_v4()];
    let fight = node.seats("pvp", ids, json!({ "rules": plain_rules() })).await;
    let mut witness = fight.connect(&node, 0, Encoding::Json).await;
    let (came, went) = (EventKind::Connected, EventKind::Disconnected);

    let mut first = fight.connect(&node, 1, Encoding::Json).await;
    assert_eq!(presence(&mut witness).await, (came, Some(1), Some(PresenceWhy::Joined)));
    let mut second = fight.connect(&node, 1, Encoding::MsgPack).await;
    assert_eq!(presence(&mut witness).await, (came, Some(1), Some(PresenceWhy::Replaced)));
    assert_eq!(close_code(&mut first).await, 4409);
    second.leave().await.unwrap();
    assert_eq!(presence(&mut witness).await, (went, Some(1), Some(PresenceWhy::Left)));
    second.join(fight.id).await.unwrap();
    assert_eq!(presence(&mut witness).await, (came, Some(1), Some(PresenceWhy::Returned)));
    // The one that lost its place has nothing more to say: this is the newest that goes.
    drop(second);
    assert_eq!(presence(&mut witness).await, (went, Some(1), Some(PresenceWhy::Lost)));
    let _back = fight.connect(&node, 1, Encoding::Json).await;
    assert_eq!(presence(&mut witness).await, (came, Some(1), Some(PresenceWhy::Returned)));
    drop(witness);

    node.crash_and_restart();
    let mut witness = fight.connect(&node, 0, Encoding::Json).await;
    let _again = fight.connect(&node, 1, Encoding::Json).await;
    assert_eq!(presence(&mut witness).await, (came, Some(1), Some(PresenceWhy::Returned)));
    let path = format!("/sessions/{}/logs?limit=100", fight.id);
    let logs = node.rest().call(Method::GET, &path, Some(&node.service()), None).await.unwrap();
    let gone = |entry: &&Value| entry["event_type"] == "disconnected";
    let entries = logs.body["logs"].as_array().unwrap_or_else(|| panic!("{}", logs.body)).iter();
    let whys: Vec<&str> = entries.filter(gone).filter_map(|entry| entry["data"]["why"].as_str()).collect();
    // Newest first: at the start all were lost.
    assert_eq!(&whys[..2], ["lost", "lost"]);
    assert!(whys.contains(&"left"));
}

/// What the rules and the view say together is how far one gets, as docs/PROTOCOL.md has it.
#[tokio::test]
async fn how_far_one_may_go_is_what_the_rules_and_the_view_say() {
    let node = Node::start();
    let settings = json!({ "ruleset": "arena-fast", "rules": { "actions_per_second": 0, "preparation_ms": 0 } });
    // Which modifiers a fight has is chance: as many fights as it takes for some that change the speed and some that do not.
    let (mut changed, mut plain) = (0, 0);
    for _ in 0..40 {
        if changed >= 2 && plain >= 1 {
            return;
        }
        let mut fight = node.fight_of("arena", vec![Uuid::new_v4(), Uuid::new_v4()], settings.clone()).await;
        fight.begin().await;
        let client = &mut fight.clients[0];
        let (rules, view) = (client.rules().unwrap(), client.view());
        let me = &view.participants[usize::from(client.slot().unwrap())];
        let speed = rules.speed(me, &view.modifiers);
        *(if speed == rules.speed_cm_per_s { &mut plain } else { &mut changed }) += 1;
        let order = Order::walk(me.x + 20_000, me.y);
        let started = Instant::now();
        loop {
            let id = client.act(order.clone()).await.unwrap();
            let refused = answer(client, id).await.unwrap_err();
            let allowed = refused.allowed_cm.unwrap();
            // Another hundred, of which a centimetre may be lost in whole milliseconds.
            if (speed + 99..=speed + 101).contains(&allowed) {
                break;
            }
            assert!(allowed < speed + 99, "{allowed} of {speed}");
            assert!(started.elapsed() < Duration::from_secs(8), "{allowed} and no more, of {speed}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    panic!("of forty fights {changed} with another speed and {plain} with the usual one");
}
