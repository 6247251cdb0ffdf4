//! The nodes that share a store, as one of them knows the others: which live, and how they are reached.
//!
//! In reading order: [`peer`] what a node says of itself, [`directory`] where it says that in Redis, [`keeper`] who says it and reads the
//! others, [`sentry`] who sees at once that a process is gone, [`way`] a request's way to another node, [`crossing`] a socket's.
//!
//! A node is found by a key in Redis that lasts for little more than a second and is renewed all the time. Who lives is only a hint where to ask:
//! whose a session is stands in the store, and what may be written is decided there and in the log. Without Redis a node goes on with what
//! it has, and with whom it knew last.

pub mod crossing;
pub mod directory;
pub mod keeper;
pub mod peer;
mod sentry;
pub mod way;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use thiserror::Error;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::auth::{Hop, TokenKey};
use crate::limits;
use crossing::Crossing;
pub use keeper::Keeper;
pub use peer::{Load, Peer};
pub use sentry::run as sentry;
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
    pub relays: Relays,
}

/// What becomes of clients' sockets that are relayed to the nodes of their sessions.
#[derive(Debug, Default)]
pub struct Relays {
    /// Sockets relayed now, and all that were.
    pub live: AtomicU64,
    pub opened: AtomicU64,
    /// Bytes of clients passed on to nodes, and of nodes to clients.
    pub up: AtomicU64,
    pub down: AtomicU64,
    /// Upgrades that a node has refused by a plain answer, and those that it has not answered.
    pub refused: AtomicU64,
    pub unanswered: AtomicU64,
    /// Upgrades for which there was no room.
    pub full: AtomicU64,
    /// Relayed sockets whose node was lost, and whose client took nothing for too long.
    pub lost: AtomicU64,
    pub stuck: AtomicU64,
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
    /// Which log its fights are in, where others can get at it.
    log: OnceLock<String>,
    /// From when on who is not found in the directory is taken for dead.
    calm_at: RwLock<Instant>,
    /// Raised with every change of who lives.
    changes: watch::Sender<u64>,
    /// Processes that are gone, as one who watched them has seen, and which are to be taken out of the directory.
    gone: Mutex<Vec<String>>,
    /// It is about to stop.
    leaving: AtomicBool,
    /// What it says of itself has been said again.
    said: watch::Sender<u64>,
    /// It has something to say of itself before the next renewal.
    news: Notify,
    way: Way,
    crossing: Crossing,
    /// Changes when a process is among the living no more.
    departures: watch::Sender<()>,
    /// Whose sessions are, where that was asked: a session keeps its node as long as that lives.
    owners: Cache<Uuid, Arc<str>>,
    logins: Cache<Uuid, Login>,
    figures: Figures,
}

/// Why a node cannot be one of the cluster.
#[derive(Debug, Error)]
pub enum ClusterError {
    #[error(
        "redis {url}: {error}. With --redis a node does not start before it answers, so that it is sure that no other has its name. Without --redis no other node can be reached, and none asks for its sessions"
    )]
    Unreachable { url: String, error: redis::RedisError },
    #[error("redis {url}: {error}")]
    Url { url: String, error: redis::RedisError },
    #[error("another node named {name} lives in this cluster, at {url}: give this one a --node of its own")]
    NameTaken { name: String, url: String },
    #[error(
        "node {name} at {url} has another token key{}: nodes of a cluster take each other's tokens, so copy the token.key of {name} into the data folder of this one",
        if *.made { ", as this one has none yet" } else { "" }
    )]
    OtherKey { name: String, url: String, made: bool },
    #[error("other nodes cannot be reached at {0}: say with --node-url how they reach this one")]
    NoUrl(String),
    #[error("requests cannot be sent to other nodes: {0}")]
    Client(reqwest::Error),
    #[error("sockets cannot be relayed to other nodes: {0}")]
    Crossing(std::io::Error),
}

impl Cluster {
    fn new(key: TokenKey, me: Peer) -> Result<Self, ClusterError> {
        Ok(Self(Arc::new(Shared {
            key,
            me,
            others: RwLock::default(),
            linked: AtomicBool::new(true),
            load: OnceLock::new(),
            log: OnceLock::new(),
            calm_at: RwLock::new(Instant::now() + Duration::from_millis(limits::NODE_GRACE_MS)),
            changes: watch::Sender::default(),
            gone: Mutex::default(),
            leaving: AtomicBool::new(false),
            said: watch::Sender::default(),
            news: Notify::new(),
            way: Way::new().map_err(ClusterError::Client)?,
            crossing: Crossing::new().map_err(ClusterError::Crossing)?,
            departures: watch::Sender::new(()),
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

    /// The others begin to send requests here; `load` says how much this node has to do, `log` which log its fights are in, if another node
    /// can get at it.
    pub fn begin(&self, log: Option<String>, load: impl Fn() -> Load + Send + Sync + 'static) {
        if let Some(log) = log {
            let _ = self.0.log.set(log);
        }
        // Once for each start.
        let _ = self.0.load.set(Measure(Box::new(load)));
        self.0.news.notify_one();
    }

    /// Says that this node is about to stop: whoever finds nobody at its door then does not take it for dead before it has left. Waits until
    /// that has been said, and not for long.
    pub async fn leaves(&self) {
        let mut said = self.0.said.subscribe();
        self.0.leaving.store(true, Ordering::Relaxed);
        self.0.news.notify_one();
        let twice = async {
            // One may have been under way.
            for _ in 0..2 {
                self.0.news.notify_one();
                let _ = said.changed().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_millis(limits::NODE_LEAVE_MS), twice).await;
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

    /// Whether a process of this name is in the directory, be it that it does not serve yet. Otherwise its sessions may be taken over.
    pub fn is_there(&self, name: &str) -> bool {
        self.is_me(name) || self.read().contains_key(name)
    }

    /// Whether who is not in the directory can be taken for dead. Not for a while after this node or Redis has come: those who live may not
    /// have said so yet.
    pub fn is_calm(&self) -> bool {
        self.is_linked() && Instant::now() >= *self.0.calm_at.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody is taken for dead for a while.
    pub(in crate::cluster) fn alarm(&self) {
        let calm_at = Instant::now() + Duration::from_millis(limits::NODE_GRACE_MS);
        *self.0.calm_at.write().unwrap_or_else(PoisonError::into_inner) = calm_at;
    }

    /// Says when who lives has changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// The process is gone, as one who watched it has seen: the directory need not wait until its key has.
    pub(in crate::cluster) fn is_gone(&self, instance: String) {
        self.0.gone.lock().unwrap_or_else(PoisonError::into_inner).push(instance);
        self.0.news.notify_one();
    }

    /// Whether it is for this node to go on with a session whose node lives no more: of all that live, serve and can get at the same log, it
    /// comes first for that session. All who know the same nodes agree.
    pub fn is_heir(&self, session: Uuid) -> bool {
        let shared = &*self.0;
        let Some(log) = shared.log.get() else { return false };
        let mine = claim_to(session, &shared.me.name);
        let is_before =
            |peer: &Arc<Peer>| peer.ready && peer.log.as_ref() == Some(log) && claim_to(session, &peer.name) > mine;
        !self.read().values().any(is_before)
    }

    /// Whether other nodes can get at the log of this one's fights, and take them over.
    pub fn shares_log(&self) -> bool {
        self.0.log.get().is_some()
    }

    /// Whether a node of this name lives: this one does.
    pub fn lives(&self, name: &str) -> bool {
        name == self.0.me.name || self.peer(name).is_some()
    }

    /// The way to other nodes.
    pub fn way(&self) -> &Way {
        &self.0.way
    }

    /// The way of sockets to other nodes.
    pub fn crossing(&self) -> &Crossing {
        &self.0.crossing
    }

    /// Waits until the process of `peer` is among the living no more.
    pub async fn gone(&self, peer: &Peer) {
        let mut departures = self.0.departures.subscribe();
        while self.read().get(&peer.name).is_some_and(|known| known.boot == peer.boot) {
            // The sender lives as long as this.
            let _ = departures.changed().await;
        }
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

    /// Forgets it: it is not as was remembered.
    pub fn disown(&self, session: Uuid) {
        self.0.owners.invalidate(&session);
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
        let lives = |peer: &Arc<Peer>| others.get(&peer.name).is_some_and(|other| other.boot == peer.boot);
        let has_left = !self.read().values().all(lives);
        let mut known = self.0.others.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = known.len() == others.len()
            && others.values().all(|peer| known.get(&peer.name).is_some_and(|of| of.boot == peer.boot));
        *known = others;
        drop(known);
        if has_left {
            self.0.departures.send_replace(());
        }
        if !is_same {
            self.0.changes.send_modify(|changes| *changes += 1);
        }
    }
}

/// How much a node comes into question for a session: the highest goes on with it, and each node's share is about the same.
fn claim_to(session: Uuid, name: &str) -> u64 {
    // FNV-1a, and the last step of MurmurHash3 so that the last bytes count as much as the first; nobody gains anything by a collision.
    let bytes = name.bytes().chain(session.as_bytes().iter().copied());
    let sum = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let sum = (sum ^ (sum >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let sum = (sum ^ (sum >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    sum ^ (sum >> 33)
}
