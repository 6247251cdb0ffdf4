//! What a journal leaves on the disk, call by call, and on a disk that has no room.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{Journal, Place};
use crate::limits;
use crate::log::disk::calls::{Call, Watch};
use crate::log::marks::{MARK, Mark, Marked, Marks};
use crate::log::reserve::Reserve;
use crate::rules::Library;
use crate::shard::recovery::tests::log_of;
use crate::shard::recovery::{Recovered, RecoveryError, recover};
use crate::shard::{Description, Entry};

fn started(data: &Path, sync: bool) -> Result<Recovered, RecoveryError> {
    recover(data, 1, sync, false, &Library::built_in())
}

fn journal(data: &Path, sync: bool) -> Journal {
    started(data, sync).unwrap().shards.remove(0).0
}

/// A checkpoint of so many bytes, and more.
fn checkpoint(bytes: usize) -> impl Iterator<Item = Entry<'static>> {
    let text = "x".repeat(bytes.min(100_000));
    let description = move || Description { metadata: Some(text.clone()), settings: None, own_version: false };
    let entry = move |_| Entry::Describe { no: 0, description: std::borrow::Cow::Owned(description()) };
    (0..bytes.div_ceil(100_000)).map(entry)
}

/// Waits until `done`.
fn until(done: impl Fn() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < Duration::from_secs(20), "it takes too long");
        std::thread::yield_now();
    }
}

/// Goes on in the next segment, as far as that is not done yet, with this as one part of its checkpoint.
fn rotate(journal: &mut Journal, checkpoint: impl Iterator<Item = Entry<'static>>) -> io::Result<()> {
    if !journal.is_incomplete() {
        journal.begin_segment(|salt, end| Entry::Follows { salt, end })?;
    }
    checkpoint.for_each(|entry| journal.push(&entry));
    journal.write_part()?;
    journal.complete(&Entry::CheckpointEnd, || Ok(()))
}

fn position(calls: &[(Call, String)], call: Call, path: &str) -> usize {
    let found = calls.iter().position(|(of, at)| *of == call && at == path);
    found.unwrap_or_else(|| panic!("{call:?} of {path} is not in {calls:?}"))
}

#[test]
fn a_segment_is_removed_only_after_all_of_the_next_one_and_its_name_are_on_the_disk() {
    for sync in [false, true] {
        let data = TempDir::new().unwrap();
        let mut journal = journal(data.path(), sync);
        let watch = Watch::over(&data.path().join("log/1"));
        let told = || watch.calls().into_iter().map(|(call, path)| format!("{call:?} {path}")).collect::<Vec<_>>();
        journal.begin_segment(|salt, end| Entry::Follows { salt, end }).unwrap();
        let begun = told();
        // Where every turn waits for the disk, it has the segment that turns go to.
        let names = ["Sync 0-2.new", "Rename 0-2.begun", "Sync "];
        assert_eq!(begun, if sync { &names[..] } else { &names[1..2] });
        for wall in 1..5 {
            journal.push(&Entry::Forget { no: 1 });
            journal.append(wall).unwrap();
            checkpoint(10).for_each(|entry| journal.push(&entry));
            journal.write_part().unwrap();
        }
        assert!(journal.is_incomplete() && !journal.is_long());
        assert_eq!(told(), begun, "nothing goes while the checkpoint is not complete");
        journal.complete(&Entry::CheckpointEnd, || Ok(())).unwrap();
        assert!(!journal.is_incomplete());
        until(|| told().last().is_some_and(|last| last == "Remove 0-1.journal"));
        let order = ["Sync 0-1.journal", "Sync 0-2.journal", "Rename 0-2.journal", "Sync ", "Remove 0-1.journal"];
        assert_eq!(told()[begun.len()..], order);
        until(|| !data.path().join("log/1/0-1.journal").exists());
        assert_eq!(names_in(&data.path().join("log/1")), ["0-2.journal"]);
    }
}

/// What the disk does not take, or what the checkpoint refers to is not on it: the segment before stays, and goes with the next.
#[test]
fn a_segment_stays_where_the_next_one_cannot_be_made_sure_of() {
    let failing = [
        (Call::Sync, "0-1.journal"),
        (Call::Sync, "0-2.journal"),
        (Call::Rename, "0-2.journal"),
        (Call::Sync, ""),
        (Call::Remove, "0-1.journal"),
    ];
    for fails in [None].into_iter().chain(failing.into_iter().map(Some)) {
        let data = TempDir::new().unwrap();
        let mut journal = journal(data.path(), false);
        let folder = data.path().join("log/1");
        let watch = Watch::over(&folder);
        if let Some((call, path)) = fails {
            watch.fail(call, path);
        }
        let (told, asked) = flume::bounded(1);
        journal.begin_segment(|salt, end| Entry::Follows { salt, end }).unwrap();
        let replays = move || {
            told.send(()).unwrap();
            if fails.is_none() { Err(io::Error::other("as the test asks")) } else { Ok(()) }
        };
        journal.complete(&Entry::CheckpointEnd, replays).unwrap();
        asked.recv().unwrap();
        if let Some((call, path)) = fails {
            until(|| watch.calls().contains(&(call, path.to_owned())));
        }
        assert!(folder.join("0-1.journal").exists(), "{fails:?}");
        watch.mend();
        rotate(&mut journal, checkpoint(10)).unwrap();
        until(|| names_in(&folder) == ["0-3.journal"]);
    }
}

#[test]
fn a_log_is_removed_only_after_the_next_one_and_its_name_are_on_the_disk() {
    let data = TempDir::new().unwrap();
    drop(journal(data.path(), false));
    let watch = Watch::over(&data.path().join("log"));
    drop(journal(data.path(), false));
    let calls = watch.calls();
    let syncs_of_root: Vec<usize> = (0..calls.len()).filter(|&at| calls[at] == (Call::Sync, String::new())).collect();
    let order = [
        position(&calls, Call::Sync, "2.new/0-1.new"),
        position(&calls, Call::Sync, "2.new"),
        position(&calls, Call::Rename, "2"),
        syncs_of_root[0],
        position(&calls, Call::Sync, "in-use.new"),
        position(&calls, Call::Rename, "in-use"),
        syncs_of_root[1],
        position(&calls, Call::Remove, "1/0-1.journal"),
        syncs_of_root[2],
    ];
    assert!(order.is_sorted(), "{calls:?}");
}

/// A checkpoint that has its name, and then cannot be made sure of: what is written behind the old one is not lost for it.
#[test]
fn a_segment_that_was_given_up_is_not_taken_for_the_newest() {
    let data = TempDir::new().unwrap();
    let mut journal = journal(data.path(), true);
    let watch = Watch::over(&data.path().join("log/1"));
    watch.fail(Call::Sync, "");
    watch.fail(Call::Remove, "0-2.begun");
    journal.begin_segment(|salt, end| Entry::Follows { salt, end }).unwrap_err();
    assert!(data.path().join("log/1/0-2.begun").exists(), "it could not even be removed");
    journal.push(&Entry::CheckpointEnd);
    journal.append(7).unwrap_err();
    watch.mend();
    journal.append(7).unwrap();
    assert!(!data.path().join("log/1/0-2.begun").exists());
    journal.push(&Entry::CheckpointEnd);
    journal.append(8).unwrap();
    rotate(&mut journal, checkpoint(10)).unwrap();
    until(|| data.path().join("log/1/0-2.journal").exists());
}

#[test]
fn a_start_that_cannot_be_made_sure_of_leaves_the_log_of_before() {
    for (call, path) in [
        (Call::Sync, "2.new/0-1.new"),
        (Call::Rename, "2.new/0-1.journal"),
        (Call::Sync, "2.new"),
        (Call::Rename, "2"),
        (Call::Sync, ""),
        (Call::Sync, "in-use.new"),
        (Call::Rename, "in-use"),
    ] {
        let data = TempDir::new().unwrap();
        drop(journal(data.path(), false));
        let log = data.path().join("log");
        let before = fs::read(log.join("1/0-1.journal")).unwrap();
        let watch = Watch::over(&log);
        watch.fail(call, path);
        for _ in 0..2 {
            started(data.path(), false).unwrap_err();
            assert_eq!(fs::read(log.join("1/0-1.journal")).unwrap(), before, "{call:?} of {path}");
            assert!(!log.join("2").exists() && !log.join("2.new").exists(), "{call:?} of {path}");
            assert_eq!(fs::read_to_string(log.join("in-use")).unwrap(), "1\n", "{call:?} of {path}");
        }
        watch.mend();
        started(data.path(), false).unwrap();
    }
}

fn mark(data: &Path) -> Mark {
    let bytes = fs::read(data.join("log/marks")).unwrap();
    assert_eq!(bytes.len(), MARK);
    Mark::read(bytes.first_chunk().unwrap()).unwrap()
}

#[test]
fn a_mark_is_never_ahead_of_the_journal_and_not_written_with_every_turn() {
    for sync in [false, true] {
        let data = TempDir::new().unwrap();
        let mut journal = journal(data.path(), sync);
        let file = data.path().join("log/1/0-1.journal");
        let whole = || fs::metadata(&file).unwrap().len() - crate::log::frame::HEADER as u64;
        let begun = mark(data.path());
        assert_eq!((begun.generation, begun.segment, begun.end, begun.on_disk), (1, 1, whole(), true));
        let (mut written, mut last) = (0, begun.end);
        for wall in 1_000..1_200 {
            journal.push(&Entry::CheckpointEnd);
            journal.append(wall).unwrap();
            assert_eq!(mark(data.path()).end, last, "not before it is asked for");
            journal.mark_if_due(wall);
            let marked = mark(data.path());
            assert!(marked.end <= whole() && marked.on_disk == sync || marked == begun);
            written += u64::from(marked.end != last);
            last = marked.end;
        }
        assert_eq!(written, 200 / limits::MARK_MS);
        assert!(journal.is_unmarked() && last < whole());
        journal.mark_if_due(1_199 + limits::MARK_MS);
        assert!(!journal.is_unmarked());
        assert_eq!(mark(data.path()).end, whole());
        // A clock that was set back.
        journal.push(&Entry::CheckpointEnd);
        journal.append(5).unwrap();
        journal.mark_if_due(5);
        assert_eq!(mark(data.path()).end, whole());
        journal.begin_segment(|salt, end| Entry::Follows { salt, end }).unwrap();
        assert_eq!((mark(data.path()).segment, journal.is_unmarked()), (2, false), "with a new segment at once");
        checkpoint(10).for_each(|entry| journal.push(&entry));
        journal.write_part().unwrap();
        // Of what nobody waited for it is not said that the disk has it.
        assert_eq!(journal.is_unmarked(), !sync);
        journal.complete(&Entry::CheckpointEnd, || Ok(())).unwrap();
        journal.push(&Entry::CheckpointEnd);
        journal.append(6).unwrap();
        assert!(journal.is_unmarked());
        journal.close().unwrap();
        let closed = mark(data.path());
        assert!(!journal.is_unmarked() && closed.on_disk && closed.segment == 2);
    }
}

#[test]
fn turns_go_on_where_they_cannot_be_marked() {
    let data = TempDir::new().unwrap();
    fs::create_dir_all(data.path().join("log/marks")).unwrap();
    let mut journal = journal(data.path(), false);
    journal.push(&Entry::CheckpointEnd);
    journal.append(1_000).unwrap();
    assert!(journal.is_unmarked());
    journal.mark_if_due(1_000);
    assert!(!journal.is_unmarked(), "it is not tried again before the next turn");
    journal.close().unwrap();
    drop(journal);
    assert!(Marked::look(&data.path().join("log")).damage.is_some());
    started(data.path(), false).unwrap();
}

/// Bytes of the disk that the tests below have to themselves.
const DISK: u64 = 4 * 1024 * 1024;

/// Runs `test`, the body of the test called `name`, on a small disk: in a process that has one, which is this binary again.
fn on_a_small_disk(name: &str, test: impl FnOnce(&Path)) {
    if let Some(disk) = std::env::var_os("SMALL_DISK") {
        return test(Path::new(&disk));
    }
    let place = TempDir::new().unwrap();
    let script = r#"mount -t tmpfs -o size="$1" none "$SMALL_DISK" && shift && exec "$@""#;
    let test = format!("log::journal::tests::{name}");
    let binary = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script, "sh", &DISK.to_string()])
        .arg(binary)
        .args(["--exact", &test, "--nocapture", "--test-threads", "1"])
        .env("SMALL_DISK", place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_checkpoint_that_does_not_fit_is_as_if_it_had_not_been_tried() {
    on_a_small_disk("a_checkpoint_that_does_not_fit_is_as_if_it_had_not_been_tried", checkpoints_without_room);
}

#[test]
fn a_start_that_does_not_fit_is_as_if_it_had_not_been_tried() {
    on_a_small_disk("a_start_that_does_not_fit_is_as_if_it_had_not_been_tried", starts_without_room);
}

/// Leaves so many bytes of the small disk free, by a file.
fn leave(disk: &Path, free: u64) {
    let ballast = disk.join("ballast");
    let _ = fs::remove_file(&ballast);
    let there = rustix::fs::statvfs(disk).unwrap();
    let taken = (there.f_bavail * there.f_frsize).checked_sub(free).expect("the disk has that much");
    let file = fs::File::create(&ballast).unwrap();
    if taken > 0 {
        rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, taken).unwrap();
    }
}

fn free(disk: &Path) -> u64 {
    let there = rustix::fs::statvfs(disk).unwrap();
    there.f_bavail * there.f_frsize
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn checkpoints_without_room(disk: &Path) {
    for sync in [false, true] {
        let data = disk.join(format!("data-{sync}"));
        let mut journal = journal(&data, sync);
        let folder = data.join("log/1");
        let (mut failed, mut done, mut segment) = (0, 0, 1);
        // The room ends at every page of a part of 200 KiB.
        for room in (0..60).map(|page| page * 4_096) {
            leave(disk, room);
            let (before, goes_on) = (free(disk), journal.is_incomplete());
            let Err(error) = rotate(&mut journal, checkpoint(200_000)) else {
                (done, segment) = (done + 1, segment + 1);
                until(|| names_in(&folder) == [format!("0-{segment}.journal")]);
                continue;
            };
            failed += 1;
            assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
            let begun = journal.is_incomplete();
            let there = [format!("0-{segment}.journal"), format!("0-{}.begun", segment + 1)];
            assert_eq!(names_in(&folder), there[..=usize::from(begun)], "{room} bytes free");
            // But for the page that a segment begins on.
            let kept = if begun && !goes_on { 4_096 } else { 0 };
            assert_eq!(free(disk), before - kept, "what the part had taken is given back");
            // There is as much room for turns as before.
            journal.push(&Entry::Forget { no: 1 });
            let appended = journal.append(1);
            assert!(appended.is_ok() || room <= 4_096, "{room} bytes free");
            if appended.is_err() {
                leave(disk, 4_096);
                journal.append(1).unwrap();
            }
        }
        assert!(failed > 40 && done > 5, "{failed} failed, {done} did not");
        fs::remove_dir_all(&data).unwrap();
    }
    // The reserve is given up for a turn, and not for a checkpoint; and comes back.
    let data = disk.join("data");
    drop(journal(&data, false));
    let reserve = Arc::new(Reserve::with(&data.join("log"), 128 * 1024));
    leave(disk, DISK - 64 * 1024);
    reserve.take();
    assert!(reserve.is_held());
    let marks = Arc::new(Marks::of(&data.join("log")));
    let place = Place { generation: 1, shard: 0, shards: 1, segment: 2, reserve: Arc::clone(&reserve), marks };
    let mut journal = Journal::create(&data.join("log/1"), place, false, checkpoint(10)).unwrap();
    leave(disk, 0);
    rotate(&mut journal, checkpoint(100_000)).unwrap_err();
    assert!(reserve.is_held() && !journal.is_incomplete(), "not for the beginning of a segment");
    leave(disk, 8_192);
    rotate(&mut journal, checkpoint(100_000)).unwrap_err();
    assert!(reserve.is_held() && journal.is_incomplete(), "nor for a part of its checkpoint");
    leave(disk, 0);
    let mut turns = 0;
    while turns < 1_000 {
        checkpoint(1_000).for_each(|entry| journal.push(&entry));
        if journal.append(1).is_err() {
            break;
        }
        turns += 1;
    }
    assert!(turns > 100 && !reserve.is_held(), "{turns} turns");
    reserve.take();
    assert!(!reserve.is_held(), "there is no room");
    leave(disk, DISK / 2);
    journal.append(1).unwrap();
    leave(disk, DISK - 512 * 1024);
    reserve.take();
    assert!(reserve.is_held());
}

fn starts_without_room(disk: &Path) {
    // The very first start.
    let (mut failed, mut done) = (0, 0);
    for room in (0..12).map(|page| page * 4_096) {
        let data = disk.join("first");
        leave(disk, room);
        if started(&data, false).is_err() {
            failed += 1;
            for _ in 0..2 {
                let _ = started(&data, false);
            }
        } else {
            done += 1;
        }
        fs::remove_file(disk.join("ballast")).unwrap();
        started(&data, false).unwrap_or_else(|error| panic!("with {room} bytes before: {error}"));
        fs::remove_dir_all(&data).unwrap();
    }
    assert!(failed > 0 && done > 0, "{failed} failed, {done} did not");
    // One that has something to write.
    let data = disk.join("data");
    let sessions = log_of(&data, 40);
    let folder = data.join("log");
    let (mut failed, mut done) = (0, 0);
    for room in (0..20).map(|pages| 3 * pages * 4_096) {
        leave(disk, room);
        let before = (names_in(&folder), free(disk));
        match started(&data, false) {
            Ok(recovered) => {
                done += 1;
                assert_eq!(recovered.shards[0].1.len(), sessions);
            }
            Err(error) => {
                failed += 1;
                assert!(matches!(error, RecoveryError::Io { .. }), "{error}");
                assert_eq!((names_in(&folder), free(disk)), before, "{room} bytes free");
            }
        }
    }
    assert!(failed > 1 && done > 1, "{failed} failed, {done} did not");
}
