//! Fog of war: which teams see whom.

use super::{Eliminated, Fight};
use crate::audience::team_bit;
use crate::{Ruleset, Slot, Step};

impl Fight {
    /// Finds out anew who sees whom, where the rules have fog, and notes what changed.
    pub(super) fn look_around(&mut self, ruleset: &Ruleset, step: &mut Step) {
        if self.rules.sight_cm == 0 {
            return;
        }
        for slot in self.slots() {
            let seen_by =
                (self.slots()).filter(|&by| self.looks_at(ruleset, by, slot)).fold(0, |teams, by| teams | self.bit(by));
            self.note_seen(slot, seen_by, step);
        }
    }

    /// The same where nothing has changed but the place of one participant.
    pub(super) fn look_from(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        if self.rules.sight_cm == 0 {
            return;
        }
        let bit = self.bit(slot);
        for other in self.slots() {
            if other == slot {
                let seen_by = self
                    .slots()
                    .filter(|&by| self.looks_at(ruleset, by, slot))
                    .fold(0, |teams, by| teams | self.bit(by));
                self.note_seen(slot, seen_by, step);
                continue;
            }
            let was = self.participants[other].seen_by;
            let sees = self.looks_at(ruleset, slot, other)
                // Another of its team may still see whom it lost, but nobody new has come into view of these.
                || (was & bit != 0 && self.slots().any(|by| self.bit(by) == bit && self.looks_at(ruleset, by, other)));
            self.note_seen(other, if sees { was | bit } else { was & !bit }, step);
        }
    }

    /// Whether `by` sees `to` with its own eyes.
    fn looks_at(&self, ruleset: &Ruleset, by: Slot, to: Slot) -> bool {
        let (by, to) = (&self.participants[by], &self.participants[to]);
        by.status != Eliminated && by.at.within(to.at, self.rules.sight_cm) && !self.wall_between(ruleset, by.at, to.at)
    }

    fn note_seen(&mut self, slot: Slot, seen_by: u128, step: &mut Step) {
        let own = self.bit(slot);
        let was = std::mem::replace(&mut self.participants[slot].seen_by, seen_by);
        // One's own team is never lost from sight, whatever it sees.
        let (gained, lost) = (seen_by & !was & !own, was & !seen_by & !own);
        if gained | lost != 0 {
            step.sight(slot, gained, lost);
        }
    }

    fn bit(&self, slot: Slot) -> u128 {
        team_bit(self.participants[slot].team)
    }

    #[cfg(test)]
    pub(crate) fn set_seen_by(&mut self, slot: Slot, teams: u128) {
        self.participants[slot].seen_by = teams;
    }
}
