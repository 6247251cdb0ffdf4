//! The memory of a participant's last answers, so that a repeated action id gets its first answer again and changes
//! nothing: within bounds, and in the state, so it survives reconnects and restarts.
//!
//! Answers lie in order of their ids, as differences: of the usual one, two or three bytes.

use serde::{Deserialize, Serialize};

use crate::Refusal;
use crate::digest::{Form, Words, form, write_text};

/// What an action was answered with: the sequence of the step that shows it, or a refusal.
pub type Answer = Result<u64, Refusal>;

/// Answers kept per participant, those of its highest ids: about as many as a client that acts sixty times a second can have in
/// flight when its connection breaks. One that has more may be told of the oldest that they are forgotten.
pub const REMEMBERED: usize = 64;

/// Bytes by which the memory grows: little by little, as it is part of every participant of every live session.
const GROWTH: usize = 16;

/// The last answers of one participant. Of the ids above the forgotten ones those that are not here are new.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// The highest id that was forgotten, and the sequence of its answer or of the last before it that had one.
    forgotten: Mark,
    /// The same of the highest id that is remembered.
    newest: Mark,
    count: u8,
    /// Of each the difference of its id to the one before, then what [`Told`] writes.
    bytes: Vec<u8>,
}

/// Where differences are counted from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    id: u64,
    seq: u64,
}

form!(Mark: id, seq);

impl Form for Remembered {
    /// The bytes as a text has them.
    fn write(&self, to: &mut impl Words) {
        let Self { forgotten, newest, count, bytes } = self;
        forgotten.write(to);
        newest.write(to);
        count.write(to);
        write_text(bytes, to);
    }
}

/// An answer that is kept.
#[derive(Debug, Clone, Copy)]
struct Told {
    id: u64,
    answer: Answer,
}

/// Every refusal that is an answer for good, in an order that never changes: logs and replays have their places.
const FOR_GOOD: [Refusal; 26] = [
    Refusal::Ended,
    Refusal::WrongPhase,
    Refusal::InvalidTransition,
    Refusal::Paused,
    Refusal::NoSeat,
    Refusal::Full,
    Refusal::AlreadySeated,
    Refusal::Eliminated,
    Refusal::StaleId,
    Refusal::Unavailable,
    Refusal::NeedsTarget,
    Refusal::NoSuchTarget,
    Refusal::InvalidTarget,
    Refusal::Failed,
    Refusal::UsedUp,
    Refusal::NeedsPlace,
    Refusal::OutOfRange,
    Refusal::NoSight,
    Refusal::TooFast,
    Refusal::OutOfBounds,
    Refusal::Blocked,
    Refusal::Stunned,
    Refusal::Denied,
    Refusal::Busy,
    Refusal::NotYourTurn,
    Refusal::Overspeed,
];

impl Remembered {
    /// The highest id that has an answer; 0 before the first.
    pub const fn last_id(&self) -> u64 {
        self.newest.id
    }

    /// The highest id that was applied; 0 where none was. Of those that are forgotten the highest stands for all.
    pub fn applied(&self) -> u64 {
        // From the newest back: nearly always that is it.
        let (mut id, mut rest) = (self.newest.id, &self.bytes[..]);
        while let Some(code) = take_last(&mut rest) {
            if code & 1 == 0 {
                return id;
            }
            id = id.wrapping_sub(take_last(&mut rest).unwrap_or_default());
        }
        if self.forgotten.seq == 0 { 0 } else { self.forgotten.id }
    }

    /// Whether `id`, whose answer is not remembered, was certainly not applied: where it never got an answer that is kept, or none
    /// that is forgotten was any but a refusal.
    pub fn was_never_applied(&self, id: u64) -> bool {
        id > self.forgotten.id || self.forgotten.seq == 0
    }

    /// The answer `id` got before; `None` for a new action.
    pub fn answer(&self, id: u64) -> Option<Answer> {
        if id > self.newest.id {
            return None;
        }
        let mut kept = self.kept();
        let full = usize::from(self.count) == REMEMBERED;
        let forgotten = |oldest: &Told| full && id < oldest.id;
        if id <= self.forgotten.id || self.kept().next().as_ref().is_some_and(forgotten) {
            return Some(Err(Refusal::StaleId));
        }
        kept.find(|told| told.id >= id).filter(|told| told.id == id).map(|told| told.answer)
    }

    /// Keeps the answer to `id`, which had none, in place of that of the lowest id. What was refused for want of time is not
    /// kept: the same id may be sent again.
    pub(crate) fn keep(&mut self, id: u64, answer: Answer) {
        if answer.is_err_and(|refusal| refusal.until().is_some()) {
            return;
        }
        debug_assert!(self.answer(id).is_none(), "an answer is given once");
        if usize::from(self.count) == REMEMBERED {
            self.forget_oldest();
        }
        self.count += 1;
        let told = Told { id, answer };
        if id > self.newest.id {
            self.newest = self.append(self.newest, told);
        } else {
            self.insert(told);
        }
    }

    fn kept(&self) -> Kept<'_> {
        Kept { rest: &self.bytes, mark: self.forgotten }
    }

    fn forget_oldest(&mut self) {
        let mut kept = self.kept();
        if kept.next().is_some() {
            let (left, mark) = (kept.rest.len(), kept.mark);
            self.bytes.drain(..self.bytes.len() - left);
            (self.forgotten, self.count) = (mark, self.count - 1);
        }
    }

    /// Writes one behind `last`, and says where the next is counted from.
    fn append(&mut self, last: Mark, told: Told) -> Mark {
        let mut bytes = Bytes::default();
        let mark = told.write(last, &mut bytes);
        let bytes = bytes.written();
        if self.bytes.capacity() - self.bytes.len() < bytes.len() {
            self.bytes.reserve_exact(bytes.len().max(GROWTH));
        }
        self.bytes.extend_from_slice(bytes);
        mark
    }

    /// Writes one between others: an id that was sent again after higher ones.
    fn insert(&mut self, told: Told) {
        let mut all: Vec<Told> = self.kept().collect();
        let place = all.partition_point(|other| other.id < told.id);
        all.insert(place, told);
        self.bytes.clear();
        let mut last = self.forgotten;
        for told in all {
            last = self.append(last, told);
        }
        self.newest = last;
    }
}

impl Told {
    /// Writes it as it differs from `last`: its id, then twice the place of its refusal and one, or four times how far its
    /// sequence is from the last one, and two where it is before that.
    fn write(self, last: Mark, bytes: &mut Bytes) -> Mark {
        bytes.write(self.id.wrapping_sub(last.id));
        match self.answer {
            Ok(seq) => {
                let back = u64::from(seq < last.seq);
                bytes.write(seq.abs_diff(last.seq) << 2 | back << 1);
                Mark { id: self.id, seq }
            }
            Err(refusal) => {
                let place = FOR_GOOD.iter().position(|&other| other == refusal);
                debug_assert!(place.is_some(), "{refusal:?} is an answer for good");
                bytes.write((place.unwrap_or_default() as u64) << 1 | 1);
                Mark { id: self.id, ..last }
            }
        }
    }
}

/// Reads what is kept, in order.
struct Kept<'a> {
    rest: &'a [u8],
    mark: Mark,
}

impl Iterator for Kept<'_> {
    type Item = Told;

    fn next(&mut self) -> Option<Told> {
        let id = self.mark.id.wrapping_add(read(&mut self.rest)?);
        let code = read(&mut self.rest)?;
        let answer = if code & 1 == 1 {
            Err(*FOR_GOOD.get(usize::try_from(code >> 1).ok()?)?)
        } else if code & 2 == 2 {
            Ok(self.mark.seq.wrapping_sub(code >> 2))
        } else {
            Ok(self.mark.seq.wrapping_add(code >> 2))
        };
        self.mark = Mark { id, seq: answer.unwrap_or(self.mark.seq) };
        Some(Told { id, answer })
    }
}

/// Numbers of seven bits a byte, the low ones first; two of them at most.
#[derive(Default)]
struct Bytes {
    bytes: [u8; 20],
    length: usize,
}

impl Bytes {
    #[allow(clippy::cast_possible_truncation)] // Seven bits.
    fn write(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.put((number & 0x7F) as u8 | 0x80);
            number >>= 7;
        }
        self.put(number as u8);
    }

    fn put(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn written(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Takes one number off; `None` at the end, or where what is left is none.
fn read(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, left) = rest.split_first()?;
        *rest = left;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

/// Takes the last number off; `None` where there is none.
fn take_last(rest: &mut &[u8]) -> Option<u64> {
    let (_, before) = rest.split_last()?;
    let start = before.iter().rposition(|&byte| byte < 0x80).map_or(0, |end| end + 1);
    let (left, mut last) = rest.split_at(start);
    *rest = left;
    read(&mut last)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Answer, FOR_GOOD, REMEMBERED, Remembered};
    use crate::Refusal;

    #[test]
    fn repeats_get_the_first_answer_and_forgotten_ones_say_so() {
        let mut answers = Remembered::default();
        assert_eq!(answers.answer(1), None);
        answers.keep(1, Err(Refusal::NeedsTarget));
        answers.keep(3, Ok(7));
        assert_eq!(answers.answer(1), Some(Err(Refusal::NeedsTarget)));
        assert_eq!(answers.answer(2), None, "one that was passed over is new");
        assert_eq!(answers.answer(3), Some(Ok(7)));
        for id in 4..4 + REMEMBERED as u64 {
            answers.keep(id, Ok(id));
        }
        assert_eq!(answers.answer(3), Some(Err(Refusal::StaleId)));
        assert_eq!(answers.answer(4), Some(Ok(4)));
        assert_eq!((answers.answer(68), answers.last_id()), (None, 67));
    }

    #[test]
    fn what_was_refused_for_want_of_time_is_new_when_it_comes_again() {
        let mut answers = Remembered::default();
        answers.keep(5, Err(Refusal::Cooldown { until: 100 }));
        answers.keep(6, Ok(1));
        assert_eq!(answers.answer(5), None, "also after higher ones");
        answers.keep(5, Ok(2));
        assert_eq!((answers.answer(5), answers.answer(6)), (Some(Ok(2)), Some(Ok(1))));
        assert_eq!(answers.last_id(), 6);
    }

    #[test]
    fn the_highest_that_was_applied_is_found_behind_any_number_of_refusals() {
        let mut answers = Remembered::default();
        assert_eq!(answers.applied(), 0);
        for id in 1..=REMEMBERED as u64 + 3 {
            answers.keep(id, Err(Refusal::Blocked));
        }
        assert_eq!(answers.applied(), 0);
        assert_eq!(answers.answer(2), Some(Err(Refusal::StaleId)));
        assert!(answers.was_never_applied(2), "nothing ever was");
        // Differences and sequences of several bytes.
        answers.keep(1_000, Ok(70_000));
        answers.keep(900_000, Err(Refusal::Blocked));
        assert_eq!(answers.applied(), 1_000);
        for id in 900_001..900_000 + 2 * REMEMBERED as u64 {
            answers.keep(id, Err(Refusal::Blocked));
        }
        let forgotten = 900_000 + REMEMBERED as u64 - 1;
        assert_eq!(answers.applied(), forgotten, "which of those that are forgotten is not known");
        assert!(!answers.was_never_applied(1_000) && !answers.was_never_applied(forgotten));
        answers.keep(2_000_000, Ok(70_001));
        assert_eq!(answers.applied(), 2_000_000);
    }

    #[test]
    fn the_usual_answer_takes_two_or_three_bytes() {
        let mut answers = Remembered::default();
        // Of four who act as often as each other, and of a hundred.
        for (step, bytes) in [(4, 2 * REMEMBERED), (700, 3 * REMEMBERED)] {
            for _ in 0..1_000 {
                let (id, seq) = (answers.last_id() + 1, answers.newest.seq + step);
                answers.keep(id, Ok(seq));
            }
            assert_eq!(answers.bytes.len(), bytes);
        }
        assert!(answers.bytes.capacity() < 3 * REMEMBERED + 2 * super::GROWTH);
    }

    proptest! {
        /// Against a map that keeps the answers of the highest ids.
        #[test]
        fn it_remembers_what_a_map_would(
            ids in proptest::collection::vec(prop_oneof![1..200_u64, 1..u64::MAX], 1..300),
            seqs in proptest::collection::vec(1..u64::MAX >> 3, 300),
            refused in proptest::collection::vec(0..4 * FOR_GOOD.len(), 300),
        ) {
            let (mut answers, mut map, mut lost) = (Remembered::default(), BTreeMap::new(), 0);
            // Whether one that is forgotten was applied, and all that ever were.
            let (mut lost_applied, mut ever) = (false, Vec::new());
            for (at, &id) in ids.iter().enumerate() {
                let stale = id <= lost || map.len() == REMEMBERED && *map.keys().next().unwrap() > id;
                let known = if stale { Some(Err(Refusal::StaleId)) } else { map.get(&id).copied() };
                prop_assert_eq!(answers.answer(id), known);
                if known.is_none() {
                    let answer: Answer = FOR_GOOD.get(refused[at]).map_or(Ok(seqs[at]), |&refusal| Err(refusal));
                    if map.len() == REMEMBERED {
                        let (id, answer) = map.pop_first().unwrap();
                        lost = id;
                        lost_applied |= answer.is_ok();
                    }
                    if answer.is_ok() {
                        ever.push(id);
                    }
                    map.insert(id, answer);
                    answers.keep(id, answer);
                }
                prop_assert_eq!(answers.last_id(), *map.keys().last().unwrap());
                let applied = map.iter().rfind(|(_, answer)| answer.is_ok()).map(|(&id, _)| id);
                let forgotten = if lost_applied { lost } else { 0 };
                prop_assert_eq!(answers.applied(), applied.unwrap_or(forgotten));
                prop_assert!(!ever.iter().any(|&id| !map.contains_key(&id) && answers.was_never_applied(id)));
            }
            prop_assert!(map.iter().all(|(&id, &answer)| answers.answer(id) == Some(answer)));
            let bytes = postcard::to_stdvec(&answers).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Remembered>(&bytes).unwrap(), answers);
        }
    }
}
