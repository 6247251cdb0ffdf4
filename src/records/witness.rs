//! Who is told as sessions begin and end, and has figures to keep about it.

use super::Record;
use crate::hub::FightInfo;
use crate::store::BucketRow;

/// Told once of each beginning and each end, by whichever thread it happened on: it must not wait for anything.
pub trait Witness: Send + Sync + std::fmt::Debug {
    /// A session that is no fight has begun.
    fn record_created(&self, record: &Record);

    /// A session that is no fight has ended.
    fn record_ended(&self, record: &Record);

    /// A fight has begun.
    fn fight_created(&self, fight: &FightInfo);

    /// A fight has ended.
    fn fight_ended(&self, fight: &FightInfo);

    /// Figures to keep with the next commit.
    fn buckets(&self) -> Vec<BucketRow>;

    /// The figures given last are kept, or are not and have to be given again.
    fn buckets_kept(&self, kept: bool);
}
