//! Long fights of one seed: the same on every machine and in every build.

mod hosted;
mod watched;

use std::collections::BTreeSet;
use std::sync::Arc;

use hosted::Hosted;
use tiltyard_combat::ruleset::{AbilityKind, Shape};
use tiltyard_combat::{
    Action, BodyPart, Difficulty, Event, Input, Millis, Mode, Participant, PlayerId, Point, Rules, Setup, Slot, Target,
    Thing,
};
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

    fn input(&mut self, seats: u8, fight: &Hosted) -> Input {
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

    fn id(&mut self, fight: &Hosted, slot: Slot) -> u64 {
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
    Watched::new(Hosted::plain(rules, seats, &players, seed))
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
    assert_eq!((totals.actions, totals.refused, totals.damage, totals.eliminations), (70, 89, 868, 1));
    assert_eq!(health, [21, 40, 0, 71]);
    assert_eq!(fight.seq(), 86);
    assert_eq!(fight.state_digest(), 0x75D2_138F_C8D9_98D5);
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

// With everything that a ruleset can have.

impl Dice {
    fn near(&mut self, at: Point, cm: i32) -> Point {
        let span = u64::from(cm.unsigned_abs()) * 2 + 1;
        let mut moved = |from: i32| from + i32::try_from(self.below(span)).expect("a few metres") - cm;
        Point::new(moved(at.x), moved(at.y))
    }

    /// What a player of modest skill does: mostly it can be done, and now and then it cannot.
    fn deed(&mut self, fight: &Hosted, slot: Slot) -> Action {
        let people = fight.participants();
        let own = people[usize::from(slot)].at();
        let other = self.slot(u8::try_from(people.len()).expect("slots"));
        let at = people.get(usize::from(other)).map_or(own, Participant::at);
        match self.below(12) {
            0 => Action::Defend,
            1..4 => Action::Move { to: self.near(own, 60) },
            4 if self.below(4) == 0 => {
                let thing = u8::try_from(self.below(10)).expect("small");
                Action::Break { thing: if thing < 7 { Thing::Cover(thing) } else { Thing::Hazard(thing - 7) } }
            }
            4..8 => {
                let kit = u64::from(fight.ruleset().kit);
                let ability = u8::try_from(self.below(kit + 1)).expect("few abilities");
                let kind = fight.ruleset().ability(ability);
                let item = kind.is_some_and(|ability| ability.kind == AbilityKind::Item);
                let at = kind
                    .filter(|ability| ability.shape == Shape::Single)
                    .map_or(Some(at), |_| Some(self.near(at, 300)));
                Action::Use { ability, item, aim: Target { slot: Some(other), at } }
            }
            part => {
                let part = [BodyPart::Head, BodyPart::Torso, BodyPart::Limb]
                    [usize::from(part % 3 == 0) + usize::from(part > 9)];
                Action::Attack { target: Some(other), part }
            }
        }
    }
}

/// `Used { by: 1, .. }` as `Used`.
fn kind_of(event: Event) -> String {
    let words = format!("{event:?}");
    words.split([' ', '{']).next().unwrap_or_default().to_owned()
}

#[test]
fn fights_with_everything_break_nothing() {
    let ruleset =
        Arc::new(tiltyard_combat::load::load(include_str!("../../rules/default.toml")).expect("it is shipped"));
    let mut dice = Dice(3);
    let (mut actions, mut fights, mut done) = (0, 0, 0);
    let (mut kinds, mut used) = (BTreeSet::new(), BTreeSet::new());
    while actions < 40_000 {
        let mode = [Mode::Pve, Mode::Arena, Mode::Pve, Mode::Pvp][usize::try_from(fights % 4).expect("small")];
        let mut rules = ruleset.rules_of(mode, Difficulty::Easy).expect("it has all modes");
        (rules.preparation_ms, rules.intermission_ms, rules.cooldown_ms) = (0, 100, 100);
        (rules.teams, rules.rounds, rules.modifiers) = (2, 3, 2);
        (rules.health, rules.ammo, rules.accuracy_percent) = (600, 30, 90);
        rules.max_duration_ms = 60_000;
        rules.actions_per_second = 0;
        rules.friendly_fire = u32::from(fights % 3 == 0);
        let (seats, participants) = (6, (0..6).collect());
        let setup = Setup { mode, rules, seats, participants, teams: Vec::new(), seed: fights };
        let mut watched = Watched::new(Hosted::new(Arc::clone(&ruleset), setup));
        let mut at: Millis = 0;
        while !watched.fight().lifecycle().is_ended() {
            at += dice.below(40);
            let slot = dice.slot(seats);
            let id = watched.fight().participants().get(usize::from(slot)).map_or(0, |p| p.last_action_id() + 1);
            let action = if slot < seats { dice.deed(watched.fight(), slot) } else { Action::Defend };
            done += u32::from(watched.handle(at, Input::Act { slot, id, action }).is_ok());
            actions += 1;
            for &event in watched.step().events() {
                kinds.insert(kind_of(event));
                if let Event::Used { ability, .. } = event {
                    used.insert(ability);
                }
            }
        }
        fights += 1;
    }
    // Otherwise it would have been about little.
    assert!(fights > 4 && done > 8_000, "{fights} fights, {done} of {actions} actions done");
    let all = [
        "Hit",
        "Missed",
        "Suffered",
        "Burned",
        "Healed",
        "Guard",
        "Casting",
        "Broken",
        "Used",
        "Affected",
        "Faded",
        "Struck",
        "Destroyed",
        "Eliminated",
        "Revived",
        "Spawned",
        "Enraged",
        "Round",
        "Phase",
    ];
    let missing: Vec<&str> = all.into_iter().filter(|kind| !kinds.contains(*kind)).collect();
    assert!(missing.is_empty(), "never seen: {missing:?}");
    let kit = usize::from(ruleset.kit);
    assert!(used.iter().filter(|&&ability| usize::from(ability) < kit).count() >= kit - 1, "used: {used:?}");
}
