//! What the two stores say alike: the text of queries and how rows are read. Numbers of closed enums are written into the text,
//! so that the planner sees which partial index fits; everything from outside is bound.

use std::fmt::Write;
use std::future::Future;
use std::time::Duration;

use super::StoreError;
use super::row::{CombatFilter, Filter, mode_number};
use crate::session::{Kind, Status};

/// The columns of [`super::SessionRow`], in the order in which [`session_row`] reads them.
pub(super) const COLUMNS: &str = "s.id, s.kind, s.status, s.player_id, s.created_at, s.updated_at, s.ended_at, \
     s.expires_at, s.version, s.node, s.mode, s.fight_status, s.metadata, s.settings, s.body, s.end_reason, s.logs, s.epoch";

/// The tables of what has a key of its own: `columns`, of which the store that sums rows up has one more.
pub(super) fn logs(columns: &str) -> String {
    format!("SELECT {columns} FROM session_logs WHERE session_id = $1 AND no < $2 ORDER BY no DESC LIMIT $3")
}

pub(super) fn key(columns: &str) -> String {
    format!("SELECT {columns} FROM idempotency_keys WHERE hash = $1")
}

pub(super) fn buckets(columns: &str) -> String {
    format!("SELECT {columns} FROM analytics_buckets WHERE width = $1 AND start >= $2 AND (node = $3) = $4")
}

pub(super) const LOG_COLUMNS: &str = "session_id, no, at, event, message, data";

pub(super) const KEY_COLUMNS: &str = "hash, fingerprint, created_at, session_id, status, answer";

pub(super) const BUCKET_COLUMNS: &str = "node, width, start, series, data";

pub(super) const COUNTS: &str =
    "SELECT kind, status, CAST(sum(n) AS BIGINT) FROM session_counts GROUP BY kind, status ORDER BY kind, status";

/// `$1` the node, `$2` the id before, `$3` the limit.
pub(super) fn of_node(columns: &str, kind: Kind, status: Status) -> String {
    format!(
        "SELECT {columns} FROM sessions s WHERE s.kind = {} AND s.status = {} AND s.node = $1 AND s.id > $2 \
         ORDER BY s.id LIMIT $3",
        kind as u8, status as u8
    )
}

/// Those of `ids`, an expression.
pub(super) fn sessions(columns: &str, ids: &str) -> String {
    format!("SELECT {columns} FROM sessions s WHERE s.id {ids}")
}

pub(super) fn session(columns: &str) -> String {
    format!("SELECT {columns} FROM sessions s WHERE s.id = $1")
}

/// A page and its `total` as one more column: `$1` the limit, `$2` the id before, `$3` the player, as far as there are these.
pub(super) struct PageSql {
    pub page: String,
    /// The total alone, for a page that has no row to carry it; `$3` the player.
    pub total: String,
}

pub(super) fn list(columns: &str, filter: &Filter) -> PageSql {
    if filter.player.is_none() && (filter.kind.is_some() || filter.status.is_some()) {
        return merged(columns, filter);
    }
    let mut terms = String::new();
    if let Some(kind) = filter.kind {
        let _ = write!(terms, " AND kind = {}", kind as u8);
    }
    if let Some(status) = filter.status {
        let _ = write!(terms, " AND status = {}", status as u8);
    }
    page(columns, &terms, filter.player.is_some(), filter.before.is_some())
}

pub(super) fn list_combat(columns: &str, filter: &CombatFilter) -> PageSql {
    let mut terms = format!(" AND fight_status >= 0 AND fight_status = {}", filter.status as u8);
    if let Some(mode) = filter.mode {
        let _ = write!(terms, " AND mode = {}", mode_number(mode));
    }
    page(columns, &terms, filter.player.is_some(), filter.before.is_some())
}

fn page(columns: &str, terms: &str, of_player: bool, before: bool) -> PageSql {
    let on = |table: &str| terms.replace("AND ", &format!("AND {table}."));
    let total = total(&on("c"), of_player);
    let page = if of_player {
        let before = if before { " AND p.session_id < $2" } else { "" };
        format!(
            "SELECT {columns}, ({total}) AS total FROM session_players p JOIN sessions s ON s.id = p.session_id \
             WHERE p.player_id = $3{}{before} ORDER BY p.session_id DESC LIMIT $1",
            on("p")
        )
    } else {
        let before = if before { " AND s.id < $2" } else { "" };
        format!(
            "SELECT {columns}, ({total}) AS total FROM sessions s WHERE true{}{before} ORDER BY s.id DESC LIMIT $1",
            on("s")
        )
    };
    PageSql { page, total }
}

/// One index, by type and status, is enough for every filter of these: the newest of each pair that is asked for, and of those
/// the newest. An index for each filter would have to be written with every change.
fn merged(columns: &str, filter: &Filter) -> PageSql {
    let kinds = filter.kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
    let statuses = filter.status.map_or_else(|| Status::ALL.to_vec(), |status| vec![status]);
    let before = if filter.before.is_some() { " AND id < $2" } else { "" };
    let mut newest = Vec::new();
    for &kind in &kinds {
        for &status in &statuses {
            let (kind, status) = (kind as u8, status as u8);
            newest.push(format!(
                "SELECT id FROM (SELECT id FROM sessions WHERE kind = {kind} AND status = {status}{before} \
                 ORDER BY id DESC LIMIT $1) AS n{kind}{status}"
            ));
        }
    }
    let mut terms = String::new();
    if let Some(kind) = filter.kind {
        let _ = write!(terms, " AND c.kind = {}", kind as u8);
    }
    if let Some(status) = filter.status {
        let _ = write!(terms, " AND c.status = {}", status as u8);
    }
    let total = total(&terms, false);
    let page = format!(
        "SELECT {columns}, ({total}) AS total FROM sessions s WHERE s.id IN (SELECT id FROM ({}) AS n ORDER BY id DESC LIMIT $1) \
         ORDER BY s.id DESC",
        newest.join(" UNION ALL ")
    );
    PageSql { page, total }
}

fn total(terms: &str, of_player: bool) -> String {
    let (counts, owner) = if of_player { ("player_counts", " AND c.player_id = $3") } else { ("session_counts", "") };
    format!("SELECT coalesce(CAST(sum(c.n) AS BIGINT), 0) FROM {counts} c WHERE true{terms}{owner}")
}

/// A limit as a database takes it.
pub(super) fn number(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// `work` within `ms` milliseconds.
pub(super) async fn within<T>(ms: u64, work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(Duration::from_millis(ms), work)
        .await
        .unwrap_or_else(|_elapsed| Err(StoreError::Unavailable("no answer in time".to_owned())))
}

#[expect(clippy::needless_pass_by_value)] // Used as the argument of `map_err`.
pub(super) fn unreadable(error: sqlx::Error) -> StoreError {
    StoreError::Damaged(error.to_string())
}

/// A row of [`COLUMNS`] as a [`super::SessionRow`], once `check` has found it sound, by its type, status, mode and status as a
/// fight as they are numbered, and everything else.
macro_rules! session_row {
    ($row:expr, $check:expr) => {{
        let row = $row;
        let number = |index: usize| -> Result<i16, StoreError> { row.try_get(index).map_err(unreadable) };
        let numbers @ [kind, status, mode, fight_status] = [number(1)?, number(2)?, number(10)?, number(11)?];
        let fight = match (mode, fight_status) {
            (-1, -1) => Some(None),
            (mode, status) => $crate::store::row::mode_of(mode).zip($crate::session::FightStatus::of(status)).map(Some),
        };
        let known = $crate::session::Kind::of(kind).zip($crate::session::Status::of(status)).zip(fight);
        let ((kind, status), fight) =
            known.unwrap_or((($crate::session::Kind::Custom, $crate::session::Status::Active), None));
        let session = SessionRow {
            id: row.try_get(0).map_err(unreadable)?,
            kind,
            status,
            player: row.try_get(3).map_err(unreadable)?,
            created_at: row.try_get(4).map_err(unreadable)?,
            updated_at: row.try_get(5).map_err(unreadable)?,
            ended_at: row.try_get(6).map_err(unreadable)?,
            expires_at: row.try_get(7).map_err(unreadable)?,
            version: row.try_get(8).map_err(unreadable)?,
            node: row.try_get(9).map_err(unreadable)?,
            fight,
            metadata: row.try_get(12).map_err(unreadable)?,
            settings: row.try_get(13).map_err(unreadable)?,
            body: row.try_get(14).map_err(unreadable)?,
            end_reason: row.try_get(15).map_err(unreadable)?,
            logs: row.try_get(16).map_err(unreadable)?,
            // By name: it is the table's last column, and there is one before it that not every store has.
            epoch: row.try_get("epoch").map_err(unreadable)?,
        };
        $check(numbers, &session)?;
        let unknown = || StoreError::Unreadable(format!("session {}: a number that stands for nothing", session.id));
        known.ok_or_else(unknown).map(|_known| session)
    }};
}

/// A row of [`LOG_COLUMNS`].
macro_rules! log_row {
    ($row:expr) => {{
        let row = $row;
        Ok(LogRow {
            session: row.try_get(0).map_err(unreadable)?,
            no: row.try_get(1).map_err(unreadable)?,
            at: row.try_get(2).map_err(unreadable)?,
            event: row.try_get(3).map_err(unreadable)?,
            message: row.try_get(4).map_err(unreadable)?,
            data: row.try_get(5).map_err(unreadable)?,
        })
    }};
}

/// A row of [`KEY_COLUMNS`].
macro_rules! key_row {
    ($row:expr) => {{
        let row = $row;
        let half = |index: usize| -> Result<[u8; 16], StoreError> {
            let bytes: Vec<u8> = row.try_get(index).map_err(unreadable)?;
            bytes.try_into().map_err(|_| StoreError::Damaged("a hash of another length".to_owned()))
        };
        let status: Option<i16> = row.try_get(4).map_err(unreadable)?;
        let body: Option<String> = row.try_get(5).map_err(unreadable)?;
        Ok(KeyRow {
            hash: half(0)?,
            fingerprint: half(1)?,
            created_at: row.try_get(2).map_err(unreadable)?,
            session: row.try_get(3).map_err(unreadable)?,
            answer: status
                .zip(body)
                .map(|(status, body)| KeyAnswer { status: u16::try_from(status).unwrap_or_default(), body }),
        })
    }};
}

/// A row of [`BUCKET_COLUMNS`].
macro_rules! bucket_row {
    ($row:expr) => {{
        let row = $row;
        Ok(BucketRow {
            node: row.try_get(0).map_err(unreadable)?,
            width: row.try_get(1).map_err(unreadable)?,
            start: row.try_get(2).map_err(unreadable)?,
            series: row.try_get(3).map_err(unreadable)?,
            data: row.try_get(4).map_err(unreadable)?,
        })
    }};
}

/// A row of [`COUNTS`].
macro_rules! count_row {
    ($row:expr) => {{
        let row = $row;
        let number = |index: usize| -> Result<i16, StoreError> { row.try_get(index).map_err(unreadable) };
        let unknown = || StoreError::Unreadable("a number that stands for nothing".to_owned());
        Ok(Count {
            kind: Kind::of(number(0)?).ok_or_else(unknown)?,
            status: Status::of(number(1)?).ok_or_else(unknown)?,
            sessions: row.try_get(2).map_err(unreadable)?,
        })
    }};
}

pub(super) use {bucket_row, count_row, key_row, log_row, session_row};
