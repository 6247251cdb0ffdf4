//! The course of a fight: every input in every state of the usual machine as one table, then rounds, turns, teams, ready
//! checks and late seats as scripts.

mod hosted;

use std::sync::Arc;

use hosted::Hosted;
use tiltyard_combat::ruleset::AbilityKind;
use tiltyard_combat::{
    Action, Answer, BodyPart, EndReason, Event, Input, Millis, Mode, ParticipantStatus, PhaseName, Point, Refusal,
    Rules, Ruleset, SessionStatus, Setup, Slot, Step, Target,
};

/// Rules under which one hit takes a quarter of the health, and nothing else happens by itself.
fn rules(settings: &str) -> Rules {
    let mut rules = Rules::default();
    let easy = "armor=0 critical_percent=0 attack_damage_min=25 attack_damage_max=25 attack_interval_ms=0 afk_ms=0 regular_ms=0";
    for setting in easy.split_whitespace().chain(settings.split_whitespace()) {
        let (name, value) = setting.split_once('=').expect("name=value");
        rules.set(name, Some(value.parse().expect("a number"))).expect("a setting in its range");
    }
    rules
}

fn fight(settings: &str, seats: u8, taken: u8) -> Hosted {
    fight_in(Mode::Pvp, settings, seats, taken)
}

fn fight_in(mode: Mode, settings: &str, seats: u8, taken: u8) -> Hosted {
    let participants = (1..=u128::from(taken)).collect();
    Hosted::new(
        Ruleset::plain(),
        Setup { mode, rules: rules(settings), seats, participants, teams: Vec::new(), seed: 7 },
    )
}

/// Gives a fight inputs, and keeps what happened.
struct Run {
    fight: Hosted,
    at: Millis,
    events: Vec<Event>,
    decided: usize,
}

impl Run {
    fn of(fight: Hosted) -> Self {
        Self { fight, at: 0, events: Vec::new(), decided: 0 }
    }

    fn input(&mut self, input: Input) -> Answer {
        let mut step = Step::default();
        let answer = self.fight.handle(self.at, input, &mut step);
        self.events.extend(step.events());
        self.decided += usize::from(step.decided());
        answer
    }

    fn wait(&mut self, ms: Millis) {
        self.at += ms;
        self.input(Input::Tick).expect("a tick is never refused");
    }

    fn all_ready(&mut self) {
        for slot in 0..self.fight.seats() {
            let _ = self.input(Input::Ready { slot });
        }
    }

    fn attack(&mut self, slot: Slot, target: Slot) -> Answer {
        self.input(Input::Act { slot, id: 0, action: Action::Attack { target: Some(target), part: BodyPart::Torso } })
    }

    /// Hits until the target is out.
    fn finish_off(&mut self, slot: Slot, target: Slot) {
        for _ in 0..4 {
            self.attack(slot, target).expect("a hit");
        }
    }

    fn state(&self) -> &str {
        let life = self.fight.lifecycle();
        if life.is_ended() {
            return if life.status() == SessionStatus::Terminated { "terminated" } else { "completed" };
        }
        &self.fight.ruleset().lifecycle.state(life.state()).name
    }

    fn end(&self) -> (Option<EndReason>, Option<Slot>, Option<u8>) {
        let life = self.fight.lifecycle();
        (life.end(), life.winner(), life.winning_team())
    }
}

/// A fight of three rounds in the state that is named.
fn bring_to(state: &str) -> Run {
    let seats = if state == "waiting" { (3, 2) } else { (2, 2) };
    let mut run = Run::of(fight("rounds=3 preparation_ms=100 intermission_ms=200 cooldown_ms=300", seats.0, seats.1));
    if matches!(state, "waiting" | "preparation") {
        return run;
    }
    run.all_ready();
    if state == "active" {
        return run;
    }
    run.finish_off(0, 1);
    if state == "intermission" {
        return run;
    }
    if state == "second" {
        run.wait(200);
        assert_eq!(run.state(), "preparation");
        return run;
    }
    run.input(Input::Complete).expect("completed by hand");
    if state == "results" {
        return run;
    }
    if state == "completed" {
        run.wait(300);
        return run;
    }
    run.input(Input::Terminate { force: true }).expect("terminated by hand");
    assert_eq!(state, "terminated");
    run
}

/// Every input in every state, and where it leads; a refusal where it leads nowhere. `waiting` is preparation with a seat
/// free, `second` the preparation of the second round.
const TABLE: &str = "
                ready         time          complete           stop               kill        pause              resume             attack      seat
 waiting        preparation   terminated    results            results            terminated  paused             InvalidTransition  WrongPhase  preparation
 preparation    active        active        results            results            terminated  paused             InvalidTransition  WrongPhase  Full
 active         WrongPhase    intermission  results            results            terminated  paused             InvalidTransition  active      WrongPhase
 intermission   WrongPhase    preparation   results            results            terminated  paused             InvalidTransition  WrongPhase  WrongPhase
 second         active        active        results            results            terminated  paused             InvalidTransition  WrongPhase  Full
 results        WrongPhase    completed     InvalidTransition  terminated         terminated  paused             InvalidTransition  WrongPhase  WrongPhase
 completed      Ended         completed     Ended              Ended              Ended       Ended              Ended              Ended       Ended
 terminated     Ended         terminated    Ended              Ended              Ended       Ended              Ended              Ended       Ended
";

/// The same while it is paused: time does not pass, and only the hand of somebody outside moves it.
const PAUSED: &str = "
                ready   time    complete           stop        kill        pause              resume        attack  seat
 waiting        Paused  paused  results            results     terminated  InvalidTransition  preparation   Paused  Paused
 preparation    Paused  paused  results            results     terminated  InvalidTransition  preparation   Paused  Paused
 active         Paused  paused  results            results     terminated  InvalidTransition  active        Paused  Paused
 intermission   Paused  paused  results            results     terminated  InvalidTransition  intermission  Paused  Paused
 second         Paused  paused  results            results     terminated  InvalidTransition  preparation   Paused  Paused
 results        Paused  paused  InvalidTransition  terminated  terminated  InvalidTransition  results       Paused  Paused
";

fn check(table: &str, paused: bool) {
    let mut lines = table.lines().filter(|line| !line.trim().is_empty());
    let inputs: Vec<&str> = lines.next().expect("inputs").split_whitespace().collect();
    let mut cells = 0;
    for line in lines {
        let mut words = line.split_whitespace();
        let state = words.next().expect("a state");
        for (input, expected) in inputs.iter().zip(words) {
            let mut run = bring_to(state);
            if paused {
                run.input(Input::Pause).expect("a pause");
            }
            let before = run.fight.state_digest();
            let answer = match *input {
                "ready" => (0..2).map(|slot| run.input(Input::Ready { slot })).fold(Ok(0), Result::and),
                "time" => {
                    let until = run.fight.lifecycle().until();
                    run.at = until.unwrap_or(run.at + 1_000_000);
                    run.input(Input::Tick)
                }
                "complete" => run.input(Input::Complete),
                "stop" => run.input(Input::Terminate { force: false }),
                "kill" => run.input(Input::Terminate { force: true }),
                "pause" => run.input(Input::Pause),
                "resume" => run.input(Input::Resume),
                "attack" => run.attack(0, 1),
                "seat" => run.input(Input::Seat { player: 99 }),
                other => panic!("no input {other}"),
            };
            let is_paused = run.fight.lifecycle().is_paused();
            let outcome = match answer {
                Err(refusal) => format!("{refusal:?}"),
                Ok(_) if is_paused => "paused".to_owned(),
                Ok(_) => run.state().to_owned(),
            };
            assert_eq!(outcome, expected, "{input} in {state}{}", if paused { ", paused" } else { "" });
            // An action's refusal is counted, and known to the state by that.
            if answer.is_err() && *input != "attack" {
                assert_eq!(run.fight.state_digest(), before, "{input} in {state} was refused and changed something");
            }
            cells += 1;
        }
    }
    assert!(cells >= 54, "{cells} cells");
}

#[test]
fn every_input_in_every_state() {
    check(TABLE, false);
    check(PAUSED, true);
}

#[test]
fn every_state_of_the_machine_is_in_the_table() {
    let machine = &Ruleset::plain().lifecycle;
    for state in machine.states.iter().filter(|state| state.is != PhaseName::Finished) {
        assert!(TABLE.contains(&format!("\n {} ", state.name)), "{}", state.name);
    }
}

#[test]
fn the_best_of_three_wins_most_rounds() {
    let mut run = Run::of(fight("rounds=3 preparation_ms=100 intermission_ms=200 cooldown_ms=300", 2, 2));
    run.all_ready();
    run.finish_off(0, 1);
    assert_eq!((run.state(), run.fight.rounds().wins()), ("intermission", &[(0, 1)][..]));
    run.wait(200);
    let back = &run.fight.participants()[1];
    assert_eq!((back.hp(), back.status(), back.is_ready()), (100, ParticipantStatus::Active, false));
    assert_eq!(run.fight.lifecycle().status(), SessionStatus::Active, "it is not being initialised any more");
    run.wait(100);
    run.finish_off(1, 0);
    run.wait(300);
    run.finish_off(0, 1);
    assert_eq!((run.state(), run.end()), ("results", (Some(EndReason::RoundsWon), Some(0), Some(0))));
    let rounds = run.events.iter().filter(|event| matches!(event, Event::Round { .. })).count();
    assert_eq!((rounds, run.decided), (3, 1));
    run.wait(300);
    assert_eq!(run.state(), "completed");
}

#[test]
fn two_wins_of_three_are_enough() {
    let mut run = Run::of(fight("rounds=3 preparation_ms=0 intermission_ms=0", 2, 2));
    run.all_ready();
    for round in 1..=2 {
        assert_eq!(run.state(), "active", "round {round}");
        run.finish_off(1, 0);
        run.wait(1);
        run.wait(1);
    }
    assert_eq!(run.end(), (Some(EndReason::RoundsWon), Some(1), Some(1)));
}

#[test]
fn rounds_that_nobody_wins_are_a_draw() {
    let mut run = Run::of(fight("rounds=2 preparation_ms=0 intermission_ms=0 max_duration_ms=1000", 2, 2));
    run.all_ready();
    run.wait(1000);
    run.wait(1);
    run.wait(1000);
    assert_eq!(run.end(), (Some(EndReason::TimeLimit), None, None));
}

#[test]
fn who_gives_up_loses_the_whole_fight() {
    let mut run = Run::of(fight("rounds=5 reconnect_ms=50", 2, 2));
    run.input(Input::Connect { slot: 1 }).expect("a connection");
    run.all_ready();
    run.input(Input::Disconnect { slot: 1 }).expect("no connection");
    run.wait(50);
    assert_eq!(run.end(), (Some(EndReason::Forfeit), Some(0), Some(0)));
}

#[test]
fn a_team_wins_together() {
    let mut run = Run::of(fight("teams=2", 4, 4));
    run.all_ready();
    let teams: Vec<u8> = run.fight.participants().iter().map(tiltyard_combat::Participant::team).collect();
    assert_eq!(teams, [0, 1, 0, 1]);
    run.finish_off(0, 1);
    assert_eq!(run.state(), "active", "one of the other team still stands");
    run.finish_off(2, 3);
    assert_eq!(run.end(), (Some(EndReason::LastStanding), Some(0), Some(0)));
}

#[test]
fn teams_can_be_given() {
    let setup = Setup {
        mode: Mode::Arena,
        rules: rules("teams=2"),
        seats: 3,
        participants: vec![1, 2, 3],
        teams: vec![1, 1, 0],
        seed: 7,
    };
    let run = Run::of(Hosted::new(Ruleset::plain(), setup));
    let teams: Vec<u8> = run.fight.participants().iter().map(tiltyard_combat::Participant::team).collect();
    assert_eq!(teams, [1, 1, 0]);
}

#[test]
fn a_score_wins() {
    let mut run = Run::of(fight("score_limit=200 elimination_score=100", 4, 4));
    run.all_ready();
    run.finish_off(2, 0);
    assert_eq!(run.state(), "active");
    run.finish_off(2, 1);
    assert_eq!(run.end(), (Some(EndReason::ScoreLimit), Some(2), Some(2)));
}

#[test]
fn when_the_time_is_up_the_best_team_has_won() {
    let mut run = Run::of(fight("teams=2 max_duration_ms=1000", 4, 4));
    run.all_ready();
    run.attack(3, 0).expect("a hit");
    run.wait(1000);
    assert_eq!(run.end(), (Some(EndReason::TimeLimit), Some(3), Some(1)));
    let mut strict = Run::of(fight("teams=2 max_duration_ms=1000 strict_draws=1", 4, 4));
    strict.all_ready();
    strict.attack(3, 0).expect("a hit");
    strict.wait(1000);
    assert_eq!(strict.end(), (Some(EndReason::TimeLimit), None, None));
}

#[test]
fn a_ready_check_that_fails_ends_it() {
    let mut run = Run::of(fight("ready_check=1 preparation_ms=100", 2, 2));
    run.input(Input::Ready { slot: 0 }).expect("ready");
    run.wait(100);
    assert_eq!((run.state(), run.end().0), ("terminated", Some(EndReason::NotReady)));
}

#[test]
fn a_late_seat_is_taken_where_the_rules_allow_it() {
    let mut run = Run::of(fight("late_join=1 turn_ms=1000", 4, 2));
    run.all_ready();
    assert_eq!(run.state(), "active", "two are enough to begin with");
    run.input(Input::Seat { player: 9 }).expect("a seat");
    let turns: Vec<Slot> = (0..3)
        .map(|_| {
            run.wait(1000);
            run.fight.turn().expect("a turn").slot()
        })
        .collect();
    assert!(turns.contains(&2), "who came late has its turn: {turns:?}");
    let mut run = Run::of(fight("late_join=0", 3, 2));
    run.all_ready();
    assert_eq!(run.state(), "preparation", "the third is waited for");
    let mut alone = Run::of(fight("late_join=1", 3, 2));
    alone.all_ready();
    alone.finish_off(0, 1);
    assert_eq!(alone.end().0, Some(EndReason::LastStanding), "nobody has to come before one can win");
}

#[test]
fn one_acts_after_the_other() {
    let mut run = Run::of(fight("turn_ms=1000", 3, 3));
    run.all_ready();
    let first = run.fight.turn().expect("a turn").slot();
    let next = |run: &Run| run.fight.turn().expect("a turn").slot();
    let other = (first + 1) % 3;
    assert_eq!(run.attack(other, first), Err(Refusal::NotYourTurn));
    assert_eq!(run.attack(first, first), Err(Refusal::InvalidTarget));
    assert_eq!(next(&run), first, "a refused action does not use the turn up");
    run.attack(first, other).expect("its turn");
    let second = next(&run);
    assert_ne!(second, first);
    run.wait(999);
    assert_eq!(next(&run), second);
    run.wait(1);
    let third = next(&run);
    assert!(third != first && third != second, "the turn passed by itself");
    run.wait(1000);
    assert_eq!(next(&run), first, "and around");
}

#[test]
fn a_turn_skips_who_is_out_and_stands_still_in_a_pause() {
    let mut run = Run::of(fight("turn_ms=1000 attack_damage_min=100 attack_damage_max=100", 3, 3));
    run.all_ready();
    let turn = |run: &Run| run.fight.turn().map(tiltyard_combat::fight::Turn::slot);
    let first = turn(&run).expect("a turn");
    let order: Vec<Slot> = (0..3)
        .map(|_| {
            let slot = turn(&run).expect("a turn");
            run.wait(1000);
            slot
        })
        .collect();
    assert_eq!(turn(&run), Some(first));
    run.attack(first, order[1]).expect("its turn");
    assert_eq!(turn(&run), Some(order[2]), "the one in between is out");
    run.input(Input::Pause).expect("a pause");
    run.at += 5000;
    run.input(Input::Resume).expect("goes on");
    run.wait(999);
    assert_eq!(turn(&run), Some(order[2]));
    run.wait(1);
    assert_eq!(turn(&run), Some(first));
}

#[test]
fn rulesets_are_shared_and_not_copied() {
    let (one, other) = (fight("", 2, 2), fight("", 2, 2));
    assert!(Arc::ptr_eq(one.ruleset(), other.ruleset()));
}

/// What a participant may do in each state of its machine, and how it is refused what it may not.
const ACTIVITIES: &str = "
                attack      defend      ability     move        item
 idle           ok          ok          ok          ok          ok
 casting        Busy        Busy        Busy        ok          Busy
 channelling    Busy        Busy        Busy        Busy        Busy
 defending      ok          Cooldown    ok          ok          ok
 stunned        Stunned     Stunned     Stunned     Stunned     Stunned
 eliminated     Eliminated  Eliminated  Eliminated  Eliminated  Eliminated
";

/// The shipped ruleset, with a jam of the weapon that stuns.
fn stunning() -> Arc<Ruleset> {
    let text = include_str!("../../rules/default.toml").replace(r#"{ apply = "weapon_jam" }"#, r#"{ apply = "stun" }"#);
    Arc::new(tiltyard_combat::load::load(&text).unwrap_or_else(|problems| panic!("{problems}")))
}

/// What `slot` does with the ability or item of this name.
fn use_of(ruleset: &Ruleset, slot: Slot, name: &str, target: Option<Slot>) -> Input {
    let ability = ruleset.abilities.iter().position(|ability| ability.name == name).expect("an ability of the ruleset");
    let item = ruleset.abilities[ability].kind == AbilityKind::Item;
    let aim = Target { slot: target, at: None };
    Input::Act { slot, id: 0, action: Action::Use { ability: u8::try_from(ability).expect("few"), item, aim } }
}

/// Two who fight, the first of them in the state that is named.
fn doing(ruleset: &Arc<Ruleset>, state: &str) -> Run {
    let setup =
        Setup { mode: Mode::Pvp, rules: rules(""), seats: 3, participants: vec![1, 2, 3], teams: Vec::new(), seed: 7 };
    let mut run = Run::of(Hosted::new(Arc::clone(ruleset), setup));
    run.all_ready();
    match state {
        "idle" => {}
        "casting" => drop(run.input(use_of(ruleset, 0, "weapon_jam", Some(1))).expect("a cast")),
        "channelling" => drop(run.input(use_of(ruleset, 0, "medkit", None)).expect("a channel")),
        "defending" => drop(run.input(Input::Act { slot: 0, id: 0, action: Action::Defend }).expect("a guard")),
        "stunned" => {
            run.input(use_of(ruleset, 1, "weapon_jam", Some(0))).expect("a cast");
            run.wait(3_000);
        }
        "eliminated" => run.finish_off(1, 0),
        other => panic!("no state {other}"),
    }
    let is = run.fight.participants()[0].activity();
    assert_eq!(ruleset.activity.state(is).name, state);
    run
}

#[test]
fn every_action_in_every_state_of_a_participant() {
    let ruleset = stunning();
    let mut lines = ACTIVITIES.lines().filter(|line| !line.trim().is_empty());
    let actions: Vec<&str> = lines.next().expect("actions").split_whitespace().collect();
    let mut states = Vec::new();
    for line in lines {
        let mut words = line.split_whitespace();
        let state = words.next().expect("a state");
        states.push(state);
        for (action, expected) in actions.iter().zip(words) {
            let mut run = doing(&ruleset, state);
            let answer = match *action {
                "attack" => run.attack(0, 1),
                "defend" => run.input(Input::Act { slot: 0, id: 0, action: Action::Defend }),
                "ability" => run.input(use_of(&ruleset, 0, "shield_boost", None)),
                "move" => {
                    let at = run.fight.participants()[0].at();
                    let to = Point::new(at.x + 10, at.y);
                    run.input(Input::Act { slot: 0, id: 0, action: Action::Move { to } })
                }
                "item" => run.input(use_of(&ruleset, 0, "stim", None)),
                other => panic!("no action {other}"),
            };
            let outcome = match answer {
                Ok(_) => "ok".to_owned(),
                Err(Refusal::Cooldown { .. }) => "Cooldown".to_owned(),
                Err(refusal) => format!("{refusal:?}"),
            };
            assert_eq!(outcome, expected, "{action} while {state}");
        }
    }
    let all: Vec<&str> = ruleset.activity.states.iter().map(|state| state.name.as_str()).collect();
    assert_eq!(states, all, "every state of the machine");
}
