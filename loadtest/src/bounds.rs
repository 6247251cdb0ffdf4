//! What a measurement must reach for the command to succeed.

use clap::Args;

use crate::report::Report;

/// Bounds from the command line. That nothing was lost, reordered or drifted is one even when none is given.
#[derive(Debug, Clone, Default, Args)]
pub struct Bounds {
    /// Fail above this median from action to delta at the others, in microseconds
    #[arg(long, value_name = "US")]
    pub max_p50_us: Option<u64>,
    /// Fail above this 99th percentile from action to delta at the others, in microseconds
    #[arg(long, value_name = "US")]
    pub max_p99_us: Option<u64>,
    /// Fail above this 99th percentile from action to delta, the actor's or the others', of those who are at another node, in microseconds
    #[arg(long, value_name = "US", requires = "other_url")]
    pub max_away_p99_us: Option<u64>,
    /// Fail above this much server CPU for each delta delivered; needs --server-pid
    #[arg(long, value_name = "US", requires = "server_pid")]
    pub max_cpu_us_per_delta: Option<f64>,
    /// Fail below this many deltas received a second
    #[arg(long, value_name = "N")]
    pub min_deltas_per_second: Option<f64>,
    /// Do not fail for lost, unanswered, reordered or drifted deltas
    #[arg(long)]
    pub allow_loss: bool,
}

impl Bounds {
    /// What `report` falls short of, for people.
    pub fn failures(&self, report: &Report) -> Vec<String> {
        let mut failures = Vec::new();
        let mut fail = |broken: bool, text: String| {
            if broken {
                failures.push(text);
            }
        };
        let checks = &report.checks;
        for (count, what) in [
            (checks.lost, "deltas lost"),
            (report.actions.unanswered, "actions unanswered"),
            (checks.out_of_order, "deltas out of order"),
            (checks.drifted, "views drifted"),
        ] {
            fail(count > 0 && !self.allow_loss, format!("{count} {what}"));
        }
        fail(checks.closed > 0, format!("{} connections closed", checks.closed));
        fail(checks.errors > 0, format!("{} errors said by the server", checks.errors));
        fail(checks.ended > 0, format!("{} players saw their fight end", checks.ended));
        // A run in which nothing happened proves nothing.
        fail(report.deltas.received == 0, "no delta was received".to_owned());

        let others = report.latency_us.others.as_ref();
        let mut at_most = |bound: Option<u64>, found: Option<u64>, name: &str| {
            if let Some(bound) = bound.filter(|&bound| found.is_none_or(|found| found > bound)) {
                let found = found.map_or("unknown".to_owned(), |found| format!("{found} us"));
                fail(true, format!("{name} is {found}, allowed {bound} us"));
            }
        };
        at_most(self.max_p50_us, others.map(|quantiles| quantiles.p50), "p50 to the others");
        at_most(self.max_p99_us, others.map(|quantiles| quantiles.p99), "p99 to the others");
        let (actor, others) = (report.latency_us.actor_away.as_ref(), report.latency_us.others_away.as_ref());
        at_most(self.max_away_p99_us, actor.map(|quantiles| quantiles.p99), "p99 to the actor at another node");
        at_most(self.max_away_p99_us, others.map(|quantiles| quantiles.p99), "p99 to the others at another node");

        if let Some(bound) = self.max_cpu_us_per_delta {
            let found = report.server.as_ref().and_then(|server| server.cpu_us_per_delta).unwrap_or(f64::INFINITY);
            fail(found > bound, format!("the server used {found:.2} us of CPU per delta, allowed {bound}"));
        }
        if let Some(bound) = self.min_deltas_per_second {
            let found = report.deltas.per_second;
            fail(found < bound, format!("{found:.0} deltas/s, required {bound}"));
        }
        failures
    }
}

#[cfg(test)]
mod tests {
    use super::Bounds;
    use crate::report::{Latencies, Quantiles, Report, ServerUse};

    fn good() -> Report {
        let mut report = Report::default();
        report.deltas.received = 1_000;
        report.deltas.per_second = 500.0;
        let latency = Some(Quantiles { p50: 50, p90: 90, p99: 200, p999: 300, max: 400 });
        let (others, actor_away, others_away) = (latency.clone(), latency.clone(), latency);
        report.latency_us = Latencies { others, actor_away, others_away, ..Latencies::default() };
        report.server = Some(ServerUse { cpu_percent: 30.0, cpu_us_per_delta: Some(8.0), rss_kib: 1 });
        report
    }

    fn check(bounds: &Bounds, spoil: impl Fn(&mut Report), expected: &[&str]) {
        let mut report = good();
        spoil(&mut report);
        let failures = bounds.failures(&report);
        assert_eq!(failures.len(), expected.len(), "{failures:?}");
        for (failure, expected) in failures.iter().zip(expected) {
            assert!(failure.contains(expected), "{failure:?} says {expected:?}");
        }
    }

    #[test]
    fn losses_fail_unless_allowed_and_broken_connections_always() {
        let spoil = |report: &mut Report| {
            report.checks.lost = 3;
            report.checks.out_of_order = 2;
            report.checks.drifted = 1;
            report.actions.unanswered = 4;
            report.checks.closed = 5;
        };
        let strict = Bounds::default();
        check(&strict, |_| {}, &[]);
        check(&strict, spoil, &["3 deltas lost", "4 actions", "2 deltas out", "1 views", "5 connections"]);
        check(&Bounds { allow_loss: true, ..strict }, spoil, &["5 connections"]);
    }

    #[test]
    fn each_bound_holds_at_its_value_and_fails_beyond() {
        let bounds = Bounds {
            max_p50_us: Some(50),
            max_p99_us: Some(200),
            max_away_p99_us: Some(200),
            max_cpu_us_per_delta: Some(8.0),
            min_deltas_per_second: Some(500.0),
            allow_loss: false,
        };
        check(&bounds, |_| {}, &[]);
        let spoil = |report: &mut Report| {
            report.latency_us.others = Some(Quantiles { p50: 51, p99: 201, ..Quantiles::default() });
            report.latency_us.actor_away = Some(Quantiles { p99: 201, ..Quantiles::default() });
            report.latency_us.others_away = None;
            report.server = Some(ServerUse { cpu_us_per_delta: Some(8.1), ..ServerUse::default() });
            report.deltas.per_second = 499.0;
        };
        check(
            &bounds,
            spoil,
            &[
                "p50",
                "p99",
                "p99 to the actor at",
                "others at another node is unknown",
                "8.10 us of CPU",
                "499 deltas/s",
            ],
        );
    }

    #[test]
    fn what_was_not_measured_reaches_no_bound() {
        let bounds = Bounds { max_p50_us: Some(50), max_cpu_us_per_delta: Some(8.0), ..Bounds::default() };
        let spoil = |report: &mut Report| {
            report.latency_us.others = None;
            report.server = None;
        };
        check(&bounds, spoil, &["p50 to the others is unknown", "inf us of CPU"]);
        check(&Bounds::default(), |report| report.deltas.received = 0, &["no delta"]);
    }
}
