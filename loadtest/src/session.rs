//! What the players of one session know together: when each action was sent, and what each of them is owed.

use uuid::Uuid;

use crate::memo::Memo;
use crate::shows::Shows;

/// A session as the harness keeps it.
#[derive(Debug)]
pub struct Session {
    pub id: Uuid,
    /// By slot.
    pub sent: Vec<Sends>,
    pub memo: Memo,
    pub shows: Shows,
    /// The highest sequence anybody was told of: each player is owed a delta for every one up to it.
    pub told: u64,
}

/// When a player's latest actions were sent. Their ids are numbered from 1 without a gap.
#[derive(Debug)]
pub struct Sends {
    /// By id, modulo the length.
    at: Box<[u64]>,
    newest: u64,
}

impl Session {
    /// A session of `players` players that remembers when each player's last `remembered` actions were sent.
    pub fn new(id: Uuid, players: usize, remembered: usize) -> Self {
        let sent = (0..players).map(|_| Sends { at: vec![0; remembered].into(), newest: 0 }).collect();
        Self { id, sent, memo: Memo::new(), shows: Shows::default(), told: 0 }
    }
}

impl Sends {
    /// Notes that the next action counts from `at`; its id.
    pub fn note(&mut self, at: u64) -> u64 {
        self.newest += 1;
        let place = self.place(self.newest);
        self.at[place] = at;
        self.newest
    }

    /// When the action was sent; `None` if it never was or is forgotten.
    pub fn at(&self, id: u64) -> Option<u64> {
        let known = id > 0 && id <= self.newest && self.newest - id < self.at.len() as u64;
        known.then(|| self.at[self.place(id)])
    }

    #[allow(clippy::cast_possible_truncation)] // A remainder of a length.
    fn place(&self, id: u64) -> usize {
        (id % self.at.len() as u64) as usize
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::Session;

    #[test]
    fn the_latest_sends_are_known_and_no_others() {
        let mut session = Session::new(Uuid::nil(), 1, 4);
        let sends = &mut session.sent[0];
        assert_eq!(sends.at(0), None);
        assert_eq!(sends.at(1), None);
        for id in 1..=6 {
            assert_eq!(sends.note(id * 100), id);
        }
        assert_eq!([1, 2, 3, 6, 7].map(|id| sends.at(id)), [None, None, Some(300), Some(600), None]);
    }
}
