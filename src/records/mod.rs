//! Sessions of the types player, auth and custom, and the store's side of every session.
//!
//! A live session is resident in its type's [`residents`]; reading it asks nobody. A [`change`] waits in its type's queue for the
//! [`committer`], which stages many of them at once ([`stage`] has what they do), has the store keep them in one transaction,
//! and only then shows and answers them. [`fights`] are on their way into the store the same way, without anybody waiting. What has [`ended`] is read from the store. [`keys`] makes a repeated request one request.
//! Changes of sessions that somebody is connected to are told to their shards ([`rooms`]).

pub mod body;
pub mod change;
mod chores;
pub mod committer;
#[cfg(test)]
mod committer_tests;
mod doubt;
pub mod ended;
pub mod fights;
pub mod keys;
pub mod lost;
pub mod observer;
mod ran;
#[cfg(test)]
mod ran_tests;
pub mod record;
pub mod residents;
pub mod rooms;
pub mod stage;
#[cfg(test)]
mod stage_tests;
mod stored;
mod stored_parts;

use crate::book::{News, WriteBehind};
use crate::session::PerKind;
use crate::shard::{InStore, Logged};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use tiltyard_protocol::Reason;
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

pub use body::{Body, Login, Member, OfType, Presence, Room};
pub use change::{Ask, Change, Changed, NewRecord};
pub use committer::Committer;
pub use ended::{Kept, Owned};
pub use observer::RecordObserver;
pub use record::{PresenceName, Record};

use crate::clock;
use crate::limits;
use crate::ops::beat::Beat;
use crate::session::{Kind, Refusal, Status};
use crate::store::{SessionRow, Store, StoreError};
use doubt::Doubt;
use ended::EndedCache;
use keys::Running;
use ran::Ran;
use residents::Residents;
use rooms::Watches;

/// The way to every session that is no fight, and to what the store knows. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Records(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    /// Fights are in the shards: theirs stays empty.
    residents: PerKind<RwLock<Residents>>,
    /// One for each type, combat's included: a flood of one leaves the others' free.
    queues: PerKind<mpsc::Sender<Ask>>,
    wake: Arc<Notify>,
    book: Arc<WriteBehind>,
    store: Box<dyn Store>,
    ended: EndedCache,
    node: Arc<str>,
    counters: Counters,
    doubt: Mutex<Doubt>,
    watches: Watches,
    ran: Mutex<Ran>,
    /// The committer's.
    beat: Arc<Beat>,
}

/// What has happened, for the metrics.
#[derive(Debug, Default)]
pub struct Counters {
    pub commits: AtomicU64,
    pub commit_failures: AtomicU64,
    pub rows: AtomicU64,
    /// By type.
    pub changes: PerKind<AtomicU64>,
    pub refused: PerKind<AtomicU64>,
    pub expired: AtomicU64,
    pub swept: AtomicU64,
    /// Fights of which the log was from before what the store has of them.
    pub rolled_back: AtomicU64,
    /// Sessions with times from after the clock, at the start.
    pub clamped: AtomicU64,
    /// Fights that were ended because no shard has them any more.
    pub fights_lost: AtomicU64,
}

/// Figures of one type.
#[derive(Debug, Clone, Copy)]
pub struct TypeFigures {
    pub kind: Kind,
    /// Resident sessions; none of combat, whose shards count for themselves.
    pub live: usize,
    /// Changes that wait for the store.
    pub waiting: usize,
    pub changes: u64,
    pub refused: u64,
}

impl Records {
    /// Reads what lives on this node out of the store. The committer has to be run.
    pub async fn open(store: Box<dyn Store>, node: &str) -> Result<(Self, Committer), StoreError> {
        Self::open_at(store, node, clock::now_ms()).await
    }

    /// The same, at a time in Unix milliseconds.
    pub(super) async fn open_at(store: Box<dyn Store>, node: &str, now: u64) -> Result<(Self, Committer), StoreError> {
        let wake = Arc::new(Notify::new());
        let mut residents = PerKind::<Residents>::default();
        let (mut set_back, mut most_ahead) = (Vec::new(), 0);
        for kind in Kind::RESIDENT {
            for status in [Status::Active, Status::Paused] {
                let mut rows = Pages::new(kind, status);
                while let Some(row) = rows.next(&*store).await? {
                    let mut record = Record::of(row, now)?;
                    let ahead = record.set_back(now);
                    if ahead > 0 {
                        set_back.push(record.id);
                        most_ahead = most_ahead.max(ahead);
                    }
                    residents[kind].put(Arc::new(record));
                }
            }
        }
        if let Some(first) = set_back.first() {
            let (sessions, ahead_ms) = (set_back.len(), most_ahead);
            tracing::warn!(sessions, %first, ahead_ms, "the store has times from after the clock, which was set back; they are now");
        }
        let counters = Counters { clamped: AtomicU64::new(set_back.len() as u64), ..Counters::default() };
        let mut receivers = Vec::new();
        let queues = PerKind::from_fn(|_| {
            let (sender, receiver) = mpsc::channel(limits::CHANGES_DEPTH);
            receivers.push(receiver);
            sender
        });
        // A round commits, and may sweep; what is bounded itself is no sign of one that hangs.
        let round_ms = 3 * (limits::EXPIRY_MS + 2 * store.patience_ms());
        let shared = Arc::new(Shared {
            residents: residents.map(RwLock::new),
            queues,
            book: Arc::new(WriteBehind::new(Arc::clone(&wake))),
            wake,
            store,
            ended: EndedCache::default(),
            node: node.into(),
            counters,
            doubt: Mutex::default(),
            watches: Watches::default(),
            ran: Mutex::new(Ran::new(now)),
            beat: Arc::new(Beat::within(limits::BEAT_MS.max(round_ms))),
        });
        let committer = Committer::new(Arc::clone(&shared), receivers, set_back, now);
        Ok((Self(shared), committer))
    }

    /// The committer's: where it is late, nothing is committed any more, and not refused either.
    pub fn beat(&self) -> &Arc<Beat> {
        &self.0.beat
    }

    /// Notes again and again that the process runs: beside the committer, which may wait for the store.
    pub async fn note_running(self, beat: Arc<Beat>) {
        loop {
            self.0.ran(clock::now_ms());
            beat.idle(tokio::time::sleep(Duration::from_millis(limits::EXPIRY_MS))).await;
        }
    }

    /// Where the shards put their fights.
    pub fn book(&self) -> &Arc<WriteBehind> {
        &self.0.book
    }

    /// The store itself, for reading.
    pub fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    /// This node's name.
    pub fn node(&self) -> &str {
        &self.0.node
    }

    /// A live session that is no fight.
    pub fn live(&self, id: Uuid) -> Option<Arc<Record>> {
        self.0.resident(id)
    }

    /// How these fights, live in the log, stand in the store. Where one has ended there the log is from before, put back without its
    /// store, or its end got lost with the power. They stay ended.
    pub async fn standing_of(&self, live: &[Logged]) -> Result<InStore, StoreError> {
        let mut standing = InStore::default();
        for some in live.chunks(limits::LOAD_ROWS) {
            let ids: Vec<Uuid> = some.iter().map(|logged| logged.id).collect();
            let logged: HashMap<Uuid, &Logged> = some.iter().map(|logged| (logged.id, logged)).collect();
            for row in self.0.store.sessions(&ids).await? {
                let logged = logged.get(&row.id);
                if !row.status.is_end() {
                    if let Some(logged) = logged {
                        self.tell_of_set_back(&row, logged);
                    }
                    standing.epochs.insert(row.id, row.epoch.cast_unsigned());
                    continue;
                }
                let log_seq = logged.map(|logged| logged.seq);
                let fight = fights::of(&row).ok();
                let store_seq = fight.as_ref().map(|fight| fight.seq);
                let (status, reason) = (row.status.name(), row.end_reason.as_deref());
                tracing::warn!(session = %row.id, log_seq, store_seq, status, reason, "the log has a fight live that has ended for the store: the log is from before; the end stands");
                self.0.counters.rolled_back.fetch_add(1, Ordering::Relaxed);
                standing.ended.insert(row.id);
                if let Some(fight) = fight.filter(|fight| !fight.has_ended()) {
                    self.0.book.put(fights::closed(fight), News::Ended);
                }
            }
        }
        Ok(standing)
    }

    /// Names a live fight that the log has from before. Told of what the log has, before a shard goes on with it: it goes further then, be it
    /// only because those in it are gone, and would soon be where the store has it.
    fn tell_of_set_back(&self, row: &SessionRow, logged: &Logged) {
        let (log_seq, store_seq) = (logged.seq, fights::of(row).ok().map(|fight| fight.seq));
        if store_seq.is_some_and(|seq| seq > log_seq) {
            tracing::warn!(session = %row.id, log_seq, store_seq, "the store has a fight further on than the log: the log is from before; the fight goes on from there");
        } else if logged.epoch < row.epoch.cast_unsigned() {
            tracing::warn!(session = %row.id, log_seq, store_seq, epoch = row.epoch, "the store has a fight under a higher epoch than the log: the log is from before it was handed over, or taken over; the fight goes on from there");
        } else {
            return;
        }
        self.0.counters.rolled_back.fetch_add(1, Ordering::Relaxed);
    }

    /// A session that is not resident, here or in a shard.
    pub async fn kept(&self, id: Uuid) -> Result<Option<Owned>, Refusal> {
        // One that has just left its shard, or failed, may not be in the store yet.
        if let Some(fight) = self.0.book.get(id) {
            return Ok(Some(self.0.own(Kept::Fight(fight))));
        }
        if let Some(owned) = self.0.ended.get(id) {
            return Ok(Some(owned));
        }
        let Some(row) = self.0.store.session(id).await? else { return Ok(None) };
        if row.kind != Kind::Combat && !row.status.is_end() && self.is_doubtful(id) {
            return Ok(None);
        }
        let owned = Owned { node: row.node.as_str().into(), kept: Kept::of(row, clock::now_ms())? };
        self.0.ended.keep(id, &owned);
        Ok(Some(owned))
    }

    /// Whether an earlier commit may have left something that was never acknowledged, and is going to be taken back.
    pub fn is_doubtful(&self, id: Uuid) -> bool {
        self.0.doubt().sessions.contains_key(&id)
    }

    /// The same of an idempotency key.
    pub fn is_doubtful_key(&self, hash: [u8; 16]) -> bool {
        self.0.doubt().keys.contains(&hash)
    }

    /// Makes a change; the answer comes after it has been committed.
    pub async fn change(&self, kind: Kind, change: Change) -> Result<Changed, Refusal> {
        self.change_for(kind, change, None).await
    }

    /// The same for a request with an idempotency key, which runs until the outcome is known even if nobody waits for it.
    pub async fn change_for(&self, kind: Kind, change: Change, running: Option<Running>) -> Result<Changed, Refusal> {
        // The store's calls are bounded in time, and so is this.
        self.ask(kind, change, running)?.await.unwrap_or_else(|_gone| Err(Reason::Draining.into()))
    }

    /// Has a change made, behind those that were asked for before. What becomes of it is heard after it has been committed.
    fn ask(
        &self,
        kind: Kind,
        change: Change,
        running: Option<Running>,
    ) -> Result<oneshot::Receiver<Result<Changed, Refusal>>, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.0.queues[kind].try_send(Ask { change, reply, running }).map_err(|_full| Reason::Overloaded)?;
        self.0.wake.notify_one();
        Ok(answer)
    }

    /// How many sessions that are no fights somebody is connected to.
    pub fn watched(&self) -> usize {
        self.0.watches.count()
    }

    /// Whether the login that a token belongs to is alive; notes that it is used.
    pub fn admits(&self, sid: Uuid, owner: Uuid) -> bool {
        let Some(login) = self.0.live_of(Kind::Auth, sid) else { return false };
        let now = clock::now_ms();
        login.status == Status::Active
            && owner == login.player
            && login.expires_at().is_some_and(|expires_at| expires_at > now)
            && login.see(now)
    }

    /// A login of another node as the store has it: whose it is, and until when at most, in Unix milliseconds; `None` where it does not
    /// live. Its node ends it where nobody uses it, which it alone knows.
    pub async fn login_afar(&self, sid: Uuid) -> Result<Option<(Uuid, u64)>, Refusal> {
        let Some(Kept::Record(login)) = self.kept(sid).await?.map(|owned| owned.kept) else { return Ok(None) };
        Ok(match &login.body {
            Body::Auth(of) if login.status == Status::Active => Some((login.player, of.absolute_at)),
            _ => None,
        })
    }

    /// Figures of every type.
    pub fn figures(&self) -> [TypeFigures; Kind::ALL.len()] {
        Kind::ALL.map(|kind| {
            let (queue, counters) = (&self.0.queues[kind], &self.0.counters);
            TypeFigures {
                kind,
                live: self.0.read(kind).count(),
                waiting: queue.max_capacity() - queue.capacity(),
                changes: counters.changes[kind].load(Ordering::Relaxed),
                refused: counters.refused[kind].load(Ordering::Relaxed),
            }
        })
    }

    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Reads that the cache of ended sessions could answer, and those that it could not.
    pub fn cache_hits_and_misses(&self) -> (u64, u64) {
        self.0.ended.hits_and_misses()
    }
}

impl Shared {
    /// A session of this node.
    fn own(&self, kept: Kept) -> Owned {
        Owned { kept, node: Arc::clone(&self.node) }
    }

    /// The process runs; milliseconds in which it did not, all together.
    fn ran(&self, now: u64) -> u64 {
        // Nothing panics while it is held.
        self.ran.lock().unwrap_or_else(PoisonError::into_inner).at(now)
    }

    fn doubt(&self) -> MutexGuard<'_, Doubt> {
        // Nothing panics while it is held.
        self.doubt.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A live session, of whatever type.
    fn resident(&self, id: Uuid) -> Option<Arc<Record>> {
        Kind::RESIDENT.into_iter().find_map(|kind| self.live_of(kind, id))
    }

    fn live_of(&self, kind: Kind, id: Uuid) -> Option<Arc<Record>> {
        self.read(kind).get(id).cloned()
    }

    fn read(&self, kind: Kind) -> RwLockReadGuard<'_, Residents> {
        // What a panic may leave half done is one session's place in an index; the others are whole.
        self.residents[kind].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, kind: Kind) -> RwLockWriteGuard<'_, Residents> {
        self.residents[kind].write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => {
                tracing::warn!(%error, "the store did not answer");
                Self { retry_ms: Some(1_000), ..Self::from(Reason::StoreUnavailable) }
            }
            StoreError::Full(_) => {
                tracing::error!(%error, "the store is full");
                Reason::StorageFull.into()
            }
            StoreError::Damaged(_) => Reason::Damaged.into(),
            StoreError::Unreadable(_) => {
                tracing::error!(%error, "the store holds something unreadable");
                Reason::Internal.into()
            }
        }
    }
}

/// This node's sessions of one type and status, read page by page.
#[derive(Debug)]
struct Pages {
    kind: Kind,
    status: Status,
    after: Uuid,
    page: std::vec::IntoIter<SessionRow>,
}

impl Pages {
    fn new(kind: Kind, status: Status) -> Self {
        Self { kind, status, after: Uuid::nil(), page: Vec::new().into_iter() }
    }

    async fn next(&mut self, store: &dyn Store) -> Result<Option<SessionRow>, StoreError> {
        if self.page.len() == 0 {
            let rows = store.of_node(self.kind, self.status, self.after, limits::LOAD_ROWS).await?;
            self.page = rows.into_iter();
        }
        let row = self.page.next();
        self.after = row.as_ref().map_or(self.after, |row| row.id);
        Ok(row)
    }
}
