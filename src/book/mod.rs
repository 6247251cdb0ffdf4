//! What the shards and the store's side share of fights: those on their way into the store ([`write_behind`]), who has how much of what lives
//! ([`holdings`]), and how much of what is made in a day ([`daily`]).

pub mod daily;
pub mod holdings;
mod write_behind;

pub use daily::{Daily, DailyBudgets, Lacking};
pub use holdings::{Bounds, Holdings, Share};
pub use write_behind::{News, WriteBehind};

use crate::session::FightInfo;

/// Told once of each beginning and each end of a fight, by whichever thread it happened on: it must not wait for anything.
pub trait FightObserver: Send + Sync + std::fmt::Debug {
    /// A fight has begun.
    fn fight_created(&self, fight: &FightInfo);

    /// A fight has ended.
    fn fight_ended(&self, fight: &FightInfo);
}
