//! Where participants are: walking, dashes, pulls and pushes.

use super::Fight;
use crate::geometry::Point;
use crate::{Refusal, Slot, Step};

impl Fight {
    /// A participant says that it is at `to` now.
    pub(super) fn walk(&mut self, _slot: Slot, _to: Point, _step: &mut Step) -> Result<(), Refusal> {
        Err(Refusal::Unavailable)
    }

    /// Where its team begins.
    pub(super) fn place_at_start(&mut self, _slot: Slot) {}
}
