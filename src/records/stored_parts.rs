//! The parts of a fight as the store keeps it. Each is a form of its own: what a shard tells may get other fields, and rows stay readable.
//! Where one gets another, [`super::stored`] says what has to be done.

use std::borrow::Cow;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tiltyard_combat::{ParticipantStatus, Point, Velocity};
use uuid::Uuid;

use crate::session::world::{Cover, Environment, EventWords, Hazard};
use crate::session::{EnemyInfo, Known, ParticipantInfo, Shown};

/// A participant.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredSeat {
    pub(super) player: Uuid,
    joined_at: SystemTime,
    status: ParticipantStatus,
    score: u32,
    #[serde(default)]
    team: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hp: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Point>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    facing: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    velocity: Option<Velocity>,
}

/// An enemy.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredEnemy {
    pub(super) id: Uuid,
    team: u8,
    status: ParticipantStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hp: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phase: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Point>,
}

/// Sums, a sequence and a time, as somebody knows them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct StoredKnown {
    seq: u64,
    deltas: u64,
    updated_at: u64,
    actions: u64,
    refused: u64,
    damage: u64,
}

/// What is shown of a participant.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredShown {
    health: bool,
    place: bool,
    phase: bool,
}

/// The arena and what still stands of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredEnvironment {
    name: String,
    width_cm: u32,
    height_cm: u32,
    covers: Vec<StoredCover>,
    hazards: Vec<StoredHazard>,
    modifiers: Vec<String>,
    wins: Vec<(u8, u8)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turn: Option<Uuid>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredCover {
    name: String,
    kind: Cow<'static, str>,
    at: Point,
    width_cm: u32,
    height_cm: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health: Option<u32>,
}

#[derive(Debug, Serialize, Deserialize)]
struct StoredHazard {
    name: String,
    at: Point,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    radius_cm: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    health: Option<u32>,
    gone: bool,
}

/// An event in words.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredWords {
    at: SystemTime,
    kind: Cow<'static, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Uuid>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    details: Map<String, Value>,
}

/// One from the other and back, where both have the same fields: one that only one of them has does not compile.
macro_rules! same {
    ($told:ident, $stored:ident { $($field:ident),+ }) => {
        impl From<$told> for $stored {
            fn from($told { $($field),+ }: $told) -> Self {
                Self { $($field),+ }
            }
        }

        impl From<$stored> for $told {
            fn from($stored { $($field),+ }: $stored) -> Self {
                Self { $($field),+ }
            }
        }
    };
}

same!(ParticipantInfo, StoredSeat { player, joined_at, status, score, team, hp, at, facing, velocity });
same!(EnemyInfo, StoredEnemy { id, team, status, name, hp, phase, at });
same!(Known, StoredKnown { seq, deltas, updated_at, actions, refused, damage });
same!(Shown, StoredShown { health, place, phase });
same!(Cover, StoredCover { name, kind, at, width_cm, height_cm, health });
same!(Hazard, StoredHazard { name, at, radius_cm, health, gone });
same!(EventWords, StoredWords { at, kind, by, to, details });

impl Default for StoredShown {
    /// Of fights from before there was anything to hide.
    fn default() -> Self {
        Self { health: true, place: true, phase: true }
    }
}

impl From<Environment> for StoredEnvironment {
    fn from(told: Environment) -> Self {
        let Environment { name, width_cm, height_cm, covers, hazards, modifiers, wins, turn } = told;
        let (covers, hazards) = (all(covers), all(hazards));
        Self { name, width_cm, height_cm, covers, hazards, modifiers, wins, turn }
    }
}

impl From<StoredEnvironment> for Environment {
    fn from(stored: StoredEnvironment) -> Self {
        let StoredEnvironment { name, width_cm, height_cm, covers, hazards, modifiers, wins, turn } = stored;
        let (covers, hazards) = (all(covers), all(hazards));
        Self { name, width_cm, height_cm, covers, hazards, modifiers, wins, turn }
    }
}

/// Each of them in the other form.
pub(super) fn all<A, B: From<A>>(of: Vec<A>) -> Vec<B> {
    of.into_iter().map(B::from).collect()
}
