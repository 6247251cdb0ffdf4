//! The one that writes to the store: many changes in one transaction, shown and answered after it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use tiltyard_protocol::Reason;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::change::{Ask, Change, Changed};
use super::ended::Kept;
use super::fights::{self, News};
use super::record::{Body, Record};
use super::stage::{Stage, Staged, place};
use super::witness::Witness;
use super::{Pages, Shared, now};
use crate::hub::{FightInfo, Hub, Refusal};
use crate::limits;
use crate::store::{Batch, BucketRow, Kind, Past, Status, StoreError};

/// Commits what is asked of [`super::Records`].
#[derive(Debug)]
pub struct Committer {
    shared: Arc<Shared>,
    /// As the types are numbered.
    queues: Vec<mpsc::Receiver<Ask>>,
    /// When to look at a session again: when its time may be over, or when its use is to be kept. One entry for each.
    deadlines: BinaryHeap<Reverse<(u64, Uuid)>>,
    doubt: Doubt,
    /// Nothing is committed before this.
    paused_until: Option<Instant>,
}

/// What an earlier commit of unknown outcome may have left in the store.
#[derive(Debug, Default)]
struct Doubt {
    /// Sessions, and players who may stand with them.
    sessions: HashMap<Uuid, Vec<Uuid>>,
    keys: HashSet<[u8; 16]>,
}

/// Who waits, and what for.
type Answers = Vec<(oneshot::Sender<Result<Changed, Refusal>>, Kind, Result<Changed, Refusal>)>;

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, queues: Vec<mpsc::Receiver<Ask>>) -> Self {
        let mut deadlines = BinaryHeap::new();
        let now = now();
        for place in 0..3 {
            let arena = shared.read(place);
            deadlines.extend(arena.all().filter_map(|record| next_look(record, now)).map(Reverse));
        }
        Self { shared, queues, deadlines, doubt: Doubt::default(), paused_until: None }
    }

    /// Runs until `stop`, then commits what is left.
    pub async fn run(mut self, hub: Hub, witness: Arc<dyn Witness>, retention_ms: u64, stop: CancellationToken) {
        self.end_lost_fights(&hub).await;
        let mut looks = tokio::time::interval(Duration::from_millis(limits::EXPIRY_MS));
        looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let (mut kept_at, mut swept_at) = (Instant::now(), Instant::now());
        let wake = Arc::clone(&self.shared.wake);
        loop {
            let mut own = Vec::new();
            let stopping = tokio::select! {
                biased;
                () = stop.cancelled() => true,
                () = wake.notified() => false,
                _ = looks.tick() => {
                    own = self.due();
                    false
                }
            };
            let write_buckets = stopping || kept_at.elapsed() >= Duration::from_millis(limits::ANALYTICS_MS);
            if write_buckets {
                kept_at = Instant::now();
            }
            let mut buckets = if write_buckets { witness.buckets() } else { Vec::new() };
            while self.round(&hub, &*witness, std::mem::take(&mut own), std::mem::take(&mut buckets)).await {}
            if stopping {
                return;
            }
            if swept_at.elapsed() >= Duration::from_millis(limits::SWEEP_MS) {
                swept_at = Instant::now();
                self.sweep(retention_ms, witness.past_buckets()).await;
            }
        }
    }

    /// Commits once; `false` where there was nothing to commit, or it could not be.
    async fn round(&mut self, hub: &Hub, witness: &dyn Witness, own: Vec<Change>, buckets: Vec<BucketRow>) -> bool {
        let asks = self.gather(own);
        if self.paused_until.is_some_and(|until| until > Instant::now()) {
            witness.not_kept(&buckets);
            refuse(asks, &StoreError::Unavailable("it did not answer the last time".to_owned()));
            return false;
        }
        let fights = self.shared.book.take(limits::CHANGES_PER_COMMIT);
        if asks.is_empty() && fights.is_empty() && buckets.is_empty() {
            return false;
        }
        let (mut staged, answers) = self.stage(asks);
        for fight in &fights {
            staged.batch.sessions.push(fights::row(fight, &self.shared.node));
            staged.batch.players.extend(fights::player_rows(fight));
        }
        staged.batch.buckets = buckets;
        self.add_doubtful(&mut staged.batch);
        let done = self.commit(&staged.batch, witness).await;
        match done {
            Ok(()) => {
                self.doubt = Doubt::default();
                self.show(staged.records, hub, witness);
                self.settle(&fights);
                answer(&self.shared, answers);
                true
            }
            Err(error) => {
                self.remember_doubt(&staged);
                witness.not_kept(&staged.batch.buckets);
                self.paused_until = Some(Instant::now() + Duration::from_millis(limits::STORE_PAUSE_MS));
                self.shared.book.failed(fights);
                let refusal = Refusal::from(error);
                for (reply, kind, _) in answers {
                    self.shared.counters.refused[kind as usize].fetch_add(1, Ordering::Relaxed);
                    let _ = reply.send(Err(refusal.clone()));
                }
                false
            }
        }
    }

    /// Some of every type, so that no type waits for another's queue.
    fn gather(&mut self, own: Vec<Change>) -> Vec<(Kind, Ask)> {
        let mut asks: Vec<(Kind, Ask)> =
            own.into_iter().map(|change| (Kind::Auth, Ask { change, reply: oneshot::channel().0 })).collect();
        for (kind, queue) in Kind::ALL.into_iter().zip(&mut self.queues) {
            let taken = std::iter::from_fn(|| queue.try_recv().ok()).take(limits::CHANGES_PER_COMMIT);
            asks.extend(taken.map(|ask| (kind, ask)));
        }
        asks
    }

    fn stage(&self, asks: Vec<(Kind, Ask)>) -> (Staged, Answers) {
        let arenas = [self.shared.read(0), self.shared.read(1), self.shared.read(2)];
        let mut stage = Stage::new([&*arenas[0], &*arenas[1], &*arenas[2]], now(), &self.shared.node);
        let mut answers = Vec::with_capacity(asks.len());
        for (kind, Ask { change, reply }) in asks {
            // A change that panics has put nothing into the stage but perhaps an entry of a log.
            let staged = catch_unwind(AssertUnwindSafe(|| stage.apply(change))).unwrap_or_else(|_panic| {
                tracing::error!(kind = kind.name(), "a change panicked");
                Err(Reason::Internal.into())
            });
            answers.push((reply, kind, staged));
        }
        (stage.finish(), answers)
    }

    async fn commit(&self, batch: &Batch, witness: &dyn Witness) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let done = self.shared.store.commit(batch).await;
        let counters = &self.shared.counters;
        witness.committed(started.elapsed());
        (if done.is_ok() { &counters.commits } else { &counters.commit_failures }).fetch_add(1, Ordering::Relaxed);
        counters.rows.fetch_add(batch.sessions.len() as u64, Ordering::Relaxed);
        done
    }

    /// Makes committed states the ones that are read.
    fn show(&mut self, records: Vec<(Arc<Record>, bool)>, hub: &Hub, witness: &dyn Witness) {
        let now = now();
        for (record, created) in records {
            let Some(place) = place(record.kind()) else { continue };
            if created {
                witness.record_created(&record);
                self.deadlines.extend(next_look(&record, now).map(Reverse));
            }
            if !record.status.is_end() {
                self.shared.write(place).put(record);
                continue;
            }
            witness.record_ended(&record);
            if let Body::Auth(_) = record.body {
                hub.revoke(record.id);
            }
            // In the cache before it is out of the arena: a reader finds it in one of them.
            self.shared.ended.keep(record.id, &Kept::Record(Arc::clone(&record)));
            self.shared.write(place).remove(record.id);
        }
    }

    /// The store has these fights.
    fn settle(&self, fights: &[Arc<FightInfo>]) {
        for fight in fights.iter().filter(|fight| fight.generic_status().is_end()) {
            self.shared.ended.keep(fight.id, &Kept::Fight(Arc::clone(fight)));
        }
        self.shared.book.committed(fights);
    }

    /// Changes that are due by themselves.
    fn due(&mut self) -> Vec<Change> {
        let now = now();
        for sid in self.shared.book.take_used_logins() {
            if let Some(login) = self.shared.live_of(Kind::Auth, sid) {
                login.see(now);
            }
        }
        let mut changes = Vec::new();
        while let Some(&Reverse((at, id))) = self.deadlines.peek()
            && at <= now
            && changes.len() < limits::CHANGES_PER_COMMIT
        {
            self.deadlines.pop();
            let Some(record) = (0..3).find_map(|place| self.shared.read(place).get(id).cloned()) else { continue };
            if record.expires_at().is_some_and(|expires_at| expires_at <= now) {
                self.shared.counters.expired.fetch_add(1, Ordering::Relaxed);
                changes.push(Change::Expire { id });
                // Looked at again in case that this is not committed.
                self.deadlines.push(Reverse((now + limits::STORE_WAIT_MS, id)));
                continue;
            }
            if let Body::Auth(login) = &record.body
                && record.seen_at() > login.seen_at
            {
                changes.push(Change::Touch { id });
            }
            self.deadlines.extend(next_look(&record, now).map(Reverse));
        }
        changes
    }

    /// Adds what makes sure that the store has nothing of earlier commits that were not answered.
    fn add_doubtful(&self, batch: &mut Batch) {
        let staged: HashSet<Uuid> = batch.sessions.iter().map(|row| row.id).collect();
        let with_players: HashSet<Uuid> = batch.players.iter().map(|row| row.session).collect();
        for (&id, players) in &self.doubt.sessions {
            let record = (0..3).find_map(|place| self.shared.read(place).get(id).cloned());
            match record {
                Some(record) => {
                    batch.left.extend(players.iter().filter(|player| !record.concerns(**player)).map(|&p| (id, p)));
                    if !staged.contains(&id) {
                        batch.sessions.push(record.row(&self.shared.node));
                        batch.players.extend(record.player_rows());
                    } else if !with_players.contains(&id) {
                        batch.players.extend(record.player_rows());
                    }
                }
                None => batch.undone.push(id),
            }
        }
        let kept: HashSet<[u8; 16]> = batch.keys.iter().map(|key| key.hash).collect();
        batch.undone_keys.extend(self.doubt.keys.iter().filter(|hash| !kept.contains(*hash)));
    }

    fn remember_doubt(&mut self, staged: &Staged) {
        for (record, _) in &staged.records {
            let players = self.doubt.sessions.entry(record.id).or_default();
            players.extend(record.player_rows().map(|row| row.player));
            players.sort_unstable();
            players.dedup();
        }
        // The answer to what has taken effect is true whether it was kept or not: only a key without its effect is in doubt.
        let created = |session| staged.records.iter().any(|(record, _)| record.id == session);
        let keys = staged.batch.keys.iter().filter(|key| key.answer.is_none() || created(key.session));
        self.doubt.keys.extend(keys.map(|key| key.hash));
    }

    /// Fights that the store believes alive and no shard has: their log was lost. They end.
    async fn end_lost_fights(&self, hub: &Hub) {
        for status in [Status::Active, Status::Paused] {
            let mut rows = Pages::new(Kind::Combat, status);
            loop {
                let row = match rows.next(&*self.shared.store).await {
                    Ok(Some(row)) => row,
                    Ok(None) => break,
                    Err(error) => return tracing::warn!(%error, "fights without a log could not be looked for"),
                };
                let known = !hub.read(row.id).await.is_err_and(|refusal| refusal.reason == Reason::NoSession);
                match fights::of(&row) {
                    _ if known => {}
                    Ok(fight) => {
                        tracing::warn!(session = %row.id, "a fight's log is gone; it is ended");
                        self.shared.book.put(fights::lost(fight, SystemTime::now()), News::Ended);
                    }
                    Err(error) => tracing::error!(%error, "a fight's log is gone, and its row cannot be read"),
                }
            }
        }
    }

    async fn sweep(&self, retention_ms: u64, buckets: [(i32, i64); 4]) {
        let now = now();
        let before = |age: u64| now.saturating_sub(age).cast_signed();
        let past = Past { ended: before(retention_ms), keys: before(limits::KEY_MS), buckets };
        match self.shared.store.sweep(past, limits::SWEEP_ROWS).await {
            Ok(swept) => {
                self.shared.counters.swept.fetch_add(swept, Ordering::Relaxed);
            }
            Err(error) => tracing::warn!(%error, "what is past its time could not be deleted"),
        }
    }
}

/// When a session has to be looked at.
fn next_look(record: &Record, now: u64) -> Option<(u64, Uuid)> {
    let expires_at = record.expires_at()?;
    let at = match record.body {
        Body::Auth(_) => expires_at.min(now + limits::TOUCH_MS),
        Body::Player(_) | Body::Custom(_) => expires_at,
    };
    Some((at, record.id))
}

fn refuse(asks: Vec<(Kind, Ask)>, error: &StoreError) {
    for (_, ask) in asks {
        let _ = ask.reply.send(Err(Refusal::from(error.clone())));
    }
}

fn answer(shared: &Shared, answers: Answers) {
    for (reply, kind, answer) in answers {
        let counters = &shared.counters;
        let counted = if answer.is_ok() { &counters.changes } else { &counters.refused };
        counted[kind as usize].fetch_add(1, Ordering::Relaxed);
        // A receiver that is gone has stopped waiting.
        let _ = reply.send(answer);
    }
}
