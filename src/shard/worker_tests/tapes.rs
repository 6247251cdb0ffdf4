//! What is recorded of fights.

use std::sync::atomic::Ordering;

use tempfile::TempDir;
use tiltyard_combat::replay::Loss;
use uuid::Uuid;

use super::Shard;
use crate::book::WriteBehind;
use crate::limits;

#[test]
fn what_is_recorded_is_the_fight_in_memory_in_files_and_after_a_restart() {
    let shard = Shard::start();
    let (id, other) = (shard.create().id, shard.create().id);
    shard.attack_often(id, 20);
    assert_eq!(shard.fought_again(id), 20);
    shard.attack_often(id, 700);
    shard.attack_often(other, 5);
    assert!(shard.handle.stats().replay_bytes > 4_000, "most of it is in a file");
    assert_eq!((shard.fought_again(id), shard.fought_again(other)), (720, 5));
    let shard = Shard::start_on(shard.stop());
    shard.attack_often(id, 300);
    assert_eq!((shard.fought_again(id), shard.fought_again(other)), (1020, 5));
    drop(shard.stop());
}

#[test]
fn at_its_bound_a_tape_keeps_its_head_and_the_fight_goes_on() {
    let shard = Shard::start_with(TempDir::new().unwrap(), 2_000);
    let (id, other) = (shard.create().id, shard.create().id);
    shard.attack_often(other, 20);
    shard.attack_often(id, 600);
    let (actions, cut) = shard.verified(id);
    assert!((150..=600).contains(&actions), "what fits into 2,000 bytes: {actions}");
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::TooLong));
    assert_eq!(shard.read(id).unwrap().refused + shard.read(id).unwrap().actions, 600, "the fight goes on");
    let stats = shard.handle.stats();
    assert_eq!((stats.replays_too_long, stats.replays_disk), (1, 0), "counted once");
    assert_eq!(shard.verified(other), (20, None), "and the others are whole");

    // What was cut stays cut, also over a restart, and is the same head.
    let shard = Shard::start_with(shard.stop(), u64::MAX);
    shard.attack_often(id, 100);
    let (again, cut) = shard.verified(id);
    assert!(cut.is_none() || again == actions, "{again} {cut:?}");
    drop(shard.stop());
}

#[test]
fn what_is_recorded_of_a_players_fights_in_a_day_is_bounded_and_of_others_it_is_not() {
    let book = WriteBehind::recording(2_000);
    let shard = Shard::start_of(TempDir::new().unwrap(), book, limits::REPLAY_BYTES, |_| {});
    let (ann, bob, service) = (Uuid::from_u128(8), Uuid::from_u128(9), crate::auth::named("service:games"));
    let [first, second, bobs, services] = [ann, ann, bob, service].map(|creator| shard.create_of(creator, 2).id);
    shard.attack_often(first, 300);
    let (head, cut) = shard.verified(first);
    assert!((150..300).contains(&head), "what fits into 2,000 bytes: {head}");
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::Quota));
    shard.attack_often(second, 100);
    let (rest, cut) = shard.verified(second);
    assert!((10..50).contains(&rest), "what a session holds by itself: {rest}");
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::Quota));
    shard.attack_often(first, 100);
    assert_eq!(shard.verified(first).0, head, "what is cut stays cut");
    assert_eq!(shard.read(first).unwrap().refused + shard.read(first).unwrap().actions, 400, "the fight goes on");
    for id in [bobs, services] {
        shard.attack_often(id, 150);
        assert_eq!(shard.verified(id), (150, None), "nobody pays for another");
    }
    shard.attack_often(services, 300);
    assert_eq!(shard.verified(services), (450, None), "who runs the games has no such bound");
    let stats = shard.handle.stats();
    assert_eq!((stats.replays_quota, stats.replays_too_long), (2, 0), "counted once for each");
    drop(shard.stop());
}

#[test]
fn while_parts_cannot_be_written_they_are_held_and_nothing_is_lost() {
    let shard = Shard::start();
    let id = shard.create().id;
    shard.attack_often(id, 100);
    shard.chunks_fail.store(true, Ordering::SeqCst);
    shard.attack_often(id, 100);
    assert_eq!(shard.verified(id), (200, None));
    shard.chunks_fail.store(false, Ordering::SeqCst);
    shard.attack_often(id, 100);
    assert_eq!(shard.verified(id), (300, None));
    let stats = shard.handle.stats();
    assert!(stats.replay_failures > 0 && stats.replays_disk == 0, "{stats:?}");
    drop(shard.stop());
}

#[test]
fn a_fight_whose_inputs_cannot_be_kept_goes_on_with_the_head_of_its_replay() {
    let shard = Shard::start();
    let (id, other) = (shard.create().id, shard.create().id);
    shard.attack_often(id, 100);
    shard.chunks_fail.store(true, Ordering::SeqCst);
    shard.attack_often(id, 900);
    let (actions, cut) = shard.verified(id);
    assert!((400..1_000).contains(&actions), "all that there was room for: {actions}");
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::Disk));
    assert_eq!(shard.handle.stats().replays_disk, 1, "counted once");
    shard.chunks_fail.store(false, Ordering::SeqCst);
    shard.attack_often(other, 300);
    assert_eq!(shard.verified(other), (300, None), "the others are as they were");
    shard.attack_often(id, 10);
    assert_eq!(shard.verified(id), (actions, cut), "what is cut stays cut");
    assert!(shard.read(id).unwrap().actions > 0, "and the fight goes on");
    let shard = Shard::start_on(shard.stop());
    assert_eq!(shard.fought_again(id), 1_010, "the log still had them all");
    drop(shard.stop());
}

#[test]
fn a_damaged_part_costs_what_comes_behind_it() {
    let shard = Shard::start();
    let id = shard.create().id;
    shard.attack_often(id, 700);
    let folder = shard.data.path().join("replays");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (actions, cut) = shard.verified(id);
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::Damaged));
    assert!((200..600).contains(&actions), "the half before it: {actions}");
    drop(shard.stop());
}
