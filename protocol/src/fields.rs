//! What each field of a client's message must be, in words, and the second look that finds the one that is wrong. Nothing of what a client
//! said is repeated: it may be a secret.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use uuid::Uuid;

use crate::client::Degrees;
use crate::room::Text;
use crate::{ActionKind, BodyPart, Encoding};

/// A field of a message.
struct Field {
    name: &'static str,
    /// What it must be.
    must: &'static str,
    is_needed: bool,
    look: fn(Encoding, &[u8], &'static str) -> Found<()>,
}

/// A field that must be there.
const fn needs<T: DeserializeOwned>(name: &'static str, must: &'static str) -> Field {
    Field { name, must, is_needed: true, look: look::<T> }
}

/// A field that may be absent, or null.
const fn may<T: DeserializeOwned>(name: &'static str, must: &'static str) -> Field {
    Field { name, must, is_needed: false, look: look::<Option<T>> }
}

const UUID: &str = "a uuid as text";
const TEXT: &str = "text";
const BYTE: &str = "a whole number from 0 to 255";
const COUNT: &str = "a whole number from 0 to 2^64 - 1";
const LENGTH: &str = "a whole number of centimetres, from -2147483648 to 2147483647";
const MERGE: &str = "an object of JSON, at most 127 levels deep, with numbers that a double can hold";
const DATA: &str = "JSON, at most 127 levels deep, with numbers that a double can hold";
const SPEED: &str = "a whole number of centimetres per second, from -2147483648 to 2147483647";

const S: Field = needs::<u32>("s", "a whole number from 0 to 4294967295");
const ID: Field = needs::<u64>("id", "a whole number from 1 to 2^53");

/// The fields of a message of type `t`, in the order in which they are looked at.
fn fields_of(t: &str) -> &'static [Field] {
    match t {
        "join" => {
            const {
                &[
                    needs::<Uuid>("session", UUID),
                    may::<u64>("seq", COUNT),
                    may::<u64>("epoch", COUNT),
                    may::<String>("rules", TEXT),
                ]
            }
        }
        "action" => {
            const {
                &[
                    S,
                    ID,
                    needs::<ActionKind>("kind", "one of attack, defend, ability, move and item_use"),
                    may::<u8>("to", BYTE),
                    may::<BodyPart>("part", "one of head, torso and limb"),
                    may::<u8>("a", BYTE),
                    may::<i32>("x", LENGTH),
                    may::<i32>("y", LENGTH),
                    may::<Degrees>("f", "a whole number from 0 to 359"),
                    may::<i32>("vx", SPEED),
                    may::<i32>("vy", SPEED),
                    may::<u8>("c", BYTE),
                    may::<u8>("z", BYTE),
                ]
            }
        }
        "leave" | "concede" | "ready" => const { &[S] },
        "ping" => const { &[needs::<u64>("n", COUNT), may::<u32>("s", S.must)] },
        "renew" => const { &[may::<String>("token", TEXT), may::<String>("ticket", TEXT)] },
        "patch" => const { &[S, ID, needs::<Text>("merge", MERGE), may::<u64>("if", COUNT)] },
        "relay" => const { &[S, ID, needs::<Text>("data", DATA), may::<Uuid>("to", UUID)] },
        "beat" => const { &[S, ID] },
        _ => &[],
    }
}

/// What there is of a field.
#[derive(Debug)]
pub(crate) enum Found<T> {
    /// What it would be in is no object, or has names that are no text.
    Unread,
    Missing,
    Twice,
    Wrong,
    Is(T),
}

impl<T> Found<T> {
    /// The field, where it is what it must be.
    pub(crate) fn ok(self) -> Option<T> {
        if let Self::Is(value) = self { Some(value) } else { None }
    }

    /// What is said of a field of this name that must be this; `None` where it is.
    pub(crate) fn fault(&self, name: &str, must: &str) -> Option<String> {
        match self {
            Self::Wrong | Self::Unread => Some(format!("{name}: must be {must}")),
            Self::Missing => Some(format!("{name}: is needed")),
            Self::Twice => Some(format!("{name}: is there twice")),
            Self::Is(_) => None,
        }
    }
}

/// What is said of a message of type `t` whose field of this name is not what it must be.
#[must_use]
pub fn wrong(t: &str, name: &str) -> String {
    let field = fields_of(t).iter().find(|field| field.name == name);
    field.and_then(|field| Found::<()>::Wrong.fault(name, field.must)).unwrap_or_else(|| format!("{name}: is wrong"))
}

/// The first field that is wrong in a message of type `t`, and what is wrong with it.
pub(crate) fn wrong_in(encoding: Encoding, bytes: &[u8], t: &str) -> String {
    let payload = "an object whose names are text";
    if let Some(fault) = of_message::<Names>(encoding, bytes, "d").fault("d", payload) {
        return fault;
    }
    let wrong = fields_of(t).iter().find_map(|&Field { name, must, is_needed, look }| {
        let found = look(encoding, bytes, name);
        let is_absent = !is_needed && matches!(found, Found::Missing);
        if is_absent { None } else { found.fault(name, must) }
    });
    wrong.unwrap_or_else(|| format!("d: must be {payload}, with what a {t} has"))
}

/// A field of the message itself.
pub(crate) fn of_message<'a, T: Deserialize<'a>>(encoding: Encoding, bytes: &'a [u8], name: &'static str) -> Found<T> {
    let mut found = Found::Unread;
    let read = encoding.read(bytes, Member { name, seed: PhantomData::<T>, found: &mut found });
    settled(read, found)
}

/// A field of what it has in `d`.
pub(crate) fn of_payload<'a, T: Deserialize<'a>>(encoding: Encoding, bytes: &'a [u8], name: &'static str) -> Found<T> {
    let (mut payload, mut found) = (Found::Unread, Found::Unread);
    let seed = Member { name, seed: PhantomData::<T>, found: &mut found };
    let read = encoding.read(bytes, Member { name: "d", seed, found: &mut payload });
    settled(read, found)
}

fn look<T: DeserializeOwned>(encoding: Encoding, bytes: &[u8], name: &'static str) -> Found<()> {
    match of_payload::<T>(encoding, bytes, name) {
        Found::Unread => Found::Unread,
        Found::Missing => Found::Missing,
        Found::Twice => Found::Twice,
        Found::Wrong => Found::Wrong,
        Found::Is(_) => Found::Is(()),
    }
}

/// What was found, where the rest could be read, too, or it was the field that could not.
fn settled<T>(read: Option<()>, found: Found<T>) -> Found<T> {
    if read.is_some() || matches!(found, Found::Wrong) { found } else { Found::Unread }
}

/// Looks for the member of this name in an object.
struct Member<'f, S, T> {
    name: &'static str,
    seed: S,
    found: &'f mut Found<T>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Member<'_, S, S::Value> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, S: DeserializeSeed<'de>> Visitor<'de> for Member<'_, S, S::Value> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seed = Some(self.seed);
        while let Some(name) = members.next_key::<String>()? {
            if name != self.name {
                members.next_value::<IgnoredAny>()?;
            } else if let Some(seed) = seed.take() {
                *self.found = Found::Wrong;
                *self.found = Found::Is(members.next_value_seed(seed)?);
            } else {
                members.next_value::<IgnoredAny>()?;
                *self.found = Found::Twice;
            }
        }
        if seed.is_some() {
            *self.found = Found::Missing;
        }
        Ok(())
    }
}

/// An object, of which nothing but its names is looked at.
struct Names;

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Self)
    }
}

impl<'de> Visitor<'de> for Names {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        while members.next_entry::<String, IgnoredAny>()?.is_some() {}
        Ok(self)
    }
}
