//! Analytics, kept as they happen: sessions created and ended, requests answered, in rings of buckets by time, apart for
//! every type and mode. A report adds up buckets and never looks at a session.
//!
//! In reading order: [`series`] what is counted apart, [`bucket`] what is counted, [`sketch`] how quantiles are kept, `ring`
//! the newest buckets of one width, [`row`] buckets as rows of a store, [`report`] the question
//! and the answer, `sums` the way from buckets to it. Nothing here has a clock:
//! the time is an argument, in milliseconds since the epoch.

pub mod bucket;
pub mod counting;
pub mod report;
mod ring;
pub mod row;
pub mod series;
pub mod sketch;
mod sums;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use bucket::{Counters, Ended};
pub use report::{Live, Metric, Query, SessionAnalytics, Timeframe};
pub use row::{BucketRow, Width};
pub use series::Series;

use bucket::Event;
use ring::Ring;
use sums::{Sums, Window};

use crate::session::PerKind;

/// The figures of one node. Counting takes a short lock, of its series only; actions of fights are counted when the fight
/// ends, never one by one.
#[derive(Debug)]
pub struct Analytics {
    series: [Mutex<Rings>; Series::ALL.len()],
    /// Since when there are figures: the first start, or what is known of it.
    since_ms: AtomicI64,
}

/// One ring of each width.
#[derive(Debug)]
struct Rings([Ring; Width::ALL.len()]);

impl Analytics {
    /// No figures yet.
    pub fn new(now_ms: i64) -> Self {
        let rings = |_| Mutex::new(Rings(Width::ALL.map(Ring::new)));
        Self { series: std::array::from_fn(rings), since_ms: AtomicI64::new(now_ms) }
    }

    /// Counts a session that was created.
    pub fn created(&self, series: Series, now_ms: i64) {
        self.count(series, Event::Created, now_ms);
    }

    /// Counts a session that ended.
    pub fn ended(&self, series: Series, ended: Ended, now_ms: i64) {
        self.count(series, Event::ended(ended), now_ms);
    }

    /// Counts a request that was answered.
    pub fn request(&self, series: Series, status: u16, elapsed: Duration, now_ms: i64) {
        let us = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.count(series, Event::request(status, us), now_ms);
    }

    /// The answer to `query`, with what `others`, rows of other nodes, add to this node's own figures. Rows this query
    /// has no use for are passed over; [`Query::rows`] says which ones to fetch, and [`Analytics::beginning`] which besides.
    pub fn report(&self, query: Query, totals: &PerKind<Live>, others: &[BucketRow], now_ms: i64) -> SessionAnalytics {
        let window = Window::at(query.timeframe, now_ms);
        let mut sums = Sums::new(query, window);
        for series in Series::ALL.into_iter().filter(|series| query.is_about(*series)) {
            let rings = self.lock(series);
            let ring = &rings.0[window.width as usize];
            for index in 0..window.buckets() {
                if let Some(bucket) = ring.bucket(window.first + index) {
                    sums.add(series, index, bucket);
                }
            }
        }
        let mut since_ms = self.since_ms.load(Ordering::Relaxed);
        for row in others {
            if row.is_beginning() {
                since_ms = since_ms.min(row.start_s.saturating_mul(1_000));
                continue;
            }
            let Some((width, series, number, bucket)) = row.read() else { continue };
            if let Some(index) = window.index(width, number).filter(|_| query.is_about(series)) {
                sums.add(series, index, &bucket);
            }
        }
        sums.report(totals, since_ms, now_ms)
    }

    /// The sums of the last `seconds` whole seconds, at most [`crate::limits::ANALYTICS_SECONDS`] less one: what is going
    /// on just now.
    pub fn recent(&self, series: Series, seconds: u16, now_ms: i64) -> Counters {
        let rings = self.lock(series);
        let ring = &rings.0[Width::Second as usize];
        let now = Width::Second.number_at(now_ms);
        let mut sums = Counters::default();
        for bucket in (now - i64::from(seconds)..now).filter_map(|number| ring.bucket(number)) {
            sums.add(&bucket.counters);
        }
        sums
    }

    /// The buckets that have changed since the last time. Each is whole, so a row of the same node, width, start and series
    /// takes the place of the one before.
    pub fn dirty(&self) -> Vec<BucketRow> {
        let mut rows = Vec::new();
        for series in Series::ALL {
            let mut rings = self.lock(series);
            for (width, ring) in Width::ALL.into_iter().zip(&mut rings.0) {
                ring.take_dirty(|number, bucket| rows.push(BucketRow::of(width, series, number, bucket)));
            }
        }
        rows
    }

    /// Takes rows back that could not be written: [`Analytics::dirty`] has them again, as they are by then.
    pub fn not_written(&self, rows: &[BucketRow]) {
        for (width, series, number, _) in rows.iter().filter_map(BucketRow::read) {
            self.lock(series).0[width as usize].mark(number);
        }
    }

    /// Adds what this node had counted before it was restarted; once, at the start.
    pub fn restore(&self, rows: &[BucketRow]) {
        for (width, series, number, bucket) in rows.iter().filter_map(BucketRow::read) {
            self.lock(series).0[width as usize].merge(number, &bucket);
        }
    }

    /// There have been figures since then.
    pub fn began(&self, since_ms: i64) {
        self.since_ms.fetch_min(since_ms, Ordering::Relaxed);
    }

    /// A row that says since when there are figures: of the second in which they began, and with nothing in it.
    pub fn beginning(&self) -> BucketRow {
        let second = Width::Second.number_at(self.since_ms.load(Ordering::Relaxed));
        BucketRow::of(Width::Second, Series::None, second, &bucket::Bucket::default())
    }

    /// Bytes all of it takes.
    pub fn bytes(&self) -> usize {
        Series::ALL.into_iter().map(|series| self.lock(series).0.iter().map(Ring::bytes).sum::<usize>()).sum()
    }

    fn count(&self, series: Series, event: Event, now_ms: i64) {
        for ring in &mut self.lock(series).0 {
            ring.count(event, now_ms);
        }
    }

    fn lock(&self, series: Series) -> MutexGuard<'_, Rings> {
        self.series[usize::from(series.number())].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Query {
    /// The rows a report needs at `now_ms`: their width, and the seconds since the epoch from which on they start.
    pub fn rows(&self, now_ms: i64) -> (u32, i64) {
        let window = Window::at(self.timeframe, now_ms);
        (window.width.seconds(), start_ms(window.width, window.first) / 1000)
    }
}

impl Width {
    /// The seconds since the epoch before which rows of this width are of no use any more.
    pub fn oldest(self, now_ms: i64) -> i64 {
        start_ms(self, self.number_at(now_ms) - i64::from(self.buckets())) / 1000
    }
}

fn start_ms(width: Width, number: i64) -> i64 {
    number.saturating_mul(i64::from(width.seconds()) * 1000)
}
