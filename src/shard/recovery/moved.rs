//! From a log in files to one in Redis and back. The data folder says in `log/redis` that its node's log is in Redis, and which; it is left for
//! another only when it has no fight that lives. Those that are over, and which the store may not have yet, are taken along.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use uuid::Uuid;

use super::generation::Generations;
use super::redis::{Back, accepted};
use super::{Fights, Found, RecoveryError, Replay, at, newest_of_each};
use crate::config::RedisUrl;
use crate::limits;
use crate::log::disk;
use crate::log::redis::start::{Asked, Client};
use crate::replays::{ChunkWriter, Folder};
use crate::rules::Library;
use crate::shard::SessionRecord;

/// The file below `log/` that says so.
const MARK: &str = "redis";

/// What it says: which log, under which name, where (without a password, and not in the mark of an older version), and which process had it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    pub log: String,
    pub name: String,
    pub url: Option<RedisUrl>,
    /// Which process of Redis had it; not in the mark of an older version.
    pub process: Option<String>,
}

pub(super) fn mark(root: &Path) -> Result<Option<Mark>, RecoveryError> {
    Ok(said(root)?.map(|text| {
        let mut words = text.split(' ').map(str::to_owned);
        let (log, name) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Mark { log, name, url: words.next().and_then(|url| RedisUrl::try_from(url).ok()), process: words.next() }
    }))
}

/// The mark as it is written, where there is one.
pub(super) fn said(root: &Path) -> Result<Option<String>, RecoveryError> {
    let path = root.join(MARK);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(at(&path)(error)),
    }
}

/// Says which log the node goes on with, whole or not at all.
pub(super) fn say(root: &Path, (log, node, url, process): (&str, &str, &RedisUrl, &str)) -> Result<(), RecoveryError> {
    let (path, unfinished) = (root.join(MARK), root.join(format!("{MARK}.new")));
    let write = || {
        let mut file = fs::File::create(&unfinished)?;
        writeln!(file, "{log} {node} {url} {process}")?;
        disk::sync(&file, &unfinished)?;
        disk::rename(&unfinished, &path)?;
        disk::sync_folder(root)
    };
    write().map_err(at(&path))
}

/// What a log has that is to be left.
#[derive(Debug, Default)]
pub(super) struct Left {
    live: Fights,
    /// Those that are decided, or have ended: results are shown for a while, and the store is told at the end.
    pub over: Vec<SessionRecord>,
    /// Where it is, if it is in files.
    files: Option<Generations>,
}

impl Left {
    fn of(records: impl IntoIterator<Item = SessionRecord>) -> Self {
        let is_over = |record: &SessionRecord| {
            let life = record.fight.lifecycle();
            life.end().is_some() || life.is_ended()
        };
        let (over, live): (Vec<_>, Vec<_>) = records.into_iter().partition(is_over);
        Self { live: live.iter().map(|record| record.id).collect(), over, files: None }
    }

    /// The node's log is in Redis, with what was over: an empty one takes the place of that in files, so that nothing of it is gone on with
    /// once the log is in files again. Where fights that live were given up it stays as it is.
    pub fn empty(&self) {
        let Some(files) = self.files.as_ref().filter(|_| self.live.count() == 0) else { return };
        if let Err(error) = files.begin(&[Vec::new()], true).and_then(|_journals| files.retire(false)) {
            tracing::warn!(%error, "the log in files, which is in Redis now, was not removed");
        }
    }

    /// Why a log in files is not left, where it is not.
    pub fn lives(&self, root: &Path) -> Option<RecoveryError> {
        let lives = self.live.count() > 0;
        lives.then(|| RecoveryError::InFiles { folder: root.to_owned(), fights: self.live.clone() })
    }
}

/// What the log in files has, which there was before that in Redis.
pub(super) fn in_files(
    root: &Path,
    data: &Path,
    folder: &Arc<Folder>,
    library: &Library,
) -> Result<Left, RecoveryError> {
    if root.join(MARK).exists() || !Generations::is_any(root) {
        return Ok(Left::default());
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
    let left = old.newest(&generations, false).map(|(records, _)| Left::of(newest_of_each(records)));
    match &left {
        Ok(left) if !left.over.is_empty() => old.chunks.unsynced().sync().map_err(at(data))?,
        _ => old.chunks.unsynced().remove(),
    }
    left.map(|left| Left { files: Some(generations), ..left })
}

/// A log in Redis that a start with a log in files leaves, once the fights that are over are in that.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    client: Option<Client>,
    pub over: Vec<SessionRecord>,
}

impl Leaving {
    /// Of a folder whose log is in Redis: that is asked what it has. A fight that lives stops the start, and so does a Redis that cannot be
    /// asked, or has another log by now.
    pub fn of(
        root: &Path,
        data: &Path,
        folder: &Arc<Folder>,
        (accept_loss, library): (bool, &Library),
    ) -> Result<Self, RecoveryError> {
        let (Some(mark), Some(what)) = (mark(root)?, said(root)?) else { return Ok(Self::default()) };
        let error = |why: String| RecoveryError::InRedis { path: root.join(MARK), what: what.clone(), why };
        let asked = Self::asked(&mark, data, folder, library);
        match asked {
            Ok((client, Left { live, over, .. })) => {
                if live.count() > 0 {
                    accepted(error(format!("not all of its fights are over ({live})")), accept_loss)?;
                }
                Ok(Self { client: Some(client), over })
            }
            Err(why) => {
                accepted(error(why), accept_loss)?;
                Ok(Self::default())
            }
        }
    }

    fn asked(mark: &Mark, data: &Path, folder: &Arc<Folder>, library: &Library) -> Result<(Client, Left), String> {
        let Some(url) = &mark.url else { return Err("an older version has not noted where it is".to_owned()) };
        let failed = |error: &dyn std::fmt::Display| format!("it cannot be asked what it has: {error}");
        let mut client = Client::connect(url, &mark.name).map_err(|error| failed(&error))?;
        match client.identity().map_err(|error| failed(&error))? {
            Some(log) if log == mark.log => {}
            Some(log) => return Err(format!("{url} has another log by now, {log}")),
            None => return Err(format!("{url} has no log any more")),
        }
        let mut back = Back::new((url, folder), data, library);
        let (mut records, sessions) = (Vec::new(), client.sessions().map_err(|error| failed(&error))?);
        for some in sessions.chunks(limits::REDIS_SESSIONS_AT_ONCE) {
            let asked = client.look(some).map_err(|error| failed(&error))?;
            for (&session, asked) in some.iter().zip(asked) {
                let Asked::There { stored, .. } = asked else { continue };
                // One whose inputs cannot be stepped again has ended by that.
                records.extend(back.session(session, stored).map_err(|error| failed(&error))?);
            }
        }
        let left = Left::of(records);
        if left.over.is_empty() {
            back.chunks.unsynced().remove();
        } else {
            back.chunks.unsynced().sync().map_err(|error| failed(&error))?;
        }
        Ok((client, left))
    }

    /// The log in files has what is over: the folder's log is there from now on.
    pub fn left(self, root: &Path) -> Result<(), RecoveryError> {
        let path = root.join(MARK);
        if path.exists() {
            disk::remove(&path).map_err(at(&path))?;
        }
        let over: Vec<Uuid> = self.over.iter().map(|record| record.id).collect();
        if let Some(mut client) = self.client
            && let Err(error) = client.drop_out(&over, true)
        {
            tracing::warn!(%error, "fights that are over stay in the Redis that was left");
        }
        Ok(())
    }
}
