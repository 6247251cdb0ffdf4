//! Everything that is counted and timed during a run.

use std::collections::BTreeMap;
use std::ops::Range;

use hdrhistogram::Histogram;
use serde::Serialize;

/// The longest latency told apart from longer ones, in microseconds: two minutes.
const LATENCY_US_MAX: u64 = 120_000_000;

/// Reasons of trouble kept word for word; the rest is only counted.
const TROUBLES_MAX: usize = 5;

/// Counters. Those of the measured window are the difference of two copies.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    pub sent: u64,
    pub acked: u64,
    pub refused: u64,
    pub deltas: u64,
    /// Deltas that were not the one after the last.
    pub out_of_order: u64,
    /// Views whose digest was not the server's.
    pub drifted: u64,
    /// Snapshots in place of deltas, unasked.
    pub conflated: u64,
    /// Snapshots asked for after a drift.
    pub resynced: u64,
    /// Connections that did not last.
    pub closed: u64,
    /// `error` messages.
    pub errors: u64,
    /// Sessions' ends, as seen by their players.
    pub ended: u64,
    /// Deltas of actions whose sending is forgotten; they have no latency.
    pub untimed: u64,
}

/// Counters and latencies. Latencies are those of the actions sent within the window.
#[derive(Debug)]
pub struct Tally {
    pub counts: Counts,
    pub refused: BTreeMap<&'static str, u64>,
    pub troubles: Vec<String>,
    pub window: Range<u64>,
    /// Whether deltas of fights that are on are counted and not looked at.
    pub counts_only: bool,
    /// From an action to its ack.
    pub ack: Histogram<u64>,
    /// From an action to its delta at the player who acted.
    pub actor: Latency,
    /// From an action to its delta at each of the others.
    pub others: Latency,
    /// From the time an action was due to the time it was sent.
    pub late: Histogram<u64>,
}

/// What players see whose sockets are at their session's node, and those at another one.
#[derive(Debug)]
pub struct Latency {
    pub near: Histogram<u64>,
    pub away: Histogram<u64>,
}

impl Latency {
    /// Of these or of those.
    pub const fn of(&mut self, is_away: bool) -> &mut Histogram<u64> {
        if is_away { &mut self.away } else { &mut self.near }
    }
}

impl Counts {
    /// What was added since `earlier`.
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            sent: self.sent - earlier.sent,
            acked: self.acked - earlier.acked,
            refused: self.refused - earlier.refused,
            deltas: self.deltas - earlier.deltas,
            out_of_order: self.out_of_order - earlier.out_of_order,
            drifted: self.drifted - earlier.drifted,
            conflated: self.conflated - earlier.conflated,
            resynced: self.resynced - earlier.resynced,
            closed: self.closed - earlier.closed,
            errors: self.errors - earlier.errors,
            ended: self.ended - earlier.ended,
            untimed: self.untimed - earlier.untimed,
        }
    }
}

impl Tally {
    pub fn new() -> Self {
        // Three digits, in microseconds. The bounds are constants that the histogram takes.
        let histogram = || Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are in order");
        Self {
            counts: Counts::default(),
            refused: BTreeMap::new(),
            troubles: Vec::new(),
            window: u64::MAX..u64::MAX,
            counts_only: false,
            ack: histogram(),
            actor: Latency { near: histogram(), away: histogram() },
            others: Latency { near: histogram(), away: histogram() },
            late: histogram(),
        }
    }

    /// Notes the time from `sent` to `now` in `histogram`, if the action belongs to the window.
    pub fn time(window: &Range<u64>, histogram: &mut Histogram<u64>, sent: u64, now: u64) {
        if window.contains(&sent) {
            histogram.saturating_record(now.saturating_sub(sent) / 1000);
        }
    }

    pub fn refusal(&mut self, reason: &'static str) {
        self.counts.refused += 1;
        *self.refused.entry(reason).or_default() += 1;
    }

    pub fn trouble(&mut self, what: impl FnOnce() -> String) {
        if self.troubles.len() < TROUBLES_MAX {
            self.troubles.push(what());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn only_actions_sent_within_the_window_are_timed() {
        let mut tally = Tally::new();
        Tally::time(&tally.window, &mut tally.ack, 5_000, 9_000);
        assert_eq!(tally.ack.len(), 0);
        tally.window = 5_000..6_000;
        for sent in [4_999, 5_000, 5_999, 6_000] {
            Tally::time(&tally.window, &mut tally.ack, sent, 2_005_000);
        }
        assert_eq!((tally.ack.len(), tally.ack.max()), (2, 2_000));
    }
}
