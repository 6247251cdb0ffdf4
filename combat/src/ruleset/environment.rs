//! Where a fight takes place. Lengths in centimetres; the origin is a corner, x to the right, y down.

use super::{EffectId, Element};
use crate::geometry::{Point, Rect};

/// The arena.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub name: String,
    pub width_cm: u32,
    pub height_cm: u32,
    /// Where teams begin, in turn; the middle where there are none.
    pub spawns: Vec<Spot>,
    /// Where enemies come from; the middle where there are none.
    pub lairs: Vec<Point>,
    pub covers: Vec<Cover>,
    pub hazards: Vec<Hazard>,
}

impl Default for Environment {
    fn default() -> Self {
        Self {
            name: "open field".to_owned(),
            width_cm: 5_000,
            height_cm: 5_000,
            spawns: Vec::new(),
            lairs: Vec::new(),
            covers: Vec::new(),
            hazards: Vec::new(),
        }
    }
}

impl Environment {
    /// All of it; one can stand on the edge.
    pub(crate) fn arena(&self) -> Rect {
        Rect::new(Point::default(), self.width_cm, self.height_cm)
    }

    pub(crate) fn middle(&self) -> Point {
        let half = |size: u32| i32::try_from(size / 2).unwrap_or(i32::MAX);
        Point::new(half(self.width_cm), half(self.height_cm))
    }
}

/// A place where a team begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    pub team: u8,
    pub at: Point,
}

/// Something to hide behind: a rectangle that lies square.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    /// Of what it is (glass, wood, brick, concrete, steel).
    pub name: String,
    pub kind: CoverKind,
    /// Its upper left corner.
    pub at: Point,
    pub width_cm: u32,
    pub height_cm: u32,
    /// What it takes to destroy it; 0 for nothing does.
    pub health: u32,
}

impl Cover {
    pub fn area(&self) -> Rect {
        Rect::new(self.at, self.width_cm, self.height_cm)
    }
}

/// How much a cover covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CoverKind {
    Soft,
    Hard,
    /// Nothing is seen, shot or walked through it.
    Wall,
}

/// A place that hurts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hazard {
    pub name: String,
    pub at: Point,
    /// 0 for everywhere.
    pub radius_cm: u32,
    /// How often it reaches those within; 0 for only when it is destroyed.
    pub every_ms: u32,
    /// What it takes to set it off (a barrel); 0 for nothing does. Once it is off it is gone.
    pub health: u32,
    pub damage: u32,
    pub element: Option<Element>,
    pub effect: Option<EffectId>,
}
