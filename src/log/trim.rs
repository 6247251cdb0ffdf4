//! Going on in the next segment, and letting the one before go. The new one is used at once; its checkpoint, a snapshot of every session
//! there was when it was begun, is written between its turns, a part at a time. Up to then both segments are needed, and a start reads
//! them in order ([`crate::shard::recovery`]).

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use super::journal::{Append, BATCH_START, Journal, Place};
use super::{disk, frame, segment};

impl Journal {
    /// Goes on in a new segment, with nothing in it but what it goes on from, as `follows` says it of the salt and the
    /// end of the one before; turns are appended there from now on. After an error the old one is still in use.
    pub fn begin_segment<E: Append>(&mut self, follows: impl FnOnce(u32, u64) -> E) -> io::Result<()> {
        debug_assert!(
            !self.has_batch() && self.before.is_none(),
            "a segment ends between turns, behind its checkpoint"
        );
        if self.sync && self.synced < self.end {
            // The new one says where this one ends, so the disk has it to there.
            self.wait()?;
        }
        let path = segment::path(&self.folder, self.shard, self.segment + 1);
        let (unfinished, begun) = (segment::unfinished(&path), segment::begun(&path));
        let new = self.next_segment(&unfinished, &follows(self.salt, self.end)).and_then(|new| {
            if self.sync {
                disk::sync(&new.file, &unfinished)?;
            }
            disk::rename(&unfinished, &begun)?;
            if self.sync {
                disk::sync_folder(&self.folder)?;
            }
            Ok(new)
        });
        let new = new.inspect_err(|_| {
            // What there is of it takes the room that the old segment needs to grow on.
            let _ = disk::remove(&unfinished);
            let _ = disk::remove(&begun);
            // Unless it is known not to be there.
            self.undone = (!begun.try_exists().is_ok_and(|there| !there)).then_some(begun);
        })?;
        *self = new;
        self.mark(self.sync);
        Ok(())
    }

    fn next_segment(&self, unfinished: &Path, follows: &impl Append) -> io::Result<Self> {
        let (shard, shards, generation, segment) = (self.shard, self.shards, self.generation, self.segment + 1);
        let (reserve, marks) = (Arc::clone(&self.reserve), Arc::clone(&self.marks));
        let place = Place { generation, shard, shards, segment, reserve, marks };
        let mut new = Self::begin(unfinished, &self.folder, place)?;
        new.push(follows);
        // Without the reserve, which turns need.
        new.put(0)?;
        (new.before, new.synced, new.sync) = (Some(self.file.try_clone()?), new.end, self.sync);
        new.whole_file = Some(File::open(unfinished)?);
        (new.most, new.marked_at, new.unmarkable) = (self.most, self.marked_at, self.unmarkable);
        #[cfg(test)]
        {
            new.failing = Arc::clone(&self.failing);
        }
        Ok(new)
    }

    /// Whether its checkpoint is not complete yet.
    pub const fn is_incomplete(&self) -> bool {
        self.before.is_some()
    }

    /// Bytes that were pushed since the last frame.
    pub const fn pushed(&self) -> usize {
        self.batch.len() - BATCH_START
    }

    /// Writes the snapshots that were pushed since the turn was appended: a part of the checkpoint. After an error nothing of them is in
    /// the log, and they have to be pushed again some time.
    pub fn write_part(&mut self) -> io::Result<u64> {
        self.put(0).inspect_err(|_| {
            self.batch.truncate(BATCH_START);
            // The room that it has taken is a turn's. Where the end cannot be marked again the next turn does.
            let end = frame::end(self.salt);
            let _ = self.file.set_len(self.end).and_then(|()| self.file.write_all_at(&end, self.end));
        })
    }

    /// The snapshot of every session is written, and `end` says so: the segment before, and all others, are removed as soon as this one is on the
    /// disk, which the shard does not wait for. After an error they are still needed.
    ///
    /// `others` waits for the disk to have what the checkpoint refers to.
    pub fn complete(
        &mut self,
        end: &impl Append,
        others: impl FnOnce() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        debug_assert!(!self.has_batch(), "the end of a checkpoint has a frame of its own");
        self.push(end);
        self.write_part()?;
        self.checkpoint_end = self.end;
        let (shard, segment, before, file) = (self.shard, self.segment, self.before.take(), self.whole_file.take());
        let (path, path_before) =
            (segment::path(&self.folder, shard, segment), segment::path(&self.folder, shard, segment - 1));
        let folder = self.folder.clone();
        let retiring = move || {
            let synced = others().and_then(|()| {
                // In their order: a loss of power leaves no turn without those before it.
                before.map_or(Ok(()), |before| disk::sync(&before, &path_before))?;
                file.map_or(Ok(()), |file| disk::sync(&file, &path))?;
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
