//! Casts: what takes its time before it does what it does, and what breaks it.

use super::Fight;
use crate::ruleset::{Ability, AbilityId, AbilityKind, Activity};
use crate::status::Cast;
use crate::{ActionKind, Event, Fields, Ruleset, Slot, Step, Target};

impl Fight {
    pub(super) fn begin_cast(
        &mut self,
        ruleset: &Ruleset,
        by: Slot,
        id: AbilityId,
        ability: &Ability,
        aim: Target,
        step: &mut Step,
    ) {
        self.break_cast(ruleset, by, step);
        let now = self.clock.now;
        let until = now + u64::from(ability.cast_ms);
        let next = if ability.every_ms == 0 { until } else { until.min(now + u64::from(ability.every_ms)) };
        self.participants[by].cast = Some(Cast { ability: id, aim, until, next, hurt: 0 });
        step.touch(by, Fields::CAST);
        step.note(Event::Casting { by, ability: id, until });
        let begins = if ability.channel { Activity::Channel } else { Activity::Cast };
        self.do_activity(ruleset, by, begins, step);
        self.wake(next);
    }

    /// A cast does what it does, and is over or goes on.
    pub(super) fn cast_due(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let Some(cast) = self.participants[slot].cast else { return };
        let Some(ability) = ruleset.ability(cast.ability) else { return };
        let (begun, every) = (cast.until - u64::from(ability.cast_ms), u64::from(ability.every_ms));
        // The end of a channel that is no multiple of its beat is only an end.
        if every == 0 || (cast.next - begun).is_multiple_of(every) {
            match self.reach(ruleset, slot, ability, cast.aim) {
                Ok(reach) => self.carry_out(ruleset, slot, cast.ability, ability, &reach, step),
                // The target is gone.
                Err(_) => return self.break_cast(ruleset, slot, step),
            }
        }
        let Some(going_on) = self.participants[slot].cast.as_mut() else { return };
        if cast.next < cast.until {
            going_on.next = cast.until.min(cast.next + every.max(1));
        } else {
            self.participants[slot].cast = None;
            step.touch(slot, Fields::CAST);
            self.do_activity(ruleset, slot, Activity::Done, step);
        }
    }

    /// What is being cast comes to nothing.
    pub(super) fn break_cast(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        if let Some(cast) = self.participants[slot].cast.take() {
            step.touch(slot, Fields::CAST);
            step.note(Event::Broken { by: slot, ability: cast.ability });
            self.do_activity(ruleset, slot, Activity::Broken, step);
        }
    }

    /// Damage breaks the casts that cannot bear so much.
    pub(super) fn disturb_cast(&mut self, ruleset: &Ruleset, slot: Slot, damage: u32, step: &mut Step) {
        let Some(cast) = &mut self.participants[slot].cast else { return };
        cast.hurt = cast.hurt.saturating_add(damage);
        let (id, hurt) = (cast.ability, cast.hurt);
        let bears = ruleset.ability(id).and_then(|ability| ability.broken_by);
        if bears.is_some_and(|bears| hurt > bears) {
            self.break_cast(ruleset, slot, step);
        }
    }

    /// What is being cast is broken off where an effect forbids to use its like.
    pub(super) fn silence_cast(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let Some(cast) = self.participants[slot].cast else { return };
        let item = ruleset.ability(cast.ability).is_some_and(|ability| ability.kind == AbilityKind::Item);
        if self.is_denied(ruleset, slot, if item { ActionKind::ItemUse } else { ActionKind::Ability }) {
            self.break_cast(ruleset, slot, step);
        }
    }
}
