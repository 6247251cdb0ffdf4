//! Requests about sessions of other nodes: sent there, and answered with what is said there. A request is forwarded once: where it arrives
//! with another node's word, it is answered.
//!
//! All that names a live session goes to its node, reads too: of a fight only its own shard knows what each player may see, and of what lives
//! by signs of life only its node has heard them. What has ended any node answers from the store, and what names no session as well.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::response::Response;
use serde_json::json;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{BASES, receive};
use super::find::elsewhere;
use super::foreign::{Place, changing_hands, node_unavailable};
use super::http::accept::Places;
use super::packed::Final;
use super::{App, rate};
use crate::auth::{Operation, Principal};
use crate::cluster::way::{HOP, Lost};
use crate::cluster::{Cluster, Peer};
use crate::session::parse_uuid;

/// The operations that name a session, but for the upgrade: their routes, and by which methods.
pub const FORWARDED: &[(&str, &[Method])] = &[
    ("/combat/sessions/{session_id}", &[Method::GET]),
    ("/combat/sessions/{session_id}/state", &[Method::GET]),
    ("/combat/sessions/{session_id}/actions", &[Method::POST]),
    ("/combat/sessions/{session_id}/ready", &[Method::POST]),
    ("/combat/sessions/{session_id}/replay", &[Method::GET]),
    ("/combat/sessions/{session_id}/hand-over", &[Method::POST]),
    ("/sessions/{session_id}", &[Method::GET, Method::PUT, Method::DELETE]),
    ("/sessions/{session_id}/heartbeat", &[Method::POST]),
    ("/sessions/{session_id}/logs", &[Method::GET]),
    ("/sessions/{session_id}/members", &[Method::POST]),
    ("/sessions/{session_id}/members/{player_id}", &[Method::DELETE]),
    (REFRESH, &[Method::POST]),
    ("/sessions/{session_id}/state", &[Method::GET, Method::PATCH]),
    ("/sessions/{session_id}/tickets", &[Method::POST]),
];

/// The one whose credential is in its body.
const REFRESH: &str = "/sessions/{session_id}/refresh";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Marks an answer that another node has given: it is counted there.
#[derive(Debug, Clone, Copy)]
pub struct OfAnother;

/// Marks a request that came by way of another node: that node's name.
#[derive(Debug, Clone)]
pub struct Via(pub String);

/// Who answers a request.
#[derive(Debug)]
pub enum Course {
    Here(Request),
    Answered(Response),
}

/// Finds out who answers a request, and has another node answer it where that is one. `id` names the request, `names` the routes.
pub async fn course(
    app: &App,
    cluster: &Cluster,
    mut request: Request,
    id: &HeaderValue,
    names: &matchit::Router<&'static str>,
) -> Result<Course, ApiError> {
    let is_hop = request.headers().contains_key(HOP);
    if is_hop {
        arrive(app, cluster, &mut request)?;
    }
    let Some((route, session)) = named(&request, names) else {
        // A socket may be relayed.
        request.headers_mut().insert("x-request-id", id.clone());
        return Ok(Course::Here(request));
    };
    // Before anything is looked up: nobody has others asked, or the store, whom this node would not hear.
    let caller = admit(app, &mut request, route).await?;
    match app.place_of(cluster, session, is_hop).await {
        Place::Here => Ok(Course::Here(request)),
        Place::Changing => Err(changing_hands()),
        // Two nodes that do not agree on whose it is would send it to and fro.
        Place::There(peers) if is_hop => match &peers[..] {
            [peer] if cluster.owner(session).is_some() => Err(elsewhere(&peer.name)),
            _ => Ok(Course::Here(request)),
        },
        Place::Lost(found) => {
            // Whoever may not know of it is not told where it is.
            if let Some(caller) = caller {
                caller.may_to(Operation::ReadSession, found.relation(&caller))?;
            }
            Err(node_unavailable(found.node.as_deref().unwrap_or_default()))
        }
        Place::There(peers) => {
            request.headers_mut().insert("x-request-id", id.clone());
            let asked = Asked::of(app, request).await?;
            let answer = asked.send(cluster, &peers).await?;
            if answer.status() != StatusCode::MISDIRECTED_REQUEST {
                return Ok(Course::Answered(answer));
            }
            // It was there, and nothing was done. By now it is somebody else's, or this one's.
            match app.place_of(cluster, session, true).await {
                Place::There(peers) => asked.send(cluster, &peers).await.map(Course::Answered),
                _ => Err(changing_hands()),
            }
        }
    }
}

/// The route of a request about a session and the session, where another node may answer it.
fn named(request: &Request, names: &matchit::Router<&'static str>) -> Option<(&'static str, Uuid)> {
    let path = request.uri().path();
    let path = BASES.into_iter().find_map(|base| path.strip_prefix(base)).unwrap_or(path);
    let found = names.at(path).ok()?;
    let session = found.params.get("session_id").and_then(parse_uuid)?;
    let is_one = |(path, methods): &&(&str, &[Method])| path == found.value && methods.contains(request.method());
    FORWARDED.iter().find(is_one).map(|(route, _)| (*route, session))
}

/// Takes another node's word for where a request comes from.
fn arrive(app: &App, cluster: &Cluster, request: &mut Request) -> Result<(), ApiError> {
    let figures = cluster.figures();
    let mut said = request.headers().get_all(HOP).iter();
    let said = said.next().filter(|_| said.next().is_none()).and_then(|said| said.to_str().ok());
    let target = target_of(request.uri());
    let Some(hop) = said.and_then(|said| cluster.vouched(said, request.method().as_str(), target)) else {
        figures.forged.fetch_add(1, Ordering::Relaxed);
        rate::count(app, request.headers(), request.extensions(), None)?;
        return Err(ApiError::new(Reason::Forbidden)
            .message(format!("Only a node of this cluster may send {HOP}, for this request and a moment ago."))
            .with("header", HOP.as_str().into()));
    };
    figures.taken.fetch_add(1, Ordering::Relaxed);
    request.headers_mut().remove(FORWARDED_FOR);
    let front = request.extensions_mut().insert(rate::Peer(hop.client));
    if let Some((front, places)) = front.zip(request.extensions().get::<Places>()) {
        places.known_as_node(front.0);
    }
    request.extensions_mut().insert(Via(hop.from));
    Ok(())
}

/// Checks and counts the caller, once and for all. `None` where the credential is in the body.
async fn admit(app: &App, request: &mut Request, route: &str) -> Result<Option<Arc<Principal>>, ApiError> {
    let caller = if route == REFRESH { None } else { app.authenticate(request.headers()).await? };
    rate::count(app, request.headers(), request.extensions(), caller.as_deref())?;
    request.extensions_mut().insert(rate::Counted);
    if caller.is_none() && route != REFRESH {
        return Err(Reason::Unauthorized.into());
    }
    Ok(caller)
}

/// A request that is sent to other nodes.
struct Asked {
    client: IpAddr,
    method: Method,
    target: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    async fn of(app: &App, request: Request) -> Result<Self, ApiError> {
        let client = rate::sender(app, request.headers(), request.extensions());
        let (method, target) = (request.method().clone(), target_of(request.uri()).to_owned());
        let headers = request.headers().clone();
        Ok(Self { client, method, target, headers, body: receive(request).await? })
    }

    /// Has one of `peers` answer: the first that has the session, where it is not known whose it is.
    async fn send(&self, cluster: &Cluster, peers: &[Arc<Peer>]) -> Result<Response, ApiError> {
        let Self { client, method, target, headers, body } = self;
        let (mut unanswered, mut absent) = (None, None);
        for peer in peers {
            let said = cluster.vouch(peer, *client, method.as_str(), target);
            let gone = cluster.gone(peer);
            let sent = cluster.way().send(peer, method, target, headers, body.clone(), &said, gone).await;
            let figures = cluster.figures();
            let count = if sent.is_ok() { &figures.forwarded } else { &figures.failed };
            count.fetch_add(1, Ordering::Relaxed);
            match sent {
                // By who does not have it nothing was done.
                Ok(answer) if answer.status() == StatusCode::NOT_FOUND => absent = Some(as_given(answer)),
                Ok(answer) => return Ok(as_given(answer)),
                Err(lost) => unanswered = Some(refusal(peer, method, &lost)),
            }
        }
        // It may be at the one that did not answer.
        match (unanswered, absent) {
            (Some(error), _) => Err(error),
            (None, Some(answer)) => Ok(answer),
            (None, None) => Err(Reason::NoSession.into()),
        }
    }
}

/// Another node's answer, which is not packed again here.
pub(super) fn as_given(mut answer: Response) -> Response {
    answer.extensions_mut().insert(Final);
    answer.extensions_mut().insert(OfAnother);
    answer
}

fn refusal(peer: &Peer, method: &Method, lost: &Lost) -> ApiError {
    let error = match lost {
        Lost::Full => return Reason::Overloaded.into(),
        Lost::Target => return ApiError::new(Reason::BadRequest).message("The path or query is not percent-encoded."),
        Lost::NotSent(_) => node_unavailable(&peer.name),
        Lost::Unknown(_) | Lost::Late(_) | Lost::Gone if method.is_safe() => node_unavailable(&peer.name),
        Lost::Unknown(_) | Lost::Late(_) | Lost::Gone => node_unavailable(&peer.name).with("outcome", json!("unknown")),
    };
    tracing::debug!(node = peer.name, %lost, "a request was not answered by another node");
    error
}

/// Path and query.
pub(super) fn target_of(uri: &Uri) -> &str {
    uri.path_and_query().map_or("/", |target| target.as_str())
}

#[cfg(test)]
mod tests {
    use super::FORWARDED;
    use serde_json::Value;
    use std::collections::BTreeSet;

    #[test]
    fn every_operation_that_names_a_session_is_forwarded() {
        let document: Value = serde_json::from_str(super::super::openapi::JSON).unwrap();
        let mut told = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            let methods = ["get", "put", "post", "delete", "patch"];
            let given = methods.into_iter().filter(|method| !operations[*method].is_null());
            told.extend(given.filter(|_| path.contains("{session_id}")).map(|method| format!("{method} {path}")));
        }
        let forwarded = FORWARDED.iter().flat_map(|(path, methods)| {
            methods.iter().map(move |method| format!("{} {path}", method.as_str().to_lowercase()))
        });
        assert_eq!(forwarded.collect::<BTreeSet<_>>(), told);
    }
}
