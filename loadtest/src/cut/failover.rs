//! The `failover` command: a node of a cluster is killed while its fights are played, and the others go on with them; nothing acknowledged may
//! be lost, doubled or told wrong, and how long nobody could play is measured.

use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;
use uuid::Uuid;

use super::CutArgs;
use super::field::{self, Stage, Victim};
use super::tickets::Desk;
use crate::child::Server;
use crate::cli::{Output, rate, seconds};
use crate::hub::Hub;
use crate::number::whole;
use crate::rest::Rest;
use crate::run::write_json;

/// Seconds until every node knows all others, and takes who goes for dead.
const READY_SECONDS: u64 = 30;
const CALM: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub struct FailoverArgs {
    /// The server's executable
    #[arg(long, value_name = "PATH")]
    pub server_bin: PathBuf,
    /// The PostgreSQL that the nodes share
    #[arg(long, value_name = "URL")]
    pub database: String,
    /// The Redis by which they know each other
    #[arg(long, value_name = "URL")]
    pub redis: String,
    /// The Redis that has the log of their fights
    #[arg(long, value_name = "URL")]
    pub redis_log: String,
    /// Nodes
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(2..=64))]
    pub nodes: u8,
    /// Nodes that have the fights, and are killed at the same moment
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=63))]
    pub kill: u8,
    /// Shards of each
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub shards: u8,
    /// Fights
    #[arg(long, default_value_t = 2_000)]
    pub fights: usize,
    /// Players in each
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=100))]
    pub players: u8,
    /// Actions a second of each player
    #[arg(long, default_value_t = 1.0, value_parser = rate)]
    pub rate: f64,
    /// Seconds of play before the kill, and as many after it
    #[arg(long, default_value_t = 10.0, value_parser = seconds)]
    pub seconds: f64,
    /// Stop the node where it is, for good, instead of killing it: its machine says nothing then, and its lease has to run out
    #[arg(long)]
    pub hang: bool,
    /// Seed of every random choice
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    #[command(flatten)]
    pub output: Output,
}

pub fn command(args: &FailoverArgs) -> Result<ExitCode> {
    let killed = usize::from(args.kill);
    ensure!(args.kill < args.nodes, "somebody has to go on with the fights");
    ensure!(args.fights.is_multiple_of(killed), "each node that is killed has as many fights");
    let play = CutArgs {
        server_bin: args.server_bin.clone(),
        shards: args.shards,
        connections: args.fights * usize::from(args.players),
        players: args.players,
        seconds: 2.0 * args.seconds,
        every: 1e6,
        flight: 0,
        rate: args.rate,
        drain: 30.0,
        seed: args.seed,
        output: Output { json: None, quiet: args.output.quiet },
    };
    let shards = args.shards.to_string();
    let mut hubs: Vec<Hub> = Vec::new();
    for number in 0..args.nodes {
        let name = format!("node-{number}-{}", Uuid::new_v4().simple());
        let flags = ["--node", &name, "--shards", &shards, "--redis", &args.redis, "--redis-log", &args.redis_log];
        let hub = Hub::new(&args.server_bin, Some(&args.database))?.with(&flags);
        let hub = match hubs.first() {
            Some(first) => hub.with_key_of(first)?,
            // Asked for a token it makes its key.
            None => hub.token().map(|_| hub)?,
        };
        hubs.push(hub);
    }
    let mut nodes = hubs.iter().map(Hub::start).collect::<Result<Vec<Server>>>()?;
    let token = hubs[0].token()?;
    for node in &nodes {
        knows_all(node, &token, args.nodes)?;
    }
    sleep(CALM);
    let players = usize::from(args.players);
    let (mut sessions, mut seats) = (Vec::new(), Vec::new());
    for node in &nodes[..killed] {
        let lobby = field::lobby(&play, &node.base, &token, args.fights / killed)?;
        for (place, &session) in lobby.sessions().iter().enumerate() {
            for slot in 0..players {
                seats.push((session, lobby.player(place, slot).context("a seat has no player")?));
            }
        }
        sessions.extend_from_slice(lobby.sessions());
    }
    let desk = Desk::of_nodes(&nodes[killed].base, &token, seats)?;
    let servers = nodes.drain(..killed).collect();
    let victim = Victim { servers, after_us: whole(args.seconds * 1e6), hangs: args.hang };
    let stage = Stage { sessions, desk, victim: Some(victim) };
    let report = field::run(&play, stage)?;
    print!("{report}");
    write_json(args.output.json.as_deref(), &report)?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Waits until a node knows all others.
fn knows_all(node: &Server, token: &str, nodes: u8) -> Result<()> {
    let since = Instant::now();
    let mut rest = Rest::connect(&node.base, token)?;
    loop {
        let (_, body) = rest.ask("GET", "/health", None)?;
        let health: Value = serde_json::from_slice(&body).context("/health is no JSON")?;
        if health["cluster"]["nodes"] == nodes {
            return Ok(());
        }
        ensure!(since.elapsed().as_secs() < READY_SECONDS, "a node does not know the others: {health}");
        sleep(Duration::from_millis(100));
    }
}
