//! Whether the tables of an embedded store are those that this version makes. A bit flipped in their text gives a column another name or another
//! kind, and whoever asks for it is told that there is no such column: nothing that waiting would mend.

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};

use super::opening::migrations;

/// Tables, indexes and triggers with the text that makes them. Those that SQLite and sqlx make for themselves are theirs to know.
const MADE: &str = "SELECT type || ' ' || name, tbl_name || ': ' || sql FROM sqlite_schema \
                    WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_sqlx\\_%' ESCAPE '\\'";

/// The first thing of a store with all migrations that is not as these make it. What is there besides is not looked at.
pub(super) async fn difference(connection: &mut SqliteConnection) -> Result<Option<String>, MigrateError> {
    let mut model = SqliteConnectOptions::new().in_memory(true).disable_statement_logging().connect().await?;
    Migrator::with_migrations(migrations()).run(&mut model).await?;
    let should = made(&mut model).await?;
    model.close().await?;
    let is = made(connection).await?;
    Ok(should.into_iter().find(|thing| !is.contains(thing)).map(|(name, _)| name))
}

/// Each by its kind and name, with its text.
async fn made(connection: &mut SqliteConnection) -> Result<Vec<(String, String)>, sqlx::Error> {
    let rows = sqlx::query(MADE).fetch_all(connection).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}
