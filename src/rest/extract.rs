//! What a request carries, taken apart: who calls, which session, what body. In a handler's arguments the caller comes
//! first and the body last, so that nobody without a token learns more than that they need one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::OriginalUri;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, RawPathParams, Request};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::fields::Fields;
use super::id::parse_uuid;
use crate::auth::Principal;
use crate::limits;

/// The caller, whose bearer token was good.
#[derive(Debug)]
pub struct Caller(pub Arc<Principal>);

/// `{session_id}` of the path.
#[derive(Debug)]
pub struct SessionId(pub Uuid);

/// A JSON object as the body.
#[derive(Debug)]
pub struct Body(pub Fields);

/// The base path the request came by, empty for the root.
#[derive(Debug)]
pub struct Base(pub &'static str);

/// The base paths every operation answers under.
pub const BASES: [&str; 2] = ["/api/v1/session", "/v1/session"];

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        bearer(&parts.headers)
            .and_then(|token| app.key.verify(token))
            .map(Self)
            .ok_or_else(|| Reason::Unauthorized.into())
    }
}

/// The bearer token of a request that has exactly one.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = all.next()?.to_str().ok()?.split_once(' ')?;
    (all.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then(|| token.trim_start_matches(' '))
}

impl<S: Send + Sync> FromRequestParts<S> for SessionId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let id = params.ok().and_then(|params| params.iter().next().and_then(|(_, text)| parse_uuid(text)));
        id.map(Self).ok_or_else(|| ApiError::field("session_id", "must be a uuid"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Base {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        let uri: &Uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        Ok(Self(BASES.into_iter().find(|base| uri.path().starts_with(base)).unwrap_or_default()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        read(request).await?.ok_or_else(|| ApiError::field("body", "is needed"))
    }
}

/// No body is `None`, also where the request says `Content-Type: application/json`.
impl<S: Send + Sync> OptionalFromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Option<Self>, ApiError> {
        read(request).await
    }
}

async fn read(request: Request) -> Result<Option<Body>, ApiError> {
    let is_json = is_json(request.headers());
    let declared =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limits::BODY_BYTES as u64) {
        return Err(too_large());
    }
    if declared.is_some_and(|length| length > 0) && !is_json {
        return Err(Reason::UnsupportedMediaType.into());
    }
    let bytes = receive(request).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let value: Value = serde_json::from_slice(&bytes)
        .map_err(|error| ApiError::new(Reason::BadRequest).message(format!("The body is not valid JSON: {error}.")))?;
    Fields::of(value).map(|fields| Some(Body(fields)))
}

async fn receive(request: Request) -> Result<Bytes, ApiError> {
    let body = Limited::new(request.into_body(), limits::BODY_BYTES).collect();
    match tokio::time::timeout(Duration::from_millis(limits::BODY_MS), body).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_broken)) => Err(ApiError::new(Reason::BadRequest).message("The body ended too early.")),
        Err(_elapsed) => Err(closing(
            ApiError::new(Reason::Timeout)
                .status(StatusCode::REQUEST_TIMEOUT)
                .message("The body did not come in time."),
        )),
    }
}

fn too_large() -> ApiError {
    closing(ApiError::new(Reason::BodyTooLarge))
}

/// What is left of the body is not read: the connection is of no more use.
fn closing(error: ApiError) -> ApiError {
    error.header(header::CONNECTION, HeaderValue::from_static("close"))
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
}
