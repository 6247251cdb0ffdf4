//! A fight as a file: what it began with, every input with its time, and how it ended. Stepping the inputs again gives the
//! same fight, or says where it does not.
//!
//! ```text
//! magic 8 | version u32 | revision, varint | head | length of the tape, varint | tape | end | cut | crc32 u32
//! ```
//!
//! Numbers of fixed width are little-endian; head, end and cut are in the postcard format. The head has the ruleset's text and its
//! hash, so that a file says everything about its fight, however the ruleset has changed since. The tape is a list of
//! entries without lengths, each led by a varint: twice the milliseconds since the input before, then the input; or, odd, a
//! [`Mark`]. What a shard keeps of a fight that is going on is the tape alone, written by a [`TapeWriter`].
//!
//! The revision is of the engine that has written the file. Each check on the tape says of which it is: an engine that has changed is
//! not taken for a file that was, also where it changed in the middle of a fight. In form 2 checks said nothing, and the revision in front is
//! that of all of them, 1; form 1 had neither revision nor cut. Both are read.
//!
//! [`file`] the file, [`tape`] the tape.

mod file;
mod tape;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use crate::playback::{Bookmark, Mismatch, Playback, Played, Verdict};
use crate::{Fight, Millis, RuleError, Ruleset, Setup};
pub use tape::{Entries, Entry, Mark, TapeWriter};

const MAGIC: &[u8; 8] = b"tyreplay";

/// The form of the file. Raise it with every change of its bytes: the golden head tells.
const VERSION: u32 = 3;

/// The engine's revision. Raise it with every change after which a recorded fight is stepped otherwise or has another digest:
/// the golden replays tell. Digests have it in them, so those of one revision are never taken for another's.
///
/// 0 and 1 had digests of form 1, and files of the forms 1 and 2; 2 brought [`crate::digest::FORM`] 2, and 3 form 3 with facing, velocity and
/// why somebody comes and goes.
pub const REVISION: u32 = 3;

/// Bytes of a whole file: the longest tape and the longest text, and as much again. A larger one is not read.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;

/// Bytes of a ruleset's text in a file.
pub const MOST_TEXT_BYTES: usize = 1024 * 1024;

/// Milliseconds from a session's creation to its last input: a hundred years, so that no sum of times overflows.
pub const MOST_MS: Millis = 100 * 366 * 24 * 60 * 60 * 1000;

/// Inputs between two checks on the tape: a fight that goes another way is known to do so within that many.
pub const CHECK_EVERY: u64 = 128;

/// A fight, ready to be fought again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replay {
    /// The session's id.
    pub session: u128,
    /// Unix milliseconds of its creation.
    pub created_at: u64,
    /// Of the engine that has written it; what is on the tape may have been fought by another before.
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

impl Replay {
    /// What is on the tape.
    pub fn entries(&self) -> Entries<'_> {
        Entries::from(self, 0, 0)
    }

    /// Fights it again under its ruleset and shows every input, until the end or the first difference; returns the fight as
    /// it ended. One that only another engine can verify is not the same.
    pub fn play(&self, ruleset: Arc<Ruleset>, show: impl FnMut(&Played<'_>)) -> Result<Fight, Mismatch> {
        match self.fight_again(ruleset, show)? {
            (fight, Verdict::Same) => Ok(fight),
            (_, Verdict::OtherEngine { recorded }) => Err(Mismatch::Revision { recorded, what: None }),
        }
    }

    /// The same, and how far it can be verified.
    pub fn fight_again(
        &self,
        ruleset: Arc<Ruleset>,
        mut show: impl FnMut(&Played<'_>),
    ) -> Result<(Fight, Verdict), Mismatch> {
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
        TapeWriter::mark(Mark::check(playback.bout()), &mut self.tape);
        if let Some(cut) = &mut self.cut {
            cut.at = playback.fight().now();
        }
        Ok(())
    }

    /// The engine of what on its tape says nothing of that.
    pub(crate) fn old_revision(&self) -> u32 {
        self.revision.min(1)
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

#[cfg(test)]
mod tests;
