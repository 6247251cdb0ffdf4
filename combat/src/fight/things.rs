//! The environment: covers that are shot to pieces, hazards, and the modifiers of a round.

use smallvec::SmallVec;
use std::collections::VecDeque;

use super::harm::{Blow, Source};
use super::{Eliminated, Fight};
use crate::chance::below;
use crate::ruleset::EffectId;
use crate::{Event, Millis, Refusal, Ruleset, Slot, Step, Thing};

impl Fight {
    /// A round begins: its modifiers are drawn, and hazards count from now.
    pub(super) fn begin_round(&mut self, ruleset: &Ruleset, step: &mut Step) {
        let now = self.clock.now;
        let mut soonest = Millis::MAX;
        for (state, hazard) in self.field.hazards.iter_mut().zip(&ruleset.environment.hazards) {
            if hazard.every_ms > 0 && !state.gone {
                state.next = now + u64::from(hazard.every_ms);
                soonest = soonest.min(state.next);
            }
        }
        self.wake(soonest);
        if self.field.modifiers.is_empty() {
            self.draw_modifiers(&ruleset.modifiers, step);
        }
        for slot in self.slots() {
            self.give_passives(ruleset, slot, step);
        }
    }

    /// As many as the rules have at a time, none of them twice.
    fn draw_modifiers(&mut self, all: &[EffectId], step: &mut Step) {
        let mut left: SmallVec<[EffectId; 16]> = all.iter().copied().collect();
        for _ in 0..self.rules.modifiers {
            let Some(most) = u32::try_from(left.len()).ok().filter(|&most| most > 0) else { break };
            let drawn = below(&mut self.rng, most) as usize;
            self.field.modifiers.push(left.remove(drawn));
            step.modifiers();
        }
    }

    /// Everything about the environment is shown anew.
    pub(super) fn show_field(&mut self, step: &mut Step) {
        let things = |count: usize| 0..u8::try_from(count).unwrap_or(u8::MAX);
        for cover in things(self.field.covers.len()) {
            step.touch_thing(Thing::Cover(cover));
        }
        for hazard in things(self.field.hazards.len()) {
            step.touch_thing(Thing::Hazard(hazard));
        }
        step.modifiers();
    }

    /// An attack on a cover or a hazard: what it takes from a participant without armor, and neither misses nor crits.
    pub(super) fn strike(&mut self, ruleset: &Ruleset, by: Slot, thing: Thing, step: &mut Step) -> Result<(), Refusal> {
        let from = self.participants[by].at;
        let (left, at) = match thing {
            Thing::Cover(id) => {
                let cover = ruleset.environment.covers.get(usize::from(id)).ok_or(Refusal::NoSuchTarget)?;
                (self.field.covers.get(usize::from(id)).copied(), cover.area().clamp(from))
            }
            Thing::Hazard(id) => {
                let hazard = ruleset.environment.hazards.get(usize::from(id)).ok_or(Refusal::NoSuchTarget)?;
                (self.field.hazards.get(usize::from(id)).map(|state| state.health), hazard.at)
            }
        };
        // Of what is gone nothing is left, and of what nothing can destroy neither.
        let left = left.filter(|&left| left > 0).ok_or(Refusal::InvalidTarget)?;
        self.expect_loaded(by)?;
        self.expect_in_reach(ruleset, from, at, self.weapon_range(ruleset, by), true)?;
        self.pull_trigger(ruleset, by, step);
        self.begin_deed(by);
        let damage = self.draw_damage(ruleset, by, &mut self.dice(by, 0, by)).min(left);
        step.note(Event::Struck { by, thing, damage });
        self.wear(ruleset, by, thing, damage, step);
        Ok(())
    }

    /// Takes from a cover or a hazard; at nothing left it is destroyed, and a hazard goes off.
    fn wear(&mut self, ruleset: &Ruleset, by: Slot, thing: Thing, damage: u32, step: &mut Step) {
        match thing {
            Thing::Cover(id) => {
                let Some(left) = self.field.covers.get_mut(usize::from(id)) else { return };
                *left = left.saturating_sub(damage);
                step.touch_thing(thing);
                if *left == 0 {
                    step.note(Event::Destroyed { by, thing });
                    self.look_around(ruleset, step);
                }
            }
            Thing::Hazard(id) => {
                if self.wear_hazard(id, damage, step) {
                    self.set_off(ruleset, by, id, step);
                }
            }
        }
    }

    /// Whether nothing is left of it now.
    fn wear_hazard(&mut self, id: u8, damage: u32, step: &mut Step) -> bool {
        let Some(hazard) = self.field.hazards.get_mut(usize::from(id)) else { return false };
        if hazard.gone || hazard.health == 0 || damage == 0 {
            return false;
        }
        hazard.health = hazard.health.saturating_sub(damage);
        step.touch_thing(Thing::Hazard(id));
        hazard.health == 0
    }

    /// A hazard goes off, and what stands near goes off with it: each once, so it ends.
    fn set_off(&mut self, ruleset: &Ruleset, by: Slot, first: u8, step: &mut Step) {
        let hazards = &ruleset.environment.hazards;
        let mut burning = VecDeque::from([first]);
        while let Some(id) = burning.pop_front() {
            let (hazard, state) = (&hazards[usize::from(id)], &mut self.field.hazards[usize::from(id)]);
            (state.gone, state.next) = (true, Millis::MAX);
            step.note(Event::Destroyed { by, thing: Thing::Hazard(id) });
            self.burn_within(ruleset, id, true, step);
            for (other, near) in (0_u8..).zip(hazards) {
                let reached = hazard.radius_cm == 0 || hazard.at.within(near.at, hazard.radius_cm);
                let walled = self.wall_between(ruleset, hazard.at, near.at);
                if reached && !walled && self.wear_hazard(other, hazard.damage, step) {
                    burning.push_back(other);
                }
            }
        }
    }

    /// A hazard reaches those within.
    pub(super) fn hazard_due(&mut self, ruleset: &Ruleset, id: u8, step: &mut Step) {
        let every_ms = ruleset.environment.hazards[usize::from(id)].every_ms;
        let state = &mut self.field.hazards[usize::from(id)];
        state.next = if every_ms == 0 { Millis::MAX } else { state.next.saturating_add(u64::from(every_ms)) };
        let next = state.next;
        self.wake(next);
        self.burn_within(ruleset, id, false, step);
    }

    /// Hurts all within, friend or foe, without anybody's merit. Walls keep the blast of one that goes off away.
    fn burn_within(&mut self, ruleset: &Ruleset, id: u8, blast: bool, step: &mut Step) {
        let hazard = &ruleset.environment.hazards[usize::from(id)];
        let within = |&slot: &Slot| {
            let p = &self.participants[slot];
            let reached = hazard.radius_cm == 0
                || hazard.at.within(p.at, hazard.radius_cm) && !(blast && self.wall_between(ruleset, hazard.at, p.at));
            p.status != Eliminated && reached
        };
        let burned: SmallVec<[Slot; 8]> = self.slots().filter(within).collect();
        for to in burned {
            if hazard.damage > 0 {
                let (element, source) = (hazard.element, Source::Hazard(id));
                let blow = Blow { source, to, base: hazard.damage, part: 100, critical: false, cover: 100, element };
                self.hit(ruleset, blow, step);
            }
            let stands = self.participants[to].status != Eliminated;
            if let Some(effect) = hazard.effect.filter(|_| stands && self.lifecycle.is_fighting()) {
                self.affect(ruleset, to, to, effect, 0, step);
            }
        }
    }
}
