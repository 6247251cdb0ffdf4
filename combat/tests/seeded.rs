//! Long fights of one seed: the same on every machine and in every build.

mod watched;

use tiltyard_combat::{Action, BodyPart, Event, Fight, Input, Millis, Participant, PlayerId, Rules, Slot};
use watched::Watched;

/// `SplitMix64`: enough for tests and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// One of `seats`, and now and then one that does not exist.
    fn slot(&mut self, seats: u8) -> Slot {
        u8::try_from(self.below(u64::from(seats) * 16 + 1) / 16).expect("a slot")
    }

    fn input(&mut self, seats: u8, fight: &Fight) -> Input {
        let slot = self.slot(seats);
        match self.below(100) {
            0..2 => Input::Disconnect { slot },
            2..6 => Input::Connect { slot },
            6 => Input::Pause,
            7..12 => Input::Resume,
            12..15 => Input::Tick,
            _ => Input::Act { slot, id: self.id(fight, slot), action: self.action(seats) },
        }
    }

    fn id(&mut self, fight: &Fight, slot: Slot) -> u64 {
        let last = fight.participants().get(usize::from(slot)).map_or(0, Participant::last_action_id);
        match self.below(10) {
            0 => 0,
            1 => last.saturating_sub(self.below(12)),
            _ => last + 1,
        }
    }

    fn action(&mut self, seats: u8) -> Action {
        match self.below(10) {
            0 => Action::Unavailable,
            1 => Action::Attack { target: None, part: BodyPart::Torso },
            2..4 => Action::Defend,
            _ => Action::Attack { target: Some(self.slot(seats)), part: BodyPart::Torso },
        }
    }
}

fn fight(rules: Rules, seats: u8, seed: u64) -> Watched {
    let players: Vec<PlayerId> = (0..PlayerId::from(seats)).collect();
    Watched::new(Fight::plain(rules, seats, &players, seed))
}

/// If this fails and the rules of the engine were not meant to change, then logs written before are read as other fights.
#[test]
fn a_fight_that_was_recorded_is_still_the_same() {
    let rules = Rules { preparation_ms: 500, health: 250, max_duration_ms: 60_000, ..Rules::default() };
    let (mut watched, mut dice, mut at) = (fight(rules, 4, 0xA11CE), Dice(1), 0);
    for _ in 0..200 {
        at += dice.below(150);
        let input = dice.input(4, watched.fight());
        let _answered = watched.handle(at, input);
    }
    let fight = watched.fight();
    let totals = fight.totals();
    let health: Vec<u32> = fight.participants().iter().map(Participant::hp).collect();
    assert_eq!((totals.actions, totals.refused, totals.damage, totals.eliminations), (70, 88, 850, 1));
    assert_eq!(health, [11, 47, 0, 92]);
    assert_eq!(fight.seq(), 86);
    assert_eq!(fight.state_digest(), 0x9B9D_626C_6A7C_44D0);
}

#[test]
fn a_hundred_thousand_actions_break_nothing() {
    let rules = Rules { preparation_ms: 0, health: 2_000, max_duration_ms: 120_000, ..Rules::default() };
    let mut dice = Dice(2);
    let (mut actions, mut fights, mut eliminations) = (0, 0, 0);
    let (mut hits, mut criticals, mut guards) = (0, 0, 0);
    while actions < 100_000 {
        let mut watched = fight(rules.clone(), 8, fights);
        let mut at: Millis = 0;
        while !watched.fight().lifecycle().is_ended() {
            at += dice.below(25);
            let input = dice.input(8, watched.fight());
            actions += u64::from(matches!(input, Input::Act { .. }));
            let _answered = watched.handle(at, input);
            for &event in watched.step().events() {
                if let Event::Hit { critical, guarded, .. } = event {
                    hits += 1;
                    criticals += u32::from(critical);
                    guards += u32::from(guarded);
                }
            }
        }
        eliminations += watched.fight().totals().eliminations;
        fights += 1;
    }
    // Otherwise it would have been about little.
    assert!(
        fights > 9 && eliminations > 60 && hits > 10_000 && guards > 1_000,
        "{fights} {eliminations} {hits} {guards}"
    );
    let per_mille = criticals * 1000 / hits;
    assert!((40..60).contains(&per_mille), "a twentieth is critical, not {per_mille} of a thousand");
}
