//! How much of something somebody may have in a day: a budget that is whole at first, is spent at any pace, and is given back evenly
//! over a day. It is what bounds what does not live, and so is no part of [`super::holdings`]: sessions that are made and ended,
//! bytes that are kept of them.
//!
//! Remembered in memory, as far as something is spent: a restart makes every budget whole.

use crate::session::PerKind;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use uuid::Uuid;

use crate::limits;
use crate::session::{Exceeded, Kind, Quota};

const DAY_NS: u64 = 24 * 60 * 60 * 1_000_000_000;

/// Budgets of one kind, by whom they are of.
#[derive(Debug)]
pub struct Daily<K> {
    /// At once, and in a day.
    most: u64,
    /// Whose budgets are remembered.
    owners: usize,
    spent: Mutex<Spent<K>>,
}

/// Of those who have spent something: when their budget will be whole, in nanoseconds.
#[derive(Debug)]
struct Spent<K> {
    whole_at: HashMap<K, u64>,
    /// The same, the soonest first.
    order: BTreeSet<(u64, K)>,
}

/// What there is not enough left of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lacking {
    pub limit: u64,
    pub used: u64,
    /// Milliseconds until there is.
    pub retry_ms: u32,
}

/// What players have a budget of.
#[derive(Debug)]
pub struct DailyBudgets {
    started: Instant,
    /// Sessions they make, by type.
    sessions: PerKind<Daily<Uuid>>,
    /// Bytes of the tapes of their fights.
    pub tapes: Daily<Uuid>,
    /// Bytes of idempotency keys with their answers.
    pub keys: Daily<Uuid>,
    /// Seats in the arena, and the same by the address they were asked for from.
    pub seats: Daily<Uuid>,
    pub address_seats: Daily<IpAddr>,
}

impl<K: Copy + Eq + Hash + Ord> Daily<K> {
    /// So much of it in a day.
    pub fn new(most: u64) -> Self {
        Self::remembering(most, limits::DAILY_OWNERS)
    }

    fn remembering(most: u64, owners: usize) -> Self {
        let spent = Spent { whole_at: HashMap::new(), order: BTreeSet::new() };
        Self { most: most.max(1), owners, spent: Mutex::new(spent) }
    }

    /// Spends `count` of what `owner` has at `now_ms`, on a clock that does not fall; nothing where that is not there.
    pub fn take(&self, owner: K, count: u64, now_ms: u64) -> Result<(), Lacking> {
        let now = nanos(now_ms);
        let mut spent = self.lock();
        spent.forget(now);
        let before = spent.whole_at.get(&owner).map_or(now, |&at| at.max(now));
        let missing = before.saturating_add(self.cost(count)).saturating_sub(now.saturating_add(DAY_NS));
        if missing > 0 {
            let retry_ms = u32::try_from(missing.div_ceil(1_000_000)).unwrap_or(u32::MAX);
            return Err(Lacking { limit: self.most, used: self.used(before - now), retry_ms });
        }
        spent.set(owner, before + self.cost(count), self.owners);
        Ok(())
    }

    /// Spends `count` that is spent already, whether it is there or not: what is spent beyond the budget has to be waited for.
    pub fn charge(&self, owner: K, count: u64, now_ms: u64) {
        let now = nanos(now_ms);
        let mut spent = self.lock();
        spent.forget(now);
        let before = spent.whole_at.get(&owner).map_or(now, |&at| at.max(now));
        spent.set(owner, before.saturating_add(self.cost(count)), self.owners);
    }

    /// Gives back `count` that was taken for nothing.
    pub fn give_back(&self, owner: K, count: u64) {
        let mut spent = self.lock();
        if let Some(&at) = spent.whole_at.get(&owner) {
            spent.set(owner, at.saturating_sub(self.cost(count)), self.owners);
        }
    }

    fn cost(&self, count: u64) -> u64 {
        let cost = u128::from(count) * u128::from(DAY_NS) / u128::from(self.most);
        u64::try_from(cost).unwrap_or(u64::MAX)
    }

    /// What somebody has spent whose budget will be whole in `left` nanoseconds.
    fn used(&self, left: u64) -> u64 {
        let used = (u128::from(left) * u128::from(self.most)).div_ceil(u128::from(DAY_NS));
        u64::try_from(used).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, Spent<K>> {
        // Nothing panics while it is held.
        self.spent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash + Ord> Spent<K> {
    /// Forgets those whose budget is whole again.
    fn forget(&mut self, now: u64) {
        while let Some(&(at, owner)) = self.order.first().filter(|(at, _)| *at <= now) {
            self.order.remove(&(at, owner));
            self.whole_at.remove(&owner);
        }
    }

    /// Where there is no room for one more, who has spent the least is forgotten: that one gains the least by it.
    fn set(&mut self, owner: K, at: u64, most: usize) {
        if let Some(before) = self.whole_at.insert(owner, at) {
            self.order.remove(&(before, owner));
        }
        self.order.insert((at, owner));
        if self.whole_at.len() > most
            && let Some((_, least)) = self.order.pop_first()
        {
            self.whole_at.remove(&least);
        }
    }
}

impl Lacking {
    /// The refusal's details, for a quota of this name.
    pub fn of(self, quota: Quota) -> Exceeded {
        Exceeded { quota, limit: self.limit, used: self.used, retry_ms: Some(self.retry_ms) }
    }
}

impl Default for DailyBudgets {
    fn default() -> Self {
        let sessions = PerKind::from_fn(|kind| match kind {
            Kind::Combat => limits::FIGHTS_PER_PLAYER_DAY,
            _ => limits::RECORDS_PER_PLAYER_DAY,
        });
        Self {
            started: Instant::now(),
            sessions: sessions.map(Daily::new),
            tapes: Daily::new(limits::REPLAY_BYTES_PER_PLAYER_DAY),
            keys: Daily::new(limits::KEY_BYTES_PER_PLAYER_DAY),
            seats: Daily::new(limits::ARENA_SEATS_PER_PLAYER_DAY),
            address_seats: Daily::new(limits::ARENA_SEATS_PER_ADDRESS_DAY),
        }
    }
}

impl DailyBudgets {
    /// Sessions of a type that players make.
    pub fn sessions(&self, kind: Kind) -> &Daily<Uuid> {
        &self.sessions[kind]
    }

    /// The time that budgets are asked at, in milliseconds.
    pub fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

const fn nanos(ms: u64) -> u64 {
    ms.saturating_mul(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::{DAY_NS, Daily, Lacking};

    const DAY_MS: u64 = DAY_NS / 1_000_000;

    #[test]
    fn a_day_has_its_budget_at_any_pace_and_the_first_one_twice() {
        for most in [1, 3, 7, 1_000, 86_399] {
            let daily = Daily::new(most);
            let had = (0..=most).take_while(|_| daily.take('a', 1, 5).is_ok()).count() as u64;
            assert_eq!(had, most, "at once");
            let lacking = daily.take('a', 1, 5).unwrap_err();
            assert_eq!((lacking.limit, lacking.used), (most, most));
            assert!(u64::from(lacking.retry_ms).abs_diff(DAY_MS / most) <= 1, "{lacking:?}");
            assert_eq!(daily.take('b', 1, 5), Ok(()), "another one's");
            let later = 5 + u64::from(lacking.retry_ms);
            assert!(daily.take('a', 1, later - 1).is_err());
            assert_eq!(daily.take('a', 1, later), Ok(()), "after as long as was told");
        }
        let daily = Daily::new(100);
        let had = (0..10 * DAY_MS).step_by(60_000).filter(|&now| daily.take('a', 1, now).is_ok()).count();
        assert_eq!(had, 1_099, "ten days, and the budget of the beginning");
    }

    #[test]
    fn a_large_one_costs_as_much_as_as_many_small_ones() {
        let daily = Daily::new(64 * 1024 * 1024);
        let lacking = daily.take('a', 100 * 1024 * 1024, 0).unwrap_err();
        assert_eq!(lacking.used, 0);
        assert_eq!(daily.take('a', 32 * 1024 * 1024, 0), Ok(()));
        daily.charge('a', 48 * 1024 * 1024, 0);
        let Lacking { used, retry_ms, .. } = daily.take('a', 1, 0).unwrap_err();
        assert_eq!(used, 80 * 1024 * 1024, "more than there was");
        assert!(u64::from(retry_ms) > DAY_MS / 4, "and it has to be waited for");
        assert_eq!(daily.take('a', 32 * 1024 * 1024, DAY_MS), Ok(()));
    }

    #[test]
    fn what_was_taken_for_nothing_is_given_back() {
        let daily = Daily::new(2);
        for _ in 0..5 {
            assert_eq!(daily.take('a', 1, 7), Ok(()));
            daily.give_back('a', 1);
        }
        assert_eq!((daily.take('a', 1, 7), daily.take('a', 1, 7)), (Ok(()), Ok(())));
        assert!(daily.take('a', 1, 7).is_err());
    }

    #[test]
    fn whoever_has_spent_nothing_for_a_while_is_forgotten_and_the_most_spent_is_not() {
        let daily = Daily::remembering(10, 3);
        for _ in 0..10 {
            daily.take(0, 1, 0).unwrap();
        }
        for owner in 1..100 {
            assert_eq!(daily.take(owner, 1, 1), Ok(()), "no stranger is refused for another");
        }
        assert_eq!(daily.lock().whole_at.len(), 3);
        assert_eq!(daily.lock().order.len(), 3);
        assert!(daily.take(0, 1, 1).is_err());
        assert_eq!(daily.take(0, 1, DAY_MS), Ok(()));
        assert_eq!(daily.lock().whole_at.len(), 1, "the others' are whole");
    }
}
