//! The way back from a log in Redis: the node's sessions are taken over, each from whoever had it, and what there is of them is stepped again.
//! The data folder says in `log/redis` which log it is that its node goes on with.

use std::fs;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use super::generation::Generations;
use super::{Fights, Found, Recovered, RecoveryError, Replay, at, lock, newest_of_each};
use crate::clock;
use crate::config::RedisUrl;
use crate::limits;
use crate::log::redis::start::{Asked, Client, Promise, Stored};
use crate::log::segment::{FORM, FORM_BEFORE};
use crate::log::{RedisLog, disk};
use crate::replays::{ChunkWriter, Folder};
use crate::rules::Library;
use crate::session::{hex, shard_of};
use crate::shard::entry::{self, Entry};
use crate::shard::{Session, SessionRecord};

/// The file below `log/` that says so: which log, and under which name.
const MARK: &str = "redis";

fn mark(root: &Path) -> Result<Option<String>, RecoveryError> {
    let path = root.join(MARK);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(&path)(error)),
    }
}

/// That the log of this data folder is in Redis, if its folder says so.
pub(super) fn said(root: &Path) -> Option<RecoveryError> {
    let what = mark(root).transpose()?;
    Some(what.map_or_else(|error| error, |what| RecoveryError::InRedis { path: root.join(MARK), what }))
}

/// A start with a log in files: that of before is not in Redis, unless its loss is accepted.
pub(super) fn leave(root: &Path, accept_loss: bool) -> Result<(), RecoveryError> {
    let Some(error) = said(root) else { return Ok(()) };
    accepted(error, accept_loss)?;
    let path = root.join(MARK);
    disk::remove(&path).map_err(at(&path))
}

/// Takes the sessions of the node over that the log in Redis has.
pub fn recover(
    (url, node): (&RedisUrl, &str),
    data: &Path,
    shards: usize,
    accept_loss: bool,
    library: &Library,
) -> Result<Recovered<RedisLog>, RecoveryError> {
    let root = data.join("log");
    fs::create_dir_all(&root).map_err(at(&root))?;
    let lock = lock(&root)?;
    let folder = Folder::open(data).map_err(at(data))?;
    let mut client = Client::connect(url, node)?;
    let promise = client.promise()?;
    let Promise { version, waits, .. } = &promise;
    tracing::info!(%url, version, appendfsync = waits.as_deref().unwrap_or("unknown"), "the log is in Redis");
    if let Some(warning) = promise.warning() {
        tracing::warn!(%url, "{warning}");
    }
    let of_before = is_of_before(&root, &mut client, (url, node));
    if let Err(error) = of_before.and_then(|()| nothing_in_files(&root, data, &folder, library)) {
        accepted(error, accept_loss)?;
    }
    let mut back = Back::new(library, &folder, data, url);
    let mut by_shard: Vec<Vec<SessionRecord>> = (0..shards).map(|_| Vec::new()).collect();
    let (mut out, mut expired) = (Vec::new(), Vec::new());
    let sessions = client.sessions()?;
    for some in sessions.chunks(limits::REDIS_SESSIONS_AT_ONCE) {
        for (&session, asked) in some.iter().zip(client.take(some, true)?) {
            match asked {
                Asked::Over => out.push(session),
                Asked::Elsewhere { owner } => {
                    tracing::warn!(%session, owner, "a session is another node's by now");
                    out.push(session);
                }
                Asked::There(stored) => match back.session(session, stored) {
                    Ok(Some(record)) => by_shard[shard_of(record.id, shards)].push(record),
                    Ok(None) => expired.push(session),
                    Err(error) => {
                        accepted(error, accept_loss)?;
                        back.found.lost_journals += 1;
                        expired.push(session);
                    }
                },
            }
        }
    }
    client.drop_out(&out, false)?;
    client.drop_out(&expired, true)?;
    back.chunks.unsynced().sync().map_err(at(data))?;
    let log = client.begin()?;
    say(&root, &format!("{log} {node}"))?;
    client.started()?;
    let found = back.found;
    let logs = by_shard.into_iter().map(|records| (RedisLog::new(client.node().clone()), records));
    Ok(Recovered {
        shards: logs.collect(),
        lock,
        found,
        set_back: Fights::default(),
        folder,
        in_redis: Some((client.node().clone(), log)),
    })
}

/// What is in Redis of a node's sessions, without a change: how many there are, and what is wrong with which.
pub fn inspect(
    (url, node): (&RedisUrl, &str),
    data: &Path,
    library: &Library,
) -> Result<(usize, Promise, Vec<RecoveryError>), RecoveryError> {
    // Of its parts of replays nothing is written.
    let aside = std::env::temp_dir().join(format!("tiltyard-check-{}", Uuid::new_v4().simple()));
    fs::create_dir(&aside).map_err(at(&aside))?;
    let read = || {
        let folder = Folder::open(&aside).map_err(at(&aside))?;
        let mut client = Client::connect(url, node)?;
        let promise = client.promise()?;
        let mut damaged: Vec<RecoveryError> =
            is_of_before(&data.join("log"), &mut client, (url, node)).err().into_iter().collect();
        let mut back = Back::new(library, &folder, data, url);
        let sessions = client.sessions()?;
        let mut there = 0;
        for some in sessions.chunks(limits::REDIS_SESSIONS_AT_ONCE) {
            for (&session, asked) in some.iter().zip(client.take(some, false)?) {
                let Asked::There(stored) = asked else { continue };
                there += 1;
                match back.session(session, stored) {
                    Ok(Some(_)) => {}
                    Ok(None) => damaged.push(back.damaged(session, "stepping its inputs again panics".to_owned())),
                    Err(error) => damaged.push(error),
                }
            }
        }
        Ok((there, promise, damaged))
    };
    let read = read();
    fs::remove_dir_all(&aside).map_err(at(&aside))?;
    read
}

/// An error, unless the operator takes the loss; then it is told.
fn accepted(error: RecoveryError, accept_loss: bool) -> Result<(), RecoveryError> {
    if !accept_loss || !error.is_loss() {
        return Err(error);
    }
    tracing::warn!("accepted as lost: {error}");
    Ok(())
}

/// That the log is that of the last start, where there was one: another Redis, or one that was emptied, has nothing of what was acknowledged.
fn is_of_before(root: &Path, client: &mut Client, (url, node): (&RedisUrl, &str)) -> Result<(), RecoveryError> {
    let Some(said) = mark(root)? else { return Ok(()) };
    let (log, name) = said.split_once(' ').unwrap_or((&said, ""));
    let other = |why: String| Err(RecoveryError::OtherRedis { url: url.to_string(), why });
    match client.identity()? {
        None => other(format!("it has no log, and that of the last start was {log}")),
        Some(found) if found != log => other(format!("its log is {found}, and that of the last start was {log}")),
        Some(_) if name != node => {
            other(format!("the sessions of the last start are those of the node `{name}`, and this one is `{node}`"))
        }
        Some(_) => Ok(()),
    }
}

/// That the log in files, which there was before that in Redis, has no fight that is not over.
fn nothing_in_files(root: &Path, data: &Path, folder: &Arc<Folder>, library: &Library) -> Result<(), RecoveryError> {
    if root.join(MARK).exists() || !Generations::is_any(root) {
        return Ok(());
    }
    let generations = Generations::look(root, false)?;
    let mut old = Replay {
        library,
        kept: data.join("rules"),
        chunks: ChunkWriter::new(Arc::clone(folder), 0),
        folder,
        marked: generations.marked(),
        whereabouts: std::collections::BTreeMap::new(),
        accept_loss: false,
        found: Found::default(),
        set_back: Fights::default(),
    };
    let read = old.newest(&generations, false);
    old.chunks.unsynced().remove();
    let is_over = |record: &SessionRecord| record.fight.lifecycle().is_ended();
    let fights: Fights =
        newest_of_each(read?.0).iter().filter(|record| !is_over(record)).map(|record| record.id).collect();
    if fights.count() > 0 {
        return Err(RecoveryError::InFiles { folder: root.to_owned(), fights });
    }
    Ok(())
}

/// Says which log the node goes on with, whole or not at all.
fn say(root: &Path, what: &str) -> Result<(), RecoveryError> {
    let (path, unfinished) = (root.join(MARK), root.join(format!("{MARK}.new")));
    let write = || {
        let mut file = fs::File::create(&unfinished)?;
        writeln!(file, "{what}")?;
        disk::sync(&file, &unfinished)?;
        disk::rename(&unfinished, &path)?;
        disk::sync_folder(root)
    };
    write().map_err(at(&path))
}

/// Sessions being put back.
pub(super) struct Back<'a> {
    library: &'a Library,
    folder: &'a Folder,
    /// Where rulesets are kept under their hash.
    kept: PathBuf,
    url: &'a RedisUrl,
    chunks: ChunkWriter,
    found: Found,
}

impl<'a> Back<'a> {
    pub(super) fn new(library: &'a Library, folder: &'a Arc<Folder>, data: &Path, url: &'a RedisUrl) -> Self {
        let (kept, chunks) = (data.join("rules"), ChunkWriter::new(Arc::clone(folder), 0));
        Self { library, folder, kept, url, chunks, found: Found::default() }
    }

    /// What it wrote of tapes, which is to be on the disk before anything refers to it.
    pub(super) fn into_chunks(self) -> ChunkWriter {
        self.chunks
    }

    fn damaged(&self, session: Uuid, why: String) -> RecoveryError {
        RecoveryError::Stream { url: self.url.to_string(), session, why }
    }

    /// What a session is now; nothing where its inputs cannot be stepped again, which ends it.
    pub(super) fn session(
        &mut self,
        id: Uuid,
        stored: Result<Stored, String>,
    ) -> Result<Option<SessionRecord>, RecoveryError> {
        let Stored { session: _, head, snapshot, entries } = stored.map_err(|why| self.damaged(id, why))?;
        let mut session = None;
        for entry in snapshot.into_iter().chain(entries) {
            let (epoch, number) = (entry.key.epoch, entry.key.number);
            let Some((form, payload)) = entry.payload else {
                let Some(session) = &mut session else {
                    return Err(self.damaged(id, "it has no beginning".to_owned()));
                };
                Session::claim(session, epoch, number);
                continue;
            };
            if ![FORM, FORM_BEFORE].contains(&form) {
                let why = format!("it has form {form}; this version reads forms {FORM_BEFORE} and {FORM}");
                return Err(self.damaged(id, why));
            }
            let (wall, entries) = entry::entries(&payload, form)
                .map_err(|damage| self.damaged(id, format!("entry {number}: {damage}")))?;
            for entry in entries {
                if !self.step(id, &mut session, (epoch, number), wall, entry)? {
                    self.found.failed += 1;
                    return Ok(None);
                }
            }
        }
        let session = session.ok_or_else(|| self.damaged(id, "there is nothing of it".to_owned()))?;
        let there = session.key().number;
        if there != head {
            return Err(self.damaged(id, format!("it should have {head} entries, and has {there}")));
        }
        let mut session = session;
        session.was_away(clock::now_ms());
        Ok(Some(session.into_record()))
    }

    /// Does one entry; `false` where that panics.
    fn step(
        &mut self,
        id: Uuid,
        place: &mut Option<Session>,
        (epoch, number): (u64, u64),
        wall: u64,
        entry: Entry<'static>,
    ) -> Result<bool, RecoveryError> {
        if let Entry::Session { record, .. } = entry {
            let ruleset = self.library.by_hash(&record.ruleset).ok_or_else(|| RecoveryError::Ruleset {
                path: PathBuf::from(self.url.to_string()),
                session: id,
                hash: hex(&record.ruleset),
                kept: self.kept.clone(),
            })?;
            let path = || PathBuf::from(self.url.to_string());
            let session = Session::from_record(record.into_owned(), ruleset, self.folder)
                .map_err(|other| RecoveryError::OtherRuleset { path: path(), other })?;
            place.insert(session).claim(epoch, number);
            return Ok(true);
        }
        let Some(session) = place else { return Err(self.damaged(id, "it has no beginning".to_owned())) };
        match entry {
            Entry::Input { at, input, .. } => {
                self.found.inputs += 1;
                // After a panic the session is dropped as it is, so nobody sees it broken.
                if catch_unwind(AssertUnwindSafe(|| session.replay(at, wall, input))).is_err() {
                    tracing::error!(session = %id, "stepping a session again panicked; it is ended");
                    return Ok(false);
                }
                // What has become too long now had become so before, and that has been told.
                let _ = session.spill(&mut self.chunks, |_, _| true);
                if let Err((error, unwritten)) = self.chunks.write() {
                    for part in unwritten.iter().filter(|part| part.session == id) {
                        if let Some(loss) = session.put_back(part) {
                            tracing::warn!(%error, "parts of replays cannot be written");
                            session.tell_of(loss);
                        }
                    }
                }
            }
            Entry::Describe { description, .. } => session.describe(wall, description.into_owned()),
            Entry::Claim { .. } => session.claim(epoch, number),
            _ => {}
        }
        if session.key().number != number {
            let there = session.key().number;
            return Err(self.damaged(id, format!("behind entry {} comes {number}", there.saturating_sub(1))));
        }
        Ok(true)
    }
}
