//! Which way a participant faces, and how fast it says that it goes: what others draw its way by until they hear of it again.
//!
//! Neither moves anybody: where a participant is, it says with every move.

use serde::{Deserialize, Serialize};

use crate::digest::{Form, Words};

/// Degrees of a whole turn. A facing is below it: 0 is the direction of x, 90 that of y.
pub const FULL_TURN: u16 = 360;

/// Most of a velocity along each axis, in centimetres per second, whatever the speed: ten times the most that a ruleset gives.
pub const MOST_CM_PER_S: u32 = 1_000_000;

/// Centimetres per second along each axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Velocity {
    pub x: i32,
    pub y: i32,
}

impl Velocity {
    /// That of one that stands.
    pub const ZERO: Self = Self::new(0, 0);

    pub const fn new(x: i32, y: i32) -> Self {
        Self { x, y }
    }

    pub const fn is_zero(self) -> bool {
        self.x == 0 && self.y == 0
    }

    /// Whether it is at most so fast, and no faster than can be kept.
    pub const fn within(self, cm_per_s: u64) -> bool {
        let (x, y) = (self.x.unsigned_abs(), self.y.unsigned_abs());
        let squared = x as u128 * x as u128 + y as u128 * y as u128;
        x <= MOST_CM_PER_S && y <= MOST_CM_PER_S && squared <= cm_per_s as u128 * cm_per_s as u128
    }
}

/// Facing and velocity of a participant, in eight bytes: each has them, and few use them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "(u16, i32, i32)", from = "(u16, i32, i32)")]
pub(crate) struct Motion {
    /// 24 bits of y, 24 of x, 16 of the facing.
    packed: u64,
}

// It is part of every participant of every live session.
const _: () = assert!(size_of::<Motion>() == 8 && MOST_CM_PER_S < 1 << 23);

impl Motion {
    /// Of a velocity no larger than [`MOST_CM_PER_S`] along each axis.
    #[must_use]
    pub const fn new(facing: u16, velocity: Velocity) -> Self {
        Self { packed: (bits(velocity.y) << 24 | bits(velocity.x)) << 16 | facing as u64 }
    }

    #[allow(clippy::cast_possible_truncation)] // The low bits are what is wanted.
    pub const fn facing(self) -> u16 {
        self.packed as u16
    }

    pub const fn velocity(self) -> Velocity {
        Velocity { x: whole(self.packed << 24), y: whole(self.packed) }
    }

    /// Whether it goes anywhere.
    pub const fn is_moving(self) -> bool {
        self.packed >> 16 != 0
    }
}

/// The lowest 24 bits of a number.
const fn bits(number: i32) -> u64 {
    number.cast_unsigned() as u64 & 0xFF_FFFF
}

/// The number whose bits are the highest 24.
#[allow(clippy::cast_possible_truncation)] // There are 24 bits left.
const fn whole(highest: u64) -> i32 {
    (highest.cast_signed() >> 40) as i32
}

impl From<Motion> for (u16, i32, i32) {
    fn from(motion: Motion) -> Self {
        let Velocity { x, y } = motion.velocity();
        (motion.facing(), x, y)
    }
}

impl From<(u16, i32, i32)> for Motion {
    fn from((facing, x, y): (u16, i32, i32)) -> Self {
        Self::new(facing, Velocity { x, y })
    }
}

impl Form for Motion {
    fn write(&self, to: &mut impl Words) {
        let Velocity { x, y } = self.velocity();
        self.facing().write(to);
        x.write(to);
        y.write(to);
    }
}

#[cfg(test)]
mod tests {
    use super::{FULL_TURN, MOST_CM_PER_S, Motion, Velocity};

    #[test]
    fn facing_and_velocity_come_back_as_they_went_in() {
        let most = i32::try_from(MOST_CM_PER_S).unwrap();
        let numbers = [0, 1, -1, 850, -850, most, -most];
        for facing in [0, 1, 90, FULL_TURN - 1] {
            for (x, y) in numbers.iter().flat_map(|&x| numbers.map(|y| (x, y))) {
                let motion = Motion::new(facing, Velocity { x, y });
                assert_eq!((motion.facing(), motion.velocity()), (facing, Velocity { x, y }));
                assert_eq!(motion.is_moving(), (x, y) != (0, 0));
                let bytes = postcard::to_stdvec(&motion).unwrap();
                assert_eq!(postcard::from_bytes::<Motion>(&bytes).unwrap(), motion);
            }
        }
        assert_eq!(postcard::to_stdvec(&Motion::default()).unwrap(), [0, 0, 0]);
    }

    #[test]
    fn a_velocity_is_as_long_as_both_its_axes_make_it() {
        assert!(Velocity::new(300, -400).within(500) && !Velocity::new(300, -401).within(500));
        assert!(Velocity::ZERO.within(0) && !Velocity::new(0, 1).within(0));
        let most = i32::try_from(MOST_CM_PER_S).unwrap();
        assert!(Velocity::new(most, -most).within(u64::MAX) && !Velocity::new(most + 1, 0).within(u64::MAX));
        assert!(!Velocity::new(i32::MIN, i32::MIN).within(u64::MAX));
    }
}
