//! The embedded store: one file, one connection that writes, a few that read.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Row, Sqlite, SqlitePool};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::opening::{self, Found, Trial, beside};
use super::sql::{self, PageSql, number, unreadable, within};
use super::sqlite_rows::{bucket, json, key, log, replay, session, texts, with_sum, without_gaps};
use super::upkeep::upkeep;
use super::writer::Writer;
use super::{
    Answer, Batch, Begun, BucketRow, CombatFilter, Count, Figures, Filter, KeptReplay, KeyRow, LogRow, OpenError, Page,
    Past, SessionRow, Soundness, Store, StoreError, private, soundness,
};
use crate::limits;
use crate::ops::watch;
use crate::session::{Kind, Status};

/// One transaction. The rows come as JSON arrays of arrays; ids and hashes in them as hexadecimal digits.
const COMMIT: &str = "
BEGIN IMMEDIATE;
DELETE FROM sessions WHERE id IN (SELECT unhex(value) FROM json_each($1));
DELETE FROM session_players WHERE session_id IN (SELECT unhex(value) FROM json_each($1));
DELETE FROM session_logs WHERE session_id IN (SELECT unhex(value) FROM json_each($1));
DELETE FROM idempotency_keys WHERE hash IN (SELECT unhex(value) FROM json_each($2));
CREATE TEMP TABLE IF NOT EXISTS fenced (id BLOB PRIMARY KEY);
DELETE FROM fenced;
INSERT INTO fenced SELECT s.id FROM json_each($3) AS n JOIN sessions AS s ON s.id = unhex(n.value ->> 0)
    WHERE s.epoch > n.value ->> 18;
INSERT INTO sessions
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6,
        value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
        value ->> 15, value ->> 16, value ->> 17, value ->> 18
    FROM json_each($3) WHERE true
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, player_id = excluded.player_id, created_at = excluded.created_at,
        mode = excluded.mode, sum = excluded.sum, status = excluded.status, updated_at = excluded.updated_at,
        ended_at = excluded.ended_at, expires_at = excluded.expires_at, version = excluded.version,
        node = excluded.node, fight_status = excluded.fight_status, metadata = excluded.metadata,
        settings = excluded.settings, body = excluded.body, end_reason = excluded.end_reason, logs = excluded.logs,
        epoch = excluded.epoch
        WHERE sessions.epoch <= excluded.epoch;
UPDATE sessions SET created_at = n.value ->> 4, updated_at = n.value ->> 5, expires_at = n.value ->> 7, version = n.value ->> 8,
        metadata = n.value ->> 12, settings = n.value ->> 13, body = n.value ->> 14, logs = n.value ->> 16,
        sum = n.value ->> 17
    FROM json_each($10) AS n WHERE sessions.id = unhex(n.value ->> 0);
INSERT INTO session_players
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
    FROM json_each($4) WHERE unhex(value ->> 0) NOT IN (SELECT id FROM fenced)
    ON CONFLICT (session_id, player_id) DO UPDATE SET kind = excluded.kind, status = excluded.status,
        mode = excluded.mode, fight_status = excluded.fight_status, sum = excluded.sum;
DELETE FROM session_players WHERE (session_id, player_id)
    IN (SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each($5)) AND session_id NOT IN (SELECT id FROM fenced);
INSERT INTO session_logs
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6
    FROM json_each($6) WHERE true
    ON CONFLICT (session_id, no) DO UPDATE SET at = excluded.at, event = excluded.event, message = excluded.message,
        data = excluded.data, sum = excluded.sum;
DELETE FROM session_logs WHERE (session_id, no) IN (SELECT unhex(value ->> 0), value ->> 1 FROM json_each($7));
INSERT INTO idempotency_keys
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6
    FROM json_each($8) WHERE true
    ON CONFLICT (hash) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at,
        session_id = excluded.session_id, status = excluded.status, answer = excluded.answer,
        sum = excluded.sum;
INSERT INTO analytics_buckets
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4), value ->> 5
    FROM json_each($9) WHERE true
    ON CONFLICT (width, start, series, node) DO UPDATE SET data = excluded.data, sum = excluded.sum;
INSERT INTO replays SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2), value ->> 3
    FROM json_each($11) WHERE unhex(value ->> 0) NOT IN (SELECT id FROM fenced)
    ON CONFLICT (session_id) DO UPDATE SET ruleset = excluded.ruleset, data = excluded.data, sum = excluded.sum;
INSERT INTO rulesets SELECT unhex(value ->> 0), value ->> 1, value ->> 2 FROM json_each($12) WHERE true
    ON CONFLICT (hash) DO NOTHING;
SELECT id FROM fenced;
UPDATE store_self SET commits = commits + 1, again = again + 1 RETURNING commits;
COMMIT;
";

/// Deletes what is past its time: `$1` sessions that ended before, `$2` keys, `$3` to `$10` widths and starts of buckets,
/// `$11` the limit.
const SWEEP: &str = "
BEGIN IMMEDIATE;
CREATE TEMP TABLE IF NOT EXISTS swept (id BLOB PRIMARY KEY);
DELETE FROM swept;
INSERT INTO swept SELECT id FROM sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $11;
DELETE FROM session_players WHERE session_id IN (SELECT id FROM swept);
DELETE FROM session_logs WHERE session_id IN (SELECT id FROM swept);
DELETE FROM replays WHERE session_id IN (SELECT id FROM swept);
DELETE FROM idempotency_keys WHERE hash IN
    (SELECT hash FROM idempotency_keys WHERE created_at < $2 ORDER BY created_at LIMIT $11);
DELETE FROM analytics_buckets WHERE (width = $3 AND start < $4) OR (width = $5 AND start < $6)
    OR (width = $7 AND start < $8) OR (width = $9 AND start < $10);
DELETE FROM sessions WHERE id IN (SELECT id FROM swept);
SELECT count(*) FROM swept;
COMMIT;
";

/// The columns of a session, and what they sum up to.
const COLUMNS: &str = "s.id, s.kind, s.status, s.player_id, s.created_at, s.updated_at, s.ended_at, s.expires_at, s.version, \
     s.node, s.mode, s.fight_status, s.metadata, s.settings, s.body, s.end_reason, s.logs, s.sum, s.epoch";

/// How many entries the log of the session `$1` has had.
const ENTRIES: &str = "(SELECT s.logs FROM sessions s WHERE s.id = $1) AS entries";

const REPLAY: &str = "SELECT p.session_id, p.ruleset, p.data, p.sum, r.text, r.sum AS text_sum FROM replays p \
     LEFT JOIN rulesets r ON r.hash = p.ruleset WHERE p.session_id = $1";

/// Every migration, in order: number, name, text.
pub(super) const MIGRATIONS: [(i64, &str, &str); 4] = [
    (1, "sessions", include_str!("migrations/sqlite/0001_sessions.sql")),
    (2, "replays", include_str!("migrations/sqlite/0002_replays.sql")),
    (3, "sums", include_str!("migrations/sqlite/0003_sums.sql")),
    (4, "epochs", include_str!("migrations/sqlite/0004_epochs.sql")),
];

/// Sessions in a file.
#[derive(Debug)]
pub struct SqliteStore {
    node: String,
    /// Milliseconds that a call may take.
    patience_ms: u64,
    path: PathBuf,
    /// A commit waits for the disk.
    sync: bool,
    /// What was found, until [`Store::begin`] goes on from there.
    found: std::sync::Mutex<Option<(Found, Option<Trial>)>>,
    /// Once it is written to.
    pub(super) writer: OnceLock<Arc<Mutex<Writer>>>,
    readers: RwLock<SqlitePool>,
    figures: Arc<Figures>,
    /// Ends what copies the write-ahead log into the file.
    stop: CancellationToken,
    /// Held as long as the store is open: no other server writes to the file.
    _lock: File,
}

impl SqliteStore {
    /// The file at `path`, to be read; [`Store::begin`] makes it where there is none, and has it written to. With `sync` a commit waits
    /// for the disk. With `accept_loss` a damaged write-ahead log is read as far as it goes, and a file that is gone or cannot be read
    /// is taken for an empty one; otherwise these are errors.
    pub async fn look(path: &Path, node: &str, sync: bool, accept_loss: bool) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let mut found = opening::look(path, accept_loss).await?;
        let trial = match Trial::needed(path, &found).await {
            Err(OpenError::Damaged { what, .. }) => {
                found = opening::unreadable(path, what, accept_loss)?;
                Trial::needed(path, &found).await?
            }
            trial => trial?,
        };
        Self::read(path, node, sync, lock, found, trial).await
    }

    /// The same of a file of which it has turned out that it cannot be read, and what is wrong with it.
    pub async fn anew(path: &Path, node: &str, sync: bool, accept_loss: bool, what: String) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let found = opening::unreadable(path, what, accept_loss)?;
        let trial = Trial::needed(path, &found).await?;
        Self::read(path, node, sync, lock, found, trial).await
    }

    /// Both steps at once.
    pub async fn open(path: &Path, node: &str, sync: bool, accept_loss: bool) -> Result<Self, OpenError> {
        let store = Self::look(path, node, sync, accept_loss).await?;
        store.begin().await?;
        Ok(store)
    }

    async fn read(
        path: &Path,
        node: &str,
        sync: bool,
        lock: File,
        found: Found,
        trial: Option<Trial>,
    ) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Connect { url: path.display().to_string(), error };
        let read = trial.as_ref().map_or(path, Trial::path);
        let readers = opening::readers(read, limits::SQLITE_READERS).await.map_err(failed)?;
        let figures = Arc::new(Figures::default());
        match &found {
            Found::Store { .. } => opening::tell_counted(path, &readers, &figures).await?,
            Found::Gone { commits } | Found::Unreadable { commits, .. } => {
                figures.lost_commits.store(*commits, Ordering::Relaxed);
            }
            Found::New => {}
        }
        Ok(Self {
            node: node.to_owned(),
            patience_ms: limits::STORE_MS,
            path: path.to_owned(),
            sync,
            found: std::sync::Mutex::new(Some((found, trial))),
            writer: OnceLock::new(),
            readers: RwLock::new(readers),
            figures,
            stop: CancellationToken::new(),
            _lock: lock,
        })
    }

    /// Puts aside what was accepted as lost, brings the file up to this version's tables, and has it written to.
    async fn begin_with(&self, found: &Found, is_read: bool) -> Result<(), OpenError> {
        let path = &self.path;
        let failed = |error| OpenError::Connect { url: path.display().to_string(), error };
        let io = |error| failed(sqlx::Error::Io(error));
        opening::put_aside(path, found).map_err(io)?;
        let log = beside(path, "-wal");
        for file in [path.clone(), log.clone(), beside(path, "-shm")] {
            private::close_to_others(&file).map_err(io)?;
        }
        // Its log and everything else beside it gets the file's mode.
        private::open(path).map_err(io)?;
        let options = options(path, self.sync);
        let writing = options
            .clone()
            // Of a file that is new; one of before stays as it is.
            .auto_vacuum(SqliteAutoVacuum::Incremental)
            .pragma("wal_autocheckpoint", "0")
            .pragma("journal_size_limit", limits::WAL_KEPT_BYTES.to_string())
            .pragma("cache_size", "-32768");
        let mut connection = writing.clone().connect().await.map_err(failed)?;
        opening::bring_up(path, &mut connection).await?;
        // What was in the log is in the file, and nothing of it is left to be read again.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut connection).await.map_err(failed)?;
        let counted = opening::count_on(path, &mut connection).await?;
        let writer = Writer::new(path, connection, writing.create_if_missing(false), counted).map_err(io)?;
        if !is_read {
            let readers = opening::readers(path, limits::SQLITE_READERS).await.map_err(failed)?;
            *self.readers.write().unwrap_or_else(PoisonError::into_inner) = readers;
        }
        let options = options.create_if_missing(false);
        let checkpointer = options.clone().connect().await.map_err(failed)?;
        let writer = Arc::new(Mutex::new(writer));
        let upkeep = upkeep((checkpointer, options), Arc::clone(&writer), Arc::clone(&self.figures), log);
        let until = self.stop.clone();
        let upkeep = async move {
            until.run_until_cancelled(upkeep).await;
        };
        watch::until(self.stop.clone(), "upkeep of the store", upkeep);
        self.writer.set(writer).expect("it is begun once");
        Ok(())
    }

    fn readers(&self) -> SqlitePool {
        self.readers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn writer(&self) -> Result<&Mutex<Writer>, StoreError> {
        let writer = self.writer.get().ok_or_else(|| StoreError::Unavailable("it is only read yet".to_owned()));
        writer.map(|writer| &**writer)
    }

    /// Closes the file, and waits until that is done.
    #[cfg(test)]
    async fn close(self) {
        self.stop.cancel();
        // It has the writer as long as it runs.
        while self.writer.get().is_some_and(|writer| Arc::strong_count(writer) > 1) {
            tokio::task::yield_now().await;
        }
        self.readers().close().await;
        let empty = options(Path::new(":memory:"), false).connect().await.unwrap();
        let writer = std::mem::replace(&mut self.writer().unwrap().lock().await.connection, empty);
        sqlx::Connection::close(writer).await.unwrap();
    }

    /// Runs a transaction's text on the connection that writes.
    async fn write(
        &self,
        sql: &'static str,
        bind: impl FnOnce(Prepared<'static>) -> Prepared<'static>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let work = async {
            let mut writer = self.writer()?.lock().await;
            writer.ready().await?;
            let done = bind(sqlx::query(sql)).fetch_all(&mut writer.connection).await;
            writer.settle(done.as_ref().map(drop));
            let rows = done.map_err(|error| failure(&error))?;
            if sql == COMMIT {
                writer.count(&rows);
            }
            Ok(rows)
        };
        within(self.patience_ms, work).await
    }

    async fn page(
        &self,
        sql: PageSql,
        limit: usize,
        before: Option<Uuid>,
        player: Option<Uuid>,
    ) -> Result<Page, StoreError> {
        let page = AssertSqlSafe(sql.page);
        let query = sqlx::query(page).bind(number(limit + 1)).bind(before).bind(player);
        let rows = self.rows(self.patience_ms, query).await?;
        let total = match rows.first() {
            Some(row) => row.try_get("total").map_err(unreadable)?,
            None if before.is_none() => 0,
            None => {
                let total = sqlx::query(AssertSqlSafe(sql.total)).bind(0).bind(before).bind(player);
                let rows = self.rows(self.patience_ms, total).await?;
                rows.first().map_or(Ok(0), |row| row.try_get(0).map_err(unreadable))?
            }
        };
        let shown = &rows[..rows.len().min(limit)];
        let sessions = self.sound(shown, session)?;
        let damaged = u32::try_from(shown.len() - sessions.len()).unwrap_or(u32::MAX);
        let last = shown.iter().rev().find_map(|row| row.try_get(0).ok());
        Ok(Page { sessions, total, more: rows.len() > limit, last, damaged })
    }

    /// The rows that are sound; of the others it is said which they are.
    fn sound<T>(
        &self,
        rows: &[SqliteRow],
        read: impl Fn(&SqliteRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut sound = Vec::with_capacity(rows.len());
        for row in rows {
            match self.told(read(row)) {
                Ok(row) => sound.push(row),
                Err(StoreError::Damaged(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sound)
    }

    fn told<T>(&self, read: Result<T, StoreError>) -> Result<T, StoreError> {
        read.inspect_err(|error| self.figures.notice(error))
    }

    async fn rows(&self, ms: u64, query: Prepared<'static>) -> Result<Vec<SqliteRow>, StoreError> {
        self.told(within(ms, async { query.fetch_all(&self.readers()).await.map_err(|error| failure(&error)) }).await)
    }

    async fn all<T>(
        &self,
        query: Prepared<'static>,
        read: impl Fn(&SqliteRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = self.rows(self.patience_ms, query).await?;
        rows.iter().map(|row| self.told(read(row))).collect()
    }
}

type Prepared<'q> = Query<'q, Sqlite, SqliteArguments>;

/// Keeps every other server away from the store at `path`.
fn lock(path: &Path) -> Result<File, OpenError> {
    let failed = |error| OpenError::Connect { url: path.display().to_string(), error: sqlx::Error::Io(error) };
    let file = path.with_extension("lock");
    opening::no_folder(&file)?;
    let lock = private::open(&file).map_err(failed)?;
    lock.try_lock().map_err(|_taken| OpenError::Taken(path.display().to_string()))?;
    Ok(lock)
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Store for SqliteStore {
    fn patience_ms(&self) -> u64 {
        self.patience_ms
    }

    fn set_patience_ms(&mut self, ms: u64) {
        self.patience_ms = ms;
    }

    fn begin(&self) -> Begun<'_> {
        Box::pin(async {
            let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).take();
            // What was read until now is there as long as somebody reads it.
            let Some((found, trial)) = found else { return Ok(()) };
            self.begin_with(&found, trial.is_none()).await
        })
    }

    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Vec<Uuid>> {
        let texts = texts(batch);
        Box::pin(async move {
            let rows = self.write(COMMIT, |query| texts.into_iter().fold(query, Query::bind)).await?;
            // Behind those that were refused is the number of commits.
            let refused = rows.split_last().map_or(&[][..], |(_commits, refused)| refused);
            refused.iter().map(|row| row.try_get(0).map_err(unreadable)).collect()
        })
    }

    fn of_node(&self, kind: Kind, status: Status, after: Uuid, limit: usize) -> Answer<'_, Vec<SessionRow>> {
        Box::pin(async move {
            let mut after = after;
            loop {
                let query = sqlx::query(AssertSqlSafe(sql::of_node(COLUMNS, kind, status)));
                let query = query.bind(self.node.clone()).bind(after).bind(number(limit));
                let rows = self.rows(limits::LOAD_MS, query).await?;
                let sound = self.sound(&rows, session)?;
                // An empty answer is the end, and a page of damaged rows is none.
                let last = rows.last().and_then(|row| row.try_get(0).ok());
                match last {
                    Some(last) if sound.is_empty() => after = last,
                    _ => return Ok(sound),
                }
            }
        })
    }

    fn session(&self, id: Uuid) -> Answer<'_, Option<SessionRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::session(COLUMNS))).bind(id);
        Box::pin(async move { Ok(self.all(query, session).await?.pop()) })
    }

    fn sessions<'a>(&'a self, ids: &'a [Uuid]) -> Answer<'a, Vec<SessionRow>> {
        let sql = sql::sessions(COLUMNS, "IN (SELECT unhex(value) FROM json_each($1))");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(json(ids.iter().map(|id| id.simple())));
        Box::pin(async move { self.sound(&self.rows(limits::LOAD_MS, query).await?, session) })
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Page> {
        Box::pin(self.page(sql::list(COLUMNS, filter), filter.limit, filter.before, filter.player))
    }

    fn list_combat<'a>(&'a self, filter: &'a CombatFilter) -> Answer<'a, Page> {
        Box::pin(self.page(sql::list_combat(COLUMNS, filter), filter.limit, filter.before, filter.player))
    }

    fn logs(&self, session: Uuid, before: i64, limit: usize) -> Answer<'_, Vec<LogRow>> {
        let columns = with_sum(sql::LOG_COLUMNS);
        let query = sqlx::query(AssertSqlSafe(sql::logs(&format!("{columns}, {ENTRIES}"))));
        let query = query.bind(session).bind(before).bind(number(limit));
        Box::pin(async move {
            let rows = self.rows(self.patience_ms, query).await?;
            let entries = if let Some(row) = rows.first() {
                row.try_get("entries").map_err(unreadable)?
            } else {
                let query = sqlx::query(AssertSqlSafe(format!("SELECT {ENTRIES}"))).bind(session);
                let rows = self.rows(self.patience_ms, query).await?;
                rows.first().map_or(Ok(None), |row| row.try_get(0).map_err(unreadable))?
            };
            let logs: Vec<LogRow> = rows.iter().map(|row| self.told(log(row))).collect::<Result<_, _>>()?;
            self.told(without_gaps(session, entries, before, limit, &logs))?;
            Ok(logs)
        })
    }

    fn replay(&self, session: Uuid) -> Answer<'_, Option<KeptReplay>> {
        let query = sqlx::query(REPLAY).bind(session);
        Box::pin(async move { Ok(self.all(query, replay).await?.pop()) })
    }

    fn key(&self, hash: [u8; 16]) -> Answer<'_, Option<KeyRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::key(&with_sum(sql::KEY_COLUMNS)))).bind(hash.to_vec());
        Box::pin(async move { Ok(self.all(query, key).await?.pop()) })
    }

    fn counts(&self) -> Answer<'_, Vec<Count>> {
        Box::pin(self.all(sqlx::query(sql::COUNTS), |row| sql::count_row!(row)))
    }

    fn buckets(&self, width: i32, since: i64, own: bool) -> Answer<'_, Vec<BucketRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::buckets(&with_sum(sql::BUCKET_COLUMNS))));
        let query = query.bind(width).bind(since).bind(self.node.clone()).bind(own);
        // Figures that are damaged are missing, and nothing else is for that.
        Box::pin(async move { self.sound(&self.rows(self.patience_ms, query).await?, bucket) })
    }

    fn sweep(&self, past: Past, limit: usize) -> Answer<'_, u64> {
        let bind = move |query: Prepared<'static>| {
            let query = query.bind(past.ended).bind(past.keys);
            let query = past.buckets.into_iter().fold(query, |query, (width, start)| query.bind(width).bind(start));
            query.bind(number(limit))
        };
        Box::pin(async move {
            let rows = self.write(SWEEP, bind).await?;
            let swept: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0).map_err(unreadable))?;
            Ok(swept.unsigned_abs())
        })
    }

    fn check(&self) -> Answer<'_, Soundness> {
        Box::pin(async {
            let found = soundness::check(&self.readers()).await?;
            self.figures.found.store(found.count(), Ordering::Relaxed);
            Ok(found)
        })
    }

    fn mend(&self) -> Answer<'_, ()> {
        Box::pin(async {
            let mut writer = self.writer()?.lock().await;
            soundness::mend(&mut writer.connection).await.map_err(|error| failure(&error))
        })
    }

    fn take_out(&self) -> Answer<'_, u64> {
        Box::pin(async {
            let kept = beside(&self.path, ".damaged-rows");
            let keep = |lines: &str| {
                let mut file = private::open(&kept)?;
                file.seek(SeekFrom::End(0))?;
                file.write_all(lines.as_bytes())?;
                file.sync_all()
            };
            let taken = soundness::take_out(&mut self.writer()?.lock().await.connection, keep).await?;
            if taken > 0 {
                tracing::error!(rows = taken, kept = %kept.display(), "accepted as lost: damaged rows, which are taken out of the store");
            }
            Ok(taken)
        })
    }

    fn figures(&self) -> Option<&Figures> {
        Some(&self.figures)
    }
}

/// How the file is opened to be written.
fn options(path: &Path, sync: bool) -> SqliteConnectOptions {
    opening::options(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(if sync {
        SqliteSynchronous::Full
    } else {
        SqliteSynchronous::Normal
    })
}

/// SQLite's codes for a file that cannot grow, and for one that is damaged.
pub(super) fn failure(error: &sqlx::Error) -> StoreError {
    const FULL: u32 = 13;
    const CORRUPT: u32 = 11;
    const NO_DATABASE: u32 = 26;
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let code = code.and_then(|code| code.parse::<u32>().ok());
    // The rest of the number says more about it.
    match code.map(|code| code & 0xFF) {
        Some(FULL) => StoreError::Full(error.to_string()),
        Some(CORRUPT | NO_DATABASE) => StoreError::Damaged(error.to_string()),
        _ if code == Some(opening::ENDS_TOO_EARLY) => StoreError::Damaged(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
#[path = "damage_tests.rs"]
mod damage_tests;

#[cfg(test)]
#[path = "opening_tests.rs"]
mod opening_tests;
