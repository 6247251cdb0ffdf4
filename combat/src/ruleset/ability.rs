//! Abilities and items.

use serde::{Deserialize, Serialize};

use super::{EffectId, Element, EnemyId};

/// Something a participant can do beside attack, defend and move. Times in milliseconds, lengths in centimetres.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ability {
    pub name: String,
    pub kind: AbilityKind,
    /// The key a client puts it on, for example `Q`; empty for none.
    pub key: String,
    pub cost: Vec<(Resource, u32)>,
    /// From its use to the next.
    pub cooldown_ms: u32,
    /// How often in a round; 0 for no bound.
    pub uses: u8,
    /// Time from the order to what it does; 0 for at once.
    pub cast_ms: u32,
    /// A cast that goes on while it does: it does it every so often until `cast_ms` are over; 0 for once, at the end.
    pub every_ms: u32,
    /// Whether the caster is said to be channelling; casting otherwise.
    pub channel: bool,
    /// The cast is broken by more damage than this in all; `None` for by none.
    pub broken_by: Option<u32>,
    pub affects: Affects,
    pub shape: Shape,
    /// How far the target or the place may be.
    pub range_cm: u32,
    /// Most targets of an area, a line or a cone.
    pub targets: u8,
    /// Whether walls are in its way.
    pub sight: bool,
    /// Only at targets whose health is below this share; 0 for any.
    pub below_percent: u8,
    /// In order, each to every target.
    pub does: Vec<Op>,
}

/// By which action it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AbilityKind {
    #[default]
    Ability,
    Item,
    /// Used by nobody: works all the time, as an effect on those who have it.
    Passive,
}

/// Whom it can be aimed at and reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Affects {
    #[default]
    Own,
    Allies,
    Enemies,
    /// Everybody but the one who uses it.
    Others,
    /// Eliminated allies.
    Fallen,
}

/// How the targets are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shape {
    /// The one that is aimed at; for [`Affects::Own`] the one who uses it.
    #[default]
    Single,
    /// All within the radius around the place that is aimed at; around the one who uses it where `range_cm` is 0.
    Area { radius_cm: u32 },
    /// All within half the width of the way to the place that is aimed at, `range_cm` long.
    Line { width_cm: u32 },
    /// All within `range_cm` and half the angle to both sides of where it is aimed.
    Cone { degrees: u16 },
}

/// What is spent or refilled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Resource {
    Stamina,
    Energy,
    /// Of the ultimate ability, in percent.
    Charge,
    Ammo,
}

/// One thing an ability does to a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Damage, from `min` to `max`, through armor and cover as an attack's.
    Damage {
        min: u32,
        max: u32,
        element: Option<Element>,
    },
    /// Health, in percent of the most, and in points.
    Heal {
        percent: u32,
        points: u32,
    },
    /// Back to life, with this share of health.
    Revive {
        percent: u32,
    },
    Refill {
        resource: Resource,
        points: u32,
    },
    /// An effect on the target; `ms` 0 for the effect's own duration.
    Apply {
        effect: EffectId,
        ms: u32,
    },
    /// An effect on the one who uses it, once, whoever is reached.
    Gain {
        effect: EffectId,
        ms: u32,
    },
    /// Takes all effects that its foes put on the target away.
    Cleanse,
    /// The one who uses it moves to the place that is aimed at, at most this far.
    Dash {
        cm: u32,
    },
    /// The target is drawn towards the one who uses it.
    Pull {
        cm: u32,
    },
    /// The target is driven away.
    Push {
        cm: u32,
    },
    /// New enemies beside the one who uses it.
    Summon {
        enemy: EnemyId,
        count: u8,
    },
}
