//! Reading the log at start: every session is put back by stepping its inputs again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;
use uuid::Uuid;

use crate::clock;
use crate::limits;
use crate::log::Journal;
use crate::log::frame::{self, Damage, HEADER};
use crate::log::marks::{Marked, Missing};
use crate::log::segment::{self, HEADING, Heading, MAGIC, MAGIC_NAME, NoSegment};
use crate::replays::{ChunkWriter, Folder};
use crate::rules::Library;
use crate::session::{hex, shard_of};
use crate::shard::entry::{self, Entry};
use crate::shard::generation::Generations;
use crate::shard::session::OtherRuleset;
use crate::shard::{Session, SessionRecord};

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

/// Why a log cannot be recovered. Nothing has been changed on disk.
#[derive(Debug, Error)]
pub enum RecoveryError {
    #[error("{path}: {source}")]
    Io { path: PathBuf, source: io::Error },
    #[error("{0}: in use by another process")]
    Locked(PathBuf),
    #[error(
        "{path}: damaged at byte {offset}: {damage}; {frames} turns behind it are whole, of {fights}. Restore the file from a backup, or start once with --accept-loss, which goes on from what is before the damage and keeps the damaged files aside"
    )]
    Damaged { path: PathBuf, offset: usize, damage: Damage, frames: u64, fights: Fights },
    #[error(
        "{path}: damaged at byte {offset}, inside the checkpoint that a segment begins with: {damage}; {turns} turns behind it are whole, of {fights}. Restore the file from a backup, or start once with --accept-loss, which goes on with the sessions that can be read and keeps the damaged files aside"
    )]
    Incomplete { path: PathBuf, offset: usize, damage: Damage, turns: u64, fights: Fights },
    #[error(
        "{path}: {why}; {turns} turns in it are whole, of {fights}. Restore the file from a backup, or start once with --accept-loss, which goes on with what can be read and keeps the damaged files aside"
    )]
    NoSegment {
        path: PathBuf,
        why: NoSegment,
        turns: u64,
        fights: Fights,
        /// Zeros, or less than a heading.
        empty: bool,
    },
    #[error(
        "{path}: an older copy: {missing}. It has {fights}, of which any may be set back. Restore the newer file, or start once with --accept-loss, which goes on from what is there and keeps it aside"
    )]
    Behind { path: PathBuf, missing: Missing, fights: Fights },
    #[error(
        "{path}: a journal of form {found}; this version reads form {}. Let the version that wrote it end its sessions, or move the folder `log` away and start once with --accept-loss to start without them",
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
        "{folder}: the log in use is not there. Restore it from a backup, or start once with --accept-loss, which goes on with an older one, or without any"
    )]
    Gone { folder: PathBuf },
    #[error(
        "{0}: does not say which generation of the log is in use. Restore it from a backup, or start once with --accept-loss, which takes the newest"
    )]
    InUse(PathBuf),
    #[error("{0}: not a folder, as the log has under such a name; move it away")]
    NoFolder(PathBuf),
    #[error("{0}: the log has no number for the next; give it a smaller one")]
    Number(PathBuf),
    #[error(
        "{path}: session {session} is pinned to the ruleset with the hash {hash}, which no ruleset of this server has; they are looked for among those it was built with, in its folder of rules, and as {hash}.toml in {kept}"
    )]
    Ruleset { path: PathBuf, session: Uuid, hash: String, kept: PathBuf },
    #[error("{path}: {other}")]
    OtherRuleset { path: PathBuf, other: OtherRuleset },
    #[error(
        "{path}: entry for session number {no}, which the segment has not introduced. Restore the file from a backup, or start once with --accept-loss, which leaves such entries out"
    )]
    UnknownSession { path: PathBuf, no: u32 },
}

impl RecoveryError {
    /// Whether it may be accepted as lost.
    pub fn is_loss(&self) -> bool {
        match self {
            Self::Io { .. }
            | Self::Locked(_)
            | Self::Ruleset { .. }
            | Self::OtherRuleset { .. }
            | Self::Version { .. }
            | Self::NoFolder(_)
            | Self::Number(_) => false,
            Self::Damaged { .. }
            | Self::Incomplete { .. }
            | Self::NoSegment { .. }
            | Self::Behind { .. }
            | Self::Missing { .. }
            | Self::Empty(_)
            | Self::Gone { .. }
            | Self::InUse(_)
            | Self::UnknownSession { .. } => true,
        }
    }

    /// Whether it is about this session's journal, as far as that is known; otherwise about every session.
    pub fn concerns(&self, session: Uuid) -> bool {
        let of = match self {
            Self::Missing { shard, shards, .. } => Some((*shard as usize, *shards as usize)),
            Self::Damaged { path, .. }
            | Self::Incomplete { path, .. }
            | Self::NoSegment { path, .. }
            | Self::Behind { path, .. } => {
                let shards = path.parent().and_then(|folder| segment::all(folder).ok()).map_or(0, |all| all.len());
                segment::shard(path).map(|shard| (shard, shards)).filter(|(shard, shards)| shard < shards)
            }
            _ => None,
        };
        of.is_none_or(|(shard, shards)| shard_of(session, shards) == shard)
    }

    /// Whether it may be that the disk never had all of it, and it has no turn that anybody could know.
    fn is_unfinished(&self) -> bool {
        matches!(self, Self::Incomplete { turns: 0, .. } | Self::NoSegment { empty: true, .. })
    }
}

/// Fights that something concerns: some by name, all by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fights {
    pub named: Box<[Uuid]>,
    pub count: usize,
}

impl FromIterator<Uuid> for Fights {
    fn from_iter<I: IntoIterator<Item = Uuid>>(all: I) -> Self {
        let (mut named, mut count) = (Vec::new(), 0);
        for id in all {
            count += 1;
            if named.len() < limits::LOST_FIGHTS_NAMED {
                named.push(id);
            }
        }
        Self { named: named.into(), count }
    }
}

impl fmt::Display for Fights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.count {
            0 => return f.write_str("no known fight"),
            1 => f.write_str("1 fight: ")?,
            count => write!(f, "{count} fights: ")?,
        }
        for (place, id) in self.named.iter().enumerate() {
            write!(f, "{}{id}", if place > 0 { ", " } else { "" })?;
        }
        if self.count > self.named.len() { write!(f, " and {} more", self.count - self.named.len()) } else { Ok(()) }
    }
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> RecoveryError {
    let path = path.to_owned();
    move |source| RecoveryError::Io { path, source }
}

/// Where a log should be below `data`, if a start has recovered one there before and there is nothing of it.
pub fn gone(data: &Path) -> Option<RecoveryError> {
    let root = data.join("log");
    // Made together with the first generation, and never removed.
    let used = data.join("replays").is_dir();
    (used && !Generations::is_any(&root)).then_some(RecoveryError::Gone { folder: root })
}

/// How far the journals of the log below `data` were whole, and why a start would stop before it reads any. Nothing is changed.
pub fn look(data: &Path) -> (Marked, Option<RecoveryError>) {
    let root = data.join("log");
    let why = gone(data).or_else(|| match Generations::look(&root, false) {
        Ok(generations) => generations.gone(),
        // Nothing yet.
        Err(RecoveryError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(error),
    });
    (Marked::look(&root), why)
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
    let generations = Generations::look(&root, accept_loss)?;
    if let Some(damage) = &generations.marked().damage {
        tracing::warn!(folder = %root.display(), damage, "the marks of how far the log was whole cannot be read; turns that are missing at the end of a journal may not be noticed");
    }
    let folder = Folder::open(data).map_err(at(data))?;
    let mut old = Replay {
        library,
        kept: data.join("rules"),
        chunks: ChunkWriter::new(Arc::clone(&folder), 0),
        folder: &folder,
        marked: generations.marked(),
        accept_loss: false,
        found: Found::default(),
    };
    let mut by_shard: Vec<Vec<SessionRecord>> = (0..shards).map(|_| Vec::new()).collect();
    let begun = old.newest(&generations, accept_loss).and_then(|(records, damaged)| {
        // What is about to refer to the tapes' parts is on the disk before what it takes the place of is gone.
        old.chunks.unsynced().sync().map_err(at(data))?;
        for record in records {
            by_shard[shard_of(record.id, shards)].push(record);
        }
        Ok((generations.begin(&by_shard, sync)?, damaged))
    });
    // A start that fails leaves things as they were.
    let (journals, damaged) = begun.inspect_err(|_| old.chunks.unsynced().remove())?;
    generations.retire(damaged)?;
    Ok(Recovered { shards: journals.into_iter().zip(by_shard).collect(), lock, found: old.found, folder })
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

/// Segments being stepped again.
#[derive(Debug)]
struct Replay<'a> {
    library: &'a Library,
    /// Where rulesets are kept under their hash.
    kept: PathBuf,
    folder: &'a Folder,
    /// How far journals were whole.
    marked: &'a Marked,
    chunks: ChunkWriter,
    /// What cannot be read is left out.
    accept_loss: bool,
    found: Found,
}

/// What a segment has.
#[derive(Debug)]
struct Read {
    /// If it can be read.
    heading: Option<Heading>,
    /// Where its whole frames end.
    end: u64,
    /// Whether something else than the mark of an end is behind them, or nothing.
    torn: bool,
    records: Vec<SessionRecord>,
}

/// Sessions of a segment by their number; `None` where one could not be stepped again.
type Sessions = BTreeMap<u32, Option<Session>>;

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
                    let no_turn = error.is_unfinished() && self.found.inputs == 0;
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
                Ok(Some(mut segment)) => {
                    shards = shards.or(segment.heading.map(|heading| heading.shards));
                    read = true;
                    sessions.append(&mut segment.records);
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

    /// The newest segment of a shard. Only where its name says that the disk may never have had its checkpoint, and it has no turn,
    /// the one before is taken for it, which is there for that: nothing is lost then but what a loss of power takes.
    fn newest_segment(&mut self, segments: &BTreeMap<u64, PathBuf>) -> Result<Option<Read>, RecoveryError> {
        let oldest = segments.values().next();
        for path in segments.values().rev() {
            let error = match self.segment(path, false) {
                Ok(read) => {
                    self.compare(path, &read)?;
                    return Ok(Some(read));
                }
                Err(error) => error,
            };
            if error.is_unfinished() && segment::is_begun(path) && Some(path) != oldest {
                tracing::warn!(%error, "a segment's checkpoint did not get to the disk; what was done since is lost");
                continue;
            }
            let behind = if let RecoveryError::Incomplete { turns, .. } = error { Some(turns) } else { None };
            self.left_out(error)?;
            if let Some(turns) = behind
                && Some(path) != oldest
            {
                // An older one with all sessions is worth more than a part of the newest.
                self.found.lost_frames += turns;
                continue;
            }
            match self.segment(path, true) {
                Err(RecoveryError::NoSegment { .. }) => {
                    self.found.torn_bytes += fs::metadata(path).map_or(0, |file| file.len());
                }
                read => return read.map(Some),
            }
        }
        self.found.lost_journals += 1;
        Ok(None)
    }

    /// Compares what was read of a shard with its mark: what was acknowledged and is not there is an error where the journal is whole, which
    /// is from before then. What the disk may never have had when the power went, and what a torn end had, is told and counted, and so is
    /// what the operator gives up.
    fn compare(&mut self, path: &Path, read: &Read) -> Result<(), RecoveryError> {
        let missing = read.heading.and_then(|heading| self.marked.missing(&heading, read.end));
        let Some(missing) = missing else { return Ok(()) };
        let fights: Fights = read.records.iter().map(|record| record.id).collect();
        let by_tear = read.torn && missing.there.0 == missing.marked.0;
        if missing.by_power || by_tear {
            let bytes = missing.bytes();
            tracing::error!(path = %path.display(), bytes, by_tear, %missing, %fights, "the end of a log is lost; any of its fights may be set back");
        } else {
            self.left_out(RecoveryError::Behind { path: path.to_owned(), missing, fights })?;
        }
        self.found.missing_bytes += missing.bytes();
        Ok(())
    }

    /// An error, unless the operator takes the loss; then it is told.
    fn left_out(&mut self, error: RecoveryError) -> Result<(), RecoveryError> {
        if !self.accept_loss || !error.is_loss() {
            return Err(error);
        }
        tracing::warn!("accepted as lost: {error}");
        Ok(())
    }

    /// What a segment has; where it is cut short, what can be read of it, whatever its heading says.
    fn segment(&mut self, path: &Path, cut_short: bool) -> Result<Read, RecoveryError> {
        let bytes = fs::read(path).map_err(at(path))?;
        let (heading, salt, mut rest) = match Heading::read_at(path, &bytes) {
            Ok((heading, rest)) if !self.marked.is_another(&heading) => (Some(heading), heading.salt, rest),
            Err(NoSegment::Version(found)) => return Err(RecoveryError::Version { path: path.to_owned(), found }),
            read => {
                let why = read.err().unwrap_or(NoSegment::Another);
                let of_other = matches!(why, NoSegment::Elsewhere { .. } | NoSegment::Another);
                match salt_without_heading(&bytes) {
                    Some(salt) if cut_short && !of_other => (None, salt, &bytes[HEADING..]),
                    salt => {
                        let whole = salt.map(|salt| whole_turns(&bytes[HEADING..], salt, &Sessions::new(), true));
                        let (turns, fights) = whole.unwrap_or_default();
                        let empty = bytes.len() < HEADING || bytes.iter().all(|&byte| byte == 0);
                        return Err(RecoveryError::NoSegment { path: path.to_owned(), why, turns, fights, empty });
                    }
                }
            }
        };
        let (mut sessions, mut complete, mut ended) = (Sessions::new(), false, false);
        let (mut end, mut torn) = (0, true);
        let mut found = Found::default();
        loop {
            let offset = bytes.len() - rest.len();
            let before = rest;
            let payload = frame::next(&mut rest, salt);
            let has_ended = std::mem::replace(&mut ended, matches!(payload, Ok(Some([]))));
            if ended {
                continue;
            }
            match payload.and_then(|payload| payload.map(entry::entries).transpose()) {
                Ok(None) if complete || cut_short => {
                    torn = !has_ended;
                    if torn {
                        // Of the turn that was being written nothing is there, or of more.
                        tracing::warn!(path = %path.display(), offset, "the end of a log is cut off");
                        found.torn_bytes += HEADER as u64;
                    }
                    break;
                }
                Ok(Some((wall, entries))) => {
                    let mut left_out = false;
                    for entry in entries {
                        complete |= matches!(entry, Entry::CheckpointEnd);
                        match self.step(path, &mut sessions, &mut found, wall, entry) {
                            Err(RecoveryError::UnknownSession { .. }) if cut_short => left_out = true,
                            stepped => stepped?,
                        }
                    }
                    found.lost_frames += u64::from(left_out);
                    end = (bytes.len() - rest.len()) as u64;
                    self.write_chunks(&mut sessions);
                }
                // Sessions in other frames of a checkpoint do not need this one.
                _ if cut_short && !complete && !before.is_empty() => {
                    rest = &before[frame::skip(before, salt)..];
                    found.torn_bytes += (before.len() - rest.len()) as u64;
                }
                _ if cut_short => {
                    found.lost_frames += whole_turns(before, salt, &sessions, false).0;
                    found.torn_bytes += before.len() as u64;
                    break;
                }
                read => {
                    let damage = read.err().unwrap_or(Damage::Torn);
                    let path = path.to_owned();
                    let (frames, fights) = whole_turns(before, salt, &sessions, !complete);
                    if !complete {
                        return Err(RecoveryError::Incomplete { path, offset, damage, turns: frames, fights });
                    }
                    if frames > 0 || damage == Damage::Entry {
                        return Err(RecoveryError::Damaged { path, offset, damage, frames, fights });
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
        self.found.lost_frames += found.lost_frames;
        self.found.failed += found.failed;
        let now = clock::now_ms();
        let sessions = sessions.into_values().flatten().map(|mut session| {
            session.was_away(now);
            session.into_record()
        });
        Ok(Read { heading, end, torn, records: sessions.collect() })
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
                let record = record.into_owned();
                let ruleset = self.library.by_hash(&record.ruleset).ok_or_else(|| RecoveryError::Ruleset {
                    path: path.to_owned(),
                    session: record.id,
                    hash: hex(&record.ruleset),
                    kept: self.kept.clone(),
                })?;
                let session = Session::from_record(record, ruleset, self.folder);
                let session = session.map_err(|other| RecoveryError::OtherRuleset { path: path.to_owned(), other })?;
                sessions.insert(no, Some(session));
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

/// Whole turns behind damage that `bytes` begin with, and what fights they are of, of `sessions` and those that are introduced there. Where
/// `all`, those of no turn are named, too: what is at stake is not only turns.
fn whole_turns(bytes: &[u8], salt: u32, sessions: &Sessions, all: bool) -> (u64, Fights) {
    let before = sessions.iter().filter_map(|(&no, session)| Some((no, session.as_ref()?.id)));
    let mut known: BTreeMap<u32, Uuid> = before.collect();
    let mut fights: BTreeSet<Uuid> = if all { known.values().copied().collect() } else { BTreeSet::new() };
    let turns = frame::behind(bytes, salt, |payload| {
        let is_turn = entry::is_turn(payload);
        for entry in entry::entries(payload).map_or_else(|_| Vec::new(), |(_, entries)| entries) {
            let no = match entry {
                Entry::Session { no, record } => {
                    known.insert(no, record.id);
                    no
                }
                Entry::Input { no, .. } | Entry::Describe { no, .. } | Entry::Forget { no } => no,
                Entry::CheckpointEnd => continue,
            };
            fights.extend(known.get(&no).filter(|_| is_turn || all));
        }
        is_turn
    });
    (turns.frames, fights.into_iter().collect())
}

/// The salt of a segment whose heading cannot be read: what its first frame tells, or what the heading says if there are such
/// frames.
fn salt_without_heading(bytes: &[u8]) -> Option<u32> {
    let (heading, rest) = bytes.split_first_chunk::<HEADING>()?;
    frame::salt_of(rest).or_else(|| {
        let said = Heading::salt_said(heading);
        (frame::skip(rest, said) < rest.len()).then_some(said)
    })
}

#[cfg(test)]
#[path = "recovery_tests.rs"]
pub(crate) mod tests;
