//! All players with their sockets, and the sessions they sit in: reads what came, sends actions.

use anyhow::{Result, bail};
use mio::Registry;
use tiltyard_protocol::client::{Join, Ready};
use tiltyard_protocol::{Act, ActionKind, ClientMessage, Encoding};

use crate::clock::Clock;
use crate::connect::{BUFFER_BYTES, Fill, Socket};
use crate::frame::{self, Kind};
use crate::lobby::Lobby;
use crate::player::{Next, Player};
use crate::quick;
use crate::rng::Rng;
use crate::session::Session;
use crate::tally::Tally;

/// The crowd.
#[derive(Debug)]
pub struct Crowd {
    /// Session by session, slot by slot.
    seats: Vec<Seat>,
    sessions: Vec<Session>,
    /// Players in each session.
    players: usize,
    pub tally: Tally,
    clock: Clock,
    rng: Rng,
    writer: Writer,
    /// What every read goes into.
    buffer: Vec<u8>,
}

/// A player and its socket.
#[derive(Debug)]
struct Seat {
    socket: Socket,
    player: Player,
    /// Neither reads nor acts.
    stalled: bool,
}

/// Buffers used again for every message sent.
#[derive(Debug)]
struct Writer {
    encoding: Encoding,
    text: Vec<u8>,
    frame: Vec<u8>,
}

impl Crowd {
    /// The players of `lobby` behind its open `sockets`. Each one's last `remembered` actions can be timed.
    pub fn new(lobby: &Lobby, sockets: Vec<Socket>, remembered: usize, clock: Clock, rng: Rng) -> Self {
        let players = lobby.players();
        let seat = |(seat, socket)| {
            let slot = u8::try_from(seat % players).expect("a session has at most 100 players");
            let mut player = Player::new(slot, lobby.answers(), lobby.encoding());
            player.is_away = lobby.is_away(seat);
            Seat { socket, player, stalled: false }
        };
        Self {
            seats: (0..lobby.seats()).zip(sockets).map(seat).collect(),
            sessions: lobby.sessions().iter().map(|&id| Session::new(id, players, remembered)).collect(),
            players,
            tally: Tally::new(),
            clock,
            rng,
            writer: Writer { encoding: lobby.encoding(), text: Vec::new(), frame: Vec::new() },
            buffer: vec![0; BUFFER_BYTES],
        }
    }

    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// How many players are what `is` asks.
    pub fn count(&self, is: impl Fn(&Player) -> bool) -> usize {
        self.seats.iter().filter(|seat| is(&seat.player)).count()
    }

    /// Actions not answered.
    pub fn unanswered(&self) -> u64 {
        self.seats.iter().map(|seat| seat.player.unanswered).sum()
    }

    /// Deltas that should have come and did not; none where they are only counted, as nobody knows.
    pub fn missing(&self) -> u64 {
        if self.tally.counts_only {
            return 0;
        }
        let session = |index: usize| &self.sessions[index / self.players];
        self.seats.iter().enumerate().map(|(index, seat)| seat.player.missing(session(index))).sum()
    }

    /// Whether nothing more is to come, as far as anybody can know.
    pub fn settled(&self) -> bool {
        let session = |index: usize| &self.sessions[index / self.players];
        let mut seats = self.seats.iter().enumerate().filter(|(_, seat)| !seat.player.gone());
        seats.all(|(index, seat)| seat.player.unanswered == 0 && seat.player.missing(session(index)) == 0)
    }

    /// From now on the player neither reads nor acts; its socket, to do with as one likes.
    pub fn stall(&mut self, index: usize) -> &mut Socket {
        let seat = &mut self.seats[index];
        seat.stalled = true;
        &mut seat.socket
    }

    pub fn join(&mut self, index: usize) -> Result<()> {
        let join = ClientMessage::Join(Join::new(self.sessions[index / self.players].id));
        Ok(self.seats[index].socket.send(self.writer.message(&join, &mut self.rng))?)
    }

    pub fn ready(&mut self, index: usize) -> Result<()> {
        let seat = &mut self.seats[index];
        let ready = ClientMessage::Ready(Ready { s: seat.player.handle });
        Ok(seat.socket.send(self.writer.message(&ready, &mut self.rng))?)
    }

    /// Whether the player waits for nothing before it acts again.
    pub fn may_act(&self, index: usize) -> bool {
        let player = &self.seats[index].player;
        player.unanswered == 0 && player.joined()
    }

    /// The player attacks a random other one. The action counts from `due`.
    pub fn act(&mut self, index: usize, due: u64, registry: &Registry) {
        let Seat { socket, player, stalled } = &mut self.seats[index];
        if player.gone() || *stalled {
            return;
        }
        let session = &mut self.sessions[index / self.players];
        let others = self.players as u64 - 1;
        let to = (u64::from(player.slot) + 1 + self.rng.below(others)) % self.players as u64;
        let id = session.sent[usize::from(player.slot)].note(due);
        player.unanswered += 1;
        self.tally.counts.sent += 1;
        let to = u8::try_from(to).expect("a session has at most 100 players");
        let encoding = self.writer.encoding;
        let attack = |out: &mut Vec<u8>| match encoding {
            Encoding::Json => quick::attack(out, player.handle, id, to),
            Encoding::MsgPack => {
                encoding.encode(&ClientMessage::Action(Act::new(player.handle, id, ActionKind::Attack).at(to)), out);
            }
        };
        let outcome = socket.send(self.writer.text(attack, &mut self.rng)).map_err(Into::into);
        self.note_loss(index, outcome, registry);
    }

    /// Reads all that `index` was sent. `closing` says that the other side will send no more, so that its end is read now:
    /// no further edge will come.
    pub fn receive(&mut self, index: usize, closing: bool, registry: &Registry) {
        if self.seats[index].player.gone() || self.seats[index].stalled {
            return;
        }
        let outcome = self.read(index, closing);
        self.note_loss(index, outcome, registry);
    }

    /// Sends what could not be sent before.
    pub fn writable(&mut self, index: usize, registry: &Registry) {
        let outcome = self.seats[index].socket.writable();
        self.note_loss(index, outcome.map_err(Into::into), registry);
    }

    fn read(&mut self, index: usize, closing: bool) -> Result<()> {
        let Self { seats, sessions, buffer, tally, clock, writer, rng, .. } = self;
        let session = &mut sessions[index / self.players];
        let seat = &mut seats[index];
        loop {
            let (length, drained) = match seat.socket.read(buffer)? {
                Fill::Bytes { length, drained } => (length, drained),
                Fill::Nothing => return Ok(()),
                Fill::Closed => bail!("the server hung up"),
            };
            // One for all that this read brought.
            let now = clock.now();
            let mut done = 0;
            while let Some(head) = frame::from_server(&buffer[done..length])? {
                let payload = &buffer[done + head.start..done + head.end];
                done += head.end;
                match head.kind {
                    Kind::Text | Kind::Binary => match seat.player.take(payload, now, session, tally)? {
                        Next::Nothing => {}
                        Next::Rejoin => {
                            let join = ClientMessage::Join(Join::new(session.id));
                            seat.socket.send(writer.message(&join, rng))?;
                        }
                    },
                    Kind::Ping => seat.socket.send(writer.pong(payload, rng))?,
                    Kind::Pong => {}
                    Kind::Close => bail!("the server closed with {}", close_text(payload)),
                }
            }
            seat.socket.keep(&buffer[done..length]);
            if drained && !closing {
                return Ok(());
            }
        }
    }

    /// A connection that failed is counted and never used again.
    fn note_loss(&mut self, index: usize, outcome: Result<()>, registry: &Registry) {
        let Err(error) = outcome else { return };
        let seat = &mut self.seats[index];
        if !seat.player.gone() {
            self.tally.counts.closed += 1;
            self.tally.trouble(|| format!("connection {index}: {error:#}"));
            seat.player.lose_connection();
            // It is of no consequence if it was not registered any more.
            let _ = registry.deregister(seat.socket.stream());
        }
    }
}

impl Writer {
    /// The frame of the message that `write` writes.
    fn text(&mut self, write: impl FnOnce(&mut Vec<u8>), rng: &mut Rng) -> &[u8] {
        self.text.clear();
        write(&mut self.text);
        self.frame.clear();
        let kind = match self.encoding {
            Encoding::Json => Kind::Text,
            Encoding::MsgPack => Kind::Binary,
        };
        frame::to_server(&mut self.frame, kind, &self.text, rng.key());
        &self.frame
    }

    fn message(&mut self, message: &ClientMessage, rng: &mut Rng) -> &[u8] {
        let encoding = self.encoding;
        self.text(|text| encoding.encode(message, text), rng)
    }

    fn pong(&mut self, payload: &[u8], rng: &mut Rng) -> &[u8] {
        self.frame.clear();
        frame::to_server(&mut self.frame, Kind::Pong, payload, rng.key());
        &self.frame
    }
}

pub fn close_text(payload: &[u8]) -> String {
    match payload {
        [a, b, reason @ ..] => format!("{} ({})", u16::from_be_bytes([*a, *b]), String::from_utf8_lossy(reason)),
        _ => "no code".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::close_text;

    #[test]
    fn close_frames_are_readable() {
        assert_eq!(close_text(b"\x11\x3Dtoo slow"), "4413 (too slow)");
        assert_eq!(close_text(b""), "no code");
    }
}
