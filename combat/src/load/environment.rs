//! The arena: its size, where teams and enemies begin, what is in the way, what hurts.

use super::effects::{MOST_POINTS, SHORTEST_MS, element};
use super::names::{Names, check_name};
use super::problem::Span;
use super::reader::{MOST_CM, Reader, Table, Value};
use crate::geometry::Point;
use crate::ruleset::{Cover, CoverKind, Environment, Hazard, Spot};

/// Most covers, most hazards, and most places where somebody begins.
const MOST_THINGS: usize = 64;

const KINDS: [(&str, CoverKind); 3] = [("soft", CoverKind::Soft), ("hard", CoverKind::Hard), ("wall", CoverKind::Wall)];

/// The environment, and where in the file its spots are, for what is checked when all is known.
pub(super) fn read<'t>(r: &mut Reader<'t>, root: &Table<'t>, effects: &Names<'t>) -> Environment {
    let usual = Environment::default();
    let Some(entry) = root.entry("environment") else { return usual };
    let keys = &["name", "width_m", "height_m", "spawns", "lairs", "covers", "hazards"];
    let Some(table) = r.table(entry.value, entry.span, keys) else { return usual };
    let mut arena = Environment {
        name: table.get("name").and_then(|value| r.string(value)).map_or(usual.name, ToOwned::to_owned),
        width_cm: table.metres(r, "width_m", 100..=MOST_CM, usual.width_cm),
        height_cm: table.metres(r, "height_m", 100..=MOST_CM, usual.height_cm),
        spawns: Vec::new(),
        lairs: Vec::new(),
        covers: Vec::new(),
        hazards: Vec::new(),
    };
    for value in things(r, &table, "covers") {
        arena.covers.extend(cover(r, value, &arena));
    }
    for value in things(r, &table, "hazards") {
        arena.hazards.extend(hazard(r, value, &arena, effects));
    }
    for value in things(r, &table, "lairs") {
        if let Some(at) = r.point(value) {
            check_standing(r, value.span, at, &arena);
            arena.lairs.push(at);
        }
    }
    for value in things(r, &table, "spawns") {
        let Some(table) = r.table(value, value.span, &["team", "at"]) else { continue };
        let team = table.need(r, "team").and_then(|value| r.unsigned(value, 0..=127));
        let at = table.need(r, "at").and_then(|value| Some((value.span, r.point(value)?)));
        let (Some(team), Some((span, at))) = (team, at) else { continue };
        check_standing(r, span, at, &arena);
        arena.spawns.push(Spot { team: u8::try_from(team).unwrap_or_default(), at });
    }
    arena
}

fn things<'t>(r: &mut Reader<'t>, table: &Table<'t>, key: &str) -> Vec<Value<'t>> {
    let mut values = table.list(r, key);
    if let Some(first_too_many) = values.get(MOST_THINGS) {
        r.say(first_too_many.span, format!("that is one too many of `{key}`: at most {MOST_THINGS}"));
        values.truncate(MOST_THINGS);
    }
    values
}

fn cover<'t>(r: &mut Reader<'t>, value: Value<'t>, arena: &Environment) -> Option<Cover> {
    let table = r.table(value, value.span, &["name", "kind", "at", "size", "health"])?;
    let name = named(r, &table, "cover");
    let kind = table.need(r, "kind").and_then(|value| r.word(value, "kind of cover", &KINDS));
    let at = table.need(r, "at").and_then(|value| r.point(value));
    let size = table.need(r, "size").and_then(|value| {
        let [width, height] = r.pair(value, "`[width, height]` in metres")?;
        Some((r.metres(width, 1..=MOST_CM)?, r.metres(height, 1..=MOST_CM)?))
    });
    let health = table.number(r, "health", 0..=MOST_POINTS, 0);
    let (at, (width_cm, height_cm)) = (at?, size?);
    let far = |from: i32, length: u32| u32::try_from(from).unwrap_or_default() + length;
    if far(at.x, width_cm) > arena.width_cm || far(at.y, height_cm) > arena.height_cm {
        r.say(value.span, "is not wholly inside the arena");
    }
    Some(Cover { name: name?, kind: kind?, at, width_cm, height_cm, health })
}

fn hazard<'t>(r: &mut Reader<'t>, value: Value<'t>, arena: &Environment, effects: &Names<'t>) -> Option<Hazard> {
    let keys = &["name", "at", "radius_m", "every_ms", "health", "damage", "element", "effect"];
    let table = r.table(value, value.span, keys)?;
    let name = named(r, &table, "hazard");
    let radius_cm = table.metres(r, "radius_m", 1..=MOST_CM, 0);
    let at = table.get("at").map(|value| (value.span, r.point(value)));
    if let Some((span, Some(at))) = at {
        check_inside(r, span, at, arena);
    }
    if radius_cm > 0 && at.is_none() {
        r.say(value.span, "`at` is missing; a hazard without `radius_m` is everywhere, one with it has a place");
    }
    let hazard = Hazard {
        name: name.unwrap_or_default(),
        at: at.and_then(|(_, at)| at).unwrap_or_default(),
        radius_cm,
        every_ms: table.number(r, "every_ms", SHORTEST_MS..=600_000, 0),
        health: table.number(r, "health", 0..=MOST_POINTS, 0),
        damage: table.number(r, "damage", 0..=MOST_POINTS, 0),
        element: element(r, &table, "element"),
        effect: table.get("effect").and_then(|value| r.name(value, effects)),
    };
    if table.get("every_ms").is_none() && table.get("health").is_none() {
        r.say(value.span, "nothing sets it off: it needs `every_ms`, how often it reaches those within, or `health`");
    }
    if table.get("damage").is_none() && table.get("effect").is_none() {
        r.say(value.span, "it does nothing: `damage` and `effect` are missing");
    }
    Some(hazard)
}

fn named<'t>(r: &mut Reader<'t>, table: &Table<'t>, what: &str) -> Option<String> {
    let value = table.need(r, "name")?;
    let name = r.string(value)?;
    check_name(r, what, name, value.span);
    Some(name.to_owned())
}

fn check_inside(r: &mut Reader<'_>, span: Span, at: Point, arena: &Environment) -> bool {
    let within = |at: i32, length: u32| u32::try_from(at).is_ok_and(|at| at <= length);
    let inside = within(at.x, arena.width_cm) && within(at.y, arena.height_cm);
    if !inside {
        let (width, height) = (arena.width_cm / 100, arena.height_cm / 100);
        r.say(span, format!("is outside the arena, which is {width} x {height} metres"));
    }
    inside
}

/// Somebody begins here: inside, and in no wall.
fn check_standing(r: &mut Reader<'_>, span: Span, at: Point, arena: &Environment) {
    let within = |at: i32, from: i32, length: u32| at >= from && i64::from(at) <= i64::from(from) + i64::from(length);
    let walled = |cover: &&Cover| {
        cover.kind == CoverKind::Wall
            && within(at.x, cover.at.x, cover.width_cm)
            && within(at.y, cover.at.y, cover.height_cm)
    };
    if check_inside(r, span, at, arena)
        && let Some(wall) = arena.covers.iter().find(walled)
    {
        r.say(span, format!("is inside the wall `{}`", wall.name));
    }
}
