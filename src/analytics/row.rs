//! Buckets as rows of a store. A row is absolute: written again, it takes the place of what was there.

use super::bucket::Bucket;
use super::series::Series;
use crate::limits;

/// How long the stretches of a ring are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Width {
    Second,
    Minute,
    Quarter,
    Hour,
    /// From midnight to midnight, UTC.
    Day,
}

/// One bucket of one node, on its way to the store or back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRow {
    pub width_s: u32,
    /// Seconds since the epoch.
    pub start_s: i64,
    /// [`Series::number`].
    pub series: u8,
    /// A version, then the bucket in postcard's form.
    pub data: Vec<u8>,
}

/// The form of [`BucketRow::data`].
const VERSION: u8 = 1;

impl Width {
    pub const ALL: [Self; 5] = [Self::Second, Self::Minute, Self::Quarter, Self::Hour, Self::Day];

    pub const fn seconds(self) -> u32 {
        match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Quarter => 15 * 60,
            Self::Hour => 60 * 60,
            Self::Day => 24 * 60 * 60,
        }
    }

    /// Buckets in its ring.
    pub(super) const fn buckets(self) -> u16 {
        match self {
            Self::Second => limits::ANALYTICS_SECONDS,
            Self::Minute => limits::ANALYTICS_MINUTES,
            Self::Quarter => limits::ANALYTICS_QUARTERS,
            Self::Hour => limits::ANALYTICS_HOURS,
            Self::Day => limits::ANALYTICS_DAYS,
        }
    }

    /// Whether its buckets have sketches. Seconds are for rates only.
    pub(super) const fn distributed(self) -> bool {
        !matches!(self, Self::Second)
    }

    /// Whether its buckets go to the store.
    pub(super) const fn kept(self) -> bool {
        !matches!(self, Self::Second)
    }

    /// The number of the stretch a time is in.
    pub(super) fn number_at(self, ms: i64) -> i64 {
        ms.div_euclid(i64::from(self.seconds()) * 1000)
    }

    /// Where in its ring a stretch is.
    pub(super) fn place(self, number: i64) -> usize {
        usize::try_from(number.rem_euclid(self.buckets().into())).expect("a remainder is small and not negative")
    }
}

impl BucketRow {
    pub(super) fn of(width: Width, series: Series, number: i64, bucket: &Bucket) -> Self {
        let data = postcard::to_extend(bucket, vec![VERSION]).expect("memory takes any bucket");
        let start_s = number.saturating_mul(width.seconds().into());
        Self { width_s: width.seconds(), start_s, series: series.number(), data }
    }

    /// Whether it says since when a node has figures, and nothing else.
    pub const fn is_beginning(&self) -> bool {
        self.width_s == Width::Second.seconds()
    }

    /// Whose bucket it is, its number and the bucket. What this version cannot read is left out, with a warning.
    pub(super) fn read(&self) -> Option<(Width, Series, i64, Bucket)> {
        let read = self.parse();
        if read.is_none() {
            tracing::warn!(
                width_s = self.width_s,
                start_s = self.start_s,
                series = self.series,
                version = self.data.first(),
                "a bucket of analytics is not of this version, or damaged: left out"
            );
        }
        read
    }

    fn parse(&self) -> Option<(Width, Series, i64, Bucket)> {
        let width = Width::ALL.into_iter().find(|width| width.kept() && width.seconds() == self.width_s)?;
        let series = Series::numbered(self.series)?;
        let (&version, data) = self.data.split_first()?;
        let (bucket, rest): (Bucket, _) = (version == VERSION).then(|| postcard::take_from_bytes(data).ok())??;
        let sound = rest.is_empty() && bucket.requests.is_sound() && bucket.durations.is_sound();
        sound.then(|| (width, series, self.start_s.div_euclid(width.seconds().into()), bucket))
    }
}

#[cfg(test)]
mod tests {
    use super::super::bucket::{Bucket, Ended, Event};
    use super::{BucketRow, Series, Width};

    fn row() -> (Bucket, BucketRow) {
        let mut bucket = Bucket::default();
        for ms in [1, 70, 70, 5_000_000] {
            bucket.count(Event::ended(Ended { completed: true, duration_ms: ms, ..Ended::default() }), true);
            bucket.count(Event::request(503, ms), true);
        }
        let row = BucketRow::of(Width::Hour, Series::Auth, 7, &bucket);
        (bucket, row)
    }

    #[test]
    fn what_is_written_is_read() {
        let (bucket, row) = row();
        assert_eq!((row.width_s, row.start_s, row.series), (3600, 7 * 3600, 5));
        assert_eq!(row.read(), Some((Width::Hour, Series::Auth, 7, bucket)));
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let (_, good) = row();
        let with = |change: fn(&mut BucketRow)| {
            let mut row = good.clone();
            change(&mut row);
            row.read()
        };
        assert!(with(|_| ()).is_some());
        assert_eq!(with(|row| row.data[0] = 2), None, "another version");
        assert_eq!(with(|row| row.series = 8), None);
        assert_eq!(with(|row| row.width_s = 61), None);
        assert_eq!(with(|row| row.width_s = 1), None, "seconds are not kept");
        assert_eq!(with(|row| row.data.clear()), None);
        assert_eq!(with(|row| row.data.truncate(9)), None);
        assert_eq!(with(|row| row.data.push(0)), None);
        // The first key of the first sketch, made higher than the second.
        assert_eq!(with(|row| row.data[13 + 3..][..2].fill(0x7F)), None);
    }
}
