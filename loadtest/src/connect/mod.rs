//! Opens the sockets, a batch at a time: connects, upgrades, and hands over sockets on which nobody has spoken yet.

mod socket;
pub mod upgrade;
mod wire;

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

pub use self::socket::{BUFFER_BYTES, Fill, Socket};
use self::upgrade::Upgrade;
pub use self::wire::Wire;
use crate::lobby::Lobby;

/// Connections opened at a time: few enough for any listener's backlog and for their tickets not to run out.
const BATCH: usize = 256;

/// The longest one batch may take.
const BATCH_TIME_MAX: Duration = Duration::from_secs(20);

/// A connection that is not a WebSocket yet.
#[derive(Debug)]
struct Opening {
    socket: Socket,
    upgrade: Upgrade,
    asked: bool,
}

/// Opens a socket for every seat of `lobby`, in order. Each is registered with `poll` under its index as token.
pub fn open_all(poll: &mut Poll, lobby: &mut Lobby) -> Result<Vec<Socket>> {
    let mut sockets = Vec::with_capacity(lobby.seats());
    let mut buffer = vec![0; BUFFER_BYTES];
    while sockets.len() < lobby.seats() {
        let batch = sockets.len()..lobby.seats().min(sockets.len() + BATCH);
        let opened = open_batch(poll, lobby, batch.clone(), &mut buffer);
        sockets.extend(opened.with_context(|| format!("connections {} to {}", batch.start, batch.end))?);
    }
    Ok(sockets)
}

fn open_batch(poll: &mut Poll, lobby: &mut Lobby, batch: Range<usize>, buffer: &mut [u8]) -> Result<Vec<Socket>> {
    let mut opening = Vec::with_capacity(batch.len());
    for (index, path) in batch.clone().zip(lobby.paths(batch.clone())?) {
        let base = lobby.base(index);
        let mut stream = TcpStream::connect(base.address).context("connect")?;
        poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        let wire = Wire::new(stream, base.tls()?);
        let upgrade = Upgrade::new(&base.host, &path, lobby.encoding());
        opening.push(Some(Opening { socket: Socket::new(wire), upgrade, asked: false }));
    }

    let mut open: Vec<Option<Socket>> = batch.clone().map(|_| None).collect();
    let mut missing = batch.len();
    let mut events = Events::with_capacity(BATCH);
    let deadline = Instant::now() + BATCH_TIME_MAX;
    while missing > 0 {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            bail!("{missing} are not open after {BATCH_TIME_MAX:?}");
        }
        poll.poll(&mut events, Some(left)).or_else(interrupted)?;
        for event in &events {
            // Sockets opened before are silent until they join; whatever they have is read then.
            let Some(place) = event.token().0.checked_sub(batch.start).filter(|place| *place < opening.len()) else {
                continue;
            };
            let Some(mut one) = opening[place].take() else { continue };
            if one.step(buffer)? {
                open[place] = Some(one.socket);
                missing -= 1;
            } else {
                opening[place] = Some(one);
            }
        }
    }
    Ok(open.into_iter().flatten().collect())
}

impl Opening {
    /// Does what can be done; whether it is a WebSocket now.
    fn step(&mut self, buffer: &mut [u8]) -> Result<bool> {
        if !self.asked {
            if let Some(error) = self.socket.stream().take_error()? {
                return Err(error).context("connect");
            }
            if self.socket.stream().peer_addr().is_err() {
                return Ok(false);
            }
            self.socket.stream().set_nodelay(true)?;
            self.socket.send(self.upgrade.request.as_bytes())?;
            self.asked = true;
        }
        match self.socket.read(buffer)? {
            Fill::Nothing => Ok(false),
            Fill::Closed => Err(anyhow!("closed before the upgrade was answered")),
            Fill::Bytes { length, .. } => {
                let head = self.upgrade.finish(&buffer[..length])?;
                self.socket.keep(&buffer[head.unwrap_or(0)..length]);
                Ok(head.is_some())
            }
        }
    }
}

/// A signal is no failure of a poll.
pub fn interrupted(error: std::io::Error) -> std::io::Result<()> {
    if error.kind() == std::io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
