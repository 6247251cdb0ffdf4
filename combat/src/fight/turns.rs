//! Turns, where one acts after the other.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::{Eliminated, Fight};
use crate::chance::below;
use crate::digest::form;
use crate::{Event, Millis, Ruleset, Slot, Step};

/// The shortest turn: one of a millisecond would pass more often than a fight that is looked at late can catch up with.
const LEAST_TURN_MS: u32 = 1_000;

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
    pub(super) fn begin_turns(&mut self, ruleset: &Ruleset, step: &mut Step) {
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
    pub(super) fn pass_turn_of_fallen(&mut self, step: &mut Step) {
        let Some(slot) = self.turn.as_ref().map(Turn::slot) else { return };
        let stands = self.participants.get(slot).is_some_and(|p| p.status != Eliminated);
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
            self.participants.get(slot).is_some_and(|p| p.status != Eliminated)
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
