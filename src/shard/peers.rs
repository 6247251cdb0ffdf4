//! A shard's way to the others of its node.

use std::sync::Arc;

use uuid::Uuid;

use super::inbox::ShardHandle;
use crate::session::Moved;

/// Every shard of a node, and which sessions are not at home. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    shards: Arc<[ShardHandle]>,
    moved: Arc<Moved>,
}

impl Peers {
    /// These shards, by their numbers; all their sessions are at home.
    pub fn new(shards: Vec<ShardHandle>) -> Self {
        Self { shards: shards.into(), moved: Arc::default() }
    }

    /// The shard that has `session`.
    pub fn place_of(&self, session: Uuid) -> usize {
        self.moved.place_of(session, self.shards.len().max(1))
    }

    /// From now on `shard` has `session`.
    pub fn put(&self, session: Uuid, shard: usize) {
        self.moved.put(session, shard, self.shards.len().max(1));
    }

    /// The sessions that are not at home.
    pub fn moved(&self) -> &Moved {
        &self.moved
    }

    /// All shards, by their numbers.
    pub fn all(&self) -> &[ShardHandle] {
        &self.shards
    }

    /// A shard, if there is one of that number.
    pub fn shard(&self, number: usize) -> Option<&ShardHandle> {
        self.shards.get(number)
    }
}

impl From<Vec<ShardHandle>> for Peers {
    fn from(shards: Vec<ShardHandle>) -> Self {
        Self::new(shards)
    }
}
