//! What a log in Redis carries, and what it costs, beside the log in files: a loop's turns, each with an entry of each of so many sessions, as
//! fast as they are kept, with at most so many turns waiting as a shard would let. It starts a `redis-server` of its own, which has to be
//! installed, in a folder below `TMPDIR`, once for each way in which it may wait for its disk:
//!
//! ```text
//! TMPDIR=/var/tmp cargo bench --bench redis_log
//! ```

// Figures are told in a few digits.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use std::collections::VecDeque;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Waker};
use tiltyard::config::RedisUrl;
use tiltyard::limits;
use tiltyard::log::redis::start::Client;
use tiltyard::log::{Append, Key, Log, Outcome, RedisLog};
use tiltyard::rules::Library;
use tiltyard::shard::recovery::recover;
use uuid::Uuid;

/// How long each line is measured.
const FOR: Duration = Duration::from_secs(3);

/// Bytes of an entry: an action in the log, as long as most are.
const BYTES: usize = 24;

/// Shards that write at the same time, each with a loop of its own.
const SHARDS: [usize; 2] = [1, 2];

struct Entry;

impl Append for Entry {
    fn append_to(&self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(&[7; BYTES]);
    }
}

/// A Redis that goes away with this.
struct Redis {
    process: Child,
    url: RedisUrl,
    _folder: tempfile::TempDir,
}

impl Redis {
    fn start(fsync: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
        let port = free.port();
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", fsync, "--port"])
            .arg(port.to_string())
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let since = Instant::now();
        while TcpStream::connect(free).is_err() {
            assert!(since.elapsed() < Duration::from_secs(10), "Redis does not start");
            std::thread::sleep(Duration::from_millis(5));
        }
        let url = RedisUrl::try_from(format!("redis://127.0.0.1:{port}")).expect("a URL");
        Self { process, url, _folder: folder }
    }

    /// Its time on a processor so far.
    fn cpu(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).expect("its figures");
        let after = stat.rsplit(") ").next().expect("a state");
        let ticks: u64 = after.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("ticks")).sum();
        // A hundredth of a second each.
        Duration::from_millis(ticks * 10)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What came of a line.
#[derive(Default)]
struct Ran {
    entries: u64,
    took: Duration,
    /// On a processor, by the thread that has the loop.
    own: Duration,
    /// From sealing a turn to where it is kept.
    waited: Vec<Duration>,
}

/// Turns until the time is up, each with an entry of each session.
fn turns(mut log: Log, sessions: usize) -> Ran {
    let mut poll = Poll::new().expect("a poll");
    let waker = Waker::new(poll.registry(), mio::Token(0)).expect("a waker");
    log.enter(poll.registry(), move || {
        let _ = waker.wake();
    })
    .expect("it begins");
    let ids: Vec<Uuid> = (0..sessions).map(|_| Uuid::new_v4()).collect();
    let (mut events, mut held, mut ran) = (Events::with_capacity(16), VecDeque::new(), Ran::default());
    let (since, own, mut number) = (Instant::now(), own_cpu(), 0);
    while since.elapsed() < FOR || !held.is_empty() {
        if since.elapsed() < FOR && held.len() < limits::TURNS_HELD {
            for &session in &ids {
                log.push(Key { session, epoch: 1, number }, &Entry);
            }
            number += 1;
            log.seal(number);
            held.push_back(Instant::now());
        } else {
            poll.poll(&mut events, Some(Duration::from_millis(5))).expect("it polls");
        }
        loop {
            match log.poll() {
                Some(Outcome::Kept(_)) => {
                    ran.waited.extend(held.pop_front().map(|sealed: Instant| sealed.elapsed()));
                    ran.entries += ids.len() as u64;
                }
                Some(other) => panic!("{other:?}"),
                None => break,
            }
        }
        // A snapshot would be due: it is put off as where much waits.
        while log.take_grown().is_some() {}
    }
    (ran.took, ran.own) = (since.elapsed(), own_cpu().saturating_sub(own));
    ran.waited.sort_unstable();
    ran
}

/// This thread's time on a processor so far.
fn own_cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("its figures");
    Duration::from_nanos(stat.split(' ').next().and_then(|ns| ns.parse().ok()).expect("a time"))
}

fn micros(duration: Duration, entries: u64) -> f64 {
    duration.as_secs_f64() * 1e6 / entries as f64
}

fn line(name: &str, shards: usize, sessions: usize, ran: &[Ran], redis: Option<Duration>) {
    let entries: u64 = ran.iter().map(|ran| ran.entries).sum();
    let took = ran.iter().map(|ran| ran.took).max().unwrap_or_default();
    let own: Duration = ran.iter().map(|ran| ran.own).sum();
    let at = |part: f64| ran.iter().map(|ran| ran.waited[((ran.waited.len() - 1) as f64 * part) as usize]).max();
    let (p50, p99) = (at(0.5).unwrap_or_default(), at(0.99).unwrap_or_default());
    let redis = redis.map_or_else(|| "      -".to_owned(), |cpu| format!("{:7.2}", micros(cpu, entries)));
    println!(
        "{name:<22}{shards:>7}{sessions:>10}{:>12.0}{:>10.2}{redis:>10}{:>10.2}{:>10.2}",
        entries as f64 / took.as_secs_f64(),
        micros(own, entries),
        p50.as_secs_f64() * 1e3,
        p99.as_secs_f64() * 1e3,
    );
}

fn at_once(logs: Vec<Log>, sessions: usize) -> Vec<Ran> {
    let threads: Vec<_> = logs.into_iter().map(|log| std::thread::spawn(move || turns(log, sessions))).collect();
    threads.into_iter().map(|thread| thread.join().expect("a loop")).collect()
}

fn main() {
    println!(
        "{:<22}{:>7}{:>10}{:>12}{:>10}{:>10}{:>10}{:>10}",
        "log", "shards", "sessions", "entries/s", "us own", "us Redis", "p50 ms", "p99 ms"
    );
    for shards in SHARDS {
        for sessions in [1, 10, 100] {
            let folder = tempfile::tempdir().expect("a folder");
            let library = Library::built_in();
            let recovered = recover(folder.path(), shards, false, false, &library).expect("a log in files");
            let logs = recovered.shards.into_iter().map(|(journal, _)| Log::from(journal)).collect();
            line("files", shards, sessions, &at_once(logs, sessions), None);
            for fsync in ["everysec", "always"] {
                let redis = Redis::start(fsync);
                let node = Client::connect(&redis.url, "bench").expect("it answers").node().clone();
                let logs = (0..shards).map(|_| Log::from(RedisLog::new(node.clone()))).collect();
                let before = redis.cpu();
                let ran = at_once(logs, sessions);
                let cpu = redis.cpu().saturating_sub(before);
                line(&format!("Redis, {fsync}"), shards, sessions, &ran, Some(cpu));
            }
        }
    }
}
