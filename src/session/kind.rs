//! Types of session and where one stands, with their names outside and their numbers in the store.

use std::ops::{Index, IndexMut};

use serde::{Deserialize, Serialize};

/// Types of session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Kind {
    Combat = 0,
    Player = 1,
    Auth = 2,
    Custom = 3,
}

/// Statuses of a session in the generic view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Status {
    Active = 0,
    Paused = 1,
    Completed = 2,
    Terminated = 3,
}

/// Statuses of a fight in its own view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum FightStatus {
    Initializing = 0,
    Active = 1,
    Paused = 2,
    Completed = 3,
    Terminated = 4,
}

/// One of something for every type.
#[derive(Debug, Clone, Copy, Default)]
pub struct PerKind<T>([T; Kind::ALL.len()]);

impl<T> PerKind<T> {
    /// What `make` makes of each type.
    pub fn from_fn(make: impl FnMut(Kind) -> T) -> Self {
        Self(Kind::ALL.map(make))
    }

    /// What `make` makes of what there is for each type.
    pub fn map<U>(self, make: impl FnMut(T) -> U) -> PerKind<U> {
        PerKind(self.0.map(make))
    }

    /// All, in the order of [`Kind::ALL`].
    pub fn all(&self) -> &[T] {
        &self.0
    }
}

impl<T> Index<Kind> for PerKind<T> {
    type Output = T;

    fn index(&self, kind: Kind) -> &T {
        &self.0[kind as usize]
    }
}

impl<T> IndexMut<Kind> for PerKind<T> {
    fn index_mut(&mut self, kind: Kind) -> &mut T {
        &mut self.0[kind as usize]
    }
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Combat, Self::Player, Self::Auth, Self::Custom];

    /// The names, as a refusal tells them.
    pub const NAMES: &str = "combat, player, auth or custom";

    /// The same with the word for all types.
    pub const NAMES_AND_ALL: &str = "combat, player, auth, custom or all";

    /// Those whose live sessions are resident in [`crate::records`], the ones that are looked for most first.
    pub const RESIDENT: [Self; 3] = [Self::Custom, Self::Player, Self::Auth];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Combat => "combat",
            Self::Player => "player",
            Self::Auth => "auth",
            Self::Custom => "custom",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// By its number in the store.
    pub fn of(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as i16 == number)
    }
}

impl Status {
    pub const ALL: [Self; 4] = [Self::Active, Self::Paused, Self::Completed, Self::Terminated];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Terminated => "terminated",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Whether nothing can change it any more.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Completed | Self::Terminated)
    }

    /// By its number in the store.
    pub fn of(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as i16 == number)
    }
}

impl FightStatus {
    pub const ALL: [Self; 5] = [Self::Initializing, Self::Active, Self::Paused, Self::Completed, Self::Terminated];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Initializing => "initializing",
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Completed => "completed",
            Self::Terminated => "terminated",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    /// By its number in the store.
    pub fn of(number: i16) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as i16 == number)
    }
}

#[cfg(test)]
mod tests {
    use super::{FightStatus, Kind, PerKind, Status};

    #[test]
    fn names_and_numbers_come_back() {
        for kind in Kind::ALL {
            assert_eq!((Kind::named(kind.name()), Kind::of(kind as i16)), (Some(kind), Some(kind)));
        }
        for status in Status::ALL {
            assert_eq!((Status::named(status.name()), Status::of(status as i16)), (Some(status), Some(status)));
        }
        for status in FightStatus::ALL {
            assert_eq!(FightStatus::named(status.name()), Some(status));
            assert_eq!(FightStatus::of(status as i16), Some(status));
        }
        let names = Kind::ALL.map(Kind::name);
        assert_eq!(Kind::NAMES.replace(" or ", ", "), names.join(", "));
        assert_eq!(Kind::NAMES_AND_ALL.replace(" or ", ", "), [&names[..], &["all"]].concat().join(", "));
        let per_kind = PerKind::from_fn(|kind| kind);
        assert!(Kind::ALL.into_iter().all(|kind| per_kind[kind] == kind), "each in its place");
        assert_eq!((Kind::named("all"), Kind::of(4), Status::of(-1)), (None, None, None));
    }
}
