//! One socket plays fights that live on different shards, and nobody can tell by anything but the time it takes.

use std::collections::HashMap;

use serde_json::{Value, json};
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{Encoding, ServerMessage, View};
use uuid::Uuid;

use crate::raw::{Raw, join, leave};
use crate::support::{Fight, Node, plain_rules, soon};

const ATTACKS: u64 = 60;

/// A socket and what it has been told, by session.
struct Player {
    raw: Raw,
    fights: HashMap<u32, Told>,
}

#[derive(Default)]
struct Told {
    view: View,
    seq: u64,
    last_id: u64,
    /// How often each action was acknowledged.
    acks: HashMap<u64, usize>,
    snapshots: usize,
    left: usize,
}

impl Player {
    fn connect(node: &Node, fight: &Fight, slot: usize) -> Self {
        let raw = Raw::connect_with_token(node, fight.id, &node.player(fight.players[slot]));
        Self { raw, fights: HashMap::new() }
    }

    fn of(&mut self, fight: &Fight) -> &mut Told {
        self.fights.entry(player_word(fight.id)).or_default()
    }

    /// Reads on, checking every digest, until that is so.
    fn until(&mut self, fight: &Fight, is_so: impl Fn(&Told) -> bool) {
        while !is_so(self.of(fight)) {
            let (message, _) = self.raw.hear().expect("the server goes on");
            self.note(&message);
        }
    }

    fn note(&mut self, message: &Value) {
        let known = Encoding::Json.decode_server(message.to_string().as_bytes());
        match known.unwrap_or_else(|error| panic!("{message}: {error:?}")) {
            ServerMessage::Joined(joined) => self.told(joined.s).last_id = joined.last_id,
            ServerMessage::Snapshot(snapshot) => {
                let told = self.told(snapshot.s);
                told.seq = snapshot.q;
                told.view = snapshot.verified().unwrap();
                told.snapshots += 1;
            }
            ServerMessage::Delta(delta) => {
                let told = self.told(delta.s);
                told.seq = told.view.apply(told.seq, &delta).unwrap();
            }
            ServerMessage::Ack(ack) => *self.told(ack.s).acks.entry(ack.id).or_default() += 1,
            ServerMessage::Left(left) => self.told(left.s).left += 1,
            other => panic!("{other:?}"),
        }
    }

    fn told(&mut self, s: u32) -> &mut Told {
        self.fights.entry(s).or_default()
    }

    fn join(&mut self, fights: &[&Fight]) {
        for fight in fights {
            let before = self.of(fight).snapshots;
            self.raw.say(&[join(fight)]);
            self.until(fight, |told| told.snapshots > before);
        }
    }
}

fn attack(fight: &Fight, id: u64, to: u8) -> Value {
    json!({ "t": "action", "d": { "s": player_word(fight.id), "id": id, "kind": "attack", "to": to } })
}

fn ready(fight: &Fight) -> Value {
    json!({ "t": "ready", "d": { "s": player_word(fight.id) } })
}

/// Two fights of the same two players, on the first and the second of two shards.
async fn fights(node: &Node) -> [Fight; 2] {
    let players = vec![Uuid::new_v4(), Uuid::new_v4()];
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let (mut even, mut odd) = (None, None);
    while even.is_none() || odd.is_none() {
        let fight = node.seats("pvp", players.clone(), json!({ "rules": rules })).await;
        let place = if player_word(fight.id).is_multiple_of(2) { &mut even } else { &mut odd };
        *place = Some(fight);
    }
    [even.unwrap(), odd.unwrap()]
}

#[tokio::test]
async fn one_socket_plays_fights_of_two_shards_and_goes_on_in_both_after_a_crash() {
    let mut node = Node::start_with(&["--rate-connection", "off"]);
    let [even, odd] = fights(&node).await;
    // Each has its socket where the other has only a way to.
    let mut one = Player::connect(&node, &even, 0);
    let mut two = Player::connect(&node, &odd, 1);
    for player in [&mut one, &mut two] {
        player.join(&[&even, &odd]);
        player.raw.say(&[ready(&even), ready(&odd)]);
    }
    for player in [&mut one, &mut two] {
        for fight in [&even, &odd] {
            player.until(fight, |told| told.view.phase.phase == tiltyard_protocol::server::PhaseName::Active);
        }
    }
    for id in 1..=ATTACKS {
        one.raw.say(&[attack(&even, id, 1), attack(&odd, id, 1)]);
        two.raw.say(&[attack(&odd, id, 0), attack(&even, id, 0)]);
    }
    for player in [&mut one, &mut two] {
        for fight in [&even, &odd] {
            player.until(fight, |told| told.acks.len() as u64 == ATTACKS);
        }
    }
    let left = 1_000_000 - 10 * u32::try_from(ATTACKS).unwrap();
    for player in [&mut one, &mut two] {
        for fight in [&even, &odd] {
            player.until(fight, |told| told.view.participants.iter().all(|of| of.hp == left));
            assert!(player.of(fight).acks.values().all(|times| *times == 1), "each answered once");
        }
    }
    let attacks = f64::from(u32::try_from(ATTACKS).unwrap());
    assert!(node.metric("tiltyard_messages_forwarded_total").await >= 2.0 * attacks);
    assert!((node.metric("tiltyard_far_connections").await - 2.0).abs() < 0.1);
    assert!((node.metric("tiltyard_connections").await - 2.0).abs() < 0.1);

    // It leaves the one that is elsewhere, and comes back.
    one.raw.say(&[leave(&odd), join(&odd)]);
    one.until(&odd, |told| told.left == 1 && told.snapshots == 2);

    node.crash_and_restart();
    let mut one = Player::connect(&node, &odd, 0);
    one.join(&[&even, &odd]);
    for fight in [&even, &odd] {
        assert_eq!(one.of(fight).last_id, ATTACKS, "what was acknowledged is there");
        one.raw.say(&[attack(fight, ATTACKS, 1), attack(fight, ATTACKS + 1, 1)]);
        one.until(fight, |told| told.acks.contains_key(&(ATTACKS + 1)));
        one.until(fight, |told| told.view.participants[1].hp == left - 10);
        assert_eq!(one.of(fight).acks[&ATTACKS], 1);
        assert_eq!(fight.state(&node).await.body["participants"][1]["hp"], left - 10);
    }
    // The connection goes, and both hear of it.
    drop(one);
    for fight in [&even, &odd] {
        soon(async {
            while fight.state(&node).await.body["participants"][0]["status"] != "disconnected" {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}
