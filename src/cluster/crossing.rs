//! A socket's way to another node: a connection of its own, on which that node is asked for the same upgrade that the client has asked for.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper::upgrade::Upgraded;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::crypto::aws_lc_rs;
use thiserror::Error;
use tokio::sync::Semaphore;
use tower::{Service, ServiceExt};

use super::peer::Peer;
use super::way::{FRONT, HOP, passed_on};
use crate::limits;

/// Connects to other nodes for sockets.
#[derive(Debug)]
pub struct Crossing {
    connector: HttpsConnector<HttpConnector>,
    /// Sockets that may be on their way.
    room: Semaphore,
}

/// What another node answers to an upgrade.
#[derive(Debug)]
pub enum Crossed {
    /// It takes the socket, with this answer. What the client sends from now on is for it.
    Over(Response<()>, TokioIo<Upgraded>),
    /// It does not, and says why.
    Refused(Response<Body>),
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum Stranded {
    #[error("too many sockets are on their way to other nodes")]
    Full,
    #[error("the node's address and the request's target make no URL")]
    Target,
    #[error("no connection: {0}")]
    NoConnection(Box<dyn std::error::Error + Send + Sync>),
    #[error("it was lost before it was answered: {0}")]
    Lost(hyper::Error),
    #[error("the answer cannot be read: {0}")]
    Answer(Box<dyn std::error::Error + Send + Sync>),
    #[error("it takes too long")]
    Late,
}

impl Crossing {
    pub(super) fn new() -> io::Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(Duration::from_millis(limits::FORWARD_CONNECT_MS)));
        // What waits in the kernel cannot be taken back: with this little, the other node finds out soon that its client does not read.
        tcp.set_recv_buffer_size(usize::try_from(limits::CROSSING_KERNEL_BYTES).ok());
        tcp.set_send_buffer_size(usize::try_from(limits::CROSSING_KERNEL_BYTES).ok());
        // A machine that is gone says nothing at all.
        let alive = Duration::from_millis(limits::CROSSING_ALIVE_MS);
        tcp.set_keepalive(Some(alive));
        tcp.set_keepalive_interval(Some(alive / 5));
        tcp.set_keepalive_retries(Some(5));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(alive));
        let builder = HttpsConnectorBuilder::new()
            .with_provider_and_platform_verifier(Arc::new(aws_lc_rs::default_provider()))?;
        let connector = builder.https_or_http().enable_http1().wrap_connector(tcp);
        Ok(Self { connector, room: Semaphore::new(limits::CROSSINGS) })
    }

    /// Asks `peer` for the upgrade that `target`, its path and query, and `headers` ask for, with `said` as this node's word about it.
    pub async fn ask(&self, peer: &Peer, target: &str, headers: &HeaderMap, said: &str) -> Result<Crossed, Stranded> {
        let _place = self.room.try_acquire().map_err(|_full| Stranded::Full)?;
        let patience = Duration::from_millis(limits::CROSSING_OPEN_MS);
        tokio::time::timeout(patience, self.cross(peer, target, headers, said)).await.unwrap_or(Err(Stranded::Late))
    }

    async fn cross(&self, peer: &Peer, target: &str, headers: &HeaderMap, said: &str) -> Result<Crossed, Stranded> {
        let url: Uri = format!("{}{target}", peer.url).parse().map_err(|_| Stranded::Target)?;
        let request = request(&url, headers, said).ok_or(Stranded::Target)?;
        let mut connector = self.connector.clone();
        let connected = async { connector.ready().await?.call(url).await };
        exchange(connected.await.map_err(Stranded::NoConnection)?, request).await
    }
}

/// The client's own request, as far as it does not belong to its connection, with this node's word.
fn request(url: &Uri, headers: &HeaderMap, said: &str) -> Option<Request<Empty<Bytes>>> {
    let mut request = Request::new(Empty::new());
    *request.method_mut() = Method::GET;
    *request.uri_mut() = Uri::from(url.path_and_query()?.clone());
    let mut kept = passed_on(headers);
    for own in FRONT {
        kept.remove(own);
    }
    kept.insert(header::HOST, HeaderValue::from_str(url.authority()?.as_str()).ok()?);
    kept.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    kept.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    kept.insert(HOP, HeaderValue::from_str(said).ok()?);
    *request.headers_mut() = kept;
    Some(request)
}

/// Sends the request, and reads the answer as far as it is HTTP.
async fn exchange(
    io: impl Read + Write + Unpin + Send + 'static,
    request: Request<Empty<Bytes>>,
) -> Result<Crossed, Stranded> {
    let builder = http1::Builder::new().max_buf_size(limits::HEAD_BYTES).max_headers(limits::HEADERS).clone();
    let (mut sender, connection) = builder.handshake(io).await.map_err(Stranded::Lost)?;
    let mut connection = pin!(connection.with_upgrades());
    let mut answered = pin!(async {
        let mut answer = sender.send_request(request).await.map_err(Stranded::Lost)?;
        let is_over = answer.status() == StatusCode::SWITCHING_PROTOCOLS;
        let upgraded = is_over.then(|| hyper::upgrade::on(&mut answer));
        let (mut head, body) = answer.into_parts();
        head.headers = passed_on(&head.headers);
        head.extensions.clear();
        if let Some(upgraded) = upgraded {
            head.headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
            head.headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            let io = TokioIo::new(upgraded.await.map_err(Stranded::Lost)?);
            return Ok(Crossed::Over(Response::from_parts(head, ()), io));
        }
        let body = Limited::new(body, limits::CROSSING_ANSWER_BYTES).collect().await.map_err(Stranded::Answer)?;
        Ok(Crossed::Refused(Response::from_parts(head, Body::from(body.to_bytes()))))
    });
    let mut goes_on = true;
    loop {
        // Nothing is sent or read where the connection is not looked after; where it ends, what waits for it is told.
        tokio::select! {
            biased;
            answer = answered.as_mut() => return answer,
            _ended = connection.as_mut(), if goes_on => goes_on = false,
        }
    }
}
