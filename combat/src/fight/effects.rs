//! Status effects at work: how they come, stack, tick, react and end.

use super::Fight;
use crate::ruleset::EffectId;
use crate::{Millis, Slot, Step};

impl Fight {
    /// Puts an effect on `to`; `ms` 0 for the effect's own duration, [`Millis::MAX`] for the whole round.
    pub(super) fn affect(&mut self, _by: Slot, _to: Slot, _effect: EffectId, _ms: Millis, _step: &mut Step) {}

    /// The soonest of the participant's effects ticks or ends.
    pub(super) fn effect_due(&mut self, _slot: Slot, _step: &mut Step) {}

    pub(super) fn is_stunned(&self, slot: Slot) -> bool {
        let p = &self.participants[usize::from(slot)];
        p.effects.iter().any(|effect| self.ruleset.effect(effect.effect).stuns)
    }

    pub(super) fn clear_effects(&mut self, _slot: Slot, _step: &mut Step) {}
}
