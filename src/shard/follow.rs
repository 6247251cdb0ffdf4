//! A far connection goes with its session to another shard. The shard of the socket goes on to say everything to the one that had the session
//! until it has heard of it, and that one passes it on, in order. Then it says that nothing more comes that way, waits until that has come
//! around, and says everything to the new owner. Meanwhile the client is not heard, and the session goes nowhere else.
//!
//! Where the new owner is the shard of the socket, the far connection becomes a part of the one that has it.

use tiltyard_combat::Slot;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::connection::{ConnKey, Connection, Join, State};
use super::far::{Far, Path};
use super::link::{Forward, Forwarded, Near, Returned};
use super::session::{Member, SessionKey};
use super::stream::Stream;
use super::worker::Worker;
use crate::limits;
use crate::shard::Command;

impl Far {
    /// Whether all that the other side says comes here directly: it may go to another shard.
    pub fn is_direct(&self) -> bool {
        self.path == Path::Direct
    }

    /// Whether the socket is that shard's.
    pub fn is_home(&self, shard: usize) -> bool {
        self.near.shard == shard
    }

    /// It has gone to another shard. What the other side says comes by way of the one before, if that was not its own.
    pub fn has_gone(&mut self) {
        self.path = if self.path == Path::New { Path::Direct } else { Path::Around };
    }
}

impl Worker {
    /// Something is said to a far connection that is not here: it may be on its way to another shard, or have gone there. What is said to it
    /// goes after it.
    pub(super) fn follow(&mut self, forward: Forward) {
        let Forward { near, session, .. } = forward;
        if let Some(key) = self.index.get(&session) {
            let Some(of) = self.moves.get_mut(key).filter(|of| of.is_offered()) else { return self.stray(forward) };
            match forward.what.unheard(Reason::Overloaded) {
                Some(unheard) if of.forwards.len() >= limits::INBOX_DEPTH => self.back(near, session, unheard),
                _ => of.forwards.push_back(forward),
            }
            return;
        }
        let place = self.peers.place_of(session);
        if place == self.number {
            return self.stray(forward);
        }
        // What somebody waits for an answer to alone gets one; the rest must not be lost.
        if forward.what.unheard(Reason::Overloaded).is_none() {
            return self.say(place, Command::Forward(forward));
        }
        if let Err((Command::Forward(Forward { what, .. }), reason)) = self.pass(place, Command::Forward(forward))
            && let Some(unheard) = what.unheard(reason)
        {
            self.back(near, session, unheard);
        }
    }

    /// A far connection that waits to join a session which has gone to another shard: it is to be asked for there. `false` for any other.
    pub(super) fn asks_there(&mut self, conn: ConnKey, session: Uuid) -> bool {
        let is_gone = !self.index.contains_key(&session) && self.peers.place_of(session) != self.number;
        let far = self.connections.get(conn).and_then(|connection| connection.stream.far()).filter(|_| is_gone);
        let Some((near, _)) = far.map(Far::place) else { return false };
        self.forget_far((near, session), conn);
        self.lose(conn);
        self.back(near, session, Returned::Moved);
        true
    }

    /// Nothing more comes to a far connection by way of the shard that had its session.
    pub(super) fn through(&mut self, key: ConnKey) {
        let Some(far) = self.connections.get_mut(key).and_then(|connection| connection.stream.far_mut()) else {
            return;
        };
        far.path = Path::Direct;
        let (near, session) = far.place();
        self.back(near, session, Returned::Through);
    }

    /// What a connection of this shard has said by way of another to a session that is this shard's by now.
    pub(super) fn come_around(&mut self, Forward { near: Near { conn, .. }, session, what }: Forward) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let is_open = connection.state == State::Open;
        match what {
            Forwarded::Through(_) => {
                connection.waits -= 1;
                self.hear(conn);
            }
            what if is_open => self.hear_one(conn, session, what),
            _ => {}
        }
    }

    /// A member's far connection has come to the shard of its socket, from one whose clock says `clock`: the connection there is the member
    /// from now on. What the client has said and nobody has looked at is given back. Where the connection has nothing to do with the session
    /// any more, nobody is.
    pub(super) fn come_home(&mut self, mut far: Connection, clock: u64, key: SessionKey, slot: Slot) -> Vec<Forward> {
        far.move_clock(clock, self.clock.now);
        let Connection { stream: Stream::Far(stream), outbox, joins, .. } = far else { return Vec::new() };
        let Far { near, session, no, in_flight, waiting, .. } = *stream;
        let links =
            self.connections.get_mut(near.conn).filter(|of| of.state == State::Open).and_then(|of| of.links.as_mut());
        if links.is_none_or(|links| links.of(session).is_none_or(|link| link.no != no)) {
            return Vec::new();
        }
        let Some(link) = self.unlink(near.conn, session) else { return Vec::new() };
        let connection = &mut self.connections[near.conn];
        connection.joins.extend(joins.into_iter().map(|join| Join { session: key, ..join }));
        connection.outbox.push(&outbox.unsent()[in_flight..], &mut self.pool);
        if outbox.is_lagging() {
            connection.outbox.lag();
        }
        connection.waits += 1;
        self.sessions[key].members.push(Member { conn: near.conn, slot });
        self.mark_dirty(near.conn);
        self.say(link.shard, Command::Forward(Forward { near, session, what: Forwarded::Through(no) }));
        waiting.into_iter().map(|what| Forward { near, session, what }).collect()
    }
}
