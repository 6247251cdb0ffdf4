//! An attack: from the trigger to the harm.

use super::harm::{Blow, Source};
use super::{Eliminated, Fight, below};
use crate::{BodyPart, Refusal, Slot, Step};

impl Fight {
    pub(super) fn attack(&mut self, by: Slot, to: Slot, _part: BodyPart, step: &mut Step) -> Result<(), Refusal> {
        let now = self.clock.now;
        let target = self.participants.get(usize::from(to)).ok_or(Refusal::NoSuchTarget)?;
        if by == to || target.status == Eliminated {
            return Err(Refusal::InvalidTarget);
        }
        let attacker = &mut self.participants[usize::from(by)];
        if attacker.attack_ready_at > now {
            return Err(Refusal::Cooldown { until: attacker.attack_ready_at });
        }
        attacker.attack_ready_at = now + u64::from(self.rules.attack_interval_ms);
        let rules = &self.rules;
        let base =
            rules.attack_damage_min + below(&mut self.rng, rules.attack_damage_max - rules.attack_damage_min + 1);
        let critical = below(&mut self.rng, 100) < rules.critical_percent;
        self.hit(Blow { by, to, base, critical, source: Source::Attack }, step);
        Ok(())
    }
}
