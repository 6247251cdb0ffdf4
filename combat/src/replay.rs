//! A fight as a file: what it began with, every input with its time, and how it ended. Stepping the inputs again gives the
//! same fight, or says where it does not.
//!
//! ```text
//! magic 8 | version u32 | revision, varint | head | length of the tape, varint | tape | end | cut | crc32 u32
//! ```
//!
//! Numbers of fixed width are little-endian; head, end and cut are in the postcard format. The head has the ruleset's text and its
//! hash, so that a file says everything about its fight, however the ruleset has changed since. The revision is of the engine
//! that has fought it, so that an engine that has changed is not taken for a file that was. Form 1 had neither revision nor cut,
//! and is still read. The tape is a list of
//! entries without lengths, each led by a varint: twice the milliseconds since the input before, then the input; or, odd, a
//! [`Mark`]. What a shard keeps of a fight that is going on is the tape alone, written by a [`Pen`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fight::MOST_SEATS;
pub use crate::playback::{Bookmark, Mismatch, Playback, Played};
use crate::{Fight, Input, Millis, Mode, PlayerId, RuleError, Rules, Ruleset, Setup};

const MAGIC: &[u8; 8] = b"tyreplay";
const VERSION: u32 = 2;

/// The engine's revision. Raise it with every change after which a recorded fight is stepped otherwise or has another digest:
/// the golden replays tell. Files of form 1 have revision 0.
pub const REVISION: u32 = 1;

/// Bytes of a whole file: the longest tape and the longest text, and as much again. A larger one is not read.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a ruleset's text in a file.
pub const MOST_TEXT_BYTES: usize = 1024 * 1024;

/// Milliseconds from a session's creation to its last input: a hundred years, so that no sum of times overflows.
pub const MOST_MS: Millis = 100 * 366 * 24 * 60 * 60 * 1000;

/// Inputs between two checks on the tape: a fight that goes another way is known to do so within that many.
pub const CHECK_EVERY: u64 = 128;

/// Numbers of a ruleset that a file may name.
const MOST_NUMBERS: usize = 1024;

/// A fight, ready to be fought again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The session's id.
    pub session: u128,
    /// Unix milliseconds of its creation.
    pub created_at: u64,
    /// Of the engine that has fought it.
    pub revision: u32,
    /// The ruleset's text; empty where it is kept elsewhere, under its hash.
    pub text: String,
    /// Of the ruleset.
    pub hash: [u8; 32],
    pub setup: Setup,
    /// Inputs and marks.
    pub tape: Vec<u8>,
    /// Where the tape ends.
    pub end: End,
    /// Why it ends before the fight does, if so.
    pub cut: Option<Cut>,
}

/// The end of a tape that has the beginning of its fight only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    pub loss: Loss,
    /// Session time.
    pub at: Millis,
}

/// Why the rest of a tape is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Loss {
    /// The fight had more inputs than a tape has room for.
    TooLong,
    /// The rest could not be written.
    Disk,
    /// A part in a file was damaged.
    Damaged,
    /// The next input made the engine panic.
    Panic,
    /// Those of one owner had as many inputs as it has room for in a day.
    Quota,
}

/// Where a fight, or the recorded part of it, ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// How many inputs it had.
    pub inputs: u64,
    /// Of the last step that had something to show.
    pub seq: u64,
    /// [`Fight::state_digest`].
    pub digest: u64,
}

/// Something on a tape that is no input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// The fight as it was after the input before.
    Check { seq: u64, digest: u64 },
    /// The host's clock stood still for that long: its process was away.
    Away { ms: u64 },
}

/// One entry of a tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// `at` is the host's time.
    Input {
        at: Millis,
        input: Input,
    },
    Mark(Mark),
}

/// Writes tapes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pen {
    /// Host's time of the last input.
    at: Millis,
    /// Written so far.
    inputs: u64,
}

/// Reads a tape. Ends after the first error.
#[derive(Debug, Clone)]
pub struct Entries<'a> {
    rest: &'a [u8],
    at: Millis,
}

/// Why bytes are no replay.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    #[error("not a replay")]
    NoReplay,
    #[error("a replay of form {0}; this version reads form {VERSION}")]
    Version(u32),
    #[error("{0} bytes are more than a replay may have")]
    TooLarge(usize),
    #[error("damaged: its checksum does not fit its bytes")]
    Checksum,
    #[error("malformed: {0}")]
    Malformed(&'static str),
    #[error("its rules: {0}")]
    Rule(#[from] RuleError),
}

/// What stands in front of the tape.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    session: u128,
    created_at: u64,
    text: String,
    hash: [u8; 32],
    mode: Mode,
    /// By name, so that a version with more settings reads the file.
    numbers: Vec<(String, u32)>,
    seats: u8,
    participants: Vec<PlayerId>,
    teams: Vec<u8>,
    seed: u64,
}

impl Replay {
    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let named = Rules::SETTINGS.iter().zip(self.setup.rules.values());
        let head = Head {
            session: self.session,
            created_at: self.created_at,
            text: self.text.clone(),
            hash: self.hash,
            mode: self.setup.mode,
            numbers: named.map(|(setting, value)| (setting.name.to_owned(), value)).collect(),
            seats: self.setup.seats,
            participants: self.setup.participants.clone(),
            teams: self.setup.teams.clone(),
            seed: self.setup.seed,
        };
        let mut out = Vec::with_capacity(self.text.len() + self.tape.len() + 4096);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out = append(&self.revision, out);
        out = append(&head, out);
        out = append(&(self.tape.len() as u64), out);
        out.extend(&self.tape);
        out = append(&self.end, out);
        out = append(&self.cut, out);
        let checksum = crc32fast::hash(&out);
        out.extend(checksum.to_le_bytes());
        out
    }

    /// Reads a file. Its tape is read when it is played.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        if bytes.len() > MOST_BYTES {
            return Err(ReadError::TooLarge(bytes.len()));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(ReadError::NoReplay)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or(ReadError::NoReplay)?;
        let version = u32::from_le_bytes(*version);
        if !(1..=VERSION).contains(&version) {
            return Err(ReadError::Version(version));
        }
        let (rest, checksum) = rest.split_last_chunk::<4>().ok_or(ReadError::Malformed("it ends too soon"))?;
        if crc32fast::hash(&bytes[..bytes.len() - 4]) != u32::from_le_bytes(*checksum) {
            return Err(ReadError::Checksum);
        }
        let (revision, rest) = if version == 1 { (0, rest) } else { take(rest, "its revision")? };
        let (head, rest): (Head, _) = take(rest, "its head")?;
        let (length, rest): (u64, _) = take(rest, "the length of its tape")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (tape, rest) = rest.split_at_checked(length).ok_or(ReadError::Malformed("the length of its tape"))?;
        let (end, rest) = take(rest, "its end")?;
        let (cut, rest) = if version == 1 { (None, rest) } else { take(rest, "how it was cut")? };
        if !rest.is_empty() {
            return Err(ReadError::Malformed("there is something behind its end"));
        }
        Ok(Self {
            session: head.session,
            created_at: head.created_at,
            revision,
            hash: head.hash,
            setup: head.setup()?,
            text: head.text,
            tape: tape.to_vec(),
            end,
            cut,
        })
    }

    /// What is on the tape.
    pub fn entries(&self) -> Entries<'_> {
        Entries { rest: &self.tape, at: 0 }
    }

    /// Fights it again under its ruleset and shows every input, until the end or the first difference; returns the fight as
    /// it ended.
    pub fn play(&self, ruleset: Arc<Ruleset>, mut show: impl FnMut(&Played<'_>)) -> Result<Fight, Mismatch> {
        let mut playback = Playback::of(self, ruleset)?;
        while let Some(played) = playback.next(self)? {
            show(&played);
        }
        playback.finish(self)
    }

    /// Finds out where its tape ends, of which nobody knows: fights it again as far as it goes. Its checks are held against it.
    pub fn settle(&mut self, ruleset: Arc<Ruleset>) -> Result<(), Mismatch> {
        let mut playback = Playback::of(self, ruleset)?;
        while playback.next(self)?.is_some() {}
        self.end = playback.end();
        if let Some(cut) = &mut self.cut {
            cut.at = playback.fight().now();
        }
        Ok(())
    }

    /// The same mismatch; of a fight of another revision of the engine it says that.
    pub(crate) fn blamed(&self, mismatch: Mismatch) -> Mismatch {
        if self.revision == REVISION {
            return mismatch;
        }
        Mismatch::Revision { recorded: self.revision, what: Box::new(mismatch) }
    }
}

impl Loss {
    pub const ALL: [Self; 5] = [Self::TooLong, Self::Disk, Self::Damaged, Self::Panic, Self::Quota];

    /// Stable.
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Disk => "disk",
            Self::Damaged => "damaged",
            Self::Panic => "panic",
            Self::Quota => "quota",
        }
    }

    /// For people, after "its recording ends there: ".
    pub const fn about(self) -> &'static str {
        match self {
            Self::TooLong => "it had more inputs than are kept of one fight",
            Self::Disk => "the rest could not be written",
            Self::Damaged => "the rest was in a file that is damaged",
            Self::Panic => "the next input made the engine fail",
            Self::Quota => "its owner's fights had more inputs than are kept of them in a day",
        }
    }
}

impl Head {
    fn setup(&self) -> Result<Setup, ReadError> {
        let most = usize::from(MOST_SEATS);
        if self.text.len() > MOST_TEXT_BYTES {
            return Err(ReadError::Malformed("the ruleset's text is too long"));
        }
        if self.seats > MOST_SEATS || self.participants.len() > most || self.teams.len() > most {
            return Err(ReadError::Malformed("more seats than there can be"));
        }
        if self.numbers.len() > MOST_NUMBERS {
            return Err(ReadError::Malformed("more numbers than a ruleset has"));
        }
        let mut rules = Rules::default();
        for (name, value) in &self.numbers {
            rules.set(name, Some(u64::from(*value)))?;
        }
        rules.check()?;
        Ok(Setup {
            mode: self.mode,
            rules,
            seats: self.seats,
            participants: self.participants.clone(),
            teams: self.teams.clone(),
            seed: self.seed,
        })
    }
}

impl Pen {
    /// Adds an input at the host's time `at`; times never fall.
    pub fn input(&mut self, at: Millis, input: Input, tape: &mut Vec<u8>) {
        write(&(at.saturating_sub(self.at) << 1), tape);
        write(&input, tape);
        self.at = self.at.max(at);
        self.inputs += 1;
    }

    /// Adds a mark.
    pub fn mark(mark: Mark, tape: &mut Vec<u8>) {
        write(&1_u64, tape);
        write(&mark, tape);
    }

    /// Inputs written so far.
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Whether a check is worth writing.
    pub fn is_check_due(&self) -> bool {
        self.inputs.is_multiple_of(CHECK_EVERY)
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

impl<'a> Entries<'a> {
    /// What is on the tape from `offset` on, where the input before was at `at`.
    pub(crate) fn from(replay: &'a Replay, offset: usize, at: Millis) -> Self {
        Self { rest: replay.tape.get(offset..).unwrap_or_default(), at }
    }

    /// Bytes that were not read yet.
    pub(crate) fn left(&self) -> usize {
        self.rest.len()
    }

    fn entry(&mut self) -> Result<Entry, ReadError> {
        let lead: u64 = self.take("an entry's time")?;
        if lead & 1 == 1 {
            return Ok(Entry::Mark(self.take("a mark")?));
        }
        // Neither half of the sum is above the bound, so there is no overflow.
        self.at += (lead >> 1).min(MOST_MS);
        if self.at > MOST_MS {
            return Err(ReadError::Malformed("a time beyond a hundred years"));
        }
        Ok(Entry::Input { at: self.at, input: self.take("an input")? })
    }

    fn take<T: for<'de> Deserialize<'de>>(&mut self, what: &'static str) -> Result<T, ReadError> {
        let (value, rest) = take(self.rest, what)?;
        self.rest = rest;
        Ok(value)
    }
}

fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &'static str) -> Result<(T, &'a [u8]), ReadError> {
    postcard::take_from_bytes(bytes).map_err(|_| ReadError::Malformed(what))
}

fn append<T: Serialize>(value: &T, out: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(value, out).expect("nothing in a replay is a value that postcard refuses")
}

fn write<T: Serialize>(value: &T, tape: &mut Vec<u8>) {
    *tape = append(value, std::mem::take(tape));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        CHECK_EVERY, Cut, End, Entry, Loss, MAGIC, Mark, Mismatch, Pen, Playback, REVISION, ReadError, Replay,
    };
    use crate::{Action, BodyPart, Fight, Input, Mode, Rules, Ruleset, Setup, Step};

    /// A fight of some hundred inputs, and the replay of it.
    fn recorded() -> Replay {
        let rules = Rules { preparation_ms: 0, health: 5_000, actions_per_second: 0, ..Rules::default() };
        let setup =
            Setup { mode: Mode::Pvp, rules, seats: 2, participants: vec![7, 8], teams: Vec::new(), seed: 0xA11CE };
        let mut fight = Fight::new(Ruleset::plain(), setup.clone());
        let (mut pen, mut tape, mut step) = (Pen::default(), Vec::new(), Step::default());
        for no in 0..300_u64 {
            let slot = u8::from(no % 2 == 1);
            let action = Action::Attack { target: Some(1 - slot), part: BodyPart::Torso };
            let (at, input) = (no * 70, Input::Act { slot, id: no + 1, action });
            step.clear();
            let _refused_or_not = fight.handle(at, input, &mut step);
            pen.input(at, input, &mut tape);
            if pen.is_check_due() {
                Pen::mark(Mark::Check { seq: fight.seq(), digest: fight.state_digest() }, &mut tape);
            }
            if no == 200 {
                Pen::mark(Mark::Away { ms: 1_000 }, &mut tape);
            }
        }
        let end = End { inputs: pen.inputs(), seq: fight.seq(), digest: fight.state_digest() };
        Replay {
            session: 9,
            created_at: 1_000_000,
            revision: REVISION,
            text: "text".to_owned(),
            hash: [0; 32],
            setup,
            tape,
            end,
            cut: None,
        }
    }

    #[test]
    fn comes_back_from_its_file_and_is_the_same_fight() {
        let replay = recorded();
        let bytes = replay.encode();
        assert_eq!(Replay::decode(&bytes), Ok(replay.clone()));
        let (mut events, mut last) = (0, (0, 0));
        replay
            .play(Ruleset::plain(), |played| {
                events += played.step.events().len();
                last = (played.no, played.unix_ms);
            })
            .unwrap();
        assert!(events > 100, "{events}");
        assert_eq!(last, (300, 1_000_000 + 299 * 70 + 1_000), "the time away counts");
        let bytes_per_input = replay.tape.len() / 300;
        assert!(bytes_per_input < 12, "{bytes_per_input} bytes for an input");
    }

    #[test]
    fn says_what_differs() {
        let replay = recorded();
        let play = |replay: &Replay| replay.play(Ruleset::plain(), |_| ());
        let mut other = replay.clone();
        other.setup.seed += 1;
        let Err(
            Mismatch::Digest { same: 0, input: CHECK_EVERY, .. } | Mismatch::Seq { same: 0, input: CHECK_EVERY, .. },
        ) = play(&other)
        else {
            panic!("{:?}", play(&other))
        };
        let mut other = replay.clone();
        other.end.digest ^= 1;
        let said = play(&other).unwrap_err().to_string();
        assert!(said.contains("the same up to input 256, another fight at input 300: digest"), "{said}");
        let mut other = replay.clone();
        other.end.seq += 1;
        assert!(matches!(play(&other), Err(Mismatch::Seq { same: 256, input: 300, .. })));
        let mut other = replay.clone();
        other.end.inputs += 1;
        assert_eq!(play(&other).unwrap_err(), Mismatch::Inputs { recorded: 301, found: 300 });
        let mut other = replay.clone();
        other.tape.pop();
        assert!(matches!(play(&other), Err(Mismatch::Tape { after: 299, .. })));
        let mut other = (*Ruleset::plain()).clone();
        other.hash = [1; 32];
        assert_eq!(replay.play(Arc::new(other), |_| ()).unwrap_err(), Mismatch::Ruleset);
    }

    #[test]
    fn an_engine_that_has_changed_is_not_taken_for_a_file_that_was() {
        let mut older = recorded();
        older.revision = REVISION - 1;
        assert!(older.play(Ruleset::plain(), |_| ()).is_ok(), "where it is stepped alike, all is well");
        older.end.digest ^= 1;
        let said = older.play(Ruleset::plain(), |_| ()).unwrap_err().to_string();
        let (then, now) = (REVISION - 1, REVISION);
        assert!(said.contains(&format!("revision {then} of the engine, and this is revision {now}")), "{said}");
        older.revision = REVISION;
        assert!(matches!(older.play(Ruleset::plain(), |_| ()), Err(Mismatch::Digest { .. })));
    }

    #[test]
    fn a_head_of_a_tape_is_settled_where_it_ends_and_says_why() {
        let whole = recorded();
        let mut head = whole.clone();
        let mut entries = whole.entries();
        for _ in 0..150 {
            entries.next();
        }
        head.tape.truncate(whole.tape.len() - entries.left());
        head.cut = Some(Cut { loss: Loss::Damaged, at: 0 });
        let said = head.play(Ruleset::plain(), |_| ()).unwrap_err();
        assert_eq!(said, Mismatch::Inputs { recorded: 300, found: 149 });
        head.settle(Ruleset::plain()).unwrap();
        assert_eq!((head.end.inputs, head.cut.unwrap().at), (149, 148 * 70), "its last input was the 149th");
        let read = Replay::decode(&head.encode()).unwrap();
        assert_eq!(read, head);
        assert!(read.play(Ruleset::plain(), |_| ()).is_ok());
    }

    #[test]
    fn a_playback_goes_on_from_its_bookmarks() {
        let replay = recorded();
        let mut playback = Playback::of(&replay, Ruleset::plain()).unwrap();
        let mut bookmarks = vec![playback.bookmark()];
        while playback.next(&replay).unwrap().is_some() {
            bookmarks.push(playback.bookmark());
        }
        let whole = playback.end();
        for (inputs, bookmark) in (0..).zip(bookmarks) {
            assert!(bookmark.is_followed_by(&replay, 300 - inputs));
            assert!(!bookmark.is_followed_by(&replay, 301 - inputs));
            let mut playback = Playback::resume(&bookmark, Ruleset::plain()).unwrap();
            assert_eq!((playback.inputs(), bookmark.inputs()), (inputs, inputs));
            while let Some(played) = playback.next(&replay).unwrap() {
                assert!(played.no > inputs);
            }
            assert_eq!(playback.end(), whole);
            assert!(playback.finish(&replay).is_ok());
        }
    }

    #[test]
    fn refuses_what_is_no_replay_by_name() {
        let bytes = recorded().encode();
        assert_eq!(Replay::decode(b""), Err(ReadError::NoReplay));
        assert_eq!(Replay::decode(b"[settings]\nhealth = 3"), Err(ReadError::NoReplay));
        let mut newer = bytes.clone();
        newer[MAGIC.len()] = 9;
        assert_eq!(Replay::decode(&newer), Err(ReadError::Version(9)));
        for bit in (0..bytes.len() * 8).step_by(7) {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Replay::decode(&bad).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(Replay::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_time_out_of_the_world_is_refused() {
        let mut tape = Vec::new();
        let mut pen = Pen::default();
        pen.input(5, Input::Tick, &mut tape);
        pen.input(u64::MAX >> 1, Input::Tick, &mut tape);
        let replay = Replay { tape, ..recorded() };
        let entries: Vec<_> = replay.entries().collect();
        assert_eq!(entries[0], Ok(Entry::Input { at: 5, input: Input::Tick }));
        assert_eq!(entries[1], Err(ReadError::Malformed("a time beyond a hundred years")));
        assert_eq!(entries.len(), 2);
    }
}
