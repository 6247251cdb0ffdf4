//! What was measured, as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::mix::{Mix, Tally};
use super::request::Operation;
use crate::number::{float, grouped, per_second, whole};

/// Everything.
#[derive(Debug, Default, Serialize)]
pub struct Figures {
    pub sessions: usize,
    pub fill_seconds: f64,
    pub creates_per_second: f64,
    /// Creates that were refused while filling.
    pub fill_errors: u64,
    /// Of the server, per create.
    pub fill_cpu_us: f64,
    pub rss_before_kib: u64,
    pub rss_filled_kib: u64,
    pub bytes_per_session: f64,
    pub restart: Restart,
    /// Requests a second, on schedule.
    pub rate: f64,
    pub answered_per_second: f64,
    pub operations: Vec<Line>,
    /// How late the harness itself sent; part of the latencies.
    pub late_us: Quantiles,
    pub unanswered: usize,
    pub server_cpu_us_per_request: f64,
    pub server_cpu_percent: f64,
    pub harness_cpu_percent: f64,
    pub rss_after_kib: u64,
    pub troubles: Vec<String>,
    pub failures: Vec<String>,
}

/// What a restart after a kill -9 takes.
#[derive(Debug, Default, Serialize)]
pub struct Restart {
    /// From the start of the process until `/readyz` says 200.
    pub ready_seconds: f64,
    pub rss_ready_kib: u64,
    pub rss_rested_kib: u64,
}

/// One operation.
#[derive(Debug, Serialize)]
pub struct Line {
    pub operation: &'static str,
    pub succeeded: u64,
    pub errors: BTreeMap<u16, u64>,
    pub latency_us: Quantiles,
    /// The P95 a session service is held to.
    pub p95_us_max: u64,
}

/// Microseconds.
#[derive(Debug, Default, Serialize)]
pub struct Quantiles {
    pub p50: u64,
    pub p95: u64,
    pub p99: u64,
    pub max: u64,
}

impl From<&Histogram<u64>> for Quantiles {
    fn from(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Self { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: histogram.max() }
    }
}

impl Line {
    fn new(operation: Operation, tally: &Tally) -> Self {
        Self {
            operation: operation.name(),
            succeeded: tally.latency.len(),
            errors: tally.errors.clone(),
            latency_us: Quantiles::from(&tally.latency),
            p95_us_max: operation.p95_ms_max() * 1000,
        }
    }
}

impl Figures {
    /// Takes over what a mix measured in `time`, in which the server used `cpu`.
    pub fn mixed(&mut self, mix: &Mix, time: Duration, cpu: Duration) {
        self.operations = Operation::ALL.iter().zip(&mix.operations).map(|(op, tally)| Line::new(*op, tally)).collect();
        let answered = mix.sent - mix.unanswered as u64;
        self.answered_per_second = per_second(answered, time);
        self.server_cpu_us_per_request = cpu.as_secs_f64() * 1e6 / float(answered.max(1));
        self.late_us = Quantiles::from(&mix.late);
        self.unanswered = mix.unanswered;
        self.troubles.extend_from_slice(&mix.troubles);
    }

    /// Whether anything was refused, and, if its figures are to `hold`, whether any is over them.
    pub fn judge(&mut self, hold: bool) {
        if self.fill_errors > 0 {
            self.failures.push(format!("{} creates were refused while filling", grouped(self.fill_errors)));
        }
        for line in &self.operations {
            for (status, count) in &line.errors {
                self.failures.push(format!("{}: {} answered by {status}", line.operation, grouped(*count)));
            }
            if hold && line.latency_us.p95 > line.p95_us_max {
                let (found, bound) = (grouped(line.latency_us.p95), grouped(line.p95_us_max));
                self.failures.push(format!("{}: P95 is {found} us, required {bound}", line.operation));
            }
        }
        if self.unanswered > 0 {
            self.failures.push(format!("{} requests were not answered", self.unanswered));
        }
    }
}

impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mib = |kib: u64| format!("{:.0} MiB", float(kib) / 1024.0);
        let (sessions, per_second) = (grouped(self.sessions as u64), grouped(whole(self.creates_per_second)));
        writeln!(
            f,
            "filling     {sessions} sessions in {:.1} s   {per_second}/s   server CPU {:.0} us each",
            self.fill_seconds, self.fill_cpu_us
        )?;
        let (before, filled) = (mib(self.rss_before_kib), mib(self.rss_filled_kib));
        writeln!(f, "memory      RSS {before} -> {filled}   {:.0} bytes per session", self.bytes_per_session)?;
        let Restart { ready_seconds, rss_ready_kib, rss_rested_kib } = self.restart;
        let (ready, rested) = (mib(rss_ready_kib), mib(rss_rested_kib));
        writeln!(f, "restart     ready after {ready_seconds:.2} s   RSS {ready}, rested {rested}\n")?;

        writeln!(
            f,
            "{:<22}{:>10}{:>9}{:>9}{:>9}{:>9}{:>12}{:>9}",
            "microseconds", "count", "p50", "p95", "p99", "max", "P95 figure", "errors"
        )?;
        for line in &self.operations {
            let Quantiles { p50, p95, p99, max } = line.latency_us;
            let [count, p50, p95, p99, max, bound] = [line.succeeded, p50, p95, p99, max, line.p95_us_max].map(grouped);
            let errors = grouped(line.errors.values().sum());
            writeln!(f, "{:<22}{count:>10}{p50:>9}{p95:>9}{p99:>9}{max:>9}{bound:>12}{errors:>9}", line.operation)?;
        }
        let Quantiles { p50, p95, p99, max } = self.late_us;
        let [p50, p95, p99, max] = [p50, p95, p99, max].map(grouped);
        writeln!(f, "{:<22}{:>10}{p50:>9}{p95:>9}{p99:>9}{max:>9}\n", "harness late", "")?;
        let (asked, answered) = (grouped(whole(self.rate)), grouped(whole(self.answered_per_second)));
        writeln!(f, "requests    asked {asked}/s   answered {answered}/s")?;
        let rss = mib(self.rss_after_kib);
        writeln!(
            f,
            "server      CPU {:.1} %   {:.1} us per request   RSS {rss}",
            self.server_cpu_percent, self.server_cpu_us_per_request
        )?;
        writeln!(f, "harness     CPU {:.1} %", self.harness_cpu_percent)?;
        self.troubles.iter().try_for_each(|trouble| writeln!(f, "trouble     {trouble}"))?;
        self.failures.iter().try_for_each(|failure| writeln!(f, "FAILED      {failure}"))?;
        if self.failures.is_empty() { writeln!(f, "verdict     ok") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Figures, Line, Quantiles};

    fn figures(p95: u64, errors: &[(u16, u64)]) -> Figures {
        let latency_us = Quantiles { p50: 100, p95, p99: 9000, max: 9000 };
        let errors = errors.iter().copied().collect();
        let line = Line { operation: "get", succeeded: 10, errors, latency_us, p95_us_max: 5000 };
        Figures { operations: vec![line], ..Figures::default() }
    }

    #[test]
    fn errors_always_fail_and_a_p95_where_figures_are_to_hold() {
        let failures = |mut figures: Figures, hold| {
            figures.judge(hold);
            figures.failures
        };
        assert!(failures(figures(5000, &[]), true).is_empty());
        assert!(failures(figures(5001, &[]), false).is_empty());
        assert_eq!(failures(figures(5001, &[]), true), ["get: P95 is 5,001 us, required 5,000"]);
        assert_eq!(failures(figures(1, &[(503, 2000)]), false), ["get: 2,000 answered by 503"]);
    }

    #[test]
    fn the_table_shows_every_operation() {
        let mut figures = figures(4000, &[(404, 3)]);
        figures.judge(true);
        let text = figures.to_string();
        assert!(text.contains("4,000") && text.contains("FAILED      get: 3 answered by 404"), "{text}");
    }
}
