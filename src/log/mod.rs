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
//! - [`Outcome::Missing`]: what the session's entries follow is not there: the store is an older copy of itself, or another. Turns with entries
//!   of it are kept only when [`Log::restore`] has handed in the whole session, under an epoch above its own: their entries are in that.
//!   Said once, until that is done.
//!
//! *Leaving.* [`Log::end`] says that a session is over, and that the store has it; [`Log::leave`] that it goes on elsewhere, under another
//! epoch. Neither is waited for. [`Log::take_grown`] names sessions of which so much has been appended that [`Log::snapshot`] is due: what is
//! before it goes. The file does that by itself, for all of a shard at once (`shard/trim.rs`).
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
pub mod redis;
pub mod reserve;
pub mod segment;
mod trim;

use std::io;
use std::time::Duration;

use mio::Registry;
use uuid::Uuid;

use crate::limits;

pub use file::FileLog;
pub use journal::{Append, Journal};
pub use redis::RedisLog;

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
    /// The store has lost something of the session that it had.
    Missing(Uuid),
}

/// A shard's log.
#[derive(Debug)]
#[expect(clippy::large_enum_variant)] // One for each shard; the file is not to be a pointer away.
pub enum Log {
    File(FileLog),
    Redis(Box<RedisLog>),
    /// Of tests, which decide when it answers what.
    #[cfg(test)]
    Double(double::Double),
}

impl Log {
    /// Begins in a shard's loop: `wake` has it look, and its own sockets are in what the loop polls.
    pub fn enter(&mut self, registry: &Registry, wake: impl Fn() + Send + 'static) -> io::Result<()> {
        match self {
            Self::File(log) => log.wait_beside(wake),
            Self::Redis(log) => log.register(registry.try_clone()?),
            #[cfg(test)]
            Self::Double(_) => Ok(()),
        }
    }

    /// Adds an entry to the turn in progress.
    pub fn push(&mut self, key: Key, entry: &impl Append) {
        match self {
            Self::File(log) => log.push(entry),
            Self::Redis(log) => log.push(key, entry),
            #[cfg(test)]
            Self::Double(log) => log.push(key, entry),
        }
    }

    /// The session is over, which `entry` says.
    pub fn end(&mut self, key: Key, entry: &impl Append) {
        match self {
            Self::File(log) => log.push(entry),
            Self::Redis(log) => log.end(key),
            #[cfg(test)]
            Self::Double(log) => log.push(key, entry),
        }
    }

    /// The session is somebody else's by now, or another shard's, so that it is to be forgotten here, which `entry` says.
    pub fn leave(&mut self, key: Key, entry: &impl Append) {
        match self {
            Self::File(log) => log.push(entry),
            Self::Redis(log) => log.leave(key),
            #[cfg(test)]
            Self::Double(log) => log.push(key, entry),
        }
    }

    /// Hands in a whole session, of which something is missing, under an epoch above its own; nothing where there is none any more.
    pub fn restore(&mut self, session: Uuid, anew: Option<(Key, &impl Append)>) {
        match self {
            // It has all of them.
            Self::File(_) => {}
            Self::Redis(log) => log.restore(session, anew),
            #[cfg(test)]
            Self::Double(_) => {}
        }
    }

    /// The next session that needs a snapshot.
    pub fn take_grown(&mut self) -> Option<Uuid> {
        match self {
            Self::File(_) => None,
            Self::Redis(log) => log.take_grown(),
            #[cfg(test)]
            Self::Double(_) => None,
        }
    }

    /// Hands in a session as it is after its newest entry.
    pub fn snapshot(&mut self, key: Key, record: &impl Append) {
        match self {
            Self::File(_) => {}
            Self::Redis(log) => log.snapshot(key, record),
            #[cfg(test)]
            Self::Double(_) => {}
        }
    }

    /// Milliseconds after which it is to be polled, also where nothing happens.
    pub const fn rest_ms(&self) -> u64 {
        match self {
            Self::Redis(_) => limits::REDIS_LOOK_MS,
            Self::File(_) => limits::SLEEP_MS,
            #[cfg(test)]
            Self::Double(_) => limits::SLEEP_MS,
        }
    }

    /// Nothing more will be appended.
    pub fn close(&mut self) -> io::Result<()> {
        match self {
            Self::File(log) => return log.close(),
            Self::Redis(log) => log.close(),
            #[cfg(test)]
            Self::Double(_) => {}
        }
        Ok(())
    }

    /// Whether the turn in progress has entries.
    pub fn has_batch(&self) -> bool {
        match self {
            Self::File(log) => log.journal().has_batch(),
            Self::Redis(log) => log.has_batch(),
            #[cfg(test)]
            Self::Double(log) => log.has_batch(),
        }
    }

    /// Ends the turn in progress, at this wall time.
    pub fn seal(&mut self, wall_ms: u64) -> TurnNo {
        match self {
            Self::File(log) => log.seal(wall_ms),
            Self::Redis(log) => log.seal(wall_ms),
            #[cfg(test)]
            Self::Double(log) => log.seal(),
        }
    }

    /// The next outcome, as far as there is one by now.
    pub fn poll(&mut self) -> Option<Outcome> {
        match self {
            Self::File(log) => log.poll(),
            Self::Redis(log) => log.poll(),
            #[cfg(test)]
            Self::Double(log) => log.poll(),
        }
    }

    /// Waits, no longer than that, for an outcome of a turn that was sealed; whether there is one. `false` at once where it does not know
    /// when there will be.
    pub fn wait(&mut self, most: Duration) -> bool {
        match self {
            Self::File(log) => log.wait(most),
            Self::Redis(log) => log.wait(most),
            #[cfg(test)]
            Self::Double(_) => false,
        }
    }

    /// Hands in again, under the keys they had, the entries of a turn whose outcome is unknown.
    pub fn again(&mut self, turn: TurnNo) {
        match self {
            // Its outcomes are known: what a failed append left behind is overwritten by the next.
            Self::File(_) => {}
            Self::Redis(log) => log.again(turn),
            #[cfg(test)]
            Self::Double(log) => log.again(turn),
        }
    }

    /// The log in files, where it is that: what is done for files alone.
    pub const fn file(&mut self) -> Option<&mut FileLog> {
        match self {
            Self::File(log) => Some(log),
            Self::Redis(_) => None,
            #[cfg(test)]
            Self::Double(_) => None,
        }
    }

    /// The log in Redis, where it is that.
    pub const fn redis(&self) -> Option<&RedisLog> {
        match self {
            Self::Redis(log) => Some(log),
            Self::File(_) => None,
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
            Self::Redis(_) => false,
            #[cfg(test)]
            Self::Double(_) => false,
        }
    }

    /// Bytes that were appended since it was asked last.
    pub fn take_bytes(&mut self) -> u64 {
        match self {
            Self::File(log) => log.take_bytes(),
            Self::Redis(log) => log.take_bytes(),
            #[cfg(test)]
            Self::Double(_) => 0,
        }
    }
}

impl From<RedisLog> for Log {
    fn from(log: RedisLog) -> Self {
        Self::Redis(Box::new(log))
    }
}

impl From<Journal> for Log {
    fn from(journal: Journal) -> Self {
        Self::File(FileLog::of(journal))
    }
}
