//! Abilities and items: what they cost, whom they reach, what they do, and casts.

use super::Fight;
use crate::ruleset::AbilityId;
use crate::{Refusal, Slot, Step, Target};

impl Fight {
    pub(super) fn use_ability(
        &mut self,
        _by: Slot,
        _ability: AbilityId,
        _item: bool,
        _aim: Target,
        _step: &mut Step,
    ) -> Result<(), Refusal> {
        Err(Refusal::Unavailable)
    }

    /// A cast does what it does, and is over or goes on.
    pub(super) fn cast_due(&mut self, _slot: Slot, _step: &mut Step) {}

    /// What is being cast comes to nothing.
    pub(super) fn break_cast(&mut self, _slot: Slot, _step: &mut Step) {}
}
