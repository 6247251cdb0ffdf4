//! What is true of every fight: random rules, seats, times and inputs, nonsense among them. [`Watched`] checks each step.

mod hosted;
mod watched;

use std::sync::{Arc, OnceLock};

use hosted::Hosted;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tiltyard_combat::motion::FULL_TURN;
use tiltyard_combat::ruleset::AbilityKind;
use tiltyard_combat::{
    Action, Answer, BodyPart, Difficulty, Input, Millis, Mode, Participant, Parting, PlayerId, Point, Rules, Ruleset,
    Setup, Slot, Step, Target, Thing, Velocity,
};
use watched::{Watched, view};

/// One fight to be: how it begins and what it is given.
#[derive(Debug, Clone)]
struct Plan {
    ground: Ground,
    /// What is not as it is by default is set so on any ground.
    rules: Rules,
    seats: u8,
    taken: u8,
    seed: u64,
    lines: Vec<Line>,
}

/// Under which ruleset.
#[derive(Debug, Clone, Copy)]
enum Ground {
    Plain,
    /// The default one, with everything it has.
    Shipped(Mode),
}

#[derive(Debug, Clone)]
struct Line {
    wait: Wait,
    id: Id,
    input: Input,
}

#[derive(Debug, Clone)]
enum Wait {
    For(Millis),
    UntilDue,
}

/// The id of an action, seen from the last one of the participant.
#[derive(Debug, Clone)]
enum Id {
    None,
    Ahead(u64),
    Behind(u64),
    Any(u64),
}

impl Plan {
    fn fight(&self) -> Hosted {
        let (ruleset, mode) = (self.ground.ruleset(), self.ground.mode());
        let mut rules = ruleset.rules_of(mode, Difficulty::Normal).expect("a mode of every ruleset");
        for (setting, value) in Rules::SETTINGS.iter().zip(self.rules.values()).filter(|(s, value)| s.default != *value)
        {
            rules.set(setting.name, Some(u64::from(value))).expect("a value in range");
        }
        let participants: Vec<PlayerId> = (0..PlayerId::from(self.taken)).collect();
        Hosted::new(ruleset, Setup { mode, rules, seats: self.seats, participants, teams: Vec::new(), seed: self.seed })
    }

    /// Plays it, giving `after` each input with its time and answer; what comes of it is the fight at its end.
    fn play(&self, mut after: impl FnMut(&Watched, Millis, Input, Answer)) -> Watched {
        let mut watched = Watched::new(self.fight());
        let mut at = 0;
        for line in &self.lines {
            at = match line.wait {
                Wait::For(millis) => at + millis,
                Wait::UntilDue => watched.fight().deadline().unwrap_or(at),
            };
            let input = line.input_to(watched.fight());
            let answer = watched.handle(at, input);
            after(&watched, at, input, answer);
        }
        watched
    }

    /// The inputs with their times, as a log has them, and the digest after each.
    fn log(&self) -> Vec<(Millis, Input, u64)> {
        let mut log = Vec::new();
        self.play(|watched, at, input, _| log.push((at, input, watched.fight().state_digest())));
        log
    }
}

impl Ground {
    fn ruleset(self) -> Arc<Ruleset> {
        static SHIPPED: OnceLock<Arc<Ruleset>> = OnceLock::new();
        let load = || {
            let text = include_str!("../../rules/default.toml");
            Arc::new(tiltyard_combat::load::load(text).expect("the ruleset that is shipped"))
        };
        match self {
            Self::Plain => Ruleset::plain(),
            Self::Shipped(_) => Arc::clone(SHIPPED.get_or_init(load)),
        }
    }

    fn mode(self) -> Mode {
        match self {
            Self::Plain => Mode::Pvp,
            Self::Shipped(mode) => mode,
        }
    }
}

impl Line {
    fn input_to(&self, fight: &Hosted) -> Input {
        let Input::Act { slot, action, .. } = self.input else { return self.input };
        let last = fight.participants().get(usize::from(slot)).map_or(0, Participant::last_action_id);
        let id = match self.id {
            Id::None => 0,
            Id::Ahead(by) => last.saturating_add(by),
            Id::Behind(by) => last.saturating_sub(by),
            Id::Any(id) => id,
        };
        Input::Act { slot, id, action: aimed(action, fight, slot) }
    }
}

/// Places are seen from where the participant is, and an ability is used as what it is not where `item` is set.
fn aimed(action: Action, fight: &Hosted, slot: Slot) -> Action {
    let from = fight.participants().get(usize::from(slot)).map_or(Point::default(), Participant::at);
    let there = |by: Point| Point::new(from.x.saturating_add(by.x), from.y.saturating_add(by.y));
    match action {
        Action::Move { to } => Action::Move { to: there(to) },
        Action::Walk { to, facing, velocity } => Action::Walk { to: there(to), facing, velocity },
        Action::Use { ability, item, aim } => {
            let kind = fight.ruleset().ability(ability).map(|ability| ability.kind);
            let aim = Target { at: aim.at.map(there), ..aim };
            Action::Use { ability, item: item != (kind == Some(AbilityKind::Item)), aim }
        }
        other => other,
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    // Open seats and a beginning in preparation are the exception: most is to be found in a fight.
    let seats = prop_oneof![3 => 2..=4_u8, 1 => 1..=8_u8]
        .prop_flat_map(|seats| (Just(seats), prop_oneof![4 => Just(seats), 1 => 0..=seats]));
    let begun = prop_oneof![1 => Just(false), 4 => Just(true)];
    (ground(), rules(), seats, any::<u64>(), begun, vec(line(), 1..120)).prop_map(
        |(ground, rules, (seats, taken), seed, begun, mut lines)| {
            if begun {
                lines.insert(0, Line { wait: Wait::UntilDue, id: Id::None, input: Input::Tick });
            }
            Plan { ground, rules, seats, taken, seed, lines }
        },
    )
}

fn ground() -> impl Strategy<Value = Ground> {
    let mode = prop_oneof![Just(Mode::Pvp), Just(Mode::Pve), Just(Mode::Arena), Just(Mode::Tournament)];
    prop_oneof![1 => Just(Ground::Plain), 2 => mode.prop_map(Ground::Shipped)]
}

/// Each setting at an end of its range, as it is by default or small.
fn rules() -> impl Strategy<Value = Rules> {
    let values: Vec<_> = Rules::SETTINGS
        .iter()
        .map(|setting| {
            let (min, max) = (setting.min, setting.max);
            let (tiny, small) = (min..=max.min(min + 5), min..=max.min(min + 2_000));
            prop_oneof![20 => Just(setting.default), 1 => tiny, 1 => Just(max), 3 => small]
        })
        .collect();
    values.prop_map(|values| {
        let mut rules = Rules::default();
        for (setting, value) in Rules::SETTINGS.iter().zip(values) {
            rules.set(setting.name, Some(u64::from(value))).expect("a value in range");
        }
        // Nobody waits for a hundred thousand rounds that pass by themselves.
        rules.rounds = rules.rounds.min(9);
        if rules.check().is_err() {
            std::mem::swap(&mut rules.attack_damage_min, &mut rules.attack_damage_max);
        }
        rules
    })
}

fn line() -> impl Strategy<Value = Line> {
    let wait = prop_oneof![
        30 => Just(Wait::For(0)),
        90 => (0..150_u64).prop_map(Wait::For),
        10 => (0..5_000_u64).prop_map(Wait::For),
        1 => prop_oneof![Just(Wait::UntilDue), (0..1_000_000_u64).prop_map(Wait::For)],
    ];
    let id = prop_oneof![
        30 => Just(Id::None),
        60 => (1..4_u64).prop_map(Id::Ahead),
        20 => (0..12_u64).prop_map(Id::Behind),
        1 => any::<u64>().prop_map(Id::Any),
    ];
    (wait, id, input()).prop_map(|(wait, id, input)| Line { wait, id, input })
}

fn input() -> impl Strategy<Value = Input> {
    let act = (slot(), action()).prop_map(|(slot, action)| Input::Act { slot, id: 0, action });
    prop_oneof![
        300 => act,
        20 => Just(Input::Tick),
        20 => prop_oneof![(0..10_u128), any::<PlayerId>()].prop_map(|player| Input::Seat { player }),
        40 => slot().prop_map(|slot| Input::Ready { slot }),
        30 => slot().prop_map(|slot| Input::Connect { slot }),
        4 => slot().prop_map(|slot| Input::Disconnect { slot }),
        16 => (slot(), parting()).prop_map(|(slot, why)| Input::Part { slot, why }),
        10 => slot().prop_map(|slot| Input::Replace { slot }),
        4 => Just(Input::Pause),
        20 => Just(Input::Resume),
        1 => prop_oneof![
            Just(Input::Complete),
            any::<bool>().prop_map(|force| Input::Terminate { force }),
            Just(Input::PauseOver),
            slot().prop_map(|slot| Input::Concede { slot }),
        ],
    ]
}

fn action() -> impl Strategy<Value = Action> {
    let part = prop_oneof![Just(BodyPart::Head), Just(BodyPart::Torso), Just(BodyPart::Limb)];
    let whom = || prop_oneof![1 => Just(None), 8 => slot().prop_map(Some)];
    let place = || prop_oneof![1 => Just(None), 3 => offset().prop_map(Some)];
    let aim = (whom(), place()).prop_map(|(slot, at)| Target { slot, at });
    let thing = prop_oneof![(0..12_u8).prop_map(Thing::Cover), (0..6_u8).prop_map(Thing::Hazard)];
    prop_oneof![
        16 => (whom(), part).prop_map(|(target, part)| Action::Attack { target, part }),
        6 => Just(Action::Defend),
        12 => (0..12_u8, prop::bool::weighted(0.1), aim)
            .prop_map(|(ability, item, aim)| Action::Use { ability, item, aim }),
        4 => offset().prop_map(|to| Action::Move { to }),
        12 => (offset(), option::of(0..FULL_TURN), velocity())
            .prop_map(|(to, facing, velocity)| Action::Walk { to, facing, velocity }),
        3 => thing.prop_map(|thing| Action::Break { thing }),
        1 => Just(Action::Unavailable),
    ]
}

fn parting() -> impl Strategy<Value = Parting> {
    prop_oneof![Just(Parting::Lost), Just(Parting::Left)]
}

fn velocity() -> impl Strategy<Value = Velocity> {
    let by = || prop_oneof![10 => -700..=700_i32, 3 => -100_000..=100_000, 1 => any::<i32>()];
    (by(), by()).prop_map(|(x, y)| Velocity::new(x, y))
}

/// From where the participant is.
fn offset() -> impl Strategy<Value = Point> {
    let by = || prop_oneof![10 => -120..=120_i32, 3 => -2_000..=2_000, 1 => any::<i32>()];
    (by(), by()).prop_map(|(x, y)| Point::new(x, y))
}

fn slot() -> impl Strategy<Value = Slot> {
    prop_oneof![12 => 0..2_u8, 6 => 0..4_u8, 2 => 0..8_u8, 1 => any::<u8>()]
}

proptest! {
    // Enough to reach every state, few enough for every run.
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_log_is_the_fight(plan in plans()) {
        let (mut again, mut step) = (plan.fight(), Step::default());
        for (at, input, digest) in plan.log() {
            let before = again.clone();
            step.clear();
            let _answered_before = again.handle(at, input, &mut step);
            prop_assert_eq!(again.state_digest(), digest);
            prop_assert_eq!(again == before, again.state_digest() == before.state_digest());
        }
    }

    #[test]
    fn a_checkpoint_taken_anywhere_goes_on_as_the_fight_does(plan in plans(), at in any::<prop::sample::Index>()) {
        let log = plan.log();
        let (mut fight, mut step) = (plan.fight(), Step::default());
        for (number, &(time, input, digest)) in log.iter().enumerate() {
            if number == at.index(log.len()) {
                let restored = fight.put_away();
                prop_assert_eq!(&restored, &fight);
                fight = restored;
            }
            step.clear();
            let _answered_before = fight.handle(time, input, &mut step);
            prop_assert_eq!(fight.state_digest(), digest);
        }
    }

    #[test]
    fn what_is_refused_could_have_been_left_out(mut plan in plans()) {
        // What is left of a refusal is its place under the cap and its answer: without both, nothing is.
        plan.rules.actions_per_second = 0;
        plan.lines.iter_mut().for_each(|line| line.id = Id::None);
        let (mut without, mut step, mut refused) = (plan.fight(), Step::default(), 0);
        let with = plan.play(|watched, at, input, answer| {
            step.clear();
            let kept = if answer.is_ok() { input } else { Input::Tick };
            let same = without.handle(at, kept, &mut step);
            refused += u64::from(answer.is_err() && matches!(input, Input::Act { .. }));
            assert!(answer.is_err() || answer == same);
            assert_eq!((step.events(), step.changed()), (watched.step().events(), watched.step().changed()));
        });
        prop_assert!(with.fight().participants().iter().map(view).eq(without.participants().iter().map(view)));
        prop_assert_eq!(with.fight().lifecycle(), without.lifecycle());
        prop_assert_eq!((with.fight().totals().refused, without.totals().refused), (refused, 0));
    }

    #[test]
    fn every_fight_ends_when_it_is_ticked_as_it_asks_for(mut plan in plans()) {
        // Enemies think and hazards burn many times a second, mostly for nothing: a little of that is enough.
        let plain = matches!(plan.ground, Ground::Plain);
        if !plain {
            plan.rules.max_duration_ms = plan.rules.max_duration_ms.min(10_000);
            plan.rules.rounds = plan.rules.rounds.min(3);
        }
        let mut last = 0;
        let mut watched = plan.play(|_, at, _, _| last = at);
        if watched.fight().lifecycle().is_paused() {
            prop_assert!(watched.handle(last, Input::Resume).is_ok());
        }
        let mut for_nothing = 0;
        prop_assert!(watched.handle(last, Input::Tick).is_ok());
        while let Some(due) = watched.fight().deadline() {
            prop_assert!(due > last, "due {} at {}", due, last);
            last = due;
            let seq = watched.fight().seq();
            prop_assert!(watched.handle(due, Input::Tick).is_ok());
            let noticed = !watched.step().flags().is_empty();
            // What was to happen may have been called off, and a fight that has looked knows what is next; an absence
            // that was flagged a moment ago is noticed in silence, once by each.
            for_nothing = if watched.fight().seq() > seq || noticed { 0 } else { for_nothing + 1 };
            let most = 2 + watched.fight().participants().len();
            prop_assert!(!plain || for_nothing < most, "a tick for nothing");
        }
        prop_assert!(watched.fight().lifecycle().is_ended());
        prop_assert!(watched.fight().lifecycle().end().is_some());
    }
}
