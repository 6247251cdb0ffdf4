//! Who comes back, and who only says so: a wrong token changes nothing, however often; of two tabs the older one stays away; and the end of
//! an old connection, whatever it is and whenever it comes, is nothing to the one that has taken its place.

use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;
use tiltyard_client::{Client, Error, Update};
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{CloseCode, Encoding};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::bare;
use crate::raw::{Raw, join, leave};
use crate::signer::{ISSUER, Signer, claims, jwks, now};
use crate::support::{Fight, Node, Scale, attack, is_active, plain_rules, soon};

/// Claims of a player, of which one is another.
fn claims_of(player: Uuid, name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims["sub"] = json!(player);
    claims[name] = value;
    claims
}

/// Tokens that are not, or not any more, or not yet, the player's, and what each is answered.
fn wrong(node: &Node, signer: &Signer, player: Uuid) -> Vec<(&'static str, String, &'static str)> {
    let good = signer.sign(&claims_of(player, "scope", json!("play")));
    let (front, _) = good.rsplit_once('.').unwrap();
    let unsigned =
        format!("{}.", front.rsplit_once('.').map(|(_, claims)| format!("eyJhbGciOiJub25lIn0.{claims}")).unwrap());
    let stranger = claims_of(Uuid::new_v4(), "scope", json!("play"));
    vec![
        ("nonsense", "nonsense".to_owned(), "401"),
        ("nothing", String::new(), "401"),
        ("another key", Signer::ed25519("ed").sign(&claims_of(player, "scope", json!("play"))), "401"),
        ("no signature", format!("{front}."), "401"),
        ("alg none", unsigned, "401"),
        ("expired", signer.sign(&claims_of(player, "exp", json!(now() - 60))), "401"),
        ("not yet good", signer.sign(&claims_of(player, "nbf", json!(now() + 600))), "401"),
        ("another audience", signer.sign(&claims_of(player, "aud", json!("other"))), "401"),
        ("another issuer", signer.sign(&claims_of(player, "iss", json!("https://login.example.evil"))), "401"),
        ("without the scope", signer.sign(&claims_of(player, "scope", json!("read"))), "403"),
        ("a stranger's", signer.sign(&stranger), "404"),
        ("a service's", node.service(), "403"),
    ]
}

/// All that a fight shows, but for what is of the moment.
async fn shown(node: &Node, fight: &Fight) -> Vec<Value> {
    let mut shown = Vec::new();
    for path in [
        format!("/combat/sessions/{}/state", fight.id),
        format!("/sessions/{}", fight.id),
        format!("/sessions/{}/logs", fight.id),
    ] {
        let answer = fight.call(node, Method::GET, &path, None).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let mut body = answer.body;
        body.as_object_mut().unwrap().remove("time_remaining");
        shown.push(json!({ "body": body, "version": answer.headers.get("etag").map(|tag| tag.to_str().unwrap()) }));
    }
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn coming_back_with_a_wrong_token_changes_nothing_however_often() {
    let scale = Scale::of("RECONNECTS", 240);
    let (signer, folder) = (Signer::ed25519("ed"), TempDir::new().unwrap());
    let keys = folder.path().join("jwks.json");
    std::fs::write(&keys, jwks(&[&signer])).unwrap();
    // Each is looked at: by default so many from one address would not be.
    let flags = ["--jwks", keys.to_str().unwrap(), "--token-issuers", ISSUER, "--rate-limits", "off"];
    let node = Node::start_with(&flags);
    // However long it takes, they are there, and nobody counts as away.
    let mut rules = plain_rules();
    rules["afk_ms"] = json!(0);
    let mut fight = node.fight(2, rules).await;
    fight.begin().await;
    fight.settle().await;
    let wrong = wrong(&node, &signer, fight.players[0]);
    let used = node.rest().ticket(&node.service(), fight.id, fight.players[0]).await.unwrap();
    drop(Client::connect(&used.url, Encoding::Json).await.unwrap());
    soon(async { while node.metric("tiltyard_connections").await > 2.0 {} }).await;
    let (before, seqs) = (shown(&node, &fight).await, fight.clients.iter().map(Client::seq).collect::<Vec<_>>());
    let since = Instant::now();
    for ((name, token, status), nth) in wrong.iter().cycle().zip(1..=scale.count) {
        if nth % 250 == 0 {
            fight.settle().await;
        }
        let head = bare::Raw::open(&node, fight.id, token).err().unwrap_or_else(|| panic!("{name} was let in"));
        assert_eq!(head.split(' ').nth(1), Some(*status), "{name}: {head}");
    }
    println!("{} connections with wrong tokens in {:.1?}", scale.count, since.elapsed());
    for _ in 0..10 {
        let refused = Client::connect(&used.url, Encoding::Json).await;
        assert!(matches!(refused, Err(Error::Upgrade(401))), "{refused:?}");
    }
    assert_eq!(shown(&node, &fight).await, before);
    assert!((node.metric("tiltyard_connections").await - 2.0).abs() < 0.1);
    // The next thing that both hear of is what they do.
    let q = attack(&mut fight.clients[0], 1).await.unwrap().q;
    assert_eq!(q, seqs[0] + 1);
    fight.settle().await;
    assert_eq!(fight.clients[1].seq(), q);
    assert!(
        bare::Raw::open(&node, fight.id, &signer.sign(&claims_of(fight.players[0], "scope", json!("play")))).is_ok()
    );
}

/// A tab that comes back as the protocol says; the code with which it does not any more. It is told to act by `act`.
async fn tab(url: String, token: String, session: Uuid, connects: Arc<AtomicUsize>, act: Arc<Notify>) -> u16 {
    loop {
        connects.fetch_add(1, Ordering::Relaxed);
        let mut client = Client::connect_with_token(&url, Encoding::Json, &token).await.unwrap();
        client.join(session).await.unwrap();
        let mut is_in = false;
        let code = loop {
            tokio::select! {
                update = client.next() => match update {
                    Err(Error::Closed { code, .. }) => break code,
                    Ok(None) => break 1005,
                    Ok(Some(Update::Joined(_))) => {
                        is_in = true;
                        client.ready().await.unwrap();
                    }
                    Ok(Some(_)) => {}
                    Err(other) => panic!("{other}"),
                },
                // The other may be gone before this one hears that it is in.
                () = act.notified(), if is_in => {
                    attack(&mut client, 1).await.unwrap();
                    return CloseCode::Normal.code();
                }
            }
        };
        if !CloseCode::reconnect(code) {
            return code;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_tabs_one_has_the_player_and_the_other_stays_away() {
    let scale = Scale::of("TABS", 10);
    let node = Node::start_with(&["--rate-limits", "off"]);
    let mut most = 0;
    for _ in 0..scale.count {
        let guest = node.rest().guest().await.unwrap();
        let fight = node.seats("pvp", vec![guest.player_id, Uuid::new_v4()], json!({ "rules": plain_rules() })).await;
        let mut other = fight.connect(&node, 1, Encoding::Json).await;
        let url = format!("{}/ws?session={}", node.url.replacen("http", "ws", 1), fight.id);
        let connects = [0, 1].map(|_| Arc::new(AtomicUsize::new(0)));
        let acts = [0, 1].map(|_| Arc::new(Notify::new()));
        let mut tabs = [0, 1].map(|nth: usize| {
            let (connects, act) = (Arc::clone(&connects[nth]), Arc::clone(&acts[nth]));
            tokio::spawn(tab(url.clone(), guest.token.clone(), fight.id, connects, act))
        });
        let (one, two) = tabs.split_at_mut(1);
        let (code, loser) = soon(async {
            tokio::select! {
                code = &mut one[0] => (code.unwrap(), 0),
                code = &mut two[0] => (code.unwrap(), 1),
            }
        })
        .await;
        assert_eq!(code, CloseCode::Replaced.code());
        // The other one has the player, and goes on having it.
        other.ready().await.unwrap();
        while !is_active(&other) {
            soon(other.next()).await.unwrap();
        }
        acts[1 - loser].notify_one();
        assert_eq!(soon(&mut tabs[1 - loser]).await.unwrap(), CloseCode::Normal.code());
        most = most.max(connects.iter().map(|connects| connects.load(Ordering::Relaxed)).max().unwrap());
    }
    println!("{} pairs of tabs, {most} connects of one at most", scale.count);
    assert!(most <= 2, "{most}");
}

/// How an old connection ends.
const ENDS: usize = 6;

/// When: before the new one connects, before it joins, before it hears that it has, before it acts, and after that.
const TIMES: usize = 5;

/// Of each player in a fight, so that no join is one too many.
const TAKEOVERS: usize = 6;
const SEATS: usize = 10;

fn end(mut old: Raw, fight: &Fight, how: usize) {
    let mut say = |bytes: &[u8]| {
        // It may have been told to go, and be gone.
        let _ = old.socket.write_all(bytes);
    };
    match how {
        // As every library closes, and without a word; to the end, so that nothing resets the connection.
        0 => {
            say(&bare::frame(0x88, &1000_u16.to_be_bytes()));
            while old.hear().is_some() {}
        }
        1 => {
            let _ = old.socket.shutdown(Shutdown::Write);
            while old.hear().is_some() {}
        }
        // As the network does.
        2 => socket2::SockRef::from(&old.socket).set_linger(Some(Duration::ZERO)).unwrap(),
        // In the middle of a frame, and with what is none.
        3 => say(&[0x81, 0xFE, 0x10]),
        4 => say(&[0xFF; 64]),
        // With a last word.
        _ => say(&bare::text(&leave(fight))),
    }
}

/// A new connection of the player takes the old one's place, which ends in one of the ways at one of the times.
fn replaced(node: &Node, fight: &Fight, slot: usize, token: &str, old: Raw, (nth, id): (usize, usize)) -> Raw {
    let (how, when) = (nth % ENDS, nth / ENDS % TIMES);
    let mut old = Some(old);
    let mut at = |time: usize| {
        if time == when
            && let Some(old) = old.take()
        {
            end(old, fight, how);
        }
    };
    at(0);
    let mut new = Raw::connect_with_token(node, fight.id, token);
    at(1);
    new.say(&[join(fight)]);
    at(2);
    new.until("snapshot");
    at(3);
    acts(&mut new, fight, slot, id);
    at(4);
    acts(&mut new, fight, slot, id + 1);
    new
}

fn acts(raw: &mut Raw, fight: &Fight, slot: usize, id: usize) {
    let d = json!({ "s": player_word(fight.id), "id": id, "kind": "attack", "to": (slot + 1) % SEATS });
    raw.say(&[json!({ "t": "action", "d": d })]);
    let answer = loop {
        let (message, _) = raw.hear().expect("it is not closed");
        if matches!(message["t"].as_str(), Some("ack" | "refused")) && message["d"]["id"] == json!(id) {
            break message;
        }
    };
    // Whom it aims at may be too far away: it is this player's action all the same.
    assert!(answer["t"] == "ack" || answer["d"]["reason"] == "out_of_range", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_old_connection_is_nothing_to_the_new_one_whatever_it_is_and_whenever_it_comes() {
    let scale = Scale::of("INTERLEAVINGS", ENDS * TIMES * 4);
    let node = Node::start_with(&["--rate-limits", "off", "--rate-connection", "off"]);
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let mut done = 0;
    while done < scale.count {
        let mut guests = Vec::new();
        for _ in 0..SEATS {
            guests.push(node.rest().guest().await.unwrap());
        }
        let players = guests.iter().map(|guest| guest.player_id).collect();
        let fight = node.seats("pvp", players, json!({ "rules": rules })).await;
        let connect = |slot: usize| {
            let mut raw = Raw::connect_with_token(&node, fight.id, &guests[slot].token);
            raw.say(&[join(&fight), json!({ "t": "ready", "d": { "s": player_word(fight.id) } })]);
            raw
        };
        let mut raws: Vec<Raw> = (0..SEATS).map(connect).collect();
        while raws[0].hear().unwrap().0["d"]["ph"]["phase"] != "active" {}
        for round in 0..TAKEOVERS {
            raws = raws
                .into_iter()
                .enumerate()
                .map(|(slot, old)| {
                    let nth = done + slot;
                    replaced(&node, &fight, slot, &guests[slot].token, old, (nth, 1 + 2 * round))
                })
                .collect();
            done += SEATS;
        }
        // When all of the old ones are gone, the new ones are what they were.
        soon(async { while node.metric("tiltyard_connections").await > f64::from(u8::try_from(SEATS).unwrap()) {} })
            .await;
        for (slot, raw) in raws.iter_mut().enumerate() {
            acts(raw, &fight, slot, 1 + 2 * TAKEOVERS);
        }
        let state = fight.state(&node).await.body;
        let active = |who: &Value| who["status"] == "active";
        assert!(state["participants"].as_array().unwrap().iter().all(active), "{state}");
        drop(raws);
        soon(async { while node.metric("tiltyard_connections").await > 0.0 {} }).await;
    }
    println!("{done} connections replaced");
}
