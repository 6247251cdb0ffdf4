//! What a shard remembers of the deltas it has made, for members who come back: the bytes that recipients had in common, once for all of
//! them, one behind the other in the order in which they were made. See docs/ARCHITECTURE.md, Coming back.
//!
//! Each session knows the place of its newest note, and each note that of the one before it, so a session costs a place, and what is forgotten
//! needs no looking for: places that are not there any more lead nowhere.

use std::collections::VecDeque;
use std::num::NonZeroU64;

use tiltyard_combat::Slot;
use tiltyard_protocol::Encoding;
use tiltyard_protocol::server::ResumeWhy;

use crate::limits;

/// All that a shard remembers.
#[derive(Debug, Default)]
pub struct History {
    /// The oldest first.
    parts: VecDeque<Part>,
    /// The number of the oldest. They rise, so no place is ever another's.
    first: u64,
}

#[derive(Debug)]
struct Part {
    notes: Vec<Note>,
    /// Of its deltas, one behind the other.
    bytes: Vec<u8>,
    /// The shard's times of its first and its last note.
    since: u64,
    until: u64,
}

/// Where a note is: the number of its part, and its place there. One more than that, so that none takes no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place(NonZeroU64);

#[derive(Debug, Clone, Copy)]
struct Note {
    /// For whom it is.
    slots: u128,
    seq: u64,
    /// What had been applied of `actor` before.
    applied: u64,
    /// The one before it of the same session.
    before: Option<Place>,
    /// Where its bytes are in the part.
    start: u32,
    length: u32,
    what: What,
    /// Whose action has been applied by the step, or by what came after it and made none.
    actor: Option<Slot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Delta(Encoding),
    /// Nothing was made, but that an action was applied.
    Applied,
    /// Its slots are others' from here on, who are not to be told what was before.
    Cut,
}

/// Whose action has been applied, and which one had been before.
pub type Acted = Option<(Slot, u64)>;

/// What a session has to do with it.
#[derive(Debug, Default)]
pub struct Chain {
    newest: Option<Place>,
    /// How much of its share it has used, as the bytes that its share would have been by then.
    used: u64,
}

/// What somebody who comes back wants to be told.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub slot: Slot,
    pub encoding: Encoding,
    /// The last sequence that it has.
    pub seq: u64,
    /// The session's.
    pub newest: u64,
    /// The highest of its own actions that is applied now.
    pub applied: u64,
}

/// A delta of long ago: where it is, and what had been applied of its recipient.
pub type Kept = (Place, u64);

impl Place {
    fn new(part: u64, note: usize) -> Self {
        Self(NonZeroU64::MIN.saturating_add(part << 16 | note as u64))
    }

    #[allow(clippy::cast_possible_truncation)] // The low bits are what is wanted.
    const fn split(self) -> (u64, usize) {
        let place = self.0.get() - 1;
        (place >> 16, place as u16 as usize)
    }
}

impl Part {
    fn new() -> Self {
        let (notes, bytes) = (limits::HISTORY_PART_DELTAS, limits::HISTORY_PART_BYTES);
        Self { notes: Vec::with_capacity(notes), bytes: Vec::with_capacity(bytes), since: 0, until: 0 }
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.notes.len() < limits::HISTORY_PART_DELTAS && self.bytes.len() + bytes <= limits::HISTORY_PART_BYTES
    }
}

impl Chain {
    /// Whether what is made of a session of so many seats is kept at the shard's time `now`: where it has used more than its share nothing is,
    /// and what was is not followed by anything.
    pub fn is_kept(&mut self, seats: u8, now: u64) -> bool {
        let (share, begun) = (share(seats), share(seats) * now);
        let burst = share * limits::HISTORY_BURST_MS;
        self.used = self.used.max(begun);
        let over = self.used - begun > burst;
        if over && self.newest.take().is_some() {
            // So it is kept again when half of that is given back, and not as soon as there is room for a delta.
            self.used += burst / 2;
        }
        !over
    }

    /// Whether anything is kept of the session.
    pub const fn is_any(&self) -> bool {
        self.newest.is_some()
    }
}

/// Bytes that a session of so many seats may have kept in a millisecond.
fn share(seats: u8) -> u64 {
    limits::HISTORY_SEAT_BYTES_PER_MS * u64::from(seats.clamp(1, limits::HISTORY_SEATS))
}

impl History {
    /// Keeps what a step has made, for those for whom it was made, at the shard's time `now`.
    pub fn keep<'a>(
        &mut self,
        chain: &mut Chain,
        now: u64,
        seq: u64,
        mut acted: Acted,
        made: impl Iterator<Item = (Encoding, u128, &'a [u8])>,
    ) {
        for (encoding, slots, common) in made {
            let (actor, applied) = acted.take().unzip();
            let (what, applied) = (What::Delta(encoding), applied.unwrap_or_default());
            self.note(chain, now, Note { slots, seq, applied, what, actor, ..Note::EMPTY }, common);
        }
    }

    /// An action has been applied, by which nothing was made, behind sequence `seq`.
    pub fn applied(&mut self, chain: &mut Chain, now: u64, seq: u64, (actor, applied): (Slot, u64)) {
        if chain.is_any() {
            self.note(chain, now, Note { seq, applied, actor: Some(actor), what: What::Applied, ..Note::EMPTY }, &[]);
        }
    }

    /// A slot is somebody else's behind sequence `seq`.
    pub fn cut(&mut self, chain: &mut Chain, now: u64, seq: u64, slot: Slot) {
        if chain.is_any() {
            self.note(chain, now, Note { slots: bit(slot), seq, what: What::Cut, ..Note::EMPTY }, &[]);
        }
    }

    #[allow(clippy::cast_possible_truncation)] // A part is far smaller.
    fn note(&mut self, chain: &mut Chain, now: u64, note: Note, bytes: &[u8]) {
        chain.used += (limits::HISTORY_NOTE_BYTES + bytes.len()) as u64;
        if bytes.len() > limits::HISTORY_PART_BYTES {
            chain.newest = None;
            return;
        }
        if !self.parts.back().is_some_and(|part| part.has_room(bytes.len())) {
            self.begin_part(now);
        }
        let newest = self.first + self.parts.len() as u64 - 1;
        let Some(part) = self.parts.back_mut() else { return };
        let (start, length) = (part.bytes.len() as u32, bytes.len() as u32);
        part.bytes.extend_from_slice(bytes);
        part.notes.push(Note { before: chain.newest, start, length, ..note });
        part.until = now;
        chain.newest = Some(Place::new(newest, part.notes.len() - 1));
    }

    /// Begins another part, in the memory of the oldest where there are enough or that one is too old.
    #[cold]
    fn begin_part(&mut self, now: u64) {
        let is_full = self.parts.len() == limits::HISTORY_PARTS;
        let oldest = self.parts.pop_front_if(|part| is_full || part.until + limits::HISTORY_MS < now);
        let mut part = oldest.map_or_else(Part::new, |mut oldest| {
            self.first += 1;
            oldest.notes.clear();
            oldest.bytes.clear();
            oldest
        });
        (part.since, part.until) = (now, now);
        self.parts.push_back(part);
    }

    /// Forgets what is too old, and gives its memory back.
    pub fn sweep(&mut self, now: u64) {
        while self.parts.pop_front_if(|part| part.until + limits::HISTORY_MS < now).is_some() {
            self.first += 1;
        }
    }

    /// Bytes that it may take.
    pub fn bytes(&self) -> u64 {
        (self.parts.len() * (limits::HISTORY_BYTES / limits::HISTORY_PARTS)) as u64
    }

    /// For how many milliseconds back it has what was made, at the shard's time `now`; at least one where there is anything.
    pub fn reach_ms(&self, now: u64) -> u64 {
        self.parts.front().map_or(0, |oldest| now.saturating_sub(oldest.since).max(1))
    }

    /// The deltas behind the sequence that somebody has, the oldest first; or why it is not told these.
    pub fn since(&self, chain: &Chain, wanted: &Wanted) -> Result<Vec<Kept>, ResumeWhy> {
        let mine = bit(wanted.slot);
        let (mut kept, mut next, mut bytes, mut applied) = (Vec::new(), chain.newest, 0, wanted.applied);
        let (mut seq, mut in_other, mut looked_at) = (wanted.newest, false, 0);
        while seq > wanted.seq {
            let found = next.and_then(|place| Some((place, self.at(place)?)));
            looked_at += 1;
            let passed = found.as_ref().is_none_or(|(_, (note, _))| note.seq < seq);
            let Some((place, (note, common))) = found.filter(|_| !passed && looked_at <= limits::RESUME_NOTES) else {
                return Err(if passed && in_other { ResumeWhy::OtherEncoding } else { ResumeWhy::TooOld });
            };
            match note.what {
                What::Cut if note.slots & mine != 0 => return Err(ResumeWhy::TooOld),
                What::Delta(encoding) if note.seq == seq && note.slots & mine != 0 => {
                    if encoding == wanted.encoding {
                        bytes += common.len() + limits::HISTORY_NOTE_BYTES;
                        if bytes > limits::RESUME_BYTES {
                            return Err(ResumeWhy::TooOld);
                        }
                        kept.push((place, applied));
                        (seq, in_other) = (seq - 1, false);
                    } else {
                        in_other = true;
                    }
                }
                What::Delta(_) | What::Applied | What::Cut => {}
            }
            if note.actor == Some(wanted.slot) {
                applied = note.applied;
            }
            next = note.before;
        }
        kept.reverse();
        Ok(kept)
    }

    /// What the recipients of a delta had in common.
    pub fn common(&self, place: Place) -> &[u8] {
        self.at(place).map_or(&[], |(_, bytes)| bytes)
    }

    #[allow(clippy::cast_possible_truncation)] // Only built for 64-bit targets, see lib.rs.
    fn at(&self, place: Place) -> Option<(&Note, &[u8])> {
        let (part, note) = place.split();
        let part = self.parts.get(part.checked_sub(self.first)? as usize)?;
        let note = part.notes.get(note)?;
        Some((note, &part.bytes[note.start as usize..][..note.length as usize]))
    }
}

impl Note {
    const EMPTY: Self =
        Self { slots: 0, seq: 0, applied: 0, before: None, start: 0, length: 0, what: What::Applied, actor: None };
}

/// A slot in a set of them. There are never more than [`limits::PARTICIPANTS`] players.
pub const fn bit(slot: Slot) -> u128 {
    if slot < 128 { 1 << slot } else { 0 }
}

const _: () = assert!(limits::PARTICIPANTS <= 128 && size_of::<Note>() == limits::HISTORY_NOTE_BYTES);

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
