//! Any session by its id, for a caller who may do something to it: live in an arena or a shard, or kept by the store.

use std::collections::HashMap;
use std::sync::Arc;

use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::error::ApiError;
use super::extract::{NamedId, Parameters};
use super::{AppState, shapes};
use crate::analytics::Series;
use crate::auth::{Operation, Principal, Relation};
use crate::records::{Kept, Owned, Record};
use crate::session::{FightInfo, Kind, Refusal, Status, Viewer};
use crate::shard::Seats;

/// A session that was found.
#[derive(Debug, Clone)]
pub struct Found {
    pub kept: Kept,
    /// In memory, where it can be changed.
    pub resident: bool,
    /// The node it belongs to; `None` for this one.
    pub node: Option<Arc<str>>,
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
            Kept::Record(record) => (&record.body).into(),
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
        relation(owner == caller.owner(), takes_part)
    }

    /// The session, where it is no fight.
    pub fn record(self) -> Result<Arc<Record>, Reason> {
        match self.kept {
            Kept::Record(record) => Ok(record),
            Kept::Fight(_) => Err(Reason::WrongType),
        }
    }

    /// Whether nothing changes any more.
    pub fn has_ended(&self) -> bool {
        self.kept.has_ended()
    }

    /// Refused by name where it lives at another node, which alone can change it.
    pub fn expect_here(&self) -> Result<(), ApiError> {
        match &self.node {
            Some(node) if !self.has_ended() => Err(elsewhere(node)),
            _ => Ok(()),
        }
    }

    /// In the generic view; `node` is this one.
    pub fn session<'a>(&'a self, node: &'a str) -> shapes::Session<'a> {
        let node = self.node.as_deref().unwrap_or(node);
        match &self.kept {
            Kept::Record(record) => shapes::Session::of(record, node),
            Kept::Fight(fight) => shapes::Session::of_fight(fight, node),
        }
    }
}

impl From<Arc<Record>> for Found {
    fn from(record: Arc<Record>) -> Self {
        Self { resident: !record.status.is_end(), kept: Kept::Record(record), node: None }
    }
}

impl From<FightInfo> for Found {
    fn from(fight: FightInfo) -> Self {
        Self { kept: Kept::Fight(Arc::new(fight)), resident: true, node: None }
    }
}

const fn relation(owns: bool, takes_part: bool) -> Relation {
    match (owns, takes_part) {
        (true, _) => Relation::Creator,
        (false, true) => Relation::Participant,
        (false, false) => Relation::Foreign,
    }
}

/// What `viewer` may see of a fight that no shard here can be asked about.
fn cut(fight: Arc<FightInfo>, viewer: Viewer) -> Arc<FightInfo> {
    if viewer == Viewer::All || fight.has_ended() {
        return fight;
    }
    Arc::new(Arc::unwrap_or_clone(fight).from_afar(viewer))
}

/// A refusal to change what lives at `node`.
pub(super) fn elsewhere(node: &str) -> ApiError {
    ApiError::new(Reason::SessionElsewhere)
        .message(format!("The session lives at node {node}, which alone can change it: ask there."))
        .with("node", node.into())
}

impl AppState {
    /// A session the caller may do `operation` to, as far as it may see it. To others it does not exist; where it would be
    /// changed and lives at another node, that is said.
    pub async fn find(&self, caller: &Principal, operation: Operation, id: Uuid) -> Result<Found, ApiError> {
        caller.may(operation)?;
        let found = match self.records.live(id) {
            Some(record) => record.into(),
            // Boxed, so that the usual request does not carry the room it would need.
            None => Box::pin(self.look_up(caller.viewer(), id)).await?,
        };
        caller.may_to(operation, found.relation(caller))?;
        if operation.changes() {
            found.expect_here()?;
        }
        Ok(found)
    }

    /// The same of the session that the path names, where the request has no parameters and no body.
    pub async fn find_alone(
        &self,
        caller: &Principal,
        operation: Operation,
        id: NamedId,
        mut query: Parameters,
    ) -> Result<Found, ApiError> {
        caller.may(operation)?;
        let id = id.beside_query(&mut query);
        query.finish()?;
        self.find(caller, operation, id).await
    }

    /// The same before the body is judged: `None` where the path names no id, which is a fault to be named with those of the body.
    pub async fn find_named(
        &self,
        caller: &Principal,
        operation: Operation,
        id: NamedId,
    ) -> Result<Option<Found>, ApiError> {
        caller.may(operation)?;
        match id.given() {
            Some(id) => self.find(caller, operation, id).await.map(Some),
            None => Ok(None),
        }
    }

    /// The same of a session that sockets are for, and only whether the caller and `player` may come in: of a fight the shard is asked for no
    /// more.
    pub async fn seats(
        &self,
        caller: &Principal,
        operation: Operation,
        id: Uuid,
        player: Option<Uuid>,
    ) -> Result<Seats, ApiError> {
        caller.may(operation)?;
        let players = [caller.player(), player].map(Option::unwrap_or_default);
        match self.hub.seats(id, players).await {
            Ok(seats) => {
                caller.may_to(operation, relation(seats.creator == caller.owner(), seats.has_seat[0]))?;
                Ok(seats)
            }
            Err(refusal) if refusal.reason == Reason::NoSession => match self.find(caller, operation, id).await?.kept {
                Kept::Fight(fight) => {
                    let has_seat = players.map(|player| fight.takes_part(player));
                    Ok(Seats { creator: fight.creator, has_seat, has_ended: fight.has_ended() })
                }
                Kept::Record(record) if record.kind() == Kind::Auth => Err(Reason::WrongType.into()),
                Kept::Record(record) => {
                    let has_seat = players.map(|player| record.concerns(player));
                    Ok(Seats { creator: record.player, has_seat, has_ended: record.status.is_end() })
                }
            },
            Err(refusal) => Err(refusal.into()),
        }
    }

    /// The same of a fight, in its own view.
    pub async fn fight(
        &self,
        caller: &Principal,
        operation: Operation,
        id: NamedId,
        query: Parameters,
    ) -> Result<Arc<FightInfo>, ApiError> {
        match self.find_alone(caller, operation, id, query).await?.kept {
            Kept::Fight(fight) => Ok(fight),
            Kept::Record(_) => Err(Reason::NoSession.into()),
        }
    }

    /// The refusal of what a shard was asked about a fight. One that it does not have was there a moment ago, or has ended and left it;
    /// unless another server has the node's fights.
    pub fn gone(&self, refusal: Refusal) -> Refusal {
        match refusal.reason {
            Reason::NoSession if self.hub.stats().log_superseded > 0 => Reason::NodeSuperseded.into(),
            Reason::NoSession => Reason::SessionEnded.into(),
            _ => refusal,
        }
    }

    /// A session as far as `viewer` may see it.
    pub async fn look_up(&self, viewer: Viewer, id: Uuid) -> Result<Found, ApiError> {
        if let Some(record) = self.records.live(id) {
            return Ok(record.into());
        }
        match self.hub.read_for(viewer, id).await {
            Ok(fight) => return Ok(fight.into()),
            Err(refusal) if refusal.reason == Reason::NoSession => {}
            Err(refusal) => return Err(refusal.into()),
        }
        match self.records.kept(id).await? {
            Some(owned) => Ok(self.afar(owned, viewer)),
            None => Err(Reason::NoSession.into()),
        }
    }

    /// Fights that the store has told of, as far as `viewer` may see them, as they are by now: who has them in a shard, or has just
    /// put one down for the store, knows more.
    pub async fn as_they_are(
        &self,
        viewer: Viewer,
        fights: impl IntoIterator<Item = Arc<FightInfo>>,
    ) -> Vec<Arc<FightInfo>> {
        let mut fights: Vec<Arc<FightInfo>> = fights.into_iter().collect();
        let live: Vec<Uuid> = fights.iter().filter(|fight| !fight.has_ended()).map(|fight| fight.id).collect();
        // A shard that does not answer is as good as one of another node.
        let live = self.hub.read_many(viewer, &live).await.unwrap_or_default();
        let mut live: HashMap<Uuid, FightInfo> = live.into_iter().map(|fight| (fight.id, fight)).collect();
        for fight in &mut fights {
            if fight.has_ended() {
                continue;
            }
            let known = live.remove(&fight.id).map(Arc::new);
            let put_down = || self.records.book().get(fight.id).map(|fight| cut(fight, viewer));
            *fight = known.or_else(put_down).unwrap_or_else(|| cut(Arc::clone(fight), viewer));
        }
        fights
    }

    /// What the store says of a session, as far as `viewer` may see it.
    pub fn afar(&self, Owned { kept, node }: Owned, viewer: Viewer) -> Found {
        let kept = match kept {
            Kept::Fight(fight) => Kept::Fight(cut(fight, viewer)),
            kept @ Kept::Record(_) => kept,
        };
        Found { kept, resident: false, node: (*node != *self.records.node()).then_some(node) }
    }
}
