//! Who has sent how much lately: governor's state for every key, in a map that has a bound.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use governor::nanos::Nanos;
use governor::state::StateStore;
use governor::state::keyed::ShrinkableKeyedStateStore;

/// The state of every key. governor's own stores have no bound, and whoever has a network of IPv6 has any number of
/// addresses. Who comes when it is full shares one state with all others who do, until [`super::RateLimits::forget`] has
/// made room: memory is bounded, nobody is let through uncounted, and those who were known before feel nothing of it.
pub(super) struct Keys<K> {
    known: Mutex<Known<K>>,
    most: usize,
}

struct Known<K> {
    times: HashMap<K, Nanos>,
    newcomers: Option<Nanos>,
}

impl<K> Keys<K> {
    pub(super) fn new(most: usize) -> Self {
        Self { known: Mutex::new(Known { times: HashMap::new(), newcomers: None }), most }
    }

    /// Held for as long as it takes to look one key up; once every few seconds for as long as it takes to walk all.
    fn lock(&self) -> MutexGuard<'_, Known<K>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq + Clone> StateStore for Keys<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let mut known = self.lock();
        let room = known.times.len() < self.most;
        if let Some(time) = known.times.get_mut(key) {
            let (decision, next) = decide(Some(*time))?;
            *time = next;
            Ok(decision)
        } else if room {
            let (decision, next) = decide(None)?;
            known.times.insert(key.clone(), next);
            Ok(decision)
        } else {
            let (decision, next) = decide(known.newcomers)?;
            known.newcomers = Some(next);
            Ok(decision)
        }
    }
}

impl<K: Hash + Eq + Clone> ShrinkableKeyedStateStore<K> for Keys<K> {
    fn retain_recent(&self, drop_below: Nanos) {
        let mut known = self.lock();
        known.times.retain(|_, time| *time > drop_below);
        let wanted = known.times.len() * 2;
        known.times.shrink_to(wanted);
    }

    fn shrink_to_fit(&self) {
        self.lock().times.shrink_to_fit();
    }

    fn len(&self) -> usize {
        self.lock().times.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K> fmt::Debug for Keys<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("most", &self.most).finish_non_exhaustive()
    }
}
