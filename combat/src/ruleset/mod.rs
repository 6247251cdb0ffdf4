//! A ruleset: everything about a fight that is data. Loaded from a file once, shared by all its sessions, never changed.
//!
//! Its numbers that a request may override by name are [`Rules`]; a session has a copy of its own. All else is here, by
//! small numbers in place of names: an ability is its place in [`Ruleset::abilities`].

pub mod ability;
pub mod effect;
pub mod enemy;
pub mod environment;
pub mod machine;
pub mod settings;

use std::sync::{Arc, OnceLock};

pub use ability::{Ability, AbilityKind, Affects, Op, Resource, Shape};
pub use effect::{Effect, Element, Modifiers, Reaction, Stacking};
pub use enemy::{Aim, Enemy, EnemyPhase, Move, Rank, Wave};
pub use environment::{Cover, CoverKind, Environment, Hazard, Spot};
pub use machine::{Activity, Deed, Machine, Matter, ParticipantDeed, Stage, State, Trigger, Wait};
pub use settings::{RuleError, Rules, Setting};

use crate::Mode;
use crate::step::Fields;

/// A place in [`Ruleset::abilities`].
pub type AbilityId = u8;
/// A place in [`Ruleset::effects`].
pub type EffectId = u8;
/// A place in [`Ruleset::enemies`].
pub type EnemyId = u8;

/// A ruleset. Equal hashes, equal rulesets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    /// What a request names it by.
    pub name: String,
    /// One line for a person.
    pub title: String,
    /// SHA-256 of its text; what a session is pinned to.
    pub hash: [u8; 32],
    /// The numbers where nothing overrides them.
    pub rules: Rules,
    /// What each mode sets otherwise, by [`Mode::index`]; `None` where it has no such mode.
    pub modes: [Option<Vec<Override>>; 4],
    /// What each difficulty sets otherwise, by [`Difficulty`](crate::Difficulty).
    pub difficulties: [Vec<Override>; 4],
    /// The course of a fight.
    pub lifecycle: Machine<Trigger, Deed, Stage>,
    /// What a participant is doing.
    pub activity: Machine<Activity, ParticipantDeed, Matter>,
    /// Abilities and items; those of players first.
    pub abilities: Vec<Ability>,
    /// How many of `abilities` every player has.
    pub kit: u8,
    pub effects: Vec<Effect>,
    pub reactions: Vec<Reaction>,
    pub enemies: Vec<Enemy>,
    /// In order; only where the mode is pve.
    pub waves: Vec<Wave>,
    pub environment: Environment,
    /// Effects that `Rules::modifiers` are drawn from, for everybody and a whole round.
    pub modifiers: Vec<EffectId>,
    pub visibility: Visibility,
}

/// A number that is set otherwise: its place in [`Rules::SETTINGS`], and the value.
pub type Override = (u16, u32);

/// Which of a participant's fields others are shown. Whoever is nobody's team-mate sees `all`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visibility {
    /// What everybody sees.
    pub all: Fields,
    /// What the participant's team sees; more than `all`.
    pub team: Fields,
}

impl Default for Visibility {
    fn default() -> Self {
        let team = Fields::ANY.without(Fields::ENERGY).without(Fields::AMMO).without(Fields::COOLDOWNS);
        Self { all: team.without(Fields::CHARGE), team }
    }
}

impl Ruleset {
    /// Attack and defend on an open field, with the usual course: what a ruleset is that says nothing else.
    pub fn plain() -> Arc<Self> {
        Arc::clone(Self::plain_ref())
    }

    pub(crate) fn plain_ref() -> &'static Arc<Self> {
        static PLAIN: OnceLock<Arc<Ruleset>> = OnceLock::new();
        PLAIN.get_or_init(|| {
            Arc::new(Self {
                name: "plain".to_owned(),
                title: "Attack and defend".to_owned(),
                hash: [0; 32],
                rules: Rules::default(),
                modes: std::array::from_fn(|_| Some(Vec::new())),
                difficulties: Default::default(),
                lifecycle: machine::usual_course(),
                activity: machine::usual_activity(),
                abilities: Vec::new(),
                kit: 0,
                effects: Vec::new(),
                reactions: Vec::new(),
                enemies: Vec::new(),
                waves: Vec::new(),
                environment: Environment::default(),
                modifiers: Vec::new(),
                visibility: Visibility::default(),
            })
        })
    }

    /// The numbers of a session in `mode`; `None` where the ruleset has no such mode.
    pub fn rules_of(&self, mode: Mode, difficulty: crate::Difficulty) -> Option<Rules> {
        let mut rules = self.rules.clone();
        let of_mode = self.modes[mode.index()].as_ref()?;
        for &(setting, value) in of_mode.iter().chain(&self.difficulties[difficulty as usize]) {
            rules.put(setting, value);
        }
        Some(rules)
    }

    pub fn ability(&self, id: AbilityId) -> Option<&Ability> {
        self.abilities.get(usize::from(id))
    }

    pub fn effect(&self, id: EffectId) -> &Effect {
        &self.effects[usize::from(id)]
    }

    pub fn enemy(&self, id: EnemyId) -> &Enemy {
        &self.enemies[usize::from(id)]
    }
}
