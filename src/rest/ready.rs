//! `POST /combat/sessions/{session_id}/ready`: a participant is ready for the fight, as it may say over its socket.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use tiltyard_protocol::Reason;

use super::App;
use super::conditions::expected;
use super::error::ApiError;
use super::extract::{Caller, NamedId, Unread};
use super::find::Found;
use super::sessions::counted_as;
use super::shapes::CombatSessionState;
use crate::auth::Operation;
use crate::records::Kept;

/// Says that a player is ready: the one who asks, or the participant a service names.
pub async fn ready(
    State(app): State<App>,
    Caller(caller): Caller,
    session: NamedId,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::Ready)?;
    let body = body.object_if_any().await;
    let found = app.find_named(&caller, Operation::Ready, session).await?;
    let mut body = body?;
    let session = session.beside(&mut body);
    let named = body.uuid("player_id");
    body.finish()?;
    let Some(Found { kept: Kept::Fight(fight), resident, .. }) = found else { return Err(Reason::WrongType.into()) };
    let player = match (caller.player(), named) {
        (Some(own), Some(other)) if own != other => {
            return Err(ApiError::new(Reason::Forbidden).message("A player is ready only for itself."));
        }
        (Some(player), _) | (None, Some(player)) => player,
        (None, None) => return Err(ApiError::field("player_id", "is needed")),
    };
    if !fight.participants.iter().any(|seat| seat.player == player) {
        return Err(Reason::NotAParticipant.into());
    }
    let expected = expected(&headers, None);
    if !resident {
        expected.check(fight.version)?;
    }
    let fight = app.hub.ready(caller.viewer(), session, expected, player).await.map_err(|refusal| app.gone(refusal))?;
    Ok(counted_as(fight.mode.into(), Json(CombatSessionState::of(&fight)).into_response()))
}
