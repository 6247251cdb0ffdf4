//! A million actions, sense and nonsense, under every shipped ruleset in every mode it has: nothing panics, every number stays
//! in its range, nobody who is out acts, and a fight that is put away and taken out again at any moment goes on as the same.

mod hosted;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hosted::Hosted;
use tiltyard_combat::ruleset::AbilityKind;
use tiltyard_combat::{
    Action, BodyPart, Difficulty, Event, Input, Millis, Mode, Participant, ParticipantStatus, Point, Rules, Ruleset,
    Setup, Slot, Step, Target, Thing, load,
};

/// Of all rulesets together.
const ACTIONS: u64 = 1_000_000;

/// Most effects at work on one participant.
const MOST_EFFECTS: usize = 16;

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
        self.roll() % bound.max(1)
    }

    fn byte(&mut self, bound: usize) -> u8 {
        u8::try_from(self.below(u64::try_from(bound).unwrap_or(1))).unwrap_or(u8::MAX)
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn metre(&mut self, around: i32) -> i32 {
        around + i32::try_from(self.below(400)).expect("small") - 200
    }

    /// Where somebody could want to be: mostly near, now and then anywhere.
    fn place(&mut self, near: Point) -> Point {
        if self.chance(4) {
            let anywhere = |dice: &mut Self| i32::try_from(dice.below(40_000)).expect("small") - 10_000;
            return Point::new(anywhere(self), anywhere(self));
        }
        Point::new(self.metre(near.x), self.metre(near.y))
    }

    /// One who stands, mostly; where there are turns, mostly the one whose turn it is.
    fn actor(&mut self, fight: &Hosted) -> Slot {
        if let Some(turn) = fight.turn()
            && self.chance(70)
        {
            return turn.slot();
        }
        let standing =
            |&(_, p): &(Slot, &Participant)| p.enemy().is_none() && p.status() != ParticipantStatus::Eliminated;
        let standing: Vec<Slot> = (0..).zip(fight.participants()).filter(standing).map(|(slot, _)| slot).collect();
        if standing.is_empty() || self.chance(5) {
            return self.byte(usize::from(fight.seats()) + 1);
        }
        standing[usize::from(self.byte(standing.len()))]
    }

    fn slot(&mut self, fight: &Hosted) -> Slot {
        let seats = fight.participants().len() + usize::from(self.chance(2));
        self.byte(seats)
    }

    fn action(&mut self, fight: &Hosted, slot: Slot) -> Action {
        let here = fight.participants().get(usize::from(slot)).map_or_else(Point::default, Participant::at);
        let ruleset = fight.ruleset();
        match self.below(20) {
            0 => Action::Unavailable,
            1 => Action::Defend,
            2 => Action::Attack { target: None, part: BodyPart::Head },
            3 => Action::Break { thing: Thing::Cover(self.byte(ruleset.environment.covers.len() + 1)) },
            4 => Action::Break { thing: Thing::Hazard(self.byte(ruleset.environment.hazards.len() + 1)) },
            5..9 => Action::Move { to: self.place(here) },
            9..14 => {
                let beyond = usize::from(self.chance(3));
                let ability = self.byte(usize::from(ruleset.kit) + beyond);
                let known = ruleset.ability(ability);
                let item = known.is_some_and(|ability| ability.kind == AbilityKind::Item) != self.chance(2);
                let aim = Target {
                    slot: self.chance(80).then(|| self.slot(fight)),
                    at: self.chance(60).then(|| self.place(here)),
                };
                Action::Use { ability, item, aim }
            }
            _ => {
                let part = [BodyPart::Head, BodyPart::Torso, BodyPart::Limb][usize::from(self.byte(3))];
                Action::Attack { target: Some(self.slot(fight)), part }
            }
        }
    }

    fn input(&mut self, fight: &Hosted) -> Input {
        let slot = self.actor(fight);
        match self.below(400) {
            0 => Input::Disconnect { slot },
            1..4 => Input::Connect { slot },
            4 => Input::Pause,
            5..9 => Input::Resume,
            9..20 => Input::Ready { slot },
            20..30 => Input::Tick,
            30 => Input::Seat { player: u128::from(self.roll()) },
            _ => Input::Act { slot, id: 0, action: self.action(fight, slot) },
        }
    }
}

fn shipped() -> Vec<Arc<Ruleset>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let mut files: Vec<_> =
        fs::read_dir(folder).expect("the folder of rulesets").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let read = |file: &std::path::PathBuf| {
        let text = fs::read_to_string(file).expect("a text");
        Arc::new(load::load(&text).unwrap_or_else(|problems| panic!("{}: {problems}", file.display())))
    };
    files.iter().map(read).collect()
}

fn begin(ruleset: &Arc<Ruleset>, mode: Mode, rules: &Rules, seed: u64) -> Hosted {
    let seats = [2, 3, 6, 10][usize::try_from(seed % 4).expect("small")];
    let setup = Setup {
        mode,
        rules: rules.clone(),
        seats,
        participants: (1..=u128::from(seats)).collect(),
        teams: Vec::new(),
        seed,
    };
    let mut fight = Hosted::new(Arc::clone(ruleset), setup);
    for slot in 0..seats {
        let _ready = fight.handle(0, Input::Ready { slot }, &mut Step::default());
    }
    fight
}

fn check(fight: &Hosted, before: &[ParticipantStatus], step: &Step) {
    let rules = fight.rules();
    for (slot, p) in (0..).zip(fight.participants()) {
        let most = p.enemy().map_or(rules.health, |enemy| fight.enemy_health(enemy));
        assert!(p.hp() <= most, "p{slot} has {} of {most}", p.hp());
        assert!(p.enemy().is_some() || p.stamina().milli() <= rules.stamina * 1000);
        assert!(p.enemy().is_some() || p.energy().milli() <= rules.energy * 1000);
        assert!(p.charge() <= 100 && p.ammo() <= rules.ammo && p.effects().len() <= MOST_EFFECTS);
        assert!(p.hp() > 0 || p.status() == ParticipantStatus::Eliminated, "p{slot} stands without health");
        let field = &fight.ruleset().environment;
        let inside = |at: i32, size: u32| (0..=i64::from(size)).contains(&i64::from(at));
        assert!(inside(p.at().x, field.width_cm) && inside(p.at().y, field.height_cm), "p{slot} is at {:?}", p.at());
    }
    // Who was out and was not brought back did nothing.
    let mut back = Vec::new();
    for event in step.events() {
        match *event {
            Event::Revived { to, .. } => back.push(to),
            Event::Round { .. } => return,
            Event::Guard { by } | Event::Casting { by, .. } | Event::Used { by, .. } | Event::Missed { by, .. } => {
                let was_out = before.get(usize::from(by)) == Some(&ParticipantStatus::Eliminated);
                let new =
                    step.events().iter().any(|event| matches!(event, Event::Spawned { by: new, .. } if *new == by));
                assert!(!was_out || new || back.contains(&by), "p{by} is out: {event:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn a_million_actions_break_nothing() {
    let rulesets = shipped();
    let mut kinds: Vec<(Arc<Ruleset>, Mode, Rules)> = Vec::new();
    for ruleset in &rulesets {
        for mode in Mode::ALL {
            if let Some(rules) = ruleset.rules_of(mode, Difficulty::Normal) {
                kinds.push((
                    Arc::clone(ruleset),
                    mode,
                    Rules { preparation_ms: 1_000, actions_per_second: 0, ..rules },
                ));
            }
        }
    }
    let share = ACTIONS / u64::try_from(kinds.len()).expect("a few");
    for (ruleset, mode, rules) in kinds {
        let name = format!("{} {}", ruleset.name, mode.name());
        let (mut actions, mut fights, mut applied, mut ended) = (0, 0_u64, 0, 0);
        while actions < share {
            let mut fight = begin(&ruleset, mode, &rules, fights);
            let mut dice = Dice(fights);
            let (mut step, mut at): (Step, Millis) = (Step::default(), 0);
            let mut twin: Option<Hosted> = None;
            let mut before = Vec::new();
            for n in 0..20_000 {
                if fight.lifecycle().is_ended() {
                    ended += 1;
                    break;
                }
                at += dice.below(60);
                let input = dice.input(&fight);
                before.clear();
                before.extend(fight.participants().iter().map(Participant::status));
                step.clear();
                let answer = fight.handle(at, input, &mut step);
                actions += u64::from(matches!(input, Input::Act { .. }));
                applied += u64::from(matches!(input, Input::Act { .. }) && answer.is_ok());
                check(&fight, &before, &step);
                if let Some(other) = &mut twin {
                    let mut other_step = Step::default();
                    assert_eq!(other.handle(at, input, &mut other_step), answer, "{name}, fight {fights}, input {n}");
                    assert_eq!(other_step.events(), step.events(), "{name}, fight {fights}, input {n}");
                }
                if n % 997 == 500 {
                    if let Some(other) = &twin {
                        assert_eq!(other.state_digest(), fight.state_digest(), "{name}, fight {fights}, input {n}");
                    }
                    twin = Some(fight.put_away());
                }
            }
            if let Some(other) = twin {
                assert_eq!(other.state_digest(), fight.state_digest(), "{name}, fight {fights}");
            }
            fights += 1;
            assert!(actions >= fights, "{name}: fights in which nobody acts");
        }
        println!("{name}: {actions} actions, {applied} of them applied, {fights} fights, {ended} to their end");
        // Otherwise it would have been about little.
        assert!(
            applied * 10 > actions && ended > 0,
            "{name}: {applied} of {actions} were applied, {ended} fights ended"
        );
    }
}
