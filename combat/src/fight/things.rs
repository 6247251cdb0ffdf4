//! The environment: covers that are shot to pieces, hazards, and the modifiers of a round.

use super::Fight;
use crate::{Refusal, Slot, Step, Thing};

impl Fight {
    /// A round begins: its modifiers are drawn.
    pub(super) fn begin_round(&mut self, _step: &mut Step) {}

    /// Everything about the environment is shown anew.
    pub(super) fn show_field(&mut self, _step: &mut Step) {}

    /// An attack on a cover or a hazard.
    pub(super) fn strike(&mut self, _by: Slot, _thing: Thing, _step: &mut Step) -> Result<(), Refusal> {
        Err(Refusal::Unavailable)
    }

    /// A hazard reaches those within.
    pub(super) fn hazard_due(&mut self, _hazard: u8, _step: &mut Step) {}
}
