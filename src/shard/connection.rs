//! A client's connection in its shard.

use std::collections::HashMap;

use slotmap::new_key_type;
use smallvec::SmallVec;
use tiltyard_combat::Slot;
use tiltyard_protocol::Encoding;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::far::Far;
use super::lease::Lease;
use super::link::Links;
use super::room::Stay;
use super::session::SessionKey;
use super::stream::Stream;
use crate::limits;
use crate::socket::budget::Budget;
use crate::socket::ledger::Pass;
use crate::socket::outbox::{Outbox, Pool};
use crate::socket::reader::Reader;

new_key_type! {
    /// A connection's place in its shard; its number is also what the poll calls it.
    pub struct ConnKey;
}

/// One connection.
#[derive(Debug)]
pub struct Connection {
    pub stream: Stream,
    pub reader: Reader,
    /// What it may still send.
    pub budget: Budget,
    pub outbox: Outbox,
    pub player: Uuid,
    /// The auth session the credentials were of.
    pub sid: Option<Uuid>,
    /// How long they are good for.
    pub lease: Lease,
    pub encoding: Encoding,
    /// The session a ticket admits to; `None` where the credentials admit to any the player sits in.
    pub only: Option<Uuid>,
    pub joins: SmallVec<[Join; 1]>,
    /// Its sessions that are no fights.
    pub stays: Vec<Stay>,
    /// The credentials let it change those.
    pub writes: bool,
    /// Its sessions on other shards; `None` where it has none.
    pub links: Option<Box<Links>>,
    /// The shard's time when the last byte came.
    pub heard_at: u64,
    /// The shard's time since when it is in no session; of meaning where that is so.
    pub unjoined_since: u64,
    /// The shard's time when the wheel wakes it next.
    pub wake_at: u64,
    /// Messages that could not be understood.
    pub bad: u8,
    pub state: State,
    /// Is in the list of those for whom the turn has made something.
    pub dirty: bool,
    /// What it has sent and nobody has looked at yet; there, if only empty, while it is not read from.
    pub held: Option<Box<[u8]>>,
    /// How many things it waits for before it is heard again, so that what it sent after them comes after them: a join that has not had
    /// its turn, and what sessions of other shards have not answered.
    pub waits: u8,
    /// How many of its sessions are changing hands: it is not heard meanwhile.
    pub frozen: u8,
    /// Given back when the connection is dropped; nobody reads it.
    #[expect(dead_code)]
    pub(super) permit: Option<OwnedSemaphorePermit>,
    /// The player's place for it; `None` in tests.
    pub(super) pass: Option<Pass>,
    /// Bytes that are still read of it once it is being closed.
    pub closing_bytes: usize,
}

/// A session the connection receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Join {
    /// What the client calls it.
    pub handle: u32,
    pub session: SessionKey,
    pub slot: Slot,
    /// The highest of its actions that is applied. The fight has it too, but far from here: every delta says it to its recipient.
    pub applied: u64,
    /// The shard's time from which on another join of it is answered by a snapshot again.
    pub again_at: u64,
    /// What was left out of it since the connection was told all.
    pub missed: Option<LeftOut>,
}

/// Changes of a session that were left out for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// The sequence of the first.
    pub from: u64,
    /// Events in them that it would have been told, where that is known.
    pub events: Option<u32>,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Open,
    /// Our close frame is in the outbox. Nothing more is queued; what comes is thrown away, and soon not even read.
    Closing,
    /// The close frame is out and our side is shut, and the client has a moment to shut its own; or the connection broke, and is
    /// about to leave its sessions.
    Shut,
}

/// The connections of each auth session, so that its end costs no look at all the others.
#[derive(Debug, Default)]
pub struct BySid(HashMap<Uuid, SmallVec<[ConnKey; 1]>>);

impl BySid {
    /// Notes a connection.
    pub fn add(&mut self, sid: Uuid, key: ConnKey) {
        self.0.entry(sid).or_default().push(key);
    }

    /// Forgets a connection.
    pub fn remove(&mut self, sid: Uuid, key: ConnKey) {
        if let Some(keys) = self.0.get_mut(&sid) {
            keys.retain(|other| *other != key);
            if keys.is_empty() {
                self.0.remove(&sid);
            }
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The connections of `sid`.
    pub fn of(&self, sid: Uuid) -> SmallVec<[ConnKey; 1]> {
        self.0.get(&sid).cloned().unwrap_or_default()
    }
}

impl Connection {
    /// A connection of `player` at the shard's time `now`, without credentials that end, and with nothing to pay off.
    pub fn new(stream: Stream, player: Uuid, encoding: Encoding, now: u64) -> Self {
        Self {
            stream,
            reader: Reader::default(),
            budget: Budget::default(),
            outbox: Outbox::default(),
            player,
            sid: None,
            lease: Lease::new(u64::MAX, now),
            encoding,
            only: None,
            joins: SmallVec::new(),
            stays: Vec::new(),
            writes: true,
            links: None,
            heard_at: now,
            unjoined_since: now,
            wake_at: u64::MAX,
            bad: 0,
            state: State::Open,
            dirty: false,
            held: None,
            waits: 0,
            frozen: 0,
            permit: None,
            pass: None,
            closing_bytes: limits::CLOSING_BYTES,
        }
    }

    /// What stands for it at another shard, to which a session goes that it is in. What it is owed of that it is owed there.
    #[must_use]
    pub fn standing(&self, far: Far, session: SessionKey, now: u64) -> Self {
        let mut standing = Self::new(Stream::Far(Box::new(far)), self.player, self.encoding, now);
        standing.joins.extend(self.joins.iter().copied().filter(|join| join.session == session));
        if self.outbox.is_lagging() {
            standing.outbox.lag();
        }
        standing
    }

    /// Appends bytes that must arrive. Whether there is room for them; `None` where there are none, or it is not open any more.
    pub fn offer_answer(&mut self, bytes: &[u8], pool: &mut Pool) -> Option<bool> {
        (self.state == State::Open && !bytes.is_empty()).then(|| self.outbox.offer_answer(bytes, pool))
    }

    /// How many sessions it is in, here and elsewhere.
    pub fn session_count(&self) -> usize {
        self.joins.len() + self.stays.len() + self.links.as_ref().map_or(0, |links| links.len())
    }

    /// Whether the client calls a session `handle`.
    pub fn calls(&self, handle: u32) -> bool {
        self.join(handle).is_some()
            || self.stays.iter().any(|stay| stay.handle() == handle)
            || self.links.as_ref().is_some_and(|links| links.iter().any(|link| link.handle == handle))
    }

    /// Whether what it sends is looked at now.
    pub fn is_heard(&self) -> bool {
        self.state != State::Open || (self.waits == 0 && self.frozen == 0 && self.outbox.may_ask())
    }

    /// Whether it is in no session and waits for none.
    pub fn is_alone(&self) -> bool {
        self.session_count() == 0 && self.waits == 0
    }

    /// Whether it is in one fight and no other session.
    pub fn is_of_one(&self) -> bool {
        self.joins.len() == 1 && self.stays.is_empty() && self.links.is_none()
    }

    /// Whether it can be taken to another shard as it is: nothing is under way for it here that comes back under its name, or that it has
    /// said and that comes by way of others, and all that was made for it is kept by the log.
    pub fn may_leave(&self) -> bool {
        let is_direct = self.stream.far().is_none_or(Far::is_direct);
        self.waits == 0 && is_direct && !self.lease.is_checking() && self.outbox.is_shown()
    }

    /// It is another shard's from now on, whose clock says `to` when that of before says `from`.
    pub fn move_clock(&mut self, from: u64, to: u64) {
        let moved = |at: u64| at.saturating_add(to).saturating_sub(from);
        self.budget.move_clock(from, to);
        self.outbox.move_clock(from, to);
        self.lease.move_clock(from, to);
        self.heard_at = moved(self.heard_at);
        self.unjoined_since = moved(self.unjoined_since);
        for join in &mut self.joins {
            join.again_at = moved(join.again_at);
        }
        for stay in &mut self.stays {
            stay.move_clock(from, to);
        }
        self.wake_at = u64::MAX;
    }

    /// Notes that the change with this sequence and so many events was left out of the session that the client calls `handle`.
    pub fn leave_out(&mut self, handle: u32, seq: u64, events: usize) {
        if let Some(join) = self.joins.iter_mut().find(|join| join.handle == handle) {
            let missed = join.missed.get_or_insert(LeftOut { from: seq, events: Some(0) });
            let events = u32::try_from(events).unwrap_or(u32::MAX);
            missed.events = missed.events.map(|before| before.saturating_add(events));
        }
    }

    /// What was left out of that session, of which the connection is told all now.
    pub fn take_missed(&mut self, handle: u32) -> Option<LeftOut> {
        self.joins.iter_mut().find(|join| join.handle == handle)?.missed.take()
    }

    /// The highest action of its participant in a session that is applied.
    pub fn applied_in(&self, session: SessionKey) -> u64 {
        self.joins.iter().find(|join| join.session == session).map_or(0, |join| join.applied)
    }

    /// The join the client calls `handle`.
    pub fn join(&self, handle: u32) -> Option<Join> {
        self.joins.iter().copied().find(|join| join.handle == handle)
    }
}
