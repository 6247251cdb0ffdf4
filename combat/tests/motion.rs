//! Facing and velocity, as scripts: how they come, what they may be, and what makes them go. And why somebody comes and goes.

mod hosted;
mod scripts;
mod watched;

use std::sync::Arc;

use hosted::Hosted;
use tiltyard_combat::ruleset::{Ability, Affects, Effect, EffectId, Modifiers, Op};
use tiltyard_combat::{
    Action, ActionKind, ActionSet, Arrival, Event, Fields, Input, Mode, Parting, Point, Refusal, Rules, Ruleset, Step,
    Velocity,
};

const EFFECTS: [&str; 5] = ["stun", "root", "halt", "slow", "haste"];

/// With what keeps others from moving; a fight is on from the first millisecond.
fn ruleset() -> Arc<Ruleset> {
    let mut ruleset = Ruleset::clone(&Ruleset::plain());
    ruleset.rules.preparation_ms = 0;
    let effect = |name: &str| Effect { name: name.to_owned(), ms: 1_000, ..Effect::default() };
    let speed = |name, speed| Effect { modifiers: Modifiers { speed, ..Modifiers::default() }, ..effect(name) };
    ruleset.effects = vec![
        Effect { stuns: true, ..effect("stun") },
        Effect { denies: ActionSet::from_iter([ActionKind::Move]), ..effect("root") },
        speed("halt", -100),
        speed("slow", -50),
        speed("haste", 100),
    ];
    let ability = |(id, name): (EffectId, &str)| Ability {
        name: name.to_owned(),
        affects: Affects::Others,
        range_cm: 100_000,
        does: vec![Op::Apply { effect: id, ms: 0 }],
        ..Ability::default()
    };
    ruleset.abilities = (0..).zip(EFFECTS).map(ability).collect();
    ruleset.kit = 5;
    Arc::new(ruleset)
}

fn check(script: &str) {
    scripts::check_in(&ruleset(), Mode::Pvp, script);
}

#[test]
fn a_move_says_which_way_one_faces_and_how_fast_one_goes() {
    check(
        "spot 0 2500 2500
         seats 2
         at 0    -> p0 faces 0, p0 goes 0 0
         at 1000 p0 move to 2510 2500 facing 359 going 300 -400 -> ok, p0 at 2510 2500, p0 faces 359, p0 goes 300 -400
         // What it does not say: the facing stays, the velocity is none.
         at 1100 p0 move to 2510 2500 going 0 10  -> ok, in step 3, p0 faces 359, p0 goes 0 10
         at 1200 p0 move to 2510 2500 facing 90   -> ok, in step 4, p0 faces 90, p0 goes 0 0
         // One that changes nothing shows nothing.
         at 1300 p0 move to 2510 2500 facing 90   -> ok, in step 4, shows nothing
         at 1300 p0 move to 2510 2500             -> ok, in step 4, shows nothing
         at 1400 p0 move to 2511 2500 going 5 0   -> ok, in step 5
         at 1500 p0 move to 2512 2500             -> ok, in step 6, p0 faces 90, p0 goes 0 0",
    );
}

#[test]
fn a_step_names_what_of_the_motion_has_changed() {
    let mut fight = Hosted::new(ruleset(), setup(Rules { preparation_ms: 0, ..ruleset().rules.clone() }));
    let start = fight.participants()[0].at();
    let mut changed = |at, x, facing, velocity| {
        let (action, mut step) = (Action::Walk { to: Point::new(x, start.y), facing, velocity }, Step::default());
        fight.handle(at, Input::Act { slot: 0, id: 0, action }, &mut step).expect("a move");
        step.changed().iter().find(|(slot, _)| *slot == 0).map(|&(_, fields)| fields)
    };
    let (here, fast) = (start.x, Velocity::new(1, 2));
    changed(10_000, here, None, Velocity::ZERO);
    let (place, facing, velocity) = (Fields::PLACE, Fields::FACING, Fields::VELOCITY);
    assert_eq!(changed(10_100, here + 1, None, Velocity::ZERO), Some(place));
    assert_eq!(changed(10_200, here + 1, Some(7), Velocity::ZERO), Some(place.or(facing)));
    assert_eq!(changed(10_300, here + 1, Some(7), fast), Some(place.or(velocity)));
    assert_eq!(changed(10_400, here + 1, Some(8), Velocity::ZERO), Some(place.or(facing).or(velocity)));
    assert_eq!(changed(10_500, here + 1, Some(8), Velocity::ZERO), None);
}

#[test]
fn a_velocity_is_at_most_what_can_be_moved_in_a_second() {
    check(
        "rules speed_cm_per_s=400
         spot 0 2500 2500
         seats 2
         at 1000 p0 move to 2500 2500 going 500 0   -> ok, p0 goes 500 0
         at 1000 p0 move to 2500 2500 going 501 0   -> overspeed, p0 goes 500 0, flags p0 speed
         at 1001 p0 move to 2500 2500 going 300 400 -> ok
         at 1002 p0 move to 2500 2500 going -300 -401 -> overspeed, p0 goes 300 400
         // The same id has the same answer, as that of any refusal.
         at 1003 p0 move to 2500 2500 going 501 0 id 7 -> overspeed
         at 1003 p0 move to 2500 2500 going 1 0 id 7   -> overspeed, p0 goes 300 400
         // Slowed, it goes on as it says until it says it again.
         at 2000 p1 use slow on p0 -> ok, p0 goes 300 400
         at 2100 p0 move to 2500 2500 going 301 0 -> overspeed
         at 2100 p0 move to 2500 2500 going 300 0 -> ok
         at 3000 p1 use haste on p0 -> ok
         at 3100 p0 move to 2500 2500 going 901 0 -> overspeed
         at 3100 p0 move to 2500 2500 going 900 0 -> ok, p0 goes 900 0",
    );
    let fast = Rules { speed_cm_per_s: 0, preparation_ms: 0, ..Rules::default() };
    let mut fight = Hosted::plain(fast, 2, &[1, 2], 7);
    let to = fight.participants()[0].at();
    for (velocity, answer) in [(1, Err(Refusal::Overspeed)), (0, Ok(1))] {
        let action = Action::Walk { to, facing: None, velocity: Velocity::new(velocity, 0) };
        let input = Input::Act { slot: 0, id: 0, action };
        assert_eq!(fight.handle(10, input, &mut Step::default()), answer, "one that cannot move at all");
    }
}

#[test]
fn whoever_can_no_longer_move_stands_in_the_same_step() {
    for (what, name) in [("stun", "stunned"), ("root", "denied"), ("halt", "too fast")] {
        check(&format!(
            "spot 0 2500 2500
             seats 2
             at 0    -> phase active
             at 1000 p0 move to 2510 2500 facing 45 going 300 0 -> ok, in step 2
             at 1100 p1 use {what} on p0 -> ok, in step 3, p0 goes 0 0, p0 faces 45
             at 1200 p0 move to 2515 2500 going 300 0 -> {name}
             at 2099 -> p0 goes 0 0
             // It does not go on by itself.
             at 2100 -> p0 goes 0 0
             at 2200 p0 move to 2510 2500 going 300 0 -> ok, p0 goes 300 0",
        ));
    }
    check(
        "rules health=25 rounds=3 intermission_ms=1000 cooldown_ms=1000
         spot 0 2500 2500
         spot 1 2700 2500
         seats 2
         at 1000 p0 move to 2510 2500 facing 45 going 300 0  -> ok
         at 1000 p1 move to 2690 2500 facing 135 going -10 0 -> ok
         at 1500 pause  -> ok, p0 goes 0 0, p1 goes 0 0
         at 1600 resume -> ok, p0 goes 0 0, p0 faces 45
         at 2000 p0 move to 2510 2500 going 300 0  -> ok
         at 2000 p1 move to 2690 2500 going -10 0  -> ok
         // Who is eliminated, and with the round all others.
         at 2100 p0 attack p1 -> ok, p1 eliminated, p1 goes 0 0, p0 goes 0 0, phase cooldown
         at 3100 -> phase active, p0 goes 0 0, p0 faces 45, p1 faces 135, p0 at 2500 2500
         at 4000 p0 move to 2510 2500 going 300 0 -> ok
         at 4100 terminate -> ok, p0 goes 0 0",
    );
    check(
        "spot 0 2500 2500
         seats 2
         at 0    p0 connects -> ok
         at 1000 p0 move to 2510 2500 facing 45 going 300 0  -> ok, in step 2
         at 1100 p0 disconnects -> ok, in step 3, p0 goes 0 0, p0 faces 45
         // It may act over REST, and goes nowhere by that.
         at 1200 p0 move to 2515 2500 facing 50 going 300 0  -> ok, p0 at 2515 2500, p0 faces 50, p0 goes 0 0
         at 1300 p0 connects -> ok, p0 goes 0 0
         at 1400 p0 move to 2515 2500 going 300 0  -> ok, p0 goes 300 0",
    );
}

#[test]
fn one_whose_turn_is_over_stands() {
    let rules = Rules { turn_ms: 30_000, preparation_ms: 0, ..ruleset().rules.clone() };
    let mut fight = Hosted::new(ruleset(), setup(rules));
    fight.handle(0, Input::Tick, &mut Step::default()).expect("a tick");
    let slot = fight.turn().expect("a turn").slot();
    let to = fight.participants()[usize::from(slot)].at();
    let action = Action::Walk { to, facing: Some(3), velocity: Velocity::new(1, 1) };
    fight.handle(1, Input::Act { slot, id: 0, action }, &mut Step::default()).expect("a move");
    let goes = |fight: &Hosted| fight.participants()[usize::from(slot)].velocity();
    assert_eq!(goes(&fight), Velocity::new(1, 1));
    fight.handle(2, Input::Act { slot, id: 0, action: Action::Defend }, &mut Step::default()).expect("its turn");
    assert_eq!(goes(&fight), Velocity::ZERO);
}

/// When the host asks changes nothing: one that was stunned meanwhile has stood still.
#[test]
fn it_stands_still_whenever_the_host_looks() {
    let goes = |asks: &[u64]| {
        let mut fight = Hosted::new(ruleset(), setup(Rules { preparation_ms: 0, ..ruleset().rules.clone() }));
        let to = fight.participants()[0].at();
        let walk = Action::Walk { to, facing: Some(9), velocity: Velocity::new(10, 0) };
        let act = |slot, action| Input::Act { slot, id: 0, action };
        fight.handle(100, act(0, walk), &mut Step::default()).expect("a move");
        fight.handle(200, Input::Pause, &mut Step::default()).expect("a pause");
        fight.handle(300, Input::Resume, &mut Step::default()).expect("it goes on");
        fight.handle(400, act(0, walk), &mut Step::default()).expect("a move");
        for &at in asks {
            fight.handle(at, Input::Tick, &mut Step::default()).expect("a tick");
        }
        (fight.participants()[0].velocity(), fight.lifecycle().phase())
    };
    // The fight is over by its time, and so is all that is shown of it.
    let end = u64::from(Rules::default().max_duration_ms) + 100;
    assert_eq!(goes(&[end + 20_000]), goes(&[1_000, end, end + 1, end + 20_000]));
    assert_eq!(goes(&[end]).0, Velocity::ZERO);
    assert_eq!(goes(&[1_000]).0, Velocity::new(10, 0));
}

fn setup(rules: Rules) -> tiltyard_combat::Setup {
    tiltyard_combat::Setup { mode: Mode::Pvp, rules, seats: 2, participants: vec![1, 2], teams: Vec::new(), seed: 7 }
}

#[test]
fn it_is_said_why_somebody_comes_and_goes() {
    check(
        "seats 3
         at 0   p0 connects -> ok, shows phase + p0 connected
         at 1   p1 ready    -> wrong phase
         // The newest connection wins: all stays as it is.
         at 10  p0 changes connections -> ok, in step 2, shows p0 changed connections, p0 active
         at 20  p0 disconnects -> ok, shows p0 disconnected, p0 disconnected
         at 20  p0 leaves      -> ok, shows nothing, unchanged
         at 30  p0 connects    -> ok, shows p0 connected again, p0 active
         at 40  p0 leaves      -> ok, shows p0 left, p0 disconnected
         at 50  p0 changes connections -> ok, shows p0 connected again, p0 active
         // One that has acted over REST has not been connected.
         at 60  p1 defend      -> ok
         at 70  p1 connects    -> ok, shows p1 connected
         // As older engines were told.
         at 80  p1 disconnects somehow -> ok, shows p1 disconnected somehow, p1 disconnected
         at 90  terminate by force -> ok
         at 100 p0 changes connections -> ok, shows nothing",
    );
}

#[test]
fn whoever_changes_connections_all_the_time_is_told_to_wait() {
    let mut fight = Hosted::plain(Rules { preparation_ms: 0, ..Rules::default() }, 2, &[1, 2], 7);
    fight.handle(0, Input::Connect { slot: 0 }, &mut Step::default()).expect("a connection");
    let (replace, mut told) = (Input::Replace { slot: 0 }, 0);
    for at in 0..10_000 {
        if fight.turned_away(at, replace).is_none() {
            let mut step = Step::default();
            fight.handle(at, replace, &mut step).expect("a newer one");
            told += step.events().iter().filter(|event| is_replaced(event)).count();
        }
    }
    assert_eq!(told, 32 + 4 * 10 - 2, "so many at once, then four a second, and one for the first connection");
    let refused = fight.handle(9_999, replace, &mut Step::default());
    assert!(matches!(refused, Err(Refusal::RateLimited { .. })), "{refused:?}");
    assert!(matches!(fight.turned_away(9_999, replace), Some(Err(Refusal::RateLimited { .. }))));
    let left = Input::Part { slot: 0, why: Parting::Left };
    assert_eq!(fight.turned_away(9_999, left), None);
    fight.handle(9_999, left, &mut Step::default()).expect("it leaves");
    assert_eq!(fight.turned_away(9_999, left), Some(Ok(())));
    fight.handle(10_000, Input::Terminate { force: true }, &mut Step::default()).expect("an end");
    fight.handle(20_000, Input::Connect { slot: 0 }, &mut Step::default()).expect("a connection");
    assert_eq!(fight.turned_away(20_000, replace), Some(Ok(())), "after the end nobody is shown anything");
}

const fn is_replaced(event: &Event) -> bool {
    matches!(event, Event::Came { why: Arrival::Replaced, .. })
}

/// A ruleset names them as one: whoever is not shown where somebody is, is shown nothing of its way.
#[test]
fn facing_and_velocity_are_hidden_with_the_place() {
    let text = "name = \"x\"\ntitle = \"X\"\n[modes.pvp]\n[visibility]\nall = [\"health\"]\nteam = [\"place\"]\n";
    let visibility = tiltyard_combat::load::load(text).expect("a ruleset").visibility;
    let motion = Fields::PLACE.or(Fields::FACING).or(Fields::VELOCITY);
    assert!(!visibility.all.meets(motion) && visibility.team.has(motion));
    assert!(!Fields::KNOWN.meets(motion), "nor in the fog");
}
