//! `POST /combat/sessions/{session_id}/hand-over`: an operator has another shard of the node go on with a fight.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tiltyard_protocol::Reason;

use super::App;
use super::error::ApiError;
use super::extract::{Caller, NamedId, Unread};
use super::find::Found;
use super::sessions::counted_as;
use crate::auth::Operation;
use crate::records::Kept;

/// Hands a fight over, and says for how long nothing was done to it. Where it is there already nothing is done.
pub async fn hand_over(
    State(app): State<App>,
    Caller(caller): Caller,
    session: NamedId,
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::HandOver)?;
    let body = body.object().await;
    let found = app.find_named(&caller, Operation::HandOver, session).await?;
    let mut body = body?;
    let session = session.beside(&mut body);
    let highest = app.hub.shards().saturating_sub(1);
    let shard = body.whole("shard", 0, highest as u64);
    let shard = body.need("shard", shard);
    body.finish()?;
    let shard = shard.and_then(|shard| usize::try_from(shard).ok()).ok_or(Reason::ValidationFailed)?;
    let Some(Found { kept: Kept::Fight(fight), resident, .. }) = found else { return Err(Reason::WrongType.into()) };
    if !resident {
        return Err(Reason::SessionEnded.into());
    }
    let gap = app.hub.hand_over(session, shard).await.map_err(|refusal| match refusal.reason {
        // It has ended since, and left its shard.
        Reason::NoSession => Reason::SessionEnded.into(),
        _ => refusal,
    })?;
    app.metrics.hand_over_gaps.record(gap.as_secs_f64());
    let gap_us = u64::try_from(gap.as_micros()).unwrap_or(u64::MAX);
    tracing::info!(%session, shard, by = ?caller.role, gap_us, "a fight was handed over to another shard");
    let told = json!({ "session_id": session, "shard": shard, "gap_us": gap_us });
    Ok(counted_as(fight.mode.into(), Json(told).into_response()))
}
