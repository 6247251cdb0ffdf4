//! A shard's way to the others of its node.

use std::sync::Arc;

use uuid::Uuid;

use super::inbox::ShardHandle;
use crate::session::shard_of;

/// Every shard of a node. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Peers {
    shards: Arc<[ShardHandle]>,
}

impl Peers {
    /// These shards, by their numbers.
    pub fn new(shards: Vec<ShardHandle>) -> Self {
        Self { shards: shards.into() }
    }

    /// The shard that has `session`.
    pub fn place_of(&self, session: Uuid) -> usize {
        shard_of(session, self.shards.len().max(1))
    }

    /// A shard, if there is one of that number.
    pub fn shard(&self, number: usize) -> Option<&ShardHandle> {
        self.shards.get(number)
    }
}
