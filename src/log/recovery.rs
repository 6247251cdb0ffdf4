//! Reading the log at start: every session is put back by stepping its inputs again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use super::entry::{self, Damage, Entry, MAGIC};
use super::{Journal, SessionRecord};
use crate::hub::shard_of;
use crate::records;
use crate::replays::{ChunkWriter, Folder};
use crate::rules::{Library, hex};
use crate::shard::Session;

/// What a log had, ready for the shards to go on.
#[derive(Debug)]
pub struct Recovered {
    /// A journal and its sessions, per shard.
    pub shards: Vec<(Journal, Vec<SessionRecord>)>,
    /// Held as long as the node runs: another node cannot open the same data folder.
    pub lock: File,
    /// Inputs that were stepped again.
    pub inputs: u64,
    /// Bytes of unfinished frames, cut off. None of it was ever acknowledged.
    pub torn_bytes: u64,
    /// Where the sessions' tapes go on.
    pub folder: Arc<Folder>,
}

/// Why a log cannot be recovered. Nothing has been changed on disk.
#[derive(Debug, Error)]
pub enum RecoveryError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0}: in use by another process")]
    Locked(PathBuf),
    #[error(
        "{path}: damaged at byte {offset}: {damage}. Restore the file from a backup, or move {path} away to start without its sessions"
    )]
    Damaged { path: PathBuf, offset: usize, damage: Damage },
    #[error("{0}: not a journal")]
    NoJournal(PathBuf),
    #[error(
        "{path}: a journal of form {found}; this version reads form {}. Let the version that wrote it end its sessions, or move {path} away to start without them",
        MAGIC[MAGIC_NAME]
    )]
    Version { path: PathBuf, found: u8 },
    #[error(
        "{path}: session {session} is pinned to the ruleset with the hash {hash}, which no ruleset of this server has; they are looked for among those it was built with, in its folder of rules, and as {hash}.toml in {kept}"
    )]
    Ruleset { path: PathBuf, session: Uuid, hash: String, kept: PathBuf },
    #[error("{path}: entry for session number {no}, which the segment has not introduced")]
    UnknownSession { path: PathBuf, no: u32 },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RecoveryError {
    let path = path.to_owned();
    move |source| RecoveryError::Io { path, source }
}

/// How much of [`MAGIC`] is the name; the form's number follows.
const MAGIC_NAME: usize = 8;

/// Recovers the log below `data` and starts a new generation of it for `shards` shards.
pub fn recover(data: &Path, shards: usize, sync: bool, library: &Library) -> Result<Recovered, RecoveryError> {
    let root = data.join("log");
    fs::create_dir_all(&root).map_err(at(&root))?;
    let lock = lock(&root)?;
    let generations = numbered(&root)?;
    let newest = generations.keys().next_back().copied();

    let folder = Folder::open(data).map_err(at(data))?;
    let mut old = Replay {
        library,
        kept: data.join("rules"),
        chunks: ChunkWriter::new(Arc::clone(&folder), 0),
        folder: &folder,
        sessions: Vec::new(),
        inputs: 0,
        torn_bytes: 0,
    };
    if let Some(folder) = newest.and_then(|newest| generations.get(&newest)) {
        for segment in newest_segments(folder)? {
            old.read(&segment)?;
        }
    }
    if sync {
        old.chunks.sync().map_err(at(data))?;
    }

    let mut by_shard: Vec<Vec<SessionRecord>> = (0..shards).map(|_| Vec::new()).collect();
    for record in old.sessions {
        by_shard[shard_of(record.id, shards)].push(record);
    }
    let shards = begin(&root, newest.map_or(1, |newest| newest + 1), by_shard, sync)?;
    for folder in generations.values() {
        fs::remove_dir_all(folder).map_err(at(folder))?;
    }
    Ok(Recovered { shards, lock, inputs: old.inputs, torn_bytes: old.torn_bytes, folder })
}

/// Writes a generation under another name and renames it when it is complete.
fn begin(
    root: &Path,
    generation: u64,
    sessions: Vec<Vec<SessionRecord>>,
    sync: bool,
) -> Result<Vec<(Journal, Vec<SessionRecord>)>, RecoveryError> {
    let (folder, unfinished) = (root.join(generation.to_string()), root.join(format!("{generation}.new")));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(at(&unfinished))?;
    }
    fs::create_dir(&unfinished).map_err(at(&unfinished))?;
    let mut shards = Vec::new();
    for (shard, records) in sessions.into_iter().enumerate() {
        let mut journal =
            Journal::create(&unfinished, shard, 1, sync, checkpoint(&records)).map_err(at(&unfinished))?;
        journal.moved_to(&folder);
        shards.push((journal, records));
    }
    fs::rename(&unfinished, &folder).map_err(at(&folder))?;
    if sync {
        File::open(root).and_then(|root| root.sync_data()).map_err(at(root))?;
    }
    Ok(shards)
}

/// The entries of a checkpoint; a session's number is its place.
fn checkpoint(records: &[SessionRecord]) -> impl Iterator<Item = Entry<'_>> {
    (0..).zip(records).map(|(no, record)| Entry::Session { no, record: Box::new(Cow::Borrowed(record)) })
}

fn lock(root: &Path) -> Result<File, RecoveryError> {
    let path = root.join("lock");
    let file = File::create(&path).map_err(at(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(RecoveryError::Locked(path)),
        Err(fs::TryLockError::Error(source)) => Err(RecoveryError::Io { path, source }),
    }
}

/// The folders below `root` whose name is a number.
fn numbered(root: &Path) -> Result<BTreeMap<u64, PathBuf>, RecoveryError> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).map_err(at(root))? {
        let path = entry.map_err(at(root))?.path();
        if let Some(number) = path.file_name().and_then(|name| name.to_str()?.parse().ok()) {
            found.insert(number, path);
        }
    }
    Ok(found)
}

/// The newest segment of every shard in `folder`. Its checkpoint is complete: it got its name after that.
fn newest_segments(folder: &Path) -> Result<Vec<PathBuf>, RecoveryError> {
    let mut newest: BTreeMap<usize, (u64, PathBuf)> = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        let name = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".journal")?.split_once('-'));
        let Some((Ok(shard), Ok(segment))) = name.map(|(shard, segment)| (shard.parse(), segment.parse())) else {
            continue;
        };
        if newest.get(&shard).is_none_or(|(known, _)| *known < segment) {
            newest.insert(shard, (segment, path));
        }
    }
    Ok(newest.into_values().map(|(_, path)| path).collect())
}

/// Segments being stepped again.
#[derive(Debug)]
struct Replay<'a> {
    library: &'a Library,
    /// Where rulesets are kept under their hash.
    kept: PathBuf,
    folder: &'a Folder,
    chunks: ChunkWriter,
    sessions: Vec<SessionRecord>,
    inputs: u64,
    torn_bytes: u64,
}

impl Replay<'_> {
    fn read(&mut self, path: &Path) -> Result<(), RecoveryError> {
        let bytes = fs::read(path).map_err(at(path))?;
        let Some(mut rest) = bytes.strip_prefix(MAGIC) else {
            return Err(match bytes.strip_prefix(&MAGIC[..MAGIC_NAME]).and_then(<[u8]>::first) {
                Some(&found) => RecoveryError::Version { path: path.to_owned(), found },
                None => RecoveryError::NoJournal(path.to_owned()),
            });
        };
        let mut sessions: BTreeMap<u32, Session> = BTreeMap::new();
        loop {
            let offset = bytes.len() - rest.len();
            let damaged = |damage| RecoveryError::Damaged { path: path.to_owned(), offset, damage };
            match entry::next_frame(&mut rest) {
                Ok(None) => break,
                Ok(Some(payload)) => {
                    let (wall, entries) = entry::entries(payload).map_err(damaged)?;
                    for entry in entries {
                        self.step(path, &mut sessions, wall, entry)?;
                    }
                    self.write_chunks(&mut sessions);
                }
                // The last frame was being written when the process died: none of it had been shown.
                Err(Damage::Torn) => {
                    self.torn_bytes += rest.len() as u64;
                    break;
                }
                Err(damage) => return Err(damaged(damage)),
            }
        }
        let now = records::now();
        self.sessions.extend(sessions.into_values().map(|mut session| {
            session.was_away(now);
            session.into_record()
        }));
        Ok(())
    }

    /// What cannot be written is held by its session a while longer.
    fn write_chunks(&mut self, sessions: &mut BTreeMap<u32, Session>) {
        let Err((error, unwritten)) = self.chunks.write() else { return };
        for part in unwritten {
            for session in sessions.values_mut().filter(|session| session.id == part.session) {
                if let Some(loss) = session.put_back(&part) {
                    tracing::warn!(%error, "parts of replays cannot be written");
                    session.tell_of(loss);
                }
            }
        }
    }

    fn step(
        &mut self,
        path: &Path,
        sessions: &mut BTreeMap<u32, Session>,
        wall: u64,
        entry: Entry<'static>,
    ) -> Result<(), RecoveryError> {
        let unknown = |no| RecoveryError::UnknownSession { path: path.to_owned(), no };
        match entry {
            Entry::Session { no, record } => {
                let mut record = record.into_owned();
                let ruleset = self.library.by_hash(&record.ruleset).ok_or_else(|| RecoveryError::Ruleset {
                    path: path.to_owned(),
                    session: record.id,
                    hash: hex(&record.ruleset),
                    kept: self.kept.clone(),
                })?;
                record.fight.bind(ruleset);
                sessions.insert(no, Session::from_record(record, self.folder));
            }
            Entry::Input { no, at, input } => {
                let session = sessions.get_mut(&no).ok_or_else(|| unknown(no))?;
                session.replay(at, wall, input);
                self.inputs += 1;
                // What has become too long now had become so before, and that has been told.
                let _ = session.spill(&mut self.chunks);
            }
            Entry::Describe { no, description } => {
                let session = sessions.get_mut(&no).ok_or_else(|| unknown(no))?;
                session.describe(wall, description.into_owned());
            }
            Entry::Forget { no } => {
                sessions.remove(&no).ok_or_else(|| unknown(no))?;
            }
            Entry::CheckpointEnd => {}
        }
        Ok(())
    }
}
