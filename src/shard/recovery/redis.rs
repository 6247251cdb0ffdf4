//! The way back from a log in Redis: the node's sessions are taken over, each from whoever had it, and what there is of them is stepped again.
//! What is before that, and how a node comes to have its log there, is in `moved`.

use std::borrow::Cow;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::moved::{self, Left, Mark};
use super::{Fights, Found, Recovered, RecoveryError, at, lock, newest_of_each};
use crate::clock;
use crate::config::RedisUrl;
use crate::limits;
use crate::log::redis::start::{Asked, Client, Promise, Stored};
use crate::log::segment::{FORM, FORM_BEFORE};
use crate::log::{Key, RedisLog};
use crate::replays::{ChunkWriter, Folder};
use crate::rules::Library;
use crate::session::{hex, shard_of};
use crate::shard::entry::{self, Entry};
use crate::shard::{Session, SessionRecord};

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
    if let Err(error) = is_of_before(&root, &mut client, (url, node)) {
        accepted(error, accept_loss)?;
    }
    let process = client.run_id()?;
    let is_other = moved::mark(&root)?.and_then(|mark| mark.process).is_some_and(|of_before| of_before != process);
    if is_other && client.nodes()?.iter().any(|name| name != node) {
        tracing::info!(%url, "the log is in another process of Redis than at the last start, which may have less: other nodes say their fights anew before this one takes its own over");
        std::thread::sleep(Duration::from_millis(limits::LOG_GRACE_MS));
    }
    let files = moved::in_files(&root, data, &folder, library).or_else(|error| {
        accepted(error, accept_loss)?;
        Ok::<_, RecoveryError>(Left::default())
    })?;
    if let Some(error) = files.lives(&root) {
        accepted(error, accept_loss)?;
    }
    let mut back = Back::new((url, &folder), data, library);
    let begun = back.take_all(&mut client, accept_loss).and_then(|taken| {
        back.chunks.unsynced().sync().map_err(at(data))?;
        Ok(taken)
    });
    // A start that fails leaves things as they were.
    let Taken { mut records, out, expired } = begun.inspect_err(|_| back.chunks.unsynced().remove())?;
    client.drop_out(&out, false)?;
    client.drop_out(&expired, true)?;
    let log = client.begin()?;
    for record in &files.over {
        let record = SessionRecord { epoch: record.epoch + 1, ..record.clone() };
        let key = Key { session: record.id, epoch: record.epoch, number: record.number };
        let entry = Entry::Session { no: 0, record: Box::new(Cow::Borrowed(&record)) };
        if client.put(key, clock::now_ms(), &entry)? {
            records.push(record);
        }
    }
    moved::say(&root, (&log, node, url, &process))?;
    client.started()?;
    files.empty();
    let mut by_shard: Vec<Vec<SessionRecord>> = (0..shards).map(|_| Vec::new()).collect();
    for record in newest_of_each(records) {
        by_shard[shard_of(record.id, shards)].push(record);
    }
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

/// What a start goes on with.
struct Taken {
    records: Vec<SessionRecord>,
    /// What is not the node's, or over.
    out: Vec<Uuid>,
    /// What could not be gone on with.
    expired: Vec<Uuid>,
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
        let mut back = Back::new((url, &folder), data, library);
        let sessions = client.sessions()?;
        let mut there = 0;
        for some in sessions.chunks(limits::REDIS_SESSIONS_AT_ONCE) {
            for (&session, asked) in some.iter().zip(client.look(some)?) {
                let Asked::There { stored, .. } = asked else { continue };
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
pub(super) fn accepted(error: RecoveryError, accept_loss: bool) -> Result<(), RecoveryError> {
    if !accept_loss || !error.is_loss() {
        return Err(error);
    }
    tracing::warn!("accepted as lost: {error}");
    Ok(())
}

/// That the log is that of the last start, where there was one: another Redis, or one that was emptied, has nothing of what was acknowledged.
fn is_of_before(root: &Path, client: &mut Client, (url, node): (&RedisUrl, &str)) -> Result<(), RecoveryError> {
    let Some(Mark { log, name, .. }) = moved::mark(root)? else { return Ok(()) };
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

/// Sessions being put back.
pub(super) struct Back<'a> {
    library: &'a Library,
    folder: &'a Folder,
    /// Where rulesets are kept under their hash.
    kept: PathBuf,
    url: &'a RedisUrl,
    pub(super) chunks: ChunkWriter,
    found: Found,
}

impl<'a> Back<'a> {
    pub(super) fn new((url, folder): (&'a RedisUrl, &'a Arc<Folder>), data: &Path, library: &'a Library) -> Self {
        let (kept, chunks) = (data.join("rules"), ChunkWriter::new(Arc::clone(folder), 0));
        Self { library, folder, kept, url, chunks, found: Found::default() }
    }

    /// What it wrote of tapes, which is to be on the disk before anything refers to it.
    pub(super) fn into_chunks(self) -> ChunkWriter {
        self.chunks
    }
}

impl Back<'_> {
    /// All sessions of the node. They are read and judged first, and taken over from whoever had them only when there is nothing more for
    /// which a start would stop: one that is refused leaves them to a server that lives.
    fn take_all(&mut self, client: &mut Client, accept_loss: bool) -> Result<Taken, RecoveryError> {
        let mut taken = Taken { records: Vec::new(), out: Vec::new(), expired: Vec::new() };
        let mut judged: Vec<(Uuid, u64, Option<SessionRecord>)> = Vec::new();
        for some in client.sessions()?.chunks(limits::REDIS_SESSIONS_AT_ONCE) {
            for (&session, asked) in some.iter().zip(client.look(some)?) {
                match asked {
                    Asked::Over => taken.out.push(session),
                    Asked::Elsewhere { owner } => {
                        tracing::warn!(%session, owner, "a session is another node's by now");
                        taken.out.push(session);
                    }
                    Asked::There { epoch, stored } => {
                        judged.push((session, epoch, self.judged(session, stored, accept_loss)?));
                    }
                }
            }
        }
        let (mut moved_on, mut beaten) = (Vec::new(), Vec::new());
        for some in judged.chunks_mut(limits::REDIS_SESSIONS_AT_ONCE) {
            let claims: Vec<(Uuid, u64)> = some.iter().map(|&(session, epoch, _)| (session, epoch)).collect();
            for ((session, epoch, record), head) in some.iter_mut().zip(client.claim(&claims)?) {
                let Some(head) = head else {
                    // Another node has taken it over meanwhile.
                    beaten.push(*session);
                    continue;
                };
                match record.take() {
                    Some(record) if record.number + 1 == head => {
                        taken.records.push(SessionRecord { epoch: *epoch + 1, number: head, ..record });
                    }
                    // Who had it has gone on with it in between.
                    Some(_) => moved_on.push(*session),
                    None => taken.expired.push(*session),
                }
            }
        }
        client.not_contended(&beaten)?;
        for some in moved_on.chunks(limits::REDIS_SESSIONS_AT_ONCE) {
            for (&session, asked) in some.iter().zip(client.look(some)?) {
                let Asked::There { stored, .. } = asked else { continue };
                match self.judged(session, stored, accept_loss)? {
                    Some(record) => taken.records.push(record),
                    None => taken.expired.push(session),
                }
            }
        }
        Ok(taken)
    }

    /// What a session is; nothing where it cannot be gone on with, and that is accepted.
    fn judged(
        &mut self,
        session: Uuid,
        stored: Result<Stored, String>,
        accept_loss: bool,
    ) -> Result<Option<SessionRecord>, RecoveryError> {
        match self.session(session, stored) {
            Err(error) => {
                accepted(error, accept_loss)?;
                self.found.lost_journals += 1;
                Ok(None)
            }
            read => read,
        }
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
