//! What can be asked of a session that is no fight. Closed enums: a change can be logged.

use crate::session::{Expected, Update};
use std::sync::Arc;

use tokio::sync::oneshot;
use uuid::Uuid;

use super::body::Body;
use super::keys::Running;
use super::record::Record;
use crate::json::Json;
use crate::session::Refusal;
use crate::store::{KeyAnswer, KeyRow};

/// A change and where its answer goes.
#[derive(Debug)]
pub struct Ask {
    pub change: Change,
    pub reply: oneshot::Sender<Result<Changed, Refusal>>,
    /// The idempotency key it is made with.
    pub running: Option<Running>,
}

/// A change.
#[derive(Debug)]
pub enum Change {
    Create(Box<NewRecord>),
    Update {
        id: Uuid,
        expected: Expected,
        update: Update,
    },
    /// Terminates; a terminated one stays as it is.
    End {
        id: Uuid,
        expected: Expected,
        reason: Box<str>,
    },
    Join {
        id: Uuid,
        expected: Expected,
        player: Uuid,
    },
    Leave {
        id: Uuid,
        expected: Expected,
        player: Uuid,
    },
    /// Merges into the state of a custom session, as RFC 7396 says.
    Patch {
        id: Uuid,
        expected: Expected,
        patch: Json,
        /// The player who asks for it, where it is one.
        by: Option<Uuid>,
    },
    /// Takes the refresh token of this generation for a new one. An older one ends the session: it has been stolen, or its
    /// thief has used it first.
    Refresh {
        id: Uuid,
        expected: Expected,
        generation: u32,
    },
    /// Ends every live login of a player.
    Revoke {
        player: Uuid,
    },
    /// Its time is over.
    Expire {
        id: Uuid,
    },
    /// The store is told of its last use: of a custom session that somebody is connected to that is now.
    Touch {
        id: Uuid,
    },
    /// The store is told of it as it is, all of it.
    Keep {
        id: Uuid,
    },
    /// Keeps what is known of an idempotency key.
    Key(Box<KeyRow>),
    /// Forgets an idempotency key: its request had no effect.
    Forget([u8; 16]),
}

/// What a change led to.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    /// The session as it is now.
    pub record: Option<Arc<Record>>,
    /// Sessions that were ended by a [`Change::Revoke`].
    pub ended: u32,
}

/// A session to be created.
#[derive(Debug)]
pub struct NewRecord {
    pub id: Uuid,
    pub player: Uuid,
    pub body: Body,
    pub metadata: Option<Box<str>>,
    pub settings: Option<Box<str>>,
    /// Whether a live player session of the same player gives way.
    pub replace: bool,
    /// The idempotency key it was asked for with, and what makes its answer of what is created on a node.
    pub key: Option<(KeyRow, AnswerOf)>,
}

/// Makes the answer to a creation.
pub type AnswerOf = fn(record: &Record, node: &str) -> KeyAnswer;
