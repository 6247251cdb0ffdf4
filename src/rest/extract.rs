//! What a request carries, taken apart: who calls, which session, what body. In a handler's arguments the caller comes
//! first and the body last, so that nobody without a token learns more than that they need one.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OptionalFromRequest, RawPathParams, Request};
use axum::extract::{OriginalUri, Query};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::App;
use super::error::{ApiError, FieldError};
use super::fields::{BEYOND_DOUBLES, Fields};
use super::id::parse_uuid;
use super::rate;
use crate::auth::Principal;
use crate::json::Json;
use crate::limits;

/// The caller, whose bearer token was good.
#[derive(Debug)]
pub struct Caller(pub Arc<Principal>);

/// `{session_id}` of the path.
#[derive(Debug)]
pub struct SessionId(pub Uuid);

/// The same where there is more that may have faults: they are named together.
#[derive(Debug)]
pub struct NamedId(Option<Uuid>);

/// A JSON merge patch as the body: an object, its nulls included.
#[derive(Debug)]
pub struct MergePatch(pub Json);

/// The parameters of a query, read one by one. Names the contract does not have are ignored.
#[derive(Debug)]
pub struct Parameters {
    given: Vec<(String, String)>,
    faults: Vec<FieldError>,
}

/// A JSON object as the body.
#[derive(Debug, Default)]
pub struct Body(pub Fields);

/// The base path the request came by, empty for the root.
#[derive(Debug)]
pub struct Base(pub &'static str);

/// The base paths every operation answers under.
pub const BASES: [&str; 2] = ["/api/v1/session", "/v1/session"];

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = bearer(&parts.headers).and_then(|token| app.authenticate(token));
        rate::count(app, &parts.headers, &parts.extensions, caller.as_deref())?;
        caller.map(Self).ok_or_else(|| Reason::Unauthorized.into())
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
        let id = session_id(parts, state).await;
        id.map(Self).ok_or_else(|| ApiError::field(SESSION_ID, NO_UUID))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NamedId {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(session_id(parts, state).await))
    }
}

const SESSION_ID: &str = "session_id";
const NO_UUID: &str = "must be a uuid";

async fn session_id<S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<Uuid> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    params.iter().next().and_then(|(_, text)| parse_uuid(text))
}

impl NamedId {
    /// The id; where it is none that is a fault of the body, which is to be finished before the id is used.
    pub fn beside(self, body: &mut Fields) -> Uuid {
        self.0.unwrap_or_else(|| {
            body.fault(SESSION_ID, NO_UUID);
            Uuid::nil()
        })
    }

    /// The same with the faults of a query.
    pub fn beside_query(self, query: &mut Parameters) -> Uuid {
        self.0.unwrap_or_else(|| {
            query.faults.push(FieldError { field: SESSION_ID.to_owned(), message: NO_UUID.to_owned() });
            Uuid::nil()
        })
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

impl<S: Send + Sync> FromRequest<S> for MergePatch {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        match parse(request, "application/merge-patch+json").await? {
            Some(patch @ Json::Object(_)) => {
                let fault = |field| FieldError { field, message: BEYOND_DOUBLES.to_owned() };
                let faults: Vec<FieldError> = patch.beyond_doubles("").into_iter().map(fault).collect();
                if faults.is_empty() { Ok(Self(patch)) } else { Err(ApiError::invalid(faults)) }
            }
            Some(_) => Err(ApiError::field("body", "must be an object")),
            None => Err(ApiError::field("body", "is needed")),
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(given) = query.map_err(|_| ApiError::new(Reason::BadRequest).message("The query cannot be read."))?;
        Ok(Self { given, faults: Vec::new() })
    }
}

impl Parameters {
    /// A value that `parse` takes; `expected` says what it must be.
    pub fn named<T>(&mut self, name: &str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        let mut values = self.given.iter().filter(|(given, _)| given == name).map(|(_, value)| value);
        let value = values.next()?;
        let parsed = if values.next().is_some() { None } else { parse(value) };
        if parsed.is_none() {
            self.faults.push(FieldError { field: name.to_owned(), message: format!("must be {expected}, given once") });
        }
        parsed
    }

    pub fn uuid(&mut self, name: &str) -> Option<Uuid> {
        self.named(name, "a uuid", parse_uuid)
    }

    /// `limit`, from 1 to `max`.
    pub fn limit(&mut self, max: usize, default: usize) -> usize {
        let expected = format!("a whole number from 1 to {max}");
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let parse = |text: &str| text.parse().ok().filter(|limit| digits(text) && (1..=max).contains(limit));
        self.named("limit", &expected, parse).unwrap_or(default)
    }

    /// A boolean, false where it is absent.
    pub fn flag(&mut self, name: &str) -> bool {
        let parse = |text: &str| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        self.named(name, "true or false", parse).unwrap_or_default()
    }

    /// Ends the reading: every fault at once, or the values' turn.
    pub fn finish(self) -> Result<(), ApiError> {
        if self.faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.faults)) }
    }
}

async fn read(request: Request) -> Result<Option<Body>, ApiError> {
    let value = parse(request, "application/json").await?;
    value.map(Fields::of).transpose().map(|fields| fields.map(Body))
}

/// The body as JSON; `None` where there is none.
async fn parse(request: Request, media_type: &str) -> Result<Option<Json>, ApiError> {
    let fits = is_of_type(request.headers(), media_type);
    let declared =
        request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limits::BODY_BYTES as u64) {
        return Err(too_large());
    }
    if declared.is_some_and(|length| length > 0) && !fits {
        return Err(ApiError::new(Reason::UnsupportedMediaType).message(format!("The body must be {media_type}.")));
    }
    let bytes = receive(request).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    Json::parse(&bytes)
        .map(Some)
        .map_err(|error| ApiError::new(Reason::BadRequest).message(format!("The body is not valid JSON: {error}.")))
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

fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}
