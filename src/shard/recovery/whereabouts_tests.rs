//! Journals that cannot be read, of shards that have handed a session over or were handed one.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use tempfile::TempDir;
use tiltyard_combat::{Input, Step};
use uuid::Uuid;

use super::tests::session;
use super::{Fights, Recovered, RecoveryError, recover};
use crate::log::Journal;
use crate::log::segment;
use crate::rules::Library;
use crate::session::shard_of;
use crate::shard::{Entry, Session, SessionRecord};

/// The log of two shards. The first has two sessions, and has handed one of them over to the second, which has one more.
struct Log {
    data: TempDir,
    library: Library,
    /// It went from the first to the second shard.
    went: Uuid,
    /// At home at the first, and at the second.
    stayed: [Uuid; 2],
    /// Where each turn of each journal begins, and where the last one ends.
    turns: [Vec<usize>; 2],
}

impl Log {
    /// Where `forgotten`, the first shard's log has forgotten what it handed over.
    fn new(forgotten: bool) -> Self {
        let (data, library) = (TempDir::new().unwrap(), Library::built_in());
        let shards = recover(data.path(), 2, false, false, &library).unwrap().shards;
        let [mut first, mut second] = shards.try_into().map(|all: [(Journal, _); 2]| all.map(|(one, _)| one)).unwrap();
        let at_home = |shard| loop {
            let session = session(&library);
            if shard_of(session.id, 2) == shard {
                return session;
            }
        };
        let (mut went, mut stays, mut stays_there) = (at_home(0), at_home(0), at_home(1));
        let mut turns = [vec![end(data.path(), 0)], vec![end(data.path(), 1)]];
        let mut append = |shard: usize, journal: &mut Journal| {
            journal.append(1).unwrap();
            turns[shard].push(end(data.path(), shard));
        };
        introduce(&mut first, 0, went.record());
        introduce(&mut first, 1, stays.record());
        append(0, &mut first);
        for slot in 0..2 {
            ready(&mut first, 0, &mut went, slot);
            ready(&mut first, 1, &mut stays, slot);
            append(0, &mut first);
        }
        introduce(&mut second, 0, stays_there.record());
        append(1, &mut second);
        ready(&mut second, 0, &mut stays_there, 0);
        append(1, &mut second);
        introduce(&mut second, 1, SessionRecord { epoch: SessionRecord::FIRST_EPOCH + 1, ..went.record() });
        append(1, &mut second);
        ready(&mut second, 0, &mut stays_there, 1);
        append(1, &mut second);
        if forgotten {
            first.push(&Entry::Forget { no: 0 });
            append(0, &mut first);
        }
        Self { went: went.id, stayed: [stays.id, stays_there.id], data, library, turns }
    }

    fn journal(&self, shard: usize) -> PathBuf {
        segment::path(&self.data.path().join("log/1"), shard, 1)
    }

    /// Changes a byte of a turn.
    fn damage(&self, shard: usize, turn: usize) {
        let mut bytes = fs::read(self.journal(shard)).unwrap();
        bytes[self.turns[shard][turn] + 20] ^= 1;
        fs::write(self.journal(shard), bytes).unwrap();
    }

    fn recover(&self, accept_loss: bool) -> Result<Recovered, RecoveryError> {
        recover(self.data.path(), 2, false, accept_loss, &self.library)
    }

    /// Why a start stops, and whether that concerns the one that went, which the store has under this epoch, and those that stayed.
    fn stops(&self, epoch: u64) -> (RecoveryError, [bool; 3]) {
        let error = self.recover(false).unwrap_err();
        let at_stake = error.at_stake();
        let concerns = [(self.went, epoch), (self.stayed[0], 1), (self.stayed[1], 1)];
        (error, concerns.map(|(id, epoch)| at_stake.concerns(id, epoch)))
    }
}

fn end(data: &std::path::Path, shard: usize) -> usize {
    let bytes = fs::read(segment::path(&data.join("log/1"), shard, 1)).unwrap();
    bytes.len() - crate::log::frame::HEADER
}

fn introduce(journal: &mut Journal, no: u32, record: SessionRecord) {
    let claim = record.claim(no);
    journal.push(&Entry::Session { no, record: Box::new(Cow::Owned(record)) });
    journal.push(&claim);
}

fn ready(journal: &mut Journal, no: u32, session: &mut Session, slot: u8) {
    let input = Input::Ready { slot };
    session.handle_input(1, 1, input, &mut Step::default()).unwrap();
    journal.push(&Entry::Input { no, at: 1, input });
}

#[test]
fn a_session_that_was_handed_over_is_at_stake_with_the_journal_that_has_it() {
    for forgotten in [false, true] {
        let log = Log::new(forgotten);
        let [first, second] = [0, 1].map(|shard| fs::read(log.journal(shard)).unwrap());
        fs::remove_file(log.journal(0)).unwrap();
        let (error, concerns) = log.stops(2);
        assert!(matches!(error, RecoveryError::Missing { shard: 0, .. }), "{error}");
        assert_eq!(concerns, [false, true, false]);
        fs::write(log.journal(0), &first).unwrap();

        fs::remove_file(log.journal(1)).unwrap();
        let (error, concerns) = log.stops(2);
        assert!(matches!(error, RecoveryError::Missing { shard: 1, .. }), "{error}");
        assert_eq!(concerns, [true, false, true], "the store says that the first has it no more");
        let (_, concerns) = log.stops(1);
        assert_eq!(concerns, [forgotten, false, true], "or the first itself, as soon as it has forgotten it");
        fs::write(log.journal(1), second).unwrap();

        // With turns of both behind it.
        log.damage(0, 1);
        let (error, concerns) = log.stops(2);
        let RecoveryError::Damaged { fights, frames, .. } = &error else { panic!("{error}") };
        assert_eq!((fights, *frames), (&Fights::from_iter([log.stayed[0]]), 1 + u64::from(forgotten)));
        assert_eq!(concerns, [false, true, false]);
        fs::write(log.journal(0), first).unwrap();

        log.damage(1, 1);
        let (error, concerns) = log.stops(2);
        let RecoveryError::Damaged { fights, .. } = &error else { panic!("{error}") };
        assert_eq!(fights.count(), 2, "{fights}");
        assert_eq!(concerns, [true, false, true], "whatever else of it is whole");
    }
}

#[test]
fn who_is_set_back_to_before_its_hand_over_is_named() {
    let log = Log::new(false);
    log.damage(1, 1);
    let recovered = log.recover(true).unwrap();
    assert_eq!(recovered.set_back, Fights::from_iter([log.went]));
    let records: Vec<_> = recovered.shards.into_iter().flat_map(|(_, records)| records).collect();
    let record = records.iter().find(|record| record.id == log.went).unwrap();
    assert_eq!(record.epoch, SessionRecord::FIRST_EPOCH, "it is all that can be read");
    // Who has lost nothing is not.
    let log = Log::new(false);
    log.damage(0, 1);
    let recovered = log.recover(true).unwrap();
    assert_eq!(recovered.set_back, Fights::default());
    let records: Vec<_> = recovered.shards.into_iter().flat_map(|(_, records)| records).collect();
    assert_eq!(records.iter().find(|record| record.id == log.went).unwrap().epoch, SessionRecord::FIRST_EPOCH + 1);
}
