//! What leaves for an audience: exactly what its view needs, and nothing that it must not see.

use std::sync::Arc;

use proptest::prelude::*;
use tiltyard_combat::ruleset::{
    Ability, AbilityKind, Affects, CoverKind, Effect, Enemy, EnemyPhase, Environment, Hazard, Op, Resource, Shape,
    Spot, Wave,
};
use tiltyard_combat::{
    Action, Audience, BodyPart, Bout, Fields, Fight, Input, Mode, Participant, Parting, Point, Rules, Ruleset, Setup,
    Step, Target, Thing, Velocity,
};
use tiltyard_protocol::server::Delta;
use tiltyard_protocol::{Encoding, ServerMessage, View};

use super::fog_ground::{ability, bubble, burn, cover, hazard};
use super::publish::{DeltaOf, Publisher};
use super::shown::{view_digest, view_of};

/// A little of everything that a ruleset can have.
fn ruleset() -> Arc<Ruleset> {
    let hurt = Op::Damage { min: 5, max: 9, element: None };
    let abilities = vec![
        Ability {
            cost: vec![(Resource::Energy, 25)],
            cooldown_ms: 300,
            affects: Affects::Enemies,
            range_cm: 100_000,
            targets: 20,
            ..ability("jab", vec![hurt.clone(), Op::Apply { effect: 0, ms: 0 }])
        },
        Ability {
            cost: vec![(Resource::Energy, 10)],
            cast_ms: 200,
            affects: Affects::Own,
            ..ability("shelter", vec![Op::Apply { effect: 1, ms: 0 }, Op::Dash { cm: 300 }])
        },
        Ability {
            cost: vec![(Resource::Charge, 20)],
            affects: Affects::Others,
            shape: Shape::Area { radius_cm: 5_000 },
            targets: 20,
            ..ability("burst", vec![hurt, Op::Push { cm: 200 }])
        },
        Ability { kind: AbilityKind::Item, uses: 2, ..ability("medkit", vec![Op::Heal { percent: 40, points: 0 }]) },
    ];
    let effects = vec![burn(2), bubble(20), Effect { name: "low gravity".to_owned(), ..Effect::default() }];
    let enemy = Enemy {
        name: "drone".to_owned(),
        health: 40,
        speed_cm_per_s: 500,
        damage_min: 3,
        damage_max: 5,
        attack_interval_ms: 200,
        attack_range_cm: 3_000,
        think_ms: 150,
        phases: vec![EnemyPhase { name: "calm".to_owned(), from_percent: 100, ..EnemyPhase::default() }],
        ..Enemy::default()
    };
    let cover = |kind, health| cover(kind, Point::new(2_000, 2_000), (200, 800), health);
    let hazard = |radius_cm, every_ms, health| Hazard {
        effect: Some(0),
        ..hazard(Point::new(2_400, 2_400), radius_cm, every_ms, health)
    };
    let environment = Environment {
        spawns: vec![Spot { team: 0, at: Point::new(1_500, 2_500) }, Spot { team: 1, at: Point::new(3_000, 2_500) }],
        covers: vec![cover(CoverKind::Soft, 60), cover(CoverKind::Wall, 0)],
        hazards: vec![hazard(600, 0, 30), hazard(0, 900, 0)],
        ..Environment::default()
    };
    Arc::new(Ruleset {
        name: "all of it".to_owned(),
        abilities,
        kit: 4,
        effects,
        enemies: vec![enemy],
        waves: vec![Wave { delay_ms: 200, spawns: vec![(0, 1, 2)] }, Wave { delay_ms: 100, spawns: vec![(0, 1, 3)] }],
        environment,
        modifiers: vec![2],
        ..(*Ruleset::plain()).clone()
    })
}

/// How a fight is set up.
#[derive(Debug, Clone)]
struct Plan {
    mode: Mode,
    teams: u32,
    fog: bool,
    rounds: u32,
    turns: bool,
    seed: u64,
    inputs: Vec<(u64, Input)>,
}

fn plan() -> impl Strategy<Value = Plan> {
    let slot = 0_u8..5;
    let place = (1_000..4_000, 1_000..4_000).prop_map(|(x, y)| Point::new(x, y));
    let aim =
        (prop::option::of(slot.clone()), prop::option::of(place.clone())).prop_map(|(slot, at)| Target { slot, at });
    let action = prop_oneof![
        4 => slot.clone().prop_map(|to| Action::Attack { target: Some(to), part: BodyPart::Head }),
        1 => Just(Action::Defend),
        4 => (0_u8..5, any::<bool>(), aim).prop_map(|(ability, item, aim)| Action::Use { ability, item, aim }),
        1 => place.clone().prop_map(|to| Action::Move { to }),
        4 => (place, prop::option::of(0_u16..360), -600..600, -600..600)
            .prop_map(|(to, facing, x, y)| Action::Walk { to, facing, velocity: Velocity::new(x, y) }),
        1 => (0_u8..3).prop_map(|cover| Action::Break { thing: Thing::Cover(cover) }),
        1 => (0_u8..3).prop_map(|hazard| Action::Break { thing: Thing::Hazard(hazard) }),
    ];
    let input = prop_oneof![
        12 => (slot.clone(), action).prop_map(|(slot, action)| Input::Act { slot, id: 0, action }),
        2 => Just(Input::Tick),
        1 => slot.clone().prop_map(|slot| Input::Connect { slot }),
        1 => slot.clone().prop_map(|slot| Input::Replace { slot }),
        1 => (slot, prop_oneof![Just(Parting::Lost), Just(Parting::Left)])
            .prop_map(|(slot, why)| Input::Part { slot, why }),
        1 => prop_oneof![Just(Input::Pause), Just(Input::Resume)],
    ];
    let inputs = prop::collection::vec((0_u64..300, input), 20..120);
    let mode = prop_oneof![Just(Mode::Pvp), Just(Mode::Pve), Just(Mode::Arena)];
    let shape = (mode, 0_u32..3, any::<bool>(), 1_u32..4, prop::bool::weighted(0.2), any::<u64>());
    (shape, inputs).prop_map(|((mode, teams, fog, rounds, turns, seed), inputs)| Plan {
        mode,
        teams,
        fog,
        rounds,
        turns,
        seed,
        inputs,
    })
}

/// Every input of a plan, from an empty seat on, with what it changed.
fn play(plan: &Plan, mut see: impl FnMut(Bout<'_>, &Step)) {
    let rules = Rules {
        teams: plan.teams,
        rounds: plan.rounds,
        sight_cm: if plan.fog { 1_200 } else { 0 },
        turn_ms: if plan.turns { 500 } else { 0 },
        shield: 20,
        ammo: 5,
        reload_ms: 300,
        attack_interval_ms: 0,
        modifiers: 1,
        preparation_ms: 300,
        intermission_ms: 100,
        cooldown_ms: 1_000,
        max_duration_ms: 4_000,
        reconnect_ms: 600,
        ..Rules::default()
    };
    let participants = vec![11, 12, 13];
    let setup = Setup { mode: plan.mode, rules, seats: 4, participants, teams: Vec::new(), seed: plan.seed };
    let ruleset = ruleset();
    let mut fight = Fight::new(&ruleset, setup);
    let mut now = 0;
    let start = [Input::Seat { player: 14 }, Input::Connect { slot: 0 }].into_iter();
    let ready = (0..4).map(|slot| Input::Ready { slot });
    let all = start.chain(ready).map(|input| (10, input)).chain(plan.inputs.iter().copied());
    for (wait, input) in all {
        now += wait;
        let mut step = Step::default();
        // Also a refused input shows what had been due.
        let _ = fight.handle(&ruleset, now, input, &mut step);
        if !step.is_empty() {
            see(Bout { fight: &fight, ruleset: &ruleset }, &step);
        }
    }
}

/// Everybody there is to show a fight to.
fn audiences() -> Vec<Audience> {
    let own = (0..4).map(Audience::Own);
    own.chain((0..4).map(Audience::Team)).chain([Audience::Spectator, Audience::All]).collect()
}

/// The payload of a frame as a server sends it.
fn payload(frame: &[u8]) -> &[u8] {
    match frame[1] {
        126 => &frame[4..],
        127 => &frame[10..],
        _ => &frame[2..],
    }
}

/// What the recipients have had applied.
const ID: u64 = 70_000;

fn framed(publisher: &mut Publisher, encoding: Encoding, whole: &DeltaOf<'_>, audience: Audience) -> Vec<u8> {
    let mut frame = Vec::new();
    publisher.delta_for(encoding, whole, audience, ID, &mut frame);
    frame
}

fn decoded(encoding: Encoding, frame: &[u8]) -> Delta {
    let bytes = payload(frame);
    let ServerMessage::Delta(delta) = encoding.decode_server(bytes).unwrap() else { panic!("a delta") };
    let mut again = Vec::new();
    encoding.encode(&ServerMessage::Delta(delta.clone()), &mut again);
    assert_eq!(String::from_utf8_lossy(bytes), String::from_utf8_lossy(&again), "the short way is the long way");
    delta
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn a_client_that_applies_every_delta_has_the_servers_view(plan in plan()) {
        let mut views: Option<Vec<(Audience, View)>> = None;
        let (mut publisher, mut seq) = (Publisher::default(), 0);
        play(&plan, |fight, step| {
            publisher.begin();
            let whole = DeltaOf::whole(5, fight, step, 1_796_000_000_000);
            let Some(views) = &mut views else {
                views = Some(audiences().into_iter().map(|of| (of, view_of(fight, of))).collect());
                seq = fight.seq();
                return;
            };
            for (audience, view) in views.iter_mut() {
                let mut before = view.clone();
                for (encoding, view) in [(Encoding::MsgPack, &mut before), (Encoding::Json, &mut *view)] {
                    let delta = decoded(encoding, &framed(&mut publisher, encoding, &whole, *audience));
                    assert_eq!(delta.id, ID, "each has its own");
                    assert_eq!(view.apply(seq, &delta), Ok(fight.seq()), "{audience:?} {delta:?}");
                }
                assert_eq!(*view, view_of(fight, *audience), "{audience:?}");
                assert_eq!(view.digest(), view_digest(fight, *audience), "{audience:?}");
            }
            seq = fight.seq();
        });
    }

    #[test]
    fn what_an_audience_must_not_see_changes_nothing_that_it_gets(plan in plan(), at in any::<prop::sample::Index>()) {
        let mut steps = 0;
        play(&plan, |_, _| steps += 1);
        let (chosen, mut place) = (at.index(steps), 0);
        play(&plan, |fight, step| {
            if place == chosen {
                for audience in audiences() {
                    nothing_hidden_is_told(fight, step, audience);
                }
            }
            place += 1;
        });
    }
}

/// Everything that is encoded for an audience.
fn told(fight: Bout<'_>, step: &Step, audience: Audience) -> Vec<Vec<u8>> {
    let mut publisher = Publisher::default();
    let whole = DeltaOf::whole(5, fight, step, 1_796_000_000_000);
    let (mut all, view) = (vec![view_digest(fight, audience).to_le_bytes().to_vec()], view_of(fight, audience));
    for encoding in Encoding::ALL {
        let mut bytes = Vec::new();
        encoding.encode(&view, &mut bytes);
        all.push(bytes);
        all.push(payload(&framed(&mut publisher, encoding, &whole, audience)).to_vec());
    }
    all
}

fn nothing_hidden_is_told(fight: Bout<'_>, step: &Step, audience: Audience) {
    // Ids of enemies have more bits than a number of a JSON value can have.
    let players: Vec<u128> = fight.participants().iter().map(Participant::player).collect();
    let mut text = serde_json::to_string(fight.fight).unwrap();
    for player in &players {
        text = text.replacen(&format!("\"player\":{player}"), "\"player\":null", 1);
    }
    let mut other: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (slot, participant) in (0_u8..).zip(other["participants"].as_array_mut().unwrap()) {
        change_hidden(participant, fight.visible(audience, slot));
    }
    let mut text = other.to_string();
    for player in &players {
        text = text.replacen("\"player\":null", &format!("\"player\":{player}"), 1);
    }
    let other: Fight = serde_json::from_str(&text).unwrap();
    assert_ne!(fight.fight, &other, "something is hidden from everybody");
    let text = |told: Vec<Vec<u8>>| told.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect();
    let (before, after): (Vec<String>, Vec<String>) =
        (text(told(fight, step, audience)), text(told(Bout { fight: &other, ..fight }, step, audience)));
    assert_eq!(before, after, "{audience:?}");
}

/// Gives everything that is not in `visible` another value.
fn change_hidden(p: &mut serde_json::Value, visible: Fields) {
    let more = |value: &mut serde_json::Value| *value = (value.as_i64().unwrap() + 1).into();
    more(&mut p["attack_ready_at"]);
    more(&mut p["defend_ready_at"]);
    for (field, names) in [
        (Fields::HP, &["hp"][..]),
        (Fields::ARMOR, &["armor"]),
        (Fields::SHIELD, &["shield"]),
        (Fields::GUARD, &["guard_until"]),
        (Fields::AMMO, &["ammo", "reload_at"]),
    ] {
        if !visible.has(field) {
            for name in names {
                more(&mut p[name]);
            }
        }
    }
    for (field, name) in [(Fields::STAMINA, "stamina"), (Fields::ENERGY, "energy")] {
        if !visible.has(field) {
            for part in ["milli", "at", "per_second"] {
                more(&mut p[name][part]);
            }
        }
    }
    if !visible.has(Fields::CHARGE) {
        p["charge"] = (p["charge"].as_u64().unwrap() + 1_000).into();
    }
    if !visible.has(Fields::PLACE) {
        for part in ["x", "y"] {
            more(&mut p["at"][part]);
        }
        for part in 0..3 {
            more(&mut p["motion"][part]);
        }
    }
    if !visible.has(Fields::ACTIVITY) {
        p["activity"] = ((p["activity"].as_u64().unwrap() + 1) % 6).into();
    }
    if !visible.has(Fields::RAGE) && !p["enemy"].is_null() {
        more(&mut p["enemy"]["phase"]);
    }
    if !visible.has(Fields::EFFECTS) {
        let effect = serde_json::json!(
            { "effect": 1, "by": 0, "stacks": 1, "absorbs": 0, "until": 77, "next_tick": u64::MAX }
        );
        p["effects"].as_array_mut().unwrap().push(effect);
    }
    if !visible.has(Fields::CAST) {
        let aim = serde_json::json!({ "slot": null, "at": null });
        p["cast"] = serde_json::json!({ "ability": 1, "aim": aim, "until": 78, "next": 78, "hurt": 3 });
    }
    if !visible.has(Fields::COOLDOWNS) {
        let used = serde_json::json!({ "ability": 2, "times": 1, "ready_at": 79 });
        p["used"].as_array_mut().unwrap().push(used);
    }
}
