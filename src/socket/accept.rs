//! Connections in: an own accept loop, because how many there may be and how long a request's head may take are ours to
//! say. hyper reads HTTP, as long as its clients have our [`super::patience`]; a connection that becomes a WebSocket leaves here for its
//! shard. [`super::visitors`] are those that do not.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
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

use super::patience::HttpStream;
use super::visitors::{Visitor, Visitors};
use crate::config::Config;
use crate::limits;
use crate::ops::descriptors;
use crate::ops::edge::EdgeFigures;
use crate::rest::rate::{Peer, counted};
use crate::rest::{App, Front};

/// The places that sockets may take, fewer than there are connections; in the extensions of every request.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>);

impl Places {
    /// Takes one, where there is one.
    pub fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// How many connections there may be, of which kind.
#[derive(Debug)]
pub struct Doors {
    connections: usize,
    sockets: usize,
    places: Places,
    visitors: Visitors,
}

impl Doors {
    /// As many as the process may have open, and what the configuration says.
    pub fn new(config: &Config) -> Self {
        Self::of(descriptors::connections(), config)
    }

    fn of(connections: usize, config: &Config) -> Self {
        let sockets = connections - connections / limits::CONNECTIONS_NO_SOCKET;
        let usual = (connections / 4).clamp(1, limits::CONNECTIONS_PER_ADDRESS);
        let per_address = config.connections_per_address.map_or(usual, NonZeroUsize::get);
        let proxies = config.trusted_proxies.iter().map(|proxy| counted(proxy.to_canonical())).collect();
        let (places, visitors) = (Arc::new(Semaphore::new(sockets)), Visitors::new(per_address, proxies));
        Self { connections, sockets, places: Places(places), visitors }
    }

    /// Lets a connection in; others may have to go for it.
    fn enter(&self, address: IpAddr, figures: &EdgeFigures) -> Option<Visitor> {
        let sockets = self.sockets.saturating_sub(self.places.0.available_permits());
        if self.visitors.count() + sockets >= self.connections {
            if !self.visitors.make_room(address) {
                figures.refused_full.increment(1);
                return None;
            }
            figures.evicted_full.increment(1);
        }
        let Some(entered) = self.visitors.enter(address) else {
            figures.refused_address.increment(1);
            return None;
        };
        if entered.is_instead {
            figures.evicted_address.increment(1);
        }
        Some(entered.visitor)
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
pub async fn run(listener: TcpListener, front: Front, app: App, doors: Doors) {
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
        let peer = Peer(peer.ip().to_canonical());
        if let Some(visitor) = doors.enter(counted(peer.0), &app.metrics.edge) {
            app.tasks.spawn(serve(stream, peer, visitor, doors.places.clone(), front.clone(), Arc::clone(&app)));
        }
        // Who was closed for another still has a descriptor until its task has run.
        while doors.visitors.leaving() > limits::CONNECTIONS_LEAVING {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Serves one connection until it closes, is taken over by an upgrade, makes room for another, or the server drains and its request
/// is answered.
async fn serve(stream: TcpStream, peer: Peer, visitor: Visitor, places: Places, front: Front, app: App) {
    let figures = &app.metrics.edge;
    let visit = Arc::clone(visitor.visit());
    let stream = HttpStream::new(stream, Arc::clone(&visit), figures.write_timeouts.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(places.clone());
        request.extensions_mut().insert(peer);
        let answered = front.clone().answer(request);
        let visit = Arc::clone(&visit);
        async move {
            visit.works(true);
            let answer = answered.await;
            visit.works(false);
            Ok::<_, std::convert::Infallible>(answer)
        }
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
    figures.http.increment(1.0);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = visitor.evicted() => Ok(()),
        () = app.draining.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
    figures.http.decrement(1.0);
}
