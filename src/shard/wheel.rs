//! A hierarchical timing wheel: what is due at a millisecond, found without looking at anything that is not.
//!
//! Six levels of 64 slots; level `n` holds what is due within 64^(n+1) ms. A slot that comes up on a level above the
//! lowest is sorted into the levels below.

const LEVELS: usize = 6;
const SLOT_BITS: usize = 6;
const SLOTS: usize = 1 << SLOT_BITS;

/// How far ahead the highest level reaches, about two years. What is due later is looked at again then.
const HORIZON: u64 = (SLOTS as u64 - 1) << (SLOT_BITS * (LEVELS - 1));

/// The wheel. Times are milliseconds on one clock that does not fall.
#[derive(Debug)]
pub struct Wheel<T> {
    now: u64,
    levels: [Level<T>; LEVELS],
    /// Kept to be reused while a slot is emptied.
    scratch: Vec<(u64, T)>,
}

#[derive(Debug)]
struct Level<T> {
    /// Bit `n` is set where slot `n` is not empty.
    occupied: u64,
    slots: [Vec<(u64, T)>; SLOTS],
}

impl<T> Default for Level<T> {
    fn default() -> Self {
        Self { occupied: 0, slots: std::array::from_fn(|_| Vec::new()) }
    }
}

impl<T> Default for Wheel<T> {
    fn default() -> Self {
        Self { now: 0, levels: std::array::from_fn(|_| Level::default()), scratch: Vec::new() }
    }
}

impl<T> Wheel<T> {
    /// Adds `item`, due at `due`; what is already due fires with the next [`Wheel::fire`].
    pub fn insert(&mut self, due: u64, item: T) {
        let slot_time = due.clamp(self.now, self.now + HORIZON);
        // The highest bit in which the two times differ says how far apart they are.
        let differing = (self.now ^ slot_time) | (SLOTS as u64 - 1);
        let level = ((63 - differing.leading_zeros() as usize) / SLOT_BITS).min(LEVELS - 1);
        let slot = slot_of(slot_time, level);
        self.levels[level].occupied |= 1 << slot;
        self.levels[level].slots[slot].push((due, item));
    }

    /// When [`Wheel::fire`] has something to do next.
    pub fn next(&self) -> Option<u64> {
        self.next_slot().map(|(_, _, time)| time)
    }

    /// Moves to `now` and gives `fired` everything that was due by then, earliest slot first.
    pub fn fire(&mut self, now: u64, mut fired: impl FnMut(T)) {
        while let Some((level, slot, time)) = self.next_slot().filter(|(_, _, time)| *time <= now) {
            self.now = time.max(self.now);
            self.levels[level].occupied &= !(1 << slot);
            let mut entries = std::mem::replace(&mut self.levels[level].slots[slot], std::mem::take(&mut self.scratch));
            for (due, item) in entries.drain(..) {
                if due <= self.now {
                    fired(item);
                } else {
                    self.insert(due, item);
                }
            }
            self.scratch = entries;
        }
        self.now = now.max(self.now);
    }

    /// The first slot that is not empty: its level, its number, and the time at which it begins.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        self.levels.iter().enumerate().find(|(_, level)| level.occupied != 0).map(|(number, level)| {
            #[allow(clippy::cast_possible_truncation)] // Below the number of slots.
            let current = slot_of(self.now, number) as u32;
            let ahead = level.occupied.rotate_right(current).trailing_zeros();
            let slot = ((current + ahead) as usize) % SLOTS;
            let width = 1_u64 << (SLOT_BITS * number);
            let start = (self.now & !(width - 1)) + u64::from(ahead) * width;
            (number, slot, start.max(self.now))
        })
    }
}

#[allow(clippy::cast_possible_truncation)] // Masked to the slots first.
const fn slot_of(time: u64, level: usize) -> usize {
    (time >> (SLOT_BITS * level)) as usize & (SLOTS - 1)
}

#[cfg(test)]
mod tests {
    use super::Wheel;

    #[test]
    fn everything_fires_once_and_never_early() {
        let mut wheel = Wheel::<u64>::default();
        // A small generator is enough: the test wants spread, not randomness.
        let mut state = 1_u64;
        let mut draw = |bound: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % bound
        };
        let (mut now, mut pending) = (5_000, 0_u64);
        wheel.fire(now, |_| {});
        for round in 0..20_000 {
            let due = now + draw(1 << (1 + round % 24));
            wheel.insert(due, due);
            pending += 1;
            if round % 3 == 0 {
                let next = wheel.next().expect("something is pending");
                let to = if draw(2) == 0 { next } else { now + draw(3_000) };
                let before = now;
                now = now.max(to);
                wheel.fire(now, |due| {
                    assert!(due <= now && due >= before.min(due), "due {due} fired at {now}");
                    pending -= 1;
                });
            }
        }
        wheel.fire(now + (1 << 25), |_| pending -= 1);
        assert_eq!(pending, 0);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn nothing_is_late_when_woken_at_next() {
        let mut wheel = Wheel::default();
        for due in [1, 63, 64, 65, 4_095, 4_096, 100_000, 20_000_000] {
            wheel.insert(due, due);
        }
        let mut fired = Vec::new();
        while let Some(at) = wheel.next() {
            wheel.fire(at, |due| fired.push((due, at)));
        }
        assert!(fired.iter().all(|(due, at)| due == at), "{fired:?}");
        assert_eq!(fired.len(), 8);
    }

    #[test]
    fn what_is_overdue_fires_at_once_and_what_is_far_fires_in_the_end() {
        let mut wheel = Wheel::default();
        wheel.fire(1_000_000, |_: u64| {});
        wheel.insert(5, 5);
        assert_eq!(wheel.next(), Some(1_000_000));
        let far = 1 << 40;
        wheel.insert(far, far);
        let mut fired = Vec::new();
        wheel.fire(1_000_000, |due| fired.push(due));
        assert_eq!(fired, [5]);
        wheel.fire(far - 1, |due| fired.push(due));
        assert_eq!(fired, [5]);
        wheel.fire(far, |due| fired.push(due));
        assert_eq!(fired, [5, far]);
    }
}
