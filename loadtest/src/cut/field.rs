//! The loop: who is due to act or to be cut, what comes, and who is on its way back.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::fmt::{self, Display, Formatter};
use std::sync::mpsc::TryRecvError;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use hdrhistogram::Histogram;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use serde_json::json;
use tiltyard_protocol::{ClientMessage, Encoding};
use uuid::Uuid;

use super::guest::{Counts, Guest};
use super::tickets::{Desk, Minted};
use super::{CutArgs, Report};
use crate::child::Server;
use crate::connect::upgrade::Upgrade;
use crate::connect::{BUFFER_BYTES, Fill, Socket, Wire, interrupted};
use crate::crowd::close_text;
use crate::frame::{self, Kind};
use crate::lobby::Lobby;
use crate::number::{float, whole};
use crate::progress::Progress;
use crate::report::Quantiles;
use crate::rest::Base;
use crate::rng::Rng;

/// So much that nobody falls; each hit takes [`HIT`] of it.
const HEALTH: u64 = 1_000_000_000;
const HIT: u64 = 10;

/// The longest wait of one turn, in which tickets come.
const TURN: Duration = Duration::from_millis(5);

/// Microseconds from the burst to the cut, at most, and from there to the next try.
const CUT_US: u64 = 50_000;
const AWAY_US: u64 = 500_000;

/// Microseconds for which a player who waits for an answer and hears nothing goes on to wait, once a server was stopped.
const HUNG_US: u64 = 1_000_000;

/// Microseconds after which a player comes back at most whose server was killed.
const GONE_US: u64 = 100_000;

/// Microseconds for which a join may go unanswered.
const JOIN_MAX_US: u64 = 20_000_000;

/// Where a player is.
enum At {
    /// Asks for a ticket when it is due.
    Away,
    Minting,
    Connecting(Box<(Socket, Upgrade)>),
    Upgrading(Box<(Socket, Upgrade)>),
    Joining(Socket),
    In(Socket),
    /// Has sent much and is cut when it is due.
    Doomed(Socket),
}

struct Seat {
    guest: Guest,
    at: At,
    /// Since when it has tried to come back.
    since: u64,
    /// When it is cut next.
    cut_at: u64,
    /// What is due then is no longer, where this is another time.
    due: u64,
    /// Its connection went with a server that was killed, and it is not in again.
    is_missed: bool,
    /// When something came last.
    heard: u64,
}

struct Field<'a> {
    args: &'a CutArgs,
    victim: Option<Victim>,
    killed_at: Option<u64>,
    poll: Poll,
    seats: Vec<Seat>,
    due: BinaryHeap<Reverse<(u64, usize)>>,
    desk: Desk,
    clock: Instant,
    rng: Rng,
    counts: Counts,
    back: Histogram<u64>,
    /// From the kill of a server to where a player of it is in again.
    gap: Histogram<u64>,
    report: Report,
    buffer: Vec<u8>,
    frame: Vec<u8>,
    text: Vec<u8>,
}

/// What there is to play in.
pub struct Stage {
    pub sessions: Vec<Uuid>,
    pub desk: Desk,
    pub victim: Option<Victim>,
}

/// Servers that are ended while they play, all at the same moment.
pub struct Victim {
    pub servers: Vec<Server>,
    /// Microseconds from the first moment.
    pub after_us: u64,
    /// They are stopped where they are instead of killed.
    pub hangs: bool,
}

/// A connection that is gone, or a server that cannot be reached: what happens when a server is killed.
#[derive(Debug)]
struct Gone(String);

impl Display for Gone {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Gone {}

/// Sessions under rules by which every hit counts and nobody falls.
pub fn lobby(args: &CutArgs, base: &Base, token: &str, sessions: usize) -> Result<Lobby> {
    let players = usize::from(args.players);
    let rules = json!({
        "health": HEALTH, "attack_interval_ms": 0, "actions_per_second": 0, "attack_damage_min": HIT, "attack_damage_max": HIT,
        "critical_percent": 0, "armor": 0, "preparation_ms": 0, "reconnect_ms": 600_000
    });
    Lobby::by_rules(base, token, sessions, (players, 0), &rules)
}

pub fn run(args: &CutArgs, Stage { sessions, desk, victim }: Stage) -> Result<Report> {
    let mut progress = Progress::new(args.output.quiet);
    let players = usize::from(args.players);
    let mut rng = Rng::new(args.seed);
    let every = whole(args.every * 1e6);
    let seats = (0..args.connections).map(|index| {
        let slot = u8::try_from(index % players).unwrap_or_default();
        let guest = Guest::new(sessions[index / players], slot, args.players);
        // The first come little by little.
        let due = rng.below(200 * args.connections as u64 + 1);
        Seat {
            guest,
            at: At::Away,
            since: 0,
            cut_at: due + 5_000_000 + rng.below(2 * every),
            due,
            is_missed: false,
            heard: 0,
        }
    });
    let seats: Vec<Seat> = seats.collect();
    let due = seats.iter().enumerate().map(|(index, seat)| Reverse((seat.due, index))).collect();
    let field = Field {
        args,
        victim,
        killed_at: None,
        poll: Poll::new()?,
        seats,
        due,
        desk,
        clock: Instant::now(),
        rng,
        counts: Counts::default(),
        back: Histogram::new_with_bounds(1, 120_000_000, 3)?,
        gap: Histogram::new_with_bounds(1, 120_000_000, 3)?,
        report: Report { connections: args.connections, ..Report::default() },
        buffer: vec![0; BUFFER_BYTES],
        frame: Vec::new(),
        text: Vec::new(),
    };
    field.run(&mut progress)
}

impl Field<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.clock.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn run(mut self, progress: &mut Progress) -> Result<Report> {
        progress.step("everybody joins");
        let last = self.now() + 120_000_000;
        while self.seats.iter().any(|seat| !seat.guest.is_in) {
            self.turn(false)?;
            if self.now() > last {
                bail!("not everybody is in: {:?}", self.report.wrong);
            }
        }
        progress.step("cutting");
        let (begun, before) = (self.now(), self.counts.clone());
        let end = begun + whole(self.args.seconds * 1e6);
        let may_cut = self.victim.is_none();
        // Held to the end.
        let mut hung: Vec<Server> = Vec::new();
        while self.now() < end {
            let now = self.now();
            if let Some(Victim { servers, hangs, .. }) = self.victim.take_if(|of| begun + of.after_us <= now) {
                self.killed_at = Some(now);
                if hangs {
                    servers.iter().try_for_each(Server::hang)?;
                    hung = servers;
                }
            }
            self.turn(may_cut)?;
        }
        self.report.seconds = float(self.now() - begun) / 1e6;
        progress.step("waiting for what is on its way");
        let last = self.now() + whole(self.args.drain * 1e6);
        while self.not_settled() > 0 && self.now() < last {
            self.turn(false)?;
        }
        progress.done();
        self.report.not_settled = self.not_settled();
        self.report.fights_wrong = self.fights_wrong();
        self.report.back_us = Quantiles::of(&self.back);
        self.report.gap_us = Quantiles::of(&self.gap);
        drop(hung);
        self.counts.cuts -= before.cuts;
        self.report.counts = self.counts;
        Ok(self.report)
    }

    /// Who is not in, waits for an answer, or has not been shown what others of its fight were answered.
    fn not_settled(&self) -> u64 {
        let players = usize::from(self.args.players);
        let of_fight = |seats: &[Seat]| {
            let newest = seats.iter().map(|seat| seat.guest.newest.max(seat.guest.seq)).max().unwrap_or_default();
            let is_settled = |seat: &&Seat| seat.guest.is_in && seat.guest.waits() == 0 && seat.guest.seq == newest;
            (seats.len() - seats.iter().filter(is_settled).count()) as u64
        };
        self.seats.chunks(players).map(of_fight).sum()
    }

    fn fights_wrong(&self) -> u64 {
        let is_wrong = |seats: &&[Seat]| {
            let acked: u64 = seats.iter().map(|seat| seat.guest.acked).sum();
            seats.iter().any(|seat| seat.guest.damage(HEALTH) != acked * HIT)
        };
        self.seats.chunks(usize::from(self.args.players)).filter(is_wrong).count() as u64
    }

    fn turn(&mut self, may_cut: bool) -> Result<()> {
        let now = self.now();
        while let Some(&Reverse((at, index))) = self.due.peek()
            && at <= now
        {
            self.due.pop();
            if self.seats[index].due == at {
                self.is_due(index, now, may_cut);
            }
        }
        loop {
            match self.desk.minted.try_recv() {
                Ok(minted) => match minted? {
                    (index, Minted::At(base, path)) => {
                        let outcome = self.dial(index, &base, &path);
                        self.note(index, outcome);
                    }
                    (index, Minted::Later(us)) => {
                        self.seats[index].at = At::Away;
                        self.report.later += 1;
                        // Not all at once.
                        let pause = us / 2 + self.rng.below(us / 2 + 1);
                        let at = self.now() + pause;
                        self.due_at(index, at);
                    }
                },
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => bail!("no more tickets"),
            }
        }
        let mut events = Events::with_capacity(4096);
        let wait =
            self.due.peek().map_or(TURN, |Reverse((at, _))| Duration::from_micros(at.saturating_sub(self.now())));
        self.poll.poll(&mut events, Some(wait.min(TURN))).or_else(interrupted)?;
        for event in &events {
            let index = event.token().0;
            let outcome = self.go_on(index, event.is_read_closed());
            self.note(index, outcome);
        }
        Ok(())
    }

    fn due_at(&mut self, index: usize, at: u64) {
        self.seats[index].due = at;
        self.due.push(Reverse((at, index)));
    }

    /// Acts, is cut, or comes back.
    fn is_due(&mut self, index: usize, now: u64, may_cut: bool) {
        let seat = &mut self.seats[index];
        match std::mem::replace(&mut seat.at, At::Away) {
            At::Away => {
                (seat.at, seat.since) = (At::Minting, now);
                // The thread lives as long as the loop.
                let _ = self.desk.wanted.send(index);
            }
            // Who hears nothing for so long looks elsewhere.
            At::In(_)
                if seat.guest.waits() > 0 && self.killed_at.is_some_and(|at| now > at.max(seat.heard) + HUNG_US) =>
            {
                self.note(index, Err(Gone("nothing was heard of the server".to_owned()).into()));
            }
            At::In(mut socket) => {
                let is_doomed = may_cut && seat.cut_at <= now;
                let free = self.args.flight.max(1).saturating_sub(seat.guest.waits() as u64);
                let count = if is_doomed { free.min(self.args.flight) } else { free.min(1) };
                self.frame.clear();
                for _ in 0..count {
                    self.text.clear();
                    seat.guest.act(self.rng.draw(), &mut self.text);
                    frame::to_server(&mut self.frame, Kind::Text, &self.text, self.rng.key());
                }
                self.counts.sent += count;
                let outcome = socket.send(&self.frame);
                seat.at = if is_doomed { At::Doomed(socket) } else { At::In(socket) };
                let next = if is_doomed { self.rng.below(CUT_US) } else { self.rng.below(whole(2e6 / self.args.rate)) };
                self.due_at(index, now + next + 1);
                self.note(index, outcome.map_err(Into::into));
            }
            At::Doomed(socket) => {
                drop(socket);
                seat.guest.is_cut();
                seat.cut_at =
                    now + 1_000_000 + self.rng.below(whole(self.args.every * 2e6).saturating_sub(2_000_000).max(1));
                self.counts.cuts += 1;
                let away = self.rng.below(AWAY_US);
                self.due_at(index, now + away + 1);
            }
            other @ (At::Minting | At::Connecting(_) | At::Upgrading(_) | At::Joining(_)) => {
                seat.at = other;
                self.note(index, Err(anyhow!("no answer to a join")));
            }
        }
    }

    fn dial(&mut self, index: usize, base: &Base, path: &str) -> Result<()> {
        let mut stream = TcpStream::connect(base.address)?;
        self.poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        let (socket, upgrade) =
            (Socket::new(Wire::new(stream, base.tls()?)), Upgrade::new(&base.host, path, Encoding::Json));
        self.seats[index].at = At::Connecting(Box::new((socket, upgrade)));
        let last = self.now() + JOIN_MAX_US;
        self.due_at(index, last);
        Ok(())
    }

    /// Does what can be done. Reads to the last byte there is, because no further edge says that there is one.
    fn go_on(&mut self, index: usize, closing: bool) -> Result<()> {
        let seat = &mut self.seats[index];
        if let At::Connecting(opening) = &mut seat.at {
            let (socket, upgrade) = &mut **opening;
            if let Some(error) = socket.stream().take_error()? {
                return Err(error.into());
            }
            if socket.stream().peer_addr().is_err() {
                return Ok(());
            }
            socket.stream().set_nodelay(true)?;
            socket.send(upgrade.request.as_bytes())?;
            let At::Connecting(opening) = std::mem::replace(&mut seat.at, At::Away) else { return Ok(()) };
            seat.at = At::Upgrading(opening);
        }
        loop {
            let seat = &mut self.seats[index];
            let socket = match &mut seat.at {
                At::Away | At::Minting => return Ok(()),
                At::Connecting(opening) | At::Upgrading(opening) => &mut opening.0,
                At::Joining(socket) | At::In(socket) | At::Doomed(socket) => socket,
            };
            socket.writable()?;
            let (length, drained) = match socket.read(&mut self.buffer)? {
                Fill::Nothing => return Ok(()),
                Fill::Closed => bail!(Gone("the server hung up".to_owned())),
                Fill::Bytes { length, drained } => (length, drained),
            };
            self.seats[index].heard = self.now();
            let done = self.take(index, length)?;
            let (seat, rest) = (&mut self.seats[index], &self.buffer[done..length]);
            match &mut seat.at {
                At::Away | At::Minting => return Ok(()),
                At::Connecting(opening) | At::Upgrading(opening) => opening.0.keep(rest),
                At::Joining(socket) | At::In(socket) | At::Doomed(socket) => socket.keep(rest),
            }
            if drained && !closing {
                return Ok(());
            }
        }
    }

    /// Takes what is complete of so many bytes; how many that is.
    fn take(&mut self, index: usize, length: usize) -> Result<usize> {
        let mut done = 0;
        let now = self.now();
        let seat = &mut self.seats[index];
        if let At::Upgrading(opening) = &seat.at {
            let finished = opening.1.finish(&self.buffer[..length]).map_err(|error| Gone(format!("{error:#}")))?;
            let Some(head) = finished else { return Ok(0) };
            done = head;
            let At::Upgrading(opening) = std::mem::replace(&mut seat.at, At::Away) else { return Ok(done) };
            let mut socket = opening.0;
            let join = seat.guest.join();
            send(&mut socket, &mut self.frame, &mut self.rng, |text| encode(&join, text))?;
            seat.at = At::Joining(socket);
        }
        let mut pending = VecDeque::new();
        while let Some(head) = frame::from_server(&self.buffer[done..length])? {
            let payload = &self.buffer[done + head.start..done + head.end];
            done += head.end;
            match head.kind {
                Kind::Close => bail!(Gone(format!("the server closed with {}", close_text(payload)))),
                Kind::Text => pending.push_back(Encoding::Json.decode_server(payload)?),
                Kind::Ping => {
                    self.frame.clear();
                    frame::to_server(&mut self.frame, Kind::Pong, payload, self.rng.key());
                    if let At::Joining(socket) | At::In(socket) | At::Doomed(socket) = &mut seat.at {
                        socket.send(&self.frame)?;
                    }
                }
                Kind::Pong => {}
                Kind::Binary => bail!("a binary message came"),
            }
        }
        for message in pending {
            if !seat.guest.take(message, &mut self.counts)? {
                continue;
            }
            let At::Joining(mut socket) = std::mem::replace(&mut seat.at, At::Away) else { bail!("in twice") };
            let (mut again, mut outcome) = (0, Ok(()));
            seat.guest.act_again(|write| {
                again += 1;
                if outcome.is_ok() {
                    outcome = send(&mut socket, &mut self.frame, &mut self.rng, write);
                }
            });
            outcome?;
            self.counts.again += again;
            self.back.saturating_record(now - seat.since);
            if let (Some(killed_at), true) = (self.killed_at, std::mem::take(&mut seat.is_missed)) {
                self.gap.saturating_record(now - killed_at);
            }
            seat.at = At::In(socket);
            seat.due = now + self.rng.below(whole(2e6 / self.args.rate)) + 1;
            self.due.push(Reverse((seat.due, index)));
        }
        Ok(done)
    }

    /// A player to whom something happened that should not have is told of, and comes back as if it had been cut.
    fn note(&mut self, index: usize, outcome: Result<()>) {
        let Err(error) = outcome else { return };
        let seat = &mut self.seats[index];
        seat.at = At::Away;
        let was_in = std::mem::take(&mut seat.guest.is_in);
        let is_of_kill = self.killed_at.is_some() && (error.is::<Gone>() || error.is::<std::io::Error>());
        seat.is_missed |= is_of_kill && was_in;
        let told = if is_of_kill { &mut self.report.gone } else { &mut self.report.wrong };
        *told.entry(format!("{error:#}")).or_default() += 1;
        let pause = if is_of_kill { self.rng.below(GONE_US) } else { AWAY_US };
        let at = self.now() + pause;
        self.due_at(index, at);
    }
}

fn encode(message: &ClientMessage, text: &mut Vec<u8>) {
    Encoding::Json.encode(message, text);
}

fn send(socket: &mut Socket, frame: &mut Vec<u8>, rng: &mut Rng, write: impl Fn(&mut Vec<u8>)) -> Result<()> {
    let mut text = Vec::new();
    write(&mut text);
    frame.clear();
    frame::to_server(frame, Kind::Text, &text, rng.key());
    Ok(socket.send(frame)?)
}
