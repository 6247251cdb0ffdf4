//! How much of something may be done in a time: a token bucket, written as the time at which it would be full again.

/// One of them, on the caller's clock.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dues {
    /// Microseconds.
    full_at: u64,
}

impl Dues {
    /// Whether at `now_ms` something may be done where `burst` microseconds' worth may be at once; else in how many milliseconds.
    pub fn check(self, now_ms: u64, burst: u64) -> Result<(), u32> {
        let wait = self.full_at.saturating_sub(now_ms * 1_000 + burst);
        if wait == 0 { Ok(()) } else { Err(u32::try_from(wait / 1_000 + 1).unwrap_or(u32::MAX)) }
    }

    /// It was done, and is worth so many microseconds. The last may be worth more than there was.
    pub fn pay(&mut self, now_ms: u64, cost: u64) {
        self.full_at = self.full_at.max(now_ms * 1_000) + cost;
    }
}

#[cfg(test)]
mod tests {
    use super::Dues;

    #[test]
    fn a_burst_goes_through_and_then_one_at_a_time() {
        let mut dues = Dues::default();
        for _ in 0..20 {
            // The first nineteen fill it, and the last may go beyond.
            assert_eq!(dues.check(1_000, 1_900_000), Ok(()));
            dues.pay(1_000, 100_000);
        }
        assert_eq!(dues.check(1_000, 1_900_000), Err(101));
        assert_eq!(dues.check(1_099, 1_900_000), Err(2));
        assert_eq!(dues.check(1_100, 1_900_000), Ok(()));
        dues.pay(1_100, 5_000_000);
        assert_eq!(dues.check(1_100, 1_900_000), Err(5_001), "one that is too large is paid off");
        assert_eq!(dues.check(99_000, 0), Ok(()));
    }
}
