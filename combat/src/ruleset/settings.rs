//! The numbers of a fight. A session is pinned to its own copy; a request may override any of them by name, within range.

use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use thiserror::Error;

macro_rules! rules {
    ($($(#[doc = $doc:literal])* $name:ident = $default:literal in $min:literal ..= $max:literal,)*) => {
        /// Every setting. Times in milliseconds.
        #[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub struct Rules {
            $($(#[doc = $doc])* pub $name: u32,)*
        }

        impl Default for Rules {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        impl Rules {
            /// Every setting with its default and its range, in order.
            pub const SETTINGS: &[Setting] = &[$(Setting {
                name: stringify!($name),
                default: $default,
                min: $min,
                max: $max,
                about: concat!($($doc),*).trim_ascii_start(),
            },)*];

            fn field(&mut self, name: &str) -> Option<&mut u32> {
                match name { $(stringify!($name) => Some(&mut self.$name),)* _ => None }
            }

            /// Every value, in the order of [`Rules::SETTINGS`].
            pub fn values(&self) -> [u32; Self::SETTINGS.len()] {
                [$(self.$name,)*]
            }
        }
    };
}

rules! {
    // What a participant has.
    /// Health at the start, and the most.
    health = 100 in 1..=1_000_000_000,
    /// Armor at the start: damage is multiplied by 100 / (100 + armor).
    armor = 50 in 0..=10_000,
    /// Shield at the start: taken before health, not lessened by armor.
    shield = 0 in 0..=1_000_000_000,
    /// Most stamina, and what a fight starts with.
    stamina = 100 in 0..=10_000,
    /// Stamina regained per second.
    stamina_per_second = 10 in 0..=10_000,
    /// Most energy, and what a fight starts with.
    energy = 100 in 0..=10_000,
    /// Energy regained per second.
    energy_per_second = 5 in 0..=10_000,
    /// Charge of the ultimate ability gained for 100 points of damage dealt, in percent.
    charge_per_100_damage = 25 in 0..=10_000,
    /// Shots before a reload; 0 for as many as one likes.
    ammo = 0 in 0..=10_000,
    /// How long a reload takes; it begins with the last shot.
    reload_ms = 2_000 in 0..=60_000,
    /// Fastest way of moving.
    speed_cm_per_s = 850 in 0..=100_000,
    // Attack and defend.
    /// Least base damage of an attack.
    attack_damage_min = 20 in 0..=1_000_000,
    /// Most base damage of an attack.
    attack_damage_max = 30 in 0..=1_000_000,
    /// Least time between two attacks of one participant.
    attack_interval_ms = 100 in 0..=60_000,
    /// How far an attack reaches.
    attack_range_cm = 100_000 in 0..=1_000_000,
    /// Chance that an attack hits, before what effects change.
    accuracy_percent = 100 in 0..=100,
    /// Chance of a critical hit.
    critical_percent = 5 in 0..=100,
    /// Damage of a critical hit, in percent of the normal one.
    critical_damage_percent = 150 in 100..=1_000,
    /// Damage of a hit at the head.
    head_percent = 200 in 0..=1_000,
    /// Damage of a hit at a limb.
    limb_percent = 70 in 0..=1_000,
    /// Damage through soft cover.
    soft_cover_percent = 75 in 0..=100,
    /// Damage through hard cover.
    hard_cover_percent = 50 in 0..=100,
    /// Whether one's own team can be hit.
    friendly_fire = 0 in 0..=1,
    /// Stamina a guard costs.
    defend_cost = 20 in 0..=10_000,
    /// How long a guard lasts.
    defend_ms = 1_500 in 1..=60_000,
    /// Time from the start of a guard to the next.
    defend_cooldown_ms = 3_000 in 0..=600_000,
    /// Share of the damage a guard takes away.
    defend_percent = 50 in 0..=100,
    // Teams, rounds, turns, victory.
    /// Teams that seats are dealt to in turn; 0 for each on their own.
    teams = 0 in 0..=16,
    /// Best of how many rounds.
    rounds = 1 in 1..=99,
    /// From a round's end to the preparation of the next.
    intermission_ms = 5_000 in 0..=600_000,
    /// Score for an elimination.
    elimination_score = 100 in 0..=1_000_000,
    /// Score that wins the round it is made in; 0 for none does.
    score_limit = 0 in 0..=1_000_000,
    /// Whether those who are still standing when the time is up have won against the server's enemies.
    survive = 0 in 0..=1,
    /// Whether a fight that is not decided when the time is up is a draw, however the scores are.
    strict_draws = 0 in 0..=1,
    /// How long a turn lasts, where one acts after the other, a second at least; 0 for all at once.
    turn_ms = 0 in 0..=300_000,
    // The course of a fight.
    /// Countdown before the fight; it ends early when all are ready.
    preparation_ms = 10_000 in 0..=600_000,
    /// Whether the countdown's end is the end of a fight that not everybody is ready for.
    ready_check = 0 in 0..=1,
    /// Whether a free seat can be taken after the start.
    late_join = 0 in 0..=1,
    /// How long the fight waits for its seats to be taken before it is abandoned.
    lobby_ms = 300_000 in 1_000..=3_600_000,
    /// How long the result is shown before the session is completed.
    cooldown_ms = 10_000 in 0..=600_000,
    /// Longest time in phase active.
    max_duration_ms = 900_000 in 1_000..=3_600_000,
    /// How long a seat is kept for a participant who lost the connection.
    reconnect_ms = 30_000 in 0..=600_000,
    /// How long a seat is kept for a participant who has never connected, nor been ready, nor acted; 0 for as long as the fight goes on.
    arrival_ms = 0 in 0..=600_000,
    // What the players meet.
    /// Modifiers of the arena at a time.
    modifiers = 0 in 0..=8,
    /// How far one can see; 0 for without end, and through walls.
    sight_cm = 0 in 0..=1_000_000,
    /// Damage that players deal to the server's enemies.
    damage_dealt_percent = 100 in 1..=1_000,
    /// Damage that players take from them.
    damage_taken_percent = 100 in 1..=1_000,
    /// How much more health and damage the server's enemies have for each seat of players after the first.
    enemy_growth_percent = 0 in 0..=1_000,
    // Fair play.
    /// Most actions of one participant in a second, and at once; 0 for no bound.
    actions_per_second = 100 in 0..=1_000_000,
    /// Time without an action after which a participant is flagged as away; 0 for never.
    afk_ms = 45_000 in 0..=3_600_000,
    /// Deviation of the times between actions, over 32 of them, under which a participant is flagged as a machine; 0 for never.
    regular_ms = 8 in 0..=1_000,
}

/// One setting: its name, default and range, and what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    pub default: u32,
    pub min: u32,
    pub max: u32,
    pub about: &'static str,
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

    /// Whether the setting `name` is 0 or 1, which may be written as `false` or `true`.
    pub fn is_flag(name: &str) -> bool {
        Self::SETTINGS.iter().any(|setting| setting.name == name && (setting.min, setting.max) == (0, 1))
    }

    /// The place of the setting `name` in [`Rules::SETTINGS`].
    pub fn place(name: &str) -> Option<u16> {
        let place = Self::SETTINGS.iter().position(|setting| setting.name == name)?;
        u16::try_from(place).ok()
    }

    /// The places of all settings, by their names.
    pub(crate) fn by_name() -> &'static [usize] {
        static BY_NAME: OnceLock<Vec<usize>> = OnceLock::new();
        BY_NAME.get_or_init(|| {
            let mut places: Vec<usize> = (0..Self::SETTINGS.len()).collect();
            places.sort_by_key(|&place| Self::SETTINGS[place].name);
            places
        })
    }

    /// Puts a value that is known to be in its range in the place of a setting.
    pub(crate) fn put(&mut self, place: u16, value: u32) {
        if let Some(setting) = Self::SETTINGS.get(usize::from(place))
            && let Some(field) = self.field(setting.name)
        {
            *field = value;
        }
    }

    /// The value in the place of a setting.
    pub(crate) fn at(&self, place: u16) -> u32 {
        self.values().get(usize::from(place)).copied().unwrap_or_default()
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
