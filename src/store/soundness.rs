//! Whether the embedded store is whole: its pages as SQLite sees them, its tables as this version makes them, every row by its sum,
//! and what is counted by what there is. A row that is damaged is named and left out; the rest makes lists and look-ups miss rows
//! without a word, so a store with such damage is not served.

use std::fmt::Display;
use std::io;

use serde_json::{Map, Value, json};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Connection, Executor, Row, Sqlite, SqliteConnection, SqlitePool, ValueRef};
use uuid::Uuid;

use super::row::RulesetRow;
use super::sql::unreadable;
use super::sqlite::{self, failure};
use super::{StoreError, sqlite_rows as rows, sum};
use crate::limits;

/// Every table of the store.
pub(super) fn tables() -> impl Iterator<Item = &'static str> {
    TABLES.iter().map(|table| table.name).chain(["session_counts", "player_counts", "store_self"])
}

/// What a check has found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Soundness {
    /// Rows that were read.
    pub rows: u64,
    /// Damaged rows, by what they are; the first of them named in `named`.
    pub damaged: u64,
    pub named: Vec<String>,
    /// What is wrong with pages, indexes and tables.
    pub structure: Vec<String>,
    /// What is counted otherwise than it is there.
    pub counts: Vec<String>,
    /// Not all rows can be read of the tables that counts and indexes are made from, so these cannot be made anew.
    pub is_past_mending: bool,
}

/// A table and how it is walked.
#[derive(Debug, Clone, Copy)]
struct Table {
    name: &'static str,
    /// Of its primary key.
    keys: &'static [&'static str],
    at_once: i64,
    /// Whether counts or indexes are made from it.
    counted: bool,
}

const TABLES: [Table; 7] = [
    Table { name: "sessions", keys: &["id"], at_once: limits::CHECK_ROWS, counted: true },
    Table { name: "session_players", keys: &["session_id", "player_id"], at_once: limits::CHECK_ROWS, counted: true },
    Table { name: "session_logs", keys: &["session_id", "no"], at_once: limits::CHECK_ROWS, counted: false },
    Table { name: "idempotency_keys", keys: &["hash"], at_once: limits::CHECK_ROWS, counted: true },
    Table {
        name: "analytics_buckets",
        keys: &["width", "start", "series", "node"],
        at_once: limits::CHECK_ROWS,
        counted: false,
    },
    Table { name: "replays", keys: &["session_id"], at_once: 1, counted: false },
    Table { name: "rulesets", keys: &["hash"], at_once: limits::CHECK_ROWS, counted: false },
];

/// A key that was changed: what is behind it can be read otherwise.
const OUT_OF_ORDER: &str = "rows are out of order";

impl Table {
    /// What one of its rows sums up to.
    fn sum(self, row: &SqliteRow) -> Result<i64, StoreError> {
        match self.name {
            "sessions" => {
                let mut found = 0;
                let read = rows::read_session(row, |numbers, row| {
                    found = sum::session(numbers, row);
                    Ok(())
                });
                match read {
                    // One of a later version is no damage.
                    Ok(_) | Err(StoreError::Unreadable(_)) => Ok(found),
                    Err(error) => Err(error),
                }
            }
            "session_players" => {
                let id = |column: &str| row.try_get::<Uuid, _>(column).map_err(unreadable);
                let number = |column: &str| row.try_get::<i16, _>(column).map_err(unreadable);
                let numbers = [number("kind")?, number("status")?, number("mode")?, number("fight_status")?];
                Ok(sum::player_of(id("session_id")?, id("player_id")?, numbers))
            }
            "session_logs" => rows::read_log(row).map(|row| sum::log(&row)),
            "idempotency_keys" => rows::read_key(row).map(|row| sum::key(&row)),
            "analytics_buckets" => rows::read_bucket(row).map(|row| sum::bucket(&row)),
            "replays" => rows::replay_of(row).map(|row| sum::replay(&row)),
            _ => {
                let text = row.try_get("text").map_err(unreadable)?;
                Ok(sum::ruleset(&RulesetRow { hash: rows::hash_of(row, "hash")?, text }))
            }
        }
    }
}

impl Soundness {
    /// Whether nothing is damaged.
    pub fn is_sound(&self) -> bool {
        self.count() == 0
    }

    /// Damaged things.
    pub fn count(&self) -> u64 {
        self.damaged + (self.structure.len() + self.counts.len()) as u64
    }

    fn name(&mut self, damage: String) {
        self.damaged += 1;
        if self.named.len() < limits::DAMAGE_NAMED {
            self.named.push(damage);
        }
    }
}

/// The key of a row, as far as it can be read.
pub(super) fn name(row: &SqliteRow) -> String {
    let uuid = |column: &str| row.try_get::<Uuid, _>(column).ok().map(|id| id.to_string());
    let hash = || row.try_get::<Vec<u8>, _>("hash").ok().map(|hash| rows::hex(&hash));
    let number = |column: &str| row.try_get::<i64, _>(column).ok().map(|number| format!("{column} {number}"));
    let id = uuid("id").or_else(|| uuid("session_id")).or_else(hash);
    let parts =
        [id, uuid("player_id").filter(|_| uuid("id").is_none()), number("no"), number("width"), number("start")];
    let name = parts.into_iter().flatten().collect::<Vec<String>>().join(", ");
    if name.is_empty() { "with a damaged key".to_owned() } else { name }
}

/// Reads everything.
pub(super) async fn check(readers: &SqlitePool) -> Result<Soundness, StoreError> {
    let mut found = Soundness::default();
    let mut connection = readers.acquire().await.map_err(|error| failure(&error))?;
    structure(&mut connection, &mut found).await?;
    for table in TABLES {
        match rows(&mut connection, table, &mut found).await {
            Err(StoreError::Damaged(why)) => {
                found.is_past_mending |= table.counted && why != OUT_OF_ORDER;
                found.structure.push(format!("{}: {why}", table.name));
            }
            read => read?,
        }
    }
    for (what, sql) in [("sessions", SESSIONS_MISCOUNTED), ("sessions of a player", PLAYERS_MISCOUNTED)] {
        match sqlx::query(sql).fetch_one(&mut *connection).await.and_then(|row| row.try_get::<i64, _>(0)) {
            Ok(0) => {}
            Ok(groups) => found.counts.push(format!("{what}: {groups} counts are not what is there")),
            Err(error) => match failure(&error) {
                StoreError::Damaged(why) => found.structure.push(format!("the counts of {what}: {why}")),
                error => return Err(error),
            },
        }
    }
    Ok(found)
}

const SESSIONS_MISCOUNTED: &str = "SELECT count(*) FROM (
    SELECT 1 FROM (
        SELECT kind, status, mode, fight_status, node, 1 AS n FROM sessions
        UNION ALL SELECT kind, status, mode, fight_status, node, -n FROM session_counts
    ) GROUP BY kind, status, mode, fight_status, node HAVING sum(n) <> 0)";

const PLAYERS_MISCOUNTED: &str = "SELECT count(*) FROM (
    SELECT 1 FROM (
        SELECT player_id, kind, status, mode, fight_status, 1 AS n FROM session_players
        UNION ALL SELECT player_id, kind, status, mode, fight_status, -n FROM player_counts
    ) GROUP BY player_id, kind, status, mode, fight_status HAVING sum(n) <> 0)";

/// Pages and indexes as SQLite checks them, and whether tables, indexes and triggers are those that the migrations make.
async fn structure(connection: &mut SqliteConnection, found: &mut Soundness) -> Result<(), StoreError> {
    let mut wrong = |what: Result<Vec<String>, sqlx::Error>| match what {
        Ok(wrong) => {
            found.structure.extend(wrong);
            Ok(())
        }
        Err(error) => match failure(&error) {
            StoreError::Damaged(why) => {
                found.structure.push(why);
                Ok(())
            }
            error => Err(error),
        },
    };
    wrong(pages(connection).await)?;
    wrong(schema(connection).await)
}

pub(super) async fn pages(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let rows = sqlx::query("PRAGMA integrity_check(20)").fetch_all(connection).await?;
    let said = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<String>, _>>()?;
    Ok(said.into_iter().filter(|line| line != "ok").collect())
}

async fn schema(connection: &mut SqliteConnection) -> Result<Vec<String>, sqlx::Error> {
    let mut fresh = SqliteConnection::connect("sqlite::memory:").await?;
    for (_, _, text) in sqlite::MIGRATIONS {
        fresh.execute(sqlx::raw_sql(text)).await?;
    }
    let (should, is) = (texts(&mut fresh).await?, texts(connection).await?);
    let wrong = should.iter().filter(|text| !is.contains(text));
    Ok(wrong.map(|(kind, name, _)| format!("the {kind} {name} is not as it was made")).collect())
}

async fn texts(connection: &mut SqliteConnection) -> Result<Vec<(String, String, String)>, sqlx::Error> {
    // What the migrations' own table looks like is the business of what makes it.
    let sql =
        "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name NOT LIKE '\\_%' ESCAPE '\\'";
    let rows = sqlx::query(sql).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect()
}

type Prepared = Query<'static, Sqlite, SqliteArguments>;

/// A part of a key, to go on behind it.
#[derive(Debug, Clone, PartialEq, PartialOrd)]
enum Part {
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
}

impl Part {
    fn of(row: &SqliteRow, column: &str) -> Result<Self, StoreError> {
        let name = row.try_get_raw(column).map_err(unreadable)?.type_info().to_string();
        match name.as_str() {
            "INTEGER" => row.try_get(column).map(Self::Number),
            "TEXT" => row.try_get(column).map(Self::Text),
            _ => row.try_get(column).map(Self::Bytes),
        }
        .map_err(unreadable)
    }

    fn bind(self, query: Prepared) -> Prepared {
        match self {
            Self::Number(number) => query.bind(number),
            Self::Text(text) => query.bind(text),
            Self::Bytes(bytes) => query.bind(bytes),
        }
    }
}

/// A walk over a table in the order of its key. Some rows at once, so that no read lasts: while one does, the write-ahead log cannot
/// start over.
#[derive(Debug)]
struct Walk {
    table: Table,
    after: Option<Vec<Part>>,
}

impl Walk {
    const fn over(table: Table) -> Self {
        Self { table, after: None }
    }

    /// The next rows; none at the end.
    async fn next(&mut self, connection: &mut SqliteConnection) -> Result<Vec<SqliteRow>, StoreError> {
        let Table { name, keys, at_once, .. } = self.table;
        let key = keys.join(", ");
        let places: Vec<String> = (1..=keys.len()).map(|place| format!("${place}")).collect();
        let behind =
            self.after.as_ref().map_or_else(String::new, |_| format!("WHERE ({key}) > ({})", places.join(", ")));
        let sql = AssertSqlSafe(format!("SELECT * FROM {name} {behind} ORDER BY {key} LIMIT {at_once}"));
        let parts = self.after.iter().flatten().cloned();
        let query = parts.fold(sqlx::query(sql), |query, part| part.bind(query));
        let rows = query.fetch_all(connection).await.map_err(|error| failure(&error))?;
        if let Some(last) = rows.last() {
            let last = self.key(last)?;
            // One that goes back would go round for ever.
            if self.after.as_ref().is_some_and(|after| *after >= last) {
                return Err(StoreError::Damaged(OUT_OF_ORDER.to_owned()));
            }
            self.after = Some(last);
        }
        Ok(rows)
    }

    fn key(&self, row: &SqliteRow) -> Result<Vec<Part>, StoreError> {
        self.table.keys.iter().map(|column| Part::of(row, column)).collect()
    }
}

async fn rows(connection: &mut SqliteConnection, table: Table, found: &mut Soundness) -> Result<(), StoreError> {
    let mut walk = Walk::over(table);
    loop {
        let rows = walk.next(connection).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for row in &rows {
            found.rows += 1;
            if let Some(why) = fault(table, row) {
                found.name(format!("{} {}: {why}", table.name, name(row)));
            }
        }
    }
}

/// What is wrong with a row.
fn fault(table: Table, row: &SqliteRow) -> Option<String> {
    let kept = row.try_get::<i64, _>("sum").map_err(unreadable);
    match table.sum(row).and_then(|sum| Ok((sum, kept?))) {
        Ok((sum, kept)) if sum == kept => None,
        Ok(_) => Some("its sum is another".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

/// Takes damaged rows out of the store, which `keep` is given before as lines of JSON. Says how many.
pub(super) async fn take_out(
    connection: &mut SqliteConnection,
    keep: impl Fn(&str) -> io::Result<()>,
) -> Result<u64, StoreError> {
    let failed = |error: sqlx::Error| failure(&error);
    connection.execute("BEGIN IMMEDIATE").await.map_err(failed)?;
    let (mut lines, mut taken) = (String::new(), 0);
    for table in TABLES {
        let places: Vec<String> = (1..).zip(table.keys).map(|(place, key)| format!("{key} = ${place}")).collect();
        let delete = format!("DELETE FROM {} WHERE {}", table.name, places.join(" AND "));
        let mut walk = Walk::over(table);
        loop {
            let rows = match walk.next(connection).await {
                // What is behind damaged pages is not read, here or anywhere.
                Err(StoreError::Damaged(_)) => break,
                rows => rows?,
            };
            if rows.is_empty() {
                break;
            }
            for row in rows.iter().filter(|row| fault(table, row).is_some()) {
                lines.push_str(&line(table, row)?.to_string());
                lines.push('\n');
                let query = sqlx::query(AssertSqlSafe(delete.clone()));
                let query = walk.key(row)?.into_iter().fold(query, |query, part| part.bind(query));
                query.execute(&mut *connection).await.map_err(failed)?;
                taken += 1;
            }
        }
    }
    let kept = if taken > 0 { keep(&lines) } else { Ok(()) };
    if let Err(error) = kept {
        connection.execute("ROLLBACK").await.map_err(failed)?;
        return Err(StoreError::Unavailable(error.to_string()));
    }
    connection.execute("COMMIT").await.map_err(failed)?;
    Ok(taken)
}

/// A row as JSON: its table, and its columns by their names, bytes as hexadecimal digits.
fn line(table: Table, row: &SqliteRow) -> Result<Value, StoreError> {
    let value = |index: usize| {
        let kind = row.try_get_raw(index).map_err(unreadable)?.type_info().to_string();
        let bytes = || row.try_get_unchecked::<Vec<u8>, _>(index).map(|bytes| json!({ "hex": rows::hex(&bytes) }));
        match kind.as_str() {
            "NULL" => Ok(Value::Null),
            "INTEGER" => row.try_get_unchecked::<i64, _>(index).map(Value::from),
            "TEXT" => row.try_get_unchecked::<String, _>(index).map(Value::from).or_else(|_not_utf8| bytes()),
            _ => bytes(),
        }
        .map_err(unreadable)
    };
    let columns = row.columns().iter();
    let columns = columns.map(|column| Ok((column.name().to_owned(), value(column.ordinal())?)));
    let columns: Map<String, Value> = columns.collect::<Result<_, StoreError>>()?;
    Ok(json!({ "table": table.name, "row": columns }))
}

/// Gives rows of before there were sums theirs, once. A row without one is damaged from then on.
pub(super) async fn carry_over(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    let failed = |error: sqlx::Error| failure(&error);
    let row = sqlx::query("SELECT summed FROM store_self").fetch_one(&mut *connection).await.map_err(failed)?;
    if row.try_get::<i64, _>(0).map_err(unreadable)? != 0 {
        return Ok(());
    }
    let mut count: u64 = 0;
    connection.execute("BEGIN IMMEDIATE").await.map_err(failed)?;
    for table in TABLES {
        let places: Vec<String> = (2..).zip(table.keys).map(|(place, key)| format!("{key} = ${place}")).collect();
        let update = format!("UPDATE {} SET sum = $1 WHERE sum = -1 AND {}", table.name, places.join(" AND "));
        let mut walk = Walk::over(table);
        loop {
            let rows = walk.next(connection).await?;
            if rows.is_empty() {
                break;
            }
            for row in &rows {
                let query = sqlx::query(AssertSqlSafe(update.clone())).bind(table.sum(row)?);
                let query = walk.key(row)?.into_iter().fold(query, |query, part| part.bind(query));
                query.execute(&mut *connection).await.map_err(failed)?;
            }
            count += rows.len() as u64;
        }
    }
    connection.execute("UPDATE store_self SET summed = 1; COMMIT").await.map_err(failed)?;
    if count > 0 {
        tracing::info!(rows = count, "rows of the store have got their sums");
    }
    Ok(())
}

/// Makes indexes and counts anew.
pub(super) async fn mend(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    connection
        .execute(
            "BEGIN IMMEDIATE;
            DELETE FROM session_counts;
            INSERT INTO session_counts SELECT kind, status, mode, fight_status, node, count(*) FROM sessions GROUP BY 1, 2, 3, 4, 5;
            DELETE FROM player_counts;
            INSERT INTO player_counts
                SELECT player_id, kind, status, mode, fight_status, count(*) FROM session_players GROUP BY 1, 2, 3, 4, 5;
            COMMIT;
            REINDEX;",
        )
        .await
        .map(|_| ())
}

impl Display for Soundness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all = self.structure.iter().chain(&self.counts).chain(&self.named);
        for (place, what) in all.enumerate() {
            f.write_str(if place == 0 { "" } else { "; " })?;
            f.write_str(what)?;
        }
        let more = self.damaged.saturating_sub(self.named.len() as u64);
        if more > 0 { write!(f, "; and {more} rows more") } else { Ok(()) }
    }
}
