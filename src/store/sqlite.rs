//! The embedded store: one file, one connection that writes, a few that read.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::PoolOptions;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteJournalMode, SqliteRow, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row, SqlSafeStr, Sqlite, SqliteConnection, SqlitePool};
use tokio::sync::Mutex;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::row::{self, fight_numbers};
use super::sql::{self, PageSql, bounded, number, unreadable, within};
use super::{
    Answer, Batch, BucketRow, CombatFilter, Count, FightStatus, Filter, KeptReplay, KeyAnswer, KeyRow, Kind, LogRow,
    OpenError, Page, Past, SessionRow, Status, Store, StoreError,
};
use crate::limits;
use crate::ops::watch;

/// One transaction. The rows come as JSON arrays of arrays; ids and hashes in them as hexadecimal digits.
const COMMIT: &str = "
BEGIN IMMEDIATE;
DELETE FROM sessions WHERE id IN (SELECT unhex(value) FROM json_each($1));
DELETE FROM session_players WHERE session_id IN (SELECT unhex(value) FROM json_each($1));
DELETE FROM session_logs WHERE session_id IN (SELECT unhex(value) FROM json_each($1));
DELETE FROM idempotency_keys WHERE hash IN (SELECT unhex(value) FROM json_each($2));
INSERT INTO sessions
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5, value ->> 6,
        value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14,
        value ->> 15, value ->> 16
    FROM json_each($3) WHERE true
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at,
        ended_at = excluded.ended_at, expires_at = excluded.expires_at, version = excluded.version,
        node = excluded.node, fight_status = excluded.fight_status, metadata = excluded.metadata,
        settings = excluded.settings, body = excluded.body, end_reason = excluded.end_reason, logs = excluded.logs;
UPDATE sessions SET updated_at = n.value ->> 5, expires_at = n.value ->> 7, version = n.value ->> 8,
        metadata = n.value ->> 12, settings = n.value ->> 13, body = n.value ->> 14, logs = n.value ->> 16
    FROM json_each($10) AS n WHERE sessions.id = unhex(n.value ->> 0);
INSERT INTO session_players
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each($4) WHERE true
    ON CONFLICT (session_id, player_id) DO UPDATE SET status = excluded.status, fight_status = excluded.fight_status;
DELETE FROM session_players WHERE (session_id, player_id)
    IN (SELECT unhex(value ->> 0), unhex(value ->> 1) FROM json_each($5));
INSERT INTO session_logs
    SELECT unhex(value ->> 0), value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5
    FROM json_each($6) WHERE true
    ON CONFLICT (session_id, no) DO UPDATE SET at = excluded.at, event = excluded.event, message = excluded.message,
        data = excluded.data;
DELETE FROM session_logs WHERE (session_id, no) IN (SELECT unhex(value ->> 0), value ->> 1 FROM json_each($7));
INSERT INTO idempotency_keys
    SELECT unhex(value ->> 0), unhex(value ->> 1), value ->> 2, unhex(value ->> 3), value ->> 4, value ->> 5
    FROM json_each($8) WHERE true
    ON CONFLICT (hash) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at,
        session_id = excluded.session_id, status = excluded.status, answer = excluded.answer;
INSERT INTO analytics_buckets
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, unhex(value ->> 4) FROM json_each($9) WHERE true
    ON CONFLICT (width, start, series, node) DO UPDATE SET data = excluded.data;
INSERT INTO replays SELECT unhex(value ->> 0), unhex(value ->> 1), unhex(value ->> 2) FROM json_each($11) WHERE true
    ON CONFLICT (session_id) DO UPDATE SET ruleset = excluded.ruleset, data = excluded.data;
INSERT INTO rulesets SELECT unhex(value ->> 0), value ->> 1 FROM json_each($12) WHERE true ON CONFLICT (hash) DO NOTHING;
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

/// Every migration, in order.
fn migrations() -> Vec<Migration> {
    [
        (1, "sessions", include_str!("migrations/sqlite/0001_sessions.sql")),
        (2, "replays", include_str!("migrations/sqlite/0002_replays.sql")),
    ]
    .map(|(number, name, text)| Migration::new(number, name.into(), MigrationType::Simple, text.into_sql_str(), false))
    .into()
}

/// Sessions in a file.
#[derive(Debug)]
pub struct SqliteStore {
    node: String,
    writer: Arc<Mutex<Writer>>,
    readers: SqlitePool,
    /// Copies the write-ahead log into the file, so that no commit has to.
    checkpoints: tokio::task::JoinHandle<()>,
    /// Held as long as the store is open: no other server writes to the file.
    _lock: File,
}

#[derive(Debug)]
struct Writer {
    connection: SqliteConnection,
    /// A call was given up or failed: a transaction may be open.
    unsettled: bool,
}

impl SqliteStore {
    /// Opens the file at `path`, made where there is none. With `sync` a commit waits for the disk.
    pub async fn open(path: &Path, node: &str, sync: bool) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Connect { url: path.display().to_string(), error };
        let lock = File::create(path.with_extension("lock")).map_err(|error| failed(sqlx::Error::Io(error)))?;
        lock.try_lock().map_err(|_taken| OpenError::Taken(path.display().to_string()))?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(if sync { SqliteSynchronous::Full } else { SqliteSynchronous::Normal })
            .busy_timeout(Duration::from_millis(limits::STORE_MS))
            .foreign_keys(false)
            .statement_cache_capacity(limits::STORE_STATEMENTS)
            .disable_statement_logging();
        let mut connection = options
            .clone()
            .pragma("wal_autocheckpoint", "0")
            .pragma("cache_size", "-32768")
            .connect()
            .await
            .map_err(failed)?;
        Migrator::with_migrations(migrations())
            .run(&mut connection)
            .await
            .map_err(|error| OpenError::Migrate { url: path.display().to_string(), error })?;
        let readers = PoolOptions::new()
            .max_connections(limits::SQLITE_READERS)
            .acquire_timeout(Duration::from_millis(limits::STORE_MS))
            .connect_with(options.clone().read_only(true))
            .await
            .map_err(failed)?;
        let checkpointer = options.connect().await.map_err(failed)?;
        let writer = Arc::new(Mutex::new(Writer { connection, unsettled: false }));
        Ok(Self {
            node: node.to_owned(),
            checkpoints: watch::once("copying of the write-ahead log", checkpoint(checkpointer, Arc::clone(&writer))),
            writer,
            readers,
            _lock: lock,
        })
    }

    /// Runs a transaction's text on the connection that writes.
    async fn write(
        &self,
        sql: &'static str,
        bind: impl FnOnce(Prepared<'static>) -> Prepared<'static>,
    ) -> Result<Vec<SqliteRow>, StoreError> {
        let work = async {
            let mut writer = self.writer.lock().await;
            let writer = &mut *writer;
            if writer.unsettled {
                // An error says that there is no transaction open, which is as good.
                let _ = (&mut writer.connection).execute("ROLLBACK").await;
            }
            writer.unsettled = true;
            let rows =
                bind(sqlx::query(sql)).fetch_all(&mut writer.connection).await.map_err(|error| failure(&error))?;
            writer.unsettled = false;
            Ok(rows)
        };
        bounded(work).await
    }

    async fn page(
        &self,
        sql: PageSql,
        limit: usize,
        before: Option<Uuid>,
        player: Option<Uuid>,
    ) -> Result<Page, StoreError> {
        let page = AssertSqlSafe(sql.page);
        let rows = sqlx::query(page).bind(number(limit + 1)).bind(before).bind(player).fetch_all(&self.readers);
        let rows = bounded(async { rows.await.map_err(|error| failure(&error)) }).await?;
        let total = match rows.first() {
            Some(row) => row.try_get(17).map_err(unreadable)?,
            None if before.is_none() => 0,
            None => {
                let total = sqlx::query(AssertSqlSafe(sql.total)).bind(0).bind(before).bind(player);
                let row =
                    bounded(async { total.fetch_one(&self.readers).await.map_err(|error| failure(&error)) }).await?;
                row.try_get(0).map_err(unreadable)?
            }
        };
        let sessions = rows.iter().take(limit).map(session).collect::<Result<_, _>>()?;
        Ok(Page { sessions, total, more: rows.len() > limit })
    }

    async fn all<T>(
        &self,
        query: Prepared<'static>,
        read: impl Fn(&SqliteRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = bounded(async { query.fetch_all(&self.readers).await.map_err(|error| failure(&error)) }).await?;
        rows.iter().map(read).collect()
    }
}

type Prepared<'q> = Query<'q, Sqlite, SqliteArguments>;

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.checkpoints.abort();
    }
}

impl Store for SqliteStore {
    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, ()> {
        let texts = texts(batch);
        Box::pin(
            async move { self.write(COMMIT, |query| texts.into_iter().fold(query, Query::bind)).await.map(|_rows| ()) },
        )
    }

    fn of_node(&self, kind: Kind, status: Status, after: Uuid, limit: usize) -> Answer<'_, Vec<SessionRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::of_node(kind, status)));
        let query = query.bind(self.node.clone()).bind(after).bind(number(limit));
        Box::pin(async move {
            let rows = within(limits::LOAD_MS, async { query.fetch_all(&self.readers).await.map_err(|e| failure(&e)) });
            rows.await?.iter().map(session).collect()
        })
    }

    fn session(&self, id: Uuid) -> Answer<'_, Option<SessionRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::session())).bind(id);
        Box::pin(async move { Ok(self.all(query, session).await?.pop()) })
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Page> {
        Box::pin(self.page(sql::list(filter), filter.limit, filter.before, filter.player))
    }

    fn list_combat<'a>(&'a self, filter: &'a CombatFilter) -> Answer<'a, Page> {
        Box::pin(self.page(sql::list_combat(filter), filter.limit, filter.before, filter.player))
    }

    fn logs(&self, session: Uuid, before: i64, limit: usize) -> Answer<'_, Vec<LogRow>> {
        let query = sqlx::query(sql::LOGS).bind(session).bind(before).bind(number(limit));
        Box::pin(self.all(query, |row| sql::log_row!(row)))
    }

    fn replay(&self, session: Uuid) -> Answer<'_, Option<KeptReplay>> {
        let query = sqlx::query(sql::REPLAY).bind(session);
        Box::pin(async move { Ok(self.all(query, |row| sql::replay_row!(row)).await?.pop()) })
    }

    fn key(&self, hash: [u8; 16]) -> Answer<'_, Option<KeyRow>> {
        let query = sqlx::query(sql::KEY).bind(hash.to_vec());
        Box::pin(async move { Ok(self.all(query, |row| sql::key_row!(row)).await?.pop()) })
    }

    fn counts(&self) -> Answer<'_, Vec<Count>> {
        Box::pin(self.all(sqlx::query(sql::COUNTS), |row| sql::count_row!(row)))
    }

    fn buckets(&self, width: i32, since: i64, own: bool) -> Answer<'_, Vec<BucketRow>> {
        let query = sqlx::query(sql::BUCKETS).bind(width).bind(since).bind(self.node.clone()).bind(own);
        Box::pin(self.all(query, |row| sql::bucket_row!(row)))
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
}

fn session(row: &SqliteRow) -> Result<SessionRow, StoreError> {
    sql::session_row!(row)
}

/// What [`COMMIT`] binds, in its order.
fn texts(batch: &Batch) -> [String; 12] {
    [
        json(batch.undone.iter().map(|id| id.simple())),
        json(batch.undone_keys.iter().map(hash)),
        json(batch.sessions.iter().map(SessionText::of)),
        json(batch.players.iter().map(|p| {
            let (mode, fight_status) = fight_numbers(p.fight);
            (p.session.simple(), p.player.simple(), p.kind as u8, p.status as u8, mode, fight_status)
        })),
        json(batch.left.iter().map(|(session, player)| (session.simple(), player.simple()))),
        json(batch.logs.iter().map(|l| (l.session.simple(), l.no, l.at, &l.event, &l.message, &l.data))),
        json(batch.trims.iter().map(|(session, no)| (session.simple(), no))),
        json(batch.keys.iter().map(|k| {
            let (status, body) = k.answer.as_ref().map(|answer| (answer.status, &answer.body)).unzip();
            (hash(&k.hash), hash(&k.fingerprint), k.created_at, k.session.simple(), status, body)
        })),
        json(batch.buckets.iter().map(|b| (&b.node, b.width, b.start, b.series, hex(&b.data)))),
        json(batch.contents.iter().map(SessionText::of)),
        json(batch.replays.iter().map(|r| (r.session.simple(), hex(&r.ruleset), hex(&r.data)))),
        json(batch.rulesets.iter().map(|r| (hex(&r.hash), &r.text))),
    ]
}

/// A session as an array, in the order of the table's columns.
#[derive(Serialize)]
struct SessionText<'a>(
    Simple,
    u8,
    u8,
    Simple,
    i64,
    i64,
    Option<i64>,
    Option<i64>,
    i64,
    &'a str,
    i16,
    i16,
    Option<&'a str>,
    Option<&'a str>,
    &'a str,
    Option<&'a str>,
    i64,
);

impl<'a> SessionText<'a> {
    fn of(s: &'a SessionRow) -> Self {
        let (mode, fight_status) = fight_numbers(s.fight);
        Self(
            s.id.simple(),
            s.kind as u8,
            s.status as u8,
            s.player.simple(),
            s.created_at,
            s.updated_at,
            s.ended_at,
            s.expires_at,
            s.version,
            &s.node,
            mode,
            fight_status,
            s.metadata.as_deref(),
            s.settings.as_deref(),
            &s.body,
            s.end_reason.as_deref(),
            s.logs,
        )
    }
}

fn json<T: Serialize>(rows: impl Iterator<Item = T>) -> String {
    let mut serializer = serde_json::Serializer::new(Vec::new());
    serde::Serializer::collect_seq(&mut serializer, rows).expect("rows have no value that JSON refuses");
    String::from_utf8(serializer.into_inner()).expect("JSON is UTF-8")
}

fn hash(hash: &[u8; 16]) -> Simple {
    Uuid::from_bytes(*hash).simple()
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

/// Copies the write-ahead log into the file, beside the commits. Where that leaves it long, because commits went on meanwhile, it
/// copies again what came since, and the little that is left after that between two commits: then the log starts over.
async fn checkpoint(mut connection: SqliteConnection, writer: Arc<Mutex<Writer>>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(limits::CHECKPOINT_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let copied = match copy(&mut connection).await {
            Ok(pages) if pages > limits::WAL_PAGES => match copy(&mut connection).await {
                Ok(_) => start_over(&writer).await,
                Err(error) => Err(error),
            },
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = copied {
            tracing::warn!(%error, "the store's log could not be copied into its file");
        }
    }
}

/// Copies what the log holds, without waiting for anybody, and says how many pages it holds.
async fn copy(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await?.try_get(1)
}

async fn start_over(writer: &Mutex<Writer>) -> Result<(), sqlx::Error> {
    let mut writer = writer.lock().await;
    if !writer.unsettled {
        copy(&mut writer.connection).await?;
    }
    Ok(())
}

/// SQLite's codes for a file that cannot grow.
fn failure(error: &sqlx::Error) -> StoreError {
    const FULL: &str = "13";
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        Some(code) if code == FULL => StoreError::Full(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}
