//! The arena's lobby: for every kind of fight the one session that waits for players. Nothing else is remembered; who sits
//! where the session itself knows, so a request given up half-way leaves nothing to repair.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

use serde_json::json;
use tiltyard_combat::{Difficulty, ParticipantStatus, Ruleset, SessionStatus};
use tiltyard_protocol::Reason;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::auth::named;
use crate::hub::{Hub, Mode, NewFight, Refusal};
use crate::rules::DEFAULT;

/// Kinds of arena fight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// One against one.
    Duel,
    /// Four, each for itself.
    Brawl,
    /// One against the server's enemies.
    Solo,
    /// Three against the server's enemies.
    Coop,
    /// Five against five, best of three rounds.
    Arena,
}

/// A fight that is waited for.
#[derive(Debug, Clone)]
pub struct Wish {
    pub kind: Kind,
    pub ruleset: Arc<Ruleset>,
    pub difficulty: Difficulty,
}

/// The waiting sessions. The locks are held across the seating, so players who want the same are seated one after the other.
#[derive(Debug, Default)]
pub struct Lobby {
    /// Bounded by what can be wished for.
    waiting: std::sync::Mutex<HashMap<(Kind, Difficulty, String), Place>>,
}

/// The session that waits.
type Place = Arc<Mutex<Option<Uuid>>>;

impl Kind {
    pub const ALL: [Self; 5] = [Self::Duel, Self::Brawl, Self::Solo, Self::Coop, Self::Arena];

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub const fn seats(self) -> u8 {
        match self {
            Self::Solo => 1,
            Self::Duel => 2,
            Self::Coop => 3,
            Self::Brawl => 4,
            Self::Arena => 10,
        }
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Duel => "duel",
            Self::Brawl => "brawl",
            Self::Solo => "solo",
            Self::Coop => "coop",
            Self::Arena => "arena",
        }
    }

    const fn mode(self) -> Mode {
        match self {
            Self::Duel | Self::Brawl => Mode::Pvp,
            Self::Solo | Self::Coop => Mode::Pve,
            Self::Arena => Mode::Arena,
        }
    }

    /// Whether it can be fought under `ruleset`.
    pub fn is_in(self, ruleset: &Ruleset) -> bool {
        let mode = self.mode();
        ruleset.modes[mode.index()].is_some() && (mode != Mode::Pve || !ruleset.waves.is_empty())
    }
}

impl Lobby {
    /// Seats `player` in the waiting session, or in a new one where there is none that takes it. Asked again while the session
    /// still waits, it is the same seat.
    pub async fn seat(&self, hub: &Hub, wish: &Wish, player: Uuid) -> Result<(Uuid, u8), Refusal> {
        let place = self.place(wish);
        let mut waiting = place.lock().await;
        if let Some(session) = *waiting {
            match join(hub, session, player).await {
                Ok(Some(slot)) => {
                    if slot + 1 == wish.kind.seats() {
                        *waiting = None;
                    }
                    return Ok((session, slot));
                }
                Ok(None) => *waiting = None,
                Err(refusal) => return Err(refusal),
            }
        }
        let fight = hub.create(fight(wish, player).ok_or(Reason::WrongType)?).await?;
        // One that is full does not wait.
        *waiting = (wish.kind.seats() > 1).then_some(fight.id);
        Ok((fight.id, 0))
    }

    fn place(&self, wish: &Wish) -> Place {
        let key = (wish.kind, wish.difficulty, wish.ruleset.name.clone());
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(waiting.entry(key).or_default())
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

/// Least time between two attacks of a person under [`DEFAULT`], which leaves none for others to answer in.
const ATTACK_INTERVAL_MS: u32 = 800;

/// A fight that people can follow. It belongs to nobody who plays in it, so that nobody can end it before losing it. `None`
/// where the ruleset has no such fights.
fn fight(wish: &Wish, player: Uuid) -> Option<NewFight> {
    let Wish { kind, ruleset, difficulty } = wish;
    let mode = kind.mode();
    let mut rules = ruleset.rules_of(mode, *difficulty).filter(|_| kind.is_in(ruleset))?;
    if ruleset.name == DEFAULT && mode != Mode::Pve {
        rules.attack_interval_ms = rules.attack_interval_ms.max(ATTACK_INTERVAL_MS);
    }
    rules.preparation_ms = rules.preparation_ms.min(10_000);
    rules.max_duration_ms = rules.max_duration_ms.min(300_000);
    match kind {
        Kind::Duel | Kind::Brawl => rules.teams = 0,
        Kind::Arena => (rules.teams, rules.rounds) = (2, rules.rounds.max(3)),
        Kind::Solo | Kind::Coop => {}
    }
    let settings = json!({ "arena": kind.name(), "ruleset": ruleset.name, "difficulty": difficulty.name() });
    Some(NewFight {
        id: Uuid::now_v7(),
        mode,
        creator: named("arena"),
        participants: vec![player],
        seats: kind.seats(),
        ruleset: Arc::clone(ruleset),
        rules,
        teams: Vec::new(),
        settings: settings.to_string(),
        metadata: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::{Kind, Lobby, Wish};
    use crate::hub::{Control, Hub};
    use crate::records::Expected;
    use crate::rules::Library;
    use crate::shard::{self, ShardConfig};
    use crate::socket::budget::Allowance;
    use std::collections::HashSet;
    use std::sync::Arc;
    use tiltyard_combat::Difficulty;
    use uuid::Uuid;

    #[tokio::test]
    async fn players_meet() {
        let folder = tempfile::tempdir().unwrap();
        let (data, library) = (folder.path().to_owned(), Arc::new(Library::built_in()));
        let ruleset = Arc::clone(library.by_name("default").unwrap());
        let wish = |kind| Wish { kind, ruleset: Arc::clone(&ruleset), difficulty: Difficulty::Normal };
        let config = ShardConfig {
            shards: 2,
            data,
            sync: false,
            allowance: Allowance::UNLIMITED,
            book: Arc::default(),
            library,
        };
        let (shards, threads) = shard::start(&config).unwrap();
        let (hub, lobby) = (Hub::new(shards), Lobby::default());
        let [ann, bob, cy, dee] = [(); 4].map(|()| Uuid::now_v7());

        let first = lobby.seat(&hub, &wish(Kind::Duel), ann).await.unwrap();
        assert_eq!(first.1, 0);
        assert_eq!(lobby.seat(&hub, &wish(Kind::Duel), ann).await.unwrap(), first, "the same seat again");
        assert_eq!(lobby.seat(&hub, &wish(Kind::Duel), bob).await.unwrap(), (first.0, 1));

        let (second, slot) = lobby.seat(&hub, &wish(Kind::Duel), cy).await.unwrap();
        assert!(second != first.0 && slot == 0, "a full one takes nobody");
        hub.control(second, Expected::default(), Control::Terminate { force: true }).await.unwrap();
        let (third, slot) = lobby.seat(&hub, &wish(Kind::Duel), cy).await.unwrap();
        assert!(third != second && slot == 0, "an ended one takes nobody");

        let alone = lobby.seat(&hub, &wish(Kind::Solo), ann).await.unwrap();
        assert_ne!(lobby.seat(&hub, &wish(Kind::Solo), bob).await.unwrap().0, alone.0, "a full one does not wait");
        let hard = Wish { difficulty: Difficulty::Hard, ..wish(Kind::Coop) };
        let (coop, _) = lobby.seat(&hub, &hard, ann).await.unwrap();
        assert_ne!(
            lobby.seat(&hub, &wish(Kind::Coop), bob).await.unwrap().0,
            coop,
            "who wants another waits elsewhere"
        );
        assert_eq!(lobby.seat(&hub, &hard, cy).await.unwrap(), (coop, 1));

        let mut brawls = HashSet::new();
        for (index, player) in [ann, bob, cy, dee].into_iter().enumerate() {
            let (session, slot) = lobby.seat(&hub, &wish(Kind::Brawl), player).await.unwrap();
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
