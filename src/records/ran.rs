//! Time in which the process did not run: stopped by a signal, paused with its machine, or without a processor. Nobody could give it a sign
//! of life then.

use crate::limits;

/// Whether time passes.
#[derive(Debug)]
pub struct Ran {
    /// When it last did, in Unix milliseconds.
    last: u64,
    /// Milliseconds in which it did not, all together.
    stood_ms: u64,
}

impl Ran {
    /// From `now` on.
    pub const fn new(now: u64) -> Self {
        Self { last: now, stood_ms: 0 }
    }

    /// It runs at `now`. What is beyond the bound since it last did it has not run: as with shards, a little late is no standing still.
    /// Returns the milliseconds of all those times.
    pub const fn at(&mut self, now: u64) -> u64 {
        let since = now.saturating_sub(self.last);
        self.stood_ms += since.saturating_sub(limits::SLEEP_MS + limits::LATE_MS);
        self.last += since;
        self.stood_ms
    }
}

#[cfg(test)]
mod tests {
    use super::Ran;

    #[test]
    fn what_is_beyond_the_bound_did_not_pass() {
        let mut ran = Ran::new(1_000);
        let told = [1_250, 3_250, 3_250, 68_250, 68_000, 68_500, 71_000].map(|now| ran.at(now));
        assert_eq!(told, [0, 0, 0, 63_000, 63_000, 63_000, 63_500]);
    }
}
