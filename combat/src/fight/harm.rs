//! Harm: what a blow comes to, what it takes from whom, and what heals it.

use super::effects::changed;
use super::{Eliminated, Fight};
use crate::ruleset::{AbilityId, EffectId, Element, EnemyId};
use crate::{EndReason, Event, Fields, Ruleset, Slot, Step};

/// A blow that has landed, before everything that lessens or strengthens it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blow {
    pub source: Source,
    pub to: Slot,
    pub base: u32,
    /// What the part that was hit makes of it, in percent.
    pub part: u32,
    pub critical: bool,
    /// What cover lets through, in percent.
    pub cover: u32,
    pub element: Option<Element>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    /// By a participant; `None` for its attack.
    By(Slot, Option<AbilityId>),
    Hazard(u8),
}

impl Source {
    fn by(self) -> Option<Slot> {
        match self {
            Self::By(by, _) => Some(by),
            Self::Hazard(_) => None,
        }
    }
}

/// Damage on its way through everything that changes it, in millionths of a point: each step rounds down, the end half up.
#[derive(Debug, Clone, Copy)]
struct Force(u64);

impl Force {
    const POINT: u64 = 1_000_000;

    fn of(points: u32) -> Self {
        Self(u64::from(points) * Self::POINT)
    }

    fn percent(self, percent: u32) -> Self {
        self.share(percent, 100)
    }

    fn share(self, of: u32, whole: u32) -> Self {
        if of == whole { self } else { Self(self.0.saturating_mul(u64::from(of)) / u64::from(whole)) }
    }

    fn points(self) -> u32 {
        u32::try_from(self.0.saturating_add(Self::POINT / 2) / Self::POINT).unwrap_or(u32::MAX)
    }
}

impl Fight {
    /// A blow lands.
    pub(super) fn hit(&mut self, ruleset: &Ruleset, blow: Blow, step: &mut Step) {
        let Blow { source, to, critical, .. } = blow;
        if !self.can_be_hurt(to) {
            return;
        }
        let guarded = self.participants[to].guard_until > self.clock.now;
        let met = blow.element.and_then(|element| self.reaction(ruleset, to, element));
        let damage = self.force_of(ruleset, &blow, guarded, met.map_or(100, |met| met.percent)).points();
        let reaction = met.is_some();
        let event = move |absorbed: u32| match source {
            Source::By(by, ability) => Event::Hit { by, to, damage, absorbed, critical, guarded, reaction, ability },
            Source::Hazard(hazard) => Event::Burned { to, hazard, damage },
        };
        self.lose(ruleset, source.by(), to, damage, event, step);
        if let Some(used_up) = met.and_then(|met| met.consumed) {
            self.end_effect(ruleset, to, used_up, step);
        }
    }

    /// Base x strength x part x critical x cover x 100 / (100 + armor) x guard x what is dealt x what is taken x difficulty x
    /// reaction.
    fn force_of(&self, ruleset: &Ruleset, blow: &Blow, guarded: bool, reaction: u32) -> Force {
        let (rules, by) = (&self.rules, blow.source.by());
        let armor = changed(self.participants[blow.to].armor, self.modifiers(ruleset, blow.to).armor);
        let force = Force::of(blow.base)
            .percent(by.map_or(100, |by| self.strength(ruleset, by)))
            .percent(blow.part)
            .percent(if blow.critical { rules.critical_damage_percent } else { 100 })
            .percent(blow.cover)
            .share(100, armor.saturating_add(100))
            .percent(if guarded { 100 - rules.defend_percent } else { 100 })
            .percent(by.map_or(100, |by| self.dealt_percent(ruleset, by)));
        self.as_taken(ruleset, force, by, blow.to).percent(reaction)
    }

    /// What the target's effects and the difficulty make of it.
    fn as_taken(&self, ruleset: &Ruleset, force: Force, by: Option<Slot>, to: Slot) -> Force {
        let plays = |slot: Slot| self.participants.get(slot).is_some_and(|p| p.enemy.is_none());
        let difficulty = match by.map(|by| (plays(by), plays(to))) {
            Some((true, false)) => self.rules.damage_dealt_percent,
            Some((false, true)) => self.rules.damage_taken_percent,
            _ => 100,
        };
        force.percent(changed(100, self.modifiers(ruleset, to).damage_taken)).percent(difficulty)
    }

    /// An effect hurts its bearer: neither armor nor guard lessens it.
    pub(super) fn suffer(
        &mut self,
        ruleset: &Ruleset,
        by: Slot,
        to: Slot,
        effect: EffectId,
        points: u32,
        step: &mut Step,
    ) {
        if self.can_be_hurt(to) {
            let damage = self.as_taken(ruleset, Force::of(points), Some(by), to).points();
            self.lose(ruleset, Some(by), to, damage, |_| Event::Suffered { by, to, effect, damage }, step);
        }
    }

    /// Nobody is hurt who is out, nor after the end of the round.
    fn can_be_hurt(&self, to: Slot) -> bool {
        self.lifecycle.is_fighting() && self.participants[to].status != Eliminated
    }

    /// In percent: the effects of who deals it, and its rage in proportion to the health it has lost.
    fn dealt_percent(&self, ruleset: &Ruleset, by: Slot) -> u32 {
        let modifiers = self.modifiers(ruleset, by);
        if modifiers.rage == 0 {
            return changed(100, modifiers.damage_dealt);
        }
        let (most, p) = (i64::from(self.most_health(ruleset, by)), &self.participants[by]);
        let rage = i64::from(modifiers.rage) * (most - i64::from(p.hp)).max(0) / most.max(1);
        changed(100, modifiers.damage_dealt.saturating_add(i32::try_from(rage).unwrap_or(i32::MAX)))
    }

    /// In percent: 100 for players.
    fn strength(&self, ruleset: &Ruleset, slot: Slot) -> u32 {
        self.participants[slot].enemy.map_or(100, |enemy| self.enemy_strength(ruleset, enemy.kind))
    }

    /// What an enemy's rank and the number of players make of its health and damage, in percent.
    fn enemy_strength(&self, ruleset: &Ruleset, enemy: EnemyId) -> u32 {
        let others = u32::from(self.seats.saturating_sub(1));
        ruleset.enemy(enemy).rank.percent() * (100 + others * self.rules.enemy_growth_percent) / 100
    }

    /// The most health of such an enemy in this fight.
    pub fn enemy_health(&self, ruleset: &Ruleset, enemy: EnemyId) -> u32 {
        let health = u64::from(ruleset.enemy(enemy).health) * u64::from(self.enemy_strength(ruleset, enemy)) / 100;
        u32::try_from(health).unwrap_or(u32::MAX)
    }

    /// The most health that the participant can have.
    pub fn most_health(&self, ruleset: &Ruleset, slot: Slot) -> u32 {
        match self.participants[slot].enemy {
            None => self.rules.health,
            Some(enemy) => self.enemy_health(ruleset, enemy.kind),
        }
    }

    /// Takes `damage` from what absorbs it, then from the shield, then from health; at none left its owner falls. The event
    /// says why, and is given how much of it never reached the health.
    fn lose(
        &mut self,
        ruleset: &Ruleset,
        by: Option<Slot>,
        to: Slot,
        damage: u32,
        event: impl FnOnce(u32) -> Event,
        step: &mut Step,
    ) {
        let passed = self.absorb(to, damage);
        let target = &mut self.participants[to];
        let of_shield = passed.min(target.shield);
        target.shield -= of_shield;
        let of_health = (passed - of_shield).min(target.hp);
        target.hp -= of_health;
        if of_shield > 0 {
            step.touch(to, Fields::SHIELD);
        }
        step.touch(to, Fields::HP);
        let fallen = target.hp == 0;
        let taken = of_shield + of_health;
        step.note(event(damage - passed + of_shield));
        let by = by.filter(|&by| by != to && self.participants.get(by).is_some());
        if let Some(by) = by {
            self.credit(ruleset, by, to, taken, step);
        }
        if fallen {
            self.eliminate(ruleset, by, to, step);
        } else if damage > 0 {
            self.end_fragile(ruleset, to, step);
            self.disturb_cast(ruleset, to, taken, step);
        }
    }

    /// Who dealt it, and the charge it gains: where an ability of the players can cost that, and for damage to those it sees,
    /// so that nobody can tell by it who stands in the fog.
    fn credit(&mut self, ruleset: &Ruleset, by: Slot, to: Slot, taken: u32, step: &mut Step) {
        let charges = ruleset.kit > 0 && self.is_seen(by, to);
        let gained = u64::from(taken) * u64::from(self.rules.charge_per_100_damage) * 10;
        let p = &mut self.participants[by];
        p.damage += u64::from(taken);
        self.totals.damage += u64::from(taken);
        step.take(to, taken);
        if charges && p.enemy.is_none() {
            self.charge(by, gained, step);
        }
    }

    /// Charge of the ultimate ability, in thousandths of a percent.
    pub(super) fn charge(&mut self, slot: Slot, gained: u64, step: &mut Step) {
        let p = &mut self.participants[slot];
        let before = p.charge();
        p.charge = u32::try_from((u64::from(p.charge).saturating_add(gained)).min(100_000)).unwrap_or(100_000);
        if p.charge() != before {
            step.touch(slot, Fields::CHARGE);
        }
    }

    fn eliminate(&mut self, ruleset: &Ruleset, by: Option<Slot>, to: Slot, step: &mut Step) {
        self.totals.eliminations += 1;
        step.note(by.map_or(Event::Perished { to }, |by| Event::Eliminated { by, to }));
        self.fall(ruleset, to, step);
        let fallen = &self.participants[to];
        let (team, enemy) = (fallen.team, fallen.enemy);
        let score = enemy.map_or(self.rules.elimination_score, |enemy| ruleset.enemy(enemy.kind).score);
        // Nobody is honoured for a friend.
        if let Some(by) = by.filter(|&by| self.participants[by].team != team) {
            let winner = &mut self.participants[by];
            winner.eliminations += 1;
            winner.score = winner.score.saturating_add(score);
            step.touch(by, Fields::SCORE);
        }
        if enemy.is_some() {
            self.enemy_fell(ruleset, to, step);
        }
        self.fallen = Some(EndReason::LastStanding);
    }

    /// Health comes back, up to the most.
    pub(super) fn heal(&mut self, ruleset: &Ruleset, by: Slot, to: Slot, points: u64, step: &mut Step) {
        let (most, healing) = (self.most_health(ruleset, to), changed(100, self.modifiers(ruleset, to).healing));
        let p = &mut self.participants[to];
        if p.status == Eliminated {
            return;
        }
        let points = points.saturating_mul(u64::from(healing)) / 100;
        let healed = u32::try_from(points).unwrap_or(u32::MAX).min(most.saturating_sub(p.hp));
        if healed > 0 {
            p.hp += healed;
            step.touch(to, Fields::HP);
            step.note(Event::Healed { by, to, points: healed });
        }
    }
}
