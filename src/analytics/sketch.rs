//! Quantiles in little memory. The arithmetic - which bin a value falls into, what a bin stands for, what a quantile is -
//! is that of `DDSketch`. Its store is not: it is dense, at least a KiB for every sketch, and there are thousands here
//! of which most have seen few values. Ours keeps only the bins that have something in them.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};

use crate::limits;

/// A relative error of 1 %. Values are whole and at least 1, so a bin's key is never negative.
static CONFIG: LazyLock<Config> = LazyLock::new(|| Config::new(0.01, KEYS.into(), 0.5));

/// Keys there are: `ln(2^64) / ln(1.01 / 0.99)`, rounded up.
const KEYS: u16 = 2_219;

/// The bin of a value. Found once, it can be recorded in several sketches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Key(u16);

/// How values of one kind were distributed in one bucket of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sketch {
    /// Keys rise. At most [`limits::SKETCH_BINS`].
    bins: Vec<(Key, u32)>,
}

/// Sketches added up for an answer.
#[derive(Debug)]
pub struct Merged(Box<[u64]>);

impl Key {
    /// The bin `value` falls into; 0 is taken for 1.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Below `KEYS`.
    pub fn of(value: u64) -> Self {
        Self(CONFIG.key(value.max(1) as f64).clamp(0, i32::from(KEYS) - 1) as u16)
    }
}

impl Sketch {
    /// Counts one value.
    pub fn record(&mut self, key: Key) {
        self.add(key, 1);
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        for &(key, count) in &other.bins {
            self.add(key, count);
        }
    }

    /// Gives back memory in reserve.
    pub fn shrink(&mut self) {
        self.bins.shrink_to_fit();
    }

    /// Whether it is one that this module could have made.
    pub fn is_sound(&self) -> bool {
        self.bins.len() <= limits::SKETCH_BINS
            && self.bins.iter().all(|(key, _)| key.0 < KEYS)
            && self.bins.is_sorted_by(|(a, _), (b, _)| a < b)
    }

    /// Bytes on the heap.
    pub fn heap_bytes(&self) -> usize {
        self.bins.capacity() * size_of::<(Key, u32)>()
    }

    fn add(&mut self, key: Key, count: u32) {
        match self.bins.binary_search_by_key(&key, |(key, _)| *key) {
            Ok(place) => self.bins[place].1 = self.bins[place].1.saturating_add(count),
            Err(place) if self.bins.len() < limits::SKETCH_BINS => self.bins.insert(place, (key, count)),
            // Below every bin, and there is no room: it counts as the lowest.
            Err(0) => self.bins[0].1 = self.bins[0].1.saturating_add(count),
            // The lowest goes into the next one, which leaves room.
            Err(place) => {
                let (_, lowest) = self.bins.remove(0);
                self.bins.insert(place - 1, (key, count));
                self.bins[0].1 = self.bins[0].1.saturating_add(lowest);
            }
        }
    }
}

impl Merged {
    /// Adds a sketch.
    pub fn add(&mut self, sketch: &Sketch) {
        for &(key, count) in &sketch.bins {
            self.0[usize::from(key.0)] += u64::from(count);
        }
    }

    /// The values below which these parts of all lie; nothing where nothing was counted.
    pub fn quantiles<const N: usize>(&self, parts: [f64; N]) -> Option<[f64; N]> {
        let mut sketch = DDSketch::new(*CONFIG);
        for (key, &count) in (0..).zip(self.0.iter()).filter(|(_, count)| **count > 0) {
            sketch.add_with_count(CONFIG.value(key), count);
        }
        let quantile = |part| sketch.quantile(part).ok().flatten();
        (sketch.count() > 0).then(|| parts.map(|part| quantile(part).unwrap_or_default()))
    }
}

impl Default for Merged {
    fn default() -> Self {
        Self(vec![0; KEYS.into()].into())
    }
}

#[cfg(test)]
mod tests {
    use super::{CONFIG, KEYS, Key, Merged, Sketch};
    use crate::limits::SKETCH_BINS;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn sketch(values: &[u64]) -> Sketch {
        let mut sketch = Sketch::default();
        for &value in values {
            sketch.record(Key::of(value));
        }
        sketch
    }

    fn quantile(sketches: &[Sketch], part: f64) -> f64 {
        let mut merged = Merged::default();
        for sketch in sketches {
            merged.add(sketch);
        }
        merged.quantiles([part]).unwrap()[0]
    }

    /// The value at the rank the library looks for.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn exact(values: &[u64], part: f64) -> f64 {
        let mut sorted = values.to_vec();
        sorted.sort_unstable();
        sorted[(part * (sorted.len() as f64 - 1.0)) as usize].max(1) as f64
    }

    #[test]
    fn a_bin_stands_for_a_value_in_it() {
        for key in 0..KEYS - 1 {
            let back = CONFIG.key(CONFIG.value(i32::from(key)));
            assert_eq!(back, i32::from(key));
        }
        assert_eq!(Key::of(0), Key::of(1));
        assert!(Key::of(u64::MAX).0 < KEYS);
    }

    #[test]
    fn the_highest_values_stay_exact_when_there_are_too_many_bins() {
        // More bins than there may be: one value in each key, from the lowest to the highest and the other way round.
        let mut values: Vec<u64> =
            std::iter::successors(Some(1_u64), |value| Some(value + value / 32 + 1)).take(600).collect();
        for _ in 0..2 {
            let sketch = sketch(&values);
            assert!(sketch.bins.len() == SKETCH_BINS && sketch.is_sound());
            assert_eq!(sketch.bins.iter().map(|(_, count)| *count as usize).sum::<usize>(), values.len());
            for part in [0.7, 0.95, 0.99] {
                let (got, exact) = (quantile(std::slice::from_ref(&sketch), part), exact(&values, part));
                assert!((got - exact).abs() <= exact * 0.02, "{part}: {got} for {exact}");
            }
            values.reverse();
        }
    }

    #[test]
    fn nothing_counted_is_no_quantile() {
        assert_eq!(Merged::default().quantiles([0.5]), None);
    }

    proptest! {
        /// Spread over some nodes' sketches, the quantiles of all are within 2 %.
        #[test]
        fn quantiles_of_merged_sketches(values in vec(1_u64..60_000_000, 1..400), nodes in 1_usize..5) {
            let sketches: Vec<Sketch> =
                (0..nodes).map(|node| sketch(&values.iter().copied().skip(node).step_by(nodes).collect::<Vec<_>>())).collect();
            for part in [0.5, 0.95, 0.99] {
                let (got, exact) = (quantile(&sketches, part), exact(&values, part));
                prop_assert!((got - exact).abs() <= exact * 0.02, "{}: {} for {}", part, got, exact);
            }
        }

        /// Whatever is merged with whatever, nothing is lost and the bins keep their order and their bound.
        #[test]
        fn merging_keeps_counts_and_order(a in vec(1_u64..u64::MAX, 0..600), b in vec(1_u64..u64::MAX, 0..600)) {
            let mut one = sketch(&a);
            one.merge(&sketch(&b));
            prop_assert!(one.is_sound());
            let counted: u64 = one.bins.iter().map(|(_, count)| u64::from(*count)).sum();
            prop_assert_eq!(counted, (a.len() + b.len()) as u64);
        }
    }
}
