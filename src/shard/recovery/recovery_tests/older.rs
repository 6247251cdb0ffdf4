//! A journal that is whole, and from before.

use std::fs;

use uuid::Uuid;

use super::super::{RecoveryError, look};
use super::{Killed, TURNS, files, same, stands};
use crate::log::frame;
use crate::log::frame::HEADER;
use crate::log::marks::{MARK, Mark};
use crate::log::segment::{Heading, NoSegment};

/// Whole in itself, and not what was acknowledged.
#[test]
fn an_older_copy_of_a_journal_is_not_taken_for_the_newer_one() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    let marks = killed.mark(|mark| mark);
    let last = killed.ends[TURNS];
    for turns in 0..TURNS {
        let old = killed.after(&whole, turns);
        fs::write(&killed.journal, &old).unwrap();
        let before = files(killed.data.path());
        let error = killed.recover().unwrap_err();
        let RecoveryError::Behind { missing, fights, .. } = &error else { panic!("{turns} turns: {error}") };
        assert_eq!((missing.bytes(), missing.by_power), ((last - killed.ends[turns]) as u64, false));
        assert_eq!(fights.count(), killed.states[turns].len());
        let said = error.to_string();
        assert!(error.is_loss() && said.contains("--accept-loss") && said.contains("newer file"), "{said}");
        assert!(said.contains(killed.journal.to_str().unwrap()), "{said}");
        assert_eq!(files(killed.data.path()), before, "nothing was changed");

        let recovered = killed.accept();
        assert!(same(&stands(&recovered), &killed.states[turns]));
        assert_eq!(recovered.found.missing_bytes, (last - killed.ends[turns]) as u64);
        drop(recovered);
        assert_eq!(fs::read(killed.log().join("1.damaged/0-1.journal")).unwrap(), old, "it is kept aside");
        assert_eq!(killed.recover().unwrap().found.missing_bytes, 0, "it is said for one start");
        killed.lay(&[("1/0-1.journal", &whole), ("in-use", b"1\n"), ("marks", &marks), ("lock", b"")]);
    }
    // Of an older segment all that was marked is missing.
    let second = killed.mark(|mark| Mark { segment: 2, end: 500, ..mark });
    killed.lay(&[("1/0-1.journal", &whole), ("in-use", b"1\n"), ("marks", &second)]);
    let error = killed.recover().unwrap_err();
    let RecoveryError::Behind { missing, .. } = &error else { panic!("{error}") };
    assert_eq!((missing.bytes(), missing.there.0, missing.marked), (500, 1, (2, 500)));
}

/// The process dies anywhere in a turn: what it had marked is there.
#[test]
fn a_turn_that_was_being_written_is_no_turn_that_is_missing() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    let (marks, last) = (killed.mark(|mark| mark), killed.ends[TURNS]);
    let (heading, _) = Heading::read(&whole).unwrap();
    let mut next = [&[0; HEADER][..], &7_u64.to_le_bytes()].concat();
    frame::seal(&mut next, heading.salt);
    let grown = [&whole[..last], &next].concat();
    for (of, from) in [(&whole, last - HEADER - 8), (&grown, last)] {
        for cut in from..=of.len() {
            killed.lay(&[("1/0-1.journal", &of[..cut]), ("in-use", b"1\n"), ("marks", &marks)]);
            let recovered = killed.recover().unwrap();
            // A disk that loses what it had in the end does not stop the start, and it is told how much that was.
            let turns = if cut < last { TURNS - 1 } else { TURNS };
            assert!(same(&stands(&recovered), &killed.states[turns]), "cut at {cut}");
            assert_eq!(recovered.found.missing_bytes, (last - killed.ends[turns]) as u64, "cut at {cut}");
            assert_eq!(recovered.found.torn_bytes > 0, cut < of.len() || of.len() == grown.len(), "cut at {cut}");
        }
    }
}

#[test]
fn what_a_loss_of_power_takes_is_told_and_counted_and_what_the_disk_had_is_missed() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    let old = killed.after(&whole, 2);
    let bytes = (killed.ends[TURNS] - killed.ends[2]) as u64;
    let other_boot = killed.mark(|mark| Mark { boot: Uuid::new_v4(), ..mark });
    let unknown_boot = killed.mark(|mark| Mark { boot: Uuid::nil(), ..mark });
    let on_disk = killed.mark(|mark| Mark { boot: Uuid::new_v4(), on_disk: true, ..mark });
    for (marks, by_power) in [(other_boot, true), (unknown_boot, true), (on_disk, false)] {
        killed.lay(&[("1/0-1.journal", &old), ("in-use", b"1\n"), ("marks", &marks)]);
        match killed.recover() {
            Ok(recovered) => {
                assert!(by_power && same(&stands(&recovered), &killed.states[2]));
                assert_eq!((recovered.found.missing_bytes, recovered.found.torn_bytes), (bytes, 0));
                drop(recovered);
                assert!(!killed.log().join("1.damaged").exists());
            }
            Err(error) => assert!(!by_power && matches!(error, RecoveryError::Behind { .. }), "{error}"),
        }
    }
}

#[test]
fn a_mark_that_is_changed_anywhere_stops_no_start() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    let old = killed.after(&whole, 2);
    let marks = killed.mark(|mark| mark);
    let laid = |marks: &[u8]| {
        killed.lay(&[("1/0-1.journal", &old), ("in-use", b"1\n"), ("marks", marks)]);
        look(killed.data.path()).0.damage.is_some()
    };
    assert!(!laid(&marks));
    assert!(matches!(killed.recover(), Err(RecoveryError::Behind { .. })), "as it was written it does");
    for bit in 0..MARK * 8 {
        let mut flipped = marks;
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(laid(&flipped), "bit {bit} is told");
        assert!(same(&stands(&killed.recover().unwrap()), &killed.states[2]), "bit {bit}");
    }
    for cut in [0, 1, MARK - 1] {
        assert_eq!(laid(&marks[..cut]), cut > 0);
        drop(killed.recover().unwrap());
    }
    assert!(!laid(&killed.mark(|mark| Mark { generation: 0, ..mark })));
    drop(killed.recover().unwrap());
}

/// Whole in itself, in time, and of another log, another generation or another time of this one.
#[test]
fn a_journal_is_not_taken_for_another_of_its_name() {
    let (killed, other) = (Killed::new(), Killed::new());
    let (first, foreign) = (fs::read(&killed.journal).unwrap(), fs::read(&other.journal).unwrap());
    let marks = killed.mark(|mark| mark);
    let refuse = || match killed.recover().unwrap_err() {
        error @ RecoveryError::NoSegment { .. } => {
            assert!(error.is_loss() && error.to_string().contains("--accept-loss"), "{error}");
            let RecoveryError::NoSegment { why, turns, fights, .. } = error else { unreachable!() };
            assert_eq!((turns, fights.count()), (TURNS as u64, 3));
            why
        }
        error => panic!("{error}"),
    };
    killed.lay(&[("1/0-1.journal", &foreign), ("in-use", b"1\n"), ("marks", &marks)]);
    assert_eq!(refuse(), NoSegment::Another);
    killed.lay(&[("1/0-2.journal", &first), ("in-use", b"1\n"), ("marks", &marks)]);
    assert_eq!(refuse(), NoSegment::Elsewhere { generation: 1, shard: 0, segment: 1 });
    killed.lay(&[("1/0-1.journal", &first), ("in-use", b"1\n"), ("marks", &marks)]);
    drop(killed.recover().unwrap());
    let second = fs::read(killed.log().join("2/0-1.journal")).unwrap();
    fs::write(killed.log().join("2/0-1.journal"), &first).unwrap();
    assert_eq!(refuse(), NoSegment::Elsewhere { generation: 1, shard: 0, segment: 1 });
    let recovered = killed.accept();
    assert_eq!((stands(&recovered).len(), recovered.found.lost_journals), (0, 1));
    drop(recovered);
    // A whole log of before, and the mark of the newer one.
    let newer = killed.mark(|mark| mark);
    killed.lay(&[("2/0-1.journal", &second), ("in-use", b"2\n"), ("marks", &newer)]);
    let error = killed.recover().unwrap_err();
    assert!(matches!(&error, RecoveryError::Gone { folder } if *folder == killed.log().join("3")), "{error}");
    assert!(same(&stands(&killed.accept()), &killed.states[TURNS]));
}
