//! A measurement, as JSON and as a table.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::hand_over::Moved;
use crate::number::{grouped, whole};

/// Own CPU in percent of a core from which the harness, not the server, may have set the pace.
const BUSY_PERCENT: f64 = 90.0;

/// One measurement.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    pub sessions: usize,
    pub players: usize,
    /// Actions a second of each player; absent when saturating.
    pub rate: Option<f64>,
    pub seed: u64,
    pub setup_seconds: f64,
    /// Length of the measured window.
    pub seconds: f64,
    pub latency_us: Latencies,
    pub actions: Actions,
    pub deltas: Deltas,
    pub checks: Checks,
    pub server: Option<ServerUse>,
    pub generator: GeneratorUse,
    /// Hand-overs meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved: Option<Moved>,
    /// The first few things that went wrong, word for word.
    pub troubles: Vec<String>,
    pub failures: Vec<String>,
}

/// Latencies of the actions sent in the window.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Latencies {
    pub ack: Option<Quantiles>,
    pub actor: Option<Quantiles>,
    pub others: Option<Quantiles>,
    /// The same of players whose sockets are at another node than their sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor_away: Option<Quantiles>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub others_away: Option<Quantiles>,
    /// How late the harness itself was; part of the others.
    pub late: Option<Quantiles>,
}

/// Microseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Quantiles {
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub p999: u64,
    pub max: u64,
}

/// Actions in the window, except `unanswered`, which is of the whole run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Actions {
    pub sent: u64,
    pub acked: u64,
    pub refused: u64,
    pub refused_by_reason: BTreeMap<&'static str, u64>,
    pub unanswered: u64,
}

/// Deltas received in the window, by all players.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Deltas {
    pub received: u64,
    pub per_second: f64,
}

/// Of the whole run.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Checks {
    pub lost: u64,
    pub out_of_order: u64,
    pub drifted: u64,
    pub conflated: u64,
    pub resynced: u64,
    pub closed: u64,
    pub errors: u64,
    pub ended: u64,
    pub untimed: u64,
}

/// What the server used in the window.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ServerUse {
    pub cpu_percent: f64,
    pub cpu_us_per_delta: Option<f64>,
    pub rss_kib: u64,
}

/// What the harness used in the window.
#[derive(Debug, Clone, Default, Serialize)]
pub struct GeneratorUse {
    pub cpu_percent: f64,
    /// It was busy while the server was not: the server could have done more.
    pub bottleneck: bool,
}

impl Quantiles {
    /// Of a histogram of microseconds; `None` of an empty one.
    pub fn of(histogram: &Histogram<u64>) -> Option<Self> {
        let at = |quantile| histogram.value_at_quantile(quantile);
        let all = || Self { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: histogram.max() };
        (!histogram.is_empty()).then(all)
    }
}

impl GeneratorUse {
    /// Of a harness that is busy only with work, or one that is busy always because it spins.
    pub fn new(cpu_percent: f64, spins: bool, server: Option<&ServerUse>) -> Self {
        let idle_server = server.is_some_and(|server| server.cpu_percent < BUSY_PERCENT);
        Self { cpu_percent, bottleneck: cpu_percent > BUSY_PERCENT && !spins && idle_server }
    }
}

impl Report {
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let load = self.rate.map_or("one action in flight each".to_owned(), |rate| format!("{rate} actions/s each"));
        let connections = grouped((self.sessions * self.players) as u64);
        writeln!(f, "{} sessions x {} players = {connections} connections, {load}", self.sessions, self.players)?;
        writeln!(f, "measured for {:.1} s, set up in {:.1} s, seed {}\n", self.seconds, self.setup_seconds, self.seed)?;

        writeln!(f, "{:<26}{:>10}{:>10}{:>10}{:>10}{:>10}", "microseconds", "p50", "p90", "p99", "p99.9", "max")?;
        let latency = &self.latency_us;
        for (name, quantiles) in [
            ("action to ack", &latency.ack),
            ("action to delta, actor", &latency.actor),
            ("action to delta, others", &latency.others),
            ("  actor at another node", &latency.actor_away),
            ("  others at another node", &latency.others_away),
            ("harness late", &latency.late),
        ] {
            if let Some(Quantiles { p50, p90, p99, p999, max }) = quantiles {
                let [p50, p90, p99, p999, max] = [*p50, *p90, *p99, *p999, *max].map(grouped);
                writeln!(f, "{name:<26}{p50:>10}{p90:>10}{p99:>10}{p999:>10}{max:>10}")?;
            }
        }
        writeln!(f)?;
        self.rows().iter().try_for_each(|(name, text)| writeln!(f, "{name:<12}{text}"))
    }
}

impl Report {
    fn rows(&self) -> Vec<(&'static str, String)> {
        let (actions, deltas, checks) = (&self.actions, &self.deltas, &self.checks);
        let mut rows = vec![(
            "actions",
            counts(&[
                ("sent", actions.sent),
                ("answered", actions.acked),
                ("refused", actions.refused),
                ("unanswered", actions.unanswered),
            ]),
        )];
        for (reason, count) in &actions.refused_by_reason {
            rows.push(("", format!("refused {reason} {}", grouped(*count))));
        }
        let per_second = grouped(whole(deltas.per_second));
        rows.push(("deltas", format!("received {}   {per_second}/s", grouped(deltas.received))));
        rows.push((
            "checks",
            counts(&[("lost", checks.lost), ("out of order", checks.out_of_order), ("drifted", checks.drifted)]),
        ));
        let rare = [
            ("conflated", checks.conflated),
            ("resynced", checks.resynced),
            ("closed", checks.closed),
            ("errors", checks.errors),
            ("ended", checks.ended),
            ("untimed", checks.untimed),
        ];
        let seen: Vec<_> = rare.into_iter().filter(|(_, count)| *count > 0).collect();
        if !seen.is_empty() {
            rows.push(("", counts(&seen)));
        }
        if let Some(server) = &self.server {
            let each = server.cpu_us_per_delta.map_or(String::new(), |each| format!("   {each:.2} us per delta"));
            let cpu = server.cpu_percent;
            rows.push(("server", format!("CPU {cpu:.1} %{each}   RSS {} KiB", grouped(server.rss_kib))));
        }
        rows.push(("harness", format!("CPU {:.1} %", self.generator.cpu_percent)));
        if self.generator.bottleneck {
            rows.push(("warning", "the generator was the bottleneck: the server could have done more".to_owned()));
        }
        rows.extend(self.troubles.iter().map(|trouble| ("trouble", trouble.clone())));
        rows.extend(self.failures.iter().map(|failure| ("FAILED", failure.clone())));
        if self.passed() {
            rows.push(("verdict", "ok".to_owned()));
        }
        rows
    }
}

fn counts(of: &[(&str, u64)]) -> String {
    let each: Vec<_> = of.iter().map(|(name, count)| format!("{name} {}", grouped(*count))).collect();
    each.join("   ")
}

#[cfg(test)]
mod tests {
    use hdrhistogram::Histogram;

    use super::{GeneratorUse, Quantiles, Report, ServerUse};

    #[test]
    fn quantiles_of_a_thousand_values() {
        let mut histogram = Histogram::new(3).unwrap();
        assert_eq!(Quantiles::of(&histogram), None);
        (1..=1000).for_each(|value| histogram.record(value).unwrap());
        let expected = Quantiles { p50: 500, p90: 900, p99: 990, p999: 999, max: 1000 };
        assert_eq!(Quantiles::of(&histogram), Some(expected));
    }

    #[test]
    fn the_generator_is_the_bottleneck_only_while_the_server_has_time_left() {
        let bottleneck = |own, spins, server: Option<f64>| {
            let server = server.map(|cpu_percent| ServerUse { cpu_percent, ..ServerUse::default() });
            GeneratorUse::new(own, spins, server.as_ref()).bottleneck
        };
        assert!(bottleneck(99.0, false, Some(70.0)));
        assert!(!bottleneck(99.0, false, Some(99.0)));
        assert!(!bottleneck(50.0, false, Some(70.0)));
        assert!(!bottleneck(99.0, true, Some(70.0)), "it spins");
        assert!(!bottleneck(99.0, false, None), "nothing is known of the server");
    }

    #[test]
    fn the_table_says_what_failed() {
        let mut report = Report::default();
        assert!(report.to_string().contains("verdict     ok"));
        report.failures.push("3 deltas lost".to_owned());
        let text = report.to_string();
        assert!(text.contains("FAILED      3 deltas lost") && !text.contains("verdict"), "{text}");
    }
}
