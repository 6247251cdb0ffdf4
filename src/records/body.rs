//! What only its type knows of a session that is no fight. A type is one of [`Body`], a struct for it, and what [`OfType`] asks of it
//! that is not as for most.

use std::mem::size_of;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use uuid::Uuid;

use crate::limits;
use crate::session::Kind;

/// What only its type knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    Player(Presence),
    Auth(Box<Login>),
    Custom(Box<Room>),
}

/// What is asked of every type. Times are Unix milliseconds.
pub trait OfType {
    /// Which it is.
    fn kind(&self) -> Kind;

    /// When it ends if nothing more happens than its last sign of life and its last change.
    fn expires_at(&self, seen_at: u64, updated_at: u64) -> u64;

    /// Bytes it takes in memory beside the record, about.
    fn bytes(&self) -> usize;

    /// Whether signs of life put its end off.
    fn lives_by_signs(&self) -> bool {
        false
    }

    /// The last sign of life, where the store is told of it.
    fn seen_at(&self) -> Option<u64> {
        None
    }

    /// When it ends, whatever happens.
    fn absolute_at(&self) -> Option<u64> {
        None
    }

    /// Who is in it; `None` where nobody can be but its owner.
    fn members(&self) -> Option<&[Member]> {
        None
    }

    /// Milliseconds after which it is looked at, if not before: the entries of what ends earlier go within that time.
    fn look_ms(&self) -> u64 {
        limits::LOOK_MS
    }

    /// The clock was set back to `now`: no time of its own is after that any more. `latest` is the latest of the record's, what is
    /// returned the latest of all.
    fn set_back(&mut self, latest: u64, now: u64) -> u64 {
        let _ = now;
        latest
    }
}

impl Body {
    /// What is asked of every type.
    pub fn of_type(&self) -> &dyn OfType {
        match self {
            Self::Player(presence) => presence,
            Self::Auth(login) => &**login,
            Self::Custom(room) => &**room,
        }
    }

    /// The same, to be changed.
    pub fn of_type_mut(&mut self) -> &mut dyn OfType {
        match self {
            Self::Player(presence) => presence,
            Self::Auth(login) => &mut **login,
            Self::Custom(room) => &mut **room,
        }
    }
}

/// A player's being there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    /// Milliseconds between two signs of life.
    pub heartbeat_ms: u32,
    /// Milliseconds a player who gave none for two heartbeats may still come back.
    pub reconnect_ms: u32,
}

impl OfType for Presence {
    fn kind(&self) -> Kind {
        Kind::Player
    }

    fn expires_at(&self, seen_at: u64, _updated_at: u64) -> u64 {
        seen_at + 2 * u64::from(self.heartbeat_ms) + u64::from(self.reconnect_ms)
    }

    fn bytes(&self) -> usize {
        0
    }

    fn lives_by_signs(&self) -> bool {
        true
    }
}

/// A login that tokens belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Milliseconds without use after which it ends.
    pub idle_ms: u64,
    /// When it ends, used or not.
    pub absolute_at: u64,
    /// Of the tokens it gives, names separated by blanks.
    pub scope: Box<str>,
    /// Counts refreshes: only the newest refresh token is good.
    pub generation: u32,
    /// Last use that the store knows of.
    pub seen_at: u64,
}

impl OfType for Login {
    fn kind(&self) -> Kind {
        Kind::Auth
    }

    fn expires_at(&self, seen_at: u64, _updated_at: u64) -> u64 {
        (seen_at + self.idle_ms).min(self.absolute_at)
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.scope.len()
    }

    fn lives_by_signs(&self) -> bool {
        true
    }

    fn seen_at(&self) -> Option<u64> {
        Some(self.seen_at)
    }

    fn absolute_at(&self) -> Option<u64> {
        Some(self.absolute_at)
    }

    /// The store is told of its use then.
    fn look_ms(&self) -> u64 {
        limits::TOUCH_MS
    }

    /// Its absolute end comes nearer by as much, so that it lives as long as it would have.
    fn set_back(&mut self, latest: u64, now: u64) -> u64 {
        let latest = latest.max(self.seen_at);
        self.seen_at = self.seen_at.min(now);
        self.absolute_at = self.absolute_at.saturating_sub(latest.saturating_sub(now));
        latest
    }
}

/// A session whose content is its members' own affair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// Milliseconds without a change after which it ends.
    pub ttl_ms: u64,
    pub max_members: u32,
    pub members: SmallVec<[Member; 2]>,
    /// JSON object.
    pub state: Box<str>,
}

/// A member of a custom session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    pub player: Uuid,
    pub joined_at: u64,
}

impl OfType for Room {
    fn kind(&self) -> Kind {
        Kind::Custom
    }

    fn expires_at(&self, _seen_at: u64, updated_at: u64) -> u64 {
        updated_at + self.ttl_ms
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.state.len() + size_of_val(&*self.members)
    }

    /// Its owner is one as long as it does not leave.
    fn members(&self) -> Option<&[Member]> {
        Some(&self.members)
    }

    fn set_back(&mut self, mut latest: u64, now: u64) -> u64 {
        for member in &mut self.members {
            latest = latest.max(member.joined_at);
            member.joined_at = member.joined_at.min(now);
        }
        latest
    }
}
