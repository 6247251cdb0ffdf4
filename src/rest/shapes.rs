//! What answers look like: the contract's schemas, made from what the hub tells. A field with nothing to say is absent.

use std::time::SystemTime;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use tiltyard_combat::{Event, ParticipantStatus, PhaseName, SessionStatus};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::hub::{FightInfo, Mode};

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
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Value>,
    stats: CombatSessionStats,
    version: u64,
}

/// `CombatParticipant`.
#[derive(Debug, Serialize)]
pub struct CombatParticipant {
    player_id: Uuid,
    joined_at: Timestamp,
    status: &'static str,
    score: u32,
    hp: u32,
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
    events: Vec<CombatEvent>,
    /// Sequence of the newest delta this state shows.
    seq: u64,
}

/// An entry of `events`.
#[derive(Debug, Serialize)]
pub struct CombatEvent {
    #[serde(rename = "type")]
    kind: &'static str,
    timestamp: Timestamp,
    data: Value,
}

/// `Session` and, with logs or stats, `SessionDetails`.
#[derive(Debug, Serialize)]
pub struct Session {
    session_id: Uuid,
    #[serde(rename = "type")]
    kind: &'static str,
    player_id: Uuid,
    status: &'static str,
    created_at: Timestamp,
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    settings: Option<Value>,
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    logs: Option<Vec<SessionLogEntry>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<SessionStats>,
}

/// `SessionLogEntry`.
#[derive(Debug, Serialize)]
pub struct SessionLogEntry {
    timestamp: Timestamp,
    event_type: &'static str,
    data: Value,
}

/// `SessionStats`.
#[derive(Debug, Serialize)]
pub struct SessionStats {
    duration_seconds: u64,
    events_count: u64,
    errors_count: u64,
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Milliseconds are what the log keeps.
        let time = OffsetDateTime::from(self.0);
        let time = time.replace_millisecond(time.millisecond()).unwrap_or(time);
        serializer.serialize_str(&time.format(&Rfc3339).map_err(serde::ser::Error::custom)?)
    }
}

impl From<&FightInfo> for CombatSession {
    fn from(fight: &FightInfo) -> Self {
        Self {
            session_id: fight.id,
            mode: fight.mode,
            status: status(fight.status),
            participants: participants(fight),
            seats: fight.seats,
            created_at: Timestamp(fight.created_at),
            started_at: fight.started_at.map(Timestamp),
            ended_at: fight.ended_at.map(Timestamp),
            settings: settings(fight),
            stats: CombatSessionStats {
                duration_seconds: fight.active_ms / 1000,
                total_actions: fight.actions,
                total_damage: fight.damage,
                eliminations: fight.eliminations,
                winner: fight.winner,
            },
            version: fight.version,
        }
    }
}

impl From<&FightInfo> for CombatSessionState {
    fn from(fight: &FightInfo) -> Self {
        Self {
            session_id: fight.id,
            phase: phase(fight.phase),
            status: status(fight.status),
            time_remaining: fight.remaining_ms.div_ceil(1000),
            participants: participants(fight),
            events: fight
                .events
                .iter()
                .map(|info| CombatEvent {
                    kind: kind(info.event),
                    timestamp: Timestamp(info.at),
                    data: data(fight, info.event),
                })
                .collect(),
            seq: fight.seq,
        }
    }
}

impl Session {
    /// A fight in the generic view, without logs and stats.
    pub fn of(fight: &FightInfo) -> Self {
        Self {
            session_id: fight.id,
            kind: "combat",
            player_id: fight.creator,
            status: generic_status(fight.status),
            created_at: Timestamp(fight.created_at),
            updated_at: Timestamp(fight.updated_at),
            settings: settings(fight),
            version: fight.version,
            logs: None,
            stats: None,
        }
    }

    /// The same with what was asked for besides.
    #[must_use]
    pub fn detailed(mut self, fight: &FightInfo, logs: bool, stats: bool) -> Self {
        self.logs = logs.then(|| {
            let entry = |info: &crate::hub::EventInfo| SessionLogEntry {
                timestamp: Timestamp(info.at),
                event_type: kind(info.event),
                data: data(fight, info.event),
            };
            fight.events.iter().map(entry).collect()
        });
        self.stats = stats.then(|| SessionStats {
            duration_seconds: session_seconds(fight),
            events_count: fight.seq,
            errors_count: 0,
        });
        self
    }
}

/// The status of the generic view: that a fight is still being prepared is the fight's own affair.
pub const fn generic_status(status: SessionStatus) -> &'static str {
    match status {
        SessionStatus::Initializing | SessionStatus::Active => "active",
        SessionStatus::Paused => "paused",
        SessionStatus::Completed => "completed",
        SessionStatus::Terminated => "terminated",
    }
}

const fn status(status: SessionStatus) -> &'static str {
    match status {
        SessionStatus::Initializing => "initializing",
        _ => generic_status(status),
    }
}

const fn phase(phase: PhaseName) -> &'static str {
    match phase {
        PhaseName::Preparation => "preparation",
        PhaseName::Active => "active",
        PhaseName::Cooldown => "cooldown",
        PhaseName::Finished => "finished",
    }
}

fn session_seconds(fight: &FightInfo) -> u64 {
    let until = fight.ended_at.unwrap_or(fight.updated_at);
    until.duration_since(fight.created_at).map_or(0, |age| age.as_secs())
}

fn participants(fight: &FightInfo) -> Vec<CombatParticipant> {
    let status = |status| match status {
        ParticipantStatus::Active => "active",
        ParticipantStatus::Eliminated => "eliminated",
        ParticipantStatus::Disconnected => "disconnected",
    };
    fight
        .participants
        .iter()
        .map(|seat| CombatParticipant {
            player_id: seat.player,
            joined_at: Timestamp(seat.joined_at),
            status: status(seat.status),
            score: seat.score,
            hp: seat.hp,
        })
        .collect()
}

/// The settings as they were given. Only what has been an object comes out of the log as one.
fn settings(fight: &FightInfo) -> Option<Value> {
    serde_json::from_str(&fight.settings).ok()
}

/// The name an event has over the socket too.
const fn kind(event: Event) -> &'static str {
    match event {
        Event::Hit { .. } => "hit",
        Event::Guard { .. } => "guard",
        Event::Eliminated { .. } => "eliminated",
        Event::Seated { .. } => "seated",
        Event::Ready { .. } => "ready",
        Event::Connected { .. } => "connected",
        Event::Disconnected { .. } => "disconnected",
        Event::Forfeited { .. } => "forfeited",
        Event::Phase => "phase",
    }
}

fn data(fight: &FightInfo, event: Event) -> Value {
    let player = |slot: u8| fight.participants.get(usize::from(slot)).map_or_else(Uuid::nil, |seat| seat.player);
    match event {
        Event::Hit { by, to, damage, critical, guarded } => {
            json!({ "by": player(by), "to": player(to), "damage": damage, "critical": critical, "guarded": guarded })
        }
        Event::Eliminated { by, to } => json!({ "by": player(by), "to": player(to) }),
        Event::Guard { by }
        | Event::Seated { by }
        | Event::Ready { by }
        | Event::Connected { by }
        | Event::Disconnected { by }
        | Event::Forfeited { by } => json!({ "by": player(by) }),
        Event::Phase => json!({}),
    }
}
