//! What a client may say. Every message is `{"t": type, "d": {…}}`; unknown fields are ignored, unknown types refused.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::room::{Beat, Patch, Relay};
use crate::strict::object;

/// A message from a client.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", content = "d", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Take part in a session this connection's player has a seat in. Answered by `joined` and a `snapshot`.
    Join(#[serde(deserialize_with = "object")] Join),
    /// Stop receiving a session. The seat is kept for the reconnect window.
    Leave(#[serde(deserialize_with = "object")] Leave),
    /// Give the seat up for good: the participant forfeits now. Answered by a delta, or `refused` with id 0.
    Concede(#[serde(deserialize_with = "object")] Concede),
    /// Say that the player is ready to start; the countdown ends early when everybody is.
    Ready(#[serde(deserialize_with = "object")] Ready),
    /// Do something in a session. Answered by `ack`, `refused` or `forgotten` with the same id, always.
    Action(#[serde(deserialize_with = "object")] Act),
    /// Ask for the server's clock, and a session's; answered by `pong` with the same `n`.
    Ping(#[serde(deserialize_with = "object")] Ping),
    /// Hand in new credentials, whose end is the connection's from then on. Answered by `renewed` or `error`.
    Renew(#[serde(deserialize_with = "object")] Renew),
    /// Change the state of a custom session. Answered by `ack` or `refused` with the same id, as are the next two.
    Patch(#[serde(deserialize_with = "object")] Patch),
    /// Send something to the other members of a custom session who are connected.
    Relay(#[serde(deserialize_with = "object")] Relay),
    /// Give a sign of life of a player session.
    Beat(#[serde(deserialize_with = "object")] Beat),
}

/// Payload of `join`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Join {
    pub session: Uuid,
    /// The last sequence the client has applied, when it resumes. Absent on a first join.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// The epoch under which that was, as it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The `hash` of the rules that the client has: where these are the session's, it is not sent them again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<String>,
}

impl Join {
    /// Of a session of which the client has nothing yet.
    #[must_use]
    pub const fn new(session: Uuid) -> Self {
        Self { session, seq: None, epoch: None, rules: None }
    }
}

/// Payload of `leave`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// The session's handle, from `joined`.
    pub s: u32,
}

/// Payload of `concede`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Concede {
    /// The session's handle, from `joined`.
    pub s: u32,
}

/// Payload of `ready`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The session's handle, from `joined`.
    pub s: u32,
}

/// Payload of `action`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// The session's handle, from `joined`.
    pub s: u32,
    /// The client's own number for this action, 1 ..= 2^53. Ids of one player in one session rise; a repeat of a recent
    /// one gets the first answer again and changes nothing.
    pub id: u64,
    pub kind: ActionKind,
    /// Slot of the target: of an attack, or of an ability or item that is aimed at one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u8>,
    /// Where an attack is aimed at; the torso where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<BodyPart>,
    /// The ability or item: its place in the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub a: Option<u8>,
    /// With `y` a place, in centimetres: where a move ends, or what an ability is aimed at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<i32>,
    /// Of a move: which way the player faces from now on; as before where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f: Option<Degrees>,
    /// Of a move: with `vy` how fast the player goes from now on, in centimetres per second; 0 where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vx: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vy: Option<i32>,
    /// The cover that is attacked, in place of a participant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub c: Option<u8>,
    /// The hazard that is attacked, in place of a participant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub z: Option<u8>,
}

impl Act {
    /// Action `id` of `kind` in session `s`, aimed at nothing yet.
    #[must_use]
    pub const fn new(s: u32, id: u64, kind: ActionKind) -> Self {
        let (to, part, a, c, z) = (None, None, None, None, None);
        Self { s, id, kind, to, part, a, x: None, y: None, f: None, vx: None, vy: None, c, z }
    }

    /// Aimed at `slot`.
    #[must_use]
    pub const fn at(self, slot: u8) -> Self {
        Self { to: Some(slot), ..self }
    }
}

/// A direction in whole degrees, from 0, that of x, by 90, that of y, to 359.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u16", into = "u16")]
pub struct Degrees(u16);

impl Degrees {
    /// `None` where there are more.
    #[must_use]
    pub const fn new(degrees: u16) -> Option<Self> {
        if degrees < 360 { Some(Self(degrees)) } else { None }
    }

    /// How many there are.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl From<Degrees> for u16 {
    fn from(degrees: Degrees) -> Self {
        degrees.0
    }
}

impl TryFrom<u16> for Degrees {
    type Error = &'static str;

    fn try_from(degrees: u16) -> Result<Self, Self::Error> {
        Self::new(degrees).ok_or("a facing is whole degrees from 0 to 359")
    }
}

/// Where an attack is aimed at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyPart {
    Head,
    #[default]
    Torso,
    Limb,
}

/// The kinds of action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    Attack,
    Defend,
    Ability,
    Move,
    ItemUse,
}

/// Payload of `ping`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ping {
    /// Echoed in the `pong`.
    pub n: u64,
    /// The session whose time is asked for as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s: Option<u32>,
}

impl Ping {
    /// Asks for the wall clock alone.
    #[must_use]
    pub const fn new(n: u64) -> Self {
        Self { n, s: None }
    }
}

/// Payload of `renew`: one of the two.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    /// A bearer token of the connection's player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// A ticket of the player to the session that the connection's ticket was for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

impl Renew {
    /// With a bearer token.
    #[must_use]
    pub const fn token(token: String) -> Self {
        Self { token: Some(token), ticket: None }
    }

    /// With a ticket.
    #[must_use]
    pub const fn ticket(ticket: String) -> Self {
        Self { token: None, ticket: Some(ticket) }
    }
}

/// Never shows the credentials.
impl std::fmt::Debug for Renew {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renew").finish_non_exhaustive()
    }
}
