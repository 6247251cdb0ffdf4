//! The arena's lobby: for every kind of fight the one session that waits for players. Nothing else is remembered; who sits
//! where the session itself knows, so a request given up half-way leaves nothing to repair.

use serde_json::json;
use tiltyard_combat::{Rules, SessionStatus};
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

/// A seat in `session`; `None` where it takes nobody any more.
async fn join(hub: &Hub, session: Uuid, player: Uuid) -> Result<Option<u8>, Refusal> {
    let refusal = match hub.seat(session, player).await {
        Ok(slot) => return Ok(Some(slot)),
        Err(refusal) => refusal,
    };
    match refusal.reason {
        Reason::AlreadySeated => {
            let fight = hub.read(session).await?;
            let slot = fight.participants.iter().position(|seat| seat.player == player);
            let waits = fight.status == SessionStatus::Initializing;
            Ok(slot.filter(|_| waits).and_then(|slot| u8::try_from(slot).ok()))
        }
        Reason::SessionFull
        | Reason::SessionEnded
        | Reason::WrongPhase
        | Reason::NoSession
        | Reason::Paused
        | Reason::InvalidTransition => Ok(None),
        _ => Err(refusal),
    }
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
    }
}
