//! Rounds: how one begins, and what comes of its end.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Eliminated, Fight};
use crate::digest::form;
use crate::field::Field;
use crate::motion::Motion;
use crate::participant::Pool;
use crate::ruleset::Trigger;
use crate::{EndReason, Event, Fields, Ruleset, Step, Velocity};

/// Rounds won, where a fight has several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rounds {
    /// Rounds that are over.
    pub(super) over: u8,
    /// Rounds won, by team.
    pub(super) wins: SmallVec<[(u8, u8); 0]>,
}

form!(Rounds: over, wins);

impl Rounds {
    /// Rounds that are over.
    pub fn over(&self) -> u8 {
        self.over
    }

    /// Team and rounds won, of the teams that have won one.
    pub fn wins(&self) -> &[(u8, u8)] {
        &self.wins
    }
}

impl Fight {
    pub(super) fn round_over(&mut self, ruleset: &Ruleset, reason: EndReason, team: Option<u8>, step: &mut Step) {
        // The next counts from here.
        for p in self.participants.iter_mut() {
            p.score_before = p.score;
        }
        let rounds = &mut self.rounds;
        rounds.over += 1;
        let mut most = 0;
        if let Some(team) = team {
            match rounds.wins.iter_mut().find(|(of, _)| *of == team) {
                Some((_, wins)) => *wins += 1,
                None => rounds.wins.push((team, 1)),
            }
            most = rounds.wins.iter().find(|(of, _)| *of == team).map_or(0, |&(_, wins)| wins);
        }
        step.note(Event::Round { no: rounds.over, team });
        step.course();
        let best_of = self.rules.rounds;
        if u32::from(most) > best_of / 2 {
            return self.win(ruleset, EndReason::RoundsWon, team, step);
        }
        if u32::from(rounds.over) >= best_of {
            let leading = rounds.wins.iter().map(|&(_, wins)| wins).max().unwrap_or(0);
            let mut leaders = rounds.wins.iter().filter(|&&(_, wins)| wins == leading);
            let team = match (leaders.next(), leaders.next()) {
                (Some(&(team, _)), None) => Some(team),
                _ => None,
            };
            return self.win(ruleset, if team.is_some() { EndReason::RoundsWon } else { reason }, team, step);
        }
        self.turn = None;
        if let Ok(to) = self.lifecycle.next(&ruleset.lifecycle, Trigger::RoundOver) {
            self.enter(ruleset, to, step);
        } else {
            self.win(ruleset, reason, team, step);
        }
    }

    pub(super) fn reset(&mut self, ruleset: &Ruleset, step: &mut Step) {
        let now = self.clock.now;
        if !self.lifecycle.has_started() {
            return;
        }
        self.dismiss_enemies(ruleset, step);
        for slot in self.slots() {
            let rules = &self.rules;
            let p = &mut self.participants[slot];
            if p.forfeited || p.enemy.is_some() {
                continue;
            }
            if p.status == Eliminated {
                p.stand_again(rules, now);
                self.due = self.due.min(p.forfeit_at);
            }
            p.ready = false;
            p.activity = ruleset.activity.start;
            (p.hp, p.armor, p.shield) = (rules.health, rules.armor, rules.shield);
            p.stamina = Pool::full(rules.stamina, rules.stamina_per_second, now);
            p.energy = Pool::full(rules.energy, rules.energy_per_second, now);
            (p.charge, p.ammo, p.reload_at) = (0, rules.ammo, 0);
            (p.guard_until, p.defend_ready_at, p.attack_ready_at) = (0, 0, 0);
            p.effects.clear();
            p.used.clear();
            p.cast = None;
            p.motion = Motion::new(p.motion.facing(), Velocity::ZERO);
            self.place_at_start(ruleset, slot);
            step.touch(slot, Fields::SEAT);
        }
    }

    pub(super) fn restore(&mut self, ruleset: &Ruleset, step: &mut Step) {
        if !self.lifecycle.has_started() {
            return;
        }
        self.field = Field::new(&ruleset.environment, self.clock.now);
        self.show_field(step);
        self.look_around(ruleset, step);
    }
}
