//! The sessions that are there, as far as the harness knows: those it was told of and has not deleted.

use anyhow::{Context, Result};
use uuid::Uuid;

use super::pipe::Answer;
use crate::rng::Rng;

/// The types of a player's sessions, in turn: one that says it is there, one with its tokens, two of its own.
const TYPES: [&str; 4] = ["player", "auth", "custom", "custom"];

/// Types a list is filtered by.
pub const LISTED: [&str; 3] = ["player", "auth", "custom"];

/// A session and its player.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub session: Uuid,
    pub player: Uuid,
}

/// All of them.
#[derive(Debug)]
pub struct Population {
    known: Vec<Known>,
    rng: Rng,
    /// Sessions asked for so far.
    asked: u64,
    player: Uuid,
}

impl Population {
    pub fn new(seed: u64) -> Self {
        Self { known: Vec::new(), rng: Rng::new(seed), asked: 0, player: Uuid::nil() }
    }

    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Type and player of the next session: players have four each.
    pub fn next(&mut self) -> (&'static str, Uuid) {
        let turn = self.asked % TYPES.len() as u64;
        if turn == 0 {
            self.player = Uuid::from_u64_pair(self.rng.draw(), self.rng.draw());
        }
        self.asked += 1;
        (TYPES[usize::try_from(turn).expect("less than four")], self.player)
    }

    /// Remembers what was created for `player`.
    pub fn created(&mut self, player: Uuid, answer: Answer) -> Result<()> {
        let session = session_id(answer.body).context("a created session has no id")?;
        self.known.push(Known { session, player });
        Ok(())
    }

    /// Any one; nothing while there is none.
    pub fn any(&mut self) -> Option<Known> {
        let place = self.place()?;
        Some(self.known[place])
    }

    /// Any one, which from now on is no longer there.
    pub fn take(&mut self) -> Option<Known> {
        let place = self.place()?;
        Some(self.known.swap_remove(place))
    }

    fn place(&mut self) -> Option<usize> {
        let count = self.known.len() as u64;
        (count > 0).then(|| usize::try_from(self.rng.below(count)).expect("less than a length"))
    }

    /// A number below `bound`, from the same seed.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.rng.below(bound)
    }
}

/// The `session_id` in a session as JSON, without reading the rest.
fn session_id(body: &[u8]) -> Option<Uuid> {
    const NAME: &[u8] = br#""session_id":""#;
    let start = body.windows(NAME.len()).position(|window| window == NAME)? + NAME.len();
    Uuid::try_parse_ascii(body.get(start..start + 36)?).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use uuid::Uuid;

    use super::{Answer, Population, session_id};

    #[test]
    fn players_have_four_sessions_of_three_types() {
        let mut population = Population::new(1);
        let mut by_player: HashMap<Uuid, Vec<&str>> = HashMap::new();
        for _ in 0..40 {
            let (kind, player) = population.next();
            by_player.entry(player).or_default().push(kind);
        }
        assert_eq!(by_player.len(), 10);
        assert!(by_player.values().all(|kinds| kinds == &["player", "auth", "custom", "custom"]));
    }

    #[test]
    fn what_was_taken_is_not_there_any_more() {
        let mut population = Population::new(1);
        assert_eq!(population.any(), None);
        for n in 1..=50 {
            let body = format!(r#"{{"type":"custom","session_id":"{}"}}"#, Uuid::from_u128(n));
            population.created(Uuid::nil(), Answer { status: 201, body: body.as_bytes() }).unwrap();
        }
        let mut taken: Vec<Uuid> = std::iter::from_fn(|| population.take()).map(|known| known.session).collect();
        taken.sort();
        assert_eq!(taken, (1..=50).map(Uuid::from_u128).collect::<Vec<_>>());
        assert_eq!(session_id(br#"{"session_id":"short"}"#), None);
    }
}
