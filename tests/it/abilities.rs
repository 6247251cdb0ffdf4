//! What rulesets give to players, over sockets and REST: abilities, items, teams, enemies, fog.

use reqwest::Method;
use serde_json::{Value, json};
use tiltyard_client::{Answer, Client, Order, Rest, Update};
use tiltyard_protocol::server::EventKind;
use tiltyard_protocol::{BodyPart, Reason};
use uuid::Uuid;

use crate::support::{Fight, Node, answer, plain_rules, result, soon, until};

fn ids(count: usize) -> Vec<Uuid> {
    (0..count).map(|_| Uuid::new_v4()).collect()
}

/// The place of an ability or item in the rules.
fn place_of(client: &Client, name: &str) -> u8 {
    let abilities = &client.rules().unwrap().abilities;
    u8::try_from(abilities.iter().position(|ability| ability.name == name).unwrap()).unwrap()
}

async fn act(node: &Node, fight: &Fight, slot: usize, mut body: Value) -> Answer {
    body["player_id"] = json!(fight.players[slot]);
    fight.call(node, Method::POST, &format!("/combat/sessions/{}/actions", fight.id), Some(&body)).await
}

/// The fields that a 400 names.
fn faults(answer: &Answer) -> Vec<&str> {
    assert_eq!(answer.status, 400, "{}", answer.body);
    let faults = answer.body["details"]["validation_errors"].as_array().unwrap();
    faults.iter().map(|fault| fault["field"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_ability_shows_to_each_what_that_one_may_see() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let boost = place_of(&fight.clients[0], "shield_boost");
    let id = fight.clients[0].act(Order::ability(boost)).await.unwrap();
    answer(&mut fight.clients[0], id).await.unwrap();
    let id = fight.clients[0].act(Order::ability(boost)).await.unwrap();
    let refused = answer(&mut fight.clients[0], id).await.unwrap_err();
    assert!(refused.reason == Reason::Cooldown && refused.retry_ms.is_some_and(|ms| ms > 0), "{refused:?}");
    fight.settle().await;

    let own = fight.clients[0].view().participants[0].clone();
    assert_eq!((own.energy, own.used.len(), own.used[0].0), (75_000, 1, boost));
    let others = fight.clients[1].view().participants[0].clone();
    assert_eq!((others.energy, others.energy_at, others.used.len()), (0, 0, 0), "that is nobody else's affair");
    assert!(!others.effects.is_empty() && others.effects == own.effects, "the shield is seen");
}

#[tokio::test]
async fn a_wrong_ability_item_or_place_is_refused_with_its_reason() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let client = &mut fight.clients[0];
    let (boost, medkit) = (place_of(client, "shield_boost"), place_of(client, "medkit"));
    for (order, reason) in [
        (Order::ability(medkit), Reason::ActionUnavailable),
        (Order::item(boost), Reason::ActionUnavailable),
        (Order::ability(255), Reason::ActionUnavailable),
        (Order::walk(-1, 5), Reason::TooFast),
        (Order::break_cover(255), Reason::NoSuchTarget),
    ] {
        let id = client.act(order.clone()).await.unwrap();
        assert_eq!(answer(client, id).await.unwrap_err().reason, reason, "{order:?}");
    }
}

#[tokio::test]
async fn actions_over_rest_name_what_they_use() {
    let node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    let boosted =
        act(&node, &fight, 0, json!({ "action_type": "ability", "parameters": { "ability": "shield_boost" } }));
    let boosted = boosted.await;
    assert_eq!(boosted.status, 200, "{}", boosted.body);
    assert_eq!(boosted.body["effects"], json!([{ "type": "shield", "value": 1, "duration": 10 }]));

    let target = fight.players[0];
    let head = json!({ "action_type": "attack", "target_id": target, "parameters": { "body_part": "head" } });
    let hit = act(&node, &fight, 1, head).await;
    assert_eq!(hit.body["damage_dealt"], 20, "twice the plain ten: {}", hit.body);
    let id = fight.clients[1].act(Order::attack(0).at_the(BodyPart::Limb)).await.unwrap();
    answer(&mut fight.clients[1], id).await.unwrap();
    let damage = |update: &Update| match update {
        Update::Delta(events) => events.iter().find(|event| event.k == EventKind::Hit).and_then(|event| event.n),
        _ => None,
    };
    let shown = until(&mut fight.clients[1], |update| damage(update) == Some(7)).await;
    assert_eq!(damage(&shown), Some(7));

    let state = fight.state(&node).await.body;
    let at = &state["participants"][0]["position"];
    let (x, y) = (at["x"].as_i64().unwrap(), at["y"].as_i64().unwrap());
    let to = |x: i64| json!({ "action_type": "move", "parameters": { "position": { "x": x, "y": y } } });
    assert_eq!(act(&node, &fight, 0, to(x + 50)).await.status, 200);
    assert_eq!(fight.state(&node).await.body["participants"][0]["position"], json!({ "x": x + 50, "y": y }));
    let far = act(&node, &fight, 0, to(x + 2_000)).await;
    assert_eq!((far.status.as_u16(), far.reason()), (409, "too_fast"));

    for (body, field) in [
        (json!({ "action_type": "ability", "parameters": { "ability": "none such" } }), "parameters.ability"),
        (json!({ "action_type": "ability" }), "parameters.ability"),
        (json!({ "action_type": "item_use", "parameters": { "item": "shield_boost" } }), "parameters.item"),
        (json!({ "action_type": "move" }), "parameters.position"),
        (json!({ "action_type": "attack", "parameters": { "cover": 200 } }), "parameters.cover"),
    ] {
        assert_eq!(faults(&act(&node, &fight, 0, body).await), [field]);
    }
}

#[tokio::test]
async fn teams_win_together() {
    let node = Node::start();
    let players = ids(4);
    let teams = json!([[players[0], players[3]], [players[1], players[2]]]);
    let mut fight = node.fight_of("pvp", players, json!({ "rules": plain_rules(), "teams": teams })).await;
    let of: Vec<u8> = fight.clients[0].view().participants.iter().map(|participant| participant.team).collect();
    assert_eq!((of, fight.clients[1].team()), (vec![0, 1, 1, 0], Some(1)));
    fight.begin().await;
    let id = fight.clients[0].act(Order::attack(3)).await.unwrap();
    assert_eq!(answer(&mut fight.clients[0], id).await.unwrap_err().reason, Reason::InvalidTarget);
    for slot in [1, 2] {
        for _ in 0..10 {
            let id = fight.clients[0].act(Order::attack(slot)).await.unwrap();
            answer(&mut fight.clients[0], id).await.unwrap();
        }
    }
    let outcome = result(&mut fight.clients[3]).await;
    assert_eq!((outcome.team, outcome.winner), (Some(0), Some(0)));
    assert_eq!(outcome.standings.iter().map(|line| line.team).collect::<Vec<_>>(), [0, 0, 1, 1]);
    let session = fight.call(&node, Method::GET, &format!("/combat/sessions/{}", fight.id), None).await;
    assert_eq!(session.body["stats"]["winning_team"], 0);
}

#[tokio::test]
async fn what_the_fog_hides_is_told_to_nobody_it_is_hidden_from() {
    let node = Node::start();
    let mut rules = plain_rules();
    rules["sight_cm"] = json!(100);
    let players = ids(2);
    let mut fight = node.fight_of("pvp", players.clone(), json!({ "rules": rules })).await;
    fight.begin().await;
    let other = fight.clients[0].view().participants[1].clone();
    assert!(other.hidden && other.hp == 0 && (other.x, other.y) == (0, 0), "{other:?}");
    assert_eq!(fight.clients[0].view().participants[0].hp, 100);

    let path = format!("/combat/sessions/{}/state", fight.id);
    let (rest, token) = (Rest::new(&node.url), node.player(players[0]));
    let state = rest.call(Method::GET, &path, Some(&token), None).await.unwrap().body;
    let (own, hidden) = (&state["participants"][0], &state["participants"][1]);
    assert!(own["hp"] == 100 && own["position"].is_object(), "{own}");
    assert!(hidden["hp"].is_null() && hidden["position"].is_null() && hidden["status"] == "active", "{hidden}");
    let all = fight.state(&node).await.body;
    assert!(all["participants"][1]["hp"] == 100, "a service sees everything: {all}");
}

#[tokio::test]
async fn players_fight_the_servers_enemies() {
    let node = Node::start();
    let rules = json!({ "attack_interval_ms": 0, "actions_per_second": 0, "health": 1_000_000 });
    let settings = json!({ "difficulty": "easy", "rules": rules });
    let mut fight = node.fight_of("pve", ids(1), settings).await;
    fight.begin().await;
    let client = &mut fight.clients[0];
    soon(async {
        while client.view().participants.len() < 2 {
            client.next().await.unwrap();
        }
    })
    .await;
    let enemy = client.view().participants[1].clone();
    let kind = &client.rules().unwrap().enemies[usize::from(enemy.enemy.unwrap())];
    assert!(!kind.name.is_empty() && enemy.team == 1 && enemy.hp > 0, "{kind:?} {enemy:?}");
    let state = fight.state(&node).await.body;
    let told = &state["environment"]["enemies"][0];
    assert_eq!((&told["id"], &told["team"]), (&json!(enemy.player), &json!(1)));
    assert_eq!(state["participants"].as_array().unwrap().len(), 1, "enemies are no players");
    let hit = act(&node, &fight, 0, json!({ "action_type": "attack", "target_id": enemy.player })).await;
    assert!(hit.status == 200 || hit.reason() == "no_sight", "{}", hit.body);
}

#[tokio::test]
async fn rulesets_are_listed_and_named() {
    let node = Node::start();
    let (rest, token) = (node.rest(), node.service());
    let list = rest.call(Method::GET, "/rulesets", None, None).await.unwrap().body;
    let names: Vec<&str> =
        list["rulesets"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["arena-fast", "default", "duel"]);
    let create = async |mode: &str, settings: Value| {
        let body = json!({ "mode": mode, "participants": ids(2), "settings": settings });
        rest.call(Method::POST, "/combat/sessions", Some(&token), Some(&body)).await.unwrap()
    };
    let fast = create("arena", json!({ "ruleset": "arena-fast" })).await;
    assert_eq!((fast.status.as_u16(), &fast.body["ruleset"]), (201, &json!("arena-fast")));
    assert_eq!(faults(&create("pvp", json!({ "ruleset": "none such" })).await), ["settings.ruleset"]);
    assert_eq!(faults(&create("pve", json!({ "ruleset": "arena-fast" })).await), ["mode"]);
    let unknown = create("pvp", json!({ "rules": { "helth": 1 } })).await;
    assert_eq!(faults(&unknown), ["settings.rules.helth"]);
    let id = fast.body["session_id"].as_str().unwrap();
    let renamed = json!({ "settings": { "ruleset": "duel" } });
    let changed = rest.call(Method::PUT, &format!("/sessions/{id}"), Some(&token), Some(&renamed)).await.unwrap();
    assert_eq!(faults(&changed), ["settings.ruleset"], "it is pinned");
}
