//! Where nodes say in Redis that they live: one key for each process, which lasts only as long as it is renewed, and a set of their names,
//! so that nobody has to search for them. Nothing of it outlives the nodes, and nothing in it is a time.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, IntoConnectionInfo, RedisError};

use super::peer::Peer;
use crate::limits;

/// All processes that may live. The braces keep it and their keys in one slot of a Redis Cluster.
const ALL: &str = "{tiltyard}:nodes";

/// Where to connect to.
#[derive(Debug, Clone)]
pub struct Address(Client);

/// A connection to Redis. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Directory(MultiplexedConnection);

impl Address {
    pub fn parse(url: &str) -> Result<Self, RedisError> {
        let info = url.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Ok(Self(Client::open(info)?))
    }

    pub async fn connect(&self) -> Result<Directory, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(limits::REDIS_CONNECT_MS)))
            .set_response_timeout(Some(Duration::from_millis(limits::REDIS_ANSWER_MS)));
        Ok(Directory(self.0.get_multiplexed_async_connection_with_config(&config).await?))
    }
}

impl Directory {
    /// Says that a node lives, for as long as that lasts, and whether it was known to until now. May be done twice.
    pub async fn announce(&mut self, me: &Peer) -> Result<bool, RedisError> {
        let instance = me.instance();
        let mut all = redis::pipe();
        all.cmd("EXISTS").arg(key_of(&instance));
        all.cmd("SET").arg(key_of(&instance)).arg(me.text()).arg("PX").arg(limits::NODE_TTL_MS).ignore();
        all.cmd("SADD").arg(ALL).arg(instance).ignore();
        let (was_there,): (bool,) = all.query_async(&mut self.0).await?;
        Ok(was_there)
    }

    /// Takes processes out that are gone, and had not said that they stop.
    pub async fn remove(&mut self, instances: &[String]) -> Result<(), RedisError> {
        if instances.is_empty() {
            return Ok(());
        }
        let keys: Vec<String> = instances.iter().map(|instance| key_of(instance)).collect();
        let texts: Vec<Option<String>> = redis::cmd("MGET").arg(&keys).query_async(&mut self.0).await?;
        // One that is not ready any more is stopping, and takes itself out when it is done.
        let serves = |(instance, text): (&String, &Option<String>)| {
            text.as_ref().and_then(|text| Peer::read(instance, text)).is_some_and(|peer| peer.ready)
        };
        let serving = instances.iter().zip(&texts).map(serves);
        let gone: Vec<&String> = keys.iter().zip(serving).filter(|(_, serves)| *serves).map(|(key, _)| key).collect();
        if gone.is_empty() {
            return Ok(());
        }
        redis::cmd("DEL").arg(gone).query_async(&mut self.0).await
    }

    /// All nodes that live. Those that do no more are taken out of the set.
    pub async fn living(&mut self) -> Result<Vec<Peer>, RedisError> {
        let mut instances: Vec<String> = redis::cmd("SMEMBERS").arg(ALL).query_async(&mut self.0).await?;
        if instances.is_empty() {
            return Ok(Vec::new());
        }
        if instances.len() > limits::NODES {
            tracing::warn!(nodes = instances.len(), most = limits::NODES, "there are more nodes in redis than can be");
            instances.truncate(limits::NODES);
        }
        let keys: Vec<String> = instances.iter().map(|instance| key_of(instance)).collect();
        let texts: Vec<Option<String>> = redis::cmd("MGET").arg(keys).query_async(&mut self.0).await?;
        let (mut living, mut gone) = (Vec::new(), Vec::new());
        for (instance, text) in instances.into_iter().zip(texts) {
            match text.map(|text| Peer::read(&instance, &text)) {
                Some(Some(peer)) => living.push(peer),
                Some(None) => tracing::warn!(instance, "what this node says of itself in redis cannot be read"),
                None => gone.push(instance),
            }
        }
        if !gone.is_empty() {
            // One that was only late puts itself back with its next renewal.
            let _: u64 = redis::cmd("SREM").arg(ALL).arg(gone).query_async(&mut self.0).await?;
        }
        Ok(living)
    }

    /// Says that a node lives no more.
    pub async fn leave(&mut self, me: &Peer) -> Result<(), RedisError> {
        let instance = me.instance();
        let mut both = redis::pipe();
        both.cmd("DEL").arg(key_of(&instance)).ignore();
        both.cmd("SREM").arg(ALL).arg(instance).ignore();
        both.query_async(&mut self.0).await
    }
}

fn key_of(instance: &str) -> String {
    format!("{{tiltyard}}:i:{instance}")
}
