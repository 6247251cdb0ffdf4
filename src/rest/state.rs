//! `/sessions/{session_id}/state`: what a custom session is about, as JSON that only its members understand.

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use tiltyard_protocol::Reason;

use super::App;
use super::conditional::not_modified_in_any_coding;
use super::conditions::{etag, expected};
use super::error::ApiError;
use super::extract::{Caller, NamedId, Parameters, Unread};
use super::sessions::{changed, counted};
use crate::auth::Operation;
use crate::records::{Body, Change, Record};
use crate::session::Kind;

/// Reads the state.
pub async fn read(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    headers: HeaderMap,
    query: Parameters,
) -> Result<Response, ApiError> {
    let found = app.find_alone(&caller, Operation::ReadSession, id, query).await?;
    let tag = etag(found.version());
    let record = found.clone().record()?;
    let response = answer(&record)?;
    if let Some(tag) = not_modified_in_any_coding(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(counted(&found, response))
}

/// Merges a patch into the state, as RFC 7396 says.
pub async fn patch(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::PatchState)?;
    let patch = body.merge_patch().await;
    let Some(id) = id.given() else { return Err(id.no_uuid()) };
    let found = app.find(&caller, Operation::PatchState, id).await?;
    let patch = patch?;
    if found.kind() != Kind::Custom {
        return Err(Reason::WrongType.into());
    }
    if found.status().is_end() {
        return Err(Reason::SessionEnded.into());
    }
    let expected = expected(&headers, None);
    let change = Change::Patch { id, expected, patch, by: caller.player() };
    let found = changed(app.records.change(Kind::Custom, change).await?)?;
    let record = found.clone().record()?;
    Ok(counted(&found, answer(&record)?))
}

fn answer(record: &Record) -> Result<Response, ApiError> {
    let Body::Custom(room) = &record.body else { return Err(Reason::WrongType.into()) };
    let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::ETAG, etag(record.version))];
    Ok((headers, room.state.to_string()).into_response())
}
