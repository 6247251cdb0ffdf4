//! What an action asks of the allocator, and what a participant takes: nothing, and little.

mod hosted;

use hosted::Hosted;
use tiltyard_combat::{Action, BodyPart, Input, Participant, PlayerId, Rules, Slot, Step, Velocity};

/// A fight in progress in which nobody falls.
fn fight(players: u8) -> Hosted {
    let rules = Rules { health: 1_000_000_000, actions_per_second: 0, attack_interval_ms: 0, ..Rules::default() };
    let ids: Vec<PlayerId> = (1..=PlayerId::from(players)).collect();
    let mut fight = Hosted::plain(rules, players, &ids, 7);
    for slot in 0..players {
        fight.handle(1, Input::Ready { slot }, &mut Step::default()).expect("ready in preparation");
    }
    fight
}

fn act(fight: &mut Hosted, step: &mut Step, at: u64, id: u64, players: u8) {
    let slot = Slot::try_from(id % u64::from(players)).expect("below the number of players");
    let action = if id.is_multiple_of(7) {
        Action::Defend
    } else if id.is_multiple_of(5) {
        let (to, goes) = (fight.participants()[usize::from(slot)].at(), i32::from(id.is_multiple_of(2)));
        Action::Walk { to, facing: Some(slot.into()), velocity: Velocity::new(goes, -goes) }
    } else {
        Action::Attack { target: Some((slot + 1) % players), part: BodyPart::Head }
    };
    step.clear();
    // A guard may be on cooldown: a refusal has to cost as little.
    let _answer = fight.handle(at, Input::Act { slot, id, action }, step);
}

#[test]
fn an_action_allocates_nothing() {
    for players in [2, 4, 16, 100] {
        let (mut fight, mut step) = (fight(players), Step::default());
        // A step keeps the room that its fullest input took: guards of many that end at once.
        for id in 1..=10_000 {
            act(&mut fight, &mut step, id, id, players);
        }
        let counted = allocation_counter::measure(|| {
            for id in 10_001..=20_000 {
                act(&mut fight, &mut step, id, id, players);
            }
        });
        assert_eq!(counted.count_total, 0, "{players} participants");
        assert!(fight.totals().damage > 0);
    }
}

#[test]
fn a_participant_is_small() {
    let size = size_of::<Participant>();
    println!("a participant takes {size} bytes, a fight {} beside them", size_of::<Hosted>());
    assert!(size <= 432, "{size} bytes");
}
