//! What the committer and the shards tell of, counted; and figures on their way into the store.

use std::time::Duration;

use metrics::Histogram;

use crate::hub::FightInfo;
use crate::records::{Body, Record, Witness, now};
use crate::store::{self, Status, Store, StoreError};

use super::{Analytics, BucketRow, Ended, Series, Width};

/// Analytics of one node, named in its rows.
#[derive(Debug)]
pub struct Counting {
    pub analytics: Analytics,
    pub node: String,
    /// Times of the store's transactions, for the metrics.
    commits: Histogram,
}

impl Counting {
    /// Goes on from what the store has of this node.
    pub async fn restored(store: &dyn Store, node: &str, commits: Histogram) -> Result<Self, StoreError> {
        let counting = Self { analytics: Analytics::new(now().cast_signed()), node: node.to_owned(), commits };
        for (width, since) in counting.past_buckets() {
            let rows: Vec<BucketRow> = store.buckets(width, since, true).await?.iter().filter_map(counted).collect();
            counting.analytics.restore(&rows);
        }
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

/// What a session's type is counted as.
pub const fn series_of(body: &Body) -> Series {
    match body {
        Body::Player(_) => Series::Player,
        Body::Auth(_) => Series::Auth,
        Body::Custom(_) => Series::Custom,
    }
}

impl Witness for Counting {
    fn record_created(&self, record: &Record) {
        self.analytics.created(series_of(&record.body), now().cast_signed());
    }

    fn record_ended(&self, record: &Record) {
        let ended_at = record.ended_at.unwrap_or(record.updated_at);
        let ended = Ended {
            completed: record.status == Status::Completed,
            duration_ms: ended_at.saturating_sub(record.created_at),
            ..Ended::default()
        };
        self.analytics.ended(series_of(&record.body), ended, now().cast_signed());
    }

    fn fight_created(&self, fight: &FightInfo) {
        self.analytics.created(fight.mode.into(), now().cast_signed());
    }

    fn fight_ended(&self, fight: &FightInfo) {
        let lasted = fight.ended_at.and_then(|at| at.duration_since(fight.created_at).ok()).unwrap_or_default();
        let ended = Ended {
            completed: fight.generic_status() == Status::Completed,
            duration_ms: u64::try_from(lasted.as_millis()).unwrap_or(u64::MAX),
            actions: fight.actions,
            refused_actions: fight.refused,
        };
        self.analytics.ended(fight.mode.into(), ended, now().cast_signed());
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
        // Seconds are for rates: they are over before anybody could read them again.
        self.analytics.dirty().into_iter().filter(|row| row.width_s > Width::Second.seconds()).map(row).collect()
    }

    fn not_kept(&self, buckets: &[store::BucketRow]) {
        let rows: Vec<BucketRow> = buckets.iter().filter_map(counted).collect();
        self.analytics.not_written(&rows);
    }

    fn past_buckets(&self) -> [(i32, i64); 4] {
        let now = now().cast_signed();
        [Width::Minute, Width::Quarter, Width::Hour, Width::Day]
            .map(|width| (width.seconds().cast_signed(), width.oldest(now)))
    }
}
