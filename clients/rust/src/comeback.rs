//! How long to wait before the next try to connect, and when to give up.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use crate::closing::{FLOODED, delay};

/// After a connection that lasted this long the delays start anew.
const STABLE: Duration = Duration::from_secs(5);
/// How long the server remembers whom it had to close with 4429.
const FLOODS: Duration = Duration::from_mins(10);

#[derive(Debug)]
pub(crate) struct Comeback {
    give_up: Duration,
    attempt: u32,
    /// When the server closed with 4429. With the delays that follow each, few fit into ten minutes.
    floods: VecDeque<Instant>,
    open_since: Option<Instant>,
    down_since: Option<Instant>,
}

impl Comeback {
    pub fn new(give_up: Duration) -> Self {
        Self { give_up, attempt: 0, floods: VecDeque::new(), open_since: None, down_since: None }
    }

    /// It is tried for the first time, or again because somebody asked for it.
    pub fn start(&mut self, now: Instant) {
        self.attempt = 0;
        self.down_since = Some(now);
    }

    /// The socket is open.
    pub fn opened(&mut self, now: Instant) {
        self.open_since = Some(now);
    }

    /// A session was joined: the server is there.
    pub fn joined(&mut self) {
        self.down_since = None;
    }

    /// How long to wait after a connection that ended with `code`; `None` where it has been tried for long enough. `dice` is between 0
    /// and 1.
    pub fn after(&mut self, code: u16, now: Instant, dice: f64) -> Option<Duration> {
        if self.open_since.take().is_some_and(|open| now - open > STABLE) {
            self.attempt = 0;
        }
        if now - *self.down_since.get_or_insert(now) > self.give_up {
            return None;
        }
        let attempt = if code == FLOODED { self.attempt.max(self.flooded(now)) } else { self.attempt };
        self.attempt = self.attempt.saturating_add(1);
        Some(delay(code, attempt, dice))
    }

    /// How often the server has closed with 4429 before this time; with each it waits for twice as long.
    fn flooded(&mut self, now: Instant) -> u32 {
        self.floods.retain(|&at| now - at < FLOODS);
        let before = u32::try_from(self.floods.len()).unwrap_or(u32::MAX);
        self.floods.push_back(now);
        before
    }
}
