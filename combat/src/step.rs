//! What one input changed: which fields of whom, and what happened. The host encodes it; the values are in the fight.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::Slot;

/// The changes of one input. Reused from input to input: nothing is allocated for usual ones.
#[derive(Debug, Default)]
pub struct Step {
    changed: SmallVec<[(Slot, Fields); 4]>,
    events: SmallVec<[Event; 8]>,
    phase: bool,
    decided: bool,
}

/// A set of a participant's fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fields(u8);

impl Fields {
    pub const SEAT: Self = Self(0b1111_1111);
    pub const STATUS: Self = Self(0b0000_0010);
    pub const READY: Self = Self(0b0000_0100);
    pub const HP: Self = Self(0b0000_1000);
    pub const STAMINA: Self = Self(0b0001_0000);
    pub const GUARD: Self = Self(0b0010_0000);
    pub const SCORE: Self = Self(0b0100_0000);

    /// Whether all of `other` are in the set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// `by` hit `to` for `damage`.
    Hit { by: Slot, to: Slot, damage: u32, critical: bool, guarded: bool },
    /// `by` raised its guard.
    Guard { by: Slot },
    /// `to` was eliminated by `by`.
    Eliminated { by: Slot, to: Slot },
    /// `by` took a seat.
    Seated { by: Slot },
    /// `by` is ready.
    Ready { by: Slot },
    /// `by` is connected.
    Connected { by: Slot },
    /// `by` lost its last connection.
    Disconnected { by: Slot },
    /// `by` gave up or did not come back in time.
    Forfeited { by: Slot },
    /// Status or phase changed.
    Phase,
}

impl Step {
    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.changed.clear();
        self.events.clear();
        self.phase = false;
        self.decided = false;
    }

    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && self.events.is_empty() && !self.phase
    }

    /// Who changed, each once, and in which fields.
    pub fn changed(&self) -> &[(Slot, Fields)] {
        &self.changed
    }

    /// What happened, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Whether status, phase, deadline, winner or end reason changed.
    pub const fn phase_changed(&self) -> bool {
        self.phase
    }

    /// Whether the fight was decided in this step.
    pub const fn decided(&self) -> bool {
        self.decided
    }

    pub(crate) fn touch(&mut self, slot: Slot, fields: Fields) {
        match self.changed.iter_mut().find(|(changed, _)| *changed == slot) {
            Some((_, set)) => set.0 |= fields.0,
            None => self.changed.push((slot, fields)),
        }
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(crate) fn phase(&mut self) {
        self.phase = true;
        self.events.push(Event::Phase);
    }

    pub(crate) const fn decide(&mut self) {
        self.decided = true;
    }
}
