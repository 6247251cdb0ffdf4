//! The tape of a fight: its inputs with their times, and marks between them.

use serde::{Deserialize, Serialize};

use super::file::take;
use super::{CHECK_EVERY, End, MOST_MS, REVISION, ReadError, Replay};
use crate::{Bout, Input, Millis};

/// Something on a tape that is no input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mark {
    /// A [`Mark::Check`] of an engine from before revision 2, which did not say of which revision it was.
    OldCheck { seq: u64, digest: u64 },
    /// The host's clock stood still for that long: its process was away.
    Away { ms: u64 },
    /// Whose inputs come first: the engine's revision. One from before revision 2 did not say.
    Begun { revision: u32 },
    /// The fight as it was after the input before, in the words of the engine that had stepped it: a fight that goes on after its host has
    /// got another engine has checks of both.
    Check { revision: u32, seq: u64, digest: u64 },
}

impl Mark {
    /// `bout` as it is, by this engine.
    pub fn check(bout: Bout<'_>) -> Self {
        Self::Check { revision: REVISION, seq: bout.seq(), digest: bout.state_digest(bout.ruleset) }
    }
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
pub struct TapeWriter {
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

impl TapeWriter {
    /// Adds an input at the host's time `at`; times never fall.
    pub fn input(&mut self, at: Millis, input: Input, tape: &mut Vec<u8>) {
        if self.inputs == 0 {
            Self::mark(Mark::Begun { revision: REVISION }, tape);
        }
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

    /// Ends the tape where `bout` stands now, with a check that says whose digest that is.
    pub fn end(&self, bout: Bout<'_>, tape: &mut Vec<u8>) -> End {
        Self::mark(Mark::check(bout), tape);
        End { inputs: self.inputs, seq: bout.seq(), digest: bout.state_digest(bout.ruleset) }
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

fn write<T: Serialize>(value: &T, tape: &mut Vec<u8>) {
    *tape = super::file::append(value, std::mem::take(tape));
}
