//! What the committer and the shards tell of, counted; and figures on their way into the store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use metrics::Histogram;

use crate::book;
use crate::clock::now_ms;
use crate::records::{Record, RecordObserver};
use crate::session::{FightInfo, Status};
use crate::store::{self, Store, StoreError};

use super::{Analytics, BucketRow, Ended, Width};

/// Analytics of one node, named in its rows.
#[derive(Debug)]
pub struct Counting {
    pub analytics: Analytics,
    pub node: String,
    /// Times of the store's transactions, for the metrics.
    commits: Histogram,
    /// The store does not say since when there are figures.
    unmarked: AtomicBool,
}

impl Counting {
    /// Goes on from what the store has of this node.
    pub async fn restored(store: &dyn Store, node: &str, commits: Histogram) -> Result<Self, StoreError> {
        let now = now_ms().cast_signed();
        let (analytics, unmarked) = (Analytics::new(now), AtomicBool::new(true));
        let counting = Self { analytics, node: node.to_owned(), commits, unmarked };
        let mut began = now;
        for (width, since) in counting.past_buckets() {
            let rows: Vec<BucketRow> = store.buckets(width, since, true).await?.iter().filter_map(counted).collect();
            // Of a stretch in which there began to be figures a finer one says when; only one before all of those says more.
            let first =
                rows.iter().map(|row| (row.start_s * 1_000, (row.start_s + i64::from(row.width_s)) * 1_000)).min();
            began = first.filter(|(_, end)| *end <= began || width == 60).map_or(began, |(start, _)| start.min(began));
            counting.analytics.restore(&rows);
        }
        let marks = store.buckets(Width::Second.seconds().cast_signed(), 0, true).await?;
        if let Some(first) = marks.iter().map(|row| row.start).min() {
            began = first * 1_000;
            counting.unmarked.store(false, Ordering::Relaxed);
        }
        counting.analytics.began(began);
        Ok(counting)
    }
}

/// A row of the store as analytics read it; `None` where no version of them has written it.
pub fn counted(row: &store::BucketRow) -> Option<BucketRow> {
    Some(BucketRow {
        width_s: u32::try_from(row.width).ok()?,
        start_s: row.start,
        series: u8::try_from(row.series).ok()?,
        data: row.data.clone(),
    })
}

impl book::FightObserver for Counting {
    fn fight_created(&self, fight: &FightInfo) {
        self.analytics.created(fight.mode.into(), now_ms().cast_signed());
    }

    fn fight_ended(&self, fight: &FightInfo) {
        let lasted = fight.ended_at.and_then(|at| at.duration_since(fight.created_at).ok()).unwrap_or_default();
        let ended = Ended {
            completed: fight.generic_status() == Status::Completed,
            duration_ms: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
            actions: fight.actions,
            refused_actions: fight.refused,
        };
        self.analytics.ended(fight.mode.into(), ended, now_ms().cast_signed());
    }
}

impl RecordObserver for Counting {
    fn record_created(&self, record: &Record) {
        self.analytics.created((&record.body).into(), now_ms().cast_signed());
    }

    fn record_ended(&self, record: &Record) {
        let ended_at = record.ended_at.unwrap_or(record.updated_at);
        let ended = Ended {
            completed: record.status == Status::Completed,
            duration_ms: ended_at.saturating_sub(record.created_at),
            ..Ended::default()
        };
        self.analytics.ended((&record.body).into(), ended, now_ms().cast_signed());
    }

    fn committed(&self, elapsed: Duration) {
        self.commits.record(elapsed.as_secs_f64());
    }

    fn buckets(&self) -> Vec<store::BucketRow> {
        let row = |row: BucketRow| store::BucketRow {
            node: self.node.clone(),
            width: row.width_s.cast_signed(),
            start: row.start_s,
            series: row.series.into(),
            data: row.data,
        };
        // Seconds are for rates: they are over before anybody could read them again. One says since when there are figures.
        let kept = self.analytics.dirty().into_iter().filter(|row| row.width_s > Width::Second.seconds());
        let mark = self.unmarked.swap(false, Ordering::Relaxed).then(|| self.analytics.beginning());
        kept.chain(mark).map(row).collect()
    }

    fn not_kept(&self, buckets: &[store::BucketRow]) {
        let rows: Vec<BucketRow> = buckets.iter().filter_map(counted).collect();
        let (marks, rows): (Vec<_>, Vec<_>) = rows.into_iter().partition(BucketRow::is_beginning);
        if !marks.is_empty() {
            self.unmarked.store(true, Ordering::Relaxed);
        }
        self.analytics.not_written(&rows);
    }

    fn past_buckets(&self) -> [(i32, i64); 4] {
        let now = now_ms().cast_signed();
        [Width::Minute, Width::Quarter, Width::Hour, Width::Day]
            .map(|width| (width.seconds().cast_signed(), width.oldest(now)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use metrics::Histogram;

    use super::Counting;
    use crate::analytics::{Metric, Query, Series, Timeframe};
    use crate::clock::now_ms;
    use crate::records::RecordObserver;
    use crate::session::PerKind;
    use crate::store::{Batch, SqliteStore, Store};

    #[tokio::test]
    async fn a_restart_changes_no_rate() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("s.db"), "a", false, false).await.unwrap();
        let start = async || Counting::restored(&store, "a", Histogram::noop()).await.unwrap();
        let rate = |counting: &Counting, timeframe, now| {
            let query = Query { timeframe, metric: Metric::Performance, session_type: None };
            let report = counting.analytics.report(query, &PerKind::default(), &[], now);
            report.performance_metrics.unwrap().throughput_per_second
        };
        let mut counting = start().await;
        for _ in 0..1_000 {
            counting.analytics.request(Series::None, 200, Duration::ZERO, now_ms().cast_signed());
        }
        // Ten seconds after the start.
        let at = now_ms().cast_signed() + 10_000;
        for timeframe in Timeframe::ALL {
            assert!((rate(&counting, timeframe, at) - 100.0).abs() < 20.0, "{timeframe:?}");
        }
        for restart in 0..3 {
            store.commit(&Batch { buckets: counting.buckets(), ..Batch::default() }).await.unwrap();
            counting = start().await;
            for timeframe in Timeframe::ALL {
                let rate = rate(&counting, timeframe, at);
                assert!((rate - 100.0).abs() < 20.0, "{timeframe:?}, restart {restart}: {rate}");
            }
        }
    }
}
