//! The combat engine: a fight as a pure state machine. No clock, no I/O, no runtime, no float, no hash map.
//!
//! A [`Fight`] is given a [`Ruleset`], session time in milliseconds, a seed and inputs; it answers each input and notes in a
//! [`Step`] what changed. The same ruleset, seed and inputs give the same state and the same [`Fight::state_digest`], on
//! every machine and build, so that the log of inputs is the fight.
//!
//! In reading order: [`ruleset`] the rules as data, [`load`] a file to a ruleset, [`lifecycle`] the course of a fight, [`participant`] one seat with its [`motion`], its budgets
//! and its last [`answers`], [`fight`] inputs to changes, [`step`] what an input changed, [`bout`] a fight under its ruleset to look at, [`audience`] who may see what of it, [`digest`] the state in one
//! number, [`replay`] a fight as a file, [`playback`] one that is fought again, [`compare`] two rulesets by name.

pub mod action;
pub mod answers;
pub mod audience;
pub mod bout;
mod budget;
mod chance;
pub mod compare;
pub mod digest;
pub mod fair_play;
pub mod field;
pub mod fight;
pub mod geometry;
#[cfg(test)]
mod golden;
pub mod lifecycle;
pub mod load;
pub mod motion;
pub mod participant;
pub mod playback;
pub mod replay;
pub mod ruleset;
pub mod setup;
mod slots;
pub mod status;
pub mod step;

pub use action::{Action, ActionKind, ActionSet, Arrival, BodyPart, Input, Parting, Refusal, Target, Thing};
pub use answers::{Answer, Remembered};
pub use audience::{Audience, Cut, Named, Patch};
pub use bout::Bout;
pub use fair_play::Flag;
pub use fight::Fight;
pub use geometry::Point;
pub use lifecycle::{EndReason, Lifecycle, PhaseName, SessionStatus};
pub use motion::Velocity;
pub use participant::{Participant, ParticipantStatus};
pub use replay::Replay;
pub use ruleset::{RuleError, Rules, Ruleset};
pub use setup::{Difficulty, Mode, Setup};
pub use step::{Event, Fields, Step};

/// A player's id: the 128 bits of a uuid.
pub type PlayerId = u128;

/// A seat of a fight, from 0; the server's enemies come after the seats.
pub type Slot = u8;

/// Session time: milliseconds since the session was created, as its host counts them.
pub type Millis = u64;
