//! Custom sessions, and players' own, as far as somebody is connected to them. Such a session is a record, which the store has and the
//! committer changes; what a shard has of it is a *room*: who is here, the record as it was committed last, and what is relayed. It begins
//! with the first connection that joins and ends with the last, and is the affair of the shard that the session's id leads to, as fights
//! are: connections of other shards come to it in the same way.
//!
//! [`desk`] is the way to the records and back, [`door`] lets members in and out, [`talk`] is what they say, [`show`] what they are shown,
//! [`words`] how that is written, [`dues`] how much of it there may be.

pub mod desk;
mod door;
mod dues;
mod show;
mod talk;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use tiltyard_protocol::view::player_word;
use uuid::Uuid;

pub use desk::{Desk, Desks, Facts, News};
use dues::Dues;

use super::connection::ConnKey;
use crate::socket::frame::Framed;

/// The rooms of a shard.
#[derive(Debug, Default)]
pub struct Rooms {
    /// Clients name sessions before it is known whether there are such: hashed so that nobody can make them collide.
    all: HashMap<Uuid, Room>,
    /// What is shown to many, in each encoding: buffers kept between uses.
    frames: [Framed; 2],
}

impl Rooms {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Gives the buffers back.
    pub fn shrink(&mut self) {
        self.frames = Default::default();
    }
}

/// A session that somebody is connected to.
#[derive(Debug, Default)]
pub struct Room {
    /// `None` until it is known whether the first who joins may.
    facts: Option<Arc<Facts>>,
    /// Joins that wait for whoever has the records.
    opening: u32,
    /// Members who are connected, or were.
    visitors: HashMap<Uuid, Visitor>,
    /// How much has been relayed.
    relays: u64,
    /// Of what all are sent.
    bytes: Dues,
    /// Patches that are committed, and which the record here does not have yet: whose, by which id, and at which version.
    done: Vec<(ConnKey, u64, u64)>,
}

/// A member who is connected, or was.
#[derive(Debug, Default)]
struct Visitor {
    conn: Option<ConnKey>,
    patches: Dues,
    relays: Dues,
    bytes: Dues,
    /// Patches that wait for the store.
    waiting: u8,
}

/// What a connection knows of a room that it is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stay {
    pub session: Uuid,
    /// The highest id that it has used.
    last_id: u64,
    /// The shard's time from which on another join of it is answered again.
    again_at: u64,
    /// A change was left out: the whole is owed.
    is_behind: bool,
    /// Relays from this number on were left out.
    missed_from: Option<u64>,
}

impl Stay {
    const fn new(session: Uuid) -> Self {
        Self { session, last_id: 0, again_at: 0, is_behind: false, missed_from: None }
    }

    /// What the client calls it.
    pub fn handle(&self) -> u32 {
        player_word(self.session)
    }

    /// It is another shard's from now on, whose clock says `to` when that of before says `from`.
    pub fn move_clock(&mut self, from: u64, to: u64) {
        self.again_at = self.again_at.saturating_add(to).saturating_sub(from);
    }
}

impl Room {
    /// Who is connected.
    fn here(&self) -> impl Iterator<Item = (Uuid, ConnKey)> {
        self.visitors.iter().filter_map(|(&player, visitor)| Some((player, visitor.conn?)))
    }

    /// How many are.
    fn count_here(&self) -> u32 {
        u32::try_from(self.here().count()).unwrap_or(u32::MAX)
    }

    /// Whether it is of no use any more.
    fn is_empty(&self) -> bool {
        self.opening == 0 && self.here().next().is_none()
    }
}
