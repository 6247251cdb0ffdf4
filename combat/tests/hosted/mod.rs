//! A fight and its ruleset, as a host holds them.

// No test needs all of it.
#![allow(dead_code)]

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use tiltyard_combat::replay::{End, Mark, TapeWriter};
use tiltyard_combat::ruleset::EnemyId;
use tiltyard_combat::{
    Answer, Audience, Bout, Cut, Fields, Fight, Input, Millis, PlayerId, Rules, Ruleset, Setup, Slot, Step,
};

#[derive(Debug, Clone)]
pub struct Hosted {
    ruleset: Arc<Ruleset>,
    fight: Fight,
}

impl Hosted {
    pub fn new(ruleset: Arc<Ruleset>, setup: Setup) -> Self {
        let fight = Fight::new(&ruleset, setup);
        Self { ruleset, fight }
    }

    pub fn plain(rules: Rules, seats: u8, participants: &[PlayerId], seed: u64) -> Self {
        Self { ruleset: Ruleset::plain(), fight: Fight::plain(rules, seats, participants, seed) }
    }

    /// As it is after it was written and read.
    pub fn put_away(&self) -> Self {
        let bytes = postcard::to_stdvec(&self.fight).expect("a fight can be written");
        Self { ruleset: Arc::clone(&self.ruleset), fight: postcard::from_bytes(&bytes).expect("and read") }
    }

    /// To look at.
    pub fn bout(&self) -> Bout<'_> {
        Bout { fight: &self.fight, ruleset: &self.ruleset }
    }

    pub fn ruleset(&self) -> &Arc<Ruleset> {
        &self.ruleset
    }

    pub fn handle(&mut self, at: Millis, input: Input, step: &mut Step) -> Answer {
        self.fight.handle(&self.ruleset, at, input, step)
    }

    pub fn state_digest(&self) -> u64 {
        self.fight.state_digest(&self.ruleset)
    }

    pub fn most_health(&self, slot: Slot) -> u32 {
        self.fight.most_health(&self.ruleset, slot)
    }

    pub fn enemy_health(&self, enemy: EnemyId) -> u32 {
        self.fight.enemy_health(&self.ruleset, enemy)
    }

    pub fn visible(&self, audience: Audience, slot: Slot) -> Fields {
        self.bout().visible(audience, slot)
    }

    pub fn same_for_all(&self, step: &Step) -> bool {
        self.bout().same_for_all(step)
    }

    pub fn cut(&self, step: &Step, audience: Audience) -> Cut {
        self.bout().cut(step, audience)
    }

    /// Writes a check on a tape.
    pub fn check(&self, tape: &mut Vec<u8>) {
        TapeWriter::mark(Mark::check(self.bout()), tape);
    }

    /// Ends a tape.
    pub fn end(&self, pen: TapeWriter, tape: &mut Vec<u8>) -> End {
        pen.end(self.bout(), tape)
    }
}

impl Deref for Hosted {
    type Target = Fight;

    fn deref(&self) -> &Fight {
        &self.fight
    }
}

impl DerefMut for Hosted {
    fn deref_mut(&mut self) -> &mut Fight {
        &mut self.fight
    }
}

impl PartialEq for Hosted {
    fn eq(&self, other: &Self) -> bool {
        self.ruleset == other.ruleset && self.fight == other.fight
    }
}
