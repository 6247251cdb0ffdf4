//! Where the player itself is drawn: where it said it went, as long as the server has neither shown nor refused that. What the server
//! has applied is told by the id that comes with every state.

use std::collections::VecDeque;

use tiltyard_protocol::view::ParticipantView;
use tiltyard_protocol::{Act, ActionKind};

use crate::Pose;

/// Moves that are remembered: to where one stands there may be more than the server ever shows.
const MOVES: usize = 256;

/// The moves of a player that its view does not show yet, the last one first. Usable without the rest of this crate.
#[derive(Debug, Clone, Default)]
pub struct Predictor {
    moves: VecDeque<(u64, Act)>,
}

impl Predictor {
    /// The move `id` says that the player is at a place; of anything else there is nothing to draw ahead.
    pub fn claim(&mut self, id: u64, act: &Act) {
        if act.kind == ActionKind::Move {
            self.moves.truncate(MOVES - 1);
            self.moves.push_front((id, act.clone()));
        }
    }

    /// The state that is shown has everything up to `id`.
    pub fn applied(&mut self, id: u64) {
        self.moves.retain(|(claimed, _)| *claimed > id);
    }

    /// The move `id` did not happen.
    pub fn refused(&mut self, id: u64) {
        self.moves.retain(|(claimed, _)| *claimed != id);
    }

    /// Forgets all that is not shown.
    pub fn reset(&mut self) {
        self.moves.clear();
    }

    /// Where the player is and looks, the server having it as `shown`.
    #[must_use]
    pub fn place(&self, shown: &ParticipantView) -> Pose {
        let (x, y) = self.moves.iter().find_map(|(_, act)| act.x.zip(act.y)).unwrap_or((shown.x, shown.y));
        // A move that says nothing of it leaves the player looking where it looked.
        let f = self.moves.iter().find_map(|(_, act)| act.f).map_or(shown.f, u16::from);
        Pose { x: x.into(), y: y.into(), f: f.into() }
    }
}
