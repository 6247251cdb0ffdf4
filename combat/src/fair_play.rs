//! What fair play counts: nobody is stopped for it, but the log and the metrics tell.

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::digest::form;

/// Something a fair player does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Flag {
    /// Asked to be where it could not have got to in that time, or outside.
    Speed,
    /// Attacked before its weapon was ready, more than once in a row.
    Interval,
    /// Aimed beyond its range, or at what it cannot see, more than once in a row.
    Aim,
    /// More actions than a participant may do in a second.
    Rate,
    /// Acts like clockwork.
    Regular,
    /// Has not acted for long.
    Away,
}

impl Flag {
    pub const ALL: [Self; 6] = [Self::Speed, Self::Interval, Self::Aim, Self::Rate, Self::Regular, Self::Away];

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::Interval => "interval",
            Self::Aim => "aim",
            Self::Rate => "rate",
            Self::Regular => "regular",
            Self::Away => "away",
        }
    }
}

/// Refusals in a row from which on they are a [`Flag`]: one can be a client that is ahead of the server by a frame.
const IN_A_ROW: u8 = 3;

/// How long a flag of one participant is not raised again: the log tells that it goes on, not how often.
const FLAG_QUIET_MS: Millis = 10_000;

/// Intervals that one judgement of regularity is made of.
const WINDOW: u32 = 32;

/// An interval longer than this is a rest, and what comes after it a new beginning.
const REST_MS: Millis = 60_000;

/// What is known of one participant's conduct. Of the times of its actions only sums are kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conduct {
    /// Of the last action, also of one that was refused.
    pub(crate) acted_at: Millis,
    /// Of the last applied action that counts for regularity.
    timed_at: Millis,
    /// Of the squares of the intervals of this window, in milliseconds.
    squares: u64,
    /// Of the intervals of this window.
    sum: u32,
    /// When each flag may be raised again, in milliseconds, by its place in [`Flag::ALL`].
    quiet_until: [u32; Flag::ALL.len()],
    intervals: u8,
    /// Attacks in a row that were refused because it was too soon.
    too_soon: u8,
    /// Actions in a row that were refused because of where they were aimed at.
    missed_aims: u8,
    /// Has been flagged as away since it acted.
    pub(crate) away: bool,
}

form!(
    Conduct: acted_at, timed_at, squares, sum, quiet_until, intervals, too_soon, missed_aims, away,
);

// It is part of every participant of every live session.
const _: () = assert!(size_of::<Conduct>() <= 64);

impl Conduct {
    pub(crate) fn new(now: Millis) -> Self {
        Self { acted_at: now, ..Self::default() }
    }

    /// Whether `flag` is to be raised now; not again for a while after it was.
    pub(crate) fn raise(&mut self, flag: Flag, now: Millis) -> bool {
        let raised = now >= self.quiet_until(flag);
        if raised {
            self.quiet_until[flag as usize] = u32::try_from(now + FLAG_QUIET_MS).unwrap_or(u32::MAX);
        }
        raised
    }

    /// When it may be raised again; 0 before the first time.
    pub(crate) fn quiet_until(&self, flag: Flag) -> Millis {
        Millis::from(self.quiet_until[flag as usize])
    }

    /// An attack came too soon; whether that is too often by now.
    pub(crate) fn too_soon(&mut self) -> bool {
        self.too_soon = self.too_soon.saturating_add(1);
        self.too_soon >= IN_A_ROW
    }

    /// An aim was out of range or sight; whether that is too often by now.
    pub(crate) fn missed_aim(&mut self) -> bool {
        self.missed_aims = self.missed_aims.saturating_add(1);
        self.missed_aims >= IN_A_ROW
    }

    pub(crate) fn attacked(&mut self) {
        self.too_soon = 0;
    }

    pub(crate) fn aimed(&mut self) {
        self.missed_aims = 0;
    }

    /// An action was applied at `now`. Whether the times between the last 32 deviate from each other by less than
    /// `regular_ms`. They are judged in windows of 32, one after the other, so that only sums have to be kept.
    pub(crate) fn is_regular(&mut self, now: Millis, regular_ms: u32) -> bool {
        let interval = now - self.timed_at;
        // Several at one moment came in one message, or waited for one tick: that says nothing about when they were made.
        if interval == 0 {
            return false;
        }
        let first = self.timed_at == 0;
        self.timed_at = now;
        if first || interval > REST_MS {
            (self.intervals, self.sum, self.squares) = (0, 0, 0);
            return false;
        }
        self.intervals += 1;
        self.sum += u32::try_from(interval).unwrap_or(u32::MAX);
        self.squares += interval * interval;
        if u32::from(self.intervals) < WINDOW {
            return false;
        }
        // Variance < regular_ms^2, times the square of the count: a deviation without a root or a fraction.
        let n = u64::from(WINDOW);
        let spread = n * self.squares - u64::from(self.sum) * u64::from(self.sum);
        (self.intervals, self.sum, self.squares) = (0, 0, 0);
        spread < u64::from(regular_ms) * u64::from(regular_ms) * n * n
    }
}

#[cfg(test)]
mod tests {
    use super::{Conduct, Flag};

    /// How many windows of `intervals`, over and over for 96 of them, are called regular.
    fn regular(intervals: &[u64]) -> usize {
        let (mut conduct, mut now) = (Conduct::new(0), 500);
        assert!(!conduct.is_regular(now, 8));
        let mut regular = |&interval: &u64| {
            now += interval;
            conduct.is_regular(now, 8)
        };
        intervals.iter().cycle().take(96).filter(|&interval| regular(interval)).count()
    }

    #[test]
    fn a_deviation_of_eight_milliseconds_over_a_window_is_the_bound() {
        assert_eq!(regular(&[100]), 3, "one judgement for each 32");
        assert_eq!(regular(&[93, 107]), 3, "a deviation of 7");
        assert_eq!(regular(&[92, 108]), 0, "a deviation of 8");
        assert_eq!(regular(&[60_000, 60_015]), 0, "and rests begin anew");
        assert_eq!(regular(&[60_001]), 0);
        assert_eq!(regular(&[100, 0]), 1, "what comes at once is one action: 48 intervals");
        assert_eq!(regular(&[0]), 0);
    }

    #[test]
    fn a_flag_is_raised_once_in_ten_seconds() {
        let mut conduct = Conduct::new(0);
        assert!(conduct.raise(Flag::Aim, 0));
        assert!(!conduct.raise(Flag::Aim, 9_999));
        assert!(conduct.raise(Flag::Speed, 9_999), "each for itself");
        assert!(conduct.raise(Flag::Aim, 10_000));
        assert!(!conduct.raise(Flag::Aim, 10_001));
    }
}
