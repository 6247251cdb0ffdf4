//! The log of inputs: what is in it has happened, what is not has not. Nothing a turn produced is shown before its
//! batch is kept. It takes bytes and knows of a session nothing but its id: [`Log`] is the contract between a shard and its log, [`file`]
//! the one that keeps it in files: [`journal`] is the writing, [`trim`] going on from one segment to the next, [`segment`] a file's name and heading, [`frame`] one turn in it,
//! [`marks`] what tells that a journal lacks what it had, [`reserve`] room for when the disk has no other. What
//! is written and how it is read at start is the shards' ([`crate::shard::entry`], [`crate::shard::recovery`]).
//!
//! # The contract
//!
//! *Appending.* Whatever happens to a session is an entry with a [`Key`]: the session, its epoch (who may write: a higher one shuts the
//! lower ones out) and the entry's number. Numbers of a session rise by one, from its creation on and over restarts, and an entry has
//! one number for ever: a log that has it knows it again and does not take it twice.
//!
//! *Sealing.* At the end of a turn [`Log::seal`] makes one batch of its entries and gives the turn a number, one more than the last. It
//! never waits for a network. A turn may have no entries.
//!
//! *Outcomes.* [`Log::poll`] then says, now or later, and never waits either:
//!
//! - [`Outcome::Kept`]: whatever becomes of this process, the turn's entries are found by whoever goes on with their sessions, in order
//!   of their numbers; but for those of sessions that were fenced, which was said before. Turns that share no session may be kept in any
//!   order; of one session an entry is never kept before the one it follows. A turn without entries is kept at once, also while one
//!   before it is not. Said once for each turn.
//! - [`Outcome::Fenced`]: somebody has the session under a higher epoch. None of its entries that are not kept will be, those that are
//!   pushed from now on are thrown away, and the turns they are in are kept without them. Of one whose outcome was unknown nobody here
//!   can know whether it was kept. Said once for each session.
//! - [`Outcome::Stalled`]: at the moment nothing is taken. Nothing of a sealed turn is lost by it, and nothing has to be done but to ask
//!   again after a while; nothing is pushed meanwhile.
//! - [`Outcome::Unknown`]: the turn may have been kept or not, and nobody will say which. [`Log::again`] hands the same entries in again,
//!   with the keys they had: never under new numbers, which would make them happen twice. Its outcome comes with a later poll.
//!
//! *The shard's part.* What a turn made (bytes, answers, what the store is told) waits until its turn and all before are kept, and is
//! shown in their order (`shard/held.rs`). How many turns may wait is bounded ([`limits::TURNS_HELD`]); at the bound a shard does as
//! with a log that is stalled.
//!
//! The file takes one frame and one append per turn. Its answers come within the call, so that a turn that is sealed is kept, or the log is
//! stalled; but for turns that are kept only when the disk has them: a thread waits for that, for all that are appended by then at once, and
//! wakes the shard ([`file`]). It has one writer, who holds its lock, so it knows no fences, and needs neither keys nor numbers in its frames.
//!
//! [`limits::TURNS_HELD`]: crate::limits::TURNS_HELD
//!
//! # On disk
//!
//! Below the data folder:
//!
//! ```text
//! log/lock                     held by the running node
//! log/reserve                  room that is given up when the disk has no other
//! log/in-use                   the generation that turns are appended to
//! log/marks                    how far each shard's journal of it is known to be whole
//! log/<generation>/            made complete under another name, then renamed
//! log/<generation>/<shard>-<segment>.journal
//! log/<generation>/<shard>-<segment>.begun     the same while the disk may not have all of its checkpoint
//! ```
//!
//! A segment has a checkpoint: a snapshot of every session of its shard. The first of a generation begins with it;
//! later ones get it between their turns. The newest one whose checkpoint is complete, and what is behind it, is enough to
//! recover. A new generation is written at every start, which is also when the number of shards may change.

mod beside;
pub mod disk;
#[cfg(test)]
pub mod double;
pub mod file;
pub mod frame;
pub mod journal;
pub mod marks;
pub mod reserve;
pub mod segment;
mod trim;

use std::io;
use std::time::Duration;

use uuid::Uuid;

pub use file::FileLog;
pub use journal::{Append, Journal};

/// Which entry it is: of which session, written under which epoch, and the how-manieth of that session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    pub session: Uuid,
    pub epoch: u64,
    pub number: u64,
}

/// The number of a turn, as sealed: one more than the one before.
pub type TurnNo = u64;

/// What became of what a log was given.
#[derive(Debug)]
pub enum Outcome {
    /// The turn is in the log.
    Kept(TurnNo),
    /// The session is somebody else's.
    Fenced(Uuid),
    /// Nothing is taken at the moment.
    Stalled(io::Error),
    /// Nobody knows whether the turn is in the log.
    Unknown(TurnNo),
}

/// A shard's log.
#[derive(Debug)]
#[cfg_attr(test, expect(clippy::large_enum_variant))] // The small one is of tests.
pub enum Log {
    File(FileLog),
    /// Of tests, which decide when it answers what.
    #[cfg(test)]
    Double(double::Double),
}

impl Log {
    /// Adds an entry to the turn in progress.
    pub fn push(&mut self, key: Key, entry: &impl Append) {
        match self {
            Self::File(log) => log.push(entry),
            #[cfg(test)]
            Self::Double(log) => log.push(key, entry),
        }
        #[cfg(not(test))]
        let _ = key;
    }

    /// Whether the turn in progress has entries.
    pub fn has_batch(&self) -> bool {
        match self {
            Self::File(log) => log.journal().has_batch(),
            #[cfg(test)]
            Self::Double(log) => log.has_batch(),
        }
    }

    /// Ends the turn in progress, at this wall time.
    pub fn seal(&mut self, wall_ms: u64) -> TurnNo {
        match self {
            Self::File(log) => log.seal(wall_ms),
            #[cfg(test)]
            Self::Double(log) => log.seal(),
        }
    }

    /// The next outcome, as far as there is one by now.
    pub fn poll(&mut self) -> Option<Outcome> {
        match self {
            Self::File(log) => log.poll(),
            #[cfg(test)]
            Self::Double(log) => log.poll(),
        }
    }

    /// Waits, no longer than that, for an outcome of a turn that was sealed; whether there is one. `false` at once where it does not know
    /// when there will be.
    pub fn wait(&mut self, most: Duration) -> bool {
        self.file().is_some_and(|log| log.wait(most))
    }

    /// Hands in again, under the keys they had, the entries of a turn whose outcome is unknown.
    pub fn again(&mut self, turn: TurnNo) {
        match self {
            // Its outcomes are known: what a failed append left behind is overwritten by the next.
            Self::File(_) => {}
            #[cfg(test)]
            Self::Double(log) => log.again(turn),
        }
        #[cfg(not(test))]
        let _ = turn;
    }

    /// The log in files, where it is that: what is done for files alone.
    pub const fn file(&mut self) -> Option<&mut FileLog> {
        match self {
            Self::File(log) => Some(log),
            #[cfg(test)]
            Self::Double(_) => None,
        }
    }

    /// The journal, where the log is one.
    pub fn journal(&mut self) -> Option<&mut Journal> {
        self.file().map(FileLog::journal_mut)
    }

    /// Whether something is to be done for its files soon ([`Journal::mark_if_due`]).
    pub fn is_unmarked(&self) -> bool {
        match self {
            Self::File(log) => log.journal().is_unmarked(),
            #[cfg(test)]
            Self::Double(_) => false,
        }
    }

    /// Bytes that were appended since it was asked last.
    pub fn take_bytes(&mut self) -> u64 {
        match self {
            Self::File(log) => log.take_bytes(),
            #[cfg(test)]
            Self::Double(_) => 0,
        }
    }
}

impl From<Journal> for Log {
    fn from(journal: Journal) -> Self {
        Self::File(FileLog::of(journal))
    }
}
