//! Turns that are kept only when the disk has them: in their order, many at once, and after a failure.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::FileLog;
use crate::log::disk::calls::{Call, Watch};
use crate::log::frame;
use crate::log::marks::{MARK, Mark};
use crate::log::{Outcome, TurnNo};
use crate::rules::Library;
use crate::shard::Entry;
use crate::shard::recovery::recover;

/// Longer than any machine takes for what a test waits for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A log on a disk that the test has in its hand.
struct OnDisk {
    log: FileLog,
    disk: Watch,
    wakes: Arc<AtomicUsize>,
    data: TempDir,
}

impl OnDisk {
    /// Whose turns the shard waits for.
    fn inline() -> Self {
        let data = TempDir::new().unwrap();
        let journal = recover(data.path(), 1, true, false, &Library::built_in()).unwrap().shards.remove(0).0;
        let disk = Watch::over(&data.path().join("log/1"));
        Self { log: FileLog::of(journal), disk, wakes: Arc::default(), data }
    }

    /// Whose turns a thread waits for.
    fn beside() -> Self {
        let mut on_disk = Self::inline();
        let wakes = Arc::clone(&on_disk.wakes);
        let wake = move || {
            wakes.fetch_add(1, Ordering::SeqCst);
        };
        on_disk.log.wait_beside(wake).unwrap();
        on_disk
    }

    /// A turn with an entry, and what is polled of it.
    fn turn(&mut self) -> (TurnNo, Option<Outcome>) {
        self.log.push(&Entry::Forget { no: 1 });
        (self.log.seal(1), self.log.poll())
    }

    /// The turn that is kept next, as soon as one is.
    fn kept(&mut self) -> TurnNo {
        loop {
            match self.log.poll() {
                Some(Outcome::Kept(turn)) => return turn,
                None => assert!(self.log.wait(PATIENCE), "no turn is kept"),
                other => panic!("{other:?}"),
            }
        }
    }

    /// As soon as so many waits for the disk have begun.
    fn begun(&self, count: usize) {
        let since = std::time::Instant::now();
        while self.disk.turns() < count {
            assert!(since.elapsed() < PATIENCE, "the disk is not waited for");
            std::thread::yield_now();
        }
        assert_eq!(self.disk.turns(), count);
    }

    fn file(&self, name: &str) -> PathBuf {
        self.data.path().join("log/1").join(name)
    }

    fn mark(&self) -> Mark {
        Mark::read(fs::read(self.data.path().join("log/marks")).unwrap().first_chunk::<MARK>().unwrap()).unwrap()
    }
}

/// What the system may do to pages that it could not write: they are read from the disk again, which never had them.
fn forget(file: &Path, from: u64) {
    let open = fs::File::options().write(true).open(file).unwrap();
    let length = usize::try_from(open.metadata().unwrap().len() - from).unwrap();
    open.write_all_at(&vec![0; length], from).unwrap();
}

#[test]
fn turns_that_come_while_the_disk_is_waited_for_wait_together_for_the_next_time() {
    let mut it = OnDisk::beside();
    it.disk.hold_turns(true);
    let first = it.turn();
    assert!(first.1.is_none());
    it.begun(1);
    let (second, third) = (it.turn(), it.turn());
    assert!(second.1.is_none() && third.1.is_none());
    let empty = it.log.seal(1);
    assert!(matches!(it.log.poll(), Some(Outcome::Kept(turn)) if turn == empty), "without entries it is kept at once");
    assert!(it.log.poll().is_none() && !it.log.wait(Duration::from_millis(1)));
    assert_eq!((it.disk.turns(), it.wakes.load(Ordering::SeqCst)), (1, 0));
    it.disk.hold_turns(false);
    assert_eq!((it.kept(), it.kept(), it.kept()), (first.0, second.0, third.0));
    assert!(it.log.poll().is_none());
    it.begun(2);
    let since = std::time::Instant::now();
    while it.wakes.load(Ordering::SeqCst) < 2 {
        assert!(since.elapsed() < PATIENCE, "each answer wakes");
        std::thread::yield_now();
    }
}

#[test]
fn a_mark_does_not_tell_of_turns_that_the_disk_may_not_have() {
    let mut it = OnDisk::beside();
    let before = it.mark().end;
    it.disk.hold_turns(true);
    it.turn();
    it.begun(1);
    it.log.journal_mut().mark_if_due(1_000);
    assert_eq!(it.mark().end, before);
    it.disk.hold_turns(false);
    it.kept();
    it.log.journal_mut().mark_if_due(2_000);
    assert!(it.mark().end > before && it.mark().on_disk);
}

#[test]
fn what_the_disk_did_not_take_is_written_again_and_then_kept() {
    for beside in [true, false] {
        let mut it = if beside { OnDisk::beside() } else { OnDisk::inline() };
        let file = it.file("0-1.journal");
        let from = fs::metadata(&file).unwrap().len() - frame::HEADER as u64;
        it.disk.fail(Call::Turn, "0-1.journal");
        let (first, mut outcome) = it.turn();
        let bytes = it.log.journal().end - from;
        if beside {
            assert!(outcome.is_none() && it.log.wait(PATIENCE));
            // Written behind what was not taken, and not waited for either.
            it.log.journal_mut().push(&Entry::Forget { no: 2 });
            it.log.journal_mut().write_part().unwrap();
            outcome = it.log.poll();
        }
        assert!(matches!(outcome, Some(Outcome::Stalled(_))), "{outcome:?}");
        let written = fs::read(&file).unwrap();
        for _ in 0..3 {
            forget(&file, from);
            assert!(matches!(it.log.poll(), Some(Outcome::Stalled(_))), "nothing is kept while it fails");
        }
        forget(&file, from);
        it.disk.mend();
        assert_eq!(it.kept(), first);
        assert_eq!(fs::read(&file).unwrap(), written);
        assert_eq!(it.log.take_bytes(), bytes, "counted once");
        // And turns go on behind it.
        let next = it.turn();
        let kept = next.1.is_none().then(|| it.kept());
        assert_eq!(kept.unwrap_or(next.0), next.0);
        let whole = fs::read(&file).unwrap();
        assert!(whole.len() > written.len());
        it.log.close().unwrap();
    }
}

#[test]
fn a_segment_begins_only_when_the_disk_has_all_of_the_one_before() {
    let mut it = OnDisk::beside();
    it.disk.fail(Call::Turn, "0-1.journal");
    let (turn, _) = it.turn();
    let follows = |salt, end| Entry::Follows { salt, end };
    it.log.begin_segment(follows).unwrap_err();
    assert!(!it.file("0-2.begun").exists(), "it would go on from what the disk may not have");
    assert!(matches!(it.log.poll(), Some(Outcome::Stalled(_))));
    it.disk.mend();
    it.log.begin_segment(follows).unwrap();
    assert!(it.file("0-2.begun").exists());
    assert_eq!(it.kept(), turn, "without another turn");
    // As soon as it has: it is waited for.
    let (turn, _) = it.turn();
    assert_eq!(it.kept(), turn);
    let log = &mut it.log;
    log.journal_mut().complete(&Entry::CheckpointEnd, || Ok(())).unwrap();
    let since = std::time::Instant::now();
    while it.file("0-1.journal").exists() {
        assert!(since.elapsed() < PATIENCE, "the segment before stays");
        std::thread::yield_now();
    }
    it.disk.hold_turns(true);
    let (turn, _) = it.turn();
    std::thread::scope(|scope| {
        let OnDisk { log, disk, .. } = &mut it;
        let begins = scope.spawn(move || log.begin_segment(follows));
        disk.hold_turns(false);
        begins.join().unwrap().unwrap();
    });
    assert_eq!(it.kept(), turn);
}

#[test]
fn the_end_waits_for_the_disk_and_says_what_it_did_not_take() {
    for fails in [true, false] {
        let mut it = OnDisk::beside();
        it.disk.fail(Call::Turn, "0-1.journal");
        it.turn();
        assert!(it.log.wait(PATIENCE));
        if !fails {
            it.disk.mend();
        }
        assert_eq!(it.log.close().is_err(), fails);
        assert_eq!(it.mark().on_disk, !fails);
    }
}
