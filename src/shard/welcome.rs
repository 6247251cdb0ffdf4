//! `joined`, of which nearly all is the rules: encoded once for all sessions that are played by the same, and copied.

use std::collections::HashMap;

use serde::Serialize;
use tiltyard_combat::{Bout, Mode, Rules};
use tiltyard_protocol::Encoding;
use tiltyard_protocol::server::Resume;
use uuid::Uuid;

use super::rulebook::rules_of;
use crate::limits;

/// Encoded rules of the sessions that were joined last.
#[derive(Debug, Default)]
pub struct Rulebooks {
    books: HashMap<Key, Book>,
    bytes: usize,
}

/// Everything that decides what the rules of a session look like, but for the team.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    ruleset: [u8; 32],
    rules: Rules,
    mode: Mode,
    seats: u8,
    encoding: Encoding,
}

/// The rules for one of team 0, which is a single byte in both encodings.
#[derive(Debug)]
struct Book {
    bytes: Box<[u8]>,
    team_at: usize,
}

/// What a `joined` says beside the rules.
#[derive(Debug, Clone, Copy)]
pub struct Seat {
    pub session: Uuid,
    pub s: u32,
    pub slot: u8,
    pub resume: Resume,
    pub last_id: u64,
    pub epoch: u64,
}

/// As [`tiltyard_protocol::ServerMessage`], with nothing where the rules come.
#[derive(Serialize)]
#[serde(tag = "t", content = "d", rename_all = "snake_case")]
enum Message {
    Joined { session: Uuid, s: u32, slot: u8, resume: Resume, last_id: u64, epoch: u64, rules: () },
}

impl Rulebooks {
    /// Appends the `joined` of somebody of `team` who has this seat in `fight`.
    pub fn joined(&mut self, encoding: Encoding, fight: Bout<'_>, team: u8, seat: Seat, out: &mut Vec<u8>) {
        let book = self.book(encoding, fight);
        let Seat { session, s, slot, resume, last_id, epoch } = seat;
        encoding.encode(&Message::Joined { session, s, slot, resume, last_id, epoch, rules: () }, out);
        // The rules are last: behind them JSON has two braces, and MessagePack nothing.
        let (nothing, end): (&[u8], &[u8]) = match encoding {
            Encoding::Json => (b"null}}", b"}}"),
            Encoding::MsgPack => (&[0xC0], b""),
        };
        debug_assert!(out.ends_with(nothing), "the rules are the last field");
        out.truncate(out.len() - nothing.len());
        book.write(encoding, team, out);
        out.extend_from_slice(end);
    }

    fn book(&mut self, encoding: Encoding, fight: Bout<'_>) -> &Book {
        let ruleset = fight.ruleset.hash;
        let key = Key { ruleset, rules: fight.rules().clone(), mode: fight.mode(), seats: fight.seats(), encoding };
        if self.bytes > limits::RULEBOOK_BYTES && !self.books.contains_key(&key) {
            self.books.clear();
            self.bytes = 0;
        }
        self.books.entry(key).or_insert_with(|| {
            let book = Book::of(encoding, fight);
            self.bytes += book.bytes.len();
            book
        })
    }
}

impl Book {
    fn of(encoding: Encoding, fight: Bout<'_>) -> Self {
        let [bytes, other] = [0, 1].map(|team| {
            let mut bytes = Vec::new();
            encoding.encode(&rules_of(fight, team), &mut bytes);
            bytes
        });
        let team_at = bytes.iter().zip(&other).position(|(one, other)| one != other).expect("the team is told");
        Self { bytes: bytes.into(), team_at }
    }

    fn write(&self, encoding: Encoding, team: u8, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes[..self.team_at]);
        encoding.encode(&team, out);
        out.extend_from_slice(&self.bytes[self.team_at + 1..]);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tiltyard_combat::{Bout, Difficulty, Fight, Mode, Ruleset, Setup};
    use tiltyard_protocol::server::{Joined, Resume};
    use tiltyard_protocol::{Encoding, ServerMessage};
    use uuid::Uuid;

    use super::{Rulebooks, Seat};
    use crate::limits;
    use crate::rules::Library;
    use crate::shard::rulebook::rules_of;

    fn fight(ruleset: &str, mode: Mode, seats: u8, health: Option<u32>) -> (Fight, Arc<Ruleset>) {
        let ruleset = Arc::clone(Library::built_in().by_name(ruleset).unwrap());
        let mut rules = ruleset.rules_of(mode, Difficulty::Normal).unwrap();
        rules.health = health.unwrap_or(rules.health);
        let setup = Setup { mode, rules, seats, participants: vec![1, 2], teams: Vec::new(), seed: 7 };
        (Fight::new(&ruleset, setup), ruleset)
    }

    #[test]
    fn a_copy_of_the_rules_is_the_same_as_rules_made_anew() {
        let mut books = Rulebooks::default();
        let fights = [
            fight("default", Mode::Pvp, 2, None),
            fight("default", Mode::Pvp, 2, Some(77)),
            fight("default", Mode::Pve, 2, None),
            fight("default", Mode::Pve, 4, None),
            fight("arena-fast", Mode::Pvp, 2, None),
        ];
        // The second time they are copies.
        for (fight, ruleset) in fights.iter().chain(&fights) {
            let fight = Bout { fight, ruleset };
            for (encoding, team) in Encoding::ALL
                .into_iter()
                .flat_map(|encoding| [(encoding, 0), (encoding, 1), (encoding, 99), (encoding, 255)])
            {
                let (session, resume) = (Uuid::from_u128(5), Resume::Snapshot);
                let seat = Seat { session, s: 5, slot: 1, resume, last_id: 1 << 40, epoch: 300 };
                let (mut copied, mut anew) = (Vec::new(), Vec::new());
                books.joined(encoding, fight, team, seat, &mut copied);
                let Seat { session, s, slot, resume, last_id, epoch } = seat;
                let rules = Box::new(rules_of(fight, team));
                let joined = Joined { session, s, slot, resume, last_id, epoch, rules };
                encoding.encode(&ServerMessage::Joined(joined), &mut anew);
                assert_eq!(String::from_utf8_lossy(&copied), String::from_utf8_lossy(&anew));
                assert_eq!(copied, anew);
            }
        }
        assert_eq!(books.books.len(), fights.len() * 2);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut books = Rulebooks::default();
        let most = limits::RULEBOOK_BYTES + 64 * 1024;
        for health in 1..400 {
            let (fight, ruleset) = fight("arena-fast", Mode::Pvp, 2, Some(health));
            books.book(Encoding::Json, Bout { fight: &fight, ruleset: &ruleset });
            assert!(books.bytes <= most);
            assert_eq!(books.bytes, books.books.values().map(|book| book.bytes.len()).sum::<usize>());
        }
        assert!(books.books.len() < 399, "some were forgotten");
    }
}
