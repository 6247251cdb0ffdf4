//! `POST /guest`: a player without an account, for trying the arena out; and a guest's next token. It needs no token, so it is no page of
//! another origin that may ask for it: nothing that a page can send elsewhere without asking first (a form, a `no-cors` fetch) says that
//! it is JSON. A program that is no browser may say nothing at all.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::Serialize;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::extract::{is_of_type, read};
use super::origin::FETCH_SITE;
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
    request: Request,
) -> Result<(StatusCode, Json<Guest>), ApiError> {
    if !app.guests {
        return Err(ApiError::new(Reason::Forbidden).message("This server has no guests."));
    }
    app.origins.check_page(request.headers())?;
    if !is_of_type(request.headers(), "application/json") && !is_bare(request.headers()) {
        let message = "Ask for a guest with `Content-Type: application/json`, with a body or without.";
        return Err(ApiError::new(Reason::UnsupportedMediaType).message(message));
    }
    // A guest whose token is still good goes on being who it is.
    let known = app.authenticate(request.headers()).await?.filter(|caller| caller.guest);
    let player_id = known.and_then(|caller| caller.player()).unwrap_or_else(Uuid::now_v7);
    // There is nothing to say yet, which is said as an object.
    read(request).await?;
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

/// Nothing is said of a body, and nothing that every browser says of a page's POST.
fn is_bare(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::CONTENT_TYPE)
        && !headers.contains_key(header::ORIGIN)
        && !headers.contains_key(FETCH_SITE)
}
