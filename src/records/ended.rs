//! Sessions that are not resident: read from the store, the ended ones kept in a bounded cache, for nothing changes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::sync::Cache;
use uuid::Uuid;

use super::fights;
use super::record::Record;
use crate::limits;
use crate::session::{FightInfo, Kind};
use crate::store::{SessionRow, StoreError};

/// A session as it is kept.
#[derive(Debug, Clone)]
pub enum Kept {
    Record(Arc<Record>),
    Fight(Arc<FightInfo>),
}

/// A session that is not resident, and the node it belongs to.
#[derive(Debug, Clone)]
pub struct Owned {
    pub kept: Kept,
    pub node: Arc<str>,
}

/// The cache, with how often it helped.
#[derive(Debug)]
pub struct EndedCache {
    cache: Cache<Uuid, Owned>,
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Kept {
    /// What a row of the store says.
    pub fn of(row: SessionRow, now: u64) -> Result<Self, StoreError> {
        Ok(match row.kind {
            Kind::Combat => Self::Fight(Arc::new(fights::of(&row)?)),
            _ => Self::Record(Arc::new(Record::of(row, now)?)),
        })
    }

    /// Whether nothing changes any more: a fight that shows the result of having been ended by hand still goes on.
    pub fn has_ended(&self) -> bool {
        match self {
            Self::Record(record) => record.status.is_end(),
            Self::Fight(fight) => fight.has_ended(),
        }
    }

    /// Bytes, about.
    fn weight(&self) -> u32 {
        let texts = match self {
            Self::Record(record) => record.bytes(),
            Self::Fight(fight) => fight.bytes(),
        };
        u32::try_from(texts + ENTRY_BYTES).unwrap_or(u32::MAX)
    }
}

/// What the cache itself needs for an entry, about.
const ENTRY_BYTES: usize = 200;

impl Default for EndedCache {
    fn default() -> Self {
        let weigher = |_id: &Uuid, owned: &Owned| owned.kept.weight();
        Self {
            cache: Cache::builder().max_capacity(limits::ENDED_CACHE_BYTES).weigher(weigher).build(),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        }
    }
}

impl EndedCache {
    /// Keeps a session if it has ended.
    pub fn keep(&self, id: Uuid, owned: &Owned) {
        if owned.kept.has_ended() {
            self.cache.insert(id, owned.clone());
        }
    }

    pub fn get(&self, id: Uuid) -> Option<Owned> {
        let kept = self.cache.get(&id);
        (if kept.is_some() { &self.hits } else { &self.misses }).fetch_add(1, Ordering::Relaxed);
        kept
    }

    /// Reads that it could answer, and those that it could not.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}
