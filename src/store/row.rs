//! What a store keeps, row by row. Times are Unix milliseconds; texts that hold JSON are valid JSON.

use crate::session::{FightStatus, Kind, Status};
use uuid::Uuid;

use tiltyard_combat::Mode;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionRow {
    pub id: Uuid,
    pub kind: Kind,
    pub status: Status,
    pub player: Uuid,
    pub created_at: i64,
    pub updated_at: i64,
    pub ended_at: Option<i64>,
    pub expires_at: Option<i64>,
    pub version: i64,
    pub node: String,
    /// Of a fight.
    pub fight: Option<(Mode, FightStatus)>,
    pub metadata: Option<String>,
    pub settings: Option<String>,
    /// What only its type knows, as JSON.
    pub body: String,
    pub end_reason: Option<String>,
    /// Entries its activity log has had.
    pub logs: i64,
    /// Of a fight: under which it was written. 0 of everything else, and of rows of before.
    pub epoch: i64,
}

/// That a player takes part in a session: its owner, its members, its participants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlayerRow {
    pub session: Uuid,
    pub player: Uuid,
    pub kind: Kind,
    pub status: Status,
    /// Of a fight.
    pub fight: Option<(Mode, FightStatus)>,
}

/// An entry of a session's activity log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRow {
    pub session: Uuid,
    /// Counts from 1 in each session.
    pub no: i64,
    pub at: i64,
    pub event: String,
    pub message: Option<String>,
    /// JSON.
    pub data: Option<String>,
}

/// An idempotency key: who used it for what, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Of caller, operation and key.
    pub hash: [u8; 16],
    /// Of the request's body.
    pub fingerprint: [u8; 16],
    pub created_at: i64,
    /// The session the request is about, or is to create.
    pub session: Uuid,
    /// `None` while it is not known what came of it.
    pub answer: Option<KeyAnswer>,
}

/// The first answer to a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyAnswer {
    pub status: u16,
    /// JSON.
    pub body: String,
}

/// Some figures of analytics, encoded; opaque here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketRow {
    pub node: String,
    /// Seconds that the bucket covers.
    pub width: i32,
    /// Unix seconds at which it begins.
    pub start: i64,
    pub series: i16,
    pub data: Vec<u8>,
}

/// A fight's replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayRow {
    pub session: Uuid,
    /// The hash of its ruleset, whose text is in a row of its own.
    pub ruleset: [u8; 32],
    /// A replay without its ruleset's text.
    pub data: Vec<u8>,
}

/// The text of a ruleset that a replay needs; never deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RulesetRow {
    pub hash: [u8; 32],
    pub text: String,
}

/// A replay as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptReplay {
    pub data: Vec<u8>,
    /// Of its ruleset.
    pub text: String,
}

/// What is past its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Sessions that ended before this, in Unix milliseconds.
    pub ended: i64,
    /// Keys from before this, in Unix milliseconds.
    pub keys: i64,
    /// Buckets of these many seconds that began before these Unix seconds. Of other widths there are none.
    pub buckets: [(i32, i64); 4],
}

/// How many sessions of a type have a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    pub kind: Kind,
    pub status: Status,
    pub sessions: i64,
}

/// Everything that one commit keeps.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Put in place of what the store has of them; no session twice, here and in `contents` together.
    pub sessions: Vec<SessionRow>,
    /// The same of sessions that the store has with the same status and end: cheaper, no index changes.
    pub contents: Vec<SessionRow>,
    /// Put in place of what the store has of them; no pair twice.
    pub players: Vec<PlayerRow>,
    /// Pairs of session and player that are no more.
    pub left: Vec<(Uuid, Uuid)>,
    pub logs: Vec<LogRow>,
    /// Entries of a session's log, by number, that are too old to be kept.
    pub trims: Vec<(Uuid, i64)>,
    /// Put in place of what the store has of them.
    pub keys: Vec<KeyRow>,
    pub buckets: Vec<BucketRow>,
    /// Put in place of what the store has of them; no session twice.
    pub replays: Vec<ReplayRow>,
    /// Left as they are where the store has them; no hash twice.
    pub rulesets: Vec<RulesetRow>,
    /// Sessions and keys that must not be there: what an earlier commit of unknown outcome may have left.
    pub undone: Vec<Uuid>,
    pub undone_keys: Vec<[u8; 16]>,
}

/// Which sessions a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Filter {
    pub kind: Option<Kind>,
    pub status: Option<Status>,
    /// Owner, member or participant.
    pub player: Option<Uuid>,
    /// Only those older than this one.
    pub before: Option<Uuid>,
    pub limit: usize,
}

/// Which fights a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CombatFilter {
    pub status: FightStatus,
    pub mode: Option<Mode>,
    /// Only those the player takes part in.
    pub player: Option<Uuid>,
    pub before: Option<Uuid>,
    pub limit: usize,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    pub sessions: Vec<SessionRow>,
    /// Sessions of the filter on all pages.
    pub total: i64,
    pub more: bool,
    /// Behind which the next page begins.
    pub last: Option<Uuid>,
    /// Sessions of this page that are left out, because their rows are damaged.
    pub damaged: u32,
}

/// A mode's number in the store.
pub(super) const fn mode_number(mode: Mode) -> i16 {
    match mode {
        Mode::Pvp => 0,
        Mode::Pve => 1,
        Mode::Arena => 2,
        Mode::Tournament => 3,
    }
}

pub(super) fn mode_of(number: i16) -> Option<Mode> {
    [Mode::Pvp, Mode::Pve, Mode::Arena, Mode::Tournament].into_iter().find(|mode| mode_number(*mode) == number)
}

/// Mode and status of a fight as they are stored, -1 where it is none.
pub(super) fn fight_numbers(fight: Option<(Mode, FightStatus)>) -> (i16, i16) {
    fight.map_or((-1, -1), |(mode, status)| (mode_number(mode), status as i16))
}

impl Batch {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.sessions.is_empty()
            && self.contents.is_empty()
            && self.players.is_empty()
            && self.left.is_empty()
            && self.logs.is_empty()
            && self.keys.is_empty()
            && self.buckets.is_empty()
            && self.replays.is_empty()
            && self.undone.is_empty()
            && self.undone_keys.is_empty()
    }
}
