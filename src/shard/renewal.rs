//! New credentials that clients hand in over their sockets, on their way to whoever checks them away from the shards.

use smallvec::SmallVec;
use uuid::Uuid;

use super::connection::ConnKey;
use crate::limits;

/// The way from the shards to whoever checks. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Renewals(flume::Sender<Asked>);

/// What a connection has handed in.
#[derive(Debug)]
pub struct Asked {
    pub shard: usize,
    pub connection: ConnKey,
    pub player: Uuid,
    /// The session that the connection's ticket was for; `None` where it had tokens alone.
    pub only: Option<Uuid>,
    /// The sessions that it has joined.
    pub joined: SmallVec<[Uuid; 2]>,
    pub credential: Credential,
}

/// Whose end is to be the connection's.
pub enum Credential {
    Token(String),
    Ticket(String),
}

/// Never shows it.
impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token",
            Self::Ticket(_) => "Ticket",
        })
    }
}

/// Both ends of the way.
pub fn renewals() -> (Renewals, flume::Receiver<Asked>) {
    let (sender, receiver) = flume::bounded(limits::RENEWALS_WAITING);
    (Renewals(sender), receiver)
}

impl Renewals {
    /// Has it checked. `false` where too many wait.
    pub fn send(&self, asked: Asked) -> bool {
        self.0.try_send(asked).is_ok()
    }
}
