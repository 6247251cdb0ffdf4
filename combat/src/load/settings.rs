//! The numbers: `[settings]`, and what modes and difficulties set otherwise.

use super::reader::{Entry, Reader, Table, Value};
use crate::ruleset::{Override, Setting};
use crate::{Difficulty, Mode, Rules};

/// The numbers of a file, before anything is checked that needs more of it than one number.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    pub rules: Rules,
    pub modes: [Option<Vec<Override>>; 4],
    pub difficulties: [Vec<Override>; 4],
}

pub(super) fn read<'t>(r: &mut Reader<'t>, root: &Table<'t>) -> Numbers {
    let mut numbers = Numbers::default();
    // Said once, where it begins.
    let mut broken = false;
    if let Some(settings) = root.entry("settings") {
        for (place, value) in overrides(r, settings) {
            numbers.rules.put(place, value);
        }
        check_damage(r, settings, &numbers.rules);
        broken = numbers.rules.check().is_err();
    }
    let modes = Mode::ALL.map(Mode::name);
    for (mode, entry) in named_tables(r, root, "modes", "mode", &modes) {
        let list = overrides(r, entry);
        let mut rules = numbers.rules.clone();
        for &(place, value) in &list {
            rules.put(place, value);
        }
        if !broken {
            check_damage(r, entry, &rules);
        }
        numbers.modes[mode] = Some(list);
    }
    if root.get("modes").is_none() {
        r.say(
            root.span,
            "no mode is offered: `[modes.pvp]`, `[modes.pve]`, `[modes.arena]` or `[modes.tournament]` is missing",
        );
    }
    let difficulties = Difficulty::ALL.map(Difficulty::name);
    for (difficulty, entry) in named_tables(r, root, "difficulties", "difficulty", &difficulties) {
        numbers.difficulties[difficulty] = overrides(r, entry);
        if r.is_clean() {
            check_layers(r, entry, &numbers, difficulty);
        }
    }
    numbers
}

impl Numbers {
    /// Least and most that the file itself gives a setting, over all modes and difficulties.
    pub fn extremes(&self, place: u16) -> (u32, u32) {
        let of =
            |list: &[Override]| list.iter().filter(|(other, _)| *other == place).map(|&(_, value)| value).collect();
        let lists: Vec<Vec<u32>> = self.modes.iter().flatten().chain(&self.difficulties).map(|list| of(list)).collect();
        let mut values = lists.into_iter().flatten().chain([self.rules.at(place)]);
        let first = values.next().unwrap_or_default();
        values.fold((first, first), |(least, most), value| (least.min(value), most.max(value)))
    }
}

/// The tables under `key`, each by the place of its name in `known`.
fn named_tables<'t>(
    r: &mut Reader<'t>,
    root: &Table<'t>,
    key: &str,
    what: &str,
    known: &[&'static str],
) -> Vec<(usize, Entry<'t>)> {
    let Some(entry) = root.entry(key) else { return Vec::new() };
    let Some(table) = r.any_table(entry.value, entry.span) else { return Vec::new() };
    let mut found = Vec::new();
    for entry in table.entries() {
        match known.iter().position(|name| *name == entry.name) {
            Some(place) => found.push((place, entry)),
            None => r.unknown(entry.span, what, entry.name, known.iter().copied()),
        }
    }
    found
}

/// The settings of a table, each within its range.
fn overrides<'t>(r: &mut Reader<'t>, of: Entry<'t>) -> Vec<Override> {
    let Some(table) = r.any_table(of.value, of.span) else { return Vec::new() };
    let mut list = Vec::new();
    for Entry { name, span, value } in table.entries() {
        let Some(place) = Rules::place(name) else {
            r.unknown(span, "setting", name, Rules::SETTINGS.iter().map(|setting| setting.name));
            continue;
        };
        if let Some(value) = number(r, value, Rules::SETTINGS[usize::from(place)]) {
            list.push((place, value));
        }
    }
    list
}

/// A setting that is 0 or 1 may be written as what it means.
fn number<'t>(r: &mut Reader<'t>, value: Value<'t>, setting: Setting) -> Option<u32> {
    match value.value {
        toml::de::DeValue::Boolean(yes) if Rules::is_flag(setting.name) => Some(u32::from(*yes)),
        _ => r.unsigned(value, setting.min..=setting.max),
    }
}

fn check_damage(r: &mut Reader<'_>, at: Entry<'_>, rules: &Rules) {
    if let Err(error) = rules.check() {
        let of = at.value.value.as_table().and_then(|table| {
            let place = ["attack_damage_min", "attack_damage_max"].into_iter();
            place.filter_map(|key| table.get_key_value(key)).map(|(key, _)| key.span().into()).next()
        });
        r.say(of.unwrap_or(at.span), error.to_string());
    }
}

/// A difficulty lies over every mode.
fn check_layers(r: &mut Reader<'_>, at: Entry<'_>, numbers: &Numbers, difficulty: usize) {
    for list in numbers.modes.iter().flatten() {
        let mut rules = numbers.rules.clone();
        for &(place, value) in list.iter().chain(&numbers.difficulties[difficulty]) {
            rules.put(place, value);
        }
        check_damage(r, at, &rules);
    }
}
