//! What answers look like: the contract's schemas, made from what the hub tells. A field with nothing to say is absent.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tiltyard_combat::{EndReason, ParticipantStatus, PhaseName, Point, Velocity};
use uuid::Uuid;

use super::scenery::CombatEnvironment;
use crate::clock::{self, now_ms};
use crate::records::{Member, PresenceName, Record};
use crate::replays::story::{Happening, Page};
use crate::session::world::EventWords;
use crate::session::{FightInfo, Kind, ParticipantInfo};
use crate::store::LogRow;
use tiltyard_combat::Mode;

/// A time as RFC 3339 in UTC.
#[derive(Debug, Clone, Copy)]
pub struct Timestamp(pub SystemTime);

/// `CombatSession`.
#[derive(Debug, Serialize)]
pub struct CombatSession {
    session_id: Uuid,
    mode: Mode,
    status: &'static str,
    participants: Vec<CombatParticipant>,
    seats: u8,
    /// The ruleset's name.
    #[serde(skip_serializing_if = "str::is_empty")]
    ruleset: String,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    /// Why it has ended, from when its result is shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Box<RawValue>>,
    stats: CombatSessionStats,
    version: u64,
    /// Its node is not among the living; absent where it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub node_unavailable: bool,
}

/// `CombatParticipant`.
#[derive(Debug, Serialize)]
pub struct CombatParticipant {
    player_id: Uuid,
    joined_at: Timestamp,
    status: &'static str,
    score: u32,
    team: u8,
    /// Absent where the caller may not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    hp: Option<u32>,
    /// Absent where the caller may not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Point>,
    /// In degrees; absent where it is 0, or the caller may not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    facing: Option<u16>,
    /// In centimetres per second; absent where it goes nowhere, or the caller may not know it.
    #[serde(skip_serializing_if = "Option::is_none")]
    velocity: Option<Velocity>,
}

/// `CombatSessionStats`.
#[derive(Debug, Serialize)]
pub struct CombatSessionStats {
    duration_seconds: u64,
    total_actions: u64,
    total_damage: u64,
    eliminations: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    winner: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    winning_team: Option<u8>,
}

/// `CombatSessionState`.
#[derive(Debug, Serialize)]
pub struct CombatSessionState {
    session_id: Uuid,
    phase: &'static str,
    status: &'static str,
    /// Seconds, rounded up: 0 means that it is over.
    time_remaining: u64,
    participants: Vec<CombatParticipant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<CombatEnvironment>,
    events: Vec<CombatEvent>,
    /// Sequence of the newest delta this state shows.
    seq: u64,
}

/// An entry of `events`.
#[derive(Debug, Serialize)]
pub struct CombatEvent {
    #[serde(rename = "type")]
    kind: String,
    timestamp: Timestamp,
    data: Value,
}

/// `Session` and, with logs or stats, `SessionDetails`.
#[derive(Debug, Serialize)]
#[expect(clippy::struct_field_names)] // The contract's names.
pub struct Session<'a> {
    session_id: Uuid,
    #[serde(rename = "type")]
    kind: &'static str,
    player_id: Uuid,
    status: &'static str,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    absolute_expires_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence: Option<PresenceName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_seen_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    members: Option<Vec<SessionMember>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<&'a RawValue>,
    version: u64,
    node: &'a str,
    /// Its node is not among the living; absent where it is.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub node_unavailable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs: Option<Vec<SessionLogEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stats: Option<SessionStats>,
}

/// A member of a custom session.
#[derive(Debug, Serialize)]
pub struct SessionMember {
    player_id: Uuid,
    joined_at: Timestamp,
}

/// What a login gives its player.
#[derive(Debug, Serialize)]
pub struct Tokens {
    pub access_token: String,
    pub token_type: &'static str,
    /// Seconds for which the access token is good.
    pub expires_in: u64,
    pub refresh_token: String,
}

/// `SessionLogEntry`.
#[derive(Debug, Serialize)]
pub struct SessionLogEntry {
    timestamp: Timestamp,
    event_type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Box<RawValue>>,
}

/// `SessionStats`.
#[derive(Debug, Serialize)]
pub struct SessionStats {
    duration_seconds: u64,
    events_count: u64,
    /// Actions refused, of a fight.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors_count: Option<u64>,
}

impl Serialize for Timestamp {
    /// With milliseconds, which is what logs and store keep; always three digits of them, so that times sort as text too.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_rfc3339_millis(self.0))
    }
}

impl CombatSession {
    /// A fight, as far as it was told.
    pub fn of(fight: &FightInfo) -> Self {
        Self {
            session_id: fight.id,
            mode: fight.mode,
            status: fight.own_status().name(),
            participants: fight.participants.iter().map(CombatParticipant::of).collect(),
            seats: fight.seats,
            ruleset: fight.ruleset.clone(),
            created_at: Timestamp(fight.created_at),
            started_at: fight.started_at.map(Timestamp),
            ended_at: fight.ended_at.map(Timestamp),
            end_reason: fight.end_reason.map(EndReason::name),
            settings: settings(fight),
            stats: CombatSessionStats {
                duration_seconds: fight.active_ms / 1000,
                total_actions: fight.actions,
                total_damage: fight.damage,
                eliminations: fight.eliminations,
                winner: fight.winner,
                winning_team: fight.winning_team,
            },
            version: fight.version,
            node_unavailable: false,
        }
    }
}

impl CombatParticipant {
    fn of(seat: &ParticipantInfo) -> Self {
        Self {
            player_id: seat.player,
            joined_at: Timestamp(seat.joined_at),
            status: participant_status(seat.status),
            score: seat.score,
            team: seat.team,
            hp: seat.hp,
            position: seat.at,
            facing: seat.facing,
            velocity: seat.velocity,
        }
    }
}

impl CombatEvent {
    /// With ids in place of slots.
    fn of(told: &EventWords) -> Self {
        let ids = [("by", told.by), ("to", told.to)];
        let ids = ids.into_iter().filter_map(|(name, id)| Some((name.to_owned(), json!(id?))));
        let details = told.details.iter().map(|(name, value)| (name.clone(), value.clone()));
        let data = ids.chain(details).collect();
        Self { kind: told.kind.clone().into_owned(), timestamp: Timestamp(told.at), data: Value::Object(data) }
    }
}

impl CombatSessionState {
    /// A fight's state, as far as it was told.
    pub fn of(fight: &FightInfo) -> Self {
        let world = fight.world.named();
        Self {
            session_id: fight.id,
            phase: phase(fight.phase),
            status: fight.own_status().name(),
            time_remaining: fight.remaining_ms.div_ceil(1000),
            participants: fight.participants.iter().map(CombatParticipant::of).collect(),
            environment: world.environment.as_ref().map(|environment| CombatEnvironment::of(environment, fight)),
            events: world.events.iter().map(CombatEvent::of).collect(),
            seq: fight.seq,
        }
    }
}

impl<'a> Session<'a> {
    /// A session that is no fight.
    pub fn of(record: &'a Record, node: &'a str) -> Self {
        let of_type = record.body.of_type();
        let is_seen = of_type.lives_by_signs() && !record.status.is_end();
        let member = |member: &Member| SessionMember { player_id: member.player, joined_at: unix(member.joined_at) };
        Self {
            session_id: record.id,
            kind: record.kind().name(),
            player_id: record.player,
            status: record.status.name(),
            created_at: unix(record.created_at),
            updated_at: unix(record.updated_at),
            ended_at: record.ended_at.map(unix),
            end_reason: record.end_reason.as_deref(),
            expires_at: record.expires_at().map(unix),
            absolute_expires_at: of_type.absolute_at().map(unix),
            presence: record.presence(now_ms()),
            last_seen_at: is_seen.then(|| unix(record.seen_at())),
            members: of_type.members().map(|members| members.iter().map(member).collect()),
            metadata: record.metadata.as_deref().and_then(raw),
            settings: record.settings.as_deref().and_then(raw),
            version: record.version,
            node,
            node_unavailable: false,
            tokens: None,
            logs: None,
            stats: None,
        }
    }

    /// A fight in the generic view.
    pub fn of_fight(fight: &'a FightInfo, node: &'a str) -> Self {
        Self {
            session_id: fight.id,
            kind: Kind::Combat.name(),
            player_id: fight.creator,
            status: fight.generic_status().name(),
            created_at: Timestamp(fight.created_at),
            updated_at: Timestamp(fight.updated_at),
            ended_at: fight.ended_at.map(Timestamp),
            end_reason: fight.end_reason.map(EndReason::name),
            expires_at: None,
            absolute_expires_at: None,
            presence: None,
            last_seen_at: None,
            members: None,
            metadata: raw(&fight.metadata),
            settings: raw(&fight.settings),
            version: fight.version,
            node,
            node_unavailable: false,
            tokens: None,
            logs: None,
            stats: None,
        }
    }
}

impl SessionStats {
    /// Of a session that is no fight, at `now` in Unix milliseconds.
    pub fn of(record: &Record, now: u64) -> Self {
        let until = record.ended_at.unwrap_or(now);
        Self {
            duration_seconds: until.saturating_sub(record.created_at) / 1000,
            events_count: record.logs.into(),
            errors_count: None,
        }
    }

    /// Of a fight.
    pub fn of_fight(fight: &FightInfo) -> Self {
        let until = fight.ended_at.unwrap_or_else(clock::now);
        Self {
            duration_seconds: until.duration_since(fight.created_at).map_or(0, |age| age.as_secs()),
            events_count: fight.deltas,
            errors_count: Some(fight.refused),
        }
    }
}

impl From<LogRow> for SessionLogEntry {
    fn from(row: LogRow) -> Self {
        Self {
            timestamp: unix(row.at.cast_unsigned()),
            event_type: row.event,
            message: row.message,
            data: row.data.and_then(|data| RawValue::from_string(data).ok()),
        }
    }
}

impl SessionLogEntry {
    /// What happened in a fight, newest first.
    pub fn of_story(story: Page) -> Vec<Self> {
        let player = |slot: u8| Uuid::from_u128(story.players.get(usize::from(slot)).copied().unwrap_or_default());
        let entry = |happening: Happening| {
            let named = [("by", happening.by), ("to", happening.to)];
            let named = named.into_iter().filter_map(|(name, slot)| Some((name, json!(player(slot?)))));
            let data: Map<String, Value> =
                named.chain(happening.details).map(|(name, value)| (name.to_owned(), value)).collect();
            Self {
                timestamp: unix(happening.unix_ms),
                event_type: happening.name.to_owned(),
                message: None,
                data: serde_json::value::to_raw_value(&data).ok(),
            }
        };
        story.happenings.into_iter().map(entry).collect()
    }

    /// The newest events of a fight, newest first; where there is no story of it.
    pub fn of_fight(fight: &FightInfo) -> Vec<Self> {
        let entry = |event: CombatEvent| Self {
            timestamp: event.timestamp,
            event_type: event.kind,
            message: None,
            data: serde_json::value::to_raw_value(&event.data).ok(),
        };
        fight.world.named().events.iter().rev().map(CombatEvent::of).map(entry).collect()
    }
}

/// A time from Unix milliseconds.
pub fn unix(ms: u64) -> Timestamp {
    Timestamp(UNIX_EPOCH + Duration::from_millis(ms))
}

/// JSON text as it is; nothing where there is none.
fn raw(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

const fn phase(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::Preparation => "preparation",
        PhaseName::Active => "active",
        PhaseName::Cooldown => "cooldown",
        PhaseName::Finished => "finished",
    }
}

pub const fn participant_status(status: ParticipantStatus) -> &'static str {
    match status {
        ParticipantStatus::Active => "active",
        ParticipantStatus::Eliminated => "eliminated",
        ParticipantStatus::Disconnected => "disconnected",
    }
}

/// The settings as they were given. Only what has been an object comes out of the log as one.
fn settings(fight: &FightInfo) -> Option<Box<RawValue>> {
    RawValue::from_string(fight.settings.clone()).ok()
}
