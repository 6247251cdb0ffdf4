//! Who learns what: fog against a naive model of sight, and what a client can put together from the cuts it is shown,
//! against what it may see.

mod hosted;
mod watched;

use std::sync::{Arc, OnceLock};

use hosted::Hosted;
use proptest::collection::vec;
use proptest::prelude::*;
use tiltyard_combat::motion::FULL_TURN;
use tiltyard_combat::ruleset::CoverKind;
use tiltyard_combat::{
    Action, Audience, BodyPart, Cut, Event, Fields, Input, Millis, Mode, Participant, ParticipantStatus, Parting,
    PlayerId, Point, Ruleset, Setup, Slot, Step, Target, Thing, Velocity,
};
use watched::Watched;

const PLAYERS: u8 = 4;

/// The shipped ruleset, with fog.
fn ruleset() -> Arc<Ruleset> {
    static RULESET: OnceLock<Arc<Ruleset>> = OnceLock::new();
    let load = || {
        let shipped = include_str!("../../rules/default.toml");
        Arc::new(tiltyard_combat::load::load(shipped).expect("a ruleset"))
    };
    Arc::clone(RULESET.get_or_init(load))
}

#[derive(Debug, Clone)]
struct Plan {
    mode: Mode,
    /// 0 for each on their own.
    teams: u32,
    sight_cm: u32,
    rounds: u32,
    seed: u64,
    lines: Vec<Line>,
}

#[derive(Debug, Clone)]
struct Line {
    wait: Millis,
    slot: Slot,
    deed: Deed,
}

/// What a participant does, seen from where it stands.
#[derive(Debug, Clone)]
enum Deed {
    Nothing,
    Step(i32, i32),
    /// With a velocity of as much a second, and a facing.
    Walk(i32, i32, u16),
    Attack(Slot),
    Strike(Thing),
    Use(u8, bool, Slot),
    Defend,
    Leave,
    Lose,
    Come,
    /// To a newer connection.
    Change,
}

impl Plan {
    fn fight(&self) -> Hosted {
        let ruleset = ruleset();
        let mut rules =
            ruleset.rules_of(self.mode, tiltyard_combat::Difficulty::Normal).expect("a mode of the ruleset");
        rules.preparation_ms = 0;
        rules.ready_check = 0;
        (rules.teams, rules.sight_cm, rules.rounds) = (self.teams, self.sight_cm, self.rounds);
        (rules.health, rules.intermission_ms, rules.reconnect_ms) = (60, 500, 2_000);
        rules.actions_per_second = 0;
        // From one end of the yard to the other within a few steps: so they meet and lose each other.
        rules.speed_cm_per_s = 20_000;
        let participants = (0..PlayerId::from(PLAYERS)).map(|player| player + 1_000).collect();
        let setup = Setup { mode: self.mode, rules, seats: PLAYERS, participants, teams: Vec::new(), seed: self.seed };
        Hosted::new(ruleset, setup)
    }

    /// Gives `after` the fight before and after each step, and the step.
    fn play(
        &self,
        mut after: impl FnMut(&Hosted, &Hosted, &Step) -> Result<(), TestCaseError>,
    ) -> Result<(), TestCaseError> {
        let (mut fight, mut step, mut at) = (self.fight(), Step::default(), 0);
        for line in &self.lines {
            at += line.wait;
            let before = fight.clone();
            step.clear();
            let _answer = fight.handle(at, line.input_to(&before), &mut step);
            after(&before, &fight, &step)?;
        }
        Ok(())
    }
}

impl Line {
    fn input_to(&self, fight: &Hosted) -> Input {
        let slot = self.slot;
        let act = |action| Input::Act { slot, id: 0, action };
        let all = fight.participants();
        let at = |slot: Slot| all.get(usize::from(slot)).map_or(Point::default(), Participant::at);
        match self.deed {
            Deed::Nothing => Input::Tick,
            Deed::Step(x, y) => {
                let to = Point::new((at(slot).x + x).clamp(0, 6_000), (at(slot).y + y).clamp(0, 4_000));
                act(Action::Move { to })
            }
            Deed::Walk(x, y, facing) => {
                let to = Point::new((at(slot).x + x).clamp(0, 6_000), (at(slot).y + y).clamp(0, 4_000));
                act(Action::Walk { to, facing: Some(facing), velocity: Velocity::new(x, y) })
            }
            Deed::Attack(to) => act(Action::Attack { target: Some(to), part: BodyPart::Torso }),
            Deed::Strike(thing) => act(Action::Break { thing }),
            Deed::Use(ability, item, to) => {
                act(Action::Use { ability, item, aim: Target { slot: Some(to), at: Some(at(to)) } })
            }
            Deed::Defend => act(Action::Defend),
            Deed::Leave => Input::Part { slot, why: Parting::Left },
            Deed::Lose => Input::Part { slot, why: Parting::Lost },
            Deed::Change => Input::Replace { slot },
            Deed::Come => Input::Connect { slot },
        }
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let mode = prop_oneof![Just((Mode::Pve, 0)), Just((Mode::Pvp, 0)), Just((Mode::Arena, 2))];
    let sight = prop_oneof![4 => 300..2_500_u32, 1 => Just(0), 1 => Just(1)];
    (mode, sight, prop_oneof![Just(1_u32), Just(3)], any::<u64>(), vec(line(), 1..160))
        .prop_map(|((mode, teams), sight_cm, rounds, seed, lines)| Plan { mode, teams, sight_cm, rounds, seed, lines })
}

fn line() -> impl Strategy<Value = Line> {
    let slot = || prop_oneof![8 => 0..PLAYERS, 2 => PLAYERS..30];
    let thing = prop_oneof![(0..12_u8).prop_map(Thing::Cover), (0..6_u8).prop_map(Thing::Hazard)];
    let deed = prop_oneof![
        4 => Just(Deed::Nothing),
        6 => (-1_500..1_500, -1_500..1_500).prop_map(|(x, y)| Deed::Step(x, y)),
        10 => (-1_500..1_500, -1_500..1_500, 0..FULL_TURN).prop_map(|(x, y, facing)| Deed::Walk(x, y, facing)),
        8 => slot().prop_map(Deed::Attack),
        3 => thing.prop_map(Deed::Strike),
        8 => (0..12_u8, any::<bool>(), slot()).prop_map(|(ability, item, to)| Deed::Use(ability, item, to)),
        2 => Just(Deed::Defend),
        1 => Just(Deed::Leave),
        1 => Just(Deed::Lose),
        1 => Just(Deed::Change),
        2 => Just(Deed::Come),
    ];
    (0..700_u64, 0..PLAYERS, deed).prop_map(|(wait, slot, deed)| Line { wait, slot, deed })
}

fn audiences(fight: &Hosted) -> Vec<Audience> {
    let teams = (0..5).map(Audience::Team);
    let own = (0..u8::try_from(fight.participants().len()).expect("slots")).map(Audience::Own);
    [Audience::All, Audience::Spectator].into_iter().chain(teams).chain(own).collect()
}

/// Whether a team sees a participant, from the words of the rules: a member that stands, near enough, no wall in between.
fn is_seen(fight: &Hosted, team: u8, of: &Participant) -> bool {
    let walls = fight.ruleset().environment.covers.iter().zip(fight.field().covers());
    let walls: Vec<_> = walls
        .filter(|(cover, left)| cover.kind == CoverKind::Wall && (cover.health == 0 || **left > 0))
        .map(|(cover, _)| cover.area())
        .collect();
    let sees = |p: &Participant| {
        p.team() == team
            && p.status() != ParticipantStatus::Eliminated
            && p.at().within(of.at(), fight.rules().sight_cm)
            && !walls.iter().any(|wall| wall.is_between(p.at(), of.at()))
    };
    fight.rules().sight_cm == 0 || of.team() == team || fight.participants().iter().any(sees)
}

/// What is encoded of one participant, field by field; `None` is not known.
#[derive(Debug, Clone, Default, PartialEq)]
struct Known {
    hidden: bool,
    seat: Option<(PlayerId, u8)>,
    fields: Vec<(&'static str, Option<String>)>,
}

/// Every field that is shown, and how it would be.
const SHOWN: [(&str, Fields); 19] = [
    ("status", Fields::STATUS),
    ("ready", Fields::READY),
    ("score", Fields::SCORE),
    ("health", Fields::HP),
    ("stamina", Fields::STAMINA),
    ("guard", Fields::GUARD),
    ("armor", Fields::ARMOR),
    ("shield", Fields::SHIELD),
    ("energy", Fields::ENERGY),
    ("charge", Fields::CHARGE),
    ("ammo", Fields::AMMO),
    ("place", Fields::PLACE),
    ("facing", Fields::FACING),
    ("velocity", Fields::VELOCITY),
    ("effects", Fields::EFFECTS),
    ("cast", Fields::CAST),
    ("cooldowns", Fields::COOLDOWNS),
    ("activity", Fields::ACTIVITY),
    ("phase", Fields::RAGE),
];

fn text(p: &Participant, field: Fields) -> String {
    match field {
        Fields::STATUS => format!("{:?}", p.status()),
        Fields::READY => p.is_ready().to_string(),
        Fields::SCORE => p.score().to_string(),
        Fields::HP => p.hp().to_string(),
        Fields::STAMINA => format!("{:?}", p.stamina()),
        Fields::GUARD => p.guard_until().to_string(),
        Fields::ARMOR => p.armor().to_string(),
        Fields::SHIELD => p.shield().to_string(),
        Fields::ENERGY => format!("{:?}", p.energy()),
        Fields::CHARGE => p.charge().to_string(),
        Fields::AMMO => format!("{} {}", p.ammo(), p.reload_at()),
        Fields::PLACE => format!("{:?}", p.at()),
        Fields::FACING => p.facing().to_string(),
        Fields::VELOCITY => format!("{:?}", p.velocity()),
        Fields::EFFECTS => {
            let effects = p.effects().iter().map(|active| (active.effect(), active.stacks(), active.until()));
            format!("{:?}", effects.collect::<Vec<_>>())
        }
        Fields::CAST => format!("{:?}", p.cast().map(|cast| (cast.ability(), cast.until()))),
        Fields::COOLDOWNS => format!("{:?}", p.used()),
        Fields::ACTIVITY => p.activity().to_string(),
        Fields::RAGE => p.enemy_phase().to_string(),
        _ => panic!("no field {field:?}"),
    }
}

/// What an audience may know, straight from the fight: what a snapshot has.
fn snapshot(fight: &Hosted, audience: Audience) -> Vec<Known> {
    let known = |(slot, p): (Slot, &Participant)| {
        let visible = fight.visible(audience, slot);
        let fields = SHOWN.map(|(name, field)| (name, visible.has(field).then(|| text(p, field))));
        Known { hidden: !fight.sees(audience, slot), seat: Some((p.player(), p.team())), fields: fields.to_vec() }
    };
    (0_u8..).zip(fight.participants()).map(known).collect()
}

/// What a client makes of it that knows nothing but the cut.
fn apply(known: &mut Vec<Known>, fight: &Hosted, cut: &Cut) {
    for patch in cut.patches() {
        let p = &fight.participants()[usize::from(patch.slot)];
        if usize::from(patch.slot) == known.len() {
            known.push(Known::default());
        }
        let of = &mut known[usize::from(patch.slot)];
        if patch.seat {
            let fields = SHOWN.map(|(name, _)| (name, None));
            *of = Known { hidden: of.hidden, seat: Some((p.player(), p.team())), fields: fields.to_vec() };
        }
        if let Some(hidden) = patch.hidden {
            of.hidden = hidden;
            if hidden {
                let forgotten = |(field, _): &(usize, _)| !Fields::KNOWN.has(SHOWN[*field].1);
                of.fields.iter_mut().enumerate().filter(forgotten).for_each(|(_, (_, value))| *value = None);
            }
        }
        for (place, (_, field)) in SHOWN.iter().enumerate() {
            if patch.fields.has(*field) {
                of.fields[place].1 = Some(text(p, *field));
            }
        }
    }
}

/// The parts of an event that name somebody who is in the fog before and after.
fn expect_nothing_of_the_fog(
    before: &Hosted,
    after: &Hosted,
    step: &Step,
    audience: Audience,
) -> Result<(), TestCaseError> {
    let cut = after.cut(step, audience);
    let fogged = |slot: Slot| !after.sees(audience, slot) && !before.sees(audience, slot);
    for (event, named) in step.events().iter().zip(cut.events()) {
        let (by, to) = event.of();
        let told = matches!(
            event,
            Event::Eliminated { .. }
                | Event::Perished { .. }
                | Event::Revived { .. }
                | Event::Seated { .. }
                | Event::Ready { .. }
                | Event::Connected { .. }
                | Event::Disconnected { .. }
                | Event::Came { .. }
                | Event::Went { .. }
                | Event::Forfeited { .. }
                | Event::Turn { .. }
        );
        let Some(named) = named else {
            prop_assert!(by.into_iter().chain(to).any(fogged), "{event:?} hides nobody from {audience:?}");
            continue;
        };
        let about = if matches!(event, Event::Used { .. }) { by } else { to.or(by) };
        prop_assert!(told || !about.is_some_and(fogged), "{event:?} is shown to {audience:?}");
        prop_assert!(told || !named.by || !by.is_some_and(fogged), "{event:?} names its doer to {audience:?}");
        prop_assert!(told || !named.to || !to.is_some_and(fogged), "{event:?} names its target to {audience:?}");
    }
    for patch in cut.patches() {
        let visible = after.visible(audience, patch.slot);
        prop_assert!(visible.has(patch.fields), "{patch:?} shows {audience:?} more than {visible:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_team_sees_who_is_near_one_of_its_own_with_no_wall_in_between(plan in plans()) {
        plan.play(|before, fight, step| {
            for (slot, p) in (0_u8..).zip(fight.participants()) {
                for team in 0..5 {
                    let sees = fight.sees(Audience::Team(team), slot);
                    prop_assert_eq!(sees, is_seen(fight, team, p), "team {} sees p{}", team, slot);
                    // And whatever changed is noted, once.
                    let was = before.participants().get(usize::from(slot)).is_some_and(|_| before.sees(Audience::Team(team), slot));
                    let all_new = step.changed().iter().any(|&(of, fields)| of == slot && fields.has(Fields::SEAT));
                    let noted = step.sights().iter().find(|sight| sight.of == slot);
                    let bit = |teams: fn(&tiltyard_combat::step::Sight) -> u128| {
                        noted.is_some_and(|sight| teams(sight) & (1 << team) != 0)
                    };
                    let own = p.team() == team;
                    prop_assert!(own || all_new || bit(|sight| sight.gained) == (sees && !was));
                    prop_assert!(own || all_new || bit(|sight| sight.lost) == (was && !sees));
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_cuts_are_what_one_may_see_and_nothing_else(plan in plans()) {
        let mut clients: Vec<(Audience, Vec<Known>)> = Vec::new();
        plan.play(|before, fight, step| {
            if clients.is_empty() {
                clients = audiences(before).into_iter().map(|audience| (audience, snapshot(before, audience))).collect();
            }
            for (audience, known) in &mut clients {
                let cut = fight.cut(step, *audience);
                apply(known, fight, &cut);
                let may = snapshot(fight, *audience);
                for (slot, (known, may)) in known.iter().zip(&may).enumerate() {
                    prop_assert_eq!(known, may, "{:?} of p{}", audience, slot);
                }
                prop_assert_eq!(known.len(), may.len());
                prop_assert!(!fight.same_for_all(step) || cut == fight.cut(step, Audience::All));
                expect_nothing_of_the_fog(before, fight, step, *audience)?;
            }
            Ok(())
        })?;
    }

    #[test]
    fn the_shipped_fights_keep_every_promise_of_a_step(plan in plans()) {
        let mut watched = Watched::new(plan.fight());
        let mut at = 0;
        for line in &plan.lines {
            at += line.wait;
            let input = line.input_to(watched.fight());
            let _answer = watched.handle(at, input);
            if watched.fight().rules().sight_cm == 0 {
                prop_assert!(watched.step().sights().is_empty(), "no fog, no sights");
            }
        }
    }

    /// Two fights, of which one has more going on in the fog, are the same fight to whoever is not there.
    #[test]
    fn what_is_hidden_makes_no_difference(plan in plans(), hidden in vec(line(), 1..12)) {
        plan.play(|_, fight, _| {
            let at = fight.host_now();
            for line in &hidden {
                // Chance is the same for all: what draws from it is another matter.
                if !matches!(line.deed, Deed::Step(..) | Deed::Walk(..) | Deed::Defend) {
                    continue;
                }
                let (mut other, mut step) = (fight.clone(), Step::default());
                let _answer = other.handle(at, line.input_to(fight), &mut step);
                for audience in audiences(fight) {
                    let acts = matches!(audience, Audience::Own(slot) if slot == line.slot);
                    let seen = fight.sees(audience, line.slot) || other.sees(audience, line.slot);
                    if acts || seen {
                        continue;
                    }
                    let cut = other.cut(&step, audience);
                    prop_assert!(cut.patches().is_empty(), "{audience:?} is shown {cut:?}");
                    prop_assert!(cut.events().iter().all(Option::is_none), "{audience:?} is shown {cut:?}");
                    prop_assert_eq!(snapshot(fight, audience), snapshot(&other, audience));
                }
            }
            Ok(())
        })?;
    }
}
