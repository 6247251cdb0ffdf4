//! The nodes that share a store, as one of them knows the others: which live, and how they are reached.
//!
//! In reading order: [`peer`] what a node says of itself, [`directory`] where it says that in Redis, [`keeper`] who says it and reads the
//! others, [`way`] a request's way to another node.
//!
//! A node is found by a key in Redis that lasts for a second and a half and is renewed all the time. Who lives is only a hint where to ask:
//! whose a session is stands in the store, and what may be written is decided there and in the log. Without Redis a node goes on with what
//! it has, and with whom it knew last.

pub mod directory;
pub mod keeper;
pub mod peer;
pub mod way;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use moka::sync::Cache;
use thiserror::Error;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::auth::{Hop, TokenKey};
use crate::limits;
pub use keeper::Keeper;
pub use peer::{Load, Peer};
use way::Way;

/// This node's view of the cluster. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cluster(Arc<Shared>);

/// Whose a login is that lives at another node, and until when at most, in Unix milliseconds; `None` where there is none.
pub type Login = Option<(Uuid, u64)>;

/// Whether nodes could be asked, and how often that went how.
#[derive(Debug, Default)]
pub struct Figures {
    /// Requests sent to other nodes that were answered, and those that were not.
    pub forwarded: AtomicU64,
    pub failed: AtomicU64,
    /// Requests of others that came by way of another node.
    pub taken: AtomicU64,
    /// Requests whose head claims that without being a node's.
    pub forged: AtomicU64,
    /// Times Redis was lost.
    pub lost: AtomicU64,
}

/// Says how much there is to do.
struct Measure(Box<dyn Fn() -> Load + Send + Sync>);

impl std::fmt::Debug for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Measure")
    }
}

#[derive(Debug)]
struct Shared {
    key: TokenKey,
    me: Peer,
    /// The living ones besides this, by name.
    others: RwLock<HashMap<String, Arc<Peer>>>,
    /// Redis answers.
    linked: AtomicBool,
    /// How much this node has to do, since it has begun to serve.
    load: OnceLock<Measure>,
    /// It has something to say of itself before the next renewal.
    news: Notify,
    way: Way,
    /// Whose sessions are, where that was asked: a session keeps its node as long as it lives.
    owners: Cache<Uuid, Arc<str>>,
    logins: Cache<Uuid, Login>,
    figures: Figures,
}

/// Why a node cannot be one of the cluster.
#[derive(Debug, Error)]
pub enum ClusterError {
    #[error("redis {url}: {error}. A node of a cluster does not start without it; leave --redis out to run alone")]
    Unreachable { url: String, error: redis::RedisError },
    #[error("redis {url}: {error}")]
    Url { url: String, error: redis::RedisError },
    #[error("another node named {name} lives in this cluster, at {url}: give this one a --node of its own")]
    NameTaken { name: String, url: String },
    #[error(
        "node {name} at {url} has another token key: nodes of a cluster take each other's tokens, so put the same token.key into the data folder of each"
    )]
    OtherKey { name: String, url: String },
    #[error("other nodes cannot be reached at {0}: say with --node-url how they reach this one")]
    NoUrl(String),
    #[error("requests cannot be sent to other nodes: {0}")]
    Client(reqwest::Error),
}

impl Cluster {
    fn new(key: TokenKey, me: Peer) -> Result<Self, ClusterError> {
        Ok(Self(Arc::new(Shared {
            key,
            me,
            others: RwLock::default(),
            linked: AtomicBool::new(true),
            load: OnceLock::new(),
            news: Notify::new(),
            way: Way::new().map_err(ClusterError::Client)?,
            owners: Cache::new(limits::OWNERS),
            logins: Cache::builder()
                .max_capacity(limits::FOREIGN_LOGINS)
                .time_to_live(Duration::from_millis(limits::FOREIGN_LOGIN_MS))
                .build(),
            figures: Figures::default(),
        })))
    }

    /// This node.
    pub fn me(&self) -> &Peer {
        &self.0.me
    }

    /// The others begin to send requests here; `load` says how much this node has to do.
    pub fn begin(&self, load: impl Fn() -> Load + Send + Sync + 'static) {
        // Once for each start.
        let _ = self.0.load.set(Measure(Box::new(load)));
        self.0.news.notify_one();
    }

    /// Whether Redis answers.
    pub fn is_linked(&self) -> bool {
        self.0.linked.load(Ordering::Relaxed)
    }

    /// How many nodes live and serve, this one included.
    pub fn count(&self) -> usize {
        self.read().values().filter(|peer| peer.ready).count() + 1
    }

    /// Another node, if it lives and serves.
    pub fn peer(&self, name: &str) -> Option<Arc<Peer>> {
        self.read().get(name).filter(|peer| peer.ready).cloned()
    }

    /// All others that live and serve.
    pub fn peers(&self) -> Vec<Arc<Peer>> {
        self.read().values().filter(|peer| peer.ready).cloned().collect()
    }

    /// Whether a node of this name lives: this one does.
    pub fn lives(&self, name: &str) -> bool {
        name == self.0.me.name || self.peer(name).is_some()
    }

    /// The way to other nodes.
    pub fn way(&self) -> &Way {
        &self.0.way
    }

    /// What is counted.
    pub fn figures(&self) -> &Figures {
        &self.0.figures
    }

    /// The node of a session, where that is remembered.
    pub fn owner(&self, session: Uuid) -> Option<Arc<str>> {
        self.0.owners.get(&session)
    }

    /// Remembers the node of a session.
    pub fn owned(&self, session: Uuid, node: Arc<str>) {
        self.0.owners.insert(session, node);
    }

    /// What the store said of a login a moment ago.
    pub fn login(&self, sid: Uuid) -> Option<Login> {
        self.0.logins.get(&sid)
    }

    /// Remembers that for a moment.
    pub fn learn_login(&self, sid: Uuid, login: Login) {
        self.0.logins.insert(sid, login);
    }

    /// Whether that is this node's name.
    pub fn is_me(&self, node: &str) -> bool {
        node == self.0.me.name
    }

    /// This node's word to `peer` that it forwards a request of `client`.
    pub fn vouch(&self, peer: &Peer, client: IpAddr, method: &str, target: &str) -> String {
        let hop = Hop { from: self.0.me.name.clone(), to: peer.instance(), client };
        hop.sign(&self.0.key, method, target)
    }

    /// What a request's head says about who forwards it, if that is a node's word.
    pub fn vouched(&self, said: &str, method: &str, target: &str) -> Option<Hop> {
        Hop::read(&self.0.key, said, &self.0.me.instance(), method, target)
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<String, Arc<Peer>>> {
        // Nothing panics while it is held.
        self.0.others.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, others: HashMap<String, Arc<Peer>>) {
        *self.0.others.write().unwrap_or_else(PoisonError::into_inner) = others;
    }
}
