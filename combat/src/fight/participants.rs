//! Everybody in a fight, by slot.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use super::timers::Timetable;
use crate::digest::{Form, Words};
use crate::slots::{PerSlot, SlotSet};
use crate::{Participant, Slot};

/// Players by seat, then the server's enemies. There is no other way to change a participant than through here, so that the
/// timetable knows who may have.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Participants {
    list: PerSlot<Participant>,
    /// Where there are many; it is told who is touched.
    #[serde(skip)]
    pub timetable: Option<Box<Timetable>>,
}

impl Participants {
    pub fn with_capacity(capacity: usize) -> Self {
        Self { list: PerSlot::with_capacity(capacity), timetable: None }
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
        self.touch(slot);
        self.list.get_mut(slot)
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Participant> {
        self.touch_all();
        self.list.iter_mut()
    }

    /// In the next slot.
    pub fn push(&mut self, participant: Participant) {
        self.touch_all();
        self.list.push(participant);
    }

    /// Every slot that somebody is in.
    pub fn slots(&self) -> impl Iterator<Item = Slot> + use<> {
        0..u8::try_from(self.list.len()).unwrap_or(u8::MAX)
    }

    fn touch(&mut self, slot: Slot) {
        if let Some(timetable) = &mut self.timetable {
            timetable.touched.add(slot);
        }
    }

    fn touch_all(&mut self) {
        if let Some(timetable) = &mut self.timetable {
            timetable.touched = SlotSet::ALL;
        }
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
        self.touch(slot);
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
