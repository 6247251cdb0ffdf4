//! A segment whose checkpoint is written between its turns: killed at every byte of it, changed in every bit, and without what it goes
//! on from.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tiltyard_combat::{Action, BodyPart, Fight, Input, Step};
use uuid::Uuid;

use crate::log::Journal;
use crate::log::frame::{self, HEADER};
use crate::log::segment::{HEADING, Heading, NoSegment};
use crate::rules::Library;
use crate::shard::recovery::chain::Gap;
use crate::shard::recovery::tests::{same, session, stands, state};
use crate::shard::recovery::{Found, Recovered, RecoveryError, recover};
use crate::shard::{Entry, Session};

/// A shard with fights, and its segments.
struct Shard {
    data: TempDir,
    library: Library,
    journal: Journal,
    sessions: Vec<Option<Session>>,
    wall: u64,
    /// How the fights stood when a frame had been written: its segment, where it ends, and whether it was a turn's.
    written: Vec<Written>,
}

struct Written {
    segment: u64,
    end: usize,
    is_turn: bool,
    stand: Vec<(Uuid, Fight)>,
}

/// The two segments of a shard that was killed in the second.
struct Laid<'a> {
    shard: &'a Shard,
    first: Vec<u8>,
    second: Vec<u8>,
}

impl Shard {
    fn new() -> Self {
        let (data, library) = (TempDir::new().unwrap(), Library::built_in());
        let (journal, _) = recover(data.path(), 1, false, false, &library).unwrap().shards.remove(0);
        Self { data, library, journal, sessions: Vec::new(), wall: 1_000_000, written: Vec::new() }
    }

    fn log(&self) -> PathBuf {
        self.data.path().join("log")
    }

    /// Notes a frame.
    fn note(&mut self, is_turn: bool) {
        let segment = if self.log().join("1/0-2.begun").exists() { 2 } else { 1 };
        let ending = if segment == 1 { "journal" } else { "begun" };
        let length = fs::metadata(self.log().join(format!("1/0-{segment}.{ending}"))).unwrap().len();
        let fights = self.sessions.iter().flatten().map(|session| (session.id, session.fight.clone()));
        let end = usize::try_from(length).unwrap() - HEADER;
        self.written.push(Written { segment, end, is_turn, stand: state(fights) });
    }

    /// A turn in which every fight goes on, and `also` happens.
    fn turn(&mut self, also: impl FnOnce(&mut Self)) {
        self.wall += 1_000;
        let (wall, at) = (self.wall, self.wall - 1_000_000);
        for (no, session) in (0..).zip(&mut self.sessions) {
            let Some(session) = session else { continue };
            let action = Action::Attack { target: Some(1), part: BodyPart::Torso };
            for input in [Input::Ready { slot: 0 }, Input::Ready { slot: 1 }, Input::Act { slot: 0, id: at, action }] {
                let _ = session.handle_input(at, wall, input, &mut Step::default());
                self.journal.push(&Entry::Input { no, at, input });
            }
        }
        also(self);
        self.journal.append(wall).unwrap();
        self.note(true);
    }

    fn create(&mut self) {
        let (no, session) = (self.sessions.len(), session(&self.library));
        let no = u32::try_from(no).unwrap();
        self.journal.push(&Entry::Session { no, record: Box::new(Cow::Owned(session.record())) });
        self.sessions.push(Some(session));
    }

    fn forget(&mut self, no: u32) {
        self.journal.push(&Entry::Forget { no });
        self.sessions[no as usize] = None;
    }

    /// A part of the checkpoint, with these sessions.
    fn part(&mut self, all: &[u32]) {
        for &no in all {
            let record = self.sessions[no as usize].as_ref().unwrap().record();
            self.journal.push(&Entry::Session { no, record: Box::new(Cow::Owned(record)) });
        }
        self.journal.write_part().unwrap();
        self.note(false);
    }

    /// Fights in one segment, and goes on in the next, with turns between all parts of its checkpoint.
    fn rotated() -> Self {
        let mut shard = Self::new();
        shard.turn(|shard| (0..4).for_each(|_| shard.create()));
        shard.turn(|_| ());
        shard.journal.begin_segment(|salt, end| Entry::Follows { salt, end }).unwrap();
        shard.note(false);
        shard.turn(|_| ());
        shard.part(&[2]);
        // One that needs no snapshot any more, and one that is in the segment by its creation.
        shard.turn(|shard| {
            shard.forget(1);
            shard.create();
        });
        shard.turn(|_| ());
        shard.part(&[0]);
        shard.turn(|shard| shard.forget(2));
        shard
    }

    /// The same with a complete checkpoint, and a turn behind it. The segment before stays, as it cannot be made sure of what the checkpoint
    /// refers to.
    fn completed() -> Self {
        let mut shard = Self::rotated();
        shard.part(&[3]);
        shard.journal.complete(&Entry::CheckpointEnd, || Err(std::io::Error::other("as the test asks"))).unwrap();
        shard.note(false);
        shard.turn(|_| ());
        shard
    }

    /// What there is of it, with these bytes, if any, and the second segment under this name.
    fn with(&self, first: Option<&[u8]>, second: &[u8], name: &str) -> Result<Recovered, RecoveryError> {
        self.recover(first, second, name, false)
    }

    fn recover(
        &self,
        first: Option<&[u8]>,
        second: &[u8],
        name: &str,
        accept_loss: bool,
    ) -> Result<Recovered, RecoveryError> {
        fs::remove_dir_all(self.log()).unwrap();
        fs::create_dir_all(self.log().join("1")).unwrap();
        if let Some(first) = first {
            fs::write(self.log().join("1/0-1.journal"), first).unwrap();
        }
        fs::write(self.log().join("1").join(name), second).unwrap();
        fs::write(self.log().join("in-use"), "1\n").unwrap();
        recover(self.data.path(), 1, false, accept_loss, &self.library)
    }

    /// The newest that is whole where the second segment ends at `end`.
    fn newest(&self, end: usize) -> &Written {
        self.written.iter().rev().find(|written| written.segment == 1 || written.end <= end).unwrap()
    }

    fn laid(&self) -> Laid<'_> {
        let read = |name: &str| fs::read(self.log().join("1").join(name));
        let (first, second) = (read("0-1.journal").unwrap(), read("0-2.begun").unwrap());
        Laid { shard: self, first, second }
    }
}

impl Laid<'_> {
    /// One of the segments as it was after its frame that ends there.
    fn until(bytes: &[u8], end: usize) -> Vec<u8> {
        let (heading, _) = Heading::read(bytes).unwrap();
        [&bytes[..end], &frame::end(heading.salt)].concat()
    }

    /// The ends of a segment's frames, the first in it first.
    fn ends(&self, segment: u64) -> Vec<usize> {
        self.shard.written.iter().filter(|written| written.segment == segment).map(|written| written.end).collect()
    }

    /// Places in a segment: all at the ends of its frames and in their heads, and some of the others.
    fn places(&self, segment: u64) -> Vec<usize> {
        let length = if segment == 1 { self.first.len() } else { self.second.len() };
        let ends = [vec![HEADING], self.ends(segment)].concat();
        let is_near = |at: usize| ends.iter().any(|&end| (end.saturating_sub(2)..end + HEADER + 2).contains(&at));
        (0..length).filter(|&at| at % 211 == 0 || is_near(at)).collect()
    }
}

fn last(shard: &Shard) -> &Written {
    shard.written.last().unwrap()
}

#[test]
fn wherever_a_checkpoint_is_when_the_process_dies_everything_acknowledged_is_there() {
    for shard in [Shard::rotated(), Shard::completed()] {
        let laid = shard.laid();
        let (first, second, ends) = (&laid.first, &laid.second, laid.ends(2));
        for &end in &ends {
            let recovered = shard.with(Some(first), &Laid::until(second, end), "0-2.begun").unwrap();
            assert!(same(&stands(&recovered), &shard.newest(end).stand), "killed at {end}");
            let inputs = recovered.found.inputs;
            assert_eq!(recovered.found, Found { inputs, ..Found::default() }, "killed at {end}");
        }
        for cut in laid.places(2) {
            let recovered = shard.with(Some(first), &second[..cut], "0-2.begun").unwrap();
            assert!(same(&stands(&recovered), &shard.newest(cut).stand), "cut at {cut}");
            assert_eq!(recovered.found.torn_bytes > 0, cut >= ends[0], "cut at {cut}");
            assert_eq!((recovered.found.lost_frames, recovered.found.failed), (0, 0));
        }
        // The start before has begun a generation of its own, which the next one reads.
        drop(shard.with(Some(first), second, "0-2.begun").unwrap());
        let again = recover(shard.data.path(), 1, false, false, &shard.library).unwrap();
        assert!(same(&stands(&again), &last(&shard).stand));
        assert_eq!(again.found, Found::default());
    }
}

#[test]
fn a_complete_checkpoint_needs_no_segment_before_it() {
    let shard = Shard::completed();
    let Laid { first, second, .. } = shard.laid();
    for name in ["0-2.begun", "0-2.journal"] {
        for before in [None, Some(&[][..]), Some(&first[..100])] {
            let recovered = shard.with(before, &second, name).unwrap();
            assert!(same(&stands(&recovered), &last(&shard).stand));
            // What was done before a snapshot is in it, and not stepped again.
            assert!(recovered.found.inputs > 0 && recovered.found.inputs < 40, "{:?}", recovered.found);
        }
    }
}

#[test]
fn no_change_of_a_segment_that_is_needed_loses_anything_in_silence() {
    let shard = Shard::rotated();
    let laid = shard.laid();
    let (mut refused, mut told) = (0, 0);
    for segment in [1, 2] {
        for at in laid.places(segment) {
            let (mut first, mut second) = (laid.first.clone(), laid.second.clone());
            let bytes = if segment == 1 { &mut first } else { &mut second };
            bytes[at] ^= 1 << (at % 8);
            let touched = shard.written.iter().position(|one| one.segment == segment && one.end > at);
            let turns_behind = touched.map_or(0, |at| shard.written[at + 1..].iter().filter(|one| one.is_turn).count());
            match shard.with(Some(&first), &second, "0-2.begun") {
                Ok(recovered) => {
                    told += 1;
                    assert!(recovered.found.torn_bytes > 0, "byte {at} of segment {segment} is not told");
                    assert_eq!(turns_behind, 0, "byte {at} of segment {segment}");
                    let stands = stands(&recovered);
                    let before = &shard.written[shard.written.len() - 2];
                    let as_it_was = same(&stands, &last(&shard).stand) && touched.is_none();
                    assert!(as_it_was || same(&stands, &before.stand), "byte {at} of segment {segment}");
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.is_loss() && error.to_string().contains("--accept-loss"), "{error}");
                    assert!(turns_behind > 0, "byte {at} of segment {segment}: {error}");
                }
            }
        }
    }
    assert!(refused > 100 && told > 20, "{refused} refused, {told} told");
}

#[test]
fn a_segment_is_not_gone_on_from_another_than_it_was() {
    let shard = Shard::rotated();
    let laid = shard.laid();
    let (first, second) = (&laid.first, &laid.second);
    let turns = shard.written.iter().filter(|one| one.segment == 2 && one.is_turn).count() as u64;
    let other = Shard::rotated();
    let other = other.laid().first;
    let older = Laid::until(first, laid.ends(1)[0]);
    let torn = &first[..laid.ends(1)[1] - 1];
    let (there, said) = (laid.ends(1)[0] as u64, laid.ends(1)[1] as u64);
    let cases = [
        (None, Gap::Missing, turns),
        (Some(&other[..]), Gap::Another, turns),
        (Some(&older[..]), Gap::Ends { there, said }, turns),
        (Some(torn), Gap::Ends { there, said }, turns),
    ];
    for (before, expected, expected_turns) in cases {
        let error = shard.with(before, second, "0-2.begun").unwrap_err();
        assert!(error.is_loss() && error.to_string().contains("0-2.begun"), "{error}");
        let RecoveryError::Broken { gap, turns, .. } = error else { panic!("{error}") };
        assert_eq!((gap, turns), (expected, expected_turns));
    }
    // Another, or an older one, is none where the second has nothing yet, either. What is torn off the end is no more than that.
    let begun = Laid::until(second, laid.ends(2)[0]);
    for before in [None, Some(&other[..]), Some(&older[..])] {
        let error = shard.with(before, &begun, "0-2.begun").unwrap_err();
        assert!(matches!(error, RecoveryError::Broken { turns: 0, .. }), "{error}");
    }
    let recovered = shard.with(Some(torn), &begun, "0-2.begun").unwrap();
    assert!(same(&stands(&recovered), &shard.written[0].stand) && recovered.found.torn_bytes > 0);
    // One that cannot be read at all.
    let error = shard.with(Some(&[0; 400]), second, "0-2.begun").unwrap_err();
    assert!(matches!(error, RecoveryError::NoSegment { why: NoSegment::NoJournal, .. }), "{error}");
}

#[test]
fn what_is_lost_before_a_snapshot_is_not_lost_with_it() {
    let shard = Shard::rotated();
    let laid = shard.laid();
    let (first, second) = (&laid.first, &laid.second);
    let newest = &last(&shard).stand;
    // The last of those in the first segment has no snapshot yet.
    let late = shard.sessions[3].as_ref().unwrap().id;
    let of = |stands: &[(Uuid, Fight)], id: Uuid| stands.iter().find(|(of, _)| *of == id).cloned();
    let check = |before: Option<&[u8]>, second: &[u8], late_as: Option<&[(Uuid, Fight)]>| {
        let recovered = shard.recover(before, second, "0-2.begun", true).unwrap();
        let stands = stands(&recovered);
        for (id, fight) in newest {
            let expected =
                if *id == late { late_as.and_then(|stands| of(stands, late)) } else { Some((*id, fight.clone())) };
            assert!(of(&stands, *id) == expected, "{id}");
        }
        assert!(stands.len() <= newest.len(), "who has gone stays away");
        recovered.found
    };
    let found = check(None, second, None);
    assert_eq!(found.lost_journals, 1, "{found:?}");
    let older = Laid::until(first, laid.ends(1)[0]);
    let found = check(Some(&older), second, Some(&shard.written[0].stand));
    assert!(found.lost_frames > 0, "{found:?}");
    // A turn of the second, before the snapshots of the others.
    let mut damaged = second.clone();
    damaged[laid.ends(2)[1] - 1] ^= 1;
    let found = check(Some(first), &damaged, Some(&shard.written[1].stand));
    assert!(found.torn_bytes > 0 && found.lost_frames > 0, "{found:?}");
}
