//! The live sessions of one type: where each is, and whose.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use slotmap::{SlotMap, new_key_type};
use smallvec::SmallVec;
use uuid::Uuid;

use super::record::Record;
use crate::session::TailHasher;

new_key_type! {
    struct RecordKey;
}

/// The live sessions of one type.
#[derive(Debug, Default)]
pub struct Residents {
    records: SlotMap<RecordKey, Arc<Record>>,
    by_id: HashMap<Uuid, RecordKey, BuildHasherDefault<TailHasher>>,
    /// Callers choose the players' ids: hashed so that nobody can make them collide.
    by_owner: HashMap<Uuid, SmallVec<[RecordKey; 2]>>,
    /// Of all records, about.
    bytes: usize,
}

impl Residents {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// Bytes its sessions take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn get(&self, id: Uuid) -> Option<&Arc<Record>> {
        self.by_id.get(&id).and_then(|&key| self.records.get(key))
    }

    /// Every session, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Record>> {
        self.records.values()
    }

    /// The sessions that `player` owns, in no order.
    pub fn owned(&self, player: Uuid) -> impl Iterator<Item = &Arc<Record>> {
        self.by_owner.get(&player).into_iter().flatten().filter_map(|&key| self.records.get(key))
    }

    /// Puts a session in, in place of an older state of it.
    pub fn put(&mut self, record: Arc<Record>) {
        self.bytes += record.bytes();
        if let Some(&key) = self.by_id.get(&record.id) {
            let older = std::mem::replace(&mut self.records[key], record);
            // A sign of life that came while the newer one was being committed.
            self.records[key].goes_on_from(&older);
            self.bytes -= older.bytes();
            return;
        }
        let (id, player) = (record.id, record.player);
        let key = self.records.insert(record);
        self.by_id.insert(id, key);
        self.by_owner.entry(player).or_default().push(key);
    }

    /// Takes a session out.
    pub fn remove(&mut self, id: Uuid) -> Option<Arc<Record>> {
        let key = self.by_id.remove(&id)?;
        let record = self.records.remove(key)?;
        self.bytes -= record.bytes();
        if let Some(keys) = self.by_owner.get_mut(&record.player) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.by_owner.remove(&record.player);
            }
        }
        Some(record)
    }
}

#[cfg(test)]
mod tests {
    use super::Residents;
    use crate::records::{Body, Presence, Record};
    use std::sync::Arc;
    use uuid::Uuid;

    #[test]
    fn finds_by_id_and_by_owner() {
        let record = |owner: u128| {
            let body = Body::Player(Presence { heartbeat_ms: 1, reconnect_ms: 1 });
            Arc::new(Record::new(Uuid::now_v7(), Uuid::from_u128(owner), body, 0))
        };
        let mut residents = Residents::default();
        let (a, b, c) = (record(1), record(1), record(2));
        for record in [&a, &b, &c] {
            residents.put(Arc::clone(record));
        }
        let owned =
            |residents: &Residents, owner| residents.owned(Uuid::from_u128(owner)).map(|r| r.id).collect::<Vec<_>>();
        assert_eq!((residents.count(), owned(&residents, 1), owned(&residents, 2)), (3, vec![a.id, b.id], vec![c.id]));
        let mut newer = a.copy();
        newer.version = 2;
        residents.put(Arc::new(newer));
        assert_eq!((residents.count(), residents.get(a.id).unwrap().version), (3, 2));
        assert_eq!(residents.remove(a.id).unwrap().version, 2);
        assert!(residents.remove(a.id).is_none() && residents.get(a.id).is_none());
        assert_eq!(owned(&residents, 1), [b.id]);
        residents.remove(b.id);
        assert!(owned(&residents, 1).is_empty() && residents.by_owner.len() == 1);
        assert_eq!(residents.bytes(), c.bytes());
    }
}
