//! Reading the log at start: every session is put back by stepping its inputs again.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use super::entry::{self, Entry};
use super::frame::{self, Behind, Damage};
use super::journal::Place;
use super::segment::{self, Heading, MAGIC, MAGIC_NAME, NoSegment};
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
    pub found: Found,
    /// Where the sessions' tapes go on.
    pub folder: Arc<Folder>,
}

/// What was found while reading.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Found {
    /// Inputs that were stepped again.
    pub inputs: u64,
    /// Bytes behind the last whole frame of a segment, cut off. None of it was acknowledged, unless the disk has changed it.
    pub torn_bytes: u64,
    /// Whole frames that were given up, because the operator said so.
    pub lost_frames: u64,
    /// Sessions whose inputs could not be stepped again, and which are ended for that.
    pub failed: u64,
}

/// Why a log cannot be recovered. Nothing has been changed on disk.
#[derive(Debug, Error)]
pub enum RecoveryError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0}: in use by another process")]
    Locked(PathBuf),
    #[error(
        "{path}: damaged at byte {offset}: {damage}; {frames} turns behind it are whole. Restore the file from a backup, or start once with --accept-loss, which goes on from what is before the damage and keeps the damaged files aside"
    )]
    Damaged { path: PathBuf, offset: usize, damage: Damage, frames: u64 },
    #[error(
        "{path}: damaged at byte {offset}, inside the checkpoint that a segment begins with: {damage}. Restore the file from a backup, or start once with --accept-loss, which goes on with the sessions that can be read and keeps the damaged files aside"
    )]
    Incomplete { path: PathBuf, offset: usize, damage: Damage },
    #[error(
        "{path}: {why}. Restore the file from a backup, or start once with --accept-loss, which goes on without it"
    )]
    NoSegment { path: PathBuf, why: NoSegment },
    #[error(
        "{path}: a journal of form {found}; this version reads form {}. Let the version that wrote it end its sessions, or move the folder `log` away to start without them",
        MAGIC[MAGIC_NAME]
    )]
    Version { path: PathBuf, found: u8 },
    #[error(
        "{folder}: the journal of shard {shard} of {shards} is not there. Restore it from a backup, or start once with --accept-loss, which goes on without its sessions"
    )]
    Missing { folder: PathBuf, shard: u32, shards: u32 },
    #[error(
        "{0}: no journal is in it. Restore it from a backup, or start once with --accept-loss, which goes on without its sessions"
    )]
    Empty(PathBuf),
    #[error(
        "{path}: session {session} is pinned to the ruleset with the hash {hash}, which no ruleset of this server has; they are looked for among those it was built with, in its folder of rules, and as {hash}.toml in {kept}"
    )]
    Ruleset { path: PathBuf, session: Uuid, hash: String, kept: PathBuf },
    #[error(
        "{path}: entry for session number {no}, which the segment has not introduced. Restore the file from a backup, or start once with --accept-loss, which leaves such entries out"
    )]
    UnknownSession { path: PathBuf, no: u32 },
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> RecoveryError {
    let path = path.to_owned();
    move |source| RecoveryError::Io { path, source }
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
    let generations = numbered(&root)?;
    let newest = generations.keys().next_back().copied();

    let folder = Folder::open(data).map_err(at(data))?;
    let mut old = Replay {
        library,
        kept: data.join("rules"),
        chunks: ChunkWriter::new(Arc::clone(&folder), 0),
        folder: &folder,
        accept_loss: false,
        found: Found::default(),
    };
    let mut aside = None;
    let records = match old.newest_whole(&generations) {
        Err((_, newest)) if accept_loss => {
            old.accept_loss = true;
            aside = Some(newest);
            old.generation(newest)?
        }
        read => read.map_err(|(error, _)| error)?,
    };
    // What is about to refer to the tapes' parts is on the disk before what it takes the place of is gone.
    old.chunks.unsynced().sync().map_err(at(data))?;

    let mut by_shard: Vec<Vec<SessionRecord>> = (0..shards).map(|_| Vec::new()).collect();
    for record in records {
        by_shard[shard_of(record.id, shards)].push(record);
    }
    remove_unfinished(&root)?;
    let shards = begin(&root, newest.map_or(1, |newest| newest + 1), by_shard, sync)?;
    for folder in generations.values() {
        if aside == Some(folder) {
            let name = |n: u32| if n == 1 { "damaged".to_owned() } else { format!("damaged-{n}") };
            // Whatever was kept before stays, too.
            let free = (1..=1_000).map(|n| folder.with_extension(name(n))).find(|kept| !kept.exists());
            let kept = free.unwrap_or_else(|| folder.with_extension("damaged"));
            fs::rename(folder, &kept).map_err(at(folder))?;
            tracing::warn!(folder = %kept.display(), "the damaged log is kept here; remove it when it is not needed");
        } else {
            fs::remove_dir_all(folder).map_err(at(folder))?;
        }
    }
    Ok(Recovered { shards, lock, found: old.found, folder })
}

/// What a start or a checkpoint that was broken off has left: its room is needed.
fn remove_unfinished(root: &Path) -> Result<(), RecoveryError> {
    for entry in fs::read_dir(root).map_err(at(root))? {
        let path = entry.map_err(at(root))?.path();
        if path.extension().is_some_and(|extension| extension == "new") {
            fs::remove_dir_all(&path).map_err(at(&path))?;
        }
    }
    Ok(())
}

/// Writes a generation under another name and renames it when it is complete and on the disk: only then what it takes the place
/// of may go. After an error there is nothing of it.
fn begin(
    root: &Path,
    generation: u64,
    sessions: Vec<Vec<SessionRecord>>,
    sync: bool,
) -> Result<Vec<(Journal, Vec<SessionRecord>)>, RecoveryError> {
    let (folder, unfinished) = (root.join(generation.to_string()), root.join(format!("{generation}.new")));
    let begun = write(&unfinished, &folder, sessions, sync).and_then(|shards| {
        fs::rename(&unfinished, &folder).map_err(at(&folder))?;
        File::open(root).and_then(|root| root.sync_data()).map_err(at(root))?;
        Ok(shards)
    });
    begun.inspect_err(|_| {
        let _ = fs::remove_dir_all(&unfinished);
    })
}

/// The first segments of a generation, in `unfinished`, which is going to be `folder`.
fn write(
    unfinished: &Path,
    folder: &Path,
    sessions: Vec<Vec<SessionRecord>>,
    sync: bool,
) -> Result<Vec<(Journal, Vec<SessionRecord>)>, RecoveryError> {
    fs::create_dir(unfinished).map_err(at(unfinished))?;
    let mut begun = Vec::new();
    let shards = sessions.len();
    for (shard, records) in sessions.into_iter().enumerate() {
        let place = Place { shard, shards, segment: 1 };
        let mut journal =
            Journal::create(unfinished, place, sync, true, checkpoint(&records)).map_err(at(unfinished))?;
        journal.moved_to(folder);
        begun.push((journal, records));
    }
    Ok(begun)
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

/// Segments being stepped again.
#[derive(Debug)]
struct Replay<'a> {
    library: &'a Library,
    /// Where rulesets are kept under their hash.
    kept: PathBuf,
    folder: &'a Folder,
    chunks: ChunkWriter,
    /// What cannot be read is left out.
    accept_loss: bool,
    found: Found,
}

/// Sessions of a segment by their number; `None` where one could not be stepped again.
type Sessions = BTreeMap<u32, Option<Session>>;

impl Replay<'_> {
    /// The sessions of the newest generation that is whole. Turns are appended to the newest alone, and only once those before are
    /// gone: where there is one before, the newest has nothing else than it. On failure, why the newest cannot be read.
    fn newest_whole<'g>(
        &mut self,
        generations: &'g BTreeMap<u64, PathBuf>,
    ) -> Result<Vec<SessionRecord>, (RecoveryError, &'g PathBuf)> {
        let mut why = None;
        for folder in generations.values().rev() {
            self.found = Found::default();
            match self.generation(folder) {
                Ok(sessions) => {
                    if let Some((error, _)) = why {
                        tracing::warn!(%error, instead = %folder.display(), "the log that a start had begun is damaged; the one it was made from is whole");
                    }
                    return Ok(sessions);
                }
                Err(error) => why = Some(why.unwrap_or((error, folder))),
            }
        }
        why.map_or(Ok(Vec::new()), Err)
    }

    fn generation(&mut self, folder: &Path) -> Result<Vec<SessionRecord>, RecoveryError> {
        let segments = segment::all(folder).map_err(at(folder))?;
        let (mut sessions, mut shards) = (Vec::new(), None);
        for of_shard in segments.values() {
            if let Some((heading, mut records)) = self.newest_segment(of_shard)? {
                shards = Some(heading.shards);
                sessions.append(&mut records);
            }
        }
        let there = |shard: u32| segments.contains_key(&(shard as usize));
        let error = match shards {
            None => RecoveryError::Empty(folder.to_owned()),
            Some(shards) => match (0..shards).find(|&shard| !there(shard)) {
                Some(shard) => RecoveryError::Missing { folder: folder.to_owned(), shard, shards },
                None => return Ok(sessions),
            },
        };
        self.left_out(error).map(|()| sessions)
    }

    /// The newest segment of a shard with a whole checkpoint. The one before it goes when it is on the disk, so that there is one
    /// only where a loss of power came between: what was done since is lost with it, and nothing else.
    fn newest_segment(
        &mut self,
        segments: &BTreeMap<u64, PathBuf>,
    ) -> Result<Option<(Heading, Vec<SessionRecord>)>, RecoveryError> {
        let mut why = None;
        for path in segments.values().rev() {
            match self.segment(path, false) {
                Ok(read) => {
                    if let Some(error) = why {
                        tracing::warn!(%error, instead = %path.display(), "a segment's checkpoint did not get to the disk; what was done since is lost");
                    }
                    return Ok(Some(read));
                }
                Err(error @ (RecoveryError::Incomplete { .. } | RecoveryError::NoSegment { .. })) => {
                    why = Some(why.unwrap_or(error));
                }
                Err(error) => {
                    self.left_out(error)?;
                    return self.segment(path, true).map(Some);
                }
            }
        }
        let (Some(error), Some(path)) = (why, segments.values().next_back()) else { return Ok(None) };
        let readable = !matches!(error, RecoveryError::NoSegment { .. });
        self.left_out(error)?;
        if readable { self.segment(path, true).map(Some) } else { Ok(None) }
    }

    /// An error, unless the operator takes the loss; then it is told.
    fn left_out(&mut self, error: RecoveryError) -> Result<(), RecoveryError> {
        let lost =
            !matches!(error, RecoveryError::Io { .. } | RecoveryError::Ruleset { .. } | RecoveryError::Version { .. });
        if !self.accept_loss || !lost {
            return Err(error);
        }
        tracing::warn!("accepted as lost: {error}");
        if let RecoveryError::Damaged { frames, .. } = error {
            self.found.lost_frames += frames;
        }
        Ok(())
    }

    /// What a segment has; where it is cut short, what is before any damage.
    fn segment(&mut self, path: &Path, cut_short: bool) -> Result<(Heading, Vec<SessionRecord>), RecoveryError> {
        let bytes = fs::read(path).map_err(at(path))?;
        let (heading, mut rest) = Heading::read(&bytes).map_err(|why| match why {
            NoSegment::Version(found) => RecoveryError::Version { path: path.to_owned(), found },
            why => RecoveryError::NoSegment { path: path.to_owned(), why },
        })?;
        let (mut sessions, mut complete) = (Sessions::new(), false);
        let mut found = Found::default();
        loop {
            let offset = bytes.len() - rest.len();
            let before = rest;
            let payload = frame::next(&mut rest, heading.salt);
            match payload.and_then(|payload| payload.map(entry::entries).transpose()) {
                Ok(None) if complete || cut_short => break,
                Ok(Some((wall, entries))) => {
                    for entry in entries {
                        complete |= matches!(entry, Entry::CheckpointEnd);
                        match self.step(path, &mut sessions, &mut found, wall, entry) {
                            Err(RecoveryError::UnknownSession { .. }) if cut_short => {}
                            stepped => stepped?,
                        }
                    }
                    self.write_chunks(&mut sessions);
                }
                // Sessions in other frames of a checkpoint do not need this one.
                _ if cut_short && !complete && !before.is_empty() => {
                    rest = &before[frame::skip(before, heading.salt)..];
                }
                _ if cut_short => break,
                read => {
                    let damage = read.err().unwrap_or(Damage::Torn);
                    if !complete {
                        return Err(RecoveryError::Incomplete { path: path.to_owned(), offset, damage });
                    }
                    let Behind { frames, .. } = frame::behind(before, heading.salt);
                    if frames > 0 || damage == Damage::Entry {
                        return Err(RecoveryError::Damaged { path: path.to_owned(), offset, damage, frames });
                    }
                    // The last turn was being written when the process died or the power went: nothing of it had been shown.
                    let bytes = before.len();
                    tracing::warn!(path = %path.display(), offset, bytes, %damage, "the end of a log is torn; it is cut off");
                    found.torn_bytes += bytes as u64;
                    break;
                }
            }
        }
        self.found.inputs += found.inputs;
        self.found.torn_bytes += found.torn_bytes;
        self.found.failed += found.failed;
        let now = records::now();
        let sessions = sessions.into_values().flatten().map(|mut session| {
            session.was_away(now);
            session.into_record()
        });
        Ok((heading, sessions.collect()))
    }

    /// What cannot be written is held by its session a while longer.
    fn write_chunks(&mut self, sessions: &mut Sessions) {
        let Err((error, unwritten)) = self.chunks.write() else { return };
        for part in unwritten {
            for session in sessions.values_mut().flatten().filter(|session| session.id == part.session) {
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
        sessions: &mut Sessions,
        found: &mut Found,
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
                sessions.insert(no, Some(Session::from_record(record, self.folder)));
            }
            Entry::Input { no, at, input } => {
                let place = sessions.get_mut(&no).ok_or_else(|| unknown(no))?;
                // One that has failed takes no more inputs.
                let Some(session) = place else { return Ok(()) };
                found.inputs += 1;
                let id = session.id;
                // After a panic the session is dropped as it is, so nobody sees it broken.
                let stepped = catch_unwind(AssertUnwindSafe(|| session.replay(at, wall, input)));
                if stepped.is_err() {
                    tracing::error!(session = %id, "stepping a session again panicked; it is ended");
                    found.failed += 1;
                    *place = None;
                    return Ok(());
                }
                // What has become too long now had become so before, and that has been told.
                let _ = session.spill(&mut self.chunks, |_, _| true);
            }
            Entry::Describe { no, description } => {
                let session = sessions.get_mut(&no).ok_or_else(|| unknown(no))?;
                if let Some(session) = session {
                    session.describe(wall, description.into_owned());
                }
            }
            Entry::Forget { no } => {
                sessions.remove(&no).ok_or_else(|| unknown(no))?;
            }
            Entry::CheckpointEnd => {}
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
mod tests;
