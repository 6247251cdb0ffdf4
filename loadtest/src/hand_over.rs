//! The `hand-over` command: fights under load are handed over between the shards of a server, to and fro, while every player's view is
//! checked; how long nothing was done to a fight that changed hands.

use std::fmt::{Display, Formatter};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Value, json};
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::bounds::Bounds;
use crate::cli::HandOverArgs;
use crate::fleet::Load;
use crate::hub::Hub;
use crate::lobby::Peer;
use crate::report::Quantiles;
use crate::rest::{Base, Rest};
use crate::run::{Plan, measure, write_json};

/// What is handed over, by whom.
#[derive(Debug, Clone)]
pub struct Moves {
    /// An administrator's.
    pub token: String,
    pub shards: u128,
    /// Of each session.
    pub times: u32,
}

/// Hand-overs under way.
#[derive(Debug)]
pub struct Mover {
    thread: JoinHandle<Result<Moved>>,
    stop: Arc<AtomicBool>,
}

/// What came of them.
#[derive(Debug, Clone, Serialize)]
pub struct Moved {
    pub hand_overs: u64,
    pub seconds: f64,
    /// For which nothing was done to a fight.
    pub gap_us: Option<Quantiles>,
}

pub fn command(args: &HandOverArgs) -> Result<ExitCode> {
    let hub = Hub::new(&args.server_bin, None)?.with(&["--shards", &args.shards.to_string()]);
    let server = hub.start()?;
    let token = hub.token_for(&["--admin"])?;
    let plan = Plan {
        base: server.base.clone(),
        other: None,
        peer: Peer::Tiltyard { token: hub.token()?, encoding: Encoding::Json },
        sessions: args.sessions,
        players: usize::from(args.players),
        load: Load::Rate(args.rate),
        spin: false,
        warmup: args.warmup,
        seconds: args.seconds,
        drain: 5.0,
        seed: 1,
        counts_only: false,
        server_pid: Some(server.pid()),
        quiet: args.output.quiet,
        moves: Some(Moves { token, shards: args.shards.into(), times: args.times }),
    };
    let mut report = measure(&plan)?;
    report.failures = Bounds::default().failures(&report);
    let moved = report.moved.clone().context("nothing was handed over")?;
    let wanted = args.sessions as u64 * u64::from(args.times);
    if moved.hand_overs < wanted {
        report.failures.push(format!("{} of {wanted} hand-overs while it was measured", moved.hand_overs));
    }
    if let (Some(most), Some(gaps)) = (args.max_gap_p99_us, &moved.gap_us)
        && gaps.p99 > most
    {
        report.failures.push(format!("p99 of the gap {} us, more than {most}", gaps.p99));
    }
    print!("{report}\n{moved}");
    write_json(args.output.json.as_deref(), &report)?;
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Moves {
    /// Begins to hand these sessions over, one after the other.
    pub fn start(&self, base: &Base, sessions: &[Uuid]) -> Mover {
        let (moves, base, sessions) = (self.clone(), base.clone(), sessions.to_vec());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        Mover { thread: std::thread::spawn(move || moves.run(&base, &sessions, &stopped)), stop }
    }

    fn run(&self, base: &Base, sessions: &[Uuid], stop: &AtomicBool) -> Result<Moved> {
        let mut rest = Rest::connect(base, &self.token)?;
        let (mut gaps, began, mut hand_overs) = (Histogram::new(3)?, Instant::now(), 0);
        'all: for time in 1..=self.times {
            for session in sessions {
                if stop.load(Ordering::Relaxed) {
                    break 'all;
                }
                // From its own to the next, and so on.
                let shard = (session.as_u128() % (1 << 32) + u128::from(time)) % self.shards;
                let body = json!({ "shard": u64::try_from(shard)? });
                let path = format!("/combat/sessions/{session}/hand-over");
                let (status, answer) = rest.ask("POST", &path, Some(&body))?;
                ensure!(status == 200, "a hand-over: {status} {}", String::from_utf8_lossy(&answer));
                let answer: Value = serde_json::from_slice(&answer)?;
                let Some(gap_us) = answer["gap_us"].as_u64() else { bail!("no gap in {answer}") };
                gaps.record(gap_us)?;
                hand_overs += 1;
            }
        }
        Ok(Moved { hand_overs, seconds: began.elapsed().as_secs_f64(), gap_us: Quantiles::of(&gaps) })
    }
}

impl Mover {
    /// What has come of them by now; no more are begun.
    pub fn stop(self) -> Result<Moved> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the thread that hands over panicked"))?
    }
}

impl Display for Moved {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} hand-overs in {:.1} s", self.hand_overs, self.seconds)?;
        let Some(Quantiles { p50, p90, p99, p999, max }) = &self.gap_us else { return Ok(()) };
        writeln!(f, "{:<26}{p50:>10}{p90:>10}{p99:>10}{p999:>10}{max:>10}", "gap of a hand-over")
    }
}
