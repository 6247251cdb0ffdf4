//! Writing the log of one shard: one append per turn.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use uuid::Uuid;

use super::marks::{Mark, Marks};
use super::reserve::Reserve;
use super::segment::{self, HEADING, Heading};
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
    folder: PathBuf,
    shard: usize,
    /// Of the node.
    shards: usize,
    generation: u64,
    segment: u64,
    /// Of the segment's frames.
    salt: u32,
    file: File,
    /// Where the next frame goes: everything before is whole.
    end: u64,
    /// Where `end` was after the segment's checkpoint.
    checkpoint_end: u64,
    /// Whether every append waits for the disk.
    sync: bool,
    /// A segment after this one that was made, may have stayed, and must not be taken for the newest.
    undone: Option<PathBuf>,
    /// Room for when the disk has none.
    reserve: Arc<Reserve>,
    /// Where it is said how far this is whole.
    marks: Arc<Marks>,
    /// Segment and end that were said last, and when, in Unix milliseconds.
    marked: (u64, u64),
    marked_at: u64,
    /// Whether it could not be said the last time.
    unmarkable: bool,
    /// Bytes behind the checkpoint after which it is long.
    pub(crate) most: u64,
    /// The frame of the turn in progress, behind room for its header and wall time.
    batch: Vec<u8>,
    /// Makes every append fail.
    #[cfg(test)]
    pub(crate) failing: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

/// Room for the frame's head and the turn's wall time.
const BATCH_START: usize = frame::HEADER + 8;

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
    /// Starts a segment in `folder` with `checkpoint`, the entries of every session there is, with one behind them that says so. It has its name when the
    /// checkpoint is complete, and where `durable`, on the disk; otherwise its name says that it may not be. After an error there
    /// is nothing of it.
    pub fn create(
        folder: &Path,
        place: Place,
        sync: bool,
        durable: bool,
        checkpoint: impl Iterator<Item = impl Append>,
    ) -> io::Result<Self> {
        let path = segment::path(folder, place.shard, place.segment);
        let unfinished = segment::unfinished(&path);
        let begun = Self::begin(folder, &unfinished, place, checkpoint).and_then(|mut journal| {
            if durable {
                disk::sync(&journal.file, &unfinished)?;
                disk::rename(&unfinished, &path)?;
                disk::sync_folder(folder)?;
            } else {
                disk::rename(&unfinished, &segment::begun(&path))?;
            }
            journal.sync = sync;
            Ok(journal)
        });
        begun.inspect_err(|_| {
            // What there is of it takes the room that the old segment needs to grow on.
            let _ = disk::remove(&unfinished);
            let _ = disk::remove(&path);
        })
    }

    fn begin(
        folder: &Path,
        file: &Path,
        place: Place,
        checkpoint: impl Iterator<Item = impl Append>,
    ) -> io::Result<Self> {
        let Place { generation, shard, shards, segment, reserve, marks } = place;
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(file)?;
        #[allow(clippy::cast_possible_truncation)] // Any bits do.
        let salt = Uuid::new_v4().as_u128() as u32;
        let heading = Heading { salt, shard: number(shard), shards: number(shards), generation, segment };
        file.write_all_at(&heading.bytes(), 0)?;
        let mut journal = Self {
            folder: folder.to_owned(),
            shard,
            shards,
            generation,
            segment,
            salt,
            file,
            end: HEADING as u64,
            checkpoint_end: 0,
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
        };
        for entry in checkpoint {
            journal.push(&entry);
            if journal.batch.len() > limits::CHECKPOINT_FRAME_BYTES {
                journal.write(0)?;
            }
        }
        // Without the reserve, which turns need.
        journal.write(0)?;
        journal.checkpoint_end = journal.end;
        Ok(journal)
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
    /// call may be tried again, and nothing that the turn produced may be shown before one succeeds.
    pub fn append(&mut self, wall_ms: u64) -> io::Result<u64> {
        #[cfg(test)]
        if self.failing.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if let Some(newer) = &self.undone {
            disk::remove(newer)?;
            disk::sync_folder(&self.folder)?;
            self.undone = None;
        }
        match self.write(wall_ms) {
            Err(error) if self.reserve.helps(&error) => self.write(wall_ms),
            written => written,
        }
    }

    fn write(&mut self, wall_ms: u64) -> io::Result<u64> {
        self.batch[frame::HEADER..BATCH_START].copy_from_slice(&wall_ms.to_le_bytes());
        frame::seal(&mut self.batch, self.salt);
        let length = self.batch.len();
        self.batch.extend_from_slice(&frame::end(self.salt));
        // Written at an offset: what a failed try left behind is overwritten by the next, and so is the end.
        let written = self.file.write_all_at(&self.batch, self.end);
        self.batch.truncate(length);
        written?;
        if self.sync {
            self.file.sync_data()?;
        }
        let bytes = length as u64;
        self.end += bytes;
        self.batch.truncate(BATCH_START);
        Ok(bytes)
    }

    /// Whether there are turns that the mark does not tell of.
    pub fn is_unmarked(&self) -> bool {
        self.marked != (self.segment, self.end)
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
        self.marked = (self.segment, self.end);
        let (generation, segment, end, salt) = (self.generation, self.segment, self.end, self.salt);
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

    /// Whether the segment has grown so long that a checkpoint is worth writing.
    pub fn is_long(&self) -> bool {
        self.end > self.checkpoint_end + self.most
    }

    /// Room for when the disk has none.
    pub fn reserve(&self) -> &Reserve {
        &self.reserve
    }

    /// Goes on in a new segment that begins with `checkpoint`. The old one is removed as soon as the new one is on the disk, which
    /// the shard waits for only where it waits for the disk at all; after an error the old one is still in use.
    ///
    /// `others` waits for the disk to have what the checkpoint refers to.
    pub fn rotate(
        &mut self,
        others: impl FnOnce() -> io::Result<()> + Send + 'static,
        checkpoint: impl Iterator<Item = impl Append>,
    ) -> io::Result<()> {
        if self.sync {
            others()?;
            self.go_on(checkpoint)?;
            tell(self.shard, retire(&self.folder, self.shard, self.segment));
            return Ok(());
        }
        self.go_on(checkpoint)?;
        let (shard, segment) = (self.shard, self.segment);
        let path = segment::path(&self.folder, shard, segment);
        let (file, folder) = (self.file.try_clone(), self.folder.clone());
        let retiring = move || {
            let synced = others().and_then(|()| {
                disk::sync(&file?, &path)?;
                match disk::rename(&segment::begun(&path), &path) {
                    // One after it was faster.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    renamed => renamed.and_then(|()| disk::sync_folder(&folder)),
                }
            });
            tell(shard, synced.and_then(|()| retire(&folder, shard, segment)));
        };
        tell(shard, thread::Builder::new().name(format!("log-{shard}")).spawn(retiring).map(drop));
        Ok(())
    }

    /// Becomes the next segment, or stays as it is.
    fn go_on(&mut self, checkpoint: impl Iterator<Item = impl Append>) -> io::Result<()> {
        debug_assert!(!self.has_batch(), "a segment ends between turns");
        let (shard, shards, segment, most) = (self.shard, self.shards, self.segment + 1, self.most);
        let (reserve, marks) = (Arc::clone(&self.reserve), Arc::clone(&self.marks));
        let place = Place { generation: self.generation, shard, shards, segment, reserve, marks };
        let new = Self::create(&self.folder, place, self.sync, self.sync, checkpoint).inspect_err(|_| {
            let path = segment::path(&self.folder, shard, segment);
            // Unless it is known not to be there.
            self.undone = (!path.try_exists().is_ok_and(|there| !there)).then_some(path);
        })?;
        #[cfg(test)]
        let new = Self { failing: Arc::clone(&self.failing), ..new };
        *self = Self { most, marked_at: self.marked_at, unmarkable: self.unmarkable, ..new };
        self.mark(self.sync);
        Ok(())
    }

    /// Gives back the room that the largest turn needed.
    pub fn shrink(&mut self) {
        self.batch.shrink_to_fit();
    }

    /// Nothing more will be appended: waits until the disk has everything, and marks it.
    pub fn close(&mut self) -> io::Result<()> {
        let synced = self.file.sync_data().and_then(|()| disk::sync_folder(&self.folder));
        self.mark(synced.is_ok());
        synced
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Removes the segments of a shard before this one, which is on the disk.
fn retire(folder: &Path, shard: usize, segment: u64) -> io::Result<()> {
    let segments = segment::all(folder)?.remove(&shard).unwrap_or_default();
    for (_, path) in segments.range(..segment) {
        disk::remove(path)?;
    }
    Ok(())
}

/// An old segment that is still there does no harm but for its room.
fn tell(shard: usize, retired: io::Result<()>) {
    if let Err(error) = retired {
        tracing::error!(shard, %error, "an old segment of the log was not removed; the next checkpoint tries again");
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
