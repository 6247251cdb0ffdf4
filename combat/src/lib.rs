//! The combat engine: a fight as a pure state machine. No clock, no I/O, no runtime, no float, no hash map.
//!
//! A [`Fight`] is given session time in milliseconds, a seed and inputs; it answers each input and notes in a [`Step`]
//! what changed. The same seed and inputs give the same state and the same [`Fight::state_digest`], on every machine
//! and build, so that the log of inputs is the fight.
//!
//! In reading order: [`rules`] the numbers, [`lifecycle`] the course of a fight, [`participant`] one seat, [`fight`] inputs
//! to changes, [`step`] what an input changed, [`digest`] the state in one number.

pub mod action;
pub mod answers;
pub mod digest;
pub mod fight;
pub mod lifecycle;
pub mod participant;
pub mod rules;
pub mod step;

pub use action::{Action, Input, Refusal};
pub use answers::{Answer, Remembered};
pub use fight::Fight;
pub use lifecycle::{EndReason, Lifecycle, PhaseName, SessionStatus};
pub use participant::{Participant, ParticipantStatus};
pub use rules::{RuleError, Rules};
pub use step::{Event, Fields, Step};

/// A player's id: the 128 bits of a uuid.
pub type PlayerId = u128;

/// A seat of a fight, from 0.
pub type Slot = u8;

/// Session time: milliseconds since the session was created, as its host counts them.
pub type Millis = u64;
