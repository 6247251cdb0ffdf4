//! Rows of the embedded store, as they are read, with their sums compared, and as a batch of them is written.

use crate::limits;
use serde::Serialize;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;
use uuid::fmt::Simple;

use super::row::fight_numbers;
use super::sql::{self, unreadable};
use super::{
    Batch, BucketRow, KeptReplay, KeyAnswer, KeyRow, LogRow, ReplayRow, RulesetRow, SessionRow, StoreError, soundness,
    sum,
};

pub(super) fn with_sum(columns: &str) -> String {
    format!("{columns}, sum")
}

/// Whether a row has the sum that it was written with.
pub(super) fn compare(row: &SqliteRow, sum: i64) -> Result<(), StoreError> {
    let kept: i64 = row.try_get("sum").map_err(unreadable)?;
    if kept == sum { Ok(()) } else { Err(StoreError::Damaged("its sum is another".to_owned())) }
}

/// Says which row it is about.
pub(super) fn naming<T>(row: &SqliteRow, table: &str, read: Result<T, StoreError>) -> Result<T, StoreError> {
    read.map_err(|error| match error {
        StoreError::Damaged(why) => StoreError::Damaged(format!("{table} {}: {why}", soundness::name(row))),
        error => error,
    })
}

pub(super) fn session(row: &SqliteRow) -> Result<SessionRow, StoreError> {
    let check = |numbers, session: &SessionRow| compare(row, sum::session(numbers, session));
    naming(row, "session", read_session(row, check))
}

pub(super) fn log(row: &SqliteRow) -> Result<LogRow, StoreError> {
    let sound = |log: LogRow| compare(row, sum::log(&log)).map(|()| log);
    naming(row, "log entry", read_log(row).and_then(sound))
}

/// Whether a page of a session's log has every entry that it should, of so many as there have been: one whose key is damaged is not
/// found any more. There may be more than that: what a commit of unknown outcome has left.
pub(super) fn without_gaps(
    session: Uuid,
    entries: Option<i64>,
    before: i64,
    limit: usize,
    logs: &[LogRow],
) -> Result<(), StoreError> {
    let newest = entries.unwrap_or_default().min(before.saturating_sub(1));
    let kept = entries.unwrap_or_default() - limits::SESSION_LOGS + 1;
    let oldest = if logs.len() < limit { kept.max(1) } else { logs.last().map_or(1, |log| log.no) };
    let is = logs.iter().map(|log| log.no).filter(|no| *no <= newest);
    if (oldest..=newest).rev().eq(is) {
        return Ok(());
    }
    Err(StoreError::Damaged(format!("session {session}: entries of its log from {oldest} to {newest} are missing")))
}

pub(super) fn key(row: &SqliteRow) -> Result<KeyRow, StoreError> {
    let sound = |key: KeyRow| compare(row, sum::key(&key)).map(|()| key);
    naming(row, "idempotency key", read_key(row).and_then(sound))
}

pub(super) fn bucket(row: &SqliteRow) -> Result<BucketRow, StoreError> {
    let sound = |bucket: BucketRow| compare(row, sum::bucket(&bucket)).map(|()| bucket);
    naming(row, "figures", read_bucket(row).and_then(sound))
}

/// A session whose row `check` has found sound.
pub(super) fn read_session(
    row: &SqliteRow,
    mut check: impl FnMut([i16; 4], &SessionRow) -> Result<(), StoreError>,
) -> Result<SessionRow, StoreError> {
    sql::session_row!(row, check)
}

pub(super) fn read_log(row: &SqliteRow) -> Result<LogRow, StoreError> {
    sql::log_row!(row)
}

pub(super) fn read_key(row: &SqliteRow) -> Result<KeyRow, StoreError> {
    sql::key_row!(row)
}

pub(super) fn read_bucket(row: &SqliteRow) -> Result<BucketRow, StoreError> {
    sql::bucket_row!(row)
}

pub(super) fn replay(row: &SqliteRow) -> Result<KeptReplay, StoreError> {
    let read = || {
        let replay = replay_of(row)?;
        compare(row, sum::replay(&replay))?;
        let text: Option<String> = row.try_get("text").map_err(unreadable)?;
        let text = text.ok_or_else(|| StoreError::Damaged("its ruleset is not there".to_owned()))?;
        let ruleset = RulesetRow { hash: replay.ruleset, text };
        let kept: Option<i64> = row.try_get("text_sum").map_err(unreadable)?;
        if kept != Some(sum::ruleset(&ruleset)) {
            return Err(StoreError::Damaged("the sum of its ruleset is another".to_owned()));
        }
        Ok(KeptReplay { data: replay.data, text: ruleset.text })
    };
    naming(row, "replay", read())
}

pub(super) fn replay_of(row: &SqliteRow) -> Result<ReplayRow, StoreError> {
    Ok(ReplayRow {
        session: row.try_get("session_id").map_err(unreadable)?,
        ruleset: hash_of(row, "ruleset")?,
        data: row.try_get("data").map_err(unreadable)?,
    })
}

pub(super) fn hash_of(row: &SqliteRow, column: &str) -> Result<[u8; 32], StoreError> {
    let bytes: Vec<u8> = row.try_get(column).map_err(unreadable)?;
    bytes.try_into().map_err(|_| StoreError::Damaged("a hash of another length".to_owned()))
}

/// What [`COMMIT`] binds, in its order.
pub(super) fn texts(batch: &Batch) -> [String; 12] {
    [
        json(batch.undone.iter().map(|id| id.simple())),
        json(batch.undone_keys.iter().map(hash)),
        json(batch.sessions.iter().map(SessionText::of)),
        json(batch.players.iter().map(|p| {
            let (mode, fight_status) = fight_numbers(p.fight);
            (p.session.simple(), p.player.simple(), p.kind as u8, p.status as u8, mode, fight_status, sum::player(p))
        })),
        json(batch.left.iter().map(|(session, player)| (session.simple(), player.simple()))),
        json(batch.logs.iter().map(|l| (l.session.simple(), l.no, l.at, &l.event, &l.message, &l.data, sum::log(l)))),
        json(batch.trims.iter().map(|(session, no)| (session.simple(), no))),
        json(batch.keys.iter().map(|k| {
            let (status, body) = k.answer.as_ref().map(|answer| (answer.status, &answer.body)).unzip();
            (hash(&k.hash), hash(&k.fingerprint), k.created_at, k.session.simple(), status, body, sum::key(k))
        })),
        json(batch.buckets.iter().map(|b| (&b.node, b.width, b.start, b.series, hex(&b.data), sum::bucket(b)))),
        json(batch.contents.iter().map(SessionText::of)),
        json(batch.replays.iter().map(|r| (r.session.simple(), hex(&r.ruleset), hex(&r.data), sum::replay(r)))),
        json(batch.rulesets.iter().map(|r| (hex(&r.hash), &r.text, sum::ruleset(r)))),
    ]
}

/// A session as an array, in the order of the table's columns.
#[derive(Serialize)]
pub(super) struct SessionText<'a>(
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
    i64,
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
            sum::session(s.numbers(), s),
            s.epoch,
        )
    }
}

pub(super) fn json<T: Serialize>(rows: impl Iterator<Item = T>) -> String {
    let mut serializer = serde_json::Serializer::new(Vec::new());
    serde::Serializer::collect_seq(&mut serializer, rows).expect("rows have no value that JSON refuses");
    String::from_utf8(serializer.into_inner()).expect("JSON is UTF-8")
}

pub(super) fn hash(hash: &[u8; 16]) -> Simple {
    Uuid::from_bytes(*hash).simple()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
