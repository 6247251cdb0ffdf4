//! The newest stretches of time of one width, each in its place: a stretch's number modulo the ring's length. A place
//! whose stretch has passed is used again, so nothing is ever moved and counting takes the same time always.

use super::bucket::{Bucket, Event};
use super::row::Width;

/// Buckets of one width.
#[derive(Debug)]
pub(super) struct Ring {
    width: Width,
    slots: Box<[Slot]>,
    /// Places that have changed since the last [`Ring::take_dirty`].
    dirty: Vec<u32>,
    /// The place counted into last.
    last: usize,
}

#[derive(Debug, Clone)]
struct Slot {
    /// Which stretch since the epoch this is, [`EMPTY`] for none.
    number: i64,
    dirty: bool,
    bucket: Bucket,
}

const EMPTY: i64 = i64::MIN;

impl Ring {
    pub(super) fn new(width: Width) -> Self {
        let empty = Slot { number: EMPTY, dirty: false, bucket: Bucket::default() };
        Self { width, slots: vec![empty; width.buckets().into()].into(), dirty: Vec::new(), last: 0 }
    }

    /// Counts `event` into the stretch that `now_ms` is in. A place that holds another stretch gives it up, also where that
    /// one is later: then the clock had been wrong by more than the ring is long, and what is now is what counts.
    pub(super) fn count(&mut self, event: Event, now_ms: i64) {
        let number = self.width.number_at(now_ms);
        let place = self.place(number);
        if place != self.last {
            // Buckets grow by doubling; one that is left behind gives the rest back.
            self.slots[self.last].bucket.shrink();
            self.last = place;
        }
        let slot = &mut self.slots[place];
        if slot.number != number {
            slot.number = number;
            slot.bucket = Bucket::default();
        }
        slot.bucket.count(event, self.width.distributed());
        if self.width.kept() && !slot.dirty {
            slot.dirty = true;
            self.dirty.push(u32::try_from(place).expect("a ring is short"));
        }
    }

    /// The bucket of one stretch, if there is something in it.
    pub(super) fn bucket(&self, number: i64) -> Option<&Bucket> {
        let slot = &self.slots[self.place(number)];
        (slot.number == number).then_some(&slot.bucket)
    }

    /// Visits what has changed since the last time, by number.
    pub(super) fn take_dirty(&mut self, mut visit: impl FnMut(i64, &Bucket)) {
        for place in std::mem::take(&mut self.dirty) {
            let slot = &mut self.slots[place as usize];
            slot.dirty = false;
            visit(slot.number, &slot.bucket);
        }
    }

    /// Has one stretch visited again by the next [`Ring::take_dirty`], if it is still here.
    pub(super) fn mark(&mut self, number: i64) {
        let place = self.place(number);
        let slot = &mut self.slots[place];
        if slot.number == number && !slot.dirty {
            slot.dirty = true;
            self.dirty.push(u32::try_from(place).expect("a ring is short"));
        }
    }

    /// Adds a bucket from elsewhere, unless its place holds a later stretch.
    pub(super) fn merge(&mut self, number: i64, bucket: &Bucket) {
        let slot = &mut self.slots[self.width.place(number)];
        if slot.number < number {
            slot.number = number;
            slot.bucket = Bucket::default();
        }
        if slot.number == number {
            slot.bucket.merge(bucket);
            slot.bucket.shrink();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| size_of::<Slot>() + slot.bucket.heap_bytes()).sum()
    }

    fn place(&self, number: i64) -> usize {
        self.width.place(number)
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, Ring, Width};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    const MINUTE_MS: i64 = 60_000;

    fn created(ring: &Ring, number: i64) -> u64 {
        ring.bucket(number).map_or(0, |bucket| bucket.counters.created)
    }

    #[test]
    fn the_oldest_makes_room() {
        let mut ring = Ring::new(Width::Minute);
        let length = i64::from(Width::Minute.buckets());
        for minute in 0..length + 2 {
            ring.count(Event::Created, minute * MINUTE_MS);
        }
        assert_eq!((created(&ring, 0), created(&ring, 1)), (0, 0));
        assert!((2..length + 2).all(|minute| created(&ring, minute) == 1));
    }

    #[test]
    fn a_step_back_counts_where_it_leads() {
        let mut ring = Ring::new(Width::Minute);
        let length = i64::from(Width::Minute.buckets());
        for minute in [1000, 999, 1000, 1000 - 2 * length, -1] {
            ring.count(Event::Created, minute * MINUTE_MS);
        }
        assert_eq!(created(&ring, 999), 1);
        assert_eq!(created(&ring, 1000 - 2 * length), 1, "the later one in its place was not real");
        assert_eq!(created(&ring, 1000), 0);
        assert_eq!(created(&ring, -1), 1, "also before the epoch");
    }

    #[test]
    fn what_changed_is_visited_once_and_again_when_marked() {
        let mut ring = Ring::new(Width::Minute);
        let dirty = |ring: &mut Ring| {
            let mut numbers = Vec::new();
            ring.take_dirty(|number, bucket| numbers.push((number, bucket.counters.created)));
            numbers
        };
        ring.count(Event::Created, 0);
        ring.count(Event::Created, 1);
        ring.count(Event::Created, MINUTE_MS);
        assert_eq!(dirty(&mut ring), [(0, 2), (1, 1)]);
        assert_eq!(dirty(&mut ring), []);
        ring.mark(0);
        ring.mark(0);
        ring.mark(7);
        assert_eq!(dirty(&mut ring), [(0, 2)]);
        let mut seconds = Ring::new(Width::Second);
        seconds.count(Event::Created, 0);
        assert_eq!(dirty(&mut seconds), [], "seconds are not kept");
    }

    proptest! {
        /// Whatever the clock does, a place holds what was counted for its stretch since it was taken for that one.
        #[test]
        fn any_clock(minutes in vec(-3_000_i64..3_000, 1..300)) {
            let mut ring = Ring::new(Width::Minute);
            let mut model: BTreeMap<i64, (i64, u64)> = BTreeMap::new();
            for minute in minutes {
                ring.count(Event::Created, minute * MINUTE_MS + 17);
                let place = model.entry(minute.rem_euclid(Width::Minute.buckets().into())).or_insert((minute, 0));
                *place = if place.0 == minute { (minute, place.1 + 1) } else { (minute, 1) };
            }
            for (number, count) in model.into_values() {
                prop_assert_eq!(created(&ring, number), count);
            }
        }
    }
}
