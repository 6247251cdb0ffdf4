//! Fair play: what is noticed about how participants act. Nobody is stopped for it.

use super::Fight;
use crate::fair_play::Flag;
use crate::{Action, Millis, Refusal, Slot, Step};

impl Fight {
    /// A participant has acted, or tried to.
    pub(super) fn watch(&mut self, slot: Slot, action: Action, done: Result<(), Refusal>, step: &mut Step) {
        let (now, regular_ms, afk_ms) = (self.clock.now, self.rules.regular_ms, u64::from(self.rules.afk_ms));
        let conduct = &mut self.participants[slot].conduct;
        conduct.acted_at = now;
        let attacks = matches!(action, Action::Attack { .. } | Action::Break { .. });
        let aims = attacks || matches!(action, Action::Use { .. });
        let flag = match done {
            Ok(()) => {
                let was_away = std::mem::take(&mut conduct.away);
                if attacks {
                    conduct.attacked();
                }
                if aims {
                    conduct.aimed();
                }
                // Not of moves: a fair client tells its place by a clock.
                let moves = matches!(action, Action::Move { .. } | Action::Walk { .. });
                let regular = regular_ms > 0 && !moves && conduct.is_regular(now, regular_ms);
                if was_away {
                    self.wake(now + afk_ms);
                }
                regular.then_some(Flag::Regular)
            }
            Err(Refusal::TooFast | Refusal::Overspeed | Refusal::OutOfBounds) => Some(Flag::Speed),
            Err(Refusal::Cooldown { .. }) if attacks => conduct.too_soon().then_some(Flag::Interval),
            Err(Refusal::OutOfRange | Refusal::NoSight) if aims => conduct.missed_aim().then_some(Flag::Aim),
            Err(_) => None,
        };
        if let Some(flag) = flag {
            self.flag(slot, flag, step);
        }
    }

    /// Raises a flag, unless it was raised of this participant a moment ago.
    pub(super) fn flag(&mut self, slot: Slot, flag: Flag, step: &mut Step) {
        if self.participants[slot].conduct.raise(flag, self.clock.now) {
            step.flag(slot, flag);
        }
    }

    /// When the participant will have been away for so long that it is flagged: since it acted, or since the fight went
    /// on. Never where one acts after the other: there one has to wait, and a turn passes by itself.
    pub(super) fn away_at(&self, slot: Slot) -> Millis {
        let p = &self.participants[slot];
        if self.rules.afk_ms == 0 || p.conduct.away || self.turn.is_some() {
            return Millis::MAX;
        }
        let since = self.lifecycle.active_since().map_or(p.conduct.acted_at, |since| since.max(p.conduct.acted_at));
        (since + u64::from(self.rules.afk_ms)).max(p.conduct.quiet_until(Flag::Away))
    }

    pub(super) fn note_away(&mut self, slot: Slot, step: &mut Step) {
        self.participants[slot].conduct.away = true;
        self.flag(slot, Flag::Away, step);
    }
}
