//! Keeping the log short: when its segment is long, the shard goes on in another, and writes a snapshot of each of its sessions there, as
//! many in a turn as hold nobody up. When all are written the segment before goes.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::frozen::Move;
use super::session::SessionKey;
use super::worker::Worker;
use crate::book::News;
use crate::limits;
use crate::shard::Entry;

/// A checkpoint that is being written.
#[derive(Debug)]
pub(super) struct Checkpoint {
    /// The sessions whose snapshots are to be written. One that is created meanwhile is in the segment by that.
    left: Vec<SessionKey>,
    began: Instant,
    parts: u64,
    /// What the longest part took of its turn.
    longest: Duration,
}

impl Worker {
    /// Whether there is a part of a checkpoint for the next turn.
    pub(super) fn is_trimming(&self) -> bool {
        self.checkpoint.is_some() && self.clock.now >= self.trim_at
    }

    /// Begins a segment, if the one in use is long, and writes a part of its checkpoint, if that is not complete. The turn is in the log,
    /// and what it had to say is said.
    pub(super) fn trim(&mut self) {
        self.snapshot_grown();
        let Some(log) = self.log.file() else { return };
        if self.clock.now < self.trim_at || (self.checkpoint.is_none() && !log.journal().is_long()) {
            return;
        }
        let began = Instant::now();
        let mut checkpoint = match self.checkpoint.take() {
            Some(checkpoint) => checkpoint,
            None => match log.begin_segment(|salt, end| Entry::Follows { salt, end }) {
                Ok(()) => {
                    // It has nothing of them.
                    self.handed_over.clear();
                    let left = self.index.values().copied().collect();
                    Checkpoint { left, began, parts: 0, longest: Duration::ZERO }
                }
                Err(error) => return self.try_again(&error),
            },
        };
        let written = self.write_part(&mut checkpoint, began);
        checkpoint.longest = checkpoint.longest.max(began.elapsed());
        match written {
            Ok(true) => {
                self.stats.checkpoint_overdue = 0;
                let Checkpoint { began, parts, longest, .. } = checkpoint;
                tracing::info!(
                    sessions = self.sessions.len(),
                    parts,
                    longest_us = longest.as_micros(),
                    elapsed_ms = began.elapsed().as_millis(),
                    "checkpoint written, the log segment before goes"
                );
            }
            Ok(false) => self.checkpoint = Some(checkpoint),
            Err(error) => {
                self.checkpoint = Some(checkpoint);
                self.try_again(&error);
            }
        }
    }

    /// The same of a log that has each session for itself: snapshots of those of which it has much, as many as a turn has room for.
    fn snapshot_grown(&mut self) {
        let mut began = None;
        while let Some(id) = self.log.take_grown() {
            let began = *began.get_or_insert_with(Instant::now);
            if let Some(session) = self.index.get(&id).and_then(|key| self.sessions.get(*key)) {
                let record = Box::new(Cow::Owned(session.record()));
                self.log.snapshot(session.key(), &Entry::Session { no: session.no, record });
            }
            if began.elapsed().as_micros() >= self.part.0 {
                break;
            }
        }
    }

    /// The log has lost something of a session: it is told all of it again, under a higher epoch.
    pub(super) fn restore(&mut self, id: Uuid) {
        // One that is on its way to another shard is said by that one: this one's log had kept all of it.
        let is_offered = |key: &SessionKey| self.moves.get(key).is_some_and(Move::is_offered);
        let Some(key) = self.index.get(&id).copied().filter(|key| !is_offered(key)) else {
            return self.log.restore(id, None::<(_, &Entry<'_>)>);
        };
        let session = &mut self.sessions[key];
        let raised = session.raise(0);
        let record = Box::new(Cow::Owned(session.record()));
        self.log.restore(id, Some((raised, &Entry::Session { no: session.no, record })));
        self.announced.push((key, News::Changed));
    }

    /// Writes as many of the snapshots that are left as a turn has room for; whether these were the last.
    fn write_part(&mut self, checkpoint: &mut Checkpoint, began: Instant) -> std::io::Result<bool> {
        let (most_us, most_bytes) = self.part;
        let Some(journal) = self.log.journal() else { return Ok(true) };
        let mut next = checkpoint.left.len();
        while next > 0 && journal.pushed() < most_bytes {
            next -= 1;
            // One that has gone needs none.
            if let Some(session) = self.sessions.get(checkpoint.left[next]) {
                let record = session.record();
                let claim = record.claim(session.no);
                journal.push(&Entry::Session { no: session.no, record: Box::new(Cow::Owned(record)) });
                journal.push(&claim);
            }
            if began.elapsed().as_micros() >= most_us {
                break;
            }
        }
        if journal.has_batch() {
            self.stats.log_bytes += journal.write_part()?;
        }
        checkpoint.left.truncate(next);
        checkpoint.parts += 1;
        if next > 0 {
            return Ok(false);
        }
        let replays = self.chunks.unsynced();
        journal.complete(&Entry::CheckpointEnd, move || replays.sync())?;
        self.chunks.synced();
        Ok(true)
    }

    /// What could not be written is left to be written later.
    fn try_again(&mut self, error: &std::io::Error) {
        tracing::error!(%error, "a checkpoint cannot be written; the log grows on until it can");
        self.stats.checkpoint_failures += 1;
        self.stats.checkpoint_overdue = 1;
        self.trim_at = self.clock.now + limits::CHECKPOINT_RETRY_MS;
    }
}
