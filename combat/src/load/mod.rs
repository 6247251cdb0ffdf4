//! Rulesets out of files: a text in, a checked [`Ruleset`] out, or every mistake with its line.
//!
//! [`problem`] a mistake and how it is shown, [`reader`] values with their places, [`names`] what they refer to; then a
//! file's parts: [`settings`], [`machines`] and the [`ways`] through them, [`effects`], [`abilities`], [`enemies`],
//! [`environment`], [`visibility`].

mod abilities;
mod effects;
mod enemies;
mod environment;
mod machines;
mod names;
mod problem;
mod reader;
mod settings;
mod visibility;
mod ways;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

pub use problem::{MOST_PROBLEMS, Problem, Problems};

use crate::Ruleset;
use crate::ruleset::AbilityKind;
use abilities::Known;
use names::{Names, check_name};
use problem::Span;
use reader::{Entry, Reader, Table};

/// Most bytes of a file.
pub const MOST_BYTES: usize = 256 * 1024;

/// Most abilities, items and passives together; most effects; most enemies.
const MOST: (usize, usize, usize) = (64, 64, 32);

/// What a file may say.
const KEYS: &[&str] = &[
    "name",
    "title",
    "players",
    "modifiers",
    "settings",
    "modes",
    "difficulties",
    "lifecycle",
    "participant",
    "abilities",
    "items",
    "passives",
    "effects",
    "reactions",
    "enemies",
    "waves",
    "environment",
    "visibility",
];

/// The ruleset that `text` describes, or all that is wrong with it.
pub fn load(text: &str) -> Result<Ruleset, Problems> {
    let mut r = Reader::new(text);
    if text.len() > MOST_BYTES {
        let kib = MOST_BYTES / 1024;
        r.say(Span { start: 0, end: 0 }, format!("the file has {} bytes; at most {kib} KiB are read", text.len()));
        return Err(r.into_problems());
    }
    let (parsed, errors) = DeTable::parse_recoverable(text);
    // Where braces do not match, everything after them would be a mistake too.
    for error in errors {
        let span = error.span().map_or(Span { start: text.len(), end: text.len() }, Span::from);
        let duplicate = error.message() == "duplicate key";
        r.say(span, if duplicate { "duplicate: this name is already taken" } else { error.message() });
    }
    if !r.is_clean() {
        return Err(r.into_problems());
    }
    let ruleset = read(&mut r, &Table::root(parsed.get_ref()), text);
    if r.is_clean() { Ok(ruleset) } else { Err(r.into_problems()) }
}

fn read<'t>(r: &mut Reader<'t>, root: &Table<'t>, text: &str) -> Ruleset {
    for entry in root.entries().iter().filter(|entry| !KEYS.contains(&entry.name)) {
        r.unknown(entry.span, "key", entry.name, KEYS.iter().copied());
    }
    let (name, title) = (name(r, root), title(r, root));
    let numbers = settings::read(r, root);
    let effects_of = named(r, root, "effects");
    let enemies_of = named(r, root, "enemies");
    let effect_names = Names::of(r, "effect", &effects_of, MOST.1);
    let enemy_names = Names::of(r, "enemy", &enemies_of, MOST.2);
    let effects = effects::read(r, &effects_of, &effect_names);
    let known = Known { effects: &effect_names, enemies: &enemy_names, list: &effects };
    let (kit, abilities_of) = abilities_in_order(r, root);
    let entries: Vec<Entry<'t>> = abilities_of.iter().map(|&(_, entry)| entry).collect();
    let ability_names = Names::of(r, "ability", &entries, MOST.0);
    let abilities: Vec<_> = abilities_of.iter().map(|&(kind, entry)| abilities::read(r, entry, kind, known)).collect();
    for (&entry, ability) in entries.iter().zip(&abilities) {
        abilities::check_costs(r, entry, ability, &numbers);
    }
    let enemies = enemies::read(r, &enemies_of, (&ability_names, &abilities), known);
    let waves = enemies::waves(r, root, &enemy_names);
    let modifiers = root.list(r, "modifiers");
    Ruleset {
        name,
        title,
        hash: hash_of(text),
        lifecycle: machines::course(r, root, &numbers, !waves.is_empty()),
        activity: machines::activity(r, root),
        rules: numbers.rules,
        modes: numbers.modes,
        difficulties: numbers.difficulties,
        kit,
        abilities,
        reactions: effects::reactions(r, root),
        enemies,
        waves,
        environment: environment::read(r, root, &effect_names),
        modifiers: effects::list(r, modifiers, &effect_names),
        visibility: visibility::read(r, root),
        effects,
    }
}

fn name<'t>(r: &mut Reader<'t>, root: &Table<'t>) -> String {
    let Some(value) = root.need(r, "name") else { return String::new() };
    let name = r.string(value).unwrap_or_default();
    check_name(r, "ruleset", name, value.span);
    name.to_owned()
}

fn title<'t>(r: &mut Reader<'t>, root: &Table<'t>) -> String {
    let Some(value) = root.need(r, "title") else { return String::new() };
    let title = r.string(value).unwrap_or_default();
    if title.is_empty() || title.chars().count() > 120 || title.chars().any(char::is_control) {
        r.say(value.span, "must be one line of 1 to 120 characters");
    }
    title.to_owned()
}

/// The entries of a table of the file, in its order.
fn named<'t>(r: &mut Reader<'t>, root: &Table<'t>, key: &str) -> Vec<Entry<'t>> {
    let Some(entry) = root.entry(key) else { return Vec::new() };
    r.any_table(entry.value, entry.span).map(|table| table.entries()).unwrap_or_default()
}

/// Abilities, items and passives: what players have first, as listed; then the others in the order of the file.
fn abilities_in_order<'t>(r: &mut Reader<'t>, root: &Table<'t>) -> (u8, Vec<(AbilityKind, Entry<'t>)>) {
    let kinds = [("abilities", AbilityKind::Ability), ("items", AbilityKind::Item), ("passives", AbilityKind::Passive)];
    let mut rest: Vec<(AbilityKind, Entry<'t>)> = Vec::new();
    for (key, kind) in kinds {
        for entry in named(r, root, key) {
            if entry.name == enemies::ATTACK {
                r.say(entry.span, "`attack` is what everybody's own attack is called: this needs another name");
            } else if rest.iter().any(|(_, other)| other.name == entry.name) {
                r.say(
                    entry.span,
                    format!("duplicate: another of abilities, items and passives is called `{}`", entry.name),
                );
            } else {
                rest.push((kind, entry));
            }
        }
    }
    let all: Vec<&str> = rest.iter().map(|(_, entry)| entry.name).collect();
    let mut kit = Vec::new();
    for value in root.list(r, "players") {
        let Some(name) = r.string(value) else { continue };
        if let Some(place) = rest.iter().position(|(_, entry)| entry.name == name) {
            kit.push(rest.remove(place));
        } else if all.contains(&name) {
            r.say(value.span, "is in the list twice");
        } else {
            r.unknown(value.span, "ability or item", name, all.iter().copied());
        }
    }
    let count = u8::try_from(kit.len()).unwrap_or(u8::MAX);
    kit.append(&mut rest);
    (count, kit)
}

/// What a session is pinned to: SHA-256 of the text, the same whatever its line endings.
pub fn hash_of(text: &str) -> [u8; 32] {
    Sha256::digest(text.replace("\r\n", "\n")).into()
}
