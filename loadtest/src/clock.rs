//! Time in nanoseconds since the harness started.

use std::time::Instant;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;

/// The one clock of a run.
#[derive(Debug, Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    pub fn now(&self) -> u64 {
        let elapsed = self.0.elapsed();
        elapsed.as_secs() * SECOND + u64::from(elapsed.subsec_nanos())
    }
}
