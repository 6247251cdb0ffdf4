//! The plane that fights take place on: whole centimetres, no floats, the same everywhere.

use serde::{Deserialize, Serialize};

/// A point, in centimetres from the upper left corner.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Point {
    pub x: i32,
    pub y: i32,
}

impl Point {
    pub const fn new(x: i32, y: i32) -> Self {
        Self { x, y }
    }
}
