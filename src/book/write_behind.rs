//! Fights on their way into the store. The log has them already, so nobody waits for this: shards put in what has changed,
//! the committer takes it out when the store can take it. Of each fight only the newest state is kept.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{DailyBudgets, FightObserver, Holdings, Lacking};
use crate::auth::is_named;
use crate::limits;
use crate::ops::beat::Beat;
use crate::replays::ReplayQueue;
use crate::rules::Library;
use crate::session::{FightInfo, Kind, Quota, Refusal};

/// Fights that the store does not know as they are. Bounded by the sessions there can be: an ended one stays in its shard
/// until it is settled here.
#[derive(Debug, Default)]
pub struct WriteBehind {
    pages: Mutex<Pages>,
    replay_queue: Arc<ReplayQueue>,
    holdings: Holdings,
    daily: DailyBudgets,
    /// Wakes the committer.
    wake: Arc<Notify>,
    observer: OnceLock<Arc<dyn FightObserver>>,
}

/// What has become of a fight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    Created,
    Changed,
    Ended,
}

#[derive(Debug, Default)]
struct Pages {
    waiting: HashMap<Uuid, Arc<FightInfo>>,
    in_flight: HashMap<Uuid, Arc<FightInfo>>,
    /// Logins with open sockets, seen since the committer last asked.
    used: HashSet<Uuid>,
    /// The last commit failed.
    store_is_away: bool,
    /// Who wants to know when a fight is settled.
    waiters: HashMap<Uuid, Vec<oneshot::Sender<()>>>,
}

impl WriteBehind {
    /// An empty one.
    pub fn new(wake: Arc<Notify>) -> Self {
        Self { wake, ..Self::default() }
    }

    /// One that records so many bytes of one player's fights in a day.
    #[cfg(test)]
    pub fn recording(bytes: u64) -> Self {
        let mut book = Self::default();
        book.daily.tapes = super::Daily::new(bytes);
        book
    }

    /// Has `observer` told of what begins and ends from now on. The first one stays.
    pub fn tell(&self, observer: Arc<dyn FightObserver>) {
        let _ = self.observer.set(observer);
    }

    /// Puts in a fight as it is now.
    pub fn put(&self, fight: FightInfo, news: News) {
        match (news, self.observer.get()) {
            (News::Created, Some(observer)) => observer.fight_created(&fight),
            (News::Ended, Some(observer)) => observer.fight_ended(&fight),
            _ => {}
        }
        self.lock().waiting.insert(fight.id, Arc::new(fight));
        self.wake.notify_one();
    }

    /// A fight that the store does not know as it is.
    pub fn get(&self, id: Uuid) -> Option<Arc<FightInfo>> {
        let pages = self.lock();
        pages.waiting.get(&id).or_else(|| pages.in_flight.get(&id)).cloned()
    }

    /// Whether the store knows the fight as it is.
    pub fn is_settled(&self, id: Uuid) -> bool {
        self.lock().is_settled(id)
    }

    /// Whether the store knows the fight as it is, and has its replay, if it has ended with one.
    pub fn is_kept(&self, id: Uuid) -> bool {
        self.is_settled(id) && self.replay_queue.is_settled(id)
    }

    /// Where the recordings of ended fights go.
    pub fn replay_queue(&self) -> &Arc<ReplayQueue> {
        &self.replay_queue
    }

    /// Who holds how many of the live ones.
    pub fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// What players have spent of what they may have in a day.
    pub fn daily(&self) -> &DailyBudgets {
        &self.daily
    }

    /// A player makes one more session of a type.
    pub fn spend_session(&self, kind: Kind, player: Uuid) -> Result<(), Refusal> {
        let taken = self.daily.sessions(kind).take(player, 1, self.daily.now());
        taken.map_err(|lacking| self.holdings.refuse(lacking.of(Quota::DailySessions)))
    }

    /// A player takes one more seat in the arena, from this address.
    pub fn spend_seat(&self, player: Uuid, address: IpAddr) -> Result<(), Refusal> {
        let (daily, now) = (&self.daily, self.daily.now());
        let refuse = |quota| move |lacking: Lacking| self.holdings.refuse(lacking.of(quota));
        daily.seats.take(player, 1, now).map_err(refuse(Quota::DailySeats))?;
        daily.address_seats.take(address, 1, now).map_err(|lacking| {
            daily.seats.give_back(player, 1);
            refuse(Quota::DailyAddressSeats)(lacking)
        })
    }

    /// It was not given one.
    pub fn give_back_seat(&self, player: Uuid, address: IpAddr) {
        self.daily.seats.give_back(player, 1);
        self.daily.address_seats.give_back(address, 1);
    }

    /// A player has one more idempotency key kept.
    pub fn spend_key(&self, player: Uuid) -> Result<(), Refusal> {
        let taken = self.daily.keys.take(player, limits::KEY_ROW_BYTES, self.daily.now());
        taken.map_err(|lacking| self.holdings.refuse(lacking.of(Quota::DailyKeyBytes)))
    }

    /// Whether so many bytes more are recorded of this creator's fights: of a player's, as far as its budget reaches. Asked by
    /// shards, once for some 25 inputs of a fight.
    pub fn has_room_on_tapes(&self, creator: Uuid, bytes: u64) -> bool {
        is_named(creator) || self.daily.tapes.take(creator, bytes, self.daily.now()).is_ok()
    }

    /// Puts the recordings of ended fights together until `stop`.
    pub fn fill_replays(
        &self,
        library: Arc<Library>,
        stop: CancellationToken,
        beat: Arc<Beat>,
    ) -> impl Future<Output = ()> + use<> {
        Arc::clone(&self.replay_queue).run(library, Arc::clone(&self.wake), stop, beat)
    }

    /// Notes that a login is in use: a socket of its is open.
    pub fn login_used(&self, sid: Uuid) {
        self.lock().used.insert(sid);
    }

    /// The logins noted since the last time.
    pub fn take_used_logins(&self) -> HashSet<Uuid> {
        std::mem::take(&mut self.lock().used)
    }

    /// Fights that wait.
    pub fn waiting(&self) -> usize {
        let pages = self.lock();
        pages.waiting.len() + pages.in_flight.len()
    }

    /// Returns once the store knows the fight as it is now, at once where the store is away: combat goes on without it.
    pub async fn settled(&self, id: Uuid) {
        let receiver = {
            let mut pages = self.lock();
            if pages.is_settled(id) || pages.store_is_away {
                return;
            }
            let (sender, receiver) = oneshot::channel();
            pages.waiters.entry(id).or_default().push(sender);
            receiver
        };
        // An error says that the committer is gone: there is nothing to wait for.
        let _ = receiver.await;
    }

    /// Takes out at most `limit` fights to be committed.
    pub fn take(&self, limit: usize) -> Vec<Arc<FightInfo>> {
        let mut pages = self.lock();
        let ids: Vec<Uuid> = pages.waiting.keys().take(limit).copied().collect();
        let fights: Vec<Arc<FightInfo>> = ids.iter().filter_map(|id| pages.waiting.remove(id)).collect();
        pages.in_flight.extend(fights.iter().map(|fight| (fight.id, Arc::clone(fight))));
        fights
    }

    /// Whether the last commit failed.
    pub fn store_is_away(&self) -> bool {
        self.lock().store_is_away
    }

    /// The store has committed, and has the fights that were taken out.
    pub fn committed(&self, fights: &[Arc<FightInfo>]) {
        let mut pages = self.lock();
        pages.store_is_away = false;
        for fight in fights {
            pages.in_flight.remove(&fight.id);
            if pages.is_settled(fight.id) {
                for waiter in pages.waiters.remove(&fight.id).into_iter().flatten() {
                    // A waiter that is gone has stopped waiting.
                    let _ = waiter.send(());
                }
            }
        }
    }

    /// The store has not committed, and has not the fights that were taken out: they wait again, unless there is something
    /// newer.
    pub fn failed(&self, fights: Vec<Arc<FightInfo>>) {
        let mut pages = self.lock();
        pages.store_is_away = true;
        for fight in fights {
            pages.in_flight.remove(&fight.id);
            pages.waiting.entry(fight.id).or_insert(fight);
        }
        // Whoever waits for the store has waited long enough: combat goes on without it.
        pages.waiters.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        // Nothing panics while it is held.
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn is_settled(&self, id: Uuid) -> bool {
        !self.waiting.contains_key(&id) && !self.in_flight.contains_key(&id)
    }
}
