//! What REST, sockets and tickers put into a shard's inbox, and what comes back. Closed enums: a command can be logged.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};
pub use tiltyard_combat::Mode;
use tiltyard_combat::{
    Action, BodyPart, EndReason, ParticipantStatus, PhaseName, Point, Rules, SessionStatus, Target, Thing,
};
use tiltyard_protocol::{Act, ActionKind, Encoding, Reason};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::records::{Expected, Update};
use crate::replays::Recording;
use crate::store::Status;

/// One entry of a shard's inbox.
#[derive(Debug)]
pub enum Command {
    /// Put a new fight into the arena.
    Create(Box<NewFight>, Reply<FightInfo>),
    /// Read a session.
    Read(Uuid, Reply<FightInfo>),
    /// Hand over what is recorded of a session; refused where some of it was lost.
    Recording(Uuid, Reply<Recording>),
    /// Apply an action for `player`, as if it had come over a socket.
    Act { session: Uuid, player: Uuid, action: RestAction, reply: Reply<ActionApplied> },
    /// Take a free seat.
    Seat { session: Uuid, player: Uuid, reply: Reply<u8> },
    /// Change what is changed by hand, if the session is at the expected version.
    Control { session: Uuid, expected: Expected, control: Control, reply: Reply<FightInfo> },
    /// A socket after its upgrade.
    Attach(Box<Attachment>),
    /// Close with 4401 every connection whose credentials were of this auth session.
    Revoke(Uuid),
    /// Stop: flush, close every socket with 1012 and end the loop.
    Drain,
}

/// Where an answer goes. The receiver may be gone.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// A named refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    /// Milliseconds until the same may succeed, where known.
    pub retry_ms: Option<u32>,
    /// The session's version, where another was expected.
    pub version: Option<u64>,
    /// The session that is in the way.
    pub session: Option<Uuid>,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, retry_ms: None, version: None, session: None }
    }
}

/// How a fight is asked for; already validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFight {
    /// Also says which shard it lives on.
    pub id: Uuid,
    pub mode: Mode,
    pub creator: Uuid,
    /// Distinct, at most 100, at least one.
    pub participants: Vec<Uuid>,
    /// At least as many as `participants`; the rest can be taken with [`Command::Seat`].
    pub seats: u8,
    pub rules: Rules,
    /// The request's `settings`, as JSON text, echoed to readers; empty where there were none.
    pub settings: String,
    /// The same of `metadata`.
    pub metadata: String,
}

/// An action asked for over REST: the target is named by player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestAction {
    pub kind: tiltyard_protocol::ActionKind,
    pub target: Option<Uuid>,
}

/// What a REST action did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionApplied {
    /// Sequence of the delta that shows it.
    pub seq: u64,
    pub damage: u64,
    pub effects: Vec<Effect>,
    pub fight: FightInfo,
}

/// An effect an action had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// For example `guard`.
    pub name: &'static str,
    pub value: u32,
    pub duration_ms: u32,
}

/// What an operator, a service or the one who created it may do to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Pause, resume, complete or terminate it, or say something else about it.
    Update(Update),
    /// With `force` the results phase is skipped.
    Terminate { force: bool },
}

/// A session as REST tells of it and the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FightInfo {
    pub id: Uuid,
    pub mode: Mode,
    pub creator: Uuid,
    pub status: SessionStatus,
    pub phase: PhaseName,
    /// Until the phase ends by itself; zero where nothing is set to end it.
    pub remaining_ms: u64,
    pub seats: u8,
    pub participants: Vec<ParticipantInfo>,
    pub created_at: SystemTime,
    pub started_at: Option<SystemTime>,
    pub ended_at: Option<SystemTime>,
    pub updated_at: SystemTime,
    /// JSON text as given; empty where there was none.
    pub settings: String,
    /// JSON text as given; empty where there was none.
    pub metadata: String,
    pub seq: u64,
    /// Changes made by [`Control`], starting at 1.
    pub version: u64,
    pub active_ms: u64,
    pub actions: u64,
    /// Actions refused.
    pub refused: u64,
    pub damage: u64,
    pub eliminations: u32,
    pub winner: Option<Uuid>,
    pub end_reason: Option<EndReason>,
    /// The newest ones, oldest first; bounded.
    pub events: Vec<EventInfo>,
}

impl FightInfo {
    /// The status of the generic view: that a fight is being prepared, or still shows the result of having been ended by
    /// hand, is the fight's own affair.
    pub const fn generic_status(&self) -> Status {
        match (self.status, self.phase, self.end_reason) {
            (SessionStatus::Terminated, ..)
            | (SessionStatus::Active, PhaseName::Cooldown, Some(EndReason::Terminated)) => Status::Terminated,
            (SessionStatus::Completed, ..)
            | (SessionStatus::Active, PhaseName::Cooldown, Some(EndReason::Completed)) => Status::Completed,
            (SessionStatus::Initializing | SessionStatus::Active, ..) => Status::Active,
            (SessionStatus::Paused, ..) => Status::Paused,
        }
    }
}

/// A participant as REST tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantInfo {
    pub player: Uuid,
    pub joined_at: SystemTime,
    pub status: ParticipantStatus,
    pub score: u32,
    pub hp: u32,
}

/// An event as REST tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventInfo {
    pub at: SystemTime,
    pub event: tiltyard_combat::Event,
}

/// A socket on its way to its shard: authenticated, upgraded, taken from the runtime.
#[derive(Debug)]
pub struct Attachment {
    /// Non-blocking.
    pub stream: std::net::TcpStream,
    /// What had been read behind the request.
    pub leftover: Vec<u8>,
    pub player: Uuid,
    /// The auth session the credentials were of.
    pub sid: Option<Uuid>,
    pub encoding: Encoding,
    /// The session the credentials were checked against; it is on this shard.
    pub session: Uuid,
    /// The credentials admit to `session` alone (a ticket).
    pub only: bool,
    /// The node's place for this connection, given back when the connection is dropped.
    pub permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// What a message asks for; whether the ruleset has it and the fight allows it, the fight says. Refused is what no fight can
/// take for an action: its id stays free.
pub fn action(act: &Act) -> Result<Action, Reason> {
    let place = act.x.zip(act.y).map(|(x, y)| Point::new(x, y));
    let use_of = |item| {
        let aim = Target { slot: act.to, at: place };
        act.a.map_or(Action::Unavailable, |ability| Action::Use { ability, item, aim })
    };
    Ok(match act.kind {
        ActionKind::Attack => match (act.to, act.c, act.z) {
            (None, Some(cover), None) => Action::Break { thing: Thing::Cover(cover) },
            (None, None, Some(hazard)) => Action::Break { thing: Thing::Hazard(hazard) },
            (target, None, None) => Action::Attack { target, part: part(act.part.unwrap_or_default()) },
            _ => return Err(Reason::BadFields),
        },
        ActionKind::Defend => Action::Defend,
        ActionKind::Ability => use_of(false),
        ActionKind::ItemUse => use_of(true),
        ActionKind::Move => Action::Move { to: place.ok_or(Reason::NeedsPlace)? },
    })
}

const fn part(part: tiltyard_protocol::BodyPart) -> BodyPart {
    match part {
        tiltyard_protocol::BodyPart::Head => BodyPart::Head,
        tiltyard_protocol::BodyPart::Torso => BodyPart::Torso,
        tiltyard_protocol::BodyPart::Limb => BodyPart::Limb,
    }
}
