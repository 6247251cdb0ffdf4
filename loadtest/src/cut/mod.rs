//! The `cut` command: connections are cut at random under load, with actions in flight, and come back; nothing may be lost, doubled or told
//! wrong.

pub mod failover;
mod field;
mod guest;
mod tickets;

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, ensure};
use clap::Args;
use serde::Serialize;

use crate::cli::{Output, rate, seconds};
use crate::hub::Hub;
use crate::number::grouped;
use crate::report::Quantiles;
use crate::run::write_json;
use field::Stage;
use guest::Counts;
use tickets::Desk;

#[derive(Debug, Args)]
pub struct CutArgs {
    /// The server's executable
    #[arg(long, value_name = "PATH")]
    pub server_bin: PathBuf,
    /// Its shards
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub shards: u8,
    /// Connections, a whole number of sessions
    #[arg(long, default_value_t = 5_000)]
    pub connections: usize,
    /// Players in each session
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=100))]
    pub players: u8,
    /// Seconds for which connections are cut
    #[arg(long, default_value_t = 60.0, value_parser = seconds)]
    pub seconds: f64,
    /// Seconds from one cut of a connection to its next, on average; players may join once a second
    #[arg(long, default_value_t = 30.0, value_parser = seconds)]
    pub every: f64,
    /// Actions that a player sends at once before its connection is cut, most of which have no answer by then
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u64).range(0..=64))]
    pub flight: u64,
    /// Actions a second of each player beside these
    #[arg(long, default_value_t = 0.5, value_parser = rate)]
    pub rate: f64,
    /// The longest to wait afterwards, in seconds, for what is still on its way
    #[arg(long, default_value_t = 30.0, value_parser = seconds)]
    pub drain: f64,
    /// Seed of every random choice
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub output: Output,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
struct Report {
    connections: usize,
    seconds: f64,
    counts: Counts,
    /// From a cut connection's next try to its `joined`.
    back_us: Option<Quantiles>,
    /// From the kill of a server to where a player of it is in again.
    gap_us: Option<Quantiles>,
    /// Times a ticket was put off.
    later: u64,
    /// Connections that ended, or could not be made, after a server was killed, by how.
    gone: BTreeMap<String, u64>,
    /// Fights in which not as much was hit as was acknowledged.
    fights_wrong: u64,
    /// What no server of this protocol says, and connections that ended by themselves, by what it was.
    wrong: BTreeMap<String, u64>,
    /// Players that were not in again, or waited for something, at the end.
    not_settled: u64,
}

impl Report {
    fn passed(&self) -> bool {
        self.fights_wrong == 0 && self.wrong.is_empty() && self.not_settled == 0 && self.counts.refused.is_empty()
    }
}

pub fn command(args: &CutArgs) -> Result<ExitCode> {
    let players = usize::from(args.players);
    ensure!(args.connections > 0 && args.connections.is_multiple_of(players), "connections must fill whole sessions");
    ensure!(args.every >= 1.0, "a player may join once a second");
    let hub = Hub::new(&args.server_bin, None)?.with(&["--shards", &args.shards.to_string()]);
    let server = hub.start()?;
    let lobby = field::lobby(args, &server.base, &hub.token()?, args.connections / players)?;
    let stage = Stage { sessions: lobby.sessions().to_vec(), desk: Desk::of_lobby(lobby), victim: None };
    let report = field::run(args, stage)?;
    print!("{report}");
    write_json(args.output.json.as_deref(), &report)?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Counts { cuts, by_deltas, by_snapshot, sent, again, acked, refused, deltas, digests } = &self.counts;
        writeln!(
            f,
            "{} cuts of {} connections in {:.0} s",
            grouped(*cuts),
            grouped(self.connections as u64),
            self.seconds
        )?;
        write!(f, "  back by deltas {}", grouped(*by_deltas))?;
        by_snapshot.iter().try_for_each(|(why, count)| write!(f, ", by snapshot ({why}) {}", grouped(*count)))?;
        if let Some(Quantiles { p50, p99, max, .. }) = &self.back_us {
            write!(f, "; within p50 {p50} p99 {p99} max {max} us")?;
        }
        writeln!(f, "\n  {} deltas, {} digests right", grouped(*deltas), grouped(*digests))?;
        write!(
            f,
            "  {} actions, {} of them sent again, {} acknowledged",
            grouped(*sent),
            grouped(*again),
            grouped(*acked)
        )?;
        refused.iter().try_for_each(|(why, count)| write!(f, ", {count} refused ({why})"))?;
        writeln!(f, "; {} fights in which something was lost or doubled", self.fights_wrong)?;
        writeln!(f, "  {} players not settled at the end", self.not_settled)?;
        if let Some(Quantiles { p50, p90, p99, max, .. }) = &self.gap_us {
            writeln!(
                f,
                "  in again after the kill within p50 {p50} p90 {p90} p99 {p99} max {max} us; put off {} times",
                self.later
            )?;
            self.gone.iter().try_for_each(|(what, count)| writeln!(f, "  {count} times after the kill: {what}"))?;
        }
        self.wrong.iter().try_for_each(|(what, count)| writeln!(f, "  {count} times: {what}"))?;
        writeln!(f, "{}", if self.passed() { "passed" } else { "FAILED" })
    }
}
