//! What the recipients of a delta have in common as JSON, written straight into the frame: the same bytes as serde writes (a test compares them), at a
//! quarter of the time, because names need no escaping and lengths no counting.

use tiltyard_protocol::Encoding;
use tiltyard_protocol::server::Event;

use super::form::Own;
use super::publish::DeltaOf;
use super::shown::{self, Key, Sink};
use super::wire::phase_of;

/// In front of the id.
pub(super) const OWN: [u8; 23] = *br#"{"t":"delta","d":{"id":"#;

/// What is in front of `common`, which is the payload without the brace it begins with.
pub(super) fn own<'a>(id: u64, common: &'a [u8], own: &mut Own) -> &'a [u8] {
    own.put([b',']);
    own.put_digits(id);
    own.put(OWN);
    common
}

/// Appends the acknowledgement of an action.
pub(super) fn ack(s: u32, id: u64, q: u64, out: &mut Vec<u8>) {
    text(out, r#"{"t":"ack","d":{"s":"#);
    number(out, s);
    text(out, r#","id":"#);
    number(out, id);
    text(out, r#","q":"#);
    number(out, q);
    text(out, "}}");
}

/// Adds the last field of a `joined`: behind it there are two braces.
pub(super) fn add_rules(rules: &[u8], joined: &mut Vec<u8>) {
    debug_assert!(joined.ends_with(b"}}"), "a message has a payload");
    joined.truncate(joined.len() - 2);
    joined.extend_from_slice(br#","rules":"#);
    joined.extend_from_slice(rules);
    joined.extend_from_slice(b"}}");
}

/// Appends the message behind its `id`.
pub fn delta(delta: &DeltaOf<'_>, out: &mut Vec<u8>) {
    let fight = delta.fight;
    text(out, r#""s":"#);
    number(out, delta.handle);
    text(out, r#","q":"#);
    number(out, fight.seq());
    text(out, r#","at":"#);
    number(out, fight.now());
    text(out, r#","time":"#);
    number(out, delta.time);
    list(out, r#","ev":["#, delta.events(), |out, event| self::event(&event, out));
    list(out, r#","p":["#, delta.patches(), |out, (patch, participant)| {
        text(out, r#"{"i":"#);
        number(out, patch.slot);
        shown::put_patch(patch, participant, &mut Text(out));
        text(out, "}");
    });
    if delta.step.phase_changed() {
        text(out, r#","ph":"#);
        // Rare: the general way is good enough.
        Encoding::Json.encode(&phase_of(fight), out);
    }
    optional(out, r#","n":"#, delta.left());
    list(out, r#","c":["#, delta.covers(), |out, (cover, health)| {
        text(out, "[");
        number(out, cover);
        text(out, ",");
        number(out, health);
        text(out, "]");
    });
    list(out, r#","z":["#, delta.hazards(), |out, (hazard, health, gone)| {
        text(out, "[");
        number(out, hazard);
        text(out, ",");
        number(out, health);
        text(out, ",");
        number(out, gone);
        text(out, "]");
    });
    if let Some(modifiers) = delta.modifiers() {
        text(out, r#","m":"#);
        Encoding::Json.encode(&modifiers, out);
    }
    optional(out, r#","h":"#, delta.digest);
    text(out, "}}");
}

fn event(event: &Event, out: &mut Vec<u8>) {
    text(out, r#"{"k":""#);
    text(out, event.k.name());
    text(out, "\"");
    optional(out, r#","by":"#, event.by);
    optional(out, r#","to":"#, event.to);
    optional(out, r#","n":"#, event.n);
    if event.crit {
        text(out, r#","crit":true"#);
    }
    if event.guarded {
        text(out, r#","guarded":true"#);
    }
    optional(out, r#","a":"#, event.a);
    optional(out, r#","e":"#, event.e);
    optional(out, r#","c":"#, event.c);
    optional(out, r#","z":"#, event.z);
    optional(out, r#","st":"#, event.st);
    optional(out, r#","until":"#, event.until);
    if event.react {
        text(out, r#","react":true"#);
    }
    optional(out, r#","abs":"#, event.abs);
    optional(out, r#","enemy":"#, event.enemy);
    optional(out, r#","team":"#, event.team);
    if let Some(why) = event.why {
        text(out, r#","why":""#);
        text(out, why.name());
        text(out, "\"");
    }
    text(out, "}");
}

/// Fields behind another one.
struct Text<'a>(&'a mut Vec<u8>);

impl Sink for Text<'_> {
    fn number<N: itoa::Integer + serde::Serialize>(&mut self, key: Key, value: N) {
        text(self.0, key.json);
        number(self.0, value);
    }

    fn flag(&mut self, key: Key, flag: bool) {
        text(self.0, key.json);
        text(self.0, if flag { "true" } else { "false" });
    }

    fn name(&mut self, key: Key, name: &str) {
        text(self.0, key.json);
        text(self.0, "\"");
        text(self.0, name);
        text(self.0, "\"");
    }

    fn triples(&mut self, key: Key, triples: impl ExactSizeIterator<Item = (u8, u8, u64)>) {
        text(self.0, key.json);
        text(self.0, "[");
        for (place, (first, second, time)) in triples.enumerate() {
            text(self.0, if place == 0 { "[" } else { ",[" });
            number(self.0, first);
            text(self.0, ",");
            number(self.0, second);
            text(self.0, ",");
            number(self.0, time);
            text(self.0, "]");
        }
        text(self.0, "]");
    }

    fn cast(&mut self, key: Key, cast: Option<(u8, u64)>) {
        text(self.0, key.json);
        text(self.0, "[");
        if let Some((ability, until)) = cast {
            number(self.0, ability);
            text(self.0, ",");
            number(self.0, until);
        }
        text(self.0, "]");
    }
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    text(out, itoa::Buffer::new().format(number));
}

fn optional(out: &mut Vec<u8>, name: &str, value: Option<impl itoa::Integer>) {
    if let Some(value) = value {
        text(out, name);
        number(out, value);
    }
}

/// A list, left out where it is empty.
fn list<T>(out: &mut Vec<u8>, open: &str, items: impl Iterator<Item = T>, write: impl Fn(&mut Vec<u8>, T)) {
    let mut empty = true;
    for item in items {
        text(out, if empty { open } else { "," });
        write(out, item);
        empty = false;
    }
    if !empty {
        text(out, "]");
    }
}
