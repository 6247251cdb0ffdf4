use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tiltyard_combat::{Action, BodyPart, Difficulty, Fight, Input, Mode, Step};
use uuid::Uuid;

use super::{Fights, RecoveryError, gone, look, recover};
use crate::limits;
use crate::log::Journal;
use crate::log::frame::{self, HEADER};
use crate::log::journal::Place;
use crate::log::marks::{MARK, Mark, Marks};
use crate::log::reserve::Reserve;
use crate::log::segment::{self, HEADING, Heading, NoSegment};
use crate::rules::Library;
use crate::shard::recovery::{Found, Recovered};
use crate::shard::{Entry, NewFight, Session, SessionRecord};

/// A data folder with the log of a node that was killed: three fights, and a turn for each blow, all of them marked.
struct Killed {
    data: TempDir,
    library: Library,
    journal: PathBuf,
    /// Where each turn's frame ends, the checkpoint's first.
    ends: Vec<usize>,
    /// How the fights stood after each of them, by session.
    states: Vec<Vec<(Uuid, Fight)>>,
}

const TURNS: usize = 6;

impl Killed {
    fn new() -> Self {
        let (data, library) = (TempDir::new().unwrap(), Library::built_in());
        let mut recovered = recover(data.path(), 1, false, false, &library).unwrap();
        let (mut journal, _) = recovered.shards.remove(0);
        let path = only(data.path());
        let (mut ends, mut states) = (vec![length(&path) - HEADER], vec![Vec::new()]);
        let mut sessions: Vec<Session> = (0..3).map(|_| session(&library)).collect();
        for (no, session) in (0..).zip(&sessions) {
            journal.push(&Entry::Session { no, record: Box::new(Cow::Owned(session.record())) });
        }
        for turn in 0..TURNS as u64 {
            for (no, session) in (0..).zip(&mut sessions) {
                let action = Action::Attack { target: Some(1), part: BodyPart::Torso };
                for input in
                    [Input::Ready { slot: 0 }, Input::Ready { slot: 1 }, Input::Act { slot: 0, id: turn + 1, action }]
                {
                    let (at, wall) = (1_000 * turn, 1_000_000 + turn);
                    // Some are refused, which is in the log all the same.
                    let _ = session.handle_input(at, wall, input, &mut Step::default());
                    journal.push(&Entry::Input { no, at, input });
                }
            }
            journal.append(1_000_000 + turn).unwrap();
            journal.mark_if_due(1_000_000 + turn);
            ends.push(length(&path) - HEADER);
            states.push(state(sessions.iter().map(|session| (session.id, session.fight.clone()))));
        }
        assert!(journal.is_unmarked(), "not every turn is marked at once");
        journal.mark_if_due(1_000_000 + 2 * limits::MARK_MS);
        Self { data, library, journal: path, ends, states }
    }

    /// What becomes of it when its journal is this.
    fn with(&self, bytes: &[u8]) -> Result<Recovered, RecoveryError> {
        fs::remove_dir_all(self.data.path().join("log")).unwrap();
        fs::create_dir_all(self.journal.parent().unwrap()).unwrap();
        fs::write(&self.journal, bytes).unwrap();
        let told = recover(self.data.path(), 1, false, false, &self.library);
        if told.is_err() {
            assert_eq!(fs::read(&self.journal).unwrap(), bytes, "what cannot be read is not touched");
        }
        told
    }

    /// Makes the log these files, by their names in it.
    fn lay(&self, files: &[(&str, &[u8])]) {
        fs::remove_dir_all(self.log()).unwrap();
        for (name, bytes) in files {
            let path = self.log().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    fn recover(&self) -> Result<Recovered, RecoveryError> {
        recover(self.data.path(), 1, false, false, &self.library)
    }

    fn accept(&self) -> Recovered {
        recover(self.data.path(), 1, false, true, &self.library).unwrap()
    }

    fn log(&self) -> PathBuf {
        self.data.path().join("log")
    }

    /// The journal as it was after so many turns.
    fn after(&self, whole: &[u8], turns: usize) -> Vec<u8> {
        let (heading, _) = Heading::read(whole).unwrap();
        [&whole[..self.ends[turns]], &frame::end(heading.salt)].concat()
    }

    /// The mark, changed.
    fn mark(&self, change: impl FnOnce(Mark) -> Mark) -> [u8; MARK] {
        let bytes = fs::read(self.log().join("marks")).unwrap();
        change(Mark::read(bytes.first_chunk().unwrap()).unwrap()).bytes()
    }
}

/// The same journal as another segment, of another generation.
fn headed(bytes: &[u8], generation: u64, segment: u64) -> Vec<u8> {
    let (heading, rest) = Heading::read(bytes).unwrap();
    [&Heading { generation, segment, ..heading }.bytes(), rest].concat()
}

pub fn session(library: &Library) -> Session {
    let ruleset = library.by_name("default").unwrap();
    let new = NewFight {
        id: Uuid::now_v7(),
        mode: Mode::Pvp,
        creator: Uuid::nil(),
        participants: vec![Uuid::new_v4(), Uuid::new_v4()],
        seats: 2,
        ruleset: ruleset.clone(),
        rules: ruleset.rules_of(Mode::Pvp, Difficulty::Normal).unwrap(),
        teams: Vec::new(),
        settings: String::new(),
        metadata: String::new(),
    };
    Session::new(new, 7, 0, 0)
}

/// A data folder with the log of so many fights, of some KiB each.
pub fn log_of(data: &Path, fights: usize) -> usize {
    let library = Library::built_in();
    let (mut journal, _) = recover(data, 1, false, false, &library).unwrap().shards.remove(0);
    for no in 0..u32::try_from(fights).unwrap() {
        let record = SessionRecord { metadata: "x".repeat(4_000), ..session(&library).record() };
        journal.push(&Entry::Session { no, record: Box::new(Cow::Owned(record)) });
    }
    journal.append(1).unwrap();
    fights
}

fn length(path: &Path) -> usize {
    usize::try_from(fs::metadata(path).unwrap().len()).unwrap()
}

fn only(data: &Path) -> PathBuf {
    let segments = segment::all(&data.join("log/1")).unwrap();
    segments.into_values().flat_map(BTreeMap::into_values).next().unwrap()
}

pub fn state(fights: impl Iterator<Item = (Uuid, Fight)>) -> Vec<(Uuid, Fight)> {
    let mut fights: Vec<_> = fights.collect();
    fights.sort_unstable_by_key(|(id, _)| *id);
    fights
}

pub fn stands(recovered: &Recovered) -> Vec<(Uuid, Fight)> {
    let records = recovered.shards.iter().flat_map(|(_, records)| records);
    state(records.map(|record| (record.id, record.fight.clone())))
}

/// Fights as they stood after a turn, where a restart sets no clock.
pub fn same(one: &[(Uuid, Fight)], other: &[(Uuid, Fight)]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a == b)
}

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

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.append(&mut files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
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
        let sound = runtime.block_on(crate::check::check(data.path(), None, &mut said)).unwrap();
        (sound, String::from_utf8(said).unwrap())
    };
    assert!(check().0, "{}", check().1);
    fs::remove_file(&parts[0]).unwrap();
    let (sound, said) = check();
    assert!(!sound && said.contains(parts[0].to_str().unwrap()), "{said}");
    assert!(said.contains("parts of their replays in it: 1"), "{said}");
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
