//! The store: what outlives the process besides the log. Sessions of every type with their activity log, replays of fights,
//! idempotency keys and analytics, in SQLite by default and PostgreSQL by setting, behind one contract.
//!
//! In reading order: [`row`] what is kept, [`Store`] the contract, [`sqlite`] and [`postgres`] the two that keep it. What the disk
//! does to the embedded one is told by `sum` (rows), `soundness` (all of it), [`wal`] and `counter` (commits that are gone), and `writer` (the connection); `opening` looks at it before
//! anything of it is changed.

mod counter;
mod opening;
pub mod postgres;
pub mod private;
pub mod row;
mod schema;
pub mod soundness;
mod sql;
pub mod sqlite;
mod sqlite_rows;
mod sum;
mod upkeep;
pub mod wal;
mod writer;

use crate::limits;
use crate::ops::beat::Beat;
use crate::session::{Kind, Status};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use thiserror::Error;
use uuid::Uuid;

pub use opening::{Inspection, gone, inspect};
pub use postgres::PostgresStore;
pub use row::{
    Batch, BucketRow, CombatFilter, Count, Filter, KeptReplay, KeyAnswer, KeyRow, LogRow, Page, Past, PlayerRow,
    ReplayRow, RulesetRow, SessionRow,
};
pub use soundness::Soundness;
pub use sqlite::SqliteStore;

/// What a store's calls return.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// What [`Store::begin`] returns; the start waits for it where it is.
pub type Begun<'a> = Pin<Box<dyn Future<Output = Result<(), OpenError>> + 'a>>;

/// Keeps rows. The one caller of [`Store::commit`] is the committer, which waits for each before the next; everything else may
/// be called from anywhere at any time. Every call ends within [`Store::patience_ms`], with an error if need be. Reads see
/// every commit that was answered before they began.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// From here on it is written to; until then it is only read, and nothing of it is changed. Called once the start cannot be refused
    /// any more.
    fn begin(&self) -> Begun<'_> {
        Box::pin(async { Ok(()) })
    }

    /// Milliseconds that a call may take.
    fn patience_ms(&self) -> u64 {
        limits::STORE_MS
    }

    /// Sets these.
    fn set_patience_ms(&mut self, ms: u64) {
        let _ = ms;
    }

    /// Keeps all of `batch` or nothing of it, but for sessions that it has under a higher epoch: of those nothing is kept, and the answer
    /// names them. After [`StoreError::Unavailable`] it is not known which; the next commit that succeeds comes after whatever
    /// became of it.
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Vec<Uuid>>;

    /// Sessions of this node that have this type and status, in order of their ids, from behind `after` on.
    fn of_node(&self, kind: Kind, status: Status, after: Uuid, limit: usize) -> Answer<'_, Vec<SessionRow>>;

    /// One session.
    fn session(&self, id: Uuid) -> Answer<'_, Option<SessionRow>>;

    /// Those of these sessions that there are.
    fn sessions<'a>(&'a self, ids: &'a [Uuid]) -> Answer<'a, Vec<SessionRow>>;

    /// A page of sessions, newest first.
    fn list<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Page>;

    /// A page of fights, newest first.
    fn list_combat<'a>(&'a self, filter: &'a CombatFilter) -> Answer<'a, Page>;

    /// Entries of a session's activity log, newest first, those before number `before`.
    fn logs(&self, session: Uuid, before: i64, limit: usize) -> Answer<'_, Vec<LogRow>>;

    /// The replay of a fight.
    fn replay(&self, session: Uuid) -> Answer<'_, Option<KeptReplay>>;

    /// An idempotency key by its hash.
    fn key(&self, hash: [u8; 16]) -> Answer<'_, Option<KeyRow>>;

    /// How many sessions there are, by type and status.
    fn counts(&self) -> Answer<'_, Vec<Count>>;

    /// Analytics buckets of `width` seconds that begin at `since` or later, in Unix seconds: this node's own, or all others'.
    fn buckets(&self, width: i32, since: i64, own: bool) -> Answer<'_, Vec<BucketRow>>;

    /// Deletes what is past its time, at most `limit` sessions and as many keys. Returns how many sessions went.
    fn sweep(&self, past: Past, limit: usize) -> Answer<'_, u64>;

    /// Reads everything and tells what is damaged. Takes as long as that takes, the one call that does.
    fn check(&self) -> Answer<'_, Soundness> {
        Box::pin(async { Ok(Soundness::default()) })
    }

    /// Makes anew what follows from rows: how many there are, and where they are found.
    fn mend(&self) -> Answer<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    /// Takes damaged rows out, and keeps them in a file beside it. Says how many.
    fn take_out(&self) -> Answer<'_, u64> {
        Box::pin(async { Ok(0) })
    }

    /// What it has noticed of itself, for the metrics.
    fn figures(&self) -> Option<&Figures> {
        None
    }
}

/// What a store has noticed of itself.
#[derive(Debug)]
pub struct Figures {
    /// Of what looks after the store beside the commits.
    pub upkeep: Arc<Beat>,
    /// Damaged rows that were met, as often as they were.
    pub damaged: AtomicU64,
    /// Commits that had been acknowledged and were not there at the start.
    pub lost_commits: AtomicU64,
    /// What a check has found damaged: rows, and everything else.
    pub found: AtomicU64,
    /// Bytes of the file, those of them that hold nothing, and those of its write-ahead log.
    pub bytes: AtomicU64,
    pub free_bytes: AtomicU64,
    pub log_bytes: AtomicU64,
}

impl Default for Figures {
    fn default() -> Self {
        let upkeep = Beat::within(limits::BEAT_LONG_MS);
        // Until it is begun.
        upkeep.done();
        Self {
            upkeep: Arc::new(upkeep),
            damaged: AtomicU64::default(),
            lost_commits: AtomicU64::default(),
            found: AtomicU64::default(),
            bytes: AtomicU64::default(),
            free_bytes: AtomicU64::default(),
            log_bytes: AtomicU64::default(),
        }
    }
}

impl Figures {
    /// Says what is damaged, and counts it.
    pub(crate) fn notice(&self, error: &StoreError) {
        if let StoreError::Damaged(_) = error {
            tracing::error!("{error}");
            self.damaged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// It cannot be reached, or did not answer in time.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// There is no room for more.
    #[error("the store's disk is full: {0}")]
    Full(String),
    /// The disk has changed what it holds.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// It answered with something that cannot be.
    #[error("the store holds what this version cannot read: {0}")]
    Unreadable(String),
}

/// Why a store could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("the database {url}: {error}")]
    Connect { url: String, error: sqlx::Error },
    #[error("the database {url}: {error}")]
    Migrate { url: String, error: sqlx::migrate::MigrateError },
    #[error("the database {0}: another server of this node's name writes to it: stop that one, or use another --node")]
    Taken(String),
    #[error(
        "the database {path}: its write-ahead log is damaged: {damage}. Restore it from a backup, or start once with --accept-loss, which goes on from what is before the damage and keeps a copy of the damaged log"
    )]
    Log { path: String, damage: wal::WalDamage },
    #[error(
        "the database {path} is damaged: {what}. Restore it from a backup with the files beside it, or {}",
        if *.accepted {
            "move it and its -wal away, leave its .commits, and start once with --accept-loss, which begins with an empty one"
        } else {
            "start once with --accept-loss, which goes on with what can be read"
        }
    )]
    Damaged {
        path: String,
        what: String,
        /// Although its loss was accepted.
        accepted: bool,
    },
    #[error(
        "the database {path} cannot be read: {what}. {} acknowledged. Restore it from a backup, with its -wal and .commits, or start once with --accept-loss, which puts it and its -wal aside as {path}.damaged and begins with an empty one",
        were(*.commits)
    )]
    Unreadable { path: String, what: String, commits: u64 },
    #[error(
        "the database {path}: its tables have form {form}, and this version knows forms up to {}. Start the version that brought it there, or restore it from a backup from before",
        sqlite::MIGRATIONS.len()
    )]
    Later { path: String, form: i64 },
    #[error(
        "{path} is {}, and the store has a file there. Move it away and put the file back from a backup, or start once with --accept-loss when it is away",
        if *.folder { "a folder" } else { "no file" }
    )]
    NoFile { path: String, folder: bool },
    #[error("the database {path}: {error}")]
    Rows { path: String, error: StoreError },
    #[error(
        "the database {path} is {}: {} acknowledged. Put it back, with the files beside it, or start once with --accept-loss, which begins with an empty one",
        if *.is_there { "empty" } else { "gone" },
        were(*.commits)
    )]
    Gone { path: String, is_there: bool, commits: u64 },
    #[error("the database {0}: must be postgres://… or sqlite://…")]
    Scheme(String),
}

fn were(commits: u64) -> String {
    if commits == 1 { "1 commit was".to_owned() } else { format!("{commits} commits were") }
}

impl OpenError {
    /// Of the file at `path`, whose loss was not accepted.
    pub(super) fn damaged(path: &Path, what: String) -> Self {
        Self::Damaged { path: path.display().to_string(), what, accepted: false }
    }
}

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The embedded one, by its file.
    File(PathBuf),
    /// PostgreSQL, by its address.
    Postgres(String),
}

impl Place {
    /// What `url` names, or the store in the data folder.
    pub fn of(url: Option<&str>, data: &Path) -> Result<Self, OpenError> {
        let Some(url) = url else { return Ok(Self::File(data.join("tiltyard.db"))) };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let path = url.strip_prefix("sqlite://").ok_or_else(|| OpenError::Scheme(shown(url)))?;
        Ok(Self::File(path.into()))
    }

    /// Opens the store that is there. The embedded one is only read until [`Store::begin`].
    pub async fn open(&self, node: &str, sync: bool, accept_loss: bool) -> Result<Box<dyn Store>, OpenError> {
        Ok(match self {
            Self::File(path) => Box::new(SqliteStore::look(path, node, sync, accept_loss).await?),
            Self::Postgres(url) => Box::new(PostgresStore::open(url, node).await?),
        })
    }

    /// An empty one in place of the embedded one, which cannot be read because of `what`, and is put aside; an error unless that is
    /// accepted.
    pub async fn anew(
        &self,
        node: &str,
        sync: bool,
        accept_loss: bool,
        what: String,
    ) -> Result<Box<dyn Store>, OpenError> {
        match self {
            Self::File(path) => Ok(Box::new(SqliteStore::anew(path, node, sync, accept_loss, what).await?)),
            Self::Postgres(_) => Err(self.damaged(what, accept_loss)),
        }
    }

    /// The error that says what of it is damaged, and what can be done.
    pub fn damaged(&self, what: String, accepted: bool) -> OpenError {
        OpenError::Damaged { path: self.to_string(), what, accepted }
    }
}

/// Without a password.
impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => f.write_str(&shown(url)),
        }
    }
}

/// A database's address without the password in it.
pub fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, place))) => format!("{scheme}://…@{place}"),
        _ => url.to_owned(),
    }
}
