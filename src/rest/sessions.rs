//! `/sessions` and `/sessions/{session_id}`: sessions of every type in the generic view - created, listed, read, updated,
//! terminated.

use crate::session::Expected;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::conditional::not_modified_in_any_coding;
use super::conditions::{etag, expected};
use super::error::ApiError;
use super::extract::{Base, Caller, NamedId, Parameters, Unread};
use super::find::Found;
use super::idempotency::{self, Key};
use super::new_session::{NewSession, new_session};
use super::shapes::{Session, SessionLogEntry, SessionStats};
use super::{App, AppState, combat, cursor, logins, settings};
use crate::analytics::Series;
use crate::auth::Operation;
use crate::clock::{self, now_ms};
use crate::limits;
use crate::records::{self, Change, Kept, Owned, fights};
use crate::session::{Kind, Status, Update};
use crate::shard::Control;
use crate::store::{Filter, KeyAnswer};

/// Creates a session of any type.
pub async fn create(
    State(app): State<App>,
    Caller(caller): Caller,
    Base(base): Base,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::CreateSession)?;
    let mut body = body.object().await;
    let key = Key::begin(&app, &caller, "createSession", &headers, &mut body).await?;
    let asked = new_session(body?, &caller, clock::new_id(), now_ms(), &app.library)?;
    let begun = key.map(|key| key.go_on(&app)).transpose()?;
    let found = match (asked, begun) {
        (NewSession::Fight(asked), begun) => {
            let generic: combat::AnswerOf = |fight, node| json(&Session::of_fight(fight, node));
            match Box::pin(combat::create_once(&app, &caller, *asked, begun, generic)).await? {
                combat::Created::Now(fight) => Found::from(*fight),
                combat::Created::Before(answer) => return idempotency::replayed(base, "/sessions", answer),
            }
        }
        (NewSession::Record(mut asked), begun) => {
            let kind = asked.body.of_type().kind();
            let mut running = None;
            if let Some(begun) = begun {
                if let Some(answer) = begun.row.answer {
                    return logins::replayed(&app, base, begun.row.session, answer);
                }
                asked.id = begun.row.session;
                asked.key = Some((begun.row, answer_of));
                running = Some(begun.running);
            }
            let book = app.records.book();
            if let Some(player) = caller.player() {
                book.spend_session(kind, player)?;
            }
            let changed = app.records.change_for(kind, Change::Create(asked), running).await.inspect_err(|_| {
                if let Some(player) = caller.player() {
                    book.daily().sessions(kind).give_back(player, 1);
                }
            })?;
            Found::from(changed.record.ok_or(Reason::Internal)?)
        }
    };
    let mut session = found.session(app.records.node());
    if let Kept::Record(record) = &found.kept {
        session.tokens = logins::tokens(&app, record);
    }
    let location = format!("{base}/sessions/{}", found_id(&found));
    let tag = etag(found.version());
    let response = (StatusCode::CREATED, [(header::LOCATION, location), (header::ETAG, tag)], Json(session));
    Ok(counted(&found, response.into_response()))
}

/// What a creation with an idempotency key is answered with again. Tokens are not in it: they are made anew.
fn answer_of(record: &records::Record, node: &str) -> KeyAnswer {
    KeyAnswer { status: StatusCode::CREATED.as_u16(), body: json(&Session::of(record, node)) }
}

fn json(session: &Session<'_>) -> String {
    serde_json::to_string(session).expect("a session has no value that JSON refuses")
}

/// `SessionListResponse`.
#[derive(Debug, Serialize)]
struct SessionListResponse<'a> {
    sessions: Vec<Session<'a>>,
    total_count: i64,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
    /// Sessions of this page that the store has only in damaged rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    damaged_count: Option<u32>,
    /// Redis does not say at the moment which nodes live; absent where it does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    nodes_unknown: bool,
}

/// Lists sessions, newest first. A player lists its own.
pub async fn list(State(app): State<App>, Caller(caller): Caller, mut query: Parameters) -> Result<Response, ApiError> {
    caller.may(Operation::ListSessions)?;
    let mut filter = Filter {
        kind: query.named("type", Kind::NAMES, Kind::named),
        status: query.named("status", "active, paused, completed or terminated", Status::named),
        player: query.uuid("player_id"),
        before: query.named("cursor", "a cursor that a list has returned", cursor::read),
        limit: query.limit(100, 20),
    };
    query.finish()?;
    if let Some(own) = caller.player() {
        if filter.player.is_some_and(|player| player != own) {
            return Err(ApiError::new(Reason::Forbidden).message("A player lists only its own sessions."));
        }
        filter.player = Some(own);
    }
    let page = app.records.store().list(&filter).await.map_err(crate::session::Refusal::from)?;
    let mut found = Vec::with_capacity(page.sessions.len());
    let damaged_count = Some(page.damaged).filter(|damaged| *damaged > 0);
    let combat = page.sessions.iter().filter(|row| row.kind == Kind::Combat);
    let combat = combat.map(fights::of).collect::<Result<Vec<_>, _>>().map_err(crate::session::Refusal::from)?;
    let combat = app.as_they_are(caller.viewer(), combat.into_iter().map(Arc::new)).await;
    let mut combat = combat.into_iter();
    for row in page.sessions {
        if row.kind == Kind::Combat {
            let node = (*row.node != *app.records.node()).then(|| row.node.as_str().into());
            found.extend(combat.next().map(|fight| Found { kept: Kept::Fight(fight), resident: false, node }));
            continue;
        }
        if app.records.is_doubtful(row.id) && app.records.live(row.id).is_none() {
            continue;
        }
        // What is resident knows more than its row: signs of life.
        if let Some(record) = app.records.live(row.id) {
            found.push(Found::from(record));
            continue;
        }
        let node = row.node.as_str().into();
        let kept = Kept::of(row, now_ms()).map_err(crate::session::Refusal::from)?;
        found.push(app.afar(Owned { kept, node }, caller.viewer()));
    }
    // A fight may have got another status since the store was told of it.
    found.retain(|found| filter.status.is_none_or(|status| found.status() == status));
    let sessions = found.iter().map(|found| {
        let mut session = found.session(app.records.node());
        session.node_unavailable = !found.has_ended() && found.node.as_ref().is_some_and(|node| app.is_lost(node));
        session
    });
    let answer = SessionListResponse {
        sessions: sessions.collect(),
        total_count: page.total,
        has_more: page.more,
        next_cursor: page.last.filter(|_| page.more).map(cursor::write),
        damaged_count,
        nodes_unknown: app.are_nodes_unknown(),
    };
    Ok(Json(answer).into_response())
}

/// Reads a session.
pub async fn read(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    headers: HeaderMap,
    mut query: Parameters,
) -> Result<Response, ApiError> {
    caller.may(Operation::ReadSession)?;
    let id = id.beside_query(&mut query);
    let (logs, stats) = (query.flag("include_logs"), query.flag("include_stats"));
    query.finish()?;
    let found = app.find(&caller, Operation::ReadSession, id).await?;
    let tag = etag(found.version());
    // Logs and statistics change without the version.
    // So do presence and expiry, and what a fight does by itself.
    let said_by_version = found.kind() == Kind::Custom || found.has_ended();
    if said_by_version
        && !logs
        && !stats
        && let Some(tag) = not_modified_in_any_coding(&headers, &tag)
    {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    let mut session = found.session(app.records.node());
    if stats {
        session.stats = Some(match &found.kept {
            Kept::Record(record) => SessionStats::of(record, now_ms()),
            Kept::Fight(fight) => SessionStats::of_fight(fight),
        });
    }
    if logs {
        session.logs = Some(match &found.kept {
            Kept::Record(record) => {
                let newest = i64::from(record.logs) + 1;
                let rows = app.records.store().logs(id, newest, limits::LOGS_WITH_SESSION).await;
                rows.map_err(crate::session::Refusal::from)?.into_iter().map(Into::into).collect()
            }
            Kept::Fight(fight) => {
                match Box::pin(app.story(&caller, &found, fight, u64::MAX, limits::LOGS_WITH_SESSION)).await? {
                    Some(story) => SessionLogEntry::of_story(story),
                    None => SessionLogEntry::of_fight(fight),
                }
            }
        });
    }
    Ok(counted(&found, ([(header::ETAG, tag)], Json(session)).into_response()))
}

/// Changes a session's status, metadata or settings.
pub async fn update(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::UpdateSession)?;
    let body = body.object().await;
    let found = app.find_named(&caller, Operation::UpdateSession, id).await?;
    let mut body = body?;
    let id = id.beside(&mut body);
    let status = body.text("status", "active, paused, completed or terminated", Status::named);
    let expected = expected(&headers, body.whole("version", 0, u64::MAX));
    let metadata = body.document("metadata");
    let given = body.object("settings");
    let settings = match (&found, given) {
        (Some(found), Some(given)) => settings::changed(&mut body, given, found),
        _ => None,
    };
    body.finish()?;
    let found = found.ok_or(Reason::ValidationFailed)?;
    let update = Update { status, metadata, settings };
    if found.status().is_end() || !found.resident {
        expected.check(found.version())?;
        return Err(Reason::InvalidTransition.into());
    }
    let changed = match found.kind() {
        Kind::Combat => {
            let control = app.hub.control_for(caller.viewer(), id, expected, Control::Update(update));
            Found::from(control.await.map_err(ended)?)
        }
        kind => changed(app.records.change(kind, Change::Update { id, expected, update }).await?)?,
    };
    settled(&app, &changed).await;
    Ok(answer(&app, &changed))
}

/// Terminates a session; a terminated one is left as it is.
pub async fn terminate(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::TerminateSession)?;
    let body = body.object_if_any().await;
    let found = app.find_named(&caller, Operation::TerminateSession, id).await?;
    let mut body = body?;
    let id = id.beside(&mut body);
    let short = |text: &str| {
        let fits = text.chars().count() <= limits::REASON_CHARS && !text.chars().any(char::is_control);
        fits.then(|| Box::from(text))
    };
    let wanted = format!("a string of at most {} characters, none of them a control character", limits::REASON_CHARS);
    let reason: Option<Box<str>> = body.text("reason", &wanted, short);
    let force = body.boolean("force").unwrap_or_default();
    body.finish()?;
    let found = found.ok_or(Reason::ValidationFailed)?;
    let expected = expected(&headers, None);
    if !found.resident || (found.status().is_end() && found.kind() != Kind::Combat) {
        return already_ended(&app, &found, &expected);
    }
    tracing::info!(session = %id, by = ?caller.role, reason = reason.as_deref(), force, "session terminated");
    let changed = match found.kind() {
        Kind::Combat => {
            let control = app.hub.control_for(caller.viewer(), id, expected, Control::Terminate { force });
            Found::from(control.await.map_err(ended)?)
        }
        kind => {
            let reason = reason.unwrap_or_else(|| "terminated".into());
            let end = Change::End { id, expected: expected.clone(), reason };
            match app.records.change(kind, end).await {
                Ok(done) => changed(done)?,
                // Somebody else was quicker.
                Err(refusal) if refusal.reason == Reason::InvalidTransition => {
                    let found = app.find(&caller, Operation::TerminateSession, id).await?;
                    return already_ended(&app, &found, &expected);
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
    };
    settled(&app, &changed).await;
    Ok(answer(&app, &changed))
}

fn already_ended(app: &AppState, found: &Found, expected: &Expected) -> Result<Response, ApiError> {
    expected.check(found.version())?;
    match found.status() {
        Status::Terminated => Ok(answer(app, found)),
        _ => Err(Reason::InvalidTransition.into()),
    }
}

/// A fight that has left its shard since it was found has ended.
fn ended(refusal: crate::session::Refusal) -> crate::session::Refusal {
    if refusal.reason == Reason::NoSession { Reason::InvalidTransition.into() } else { refusal }
}

/// The session a change has left.
pub fn changed(changed: records::Changed) -> Result<Found, ApiError> {
    Ok(Found::from(changed.record.ok_or(Reason::Internal)?))
}

/// Waits until lists show a fight as it is answered, as far as the store can.
pub async fn settled(app: &AppState, found: &Found) {
    if found.kind() == Kind::Combat {
        app.records.book().settled(found_id(found)).await;
    }
}

/// A session in the generic view, with its tag.
pub fn answer(app: &AppState, found: &Found) -> Response {
    let tag = [(header::ETAG, etag(found.version()))];
    counted(found, (tag, Json(found.session(app.records.node()))).into_response())
}

/// Has the request counted as one about the session's type.
pub fn counted(found: &Found, response: Response) -> Response {
    counted_as(found.series(), response)
}

/// The same for a type that is known.
pub fn counted_as(series: Series, mut response: Response) -> Response {
    response.extensions_mut().insert(series);
    response
}

fn found_id(found: &Found) -> Uuid {
    match &found.kept {
        Kept::Record(record) => record.id,
        Kept::Fight(fight) => fight.id,
    }
}
