//! Where sessions live that are not at home: the few that were handed over to another shard than the one their ids lead to.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use uuid::Uuid;

use super::{TailHasher, shard_of};
use crate::limits;

/// The sessions of a node that are not on their own shards. As long as there are none, nobody looks or waits.
#[derive(Debug, Default)]
pub struct Moved {
    count: AtomicUsize,
    /// Raised with every change.
    version: AtomicUsize,
    places: RwLock<HashMap<Uuid, usize, BuildHasherDefault<TailHasher>>>,
}

impl Moved {
    /// Whether every session is at home.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Whether another may live elsewhere.
    pub fn has_room(&self) -> bool {
        self.count.load(Ordering::Acquire) < limits::SESSIONS_MOVED
    }

    /// How often something has changed. Two who see the same in between saw sessions in the same places.
    pub fn version(&self) -> usize {
        self.version.load(Ordering::Acquire)
    }

    /// The shard, of `shards`, that has `session`.
    pub fn place_of(&self, session: Uuid, shards: usize) -> usize {
        let home = shard_of(session, shards);
        if self.is_empty() {
            return home;
        }
        self.places.read().unwrap_or_else(PoisonError::into_inner).get(&session).copied().unwrap_or(home)
    }

    /// From now on `shard`, of `shards`, has `session`.
    pub fn put(&self, session: Uuid, shard: usize, shards: usize) {
        let place = (shard != shard_of(session, shards)).then_some(shard);
        self.change(session, place);
    }

    /// The session is nowhere any more.
    pub fn remove(&self, session: Uuid) {
        if !self.is_empty() {
            self.change(session, None);
        }
    }

    fn change(&self, session: Uuid, place: Option<usize>) {
        // Nothing panics while it is held.
        let mut places = self.places.write().unwrap_or_else(PoisonError::into_inner);
        match place {
            Some(place) => places.insert(session, place),
            None => places.remove(&session),
        };
        self.count.store(places.len(), Ordering::Release);
        self.version.fetch_add(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Moved;

    #[test]
    fn only_what_is_not_at_home_is_remembered() {
        let (moved, session, other) = (Moved::default(), Uuid::from_u128(7), Uuid::from_u128(8));
        assert_eq!((moved.is_empty(), moved.place_of(session, 4)), (true, 3));
        moved.put(session, 1, 4);
        assert_eq!((moved.place_of(session, 4), moved.place_of(other, 4)), (1, 0));
        let version = moved.version();
        moved.put(session, 3, 4);
        assert!(moved.is_empty() && moved.version() != version);
        assert_eq!(moved.place_of(session, 4), 3, "back at home");
        moved.put(session, 0, 4);
        moved.remove(session);
        assert_eq!((moved.is_empty(), moved.place_of(session, 4)), (true, 3));
    }
}
