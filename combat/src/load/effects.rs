//! Status effects and reactions.

use super::names::Names;
use super::reader::{Entry, Reader, Table, Value};
use crate::action::ActionKind;
use crate::ruleset::{Effect, Element, Modifiers, Reaction, Stacking};

/// The shortest time between two of anything that comes again by itself: a ruleset cannot keep a server busy.
pub(super) const SHORTEST_MS: u32 = 50;

/// The longest an effect, a cast or a cooldown lasts.
pub(super) const LONGEST_MS: u32 = 3_600_000;

/// Most points of anything that a file gives or takes at once.
pub(super) const MOST_POINTS: u32 = 1_000_000;

const KEYS: &[&str] = &[
    "element",
    "stacking",
    "stacks",
    "ms",
    "tick_ms",
    "tick_damage",
    "tick_heal",
    "denies",
    "stuns",
    "changes",
    "absorbs_percent",
    "fragile",
    "then",
];

const STACKINGS: [(&str, Stacking); 5] = [
    ("none", Stacking::None),
    ("replace", Stacking::Replace),
    ("refresh", Stacking::Refresh),
    ("intensify", Stacking::Intensify),
    ("separate", Stacking::Separate),
];

/// Changes in percent, by name.
const CHANGES: [&str; 8] =
    ["damage_dealt", "damage_taken", "rage", "speed", "accuracy", "armor", "healing", "regeneration"];

pub(super) fn read<'t>(r: &mut Reader<'t>, entries: &[Entry<'t>], names: &Names<'t>) -> Vec<Effect> {
    entries.iter().map(|&entry| effect(r, entry, names)).collect()
}

fn effect<'t>(r: &mut Reader<'t>, entry: Entry<'t>, names: &Names<'t>) -> Effect {
    let name = entry.name.to_owned();
    let Some(table) = r.table(entry.value, entry.span, KEYS) else { return Effect { name, ..Effect::default() } };
    let kinds = ActionKind::ALL.map(|kind| (kind.name(), kind));
    let effect = Effect {
        name,
        element: element(r, &table, "element"),
        stacking: table.word(r, "stacking", &STACKINGS, Stacking::default()),
        stacks: table.byte(r, "stacks", 1..=100, 1),
        // 0: as long as whoever brings it says.
        ms: table.number(r, "ms", SHORTEST_MS..=LONGEST_MS, 0),
        tick_ms: table.number(r, "tick_ms", SHORTEST_MS..=60_000, 0),
        tick_damage: table.number(r, "tick_damage", 0..=MOST_POINTS, 0),
        tick_heal: table.number(r, "tick_heal", 0..=MOST_POINTS, 0),
        denies: table.list(r, "denies").into_iter().filter_map(|value| r.word(value, "action", &kinds)).collect(),
        stuns: table.boolean(r, "stuns"),
        modifiers: changes(r, &table),
        absorbs_percent: table.number(r, "absorbs_percent", 0..=1_000, 0),
        fragile: table.boolean(r, "fragile"),
        then: table.get("then").and_then(|value| r.name(value, names)),
    };
    let stacks = matches!(effect.stacking, Stacking::Intensify | Stacking::Separate);
    match table.entry("stacks") {
        None if stacks => r.say(entry.span, "`stacks` is missing: how many there are at most"),
        Some(stacks_of) if !stacks => {
            r.say(stacks_of.span, "only effects whose stacking is `intensify` or `separate` have `stacks`");
        }
        _ => {}
    }
    let hurts_or_heals = effect.tick_damage > 0 || effect.tick_heal > 0;
    if hurts_or_heals && table.get("tick_ms").is_none() {
        r.say(entry.span, "`tick_ms` is missing: how often it hurts or heals");
    }
    if let Some(tick) = table.entry("tick_ms").filter(|_| !hurts_or_heals) {
        r.say(tick.span, "it ticks, and does nothing then: `tick_damage` and `tick_heal` are missing");
    }
    // With this no chain of effects comes round in no time: each lasts at least [`SHORTEST_MS`].
    if let Some(then) = table.entry("then").filter(|_| table.get("ms").is_none()) {
        r.say(then.span, "what comes after it needs its end: `ms` is missing");
    }
    effect
}

fn changes<'t>(r: &mut Reader<'t>, table: &Table<'t>) -> Modifiers {
    let mut modifiers = Modifiers::default();
    let Some(entry) = table.entry("changes") else { return modifiers };
    let Some(table) = r.table(entry.value, entry.span, &CHANGES) else { return modifiers };
    for Entry { name, value, .. } in table.entries() {
        let field = match name {
            "damage_dealt" => &mut modifiers.damage_dealt,
            "damage_taken" => &mut modifiers.damage_taken,
            "rage" => &mut modifiers.rage,
            "speed" => &mut modifiers.speed,
            "accuracy" => &mut modifiers.accuracy,
            "armor" => &mut modifiers.armor,
            "healing" => &mut modifiers.healing,
            "regeneration" => &mut modifiers.regeneration,
            _ => continue,
        };
        let percent = r.number(value, -100..=1_000).and_then(|percent| i32::try_from(percent).ok());
        *field = percent.unwrap_or_default();
    }
    modifiers
}

pub(super) fn element<'t>(r: &mut Reader<'t>, table: &Table<'t>, key: &str) -> Option<Element> {
    table.get(key).and_then(|value| r.word(value, "element", &Element::ALL))
}

pub(super) fn reactions<'t>(r: &mut Reader<'t>, root: &Table<'t>) -> Vec<Reaction> {
    let mut reactions: Vec<Reaction> = Vec::new();
    for value in root.list(r, "reactions") {
        let Some(table) = r.table(value, value.span, &["damage", "on", "percent", "consumes"]) else { continue };
        let damage = table.need(r, "damage").and_then(|value| r.word(value, "element", &Element::ALL));
        let effect = table.need(r, "on").and_then(|value| r.word(value, "element", &Element::ALL));
        let percent = table.need(r, "percent").and_then(|value| r.unsigned(value, 100..=1_000));
        let consumes = table.boolean(r, "consumes");
        let (Some(damage), Some(effect), Some(percent)) = (damage, effect, percent) else { continue };
        if reactions.iter().any(|known| (known.damage, known.effect) == (damage, effect)) {
            r.say(value.span, "there is already a reaction of this damage on this element");
        }
        reactions.push(Reaction { damage, effect, percent, consumes });
    }
    reactions
}

/// Effects that work for a whole round: their `ms` does not count.
pub(super) fn list<'t>(r: &mut Reader<'t>, values: Vec<Value<'t>>, names: &Names<'t>) -> Vec<u8> {
    let mut list = Vec::new();
    for value in values {
        let Some(effect) = r.name(value, names) else { continue };
        if list.contains(&effect) {
            r.say(value.span, "is in the list twice");
        }
        list.push(effect);
    }
    list
}
