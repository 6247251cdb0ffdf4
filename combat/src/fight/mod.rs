//! A fight: inputs to changes.
//!
//! [`admission`] what need not be handled, [`seats`] who takes part, [`participants`] who they are by slot, [`course`] what leads to what, [`rounds`] and [`turns`], [`victory`] who has won, [`timers`] what happens by itself, [`actions`] what
//! a participant does, and what that is made of: [`attack`], [`harm`], [`abilities`], [`casts`], [`effects`], [`movement`]. The world
//! around them: [`enemies`], their [`minds`] and [`routes`], [`things`], [`sight`], [`watch`]. [`form`] what its digest is taken over, [`form7`] how the log had it before.

mod abilities;
mod actions;
mod admission;
mod attack;
mod casts;
mod course;
mod effects;
mod enemies;
mod form;
mod form7;
mod harm;
mod minds;
mod movement;
mod participants;
mod rounds;
mod routes;
mod seats;
mod sight;
mod things;
mod timers;
mod turns;
mod victory;
mod watch;

use rand_pcg::Pcg32;
use serde::{Deserialize, Serialize};

use crate::chance::{self, Dice};
use crate::field::Field;
use crate::participant::ParticipantStatus::Eliminated;
use crate::{
    Answer, EndReason, Input, Lifecycle, Millis, Mode, Participant, PlayerId, Refusal, Rules, Ruleset, Setup, Slot,
    Step,
};

pub use enemies::Waves;
pub use form7::Fight7;
use participants::Participants;
pub use rounds::Rounds;
pub use turns::Turn;

/// Seats that somebody else takes after they were given up. Over: whose seat is given up, keeps it.
pub const MOST_GIVEN_UP: usize = 256;

/// Most seats of players; enemies have the slots behind them.
pub const MOST_SEATS: u8 = 128;

/// A fight: all of its state, and nothing of its ruleset, which it is given with every input. Whoever keeps a fight keeps the hash of
/// its ruleset beside it, and looks whether it is that one when the two are put together again.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fight {
    rules: Rules,
    mode: Mode,
    lifecycle: Lifecycle,
    clock: Clock,
    /// Of the last step that had something to show.
    seq: u64,
    /// What participants draw from; see [`crate::chance`].
    seed: u64,
    /// What the fight itself draws from.
    rng: Pcg32,
    seats: u8,
    /// Whether all seats have been taken at one time: from then on whoever gives its seat up has lost, and before that the seat is
    /// free again.
    gathered: bool,
    /// Players by seat, then the server's enemies.
    participants: Participants,
    /// Seats that were given up while others were still free, and whose they were before somebody else took them. Few fights have
    /// any, and all are small.
    given_up: Option<Box<GivenUp>>,
    /// Of the seats that were given a team; the others are dealt.
    teams: Box<[u8]>,
    /// No timer fires before this: the soonest, or sooner.
    due: Millis,
    totals: Totals,
    field: Field,
    rounds: Rounds,
    turn: Option<Turn>,
    waves: Waves,
    /// Somebody has fallen in this moment; judged when the moment is over, so never between two inputs.
    #[serde(skip)]
    fallen: Option<EndReason>,
}

/// See [`Fight::given_up`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct GivenUp {
    seats: Vec<(Slot, PlayerId)>,
}

/// Sums over the fight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Actions applied.
    pub actions: u64,
    /// Actions refused.
    pub refused: u64,
    /// Health and shield taken by participants from each other.
    pub damage: u64,
    pub eliminations: u32,
}

impl Totals {
    /// What has been added since they were `before`.
    #[must_use]
    pub const fn since(self, before: Self) -> Self {
        Self {
            actions: self.actions - before.actions,
            refused: self.refused - before.refused,
            damage: self.damage - before.damage,
            eliminations: self.eliminations - before.eliminations,
        }
    }
}

/// Session time: the host's time less the time spent paused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Clock {
    now: Millis,
    stopped: Millis,
    /// The host's time of the last input, which goes on while the fight is paused.
    host: Millis,
}

impl Fight {
    /// A fight at time zero with the participants in its first seats.
    pub fn new(ruleset: &Ruleset, setup: Setup) -> Self {
        let Setup { mode, rules, seats, mut participants, teams, seed } = setup;
        participants.truncate(usize::from(MOST_SEATS));
        let taken = u8::try_from(participants.len()).unwrap_or(MOST_SEATS);
        let seats = seats.clamp(taken, MOST_SEATS);
        let wait = if taken == seats { rules.preparation_ms } else { rules.lobby_ms };
        let until = u64::from(wait);
        let mut fight = Self {
            lifecycle: Lifecycle::new(&ruleset.lifecycle, until),
            clock: Clock::default(),
            seq: 0,
            seed,
            rng: chance::of_fight(seed),
            seats,
            gathered: taken == seats,
            participants: Participants::with_capacity(participants.len()),
            given_up: None,
            teams: teams.into(),
            due: 0,
            totals: Totals::default(),
            field: Field::new(&ruleset.environment, 0),
            rounds: Rounds::default(),
            turn: None,
            waves: Waves::default(),
            fallen: None,
            rules,
            mode,
        };
        for (slot, player) in (0..).zip(participants) {
            fight.put_player(ruleset, slot, player);
        }
        fight.begin(ruleset);
        fight
    }

    /// A fight under [`Ruleset::plain`], in mode pvp.
    pub fn plain(rules: Rules, seats: u8, participants: &[PlayerId], seed: u64) -> Self {
        let participants = participants.to_vec();
        Self::new(&Ruleset::plain(), Setup { mode: Mode::Pvp, rules, seats, participants, teams: Vec::new(), seed })
    }

    /// Applies `input` under the ruleset that it has been fought under from the beginning, at the host's time `host_now` (milliseconds since the session was created, never falling), after
    /// everything that was due by then. What changed goes into `step`, which must be clear. The answer is the
    /// sequence of the step, or why the input was refused; also then the step may show what had been due.
    pub fn handle(&mut self, ruleset: &Ruleset, host_now: Millis, input: Input, step: &mut Step) -> Answer {
        debug_assert!(step.is_empty(), "a step is cleared before it is used again");
        self.advance(ruleset, host_now, step);
        if let Input::Act { slot, id, .. } = input
            && let Some(answer) = self.remembered(slot, id)
        {
            self.number(step);
            return answer;
        }
        let outcome = self.apply(ruleset, host_now, input, step);
        self.judge_fallen(ruleset, step);
        self.stop_who_cannot_move(ruleset, step);
        self.number(step);
        let answer = outcome.map(|()| self.seq);
        if let Input::Act { slot, id, .. } = input {
            self.remember(slot, id, answer);
        }
        answer
    }

    /// When [`Input::Tick`] is due, in the host's time; it may be sooner than anything happens.
    pub fn deadline(&self) -> Option<Millis> {
        let phase = self.lifecycle.until()?;
        Some(self.due.min(phase) + self.clock.stopped)
    }

    /// The answer a repeated action gets; `None` for a new one.
    pub fn remembered(&self, slot: Slot, id: u64) -> Option<Answer> {
        if id == 0 {
            return None;
        }
        self.participants.get(slot)?.answers.answer(id)
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    pub fn mode(&self) -> Mode {
        self.mode
    }

    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    /// Players by seat, then the server's enemies.
    pub fn participants(&self) -> &[Participant] {
        self.participants.as_slice()
    }

    /// Who is in a slot.
    pub fn participant(&self, slot: Slot) -> Option<&Participant> {
        self.participants.get(slot)
    }

    /// Of players.
    pub fn seats(&self) -> u8 {
        self.seats
    }

    /// Teams that seats were given at the start; the others were dealt.
    pub fn teams(&self) -> &[u8] {
        &self.teams
    }

    /// The environment as it is.
    pub fn field(&self) -> &Field {
        &self.field
    }

    pub fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// Whose turn it is, where one acts after the other.
    pub fn turn(&self) -> Option<&Turn> {
        self.turn.as_ref()
    }

    pub fn waves(&self) -> &Waves {
        &self.waves
    }

    /// Sequence of the last step that had something to show; 0 before the first.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Session time of the last input.
    pub fn now(&self) -> Millis {
        self.clock.now
    }

    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Seats of players that are taken and have not been given up.
    pub fn seats_taken(&self) -> usize {
        if self.gathered {
            // From then on none is free again. It is asked several times for every input.
            return self.participants.len().min(usize::from(self.seats));
        }
        let players = self.participants.iter().take_while(|p| p.enemy.is_none()).count();
        players - self.vacant().count()
    }

    /// Whether the seat has been given up while the fight waits for others to be taken: it can be taken again.
    pub fn is_vacant(&self, slot: Slot) -> bool {
        self.vacant().any(|vacant| vacant == slot)
    }

    /// Who gave up a seat that somebody else has taken since, seat by seat: who sat in it first, is first.
    pub fn given_up(&self) -> &[(Slot, PlayerId)] {
        self.given_up.as_ref().map_or(&[], |given_up| &given_up.seats)
    }

    /// The slot `player` sits in.
    pub fn slot_of(&self, player: PlayerId) -> Option<Slot> {
        self.slots().find(|&slot| self.participants[slot].player == player)
    }

    /// The host's time now, as it was at the last input: what a clock has to go on from after a restart.
    pub fn host_now(&self) -> Millis {
        self.clock.host
    }

    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        self.participants.slots()
    }

    /// No timer may fire later than the first that was asked for.
    fn wake(&mut self, at: Millis) {
        self.due = self.due.min(at);
    }

    fn number(&mut self, step: &Step) {
        if !step.is_empty() {
            self.seq += 1;
        }
    }

    fn remember(&mut self, slot: Slot, id: u64, answer: Answer) {
        match answer {
            Ok(_) => self.totals.actions += 1,
            Err(_) => self.totals.refused += 1,
        }
        if id > 0
            && let Some(participant) = self.participants.get_mut(slot)
        {
            participant.answers.keep(id, answer);
        }
    }

    fn apply(&mut self, ruleset: &Ruleset, host_now: Millis, input: Input, step: &mut Step) -> Result<(), Refusal> {
        match input {
            Input::Tick => Ok(()),
            Input::Seat { player } => self.seat(ruleset, player, step),
            Input::Ready { slot } => self.ready(ruleset, slot, step).inspect(|()| self.hear_of(slot)),
            Input::Connect { slot } => self.connect(slot, step),
            Input::Disconnect { slot } => self.disconnect(slot, None, step),
            Input::Act { slot, action, .. } => self.act(ruleset, slot, action, step).inspect(|()| self.hear_of(slot)),
            Input::Pause => {
                self.lifecycle.pause()?;
                step.phase();
                Ok(())
            }
            Input::Resume => {
                self.lifecycle.resume()?;
                self.restart_clock(host_now);
                step.phase();
                Ok(())
            }
            Input::Complete => self.complete(ruleset, host_now, step),
            Input::Terminate { force } => self.stop(ruleset, host_now, force, step),
            Input::PauseOver => self.end_pause(host_now, step),
            Input::Concede { slot } => self.concede(ruleset, slot, step),
            Input::Replace { slot } => self.replace(slot, step),
            Input::Part { slot, why } => self.disconnect(slot, Some(why), step),
        }
    }

    /// A participant begins something that may take dice.
    fn begin_deed(&mut self, by: Slot) {
        let deeds = &mut self.participants[by].deeds;
        *deeds = deeds.wrapping_add(1);
    }

    /// The dice for one part of what `by` is doing, as far as it is done to `to`.
    fn dice(&self, by: Slot, part: u8, to: Slot) -> Dice {
        Dice::new(self.seed, by, self.participants[by].deeds, part, to)
    }

    fn restart_clock(&mut self, host_now: Millis) {
        self.clock.stopped = self.clock.stopped.max(host_now.saturating_sub(self.clock.now));
    }
}
