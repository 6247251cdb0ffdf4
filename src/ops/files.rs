//! Who may read what the server writes: its own user. And whether a file is still the one that was read.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

/// Has every file and folder that this process makes from now on be its user's alone, whatever the shell that started it says.
pub fn keep_to_owner() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}

/// What of a file changes when its text does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    changed: SystemTime,
    length: u64,
    inode: u64,
}

impl Stamp {
    /// Of an open file, before it is read: what is written meanwhile has another one.
    pub fn of(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self { changed: metadata.modified()?, length: metadata.len(), inode: metadata.ino() })
    }
}
