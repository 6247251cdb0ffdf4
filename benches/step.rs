//! Stage two: one attack through the engine, by the number of participants, also with effects at work on all of them; and the log
//! entry it makes.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use tiltyard::log::Append;
use tiltyard::shard::Entry;
use tiltyard_combat::{Action, BodyPart, Fight, Input, Mode, Rules, Ruleset, Setup, Step, load};

fn fight(players: u8) -> Fight {
    let rules = Rules { health: 1_000_000_000, attack_interval_ms: 0, actions_per_second: 0, ..Rules::default() };
    let ids: Vec<u128> = (1..=u128::from(players)).collect();
    let mut fight = Fight::plain(rules, players, &ids, 7);
    for slot in 0..players {
        fight.handle(&Ruleset::plain(), 1, Input::Ready { slot }, &mut Step::default()).expect("ready in preparation");
    }
    fight
}

/// Three effects at work on everybody, for as long as it is fought.
const EFFECTS: &str = r#"
name = "effects"
title = "Everybody is hurt and healed all the time"
players = ["ill"]
[settings]
health = 1_000_000_000
attack_interval_ms = 0
actions_per_second = 0
afk_ms = 0
max_duration_ms = 86_400_000
[modes.pvp]
[passives.ill]
gains = ["rot", "sore", "mend"]
[effects.rot]
tick_ms = 500
tick_damage = 1
[effects.sore]
tick_ms = 700
tick_damage = 2
[effects.mend]
tick_ms = 900
tick_heal = 1
"#;

/// Inputs in a millisecond, where the clock goes on.
const PER_MS: u64 = 20;

fn with_effects(c: &mut Criterion) {
    let ruleset = Arc::new(load::load(EFFECTS).expect("a ruleset"));
    let mut group = c.benchmark_group("step with effects");
    for players in [4_u8, 16, 100] {
        let rules = ruleset.rules.clone();
        let participants = (1..=u128::from(players)).collect();
        let setup = Setup { mode: Mode::Pvp, rules, seats: players, participants, teams: Vec::new(), seed: 7 };
        let (mut fight, mut step, mut id) = (Fight::new(&ruleset, setup), Step::default(), 0_u64);
        for slot in 0..players {
            step.clear();
            fight.handle(&ruleset, 1, Input::Ready { slot }, &mut step).expect("ready in preparation");
        }
        group.bench_function(format!("attack, {players} participants"), |b| {
            b.iter(|| {
                id += 1;
                let slot = u8::try_from(id % u64::from(players)).expect("below the number of players");
                let action = Action::Attack { target: Some((slot + 1) % players), part: BodyPart::Torso };
                step.clear();
                black_box(fight.handle(&ruleset, 2 + id / PER_MS, Input::Act { slot, id, action }, &mut step))
            });
        });
    }
    group.finish();
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

criterion_group!(benches, step, with_effects);
criterion_main!(benches);
