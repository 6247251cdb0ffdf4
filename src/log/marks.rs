//! Marks: how far each shard's journal is known to be whole, in a file beside the log. A journal that a mark says more of than there is
//! has lost turns that were acknowledged, be it whole in itself: an older copy of it, or one that was cut off between two turns.
//!
//! A mark is written after what it tells of, never before, and not with every turn: it is behind for some milliseconds
//! ([`limits::MARK_MS`]) while there are turns. It is in the place of its shard, [`MARK`] bytes that share no page with others.
//!
//! [`limits::MARK_MS`]: crate::limits::MARK_MS

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use uuid::Uuid;

use super::segment::Heading;

/// The file's name in the log's folder.
const FILE: &str = "marks";

/// Bytes of a mark.
pub const MARK: usize = 64;

/// First bytes of a mark, with the version of its form.
const MAGIC: &[u8; 8] = b"tilt-mk\x01";

/// Where the kernel says which boot this is.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// How far a journal is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub generation: u64,
    pub segment: u64,
    /// Where its whole frames ended.
    pub end: u64,
    /// Of the system that wrote it; nil where it does not say.
    pub boot: Uuid,
    /// Of the segment: another one with its name is not it.
    pub salt: u32,
    pub shard: u32,
    /// Whether the disk had all of it. Otherwise a loss of power may have taken some.
    pub on_disk: bool,
}

impl Mark {
    pub fn bytes(&self) -> [u8; MARK] {
        let mut bytes = [0; MARK];
        bytes[..8].copy_from_slice(MAGIC);
        for (at, number) in [(8, self.generation), (16, self.segment), (24, self.end)] {
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
        }
        bytes[32..48].copy_from_slice(self.boot.as_bytes());
        for (at, number) in [(48, self.salt), (52, self.shard), (56, u32::from(self.on_disk))] {
            bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        }
        let check = crc32fast::hash(&bytes[..MARK - 4]);
        bytes[MARK - 4..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    /// A mark, if it is one and unchanged.
    pub fn read(bytes: &[u8; MARK]) -> Option<Self> {
        let word = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let number = |at: usize| u64::from(word(at + 4)) << 32 | u64::from(word(at));
        let whole = bytes.starts_with(MAGIC) && crc32fast::hash(&bytes[..MARK - 4]) == word(MARK - 4);
        let boot = Uuid::from_slice(&bytes[32..48]).ok()?;
        let (generation, segment, end) = (number(8), number(16), number(24));
        whole.then(|| Self { generation, segment, end, boot, salt: word(48), shard: word(52), on_disk: word(56) != 0 })
    }

    /// Where the mark of a shard is.
    fn place(shard: u32) -> u64 {
        u64::from(shard) * MARK as u64
    }
}

/// The file of marks, being written by the shards, each its own.
#[derive(Debug)]
pub struct Marks {
    path: PathBuf,
    boot: Uuid,
    /// As soon as it could be opened.
    file: OnceLock<File>,
}

impl Marks {
    /// Those of the log in `root`. Nothing is done before the first is put.
    pub fn of(root: &Path) -> Self {
        Self { path: root.join(FILE), boot: boot(), file: OnceLock::new() }
    }

    /// Which boot of the system this is; nil where it does not say.
    pub const fn boot(&self) -> Uuid {
        self.boot
    }

    /// Takes the place of the mark of the shard.
    pub fn put(&self, mark: &Mark) -> io::Result<()> {
        let file = if let Some(file) = self.file.get() {
            file
        } else {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
            self.file.get_or_init(|| file)
        };
        file.write_all_at(&mark.bytes(), Mark::place(mark.shard))
    }
}

fn boot() -> Uuid {
    fs::read_to_string(BOOT).ok().and_then(|id| id.trim_end().parse().ok()).unwrap_or_default()
}

/// The marks that a start finds.
#[derive(Debug)]
pub struct Marked {
    boot: Uuid,
    by_shard: BTreeMap<u32, Mark>,
    /// Why some of the file, or all of it, was not read.
    pub damage: Option<String>,
}

/// What a journal has not, and its mark says that it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// Segment and end of what is there.
    pub there: (u64, u64),
    /// Segment and end of what was.
    pub marked: (u64, u64),
    /// Whether a loss of power takes as much: the disk never had it, and the system was started anew.
    pub by_power: bool,
}

impl Missing {
    /// Bytes that are missing; at least so many where a whole segment is.
    pub const fn bytes(&self) -> u64 {
        if self.there.0 == self.marked.0 { self.marked.1.saturating_sub(self.there.1) } else { self.marked.1 }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (bytes, (segment, end), (marked, up_to)) = (self.bytes(), self.there, self.marked);
        if segment == marked {
            write!(
                f,
                "its whole turns end at byte {end}, and turns up to byte {up_to} were acknowledged: {bytes} bytes are missing"
            )
        } else {
            write!(
                f,
                "it is segment {segment}, and turns in segment {marked} were acknowledged: its {bytes} bytes or more are missing"
            )
        }
    }
}

impl Marked {
    /// Reads those of the log in `root`. Without them a start goes on: they are a witness, not a part of the log.
    pub fn look(root: &Path) -> Self {
        let mut marked = Self { boot: boot(), by_shard: BTreeMap::new(), damage: None };
        let bytes = match fs::read(root.join(FILE)) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return marked,
            Err(error) => {
                marked.damage = Some(error.to_string());
                return marked;
            }
        };
        let (places, cut) = bytes.as_chunks::<MARK>();
        let mut damaged = usize::from(!cut.is_empty());
        for (shard, bytes) in (0..).zip(places) {
            match Mark::read(bytes) {
                Some(mark) if mark.shard == shard => {
                    marked.by_shard.insert(shard, mark);
                }
                // A place that was never written.
                None if *bytes == [0; MARK] => {}
                _ => damaged += 1,
            }
        }
        marked.damage = (damaged > 0).then(|| format!("{damaged} of {} marks are damaged", bytes.len().div_ceil(MARK)));
        marked
    }

    /// The newest generation that any is of: turns were appended to it.
    pub fn generation(&self) -> Option<u64> {
        self.by_shard.values().map(|mark| mark.generation).max()
    }

    /// The mark of that shard in that generation.
    fn of(&self, heading: &Heading) -> Option<&Mark> {
        self.by_shard.get(&heading.shard).filter(|mark| mark.generation == heading.generation)
    }

    /// Whether this is another segment than the one of its name that turns were appended to.
    pub fn is_another(&self, heading: &Heading) -> bool {
        self.of(heading).is_some_and(|mark| mark.segment == heading.segment && mark.salt != heading.salt)
    }

    /// What is missing of a shard whose newest segment has this heading, and whole frames up to `end`.
    pub fn missing(&self, heading: &Heading, end: u64) -> Option<Missing> {
        let mark = self.of(heading)?;
        let (there, marked) = ((heading.segment, end), (mark.segment, mark.end));
        let same_boot = mark.boot == self.boot && !mark.boot.is_nil();
        (there < marked).then_some(Missing { there, marked, by_power: !mark.on_disk && !same_boot })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use tempfile::TempDir;
    use uuid::Uuid;

    use super::{FILE, MARK, Mark, Marked, Marks, boot};
    use crate::log::segment::{FORM, Heading};

    fn mark(shard: u32) -> Mark {
        Mark { generation: 3, segment: 2, end: 900, boot: boot(), salt: 7, shard, on_disk: false }
    }

    fn heading(generation: u64, segment: u64) -> Heading {
        Heading { form: FORM, salt: 7, shard: 1, shards: 2, generation, segment }
    }

    #[test]
    fn every_flipped_bit_and_every_cut_of_a_mark_is_noticed() {
        let root = TempDir::new().unwrap();
        let marks = Marks::of(root.path());
        assert_eq!(Marked::look(root.path()).damage, None, "there are none");
        marks.put(&mark(1)).unwrap();
        let marked = Marked::look(root.path());
        assert_eq!(
            (marked.damage.is_none(), marked.by_shard.len()),
            (true, 1),
            "the place of shard 0 was never written"
        );
        marks.put(&mark(0)).unwrap();
        let whole = fs::read(root.path().join(FILE)).unwrap();
        assert_eq!(whole.len(), 2 * MARK);
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(root.path().join(FILE), &bytes).unwrap();
            let marked = Marked::look(root.path());
            assert!(marked.damage.is_some() && marked.by_shard.len() == 1, "bit {bit}");
        }
        for cut in 0..whole.len() {
            fs::write(root.path().join(FILE), &whole[..cut]).unwrap();
            let marked = Marked::look(root.path());
            assert_eq!((marked.damage.is_some(), marked.by_shard.len()), (cut % MARK != 0, cut / MARK), "cut at {cut}");
        }
        // Those of two shards, swapped.
        fs::write(root.path().join(FILE), [&whole[MARK..], &whole[..MARK]].concat()).unwrap();
        assert!(Marked::look(root.path()).by_shard.is_empty());
    }

    #[test]
    fn what_is_missing_is_what_the_mark_of_that_generation_has_and_the_journal_has_not() {
        let root = TempDir::new().unwrap();
        let look = |mark: Mark| {
            Marks::of(root.path()).put(&mark).unwrap();
            Marked::look(root.path())
        };
        let marked = look(mark(1));
        for (generation, segment, end) in [(2, 2, 100), (4, 1, 100), (3, 2, 900), (3, 2, 901), (3, 3, 44)] {
            assert_eq!(marked.missing(&heading(generation, segment), end), None);
        }
        let missing = |marked: &Marked, segment, end| marked.missing(&heading(3, segment), end).unwrap();
        let same = missing(&marked, 2, 899);
        assert_eq!((same.bytes(), same.by_power), (1, false));
        assert_eq!(missing(&marked, 1, 5_000).bytes(), 900);
        for (boot, on_disk, by_power) in
            [(Uuid::new_v4(), false, true), (Uuid::nil(), false, true), (Uuid::new_v4(), true, false)]
        {
            assert_eq!(missing(&look(Mark { boot, on_disk, ..mark(1) }), 2, 800).by_power, by_power);
        }
        assert!(marked.is_another(&Heading { salt: 8, ..heading(3, 2) }) && !marked.is_another(&heading(3, 2)));
        assert!(!marked.is_another(&Heading { salt: 8, ..heading(3, 1) }));
    }
}
