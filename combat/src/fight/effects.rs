//! Status effects at work: how they come, stack, tick, react and end.

use super::{Eliminated, Fight};
use crate::ruleset::Activity;
use crate::ruleset::{Ability, AbilityKind, Effect, EffectId, Element, Modifiers, Op, Stacking};
use crate::status::Active;
use crate::{ActionKind, Event, Fields, Millis, Ruleset, Slot, Step};

/// Most effects on one participant: what is in every snapshot has a bound.
const MOST_EFFECTS: usize = 16;

/// What damage of an element makes of an effect of another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Met {
    pub percent: u32,
    /// The effect that is used up by it.
    pub consumed: Option<EffectId>,
}

impl Fight {
    /// Puts an effect on `to`; `ms` 0 for the effect's own duration, [`Millis::MAX`] for the whole round.
    pub(super) fn affect(
        &mut self,
        ruleset: &Ruleset,
        by: Slot,
        to: Slot,
        effect: EffectId,
        ms: Millis,
        step: &mut Step,
    ) {
        let (kind, now) = (ruleset.effect(effect), self.clock.now);
        let until = match ms {
            0 => now + u64::from(kind.ms),
            ms => now.saturating_add(ms),
        };
        if until <= now || self.participants[to].status == Eliminated {
            return;
        }
        let ticks = kind.tick_ms > 0 && (kind.tick_damage > 0 || kind.tick_heal > 0);
        let next_tick = if ticks { now + u64::from(kind.tick_ms) } else { Millis::MAX };
        let absorbs = percent_of(self.most_health(ruleset, to), kind.absorbs_percent);
        let fresh = Active { effect, by, stacks: 1, absorbs, until, next_tick };
        let Some(stacks) = self.stack(ruleset, to, kind, fresh, step) else { return };
        step.touch(to, Fields::EFFECTS);
        // What lasts the whole round is no happening: everybody who has it has it from the start.
        if until < Millis::MAX {
            step.note(Event::Affected { by, to, effect, stacks });
        }
        self.settle(ruleset, to, step);
        self.wake(until.min(next_tick));
        if kind.stuns {
            self.do_activity(ruleset, to, Activity::Stun, step);
        }
        self.silence_cast(ruleset, to, step);
    }

    /// Puts it with those of the same kind; how many stacks that makes, or `None` where nothing has changed.
    fn stack(&mut self, ruleset: &Ruleset, to: Slot, kind: &Effect, fresh: Active, step: &mut Step) -> Option<u8> {
        let effects = &mut self.participants[to].effects;
        let most = kind.stacks.max(1);
        let copies = effects.iter().filter(|old| old.effect == fresh.effect).count();
        let first = effects.iter().position(|old| old.effect == fresh.effect);
        match (kind.stacking, first) {
            (Stacking::None, Some(_)) => return None,
            (Stacking::Refresh, Some(at)) => {
                let old = &mut effects[at];
                old.until = old.until.max(fresh.until);
                old.absorbs = old.absorbs.max(fresh.absorbs);
                return Some(old.stacks);
            }
            (Stacking::Intensify, Some(at)) => {
                let old = &mut effects[at];
                old.stacks = old.stacks.saturating_add(1).min(most);
                old.until = fresh.until;
                old.absorbs = fresh.absorbs.saturating_mul(u32::from(old.stacks));
                return Some(old.stacks);
            }
            (Stacking::Replace, Some(at)) => {
                effects.remove(at);
            }
            (Stacking::Separate, Some(at)) if copies >= usize::from(most) => {
                effects.remove(at);
            }
            _ => {}
        }
        if effects.len() >= MOST_EFFECTS {
            // The oldest goes, of those that would have gone anyway.
            let oldest = effects.iter().position(|old| old.until < Millis::MAX).unwrap_or(0);
            self.remove_effect(ruleset, to, oldest, step);
        }
        self.participants[to].effects.push(fresh);
        Some(1)
    }

    /// The soonest of the participant's effects ticks or ends; at the same time it ticks first.
    pub(super) fn effect_due(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let now = self.clock.now;
        let effects = &mut self.participants[slot].effects;
        let Some(at) = effects.iter().position(|effect| effect.next_tick.min(effect.until) <= now) else { return };
        let due = &mut effects[at];
        let kind = &ruleset.effects[usize::from(due.effect)];
        if due.next_tick > due.until.min(now) {
            let (by, then) = (due.by, kind.then);
            self.remove_effect(ruleset, slot, at, step);
            if let Some(then) = then {
                self.affect(ruleset, by, slot, then, 0, step);
            }
            return;
        }
        due.next_tick += u64::from(kind.tick_ms.max(1));
        let (Active { effect, by, stacks, .. }, hurts, heals) = (*due, kind.tick_damage, kind.tick_heal);
        if heals > 0 {
            self.heal(ruleset, by, slot, u64::from(heals) * u64::from(stacks), step);
        }
        if hurts > 0 {
            self.suffer(ruleset, by, slot, effect, hurts.saturating_mul(u32::from(stacks)), step);
        }
    }

    fn remove_effect(&mut self, ruleset: &Ruleset, slot: Slot, at: usize, step: &mut Step) {
        let gone = self.participants[slot].effects.remove(at).effect;
        step.touch(slot, Fields::EFFECTS);
        step.note(Event::Faded { to: slot, effect: gone });
        self.settle(ruleset, slot, step);
        if ruleset.effect(gone).stuns && !self.is_stunned(ruleset, slot) {
            self.do_activity(ruleset, slot, Activity::Recovered, step);
        }
    }

    /// The oldest effect of this kind ends before its time.
    pub(super) fn end_effect(&mut self, ruleset: &Ruleset, slot: Slot, effect: EffectId, step: &mut Step) {
        let effects = &self.participants[slot].effects;
        if let Some(at) = effects.iter().position(|active| active.effect == effect) {
            self.remove_effect(ruleset, slot, at, step);
        }
    }

    fn end_effects(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step, ends: impl Fn(&Self, &Active) -> bool) {
        let mut at = 0;
        while let Some(&active) = self.participants[slot].effects.get(at) {
            if ends(self, &active) {
                self.remove_effect(ruleset, slot, at, step);
            } else {
                at += 1;
            }
        }
    }

    /// Effects that the first damage ends, and those that have absorbed all they can.
    pub(super) fn end_fragile(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        self.end_effects(ruleset, slot, step, |_, active| {
            let kind = ruleset.effect(active.effect);
            kind.fragile || (kind.absorbs_percent > 0 && active.absorbs == 0)
        });
    }

    /// Effects that foes have put there.
    pub(super) fn cleanse(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        self.end_effects(ruleset, slot, step, |fight, active| {
            let team = |slot: Slot| fight.participants.get(slot).map(|p| p.team);
            team(active.by) != team(slot)
        });
    }

    /// All effects end, as its bearer is out.
    pub(super) fn clear_effects(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let effects = &mut self.participants[slot].effects;
        if !effects.is_empty() {
            effects.clear();
            step.touch(slot, Fields::EFFECTS);
            self.settle(ruleset, slot, step);
        }
    }

    /// Takes from `damage` what effects absorb, the oldest first; what is left of it.
    pub(super) fn absorb(&mut self, slot: Slot, damage: u32) -> u32 {
        let mut left = damage;
        for active in &mut self.participants[slot].effects {
            let taken = left.min(active.absorbs);
            active.absorbs -= taken;
            left -= taken;
        }
        left
    }

    /// What an element meets on `slot`: the first reaction of the ruleset that there is an effect for.
    pub(super) fn reaction(&self, ruleset: &Ruleset, slot: Slot, element: Element) -> Option<Met> {
        let effects = &self.participants[slot].effects;
        ruleset.reactions.iter().filter(|reaction| reaction.damage == element).find_map(|reaction| {
            let meets = |active: &&Active| ruleset.effect(active.effect).element == Some(reaction.effect);
            let met = effects.iter().find(meets)?;
            Some(Met { percent: reaction.percent, consumed: reaction.consumes.then_some(met.effect) })
        })
    }

    pub(super) fn is_stunned(&self, ruleset: &Ruleset, slot: Slot) -> bool {
        let p = &self.participants[slot];
        p.effects.iter().any(|effect| ruleset.effect(effect.effect).stuns)
    }

    /// Whether an effect, or a modifier of the round, forbids this.
    pub(super) fn is_denied(&self, ruleset: &Ruleset, slot: Slot, kind: ActionKind) -> bool {
        let effects = self.participants[slot].effects.iter().map(|active| active.effect);
        effects.chain(self.field.modifiers.iter().copied()).any(|effect| ruleset.effect(effect).denies.has(kind))
    }

    /// All that effects and the modifiers of the round change, added up.
    pub(super) fn modifiers(&self, ruleset: &Ruleset, slot: Slot) -> Modifiers {
        let mut sum = Modifiers::default();
        let effects = self.participants[slot].effects.iter().map(|active| (active.effect, active.stacks));
        for (effect, stacks) in effects.chain(self.field.modifiers.iter().map(|&effect| (effect, 1))) {
            let (one, stacks) = (&ruleset.effect(effect).modifiers, i32::from(stacks));
            let add = |sum: &mut i32, one: i32| *sum = sum.saturating_add(one.saturating_mul(stacks));
            add(&mut sum.damage_dealt, one.damage_dealt);
            add(&mut sum.damage_taken, one.damage_taken);
            add(&mut sum.rage, one.rage);
            add(&mut sum.speed, one.speed);
            add(&mut sum.accuracy, one.accuracy);
            add(&mut sum.armor, one.armor);
            add(&mut sum.healing, one.healing);
            add(&mut sum.regeneration, one.regeneration);
        }
        sum
    }

    /// Lets stamina and energy grow as fast as effects want it from now on.
    pub(super) fn settle(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let (now, regeneration) = (self.clock.now, self.modifiers(ruleset, slot).regeneration);
        let rules = &self.rules;
        let p = &mut self.participants[slot];
        let pools = [
            (&mut p.stamina, rules.stamina, rules.stamina_per_second, Fields::STAMINA),
            (&mut p.energy, rules.energy, rules.energy_per_second, Fields::ENERGY),
        ];
        for (pool, most, per_second, field) in pools {
            let per_second = changed(per_second, regeneration);
            if pool.per_second != per_second {
                pool.milli = pool.milli_at(now, most);
                pool.at = now;
                pool.per_second = per_second;
                step.touch(slot, field);
            }
        }
    }

    /// What one has all the time, from the beginning of a round to its end: passive abilities, and what an enemy comes with.
    pub(super) fn give_passives(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let enemy = self.participants[slot].enemy;
        if let Some(enemy) = enemy {
            for &effect in &ruleset.enemy(enemy.kind).passives {
                self.affect(ruleset, slot, slot, effect, Millis::MAX, step);
            }
        } else {
            let passive = |ability: &&Ability| ability.kind == AbilityKind::Passive;
            for op in
                ruleset.abilities[..usize::from(ruleset.kit)].iter().filter(passive).flat_map(|ability| &ability.does)
            {
                if let Op::Apply { effect, .. } | Op::Gain { effect, .. } = *op {
                    self.affect(ruleset, slot, slot, effect, Millis::MAX, step);
                }
            }
        }
        // Modifiers of the round may have changed as well.
        self.settle(ruleset, slot, step);
    }
}

/// `base` with so many percent more, or less; never below nothing.
pub(super) fn changed(base: u32, percent: i32) -> u32 {
    if percent == 0 {
        return base;
    }
    let factor = (100 + i64::from(percent)).max(0);
    u32::try_from(i64::from(base) * factor / 100).unwrap_or(u32::MAX)
}

/// So many percent of `whole`.
pub(super) fn percent_of(whole: u32, percent: u32) -> u32 {
    u32::try_from(u64::from(whole) * u64::from(percent) / 100).unwrap_or(u32::MAX)
}
