//! What a participant does: who may do what when, then the action itself.

use super::{Eliminated, Fight};
use crate::budget::Allowance;
use crate::fair_play::Flag;
use crate::ruleset::{Activity, ParticipantDeed};
use crate::{Action, ActionKind, Event, Fields, Refusal, Ruleset, Slot, Step, Velocity};

impl Fight {
    pub(super) fn act(
        &mut self,
        ruleset: &Ruleset,
        slot: Slot,
        action: Action,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        self.expect_player(slot)?;
        self.spend_action(slot, step)?;
        self.lifecycle.expect_fighting()?;
        if self.participants[slot].status == Eliminated {
            return Err(Refusal::Eliminated);
        }
        let kind = action.kind().ok_or(Refusal::Unavailable)?;
        let done = self.may(ruleset, slot, kind).and_then(|()| self.perform(ruleset, slot, action, step));
        self.watch(slot, action, done, step);
        if done.is_ok() && kind != ActionKind::Move {
            self.end_turn_of(ruleset, slot, step);
        }
        done
    }

    /// Every action costs its own participant's budget, also one that is then refused: nobody pays for another.
    fn spend_action(&mut self, slot: Slot, step: &mut Step) -> Result<(), Refusal> {
        let Some(allowed) = Allowance::per_second(self.rules.actions_per_second) else { return Ok(()) };
        let spent = self.participants[slot].actions.spend(self.clock.host, allowed);
        spent.map_err(|wait| {
            if self.lifecycle.expect_fighting().is_ok() {
                self.flag(slot, Flag::Rate, step);
            }
            Refusal::RateLimited { until: self.clock.now.saturating_add(wait) }
        })
    }

    /// Whether `slot` can do something of this kind now, for all that it is doing and suffering.
    pub(super) fn may(&self, ruleset: &Ruleset, slot: Slot, kind: ActionKind) -> Result<(), Refusal> {
        if self.turn.as_ref().is_some_and(|turn| turn.slot() != slot) {
            return Err(Refusal::NotYourTurn);
        }
        let p = &self.participants[slot];
        if !ruleset.activity.state(p.activity).is.allows.has(kind) {
            return Err(if self.is_stunned(ruleset, slot) { Refusal::Stunned } else { Refusal::Busy });
        }
        if self.is_denied(ruleset, slot, kind) {
            return Err(Refusal::Denied);
        }
        Ok(())
    }

    /// Also how the server's enemies act: under the same conditions.
    pub(super) fn perform(
        &mut self,
        ruleset: &Ruleset,
        slot: Slot,
        action: Action,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        match action {
            Action::Attack { target, part } => {
                self.attack(ruleset, slot, target.ok_or(Refusal::NeedsTarget)?, part, step)
            }
            Action::Break { thing } => self.strike(ruleset, slot, thing, step),
            Action::Defend => self.defend(ruleset, slot, step),
            Action::Use { ability, item, aim } => self.use_ability(ruleset, slot, ability, item, aim, step),
            Action::Move { to } => self.walk(ruleset, slot, to, (None, Velocity::ZERO), step),
            Action::Walk { to, facing, velocity } => self.walk(ruleset, slot, to, (facing, velocity), step),
            Action::Unavailable => Err(Refusal::Unavailable),
        }
    }

    fn defend(&mut self, ruleset: &Ruleset, by: Slot, step: &mut Step) -> Result<(), Refusal> {
        let now = self.clock.now;
        let defender = &mut self.participants[by];
        if defender.defend_ready_at > now {
            return Err(Refusal::Cooldown { until: defender.defend_ready_at });
        }
        let most = self.rules.stamina;
        defender.stamina.take(self.rules.defend_cost, now, most).map_err(|until| Refusal::Stamina { until })?;
        let until = now + u64::from(self.rules.defend_ms);
        defender.defend_ready_at = now + u64::from(self.rules.defend_cooldown_ms);
        defender.guard_until = until;
        step.touch(by, Fields::GUARD);
        step.touch(by, Fields::STAMINA);
        step.note(Event::Guard { by });
        self.do_activity(ruleset, by, Activity::Guard, step);
        self.wake(until);
        Ok(())
    }

    /// Moves a participant's machine on; what its state does not take changes nothing.
    pub(super) fn do_activity(&mut self, ruleset: &Ruleset, slot: Slot, activity: Activity, step: &mut Step) {
        let machine = &ruleset.activity;
        let from = self.participants[slot].activity;
        let Some(to) = machine.next(from, activity) else { return };
        self.participants[slot].activity = to;
        if from != to {
            step.touch(slot, Fields::ACTIVITY);
        }
        for &deed in machine.state(from).exit.iter().chain(&machine.state(to).entry) {
            match deed {
                ParticipantDeed::BreakCast => self.break_cast(ruleset, slot, step),
                ParticipantDeed::DropGuard => self.drop_guard(slot, step),
                ParticipantDeed::ClearEffects => self.clear_effects(ruleset, slot, step),
            }
        }
    }

    fn drop_guard(&mut self, slot: Slot, step: &mut Step) {
        let now = self.clock.now;
        let p = &mut self.participants[slot];
        if p.guard_until > now {
            p.guard_until = now;
            step.touch(slot, Fields::GUARD);
        }
    }

    /// Whether its machine is in a state that ends with the guard.
    pub(super) fn is_guarding(&self, ruleset: &Ruleset, slot: Slot) -> bool {
        let p = &self.participants[slot];
        p.guard_until > 0 && ruleset.activity.next(p.activity, Activity::GuardOver).is_some()
    }
}
