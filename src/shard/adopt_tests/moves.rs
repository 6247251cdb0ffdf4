//! A session goes, or does not.

use std::time::{Duration, Instant};

use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::{HELD_MS, Two, attack_of, is_open};
use crate::limits;
use crate::session::{Expected, Viewer};
use crate::shard::{Command, Control, SessionRecord};

#[test]
fn a_session_goes_on_at_another_shard_as_it_was_under_a_higher_epoch() {
    let mut two = Two::start();
    let (id, home) = two.create();
    let away = 1 - home;
    for _ in 0..50 {
        let mut answer = two.attack(home, id);
        two.answer("an attack", &mut answer).unwrap();
    }
    let before = two.record(home, id);
    assert!(!two.has_room(), "its owner pays for it");
    two.hand_over(home, id, away).unwrap();
    assert!(two.session(home, id).is_none(), "it is there no more");
    let after = two.record(away, id);
    assert_eq!(after.epoch, before.epoch + 1);
    assert_eq!(SessionRecord { epoch: before.epoch, number: before.number, ..after.clone() }, before);
    assert!(!two.has_room(), "and pays once");
    let stats = two.workers.each_ref().map(|worker| worker.stats.live_sessions);
    assert_eq!((stats[home], stats[away]), (0, 1));

    // Who asks where it was is answered from where it is.
    let applied = two.attack(home, id);
    let mut applied = applied;
    assert_eq!(two.answer("an attack", &mut applied).unwrap().fight.actions, 51);
    assert_eq!(two.read(home, id).unwrap().actions, 51);
    two.hand_over(home, id, away).unwrap();
    assert_eq!(two.record(away, id).epoch, before.epoch + 1, "it is there already");
    two.hand_over(home, id, home).unwrap();
    assert_eq!(two.record(home, id).epoch, before.epoch + 2);
    assert!(two.workers[0].peers.moved().is_empty(), "at home again");
    assert_eq!(two.read(away, id).unwrap().actions, 51, "who has asked before is answered, too");
    assert_eq!(two.read(away, Uuid::nil()).unwrap_err().reason, Reason::NoSession);
}

#[test]
fn its_time_goes_on_meanwhile() {
    let mut two = Two::start();
    let (id, home) = two.create();
    // Their clocks have nothing to do with each other.
    two.skip(1 - home, 1_000_000);
    two.turn(1 - home);
    let before = Instant::now();
    let time = |two: &Two, shard: usize| two.session(shard, id).unwrap().host_time(two.workers[shard].clock.now);
    two.turn(home);
    let (at, mut answer) = (time(&two, home), two.begin(home, id, 1 - home));
    two.turn(home);
    std::thread::sleep(Duration::from_millis(20));
    two.answer("a hand-over", &mut answer).unwrap();
    two.turn(1 - home);
    let passed = time(&two, 1 - home) - at;
    let most = u64::try_from(before.elapsed().as_millis()).unwrap() + 2;
    assert!((18..=most).contains(&passed), "{passed} of {most}");
}

#[test]
fn what_comes_meanwhile_waits_and_is_done_after_it_in_its_order() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    stores[away].be_late();
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    let mut attacks: Vec<_> = (0..limits::HAND_OVER_WAITING - 1).map(|_| two.attack(home, id)).collect();
    let mut read = two.ask(home, |reply| Command::Read(id, Viewer::All, reply));
    let mut too_many = two.attack(home, id);
    // The fight's own time does not change it either.
    let inputs = two.workers[home].stats.inputs;
    for _ in 0..3 {
        two.turn(home);
        two.turn(away);
    }
    assert!(attacks.iter_mut().all(is_open) && is_open(&mut read) && is_open(&mut handed_over));
    assert_eq!(two.workers[home].stats.inputs, inputs);
    let refused = too_many.try_recv().unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::Overloaded, false));
    assert_eq!(two.session(away, id).map(|session| session.frozen), Some(true), "it is not sure yet");

    stores[away].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    let told: Vec<u64> =
        attacks.iter_mut().map(|attack| two.answer("an attack", attack).unwrap().fight.actions).collect();
    assert!(told.is_sorted() && told.last() == Some(&(limits::HAND_OVER_WAITING as u64 - 1)), "{told:?}");
    assert_eq!(two.answer("a read", &mut read).unwrap().actions, told[told.len() - 1]);
}

#[test]
fn what_the_log_has_not_kept_does_not_leave() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    stores[home].be_late();
    let mut attack = two.attack(home, id);
    two.turn(home);
    let mut handed_over = two.begin(home, id, away);
    for _ in 0..3 {
        two.turn(home);
        two.turn(away);
    }
    assert!(is_open(&mut attack) && two.session(away, id).is_none(), "it waits for its log");
    // And not for ever.
    two.skip(home, HELD_MS);
    two.turn(home);
    assert_eq!(handed_over.try_recv().unwrap().unwrap_err().reason, Reason::Overloaded);
    assert_eq!(two.record(home, id).epoch, 1, "nobody has seen it");
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    stores[home].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    assert_eq!(attack.try_recv().unwrap().unwrap().fight.actions, 1);
    assert_eq!(two.read(away, id).unwrap().actions, 1, "what was acknowledged went with it");
}

#[test]
fn who_has_not_kept_it_in_time_does_not_get_it() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    let mut client = two.join(home, id, None);
    stores[away].be_late();
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    let mut attack = two.attack(home, id);
    client.say(&attack_of(id, 1));
    two.skip(home, HELD_MS);
    two.turn(home);
    let refused = handed_over.try_recv().unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::Overloaded, false), "it is known whose it is");
    assert!(two.answer("an attack", &mut attack).unwrap().damage > 0, "it goes on here, with what has waited");
    two.until("an ack", |_| client.count("ack") == 1);
    assert_eq!(two.record(home, id).epoch, 3, "above what the other's log may have");
    assert!(!two.has_room());
    // Now it hears of it.
    stores[away].be_prompt();
    two.until("that it is dropped", |two| two.session(away, id).is_none());
    assert_eq!(two.read(home, id).unwrap().actions, 2);
    assert!(!two.has_room() && two.workers[0].peers.moved().is_empty());
    assert_eq!(two.workers[home].stats.hand_overs_failed, 1);
    two.hand_over(home, id, away).unwrap();
    assert_eq!((two.record(away, id).epoch, two.read(home, id).unwrap().actions), (4, 2), "another try");
}

#[test]
fn a_shard_that_does_not_take_it_changes_nothing() {
    let mut two = Two::start();
    let (id, home) = two.create();
    let away = 1 - home;
    let mut client = two.join(home, id, None);
    two.workers[away].draining = true;
    assert_eq!(two.hand_over(home, id, away).unwrap_err().reason, Reason::Draining);
    assert_eq!(two.record(home, id).epoch, 1);
    client.say(&attack_of(id, 1));
    two.until("an ack", |_| client.count("ack") == 1);
    two.workers[away].draining = false;
    assert_eq!(two.hand_over(home, id, 2).unwrap_err().reason, Reason::BadRequest, "no shard");
    assert_eq!(two.hand_over(home, Uuid::nil(), away).unwrap_err().reason, Reason::NoSession);
    // Nor one whose inbox is full.
    while two.handles[away].send(Command::Revoke(Uuid::nil())).is_ok() {}
    let mut answer = two.begin(home, id, away);
    two.turn(home);
    assert!(two.workers[home].sleep().is_some_and(|sleep| sleep.is_zero()), "it does not wait for anything");
    two.turn(home);
    assert_eq!(answer.try_recv().unwrap().unwrap_err().reason, Reason::Overloaded);
    client.say(&attack_of(id, 2));
    two.until("an ack", |_| client.count("ack") == 2);
    let (expected, control) = (Expected::default(), Control::Terminate { force: true });
    let mut ended =
        two.ask(home, |reply| Command::Control { session: id, expected, control, viewer: Viewer::All, reply });
    two.answer("an end", &mut ended).unwrap();
    for shard in [home, away] {
        assert_eq!(two.hand_over(home, id, shard).unwrap_err().reason, Reason::SessionEnded);
    }
}

#[test]
fn nothing_that_happens_meanwhile_changes_it_before_it_is_known_whose_it_is() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create_that_begins_after(500);
    let away = 1 - home;
    let sid = Uuid::now_v7();
    let _client = two.join(home, id, Some(sid));
    stores[home].be_late();
    let mut attack = two.attack(home, id);
    two.turn(home);
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    // Its time comes, and its connection is closed.
    let before = two.record(home, id).fight;
    two.handles[home].send(Command::Revoke(sid)).unwrap();
    two.skip(home, 700);
    two.until("that it is closed", |two| two.workers[home].connections.values().all(|of| of.joins.is_empty()));
    two.turn(home);
    assert_eq!(two.record(home, id).fight, before);
    stores[away].be_late();
    stores[home].be_prompt();
    two.until("that it is offered", |two| two.session(away, id).is_some());
    two.skip(away, 700);
    for _ in 0..3 {
        two.turn(away);
    }
    assert_eq!(two.record(away, id).fight, before);
    stores[away].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    assert!(attack.try_recv().unwrap().is_err(), "before it has begun");
    two.until("that it has begun", |two| two.session(away, id).unwrap().fight.lifecycle().is_fighting());
    assert!(!two.session(away, id).unwrap().fight.participants()[0].is_connected());
}
