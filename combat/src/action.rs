//! What a fight can be given, and why it may refuse it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::digest::form;
use crate::geometry::Point;
use crate::motion::Velocity;
use crate::ruleset::{AbilityId, Resource};
use crate::{Millis, PlayerId, Slot};

/// Everything that can change a fight. The log is a list of these with their times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Input {
    /// Time passed: fire what is due.
    Tick,
    /// A player takes a free seat.
    Seat { player: PlayerId },
    /// A participant is ready to start.
    Ready { slot: Slot },
    /// A participant has a connection.
    Connect { slot: Slot },
    /// A participant has none any more, as engines before revision 3 were told: without why.
    Disconnect { slot: Slot },
    /// A participant acts. `id` 0 is an action without an id: its answer is not remembered.
    Act { slot: Slot, id: u64, action: Action },
    /// Stop the clocks.
    Pause,
    /// Start them again.
    Resume,
    /// End it by hand, as it stands.
    Complete,
    /// End it without a winner; with `force` without the results phase.
    Terminate { force: bool },
    /// It has been paused for as long as the host lets it: end it without a winner, or go on showing its result.
    PauseOver,
    /// A participant gives its seat up for good. (Logs and tapes have the places of these: a new one comes last.)
    Concede { slot: Slot },
    /// A newer connection of a participant takes the place of an older one.
    Replace { slot: Slot },
    /// A participant has no connection any more.
    Part { slot: Slot, why: Parting },
}

/// How a participant comes to have its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Arrival {
    /// It is its first.
    Joined,
    /// It had none any more.
    Returned,
    /// It had another, which was older.
    Replaced,
}

/// Why a participant has no connection any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Parting {
    /// It ended, or nothing was heard of it.
    Lost,
    /// The participant has said that it leaves.
    Left,
}

/// What a participant can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    Attack {
        target: Option<Slot>,
        part: BodyPart,
    },
    /// An attack on a cover or a hazard.
    Break {
        thing: Thing,
    },
    Defend,
    /// Of the kind ability or item.
    Use {
        ability: AbilityId,
        item: bool,
        aim: Target,
    },
    /// The participant is there now, and stands.
    Move {
        to: Point,
    },
    /// An action the ruleset does not have.
    Unavailable,
    /// The participant is there now, faces this way (as before where it does not say), and goes so fast. (Logs and tapes have the
    /// places of these: a new one comes last.)
    Walk {
        to: Point,
        facing: Option<u16>,
        velocity: Velocity,
    },
}

/// Where a hit is aimed at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BodyPart {
    Head,
    #[default]
    Torso,
    Limb,
}

/// A thing of the environment, by its place in the ruleset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Thing {
    Cover(u8),
    Hazard(u8),
}

/// What an ability is aimed at; what it needs of these is the ability's affair.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Target {
    pub slot: Option<Slot>,
    pub at: Option<Point>,
}

form!(Target: slot, at);

/// The kinds of action, as the contract names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionKind {
    Attack,
    Defend,
    Ability,
    Move,
    ItemUse,
}

impl ActionKind {
    pub const ALL: [Self; 5] = [Self::Attack, Self::Defend, Self::Ability, Self::Move, Self::ItemUse];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Attack => "attack",
            Self::Defend => "defend",
            Self::Ability => "ability",
            Self::Move => "move",
            Self::ItemUse => "item_use",
        }
    }
}

impl Action {
    /// `None` for one that the ruleset does not have.
    pub const fn kind(self) -> Option<ActionKind> {
        match self {
            Self::Attack { .. } | Self::Break { .. } => Some(ActionKind::Attack),
            Self::Defend => Some(ActionKind::Defend),
            Self::Use { item: false, .. } => Some(ActionKind::Ability),
            Self::Use { item: true, .. } => Some(ActionKind::ItemUse),
            Self::Move { .. } | Self::Walk { .. } => Some(ActionKind::Move),
            Self::Unavailable => None,
        }
    }
}

/// A set of [`ActionKind`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ActionSet(u8);

impl ActionSet {
    pub const fn has(self, kind: ActionKind) -> bool {
        self.0 & (1 << kind as u8) != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl FromIterator<ActionKind> for ActionSet {
    fn from_iter<I: IntoIterator<Item = ActionKind>>(kinds: I) -> Self {
        Self(kinds.into_iter().fold(0, |set, kind| set | 1 << kind as u8))
    }
}

/// Why an input was refused. Nothing but the memory of the answer, and what fair play counts, has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Error, Serialize, Deserialize)]
pub enum Refusal {
    #[error("the session has ended")]
    Ended,
    #[error("the fight is not in a phase that allows this")]
    WrongPhase,
    #[error("the session cannot go from its status to that one")]
    InvalidTransition,
    #[error("the session is paused")]
    Paused,
    #[error("there is no such seat")]
    NoSeat,
    #[error("every seat is taken")]
    Full,
    #[error("the player already has a seat")]
    AlreadySeated,
    #[error("the participant has been eliminated")]
    Eliminated,
    #[error("the answer to this action id has been forgotten")]
    StaleId,
    #[error("the ruleset has no such action")]
    Unavailable,
    #[error("the action needs a target")]
    NeedsTarget,
    #[error("there is no participant in that slot")]
    NoSuchTarget,
    #[error("that participant cannot be the target")]
    InvalidTarget,
    #[error("not ready until {until} ms of session time")]
    Cooldown { until: Millis },
    #[error("not enough stamina until {until} ms of session time")]
    Stamina { until: Millis },
    #[error("stepping the session failed")]
    Failed,
    #[error("too many actions until {until} ms of session time")]
    RateLimited { until: Millis },
    #[error("not enough of what it costs until {until} ms of session time")]
    NotEnough { of: Resource, until: Millis },
    #[error("reloading until {until} ms of session time")]
    Reloading { until: Millis },
    #[error("it has been used as often as it can be")]
    UsedUp,
    #[error("the action needs a place")]
    NeedsPlace,
    #[error("the target is out of range")]
    OutOfRange,
    #[error("the target is out of sight")]
    NoSight,
    #[error("farther than can be moved in that time")]
    TooFast,
    #[error("outside the arena")]
    OutOfBounds,
    #[error("something is in the way")]
    Blocked,
    #[error("stunned")]
    Stunned,
    #[error("an effect forbids it")]
    Denied,
    #[error("busy with something else")]
    Busy,
    #[error("it is another participant's turn")]
    NotYourTurn,
    #[error("a velocity that is more than can be moved")]
    Overspeed,
}

impl Refusal {
    /// When the same may succeed, of what was refused for want of time or means; such a refusal is no answer for good.
    pub const fn until(self) -> Option<Millis> {
        match self {
            Self::Cooldown { until }
            | Self::Stamina { until }
            | Self::RateLimited { until }
            | Self::NotEnough { until, .. }
            | Self::Reloading { until } => Some(until),
            _ => None,
        }
    }
}
