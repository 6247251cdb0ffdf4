//! Who holds how many live fights, and how much memory they may take. Every fight in a shard has a share of its owner's
//! and gives it back by itself, so the counts are those of what there is: they need no repair after a crash or a
//! request that went wrong half-way, and are the same whichever shard a fight lives on.
//!
//! Locked when a fight is asked for, begins, ends or is forgotten; never for what happens in it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tiltyard_protocol::Reason;
use uuid::Uuid;

use crate::auth::named;
use crate::limits;
use crate::session::{Exceeded, Quota, Refusal};

/// What everybody holds. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Holdings(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Has an entry for whoever holds something: bounded by what the shards hold.
    accounts: Mutex<HashMap<Uuid, Entry>>,
    /// By [`Quota`].
    refused: [AtomicU64; Quota::ALL.len()],
}

#[derive(Debug, Default)]
struct Entry {
    /// Of fights that have not ended.
    live: u32,
    live_bytes: u64,
    /// Of all that are in memory: a fight that has ended is there for a while.
    bytes: u64,
}

/// What an owner may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Fights that have not ended, and the quota's name.
    live: (u64, Quota),
    live_bytes: u64,
    bytes: u64,
}

impl Bounds {
    /// Of a player's own fights.
    pub const PLAYER: Self = Self {
        live: (limits::FIGHTS_PER_PLAYER as u64, Quota::LiveSessions),
        live_bytes: limits::FIGHT_BYTES_PER_PLAYER as u64,
        bytes: limits::RECENT_FIGHT_BYTES_PER_PLAYER as u64,
    };

    /// Of the fights of a service or an administrator, who run the games.
    pub const SERVICE: Self = Self::of_count(limits::FIGHTS_PER_SERVICE, Quota::LiveSessions);

    /// Of one player's seats in the arena.
    const SEATS: Self = Self::of_count(limits::ARENA_SEATS_PER_PLAYER, Quota::ArenaSeats);

    /// Of the seats in the arena that were asked for from one address.
    const ADDRESS_SEATS: Self = Self::of_count(limits::ARENA_SEATS_PER_ADDRESS, Quota::AddressSeats);

    const fn of_count(most: usize, quota: Quota) -> Self {
        Self { live: (most as u64, quota), live_bytes: u64::MAX, bytes: u64::MAX }
    }

    fn check(&self, entry: &Entry, weight: u64) -> Result<(), Exceeded> {
        let exceeded = |quota, limit, used, retry_ms| Err(Exceeded { quota, limit, used, retry_ms });
        let (most, quota) = self.live;
        if u64::from(entry.live) >= most {
            return exceeded(quota, most, u64::from(entry.live), None);
        }
        if entry.live_bytes + weight > self.live_bytes {
            return exceeded(Quota::SessionBytes, self.live_bytes, entry.live_bytes, None);
        }
        if entry.bytes + weight > self.bytes {
            let wait = u32::try_from(limits::ENDED_LINGER_MS).unwrap_or(u32::MAX);
            return exceeded(Quota::RecentBytes, self.bytes, entry.bytes, Some(wait));
        }
        Ok(())
    }
}

/// Bytes that a fight of so many seats may come to take, with documents as large as they may be: what it was made with can be
/// changed later.
pub const fn weight(seats: u8) -> u64 {
    (limits::FIGHT_BYTES + limits::SEAT_BYTES * seats as usize) as u64
}

/// Whose the fights of the arena are: nobody's who plays in them, so that nobody can end one before losing it.
pub fn arena() -> Uuid {
    named("arena")
}

/// What one fight has of its owner's, or of somebody's with a seat in it; given back when it is dropped.
#[derive(Debug)]
pub struct Share {
    of: Holdings,
    owner: Uuid,
    weight: u64,
    live: bool,
    seat: Option<Uuid>,
}

impl Share {
    /// The player for whose seat it is, if it is for a seat.
    pub const fn seat(&self) -> Option<Uuid> {
        self.seat
    }

    /// The fight has ended: it only takes memory any more.
    pub fn end(&mut self) {
        if std::mem::take(&mut self.live) {
            let mut accounts = self.of.lock();
            if let Some(entry) = accounts.get_mut(&self.owner) {
                entry.end(self.weight);
            }
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut accounts = self.of.lock();
        let Some(entry) = accounts.get_mut(&self.owner) else { return };
        if self.live {
            entry.end(self.weight);
        }
        entry.bytes = entry.bytes.saturating_sub(self.weight);
        if entry.bytes == 0 && entry.live == 0 {
            accounts.remove(&self.owner);
        }
    }
}

impl Entry {
    fn end(&mut self, weight: u64) {
        self.live = self.live.saturating_sub(1);
        self.live_bytes = self.live_bytes.saturating_sub(weight);
    }
}

impl Holdings {
    /// A share for a new fight, where its owner has room for it.
    pub fn take(&self, owner: Uuid, weight: u64, bounds: &Bounds) -> Result<Share, Refusal> {
        let mut accounts = self.lock();
        if let Err(exceeded) = accounts.get(&owner).map_or(Ok(()), |entry| bounds.check(entry, weight)) {
            drop(accounts);
            return Err(self.refuse(exceeded));
        }
        Ok(self.add(&mut accounts, owner, weight))
    }

    /// A share for a fight that there is.
    pub fn hold(&self, owner: Uuid, weight: u64) -> Share {
        self.add(&mut self.lock(), owner, weight)
    }

    /// Shares for a seat in the arena, where the player and the address it asks from have room for it.
    pub fn take_seat(&self, player: Uuid, address: IpAddr) -> Result<Vec<Share>, Refusal> {
        let own = self.take(seats_of(player), 0, &Bounds::SEATS)?;
        let of_address = self.take(named(&format!("seats of the address {address}")), 0, &Bounds::ADDRESS_SEATS)?;
        let mut shares = vec![own, of_address];
        for share in &mut shares {
            share.seat = Some(player);
        }
        Ok(shares)
    }

    /// A share for a seat in the arena that there is.
    pub fn hold_seat(&self, player: Uuid) -> Share {
        let mut share = self.hold(seats_of(player), 0);
        share.seat = Some(player);
        share
    }

    /// Counts a refusal, and says it.
    pub fn refuse(&self, exceeded: Exceeded) -> Refusal {
        self.count(exceeded.quota);
        exceeded.into()
    }

    /// Counts a refusal.
    pub fn count(&self, quota: Quota) {
        self.0.refused[quota as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often something was refused for that.
    pub fn refused(&self, quota: Quota) -> u64 {
        self.0.refused[quota as usize].load(Ordering::Relaxed)
    }

    fn add(&self, accounts: &mut HashMap<Uuid, Entry>, owner: Uuid, weight: u64) -> Share {
        let entry = accounts.entry(owner).or_default();
        entry.live += 1;
        entry.live_bytes += weight;
        entry.bytes += weight;
        Share { of: self.clone(), owner, weight, live: true, seat: None }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Entry>> {
        // Nothing panics while it is held.
        self.0.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The account of a player's seats in the arena.
fn seats_of(player: Uuid) -> Uuid {
    named(&format!("seats of the player {player}"))
}

impl From<Exceeded> for Refusal {
    fn from(exceeded: Exceeded) -> Self {
        Self { quota: Some(exceeded), retry_ms: exceeded.retry_ms, ..Self::from(Reason::QuotaExceeded) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Holdings, Share, weight};
    use crate::limits;
    use crate::session::Quota;
    use std::net::IpAddr;
    use uuid::Uuid;

    fn take(holdings: &Holdings, player: u128, seats: u8) -> Result<Share, Quota> {
        let share = holdings.take(Uuid::from_u128(player), weight(seats), &Bounds::PLAYER);
        share.map_err(|refusal| refusal.quota.unwrap().quota)
    }

    #[test]
    fn small_fights_are_bounded_by_their_number_and_large_ones_by_their_weight() {
        let holdings = Holdings::default();
        let fill = |player, seats| {
            let mut shares = Vec::new();
            loop {
                match take(&holdings, player, seats) {
                    Ok(share) => shares.push(share),
                    Err(quota) => return (shares, quota),
                }
            }
        };
        let (small, quota) = fill(1, 2);
        assert_eq!((small.len(), quota), (limits::FIGHTS_PER_PLAYER, Quota::LiveSessions));
        let (large, quota) = fill(2, 100);
        assert_eq!((large.len(), quota), (37, Quota::SessionBytes));
        assert!(take(&holdings, 3, 100).is_ok(), "nobody pays for another");
        assert_eq!(holdings.refused(Quota::LiveSessions), 1);
        drop((small, large));
        assert!(holdings.lock().is_empty(), "who holds nothing has no entry");
    }

    #[test]
    fn seats_in_the_arena_are_their_players_and_their_addresss() {
        let (holdings, player) = (Holdings::default(), Uuid::from_u128);
        let [here, there] = [1, 2].map(|last| IpAddr::from([127, 0, 0, last]));
        let take = |who, from| holdings.take_seat(player(who), from).map_err(|refusal| refusal.quota.unwrap().quota);
        let own: Vec<_> = (0..limits::ARENA_SEATS_PER_PLAYER).map(|_| take(0, here).unwrap()).collect();
        assert_eq!(take(0, there).unwrap_err(), Quota::ArenaSeats);
        let others = limits::ARENA_SEATS_PER_ADDRESS - own.len();
        let mut all: Vec<_> = (1..=others as u128).map(|who| take(who, here).unwrap()).collect();
        assert_eq!(take(1, here).unwrap_err(), Quota::AddressSeats);
        assert!(take(1, there).is_ok(), "who comes from elsewhere does not pay for it");
        assert_eq!(all.pop().unwrap()[0].seat(), Some(player(others as u128)));
        assert!(take(1, here).is_ok(), "what was refused has taken nothing");
        drop((own, all));
        assert!(holdings.lock().is_empty());
    }

    #[test]
    fn what_has_ended_makes_room_but_is_not_forgotten_at_once() {
        let holdings = Holdings::default();
        let mut ended = Vec::new();
        let quota = loop {
            match take(&holdings, 1, 100) {
                Ok(mut share) => {
                    share.end();
                    share.end();
                    ended.push(share);
                }
                Err(quota) => break quota,
            }
        };
        assert_eq!(quota, Quota::RecentBytes);
        assert_eq!(ended.len() as u64, limits::RECENT_FIGHT_BYTES_PER_PLAYER as u64 / weight(100));
        ended.pop();
        assert!(take(&holdings, 1, 100).is_ok());
    }
}
