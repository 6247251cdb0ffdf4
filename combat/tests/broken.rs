//! Every kind of broken ruleset, and exactly what is said about it.

#![allow(clippy::too_many_lines)] // They are tables.

use std::fmt::Write;

use proptest::prelude::*;
use tiltyard_combat::load::{MOST_BYTES, MOST_PROBLEMS, hash_of, load};

/// What stands before each text: its first line is the fourth.
const HEAD: &str = r#"name = "x"
title = "X"
modes.pvp = {}
"#;

/// A course that is right.
const COURSE: &str = r#"[lifecycle.states.preparation]
phase = "preparation"
after = { setting = "preparation_ms", to = "active" }
on = { all_ready = "active", decided = "results" }
[lifecycle.states.active]
phase = "active"
entry = ["reset", "begin"]
after = { setting = "max_duration_ms", to = "results" }
on = { round_over = "preparation", decided = "results" }
[lifecycle.states.results]
phase = "cooldown"
entry = ["judge"]
after = { setting = "cooldown_ms", to = "finished" }
[lifecycle.states.finished]
phase = "finished"
"#;

/// A participant's machine that is right.
const DOING: &str = r#"[participant.states.idle]
allows = ["attack", "move"]
on = { cast = "busy", channel = "busy", guard = "guarding", stun = "stunned", down = "out" }
[participant.states.busy]
on = { done = "idle", broken = "idle", down = "out" }
[participant.states.guarding]
on = { guard_over = "idle", down = "out" }
[participant.states.stunned]
on = { recovered = "idle", down = "out" }
[participant.states.out]
out = true
on = { revived = "idle" }
"#;

const DEFAULT: &str = include_str!("../../rules/default.toml");

/// Every mistake of a text, each as `line:column: what`.
fn mistakes(text: &str) -> Vec<String> {
    let problems = load(text).expect_err(text);
    problems.list.iter().map(|problem| format!("{}:{}: {}", problem.line, problem.column, problem.message)).collect()
}

/// Checks that these, and no other, are the mistakes of a text after [`HEAD`].
fn says(text: &str, expected: &[&str]) {
    assert_eq!(mistakes(&format!("{HEAD}{text}")), expected, "{text}");
}

/// The same, of [`COURSE`] with one part of it replaced.
fn course(part: &str, by: &str, expected: &[&str]) {
    assert!(COURSE.contains(part), "{part}");
    says(&COURSE.replacen(part, by, 1), expected);
}

/// The same, of [`DOING`].
fn doing(part: &str, by: &str, expected: &[&str]) {
    assert!(DOING.contains(part), "{part}");
    says(&DOING.replacen(part, by, 1), expected);
}

/// As many of something as it takes.
fn many(count: usize, of: impl Fn(usize) -> String) -> String {
    (0..count).map(of).collect()
}

#[test]
fn what_is_right_is_taken() {
    for text in [COURSE, DOING, ""] {
        load(&format!("{HEAD}{text}")).unwrap();
    }
}

#[test]
fn the_head() {
    let no_mode =
        "1:1: no mode is offered: `[modes.pvp]`, `[modes.pve]`, `[modes.arena]` or `[modes.tournament]` is missing";
    assert_eq!(mistakes(""), ["1:1: `name` is missing", "1:1: `title` is missing", no_mode]);
    let name = "1:8: the ruleset `Default` needs a name of 1 to 40 of a-z, 0-9, _ and -";
    let title = "2:9: must be one line of 1 to 120 characters";
    assert_eq!(mistakes("name = \"Default\"\ntitle = \"\"\n"), [no_mode, name, title]);
}

#[test]
fn what_is_no_ruleset_at_all() {
    says(r"settings = 5", &[r"4:12: must be a table, not a whole number"]);
    says(
        r"[settings
health = 100",
        &[r"4:10: unclosed table, expected `]`"],
    );
    says(
        r"[settings]
health = 100
health = 200",
        &[r"6:1: duplicate: this name is already taken"],
    );
    says(
        r"speed = 3",
        &[
            r"4:1: there is no key `speed`; known are `name`, `title`, `players`, `modifiers`, `settings`, `modes`, `difficulties`, `lifecycle`, `participant`, `abilities`, `items`, `passives`, `effects`, `reactions`, `enemies`, `waves`, `environment`, `visibility`",
        ],
    );
    says(
        r"[abilities.a]
does = [{ heal = 1 }]
[abilities.a]
does = [{ heal = 2 }]",
        &[r"6:12: duplicate: this name is already taken", r"7:1: duplicate: this name is already taken"],
    );
    says(r#"players = "medkit""#, &[r"4:11: must be a list, not a text"]);
}

#[test]
fn numbers() {
    says(
        r"[settings]
helth = 100",
        &[r"5:1: there is no setting `helth`; did you mean `health`?"],
    );
    says(
        r"[settings]
mana = 100",
        &[r"5:1: there is no setting `mana`; docs/RULES.md lists them"],
    );
    says(
        r"[settings]
health = 0",
        &[r"5:10: must be a whole number from 1 to 1000000000"],
    );
    says(
        r"[settings]
health = 1.5",
        &[r"5:10: must be a whole number from 1 to 1000000000, not a number with decimals"],
    );
    says(
        r"[settings]
health = true",
        &[r"5:10: must be a whole number from 1 to 1000000000, not true or false"],
    );
    says(
        r"[settings]
late_join = 2",
        &[r"5:13: must be a whole number from 0 to 1"],
    );
    says(
        r"[settings]
attack_damage_min = 31",
        &[r"5:1: attack_damage_min must not be above attack_damage_max"],
    );
    says(
        r"[modes.arena]
attack_damage_max = 19",
        &[r"5:1: attack_damage_min must not be above attack_damage_max"],
    );
    says(
        r"[difficulties.easy]
attack_damage_max = 19",
        &[r"5:1: attack_damage_min must not be above attack_damage_max"],
    );
    says(
        r"[modes.deathmatch]
health = 1",
        &[r"4:8: there is no mode `deathmatch`; known are `pvp`, `pve`, `arena`, `tournament`"],
    );
    says(
        r"[difficulties.herd]
health = 1",
        &[r"4:15: there is no difficulty `herd`; did you mean `hard`?"],
    );
    says(
        r"[modes.arena]
rouns = 3",
        &[r"5:1: there is no setting `rouns`; did you mean `rounds`?"],
    );
}

#[test]
fn effects() {
    says(
        r#"[effects.burn]
elemnt = "fire""#,
        &[r"5:1: there is no key `elemnt`; did you mean `element`?"],
    );
    says(
        r#"[effects.burn]
element = "flame""#,
        &[r"5:11: there is no element `flame`; known are `fire`, `ice`, `shock`, `poison`, `blood`"],
    );
    says(
        r#"[effects.burn]
stacking = "stack""#,
        &[r"5:12: `stacking` cannot be `stack`; known are `none`, `replace`, `refresh`, `intensify`, `separate`"],
    );
    says(
        r#"[effects.burn]
stacking = "intensify"
ms = 1000"#,
        &[r"4:10: `stacks` is missing: how many there are at most"],
    );
    says(
        r"[effects.burn]
stacks = 3
ms = 1000",
        &[r"5:1: only effects whose stacking is `intensify` or `separate` have `stacks`"],
    );
    says(
        r"[effects.burn]
ms = 49",
        &[r"5:6: must be a whole number from 50 to 3600000"],
    );
    says(
        r"[effects.burn]
ms = 1000
tick_ms = 10
tick_damage = 1",
        &[r"6:11: must be a whole number from 50 to 60000"],
    );
    says(
        r"[effects.burn]
ms = 1000
tick_damage = 1",
        &[r"4:10: `tick_ms` is missing: how often it hurts or heals"],
    );
    says(
        r"[effects.burn]
ms = 1000
tick_ms = 100",
        &[r"6:1: it ticks, and does nothing then: `tick_damage` and `tick_heal` are missing"],
    );
    says(
        r#"[effects.burn]
ms = 1000
denies = ["attack", "atack"]"#,
        &[r"6:21: there is no action `atack`; did you mean `attack`?"],
    );
    says(
        r"[effects.burn]
ms = 1000
changes = { sped = 10, armor = -101 }",
        &[r"6:13: there is no key `sped`; did you mean `speed`?", r"6:32: must be a whole number from -100 to 1000"],
    );
    says(
        r#"[effects.burn]
ms = 1000
then = "brun""#,
        &[r"6:8: there is no effect `brun`; did you mean `burn`?"],
    );
    says(
        r#"[effects.a]
then = "b"
[effects.b]
then = "a""#,
        &[
            r"5:1: what comes after it needs its end: `ms` is missing",
            r"7:1: what comes after it needs its end: `ms` is missing",
        ],
    );
    says(
        r"[effects.Burn]
ms = 1000",
        &[r"4:10: the effect `Burn` needs a name of 1 to 40 of a-z, 0-9, _ and -"],
    );
    says(r#"modifiers = ["low_gravity"]"#, &[r"4:14: there is no effect `low_gravity`; this file has none"]);
    says(
        r#"modifiers = ["a", "a"]
[effects.a]
ms = 1000"#,
        &[r"4:19: is in the list twice"],
    );
    says(
        r#"[[reactions]]
damage = "fire"
on = "ice"
percent = 99"#,
        &[r"7:11: must be a whole number from 100 to 1000"],
    );
    says(
        r#"[[reactions]]
damage = "fire"
percent = 150"#,
        &[r"4:1: `on` is missing"],
    );
    says(
        r#"[[reactions]]
damage = "fire"
on = "ice"
percent = 150
[[reactions]]
damage = "fire"
on = "ice"
percent = 160"#,
        &[r"8:1: there is already a reaction of this damage on this element"],
    );
    says(&many(65, |n| format!("[effects.e{n}]\nms = 1000\n")), &[r"132:10: that is one effect too many: at most 64"]);
}

#[test]
fn abilities() {
    says(
        r"[abilities.a]
cooldown_ms = 1",
        &[r"4:12: `does` is missing"],
    );
    says(
        r"[abilities.a]
does = []
coldown_ms = 1",
        &[r"6:1: there is no key `coldown_ms`; did you mean `cooldown_ms`?"],
    );
    says(
        r"[abilities.a]
cost = { mana = 1 }
does = [{ heal = 1 }]",
        &[r"5:10: there is no resource `mana`; known are `stamina`, `energy`, `charge`, `ammo`"],
    );
    says(
        r"[abilities.a]
cost = { charge = 101 }
does = [{ heal = 1 }]",
        &[r"5:19: must be a whole number from 1 to 100"],
    );
    says(
        r"[abilities.a]
every_ms = 100
does = [{ heal = 1 }]",
        &[r"5:1: `every_ms` says how a cast goes, and without `cast_ms` there is none"],
    );
    says(
        r"[abilities.a]
cast_ms = 100
every_ms = 10
does = [{ heal = 1 }]",
        &[r"6:12: must be a whole number from 50 to 60000"],
    );
    says(
        r"[abilities.a]
cast_ms = 100
every_ms = 200
does = [{ heal = 1 }]",
        &[r"6:1: the cast is over after 100 ms, before this"],
    );
    says(
        r#"[abilities.a]
affects = "foes"
does = [{ heal = 1 }]"#,
        &[r"5:11: `affects` cannot be `foes`; known are `own`, `allies`, `enemies`, `others`, `fallen`"],
    );
    says(
        r#"[abilities.a]
affects = "enemies"
does = [{ damage = 1 }]"#,
        &[r"4:12: `range_m` is missing: how far it reaches"],
    );
    says(
        r#"[abilities.a]
affects = "enemies"
shape = "cone"
range_m = 5
does = [{ damage = 1 }]"#,
        &[r"4:12: `degrees` is missing: the shape is `cone`"],
    );
    says(
        r"[abilities.a]
radius_m = 5
targets = 3
does = [{ heal = 1 }]",
        &[r"5:1: a shape `single` has no `radius_m`", r"6:1: a shape `single` has one target"],
    );
    says(
        r"[abilities.a]
range_m = 2.345
does = [{ heal = 1 }]",
        &[r"5:11: must be a number of metres with at most two decimals, such as 2.5"],
    );
    says(
        r"[abilities.a]
range_m = 10001
does = [{ heal = 1 }]",
        &[r"5:11: must be from 0 to 10000 metres"],
    );
    says(
        r"[abilities.a]
does = [{ damage = [9, 3] }]",
        &[r"5:20: the first must not be above the second: `[3, 9]`"],
    );
    says(
        r"[abilities.a]
does = [{ heals = 1 }]",
        &[r"5:11: there is no thing to do `heals`; did you mean `heal`?"],
    );
    says(
        r"[abilities.a]
does = [{ heal = 1, damage = 1 }]",
        &[r"5:9: does two things at once: write each in braces of its own"],
    );
    says(
        r#"[abilities.a]
does = [{ damage = 1, elemnt = "fire" }]"#,
        &[r"5:23: beside `damage` there can be `element`, and not this"],
    );
    says(
        r"[abilities.a]
does = [{ heal = 1, ms = 5 }]",
        &[r"5:21: beside `heal` there can be nothing, and not this"],
    );
    says(
        r"[abilities.a]
does = [{}]",
        &[r"5:9: does nothing"],
    );
    says(
        r#"[abilities.a]
does = [{ apply = "brn" }]
[effects.burn]
ms = 100"#,
        &[r"5:19: there is no effect `brn`; did you mean `burn`?"],
    );
    says(
        r#"[abilities.a]
does = [{ apply = "low" }]
[effects.low]
stuns = true"#,
        &[r"5:19: `low` has no `ms` of its own: say how long it lasts, `ms = …`"],
    );
    says(
        r#"[abilities.a]
does = [{ summon = "drone" }]"#,
        &[r"5:20: there is no enemy `drone`; this file has none"],
    );
    says(
        r#"[abilities.a]
does = [{ refill = "energy" }]"#,
        &[r"5:9: `points` is missing"],
    );
    says(
        r"[abilities.a]
does = [{ cleanse = false }]",
        &[r"5:21: must be true, or left out"],
    );
    says(
        r"[abilities.a]
does = [{ dash_m = -5 }]",
        &[r"5:20: must be a number of metres with at most two decimals, such as 2.5"],
    );
    says(&format!("[abilities.a]\ndoes = [{}]", "{ heal = 1 }, ".repeat(17)), &[r"5:8: does 17 things; at most 16"]);
    says(
        r"[abilities.a]
does = [{ heal = 1 }]
[items.a]
does = [{ heal = 1 }]",
        &[r"6:8: duplicate: another of abilities, items and passives is called `a`"],
    );
    says(
        r"[abilities.attack]
does = [{ heal = 1 }]",
        &[r"4:12: `attack` is what everybody's own attack is called: this needs another name"],
    );
    says(
        r#"players = ["medkt"]
[items.medkit]
does = [{ heal = 1 }]"#,
        &[r"4:12: there is no ability or item `medkt`; did you mean `medkit`?"],
    );
    says(
        r#"players = ["medkit", "medkit"]
[items.medkit]
does = [{ heal = 1 }]"#,
        &[r"4:22: is in the list twice"],
    );
    says(
        r"[passives.a]
does = [{ heal = 1 }]",
        &[r"4:11: `gains` is missing", r"5:1: there is no key `does`; known are `gains`"],
    );
    says(
        &many(65, |n| format!("[abilities.a{n}]\ndoes = [{{ heal = 1 }}]\n")),
        &[r"132:12: that is one ability too many: at most 64"],
    );
    says(
        r#"[abilities.a]
affects = "fallen"
range_m = 5
does = [{ heal = 1 }, { revive_percent = 5 }]"#,
        &["7:8: reaches those who are out, for whom nothing can be done before `revive_percent`"],
    );
    says(
        r"[abilities.a]
does = [{ revive_percent = 5 }]",
        &[r#"5:8: `revive_percent` is for those who are out: it needs `affects = "fallen"`"#],
    );
    says(
        r"modes.pve = { energy = 110 }
[abilities.a]
cost = { energy = 111, stamina = 100 }
does = [{ heal = 1 }]",
        &["5:12: `a` costs 111 energy, and nobody ever has more than 110"],
    );
}

#[test]
fn enemies_and_waves() {
    says(
        r#"[enemies.a]
rank = "boss""#,
        &[r"4:10: `damage` is missing", r"4:10: `health` is missing", r"4:10: `phases` is missing"],
    );
    says(
        r"[enemies.a]
health = 10
damage = 1
phases = []",
        &[r"7:10: an enemy has 1 to 16 phases"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
think_ms = 0
phases = [{ name = "x", moves = [] }]"#,
        &[r"7:12: must be a whole number from 50 to 60000"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
phases = [{ name = "x", from_percent = 50, moves = [] }]"#,
        &[r"7:11: the first phase begins at 100 percent of health"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
phases = [{ name = "x", moves = [] }, { name = "y", moves = [] }]"#,
        &[r"7:39: begins at 100 percent of health, not below the 100 of the one before"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
phases = [{ name = "x", moves = [{ use = "slm" }] }]
[abilities.slam]
does = [{ heal = 1 }]"#,
        &[r"7:42: there is no ability `slm`; did you mean `slam`?"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
phases = [{ name = "x", moves = [{ use = "p" }] }]
[passives.p]
gains = []"#,
        &[r"7:42: a passive is used by nobody; give the enemy its effect in `passives`"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
phases = [{ name = "x", moves = [{ use = "attack", aim = "nearst" }] }]"#,
        &[r"7:58: `aim` cannot be `nearst`; did you mean `nearest`?"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
phases = [{ name = "x", entry = [{ cleanse = true }], moves = [] }]"#,
        &["7:11: nothing is done on entering the first phase: what an enemy comes with is in `passives`"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
last_words = [{ summon = "b" }]
phases = [{ name = "x", moves = [] }]
[enemies.b]
health = 10
damage = 1
phases = [{ name = "x", moves = [] }, { name = "y", from_percent = 9, entry = [{ summon = "a" }], moves = [] }]"#,
        &[
            r"4:10: a cycle without end: `a` is summoned by its own phases or last words",
            r"9:10: a cycle without end: `b` is summoned by its own phases or last words",
        ],
    );
    says(
        r#"[[waves]]
spawns = [{ enemy = "drone" }]"#,
        &[r"5:21: there is no enemy `drone`; this file has none"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
phases = [{ name = "x", moves = [] }]
[[waves]]
spawns = [{ enemy = "a", count = [20, 33] }]"#,
        &[r"9:39: must be a whole number from 0 to 32"],
    );
    says(
        r#"[enemies.a]
health = 10
damage = 1
phases = [{ name = "x", moves = [] }]
[[waves]]
spawns = [{ enemy = "a", count = [20, 30] }, { enemy = "a", count = 5 }]"#,
        &[r"8:1: a wave is 1 to 32 enemies, and this is 25 to 35"],
    );
    says(
        r"[[waves]]
spawns = []",
        &[r"4:1: a wave is 1 to 32 enemies, and this is 0"],
    );
    says(
        r"waves = [{ spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, { spawns = [] }, ]",
        &[r"4:554: that is one wave too many: at most 32"],
    );
    says(
        &many(33, |n| format!("[enemies.e{n}]\nhealth = 1\ndamage = 1\nphases = [{{ name = \"x\", moves = [] }}]\n")),
        &[r"132:10: that is one enemy too many: at most 32"],
    );
}

#[test]
fn arenas_and_visibility() {
    says(
        r"[environment]
width_m = 0.5",
        &[r"5:11: must be from 1 to 10000 metres"],
    );
    says(
        r"[environment]
lairs = [[60, 1]]",
        &[r"5:10: is outside the arena, which is 50 x 50 metres"],
    );
    says(
        r"[environment]
lairs = [[1, 1, 1]]",
        &[r"5:10: must be a place `[x, y]` in metres"],
    );
    says(
        r#"[environment]
covers = [{ name = "w", kind = "wal", at = [1, 1], size = [1, 1] }]"#,
        &[r"5:32: there is no kind of cover `wal`; did you mean `wall`?"],
    );
    says(
        r#"[environment]
covers = [{ name = "w", kind = "wall", at = [49, 1], size = [2, 1] }]"#,
        &[r"5:11: is not wholly inside the arena"],
    );
    says(
        r#"[environment]
covers = [{ name = "steel", kind = "wall", at = [1, 1], size = [4, 4] }]
spawns = [{ team = 0, at = [2, 2] }]"#,
        &[r"6:28: is inside the wall `steel`"],
    );
    says(
        r#"[environment]
hazards = [{ name = "b", at = [1, 1], radius_m = 1, every_ms = 49, damage = 1 }]"#,
        &[r"5:64: must be a whole number from 50 to 600000"],
    );
    says(
        r#"[environment]
hazards = [{ name = "b", radius_m = 1, every_ms = 500, damage = 1 }]"#,
        &[r"5:12: `at` is missing; a hazard without `radius_m` is everywhere, one with it has a place"],
    );
    says(
        r#"[environment]
hazards = [{ name = "b", damage = 1 }]"#,
        &[r"5:12: nothing sets it off: it needs `every_ms`, how often it reaches those within, or `health`"],
    );
    says(
        r#"[environment]
hazards = [{ name = "b", health = 1 }]"#,
        &[r"5:12: it does nothing: `damage` and `effect` are missing"],
    );
    says(
        r#"[environment]
hazards = [{ name = "b", health = 1, effect = "burn" }]"#,
        &[r"5:47: there is no effect `burn`; this file has none"],
    );
    says(
        &format!(
            "[environment]\ncovers = [{}]",
            r#"{ name = "w", kind = "hard", at = [1, 1], size = [1, 1] }, "#.repeat(65)
        ),
        &[r"5:3787: that is one too many of `covers`: at most 64"],
    );
    says(
        &format!("[environment]\nhazards = [{}]", r#"{ name = "b", health = 1, damage = 1 }, "#.repeat(65)),
        &[r"5:2572: that is one too many of `hazards`: at most 64"],
    );
    says(
        r#"[visibility]
all = ["helth"]"#,
        &[r"5:8: there is no field `helth`; did you mean `health`?"],
    );
    says(
        r"[visibility]
spectators = []",
        &[r"5:1: there is no key `spectators`; known are `all`, `team`"],
    );
}

#[test]
fn the_course_of_a_fight() {
    course(r#"phase = "active""#, r#"phase = "activ""#, &[r"9:9: there is no phase `activ`; did you mean `active`?"]);
    course(r#""begin""#, r#""begn""#, &[r"10:19: there is no deed `begn`; did you mean `begin`?"]);
    course(r"all_ready", r"all_redy", &[r"7:8: there is no trigger `all_redy`; did you mean `all_ready`?"]);
    course(
        r#""max_duration_ms""#,
        r#""max_duration""#,
        &[r"11:21: there is no setting `max_duration`; did you mean `max_duration_ms`?"],
    );
    course(r#""max_duration_ms""#, r#""rounds""#, &[r"11:21: the setting `rounds` is not a time; times end in `_ms`"]);
    course(
        r#"{ setting = "max_duration_ms", to = "results" }"#,
        r#"{ setting = "max_duration_ms", ms = 5, to = "results" }"#,
        &[r"11:9: needs either `setting`, the name of a setting, or `ms`"],
    );
    course(
        r#"{ setting = "max_duration_ms", to = "results" }"#,
        r#"{ ms = 3_600_001, to = "results" }"#,
        &[r"11:16: must be a whole number from 0 to 3600000"],
    );
    course(r#"to = "finished""#, r#"to = "finish""#, &[r"16:41: there is no state `finish`; did you mean `finished`?"]);
    course(
        r"[lifecycle.states.preparation]",
        r#"[lifecycle]
start = "active"
[lifecycle.states.preparation]"#,
        &[r"10:19: a fight begins in phase preparation, and `active` is not of it"],
    );
    course(
        r#"phase = "finished""#,
        r#"phase = "cooldown"
after = { ms = 1, to = "results" }"#,
        &[
            r"4:2: no state has phase `finished`: no fight ends",
            r"13:19: inescapable: `results` -> `finished` -> `results` by `after`, and no way leads from there to a state of phase finished",
        ],
    );
    course(
        r#"phase = "active""#,
        r#"phase = "cooldown""#,
        &[
            r"4:2: no state has phase `active`: nothing is fought",
            r#"4:2: no state of phase active does `begin`: turns and modifiers would never begin; add `entry = ["begin"]` to the state that is fought in"#,
        ],
    );
    course(
        r#", "begin""#,
        r"",
        &[
            r#"4:2: no state of phase active does `begin`: turns and modifiers would never begin; add `entry = ["begin"]` to the state that is fought in"#,
        ],
    );
    course(
        r"[lifecycle.states.results]",
        r#"[lifecycle.states.overtime]
phase = "active"
after = { ms = 1, to = "results" }
on = { decided = "results" }
[lifecycle.states.results]"#,
        &[r"13:19: the state `overtime` is unreachable: no way leads to it from `preparation`, where it begins"],
    );
    course(
        r#"after = { setting = "max_duration_ms", to = "results" }
"#,
        r"",
        &[
            r#"8:19: the state `active` has no exit by time, so a fight could stay in it for ever; add `after = { ms = …, to = "…" }`"#,
        ],
    );
    course(
        r#", decided = "results" }
[lifecycle.states.active]"#,
        r" }
[lifecycle.states.active]",
        &[
            r#"4:19: the state `preparation` does not take `decided`, which comes when all but one have left; add `decided = "…"` to its `on`"#,
        ],
    );
    course(
        r#", decided = "results" }
[lifecycle.states.results]"#,
        r" }
[lifecycle.states.results]",
        &[r#"8:19: the state `active` does not take `decided`, so nobody could win; add `decided = "…"` to its `on`"#],
    );
    course(
        r#"after = { setting = "cooldown_ms", to = "finished" }
"#,
        r#"after = { setting = "cooldown_ms", to = "credits" }
[lifecycle.states.credits]
phase = "cooldown"
after = { setting = "cooldown_ms", to = "results" }
"#,
        &[
            r"13:19: a cycle without time: `results` -> `credits` -> `results` by `after` alone, and each may take 0 ms",
            r"20:19: the state `finished` is unreachable: no way leads to it from `preparation`, where it begins",
        ],
    );
    course(
        r#"{ setting = "max_duration_ms", to = "results" }"#,
        r#"{ setting = "max_duration_ms", to = "preparation" }"#,
        &[
            r"4:19: a cycle without end: `preparation` -> `active` -> `preparation` by `after` alone, so a fight that nobody wins would never end",
        ],
    );
    course(
        r#"phase = "finished"
"#,
        r#"phase = "finished"
after = { ms = 1, to = "preparation" }
"#,
        &[
            r"4:19: a cycle without end: `preparation` -> `active` -> `results` -> `finished` -> `preparation` by `after` alone, so a fight that nobody wins would never end",
            r"4:19: the state `preparation` can be come to after the fight is decided; only phases cooldown and finished may follow",
            r"8:19: the state `active` can be come to after the fight is decided; only phases cooldown and finished may follow",
            r"17:19: `finished` is of phase finished, which is the end: leave `after` and `on` out",
        ],
    );
    course(
        r#"entry = ["judge"]
"#,
        r"",
        &[
            r"16:19: a fight could come to `finished` without a result: add `judge` to the `entry` of a state on the way",
        ],
    );
    course(
        r#"decided = "results" }
[lifecycle.states.results]"#,
        r#"decided = "preparation" }
[lifecycle.states.results]"#,
        &[
            r"4:19: the state `preparation` can be come to after the fight is decided; only phases cooldown and finished may follow",
            r"8:19: the state `active` can be come to after the fight is decided; only phases cooldown and finished may follow",
        ],
    );
    course(
        r#""reset", "#,
        "",
        &[
            "8:19: a round in `active` could begin with those still out who fell in the last: add `reset` to the `entry` of a state on the way",
        ],
    );
}

#[test]
fn courses_that_are_broken_beside_their_states() {
    says(
        &format!("modes.arena = {{ rounds = 3 }}\n{}", COURSE.replace(r#"round_over = "preparation", "#, "")),
        &[
            r#"9:19: a mode has 3 rounds, and the state `active` does not take `round_over`; add `round_over = "…"` to its `on`"#,
        ],
    );
    says(
        &format!(
            "{}{COURSE}",
            r#"waves = [{ spawns = [{ enemy = "a" }] }]
[enemies.a]
health = 1
damage = 1
phases = [{ name = "x", moves = [] }]
"#
        ),
        &[
            r"9:2: no state of phase active does `waves`: the waves would never come; add it to the `entry` of the state that is fought in",
        ],
    );
    says(
        r"[lifecycle]
states = {}",
        &[r"4:2: there are no states; each is a table `[lifecycle.states.NAME]`"],
    );
    says(
        r#"[lifecycle]
start = "x""#,
        &[r"4:2: there are no states; each is a table `[lifecycle.states.NAME]`"],
    );
    says(
        &many(33, |n| format!("[lifecycle.states.s{n}]\nphase = \"active\"\n")),
        &[r"68:19: that is one state too many: at most 32"],
    );
}

#[test]
fn what_a_participant_is_doing() {
    doing(r#""attack""#, r#""atack""#, &[r"5:11: there is no action `atack`; did you mean `attack`?"]);
    doing(r"guard_over", r"guard_ove", &[r"10:8: there is no trigger `guard_ove`; did you mean `guard_over`?"]);
    doing(
        r"out = true",
        r#"out = true
allows = ["move"]"#,
        &[r"13:21: whoever is out of the fight can do nothing: leave `allows` out"],
    );
    doing(
        r"out = true
",
        r"",
        &[r"4:21: no state is `out = true`, so nobody could be eliminated"],
    );
    doing(
        r"[participant.states.idle]",
        r#"[participant]
start = "out"
[participant.states.idle]"#,
        &[r"15:21: a participant begins in `out`, which is out of the fight"],
    );
    doing(
        r#"guard = "guarding", "#,
        r"",
        &[r"9:21: the state `guarding` is unreachable: no way leads to it from `idle`, where it begins"],
    );
    doing(
        r#"{ revived = "idle" }"#,
        r"{}",
        &[r"13:21: the state `out` is inescapable: no way leads from it back to `idle`"],
    );
    doing(
        r#"guard_over = "idle", "#,
        r"",
        &[r#"9:21: `guard` leads to `guarding`, which does not take `guard_over`; add `guard_over = "…"` to its `on`"#],
    );
    doing(
        r#"{ recovered = "idle", down = "out" }"#,
        r#"{ down = "out" }"#,
        &[r#"11:21: `stun` leads to `stunned`, which does not take `recovered`; add `recovered = "…"` to its `on`"#],
    );
    doing(
        r#"broken = "idle", "#,
        r"",
        &[
            r#"7:21: `cast` leads to `busy`, which does not take `broken`; add `broken = "…"` to its `on`"#,
            r#"7:21: `channel` leads to `busy`, which does not take `broken`; add `broken = "…"` to its `on`"#,
        ],
    );
    doing(
        r#"{ recovered = "idle", down = "out" }"#,
        r#"{ recovered = "idle" }"#,
        &[
            r#"11:21: the state `stunned` does not take `down`, so its participant could not be eliminated; add `down = "…"` to its `on`"#,
        ],
    );
    doing(
        r#"allows = ["attack", "move"]"#,
        r#"after = { ms = 5, to = "out" }"#,
        &[r"5:1: there is no key `after`; known are `allows`, `out`, `entry`, `exit`, `on`"],
    );
}

#[test]
fn a_mistake_is_shown_with_its_line_and_a_caret() {
    let shown = |text: &str| load(text).expect_err("it is broken").of_file("rules/x.toml").to_string();
    assert_eq!(
        shown(&format!("{HEAD}[settings]\n\thelth = 100 # full\n")),
        "rules/x.toml:5:2: there is no setting `helth`; did you mean `health`?\n\
         5 |  helth = 100 # full\n\
         \x20 |  ^^^^^\n"
    );
    // Characters are counted, not bytes; and a line ending of Windows is none.
    let text = format!("{HEAD}\r\nx = {{ größe = 1 }}\r\n");
    assert_eq!(
        shown(&text).lines().take(3).collect::<Vec<_>>(),
        [
            "rules/x.toml:5:9: invalid unquoted key, expected letters, numbers, `-`, `_`",
            "5 | x = { größe = 1 }",
            "  |         ^^"
        ]
    );
    // Nothing of a text reaches a terminal as a command.
    let text = format!("{HEAD}'\u{9b}31m' = 1\n\"\\u001b[2J\" = 2\n");
    assert!(shown(&text).chars().all(|c| c == '\n' || !c.is_control()), "{:?}", shown(&text));
}

#[test]
fn a_long_line_is_cut_to_the_part_that_is_meant() {
    let text = format!("{HEAD}players = [{}\"medkt\"]\n[items.medkit]\ndoes = [{{ heal = 1 }}]\n", " ".repeat(500));
    let shown = load(&text).unwrap_err().of_file("x").to_string();
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines[0], "x:4:512: there is no ability or item `medkt`; did you mean `medkit`?");
    assert_eq!(lines[1].find("\"medkt\""), lines[2].find("^^^^^^^"));
    assert!(lines.iter().all(|line| line.len() < 130));
}

#[test]
fn all_mistakes_are_told_up_to_a_bound() {
    let wrong = |count: usize| {
        let mut text = format!("{HEAD}[settings]\n");
        (0..count).for_each(|n| writeln!(text, "wrong_{n} = 1").unwrap());
        load(&text).unwrap_err()
    };
    let few = wrong(MOST_PROBLEMS);
    assert_eq!((few.list.len(), few.unsaid, few.count()), (MOST_PROBLEMS, 0, MOST_PROBLEMS));
    let many = wrong(MOST_PROBLEMS + 7);
    assert_eq!((many.list.len(), many.unsaid, many.count()), (MOST_PROBLEMS, 7, MOST_PROBLEMS + 7));
    assert!(many.of_file("x").to_string().ends_with("\nx: and 7 more\n"));
    assert!(many.list.is_sorted_by_key(|problem| problem.line));
}

#[test]
fn a_file_has_a_bound() {
    let fits = format!("{HEAD}#{}", " ".repeat(MOST_BYTES - HEAD.len() - 1));
    load(&fits).unwrap();
    assert_eq!(mistakes(&format!("{fits} ")), ["1:1: the file has 262145 bytes; at most 256 KiB are read"]);
}

#[test]
fn the_hash_is_of_the_text_whatever_its_line_endings() {
    let windows = DEFAULT.replace('\n', "\r\n");
    assert_eq!(load(DEFAULT).unwrap().hash, load(&windows).unwrap().hash);
    assert_eq!(hash_of(DEFAULT), load(DEFAULT).unwrap().hash);
    assert_ne!(hash_of(DEFAULT), hash_of(&DEFAULT.replacen("100", "101", 1)));
    // SHA-256 of "abc", from its standard.
    assert_eq!(hash_of("abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
}

/// A change to a text: where, in parts of a thousand, what goes, and what comes.
#[derive(Debug, Clone)]
struct Change {
    at: usize,
    gone: usize,
    come: String,
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let piece = prop_oneof![
        "[\\[\\]{}=\"#.,0-9a-z_ \n-]{0,6}",
        ".{0,3}",
        Just("99999999999999999999".to_owned()),
        Just("[[waves]]\n".to_owned()),
        Just("= {}\n".to_owned()),
        Just("= [[]]\n".to_owned()),
        Just("= -1\n".to_owned()),
        Just("= nan\n".to_owned()),
        Just("[lifecycle.states.results]\n".to_owned()),
    ];
    let change = (0..1_000_usize, 0..40_usize, piece).prop_map(|(at, gone, come)| Change { at, gone, come });
    proptest::collection::vec(change, 1..6)
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for Change { at, gone, come } in changes {
        let at = text.len() * at / 1_000;
        let end = (at + gone).min(text.len());
        text.splice(at..end, come.chars());
    }
    text.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Whatever is done to a text, it is a ruleset or its mistakes are within it; and nothing panics.
    #[test]
    fn no_text_is_too_broken(changes in changes()) {
        for text in [DEFAULT, &format!("{HEAD}{COURSE}{DOING}")] {
            let text = changed(text, &changes);
            let Err(problems) = load(&text) else { continue };
            prop_assert!(!problems.list.is_empty() && problems.list.len() <= MOST_PROBLEMS);
            let lines = text.matches('\n').count() + 1;
            prop_assert!(problems.list.iter().all(|problem| (1..=lines).contains(&problem.line)));
            prop_assert!(problems.of_file("x").to_string().lines().all(|line| line.chars().count() < 1_000));
        }
    }
}
