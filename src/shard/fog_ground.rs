//! Where the fog is tested: a long field with two camps that are out of each other's sight, and rulesets with all that reaches
//! from the one into the other.

use std::sync::{Arc, OnceLock};

use tiltyard_combat::ruleset::{
    Ability, AbilityKind, Affects, Cover, CoverKind, Effect, Environment, Hazard, Op, Resource, Shape, Stacking,
};
use tiltyard_combat::{Action, Difficulty, Input, Mode, Point, Rules, Ruleset, Step};
use uuid::Uuid;

use crate::rules::Library;
use crate::shard::NewFight;
use crate::shard::session::Session;

/// Who has made the fights, and takes no part in them.
pub(crate) const CREATOR: Uuid = Uuid::from_u128(99);

const SIGHT_CM: u32 = 1_400;
const WIDTH_CM: i32 = 8_000;
const HEIGHT_CM: i32 = 4_000;
/// How far each camp goes from its end of the field.
const CAMP_CM: i32 = 2_200;

/// By which abilities and effects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// Those below.
    FarReaching,
    /// Those of a shipped ruleset.
    Default,
    ArenaFast,
}

impl Ground {
    pub(crate) const ALL: [Self; 4] = [Self::FarReaching, Self::FarReaching, Self::Default, Self::ArenaFast];

    fn ruleset(self) -> Arc<Ruleset> {
        static GROUNDS: OnceLock<[Arc<Ruleset>; 3]> = OnceLock::new();
        let grounds = GROUNDS.get_or_init(|| {
            let library = Library::built_in();
            let shipped = |name| {
                let shipped = library.by_name(name).unwrap();
                Arc::new(Ruleset { environment: field(), ..(**shipped).clone() })
            };
            [Arc::new(far_reaching()), shipped("default"), shipped("arena-fast")]
        });
        Arc::clone(&grounds[self as usize])
    }
}

/// A fight of six on it: two, one, two and one of a team.
pub(crate) fn fight(ground: Ground, turns: bool) -> NewFight {
    let ruleset = ground.ruleset();
    let rules = Rules {
        sight_cm: SIGHT_CM,
        speed_cm_per_s: 100_000,
        health: 3_000,
        attack_interval_ms: 50,
        accuracy_percent: 70,
        critical_percent: 30,
        charge_per_100_damage: 10_000,
        energy: 10_000,
        energy_per_second: 1_000,
        turn_ms: if turns { 1_000 } else { 0 },
        preparation_ms: 1_000,
        rounds: 1,
        score_limit: 0,
        modifiers: 1,
        friendly_fire: 1,
        afk_ms: 0,
        ..ruleset.rules_of(Mode::Arena, Difficulty::Normal).unwrap()
    };
    NewFight {
        id: Uuid::from_u128(0x0192_f5a8_0000_7000_8000_0000_0000_0042),
        mode: Mode::Arena,
        creator: CREATOR,
        participants: (1..=6).map(Uuid::from_u128).collect(),
        seats: 6,
        ruleset,
        rules,
        teams: vec![0, 0, 1, 2, 2, 3],
        settings: String::new(),
        metadata: String::new(),
    }
}

/// The fight begins, and each goes to its camp.
pub(crate) fn open(session: &mut Session, turns: bool, now: &mut u64) {
    let mut step = Step::default();
    let mut handle = |at, input| {
        step.clear();
        session.handle_input(at, at, input, &mut step)
    };
    for slot in 0..6 {
        handle(0, Input::Connect { slot }).unwrap();
        handle(0, Input::Ready { slot }).unwrap();
    }
    // A turn takes a second, and a stride as well.
    for round in 0..if turns { 8 } else { 1 } {
        for slot in 0..6_u8 {
            *now += 1_000;
            let to =
                Point::new(if slot < 3 { 1_000 } else { 7_000 } + i32::from(slot) * 60, 1_800 + i32::from(slot) * 70);
            let moved = handle(*now, Input::Act { slot, id: 0, action: Action::Move { to } });
            assert!(moved.is_ok() || turns, "{round}: {moved:?}");
        }
        if turns {
            *now += 1_000;
        }
    }
}

/// The place in its camp that is nearest to `at`.
pub(crate) fn within(hidden: bool, at: Point) -> Point {
    let (least, most) = if hidden { (WIDTH_CM - CAMP_CM, WIDTH_CM) } else { (0, CAMP_CM) };
    Point::new(at.x.clamp(least, most), at.y.clamp(0, HEIGHT_CM))
}

pub(crate) fn ability(name: &str, does: Vec<Op>) -> Ability {
    Ability { name: name.to_owned(), does, ..Ability::default() }
}

/// An effect that hurts.
pub(crate) fn burn(tick_damage: u32) -> Effect {
    Effect {
        name: "burn".to_owned(),
        stacking: Stacking::Intensify,
        stacks: 3,
        ms: 400,
        tick_ms: 100,
        tick_damage,
        ..Effect::default()
    }
}

/// An effect that absorbs.
pub(crate) fn bubble(absorbs_percent: u32) -> Effect {
    Effect { name: "bubble".to_owned(), ms: 500, absorbs_percent, ..Effect::default() }
}

pub(crate) fn cover(kind: CoverKind, at: Point, (width_cm, height_cm): (u32, u32), health: u32) -> Cover {
    Cover { name: "crate".to_owned(), kind, at, width_cm, height_cm, health }
}

pub(crate) fn hazard(at: Point, radius_cm: u32, every_ms: u32, health: u32) -> Hazard {
    Hazard { name: "barrel".to_owned(), at, radius_cm, every_ms, health, damage: 3, element: None, effect: None }
}

fn field() -> Environment {
    let cover = |x, health| cover(CoverKind::Soft, Point::new(x, 1_500), (100, 300), health);
    Environment {
        width_cm: WIDTH_CM.unsigned_abs(),
        height_cm: HEIGHT_CM.unsigned_abs(),
        covers: vec![cover(700, 60), cover(7_300, 60)],
        hazards: vec![hazard(Point::new(1_200, 1_200), 500, 0, 30), hazard(Point::default(), 0, 900, 0)],
        ..Environment::default()
    }
}

fn far_reaching() -> Ruleset {
    let hurt = Op::Damage { min: 5, max: 60, element: None };
    let far = 100_000;
    let abilities = vec![
        // Of those within it takes only some.
        Ability {
            affects: Affects::Enemies,
            shape: Shape::Area { radius_cm: 500 },
            range_cm: far,
            targets: 2,
            ..ability("barrage", vec![hurt.clone(), Op::Apply { effect: 0, ms: 0 }, Op::Push { cm: 60 }])
        },
        Ability { affects: Affects::Enemies, range_cm: far, ..ability("bolt", vec![hurt.clone(), hurt.clone()]) },
        // Around its user, wherever the others are.
        Ability {
            cost: vec![(Resource::Charge, 20)],
            affects: Affects::Others,
            shape: Shape::Area { radius_cm: far },
            targets: 3,
            ..ability("wave", vec![hurt.clone(), Op::Pull { cm: 30 }])
        },
        Ability {
            affects: Affects::Enemies,
            shape: Shape::Line { width_cm: 400 },
            range_cm: far,
            targets: 2,
            ..ability("beam", vec![hurt.clone()])
        },
        Ability {
            affects: Affects::Others,
            shape: Shape::Cone { degrees: 60 },
            range_cm: far,
            targets: 3,
            ..ability("breath", vec![Op::Damage { min: 1, max: 30, element: None }, Op::Apply { effect: 2, ms: 0 }])
        },
        Ability {
            cast_ms: 200,
            affects: Affects::Own,
            ..ability("shelter", vec![Op::Apply { effect: 1, ms: 0 }, Op::Dash { cm: 50 }])
        },
        Ability {
            cast_ms: 600,
            every_ms: 200,
            channel: true,
            affects: Affects::Enemies,
            range_cm: far,
            ..ability("drain", vec![hurt.clone(), Op::Gain { effect: 1, ms: 0 }])
        },
        // Meant for nobody whole: whether it is meant for one in the fog is that one's affair.
        Ability { affects: Affects::Enemies, range_cm: far, below_percent: 99, ..ability("mercy", vec![hurt]) },
        Ability {
            affects: Affects::Others,
            shape: Shape::Area { radius_cm: 500 },
            range_cm: far,
            targets: 4,
            ..ability(
                "gift",
                vec![
                    Op::Heal { percent: 1, points: 5 },
                    Op::Cleanse,
                    Op::Refill { resource: Resource::Energy, points: 40 },
                ],
            )
        },
        // Wherever they are, who is hurt in the fog is nearer to where it is aimed at than who is seen.
        Ability {
            affects: Affects::Others,
            shape: Shape::Area { radius_cm: far },
            range_cm: far,
            targets: 2,
            below_percent: 99,
            ..ability("reckoning", vec![Op::Damage { min: 1, max: 9, element: None }])
        },
        Ability { kind: AbilityKind::Item, uses: 3, ..ability("medkit", vec![Op::Heal { percent: 4, points: 0 }]) },
    ];
    let effects = vec![
        burn(40),
        bubble(1),
        Effect { name: "daze".to_owned(), ms: 300, stuns: true, fragile: true, ..Effect::default() },
    ];
    Ruleset {
        name: "far reaching".to_owned(),
        kit: u8::try_from(abilities.len()).unwrap(),
        abilities,
        effects,
        environment: field(),
        modifiers: Vec::new(),
        ..(*Ruleset::plain()).clone()
    }
}
