//! What every request passes, outermost first: its id, its line in the access log and its figures; what is left of its
//! caller's quota; CORS, and compression for who has a token, where the client asks for them; a bound on its time; a catch for panics. One whose head
//! could not be read passes all of that too.
//!
//! One plain function around the router: as layers of the router each of these would be boxed, and cloned with everything
//! beneath it, for every request.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use tiltyard_protocol::Reason;
use tower::util::option_layer;
use tower::{Layer, ServiceExt};
use tower_http::compression::predicate::Predicate;
use tower_http::compression::{CompressionLayer, CompressionLevel};
use tower_http::cors::{AllowOrigin, CorsLayer};
use tracing::Instrument;
use uuid::{Builder, Uuid};

use super::conditions::coded;
use super::error::ApiError;
use super::extract::BASES;
use super::forward::{self, Course, OfAnother};
use super::packed::Final;
use super::{App, accept_encoding, rate, replays};
use crate::analytics::Series;
use crate::clock::now_ms;
use crate::limits;
use crate::rest::http::gate::Fault;
use crate::rest::http::upgrade::is_handshake;
use crate::session::Refusal;

/// What requests that no route matches are counted as: pages, and paths there are none.
const UNROUTED: &str = "none";

/// Names a request in logs and answers.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Marks a request, so that it is carried out once however often it is sent.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Marks the answer to a request that was carried out before.
const IDEMPOTENT_REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// The HTTP service: the router, and what every request passes before it and after. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Front(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    app: App,
    router: Router,
    /// The routes' names in the figures.
    names: matchit::Router<&'static str>,
    cors: Option<CorsLayer>,
}

impl Front {
    /// In front of `router`, whose operations are at `paths`.
    pub fn new(app: &App, router: Router, paths: &[&'static str]) -> Self {
        let mut names = matchit::Router::new();
        for path in paths {
            names.insert(*path, *path).expect("the router took the same paths");
        }
        Self(Arc::new(Parts { app: Arc::clone(app), router, names, cors: cors(app.origins.listed()) }))
    }

    /// Answers a request.
    pub async fn answer(self, mut request: Request) -> Response {
        let app = &self.0.app;
        let id = request_id(request.headers());
        let method = request.method().clone();
        let route = self.route(request.uri().path());
        // The query is left out everywhere: it may hold a ticket.
        let path = tracing::enabled!(target: "tiltyard::access", tracing::Level::DEBUG)
            .then(|| request.uri().path().to_owned());
        let slip = rate::SharedCharge::default();
        request.extensions_mut().insert(slip.clone());
        let origin = request.headers().get(header::ORIGIN).cloned();
        let started = Instant::now();
        let span = tracing::debug_span!("request", id = id.to_str().unwrap_or_default(), %method, route);
        let passed = AssertUnwindSafe(self.pass(request, &id).instrument(span)).catch_unwind();
        let mut response = match tokio::time::timeout(Duration::from_millis(limits::REQUEST_MS), passed).await {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => {
                tell(&*panic);
                self.refuse(origin.as_ref(), Reason::Internal.into()).await
            }
            Err(_elapsed) => self.refuse(origin.as_ref(), Refusal::from(Reason::Timeout).into()).await,
        };
        let elapsed = started.elapsed();
        let status = response.status().as_u16();
        app.metrics.request(route, &method, status, elapsed);
        let is_ours = response.extensions().get::<OfAnother>().is_none();
        if route != UNROUTED && is_ours {
            let series = response.extensions().get().copied().unwrap_or(Series::None);
            app.counting.analytics.request(series, status, elapsed, now_ms().cast_signed());
        }
        if let Some(path) = path {
            tracing::debug!(
                target: "tiltyard::access",
                id = id.to_str().unwrap_or_default(), %method, path, status, ms = elapsed.as_secs_f64() * 1e3,
            );
        }
        let headers = response.headers_mut();
        if status == StatusCode::NOT_MODIFIED.as_u16() {
            // It would be that of what the client has, which is none of ours to say.
            headers.remove(header::CONTENT_LENGTH);
        }
        if is_ours {
            slip.show(headers);
        }
        headers.insert(REQUEST_ID, id);
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
        response
    }

    async fn pass(&self, mut request: Request, id: &HeaderValue) -> Response {
        if let Some(fault) = request.extensions().get::<Fault>() {
            return self.refuse(request.headers().get(header::ORIGIN), (*fault).into()).await;
        }
        // What a HEAD is told is what a GET would be: it is one up to here, where hyper leaves out the body. It opens no socket.
        if request.method() == Method::HEAD && !is_handshake(request.headers()) {
            *request.method_mut() = Method::GET;
        }
        if let Some(cluster) = &self.0.app.cluster {
            let origin = request.headers().get(header::ORIGIN).cloned();
            // Boxed, so that a node alone does not carry the room it would need.
            match Box::pin(forward::course(&self.0.app, cluster, request, id, &self.0.names)).await {
                Ok(Course::Here(ours)) => request = ours,
                Ok(Course::Answered(answer)) => return self.dress(origin.as_ref(), answer).await,
                Err(error) => return self.refuse(origin.as_ref(), error).await,
            }
        }
        let router = self.0.router.clone();
        // Who takes a body in no form at all gets it as it is, so that nothing is done and then said not to have been.
        accept_encoding::as_it_is_at_worst(request.headers_mut());
        let headers = request.headers();
        let is_compressed =
            headers.contains_key(header::ACCEPT_ENCODING) && headers.contains_key(header::AUTHORIZATION);
        if !is_compressed && !headers.contains_key(header::ORIGIN) {
            return never_fails(router.oneshot(request).await);
        }
        let dressed = option_layer(self.0.cors.clone()).layer(router);
        if !is_compressed {
            return Box::pin(async move { never_fails(dressed.oneshot(request).await) }).await;
        }
        let dressed = compression().layer(dressed);
        let answer = async move { never_fails(dressed.oneshot(request).await.map(|response| response.map(Body::new))) };
        let mut response = Box::pin(answer).await;
        tag_what_was_packed(&mut response);
        whole(response).await
    }

    /// Answers with an error that did not come from the router, to a page of this origin, too.
    async fn refuse(&self, origin: Option<&HeaderValue>, error: ApiError) -> Response {
        self.dress(origin, error.into_response()).await
    }

    /// The same with an answer.
    async fn dress(&self, origin: Option<&HeaderValue>, answer: Response) -> Response {
        let mut request = Request::new(Body::empty());
        let Some(origin) = origin else { return answer };
        request.headers_mut().insert(header::ORIGIN, origin.clone());
        let mut answer = Some(answer);
        let answering = tower::service_fn(|_: Request| std::future::ready(Ok(answer.take().unwrap_or_default())));
        never_fails(option_layer(self.0.cors.clone()).layer(answering).oneshot(request).await)
    }

    /// A path's name in the figures: the same under every base path.
    fn route(&self, path: &str) -> &'static str {
        let path = BASES.into_iter().find_map(|base| path.strip_prefix(base)).unwrap_or(path);
        self.0.names.at(path).map_or(UNROUTED, |found| found.value)
    }
}

fn never_fails(answer: Result<Response, std::convert::Infallible>) -> Response {
    match answer {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

/// Answers a method a path does not take; the router adds `Allow`.
pub async fn method_not_allowed() -> ApiError {
    Reason::MethodNotAllowed.into()
}

/// The caller's own id where it is sane, else a new one.
fn request_id(headers: &HeaderMap) -> HeaderValue {
    let sane =
        |value: &&HeaderValue| (1..=128).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic);
    headers
        .get(REQUEST_ID)
        .filter(sane)
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&new_id()).expect("a uuid is visible ASCII"))
}

/// An id that no other request has: random for the process, and counted. Drawing a random one for each would ask the
/// system each time.
fn new_id() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    static PROCESS: LazyLock<u64> = LazyLock::new(|| Uuid::new_v4().as_u64_pair().0);
    let (process, count) = (*PROCESS, COUNT.fetch_add(1, Ordering::Relaxed));
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&process.to_be_bytes());
    bytes[8..].copy_from_slice(&count.to_be_bytes());
    Builder::from_custom_bytes(bytes).into_uuid().to_string()
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
            header::CONTENT_ENCODING,
            header::IF_MATCH,
            header::IF_NONE_MATCH,
            IDEMPOTENCY_KEY,
            REQUEST_ID,
        ])
        .expose_headers(
            [header::ETAG, header::LOCATION, header::RETRY_AFTER, REQUEST_ID, IDEMPOTENT_REPLAYED]
                .into_iter()
                .chain([replays::COMPLETE, replays::CUT])
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

/// An answer that was packed on its way is not the bytes that its tag names.
fn tag_what_was_packed(response: &mut Response) {
    let headers = response.headers();
    if response.extensions().get::<Final>().is_some() {
        return;
    }
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let tag = text(header::CONTENT_ENCODING).zip(text(header::ETAG)).and_then(|(coding, tag)| coded(tag, coding));
    if let Some(Ok(tag)) = tag.map(HeaderValue::try_from) {
        response.headers_mut().insert(header::ETAG, tag);
    }
}

/// An answer that was packed on its way, to its end: only then is its length known, which a HEAD is told, too. Of what is packed there
/// is not much, see [`Worthwhile`].
async fn whole(response: Response) -> Response {
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    let (mut head, body) = response.into_parts();
    match body.collect().await {
        Ok(all) => {
            let bytes = all.to_bytes();
            head.headers.insert(header::CONTENT_LENGTH, bytes.len().into());
            Response::from_parts(head, bytes.into())
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be packed");
            ApiError::from(Reason::Internal).into_response()
        }
    }
}

/// Text of some length, for callers who are counted one by one. What is short costs more than it saves, what is very long holds up
/// others; what never changes is packed already.
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
        let worth = limits::COMPRESS_BYTES..=limits::COMPRESS_MOST_BYTES;
        let is_worth_it = response.body().size_hint().exact().is_some_and(|length| worth.contains(&length));
        is_text && is_worth_it && response.extensions().get::<Final>().is_none()
    }
}

fn tell(panic: &(dyn Any + Send)) {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("of another type"), "a request panicked");
}

#[cfg(test)]
mod tests {
    use super::request_id;
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
    fn new_ids_differ() {
        let ids: std::collections::HashSet<String> = (0..100).map(|_| super::new_id()).collect();
        assert_eq!(ids.len(), 100);
    }
}
