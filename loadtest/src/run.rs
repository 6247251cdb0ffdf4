//! The `run` command: set up, warm up, measure, drain, judge.

use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{fs, path::Path};

use anyhow::{Context, Result, anyhow, ensure};
use serde::Serialize;
use tiltyard_protocol::Encoding;

use crate::cli::{RunArgs, Target};
use crate::clock::Clock;
use crate::fleet::{Fleet, Load};
use crate::hand_over::{Mover, Moves};
use crate::lobby::{Lobby, Peer};
use crate::number::{float, per_second};
use crate::procfs::Usage;
use crate::progress::Progress;
use crate::report::{Actions, Checks, Deltas, GeneratorUse, Latencies, Quantiles, Report, ServerUse};
use crate::rest::Base;
use crate::tally::Counts;

/// The longest wait of one turn, so that the end of a phase is noticed.
const TURN: Duration = Duration::from_millis(50);

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    pub base: Base,
    /// Another node of its cluster, at which every second player's socket is.
    pub other: Option<Base>,
    pub peer: Peer,
    pub sessions: usize,
    pub players: usize,
    pub load: Load,
    pub spin: bool,
    pub warmup: f64,
    pub seconds: f64,
    pub drain: f64,
    pub seed: u64,
    /// Whether deltas are counted only.
    pub counts_only: bool,
    pub server_pid: Option<u32>,
    pub quiet: bool,
    /// Sessions that change hands while it is measured.
    pub moves: Option<Moves>,
}

pub fn command(args: &RunArgs) -> Result<ExitCode> {
    ensure!(args.seconds > 0.0 && args.sessions > 0, "there is nothing to measure");
    let plan = Plan {
        base: args.target.base()?,
        other: args.other_url.clone().map(|url| args.target.trusted(url)).transpose()?,
        peer: peer(&args.target, args.bare, args.encoding)?,
        sessions: args.sessions,
        players: usize::from(args.players),
        load: args.rate.map_or(Load::Saturate, Load::Rate),
        spin: args.spin,
        warmup: args.warmup,
        seconds: args.seconds,
        drain: args.drain,
        seed: args.seed,
        counts_only: false,
        server_pid: args.server_pid,
        quiet: args.output.quiet,
        moves: None,
    };
    let mut report = measure(&plan)?;
    report.failures = args.bounds.failures(&report);
    print!("{report}");
    write_json(args.output.json.as_deref(), &report)?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Who is at `target`.
pub fn peer(target: &Target, bare: bool, encoding: Encoding) -> Result<Peer> {
    if bare {
        return Ok(Peer::Bare);
    }
    let token = target.token.clone().ok_or_else(|| anyhow!("a token is needed"))?;
    Ok(Peer::Tiltyard { token, encoding })
}

/// Writes `report` to `file`, if there is one.
pub fn write_json(file: Option<&Path>, report: &impl Serialize) -> Result<()> {
    let Some(file) = file else { return Ok(()) };
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    fs::write(file, text).with_context(|| format!("write {}", file.display()))
}

/// Carries `plan` out. An error means that nothing was measured; what was measured may still be bad.
pub fn measure(plan: &Plan) -> Result<Report> {
    let clock = Clock::start();
    let mut progress = Progress::new(plan.quiet);
    progress.step("creating the sessions");
    let mut lobby = Lobby::create(&plan.base, &plan.peer, plan.sessions, plan.players)?.beside(plan.other.clone());
    progress.step("connecting the players");
    let mut fleet = Fleet::open(&mut lobby, Some(plan.load), clock, plan.seed)?;
    fleet.crowd.tally.counts_only = plan.counts_only;
    fleet.join()?;
    if lobby.answers() {
        fleet.ready()?;
    }
    let setup_seconds = Duration::from_nanos(clock.now()).as_secs_f64();

    fleet.start(plan.load, plan.spin);
    play(&mut fleet, &clock, plan.warmup, "warming up", &mut progress)?;

    let window = clock.now()..fleet.after(plan.seconds);
    fleet.crowd.tally.window = window;
    let start = Mark::take(&fleet, plan.server_pid)?;
    let under_way = plan.moves.as_ref().map(|moves| moves.start(&plan.base, lobby.sessions()));
    play(&mut fleet, &clock, plan.seconds, "measuring", &mut progress)?;
    let end = Mark::take(&fleet, plan.server_pid)?;
    let moved = under_way.map(Mover::stop).transpose()?;

    fleet.stop();
    progress.step("draining");
    let until = fleet.after(plan.drain);
    while clock.now() < until && !fleet.crowd.settled() {
        fleet.turn(Duration::from_millis(10))?;
    }
    progress.done();
    Ok(Report { moved, ..report(plan, &fleet, setup_seconds, &start, &end) })
}

fn play(fleet: &mut Fleet, clock: &Clock, seconds: f64, phase: &str, progress: &mut Progress) -> Result<()> {
    let until = fleet.after(seconds);
    loop {
        let now = clock.now();
        if now >= until {
            return Ok(());
        }
        progress.show(now, phase, until - now, &fleet.crowd.tally);
        fleet.turn(TURN.min(Duration::from_nanos(until - now)))?;
    }
}

/// One end of the measured window.
#[derive(Debug)]
struct Mark {
    at: Instant,
    counts: Counts,
    own: Usage,
    server: Option<Usage>,
}

impl Mark {
    fn take(fleet: &Fleet, server_pid: Option<u32>) -> Result<Self> {
        let server = server_pid.map(Usage::of).transpose().context("read what the server used")?;
        Ok(Self { at: Instant::now(), counts: fleet.crowd.tally.counts, own: Usage::own()?, server })
    }
}

fn report(plan: &Plan, fleet: &Fleet, setup_seconds: f64, start: &Mark, end: &Mark) -> Report {
    let tally = &fleet.crowd.tally;
    let time = end.at - start.at;
    let counts = end.counts.since(&start.counts);
    let server = start.server.zip(end.server).map(|(before, after)| {
        let cpu_us = after.cpu.saturating_sub(before.cpu).as_secs_f64() * 1e6;
        ServerUse {
            cpu_percent: after.cpu_percent_since(&before, time),
            cpu_us_per_delta: (counts.deltas > 0).then(|| cpu_us / float(counts.deltas)),
            rss_kib: after.rss_kib,
        }
    });
    let own_percent = end.own.cpu_percent_since(&start.own, time);
    Report {
        sessions: plan.sessions,
        players: plan.players,
        rate: match plan.load {
            Load::Rate(rate) => Some(rate),
            Load::Saturate => None,
        },
        seed: plan.seed,
        setup_seconds,
        seconds: time.as_secs_f64(),
        latency_us: Latencies {
            ack: Quantiles::of(&tally.ack),
            actor: Quantiles::of(&tally.actor.near),
            others: Quantiles::of(&tally.others.near),
            actor_away: Quantiles::of(&tally.actor.away),
            others_away: Quantiles::of(&tally.others.away),
            late: Quantiles::of(&tally.late),
        },
        actions: Actions {
            sent: counts.sent,
            acked: counts.acked,
            refused: counts.refused,
            refused_by_reason: tally.refused.clone(),
            unanswered: fleet.crowd.unanswered(),
        },
        deltas: Deltas { received: counts.deltas, per_second: per_second(counts.deltas, time) },
        checks: Checks {
            lost: fleet.crowd.missing(),
            out_of_order: tally.counts.out_of_order,
            drifted: tally.counts.drifted,
            conflated: tally.counts.conflated,
            resynced: tally.counts.resynced,
            closed: tally.counts.closed,
            errors: tally.counts.errors,
            ended: tally.counts.ended,
            untimed: tally.counts.untimed,
        },
        generator: GeneratorUse::new(own_percent, plan.spin, server.as_ref()),
        server,
        troubles: tally.troubles.clone(),
        moved: None,
        failures: Vec::new(),
    }
}
