//! What is written to the log: a frame's payload is a turn's wall time in Unix milliseconds, little-endian, and the turn's entries.

use crate::log::Append;
use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tiltyard_combat::{Event, Fight, Input};
use uuid::Uuid;

use crate::log::frame::Damage;
use crate::log::segment::FORM_BEFORE;
use crate::replays::RecorderState;
use crate::shard::Fog;
use crate::shard::recovery::form7::Entry7;
use tiltyard_combat::Mode;

/// One thing that happened to a shard.
#[derive(Debug, Serialize, Deserialize)]
pub enum Entry<'a> {
    /// A session as it is: at its creation, and once in every segment after that ([`Entry::Follows`]). `no` names it in the entries
    /// of this generation.
    Session { no: u32, record: Box<Cow<'a, SessionRecord>> },
    /// An input was handled at host time `at`.
    Input { no: u32, at: u64, input: Input },
    /// What is said about the session, no matter to its fight, was changed by hand.
    Describe { no: u32, description: Cow<'a, Description> },
    /// The session left the shard; nothing follows for it.
    Forget { no: u32 },
    /// The segment's checkpoint is complete: every session there is has been in it, and no other segment is needed.
    CheckpointEnd,
    /// The first of a segment whose checkpoint is written between its turns: up to its end the segment before is needed, which has
    /// this salt, and whose whole frames end here.
    Follows { salt: u32, end: u64 },
    /// From here on the session is written under this epoch, and its newest entry has this number: behind its record, and where
    /// somebody takes it over. A record without one behind it is a new session's.
    Claim { no: u32, epoch: u64, number: u64 },
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
    /// How often it has changed hands: who has it under the highest goes on with it.
    pub epoch: u64,
    /// The number of its newest entry, as an [`Entry::Claim`] behind it says.
    #[serde(skip)]
    pub number: u64,
}

impl SessionRecord {
    /// That of a session that never did.
    pub const FIRST_EPOCH: u64 = 1;

    /// What is written behind it, under the number it has there.
    pub const fn claim(&self, no: u32) -> Entry<'static> {
        Entry::Claim { no, epoch: self.epoch, number: self.number }
    }
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

/// The wall time of a payload of this form, and its entries.
pub fn entries(payload: &[u8], form: u8) -> Result<(u64, Vec<Entry<'static>>), Damage> {
    let (wall, mut rest) = payload.split_first_chunk::<8>().ok_or(Damage::Entry)?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, left) = match form {
            FORM_BEFORE => postcard::take_from_bytes::<Entry7>(rest).map(|(entry, left)| (entry.into(), left)),
            _ => postcard::take_from_bytes(rest),
        }
        .map_err(|_| Damage::Entry)?;
        entries.push(entry);
        rest = left;
    }
    Ok((u64::from_le_bytes(*wall), entries))
}

/// Whether a payload is a turn's: a checkpoint's have no wall time.
pub fn is_turn(payload: &[u8]) -> bool {
    payload.first_chunk::<8>().is_some_and(|wall| *wall != [0; 8])
}

/// What a payload says of the segment before, if it is the first of one that goes on from it: its salt, and where it ends.
pub fn follows(payload: &[u8]) -> Option<(u32, u64)> {
    match postcard::from_bytes(payload.get(8..)?) {
        Ok(Entry::Follows { salt, end }) => Some((salt, end)),
        _ => None,
    }
}

/// Whether a payload is the end of a checkpoint that was written between turns: it has a frame of its own.
pub fn is_checkpoint_end(payload: &[u8]) -> bool {
    matches!(payload.split_first_chunk::<8>(), Some(([0, 0, 0, 0, 0, 0, 0, 0], [CHECKPOINT_END])))
}

/// [`Entry::CheckpointEnd`], written.
const CHECKPOINT_END: u8 = 4;

#[cfg(test)]
mod tests {
    use super::{Entry, entries, follows, is_checkpoint_end};
    use crate::log::Append;
    use crate::log::segment::FORM;
    use tiltyard_combat::{Action, BodyPart, Input};

    #[test]
    fn a_turn_comes_back_as_it_was_written() {
        let mut payload = 77_u64.to_le_bytes().to_vec();
        let input = Input::Act { slot: 1, id: 9, action: Action::Attack { target: Some(2), part: BodyPart::Torso } };
        Entry::Input { no: 3, at: 1000, input }.append_to(&mut payload);
        Entry::Forget { no: 3 }.append_to(&mut payload);
        assert!(payload.len() < 32, "an action costs {} bytes of log", payload.len());
        let (wall, entries) = entries(&payload, FORM).unwrap();
        assert_eq!(wall, 77);
        assert!(matches!(entries[0], Entry::Input { no: 3, at: 1000, .. }));
        assert!(matches!(entries[1], Entry::Forget { no: 3 }));
        assert!(follows(&payload).is_none() && !is_checkpoint_end(&payload));
    }

    #[test]
    fn what_a_segment_begins_and_a_checkpoint_ends_with_is_known_without_reading_more() {
        let payload = |entry: Entry<'_>| {
            let mut payload = vec![0; 8];
            entry.append_to(&mut payload);
            payload
        };
        let (first, last) = (payload(Entry::Follows { salt: 7, end: 300 }), payload(Entry::CheckpointEnd));
        assert_eq!((follows(&first), follows(&last), follows(&[])), (Some((7, 300)), None, None));
        assert_eq!((is_checkpoint_end(&first), is_checkpoint_end(&last), is_checkpoint_end(&[])), (false, true, false));
    }
}
