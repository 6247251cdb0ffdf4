//! What leads to what: the ruleset's machine, rounds, turns, and who has won.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Eliminated, Fight};
use crate::chance::below;
use crate::digest::form;
use crate::field::Field;
use crate::lifecycle::Outcome;
use crate::participant::Pool;
use crate::ruleset::{Deed, Trigger};
use crate::{EndReason, Event, Fields, Millis, PhaseName, Refusal, Ruleset, Slot, Step};

/// The shortest turn: one of a millisecond would pass more often than a fight that is looked at late can catch up with.
const LEAST_TURN_MS: u32 = 1_000;

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

/// Whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// By initiative.
    pub(super) order: SmallVec<[Slot; 8]>,
    /// A place in `order`.
    pub(super) at: u8,
    pub(super) until: Millis,
}

form!(Turn: order, at, until);

impl Turn {
    pub fn slot(&self) -> Slot {
        self.order[usize::from(self.at)]
    }

    /// Session time at which the turn passes by itself.
    pub fn until(&self) -> Millis {
        self.until
    }
}

impl Fight {
    /// The first state has been entered with the fight itself.
    pub(super) fn begin(&mut self, ruleset: &Ruleset) {
        let mut step = Step::default();
        self.do_deeds(ruleset, self.lifecycle.state(), true, &mut step);
        self.look_around(ruleset, &mut step);
    }

    /// Leaves the state and enters `to`, with what the ruleset wants done on the way.
    fn enter(&mut self, ruleset: &Ruleset, to: u8, step: &mut Step) {
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
    fn conclude(&mut self, outcome: Outcome, step: &mut Step) {
        if self.lifecycle.conclude(outcome) {
            self.turn = None;
            step.decide();
        }
    }

    fn end_without(&mut self, reason: EndReason, step: &mut Step) {
        let first = self.lifecycle.end().is_none();
        if self.lifecycle.terminate(self.clock.now, Outcome::nobody(reason)).is_ok() {
            if first {
                step.decide();
            }
            step.phase();
        }
    }

    // Victory.

    /// Whether the players fight enemies that the server plays.
    pub(super) fn against_server(&self, ruleset: &Ruleset) -> bool {
        self.mode == crate::Mode::Pve && !ruleset.waves.is_empty()
    }

    /// Whether nobody has to be waited for before somebody can have won.
    fn has_all(&self) -> bool {
        self.gathered || self.lifecycle.has_started()
    }

    /// A moment is over: what it means that somebody has fallen in it. All who have fallen have done so together, so that
    /// no order among them decides.
    pub(super) fn judge_fallen(&mut self, ruleset: &Ruleset, step: &mut Step) {
        let Some(reason) = self.fallen.take() else { return };
        let (round, fighting) = (self.rounds.over, self.lifecycle.is_fighting());
        if fighting {
            self.check_score(ruleset, step);
        }
        if self.lifecycle.is_fighting() == fighting && self.rounds.over == round {
            self.check_victory(ruleset, reason, step);
        }
        if !fighting {
            self.start_if_all_ready(ruleset, step);
        }
        self.pass_turn_of_fallen(step);
    }

    /// Whether those who have fallen in this moment leave one side, or nobody, among players.
    pub(super) fn is_one_side_left(&self, ruleset: &Ruleset) -> bool {
        let mut standing = self.participants.iter().filter(|p| p.status != Eliminated).map(|p| p.team);
        let first = standing.next();
        self.fallen.is_some() && !self.against_server(ruleset) && standing.all(|team| Some(team) == first)
    }

    /// Looks whether one side is left alone.
    pub(super) fn check_victory(&mut self, ruleset: &Ruleset, reason: EndReason, step: &mut Step) {
        if self.lifecycle.end().is_some() || self.lifecycle.is_ended() {
            return;
        }
        // Who has fallen in a round that is over is back in the next.
        let between = !self.lifecycle.is_fighting();
        let standing = |p: &&crate::Participant| p.status != Eliminated || between && p.enemy.is_none() && !p.forfeited;
        let Some(first) = self.participants.iter().find(standing).map(|p| p.team) else {
            // Players and enemies may have brought each other down.
            let fought = self.participants.iter().any(|p| p.enemy.is_none() && !p.forfeited);
            return if self.against_server(ruleset) && fought {
                self.won(ruleset, EndReason::Defeated, None, step);
            } else if self.has_all() {
                // They have brought each other down, or all of them have left.
                let left = self.participants.iter().all(|p| p.forfeited);
                self.won(ruleset, if left { EndReason::Abandoned } else { reason }, None, step);
            } else {
                self.end_without(EndReason::Abandoned, step);
            };
        };
        if self.against_server(ruleset) {
            let players = self.participants.iter().filter(standing).any(|p| p.enemy.is_none());
            let enemies = self.participants.iter().filter(standing).any(|p| p.enemy.is_some());
            let out = self.participants.iter().all(|p| p.enemy.is_some() || p.forfeited);
            if !players {
                let reason = if out && !enemies { EndReason::Abandoned } else { EndReason::Defeated };
                self.won(ruleset, reason, enemies.then_some(super::enemies::TEAM), step);
            } else if !enemies && self.lifecycle.is_fighting() && self.wave_cleared(ruleset) {
                self.won(ruleset, EndReason::Cleared, Some(0), step);
            }
            return;
        }
        let alone = self.participants.iter().filter(standing).all(|p| p.team == first);
        if alone && self.has_all() && self.participants.len() > 1 {
            self.won(ruleset, reason, Some(first), step);
        }
    }

    /// Looks whether a team has the score that wins. Of several that reach it in one moment it is the one with the most.
    fn check_score(&mut self, ruleset: &Ruleset, step: &mut Step) {
        let limit = u64::from(self.rules.score_limit);
        let Some(most) = self.participants.iter().map(|p| self.score_of(p.team)).max() else { return };
        if limit == 0 || most < limit {
            return;
        }
        let mut first = self.participants.iter().filter(|p| self.score_of(p.team) == most).map(|p| p.team);
        let team = first.next().filter(|&team| first.all(|other| other == team));
        self.won(ruleset, EndReason::ScoreLimit, team, step);
    }

    /// In this round.
    fn score_of(&self, team: u8) -> u64 {
        let of_team = self.participants.iter().filter(|p| p.team == team);
        of_team.map(|p| u64::from(p.score - p.score_before)).sum()
    }

    /// A team has won the round, or nobody has.
    fn won(&mut self, ruleset: &Ruleset, reason: EndReason, team: Option<u8>, step: &mut Step) {
        if self.lifecycle.end().is_some() {
            return;
        }
        // Who has given up does not come back for the next round.
        let for_good = reason == EndReason::Forfeit || self.only_forfeits_are_down(team);
        if self.rules.rounds > 1 && self.lifecycle.is_fighting() && !for_good {
            self.round_over(ruleset, reason, team, step);
        } else {
            self.win(ruleset, reason, team, step);
        }
    }

    /// Whether every participant of the other teams has given up.
    fn only_forfeits_are_down(&self, team: Option<u8>) -> bool {
        self.participants.iter().all(|p| Some(p.team) == team || p.forfeited)
    }

    fn win(&mut self, ruleset: &Ruleset, reason: EndReason, team: Option<u8>, step: &mut Step) {
        let winner = team.and_then(|team| self.best_of(team));
        if let Ok(to) = self.lifecycle.next(&ruleset.lifecycle, Trigger::Decided) {
            self.conclude(Outcome { reason, winner, team }, step);
            self.enter(ruleset, to, step);
        }
    }

    fn round_over(&mut self, ruleset: &Ruleset, reason: EndReason, team: Option<u8>, step: &mut Step) {
        // The next counts from here.
        for p in &mut self.participants {
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

    /// The result when the time is up.
    fn judge(&self, ruleset: &Ruleset) -> Outcome {
        if self.against_server(ruleset) {
            let survived = self.rules.survive > 0;
            let reason = if survived { EndReason::Survived } else { EndReason::TimeLimit };
            let team = survived.then_some(0);
            return Outcome { reason, winner: team.and_then(|team| self.best_of(team)), team };
        }
        let (winner, team) = if self.rules.strict_draws > 0 { (None, None) } else { self.leader() };
        Outcome { reason: EndReason::TimeLimit, winner, team }
    }

    /// Who would win now: the best of the best team, unless another stands as well.
    fn leader(&self) -> (Option<Slot>, Option<u8>) {
        let rank = |team: u8| {
            let of_team = || self.participants.iter().filter(move |p| p.team == team);
            let standing = of_team().filter(|p| p.status != Eliminated);
            let health: u64 = standing.clone().map(|p| u64::from(p.hp)).sum();
            (standing.count() > 0, self.score_of(team), health)
        };
        let mut teams: SmallVec<[u8; 8]> = SmallVec::new();
        for p in &self.participants {
            if !teams.contains(&p.team) {
                teams.push(p.team);
            }
        }
        teams.sort_by_key(|&team| std::cmp::Reverse(rank(team)));
        let team = match teams[..] {
            [] => None,
            [first, second, ..] if rank(first) == rank(second) => None,
            [first, ..] => Some(first),
        };
        (team.and_then(|team| self.best_of(team)), team)
    }

    fn best_of(&self, team: u8) -> Option<Slot> {
        let of_team = |&slot: &Slot| {
            let p = &self.participants[usize::from(slot)];
            p.team == team && p.enemy.is_none()
        };
        self.standings().into_iter().find(of_team)
    }

    /// Slots by standing: the winner first, then the winning team, then survivors; by score, health and damage.
    pub fn standings(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.slots().collect();
        slots.sort_by_key(|&slot| {
            let p = &self.participants[usize::from(slot)];
            let won = self.lifecycle.winner() == Some(slot);
            let on_team = self.lifecycle.winning_team() == Some(p.team);
            std::cmp::Reverse((won, on_team, p.status != Eliminated, p.score, p.hp, p.damage, std::cmp::Reverse(slot)))
        });
        slots
    }

    // A round begins.

    fn reset(&mut self, ruleset: &Ruleset, step: &mut Step) {
        let now = self.clock.now;
        if !self.lifecycle.has_started() {
            return;
        }
        self.dismiss_enemies(ruleset, step);
        for slot in self.slots() {
            let rules = &self.rules;
            let p = &mut self.participants[usize::from(slot)];
            if p.forfeited || p.enemy.is_some() {
                continue;
            }
            if p.status == Eliminated {
                p.stand_again(rules, now);
                self.due = self.due.min(p.forfeit_at.unwrap_or(Millis::MAX));
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
            self.place_at_start(ruleset, slot);
            step.touch(slot, Fields::SEAT);
        }
    }

    fn restore(&mut self, ruleset: &Ruleset, step: &mut Step) {
        if !self.lifecycle.has_started() {
            return;
        }
        self.field = Field::new(&ruleset.environment, self.clock.now);
        self.show_field(step);
        self.look_around(ruleset, step);
    }

    // Turns.

    fn begin_turns(&mut self, ruleset: &Ruleset, step: &mut Step) {
        self.begin_round(ruleset, step);
        if self.rules.turn_ms == 0 {
            return;
        }
        let mut order: SmallVec<[Slot; 8]> = self.slots().collect();
        // Initiative: each place is drawn from those that are left.
        for place in (1..order.len()).rev() {
            let drawn = below(&mut self.rng, u32::try_from(place + 1).unwrap_or(u32::MAX));
            order.swap(place, drawn as usize);
        }
        self.turn = Some(Turn { order, at: 0, until: 0 });
        self.give_turn(0, step);
    }

    /// Who comes late acts last.
    pub(super) fn join_turns(&mut self, slot: Slot) {
        if let Some(turn) = &mut self.turn
            && !turn.order.contains(&slot)
        {
            turn.order.push(slot);
        }
    }

    /// The turn goes to the next who stands.
    pub(super) fn pass_turn(&mut self, step: &mut Step) {
        let Some(at) = self.turn.as_ref().map(|turn| turn.at) else { return };
        self.give_turn(usize::from(at) + 1, step);
    }

    /// Whoever's turn it was has acted. It may have fallen by that, or the round is over: then it is passed already.
    pub(super) fn end_turn_of(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let round = self.rounds.over;
        self.judge_fallen(ruleset, step);
        if self.rounds.over == round && self.turn.as_ref().is_some_and(|turn| turn.slot() == slot) {
            self.pass_turn(step);
        }
    }

    /// Nobody waits for who has fallen in its own turn.
    fn pass_turn_of_fallen(&mut self, step: &mut Step) {
        let Some(slot) = self.turn.as_ref().map(Turn::slot) else { return };
        let stands = self.participants.get(usize::from(slot)).is_some_and(|p| p.status != Eliminated);
        if !stands && self.lifecycle.is_fighting() {
            self.pass_turn(step);
        }
    }

    fn give_turn(&mut self, from: usize, step: &mut Step) {
        let until = self.clock.now + u64::from(self.rules.turn_ms.max(LEAST_TURN_MS));
        let Some(turn) = &mut self.turn else { return };
        let places = (0..turn.order.len()).map(|next| (from + next) % turn.order.len());
        let stands = |&place: &usize| {
            let slot = turn.order[place];
            self.participants.get(usize::from(slot)).is_some_and(|p| p.status != Eliminated)
        };
        let Some(place) = places.into_iter().find(stands) else {
            // All have fallen in the moment in which the turn was over: the moment's end judges that, this turn ends no more.
            turn.until = Millis::MAX;
            return;
        };
        turn.at = u8::try_from(place).unwrap_or(0);
        turn.until = until;
        step.note(Event::Turn { by: turn.slot() });
        step.course();
        self.wake(until);
    }
}
