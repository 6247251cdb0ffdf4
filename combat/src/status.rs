//! Effects that are at work on a participant, and what it is casting.

use serde::{Deserialize, Serialize};

use crate::action::Target;
use crate::digest::form;
use crate::ruleset::{AbilityId, EffectId};
use crate::{Millis, Slot};

/// An effect at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Active {
    pub(crate) effect: EffectId,
    /// Who put it there.
    pub(crate) by: Slot,
    pub(crate) stacks: u8,
    /// What it still absorbs.
    pub(crate) absorbs: u32,
    /// [`Millis::MAX`] for as long as the round lasts.
    pub(crate) until: Millis,
    /// [`Millis::MAX`] for never.
    pub(crate) next_tick: Millis,
}

form!(Active: effect, by, stacks, absorbs, until, next_tick);

impl Active {
    pub fn effect(&self) -> EffectId {
        self.effect
    }

    pub fn stacks(&self) -> u8 {
        self.stacks
    }

    /// Session time; [`Millis::MAX`] for as long as the round lasts.
    pub fn until(&self) -> Millis {
        self.until
    }
}

/// A cast in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cast {
    pub(crate) ability: AbilityId,
    pub(crate) aim: Target,
    pub(crate) until: Millis,
    /// When it does what it does the next time.
    pub(crate) next: Millis,
    /// Damage taken since it began.
    pub(crate) hurt: u32,
}

form!(Cast: ability, aim, until, next, hurt);

impl Cast {
    pub fn ability(&self) -> AbilityId {
        self.ability
    }

    /// Session time.
    pub fn until(&self) -> Millis {
        self.until
    }
}

/// An ability or item that has been used in this round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    pub(crate) ability: AbilityId,
    pub(crate) times: u8,
    pub(crate) ready_at: Millis,
}

form!(Used: ability, times, ready_at);

impl Used {
    pub fn ability(&self) -> AbilityId {
        self.ability
    }

    pub fn times(&self) -> u8 {
        self.times
    }

    /// Session time.
    pub fn ready_at(&self) -> Millis {
        self.ready_at
    }
}
