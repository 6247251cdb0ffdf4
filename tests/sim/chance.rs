//! Chance from a seed.

use rand_core::Rng;
use rand_pcg::Pcg32;

#[derive(Debug)]
pub struct Chance(Pcg32);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(Pcg32::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15), 0x51A1))
    }

    pub fn word(&mut self) -> u64 {
        u64::from(self.0.next_u32()) << 32 | u64::from(self.0.next_u32())
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        // A little more of some than of others, which nobody notices.
        self.word() % bound
    }

    /// A number from `low` to `high`.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Whether something happens that does so often in a hundred times.
    pub fn percent(&mut self, of: u64) -> bool {
        self.below(100) < of
    }

    /// A place in something so long.
    pub fn place(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).expect("a place in it")
    }
}
