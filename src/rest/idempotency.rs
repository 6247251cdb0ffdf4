//! `Idempotency-Key` of a request, and the first answer given again.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use tiltyard_protocol::Reason;
use tokio::time::{Instant, timeout_at};

use super::conditions::etag;
use super::error::ApiError;
use super::fields::Fields;
use super::{App, AppState};
use crate::auth::Principal;
use crate::clock;
use crate::limits;
use crate::records::keys::Begun;
use crate::store::KeyAnswer;

/// The header of a request.
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// The header of an answer that has been given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// In place of the fingerprint of a body that is no object: that of no other.
const NO_OBJECT: [u8; 16] = [0; 16];

/// A request with a key, whose body is the one that the key came with before, if it did.
#[derive(Debug)]
pub struct Key(Begun);

impl Key {
    /// Begins a request, if it has a key, before its body is judged: a key that came with another body is refused whatever is wrong
    /// with this one. What is wrong with the key is noted among the faults of the body. Keys of different callers and operations are
    /// different keys.
    pub async fn begin(
        app: &AppState,
        caller: &Principal,
        operation: &str,
        headers: &HeaderMap,
        body: &mut Result<Fields, ApiError>,
    ) -> Result<Option<Self>, ApiError> {
        let mut keys = headers.get_all(KEY).iter();
        let Some(key) = keys.next() else { return Ok(None) };
        let is_sane =
            keys.next().is_none() && (1..=128).contains(&key.len()) && key.as_bytes().iter().all(u8::is_ascii_graphic);
        let fingerprint = match body {
            Ok(body) if !is_sane => {
                body.fault("Idempotency-Key", "must be 1 to 128 visible ASCII characters, given once");
                return Ok(None);
            }
            Ok(body) => body.fingerprint(),
            // It came as a whole and is no object: no key is kept with such a one.
            Err(error) if error.code() == StatusCode::BAD_REQUEST && is_sane => NO_OBJECT,
            Err(_) => return Ok(None),
        };
        let owner = caller.owner().to_string();
        let of = [owner.as_str(), operation, key.to_str().unwrap_or_default()];
        let patience = Instant::now() + Duration::from_millis(limits::KEY_WAIT_MS);
        loop {
            let first = app.idempotency.begin(&app.records, of, fingerprint, clock::new_id(), caller.player());
            match Box::pin(first).await {
                Ok(begun) => return Ok(Some(Self(begun))),
                // Who repeats a request whose connection broke is often there before it ends, and wants its answer.
                Err(refusal)
                    if refusal.reason == Reason::IdempotencyRunning
                        && timeout_at(patience, app.idempotency.over(of)).await.is_ok() => {}
                Err(refusal) => return Err(refusal.into()),
            }
        }
    }

    /// The request has been found good: from here on a new key costs its caller.
    pub fn go_on(self, app: &AppState) -> Result<Begun, ApiError> {
        self.0.spend(&app.records)?;
        Ok(self.0)
    }
}

/// Does `work` on a session with a key that is new, and keeps the answer with it: also where it is refused, but not where only time or room
/// was short.
pub async fn kept<T: Serialize>(
    app: App,
    begun: Begun,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<Response, ApiError> {
    begun.reserve(&app.records).await?;
    let (status, headers, body) = match work.await {
        Ok(done) => (StatusCode::OK, HeaderMap::new(), serde_json::to_string(&done)),
        Err(error) if error.is_final() => (error.code(), error.headers().clone(), serde_json::to_string(&error.body())),
        // Whether it took effect is not known: the key says so.
        Err(error) if error.is_unknown() => return Err(error),
        Err(error) => {
            begun.abandon(&app.records).await;
            return Err(error);
        }
    };
    let answer = KeyAnswer { status: status.as_u16(), body: body.map_err(|_| Reason::Internal)? };
    begun.complete(&app.records, answer.clone()).await;
    Ok((status, headers, [(header::CONTENT_TYPE, "application/json")], answer.body).into_response())
}

/// Does what has been begun to its end, whoever still waits for it: a client that has gone away is answered when it asks
/// again.
pub async fn finished<T: Send + 'static>(
    app: &AppState,
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::time::timeout(Duration::from_millis(limits::SHARD_ANSWER_MS), app.tasks.spawn(work)).await {
        Ok(done) => done.unwrap_or_else(|panic| {
            tracing::error!(%panic, "a request that is done to its end panicked");
            Err(Reason::Internal.into())
        }),
        // It goes on.
        Err(_elapsed) => Err(Reason::Timeout.into()),
    }
}

/// The first answer again; what it created is under `path`.
pub fn replayed(base: &str, path: &str, answer: KeyAnswer) -> Result<Response, ApiError> {
    let body: Value = serde_json::from_str(&answer.body).map_err(|_| Reason::Internal)?;
    let status = StatusCode::from_u16(answer.status).map_err(|_| Reason::Internal)?;
    let mut response =
        (status, [(header::CONTENT_TYPE, "application/json"), (REPLAYED, "true")], answer.body).into_response();
    let mut put = |name: HeaderName, value: String| {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    };
    if let Some(version) = body["version"].as_u64() {
        put(header::ETAG, etag(version));
    }
    if status == StatusCode::CREATED
        && let Some(id) = body["session_id"].as_str()
    {
        put(header::LOCATION, format!("{base}{path}/{id}"));
    }
    Ok(response)
}
