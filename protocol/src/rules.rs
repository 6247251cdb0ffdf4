//! What a session is played by, as a client needs it to draw bars, buttons and the arena. Abilities, effects, enemies and
//! states are called by their place in the lists here everywhere else. Times in milliseconds, lengths in centimetres.

use std::collections::BTreeMap;

use serde::de::value::{self, StrDeserializer};
use serde::{Deserialize, Deserializer, Serialize};

use crate::ActionKind;
use crate::view::ParticipantView;

/// The rules, with everything that mode, difficulty and request set otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesView {
    /// Of the ruleset.
    pub name: String,
    /// One line for a person.
    pub title: String,
    /// SHA-256 of the ruleset's text, in hexadecimal digits.
    #[serde(default)]
    pub ruleset: String,
    /// Over all that is here, in hexadecimal digits: rules that have the same are the same.
    pub hash: String,
    /// `pvp`, `pve`, `arena` or `tournament`.
    pub mode: String,
    /// Most health, and what a player starts with.
    pub health: u32,
    pub shield: u32,
    pub armor: u32,
    /// Most stamina.
    pub stamina: u32,
    pub stamina_per_second: u32,
    /// Most energy.
    pub energy: u32,
    pub energy_per_second: u32,
    /// Shots before a reload; 0 where they are not counted.
    pub ammo: u32,
    pub reload_ms: u32,
    pub attack_interval_ms: u32,
    pub attack_range_cm: u32,
    pub defend_cost: u32,
    pub defend_ms: u32,
    pub defend_cooldown_ms: u32,
    /// What effects make of it is in their `changes`.
    pub speed_cm_per_s: u32,
    /// Actions that a participant may be answered in a second, and at once; 0 where they are not counted.
    #[serde(default)]
    pub actions_per_second: u32,
    /// How far one can see; 0 where there is no fog.
    pub sight_cm: u32,
    /// Best of how many.
    pub rounds: u32,
    /// Score that wins; 0 where none does.
    pub score_limit: u32,
    /// How long a turn lasts; 0 where all act at once.
    pub turn_ms: u32,
    /// How many of `abilities` players have: the first ones.
    pub kit: u8,
    /// The states a participant can be in.
    pub states: Vec<String>,
    pub abilities: Vec<AbilityView>,
    pub effects: Vec<EffectView>,
    pub enemies: Vec<EnemyView>,
    pub field: FieldView,
}

impl RulesView {
    /// How fast a player is, in centimetres a second, with what its effects and the view's modifiers make of it.
    #[must_use]
    pub fn speed(&self, player: &ParticipantView, modifiers: &[u8]) -> u32 {
        let own = player.effects.iter().map(|&(effect, stacks, _)| (effect, i64::from(stacks)));
        let percent = |effect: u8| self.effects.get(usize::from(effect))?.changes.get("speed").copied();
        let all = own.chain(modifiers.iter().map(|&effect| (effect, 1)));
        let percent: i64 = all.map(|(effect, stacks)| i64::from(percent(effect).unwrap_or(0)) * stacks).sum();
        u32::try_from(i64::from(self.speed_cm_per_s) * (100 + percent).max(0) / 100).unwrap_or(u32::MAX)
    }
}

/// An ability or item.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbilityView {
    pub name: String,
    pub kind: AbilityKind,
    /// The key it is meant for; empty for none.
    pub key: String,
    /// What it costs: `stamina`, `energy`, `charge`, `ammo`.
    pub cost: BTreeMap<String, u32>,
    pub cooldown_ms: u32,
    /// How often in a round; 0 for as often as one likes.
    pub uses: u8,
    pub cast_ms: u32,
    /// Nothing else can be done while it lasts.
    pub channel: bool,
    pub affects: Affects,
    pub shape: Shape,
    /// How far the target or the place may be.
    pub range_cm: u32,
    /// Of an area.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radius_cm: Option<u32>,
    /// Of a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width_cm: Option<u32>,
    /// Of a cone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degrees: Option<u16>,
    /// Most targets of an area, a line or a cone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub targets: Option<u8>,
    /// Walls and hard covers are in its way.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sight: bool,
    /// Of a cast: it does what it does every so often until it is over, and not once at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u32>,
    /// Of a cast: more damage than this in all breaks it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_by: Option<u32>,
    /// Only at targets that have less than this share of their health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub below_percent: Option<u8>,
}

/// By which action it is used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AbilityKind {
    #[default]
    Ability,
    Item,
    /// Used by nobody: it works all the time.
    Passive,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// Whom an ability reaches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Affects {
    #[default]
    Own,
    Allies,
    Enemies,
    Others,
    /// Eliminated allies.
    Fallen,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// How an ability finds its targets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    #[default]
    Single,
    Area,
    Line,
    Cone,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// An effect.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EffectView {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<String>,
    /// Its bearer can do nothing at all.
    pub stuns: bool,
    /// What its bearer cannot do. What only a newer server has is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "known")]
    pub denies: Vec<ActionKind>,
    /// How long it lasts.
    #[serde(default)]
    pub ms: u32,
    /// Most stacks or copies of it; one where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<u8>,
    /// How often it hurts or heals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick_ms: Option<u32>,
    /// Damage of a tick and stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick_damage: Option<u32>,
    /// Health of a tick and stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tick_heal: Option<u32>,
    /// By how many percent each stack changes what, all of them added up: `damage_dealt`, `damage_taken`, `rage`, `speed`, `accuracy`, `armor`,
    /// `healing`, `regeneration`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub changes: BTreeMap<String, i32>,
    /// Damage that it takes in place of health, in percent of its bearer's most health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absorbs_percent: Option<u32>,
    /// The first damage ends it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fragile: bool,
}

/// The kinds of action of a list that a client can ask for; a client's own message with another one is refused.
fn known<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ActionKind>, D::Error> {
    let named = |name: String| ActionKind::deserialize(StrDeserializer::<value::Error>::new(&name)).ok();
    Ok(Vec::<String>::deserialize(deserializer)?.into_iter().filter_map(named).collect())
}

/// An enemy that the server plays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnemyView {
    pub name: String,
    pub rank: Rank,
    /// What it starts with.
    pub health: u32,
    /// The names of its phases.
    pub phases: Vec<String>,
}

/// How strong an enemy is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    #[default]
    Normal,
    Elite,
    Boss,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// Where the fight takes place; the origin is the upper left corner.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldView {
    pub name: String,
    pub width_cm: u32,
    pub height_cm: u32,
    pub covers: Vec<CoverView>,
    pub hazards: Vec<HazardView>,
}

/// A rectangle to hide behind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CoverView {
    pub name: String,
    pub kind: CoverKind,
    /// Its upper left corner.
    pub x: i32,
    pub y: i32,
    pub w: u32,
    pub h: u32,
    /// When it is whole; 0 where it cannot be destroyed.
    pub health: u32,
}

/// How much a cover covers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoverKind {
    #[default]
    Soft,
    Hard,
    /// Nothing gets through.
    Wall,
    /// What only a newer server says: read, and never sent.
    #[serde(other)]
    Unknown,
}

/// A place that hurts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HazardView {
    pub name: String,
    pub x: i32,
    pub y: i32,
    /// Its radius.
    pub r: u32,
    /// What it takes to set it off; 0 where nothing does.
    pub health: u32,
    /// It has no bounds.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everywhere: bool,
}
