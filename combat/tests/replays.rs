//! Replay files: what is recorded is fought again as it was, and nothing that can be written into a file does harm.

mod hosted;

use std::panic::{AssertUnwindSafe, catch_unwind};

use hosted::Hosted;
use proptest::collection::vec;
use proptest::prelude::*;
use tiltyard_combat::replay::{REVISION, ReadError, TapeWriter};
use tiltyard_combat::{
    Action, BodyPart, Input, Mode, Parting, Point, Replay, Rules, Ruleset, Setup, Step, Velocity, action::Target,
    action::Thing,
};

fn action() -> impl Strategy<Value = Action> {
    let slot = || 0_u8..5;
    prop_oneof![
        4 => (proptest::option::of(slot()), 0..3_u8).prop_map(|(target, part)| Action::Attack {
            target,
            part: [BodyPart::Head, BodyPart::Torso, BodyPart::Limb][usize::from(part)],
        }),
        2 => Just(Action::Defend),
        1 => any::<u8>().prop_map(|place| Action::Break { thing: Thing::Cover(place) }),
        1 => (any::<u8>(), any::<bool>(), proptest::option::of(slot())).prop_map(|(ability, item, slot)| Action::Use {
            ability,
            item,
            aim: Target { slot, at: None },
        }),
        1 => (any::<i32>(), any::<i32>()).prop_map(|(x, y)| Action::Move { to: Point { x, y } }),
        1 => (-100..100, proptest::option::of(0..360_u16)).prop_map(|(x, facing)| Action::Walk {
            to: Point { x, y: -x },
            facing,
            velocity: Velocity { x, y: x },
        }),
        1 => Just(Action::Unavailable),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let slot = || 0_u8..5;
    prop_oneof![
        2 => Just(Input::Tick),
        1 => (0..6_u128).prop_map(|player| Input::Seat { player }),
        2 => slot().prop_map(|slot| Input::Ready { slot }),
        1 => slot().prop_map(|slot| Input::Connect { slot }),
        1 => slot().prop_map(|slot| Input::Disconnect { slot }),
        1 => slot().prop_map(|slot| Input::Part { slot, why: Parting::Left }),
        1 => slot().prop_map(|slot| Input::Replace { slot }),
        1 => Just(Input::Pause),
        1 => Just(Input::Resume),
        1 => Just(Input::PauseOver),
        20 => (slot(), 0..40_u64, action()).prop_map(|(slot, id, action)| Input::Act { slot, id, action }),
    ]
}

fn record(seats: u8, seed: u64, inputs: &[(u64, Input)]) -> Replay {
    let rules = Rules { preparation_ms: 500, health: 300, ..Rules::default() };
    let participants = (1..=u128::from(seats.min(3))).collect();
    let setup = Setup { mode: Mode::Pvp, rules, seats, participants, teams: Vec::new(), seed };
    let mut fight = Hosted::new(Ruleset::plain(), setup.clone());
    let (mut pen, mut tape, mut at) = (TapeWriter::default(), Vec::new(), 0);
    for &(after, input) in inputs {
        at += after;
        let _answer = fight.handle(at, input, &mut Step::default());
        pen.input(at, input, &mut tape);
        if pen.is_check_due() {
            fight.check(&mut tape);
        }
    }
    let end = fight.end(pen, &mut tape);
    Replay {
        session: 1,
        created_at: 0,
        revision: REVISION,
        text: String::new(),
        hash: [0; 32],
        setup,
        tape,
        end,
        cut: None,
    }
}

/// The file with a checksum that fits, whatever was done to it.
fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let body = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..body]);
    bytes[body..].copy_from_slice(&checksum.to_le_bytes());
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_fight_comes_back_from_its_file(
        seats in 1..5_u8, seed in any::<u64>(), inputs in vec((0..900_u64, input()), 0..300),
    ) {
        let replay = record(seats, seed, &inputs);
        let read = Replay::decode(&replay.encode()).unwrap();
        prop_assert_eq!(&read, &replay);
        prop_assert!(read.play(Ruleset::plain(), |_| ()).is_ok());
    }

    #[test]
    fn no_bytes_do_harm(
        inputs in vec((0..900_u64, input()), 0..40),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let mut bytes = record(3, 7, &inputs).encode();
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()).max(16));
        }
        // Behind the magic and the version: others are refused for those.
        for (place, byte) in changes {
            let place = 12 + place.index(bytes.len() - 12);
            bytes[place] = byte;
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            if let Ok(replay) = Replay::decode(&sealed(bytes.clone())) {
                let _differs_or_not = replay.play(Ruleset::plain(), |_| ());
            }
        }));
        prop_assert!(done.is_ok());
    }

    #[test]
    fn random_bytes_are_no_replay(bytes in vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(Replay::decode(&bytes), Err(ReadError::NoReplay));
    }
}
