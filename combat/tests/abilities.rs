//! Everything a participant can do to another and to itself, as scripts: attacks with all that they meet, abilities and
//! items, casts, effects, movement.

mod hosted;
mod scripts;
mod watched;

use std::sync::Arc;

use tiltyard_combat::ruleset::{
    Ability, AbilityKind, Affects, Aim, Effect, EffectId, Element, Enemy, EnemyPhase, Modifiers, Move, Op, Rank,
    Reaction, Resource, Shape, Stacking, Wave,
};
use tiltyard_combat::{ActionKind, ActionSet, Mode, Point, Ruleset};

/// Runs a script under [`ruleset`]; a fight is on from the first millisecond.
fn check(script: &str) {
    scripts::check_in(&Arc::new(ruleset()), Mode::Pvp, script);
}

/// Something of everything, with round numbers.
fn ruleset() -> Ruleset {
    let mut ruleset = Ruleset::clone(&Ruleset::plain());
    ruleset.rules.preparation_ms = 0;
    ruleset.effects = effects();
    ruleset.reactions = vec![
        Reaction { damage: Element::Fire, effect: Element::Ice, percent: 200, consumes: true },
        Reaction { damage: Element::Shock, effect: Element::Fire, percent: 150, consumes: false },
    ];
    ruleset.abilities = abilities();
    // All but the last belong to the players.
    ruleset.kit = u8::try_from(ruleset.abilities.len() - 1).expect("few abilities");
    ruleset
}

fn effects() -> Vec<Effect> {
    let effect = |name: &str, ms| Effect { name: name.to_owned(), ms, ..Effect::default() };
    let changes = |name: &str, modifiers| Effect { modifiers, ..effect(name, 5_000) };
    let none = Modifiers::default();
    let denies = |kind| ActionSet::from_iter([kind]);
    vec![
        Effect { element: Some(Element::Fire), tick_ms: 1_000, tick_damage: 5, ..effect("burn", 3_000) },
        Effect { stacking: Stacking::Intensify, stacks: 3, tick_ms: 1_000, tick_damage: 2, ..effect("poison", 2_500) },
        Effect { stacking: Stacking::Separate, stacks: 2, tick_ms: 1_000, tick_damage: 3, ..effect("bleed", 2_000) },
        Effect { stacking: Stacking::Replace, modifiers: Modifiers { speed: -50, ..none }, ..effect("slow", 2_000) },
        Effect { stacking: Stacking::None, stuns: true, ..effect("stun", 1_000) },
        Effect { element: Some(Element::Ice), stuns: true, fragile: true, then: Some(SLOW), ..effect("freeze", 2_000) },
        Effect { denies: denies(ActionKind::Ability), ..effect("silence", 1_000) },
        Effect { denies: denies(ActionKind::Move), ..effect("root", 1_000) },
        Effect { absorbs_percent: 30, ..effect("bubble", 5_000) },
        Effect { absorbs_percent: 10, ..effect("film", 9_000) },
        Effect { tick_ms: 500, tick_heal: 4, ..effect("mend", 1_000) },
        Effect { then: Some(SLOW), ..changes("haste", Modifiers { speed: 100, ..none }) },
        changes("might", Modifiers { damage_dealt: 100, ..none }),
        changes("frailty", Modifiers { damage_taken: 100, ..none }),
        changes("rage", Modifiers { rage: 40, ..none }),
        changes("blind", Modifiers { accuracy: -100, ..none }),
        changes("rust", Modifiers { armor: -50, ..none }),
        changes("wound", Modifiers { healing: -50, ..none }),
        changes("drain", Modifiers { regeneration: -100, ..none }),
        Effect { ms: 0, ..changes("thick skin", Modifiers { damage_taken: -20, ..none }) },
        Effect { stacking: Stacking::Separate, stacks: 200, ..effect("mark", 60_000) },
    ]
}

const SLOW: EffectId = 3;

/// The place of an effect in [`effects`].
fn id_of(name: &str) -> EffectId {
    let place = effects().iter().position(|effect| effect.name == name).expect("an effect");
    u8::try_from(place).expect("few effects")
}

fn abilities() -> Vec<Ability> {
    let damage = |points| Op::Damage { min: points, max: points, element: None };
    let of = |element, points| Op::Damage { min: points, max: points, element: Some(element) };
    let apply = |name: &str| Op::Apply { effect: id_of(name), ms: 0 };
    let on = |affects, name: &str, does: Vec<Op>| Ability {
        name: name.to_owned(),
        affects,
        range_cm: 1_000,
        targets: 20,
        sight: true,
        does,
        ..Ability::default()
    };
    let foe = |name: &str, does| on(Affects::Enemies, name, does);
    let own = |name: &str, does| on(Affects::Own, name, does);
    let mut abilities = vec![
        // Costs, cooldowns, uses.
        Ability { cost: vec![(Resource::Energy, 40)], ..foe("zap", vec![damage(10)]) },
        Ability { cost: vec![(Resource::Stamina, 60), (Resource::Energy, 60)], ..own("strain", vec![]) },
        Ability { cost: vec![(Resource::Charge, 100)], ..foe("ultimate", vec![damage(50)]) },
        Ability { cost: vec![(Resource::Ammo, 2)], ..foe("burst", vec![damage(20)]) },
        Ability { cooldown_ms: 2_000, uses: 2, ..foe("dart", vec![damage(1)]) },
        Ability { kind: AbilityKind::Item, uses: 1, ..own("potion", vec![Op::Heal { percent: 25, points: 5 }]) },
        // Shapes.
        Ability { range_cm: 0, targets: 2, shape: Shape::Area { radius_cm: 500 }, ..foe("nova", vec![damage(10)]) },
        Ability { shape: Shape::Area { radius_cm: 200 }, ..foe("bomb", vec![damage(10)]) },
        Ability { sight: false, shape: Shape::Area { radius_cm: 200 }, ..foe("mortar", vec![damage(10)]) },
        Ability { shape: Shape::Line { width_cm: 100 }, ..foe("beam", vec![damage(10)]) },
        Ability { shape: Shape::Cone { degrees: 90 }, ..foe("flames", vec![damage(10)]) },
        Ability {
            shape: Shape::Area { radius_cm: 9_000 },
            range_cm: 0,
            ..on(Affects::Others, "quake", vec![damage(10)])
        },
        Ability { below_percent: 50, ..foe("finish", vec![damage(50), Op::Gain { effect: id_of("might"), ms: 500 }]) },
        Ability { sight: false, ..foe("hex", vec![damage(10)]) },
        // Casts.
        Ability { cast_ms: 1_000, cooldown_ms: 3_000, ..foe("fireball", vec![of(Element::Fire, 20)]) },
        Ability {
            cast_ms: 2_500,
            every_ms: 1_000,
            channel: true,
            broken_by: Some(25),
            cost: vec![(Resource::Energy, 10)],
            ..foe("ray", vec![damage(6)])
        },
        Ability {
            kind: AbilityKind::Item,
            cast_ms: 2_000,
            channel: true,
            broken_by: Some(5),
            uses: 2,
            ..own("medkit", vec![Op::Heal { percent: 50, points: 0 }])
        },
        // Movement, and the rest.
        own("dash", vec![Op::Dash { cm: 600 }]),
        Ability { sight: false, ..foe("leap", vec![Op::Dash { cm: 300 }, damage(5)]) },
        foe("pull", vec![Op::Pull { cm: 400 }]),
        foe("push", vec![Op::Push { cm: 400 }]),
        on(Affects::Allies, "cleanse", vec![Op::Cleanse]),
        on(Affects::Allies, "heal", vec![Op::Heal { percent: 10, points: 10 }]),
        on(Affects::Fallen, "revive", vec![Op::Revive { percent: 40 }, Op::Heal { percent: 10, points: 0 }]),
        on(Affects::Allies, "charge", vec![Op::Refill { resource: Resource::Charge, points: 60 }]),
        on(
            Affects::Allies,
            "supply",
            vec![
                Op::Refill { resource: Resource::Stamina, points: 30 },
                Op::Refill { resource: Resource::Energy, points: 30 },
                Op::Refill { resource: Resource::Ammo, points: 2 },
            ],
        ),
        foe("ignite", vec![of(Element::Fire, 10)]),
        foe("shock", vec![of(Element::Shock, 10)]),
    ];
    for name in [
        "burn", "poison", "bleed", "slow", "stun", "freeze", "silence", "root", "frailty", "blind", "rust", "wound",
        "drain", "mark",
    ] {
        abilities.push(foe(name, vec![apply(name)]));
    }
    for name in ["bubble", "film", "mend", "haste", "might", "rage"] {
        abilities.push(own(name, vec![apply(name)]));
    }
    abilities.push(foe("monstrous", vec![damage(99)]));
    abilities
}

/// One row: p0 in the middle, p1 four metres to its right, p2 as far again.
const ROW: &str = "spot 0 2500 2500
                   spot 1 2900 2500
                   spot 2 3300 2500";

// Attacks.

#[test]
fn a_hit_at_the_head_counts_double_and_at_a_limb_less() {
    check(
        "rules health=200
         seats 2
         at 0   p0 attack p1 head -> ok, p1 hp 150
         at 100 p0 attack p1 limb -> ok, p1 hp 132, shows p0 hits p1 18
         at 200 p0 attack p1      -> ok, p1 hp 107",
    );
    check(
        "rules head_percent=0 limb_percent=1000 critical_percent=100 armor=100
         seats 2
         at 0   p0 attack p1 head -> ok, p1 hp 100, shows phase + p0 hits p1 0 critical
         // 25 x 10 x 1.5 x 100 / 200, rounded half up.
         at 100 p0 attack p1 limb -> ok, shows p0 hits p1 188 critical + p0 eliminates p1 + phase",
    );
}

#[test]
fn an_attack_has_a_range() {
    check(&format!(
        "rules attack_range_cm=400
         {ROW}
         seats 3
         at 0 p0 attack p1 -> ok, p1 hp 75
         at 0 p1 attack p2 -> ok, p2 hp 75
         at 0 p2 attack p0 -> out of range, p0 hp 100
         // That cost it nothing.
         at 0 p2 attack p1 -> ok, p1 hp 50"
    ));
}

#[test]
fn a_wall_is_neither_shot_nor_seen_through_until_it_is_gone() {
    check(&format!(
        "{ROW}
         wall 2700 2400 size 10 200
         seats 3
         at 0 p0 attack p1 -> no sight
         at 0 p1 attack p0 -> no sight
         at 0 p1 attack p2 -> ok
         at 0 p0 use zap on p1 -> no sight, p0 energy 100
         at 0 p0 use hex on p1 -> ok, p1 hp 90"
    ));
    // What lies along a wall is not behind it.
    check(&format!(
        "{ROW}
         wall 2700 2500 size 10 200
         seats 2
         at 0 p0 attack p1 -> ok"
    ));
}

#[test]
fn nothing_is_found_out_about_those_in_the_fog_by_aiming_at_them() {
    check(&format!(
        "rules sight_cm=400 attack_range_cm=300
         {ROW}
         seats 3
         at 0 p0 attack p1        -> out of range
         at 0 p0 attack p2        -> no sight
         at 0 p0 use zap on p2    -> no sight
         at 0 p0 use bomb on p2   -> no sight
         // Not whether it is nearly down.
         at 0 p0 use finish on p1 -> invalid target
         at 0 p0 use finish on p2 -> no sight
         // It is hit all the same by what is thrown there.
         at 0 p0 use bomb at 3300 2500 -> ok, p2 hp 90"
    ));
}

#[test]
fn cover_near_the_target_takes_its_share() {
    let hit_through = |covers: &str, hp: u32| {
        check(&format!(
            "{ROW}
             {covers}
             seats 2
             at 0 p0 attack p1 -> ok, p1 hp {hp}"
        ));
    };
    hit_through("soft 2800 2400 size 50 200", 81);
    hit_through("hard 2800 2400 size 50 200", 87);
    hit_through("hard 2800 2400 size 50 200 health 60", 87);
    // The better of two.
    hit_through("soft 2800 2400 size 50 200 \n hard 2710 2400 size 50 200", 87);
    // Nobody hides behind what is more than two metres away, or beside the way.
    hit_through("hard 2600 2400 size 100 200", 87);
    hit_through("hard 2600 2400 size 99 200", 75);
    hit_through("hard 2800 2500 size 50 200", 75);
    // Behind the target.
    hit_through("hard 2910 2400 size 50 200", 75);
    check(&format!(
        "rules soft_cover_percent=0
         {ROW}
         soft 2800 2400 size 50 200
         seats 2
         at 0 p0 attack p1 -> ok, p1 hp 100, shows phase + p0 hits p1 0
         at 0 p0 use zap on p1 -> ok, p1 hp 100
         // What flies over it is not stopped by it.
         at 0 p0 use hex on p1 -> ok, p1 hp 90"
    ));
}

#[test]
fn friends_are_spared_unless_the_rules_say_otherwise() {
    check(
        "rules teams=2
         seats 4
         at 0 p0 attack p2 -> invalid target
         at 0 p0 attack p3 -> ok, p3 hp 75",
    );
    check(
        "rules teams=2 friendly_fire=1 health=25
         seats 4
         at 0   p0 attack p0 -> invalid target
         // Nobody is honoured for a friend.
         at 0   p0 attack p2 -> ok, p2 eliminated, p0 score 0, p0 damage 25
         at 100 p0 attack p3 -> ok, p0 score 100",
    );
}

#[test]
fn an_attack_may_miss() {
    check(
        "rules accuracy_percent=0
         seats 2
         at 0  p0 attack p1 -> ok, p1 hp 100, shows phase + p0 misses p1
         at 10 p0 attack p1 -> cooldown until 100",
    );
}

#[test]
fn shots_are_counted_and_the_last_begins_the_reload() {
    check(
        "rules ammo=2 reload_ms=1000
         seats 2
         at 0    p0 attack p1 -> ok, p0 ammo 1, p0 reloads 0
         at 100  p0 attack p1 -> ok, p0 ammo 0, p0 reloads 1100, due 1100
         at 150  p0 attack p1 -> cooldown until 200
         at 1099 p0 attack p1 -> reloading until 1100, p1 hp 50
         at 1100 p0 attack p1 -> ok, p0 ammo 1
         at 1100 p1 attack p0 -> ok, p1 ammo 1",
    );
    check(
        "rules ammo=1 reload_ms=0
         seats 2
         at 0   p0 attack p1 -> ok, p0 ammo 1
         at 100 p0 attack p1 -> ok, p0 ammo 1",
    );
}

#[test]
fn a_shield_is_taken_before_health() {
    check(
        "rules shield=40 health=50
         seats 2
         at 0   p0 attack p1 -> ok, p1 shield 15, p1 hp 50, p0 damage 25, shows phase + p0 hits p1 25 absorbed 25
         at 100 p0 attack p1 -> ok, p1 shield 0, p1 hp 40, shows p0 hits p1 25 absorbed 15
         at 200 p0 attack p1 -> ok, p1 hp 15, shows p0 hits p1 25, p0 damage 75",
    );
}

/// Against an elite enemy of 100 health that the server plays, too slow of thought to do anything itself.
fn check_against_enemy(script: &str) {
    let mut ruleset = ruleset();
    ruleset.enemies = vec![Enemy {
        name: "brute".to_owned(),
        rank: Rank::Elite,
        health: 100,
        armor: 100,
        damage_min: 20,
        damage_max: 20,
        attack_range_cm: 100_000,
        attack_interval_ms: 700,
        score: 7,
        think_ms: 1_000,
        phases: vec![EnemyPhase {
            name: "only".to_owned(),
            from_percent: 100,
            moves: vec![Move { ability: None, aim: Aim::Nearest, percent: 100 }],
            ..EnemyPhase::default()
        }],
        ..Enemy::default()
    }];
    ruleset.waves = vec![Wave { delay_ms: 0, spawns: vec![(0, 1, 1)] }];
    ruleset.environment.lairs = vec![Point::new(2_900, 2_500)];
    scripts::check_in(&Arc::new(ruleset), Mode::Pve, script);
}

#[test]
fn an_enemy_has_its_own_weapon_and_rank_and_the_difficulty_counts() {
    check_against_enemy(
        "spot 0 2500 2500
         rules critical_percent=0 head_percent=200
         seats 1
         // Half again of its health, and half of the damage goes into its armor.
         at 0    -> p1 hp 150
         at 10   p0 attack p1 head -> ok, p1 hp 125
         // It deals 20, and half again.
         at 1100 -> p0 hp 70",
    );
    check_against_enemy(
        "spot 0 2500 2500
         rules damage_dealt_percent=200 damage_taken_percent=50
         seats 1
         at 0    -> p1 hp 150
         at 10   p0 attack p1 head -> ok, p1 hp 100
         at 1100 -> p0 hp 85
         at 1200 p0 attack p1 head -> ok, p1 hp 50
         at 1300 p0 attack p1 head -> ok, p1 hp 0, p0 score 7",
    );
}

// What an ability costs, and when it can be used.

#[test]
fn an_ability_costs_what_it_says_or_is_refused_by_name() {
    check(
        "spot 0 2500 2500
         spot 1 2900 2500
         seats 2
         at 0    p0 use zap on p1 -> ok, p0 energy 60, p1 hp 90, shows phase + p0 uses zap on p1 + p0 hits p1 10 with zap
         at 0    p0 use zap on p1 -> ok, p0 energy 20
         at 0    p0 use zap on p1 -> not enough energy until 4000, p0 energy 20, p1 hp 80
         at 3999 p0 use zap on p1 -> not enough energy until 4000
         at 4000 p0 use zap on p1 -> ok, p0 energy 0",
    );
    check(
        "rules energy_per_second=0
         spot 0 2500 2500
         spot 1 2900 2500
         seats 2
         at 0    p0 use strain    -> ok, p0 energy 40, p0 stamina 40
         at 0    p0 use strain    -> not enough stamina until 2000
         // All or nothing.
         at 2000 p0 use strain    -> not enough energy never, p0 stamina 60",
    );
    check(
        "spot 0 2500 2500
         spot 1 2900 2500
         seats 2
         at 0   p0 use ultimate on p1 -> not enough charge never
         at 0   p0 attack p1          -> ok, p0 charge 6, p1 charge 0
         at 0   p0 use charge on p0   -> ok, p0 charge 66
         at 0   p0 use charge on p0   -> ok, p0 charge 100
         at 0   p0 use ultimate on p1 -> ok, p1 hp 25, p0 charge 12
         at 0   p0 use ultimate on p1 -> not enough charge never",
    );
    check(
        "rules ammo=3 reload_ms=1000
         spot 0 2500 2500
         spot 1 2900 2500
         seats 2
         at 0    p0 use burst on p1  -> ok, p0 ammo 1, p1 hp 80
         at 0    p0 use burst on p1  -> not enough ammo never
         at 0    p0 attack p1        -> ok, p0 ammo 0
         at 0    p0 use burst on p1  -> reloading until 1000
         at 0    p0 use supply on p0 -> ok, p0 ammo 2, p0 reloads 0
         at 0    p0 use burst on p1  -> ok, p0 ammo 0, p0 reloads 1000",
    );
    // Where shots are not counted they cost nothing.
    check("spot 0 2500 2500 \n spot 1 2900 2500 \n seats 2 \n at 0 p0 use burst on p1 -> ok, p0 ammo 0, p0 reloads 0");
}

#[test]
fn an_ability_has_a_cooldown_and_can_be_used_up() {
    check(
        "spot 0 2500 2500
         spot 1 2900 2500
         seats 2
         at 0    p0 use dart on p1 -> ok, p0 used dart 1x until 2000
         at 1999 p0 use dart on p1 -> cooldown until 2000
         at 1999 p1 use dart on p0 -> ok
         at 2000 p0 use dart on p1 -> ok, p0 used dart 2x until 4000
         at 2000 p0 use dart on p1 -> used up
         at 9999 p0 use dart on p1 -> used up, p1 hp 98",
    );
}

#[test]
fn one_has_what_the_ruleset_gives_and_uses_it_as_what_it_is() {
    check(
        "seats 2
         at 0   p1 use monstrous on p0 -> unavailable
         at 0   p1 use 200 on p0       -> unavailable
         at 0   p1 use potion          -> unavailable
         at 0   p1 item zap on p0      -> unavailable
         at 0   p1 item potion         -> ok, shows p1 uses potion
         at 0   p1 item potion         -> used up",
    );
}

#[test]
fn a_potion_heals_no_more_than_is_missing() {
    check(
        "seats 2
         at 0   p1 attack p0   -> ok
         at 100 p1 attack p0   -> ok, p0 hp 50
         at 100 p0 item potion -> ok, p0 hp 80, shows p0 uses potion + p0 heals p0 30
         at 100 p1 use heal on p0 -> invalid target
         at 100 p0 use heal on p0 -> ok, p0 hp 100",
    );
}

// Whom it can be aimed at.

#[test]
fn an_ability_needs_the_right_target_in_reach() {
    check(&format!(
        "rules health=10
         {ROW}
         spot 3 4500 2500
         seats 4
         at 0 p0 use zap           -> needs target
         at 0 p0 use zap at 1 1    -> needs target
         at 0 p0 use zap on p4     -> no such target
         at 0 p0 use zap on p0     -> invalid target
         at 0 p0 use zap on p3     -> out of range
         at 0 p0 use heal on p1    -> invalid target
         at 0 p0 use revive on p1  -> invalid target
         // None of that cost anything.
         at 0 p0 use zap on p1     -> ok, p1 eliminated, p0 energy 60
         at 0 p0 use zap on p1     -> invalid target
         at 0 p1 use zap on p0     -> eliminated
         at 0 p0 use zap on p2     -> ok, p2 eliminated"
    ));
}

#[test]
fn some_are_only_for_those_who_are_nearly_down() {
    check(
        "spot 0 2500 2500
         spot 1 2900 2500
         seats 2
         at 0   p0 use finish on p1 -> invalid target
         at 0   p0 attack p1        -> ok
         at 100 p0 attack p1        -> ok, p1 hp 50
         at 100 p0 use finish on p1 -> invalid target
         at 200 p0 attack p1 limb   -> ok, p1 hp 32
         at 200 p0 use finish on p1 -> ok, p1 eliminated, p0 under nothing",
    );
}

#[test]
fn an_area_reaches_the_nearest_first_and_no_more_than_it_can() {
    check(
        "spot 0 2500 2500
         spot 1 3000 2500
         spot 2 2500 2100
         spot 3 2100 2500
         spot 4 2500 3001
         seats 5
         // Of two as near the lower slot.
         at 0   p0 use nova -> ok, shows phase + p0 uses nova + p0 hits p2 10 with nova + p0 hits p3 10 with nova
         at 0   p0 use quake -> ok, p0 hp 100, p1 hp 90, p2 hp 80, p3 hp 80, p4 hp 90",
    );
    check(&format!(
        "{ROW}
         seats 3
         // To the edge of it.
         at 0 p0 use bomb               -> needs place
         at 0 p0 use bomb at 3100 2500  -> ok, p1 hp 90, p2 hp 90
         at 0 p0 use bomb at 3101 2500  -> ok, p1 hp 90, p2 hp 80
         at 0 p0 use bomb at 3501 2500  -> out of range
         at 0 p0 use bomb at 2500 1500  -> ok, p1 hp 90, shows p0 uses bomb
         at 0 p0 use bomb at 2500 -1    -> out of bounds
         // At the place of a target.
         at 0 p0 use bomb on p1         -> ok, p1 hp 80
         at 0 p0 use bomb on p7         -> no such target"
    ));
    check(&format!(
        "{ROW}
         wall 3000 2400 size 10 200
         seats 3
         at 0 p0 use bomb at 2990 2500   -> ok, p1 hp 90, p2 hp 100
         at 0 p0 use bomb at 3100 2500   -> no sight
         at 0 p0 use mortar at 3100 2500 -> ok, p1 hp 80, p2 hp 90"
    ));
}

#[test]
fn a_line_and_a_cone_go_where_they_are_aimed() {
    check(
        "spot 0 2500 2500
         spot 1 2900 2550
         spot 2 3400 2451
         spot 3 2100 2500
         spot 4 3000 2551
         seats 5
         at 0 p0 use beam              -> needs place
         at 0 p0 use beam at 2500 2500 -> needs place
         at 0 p0 use beam at 9999 2500 -> ok, shows p0 uses beam + p0 hits p1 10 with beam + p0 hits p2 10 with beam
         at 0 p0 use beam on p3        -> ok, p3 hp 90, p1 hp 90",
    );
    check(
        "spot 0 2500 2500
         spot 1 2900 2900
         spot 2 2900 2099
         spot 3 3501 2500
         spot 4 2100 2500
         seats 5
         at 0 p0 use flames at 2600 2500 -> ok, p1 hp 90, p2 hp 100, p3 hp 100, p4 hp 100
         at 0 p0 use flames at 2500 2400 -> ok, p1 hp 90, p2 hp 90",
    );
    check(&format!(
        "{ROW}
         wall 3000 2400 size 10 200
         seats 3
         at 0 p0 use beam at 3000 2500   -> ok, p1 hp 90, p2 hp 100
         at 0 p0 use flames at 3000 2500 -> ok, p1 hp 80, p2 hp 100"
    ));
}

// Casts.

#[test]
fn a_cast_takes_its_time_and_then_does_what_it_does() {
    check(&format!(
        "{ROW}
         seats 3
         at 0    p0 use fireball on p2 -> ok, p0 is casting, p0 casts fireball until 1000, p2 hp 100, due 1000
         at 0    p0 use fireball on p2 -> busy
         at 0    p0 attack p1          -> busy
         at 0    p0 defend             -> busy
         at 500  p0 move to 2510 2500  -> ok, p0 is casting
         at 999  -> p2 hp 100
         at 1000 -> p2 hp 80, p0 is idle, p0 casts nothing, shows p0 uses fireball on p2 + p0 hits p2 20 with fireball
         // The cooldown runs from the start.
         at 2999 p0 use fireball on p2 -> cooldown until 3000
         at 3000 p0 use fireball on p2 -> ok, shows p0 begins fireball until 4000"
    ));
}

#[test]
fn a_cast_comes_to_nothing_where_its_target_is_gone() {
    check(&format!(
        "rules health=25
         {ROW}
         seats 3
         at 0    p0 use fireball on p1 -> ok
         at 10   p2 attack p1          -> ok, p1 eliminated
         at 1000 -> p0 is idle, p0 casts nothing, shows p0 breaks fireball off
         at 1000 p0 use fireball on p2 -> cooldown until 3000"
    ));
    check(&format!(
        "rules health=25
         {ROW}
         seats 3
         at 0    p0 use fireball on p1 -> ok
         at 10   p2 attack p0          -> ok, p0 casts nothing, shows p2 hits p0 25 + p2 eliminates p0 + p0 breaks fireball off
         at 1000 -> p1 hp 25"
    ));
}

#[test]
fn a_channel_goes_on_until_it_is_over_or_broken() {
    check(&format!(
        "{ROW}
         seats 2
         at 0    p0 use ray on p1      -> ok, p0 is channelling, p0 energy 90
         at 500  p0 move to 2510 2500  -> busy
         at 1000 -> p1 hp 94, p0 casts ray until 2500
         at 2000 -> p1 hp 88
         // No third time: the end is none of its beats.
         at 2500 -> p1 hp 88, p0 is idle, p0 casts nothing"
    ));
    check(&format!(
        "{ROW}
         seats 2
         at 0    p0 use ray on p1 -> ok
         at 1000 -> p1 hp 94
         // It bears 25, and no more.
         at 1100 p1 attack p0     -> ok, p0 is channelling
         at 1200 p1 use dart on p0 -> ok, p0 is idle, p0 casts nothing
         at 2000 -> p1 hp 94, p0 energy 100"
    ));
}

#[test]
fn a_medkit_is_broken_by_more_than_it_bears_in_all() {
    check(
        "rules attack_damage_min=3 attack_damage_max=3
         seats 2
         at 0    p1 attack p0   -> ok, p0 hp 97
         at 0    p0 item medkit -> ok, p0 casts medkit until 2000
         at 100  p1 attack p0   -> ok, p0 is channelling
         at 200  p1 attack p0   -> ok, p0 is idle, shows p1 hits p0 3 + p0 breaks medkit off
         at 2000 -> p0 hp 91
         at 2000 p0 item medkit -> ok, p0 used medkit 2x until 2000
         at 4000 -> p0 hp 100, p0 is idle
         at 4000 p0 item medkit -> used up",
    );
    check(
        "rules shield=100
         seats 2
         at 0    p0 item medkit -> ok
         // A shield takes it, and it hurts the same.
         at 100  p1 attack p0   -> ok, p0 is idle",
    );
}

#[test]
fn a_stun_and_a_silence_break_casts() {
    check(
        "spot 0 2500 2500
         spot 1 2900 2500
         seats 2
         at 0    p0 use fireball on p1 -> ok
         at 10   p1 use stun on p0     -> ok, p0 is stunned, shows p1 uses stun on p0 + p1 puts stun on p0 + p0 breaks fireball off
         at 20   p0 use zap on p1      -> stunned
         at 20   p0 move to 2500 2500  -> stunned
         at 1010 p0 use zap on p1      -> ok, p0 is idle
         at 3000 p0 use fireball on p1 -> ok
         at 3010 p1 use silence on p0  -> ok, p0 casts nothing, p0 is idle
         at 3020 p0 use zap on p1      -> denied
         at 3020 p0 attack p1          -> ok
         at 3020 p0 item medkit        -> ok
         // That is no ability.
         at 3030 p1 use silence on p0  -> ok, p0 is channelling
         at 3040 p1 use mark on p0     -> ok, p0 is channelling",
    );
}

// Effects.

#[test]
fn of_the_same_effect_there_is_one_or_more_as_the_effect_wants_it() {
    let twice = |effect: &str, first: &str, second: &str, third: &str| {
        check(&format!(
            "spot 0 2500 2500
             spot 1 2900 2500
             seats 2
             at 0   p0 use {effect} on p1 -> ok, p1 under {first}
             at 200 p0 use {effect} on p1 -> ok, p1 under {second}
             at 300 p0 use {effect} on p1 -> ok, p1 under {third}"
        ));
    };
    // None, replace, refresh, intensify up to three, separate up to two.
    twice("stun", "stun until 1000", "stun until 1000", "stun until 1000");
    twice("slow", "slow until 2000", "slow until 2200", "slow until 2300");
    twice("burn", "burn until 3000", "burn until 3200", "burn until 3300");
    twice("poison", "poison until 2500", "poison x2 until 2700", "poison x3 until 2800");
    twice("bleed", "bleed until 2000", "bleed until 2000 + bleed until 2200", "bleed until 2200 + bleed until 2300");
    check(
        "spot 0 2500 2500
         spot 1 2900 2500
         seats 2
         at 0 p0 use stun on p1   -> ok, shows phase + p0 uses stun on p1 + p0 puts stun on p1
         at 1 p0 use stun on p1   -> ok, shows p0 uses stun on p1
         at 2 p0 use poison on p1 -> ok
         at 2 p0 use poison on p1 -> ok
         at 2 p0 use poison on p1 -> ok
         at 3 p0 use poison on p1 -> ok, p1 under stun until 1000 + poison x3 until 2503
         at 4 p1 use zap on p0    -> stunned",
    );
    // A second might of half a second does not shorten the first.
    check(&format!(
        "rules health=40
         {ROW}
         seats 3
         at 0 p0 attack p1        -> ok, p1 hp 15
         at 3 p0 use might        -> ok, p0 under might until 5003
         at 5 p0 use finish on p1 -> ok, p1 eliminated, p0 under might until 5003"
    ));
}

#[test]
fn a_participant_bears_sixteen_effects_at_most() {
    let marks = |from: u32, to: u32| (from..to).map(|at| format!("mark until {}", 60_000 + at)).collect::<Vec<_>>();
    let mut lines = vec!["rules actions_per_second=0".to_owned(), ROW.to_owned(), "seats 2".to_owned()];
    lines.extend((0..16).map(|at| format!("at {at} p0 use mark on p1 -> ok")));
    lines.push(format!("at 15 -> p1 under {}", marks(0, 16).join(" + ")));
    lines.push(format!("at 16 p0 use mark on p1 -> ok, p1 under {}", marks(1, 17).join(" + ")));
    lines.push(
        "at 16 p0 use mark on p1 -> ok, shows p0 uses mark on p1 + p1 loses mark + p0 puts mark on p1".to_owned(),
    );
    check(&lines.join("\n"));
}

#[test]
fn damage_over_time_has_its_own_clock_and_its_author() {
    check(&format!(
        "rules armor=100 health=12
         {ROW}
         seats 3
         at 300  p0 use burn on p1 -> ok, p1 hp 12
         at 1299 -> p1 hp 12
         // Neither armor nor a guard is in its way.
         at 1299 p1 defend         -> ok
         at 1300 -> p1 hp 7, p0 damage 5, shows p1 suffers 5 from burn of p0
         at 2000 p0 use burn on p1 -> ok, p1 under burn until 5000
         // A refreshed one keeps its beat.
         at 2300 -> p1 hp 2
         at 3300 -> p1 eliminated, p0 score 100, shows p1 suffers 5 from burn of p0 + p0 eliminates p1
         at 9000 -> p1 under nothing, p0 damage 12"
    ));
    check(&format!(
        "{ROW}
         seats 2
         // The last beat is at its end, and counts.
         at 0    p0 use burn on p1 -> ok
         at 2999 -> p1 hp 90
         at 3000 -> p1 hp 85, p1 under nothing, shows p1 suffers 5 from burn of p0 + p1 loses burn
         at 4000 p0 use poison on p1 -> ok
         at 4500 p0 use poison on p1 -> ok
         at 5000 -> p1 hp 81
         at 6000 -> p1 hp 77
         at 7000 -> p1 hp 73, p1 under nothing
         at 8000 p0 use bleed on p1 -> ok
         at 8500 p0 use bleed on p1 -> ok
         at 9000 -> p1 hp 70
         at 9500 -> p1 hp 67
         at 11000 -> p1 hp 61, p1 under nothing"
    ));
    // All that is due by then, however late the tick is.
    check(&format!("{ROW} \n seats 2 \n at 0 p0 use burn on p1 -> ok \n at 60000 -> p1 hp 85, p1 under nothing"));
}

#[test]
fn effects_heal_over_time() {
    check(&format!(
        "{ROW}
         seats 2
         at 0    p1 attack p0 -> ok, p0 hp 75
         at 0    p0 use mend  -> ok
         at 500  -> p0 hp 79, shows p0 heals p0 4
         at 1000 -> p0 hp 83, p0 under nothing
         at 1000 p0 use mend  -> ok
         at 1100 p1 use wound on p0 -> ok
         at 1500 -> p0 hp 85"
    ));
}

#[test]
fn what_follows_an_effect_comes_when_it_ends_by_itself() {
    check(
        "spot 0 2500 2500
         seats 2
         at 0    p0 use haste -> ok, p0 under haste until 5000
         at 5000 -> p0 under slow until 7000, shows p0 loses haste + p0 puts slow on p0
         at 7000 -> p0 under nothing",
    );
    check(&format!(
        "{ROW}
         seats 2
         at 0    p0 use freeze on p1 -> ok, p1 is stunned
         at 2000 -> p1 is idle, p1 under slow until 4000
         at 5000 p0 use freeze on p1 -> ok, p1 is stunned
         // The first damage breaks it, and nothing follows.
         at 5100 p0 attack p1        -> ok, p1 is idle, p1 under nothing, shows p0 hits p1 25 + p1 loses freeze"
    ));
}

#[test]
fn one_comes_to_with_the_last_stun() {
    check(&format!(
        "{ROW}
         seats 2
         at 0    p1 defend           -> ok, p1 is defending
         at 500  p0 use stun on p1   -> ok, p1 is stunned, p1 guard 500
         at 600  p0 attack p1        -> ok, p1 hp 75
         at 700  p0 use freeze on p1 -> ok
         at 1500 -> p1 is stunned, p1 under freeze until 2700
         at 2699 p1 attack p0        -> stunned
         at 2700 p1 attack p0        -> ok, p1 is idle"
    ));
}

#[test]
fn what_absorbs_is_used_up_the_oldest_first_and_before_the_shield() {
    check(&format!(
        "rules shield=10
         {ROW}
         seats 2
         at 0   p1 use film   -> ok
         at 0   p1 use bubble -> ok, p1 under film until 9000 + bubble until 5000
         at 0   p0 attack p1  -> ok, p1 shield 10, p1 hp 100, p0 damage 0, p1 under bubble until 5000
         at 100 p0 attack p1  -> ok, p1 shield 0, p1 hp 100, p1 under nothing, shows p0 hits p1 25 absorbed 25 + p1 loses bubble
         at 200 p0 attack p1  -> ok, p1 hp 75"
    ));
    check(&format!(
        "{ROW}
         seats 2
         at 0    p1 use bubble -> ok
         at 0    p0 attack p1  -> ok, p1 hp 100
         // Put up again it is whole.
         at 10   p1 use bubble -> ok
         at 100  p0 attack p1  -> ok, p1 hp 100
         at 5010 p0 attack p1  -> ok, p1 hp 75, p1 under nothing"
    ));
}

#[test]
fn elements_react_with_effects_of_others() {
    check(&format!(
        "{ROW}
         seats 2
         at 0    p0 use ignite on p1 -> ok, p1 hp 90, shows phase + p0 uses ignite on p1 + p0 hits p1 10 with ignite
         at 0    p0 use burn on p1   -> ok
         at 0    p0 use shock on p1  -> ok, p1 hp 75, shows p0 uses shock on p1 + p0 hits p1 15 with shock reacting
         // It is not used up by that.
         at 0    p0 use shock on p1  -> ok, p1 hp 60, p1 under burn until 3000
         at 3000 -> p1 hp 45
         at 4000 p0 use freeze on p1 -> ok
         at 4000 p0 use ignite on p1 -> ok, p1 hp 25, p1 under nothing, p1 is idle"
    ));
}

#[test]
fn effects_change_what_is_dealt_and_taken() {
    let hits = |before: &str, hp: u32| {
        check(&format!(
            "{ROW}
             seats 2
             {before}
             at 200 p0 attack p1 -> ok, p1 hp {hp}"
        ));
    };
    hits("at 0 p0 use might -> ok", 50);
    hits("at 0 p0 use frailty on p1 -> ok", 50);
    hits("at 0 p0 use might -> ok \n at 0 p0 use frailty on p1 -> ok", 0);
    // Rage grows with the health that is gone: half of it, so 20 of its 40 percent.
    hits("at 0 p0 use rage -> ok", 75);
    hits("at 0 p0 use rage -> ok \n at 0 p1 attack p0 -> ok \n at 100 p1 attack p0 -> ok", 70);
    hits("at 0 p1 use blind on p0 -> ok", 100);
    let rusty = "rules armor=100 health=200 \n spot 0 2500 2500 \n spot 1 2900 2500 \n seats 2";
    check(&format!(
        "{rusty}
         at 0   p0 attack p1      -> ok, p1 hp 187
         at 100 p0 use rust on p1 -> ok
         // Half of the armor: 25 x 100 / 150.
         at 200 p0 attack p1      -> ok, p1 hp 170"
    ));
}

#[test]
fn effects_stop_and_start_regeneration() {
    check(&format!(
        "{ROW}
         seats 2
         at 0    p0 use zap on p1   -> ok, p0 energy 60
         at 1000 p1 use drain on p0 -> ok, p0 energy 65
         at 6000 -> p0 energy 65
         at 7000 -> p0 energy 70"
    ));
}

#[test]
fn an_effect_forbids_what_it_says() {
    check(&format!(
        "{ROW}
         seats 2
         at 0    p0 use root on p1    -> ok
         at 500  p1 move to 2890 2500 -> denied
         at 500  p1 attack p0         -> ok
         at 1000 p1 move to 2890 2500 -> ok"
    ));
}

#[test]
fn a_cleanse_takes_what_foes_have_done() {
    check(&format!(
        "{ROW}
         seats 2
         at 0 p1 use might         -> ok
         at 0 p0 use burn on p1    -> ok
         at 0 p0 use stun on p1    -> ok
         at 0 p0 use poison on p1  -> ok
         at 0 p1 use cleanse on p1 -> stunned
         at 1000 -> p1 under might until 5000 + burn until 3000 + poison until 2500
         at 1000 p1 use cleanse on p1 -> ok, p1 under might until 5000, shows p1 uses cleanse on p1 + p1 loses burn + p1 loses poison"
    ));
}

#[test]
fn the_fallen_are_brought_back_by_their_own() {
    check(
        "rules teams=2 health=50
         spot 0 2500 2500
         spot 1 2900 2500
         seats 4
         at 0    p2 use haste        -> ok
         at 0    p1 attack p2        -> ok
         at 100  p1 attack p2        -> ok, p2 eliminated, p2 is eliminated, p2 under nothing
         at 200  p2 attack p1        -> eliminated
         at 200  p1 use revive on p2 -> invalid target
         at 200  p0 use revive on p3 -> invalid target
         at 200  p0 use revive on p2 -> ok, p2 active, p2 hp 25, p2 is idle, shows p0 uses revive on p2 + p0 revives p2 + p0 heals p2 5
         at 200  p2 attack p1        -> ok",
    );
}

#[test]
fn who_gave_up_stays_down() {
    check(
        "rules teams=2 reconnect_ms=10
         spot 0 2500 2500
         spot 1 2900 2500
         seats 4
         at 0  p2 connects          -> ok
         at 0  p2 disconnects       -> ok
         at 10 -> p2 eliminated
         at 20 p0 use revive on p2  -> invalid target",
    );
    // Who falls without a connection has the time to come back again.
    check(
        "rules teams=2 reconnect_ms=100 health=25
         spot 0 2500 2500
         spot 1 2900 2500
         seats 4
         at 0   p2 connects         -> ok
         at 0   p2 disconnects      -> ok
         at 10  p1 attack p2        -> ok, p2 eliminated
         at 20  p0 use revive on p2 -> ok, p2 disconnected
         at 119 -> p2 disconnected
         at 120 -> p2 eliminated",
    );
}

#[test]
fn what_is_short_can_be_refilled() {
    check(
        "seats 2
         at 0 p0 use strain       -> ok, p0 stamina 40, p0 energy 40
         at 0 p0 use supply on p0 -> ok, p0 stamina 70, p0 energy 70
         at 0 p0 use supply on p0 -> ok, p0 stamina 100, p0 energy 100
         at 0 p0 use supply on p0 -> ok, p0 stamina 100
         at 0 p1 use supply on p0 -> invalid target",
    );
}

#[test]
fn passive_abilities_are_at_work_all_the_time() {
    let mut ruleset = ruleset();
    let skin = Op::Apply { effect: id_of("thick skin"), ms: 0 };
    let skin = Ability { name: "skin".to_owned(), kind: AbilityKind::Passive, does: vec![skin], ..Ability::default() };
    ruleset.abilities.insert(0, skin);
    ruleset.kit += 1;
    scripts::check_in(
        &Arc::new(ruleset),
        Mode::Pvp,
        "spot 0 2500 2500
         spot 1 2900 2500
         seats 2
         at 0     -> p0 under thick skin, p1 under thick skin
         at 0     p0 use skin    -> unavailable
         at 0     p0 item skin   -> unavailable
         at 0     p0 attack p1   -> ok, p1 hp 80
         at 99999 p0 attack p1   -> ok, p1 hp 60",
    );
}

// Movement.

#[test]
fn one_walks_as_fast_as_one_can() {
    check(
        "spot 0 2500 2500
         seats 2
         // 850 in a second, and 100 for the way there.
         at 1000 p0 move to 3451 2500 -> too fast, p0 at 2500 2500
         at 1000 p0 move to 3450 2500 -> ok, p0 at 3450 2500
         // Those are used up: many small steps are no faster.
         at 1000 p0 move to 3451 2500 -> too fast
         at 1100 p0 move to 3535 2500 -> ok
         at 1100 p0 move to 3545 2500 -> too fast
         at 1200 p0 move to 3620 2500 -> ok
         // Who stands for long does not jump.
         at 9000 p0 move to 4571 2500 -> too fast
         at 9000 p0 move to 4570 2500 -> ok
         at 9000 p0 move to 4570 2500 -> ok, shows nothing",
    );
    check(
        "rules speed_cm_per_s=0
         spot 0 2500 2500
         seats 2
         at 1000 p0 move to 2501 2500 -> too fast
         at 1000 p0 move to 2500 2500 -> ok",
    );
}

#[test]
fn haste_and_slowness_change_how_far() {
    check(&format!(
        "{ROW}
         seats 2
         at 0    p0 use haste         -> ok
         at 1000 p0 move to 4301 2500 -> too fast
         at 1000 p0 move to 4300 2500 -> ok
         at 1000 p1 use slow on p1    -> invalid target
         // Haste was followed by slowness: 425 in a second, and the 100.
         at 5500 p0 move to 3774 2500 -> too fast
         at 5500 p0 move to 3775 2500 -> ok"
    ));
}

#[test]
fn one_walks_neither_out_of_the_arena_nor_through_walls() {
    check(
        "spot 0 100 2500
         wall 200 2000 size 50 1000
         seats 2
         at 1000 p0 move to -1 2500   -> out of bounds
         at 1000 p0 move to 0 2500    -> ok
         at 2000 p0 move to 300 2500  -> blocked
         at 2000 p0 move to 220 2500  -> blocked
         // Up to it, and along.
         at 2000 p0 move to 200 2500  -> ok
         at 3000 p0 move to 200 2000  -> ok
         at 4000 p0 move to 300 1999  -> ok",
    );
}

#[test]
fn a_dash_ends_at_a_wall_and_at_the_end_of_the_arena() {
    check(
        "spot 0 2500 2500
         seats 2
         at 0 p0 use dash              -> needs place
         at 0 p0 use dash at 2500 2800 -> ok, p0 at 2500 2800
         at 0 p0 use dash at 2500 9999 -> ok, p0 at 2500 3400
         at 0 p0 use dash at 9999 3400 -> ok, p0 at 3100 3400
         at 0 p0 use dash on p1        -> ok
         at 0 p0 use dash on p9        -> no such target",
    );
    check(
        "spot 0 300 2500
         wall 500 2000 size 50 1000
         seats 2
         at 0 p0 use dash at 900 2500  -> ok, p0 at 500 2500
         at 0 p0 use dash at -900 2500 -> ok, p0 at 0 2500
         // One dashed: the way on foot counts from there.
         at 0 p0 move to 101 2500      -> too fast
         at 0 p0 move to 85 2500       -> ok",
    );
}

#[test]
fn others_are_drawn_near_and_driven_away() {
    check(&format!(
        "{ROW}
         seats 3
         at 0 p0 use leap on p2 -> ok, p0 at 2800 2500, p2 hp 95
         at 0 p0 use pull on p2 -> ok, p2 at 2900 2500
         at 0 p0 use pull on p2 -> ok, p2 at 2800 2500
         at 0 p0 use push on p1 -> ok, p1 at 3300 2500
         // From the same place there is no away.
         at 0 p0 use push on p2 -> ok, p2 at 2800 2500"
    ));
    check(
        "spot 0 4500 2500
         spot 1 4700 2500
         spot 2 4500 2300
         wall 4400 2000 size 300 200
         seats 3
         at 0 p0 use push on p1 -> ok, p1 at 5000 2500
         at 0 p0 use push on p2 -> ok, p2 at 4500 2200",
    );
}

#[test]
fn everybody_begins_at_a_place_of_its_own_and_never_in_a_wall() {
    check(
        "seats 4
         at 0 -> p0 at 4500 2500, p1 at 2500 4500, p2 at 500 2500, p3 at 2500 500",
    );
    check(
        "rules teams=2
         spot 0 100 100
         spot 0 200 100
         spot 1 900 900
         seats 6
         at 0 -> p0 at 100 100, p2 at 200 100, p4 at 100 100, p1 at 900 900, p3 at 900 900",
    );
    check(
        "spot 0 1000 1000
         spot 1 9999 1000
         wall 950 950 size 100 100
         seats 2
         at 0 -> p0 at 1100 1000, p1 at 5000 1000",
    );
}
