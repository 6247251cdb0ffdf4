//! Whether what goes round still does. A loop that hangs does not panic and does not end: nothing tells of it but that it is silent.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{clock, limits};

/// When a loop last went round, for whoever wants to know from another thread.
#[derive(Debug)]
pub struct Beat(AtomicU64);

impl Default for Beat {
    /// It has just gone round.
    fn default() -> Self {
        Self(AtomicU64::new(clock::now_ms()))
    }
}

impl Beat {
    /// It goes round.
    pub fn beat(&self) {
        self.0.store(clock::now_ms(), Ordering::Relaxed);
    }

    /// Whether it has not for so long that it hangs.
    pub fn is_late(&self) -> bool {
        self.is_late_at(clock::now_ms())
    }

    fn is_late_at(&self, now: u64) -> bool {
        now.saturating_sub(self.0.load(Ordering::Relaxed)) > limits::BEAT_MS
    }

    /// It has not gone round since the beginning of time.
    #[cfg(test)]
    pub fn stop(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Beat;
    use crate::{clock, limits};

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
