//! How much of something a participant may do: its own, spent by what it does, and given back by the host's time.

use serde::{Deserialize, Serialize};

use crate::Millis;
use crate::digest::form;

/// So much at once, and so much a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// What one costs: the time after which it is given back, in microseconds.
    cost_us: u64,
    /// What can be spent at once, in microseconds.
    most_us: u64,
}

/// Connections that a participant may make: each is told to everybody and kept in the log. Far more than the worst network
/// takes, and little enough for the log.
pub(crate) const CONNECTS: Allowance = Allowance { cost_us: 250_000, most_us: 8_000_000 };

impl Allowance {
    /// `count` at once, and `count` a second; `None` where that is without bound.
    pub(crate) const fn per_second(count: u32) -> Option<Self> {
        const SECOND_US: u64 = 1_000_000;
        match SECOND_US.checked_div(count as u64) {
            None => None,
            Some(cost_us) => Some(Self { cost_us, most_us: SECOND_US }),
        }
    }
}

/// What is left of an [`Allowance`], in one number: when all that was spent will have been given back, in microseconds of the
/// host's time. Not in session time: a fight that is paused would never give anything back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Budget {
    whole_at: u64,
}

form!(Budget: whole_at);

impl Budget {
    /// Whether there is one left at `host_now`, or after how many milliseconds there will be.
    pub(crate) fn left(self, host_now: Millis, of: Allowance) -> Result<(), Millis> {
        let now = host_now.saturating_mul(1_000);
        let missing = self.whole_at.max(now).saturating_add(of.cost_us).saturating_sub(now.saturating_add(of.most_us));
        if missing == 0 { Ok(()) } else { Err(missing.div_ceil(1_000)) }
    }

    /// Spends one, or says after how many milliseconds there will be one.
    pub(crate) fn spend(&mut self, host_now: Millis, of: Allowance) -> Result<(), Millis> {
        self.left(host_now, of)?;
        self.whole_at = self.whole_at.max(host_now.saturating_mul(1_000)).saturating_add(of.cost_us);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Budget};

    /// How many of `wanted` a second, evenly, are to be had in ten seconds.
    fn had(wanted: u64, per_second: u32) -> usize {
        let (of, mut budget) = (Allowance::per_second(per_second).unwrap(), Budget::default());
        (0..wanted * 10).filter(|turn| budget.spend(turn * 1_000 / wanted, of).is_ok()).count()
    }

    #[test]
    fn a_second_has_as_many_as_are_allowed_and_the_first_twice_as_many() {
        assert_eq!(had(60, 60), 600);
        assert_eq!(had(70, 100), 700);
        assert_eq!(had(400, 100), 1_099);
        assert_eq!(had(1_000, 3), 32);
        assert_eq!(Allowance::per_second(0), None);
    }

    #[test]
    fn who_waits_as_long_as_told_gets_one_and_not_sooner() {
        for per_second in [1, 3, 7, 60, 100, 999, 1_000_000] {
            let (of, mut budget) = (Allowance::per_second(per_second).unwrap(), Budget::default());
            let at_once = (0..2_000_000).take_while(|_| budget.spend(5_000, of).is_ok()).count();
            assert_eq!(at_once, per_second as usize);
            let wait = budget.left(5_000, of).unwrap_err();
            assert!(wait == 1 || budget.left(5_000 + wait - 1, of).is_err(), "{per_second}");
            assert_eq!(budget.spend(5_000 + wait, of), Ok(()), "{per_second}");
            assert_eq!(budget.left(u64::MAX, of), Ok(()));
        }
    }
}
