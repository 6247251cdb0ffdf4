//! A fight as one viewer is told of it. Its shard cuts it to what the viewer's audience may see. REST and the store have words of their
//! own for it ([`crate::rest`], [`crate::records`]), so nothing here has a form that anybody else reads.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tiltyard_combat::{EndReason, Fields, Mode, ParticipantStatus, PhaseName, Point, SessionStatus, Velocity};
use uuid::Uuid;

use crate::session::world::World;
use crate::session::{FightStatus, Status};

/// Who looks at a fight. Once it has ended there are no secrets, whoever looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Viewer {
    /// Operators, services, and the server itself.
    All,
    /// A player: what its side may see, or nobody's side where it has no seat.
    Player(Uuid),
}

/// A fight as one viewer is told of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FightInfo {
    pub id: Uuid,
    pub mode: Mode,
    pub creator: Uuid,
    /// Under which it is written; the store refuses what was written under a lower one.
    pub epoch: u64,
    pub status: SessionStatus,
    pub phase: PhaseName,
    /// Until the phase ends by itself; zero where nothing is set to end it.
    pub remaining_ms: u64,
    pub seats: u8,
    pub participants: Vec<ParticipantInfo>,
    /// Who had a seat, gave it up while the fight waited for others, and has none since somebody else took it.
    pub gone: Vec<Uuid>,
    pub created_at: SystemTime,
    pub started_at: Option<SystemTime>,
    pub ended_at: Option<SystemTime>,
    /// When something last changed that the viewer may know.
    pub updated_at: SystemTime,
    /// JSON text as given; empty where there was none.
    pub settings: String,
    /// JSON text as given; empty where there was none.
    pub metadata: String,
    /// Sequence of the newest delta that showed the viewer something.
    pub seq: u64,
    /// Deltas that showed the viewer something.
    pub deltas: u64,
    /// Starts at 1; raised by changes made by [`super::Control`], and by every other that the fight's status tells of: it begins,
    /// its phase or round is over, somebody takes a seat or gives one up.
    pub version: u64,
    pub active_ms: u64,
    /// Actions applied: of all, or where there is fog of the viewer's own side.
    pub actions: u64,
    /// Actions refused, of the same.
    pub refused: u64,
    /// Damage dealt, as far as the viewer saw it.
    pub damage: u64,
    pub eliminations: u32,
    pub winner: Option<Uuid>,
    pub winning_team: Option<u8>,
    pub end_reason: Option<EndReason>,
    /// The ruleset's name.
    pub ruleset: String,
    /// Rounds that are over.
    pub round: u8,
    /// Those that the server plays.
    pub enemies: Vec<EnemyInfo>,
    /// Where there is something that a team does not see at all: what those know who are on nobody's side.
    pub fog: Option<Known>,
    /// What those see of a participant who are on nobody's side.
    pub open: Shown,
    pub world: World,
}

/// Sums, a sequence and a time of a fight, as somebody knows them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Known {
    /// Sequence of the newest delta that showed something.
    pub seq: u64,
    /// How many did.
    pub deltas: u64,
    /// Unix milliseconds of the newest change that was shown.
    pub updated_at: u64,
    /// Of all, or of the own side, applied and refused.
    pub actions: u64,
    pub refused: u64,
    /// Damage that was seen.
    pub damage: u64,
}

/// A participant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParticipantInfo {
    pub player: Uuid,
    pub joined_at: SystemTime,
    pub status: ParticipantStatus,
    pub score: u32,
    pub team: u8,
    /// `None` where the viewer may not know it.
    pub hp: Option<u32>,
    /// `None` where the viewer may not know it.
    pub at: Option<Point>,
    /// In degrees; `None` where it is 0, or the viewer may not know it.
    pub facing: Option<u16>,
    /// `None` where it goes nowhere, or the viewer may not know it.
    pub velocity: Option<Velocity>,
}

/// An enemy; what is `None` the viewer may not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnemyInfo {
    pub id: Uuid,
    pub team: u8,
    pub status: ParticipantStatus,
    pub name: Option<String>,
    pub hp: Option<u32>,
    /// The name of its phase.
    pub phase: Option<String>,
    pub at: Option<Point>,
}

/// What is shown of a participant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub health: bool,
    pub place: bool,
    pub phase: bool,
}

impl Shown {
    pub const fn of(fields: Fields) -> Self {
        Self { health: fields.has(Fields::HP), place: fields.has(Fields::PLACE), phase: fields.has(Fields::RAGE) }
    }
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

    /// The status of its own view: as the generic one, and that it is being prepared.
    pub const fn own_status(&self) -> FightStatus {
        match (self.generic_status(), self.status) {
            (Status::Active, SessionStatus::Initializing) => FightStatus::Initializing,
            (Status::Active, _) => FightStatus::Active,
            (Status::Paused, _) => FightStatus::Paused,
            (Status::Completed, _) => FightStatus::Completed,
            (Status::Terminated, _) => FightStatus::Terminated,
        }
    }

    pub const fn has_ended(&self) -> bool {
        matches!(self.status, SessionStatus::Completed | SessionStatus::Terminated)
    }

    /// Bytes it takes, about.
    pub fn bytes(&self) -> usize {
        let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let enemies: usize = self.enemies.iter().map(|enemy| text(&enemy.name) + text(&enemy.phase)).sum();
        std::mem::size_of::<Self>()
            + std::mem::size_of_val(&*self.participants)
            + std::mem::size_of_val(&*self.enemies)
            + enemies
            + self.settings.len()
            + self.metadata.len()
            + self.ruleset.len()
            + self.world.bytes()
    }

    pub fn takes_part(&self, player: Uuid) -> bool {
        self.participants.iter().any(|seat| seat.player == player)
    }

    /// What the store says of a fight is everything. Where its shard cannot be asked what `viewer` sees of it, because another
    /// node has it, a player is told what those see who are on nobody's side; in the fog that is nobody, and no deed.
    #[must_use]
    pub fn from_afar(mut self, viewer: Viewer) -> Self {
        if viewer == Viewer::All || self.has_ended() {
            return self;
        }
        let Shown { health, place, phase } = self.open;
        for seat in &mut self.participants {
            seat.hp = seat.hp.filter(|_| health);
            seat.at = seat.at.filter(|_| place);
            seat.facing = seat.facing.filter(|_| place);
            seat.velocity = seat.velocity.filter(|_| place);
        }
        for enemy in &mut self.enemies {
            enemy.hp = enemy.hp.filter(|_| health);
            enemy.at = enemy.at.filter(|_| place);
            enemy.phase = enemy.phase.take().filter(|_| phase);
            enemy.name = enemy.name.take().filter(|_| self.fog.is_none());
        }
        if let Some(known) = self.fog {
            (self.seq, self.deltas) = (known.seq, known.deltas);
            self.updated_at = self.created_at.max(UNIX_EPOCH + Duration::from_millis(known.updated_at));
            (self.actions, self.refused, self.damage) = (known.actions, known.refused, known.damage);
            self.world = World::Named(self.world.named().into_owned().without_events());
        }
        self
    }
}
