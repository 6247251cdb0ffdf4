//! The entries of form 7, as its journals have them: read by the start after an upgrade, and never written.

use std::borrow::Cow;

use serde::Deserialize;
use tiltyard_combat::fight::Fight7;
use tiltyard_combat::{Event, Input};
use uuid::Uuid;

use crate::replays::RecorderState;
use crate::shard::Fog;
use crate::shard::entry::{Description, Entry, SessionRecord};
use tiltyard_combat::Mode;

/// As [`Entry`].
#[derive(Debug, Deserialize)]
pub enum Entry7 {
    Session { no: u32, record: Box<Record7> },
    Input { no: u32, at: u64, input: Input },
    Describe { no: u32, description: Description },
    Forget { no: u32 },
    CheckpointEnd,
    Follows { salt: u32, end: u64 },
    Claim { no: u32, epoch: u64, number: u64 },
}

/// As [`SessionRecord`], with the fight as it was then.
#[derive(Debug, Deserialize)]
pub struct Record7 {
    id: Uuid,
    mode: Mode,
    creator: Uuid,
    settings: String,
    metadata: String,
    created_at: u64,
    started_at: Option<u64>,
    ended_at: Option<u64>,
    updated_at: u64,
    paused_since: Option<u64>,
    version: u64,
    recent: Vec<(u64, Event)>,
    fog: Option<Box<Fog>>,
    ruleset: [u8; 32],
    seed: u64,
    founders: u8,
    recorder: RecorderState,
    fight: Fight7,
    epoch: u64,
}

impl From<Entry7> for Entry<'static> {
    fn from(entry: Entry7) -> Self {
        match entry {
            Entry7::Session { no, record } => {
                Self::Session { no, record: Box::new(Cow::Owned(SessionRecord::from(*record))) }
            }
            Entry7::Input { no, at, input } => Self::Input { no, at, input },
            Entry7::Describe { no, description } => Self::Describe { no, description: Cow::Owned(description) },
            Entry7::Forget { no } => Self::Forget { no },
            Entry7::CheckpointEnd => Self::CheckpointEnd,
            Entry7::Follows { salt, end } => Self::Follows { salt, end },
            Entry7::Claim { no, epoch, number } => Self::Claim { no, epoch, number },
        }
    }
}

impl From<Record7> for SessionRecord {
    fn from(record: Record7) -> Self {
        Self {
            id: record.id,
            mode: record.mode,
            creator: record.creator,
            settings: record.settings,
            metadata: record.metadata,
            created_at: record.created_at,
            started_at: record.started_at,
            ended_at: record.ended_at,
            updated_at: record.updated_at,
            paused_since: record.paused_since,
            version: record.version,
            recent: record.recent,
            fog: record.fog,
            ruleset: record.ruleset,
            seed: record.seed,
            founders: record.founders,
            recorder: record.recorder,
            fight: record.fight.into(),
            epoch: record.epoch,
            number: 0,
        }
    }
}
