//! Status effects, and what happens when elements meet.

use super::EffectId;
use crate::action::ActionSet;

/// A status effect. Times in milliseconds, changes in percent that are added up.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effect {
    pub name: String,
    pub element: Option<Element>,
    pub stacking: Stacking,
    /// Most stacks (intensify) or copies (separate).
    pub stacks: u8,
    pub ms: u32,
    /// How often it hurts or heals; 0 for never.
    pub tick_ms: u32,
    /// Damage of a tick and stack; not lessened by armor.
    pub tick_damage: u32,
    /// Health of a tick and stack.
    pub tick_heal: u32,
    /// What its bearer cannot do (silence, root).
    pub denies: ActionSet,
    /// Its bearer can do nothing at all, and whatever it was doing is broken off (stun, freeze).
    pub stuns: bool,
    pub modifiers: Modifiers,
    /// Damage it takes in place of health, in percent of its bearer's most health; it ends when that is used up.
    pub absorbs_percent: u32,
    /// It ends at the first damage.
    pub fragile: bool,
    /// What follows it when it ends by itself.
    pub then: Option<EffectId>,
}

/// Changes for as long as the effect lasts, of each stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Modifiers {
    pub damage_dealt: i32,
    pub damage_taken: i32,
    /// Damage dealt when health is all gone; in proportion to what is gone.
    pub rage: i32,
    pub speed: i32,
    pub accuracy: i32,
    pub armor: i32,
    pub healing: i32,
    /// Of stamina and energy; -100 is none.
    pub regeneration: i32,
}

/// What a second application does to one that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Stacking {
    /// Nothing.
    None,
    /// It takes the old one's place.
    Replace,
    /// The old one lasts as long as the new one would; the longer of the two.
    #[default]
    Refresh,
    /// One stack more, up to the most, and the time starts over.
    Intensify,
    /// A copy beside it, with a time of its own, up to the most.
    Separate,
}

/// The nature of damage or an effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Element {
    Fire,
    Ice,
    Shock,
    Poison,
    Blood,
}

impl Element {
    /// Every element with its name.
    pub const ALL: [(&'static str, Self); 5] = [
        ("fire", Self::Fire),
        ("ice", Self::Ice),
        ("shock", Self::Shock),
        ("poison", Self::Poison),
        ("blood", Self::Blood),
    ];
}

/// Damage of one element meets an effect of another: it is multiplied, and the effect may be used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reaction {
    pub damage: Element,
    pub effect: Element,
    /// 100 to 1000.
    pub percent: u32,
    pub consumes: bool,
}
