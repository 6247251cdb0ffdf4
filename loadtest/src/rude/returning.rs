//! Many clients whose connections break at once come back at once: how many are in again in time, and what those notice who
//! never were away.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde::Serialize;
use socket2::{Domain, Protocol, Socket as Socket2, Type};
use tiltyard_protocol::client::Join;
use tiltyard_protocol::{ClientMessage, Encoding};
use uuid::Uuid;

use super::RudeArgs;
use super::honest::{Honest, Window, medians, refusals, rules};
use crate::clock::Clock;
use crate::connect::upgrade::Upgrade;
use crate::connect::{BUFFER_BYTES, Fill, Socket, Wire, interrupted};
use crate::crowd::close_text;
use crate::fleet::Fleet;
use crate::frame::{self, Kind};
use crate::lobby::Lobby;
use crate::number::{float, grouped};
use crate::report::Quantiles;
use crate::rest::Base;
use crate::sys;
use crate::tally::Tally;

/// Within which everybody is to be in again.
const IN_TIME: Duration = Duration::from_secs(15);

/// Clients that come from one address: thousands of a game's players do not sit behind the same one, and a server may bound what
/// one has open.
const CLIENTS_PER_ADDRESS: usize = 1_000;

/// Players in each of the fights that come back.
const PLAYERS: usize = 4;

#[derive(Debug, Serialize)]
pub struct Returning {
    pub clients: usize,
    pub reps: Vec<Return>,
}

/// One repetition.
#[derive(Debug, Serialize)]
pub struct Return {
    pub quiet: Window,
    pub during: Window,
    pub back: usize,
    /// From the break to the snapshot.
    pub back_us: Option<Quantiles>,
    pub lost: BTreeMap<String, u64>,
}

/// A client on its way back.
#[derive(Debug)]
struct Client {
    socket: Socket,
    upgrade: Upgrade,
    session: Uuid,
    step: Step,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Connecting,
    Upgrading,
    Joining,
    In,
    Lost,
}

pub fn measure(args: &RudeArgs, clients: usize) -> Result<Returning> {
    let clients = clients / PLAYERS * PLAYERS;
    let mut honest = Honest::play(args, usize::from(args.players), 0, &rules(), args.rate)?;
    let base = honest.server.base.clone();
    let mut reps = Vec::new();
    for _ in 0..args.reps {
        let mut lobby = Lobby::by_rules(&base, &honest.token, clients / PLAYERS, (PLAYERS, 0), &rules())?;
        let mut fleet = Fleet::open(&mut lobby, None, Clock::start(), 2)?;
        fleet.join()?;
        honest.turn_for(1.0)?;
        let quiet = honest.window(args.seconds)?;
        // What a client asks for before it connects, so that all of them are there in the same moment.
        let paths = lobby.paths(0..clients)?;
        let sessions = lobby.sessions().to_vec();
        let (to, start) = (base.clone(), Instant::now());
        let back = thread::spawn(move || {
            sys::give_way();
            drop(fleet);
            come_back(&to, &paths, &sessions, start)
        });
        let during = honest.window(args.seconds);
        while !back.is_finished() {
            honest.turn_for(0.05)?;
        }
        let (back, times, lost) = back.join().map_err(|_| anyhow!("the clients panicked"))??;
        reps.push(Return { quiet, during: during?, back, back_us: times, lost });
    }
    Ok(Returning { clients, reps })
}

type Back = (usize, Option<Quantiles>, BTreeMap<String, u64>);

/// Begins to connect from the `nth` of this machine's own addresses behind its first; to a server elsewhere from whichever it has.
fn connect_from(nth: usize, to: SocketAddr) -> std::io::Result<TcpStream> {
    let socket = Socket2::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    if to.ip() == Ipv4Addr::LOCALHOST {
        let nth = u8::try_from(nth).unwrap_or(u8::MAX - 2);
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2 + nth), 0)).into())?;
    }
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Everybody connects, upgrades and joins at once; who has a snapshot in time, when, and why the others do not.
fn come_back(base: &Base, paths: &[String], sessions: &[Uuid], start: Instant) -> Result<Back> {
    let mut poll = Poll::new()?;
    let mut clients = Vec::with_capacity(paths.len());
    for (index, path) in paths.iter().enumerate() {
        let mut stream = connect_from(index / CLIENTS_PER_ADDRESS, base.address).context("connect")?;
        poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        let (socket, upgrade) =
            (Socket::new(Wire::new(stream, base.tls()?)), Upgrade::new(&base.host, path, Encoding::Json));
        clients.push(Client { socket, upgrade, session: sessions[index / PLAYERS], step: Step::Connecting });
    }
    let mut times = Tally::new().ack;
    let mut lost = BTreeMap::new();
    let mut missing = clients.len();
    let mut buffer = vec![0; BUFFER_BYTES];
    let mut events = Events::with_capacity(1024);
    while missing > 0 {
        let left = IN_TIME.saturating_sub(start.elapsed());
        if left.is_zero() {
            lost.insert("not in time".to_owned(), missing as u64);
            break;
        }
        poll.poll(&mut events, Some(left)).or_else(interrupted)?;
        for event in &events {
            let client = &mut clients[event.token().0];
            let before = client.step;
            if matches!(before, Step::In | Step::Lost) {
                continue;
            }
            if let Err(error) = client.go_on(&mut buffer) {
                client.step = Step::Lost;
                *lost.entry(format!("{error:#}")).or_default() += 1;
            }
            if client.step == Step::In {
                times.saturating_record(u64::try_from(start.elapsed().as_micros())?);
            }
            missing -= usize::from(matches!(client.step, Step::In | Step::Lost));
        }
    }
    let back = clients.iter().filter(|client| client.step == Step::In).count();
    Ok((back, Quantiles::of(&times), lost))
}

impl Client {
    /// Does what can be done. Reads to the last byte there is, because no further edge says that there is one.
    fn go_on(&mut self, buffer: &mut [u8]) -> Result<()> {
        if self.step == Step::Connecting {
            if let Some(error) = self.socket.stream().take_error()? {
                return Err(error).context("connect");
            }
            if self.socket.stream().peer_addr().is_err() {
                return Ok(());
            }
            self.socket.stream().set_nodelay(true)?;
            self.socket.send(self.upgrade.request.as_bytes())?;
            self.step = Step::Upgrading;
        }
        loop {
            let length = match self.socket.read(buffer)? {
                Fill::Nothing => return Ok(()),
                Fill::Closed => bail!("hung up before the snapshot"),
                Fill::Bytes { length, .. } => length,
            };
            let done = self.take(&buffer[..length])?;
            self.socket.keep(&buffer[done..length]);
            if self.step == Step::In {
                return Ok(());
            }
        }
    }

    /// Takes what is complete; how many bytes that is.
    fn take(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut done = 0;
        if self.step == Step::Upgrading {
            let Some(head) = self.upgrade.finish(bytes)? else { return Ok(0) };
            done = head;
            self.socket.send(&join(self.session))?;
            self.step = Step::Joining;
        }
        while let Some(head) = frame::from_server(&bytes[done..])? {
            let payload = &bytes[done + head.start..done + head.end];
            done += head.end;
            match head.kind {
                Kind::Close => bail!("closed with {}", close_text(payload)),
                Kind::Text if payload.starts_with(br#"{"t":"snapshot""#) => self.step = Step::In,
                Kind::Text if payload.starts_with(br#"{"t":"error""#) => bail!("{}", String::from_utf8_lossy(payload)),
                Kind::Text | Kind::Binary | Kind::Ping | Kind::Pong => {}
            }
        }
        Ok(done)
    }
}

fn join(session: Uuid) -> Vec<u8> {
    let (mut text, mut frame) = (Vec::new(), Vec::new());
    Encoding::Json.encode(&ClientMessage::Join(Join::new(session)), &mut text);
    frame::to_server(&mut frame, Kind::Text, &text, [0; 4]);
    frame
}

impl Display for Returning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let clients = self.clients as u64;
        writeln!(f, "{} clients come back at once, in fights of {PLAYERS}", grouped(clients))?;
        for (rep, Return { quiet, during, back, back_us, lost }) in self.reps.iter().enumerate() {
            let share = 100.0 * float(*back as u64) / float(clients.max(1));
            let within =
                |quantile: fn(&Quantiles) -> u64| back_us.as_ref().map_or(f64::NAN, |us| float(quantile(us)) / 1e6);
            let seconds = (within(|us| us.p50), within(|us| us.p99), within(|us| us.max));
            writeln!(
                f,
                "  {}: {share:.2} % in within {} s (p50 {:.2}, p99 {:.2}, last {:.2} s)",
                rep + 1,
                IN_TIME.as_secs(),
                seconds.0,
                seconds.1,
                seconds.2
            )?;
            for (name, window) in [("quiet", quiet), ("during", during)] {
                let window = std::slice::from_ref(window);
                let ((ack50, ack99), (p50, p99)) =
                    (medians(window, |window| &window.ack_us), medians(window, |window| &window.others_us));
                let refused = refusals(window);
                writeln!(
                    f,
                    "     {name:<7} ack p50 {ack50:.2} p99 {ack99:.2} ms, others p50 {p50:.2} p99 {p99:.2} ms, refused {refused}"
                )?;
            }
            lost.iter().try_for_each(|(why, count)| writeln!(f, "     {count} lost: {why}"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::time::Instant;

    use uuid::Uuid;

    use super::come_back;
    use crate::frame::{Kind, to_client};

    #[test]
    fn who_is_refused_is_lost_with_the_reason() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let server = std::thread::spawn(move || {
            for refusal in ["HTTP/1.1 503 Service Unavailable\r\n\r\nfull", "HTTP/1.1 401 Unauthorized\r\n\r\nno"] {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = [0; 4096];
                assert!(stream.read(&mut request).unwrap() > 0);
                stream.write_all(refusal.as_bytes()).unwrap();
            }
        });
        let paths = ["/ws?ticket=a".to_owned(), "/ws?ticket=b".to_owned()];
        let (back, times, lost) = come_back(&base, &paths, &[Uuid::nil()], Instant::now()).unwrap();
        server.join().unwrap();
        assert!(back == 0 && times.is_none() && lost.values().sum::<u64>() == 2, "{lost:?}");
        assert!(lost.keys().any(|why| why.contains("503")), "{lost:?}");
    }

    #[test]
    fn a_join_is_one_frame() {
        let mut bytes = super::join(Uuid::nil());
        let head = crate::frame::from_client(&mut bytes).unwrap().unwrap();
        assert_eq!((head.kind, head.end), (Kind::Text, bytes.len()));
        // Both ways, so that the helper's masking is its own.
        let mut answer = Vec::new();
        to_client(&mut answer, Kind::Text, b"{}");
        assert!(crate::frame::from_client(&mut answer).is_err());
    }
}
