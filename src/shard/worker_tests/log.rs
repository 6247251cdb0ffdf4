//! While the log takes nothing, and what is marked of it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::Events;
use tiltyard_protocol::Reason;

use super::super::Worker;
use super::{Shard, at_rest};
use crate::limits;
use crate::session::Viewer;
use crate::shard::{Command, Entry, renewals};

#[test]
fn while_the_log_cannot_be_written_nothing_is_shown_and_then_it_goes_on() {
    let shard = Shard::start();
    let id = shard.create().id;
    shard.log_fails.store(true, Ordering::SeqCst);
    let mut held = shard.attack(id);
    // The first of these may still be in the turn of the attack, and is then held with it.
    let refused = (0..3).filter_map(|_| {
        let mut answer = shard.ask(|reply| Command::Read(id, Viewer::All, reply));
        while shard.handle.stats().log_failures < 3 {
            std::thread::yield_now();
        }
        answer.try_recv().ok()
    });
    let refused: Vec<_> = refused.collect();
    assert!(refused.iter().all(|answer| answer.as_ref().is_err_and(|r| r.reason == Reason::LogUnavailable)));
    assert!(held.try_recv().is_err(), "not answered before it is in the log");
    shard.log_fails.store(false, Ordering::SeqCst);
    let applied = held.blocking_recv().unwrap().unwrap();
    assert!(applied.damage > 0);
    assert_eq!(shard.read(id).unwrap().actions, 1, "once, and not lost");
    drop(shard.stop());
}

#[test]
fn who_waits_for_a_turn_that_the_log_does_not_take_is_told_before_long_and_the_turn_is_not_lost() {
    let (handle, mut worker, _clients, data) = at_rest(0);
    let (book, log_fails) = (Arc::clone(&worker.book), worker.log.journal().unwrap().failing.clone());
    let shard = Shard::run(handle, worker, book, log_fails, renewals().1, data);
    let id = shard.create().id;
    shard.log_fails.store(true, Ordering::SeqCst);
    let (held, since) = (shard.attack(id), std::time::Instant::now());
    let refused = held.blocking_recv().unwrap().unwrap_err();
    let took = since.elapsed();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::LogUnavailable, true));
    assert!(took < Duration::from_millis(limits::SHARD_ANSWER_MS), "after {took:?}");
    // What comes now is refused, and has no effect.
    let refused = shard.attack(id).blocking_recv().unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::LogUnavailable, false));
    shard.log_fails.store(false, Ordering::SeqCst);
    loop {
        match shard.read(id) {
            Ok(fight) => break assert_eq!(fight.actions, 1, "once, and not lost"),
            Err(refused) => assert_eq!(refused.reason, Reason::LogUnavailable),
        }
    }
    drop(shard.stop());
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_tried_again_and_told() {
    let (handle, mut worker, _clients, data) = at_rest(0);
    let folder = data.path().join("log/1");
    worker.log.journal().unwrap().most = 0;
    // Where the next segment is to be written there is something else.
    std::fs::create_dir_all(folder.join("0-2.new/x")).unwrap();
    let turn = |worker: &mut Worker| {
        worker.log.journal().unwrap().push(&Entry::CheckpointEnd);
        worker.turn(&mio::Events::with_capacity(1));
        let stats = handle.stats();
        (stats.checkpoint_failures, stats.checkpoint_overdue)
    };
    assert_eq!(turn(&mut worker), (1, 1));
    assert_eq!(turn(&mut worker), (1, 1), "not tried in every turn");
    worker.clock_skips.store(limits::CHECKPOINT_RETRY_MS, Ordering::SeqCst);
    assert_eq!(turn(&mut worker), (2, 1), "but tried again");
    std::fs::remove_dir_all(folder.join("0-2.new")).unwrap();
    worker.clock_skips.store(2 * limits::CHECKPOINT_RETRY_MS, Ordering::SeqCst);
    assert_eq!(turn(&mut worker), (2, 0));
    drop(handle);
}

#[test]
fn draining_while_the_log_cannot_be_written_ends_without_showing_anything() {
    let shard = Shard::start();
    let id = shard.create().id;
    shard.log_fails.store(true, Ordering::SeqCst);
    let held = shard.attack(id);
    shard.handle.drain();
    assert!(held.blocking_recv().is_err(), "the answer is dropped, not given");
    shard.thread.join().unwrap();
}

#[test]
fn what_was_done_last_is_marked_soon_without_anything_else_that_comes() {
    let (handle, mut worker, _clients, _data) = at_rest(0);
    let soon = Duration::from_millis(limits::MARK_MS);
    assert!(!worker.log.is_unmarked() && worker.sleep() > Some(soon), "there is nothing to do");
    worker.log.journal().unwrap().push(&Entry::CheckpointEnd);
    assert!(worker.commit());
    assert!(worker.log.is_unmarked() && worker.sleep() <= Some(soon));
    let (events, since) = (Events::with_capacity(1), Instant::now());
    while worker.log.is_unmarked() {
        assert!(since.elapsed() < Duration::from_secs(20), "it is not marked");
        worker.turn(&events);
    }
    assert!(worker.sleep() > Some(soon), "and then it sleeps on");
    drop(handle);
}
