//! The store in production: one connection that writes, a pool that reads.
//!
//! The one that writes holds an advisory lock of the node's name for as long as it lives. A commit of unknown outcome closes
//! it; the next needs the lock first, and so comes after whatever became of the one before. It also keeps two servers of one
//! name apart.

use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::postgres::{PgArguments, PgConnectOptions, PgRow};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, Postgres, Row, SqlSafeStr};
use tokio::sync::Mutex;
use uuid::Uuid;

use super::row::fight_numbers;
use super::sql::{self, PageSql, number, unreadable, within};
use super::{
    Answer, Batch, BucketRow, CombatFilter, Count, Filter, KeptReplay, KeyAnswer, KeyRow, LogRow, OpenError, Page,
    Past, SessionRow, Store, StoreError, shown,
};
use crate::limits;
use crate::session::{Kind, Status};

/// One statement, and so one transaction and one way there and back.
const COMMIT: &str = "
WITH undone AS (DELETE FROM sessions WHERE id = ANY($1)),
undone_players AS (DELETE FROM session_players WHERE session_id = ANY($1)),
undone_logs AS (DELETE FROM session_logs WHERE session_id = ANY($1)),
undone_keys AS (DELETE FROM idempotency_keys WHERE hash = ANY($2)),
kept AS (
    INSERT INTO sessions
    SELECT * FROM UNNEST($3::uuid[], $4::smallint[], $5::smallint[], $6::uuid[], $7::bigint[], $8::bigint[], $9::bigint[],
        $10::bigint[], $11::bigint[], $12::text[], $13::smallint[], $14::smallint[], $15::text[], $16::text[], $17::text[],
        $18::text[], $19::bigint[], $52::bigint[])
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, created_at = excluded.created_at, updated_at = excluded.updated_at,
        ended_at = excluded.ended_at, expires_at = excluded.expires_at, version = excluded.version,
        node = excluded.node, fight_status = excluded.fight_status, metadata = excluded.metadata,
        settings = excluded.settings, body = excluded.body, end_reason = excluded.end_reason, logs = excluded.logs,
        epoch = excluded.epoch
        WHERE sessions.epoch <= excluded.epoch
    RETURNING id
),
fenced AS (SELECT id FROM UNNEST($3::uuid[]) AS n (id) EXCEPT SELECT id FROM kept),
kept_players AS (
    INSERT INTO session_players
    SELECT * FROM UNNEST($20::uuid[], $21::uuid[], $22::smallint[], $23::smallint[], $24::smallint[], $25::smallint[])
        AS p (session_id, player_id, kind, status, mode, fight_status)
    WHERE p.session_id NOT IN (SELECT id FROM fenced)
    ON CONFLICT (session_id, player_id) DO UPDATE SET status = excluded.status, fight_status = excluded.fight_status
),
gone_players AS (
    DELETE FROM session_players AS p USING UNNEST($26::uuid[], $27::uuid[]) AS l (session_id, player_id)
    WHERE p.session_id = l.session_id AND p.player_id = l.player_id AND p.session_id NOT IN (SELECT id FROM fenced)
),
kept_logs AS (
    INSERT INTO session_logs
    SELECT * FROM UNNEST($28::uuid[], $29::bigint[], $30::bigint[], $31::text[], $32::text[], $33::text[])
    ON CONFLICT (session_id, no) DO UPDATE SET at = excluded.at, event = excluded.event, message = excluded.message,
        data = excluded.data
),
gone_logs AS (
    DELETE FROM session_logs AS s USING UNNEST($34::uuid[], $35::bigint[]) AS l (session_id, no)
    WHERE s.session_id = l.session_id AND s.no = l.no
),
kept_keys AS (
    INSERT INTO idempotency_keys
    SELECT * FROM UNNEST($36::bytea[], $37::bytea[], $38::bigint[], $39::uuid[], $40::smallint[], $41::text[])
    ON CONFLICT (hash) DO UPDATE SET fingerprint = excluded.fingerprint, created_at = excluded.created_at,
        session_id = excluded.session_id, status = excluded.status, answer = excluded.answer
),
kept_replays AS (
    INSERT INTO replays SELECT * FROM UNNEST($47::uuid[], $48::bytea[], $49::bytea[]) AS r (session_id, ruleset, data)
    WHERE r.session_id NOT IN (SELECT id FROM fenced)
    ON CONFLICT (session_id) DO UPDATE SET ruleset = excluded.ruleset, data = excluded.data
),
kept_rulesets AS (
    INSERT INTO rulesets SELECT * FROM UNNEST($50::bytea[], $51::text[]) ON CONFLICT (hash) DO NOTHING
),
kept_buckets AS (
    INSERT INTO analytics_buckets
    SELECT * FROM UNNEST($42::text[], $43::integer[], $44::bigint[], $45::smallint[], $46::bytea[])
    ON CONFLICT (width, start, series, node) DO UPDATE SET data = excluded.data
)
SELECT id FROM fenced
";

/// Deletes what is past its time: `$1` sessions that ended before, `$2` keys, `$3` to `$10` widths and starts of buckets,
/// `$11` the limit.
const SWEEP: &str = "
WITH swept AS (
    DELETE FROM sessions
    WHERE id IN (SELECT id FROM sessions WHERE ended_at < $1 ORDER BY ended_at LIMIT $11 FOR UPDATE SKIP LOCKED)
    RETURNING id
),
players AS (DELETE FROM session_players WHERE session_id IN (SELECT id FROM swept)),
logs AS (DELETE FROM session_logs WHERE session_id IN (SELECT id FROM swept)),
replays AS (DELETE FROM replays WHERE session_id IN (SELECT id FROM swept)),
keys AS (
    DELETE FROM idempotency_keys
    WHERE hash IN (SELECT hash FROM idempotency_keys WHERE created_at < $2 ORDER BY created_at LIMIT $11)
),
buckets AS (DELETE FROM analytics_buckets WHERE (width = $3 AND start < $4) OR (width = $5 AND start < $6)
    OR (width = $7 AND start < $8) OR (width = $9 AND start < $10))
SELECT count(*) FROM swept
";

const REPLAY: &str =
    "SELECT p.data, r.text FROM replays p JOIN rulesets r ON r.hash = p.ruleset WHERE p.session_id = $1";

/// Every migration, in order.
fn migrations() -> Vec<Migration> {
    [
        (1, "sessions", include_str!("migrations/postgres/0001_sessions.sql")),
        (2, "replays", include_str!("migrations/postgres/0002_replays.sql")),
        (3, "epochs", include_str!("migrations/postgres/0003_epochs.sql")),
    ]
    .map(|(number, name, text)| Migration::new(number, name.into(), MigrationType::Simple, text.into_sql_str(), false))
    .into()
}

/// Sessions in PostgreSQL.
#[derive(Debug)]
pub struct PostgresStore {
    node: String,
    /// Milliseconds that a call may take.
    patience_ms: u64,
    options: PgConnectOptions,
    writer: Mutex<Writer>,
    readers: PgPool,
}

#[derive(Debug)]
struct Writer {
    /// `None` until the next commit, after one that failed.
    connection: Option<PgConnection>,
    /// The server's process of the connection, or of the last one.
    backend: i32,
}

type Prepared<'q> = Query<'q, Postgres, PgArguments>;

impl PostgresStore {
    /// Connects, and brings the tables up to this version.
    pub async fn open(url: &str, node: &str) -> Result<Self, OpenError> {
        let failed = |error| OpenError::Connect { url: shown(url), error };
        let options: PgConnectOptions = url.parse().map_err(failed)?;
        let options = options
            .application_name(&format!("tiltyard {node}"))
            .statement_cache_capacity(limits::STORE_STATEMENTS)
            .options([("statement_timeout", (limits::STORE_MS * 4).to_string())])
            // Every query has its index. Before the tables have statistics the planner takes them for small, and keeps a plan
            // made then: measured, lists of a database that was filled within a minute took seconds.
            .options([("enable_seqscan", "off")])
            // That prices a table without an index for the purpose so high that the server would compile the query to machine
            // code first: measured, 0.4 s for a list of all sessions that runs for 0.1 ms.
            .options([("jit", "off")])
            .disable_statement_logging();
        let mut connection = options.connect().await.map_err(failed)?;
        Migrator::with_migrations(migrations())
            .run(&mut connection)
            .await
            .map_err(|error| OpenError::Migrate { url: shown(url), error })?;
        if !lock(&mut connection, node, Duration::from_millis(limits::WRITER_LOCK_MS)).await.map_err(failed)? {
            return Err(OpenError::Taken(shown(url)));
        }
        let backend = backend(&mut connection).await.map_err(failed)?;
        let readers = PoolOptions::new()
            .max_connections(limits::POSTGRES_CONNECTIONS - 1)
            .acquire_timeout(Duration::from_millis(limits::STORE_MS_MOST))
            // After the database was away nobody is given a connection from before.
            .test_before_acquire(true)
            .connect_with(
                options.clone().options([("plan_cache_mode", "force_custom_plan"), ("enable_bitmapscan", "off")]),
            )
            .await
            .map_err(failed)?;
        let writer = Mutex::new(Writer { connection: Some(connection), backend });
        Ok(Self { node: node.to_owned(), patience_ms: limits::STORE_MS, options, writer, readers })
    }

    /// Runs one statement on the connection that writes, made anew where the last one failed.
    async fn write<T>(
        &self,
        query: Prepared<'_>,
        read: impl FnOnce(Vec<PgRow>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let work = async {
            let mut writer = self.writer.lock().await;
            let mut connection = match writer.connection.take() {
                Some(connection) => connection,
                None => self.reconnect(&mut writer.backend).await.map_err(|error| failure(&error))?,
            };
            match query.fetch_all(&mut connection).await {
                Ok(rows) => {
                    writer.connection = Some(connection);
                    read(rows)
                }
                Err(error) => {
                    let _ = connection.close_hard().await;
                    Err(failure(&error))
                }
            }
        };
        within(self.patience_ms, work).await
    }

    async fn reconnect(&self, backend_before: &mut i32) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        // The old one may still be at work for us, or hang; it can only be an earlier connection of this very server, or
        // nothing of ours at all, because the name tells.
        sqlx::query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND application_name = $2")
            .bind(*backend_before)
            .bind(self.options.get_application_name().unwrap_or_default().to_owned())
            .execute(&mut connection)
            .await?;
        if !lock(&mut connection, &self.node, Duration::from_millis(limits::STORE_MS)).await? {
            return Err(sqlx::Error::PoolTimedOut);
        }
        *backend_before = backend(&mut connection).await?;
        tracing::info!("connected to the database again");
        Ok(connection)
    }

    /// Runs a query on a connection that reads; one that failed is not used again.
    async fn all<T>(
        &self,
        query: Prepared<'_>,
        read: impl Fn(&PgRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.all_within(self.patience_ms, query, read).await
    }

    async fn all_within<T>(
        &self,
        ms: u64,
        query: Prepared<'_>,
        read: impl Fn(&PgRow) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut connection = None;
        let work = async {
            let acquired = self.readers.acquire().await.map_err(|error| failure(&error))?;
            query.fetch_all(&mut **connection.insert(acquired)).await.map_err(|error| failure(&error))
        };
        match within(ms, work).await {
            Ok(rows) => rows.iter().map(read).collect(),
            Err(error) => {
                // It may be in the middle of an answer, or dead: closing it politely would wait for it.
                drop(connection.map(PoolConnection::detach));
                Err(error)
            }
        }
    }

    async fn page(
        &self,
        sql: PageSql,
        limit: usize,
        before: Option<Uuid>,
        player: Option<Uuid>,
    ) -> Result<Page, StoreError> {
        let page = sqlx::query(AssertSqlSafe(sql.page)).bind(number(limit + 1)).bind(before).bind(player);
        let rows =
            self.all(page, |row| Ok((session(row)?, row.try_get::<i64, _>("total").map_err(unreadable)?))).await?;
        let total = match rows.first() {
            Some((_, total)) => *total,
            None if before.is_none() => 0,
            None => {
                let total = sqlx::query(AssertSqlSafe(sql.total)).bind(0_i64).bind(before).bind(player);
                self.all(total, |row| row.try_get(0).map_err(unreadable)).await?.pop().unwrap_or_default()
            }
        };
        let more = rows.len() > limit;
        let sessions: Vec<SessionRow> = rows.into_iter().take(limit).map(|(session, _)| session).collect();
        let last = sessions.last().map(|session| session.id);
        Ok(Page { sessions, total, more, last, damaged: 0 })
    }
}

impl Store for PostgresStore {
    fn patience_ms(&self) -> u64 {
        self.patience_ms
    }

    fn set_patience_ms(&mut self, ms: u64) {
        self.patience_ms = ms;
    }

    fn commit<'a>(&'a self, batch: &'a Batch) -> Answer<'a, Vec<Uuid>> {
        let refused = |rows: Vec<PgRow>| rows.iter().map(|row| row.try_get(0).map_err(unreadable)).collect();
        Box::pin(self.write(commit(batch), refused))
    }

    fn of_node(&self, kind: Kind, status: Status, after: Uuid, limit: usize) -> Answer<'_, Vec<SessionRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::of_node(sql::COLUMNS, kind, status)));
        Box::pin(self.all_within(
            limits::LOAD_MS,
            query.bind(self.node.clone()).bind(after).bind(number(limit)),
            session,
        ))
    }

    fn session(&self, id: Uuid) -> Answer<'_, Option<SessionRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::session(sql::COLUMNS))).bind(id);
        Box::pin(async move { Ok(self.all(query, session).await?.pop()) })
    }

    fn sessions<'a>(&'a self, ids: &'a [Uuid]) -> Answer<'a, Vec<SessionRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::sessions(sql::COLUMNS, "= ANY($1)"))).bind(ids.to_vec());
        Box::pin(self.all_within(limits::LOAD_MS, query, session))
    }

    fn list<'a>(&'a self, filter: &'a Filter) -> Answer<'a, Page> {
        Box::pin(within(
            self.patience_ms,
            self.page(sql::list(sql::COLUMNS, filter), filter.limit, filter.before, filter.player),
        ))
    }

    fn list_combat<'a>(&'a self, filter: &'a CombatFilter) -> Answer<'a, Page> {
        Box::pin(within(
            self.patience_ms,
            self.page(sql::list_combat(sql::COLUMNS, filter), filter.limit, filter.before, filter.player),
        ))
    }

    fn logs(&self, session: Uuid, before: i64, limit: usize) -> Answer<'_, Vec<LogRow>> {
        let query =
            sqlx::query(AssertSqlSafe(sql::logs(sql::LOG_COLUMNS))).bind(session).bind(before).bind(number(limit));
        Box::pin(self.all(query, |row| sql::log_row!(row)))
    }

    fn replay(&self, session: Uuid) -> Answer<'_, Option<KeptReplay>> {
        let query = sqlx::query(REPLAY).bind(session);
        Box::pin(async move { Ok(self.all(query, replay).await?.pop()) })
    }

    fn key(&self, hash: [u8; 16]) -> Answer<'_, Option<KeyRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::key(sql::KEY_COLUMNS))).bind(hash.to_vec());
        Box::pin(async move { Ok(self.all(query, |row| sql::key_row!(row)).await?.pop()) })
    }

    fn counts(&self) -> Answer<'_, Vec<Count>> {
        Box::pin(self.all(sqlx::query(sql::COUNTS), |row| sql::count_row!(row)))
    }

    fn buckets(&self, width: i32, since: i64, own: bool) -> Answer<'_, Vec<BucketRow>> {
        let query = sqlx::query(AssertSqlSafe(sql::buckets(sql::BUCKET_COLUMNS)))
            .bind(width)
            .bind(since)
            .bind(self.node.clone())
            .bind(own);
        Box::pin(self.all(query, |row| sql::bucket_row!(row)))
    }

    fn sweep(&self, past: Past, limit: usize) -> Answer<'_, u64> {
        let query = sqlx::query(SWEEP).bind(past.ended).bind(past.keys);
        let query = past.buckets.into_iter().fold(query, |query, (width, start)| query.bind(width).bind(start));
        let query = query.bind(number(limit));
        Box::pin(self.write(query, |rows| {
            let swept: i64 = rows.first().map_or(Ok(0), |row| row.try_get(0).map_err(unreadable))?;
            Ok(swept.unsigned_abs())
        }))
    }
}

fn session(row: &PgRow) -> Result<SessionRow, StoreError> {
    sql::session_row!(row, |_numbers, _row: &SessionRow| Ok::<(), StoreError>(()))
}

fn replay(row: &PgRow) -> Result<KeptReplay, StoreError> {
    Ok(KeptReplay { data: row.try_get(0).map_err(unreadable)?, text: row.try_get(1).map_err(unreadable)? })
}

/// [`COMMIT`] with a batch's columns.
fn commit(batch: &Batch) -> Prepared<'static> {
    macro_rules! column {
        ($rows:expr, $value:expr) => {
            $rows.iter().map($value).collect::<Vec<_>>()
        };
    }
    let Batch { players, logs, keys, buckets, .. } = batch;
    // PostgreSQL sees by itself where no index changes.
    let sessions: Vec<&SessionRow> = batch.sessions.iter().chain(&batch.contents).collect();
    sqlx::query(COMMIT)
        .bind(batch.undone.clone())
        .bind(column!(batch.undone_keys, |hash| hash.to_vec()))
        .bind(column!(sessions, |s| s.id))
        .bind(column!(sessions, |s| s.kind as i16))
        .bind(column!(sessions, |s| s.status as i16))
        .bind(column!(sessions, |s| s.player))
        .bind(column!(sessions, |s| s.created_at))
        .bind(column!(sessions, |s| s.updated_at))
        .bind(column!(sessions, |s| s.ended_at))
        .bind(column!(sessions, |s| s.expires_at))
        .bind(column!(sessions, |s| s.version))
        .bind(column!(sessions, |s| s.node.clone()))
        .bind(column!(sessions, |s| fight_numbers(s.fight).0))
        .bind(column!(sessions, |s| fight_numbers(s.fight).1))
        .bind(column!(sessions, |s| s.metadata.clone()))
        .bind(column!(sessions, |s| s.settings.clone()))
        .bind(column!(sessions, |s| s.body.clone()))
        .bind(column!(sessions, |s| s.end_reason.clone()))
        .bind(column!(sessions, |s| s.logs))
        .bind(column!(players, |p| p.session))
        .bind(column!(players, |p| p.player))
        .bind(column!(players, |p| p.kind as i16))
        .bind(column!(players, |p| p.status as i16))
        .bind(column!(players, |p| fight_numbers(p.fight).0))
        .bind(column!(players, |p| fight_numbers(p.fight).1))
        .bind(column!(batch.left, |pair| pair.0))
        .bind(column!(batch.left, |pair| pair.1))
        .bind(column!(logs, |l| l.session))
        .bind(column!(logs, |l| l.no))
        .bind(column!(logs, |l| l.at))
        .bind(column!(logs, |l| l.event.clone()))
        .bind(column!(logs, |l| l.message.clone()))
        .bind(column!(logs, |l| l.data.clone()))
        .bind(column!(batch.trims, |trim| trim.0))
        .bind(column!(batch.trims, |trim| trim.1))
        .bind(column!(keys, |k| k.hash.to_vec()))
        .bind(column!(keys, |k| k.fingerprint.to_vec()))
        .bind(column!(keys, |k| k.created_at))
        .bind(column!(keys, |k| k.session))
        .bind(column!(keys, |k| k.answer.as_ref().map(|answer| answer.status.cast_signed())))
        .bind(column!(keys, |k| k.answer.as_ref().map(|answer| answer.body.clone())))
        .bind(column!(buckets, |b| b.node.clone()))
        .bind(column!(buckets, |b| b.width))
        .bind(column!(buckets, |b| b.start))
        .bind(column!(buckets, |b| b.series))
        .bind(column!(buckets, |b| b.data.clone()))
        .bind(column!(batch.replays, |r| r.session))
        .bind(column!(batch.replays, |r| r.ruleset.to_vec()))
        .bind(column!(batch.replays, |r| r.data.clone()))
        .bind(column!(batch.rulesets, |r| r.hash.to_vec()))
        .bind(column!(batch.rulesets, |r| r.text.clone()))
        .bind(column!(sessions, |s| s.epoch))
}

/// Waits for the lock of the node's name, `false` where another holds it for longer than `patience`.
async fn lock(connection: &mut PgConnection, node: &str, patience: Duration) -> Result<bool, sqlx::Error> {
    let until = tokio::time::Instant::now() + patience;
    loop {
        let query = sqlx::query("SELECT pg_try_advisory_lock(hashtextextended($1, 0))");
        let row = query.bind(format!("tiltyard writer {node}")).fetch_one(&mut *connection).await?;
        if row.try_get(0)? {
            return Ok(true);
        }
        if tokio::time::Instant::now() >= until {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(limits::WRITER_LOCK_RETRY_MS)).await;
    }
}

/// The server's process that serves this connection.
async fn backend(connection: &mut PgConnection) -> Result<i32, sqlx::Error> {
    sqlx::query("SELECT pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

/// PostgreSQL's codes of class 53 are about resources; 53100 is a full disk.
fn failure(error: &sqlx::Error) -> StoreError {
    match error.as_database_error().and_then(sqlx::error::DatabaseError::code) {
        Some(code) if code == "53100" => StoreError::Full(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}
