//! Why something is refused, whoever refuses it, and what a caller has all of.

use tiltyard_protocol::Reason;
use uuid::Uuid;

/// A named refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: Reason,
    /// Milliseconds until the same may succeed, where known.
    pub retry_ms: Option<u32>,
    /// The session's version, where another was expected.
    pub version: Option<u64>,
    /// The session that is in the way.
    pub session: Option<Uuid>,
    /// What the caller has all of.
    pub quota: Option<Exceeded>,
    /// Nobody knows whether it takes effect yet.
    pub is_unknown: bool,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            retry_ms: None,
            version: None,
            session: None,
            quota: None,
            is_unknown: reason == Reason::Timeout,
        }
    }
}

macro_rules! quotas {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// What there is only so much of for each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Quota { $($(#[$doc])* $variant,)* }

        impl Quota {
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its stable name, in a refusal's `details.quota`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

quotas! {
    /// Live sessions of one type that one player owns.
    LiveSessions = "live_sessions",
    /// Bytes that these may take.
    SessionBytes = "session_bytes",
    /// The same, with fights that have ended a moment ago.
    RecentBytes = "recent_bytes",
    /// Fights of the arena that one player has a seat in.
    ArenaSeats = "arena_seats",
    /// Seats in fights of the arena that players of one address have.
    AddressSeats = "address_seats",
    /// Sessions of one type that one player makes in a day.
    DailySessions = "daily_sessions",
    /// Seats in the arena that one player takes in a day.
    DailySeats = "daily_arena_seats",
    /// The same of the players of one address.
    DailyAddressSeats = "daily_address_seats",
    /// Bytes of idempotency keys, with the answers that are kept with them, of one player in a day.
    DailyKeyBytes = "daily_key_bytes",
}

/// What somebody has all of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exceeded {
    pub quota: Quota,
    pub limit: u64,
    /// What is taken of it now.
    pub used: u64,
    /// Milliseconds until there is some of it again, where only time has to pass.
    pub retry_ms: Option<u32>,
}
