//! The course of a fight: status x phase, one state at a time.
//!
//! ```text
//!            all ready or countdown over      decided or time up         results shown
//! Preparation ----------------------> Active ------------------> Cooldown -----------> Finished
//!      |  ^                            |  ^                        |  ^                (completed)
//!      v  | pause / resume             v  |                        v  |
//!     Paused                          Paused                      Paused
//!                          terminate, from any of these ------------------------------> Terminated
//! ```
//!
//! One method per input; an input a state does not take is a typed refusal and changes nothing. Entering Active sets the
//! fight's start, entering Cooldown its result; both happen here, so no state can be entered without them.

use serde::{Deserialize, Serialize};

use crate::{Millis, Refusal, Rules, Slot};

/// A session's status, as the contract names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SessionStatus {
    Initializing,
    Active,
    Paused,
    Completed,
    Terminated,
}

/// A fight's phase, as the contract names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PhaseName {
    Preparation,
    Active,
    Cooldown,
    Finished,
}

/// Why a fight ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndReason {
    LastStanding,
    TimeLimit,
    Forfeit,
    Terminated,
    Completed,
    Abandoned,
    Failed,
}

impl EndReason {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::LastStanding => "last_standing",
            Self::TimeLimit => "time_limit",
            Self::Forfeit => "forfeit",
            Self::Terminated => "terminated",
            Self::Completed => "completed",
            Self::Abandoned => "abandoned",
            Self::Failed => "failed",
        }
    }
}

/// The state machine. Times are session time, which stands still while the fight is paused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Lifecycle {
    state: State,
    /// Set on entering Active.
    started_at: Option<Millis>,
    /// Set on leaving Active.
    fought_until: Option<Millis>,
    winner: Option<Slot>,
    end: Option<EndReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum State {
    Running { phase: Timed, until: Millis },
    Paused { phase: Timed, until: Millis },
    Completed,
    Terminated,
}

/// The phases that end by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
enum Timed {
    Preparation,
    Active,
    Cooldown,
}

impl Lifecycle {
    /// A new fight, in preparation until `until`.
    pub(crate) const fn new(until: Millis) -> Self {
        Self {
            state: State::Running { phase: Timed::Preparation, until },
            started_at: None,
            fought_until: None,
            winner: None,
            end: None,
        }
    }

    pub const fn status(&self) -> SessionStatus {
        match self.state {
            State::Running { phase: Timed::Preparation, .. } => SessionStatus::Initializing,
            State::Running { .. } => SessionStatus::Active,
            State::Paused { .. } => SessionStatus::Paused,
            State::Completed => SessionStatus::Completed,
            State::Terminated => SessionStatus::Terminated,
        }
    }

    pub const fn phase(&self) -> PhaseName {
        match self.state {
            State::Running { phase, .. } | State::Paused { phase, .. } => match phase {
                Timed::Preparation => PhaseName::Preparation,
                Timed::Active => PhaseName::Active,
                Timed::Cooldown => PhaseName::Cooldown,
            },
            State::Completed | State::Terminated => PhaseName::Finished,
        }
    }

    /// When the phase ends by itself; `None` while paused and when ended.
    pub const fn until(&self) -> Option<Millis> {
        match self.state {
            State::Running { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Milliseconds left of the phase, also while paused; 0 when ended.
    pub const fn remaining(&self, now: Millis) -> Millis {
        match self.state {
            State::Running { until, .. } | State::Paused { until, .. } => until.saturating_sub(now),
            State::Completed | State::Terminated => 0,
        }
    }

    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Completed | State::Terminated)
    }

    pub const fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused { .. })
    }

    /// Slot of the winner, once decided; `None` also for a draw.
    pub const fn winner(&self) -> Option<Slot> {
        self.winner
    }

    /// Why it ended; set when it is decided, before the results phase.
    pub const fn end(&self) -> Option<EndReason> {
        self.end
    }

    /// Milliseconds the fight has been active.
    pub fn active_ms(&self, now: Millis) -> Millis {
        self.started_at.map_or(0, |started| self.fought_until.unwrap_or(now).saturating_sub(started))
    }

    /// Refuses what only a fight in progress takes, naming what is in the way.
    pub(crate) const fn expect_fighting(&self) -> Result<(), Refusal> {
        self.expect(Timed::Active)
    }

    /// Refuses what only a fight in preparation takes.
    pub(crate) const fn expect_preparing(&self) -> Result<(), Refusal> {
        self.expect(Timed::Preparation)
    }

    const fn expect(&self, wanted: Timed) -> Result<(), Refusal> {
        match (self.state, wanted) {
            (State::Running { phase: Timed::Active, .. }, Timed::Active)
            | (State::Running { phase: Timed::Preparation, .. }, Timed::Preparation) => Ok(()),
            (State::Running { .. }, _) => Err(Refusal::WrongPhase),
            (State::Paused { .. }, _) => Err(Refusal::Paused),
            (State::Completed | State::Terminated, _) => Err(Refusal::Ended),
        }
    }

    /// Preparation: moves the end of the countdown.
    pub(crate) fn prepare_until(&mut self, until: Millis) -> Result<(), Refusal> {
        self.expect_preparing()?;
        self.state = State::Running { phase: Timed::Preparation, until };
        Ok(())
    }

    /// Preparation -> Active.
    pub(crate) fn start(&mut self, now: Millis, rules: &Rules) -> Result<(), Refusal> {
        self.expect_preparing()?;
        self.started_at = Some(now);
        self.state = State::Running { phase: Timed::Active, until: now + u64::from(rules.max_duration_ms) };
        Ok(())
    }

    /// Preparation or Active, running or paused -> Cooldown, with the result.
    pub(crate) fn decide(
        &mut self,
        now: Millis,
        rules: &Rules,
        end: EndReason,
        winner: Option<Slot>,
    ) -> Result<(), Refusal> {
        match self.state {
            State::Running { phase: Timed::Cooldown, .. } | State::Paused { phase: Timed::Cooldown, .. } => {
                Err(Refusal::InvalidTransition)
            }
            State::Completed | State::Terminated => Err(Refusal::Ended),
            State::Running { .. } | State::Paused { .. } => {
                self.leave_active(now);
                self.end = Some(end);
                self.winner = winner;
                self.state = State::Running { phase: Timed::Cooldown, until: now + u64::from(rules.cooldown_ms) };
                Ok(())
            }
        }
    }

    /// Cooldown -> Completed, or Terminated where that is what ended the fight.
    pub(crate) fn finish(&mut self) -> Result<(), Refusal> {
        match self.state {
            State::Running { phase: Timed::Cooldown, .. } => {
                let terminated = self.end == Some(EndReason::Terminated);
                self.state = if terminated { State::Terminated } else { State::Completed };
                Ok(())
            }
            State::Running { .. } | State::Paused { .. } => Err(Refusal::InvalidTransition),
            State::Completed | State::Terminated => Err(Refusal::Ended),
        }
    }

    /// Running -> Paused, keeping the phase.
    pub(crate) fn pause(&mut self) -> Result<(), Refusal> {
        match self.state {
            State::Running { phase, until } => {
                self.state = State::Paused { phase, until };
                Ok(())
            }
            State::Paused { .. } => Err(Refusal::InvalidTransition),
            State::Completed | State::Terminated => Err(Refusal::Ended),
        }
    }

    /// Paused -> Running, where it stood.
    pub(crate) fn resume(&mut self) -> Result<(), Refusal> {
        match self.state {
            State::Paused { phase, until } => {
                self.state = State::Running { phase, until };
                Ok(())
            }
            State::Running { .. } => Err(Refusal::InvalidTransition),
            State::Completed | State::Terminated => Err(Refusal::Ended),
        }
    }

    /// Anything that has not ended -> Terminated. A result that was already decided stays.
    pub(crate) fn terminate(&mut self, now: Millis, end: EndReason) -> Result<(), Refusal> {
        if self.is_ended() {
            return Err(Refusal::Ended);
        }
        self.leave_active(now);
        self.end.get_or_insert(end);
        self.state = State::Terminated;
        Ok(())
    }

    fn leave_active(&mut self, now: Millis) {
        if self.started_at.is_some() {
            self.fought_until.get_or_insert(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{EndReason, Lifecycle, PhaseName, SessionStatus};
    use crate::{Refusal, Rules};

    /// Runs a script of inputs and compares what came of each: `ok status/phase` or the refusal.
    fn check(script: &str) {
        let rules = Rules { cooldown_ms: 10, max_duration_ms: 1000, ..Rules::default() };
        let mut life = Lifecycle::new(100);
        for (line, text) in script.lines().map(str::trim).enumerate().filter(|(_, text)| !text.is_empty()) {
            let (input, expected) = text.split_once("->").expect("input -> outcome");
            let outcome = match input.trim() {
                "start" => life.start(5, &rules),
                "decide" => life.decide(6, &rules, EndReason::LastStanding, Some(1)),
                "stop" => life.decide(6, &rules, EndReason::Terminated, None),
                "finish" => life.finish(),
                "pause" => life.pause(),
                "resume" => life.resume(),
                "terminate" => life.terminate(9, EndReason::Terminated),
                "extend" => life.prepare_until(200),
                other => panic!("no input {other}"),
            };
            let now = match outcome {
                Ok(()) => format!("{:?}/{:?}", life.status(), life.phase()),
                Err(refusal) => format!("{refusal:?}"),
            };
            assert_eq!(now, expected.trim(), "line {line}: {text}");
        }
    }

    #[test]
    fn a_whole_fight() {
        check(
            "extend -> Initializing/Preparation
             finish -> InvalidTransition
             start  -> Active/Active
             start  -> WrongPhase
             extend -> WrongPhase
             decide -> Active/Cooldown
             decide -> InvalidTransition
             start  -> WrongPhase
             finish -> Completed/Finished",
        );
    }

    #[test]
    fn pausing_keeps_the_phase() {
        check(
            "resume -> InvalidTransition
             pause  -> Paused/Preparation
             pause  -> InvalidTransition
             start  -> Paused
             resume -> Initializing/Preparation
             start  -> Active/Active
             pause  -> Paused/Active
             finish -> InvalidTransition
             resume -> Active/Active
             decide -> Active/Cooldown
             pause  -> Paused/Cooldown
             decide -> InvalidTransition
             resume -> Active/Cooldown
             finish -> Completed/Finished",
        );
    }

    #[test]
    fn what_is_paused_can_be_decided_and_terminated() {
        check("start -> Active/Active\n pause -> Paused/Active\n decide -> Active/Cooldown");
        check("start -> Active/Active\n pause -> Paused/Active\n terminate -> Terminated/Finished");
        check("terminate -> Terminated/Finished");
        check("start -> Active/Active\n stop -> Active/Cooldown\n finish -> Terminated/Finished");
    }

    #[test]
    fn terminal_states_take_nothing() {
        for end in [
            "start -> Active/Active\n decide -> Active/Cooldown\n finish -> Completed/Finished",
            "terminate -> Terminated/Finished",
        ] {
            for input in ["start", "decide", "finish", "pause", "resume", "terminate", "extend"] {
                check(&format!("{end}\n {input} -> Ended"));
            }
        }
    }

    #[test]
    fn a_decided_result_survives_termination() {
        let rules = Rules::default();
        let mut life = Lifecycle::new(100);
        life.start(10, &rules).unwrap();
        life.decide(510, &rules, EndReason::LastStanding, Some(1)).unwrap();
        life.terminate(600, EndReason::Terminated).unwrap();
        assert_eq!((life.end(), life.winner()), (Some(EndReason::LastStanding), Some(1)));
        assert_eq!(life.active_ms(9_999), 500);
        assert_eq!((life.status(), life.phase()), (SessionStatus::Terminated, PhaseName::Finished));
        assert_eq!(life.pause(), Err(Refusal::Ended));
    }
}
