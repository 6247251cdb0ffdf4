//! Rooms, where whoever has the records says what a test says.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{CloseCode, Reason};
use uuid::Uuid;

use super::{Place, Shard, Worker, attachment, text};
use crate::book::WriteBehind;
use crate::rules::Library;
use crate::session::{Kind, Refusal};
use crate::shard::Command;
use crate::shard::connection::ConnKey;
use crate::shard::recovery::recover;
use crate::shard::renewal::renewals;
use crate::shard::room::desk::{Changed, Facts, News, Wanted, Wish, desks};
use crate::socket::budget::Allowance;

const ID: Uuid = Uuid::from_u128(0x77);

/// A shard, and what it wishes.
struct Rooms {
    shard: Shard,
    wishes: flume::Receiver<Wish>,
}

/// A member's socket, and what of it was not looked at.
struct Member {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Rooms {
    fn start() -> Self {
        let data = TempDir::new().unwrap();
        let library = Arc::new(Library::built_in());
        let mut recovered = recover(data.path(), 1, false, false, &library).unwrap();
        let (journal, records) = recovered.shards.remove(0);
        let (book, (renewals, handed_in)) = (Arc::new(WriteBehind::default()), renewals());
        let (desks, mut wishes) = desks(1);
        let place = Place {
            number: 0,
            folder: recovered.folder,
            library,
            allowance: Allowance::UNLIMITED,
            renewals,
            desk: desks.of(0),
            found: recovered.found,
            standing: Arc::default(),
        };
        let (handle, worker) = Worker::new(place, journal, records, Arc::clone(&book)).unwrap();
        let shard = Shard::run(handle, worker, book, Arc::<AtomicBool>::default(), handed_in, data);
        Self { shard, wishes: wishes.remove(0) }
    }

    fn tell(&self, news: News) {
        self.shard.handle.send(Command::Room(ID, news)).unwrap();
    }

    fn wish(&self) -> Wanted {
        let wish = self.wishes.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(wish.session, ID);
        wish.what
    }

    /// A connection of a player that asks to join, and what the shard calls it.
    fn ask(&self, player: u128) -> (Member, ConnKey) {
        let (mut attachment, stream) = attachment(None);
        attachment.player = Uuid::from_u128(player);
        self.shard.handle.send(Command::Attach(Box::new(attachment))).unwrap();
        let mut member = Member { stream, unread: Vec::new() };
        member.say("join", &json!({ "session": ID }));
        let Wanted::Open { conn, player: of } = self.wish() else { panic!("another wish") };
        assert_eq!(of, Uuid::from_u128(player));
        (member, conn)
    }

    /// The first member of a session at version 1.
    fn begin(&self) -> (Member, ConnKey) {
        let (mut member, conn) = self.ask(1);
        self.tell(News::Opened { conn, opened: Ok(facts(1, &[1, 2], 0)) });
        assert_eq!(member.hear()["d"]["state"], json!({ "n": 0 }));
        (member, conn)
    }

    /// Another, who is known to be one.
    fn second(&self) -> Member {
        let (mut attachment, stream) = attachment(None);
        attachment.player = Uuid::from_u128(2);
        self.shard.handle.send(Command::Attach(Box::new(attachment))).unwrap();
        let mut member = Member { stream, unread: Vec::new() };
        member.say("join", &json!({ "session": ID }));
        assert_eq!(member.hear()["t"], "joined");
        member
    }
}

impl Member {
    fn say(&mut self, t: &str, d: &Value) {
        self.stream.write_all(&text(&json!({ "t": t, "d": d }).to_string())).unwrap();
    }

    /// The next message, or the code of a close.
    fn hear(&mut self) -> Value {
        loop {
            if let Some((message, length)) = frame(&self.unread) {
                self.unread.drain(..length);
                match message {
                    Some(message) => return message,
                    None => continue,
                }
            }
            let mut chunk = [0; 4096];
            let count = self.stream.read(&mut chunk).unwrap();
            assert!(count > 0, "something comes");
            self.unread.extend(&chunk[..count]);
        }
    }

    /// Whether nothing has come up to what is asked for now.
    fn is_told_nothing(&mut self) -> bool {
        self.say("ping", &json!({ "n": 7 }));
        self.hear()["t"] == "pong"
    }
}

/// The first frame of these bytes, and its length; nothing of a ping.
fn frame(bytes: &[u8]) -> Option<(Option<Value>, usize)> {
    let [opcode, short, ..] = *bytes else { return None };
    let (start, length) = match short {
        126 => (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]))),
        short => (2, usize::from(short)),
    };
    let payload = bytes.get(start..start + length)?;
    let message = match opcode {
        0x81 => Some(serde_json::from_slice(payload).unwrap()),
        0x88 => Some(json!({ "closed": u16::from_be_bytes([payload[0], payload[1]]) })),
        _ => None,
    };
    Some((message, start + length))
}

fn facts(version: u64, members: &[u128], n: u64) -> Arc<Facts> {
    Arc::new(Facts {
        kind: Kind::Custom,
        owner: Uuid::from_u128(1),
        members: members.iter().map(|&member| Uuid::from_u128(member)).collect(),
        version,
        state: json!({ "n": n }).to_string().into(),
        expires_at: 1_000,
    })
}

fn change(version: u64, n: u64) -> Changed {
    Changed { version, merge: Some(json!({ "n": n }).to_string().into()), by: Some(Uuid::from_u128(2)) }
}

fn changed(version: u64, changes: Vec<Changed>) -> News {
    News::Changed { facts: facts(version, &[1, 2], version), changes }
}

#[test]
fn changes_are_shown_in_order_and_the_whole_where_one_is_missing() {
    let rooms = Rooms::start();
    let (mut member, _) = rooms.begin();
    rooms.tell(changed(3, vec![change(2, 2), change(3, 3)]));
    for version in [2, 3] {
        let state = member.hear();
        assert_eq!((&state["d"]["version"], &state["d"]["merge"]), (&json!(version), &json!({ "n": version })));
        assert_eq!(state["d"]["by"], json!(Uuid::from_u128(2)));
    }
    // One is missing; then it comes late.
    rooms.tell(changed(5, vec![change(5, 5)]));
    let whole = member.hear();
    assert_eq!((&whole["d"]["version"], &whole["d"]["state"]), (&json!(5), &json!({ "n": 5 })));
    assert_eq!(whole["d"]["here"], json!([Uuid::from_u128(1)]));
    rooms.tell(changed(4, vec![change(4, 4)]));
    assert!(member.is_told_nothing(), "time does not go back");
    rooms.tell(changed(6, vec![change(5, 5), change(6, 6)]));
    assert_eq!(member.hear()["d"]["merge"], json!({ "n": 6 }), "what is known is not shown again");
    let other = Changed { version: 7, merge: None, by: None };
    rooms.tell(News::Changed { facts: facts(7, &[1, 2, 3], 6), changes: vec![other] });
    let state = member.hear();
    assert_eq!((state["d"].get("merge"), state["d"]["members"].as_array().map(Vec::len)), (None, Some(3)));
    drop(rooms.shard.stop());
}

#[test]
fn an_answer_does_not_come_before_what_it_is_about() {
    let rooms = Rooms::start();
    let (mut member, conn) = rooms.begin();
    let s = player_word(ID);
    member.say("patch", &json!({ "s": s, "id": 1, "merge": { "n": 2 }, "if": 1 }));
    let Wanted::Patch { id: 1, expected: Some(1), merge, .. } = rooms.wish() else { panic!("another wish") };
    assert_eq!(&*merge, r#"{"n":2}"#);
    rooms.tell(News::Patched { conn, id: 1, patched: Ok(2) });
    assert!(member.is_told_nothing());
    rooms.tell(changed(2, vec![change(2, 2)]));
    assert_eq!(member.hear()["t"], "state");
    assert_eq!(member.hear(), json!({ "t": "ack", "d": { "s": s, "id": 1, "version": 2 } }));
    let conflict = Refusal { version: Some(2), ..Refusal::from(Reason::VersionConflict) };
    rooms.tell(News::Patched { conn, id: 2, patched: Err(conflict) });
    let refused = json!({ "s": s, "id": 2, "reason": "version_conflict", "version": 2 });
    assert_eq!(member.hear()["d"], refused);
    drop(rooms.shard.stop());
}

#[test]
fn who_is_gone_before_it_is_known_whether_it_may_leaves_nothing_behind() {
    let rooms = Rooms::start();
    let (member, conn) = rooms.ask(1);
    drop(member);
    let patience = Instant::now() + Duration::from_secs(20);
    while rooms.shard.handle.stats().connections > 0 && Instant::now() < patience {
        rooms.shard.handle.wake();
        std::thread::yield_now();
    }
    rooms.tell(News::Opened { conn, opened: Ok(facts(1, &[1], 0)) });
    assert!(matches!(rooms.wish(), Wanted::Close));
    // Whoever has the records did not hear of that: it is said again when there is something to tell.
    rooms.tell(changed(2, Vec::new()));
    assert!(matches!(rooms.wish(), Wanted::Close));
    let (mut refused, conn) = rooms.ask(2);
    rooms.tell(News::Opened { conn, opened: Err(Reason::NoSession.into()) });
    assert_eq!(refused.hear()["d"]["reason"], "no_session");
    assert!(refused.is_told_nothing(), "and the figures are those of the turn before");
    assert_eq!((rooms.shard.handle.stats().rooms, rooms.wishes.len()), (0, 0));
    drop((refused, rooms.shard.stop()));
}

#[test]
fn a_session_that_ends_while_somebody_asks_for_it_is_told_to_both() {
    let rooms = Rooms::start();
    let (mut member, _) = rooms.begin();
    let (mut late, conn) = rooms.ask(3);
    rooms.tell(News::Ended);
    assert_eq!(member.hear(), json!({ "closed": CloseCode::SessionEnded.code() }));
    rooms.tell(News::Opened { conn, opened: Err(Reason::SessionEnded.into()) });
    assert_eq!(late.hear()["d"]["reason"], "session_ended");
    assert_eq!(rooms.wishes.len(), 0, "there is nothing to watch");
    drop((member, late, rooms.shard.stop()));
}

#[test]
fn the_last_to_leave_ends_the_room_and_who_comes_after_finds_a_new_one() {
    let rooms = Rooms::start();
    let (mut member, _) = rooms.begin();
    let mut second = rooms.second();
    assert_eq!(member.hear()["d"]["why"], "joined");
    let s = player_word(ID);
    second.say("relay", &json!({ "s": s, "id": 1, "data": { "a": [1, null] } }));
    assert_eq!(second.hear()["d"]["to"], 1);
    let relayed = member.hear();
    assert_eq!((&relayed["d"]["n"], &relayed["d"]["data"]), (&json!(1), &json!({ "a": [1, null] })));
    for member in [&mut second, &mut member] {
        member.say("leave", &json!({ "s": s }));
        while member.hear()["t"] != "left" {}
    }
    assert!(matches!(rooms.wish(), Wanted::Close));
    // All of it is new, the numbers too.
    member.say("join", &json!({ "session": ID }));
    let Wanted::Open { conn, .. } = rooms.wish() else { panic!("another wish") };
    rooms.tell(News::Opened { conn, opened: Ok(facts(9, &[1, 2], 9)) });
    assert_eq!(member.hear()["d"]["version"], 9);
    drop((member, second, rooms.shard.stop()));
}
