//! What is written to the log: a frame's payload is a turn's wall time in Unix milliseconds, little-endian, and the turn's entries.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tiltyard_combat::{Event, Fight, Input};
use uuid::Uuid;

use crate::log::Append;
use crate::log::frame::Damage;
use crate::replays::RecorderState;
use crate::shard::Fog;
use tiltyard_combat::Mode;

/// One thing that happened to a shard.
#[derive(Debug, Serialize, Deserialize)]
pub enum Entry<'a> {
    /// A session as it is: at its creation, and for every session at the start of a segment. `no` names it in the
    /// entries that follow in this segment.
    Session { no: u32, record: Box<Cow<'a, SessionRecord>> },
    /// An input was handled at host time `at`.
    Input { no: u32, at: u64, input: Input },
    /// What is said about the session, no matter to its fight, was changed by hand.
    Describe { no: u32, description: Cow<'a, Description> },
    /// The session left the arena; nothing follows for it.
    Forget { no: u32 },
    /// The checkpoint at the start of the segment is complete.
    CheckpointEnd,
}

/// A session as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionRecord {
    pub id: Uuid,
    pub mode: Mode,
    pub creator: Uuid,
    /// JSON text; empty where the request had none.
    pub settings: String,
    /// JSON text; empty where the request had none.
    pub metadata: String,
    /// Unix milliseconds.
    pub created_at: u64,
    /// Unix milliseconds.
    pub started_at: Option<u64>,
    /// Unix milliseconds.
    pub ended_at: Option<u64>,
    /// Unix milliseconds.
    pub updated_at: u64,
    /// Unix milliseconds; only while it is paused.
    pub paused_since: Option<u64>,
    pub version: u64,
    /// The newest events with their Unix milliseconds, oldest first.
    pub recent: Vec<(u64, Event)>,
    /// What each side has got to know, where there is fog.
    pub fog: Option<Box<Fog>>,
    /// The hash of the ruleset that the fight is pinned to; its numbers are not in the log.
    pub ruleset: [u8; 32],
    pub seed: u64,
    /// Participants it began with.
    pub founders: u8,
    pub recorder: RecorderState,
    pub fight: Fight,
}

/// A change of what is said about a session; `None` is left as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// JSON text.
    pub metadata: Option<String>,
    /// JSON text.
    pub settings: Option<String>,
    /// Whether it makes a version of its own, or belongs to the input before it.
    pub own_version: bool,
}

impl Append for Entry<'_> {
    fn append_to(&self, payload: &mut Vec<u8>) {
        let taken = std::mem::take(payload);
        *payload = postcard::to_extend(self, taken).expect("log entries have no value that postcard refuses");
    }
}

/// The wall time of a payload, and its entries.
pub fn entries(payload: &[u8]) -> Result<(u64, Vec<Entry<'static>>), Damage> {
    let (wall, mut rest) = payload.split_first_chunk::<8>().ok_or(Damage::Entry)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, left) = postcard::take_from_bytes(rest).map_err(|_| Damage::Entry)?;
        entries.push(entry);
        rest = left;
    }
    Ok((u64::from_le_bytes(*wall), entries))
}

/// Whether a payload is a turn's: a checkpoint's have no wall time.
pub fn is_turn(payload: &[u8]) -> bool {
    payload.first_chunk::<8>().is_some_and(|wall| *wall != [0; 8])
}

#[cfg(test)]
mod tests {
    use super::{Entry, entries};
    use crate::log::Append;
    use tiltyard_combat::{Action, BodyPart, Input};

    #[test]
    fn a_turn_comes_back_as_it_was_written() {
        let mut payload = 77_u64.to_le_bytes().to_vec();
        let input = Input::Act { slot: 1, id: 9, action: Action::Attack { target: Some(2), part: BodyPart::Torso } };
        Entry::Input { no: 3, at: 1000, input }.append_to(&mut payload);
        Entry::Forget { no: 3 }.append_to(&mut payload);
        assert!(payload.len() < 32, "an action costs {} bytes of log", payload.len());
        let (wall, entries) = entries(&payload).unwrap();
        assert_eq!(wall, 77);
        assert!(matches!(entries[0], Entry::Input { no: 3, at: 1000, .. }));
        assert!(matches!(entries[1], Entry::Forget { no: 3 }));
    }
}
