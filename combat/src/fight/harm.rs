//! Harm: what a blow comes to, and what it takes from whom.

use super::Fight;
use crate::ruleset::AbilityId;
use crate::{EndReason, Event, Fields, Slot, Step};

/// A blow that has landed, before everything that lessens or strengthens it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blow {
    pub by: Slot,
    pub to: Slot,
    pub base: u32,
    pub critical: bool,
    pub source: Source,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Attack,
    Ability(AbilityId),
}

impl Fight {
    /// A blow lands.
    pub(super) fn hit(&mut self, blow: Blow, step: &mut Step) {
        let Blow { by, to, base, critical, source } = blow;
        let target = &self.participants[usize::from(to)];
        let guarded = target.guard_until > self.clock.now;
        let damage = self.damage(base, critical, target.armor, guarded);
        let ability = match source {
            Source::Attack => None,
            Source::Ability(ability) => Some(ability),
        };
        let absorbed = 0;
        step.note(Event::Hit { by, to, damage, absorbed, critical, guarded, reaction: false, ability });
        self.lose(Some(by), to, damage, step);
    }

    /// Health goes; at none left its owner falls. The event that says why comes before.
    pub(super) fn lose(&mut self, by: Option<Slot>, to: Slot, damage: u32, step: &mut Step) {
        let target = &mut self.participants[usize::from(to)];
        let dealt = damage.min(target.hp);
        target.hp -= dealt;
        let eliminated = target.hp == 0;
        step.touch(to, Fields::HP);
        if let Some(by) = by {
            self.participants[usize::from(by)].damage += u64::from(dealt);
            self.totals.damage += u64::from(dealt);
        }
        if eliminated {
            self.eliminate(by, to, step);
        }
    }

    fn eliminate(&mut self, by: Option<Slot>, to: Slot, step: &mut Step) {
        self.totals.eliminations += 1;
        step.note(by.map_or(Event::Perished { to }, |by| Event::Eliminated { by, to }));
        self.fall(to, step);
        if let Some(by) = by {
            let score = self.rules.elimination_score;
            let winner = &mut self.participants[usize::from(by)];
            winner.eliminations += 1;
            winner.score = winner.score.saturating_add(score);
            let team = winner.team;
            step.touch(by, Fields::SCORE);
            self.check_score(team, step);
        }
        self.check_victory(EndReason::LastStanding, step);
    }

    /// Damage in whole points: base x critical x 100 / (100 + armor) x guard, rounded half up.
    fn damage(&self, base: u32, critical: bool, armor: u32, guarded: bool) -> u32 {
        let rules = &self.rules;
        let critical = if critical { u64::from(rules.critical_damage_percent) } else { 100 };
        let guard = if guarded { u64::from(100 - rules.defend_percent) } else { 100 };
        let scaled = u64::from(base) * critical * guard * 100;
        let divisor = 10_000 * (100 + u64::from(armor));
        u32::try_from((scaled + divisor / 2) / divisor).unwrap_or(u32::MAX)
    }
}
