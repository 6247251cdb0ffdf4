//! The numbers of a fight. A session is pinned to its own copy; a request may override any of them by name, within range.

use serde::{Deserialize, Serialize};
use thiserror::Error;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $default:literal in $min:literal ..= $max:literal,)*) => {
        /// Every setting. Times in milliseconds.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct Rules {
            $($(#[$doc])* pub $name: u32,)*
        }

        impl Default for Rules {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Rules {
            /// Every setting with its default and its range, in order.
            pub const SETTINGS: &[Setting] = &[$(Setting { name: stringify!($name), default: $default, min: $min, max: $max },)*];

            fn field(&mut self, name: &str) -> Option<&mut u32> {
                match name { $(stringify!($name) => Some(&mut self.$name),)* _ => None }
            }
        }
    };
}

rules! {
    /// Health at the start.
    health = 100 in 1..=1_000_000_000,
    /// Armor at the start: damage is multiplied by 100 / (100 + armor).
    armor = 50 in 0..=10_000,
    /// Most stamina, and what a fight starts with.
    stamina = 100 in 0..=10_000,
    /// Stamina regained per second.
    stamina_per_second = 10 in 0..=10_000,
    /// Least base damage of an attack.
    attack_damage_min = 20 in 0..=1_000_000,
    /// Most base damage of an attack.
    attack_damage_max = 30 in 0..=1_000_000,
    /// Least time between two attacks of one participant.
    attack_interval_ms = 100 in 0..=60_000,
    /// Chance of a critical hit.
    critical_percent = 5 in 0..=100,
    /// Damage of a critical hit, in percent of the normal one.
    critical_damage_percent = 150 in 100..=1_000,
    /// Stamina a guard costs.
    defend_cost = 20 in 0..=10_000,
    /// How long a guard lasts.
    defend_ms = 1_500 in 1..=60_000,
    /// Time from the start of a guard to the next.
    defend_cooldown_ms = 3_000 in 0..=600_000,
    /// Share of the damage a guard takes away.
    defend_percent = 50 in 0..=100,
    /// Score for an elimination.
    elimination_score = 100 in 0..=1_000_000,
    /// Countdown before the fight; it ends early when all are ready.
    preparation_ms = 10_000 in 0..=600_000,
    /// How long the fight waits for its seats to be taken before it is abandoned.
    lobby_ms = 300_000 in 1_000..=3_600_000,
    /// How long the result is shown before the session is completed.
    cooldown_ms = 10_000 in 0..=600_000,
    /// Longest time in phase active.
    max_duration_ms = 900_000 in 1_000..=3_600_000,
    /// How long a seat is kept for a participant who lost the connection.
    reconnect_ms = 30_000 in 0..=600_000,
    /// Most actions the session takes in a second; 0 for no bound.
    actions_per_second = 100 in 0..=1_000_000,
}

/// One setting's name, default and range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    pub default: u32,
    pub min: u32,
    pub max: u32,
}

/// Why a setting was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RuleError {
    #[error("there is no setting {0:?}")]
    Unknown(String),
    #[error("{name} must be a whole number from {min} to {max}")]
    OutOfRange { name: &'static str, min: u32, max: u32 },
    #[error("attack_damage_min must not be above attack_damage_max")]
    DamageRange,
}

impl Rules {
    /// Overrides the setting `name`. `None` stands for a value that is no whole number.
    pub fn set(&mut self, name: &str, value: Option<u64>) -> Result<(), RuleError> {
        let setting = Self::SETTINGS
            .iter()
            .find(|setting| setting.name == name)
            .ok_or_else(|| RuleError::Unknown(name.to_owned()))?;
        let value = value
            .and_then(|value| u32::try_from(value).ok())
            .filter(|value| (setting.min..=setting.max).contains(value))
            .ok_or(RuleError::OutOfRange { name: setting.name, min: setting.min, max: setting.max })?;
        *self.field(setting.name).expect("every setting is a field") = value;
        Ok(())
    }

    /// Checks what no single setting can: call it after the last [`Rules::set`].
    pub fn check(&self) -> Result<(), RuleError> {
        if self.attack_damage_min > self.attack_damage_max { Err(RuleError::DamageRange) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::{RuleError, Rules};

    #[test]
    fn defaults_are_within_their_ranges_and_each_setting_sets_its_own_field() {
        for setting in Rules::SETTINGS {
            assert!((setting.min..=setting.max).contains(&setting.default), "{}", setting.name);
            let mut rules = Rules::default();
            let other = if setting.default == setting.max { setting.min } else { setting.max };
            rules.set(setting.name, Some(u64::from(other))).unwrap();
            assert_ne!(rules, Rules::default(), "{}", setting.name);
        }
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let mut rules = Rules::default();
        assert_eq!(rules.set("helth", Some(1)), Err(RuleError::Unknown("helth".to_owned())));
        assert!(matches!(rules.set("health", Some(0)), Err(RuleError::OutOfRange { .. })));
        assert!(matches!(rules.set("health", None), Err(RuleError::OutOfRange { .. })));
        rules.set("attack_damage_min", Some(31)).unwrap();
        assert_eq!(rules.check(), Err(RuleError::DamageRange));
    }
}
