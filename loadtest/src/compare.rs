//! The `compare` command: a Tiltyard server against the bare loop, in turns on the same core, so that whatever else the
//! machine does falls on both. Only the ratios within a repetition mean anything on a shared machine.

use std::fmt::{self, Display, Formatter};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tiltyard_client::Trust;

use crate::bounds::Bounds;
use crate::child::Server;
use crate::cli::CompareArgs;
use crate::fleet::Load;
use crate::hub::Hub;
use crate::lobby::Peer;
use crate::number::{grouped, median, whole};
use crate::report::{Quantiles, Report};
use crate::run::{Plan, measure, write_json};
use crate::sys;

/// Seconds a bare loop lives beyond the load it is there for, should nobody end it.
const BARE_SPARE: f64 = 120.0;

/// Everything that was measured.
#[derive(Debug, Default, Serialize)]
struct Comparison {
    reps: Vec<Pair>,
    median_ratio: Option<f64>,
    median_cpu_ratio: Option<f64>,
    failures: Vec<String>,
}

/// One repetition.
#[derive(Debug, Serialize)]
struct Pair {
    bare: Report,
    tiltyard: Report,
    /// The server's deltas per second over the bare loop's.
    ratio: f64,
    /// The bare loop's CPU per delta over the server's: what the ratio would be if only the server set the pace.
    cpu_ratio: Option<f64>,
}

pub fn command(args: &CompareArgs) -> Result<ExitCode> {
    ensure!(args.seconds > 0.0 && args.sessions > 0, "there is nothing to measure");
    let mut comparison = Comparison::default();
    println!("{}", Row::title());
    for rep in 0..args.reps {
        // Whoever is second finds a warmer machine, or a hotter one: each is first in turn.
        let (bare, tiltyard) = if rep % 2 == 0 {
            let bare = bare(args)?;
            (bare, tiltyard(args)?)
        } else {
            let tiltyard = tiltyard(args)?;
            (bare(args)?, tiltyard)
        };
        for (who, report) in [("bare", &bare), ("tiltyard", &tiltyard)] {
            println!("{}", Row { rep: rep + 1, who, report });
            comparison.failures.extend(report.failures.iter().map(|failure| format!("{who} {}: {failure}", rep + 1)));
        }
        let pair = Pair::new(bare, tiltyard);
        println!("{:>4} ratio {:.3}   of CPU per delta {:.3}", rep + 1, pair.ratio, pair.cpu_ratio.unwrap_or(f64::NAN));
        comparison.reps.push(pair);
    }
    comparison.judge(args.min_ratio, args.min_cpu_ratio);
    print!("{comparison}");
    write_json(args.output.json.as_deref(), &comparison)?;
    Ok(if comparison.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn bare(args: &CompareArgs) -> Result<Report> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["bare", "--seconds", &(args.warmup + args.seconds + BARE_SPARE).to_string()]);
    let log = folder.path().join("log");
    let server = pinned(args, || Server::start(command, &log))?;
    load(args, &server, Peer::Bare)
}

fn tiltyard(args: &CompareArgs) -> Result<Report> {
    let mut hub = Hub::new(&args.server_bin, None)?.saturated()?;
    if let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) {
        let (cert, key) = (cert.to_string_lossy(), key.to_string_lossy());
        hub = hub.with(&["--tls-cert", &cert, "--tls-key", &key]);
    }
    let mut server = pinned(args, || hub.start())?;
    // It is known who answers there.
    server.base = server.base.clone().trusting(&Trust::Anybody)?;
    load(args, &server, Peer::Tiltyard { token: hub.token()?, encoding: args.encoding })
}

/// Starts a server on its core. What a process starts runs where it runs itself, so the harness goes there for a moment.
fn pinned(args: &CompareArgs, start: impl FnOnce() -> Result<Server>) -> Result<Server> {
    sys::pin(args.server_core).with_context(|| format!("run on core {}", args.server_core))?;
    let server = start();
    sys::pin(args.harness_core).with_context(|| format!("run on core {}", args.harness_core))?;
    server
}

fn load(args: &CompareArgs, server: &Server, peer: Peer) -> Result<Report> {
    let plan = Plan {
        base: server.base.clone(),
        other: None,
        peer,
        sessions: args.sessions,
        players: usize::from(args.players),
        load: args.rate.map_or(Load::Saturate, Load::Rate),
        spin: args.spin,
        warmup: args.warmup,
        seconds: args.seconds,
        drain: 5.0,
        seed: 1,
        counts_only: args.count,
        server_pid: Some(server.pid()),
        quiet: args.output.quiet,
        moves: None,
    };
    let mut report = measure(&plan)?;
    report.failures = Bounds::default().failures(&report);
    Ok(report)
}

impl Pair {
    fn new(bare: Report, tiltyard: Report) -> Self {
        let each = |report: &Report| report.server.as_ref()?.cpu_us_per_delta;
        let cpu_ratio = each(&bare).zip(each(&tiltyard)).map(|(bare, tiltyard)| bare / tiltyard);
        Self { ratio: tiltyard.deltas.per_second / bare.deltas.per_second, cpu_ratio, bare, tiltyard }
    }
}

impl Comparison {
    fn judge(&mut self, min_ratio: Option<f64>, min_cpu_ratio: Option<f64>) {
        self.median_ratio = median(self.reps.iter().map(|pair| pair.ratio).collect());
        self.median_cpu_ratio = median(self.reps.iter().filter_map(|pair| pair.cpu_ratio).collect());
        for (what, found, bound) in
            [("ratio", self.median_ratio, min_ratio), ("ratio of CPU per delta", self.median_cpu_ratio, min_cpu_ratio)]
        {
            let found = found.unwrap_or(0.0);
            if let Some(bound) = bound.filter(|&bound| found < bound || found.is_nan()) {
                self.failures.push(format!("the median {what} is {found:.3}, required {bound}"));
            }
        }
    }
}

/// One measurement in the table.
struct Row<'a> {
    rep: u32,
    who: &'static str,
    report: &'a Report,
}

impl Row<'_> {
    fn title() -> String {
        format!(
            "{:>4} {:<9}{:>12}{:>10}{:>10}{:>10}{:>12}{:>12}",
            "rep", "server", "deltas/s", "p50 us", "p99 us", "us/delta", "server CPU", "harness CPU"
        )
    }
}

impl Display for Row<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { rep, who, report } = self;
        let deltas = grouped(whole(report.deltas.per_second));
        let quantiles = report.latency_us.others.clone();
        let Quantiles { p50, p99, .. } = quantiles.unwrap_or_default();
        let (cpu, each) = report
            .server
            .as_ref()
            .map_or((0.0, 0.0), |server| (server.cpu_percent, server.cpu_us_per_delta.unwrap_or_default()));
        let [p50, p99] = [p50, p99].map(grouped);
        write!(f, "{rep:>4} {who:<9}{deltas:>12}{p50:>10}{p99:>10}{each:>10.2}{cpu:>10.1} %")?;
        write!(f, "{:>10.1} %", report.generator.cpu_percent)?;
        if report.generator.bottleneck { f.write_str("   the generator was the bottleneck") } else { Ok(()) }
    }
}

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(ratio) = self.median_ratio {
            write!(f, "median ratio {ratio:.3}")?;
        }
        if let Some(ratio) = self.median_cpu_ratio {
            write!(f, "   of CPU per delta {ratio:.3}")?;
        }
        writeln!(f)?;
        self.failures.iter().try_for_each(|failure| writeln!(f, "FAILED      {failure}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Pair};
    use crate::report::{Report, ServerUse};

    fn report(per_second: f64, cpu_us_per_delta: f64) -> Report {
        let mut report = Report::default();
        report.deltas.per_second = per_second;
        report.server = Some(ServerUse { cpu_us_per_delta: Some(cpu_us_per_delta), ..ServerUse::default() });
        report
    }

    /// Repetitions in which the bare loop delivers 100 deltas a second at 2 us each.
    fn judged(servers: &[(f64, f64)], min_ratio: f64, min_cpu_ratio: f64) -> Comparison {
        let pair = |&(per_second, each): &(f64, f64)| Pair::new(report(100.0, 2.0), report(per_second, each));
        let mut comparison = Comparison { reps: servers.iter().map(pair).collect(), ..Comparison::default() };
        comparison.judge(Some(min_ratio), Some(min_cpu_ratio));
        comparison
    }

    #[test]
    fn the_medians_decide() {
        let servers = [(50.0, 8.0), (90.0, 4.0), (80.0, 1.0)];
        let found = judged(&servers, 0.8, 0.5);
        assert_eq!((found.median_ratio, found.median_cpu_ratio), (Some(0.8), Some(0.5)));
        assert!(found.failures.is_empty());
        assert_eq!(judged(&servers, 0.81, 0.5).failures.len(), 1);
        assert_eq!(judged(&servers, 0.8, 0.51).failures.len(), 1);
        assert_eq!(judged(&[], 0.1, 0.1).failures.len(), 2);
    }
}
