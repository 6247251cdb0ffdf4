//! Rulesets out of files: a text in, a checked [`Ruleset`] out, or every mistake with its line.
//!
//! [`problem`] a mistake and how it is shown, [`reader`] values with their places, [`settings`] the numbers, [`machines`] the
//! two state machines.

mod machines;
mod problem;
mod reader;
mod settings;

use sha2::{Digest, Sha256};
use toml::de::DeTable;

pub use problem::{MOST_PROBLEMS, Problem, Problems};

use crate::Ruleset;
use problem::Span;
use reader::{Reader, Table, check_name};

/// Most bytes of a file.
pub const MOST_BYTES: usize = 256 * 1024;

/// What a file may say.
const KEYS: &[&str] = &["name", "title", "settings", "modes", "difficulties", "lifecycle", "participant"];

/// The ruleset that `text` describes, or all that is wrong with it.
pub fn load(text: &str) -> Result<Ruleset, Problems> {
    let mut r = Reader::new(text);
    if text.len() > MOST_BYTES {
        let kib = MOST_BYTES / 1024;
        r.say(Span { start: 0, end: 0 }, format!("the file has {} bytes; at most {kib} KiB are read", text.len()));
        return Err(r.into_problems());
    }
    let (parsed, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let span = error.span().map_or(Span { start: text.len(), end: text.len() }, Span::from);
            r.say(span, error.message());
        }
        return Err(r.into_problems());
    }
    let root = Table::root(parsed.get_ref());
    for entry in root.entries() {
        if !KEYS.contains(&entry.name) {
            r.unknown(entry.span, "key", entry.name, KEYS.iter().copied());
        }
    }
    let name = root.need(&mut r, "name").and_then(|value| {
        let name = r.string(value)?;
        check_name(&mut r, "ruleset", name, value.span);
        Some(name)
    });
    let title = root.need(&mut r, "title").and_then(|value| {
        let title = r.string(value)?;
        if title.is_empty() || title.chars().count() > 120 || title.chars().any(char::is_control) {
            r.say(value.span, "a title is one line of 1 to 120 characters");
        }
        Some(title)
    });
    let numbers = settings::read(&mut r, &root);
    let lifecycle = machines::course(&mut r, &root, &numbers);
    let activity = machines::activity(&mut r, &root);
    if !r.is_clean() {
        return Err(r.into_problems());
    }
    Ok(Ruleset {
        name: name.unwrap_or_default().to_owned(),
        title: title.unwrap_or_default().to_owned(),
        hash: hash_of(text),
        rules: numbers.rules,
        modes: numbers.modes,
        difficulties: numbers.difficulties,
        lifecycle,
        activity,
        ..Ruleset::clone(&Ruleset::plain())
    })
}

/// What a session is pinned to: SHA-256 of the text, the same whatever its line endings.
pub fn hash_of(text: &str) -> [u8; 32] {
    Sha256::digest(text.replace("\r\n", "\n")).into()
}
