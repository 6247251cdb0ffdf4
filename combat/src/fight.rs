//! A fight: inputs to changes.

use std::hash::{Hash, Hasher};

use rand_core::Rng;
use rand_pcg::Pcg32;
use serde::{Deserialize, Serialize};

use crate::digest::StateHasher;
use crate::participant::ParticipantStatus::{Active, Disconnected, Eliminated};
use crate::{
    Action, Answer, EndReason, Event, Fields, Input, Lifecycle, Millis, Participant, PlayerId, Refusal, Rules, Slot,
    Step,
};

/// The stream of the random number generator; the seed is its state.
const RNG_STREAM: u64 = 0x7117_7A2D;

/// A fight and everything that decides how it goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fight {
    rules: Rules,
    lifecycle: Lifecycle,
    clock: Clock,
    /// Of the last step that had something to show.
    seq: u64,
    rng: Pcg32,
    seats: u8,
    participants: Vec<Participant>,
    /// The soonest `forfeit_at`.
    forfeit_due: Option<Millis>,
    rate: RateWindow,
    totals: Totals,
}

/// Sums over the fight.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Totals {
    /// Actions applied.
    pub actions: u64,
    /// Actions refused.
    pub refused: u64,
    pub damage: u64,
    pub eliminations: u32,
}

/// Session time: the host's time less the time spent paused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct Clock {
    now: Millis,
    stopped: Millis,
}

/// Actions taken in the current second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct RateWindow {
    since: Millis,
    actions: u32,
}

impl Fight {
    /// A fight at time zero with `participants` in its first seats. More than 255 seats are cut off, fewer than
    /// participants are raised.
    pub fn new(rules: Rules, seats: u8, participants: &[PlayerId], seed: u64) -> Self {
        let taken = u8::try_from(participants.len()).unwrap_or(u8::MAX);
        let seats = seats.max(taken);
        let wait = if taken == seats { rules.preparation_ms } else { rules.lobby_ms };
        Self {
            lifecycle: Lifecycle::new(u64::from(wait)),
            clock: Clock::default(),
            seq: 0,
            rng: Pcg32::new(seed, RNG_STREAM),
            seats,
            participants: participants
                .iter()
                .take(usize::from(taken))
                .map(|&player| Participant::new(player, &rules, 0))
                .collect(),
            forfeit_due: None,
            rate: RateWindow::default(),
            totals: Totals::default(),
            rules,
        }
    }

    /// Applies `input` at the host's time `host_now` (milliseconds since the session was created, never falling), after
    /// everything that was due by then. What changed goes into `step`, which must be clear. The answer is the
    /// sequence of the step, or why the input was refused; also then the step may show what had been due.
    pub fn handle(&mut self, host_now: Millis, input: Input, step: &mut Step) -> Answer {
        debug_assert!(step.is_empty(), "a step is cleared before it is used again");
        self.advance(host_now, step);
        if let Input::Act { slot, id, .. } = input
            && let Some(answer) = self.remembered(slot, id)
        {
            self.number(step);
            return answer;
        }
        let outcome = self.apply(host_now, input, step);
        self.number(step);
        let answer = outcome.map(|()| self.seq);
        if let Input::Act { slot, id, .. } = input {
            self.remember(slot, id, answer);
        }
        answer
    }

    /// When [`Input::Tick`] is due, in the host's time.
    pub fn deadline(&self) -> Option<Millis> {
        let phase = self.lifecycle.until()?;
        Some(self.next_forfeit().map_or(phase, |due| due.min(phase)) + self.clock.stopped)
    }

    /// The answer a repeated action gets; `None` for a new one.
    pub fn remembered(&self, slot: Slot, id: u64) -> Option<Answer> {
        if id == 0 {
            return None;
        }
        self.participants.get(usize::from(slot))?.answers.answer(id)
    }

    /// Everything that decides how the fight goes on, in one number.
    pub fn state_digest(&self) -> u64 {
        let mut hasher = StateHasher::new();
        self.rules.hash(&mut hasher);
        self.lifecycle.hash(&mut hasher);
        self.clock.hash(&mut hasher);
        self.seq.hash(&mut hasher);
        // The generator shows its state only in what it draws next.
        self.rng.clone().next_u64().hash(&mut hasher);
        self.seats.hash(&mut hasher);
        self.participants.hash(&mut hasher);
        self.forfeit_due.hash(&mut hasher);
        self.rate.hash(&mut hasher);
        self.totals.hash(&mut hasher);
        hasher.finish()
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    pub fn lifecycle(&self) -> &Lifecycle {
        &self.lifecycle
    }

    pub fn participants(&self) -> &[Participant] {
        &self.participants
    }

    pub fn seats(&self) -> u8 {
        self.seats
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

    /// The slot `player` sits in.
    pub fn slot_of(&self, player: PlayerId) -> Option<Slot> {
        self.slots().find(|&slot| self.participants[usize::from(slot)].player == player)
    }

    /// The host's time now, as it was at the last input: what a clock has to go on from after a restart.
    pub fn host_now(&self) -> Millis {
        self.clock.now + self.clock.stopped
    }

    /// Slots by standing: survivors first, then by score, health and damage.
    pub fn standings(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.slots().collect();
        slots.sort_by_key(|&slot| {
            let p = &self.participants[usize::from(slot)];
            let won = self.lifecycle.winner() == Some(slot);
            std::cmp::Reverse((won, p.status != Eliminated, p.score, p.hp, p.damage, std::cmp::Reverse(slot)))
        });
        slots
    }

    fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        0..u8::try_from(self.participants.len()).unwrap_or(u8::MAX)
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
            && let Some(participant) = self.participants.get_mut(usize::from(slot))
        {
            participant.answers.keep(id, answer);
        }
    }

    /// Moves the clock and fires what is due, in order of time.
    fn advance(&mut self, host_now: Millis, step: &mut Step) {
        if self.lifecycle.is_paused() {
            return;
        }
        self.clock.now = self.clock.now.max(host_now.saturating_sub(self.clock.stopped));
        let now = self.clock.now;
        while let Some(phase_due) = self.lifecycle.until() {
            if let Some(due) = self.next_forfeit()
                && due <= now.min(phase_due)
            {
                self.forfeit_late(due, step);
            } else if phase_due <= now {
                self.phase_over(step);
            } else {
                break;
            }
        }
    }

    fn apply(&mut self, host_now: Millis, input: Input, step: &mut Step) -> Result<(), Refusal> {
        match input {
            Input::Tick => Ok(()),
            Input::Seat { player } => self.seat(player, step),
            Input::Ready { slot } => self.ready(slot, step),
            Input::Connect { slot } => self.connect(slot, step),
            Input::Disconnect { slot } => self.disconnect(slot, step),
            Input::Act { slot, action, .. } => self.act(slot, action, step),
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
            Input::Complete => self.decide(host_now, EndReason::Completed, self.leader(), step),
            Input::Terminate { force: false } => match self.decide(host_now, EndReason::Terminated, None, step) {
                Err(Refusal::InvalidTransition) => self.terminate(host_now, EndReason::Terminated, step),
                done => done,
            },
            Input::Terminate { force: true } => self.terminate(host_now, EndReason::Terminated, step),
        }
    }

    fn restart_clock(&mut self, host_now: Millis) {
        self.clock.stopped = self.clock.stopped.max(host_now.saturating_sub(self.clock.now));
    }

    // Seats and connections.

    fn seat(&mut self, player: PlayerId, step: &mut Step) -> Result<(), Refusal> {
        self.lifecycle.expect_preparing()?;
        if self.slot_of(player).is_some() {
            return Err(Refusal::AlreadySeated);
        }
        let slot = u8::try_from(self.participants.len()).map_err(|_| Refusal::Full)?;
        if slot >= self.seats {
            return Err(Refusal::Full);
        }
        self.participants.push(Participant::new(player, &self.rules, self.clock.now));
        step.touch(slot, Fields::SEAT);
        step.note(Event::Seated { by: slot });
        if slot + 1 == self.seats {
            self.lifecycle.prepare_until(self.clock.now + u64::from(self.rules.preparation_ms))?;
            step.phase();
            self.check_victory(EndReason::Forfeit, step);
        }
        Ok(())
    }

    fn ready(&mut self, slot: Slot, step: &mut Step) -> Result<(), Refusal> {
        let index = self.index(slot)?;
        self.lifecycle.expect_preparing()?;
        let participant = &mut self.participants[index];
        if participant.status == Eliminated {
            return Err(Refusal::Eliminated);
        }
        if !participant.ready {
            participant.ready = true;
            step.touch(slot, Fields::READY);
            step.note(Event::Ready { by: slot });
        }
        self.start_if_all_ready(step);
        Ok(())
    }

    /// Nobody waits for those who are eliminated, nor for a fight that has started already.
    fn start_if_all_ready(&mut self, step: &mut Step) {
        let full = self.participants.len() == usize::from(self.seats);
        let ready = self.participants.iter().all(|p| p.ready || p.status == Eliminated);
        if full && ready && self.lifecycle.start(self.clock.now, &self.rules).is_ok() {
            step.phase();
        }
    }

    fn connect(&mut self, slot: Slot, step: &mut Step) -> Result<(), Refusal> {
        let index = self.index(slot)?;
        let participant = &mut self.participants[index];
        if participant.connected {
            return Ok(());
        }
        participant.connected = true;
        if self.lifecycle.is_ended() {
            return Ok(());
        }
        participant.forfeit_at = None;
        step.note(Event::Connected { by: slot });
        if participant.status == Disconnected {
            participant.status = Active;
            step.touch(slot, Fields::STATUS);
        }
        self.find_forfeit_due();
        Ok(())
    }

    fn disconnect(&mut self, slot: Slot, step: &mut Step) -> Result<(), Refusal> {
        let index = self.index(slot)?;
        let participant = &mut self.participants[index];
        if !participant.connected {
            return Ok(());
        }
        participant.connected = false;
        if self.lifecycle.is_ended() {
            return Ok(());
        }
        step.note(Event::Disconnected { by: slot });
        if participant.status == Active {
            participant.status = Disconnected;
            participant.forfeit_at = Some(self.clock.now + u64::from(self.rules.reconnect_ms));
            step.touch(slot, Fields::STATUS);
            self.find_forfeit_due();
        }
        Ok(())
    }

    fn forfeit_late(&mut self, due: Millis, step: &mut Step) {
        for slot in self.slots() {
            let participant = &mut self.participants[usize::from(slot)];
            if participant.forfeit_at.is_some_and(|at| at <= due) {
                participant.forfeit_at = None;
                participant.status = Eliminated;
                step.touch(slot, Fields::STATUS);
                step.note(Event::Forfeited { by: slot });
            }
        }
        self.find_forfeit_due();
        self.check_victory(EndReason::Forfeit, step);
        self.start_if_all_ready(step);
    }

    /// When the next seat is forfeited: no more once the fight is decided, so that its result stays as it is.
    fn next_forfeit(&self) -> Option<Millis> {
        if self.lifecycle.end().is_some() { None } else { self.forfeit_due }
    }

    fn find_forfeit_due(&mut self) {
        self.forfeit_due = self.participants.iter().filter_map(|p| p.forfeit_at).min();
    }

    // Actions.

    fn act(&mut self, slot: Slot, action: Action, step: &mut Step) -> Result<(), Refusal> {
        let index = self.index(slot)?;
        self.lifecycle.expect_fighting()?;
        if self.participants[index].status == Eliminated {
            return Err(Refusal::Eliminated);
        }
        self.rate.take(self.clock.now, self.rules.actions_per_second)?;
        match action {
            Action::Attack { target } => self.attack(slot, target.ok_or(Refusal::NeedsTarget)?, step),
            Action::Defend => self.defend(slot, step),
            Action::Unavailable => Err(Refusal::Unavailable),
        }
    }

    fn attack(&mut self, by: Slot, to: Slot, step: &mut Step) -> Result<(), Refusal> {
        let now = self.clock.now;
        let target = self.participants.get(usize::from(to)).ok_or(Refusal::NoSuchTarget)?;
        if by == to || target.status == Eliminated {
            return Err(Refusal::InvalidTarget);
        }
        let guarded = target.guard_until > now;
        let armor = target.armor;
        let attacker = &mut self.participants[usize::from(by)];
        if attacker.attack_ready_at > now {
            return Err(Refusal::Cooldown { until: attacker.attack_ready_at });
        }
        attacker.attack_ready_at = now + u64::from(self.rules.attack_interval_ms);

        let rules = &self.rules;
        let base =
            rules.attack_damage_min + below(&mut self.rng, rules.attack_damage_max - rules.attack_damage_min + 1);
        let critical = below(&mut self.rng, 100) < rules.critical_percent;
        let damage = damage(rules, base, critical, armor, guarded);

        let target = &mut self.participants[usize::from(to)];
        let dealt = damage.min(target.hp);
        target.hp -= dealt;
        let eliminated = target.hp == 0;
        if eliminated {
            target.status = Eliminated;
            target.forfeit_at = None;
        }
        step.touch(to, Fields::HP);
        step.note(Event::Hit { by, to, damage, critical, guarded });
        self.participants[usize::from(by)].damage += u64::from(dealt);
        self.totals.damage += u64::from(dealt);
        if eliminated {
            self.eliminate(by, to, step);
        }
        Ok(())
    }

    fn eliminate(&mut self, by: Slot, to: Slot, step: &mut Step) {
        let winner = &mut self.participants[usize::from(by)];
        winner.eliminations += 1;
        winner.score = winner.score.saturating_add(self.rules.elimination_score);
        self.totals.eliminations += 1;
        step.touch(to, Fields::STATUS);
        step.touch(by, Fields::SCORE);
        step.note(Event::Eliminated { by, to });
        self.find_forfeit_due();
        self.check_victory(EndReason::LastStanding, step);
    }

    fn defend(&mut self, by: Slot, step: &mut Step) -> Result<(), Refusal> {
        let now = self.clock.now;
        let defender = &mut self.participants[usize::from(by)];
        if defender.defend_ready_at > now {
            return Err(Refusal::Cooldown { until: defender.defend_ready_at });
        }
        defender.stamina.take(self.rules.defend_cost, now, &self.rules).map_err(|until| Refusal::Stamina { until })?;
        defender.defend_ready_at = now + u64::from(self.rules.defend_cooldown_ms);
        defender.guard_until = now + u64::from(self.rules.defend_ms);
        step.touch(by, Fields::GUARD);
        step.touch(by, Fields::STAMINA);
        step.note(Event::Guard { by });
        Ok(())
    }

    fn index(&self, slot: Slot) -> Result<usize, Refusal> {
        let index = usize::from(slot);
        if index < self.participants.len() { Ok(index) } else { Err(Refusal::NoSeat) }
    }

    // The course of the fight. Each of these is only called in a state that takes it, or hands on the refusal.

    fn phase_over(&mut self, step: &mut Step) {
        use crate::PhaseName as P;
        let now = self.clock.now;
        let full = self.participants.len() == usize::from(self.seats);
        let moved = match self.lifecycle.phase() {
            P::Preparation if full => self.lifecycle.start(now, &self.rules),
            P::Preparation => {
                step.decide();
                self.lifecycle.terminate(now, EndReason::Abandoned)
            }
            P::Active => {
                step.decide();
                self.lifecycle.decide(now, &self.rules, EndReason::TimeLimit, self.leader())
            }
            P::Cooldown | P::Finished => self.lifecycle.finish(),
        };
        debug_assert!(moved.is_ok(), "a phase that has a deadline can be left");
        step.phase();
    }

    fn check_victory(&mut self, reason: EndReason, step: &mut Step) {
        let now = self.clock.now;
        let mut standing = self.slots().filter(|&slot| self.participants[usize::from(slot)].status != Eliminated);
        let first = standing.next();
        let alone = standing.next().is_none();
        let full = self.participants.len() == usize::from(self.seats);
        let moved = match first {
            None if full => self.lifecycle.decide(now, &self.rules, EndReason::Abandoned, None),
            None => self.lifecycle.terminate(now, EndReason::Abandoned),
            Some(_) if alone && full && self.participants.len() > 1 => {
                self.lifecycle.decide(now, &self.rules, reason, first)
            }
            Some(_) => return,
        };
        if moved.is_ok() {
            step.decide();
            step.phase();
        }
    }

    /// Who would win now: the best standing, unless another stands as well.
    fn leader(&self) -> Option<Slot> {
        let rank = |slot: Slot| {
            let p = &self.participants[usize::from(slot)];
            (p.status != Eliminated, p.score, p.hp)
        };
        let order = self.standings();
        let &first = order.first()?;
        match order.get(1) {
            Some(&second) if rank(first) == rank(second) => None,
            _ => Some(first),
        }
    }

    fn decide(
        &mut self,
        host_now: Millis,
        end: EndReason,
        winner: Option<Slot>,
        step: &mut Step,
    ) -> Result<(), Refusal> {
        let paused = self.lifecycle.is_paused();
        self.lifecycle.decide(self.clock.now, &self.rules, end, winner)?;
        if paused {
            self.restart_clock(host_now);
        }
        step.decide();
        step.phase();
        Ok(())
    }

    fn terminate(&mut self, host_now: Millis, end: EndReason, step: &mut Step) -> Result<(), Refusal> {
        let (paused, decided) = (self.lifecycle.is_paused(), self.lifecycle.end().is_some());
        self.lifecycle.terminate(self.clock.now, end)?;
        if paused {
            self.restart_clock(host_now);
        }
        if !decided {
            step.decide();
        }
        step.phase();
        Ok(())
    }
}

impl RateWindow {
    fn take(&mut self, now: Millis, per_second: u32) -> Result<(), Refusal> {
        if per_second == 0 {
            return Ok(());
        }
        if now >= self.since + 1000 {
            *self = Self { since: now, actions: 0 };
        }
        if self.actions >= per_second {
            return Err(Refusal::RateLimited { until: self.since + 1000 });
        }
        self.actions += 1;
        Ok(())
    }
}

/// Damage in whole points: base x critical x 100 / (100 + armor) x guard, rounded half up.
fn damage(rules: &Rules, base: u32, critical: bool, armor: u32, guarded: bool) -> u32 {
    let critical = if critical { u64::from(rules.critical_damage_percent) } else { 100 };
    let guard = if guarded { u64::from(100 - rules.defend_percent) } else { 100 };
    let scaled = u64::from(base) * critical * guard * 100;
    let divisor = 10_000 * (100 + u64::from(armor));
    u32::try_from((scaled + divisor / 2) / divisor).unwrap_or(u32::MAX)
}

/// A number from 0 to `bound` - 1. Not the library's: that one may change what it draws between versions.
#[allow(clippy::cast_possible_truncation)] // The high half of the product is below `bound`.
fn below(rng: &mut Pcg32, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}
