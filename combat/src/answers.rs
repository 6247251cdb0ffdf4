//! The memory of a participant's last answers, so that a repeated action id gets its first answer again and changes
//! nothing: in constant space, and in the state, so it survives reconnects and restarts.

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// What an action was answered with: the sequence of the step that shows it, or a refusal.
pub type Answer = Result<u64, Refusal>;

/// Answers kept per participant. A client that has more than this many unanswered actions in flight when its
/// connection breaks may get `stale_action_id` for the oldest.
pub const REMEMBERED: usize = 8;

/// The last answers of one participant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Remembered {
    last: u64,
    /// Where the oldest answer is.
    oldest: u8,
    ring: [(u64, Answer); REMEMBERED],
}

impl Default for Remembered {
    fn default() -> Self {
        Self { last: 0, oldest: 0, ring: [(0, Ok(0)); REMEMBERED] }
    }
}

impl Remembered {
    /// The highest id answered; 0 before the first.
    pub const fn last_id(&self) -> u64 {
        self.last
    }

    /// The answer `id` got before; `None` for an id above all others, which is a new action.
    pub fn answer(&self, id: u64) -> Option<Answer> {
        if id > self.last {
            return None;
        }
        Some(self.ring.iter().find(|(kept, _)| *kept == id).map_or(Err(Refusal::StaleId), |(_, answer)| *answer))
    }

    /// Keeps the answer to `id`, which is above all others, in place of the oldest.
    pub(crate) fn keep(&mut self, id: u64, answer: Answer) {
        debug_assert!(id > self.last, "ids rise");
        self.last = id;
        let oldest = usize::from(self.oldest);
        self.ring[oldest] = (id, answer);
        self.oldest = if oldest + 1 == REMEMBERED { 0 } else { self.oldest + 1 };
    }
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED, Remembered};
    use crate::Refusal;

    #[test]
    fn repeats_get_the_first_answer_and_forgotten_ones_say_so() {
        let mut answers = Remembered::default();
        assert_eq!(answers.answer(1), None);
        answers.keep(1, Err(Refusal::NeedsTarget));
        answers.keep(3, Ok(7));
        assert_eq!(answers.answer(1), Some(Err(Refusal::NeedsTarget)));
        assert_eq!(answers.answer(2), Some(Err(Refusal::StaleId)), "an id that was passed over");
        assert_eq!(answers.answer(3), Some(Ok(7)));
        for id in 4..4 + REMEMBERED as u64 {
            answers.keep(id, Ok(id));
        }
        assert_eq!(answers.answer(3), Some(Err(Refusal::StaleId)));
        assert_eq!(answers.answer(12), None);
    }
}
