//! Bytes to messages and back. Which encoding a connection speaks is settled once, by its subprotocol.

use std::marker::PhantomData;

use rmp_serde::config::{DefaultConfig, HumanReadableConfig};
use rmp_serde::decode::ReadRefReader;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::mistake::DecodeError;
use crate::strict::Strict;
use crate::{Act, ClientMessage, Reason, ServerMessage};

/// The encodings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// JSON in text frames.
    Json,
    /// `MessagePack` with named fields in binary frames.
    MsgPack,
}

/// How deep a message may be nested: as deep as serde's JSON goes. What is read level by level takes stack with each.
const LEVELS: usize = 128;

impl Encoding {
    /// How many there are.
    pub const COUNT: usize = 2;

    /// Every encoding, the preferred one first: each stands at its own place in a table.
    pub const ALL: [Self; Self::COUNT] = [Self::Json, Self::MsgPack];

    /// The WebSocket subprotocol that selects it.
    #[must_use]
    pub const fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "tiltyard.v2.json",
            Self::MsgPack => "tiltyard.v2.msgpack",
        }
    }

    /// The encoding that a subprotocol selects, and its name. Those of version 1 are taken as well, so that a client that was written for
    /// it is not turned away: it is sent the messages of version 2, in which what version 1 had is nearly all as it was.
    #[must_use]
    pub fn of_subprotocol(name: &str) -> Option<(Self, &'static str)> {
        let former = [(Self::Json, "tiltyard.v1.json"), (Self::MsgPack, "tiltyard.v1.msgpack")];
        Self::ALL
            .map(|encoding| (encoding, encoding.subprotocol()))
            .into_iter()
            .chain(former)
            .find(|(_, of)| *of == name)
    }

    /// Appends `message` to `out`.
    ///
    /// # Panics
    /// Never for this crate's own types, which have string keys and no failing serializers; but for [`ServerMessage::Unknown`], of which there
    /// is nothing to say.
    pub fn encode<T: Serialize>(self, message: &T, out: &mut Vec<u8>) {
        match self {
            Self::Json => serde_json::to_writer(out, message).expect("a message of this crate always encodes as JSON"),
            Self::MsgPack => {
                let mut serializer = rmp_serde::Serializer::new(out).with_struct_map().with_human_readable();
                message.serialize(&mut serializer).expect("a message of this crate always encodes as MessagePack");
            }
        }
    }

    /// Reads a client's message.
    ///
    /// # Errors
    /// A [`DecodeError`] that says whether it was not the encoding at all, of an unknown type, or had bad fields; of an action
    /// also which it was.
    pub fn decode_client(self, bytes: &[u8]) -> Result<ClientMessage, DecodeError> {
        if self == Self::Json
            && let Some(act) = plain_action(bytes)
        {
            return Ok(ClientMessage::Action(act));
        }
        let message = self.read(bytes, PhantomData::<ClientMessage>);
        Ok(match message.ok_or_else(|| DecodeError::of_client(self, bytes, CLIENT_TYPES))? {
            ClientMessage::Patch(patch) if self == Self::Json => ClientMessage::Patch(patch.with_text_of(bytes)),
            ClientMessage::Relay(relay) if self == Self::Json => ClientMessage::Relay(relay.with_text_of(bytes)),
            message => message,
        })
    }

    /// Reads a server's message. One of a type that is not known here is [`ServerMessage::Unknown`], and so are its words that are not: a
    /// client may be older than its server.
    ///
    /// # Errors
    /// As [`Encoding::decode_client`], but for that.
    pub fn decode_server(self, bytes: &[u8]) -> Result<ServerMessage, DecodeError> {
        let read = self.decode(bytes).map_err(|detail| DecodeError::of_server(self, bytes, SERVER_TYPES, &detail));
        match read {
            Err(DecodeError { reason: Reason::UnknownType, .. }) => Ok(ServerMessage::Unknown),
            read => read,
        }
    }

    fn decode<'a, T: Deserialize<'a>>(self, bytes: &'a [u8]) -> Result<T, String> {
        match self {
            Self::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Self::MsgPack => {
                let mut deserializer = of_msgpack(bytes);
                let message = T::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
                if is_at_end(&mut deserializer) { Ok(message) } else { Err(BEHIND.to_owned()) }
            }
        }
    }

    /// Reads what a client says, as `seed` does; `None` where it is not that.
    pub(crate) fn read<'a, S: DeserializeSeed<'a>>(self, bytes: &'a [u8], seed: S) -> Option<S::Value> {
        match self {
            Self::Json => {
                // Looked at as a whole, and not each of its names and words by itself.
                let mut deserializer = serde_json::Deserializer::from_str(std::str::from_utf8(bytes).ok()?);
                let value = seed.deserialize(Strict(&mut deserializer)).ok()?;
                deserializer.end().ok().map(|()| value)
            }
            Self::MsgPack => {
                let mut deserializer = of_msgpack(bytes);
                let value = seed.deserialize(Strict(&mut deserializer)).ok()?;
                is_at_end(&mut deserializer).then_some(value)
            }
        }
    }

    /// Whether bytes are of this encoding, whatever is in them, or why they are not.
    pub(crate) fn look(self, bytes: &[u8]) -> Result<(), String> {
        match self {
            Self::Json => {
                let text = std::str::from_utf8(bytes).map_err(|_| "no JSON, which is UTF-8".to_owned())?;
                let mut deserializer = serde_json::Deserializer::from_str(text);
                match IgnoredAny::deserialize(&mut deserializer) {
                    Ok(_) => deserializer.end().map_err(|_behind| BEHIND.to_owned()),
                    Err(error) if error.is_eof() => Err("no JSON: it ends too soon".to_owned()),
                    Err(error) => Err(format!("no JSON, at line {} column {}", error.line(), error.column())),
                }
            }
            Self::MsgPack => {
                let mut deserializer = of_msgpack(bytes);
                match IgnoredAny::deserialize(&mut deserializer) {
                    Ok(_) if is_at_end(&mut deserializer) => Ok(()),
                    Ok(_) => Err(BEHIND.to_owned()),
                    Err(rmp_serde::decode::Error::DepthLimitExceeded) => {
                        Err(format!("more than {} levels deep", LEVELS - 1))
                    }
                    Err(_) => Err("no MessagePack, or not all of it".to_owned()),
                }
            }
        }
    }
}

/// What is said where there is more than a message.
const BEHIND: &str = "bytes behind the message";

fn of_msgpack(bytes: &[u8]) -> rmp_serde::Deserializer<ReadRefReader<'_, [u8]>, HumanReadableConfig<DefaultConfig>> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
    deserializer.set_max_depth(LEVELS);
    deserializer
}

/// Whether nothing is left: then there is no next marker. Of anything that is left, that much can be read.
fn is_at_end<'de, D: Deserializer<'de, Error = rmp_serde::decode::Error>>(deserializer: D) -> bool {
    matches!(<()>::deserialize(deserializer), Err(rmp_serde::decode::Error::InvalidMarkerRead(_)))
}

const _: () = assert!(Encoding::ALL[0] as usize == 0 && Encoding::ALL[1] as usize == 1);

/// The action in `bytes` where they are written as nearly every client writes them. What comes between the fixed start and
/// the last brace is parsed as any payload is, so this is a shorter way to the same answer; anything else is `None`.
fn plain_action(bytes: &[u8]) -> Option<Act> {
    let payload = bytes.strip_prefix(br#"{"t":"action","d":"#)?.strip_suffix(b"}")?;
    Encoding::Json.read(payload, PhantomData)
}

/// Every message type of a client.
const CLIENT_TYPES: &[&str] =
    &["join", "leave", "concede", "ready", "action", "ping", "renew", "patch", "relay", "beat"];

/// Every message type of a server.
const SERVER_TYPES: &[&str] = &[
    "joined",
    "snapshot",
    "delta",
    "ack",
    "refused",
    "forgotten",
    "result",
    "left",
    "error",
    "pong",
    "expiring",
    "renewed",
    "state",
    "relayed",
    "missed",
    "presence",
];
