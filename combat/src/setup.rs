//! What a fight begins with.

use serde::{Deserialize, Serialize};

use crate::digest::{Form, Words, write_text};
use crate::{PlayerId, Rules};

/// How it is fought, as the contract names it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Pvp,
    Pve,
    Arena,
    Tournament,
}

impl Mode {
    pub const ALL: [Self; 4] = [Self::Pvp, Self::Pve, Self::Arena, Self::Tournament];

    pub const fn index(self) -> usize {
        self as usize
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Pvp => "pvp",
            Self::Pve => "pve",
            Self::Arena => "arena",
            Self::Tournament => "tournament",
        }
    }
}

impl Form for Mode {
    fn write(&self, to: &mut impl Words) {
        write_text(self.name().as_bytes(), to);
    }
}

/// How hard the server's enemies are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Difficulty {
    Easy,
    #[default]
    Normal,
    Hard,
    Expert,
}

impl Difficulty {
    pub const ALL: [Self; 4] = [Self::Easy, Self::Normal, Self::Hard, Self::Expert];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Easy => "easy",
            Self::Normal => "normal",
            Self::Hard => "hard",
            Self::Expert => "expert",
        }
    }
}

/// What a fight begins with, beside its ruleset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    pub mode: Mode,
    /// With everything that mode, difficulty and request set otherwise.
    pub rules: Rules,
    /// Of players; raised to the participants. At most 128.
    pub seats: u8,
    /// In the first seats.
    pub participants: Vec<PlayerId>,
    /// Of the seats in order; the seats without one are dealt to `rules.teams` in turn.
    pub teams: Vec<u8>,
    pub seed: u64,
}
