//! Abilities, items and passives, and what they do.

use super::effects::{LONGEST_MS, MOST_POINTS, SHORTEST_MS, element};
use super::names::Names;
use super::reader::{Entry, MOST_CM, Reader, Table, Value};
use super::settings::Numbers;
use crate::ruleset::{Ability, AbilityKind, Affects, Effect, Op, Resource, Shape};

/// Most things that one ability does.
const MOST_OPS: usize = 16;

/// Most targets of one that has several, unless it says fewer.
const USUAL_TARGETS: u8 = 20;

const KEYS: &[&str] = &[
    "key",
    "cost",
    "cooldown_ms",
    "uses",
    "cast_ms",
    "every_ms",
    "channel",
    "broken_by",
    "affects",
    "shape",
    "range_m",
    "radius_m",
    "width_m",
    "degrees",
    "targets",
    "sight",
    "below_percent",
    "does",
];

const AFFECTS: [(&str, Affects); 5] = [
    ("own", Affects::Own),
    ("allies", Affects::Allies),
    ("enemies", Affects::Enemies),
    ("others", Affects::Others),
    ("fallen", Affects::Fallen),
];

const RESOURCES: [(&str, Resource); 4] = [
    ("stamina", Resource::Stamina),
    ("energy", Resource::Energy),
    ("charge", Resource::Charge),
    ("ammo", Resource::Ammo),
];

/// Shapes by name; their numbers come from keys of their own.
const SHAPES: [(&str, Shape); 4] = [
    ("single", Shape::Single),
    ("area", Shape::Area { radius_cm: 0 }),
    ("line", Shape::Line { width_cm: 0 }),
    ("cone", Shape::Cone { degrees: 0 }),
];

/// What abilities refer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a, 't> {
    pub effects: &'a Names<'t>,
    pub enemies: &'a Names<'t>,
    /// In the order of their names.
    pub list: &'a [Effect],
}

pub(super) fn read<'t>(r: &mut Reader<'t>, entry: Entry<'t>, kind: AbilityKind, known: Known<'_, 't>) -> Ability {
    let mut ability = Ability { name: entry.name.to_owned(), kind, ..Ability::default() };
    if kind == AbilityKind::Passive {
        let Some(table) = r.table(entry.value, entry.span, &["gains"]) else { return ability };
        let gains = table.need(r, "gains").map(|value| r.list(value)).unwrap_or_default();
        let gains = super::effects::list(r, gains, known.effects);
        ability.does = gains.into_iter().map(|effect| Op::Gain { effect, ms: 0 }).collect();
        return ability;
    }
    let Some(table) = r.table(entry.value, entry.span, KEYS) else { return ability };
    if let Some(key) = table.get("key")
        && let Some(text) = r.string(key)
    {
        if text.is_empty() || text.chars().count() > 8 || text.chars().any(char::is_control) {
            r.say(key.span, "a key is 1 to 8 characters");
        }
        text.clone_into(&mut ability.key);
    }
    ability.cost = cost(r, &table);
    ability.cooldown_ms = table.number(r, "cooldown_ms", 0..=LONGEST_MS, 0);
    ability.uses = table.byte(r, "uses", 1..=255, 0);
    ability.below_percent = table.byte(r, "below_percent", 1..=100, 0);
    cast(r, &table, &mut ability);
    reach(r, &table, &mut ability);
    if let Some(value) = table.need(r, "does") {
        ability.does = ops(r, value, known);
        check_revival(r, value, &ability);
    }
    ability
}

/// Who is out is first brought back, and nobody else can be.
fn check_revival(r: &mut Reader<'_>, does: Value<'_>, ability: &Ability) {
    let revives = |op: &Op| matches!(op, Op::Revive { .. });
    match (ability.affects, ability.does.as_slice()) {
        (Affects::Fallen, [first, ..]) if !revives(first) => {
            r.say(does.span, "reaches those who are out, for whom nothing can be done before `revive_percent`");
        }
        (Affects::Fallen, _) => {}
        (_, ops) if ops.iter().any(revives) => {
            r.say(does.span, "`revive_percent` is for those who are out: it needs `affects = \"fallen\"`");
        }
        _ => {}
    }
}

/// What those who have it can never pay.
pub(super) fn check_costs(r: &mut Reader<'_>, entry: Entry<'_>, ability: &Ability, numbers: &Numbers) {
    for &(resource, points) in &ability.cost {
        let name = RESOURCES.iter().find(|(_, known)| *known == resource).map_or("", |(name, _)| name);
        // Charge is a share, and shots are only counted where `ammo` is set.
        let most = match (resource, crate::Rules::place(name)) {
            (Resource::Stamina | Resource::Energy, Some(place)) => numbers.extremes(place).1,
            _ => continue,
        };
        if points > most {
            r.say(
                entry.span,
                format!("`{}` costs {points} {name}, and nobody ever has more than {most}", ability.name),
            );
        }
    }
}

fn cost<'t>(r: &mut Reader<'t>, table: &Table<'t>) -> Vec<(Resource, u32)> {
    let Some(entry) = table.entry("cost") else { return Vec::new() };
    let Some(table) = r.any_table(entry.value, entry.span) else { return Vec::new() };
    let mut costs = Vec::new();
    for Entry { name, span, value } in table.entries() {
        let Some(&(_, resource)) = RESOURCES.iter().find(|(known, _)| *known == name) else {
            r.unknown(span, "resource", name, RESOURCES.iter().map(|&(name, _)| name));
            continue;
        };
        let most = if resource == Resource::Charge { 100 } else { 10_000 };
        costs.extend(r.unsigned(value, 1..=most).map(|points| (resource, points)));
    }
    costs
}

fn cast<'t>(r: &mut Reader<'t>, table: &Table<'t>, ability: &mut Ability) {
    ability.cast_ms = table.number(r, "cast_ms", 0..=60_000, 0);
    ability.every_ms = table.number(r, "every_ms", SHORTEST_MS..=60_000, 0);
    ability.channel = table.boolean(r, "channel");
    ability.broken_by = table.get("broken_by").and_then(|value| r.unsigned(value, 0..=MOST_POINTS));
    for key in ["every_ms", "channel", "broken_by"] {
        if let Some(entry) = table.entry(key).filter(|_| ability.cast_ms == 0) {
            r.say(entry.span, format!("`{key}` says how a cast goes, and without `cast_ms` there is none"));
        }
    }
    if let Some(every) = table.entry("every_ms").filter(|_| ability.cast_ms > 0 && ability.every_ms > ability.cast_ms) {
        r.say(every.span, format!("the cast is over after {} ms, before this", ability.cast_ms));
    }
}

/// Whom it reaches, and how far.
fn reach<'t>(r: &mut Reader<'t>, table: &Table<'t>, ability: &mut Ability) {
    ability.affects = table.word(r, "affects", &AFFECTS, Affects::Own);
    ability.range_cm = table.metres(r, "range_m", 0..=MOST_CM, 0);
    ability.sight = table.get("sight").and_then(|value| r.boolean(value)).unwrap_or(true);
    let shape = table.word(r, "shape", &SHAPES, Shape::Single);
    let own = match shape {
        Shape::Single => None,
        Shape::Area { .. } => Some("radius_m"),
        Shape::Line { .. } => Some("width_m"),
        Shape::Cone { .. } => Some("degrees"),
    };
    let name = SHAPES.iter().find(|(_, known)| *known == shape).map_or("", |(name, _)| name);
    for key in ["radius_m", "width_m", "degrees"] {
        match table.entry(key) {
            Some(entry) if own != Some(key) => {
                r.say(entry.span, format!("a shape `{name}` has no `{key}`"));
            }
            None if own == Some(key) => r.say(table.span, format!("`{key}` is missing: the shape is `{name}`")),
            _ => {}
        }
    }
    ability.shape = match shape {
        Shape::Single => Shape::Single,
        Shape::Area { .. } => Shape::Area { radius_cm: table.metres(r, "radius_m", 1..=MOST_CM, 1) },
        Shape::Line { .. } => Shape::Line { width_cm: table.metres(r, "width_m", 1..=MOST_CM, 1) },
        Shape::Cone { .. } => {
            let degrees = table.number(r, "degrees", 1..=360, 1);
            Shape::Cone { degrees: u16::try_from(degrees).unwrap_or(360) }
        }
    };
    ability.targets = if shape == Shape::Single { 1 } else { table.byte(r, "targets", 1..=128, USUAL_TARGETS) };
    if let Some(targets) = table.entry("targets").filter(|_| shape == Shape::Single) {
        r.say(targets.span, "a shape `single` has one target");
    }
    let far = match shape {
        Shape::Single => ability.affects != Affects::Own,
        Shape::Line { .. } | Shape::Cone { .. } => true,
        Shape::Area { .. } => false,
    };
    if far && table.get("range_m").is_none() {
        r.say(table.span, "`range_m` is missing: how far it reaches");
    }
}

/// What is done, in order.
pub(super) fn ops<'t>(r: &mut Reader<'t>, value: Value<'t>, known: Known<'_, 't>) -> Vec<Op> {
    let values = r.list(value);
    if values.len() > MOST_OPS {
        r.say(value.span, format!("does {} things; at most {MOST_OPS}", values.len()));
        return Vec::new();
    }
    values.into_iter().filter_map(|value| op(r, value, known)).collect()
}

/// The things that can be done, each with the keys that may stand beside it.
const OPS: [(&str, &[&str]); 12] = [
    ("damage", &["element"]),
    ("heal", &[]),
    ("heal_percent", &[]),
    ("revive_percent", &[]),
    ("refill", &["points"]),
    ("apply", &["ms"]),
    ("gain", &["ms"]),
    ("cleanse", &[]),
    ("dash_m", &[]),
    ("pull_m", &[]),
    ("push_m", &[]),
    ("summon", &["count"]),
];

fn op<'t>(r: &mut Reader<'t>, value: Value<'t>, known: Known<'_, 't>) -> Option<Op> {
    let table = r.any_table(value, value.span)?;
    let entries = table.entries();
    let verbs: Vec<&Entry<'t>> =
        entries.iter().filter(|entry| OPS.iter().any(|(verb, _)| *verb == entry.name)).collect();
    let [verb] = verbs[..] else {
        match (verbs.first(), entries.first()) {
            (Some(_), _) => r.say(value.span, "does two things at once: write each in braces of its own"),
            (None, Some(entry)) => r.unknown(entry.span, "thing to do", entry.name, OPS.iter().map(|&(verb, _)| verb)),
            (None, None) => r.say(value.span, "does nothing"),
        }
        return None;
    };
    let beside = OPS.iter().find(|(name, _)| *name == verb.name).map_or(&[][..], |(_, beside)| beside);
    for entry in entries.iter().filter(|entry| entry.name != verb.name && !beside.contains(&entry.name)) {
        let takes = beside.first().map_or("nothing".to_owned(), |key| format!("`{key}`"));
        r.say(entry.span, format!("beside `{}` there can be {takes}, and not this", verb.name));
    }
    let of = verb.value;
    Some(match verb.name {
        "damage" => {
            let (min, max) = r.span_of_numbers(of, 0..=MOST_POINTS)?;
            Op::Damage { min, max, element: element(r, &table, "element") }
        }
        "heal" => Op::Heal { percent: 0, points: r.unsigned(of, 1..=MOST_POINTS)? },
        "heal_percent" => Op::Heal { percent: r.unsigned(of, 1..=100)?, points: 0 },
        "revive_percent" => Op::Revive { percent: r.unsigned(of, 1..=100)? },
        "refill" => {
            let resource = r.word(of, "resource", &RESOURCES)?;
            let points = table.need(r, "points").and_then(|value| r.unsigned(value, 1..=10_000))?;
            Op::Refill { resource, points }
        }
        "apply" => {
            let (effect, ms) = brought(r, &table, of, known)?;
            Op::Apply { effect, ms }
        }
        "gain" => {
            let (effect, ms) = brought(r, &table, of, known)?;
            Op::Gain { effect, ms }
        }
        "cleanse" => {
            if r.boolean(of) == Some(false) {
                r.say(of.span, "must be true, or left out");
            }
            Op::Cleanse
        }
        "dash_m" => Op::Dash { cm: r.metres(of, 1..=MOST_CM)? },
        "pull_m" => Op::Pull { cm: r.metres(of, 1..=MOST_CM)? },
        "push_m" => Op::Push { cm: r.metres(of, 1..=MOST_CM)? },
        _ => {
            let enemy = r.name(of, known.enemies)?;
            Op::Summon { enemy, count: table.byte(r, "count", 1..=16, 1) }
        }
    })
}

/// An effect, and how long: its own duration unless `ms` says another.
fn brought<'t>(r: &mut Reader<'t>, table: &Table<'t>, of: Value<'t>, known: Known<'_, 't>) -> Option<(u8, u32)> {
    let effect = r.name(of, known.effects)?;
    let ms = table.number(r, "ms", SHORTEST_MS..=LONGEST_MS, 0);
    let own = known.list.get(usize::from(effect)).map(|effect| effect.ms);
    if table.get("ms").is_none() && own == Some(0) {
        let name = known.effects.list.get(usize::from(effect)).copied().unwrap_or_default();
        r.say(of.span, format!("`{name}` has no `ms` of its own: say how long it lasts, `ms = …`"));
    }
    Some((effect, ms))
}
