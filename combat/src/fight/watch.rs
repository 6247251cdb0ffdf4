//! Fair play: what is noticed about how participants act.

use super::Fight;
use crate::fair_play::Flag;
use crate::{Action, Millis, Refusal, Slot, Step};

impl Fight {
    /// A participant has acted, or tried to.
    pub(super) fn watch(&mut self, slot: Slot, _action: Action, _done: Result<(), Refusal>, _step: &mut Step) {
        let now = self.clock.now;
        let conduct = &mut self.participants[usize::from(slot)].conduct;
        conduct.acted_at = now;
        conduct.away = false;
    }

    /// When the participant will have been away for so long that it is flagged.
    pub(super) fn away_at(&self, slot: Slot) -> Millis {
        let conduct = &self.participants[usize::from(slot)].conduct;
        if self.rules.afk_ms == 0 || conduct.away {
            return Millis::MAX;
        }
        conduct.acted_at + u64::from(self.rules.afk_ms)
    }

    pub(super) fn note_away(&mut self, slot: Slot, step: &mut Step) {
        self.participants[usize::from(slot)].conduct.away = true;
        step.flag(slot, Flag::Away);
    }
}
