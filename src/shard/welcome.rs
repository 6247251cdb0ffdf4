//! `joined`, of which nearly all is the rules: encoded once for all sessions that are played by the same, and copied.

use std::collections::HashMap;

use tiltyard_combat::ruleset::Trigger;
use tiltyard_combat::{Bout, Mode, PhaseName, Rules};
use tiltyard_protocol::server::{Joined, Timers};
use tiltyard_protocol::{Encoding, ServerMessage};

use super::form;
use super::rulebook::{hash_of, rules_of};
use crate::limits;

/// Encoded rules of the sessions that were joined last.
#[derive(Debug, Default)]
pub struct Rulebooks {
    books: HashMap<Key, Book>,
    bytes: usize,
}

/// Everything that decides what the rules of a session look like.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    ruleset: [u8; 32],
    rules: Rules,
    mode: Mode,
    seats: u8,
    encoding: Encoding,
}

#[derive(Debug)]
struct Book {
    hash: Option<u128>,
    bytes: Box<[u8]>,
}

impl Rulebooks {
    /// Appends `joined`, which is without rules, with those of `fight`; or without, where they are `known` by their hash.
    pub fn joined(
        &mut self,
        encoding: Encoding,
        fight: Bout<'_>,
        joined: Joined,
        known: Option<u128>,
        out: &mut Vec<u8>,
    ) {
        debug_assert!(joined.rules.is_none(), "they are put in here");
        let (book, start) = (self.book(encoding, fight), out.len());
        encoding.encode(&ServerMessage::Joined(joined), out);
        if known.is_some() && known == book.hash {
            return;
        }
        // They are its last field.
        form::add_rules(encoding, &book.bytes, start, out);
    }

    fn book(&mut self, encoding: Encoding, fight: Bout<'_>) -> &Book {
        let ruleset = fight.ruleset.hash;
        let key = Key { ruleset, rules: fight.rules().clone(), mode: fight.mode(), seats: fight.seats(), encoding };
        if self.bytes > limits::RULEBOOK_BYTES && !self.books.contains_key(&key) {
            self.books.clear();
            self.bytes = 0;
        }
        self.books.entry(key).or_insert_with(|| {
            let rules = rules_of(fight);
            let mut bytes = Vec::new();
            encoding.encode(&rules, &mut bytes);
            self.bytes += bytes.len();
            Book { hash: hash_of(&rules.hash), bytes: bytes.into() }
        })
    }
}

/// How long things last in a fight and on this server.
pub fn timers_of(fight: Bout<'_>) -> Timers {
    let (rules, course) = (fight.rules(), &fight.ruleset.lifecycle);
    let fighting = (0..).zip(&course.states).find(|(_, state)| state.is == PhaseName::Active).map(|(place, _)| place);
    let results = fighting.and_then(|place| course.next(place, Trigger::Decided)).map(|place| course.state(place));
    let results_ms = results.and_then(|state| state.after).map_or(0, |(wait, _)| wait.ms(rules));
    Timers {
        seat_ms: rules.reconnect_ms.into(),
        countdown_ms: rules.preparation_ms.into(),
        results_ms,
        linger_ms: limits::ENDED_LINGER_MS,
        ping_ms: limits::PING_AFTER_MS,
        idle_ms: limits::IDLE_CLOSE_MS,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use tiltyard_combat::{Bout, Difficulty, Fight, Mode, Ruleset, Setup};
    use tiltyard_protocol::server::Joined;
    use tiltyard_protocol::{Encoding, ServerMessage};
    use uuid::Uuid;

    use super::{Rulebooks, timers_of};
    use crate::limits;
    use crate::rules::Library;
    use crate::shard::rulebook::{hash_of, rules_of};

    fn fight(ruleset: &str, mode: Mode, seats: u8, health: Option<u32>) -> (Fight, Arc<Ruleset>) {
        let ruleset = Arc::clone(Library::built_in().by_name(ruleset).unwrap());
        let mut rules = ruleset.rules_of(mode, Difficulty::Normal).unwrap();
        rules.health = health.unwrap_or(rules.health);
        let setup = Setup { mode, rules, seats, participants: vec![1, 2], teams: Vec::new(), seed: 7 };
        (Fight::new(&ruleset, setup), ruleset)
    }

    fn fights() -> [(Fight, Arc<Ruleset>); 5] {
        [
            fight("default", Mode::Pvp, 2, None),
            fight("default", Mode::Pvp, 2, Some(77)),
            fight("default", Mode::Pve, 2, None),
            fight("default", Mode::Pve, 4, None),
            fight("arena-fast", Mode::Pvp, 2, None),
        ]
    }

    #[test]
    fn a_copy_of_the_rules_is_the_same_as_rules_made_anew() {
        let (mut books, fights) = (Rulebooks::default(), fights());
        // The second time they are copies.
        for (fight, ruleset) in fights.iter().chain(&fights) {
            let fight = Bout { fight, ruleset };
            let rules = rules_of(fight);
            let (hash, other) = (hash_of(&rules.hash), hash_of("7"));
            assert!(hash.is_some() && other.is_some());
            for encoding in Encoding::ALL {
                let joined = Joined {
                    session: Uuid::from_u128(5),
                    s: 5,
                    slot: 1,
                    team: 255,
                    last_id: 1 << 40,
                    epoch: 300,
                    timers: timers_of(fight),
                    ..Joined::default()
                };
                for (known, told) in [(None, true), (other, true), (hash, false)] {
                    let (mut copied, mut anew) = (b"before".to_vec(), b"before".to_vec());
                    books.joined(encoding, fight, joined.clone(), known, &mut copied);
                    let joined = Joined { rules: told.then(|| Box::new(rules.clone())), ..joined.clone() };
                    encoding.encode(&ServerMessage::Joined(joined), &mut anew);
                    assert_eq!(String::from_utf8_lossy(&copied), String::from_utf8_lossy(&anew));
                    assert_eq!(copied, anew);
                }
            }
        }
        assert_eq!(books.books.len(), fights.len() * 2);
    }

    #[test]
    fn rules_that_differ_have_other_hashes() {
        let hashes = fights().map(|(fight, ruleset)| rules_of(Bout { fight: &fight, ruleset: &ruleset }).hash);
        assert!(hashes.iter().all(|hash| hash.len() == 32));
        // The enemies of a fight against the server grow with its seats, where these rules have any that do.
        assert!(HashSet::from(hashes).len() >= 4);
    }

    #[test]
    fn timers_are_those_of_the_fight() {
        let (fight, ruleset) = fight("default", Mode::Pvp, 2, None);
        let (timers, rules) = (timers_of(Bout { fight: &fight, ruleset: &ruleset }), fight.rules());
        assert_eq!(timers.seat_ms, u64::from(rules.reconnect_ms));
        assert_eq!(timers.countdown_ms, u64::from(rules.preparation_ms));
        assert_eq!(timers.results_ms, u64::from(rules.cooldown_ms), "and not the time between rounds");
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
