//! What is counted apart: every type of session, combat by its mode, and requests that are about no type.

use tiltyard_combat::Mode;

use crate::records::Body;
use crate::session::Kind;

/// One line of figures. The numbers are in rows of the store: one, once given, keeps its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Series {
    CombatPvp = 0,
    CombatPve = 1,
    CombatArena = 2,
    CombatTournament = 3,
    Player = 4,
    Auth = 5,
    Custom = 6,
    /// Requests about no type of session, such as listings and health.
    None = 7,
}

impl Series {
    /// Every series, at the place of its number.
    pub const ALL: [Self; 8] = [
        Self::CombatPvp,
        Self::CombatPve,
        Self::CombatArena,
        Self::CombatTournament,
        Self::Player,
        Self::Auth,
        Self::Custom,
        Self::None,
    ];

    /// Its number in rows.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The series of this number, if this version knows it.
    pub fn numbered(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    /// The type of session it is about.
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::CombatPvp | Self::CombatPve | Self::CombatArena | Self::CombatTournament => Some(Kind::Combat),
            Self::Player => Some(Kind::Player),
            Self::Auth => Some(Kind::Auth),
            Self::Custom => Some(Kind::Custom),
            Self::None => None,
        }
    }
}

impl From<Mode> for Series {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Pvp => Self::CombatPvp,
            Mode::Pve => Self::CombatPve,
            Mode::Arena => Self::CombatArena,
            Mode::Tournament => Self::CombatTournament,
        }
    }
}

impl From<&Body> for Series {
    fn from(body: &Body) -> Self {
        match body {
            Body::Player(_) => Self::Player,
            Body::Auth(_) => Self::Auth,
            Body::Custom(_) => Self::Custom,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Series;
    use crate::session::Kind;

    #[test]
    fn numbers_and_names_lead_back() {
        for (place, series) in Series::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(series.number()), place);
            assert_eq!(Series::numbered(series.number()), Some(series));
        }
        assert_eq!(Series::numbered(8), None);
        let counted = |kind| Series::ALL.into_iter().any(|series| series.kind() == Some(kind));
        assert!(Kind::ALL.into_iter().all(counted), "every type is counted apart");
    }
}
