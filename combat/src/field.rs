//! The environment as it is: what still stands of it, and what rules it this round.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::Millis;
use crate::digest::form;
use crate::ruleset::{EffectId, Environment};

/// The environment's state. Empty lists for an environment without covers and hazards: an open field costs nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Health left of each cover that can be destroyed; of one that cannot, what the ruleset says: 0.
    pub(crate) covers: SmallVec<[u32; 0]>,
    pub(crate) hazards: SmallVec<[HazardState; 0]>,
    /// The modifiers of this round.
    pub(crate) modifiers: SmallVec<[EffectId; 8]>,
}

/// A hazard as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HazardState {
    /// Health left, where it can be set off.
    pub(crate) health: u32,
    /// Gone: it went off.
    pub(crate) gone: bool,
    /// When it reaches those within the next time; [`Millis::MAX`] for never.
    pub(crate) next: Millis,
}

form!(Field: covers, hazards, modifiers);
form!(HazardState: health, gone, next);

impl Field {
    /// A whole one, at `now`.
    pub(crate) fn new(environment: &Environment, now: Millis) -> Self {
        let hazard = |hazard: &crate::ruleset::Hazard| HazardState {
            health: hazard.health,
            gone: false,
            next: if hazard.every_ms == 0 { Millis::MAX } else { now + u64::from(hazard.every_ms) },
        };
        Self {
            covers: environment.covers.iter().map(|cover| cover.health).collect(),
            hazards: environment.hazards.iter().map(hazard).collect(),
            modifiers: SmallVec::new(),
        }
    }

    /// Health left of each cover, in the ruleset's order; 0 is destroyed, or cannot be.
    pub fn covers(&self) -> &[u32] {
        &self.covers
    }

    /// Each hazard, in the ruleset's order.
    pub fn hazards(&self) -> &[HazardState] {
        &self.hazards
    }

    /// The modifiers of this round.
    pub fn modifiers(&self) -> &[EffectId] {
        &self.modifiers
    }
}

impl HazardState {
    pub fn health(&self) -> u32 {
        self.health
    }

    /// Whether it has gone off.
    pub fn is_gone(&self) -> bool {
        self.gone
    }
}
