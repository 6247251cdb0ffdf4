//! Writing the log of one shard: one append per turn.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread;

use uuid::Uuid;

use super::entry::{self, Entry};
use super::frame;
use super::segment::{self, HEADING, Heading};
use crate::limits;

/// A shard's journal.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    shard: usize,
    /// Of the node.
    shards: usize,
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
    /// The frame of the turn in progress, behind room for its header and wall time.
    batch: Vec<u8>,
    /// Makes every append fail.
    #[cfg(test)]
    pub(crate) failing: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

/// Room for the frame's head and the turn's wall time.
const BATCH_START: usize = frame::HEADER + 8;

/// Which segment: of which shard, of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub shard: usize,
    pub shards: usize,
    pub segment: u64,
}

impl Journal {
    /// Starts a segment in `folder` with `checkpoint`, the entries of every session there is. It has its name when the
    /// checkpoint is complete, and where `durable`, on the disk; after an error there is nothing of it.
    pub fn create<'a>(
        folder: &Path,
        place: Place,
        sync: bool,
        durable: bool,
        checkpoint: impl Iterator<Item = Entry<'a>>,
    ) -> io::Result<Self> {
        let path = segment::path(folder, place.shard, place.segment);
        let unfinished = path.with_extension("new");
        let begun = Self::begin(folder, &unfinished, place, checkpoint).and_then(|mut journal| {
            if durable {
                journal.file.sync_data()?;
            }
            fs::rename(&unfinished, &path)?;
            if durable {
                File::open(folder)?.sync_data()?;
            }
            journal.sync = sync;
            Ok(journal)
        });
        begun.inspect_err(|_| {
            // What there is of it takes the room that the old segment needs to grow on.
            let _ = fs::remove_file(&unfinished);
        })
    }

    fn begin<'a>(
        folder: &Path,
        file: &Path,
        place: Place,
        checkpoint: impl Iterator<Item = Entry<'a>>,
    ) -> io::Result<Self> {
        let Place { shard, shards, segment } = place;
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(file)?;
        #[allow(clippy::cast_possible_truncation)] // Any bits do.
        let salt = Uuid::new_v4().as_u128() as u32;
        let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let heading = Heading { salt, shard: number(shard), shards: number(shards) };
        file.write_all_at(&heading.bytes(), 0)?;
        let mut journal = Self {
            folder: folder.to_owned(),
            shard,
            shards,
            segment,
            salt,
            file,
            end: HEADING as u64,
            checkpoint_end: 0,
            sync: false,
            batch: vec![0; BATCH_START],
            #[cfg(test)]
            failing: std::sync::Arc::default(),
        };
        for entry in checkpoint {
            journal.push(&entry);
            if journal.batch.len() > limits::CHECKPOINT_FRAME_BYTES {
                journal.append(0)?;
            }
        }
        journal.push(&Entry::CheckpointEnd);
        journal.append(0)?;
        journal.checkpoint_end = journal.end;
        Ok(journal)
    }

    /// The folder was renamed.
    pub fn moved_to(&mut self, folder: &Path) {
        folder.clone_into(&mut self.folder);
    }

    /// Adds `entry` to the turn in progress.
    pub fn push(&mut self, entry: &Entry<'_>) {
        entry::push(entry, &mut self.batch);
    }

    /// Whether the turn in progress has entries.
    pub fn has_batch(&self) -> bool {
        self.batch.len() > BATCH_START
    }

    /// Writes the turn's entries as one frame and returns its bytes. After an error nothing of the turn is in the log; the same
    /// call may be tried again, and nothing that the turn produced may be shown before one succeeds.
    pub fn append(&mut self, wall_ms: u64) -> io::Result<u64> {
        self.batch[frame::HEADER..BATCH_START].copy_from_slice(&wall_ms.to_le_bytes());
        frame::seal(&mut self.batch, self.salt);
        #[cfg(test)]
        if self.failing.load(std::sync::atomic::Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // Written at an offset: what a failed try left behind is overwritten by the next.
        self.file.write_all_at(&self.batch, self.end)?;
        if self.sync {
            self.file.sync_data()?;
        }
        let bytes = self.batch.len() as u64;
        self.end += bytes;
        self.batch.truncate(BATCH_START);
        Ok(bytes)
    }

    /// Whether the segment has grown so long that a checkpoint is worth writing.
    pub fn is_long(&self) -> bool {
        self.end > self.checkpoint_end + limits::SEGMENT_BYTES
    }

    /// Lets the segment grow by another [`limits::SEGMENT_BYTES`] before it is long again.
    pub fn postpone(&mut self) {
        self.checkpoint_end = self.end;
    }

    /// Goes on in a new segment that begins with `checkpoint`. The old one is removed as soon as the new one is on the disk, which
    /// the shard waits for only where it waits for the disk at all; after an error the old one is still in use.
    ///
    /// `others` waits for the disk to have what the checkpoint refers to.
    pub fn rotate<'a>(
        &mut self,
        others: impl FnOnce() -> io::Result<()> + Send + 'static,
        checkpoint: impl Iterator<Item = Entry<'a>>,
    ) -> io::Result<()> {
        debug_assert!(!self.has_batch(), "a segment ends between turns");
        let place = Place { shard: self.shard, shards: self.shards, segment: self.segment + 1 };
        if self.sync {
            others()?;
            *self = Self::create(&self.folder, place, true, true, checkpoint)?;
            tell(self.shard, retire(&self.folder, self.shard, self.segment));
            return Ok(());
        }
        *self = Self::create(&self.folder, place, false, false, checkpoint)?;
        let (file, folder, shard, segment) = (self.file.try_clone(), self.folder.clone(), self.shard, self.segment);
        let retiring = move || {
            let synced = others().and_then(|()| file?.sync_data()).and_then(|()| File::open(&folder)?.sync_data());
            tell(shard, synced.and_then(|()| retire(&folder, shard, segment)));
        };
        tell(shard, thread::Builder::new().name(format!("log-{shard}")).spawn(retiring).map(drop));
        Ok(())
    }

    /// Gives back the room that the largest turn needed.
    pub fn shrink(&mut self) {
        self.batch.shrink_to_fit();
    }

    /// Waits until the disk has everything.
    pub fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// Removes the segments of a shard before this one, which is on the disk.
fn retire(folder: &Path, shard: usize, segment: u64) -> io::Result<()> {
    let segments = segment::all(folder)?.remove(&shard).unwrap_or_default();
    for (_, path) in segments.range(..segment) {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// An old segment that is still there does no harm but for its room.
fn tell(shard: usize, retired: io::Result<()>) {
    if let Err(error) = retired {
        tracing::error!(shard, %error, "an old segment of the log was not removed; the next checkpoint tries again");
    }
}
