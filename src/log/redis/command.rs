//! What the log says to Redis: each command with what is to be known when it is answered.

use uuid::Uuid;

use super::library::Function;
use super::resp;
use crate::log::{Key, TurnNo};

/// What a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// Entries of a session under this epoch.
    Entries {
        session: Uuid,
        epoch: u64,
    },
    /// Whether a session is still this node's.
    Probe {
        session: Uuid,
        epoch: u64,
    },
    /// A session anew, of which the store had lost something.
    Restore {
        session: Uuid,
    },
    /// A session's snapshot, or its end: if it is not taken, the session is somebody else's, and that is heard of with its entries.
    Aside,
    /// The list of the node's sessions.
    Index,
    /// Which log it is, and who has started under the node's name last.
    Log,
    Look,
    /// Whether somebody has taken sessions of the node over.
    Taken,
    /// Both anew, where Redis has neither.
    Anew,
}

impl About {
    /// For messages.
    pub const fn what(self) -> &'static str {
        match self {
            Self::Entries { .. } => "entries of a fight",
            Self::Probe { .. } => "to say whose a fight is",
            Self::Restore { .. } => "a fight that it has lost",
            Self::Aside => "a fight's snapshot or end",
            Self::Index => "an entry in the list of fights",
            Self::Log | Self::Look | Self::Taken => "to say whose the log is",
            Self::Anew => "to be told whose the log is",
        }
    }

    /// Whether one of the log's functions answers.
    pub const fn is_call(self) -> bool {
        !matches!(self, Self::Index | Self::Log | Self::Look | Self::Taken | Self::Anew)
    }
}

/// A command.
#[derive(Debug)]
pub struct Command {
    pub about: About,
    /// The turn that is kept only when this is answered.
    pub turn: Option<TurnNo>,
    pub bytes: Vec<u8>,
}

/// The key of what is known of a session. The braces have both in one slot of a cluster.
pub fn owner_key(session: Uuid) -> String {
    format!("o:{{{session}}}")
}

/// The key of its entries.
pub fn entries_key(session: Uuid) -> String {
    format!("l:{{{session}}}")
}

/// The key of the set of a node's sessions.
pub fn index_key(node: &str) -> String {
    format!("s:{node}")
}

/// The key of what is drawn anew whenever somebody takes sessions of a node over.
pub fn taken_key(node: &str) -> String {
    format!("t:{node}")
}

/// The key of who has started under a node's name last.
pub fn start_key(node: &str) -> String {
    format!("b:{node}")
}

/// A call of a function with so many arguments, which are to follow.
pub fn call(function: Function, session: Uuid, arguments: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    resp::begin(5 + arguments, &mut out);
    resp::word(b"FCALL", &mut out);
    resp::word(function.name(), &mut out);
    resp::word(b"2", &mut out);
    resp::word(owner_key(session).as_bytes(), &mut out);
    resp::word(entries_key(session).as_bytes(), &mut out);
    out
}

/// A call that puts a whole session under a key: its snapshot, or itself anew.
pub fn whole(function: Function, key: Key, owner: &str, form: u8, wall: u64, record: &[u8]) -> Vec<u8> {
    let mut out = call(function, key.session, 6);
    resp::number(key.epoch, &mut out);
    resp::word(owner.as_bytes(), &mut out);
    resp::number(key.number, &mut out);
    resp::number(form.into(), &mut out);
    resp::number(wall, &mut out);
    resp::word(record, &mut out);
    out
}
