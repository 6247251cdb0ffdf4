//! The whole state of a fight in one 64-bit number: equal numbers, equal fights. Two builds or machines that step the
//! same log compare these.

use std::hash::Hasher;

/// A hasher whose result does not depend on the machine's word size, its byte order or the version of Rust.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateHasher(u64);

impl StateHasher {
    pub(crate) const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }

    const fn mix(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

impl Hasher for StateHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.mix(u64::from(byte));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    #[allow(clippy::cast_possible_truncation)] // The two halves are what is wanted.
    fn write_u128(&mut self, value: u128) {
        self.mix(value as u64);
        self.mix((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    #[allow(clippy::cast_sign_loss)] // Discriminants are small and not negative.
    fn write_isize(&mut self, value: isize) {
        self.mix(value as u64);
    }
}
