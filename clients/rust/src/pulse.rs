//! A player session: the player's presence, which ends by itself unless somebody says often enough that the player is there.

use std::collections::BTreeSet;
use std::time::Duration;

use tiltyard_protocol::room::Beat;
use tiltyard_protocol::{ClientMessage, ServerMessage};
use tokio::time::Instant;

use crate::Told;
use crate::actions::Unsent;
use crate::clock::{ServerClock, millis};
use crate::member::Effects;
use crate::requests::Requests;

/// No server needs to hear it more often.
const LEAST: Duration = Duration::from_secs(1);

/// A player session, kept alive for as long as its connection is polled: by a beat in each third of what is left of it.
#[derive(Debug)]
pub struct Pulse {
    expires_at: u64,
    due: Option<Instant>,
    /// Beats that nobody asked for: their answers are nobody's affair.
    own: BTreeSet<u64>,
    pub(crate) clock: ServerClock,
    pub(crate) requests: Requests,
}

impl Pulse {
    pub(crate) fn new(clock: ServerClock) -> Self {
        Self { expires_at: 0, due: None, own: BTreeSet::new(), clock, requests: Requests::default() }
    }

    /// When the presence ends without another beat, in the server's Unix milliseconds; 0 until that is known.
    #[must_use]
    pub fn expires_at(&self) -> u64 {
        self.expires_at
    }

    /// Beats that have no answer yet, with those that it says by itself.
    pub fn pending(&self) -> impl Iterator<Item = u64> {
        self.requests.pending()
    }

    /// Says now that the player is there. [`Told::Ack`] with the returned id and [`Told::Beat`] follow, or [`Told::Refused`], or
    /// [`Told::Unanswered`] where the connection is lost before. Of beats that are said by themselves [`Told::Beat`] alone is told.
    pub fn beat(&mut self) -> Result<u64, Unsent> {
        self.requests.ask(|s, id| ClientMessage::Beat(Beat { s, id }))
    }

    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Beats where it is time to.
    pub(crate) fn tick(&mut self, now: Instant) {
        if self.due.take_if(|due| *due <= now).is_some() {
            // Where it cannot be sent the session is joined again, and that says until when.
            let beat = self.beat();
            self.own.extend(beat);
        }
    }

    pub(crate) fn receive(&mut self, message: ServerMessage, now: Instant, effects: &mut Effects) {
        match message {
            ServerMessage::Joined(joined) => {
                effects.stands = Some(true);
                let until = joined.expires_at.unwrap_or_default();
                effects.tell(Told::Joined(Box::new(joined)));
                self.lasts(until, now, effects);
            }
            ServerMessage::Ack(ack) if self.requests.answered(ack.id) => {
                let until = ack.expires_at.unwrap_or(self.expires_at);
                if !self.own.remove(&ack.id) {
                    effects.tell(Told::Ack(ack));
                }
                self.lasts(until, now, effects);
            }
            ServerMessage::Refused(refused) if self.requests.answered(refused.id) => {
                if let Some(ms) = refused.retry_ms {
                    self.due = Some(now + Duration::from_millis(ms.into()).max(LEAST));
                }
                if !self.own.remove(&refused.id) {
                    effects.tell(Told::Refused(refused));
                }
            }
            _ => {}
        }
    }

    pub(crate) fn lost(&mut self) -> Vec<Told> {
        self.due = None;
        let own = std::mem::take(&mut self.own);
        let is_asked = |told: &Told| !matches!(told, Told::Unanswered(id) if own.contains(id));
        self.requests.end().into_iter().filter(is_asked).collect()
    }

    fn lasts(&mut self, until: u64, now: Instant, effects: &mut Effects) {
        self.expires_at = until;
        let left_ms = self.clock.at(now).map_or(0.0, |server| (millis(until) - server).max(0.0));
        self.due = Some(now + Duration::from_secs_f64(left_ms / 3_000.0).max(LEAST));
        effects.tell(Told::Beat(until));
    }
}
