//! The whole state of a fight in one 64-bit number: equal numbers, equal fights. Two builds or machines that step the same log compare
//! these.
//!
//! What it is taken over is a form of its own, and not what the compiler or a library makes of the structs: a list of words of 64 bits,
//! written out by the `form!` line beside each type, in the order of that line. The order of a struct's fields is free; a field that the line
//! does not name does not compile.
//!
//! ```text
//! form | revision of the engine | ruleset's hash, 4 | rules | mode | lifecycle | clock | seq | seed | next draw | seats | gathered |
//! participants | given up seats | teams | totals | field | rounds | turn | waves
//! ```
//!
//! | what | words |
//! |---|---|
//! | a number; yes or no | 1; negative ones in two's complement |
//! | an id of 128 bits | 2, the low half first |
//! | what may be missing | 0, or 1 and what it is |
//! | a list | its length, then its entries |
//! | a text | its length in bytes, then these, eight a word, little-endian, filled up with zeros |
//! | one of several | its name where it has one, or its number in its `choice!` line |
//! | rules | the list of those that are not the default, by name: the name, then the number |
//!
//! [`Mixer`] makes one number of them: `x = (x ^ word) * 0x9E3779B97F4A7C15; x ^= x >> 32`, from `0xCBF29CE484222325` on.

use crate::replay::REVISION;
use crate::{Point, Rules};

/// The number of the form. Raise it with every change of what is in it, of its order or of the mixing, and with it
/// [`REVISION`]: the golden form tells. Form 1 was what the standard library's `derive(Hash)` made of the structs;
/// 3 brought facing and velocity, and when a seat is forfeited as a number.
pub const FORM: u32 = 3;

/// Takes a state, word by word.
pub(crate) trait Words {
    fn word(&mut self, word: u64);
}

/// A part of a fight's state: it writes itself out.
pub(crate) trait Form {
    fn write(&self, to: &mut impl Words);
}

/// The form of a struct: its fields, in this order.
macro_rules! form {
    ($type:ty: $($field:ident),+ $(,)?) => {
        impl $crate::digest::Form for $type {
            fn write(&self, to: &mut impl $crate::digest::Words) {
                let Self { $($field),+ } = self;
                $($crate::digest::Form::write($field, to);)+
            }
        }
    };
}

/// The form of one of several: its number.
macro_rules! choice {
    ($type:ty: $($variant:ident = $number:literal),+ $(,)?) => {
        impl $crate::digest::Form for $type {
            fn write(&self, to: &mut impl $crate::digest::Words) {
                to.word(match self { $(Self::$variant => $number,)+ });
            }
        }
    };
}

pub(crate) use {choice, form};

/// What every state begins with, beside the ruleset it is of.
pub(crate) fn write_head(ruleset: &[u8; 32], to: &mut impl Words) {
    to.word(u64::from(FORM));
    to.word(u64::from(REVISION));
    write_bytes(ruleset, to);
}

/// The digest of what `write` writes.
pub(crate) fn digest(write: impl FnOnce(&mut Mixer)) -> u64 {
    let mut mixer = Mixer::new();
    write(&mut mixer);
    mixer.0
}

/// Makes one number of many, the same on every machine and in every version of Rust.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mixer(u64);

impl Mixer {
    const fn new() -> Self {
        Self(0xCBF2_9CE4_8422_2325)
    }
}

impl Words for Mixer {
    fn word(&mut self, word: u64) {
        let mixed = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = mixed ^ (mixed >> 32);
    }
}

/// A text: for example a name, which says what is meant whatever its place among others is.
pub(crate) fn write_text(text: &[u8], to: &mut impl Words) {
    to.word(text.len() as u64);
    write_bytes(text, to);
}

fn write_bytes(bytes: &[u8], to: &mut impl Words) {
    for chunk in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        to.word(u64::from_le_bytes(word));
    }
}

macro_rules! numbers {
    ($($type:ty),*) => {
        $(impl Form for $type {
            fn write(&self, to: &mut impl Words) {
                to.word(u64::from(*self));
            }
        })*
    };
}

numbers!(bool, u8, u16, u32, u64);

impl Form for i32 {
    fn write(&self, to: &mut impl Words) {
        to.word(i64::from(*self).cast_unsigned());
    }
}

impl Form for u128 {
    #[allow(clippy::cast_possible_truncation)] // The two halves are what is wanted.
    fn write(&self, to: &mut impl Words) {
        to.word(*self as u64);
        to.word((*self >> 64) as u64);
    }
}

impl<T: Form> Form for Option<T> {
    fn write(&self, to: &mut impl Words) {
        to.word(u64::from(self.is_some()));
        if let Some(value) = self {
            value.write(to);
        }
    }
}

impl<T: Form> Form for [T] {
    fn write(&self, to: &mut impl Words) {
        to.word(self.len() as u64);
        for entry in self {
            entry.write(to);
        }
    }
}

impl<T: Form> Form for Vec<T> {
    fn write(&self, to: &mut impl Words) {
        self.as_slice().write(to);
    }
}

impl<A: smallvec::Array<Item: Form>> Form for smallvec::SmallVec<A> {
    fn write(&self, to: &mut impl Words) {
        self.as_slice().write(to);
    }
}

impl<T: Form, const N: usize> Form for [T; N] {
    fn write(&self, to: &mut impl Words) {
        self.as_slice().write(to);
    }
}

impl<T: Form + ?Sized> Form for Box<T> {
    fn write(&self, to: &mut impl Words) {
        (**self).write(to);
    }
}

impl<A: Form, B: Form> Form for (A, B) {
    fn write(&self, to: &mut impl Words) {
        self.0.write(to);
        self.1.write(to);
    }
}

form!(Point: x, y);

impl Form for Rules {
    /// By name and without the defaults: a setting that comes new, and leaves a fight as it was where nobody sets it, changes no digest.
    fn write(&self, to: &mut impl Words) {
        let values = self.values();
        let set = || Self::by_name().iter().copied().filter(|&place| values[place] != Self::SETTINGS[place].default);
        to.word(set().count() as u64);
        for place in set() {
            write_text(Self::SETTINGS[place].name.as_bytes(), to);
            values[place].write(to);
        }
    }
}

#[cfg(test)]
impl Words for Vec<u64> {
    fn word(&mut self, word: u64) {
        self.push(word);
    }
}
