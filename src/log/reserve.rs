//! Room on the disk that is kept for the log: a file that is given up when a turn finds none, so that fights go on while there is
//! time to make some.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{FallocateFlags, fallocate, fstatvfs};

use crate::limits;

/// The reserve of a node's log, which its shards share.
#[derive(Debug)]
pub struct Reserve {
    path: PathBuf,
    held: AtomicBool,
    /// Bytes it should have.
    bytes: u64,
}

impl Reserve {
    /// That of the log in `root`, as far as a start before has taken it.
    pub fn of(root: &Path) -> Self {
        Self::with(root, limits::LOG_RESERVE_BYTES)
    }

    pub(super) fn with(root: &Path, bytes: u64) -> Self {
        let path = root.join("reserve");
        let held = fs::metadata(&path).is_ok_and(|file| file.is_file() && file.len() > 0);
        Self { path, held: AtomicBool::new(held), bytes }
    }

    /// Whether there is room kept.
    pub fn is_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// Takes the room, where it is not taken and many times as much is free; a disk too small for that, or a file system that keeps
    /// no room, has no reserve.
    pub fn take(&self) {
        if self.is_held() {
            return;
        }
        match self.allocate() {
            Ok(held) => self.held.store(held, Ordering::Relaxed),
            Err(error) => {
                tracing::debug!(%error, "no room is kept for the log");
                // Where there is nothing of it there is nothing to remove.
                let _ = fs::remove_file(&self.path);
            }
        }
    }

    fn allocate(&self) -> io::Result<bool> {
        let file = OpenOptions::new().create(true).truncate(true).write(true).open(&self.path)?;
        let disk = fstatvfs(&file)?;
        if disk.f_bavail.saturating_mul(disk.f_frsize) < self.bytes.saturating_mul(limits::LOG_RESERVE_OF) {
            fs::remove_file(&self.path)?;
            return Ok(false);
        }
        fallocate(&file, FallocateFlags::empty(), 0, self.bytes)?;
        Ok(true)
    }

    /// Gives the room up, if there is no more and that is why something failed; whether there was any.
    pub fn helps(&self, error: &io::Error) -> bool {
        let full = matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let given = full && self.held.swap(false, Ordering::Relaxed);
        if given {
            if let Err(error) = fs::remove_file(&self.path) {
                tracing::error!(%error, path = %self.path.display(), "the room kept for the log cannot be given up");
                return false;
            }
            tracing::error!(bytes = self.bytes, "the disk is full: the room that was kept for the log is given up");
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::Reserve;

    #[test]
    fn room_is_kept_until_there_is_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let reserve = Reserve::with(folder.path(), 4_096);
        assert!(!reserve.is_held() && !reserve.helps(&io::ErrorKind::StorageFull.into()));
        reserve.take();
        assert!(reserve.is_held());
        assert_eq!(std::fs::metadata(folder.path().join("reserve")).unwrap().len(), 4_096);
        assert!(Reserve::with(folder.path(), 4_096).is_held(), "after a restart, too");
        assert!(!reserve.helps(&io::ErrorKind::TimedOut.into()) && reserve.is_held(), "room is no help there");
        assert!(reserve.helps(&io::ErrorKind::StorageFull.into()));
        assert!(!folder.path().join("reserve").exists() && !reserve.is_held());
        assert!(!reserve.helps(&io::ErrorKind::StorageFull.into()), "once");
        // More than there can be.
        let reserve = Reserve::with(folder.path(), 1 << 60);
        reserve.take();
        assert!(!reserve.is_held() && !folder.path().join("reserve").exists());
    }
}
