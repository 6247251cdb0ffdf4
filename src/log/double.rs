//! A log for tests, which say when it answers what. Behind it is a store with a mind of its own, as on another machine: it knows again
//! what it has, takes nothing out of order, and shuts sessions out.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use uuid::Uuid;

use super::{Append, Key, Outcome, TurnNo};

/// A turn's entries as bytes, each under its key.
type Batch = Vec<(Key, Vec<u8>)>;

/// The shard's end.
#[derive(Debug)]
pub struct Double {
    batch: Batch,
    turn: TurnNo,
    /// What turns had whose outcome is not known.
    unknown: BTreeMap<TurnNo, Batch>,
    store: Arc<Store>,
}

/// The test's end.
#[derive(Debug, Default)]
pub struct Store(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Turns wait until the test says what becomes of them.
    is_late: bool,
    is_stalled: bool,
    /// What was handed in, and has no outcome.
    waiting: BTreeMap<TurnNo, Batch>,
    outcomes: VecDeque<Outcome>,
    /// Turns whose outcome the shard is about to be told is unknown.
    lost: BTreeMap<TurnNo, Batch>,
    kept: HashMap<Uuid, Batch>,
    fenced: HashSet<Uuid>,
    /// Entries that came again.
    known_again: usize,
}

impl Double {
    /// A log, and the store behind it, which answers at once until it is told otherwise.
    pub fn new() -> (Self, Arc<Store>) {
        let store = Arc::new(Store::default());
        (Self { batch: Vec::new(), turn: 0, unknown: BTreeMap::new(), store: Arc::clone(&store) }, store)
    }

    pub fn push(&mut self, key: Key, entry: &impl Append) {
        let mut bytes = Vec::new();
        entry.append_to(&mut bytes);
        self.batch.push((key, bytes));
    }

    pub fn has_batch(&self) -> bool {
        !self.batch.is_empty()
    }

    pub fn seal(&mut self) -> TurnNo {
        self.turn += 1;
        let (mut store, batch) = (self.store.lock(), std::mem::take(&mut self.batch));
        if batch.is_empty() {
            store.outcomes.push_back(Outcome::Kept(self.turn));
        } else {
            store.waiting.insert(self.turn, batch);
            if !store.is_late {
                store.keep(self.turn);
            }
        }
        self.turn
    }

    pub fn poll(&mut self) -> Option<Outcome> {
        let mut store = self.store.lock();
        if store.is_stalled {
            return Some(Outcome::Stalled(io::ErrorKind::TimedOut.into()));
        }
        let outcome = store.outcomes.pop_front();
        if let Some(Outcome::Unknown(turn)) = outcome {
            self.unknown.extend(store.lost.remove_entry(&turn));
        }
        outcome
    }

    pub fn again(&mut self, turn: TurnNo) {
        let batch = self.unknown.remove(&turn).expect("a turn whose outcome is unknown");
        self.store.lock().waiting.insert(turn, batch);
    }
}

impl State {
    fn keep(&mut self, turn: TurnNo) {
        let batch = self.waiting.remove(&turn).expect("a turn that waits");
        self.take(&batch);
        self.outcomes.push_back(Outcome::Kept(turn));
    }

    fn take(&mut self, batch: &Batch) {
        for (key, bytes) in batch.iter().filter(|(key, _)| !self.fenced.contains(&key.session)) {
            let kept = self.kept.entry(key.session).or_default();
            if let Some((_, before)) = kept.iter().find(|(before, _)| before.number == key.number) {
                assert_eq!(before, bytes, "another entry under a number that one has: {key:?}");
                self.known_again += 1;
                continue;
            }
            // One that somebody else has had goes on from what it was there.
            let first = if key.epoch == 1 { 0 } else { key.number };
            let next = kept.last().map_or(first, |(last, _)| last.number + 1);
            assert_eq!(key.number, next, "a gap before {key:?}");
            kept.push((*key, bytes.clone()));
        }
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no test goes on after a panic")
    }

    /// From now on turns wait for what the test says.
    pub fn be_late(&self) {
        self.lock().is_late = true;
    }

    /// From now on turns are kept at once, and so are those that wait.
    pub fn be_prompt(&self) {
        let mut store = self.lock();
        store.is_late = false;
        for turn in store.waiting.keys().copied().collect::<Vec<_>>() {
            store.keep(turn);
        }
    }

    /// Takes nothing, or does again.
    pub fn stall(&self, is_stalled: bool) {
        self.lock().is_stalled = is_stalled;
    }

    /// The turns that wait.
    pub fn waiting(&self) -> Vec<TurnNo> {
        self.lock().waiting.keys().copied().collect()
    }

    /// Keeps a turn, and says so.
    pub fn keep(&self, turn: TurnNo) {
        self.lock().keep(turn);
    }

    /// Keeps a turn, or does not, and the answer is lost.
    pub fn lose(&self, turn: TurnNo, is_kept: bool) {
        let mut store = self.lock();
        let batch = store.waiting.remove(&turn).expect("a turn that waits");
        if is_kept {
            store.take(&batch);
        }
        store.lost.insert(turn, batch);
        store.outcomes.push_back(Outcome::Unknown(turn));
    }

    /// The session is somebody else's from now on.
    pub fn fence(&self, session: Uuid) {
        let mut store = self.lock();
        store.fenced.insert(session);
        store.outcomes.push_back(Outcome::Fenced(session));
    }

    /// How many entries it has of a session.
    pub fn kept(&self, session: Uuid) -> usize {
        self.lock().kept.get(&session).map_or(0, Vec::len)
    }

    /// How many entries came again that it had.
    pub fn known_again(&self) -> usize {
        self.lock().known_again
    }
}
