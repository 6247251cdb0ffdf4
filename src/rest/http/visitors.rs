//! Connections that speak HTTP, by the address they come from. Nobody has shown a token to have one, so one address may have only so
//! many: one more takes the place of the one of them that has waited for its client the longest. When the node is full, it is the
//! address with the most that makes room. A connection that becomes a WebSocket leaves: from then on it is its player's.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::limits;

/// Connections looked at for the one that has waited the longest.
const LOOKS: usize = 32;

/// All of them.
#[derive(Debug, Clone)]
pub struct Visitors(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: usize,
    /// Proxies, behind whose one address are many.
    exempt: Vec<IpAddr>,
    known: Mutex<Known>,
    leaving: AtomicUsize,
}

#[derive(Debug, Default)]
struct Known {
    by_address: HashMap<IpAddr, Vec<Arc<Visit>>>,
    /// How many each address has, but for proxies; the last has the most.
    by_count: BTreeSet<(usize, IpAddr)>,
    count: usize,
    /// Where the next look begins.
    hand: usize,
    /// Addresses of other nodes, and when one of those has given its word from there last.
    nodes: HashMap<IpAddr, Instant>,
}

/// One connection.
#[derive(Debug)]
pub struct Visit {
    address: IpAddr,
    /// Its place among those of its address.
    place: AtomicUsize,
    since: Instant,
    /// Milliseconds from `since` to the last time its client sent a request or took a part of an answer.
    active_ms: AtomicU64,
    /// Whether a request of it is being answered.
    is_busy: AtomicBool,
    evicted: CancellationToken,
}

/// A connection's entry, for as long as it lives.
#[derive(Debug)]
pub struct Visitor {
    visitors: Visitors,
    visit: Arc<Visit>,
}

/// What came of one more connection of an address.
#[derive(Debug)]
pub struct Entered {
    pub visitor: Visitor,
    /// Whether another one of the address was closed for it.
    pub is_instead: bool,
}

impl Visitors {
    /// Nobody yet; `most` may come from one address that is none of `exempt`.
    pub fn new(most: usize, exempt: Vec<IpAddr>) -> Self {
        Self(Arc::new(Shared { most, exempt, known: Mutex::default(), leaving: AtomicUsize::new(0) }))
    }

    /// Counts a connection; `None` where its address has too many and all of them are at work.
    pub fn enter(&self, address: IpAddr) -> Option<Entered> {
        let is_exempt = self.0.exempt.contains(&address);
        let mut known = self.lock();
        let count = known.by_address.get(&address).map_or(0, Vec::len);
        let is_instead = !is_exempt && count >= self.0.most && !known.is_node(address, Instant::now());
        if is_instead && !self.evict(&mut known, address) {
            return None;
        }
        let visit = Arc::new(Visit {
            address,
            place: AtomicUsize::new(0),
            since: Instant::now(),
            active_ms: AtomicU64::new(0),
            is_busy: AtomicBool::new(false),
            evicted: CancellationToken::new(),
        });
        known.add(&visit, is_exempt);
        Some(Entered { visitor: Visitor { visitors: self.clone(), visit }, is_instead })
    }

    /// Closes one for another to come from `address`: one of whichever address has more than that one, else of its own. `false` where
    /// there is none that waits.
    pub fn make_room(&self, address: IpAddr) -> bool {
        let mut known = self.lock();
        let own = known.by_address.get(&address).map_or(0, Vec::len);
        let heaviest = known.by_count.last().filter(|(count, _)| *count > own).map(|(_, heaviest)| *heaviest);
        let exempt = || self.0.exempt.iter().copied().find(|proxy| known.by_address.contains_key(proxy));
        let whose = heaviest.or_else(|| (own > 0).then_some(address)).or_else(exempt);
        whose.is_some_and(|whose| self.evict(&mut known, whose))
    }

    /// Notes that a node of the cluster connects from `address`, which is that of many clients then: for a while as many may come from there as
    /// there is room for. When the node is full it makes room like others.
    pub fn known_as_node(&self, address: IpAddr, now: Instant) {
        let mut known = self.lock();
        if known.nodes.len() >= limits::NODE_ADDRESSES && !known.nodes.contains_key(&address) {
            known.nodes.retain(|_, since| is_recent(*since, now));
        }
        if known.nodes.len() < limits::NODE_ADDRESSES || known.nodes.contains_key(&address) {
            known.nodes.insert(address, now);
        }
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().count
    }

    /// How many were closed for others and are not gone yet.
    pub fn leaving(&self) -> usize {
        self.0.leaving.load(Ordering::Relaxed)
    }

    fn evict(&self, known: &mut Known, address: IpAddr) -> bool {
        let is_evicted = known.evict(address, self.0.exempt.contains(&address));
        self.0.leaving.fetch_add(usize::from(is_evicted), Ordering::Relaxed);
        is_evicted
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_recent(since: Instant, now: Instant) -> bool {
    now.saturating_duration_since(since) < Duration::from_millis(limits::NODE_ADDRESS_MS)
}

impl Known {
    fn is_node(&self, address: IpAddr, now: Instant) -> bool {
        self.nodes.get(&address).is_some_and(|since| is_recent(*since, now))
    }

    fn add(&mut self, visit: &Arc<Visit>, is_exempt: bool) {
        let visits = self.by_address.entry(visit.address).or_default();
        visit.place.store(visits.len(), Ordering::Relaxed);
        visits.push(Arc::clone(visit));
        let count = visits.len();
        self.count += 1;
        self.counted(visit.address, count - 1, count, is_exempt);
    }

    /// Nothing where it is out already.
    fn remove(&mut self, visit: &Arc<Visit>, is_exempt: bool) {
        let Some(visits) = self.by_address.get_mut(&visit.address) else { return };
        let place = visit.place.load(Ordering::Relaxed);
        if !visits.get(place).is_some_and(|there| Arc::ptr_eq(there, visit)) {
            return;
        }
        visits.swap_remove(place);
        if let Some(moved) = visits.get(place) {
            moved.place.store(place, Ordering::Relaxed);
        }
        let count = visits.len();
        if count == 0 {
            self.by_address.remove(&visit.address);
        }
        self.count -= 1;
        self.counted(visit.address, count + 1, count, is_exempt);
    }

    fn counted(&mut self, address: IpAddr, before: usize, after: usize, is_exempt: bool) {
        if is_exempt {
            return;
        }
        self.by_count.remove(&(before, address));
        if after > 0 {
            self.by_count.insert((after, address));
        }
    }

    /// Closes the one of an address that has waited the longest, of as many as are looked at.
    fn evict(&mut self, address: IpAddr, is_exempt: bool) -> bool {
        let Some(visits) = self.by_address.get(&address) else { return false };
        let looks = visits.len().min(LOOKS);
        let looked_at = (self.hand..self.hand + looks).map(|at| &visits[at % visits.len()]);
        let waiting = looked_at.filter(|visit| !visit.is_at_work());
        let chosen = waiting.min_by_key(|visit| visit.active_at()).map(Arc::clone);
        self.hand = self.hand.wrapping_add(looks) % limits::CONNECTIONS;
        let Some(chosen) = chosen else { return false };
        self.remove(&chosen, is_exempt);
        chosen.evicted.cancel();
        true
    }
}

impl Visit {
    /// Its client did something.
    pub fn acted(&self, now: Instant) {
        let since = now.saturating_duration_since(self.since).as_millis();
        self.active_ms.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A request of it begins to be answered, or has been.
    pub fn works(&self, is_busy: bool) {
        self.acted(Instant::now());
        self.is_busy.store(is_busy, Ordering::Relaxed);
    }

    /// Whether it has been closed for another.
    pub fn is_evicted(&self) -> bool {
        self.evicted.is_cancelled()
    }

    fn active_at(&self) -> Instant {
        self.since + Duration::from_millis(self.active_ms.load(Ordering::Relaxed))
    }

    /// Whether it is the server that is waited for. What takes very long is the client that does not send a body.
    fn is_at_work(&self) -> bool {
        self.is_busy.load(Ordering::Relaxed) && self.active_at().elapsed().as_millis() < u128::from(limits::AT_WORK_MS)
    }
}

impl Visitor {
    /// What is known of the connection.
    pub const fn visit(&self) -> &Arc<Visit> {
        &self.visit
    }

    /// Waits until the connection is to be closed for another.
    pub async fn evicted(&self) {
        self.visit.evicted.cancelled().await;
    }
}

impl Drop for Visitor {
    fn drop(&mut self) {
        let is_exempt = self.visitors.0.exempt.contains(&self.visit.address);
        self.visitors.lock().remove(&self.visit, is_exempt);
        if self.visit.is_evicted() {
            self.visitors.0.leaving.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Visitor, Visitors};
    use crate::limits;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::{Duration, Instant};

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    fn enter(visitors: &Visitors, last: u8) -> Visitor {
        visitors.enter(address(last)).unwrap().visitor
    }

    #[test]
    fn one_more_than_an_address_may_have_takes_the_place_of_one_that_waits() {
        let visitors = Visitors::new(3, vec![address(9)]);
        let mut held: Vec<Visitor> = (0..3).map(|_| enter(&visitors, 1)).collect();
        let other = enter(&visitors, 2);
        held[0].visit().works(true);
        let entered = visitors.enter(address(1)).unwrap();
        assert!(entered.is_instead && visitors.count() == 4);
        let evicted: Vec<bool> = held.iter().map(|visitor| visitor.visit().is_evicted()).collect();
        assert_eq!((evicted[0], evicted.iter().filter(|gone| **gone).count()), (false, 1), "not the one at work");
        assert!(!other.visit().is_evicted());
        held.push(entered.visitor);
        for visitor in &held {
            visitor.visit().works(true);
        }
        assert!(visitors.enter(address(1)).is_none(), "all are at work");
        drop(held);
        assert_eq!(visitors.count(), 1);
        assert!(!visitors.enter(address(1)).unwrap().is_instead);
        let proxied: Vec<Visitor> = (0..10).map(|_| enter(&visitors, 9)).collect();
        assert!(proxied.iter().all(|visitor| !visitor.visit().is_evicted()), "many are behind a proxy");
    }

    #[test]
    fn from_a_node_as_many_come_as_there_is_room_for_while_its_word_is_fresh() {
        let visitors = Visitors::new(2, Vec::new());
        let long_ago = Instant::now().checked_sub(Duration::from_millis(limits::NODE_ADDRESS_MS)).unwrap();
        visitors.known_as_node(address(1), Instant::now());
        visitors.known_as_node(address(2), long_ago);
        let held: Vec<Visitor> = (0..5).map(|_| enter(&visitors, 1)).collect();
        assert!(held.iter().all(|visitor| !visitor.visit().is_evicted()));
        assert!(visitors.make_room(address(3)), "a full node takes from it like from others");
        let _two = [enter(&visitors, 2), enter(&visitors, 2)];
        assert!(visitors.enter(address(2)).unwrap().is_instead, "that was long ago");
        for last in 0..limits::NODE_ADDRESSES {
            let address = Ipv4Addr::from_bits(u32::try_from(last).unwrap()).into();
            visitors.known_as_node(address, if last % 2 == 0 { long_ago } else { Instant::now() });
        }
        assert!(visitors.lock().nodes.len() <= limits::NODE_ADDRESSES);
        drop(held);
    }

    #[test]
    fn a_full_node_takes_from_whoever_has_the_most() {
        let visitors = Visitors::new(100, vec![address(9)]);
        let many: Vec<Visitor> = (0..5).map(|_| enter(&visitors, 1)).collect();
        let few: Vec<Visitor> = (0..2).map(|_| enter(&visitors, 2)).collect();
        let evicted = |of: &[Visitor]| of.iter().filter(|visitor| visitor.visit().is_evicted()).count();
        assert!(visitors.make_room(address(3)) && visitors.make_room(address(2)));
        assert_eq!((evicted(&many), evicted(&few)), (2, 0));
        assert!(visitors.make_room(address(1)), "its own");
        assert!(visitors.make_room(address(2)), "none has more");
        assert_eq!((evicted(&many), evicted(&few)), (3, 1));
        drop((many, few));
        assert!(!visitors.make_room(address(1)), "only sockets are left");
        let proxied = enter(&visitors, 9);
        assert!(visitors.make_room(address(1)) && proxied.visit().is_evicted());
    }

    #[test]
    fn places_are_kept_while_others_go() {
        let visitors = Visitors::new(100, Vec::new());
        let mut held: Vec<Visitor> = (0..10).map(|_| enter(&visitors, 1)).collect();
        for at in [0, 3, 7, 0, 2] {
            held.remove(at);
        }
        assert_eq!(visitors.count(), 5);
        held.clear();
        assert_eq!(visitors.count(), 0);
        assert!(visitors.lock().by_count.is_empty());
    }
}
