//! A socket at this node for a session of another: that node is asked for the upgrade, and from then on bytes are carried, [`pipe`]. What is said
//! over it is not looked at: who may what, in which order and how much is the other node's to say, as it is where the client is there itself.
//!
//! An upgrade is relayed once: where it arrives with another node's word, it is answered.

mod pipe;

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tiltyard_protocol::{CloseCode, Reason};
use tracing::Instrument;
use uuid::Uuid;

use crate::auth::Admission;
use crate::cluster::crossing::{Crossed, Stranded};
use crate::cluster::{Cluster, Peer};
use crate::limits;
use crate::rest::error::ApiError;
use crate::rest::foreign::{Place, changing_hands, node_unavailable};
use crate::rest::forward::as_given;
use crate::rest::http::transport::Transport;
use crate::rest::http::upgrade::{Budget, check_part, taken};
use crate::rest::{App, AppState, rate};
use crate::socket::{frame, kernel};
use pipe::{End, Pipe, part};

/// Takes an upgrade to the node of its session. `None` where that is this one, or none is known. `target` is the request's path and query.
pub async fn relay(
    app: &App,
    cluster: &Cluster,
    request: &mut Request,
    target: &str,
    admission: Admission,
) -> Result<Option<Response>, ApiError> {
    let Admission { session, player, .. } = admission;
    let (mut budget, mut has_looked_again) = (None, false);
    loop {
        let peers = match app.place_of(cluster, session, has_looked_again).await {
            Place::Here => return Ok(None),
            Place::Changing => return Err(changing_hands()),
            Place::Lost(found) => {
                // Who has no seat there is not told where it is.
                check_part(&found, player)?;
                return Err(node_unavailable(found.node.as_deref().unwrap_or_default()));
            }
            Place::There(peers) => peers,
        };
        let own = match budget.take() {
            Some(own) => own,
            None => Budget::take(app, request, player, 2)?,
        };
        let client = rate::sender(app, request.headers(), request.extensions());
        match ask(cluster, &peers, client, (target, request.headers())).await? {
            (peer, Crossed::Over(head, node)) => {
                cluster.owned(session, peer.name.as_str().into());
                let upgraded = hyper::upgrade::on(&mut *request);
                begin(app, cluster, Relayed { session, peer, node, budget: own }, upgraded);
                return Ok(Some(as_given(head.map(|()| Body::empty()))));
            }
            (peer, Crossed::Refused(answer)) if answer.status() == StatusCode::MISDIRECTED_REQUEST => {
                // What was remembered is no longer so.
                if has_looked_again {
                    return Err(node_unavailable(&peer.name));
                }
                (budget, has_looked_again) = (Some(own), true);
            }
            (_, Crossed::Refused(answer)) => {
                if answer.status() == StatusCode::UNAUTHORIZED {
                    // Of a ticket that was used up: tries with one are counted where they are made, too.
                    rate::count(app, request.headers(), request.extensions(), None)?;
                }
                return Ok(Some(as_given(answer)));
            }
        }
    }
}

/// Asks one of `peers` for the upgrade: the first that has the session, where it is not known whose it is.
async fn ask(
    cluster: &Cluster,
    peers: &[Arc<Peer>],
    client: IpAddr,
    (target, headers): (&str, &HeaderMap),
) -> Result<(Arc<Peer>, Crossed), ApiError> {
    let figures = &cluster.figures().relays;
    let (mut unanswered, mut absent) = (None, None);
    for peer in peers {
        let said = cluster.vouch(peer, client, Method::GET.as_str(), target);
        match cluster.crossing().ask(peer, target, headers, &said).await {
            Ok(over @ Crossed::Over(..)) => return Ok((Arc::clone(peer), over)),
            Ok(Crossed::Refused(answer)) => {
                count(&figures.refused);
                let refused = (Arc::clone(peer), Crossed::Refused(answer));
                match &refused.1 {
                    Crossed::Refused(answer) if answer.status() == StatusCode::NOT_FOUND => absent = Some(refused),
                    _ => return Ok(refused),
                }
            }
            Err(stranded) => {
                tracing::debug!(node = peer.name, %stranded, "a socket has not come to another node");
                count(if matches!(stranded, Stranded::Full) { &figures.full } else { &figures.unanswered });
                unanswered = Some(match stranded {
                    Stranded::Full => Reason::Overloaded.into(),
                    _ => node_unavailable(&peer.name),
                });
            }
        }
    }
    // It may be at the one that did not answer.
    match (unanswered, absent) {
        (Some(error), _) => Err(error),
        (None, Some(refused)) => Ok(refused),
        (None, None) => Err(Reason::NoSession.into()),
    }
}

/// A socket that another node has taken, before its client has it.
struct Relayed {
    session: Uuid,
    peer: Arc<Peer>,
    node: TokioIo<Upgraded>,
    budget: Budget,
}

/// Has the socket's bytes carried as soon as its client has been answered.
fn begin(app: &App, cluster: &Cluster, relayed: Relayed, upgraded: OnUpgrade) {
    let span = tracing::debug_span!("relay", session = %relayed.session, node = relayed.peer.name);
    let (serving, cluster) = (Arc::clone(app), cluster.clone());
    let carried = async move {
        let Relayed { peer, node, budget, .. } = relayed;
        let client = match upgraded.await.map_err(|error| error.to_string()).and_then(taken) {
            Ok(client) => client,
            Err(error) => return tracing::debug!(error, "gone before the upgrade"),
        };
        if let Err(error) = kernel::bound(&client.socket) {
            tracing::warn!(%error, "a socket's buffer is as large as the system makes it");
        }
        let pipe = Pipe::new(Transport::new(client.socket, client.tls), client.leftover, node);
        let _live = Live::new(&cluster);
        carry(&serving, &cluster, &peer, pipe).await;
        drop(budget);
    };
    app.tasks.spawn(carried.instrument(span));
}

/// Carries until an end, and tells the client of it where its node has not.
async fn carry(app: &AppState, cluster: &Cluster, peer: &Peer, mut pipe: Pipe) {
    let figures = &cluster.figures().relays;
    let ended = tokio::select! {
        end = poll_fn(|context| pipe.poll(context, figures)) => Some(end),
        () = app.stopping.cancelled() => None,
        () = cluster.gone(peer) => {
            count(&figures.lost);
            None
        }
    };
    match ended {
        Some(End::Client) => tracing::debug!("the client is gone"),
        Some(End::Node) if pipe.has_closed() => tracing::debug!("closed by its node"),
        Some(End::Node) => {
            count(&figures.lost);
            tracing::debug!("its node is lost");
        }
        Some(End::Stuck) => {
            count(&figures.stuck);
            tracing::debug!("the client takes nothing");
        }
        None => tracing::debug!("closed by this node"),
    }
    let parting = async {
        match ended {
            Some(End::Client) => return drop(pipe.part_from_node().await),
            Some(End::Stuck) => return pipe.into_client().abandon(),
            Some(End::Node) => drop(poll_fn(|context| pipe.poll_rest(context)).await),
            None => poll_fn(|context| pipe.poll_to_gap(context, figures)).await,
        }
        let mut last = Vec::new();
        if pipe.is_between() {
            frame::close(CloseCode::Restart, &mut last);
        }
        if !last.is_empty() || pipe.has_closed() {
            let _ = part(pipe.into_client(), &last).await;
        }
        // Within a frame nothing can be said, so its connection is cut.
    };
    let _ = tokio::time::timeout(Duration::from_millis(limits::CLOSE_MS), parting).await;
}

/// Counts a relayed socket as long as it lives.
struct Live(Cluster);

impl Live {
    fn new(cluster: &Cluster) -> Self {
        count(&cluster.figures().relays.live);
        count(&cluster.figures().relays.opened);
        Self(cluster.clone())
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.0.figures().relays.live.fetch_sub(1, Ordering::Relaxed);
    }
}

fn count(figure: &AtomicU64) {
    figure.fetch_add(1, Ordering::Relaxed);
}
