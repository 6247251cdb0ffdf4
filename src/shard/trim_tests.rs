//! A shard that goes on in another segment of its log: a part of the checkpoint in every turn, and a start from wherever that is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use mio::Events;
use tempfile::TempDir;
use tiltyard_combat::{Action, BodyPart, Input, Rules, Ruleset};
use uuid::Uuid;

use super::{Worker, at_rest};
use crate::limits;
use crate::rules::Library;
use crate::session::Viewer;
use crate::shard::NewFight;
use crate::shard::recovery::{Found, recover};
use tiltyard_combat::Mode;

/// Fights enough for many parts.
const FIGHTS: usize = 1_000;

/// A shard with fights that have begun, and whose segment counts as long.
fn shard() -> (Worker, TempDir) {
    let (_, mut worker, _, data) = at_rest(0);
    for _ in 0..FIGHTS {
        create(&mut worker);
    }
    turn(&mut worker, |_| ());
    assert!(worker.checkpoint.is_none() && !worker.is_trimming());
    worker.log.journal().unwrap().most = 0;
    (worker, data)
}

static RULESET: LazyLock<Arc<Ruleset>> = LazyLock::new(|| Arc::clone(Library::built_in().by_name("default").unwrap()));

fn create(worker: &mut Worker) {
    let asked = NewFight {
        id: Uuid::now_v7(),
        mode: Mode::Pvp,
        creator: Uuid::nil(),
        participants: vec![Uuid::from_u128(1), Uuid::from_u128(2)],
        seats: 2,
        ruleset: Arc::clone(&RULESET),
        rules: Rules { preparation_ms: 0, actions_per_second: 0, ..Rules::default() },
        teams: Vec::new(),
        settings: String::new(),
        metadata: String::new(),
    };
    worker.create(asked, Vec::new(), Viewer::All).unwrap();
}

/// A turn in which some fights go on, and `also` happens.
fn turn(worker: &mut Worker, also: impl FnOnce(&mut Worker)) {
    let keys: Vec<_> = worker.sessions.keys().step_by(50).collect();
    for key in keys {
        let attack = Action::Attack { target: Some(1), part: BodyPart::Torso };
        let inputs =
            [Input::Ready { slot: 0 }, Input::Ready { slot: 1 }, Input::Act { slot: 0, id: 0, action: attack }];
        for input in inputs {
            let _ = worker.apply(key, input, None);
        }
    }
    also(worker);
    worker.turn(&Events::with_capacity(1));
}

/// The fights, each with its state's digest.
fn stand(worker: &Worker) -> BTreeMap<Uuid, u64> {
    worker.sessions.values().map(|session| (session.id, session.fight.state_digest(&session.ruleset))).collect()
}

/// What a start makes of what there is in the data folder of a shard that was killed now.
fn started(data: &Path) -> (BTreeMap<Uuid, u64>, Found) {
    let copy = TempDir::new().unwrap();
    fs::create_dir_all(copy.path().join("log/1")).unwrap();
    for name in ["in-use", "marks"] {
        fs::copy(data.join("log").join(name), copy.path().join("log").join(name)).unwrap();
    }
    for file in fs::read_dir(data.join("log/1")).unwrap() {
        let path = file.unwrap().path();
        fs::copy(&path, copy.path().join("log/1").join(path.file_name().unwrap())).unwrap();
    }
    let recovered = recover(copy.path(), 1, false, false, &Library::built_in()).unwrap();
    let records = recovered.shards.iter().flat_map(|(_, records)| records);
    (
        records
            .map(|record| {
                (record.id, record.fight.state_digest(&Library::built_in().by_hash(&record.ruleset).unwrap()))
            })
            .collect(),
        recovered.found,
    )
}

#[test]
fn a_checkpoint_is_written_a_part_in_every_turn_and_a_start_finds_all_at_any_of_them() {
    let (mut worker, data) = shard();
    let segments = || fs::read_dir(data.path().join("log/1")).unwrap().count();
    let (mut turns, mut forgotten) = (0, 0);
    let before = worker.stats.log_bytes;
    loop {
        let written = worker.stats.log_bytes;
        turn(&mut worker, |worker| {
            create(worker);
            // Some end before their snapshot is written, others after it.
            let key = worker.sessions.keys().nth(3).unwrap();
            worker.log.journal().unwrap().push(&crate::shard::Entry::Forget { no: worker.sessions[key].no });
            let session = worker.sessions.remove(key).unwrap();
            worker.index.remove(&session.id);
            forgotten += 1;
        });
        turns += 1;
        let bytes = usize::try_from(worker.stats.log_bytes - written).unwrap();
        // A snapshot more than fits, and the inputs of the turn.
        assert!(bytes < limits::CHECKPOINT_PART_BYTES + 64 * 1024, "{bytes} bytes in one turn");
        if worker.checkpoint.is_none() {
            break;
        }
        if turns % 3 == 1 {
            let (found, told) = started(data.path());
            assert!(found == stand(&worker), "in turn {turns}");
            assert_eq!((told.torn_bytes, told.missing_bytes, told.lost_frames, told.failed), (0, 0, 0, 0));
        }
        assert!(worker.is_trimming() && worker.sleep().is_some_and(|sleep| sleep.is_zero()));
        assert_eq!(segments(), 2, "the segment before is needed");
    }
    let least = usize::try_from(worker.stats.log_bytes - before).unwrap() / limits::CHECKPOINT_PART_BYTES;
    assert!(turns > 2 && turns >= least, "{turns} turns");
    assert_eq!(worker.sessions.len(), FIGHTS + turns - forgotten);
    while segments() > 1 {
        std::thread::yield_now();
    }
    assert!(started(data.path()).0 == stand(&worker), "when it is done");
}

/// Also tells how long turns take in which a checkpoint is written; of many fights, in the optimised build:
/// `FIGHTS=20000 cargo test --release -p tiltyard --lib -- --nocapture ten_checkpoints`.
#[test]
fn ten_checkpoints_follow_one_another_beside_fights_that_go_on() {
    let (_, mut worker, _, data) = at_rest(0);
    let fights = std::env::var("FIGHTS").map_or(300, |fights| fights.parse().unwrap());
    for _ in 0..fights {
        create(&mut worker);
    }
    worker.log.journal().unwrap().most = limits::SEGMENT_BYTES;
    turn(&mut worker, |_| ());
    print("without a checkpoint", (0..2_000).map(|_| timed(&mut worker)).collect());
    for (what, part) in
        [("of ten checkpoints, each in one turn", (u128::MAX, usize::MAX)), ("of ten checkpoints", worker.part)]
    {
        worker.part = part;
        let mut turns = Vec::new();
        for _ in 0..10 {
            worker.log.journal().unwrap().most = 0;
            turns.push(timed(&mut worker));
            while worker.checkpoint.is_some() {
                turns.push(timed(&mut worker));
            }
            worker.log.journal().unwrap().most = limits::SEGMENT_BYTES;
            while fs::read_dir(data.path().join("log/1")).unwrap().count() > 1 {
                timed(&mut worker);
            }
        }
        print(what, turns);
        let (found, told) = started(data.path());
        assert!(found == stand(&worker), "{what}");
        assert_eq!((told.torn_bytes, told.missing_bytes, told.lost_frames, told.failed), (0, 0, 0, 0));
    }
}

fn print(what: &str, mut turns: Vec<u128>) {
    turns.sort_unstable();
    let (count, longest) = (turns.len(), turns[turns.len() - 1]);
    println!("{count} turns {what}: p50 {} us, longest {longest} us", turns[count / 2]);
}

/// The microseconds of a turn in which one of a hundred fights goes on.
fn timed(worker: &mut Worker) -> u128 {
    let keys: Vec<_> = worker.sessions.keys().step_by(100).collect();
    let began = std::time::Instant::now();
    for key in keys {
        let _ = worker.apply(key, Input::Ready { slot: 0 }, None);
    }
    worker.turn(&Events::with_capacity(1));
    began.elapsed().as_micros()
}
