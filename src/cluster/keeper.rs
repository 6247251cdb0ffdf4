//! Who keeps a node among the living, and knows the others.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use redis::RedisError;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::directory::{Address, Directory};
use super::peer::{Load, Peer};
use super::{Cluster, ClusterError};
use crate::auth::TokenKey;
use crate::config::Config;
use crate::limits;
use crate::ops::beat::Beat;

/// Announces a node again and again, and reads who else lives, until it is told to stop.
#[derive(Debug)]
pub struct Keeper {
    cluster: Cluster,
    address: Address,
    /// `None` while Redis is away.
    directory: Option<Directory>,
    /// When Redis came back last.
    back_at: Option<Instant>,
    /// Until it is tried again.
    retry: Duration,
}

impl Keeper {
    /// Joins the cluster that the configuration names, as a node that is reached at `own_url` unless that is said otherwise. `None` where
    /// there is none. Refused by name where Redis does not answer, where a node of this name lives, and where another has another token key.
    pub async fn join(config: &Config, key: &TokenKey, own_url: &str) -> Result<Option<Self>, ClusterError> {
        let Some(url) = &config.redis else { return Ok(None) };
        let shown = without_password(url);
        let address = Address::parse(url).map_err(|error| ClusterError::Url { url: shown.clone(), error })?;
        let own_url = match &config.node_url {
            Some(url) => url.clone(),
            None if config.listen.ip().is_unspecified() => return Err(ClusterError::NoUrl(own_url.to_owned())),
            None => own_url.to_owned(),
        };
        let me = Peer {
            name: config.node.clone(),
            boot: Uuid::new_v4().simple().to_string(),
            public_url: config.advertise.clone().unwrap_or_else(|| own_url.clone()),
            url: own_url,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            key: key.fingerprint(),
            log: None,
            ready: false,
            load: Load::default(),
        };
        let away = |error| ClusterError::Unreachable { url: shown.clone(), error };
        let mut directory = address.connect().await.map_err(away)?;
        let since = Instant::now();
        let patience = Duration::from_millis(limits::NODE_NAME_MS);
        loop {
            let others = directory.living().await.map_err(away)?;
            match others.iter().find(|other| other.name == me.name) {
                None => break,
                // The process before this one, killed a moment ago, is still told of.
                Some(_) if since.elapsed() < patience => {
                    tokio::time::sleep(Duration::from_millis(limits::NODE_RENEW_MS)).await;
                }
                Some(other) => return Err(taken(other)),
            }
        }
        directory.announce(&me).await.map_err(away)?;
        let others = directory.living().await.map_err(away)?;
        let others: Vec<&Peer> = others.iter().filter(|other| other.boot != me.boot).collect();
        // Of two that start at the same time one is the later, for both of them.
        let rival = others.iter().find(|other| other.name == me.name && (other.ready || other.boot < me.boot));
        let stranger = others.iter().find(|other| other.key != me.key);
        let refused = match (rival, stranger) {
            (Some(rival), _) => Some(taken(rival)),
            (None, Some(other)) => {
                let (name, url) = (other.name.clone(), other.url.clone());
                Some(ClusterError::OtherKey { name, url, made: key.made })
            }
            (None, None) => None,
        };
        if let Some(refused) = refused {
            directory.leave(&me).await.map_err(away)?;
            return Err(refused);
        }
        let cluster = Cluster::new(key.clone(), me)?;
        Ok(Some(Self {
            cluster,
            address,
            directory: Some(directory),
            back_at: None,
            retry: Duration::from_millis(limits::REDIS_RETRY_MS),
        }))
    }

    /// What it keeps.
    pub fn cluster(&self) -> Cluster {
        self.cluster.clone()
    }

    /// Keeps the node among the living until `stop`, then takes it out.
    pub async fn run(mut self, stop: CancellationToken, beat: Arc<Beat>) {
        // Only pauses are cut short: what was sent to Redis is waited for, as whether it was done would not be known.
        loop {
            beat.beat();
            let pause = match self.turn().await {
                Ok(()) => Duration::from_millis(limits::NODE_RENEW_MS),
                Err(error) => self.away(&error),
            };
            let news = tokio::time::timeout(pause, self.cluster.0.news.notified());
            if stop.run_until_cancelled(news).await.is_none() {
                break;
            }
        }
        beat.done();
        if let Some(directory) = &mut self.directory
            && let Err(error) = directory.leave(&self.cluster.0.me).await
        {
            tracing::warn!(%error, "redis was not told that this node stops; it forgets it by itself");
        }
    }

    async fn turn(&mut self) -> Result<(), RedisError> {
        let directory = match &mut self.directory {
            Some(directory) => directory,
            None => self.directory.insert(self.address.connect().await?),
        };
        let shared = &self.cluster.0;
        let load = shared.load.get().map(|measure| (measure.0)());
        let log = shared.log.get().cloned();
        let ready = load.is_some() && !shared.leaving.load(Ordering::Relaxed);
        let me = Peer { ready, load: load.unwrap_or_default(), log, ..shared.me.clone() };
        let gone = std::mem::take(&mut *shared.gone.lock().unwrap_or_else(PoisonError::into_inner));
        directory.remove(&gone).await?;
        let was_there = directory.announce(&me).await?;
        shared.said.send_modify(|said| *said += 1);
        let living = directory.living().await?;
        let is_back = !shared.linked.swap(true, Ordering::Relaxed);
        if is_back {
            tracing::info!("redis is back");
        } else if !was_there {
            tracing::warn!(
                "redis had forgotten this node, or it was late to say that it lives: who is not found there is not taken for dead for a while"
            );
        }
        if is_back || !was_there {
            self.back_at = Some(Instant::now());
            self.cluster.alarm();
        }
        self.retry = Duration::from_millis(limits::REDIS_RETRY_MS);
        let found = living.into_iter().filter(|peer| peer.name != me.name);
        let mut others: HashMap<String, Arc<Peer>> = HashMap::new();
        for peer in found {
            // Of one that was started again a moment ago there may be two: the one that serves.
            match others.get(&peer.name) {
                Some(other) if other.ready && !peer.ready => {}
                _ => drop(others.insert(peer.name.clone(), Arc::new(peer))),
            }
        }
        let grace = Duration::from_millis(limits::NODE_GRACE_MS);
        if self.back_at.is_some_and(|back_at| back_at.elapsed() < grace) {
            for (name, peer) in &*self.cluster.read() {
                others.entry(name.clone()).or_insert_with(|| Arc::clone(peer));
            }
        }
        self.tell(&others);
        self.cluster.replace(others);
        Ok(())
    }

    /// Notes that Redis does not answer, and says how long to wait.
    fn away(&mut self, error: &RedisError) -> Duration {
        self.directory = None;
        let shared = &self.cluster.0;
        if shared.linked.swap(false, Ordering::Relaxed) {
            shared.figures.lost.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%error, "redis does not answer: this node goes on alone, and with the nodes that it knew last");
        }
        let pause = self.retry;
        self.retry = (pause * 2).min(Duration::from_millis(limits::REDIS_RETRY_MOST_MS));
        pause
    }

    fn tell(&self, others: &HashMap<String, Arc<Peer>>) {
        let known = self.cluster.read();
        for (name, peer) in others {
            if known.get(name).is_none_or(|known| known.boot != peer.boot) {
                tracing::info!(node = name, url = peer.url, version = peer.version, "a node has come");
            }
        }
        for (name, peer) in &*known {
            if !others.contains_key(name) {
                tracing::warn!(node = name, url = peer.url, "a node is gone: its sessions cannot be reached there");
            }
        }
    }
}

fn taken(other: &Peer) -> ClusterError {
    ClusterError::NameTaken { name: other.name.clone(), url: other.url.clone() }
}

/// A URL for messages.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((_credentials, host)) => format!("{scheme}://…@{host}"),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn passwords_are_not_told() {
        assert_eq!(without_password("redis://user:p@ss@host:6379/1"), "redis://…@host:6379/1");
        assert_eq!(without_password("rediss://host"), "rediss://host");
        assert_eq!(without_password("host"), "host");
    }
}
