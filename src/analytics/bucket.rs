//! What happened within one stretch of time.

use serde::{Deserialize, Serialize};

use super::sketch::{Key, Sketch};

/// Plain sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    pub created: u64,
    pub completed: u64,
    pub terminated: u64,
    /// Milliseconds that the sessions which ended had lasted.
    pub duration_ms: u64,
    /// Actions of fights that ended.
    pub actions: u64,
    pub refused_actions: u64,
    pub requests: u64,
    /// Requests answered with 5xx.
    pub failed_requests: u64,
    /// Requests answered with 4xx.
    pub client_errors: u64,
    /// Microseconds the requests took.
    pub request_us: u64,
}

/// A session that ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ended {
    /// Completed; otherwise terminated.
    pub completed: bool,
    pub duration_ms: u64,
    /// Actions applied and refused, where it was a fight.
    pub actions: u64,
    pub refused_actions: u64,
}

/// The sums of one stretch of time, and how times were distributed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bucket {
    pub counters: Counters,
    /// Microseconds of requests.
    pub requests: Sketch,
    /// Milliseconds of sessions that ended.
    pub durations: Sketch,
}

/// One thing to count, ready to be put into buckets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    Created,
    Ended(Ended, Key),
    Request { status: u16, us: u64, key: Key },
}

impl Event {
    pub(super) fn ended(ended: Ended) -> Self {
        Self::Ended(ended, Key::of(ended.duration_ms))
    }

    pub(super) fn request(status: u16, us: u64) -> Self {
        Self::Request { status, us, key: Key::of(us) }
    }
}

impl Counters {
    /// Sessions that ended, one way or the other.
    pub const fn ended(&self) -> u64 {
        self.completed.saturating_add(self.terminated)
    }

    /// Adds other sums. What comes out of a store may be anything, so nothing overflows.
    pub fn add(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.created, other.created),
            (&mut self.completed, other.completed),
            (&mut self.terminated, other.terminated),
            (&mut self.duration_ms, other.duration_ms),
            (&mut self.actions, other.actions),
            (&mut self.refused_actions, other.refused_actions),
            (&mut self.requests, other.requests),
            (&mut self.failed_requests, other.failed_requests),
            (&mut self.client_errors, other.client_errors),
            (&mut self.request_us, other.request_us),
        ] {
            *sum = sum.saturating_add(more);
        }
    }

    fn count(&mut self, event: Event) {
        self.add(&match event {
            Event::Created => Self { created: 1, ..Self::default() },
            Event::Ended(ended, _) => Self {
                completed: ended.completed.into(),
                terminated: (!ended.completed).into(),
                duration_ms: ended.duration_ms,
                actions: ended.actions,
                refused_actions: ended.refused_actions,
                ..Self::default()
            },
            Event::Request { status, us, .. } => Self {
                requests: 1,
                failed_requests: (status >= 500).into(),
                client_errors: (400..500).contains(&status).into(),
                request_us: us,
                ..Self::default()
            },
        });
    }
}

impl Bucket {
    /// Counts one event, in the sketches too where `distributed`.
    pub(super) fn count(&mut self, event: Event, distributed: bool) {
        self.counters.count(event);
        match event {
            Event::Ended(_, key) if distributed => self.durations.record(key),
            Event::Request { key, .. } if distributed => self.requests.record(key),
            Event::Created | Event::Ended(..) | Event::Request { .. } => {}
        }
    }

    /// Adds what another one has counted.
    pub fn merge(&mut self, other: &Self) {
        self.counters.add(&other.counters);
        self.requests.merge(&other.requests);
        self.durations.merge(&other.durations);
    }

    /// Gives back memory in reserve, once nothing more is expected.
    pub(super) fn shrink(&mut self) {
        self.requests.shrink();
        self.durations.shrink();
    }

    /// Bytes on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        self.requests.heap_bytes() + self.durations.heap_bytes()
    }
}
