//! Reading the log at start: every session is put back by stepping its inputs again.

mod chain;
#[cfg(test)]
mod chain_tests;
mod error;
pub(super) mod form7;
#[cfg(test)]
mod form_tests;
mod generation;
mod moved;
mod reading;
mod redis;
mod takeover;
#[cfg(test)]
mod upgrade_tests;
mod whereabouts;
#[cfg(test)]
mod whereabouts_tests;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use crate::clock;
use crate::log::Journal;
use crate::log::marks::Marked;
use crate::log::redis::start::Node;
use crate::log::segment;
use crate::replays::{ChunkWriter, Folder};
use crate::rules::Library;
use crate::session::shard_of;
use crate::shard::SessionRecord;
use chain::Chain;
pub use error::{Fights, RecoveryError};
use generation::Generations;
use moved::Leaving;
use reading::PutBack;
use reading::Read;
pub use redis::{inspect as inspect_redis, recover as recover_redis};
pub use takeover::{Taken, Taker, are_elsewhere};
use whereabouts::Whereabouts;

/// What a log had, ready for the shards to go on.
#[derive(Debug)]
pub struct Recovered<L = Journal> {
    /// A log, the journal where it is in files, and its sessions, per shard.
    pub shards: Vec<(L, Vec<SessionRecord>)>,
    /// Held as long as the node runs: another node cannot open the same data folder.
    pub lock: File,
    pub found: Found,
    /// Who goes on from where another shard handed it over, as what that one's journal has cannot be read.
    pub set_back: Fights,
    /// Where the sessions' tapes go on.
    pub folder: Arc<Folder>,
    /// Where the log is in Redis: this node in it, and which it is.
    pub in_redis: Option<(Node, String)>,
}

/// What was found while reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Inputs that were stepped again.
    pub inputs: u64,
    /// Bytes that could not be read, or were behind such: behind the last whole frame of a segment none of it was acknowledged, unless
    /// the disk has changed it.
    pub torn_bytes: u64,
    /// Whole turns that were given up, because the operator said so.
    pub lost_frames: u64,
    /// Journals of which nothing could be read, likewise: nobody knows what was in them.
    pub lost_journals: u64,
    /// Bytes that journals lack and had: taken by a loss of power, or given up because the operator said so. A segment that is missing
    /// counts as what was marked of it.
    pub missing_bytes: u64,
    /// Sessions whose inputs could not be stepped again, and which are ended for that.
    pub failed: u64,
}

impl Found {
    fn add(&mut self, more: &Self) {
        let Self { inputs, torn_bytes, lost_frames, lost_journals, missing_bytes, failed } = *more;
        self.inputs += inputs;
        self.torn_bytes += torn_bytes;
        self.lost_frames += lost_frames;
        self.lost_journals += lost_journals;
        self.missing_bytes += missing_bytes;
        self.failed += failed;
    }
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> RecoveryError {
    let path = path.to_owned();
    move |error| RecoveryError::Io { path, error }
}

/// Where a log should be below `data`, if a start has recovered one there before and there is nothing of it.
pub fn gone(data: &Path) -> Option<RecoveryError> {
    let root = data.join("log");
    // Whoever starts with one in files then asks that one first.
    if in_redis(data).is_some() {
        return None;
    }
    // Made together with the first generation, and never removed.
    let used = data.join("replays").is_dir();
    (used && !Generations::is_any(&root)).then_some(RecoveryError::Gone { folder: root })
}

/// Which log in Redis the node below `data` goes on with, as its folder says.
pub fn in_redis(data: &Path) -> Option<String> {
    moved::said(&data.join("log")).ok().flatten()
}

/// How far the journals of the log below `data` were whole, and why a start would stop before it reads any. Nothing is changed.
pub fn look(data: &Path) -> (Marked, Option<RecoveryError>) {
    let root = data.join("log");
    let why = gone(data).or_else(|| match Generations::look(&root, false) {
        Ok(generations) => generations.gone(),
        // Nothing yet.
        Err(RecoveryError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(error),
    });
    (Marked::look(&root), why)
}

/// How many of a shard's segments, which are all in `paths`, the oldest first, a start needs if they are whole: so many of the last.
pub fn needed(paths: &[&PathBuf]) -> io::Result<usize> {
    Ok(Chain::of(paths)?.paths.len())
}

/// Recovers the log below `data` and starts a new generation of it for `shards` shards. With `accept_loss` what cannot be read is
/// left out, told, and kept aside; otherwise it is an error.
pub fn recover(
    data: &Path,
    shards: usize,
    sync: bool,
    accept_loss: bool,
    library: &Library,
) -> Result<Recovered, RecoveryError> {
    let root = data.join("log");
    fs::create_dir_all(&root).map_err(at(&root))?;
    let lock = lock(&root)?;
    let folder = Folder::open(data).map_err(at(data))?;
    let leaving = Leaving::of(&root, data, &folder, (accept_loss, library))?;
    let generations = Generations::look(&root, accept_loss)?;
    if let Some(damage) = &generations.marked().damage {
        tracing::warn!(folder = %root.display(), damage, "the marks of how far the log was whole cannot be read; turns that are missing at the end of a journal may not be noticed");
    }
    let mut old = Replay {
        library,
        kept: data.join("rules"),
        chunks: ChunkWriter::new(Arc::clone(&folder), 0),
        folder: &folder,
        marked: generations.marked(),
        whereabouts: BTreeMap::new(),
        accept_loss: false,
        found: Found::default(),
        set_back: Fights::default(),
    };
    let mut by_shard: Vec<Vec<SessionRecord>> = (0..shards).map(|_| Vec::new()).collect();
    let begun = old.newest(&generations, accept_loss).and_then(|(records, damaged)| {
        // What is about to refer to the tapes' parts is on the disk before what it takes the place of is gone.
        old.chunks.unsynced().sync().map_err(at(data))?;
        for record in newest_of_each(records.into_iter().chain(leaving.over.iter().cloned()).collect()) {
            by_shard[shard_of(record.id, shards)].push(record);
        }
        Ok((generations.begin(&by_shard, sync)?, damaged))
    });
    // A start that fails leaves things as they were.
    let (journals, damaged) = begun.inspect_err(|_| old.chunks.unsynced().remove())?;
    generations.retire(damaged)?;
    leaving.left(&root)?;
    let Replay { found, set_back, .. } = old;
    Ok(Recovered {
        shards: journals.into_iter().zip(by_shard).collect(),
        lock,
        found,
        set_back,
        folder,
        in_redis: None,
    })
}

fn lock(root: &Path) -> Result<File, RecoveryError> {
    let path = root.join("lock");
    let file = File::create(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(RecoveryError::Locked(path)),
        Err(fs::TryLockError::Error(error)) => Err(RecoveryError::Io { path, error }),
    }
}

/// Segments being stepped again.
#[derive(Debug)]
pub(super) struct Replay<'a> {
    pub(super) library: &'a Library,
    /// Where rulesets are kept under their hash.
    pub(super) kept: PathBuf,
    pub(super) folder: &'a Folder,
    /// How far journals were whole.
    pub(super) marked: &'a Marked,
    pub(super) chunks: ChunkWriter,
    /// Where the sessions of a generation are, by its folder, as soon as something of it cannot be read.
    whereabouts: BTreeMap<PathBuf, Whereabouts>,
    /// What cannot be read is left out.
    accept_loss: bool,
    found: Found,
    set_back: Fights,
}

/// What there is of a shard.
#[derive(Debug)]
struct Journaled {
    /// Of its newest segment.
    read: Read,
    records: Vec<SessionRecord>,
}

impl Replay<'_> {
    /// The sessions of the log, and whether something of it was given up.
    fn newest(
        &mut self,
        generations: &Generations,
        accept_loss: bool,
    ) -> Result<(Vec<SessionRecord>, bool), RecoveryError> {
        match self.newest_whole(generations) {
            Err(error) if accept_loss && error.is_loss() => {}
            read => return read.map(|sessions| (sessions, false)),
        }
        (self.accept_loss, self.found) = (true, Found::default());
        if let Some(gone) = generations.gone() {
            self.left_out(gone)?;
            self.found.lost_journals += 1;
        }
        for (_, folder) in generations.newest_first() {
            if let Some(sessions) = self.generation(folder)? {
                self.set_back = self.set_back_of(folder, &sessions);
                return Ok((sessions, true));
            }
        }
        Ok((Vec::new(), true))
    }

    /// The sessions of the generation in use, or of the newest that was made from it. One that no turn was ever appended to has
    /// nothing else than the one before, which is taken where it cannot be read.
    fn newest_whole(&mut self, generations: &Generations) -> Result<Vec<SessionRecord>, RecoveryError> {
        if let Some(gone) = generations.gone() {
            return Err(gone);
        }
        let mut why = None;
        for (number, folder) in generations.newest_first() {
            self.found = Found::default();
            match self.generation(folder) {
                Ok(sessions) => {
                    if let Some(error) = why {
                        tracing::warn!(%error, instead = %folder.display(), "the log that a start had begun is damaged; the one it was made from is whole");
                    }
                    return Ok(sessions.unwrap_or_default());
                }
                Err(error) => {
                    let no_turn = error.unfinished().is_some() && self.found.inputs == 0;
                    if !generations.is_unused(number).unwrap_or(no_turn) {
                        return Err(error);
                    }
                    why = Some(why.unwrap_or(error));
                }
            }
        }
        why.map_or(Ok(Vec::new()), Err)
    }

    /// The sessions of a generation; `None` where nothing of it can be read, and that is accepted.
    fn generation(&mut self, folder: &Path) -> Result<Option<Vec<SessionRecord>>, RecoveryError> {
        let segments = segment::all(folder).map_err(at(folder))?;
        let (mut sessions, mut shards, mut read, mut failed) = (Vec::new(), None, false, None);
        for of_shard in segments.values() {
            match self.newest_segment(of_shard) {
                Ok(Some(mut journal)) => {
                    shards = shards.or(journal.read.heading.map(|heading| heading.shards));
                    read = true;
                    sessions.append(&mut journal.records);
                }
                Ok(None) => {}
                // The others are looked at: what they have is at stake, too.
                Err(error) => failed = Some(failed.unwrap_or(error)),
            }
        }
        if let Some(error) = failed {
            return Err(error);
        }
        let missing = |shards| (0..shards).find(|&shard: &u32| !segments.contains_key(&(shard as usize)));
        let error = match (shards, shards.and_then(missing)) {
            (Some(shards), Some(shard)) => Some(RecoveryError::Missing { folder: folder.to_owned(), shard, shards }),
            (None, _) if !read => Some(RecoveryError::Empty(folder.to_owned())),
            _ => None,
        };
        if let Some(error) = error {
            self.left_out(error)?;
            let there = segments.len() as u64;
            self.found.lost_journals += u64::from(shards.unwrap_or(1)).saturating_sub(there);
        }
        Ok(read.then_some(sessions))
    }

    /// The newest segment of a shard, with those that it needs. Only where its name says that the disk may never have had its checkpoint,
    /// and it has no turn, the one before is taken for it, which is there for that: nothing is lost then but what a loss of power takes.
    fn newest_segment(&mut self, segments: &BTreeMap<u64, PathBuf>) -> Result<Option<Journaled>, RecoveryError> {
        let paths: Vec<&PathBuf> = segments.values().collect();
        for there in (1..=paths.len()).rev() {
            let (path, is_oldest) = (paths[there - 1], there == 1);
            let chain = Chain::of(&paths[..there]).map_err(at(path))?;
            let error = match self.read(&chain, false) {
                Ok(journal) => {
                    self.compare(path, &journal)?;
                    return Ok(Some(journal));
                }
                Err(error) => error,
            };
            if error.unfinished() == Some(path) && segment::is_begun(path) && !is_oldest {
                tracing::warn!(%error, "a segment's checkpoint did not get to the disk; what was done since is lost");
                continue;
            }
            let behind = match error {
                RecoveryError::Incomplete { turns, .. } if !chain.is_written_between_turns => Some(turns),
                _ => None,
            };
            self.left_out(error)?;
            if let Some(turns) = behind
                && !is_oldest
            {
                // An older one with all sessions is worth more than a part of the newest.
                self.found.lost_frames += turns;
                continue;
            }
            match self.read(&chain, true) {
                Err(RecoveryError::NoSegment { .. }) => self.found.torn_bytes += length(path),
                read => return read.map(Some),
            }
        }
        self.found.lost_journals += 1;
        Ok(None)
    }

    /// What these segments have; where they are cut short, what can be read of them.
    fn read(&mut self, chain: &Chain<'_>, cut_short: bool) -> Result<Journaled, RecoveryError> {
        let (mut sessions, mut read) = (PutBack::default(), None);
        sessions.found.lost_journals += u64::from(chain.is_broken && cut_short);
        for (place, path) in chain.paths.iter().enumerate() {
            read = match self.segment(path, cut_short, read.as_ref(), &mut sessions) {
                // The next goes on with what is in its own checkpoint.
                Err(RecoveryError::NoSegment { .. }) if cut_short && place + 1 < chain.paths.len() => {
                    sessions.found.lost_journals += 1;
                    sessions.found.torn_bytes += length(path);
                    None
                }
                read => Some(read?),
            };
        }
        let read = read.expect("the newest is there, or an error");
        self.found.add(&sessions.found);
        Ok(Journaled { read, records: sessions.into_records(clock::now_ms()) })
    }

    /// Compares what was read of a shard with its mark: what was acknowledged and is not there is an error where the journal is whole, which
    /// is from before then. What the disk may never have had when the power went, and what a torn end had, is told and counted, and so is
    /// what the operator gives up.
    fn compare(&mut self, path: &Path, Journaled { read, records }: &Journaled) -> Result<(), RecoveryError> {
        let missing = read.heading.and_then(|heading| self.marked.missing(&heading, read.end));
        let Some(missing) = missing else { return Ok(()) };
        let fights: Fights = records.iter().map(|record| record.id).collect();
        let by_tear = read.torn && missing.there.0 == missing.marked.0;
        let error = self.of_its_own(RecoveryError::Behind { path: path.to_owned(), missing, fights });
        if let RecoveryError::Behind { fights, .. } = &error
            && (missing.by_power || by_tear)
        {
            let bytes = missing.bytes();
            tracing::error!(path = %path.display(), bytes, by_tear, %missing, %fights, "the end of a log is lost; any of its fights may be set back");
        } else {
            self.left_out(error)?;
        }
        self.found.missing_bytes += missing.bytes();
        Ok(())
    }

    /// The error without the fights that another journal has.
    fn of_its_own(&mut self, error: RecoveryError) -> RecoveryError {
        let Some((folder, shard)) = error.journal() else { return error };
        let whereabouts =
            self.whereabouts.entry(folder.to_owned()).or_insert_with_key(|folder| Whereabouts::of(folder));
        error.of_those_at(whereabouts, shard)
    }

    /// Those of the sessions that are to be gone on with which some journal has under a higher epoch.
    fn set_back_of(&self, folder: &Path, sessions: &[SessionRecord]) -> Fights {
        let epochs = highest_epochs(sessions);
        let epoch_of = |id: &Uuid| epochs.get(id).copied();
        self.whereabouts.get(folder).into_iter().flat_map(|all| all.above(&epoch_of)).collect()
    }

    /// An error, unless the operator takes the loss; then it is told.
    fn left_out(&mut self, error: RecoveryError) -> Result<(), RecoveryError> {
        let error = self.of_its_own(error);
        if !self.accept_loss || !error.is_loss() {
            return Err(error);
        }
        tracing::warn!("accepted as lost: {error}");
        Ok(())
    }
}

/// One record of each session. One that was changing hands is in two journals, and has been gone on with in that with the higher epoch.
fn newest_of_each(mut records: Vec<SessionRecord>) -> Vec<SessionRecord> {
    let mut highest = highest_epochs(&records);
    // Of those with the same the first: they are the same.
    records.retain(|record| highest.get(&record.id) == Some(&record.epoch) && highest.remove(&record.id).is_some());
    records
}

fn highest_epochs(records: &[SessionRecord]) -> HashMap<Uuid, u64> {
    let mut highest: HashMap<Uuid, u64> = HashMap::new();
    for SessionRecord { id, epoch, .. } in records {
        let highest = highest.entry(*id).or_default();
        *highest = (*epoch).max(*highest);
    }
    highest
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

#[cfg(test)]
#[path = "recovery_tests/mod.rs"]
pub(crate) mod tests;
