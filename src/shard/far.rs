//! The side of the session: a connection whose socket is on another shard. It is a [`Connection`] like any other, with an outbox and its
//! marks, so nothing else of a session knows the difference: what is kept is delivered to the shard that has the socket, where others
//! are written to. See [`super::link`].
//!
//! What was delivered counts as waiting until the socket has taken it, so the outbox bounds both together. A far connection ends when the
//! other side has said that it is done with it: until then everything that comes for it is answered. With its session it goes to another
//! shard ([`super::follow`]).

use std::collections::VecDeque;

use tiltyard_protocol::client::Ping;
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{CloseCode, Encoding, Reason};
use uuid::Uuid;

use super::admission::Has;
use super::connection::{ConnKey, Connection, State};
use super::link::{Forward, Forwarded, Near, Return, Returned};
use super::session::SessionKey;
use super::stream::Stream;
use super::worker::Worker;
use crate::limits;
use crate::shard::Command;
use crate::socket::frame;
use crate::socket::outbox::Outbox;

/// What a far connection has in place of a socket.
#[derive(Debug)]
pub struct Far {
    pub(super) near: Near,
    pub(super) session: Uuid,
    /// The link's.
    pub(super) no: u64,
    /// How what the other side says comes here.
    pub(super) path: Path,
    /// Bytes that were delivered and the socket has not taken.
    pub(super) in_flight: usize,
    /// A join has had its turn, which is to be said.
    answered: bool,
    /// It was said that the client may not ask for more.
    deaf: bool,
    course: Course,
    /// What the client has said and nobody has looked at yet.
    pub(super) waiting: VecDeque<Forwarded>,
}

/// How what the other side says comes to a far connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// It was made for one who goes with a session from the shard of its socket: nobody has said anything to it yet.
    New,
    Direct,
    /// By way of the shard that had the session: the other side is to be told that it is here.
    Around,
    /// That was said, and something may still come that way.
    Told,
}

/// How far a far connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Course {
    Open,
    /// It is in no session any more, and why, if that is more than that it left.
    Ending(Option<CloseCode>),
    /// That has been said.
    Closed,
}

/// The next thing to say to the other side.
#[derive(Debug, Clone, Copy)]
enum Say {
    Here,
    Answered,
    Hear(bool),
    Bytes(usize),
    Closed(Option<CloseCode>),
}

impl Far {
    fn new(near: Near, session: Uuid, no: u64) -> Self {
        Self::by(Path::Direct, near, session, no)
    }

    /// For one who goes with a session.
    pub fn going(near: Near, session: Uuid, no: u64) -> Self {
        Self::by(Path::New, near, session, no)
    }

    fn by(path: Path, near: Near, session: Uuid, no: u64) -> Self {
        let (course, waiting) = (Course::Open, VecDeque::new());
        Self { near, session, no, path, in_flight: 0, answered: false, deaf: false, course, waiting }
    }

    /// Which connection of which shard it stands for, in which session.
    pub fn place(&self) -> (Near, Uuid) {
        (self.near, self.session)
    }

    /// Whether it is in no session any more.
    pub fn is_ending(&self) -> bool {
        self.course != Course::Open
    }

    /// What there is to say, in this order.
    fn next(&self, outbox: &Outbox) -> Option<Say> {
        if self.path == Path::Around {
            return Some(Say::Here);
        }
        if self.answered {
            return Some(Say::Answered);
        }
        if self.deaf == outbox.may_ask() && self.course != Course::Closed {
            return Some(Say::Hear(outbox.may_ask()));
        }
        let fresh = &outbox.unsent()[self.in_flight..];
        let count = match self.course {
            // There is no more than this.
            Course::Ending(_) | Course::Closed => fresh.len(),
            Course::Open => match frame::whole(fresh, limits::FAR_BYTES.saturating_sub(self.in_flight)) {
                // One that is larger goes alone.
                0 if self.in_flight == 0 => frame::whole_length(fresh),
                count => count,
            },
        };
        if count > 0 {
            return Some(Say::Bytes(count));
        }
        match self.course {
            Course::Ending(code) if outbox.len() == self.in_flight => Some(Say::Closed(code)),
            _ => None,
        }
    }
}

impl Worker {
    /// A connection elsewhere says something to a session.
    pub(super) fn forwarded(&mut self, forward: Forward) {
        let Forward { near, session, ref what } = forward;
        if near.shard == self.number {
            return self.come_around(forward);
        }
        if let Forwarded::Link { player, encoding, has, no } = *what {
            return self.link(Far::new(near, session, no), player, encoding, has);
        }
        let Some(&key) = self.far.get(&(near, session)) else { return self.follow(forward) };
        match forward.what {
            Forwarded::Taken(count) => self.taken(key, count),
            Forwarded::Unread => {
                let connection = self.connections.get_mut(key);
                self.stats.lagged += u64::from(connection.is_some_and(|connection| connection.outbox.lag()));
            }
            Forwarded::Lost(no) => {
                // It may be of a link before this one.
                if self.is_of_link(key, no) {
                    self.far.remove(&(near, session));
                    self.done_with(key);
                }
            }
            Forwarded::Through(no) => {
                if self.is_of_link(key, no) {
                    self.through(key);
                }
            }
            what => self.hear_or_hold(key, near, session, what),
        }
    }

    fn is_of_link(&self, key: ConnKey, no: u64) -> bool {
        self.connections.get(key).and_then(|connection| connection.stream.far()).is_some_and(|far| far.no == no)
    }

    /// The other side is done with a far connection. Where it is so because the client is no more in the session, and not because the client
    /// is gone, what it asked until it was told has its answers first.
    fn done_with(&mut self, key: ConnKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let is_open = connection.state == State::Open;
        let Some(far) = connection.stream.far_mut() else { return };
        let (near, session) = far.place();
        let waiting = std::mem::take(&mut far.waiting);
        if !is_open || !far.is_ending() {
            return self.lose(key);
        }
        for unheard in waiting.iter().filter_map(|what| what.unheard(Reason::NotJoined)) {
            self.back(near, session, unheard);
        }
        self.ready.push(key);
    }

    /// Takes what the client says, if it may ask for more and nothing it said before waits. What waits is what was on its way when the
    /// other side was told that it may not.
    fn hear_or_hold(&mut self, key: ConnKey, near: Near, session: Uuid, what: Forwarded) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let is_heard = connection.is_heard();
        let Stream::Far(far) = &mut connection.stream else { return };
        if is_heard && far.waiting.is_empty() {
            return self.hear_one(key, session, what);
        }
        if far.waiting.len() < limits::INBOX_DEPTH {
            far.waiting.push_back(what);
            connection.held.get_or_insert_default();
        } else if let Some(unheard) = what.unheard(Reason::Overloaded) {
            self.back(near, session, unheard);
        }
    }

    /// Takes what had to wait, for as long as the client may ask for more.
    pub(super) fn hear_far(&mut self, key: ConnKey) {
        while let Some(connection) = self.connections.get_mut(key) {
            let is_heard = connection.is_heard();
            let Stream::Far(far) = &mut connection.stream else { return };
            if !is_heard {
                connection.held = (!far.waiting.is_empty()).then(Box::default);
                return;
            }
            let (_, session) = far.place();
            let Some(what) = far.waiting.pop_front() else { return };
            self.hear_one(key, session, what);
        }
    }

    pub(super) fn hear_one(&mut self, key: ConnKey, session: Uuid, what: Forwarded) {
        match what {
            Forwarded::Act(act) => self.act(key, &act),
            Forwarded::BadAct { id, wrong } => self.act_badly(key, player_word(session), id, wrong),
            Forwarded::Ready => self.ready(key, player_word(session)),
            Forwarded::Concede => self.concede(key, player_word(session)),
            Forwarded::Patch(patch) => self.patch(key, patch),
            Forwarded::Relay(relay) => self.relay(key, relay),
            Forwarded::Beat(beat) => self.beat(key, beat),
            Forwarded::Ping { n } => self.ping(key, &Ping { n, s: Some(player_word(session)) }),
            Forwarded::Join { has } if !self.is_ending(key) => {
                self.ask_to_join(key, session, has);
                self.join_settled(key);
            }
            Forwarded::Leave if !self.is_ending(key) => self.leave(key, player_word(session)),
            // One that is in no session any more hears of that instead; the others do not wait, or are nothing to one with a socket here.
            _ => {}
        }
    }

    /// There is nothing here that a connection elsewhere says something to: who waits for an answer gets one.
    pub(super) fn stray(&mut self, Forward { near, session, what }: Forward) {
        let is_asked = matches!(what, Forwarded::Join { .. } | Forwarded::Leave);
        let closed = is_asked.then_some(Returned::Closed(None));
        if let Some(back) = what.unheard(Reason::NotJoined).or(closed) {
            self.back(near, session, back);
        }
    }

    /// A far connection is gone.
    pub(super) fn forget_far(&mut self, place: (Near, Uuid), key: ConnKey) {
        if self.far.get(&place) == Some(&key) {
            self.far.remove(&place);
        }
    }

    /// While the log cannot be written: what another shard says waits. An action is refused where much does; where not even that can be
    /// said it waits all the same, and the other shard stands still, too.
    pub(super) fn put_by(&mut self, command: Command) {
        if self.stash.len() >= limits::STASHED
            && let Command::Forward(Forward { near, session, what }) = &command
            && let Some(what) = what.unheard(Reason::LogUnavailable)
        {
            let back = Return { conn: near.conn, session: *session, what };
            if self.pass(near.shard, Command::Return(back)).is_ok() {
                return;
            }
        }
        self.stash.push_back(command);
    }

    fn is_ending(&self, key: ConnKey) -> bool {
        self.connections.get(key).and_then(|connection| connection.stream.far()).is_some_and(Far::is_ending)
    }

    pub(super) fn back(&mut self, near: Near, session: Uuid, what: Returned) {
        self.say(near.shard, Command::Return(Return { conn: near.conn, session, what }));
    }

    /// A connection elsewhere joins. Where that cannot be nothing is kept of it.
    fn link(&mut self, far: Far, player: Uuid, encoding: Encoding, has: Has) {
        let (near, session) = far.place();
        if !self.index.contains_key(&session) && self.peers.place_of(session) != self.number {
            // It was here when it was asked for.
            return self.back(near, session, Returned::Moved);
        }
        let has_seat = |key: &SessionKey| self.sessions[*key].fight.slot_of(player.as_u128()).is_some();
        let reason = if self.draining {
            Some(Reason::Draining)
        } else {
            // What is no fight may be another session, which only its records know.
            (!self.index.get(&session).is_none_or(has_seat)).then_some(Reason::NoSession)
        };
        if let Some(reason) = reason {
            return self.back(near, session, Returned::Refused(reason));
        }
        let stream = Stream::Far(Box::new(far));
        let key = self.connections.insert(Connection::new(stream, player, encoding, self.clock.now));
        self.stands_for((near, session), key);
        self.ask_to_join(key, session, has);
        self.join_settled(key);
    }

    /// From now on this far connection is the one of its place, unless there is one of a later link.
    pub(super) fn stands_for(&mut self, place: (Near, Uuid), key: ConnKey) {
        let no_of = |key| self.connections.get(key).and_then(|connection| connection.stream.far()).map(|far| far.no);
        let other = self.far.get(&place).copied();
        // The other side asks anew, so it has forgotten the one before.
        let forgotten = match other {
            Some(other) if no_of(other) > no_of(key) => Some(key),
            _ => {
                self.far.insert(place, key);
                other
            }
        };
        if let Some(forgotten) = forgotten {
            self.lose(forgotten);
        }
    }

    /// Where a far connection's join waits no more, the other side is told; one that is in no session after it is done with.
    pub(super) fn join_settled(&mut self, key: ConnKey) {
        let Some(connection) = self.connections.get_mut(key).filter(|connection| connection.waits == 0) else { return };
        let is_in = connection.session_count() > 0;
        let Some(far) = connection.stream.far_mut() else { return };
        far.answered = true;
        self.ready.push(key);
        if !is_in {
            self.end_far(key, None);
        }
    }

    /// A far connection is in no session any more: what waits is delivered, and then why. `false` for one with a socket.
    pub(super) fn end_far(&mut self, key: ConnKey, code: Option<CloseCode>) -> bool {
        let Some(far) = self.connections.get_mut(key).and_then(|connection| connection.stream.far_mut()) else {
            return false;
        };
        match far.course {
            Course::Open => far.course = Course::Ending(code),
            Course::Ending(before) => far.course = Course::Ending(code.or(before)),
            Course::Closed if self.draining => self.lose(key),
            Course::Closed => {}
        }
        self.ready.push(key);
        true
    }

    /// The socket has taken so many bytes of what was delivered.
    fn taken(&mut self, key: ConnKey, count: u32) {
        let Some(Connection { stream: Stream::Far(far), outbox, .. }) = self.connections.get_mut(key) else { return };
        if far.course != Course::Closed {
            let count = (count as usize).min(far.in_flight);
            far.in_flight -= count;
            outbox.took(count, self.clock.now, &mut self.pool);
            outbox.is_asked_elsewhere();
            self.ready.push(key);
            self.hear(key);
        }
    }

    /// Delivers what may be shown, as much as the other side may have; where it has no room, in a later turn.
    pub(super) fn deliver(&mut self, key: ConnKey) {
        let now = self.clock.now;
        loop {
            let Some(Connection { stream: Stream::Far(far), outbox, state: State::Open, .. }) =
                self.connections.get_mut(key)
            else {
                return;
            };
            let Some(say) = far.next(outbox) else { break };
            let what = match say {
                Say::Here => Returned::Here(self.number),
                Say::Answered => Returned::Answered,
                Say::Hear(may_ask) => Returned::Hear(may_ask),
                Say::Bytes(count) => Returned::Bytes(outbox.unsent()[far.in_flight..][..count].to_vec()),
                Say::Closed(code) => Returned::Closed(code),
            };
            let (near, session) = far.place();
            match self.pass(near.shard, Command::Return(Return { conn: near.conn, session, what })) {
                Ok(()) => {}
                Err((_, Reason::Overloaded)) => {
                    self.again.push(key);
                    break;
                }
                // The shard has stopped, and its sockets are closed.
                Err(_) => return self.lose(key),
            }
            let Some(Connection { stream: Stream::Far(far), outbox, .. }) = self.connections.get_mut(key) else {
                return;
            };
            match say {
                Say::Here => far.path = Path::Told,
                Say::Answered => far.answered = false,
                Say::Hear(may_ask) => far.deaf = !may_ask,
                Say::Bytes(count) if far.course == Course::Closed => outbox.took(count, now, &mut self.pool),
                Say::Bytes(count) => {
                    far.in_flight += count;
                    // From now on it waits for the socket.
                    outbox.took(0, now, &mut self.pool);
                }
                Say::Closed(_) => {
                    far.course = Course::Closed;
                    // Nobody says any more what the socket takes.
                    outbox.took(std::mem::take(&mut far.in_flight), now, &mut self.pool);
                    if self.draining {
                        return self.lose(key);
                    }
                    self.hear(key);
                }
            }
        }
        let Some(Connection { stream: Stream::Far(far), outbox, .. }) = self.connections.get_mut(key) else { return };
        if far.is_ending() {
            let (place, is_answered) = (far.place(), outbox.len() == far.in_flight);
            // The other side is done with it.
            if is_answered && self.far.get(&place) != Some(&key) {
                self.lose(key);
            }
            return;
        }
        if outbox.unsent().len() - far.in_flight > limits::FAR_STATE_BYTES {
            self.stats.lagged += u64::from(outbox.lag());
        } else if outbox.owes_snapshot() {
            self.bring_up_to_date(key);
            self.deliver(key);
        }
    }
}
