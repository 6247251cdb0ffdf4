//! Where the player itself is drawn: where the server has it, and on from there by the steps that it has said and the server has neither
//! shown nor refused. Steps and not places, as a place is only good from where it was said: who is thrown back or dashes on meanwhile goes
//! on from there. What the server has applied is told by the id that comes with every state.

use std::collections::VecDeque;

use tiltyard_protocol::view::ParticipantView;
use tiltyard_protocol::{Act, ActionKind};

use crate::Pose;

/// Moves that are remembered: to where one stands there may be more than the server ever shows.
const MOVES: usize = 256;

/// The moves of a player that its view does not show yet, the last one first. Usable without the rest of this crate.
#[derive(Debug, Clone, Default)]
pub struct Predictor {
    steps: VecDeque<Step>,
}

#[derive(Debug, Clone, Copy)]
struct Step {
    id: u64,
    dx: f64,
    dy: f64,
    f: Option<u16>,
}

impl Predictor {
    /// The move `id` says that the player is at a place, the server having it as `shown`; of anything else there is nothing to draw ahead.
    pub fn claim(&mut self, id: u64, act: &Act, shown: &ParticipantView) {
        if let (ActionKind::Move, Some(x), Some(y)) = (act.kind, act.x, act.y) {
            let from = self.place(shown);
            self.steps.truncate(MOVES - 1);
            self.steps.push_front(Step {
                id,
                dx: f64::from(x) - from.x,
                dy: f64::from(y) - from.y,
                f: act.f.map(u16::from),
            });
        }
    }

    /// The state that is shown has everything up to `id`.
    pub fn applied(&mut self, id: u64) {
        self.steps.retain(|step| step.id > id);
    }

    /// The move `id` did not happen.
    pub fn refused(&mut self, id: u64) {
        self.steps.retain(|step| step.id != id);
    }

    /// Forgets all that is not shown.
    pub fn reset(&mut self) {
        self.steps.clear();
    }

    /// Where the player is and looks, the server having it as `shown`.
    #[must_use]
    pub fn place(&self, shown: &ParticipantView) -> Pose {
        let (x, y) = (f64::from(shown.x), f64::from(shown.y));
        let (x, y) = self.steps.iter().fold((x, y), |(x, y), step| (x + step.dx, y + step.dy));
        // A move that says nothing of it leaves the player looking where it looked.
        let f = self.steps.iter().find_map(|step| step.f).unwrap_or(shown.f);
        Pose { x, y, f: f.into() }
    }
}
