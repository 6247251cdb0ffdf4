//! What rooms ask of whoever has the records, away from the shards, and what comes back by their inboxes.

use std::sync::Arc;

use tiltyard_protocol::Reason;
use uuid::Uuid;

use crate::limits;
use crate::session::{Kind, Refusal};
use crate::shard::connection::ConnKey;

/// The ways from the shards to whoever has the records, one for each. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Desks(Arc<[flume::Sender<Wish>]>);

/// The way of one shard.
#[derive(Debug, Clone, Default)]
pub struct Desk(Option<flume::Sender<Wish>>);

/// What a shard asks about a session.
#[derive(Debug)]
pub struct Wish {
    pub session: Uuid,
    pub what: Wanted,
}

/// What there is to ask.
#[derive(Debug)]
pub enum Wanted {
    /// A connection of this player joins: where it may, every change of the session is told from now on.
    Open { conn: ConnKey, player: Uuid },
    /// A member changes the state.
    Patch { conn: ConnKey, player: Uuid, id: u64, expected: Option<u64>, merge: Box<str> },
    /// A player gives a sign of life.
    Beat { conn: ConnKey, player: Uuid, id: u64 },
    /// Nobody is here any more: changes need not be told.
    Close,
}

/// What a shard is told of a session.
#[derive(Debug)]
pub enum News {
    /// Whether a connection may join, and what it joins.
    Opened { conn: ConnKey, opened: Result<Arc<Facts>, Declined> },
    /// It has changed, and how, as far as that is known.
    Changed { facts: Arc<Facts>, changes: Vec<Changed> },
    /// It has ended.
    Ended,
    /// What became of a patch: the version that has it.
    Patched { conn: ConnKey, id: u64, patched: Result<u64, Refusal> },
    /// What became of a sign of life: when the session ends without another.
    Beaten { conn: ConnKey, id: u64, beaten: Result<u64, Reason> },
}

/// Why a connection may not join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declined {
    pub reason: Reason,
    /// Where it may: how clients reach the node that has the session.
    pub url: Option<String>,
}

impl From<Reason> for Declined {
    fn from(reason: Reason) -> Self {
        Self { reason, url: None }
    }
}

/// One change of a session, committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    pub version: u64,
    /// What was merged into the state, as JSON; `None` where something else has changed.
    pub merge: Option<Box<str>>,
    /// The player who did it, where it was one.
    pub by: Option<Uuid>,
}

/// A session as it was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Custom or player.
    pub kind: Kind,
    pub owner: Uuid,
    pub members: Vec<Uuid>,
    pub version: u64,
    /// JSON; empty where it has none.
    pub state: Box<str>,
    /// Unix milliseconds.
    pub expires_at: u64,
}

impl Facts {
    /// Whether it is the player's affair.
    pub fn concerns(&self, player: Uuid) -> bool {
        self.owner == player || self.members.contains(&player)
    }
}

/// Both ends of the ways of so many shards.
pub fn desks(shards: usize) -> (Desks, Vec<flume::Receiver<Wish>>) {
    let (senders, receivers): (Vec<_>, Vec<_>) = (0..shards.max(1)).map(|_| flume::bounded(limits::ROOM_ASKS)).unzip();
    (Desks(senders.into()), receivers)
}

impl Desks {
    /// That of a shard.
    pub fn of(&self, shard: usize) -> Desk {
        Desk(self.0.get(shard).cloned())
    }
}

impl Desk {
    /// Asks, if not too much waits. Where nobody has records there are no such sessions.
    pub fn ask(&self, session: Uuid, what: Wanted) -> Result<(), Reason> {
        let sender = self.0.as_ref().ok_or(Reason::NoSession)?;
        sender.try_send(Wish { session, what }).map_err(|error| match error {
            flume::TrySendError::Full(_) => Reason::Overloaded,
            flume::TrySendError::Disconnected(_) => Reason::Draining,
        })
    }
}
