//! An attack: from the trigger to the harm.

use super::harm::{Blow, Source};
use super::{Eliminated, Fight};
use crate::chance::Dice;
use crate::geometry::Point;
use crate::{Audience, BodyPart, Event, Fields, Participant, Refusal, Ruleset, Slot, Step};

/// What a participant attacks with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weapon {
    damage_min: u32,
    damage_max: u32,
    range_cm: u32,
    interval_ms: u32,
}

impl Fight {
    pub(super) fn attack(
        &mut self,
        ruleset: &Ruleset,
        by: Slot,
        to: Slot,
        part: BodyPart,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        let target = self.expect_target(by, to)?;
        let (from, at) = (self.participants[by].at, target.at);
        let spared = self.rules.friendly_fire == 0 && target.team == self.participants[by].team;
        if by == to || target.status == Eliminated || spared {
            return Err(Refusal::InvalidTarget);
        }
        self.expect_loaded(by)?;
        self.expect_in_reach(ruleset, from, at, self.weapon(ruleset, by).range_cm, true)?;
        self.pull_trigger(ruleset, by, step);
        self.begin_deed(by);
        let (mut dice, accuracy) = (self.dice(by, 0, to), self.accuracy(ruleset, by));
        if accuracy < 100 && dice.below(100) >= accuracy {
            step.note(Event::Missed { by, to });
            return Ok(());
        }
        let base = self.draw_damage(ruleset, by, &mut dice);
        let critical = dice.below(100) < self.rules.critical_percent;
        let part = match part {
            BodyPart::Head => self.rules.head_percent,
            BodyPart::Torso => 100,
            BodyPart::Limb => self.rules.limb_percent,
        };
        let cover = self.cover(ruleset, from, at);
        self.hit(ruleset, Blow { source: Source::By(by, None), to, base, part, critical, cover, element: None }, step);
        Ok(())
    }

    /// Whether the participant can attack again, and has something to shoot.
    pub(super) fn expect_loaded(&self, by: Slot) -> Result<(), Refusal> {
        let (now, attacker) = (self.clock.now, &self.participants[by]);
        if attacker.attack_ready_at > now {
            return Err(Refusal::Cooldown { until: attacker.attack_ready_at });
        }
        if attacker.reload_at > 0 {
            return Err(Refusal::Reloading { until: attacker.reload_at });
        }
        Ok(())
    }

    /// Who is aimed at. First of all: of those in the fog nothing is to be found out by aiming at them, so whoever is not seen is
    /// refused like one who is not there.
    pub(super) fn expect_target(&self, by: Slot, to: Slot) -> Result<&Participant, Refusal> {
        let target = self.participants.get(to).filter(|_| self.is_seen(by, to));
        target.ok_or(if self.rules.sight_cm > 0 { Refusal::NoSight } else { Refusal::NoSuchTarget })
    }

    /// Whether the participant's team sees the other.
    pub(super) fn is_seen(&self, by: Slot, to: Slot) -> bool {
        self.sees(Audience::Team(self.participants[by].team), to)
    }

    /// Whether it is near enough, and no wall in between where walls count.
    pub(super) fn expect_in_reach(
        &self,
        ruleset: &Ruleset,
        from: Point,
        at: Point,
        range_cm: u32,
        walls: bool,
    ) -> Result<(), Refusal> {
        if !from.within(at, range_cm) {
            return Err(Refusal::OutOfRange);
        }
        if walls && self.wall_between(ruleset, from, at) {
            return Err(Refusal::NoSight);
        }
        Ok(())
    }

    pub(super) fn weapon_range(&self, ruleset: &Ruleset, by: Slot) -> u32 {
        self.weapon(ruleset, by).range_cm
    }

    /// The time to the next attack begins, and a shot is gone.
    pub(super) fn pull_trigger(&mut self, ruleset: &Ruleset, by: Slot, step: &mut Step) {
        let ready_at = self.clock.now + u64::from(self.weapon(ruleset, by).interval_ms);
        self.participants[by].attack_ready_at = ready_at;
        if self.counts_shots(by) {
            self.spend_ammo(by, 1, step);
        }
    }

    /// Base damage of an attack, drawn anew.
    pub(super) fn draw_damage(&self, ruleset: &Ruleset, by: Slot, dice: &mut Dice) -> u32 {
        let Weapon { damage_min, damage_max, .. } = self.weapon(ruleset, by);
        dice.between(damage_min, damage_max)
    }

    /// Whether the participant runs out of shots: the server's enemies do not.
    pub(super) fn counts_shots(&self, slot: Slot) -> bool {
        self.rules.ammo > 0 && self.participants[slot].enemy.is_none()
    }

    /// Takes shots away; the reload begins with the last.
    pub(super) fn spend_ammo(&mut self, slot: Slot, shots: u32, step: &mut Step) {
        let reload_ms = u64::from(self.rules.reload_ms);
        let p = &mut self.participants[slot];
        p.ammo = p.ammo.saturating_sub(shots);
        if p.ammo == 0 && reload_ms == 0 {
            p.ammo = self.rules.ammo;
        } else if p.ammo == 0 {
            p.reload_at = self.clock.now + reload_ms;
            self.due = self.due.min(p.reload_at);
        }
        step.touch(slot, Fields::AMMO);
    }

    fn weapon(&self, ruleset: &Ruleset, by: Slot) -> Weapon {
        match self.participants[by].enemy {
            Some(enemy) => {
                let enemy = ruleset.enemy(enemy.kind);
                Weapon {
                    damage_min: enemy.damage_min,
                    damage_max: enemy.damage_max,
                    range_cm: enemy.attack_range_cm,
                    interval_ms: enemy.attack_interval_ms,
                }
            }
            None => Weapon {
                damage_min: self.rules.attack_damage_min,
                damage_max: self.rules.attack_damage_max,
                range_cm: self.rules.attack_range_cm,
                interval_ms: self.rules.attack_interval_ms,
            },
        }
    }

    fn accuracy(&self, ruleset: &Ruleset, by: Slot) -> u32 {
        super::effects::changed(self.rules.accuracy_percent, self.modifiers(ruleset, by).accuracy).min(100)
    }
}
