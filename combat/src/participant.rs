//! One seat of a fight.

use serde::{Deserialize, Serialize};

use crate::{Millis, PlayerId, Remembered, Rules};

/// How a participant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ParticipantStatus {
    Active,
    Eliminated,
    Disconnected,
}

/// One participant's state.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Participant {
    pub(crate) player: PlayerId,
    pub(crate) status: ParticipantStatus,
    pub(crate) ready: bool,
    /// Has been connected before, and whether it is now; one that acts over REST alone never is.
    pub(crate) connected: bool,
    pub(crate) hp: u32,
    pub(crate) armor: u32,
    pub(crate) stamina: Stamina,
    pub(crate) guard_until: Millis,
    pub(crate) defend_ready_at: Millis,
    pub(crate) attack_ready_at: Millis,
    /// When the seat is forfeited; `None` while connected or never connected.
    pub(crate) forfeit_at: Option<Millis>,
    pub(crate) joined_at: Millis,
    pub(crate) score: u32,
    pub(crate) eliminations: u32,
    pub(crate) damage: u64,
    pub(crate) answers: Remembered,
}

/// A pool that fills with time and is only computed when it is asked for: idle fights cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Stamina {
    /// Thousandths, as they were at `at`.
    pub(crate) milli: u32,
    pub(crate) at: Millis,
}

impl Stamina {
    /// Thousandths at `now`.
    pub fn milli_at(self, now: Millis, rules: &Rules) -> u32 {
        // Points per second are thousandths per millisecond.
        let grown = now.saturating_sub(self.at).saturating_mul(u64::from(rules.stamina_per_second));
        let filled = u64::from(self.milli).saturating_add(grown).min(u64::from(rules.stamina) * 1000);
        u32::try_from(filled).unwrap_or(u32::MAX)
    }

    /// Takes `points` at `now`, or says when there will be enough; `Millis::MAX` where there never will.
    pub(crate) fn take(&mut self, points: u32, now: Millis, rules: &Rules) -> Result<(), Millis> {
        let have = self.milli_at(now, rules);
        let cost = points * 1000;
        if have >= cost {
            *self = Self { milli: have - cost, at: now };
            return Ok(());
        }
        if points > rules.stamina || rules.stamina_per_second == 0 {
            return Err(Millis::MAX);
        }
        Err(now + u64::from(cost - have).div_ceil(u64::from(rules.stamina_per_second)))
    }
}

impl Participant {
    pub(crate) fn new(player: PlayerId, rules: &Rules, now: Millis) -> Self {
        Self {
            player,
            status: ParticipantStatus::Active,
            ready: false,
            connected: false,
            hp: rules.health,
            armor: rules.armor,
            stamina: Stamina { milli: rules.stamina * 1000, at: now },
            guard_until: 0,
            defend_ready_at: 0,
            attack_ready_at: 0,
            forfeit_at: None,
            joined_at: now,
            score: 0,
            eliminations: 0,
            damage: 0,
            answers: Remembered::default(),
        }
    }

    pub fn player(&self) -> PlayerId {
        self.player
    }

    pub fn status(&self) -> ParticipantStatus {
        self.status
    }

    pub fn is_ready(&self) -> bool {
        self.ready
    }

    pub fn is_connected(&self) -> bool {
        self.connected
    }

    pub fn hp(&self) -> u32 {
        self.hp
    }

    pub fn armor(&self) -> u32 {
        self.armor
    }

    /// Thousandths as they were at [`Participant::stamina_at`].
    pub fn stamina_milli(&self) -> u32 {
        self.stamina.milli
    }

    pub fn stamina_at(&self) -> Millis {
        self.stamina.at
    }

    /// Session time until which the guard is up; 0 before the first.
    pub fn guard_until(&self) -> Millis {
        self.guard_until
    }

    pub fn joined_at(&self) -> Millis {
        self.joined_at
    }

    pub fn score(&self) -> u32 {
        self.score
    }

    pub fn eliminations(&self) -> u32 {
        self.eliminations
    }

    /// Damage dealt.
    pub fn damage(&self) -> u64 {
        self.damage
    }

    /// The highest action id seen of this participant; 0 before the first.
    pub fn last_action_id(&self) -> u64 {
        self.answers.last_id()
    }
}
