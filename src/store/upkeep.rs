//! What looks after the embedded store's file beside the commits: its write-ahead log, and room that nothing is in.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Row, SqliteConnection};
use tokio::sync::Mutex;

use super::Figures;
use super::writer::Writer;
use crate::limits;

/// Copies the write-ahead log into the file, beside the commits. Where that leaves it long, because commits went on meanwhile, it
/// copies again what came since, and the little that is left after that between two commits: then the log starts over, and the
/// first commit into it cuts off what lies beyond [`limits::WAL_KEPT_BYTES`]. Also gives room back that nothing is in.
pub(super) async fn upkeep(
    (mut connection, options): (SqliteConnection, SqliteConnectOptions),
    writer: Arc<Mutex<Writer>>,
    figures: Arc<Figures>,
    log: PathBuf,
) {
    let mut ticks = tokio::time::interval(Duration::from_millis(limits::CHECKPOINT_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        figures.upkeep.idle(ticks.tick()).await;
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
            // Of what is wrong another one knows nothing, where it is not the disk.
            if let Ok(another) = options.clone().connect().await {
                connection = another;
            }
            continue;
        }
        let shrunk = match room(&mut connection, &figures).await {
            Ok(true) => shrink(&writer).await,
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = shrunk {
            tracing::warn!(%error, "the store could not give back room that nothing is in");
        }
        let length = std::fs::metadata(&log).map_or(0, |log| log.len());
        figures.log_bytes.store(length, Ordering::Relaxed);
    }
}

/// Copies what the log holds, without waiting for anybody, and says how many pages it holds.
pub(super) async fn copy(connection: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(connection).await?.try_get(1)
}

async fn start_over(writer: &Mutex<Writer>) -> Result<(), sqlx::Error> {
    let mut writer = writer.lock().await;
    if !writer.unsettled {
        copy(&mut writer.connection).await?;
    }
    Ok(())
}

/// Notes how large the file is and how much of it holds nothing; whether that is worth giving back.
pub(super) async fn room(connection: &mut SqliteConnection, figures: &Figures) -> Result<bool, sqlx::Error> {
    let mut number = async |sql: &'static str| -> Result<u64, sqlx::Error> {
        Ok(sqlx::query(sql).fetch_one(&mut *connection).await?.try_get::<i64, _>(0)?.unsigned_abs())
    };
    let (size, pages, free) =
        (number("PRAGMA page_size").await?, number("PRAGMA page_count").await?, number("PRAGMA freelist_count").await?);
    figures.bytes.store(pages * size, Ordering::Relaxed);
    figures.free_bytes.store(free * size, Ordering::Relaxed);
    // A file from before it could gives nothing back: its room is used again.
    Ok(free > limits::FREE_PAGES && free > pages / 4 && number("PRAGMA auto_vacuum").await? == 2)
}

async fn shrink(writer: &Mutex<Writer>) -> Result<(), sqlx::Error> {
    let mut writer = writer.lock().await;
    if !writer.unsettled {
        give_back(&mut writer.connection).await?;
    }
    Ok(())
}

pub(super) async fn give_back(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let vacuum = format!("PRAGMA incremental_vacuum({})", limits::FREED_PAGES);
    sqlx::query(AssertSqlSafe(vacuum)).fetch_all(connection).await.map(|_rows| ())
}
