//! Chance. What is drawn follows from the fight's seed, from whose deed it is, the how-manieth of that one, and whom it is
//! done to, and from nothing else: what somebody does whom another does not see changes no roll of that other, so that
//! nobody can tell from one's own luck what happens in the fog.

use rand_core::Rng;
use rand_pcg::Pcg32;

use crate::Slot;

/// The stream of the generators; the seed is in their state.
const STREAM: u64 = 0x7117_7A2D;

/// What the fight itself draws: initiative, modifiers, waves. Everybody is told of these.
pub(crate) fn of_fight(seed: u64) -> Pcg32 {
    Pcg32::new(seed, STREAM)
}

/// The dice of one deed for one of those it is done to.
#[derive(Debug)]
pub(crate) struct Dice(Pcg32);

impl Dice {
    /// Those of `by`'s deed of this number, for its part `part` done to `to`.
    pub fn new(seed: u64, by: Slot, deed: u16, part: u8, to: Slot) -> Self {
        let [low, high] = deed.to_le_bytes();
        let deed = u64::from_le_bytes([low, high, by, to, part, 0, 0, 0]);
        Self(Pcg32::new(mixed(seed ^ mixed(deed)), STREAM))
    }

    /// A number from 0 to `bound` - 1.
    pub fn below(&mut self, bound: u32) -> u32 {
        below(&mut self.0, bound)
    }

    /// A number from `min` to `max`.
    pub fn between(&mut self, min: u32, max: u32) -> u32 {
        min + self.below(max.saturating_sub(min).saturating_add(1))
    }
}

/// A number from 0 to `bound` - 1. Not the library's: that one may change what it draws between versions.
#[allow(clippy::cast_possible_truncation)] // The high half of the product is below `bound`.
pub(crate) fn below(rng: &mut Pcg32, bound: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(bound)) >> 32) as u32
}

/// The finish of `SplitMix64`: each bit of the result depends on each of `word`.
const fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::Dice;

    #[test]
    fn each_deed_part_and_target_has_dice_of_its_own_and_they_are_fair() {
        let first = |seed, by, deed, part, to| Dice::new(seed, by, deed, part, to).below(u32::MAX);
        let one = first(7, 1, 1, 0, 2);
        assert_eq!(one, first(7, 1, 1, 0, 2));
        let others = [(8, 1, 1, 0, 2), (7, 2, 1, 0, 2), (7, 1, 2, 0, 2), (7, 1, 1, 1, 2), (7, 1, 1, 0, 3)];
        assert!(others.iter().all(|&(seed, by, deed, part, to)| first(seed, by, deed, part, to) != one));
        // First and second rolls of a row of deeds: each face within a tenth of its share.
        let mut faces = [[0_u32; 6]; 2];
        for deed in 0..60_000 {
            let mut dice = Dice::new(41, 3, deed, 0, 4);
            for faces in &mut faces {
                faces[dice.between(0, 5) as usize] += 1;
            }
        }
        assert!(faces.as_flattened().iter().all(|count| (9_000..11_000).contains(count)), "{faces:?}");
    }
}
