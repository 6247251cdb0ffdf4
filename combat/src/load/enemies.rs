//! The server's enemies and the waves they come in.

use super::abilities::{Known, ops};
use super::effects::{MOST_POINTS, SHORTEST_MS, list};
use super::names::Names;
use super::problem::Span;
use super::reader::{Entry, MOST_CM, Reader, Table, Value};
use crate::ruleset::{Ability, AbilityKind, Aim, Enemy, EnemyPhase, Move, Op, Rank, Wave};

/// Most phases of an enemy, and most moves of a phase.
const MOST_PHASES: usize = 16;

/// Most waves.
const MOST_WAVES: usize = 32;

/// Most enemies of one wave: seats, the waves and what they summon have to fit into the slots of a fight.
const MOST_OF_A_WAVE: u32 = 32;

/// In a phase's moves the enemy's own attack, which is no ability.
pub(super) const ATTACK: &str = "attack";

const KEYS: &[&str] = &[
    "rank",
    "health",
    "armor",
    "shield",
    "speed_m_per_s",
    "damage",
    "attack_interval_ms",
    "attack_range_m",
    "score",
    "think_ms",
    "passives",
    "last_words",
    "phases",
];

const RANKS: [(&str, Rank); 3] = [("normal", Rank::Normal), ("elite", Rank::Elite), ("boss", Rank::Boss)];

const AIMS: [(&str, Aim); 4] =
    [("nearest", Aim::Nearest), ("weakest", Aim::Weakest), ("strongest", Aim::Strongest), ("random", Aim::Random)];

pub(super) fn read<'t>(
    r: &mut Reader<'t>,
    entries: &[Entry<'t>],
    abilities: (&Names<'t>, &[Ability]),
    known: Known<'_, 't>,
) -> Vec<Enemy> {
    let enemies: Vec<Enemy> = entries.iter().map(|&entry| enemy(r, entry, abilities, known)).collect();
    if r.is_clean() {
        check_summons(r, entries, &enemies);
    }
    enemies
}

fn enemy<'t>(r: &mut Reader<'t>, entry: Entry<'t>, abilities: (&Names<'t>, &[Ability]), known: Known<'_, 't>) -> Enemy {
    let name = entry.name.to_owned();
    let Some(table) = r.table(entry.value, entry.span, KEYS) else { return Enemy { name, ..Enemy::default() } };
    let health = table.need(r, "health").and_then(|value| r.unsigned(value, 1..=MOST_POINTS)).unwrap_or(1);
    let damage = table.need(r, "damage").and_then(|value| r.span_of_numbers(value, 0..=MOST_POINTS));
    let (damage_min, damage_max) = damage.unwrap_or_default();
    let passives = table.list(r, "passives");
    let mut enemy = Enemy {
        name,
        rank: table.word(r, "rank", &RANKS, Rank::Normal),
        health,
        armor: table.number(r, "armor", 0..=10_000, 0),
        shield: table.number(r, "shield", 0..=MOST_POINTS, 0),
        speed_cm_per_s: table.metres(r, "speed_m_per_s", 0..=100_000, 0),
        damage_min,
        damage_max,
        attack_interval_ms: table.number(r, "attack_interval_ms", SHORTEST_MS..=60_000, 1_000),
        attack_range_cm: table.metres(r, "attack_range_m", 0..=MOST_CM, 0),
        score: table.number(r, "score", 0..=MOST_POINTS, 100),
        think_ms: table.number(r, "think_ms", SHORTEST_MS..=60_000, 500),
        phases: Vec::new(),
        passives: list(r, passives, known.effects),
        last_words: table.get("last_words").map(|value| ops(r, value, known)).unwrap_or_default(),
    };
    phases(r, &table, &mut enemy, abilities, known);
    enemy
}

fn phases<'t>(
    r: &mut Reader<'t>,
    table: &Table<'t>,
    enemy: &mut Enemy,
    abilities: (&Names<'t>, &[Ability]),
    known: Known<'_, 't>,
) {
    let Some(phases) = table.need(r, "phases").map(|value| (value, r.list(value))) else { return };
    let (place, values) = phases;
    if values.is_empty() || values.len() > MOST_PHASES {
        return r.say(place.span, format!("an enemy has 1 to {MOST_PHASES} phases"));
    }
    let mut last = None;
    for value in values {
        let keys = &["name", "from_percent", "entry", "moves", "keep_m"];
        let Some(table) = r.table(value, value.span, keys) else { continue };
        let from_percent = table.byte(r, "from_percent", 1..=100, 100);
        match last {
            None if from_percent != 100 => r.say(value.span, "the first phase begins at 100 percent of health"),
            None if table.get("entry").is_some() => {
                r.say(
                    value.span,
                    "nothing is done on entering the first phase: what an enemy comes with is in `passives`",
                );
            }
            Some(above) if from_percent >= above => {
                r.say(
                    value.span,
                    format!("begins at {from_percent} percent of health, not below the {above} of the one before"),
                );
            }
            _ => {}
        }
        last = Some(from_percent);
        let name = table.need(r, "name").and_then(|value| r.string(value)).unwrap_or_default();
        let moves = table.need(r, "moves").map(|value| r.list(value)).unwrap_or_default();
        if moves.len() > MOST_PHASES {
            r.say(value.span, format!("a phase has at most {MOST_PHASES} moves"));
        }
        enemy.phases.push(EnemyPhase {
            name: name.to_owned(),
            from_percent,
            entry: table.get("entry").map(|value| ops(r, value, known)).unwrap_or_default(),
            moves: moves.into_iter().filter_map(|value| decision(r, value, abilities)).collect(),
            keep_cm: table.metres(r, "keep_m", 0..=MOST_CM, 0),
        });
    }
}

/// `{ use = "slam", aim = "nearest", percent = 50 }`
fn decision<'t>(r: &mut Reader<'t>, value: Value<'t>, (names, list): (&Names<'t>, &[Ability])) -> Option<Move> {
    let table = r.table(value, value.span, &["use", "aim", "percent"])?;
    let aim = table.word(r, "aim", &AIMS, Aim::Nearest);
    let percent = table.byte(r, "percent", 1..=100, 100);
    let wanted = table.need(r, "use")?;
    if r.string(wanted)? == ATTACK {
        return Some(Move { ability: None, aim, percent });
    }
    let ability = r.name(wanted, names)?;
    if list.get(usize::from(ability)).is_some_and(|ability| ability.kind == AbilityKind::Passive) {
        r.say(wanted.span, "a passive is used by nobody; give the enemy its effect in `passives`");
    }
    Some(Move { ability: Some(ability), aim, percent })
}

/// No enemy brings itself on its way to its end, or there would be none.
fn check_summons(r: &mut Reader<'_>, entries: &[Entry<'_>], enemies: &[Enemy]) {
    let brought = |enemy: &Enemy| -> Vec<u8> {
        let summoned = enemy.phases.iter().flat_map(|phase| &phase.entry).chain(&enemy.last_words);
        summoned.filter_map(|op| if let Op::Summon { enemy, .. } = op { Some(*enemy) } else { None }).collect()
    };
    for (first, entry) in entries.iter().enumerate() {
        let mut seen = vec![false; enemies.len()];
        let mut open = brought(&enemies[first]);
        while let Some(next) = open.pop().map(usize::from) {
            if next < seen.len() && !std::mem::replace(&mut seen[next], true) {
                open.extend(brought(&enemies[next]));
            }
        }
        if seen[first] {
            let name = entry.name;
            r.say(entry.span, format!("a cycle without end: `{name}` is summoned by its own phases or last words"));
        }
    }
}

pub(super) fn waves<'t>(r: &mut Reader<'t>, root: &Table<'t>, enemies: &Names<'t>) -> Vec<Wave> {
    let values = root.list(r, "waves");
    if let Some(first_too_many) = values.get(MOST_WAVES) {
        r.say(first_too_many.span, format!("that is one wave too many: at most {MOST_WAVES}"));
        return Vec::new();
    }
    values.into_iter().filter_map(|value| wave(r, value, enemies)).collect()
}

fn wave<'t>(r: &mut Reader<'t>, value: Value<'t>, enemies: &Names<'t>) -> Option<Wave> {
    let table = r.table(value, value.span, &["delay_ms", "spawns"])?;
    let delay_ms = table.number(r, "delay_ms", 0..=600_000, 0);
    let mut spawns = Vec::new();
    let values = table.need(r, "spawns").map(|value| r.list(value))?;
    let wanted = values.len();
    for value in values {
        let Some(table) = r.table(value, value.span, &["enemy", "count"]) else { continue };
        let enemy = table.need(r, "enemy").and_then(|value| r.name(value, enemies));
        let count = table.get("count").map_or(Some((1, 1)), |value| r.span_of_numbers(value, 0..=MOST_OF_A_WAVE));
        let (Some(enemy), Some((from, to))) = (enemy, count) else { continue };
        spawns.push((enemy, u8::try_from(from).unwrap_or(u8::MAX), u8::try_from(to).unwrap_or(u8::MAX)));
    }
    if spawns.len() == wanted {
        check_size(r, value.span, &spawns);
    }
    Some(Wave { delay_ms, spawns })
}

fn check_size(r: &mut Reader<'_>, at: Span, spawns: &[(u8, u8, u8)]) {
    let least: u32 = spawns.iter().map(|&(_, from, _)| u32::from(from)).sum();
    let most: u32 = spawns.iter().map(|&(_, _, to)| u32::from(to)).sum();
    if least == 0 || most > MOST_OF_A_WAVE {
        let found = if least == most { least.to_string() } else { format!("{least} to {most}") };
        r.say(at, format!("a wave is 1 to {MOST_OF_A_WAVE} enemies, and this is {found}"));
    }
}
