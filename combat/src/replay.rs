//! A fight as a file: what it began with, every input with its time, and how it ended. Stepping the inputs again gives the
//! same fight, or says where it does not.
//!
//! ```text
//! magic 8 | version u32 | head | length of the tape, varint | tape | end | crc32 u32
//! ```
//!
//! Numbers of fixed width are little-endian; head and end are in the postcard format. The head has the ruleset's text and its
//! hash, so that a file says everything about its fight, however the ruleset has changed since. The tape is a list of
//! entries without lengths, each led by a varint: twice the milliseconds since the input before, then the input; or, odd, a
//! [`Mark`]. What a shard keeps of a fight that is going on is the tape alone, written by a [`Pen`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::fight::MOST_SEATS;
use crate::{Answer, Fight, Input, Millis, Mode, PlayerId, RuleError, Rules, Ruleset, Setup, Step};

const MAGIC: &[u8; 8] = b"tyreplay";
const VERSION: u32 = 1;

/// Bytes of a whole file: four times the longest tape and the longest text. A larger one is not read.
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
    /// The ruleset's text; empty where it is kept elsewhere, under its hash.
    pub text: String,
    /// Of the ruleset.
    pub hash: [u8; 32],
    pub setup: Setup,
    /// Inputs and marks.
    pub tape: Vec<u8>,
    pub end: End,
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

/// One input, fought again.
#[derive(Debug)]
pub struct Played<'a> {
    /// Which one, from 1.
    pub no: u64,
    /// Host's time.
    pub at: Millis,
    /// Unix milliseconds.
    pub unix_ms: u64,
    pub input: Input,
    pub answer: Answer,
    /// What it changed.
    pub step: &'a Step,
    /// As it is after the input.
    pub fight: &'a Fight,
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

/// How a fight that was fought again differs from the one that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    #[error("it was fought under another ruleset than the one it is stepped with")]
    Ruleset,
    #[error("the tape cannot be read after input {after}: {error}")]
    Tape { after: u64, error: ReadError },
    #[error("it says it has {recorded} inputs, and has {found}")]
    Inputs { recorded: u64, found: u64 },
    #[error(
        "the same up to input {same}, another fight at input {input}: sequence {recorded} in the replay, {found} when stepped again"
    )]
    Seq { same: u64, input: u64, recorded: u64, found: u64 },
    #[error(
        "the same up to input {same}, another fight at input {input}: digest {recorded:016x} in the replay, {found:016x} when stepped again"
    )]
    Digest { same: u64, input: u64, recorded: u64, found: u64 },
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
        out = append(&head, out);
        out = append(&(self.tape.len() as u64), out);
        out.extend(&self.tape);
        out = append(&self.end, out);
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
        if version != VERSION {
            return Err(ReadError::Version(version));
        }
        let (rest, checksum) = rest.split_last_chunk::<4>().ok_or(ReadError::Malformed("it ends too soon"))?;
        if crc32fast::hash(&bytes[..bytes.len() - 4]) != u32::from_le_bytes(*checksum) {
            return Err(ReadError::Checksum);
        }
        let (head, rest): (Head, _) = take(rest, "its head")?;
        let (length, rest): (u64, _) = take(rest, "the length of its tape")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (tape, rest) = rest.split_at_checked(length).ok_or(ReadError::Malformed("the length of its tape"))?;
        let (end, rest) = take(rest, "its end")?;
        if !rest.is_empty() {
            return Err(ReadError::Malformed("there is something behind its end"));
        }
        Ok(Self {
            session: head.session,
            created_at: head.created_at,
            hash: head.hash,
            setup: head.setup()?,
            text: head.text,
            tape: tape.to_vec(),
            end,
        })
    }

    /// What is on the tape.
    pub fn entries(&self) -> Entries<'_> {
        Entries { rest: &self.tape, at: 0 }
    }

    /// Fights it again under its ruleset and shows every input, until the end or the first difference; returns the fight as
    /// it ended.
    pub fn play(&self, ruleset: Arc<Ruleset>, mut show: impl FnMut(&Played<'_>)) -> Result<Fight, Mismatch> {
        if ruleset.hash != self.hash {
            return Err(Mismatch::Ruleset);
        }
        let mut fight = Fight::new(ruleset, self.setup.clone());
        let mut step = Step::default();
        let (mut no, mut same, mut away) = (0, 0, 0_u64);
        for entry in self.entries() {
            match entry.map_err(|error| Mismatch::Tape { after: no, error })? {
                Entry::Input { at, input } => {
                    no += 1;
                    step.clear();
                    let answer = fight.handle(at, input, &mut step);
                    let unix_ms = self.created_at.saturating_add(at).saturating_add(away);
                    show(&Played { no, at, unix_ms, input, answer, step: &step, fight: &fight });
                }
                Entry::Mark(Mark::Away { ms }) => away = away.saturating_add(ms),
                Entry::Mark(Mark::Check { seq, digest }) => {
                    compare(&fight, same, End { inputs: no, seq, digest })?;
                    same = no;
                }
            }
        }
        if no != self.end.inputs {
            return Err(Mismatch::Inputs { recorded: self.end.inputs, found: no });
        }
        compare(&fight, same, self.end)?;
        Ok(fight)
    }
}

/// Whether the fight is where the recorded one was.
fn compare(fight: &Fight, same: u64, recorded: End) -> Result<(), Mismatch> {
    let (seq, digest) = (fight.seq(), fight.state_digest());
    if seq != recorded.seq {
        return Err(Mismatch::Seq { same, input: recorded.inputs, recorded: recorded.seq, found: seq });
    }
    if digest != recorded.digest {
        return Err(Mismatch::Digest { same, input: recorded.inputs, recorded: recorded.digest, found: digest });
    }
    Ok(())
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

impl Entries<'_> {
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

    use super::{CHECK_EVERY, End, Entry, MAGIC, Mark, Mismatch, Pen, ReadError, Replay};
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
        Replay { session: 9, created_at: 1_000_000, text: "text".to_owned(), hash: [0; 32], setup, tape, end }
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
