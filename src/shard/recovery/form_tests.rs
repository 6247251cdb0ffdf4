//! The log's forms, byte by byte, as they were written once. What is on the disks of others has these bytes.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use tempfile::TempDir;
use tiltyard_combat::{
    Action, Arrival, BodyPart, Event, Input, Parting, Point, Rules, Ruleset, Step, Target, Thing, Velocity,
};
use uuid::Uuid;

use crate::log::Append;
use crate::log::frame::{self, HEADER};
use crate::log::journal::{Journal, Place};
use crate::log::marks::{Mark, Marks};
use crate::log::reserve::Reserve;
use crate::log::segment::{self, HEADING, Heading};
use crate::shard::entry::{self, Description, Entry, SessionRecord};
use crate::shard::{NewFight, Session};
use tiltyard_combat::Mode;

/// A line for each form: its name, and its bytes.
const GOLDEN: &str = include_str!("golden.txt");

/// Where the number of a journal's form is, and what else has to be done when it is raised.
const JOURNAL: &str = "raise the version (the number in `segment::MAGIC`) and keep the reader of the form before (`entry::entries`), \
    with its bytes in a test: fights that are on somebody's disk are to go on. Where only a number of `Rules::default()` \
    was changed it is the same form";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Compares these bytes with those that are written down under the same names.
fn are_golden(forms: &[(String, Vec<u8>)], where_to: &str) {
    let changed = |(name, bytes): &(String, Vec<u8>)| {
        let lines = GOLDEN.lines().filter_map(|line| line.split_once(": "));
        let golden = lines.filter(|(of, _)| of == name).map(|(_, bytes)| bytes).next().unwrap_or_default();
        let now = hex(bytes);
        let same = golden.bytes().zip(now.bytes()).take_while(|(one, other)| one == other).count() / 2;
        let (length, before) = (bytes.len(), golden.len() / 2);
        let what = format!("{name} is another from byte {same} on, and has {length} bytes instead of {before}. Now:");
        (golden != now).then(|| format!("{what}\n{name}: {now}"))
    };
    let changed: Vec<String> = forms.iter().filter_map(changed).collect();
    assert!(changed.is_empty(), "A form of the log has changed: {where_to}.\n{}", changed.join("\n"));
}

fn payload(entry: &Entry<'_>) -> Vec<u8> {
    let mut payload = Vec::new();
    entry.append_to(&mut payload);
    payload
}

/// A fight in which much has happened, with all that a session has beside it.
fn record() -> SessionRecord {
    let ruleset = Ruleset::plain();
    let rules =
        Rules { preparation_ms: 0, sight_cm: 2_000, reconnect_ms: 60_000, attack_interval_ms: 0, ..Rules::default() };
    let id = Uuid::from_u128(0x0193_2b5c_8f00_7aaa_8bbb_cccc_dddd_eeee);
    let new = NewFight {
        id,
        mode: Mode::Pvp,
        creator: Uuid::from_u128(9),
        participants: vec![Uuid::from_u128(1)],
        seats: 2,
        ruleset,
        rules,
        teams: vec![1, 0],
        settings: r#"{"a":1}"#.to_owned(),
        metadata: r#"{"b":[2]}"#.to_owned(),
    };
    let mut session = Session::new(new, 77, 0, 1_733_000_000_000);
    let attack = |slot: u8, id: u64| Input::Act {
        slot,
        id,
        action: Action::Attack { target: Some(1 - slot), part: BodyPart::Torso },
    };
    let inputs = [
        Input::Seat { player: 2 },
        Input::Connect { slot: 0 },
        Input::Connect { slot: 1 },
        Input::Ready { slot: 0 },
        Input::Ready { slot: 1 },
        attack(0, 1),
        attack(1, 1),
        attack(0, 2),
        Input::Act { slot: 1, id: 2, action: Action::Defend },
        Input::Disconnect { slot: 1 },
        Input::Pause,
    ];
    for (at, input) in (1..).map(|at| 700 * at).zip(inputs) {
        // Some are refused, which is remembered, too.
        let _ = session.handle_input(at, 1_733_000_000_000 + at, input, &mut Step::default());
    }
    let mut record = session.record();
    assert!(record.fight.lifecycle().is_paused() && record.fog.is_some() && !record.recent.is_empty());
    record.recent = (1_733_000_000_000..).zip(events()).collect();
    record.ended_at = Some(1_733_000_500_000);
    record
}

/// One of each kind.
fn events() -> Vec<Event> {
    let (by, to, damage, until) = (1, 2, 300, 70_000);
    let hit =
        Event::Hit { by, to, damage, absorbed: 4, critical: true, guarded: false, reaction: true, ability: Some(3) };
    vec![
        hit,
        Event::Missed { by, to },
        Event::Suffered { by, to, effect: 5, damage },
        Event::Burned { to, hazard: 6, damage },
        Event::Healed { by, to, points: 7 },
        Event::Guard { by },
        Event::Casting { by, ability: 8, until },
        Event::Broken { by, ability: 8 },
        Event::Used { by, ability: 8, to: Some(to) },
        Event::Affected { by, to, effect: 5, stacks: 2 },
        Event::Faded { to, effect: 5 },
        Event::Struck { by, thing: Thing::Cover(1), damage },
        Event::Destroyed { by, thing: Thing::Hazard(2) },
        Event::Eliminated { by, to },
        Event::Perished { to },
        Event::Revived { by, to },
        Event::Seated { by },
        Event::Spawned { by, enemy: 4 },
        Event::Enraged { by, phase: 2 },
        Event::Ready { by },
        Event::Connected { by },
        Event::Disconnected { by },
        Event::Forfeited { by },
        Event::Turn { by },
        Event::Round { no: 2, team: Some(1) },
        Event::Phase,
        Event::Came { by, why: Arrival::Returned },
        Event::Went { by, why: Parting::Left },
    ]
}

fn inputs() -> Vec<(&'static str, Input)> {
    let act = |action| Input::Act { slot: 1, id: 300, action };
    let aim = Target { slot: Some(2), at: Some(Point::new(-1, 70_000)) };
    let walk = Action::Walk { to: Point::new(200, -3), facing: Some(359), velocity: Velocity::new(-850, 7) };
    vec![
        ("entry input tick", Input::Tick),
        ("entry input seat", Input::Seat { player: u128::from_le_bytes(*b"0123456789abcdef") }),
        ("entry input ready", Input::Ready { slot: 1 }),
        ("entry input connect", Input::Connect { slot: 1 }),
        ("entry input disconnect", Input::Disconnect { slot: 1 }),
        ("entry input attack", act(Action::Attack { target: Some(2), part: BodyPart::Head })),
        ("entry input break", act(Action::Break { thing: Thing::Hazard(3) })),
        ("entry input defend", act(Action::Defend)),
        ("entry input use", act(Action::Use { ability: 4, item: true, aim })),
        ("entry input move", act(Action::Move { to: Point::new(200, -3) })),
        ("entry input unavailable", act(Action::Unavailable)),
        ("entry input pause", Input::Pause),
        ("entry input resume", Input::Resume),
        ("entry input complete", Input::Complete),
        ("entry input terminate", Input::Terminate { force: true }),
        ("entry input pause over", Input::PauseOver),
        ("entry input concede", Input::Concede { slot: 1 }),
        ("entry input replace", Input::Replace { slot: 1 }),
        ("entry input part", Input::Part { slot: 1, why: Parting::Left }),
        ("entry input walk", act(walk)),
    ]
}

#[test]
fn an_entry_of_every_kind_has_the_bytes_that_it_had() {
    let record = record();
    let description = Description { metadata: Some("{}".to_owned()), settings: Some(String::new()), own_version: true };
    let mut entries = vec![
        ("entry session", Entry::Session { no: 300, record: Box::new(Cow::Borrowed(&record)) }),
        ("entry describe", Entry::Describe { no: 300, description: Cow::Borrowed(&description) }),
        ("entry forget", Entry::Forget { no: 300 }),
        ("entry checkpoint end", Entry::CheckpointEnd),
        ("entry follows", Entry::Follows { salt: 0x0102_0304, end: 70_000 }),
        ("entry claim", Entry::Claim { no: 300, epoch: 3, number: 5 }),
    ];
    entries.extend(inputs().into_iter().map(|(name, input)| (name, Entry::Input { no: 300, at: 70_000, input })));
    let forms: Vec<_> = entries.iter().map(|(name, entry)| ((*name).to_owned(), payload(entry))).collect();
    are_golden(&forms, JOURNAL);
}

/// Written down are the bytes of today, and they say what they said.
#[test]
fn an_entry_that_was_written_down_is_read_as_what_it_was() {
    // The number of its newest entry is in the claim behind it.
    assert_eq!(written("entry session", segment::FORM), SessionRecord { number: 0, ..record() });
}

/// As it was written down when that form was today's.
#[test]
fn a_session_of_the_form_before_is_read_as_what_it_was() {
    let (read, today) = (written("form 7 entry session", segment::FORM_BEFORE), record());
    assert_eq!(read.fight, today.fight);
    assert_eq!(read.recent, today.recent[..read.recent.len()]);
    assert_eq!(read.recent.len() + 2, today.recent.len(), "it knew no reason why somebody comes and goes");
    let (fog, recent) = (today.fog.clone(), today.recent[..read.recent.len()].to_vec());
    assert_eq!(
        SessionRecord { fog, recorder: today.recorder.clone(), ..read },
        SessionRecord { recent, number: 0, ..today }
    );
}

/// What is written down under this name in this form.
fn written(name: &str, form: u8) -> SessionRecord {
    let line = GOLDEN.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap();
    let byte = |at: usize| u8::from_str_radix(&line[at..at + 2], 16).unwrap();
    let bytes: Vec<u8> = (0..line.len()).step_by(2).map(byte).collect();
    let (_, mut entries) = entry::entries(&[&[0; 8][..], &bytes].concat(), form).unwrap();
    match (entries.pop(), &entries[..]) {
        (Some(Entry::Session { no: 300, record }), []) => record.into_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_segment_with_its_checkpoint_has_the_bytes_that_it_had() {
    let folder = TempDir::new().unwrap();
    let (reserve, marks) = (Arc::new(Reserve::of(folder.path())), Arc::new(Marks::of(folder.path())));
    let place = Place { generation: 3, shard: 1, shards: 2, segment: 1, reserve, marks };
    let entries = [Entry::Forget { no: 5 }, Entry::CheckpointEnd].into_iter();
    let mut journal = Journal::create(folder.path(), place, false, entries).unwrap();
    journal.push(&Entry::Input { no: 5, at: 300, input: Input::Tick });
    journal.append(1_733_000_000_000).unwrap();
    let written = std::fs::read(segment::path(folder.path(), 1, 1)).unwrap();
    // Its salt is drawn, and is a part of every check: the same under one that is not.
    let (heading, mut rest) = Heading::read(&written).unwrap();
    let fixed = Heading { salt: 0x0102_0304, ..heading };
    let mut bytes = fixed.bytes().to_vec();
    while let Some(payload) = frame::next(&mut rest, heading.salt).unwrap() {
        let mut frame = [&[0; HEADER][..], payload].concat();
        frame::seal(&mut frame, fixed.salt);
        bytes.extend(frame);
    }
    assert_eq!(bytes.len(), written.len());
    assert_eq!(fixed.bytes().len(), HEADING);
    are_golden(&[("segment".to_owned(), bytes)], JOURNAL);
}

#[test]
fn a_mark_has_the_bytes_that_it_had() {
    let mark = Mark {
        generation: 3,
        segment: 1 << 40,
        end: 900,
        boot: Uuid::from_bytes(*b"0123456789abcdef"),
        salt: 0x0102_0304,
        shard: 7,
        on_disk: true,
    };
    let where_to = "raise the version (the number in `marks::MAGIC`) and keep the reader of the form before (`Mark::read`): an \
        older copy of a journal is to be noticed at the start after an upgrade, too";
    are_golden(&[("mark".to_owned(), mark.bytes().to_vec())], where_to);
    assert_eq!(Mark::read(&mark.bytes()), Some(mark));
}
