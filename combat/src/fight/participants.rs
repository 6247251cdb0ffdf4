//! Everybody in a fight, by slot.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use crate::digest::{Form, Words};
use crate::slots::{PerSlot, SlotSet};
use crate::{Participant, Slot};

/// Players by seat, then the server's enemies. It knows who may have changed since somebody looked: there is no other way to change a
/// participant than through here.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Participants {
    list: PerSlot<Participant>,
    /// Who may have changed since somebody looked: all, after they were read.
    #[serde(skip, default = "all")]
    touched: SlotSet,
}

fn all() -> SlotSet {
    SlotSet::ALL
}

impl Participants {
    pub fn with_capacity(capacity: usize) -> Self {
        Self { list: PerSlot::with_capacity(capacity), touched: all() }
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn as_slice(&self) -> &[Participant] {
        self.list.as_slice()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Participant> {
        self.list.as_slice().iter()
    }

    pub fn last(&self) -> Option<&Participant> {
        self.list.as_slice().last()
    }

    pub fn get(&self, slot: Slot) -> Option<&Participant> {
        self.list.get(slot)
    }

    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut Participant> {
        self.touched.add(slot);
        self.list.get_mut(slot)
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Participant> {
        self.touched = all();
        self.list.iter_mut()
    }

    /// In the next slot.
    pub fn push(&mut self, participant: Participant) {
        self.touched = all();
        self.list.push(participant);
    }

    /// Every slot that somebody is in.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        0..u8::try_from(self.list.len()).unwrap_or(u8::MAX)
    }

    /// All may have changed: something has that is no participant's.
    pub fn touch_all(&mut self) {
        self.touched = all();
    }

    /// Who may have changed since this was asked the last time.
    pub fn take_touched(&mut self) -> impl Iterator<Item = Slot> + use<> {
        let slots = self.len();
        std::mem::replace(&mut self.touched, SlotSet::NONE).iter().take_while(move |&slot| usize::from(slot) < slots)
    }
}

impl Index<Slot> for Participants {
    type Output = Participant;

    fn index(&self, slot: Slot) -> &Participant {
        &self.list[slot]
    }
}

impl IndexMut<Slot> for Participants {
    fn index_mut(&mut self, slot: Slot) -> &mut Participant {
        self.touched.add(slot);
        &mut self.list[slot]
    }
}

impl<'a> IntoIterator for &'a Participants {
    type Item = &'a Participant;
    type IntoIter = std::slice::Iter<'a, Participant>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Participants {
    fn eq(&self, other: &Self) -> bool {
        self.list == other.list
    }
}

impl Form for Participants {
    fn write(&self, to: &mut impl Words) {
        self.list.write(to);
    }
}
