//! What counting one request came to, and how the answer's head says it.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, HeaderValue};
use governor::RateLimiter;
use governor::clock::Clock;
use governor::middleware::StateInformationMiddleware;

use super::keys::Keys;

/// governor's limiter over our map.
pub(super) type Limiter<K, C> = RateLimiter<K, Keys<K>, C, StateInformationMiddleware>;

/// What counting one request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// Requests that may come at once from whom has been quiet.
    pub limit: u32,
    /// Requests that may come now.
    pub remaining: u32,
    /// Until it is `limit` again.
    pub reset: Duration,
    /// Until the next one is taken, where this one was not.
    pub wait: Option<Duration>,
}

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The head fields that tell of it.
pub const HEADERS: [HeaderName; 3] = [LIMIT, REMAINING, RESET];

impl Charge {
    /// Counts one request of `key`.
    pub(super) fn of<K: Hash + Eq + Clone, C: Clock>(limiter: &Limiter<K, C>, key: &K) -> Self {
        Self::many(limiter, key, NonZeroU32::MIN)
    }

    /// Counts a request of `key` that costs as much as `units`. What costs more than a whole burst costs the burst.
    pub(super) fn many<K: Hash + Eq + Clone, C: Clock>(limiter: &Limiter<K, C>, key: &K, units: NonZeroU32) -> Self {
        let counted = limiter
            .check_key_n(key, units)
            .or_else(|most| limiter.check_key_n(key, NonZeroU32::new(most.0).unwrap_or(NonZeroU32::MIN)));
        // A burst always fits into a burst.
        let Ok(counted) = counted else { unreachable!("the quota's own burst") };
        match counted {
            Ok(state) => {
                let (quota, remaining) = (state.quota(), state.remaining_burst_capacity());
                let limit = quota.burst_size().get();
                Self {
                    limit,
                    remaining,
                    reset: quota.replenish_interval() * limit.saturating_sub(remaining),
                    wait: None,
                }
            }
            Err(refusal) => {
                let (quota, wait) = (refusal.quota(), refusal.wait_time_from(limiter.clock().now()));
                let limit = quota.burst_size().get();
                Self { limit, remaining: 0, reset: wait + quota.replenish_interval() * (limit - 1), wait: Some(wait) }
            }
        }
    }

    /// Says it in an answer's head.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.remaining.into());
        headers.insert(RESET, HeaderValue::from(seconds(self.reset)));
    }
}

/// Whole seconds, rounded up: who comes back after that is not too early.
pub(super) fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}
