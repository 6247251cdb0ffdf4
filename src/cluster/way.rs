//! A request's way to another node and its answer's way back: as they are, but for what belongs to each connection alone.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, Response};
use reqwest::Client;
use reqwest::redirect::Policy;
use thiserror::Error;
use tokio::sync::Semaphore;

use super::peer::Peer;
use crate::limits;

/// Marks a request as forwarded, and says for whom: see [`crate::auth::Hop`].
pub const HOP: HeaderName = HeaderName::from_static("x-tiltyard-hop");

/// The clients of this node at others.
#[derive(Debug)]
pub struct Way {
    client: Client,
    /// Requests that may be under way.
    room: Semaphore,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Lost {
    #[error("too many requests are on their way to other nodes")]
    Full,
    #[error("the request's target is not written as it would be sent")]
    Target,
    #[error("it has not gone: {0}")]
    NotSent(reqwest::Error),
    #[error("what became of it is not known: {0}")]
    Unknown(reqwest::Error),
    #[error("what became of it is not known: there was no answer within {0} ms")]
    Late(u64),
    #[error("what became of it is not known: the node is not among the living any more")]
    Gone,
}

/// What is said about one connection, RFC 9110, 7.6.1, and about where a request came from.
const OWN: [HeaderName; 12] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::HOST,
    header::EXPECT,
    HOP,
];

/// What the node that a client talks to answers for itself.
pub(super) const FRONT: [HeaderName; 3] =
    [header::ORIGIN, header::CONTENT_LENGTH, HeaderName::from_static("x-forwarded-for")];

impl Way {
    pub(super) fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .tcp_nodelay(true)
            .connect_timeout(Duration::from_millis(limits::FORWARD_CONNECT_MS))
            .timeout(Duration::from_millis(limits::FORWARD_MS))
            .pool_max_idle_per_host(limits::FORWARD_IDLE_CONNECTIONS)
            .pool_idle_timeout(Duration::from_millis(limits::FORWARD_IDLE_MS))
            .build()?;
        Ok(Self { client, room: Semaphore::new(limits::FORWARDS) })
    }

    /// Has `peer` answer a request, with `said` as this node's word about it. `target` is its path and query. `gone` is when the peer is not
    /// among the living any more: nobody waits for one that hangs.
    #[expect(clippy::too_many_arguments)] // A request's parts, and whom it goes to.
    pub async fn send(
        &self,
        peer: &Peer,
        method: &Method,
        target: &str,
        headers: &HeaderMap,
        body: Bytes,
        said: &str,
        gone: impl Future<Output = ()>,
    ) -> Result<Response<Body>, Lost> {
        let _place = self.room.try_acquire().map_err(|_full| Lost::Full)?;
        let url = format!("{}{target}", peer.url);
        let mut request = self.client.request(method.clone(), &url);
        let mut kept = passed_on(headers);
        for own in FRONT {
            kept.remove(own);
        }
        kept.insert(HOP, HeaderValue::from_str(said).expect("a token is visible ASCII"));
        request = request.headers(kept);
        if !body.is_empty() {
            request = request.body(body);
        }
        let request = request.build().map_err(Lost::NotSent)?;
        // What was signed is what is asked.
        if !request.url().as_str().ends_with(target) {
            return Err(Lost::Target);
        }
        let within = if method.is_safe() { limits::FORWARD_READ_MS } else { limits::FORWARD_MS };
        let answer = tokio::select! {
            answer = tokio::time::timeout(Duration::from_millis(within), self.client.execute(request)) => answer,
            () = gone => return Err(Lost::Gone),
        };
        let answer = answer.map_err(|_elapsed| Lost::Late(within))?.map_err(|error| {
            let error = error.without_url();
            if error.is_connect() { Lost::NotSent(error) } else { Lost::Unknown(error) }
        })?;
        let (mut head, body) = Response::<reqwest::Body>::from(answer).into_parts();
        head.headers = passed_on(&head.headers);
        head.extensions.clear();
        Ok(Response::from_parts(head, Body::new(body)))
    }
}

/// A head without what belongs to the connection it came by.
pub(super) fn passed_on(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    let mut kept = headers.clone();
    for own in OWN.iter().chain(&named) {
        kept.remove(own);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::passed_on;
    use axum::http::{HeaderMap, HeaderValue, header};

    #[test]
    fn what_belongs_to_a_connection_stays_there() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("host", "a"),
            ("x-tiltyard-hop", "forged"),
            ("if-match", "\"3\""),
            ("idempotency-key", "k"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        let kept = passed_on(&headers);
        assert_eq!(kept.len(), 2);
        assert!(kept.contains_key(header::IF_MATCH) && kept.contains_key("idempotency-key"));
    }
}
