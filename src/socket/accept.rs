//! Connections in: an own accept loop, because how many there may be and how long a request's head may take are ours to
//! say. hyper reads HTTP; a connection that becomes a WebSocket leaves here for its shard.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;
use crate::ops::descriptors;
use crate::rest::rate::Peer;
use crate::rest::{App, Front};

/// One of the connections this node may have. Held by the task that serves the connection, until an upgrade takes it along
/// to the shard.
#[derive(Debug, Clone)]
pub struct Permit(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Permit {
    fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }

    /// Takes it; there is only one.
    pub fn take(&self) -> Option<OwnedSemaphorePermit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Milliseconds to wait after a failure that concerns no single connection, such as a lack of descriptors: such a failure lasts,
/// and trying at once again would only burn the processor.
const PAUSE_MS: u64 = 50;

/// Opens the listening socket.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(limits::BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections until the server drains.
pub async fn run(listener: TcpListener, front: Front, app: App) {
    let permits = Arc::new(Semaphore::new(descriptors::connections()));
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = app.draining.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            // The client was gone before it was accepted.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
                continue;
            }
            Err(error) => {
                app.metrics.accept_errors.increment(1);
                if !failing {
                    tracing::warn!(%error, "cannot accept connections");
                }
                failing = true;
                tokio::time::sleep(Duration::from_millis(PAUSE_MS)).await;
                continue;
            }
        };
        failing = false;
        let Ok(permit) = Arc::clone(&permits).try_acquire_owned() else {
            app.metrics.connections_refused.increment(1);
            continue;
        };
        let serving = serve(stream, Peer(peer.ip()), Permit::new(permit), front.clone(), Arc::clone(&app));
        app.tasks.spawn(serving);
    }
}

/// Serves one connection until it closes, is taken over by an upgrade, or the server drains and its request is answered.
async fn serve(stream: TcpStream, peer: Peer, permit: Permit, front: Front, app: App) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "no TCP_NODELAY");
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(permit.clone());
        request.extensions_mut().insert(peer);
        let answered = front.clone().answer(request);
        async move { Ok::<_, std::convert::Infallible>(answered.await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(limits::HEADER_MS))
        .max_buf_size(limits::HEAD_BYTES)
        .max_header_size(limits::HEAD_BYTES)
        // More than the limit, so that the answer up to there is ours and has a body.
        .max_headers(limits::HEADERS * 2)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = app.draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
}
