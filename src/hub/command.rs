//! What REST, sockets and tickers put into a shard's inbox, and what comes back. Closed enums: a command can be logged.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
pub use tiltyard_combat::Mode;
use tiltyard_combat::ruleset::EffectId;
use tiltyard_combat::{
    Action, BodyPart, EndReason, Fields, Fight, ParticipantStatus, PhaseName, Point, Rules, Ruleset, SessionStatus,
    Target, Thing,
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
    pub ruleset: Arc<Ruleset>,
    /// The ruleset's numbers, with everything that mode, difficulty and request set otherwise.
    pub rules: Rules,
    /// Of the first seats in order; the other seats are dealt to teams by the rules.
    pub teams: Vec<u8>,
    /// The request's `settings`, as JSON text, echoed to readers; empty where there were none.
    pub settings: String,
    /// The same of `metadata`.
    pub metadata: String,
}

/// An action asked for over REST: as over a socket, but the target is named by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestAction {
    /// Session and id are of no meaning.
    pub act: Act,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// `guard`, `heal`, `cast`, or an effect of the ruleset.
    pub name: String,
    /// Percent of a guard, health of a heal, stacks of an effect.
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
    #[serde(default)]
    pub winning_team: Option<u8>,
    pub end_reason: Option<EndReason>,
    /// The ruleset's name.
    #[serde(default)]
    pub ruleset: String,
    /// Rounds that are over.
    #[serde(default)]
    pub round: u8,
    /// Those that the server plays.
    #[serde(default)]
    pub enemies: Vec<EnemyInfo>,
    #[serde(default)]
    pub sight: Sight,
    /// What is around them; `None` for a fight that is not resident.
    #[serde(skip)]
    pub scene: Option<Scene>,
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

impl FightInfo {
    pub const fn has_ended(&self) -> bool {
        matches!(self.status, SessionStatus::Completed | SessionStatus::Terminated)
    }

    /// The id of who is in `slot`, a player or an enemy.
    pub fn id_of(&self, slot: u8) -> Option<Uuid> {
        let slot = usize::from(slot);
        let player = self.participants.get(slot).map(|seat| seat.player);
        player.or_else(|| Some(self.enemies.get(slot - self.participants.len())?.id))
    }

    /// The team of who is in `slot`.
    pub fn team_of(&self, slot: u8) -> Option<u8> {
        let slot = usize::from(slot);
        let player = self.participants.get(slot).map(|seat| seat.team);
        player.or_else(|| Some(self.enemies.get(slot - self.participants.len())?.team))
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
    #[serde(default)]
    pub team: u8,
    #[serde(default)]
    pub at: Point,
    /// A bit for each team that sees it, where there is fog.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seen_by: u128,
}

/// An enemy as REST tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnemyInfo {
    pub id: Uuid,
    pub name: String,
    pub team: u8,
    pub status: ParticipantStatus,
    pub hp: u32,
    /// The name of its phase.
    pub phase: String,
    pub at: Point,
    /// A bit for each team that sees it, where there is fog.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub seen_by: u128,
}

/// What a fight's participants may see of each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// Whether there is something that a team does not see at all.
    pub fog: bool,
    /// What everybody sees.
    pub all: Shown,
    /// What team-mates see.
    pub team: Shown,
}

/// What is shown of a participant, of that which REST tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    pub health: bool,
    pub place: bool,
    pub phase: bool,
}

impl Shown {
    pub const ALL: Self = Self { health: true, place: true, phase: true };
    pub const NOTHING: Self = Self { health: false, place: false, phase: false };

    const fn of(fields: Fields) -> Self {
        Self { health: fields.has(Fields::HP), place: fields.has(Fields::PLACE), phase: fields.has(Fields::RAGE) }
    }
}

impl Default for Shown {
    /// Of fights from before there was anything to hide.
    fn default() -> Self {
        Self::ALL
    }
}

impl Sight {
    pub fn of(fight: &Fight) -> Self {
        let visibility = &fight.ruleset().visibility;
        let fog = fight.rules().sight_cm > 0;
        Self { fog, all: Shown::of(visibility.all), team: Shown::of(visibility.team) }
    }
}

/// The environment of a fight as it is; the ruleset says what its things are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    pub ruleset: Arc<Ruleset>,
    /// Health of each cover.
    pub covers: Vec<u32>,
    /// Health of each hazard, and whether it is gone.
    pub hazards: Vec<(u32, bool)>,
    pub modifiers: Vec<EffectId>,
    /// Team and rounds won.
    pub wins: Vec<(u8, u8)>,
    /// Whose turn it is.
    pub turn: Option<Uuid>,
}

// serde's `skip_serializing_if` calls with a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(value: &u128) -> bool {
    *value == 0
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
