//! What happens in one moment happens together: who falls with others, who falls in its own turn, and rounds that are won by
//! a score.

mod hosted;
mod scripts;
mod watched;

use std::sync::Arc;

use scripts::{check, check_in};
use tiltyard_combat::{Mode, Ruleset, load};

/// Two hazards that reach everybody, one each second and one that goes off when it is shot, and abilities that hurt all others, or
/// poison one for its end a second later.
const TEXT: &str = r#"
name = "moments"
title = "Whatever takes several at once"
players = ["quake", "venom", "plague"]

[settings]
preparation_ms = 0
intermission_ms = 1_000
[modes.pvp]

[abilities.quake]
affects = "others"
shape = "area"
radius_m = 100
does = [{ damage = 100 }]

[abilities.venom]
affects = "enemies"
range_m = 100
does = [{ apply = "venom" }]

[abilities.plague]
affects = "others"
shape = "area"
radius_m = 100
does = [{ apply = "venom" }, { gain = "venom" }]

[effects.venom]
element = "poison"
ms = 1_500
tick_ms = 1_000
tick_damage = 100

[environment]
name = "pit"
width_m = 20
height_m = 10
spawns = [
  { team = 0, at = [4, 5] },
  { team = 1, at = [6, 5] },
  { team = 2, at = [8, 5] },
]

[[environment.hazards]]
name = "barrel"
at = [1, 1]
health = 10
damage = 100
"#;

fn ruleset() -> Arc<Ruleset> {
    Arc::new(load::load(TEXT).unwrap_or_else(|problems| panic!("{problems}")))
}

/// With acid rain each second.
fn rain() -> Arc<Ruleset> {
    let rain = "[[environment.hazards]]\nname = \"rain\"\nat = [1, 1]\nevery_ms = 1_000\ndamage = 100\n";
    Arc::new(load::load(&format!("{TEXT}\n{rain}")).unwrap_or_else(|problems| panic!("{problems}")))
}

#[test]
fn whatever_takes_all_at_once_leaves_a_draw() {
    for players in [2, 3] {
        let lines = |what: &str| {
            format!(
                "seats {players}\nat 0 -> phase active\n{what}, phase cooldown, end last standing, winner nobody, team won nobody"
            )
        };
        check_in(&ruleset(), Mode::Pvp, &lines("at 0 p1 strike hazard 0 -> ok"));
        check_in(&rain(), Mode::Pvp, &lines("at 1000 -> p0 eliminated, p1 eliminated"));
        check_in(&ruleset(), Mode::Pvp, &lines("at 0 p1 use plague -> ok\nat 1000 -> p0 eliminated, p1 eliminated"));
        // Looked at late it is the same.
        check_in(&rain(), Mode::Pvp, &lines("at 5000 -> p0 eliminated, p1 eliminated"));
    }
    // Two by each other's effects, by an effect and the rain.
    check_in(
        &ruleset(),
        Mode::Pvp,
        "seats 2
         at 0 p0 use venom on p1 -> ok
         at 0 p1 use venom on p0 -> ok
         at 1000 -> p0 eliminated, p1 eliminated, winner nobody, p0 score 100, p1 score 100",
    );
    check_in(
        &rain(),
        Mode::Pvp,
        "seats 2
         at 0 p0 use venom on p1 -> ok, phase active
         at 1000 -> p0 eliminated, p1 eliminated, winner nobody, p0 score 100, p1 score 0",
    );
    // One gives its seat up when the other dies.
    check_in(
        &ruleset(),
        Mode::Pvp,
        "rules reconnect_ms=1000
         seats 2
         at 0 p0 connects -> ok
         at 0 p0 use venom on p1 -> ok
         at 0 p0 disconnects -> ok
         at 1000 -> p0 eliminated, p1 eliminated, winner nobody, end last standing",
    );
}

#[test]
fn who_is_left_by_a_blow_that_takes_several_has_won() {
    check_in(
        &ruleset(),
        Mode::Pvp,
        "seats 3
         at 0 p1 use quake -> ok, p0 eliminated, p2 eliminated, winner p1, p1 score 200, end last standing",
    );
    check_in(
        &rain(),
        Mode::Pvp,
        "rules health=150
         seats 3
         at 500 p0 attack p2 -> ok, p2 hp 125
         at 600 p1 attack p0 -> ok, p0 hp 125
         at 2000 -> p0 eliminated, p2 eliminated, p1 eliminated, winner nobody",
    );
    // A moment before is not the same moment.
    check_in(
        &rain(),
        Mode::Pvp,
        "seats 2
         at 999 p0 use quake -> ok, winner p0
         at 1000 -> p0 active, winner p0",
    );
    // What the time is up for comes too late, and so does an action.
    check_in(
        &rain(),
        Mode::Pvp,
        "rules max_duration_ms=1000
         seats 2
         at 1000 -> phase cooldown, end time limit, winner nobody, p0 active, p1 active
         at 1000 p0 use quake -> wrong phase",
    );
}

#[test]
fn teams_that_fall_together_leave_a_draw() {
    check_in(
        &ruleset(),
        Mode::Pvp,
        "rules teams=2
         seats 4
         at 0 -> phase active
         at 0 p1 strike hazard 0 -> ok, winner nobody, team won nobody, end last standing",
    );
    check_in(
        &ruleset(),
        Mode::Pvp,
        "rules teams=2
         seats 4
         at 0 p1 use quake -> ok, p3 eliminated, team won 1, winner p1",
    );
}

#[test]
fn a_round_that_takes_all_is_won_by_nobody() {
    check_in(
        &ruleset(),
        Mode::Pvp,
        "rules rounds=3
         seats 2
         at 0    -> phase active
         at 0    p0 strike hazard 0 -> ok, p0 eliminated, p1 eliminated, phase cooldown, end open
         at 1000 -> phase active, p0 hp 100, p1 hp 100
         at 1000 p0 use quake -> ok, phase cooldown, end open
         at 2000 p1 strike hazard 0 -> ok, phase cooldown, end rounds won, winner p0",
    );
}

#[test]
fn a_turn_that_is_over_as_all_fall_ends_once() {
    // The last to be waited for and the turn have the same end, and nobody is left for the turn to go to.
    check(
        "rules turn_ms=1000 preparation_ms=1000 arrival_ms=5000
         seats 2
         at 5000 -> end abandoned, winner nobody",
    );
}

#[test]
fn a_turn_does_not_stay_with_who_fell_on_it() {
    // Whose turn it is shows by who may act: all others are refused.
    let turns = "rules turn_ms=30000 reconnect_ms=500
         seats 3
         at 0 p0 connects -> ok
         at 0 p1 connects -> ok
         at 0 p2 connects -> ok
         at 0 -> phase active";
    let order = order_of(turns);
    let [first, second, third] = order;
    // Of poison, in its own turn.
    check_in(
        &ruleset(),
        Mode::Pvp,
        &format!(
            "{turns}
             at 1    p{first} use venom on p{second} -> ok
             at 1000 p{third} defend -> not your turn
             at 1001 -> p{second} eliminated, p{first} score 100
             at 1001 p{third} defend -> ok
             at 1001 p{first} defend -> ok"
        ),
    );
    // By giving its seat up.
    check_in(
        &ruleset(),
        Mode::Pvp,
        &format!(
            "{turns}
             at 1   p{first} disconnects -> ok
             at 500 p{second} defend -> not your turn
             at 501 p{second} defend -> ok, p{first} eliminated
             at 501 p{third} defend -> ok
             at 501 p{third} defend -> not your turn
             at 501 p{second} attack p{third} -> ok"
        ),
    );
    // By a hazard that it sets off itself, where others outlive it.
    let blast = TEXT.replace("at = [1, 1]\nhealth = 10\ndamage = 100", "at = [1, 1]\nhealth = 10\ndamage = 80");
    let blast = Arc::new(load::load(&blast).unwrap_or_else(|problems| panic!("{problems}")));
    check_in(
        &blast,
        Mode::Pvp,
        &format!(
            "{turns}
             at 1 p{first} attack p{second} -> ok
             at 1 p{second} strike hazard 0 -> ok, p{second} eliminated, p{first} hp 20, p{third} hp 20
             at 1 p{third} attack p{first} -> ok, winner p{third}"
        ),
    );
    // By the rain, when another is on turn: nothing changes for that one.
    check_in(
        &ruleset(),
        Mode::Pvp,
        &format!(
            "{turns}
             at 1    p{first} use venom on p{third} -> ok
             at 1001 -> p{third} eliminated
             at 1002 p{first} defend -> not your turn
             at 1002 p{second} defend -> ok
             at 1002 p{first} defend -> ok"
        ),
    );
}

/// The order in which three act.
fn order_of(script: &str) -> [u8; 3] {
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let acts = |[a, b, c]: [u8; 3]| {
        let lines = [a, b, c].map(|slot| format!("at 0 p{slot} defend -> ok")).join("\n");
        let script = format!("{script}\n{lines}");
        std::panic::catch_unwind(|| check_in(&ruleset(), Mode::Pvp, &script)).is_ok()
    };
    orders.into_iter().find(|&order| acts(order)).expect("an order")
}

#[test]
fn a_score_wins_the_round_it_was_made_in() {
    let rules = "rules rounds=3 preparation_ms=0 intermission_ms=1000 score_limit=200 attack_damage_min=100 attack_damage_max=100 attack_interval_ms=0";
    check(&format!(
        "{rules}
         seats 4
         at 0    -> phase active
         at 0    p0 attack p1 -> ok, phase active
         at 0    p0 attack p2 -> ok, phase cooldown, p0 score 200, end open
         // The next round is not over at its first fall: the score of the first does not count in it.
         at 1000 p0 attack p1 -> ok, phase active, p0 score 300
         at 1000 p3 attack p2 -> ok, phase active, p3 score 100
         at 1000 p3 attack p0 -> ok, phase cooldown, p3 score 200, end open
         at 2000 p0 attack p1 -> ok, phase active
         at 2000 p0 attack p2 -> ok, phase cooldown, end rounds won, winner p0, p0 score 500"
    ));
    // And whoever leads when the time is up leads in that round.
    check(&format!(
        "{rules} max_duration_ms=1000
         seats 4
         at 0    p0 attack p1 -> ok
         at 0    p0 attack p2 -> ok, phase cooldown
         at 1000 p1 attack p2 -> ok, phase active, p1 score 100
         at 2000 -> phase cooldown, end open
         at 3000 p1 attack p0 -> ok, phase active
         at 3000 p1 attack p2 -> ok, phase cooldown, end rounds won, winner p1"
    ));
    // In one without rounds it is the score of the fight.
    check(
        "rules score_limit=200 attack_damage_min=100 attack_damage_max=100 attack_interval_ms=0 preparation_ms=0
         seats 4
         at 0 p0 attack p1 -> ok, phase active
         at 0 p0 attack p2 -> ok, end score limit, winner p0",
    );
}

#[test]
fn scores_that_are_reached_together_are_compared() {
    let script = |more: &str, winner: &str| {
        format!(
            "rules score_limit=100
             seats 3
             at 0    p0 use venom on p1 -> ok
             {more}
             at 1000 -> end score limit, winner {winner}"
        )
    };
    check_in(&ruleset(), Mode::Pvp, &script("at 0 p1 use venom on p0 -> ok", "nobody"));
    check_in(&ruleset(), Mode::Pvp, &script("at 0 p1 use plague -> ok", "p1"));
    check_in(&ruleset(), Mode::Pvp, &script("", "p0"));
}

#[test]
fn who_fell_in_a_round_has_not_lost_the_fight_when_the_other_leaves() {
    check(
        "rules rounds=3 preparation_ms=0 intermission_ms=5000 reconnect_ms=1000 attack_damage_min=100 attack_damage_max=100
         seats 2
         at 0    p0 connects -> ok
         at 0    p0 attack p1 -> ok, phase cooldown, p1 eliminated
         at 100  p0 disconnects -> ok
         at 1100 -> end forfeit, winner p1",
    );
}
