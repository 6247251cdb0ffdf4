//! What every request passes, outermost first: its id, its line in the access log and its figures; CORS; compression of
//! its answer; what is left of its caller's quota; a bound on its time; a catch for panics; checks of its head.

use std::any::Any;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tiltyard_protocol::Reason;
use tower::util::option_layer;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::predicate::Predicate;
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::cors::{AllowOrigin, CorsLayer};
use uuid::Uuid;

use super::App;
use super::error::ApiError;
use super::extract::BASES;
use super::rate;
use crate::analytics::Series;
use crate::limits;
use crate::records::now;

/// What requests that no route matches are counted as: pages, and paths there are none.
const UNROUTED: &str = "none";

/// Names a request in logs and answers.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Marks a request, so that it is carried out once however often it is sent.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Marks the answer to a request that was carried out before.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Puts the layers around a router.
pub fn wrap(router: Router, app: &App) -> Router {
    router
        .layer(middleware::from_fn(check_head))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(limit_time))
        .layer(middleware::from_fn(rate::show))
        .layer(compression())
        .layer(option_layer(cors(app.origins.listed())))
        .layer(middleware::from_fn_with_state(Arc::clone(app), observe))
}

/// Answers a method a path does not take; the router adds `Allow`.
pub async fn method_not_allowed() -> ApiError {
    Reason::MethodNotAllowed.into()
}

async fn observe(State(app): State<App>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers());
    let method = request.method().clone();
    // The query is left out everywhere: it may hold a ticket.
    let path = request.uri().path().to_owned();
    let route = request.extensions().get::<MatchedPath>().map_or(UNROUTED.to_owned(), |path| route(path.as_str()));
    let started = Instant::now();
    let mut response = next.run(request).await;
    let elapsed = started.elapsed();
    let status = response.status().as_u16();
    app.metrics.request(&route, &method, status, elapsed);
    if route != UNROUTED {
        let series = response.extensions().get().copied().unwrap_or(Series::None);
        app.counting.analytics.request(series, status, elapsed, now().cast_signed());
    }
    tracing::debug!(
        target: "tiltyard::access",
        id = id.to_str().unwrap_or_default(), %method, path, status, ms = elapsed.as_secs_f64() * 1e3,
    );
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// The caller's own id where it is sane, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane =
        |value: &&HeaderValue| (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    headers
        .get(REQUEST_ID)
        .filter(sane)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&Uuid::now_v7().to_string()).expect("a uuid is visible ASCII"))
}

/// A route's name in the figures: the same under every base path.
fn route(matched: &str) -> String {
    BASES.into_iter().find_map(|base| matched.strip_prefix(base)).unwrap_or(matched).to_owned()
}

/// Nothing where nobody is allowed.
fn cors(allowed: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> = allowed.iter().filter_map(|origin| origin.parse().ok()).collect();
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            IDEMPOTENCY_KEY,
            REQUEST_ID,
        ])
        .expose_headers(
            [header::ETAG, header::LOCATION, header::RETRY_AFTER, REQUEST_ID, IDEMPOTENT_REPLAYED]
                .into_iter()
                .chain(rate::HEADERS)
                .collect::<Vec<_>>(),
        )
        .max_age(Duration::from_mins(10));
    (!allowed.is_empty()).then_some(layer)
}

/// The fastest level of each encoding: answers are made anew each time, and what is worth more effort is small anyway.
fn compression() -> CompressionLayer<Worthwhile> {
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(Worthwhile)
}

/// Text of some length. What is short costs more than it saves; pictures and fonts are compressed already; a WebSocket's
/// handshake has no body.
#[derive(Debug, Clone, Copy)]
struct Worthwhile;

impl Predicate for Worthwhile {
    fn should_compress<B: HttpBody>(&self, response: &axum::http::Response<B>) -> bool {
        let head = response.headers();
        let kind = head.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_text = kind.starts_with("text/") && kind != "text/event-stream"
            || kind.ends_with("+json")
            || matches!(kind, "application/json" | "application/yaml" | "image/svg+xml" | "application/wasm");
        let long = response.body().size_hint().exact().is_none_or(|length| length >= limits::COMPRESS_BYTES);
        is_text && long
    }
}

async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(Duration::from_millis(limits::REQUEST_MS), next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => ApiError::new(Reason::Timeout).into_response(),
    }
}

#[expect(clippy::needless_pass_by_value)] // The layer's signature.
fn panicked(panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of another type"), "a request panicked");
    ApiError::new(Reason::Internal).into_response()
}

async fn check_head(request: Request, next: Next) -> Response {
    if request.headers().len() > limits::HEADERS {
        let error = ApiError::new(Reason::BadRequest).status(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
        return error.message(format!("A request has at most {} header fields.", limits::HEADERS)).into_response();
    }
    // hyper takes Content-Length away where there is Transfer-Encoding too, so that the two cannot be told apart from here;
    // refusing both leaves nothing to smuggle. Clients of the contract know the length of what they send.
    if request.headers().contains_key(header::TRANSFER_ENCODING) {
        return ApiError::new(Reason::BadRequest)
            .message("A body comes with Content-Length, without Transfer-Encoding.")
            .header(header::CONNECTION, HeaderValue::from_static("close"))
            .into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::{request_id, route};
    use axum::http::{HeaderMap, HeaderValue};

    #[test]
    fn sane_request_ids_are_echoed() {
        let of = |id: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("x-request-id", HeaderValue::from_str(id).unwrap());
            request_id(&headers)
        };
        assert_eq!(of("abc-1"), "abc-1");
        assert_eq!(of(&"x".repeat(128)), "x".repeat(128));
        for odd in ["", "a b", "é", &"x".repeat(129)] {
            assert_ne!(of(odd), odd);
            assert_eq!(of(odd).len(), 36);
        }
        assert_eq!(request_id(&HeaderMap::new()).len(), 36);
    }

    #[test]
    fn a_route_has_one_name() {
        assert_eq!(route("/api/v1/session/health"), "/health");
        assert_eq!(route("/v1/session/sessions/{session_id}"), "/sessions/{session_id}");
        assert_eq!(route("/health"), "/health");
    }
}
