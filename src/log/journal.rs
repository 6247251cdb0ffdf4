//! Writing the log of one shard: one append per turn.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::entry::{self, Entry, FRAME_HEADER, MAGIC};
use crate::limits;

/// A shard's journal.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    shard: usize,
    segment: u64,
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

/// Room for the frame's header and the turn's wall time.
const BATCH_START: usize = FRAME_HEADER + 8;

impl Journal {
    /// Starts segment `segment` of `shard` in `folder` with `checkpoint`, the entries of every session there is.
    pub fn create<'a>(
        folder: &Path,
        shard: usize,
        segment: u64,
        sync: bool,
        checkpoint: impl Iterator<Item = Entry<'a>>,
    ) -> io::Result<Self> {
        let path = path(folder, shard, segment);
        let unfinished = path.with_extension("new");
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&unfinished)?;
        file.write_all_at(MAGIC, 0)?;
        let mut journal = Self {
            folder: folder.to_owned(),
            shard,
            segment,
            file,
            end: MAGIC.len() as u64,
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
        if sync {
            journal.file.sync_data()?;
        }
        fs::rename(&unfinished, &path)?;
        if sync {
            File::open(folder)?.sync_data()?;
        }
        journal.checkpoint_end = journal.end;
        journal.sync = sync;
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
        self.batch[FRAME_HEADER..BATCH_START].copy_from_slice(&wall_ms.to_le_bytes());
        entry::seal(&mut self.batch);
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

    /// Goes on in a new segment that begins with `checkpoint`. The old one is removed; after an error it is still in use.
    pub fn rotate<'a>(&mut self, checkpoint: impl Iterator<Item = Entry<'a>>) -> io::Result<()> {
        debug_assert!(!self.has_batch(), "a segment ends between turns");
        let next = Self::create(&self.folder, self.shard, self.segment + 1, self.sync, checkpoint)?;
        let old = std::mem::replace(self, next);
        fs::remove_file(path(&old.folder, old.shard, old.segment))
    }

    /// Syncs what a checkpoint is going to refer to, where appends wait for the disk.
    pub fn sync_others(&self, sync: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        if self.sync { sync() } else { Ok(()) }
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

/// The file of a segment.
fn path(folder: &Path, shard: usize, segment: u64) -> PathBuf {
    folder.join(format!("{shard}-{segment}.journal"))
}
