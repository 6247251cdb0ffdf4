//! The server's enemies: waves of them, and what each decides.

use serde::{Deserialize, Serialize};

use super::Fight;
use crate::geometry::Point;
use crate::ruleset::EnemyId;
use crate::{Millis, Slot, Step};

/// The enemies' team; the players are team 0.
pub(super) const TEAM: u8 = 1;

/// Which waves have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Waves {
    /// Waves that have come.
    pub(super) come: u8,
    /// When the next comes; [`Millis::MAX`] while there is one to beat, or none left.
    pub(super) due: Millis,
}

impl Default for Waves {
    fn default() -> Self {
        Self { come: 0, due: Millis::MAX }
    }
}

impl Waves {
    /// Waves that have come.
    pub fn come(&self) -> u8 {
        self.come
    }

    pub(super) fn due(&self) -> Millis {
        self.due
    }
}

impl Fight {
    /// The first wave is on its way.
    pub(super) fn begin_waves(&mut self) {}

    /// The next wave comes.
    pub(super) fn wave_due(&mut self, _step: &mut Step) {}

    /// No enemy of the wave stands any more: the next is set on its way. Whether there is none left, so that the players
    /// have won.
    pub(super) fn wave_cleared(&mut self) -> bool {
        true
    }

    /// A new enemy beside `near`.
    pub(super) fn spawn(&mut self, _enemy: EnemyId, _near: Point, _step: &mut Step) {}

    /// An enemy has been eliminated: its last words.
    pub(super) fn enemy_fell(&mut self, _slot: Slot, _step: &mut Step) {}

    /// An enemy decides what to do.
    pub(super) fn think(&mut self, _slot: Slot, _step: &mut Step) {}
}
