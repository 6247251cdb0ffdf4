//! Auth sessions: the tokens they give, their refresh, their revocation; and signs of life.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::header::{self, HeaderMap};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::conditions::{etag, expected};
use super::error::ApiError;
use super::extract::{Caller, NamedId, Unread};
use super::find::Found;
use super::rate::Anybody;
use super::shapes::Tokens;
use super::{App, AppState, idempotency, sessions};
use crate::auth::{Audience, Grantee, Operation, RefreshToken};
use crate::clock::now_ms;
use crate::limits;
use crate::records::{self, Change, Record};
use crate::session::{Kind, Status, Viewer};
use crate::store::KeyAnswer;

/// The tokens of a login that lives; `None` for every other session.
pub fn tokens(app: &AppState, record: &Record) -> Option<Tokens> {
    let records::Body::Auth(login) = &record.body else { return None };
    let left_ms = login.absolute_at.saturating_sub(now_ms());
    if record.status != Status::Active || left_ms == 0 {
        return None;
    }
    let ttl = Duration::from_secs((left_ms / 1000).clamp(1, limits::ACCESS_TOKEN_SECONDS));
    let grantee = Grantee {
        audience: Audience::Player,
        subject: record.player.to_string(),
        scopes: login.scope.split(' ').filter_map(|name| name.parse().ok()).collect(),
        guest: false,
        sid: Some(record.id),
    };
    let (access_token, _) = app.key.mint(&grantee, ttl);
    let refresh = RefreshToken { session: record.id, player: record.player, generation: login.generation };
    Some(Tokens {
        access_token,
        token_type: "Bearer",
        expires_in: ttl.as_secs(),
        refresh_token: refresh.sign(&app.key, Duration::from_millis(left_ms)),
    })
}

/// The first answer to a creation again; that of a login with tokens made anew, for none are kept.
pub fn replayed(app: &AppState, base: &str, id: Uuid, mut answer: KeyAnswer) -> Result<Response, ApiError> {
    if let Some(tokens) = app.records.live(id).and_then(|record| tokens(app, &record)) {
        let tokens = serde_json::to_string(&tokens).map_err(|_| Reason::Internal)?;
        // Put in as text: what else the answer has stays as it was given.
        let open = answer.body.strip_suffix('}').ok_or(Reason::Internal)?;
        answer.body = format!(r#"{open},"tokens":{tokens}}}"#);
    }
    idempotency::replayed(base, "/sessions", answer)
}

/// A sign of life of a player or a login.
pub async fn heartbeat(
    State(app): State<App>,
    Caller(caller): Caller,
    id: NamedId,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    caller.may(Operation::Heartbeat)?;
    let Some(id) = id.given() else { return Err(id.no_uuid()) };
    let found = app.find(&caller, Operation::Heartbeat, id).await?;
    expected(&headers, None).check(found.version())?;
    if found.status().is_end() {
        return Err(Reason::SessionEnded.into());
    }
    let record = found.clone().record()?;
    if !record.body.of_type().lives_by_signs() {
        return Err(Reason::WrongType.into());
    }
    if !record.see(now_ms()) {
        return Err(Reason::SessionEnded.into());
    }
    Ok(sessions::answer(&app, &found))
}

/// New tokens for a refresh token, which is spent. It is the credential: whatever is wrong with it, the answer is the same.
pub async fn refresh(
    State(app): State<App>,
    _counted: Anybody,
    id: NamedId,
    headers: HeaderMap,
    body: Unread,
) -> Result<Response, ApiError> {
    let mut body = body.object().await?;
    let id = id.beside(&mut body);
    let token = body.text("refresh_token", "a string", |text| Some(text.to_owned()));
    let token = body.need("refresh_token", token);
    body.finish()?;
    let token = token.and_then(|token| RefreshToken::read(&app.key, &token));
    let token = token.filter(|token| token.session == id).ok_or(Reason::Unauthorized)?;
    if app.records.live(id).is_none()
        && let Ok(found) = Box::pin(app.look_up(Viewer::All, id)).await
    {
        found.expect_here()?;
    }
    let change = Change::Refresh { id, expected: expected(&headers, None), generation: token.generation };
    let record: Arc<Record> = app.records.change(Kind::Auth, change).await?.record.ok_or(Reason::Internal)?;
    let found = Found::from(Arc::clone(&record));
    let mut session = found.session(app.records.node());
    session.tokens = Some(tokens(&app, &record).ok_or(Reason::Unauthorized)?);
    let tag = [(header::ETAG, etag(record.version))];
    Ok(sessions::counted(&found, (tag, Json(session)).into_response()))
}

/// Ends every login of a player.
pub async fn revoke(State(app): State<App>, Caller(caller): Caller, body: Unread) -> Result<Json<Value>, ApiError> {
    caller.may(Operation::RevokeTokens)?;
    let mut body = body.object().await?;
    let player = body.uuid("player_id");
    let player = body.need("player_id", player);
    body.finish()?;
    let player = player.ok_or(Reason::ValidationFailed)?;
    let changed = app.records.change(Kind::Auth, Change::Revoke { player }).await?;
    tracing::info!(%player, by = ?caller.role, ended = changed.ended, "logins revoked");
    Ok(Json(json!({ "revoked": changed.ended })))
}
