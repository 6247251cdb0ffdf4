//! Connections in: an own accept loop, because how many there may be and how long a request's head may take are ours to
//! say. Over TLS a connection begins with its [`super::handshake`]. hyper reads HTTP as it passes the [`super::gate`], as long as its clients have our [`super::patience`]; a connection that becomes
//! a WebSocket leaves here for its shard. [`super::visitors`] are those that do not.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{Request, StatusCode, Version};
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::Instrument;

use crate::config::Config;
use crate::limits;
use crate::metrics::EdgeFigures;
use crate::ops::beat::Beat;
use crate::ops::descriptors;
use crate::rest::http::gate::{Fault, Gate, Standing};
use crate::rest::http::handshake::{self, Greeted};
use crate::rest::http::patience::HttpStream;
use crate::rest::http::transport::Transport;
use crate::rest::http::unread;
use crate::rest::http::visitors::{Visitor, Visitors};
use crate::rest::rate::{Peer, counted};
use crate::rest::{App, Front};

/// The places that sockets may take, fewer than there are connections, and who else has one; in the extensions of every request.
#[derive(Debug, Clone)]
pub struct Places(Arc<Semaphore>, Visitors);

impl Places {
    /// Takes so many, where there are.
    pub fn take(&self, count: u32) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_many_owned(count).ok()
    }

    /// A node of the cluster has given its word from this address: behind it are many.
    pub fn known_as_node(&self, address: IpAddr) {
        self.1.known_as_node(counted(address), Instant::now());
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
        let visitors = Visitors::new(per_address, proxies);
        let places = Places(Arc::new(Semaphore::new(sockets)), visitors.clone());
        Self { connections, sockets, places, visitors }
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

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");

/// [`limits::IDLE_MS`] in the words of that head.
const IDLE: &str = "timeout=75";

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

/// Accepts connections until the server stops.
pub async fn run(listener: TcpListener, front: Front, app: App, doors: Doors, beat: Arc<Beat>) {
    let mut failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            () = app.stopping.cancelled() => return,
            accepted = beat.idle(listener.accept()) => accepted,
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
            let span = tracing::debug_span!("connection", peer = %peer.0);
            let served = serve(stream, peer, visitor, doors.places.clone(), front.clone(), Arc::clone(&app));
            app.tasks.spawn(served.instrument(span));
        }
        // Who was closed for another still has a descriptor until its task has run.
        while doors.visitors.leaving() > limits::CONNECTIONS_LEAVING {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// Serves one connection until it closes, is taken over by an upgrade, makes room for another, or the server stops and its request
/// is answered.
async fn serve(stream: TcpStream, peer: Peer, visitor: Visitor, places: Places, front: Front, app: App) {
    let figures = &app.metrics.edge;
    let visit = Arc::clone(visitor.visit());
    let standing = Standing::default();
    let greeted = tokio::select! {
        greeted = begin(stream, standing.clone(), &app) => greeted,
        () = visitor.evicted() => None,
        () = app.stopping.cancelled() => None,
    };
    let Some((transport, gate)) = greeted else { return };
    let stream = HttpStream::new(transport, gate, Arc::clone(&visit), figures.write_timeouts.clone());
    let (requests, serving) = (AtomicU64::new(0), Arc::clone(&app));
    let service = service_fn(move |request: Request<Incoming>| {
        let goes_on = request.version() == Version::HTTP_11 && !unread::closes(request.headers());
        let (mut request, unread) = unread::watch(request);
        if let Some(fault) = standing.of(requests.fetch_add(1, Ordering::Relaxed)) {
            request.extensions_mut().insert(fault);
        }
        request.extensions_mut().insert(places.clone());
        request.extensions_mut().insert(peer);
        let answered = front.clone().answer(request);
        let (visit, app) = (Arc::clone(&visit), Arc::clone(&serving));
        async move {
            visit.works(true);
            let mut answer = answered.await;
            let is_read = match unread {
                Some(unread) if !unread::closes(answer.headers()) => unread.read().await,
                _ => true,
            };
            say_whether_it_goes_on(&mut answer, goes_on, is_read && !app.draining.is_cancelled());
            visit.works(false);
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        // A client that is done with sending may well wait for its answer.
        .half_close(true)
        // The gate has a bound for heads, and one for what is between two requests.
        .header_read_timeout(None::<Duration>)
        .max_buf_size(limits::HEAD_BYTES)
        .max_header_size(limits::HEAD_BYTES)
        .max_headers(limits::HEADERS)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    figures.http.increment(1.0);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = visitor.evicted() => Ok(()),
        () = app.stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "connection ended");
    }
    figures.http.decrement(1.0);
}

/// How a connection's bytes become HTTP. `None` where its handshake fails: there is nobody to be answered.
async fn begin(stream: TcpStream, standing: Standing, app: &App) -> Option<(Transport, Gate)> {
    let Some(identity) = &app.tls else { return Some((Transport::new(stream, None), Gate::new(standing))) };
    let greeted = handshake::greet(&stream, identity.config()).await;
    identity.count(&greeted);
    match greeted {
        Ok(Greeted::Tls(tls, early)) => {
            let mut gate = Gate::new(standing);
            gate.take(&early);
            Some((Transport::new(stream, Some(tls)), gate))
        }
        Ok(Greeted::Plain) => Some((Transport::new(stream, None), Gate::barred(standing, Fault::NoTls))),
        Err(failure) => {
            tracing::debug!(?failure, "no handshake");
            None
        }
    }
}

/// Tells the client whether it can send another request on its connection, and for how long: whether it would is its head's to say,
/// whether it can ours.
fn say_whether_it_goes_on(answer: &mut Response, would: bool, can: bool) {
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        return;
    }
    let is_said = unread::closes(answer.headers());
    if !can && !is_said {
        answer.headers_mut().append(header::CONNECTION, HeaderValue::from_static("close"));
    } else if would && !is_said {
        answer.headers_mut().insert(KEEP_ALIVE, HeaderValue::from_static(IDLE));
    }
}
