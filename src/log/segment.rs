//! A segment's file: its name, and what is said at its beginning.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// First bytes of every segment, with the version of its form.
pub const MAGIC: &[u8; 12] = b"tiltyard\x04\0\0\0";

/// How much of [`MAGIC`] is the name; the form's number follows.
pub const MAGIC_NAME: usize = 8;

/// Bytes before the first frame.
pub const HEADING: usize = MAGIC.len() + 16;

/// What a segment begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// Of its frames: drawn for the segment, so that what another file has left on the disk is not taken for a part of it.
    pub salt: u32,
    pub shard: u32,
    /// How many there are: so many segments make a generation.
    pub shards: u32,
}

/// Why a file is not taken for a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoSegment {
    #[error("not a journal")]
    NoJournal,
    #[error("a journal of form {0}")]
    Version(u8),
    #[error("the heading is damaged, or cut off")]
    Damaged,
}

impl Heading {
    pub fn bytes(&self) -> [u8; HEADING] {
        let mut bytes = [0; HEADING];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        for (place, word) in [self.salt, self.shard, self.shards].into_iter().enumerate() {
            let at = MAGIC.len() + 4 * place;
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        let check = crc32fast::hash(&bytes[..HEADING - 4]);
        bytes[HEADING - 4..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The heading of a segment, and what follows it.
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), NoSegment> {
        let form = bytes.strip_prefix(&MAGIC[..MAGIC_NAME]).ok_or(NoSegment::NoJournal)?;
        if let Some(&other) = form.first().filter(|&&form| form != MAGIC[MAGIC_NAME]) {
            return Err(NoSegment::Version(other));
        }
        let Some((heading, rest)) = bytes.split_first_chunk::<HEADING>() else { return Err(NoSegment::Damaged) };
        let word = |at: usize| u32::from_le_bytes([heading[at], heading[at + 1], heading[at + 2], heading[at + 3]]);
        if crc32fast::hash(&heading[..HEADING - 4]) != word(HEADING - 4) {
            return Err(NoSegment::Damaged);
        }
        let at = MAGIC.len();
        Ok((Self { salt: word(at), shard: word(at + 4), shards: word(at + 8) }, rest))
    }
}

/// The file of a segment.
pub fn path(folder: &Path, shard: usize, segment: u64) -> PathBuf {
    folder.join(format!("{shard}-{segment}.journal"))
}

/// The segments in `folder`, those of each shard by number.
pub fn all(folder: &Path) -> io::Result<BTreeMap<usize, BTreeMap<u64, PathBuf>>> {
    let mut found: BTreeMap<usize, BTreeMap<u64, PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".journal")?.split_once('-'));
        if let Some((Ok(shard), Ok(segment))) = name.map(|(shard, segment)| (shard.parse(), segment.parse())) {
            found.entry(shard).or_default().insert(segment, path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{HEADING, Heading, MAGIC, NoSegment};

    #[test]
    fn a_heading_comes_back_and_no_flip_and_no_cut_of_it_does() {
        let heading = Heading { salt: 7, shard: 1, shards: 3 };
        let bytes = heading.bytes();
        assert_eq!(Heading::read(&[&bytes[..], &[9]].concat()), Ok((heading, &[9][..])));
        for bit in 0..HEADING * 8 {
            let mut bad = bytes;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(Heading::read(&bad).is_err(), "bit {bit}");
        }
        for cut in 0..HEADING {
            assert!(Heading::read(&bytes[..cut]).is_err(), "cut at {cut}");
        }
        let mut other = bytes;
        other[8] = MAGIC[8] + 1;
        assert_eq!(Heading::read(&other), Err(NoSegment::Version(MAGIC[8] + 1)));
    }
}
