//! Log before show where turns wait for the disk, which is slow, or refuses.

use std::sync::Arc;

use mio::Events;
use tiltyard_protocol::Reason;

use super::super::super::WAKER;
use super::{ByHand, PATIENCE, attack_of, count, is_open};
use crate::log::Log;
use crate::log::disk::calls::{Call, Watch};
use crate::session::Viewer;
use crate::shard::Command;

/// A shard whose turns wait for a disk that the test has in its hand.
fn on_disk() -> (ByHand, Watch) {
    let shard = ByHand::start_with(Arc::default(), true, Log::from);
    let watch = Watch::over(&shard.data.path().join("log/1"));
    (shard, watch)
}

/// Takes turns until all are shown.
fn shown(shard: &mut ByHand) {
    shard.until("what is held", |shard| shard.worker.held.is_empty());
}

#[test]
fn while_the_disk_is_slow_the_loop_goes_on_and_nothing_is_shown_before_it_has_it() {
    let (mut shard, watch) = on_disk();
    let id = shard.create();
    shown(&mut shard);
    let mut client = shard.join(&[id]);
    shown(&mut shard);
    client.news();
    watch.hold_turns(true);
    let (actions, begun) = (shard.worker.stats.actions, watch.turns());
    let mut over_rest = shard.attack(id);
    shard.until("an action", |shard| shard.worker.stats.actions > actions);
    // Others meanwhile, each in a turn of its own.
    for more in 2..5 {
        client.say(&attack_of(id, more));
        shard.until("another", |shard| shard.worker.stats.actions >= actions + more);
    }
    let mut read = shard.ask(|reply| Command::Read(id, Viewer::All, reply));
    for _ in 0..3 {
        shard.turn();
    }
    assert!(shard.worker.held.len() >= 4 && shard.handle.stats().stalled == 0);
    assert_eq!((is_open(&mut over_rest), is_open(&mut read), client.news()), (true, true, String::new()));
    shard.until("the thread", |_| watch.turns() > begun);
    assert_eq!(watch.turns(), begun + 1, "one wait at a time");
    // The disk has the first: the shard is woken by that, and the others wait together.
    watch.hold_turns(false);
    let mut events = Events::with_capacity(64);
    shard.worker.poll.poll(&mut events, Some(PATIENCE)).unwrap();
    assert!(events.iter().any(|event| event.token() == WAKER), "it is woken");
    shard.worker.turn(&events);
    shown(&mut shard);
    assert!(
        watch.turns() - begun < 5,
        "five turns and more, with fewer waits: those that came meanwhile wait together"
    );
    assert!(over_rest.try_recv().unwrap().is_ok());
    assert!(read.try_recv().unwrap().is_ok());
    shard.turn();
    assert_eq!(count(&client.news(), "ack"), 3);
}

#[test]
fn a_disk_that_refuses_is_told_of_and_a_turn_is_shown_once_it_is_written_again() {
    let (mut shard, watch) = on_disk();
    let id = shard.create();
    shown(&mut shard);
    watch.fail(Call::Turn, "0-1.journal");
    let mut answer = shard.attack(id);
    let (handle, actions) = (shard.handle.clone(), shard.worker.stats.actions);
    let is_shown = |shard: &mut ByHand| shard.worker.stats.actions > actions && shard.worker.held.is_empty();
    std::thread::scope(|scope| {
        let served = scope.spawn(|| shard.until("an action", is_shown));
        let since = std::time::Instant::now();
        while handle.stats().log_failures < 3 {
            assert!(since.elapsed() < PATIENCE, "it does not try");
            std::thread::yield_now();
        }
        assert!(is_open(&mut answer) && handle.stats().stalled == 1);
        let (reply, read) = tokio::sync::oneshot::channel();
        handle.send(Command::Read(id, Viewer::All, reply)).unwrap();
        assert_eq!(read.blocking_recv().unwrap().unwrap_err().reason, Reason::LogUnavailable);
        watch.mend();
        served.join().unwrap();
    });
    assert!(answer.try_recv().unwrap().is_ok());
    assert_eq!(shard.handle.stats().stalled, 0);
}

#[test]
fn a_stop_waits_for_the_disk() {
    let (mut shard, watch) = on_disk();
    let id = shard.create();
    shown(&mut shard);
    watch.hold_turns(true);
    let mut answer = shard.attack(id);
    let actions = shard.worker.stats.actions;
    shard.until("an action", |shard| shard.worker.stats.actions > actions);
    shard.handle.send(Command::Drain).unwrap();
    for _ in 0..3 {
        shard.turn();
    }
    assert!(is_open(&mut answer) && !shard.worker.is_drained(), "its turns are not on the disk");
    watch.hold_turns(false);
    shown(&mut shard);
    assert!(answer.try_recv().unwrap().is_ok());
    assert!(shard.worker.is_drained());
    shard.worker.run();
}
