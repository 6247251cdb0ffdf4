//! Bytes to messages and back. Which encoding a connection speaks is settled once, by its subprotocol.

use serde::{Deserialize, Serialize};

use crate::mistake::DecodeError;
use crate::{Act, ClientMessage, ServerMessage};

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
    /// Never for this crate's own types: they have string keys and no failing serializers.
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
        let message = self.decode(bytes).map_err(|detail| DecodeError::of(self, bytes, CLIENT_TYPES, &detail))?;
        Ok(match message {
            ClientMessage::Patch(patch) if self == Self::Json => ClientMessage::Patch(patch.with_text_of(bytes)),
            ClientMessage::Relay(relay) if self == Self::Json => ClientMessage::Relay(relay.with_text_of(bytes)),
            message => message,
        })
    }

    /// Reads a server's message.
    ///
    /// # Errors
    /// As [`Encoding::decode_client`].
    pub fn decode_server(self, bytes: &[u8]) -> Result<ServerMessage, DecodeError> {
        self.decode(bytes).map_err(|detail| DecodeError::of(self, bytes, SERVER_TYPES, &detail))
    }

    pub(crate) fn decode<'a, T: Deserialize<'a>>(self, bytes: &'a [u8]) -> Result<T, String> {
        match self {
            Self::Json => serde_json::from_slice(bytes).map_err(|error| error.to_string()),
            Self::MsgPack => {
                let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes).with_human_readable();
                deserializer.set_max_depth(LEVELS);
                let message = T::deserialize(&mut deserializer).map_err(|error| error.to_string())?;
                // Where nothing is left there is no next marker; of anything that is left, that much can be read.
                match <()>::deserialize(&mut deserializer) {
                    Err(rmp_serde::decode::Error::InvalidMarkerRead(_)) => Ok(message),
                    _ => Err("bytes behind the message".to_owned()),
                }
            }
        }
    }
}

const _: () = assert!(Encoding::ALL[0] as usize == 0 && Encoding::ALL[1] as usize == 1);

/// The action in `bytes` where they are written as nearly every client writes them. What comes between the fixed start and
/// the last brace is parsed as any payload is, so this is a shorter way to the same answer; anything else is `None`.
fn plain_action(bytes: &[u8]) -> Option<Act> {
    let payload = bytes.strip_prefix(br#"{"t":"action","d":"#)?.strip_suffix(b"}")?;
    serde_json::from_slice(payload).ok()
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
