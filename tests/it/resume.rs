//! Who comes back is told exactly what it would have been told: every delta behind the sequence that it has, or a snapshot, and why.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};
use tiltyard_protocol::client::{Join, Leave, Ping, Ready};
use tiltyard_protocol::server::{Event, Joined, Missed, PhaseName, Resume, ResumeWhy};
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{Act, ActionKind, ClientMessage, Encoding, Reason, ServerMessage, View};
use uuid::Uuid;

use crate::raw::Raw;
use crate::support::{Fight, Node, plain_rules};

/// How often each of three players of a fight is cut off, so that no join is one too many.
const CUTS: usize = 14;
/// So far back a client claims to be.
const BACK: usize = 24;

/// Where a player's socket is, which may be on another shard than the fight.
#[derive(Clone, Copy)]
struct Way {
    fight: Uuid,
    socket: Uuid,
    encoding: Encoding,
}

/// All that a player has ever been told of a fight, over however many connections.
struct Tape {
    way: Way,
    token: String,
    raw: Raw,
    joined: Joined,
    view: View,
    seq: u64,
    /// The last views, with their sequences.
    views: VecDeque<(u64, View)>,
    /// By sequence, the delta's bytes and its events.
    deltas: BTreeMap<u64, (Vec<u8>, Vec<Event>)>,
    first: u64,
    /// Somebody has been in the fog for it, and been seen again.
    has_hidden: bool,
    has_found: bool,
    missed: Option<Missed>,
    next_id: u64,
    unanswered: BTreeMap<u64, Act>,
    answers: BTreeMap<u64, ServerMessage>,
    pongs: u64,
    left: u64,
}

impl Tape {
    fn begin(node: &Node, fight: &Fight, way: Way, slot: usize) -> Self {
        let token = node.player(fight.players[slot]);
        let mut tape = Self {
            way,
            raw: Raw::connect_in(node, way.socket, &token, way.encoding),
            token,
            joined: Joined::default(),
            view: View::default(),
            seq: 0,
            views: VecDeque::new(),
            deltas: BTreeMap::new(),
            first: 0,
            has_hidden: false,
            has_found: false,
            missed: None,
            next_id: 1,
            unanswered: BTreeMap::new(),
            answers: BTreeMap::new(),
            pongs: 0,
            left: 0,
        };
        tape.join(&Join::new(way.fight));
        tape.until(|tape| tape.seq > 0);
        tape.first = tape.seq;
        tape
    }

    fn send(&mut self, message: &ClientMessage) {
        self.raw.send(self.way.encoding, message);
    }

    /// Joins, and reads up to `joined`.
    fn join(&mut self, join: &Join) {
        self.joined = Joined::default();
        self.send(&ClientMessage::Join(join.clone()));
        self.until(|tape| tape.joined.s != 0);
    }

    fn has(&self) -> Join {
        Join { seq: Some(self.seq), epoch: Some(self.joined.epoch), ..Join::new(self.way.fight) }
    }

    fn until(&mut self, is_so: impl Fn(&Self) -> bool) {
        while !is_so(self) {
            self.hear();
        }
    }

    fn hear(&mut self) {
        let (_, payload, _) = self.raw.hear_bytes().expect("the server goes on");
        match self.way.encoding.decode_server(&payload).unwrap_or_else(|error| panic!("{payload:?}: {error}")) {
            ServerMessage::Joined(joined) => self.joined = joined,
            ServerMessage::Snapshot(snapshot) => {
                (self.seq, self.missed) = (snapshot.q, snapshot.missed);
                self.view = snapshot.verified().unwrap();
                self.views.clear();
                self.remember();
            }
            ServerMessage::Delta(delta) => {
                // The digest, where it has one, is looked at here.
                self.seq = self.view.apply(self.seq, &delta).unwrap();
                self.remember();
                let told = (payload, delta.ev);
                if let Some(before) = self.deltas.insert(self.seq, told.clone()) {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    assert_eq!(text(&told.0), text(&before.0), "the same bytes as the first time");
                }
            }
            answer @ (ServerMessage::Ack(_) | ServerMessage::Refused(_)) => {
                let id = match &answer {
                    ServerMessage::Ack(ack) => ack.id,
                    ServerMessage::Refused(refused) => refused.id,
                    _ => 0,
                };
                self.unanswered.remove(&id);
                if let Some(before) = self.answers.insert(id, answer.clone()) {
                    assert_eq!(before, answer, "the first answer again");
                }
            }
            ServerMessage::Pong(_) => self.pongs += 1,
            ServerMessage::Left(_) => self.left += 1,
            other => panic!("{other:?}"),
        }
    }

    fn remember(&mut self) {
        let is_hidden = self.view.participants.iter().any(|of| of.hidden);
        self.has_found |= self.has_hidden && !is_hidden;
        self.has_hidden |= is_hidden;
        self.views.push_back((self.seq, self.view.clone()));
        if self.views.len() > BACK {
            self.views.pop_front();
        }
    }

    fn act(&mut self, act: &Act) {
        let act = Act { s: player_word(self.way.fight), id: self.next_id, ..act.clone() };
        self.next_id += 1;
        self.unanswered.insert(act.id, act.clone());
        self.send(&ClientMessage::Action(act));
    }

    fn ping(&mut self) {
        let pongs = self.pongs;
        self.send(&ClientMessage::Ping(Ping::new(1)));
        self.until(|tape| tape.pongs > pongs);
    }

    /// It was never told of the last of what it was told.
    fn forget(&mut self, chance: &mut Chance) {
        let kept = 1 + chance.below(self.views.len() as u64);
        self.views.truncate(usize::try_from(kept).unwrap());
        (self.seq, self.view) = self.views.back().unwrap().clone();
    }

    /// The connection is lost, left, or replaced by another, at some point of what has come; and the player comes back.
    fn cut(&mut self, node: &Node, chance: &mut Chance) {
        let kind = chance.below(3);
        if kind == 2 {
            let left = self.left;
            self.send(&ClientMessage::Leave(Leave { s: player_word(self.way.fight) }));
            self.until(|tape| tape.left > left);
            self.forget(chance);
            self.join(&self.has());
        } else {
            self.forget(chance);
            let open = || Raw::connect_in(node, self.way.socket, &self.token, self.way.encoding);
            if kind == 0 {
                let other = open();
                self.raw = other;
                self.join(&self.has());
            } else {
                let other = open();
                let mut old = std::mem::replace(&mut self.raw, other);
                self.join(&self.has());
                while old.hear_bytes().is_some_and(|(opcode, ..)| opcode != 8) {}
            }
        }
        assert_eq!((self.joined.resume, self.joined.why), (Resume::Deltas, None), "from {}", self.seq);
        let again: Vec<Act> = self.unanswered.values().cloned().collect();
        for act in again {
            self.send(&ClientMessage::Action(act));
        }
    }
}

/// Numbers that are the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }

    fn act(&mut self, slot: u8) -> Act {
        let at = |centre: i32, by: u64| centre + i32::try_from(by).unwrap();
        match self.below(4) {
            0 => Act::new(0, 0, ActionKind::Defend),
            1 => {
                // About where those of its team began, in sight of the others or not.
                let (x, y) = (
                    at(if slot.is_multiple_of(2) { 2_300 } else { 3_500 }, self.below(300)),
                    at(1_900, self.below(200)),
                );
                Act { x: Some(x), y: Some(y), ..Act::new(0, 0, ActionKind::Move) }
            }
            _ => {
                let target = (slot + 1 + u8::try_from(self.below(3)).unwrap()) % 4;
                Act::new(0, 0, ActionKind::Attack).at(target)
            }
        }
    }
}

fn rules(fog: bool) -> Value {
    let mut rules = plain_rules();
    for (name, value) in [("health", 1_000_000), ("teams", 2), ("speed_cm_per_s", 100_000)] {
        rules[name] = json!(value);
    }
    rules["sight_cm"] = json!(if fog { 1_150 } else { 0 });
    rules
}

async fn fight_of(node: &Node, players: usize, fog: bool) -> Fight {
    let ids = (0..players).map(|_| Uuid::new_v4()).collect();
    node.seats("pvp", ids, json!({ "rules": rules(fog) })).await
}

/// Plays a fight of four, of whom one stays and three are cut off again and again.
fn play(node: &Node, fight: &Fight, way: Way, seed: u64, fog: bool) {
    let mut chance = Chance(seed);
    let mut tapes: Vec<Tape> = (0..4).map(|slot| Tape::begin(node, fight, way, slot)).collect();
    for tape in &mut tapes {
        tape.send(&ClientMessage::Ready(Ready { s: player_word(fight.id) }));
    }
    for tape in &mut tapes {
        tape.until(|tape| tape.view.phase.phase == PhaseName::Active);
    }
    for turn in 0..CUTS * 3 {
        for (slot, tape) in (0..).zip(&mut tapes) {
            for _ in 0..=chance.below(3) {
                tape.act(&chance.act(slot));
            }
        }
        for tape in &mut tapes {
            // Each answer is one.
            for _ in 0..chance.below(1 + tape.unanswered.len() as u64) {
                tape.hear();
            }
        }
        tapes[1 + turn % 3].cut(node, &mut chance);
    }
    let mut newest = 0;
    for tape in &mut tapes {
        tape.until(|tape| tape.unanswered.is_empty());
        tape.ping();
        newest = newest.max(tape.seq);
    }
    for tape in &mut tapes {
        tape.until(|tape| tape.seq >= newest);
        assert_eq!((tape.has_hidden, tape.has_found), (fog, fog), "what is seen changes in the fog, and nowhere else");
        assert_eq!(tape.deltas.len() as u64, newest - tape.first, "none is missing");
        // It asks for all of it: that is what it has.
        let (view, seq) = (tape.view.clone(), tape.seq);
        tape.join(&tape.has());
        assert_eq!((tape.joined.resume, tape.joined.why), (Resume::Snapshot, None), "it has been in it all along");
        tape.views.clear();
        tape.until(|tape| !tape.views.is_empty());
        assert_eq!((tape.seq, &tape.view), (seq, &view));
        assert_eq!(tape.missed, None);
    }
    // The one who stayed has seen what its team has, and without fog what everybody has.
    let last = tapes.iter().map(|tape| tape.first).max().unwrap();
    let events_of =
        |tape: &Tape| -> Vec<Vec<Event>> { tape.deltas.range(last + 1..).map(|(_, (_, ev))| ev.clone()).collect() };
    let stayed = events_of(&tapes[0]);
    assert!(stayed.iter().flatten().count() > if fog { 20 } else { 100 }, "much has happened");
    for tape in tapes.iter().filter(|tape| !fog || tape.joined.team == tapes[0].joined.team) {
        assert_eq!(events_of(tape), stayed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_cut_off_at_any_point_and_comes_back_is_told_every_delta_as_one_who_stayed() {
    let node = Node::start();
    let (mut runs, mut seed) = (Vec::new(), 0x5EED);
    for fog in [false, true] {
        for encoding in Encoding::ALL {
            // On the fight's own shard, and from another's socket.
            for far in [false, true] {
                let fight = fight_of(&node, 4, fog).await;
                let mut socket = fight.id;
                while far && socket.as_u128() % 2 == fight.id.as_u128() % 2 {
                    let settings = json!({ "rules": rules(false) });
                    socket = node.seats("pvp", fight.players.clone(), settings).await.id;
                }
                seed += 77;
                runs.push((Way { fight: fight.id, socket, encoding }, fight, seed, fog));
            }
        }
    }
    tokio::task::block_in_place(|| {
        for (way, fight, seed, fog) in &runs {
            play(&node, fight, *way, *seed, *fog);
        }
    });
    let resumed = node.metric("tiltyard_resumes_total").await;
    let cuts = f64::from(u32::try_from(runs.len() * CUTS * 3).unwrap());
    assert!((resumed - cuts).abs() < 0.1, "{resumed} of {cuts}");
}

/// One of two, in a fight that is on.
async fn one_of(node: &Node, encoding: Encoding) -> (Fight, Tape) {
    let fight = fight_of(node, 2, false).await;
    let way = Way { fight: fight.id, socket: fight.id, encoding };
    let mut tapes: Vec<Tape> = (0..2).map(|slot| Tape::begin(node, &fight, way, slot)).collect();
    for tape in &mut tapes {
        tape.send(&ClientMessage::Ready(Ready { s: player_word(fight.id) }));
    }
    let mut tape = tapes.remove(0);
    tape.until(|tape| tape.view.phase.phase == PhaseName::Active);
    for _ in 0..5 {
        tape.act(&Act::new(0, 0, ActionKind::Attack).at(1));
    }
    tape.until(|tape| tape.unanswered.is_empty());
    tape.ping();
    (fight, tape)
}

#[tokio::test]
async fn who_is_sent_a_snapshot_all_the_same_is_told_why() {
    let mut node = Node::start();
    let (_fight, mut tape) = one_of(&node, Encoding::Json).await;
    let again = |tape: &mut Tape, node: &Node, encoding, has: &dyn Fn(&Tape) -> Join| {
        tape.way.encoding = encoding;
        tape.raw = Raw::connect_in(node, tape.way.socket, &tape.token, encoding);
        tape.missed = None;
        let (join, seq) = (has(tape), tape.seq);
        tape.join(&join);
        (tape.joined.resume, tape.joined.why, seq)
    };
    let snapshot = |tape: &mut Tape| {
        tape.views.clear();
        tape.until(|tape| !tape.views.is_empty());
        tape.missed
    };

    // Who says nothing, or only one of the two, is not resumed.
    let told = again(&mut tape, &node, Encoding::Json, &|tape| Join::new(tape.way.fight));
    assert_eq!((told.0, told.1, snapshot(&mut tape)), (Resume::Snapshot, None, None));
    let told = again(&mut tape, &node, Encoding::Json, &|tape| Join { epoch: None, ..tape.has() });
    assert_eq!((told.0, told.1, snapshot(&mut tape)), (Resume::Snapshot, None, None));
    let behind = |tape: &Tape| Join { seq: Some(tape.seq - 3), ..tape.has() };
    let (resume, why, _) = again(&mut tape, &node, Encoding::Json, &Tape::has);
    assert_eq!((resume, why), (Resume::Deltas, None));
    tape.ping();

    let (resume, why, seq) = again(&mut tape, &node, Encoding::MsgPack, &behind);
    assert_eq!((resume, why), (Resume::Snapshot, Some(ResumeWhy::OtherEncoding)));
    let missed = snapshot(&mut tape).unwrap();
    assert_eq!(missed, Missed { events: None, from: seq - 2, to: tape.seq });

    // Before anything that is kept of it.
    let (resume, why, _) = again(&mut tape, &node, Encoding::MsgPack, &|tape| Join { seq: Some(0), ..tape.has() });
    assert_eq!((resume, why), (Resume::Snapshot, Some(ResumeWhy::OtherEncoding)), "of the two the nearer");
    assert_eq!(snapshot(&mut tape).unwrap().from, 1);

    node.crash_and_restart();
    let (resume, why, seq) = again(&mut tape, &node, Encoding::MsgPack, &behind);
    assert_eq!((resume, why), (Resume::Snapshot, Some(ResumeWhy::ChangedHands)));
    let missed = snapshot(&mut tape).unwrap();
    assert_eq!((missed.from, missed.events), (seq - 2, None));
    // From there on it is.
    let (resume, why, _) = again(&mut tape, &node, Encoding::MsgPack, &Tape::has);
    assert_eq!((resume, why), (Resume::Deltas, None));
}

#[tokio::test]
async fn an_error_says_what_it_answers() {
    let node = Node::start();
    let (fight, mut tape) = one_of(&node, Encoding::Json).await;
    let s = player_word(fight.id);
    let mut ask = |message: Value| {
        tape.raw.say(&[message]);
        loop {
            let (message, _) = tape.raw.hear().unwrap();
            if message["t"] == "error" {
                let of = |name: &str| message["d"][name].clone();
                return [of("re"), of("session"), of("s"), of("reason")];
            }
        }
    };
    let nobody = Uuid::new_v4();
    let reason = |reason: Reason| json!(reason.name());
    let nothing = Value::Null;
    for (message, expected) in [
        (
            json!({ "t": "join", "d": { "session": nobody } }),
            [json!("join"), json!(nobody), nothing.clone(), reason(Reason::NoSession)],
        ),
        (
            json!({ "t": "join", "d": { "session": fight.id, "seq": "x" } }),
            [json!("join"), json!(fight.id), nothing.clone(), reason(Reason::BadFields)],
        ),
        (
            json!({ "t": "leave", "d": { "s": s ^ 1 } }),
            [json!("leave"), nothing.clone(), json!(s ^ 1), reason(Reason::NotJoined)],
        ),
        (
            json!({ "t": "renew", "d": {} }),
            [json!("renew"), nothing.clone(), nothing.clone(), reason(Reason::BadFields)],
        ),
        (json!({ "t": "ping", "d": {} }), [json!("ping"), nothing.clone(), nothing.clone(), reason(Reason::BadFields)]),
        (
            json!({ "t": "fly", "d": { "s": 7 } }),
            [json!("fly"), nothing.clone(), json!(7), reason(Reason::UnknownType)],
        ),
        (json!([1]), [nothing.clone(), nothing.clone(), nothing.clone(), reason(Reason::BadMessage)]),
    ] {
        assert_eq!(ask(message.clone()), expected, "{message}");
    }
}
