//! The plane that fights take place on: whole centimetres, no floats, the same everywhere.
//!
//! Coordinates may be anything, also what a client made up: nothing here overflows.

use serde::{Deserialize, Serialize};

/// A point, in centimetres from the upper left corner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Point {
    pub x: i32,
    pub y: i32,
}

impl Point {
    pub const fn new(x: i32, y: i32) -> Self {
        Self { x, y }
    }

    /// Square of the distance, in square centimetres; as much as fits where it is more.
    pub const fn distance_squared(self, other: Self) -> u64 {
        let (x, y) = (self.x.abs_diff(other.x) as u64, self.y.abs_diff(other.y) as u64);
        (x * x).saturating_add(y * y)
    }

    /// Whether `other` is at most `cm` away.
    pub const fn within(self, other: Self, cm: u32) -> bool {
        self.distance_squared(other) <= cm as u64 * cm as u64
    }

    /// Whole centimetres to `other`, rounded up.
    #[allow(clippy::cast_possible_truncation)] // At most the diagonal of the plane: 33 bits.
    pub const fn distance(self, other: Self) -> u64 {
        let (x, y) = (self.x.abs_diff(other.x) as u128, self.y.abs_diff(other.y) as u128);
        let squared = x * x + y * y;
        let root = squared.isqrt();
        (if root * root < squared { root + 1 } else { root }) as u64
    }

    /// The point that is nearer to `to` by at most `cm`: `to` itself if that is no farther.
    #[must_use]
    pub fn towards(self, to: Self, cm: u32) -> Self {
        if self.within(to, cm) { to } else { self.along(to, cm) }
    }

    /// The point at most `cm` away in the direction of `to`, however far that is; rounded towards this one.
    #[must_use]
    pub fn along(self, to: Self, cm: u32) -> Self {
        let (away, far) = (Way::between(self, to), i64::try_from(self.distance(to)).unwrap_or(i64::MAX));
        if far == 0 {
            return self;
        }
        let part = |way: i64, from: i32| {
            let moved = i128::from(way) * i128::from(cm) / i128::from(far);
            clamp_to_i32(i128::from(from) + moved)
        };
        Self { x: part(away.x, self.x), y: part(away.y, self.y) }
    }

    /// The point as far on the other side of `of`.
    #[must_use]
    pub fn mirrored(self, of: Self) -> Self {
        let other = |at: i32, of: i32| clamp_to_i32(2 * i128::from(of) - i128::from(at));
        Self { x: other(self.x, of.x), y: other(self.y, of.y) }
    }

    /// Whether it is in the strip from `from` in the direction of `to`, `long` and `wide` centimetres, with its ends.
    pub fn in_strip(self, from: Self, to: Self, long: u32, wide: u32) -> bool {
        let (direction, offset) = (Way::between(from, to).shortened(), Way::between(from, self));
        let (ahead, aside) = (direction.dot(offset), direction.cross(offset));
        let length = direction.dot(direction);
        let (long, wide) = (i128::from(long), i128::from(wide));
        length > 0 && ahead >= 0 && ahead * ahead <= long * long * length && aside * aside * 4 <= wide * wide * length
    }

    /// Whether it is at most `long` centimetres from `from`, and at most half of `degrees` to either side of the direction
    /// of `to`.
    pub fn in_cone(self, from: Self, to: Self, long: u32, degrees: u16) -> bool {
        if !from.within(self, long) {
            return false;
        }
        let (direction, offset) = (Way::between(from, to).shortened(), Way::between(from, self).shortened());
        let both = direction.dot(direction) * offset.dot(offset);
        if both == 0 {
            return direction != Way::default();
        }
        // The cosine of the angle is dot / sqrt(both): compared squared, and so with its sign.
        let (dot, least) = (direction.dot(offset), cosine(degrees));
        let (dot_squared, least_squared) = (dot * dot * MILLION * MILLION, least * least * both);
        if least >= 0 { dot >= 0 && dot_squared >= least_squared } else { dot >= 0 || dot_squared <= least_squared }
    }

    /// The point on the circle around this one, at `half_degrees` of 720 from the right, turning down.
    #[must_use]
    pub fn on_circle(self, radius: u32, half_degrees: u32) -> Self {
        let part = |from: i32, half_degrees: u32| {
            clamp_to_i32(i128::from(from) + i128::from(radius) * cosine_of_half(half_degrees) / MILLION)
        };
        // The sine of an angle is the cosine of what it is from the quarter turn.
        Self { x: part(self.x, half_degrees), y: part(self.y, half_degrees + 540) }
    }
}

/// The way from one point to another.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Way {
    x: i64,
    y: i64,
}

impl Way {
    fn between(from: Point, to: Point) -> Self {
        Self { x: i64::from(to.x) - i64::from(from.x), y: i64::from(to.y) - i64::from(from.y) }
    }

    /// The same direction, short enough that products of four fit: exact up to ten kilometres.
    fn shortened(self) -> Self {
        let bits = 64 - self.x.unsigned_abs().max(self.y.unsigned_abs()).leading_zeros();
        let scale = 1_i64 << bits.saturating_sub(20);
        Self { x: self.x / scale, y: self.y / scale }
    }

    fn dot(self, other: Self) -> i128 {
        i128::from(self.x) * i128::from(other.x) + i128::from(self.y) * i128::from(other.y)
    }

    /// Positive where `other` is to the right, as y goes down.
    fn cross(self, other: Self) -> i128 {
        i128::from(self.x) * i128::from(other.y) - i128::from(self.y) * i128::from(other.x)
    }
}

/// A rectangle that lies square. Its edge belongs to the outside: one can stand at a wall and walk along it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// The upper left corner.
    from: Point,
    /// The lower right corner.
    to: Point,
}

impl Rect {
    pub fn new(at: Point, width_cm: u32, height_cm: u32) -> Self {
        let end = |from: i32, size: u32| clamp_to_i32(i128::from(from) + i128::from(size));
        Self { from: at, to: Point::new(end(at.x, width_cm), end(at.y, height_cm)) }
    }

    /// From the upper left one on, each next to the one before.
    pub const fn corners(&self) -> [Point; 4] {
        let (from, to) = (self.from, self.to);
        [from, Point::new(to.x, from.y), to, Point::new(from.x, to.y)]
    }

    /// Whether `point` is inside; the edge is not.
    pub const fn contains(&self, point: Point) -> bool {
        self.from.x < point.x && point.x < self.to.x && self.from.y < point.y && point.y < self.to.y
    }

    /// Whether `point` is inside or on the edge.
    pub const fn encloses(&self, point: Point) -> bool {
        self.from.x <= point.x && point.x <= self.to.x && self.from.y <= point.y && point.y <= self.to.y
    }

    /// The nearest point that is inside or on the edge.
    #[must_use]
    pub fn clamp(&self, point: Point) -> Point {
        Point::new(point.x.clamp(self.from.x, self.to.x), point.y.clamp(self.from.y, self.to.y))
    }

    /// Whether `point` is at most `cm` away from it.
    pub fn is_near(&self, point: Point, cm: u32) -> bool {
        self.clamp(point).within(point, cm)
    }

    /// Whether the straight way between the two points leads through the inside.
    pub fn is_between(&self, a: Point, b: Point) -> bool {
        // What does not overlap in one of the directions x, y or across the way is apart, and nothing else is.
        let apart = a.x.max(b.x) <= self.from.x
            || a.x.min(b.x) >= self.to.x
            || a.y.max(b.y) <= self.from.y
            || a.y.min(b.y) >= self.to.y;
        let empty = self.from.x >= self.to.x || self.from.y >= self.to.y;
        if apart || empty {
            return false;
        }
        if a == b {
            return self.contains(a);
        }
        let way = Way::between(a, b);
        let sides = self.corners().map(|corner| way.cross(Way::between(a, corner)).signum());
        sides.contains(&1) && sides.contains(&-1)
    }
}

const MILLION: i128 = 1_000_000;

/// Cosines of 0 to 180 degrees in steps of half a degree, in millionths.
const COSINES: [i32; 361] = cosines();

/// From the cosine of half a degree on: cos((n + 1) a) = 2 cos(a) cos(n a) - cos((n - 1) a).
#[allow(clippy::cast_possible_truncation)] // Millionths of at most one.
const fn cosines() -> [i32; 361] {
    const ONE: i128 = 1_000_000_000_000_000_000;
    const HALF_DEGREE: i128 = 999_961_923_064_171_289;
    let mut cosines = [0; 361];
    let (mut before, mut now) = (HALF_DEGREE, ONE);
    let mut step = 0;
    while step < cosines.len() {
        let half = if now < 0 { -ONE / 2 } else { ONE / 2 };
        cosines[step] = ((now * MILLION + half) / ONE) as i32;
        (before, now) = (now, 2 * HALF_DEGREE * now / ONE - before);
        step += 1;
    }
    cosines
}

/// The cosine of half of `degrees`, in millionths; one less, so that what is at the edge is within.
fn cosine(degrees: u16) -> i128 {
    i128::from(COSINES[usize::from(degrees.min(360))]) - 1
}

/// The cosine of any number of half degrees, in millionths.
fn cosine_of_half(half_degrees: u32) -> i128 {
    let turned = half_degrees % 720;
    i128::from(COSINES[turned.min(720 - turned) as usize])
}

fn clamp_to_i32(value: i128) -> i32 {
    i32::try_from(value).unwrap_or(if value < 0 { i32::MIN } else { i32::MAX })
}

#[cfg(test)]
mod tests {
    use super::{COSINES, Point, Rect};
    use proptest::prelude::*;

    #[test]
    fn cosines_are_those_of_the_tables() {
        for (degrees, millionths) in [(0, 1_000_000), (30, 866_025), (60, 500_000), (90, 0), (120, -500_000)] {
            assert!((COSINES[degrees * 2] - millionths).abs() <= 1, "{degrees}");
        }
        assert_eq!(COSINES[360], -1_000_000);
        assert!(COSINES.windows(2).all(|pair| pair[0] > pair[1]));
    }

    #[test]
    fn a_quarter_turn_goes_right_down_left_up() {
        let middle = Point::new(10, 20);
        let turns = [0, 180, 360, 540].map(|half_degrees| middle.on_circle(100, half_degrees));
        assert_eq!(turns, [Point::new(110, 20), Point::new(10, 120), Point::new(-90, 20), Point::new(10, -80)]);
    }

    #[test]
    fn a_cone_opens_to_both_sides() {
        let (from, to) = (Point::new(0, 0), Point::new(1000, 0));
        let inside = |x, y, degrees| Point::new(x, y).in_cone(from, to, 500, degrees);
        assert!(inside(100, 100, 90) && inside(100, -100, 90) && !inside(100, 101, 90) && !inside(100, -101, 90));
        assert!(inside(500, 0, 1) && !inside(501, 0, 360) && inside(0, 0, 1));
        assert!(inside(0, 100, 180) && !inside(-1, 100, 180));
        assert!(inside(-100, 100, 270) && !inside(-101, 100, 270) && inside(-500, 0, 360));
        assert!(!Point::new(100, 0).in_cone(from, from, 500, 90), "no direction, no cone but the place itself");
    }

    #[test]
    fn a_strip_has_a_length_and_a_width() {
        let (from, to) = (Point::new(0, 0), Point::new(0, 7));
        let inside = |x, y| Point::new(x, y).in_strip(from, to, 500, 200);
        assert!(inside(0, 0) && inside(100, 0) && inside(-100, 500));
        assert!(!inside(101, 0) && !inside(0, 501) && !inside(0, -1));
        assert!(!Point::new(0, 0).in_strip(from, from, 500, 200));
    }

    #[test]
    fn one_can_stand_at_a_wall_and_walk_along_it() {
        let wall = Rect::new(Point::new(100, 100), 50, 50);
        let between = |ax, ay, bx, by| wall.is_between(Point::new(ax, ay), Point::new(bx, by));
        assert!(between(0, 125, 200, 125) && between(125, 125, 125, 125) && between(99, 120, 120, 99));
        assert!(!between(100, 0, 100, 200) && !between(100, 100, 150, 100) && !between(100, 125, 0, 125));
        assert!(!between(50, 150, 150, 50), "past the corner at a distance of nothing");
        assert!(between(51, 150, 150, 51), "over the corner");
    }

    #[test]
    fn nothing_overflows() {
        let (low, high) = (Point::new(i32::MIN, i32::MIN), Point::new(i32::MAX, i32::MAX));
        assert_eq!(low.distance_squared(high), u64::MAX);
        assert_eq!(low.mirrored(high), high);
        assert!(!low.within(high, u32::MAX));
        assert!(low.in_cone(low, high, 0, 0) && high.in_strip(high, low, 0, 0));
        let half_way = low.along(high, u32::MAX);
        assert!(half_way.x > 0 && low.within(half_way, u32::MAX));
        assert!(Rect::new(low, u32::MAX, u32::MAX).is_between(low, high));
    }

    fn point() -> impl Strategy<Value = Point> {
        prop_oneof![
            4 => (-40..40, -40..40),
            4 => (-6_000..6_000, -6_000..6_000),
            1 => (any::<i32>(), any::<i32>()),
        ]
        .prop_map(|(x, y)| Point::new(x, y))
    }

    fn rect() -> impl Strategy<Value = Rect> {
        (point(), prop_oneof![0..50_u32, any::<u32>()], prop_oneof![0..50_u32, any::<u32>()])
            .prop_map(|(at, width, height)| Rect::new(at, width, height))
    }

    /// Cuts the way down to what is between the rectangle's sides, one after the other, in exact fractions; what is left
    /// of it is inside.
    fn clipped(rect: Rect, a: Point, b: Point) -> bool {
        // From `enter` to `leave`, each a fraction with a positive divisor.
        let (mut enter, mut leave) = ((0_i128, 1_i128), (1_i128, 1_i128));
        for (from, way, least, most) in [
            (a.x, i128::from(b.x) - i128::from(a.x), rect.from.x, rect.to.x),
            (a.y, i128::from(b.y) - i128::from(a.y), rect.from.y, rect.to.y),
        ] {
            if way == 0 {
                if from <= least || from >= most {
                    return false;
                }
                continue;
            }
            let at = |side: i32| {
                let gap = i128::from(side) - i128::from(from);
                (gap * way.signum(), way.abs())
            };
            let (first, last) = if way > 0 { (at(least), at(most)) } else { (at(most), at(least)) };
            let above = |one: (i128, i128), other: (i128, i128)| one.0 * other.1 > other.0 * one.1;
            if above(first, enter) {
                enter = first;
            }
            if above(leave, last) {
                leave = last;
            }
        }
        if a == b { true } else { enter.0 * leave.1 < leave.0 * enter.1 }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

        #[test]
        fn a_rectangle_is_between_where_the_clipped_way_has_a_length(rect in rect(), a in point(), b in point()) {
            prop_assert_eq!(rect.is_between(a, b), clipped(rect, a, b));
            prop_assert_eq!(rect.is_between(a, b), rect.is_between(b, a));
            prop_assert!(!(rect.contains(a) || rect.contains(b)) || rect.is_between(a, b));
        }

        #[test]
        fn a_step_is_not_too_long_and_not_away(from in point(), to in point(), cm in 0..10_000_u32) {
            let stepped = from.towards(to, cm);
            prop_assert!(from.within(stepped, cm));
            prop_assert!(stepped.distance_squared(to) <= from.distance_squared(to));
            if from.within(to, cm) {
                prop_assert_eq!(stepped, to);
            } else {
                // Less than one of each coordinate is lost, and less than one of the length.
                prop_assert!(u64::from(cm) <= from.distance(stepped) + 3);
            }
        }

        #[test]
        fn a_distance_is_rounded_up(a in point(), b in point()) {
            let far = u128::from(a.distance(b));
            let (x, y) = (u128::from(a.x.abs_diff(b.x)), u128::from(a.y.abs_diff(b.y)));
            let squared = x * x + y * y;
            prop_assert!(far * far >= squared && (far == 0 || (far - 1) * (far - 1) < squared));
        }

        #[test]
        fn a_wider_cone_reaches_more(p in point(), to in point(), long in any::<u32>(), narrow in 0..=360_u16, more in 0..360_u16) {
            let from = Point::new(0, 0);
            let wide = narrow.saturating_add(more);
            prop_assert!(!p.in_cone(from, to, long, narrow) || p.in_cone(from, to, long, wide));
            prop_assert_eq!(p.in_cone(from, to, long, 360), to != from && from.within(p, long));
        }

        #[test]
        fn a_strip_is_in_the_half_of_the_plane_ahead(p in point(), to in point(), long in 0..10_000_u32, wide in 0..5_000_u32) {
            let from = Point::new(0, 0);
            if p.in_strip(from, to, long, wide) {
                prop_assert!(p.in_cone(from, to, long + wide, 180));
                prop_assert!(p.in_strip(from, to, long + 1, wide) && p.in_strip(from, to, long, wide + 1));
            }
        }

        #[test]
        fn clamped_is_enclosed(rect in rect(), p in point()) {
            prop_assert!(rect.encloses(rect.clamp(p)));
            prop_assert!(rect.encloses(p) == (rect.clamp(p) == p) && rect.encloses(p) == rect.is_near(p, 0));
        }
    }
}
