//! What fair play counts: nobody is stopped for it, but the log and the metrics tell.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// Something a fair player does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Flag {
    /// Asked to be where it could not have got to in that time, or outside.
    Speed,
    /// Attacked before its weapon was ready, more than once in a row.
    Interval,
    /// Aimed beyond its range, or at what it cannot see, more than once in a row.
    Aim,
    /// More actions than the session takes in a second.
    Rate,
    /// Acts like clockwork.
    Regular,
    /// Has not acted for long.
    Away,
}

impl Flag {
    pub const ALL: [Self; 6] = [Self::Speed, Self::Interval, Self::Aim, Self::Rate, Self::Regular, Self::Away];

    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Speed => "speed",
            Self::Interval => "interval",
            Self::Aim => "aim",
            Self::Rate => "rate",
            Self::Regular => "regular",
            Self::Away => "away",
        }
    }
}

/// What is known of one participant's conduct.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Conduct {
    /// Of the last action.
    pub(crate) acted_at: Millis,
    /// Has been flagged as away since.
    pub(crate) away: bool,
}
