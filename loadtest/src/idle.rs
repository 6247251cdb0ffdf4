//! The `idle` command: what a connection that does nothing costs the server in memory.

use std::fmt::{self, Display, Formatter};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde::Serialize;
use tiltyard_protocol::Encoding;

use crate::cli::IdleArgs;
use crate::clock::Clock;
use crate::fleet::Fleet;
use crate::lobby::Lobby;
use crate::number::{float, grouped};
use crate::procfs::Usage;
use crate::progress::Progress;
use crate::run::{peer, write_json};

/// The server's memory at each step.
#[derive(Debug, Default, Serialize)]
struct Report {
    connections: usize,
    sessions: usize,
    rss_before_kib: u64,
    rss_with_sessions_kib: u64,
    rss_with_connections_kib: u64,
    /// After the wait, in which the server may have given memory back or taken more.
    rss_after_kib: u64,
    kib_per_session: f64,
    kib_per_connection: f64,
    closed: u64,
    troubles: Vec<String>,
    failures: Vec<String>,
}

pub fn command(args: &IdleArgs) -> Result<ExitCode> {
    let players = usize::from(args.players);
    ensure!(args.connections > 0 && args.connections.is_multiple_of(players), "connections must fill whole sessions");
    let report = measure(args, players)?;
    print!("{report}");
    write_json(args.output.json.as_deref(), &report)?;
    Ok(if report.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(args: &IdleArgs, players: usize) -> Result<Report> {
    let clock = Clock::start();
    let mut progress = Progress::new(args.output.quiet);
    let rss = || Usage::of(args.server_pid).map(|usage| usage.rss_kib).context("read the server's memory");
    let mut report =
        Report { connections: args.connections, sessions: args.connections / players, ..Report::default() };

    report.rss_before_kib = rss()?;
    progress.step("creating the sessions");
    let mut lobby =
        Lobby::create(&args.target.base()?, &peer(&args.target, args.bare, Encoding::Json)?, report.sessions, players)?;
    report.rss_with_sessions_kib = rss()?;
    progress.step("connecting the players");
    let mut fleet = Fleet::open(&mut lobby, None, clock, 1)?;
    fleet.join()?;
    if lobby.answers() {
        // The countdown would end within the wait: a fight that is on has no timer left but its end.
        fleet.ready()?;
    }
    report.rss_with_connections_kib = rss()?;

    let until = fleet.after(args.seconds);
    while clock.now() < until {
        fleet.turn(Duration::from_millis(100))?;
        progress.show(clock.now(), "idling", until.saturating_sub(clock.now()), &fleet.crowd.tally);
    }
    progress.done();
    report.rss_after_kib = rss()?;

    let grown = |from: u64, to: u64, by: usize| float(to.saturating_sub(from)) / float(by as u64);
    report.kib_per_session = grown(report.rss_before_kib, report.rss_with_sessions_kib, report.sessions);
    report.kib_per_connection = grown(report.rss_with_sessions_kib, report.rss_after_kib, report.connections);
    report.closed = fleet.crowd.tally.counts.closed;
    report.troubles.clone_from(&fleet.crowd.tally.troubles);
    report.failures = failures(&report, args.max_kib_per_connection);
    Ok(report)
}

fn failures(report: &Report, max_kib_per_connection: Option<f64>) -> Vec<String> {
    let mut failures = Vec::new();
    if report.closed > 0 {
        failures.push(format!("{} connections closed", report.closed));
    }
    if let Some(bound) = max_kib_per_connection.filter(|&bound| report.kib_per_connection > bound) {
        failures.push(format!("{:.2} KiB per connection, allowed {bound}", report.kib_per_connection));
    }
    failures
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut row = |name: &str, kib: u64| writeln!(f, "{name:<28}{:>12} KiB", grouped(kib));
        row("server at first", self.rss_before_kib)?;
        row("with the sessions", self.rss_with_sessions_kib)?;
        row("with the connections", self.rss_with_connections_kib)?;
        row("after the wait", self.rss_after_kib)?;
        writeln!(f, "{:<28}{:>12.2} KiB   ({} sessions)", "per session", self.kib_per_session, self.sessions)?;
        let connections = grouped(self.connections as u64);
        writeln!(f, "{:<28}{:>12.2} KiB   ({connections} connections)", "per connection", self.kib_per_connection)?;
        self.troubles.iter().try_for_each(|trouble| writeln!(f, "trouble     {trouble}"))?;
        self.failures.iter().try_for_each(|failure| writeln!(f, "FAILED      {failure}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Report, failures};

    #[test]
    fn a_lost_connection_or_too_much_memory_fails() {
        let report = |closed, kib_per_connection| Report { kib_per_connection, closed, ..Report::default() };
        assert!(failures(&report(0, 1.0), Some(1.0)).is_empty());
        assert_eq!(failures(&report(0, 1.1), Some(1.0)).len(), 1);
        assert_eq!(failures(&report(2, 1.1), None).len(), 1);
    }
}
