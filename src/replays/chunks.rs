//! The parts of tapes that no longer fit into memory: appended to files that all sessions of a shard share, each part
//! knowing where the one before it is.
//!
//! ```text
//! replays/<shard>-<n>.chunks     frames of length u32 | crc32 u32 | payload, as in the log
//! ```
//!
//! A part that was written after the last checkpoint of the log may be written once more after a crash: nothing refers to
//! the first copy then.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::recorder::Recorder;
use crate::limits;
use crate::log::frame::{self, HEADER};

/// Which file: of which shard, and its number, unlike that of any other file of the folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FileId {
    shard: u16,
    n: u32,
}

/// Of the frames in such files: they are told apart from those of the log.
const SALT: u32 = 0x7061_7274;

/// Where a part of a tape is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    pub file: FileId,
    pub offset: u64,
}

/// A file of parts. Whoever holds it keeps it from being removed.
#[derive(Debug)]
pub struct ChunkFile {
    id: FileId,
    path: PathBuf,
}

/// Every file of parts there is.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    files: Mutex<BTreeMap<FileId, Arc<ChunkFile>>>,
    next: AtomicU32,
}

/// Writes the parts of one shard's sessions: gathered during a turn, appended at its end.
#[derive(Debug)]
pub struct ChunkWriter {
    folder: Arc<Folder>,
    shard: u16,
    current: Option<Current>,
    /// Files that were finished since the disk was known to have everything.
    finished: Vec<PathBuf>,
    /// The frames of this turn.
    batch: Vec<u8>,
    /// What of the batch is whose.
    owners: Vec<Owner>,
    /// Why there is no file for them.
    failure: Option<io::Error>,
    /// Bytes that the tape of one fight may have, for each of its seats and in all.
    pub(crate) most: (u64, u64),
    /// Makes every write fail.
    #[cfg(test)]
    pub(crate) failing: Arc<std::sync::atomic::AtomicBool>,
}

#[derive(Debug)]
struct Current {
    chunks: Arc<ChunkFile>,
    file: File,
    /// Everything before is whole.
    end: u64,
}

/// Files that the disk may not have yet.
#[derive(Debug)]
pub struct Unsynced {
    folder: PathBuf,
    files: Vec<PathBuf>,
}

/// A part in the batch.
#[derive(Debug)]
struct Owner {
    session: Uuid,
    /// Bytes of the batch that are the part itself; none where there was no file for it.
    part: Range<usize>,
    before: Option<Place>,
}

/// A part that could not be written.
#[derive(Debug)]
pub struct Unwritten {
    pub session: Uuid,
    part: Vec<u8>,
    before: Option<Place>,
}

/// What a frame holds, in front of the part itself.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Heading {
    session: Uuid,
    before: Option<Place>,
}

impl ChunkFile {
    /// The one of this name in the folder of replays at `folder`, whether it is there or not, to be read only.
    pub fn at(folder: &Path, id: FileId) -> Self {
        Self { id, path: folder.join(id.name()) }
    }

    pub fn id(&self) -> FileId {
        self.id
    }
}

impl Unsynced {
    /// Waits until the disk has them, but for those that nobody needed any more.
    pub fn sync(&self) -> io::Result<()> {
        for path in &self.files {
            match File::open(path) {
                Ok(file) => file.sync_data()?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        if self.files.is_empty() { Ok(()) } else { File::open(&self.folder)?.sync_data() }
    }

    /// Removes them: nothing refers to them, and nothing is going to.
    pub fn remove(&self) {
        for path in &self.files {
            if let Err(error) = fs::remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "a file of replays could not be removed");
            }
        }
    }
}

impl Unwritten {
    /// Gives it back to whose it was. Of several of one session the last comes first.
    pub fn put_back(&self, recorder: &mut Recorder) {
        if !self.part.is_empty() {
            recorder.put_back(&self.part, self.before);
        }
    }
}

impl FileId {
    fn of(path: &Path) -> Option<Self> {
        let (shard, n) = path.file_name()?.to_str()?.strip_suffix(".chunks")?.split_once('-')?;
        Some(Self { shard: shard.parse().ok()?, n: n.parse().ok()? })
    }

    /// The file's name in its folder.
    pub fn name(self) -> String {
        format!("{}-{}.chunks", self.shard, self.n)
    }
}

impl Folder {
    /// The folder below the data folder, made where there is none.
    pub fn open(data: &Path) -> io::Result<Arc<Self>> {
        let path = data.join("replays");
        fs::create_dir_all(&path)?;
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(&path)? {
            let path = entry?.path();
            if let Some(id) = FileId::of(&path) {
                files.insert(id, Arc::new(ChunkFile { id, path }));
            }
        }
        let next = files.keys().map(|id| id.n).max().map_or(1, |highest| highest.saturating_add(1));
        Ok(Arc::new(Self { path, files: Mutex::new(files), next: AtomicU32::new(next) }))
    }

    /// A file that a session from the log has parts in; if it is not there, reading will tell.
    pub fn file(&self, id: FileId) -> Arc<ChunkFile> {
        let new = || Arc::new(ChunkFile { id, path: self.path_of(id) });
        Arc::clone(self.lock().entry(id).or_insert_with(new))
    }

    /// Removes the files that nobody holds any more.
    pub fn sweep(&self) {
        let mut files = self.lock();
        let unused: Vec<FileId> =
            files.iter().filter(|(_, file)| Arc::strong_count(file) == 1).map(|(&id, _)| id).collect();
        for id in unused {
            let Some(file) = files.remove(&id) else { continue };
            if let Err(error) = fs::remove_file(&file.path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %file.path.display(), %error, "a file of replays could not be removed");
            }
        }
    }

    fn create(&self, shard: u16) -> io::Result<Current> {
        let id = FileId { shard, n: self.next.fetch_add(1, Ordering::Relaxed) };
        let path = self.path_of(id);
        let file = File::create(&path)?;
        let chunks = Arc::new(ChunkFile { id, path });
        self.lock().insert(id, Arc::clone(&chunks));
        Ok(Current { chunks, file, end: 0 })
    }

    fn path_of(&self, id: FileId) -> PathBuf {
        self.path.join(id.name())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<FileId, Arc<ChunkFile>>> {
        // Nothing panics while it is held.
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChunkWriter {
    /// For `shard`. Nothing is opened before there is something to write.
    pub fn new(folder: Arc<Folder>, shard: usize) -> Self {
        Self {
            folder,
            shard: u16::try_from(shard).unwrap_or(u16::MAX),
            current: None,
            finished: Vec::new(),
            batch: Vec::new(),
            owners: Vec::new(),
            failure: None,
            most: (limits::REPLAY_BYTES_PER_SEAT, limits::REPLAY_BYTES),
            #[cfg(test)]
            failing: Arc::default(),
        }
    }

    /// Bytes that the tape of a fight of so many seats may have.
    pub fn most(&self, seats: u8) -> u64 {
        let (per_seat, most) = self.most;
        most.min(per_seat.saturating_mul(seats.into()))
    }

    /// Where its files are.
    pub const fn folder(&self) -> &Arc<Folder> {
        &self.folder
    }

    /// A session has come that has parts in these files: a checkpoint is going to refer to them, also to those of other shards, of which it is not
    /// known whether the disk has them.
    pub fn refer_to(&mut self, files: &[Arc<ChunkFile>]) {
        for file in files.iter().filter(|file| file.id.shard != self.shard) {
            if !self.finished.contains(&file.path) {
                self.finished.push(file.path.clone());
            }
        }
    }

    /// Takes what a session's recorder holds, to be written at the end of the turn; not what it holds for a file with a higher number, before
    /// there can be one.
    pub fn take(&mut self, session: Uuid, recorder: &mut Recorder) {
        let before = recorder.last();
        // The order of parts is that of their files, also of one that has come from a shard with a newer file.
        if let (Some(before), Some(current)) = (before, &self.current)
            && before.file.n > current.chunks.id.n
        {
            if !self.batch.is_empty() {
                return;
            }
            self.finished.extend(self.current.take().map(|current| current.chunks.path.clone()));
        }
        if self.failure.is_some() {
            // Asked once in a turn is enough.
            self.owners.push(Owner { session, part: 0..0, before });
            return;
        }
        let current = match &mut self.current {
            Some(current) => current,
            None => match self.folder.create(self.shard) {
                Ok(created) => self.current.insert(created),
                Err(error) => {
                    self.owners.push(Owner { session, part: 0..0, before });
                    self.failure = Some(error);
                    return;
                }
            },
        };
        let place = Place { file: current.chunks.id, offset: current.end + self.batch.len() as u64 };
        let start = self.batch.len();
        self.batch.resize(start + HEADER, 0);
        let batch = std::mem::take(&mut self.batch);
        let heading = Heading { session, before };
        self.batch = postcard::to_extend(&heading, batch).expect("a heading has no value that postcard refuses");
        let part = self.batch.len();
        self.batch.extend_from_slice(recorder.tape());
        self.owners.push(Owner { session, part: part..self.batch.len(), before });
        frame::seal(&mut self.batch[start..], SALT);
        recorder.written(place, &current.chunks);
    }

    /// Appends the turn's frames and returns their bytes. After an error none of them is there, and all of them are returned,
    /// the last first.
    pub fn write(&mut self) -> Result<u64, (io::Error, Vec<Unwritten>)> {
        let bytes = self.batch.len() as u64;
        let written = match (self.failure.take(), &self.current) {
            (Some(error), _) => Err(error),
            (None, Some(current)) if bytes > 0 => self.append(current),
            (None, _) => return Ok(0),
        };
        let owners = self.owners.drain(..).rev();
        let unwritten = |error| {
            let batch = &self.batch;
            let back = |owner: Owner| Unwritten {
                session: owner.session,
                part: batch[owner.part].to_vec(),
                before: owner.before,
            };
            (error, owners.map(back).collect())
        };
        let written = written.map_err(unwritten);
        self.owners.clear();
        self.batch.clear();
        written?;
        if let Some(current) = &mut self.current {
            current.end += bytes;
            if current.end > limits::CHUNK_FILE_BYTES {
                self.finished.extend(self.current.take().map(|current| current.chunks.path.clone()));
            }
        }
        Ok(bytes)
    }

    fn append(&self, current: &Current) -> io::Result<()> {
        #[cfg(test)]
        if self.failing.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // At an offset: what a failed try left behind is overwritten by the next.
        current.file.write_all_at(&self.batch, current.end)
    }

    /// What a checkpoint is going to refer to and the disk may not have. [`ChunkWriter::synced`] when it is taken care of.
    pub fn unsynced(&self) -> Unsynced {
        let current = self.current.iter().map(|current| current.chunks.path.clone());
        Unsynced { folder: self.folder.path.clone(), files: self.finished.iter().cloned().chain(current).collect() }
    }

    /// What was unsynced is on the disk, or on its way.
    pub fn synced(&mut self) {
        self.finished.clear();
    }

    /// Removes the files that no session needs any more, of whatever shard.
    pub fn sweep(&self) {
        self.folder.sweep();
    }

    /// Gives back the room that the largest turn needed.
    pub fn shrink(&mut self) {
        self.batch.shrink_to_fit();
        self.owners.shrink_to_fit();
    }
}

/// Whole parts of a file, and where it is damaged, with the whole parts behind that; a torn end is no damage.
pub fn inspect(bytes: &[u8]) -> (u64, Option<(usize, u64)>) {
    let (mut rest, mut parts) = (bytes, 0);
    loop {
        let before = rest;
        match frame::next(&mut rest, SALT) {
            Ok(None) => return (parts, None),
            Ok(Some(_)) => parts += 1,
            Err(_damage) => {
                let behind = frame::behind(before, SALT, |_part| true).frames;
                return (parts, (behind > 0).then_some((bytes.len() - before.len(), behind)));
            }
        }
    }
}

/// Goes through the parts of `session` from the newest, `last`, to its first, and hands each to `part`; they must have `bytes` in all. Where
/// `known` says of a place and of the bytes up to it that they are had already, that is as good as the first. Returns how many are had.
pub fn walk(
    session: Uuid,
    (last, bytes): (Option<Place>, u64),
    file: impl Fn(FileId) -> Option<Arc<ChunkFile>>,
    known: impl Fn(Option<Place>, u64) -> bool,
    mut part: impl FnMut(Vec<u8>),
) -> io::Result<u64> {
    let bad = |what| io::Error::new(io::ErrorKind::InvalidData, format!("session {session}: {what}"));
    let (mut missing, mut next) = (bytes, last);
    while let Some(place) = next {
        if known(next, missing) {
            return Ok(missing);
        }
        let file = file(place.file).ok_or_else(|| bad("a part in a file that it does not hold"))?;
        let (read, before) = self::read(&file, session, place.offset)?;
        // No part is empty, so this ends.
        let length = read.len() as u64;
        missing = missing.checked_sub(length).filter(|_| length > 0).ok_or_else(|| bad("parts that do not add up"))?;
        part(read);
        next = before;
    }
    if missing > 0 { Err(bad("parts that do not add up")) } else { Ok(0) }
}

/// The part of `session` at `offset` of a file, and where the one before it is.
pub fn read(file: &ChunkFile, session: Uuid, offset: u64) -> io::Result<(Vec<u8>, Option<Place>)> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", file.path.display()));
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => bad(&format!("it ends before the part at byte {offset} does")),
        kind => io::Error::new(kind, format!("{}: {error}", file.path.display())),
    };
    let open = File::open(&file.path).map_err(failed)?;
    let mut header = [0; HEADER];
    open.read_exact_at(&mut header, offset).map_err(failed)?;
    let length = u32::from_le_bytes([header[0], header[1], header[2], header[3]]) as usize;
    if length > limits::CHUNK_MOST_BYTES {
        return Err(bad("a part that is too long"));
    }
    let mut frame = header.to_vec();
    frame.resize(HEADER + length, 0);
    open.read_exact_at(&mut frame[HEADER..], offset + HEADER as u64).map_err(failed)?;
    let payload = frame::next(&mut frame.as_slice(), SALT).map_err(|damage| bad(&damage.to_string()))?;
    let payload = payload.ok_or_else(|| bad("nothing where a part should be"))?;
    let (heading, part): (Heading, _) =
        postcard::take_from_bytes(payload).map_err(|_| bad("a part without a heading"))?;
    if heading.session != session {
        return Err(bad("a part of another session"));
    }
    Ok((part.to_vec(), heading.before))
}

/// A place in the order of writing: the file's number and the offset in it.
type Order = (u32, u64);

/// What is there of `session`'s tape from its beginning on, in `files` of which one is damaged.
pub fn salvage(files: &[Arc<ChunkFile>], session: Uuid) -> Vec<u8> {
    // By the place of the part before; where there are two, the later one was written after a crash, and is the one referred to.
    let mut parts: BTreeMap<Option<Order>, (Order, Vec<u8>)> = BTreeMap::new();
    let order = |place: Place| -> Order { (place.file.n, place.offset) };
    for file in files {
        let Ok(bytes) = fs::read(&file.path) else { continue };
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let place = order(Place { file: file.id, offset: (bytes.len() - rest.len()) as u64 });
            let Ok(Some(payload)) = frame::next(&mut rest, SALT) else {
                rest = &rest[1..];
                continue;
            };
            let Ok((heading, part)) = postcard::take_from_bytes::<Heading>(payload) else { continue };
            let before = heading.before.map(order);
            let newer = parts.get(&before).is_none_or(|(known, _)| *known < place);
            if heading.session == session && newer && before < Some(place) {
                parts.insert(before, (place, part.to_vec()));
            }
        }
    }
    let (mut tape, mut before) = (Vec::new(), None);
    while let Some((place, part)) = parts.remove(&before) {
        tape.extend_from_slice(&part);
        before = Some(place);
    }
    tape
}
