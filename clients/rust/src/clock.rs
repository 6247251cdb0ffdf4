//! What time it is at the server and in a session. The server's clock is told by pongs: its time was read about the middle of the way
//! there and back. Session time goes with it, at a difference that every message tells, and stands still in a pause.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Pongs that count: few enough to follow a clock that drifts.
const SAMPLES: usize = 15;

/// What the server's clock says, as well as it is known.
#[derive(Debug, Clone, Copy)]
pub struct ServerClock {
    /// From which local time is counted.
    epoch: Instant,
    /// What the server's clock, in Unix milliseconds, is ahead of that.
    ahead: Option<f64>,
    trip: Option<f64>,
}

impl ServerClock {
    pub(crate) fn new(epoch: Instant) -> Self {
        Self { epoch, ahead: None, trip: None }
    }

    /// The server's Unix milliseconds at `now`; `None` before any message.
    #[must_use]
    pub fn at(&self, now: Instant) -> Option<f64> {
        self.ahead.map(|ahead| self.local(now) + ahead)
    }

    /// How long a message is on its way; `None` before the first pong.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.trip.map(|trip| Duration::from_secs_f64(trip / 2_000.0))
    }

    fn local(&self, now: Instant) -> f64 {
        now.saturating_duration_since(self.epoch).as_secs_f64() * 1_000.0
    }
}

/// What a [`ServerClock`] is known from.
#[derive(Debug)]
pub(crate) struct Timekeeper {
    clock: ServerClock,
    /// What the server was ahead by each pong, and how long it was under way.
    samples: VecDeque<(f64, f64)>,
    has_pong: bool,
}

impl Timekeeper {
    pub fn new(epoch: Instant) -> Self {
        Self { clock: ServerClock::new(epoch), samples: VecDeque::with_capacity(SAMPLES), has_pong: false }
    }

    pub fn clock(&self) -> ServerClock {
        self.clock
    }

    /// A ping left at `sent`, and its pong with the server's `time` came at `received`.
    pub fn pong(&mut self, sent: Instant, received: Instant, time: u64) {
        let (sent, received) = (self.clock.local(sent), self.clock.local(received));
        self.samples.truncate(SAMPLES - 1);
        self.samples.push_front((millis(time) - f64::midpoint(sent, received), received - sent));
        let Some(trip) = median(self.samples.iter().map(|&(_, trip)| trip)) else { return };
        // Slow ways are seldom equally slow both ways: only the quicker half is believed.
        let quick = self.samples.iter().filter(|(_, took)| *took <= trip);
        self.clock.ahead = median(quick.map(|&(ahead, _)| ahead));
        self.clock.trip = Some(trip);
        self.has_pong = true;
    }

    /// A message with the server's `time` came at `received`. Until the first pong the server is known to be at least so far ahead.
    pub fn heard(&mut self, received: Instant, time: u64) {
        let ahead = millis(time) - self.clock.local(received);
        if !self.has_pong {
            self.clock.ahead = Some(self.clock.ahead.map_or(ahead, |least| least.max(ahead)));
        }
    }
}

/// The time of one session.
#[derive(Debug)]
pub(crate) struct SessionClock {
    pub server: ServerClock,
    /// Session time, and the server's clock at that moment.
    stamp: Option<(u64, u64)>,
    is_running: bool,
}

impl SessionClock {
    pub fn new(server: ServerClock) -> Self {
        Self { server, stamp: None, is_running: true }
    }

    /// It was session time `at` when the server's clock said `time`.
    pub fn set(&mut self, at: u64, time: u64) {
        self.stamp = Some((at, time));
    }

    /// Whether time passes after that.
    pub fn runs(&mut self, is_running: bool) {
        self.is_running = is_running;
    }

    /// Session time at `now`, in milliseconds; 0 before any message.
    pub fn at(&self, now: Instant) -> f64 {
        let Some((at, time)) = self.stamp else { return 0.0 };
        match self.server.at(now) {
            Some(server) if self.is_running => (millis(at) + server - millis(time)).max(millis(at)),
            _ => millis(at),
        }
    }
}

/// Milliseconds as a number that has parts: of the clocks of some thousands of years.
#[allow(clippy::cast_precision_loss)]
pub(crate) const fn millis(time: u64) -> f64 {
    time as f64
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let high = *sorted.get(middle)?;
    let low = if sorted.len().is_multiple_of(2) { sorted[middle - 1] } else { high };
    Some(f64::midpoint(low, high))
}
