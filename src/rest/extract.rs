//! What a request carries, taken apart: who calls, which session, what body. Each is judged behind the one before it: nobody without
//! a token learns more than that they need one, and whoever may not do what is asked for is told so whatever the body says.

use std::convert::Infallible;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::extract::{OriginalUri, Query};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use flate2::read::MultiGzDecoder;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::error::{ApiError, FieldError};
use super::fields::{BEYOND_DOUBLES, Fields};
use super::{App, rate};
use crate::auth::Principal;
use crate::json::Json;
use crate::limits;
use crate::session::parse_uuid;

/// The caller, whose bearer token was good.
#[derive(Debug)]
pub struct Caller(pub Arc<Principal>);

/// `{session_id}` of the path. Where it is none that is a fault like others of the request: they are named together.
#[derive(Debug, Clone, Copy)]
pub struct NamedId(Option<Uuid>);

/// The parameters of a query, read one by one. What nobody has read at the end is a fault: a client that has misspelt one would take
/// the answer for what it is not.
#[derive(Debug)]
pub struct Parameters {
    given: Vec<(String, String)>,
    /// The names that were asked for.
    known: Vec<&'static str>,
    faults: Vec<FieldError>,
}

/// A body that nobody has looked at yet.
#[derive(Debug)]
pub struct Unread(Request);

/// How a body is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packing {
    None,
    Gzip,
}

/// The base path the request came by, empty for the root.
#[derive(Debug)]
pub struct Base(pub &'static str);

/// The base paths every operation answers under.
pub const BASES: [&str; 2] = ["/api/v1/session", "/v1/session"];

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = app.authenticate(&parts.headers).await?;
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

impl<S: Send + Sync> FromRequestParts<S> for NamedId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let params = RawPathParams::from_request_parts(parts, state).await.ok();
        Ok(Self(params.and_then(|params| params.iter().next().and_then(|(_, text)| parse_uuid(text)))))
    }
}

const SESSION_ID: &str = "session_id";
const NO_UUID: &str = "must be a uuid";

impl NamedId {
    /// The id, where it is one.
    pub const fn given(self) -> Option<Uuid> {
        self.0
    }

    /// The refusal where it is none and nothing else is wrong.
    pub fn no_uuid(self) -> ApiError {
        ApiError::field(SESSION_ID, NO_UUID)
    }

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
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let uri: &Uri = parts.extensions.get::<OriginalUri>().map_or(&parts.uri, |original| &original.0);
        Ok(Self(BASES.into_iter().find(|base| uri.path().starts_with(base)).unwrap_or_default()))
    }
}

impl<S: Send + Sync> FromRequest<S> for Unread {
    type Rejection = Infallible;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(request))
    }
}

impl Unread {
    /// Reads a JSON object.
    pub async fn object(self) -> Result<Fields, ApiError> {
        read(self.0).await?.ok_or_else(|| ApiError::field("body", "is needed"))
    }

    /// The same, without members where there is no body, also where the request says `Content-Type: application/json`.
    pub async fn object_if_any(self) -> Result<Fields, ApiError> {
        Ok(read(self.0).await?.unwrap_or_default())
    }

    /// Reads a JSON merge patch: an object, its nulls included.
    pub async fn merge_patch(self) -> Result<Json, ApiError> {
        match parse(self.0, "application/merge-patch+json").await? {
            Some(patch @ Json::Object(_)) => {
                let fault = |field| FieldError { field, message: BEYOND_DOUBLES.to_owned() };
                let faults: Vec<FieldError> = patch.beyond_doubles("").into_iter().map(fault).collect();
                if faults.is_empty() { Ok(patch) } else { Err(ApiError::invalid(faults)) }
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
        Ok(Self { given, known: Vec::new(), faults: Vec::new() })
    }
}

impl Parameters {
    /// A value that `parse` takes; `expected` says what it must be.
    pub fn named<T>(&mut self, name: &'static str, expected: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.known.push(name);
        let mut values = self.given.iter().filter(|(given, _)| given == name).map(|(_, value)| value);
        let value = values.next()?;
        let parsed = if values.next().is_some() { None } else { parse(value) };
        if parsed.is_none() {
            self.faults.push(FieldError { field: name.to_owned(), message: format!("must be {expected}, given once") });
        }
        parsed
    }

    pub fn uuid(&mut self, name: &'static str) -> Option<Uuid> {
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
    pub fn flag(&mut self, name: &'static str) -> bool {
        let parse = |text: &str| match text {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        self.named(name, "true or false", parse).unwrap_or_default()
    }

    /// Ends the reading: every fault at once, or the values' turn.
    pub fn finish(mut self) -> Result<(), ApiError> {
        let expected = match &self.known[..] {
            [] => "is no parameter here: there are none".to_owned(),
            known => format!("is no parameter here: there are {}", known.join(", ")),
        };
        for (name, _) in &self.given {
            if self.faults.len() >= limits::VALIDATION_ERRORS {
                break;
            }
            let is_named = self.faults.iter().any(|fault| fault.field == *name);
            if !is_named && !self.known.contains(&name.as_str()) {
                self.faults.push(FieldError { field: name.clone(), message: expected.clone() });
            }
        }
        if self.faults.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.faults)) }
    }
}

/// The body as an object; `None` where there is none.
pub(super) async fn read(request: Request) -> Result<Option<Fields>, ApiError> {
    parse(request, "application/json").await?.map(Fields::of).transpose()
}

/// The body as JSON; `None` where there is none.
async fn parse(request: Request, media_type: &str) -> Result<Option<Json>, ApiError> {
    let fits = is_of_type(request.headers(), media_type);
    let unfit = || ApiError::new(Reason::UnsupportedMediaType).message(format!("The body must be {media_type}."));
    let packing = if fits { packing(request.headers()) } else { Err(unfit()) };
    let least = request.body().size_hint().lower();
    if least > limits::BODY_BYTES as u64 {
        return Err(too_large());
    }
    let packing = match packing {
        Ok(packing) => packing,
        Err(refusal) if least > 0 || is_any(request.into_body()).await? => return Err(refusal),
        Err(_) => return Ok(None),
    };
    let bytes = receive(request).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let bytes = match packing {
        Packing::None => bytes,
        Packing::Gzip => unpack(&bytes)?,
    };
    Json::parse(&bytes)
        .map(Some)
        .map_err(|error| ApiError::new(Reason::BadRequest).message(format!("The body is not valid JSON: {error}.")))
}

/// How a body is packed.
fn packing(headers: &HeaderMap) -> Result<Packing, ApiError> {
    let lines = headers.get_all(header::CONTENT_ENCODING).iter().map(|line| line.to_str().unwrap_or("?"));
    let codings = lines.flat_map(|line| line.split(',')).map(str::trim);
    let mut codings = codings.filter(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case("identity"));
    let is_gzip = |coding: &str| ["gzip", "x-gzip"].iter().any(|name| coding.eq_ignore_ascii_case(name));
    match (codings.next(), codings.next()) {
        (None, _) => Ok(Packing::None),
        (Some(coding), None) if is_gzip(coding) => Ok(Packing::Gzip),
        _ => Err(ApiError::new(Reason::UnsupportedMediaType)
            .message("A body comes as it is or with `Content-Encoding: gzip`.")
            .header(header::ACCEPT_ENCODING, HeaderValue::from_static("gzip"))),
    }
}

/// Unpacks gzip, as far as a body may reach.
fn unpack(bytes: &[u8]) -> Result<Bytes, ApiError> {
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(bytes).take(limits::BODY_BYTES as u64 + 1).read_to_end(&mut plain);
    match read {
        Ok(length) if length > limits::BODY_BYTES => Err(Reason::BodyTooLarge.into()),
        Ok(_) => Ok(plain.into()),
        Err(_broken) => Err(ApiError::new(Reason::BadRequest).message("The body is not valid gzip.")),
    }
}

pub(super) async fn receive(request: Request) -> Result<Bytes, ApiError> {
    match in_time(Limited::new(request.into_body(), limits::BODY_BYTES).collect()).await? {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_broken) => Err(broken()),
    }
}

/// Whether a body has a byte: what comes in chunks does not say so before.
async fn is_any(mut body: axum::body::Body) -> Result<bool, ApiError> {
    let first = async {
        while let Some(frame) = body.frame().await {
            if frame.map_err(|_| broken())?.data_ref().is_some_and(|data| !data.is_empty()) {
                return Ok(true);
            }
        }
        Ok(false)
    };
    in_time(first).await?
}

async fn in_time<T>(reading: impl Future<Output = T>) -> Result<T, ApiError> {
    tokio::time::timeout(Duration::from_millis(limits::BODY_MS), reading).await.map_err(|_elapsed| {
        closing(
            ApiError::new(Reason::Timeout)
                .status(StatusCode::REQUEST_TIMEOUT)
                .message("The body did not come in time."),
        )
    })
}

fn broken() -> ApiError {
    ApiError::new(Reason::BadRequest).message("The body ended too early, or not as bodies do.")
}

fn too_large() -> ApiError {
    closing(ApiError::new(Reason::BodyTooLarge))
}

/// What is left of the body is not read: the connection is of no more use.
fn closing(error: ApiError) -> ApiError {
    error.header(header::CONNECTION, HeaderValue::from_static("close"))
}

/// Whether a request says that its body is of this type.
pub(super) fn is_of_type(headers: &HeaderMap, media_type: &str) -> bool {
    let Some(value) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    value.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(media_type)
}

#[cfg(test)]
mod tests {
    use super::{Packing, packing, unpack};
    use crate::limits::BODY_BYTES;
    use axum::http::{HeaderMap, HeaderValue, header};
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write;
    use tiltyard_protocol::Reason;

    fn pack(bytes: &[u8]) -> Vec<u8> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    #[test]
    fn gzip_is_unpacked_as_far_as_a_body_may_reach() {
        assert_eq!(unpack(&pack(b"{}")).unwrap(), &b"{}"[..]);
        assert_eq!(unpack(&[pack(b"{"), pack(b"}")].concat()).unwrap(), &b"{}"[..], "in two members");
        assert_eq!(unpack(&pack(&vec![b' '; BODY_BYTES])).unwrap().len(), BODY_BYTES);
        let reason = |bytes: &[u8]| unpack(bytes).unwrap_err().reason();
        assert_eq!(reason(&pack(&vec![b' '; BODY_BYTES + 1])), Reason::BodyTooLarge);
        let packed = pack(b"{}");
        for broken in [&packed[..packed.len() - 1], &packed[1..], b"{}", &[&packed[..], b"x"].concat()] {
            assert_eq!(reason(broken), Reason::BadRequest);
        }
    }

    #[test]
    fn a_bomb_is_not_unpacked_further_than_that() {
        // What is behind the bound is broken, which nobody finds out.
        let mut bomb = pack(&vec![0; 64 << 20]);
        assert!(bomb.len() < BODY_BYTES);
        let end = bomb.len() - 1000;
        bomb[end..].fill(0xFF);
        assert_eq!(unpack(&bomb).unwrap_err().reason(), Reason::BodyTooLarge);
    }

    #[test]
    fn other_codings_are_refused() {
        let of = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::CONTENT_ENCODING, HeaderValue::from_static(line));
            }
            packing(&headers).ok()
        };
        for none in [&[][..], &["identity"], &[""], &["identity, Identity"]] {
            assert_eq!(of(none), Some(Packing::None));
        }
        for gzip in [&["gzip"][..], &["X-GZIP"], &["identity, gzip"]] {
            assert_eq!(of(gzip), Some(Packing::Gzip));
        }
        for other in [&["br"][..], &["deflate"], &["gzip, gzip"], &["gzip", "zstd"], &["gzip;q=1"]] {
            assert_eq!(of(other), None, "{other:?}");
        }
    }
}
