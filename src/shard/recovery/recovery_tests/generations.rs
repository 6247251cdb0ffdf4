//! Which generation of the log is taken, and what is in its way.

use std::borrow::Cow;
use std::fs;

use tempfile::TempDir;
use tiltyard_combat::{Action, BodyPart, Input, Step};

use super::super::{RecoveryError, gone, recover};
use super::{Killed, TURNS, files, headed, length, only, same, session, stands};
use crate::log::frame::HEADER;
use crate::log::segment;
use crate::log::segment::HEADING;
use crate::rules::Library;
use crate::shard::Entry;

#[test]
fn a_journal_that_is_not_there_is_missed() {
    let (data, library) = (TempDir::new().unwrap(), Library::built_in());
    drop(recover(data.path(), 3, false, false, &library).unwrap());
    let log = data.path().join("log");
    fs::remove_file(segment::path(&log.join("1"), 1, 1)).unwrap();
    let error = recover(data.path(), 3, false, false, &library).unwrap_err();
    assert!(matches!(error, RecoveryError::Missing { shard: 1, shards: 3, .. }), "{error}");
    for file in fs::read_dir(log.join("1")).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let error = recover(data.path(), 3, false, false, &library).unwrap_err();
    assert!(matches!(error, RecoveryError::Empty(_)), "{error}");
    assert!(recover(data.path(), 3, false, true, &library).is_ok());
}

/// A start that was broken off by a loss of power before the disk had all of it.
#[test]
fn a_generation_that_did_not_get_to_the_disk_is_not_taken_for_the_log() {
    let killed = Killed::new();
    let begun = killed.log().join("2");
    fs::create_dir(&begun).unwrap();
    let whole = fs::read(&killed.journal).unwrap();
    for bytes in [&[][..], &headed(&whole[..HEADING], 2, 1), &[0; 4_096]] {
        let file = segment::path(&begun, 0, 1);
        fs::create_dir_all(&begun).unwrap();
        fs::write(&file, bytes).unwrap();
        let recovered = recover(killed.data.path(), 1, false, false, &killed.library).unwrap();
        assert!(same(&stands(&recovered), &killed.states[TURNS]));
        drop(recovered);
        // As it was.
        fs::remove_dir_all(killed.log()).unwrap();
        fs::create_dir_all(killed.journal.parent().unwrap()).unwrap();
        fs::write(&killed.journal, &whole).unwrap();
    }
}

/// A checkpoint that was begun without waiting for the disk, and a loss of power.
#[test]
fn a_checkpoint_that_did_not_get_to_the_disk_leaves_the_segment_before() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    let next = segment::begun(&segment::path(killed.journal.parent().unwrap(), 0, 2));
    fs::write(&next, &headed(&whole, 1, 2)[..killed.ends[0] - 1]).unwrap();
    let recovered = recover(killed.data.path(), 1, false, false, &killed.library).unwrap();
    assert!(same(&stands(&recovered), &killed.states[TURNS]));
}

/// Whatever is done to the newest of a log, an older one that is still there is not taken for it.
#[test]
fn an_older_log_is_never_taken_for_one_that_has_turns() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    let old = &whole[..killed.ends[2]];
    let flips = killed.ends[0] * 8;
    let changed = |whole: &[u8]| {
        let flipped = |bit: usize| {
            let mut bytes = whole.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        let mut changed: Vec<Vec<u8>> = (0..flips).map(flipped).collect();
        changed.extend([0, 1, HEADING - 1, HEADING, killed.ends[0] - 1].map(|end| whole[..end].to_vec()));
        changed.extend([HEADING, killed.ends[0], whole.len()].map(|end| [&vec![0; end], &whole[end..]].concat()));
        changed
    };
    let (segments, generations) = (changed(&headed(&whole, 1, 2)), changed(&headed(&whole, 2, 1)));
    for (case, (segment, generation)) in segments.iter().zip(&generations).enumerate() {
        let segments = [("1/0-1.journal", old), ("1/0-2.journal", &segment[..]), ("in-use", &b"1\n"[..])];
        let generations = [("1/0-1.journal", old), ("2/0-1.journal", &generation[..]), ("in-use", &b"2\n"[..])];
        // Of before it was said which one is in use.
        let unsaid = &generations[..2];
        let begun = [("1/0-1.journal", old), ("1/0-2.begun", &segment[..]), ("in-use", &b"1\n"[..])];
        let mut laid = vec![&segments[..], &generations[..]];
        if case < flips {
            laid.extend([unsaid, &begun[..]]);
        }
        for files_laid in laid {
            killed.lay(files_laid);
            let before = files(&killed.log());
            let error = killed.recover().unwrap_err();
            assert!(error.is_loss() && error.to_string().contains("--accept-loss"), "case {case}: {error}");
            let mut after = files(&killed.log());
            after.remove(&killed.log().join("lock"));
            assert_eq!(after, before, "case {case}: nothing was changed");
            match error {
                RecoveryError::NoSegment { turns, .. } if case < flips => assert_eq!(turns, TURNS as u64),
                RecoveryError::Incomplete { turns, .. } if case < flips => assert_eq!(turns, TURNS as u64),
                _ => {}
            }
        }
    }
}

#[test]
fn what_is_accepted_as_lost_beside_an_older_log_is_counted() {
    let killed = Killed::new();
    let whole = fs::read(&killed.journal).unwrap();
    let old = &whole[..killed.ends[2]];
    // A heading is not needed to read what is behind it.
    for bit in 0..HEADING * 8 {
        for (newer, generation, segment) in [("1/0-2.journal", 1, 2), ("2/0-1.journal", 2, 1)] {
            let mut bytes = headed(&whole, generation, segment);
            bytes[bit / 8] ^= 1 << (bit % 8);
            killed.lay(&[("1/0-1.journal", old), (newer, &bytes), ("in-use", &newer.as_bytes()[..1])]);
            let recovered = killed.accept();
            assert!(same(&stands(&recovered), &killed.states[TURNS]), "bit {bit} of {newer}");
        }
    }
    // Of one checkpoint or nothing, the older segment has all.
    let mut bytes = headed(&whole, 1, 2);
    bytes[HEADING + 13] ^= 1;
    killed.lay(&[("1/0-1.journal", old), ("1/0-2.journal", &bytes), ("in-use", b"1")]);
    let recovered = killed.accept();
    assert!(same(&stands(&recovered), &killed.states[2]));
    assert_eq!(recovered.found.lost_frames, TURNS as u64);
    for gone in [&[][..], &[0_u8; 400]] {
        killed.lay(&[("1/0-1.journal", gone), ("in-use", b"1")]);
        let recovered = killed.accept();
        assert_eq!((stands(&recovered).len(), recovered.found.lost_journals), (0, 1));
        assert_eq!(recovered.found.torn_bytes, gone.len() as u64);
        assert!(killed.log().join("1.damaged").exists());
    }
    killed.lay(&[("1/0-1.journal", old), ("2/notes", b"x"), ("in-use", b"2")]);
    assert!(matches!(killed.recover(), Err(RecoveryError::Empty(_))));
    let recovered = killed.accept();
    assert!(same(&stands(&recovered), &killed.states[2]), "an older one is better than nothing");
    assert_eq!(recovered.found.lost_journals, 1);
}

#[test]
fn a_log_that_is_gone_is_missed_and_a_first_start_is_none() {
    let (data, library) = (TempDir::new().unwrap(), Library::built_in());
    let start =
        |accept| recover(data.path(), 2, false, accept, &library).map(|recovered| recovered.found.lost_journals);
    assert!(gone(data.path()).is_none(), "there never was one");
    assert_eq!(start(false).unwrap(), 0);
    assert!(gone(data.path()).is_none());
    let log = data.path().join("log");
    fs::remove_dir_all(log.join("1")).unwrap();
    let error = start(false).unwrap_err();
    assert!(matches!(&error, RecoveryError::Gone { folder } if *folder == log.join("1")), "{error}");
    assert_eq!(start(true).unwrap(), 1);
    assert_eq!(start(false).unwrap(), 0, "it is said for one start");
    for says in ["", "x", "-1", "\u{1F5D1}"] {
        fs::write(log.join("in-use"), says).unwrap();
        let error = start(false).unwrap_err();
        assert!(matches!(&error, RecoveryError::InUse(_)), "{error}");
    }
    assert_eq!(start(true).unwrap(), 0);
    fs::remove_dir_all(&log).unwrap();
    assert!(matches!(gone(data.path()), Some(RecoveryError::Gone { .. })));
}

#[test]
fn what_is_in_the_way_is_named_and_what_is_not_stays() {
    let killed = Killed::new();
    let log = killed.log();
    fs::write(log.join("notes.new"), "mine").unwrap();
    fs::write(log.join("1").join("notes.txt"), "mine").unwrap();
    fs::create_dir(log.join("7.bak")).unwrap();
    for (name, is_folder) in [("3", false), ("3.new", false), ("18446744073709551615", true)] {
        let path = log.join(name);
        if is_folder {
            fs::create_dir(&path).unwrap();
        } else {
            fs::write(&path, "x").unwrap();
        }
        let before = files(killed.data.path());
        for _ in 0..2 {
            let error = killed.recover().unwrap_err();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            assert_eq!(files(killed.data.path()), before, "nothing was written");
        }
        if is_folder { fs::remove_dir(&path).unwrap() } else { fs::remove_file(&path).unwrap() }
    }
    fs::create_dir(log.join("2.new")).unwrap();
    fs::write(log.join("2.new/0-1.new"), "of a start that was broken off").unwrap();
    for _ in 0..2 {
        assert!(same(&stands(&killed.recover().unwrap()), &killed.states[TURNS]));
        assert_eq!(fs::read_to_string(log.join("notes.new")).unwrap(), "mine");
        assert_eq!(fs::read_to_string(log.join("1/notes.txt")).unwrap(), "mine");
        assert!(log.join("7.bak").exists() && !log.join("2.new").exists() && !killed.journal.exists());
    }
    // A journal under the name of another shard's.
    let whole = headed(&fs::read(log.join("3/0-1.journal")).unwrap(), 1, 1);
    killed.lay(&[("1/0-1.journal", &whole), ("1/1-1.journal", &whole)]);
    assert!(matches!(killed.recover(), Err(RecoveryError::NoSegment { .. })));
}

/// Reading a log writes parts of tapes; a start that fails afterwards takes them back.
#[test]
fn a_start_that_fails_leaves_nothing_behind() {
    let (data, library) = (TempDir::new().unwrap(), Library::built_in());
    let (mut journal, _) = recover(data.path(), 1, false, false, &library).unwrap().shards.remove(0);
    let path = only(data.path());
    let mut session = session(&library);
    journal.push(&Entry::Session { no: 0, record: Box::new(Cow::Owned(session.record())) });
    let mut end = 0;
    for turn in 1..600 {
        let action = Action::Attack { target: Some(1), part: BodyPart::Torso };
        let input = match turn {
            1 => Input::Ready { slot: 0 },
            2 => Input::Ready { slot: 1 },
            id => Input::Act { slot: 0, id, action },
        };
        let _ = session.handle_input(turn, turn, input, &mut Step::default());
        journal.push(&Entry::Input { no: 0, at: turn, input });
        journal.append(turn).unwrap();
        end = if turn == 598 { length(&path) } else { end };
    }
    drop(journal);
    let mut bytes = fs::read(&path).unwrap();
    bytes[end - HEADER - 1] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let before = files(data.path());
    let error = recover(data.path(), 1, false, false, &library).unwrap_err();
    assert!(matches!(error, RecoveryError::Damaged { frames: 1, .. }), "{error}");
    assert_eq!(files(data.path()), before);
    // Damage aside, there is something to take back.
    fs::write(&path, &bytes[..end]).unwrap();
    drop(recover(data.path(), 1, false, false, &library).unwrap());
    let parts: Vec<_> = fs::read_dir(data.path().join("replays")).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!parts.is_empty());
    // A check misses them where they are not there any more.
    let check = || {
        let (mut said, runtime) =
            (Vec::new(), tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap());
        let sound = runtime.block_on(crate::check::check(data.path(), None, None, &mut said)).unwrap();
        (sound, String::from_utf8(said).unwrap())
    };
    assert!(check().0, "{}", check().1);
    fs::remove_file(&parts[0]).unwrap();
    let (sound, said) = check();
    assert!(!sound && said.contains(parts[0].to_str().unwrap()), "{said}");
    assert!(said.contains("parts of their replays in it: 1"), "{said}");
}
