//! The world around the participants: the environment, the server's enemies, and fair play.

mod hosted;
mod scripts;
mod watched;

use std::sync::Arc;

use hosted::Hosted;
use scripts::{check, check_in};
use tiltyard_combat::ruleset::{Cover, CoverKind, Effect, Environment, Hazard, Spot};
use tiltyard_combat::{
    Action, BodyPart, EndReason, Input, Mode, ParticipantStatus, PlayerId, Point, Ruleset, Setup, Slot,
};
use watched::Watched;

/// An arena of twenty by ten metres, where the teams begin four metres apart.
fn arena(change: impl FnOnce(&mut Ruleset)) -> Arc<Ruleset> {
    let mut ruleset = (*Ruleset::plain()).clone();
    let spot = |team, x| Spot { team, at: Point::new(x, 500) };
    ruleset.environment = Environment {
        name: "hall".to_owned(),
        width_cm: 2_000,
        height_cm: 1_000,
        spawns: vec![spot(0, 200), spot(1, 600), spot(2, 1_000)],
        ..Environment::default()
    };
    ruleset.rules.preparation_ms = 0;
    change(&mut ruleset);
    Arc::new(ruleset)
}

fn cover(kind: CoverKind, x: i32, y: i32, width_cm: u32, height_cm: u32, health: u32) -> Cover {
    Cover { name: "cover".to_owned(), kind, at: Point::new(x, y), width_cm, height_cm, health }
}

fn hazard(x: i32, radius_cm: u32, every_ms: u32, health: u32, damage: u32) -> Hazard {
    let (name, at) = ("hazard".to_owned(), Point::new(x, 500));
    Hazard { name, at, radius_cm, every_ms, health, damage, element: None, effect: None }
}

// The environment.

#[test]
fn covers_and_walls_are_shot_to_pieces_and_what_is_behind_them_is_hit() {
    let ruleset = arena(|ruleset| {
        let covers = &mut ruleset.environment.covers;
        covers.push(cover(CoverKind::Wall, 400, 0, 50, 1_000, 60));
        covers.push(cover(CoverKind::Wall, 1_900, 0, 50, 100, 0));
        covers.push(cover(CoverKind::Soft, 1_800, 800, 50, 100, 30));
    });
    check_in(
        &ruleset,
        Mode::Pvp,
        "rules attack_range_cm=1000
         seats 2
         at 0 -> phase active, p0 at 200 500, p1 at 600 500, cover 0 60, cover 1 0, cover 2 30
         at 0 p0 attack p1 -> no sight
         // Nothing destroys a cover without health; there are no others; and the last is too far.
         at 0 p0 strike cover 1 -> invalid target
         at 0 p0 strike cover 3 -> no such target
         at 0 p0 strike cover 2 -> out of range
         at 0 p0 strike cover 0 -> ok, shows p0 strikes cover 0 25, cover 0 35
         at 10 p0 strike cover 0 -> cooldown until 100
         at 10 p1 strike cover 0 -> ok, cover 0 10
         at 110 p0 strike cover 0 -> ok, shows p0 strikes cover 0 10 + p0 destroys cover 0, cover 0 0
         at 210 p0 strike cover 0 -> invalid target
         at 210 p0 attack p1 -> ok, p1 hp 75",
    );
}

#[test]
fn a_round_begins_in_a_whole_arena() {
    let ruleset = arena(|ruleset| {
        ruleset.environment.covers.push(cover(CoverKind::Hard, 400, 0, 50, 100, 20));
        ruleset.environment.hazards.push(hazard(1_500, 100, 0, 20, 10));
    });
    check_in(
        &ruleset,
        Mode::Arena,
        "rules rounds=3 intermission_ms=1000 health=25
         seats 2
         at 0 -> phase active
         at 0 p0 strike cover 0 -> ok, cover 0 0
         at 0 p1 strike hazard 0 -> ok, hazard 0 gone
         at 100 p0 attack p1 -> ok, phase cooldown, cover 0 0
         at 1100 -> phase active, cover 0 20, hazard 0 20, p1 hp 25",
    );
}

#[test]
fn barrels_take_what_stands_near_with_them() {
    let ruleset = arena(|ruleset| {
        let hazards = &mut ruleset.environment.hazards;
        hazards.push(hazard(500, 150, 0, 20, 40));
        // Within the first one's reach, and destroyed by it.
        hazards.push(hazard(620, 100, 0, 40, 10));
        // It is only scratched, and the next is out of reach.
        hazards.push(hazard(720, 100, 0, 25, 90));
        hazards.push(hazard(900, 100, 0, 5, 90));
        hazards.push(hazard(1_500, 100, 500, 0, 90));
    });
    check_in(
        &ruleset,
        Mode::Pvp,
        "seats 2
         at 0 -> phase active
         at 0 p0 strike hazard 4 -> invalid target
         at 0 p0 strike hazard 0 -> ok, hazard 0 gone, hazard 1 gone, hazard 2 15, hazard 3 5
         // The second is not hurt twice by the first, though it stands there before it burns itself.
         at 0 -> p1 hp 50, p0 hp 100
         at 100 p0 strike hazard 0 -> invalid target",
    );
}

#[test]
fn walls_keep_a_blast_away_and_nobody_gets_the_merit() {
    let ruleset = arena(|ruleset| {
        ruleset.environment.hazards.push(hazard(500, 300, 0, 20, 100));
        ruleset.environment.covers.push(cover(CoverKind::Wall, 540, 0, 20, 1_000, 0));
    });
    check_in(
        &ruleset,
        Mode::Pvp,
        "seats 3
         at 0 -> phase active
         at 0 p2 strike hazard 0 -> no sight
         at 0 p0 strike hazard 0 -> ok, p0 eliminated, p1 hp 100, p0 score 0, p2 score 0
         at 0 -> status active, participants 3",
    );
}

#[test]
fn hazards_reach_those_within_by_their_own_clock() {
    let ruleset = arena(|ruleset| {
        ruleset.effects.push(Effect {
            name: "burn".to_owned(),
            ms: 400,
            tick_ms: 300,
            tick_damage: 1,
            ..Effect::default()
        });
        ruleset.environment.hazards.push(Hazard { effect: Some(0), ..hazard(600, 100, 1_000, 0, 10) });
        ruleset.environment.hazards.push(hazard(0, 0, 1_500, 0, 2));
    });
    check_in(
        &ruleset,
        Mode::Pvp,
        "rules preparation_ms=5000
         seats 2
         // They count from the beginning of the fight.
         at 5000 -> phase active, p0 hp 100, p1 hp 100
         at 5999 -> p1 hp 100
         at 6000 -> p1 hp 90, p0 hp 100, p1 effects 0x1
         at 6300 -> p1 hp 89
         at 6400 -> p1 effects none
         at 6500 -> p0 hp 98, p1 hp 87
         // One tick that comes late does everything in order.
         at 9000 -> p0 hp 96, p1 hp 53",
    );
}

#[test]
fn of_two_who_burn_together_nobody_is_left() {
    let ruleset = arena(|ruleset| ruleset.environment.hazards.push(hazard(0, 0, 1_000, 0, 30)));
    check_in(
        &ruleset,
        Mode::Pvp,
        "rules health=60
         seats 2
         at 0 -> phase active
         at 500 p0 attack p1 -> ok, p1 hp 35
         at 2000 -> p0 eliminated, p1 eliminated, phase cooldown, winner nobody, end last standing",
    );
}

#[test]
fn modifiers_are_drawn_for_a_round_and_none_twice() {
    let ruleset = arena(|ruleset| {
        let effect = |name: &str| Effect { name: name.to_owned(), ..Effect::default() };
        ruleset.effects = ["gravity", "silence", "marksman", "heavy"].map(effect).to_vec();
        ruleset.modifiers = vec![0, 1, 2, 3];
        ruleset.rules.modifiers = 2;
        ruleset.rules.rounds = 99;
        ruleset.rules.intermission_ms = 1_000;
        ruleset.rules.max_duration_ms = 1_000;
    });
    let mut watched = fight(&ruleset, Mode::Arena, 2);
    let (mut drawn, mut seen) = (Vec::new(), [false; 4]);
    for round in 0..40_u64 {
        watched.handle(round * 2_000, Input::Tick).expect("a tick");
        let modifiers = watched.fight().field().modifiers().to_vec();
        assert!(watched.step().modifiers_changed());
        assert_eq!(modifiers.len(), 2);
        assert_ne!(modifiers[0], modifiers[1]);
        for &modifier in &modifiers {
            seen[usize::from(modifier)] = true;
        }
        drawn.push(modifiers);
        watched.handle(round * 2_000 + 500, Input::Tick).expect("a tick");
        assert_eq!(watched.fight().field().modifiers(), drawn[drawn.len() - 1], "for the whole round");
    }
    drawn.dedup();
    assert!(drawn.len() > 10 && seen == [true; 4], "by chance: {drawn:?}");

    let few = arena(|ruleset| {
        ruleset.effects = vec![Effect::default()];
        (ruleset.modifiers, ruleset.rules.modifiers) = (vec![0], 8);
    });
    let mut watched = fight(&few, Mode::Pvp, 2);
    watched.handle(0, Input::Tick).expect("a tick");
    assert_eq!(watched.fight().field().modifiers(), [0], "no more than there are");
}

fn fight(ruleset: &Arc<Ruleset>, mode: Mode, players: u8) -> Watched {
    let participants = (0..PlayerId::from(players)).map(|player| player + 1_000).collect();
    let rules = ruleset.rules.clone();
    let setup = Setup { mode, rules, seats: players, participants, teams: Vec::new(), seed: 7 };
    Watched::new(Hosted::new(Arc::clone(ruleset), setup))
}

// Fair play.

#[test]
fn who_attacks_too_soon_again_and_again_is_flagged() {
    check(
        "rules preparation_ms=0
         seats 2
         at 0 -> phase active
         at 0 p0 attack p1 -> ok
         at 10 p0 attack p1 -> cooldown until 100, flags nobody
         at 20 p0 attack p1 -> cooldown until 100, flags nobody
         at 30 p0 attack p1 -> cooldown until 100, flags p0 interval
         at 40 p0 attack p1 -> cooldown until 100, flags nobody
         // Whoever got one through begins anew; a flag is quiet for ten seconds.
         at 9900 p0 attack p1 -> ok
         at 10028 p0 attack p1 -> ok
         at 10029 p0 attack p1 -> cooldown until 10128, flags nobody
         at 10029 p0 attack p1 -> cooldown until 10128, flags nobody
         at 10029 p0 attack p1 -> cooldown until 10128, flags nobody
         at 10030 p0 attack p1 -> cooldown until 10128, flags p0 interval",
    );
}

#[test]
fn one_that_gets_through_begins_anew() {
    check(
        "rules preparation_ms=0
         seats 2
         at 0 -> phase active
         at 0 p0 attack p1 -> ok
         at 98 p0 attack p1 -> cooldown until 100
         at 99 p0 attack p1 -> cooldown until 100
         at 100 p0 attack p1 -> ok
         at 198 p0 attack p1 -> cooldown until 200, flags nobody
         at 199 p0 attack p1 -> cooldown until 200, flags nobody",
    );
}

#[test]
fn who_aims_beyond_its_range_or_through_walls_again_and_again_is_flagged() {
    check_in(
        &arena(|_| {}),
        Mode::Pvp,
        "rules attack_range_cm=500
         wall 800 0 size 20 1000
         seats 3
         at 0 -> phase active
         at 0 p0 attack p2 -> out of range, flags nobody
         at 0 p0 attack p2 -> out of range, flags nobody
         at 0 p0 attack p1 -> ok
         at 0 p1 attack p2 -> no sight, flags nobody
         at 0 p1 attack p2 -> no sight, flags nobody
         at 0 p0 attack p2 -> cooldown until 100
         at 100 p0 attack p2 -> out of range, flags nobody
         at 100 p0 attack p2 -> out of range, flags nobody
         at 100 p1 attack p2 -> no sight, flags p1 aim
         at 100 p0 attack p2 -> out of range, flags p0 aim",
    );
}

#[test]
fn who_says_to_be_where_it_cannot_be_is_flagged() {
    check_in(
        &arena(|_| {}),
        Mode::Pvp,
        "rules speed_cm_per_s=100
         seats 2
         at 0 -> phase active
         at 1000 p0 move to 2000 500 -> too fast, flags p0 speed
         at 1000 p0 move to 2000 500 -> too fast, flags nobody
         at 11000 p0 move to 2000 500 -> too fast, flags p0 speed
         at 12000 p1 move to 600 -1 -> too fast, flags p1 speed",
    );
}

#[test]
fn places_told_by_a_clock_are_fair() {
    let line = |time: u32| format!("at {} p0 move to {} 500 -> ok, flags nobody\n", 1_000 + time * 50, 200 + time * 10);
    let lines = (0..70_u32).map(line).collect::<String>();
    check_in(&arena(|_| {}), Mode::Pvp, &("rules regular_ms=8\nseats 2\nat 0 -> phase active\n".to_owned() + &lines));
}

#[test]
fn who_does_nothing_is_flagged_as_away_once() {
    check(
        "rules preparation_ms=20000 afk_ms=45000
         seats 2
         at 20000 -> phase active
         at 30000 p0 attack p1 -> ok
         // The first was never there: that counts from the start of the fight.
         at 64999 -> flags nobody
         at 65000 -> flags p1 away, shows nothing
         at 74999 -> flags nobody
         at 75000 -> flags p0 away
         at 90000 p0 attack p1 -> ok
         at 134999 -> flags nobody
         at 135000 -> flags p0 away
         at 200000 -> flags nobody",
    );
}

#[test]
fn a_pause_is_no_absence_and_neither_is_waiting_for_ones_turn() {
    check(
        "rules preparation_ms=0 afk_ms=45000
         seats 2
         at 0 -> phase active
         at 40000 pause -> ok
         at 140000 resume -> ok
         at 144999 -> flags nobody
         at 145000 -> flags p0 away + p1 away",
    );
    check(
        "rules preparation_ms=0 afk_ms=10000 turn_ms=20000
         seats 2
         at 0 -> phase active
         at 100000 -> flags nobody",
    );
}

#[test]
fn who_acts_like_clockwork_is_flagged() {
    let script = |last: u32| {
        let begin = "rules preparation_ms=0 health=100000 regular_ms=8\nseats 2\nat 0 -> phase active\n".to_owned();
        let line = |time| format!("at {} p0 attack p1 -> ok, flags nobody\n", 1_000 + time * 120);
        let lines = begin + &(0..32_u32).map(line).collect::<String>();
        let flags = if last < 1_000 + 32 * 120 + 40 { "p0 regular" } else { "nobody" };
        lines + &format!("at {last} p0 attack p1 -> ok, flags {flags}")
    };
    check(&script(1_000 + 32 * 120));
    check(&script(1_000 + 32 * 120 + 60));
}

// Fog.

#[test]
fn a_team_sees_as_far_as_its_eyes_and_not_through_walls() {
    let ruleset = arena(|_| {});
    check_in(
        &ruleset,
        Mode::Pvp,
        "rules sight_cm=700 speed_cm_per_s=100000
         wall 700 0 size 20 550 health 25
         seats 3
         // At 200, 600 and 1000: the last is behind the wall, and too far for the first anyway.
         at 0 -> phase active, p0 seen by p1, p1 seen by p0, p2 seen by nobody
         at 1000 p0 attack p2 -> no sight
         at 1000 p2 move to 1000 850 -> ok, p2 seen by p1, p1 seen by p0 p2, p0 seen by p1
         at 2000 p2 move to 1400 850 -> ok, p2 seen by nobody
         at 3000 p2 move to 1000 500 -> ok, p2 seen by nobody
         at 3000 p1 strike cover 0 -> ok, cover 0 0, p2 seen by p1, p1 seen by p0 p2
         at 3100 p0 attack p1 -> ok, p1 hp 75
         // Whoever is down sees nobody, and is seen all the same.
         at 3200 p2 attack p1 -> ok
         at 3300 p2 attack p1 -> ok
         at 3400 p2 attack p1 -> ok, p1 eliminated, p2 seen by nobody, p1 seen by p0 p2, p0 seen by nobody",
    );
}

#[test]
fn without_fog_all_are_seen() {
    check("rules preparation_ms=0\nseats 2\nat 0 -> phase active, p0 seen by p1, p1 seen by p0");
}

// The server's enemies.

/// A player that shoots at the nearest enemy and keeps away from it: no genius.
fn play(fight: &Hosted, slot: Slot) -> Option<Action> {
    let me = &fight.participants()[usize::from(slot)];
    let foes = (0_u8..).zip(fight.participants());
    let near = foes.filter(|(_, p)| p.team() != me.team() && p.status() != ParticipantStatus::Eliminated);
    let (foe, _) = near.min_by_key(|(_, p)| p.at().distance_squared(me.at()))?;
    Some(Action::Attack { target: Some(foe), part: BodyPart::Torso })
}

#[test]
fn the_shipped_waves_can_be_fought_to_an_end() {
    let ruleset = Arc::new(tiltyard_combat::load::load(include_str!("../../rules/default.toml")).expect("a ruleset"));
    let mut watched = fight(&ruleset, Mode::Pve, 2);
    let mut at = 0;
    while !watched.fight().lifecycle().is_ended() {
        at += 200;
        for slot in 0..2 {
            if let Some(action) = play(watched.fight(), slot) {
                let _refused = watched.handle(at, Input::Act { slot, id: 0, action });
            }
        }
        watched.handle(at, Input::Tick).expect("a tick");
    }
    let end = watched.fight().lifecycle().end();
    assert!(matches!(end, Some(EndReason::Cleared | EndReason::Defeated)), "{end:?}");
    assert!(watched.fight().waves().come() > 1);
}
