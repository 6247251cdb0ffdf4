//! A custom session as one of its members has it: its state, which any of them may change, what they say to each other, and who is there.

use serde_json::Value;
use tiltyard_protocol::room::{Patch, Relay, Text};
use tiltyard_protocol::{ClientMessage, ServerMessage};
use uuid::Uuid;

use crate::actions::Unsent;
use crate::member::Effects;
use crate::requests::Requests;
use crate::{Record, Told};

/// A custom session.
#[derive(Debug)]
pub struct Room {
    record: Record,
    pub(crate) requests: Requests,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self { record: Record::default(), requests: Requests::default() }
    }

    /// The whole state. It is the server's to change.
    #[must_use]
    pub fn state(&self) -> &Value {
        &self.record.state
    }

    /// Which of its versions the state is.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.record.version
    }

    /// Who belongs to it.
    #[must_use]
    pub fn members(&self) -> &[Uuid] {
        &self.record.members
    }

    /// Who of them is connected.
    #[must_use]
    pub fn here(&self) -> &[Uuid] {
        &self.record.here
    }

    /// Requests that have no answer yet.
    pub fn pending(&self) -> impl Iterator<Item = u64> {
        self.requests.pending()
    }

    /// Changes the state by a JSON merge patch: what is named gets this value, what is `null` is removed, all else stays. With `expected`
    /// only where the state still has that version; else it is refused as `version_conflict`, with the newest. [`Told::Ack`] or
    /// [`Told::Refused`] with the returned id follows, or [`Told::Unanswered`] where the connection is lost before: nothing is sent twice.
    pub fn patch(&mut self, merge: &Value, expected: Option<u64>) -> Result<u64, Unsent> {
        self.requests.ask(|s, id| ClientMessage::Patch(Patch { s, id, merge: Text::of(merge), expected }))
    }

    /// Says something to all other members who are there, or to one; answered likewise. It is not kept.
    pub fn relay(&mut self, data: &Value, to: Option<Uuid>) -> Result<u64, Unsent> {
        self.requests.ask(|s, id| ClientMessage::Relay(Relay { s, id, data: Text::of(data), to }))
    }

    pub(crate) fn receive(&mut self, message: ServerMessage, is_current: bool, effects: &mut Effects) {
        match message {
            ServerMessage::Joined(joined) => {
                self.record = Record::of(&joined);
                effects.stands = Some(true);
                effects.tell(Told::Joined(Box::new(joined)));
            }
            // One that is older than what is here says nothing new.
            ServerMessage::State(change) if is_current && change.version > self.record.version => {
                if self.record.change(&change) {
                    effects.tell(Told::State(Box::new(change)));
                } else {
                    // One is missing: `joined` has the whole again.
                    effects.stands = Some(false);
                    effects.again = true;
                }
            }
            ServerMessage::Relayed(relayed) => effects.tell(Told::Relayed(Box::new(relayed))),
            ServerMessage::Missed(gap) => effects.tell(Told::Missed(gap)),
            ServerMessage::Presence(presence) => {
                self.record.note(&presence);
                effects.tell(Told::Presence(presence));
            }
            ServerMessage::Ack(ack) if self.requests.answered(ack.id) => effects.tell(Told::Ack(ack)),
            ServerMessage::Refused(refused) if self.requests.answered(refused.id) => {
                effects.tell(Told::Refused(refused));
            }
            _ => {}
        }
    }

    pub(crate) fn lost(&mut self) -> Vec<Told> {
        self.requests.end()
    }
}
