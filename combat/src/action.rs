//! What a fight can be given, and why it may refuse it.

use serde::{Deserialize, Serialize};
use thiserror::Error;

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
    /// A participant has none any more.
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
}

/// What a participant can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Action {
    Attack {
        target: Option<Slot>,
    },
    Defend,
    /// An action the ruleset does not have.
    Unavailable,
}

/// Why an input was refused. Nothing but the memory of the answer has changed.
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
}
