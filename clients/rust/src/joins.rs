//! Joins of one connection: one after the other, as an `error` of an older server does not say which `join` it answers.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// From a `join` to its answer.
const ANSWER: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(crate) struct Joins {
    waiting: VecDeque<Uuid>,
    /// Those that join later.
    later: BTreeMap<Uuid, Instant>,
    /// Whose `join` has no answer yet, and by when it must have one.
    asked: Option<(Uuid, Instant)>,
}

impl Joins {
    /// Whose `join` has no answer yet.
    pub fn asked(&self) -> Option<Uuid> {
        self.asked.map(|(session, _)| session)
    }

    /// Has `session` joined as soon as it is its turn.
    pub fn want(&mut self, session: Uuid) {
        if self.asked() != Some(session) && !self.waiting.contains(&session) {
            self.waiting.push_back(session);
        }
    }

    /// The same at `at`.
    pub fn want_at(&mut self, at: Instant, session: Uuid) {
        self.later.insert(session, at);
    }

    /// The `join` of `session` has its answer.
    pub fn answered(&mut self, session: Uuid) {
        self.asked.take_if(|(asked, _)| *asked == session);
    }

    /// `session` is not to be joined any more.
    pub fn forget(&mut self, session: Uuid) {
        self.later.remove(&session);
        self.waiting.retain(|&waits| waits != session);
        self.answered(session);
    }

    /// The session to join now: it is its turn.
    pub fn next(&mut self, now: Instant) -> Option<Uuid> {
        if self.asked.is_some() {
            return None;
        }
        let session = self.waiting.pop_front()?;
        self.asked = Some((session, now + ANSWER));
        Some(session)
    }

    /// One for which it is time to join, whether it still needs to or not.
    pub fn due(&mut self, now: Instant) -> Option<Uuid> {
        let (&session, _) = self.later.iter().find(|(_, at)| **at <= now)?;
        self.later.remove(&session);
        Some(session)
    }

    /// Whether a `join` had no answer for too long.
    pub fn is_unanswered(&self, now: Instant) -> bool {
        self.asked.is_some_and(|(_, until)| until <= now)
    }

    pub fn deadline(&self) -> Option<Instant> {
        let asked = self.asked.map(|(_, until)| until);
        self.later.values().copied().chain(asked).min()
    }
}
