//! What the committer does besides committing, and when.

use std::time::{Duration, Instant};

use crate::limits;

/// When each chore was last done.
#[derive(Debug)]
pub struct Chores {
    looked_at: Instant,
    kept_at: Instant,
    swept_at: Instant,
    /// How much is deleted at once: less after it took too long.
    pub sweep_rows: usize,
}

const LOOK: Duration = Duration::from_millis(limits::EXPIRY_MS);
const KEEP: Duration = Duration::from_millis(limits::ANALYTICS_MS);
const SWEEP: Duration = Duration::from_millis(limits::SWEEP_MS);

impl Default for Chores {
    fn default() -> Self {
        let now = Instant::now();
        Self { looked_at: now, kept_at: now, swept_at: now, sweep_rows: limits::SWEEP_ROWS }
    }
}

impl Chores {
    /// How long until there is something to do.
    pub fn until_next(&self) -> Duration {
        LOOK.saturating_sub(self.looked_at.elapsed())
    }

    /// Whether it is time to look for sessions whose time is over.
    pub fn looks(&mut self) -> bool {
        is_time(&mut self.looked_at, LOOK)
    }

    /// Whether it is time to keep analytics.
    pub fn keeps(&mut self) -> bool {
        is_time(&mut self.kept_at, KEEP)
    }

    /// Whether it is time to delete what is past its time.
    pub fn sweeps(&mut self) -> bool {
        is_time(&mut self.swept_at, SWEEP)
    }

    /// Deleting succeeded, or took too long.
    pub fn swept(&mut self, succeeded: bool) {
        let rows = if succeeded { self.sweep_rows * 2 } else { self.sweep_rows / 2 };
        self.sweep_rows = rows.clamp(1, limits::SWEEP_ROWS);
    }
}

fn is_time(last: &mut Instant, every: Duration) -> bool {
    let due = last.elapsed() >= every;
    if due {
        *last = Instant::now();
    }
    due
}

#[cfg(test)]
mod tests {
    use super::Chores;
    use crate::limits;

    #[test]
    fn what_takes_too_long_is_done_in_smaller_pieces() {
        let mut chores = Chores::default();
        chores.swept(false);
        assert_eq!(chores.sweep_rows, limits::SWEEP_ROWS / 2);
        for _ in 0..20 {
            chores.swept(false);
        }
        assert_eq!(chores.sweep_rows, 1);
        for _ in 0..20 {
            chores.swept(true);
        }
        assert_eq!(chores.sweep_rows, limits::SWEEP_ROWS);
    }
}
