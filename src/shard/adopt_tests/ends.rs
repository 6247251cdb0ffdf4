//! Where it is broken off, fenced, forgotten or ended.

use std::sync::Arc;
use std::time::Instant;

use tiltyard_combat::Input;
use tiltyard_protocol::{CloseCode, Reason};
use uuid::Uuid;

use super::super::close_code;
use super::super::held::PATIENCE;
use super::{HELD_MS, Two, attack_of, is_open};
use crate::limits;
use crate::rules::Library;
use crate::session::{Expected, Viewer};
use crate::shard::{Command, Control};

#[test]
fn wherever_it_is_broken_off_a_start_goes_on_with_all_that_was_acknowledged() {
    // How far it gets, and which epoch the start finds.
    for (stop, epoch) in [("offered", 1), ("kept", 2), ("taken", 2), ("left", 2), ("withdrawn", 3), ("back", 3)] {
        let mut two = Two::start();
        let (id, home) = two.create();
        let away = 1 - home;
        let mut client = two.join(home, id, None);
        let mut actions = 0;
        let mut act = |two: &mut Two| {
            actions += 1;
            client.say(&attack_of(id, actions));
            two.until("an ack", |_| client.count("ack") as u64 == actions);
        };
        act(&mut two);
        let mut handed_over = two.begin(home, id, away);
        two.turn(home);
        match stop {
            "offered" => {}
            "kept" => two.turn(away),
            "withdrawn" => {
                // The other's log has it, and does not know yet that it is not its own.
                two.turn(away);
                two.skip(home, HELD_MS);
                two.turn(home);
                assert!(handed_over.try_recv().unwrap().is_err());
                act_at(&mut two, home, id);
                actions += 1;
            }
            _ => {
                two.turn(away);
                two.turn(away);
                if stop != "taken" {
                    two.answer("a hand-over", &mut handed_over).unwrap();
                    act(&mut two);
                }
                if stop == "back" {
                    two.hand_over(away, id, home).unwrap();
                    act(&mut two);
                }
            }
        }
        let two = Two::start_on(two.crash());
        let there: Vec<usize> = (0..2).filter(|&shard| two.session(shard, id).is_some()).collect();
        assert_eq!(there, [home], "{stop}: at home, and nowhere else");
        let record = two.record(home, id);
        // The start has raised it once more.
        assert_eq!(record.epoch, epoch + 1, "{stop}");
        assert_eq!(record.fight.totals().actions, actions, "{stop}: nothing is lost, nothing twice");
        let replay = two.session(home, id).unwrap().recording();
        let ruleset = Library::built_in().by_hash(&replay.hash).unwrap();
        let replay = replay.assemble(|| Some(Arc::clone(&ruleset))).unwrap();
        let mut played = 0;
        replay.play(ruleset, |one| played += u64::from(matches!(one.input, Input::Act { .. }))).unwrap();
        assert_eq!(played, actions, "{stop}: and its replay has all");
    }
}

/// An attack that is answered, with turns of that shard alone.
fn act_at(two: &mut Two, shard: usize, session: Uuid) {
    let mut answer = two.attack(shard, session);
    let since = Instant::now();
    while is_open(&mut answer) {
        assert!(since.elapsed() < PATIENCE);
        two.turn(shard);
    }
}

#[test]
fn a_fenced_session_is_nobodys_whether_it_is_on_its_way_or_has_gone() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    let mut client = two.join(home, id, None);
    client.news();
    stores[away].be_late();
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    let mut attack = two.attack(home, id);
    two.turn(home);
    two.handles[home].send(Command::Fence(id)).unwrap();
    two.turn(home);
    two.turn(home);
    assert_eq!(handed_over.try_recv().unwrap().unwrap_err().reason, Reason::Fenced);
    assert_eq!(attack.try_recv().unwrap().unwrap_err().reason, Reason::Fenced);
    assert_eq!(close_code(&mut client.stream), CloseCode::Restart.code());
    stores[away].be_prompt();
    two.until("nobody has it", |two| (0..2).all(|shard| two.session(shard, id).is_none()));

    let (id, home) = two.create();
    two.hand_over(home, id, 1 - home).unwrap();
    two.handles[home].send(Command::Fence(id)).unwrap();
    two.until("that it is dropped", |two| two.session(1 - home, id).is_none());
    assert!(two.workers[0].peers.moved().is_empty(), "and nobody looks for it there");
}

#[test]
fn a_log_that_may_lose_its_end_forgets_it_when_the_others_is_on_the_disk() {
    let mut two = Two::start();
    let (id, home) = two.create();
    two.hand_over(home, id, 1 - home).unwrap();
    assert_eq!(two.workers[home].handed_over.len(), 1);
    two.skip(home, limits::HANDED_OVER_MS + limits::TIDY_MS);
    two.turn(home);
    two.skip(home, limits::TIDY_MS);
    two.turn(home);
    assert!(two.workers[home].handed_over.is_empty());
    // A segment that is begun has nothing of it to forget.
    two.hand_over(1 - home, id, home).unwrap();
    let worker = &mut two.workers[1 - home];
    worker.log.journal().unwrap().most = 0;
    two.attack(1 - home, id);
    two.until("a segment", |two| two.workers[1 - home].handed_over.is_empty());
    two.skip(1 - home, limits::HANDED_OVER_MS + limits::TIDY_MS);
    two.turn(1 - home);
    let two = Two::start_on(two.crash());
    assert!(two.session(home, id).is_some());
}

#[test]
fn an_ended_session_is_looked_for_nowhere() {
    let mut two = Two::start();
    let (id, home) = two.create();
    let away = 1 - home;
    two.hand_over(home, id, away).unwrap();
    let (expected, control) = (Expected::default(), Control::Terminate { force: true });
    let mut ended =
        two.ask(home, |reply| Command::Control { session: id, expected, control, viewer: Viewer::All, reply });
    two.answer("an end", &mut ended).unwrap();
    assert!(two.has_room(), "its owner pays no more");
    let fights = two.book.take(10);
    two.book.committed(&fights);
    assert!(!two.workers[0].peers.moved().is_empty(), "it shows its result there");
    two.keep_replay(id);
    let key = two.workers[away].index[&id];
    two.workers[away].forget(key);
    two.turn(away);
    assert!(two.workers[0].peers.moved().is_empty());
    assert_eq!(two.read(home, id).unwrap_err().reason, Reason::NoSession);
}
