//! Sessions that panic, end, stand still, or are somebody else's.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::Events;
use tiltyard_combat::Rules;
use tiltyard_protocol::{Act, ActionKind, CloseCode, Reason};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::super::{Place, Worker};
use super::{Shard, at_rest, last_code, new_fight, place, read_until, text};
use crate::limits;
use crate::rules::Library;
use crate::session::{Expected, Viewer};
use crate::shard::recovery::recover;
use crate::shard::{Command, Control, InStore, RestAction, ShardHandle, renewals};

#[test]
fn a_panic_ends_its_session_and_no_other() {
    let shard = Shard::start();
    let (bad, good) = (shard.create().id, shard.create().id);
    shard.step_panics.store(true, Ordering::SeqCst);
    let refused = shard.attack(bad).blocking_recv().unwrap().unwrap_err();
    assert_eq!(refused.reason, Reason::Internal);
    assert_eq!(shard.read(bad).unwrap_err().reason, Reason::NoSession);
    let ended = shard.book.get(bad).unwrap();
    assert_eq!(ended.end_reason, Some(tiltyard_combat::EndReason::Failed));
    shard.attack(good).blocking_recv().unwrap().unwrap();
    assert_eq!((shard.handle.stats().panics, shard.handle.stats().replays_panic), (1, 1));
    assert_eq!(shard.book.replay_queue().waiting(), 1, "what it was up to then is kept");
    drop(shard.stop());
}

#[test]
fn a_fight_that_panics_or_is_forgotten_closes_its_connections_with_the_reason() {
    let shard = Shard::start();
    let (bad, over) = (shard.create().id, shard.create().id);
    let mut of_bad = shard.join(bad);
    shard.step_panics.store(true, Ordering::SeqCst);
    assert!(shard.attack(bad).blocking_recv().unwrap().is_err());
    assert_eq!(last_code(&mut of_bad), CloseCode::Internal.code());

    let mut of_over = shard.join(over);
    let control = Control::Terminate { force: true };
    let end =
        |reply| Command::Control { session: over, expected: Expected::default(), control, viewer: Viewer::All, reply };
    shard.ask(end).blocking_recv().unwrap().unwrap();
    let ended = shard.book.take(8);
    shard.book.committed(&ended);
    shard.keep_replays();
    // In two steps, with a sign of life between them: else it is closed for its silence.
    shard.skip(Duration::from_millis(limits::ENDED_LINGER_MS / 2));
    of_over.write_all(&text(r#"{"t":"ping","d":{"n":1}}"#)).unwrap();
    read_until(&mut of_over, r#""t":"pong""#);
    shard.skip(Duration::from_millis(limits::ENDED_LINGER_MS / 2));
    assert_eq!(last_code(&mut of_over), CloseCode::SessionEnded.code());
    drop((of_bad, of_over));
    drop(shard.stop());
}

#[test]
fn time_in_which_nobody_can_be_served_does_not_pass() {
    let mut clock = super::super::Clock::new();
    let (start, most) = (clock.now, limits::SLEEP_MS + limits::LATE_MS);
    clock.advance(start + 900);
    assert_eq!((clock.now, clock.stood), (start + 900, 0));
    // Stopped for a minute, twice.
    for stops in 1..=2 {
        let before = clock.now;
        clock.advance(clock.now + clock.stood + 65_000);
        assert_eq!((clock.now, clock.stood), (before + most, stops * (65_000 - most)));
        clock.advance(clock.now + clock.stood + 10);
        assert_eq!(clock.now, before + most + 10, "and then it goes on");
    }
}

/// What the store may say of a fight that is about to get this epoch.
fn in_store(id: Uuid, epoch: u64) -> InStore {
    InStore { epochs: [(id, epoch - 1)].into(), ..InStore::default() }
}

#[test]
fn entries_of_a_session_are_numbered_over_checkpoints_and_starts_and_every_start_raises_its_epoch() {
    let (handle, mut worker, _clients, data) = at_rest(0);
    let events = Events::with_capacity(1);
    let (reply, mut created) = oneshot::channel();
    let (fight, shares) = (Box::new(new_fight(&Rules::default(), Uuid::nil(), 2)), Vec::new());
    handle.send(Command::Create { fight, shares, viewer: Viewer::All, reply }).unwrap();
    worker.turn(&events);
    let id = created.try_recv().unwrap().unwrap().id;
    let key_of = |worker: &Worker| worker.sessions[worker.index[&id]].key();
    let attack = |handle: &ShardHandle, worker: &mut Worker| {
        let action =
            RestAction { act: Act::new(0, 0, ActionKind::Defend), target: None, expected: Expected::default() };
        let (reply, mut answer) = oneshot::channel();
        let act = Command::Act { session: id, player: Uuid::from_u128(1), action, viewer: Viewer::All, reply };
        handle.send(act).unwrap();
        worker.turn(&events);
        answer.try_recv().unwrap().unwrap();
    };
    let first = key_of(&worker);
    attack(&handle, &mut worker);
    assert!((first.epoch, key_of(&worker).epoch) == (1, 1) && key_of(&worker).number > first.number);
    for epoch in [2, 3, 8] {
        // One from the entries, one from a checkpoint.
        let before = key_of(&worker);
        drop(worker);
        let library = Arc::new(Library::built_in());
        let mut recovered = recover(data.path(), 1, false, false, &library).unwrap();
        let (journal, records) = recovered.shards.remove(0);
        assert_eq!((records[0].epoch, records[0].number), (before.epoch, before.number));
        let standing = Arc::new(in_store(id, epoch));
        let place = Place { standing, ..place(0, &recovered, &library, renewals().0) };
        worker = Worker::new(place, journal, records, Arc::default()).unwrap().1;
        assert_eq!((key_of(&worker).epoch, key_of(&worker).number), (epoch, before.number + 1), "the claim");
        worker.log.journal().unwrap().most = 0;
        worker.turn(&events);
    }
}

#[test]
fn a_session_that_the_store_has_under_a_higher_epoch_is_dropped_for_good() {
    let shard = Shard::start();
    let (taken, other) = (shard.create().id, shard.create().id);
    let (mut of_taken, mut of_other) = (shard.join(taken), shard.join(other));
    shard.handle.send(Command::Fence(taken)).unwrap();
    shard.handle.send(Command::Fence(Uuid::nil())).unwrap();
    assert_eq!(last_code(&mut of_taken), CloseCode::Restart.code());
    assert_eq!(shard.read(taken).unwrap_err().reason, Reason::NoSession);
    of_other.write_all(&text(r#"{"t":"ping","d":{"n":1}}"#)).unwrap();
    read_until(&mut of_other, r#""t":"pong""#);
    assert_eq!(shard.handle.stats().fenced, 1);
    drop((of_taken, of_other));
    let shard = Shard::start_on(shard.stop());
    assert_eq!(shard.read(taken).unwrap_err().reason, Reason::NoSession);
    assert!(shard.read(other).is_ok());
    drop(shard.stop());
}
