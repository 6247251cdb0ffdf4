//! How many commits were acknowledged, in a file beside the embedded store: a store that has had fewer is one that has lost some,
//! or one from before. `magic 8 | store's id 16 | commits u64 | crc32 u32`, little-endian, overwritten after each commit.
//!
//! It is written after the commit and not synced, so after a loss of power it may be behind: then fewer are known to be missing than
//! are. What was in them it cannot tell, and not that a store from before is one where both were taken back together.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::private;

const MAGIC: &[u8; 8] = b"tyardcmt";
const BYTES: usize = 36;

/// The file, open to be written.
#[derive(Debug)]
pub struct Counter {
    file: File,
    store: [u8; 16],
}

/// What the file said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// There was none.
    Nothing,
    Commits(u64),
    /// It counts for another store.
    Other,
    Damaged,
}

impl Counter {
    /// The counter at `path` of the store with this id.
    pub fn open(path: &Path, store: [u8; 16]) -> io::Result<(Self, Counted)> {
        let file = private::open(path)?;
        let counter = Self { file, store };
        let told = counter.read()?;
        Ok((counter, told))
    }

    /// What the file at `path` says, which is left as it is.
    pub fn look(path: &Path, store: [u8; 16]) -> io::Result<Counted> {
        match File::open(path) {
            Ok(file) => Self { file, store }.read(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Counted::Nothing),
            Err(error) => Err(error),
        }
    }

    /// How many the file at `path` counts, of whichever store; 0 where nothing says so.
    pub fn of_any(path: &Path) -> io::Result<u64> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            read => read?,
        };
        let store = bytes.get(8..24).and_then(|id| id.try_into().ok());
        let Some(store) = store else { return Ok(0) };
        Ok(match (Self { file: File::open(path)?, store }).read()? {
            Counted::Commits(commits) => commits,
            Counted::Nothing | Counted::Other | Counted::Damaged => 0,
        })
    }

    /// The id of the store that it counts for.
    pub const fn store(&self) -> [u8; 16] {
        self.store
    }

    fn read(&self) -> io::Result<Counted> {
        let length = self.file.metadata()?.len();
        if length == 0 {
            return Ok(Counted::Nothing);
        }
        let mut bytes = [0; BYTES];
        if length != BYTES as u64 {
            return Ok(Counted::Damaged);
        }
        self.file.read_exact_at(&mut bytes, 0)?;
        let (text, sum) = bytes.split_at(BYTES - 4);
        if crc32fast::hash(text).to_le_bytes() != sum || !text.starts_with(MAGIC) {
            return Ok(Counted::Damaged);
        }
        if text[8..24] != self.store {
            return Ok(Counted::Other);
        }
        let commits = text[24..].try_into().map(u64::from_le_bytes).expect("eight bytes are left");
        Ok(Counted::Commits(commits))
    }

    /// So many have been acknowledged.
    pub fn write(&self, commits: u64) -> io::Result<()> {
        let mut bytes = [0; BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..24].copy_from_slice(&self.store);
        bytes[24..32].copy_from_slice(&commits.to_le_bytes());
        let sum = crc32fast::hash(&bytes[..32]);
        bytes[32..].copy_from_slice(&sum.to_le_bytes());
        self.file.write_all_at(&bytes, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES, Counted, Counter};
    use std::fs;

    #[test]
    fn it_counts_for_one_store_and_no_flip_of_it_is_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.commits");
        let open = |store| Counter::open(&path, [store; 16]).unwrap();
        let (counter, told) = open(1);
        assert_eq!(told, Counted::Nothing);
        counter.write(77).unwrap();
        assert_eq!((open(1).1, open(2).1), (Counted::Commits(77), Counted::Other));
        assert_eq!(Counter::of_any(&path).unwrap(), 77);
        assert_eq!(Counter::of_any(&folder.path().join("none")).unwrap(), 0);
        let whole = fs::read(&path).unwrap();
        for bit in 0..BYTES * 8 {
            let mut bad = whole.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, bad).unwrap();
            assert_eq!(open(1).1, Counted::Damaged, "bit {bit}");
        }
        fs::write(&path, &whole[..9]).unwrap();
        assert_eq!(open(1).1, Counted::Damaged);
    }
}
