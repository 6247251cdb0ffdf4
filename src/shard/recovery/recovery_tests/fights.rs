//! Whose fights they are.

use std::borrow::Cow;

use tempfile::TempDir;
use tiltyard_combat::{Input, Step};
use uuid::Uuid;

use super::super::{Fights, recover};
use super::session;
use crate::rules::Library;
use crate::shard::{Entry, SessionRecord};

#[test]
fn fights_are_named_up_to_a_bound_and_counted_beyond_it() {
    let ids: Vec<Uuid> = (0..10).map(|_| Uuid::new_v4()).collect();
    let of = |count: usize| ids[..count].iter().copied().collect::<Fights>().to_string();
    assert_eq!(of(0), "no known fight");
    assert_eq!(of(1), format!("1 fight: {}", ids[0]));
    assert_eq!(of(2), format!("2 fights: {}, {}", ids[0], ids[1]));
    assert!(of(10).starts_with("10 fights: ") && of(10).ends_with(&format!("{} and 2 more", ids[7])));
    // One that several journals have had is one.
    let twice = ids[..2].iter().chain(&ids[..2]).copied().collect::<Fights>();
    assert_eq!(twice, ids[..2].iter().copied().collect());
}

/// The process dies while a session changes hands: the one who takes it has it in its journal, and the one who gives it has not forgotten it.
#[test]
fn a_session_in_two_journals_goes_on_under_the_higher_epoch() {
    let library = Library::built_in();
    for higher in [0, 1] {
        let data = TempDir::new().unwrap();
        let mut journals = recover(data.path(), 2, false, false, &library).unwrap().shards;
        let mut session = session(&library);
        let given = session.record();
        assert_eq!(given.epoch, SessionRecord::FIRST_EPOCH);
        session.handle_input(1, 1, Input::Ready { slot: 0 }, &mut Step::default()).unwrap();
        let taken = SessionRecord { epoch: given.epoch + 1, ..session.record() };
        for (shard, (journal, _)) in journals.iter_mut().enumerate() {
            let record = if shard == higher { &taken } else { &given };
            journal.push(&Entry::Session { no: 0, record: Box::new(Cow::Borrowed(record)) });
            journal.append(1).unwrap();
        }
        drop(journals);
        let recovered = recover(data.path(), 2, false, false, &library).unwrap();
        let records: Vec<_> = recovered.shards.into_iter().flat_map(|(_, records)| records).collect();
        let [record] = &records[..] else { panic!("{} records", records.len()) };
        assert!(record.epoch == taken.epoch && record.fight == taken.fight);
    }
}
