//! The arena's lobby: for every kind of fight the one session that waits for players. Nothing else is remembered, and after a
//! restart not even that has to be: who sits where the session itself knows, and it gives up the seats that nobody comes for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError};

use serde_json::{Value, json};
use tiltyard_combat::{Difficulty, ParticipantStatus, Ruleset, SessionStatus};
use tiltyard_protocol::Reason;
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::book::{Holdings, WriteBehind, holdings};
use crate::clock;
use crate::hub::Hub;
use crate::limits;
use crate::rules::DEFAULT;
use crate::session::{Expected, FightInfo, FightStatus, ParticipantInfo, Refusal, Viewer};
use crate::shard::NewFight;
use crate::store::{CombatFilter, Store};
use tiltyard_combat::Mode;

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

/// Who wants to fight, and from where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Comer {
    pub player: Uuid,
    pub address: IpAddr,
}

/// The waiting sessions. The locks are held across the seating, so players who want the same are seated one after the other.
#[derive(Debug, Default)]
pub struct Lobby {
    /// Bounded by what can be wished for.
    waiting: std::sync::Mutex<HashMap<Wished, Place>>,
}

/// Kind, difficulty and the ruleset's name.
type Wished = (Kind, Difficulty, String);

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
    /// A lobby that leads players to the sessions of the arena that wait already, from before a restart: the newest of each kind.
    pub async fn recall(hub: &Hub, store: &dyn Store) -> Self {
        let lobby = Self::default();
        match lobby.recalled(hub, store).await {
            Ok(0) => {}
            Ok(sessions) => tracing::info!(sessions, "fights of the arena wait for players"),
            Err(refusal) => tracing::warn!(
                reason = refusal.reason.name(),
                "fights of the arena that wait could not be looked for; players are led to new ones"
            ),
        }
        lobby
    }

    async fn recalled(&self, hub: &Hub, store: &dyn Store) -> Result<usize, Refusal> {
        let (status, player, limit) = (FightStatus::Initializing, Some(holdings::arena()), 100);
        let (mut before, mut found) = (None, 0);
        loop {
            let page = store.list_combat(&CombatFilter { status, mode: None, player, before, limit }).await?;
            let ids: Vec<Uuid> = page.sessions.iter().map(|row| row.id).collect();
            let mut fights = hub.read_many(Viewer::All, &ids).await?;
            fights.sort_by_key(|fight| std::cmp::Reverse(fight.id));
            for fight in fights.iter().filter(|fight| waits(fight)) {
                let Some(place) = wished(fight).map(|wish| self.place(wish)) else { continue };
                let mut waiting = place.lock().await;
                found += usize::from(waiting.is_none());
                waiting.get_or_insert(fight.id);
            }
            before = ids.last().copied().filter(|_| page.more);
            if before.is_none() {
                return Ok(found);
            }
        }
    }

    /// Seats the comer in the waiting session, or in a new one where there is none that takes it. Asked again while the session
    /// has not begun, it is the same seat. To be run to its end: given up half-way it leaves a session that nobody is led to.
    pub async fn seat(&self, hub: &Hub, book: &WriteBehind, wish: &Wish, comer: Comer) -> Result<(Uuid, u8), Refusal> {
        let place = self.place((wish.kind, wish.difficulty, wish.ruleset.name.clone()));
        let mut waiting = place.lock().await;
        let open = match *waiting {
            Some(session) => unbegun(hub, session).await?,
            None => None,
        };
        if let Some(open) = &open
            && let Some(slot) = own_seat(open, comer.player)
        {
            return Ok((open.id, slot));
        }
        book.spend_seat(comer.player, comer.address)?;
        let seated = new_seat(hub, book.holdings(), wish, comer, open.map(|fight| fight.id)).await;
        match seated {
            // One that is full does not wait.
            Ok((session, _)) => *waiting = (wish.kind.seats() > 1).then_some(session),
            Err(_) => book.give_back_seat(comer.player, comer.address),
        }
        seated
    }

    fn place(&self, wished: Wished) -> Place {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(waiting.entry(wished).or_default())
    }
}

/// Whether a session has seats that can be taken.
fn waits(fight: &FightInfo) -> bool {
    let taken = fight.participants.iter().filter(|seat| seat.status != ParticipantStatus::Eliminated).count();
    fight.status == SessionStatus::Initializing && taken < usize::from(fight.seats)
}

/// What was wished for when a fight was made, see [`fight`].
fn wished(fight: &FightInfo) -> Option<Wished> {
    let settings: Value = serde_json::from_str(&fight.settings).ok()?;
    let kind = Kind::named(settings["arena"].as_str()?)?;
    let difficulty = settings["difficulty"].as_str()?;
    let difficulty = Difficulty::ALL.into_iter().find(|known| known.name() == difficulty)?;
    Some((kind, difficulty, fight.ruleset.clone()))
}

/// A session, as long as it has not begun.
async fn unbegun(hub: &Hub, session: Uuid) -> Result<Option<FightInfo>, Refusal> {
    match hub.read(session).await {
        Ok(fight) => Ok(Some(fight).filter(|fight| fight.status == SessionStatus::Initializing)),
        Err(refusal) if refusal.reason == Reason::NoSession => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// The seat that a player has and has not given up.
fn own_seat(fight: &FightInfo, player: Uuid) -> Option<u8> {
    let own = |seat: &ParticipantInfo| seat.player == player && seat.status != ParticipantStatus::Eliminated;
    fight.participants.iter().position(own).and_then(|slot| u8::try_from(slot).ok())
}

/// A seat in the session that waits, or in a new one where it takes nobody any more.
async fn new_seat(
    hub: &Hub,
    holdings: &Holdings,
    wish: &Wish,
    comer: Comer,
    waiting: Option<Uuid>,
) -> Result<(Uuid, u8), Refusal> {
    if let Some(session) = waiting {
        let shares = holdings.take_seat(comer.player, comer.address)?;
        match hub.seat(session, Expected::default(), comer.player, shares).await {
            Ok(slot) => return Ok((session, slot)),
            // It is full, or has begun or ended since it was read.
            Err(refusal) if takes_nobody(refusal.reason) => {}
            Err(refusal) => return Err(refusal),
        }
    }
    let shares = holdings.take_seat(comer.player, comer.address)?;
    let asked = fight(wish, comer.player).ok_or(Reason::WrongType)?;
    Ok((hub.create_for(Viewer::All, asked, shares).await?.id, 0))
}

const fn takes_nobody(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::SessionFull
            | Reason::AlreadySeated
            | Reason::SessionEnded
            | Reason::WrongPhase
            | Reason::Paused
            | Reason::NoSession
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
    if rules.arrival_ms == 0 {
        rules.arrival_ms = limits::ARENA_ARRIVAL_MS;
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
        id: clock::new_id(),
        mode,
        creator: holdings::arena(),
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
    use super::{Comer, Kind, Lobby, Wish};
    use crate::book::WriteBehind;
    use crate::hub::Hub;
    use crate::limits;
    use crate::rules::Library;
    use crate::session::{Expected, Quota};
    use crate::shard::{self, Control, ShardConfig, renewals};
    use crate::socket::budget::Allowance;
    use std::collections::HashSet;
    use std::net::Ipv4Addr;
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
            redis: None,
            sync: false,
            accept_loss: false,
            allowance: Allowance::UNLIMITED,
            renewals: renewals().0,
            desks: crate::shard::Desks::default(),
            book: Arc::default(),
            library,
        };
        let (shards, threads) = shard::start(&config).unwrap();
        let (hub, lobby, book) = (Hub::new(shards), Lobby::default(), WriteBehind::default());
        let seat = async |wish: &Wish, player| {
            let comer = Comer { player, address: Ipv4Addr::LOCALHOST.into() };
            lobby.seat(&hub, &book, wish, comer).await
        };
        let [ann, bob, cy, dee] = [(); 4].map(|()| Uuid::now_v7());

        let first = seat(&wish(Kind::Duel), ann).await.unwrap();
        assert_eq!(first.1, 0);
        assert_eq!(seat(&wish(Kind::Duel), ann).await.unwrap(), first, "the same seat again");
        assert_eq!(seat(&wish(Kind::Duel), bob).await.unwrap(), (first.0, 1));

        let (second, slot) = seat(&wish(Kind::Duel), cy).await.unwrap();
        assert!(second != first.0 && slot == 0, "a full one takes nobody");
        hub.control(second, Expected::default(), Control::Terminate { force: true }).await.unwrap();
        let (third, slot) = seat(&wish(Kind::Duel), cy).await.unwrap();
        assert!(third != second && slot == 0, "an ended one takes nobody");

        let alone = seat(&wish(Kind::Solo), ann).await.unwrap();
        assert_ne!(seat(&wish(Kind::Solo), bob).await.unwrap().0, alone.0, "a full one does not wait");
        let hard = Wish { difficulty: Difficulty::Hard, ..wish(Kind::Coop) };
        let (coop, _) = seat(&hard, ann).await.unwrap();
        assert_ne!(seat(&wish(Kind::Coop), bob).await.unwrap().0, coop, "who wants another waits elsewhere");
        assert_eq!(seat(&hard, cy).await.unwrap(), (coop, 1));

        // A day has so many seats, and who asks again for the one it has takes no other.
        let (eve, most) = (Uuid::now_v7(), limits::ARENA_SEATS_PER_PLAYER_DAY);
        book.daily().seats.charge(eve, most - 1, book.daily().now());
        let last = seat(&wish(Kind::Arena), eve).await.unwrap();
        assert_eq!(seat(&wish(Kind::Arena), eve).await.unwrap(), last);
        let refused = seat(&wish(Kind::Solo), eve).await.unwrap_err();
        assert_eq!(refused.quota.unwrap().quota, Quota::DailySeats);

        let mut brawls = HashSet::new();
        for (index, player) in [ann, bob, cy, dee].into_iter().enumerate() {
            let (session, slot) = seat(&wish(Kind::Brawl), player).await.unwrap();
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
