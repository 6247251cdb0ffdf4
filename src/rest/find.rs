//! Any session by its id, for a caller who may do something to it: live in an arena or a shard, or kept by the store.

use std::sync::Arc;

use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::error::ApiError;
use super::{AppState, shapes};
use crate::analytics::Series;
use crate::analytics::witness::series_of;
use crate::auth::{Operation, Principal, Relation};
use crate::hub::FightInfo;
use crate::records::{Kept, Record};
use crate::store::{Kind, Status};

/// A session that was found.
#[derive(Debug, Clone)]
pub struct Found {
    pub kept: Kept,
    /// In memory, where it can be changed.
    pub resident: bool,
}

impl Found {
    pub fn kind(&self) -> Kind {
        match &self.kept {
            Kept::Record(record) => record.kind(),
            Kept::Fight(_) => Kind::Combat,
        }
    }

    /// In the generic view.
    pub fn status(&self) -> Status {
        match &self.kept {
            Kept::Record(record) => record.status,
            Kept::Fight(fight) => fight.generic_status(),
        }
    }

    pub fn version(&self) -> u64 {
        match &self.kept {
            Kept::Record(record) => record.version,
            Kept::Fight(fight) => fight.version,
        }
    }

    /// What requests about it are counted as.
    pub fn series(&self) -> Series {
        match &self.kept {
            Kept::Record(record) => series_of(&record.body),
            Kept::Fight(fight) => fight.mode.into(),
        }
    }

    /// How a caller stands to it.
    pub fn relation(&self, caller: &Principal) -> Relation {
        let (owner, takes_part) = match &self.kept {
            Kept::Record(record) => (record.player, caller.player().is_some_and(|player| record.concerns(player))),
            Kept::Fight(fight) => {
                let seated = |player| fight.participants.iter().any(|seat| seat.player == player);
                (fight.creator, caller.player().is_some_and(seated))
            }
        };
        match (owner == caller.owner(), takes_part) {
            (true, _) => Relation::Creator,
            (false, true) => Relation::Participant,
            (false, false) => Relation::Foreign,
        }
    }

    /// The session, where it is no fight.
    pub fn record(self) -> Result<Arc<Record>, Reason> {
        match self.kept {
            Kept::Record(record) => Ok(record),
            Kept::Fight(_) => Err(Reason::WrongType),
        }
    }

    /// In the generic view.
    pub fn session<'a>(&'a self, node: &'a str) -> shapes::Session<'a> {
        match &self.kept {
            Kept::Record(record) => shapes::Session::of(record, node),
            Kept::Fight(fight) => shapes::Session::of_fight(fight, node),
        }
    }
}

impl From<Arc<Record>> for Found {
    fn from(record: Arc<Record>) -> Self {
        Self { resident: !record.status.is_end(), kept: Kept::Record(record) }
    }
}

impl From<FightInfo> for Found {
    fn from(fight: FightInfo) -> Self {
        Self { kept: Kept::Fight(Arc::new(fight)), resident: true }
    }
}

impl AppState {
    /// A session the caller may do `operation` to. To others it does not exist.
    pub async fn find(&self, caller: &Principal, operation: Operation, id: Uuid) -> Result<Found, ApiError> {
        caller.may(operation)?;
        let found = match self.records.live(id) {
            Some(record) => record.into(),
            // Boxed, so that the usual request does not carry the room it would need.
            None => Box::pin(self.look_up(id)).await?,
        };
        caller.may_to(operation, found.relation(caller))?;
        Ok(found)
    }

    /// The same of a fight, in its own view.
    pub async fn fight(&self, caller: &Principal, operation: Operation, id: Uuid) -> Result<Arc<FightInfo>, ApiError> {
        match self.find(caller, operation, id).await?.kept {
            Kept::Fight(fight) => Ok(fight),
            Kept::Record(_) => Err(Reason::NoSession.into()),
        }
    }

    /// A session, whoever asks.
    pub async fn look_up(&self, id: Uuid) -> Result<Found, ApiError> {
        if let Some(record) = self.records.live(id) {
            return Ok(record.into());
        }
        match self.hub.read(id).await {
            Ok(fight) => return Ok(fight.into()),
            Err(refusal) if refusal.reason == Reason::NoSession => {}
            Err(refusal) => return Err(refusal.into()),
        }
        match self.records.kept(id).await? {
            Some(kept) => Ok(Found { kept, resident: false }),
            None => Err(Reason::NoSession.into()),
        }
    }
}
