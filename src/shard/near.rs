//! The side of the socket: what a connection says to sessions of other shards, and what comes back for it. See [`super::link`].

use tiltyard_protocol::server::{ErrorNotice, Left, LeftWhy, Refused};
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{About, CloseCode, Reason, ServerMessage};
use uuid::Uuid;

use super::admission::Has;
use super::connection::{ConnKey, State};
use super::link::{Forward, Forwarded, Link, Near, Return, Returned};
use super::stream::Stream;
use super::worker::Worker;
use crate::limits;
use crate::shard::Command;

impl Worker {
    /// Puts a command into another shard's inbox, or gives it back: nobody waits for room there. Behind what is still to be said to it.
    #[allow(clippy::result_large_err)] // It is given back for what is in it.
    pub(super) fn pass(&self, shard: usize, command: Command) -> Result<(), (Command, Reason)> {
        if self.unsaid.iter().any(|(to, _)| *to == shard) {
            return Err((command, Reason::Overloaded));
        }
        match self.peers.shard(shard) {
            Some(peer) => peer.offer(command),
            None => Err((command, Reason::Draining)),
        }
    }

    /// The same with what must not be lost: where there is no room it is said in a later turn. There is little of that for each link.
    pub(super) fn say(&mut self, shard: usize, command: Command) {
        if let Err((command, Reason::Overloaded)) = self.pass(shard, command) {
            self.unsaid.push_back((shard, command));
        }
    }

    /// Says what there was no room for.
    pub(super) fn say_again(&mut self) {
        let mut full = Vec::new();
        for (shard, command) in std::mem::take(&mut self.unsaid) {
            let Some(peer) = self.peers.shard(shard) else { continue };
            if full.contains(&shard) {
                self.unsaid.push_back((shard, command));
            } else if let Err((command, Reason::Overloaded)) = peer.offer(command) {
                full.push(shard);
                self.unsaid.push_back((shard, command));
            }
        }
        let mut again = std::mem::take(&mut self.again);
        again.sort_unstable();
        again.dedup();
        for key in again {
            match self.connections.get(key).map(|connection| &connection.stream) {
                Some(Stream::Far(_)) => self.deliver(key),
                Some(Stream::Tcp(_) | Stream::Tls(_)) => self.tell_taken(key),
                None => {}
            }
        }
    }

    fn forward(&self, shard: usize, conn: ConnKey, session: Uuid, what: Forwarded) -> Result<(), Reason> {
        let near = Near { shard: self.number, conn };
        self.pass(shard, Command::Forward(Forward { near, session, what })).map_err(|(_, reason)| reason)
    }

    pub(super) fn lost(&mut self, conn: ConnKey, &Link { shard, session, no, .. }: &Link) {
        let near = Near { shard: self.number, conn };
        self.say(shard, Command::Forward(Forward { near, session, what: Forwarded::Lost(no) }));
    }

    /// Whether a socket's connection has to ask another shard for `session`.
    pub(super) fn is_elsewhere(&mut self, conn: ConnKey, session: Uuid) -> bool {
        let Some(connection) = self.connections.get_mut(conn) else { return false };
        if connection.stream.far().is_some() || connection.only.is_some_and(|only| only != session) {
            return false;
        }
        if connection.links.as_mut().is_some_and(|links| links.of(session).is_some()) {
            return true;
        }
        !self.index.contains_key(&session) && self.peers.place_of(session) != self.number
    }

    /// A connection asks for a session of another shard. It is not heard until that has answered, so that what it says stays in order.
    pub(super) fn ask_elsewhere(&mut self, conn: ConnKey, session: Uuid, has: Has) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let (player, encoding, handle) = (connection.player, connection.encoding, player_word(session));
        let known = connection.links.as_mut().and_then(|links| links.of(session)).map(|link| link.shard);
        let no = self.links_made + 1;
        let asked = match known {
            Some(shard) => self.forward(shard, conn, session, Forwarded::Join { has }).map(|()| shard),
            None if connection.calls(handle) => Err(Reason::SessionElsewhere),
            None if connection.session_count() >= limits::JOINS_PER_CONNECTION => Err(Reason::TooManySessions),
            None => {
                let shard = self.peers.place_of(session);
                let link = Forwarded::Link { player, encoding, has, no };
                self.forward(shard, conn, session, link).map(|()| shard)
            }
        };
        let shard = match asked {
            Ok(shard) => shard,
            Err(reason) => return self.not_now(conn, About::join(session), reason),
        };
        let connection = &mut self.connections[conn];
        connection.waits += 1;
        let links = connection.links.get_or_insert_default();
        if let Some(link) = links.of(session) {
            link.asked = Some(has);
        } else {
            links.push(Link::asking(session, handle, (shard, no), has));
            self.links_made = no;
        }
    }

    /// Answers what could not be passed on, and when to try again where that helps.
    pub(super) fn not_now(&mut self, conn: ConnKey, about: About, reason: Reason) {
        let is_full = reason == Reason::Overloaded;
        self.stats.forwards_refused += u64::from(is_full);
        let retry_ms = is_full.then_some(limits::FULL_RETRY_MS);
        self.tell(conn, &ServerMessage::Error(ErrorNotice { retry_ms, ..ErrorNotice::new(about, reason) }));
    }

    /// Passes on what a connection says to a session elsewhere that it calls `handle`.
    pub(super) fn forward_to(&mut self, conn: ConnKey, handle: u32, what: Forwarded) -> Result<(), Reason> {
        let links = self.connections.get_mut(conn).and_then(|connection| connection.links.as_mut());
        let link = links.and_then(|links| links.called(handle)).ok_or(Reason::NotJoined)?;
        let (shard, session) = (link.shard, link.session);
        self.forward(shard, conn, session, what)?;
        self.stats.forwarded += 1;
        Ok(())
    }

    /// What a connection says to a session that is not one of this shard's: refused by this id where it cannot be passed on.
    #[cold]
    pub(super) fn say_elsewhere(&mut self, conn: ConnKey, s: u32, id: u64, what: Forwarded) {
        if self.room_called(conn, s).is_some() {
            // A fight's message to a session that is none.
            return self.refuse_elsewhere(conn, s, id, Reason::WrongType);
        }
        if let Err(reason) = self.forward_to(conn, s, what) {
            self.refuse_elsewhere(conn, s, id, reason);
        }
    }

    fn refuse_elsewhere(&mut self, conn: ConnKey, s: u32, id: u64, reason: Reason) {
        let is_full = reason == Reason::Overloaded;
        self.stats.refused += u64::from(id > 0);
        self.stats.forwards_refused += u64::from(is_full);
        let again = is_full || reason == Reason::LogUnavailable;
        let retry_ms = again.then_some(limits::FULL_RETRY_MS);
        self.tell(conn, &ServerMessage::Refused(Refused { retry_ms, ..Refused::new(s, id, reason) }));
    }

    /// A connection leaves a session elsewhere: nothing is heard of it until it has left, and may join again.
    pub(super) fn leave_elsewhere(&mut self, conn: ConnKey, s: u32) {
        if let Err(reason) = self.forward_to(conn, s, Forwarded::Leave) {
            return self.not_now(conn, About::of("leave", Some(s)), reason);
        }
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if let Some(link) = connection.links.as_mut().and_then(|links| links.called(s)) {
            link.leaving = true;
            connection.waits += 1;
        }
    }

    /// A connection has nothing to do with its sessions elsewhere any more.
    pub(super) fn unlink_all(&mut self, conn: ConnKey) {
        let Some(links) = self.connections.get_mut(conn).and_then(|connection| connection.links.take()) else { return };
        for link in links.iter() {
            self.lost(conn, link);
        }
    }

    /// A socket has taken so many bytes: the sessions elsewhere hear which of theirs these were.
    pub(super) fn taken_of(&mut self, conn: ConnKey, count: usize) {
        let links = self.connections.get_mut(conn).and_then(|connection| connection.links.as_mut());
        if links.is_some_and(|links| links.took(count)) {
            self.tell_taken(conn);
        }
    }

    /// Where the client does not read what its system takes, that is told instead.
    pub(super) fn tell_taken(&mut self, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let is_unread = connection.outbox.is_unread(self.clock.now);
        while let Some(links) = self.connections.get(conn).and_then(|connection| connection.links.as_ref())
            && let Some((shard, session, count)) = links.untold(is_unread)
        {
            let what = if is_unread { Forwarded::Unread } else { Forwarded::Taken(count) };
            if self.forward(shard, conn, session, what) == Err(Reason::Overloaded) {
                self.again.push(conn);
                return;
            }
            let links = self.connections.get_mut(conn).and_then(|connection| connection.links.as_mut());
            if let Some(link) = links.and_then(|links| links.of(session)) {
                link.unread = is_unread;
                link.taken = if is_unread { link.taken } else { 0 };
            }
        }
    }

    /// A session elsewhere says something to a connection.
    pub(super) fn returned(&mut self, Return { conn, session, what }: Return) {
        if self.index.get(&session).is_some_and(|key| self.moves.contains_key(key)) {
            // Whoever says this has it by now.
            self.settle_moves();
        }
        let Some(connection) = self.connections.get_mut(conn).filter(|of| of.state == State::Open) else {
            // The other side has heard that it is gone, or is about to.
            return;
        };
        if let Returned::Bytes(bytes) = what {
            // Its bound is that of what may be delivered. What is more is one message, with all there is to know of the session.
            if bytes.len() > limits::FAR_BYTES {
                connection.outbox.push_whole(&bytes, &mut self.pool);
            } else {
                connection.outbox.push(&bytes, &mut self.pool);
            }
            if let Some(links) = &mut connection.links {
                links.handed(session, bytes.len(), connection.outbox.len());
            }
            connection.outbox.ask_receipt(self.clock.now);
            return self.mark_dirty(conn);
        }
        if let Returned::Unheard { id, reason } = what {
            // Also where it has left meanwhile: what was asked then is answered all the same.
            return self.refuse_elsewhere(conn, player_word(session), id, reason);
        }
        if let Returned::Untimed { n } = what {
            return self.pong(conn, n, None, None);
        }
        let Some(link) = connection.links.as_mut().and_then(|links| links.of(session)) else { return };
        let (before, shard, no) = (link.waits(), link.shard, link.no);
        let has_moved = matches!(what, Returned::Here(_));
        match what {
            Returned::Refused(reason) => return self.not_linked(conn, session, reason),
            Returned::Closed(code) => return self.unlinked(conn, session, code),
            Returned::Moved => return self.ask_where_it_is(conn, session),
            Returned::Here(next) => link.next = Some(next),
            Returned::Through => link.shard = link.next.take().unwrap_or(shard),
            Returned::Answered => link.asked = None,
            Returned::Hear(may_ask) => link.deaf = !may_ask,
            Returned::Bytes(_) | Returned::Unheard { .. } | Returned::Untimed { .. } => {}
        }
        let after = link.waits();
        connection.waits = connection.waits + after - before;
        if has_moved {
            let near = Near { shard: self.number, conn };
            self.say(shard, Command::Forward(Forward { near, session, what: Forwarded::Through(no) }));
        }
        self.hear(conn);
    }

    /// Takes a link out. What it waited for is waited for no more.
    pub(super) fn unlink(&mut self, conn: ConnKey, session: Uuid) -> Option<Link> {
        let connection = self.connections.get_mut(conn)?;
        let links = connection.links.as_mut()?;
        let link = links.remove(session)?;
        if links.is_empty() {
            connection.links = None;
        }
        connection.waits -= link.waits();
        Some(link)
    }

    /// A session elsewhere is not for this connection.
    fn not_linked(&mut self, conn: ConnKey, session: Uuid, reason: Reason) {
        self.unlink(conn, session);
        self.error(conn, About::join(session), reason);
        self.still_alone(conn);
        self.hear(conn);
    }

    /// A session was another shard's when it was asked for.
    fn ask_where_it_is(&mut self, conn: ConnKey, session: Uuid) {
        if let Some(has) = self.unlink(conn, session).and_then(|link| link.asked) {
            self.ask_to_join(conn, session, has);
        }
        self.hear(conn);
    }

    /// A connection is in a session elsewhere no more.
    fn unlinked(&mut self, conn: ConnKey, session: Uuid, code: Option<CloseCode>) {
        let Some(link) = self.unlink(conn, session) else { return };
        self.lost(conn, &link);
        let is_last = link.asked.is_none() && self.connections[conn].session_count() == 0;
        match code {
            Some(code) if is_last || !is_of_one(code) => return self.close(conn, code),
            Some(code) => self.tell(conn, &ServerMessage::Left(Left { s: link.handle, why: why_of(code) })),
            None => {}
        }
        match link.asked {
            // It was on its way out when it joined again.
            Some(has) => self.ask_to_join(conn, session, has),
            None if code.is_some() || link.leaving => self.left_alone(conn),
            None => self.still_alone(conn),
        }
        self.hear(conn);
    }
}

/// Whether a connection that is told this has others to go on with.
const fn is_of_one(code: CloseCode) -> bool {
    matches!(code, CloseCode::Replaced | CloseCode::SessionEnded | CloseCode::Internal)
}

/// The same for one that has others.
const fn why_of(code: CloseCode) -> LeftWhy {
    if matches!(code, CloseCode::Replaced) { LeftWhy::Replaced } else { LeftWhy::Ended }
}
