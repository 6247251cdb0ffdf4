//! A fight's state written out, and its digest. What the form is, is in [`crate::digest`].

use rand_core::Rng;

use super::{Clock, Fight, GivenUp, Totals};
use crate::Ruleset;
use crate::digest::{self, Form, Words, form};

form!(GivenUp: seats);
form!(Totals: actions, refused, damage, eliminations);

impl Fight {
    /// Everything that decides how the fight goes on under its ruleset, in one number.
    pub fn state_digest(&self, ruleset: &Ruleset) -> u64 {
        digest::digest(|to| self.write_under(ruleset, to))
    }

    /// What the digest is taken over.
    fn write_under(&self, ruleset: &Ruleset, to: &mut impl Words) {
        digest::write_head(&ruleset.hash, to);
        self.write(to);
    }
}

impl Form for Fight {
    fn write(&self, to: &mut impl Words) {
        let Self {
            rules,
            mode,
            lifecycle,
            clock,
            seq,
            seed,
            rng,
            seats,
            gathered,
            participants,
            given_up,
            teams,
            totals,
            field,
            rounds,
            turn,
            waves,
            // What is found out from the rest, and what is nothing between two inputs.
            due: _,
            fallen: _,
        } = self;
        rules.write(to);
        mode.write(to);
        lifecycle.write(to);
        clock.write(to);
        seq.write(to);
        seed.write(to);
        // The generator shows its state only in what it draws next.
        rng.clone().next_u64().write(to);
        seats.write(to);
        gathered.write(to);
        participants.write(to);
        given_up.write(to);
        teams.write(to);
        totals.write(to);
        field.write(to);
        rounds.write(to);
        turn.write(to);
        waves.write(to);
    }
}

impl Form for Clock {
    /// Without the host's time, which every input brings along: in a pause nothing happens.
    fn write(&self, to: &mut impl Words) {
        let Self { now, stopped, host: _ } = self;
        now.write(to);
        stopped.write(to);
    }
}

impl PartialEq for Fight {
    /// In the same state.
    fn eq(&self, other: &Self) -> bool {
        let state = |fight: &Self| digest::digest(|to| fight.write(to));
        state(self) == state(other) && self.participants == other.participants
    }
}

impl Eq for Fight {}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
