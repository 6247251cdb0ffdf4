//! The log in files: a turn is kept, or the log is stalled, within the call.

use super::journal::{Append, Journal};
use super::{Outcome, TurnNo};

/// A shard's journal, behind the contract.
#[derive(Debug)]
pub struct FileLog {
    journal: Journal,
    /// The last turn that was sealed.
    turn: TurnNo,
    /// The wall time of that turn, while it is not appended.
    sealed: Option<u64>,
    bytes: u64,
}

impl FileLog {
    /// The log that goes on in `journal`.
    pub const fn of(journal: Journal) -> Self {
        Self { journal, turn: 0, sealed: None, bytes: 0 }
    }

    /// Adds an entry to the turn in progress.
    pub fn push(&mut self, entry: &impl Append) {
        debug_assert!(self.sealed.is_none(), "the turn before is not appended");
        self.journal.push(entry);
    }

    /// Ends the turn in progress.
    pub fn seal(&mut self, wall_ms: u64) -> TurnNo {
        self.turn += 1;
        self.sealed = Some(wall_ms);
        self.turn
    }

    /// Appends the turn that was sealed, if it was not yet.
    pub fn poll(&mut self) -> Option<Outcome> {
        let wall_ms = self.sealed?;
        if self.journal.has_batch() {
            match self.journal.append(wall_ms) {
                Ok(bytes) => self.bytes += bytes,
                Err(error) => return Some(Outcome::Stalled(error)),
            }
        }
        self.sealed = None;
        Some(Outcome::Kept(self.turn))
    }

    pub const fn journal(&self) -> &Journal {
        &self.journal
    }

    pub const fn journal_mut(&mut self) -> &mut Journal {
        &mut self.journal
    }

    /// Bytes that were appended since it was asked last.
    pub const fn take_bytes(&mut self) -> u64 {
        std::mem::replace(&mut self.bytes, 0)
    }
}
