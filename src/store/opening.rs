//! What is looked at before the embedded store is written to: whether it is there, whether it can be read, whether commits are
//! missing. All of that is read only, so a start that is refused, by this or by what comes after it, leaves the files as they were.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqlSafeStr, SqliteConnection, SqlitePool};
use uuid::Uuid;

use super::counter::{Counted, Counter};
use super::sqlite::{self, failure};
use super::wal::{self, WalDamage};
use super::{Figures, OpenError, Soundness, StoreError, private, schema, soundness};
use crate::limits;
use crate::session::{Kind, Status};

/// Bytes of SQLite's smallest page: it takes a file of less for an empty one, and throws its write-ahead log away.
const PAGE_BYTES_MIN: u64 = 512;

/// What is where the store should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing, and nothing says that there was something.
    New,
    /// Nothing, although so many commits were acknowledged; that is accepted.
    Gone { commits: u64 },
    /// A file that cannot be read, with so many acknowledged commits; that is accepted.
    Unreadable { what: String, commits: u64 },
    /// A store, and what is damaged of its log, which is accepted.
    Store { form: Form, damage: Option<WalDamage> },
}

/// Which tables a store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Those of this version.
    Current,
    /// Those of an older one, which are brought up to date.
    Older,
}

/// Why the form of a store's tables is not known.
#[derive(Debug)]
enum Unknown {
    Later(i64),
    Damaged(String),
    Failed(sqlx::Error),
}

impl From<sqlx::Error> for Unknown {
    fn from(error: sqlx::Error) -> Self {
        if is_damage(&error) { Self::Damaged(error.to_string()) } else { Self::Failed(error) }
    }
}

/// Looks at the store at `path`. What is damaged is an error, unless `accept_loss`.
pub(super) async fn look(path: &Path, accept_loss: bool) -> Result<Found, OpenError> {
    let shown = || path.display().to_string();
    let io = |error| OpenError::Connect { url: shown(), error: sqlx::Error::Io(error) };
    for file in [path.to_owned(), beside(path, "-wal"), beside(path, "-shm"), path.with_extension("commits")] {
        no_folder(&file)?;
    }
    // What a start that was broken off has left.
    Trial::remove(path);
    if let Some(commits) = gone(path).map_err(io)? {
        if !accept_loss {
            return Err(OpenError::Gone { path: shown(), is_there: path.exists(), commits });
        }
        return Ok(Found::Gone { commits });
    }
    let bytes = length(path).map_err(io)?;
    if bytes == 0 {
        return Ok(Found::New);
    }
    let damage = wal::look(&beside(path, "-wal")).map_err(io)?;
    let form = if bytes < PAGE_BYTES_MIN {
        Err(Unknown::Damaged(format!("{bytes} bytes are no database")))
    } else {
        form(path).await
    };
    let what = match (form, damage) {
        (Ok(_), Some(damage)) if !accept_loss => return Err(OpenError::Log { path: shown(), damage }),
        (Ok(form), damage) => return Ok(Found::Store { form, damage }),
        (Err(Unknown::Later(form)), _) => return Err(OpenError::Later { path: shown(), form }),
        (Err(Unknown::Failed(error)), _) => return Err(OpenError::Connect { url: shown(), error }),
        (Err(Unknown::Damaged(what)), None) => what,
        (Err(Unknown::Damaged(what)), Some(damage)) => format!("{what}; its write-ahead log is damaged: {damage}"),
    };
    unreadable(path, what, accept_loss)
}

/// A store that cannot be read: an error, unless that is accepted.
pub(super) fn unreadable(path: &Path, what: String, accept_loss: bool) -> Result<Found, OpenError> {
    let commits = Counter::of_any(&path.with_extension("commits")).unwrap_or_default();
    if accept_loss {
        Ok(Found::Unreadable { what, commits })
    } else {
        Err(OpenError::Unreadable { path: path.display().to_string(), what, commits })
    }
}

/// What lies where the store has a file must be one.
pub(super) fn no_folder(path: &Path) -> Result<(), OpenError> {
    let shown = || path.display().to_string();
    match fs::metadata(path) {
        Ok(there) if !there.is_file() => Err(OpenError::NoFile { path: shown(), folder: there.is_dir() }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(OpenError::Connect { url: shown(), error: sqlx::Error::Io(error) })
        }
        _ => Ok(()),
    }
}

async fn form(path: &Path) -> Result<Form, Unknown> {
    let mut connection = reading(path).connect().await?;
    let form = form_of(&mut connection).await;
    connection.close().await?;
    form
}

async fn form_of(connection: &mut SqliteConnection) -> Result<Form, Unknown> {
    let damaged = |what: &str| Err(Unknown::Damaged(what.to_owned()));
    // Reads all of the schema.
    let row = sqlx::query("SELECT count(*), coalesce(sum(name = '_sqlx_migrations'), 0) FROM sqlite_schema")
        .fetch_one(&mut *connection)
        .await?;
    match (row.try_get::<i64, _>(0)?, row.try_get::<i64, _>(1)?) {
        (0, _) => return Ok(Form::Older),
        (_, 0) => return damaged("nothing in it says which form its tables have"),
        _ => {}
    }
    let rows = sqlx::query("SELECT version, checksum, success FROM _sqlx_migrations ORDER BY version")
        .fetch_all(&mut *connection)
        .await?;
    let known = migrations();
    for (number, row) in (1_i64..).zip(&rows) {
        let (version, checksum): (i64, Vec<u8>) = (row.try_get(0)?, row.try_get(1)?);
        let migration = known.iter().find(|migration| migration.version == version);
        let is_right = migration.is_none_or(|migration| *migration.checksum == checksum[..]);
        if version != number || !is_right || !row.try_get::<bool, _>(2)? {
            return damaged("what it says of the form of its tables cannot be");
        }
    }
    match rows.len().cmp(&known.len()) {
        std::cmp::Ordering::Greater => return Err(Unknown::Later(rows.last().map_or(Ok(0), |row| row.try_get(0))?)),
        std::cmp::Ordering::Less => return Ok(Form::Older),
        std::cmp::Ordering::Equal => {}
    }
    for table in soundness::tables() {
        let sql = AssertSqlSafe(format!("SELECT * FROM {table} LIMIT 0"));
        sqlx::query(sql).fetch_all(&mut *connection).await?;
    }
    match schema::difference(&mut *connection).await {
        Ok(None) => {}
        Ok(Some(what)) => return damaged(&format!("its {what} is not as this version makes it")),
        Err(MigrateError::Execute(error)) => return Err(error.into()),
        Err(error) => return Err(Unknown::Failed(sqlx::Error::Configuration(error.into()))),
    }
    if identity(connection).await?.is_none() {
        return damaged("what it says of itself");
    }
    let summed: i64 = sqlx::query("SELECT summed FROM store_self").fetch_one(connection).await?.try_get(0)?;
    Ok(if summed == 0 { Form::Older } else { Form::Current })
}

/// What SQLite says of a page that the file should have and is too short for.
pub(super) const ENDS_TOO_EARLY: u32 = 522;

/// Whether it says that the file is damaged, and not that it could not be had.
fn is_damage(error: &sqlx::Error) -> bool {
    // What SQLite says of a table or column that is not there; of pages; of a format; of a file that is no database.
    const DAMAGE: [u32; 4] = [1, 11, 24, 26];
    match error {
        sqlx::Error::Database(error) => error
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .is_some_and(|code| DAMAGE.contains(&(code & 0xFF)) || code == ENDS_TOO_EARLY),
        sqlx::Error::RowNotFound
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::Decode(_) => true,
        _ => false,
    }
}

pub(super) fn migrations() -> Vec<Migration> {
    let migration = |(number, name, text): (i64, &'static str, &'static str)| {
        Migration::new(number, name.into(), MigrationType::Simple, text.into_sql_str(), false)
    };
    sqlite::MIGRATIONS.map(migration).into()
}

/// Brings tables and rows up to this version's.
pub(super) async fn bring_up(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let damaged = |what: String| OpenError::damaged(path, what);
    Migrator::with_migrations(migrations()).run(&mut *connection).await.map_err(|error| match &error {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) if is_damage(cause) => {
            damaged(error.to_string())
        }
        _ => OpenError::Migrate { url: path.display().to_string(), error },
    })?;
    soundness::carry_over(connection).await.map_err(|error| match error {
        StoreError::Damaged(what) => damaged(what),
        error => OpenError::Rows { path: path.display().to_string(), error },
    })
}

/// What a start reads until it is known not to be refused, where there is no store yet, or one of an older form: a copy of it that is
/// brought up to this version's. Removed when it is dropped.
#[derive(Debug)]
pub(super) struct Trial(PathBuf);

impl Trial {
    /// One where what was found is not to be read as it is.
    pub(super) async fn needed(path: &Path, found: &Found) -> Result<Option<Self>, OpenError> {
        Ok(match found {
            Found::Store { form: Form::Current, .. } => None,
            Found::Store { form: Form::Older, .. } => Some(Self::of(path, false).await?),
            Found::New | Found::Gone { .. } | Found::Unreadable { .. } => Some(Self::of(path, true).await?),
        })
    }

    /// A copy of the store at `path`, or an empty one.
    async fn of(path: &Path, is_empty: bool) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Connect { url: path.display().to_string(), error };
        let trial = Self(beside(path, "-trial"));
        private::open(&trial.0).map_err(|error| failed(sqlx::Error::Io(error)))?;
        if !is_empty {
            let mut connection = reading(path).connect().await.map_err(failed)?;
            let into = trial.0.to_string_lossy().into_owned();
            let copied = sqlx::query("VACUUM INTO $1").bind(into).execute(&mut connection).await;
            copied.map_err(|error| {
                if is_damage(&error) { OpenError::damaged(path, error.to_string()) } else { failed(error) }
            })?;
            connection.close().await.map_err(failed)?;
        }
        // Nobody misses it after a loss of power.
        let mut connection = options(&trial.0)
            .journal_mode(SqliteJournalMode::Memory)
            .synchronous(SqliteSynchronous::Off)
            .connect()
            .await
            .map_err(failed)?;
        bring_up(path, &mut connection).await?;
        connection.close().await.map_err(failed)?;
        Ok(trial)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    fn remove(path: &Path) {
        // Mostly there is none; one that cannot be removed is found when it is made anew.
        let _ = fs::remove_file(beside(path, "-trial"));
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // Who still reads it has it open.
        let _ = fs::remove_file(&self.0);
    }
}

/// Connections that read the store at `path`.
pub(super) async fn readers(path: &Path, most: u32) -> Result<SqlitePool, sqlx::Error> {
    PoolOptions::new()
        .max_connections(most)
        // Each call is bounded itself.
        .acquire_timeout(Duration::from_millis(limits::STORE_MS_MOST))
        .connect_with(reading(path))
        .await
}

/// How the file is opened to be read only: nothing of its log is copied into it, not even when the last one closes it.
fn reading(path: &Path) -> SqliteConnectOptions {
    options(path).read_only(true)
}

/// How the file is opened by whoever opens it.
pub(super) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(Duration::from_millis(limits::STORE_MS))
        .foreign_keys(false)
        .statement_cache_capacity(limits::STORE_STATEMENTS)
        .disable_statement_logging()
}

/// Compares how many commits the store has had with how many were acknowledged, and tells.
pub(super) async fn tell_counted(path: &Path, readers: &SqlitePool, figures: &Figures) -> Result<(), OpenError> {
    let failed = |error| OpenError::Connect { url: path.display().to_string(), error };
    let mut connection = readers.acquire().await.map_err(failed)?;
    let (id, has) = own(path, &mut connection).await?;
    let beside = path.with_extension("commits");
    let file = beside.display();
    let counted = Counter::look(&beside, id).map_err(|error| failed(sqlx::Error::Io(error)))?;
    match counted {
        Counted::Nothing | Counted::Other => {
            if let Some(why) = uncounted(counted, has) {
                tracing::warn!(%file, commits = has, "{why}");
            }
        }
        Counted::Commits(acknowledged) if acknowledged > has => {
            let lost = acknowledged - has;
            tracing::error!(
                commits = has,
                acknowledged,
                "the store has lost its last {lost} commits, or is one from before them"
            );
            figures.lost_commits.store(lost, Ordering::Relaxed);
        }
        Counted::Commits(_) => {}
        Counted::Damaged => {
            figures.damaged.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%file, "{}", uncounted(counted, has).unwrap_or_default());
        }
    }
    Ok(())
}

/// Why it is not known of a store with so many commits whether some are lost.
const fn uncounted(counted: Counted, has: u64) -> Option<&'static str> {
    match counted {
        Counted::Nothing if has > 0 => Some("nothing says how many commits the store should have"),
        Counted::Other => Some("it counts the commits of another store: it is not known whether some are lost"),
        Counted::Damaged => Some("the count of the store's commits is damaged: it is not known whether some are lost"),
        Counted::Nothing | Counted::Commits(_) => None,
    }
}

/// Counts on from as many commits as the store has had, which it says.
pub(super) async fn count_on(path: &Path, connection: &mut SqliteConnection) -> Result<(Counter, u64), OpenError> {
    let (id, has) = own(path, connection).await?;
    let counter = Counter::open(&path.with_extension("commits"), id).and_then(|(counter, _told)| {
        counter.write(has)?;
        Ok((counter, has))
    });
    counter.map_err(|error| OpenError::Connect { url: path.display().to_string(), error: sqlx::Error::Io(error) })
}

async fn own(path: &Path, connection: &mut SqliteConnection) -> Result<([u8; 16], u64), OpenError> {
    let failed = |error| OpenError::Connect { url: path.display().to_string(), error };
    let is = identity(connection).await.map_err(failed)?;
    is.ok_or_else(|| OpenError::damaged(path, "what it says of itself".to_owned()))
}

/// Which store this is, and how many commits it has had; `None` where that cannot be.
pub(super) async fn identity(connection: &mut SqliteConnection) -> Result<Option<([u8; 16], u64)>, sqlx::Error> {
    let row = sqlx::query("SELECT id, commits, again FROM store_self").fetch_one(connection).await?;
    let (commits, again): (i64, i64) = (row.try_get(1)?, row.try_get(2)?);
    let id = <[u8; 16]>::try_from(row.try_get::<Vec<u8>, _>(0)?).ok();
    Ok(id.zip(u64::try_from(commits).ok()).filter(|_| commits == again))
}

/// How many acknowledged commits say that there was a store at `path`, where there is nothing in it.
pub fn gone(path: &Path) -> io::Result<Option<u64>> {
    // A store has a page before its log has anything.
    if length(path)? > 0 {
        return Ok(None);
    }
    let commits = Counter::of_any(&path.with_extension("commits"))?;
    Ok(if commits == 0 && length(&beside(path, "-wal"))? > 0 {
        Some(1)
    } else {
        Some(commits).filter(|commits| *commits > 0)
    })
}

fn length(path: &Path) -> io::Result<u64> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
        file => file.map(|file| file.len()),
    }
}

/// Keeps aside what was accepted as lost, before the store is written to.
pub(super) fn put_aside(path: &Path, found: &Found) -> io::Result<()> {
    let log = beside(path, "-wal");
    match found {
        Found::New | Found::Store { damage: None, .. } => Ok(()),
        Found::Gone { commits } => {
            tracing::error!(commits, "accepted as lost: all of the store");
            // Nothing reads it without its file, and SQLite would throw it away.
            if log.exists() { fs::rename(&log, free(&beside(path, "-wal.damaged"), "")) } else { Ok(()) }
        }
        Found::Unreadable { what, commits } => {
            let kept = free(&beside(path, ".damaged"), "-wal");
            // What cannot be read goes first: without its log it might be read, as it was long ago.
            fs::rename(path, &kept)?;
            if log.exists() {
                fs::rename(&log, beside(&kept, "-wal"))?;
            }
            tracing::error!(commits, kept = %kept.display(), "accepted as lost: all of the store, which cannot be read: {what}");
            Ok(())
        }
        Found::Store { damage: Some(damage), .. } => {
            let kept = free(&beside(path, "-wal.damaged"), "");
            fs::copy(&log, &kept)?;
            // Nothing of what is behind the damage is taken for something that was written later.
            let whole = match damage {
                WalDamage::Heading { .. } => 0,
                WalDamage::Frame { offset, .. } => *offset as u64,
            };
            fs::OpenOptions::new().write(true).open(&log)?.set_len(whole)?;
            tracing::warn!(kept = %kept.display(), "accepted as lost: the store's write-ahead log is damaged: {damage}");
            Ok(())
        }
    }
}

/// `name`, or with the first number from 2 on behind it, so that neither that nor the same with `suffix` is there: what was put aside
/// before stays.
fn free(name: &Path, suffix: &str) -> PathBuf {
    let numbered = (2_u64..).map(|number| beside(name, &format!(".{number}")));
    let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    names.find(|path| !is_there(path) && !is_there(&beside(path, suffix))).expect("numbers do not end")
}

/// What was found in a store that no server is using.
#[derive(Debug)]
pub struct Inspection {
    pub found: Soundness,
    /// The fights that it has live, as far as that can be read.
    pub fights: Vec<Uuid>,
}

/// Reads all of the store at `path`, of which no server is running, and tells what is damaged: what a start stops for, or tells, and what it
/// would meet later. Nothing of it is changed; of one of an older form there is a copy beside it meanwhile.
pub async fn inspect(path: &Path) -> Result<Inspection, StoreError> {
    let io = |error: io::Error| StoreError::Unavailable(format!("{}: {error}", path.display()));
    let failed = |error: sqlx::Error| failure(&error);
    let (form, log) = match look(path, false).await {
        Ok(Found::Store { form, damage }) => (form, damage),
        // Everything that is before the damage is read, too.
        Err(OpenError::Log { damage, .. }) => (form(path).await.unwrap_or(Form::Current), Some(damage)),
        // As it is told whether there is one, there is an empty file, and nothing says that there was more.
        Ok(Found::New | Found::Gone { .. } | Found::Unreadable { .. }) => {
            return Ok(Inspection { found: Soundness::default(), fights: Vec::new() });
        }
        Err(OpenError::Connect { error, .. }) => return Err(failed(error)),
        Err(error) => return Err(StoreError::Damaged(error.to_string())),
    };
    // One of an older form is looked at as a start does: in a copy that is brought up to this version's. Its pages are its own.
    let (trial, pages) = if form == Form::Older {
        let mut connection = reading(path).connect().await.map_err(failed)?;
        let pages = soundness::pages(&mut connection).await.map_err(failed)?;
        connection.close().await.map_err(failed)?;
        let trial = Trial::of(path, false).await.map_err(|error| StoreError::Damaged(error.to_string()))?;
        (Some(trial), pages)
    } else {
        (None, Vec::new())
    };
    let reader = readers(trial.as_ref().map_or(path, Trial::path), 1).await.map_err(failed)?;
    let mut found = soundness::check(&reader).await?;
    found.structure.extend(pages);
    found.structure.extend(log.map(|damage| format!("its write-ahead log is damaged: {damage}")));
    let mut connection = reader.acquire().await.map_err(failed)?;
    match identity(&mut connection).await.map_err(failed)? {
        None => found.structure.push("what it says of itself".to_owned()),
        Some((id, has)) => match Counter::look(&path.with_extension("commits"), id).map_err(io)? {
            Counted::Commits(told) if told > has => {
                found.structure.push(format!("the last {} commits that were acknowledged are not there", told - has));
            }
            // One of an older form has another id in the copy.
            Counted::Other if trial.is_some() => {}
            counted => found.structure.extend(uncounted(counted, has).map(str::to_owned)),
        },
    }
    let fights = live_fights(&mut connection).await.unwrap_or_default();
    drop(connection);
    reader.close().await;
    Ok(Inspection { found, fights })
}

async fn live_fights(connection: &mut SqliteConnection) -> Result<Vec<Uuid>, sqlx::Error> {
    let rows = sqlx::query("SELECT id FROM sessions WHERE kind = $1 AND status IN ($2, $3) ORDER BY id")
        .bind(Kind::Combat as i16)
        .bind(Status::Active as i16)
        .bind(Status::Paused as i16)
        .fetch_all(connection)
        .await?;
    rows.iter().map(|row| row.try_get(0)).collect()
}

/// The file beside `path` that is called like it with this behind.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
