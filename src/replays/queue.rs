//! Recordings of fights that have ended, until the store has their replays. Each is put together off the shards by one task,
//! which keeps no more of them in memory than the store can take.

use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tiltyard_combat::replay::Loss;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::recording::Recording;
use crate::limits;
use crate::ops::beat::Beat;
use crate::rules::Library;
use crate::store::{ReplayRow, RulesetRow};

/// Commits without replays after one that failed with some.
const PAUSE: u8 = 2;

/// Failures after which a replay is given up.
const FAILURES: u8 = 5;

/// Recordings and replays on their way into the store. Bounded by the sessions there can be: an ended one stays in its shard
/// until it is settled here.
#[derive(Debug, Default)]
pub struct ReplayQueue {
    places: Mutex<Places>,
    /// Wakes the task that puts recordings together.
    recorded: Notify,
    /// Wakes it where it waits for the store.
    room: Notify,
    /// Fights without a replay.
    failed: AtomicU64,
    /// Fights whose replay ends where a part of it could not be read.
    damaged: AtomicU64,
}

#[derive(Debug, Default)]
struct Places {
    waiting: HashMap<Uuid, Recording>,
    /// Being put together, or in a commit.
    busy: HashSet<Uuid>,
    ready: Vec<ReplayRow>,
    ready_bytes: usize,
    /// Texts of rulesets that replays need; `None` where the store has it.
    rulesets: HashMap<[u8; 32], Option<String>>,
    /// A commit without replays has succeeded since one with replays failed.
    sound: bool,
    /// Commits left that are to be tried without replays.
    pause: u8,
    /// How often a replay was in a commit that failed although others did not.
    failures: HashMap<Uuid, u8>,
}

/// What a commit takes from the queue.
#[derive(Debug, Default)]
pub struct Taken {
    pub replays: Vec<ReplayRow>,
    pub rulesets: Vec<RulesetRow>,
}

impl ReplayQueue {
    /// Puts the recording of a fight that has ended here, in place of an earlier one of the same fight.
    pub fn put(&self, recording: Recording) {
        let mut places = self.lock();
        if !places.busy.contains(&recording.session) {
            places.waiting.insert(recording.session, recording);
            self.recorded.notify_one();
        }
    }

    /// Whether nothing of the fight is here any more.
    pub fn is_settled(&self, session: Uuid) -> bool {
        let places = self.lock();
        !places.waiting.contains_key(&session) && !places.busy.contains(&session)
    }

    /// Fights whose replays the store does not have yet.
    pub fn waiting(&self) -> usize {
        let places = self.lock();
        places.waiting.len() + places.busy.len()
    }

    /// Fights whose replay ends before them, where a part of it could not be read.
    pub fn damaged(&self) -> u64 {
        self.damaged.load(Ordering::Relaxed)
    }

    /// Fights that have no replay, because nothing of it could be read or the store does not take it.
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Takes replays out to be committed: at least one, where there is one, and not many bytes more than a commit should have.
    pub fn take(&self) -> Taken {
        let mut places = self.lock();
        let mut taken = Taken::default();
        if places.pause > 0 {
            places.pause -= 1;
            return taken;
        }
        let mut bytes = 0;
        while bytes < limits::REPLAY_BYTES_PER_COMMIT
            && let Some(row) = places.ready.pop()
        {
            places.ready_bytes -= row.data.len();
            bytes += row.data.len();
            if let Some(Some(text)) = places.rulesets.get(&row.ruleset)
                && !taken.rulesets.iter().any(|taken| taken.hash == row.ruleset)
            {
                taken.rulesets.push(RulesetRow { hash: row.ruleset, text: text.clone() });
            }
            taken.replays.push(row);
        }
        taken
    }

    /// A commit with these sessions' replays and these rulesets succeeded.
    pub fn committed(&self, sessions: &[Uuid], rulesets: &[[u8; 32]]) {
        let mut places = self.lock();
        places.sound |= sessions.is_empty();
        for hash in rulesets {
            places.rulesets.insert(*hash, None);
        }
        for session in sessions {
            places.busy.remove(session);
            places.failures.remove(session);
        }
        self.room.notify_one();
    }

    /// The commit with these replays failed: they are ready again, and wait while others are tried without them. One with
    /// which commits fail again and again that succeed without it is given up, so that it does not stand in the way.
    pub fn put_back(&self, replays: Vec<ReplayRow>) {
        if replays.is_empty() {
            return;
        }
        let mut places = self.lock();
        let blamed = std::mem::take(&mut places.sound);
        places.pause = PAUSE;
        for row in replays {
            let failures = places.failures.entry(row.session).or_default();
            *failures += u8::from(blamed);
            if *failures < FAILURES {
                places.ready_bytes += row.data.len();
                places.ready.push(row);
                continue;
            }
            tracing::error!(session = %row.session, bytes = row.data.len(), "the store does not take a fight's replay; it has none");
            places.failures.remove(&row.session);
            places.busy.remove(&row.session);
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Puts recordings together until `stop`; `wake` tells the committer.
    pub async fn run(
        self: Arc<Self>,
        library: Arc<Library>,
        wake: Arc<Notify>,
        stop: CancellationToken,
        beat: Arc<Beat>,
    ) {
        loop {
            let some = self.begin();
            let room = self.has_room();
            if some.is_empty() {
                let next = if room { &self.recorded } else { &self.room };
                if beat.idle(stop.run_until_cancelled(next.notified())).await.is_none() {
                    return;
                }
                continue;
            }
            let (this, texts, beat) = (Arc::clone(&self), Arc::clone(&library), Arc::clone(&beat));
            let work = move || {
                for one in some {
                    beat.beat();
                    this.alone(one.session, || this.assemble(one, &texts));
                }
            };
            // The runtime alone can end it, with everything else.
            let _ = tokio::task::spawn_blocking(work).await;
            wake.notify_one();
        }
    }

    fn has_room(&self) -> bool {
        self.lock().ready_bytes < limits::REPLAY_BYTES_READY
    }

    fn begin(&self) -> Vec<Recording> {
        let mut places = self.lock();
        if places.ready_bytes >= limits::REPLAY_BYTES_READY {
            return Vec::new();
        }
        // One at least, and no more at once than there may be in memory.
        let mut room = limits::REPLAY_BYTES_READY - places.ready_bytes;
        let fits = |(_, recording): &(&Uuid, &Recording)| {
            let fits = room > 0;
            room = room.saturating_sub(recording.tape_bytes());
            fits
        };
        let some = places.waiting.iter().take_while(fits).take(limits::REPLAYS_AT_ONCE);
        let ids: Vec<Uuid> = some.map(|(&id, _)| id).collect();
        places.busy.extend(&ids);
        ids.iter().filter_map(|id| places.waiting.remove(id)).collect()
    }

    /// A fight whose replay makes `work` panic has none, and stands in nobody's way.
    fn alone(&self, session: Uuid, work: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(work)).is_err() {
            tracing::error!(%session, "putting a fight's replay together panicked; it has none");
            self.failed.fetch_add(1, Ordering::Relaxed);
            self.lock().busy.remove(&session);
        }
    }

    fn assemble(&self, recording: Recording, library: &Library) {
        let (session, ruleset) = (recording.session, recording.hash);
        match recording.assemble(|| library.by_hash(&ruleset)) {
            Ok(replay) => {
                if replay.cut.is_some_and(|cut| cut.loss == Loss::Damaged) {
                    self.damaged.fetch_add(1, Ordering::Relaxed);
                }
                let data = replay.encode();
                let mut places = self.lock();
                places.rulesets.entry(ruleset).or_insert_with(|| library.text(&ruleset).map(str::to_owned));
                places.ready_bytes += data.len();
                places.ready.push(ReplayRow { session, ruleset, data });
            }
            Err(error) => {
                tracing::warn!(%session, %error, "a fight's replay cannot be read; it has none");
                self.failed.fetch_add(1, Ordering::Relaxed);
                self.lock().busy.remove(&session);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        // Nothing panics while it is held.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{ReplayQueue, Uuid};

    #[test]
    fn a_panic_costs_one_fight_its_replay() {
        let replay_queue = ReplayQueue::default();
        let [one, other] = [1, 2].map(Uuid::from_u128);
        replay_queue.lock().busy.extend([one, other]);
        replay_queue.alone(one, || panic!("planted"));
        assert!(replay_queue.is_settled(one) && !replay_queue.is_settled(other));
        assert_eq!((replay_queue.failed(), replay_queue.waiting()), (1, 1));
    }
}
