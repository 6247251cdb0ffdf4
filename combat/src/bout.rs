//! A fight under its ruleset, to look at.

use std::ops::Deref;

use crate::{Fight, Ruleset};

/// A fight beside the ruleset that it is fought under, for as long as both are looked at: what is seen of a fight depends on both.
#[derive(Debug, Clone, Copy)]
pub struct Bout<'a> {
    pub fight: &'a Fight,
    pub ruleset: &'a Ruleset,
}

impl Deref for Bout<'_> {
    type Target = Fight;

    fn deref(&self) -> &Fight {
        self.fight
    }
}
