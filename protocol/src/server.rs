//! What the server says. The payloads that are sent often have short field names; docs/PROTOCOL.md spells them out.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use crate::event::{Event, EventKind, PresenceWhy};
pub use crate::joined::{Joined, Resume, ResumeWhy, Timers};

use crate::Reason;
use crate::mistake::About;
use crate::room::{Gap, Presence, Relayed, State};
use crate::view::{CastView, View};

/// A message from the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "t", content = "d", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The connection now receives this session; a `snapshot` follows, or the deltas behind what the client has.
    Joined(Joined),
    /// The whole view at one sequence. Replaces whatever the client had.
    Snapshot(Snapshot),
    /// What one step changed.
    Delta(Delta),
    /// The action was applied and is in the log.
    Ack(Ack),
    /// The action (or `ready`) was not applied, and why.
    Refused(Refused),
    /// The action's id is below those whose answers are remembered.
    Forgotten(Forgotten),
    /// The fight is decided.
    Result(Outcome),
    /// The connection no longer receives this session.
    Left(Left),
    /// A message could not be understood or carried out; the connection goes on.
    Error(ErrorNotice),
    /// Answer to `ping`.
    Pong(Pong),
    /// The token the connection lives by ends soon: hand in a new one.
    Expiring(Expiring),
    /// Answer to `renew`: the connection lives by the new credentials.
    Renewed(Renewed),
    /// A custom session, or a player's own, has changed.
    State(State),
    /// Another member of a custom session sends something.
    Relayed(Relayed),
    /// Relays were left out for this client.
    Missed(Gap),
    /// A member of a custom session has come or gone.
    Presence(Presence),
    /// What only a newer server says: read, and never sent.
    #[serde(skip)]
    Unknown,
}

/// Payload of `snapshot`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Session handle.
    pub s: u32,
    /// Sequence the view is at; the next delta is `q + 1`.
    pub q: u64,
    /// Session time in milliseconds.
    pub at: u64,
    /// The server's wall clock at that moment, milliseconds since the Unix epoch.
    #[serde(default)]
    pub time: u64,
    /// As in `joined`.
    #[serde(default)]
    pub epoch: u64,
    /// The highest action id of this player that is applied in the view; 0 where none is.
    #[serde(default)]
    pub id: u64,
    /// What this stands for, where deltas were left out for a client that had too much to take, or that comes back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
    pub view: View,
    /// Digest of `view`.
    pub h: u32,
}

/// Deltas that were left out for one client since what it was last sent. Their events are in the session's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missed {
    /// How many events the client would have been told, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<u32>,
    /// The first sequence that was left out.
    pub from: u64,
    /// The last: that of the snapshot.
    pub to: u64,
}

/// Payload of `delta`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delta {
    /// The highest action id of the recipient's own that is applied once this is; 0 where none is. It comes first: what follows is the
    /// same for all who are shown the same.
    #[serde(default)]
    pub id: u64,
    /// Session handle.
    pub s: u32,
    /// Sequence: one more than the one before.
    pub q: u64,
    /// Session time in milliseconds.
    pub at: u64,
    /// The server's wall clock at that moment, milliseconds since the Unix epoch.
    #[serde(default)]
    pub time: u64,
    /// What happened, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ev: Vec<Event>,
    /// What changed about participants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub p: Vec<Patch>,
    /// What changed about the course of the fight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ph: Option<Phase<'static>>,
    /// How many participants there are, where some may have gone: the slots from here on are empty. Comes before `p`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<u16>,
    /// Covers that changed, and their health.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub c: Vec<(u8, u32)>,
    /// Hazards that changed, their health, and 1 for those that are gone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub z: Vec<(u8, u32, u8)>,
    /// The arena's modifiers, where they changed: effects of the rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub m: Option<Vec<u8>>,
    /// Digest of the view after this delta, every so often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub h: Option<u32>,
}

/// New values of one participant's fields. With `player` it is all there is to know of the participant: what is absent is
/// at its zero value. With `hidden` the participant is out of sight: all but its seat, status and score is at its zero value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// Slot.
    pub i: u8,
    /// Who sits here: when a seat is taken, at the start of a round, when the participant comes into sight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub player: Option<Uuid>,
    /// With `player`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<u8>,
    /// Out of sight from now on; never false.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<bool>,
    /// With `player`, where the server plays it: which enemy of the rules it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enemy: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ParticipantStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<u32>,
    /// Of an enemy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hp: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub armor: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shield: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamina: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamina_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamina_rate: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard_until: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<u8>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<i32>,
    /// Where it changed; never without `x` and `y`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub f: Option<u16>,
    /// With `vy`, where either changed; never without `x` and `y`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vx: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vy: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effects: Option<Vec<(u8, u8, u64)>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cast: Option<CastView>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_rate: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charge: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ammo: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload_at: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used: Option<Vec<(u8, u8, u64)>>,
}

/// How a participant stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParticipantStatus {
    #[default]
    Active,
    Eliminated,
    Disconnected,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// Where the fight is in its course.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Phase<'a> {
    pub status: SessionStatus,
    pub phase: PhaseName,
    /// The ruleset's name for where the fight is.
    pub state: Cow<'a, str>,
    /// Session time in milliseconds at which the phase ends by itself (while seats are free: at which the fight is
    /// abandoned); absent while paused and when ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// Slot of the winner, once decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<u8>,
    /// The team that won, once decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<u8>,
    /// Why the fight ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<EndReason>,
    /// Rounds that are over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub round: u8,
    /// Team and rounds won, of the teams that have won one.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    pub wins: Cow<'a, [(u8, u8)]>,
    /// Slot of the participant whose turn it is, where one acts after the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<u8>,
    /// Session time in milliseconds at which the turn passes by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn_until: Option<u64>,
}

/// A session's status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionStatus {
    #[default]
    Initializing,
    Active,
    Paused,
    Completed,
    Terminated,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// A fight's phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseName {
    #[default]
    Preparation,
    Active,
    Cooldown,
    Finished,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// Why a fight ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// One participant was left.
    LastStanding,
    /// The time was up.
    TimeLimit,
    /// All others gave up or did not come back.
    Forfeit,
    /// Somebody with the right to do so ended it.
    Terminated,
    /// It was set to completed by hand.
    Completed,
    /// Nobody was left to fight it.
    Abandoned,
    /// Stepping it failed; the cause is in the server's log.
    Failed,
    /// A score was reached.
    ScoreLimit,
    /// Most of the rounds were won.
    RoundsWon,
    /// Every wave of the server's enemies was beaten.
    Cleared,
    /// The players held out until the time was up.
    Survived,
    /// The server's enemies beat all players.
    Defeated,
    /// Not everybody was ready when the countdown was over.
    NotReady,
    /// It was paused for too long.
    PauseLimit,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// Payload of `ack`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Session handle.
    pub s: u32,
    /// The action's id.
    pub id: u64,
    /// Sequence of the delta that shows it.
    #[serde(default)]
    pub q: u64,
    /// Of a `patch`: the version that has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
    /// Of a `relay`: to how many it was handed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// Of a `beat`: when the session ends if no other comes, milliseconds since the Unix epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
}

/// Payload of `refused`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Session handle.
    pub s: u32,
    /// The action's id; 0 for a refused `ready`.
    pub id: u64,
    pub reason: Reason,
    /// Milliseconds after which the same would no longer be refused for this reason, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u32>,
    /// For a person to read, where there is more to say than the reason does: which field is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Of what was `too_fast`: where the server has the player.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<i32>,
    /// How far from there it could have gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_cm: Option<u32>,
    /// Of a `version_conflict`: the version that the session is at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u64>,
}

impl Refused {
    /// Of action `id` in session `s`, with nothing to say beside the reason.
    #[must_use]
    pub const fn new(s: u32, id: u64, reason: Reason) -> Self {
        Self { s, id, reason, retry_ms: None, message: None, x: None, y: None, allowed_cm: None, version: None }
    }
}

/// Payload of `forgotten`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Session handle.
    pub s: u32,
    /// The action's id.
    pub id: u64,
    /// False where it was certainly not applied; absent where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<bool>,
    /// The highest action id of this player that has an answer.
    pub last_id: u64,
}

/// Payload of `result`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Session handle.
    pub s: u32,
    /// Sequence at which it was decided.
    pub q: u64,
    /// Session time in milliseconds.
    #[serde(default)]
    pub at: u64,
    /// The server's wall clock at that moment, milliseconds since the Unix epoch.
    #[serde(default)]
    pub time: u64,
    pub reason: EndReason,
    /// Slot of the winner; absent for a draw or a fight nobody won.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<u8>,
    /// The team that won; absent for a draw or a fight nobody won.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<u8>,
    /// Milliseconds the fight was active.
    pub duration_ms: u64,
    /// Best first.
    pub standings: Vec<Standing>,
}

/// One line of a result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub slot: u8,
    pub player: Uuid,
    pub team: u8,
    /// Which enemy of the rules it is, where the server played it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enemy: Option<u8>,
    pub score: u32,
    pub eliminations: u32,
    pub damage: u64,
}

/// Payload of `left`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Session handle.
    pub s: u32,
    pub why: LeftWhy,
}

/// Why a connection no longer receives a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftWhy {
    /// The client asked for it.
    Asked,
    /// The player joined from a newer connection.
    Replaced,
    /// Another part of the server goes on with it: join it again. Said by older servers alone: now one stays in it.
    Moved,
    /// The session is no more.
    Ended,
    /// The player is no member of the session any more.
    Removed,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// Payload of `error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorNotice {
    pub reason: Reason,
    /// The type of the message that it answers; absent where that could not be read, and for what was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub re: Option<Cow<'static, str>>,
    /// Of a `join`: the session that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Uuid>,
    /// Of another message: the session's handle, where it has one that could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s: Option<u32>,
    /// For a person to read.
    pub message: String,
    /// Milliseconds until it may be tried again, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_ms: Option<u32>,
    /// Of `rolled_back`: from where to where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back: Option<RolledBack>,
    /// Of `session_elsewhere`, where another node has the session: how clients reach that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// How far a session was set back behind what a client has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolledBack {
    /// The sequence that the client has, where its `join` said one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u64>,
    /// The epoch under which that was, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_epoch: Option<u64>,
    /// The sequence at which the server has the session: that of the snapshot which comes.
    pub to: u64,
    /// The epoch under which it has it.
    pub to_epoch: u64,
}

impl ErrorNotice {
    /// The answer to what is `about` this, with what the reason says.
    #[must_use]
    pub fn new(about: About, reason: Reason) -> Self {
        Self {
            re: about.t,
            session: about.session,
            s: about.s,
            reason,
            message: reason.message().to_owned(),
            retry_ms: None,
            rolled_back: None,
            url: None,
        }
    }
}

/// Payload of `pong`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pong {
    pub n: u64,
    /// The server's wall clock, milliseconds since the Unix epoch.
    pub time: u64,
    /// The session that was asked about, where the connection is in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s: Option<u32>,
    /// Its time in milliseconds, where it is a fight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

/// Payload of `expiring`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expiring {
    /// Milliseconds until the connection is closed with 4419.
    pub left_ms: u64,
}

/// Payload of `renewed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renewed {
    /// Milliseconds that the new credentials are good for.
    pub left_ms: u64,
}

// serde's `skip_serializing_if` calls with a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
const fn is_zero(value: &u8) -> bool {
    *value == 0
}
