//! `crud --compare`: the server against the bare one, requests per second on one core each, in turns, so that whatever else
//! the machine does falls on both. Only the ratios mean anything on a shared machine.

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;
use uuid::Uuid;

use super::pipe::Outgoing;
use super::pool::Pool;
use super::population::Population;
use super::ratios::{Contest, Kind, Run};
use super::request::Writer;
use super::usage;
use crate::child::Server;
use crate::cli::CrudArgs;
use crate::hub::Hub;
use crate::number::{float, per_second};
use crate::procfs::Usage;
use crate::run::write_json;
use crate::sys;

/// Connections, one request in flight on each.
const CONNECTIONS: usize = 32;

/// Sessions that are read in turn.
const SESSIONS: usize = 1000;

/// Seconds of the same load before it counts.
const WARMUP: Duration = Duration::from_millis(500);

/// Seconds a bare server lives beyond the load it is there for, should nobody end it.
const BARE_SPARE: f64 = 120.0;

pub fn command(args: &CrudArgs) -> Result<ExitCode> {
    ensure!(args.seconds > 0.0, "there is nothing to measure");
    let mut contest = Contest::default();
    println!(
        "{:>4} {:<9}{:<6}{:>12}{:>12}{:>12}{:>13}",
        "rep", "server", "", "requests/s", "us/request", "server CPU", "harness CPU"
    );
    for rep in 1..=args.reps {
        // Whoever is second finds a warmer machine, or a hotter one: each is first in turn.
        let mut runs = if rep % 2 == 1 {
            let mut runs = bare(args, rep)?;
            runs.extend(tiltyard(args, rep)?);
            runs
        } else {
            let mut runs = tiltyard(args, rep)?;
            runs.extend(bare(args, rep)?);
            runs
        };
        for run in &runs {
            println!("{run}");
        }
        contest.runs.append(&mut runs);
    }
    contest.judge(args.min_get_ratio);
    print!("{contest}");
    write_json(args.output.json.as_deref(), &contest)?;
    Ok(if contest.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tiltyard(args: &CrudArgs, rep: u32) -> Result<Vec<Run>> {
    let hub = Hub::new(&args.server_bin, args.database.as_deref())?;
    let server = pinned(args, || hub.start())?;
    let writer = Writer::new(&server.base, &hub.token()?);
    let sessions = sessions(&server, &writer)?;
    load(args, rep, "tiltyard", &server, &writer, &sessions)
}

/// The bare one answers with a session as the real one tells of it.
fn bare(args: &CrudArgs, rep: u32) -> Result<Vec<Run>> {
    let folder = tempfile::tempdir()?;
    let session = folder.path().join("session.json");
    std::fs::write(&session, sample(args)?)?;
    let mut command = Command::new(std::env::current_exe()?);
    let seconds = args.seconds * 2.0 + BARE_SPARE;
    command.args(["bare-http", "--seconds", &seconds.to_string(), "--session"]).arg(&session);
    let log = TempDir::path(&folder).join("log");
    let server = pinned(args, || Server::start(command, &log))?;
    let writer = Writer::new(&server.base, "of nobody");
    load(args, rep, "bare", &server, &writer, &[Uuid::nil()])
}

/// A session as JSON, from a server that is there for nothing else.
fn sample(args: &CrudArgs) -> Result<Vec<u8>> {
    let hub = Hub::new(&args.server_bin, args.database.as_deref())?;
    let server = hub.start()?;
    let writer = Writer::new(&server.base, &hub.token()?);
    let session = sessions(&server, &writer)?[0];
    let mut body = Vec::new();
    let mut pool = Pool::open(server.base.address, 1)?;
    pool.send((), |bytes| writer.get(bytes, session))?;
    while pool.in_flight() > 0 {
        pool.turn(Duration::from_millis(100), |_, (), answer| {
            body = answer.body.to_vec();
            Ok(())
        })?;
    }
    Ok(body)
}

/// Creates the sessions that will be read.
fn sessions(server: &Server, writer: &Writer) -> Result<Vec<Uuid>> {
    let mut population = Population::new(1);
    let mut pool = Pool::open(server.base.address, CONNECTIONS)?;
    for _ in 0..SESSIONS {
        let player = population.next().1;
        pool.send(player, |bytes| writer.create(bytes, "custom", player, 17))?;
    }
    while pool.in_flight() > 0 {
        pool.turn(Duration::from_millis(100), |_, player, answer| match answer.status {
            201 => population.created(player, answer),
            other => bail!("a create was answered by {other}: {}", String::from_utf8_lossy(answer.body)),
        })?;
    }
    Ok(std::iter::from_fn(|| population.take()).map(|known| known.session).collect())
}

/// Starts a server on its core. What a process starts runs where it runs itself, so the harness goes there for a moment.
fn pinned(args: &CrudArgs, start: impl FnOnce() -> Result<Server>) -> Result<Server> {
    sys::pin(args.server_core).with_context(|| format!("run on core {}", args.server_core))?;
    let server = start();
    sys::pin(args.harness_core).with_context(|| format!("run on core {}", args.harness_core))?;
    server
}

fn load(
    args: &CrudArgs,
    rep: u32,
    who: &'static str,
    server: &Server,
    writer: &Writer,
    sessions: &[Uuid],
) -> Result<Vec<Run>> {
    let mut next = sessions.iter().cycle();
    let mut population = Population::new(u64::from(rep));
    let mut runs = Vec::new();
    for kind in [Kind::Get, Kind::Post] {
        let mut ask = |outgoing: &mut Outgoing<()>| match kind {
            Kind::Get => outgoing.push((), |bytes| writer.get(bytes, *next.next().expect("a cycle has no end"))),
            Kind::Post => outgoing.push((), |bytes| writer.create(bytes, "custom", population.next().1, 17)),
        };
        let mut pool = Pool::open(server.base.address, CONNECTIONS)?;
        pool.prime(&mut ask)?;
        closed(&mut pool, WARMUP, kind, &mut ask)?;
        let (before, own_before, since) = (usage(server)?, Usage::own()?, Instant::now());
        let answered = closed(&mut pool, Duration::from_secs_f64(args.seconds), kind, &mut ask)?;
        let (after, own_after, time) = (usage(server)?, Usage::own()?, since.elapsed());
        runs.push(Run {
            rep,
            who,
            kind,
            per_second: per_second(answered, time),
            cpu_us: after.cpu_since(&before).as_secs_f64() * 1e6 / float(answered.max(1)),
            server_cpu_percent: after.cpu_percent_since(&before, time),
            harness_cpu_percent: own_after.cpu_percent_since(&own_before, time),
        });
    }
    Ok(runs)
}

/// Asks again whenever there is an answer, for `time`; how many there were.
fn closed(pool: &mut Pool<()>, time: Duration, kind: Kind, mut ask: impl FnMut(&mut Outgoing<()>)) -> Result<u64> {
    let expected = if kind == Kind::Get { 200 } else { 201 };
    let since = Instant::now();
    let mut answered = 0;
    while since.elapsed() < time {
        pool.turn(Duration::from_millis(50), |outgoing, (), answer| {
            if answer.status != expected {
                bail!("answered by {}: {}", answer.status, String::from_utf8_lossy(answer.body));
            }
            answered += 1;
            ask(outgoing);
            Ok(())
        })?;
    }
    Ok(answered)
}
