//! What a client is told that has joined a session, and how it is brought up to date.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::room::SessionType;
use crate::rules::RulesView;

/// Payload of `joined`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Joined {
    pub session: Uuid,
    /// The session's handle: what `s` is in every other message of this session. The low 32 bits of its id.
    pub s: u32,
    /// Of what type the session is; absent for a fight. What follows up to `rules` is a fight's, and what is behind it of the other types.
    #[serde(rename = "type", default, skip_serializing_if = "SessionType::is_combat")]
    pub kind: SessionType,
    /// The slot this connection plays.
    #[serde(default)]
    pub slot: u8,
    /// The team it is of.
    #[serde(default)]
    pub team: u8,
    /// How the client is brought up to date.
    #[serde(default)]
    pub resume: Resume,
    /// Why that is no deltas, where the client has said what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<ResumeWhy>,
    /// The highest action id the session remembers of this player; the next one must be higher.
    #[serde(default)]
    pub last_id: u64,
    /// The highest action id of this player that was applied; 0 where none was.
    #[serde(default)]
    pub applied: u64,
    /// How often a server has taken the session over, its creation included: it rises when one does, and the sequence goes on. 0 from
    /// servers that do not say it.
    #[serde(default)]
    pub epoch: u64,
    /// Session time in milliseconds.
    #[serde(default)]
    pub at: u64,
    /// The server's wall clock at that moment, milliseconds since the Unix epoch.
    #[serde(default)]
    pub time: u64,
    #[serde(default)]
    pub timers: Timers,
    /// What the session is played by; it never changes. Absent where the client has said that it has these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rules: Option<Box<RulesView>>,
    /// Who is a member of a custom session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Uuid>>,
    /// Who of them is connected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub here: Option<Vec<Uuid>>,
    /// The session's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// The state of a custom session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<Value>,
    /// When it ends if nothing more happens, milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// How long things last, of this session and this server. In milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Timers {
    /// For how long a seat is kept whose connection is lost.
    pub seat_ms: u64,
    /// The countdown before the fight; it ends early when all are ready.
    pub countdown_ms: u64,
    /// For how long the result is shown before the session is completed.
    pub results_ms: u64,
    /// For how long a session that has ended can still be joined and read.
    pub linger_ms: u64,
    /// After how long without a word from the client the server pings it.
    pub ping_ms: u64,
    /// After how long without a word it is closed with 4408.
    pub idle_ms: u64,
}

/// How a join brings the client up to date.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resume {
    /// A snapshot follows.
    #[default]
    Snapshot,
    /// The deltas behind the sequence that the client has follow, and no snapshot.
    Deltas,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// Why who has said what it has is sent a snapshot all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResumeWhy {
    /// The deltas are not kept any more, or are more than a snapshot is worth.
    TooOld,
    /// The session has changed hands since: there was a restart, or another part of the server goes on with it.
    ChangedHands,
    /// The session has been set back behind what the client has.
    RolledBack,
    /// The deltas were kept in the other encoding.
    OtherEncoding,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}
