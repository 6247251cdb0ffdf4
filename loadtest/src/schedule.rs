//! When each player of an open loop acts, whatever the server does: every player at the same rate, each with its own
//! random phase. The order of one lap is the order of every lap, so taking the next is a step in a sorted list.

use crate::clock::SECOND;
use crate::number::{float, whole};
use crate::rng::Rng;

/// The schedule of all players.
#[derive(Debug)]
pub struct Schedule {
    period: u64,
    /// Start of the current lap.
    lap: u64,
    /// Phase within the lap and player, by phase.
    order: Vec<(u64, usize)>,
    cursor: usize,
}

impl Schedule {
    /// `players` acting `rate` times a second each, from `start` on.
    pub fn new(players: usize, rate: f64, start: u64, rng: &mut Rng) -> Self {
        let period = whole(float(SECOND) / rate).max(1);
        let mut order: Vec<_> = (0..players).map(|player| (rng.below(period), player)).collect();
        order.sort_unstable();
        Self { period, lap: start, order, cursor: 0 }
    }

    /// When the next action is due.
    pub fn due(&self) -> u64 {
        self.order.get(self.cursor).map_or(u64::MAX, |(phase, _)| self.lap + phase)
    }

    /// The next player and the time its action was due, if that is not after `now`.
    pub fn take(&mut self, now: u64) -> Option<(usize, u64)> {
        let due = self.due();
        if due > now {
            return None;
        }
        let (_, player) = self.order[self.cursor];
        self.cursor += 1;
        if self.cursor == self.order.len() {
            self.cursor = 0;
            self.lap += self.period;
        }
        Some((player, due))
    }
}

#[cfg(test)]
mod tests {
    use super::Schedule;
    use crate::clock::SECOND;
    use crate::rng::Rng;

    #[test]
    fn each_player_acts_at_its_rate_and_times_never_fall() {
        let mut schedule = Schedule::new(10, 4.0, SECOND, &mut Rng::new(3));
        let mut times = vec![Vec::new(); 10];
        let mut last = 0;
        while let Some((player, due)) = schedule.take(3 * SECOND - 1) {
            assert!(due >= last);
            last = due;
            times[player].push(due);
        }
        for mine in &times {
            assert_eq!(mine.len(), 8);
            assert!(mine[0] >= SECOND && mine[0] < SECOND + SECOND / 4);
            assert!(mine.windows(2).all(|pair| pair[1] - pair[0] == SECOND / 4));
        }
        let phases: std::collections::BTreeSet<_> = times.iter().map(|mine| mine[0]).collect();
        assert!(phases.len() > 5, "the phases differ");
    }

    #[test]
    fn a_late_caller_still_gets_the_time_it_was_due() {
        let mut schedule = Schedule::new(1, 10.0, 0, &mut Rng::new(1));
        let first = schedule.due();
        assert_eq!(schedule.take(first.wrapping_sub(1)), None);
        assert_eq!(schedule.take(5 * SECOND), Some((0, first)));
        assert_eq!(schedule.take(5 * SECOND), Some((0, first + SECOND / 10)));
    }

    #[test]
    fn nobody_is_never_due() {
        assert_eq!(Schedule::new(0, 1.0, 0, &mut Rng::new(1)).due(), u64::MAX);
    }
}
