//! The `crud` command: fills a server with sessions over REST, says what one costs in memory, how long a restart takes, and
//! how fast a mix of requests is answered at a steady rate.
//!
//! In reading order: [`request`] what is asked, [`pipe`] one connection, [`pool`] all of them, [`population`] the sessions
//! there are, [`refusals`] those there are not, [`mix`] the open loop, [`figures`] what is said about it; [`contest`] is `crud --compare`, with
//! its [`ratios`].

mod contest;
mod figures;
mod mix;
mod pipe;
mod pool;
mod population;
mod ratios;
mod refusals;
mod request;

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use self::figures::{Figures, Restart};
use self::mix::Mix;
use self::pool::Pool;
use self::population::Population;
use self::refusals::Refusals;
use self::request::Writer;
use crate::child::Server;
use crate::cli::CrudArgs;
use crate::clock::Clock;
use crate::hub::Hub;
use crate::number::{float, grouped, per_second, whole};
use crate::procfs::Usage;
use crate::progress::Progress;
use crate::rest::Base;
use crate::run::write_json;

/// Requests in flight on each connection while the server is filled.
const WINDOW: usize = 4;

/// The longest a server may take until it is ready.
const READY_TIME_MAX: Duration = Duration::from_mins(2);

pub fn command(args: &CrudArgs) -> Result<ExitCode> {
    if args.compare {
        return contest::command(args);
    }
    let figures = measure(args)?;
    print!("{figures}");
    write_json(args.output.json.as_deref(), &figures)?;
    Ok(if figures.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(args: &CrudArgs) -> Result<Figures> {
    ensure!(args.sessions > 0, "there is nothing to measure");
    let clock = Clock::start();
    let mut progress = Progress::new(args.output.quiet);
    let hub = Hub::new(&args.server_bin, args.database.as_deref())?;
    let server = hub.start()?;
    let token = hub.token()?;
    let mut figures = Figures { sessions: args.sessions, rate: args.rate, ..Figures::default() };
    let mut population = Population::new(args.seed);

    let writer = Writer::new(&server.base, &token);
    let before = usage(&server)?;
    let since = Instant::now();
    let refused = fill(args, &server.base, &writer, &mut population, clock, &mut progress)?;
    figures.fill_seconds = since.elapsed().as_secs_f64();
    figures.creates_per_second = per_second(args.sessions as u64, since.elapsed());
    figures.fill_errors = refused.count();
    figures.troubles = refused.lines().collect();
    figures.fill_cpu_us = usage(&server)?.cpu_since(&before).as_secs_f64() * 1e6 / float(args.sessions as u64);
    progress.step("leaving it alone");
    thread::sleep(Duration::from_secs_f64(args.rest));
    figures.rss_before_kib = before.rss_kib;
    figures.rss_filled_kib = usage(&server)?.rss_kib;
    let added = figures.rss_filled_kib.saturating_sub(before.rss_kib);
    figures.bytes_per_session = float(added) * 1024.0 / float(population.len() as u64);

    progress.step("kill -9, and starting it again");
    drop(server);
    let since = Instant::now();
    let server = hub.start()?;
    until_ready(&server.base)?;
    let ready_seconds = since.elapsed().as_secs_f64();
    let rss_ready_kib = usage(&server)?.rss_kib;
    thread::sleep(Duration::from_secs_f64(args.rest));
    figures.restart = Restart { ready_seconds, rss_ready_kib, rss_rested_kib: usage(&server)?.rss_kib };

    let line = format!("asking {} times a second for {:.0} s", grouped(whole(args.rate)), args.seconds);
    progress.step(&line);
    let writer = Writer::new(&server.base, &token);
    let mut pool = Pool::open(server.base.address, args.connections)?;
    // Caches and connections are warm when it counts.
    Mix::play(&mut pool, &writer, &mut population, clock, args.rate, args.warmup)?;
    let (server_before, own_before, since) = (usage(&server)?, Usage::own()?, Instant::now());
    let mix = Mix::play(&mut pool, &writer, &mut population, clock, args.rate, args.seconds)?;
    let (server_after, own_after, time) = (usage(&server)?, Usage::own()?, since.elapsed());
    progress.done();
    figures.mixed(&mix, time, server_after.cpu_since(&server_before));
    figures.server_cpu_percent = server_after.cpu_percent_since(&server_before, time);
    figures.harness_cpu_percent = own_after.cpu_percent_since(&own_before, time);
    figures.rss_after_kib = server_after.rss_kib;
    figures.judge(args.hold);
    Ok(figures)
}

/// Creates the sessions, as fast as the server takes them; what it refused.
fn fill(
    args: &CrudArgs,
    base: &Base,
    writer: &Writer,
    population: &mut Population,
    clock: Clock,
    progress: &mut Progress,
) -> Result<Refusals> {
    let mut pool = Pool::open(base.address, args.connections)?;
    let (mut asked, mut answered, mut refused) = (0, 0, Refusals::default());
    let since = Instant::now();
    let mut ask = |outgoing: &mut pipe::Outgoing<_>, population: &mut Population| {
        if asked < args.sessions {
            let (kind, player) = population.next();
            let level = population.below(100);
            outgoing.push(player, |bytes| writer.create(bytes, kind, player, level));
            asked += 1;
        }
    };
    pool.prime(|outgoing| (0..WINDOW).for_each(|_| ask(outgoing, population)))?;
    while answered < args.sessions {
        pool.turn(Duration::from_millis(100), |outgoing, player, answer| {
            answered += 1;
            if answer.status == 201 {
                population.created(player, answer)?;
            } else {
                refused.note(answer);
                // A few may be refused under such a load; a server that takes none is not measured.
                if refused.count() == 100 && population.len() < 100 {
                    bail!("answered by {}: {}", answer.status, String::from_utf8_lossy(answer.body));
                }
            }
            ask(outgoing, population);
            Ok(())
        })?;
        progress.line(clock.now(), || {
            let rate = grouped(whole(per_second(answered as u64, since.elapsed())));
            format!("{} of {} sessions   {rate}/s", grouped(answered as u64), grouped(args.sessions as u64))
        });
    }
    Ok(refused)
}

/// Waits for a 200 of `/readyz`.
fn until_ready(base: &Base) -> Result<()> {
    let since = Instant::now();
    while since.elapsed() < READY_TIME_MAX {
        let mut pool = Pool::open(base.address, 1)?;
        let mut ready = None;
        let request = format!("GET {}/readyz HTTP/1.1\r\nHost: {}\r\n\r\n", base.prefix, base.host);
        pool.send((), |bytes| bytes.extend_from_slice(request.as_bytes()))?;
        while ready.is_none() && since.elapsed() < READY_TIME_MAX {
            pool.turn(Duration::from_millis(100), |_, (), answer| {
                ready = Some(answer.status);
                Ok(())
            })?;
        }
        if ready == Some(200) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(5));
    }
    bail!("the server is not ready after {} s", READY_TIME_MAX.as_secs())
}

fn usage(server: &Server) -> Result<Usage> {
    Usage::of(server.pid()).context("read what the server used")
}
