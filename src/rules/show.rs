//! A ruleset for a reader: its machines as diagrams and tables, and what there is in it. Markdown, the diagrams in
//! Mermaid.

use std::fmt::{self, Write};

use tiltyard_combat::action::ActionKind;
use tiltyard_combat::ruleset::machine::Named;
use tiltyard_combat::ruleset::{Machine, State, Wait};
use tiltyard_combat::{PhaseName, Rules, Ruleset};

use super::contents::{write_abilities, write_effects, write_enemies, write_numbers};
use crate::session::hex;

/// Words that Mermaid does not take for the name of a state.
const RESERVED: [&str; 8] = ["state", "end", "note", "direction", "class", "style", "as", "default"];

/// The ruleset as a document.
pub fn show(ruleset: &Ruleset) -> String {
    let mut out = String::new();
    // A String takes whatever is written to it.
    let _ = write_all(&mut out, ruleset);
    out
}

fn write_all(out: &mut String, ruleset: &Ruleset) -> fmt::Result {
    let Ruleset { name, title, hash, .. } = ruleset;
    writeln!(out, "# {name}\n\n{title}.\n\nHash: `{}`.", hex(hash))?;
    writeln!(out, "\n## The course of a fight\n")?;
    write_course(out, ruleset)?;
    writeln!(out, "\n## What a participant is doing\n")?;
    write_activity(out, ruleset)?;
    write_numbers(out, ruleset)?;
    write_abilities(out, ruleset)?;
    write_effects(out, ruleset)?;
    write_enemies(out, ruleset)
}

/// The course of a fight: the diagram, its states and every transition.
fn write_course(out: &mut String, ruleset: &Ruleset) -> fmt::Result {
    let course = &ruleset.lifecycle;
    write_diagram(out, course, |state| state.is == PhaseName::Finished)?;
    writeln!(out, "\n| State | Phase | On entry | On exit |\n|---|---|---|---|")?;
    for state in &course.states {
        let (entry, exit) = (names(&state.entry), names(&state.exit));
        writeln!(out, "| {} | {} | {entry} | {exit} |", state.name, name_of(state.is))?;
    }
    write_transitions(out, course)
}

/// The same of a participant's machine.
fn write_activity(out: &mut String, ruleset: &Ruleset) -> fmt::Result {
    let activity = &ruleset.activity;
    write_diagram(out, activity, |_| false)?;
    writeln!(out, "\n| State | Allows | On entry | On exit |\n|---|---|---|---|")?;
    for state in &activity.states {
        let allowed: Vec<&str> =
            ActionKind::ALL.into_iter().filter(|kind| state.is.allows.has(*kind)).map(ActionKind::name).collect();
        let allowed = match (state.is.out, allowed.as_slice()) {
            (true, _) => "out of the fight".to_owned(),
            (false, []) => "nothing".to_owned(),
            (false, some) if some.len() == ActionKind::ALL.len() => "everything".to_owned(),
            (false, some) => some.join(", "),
        };
        let (entry, exit) = (names(&state.entry), names(&state.exit));
        writeln!(out, "| {} | {allowed} | {entry} | {exit} |", state.name)?;
    }
    write_transitions(out, activity)
}

fn write_diagram<T, D, K>(
    out: &mut String,
    of: &Machine<T, D, K>,
    ends: impl Fn(&State<T, D, K>) -> bool,
) -> fmt::Result
where
    T: Named + PartialEq,
{
    writeln!(out, "```mermaid\nstateDiagram-v2")?;
    let id = |place: u8| {
        let name = &of.state(place).name;
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !RESERVED.contains(&name.as_str());
        if plain { name.clone() } else { format!("state_{place}") }
    };
    for (place, state) in (0_u8..).zip(&of.states).filter(|(place, state)| id(*place) != state.name) {
        writeln!(out, "    state \"{}\" as {}", state.name, id(place))?;
    }
    writeln!(out, "    [*] --> {}", id(of.start))?;
    for (from, on, to) in of.transitions() {
        writeln!(out, "    {} --> {} : {}", id(from), id(to), cause(of, from, on))?;
    }
    for (place, _) in (0_u8..).zip(&of.states).filter(|(_, state)| ends(state)) {
        writeln!(out, "    {} --> [*]", id(place))?;
    }
    writeln!(out, "```")
}

fn write_transitions<T: Named + PartialEq, D, K>(out: &mut String, of: &Machine<T, D, K>) -> fmt::Result {
    writeln!(out, "\n| From | On | To |\n|---|---|---|")?;
    for (from, on, to) in of.transitions() {
        writeln!(out, "| {} | {} | {} |", of.state(from).name, cause(of, from, on), of.state(to).name)?;
    }
    Ok(())
}

fn cause<T: Named + PartialEq, D, K>(of: &Machine<T, D, K>, from: u8, on: Option<T>) -> String {
    match (on, of.state(from).after) {
        (Some(trigger), _) => name_of(trigger).to_owned(),
        (None, Some((Wait::Setting(place), _))) => {
            format!("after {}", Rules::SETTINGS.get(usize::from(place)).map_or("", |setting| setting.name))
        }
        (None, Some((Wait::Ms(ms), _))) => format!("after {ms} ms"),
        (None, None) => String::new(),
    }
}

fn name_of<T: Named + PartialEq>(of: T) -> &'static str {
    T::NAMES.iter().find(|(_, known)| *known == of).map_or("", |(name, _)| name)
}

fn names<T: Named + PartialEq>(of: &[T]) -> String {
    of.iter().map(|&one| name_of(one)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use tiltyard_combat::load::load;
    use tiltyard_combat::{Rules, Ruleset};

    use super::{show, write_activity, write_course};
    use crate::rules::BUILT_IN;

    const MANUAL: &str = include_str!("../../docs/RULES.md");

    #[test]
    fn the_manual_has_every_setting() {
        let mut table = String::from("| Setting | Default | From | To | What it is |\n|---|---|---|---|---|\n");
        for setting in Rules::SETTINGS {
            let (name, default, min, max, about) =
                (setting.name, setting.default, setting.min, setting.max, setting.about);
            writeln!(table, "| `{name}` | {default} | {min} | {max} | {about} |").unwrap();
        }
        assert!(MANUAL.contains(&table), "docs/RULES.md should have this table:\n{table}");
    }

    #[test]
    fn the_manual_has_the_usual_machines() {
        let usual = Ruleset::plain();
        for write in [write_course, write_activity] {
            let mut shown = String::new();
            write(&mut shown, &usual).unwrap();
            assert!(MANUAL.contains(&shown), "docs/RULES.md should have:\n{shown}");
        }
    }

    #[test]
    fn everything_of_a_built_in_ruleset_is_shown() {
        for (_, text) in BUILT_IN {
            let ruleset = load(text).unwrap();
            let shown = show(&ruleset);
            let states = ruleset.lifecycle.states.iter().map(|state| &state.name);
            let states = states.chain(ruleset.activity.states.iter().map(|state| &state.name));
            let abilities = ruleset.abilities.iter().map(|ability| &ability.name);
            let effects = ruleset.effects.iter().map(|effect| &effect.name);
            let enemies = ruleset.enemies.iter().map(|enemy| &enemy.name);
            for name in states.chain(abilities).chain(effects).chain(enemies) {
                assert!(shown.contains(&format!("| {name} |")), "{name} is not in\n{shown}");
            }
        }
    }

    #[test]
    fn names_that_a_diagram_cannot_have_get_others() {
        let text = "name = \"x\"\ntitle = \"X\"\nmodes.pvp = {}\n\
                    [lifecycle.states.get-ready]\nphase = \"preparation\"\nafter = { ms = 5, to = \"active\" }\n\
                    on = { decided = \"end\" }\n\
                    [lifecycle.states.active]\nphase = \"active\"\nentry = [\"begin\"]\non = { decided = \"end\" }\n\
                    after = { ms = 5, to = \"end\" }\n\
                    [lifecycle.states.end]\nphase = \"finished\"\nentry = [\"judge\"]\n";
        let shown = show(&load(text).unwrap());
        for line in [
            "    state \"get-ready\" as state_0\n    state \"end\" as state_2\n    [*] --> state_0\n",
            "    state_0 --> active : after 5 ms\n",
            "    state_2 --> [*]\n",
        ] {
            assert!(shown.contains(line), "{line} is not in\n{shown}");
        }
    }
}
