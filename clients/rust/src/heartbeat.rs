//! Pings: they keep the connection, tell the time, and find out that nobody is there any more.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(2);
/// No server needs to hear it more often.
const LEAST: Duration = Duration::from_millis(100);
/// The first ones come quickly, so that the time is known soon.
const FIRST: Duration = Duration::from_millis(300);
const FIRST_COUNT: u32 = 5;
/// One that is not answered within this says that the connection is dead, whatever the socket says.
const SILENCE: Duration = Duration::from_secs(8);

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Beat {
    Ping(u64),
    /// Nobody answers.
    Dead,
}

#[derive(Debug)]
pub(crate) struct Heartbeat {
    every: Duration,
    due: Option<Instant>,
    /// When those left that have no answer yet; as many as fit into the longest silence.
    sent: BTreeMap<u64, Instant>,
    serial: u64,
    count: u32,
}

impl Heartbeat {
    pub fn new() -> Self {
        Self { every: EVERY, due: None, sent: BTreeMap::new(), serial: 0, count: 0 }
    }

    /// Beats from now on, and often enough for a server that closes what it does not hear for `idle_ms`, where it says so.
    pub fn start(&mut self, idle_ms: u64, now: Instant) {
        if idle_ms > 0 {
            self.every = (Duration::from_millis(idle_ms) / 3).clamp(LEAST, EVERY);
        }
        self.due = self.due.or(Some(now));
    }

    pub fn stop(&mut self) {
        *self = Self { serial: self.serial, ..Self::new() };
    }

    pub fn due(&self) -> Option<Instant> {
        self.due
    }

    /// What is due at `now`, if anything is.
    pub fn beat(&mut self, now: Instant) -> Option<Beat> {
        self.due.filter(|&due| due <= now)?;
        if self.sent.values().next().is_some_and(|&oldest| now - oldest > SILENCE) {
            self.stop();
            return Some(Beat::Dead);
        }
        self.serial += 1;
        self.count = self.count.saturating_add(1);
        self.sent.insert(self.serial, now);
        self.due = Some(now + if self.count < FIRST_COUNT { FIRST.min(self.every) } else { self.every });
        Some(Beat::Ping(self.serial))
    }

    /// When the ping left that this is the answer to. It answers those before it, too.
    pub fn pong(&mut self, n: u64) -> Option<Instant> {
        let sent = self.sent.get(&n).copied()?;
        self.sent.retain(|&serial, _| serial > n);
        Some(sent)
    }
}
