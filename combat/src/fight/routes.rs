//! Ways around walls, for those whom the server moves.

use super::Fight;
use crate::Ruleset;
use crate::geometry::{Point, Rect};

/// Walls that one look ahead goes around, one behind the other.
const MOST_DETOURS: usize = 4;

impl Fight {
    /// Where to head on the way from one point to another: to the next corner of what is in between. It goes round each wall
    /// on the shorter side, so the way that is left gets shorter with every step; only where walls stand so close together
    /// that they form a bay may it go astray.
    pub(super) fn heading(&self, ruleset: &Ruleset, from: Point, to: Point) -> Point {
        let mut goal = to;
        for _ in 0..MOST_DETOURS {
            let blocking = self.walls(ruleset).filter(|wall| wall.is_between(from, goal));
            let Some(wall) = blocking.min_by_key(|wall| wall.clamp(from).distance_squared(from)) else { break };
            let Some(corner) = self.round(ruleset, wall, from, goal).filter(|&corner| corner != goal) else { break };
            goal = corner;
        }
        goal
    }

    /// The next corner on the shortest way around one wall.
    fn round(&self, ruleset: &Ruleset, wall: Rect, from: Point, to: Point) -> Option<Point> {
        let corners = wall.corners();
        let turns = corners.map(|corner| self.is_passable(ruleset, wall, corner));
        let mut shortest: Option<(u64, Point)> = None;
        for first in 0..4 {
            if wall.is_between(from, corners[first]) {
                continue;
            }
            for onwards in [1, 3] {
                let (mut at, mut length) = (first, from.distance(corners[first]));
                for _ in 0..3 {
                    if !turns[at] {
                        break;
                    }
                    if !wall.is_between(corners[at], to) {
                        let length = length + corners[at].distance(to);
                        // From a corner on, the way goes to the next.
                        let next = if from == corners[first] { corners[(first + onwards) % 4] } else { corners[first] };
                        if shortest.is_none_or(|(least, _)| length < least) {
                            shortest = Some((length, next));
                        }
                        break;
                    }
                    let next = (at + onwards) % 4;
                    length += corners[at].distance(corners[next]);
                    at = next;
                }
            }
        }
        shortest.map(|(_, next)| next)
    }

    /// Whether one can turn at a corner of `wall`: it is inside the arena, and no other wall leans on it.
    fn is_passable(&self, ruleset: &Ruleset, wall: Rect, corner: Point) -> bool {
        ruleset.environment.arena().encloses(corner)
            && !self.walls(ruleset).any(|other| other != wall && other.encloses(corner))
    }
}
