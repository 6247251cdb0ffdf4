//! A session between two shards. Who of them has it is decided once, by whoever asks first; between nodes the log's claim decides it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tiltyard_combat::Slot;
use tiltyard_protocol::Reason;

use super::connection::Connection;
use super::inbox::ShardHandle;
use crate::book::Share;
use crate::shard::SessionRecord;

/// A session on its way to another shard.
#[derive(Debug)]
pub struct Adoption {
    /// As it is since all that was done to it is kept.
    pub record: SessionRecord,
    /// Its fight's host time at that moment; it goes on.
    pub host: u64,
    pub at: Instant,
    /// Where it comes from: woken when it is decided who has it.
    pub from: ShardHandle,
    pub transfer: Arc<Transfer>,
}

/// What of a session there is only once, and is in no record.
#[derive(Debug, Default)]
pub struct Parcel {
    pub shares: Vec<Share>,
    /// Those that are in no other session.
    pub connections: Vec<(Slot, Connection)>,
    /// What the clock says that their times are by.
    pub clock: u64,
}

/// Who has the session.
#[derive(Debug)]
pub struct Transfer {
    is_settled: AtomicBool,
    stage: Mutex<Stage>,
}

#[derive(Debug)]
enum Stage {
    /// Nobody has asked yet.
    Open(Parcel),
    /// The new owner.
    Taken,
    /// The old one, as the other does not take it.
    Refused(Reason, Parcel),
    /// The old one knows.
    Over,
}

/// What has become of a session that was offered.
#[derive(Debug)]
pub enum Outcome {
    Taken,
    /// The log of whoever refuses has nothing of it.
    Refused(Reason, Parcel),
}

impl Transfer {
    pub const fn new(parcel: Parcel) -> Self {
        Self { is_settled: AtomicBool::new(false), stage: Mutex::new(Stage::Open(parcel)) }
    }

    /// The new owner, whose log has kept it, has it from now on; unless the old one has withdrawn it.
    pub fn take(&self) -> Option<Parcel> {
        self.settle(Stage::Taken)
    }

    /// The old owner keeps it, unless the new one has taken it. The log of that one may have it all the same.
    pub fn withdraw(&self) -> Option<Parcel> {
        self.settle(Stage::Over)
    }

    /// The new owner does not take it, and its log has nothing of it.
    pub fn refuse(&self, reason: Reason) {
        let mut stage = self.lock();
        if let Stage::Open(parcel) = &mut *stage {
            *stage = Stage::Refused(reason, std::mem::take(parcel));
            self.is_settled.store(true, Ordering::Release);
        }
    }

    /// What has become of it, said once.
    pub fn outcome(&self) -> Option<Outcome> {
        if !self.is_settled.load(Ordering::Acquire) {
            return None;
        }
        match std::mem::replace(&mut *self.lock(), Stage::Over) {
            Stage::Taken => Some(Outcome::Taken),
            Stage::Refused(reason, parcel) => Some(Outcome::Refused(reason, parcel)),
            Stage::Open(_) | Stage::Over => None,
        }
    }

    fn settle(&self, then: Stage) -> Option<Parcel> {
        let mut stage = self.lock();
        let Stage::Open(parcel) = &mut *stage else { return None };
        let parcel = std::mem::take(parcel);
        *stage = then;
        self.is_settled.store(true, Ordering::Release);
        Some(parcel)
    }

    fn lock(&self) -> MutexGuard<'_, Stage> {
        // Nothing panics while it is held.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::Reason;

    use super::{Outcome, Parcel, Transfer};

    #[test]
    fn one_of_them_has_it_and_no_more_than_one() {
        let offered = || Transfer::new(Parcel { clock: 7, ..Parcel::default() });
        let taken = offered();
        assert!(taken.outcome().is_none());
        assert_eq!(taken.take().map(|parcel| parcel.clock), Some(7));
        assert!(taken.withdraw().is_none() && taken.take().is_none());
        assert!(matches!(taken.outcome(), Some(Outcome::Taken)) && taken.outcome().is_none());
        let withdrawn = offered();
        assert_eq!(withdrawn.withdraw().map(|parcel| parcel.clock), Some(7));
        withdrawn.refuse(Reason::Draining);
        assert!(withdrawn.take().is_none() && withdrawn.outcome().is_none());
        let refused = offered();
        refused.refuse(Reason::Draining);
        assert!(refused.take().is_none() && refused.withdraw().is_none());
        assert!(matches!(refused.outcome(), Some(Outcome::Refused(Reason::Draining, Parcel { clock: 7, .. }))));
    }
}
