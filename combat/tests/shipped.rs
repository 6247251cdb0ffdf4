//! The rulesets that every server is built with: each is played to its end in each of its modes.

mod hosted;

use std::sync::Arc;

use hosted::Hosted;
use tiltyard_combat::load::load;
use tiltyard_combat::ruleset::{AbilityKind, Affects, machine};
use tiltyard_combat::{
    Action, BodyPart, Difficulty, EndReason, Event, Input, Millis, Mode, ParticipantStatus, PhaseName, PlayerId, Point,
    Rules, Ruleset, Setup, Slot, Step, Target,
};

const SHIPPED: [(&str, &str); 3] = [
    ("rules/default.toml", include_str!("../../rules/default.toml")),
    ("rules/duel.toml", include_str!("../../rules/duel.toml")),
    ("rules/arena-fast.toml", include_str!("../../rules/arena-fast.toml")),
];

/// From one look of the bots to the next.
const LOOK_MS: Millis = 100;

fn ruleset(name: &str) -> Arc<Ruleset> {
    let text = SHIPPED.iter().find(|(file, _)| *file == format!("rules/{name}.toml")).expect("it is shipped").1;
    Arc::new(load(text).unwrap_or_else(|problems| panic!("\n{}", problems.of_file(name))))
}

/// Chance for bots: a linear congruential generator, the high bits.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A match of bots.
struct Game {
    fight: Hosted,
    step: Step,
    now: Millis,
    chance: Chance,
    /// Actions that were taken.
    taken: u32,
    /// Abilities and items that were used by players.
    used: Vec<u32>,
    /// Everything that happened, where somebody wants to know.
    watch: Option<Vec<Event>>,
}

impl Game {
    fn new(ruleset: &Arc<Ruleset>, mode: Mode, difficulty: Difficulty, players: u8, game: u64) -> Self {
        let seed = (game + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let rules = ruleset.rules_of(mode, difficulty).expect("it has the mode");
        let participants: Vec<PlayerId> = (1..=players).map(PlayerId::from).collect();
        let setup = Setup { mode, rules, seats: players, participants, teams: Vec::new(), seed };
        let used = vec![0; ruleset.abilities.len()];
        let fight = Hosted::new(Arc::clone(ruleset), setup);
        Self { fight, step: Step::default(), now: 0, chance: Chance(seed), taken: 0, used, watch: None }
    }

    fn give(&mut self, input: Input) -> bool {
        self.step.clear();
        let done = self.fight.handle(self.now, input, &mut self.step).is_ok();
        if let Some(watch) = &mut self.watch {
            watch.extend(self.step.events());
        }
        done
    }

    /// Until it has ended, or `most_ms` are over.
    fn play(&mut self, most_ms: Millis) {
        while !self.fight.lifecycle().is_ended() && self.now < most_ms {
            self.now += LOOK_MS;
            self.give(Input::Tick);
            for slot in 0..self.fight.seats() {
                if self.fight.lifecycle().phase() == PhaseName::Preparation {
                    self.give(Input::Ready { slot });
                } else if self.fight.lifecycle().is_fighting() {
                    self.act(slot);
                }
            }
        }
    }

    /// A bot that is awake two looks of three: heals when it is hurt, uses what it has, shoots at what is near, and
    /// keeps moving.
    fn act(&mut self, slot: Slot) {
        let own = &self.fight.participants()[usize::from(slot)];
        if own.status() == ParticipantStatus::Eliminated || self.chance.below(3) == 0 {
            return;
        }
        let (at, hp) = (own.at(), own.hp());
        let hurt = u64::from(hp) * 2 < u64::from(self.fight.rules().health);
        let Some((foe, foe_at)) = self.nearest_foe(slot, at) else { return };
        let ruleset = Arc::clone(self.fight.ruleset());
        for id in 0..ruleset.kit {
            let ability = &ruleset.abilities[usize::from(id)];
            let item = ability.kind == AbilityKind::Item;
            let wanted = if item { hurt } else { self.chance.below(6) == 0 };
            let aim = match ability.affects {
                Affects::Own | Affects::Allies => Target { slot: Some(slot), at: Some(at) },
                _ => Target { slot: Some(foe), at: Some(foe_at) },
            };
            if wanted && self.order(slot, Action::Use { ability: id, item, aim }) {
                self.used[usize::from(id)] += 1;
                return;
            }
        }
        if hurt && self.order(slot, Action::Defend) {
            return;
        }
        let part = [BodyPart::Torso, BodyPart::Torso, BodyPart::Torso, BodyPart::Head, BodyPart::Limb]
            [usize::try_from(self.chance.below(5)).unwrap_or(0)];
        let hits = self.order(slot, Action::Attack { target: Some(foe), part });
        self.walk(slot, at, foe_at, hits);
    }

    /// Around those it can hit, towards those it cannot.
    fn walk(&mut self, slot: Slot, at: Point, foe_at: Point, hits: bool) {
        let stride = self.fight.rules().speed_cm_per_s / 10;
        let aside = Point::new(at.x + (foe_at.y - at.y), at.y - (foe_at.x - at.x));
        let to = if hits || at.within(foe_at, 800) { at.along(aside, stride) } else { at.towards(foe_at, stride) };
        if !self.order(slot, Action::Move { to }) {
            let (x, y) = (self.chance.below(200), self.chance.below(200));
            let any = |at: i32, by: u64| at + i32::try_from(by).unwrap_or(0) - 100;
            let to = at.towards(Point::new(any(at.x, x), any(at.y, y)), stride);
            self.order(slot, Action::Move { to });
        }
    }

    fn order(&mut self, slot: Slot, action: Action) -> bool {
        let done = self.give(Input::Act { slot, id: 0, action });
        self.taken += u32::from(done);
        done
    }

    fn nearest_foe(&self, slot: Slot, at: Point) -> Option<(Slot, Point)> {
        let team = self.fight.participants()[usize::from(slot)].team();
        let foes = (0..)
            .zip(self.fight.participants())
            .filter(|(_, p)| p.team() != team && p.status() != ParticipantStatus::Eliminated);
        foes.map(|(slot, p)| (slot, p.at())).min_by_key(|&(slot, place)| (at.distance_squared(place), slot))
    }

    fn standing(&self) -> usize {
        let players = &self.fight.participants()[..usize::from(self.fight.seats())];
        players.iter().filter(|p| p.status() != ParticipantStatus::Eliminated).count()
    }
}

/// The end of a match, and how long it was fought.
fn played(ruleset: &Arc<Ruleset>, mode: Mode, difficulty: Difficulty, players: u8, game: u64) -> Game {
    let mut played = Game::new(ruleset, mode, difficulty, players, game);
    let rules = played.fight.rules();
    let round = rules.preparation_ms + rules.max_duration_ms + rules.intermission_ms;
    played.play(Millis::from(round) * Millis::from(rules.rounds) + Millis::from(rules.cooldown_ms) + LOOK_MS);
    played
}

#[test]
fn each_is_named_as_its_file() {
    for (file, text) in SHIPPED {
        let name = load(text).unwrap_or_else(|problems| panic!("\n{}", problems.of_file(file))).name;
        assert_eq!(format!("rules/{name}.toml"), file);
    }
}

#[test]
fn each_is_played_to_a_decided_end_in_each_of_its_modes() {
    for (name, modes, players) in [
        ("default", &Mode::ALL[..], &[2, 5][..]),
        ("duel", &[Mode::Pvp, Mode::Tournament], &[2]),
        ("arena-fast", &[Mode::Pvp, Mode::Arena, Mode::Tournament], &[2, 6, 10]),
    ] {
        let ruleset = ruleset(name);
        let offered = Mode::ALL.into_iter().filter(|mode| ruleset.rules_of(*mode, Difficulty::Normal).is_some());
        assert_eq!(offered.collect::<Vec<_>>(), modes, "{name}");
        let mut used = vec![0; usize::from(ruleset.kit)];
        for (&mode, &players) in modes.iter().flat_map(|mode| players.iter().map(move |players| (mode, players))) {
            for game in 0..3 {
                let played = played(&ruleset, mode, Difficulty::Normal, players, game);
                let what = format!("{name} {mode:?} of {players}, game {game}");
                let lifecycle = played.fight.lifecycle();
                assert!(lifecycle.is_ended(), "{what}: still {:?}", lifecycle.phase());
                let decided = [
                    EndReason::LastStanding,
                    EndReason::RoundsWon,
                    EndReason::TimeLimit,
                    EndReason::Cleared,
                    EndReason::Defeated,
                ];
                assert!(lifecycle.end().is_some_and(|end| decided.contains(&end)), "{what}: {:?}", lifecycle.end());
                assert!(played.taken >= 4, "{what}: {} actions were taken", played.taken);
                for (all, times) in used.iter_mut().zip(&played.used) {
                    *all += times;
                }
            }
        }
        // What no bot ever can use is of no use.
        for (ability, times) in ruleset.abilities.iter().zip(used) {
            assert!(times > 0, "{name}: nobody used {}", ability.name);
        }
    }
}

#[test]
fn pve_is_won_by_three_who_fight_well_but_not_always() {
    const GAMES: u64 = 16;
    let ruleset = ruleset("default");
    let won = |difficulty: Difficulty, players: u8| {
        let games = (0..GAMES).map(|game| played(&ruleset, Mode::Pve, difficulty, players, game));
        let seconds = |game: &Game| game.fight.lifecycle().active_ms(game.now) / 1_000;
        let won: Vec<Game> = games.filter(|game| game.fight.lifecycle().end() == Some(EndReason::Cleared)).collect();
        assert!(won.iter().all(|game| game.standing() > 0 && game.fight.lifecycle().winning_team() == Some(0)));
        // About a minute, as long as there is something to fight.
        assert!(
            won.iter().all(|game| (40..=120).contains(&seconds(game))),
            "{:?}",
            won.iter().map(seconds).collect::<Vec<_>>()
        );
        won.len()
    };
    let normal = won(Difficulty::Normal, 3);
    assert!((6..=14).contains(&normal), "{normal} of {GAMES}");
    let (easy, expert) = (won(Difficulty::Easy, 3), won(Difficulty::Expert, 3));
    assert!(easy > normal && normal > expert, "{easy}, {normal}, {expert} of {GAMES}");
    let alone = won(Difficulty::Easy, 1);
    assert!(alone >= 8, "{alone} of {GAMES} alone");
}

#[test]
fn a_pve_match_shows_all_that_there_is() {
    let ruleset = ruleset("default");
    let (mut enemies, mut effects, mut phases, mut revived) = (Vec::new(), Vec::new(), 0, false);
    for number in 0..8 {
        let mut game = Game::new(&ruleset, Mode::Pve, Difficulty::Normal, 4, number);
        game.watch = Some(Vec::new());
        game.play(300_000);
        for event in game.watch.take().into_iter().flatten() {
            match event {
                Event::Spawned { enemy, .. } => enemies.push(enemy),
                Event::Affected { effect, .. } => effects.push(effect),
                Event::Enraged { phase, .. } => phases = phases.max(phase),
                Event::Revived { .. } => revived = true,
                _ => {}
            }
        }
    }
    for (id, enemy) in (0..).zip(&ruleset.enemies) {
        assert!(enemies.contains(&id), "{} never came", enemy.name);
    }
    for (id, effect) in (0..).zip(&ruleset.effects) {
        assert!(effects.contains(&id) || ruleset.modifiers.contains(&id), "{} was never seen", effect.name);
    }
    assert_eq!((phases, revived), (2, true), "the boss's last phase, and a medic at work");
}

/// What sessions of before had: clients that know attack and defend alone see no difference.
#[test]
fn default_has_the_numbers_that_were_always_there() {
    let ruleset = ruleset("default");
    let of = |mode: Mode| ruleset.rules_of(mode, Difficulty::Normal).unwrap();
    let usual = Rules::default();
    assert_eq!(of(Mode::Pvp), usual);
    assert_eq!((usual.health, usual.armor, usual.teams, usual.ammo, usual.accuracy_percent), (100, 50, 0, 0, 100));
    assert_eq!(of(Mode::Arena), Rules { preparation_ms: 30_000, ..usual.clone() });
    let tournament = Rules { preparation_ms: 30_000, ready_check: 1, strict_draws: 1, ..usual.clone() };
    assert_eq!(of(Mode::Tournament), tournament);
    let pve = Rules { armor: 0, attack_interval_ms: 250, enemy_growth_percent: 65, ..usual };
    assert_eq!(of(Mode::Pve), pve);
    assert_eq!(ruleset.lifecycle, machine::usual_course());
    assert_eq!(ruleset.activity, machine::usual_activity());
}

/// However many begin, in teams or each alone: who only shoots from where it begins hits everybody, and nothing covers
/// them.
#[test]
fn in_default_nothing_stands_between_those_who_begin() {
    let ruleset = ruleset("default");
    for (players, teams) in [(2, 0), (7, 0), (16, 0), (40, 0), (10, 2), (128, 0), (128, 8)] {
        let rules = Rules {
            health: 1_000_000,
            armor: 0,
            critical_percent: 0,
            attack_damage_min: 25,
            attack_damage_max: 25,
            attack_interval_ms: 0,
            actions_per_second: 0,
            preparation_ms: 0,
            teams,
            ..ruleset.rules.clone()
        };
        let participants: Vec<PlayerId> = (1..=players).map(PlayerId::from).collect();
        let setup = Setup { mode: Mode::Pvp, rules, seats: players, participants, teams: Vec::new(), seed: 1 };
        let (mut fight, mut step) = (Hosted::new(Arc::clone(&ruleset), setup), Step::default());
        for (by, to) in (0..players).flat_map(|by| (0..players).map(move |to| (by, to))) {
            let team = |slot: Slot| fight.participants()[usize::from(slot)].team();
            if team(by) == team(to) {
                continue;
            }
            let before = fight.participants()[usize::from(to)].hp();
            let action = Action::Attack { target: Some(to), part: BodyPart::Torso };
            step.clear();
            let answer = fight.handle(1, Input::Act { slot: by, id: 0, action }, &mut step);
            let places = || (fight.participants()[usize::from(by)].at(), fight.participants()[usize::from(to)].at());
            let lost = before - fight.participants()[usize::from(to)].hp();
            assert!(answer.is_ok() && lost == 25, "{by} to {to} of {players}: {answer:?}, {lost}, {:?}", places());
        }
    }
}

/// A text with some of its numbers, names in lists and lines changed or left out; most of these are refused.
fn bent(text: &str, chance: &mut Chance) -> String {
    const NUMBERS: [&str; 12] =
        ["0", "1", "2", "7", "49", "50", "99", "100", "1_000", "60_000", "1_000_000", "1_000_000_000"];
    let pick = |chance: &mut Chance, most: usize| usize::try_from(chance.below(most as u64)).unwrap_or(0);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=chance.below(4) {
        let at = pick(chance, lines.len());
        let line = lines[at].clone();
        let Some((key, value)) = line.split_once('=') else { continue };
        match chance.below(8) {
            0 => lines[at].clear(),
            1 => {
                let other = lines[pick(chance, lines.len())].clone();
                if let Some((_, value)) = other.split_once('=') {
                    lines[at] = format!("{key}={value}");
                }
            }
            _ => {
                let digits: Vec<usize> = value.match_indices(|c: char| c.is_ascii_digit()).map(|(at, _)| at).collect();
                let Some(&first) = digits.get(pick(chance, digits.len().max(1))) else { continue };
                let number = |c: char| c.is_ascii_digit() || c == '_' || c == '.';
                let from = value[..first].rfind(|c| !number(c)).map_or(0, |at| at + 1);
                let to = value[first..].find(|c| !number(c)).map_or(value.len(), |at| first + at);
                let new = NUMBERS[pick(chance, NUMBERS.len())];
                lines[at] = format!("{key}={}{new}{}", &value[..from], &value[to..]);
            }
        }
    }
    lines.join("\n")
}

/// What the loader lets through the engine can run: no panic, nobody has more health than there is, and it goes on.
#[test]
fn whatever_the_loader_takes_can_be_played() {
    let mut chance = Chance(7);
    let mut taken = 0;
    for number in 0..600 {
        let (file, text) = SHIPPED[number % SHIPPED.len()];
        let text = bent(text, &mut chance);
        let Ok(ruleset) = load(&text) else { continue };
        let ruleset = Arc::new(ruleset);
        taken += 1;
        let mode = Mode::ALL[number / SHIPPED.len() % 4];
        let Some(rules) = ruleset.rules_of(mode, Difficulty::Normal) else { continue };
        let mut game = Game::new(&ruleset, mode, Difficulty::Normal, 4, number as u64);
        game.play(Millis::from(rules.preparation_ms.min(30_000)) + 20_000);
        for (slot, p) in (0..).zip(game.fight.participants()) {
            assert!(p.hp() <= game.fight.most_health(slot), "{file} as\n{text}");
        }
    }
    assert!(taken > 150, "{taken} of 600 were taken: the test bends too much");
}
