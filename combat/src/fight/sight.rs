//! Fog of war: which teams see whom.

use super::Fight;
use crate::Step;

impl Fight {
    /// Finds out anew who sees whom, where the rules have fog, and notes what changed.
    pub(super) fn look_around(&mut self, _step: &mut Step) {}

    #[cfg(test)]
    pub(crate) fn set_seen_by(&mut self, slot: usize, teams: u128) {
        self.participants[slot].seen_by = teams;
    }
}
