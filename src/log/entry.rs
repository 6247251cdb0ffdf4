//! What is written to the log, and its form: frames of `length u32 | crc32 u32 | payload`, little-endian, one for each
//! turn. A payload is the turn's wall time in Unix milliseconds and the turn's entries. A frame is whole or not there.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tiltyard_combat::{Event, Fight, Input};
use uuid::Uuid;

use crate::hub::Mode;
use crate::limits;
use crate::replays::RecorderState;
use crate::shard::Fog;

/// First bytes of every segment, with the version of its form.
pub const MAGIC: &[u8; 12] = b"tiltyard\x04\0\0\0";

/// Length and checksum in front of a payload.
pub const FRAME_HEADER: usize = 8;

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

/// Why a frame or an entry cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Damage {
    #[error("the file ends inside a frame")]
    Torn,
    #[error("a frame says it is {0} bytes long")]
    Length(u32),
    #[error("a frame's checksum does not fit its bytes")]
    Checksum,
    #[error("a frame with a fitting checksum has an entry that cannot be decoded")]
    Entry,
}

/// Appends `entry` to a payload.
pub fn push(entry: &Entry<'_>, payload: &mut Vec<u8>) {
    let taken = std::mem::take(payload);
    *payload = postcard::to_extend(entry, taken).expect("log entries have no value that postcard refuses");
}

/// Fills in length and checksum of the frame in `frame`, whose first [`FRAME_HEADER`] bytes are reserved.
pub fn seal(frame: &mut [u8]) {
    let (header, payload) = frame.split_at_mut(FRAME_HEADER);
    let length =
        u32::try_from(payload.len()).expect("a turn's entries are bounded by the inbox and the receive buffer");
    header[..4].copy_from_slice(&length.to_le_bytes());
    header[4..].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
}

/// Takes the first frame off `bytes` and returns its payload; `None` at the end.
pub fn next_frame<'a>(bytes: &mut &'a [u8]) -> Result<Option<&'a [u8]>, Damage> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (header, rest) = bytes.split_at_checked(FRAME_HEADER).ok_or(Damage::Torn)?;
    let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let length = word(0);
    if length as usize > limits::FRAME_BYTES {
        return Err(Damage::Length(length));
    }
    let (payload, rest) = rest.split_at_checked(length as usize).ok_or(Damage::Torn)?;
    if crc32fast::hash(payload) != word(4) {
        return Err(Damage::Checksum);
    }
    *bytes = rest;
    Ok(Some(payload))
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

#[cfg(test)]
mod tests {
    use super::{Damage, Entry, FRAME_HEADER, entries, next_frame, push, seal};
    use tiltyard_combat::{Action, BodyPart, Input};

    fn frame() -> Vec<u8> {
        let mut frame = vec![0; FRAME_HEADER];
        frame.extend(77_u64.to_le_bytes());
        let input = Input::Act { slot: 1, id: 9, action: Action::Attack { target: Some(2), part: BodyPart::Torso } };
        push(&Entry::Input { no: 3, at: 1000, input }, &mut frame);
        push(&Entry::Forget { no: 3 }, &mut frame);
        seal(&mut frame);
        frame
    }

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        let frame = frame();
        let mut rest = frame.as_slice();
        let (wall, entries) = entries(next_frame(&mut rest).unwrap().unwrap()).unwrap();
        assert_eq!(wall, 77);
        assert!(matches!(entries[0], Entry::Input { no: 3, at: 1000, .. }));
        assert!(matches!(entries[1], Entry::Forget { no: 3 }));
        assert_eq!(next_frame(&mut rest), Ok(None));
        assert!(frame.len() < 40, "an action costs {} bytes of log", frame.len());
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed() {
        let frame = frame();
        for bit in 0..frame.len() * 8 {
            let mut bad = frame.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(next_frame(&mut bad.as_slice()).is_err(), "bit {bit}");
        }
        for cut in 1..frame.len() {
            assert_eq!(next_frame(&mut &frame[..cut]), Err(Damage::Torn), "cut at {cut}");
        }
    }
}
