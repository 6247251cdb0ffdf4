//! Which fields of a participant others are shown.

use super::reader::{Reader, Table, Value};
use crate::ruleset::Visibility;
use crate::step::Fields;

/// What the file lists, and what can never be hidden; the usual where it lists nothing.
pub(super) fn read<'t>(r: &mut Reader<'t>, root: &Table<'t>) -> Visibility {
    let usual = Visibility::default();
    let Some(entry) = root.entry("visibility") else { return usual };
    let Some(table) = r.table(entry.value, entry.span, &["all", "team"]) else { return usual };
    let all = table.get("all").map_or(usual.all, |value| fields(r, value));
    let team = table.get("team").map_or(usual.team, |value| fields(r, value));
    Visibility { all, team: team.or(all) }
}

fn fields<'t>(r: &mut Reader<'t>, value: Value<'t>) -> Fields {
    let always = Fields::NAMES.iter().fold(Fields::ANY, |rest, &(_, field)| rest.without(field));
    let listed =
        r.list(value).into_iter().filter_map(|value| r.word(value, "field", &Fields::NAMES)).collect::<Vec<_>>();
    listed.into_iter().fold(always, Fields::or)
}
