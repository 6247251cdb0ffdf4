//! The one that writes to the store: many changes in one transaction, shown and answered after it.

use crate::session::PerKind;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tiltyard_protocol::Reason;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::body::Body;
use super::change::{Ask, Change, Changed};
use super::chores::Chores;
use super::ended::Kept;
use super::keys::Running;
use super::observer::RecordObserver;
use super::record::Record;
use super::stage::{Stage, Staged};
use super::{Shared, fights};
use crate::clock::now_ms;
use crate::hub::Hub;
use crate::limits;
use crate::session::{FightInfo, Kind, Refusal, Status};
use crate::shard::room::desk::Changed as Step;
use crate::store::{Batch, BucketRow, Past, StoreError};

/// Commits what is asked of [`super::Records`].
#[derive(Debug)]
pub struct Committer {
    shared: Arc<Shared>,
    /// As the types are numbered.
    queues: Vec<mpsc::Receiver<Ask>>,
    /// When to look at a session again: when its time may be over, or when its use is to be kept. One entry for each.
    deadlines: BinaryHeap<Reverse<(u64, Uuid)>>,
    /// Nothing is committed before this, and how changes are refused until then. Set while the last commit failed.
    paused: Option<(Instant, Refusal)>,
    /// Sessions that the store has with other times, until it is told.
    set_back: Vec<Uuid>,
    /// Milliseconds for which the process did not run, as far as sessions have been given them.
    stood_ms: u64,
}

/// An answer that waits for the commit.
#[derive(Debug)]
struct Answered {
    reply: oneshot::Sender<Result<Changed, Refusal>>,
    kind: Kind,
    answer: Result<Changed, Refusal>,
    /// Let go of once the store has the key, or it is known to be in doubt.
    _running: Option<Running>,
}

impl Committer {
    pub(super) fn new(shared: Arc<Shared>, queues: Vec<mpsc::Receiver<Ask>>, set_back: Vec<Uuid>, now: u64) -> Self {
        let mut deadlines = BinaryHeap::new();
        for kind in Kind::RESIDENT {
            let residents = shared.read(kind);
            deadlines.extend(residents.all().filter_map(|record| next_look(record, now)).map(Reverse));
        }
        Self { shared, queues, deadlines, paused: None, set_back, stood_ms: 0 }
    }

    /// Runs until `stop`, then commits what is left.
    pub async fn run(
        mut self,
        hub: Hub,
        observer: Arc<dyn RecordObserver>,
        retention_ms: u64,
        stop: CancellationToken,
    ) {
        let (wake, mut chores) = (Arc::clone(&self.shared.wake), Chores::default());
        loop {
            let stopping = tokio::select! {
                biased;
                () = stop.cancelled() => true,
                () = wake.notified() => false,
                () = tokio::time::sleep(chores.until_next()) => false,
            };
            // What is due is decided by the clock and not by what woke this: under load there is always another change.
            let mut own = if chores.looks() { self.due(now_ms()) } else { VecDeque::new() };
            own.extend(std::mem::take(&mut self.set_back).into_iter().map(|id| Change::Keep { id }));
            let mut buckets = if stopping || chores.keeps() { observer.buckets() } else { Vec::new() };
            loop {
                self.shared.beat.beat();
                let some: Vec<Change> = own.drain(..own.len().min(limits::CHANGES_PER_COMMIT)).collect();
                let committed = self.round(&hub, &*observer, some, std::mem::take(&mut buckets)).await;
                let interrupted = !stopping && own.is_empty() && (chores.until_next().is_zero() || stop.is_cancelled());
                if !committed || interrupted {
                    break;
                }
            }
            if stopping {
                return;
            }
            if self.paused.is_none() && chores.sweeps() {
                chores.swept(self.sweep(retention_ms, observer.past_buckets(), chores.sweep_rows).await);
            }
            if self.queues.iter().any(|queue| !queue.is_empty()) {
                // Their wake-ups may have been used up.
                wake.notify_one();
            }
        }
    }

    /// Commits once; `false` where there was nothing to commit, or it could not be.
    async fn round(
        &mut self,
        hub: &Hub,
        observer: &dyn RecordObserver,
        own: Vec<Change>,
        buckets: Vec<BucketRow>,
    ) -> bool {
        let mut asks = self.gather(own);
        let mut takes_back = false;
        if let Some((until, refusal)) = &self.paused {
            let waits = *until > Instant::now();
            // No more than one commit can take back is ever in doubt.
            takes_back = self.shared.doubt().is_full();
            if waits || takes_back {
                for (_, ask) in asks.drain(..) {
                    let _ = ask.reply.send(Err(refusal.clone()));
                }
            }
            if waits {
                observer.not_kept(&buckets);
                return false;
            }
        }
        let fights = self.shared.book.take(limits::CHANGES_PER_COMMIT);
        let replays = self.shared.book.replay_queue().take();
        let nothing = asks.is_empty() && fights.is_empty() && buckets.is_empty() && replays.replays.is_empty();
        if nothing && !takes_back {
            return false;
        }
        let (mut staged, answers) = self.stage(asks);
        for fight in &fights {
            staged.batch.sessions.push(fights::row(fight, &self.shared.node));
            staged.batch.players.extend(fights::player_rows(fight));
            staged.batch.left.extend(fight.gone.iter().map(|&player| (fight.id, player)));
        }
        staged.batch.buckets = buckets;
        (staged.batch.replays, staged.batch.rulesets) = (replays.replays, replays.rulesets);
        self.add_doubtful(&mut staged);
        match self.commit(&staged.batch, observer).await {
            Ok(fenced) => {
                if self.paused.take().is_some() {
                    tracing::info!("the store commits again");
                }
                self.shared.doubt().clear();
                self.show(staged.records, staged.steps, hub, observer);
                self.settle(&fights, &staged.batch, &fenced);
                for session in fenced {
                    hub.fence(session);
                }
                answer(&self.shared, answers);
                true
            }
            Err(error) => {
                if self.paused.is_none() {
                    tracing::error!(%error, "the store does not commit; changes are refused until it does");
                }
                self.remember_doubt(&staged);
                observer.not_kept(&staged.batch.buckets);
                self.shared.book.failed(fights);
                self.shared.book.replay_queue().put_back(std::mem::take(&mut staged.batch.replays));
                let refusal = Refusal::from(error);
                self.paused = Some((Instant::now() + Duration::from_millis(limits::STORE_PAUSE_MS), refusal.clone()));
                for Answered { reply, kind, .. } in answers {
                    self.shared.counters.refused[kind].fetch_add(1, Ordering::Relaxed);
                    let _ = reply.send(Err(refusal.clone()));
                }
                false
            }
        }
    }

    /// Some of every type, so that no type waits for another's queue.
    fn gather(&mut self, own: Vec<Change>) -> Vec<(Kind, Ask)> {
        let mut asks: Vec<(Kind, Ask)> = own
            .into_iter()
            .map(|change| (Kind::Auth, Ask { change, reply: oneshot::channel().0, running: None }))
            .collect();
        for (kind, queue) in Kind::ALL.into_iter().zip(&mut self.queues) {
            let taken = std::iter::from_fn(|| queue.try_recv().ok()).take(limits::CHANGES_PER_COMMIT);
            asks.extend(taken.map(|ask| (kind, ask)));
        }
        asks
    }

    fn stage(&self, asks: Vec<(Kind, Ask)>) -> (Staged, Vec<Answered>) {
        let residents = PerKind::from_fn(|kind| self.shared.read(kind));
        let mut stage = Stage::new(PerKind::from_fn(|kind| &*residents[kind]), now_ms(), &self.shared.node);
        stage = stage.watching(&self.shared.watches);
        let mut answers = Vec::with_capacity(asks.len());
        for (kind, Ask { change, reply, running }) in asks {
            // A change that panics has put nothing into the stage but perhaps an entry of a log.
            let answer = catch_unwind(AssertUnwindSafe(|| stage.apply(change))).unwrap_or_else(|_panic| {
                tracing::error!(kind = kind.name(), "a change panicked");
                Err(Reason::Internal.into())
            });
            answers.push(Answered { reply, kind, answer, _running: running });
        }
        (stage.finish(), answers)
    }

    async fn commit(&self, batch: &Batch, observer: &dyn RecordObserver) -> Result<Vec<Uuid>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let started = Instant::now();
        let done = self.shared.store.commit(batch).await;
        let counters = &self.shared.counters;
        observer.committed(started.elapsed());
        (if done.is_ok() { &counters.commits } else { &counters.commit_failures }).fetch_add(1, Ordering::Relaxed);
        counters.rows.fetch_add(batch.sessions.len() as u64, Ordering::Relaxed);
        done
    }

    /// Makes committed states the ones that are read.
    fn show(
        &mut self,
        records: Vec<(Arc<Record>, bool)>,
        mut steps: HashMap<Uuid, Vec<Step>>,
        hub: &Hub,
        observer: &dyn RecordObserver,
    ) {
        let now = now_ms();
        for (record, created) in records {
            let kind = record.kind();
            if created {
                observer.record_created(&record);
                self.deadlines.extend(next_look(&record, now).map(Reverse));
            }
            if !record.status.is_end() {
                let closes = matches!(record.body, Body::Auth(_)) && record.status != Status::Active;
                let id = record.id;
                self.shared.write(kind).put(Arc::clone(&record));
                self.shared.tell_room(hub, &record, steps.remove(&id).unwrap_or_default());
                if closes {
                    // A paused login admits nobody, and so keeps nobody.
                    hub.revoke(id);
                }
                continue;
            }
            observer.record_ended(&record);
            // In the cache before it is resident no more: a reader finds it in one of them.
            self.shared.ended.keep(record.id, &self.shared.own(Kept::Record(Arc::clone(&record))));
            self.shared.write(kind).remove(record.id);
            self.shared.tell_room(hub, &record, Vec::new());
            // Last: whoever attaches a socket looks among the residents after that, and finds the login gone or is told here.
            if let Body::Auth(_) = record.body {
                hub.revoke(record.id);
            }
        }
    }

    /// The store has these fights, and the batch's replays, but for those that it has under a higher epoch: nothing more of them is tried.
    fn settle(&self, fights: &[Arc<FightInfo>], batch: &Batch, fenced: &[Uuid]) {
        let sessions: Vec<Uuid> = batch.replays.iter().map(|row| row.session).collect();
        let rulesets: Vec<[u8; 32]> = batch.rulesets.iter().map(|row| row.hash).collect();
        self.shared.book.replay_queue().committed(&sessions, &rulesets);
        for fight in fights.iter().filter(|fight| fight.has_ended() && !fenced.contains(&fight.id)) {
            self.shared.ended.keep(fight.id, &self.shared.own(Kept::Fight(Arc::clone(fight))));
        }
        self.shared.book.committed(fights);
    }

    /// Changes that are due by themselves.
    pub(super) fn due(&mut self, now: u64) -> VecDeque<Change> {
        let stood_ms = self.shared.ran(now);
        let by = stood_ms - std::mem::replace(&mut self.stood_ms, stood_ms);
        if by > 0 {
            tracing::warn!(
                by_ms = by,
                "the process did not run; sessions that end for want of a sign of life or a change do so that much later"
            );
            for kind in Kind::RESIDENT {
                self.shared.read(kind).all().for_each(|record| record.put_off(by, now));
            }
        }
        for sid in self.shared.book.take_used_logins() {
            if let Some(login) = self.shared.live_of(Kind::Auth, sid) {
                login.see(now);
            }
        }
        let mut changes = VecDeque::new();
        while let Some(&Reverse((at, id))) = self.deadlines.peek()
            && at <= now
            && changes.len() < limits::CHANGES_DUE
        {
            self.deadlines.pop();
            let Some(record) = self.shared.resident(id) else { continue };
            if record.expires_at().is_some_and(|expires_at| expires_at <= now) {
                if matches!(record.body, Body::Custom(_)) && self.shared.watches.has(id) {
                    // Somebody is connected to it, which is a use like a change.
                    changes.push_back(Change::Touch { id });
                    self.deadlines.push(Reverse((now + limits::STORE_WAIT_MS, id)));
                    continue;
                }
                self.shared.counters.expired.fetch_add(1, Ordering::Relaxed);
                changes.push_back(Change::Expire { id });
                // Looked at again in case that this is not committed.
                self.deadlines.push(Reverse((now + limits::STORE_WAIT_MS, id)));
                continue;
            }
            if let Body::Auth(login) = &record.body
                && record.seen_at() > login.seen_at
            {
                changes.push_back(Change::Touch { id });
            }
            self.deadlines.extend(next_look(&record, now).map(Reverse));
        }
        changes
    }

    /// Adds what makes sure that the store has nothing of earlier commits that were not answered.
    fn add_doubtful(&self, staged: &mut Staged) {
        let doubt = self.shared.doubt();
        if doubt.is_empty() {
            return;
        }
        let batch = &mut staged.batch;
        // What only the content of a session was to be changed of may stand with another status.
        let (doubtful, sound): (Vec<_>, Vec<_>) =
            std::mem::take(&mut batch.contents).into_iter().partition(|row| doubt.sessions.contains_key(&row.id));
        batch.sessions.extend(doubtful);
        batch.contents = sound;
        let staged: HashMap<Uuid, &Arc<Record>> =
            staged.records.iter().map(|(record, _)| (record.id, record)).collect();
        let with_players: HashSet<Uuid> = batch.players.iter().map(|row| row.session).collect();
        for (&id, players) in &doubt.sessions {
            let new_state = staged.get(&id).map(|&record| Arc::clone(record));
            let is_staged = new_state.is_some();
            let resident = || self.shared.resident(id);
            let Some(record) = new_state.or_else(resident) else {
                batch.undone.push(id);
                continue;
            };
            batch.left.extend(players.iter().filter(|player| !record.concerns(**player)).map(|&player| (id, player)));
            if !is_staged {
                batch.sessions.push(record.row(&self.shared.node));
            }
            if !with_players.contains(&id) {
                batch.players.extend(record.player_rows());
            }
        }
        let kept: HashSet<[u8; 16]> = batch.keys.iter().map(|key| key.hash).collect();
        batch.undone_keys.extend(doubt.keys.iter().filter(|hash| !kept.contains(*hash)));
    }

    /// Before anybody is told that the commit failed: who asks again must not find what will be taken back.
    fn remember_doubt(&self, staged: &Staged) {
        let mut doubt = self.shared.doubt();
        for (record, _) in &staged.records {
            let players = doubt.sessions.entry(record.id).or_default();
            players.extend(record.player_rows().map(|row| row.player));
            players.sort_unstable();
            players.dedup();
        }
        // The answer to what has taken effect is true whether it was kept or not: only a key without its effect is in doubt.
        let created = |session| staged.records.iter().any(|(record, _)| record.id == session);
        let keys = staged.batch.keys.iter().filter(|key| key.answer.is_none() || created(key.session));
        doubt.keys.extend(keys.map(|key| key.hash));
    }

    /// Deletes what is past its time; `false` where that took too long.
    async fn sweep(&self, retention_ms: u64, buckets: [(i32, i64); 4], rows: usize) -> bool {
        let now = now_ms();
        let before = |age: u64| now.saturating_sub(age).cast_signed();
        let past = Past { ended: before(retention_ms), keys: before(limits::KEY_MS), buckets };
        match self.shared.store.sweep(past, rows).await {
            Ok(swept) => {
                self.shared.counters.swept.fetch_add(swept, Ordering::Relaxed);
                true
            }
            Err(error) => {
                tracing::warn!(%error, rows, "what is past its time could not be deleted");
                false
            }
        }
    }
}

/// When a session has to be looked at.
fn next_look(record: &Record, now: u64) -> Option<(u64, Uuid)> {
    let expires_at = record.expires_at()?;
    Some((expires_at.min(now + record.body.of_type().look_ms()), record.id))
}

fn answer(shared: &Shared, answers: Vec<Answered>) {
    for Answered { reply, kind, answer, .. } in answers {
        let counters = &shared.counters;
        let counted = if answer.is_ok() { &counters.changes } else { &counters.refused };
        counted[kind].fetch_add(1, Ordering::Relaxed);
        if let Some(exceeded) = answer.as_ref().err().and_then(|refusal| refusal.quota) {
            shared.book.holdings().count(exceeded.quota);
        }
        // A receiver that is gone has stopped waiting.
        let _ = reply.send(answer);
    }
}
