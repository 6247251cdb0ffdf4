//! The log in files. Without waiting for the disk, and where the shard itself waits for it, a turn is kept, or the log is stalled, within the
//! call. Where a thread waits for it ([`super::beside`]) turns are kept later, many at once, and in their order.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use super::beside::{Answer, Beside};
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
    /// Turns that are appended and not said to be kept, the oldest first.
    appended: VecDeque<TurnNo>,
    /// The last turn that the disk has, where turns wait for it.
    on_disk: TurnNo,
    /// Who waits for the disk, if not the shard itself.
    beside: Option<Beside>,
    bytes: u64,
}

impl FileLog {
    /// The log that goes on in `journal`. Where its turns wait for the disk the shard does.
    pub const fn of(journal: Journal) -> Self {
        Self { journal, turn: 0, sealed: None, appended: VecDeque::new(), on_disk: 0, beside: None, bytes: 0 }
    }

    /// Where turns wait for the disk, has a thread wait for it from now on, which calls `wake` when there is something to be polled.
    pub fn wait_beside(&mut self, wake: impl Fn() + Send + 'static) -> io::Result<()> {
        if self.journal.is_synced() {
            self.beside = Some(Beside::start(self.journal.shard(), wake)?);
        }
        Ok(())
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

    /// Appends the turn that was sealed, if it was not yet, and says which are kept.
    pub fn poll(&mut self) -> Option<Outcome> {
        self.go_on().map_or_else(|error| Some(Outcome::Stalled(error)), |kept| kept.map(Outcome::Kept))
    }

    fn go_on(&mut self) -> io::Result<Option<TurnNo>> {
        self.hear()?;
        if self.journal.is_in_doubt() {
            // Nothing is taken meanwhile, so it holds up nobody.
            self.wait_here()?;
        }
        self.ask();
        if let Some(turn) = self.appended.pop_front_if(|turn| *turn <= self.on_disk) {
            return Ok(Some(turn));
        }
        let Some(wall_ms) = self.sealed else { return Ok(None) };
        if self.journal.has_batch() {
            self.bytes += self.journal.write(wall_ms)?;
            if self.journal.is_synced() {
                self.sealed = None;
                self.appended.push_back(self.turn);
                if self.beside.is_some() {
                    self.ask();
                    return Ok(None);
                }
                self.wait_here()?;
                self.appended.clear();
            }
        }
        self.sealed = None;
        Ok(Some(self.turn))
    }

    /// Takes in what the thread has said, if anything.
    fn hear(&mut self) -> io::Result<()> {
        let Some(Answer { turn, end, waited }) = self.beside.as_mut().and_then(Beside::take) else { return Ok(()) };
        self.journal.waited(end, waited.as_ref().err());
        match waited {
            Ok(()) => self.on_disk = turn,
            // Waiting again may go well then.
            Err(error) if self.journal.reserve().helps(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Has the thread wait for the turns that are not on the disk, unless it is waiting.
    fn ask(&mut self) {
        if let Some(beside) = &mut self.beside
            && let Some(&turn) = self.appended.back()
            && turn > self.on_disk
            && !beside.is_busy()
        {
            beside.ask(turn, self.journal.waiting());
        }
    }

    /// Waits for the disk to have all turns that are appended, in this thread; the other does not wait for it.
    fn wait_here(&mut self) -> io::Result<()> {
        self.journal.wait()?;
        self.on_disk = self.appended.back().copied().unwrap_or(self.on_disk);
        Ok(())
    }

    /// Waits, no longer than that, until there is something to be polled; whether there is.
    pub fn wait(&mut self, most: Duration) -> bool {
        self.beside.as_mut().is_some_and(|beside| beside.wait(most))
    }

    /// Goes on in a new segment ([`Journal::begin_segment`]); the disk has all of the one before then, where turns wait for it.
    pub fn begin_segment<E: Append>(&mut self, follows: impl FnOnce(u32, u64) -> E) -> io::Result<()> {
        if let Some(beside) = &mut self.beside {
            beside.finish();
        }
        self.hear()?;
        self.journal.begin_segment(follows)?;
        // The disk has what was appended before, which is soon said: there is little else to wait for.
        self.ask();
        Ok(())
    }

    /// Nothing more will be appended: waits until the disk has everything.
    pub fn close(&mut self) -> io::Result<()> {
        if let Some(beside) = &mut self.beside {
            beside.finish();
        }
        if let Err(error) = self.hear() {
            tracing::error!(%error, "the disk did not take turns; they are written again");
        }
        self.journal.close()
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

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
