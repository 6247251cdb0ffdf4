//! What is said about a custom session, and a player's own: its state, which all who are in it have, and what its members send each other.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};
use uuid::Uuid;

pub use crate::event::PresenceWhy;

/// A JSON value as its text. Over JSON it is that of the message, digit for digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Box<str>);

impl Text {
    /// Of a value.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        Self(value.to_string().into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serde_json::from_str::<Value>(&self.0).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Finite::deserialize(deserializer).map(|Finite(value)| Self::of(&value))
    }
}

/// A JSON value of whatever encoding: what JSON does not have is refused, and not taken for a null, which would take away what it is merged into.
struct Finite(Value);

impl<'de> Deserialize<'de> for Finite {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Finite(Value::Null))
    }
}

impl<'de> Visitor<'de> for Finite {
    type Value = Self;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self, E> {
        Ok(Self(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self, E> {
        Ok(Self(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self, E> {
        Ok(Self(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self, E> {
        Number::from_f64(value)
            .map(|number| Self(number.into()))
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self, E> {
        Ok(Self(value.into()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_none<E: de::Error>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        let mut list = Vec::new();
        while let Some(Self(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Self(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self, A::Error> {
        let mut object = Map::new();
        while let Some((name, Self(value))) = members.next_entry()? {
            object.insert(name, value);
        }
        Ok(Self(object.into()))
    }
}

/// Payload of `patch`: changes the state of a custom session.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Patch {
    /// The session's handle, from `joined`.
    pub s: u32,
    /// The client's own number for it; the ids of one connection in one session rise.
    pub id: u64,
    /// Merged into the state as RFC 7396 says; an object.
    pub merge: Text,
    /// The version that the session must be at.
    #[serde(rename = "if", default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<u64>,
}

/// Payload of `relay`: sends something to the other members who are connected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Relay {
    /// The session's handle, from `joined`.
    pub s: u32,
    /// As that of a `patch`.
    pub id: u64,
    /// Any JSON.
    pub data: Text,
    /// The only one that it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Uuid>,
}

/// Payload of `beat`: a sign of life of a player session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Beat {
    /// The session's handle, from `joined`.
    pub s: u32,
    /// As that of a `patch`.
    pub id: u64,
}

/// Payload of `state`: what a session has become, whoever changed it. With `state` it is all there is to know, in place of what was left
/// out; without, what changed since the version before.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct State<V = Value> {
    /// Session handle.
    pub s: u32,
    pub version: u64,
    /// What was merged into the state; absent where something else of the session has changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub merge: Option<V>,
    /// The player who did, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Uuid>,
    /// The whole state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<V>,
    /// Who is a member from now on, where that has changed, and with `state`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Uuid>>,
    /// Who is connected, with `state`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub here: Option<Vec<Uuid>>,
    /// The server's wall clock, milliseconds since the Unix epoch.
    pub time: u64,
}

/// Payload of `relayed`: what another member sends.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Relayed<V = Value> {
    /// Session handle.
    pub s: u32,
    /// Its number in the session; those for another member alone count as well.
    pub n: u64,
    pub from: Uuid,
    pub data: V,
    /// The server's wall clock, milliseconds since the Unix epoch.
    pub time: u64,
}

/// Payload of `missed`: relays that were left out for a client that had too much to take. Nobody has them any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Gap {
    /// Session handle.
    pub s: u32,
    /// The number of the first.
    pub from: u64,
    /// The number of the last.
    pub to: u64,
}

/// Payload of `presence`: a member has come or gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Presence {
    /// Session handle.
    pub s: u32,
    pub player: Uuid,
    pub why: PresenceWhy,
    /// How many members are connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members_here: Option<u32>,
}

/// Of what type a session is that was joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionType {
    #[default]
    Combat,
    Custom,
    Player,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

impl SessionType {
    /// Whether it is a fight, of which that is not said.
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde calls with a reference.
    #[must_use]
    pub const fn is_combat(&self) -> bool {
        matches!(self, Self::Combat)
    }
}

/// What is in a message that has such a text, borrowed from its bytes.
#[derive(serde::Deserialize)]
struct Payload<T> {
    d: T,
}

#[derive(serde::Deserialize)]
struct Merge<'a> {
    #[serde(borrow)]
    merge: &'a RawValue,
}

#[derive(serde::Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Patch {
    /// With the text that it has in `json`, the message it was read from.
    pub(crate) fn with_text_of(self, json: &[u8]) -> Self {
        match serde_json::from_slice::<Payload<Merge<'_>>>(json) {
            Ok(Payload { d: Merge { merge } }) => Self { merge: Text(merge.get().into()), ..self },
            Err(_) => self,
        }
    }
}

impl Relay {
    /// With the text that it has in `json`, the message it was read from.
    pub(crate) fn with_text_of(self, json: &[u8]) -> Self {
        match serde_json::from_slice::<Payload<Data<'_>>>(json) {
            Ok(Payload { d: Data { data } }) => Self { data: Text(data.get().into()), ..self },
            Err(_) => self,
        }
    }
}
