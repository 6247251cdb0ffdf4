//! What `crud --compare` measured, and the ratios that come of it.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use crate::number::{grouped, median, whole};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Get,
    Post,
}

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
pub struct Contest {
    pub runs: Vec<Run>,
    pub ratios: Vec<Ratio>,
    pub failures: Vec<String>,
}

/// One load on one server.
#[derive(Debug, Serialize)]
pub struct Run {
    pub rep: u32,
    pub who: &'static str,
    pub kind: Kind,
    pub per_second: f64,
    pub cpu_us: f64,
    pub server_cpu_percent: f64,
    pub harness_cpu_percent: f64,
}

/// The server's median over the bare one's.
#[derive(Debug, Serialize)]
pub struct Ratio {
    pub kind: Kind,
    pub per_second: f64,
    /// The bare one's CPU per request over the server's: what the ratio would be if only the server set the pace.
    pub cpu: f64,
}

impl Contest {
    pub fn judge(&mut self, min_get_ratio: Option<f64>) {
        for kind in [Kind::Get, Kind::Post] {
            let of = |who, value: fn(&Run) -> f64| {
                let runs = self.runs.iter().filter(|run| run.who == who && run.kind == kind);
                median(runs.map(value).collect()).unwrap_or(f64::NAN)
            };
            self.ratios.push(Ratio {
                kind,
                per_second: of("tiltyard", |run| run.per_second) / of("bare", |run| run.per_second),
                cpu: of("bare", |run| run.cpu_us) / of("tiltyard", |run| run.cpu_us),
            });
        }
        let found = self.ratios[0].per_second;
        if let Some(bound) = min_get_ratio.filter(|&bound| found < bound || found.is_nan()) {
            self.failures.push(format!("the ratio of GET is {found:.3}, required {bound}"));
        }
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

impl Display for Run {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { rep, who, kind, cpu_us, server_cpu_percent, harness_cpu_percent, .. } = self;
        let (kind, per_second) = (kind.name(), grouped(whole(self.per_second)));
        write!(f, "{rep:>4} {who:<9}{kind:<6}{per_second:>12}{cpu_us:>12.1}")?;
        write!(f, "{server_cpu_percent:>10.1} %{harness_cpu_percent:>11.1} %")?;
        let idle = *harness_cpu_percent > 90.0 && *server_cpu_percent < 90.0;
        if idle { f.write_str("   the harness was the bottleneck") } else { Ok(()) }
    }
}

impl Display for Contest {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for Ratio { kind, per_second, cpu } in &self.ratios {
            writeln!(f, "ratio of medians, {:<5}{per_second:.3}   of CPU per request {cpu:.3}", kind.name())?;
        }
        self.failures.iter().try_for_each(|failure| writeln!(f, "FAILED      {failure}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Contest, Kind, Run};

    fn run(who: &'static str, kind: Kind, per_second: f64) -> Run {
        let cpu_us = 1e6 / per_second;
        Run { rep: 1, who, kind, per_second, cpu_us, server_cpu_percent: 100.0, harness_cpu_percent: 50.0 }
    }

    #[test]
    fn the_medians_decide() {
        let mut contest = Contest::default();
        for (bare, own) in [(100.0, 10.0), (200.0, 150.0), (300.0, 160.0)] {
            contest.runs.push(run("bare", Kind::Get, bare));
            contest.runs.push(run("tiltyard", Kind::Get, own));
            contest.runs.push(run("bare", Kind::Post, 100.0));
            contest.runs.push(run("tiltyard", Kind::Post, 50.0));
        }
        contest.judge(Some(0.76));
        assert!((contest.ratios[0].per_second - 0.75).abs() < 1e-9 && (contest.ratios[1].cpu - 0.5).abs() < 1e-9);
        assert_eq!(contest.failures, ["the ratio of GET is 0.750, required 0.76"]);
        let mut none = Contest::default();
        none.judge(Some(0.1));
        assert_eq!(none.failures.len(), 1, "nothing measured is no success");
    }
}
