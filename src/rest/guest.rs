//! `POST /guest`: a player without an account, for trying the arena out; and a guest's next token.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::extract::bearer;
use super::rate::Anybody;
use super::shapes::Timestamp;
use crate::auth::{Audience, Grantee, Scope};
use crate::limits;

/// A guest's token.
#[derive(Debug, Serialize)]
pub struct Guest {
    token: String,
    player_id: Uuid,
    expires_at: Timestamp,
}

/// Hands out a token where guests are allowed.
pub async fn create(
    State(app): State<App>,
    _: Anybody,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Guest>), ApiError> {
    if !app.guests {
        return Err(ApiError::new(Reason::Forbidden).message("This server has no guests."));
    }
    // A guest whose token is still good goes on being who it is.
    let known = bearer(&headers).and_then(|token| app.authenticate(token)).filter(|caller| caller.guest);
    let player_id = known.and_then(|caller| caller.player()).unwrap_or_else(Uuid::now_v7);
    let grantee = Grantee {
        audience: Audience::Player,
        subject: player_id.to_string(),
        scopes: vec![Scope::PlayArena],
        guest: true,
        sid: None,
    };
    let (token, expires_at) = app.key.mint(&grantee, Duration::from_secs(limits::GUEST_SECONDS));
    Ok((StatusCode::CREATED, Json(Guest { token, player_id, expires_at: Timestamp(expires_at) })))
}
