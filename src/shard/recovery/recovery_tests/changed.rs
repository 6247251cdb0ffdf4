//! A journal that was changed on the disk.

use std::borrow::Cow;
use std::fs;
use std::sync::Arc;

use tiltyard_combat::Input;
use uuid::Uuid;

use super::super::{Fights, RecoveryError, recover};
use super::{Killed, TURNS, same, session, stands};
use crate::log::Journal;
use crate::log::frame::HEADER;
use crate::log::journal::Place;
use crate::log::marks::Marks;
use crate::log::reserve::Reserve;
use crate::log::segment::HEADING;
use crate::shard::recovery::Found;
use crate::shard::{Entry, Session};

#[test]
fn a_whole_log_comes_back() {
    let killed = Killed::new();
    let recovered = killed.with(&fs::read(&killed.journal).unwrap()).unwrap();
    assert!(same(&stands(&recovered), &killed.states[TURNS]));
    assert_eq!(recovered.found, Found { inputs: 9 * TURNS as u64, ..Found::default() });
}

/// Whatever becomes of a journal's bytes: it comes back whole, or cut off behind a whole turn and saying so, or it is refused
/// by name. It is cut off only where no whole turn is behind.
#[test]
fn no_change_of_a_journal_loses_anything_in_silence() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    let check = |what: String, bytes: &[u8], whole_behind: bool| {
        let Some(touched) = (0..whole.len()).find(|&at| bytes.get(at) != whole.get(at)) else { return };
        let turn_of = |at: usize| killed.ends.iter().filter(|&&end| end <= at).count();
        match killed.with(bytes) {
            Ok(recovered) => {
                let stands = stands(&recovered);
                let turn = turn_of(touched);
                assert!(same(&stands, &killed.states[turn - 1]), "{what}: the turns before are there");
                assert!(turn >= TURNS || !whole_behind, "{what}: no whole turn was behind");
                assert!(recovered.found.torn_bytes > 0, "{what}: it is told");
            }
            Err(RecoveryError::NoSegment { .. } | RecoveryError::Version { .. }) => {
                assert!(touched < HEADING, "{what}");
            }
            Err(RecoveryError::Incomplete { .. }) => assert!(touched < killed.ends[0], "{what}"),
            Err(RecoveryError::Damaged { offset, frames, .. }) => {
                assert_eq!(offset, killed.ends[turn_of(touched) - 1], "{what}");
                assert_eq!(frames, (TURNS - turn_of(touched)) as u64, "{what}");
            }
            Err(error) => panic!("{what}: {error}"),
        }
    };
    let starts: Vec<usize> = [HEADING].into_iter().chain(killed.ends.iter().copied()).collect();
    // Every bit of every head, and of the heading.
    let heads = starts[..=TURNS].iter().flat_map(|&start| start..start + HEADER);
    for at in (0..HEADING).chain(heads) {
        check(format!("cut at {at}"), &whole[..at], false);
        let mut zeros = whole.clone();
        zeros[at..].fill(0);
        check(format!("zeros from {at}"), &zeros, false);
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            check(format!("bit {bit} of byte {at}"), &bytes, true);
        }
    }
    for frame in starts.windows(2) {
        let mut bytes = whole.clone();
        bytes[frame[0]..frame[1]].fill(0);
        check(format!("zeros for the frame at {}", frame[0]), &bytes, true);
    }
    // Inside the last three turns: every byte changed, everything from it on zeroed, the file cut there.
    for at in killed.ends[TURNS - 3]..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] = !bytes[at];
        check(format!("byte {at}"), &bytes, true);
        check(format!("cut at {at}"), &whole[..at], false);
        bytes[at..].fill(0);
        check(format!("zeros from {at}"), &bytes, false);
    }
    for zeros in [1, 11, 12, 64, 5_000] {
        let bytes = [&whole[..], &vec![0; zeros]].concat();
        let recovered = killed.with(&bytes).unwrap();
        assert!(same(&stands(&recovered), &killed.states[TURNS]) && recovered.found.torn_bytes == zeros as u64);
    }
}

#[test]
fn a_loss_that_is_accepted_is_told_and_what_is_damaged_kept_aside() {
    let killed = Killed::new();
    let mut bytes = fs::read(&killed.journal).unwrap();
    bytes[killed.ends[2] + 20] ^= 1;
    let error = killed.with(&bytes).unwrap_err();
    let RecoveryError::Damaged { frames: 3, fights, .. } = &error else { panic!("{error}") };
    let ids: Vec<Uuid> = killed.states[TURNS].iter().map(|(id, _)| *id).collect();
    assert_eq!(*fights, ids.iter().copied().collect::<Fights>(), "the fights of the turns behind are named");
    assert!(ids.iter().all(|id| error.to_string().contains(&id.to_string())), "{error}");
    assert!(error.to_string().contains("--accept-loss"), "{error}");
    let recovered = killed.accept();
    assert!(same(&stands(&recovered), &killed.states[2]), "as it was before the damage");
    assert_eq!(recovered.found.lost_frames, 3);
    let aside = killed.log().join("1.damaged").join(killed.journal.file_name().unwrap());
    assert_eq!(fs::read(&aside).unwrap(), bytes);
    // The same once more: what was kept before stays.
    drop(recovered);
    bytes[killed.ends[3] + 20] ^= 1;
    fs::remove_dir_all(killed.log().join("2")).unwrap();
    fs::create_dir_all(killed.journal.parent().unwrap()).unwrap();
    fs::write(&killed.journal, &bytes).unwrap();
    drop(killed.accept());
    assert!(aside.exists());
    assert_eq!(fs::read(killed.log().join("1.damaged-2").join(killed.journal.file_name().unwrap())).unwrap(), bytes);
}

#[test]
fn a_session_whose_inputs_cannot_be_stepped_again_ends_alone() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    drop(killed.with(&whole).unwrap());
    let folder = killed.log().join("2");
    let (reserve, marks) = (Arc::new(Reserve::of(&killed.log())), Arc::new(Marks::of(&killed.log())));
    let place = Place { generation: 2, shard: 0, shards: 1, segment: 2, reserve, marks };
    let sessions: Vec<Session> = (0..2).map(|_| session(&killed.library)).collect();
    let entries =
        (0..).zip(&sessions).map(|(no, session)| Entry::Session { no, record: Box::new(Cow::Owned(session.record())) });
    let entries = entries.chain([Entry::CheckpointEnd]);
    let mut journal = Journal::create(&folder, place, false, entries).unwrap();
    for no in 0..2 {
        let at = if no == 0 { Session::PANICS_AT } else { 5 };
        journal.push(&Entry::Input { no, at, input: Input::Ready { slot: 0 } });
        journal.push(&Entry::Input { no, at: at + 1, input: Input::Ready { slot: 1 } });
    }
    journal.append(1).unwrap();
    let recovered = recover(killed.data.path(), 1, false, false, &killed.library).unwrap();
    assert_eq!(recovered.found.failed, 1);
    let stands = stands(&recovered);
    assert_eq!(stands.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [sessions[1].id]);
}

/// Bits flipped anywhere, one or a few of them: never a loss that is not told.
#[test]
fn random_flips_lose_nothing_in_silence() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    let seed = Uuid::new_v4().as_u64_pair().0;
    println!("seed {seed}");
    let mut state = seed;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let (mut refused, mut told) = (0, 0);
    for round in 0..500 {
        let mut bytes = whole.clone();
        for _ in 0..=draw(3) {
            bytes[draw(whole.len())] ^= 1 << draw(8);
        }
        match killed.with(&bytes) {
            Ok(recovered) if same(&stands(&recovered), &killed.states[TURNS]) => {
                let told = recovered.found.torn_bytes > 0;
                assert!(bytes == whole || told, "round {round} of seed {seed}: flipped back, or in the end");
            }
            Ok(recovered) => {
                told += 1;
                assert!(recovered.found.torn_bytes > 0, "round {round} of seed {seed}");
                let stands = stands(&recovered);
                assert!(killed.states.iter().any(|state| same(state, &stands)), "round {round} of seed {seed}");
            }
            Err(error) => {
                refused += 1;
                assert!(!matches!(error, RecoveryError::Io { .. }), "round {round} of seed {seed}: {error}");
            }
        }
    }
    assert!(refused > 100 && told > 0, "{refused} refused, {told} told");
}
