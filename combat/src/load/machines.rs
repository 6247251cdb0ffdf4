//! The two state machines.

use super::names::Names;
use super::problem::Span;
use super::reader::{Entry, Reader, Table, Value};
use super::settings::Numbers;
use super::ways::Checked;
use crate::Rules;
use crate::action::{ActionKind, ActionSet};
use crate::ruleset::machine::{Named, usual_activity, usual_course};
use crate::ruleset::{Activity, Deed, Machine, Matter, ParticipantDeed, Stage, State, Trigger, Wait};

/// Most states of a machine.
const MOST_STATES: usize = 32;

type Course = Machine<Trigger, Deed, Stage>;
type Doing = Machine<Activity, ParticipantDeed, Matter>;

/// The course of a fight; the usual one where the file has none.
pub(super) fn course<'t>(r: &mut Reader<'t>, root: &Table<'t>, numbers: &Numbers, waves: bool) -> Course {
    let Some(entry) = root.entry("lifecycle") else { return usual_course() };
    let keys = &["phase", "entry", "exit", "after", "on"];
    let read = machine(r, entry, keys, "`[lifecycle.states.NAME]`", |r, table, names| {
        let is = table.need(r, "phase").and_then(|value| r.word(value, "phase", Stage::NAMES));
        let after = table.get("after").and_then(|value| after(r, value, names));
        (is.unwrap_or(Stage::Preparation), after)
    });
    let Some((machine, spans)) = read else { return usual_course() };
    Checked { r, machine: &machine, spans: &spans }.check_course(entry, numbers, waves);
    machine
}

/// What a participant is doing; the usual machine where the file has none.
pub(super) fn activity<'t>(r: &mut Reader<'t>, root: &Table<'t>) -> Doing {
    let Some(entry) = root.entry("participant") else { return usual_activity() };
    let keys = &["allows", "out", "entry", "exit", "on"];
    let read = machine(r, entry, keys, "`[participant.states.NAME]`", |r, table, _| {
        let kinds = ActionKind::ALL.map(|kind| (kind.name(), kind));
        let allows: ActionSet =
            table.list(r, "allows").into_iter().filter_map(|value| r.word(value, "action", &kinds)).collect();
        let out = table.boolean(r, "out");
        if out && !allows.is_empty() {
            r.say(table.span, "whoever is out of the fight can do nothing: leave `allows` out");
        }
        (Matter { allows, out }, None)
    });
    let Some((machine, spans)) = read else { return usual_activity() };
    Checked { r, machine: &machine, spans: &spans }.check_activity();
    machine
}

/// A machine as it is written, and where each of its states is; `None` where there is none to check.
fn machine<'t, T, D, K>(
    r: &mut Reader<'t>,
    entry: Entry<'t>,
    keys: &[&str],
    wanted: &str,
    mut meaning: impl FnMut(&mut Reader<'t>, &Table<'t>, &Names<'t>) -> (K, Option<(Wait, u8)>),
) -> Option<(Machine<T, D, K>, Vec<Span>)>
where
    T: Named + PartialEq,
    D: Named,
{
    let table = r.table(entry.value, entry.span, &["start", "states"])?;
    let states = table.entry("states").and_then(|states| r.any_table(states.value, states.span));
    let entries = states.map(|states| states.entries()).unwrap_or_default();
    if entries.is_empty() {
        r.say(entry.span, format!("there are no states; each is a table {wanted}"));
        return None;
    }
    let names = Names::of(r, "state", &entries, MOST_STATES);
    if entries.len() > MOST_STATES {
        return None;
    }
    let start = table.get("start").and_then(|value| r.name(value, &names)).unwrap_or(0);
    let mut states = Vec::new();
    let mut whole = true;
    for entry in &entries {
        let Some(table) = r.table(entry.value, entry.span, keys) else {
            whole = false;
            continue;
        };
        let (is, after) = meaning(r, &table, &names);
        let entry_deeds = deeds(r, &table, "entry");
        let exit = deeds(r, &table, "exit");
        let on = triggers(r, &table, &names);
        states.push(State { name: entry.name.to_owned(), is, entry: entry_deeds, exit, after, on });
    }
    // What is misspelt would be reported once more as a way that is missing.
    (whole && r.is_clean()).then(|| (Machine { start, states }, entries.iter().map(|entry| entry.span).collect()))
}

fn deeds<'t, D: Named>(r: &mut Reader<'t>, table: &Table<'t>, key: &str) -> Vec<D> {
    table.list(r, key).into_iter().filter_map(|value| r.word(value, "deed", D::NAMES)).collect()
}

fn triggers<'t, T: Named>(r: &mut Reader<'t>, table: &Table<'t>, names: &Names<'t>) -> Vec<(T, u8)> {
    let Some(entry) = table.entry("on") else { return Vec::new() };
    let Some(on) = r.any_table(entry.value, entry.span) else { return Vec::new() };
    let mut triggers = Vec::new();
    for Entry { name, span, value } in on.entries() {
        let trigger = T::named(name);
        if trigger.is_none() {
            r.unknown(span, "trigger", name, T::NAMES.iter().map(|&(name, _)| name));
        }
        let to = r.name(value, names);
        triggers.extend(trigger.zip(to));
    }
    triggers
}

/// `{ setting = "…", to = "…" }` or `{ ms = …, to = "…" }`.
fn after<'t>(r: &mut Reader<'t>, value: Value<'t>, names: &Names<'t>) -> Option<(Wait, u8)> {
    let table = r.table(value, value.span, &["setting", "ms", "to"])?;
    let to = table.need(r, "to").and_then(|value| r.name(value, names));
    let wait = match (table.get("setting"), table.get("ms")) {
        (Some(setting), None) => wait_of(r, setting),
        (None, Some(ms)) => r.unsigned(ms, 0..=3_600_000).map(Wait::Ms),
        _ => {
            r.say(value.span, "needs either `setting`, the name of a setting, or `ms`");
            None
        }
    };
    wait.zip(to)
}

/// A setting that is a time.
fn wait_of<'t>(r: &mut Reader<'t>, value: Value<'t>) -> Option<Wait> {
    let name = r.string(value)?;
    let times = || Rules::SETTINGS.iter().map(|setting| setting.name).filter(|name| name.ends_with("_ms"));
    if Rules::place(name).is_some() && !times().any(|time| time == name) {
        r.say(value.span, format!("the setting `{name}` is not a time; times end in `_ms`"));
        return None;
    }
    let wait = Wait::setting(name);
    if wait.is_none() {
        r.unknown(value.span, "setting", name, times());
    }
    wait
}
