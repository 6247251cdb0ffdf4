//! Who has won, and why.

use smallvec::SmallVec;

use super::{Eliminated, Fight};
use crate::lifecycle::Outcome;
use crate::ruleset::Trigger;
use crate::{EndReason, Ruleset, Slot, Step};

impl Fight {
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

    pub(super) fn win(&mut self, ruleset: &Ruleset, reason: EndReason, team: Option<u8>, step: &mut Step) {
        let winner = team.and_then(|team| self.best_of(team));
        if let Ok(to) = self.lifecycle.next(&ruleset.lifecycle, Trigger::Decided) {
            self.conclude(Outcome { reason, winner, team }, step);
            self.enter(ruleset, to, step);
        }
    }

    /// The result when the time is up.
    pub(super) fn judge(&self, ruleset: &Ruleset) -> Outcome {
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
    pub(super) fn leader(&self) -> (Option<Slot>, Option<u8>) {
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
            let p = &self.participants[slot];
            p.team == team && p.enemy.is_none()
        };
        self.standings().into_iter().find(of_team)
    }

    /// Slots by standing: the winner first, then the winning team, then survivors; by score, health and damage.
    pub fn standings(&self) -> Vec<Slot> {
        let mut slots: Vec<Slot> = self.slots().collect();
        slots.sort_by_key(|&slot| {
            let p = &self.participants[slot];
            let won = self.lifecycle.winner() == Some(slot);
            let on_team = self.lifecycle.winning_team() == Some(p.team);
            std::cmp::Reverse((won, on_team, p.status != Eliminated, p.score, p.hp, p.damage, std::cmp::Reverse(slot)))
        });
        slots
    }
}
