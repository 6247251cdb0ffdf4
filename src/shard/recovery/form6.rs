//! The entries of form 6, as its journals have them: read by the start after an upgrade, and never written.

use std::borrow::Cow;

use serde::Deserialize;
use tiltyard_combat::{Event, Fight, Input};
use uuid::Uuid;

use crate::replays::RecorderState;
use crate::shard::Fog;
use crate::shard::entry::{Description, Entry, SessionRecord};
use tiltyard_combat::Mode;

/// As [`Entry`]: it had no segments that go on from the one before them.
#[derive(Debug, Deserialize)]
pub enum Entry6 {
    Session { no: u32, record: Box<Record6> },
    Input { no: u32, at: u64, input: Input },
    Describe { no: u32, description: Description },
    Forget { no: u32 },
    CheckpointEnd,
}

/// As [`SessionRecord`]: it had no epoch.
#[derive(Debug, Deserialize)]
pub struct Record6 {
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
    fight: Fight,
}

impl From<Entry6> for Entry<'static> {
    fn from(entry: Entry6) -> Self {
        match entry {
            Entry6::Session { no, record } => {
                Self::Session { no, record: Box::new(Cow::Owned(SessionRecord::from(*record))) }
            }
            Entry6::Input { no, at, input } => Self::Input { no, at, input },
            Entry6::Describe { no, description } => Self::Describe { no, description: Cow::Owned(description) },
            Entry6::Forget { no } => Self::Forget { no },
            Entry6::CheckpointEnd => Self::CheckpointEnd,
        }
    }
}

impl From<Record6> for SessionRecord {
    fn from(record: Record6) -> Self {
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
            fight: record.fight,
            epoch: Self::FIRST_EPOCH,
            number: 0,
        }
    }
}
