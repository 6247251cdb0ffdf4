//! A session as one audience sees it. A client takes a [`Snapshot`], applies each [`Delta`] in order of sequence and has
//! the same view as the server; the digest that comes with some deltas proves it.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use uuid::Uuid;

use crate::Digest;
use crate::server::{Delta, ParticipantStatus, Patch, Phase, PhaseName, SessionStatus, Snapshot};

/// The view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub phase: Phase,
    /// Seats, taken in order of slot; fewer than this are taken while the session waits for players.
    pub seats: u8,
    /// By slot.
    pub participants: Vec<ParticipantView>,
    /// The numbers of the ruleset that a client needs to draw bars and count down cooldowns.
    pub rules: RulesView,
}

/// One participant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParticipantView {
    pub player: Uuid,
    pub status: ParticipantStatus,
    pub ready: bool,
    pub hp: u32,
    pub armor: u32,
    /// Thousandths, as it was at `stamina_at`; it grows by `stamina_per_second` up to `stamina_max`.
    pub stamina: u32,
    /// Session time in milliseconds.
    pub stamina_at: u64,
    /// Session time in milliseconds.
    pub guard_until: u64,
    pub score: u32,
}

/// Numbers of the ruleset. Times in milliseconds, stamina in points.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesView {
    pub health: u32,
    pub stamina: u32,
    pub stamina_per_second: u32,
    pub attack_interval_ms: u32,
    pub defend_cost: u32,
    pub defend_ms: u32,
    pub defend_cooldown_ms: u32,
}

/// Why a delta could not be applied. The client asks for a new snapshot by joining again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Drift {
    #[error("delta {got} came where {expected} was due")]
    Gap { expected: u64, got: u64 },
    #[error("the delta names slot {0}, which is not in the view")]
    UnknownSlot(u8),
    #[error("digest {here:#010x} here, {server:#010x} at the server")]
    Digest { here: u32, server: u32 },
}

impl Snapshot {
    /// The view, if its digest is the one the server sent.
    ///
    /// # Errors
    /// [`Drift::Digest`] where it is not.
    pub fn verified(self) -> Result<View, Drift> {
        let here = self.view.digest();
        if here == self.h { Ok(self.view) } else { Err(Drift::Digest { here, server: self.h }) }
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
        for patch in &delta.p {
            self.patch(patch)?;
        }
        if let Some(phase) = &delta.ph {
            self.phase.clone_from(phase);
        }
        if let Some(server) = delta.h {
            let here = self.digest();
            if here != server {
                return Err(Drift::Digest { here, server });
            }
        }
        Ok(delta.q)
    }

    fn patch(&mut self, patch: &Patch) -> Result<(), Drift> {
        let slot = usize::from(patch.i);
        if slot == self.participants.len() && patch.player.is_some() {
            self.participants.push(ParticipantView::default());
        }
        let participant = self.participants.get_mut(slot).ok_or(Drift::UnknownSlot(patch.i))?;
        let set = |field: &mut u32, value: Option<u32>| *field = value.unwrap_or(*field);
        let set_time = |field: &mut u64, value: Option<u64>| *field = value.unwrap_or(*field);
        participant.player = patch.player.unwrap_or(participant.player);
        participant.status = patch.status.unwrap_or(participant.status);
        participant.ready = patch.ready.unwrap_or(participant.ready);
        set(&mut participant.hp, patch.hp);
        set(&mut participant.armor, patch.armor);
        set(&mut participant.stamina, patch.stamina);
        set_time(&mut participant.stamina_at, patch.stamina_at);
        set_time(&mut participant.guard_until, patch.guard_until);
        set(&mut participant.score, patch.score);
        Ok(())
    }

    /// The digest over the canonical form: the words below in this order, the rules left out because they never change.
    #[must_use]
    pub fn digest(&self) -> u32 {
        let mut digest = Digest::new();
        self.phase.digest(&mut digest);
        digest.word(u32::from(self.seats));
        for participant in &self.participants {
            participant.digest(&mut digest);
        }
        digest.finish()
    }
}

impl Phase {
    /// Adds the phase's words: status, phase, deadline plus one (0 for none), winner's slot plus one (0 for none).
    pub fn digest(&self, digest: &mut Digest) {
        digest.word(self.status.code());
        digest.word(self.phase.code());
        digest.wide(self.until.map_or(0, |until| until + 1));
        digest.word(self.winner.map_or(0, |slot| u32::from(slot) + 1));
    }
}

impl ParticipantView {
    /// Adds the participant's words: the last four bytes of the player's id, then the fields in order.
    pub fn digest(&self, digest: &mut Digest) {
        digest.word(player_word(self.player));
        digest.word(self.status.code());
        digest.word(u32::from(self.ready));
        digest.word(self.hp);
        digest.word(self.armor);
        digest.word(self.stamina);
        digest.wide(self.stamina_at);
        digest.wide(self.guard_until);
        digest.word(self.score);
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
        }
    }
}
