//! What is counted apart: every type of session, combat by its mode, and requests that are about no type.

use tiltyard_combat::Mode;

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

/// A type of session, as a report can be asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SessionType {
    Combat,
    Player,
    Auth,
    Custom,
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
    pub const fn session_type(self) -> Option<SessionType> {
        match self {
            Self::CombatPvp | Self::CombatPve | Self::CombatArena | Self::CombatTournament => Some(SessionType::Combat),
            Self::Player => Some(SessionType::Player),
            Self::Auth => Some(SessionType::Auth),
            Self::Custom => Some(SessionType::Custom),
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

impl SessionType {
    pub const ALL: [Self; 4] = [Self::Combat, Self::Player, Self::Auth, Self::Custom];

    /// The type of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Combat => "combat",
            Self::Player => "player",
            Self::Auth => "auth",
            Self::Custom => "custom",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Series, SessionType};

    #[test]
    fn numbers_and_names_lead_back() {
        for (place, series) in Series::ALL.into_iter().enumerate() {
            assert_eq!(usize::from(series.number()), place);
            assert_eq!(Series::numbered(series.number()), Some(series));
        }
        assert_eq!(Series::numbered(8), None);
        for kind in SessionType::ALL {
            assert_eq!(SessionType::named(kind.name()), Some(kind));
        }
    }
}
