//! The arena's lobby: for every kind of fight the one session that waits for players. Nothing else is remembered; who sits
//! where the session itself knows, so a request given up half-way leaves nothing to repair.

use serde_json::json;
use tiltyard_combat::{ParticipantStatus, Rules, SessionStatus};
use tiltyard_protocol::Reason;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::auth::named;
use crate::hub::{Hub, Mode, NewFight, Refusal};

/// Kinds of arena fight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One against one.
    Duel,
    /// Four, each for itself.
    Brawl,
}

/// The waiting sessions. The locks are held across the seating, so players are seated one after the other.
#[derive(Debug, Default)]
pub struct Lobby {
    duel: Mutex<Option<Uuid>>,
    brawl: Mutex<Option<Uuid>>,
}

impl Kind {
    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "duel" => Some(Self::Duel),
            "brawl" => Some(Self::Brawl),
            _ => None,
        }
    }

    pub const fn seats(self) -> u8 {
        match self {
            Self::Duel => 2,
            Self::Brawl => 4,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Duel => "duel",
            Self::Brawl => "brawl",
        }
    }
}

impl Lobby {
    /// Seats `player` in the waiting session, or in a new one where there is none that takes it. Asked again while the session
    /// still waits, it is the same seat.
    pub async fn seat(&self, hub: &Hub, kind: Kind, player: Uuid) -> Result<(Uuid, u8), Refusal> {
        let mut waiting = match kind {
            Kind::Duel => self.duel.lock().await,
            Kind::Brawl => self.brawl.lock().await,
        };
        if let Some(session) = *waiting {
            match join(hub, session, player).await {
                Ok(Some(slot)) => {
                    if slot + 1 == kind.seats() {
                        *waiting = None;
                    }
                    return Ok((session, slot));
                }
                Ok(None) => *waiting = None,
                Err(refusal) => return Err(refusal),
            }
        }
        let fight = hub.create(fight(kind, player)).await?;
        *waiting = Some(fight.id);
        Ok((fight.id, 0))
    }
}

/// A seat in `session`; `None` where it takes nobody any more, or where nobody is left to wait with.
async fn join(hub: &Hub, session: Uuid, player: Uuid) -> Result<Option<u8>, Refusal> {
    let fight = match hub.read(session).await {
        Ok(fight) if fight.status == SessionStatus::Initializing => fight,
        Err(refusal) if refusal.reason != Reason::NoSession => return Err(refusal),
        Ok(_) | Err(_) => return Ok(None),
    };
    if let Some(slot) = fight.participants.iter().position(|seat| seat.player == player) {
        let lost = fight.participants[slot].status == ParticipantStatus::Eliminated;
        return Ok(u8::try_from(slot).ok().filter(|_| !lost));
    }
    if fight.participants.iter().all(|seat| seat.status != ParticipantStatus::Active) {
        return Ok(None);
    }
    match hub.seat(session, player).await {
        Ok(slot) => Ok(Some(slot)),
        // It filled up, started or ended since it was read.
        Err(refusal) if takes_nobody(refusal.reason) => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

const fn takes_nobody(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::SessionFull | Reason::SessionEnded | Reason::WrongPhase | Reason::Paused | Reason::NoSession
    )
}

/// A fight that people can follow: slower than the ruleset's defaults. It belongs to nobody who plays in it, so that nobody
/// can end it before losing it.
fn fight(kind: Kind, player: Uuid) -> NewFight {
    let rules = Rules {
        attack_interval_ms: 800,
        preparation_ms: 10_000,
        cooldown_ms: 10_000,
        max_duration_ms: 300_000,
        ..Rules::default()
    };
    NewFight {
        id: Uuid::now_v7(),
        mode: Mode::Pvp,
        creator: named("arena"),
        participants: vec![player],
        seats: kind.seats(),
        rules,
        settings: json!({ "arena": kind.name() }).to_string(),
        metadata: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Kind, Lobby};
    use crate::hub::{Control, Hub};
    use crate::records::Expected;
    use crate::rules::Library;
    use crate::shard::{self, ShardConfig};
    use std::collections::HashSet;
    use std::sync::Arc;
    use uuid::Uuid;

    #[tokio::test]
    async fn players_meet() {
        let folder = tempfile::tempdir().unwrap();
        let (data, library) = (folder.path().to_owned(), Arc::new(Library::built_in()));
        let config = ShardConfig { shards: 2, data, sync: false, book: Arc::default(), library };
        let (shards, threads) = shard::start(&config).unwrap();
        let (hub, lobby) = (Hub::new(shards), Lobby::default());
        let [ann, bob, cy, dee] = [(); 4].map(|()| Uuid::now_v7());

        let first = lobby.seat(&hub, Kind::Duel, ann).await.unwrap();
        assert_eq!(first.1, 0);
        assert_eq!(lobby.seat(&hub, Kind::Duel, ann).await.unwrap(), first, "the same seat again");
        assert_eq!(lobby.seat(&hub, Kind::Duel, bob).await.unwrap(), (first.0, 1));

        let (second, slot) = lobby.seat(&hub, Kind::Duel, cy).await.unwrap();
        assert!(second != first.0 && slot == 0, "a full one takes nobody");
        hub.control(second, Expected::default(), Control::Terminate { force: true }).await.unwrap();
        let (third, slot) = lobby.seat(&hub, Kind::Duel, cy).await.unwrap();
        assert!(third != second && slot == 0, "an ended one takes nobody");

        let mut brawls = HashSet::new();
        for (index, player) in [ann, bob, cy, dee].into_iter().enumerate() {
            let (session, slot) = lobby.seat(&hub, Kind::Brawl, player).await.unwrap();
            brawls.insert(session);
            assert_eq!(usize::from(slot), index);
        }
        assert_eq!(brawls.len(), 1);

        hub.drain();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}
