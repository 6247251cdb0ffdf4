//! Clients without a token beside one that has one: connections that ask and do not read, and fetchers of pages in every
//! coding; and, with the least that a guest may have, empty fragments. The other asks for `/health` and connects anew.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde::Serialize;
use uuid::Uuid;

use super::flooder::{Flooder, Plan};
use super::honest::{rules, server};
use super::{Kind, Pace, RudeArgs};
use crate::number::{float, grouped, median};
use crate::procfs::{self, Usage};
use crate::report::Quantiles;
use crate::rest::{Base, Rest};
use crate::sys;
use crate::tally::Tally;

/// Between two requests of the one who has a token, and of how many one is on a connection of its own.
const ASK_EVERY: Duration = Duration::from_millis(5);
const CONNECT_EVERY: u64 = 10;

/// Pages that may be there; the largest is what is asked for.
const PAGES: [&str; 5] = ["/arena/", "/openapi.yaml", "/docs", "/arena", "/health"];

/// Requests on each connection that does not read.
const PIPELINED: usize = 400;

/// Connections that fetch pages.
const FETCHERS: usize = 4;

/// The longest a fetcher waits for a page.
const PAGE_WAIT: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize)]
pub struct Tokenless {
    pub page: &'static str,
    pub loads: Vec<Loaded>,
}

/// One kind of load.
#[derive(Debug, Serialize)]
pub struct Loaded {
    pub name: String,
    pub quiet: Vec<Probe>,
    pub busy: Vec<Probe>,
    /// What became of the requests of the load, where that is known.
    pub answers: BTreeMap<String, u64>,
}

/// What the one with a token notices in a window, and what the server is at the end of it.
#[derive(Debug, Default, Serialize)]
pub struct Probe {
    pub health_us: Option<Quantiles>,
    pub failed: u64,
    pub connects: u64,
    pub connects_failed: u64,
    pub rss_kib: u64,
    pub descriptors: usize,
}

/// A load that goes on until it is told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<BTreeMap<String, u64>>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Unread,
    Pages,
    Fragments,
}

pub fn measure(args: &RudeArgs, connections: usize) -> Result<Tokenless> {
    let mut found = Tokenless { page: "/health", loads: Vec::new() };
    for sort in [Sort::Unread, Sort::Pages, Sort::Fragments] {
        let (hub, server) = server(args)?;
        let (base, token) = (server.base.clone(), hub.token()?);
        found.page = largest(&base)?;
        let probe = || probe(&base, &token, args.seconds, server.pid());
        let name = match sort {
            Sort::Unread => format!("{connections} connections with {PIPELINED} requests each that read nothing"),
            Sort::Pages => format!("{FETCHERS} fetchers of pages in every coding"),
            Sort::Fragments => "a socket of empty fragments at full speed".to_owned(),
        };
        let mut one = Loaded { name, quiet: Vec::new(), busy: Vec::new(), answers: BTreeMap::new() };
        for _ in 0..args.reps {
            one.quiet.push(probe()?);
            let (loaded, answers) = match sort {
                Sort::Fragments => fragments(&base, &token, &probe)?,
                Sort::Unread | Sort::Pages => {
                    let load = Load::start(sort, &base, found.page, connections);
                    let loaded = probe();
                    (loaded, load.stop()?)
                }
            };
            one.busy.push(loaded?);
            for (what, count) in answers {
                *one.answers.entry(what).or_default() += count;
            }
        }
        found.loads.push(one);
    }
    Ok(found)
}

/// A flooder in a fight of its own while `probe` probes.
fn fragments(
    base: &Base,
    token: &str,
    probe: &impl Fn() -> Result<Probe>,
) -> Result<(Result<Probe>, BTreeMap<String, u64>)> {
    let (player, nobody) = (Uuid::new_v4(), Uuid::new_v4());
    let created = Rest::connect(base, token)?.create_sessions(&[vec![player, nobody]], &rules())?;
    let session = *created.first().context("no session was created")?;
    let (base, token) = (base.clone(), token.to_owned());
    let plan = Plan { base, token, session, player, kind: Kind::Fragments, pace: Pace::Full, persistent: true };
    let flooder = Flooder::start(plan);
    let loaded = probe();
    Ok((loaded, BTreeMap::from([(flooder.stop()?.summary(), 1)])))
}

/// The page with the most bytes.
fn largest(base: &Base) -> Result<&'static str> {
    let sizes = PAGES
        .map(|page| fetch(base, page, "identity").map_or(0, |(status, length)| if status == 200 { length } else { 0 }));
    let best = sizes.iter().zip(PAGES).max_by_key(|(size, _)| **size);
    best.filter(|(size, _)| **size > 0).map(|(_, page)| page).context("the server has no page")
}

/// Asks for a page on a connection of its own; status and bytes of the answer, its head included.
fn fetch(base: &Base, page: &str, coding: &str) -> Result<(u16, usize)> {
    let mut stream = TcpStream::connect(base.address)?;
    stream.set_read_timeout(Some(PAGE_WAIT))?;
    stream.set_write_timeout(Some(PAGE_WAIT))?;
    let Base { host, prefix, .. } = base;
    let request = format!(
        "GET {prefix}{page} HTTP/1.1\r\nHost: {host}\r\nAccept-Encoding: {coding}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let (mut head, mut length) = (Vec::new(), 0);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        head.extend_from_slice(&buffer[..read.min(12_usize.saturating_sub(head.len()))]);
        length += read;
    }
    let status = std::str::from_utf8(&head)?.strip_prefix("HTTP/1.1 ").and_then(|status| status.trim().parse().ok());
    Ok((status.context("the answer is not HTTP")?, length))
}

/// Asks for `seconds`.
fn probe(base: &Base, token: &str, seconds: f64, pid: u32) -> Result<Probe> {
    let (mut found, mut times, mut asked) = (Probe::default(), Tally::new().ack, 0_u64);
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut rest = None;
    while Instant::now() < until {
        let start = Instant::now();
        if asked.is_multiple_of(CONNECT_EVERY) {
            rest = None;
        }
        asked += 1;
        let fresh = rest.is_none();
        found.connects += u64::from(fresh);
        let outcome = rest.take().map_or_else(|| Rest::connect(base, token), Ok).and_then(|mut rest| {
            let (status, _) = rest.ask("GET", "/health", None)?;
            if status == 200 { Ok(rest) } else { Err(anyhow!("answered by {status}")) }
        });
        match outcome {
            Ok(again) => rest = Some(again),
            Err(_) if fresh => found.connects_failed += 1,
            Err(_) => found.failed += 1,
        }
        times.saturating_record(u64::try_from(start.elapsed().as_micros())?);
        thread::sleep(ASK_EVERY);
    }
    found.health_us = Quantiles::of(&times);
    found.rss_kib = Usage::of(pid)?.rss_kib;
    found.descriptors = procfs::descriptors(pid)?;
    Ok(found)
}

impl Load {
    fn start(sort: Sort, base: &Base, page: &'static str, connections: usize) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = if sort == Sort::Pages { FETCHERS } else { 1 };
        let thread = |_| {
            let (base, stop) = (base.clone(), Arc::clone(&stop));
            thread::spawn(move || {
                sys::give_way();
                if sort == Sort::Pages { pages(&base, page, &stop) } else { unread(&base, page, connections, &stop) }
            })
        };
        Self { threads: (0..threads).map(thread).collect(), stop }
    }

    fn stop(self) -> Result<BTreeMap<String, u64>> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = BTreeMap::new();
        for thread in self.threads {
            for (what, count) in thread.join().map_err(|_| anyhow!("a load panicked"))? {
                *all.entry(what).or_default() += count;
            }
        }
        Ok(all)
    }
}

fn pages(base: &Base, page: &str, stop: &AtomicBool) -> BTreeMap<String, u64> {
    let mut answers = BTreeMap::new();
    for coding in ["gzip", "br", "zstd"].into_iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let what = fetch(base, page, coding).map_or_else(|error| error.to_string(), |(status, _)| status.to_string());
        *answers.entry(what).or_default() += 1;
    }
    answers
}

/// Opens connections, asks on each as much as the server takes, and reads nothing; what each of them has become at the end.
fn unread(base: &Base, page: &str, connections: usize, stop: &AtomicBool) -> BTreeMap<String, u64> {
    let request = format!("GET {}{page} HTTP/1.1\r\nHost: {}\r\n\r\n", base.prefix, base.host).repeat(PIPELINED);
    let mut held = Vec::new();
    let mut fates = BTreeMap::new();
    for _ in 0..connections {
        let asked = TcpStream::connect(base.address).and_then(|stream| {
            stream.set_nonblocking(true)?;
            // What the kernel does not take at once is too much to hold anyway.
            let _taken = (&stream).write(request.as_bytes())?;
            Ok(stream)
        });
        match asked {
            Ok(stream) => held.push(stream),
            Err(error) => *fates.entry(error.to_string()).or_default() += 1,
        }
    }
    while !stop.load(Ordering::Relaxed) {
        thread::sleep(Duration::from_millis(20));
    }
    for stream in held {
        *fates.entry(fate(&stream).to_owned()).or_default() += 1;
    }
    fates
}

/// Whether the server still holds the connection. A byte more is refused by one that does not.
fn fate(mut stream: &TcpStream) -> &'static str {
    match stream.write(b"G") {
        Ok(_) => "held",
        Err(error) if error.kind() == ErrorKind::WouldBlock => "held",
        Err(_) => "cut off",
    }
}

impl Display for Tokenless {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "without a token, pages from {}", self.page)?;
        for Loaded { name, quiet, busy, answers } in &self.loads {
            writeln!(f, "  {name}")?;
            for (what, probes) in [("quiet", quiet), ("loaded", busy)] {
                let of = |pick: fn(&Quantiles) -> u64| {
                    let found = probes.iter().filter_map(|probe| probe.health_us.as_ref());
                    median(found.map(|us| float(pick(us)) / 1e3).collect()).unwrap_or(f64::NAN)
                };
                let sum = |pick: fn(&Probe) -> u64| probes.iter().map(pick).sum::<u64>();
                let most = |pick: fn(&Probe) -> u64| grouped(probes.iter().map(pick).max().unwrap_or(0));
                writeln!(
                    f,
                    "    {what:<7} health p50 {:.2} p99 {:.2} ms, failed {}; connects {}, failed {}; RSS {} KiB, descriptors {}",
                    of(|us| us.p50),
                    of(|us| us.p99),
                    sum(|probe| probe.failed),
                    sum(|probe| probe.connects),
                    sum(|probe| probe.connects_failed),
                    most(|probe| probe.rss_kib),
                    most(|probe| probe.descriptors as u64)
                )?;
            }
            answers.iter().try_for_each(|(what, count)| writeln!(f, "    {} of the load: {what}", grouped(*count)))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::{fate, fetch};

    #[test]
    fn a_page_is_read_to_its_end_and_a_connection_that_is_gone_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            stream.write_all(b"HTTP/1.1 429 Too Many\r\n\r\nabc").unwrap();
            (String::from_utf8_lossy(&request[..length]).into_owned(), listener)
        });
        assert_eq!(fetch(&base, "/page", "br").unwrap(), (429, 28));
        let (request, listener) = server.join().unwrap();
        assert!(request.starts_with("GET /page HTTP/1.1") && request.contains("Accept-Encoding: br"), "{request}");

        let near = std::net::TcpStream::connect(base.address).unwrap();
        let (far, _) = listener.accept().unwrap();
        assert_eq!(fate(&near), "held");
        // With a byte unread, closing resets the connection at once.
        drop(far);
        assert!(std::iter::repeat_with(|| fate(&near)).take(1_000_000).any(|fate| fate == "cut off"));
    }
}
