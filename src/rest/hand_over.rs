//! `POST /combat/sessions/{session_id}/hand-over`: an operator has another shard of the node go on with a fight.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::extract::{Base, Caller, NamedId, Unread};
use super::find::Found;
use super::idempotency::{self, Key};
use super::sessions::counted_as;
use crate::auth::{Operation, Role};
use crate::records::Kept;

/// Hands a fight over, and says for how long nothing was done to it. Where it is there already nothing is done.
pub async fn hand_over(
    State(app): State<App>,
    Caller(caller): Caller,
    session: NamedId,
    Base(base): Base,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::HandOver)?;
    let mut body = body.object().await;
    let found = app.find_named(&caller, Operation::HandOver, session).await?;
    // The same key in another session is another key.
    let operation = format!("handOverCombatSession {}", session.given().unwrap_or_default());
    let key = Key::begin(&app, &caller, &operation, &headers, &mut body).await?;
    let mut body = body?;
    let session = session.beside(&mut body);
    let highest = app.hub.shards().saturating_sub(1);
    let shard = body.whole("shard", 0, highest as u64);
    let shard = body.need("shard", shard);
    body.finish()?;
    let shard = shard.and_then(|shard| usize::try_from(shard).ok()).ok_or(Reason::ValidationFailed)?;
    let Some(Found { kept: Kept::Fight(fight), resident, .. }) = found else { return Err(Reason::WrongType.into()) };
    let begun = key.map(|key| key.go_on(&app)).transpose()?;
    let (series, by, asked) = (fight.mode.into(), caller.role.clone(), Arc::clone(&app));
    let work = async move {
        if resident { move_to(&asked, session, shard, by).await } else { Err(Reason::SessionEnded.into()) }
    };
    let Some(begun) = begun else {
        let told = idempotency::finished(&app, work).await?;
        return Ok(counted_as(series, Json(told).into_response()));
    };
    if let Some(answer) = begun.row.answer {
        return idempotency::replayed(base, "/sessions", answer);
    }
    if begun.repeated {
        return Err(Reason::OutcomeUnknown.into());
    }
    let work = idempotency::kept(Arc::clone(&app), begun, work);
    Ok(counted_as(series, idempotency::finished(&app, work).await?))
}

async fn move_to(app: &App, session: Uuid, shard: usize, by: Role) -> Result<Value, ApiError> {
    let gap = app.hub.hand_over(session, shard).await.map_err(|refusal| app.gone(refusal))?;
    app.metrics.hand_over_gaps.record(gap.as_secs_f64());
    let gap_us = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%session, shard, ?by, gap_us, "a fight was handed over to another shard");
    Ok(json!({ "session_id": session, "shard": shard, "gap_us": gap_us }))
}
