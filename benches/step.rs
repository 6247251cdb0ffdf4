//! Stage two: one attack through the engine, by the number of participants; and the log entry it makes.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use tiltyard::log::Append;
use tiltyard::shard::Entry;
use tiltyard_combat::{Action, BodyPart, Fight, Input, Rules, Ruleset, Step};

fn fight(players: u8) -> Fight {
    let rules = Rules { health: 1_000_000_000, attack_interval_ms: 0, actions_per_second: 0, ..Rules::default() };
    let ids: Vec<u128> = (1..=u128::from(players)).collect();
    let mut fight = Fight::plain(rules, players, &ids, 7);
    for slot in 0..players {
        fight.handle(&Ruleset::plain(), 1, Input::Ready { slot }, &mut Step::default()).expect("ready in preparation");
    }
    fight
}

fn step(c: &mut Criterion) {
    let ruleset = Ruleset::plain();
    let mut group = c.benchmark_group("step");
    for players in [2_u8, 4, 16, 100] {
        let mut fight = fight(players);
        let (mut step, mut id) = (Step::default(), 0_u64);
        group.bench_function(format!("attack, {players} participants"), |b| {
            b.iter(|| {
                id += 1;
                let slot = u8::try_from(id % u64::from(players)).expect("below the number of players");
                let action = Action::Attack { target: Some((slot + 1) % players), part: BodyPart::Torso };
                step.clear();
                black_box(fight.handle(&ruleset, 2, Input::Act { slot, id, action }, &mut step))
            });
        });
    }
    let mut payload = Vec::with_capacity(64);
    let input = Input::Act { slot: 1, id: 123_456, action: Action::Attack { target: Some(3), part: BodyPart::Torso } };
    group.bench_function("log entry", |b| {
        b.iter(|| {
            payload.clear();
            Entry::Input { no: 300, at: 1_000_000, input: black_box(input) }.append_to(&mut payload);
        });
    });
    group.finish();
}

criterion_group!(benches, step);
criterion_main!(benches);
