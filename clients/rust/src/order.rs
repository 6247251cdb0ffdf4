//! What a player wants to do.

use tiltyard_protocol::client::Degrees;
use tiltyard_protocol::{Act, ActionKind, BodyPart};

/// An action without its session and id. A bare [`ActionKind`] is one that is aimed at nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order(pub(crate) Act);

impl Order {
    /// An attack on the participant in slot `to`, at the torso.
    #[must_use]
    pub const fn attack(to: u8) -> Self {
        Self(Act::new(0, 0, ActionKind::Attack).at(to))
    }

    /// An attack on a cover: its place in the rules.
    #[must_use]
    pub const fn break_cover(cover: u8) -> Self {
        Self(Act { c: Some(cover), ..Act::new(0, 0, ActionKind::Attack) })
    }

    /// An attack on a hazard: its place in the rules.
    #[must_use]
    pub const fn break_hazard(hazard: u8) -> Self {
        Self(Act { z: Some(hazard), ..Act::new(0, 0, ActionKind::Attack) })
    }

    #[must_use]
    pub const fn defend() -> Self {
        Self(Act::new(0, 0, ActionKind::Defend))
    }

    /// An ability: its place in the rules. [`Order::at`] and [`Order::towards`] aim it.
    #[must_use]
    pub const fn ability(ability: u8) -> Self {
        Self(Act { a: Some(ability), ..Act::new(0, 0, ActionKind::Ability) })
    }

    /// An item: its place in the rules' abilities.
    #[must_use]
    pub const fn item(item: u8) -> Self {
        Self(Act { a: Some(item), ..Act::new(0, 0, ActionKind::ItemUse) })
    }

    /// The player is at this place now, in centimetres, faces as it did and stands; [`Order::facing`] and [`Order::going`] say otherwise.
    #[must_use]
    pub const fn walk(x: i32, y: i32) -> Self {
        Self(Act::new(0, 0, ActionKind::Move)).towards(x, y)
    }

    /// Facing this way from now on.
    #[must_use]
    pub const fn facing(self, degrees: Degrees) -> Self {
        Self(Act { f: Some(degrees), ..self.0 })
    }

    /// So fast along each axis from now on, in centimetres per second.
    #[must_use]
    pub const fn going(self, x: i32, y: i32) -> Self {
        Self(Act { vx: Some(x), vy: Some(y), ..self.0 })
    }

    /// Aimed at the participant in `slot`.
    #[must_use]
    pub const fn at(self, slot: u8) -> Self {
        Self(self.0.at(slot))
    }

    /// Aimed at a place, in centimetres.
    #[must_use]
    pub const fn towards(self, x: i32, y: i32) -> Self {
        Self(Act { x: Some(x), y: Some(y), ..self.0 })
    }

    /// Aimed at this part of the body.
    #[must_use]
    pub const fn at_the(self, part: BodyPart) -> Self {
        Self(Act { part: Some(part), ..self.0 })
    }
}

/// Without the session and the id that it has.
impl From<Act> for Order {
    fn from(act: Act) -> Self {
        Self(Act { s: 0, id: 0, ..act })
    }
}

impl From<ActionKind> for Order {
    fn from(kind: ActionKind) -> Self {
        Self(Act::new(0, 0, kind))
    }
}
