//! The bare loop: a WebSocket server of one thread that does only what nobody can leave out. It reads every ready
//! socket, lowers the target's health, frames each delta once, appends it to every member's out buffer, and writes once
//! to each socket and turn. No authentication, no rules, no acks, no log, no digest after the snapshot: the limit that a
//! real server is compared with.

mod fault;
mod fight;

use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token};
use tiltyard_protocol::{ClientMessage, Encoding};
use tungstenite::handshake::derive_accept_key;

pub use self::fault::Fault;
use self::fault::Faults;
use self::fight::Fight;
use crate::cli::BareArgs;
use crate::connect::upgrade::{HEAD_BYTES_MAX, head_end, header};
use crate::connect::{BUFFER_BYTES, Fill, Socket, Wire, interrupted};
use crate::frame::{self, Kind};

const LISTENER: Token = Token(usize::MAX);
const EVENTS_MAX: usize = 8192;
/// More sessions than anybody asks for; a number in a URL must not decide how much memory is taken.
const FIGHTS_MAX: usize = 100_000;

/// The server.
#[derive(Debug)]
struct Bare {
    poll: Poll,
    listener: TcpListener,
    /// By token; tokens of closed connections are used again.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    fights: Vec<Fight>,
    faults: Faults,
    /// Connections with something to send at the end of the turn.
    dirty: Vec<usize>,
    buffer: Vec<u8>,
    /// Buffers for the message being made and its frame.
    text: Vec<u8>,
    framed: Vec<u8>,
}

#[derive(Debug)]
struct Connection {
    socket: Socket,
    /// Fight and slot, once upgraded.
    seat: Option<(usize, u8)>,
    dirty: bool,
}

pub fn command(args: &BareArgs) -> Result<ExitCode> {
    let mut listener = TcpListener::bind(args.listen).with_context(|| format!("listen on {}", args.listen))?;
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    println!("listening on http://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    let mut bare = Bare {
        poll,
        listener,
        connections: Vec::new(),
        free: Vec::new(),
        fights: Vec::new(),
        faults: Faults::new(args.fault),
        dirty: Vec::new(),
        buffer: vec![0; BUFFER_BYTES],
        text: Vec::new(),
        framed: Vec::new(),
    };
    bare.serve(Instant::now() + Duration::from_secs_f64(args.seconds))?;
    Ok(ExitCode::SUCCESS)
}

impl Bare {
    fn serve(&mut self, until: Instant) -> Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.poll.poll(&mut events, Some(left)).or_else(interrupted)?;
            for event in &events {
                if event.token() == LISTENER {
                    self.accept()?;
                    continue;
                }
                let index = event.token().0;
                if let Err(error) = self.receive(index, event.is_read_closed() || event.is_error()) {
                    self.close(index, &error);
                } else if event.is_writable() {
                    self.writable(index);
                }
            }
            let mut dirty = std::mem::take(&mut self.dirty);
            for index in dirty.drain(..) {
                self.flush(index);
            }
            self.dirty = dirty;
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let mut stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("accept"),
            };
            stream.set_nodelay(true)?;
            let index = self.free.pop().unwrap_or(self.connections.len());
            self.poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            let connection =
                Some(Connection { socket: Socket::new(Wire::new(stream, None)), seat: None, dirty: false });
            if index == self.connections.len() {
                self.connections.push(connection);
            } else {
                self.connections[index] = connection;
            }
        }
    }

    fn receive(&mut self, index: usize, closing: bool) -> Result<()> {
        // Out of `self` while messages are dealt with, which may write to any connection.
        let mut buffer = std::mem::take(&mut self.buffer);
        let outcome = self.read(index, closing, &mut buffer);
        self.buffer = buffer;
        outcome
    }

    fn read(&mut self, index: usize, closing: bool, buffer: &mut [u8]) -> Result<()> {
        loop {
            let Some(connection) = &mut self.connections[index] else { return Ok(()) };
            let (length, drained) = match connection.socket.read(buffer)? {
                Fill::Bytes { length, drained } => (length, drained),
                Fill::Nothing => return Ok(()),
                Fill::Closed => bail!("closed"),
            };
            let bytes = &mut buffer[..length];
            let done = if let Some(seat) = connection.seat {
                self.messages(index, seat, bytes)?
            } else {
                self.upgrade(index, bytes)?
            };
            if let Some(connection) = &mut self.connections[index] {
                connection.socket.keep(&bytes[done..]);
            }
            if drained && !closing {
                return Ok(());
            }
        }
    }

    /// Deals with every whole message in `bytes`; how many bytes they were.
    fn messages(&mut self, index: usize, seat: (usize, u8), bytes: &mut [u8]) -> Result<usize> {
        let mut done = 0;
        while let Some(head) = frame::from_client(&mut bytes[done..])? {
            let payload = &bytes[done + head.start..done + head.end];
            done += head.end;
            match head.kind {
                Kind::Text => self.message(index, seat, serde_json::from_slice(payload)?)?,
                Kind::Ping => {
                    self.text.clear();
                    self.text.extend_from_slice(payload);
                    self.queue(index, Kind::Pong);
                }
                Kind::Pong => {}
                Kind::Binary => bail!("it speaks JSON"),
                Kind::Close => bail!("closed"),
            }
        }
        Ok(done)
    }

    fn message(&mut self, index: usize, (fight, slot): (usize, u8), message: ClientMessage) -> Result<()> {
        match message {
            ClientMessage::Join(_) => {
                for answer in self.fights[fight].admit(slot, index) {
                    self.text.clear();
                    Encoding::Json.encode(&answer, &mut self.text);
                    self.queue(index, Kind::Text);
                }
            }
            ClientMessage::Action(act) => {
                self.text.clear();
                let fight = &mut self.fights[fight];
                let digest = self.faults.digest();
                ensure!(fight.act(slot, &act, digest, &mut self.text), "an action without a target in the fight");
                self.framed.clear();
                frame::to_client(&mut self.framed, Kind::Text, &self.text);
                for &member in fight.members.iter().flatten() {
                    if self.faults.deliver() {
                        append(&mut self.connections, &mut self.dirty, member, &self.framed);
                    }
                }
            }
            // There is nobody to be ready for, nothing to leave, and no token that could end.
            ClientMessage::Ready(_)
            | ClientMessage::Leave(_)
            | ClientMessage::Concede(_)
            | ClientMessage::Ping(_)
            | ClientMessage::Renew(_)
            | ClientMessage::Patch(_)
            | ClientMessage::Relay(_)
            | ClientMessage::Beat(_) => {}
        }
        Ok(())
    }

    /// Queues the message in `text` for one connection.
    fn queue(&mut self, index: usize, kind: Kind) {
        self.framed.clear();
        frame::to_client(&mut self.framed, kind, &self.text);
        append(&mut self.connections, &mut self.dirty, index, &self.framed);
    }

    /// Answers the upgrade in `bytes` if it is complete; how many bytes it was.
    fn upgrade(&mut self, index: usize, bytes: &[u8]) -> Result<usize> {
        let Some(end) = head_end(bytes) else {
            ensure!(bytes.len() < HEAD_BYTES_MAX, "a head of over {HEAD_BYTES_MAX} bytes");
            return Ok(0);
        };
        let head = std::str::from_utf8(&bytes[..end])?;
        let key = header(head, "sec-websocket-key").context("no Sec-WebSocket-Key")?;
        let path = head.split(' ').nth(1).unwrap_or_default();
        let number = |name: &str| query(path, name).with_context(|| format!("no number {name} in {path}"));
        let (fight, slot, players) = (number("bare")?, number("slot")?, number("players")?);
        ensure!(fight < FIGHTS_MAX && slot < players && players <= 100, "no such seat: {path}");
        while self.fights.len() <= fight {
            self.fights.push(Fight::new(self.fights.len(), players));
        }
        ensure!(self.fights[fight].members.len() == players, "fight {fight} has another number of players");
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
             Sec-WebSocket-Protocol: {}\r\n\r\n",
            derive_accept_key(key.as_bytes()),
            Encoding::Json.subprotocol()
        );
        if let Some(connection) = &mut self.connections[index] {
            connection.seat = Some((fight, u8::try_from(slot)?));
            connection.socket.send(answer.as_bytes())?;
        }
        Ok(end)
    }

    fn writable(&mut self, index: usize) {
        if let Some(connection) = &mut self.connections[index]
            && let Err(error) = connection.socket.writable()
        {
            self.close(index, &error.into());
        }
    }

    fn flush(&mut self, index: usize) {
        let Some(connection) = &mut self.connections[index] else { return };
        connection.dirty = false;
        if let Err(error) = connection.socket.flush() {
            self.close(index, &error.into());
        }
    }

    fn close(&mut self, index: usize, error: &anyhow::Error) {
        let Some(mut connection) = self.connections[index].take() else { return };
        match connection.seat {
            Some((fight, slot)) => self.fights[fight].leave(slot, index),
            None => eprintln!("a connection was refused: {error:#}"),
        }
        // It closes with the connection whatever this says.
        let _ = self.poll.registry().deregister(connection.socket.stream());
        self.free.push(index);
    }
}

/// Appends a frame to a connection's out buffer and notes that it has one.
fn append(connections: &mut [Option<Connection>], dirty: &mut Vec<usize>, index: usize, framed: &[u8]) {
    let Some(connection) = &mut connections[index] else { return };
    connection.socket.queue().extend_from_slice(framed);
    if !connection.dirty {
        connection.dirty = true;
        dirty.push(index);
    }
}

/// The number called `name` in the query of `path`.
fn query(path: &str, name: &str) -> Option<usize> {
    let (_, query) = path.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::query;

    #[test]
    fn numbers_of_a_query() {
        let path = "/ws?bare=12&slot=3&players=4";
        assert_eq!(["bare", "slot", "players"].map(|name| query(path, name)), [Some(12), Some(3), Some(4)]);
        assert_eq!(query(path, "lot"), None);
        assert_eq!(query("/ws", "slot"), None);
        assert_eq!(query("/ws?slot=-1", "slot"), None);
    }
}
