//! Whether what goes round still does. A loop that hangs does not panic and does not end: nothing tells of it but that it is silent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{clock, limits};

/// When a loop last went round, for whoever wants to know from another thread.
#[derive(Debug)]
pub struct Beat {
    /// In Unix milliseconds; [`IDLE`] while it has nothing to do.
    at: AtomicU64,
    /// Milliseconds in which it goes round.
    within_ms: u64,
}

/// It waits for something to do, however long.
const IDLE: u64 = u64::MAX;

impl Default for Beat {
    /// It has just gone round.
    fn default() -> Self {
        Self::within(limits::BEAT_MS)
    }
}

impl Beat {
    /// Of a loop that goes round in so many milliseconds where it has something to do; it has just done so.
    pub fn within(within_ms: u64) -> Self {
        Self { at: AtomicU64::new(clock::now_ms()), within_ms }
    }

    /// It goes round.
    pub fn beat(&self) {
        self.at.store(clock::now_ms(), Ordering::Relaxed);
    }

    /// Waits for something to do: it does not hang meanwhile, and goes round then.
    pub async fn idle<T>(&self, something: impl Future<Output = T>) -> T {
        self.done();
        let something = something.await;
        self.beat();
        something
    }

    /// It has nothing to do any more.
    pub fn done(&self) {
        self.at.store(IDLE, Ordering::Relaxed);
    }

    /// Whether it has not for so long that it hangs.
    pub fn is_late(&self) -> bool {
        self.is_late_at(clock::now_ms())
    }

    fn is_late_at(&self, now: u64) -> bool {
        now.saturating_sub(self.at.load(Ordering::Relaxed)) > self.within_ms
    }

    /// It has not gone round since the beginning of time.
    #[cfg(test)]
    pub fn stop(&self) {
        self.at.store(0, Ordering::Relaxed);
    }
}

/// Every loop of the process that is no shard's, by name.
#[derive(Debug, Default)]
pub struct Beats(Mutex<Vec<(&'static str, Arc<Beat>)>>);

impl Beats {
    /// One more loop of that name.
    pub fn add(&self, name: &'static str, beat: Arc<Beat>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((name, beat));
    }

    /// How many of each name hang.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        let mut all = BTreeMap::new();
        for (name, beat) in &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            *all.entry(*name).or_default() += u64::from(beat.is_late());
        }
        all
    }

    /// The names of those that hang.
    pub fn hanging(&self) -> Vec<&'static str> {
        self.all().into_iter().filter(|(_, hanging)| *hanging > 0).map(|(name, _)| name).collect()
    }

    /// Has all loops of that name hang until they go round.
    #[cfg(test)]
    pub fn stop(&self, name: &str) {
        let all = self.0.lock().unwrap();
        let mut found = all.iter().filter(|(of, _)| *of == name).peekable();
        assert!(found.peek().is_some(), "there is no loop {name}");
        found.for_each(|(_, beat)| beat.stop());
    }
}

#[cfg(test)]
mod tests {
    use super::{Beat, Beats};
    use crate::{clock, limits};
    use std::sync::Arc;

    #[tokio::test]
    async fn who_waits_for_something_to_do_is_not_late_and_each_has_its_own_time() {
        let (short, long, now) = (Beat::default(), Beat::within(60_000), clock::now_ms());
        assert!(short.is_late_at(now + 30_000) && !long.is_late_at(now + 30_000) && long.is_late_at(now + 70_000));
        short.stop();
        short
            .idle(async {
                assert!(!short.is_late_at(now + 600_000));
            })
            .await;
        assert!(!short.is_late() && short.is_late_at(now + 600_000), "it has something to do");
        short.done();
        assert!(!short.is_late_at(now + 600_000));
    }

    #[test]
    fn all_that_hang_are_named_once() {
        let (beats, [one, other, third]) = (Beats::default(), [(); 3].map(|()| Arc::new(Beat::default())));
        for (name, beat) in [("rooms", &one), ("rooms", &other), ("keys", &third)] {
            beats.add(name, Arc::clone(beat));
        }
        assert!(beats.hanging().is_empty());
        for beat in [one, other] {
            beat.stop();
        }
        assert_eq!(beats.hanging(), ["rooms"]);
        assert_eq!(beats.all().into_iter().collect::<Vec<_>>(), [("keys", 0), ("rooms", 2)]);
    }

    #[test]
    fn what_has_not_gone_round_for_long_is_late_until_it_does() {
        let (beat, now) = (Beat::default(), clock::now_ms());
        assert!(!beat.is_late() && !beat.is_late_at(0) && !beat.is_late_at(now));
        assert!(beat.is_late_at(now + limits::BEAT_MS + 60_000));
        beat.stop();
        assert!(beat.is_late());
        beat.beat();
        assert!(!beat.is_late());
    }
}
