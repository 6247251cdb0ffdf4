//! A session as one audience sees it. A client takes a [`Snapshot`], applies each [`Delta`] in order of sequence and has
//! the same view as the server has for its audience; the digest that comes with some deltas proves it.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::Digest;
use crate::server::{Delta, EndReason, ParticipantStatus, Patch, Phase, PhaseName, SessionStatus, Snapshot};

/// The view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub phase: Phase<'static>,
    /// Seats of players, taken in order of slot; fewer than this are taken while the session waits for players.
    pub seats: u8,
    /// By slot: players, then the server's enemies.
    pub participants: Vec<ParticipantView>,
    /// Health of each cover of the rules; 0 for one that is destroyed, or cannot be.
    pub covers: Vec<u32>,
    /// Health of each hazard of the rules, and 1 for one that is gone.
    pub hazards: Vec<(u32, u8)>,
    /// Effects of the rules that are on everybody this round.
    pub modifiers: Vec<u8>,
}

/// One participant. What this audience is not shown is at its zero value. Times are session time in milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantView {
    pub player: Uuid,
    pub team: u8,
    pub status: ParticipantStatus,
    pub ready: bool,
    pub score: u32,
    /// Out of this audience's sight: nothing below is known.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Which enemy of the rules it is, where the server plays it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enemy: Option<u8>,
    /// Of an enemy: a place in its phases.
    pub phase: u8,
    pub hp: u32,
    pub armor: u32,
    pub shield: u32,
    /// Thousandths, as it was at `stamina_at`; it grows by `stamina_rate` points a second up to the rules' `stamina`.
    pub stamina: u32,
    pub stamina_at: u64,
    pub stamina_rate: u32,
    pub guard_until: u64,
    /// A place in the rules' `states`.
    pub state: u8,
    /// Centimetres.
    pub x: i32,
    pub y: i32,
    /// Which way it faces, in degrees: 0 is the direction of x, 90 that of y.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub f: u16,
    /// Centimetres per second, as it was told last.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vx: i32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vy: i32,
    /// Effect, stacks, and until when; 0 for as long as the round lasts.
    pub effects: Vec<(u8, u8, u64)>,
    pub cast: CastView,
    /// As `stamina`.
    pub energy: u32,
    pub energy_at: u64,
    pub energy_rate: u32,
    /// Of the ultimate ability, in percent.
    pub charge: u32,
    pub ammo: u32,
    /// When the reload is over; 0 while there is none.
    pub reload_at: u64,
    /// Ability or item, how often it was used in this round, and when it is ready again.
    pub used: Vec<(u8, u8, u64)>,
}

/// What is being cast and until when: `[ability, until]`, or `[]` for nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<u64>", into = "Vec<u64>")]
pub struct CastView(pub Option<(u8, u64)>);

impl From<CastView> for Vec<u64> {
    fn from(cast: CastView) -> Self {
        cast.0.map_or_else(Self::new, |(ability, until)| vec![u64::from(ability), until])
    }
}

impl TryFrom<Vec<u64>> for CastView {
    type Error = &'static str;

    fn try_from(items: Vec<u64>) -> Result<Self, Self::Error> {
        match items[..] {
            [] => Ok(Self(None)),
            [ability, until] => {
                let ability = u8::try_from(ability).map_err(|_| "an ability is a number up to 255")?;
                Ok(Self(Some((ability, until))))
            }
            _ => Err("a cast has two numbers or none"),
        }
    }
}

/// Why a delta could not be applied. The client asks for a new snapshot by joining again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Drift {
    #[error("delta {got} came where {expected} was due")]
    Gap { expected: u64, got: u64 },
    #[error("the delta names slot {0}, which is not in the view")]
    UnknownSlot(u8),
    #[error("the delta names a cover or hazard {0}, which is not in the view")]
    UnknownThing(u8),
    #[error("digest {here:#010x} here, {server:#010x} at the server")]
    Digest { here: u32, server: u32 },
}

impl Snapshot {
    /// The view, if its digest is the one the server sent, as far as that can be said: see [`View::is_known`].
    ///
    /// # Errors
    /// [`Drift::Digest`] where it is not.
    pub fn verified(self) -> Result<View, Drift> {
        self.view.check(self.h)?;
        Ok(self.view)
    }
}

impl View {
    /// Applies `delta`, which must be the one after `seq`, and returns the new sequence.
    ///
    /// # Errors
    /// [`Drift`] where the delta does not follow or the digest differs; the view is then no longer to be trusted.
    pub fn apply(&mut self, seq: u64, delta: &Delta) -> Result<u64, Drift> {
        if delta.q != seq + 1 {
            return Err(Drift::Gap { expected: seq + 1, got: delta.q });
        }
        if let Some(left) = delta.n {
            self.participants.truncate(usize::from(left));
        }
        for patch in &delta.p {
            self.patch(patch)?;
        }
        if let Some(phase) = &delta.ph {
            self.phase.clone_from(phase);
        }
        for &(cover, health) in &delta.c {
            *self.covers.get_mut(usize::from(cover)).ok_or(Drift::UnknownThing(cover))? = health;
        }
        for &(hazard, health, gone) in &delta.z {
            *self.hazards.get_mut(usize::from(hazard)).ok_or(Drift::UnknownThing(hazard))? = (health, gone);
        }
        if let Some(modifiers) = &delta.m {
            self.modifiers.clone_from(modifiers);
        }
        if let Some(server) = delta.h {
            self.check(server)?;
        }
        Ok(delta.q)
    }

    fn check(&self, server: u32) -> Result<(), Drift> {
        let here = self.digest();
        if here == server || !self.is_known() { Ok(()) } else { Err(Drift::Digest { here, server }) }
    }

    /// Whether each of its words is known here. Of one that only a newer server has there is no code, so the digest says nothing.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let Phase { status, phase, end, .. } = &self.phase;
        *status != SessionStatus::Unknown
            && *phase != PhaseName::Unknown
            && *end != Some(EndReason::Unknown)
            && self.participants.iter().all(|participant| participant.status != ParticipantStatus::Unknown)
    }

    fn patch(&mut self, patch: &Patch) -> Result<(), Drift> {
        let slot = usize::from(patch.i);
        if slot == self.participants.len() && patch.player.is_some() {
            self.participants.push(ParticipantView::default());
        }
        let participant = self.participants.get_mut(slot).ok_or(Drift::UnknownSlot(patch.i))?;
        participant.patch(patch);
        Ok(())
    }

    /// The digest over the canonical form: every field, in an order of its own (docs/PROTOCOL.md).
    #[must_use]
    pub fn digest(&self) -> u32 {
        let mut digest = Digest::new();
        self.phase.digest(&mut digest);
        digest.word(u32::from(self.seats));
        digest.count(self.covers.len());
        self.covers.iter().for_each(|&health| digest.word(health));
        digest.count(self.hazards.len());
        for &(health, gone) in &self.hazards {
            digest.word(health);
            digest.word(u32::from(gone));
        }
        digest.count(self.modifiers.len());
        self.modifiers.iter().for_each(|&effect| digest.word(u32::from(effect)));
        digest.count(self.participants.len());
        self.participants.iter().for_each(|participant| participant.digest(&mut digest));
        for (slot, participant) in (0..).zip(&self.participants) {
            participant.digest_private(slot, &mut digest);
        }
        digest_motions(
            (0..).zip(&self.participants).map(|(slot, participant)| (slot, participant.motion())),
            &mut digest,
        );
        digest.finish()
    }
}

impl Phase<'_> {
    /// Adds the phase's words.
    pub fn digest(&self, digest: &mut Digest) {
        digest.word(self.status.code());
        digest.word(self.phase.code());
        digest.count(self.state.len());
        self.state.bytes().for_each(|byte| digest.word(u32::from(byte)));
        digest.wide(self.until.map_or(0, |until| until + 1));
        digest.word(self.winner.map_or(0, |slot| u32::from(slot) + 1));
        digest.word(self.team.map_or(0, |team| u32::from(team) + 1));
        digest.word(self.end.map_or(0, |end| end.code() + 1));
        digest.word(u32::from(self.round));
        digest.count(self.wins.len());
        for &(team, wins) in self.wins.iter() {
            digest.word(u32::from(team));
            digest.word(u32::from(wins));
        }
        digest.word(self.turn.map_or(0, |slot| u32::from(slot) + 1));
        digest.wide(self.turn_until.unwrap_or(0));
    }
}

impl ParticipantView {
    fn patch(&mut self, patch: &Patch) {
        if let Some(player) = patch.player {
            let (team, enemy) = (patch.team.unwrap_or_default(), patch.enemy);
            *self = Self { player, team, enemy, ..Self::default() };
        }
        if patch.hidden == Some(true) {
            let Self { player, team, status, ready, score, .. } = *self;
            *self = Self { player, team, status, ready, score, hidden: true, ..Self::default() };
        }
        take(&mut self.status, patch.status);
        take(&mut self.ready, patch.ready);
        take(&mut self.score, patch.score);
        take(&mut self.phase, patch.phase);
        take(&mut self.hp, patch.hp);
        take(&mut self.armor, patch.armor);
        take(&mut self.shield, patch.shield);
        take(&mut self.stamina, patch.stamina);
        take(&mut self.stamina_at, patch.stamina_at);
        take(&mut self.stamina_rate, patch.stamina_rate);
        take(&mut self.guard_until, patch.guard_until);
        take(&mut self.state, patch.state);
        take(&mut self.x, patch.x);
        take(&mut self.y, patch.y);
        take(&mut self.f, patch.f);
        take(&mut self.vx, patch.vx);
        take(&mut self.vy, patch.vy);
        take(&mut self.cast, patch.cast);
        take(&mut self.energy, patch.energy);
        take(&mut self.energy_at, patch.energy_at);
        take(&mut self.energy_rate, patch.energy_rate);
        take(&mut self.charge, patch.charge);
        take(&mut self.ammo, patch.ammo);
        take(&mut self.reload_at, patch.reload_at);
        if let Some(effects) = &patch.effects {
            self.effects.clone_from(effects);
        }
        if let Some(used) = &patch.used {
            self.used.clone_from(used);
        }
    }

    /// Adds the words of what most audiences see.
    pub fn digest(&self, digest: &mut Digest) {
        digest.word(player_word(self.player));
        digest.word(u32::from(self.team));
        digest.word(self.status.code());
        digest.word(u32::from(self.ready) + 2 * u32::from(self.hidden));
        digest.word(self.score);
        digest.word(self.enemy.map_or(0, |enemy| u32::from(enemy) + 1));
        digest.word(u32::from(self.phase));
        digest.word(self.hp);
        digest.word(self.armor);
        digest.word(self.shield);
        digest.word(self.stamina);
        digest.wide(self.stamina_at);
        digest.word(self.stamina_rate);
        digest.wide(self.guard_until);
        digest.word(u32::from(self.state));
        digest.word(self.x.cast_unsigned());
        digest.word(self.y.cast_unsigned());
        digest.triples(self.effects.iter().copied());
        let cast = self.cast.0;
        digest.word(cast.map_or(0, |(ability, _)| u32::from(ability) + 1));
        digest.wide(cast.map_or(0, |(_, until)| until));
    }

    /// Which way it faces, and how fast it goes.
    #[must_use]
    pub const fn motion(&self) -> Motion {
        Motion { f: self.f, vx: self.vx, vy: self.vy }
    }

    /// Adds the words of what is a participant's own affair; none where there is nothing of it.
    pub fn digest_private(&self, slot: u32, digest: &mut Digest) {
        let private = Private {
            energy: self.energy,
            energy_at: self.energy_at,
            energy_rate: self.energy_rate,
            charge: self.charge,
            ammo: self.ammo,
            reload_at: self.reload_at,
        };
        private.digest(slot, self.used.iter().copied(), digest);
    }
}

/// What is a participant's own affair, but for the abilities it used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Private {
    pub energy: u32,
    pub energy_at: u64,
    pub energy_rate: u32,
    pub charge: u32,
    pub ammo: u32,
    pub reload_at: u64,
}

impl Private {
    /// Adds the words, with those of the abilities used; none where there is nothing but zeros.
    pub fn digest(&self, slot: u32, used: impl ExactSizeIterator<Item = (u8, u8, u64)>, digest: &mut Digest) {
        if *self == Self::default() && used.len() == 0 {
            return;
        }
        digest.word(slot + 1);
        digest.word(self.energy);
        digest.wide(self.energy_at);
        digest.word(self.energy_rate);
        digest.word(self.charge);
        digest.word(self.ammo);
        digest.wide(self.reload_at);
        digest.triples(used);
    }
}

/// Which way a participant faces, and how fast it goes along each axis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Motion {
    pub f: u16,
    pub vx: i32,
    pub vy: i32,
}

/// What stands in front of the words of motions: no slot + 1.
const MOTIONS: u32 = u32::MAX;

/// Adds the words of all motions that are not zero, by slot; none where there are none, so that a digest is what it was before there were
/// any.
pub fn digest_motions(motions: impl Iterator<Item = (u32, Motion)>, digest: &mut Digest) {
    let mut is_first = true;
    for (slot, Motion { f, vx, vy }) in motions.filter(|(_, motion)| *motion != Motion::default()) {
        if std::mem::take(&mut is_first) {
            digest.word(MOTIONS);
        }
        digest.word(slot + 1);
        digest.word(u32::from(f));
        digest.word(vx.cast_unsigned());
        digest.word(vy.cast_unsigned());
    }
}

/// The code of a word that is not known here: the digest of a view that has one is compared with nothing.
const UNKNOWN: u32 = u32::MAX - 1;

// serde's `skip_serializing_if` calls with a reference.
fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn take<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}

/// The last four bytes of a uuid, which stand for the player in a digest and for the session as its handle.
#[must_use]
#[allow(clippy::cast_possible_truncation)] // The low word is what is wanted.
pub const fn player_word(id: Uuid) -> u32 {
    id.as_u128() as u32
}

impl ParticipantStatus {
    /// Its word in a digest.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Active => 0,
            Self::Eliminated => 1,
            Self::Disconnected => 2,
            Self::Unknown => UNKNOWN,
        }
    }
}

impl SessionStatus {
    /// Its word in a digest.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Initializing => 0,
            Self::Active => 1,
            Self::Paused => 2,
            Self::Completed => 3,
            Self::Terminated => 4,
            Self::Unknown => UNKNOWN,
        }
    }
}

impl PhaseName {
    /// Its word in a digest.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Preparation => 0,
            Self::Active => 1,
            Self::Cooldown => 2,
            Self::Finished => 3,
            Self::Unknown => UNKNOWN,
        }
    }
}

impl EndReason {
    /// Its word in a digest.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::LastStanding => 0,
            Self::TimeLimit => 1,
            Self::Forfeit => 2,
            Self::Terminated => 3,
            Self::Completed => 4,
            Self::Abandoned => 5,
            Self::Failed => 6,
            Self::ScoreLimit => 7,
            Self::RoundsWon => 8,
            Self::Cleared => 9,
            Self::Survived => 10,
            Self::Defeated => 11,
            Self::NotReady => 12,
            Self::PauseLimit => 13,
            Self::Unknown => UNKNOWN,
        }
    }
}
