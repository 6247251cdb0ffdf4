//! Who is told as sessions that are no fights begin and end, and has figures to keep about it.

use std::time::Duration;

use super::Record;
use crate::store::BucketRow;

/// Told once of each beginning and each end, by whichever thread it happened on: it must not wait for anything.
pub trait RecordObserver: Send + Sync + std::fmt::Debug {
    /// A session that is no fight has begun.
    fn record_created(&self, record: &Record);

    /// A session that is no fight has ended.
    fn record_ended(&self, record: &Record);

    /// The store has taken this long for a transaction.
    fn committed(&self, elapsed: Duration);

    /// Figures to keep with the next commit.
    fn buckets(&self) -> Vec<BucketRow>;

    /// These figures were not kept: they have to be given again.
    fn not_kept(&self, buckets: &[BucketRow]);

    /// Widths of figures in seconds, and the Unix seconds before which they are of no use any more.
    fn past_buckets(&self) -> [(i32, i64); 4];
}
