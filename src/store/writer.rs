//! The embedded store's one connection that writes. Where it is lost - the disk gives errors for a while, its thread is gone - another
//! takes its place, as soon as one can be had that has all that was acknowledged. What is written to is the file that was opened: where
//! another is in its place, or its write-ahead log is, nobody would find there again what is committed, so nothing is.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Executor, Row, SqliteConnection};

use super::StoreError;
use super::counter::Counter;
use super::opening::{self, beside};
use super::sqlite::failure;
use crate::limits;

#[derive(Debug)]
pub(super) struct Writer {
    pub(super) connection: SqliteConnection,
    /// A call was given up or failed: a transaction may be open.
    pub(super) unsettled: bool,
    /// How another one is opened.
    options: SqliteConnectOptions,
    /// The store's file and its log, as they were opened.
    files: [Opened; 2],
    /// While it is lost.
    lost: Option<Lost>,
    /// Counts what was acknowledged.
    counter: Counter,
    /// So many were.
    acknowledged: u64,
    /// It could not be written, which has been said.
    uncounted: bool,
}

/// When another connection is tried, and how long after that the next.
#[derive(Debug)]
struct Lost {
    again: Instant,
    pause: Duration,
}

/// Which file was opened.
#[derive(Debug)]
struct Opened {
    path: PathBuf,
    /// Its device and number there; nothing where there was none.
    is: Option<(u64, u64)>,
}

impl Opened {
    fn of(path: PathBuf) -> io::Result<Self> {
        let is = identity(&path)?;
        Ok(Self { path, is })
    }

    /// What is wrong with what is in its place now.
    fn look(&self) -> Result<(), StoreError> {
        let path = self.path.display();
        let what = match identity(&self.path) {
            Ok(now) if self.is.is_none() || now == self.is => return Ok(()),
            Ok(Some(_)) => "another file is in the place of the one that is in use",
            Ok(None) => "it is gone",
            Err(error) => return Err(StoreError::Unavailable(format!("{path}: {error}"))),
        };
        Err(StoreError::Unavailable(format!(
            "{path}: {what}; put that back, or stop the server and see what it says at its start"
        )))
    }
}

fn identity(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match fs::metadata(path) {
        Ok(file) => Ok(Some((file.dev(), file.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

impl Writer {
    /// That of the store at `path`, open; another one is opened with `options`.
    pub(super) fn new(
        path: &Path,
        connection: SqliteConnection,
        options: SqliteConnectOptions,
        (counter, acknowledged): (Counter, u64),
    ) -> io::Result<Self> {
        let files = [Opened::of(path.to_owned())?, Opened::of(beside(path, "-wal"))?];
        Ok(Self { connection, unsettled: false, options, files, lost: None, counter, acknowledged, uncounted: false })
    }

    /// Makes it ready for a transaction.
    pub(super) async fn ready(&mut self) -> Result<(), StoreError> {
        for file in &self.files {
            file.look()?;
        }
        if let Some(lost) = &mut self.lost
            && lost.again <= Instant::now()
        {
            // Before it is tried: it may be given up for want of time.
            lost.again = Instant::now() + lost.pause;
            lost.pause = (lost.pause * 2).min(Duration::from_millis(limits::STORE_REOPEN_MOST_MS));
            self.reopen().await?;
        }
        if self.unsettled {
            // An error says that there is no transaction open, which is as good.
            let _ = (&mut self.connection).execute("ROLLBACK").await;
        }
        self.unsettled = true;
        Ok(())
    }

    /// Has another connection take its place, where what that reads has all that was acknowledged.
    async fn reopen(&mut self) -> Result<(), StoreError> {
        let mut connection = self.options.clone().connect().await.map_err(|error| failure(&error))?;
        let own = opening::identity(&mut connection).await.map_err(|error| failure(&error))?;
        let has = own.filter(|(id, _)| *id == self.counter.store()).map(|(_, has)| has);
        if has.is_none_or(|has| has < self.acknowledged) {
            let (path, acknowledged) = (self.files[0].path.display(), self.acknowledged);
            return Err(StoreError::Damaged(format!(
                "{path}: it has not all of the {acknowledged} commits that were acknowledged"
            )));
        }
        (self.connection, self.unsettled) = (connection, false);
        tracing::info!("the store is written to by another connection");
        Ok(())
    }

    /// What was tried with it is done, or has failed.
    pub(super) fn settle(&mut self, done: Result<(), &sqlx::Error>) {
        match done {
            Ok(()) => (self.unsettled, self.lost) = (false, None),
            Err(error) if is_lost(error) && self.lost.is_none() => {
                tracing::error!(%error, "the connection that writes to the store is lost; another is tried");
                let pause = Duration::from_millis(limits::STORE_REOPEN_MS);
                self.lost = Some(Lost { again: Instant::now(), pause });
            }
            Err(_) => {}
        }
    }

    /// The commit whose number is in `rows` was kept.
    pub(super) fn count(&mut self, rows: &[SqliteRow]) {
        let commits = rows.last().and_then(|row| row.try_get::<i64, _>(0).ok()).map(i64::unsigned_abs);
        self.acknowledged = commits.unwrap_or(self.acknowledged);
        let counted = commits.map_or(Ok(()), |commits| self.counter.write(commits));
        if let Err(error) = &counted
            && !self.uncounted
        {
            tracing::warn!(%error, "commits are not counted beside the store; lost ones would not be noticed");
        }
        self.uncounted = counted.is_err();
    }
}

/// Whether the connection may be of no use any more: not where others hold the store, or it is full or damaged, which goes by or does not
/// whoever asks.
fn is_lost(error: &sqlx::Error) -> bool {
    const OF_OTHERS: [u32; 4] = [5, 6, 11, 13];
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    let code = code.and_then(|code| code.parse::<u32>().ok());
    code.is_none_or(|code| !OF_OTHERS.contains(&(code & 0xFF)))
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
