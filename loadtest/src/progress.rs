//! What is shown while a run goes on: a line that changes on a terminal, else a plain one every few seconds.

use std::io::IsTerminal;
use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::ProgressBar;

use crate::clock::SECOND;
use crate::number::{float, grouped, per_second, whole};
use crate::tally::{Counts, Tally};

/// Between two changes of the line on a terminal, and between two plain lines.
const LIVE_EVERY: u64 = SECOND / 4;
const PLAIN_EVERY: u64 = 5 * SECOND;

/// The line.
#[derive(Debug)]
pub struct Progress {
    look: Look,
    /// When and with which counts it was last shown.
    last: (u64, Counts),
}

#[derive(Debug)]
enum Look {
    Quiet,
    Plain,
    Live(ProgressBar),
}

impl Progress {
    pub fn new(quiet: bool) -> Self {
        let look = if quiet {
            Look::Quiet
        } else if std::io::stderr().is_terminal() {
            Look::Live(ProgressBar::new_spinner())
        } else {
            Look::Plain
        };
        Self { look, last: (0, Counts::default()) }
    }

    /// Says what is being done, where there are no figures yet.
    pub fn step(&self, what: &str) {
        match &self.look {
            Look::Quiet => {}
            Look::Plain => eprintln!("{what}"),
            Look::Live(bar) => {
                bar.set_message(what.to_owned());
                bar.tick();
            }
        }
    }

    /// Shows the figures of `tally` if it is time to: `left` nanoseconds are left of `phase`.
    pub fn show(&mut self, now: u64, phase: &str, left: u64, tally: &Tally) {
        let every = match self.look {
            Look::Quiet => return,
            Look::Plain => PLAIN_EVERY,
            Look::Live(_) => LIVE_EVERY,
        };
        let (then, before) = self.last;
        if now < then + every {
            return;
        }
        let added = tally.counts.since(&before);
        let time = Duration::from_nanos(now - then);
        // The first line of a run has nothing to be a rate against.
        let rate = |count| if then == 0 { "-".to_owned() } else { grouped(whole(per_second(count, time))) };
        self.last = (now, tally.counts);
        self.step(&format!(
            "{phase}, {:.0} s left   {} actions/s   {} deltas/s{}",
            float(left) / float(SECOND),
            rate(added.sent),
            rate(added.deltas),
            p99(&tally.others.near)
        ));
    }

    /// Shows a line of somebody else's figures, if it is time to.
    pub fn line(&mut self, now: u64, text: impl FnOnce() -> String) {
        let every = match self.look {
            Look::Quiet => return,
            Look::Plain => PLAIN_EVERY,
            Look::Live(_) => LIVE_EVERY,
        };
        if now >= self.last.0 + every {
            self.last.0 = now;
            self.step(&text());
        }
    }

    pub fn done(&self) {
        if let Look::Live(bar) = &self.look {
            bar.finish_and_clear();
        }
    }
}

fn p99(others: &Histogram<u64>) -> String {
    if others.is_empty() {
        String::new()
    } else {
        format!("   p99 {} us so far", grouped(others.value_at_quantile(0.99)))
    }
}
