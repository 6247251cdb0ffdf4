//! Fights of every shipped ruleset that were recorded once, and must still be the same fights: whatever changes them, in the
//! engine or in a ruleset, is told by name here.
//!
//! Where that was meant, record them anew and look at what the change has done to them:
//! `UPDATE_GOLDEN=1 cargo test -p tiltyard-combat --test golden`, then `tiltyard replay --events FILE`; and raise
//! `replay::REVISION`, so that fights recorded before are not taken for changed files. Those that an engine before has recorded stay:
//! it is told by name that they are of that one.

// A test that cannot go on has failed: unwrapping says so where it happens.
#![allow(clippy::unwrap_used)]

mod hosted;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hosted::Hosted;
use tiltyard_combat::compare::differences;
use tiltyard_combat::motion::FULL_TURN;
use tiltyard_combat::replay::{Mismatch, REVISION, TapeWriter, Verdict};
use tiltyard_combat::ruleset::AbilityKind;
use tiltyard_combat::{
    Action, BodyPart, Difficulty, Event, Input, Mode, ParticipantStatus, Parting, Point, Replay, Ruleset, Setup, Slot,
    Step, Target, Velocity, load,
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// Every shipped ruleset: its name and its text.
fn shipped() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
    let files = fs::read_dir(folder).expect("the folder of rulesets").map(|file| file.expect("a file").path());
    let named = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a text");
        (file.with_extension("").file_name().expect("a name").to_string_lossy().into_owned(), text)
    };
    let mut shipped: Vec<(String, String)> = files.map(named).collect();
    shipped.sort();
    shipped
}

fn ruleset(text: &str) -> Arc<Ruleset> {
    Arc::new(load::load(text).unwrap_or_else(|problems| panic!("{problems}")))
}

/// The golden replays of a ruleset: one for each mode it has.
fn goldens(name: &str, text: &str) -> Vec<(Mode, PathBuf)> {
    let ruleset = ruleset(text);
    let has = |mode: &Mode| ruleset.rules_of(*mode, Difficulty::Normal).is_some();
    let file = |mode: Mode| (mode, Path::new(FOLDER).join(format!("{name}-{}.replay", mode.name())));
    Mode::ALL.into_iter().filter(has).map(file).collect()
}

/// Whether the fight in `bytes` is still the one that was recorded, under the ruleset as it is now.
fn check(bytes: &[u8], text: &str) -> Result<(), String> {
    let replay = Replay::decode(bytes).map_err(|error| error.to_string())?;
    let differences = differences(&replay.text, text).map_err(|problems| problems.to_string())?;
    if !differences.is_empty() {
        return Err(differences.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    let ruleset = load::load(&replay.text).map_err(|problems| problems.to_string())?;
    replay.play(Arc::new(ruleset), |_| ()).map_err(|mismatch| mismatch.to_string())?;
    Ok(())
}

#[test]
fn golden_replays_are_the_same_fights() {
    let mut wrong = Vec::new();
    for (name, text) in shipped() {
        for (mode, file) in goldens(&name, &text) {
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&file, record(&text, mode).encode()).unwrap();
            }
            let bytes = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            if let Err(what) = check(&bytes, &text) {
                wrong.push(format!("{}:\n{what}", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Nobody has changed them, so that is never said; also not where the engine steps them otherwise now.
#[test]
fn replays_of_an_engine_before_are_told_by_its_name() {
    for revision in 1..REVISION {
        let folder = Path::new(FOLDER).join(format!("revision-{revision}"));
        let files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(files.len(), 9);
        for file in files {
            let replay = Replay::decode(&fs::read(&file).unwrap()).unwrap();
            match replay.fight_again(ruleset(&replay.text), |_| ()) {
                Ok((_, Verdict::OtherEngine { recorded })) | Err(Mismatch::Revision { recorded, .. })
                    if recorded == revision => {}
                said => panic!("{}: {said:?}", file.display()),
            }
            // One that was changed is not taken for a verified one either.
            let mut changed = replay;
            changed.end.digest ^= 1;
            changed.setup.seed ^= 1;
            let said = changed.play(ruleset(&changed.text), |_| ());
            let is_told = matches!(said, Err(Mismatch::Revision { recorded, .. }) if recorded == revision);
            assert!(is_told, "{}: {said:?}", file.display());
        }
    }
}

/// Nothing that revision 2 could record is stepped otherwise by revision 3: it has other digests, and says of whoever comes why.
#[test]
fn replays_of_revision_2_have_the_same_inputs_and_sequences() {
    for file in fs::read_dir(Path::new(FOLDER).join("revision-2")).unwrap() {
        let file = file.unwrap().path();
        let replay = Replay::decode(&fs::read(&file).unwrap()).unwrap();
        let mut came = 0;
        let (_, verdict) = replay
            .fight_again(ruleset(&replay.text), |played| {
                came += played.step.events().iter().filter(|event| matches!(event, Event::Came { .. })).count();
            })
            .unwrap();
        assert_eq!((verdict, came > 0), (Verdict::OtherEngine { recorded: 2 }, true), "{}", file.display());
    }
}

/// They would show little if little happened in them.
#[test]
fn golden_replays_are_of_fights_in_which_much_happens() {
    let mut kinds = BTreeSet::new();
    for (name, text) in shipped() {
        for (_, file) in goldens(&name, &text) {
            let replay = Replay::decode(&fs::read(&file).unwrap()).unwrap();
            let (mut applied, mut refused, mut criticals) = (0, 0, 0);
            let played = replay.play(ruleset(&replay.text), |played| {
                if let Input::Act { .. } = played.input {
                    *(if played.answer.is_ok() { &mut applied } else { &mut refused }) += 1;
                }
                for event in played.step.events() {
                    criticals += usize::from(matches!(event, Event::Hit { critical: true, .. }));
                    let shown = format!("{event:?}");
                    kinds.insert(shown.split([' ', '{']).next().unwrap_or_default().to_owned());
                }
            });
            assert_eq!(played.err(), None, "{}", file.display());
            assert!(
                applied > 100 && refused > 20 && criticals > 10,
                "{}: {applied} {refused} {criticals}",
                file.display()
            );
        }
    }
    let expected = [
        "Affected",
        "Came",
        "Casting",
        "Eliminated",
        "Faded",
        "Guard",
        "Healed",
        "Hit",
        "Missed",
        "Phase",
        "Round",
        "Spawned",
        "Struck",
        "Suffered",
        "Turn",
        "Used",
        "Went",
    ];
    let missing: Vec<_> = expected.iter().filter(|kind| !kinds.contains(**kind)).collect();
    assert!(missing.is_empty(), "{missing:?} are in none: {kinds:?}");
}

#[test]
fn a_number_of_a_ruleset_that_has_changed_is_named() {
    let (_, text) = shipped().into_iter().find(|(name, _)| name == "default").unwrap();
    let (_, file) = goldens("default", &text).remove(0);
    let bytes = fs::read(file).unwrap();
    assert_eq!(check(&bytes, &text), Ok(()));
    assert_eq!(check(&bytes, &format!("# Said otherwise.\n{text}")), Ok(()), "a comment changes nothing");

    let mutant = text.replace("attack_damage_max = 30\n", "attack_damage_max = 31\n");
    let told = check(&bytes, &mutant).unwrap_err();
    assert_eq!(told, "settings.attack_damage_max: 30 in the replay, 31 in the file");

    let mut mutated = 0;
    for (place, line) in text.lines().enumerate() {
        let Some((key, number)) = line.split_once(" = ") else { continue };
        let Ok(number) = number.replace('_', "").parse::<u64>() else { continue };
        let lines = text
            .lines()
            .enumerate()
            .map(|(at, line)| if at == place { format!("{key} = {}\n", number + 1) } else { format!("{line}\n") });
        let mutant: String = lines.collect();
        let told = check(&bytes, &mutant).unwrap_err();
        assert!(told.contains(key), "line {place}, {line}: {told}");
        mutated += 1;
    }
    assert!(mutated > 100, "{mutated}");
}

/// `SplitMix64`: enough for tests and the same everywhere.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    fn byte(&mut self, bound: usize) -> u8 {
        u8::try_from(self.below(bound as u64)).expect("a small number")
    }

    /// A step of at most two metres.
    fn near(&mut self, from: Point) -> Point {
        let mut step = || i32::try_from(self.below(400)).expect("small") - 200;
        Point::new(from.x + step(), from.y + step())
    }

    /// A step towards somebody of another team, so that those meet who do not see each other.
    fn towards(&mut self, fight: &Hosted, slot: Slot) -> Point {
        let own = &fight.participants()[usize::from(slot)];
        let (here, there) = (own.at(), fight.participants().iter().find(|p| p.team() != own.team()));
        let there = there.map_or(here, tiltyard_combat::Participant::at);
        let near = self.near(here);
        Point::new(near.x + (there.x - here.x).clamp(-150, 150), near.y + (there.y - here.y).clamp(-150, 150))
    }

    /// What somebody in `slot` could try.
    fn action(&mut self, fight: &Hosted, slot: Slot) -> Action {
        let here = fight.participants()[usize::from(slot)].at();
        let others = fight.participants().len();
        match self.below(20) {
            0..2 => Action::Defend,
            2..4 => Action::Move { to: self.towards(fight, slot) },
            4..6 => {
                let (facing, to) = (self.below(720), self.towards(fight, slot));
                let facing = u16::try_from(facing).ok().filter(|&facing| facing < FULL_TURN);
                let mut cm_per_s = || i32::try_from(self.below(1_600)).expect("small") - 800;
                Action::Walk { to, facing, velocity: Velocity::new(cm_per_s(), cm_per_s()) }
            }
            6..12 => {
                let ability = self.byte(usize::from(fight.ruleset().kit));
                let item = fight.ruleset().ability(ability).is_some_and(|ability| ability.kind == AbilityKind::Item);
                let aim = Target { slot: Some(self.byte(others)), at: Some(self.near(here)) };
                Action::Use { ability, item, aim }
            }
            12 if !fight.ruleset().environment.covers.is_empty() => {
                let cover = self.byte(fight.ruleset().environment.covers.len());
                Action::Break { thing: tiltyard_combat::Thing::Cover(cover) }
            }
            _ => {
                let part = [BodyPart::Head, BodyPart::Torso, BodyPart::Limb][usize::from(self.byte(3))];
                Action::Attack { target: Some(self.byte(others)), part }
            }
        }
    }

    /// Somebody who stands, and whose turn it is where there are turns.
    fn actor(&mut self, fight: &Hosted) -> Slot {
        if let Some(turn) = fight.turn() {
            return turn.slot();
        }
        let standing = (0..fight.seats())
            .filter(|&slot| fight.participants()[usize::from(slot)].status() != ParticipantStatus::Eliminated);
        let standing: Vec<Slot> = standing.collect();
        if standing.is_empty() { 0 } else { standing[usize::from(self.byte(standing.len()))] }
    }
}

/// A fight of dice, as a shard would record it.
fn record(text: &str, mode: Mode) -> Replay {
    let ruleset = ruleset(text);
    let mut rules = ruleset.rules_of(mode, Difficulty::Normal).expect("a mode it has");
    // Long enough for every number to have its effect.
    rules.health *= 8;
    rules.critical_percent = 30;
    let seats = if rules.turn_ms > 0 { 2 } else { 4 };
    let participants = (1..=u128::from(seats)).collect();
    let setup = Setup { mode, rules, seats, participants, teams: Vec::new(), seed: 0x601D };
    let mut fight = Hosted::new(Arc::clone(&ruleset), setup.clone());
    let (mut pen, mut tape, mut step) = (TapeWriter::default(), Vec::new(), Step::default());
    let (mut dice, mut at) = (Dice(0xF1647), 0);
    let ready = (0..seats).flat_map(|slot| [Input::Connect { slot }, Input::Ready { slot }]);
    let mut first: Vec<Input> = ready.rev().collect();
    while pen.inputs() < 1_500 && !fight.lifecycle().is_ended() {
        at += 20 + dice.below(180);
        let slot = dice.actor(&fight);
        let input = match (first.pop(), dice.below(50)) {
            (Some(input), _) => input,
            (None, 0..5) => Input::Ready { slot: dice.byte(usize::from(seats)) },
            (None, 5) => Input::Tick,
            (None, 6) => Input::Replace { slot: dice.byte(usize::from(seats)) },
            (None, 7) => Input::Part { slot: dice.byte(usize::from(seats)), why: Parting::Left },
            (None, 8..11) => Input::Connect { slot: dice.byte(usize::from(seats)) },
            _ => Input::Act { slot, id: 0, action: dice.action(&fight, slot) },
        };
        step.clear();
        let _applied_or_refused = fight.handle(at, input, &mut step);
        pen.input(at, input, &mut tape);
        if pen.is_check_due() {
            fight.check(&mut tape);
        }
    }
    let end = fight.end(pen, &mut tape);
    Replay {
        session: 0x601D,
        created_at: 0,
        revision: REVISION,
        text: text.to_owned(),
        hash: ruleset.hash,
        setup,
        tape,
        end,
        cut: None,
    }
}
