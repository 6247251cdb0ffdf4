//! What there is one of for each slot, and sets of slots: a slot is not a number into just any list.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

use crate::Slot;
use crate::digest::{Form, Words};

/// One of something for each slot from 0 on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct PerSlot<T>(Vec<T>);

impl<T> PerSlot<T> {
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.0.get(usize::from(slot))
    }

    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.0.get_mut(usize::from(slot))
    }

    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// In the next slot.
    pub fn push(&mut self, one: T) {
        self.0.push(one);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Default for PerSlot<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Index<Slot> for PerSlot<T> {
    type Output = T;

    fn index(&self, slot: Slot) -> &T {
        match self.0.get(usize::from(slot)) {
            Some(one) => one,
            None => nobody(slot, self.0.len()),
        }
    }
}

impl<T> IndexMut<Slot> for PerSlot<T> {
    fn index_mut(&mut self, slot: Slot) -> &mut T {
        let slots = self.0.len();
        match self.0.get_mut(usize::from(slot)) {
            Some(one) => one,
            None => nobody(slot, slots),
        }
    }
}

impl<T: Form> Form for PerSlot<T> {
    fn write(&self, to: &mut impl Words) {
        self.0.write(to);
    }
}

#[cold]
fn nobody(slot: Slot, slots: usize) -> ! {
    panic!("nobody is in slot {slot} of {slots}")
}

/// A set of slots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SlotSet([u64; 4]);

impl SlotSet {
    pub const NONE: Self = Self([0; 4]);
    pub const ALL: Self = Self([u64::MAX; 4]);

    pub const fn add(&mut self, slot: Slot) {
        self.0[(slot >> 6) as usize] |= 1 << (slot & 63);
    }

    /// In order.
    pub fn iter(self) -> impl Iterator<Item = Slot> {
        [0, 64, 128, 192].into_iter().zip(self.0).flat_map(|(first, word)| Bits(word).map(move |bit| first + bit))
    }
}

/// The places of the ones of a word.
struct Bits(u64);

impl Iterator for Bits {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.0 == 0 {
            return None;
        }
        let bit = self.0.trailing_zeros();
        self.0 &= self.0 - 1;
        u8::try_from(bit).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{PerSlot, SlotSet};

    #[test]
    fn a_set_has_what_was_added_in_order() {
        let mut set = SlotSet::NONE;
        for slot in [255, 0, 63, 64, 0, 200] {
            set.add(slot);
        }
        assert_eq!(set.iter().collect::<Vec<u8>>(), [0, 63, 64, 200, 255]);
        assert!(SlotSet::ALL.iter().eq(0..=255) && SlotSet::NONE.iter().next().is_none());
    }

    #[test]
    #[should_panic(expected = "nobody is in slot 2 of 2")]
    fn who_is_not_there_is_named() {
        let mut two = PerSlot::default();
        two.push('a');
        two.push('b');
        assert_eq!((two[0], two.get(2)), ('a', None));
        assert_eq!(two[2], 'c');
    }
}
