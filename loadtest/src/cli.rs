//! The command line.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{ArgGroup, Args, Parser, Subcommand};
use tiltyard_client::Trust;
use tiltyard_protocol::Encoding;

use crate::bare::Fault;
use crate::bounds::Bounds;
use crate::cut::CutArgs;
use crate::cut::failover::FailoverArgs;
use crate::rest::Base;
use crate::rude::RudeArgs;

/// Plays many fights at once against a Tiltyard server and checks every player's view.
///
/// Exits with 0 when every bound held, 1 when one did not, 2 when nothing could be measured.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 120)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure latency, throughput and truthfulness under load
    Run(Box<RunArgs>),
    /// Measure memory per idle connection and per session
    Idle(IdleArgs),
    /// Be the smallest server that could do the same work: no authentication, no rules, no log
    Bare(BareArgs),
    /// Measure a server against the bare loop, in turns, on one core each
    Compare(CompareArgs),
    /// Fill a server with sessions over REST, restart it, and measure a mix of requests at a steady rate
    Crud(CrudArgs),
    /// Have bots play a fight to its result, or fill the seats of one that waits; every digest is checked
    Bots(BotsArgs),
    /// Measure what rude clients cost the honest ones beside them
    Rude(RudeArgs),
    /// Cut connections at random under load, with actions in flight, and check that nothing is lost, doubled or told wrong
    Cut(CutArgs),
    /// Kill a node of a cluster under load, and check that its fights go on at the others and nothing is lost, doubled or told wrong
    Failover(FailoverArgs),
    /// Hand fights over between the shards of a server under load, and measure for how long nothing is done to one
    HandOver(HandOverArgs),
    /// Be the smallest HTTP server that could read and create sessions: no authentication, no store
    BareHttp(BareHttpArgs),
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("load").required(true).args(["rate", "saturate"]))]
pub struct RunArgs {
    #[command(flatten)]
    pub target: Target,
    /// Another node of the server's cluster: every second player of a session connects there, and is told apart
    #[arg(long, value_name = "URL", conflicts_with = "bare")]
    pub other_url: Option<Base>,
    /// Sessions
    #[arg(long, default_value_t = 500)]
    pub sessions: usize,
    /// Players in each session
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=100))]
    pub players: u8,
    /// Seconds measured
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    pub seconds: f64,
    /// Seconds of the same load before
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub warmup: f64,
    /// The longest to wait afterwards, in seconds, for what is still on its way
    #[arg(long, default_value_t = 5.0, value_parser = seconds)]
    pub drain: f64,
    /// Actions a second of each player, on a schedule that does not wait for the server
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,
    /// One action in flight per player, the next when it is answered
    #[arg(long)]
    pub saturate: bool,
    /// With --rate: never sleep. Takes waking up out of the latency, and a core for the harness alone
    #[arg(long, conflicts_with = "saturate")]
    pub spin: bool,
    /// The target is the bare loop
    #[arg(long)]
    pub bare: bool,
    /// What the sockets speak, json or msgpack
    #[arg(long, default_value = "json", value_parser = encoding, conflicts_with = "bare")]
    pub encoding: Encoding,
    /// Seed of every random choice
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Process of the server, to measure what it uses
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    #[command(flatten)]
    pub bounds: Bounds,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct IdleArgs {
    #[command(flatten)]
    pub target: Target,
    /// Connections, a whole number of sessions
    #[arg(long, default_value_t = 10_000)]
    pub connections: usize,
    /// Players in each session
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub players: u8,
    /// Seconds to stay connected before memory is read
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    pub seconds: f64,
    /// The target is the bare loop
    #[arg(long)]
    pub bare: bool,
    /// Process of the server
    #[arg(long, value_name = "PID")]
    pub server_pid: u32,
    /// Fail above this much memory per connection
    #[arg(long, value_name = "KIB")]
    pub max_kib_per_connection: Option<f64>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct BareArgs {
    /// Where to listen; port 0 for any
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Seconds after which it stops by itself
    #[arg(long, default_value_t = 120.0, value_parser = seconds)]
    pub seconds: f64,
    /// Misbehave, to see a check fail: `drop-every=N` deliveries, `corrupt-digest=N` deltas
    #[arg(long, value_name = "FAULT")]
    pub fault: Option<Fault>,
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The server's executable
    #[arg(long, value_name = "PATH")]
    pub server_bin: PathBuf,
    /// Repetitions, each of both
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub reps: u32,
    /// Sessions
    #[arg(long, default_value_t = 500)]
    pub sessions: usize,
    /// Players in each session
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(2..=100))]
    pub players: u8,
    /// Seconds measured, each time
    #[arg(long, default_value_t = 8.0, value_parser = seconds)]
    pub seconds: f64,
    /// Seconds of the same load before
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub warmup: f64,
    /// Actions a second of each player, on a schedule; without it one action in flight each
    #[arg(long, value_parser = rate)]
    pub rate: Option<f64>,
    /// With --rate: never sleep, which takes the harness's waking up out of the latency
    #[arg(long, requires = "rate")]
    pub spin: bool,
    /// What the sockets speak, json or msgpack; the bare loop always JSON
    #[arg(long, default_value = "json", value_parser = encoding)]
    pub encoding: Encoding,
    /// Count the deltas of fights that are on and look no further: no view, no digest, no latency to the others. The harness then takes about
    /// two thirds of what the server does, so that a server sets the pace and not the harness
    #[arg(long, conflicts_with = "rate")]
    pub count: bool,
    /// Core of the server
    #[arg(long, default_value_t = 0)]
    pub server_core: usize,
    /// Core of the harness
    #[arg(long, default_value_t = 1)]
    pub harness_core: usize,
    /// Over TLS: the server's certificate, and its key. The bare loop is as it always is
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Fail below this median ratio of the server's deltas per second to the bare loop's
    #[arg(long, value_name = "RATIO")]
    pub min_ratio: Option<f64>,
    /// Fail below this median ratio of the bare loop's CPU per delta to the server's
    #[arg(long, value_name = "RATIO")]
    pub min_cpu_ratio: Option<f64>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct CrudArgs {
    /// The server's executable
    #[arg(long, value_name = "PATH")]
    pub server_bin: PathBuf,
    /// The server's database, empty; without it the one in its data folder
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// Sessions the server is filled with
    #[arg(long, default_value_t = 500_000)]
    pub sessions: usize,
    /// Requests a second, on a schedule that does not wait for the server
    #[arg(long, default_value_t = 2000.0, value_parser = request_rate)]
    pub rate: f64,
    /// Seconds measured; with --compare, each time
    #[arg(long, default_value_t = 20.0, value_parser = seconds)]
    pub seconds: f64,
    /// Seconds of the same load before
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub warmup: f64,
    /// Seconds the server is left alone before its memory is read: what it gives back, it gives back in that time
    #[arg(long, default_value_t = 8.0, value_parser = seconds)]
    pub rest: f64,
    /// Connections
    #[arg(long, default_value_t = 128, value_parser = connections)]
    pub connections: usize,
    /// Seed of every random choice
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Fail where a P95 is over the figure a session service is held to
    #[arg(long)]
    pub hold: bool,
    /// Instead: requests per second on one core, GET and POST of a session, against the bare HTTP server, in turns
    #[arg(long)]
    pub compare: bool,
    /// With --compare: repetitions, each of both
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100), requires = "compare")]
    pub reps: u32,
    /// With --compare: core of the server
    #[arg(long, default_value_t = 0, requires = "compare")]
    pub server_core: usize,
    /// With --compare: core of the harness
    #[arg(long, default_value_t = 1, requires = "compare")]
    pub harness_core: usize,
    /// With --compare: fail below this ratio of the median requests per second of GET
    #[arg(long, value_name = "RATIO", requires = "compare")]
    pub min_get_ratio: Option<f64>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct BareHttpArgs {
    /// Where to listen; port 0 for any
    #[arg(long, default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// Seconds after which it stops by itself
    #[arg(long, default_value_t = 120.0, value_parser = seconds)]
    pub seconds: f64,
    /// What every GET is answered by
    #[arg(long, value_name = "FILE")]
    pub session: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("where").required(true).args(["server_bin", "url"]))]
pub struct BotsArgs {
    /// The server's executable: it is started for these fights and ended after them
    #[arg(long, value_name = "PATH")]
    pub server_bin: Option<PathBuf>,
    /// A server that runs, and admits guests
    #[arg(long, requires = "fill")]
    pub url: Option<String>,
    /// With --url: take seats in the arena's next fight of this kind: duel, brawl, solo, coop or arena
    #[arg(long, value_name = "KIND", requires = "url")]
    pub fill: Option<String>,
    /// With --url: how many seats
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(usize), requires = "url")]
    pub count: usize,
    /// With --server-bin: what to play
    #[arg(long, value_enum, default_value_t = Scenario::Boss)]
    pub scenario: Scenario,
    /// The ruleset
    #[arg(long, default_value = "default")]
    pub ruleset: String,
    /// How hard the server's enemies are: easy, normal, hard, expert
    #[arg(long)]
    pub difficulty: Option<String>,
    /// Best of how many rounds
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub rounds: Option<u32>,
    /// Least time between two attacks of one player
    #[arg(long, value_name = "MS")]
    pub attack_interval_ms: Option<u32>,
    /// With --server-bin: how many fights, one after the other
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub repeat: u32,
    /// Seed of every whim of the bots
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

/// A fight of bots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Scenario {
    /// One against one
    Duel,
    /// Three against the server's enemies
    Boss,
    /// Five against five
    Arena5v5,
}

/// Whom to measure.
#[derive(Debug, Args)]
pub struct Target {
    /// Where the server is
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: Base,
    /// Over TLS: certificates (PEM) of the authorities that vouch for the server, and nobody else
    #[arg(long, value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Over TLS: take whoever answers for the server
    #[arg(long, conflicts_with = "tls_ca")]
    pub insecure: bool,
    /// Token of a service or an administrator that may create sessions
    #[arg(long, env = "TILTYARD_TOKEN", hide_env_values = true, required_unless_present = "bare")]
    pub token: Option<String>,
}

impl Target {
    /// Where it is, and whom to take for it.
    pub fn base(&self) -> anyhow::Result<Base> {
        self.trusted(self.url.clone())
    }

    /// The same of another node of its cluster.
    pub fn trusted(&self, url: Base) -> anyhow::Result<Base> {
        let trust = match &self.tls_ca {
            Some(file) => Trust::authorities(&fs::read(file).with_context(|| format!("read {}", file.display()))?)?,
            None if self.insecure => Trust::Anybody,
            None => Trust::System,
        };
        url.trusting(&trust)
    }
}

/// What to say.
#[derive(Debug, Args)]
pub struct Output {
    /// Also write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Show no progress
    #[arg(long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub struct HandOverArgs {
    /// The server's executable
    #[arg(long, value_name = "PATH")]
    pub server_bin: PathBuf,
    /// Its shards
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=16))]
    pub shards: u8,
    /// Sessions
    #[arg(long, default_value_t = 1_000)]
    pub sessions: usize,
    /// Players in each session
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=100))]
    pub players: u8,
    /// Actions a second of each player
    #[arg(long, default_value_t = 5.0, value_parser = rate)]
    pub rate: f64,
    /// How often each is handed over, to and fro
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub times: u32,
    /// Seconds measured
    #[arg(long, default_value_t = 20.0, value_parser = seconds)]
    pub seconds: f64,
    /// Seconds of the same load before
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    pub warmup: f64,
    /// Fail above this 99th percentile of the gap, in microseconds
    #[arg(long, value_name = "US")]
    pub max_gap_p99_us: Option<u64>,
    #[command(flatten)]
    pub output: Output,
}

/// A bounded length of time: every load stops by itself.
pub fn seconds(text: &str) -> Result<f64, String> {
    number_between(text, 0.0, 3600.0)
}

/// An encoding by its name.
fn encoding(text: &str) -> Result<Encoding, String> {
    match text {
        "json" => Ok(Encoding::Json),
        "msgpack" => Ok(Encoding::MsgPack),
        _ => Err("json or msgpack".to_owned()),
    }
}

pub fn rate(text: &str) -> Result<f64, String> {
    number_between(text, 0.001, 1000.0)
}

fn request_rate(text: &str) -> Result<f64, String> {
    number_between(text, 1.0, 1_000_000.0)
}

fn connections(text: &str) -> Result<usize, String> {
    let count = text.parse().map_err(|_| format!("{text} is no number"))?;
    if (1..=10_000).contains(&count) { Ok(count) } else { Err("must be between 1 and 10000".to_owned()) }
}

pub fn number_between(text: &str, low: f64, high: f64) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| format!("{text} is no number"))?;
    if (low..=high).contains(&value) { Ok(value) } else { Err(format!("must be between {low} and {high}")) }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::Cli;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_cannot_be_measured_is_refused() {
        let refused = |args: &[&str]| assert!(Cli::try_parse_from(args).is_err(), "{args:?}");
        let taken = |args: &[&str]| assert!(Cli::try_parse_from(args).is_ok(), "{args:?}");
        taken(&["x", "run", "--bare", "--saturate"]);
        taken(&["x", "run", "--token", "t", "--rate", "0.5"]);
        refused(&["x", "run", "--bare"]);
        refused(&["x", "run", "--bare", "--saturate", "--rate", "5"]);
        refused(&["x", "run", "--bare", "--saturate", "--players", "1"]);
        refused(&["x", "run", "--bare", "--rate", "0"]);
        refused(&["x", "run", "--bare", "--saturate", "--seconds", "inf"]);
        refused(&["x", "run", "--bare", "--saturate", "--max-cpu-us-per-delta", "9"]);
        refused(&["x", "run", "--bare", "--saturate", "--other-url", "http://127.0.0.1:1"]);
        taken(&[
            "x",
            "run",
            "--token",
            "t",
            "--rate",
            "2",
            "--other-url",
            "http://127.0.0.1:1",
            "--max-away-p99-us",
            "9",
        ]);
        refused(&["x", "run", "--token", "t", "--rate", "2", "--max-away-p99-us", "9"]);
        refused(&["x", "idle", "--bare"]);
        taken(&["x", "run", "--token", "t", "--saturate", "--url", "https://127.0.0.1:1", "--tls-ca", "f"]);
        refused(&["x", "run", "--token", "t", "--saturate", "--tls-ca", "f", "--insecure"]);
        taken(&["x", "compare", "--server-bin", "y", "--tls-cert", "f", "--tls-key", "f"]);
        refused(&["x", "compare", "--server-bin", "y", "--tls-cert", "f"]);
        taken(&["x", "crud", "--server-bin", "y", "--rate", "2000"]);
        taken(&["x", "crud", "--server-bin", "y", "--compare", "--reps", "3"]);
        refused(&["x", "crud"]);
        refused(&["x", "crud", "--server-bin", "y", "--reps", "3"]);
        refused(&["x", "crud", "--server-bin", "y", "--connections", "0"]);
        taken(&["x", "bots", "--server-bin", "y", "--scenario", "arena5v5", "--rounds", "3"]);
        taken(&["x", "bots", "--url", "http://h", "--fill", "coop", "--count", "2"]);
        taken(&["x", "rude", "--server-bin", "y", "--flood", "pings,joins", "--pace", "390,full", "--place", "same"]);
        taken(&[
            "x",
            "rude",
            "--server-bin",
            "y",
            "--non-readers",
            "10%",
            "--return",
            "2000",
            "--without-token",
            "300",
        ]);
        taken(&["x", "hand-over", "--server-bin", "y", "--sessions", "10", "--times", "3"]);
        refused(&["x", "hand-over", "--server-bin", "y", "--shards", "1"]);
        refused(&["x", "rude"]);
        refused(&["x", "rude", "--server-bin", "y", "--pace", "fast"]);
        refused(&["x", "rude", "--server-bin", "y", "--return", "20000"]);
        refused(&["x", "rude", "--server-bin", "y", "--non-readers", "100%"]);
        refused(&["x", "bots"]);
        refused(&["x", "bots", "--url", "http://h"]);
    }
}
