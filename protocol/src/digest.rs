//! The digest of a view: 32 bits over a sequence of 32-bit words, cheap in Rust and in JavaScript
//! (`h = Math.imul(h ^ w, 0x9E3779B1); h ^= h >>> 15`). It notices drift; it is no defence against forgery.

/// Running digest.
#[derive(Debug, Clone, Copy)]
pub struct Digest(u32);

impl Digest {
    /// The digest of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self(0x811C_9DC5)
    }

    /// Adds one word.
    pub const fn word(&mut self, word: u32) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9E37_79B1);
        self.0 = mixed ^ (mixed >> 15);
    }

    /// Adds a 64-bit value as two words, the low one first.
    #[allow(clippy::cast_possible_truncation)] // The two halves are what is wanted.
    pub const fn wide(&mut self, value: u64) {
        self.word(value as u32);
        self.word((value >> 32) as u32);
    }

    /// Adds the length of a list.
    pub fn count(&mut self, length: usize) {
        self.word(u32::try_from(length).unwrap_or(u32::MAX));
    }

    /// Adds a list of two small numbers and a time each: its length, then each.
    pub fn triples(&mut self, items: impl ExactSizeIterator<Item = (u8, u8, u64)>) {
        self.count(items.len());
        for (first, second, time) in items {
            self.word(u32::from(first));
            self.word(u32::from(second));
            self.wide(time);
        }
    }

    /// The digest of all words so far.
    #[must_use]
    pub const fn finish(self) -> u32 {
        self.0
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Digest;

    #[test]
    fn order_and_value_matter() {
        let of = |words: &[u32]| {
            let mut digest = Digest::new();
            for &word in words {
                digest.word(word);
            }
            digest.finish()
        };
        assert_ne!(of(&[1, 2]), of(&[2, 1]));
        assert_ne!(of(&[]), of(&[0]));
        assert_eq!(of(&[1, 2, 3]), of(&[1, 2, 3]));
    }
}
