//! What is another node's: whose a session is, and whether a login of another node lives.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use serde_json::json;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::AppState;
use super::error::ApiError;
use super::extract::bearer;
use super::find::{Found, elsewhere};
use crate::auth::Principal;
use crate::auth::flaw::Flaw;
use crate::clock::now_ms;
use crate::cluster::{Cluster, Peer};
use crate::limits;
use crate::records::Kept;
use crate::session::Viewer;

/// Where a session is.
#[derive(Debug)]
pub enum Place {
    /// This node answers for it: it lives here, has ended, or nobody else is known to have it.
    Here,
    /// It lives at a node that serves, or may: it is young, and the store has not heard of it. One after the other is asked.
    There(Vec<Arc<Peer>>),
    /// It lives at a node that is not among the living.
    Lost(Box<Found>),
    /// This node had it, as far as the store has heard, and another has taken it over.
    Changing,
}

impl AppState {
    /// Who has sent a request: its token is good, and so is the login that it belongs to, wherever that lives. An error where that cannot be
    /// found out.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Arc<Principal>>, Reason> {
        match bearer(headers) {
            Some(token) => self.who_has(token).await,
            None => Ok(None),
        }
    }

    /// The same of a token.
    pub async fn who_has(&self, token: &str) -> Result<Option<Arc<Principal>>, Reason> {
        let Some(principal) = self.key.verify(token) else { return Ok(None) };
        let lives = match principal.sid {
            Some(sid) => self.admits(sid, principal.owner()).await?,
            None => true,
        };
        if !lives {
            self.key.refuse(token, &Flaw::Login);
        }
        Ok(lives.then_some(principal))
    }

    /// Whether a login lives; of one of this node that is noted as a use of it.
    pub async fn admits(&self, sid: Uuid, player: Uuid) -> Result<bool, Reason> {
        if self.records.admits(sid, player) {
            return Ok(true);
        }
        let Some(cluster) = self.cluster.as_ref().filter(|_| self.records.live(sid).is_none()) else {
            return Ok(false);
        };
        let login = if let Some(login) = cluster.login(sid) {
            login
        } else {
            let found = self.records.login_afar(sid).await.map_err(|refusal| refusal.reason)?;
            cluster.learn_login(sid, found);
            found
        };
        Ok(login.is_some_and(|(of, until)| of == player && until > now_ms()))
    }

    /// Where a session is. What is found out is remembered: a session that lives stays where it is, as long as its node does.
    /// Where another node has asked, what is remembered may be older than what that one knows: then it is found out `anew`.
    pub async fn place_of(&self, cluster: &Cluster, session: Uuid, anew: bool) -> Place {
        if self.records.live(session).is_some() {
            return Place::Here;
        }
        if anew {
            cluster.disown(session);
        }
        let known = cluster.owner(session).filter(|node| !cluster.is_me(node));
        if let Some(peer) = known.and_then(|node| cluster.peer(&node)) {
            return Place::There(vec![peer]);
        }
        // Also of one that is remembered to be here, or at a node that is gone: another may have taken it over, or this one.
        if self.hub.seats(session, [Uuid::nil(); 2]).await.is_ok() {
            cluster.owned(session, self.records.node().into());
            return Place::Here;
        }
        match self.records.kept(session).await {
            Ok(Some(owned)) if owned.kept.has_ended() => Place::Here,
            Ok(Some(owned)) if cluster.is_me(&owned.node) => match owned.kept {
                Kept::Fight(_) if cluster.shares_log() => Place::Changing,
                _ => Place::Here,
            },
            Ok(Some(owned)) => match cluster.peer(&owned.node) {
                Some(peer) => {
                    cluster.owned(session, Arc::clone(&owned.node));
                    Place::There(vec![peer])
                }
                None => Place::Lost(Box::new(self.afar(owned, Viewer::All))),
            },
            Ok(None) if is_fresh(session) => match cluster.peers() {
                peers if peers.is_empty() => Place::Here,
                peers => Place::There(peers),
            },
            // Who answers here says so.
            Ok(None) | Err(_) => Place::Here,
        }
    }

    /// A session as far as `viewer` may see it; of one so young that the store of a cluster may not have heard of it that is waited for.
    pub async fn look_up_young(&self, viewer: Viewer, session: Uuid) -> Result<Found, ApiError> {
        let waits = self.cluster.is_some() && is_fresh(session);
        for _ in 0..if waits { limits::YOUNG_READS } else { 0 } {
            match self.look_up(viewer, session).await {
                Err(error) if error.reason() == Reason::NoSession => {}
                found => return found,
            }
            tokio::time::sleep(Duration::from_millis(limits::YOUNG_READ_MS)).await;
        }
        self.look_up(viewer, session).await
    }

    /// The refusal of a socket for a session that lives at another node: with its address, if it is known to live.
    pub fn go_there(&self, node: &str) -> ApiError {
        let Some(cluster) = &self.cluster else { return elsewhere(node) };
        match cluster.peer(node) {
            Some(peer) => elsewhere(node).with("url", peer.public_url.as_str().into()),
            None => node_unavailable(node),
        }
    }

    /// Whether a session that lives at this node cannot be reached at the moment: the node is not among the living.
    pub fn is_lost(&self, node: &str) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| !cluster.lives(node))
    }

    /// Whether it cannot be said of other nodes that they live: who lived last may not any more.
    pub fn are_nodes_unknown(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| !cluster.is_linked())
    }
}

/// Whether an id is so young that its session's row may be on its way.
fn is_fresh(session: Uuid) -> bool {
    let made = session.get_timestamp().filter(|_| session.get_version_num() == 7).map(|time| time.to_unix());
    let made = made.map(|(seconds, nanos)| seconds * 1_000 + u64::from(nanos / 1_000_000));
    made.is_some_and(|made| made.abs_diff(now_ms()) < limits::FRESH_MS)
}

/// The refusal of what is about a session that is changing hands just then.
pub fn changing_hands() -> ApiError {
    ApiError::new(Reason::NodeUnavailable)
        .message("The session is changing nodes; try again.")
        .with("retry_ms", json!(limits::NODE_AGAIN_MS))
}

/// The refusal of what a node would have to do that is not among the living, or does not answer.
pub fn node_unavailable(node: &str) -> ApiError {
    ApiError::new(Reason::NodeUnavailable)
        .message(format!("The session lives at node {node}, which does not answer; try again."))
        .with("node", node.into())
        .with("retry_ms", json!(limits::NODE_AGAIN_MS))
}
