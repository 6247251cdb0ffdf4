//! Who takes part: joining and leaving a session.

use axum::extract::{RawPathParams, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::App;
use super::conditions::expected;
use super::error::{ApiError, FieldError};
use super::extract::{Caller, NamedId, Unread};
use super::find::Found;
use super::sessions::{self, changed, settled};
use crate::auth::{Operation, Relation};
use crate::records::Change;
use crate::session::{Kind, parse_uuid};

/// Joins a custom session, or takes a free seat in a fight: the player who asks, or the one a service names.
pub async fn join(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, ApiError> {
    caller.may(Operation::JoinSession)?;
    let body = body.object_if_any().await;
    let found = app.find_named(&caller, Operation::JoinSession, id).await?;
    let mut body = body?;
    let id = id.beside(&mut body);
    let named = body.uuid("player_id");
    body.finish()?;
    let found = found.ok_or(Reason::ValidationFailed)?;
    // Of sessions that nobody joins only those know who have to do with them.
    let joinable = matches!(found.kind(), Kind::Custom | Kind::Combat);
    if !joinable && caller.player().is_some() && found.relation(&caller) == Relation::Foreign {
        return Err(Reason::NoSession.into());
    }
    found.expect_here()?;
    let player = match (caller.player(), named) {
        (Some(own), Some(other)) if own != other => {
            return Err(ApiError::new(Reason::Forbidden).message("A player joins only for itself."));
        }
        (Some(player), _) | (None, Some(player)) => player,
        (None, None) => return Err(ApiError::field("player_id", "is needed")),
    };
    if found.status().is_end() || !found.resident {
        return Err(Reason::SessionEnded.into());
    }
    let expected = expected(&headers, None);
    let joined = match found.kind() {
        Kind::Custom => changed(app.records.change(Kind::Custom, Change::Join { id, expected, player }).await?)?,
        Kind::Combat => {
            app.hub.seat(id, expected, player, Vec::new()).await?;
            Found::from(app.hub.read_for(caller.viewer(), id).await?)
        }
        _ => return Err(Reason::WrongType.into()),
    };
    settled(&app, &joined).await;
    Ok(sessions::answer(&app, &joined))
}

/// Takes a member out of a custom session, paused or not: players themselves, owners and services anybody but the owner.
pub async fn leave(
    State(app): State<App>,
    Caller(caller): Caller,
    params: RawPathParams,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    caller.may(Operation::LeaveSession)?;
    let mut faults = Vec::new();
    let [id, player] = ["session_id", "player_id"].map(|field| {
        let id: Option<Uuid> = params.iter().find(|(name, _)| *name == field).and_then(|(_, text)| parse_uuid(text));
        id.unwrap_or_else(|| {
            faults.push(FieldError { field: field.to_owned(), message: "must be a uuid".to_owned() });
            Uuid::nil()
        })
    });
    if !faults.is_empty() {
        return Err(ApiError::invalid(faults));
    }
    let found = app.find(&caller, Operation::LeaveSession, id).await?;
    if caller.player().is_some_and(|own| own != player) && found.relation(&caller) != Relation::Creator {
        return Err(ApiError::new(Reason::Forbidden).message("Only the owner takes others out of a session."));
    }
    if found.kind() != Kind::Custom {
        return Err(Reason::WrongType.into());
    }
    if found.status().is_end() {
        return Err(Reason::SessionEnded.into());
    }
    if found.clone().record()?.player == player {
        let stays = "The owner is a member as long as the session lives; it can end the session instead.";
        return Err(ApiError::new(Reason::InvalidTransition).message(stays));
    }
    let left = changed(
        app.records.change(Kind::Custom, Change::Leave { id, expected: expected(&headers, None), player }).await?,
    )?;
    Ok(sessions::answer(&app, &left))
}
