//! The folders of the log: which there are, which is in use, how a new one is begun, and how what it takes the place of goes.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::log::journal::Place;
use crate::log::marks::{Marked, Marks};
use crate::log::reserve::Reserve;
use crate::log::{Journal, disk, segment};
use crate::shard::SessionRecord;
use crate::shard::entry::Entry;
use crate::shard::recovery::{RecoveryError, at};

/// What its name ends with while a generation's folder, or what says which is in use, is made.
const UNFINISHED: &str = "new";

/// The file that says which one is in use.
const IN_USE: &str = "in-use";

/// The generations below the log's folder.
#[derive(Debug)]
pub struct Generations {
    root: PathBuf,
    found: BTreeMap<u64, PathBuf>,
    /// What starts have left that were broken off.
    unfinished: Vec<PathBuf>,
    /// The one that turns are appended to; nothing where no start has said it. One after it was made by a start that was broken off.
    in_use: Option<u64>,
    /// How far the journals of the one in use were whole.
    marked: Marked,
    marks: Arc<Marks>,
    reserve: Arc<Reserve>,
}

impl Generations {
    /// Those in `root`. Only looks: nothing is changed.
    pub fn look(root: &Path, accept_loss: bool) -> Result<Self, RecoveryError> {
        let (mut found, mut unfinished) = (BTreeMap::new(), Vec::new());
        for entry in fs::read_dir(root).map_err(at(root))? {
            let path = entry.map_err(at(root))?.path();
            let Some(number) = number(&path) else { continue };
            if !path.is_dir() {
                return Err(RecoveryError::NoFolder(path));
            }
            if path.extension().is_some() {
                unfinished.push(path);
            } else {
                found.insert(number, path);
            }
        }
        let said = root.join(IN_USE);
        let in_use = match fs::read_to_string(&said) {
            Ok(text) => match text.trim_end().parse() {
                Ok(generation) => Some(generation),
                Err(_) if accept_loss => None,
                Err(_) => return Err(RecoveryError::InUse(said)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if error.kind() == io::ErrorKind::InvalidData && accept_loss => None,
            Err(error) if error.kind() == io::ErrorKind::InvalidData => return Err(RecoveryError::InUse(said)),
            Err(error) => return Err(at(&said)(error)),
        };
        let reserve = Arc::new(Reserve::of(root));
        let (marked, marks) = (Marked::look(root), Arc::new(Marks::of(root)));
        // Turns are marked only after it was said where they are appended to.
        let in_use = in_use.max(marked.generation());
        let all = Self { root: root.to_owned(), found, unfinished, in_use, marked, marks, reserve };
        all.next()?;
        Ok(all)
    }

    /// Whether there is anything in `root` that a start would look at, or stop for.
    pub fn is_any(root: &Path) -> bool {
        let all = fs::read_dir(root).into_iter().flatten().flatten();
        root.join(IN_USE).exists() || all.into_iter().any(|entry| number(&entry.path()).is_some())
    }

    /// The newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = (u64, &Path)> {
        self.found.iter().rev().map(|(&number, folder)| (number, &**folder))
    }

    /// How far the journals of the one in use were whole.
    pub const fn marked(&self) -> &Marked {
        &self.marked
    }

    /// The one in use is not there, and none that was made from it.
    pub fn gone(&self) -> Option<RecoveryError> {
        let newest = self.found.keys().next_back().copied();
        let gone = self.in_use.filter(|&in_use| newest.is_none_or(|newest| newest < in_use))?;
        Some(RecoveryError::Gone { folder: self.root.join(gone.to_string()) })
    }

    /// Whether no turn was ever appended to this one; `None` where nobody has said it.
    pub fn is_unused(&self, generation: u64) -> Option<bool> {
        self.in_use.map(|in_use| generation > in_use)
    }

    fn next(&self) -> Result<u64, RecoveryError> {
        let highest = self.found.keys().next_back().copied().max(self.in_use).unwrap_or(0);
        highest.checked_add(1).ok_or_else(|| RecoveryError::Number(self.root.join(highest.to_string())))
    }

    /// Begins a new generation with these sessions, by shard, and says that it is in use: only then what it takes the place of may
    /// go. After an error there is nothing of it.
    pub fn begin(&self, sessions: &[Vec<SessionRecord>], sync: bool) -> Result<Vec<Journal>, RecoveryError> {
        for path in &self.unfinished {
            // Its room is needed.
            remove(path).map_err(at(path))?;
        }
        let generation = self.next()?;
        match self.write(generation, sessions, sync) {
            Err(RecoveryError::Io { error, .. }) if self.reserve.helps(&error) => {
                self.write(generation, sessions, sync)
            }
            written => written,
        }
    }

    fn write(
        &self,
        generation: u64,
        sessions: &[Vec<SessionRecord>],
        sync: bool,
    ) -> Result<Vec<Journal>, RecoveryError> {
        let folder = self.root.join(generation.to_string());
        let unfinished = unfinished(&folder);
        let written = self.journals(generation, sessions, sync).and_then(|mut journals| {
            disk::rename(&unfinished, &folder).map_err(at(&folder))?;
            disk::sync_folder(&self.root).map_err(at(&self.root))?;
            self.say(generation).map_err(at(&self.root.join(IN_USE)))?;
            for journal in &mut journals {
                journal.mark(true);
            }
            Ok(journals)
        });
        written.inspect_err(|_| {
            for path in [&unfinished, &folder] {
                if path.exists()
                    && let Err(error) = remove(path)
                {
                    tracing::error!(path = %path.display(), %error, "what a start has written before it failed was not removed");
                }
            }
        })
    }

    /// The first segments of a generation, under the name that its folder has until it is renamed.
    fn journals(
        &self,
        generation: u64,
        sessions: &[Vec<SessionRecord>],
        sync: bool,
    ) -> Result<Vec<Journal>, RecoveryError> {
        let folder = self.root.join(generation.to_string());
        let unfinished = unfinished(&folder);
        fs::create_dir(&unfinished).map_err(at(&unfinished))?;
        let shards = sessions.len();
        let journal = |(shard, records): (usize, &Vec<SessionRecord>)| {
            let (reserve, marks) = (Arc::clone(&self.reserve), Arc::clone(&self.marks));
            let place = Place { generation, shard, shards, segment: 1, reserve, marks };
            let mut journal = Journal::create(&unfinished, place, sync, checkpoint(records))?;
            journal.moved_to(&folder);
            Ok(journal)
        };
        sessions.iter().enumerate().map(journal).collect::<io::Result<_>>().map_err(at(&unfinished))
    }

    /// Says that turns are appended to `generation` from now on, whole or not at all.
    fn say(&self, generation: u64) -> io::Result<()> {
        let path = self.root.join(IN_USE);
        let unfinished = path.with_extension(UNFINISHED);
        let said = File::create(&unfinished).and_then(|mut file| {
            writeln!(file, "{generation}")?;
            disk::sync(&file, &unfinished)?;
            disk::rename(&unfinished, &path)?;
            disk::sync_folder(&self.root)
        });
        said.inspect_err(|_| {
            // It is no use to anybody.
            let _ = disk::remove(&unfinished);
        })
    }

    /// Removes what the new generation takes the place of; where `aside`, it is kept under another name. Takes room for the reserve.
    pub fn retire(&self, aside: bool) -> Result<(), RecoveryError> {
        for folder in self.found.values() {
            if aside {
                let name = |n: u32| if n == 1 { "damaged".to_owned() } else { format!("damaged-{n}") };
                // Whatever was kept before stays, too.
                let free = (1..=1_000).map(|n| folder.with_extension(name(n))).find(|kept| !kept.exists());
                let kept = free.unwrap_or_else(|| folder.with_extension("damaged"));
                disk::rename(folder, &kept).map_err(at(folder))?;
                tracing::warn!(folder = %kept.display(), "the damaged log is kept here; remove it when it is not needed");
            } else if let Err(error) = remove(folder) {
                // It does no harm but for its room: it is said which one is in use.
                tracing::error!(folder = %folder.display(), %error, "the log of before was not removed; the next start tries again");
            }
        }
        if !self.found.is_empty() {
            disk::sync_folder(&self.root).map_err(at(&self.root))?;
        }
        self.reserve.take();
        Ok(())
    }
}

/// What a generation's folder is called while it is made.
fn unfinished(folder: &Path) -> PathBuf {
    folder.with_extension(UNFINISHED)
}

/// The number of a generation's folder, finished or not; `None` for everything else.
fn number(path: &Path) -> Option<u64> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(&format!(".{UNFINISHED}")).unwrap_or(name);
    name.parse().ok().filter(|number: &u64| number.to_string() == name)
}

/// Removes a generation; what somebody else has put into its folder stays, and the folder with it.
fn remove(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if segment::is_own(&path) {
            disk::remove(&path)?;
        }
    }
    match fs::remove_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
            tracing::warn!(folder = %folder.display(), "something that is no part of the log is left here");
            Ok(())
        }
        removed => removed,
    }
}

/// The entries of a checkpoint; a session's number is its place.
fn checkpoint(records: &[SessionRecord]) -> impl Iterator<Item = Entry<'_>> {
    let sessions = (0..)
        .zip(records)
        .flat_map(|(no, record)| [Entry::Session { no, record: Box::new(Cow::Borrowed(record)) }, record.claim(no)]);
    sessions.chain([Entry::CheckpointEnd])
}
