//! What a connection tells of its sessions.

use tiltyard_protocol::room::{Gap, Presence, Relayed, State};
use tiltyard_protocol::server::{Ack, Delta, ErrorNotice, Forgotten, Joined, LeftWhy, Missed, Outcome, Refused};
use tiltyard_protocol::view::Drift;

use crate::Closing;

/// Where a session is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Status {
    Connecting,
    /// Connected, and not yet, or not any more, in possession of what the server has.
    Joining,
    /// What is here is the server's.
    Live,
    /// For the next try to connect.
    Waiting,
    /// For good.
    Closed,
}

/// Something that happened in a session, which already shows it. Payloads are the server's, as docs/PROTOCOL.md has them.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Told {
    Status(Status),
    Joined(Box<Joined>),
    /// The fight's view was replaced; what it stands for, where deltas were left out.
    Snapshot(Option<Missed>),
    /// A step was applied to the fight's view; what happened in it is in `ev`.
    Delta(Box<Delta>),
    /// The view was not the server's any more. A new one is asked for.
    Drift(Drift),
    /// The server's log was set back: what was shown after the next snapshot's sequence has not happened.
    RolledBack(ErrorNotice),
    Result(Outcome),
    /// What has this id was done.
    Ack(Ack),
    Refused(Refused),
    /// The server does not know the answer any more. `applied` is false where it certainly did not happen.
    Forgotten(Forgotten),
    /// What has this id gets no answer any more: whether it was done is not known.
    Unanswered(u64),
    /// The room's state is another one.
    State(Box<State>),
    Relayed(Box<Relayed>),
    /// What members said while this one was slow or away, by its numbers: it does not come again.
    Missed(Gap),
    Presence(Presence),
    /// The player's presence lasts until then, in the server's Unix milliseconds, unless the server hears another beat.
    Beat(u64),
    Left(LeftWhy),
    Error(ErrorNotice),
    /// New credentials were taken; they are good for so many milliseconds.
    Renewed(u64),
    /// It does not come back by itself.
    Closed(Closing),
}
