//! `/sessions/{session_id}/logs`: a session's activity log, page by page.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::error::ApiError;
use super::extract::{Caller, NamedId, Parameters};
use super::find::Found;
use super::sessions::counted;
use super::shapes::SessionLogEntry;
use super::{App, AppState, cursor};
use crate::auth::{Operation, Principal};
use crate::records::Kept;
use crate::replays::story::Page;
use crate::session::{FightInfo, Refusal};

/// A page of a log, newest first.
#[derive(Debug, Serialize)]
pub struct LogPage {
    logs: Vec<SessionLogEntry>,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Reads a page of a session's log.
pub async fn list(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    mut query: Parameters,
) -> Result<Response, ApiError> {
    caller.may(Operation::ReadSession)?;
    let id = id.beside_query(&mut query);
    let before = query.named("cursor", "a cursor that this log has returned", cursor::read_no);
    let limit = query.limit(100, 20);
    query.finish()?;
    let found = app.find(&caller, Operation::ReadSession, id).await?;
    let page = match &found.kept {
        Kept::Record(record) => {
            // Nothing that an unanswered change may have left counts.
            let newest = i64::from(record.logs) + 1;
            let before = before.map_or(newest, |before| before.min(newest));
            let mut rows = app.records.store().logs(id, before, limit + 1).await.map_err(Refusal::from)?;
            let has_more = rows.len() > limit;
            rows.truncate(limit);
            let next_cursor = rows.last().filter(|_| has_more).map(|row| cursor::write_no(row.no));
            LogPage { logs: rows.into_iter().map(Into::into).collect(), has_more, next_cursor }
        }
        Kept::Fight(fight) => match told(&app, &caller, &found, fight, before, limit).await? {
            Some(page) => page,
            None => LogPage::of_newest(fight, before, limit),
        },
    };
    Ok(counted(&found, Json(page).into_response()))
}

/// A page of everything that happened in a fight; `None` where it has no replay.
async fn told(
    app: &AppState,
    caller: &Principal,
    found: &Found,
    fight: &FightInfo,
    before: Option<i64>,
    limit: usize,
) -> Result<Option<LogPage>, ApiError> {
    let before = before.map_or(u64::MAX, i64::cast_unsigned);
    Ok(app.story(caller, found, fight, before, limit).await?.map(LogPage::of_story))
}

impl LogPage {
    /// A page of everything that happened in a fight.
    pub fn of_story(story: Page) -> Self {
        let last = story.happenings.last().filter(|_| story.more);
        let next_cursor = last.map(|happening| cursor::write_no(happening.no.cast_signed()));
        Self { has_more: story.more, next_cursor, logs: SessionLogEntry::of_story(story) }
    }

    /// A page of the newest events of a fight, which is all that is known of one without a replay.
    pub fn of_newest(fight: &FightInfo, before: Option<i64>, limit: usize) -> Self {
        let mut logs = SessionLogEntry::of_fight(fight);
        let skipped = before.map_or(0, |before| usize::try_from(before).unwrap_or(usize::MAX));
        logs.drain(..skipped.min(logs.len()));
        let has_more = logs.len() > limit;
        logs.truncate(limit);
        let next = i64::try_from(skipped.saturating_add(limit)).unwrap_or(i64::MAX);
        Self { logs, has_more, next_cursor: has_more.then(|| cursor::write_no(next)) }
    }
}
