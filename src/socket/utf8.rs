//! Text as it comes: the first byte that cannot be UTF-8 is known when it is there, in the middle of a frame as at its end.

/// What the next byte may be: of a character that has begun, or the first of one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Utf8 {
    /// How many bytes the character still has.
    left: u8,
    /// Between which bounds the next of them is.
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Takes bytes that follow those before; `false` where one of them cannot.
    pub fn take(&mut self, bytes: impl IntoIterator<Item = u8>) -> bool {
        bytes.into_iter().all(|byte| self.take_one(byte))
    }

    fn take_one(&mut self, byte: u8) -> bool {
        let next = |left, low, high| Some(Self { left, low, high });
        let next = match (self.left, byte) {
            (1.., _) if (self.low..=self.high).contains(&byte) => next(self.left - 1, 0x80, 0xBF),
            (0, 0x00..=0x7F) => next(0, 0, 0),
            (0, 0xC2..=0xDF) => next(1, 0x80, 0xBF),
            // What could be said in fewer bytes, surrogates, and what is beyond U+10FFFF are not UTF-8: the second byte tells.
            (0, 0xE0) => next(2, 0xA0, 0xBF),
            (0, 0xED) => next(2, 0x80, 0x9F),
            (0, 0xE1..=0xEF) => next(2, 0x80, 0xBF),
            (0, 0xF0) => next(3, 0x90, 0xBF),
            (0, 0xF1..=0xF3) => next(3, 0x80, 0xBF),
            (0, 0xF4) => next(3, 0x80, 0x8F),
            _ => None,
        };
        if let Some(next) = next {
            *self = next;
        }
        next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::Utf8;
    use proptest::prelude::*;

    /// Whether these may be the beginning of a text, as the standard library has it.
    fn may_begin(bytes: &[u8]) -> bool {
        std::str::from_utf8(bytes).err().is_none_or(|error| error.error_len().is_none())
    }

    fn agrees(bytes: &[u8]) {
        let mut text = Utf8::default();
        for (at, &byte) in bytes.iter().enumerate() {
            let taken = text.take([byte]);
            assert_eq!(taken, may_begin(&bytes[..=at]), "byte {at} of {bytes:x?}");
            if !taken {
                return;
            }
            assert_eq!(text.left == 0, std::str::from_utf8(&bytes[..=at]).is_ok(), "byte {at} of {bytes:x?}");
        }
    }

    #[test]
    fn every_two_bytes_and_what_may_follow_them() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                for rest in [[0x7F, 0x80], [0x80, 0x80], [0xBF, 0xBF], [0xBF, 0xC0]] {
                    agrees(&[&[first, second][..], &rest].concat());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn texts_with_a_byte_that_is_another(text in ".{0,40}", at in 0_usize..160, byte in any::<u8>()) {
            agrees(text.as_bytes());
            let mut bytes = text.into_bytes();
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
            agrees(&bytes);
        }
    }
}
