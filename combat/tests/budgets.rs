//! Budgets of actions: each participant's own, spent by what it does itself, with room for whoever acts as fast as the rules
//! let it; and what a host need not hand to a fight at all.

mod hosted;
mod scripts;
mod watched;

use std::sync::Arc;

use hosted::Hosted;
use scripts::check;
use tiltyard_combat::{
    Action, BodyPart, Difficulty, Flag, Input, Millis, Mode, PlayerId, Point, Refusal, Ruleset, Setup, Slot, Step, load,
};

#[test]
fn a_participant_takes_so_many_actions_a_second_and_nobody_pays_for_it() {
    check(
        "rules actions_per_second=3 attack_interval_ms=0
         seats 2
         at 10000 p0 attack p1      -> ok
         at 10200 p0 attack p1 id 1 -> ok, in step 2, p1 hp 50
         // One that is refused costs as much.
         at 10200 p0 attack p0      -> invalid target, flags nobody
         at 10200 p0 attack p1      -> rate limited until 10334, p1 hp 50, flags p0 rate
         at 10333 p0 dance          -> rate limited until 10334, flags nobody
         // A repeat is no action.
         at 10333 p0 attack p1 id 1 -> ok, in step 2
         // The other has its own.
         at 10333 p1 attack p0      -> ok
         at 10333 p1 attack p0      -> ok
         at 10333 p1 attack p0      -> ok, flags nobody, p0 hp 25
         at 10334 p0 attack p1 id 2 -> ok, p1 hp 25
         // What was refused for want of it is a new action when it comes again.
         at 10334 p0 attack p1 id 3 -> rate limited until 10667
         at 10667 p0 dance id 4     -> unavailable
         at 11000 p0 attack p1 id 3 -> ok, winner p0",
    );
    check(
        "rules actions_per_second=0 attack_interval_ms=0
         seats 2
         at 10000 p0 attack p1 -> ok
         at 10000 p0 attack p1 -> ok
         at 10000 p0 attack p1 -> ok",
    );
}

#[test]
fn what_cannot_be_done_costs_as_well() {
    check(
        "rules actions_per_second=2 attack_interval_ms=0 health=25
         seats 3
         at 0     p0 attack p1 -> wrong phase
         at 0     p0 attack p1 -> wrong phase
         at 0     p0 attack p1 -> rate limited until 500, flags nobody
         at 10000 p0 attack p1 -> ok, p1 eliminated
         at 10000 p1 attack p0 -> eliminated
         at 10000 p1 attack p0 -> eliminated
         at 10000 p1 attack p0 -> rate limited until 10500, flags p1 rate
         // A budget fills while the fight is paused.
         at 10000 pause        -> ok
         at 20000 p2 attack p0 -> paused
         at 20000 p2 attack p0 -> paused
         at 20000 p2 attack p0 -> rate limited until 10500, flags nobody
         at 20499 p2 attack p0 -> rate limited until 10001
         at 20500 p2 attack p0 -> paused
         at 30000 resume       -> ok
         at 30000 p2 attack p0 -> ok, winner p2
         at 40000 -> status completed
         at 40000 p2 attack p0 -> ended
         at 40000 p2 attack p0 -> ended
         at 40000 p2 attack p0 -> rate limited until 20500, flags nobody",
    );
}

/// A fight in progress of so many under a shipped ruleset, in which nobody can fall.
fn in_progress(text: &str, mode: Mode, players: u8) -> Hosted {
    let ruleset = Arc::new(load::load(text).unwrap_or_else(|problems| panic!("{problems}")));
    let mut rules = ruleset.rules_of(mode, Difficulty::Normal).expect("a mode of the ruleset");
    (rules.health, rules.preparation_ms) = (1_000_000_000, 0);
    let participants = (1..=PlayerId::from(players)).collect();
    let setup = Setup { mode, rules, seats: players, participants, teams: Vec::new(), seed: 7 };
    let mut fight = Hosted::new(ruleset, setup);
    fight.handle(0, Input::Tick, &mut Step::default()).expect("a tick");
    fight
}

/// Everybody moves at `hz` and attacks at the rules' interval for ten seconds; those who were refused for want of budget, and
/// how often the fight was asked.
fn act_as_fast_as_allowed(fight: &mut Hosted, hz: u64) -> (Vec<(Slot, Millis)>, u32) {
    let players = fight.seats();
    let interval = u64::from(fight.rules().attack_interval_ms).max(1);
    let (mut limited, mut asked, mut step) = (Vec::new(), 0, Step::default());
    for at in 0..10_000 {
        let moves = (at * hz / 1_000 > (at.max(1) - 1) * hz / 1_000).then_some(true);
        let attacks = at.is_multiple_of(interval).then_some(false);
        for (slot, moves) in (0..players).flat_map(|slot| [moves, attacks].map(|kind| (slot, kind))) {
            let Some(moves) = moves else { continue };
            let place = fight.participants()[usize::from(slot)].at();
            let action = if moves {
                Action::Move { to: Point::new(place.x + 1, place.y) }
            } else {
                Action::Attack { target: Some((slot + 1) % players), part: BodyPart::Torso }
            };
            let input = Input::Act { slot, id: 0, action };
            asked += 1;
            step.clear();
            let turned_away = fight.turned_away(at, input);
            let answer = fight.handle(at, input, &mut step);
            let flagged = step.flags().iter().any(|&(_, flag)| flag == Flag::Rate);
            if turned_away.is_some() || flagged || matches!(answer, Err(Refusal::RateLimited { .. })) {
                limited.push((slot, at));
            }
        }
    }
    (limited, asked)
}

#[test]
fn a_fight_has_room_for_all_its_seats_acting_as_fast_as_the_rules_let_them() {
    let arena = include_str!("../../rules/arena-fast.toml");
    let default = include_str!("../../rules/default.toml");
    for (text, mode, players) in [(arena, Mode::Arena, 10), (arena, Mode::Pvp, 10), (default, Mode::Pvp, 10)] {
        for hz in [20, 60] {
            let (limited, asked) = act_as_fast_as_allowed(&mut in_progress(text, mode, players), hz);
            assert!(asked > 2_000, "{asked} actions");
            assert_eq!(limited, [], "{players} players at {hz} moves a second");
        }
    }
    let (limited, asked) = act_as_fast_as_allowed(&mut in_progress(default, Mode::Pvp, 100), 20);
    assert!(asked > 20_000, "{asked} actions");
    assert_eq!(limited, []);
}

#[test]
fn what_is_over_a_budget_is_turned_away_but_for_one_that_is_flagged() {
    let mut fight = in_progress(include_str!("../../rules/default.toml"), Mode::Pvp, 2);
    let itself = Action::Attack { target: Some(0), part: BodyPart::Torso };
    let (mut handled, mut flags, mut step) = ([0, 0], Vec::new(), Step::default());
    for at in 0..20_000 {
        // A thousand a second by one, ten by the other.
        for slot in 0..2 {
            let input = Input::Act { slot, id: at + 1, action: itself };
            if slot == 1 && at % 100 > 0 {
                continue;
            }
            let before = fight.state_digest();
            match fight.turned_away(at, input) {
                Some(Err(Refusal::RateLimited { until })) => {
                    assert_eq!((slot, fight.state_digest()), (0, before));
                    assert!(until > at && until <= at + 10, "{until} at {at}");
                    assert_eq!(fight.remembered(0, at + 1), None, "the id stays free");
                }
                Some(other) => panic!("{other:?}"),
                None => {
                    step.clear();
                    let _refused = fight.handle(at, input, &mut step);
                    handled[usize::from(slot)] += 1;
                    flags.extend(step.flags().iter().copied());
                }
            }
        }
    }
    // A second's worth at once, then a hundred a second; two more that told of it.
    assert_eq!(handled, [100 + 20 * 100 - 1 + 2, 200]);
    flags.retain(|&(_, flag)| flag == Flag::Rate);
    assert_eq!(flags, [(0, Flag::Rate); 2], "once in ten seconds, and of nobody else");
}

#[test]
fn of_what_is_over_a_budget_while_nobody_acts_that_is_said() {
    let mut fight = in_progress(include_str!("../../rules/default.toml"), Mode::Pvp, 2);
    let (act, mut step) = (|id| Input::Act { slot: 0, id, action: Action::Defend }, Step::default());
    let limited = (1..1_000).any(|id| {
        step.clear();
        let _answer = fight.handle(10, act(id), &mut step);
        matches!(fight.turned_away(10, act(id + 1)), Some(Err(Refusal::RateLimited { .. })))
    });
    assert!(limited);
    step.clear();
    fight.handle(10, Input::Pause, &mut step).unwrap();
    assert_eq!(fight.turned_away(10, act(2_000)), Some(Err(Refusal::Paused)));
    step.clear();
    fight.handle(10, Input::Resume, &mut step).unwrap();
    assert!(matches!(fight.turned_away(10, act(2_000)), Some(Err(Refusal::RateLimited { .. }))));
    step.clear();
    fight.handle(10, Input::Terminate { force: true }, &mut step).unwrap();
    assert_eq!(fight.turned_away(10, act(2_000)), Some(Err(Refusal::Ended)));
}

#[test]
fn what_changes_nothing_need_not_be_handled() {
    let players = vec![1, 2];
    let rules = Ruleset::plain().rules.clone();
    let setup = Setup { mode: Mode::Pvp, rules, seats: 3, participants: players, teams: Vec::new(), seed: 7 };
    let mut fight = Hosted::new(Ruleset::plain(), setup);
    let mut step = Step::default();
    let mut give = |fight: &mut Hosted, at, input| {
        step.clear();
        fight.handle(at, input, &mut step).expect("it is taken");
    };
    let (connect, leave, ready) = (Input::Connect { slot: 0 }, Input::Disconnect { slot: 0 }, Input::Ready { slot: 0 });
    give(&mut fight, 0, Input::Tick);
    assert_eq!((fight.turned_away(0, connect), fight.turned_away(0, leave)), (None, Some(Ok(()))));
    assert_eq!((fight.turned_away(0, ready), fight.turned_away(0, Input::Seat { player: 3 })), (None, None));
    assert_eq!(fight.turned_away(0, Input::Seat { player: 2 }), Some(Err(Refusal::AlreadySeated)));
    give(&mut fight, 0, connect);
    give(&mut fight, 0, ready);
    assert_eq!((fight.turned_away(0, connect), fight.turned_away(0, leave)), (Some(Ok(())), None));
    assert_eq!(fight.turned_away(0, ready), Some(Ok(())));
    give(&mut fight, 1, Input::Seat { player: 3 });
    assert_eq!(fight.turned_away(1, Input::Seat { player: 4 }), Some(Err(Refusal::Full)));
    // When the countdown is over the fight has to be asked: it is another one then.
    let due = fight.lifecycle().until().expect("a countdown");
    assert_eq!(fight.turned_away(due, ready), None);
    give(&mut fight, due, Input::Tick);
    assert_eq!(fight.turned_away(due, ready), Some(Err(Refusal::WrongPhase)));
}

#[test]
fn who_comes_and_goes_all_the_time_is_kept_out_for_a_moment() {
    let mut fight = in_progress(include_str!("../../rules/default.toml"), Mode::Pvp, 2);
    let (mut came, mut step) = (0, Step::default());
    for at in 0..10_000 {
        for input in [Input::Connect { slot: 0 }, Input::Disconnect { slot: 0 }] {
            if fight.turned_away(at, input).is_none() {
                step.clear();
                fight.handle(at, input, &mut step).expect("it is taken");
                came += u32::from(input == Input::Connect { slot: 0 });
            }
        }
    }
    assert_eq!(came, 32 + 4 * 10 - 1, "so many at once, then four a second");
    assert_eq!(fight.turned_away(10_000, Input::Connect { slot: 1 }), None, "the other comes as it likes");
    let refused = fight.handle(9_999, Input::Connect { slot: 0 }, &mut Step::default());
    assert!(matches!(refused, Err(Refusal::RateLimited { .. })), "{refused:?}");
}
