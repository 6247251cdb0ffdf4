//! Abilities and items: what they cost, whom they reach, and what they do.

use smallvec::SmallVec;

use super::effects::percent_of;
use super::harm::{Blow, Source};
use super::{Eliminated, Fight};
use crate::geometry::Point;
use crate::ruleset::{Ability, AbilityId, AbilityKind, Activity, Affects, Op, Resource, Shape};
use crate::status::Used;
use crate::{Event, Fields, Millis, Refusal, Ruleset, Slot, Step, Target};

/// What an ability reaches from where its user stands.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// The nearest first.
    pub targets: SmallVec<[Slot; 8]>,
    /// Where it is aimed at, or the user's own place.
    pub at: Point,
    /// Where it comes from: the middle of an area, the user otherwise.
    pub from: Point,
    /// Whether what stands in between covers.
    pub covered: bool,
}

impl Fight {
    pub(super) fn use_ability(
        &mut self,
        ruleset: &Ruleset,
        by: Slot,
        id: AbilityId,
        item: bool,
        aim: Target,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        let known = self.participants[by].enemy.is_some() || id < ruleset.kit;
        let kind = if item { AbilityKind::Item } else { AbilityKind::Ability };
        let ability =
            ruleset.ability(id).filter(|ability| known && ability.kind == kind).ok_or(Refusal::Unavailable)?;
        self.expect_ready(by, id, ability)?;
        self.expect_paid(by, ability)?;
        let reach = self.reach(ruleset, by, ability, aim)?;
        self.pay(by, ability, step);
        self.mark_used(by, id, ability, step);
        if ability.cast_ms == 0 {
            self.carry_out(ruleset, by, id, ability, &reach, step);
        } else {
            self.begin_cast(ruleset, by, id, ability, aim, step);
        }
        Ok(())
    }

    fn expect_ready(&self, by: Slot, id: AbilityId, ability: &Ability) -> Result<(), Refusal> {
        let used = self.participants[by].used.iter().find(|used| used.ability == id);
        match used {
            Some(used) if ability.uses > 0 && used.times >= ability.uses => Err(Refusal::UsedUp),
            Some(used) if used.ready_at > self.clock.now => Err(Refusal::Cooldown { until: used.ready_at }),
            _ => Ok(()),
        }
    }

    fn mark_used(&mut self, by: Slot, id: AbilityId, ability: &Ability, step: &mut Step) {
        if ability.cooldown_ms == 0 && ability.uses == 0 {
            return;
        }
        let ready_at = self.clock.now + u64::from(ability.cooldown_ms);
        let used = &mut self.participants[by].used;
        match used.iter_mut().find(|used| used.ability == id) {
            Some(used) => (used.times, used.ready_at) = (used.times.saturating_add(1), ready_at),
            None => used.push(Used { ability: id, times: 1, ready_at }),
        }
        step.touch(by, Fields::COOLDOWNS);
    }

    // Costs.

    /// Whether there is enough of everything that it costs.
    fn expect_paid(&self, by: Slot, ability: &Ability) -> Result<(), Refusal> {
        let (now, rules, p) = (self.clock.now, &self.rules, &self.participants[by]);
        for &(of, points) in &ability.cost {
            let never = || Err(Millis::MAX);
            let enough = match of {
                Resource::Stamina => p.stamina.enough(points, now, rules.stamina),
                Resource::Energy => p.energy.enough(points, now, rules.energy),
                Resource::Charge => {
                    if p.charge() >= points {
                        Ok(())
                    } else {
                        never()
                    }
                }
                Resource::Ammo if !self.counts_shots(by) || p.ammo >= points => Ok(()),
                Resource::Ammo if p.reload_at > 0 => return Err(Refusal::Reloading { until: p.reload_at }),
                Resource::Ammo => never(),
            };
            enough.map_err(|until| Refusal::NotEnough { of, until })?;
        }
        Ok(())
    }

    fn pay(&mut self, by: Slot, ability: &Ability, step: &mut Step) {
        let now = self.clock.now;
        for &(of, points) in &ability.cost {
            let p = &mut self.participants[by];
            match of {
                Resource::Stamina => {
                    p.stamina.spend(points, now, self.rules.stamina);
                    step.touch(by, Fields::STAMINA);
                }
                Resource::Energy => {
                    p.energy.spend(points, now, self.rules.energy);
                    step.touch(by, Fields::ENERGY);
                }
                Resource::Charge => {
                    p.charge = p.charge.saturating_sub(points.saturating_mul(1_000));
                    step.touch(by, Fields::CHARGE);
                }
                Resource::Ammo => {
                    if self.counts_shots(by) {
                        self.spend_ammo(by, points, step);
                    }
                }
            }
        }
    }

    // Whom it reaches.

    /// What it reaches when it is aimed so, or why it cannot be.
    pub(super) fn reach(&self, ruleset: &Ruleset, by: Slot, ability: &Ability, aim: Target) -> Result<Reach, Refusal> {
        let from = self.participants[by].at;
        if ability.affects == Affects::Own {
            let dashes = ability.does.iter().any(|op| matches!(op, Op::Dash { .. }));
            let at = if dashes { self.place(by, aim)? } else { from };
            return Ok(Reach { targets: std::iter::once(by).collect(), at, from, covered: ability.sight });
        }
        match ability.shape {
            Shape::Single => self.reach_one(ruleset, by, ability, aim),
            Shape::Area { radius_cm } => self.reach_area(ruleset, by, ability, radius_cm, aim),
            Shape::Line { .. } | Shape::Cone { .. } => self.reach_ahead(ruleset, by, ability, aim),
        }
    }

    fn reach_one(&self, ruleset: &Ruleset, by: Slot, ability: &Ability, aim: Target) -> Result<Reach, Refusal> {
        let from = self.participants[by].at;
        let to = aim.slot.ok_or(Refusal::NeedsTarget)?;
        let target = self.expect_target(by, to)?;
        if !self.is_meant(ruleset, by, ability, to) {
            return Err(Refusal::InvalidTarget);
        }
        self.expect_in_reach(ruleset, from, target.at, ability.range_cm, ability.sight)?;
        Ok(Reach { targets: std::iter::once(to).collect(), at: target.at, from, covered: ability.sight })
    }

    fn reach_area(
        &self,
        ruleset: &Ruleset,
        by: Slot,
        ability: &Ability,
        radius_cm: u32,
        aim: Target,
    ) -> Result<Reach, Refusal> {
        let own = self.participants[by].at;
        let at = if ability.range_cm == 0 { own } else { self.place(by, aim)? };
        if !ruleset.environment.arena().encloses(at) {
            return Err(Refusal::OutOfBounds);
        }
        self.expect_in_reach(ruleset, own, at, ability.range_cm, ability.sight)?;
        Ok(self.reach_many(ruleset, by, ability, at, at, |p| p.within(at, radius_cm)))
    }

    fn reach_ahead(&self, ruleset: &Ruleset, by: Slot, ability: &Ability, aim: Target) -> Result<Reach, Refusal> {
        let (own, at) = (self.participants[by].at, self.place(by, aim)?);
        if at == own {
            return Err(Refusal::NeedsPlace);
        }
        Ok(self.reach_many(ruleset, by, ability, own, at, |p| match ability.shape {
            Shape::Line { width_cm } => p.in_strip(own, at, ability.range_cm, width_cm),
            Shape::Cone { degrees } => p.in_cone(own, at, ability.range_cm, degrees),
            Shape::Single | Shape::Area { .. } => false,
        }))
    }

    /// All that it is meant for and that are `within`: those whom the user sees, then those in the fog, so that who stands there
    /// unseen is not in the way of another; of either the nearest to `from` first, and of those as near the lower slot.
    fn reach_many(
        &self,
        ruleset: &Ruleset,
        by: Slot,
        ability: &Ability,
        from: Point,
        at: Point,
        within: impl Fn(Point) -> bool,
    ) -> Reach {
        let is_reached = |&slot: &Slot| {
            let p = &self.participants[slot];
            self.is_meant(ruleset, by, ability, slot)
                && within(p.at)
                && !(ability.sight && self.wall_between(ruleset, from, p.at))
        };
        let far = |slot: Slot| (!self.is_seen(by, slot), from.distance_squared(self.participants[slot].at), slot);
        let mut reached: SmallVec<[(bool, u64, Slot); 16]> = self.slots().filter(is_reached).map(far).collect();
        reached.sort_unstable();
        let targets = reached.into_iter().take(usize::from(ability.targets)).map(|(_, _, slot)| slot).collect();
        Reach { targets, at, from, covered: ability.sight }
    }

    /// The place that is aimed at: the one that is named, or where the target stands.
    fn place(&self, by: Slot, aim: Target) -> Result<Point, Refusal> {
        if let Some(at) = aim.at {
            return Ok(at);
        }
        let to = aim.slot.ok_or(Refusal::NeedsPlace)?;
        Ok(self.expect_target(by, to)?.at)
    }

    /// Whether it is for somebody like this.
    pub(super) fn is_meant(&self, ruleset: &Ruleset, by: Slot, ability: &Ability, to: Slot) -> bool {
        let (user, target) = (&self.participants[by], &self.participants[to]);
        let (fallen, friend) = (target.status == Eliminated, user.team == target.team);
        let health_below = ability.below_percent == 0
            || u64::from(target.hp) * 100 < u64::from(self.most_health(ruleset, to)) * u64::from(ability.below_percent);
        health_below
            && match ability.affects {
                Affects::Own => by == to,
                Affects::Allies => !fallen && friend,
                Affects::Enemies => !fallen && !friend,
                Affects::Others => !fallen && by != to,
                Affects::Fallen => fallen && friend && !target.forfeited,
            }
    }

    // What it does.

    pub(super) fn carry_out(
        &mut self,
        ruleset: &Ruleset,
        by: Slot,
        id: AbilityId,
        ability: &Ability,
        reach: &Reach,
        step: &mut Step,
    ) {
        let one = ability.shape == Shape::Single && ability.affects != Affects::Own;
        step.note(Event::Used { by, ability: id, to: reach.targets.first().copied().filter(|_| one) });
        self.do_ops(ruleset, by, Some(id), &ability.does, reach, step);
    }

    /// Everything in order, each to every target, until that has decided the round.
    pub(super) fn do_ops(
        &mut self,
        ruleset: &Ruleset,
        by: Slot,
        id: Option<AbilityId>,
        ops: &[Op],
        reach: &Reach,
        step: &mut Step,
    ) {
        self.begin_deed(by);
        for (part, op) in (0_u8..=u8::MAX).zip(ops) {
            if self.is_one_side_left(ruleset) {
                return;
            }
            if self.do_own(ruleset, by, op, reach, step) {
                continue;
            }
            for &to in &reach.targets {
                if self.lifecycle.is_fighting() {
                    self.do_to(ruleset, (by, id), to, (part, op), reach, step);
                }
            }
        }
    }

    /// What is done once, whoever is reached. Whether `op` is that.
    fn do_own(&mut self, ruleset: &Ruleset, by: Slot, op: &Op, reach: &Reach, step: &mut Step) -> bool {
        let fights = self.lifecycle.is_fighting();
        let own = self.participants[by].at;
        match *op {
            Op::Gain { effect, ms } if fights => self.affect(ruleset, by, by, effect, u64::from(ms), step),
            Op::Dash { cm } if fights => self.shift(ruleset, by, own.towards(reach.at, cm), step),
            Op::Summon { enemy, count } if fights => {
                for _ in 0..count {
                    self.spawn(ruleset, enemy, own, step);
                }
            }
            Op::Gain { .. } | Op::Dash { .. } | Op::Summon { .. } => {}
            _ => return false,
        }
        true
    }

    fn do_to(
        &mut self,
        ruleset: &Ruleset,
        (by, id): (Slot, Option<AbilityId>),
        to: Slot,
        (part, op): (u8, &Op),
        reach: &Reach,
        step: &mut Step,
    ) {
        let (own, target) = (self.participants[by].at, &self.participants[to]);
        let at = target.at;
        if (target.status == Eliminated) != matches!(op, Op::Revive { .. }) {
            return;
        }
        match *op {
            Op::Damage { min, max, element } => {
                let base = self.dice(by, part, to).between(min, max);
                let cover = if reach.covered { self.cover(ruleset, reach.from, at) } else { 100 };
                let source = Source::By(by, id);
                self.hit(ruleset, Blow { source, to, base, part: 100, critical: false, cover, element }, step);
            }
            Op::Heal { percent, points } => {
                let share = percent_of(self.most_health(ruleset, to), percent);
                self.heal(ruleset, by, to, u64::from(share) + u64::from(points), step);
            }
            Op::Revive { percent } => self.revive(ruleset, by, to, percent, step),
            Op::Refill { resource, points } => self.refill(to, resource, points, step),
            Op::Apply { effect, ms } => self.affect(ruleset, by, to, effect, u64::from(ms), step),
            Op::Cleanse => self.cleanse(ruleset, to, step),
            Op::Pull { cm } => self.shift(ruleset, to, at.towards(own, cm), step),
            Op::Push { cm } => self.shift(ruleset, to, at.along(own.mirrored(at), cm), step),
            Op::Gain { .. } | Op::Dash { .. } | Op::Summon { .. } => {}
        }
    }

    /// Back to life, where it fell.
    fn revive(&mut self, ruleset: &Ruleset, by: Slot, to: Slot, percent: u32, step: &mut Step) {
        let (now, most) = (self.clock.now, self.most_health(ruleset, to));
        let p = &mut self.participants[to];
        p.hp = percent_of(most, percent).clamp(1, most);
        p.stand_again(&self.rules, now);
        step.touch(to, Fields::STATUS.or(Fields::HP));
        step.note(Event::Revived { by, to });
        self.do_activity(ruleset, to, Activity::Revived, step);
        self.give_passives(ruleset, to, step);
        // Whatever it was about to do before it fell.
        self.wake(now);
        self.look_from(ruleset, to, step);
    }

    fn refill(&mut self, to: Slot, resource: Resource, points: u32, step: &mut Step) {
        let (now, rules) = (self.clock.now, &self.rules);
        let counts_shots = self.counts_shots(to);
        let p = &mut self.participants[to];
        match resource {
            Resource::Stamina => {
                p.stamina.refill(points, now, rules.stamina);
                step.touch(to, Fields::STAMINA);
            }
            Resource::Energy => {
                p.energy.refill(points, now, rules.energy);
                step.touch(to, Fields::ENERGY);
            }
            Resource::Charge => self.charge(to, u64::from(points) * 1_000, step),
            Resource::Ammo if counts_shots && points > 0 => {
                (p.ammo, p.reload_at) = (p.ammo.saturating_add(points).min(rules.ammo), 0);
                step.touch(to, Fields::AMMO);
            }
            Resource::Ammo => {}
        }
    }
}
