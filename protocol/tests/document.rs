//! The document and the schemas know every name that there is on the wire, and no other.

// A test that cannot go on has failed: unwrapping says so where it happens.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use serde_json::Value;
use tiltyard_protocol::server::EventKind;
use tiltyard_protocol::{CloseCode, Reason};

const DOCUMENT: &str = include_str!("../../docs/PROTOCOL.md");
const SCHEMA: &str = include_str!("../messages.schema.json");

/// The part of the document under this heading, up to the next one of its rank.
fn section(heading: &str) -> &'static str {
    let from = DOCUMENT.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("there is no {heading}"));
    let text = &DOCUMENT[from + 1..];
    let rank = heading.split(' ').next().unwrap();
    let end = text[1..].find(&format!("\n{rank} ")).map_or(text.len(), |end| end + 1);
    &text[..end]
}

/// The names in backquotes in the given column of a text's tables.
fn names(text: &str, column: usize) -> impl Iterator<Item = &str> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    let cells = rows.filter_map(move |row| row.split('|').nth(column));
    cells.flat_map(|cell| cell.split('`').skip(1).step_by(2))
}

/// The values that the schema lists for `definition`, or for a field of it.
fn listed(pointer: &str) -> BTreeSet<String> {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let list = schema.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("no list at {pointer}"));
    list.iter().map(|value| value.as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_reason_has_a_row_and_says_what_a_client_does_about_it() {
    let all: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.name()).collect();
    let reasons = section("## Reasons");
    let told: BTreeSet<&str> = names(reasons, 1).chain(names(section("### Of an upgrade"), 2)).collect();
    assert_eq!(told, all);
    // Of a reason that a socket tells nothing is left to guess.
    for row in section("### Of an action").lines().chain(section("### Of another message").lines()) {
        let empty = row.starts_with("| `")
            && row.split('|').skip(2).take_while(|cell| !cell.is_empty()).any(|cell| cell.trim().is_empty());
        assert!(!empty, "{row}");
    }
    let owned = all.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(listed("/definitions/reason/enum"), owned);
}

#[test]
fn every_close_code_has_a_row_with_whether_to_come_back() {
    let rows = section("## Close codes").split("<!-- codes -->").nth(1).unwrap();
    let rows = rows.lines().filter_map(|line| {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        Some((cells.get(1)?.parse::<u16>().ok()?, *cells.get(3)?))
    });
    let rows: Vec<(u16, &str)> = rows.collect();
    let mut codes: BTreeSet<u16> = CloseCode::ALL.iter().map(|code| code.code()).collect();
    // Those that a client sees and nobody sends.
    codes.extend([1001, 1005, 1006]);
    assert_eq!(rows.iter().map(|&(code, _)| code).collect::<BTreeSet<_>>(), codes);
    for (code, back) in rows {
        // With new credentials in place of the same.
        let same = code != 4419 && !back.starts_with("no");
        assert_eq!(CloseCode::reconnect(code), same, "{code}: {back}");
    }
}

#[test]
fn every_event_has_a_row_and_every_type_too() {
    let all: BTreeSet<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names(section("### Events"), 1).filter(|&name| name != "k").collect::<BTreeSet<_>>(), all);
    let owned = all.iter().map(|&name| name.to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(listed("/definitions/event/properties/k/enum"), owned);
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    for (heading, side) in [("### From the client", "ClientMessage"), ("### From the server", "ServerMessage")] {
        let told = names(section(heading).split("| `kind` |").next().unwrap(), 1).filter(|&name| name != "t");
        let types = schema["definitions"][side]["oneOf"].as_array().unwrap();
        let types = types.iter().map(|one| one["$ref"].as_str().unwrap().rsplit('/').next().unwrap());
        assert_eq!(told.collect::<BTreeSet<_>>(), types.collect::<BTreeSet<_>>(), "{side}");
    }
}
