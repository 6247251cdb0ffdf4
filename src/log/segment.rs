//! A segment's file: its name, and what is said at its beginning.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// First bytes of every segment, with the version of its form.
pub const MAGIC: &[u8; 12] = b"tiltyard\x08\0\0\0";

/// How much of [`MAGIC`] is the name; the form's number follows.
pub const MAGIC_NAME: usize = 8;

/// The form that is written.
pub const FORM: u8 = MAGIC[MAGIC_NAME];

/// The one before, which is read: a start carries it over into a generation of [`FORM`].
pub const FORM_BEFORE: u8 = 7;

/// Bytes before the first frame.
pub const HEADING: usize = MAGIC.len() + 32;

/// What a segment begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// [`FORM`] or [`FORM_BEFORE`].
    pub form: u8,
    /// Of its frames: drawn for the segment, so that what another file has left on the disk is not taken for a part of it.
    pub salt: u32,
    pub shard: u32,
    /// How many there are: so many segments make a generation.
    pub shards: u32,
    /// That it is of, and which one it is there: a copy of another is not taken for it.
    pub generation: u64,
    pub segment: u64,
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
    #[error("it says that it is segment {segment} of shard {shard} in generation {generation}")]
    Elsewhere { generation: u64, shard: u32, segment: u64 },
    #[error("another journal of the same name than the one that turns were appended to")]
    Another,
}

impl Heading {
    pub fn bytes(&self) -> [u8; HEADING] {
        let mut bytes = [0; HEADING];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[MAGIC_NAME] = self.form;
        for (place, word) in [self.salt, self.shard, self.shards].into_iter().enumerate() {
            let at = MAGIC.len() + 4 * place;
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
        for (place, number) in [self.generation, self.segment].into_iter().enumerate() {
            let at = MAGIC.len() + 12 + 8 * place;
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        let check = crc32fast::hash(&bytes[..HEADING - 4]);
        bytes[HEADING - 4..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// The salt that a heading says, damaged or not.
    pub fn salt_said(heading: &[u8; HEADING]) -> u32 {
        let at = MAGIC.len();
        u32::from_le_bytes([heading[at], heading[at + 1], heading[at + 2], heading[at + 3]])
    }

    /// The heading of a segment, and what follows it.
    pub fn read(bytes: &[u8]) -> Result<(Self, &[u8]), NoSegment> {
        let form = bytes.strip_prefix(&MAGIC[..MAGIC_NAME]).ok_or(NoSegment::NoJournal)?.first().copied();
        let other = form.filter(|form| ![FORM, FORM_BEFORE].contains(form));
        let Some((heading, rest)) = bytes.split_first_chunk::<HEADING>() else {
            return Err(other.map_or(NoSegment::Damaged, NoSegment::Version));
        };
        let word = |at: usize| u32::from_le_bytes([heading[at], heading[at + 1], heading[at + 2], heading[at + 3]]);
        let is_whole_as = |form: u8| {
            let mut heading = *heading;
            heading[MAGIC_NAME] = form;
            crc32fast::hash(&heading[..HEADING - 4]) == word(HEADING - 4)
        };
        let form = heading[MAGIC_NAME];
        match other {
            // Only the form's number is another: it was changed on the disk.
            Some(_) if is_whole_as(FORM) || is_whole_as(FORM_BEFORE) => return Err(NoSegment::Damaged),
            Some(other) => return Err(NoSegment::Version(other)),
            None if !is_whole_as(form) => return Err(NoSegment::Damaged),
            None => {}
        }
        let at = MAGIC.len();
        let number = |at: usize| u64::from(word(at + 4)) << 32 | u64::from(word(at));
        let (generation, segment) = (number(at + 12), number(at + 20));
        Ok((Self { form, salt: word(at), shard: word(at + 4), shards: word(at + 8), generation, segment }, rest))
    }

    /// The same of the segment at `path`, which has to be the one that its name and its folder's say.
    pub fn read_at<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Self, &'a [u8]), NoSegment> {
        let (heading, rest) = Self::read(bytes)?;
        let Self { shard, shards, generation, segment, .. } = heading;
        let here = named(path).is_some_and(|(of, number, _)| (of, number) == (shard as usize, segment));
        let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
        if here && shard < shards && folder.is_some_and(|folder| folder == generation.to_string()) {
            Ok((heading, rest))
        } else {
            Err(NoSegment::Elsewhere { generation, shard, segment })
        }
    }
}

/// What a segment's name ends with.
const ENDING: &str = "journal";

/// The same while the disk may not have its checkpoint yet: the segment before it is still there.
const BEGUN: &str = "begun";

/// The same while it is being written.
const UNFINISHED: &str = "new";

/// The file of a segment.
pub fn path(folder: &Path, shard: usize, segment: u64) -> PathBuf {
    folder.join(format!("{shard}-{segment}.{ENDING}"))
}

/// Its name as long as the disk may not have its checkpoint.
pub fn begun(path: &Path) -> PathBuf {
    path.with_extension(BEGUN)
}

/// Its name before it is complete.
pub fn unfinished(path: &Path) -> PathBuf {
    path.with_extension(UNFINISHED)
}

/// Whether the disk may never have had all of its checkpoint.
pub fn is_begun(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == BEGUN)
}

/// Shard and segment of a file, complete or not; `None` where the name is none that a segment is given.
fn named(path: &Path) -> Option<(usize, u64, &str)> {
    let name = path.file_name()?.to_str()?;
    let (stem, ending) = name.rsplit_once('.')?;
    let (shard, segment) = stem.split_once('-')?;
    let (shard, segment) = (shard.parse().ok()?, segment.parse().ok()?);
    let ours = matches!(ending, ENDING | BEGUN | UNFINISHED) && stem == format!("{shard}-{segment}");
    ours.then_some((shard, segment, ending))
}

/// The shard that a file is of, by its name.
pub fn shard(path: &Path) -> Option<usize> {
    named(path).map(|(shard, ..)| shard)
}

/// Whether a file is a segment's, by its name: everything else is somebody else's.
pub fn is_own(path: &Path) -> bool {
    named(path).is_some()
}

/// The segments in `folder`, those of each shard by number.
pub fn all(folder: &Path) -> io::Result<BTreeMap<usize, BTreeMap<u64, PathBuf>>> {
    let mut found: BTreeMap<usize, BTreeMap<u64, PathBuf>> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if let Some((shard, segment, ending)) = named(&path)
            && ending != UNFINISHED
        {
            found.entry(shard).or_default().insert(segment, path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{FORM, FORM_BEFORE, HEADING, Heading, MAGIC, NoSegment, is_own};

    #[test]
    fn a_heading_comes_back_and_no_flip_and_no_cut_of_it_does() {
        let mut bytes = [0; HEADING];
        for form in [FORM_BEFORE, FORM] {
            let heading = Heading { form, salt: 7, shard: 1, shards: 3, generation: 4, segment: 5 };
            bytes = heading.bytes();
            assert_eq!(Heading::read(&[&bytes[..], &[9]].concat()), Ok((heading, &[9][..])));
            for bit in 0..HEADING * 8 {
                let mut bad = bytes;
                bad[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(
                    Heading::read(&bad).err(),
                    Some(if bit < 64 { NoSegment::NoJournal } else { NoSegment::Damaged }),
                    "bit {bit}"
                );
            }
            for cut in 0..HEADING {
                assert!(Heading::read(&bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
        // Another form is another heading, and not one of ours with a bit flipped.
        let mut other = bytes;
        other[8] = MAGIC[8] + 1;
        assert_eq!(Heading::read(&other), Err(NoSegment::Damaged));
        other[HEADING - 1] ^= 1;
        assert_eq!(Heading::read(&other), Err(NoSegment::Version(MAGIC[8] + 1)));
    }

    #[test]
    fn a_segment_is_that_of_its_name_and_its_folder() {
        let heading = Heading { form: FORM, salt: 7, shard: 1, shards: 3, generation: u64::MAX, segment: 1 << 40 };
        let (generation, segment) = (heading.generation, heading.segment);
        let at =
            |heading: Heading, path: &str| Heading::read_at(Path::new(path), &heading.bytes()).map(|(read, _)| read);
        for ending in ["journal", "begun"] {
            assert_eq!(at(heading, &format!("log/{generation}/1-{segment}.{ending}")), Ok(heading));
        }
        let elsewhere = NoSegment::Elsewhere { generation, shard: 1, segment };
        for path in ["log/7/1-1099511627776.journal", "log/18446744073709551615/0-1099511627776.journal"] {
            assert_eq!(at(heading, path), Err(elsewhere), "{path}");
        }
        assert_eq!(at(heading, "log/18446744073709551615/1-1.journal"), Err(elsewhere));
        assert!(at(Heading { shards: 1, ..heading }, &format!("log/{generation}/1-{segment}.journal")).is_err());
    }

    #[test]
    fn only_names_that_a_segment_is_given_are_taken_for_one() {
        for name in ["0-1.journal", "12-345.begun", "0-1.new"] {
            assert!(is_own(Path::new(name)), "{name}");
        }
        for name in ["0-1.journal.bak", "00-1.journal", "+0-1.journal", "0-1", "notes.new", "0.journal", "a-1.journal"]
        {
            assert!(!is_own(Path::new(name)), "{name}");
        }
    }
}
