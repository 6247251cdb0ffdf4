//! Enemies that the server plays.

use super::{AbilityId, EffectId, EnemyId, Op};

/// An enemy. Times in milliseconds, lengths in centimetres.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Enemy {
    pub name: String,
    pub rank: Rank,
    pub health: u32,
    pub armor: u32,
    pub shield: u32,
    pub speed_cm_per_s: u32,
    pub damage_min: u32,
    pub damage_max: u32,
    pub attack_interval_ms: u32,
    pub attack_range_cm: u32,
    /// Score for its elimination.
    pub score: u32,
    /// From one decision to the next.
    pub think_ms: u32,
    /// By falling health; the first begins at 100. At least one.
    pub phases: Vec<EnemyPhase>,
    /// Effects it has all the time.
    pub passives: Vec<EffectId>,
    /// What its fall does to all others of its side (a leader's death scatters them).
    pub last_words: Vec<Op>,
}

/// Damage and health are multiplied by it: 100, 150, 200 percent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rank {
    #[default]
    Normal,
    Elite,
    Boss,
}

impl Rank {
    pub const fn percent(self) -> u32 {
        match self {
            Self::Normal => 100,
            Self::Elite => 150,
            Self::Boss => 200,
        }
    }
}

/// What an enemy does while its health is at or below `from_percent` and above the next phase's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnemyPhase {
    pub name: String,
    pub from_percent: u8,
    /// On entering, to itself.
    pub entry: Vec<Op>,
    /// In order of preference: the first that can be done is done.
    pub moves: Vec<Move>,
    /// How near it wants its target: it walks towards it, or away.
    pub keep_cm: u32,
}

/// One thing an enemy may decide to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Move {
    /// `None` for its attack.
    pub ability: Option<AbilityId>,
    pub aim: Aim,
    /// Chance that it is considered at all.
    pub percent: u8,
}

/// Whom an enemy picks, of those that the ability can be aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Aim {
    #[default]
    Nearest,
    Weakest,
    Strongest,
    Random,
}

/// Enemies that come together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// After the one before has been cleared, or the fight has begun.
    pub delay_ms: u32,
    /// What comes, and from how many to how many.
    pub spawns: Vec<(EnemyId, u8, u8)>,
}
