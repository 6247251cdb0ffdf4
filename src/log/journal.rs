//! Writing the log of one shard: one append per turn.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::marks::{Mark, Marks};
use super::reserve::Reserve;
use super::segment::{self, FORM, HEADING, Heading};
use super::{disk, frame};
use crate::limits;

/// What is appended. The log does not know what it says: it is bytes.
pub trait Append {
    /// Puts it behind what there is.
    fn append_to(&self, payload: &mut Vec<u8>);
}

/// A shard's journal.
#[derive(Debug)]
pub struct Journal {
    pub(super) folder: PathBuf,
    pub(super) shard: usize,
    /// Of the node.
    pub(super) shards: usize,
    pub(super) generation: u64,
    pub(super) segment: u64,
    /// Of the segment's frames.
    pub(super) salt: u32,
    pub(super) file: Arc<File>,
    /// Where the next frame goes: everything before is whole.
    pub(super) end: u64,
    /// Up to where the disk has it, as far as it was waited for.
    pub(super) synced: u64,
    /// The frames behind `synced`, where the disk is waited for: after a failure they are written again.
    pub(super) unsynced: Vec<u8>,
    /// Whether waiting for the disk has failed. What is behind `synced` may be nowhere then, though it can be read: the system forgets
    /// pages that it could not write, and the next one who waits for them is told that all is well.
    pub(super) in_doubt: bool,
    /// Where `end` was after the segment's checkpoint.
    pub(super) checkpoint_end: u64,
    /// The file of the segment before, as long as it is needed: until the checkpoint of this one is complete.
    pub(super) before: Option<File>,
    /// The segment's file, as who lets the one before go waits for it: opened on its own, so that a failure that the turns' waiting is told
    /// of is told here, too. As long as `before`.
    pub(super) whole_file: Option<File>,
    /// Whether a turn is kept only when the disk has it.
    pub(super) sync: bool,
    /// A segment after this one that was made, may have stayed, and must not be taken for the newest.
    pub(super) undone: Option<PathBuf>,
    /// Room for when the disk has none.
    pub(super) reserve: Arc<Reserve>,
    /// Where it is said how far this is whole.
    pub(super) marks: Arc<Marks>,
    /// Segment and end that were said last, and when, in Unix milliseconds.
    marked: (u64, u64),
    pub(super) marked_at: u64,
    /// Whether it could not be said the last time.
    pub(super) unmarkable: bool,
    /// Bytes behind the checkpoint after which it is long.
    pub(crate) most: u64,
    /// The frame of the turn in progress, behind room for its header and wall time.
    pub(super) batch: Vec<u8>,
    /// Makes every append fail.
    #[cfg(test)]
    pub(crate) failing: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

/// Room for the frame's head and the turn's wall time.
pub(super) const BATCH_START: usize = frame::HEADER + 8;

/// Which segment: of which generation and shard, of how many.
#[derive(Debug, Clone)]
pub struct Place {
    pub generation: u64,
    pub shard: usize,
    pub shards: usize,
    pub segment: u64,
    /// The log's.
    pub reserve: Arc<Reserve>,
    /// The log's.
    pub marks: Arc<Marks>,
}

impl Journal {
    /// Starts a segment in `folder` with `checkpoint`, the entries of every session there is, and
    /// one behind them that says so. It has its name when the
    /// checkpoint is complete and on the disk. After an error there is nothing of it.
    pub fn create(
        folder: &Path,
        place: Place,
        sync: bool,
        checkpoint: impl Iterator<Item = impl Append>,
    ) -> io::Result<Self> {
        let path = segment::path(folder, place.shard, place.segment);
        let unfinished = segment::unfinished(&path);
        let begun = Self::begin(&unfinished, folder, place).and_then(|mut journal| {
            for entry in checkpoint {
                journal.push(&entry);
                if journal.batch.len() > limits::CHECKPOINT_FRAME_BYTES {
                    journal.put(0)?;
                }
            }
            // Without the reserve, which turns need.
            journal.put(0)?;
            journal.checkpoint_end = journal.end;
            disk::sync(&journal.file, &unfinished)?;
            disk::rename(&unfinished, &path)?;
            disk::sync_folder(folder)?;
            (journal.sync, journal.synced) = (sync, journal.end);
            Ok(journal)
        });
        begun.inspect_err(|_| {
            // What there is of it takes the room that turns need.
            let _ = disk::remove(&unfinished);
            let _ = disk::remove(&path);
        })
    }

    /// Whether it waits for the disk with every turn.
    pub const fn is_synced(&self) -> bool {
        self.sync
    }

    /// A segment without frames, in `file`.
    pub(super) fn begin(file: &Path, folder: &Path, place: Place) -> io::Result<Self> {
        let Place { generation, shard, shards, segment, reserve, marks } = place;
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(file)?;
        #[allow(clippy::cast_possible_truncation)] // Any bits do.
        let salt = Uuid::new_v4().as_u128() as u32;
        let heading = Heading { form: FORM, salt, shard: number(shard), shards: number(shards), generation, segment };
        file.write_all_at(&heading.bytes(), 0)?;
        Ok(Self {
            folder: folder.to_owned(),
            shard,
            shards,
            generation,
            segment,
            salt,
            file: Arc::new(file),
            end: HEADING as u64,
            synced: 0,
            unsynced: Vec::new(),
            in_doubt: false,
            checkpoint_end: 0,
            before: None,
            whole_file: None,
            sync: false,
            undone: None,
            reserve,
            marks,
            marked: (0, 0),
            marked_at: 0,
            unmarkable: false,
            most: limits::SEGMENT_BYTES,
            batch: vec![0; BATCH_START],
            #[cfg(test)]
            failing: std::sync::Arc::default(),
        })
    }

    /// The folder was renamed.
    pub fn moved_to(&mut self, folder: &Path) {
        folder.clone_into(&mut self.folder);
    }

    /// Adds `entry` to the turn in progress.
    pub fn push(&mut self, entry: &impl Append) {
        entry.append_to(&mut self.batch);
    }

    /// Whether the turn in progress has entries.
    pub fn has_batch(&self) -> bool {
        self.batch.len() > BATCH_START
    }

    /// Writes the turn's entries as one frame and returns its bytes. After an error nothing of the turn is in the log; the same
    /// call may be tried again, and nothing that the turn produced may be shown before one succeeds, and where turns wait for the disk, before
    /// the disk has been waited for.
    pub fn write(&mut self, wall_ms: u64) -> io::Result<u64> {
        #[cfg(test)]
        if self.failing.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(newer) = &self.undone {
            disk::remove(newer)?;
            disk::sync_folder(&self.folder)?;
            self.undone = None;
        }
        match self.put(wall_ms) {
            Err(error) if self.reserve.helps(&error) => self.put(wall_ms),
            written => written,
        }
    }

    /// Writes a turn, and waits for the disk if turns do.
    #[cfg(test)]
    pub fn append(&mut self, wall_ms: u64) -> io::Result<u64> {
        let bytes = if self.has_batch() { self.write(wall_ms)? } else { 0 };
        if self.sync {
            self.wait()?;
        }
        Ok(bytes)
    }

    /// Waits until the disk has every frame. After an error the same call may be tried again.
    pub fn wait(&mut self) -> io::Result<()> {
        match self.try_wait() {
            Err(error) if self.reserve.helps(&error) => self.try_wait(),
            waited => waited,
        }
    }

    /// What a wait before has left in doubt is written again first.
    fn try_wait(&mut self) -> io::Result<()> {
        if self.in_doubt {
            self.file.write_all_at(&self.unsynced, self.synced)?;
            self.file.write_all_at(&frame::end(self.salt), self.end)?;
        }
        let waited = self.waiting().wait();
        self.waited(self.end, waited.as_ref().err());
        waited
    }

    /// What waits for the disk to have the frames that are written, in whatever thread.
    pub fn waiting(&self) -> Waiting {
        #[cfg(test)]
        let path = segment::path(&self.folder, self.shard, self.segment);
        Waiting {
            file: Arc::clone(&self.file),
            end: self.end,
            #[cfg(test)]
            path,
        }
    }

    /// The disk was waited for when the frames ended at `end`, and has them, or there was this error.
    pub fn waited(&mut self, end: u64, error: Option<&io::Error>) {
        self.in_doubt = error.is_some();
        if !self.in_doubt {
            let behind = self.unsynced.len() - usize::try_from(self.end - end).unwrap_or(usize::MAX);
            self.unsynced.drain(..behind);
            self.synced = end;
        }
    }

    /// Whether waiting for the disk has failed, and has to be done again here.
    pub const fn is_in_doubt(&self) -> bool {
        self.in_doubt
    }

    /// Which shard's it is.
    pub const fn shard(&self) -> usize {
        self.shard
    }

    /// Writes what was pushed as a frame that nobody waits for: the disk may have it later than it has the log's other frames.
    pub(super) fn put(&mut self, wall_ms: u64) -> io::Result<u64> {
        let bytes = self.write_frame(wall_ms)?;
        if self.sync {
            self.unsynced.extend_from_slice(&self.batch);
        }
        self.end += bytes;
        self.batch.truncate(BATCH_START);
        Ok(bytes)
    }

    fn write_frame(&mut self, wall_ms: u64) -> io::Result<u64> {
        self.batch[frame::HEADER..BATCH_START].copy_from_slice(&wall_ms.to_le_bytes());
        frame::seal(&mut self.batch, self.salt);
        let length = self.batch.len();
        self.batch.extend_from_slice(&frame::end(self.salt));
        // Written at an offset: what a failed try left behind is overwritten by the next, and so is the end.
        let written = self.file.write_all_at(&self.batch, self.end);
        self.batch.truncate(length);
        written.map(|()| length as u64)
    }

    /// How far what is acknowledged goes. Where it waits for the disk, the disk has it.
    const fn whole(&self) -> u64 {
        if self.sync { self.synced } else { self.end }
    }

    /// Whether there are turns that the mark does not tell of.
    pub fn is_unmarked(&self) -> bool {
        self.marked != (self.segment, self.whole())
    }

    /// Marks how far the journal is whole, if there is more than the mark says, and it was written some time before `wall_ms`.
    pub fn mark_if_due(&mut self, wall_ms: u64) {
        if self.is_unmarked() && wall_ms.abs_diff(self.marked_at) >= limits::MARK_MS {
            self.marked_at = wall_ms;
            self.mark(self.sync);
        }
    }

    /// Marks how far the journal is whole, after it is. What cannot be marked is told once, and is tried again after the next turn: an
    /// older mark is right, too.
    pub fn mark(&mut self, on_disk: bool) {
        let end = self.whole();
        self.marked = (self.segment, end);
        let (generation, segment, salt) = (self.generation, self.segment, self.salt);
        let mark = Mark { generation, segment, end, boot: self.marks.boot(), salt, shard: number(self.shard), on_disk };
        match self.marks.put(&mark) {
            Ok(()) => self.unmarkable = false,
            Err(error) => {
                if !std::mem::replace(&mut self.unmarkable, true) {
                    tracing::error!(shard = self.shard, %error, "how far the log is whole cannot be marked; turns that are missing at the next start may not be noticed");
                }
            }
        }
    }

    /// Whether the segment has grown so long behind its checkpoint that another is worth beginning.
    pub fn is_long(&self) -> bool {
        self.before.is_none() && self.end > self.checkpoint_end + self.most
    }

    /// Room for when the disk has none.
    pub fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    /// Gives back the room that the largest turn needed.
    pub fn shrink(&mut self) {
        self.batch.shrink_to_fit();
        self.unsynced.shrink_to_fit();
    }

    /// Nothing more will be appended: waits until the disk has everything, and marks it.
    pub fn close(&mut self) -> io::Result<()> {
        let before = self.before.as_ref().map_or(Ok(()), File::sync_data);
        let synced = before.and_then(|()| self.wait()).and_then(|()| disk::sync_folder(&self.folder));
        self.mark(synced.is_ok());
        synced
    }
}

/// Waits for the disk.
#[derive(Debug)]
pub struct Waiting {
    file: Arc<File>,
    /// Where the frames end that it waits for.
    pub end: u64,
    #[cfg(test)]
    path: PathBuf,
}

impl Waiting {
    pub fn wait(&self) -> io::Result<()> {
        #[cfg(test)]
        disk::calls::note(disk::calls::Call::Turn, &self.path)?;
        self.file.sync_data()
    }
}

pub(super) fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
