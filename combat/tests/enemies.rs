//! The server's enemies: waves of them, what they decide, and how they find their way.

mod hosted;
mod scripts;
mod watched;

use std::collections::BTreeSet;
use std::sync::Arc;

use hosted::Hosted;
use proptest::collection::vec;
use proptest::prelude::*;
use scripts::check_in;
use tiltyard_combat::ruleset::{
    Ability, Affects, Aim, Cover, CoverKind, Effect, Enemy, EnemyPhase, Environment, Modifiers, Move, Op, Rank, Shape,
    Spot, Wave,
};
use tiltyard_combat::{
    Action, BodyPart, EndReason, Event, Input, Millis, Mode, Participant, ParticipantStatus, PlayerId, Point, Ruleset,
    Setup, Slot, Step,
};
use watched::{Watched, view};

/// An arena of twenty by ten metres: players begin two metres from its left edge, enemies come twelve metres from them.
fn arena(change: impl FnOnce(&mut Ruleset)) -> Arc<Ruleset> {
    let mut ruleset = (*Ruleset::plain()).clone();
    ruleset.environment = Environment {
        name: "hall".to_owned(),
        width_cm: 2_000,
        height_cm: 1_000,
        spawns: vec![Spot { team: 0, at: Point::new(200, 500) }],
        lairs: vec![Point::new(1_400, 500)],
        ..Environment::default()
    };
    ruleset.rules.preparation_ms = 0;
    ruleset.rules.health = 100;
    ruleset.rules.armor = 0;
    (ruleset.rules.afk_ms, ruleset.rules.regular_ms) = (0, 0);
    change(&mut ruleset);
    Arc::new(ruleset)
}

/// It stands there, and one attack of a script is its end.
fn dummy(health: u32) -> Enemy {
    let phase = EnemyPhase { name: "standing".to_owned(), from_percent: 100, ..EnemyPhase::default() };
    let (name, phases) = ("dummy".to_owned(), vec![phase]);
    Enemy {
        name,
        health,
        score: 10,
        think_ms: 500,
        attack_range_cm: 300,
        attack_interval_ms: 1_000,
        phases,
        ..Enemy::default()
    }
}

/// It runs up to the players and hits them.
fn runner(speed_cm_per_s: u32, keep_cm: u32) -> Enemy {
    let mut runner = Enemy { speed_cm_per_s, damage_min: 10, damage_max: 10, think_ms: 250, ..dummy(50) };
    runner.phases[0].keep_cm = keep_cm;
    runner.phases[0].moves = vec![attack(Aim::Nearest)];
    runner
}

fn attack(aim: Aim) -> Move {
    Move { ability: None, aim, percent: 100 }
}

fn uses(ability: u8, aim: Aim) -> Move {
    Move { ability: Some(ability), aim, percent: 100 }
}

fn wave(delay_ms: u32, spawns: &[(u8, u8, u8)]) -> Wave {
    Wave { delay_ms, spawns: spawns.to_vec() }
}

fn fight(ruleset: &Arc<Ruleset>, players: u8, seed: u64) -> Watched {
    let participants = (0..PlayerId::from(players)).map(|player| player + 1_000).collect();
    let rules = ruleset.rules.clone();
    let setup = Setup { mode: Mode::Pve, rules, seats: players, participants, teams: Vec::new(), seed };
    Watched::new(Hosted::new(Arc::clone(ruleset), setup))
}

fn tick(watched: &mut Watched, at: Millis) {
    watched.handle(at, Input::Tick).expect("a tick is never refused");
}

fn standing(fight: &Hosted) -> impl Iterator<Item = (Slot, &Participant)> {
    let enemies = (0_u8..).zip(fight.participants()).filter(|(_, p)| p.enemy().is_some());
    enemies.filter(|(_, p)| p.status() != ParticipantStatus::Eliminated)
}

// Waves.

#[test]
fn waves_come_one_after_the_other_and_the_last_is_the_victory() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![dummy(25)];
        ruleset.waves = vec![wave(500, &[(0, 2, 2)]), wave(1_000, &[(0, 0, 0)]), wave(700, &[(0, 1, 1)])];
    });
    check_in(
        &ruleset,
        Mode::Pve,
        "seats 1
         at 0 -> phase active, participants 1
         at 499 -> participants 1
         at 500 -> shows p1 comes as enemy 0 + p2 comes as enemy 0, p1 at 1400 500, p2 at 1520 500, p1 hp 25
         at 600 p0 attack p1 -> ok, p1 eliminated, p0 score 10, status active
         at 700 p0 attack p2 -> ok, p2 eliminated, status active
         // Nobody comes with the second: it is beaten as it comes, a second later.
         at 1700 -> participants 3, status active
         at 2399 -> participants 3
         at 2400 -> participants 4, p3 enemy 0, p3 active
         at 2400 p0 attack p3 -> ok, end cleared, winner p0, team won 0, phase cooldown",
    );
}

#[test]
fn who_leaves_between_two_waves_does_not_put_the_next_off() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![dummy(25)];
        ruleset.waves = vec![wave(500, &[(0, 1, 1)]), wave(1_000, &[(0, 1, 1)])];
    });
    check_in(
        &ruleset,
        Mode::Pve,
        "rules reconnect_ms=100
         seats 3
         at 0 -> phase active
         at 0 p1 connects -> ok
         at 0 p2 connects -> ok
         at 300 p1 disconnects -> ok
         at 400 -> p1 eliminated
         at 500 -> participants 4
         at 600 p0 attack p3 -> ok, p3 eliminated
         at 900 p2 disconnects -> ok
         at 1000 -> p2 eliminated
         at 1599 -> participants 4
         at 1600 -> participants 5",
    );
}

#[test]
fn other_modes_have_no_waves() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![dummy(25)];
        ruleset.waves = vec![wave(500, &[(0, 2, 2)])];
    });
    check_in(&ruleset, Mode::Pvp, "seats 2\nat 0 -> phase active\nat 9000 -> participants 2, status active");
}

#[test]
fn players_who_fall_have_lost_to_the_enemies() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![Enemy { damage_min: 100, damage_max: 100, ..runner(2_000, 100) }];
        ruleset.waves = vec![wave(0, &[(0, 1, 1)])];
    });
    let mut watched = fight(&ruleset, 2, 7);
    (0..60).for_each(|times| tick(&mut watched, times * 100));
    let life = watched.fight().lifecycle();
    assert_eq!((life.end(), life.winner(), life.winning_team()), (Some(EndReason::Defeated), None, Some(1)));
}

#[test]
fn no_more_than_64_stand_and_the_fallen_make_room() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![dummy(1)];
        ruleset.waves = vec![wave(0, &[(0, 200, 255)]), wave(0, &[(0, 30, 40)]), wave(0, &[(0, 1, 1)])];
        ruleset.rules.attack_interval_ms = 0;
        ruleset.rules.actions_per_second = 0;
    });
    let mut watched = fight(&ruleset, 3, 7);
    tick(&mut watched, 0);
    tick(&mut watched, 1);
    let first: Vec<PlayerId> = standing(watched.fight()).map(|(_, p)| p.player()).collect();
    assert_eq!((first.len(), watched.fight().participants().len()), (64, 67));
    let places: BTreeSet<(i32, i32)> = standing(watched.fight()).map(|(_, p)| (p.at().x, p.at().y)).collect();
    assert!(places.len() > 60, "they do not stand on each other: {}", places.len());
    for p in watched.fight().participants().iter().skip(3) {
        // Version 8, variant 0b10: what is the studio's own to choose.
        assert_eq!((p.player() >> 76 & 0xF, p.player() >> 62 & 0b11), (8, 0b10), "{:x}", p.player());
        assert_eq!((p.team(), p.is_connected()), (1, false));
    }
    shoot_all(&mut watched, 10);
    tick(&mut watched, 10);
    let second: BTreeSet<PlayerId> = standing(watched.fight()).map(|(_, p)| p.player()).collect();
    assert!((30..=40).contains(&second.len()), "{}", second.len());
    assert_eq!(watched.fight().participants().len(), 67, "in the slots of those before");
    assert!(first.iter().all(|player| !second.contains(player)), "as somebody else");
}

fn shoot_all(watched: &mut Watched, at: Millis) {
    let enemies: Vec<Slot> = standing(watched.fight()).map(|(slot, _)| slot).collect();
    for to in enemies {
        let action = Action::Attack { target: Some(to), part: BodyPart::Torso };
        watched.handle(at, Input::Act { slot: 0, id: 0, action }).expect("a hit");
    }
}

#[test]
fn how_many_come_is_drawn_between_the_bounds() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![dummy(1)];
        ruleset.waves = vec![wave(0, &[(0, 2, 4)])];
    });
    let count = |seed| {
        let mut watched = fight(&ruleset, 1, seed);
        tick(&mut watched, 1);
        standing(watched.fight()).count()
    };
    let counts: BTreeSet<usize> = (0..40).map(count).collect();
    assert_eq!(counts, BTreeSet::from([2, 3, 4]));
}

#[test]
fn a_new_round_has_new_waves_and_nobody_changes_its_slot() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![dummy(25)];
        ruleset.waves = vec![wave(0, &[(0, 1, 1)])];
    });
    check_in(
        &ruleset,
        Mode::Pve,
        "rules rounds=3 intermission_ms=1000 max_duration_ms=5000
         seats 1
         at 0 -> phase active
         at 1 -> p1 active
         // The time is up with an enemy still standing.
         at 5000 -> phase cooldown, p1 active
         at 6000 -> phase active, p1 eliminated, participants 3, p2 active
         at 6100 p0 attack p2 -> ok, status active, phase cooldown
         at 7101 p0 attack p3 -> ok, end rounds won, winner p0",
    );
}

#[test]
fn where_one_acts_after_the_other_enemies_have_their_turn() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![Enemy { attack_range_cm: 5_000, ..runner(100, 100) }];
        ruleset.waves = vec![wave(0, &[(0, 1, 1)])];
    });
    check_in(
        &ruleset,
        Mode::Pve,
        "rules turn_ms=30000
         seats 1
         at 0 -> phase active
         at 5000 -> p0 hp 100
         at 5000 p0 defend -> ok
         at 5000 p0 attack p1 -> not your turn
         at 5600 -> p0 hp 95
         at 20000 -> p0 hp 95
         at 20000 p0 attack p1 -> ok, p1 hp 25",
    );
}

// Decisions.

#[test]
fn a_runner_comes_up_to_its_distance_and_strikes() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![runner(600, 150)];
        ruleset.waves = vec![wave(0, &[(0, 1, 1)])];
    });
    let mut watched = fight(&ruleset, 1, 7);
    for times in 0..40 {
        tick(&mut watched, times * 100);
    }
    let (player, enemy) = (&watched.fight().participants()[0], &watched.fight().participants()[1]);
    let far = player.at().distance(enemy.at());
    assert!((145..=200).contains(&far), "{far}");
    assert!(player.hp() < 100, "and it has struck");
}

#[test]
fn one_that_keeps_its_distance_withdraws_as_far_as_it_can() {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![runner(600, 900)];
        ruleset.environment.lairs = vec![Point::new(600, 500)];
        ruleset.waves = vec![wave(0, &[(0, 1, 1)])];
    });
    let mut watched = fight(&ruleset, 1, 7);
    (0..30).for_each(|times| tick(&mut watched, times * 100));
    let far = |watched: &Watched| {
        let all = watched.fight().participants();
        all[0].at().distance(all[1].at())
    };
    assert!((850..=950).contains(&far(&watched)), "{}", far(&watched));
    // Driven into the corner it goes no farther than the wall.
    let mut at = 3_000;
    for x in (300..1_900).step_by(50) {
        at += 100;
        let action = Action::Move { to: Point::new(x, 500) };
        watched.handle(at, Input::Act { slot: 0, id: 0, action }).expect("a step");
    }
    (0..30).for_each(|times| tick(&mut watched, at + times * 100));
    assert!(watched.fight().participants()[1].at().x >= 1_900 && watched.fight().participants()[1].hp() > 0);
}

#[test]
fn it_aims_at_whom_it_prefers() {
    let aimed = |aim: Aim, seed: u64| {
        let ruleset = arena(|ruleset| {
            let mut sniper = Enemy { attack_range_cm: 5_000, damage_min: 1, damage_max: 1, ..runner(0, 0) };
            sniper.phases[0].moves = vec![attack(aim)];
            ruleset.enemies = vec![sniper];
            let spot = |x| Spot { team: 0, at: Point::new(x, 500) };
            ruleset.environment.spawns = vec![spot(200), spot(400), spot(600)];
            ruleset.waves = vec![wave(1_000, &[(0, 1, 1)])];
            (ruleset.rules.friendly_fire, ruleset.rules.critical_percent) = (1, 0);
        });
        let mut watched = fight(&ruleset, 3, seed);
        // The middle one is hurt most, the nearest a little.
        tick(&mut watched, 0);
        for (at, to) in [(0, 1), (100, 1), (200, 2)] {
            let action = Action::Attack { target: Some(to), part: BodyPart::Torso };
            watched.handle(at, Input::Act { slot: 0, id: 0, action }).expect("a hit");
        }
        let mut hit = BTreeSet::new();
        for times in 0..100 {
            tick(&mut watched, 1_000 + times * 100);
            let events = watched.step().events().iter();
            hit.extend(events.filter_map(|event| match event {
                Event::Hit { by: 3, to, .. } => Some(*to),
                _ => None,
            }));
        }
        let mut hit: Vec<Slot> = hit.into_iter().collect();
        hit.sort_unstable();
        hit
    };
    assert_eq!(aimed(Aim::Nearest, 7), [2]);
    assert_eq!(aimed(Aim::Weakest, 7), [1]);
    assert_eq!(aimed(Aim::Strongest, 7), [0]);
    assert_eq!(aimed(Aim::Random, 7), [0, 1, 2]);
}

#[test]
fn a_move_is_made_as_often_as_its_chance_says_and_the_next_otherwise() {
    let ruleset = arena(|ruleset| {
        let mut gambler =
            Enemy { attack_interval_ms: 0, attack_range_cm: 5_000, damage_min: 1, damage_max: 1, ..runner(0, 0) };
        gambler.phases[0].moves = vec![Move { percent: 25, ..uses(0, Aim::Nearest) }, attack(Aim::Nearest)];
        ruleset.enemies = vec![gambler];
        let does = vec![Op::Damage { min: 1, max: 1, element: None }];
        ruleset.abilities = vec![Ability {
            name: "zap".to_owned(),
            affects: Affects::Enemies,
            range_cm: 5_000,
            does,
            ..Ability::default()
        }];
        ruleset.waves = vec![wave(0, &[(0, 1, 1)])];
        ruleset.rules.health = 100_000;
    });
    let mut watched = fight(&ruleset, 1, 7);
    let (mut zaps, mut shots) = (0, 0);
    for times in 0..4_000 {
        tick(&mut watched, times * 250);
        for event in watched.step().events() {
            match event {
                Event::Hit { ability: Some(0), .. } => zaps += 1,
                Event::Hit { ability: None, .. } => shots += 1,
                _ => {}
            }
        }
    }
    let share = zaps * 100 / (zaps + shots);
    assert!((22..=28).contains(&share) && zaps + shots > 3_000, "{zaps} of {}", zaps + shots);
}

#[test]
fn a_boss_has_phases_with_a_wave_a_pulse_and_a_weak_moment() {
    let ruleset = arena(|ruleset| {
        let phase = |name: &str, from_percent, entry: Vec<Op>, moves: Vec<Move>| EnemyPhase {
            name: name.to_owned(),
            from_percent,
            entry,
            moves,
            keep_cm: 200,
        };
        let effect = |name: &str| Effect { name: name.to_owned(), ms: 3_000, ..Effect::default() };
        let modifiers = Modifiers { damage_taken: 150, ..Modifiers::default() };
        ruleset.effects = vec![Effect { stuns: true, modifiers, ..effect("overheated") }];
        let does = vec![Op::Damage { min: 30, max: 30, element: None }, Op::Gain { effect: 0, ms: 0 }];
        ruleset.abilities = vec![Ability {
            name: "pulse".to_owned(),
            affects: Affects::Enemies,
            shape: Shape::Area { radius_cm: 5_000 },
            targets: 20,
            cooldown_ms: 60_000,
            does,
            ..Ability::default()
        }];
        let phases = vec![
            phase("waves", 100, vec![], vec![]),
            phase("pulse", 70, vec![Op::Summon { enemy: 1, count: 2 }], vec![uses(0, Aim::Nearest)]),
            phase("rage", 40, vec![Op::Heal { percent: 0, points: 5 }], vec![attack(Aim::Nearest)]),
        ];
        let boss = Enemy { rank: Rank::Boss, think_ms: 500, phases, ..dummy(100) };
        ruleset.enemies = vec![boss, dummy(25)];
        ruleset.waves = vec![wave(0, &[(0, 1, 1)])];
    });
    check_in(
        &ruleset,
        Mode::Pve,
        "seats 1
         at 0 -> phase active
         at 1 -> p1 hp 200, p1 rage 0
         at 2000 p0 attack p1 -> ok, p1 hp 175
         at 2100 p0 attack p1 -> ok, p1 hp 150
         at 2700 -> p1 rage 0, participants 2
         // At 70 percent it calls for help, and pulses; that overheats it, and it stands stunned.
         at 2700 p0 attack p1 -> ok, p1 hp 125
         at 3200 -> p1 rage 1, participants 4, p2 enemy 1, p3 active, p0 hp 40, p1 is stunned
         at 3300 p0 attack p1 -> ok, p1 hp 62
         // Phases go on while it is stunned.
         at 3900 -> p1 rage 2, p1 hp 67, p1 is stunned
         at 5500 p0 attack p1 -> ok, p1 hp 4
         at 7000 -> p1 is idle
         at 7000 p0 attack p1 -> ok, p1 eliminated, status active
         at 7100 p0 attack p2 -> ok, status active
         at 7200 p0 attack p3 -> ok, end cleared",
    );
}

#[test]
fn no_phase_is_left_out() {
    let ruleset = arena(|ruleset| {
        let phase = |from_percent, enemy| EnemyPhase {
            name: format!("from {from_percent}"),
            from_percent,
            entry: vec![Op::Summon { enemy, count: 1 }],
            ..EnemyPhase::default()
        };
        let phases = vec![phase(100, 1), phase(80, 1), phase(40, 2), phase(10, 1)];
        ruleset.enemies = vec![Enemy { phases, think_ms: 100, ..dummy(50) }, dummy(25), dummy(24)];
        ruleset.waves = vec![wave(0, &[(0, 1, 1)])];
    });
    check_in(
        &ruleset,
        Mode::Pve,
        "seats 1
         at 0 -> phase active
         at 1 -> p1 hp 50
         at 2 p0 attack p1 -> ok, p1 hp 25
         at 101 -> p1 rage 1, participants 3, p2 enemy 1
         at 1000 -> p1 rage 1, participants 3
         at 1000 p0 attack p1 -> ok, p1 eliminated, p1 rage 1",
    );
}

#[test]
fn a_leaders_death_reaches_its_side_and_a_last_one_may_split() {
    let ruleset = arena(|ruleset| {
        ruleset.effects = vec![Effect { name: "scattered".to_owned(), ms: 2_000, stuns: true, ..Effect::default() }];
        let last_words = vec![Op::Apply { effect: 0, ms: 0 }];
        let slime = Enemy { last_words: vec![Op::Summon { enemy: 1, count: 2 }], ..dummy(25) };
        ruleset.enemies = vec![Enemy { last_words, ..dummy(25) }, dummy(25), slime];
        ruleset.waves = vec![wave(0, &[(0, 1, 1), (1, 1, 1)]), wave(0, &[(2, 1, 1)])];
    });
    check_in(
        &ruleset,
        Mode::Pve,
        "seats 2
         at 0 -> phase active
         at 100 p0 attack p2 -> ok, p2 eliminated, p3 is stunned, p0 is idle, p1 is idle
         at 2099 -> p3 is stunned
         at 2100 -> p3 is idle
         at 2100 p0 attack p3 -> ok, p3 eliminated, status active
         // Two small ones come where the big one fell, before anybody has won.
         at 2200 p0 attack p4 -> ok, p4 eliminated, status active, p5 enemy 1, p6 enemy 1, p5 active
         at 2300 p0 attack p5 -> ok, status active
         at 2400 p0 attack p6 -> ok, end cleared",
    );
}

#[test]
fn last_words_that_bring_about_others_come_to_an_end() {
    let ruleset = arena(|ruleset| {
        let last_words = vec![Op::Summon { enemy: 0, count: 2 }, Op::Damage { min: 1_000, max: 1_000, element: None }];
        ruleset.enemies = vec![Enemy { last_words, ..dummy(1) }];
        ruleset.waves = vec![wave(0, &[(0, 10, 10)])];
    });
    let mut watched = fight(&ruleset, 1, 7);
    tick(&mut watched, 0);
    tick(&mut watched, 1);
    let action = Action::Attack { target: Some(1), part: BodyPart::Torso };
    watched.handle(2, Input::Act { slot: 0, id: 0, action }).expect("a hit");
    let fallen = watched.step().events().iter().filter(|event| matches!(event, Event::Eliminated { .. })).count();
    assert!((10..1_000).contains(&fallen), "it takes the others with it, and those that came: {fallen}");
}

#[test]
fn a_medic_heals_who_needs_it_most_and_brings_the_fallen_back() {
    let ruleset = arena(|ruleset| {
        let ability = |name: &str, affects, op| Ability {
            name: name.to_owned(),
            affects,
            range_cm: 1_000,
            cooldown_ms: 1_000,
            does: vec![op],
            ..Ability::default()
        };
        ruleset.abilities = vec![
            ability("reboot", Affects::Fallen, Op::Revive { percent: 50 }),
            ability("mend", Affects::Allies, Op::Heal { percent: 20, points: 0 }),
        ];
        let mut medic = dummy(100);
        medic.phases[0].moves = vec![uses(0, Aim::Nearest), uses(1, Aim::Weakest)];
        ruleset.enemies = vec![medic, dummy(100)];
        ruleset.waves = vec![wave(0, &[(0, 1, 1), (1, 2, 2)])];
    });
    check_in(
        &ruleset,
        Mode::Pve,
        "seats 1
         at 0 -> phase active
         // Nobody is hurt, so nobody is healed.
         at 2000 -> p1 used nothing, p3 hp 100
         at 2000 p0 attack p2 -> ok
         at 2100 p0 attack p3 -> ok
         at 2200 p0 attack p3 -> ok, p3 hp 50, p2 hp 75
         at 2700 -> p3 hp 70, p2 hp 75
         at 5000 -> p3 hp 90, p2 hp 95
         at 9000 -> p3 hp 100, p2 hp 100
         at 9100 p0 attack p3 -> ok
         at 9200 p0 attack p3 -> ok
         at 9300 p0 attack p3 -> ok
         at 9400 p0 attack p3 -> ok, p3 eliminated
         at 10000 -> p3 active",
    );
}

#[test]
fn a_tick_that_comes_late_is_as_good_as_many() {
    let shipped = tiltyard_combat::load::load(include_str!("../../rules/default.toml")).expect("a ruleset");
    let ruleset = Arc::new(shipped);
    for seed in 0..4 {
        let (mut often, mut late) = (fight(&ruleset, 2, seed), fight(&ruleset, 2, seed));
        let mut at = 0;
        for round in 1..=6 {
            while at < round * 6_000 {
                at += 37;
                tick(&mut often, at);
            }
            tick(&mut late, at);
            let views = |watched: &Watched| watched.fight().participants().iter().map(view).collect::<Vec<_>>();
            assert_eq!(views(&often), views(&late), "seed {seed} at {at}");
            assert_eq!(often.fight().field(), late.fight().field());
            assert_eq!(often.fight().waves(), late.fight().waves());
        }
        assert!(often.fight().participants()[0].hp() < ruleset.rules.health, "there was something to be the same");
    }
}

// Ways around walls.

/// Where a runner is after each quarter of a second, for half a minute.
fn way(walls: &[Cover], from: Point, to: Point) -> Vec<Point> {
    let ruleset = arena(|ruleset| {
        ruleset.enemies = vec![Enemy { health: 1_000_000, damage_max: 0, damage_min: 0, ..runner(500, 100) }];
        ruleset.waves = vec![wave(0, &[(0, 1, 1)])];
        ruleset.environment.covers = walls.to_vec();
        ruleset.environment.spawns[0].at = to;
        ruleset.environment.lairs = vec![from];
    });
    let (mut fight, mut step) = (fight(&ruleset, 1, 7).fight().clone(), Step::default());
    let place = |times: u64| {
        step.clear();
        fight.handle(times * 250, Input::Tick, &mut step).expect("a tick is never refused");
        fight.participants().get(1).map(Participant::at)
    };
    (0..120).filter_map(place).collect()
}

fn wall(x: i32, y: i32, width_cm: u32, height_cm: u32) -> Cover {
    Cover { name: "wall".to_owned(), kind: CoverKind::Wall, at: Point::new(x, y), width_cm, height_cm, health: 0 }
}

fn places() -> impl Strategy<Value = Point> {
    (0..=2_000, 0..=1_000).prop_map(|(x, y)| Point::new(x, y))
}

/// With a way past it on every side.
fn walls() -> impl Strategy<Value = Cover> {
    (10..1_800, 10..900, 1..1_500_u32, 1..800_u32)
        .prop_map(|(x, y, w, h)| wall(x, y, w.min((1_990 - x).unsigned_abs()), h.min((990 - y).unsigned_abs())))
}

fn expect_arrival(walls: &[Cover], from: Point, to: Point) -> Result<(), TestCaseError> {
    let way = way(walls, from, to);
    for place in &way {
        prop_assert!((0..=2_000).contains(&place.x) && (0..=1_000).contains(&place.y), "{place:?} is outside");
        prop_assert!(!walls.iter().any(|wall| wall.area().contains(*place)), "{place:?} is inside a wall");
    }
    let end = way[way.len() - 1];
    let walled = walls.iter().any(|wall| wall.area().is_between(end, to));
    prop_assert!(end.within(to, 160) && !walled, "it got to {end:?}, not to {to:?}: {:?}", &way[way.len() - 20..]);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_runner_gets_around_any_wall(wall in walls(), from in places(), to in places()) {
        prop_assume!(!wall.area().contains(from) && !wall.area().contains(to));
        expect_arrival(&[wall], from, to)?;
    }

    #[test]
    fn a_runner_gets_through_a_yard_of_containers(
        sizes in vec((1..340_u32, 1..180_u32), 12),
        from in places(),
        to in places(),
    ) {
        // In four columns and three rows, with a way between any two.
        let place = |(at, &(w, h)): (i32, &(u32, u32))| wall(100 + at % 4 * 460, 100 + at / 4 * 300, w, h);
        let walls: Vec<Cover> = (0..).zip(&sizes).map(place).collect();
        prop_assume!(!walls.iter().any(|wall| wall.area().contains(from) || wall.area().contains(to)));
        expect_arrival(&walls, from, to)?;
    }
}
