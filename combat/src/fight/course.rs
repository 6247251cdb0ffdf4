//! What leads to what: the ruleset's machine, and what is done by hand.

use super::{Eliminated, Fight};
use crate::lifecycle::Outcome;
use crate::ruleset::{Deed, Trigger};
use crate::{EndReason, Millis, PhaseName, Refusal, Ruleset, Step};

impl Fight {
    /// The first state has been entered with the fight itself.
    pub(super) fn begin(&mut self, ruleset: &Ruleset) {
        let mut step = Step::default();
        self.do_deeds(ruleset, self.lifecycle.state(), true, &mut step);
        self.look_around(ruleset, &mut step);
    }

    /// Leaves the state and enters `to`, with what the ruleset wants done on the way.
    pub(super) fn enter(&mut self, ruleset: &Ruleset, to: u8, step: &mut Step) {
        self.do_deeds(ruleset, self.lifecycle.state(), false, step);
        self.lifecycle.enter(to, &ruleset.lifecycle, self.clock.now, &self.rules);
        step.phase();
        self.do_deeds(ruleset, to, true, step);
    }

    fn do_deeds(&mut self, ruleset: &Ruleset, state: u8, entry: bool, step: &mut Step) {
        let state = ruleset.lifecycle.state(state);
        for &deed in if entry { &state.entry } else { &state.exit } {
            self.do_deed(ruleset, deed, step);
        }
    }

    fn do_deed(&mut self, ruleset: &Ruleset, deed: Deed, step: &mut Step) {
        match deed {
            Deed::Reset => self.reset(ruleset, step),
            Deed::Restore => self.restore(ruleset, step),
            Deed::Begin => self.begin_turns(ruleset, step),
            Deed::Waves => self.begin_waves(ruleset),
            Deed::Judge => {
                if self.lifecycle.end().is_none() {
                    let outcome = self.judge(ruleset);
                    self.conclude(outcome, step);
                }
            }
            Deed::Announce => {}
        }
    }

    /// The state's time is over.
    pub(super) fn state_over(&mut self, ruleset: &Ruleset, step: &mut Step) {
        let preparing = self.lifecycle.phase() == PhaseName::Preparation;
        if preparing && !self.can_start(ruleset) {
            return self.end_without(EndReason::Abandoned, step);
        }
        let ready = |p: &crate::Participant| p.ready || p.status == Eliminated || p.enemy.is_some();
        if preparing && self.rules.ready_check > 0 && !self.participants.iter().all(ready) {
            return self.end_without(EndReason::NotReady, step);
        }
        if self.lifecycle.is_fighting() && self.rules.rounds > 1 {
            let Outcome { reason, team, .. } = self.judge(ruleset);
            return self.round_over(ruleset, reason, team, step);
        }
        if let Some((_, to)) = ruleset.lifecycle.state(self.lifecycle.state()).after {
            self.enter(ruleset, to, step);
        }
    }

    /// Whether there are enough to begin with: all, or two where others can come later, or one against the server.
    fn can_start(&self, ruleset: &Ruleset) -> bool {
        let least = if self.against_server(ruleset) { 1 } else { 2 };
        self.gathered || (self.rules.late_join > 0 && self.seats_taken() >= least)
    }

    /// Nobody waits for those who are eliminated, nor for a fight that has started already.
    pub(super) fn start_if_all_ready(&mut self, ruleset: &Ruleset, step: &mut Step) {
        let ready = self.participants.iter().all(|p| p.ready || p.status == Eliminated || p.enemy.is_some());
        if self.can_start(ruleset)
            && ready
            && let Ok(to) = self.lifecycle.next(&ruleset.lifecycle, Trigger::AllReady)
        {
            self.enter(ruleset, to, step);
        }
    }

    // By hand.

    pub(super) fn complete(&mut self, ruleset: &Ruleset, host_now: Millis, step: &mut Step) -> Result<(), Refusal> {
        let (winner, team) = self.leader();
        self.decide(ruleset, host_now, Outcome { reason: EndReason::Completed, winner, team }, step)
    }

    pub(super) fn stop(
        &mut self,
        ruleset: &Ruleset,
        host_now: Millis,
        force: bool,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        let outcome = Outcome::nobody(EndReason::Terminated);
        if !force {
            match self.decide(ruleset, host_now, outcome, step) {
                Err(Refusal::InvalidTransition) => {}
                done => return done,
            }
        }
        let paused = self.lifecycle.is_paused();
        let first = self.lifecycle.end().is_none();
        self.lifecycle.terminate(self.clock.now, outcome)?;
        if paused {
            self.restart_clock(host_now);
        }
        if first {
            step.decide();
        }
        step.phase();
        Ok(())
    }

    /// One that has its result is only shown on, for as long as it was to be shown.
    pub(super) fn end_pause(&mut self, host_now: Millis, step: &mut Step) -> Result<(), Refusal> {
        if self.lifecycle.is_ended() {
            return Err(Refusal::Ended);
        }
        if !self.lifecycle.is_paused() {
            return Err(Refusal::InvalidTransition);
        }
        if self.lifecycle.end().is_some() {
            self.lifecycle.resume()?;
            step.phase();
        } else {
            self.end_without(EndReason::PauseLimit, step);
        }
        self.restart_clock(host_now);
        Ok(())
    }

    fn decide(
        &mut self,
        ruleset: &Ruleset,
        host_now: Millis,
        outcome: Outcome,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        let paused = self.lifecycle.is_paused();
        let to = self.lifecycle.next(&ruleset.lifecycle, Trigger::Decided)?;
        if paused {
            self.restart_clock(host_now);
        }
        self.conclude(outcome, step);
        self.enter(ruleset, to, step);
        Ok(())
    }

    /// The result; a first one stays.
    pub(super) fn conclude(&mut self, outcome: Outcome, step: &mut Step) {
        if self.lifecycle.conclude(outcome) {
            self.turn = None;
            step.decide();
        }
    }

    pub(super) fn end_without(&mut self, reason: EndReason, step: &mut Step) {
        let first = self.lifecycle.end().is_none();
        if self.lifecycle.terminate(self.clock.now, Outcome::nobody(reason)).is_ok() {
            if first {
                step.decide();
            }
            step.phase();
        }
    }
}
