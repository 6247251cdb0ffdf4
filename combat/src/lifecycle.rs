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

/// The state machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    state: State,
    /// Set on entering Active.
    started_at: Option<Millis>,
    /// Set on leaving Active for good.
    fought_until: Option<Millis>,
    /// Time spent paused while Active.
    paused_active: Millis,
    winner: Option<Slot>,
    end: Option<EndReason>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum State {
    Running { phase: Running, until: Millis },
    Paused { phase: Running, left: Millis, since: Millis },
    Completed,
    Terminated,
}

/// The phases in which the clock runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Running {
    Preparation,
    Active,
    Cooldown,
}

impl Lifecycle {
    /// A new fight, in preparation until `until`.
    pub(crate) const fn new(until: Millis) -> Self {
        Self {
            state: State::Running { phase: Running::Preparation, until },
            started_at: None,
            fought_until: None,
            paused_active: 0,
            winner: None,
            end: None,
        }
    }

    #[must_use]
    pub const fn status(&self) -> SessionStatus {
        match self.state {
            State::Running { phase: Running::Preparation, .. } => SessionStatus::Initializing,
            State::Running { .. } => SessionStatus::Active,
            State::Paused { .. } => SessionStatus::Paused,
            State::Completed => SessionStatus::Completed,
            State::Terminated => SessionStatus::Terminated,
        }
    }

    #[must_use]
    pub const fn phase(&self) -> PhaseName {
        match self.state {
            State::Running { phase, .. } | State::Paused { phase, .. } => match phase {
                Running::Preparation => PhaseName::Preparation,
                Running::Active => PhaseName::Active,
                Running::Cooldown => PhaseName::Cooldown,
            },
            State::Completed | State::Terminated => PhaseName::Finished,
        }
    }

    /// When the phase ends by itself; `None` while paused and when ended.
    #[must_use]
    pub const fn until(&self) -> Option<Millis> {
        match self.state {
            State::Running { until, .. } => Some(until),
            _ => None,
        }
    }

    /// Milliseconds left of the phase, also while paused; 0 when ended.
    #[must_use]
    pub const fn remaining(&self, now: Millis) -> Millis {
        match self.state {
            State::Running { until, .. } => until.saturating_sub(now),
            State::Paused { left, .. } => left,
            State::Completed | State::Terminated => 0,
        }
    }

    /// Whether the clocks run and actions are taken.
    pub(crate) const fn is_fighting(&self) -> bool {
        matches!(self.state, State::Running { phase: Running::Active, .. })
    }

    pub(crate) const fn is_preparing(&self) -> bool {
        matches!(self.state, State::Running { phase: Running::Preparation, .. })
    }

    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Completed | State::Terminated)
    }

    #[must_use]
    pub const fn is_paused(&self) -> bool {
        matches!(self.state, State::Paused { .. })
    }

    #[must_use]
    pub const fn winner(&self) -> Option<Slot> {
        self.winner
    }

    /// Why it ended; set when it is decided, before the results phase.
    #[must_use]
    pub const fn end(&self) -> Option<EndReason> {
        self.end
    }

    /// Milliseconds the fight has been active, pauses left out.
    #[must_use]
    pub fn active_ms(&self, now: Millis) -> Millis {
        let Some(started) = self.started_at else { return 0 };
        let end = match self.state {
            State::Paused { phase: Running::Active, since, .. } => since,
            _ => self.fought_until.unwrap_or(now),
        };
        end.saturating_sub(started).saturating_sub(self.paused_active)
    }

    /// Refuses what only a fight in progress takes, naming what is in the way.
    pub(crate) const fn expect_fighting(&self) -> Result<(), Refusal> {
        match self.state {
            State::Running { phase: Running::Active, .. } => Ok(()),
            State::Running { .. } => Err(Refusal::WrongPhase),
            State::Paused { .. } => Err(Refusal::Paused),
            State::Completed | State::Terminated => Err(Refusal::Ended),
        }
    }

    /// Refuses what only a fight in preparation takes.
    pub(crate) const fn expect_preparing(&self) -> Result<(), Refusal> {
        match self.state {
            State::Running { phase: Running::Preparation, .. } => Ok(()),
            State::Running { .. } => Err(Refusal::WrongPhase),
            State::Paused { .. } => Err(Refusal::Paused),
            State::Completed | State::Terminated => Err(Refusal::Ended),
        }
    }

    /// Preparation: move the end of the countdown.
    pub(crate) const fn prepare_until(&mut self, deadline: Millis) {
        if let State::Running { phase: Running::Preparation, until } = &mut self.state {
            *until = deadline;
        }
    }

    /// Preparation -> Active.
    pub(crate) const fn start(&mut self, now: Millis, rules: &Rules) -> Result<(), Refusal> {
        match self.expect_preparing() {
            Ok(()) => {
                self.started_at = Some(now);
                self.state = State::Running { phase: Running::Active, until: now + rules.max_duration_ms as u64 };
                Ok(())
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// Preparation or Active (running or paused) -> Cooldown, with the result.
    pub(crate) fn decide(
        &mut self,
        now: Millis,
        rules: &Rules,
        end: EndReason,
        winner: Option<Slot>,
    ) -> Result<(), Refusal> {
        match self.state {
            State::Running { phase: Running::Preparation | Running::Active, .. } => {}
            State::Paused { phase: Running::Preparation | Running::Active, .. } => self.resume(now)?,
            State::Running { phase: Running::Cooldown, .. } | State::Paused { .. } => {
                return Err(Refusal::InvalidTransition);
            }
            State::Completed | State::Terminated => return Err(Refusal::Ended),
        }
        self.leave_active(now);
        self.end = Some(end);
        self.winner = winner;
        self.state = State::Running { phase: Running::Cooldown, until: now + u64::from(rules.cooldown_ms) };
        Ok(())
    }

    /// Cooldown -> Completed, or Terminated where that is what ended it.
    pub(crate) fn finish(&mut self) -> Result<(), Refusal> {
        match self.state {
            State::Running { phase: Running::Cooldown, .. } => {
                self.state = if self.end == Some(EndReason::Terminated) { State::Terminated } else { State::Completed };
                Ok(())
            }
            State::Completed | State::Terminated => Err(Refusal::Ended),
            State::Running { .. } | State::Paused { .. } => Err(Refusal::InvalidTransition),
        }
    }

    /// Stops the clock, keeping the phase.
    pub(crate) const fn pause(&mut self, now: Millis) -> Result<(), Refusal> {
        match self.state {
            State::Running { phase, until } => {
                self.state = State::Paused { phase, left: until.saturating_sub(now), since: now };
                Ok(())
            }
            State::Paused { .. } => Err(Refusal::InvalidTransition),
            State::Completed | State::Terminated => Err(Refusal::Ended),
        }
    }

    /// Starts it again where it stood.
    pub(crate) fn resume(&mut self, now: Millis) -> Result<(), Refusal> {
        match self.state {
            State::Paused { phase, left, since } => {
                if phase == Running::Active {
                    self.paused_active += now.saturating_sub(since);
                }
                self.state = State::Running { phase, until: now + left };
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
        if self.is_paused() {
            self.resume(now)?;
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
