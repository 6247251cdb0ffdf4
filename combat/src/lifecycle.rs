//! The course of a fight: one state of the ruleset's machine at a time, and whether it is paused.
//!
//! What leads where is data ([`crate::ruleset::Machine`], published by `tiltyard rules show`); what holds for every ruleset
//! is here. Pausing keeps the state and stops the clocks. A fight can be terminated from anywhere. A state of phase
//! `finished` takes nothing any more.

use serde::{Deserialize, Serialize};

use crate::digest::{Form, Words, choice, form, write_text};
use crate::ruleset::{Deed, Machine, Stage, Trigger};
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

macro_rules! end_reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a fight, or a round, ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum EndReason { $($(#[$doc])* $variant,)* }

        impl EndReason {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its stable name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

end_reasons! {
    /// One participant, or one team, was left.
    LastStanding = "last_standing",
    /// The time was up.
    TimeLimit = "time_limit",
    /// All others gave up or did not come back.
    Forfeit = "forfeit",
    /// Somebody with the right to do so ended it.
    Terminated = "terminated",
    /// It was set to completed by hand.
    Completed = "completed",
    /// Nobody was left to fight it.
    Abandoned = "abandoned",
    /// Stepping it failed.
    Failed = "failed",
    /// A score was reached.
    ScoreLimit = "score_limit",
    /// Most of the rounds were won.
    RoundsWon = "rounds_won",
    /// Every wave of the server's enemies was beaten.
    Cleared = "cleared",
    /// The players held out until the time was up.
    Survived = "survived",
    /// The server's enemies beat all players.
    Defeated = "defeated",
    /// Not everybody was ready when the countdown was over.
    NotReady = "not_ready",
    /// It was paused for too long.
    PauseLimit = "pause_limit",
}

choice!(PhaseName: Preparation = 0, Active = 1, Cooldown = 2, Finished = 3);

impl Form for EndReason {
    fn write(&self, to: &mut impl Words) {
        write_text(self.name().as_bytes(), to);
    }
}

/// Where the fight is. Times are session time, which stands still while the fight is paused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// A place in the states of the machine.
    state: u8,
    phase: PhaseName,
    /// When the state ends by itself; also while paused.
    until: Millis,
    paused: bool,
    /// Set when it has ended; whether that is as terminated.
    ended: Option<bool>,
    /// Set at the first start.
    started_at: Option<Millis>,
    /// Set while in phase active.
    active_since: Option<Millis>,
    /// Time spent in phase active before.
    active_before: Millis,
    outcome: Option<Outcome>,
}

/// Who won, and why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    pub reason: EndReason,
    /// `None` for a draw, or where nobody could win.
    pub winner: Option<Slot>,
    /// `None` for a draw, or where nobody could win.
    pub team: Option<u8>,
}

form!(
    Lifecycle: state, phase, until, paused, ended, started_at, active_since, active_before, outcome,
);
form!(Outcome: reason, winner, team);

impl Outcome {
    pub(crate) const fn nobody(reason: EndReason) -> Self {
        Self { reason, winner: None, team: None }
    }
}

/// The machine of [`crate::Ruleset::lifecycle`].
type Course = Machine<Trigger, Deed, Stage>;

impl Lifecycle {
    /// A new fight in the machine's first state, until `until`.
    pub(crate) fn new(course: &Course, until: Millis) -> Self {
        Self {
            state: course.start,
            phase: course.state(course.start).is,
            until,
            paused: false,
            ended: None,
            started_at: None,
            active_since: None,
            active_before: 0,
            outcome: None,
        }
    }

    pub const fn status(&self) -> SessionStatus {
        match (self.ended, self.paused, self.started_at) {
            (Some(true), ..) => SessionStatus::Terminated,
            (Some(false), ..) => SessionStatus::Completed,
            (None, true, _) => SessionStatus::Paused,
            (None, false, None) if matches!(self.phase, PhaseName::Preparation) => SessionStatus::Initializing,
            (None, false, _) => SessionStatus::Active,
        }
    }

    pub const fn phase(&self) -> PhaseName {
        if self.ended.is_some() { PhaseName::Finished } else { self.phase }
    }

    /// The state: a place in the states of [`crate::Ruleset::lifecycle`].
    pub const fn state(&self) -> u8 {
        self.state
    }

    /// When the state ends by itself; `None` while paused and when ended.
    pub const fn until(&self) -> Option<Millis> {
        if self.paused || self.ended.is_some() { None } else { Some(self.until) }
    }

    /// Milliseconds left of the state, also while paused; 0 when ended.
    pub const fn remaining(&self, now: Millis) -> Millis {
        if self.ended.is_some() { 0 } else { self.until.saturating_sub(now) }
    }

    pub const fn is_ended(&self) -> bool {
        self.ended.is_some()
    }

    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether it is in phase active, paused or not.
    pub const fn is_fighting(&self) -> bool {
        matches!(self.phase(), PhaseName::Active)
    }

    /// Whether it has begun: false in the first preparation.
    pub const fn has_started(&self) -> bool {
        self.started_at.is_some()
    }

    /// Slot of the winner, once decided; `None` also for a draw.
    pub fn winner(&self) -> Option<Slot> {
        self.outcome.and_then(|outcome| outcome.winner)
    }

    /// The team that won, once decided; `None` also for a draw.
    pub fn winning_team(&self) -> Option<u8> {
        self.outcome.and_then(|outcome| outcome.team)
    }

    /// Why it ended; set when it is decided, before the results phase.
    pub fn end(&self) -> Option<EndReason> {
        self.outcome.map(|outcome| outcome.reason)
    }

    /// Milliseconds the fight has been active.
    pub fn active_ms(&self, now: Millis) -> Millis {
        self.active_before + self.active_since.map_or(0, |since| now.saturating_sub(since))
    }

    /// When it went into phase active; `None` while it is in another.
    pub(crate) const fn active_since(&self) -> Option<Millis> {
        self.active_since
    }

    /// Refuses what only a fight in progress takes, naming what is in the way.
    pub(crate) const fn expect_fighting(&self) -> Result<(), Refusal> {
        self.expect(PhaseName::Active)
    }

    /// Refuses what only a fight in preparation takes.
    pub(crate) const fn expect_preparing(&self) -> Result<(), Refusal> {
        self.expect(PhaseName::Preparation)
    }

    const fn expect(&self, wanted: PhaseName) -> Result<(), Refusal> {
        if self.ended.is_some() {
            Err(Refusal::Ended)
        } else if self.paused {
            Err(Refusal::Paused)
        } else if self.phase as u8 == wanted as u8 {
            Ok(())
        } else {
            Err(Refusal::WrongPhase)
        }
    }

    /// Moves the end of the state.
    pub(crate) const fn prepare_until(&mut self, until: Millis) {
        self.until = until;
    }

    /// Where `trigger` leads, if the state takes it. A decision is also taken while paused.
    pub(crate) fn next(&self, course: &Course, trigger: Trigger) -> Result<u8, Refusal> {
        if self.ended.is_some() {
            return Err(Refusal::Ended);
        }
        if self.paused && trigger != Trigger::Decided {
            return Err(Refusal::Paused);
        }
        let refusal = if trigger == Trigger::Decided { Refusal::InvalidTransition } else { Refusal::WrongPhase };
        course.next(self.state, trigger).ok_or(refusal)
    }

    /// Enters a state, with all that holds for every ruleset; what the ruleset wants done is the fight's affair.
    pub(crate) fn enter(&mut self, to: u8, course: &Course, now: Millis, rules: &Rules) {
        let state = course.state(to);
        self.leave_active(now);
        self.state = to;
        self.phase = state.is;
        self.paused = false;
        self.until = state.after.map_or(Millis::MAX, |(wait, _)| now.saturating_add(wait.ms(rules)));
        match state.is {
            PhaseName::Active => {
                self.started_at.get_or_insert(now);
                self.active_since = Some(now);
            }
            PhaseName::Finished => self.ended = Some(self.end() == Some(EndReason::Terminated)),
            PhaseName::Preparation | PhaseName::Cooldown => {}
        }
    }

    /// The result; a first one stays.
    pub(crate) fn conclude(&mut self, outcome: Outcome) -> bool {
        let first = self.outcome.is_none();
        self.outcome.get_or_insert(outcome);
        first
    }

    /// Running -> paused, keeping the state.
    pub(crate) const fn pause(&mut self) -> Result<(), Refusal> {
        self.set_paused(true)
    }

    /// Paused -> running, where it stood.
    pub(crate) const fn resume(&mut self) -> Result<(), Refusal> {
        self.set_paused(false)
    }

    const fn set_paused(&mut self, paused: bool) -> Result<(), Refusal> {
        if self.ended.is_some() {
            return Err(Refusal::Ended);
        }
        if self.paused == paused {
            return Err(Refusal::InvalidTransition);
        }
        self.paused = paused;
        Ok(())
    }

    /// Anything that has not ended -> terminated. A result that was already there stays.
    pub(crate) fn terminate(&mut self, now: Millis, outcome: Outcome) -> Result<(), Refusal> {
        if self.ended.is_some() {
            return Err(Refusal::Ended);
        }
        self.leave_active(now);
        self.conclude(outcome);
        self.paused = false;
        self.ended = Some(true);
        Ok(())
    }

    fn leave_active(&mut self, now: Millis) {
        if let Some(since) = self.active_since.take() {
            self.active_before += now.saturating_sub(since);
        }
    }
}
