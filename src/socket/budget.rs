//! What one connection may send: so many messages a second, and bytes to go with them. Every frame counts as a message,
//! whatever is in it: an action, a ping, an empty fragment. No clock and no socket: the time is an argument.

use std::time::Duration;

use crate::config::{Config, Limit, Rate};
use crate::limits;

/// Nanoseconds of a second.
const SECOND_NS: u64 = 1_000_000_000;

/// How fast a connection may send, the same for all of them.
#[allow(clippy::struct_field_names)] // The unit is last in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Nanoseconds in which a message more may come; 0 where nothing is counted.
    message_ns: u64,
    /// Nanoseconds of messages that may come at once from whom has been quiet.
    burst_ns: u64,
    /// The same of bytes.
    bytes_ns: u64,
}

impl Allowance {
    /// Nothing is counted.
    pub const UNLIMITED: Self = Self { message_ns: 0, burst_ns: 0, bytes_ns: 0 };

    /// What the configuration says.
    pub fn of(config: &Config) -> Self {
        match config.rate_connection {
            Limit::At(rate) => rate.into(),
            Limit::Off => Self::UNLIMITED,
        }
    }

    /// What can come at once, as the time in which it may come again.
    pub const fn burst(self) -> Duration {
        Duration::from_nanos(self.burst_ns)
    }

    /// The time that `count` bytes stand for.
    const fn of_bytes(self, count: u64) -> u64 {
        count * self.message_ns / limits::RATE_CONNECTION_BYTES
    }
}

impl From<Rate> for Allowance {
    fn from(rate: Rate) -> Self {
        let message_ns = SECOND_NS / u64::from(rate.per_second());
        let allowance = Self { message_ns, burst_ns: message_ns * u64::from(rate.burst()), bytes_ns: 0 };
        // However few messages may come, one may be as large as messages are.
        let largest = allowance.of_bytes(2 * limits::MESSAGE_BYTES as u64);
        Self { bytes_ns: allowance.burst_ns.max(largest), ..allowance }
    }
}

/// What is left of it for one connection: a token bucket, written as the time at which it would be full again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budget {
    /// Nanoseconds on the caller's clock.
    messages: u64,
    bytes: u64,
    /// The caller's clock in milliseconds when something was too much first, since the bucket was last half full.
    dry_since: Option<u64>,
    /// What was too much since then, in the time it would have taken.
    over: u64,
}

/// What a frame finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is paid for.
    Within,
    /// It is the first that is one too many: to be answered by name.
    Over { retry_ms: u32 },
    /// Another one: to be thrown away.
    OverAgain,
    /// It has gone on for too long: to be closed.
    Flood,
}

impl Budget {
    /// Of a connection that begins at `now_ms` with something to pay off.
    pub fn owing(debt: Duration, now_ms: u64) -> Self {
        let messages = nanos(now_ms).saturating_add(u64::try_from(debt.as_nanos()).unwrap_or(u64::MAX / 2));
        Self { messages, ..Self::default() }
    }

    /// Counts the bytes of one read.
    pub fn receive(&mut self, allowance: &Allowance, now_ms: u64, count: usize) {
        let now = nanos(now_ms);
        self.messages = self.messages.max(now);
        self.bytes = self.bytes.max(now) + allowance.of_bytes(count as u64);
        if self.dry_since.is_some() && self.is_within(now, allowance.burst_ns / 2, allowance.bytes_ns / 2) {
            self.dry_since = None;
            self.over = 0;
        }
    }

    /// Takes one frame out of it, after the read it came with was counted. What is too much is counted apart, so that whoever
    /// waits as long as it was told is served, whatever else was on its way.
    #[inline]
    pub fn take(&mut self, allowance: &Allowance, now_ms: u64) -> Taken {
        self.messages += allowance.message_ns;
        if self.is_within(nanos(now_ms), allowance.burst_ns, allowance.bytes_ns) {
            return Taken::Within;
        }
        self.over(allowance, now_ms)
    }

    #[cold]
    fn over(&mut self, allowance: &Allowance, now_ms: u64) -> Taken {
        let now = nanos(now_ms);
        self.messages -= allowance.message_ns;
        self.over += allowance.message_ns;
        if self.over > allowance.burst_ns || self.bytes > now + 2 * allowance.bytes_ns {
            return Taken::Flood;
        }
        match self.dry_since {
            Some(since) if now_ms.saturating_sub(since) >= limits::FLOOD_MS => Taken::Flood,
            Some(_) => Taken::OverAgain,
            None => {
                self.dry_since = Some(now_ms);
                let messages = (self.messages + allowance.message_ns).saturating_sub(now + allowance.burst_ns);
                let wait_ns = messages.max(self.bytes.saturating_sub(now + allowance.bytes_ns));
                Taken::Over { retry_ms: u32::try_from(wait_ns / 1_000_000).unwrap_or(u32::MAX).saturating_add(1) }
            }
        }
    }

    /// It is counted by another clock from now on, which says `to_ms` when that of before says `from_ms`.
    pub fn move_clock(&mut self, from_ms: u64, to_ms: u64) {
        for at in [&mut self.messages, &mut self.bytes] {
            *at = at.saturating_add(nanos(to_ms)).saturating_sub(nanos(from_ms));
        }
        self.dry_since = self.dry_since.map(|since| since.saturating_add(to_ms).saturating_sub(from_ms));
    }

    const fn is_within(&self, now: u64, messages: u64, bytes: u64) -> bool {
        self.messages <= now + messages && self.bytes <= now + bytes
    }

    /// What is to be paid off at `now_ms`, as the time that takes.
    pub fn debt(&self, now_ms: u64) -> Duration {
        Duration::from_nanos(self.messages.max(self.bytes).saturating_sub(nanos(now_ms)) + self.over)
    }
}

const fn nanos(ms: u64) -> u64 {
    ms * 1_000_000
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Budget, Taken};
    use crate::config::Rate;
    use crate::limits;
    use proptest::prelude::*;
    use std::time::Duration;

    fn allowance(rate: &str) -> Allowance {
        rate.parse::<Rate>().unwrap().into()
    }

    /// One message of `bytes` at `now`.
    fn send(budget: &mut Budget, allowance: Allowance, now: u64, bytes: usize) -> Taken {
        budget.receive(&allowance, now, bytes);
        budget.take(&allowance, now)
    }

    #[test]
    fn a_burst_is_taken_then_answered_once_then_thrown_away_then_closed() {
        let (allowance, mut budget) = (allowance("10/s,5"), Budget::default());
        let taken: Vec<Taken> = (0..11).map(|_| send(&mut budget, allowance, 1_000, 50)).collect();
        assert_eq!(taken[..5], [Taken::Within; 5]);
        assert_eq!(taken[5], Taken::Over { retry_ms: 101 });
        assert_eq!(taken[6..10], [Taken::OverAgain; 4]);
        assert_eq!(taken[10], Taken::Flood);
    }

    #[test]
    fn who_waits_as_long_as_it_was_told_is_served_again_and_told_again() {
        let (allowance, mut budget) = (allowance("10/s,5"), Budget::default());
        let mut now = 7;
        for _ in 0..3 {
            let told =
                std::iter::repeat_with(|| send(&mut budget, allowance, now, 50)).find(|taken| *taken != Taken::Within);
            let Some(Taken::Over { retry_ms }) = told else { panic!("{told:?}") };
            now += u64::from(retry_ms);
            assert_eq!(send(&mut budget, allowance, now, 50), Taken::Within);
            // Half full again: what comes next is another matter.
            now += 500;
            for _ in 0..5 {
                assert_eq!(send(&mut budget, allowance, now, 50), Taken::Within);
            }
            assert!(matches!(send(&mut budget, allowance, now, 50), Taken::Over { .. }));
            now += 1_000;
        }
    }

    #[test]
    fn a_little_too_fast_for_long_is_closed_too() {
        let (allowance, mut budget) = (allowance("100/s,100"), Budget::default());
        let (mut dry_at, mut closed_at) = (None, None);
        // 125 a second.
        for now in (0..20_000).step_by(8) {
            match send(&mut budget, allowance, now, 50) {
                Taken::Within | Taken::OverAgain => {}
                Taken::Over { .. } => assert_eq!(dry_at.replace(now), None, "told once"),
                Taken::Flood => {
                    closed_at = Some(now);
                    break;
                }
            }
        }
        let (dry, closed) = (dry_at.unwrap(), closed_at.unwrap());
        assert!((3_900..4_100).contains(&dry), "{dry}");
        assert!((limits::FLOOD_MS..limits::FLOOD_MS + 50).contains(&(closed - dry)), "{dry} {closed}");
    }

    #[test]
    fn large_messages_use_it_up_sooner_and_one_of_any_size_is_taken() {
        for rate in ["240/s,480", "1/s,1", "1000000/s"] {
            let (allowance, mut budget) = (allowance(rate), Budget::default());
            assert_eq!(send(&mut budget, allowance, 0, limits::MESSAGE_BYTES), Taken::Within, "{rate}");
        }
        let (allowance, mut budget) = (allowance("240/s,480"), Budget::default());
        let taken =
            (0..480).take_while(|_| send(&mut budget, allowance, 0, limits::MESSAGE_BYTES) == Taken::Within).count();
        assert_eq!(taken, 480 * 1024 / limits::MESSAGE_BYTES);
    }

    #[test]
    fn bytes_that_are_no_message_yet_cost_no_more_than_their_bytes() {
        let (allowance, mut budget) = (allowance("240/s,480"), Budget::default());
        for _ in 0..10_000 {
            budget.receive(&allowance, 0, 1);
        }
        assert_eq!(budget.take(&allowance, 0), Taken::Within);
    }

    #[test]
    fn what_one_connection_owes_the_next_one_pays() {
        let (allowance, mut first) = (allowance("10/s,5"), Budget::default());
        while send(&mut first, allowance, 500, 50) == Taken::Within {}
        let debt = first.debt(500);
        assert_eq!(debt, Duration::from_millis(600));
        // The next one is on a clock of its own.
        let mut next = Budget::owing(debt, 90_000);
        assert!(matches!(send(&mut next, allowance, 90_000, 50), Taken::Over { .. }));
        assert_eq!(Budget::owing(Duration::MAX, 0).debt(0).as_nanos(), u128::from(u64::MAX / 2), "no wrapping round");
    }

    #[test]
    fn where_nothing_is_counted_nothing_is_too_much() {
        let mut budget = Budget::default();
        assert!(
            (0..100_000).all(|_| send(&mut budget, Allowance::UNLIMITED, 0, limits::MESSAGE_BYTES) == Taken::Within)
        );
        assert_eq!(budget.debt(0), Duration::ZERO);
    }

    proptest! {
        /// Whatever comes when: in no stretch of time more is taken than the burst and what the rate gives in that time.
        #[test]
        fn never_more_than_burst_and_rate(gaps in prop::collection::vec((0_u64..40, 0_usize..4_000), 1..400)) {
            let (allowance, mut budget) = (allowance("100/s,20"), Budget::default());
            let (mut now, mut taken) = (5_u64, Vec::new());
            for (gap, bytes) in gaps {
                now += gap;
                if send(&mut budget, allowance, now, bytes) == Taken::Within {
                    taken.push(now);
                }
            }
            for (first, from) in taken.iter().enumerate() {
                for (last, to) in taken.iter().enumerate().skip(first) {
                    let most = 20 + (to - from) * 100 / 1_000;
                    prop_assert!((last - first) as u64 <= most, "{first} to {last}, {from} to {to} ms");
                }
            }
        }

        /// Whoever keeps to the rate is never told anything, however the messages bunch up on their way.
        #[test]
        fn the_rate_is_never_too_fast(delays in prop::collection::vec(0_u64..100, 1..600)) {
            let (allowance, mut budget) = (allowance("100/s,20"), Budget::default());
            let mut arrived = 0;
            for (sent, delay) in (0..).step_by(10).zip(delays) {
                arrived = (sent + delay).max(arrived);
                prop_assert_eq!(send(&mut budget, allowance, arrived, 200), Taken::Within);
            }
        }
    }
}
