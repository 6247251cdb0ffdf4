//! Where participants are and how they move: walking, dashes, pulls and pushes, what stands in the way, and who has to stand.

use super::Fight;
use crate::geometry::{Point, Rect};
use crate::motion::Motion;
use crate::participant::ParticipantStatus::Active;
use crate::ruleset::{Cover, CoverKind};
use crate::{ActionKind, Fields, Millis, Refusal, Ruleset, Slot, Step, Velocity};

/// What a claim may be ahead of the clock: latency is not even.
const SLACK_CM: u64 = 100;
/// Most time that a claim may have taken: who stood for long does not jump.
const LONGEST_STRIDE_MS: Millis = 1_000;
/// How far apart the places are that are tried where one is inside a wall.
const SEARCH_CM: u32 = 100;
/// How many of these steps outwards are tried.
const SEARCH_STEPS: u32 = 64;
/// From a cover to its taker, at most.
const HIDING_CM: u32 = 200;

impl Fight {
    /// A participant says that it is at `to` now, which way it faces and how fast it goes.
    pub(super) fn walk(
        &mut self,
        ruleset: &Ruleset,
        slot: Slot,
        to: Point,
        (facing, velocity): (Option<u16>, Velocity),
        step: &mut Step,
    ) -> Result<(), Refusal> {
        let moved_at = self.reached_at(ruleset, slot, to).ok_or(Refusal::TooFast)?;
        if !ruleset.environment.arena().encloses(to) {
            return Err(Refusal::OutOfBounds);
        }
        let p = &self.participants[slot];
        if self.wall_between(ruleset, p.at, to) {
            return Err(Refusal::Blocked);
        }
        let turned = Motion::new(facing.unwrap_or(p.motion.facing()), velocity);
        if !velocity.is_zero() && !velocity.within(self.allowed_cm_per_s(ruleset, slot)) {
            return Err(Refusal::Overspeed);
        }
        let p = &self.participants[slot];
        // Who has no connection goes nowhere, though it may say where it is.
        let turned = if p.status == Active { turned } else { Motion::new(turned.facing(), Velocity::ZERO) };
        let is_there = p.at == to;
        if p.motion != turned {
            self.turn_to(slot, turned, step);
        }
        if !is_there {
            self.participants[slot].moved_at = moved_at;
            self.put(ruleset, slot, to, step);
        }
        Ok(())
    }

    fn turn_to(&mut self, slot: Slot, motion: Motion, step: &mut Step) {
        let was = std::mem::replace(&mut self.participants[slot].motion, motion);
        if was.facing() != motion.facing() {
            step.touch(slot, Fields::PLACE.or(Fields::FACING));
        }
        if was.velocity() != motion.velocity() {
            step.touch(slot, Fields::PLACE.or(Fields::VELOCITY));
        }
    }

    /// The most of a velocity: as far as a participant that has not moved for long can be in a second.
    fn allowed_cm_per_s(&self, ruleset: &Ruleset, slot: Slot) -> u64 {
        match self.speed(ruleset, slot) {
            0 => 0,
            speed => speed + SLACK_CM,
        }
    }

    /// Whoever can no longer move stands, in the step that says why: what forbids it is in that.
    pub(super) fn stop_who_cannot_move(&mut self, ruleset: &Ruleset, step: &mut Step) {
        if step.phase_changed() || step.modifiers_changed() {
            for slot in self.slots() {
                self.stop_if_it_cannot_move(ruleset, slot, step);
            }
            return;
        }
        for place in 0..step.changed().len() {
            let (slot, fields) = step.changed()[place];
            if fields.meets(Fields::STATUS.or(Fields::ACTIVITY).or(Fields::EFFECTS)) {
                self.stop_if_it_cannot_move(ruleset, slot, step);
            }
        }
    }

    fn stop_if_it_cannot_move(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let motion = self.participants[slot].motion;
        if motion.is_moving() && !self.can_move(ruleset, slot) {
            self.turn_to(slot, Motion::new(motion.facing(), Velocity::ZERO), step);
        }
    }

    fn can_move(&self, ruleset: &Ruleset, slot: Slot) -> bool {
        self.lifecycle.expect_fighting().is_ok()
            && self.participants[slot].status == Active
            && self.may(ruleset, slot, ActionKind::Move).is_ok()
            && self.speed(ruleset, slot) > 0
    }

    /// When the participant can have come to `to`: ahead of the clock by no more than the slack, which many small steps
    /// share; `None` where it cannot be there yet.
    fn reached_at(&self, ruleset: &Ruleset, slot: Slot, to: Point) -> Option<Millis> {
        let p = &self.participants[slot];
        let far = p.at.distance(to);
        if far == 0 {
            return Some(p.moved_at);
        }
        let speed = self.speed(ruleset, slot);
        (far <= self.allowed_at(slot, speed)).then(|| self.set_out(slot) + (far * 1_000).div_ceil(speed))
    }

    /// How far from where it is a participant can be at the time of the last input, in centimetres: a move that goes no farther is
    /// not too fast.
    pub fn allowed_cm(&self, ruleset: &Ruleset, slot: Slot) -> u64 {
        if self.participants.get(slot).is_none() {
            return 0;
        }
        self.allowed_at(slot, self.speed(ruleset, slot))
    }

    fn allowed_at(&self, slot: Slot, speed: u64) -> u64 {
        let slack = if speed == 0 { 0 } else { (SLACK_CM * 1_000).div_ceil(speed) };
        (self.clock.now + slack).saturating_sub(self.set_out(slot)) * speed / 1_000
    }

    /// When the way began that a claim is the end of.
    fn set_out(&self, slot: Slot) -> Millis {
        self.participants[slot].moved_at.max(self.clock.now.saturating_sub(LONGEST_STRIDE_MS))
    }

    /// Centimetres per second, with what effects change.
    pub(super) fn speed(&self, ruleset: &Ruleset, slot: Slot) -> u64 {
        let base = match self.participants[slot].enemy {
            Some(enemy) => ruleset.enemy(enemy.kind).speed_cm_per_s,
            None => self.rules.speed_cm_per_s,
        };
        u64::from(super::effects::changed(base, self.modifiers(ruleset, slot).speed))
    }

    /// By another's will or its own, but not on foot: as far towards `to` as nothing is in the way.
    pub(super) fn shift(&mut self, ruleset: &Ruleset, slot: Slot, to: Point, step: &mut Step) {
        let p = &self.participants[slot];
        let at = self.way(ruleset, p.at, to);
        if p.at != at {
            self.participants[slot].moved_at = self.clock.now;
            self.put(ruleset, slot, at, step);
        }
    }

    fn put(&mut self, ruleset: &Ruleset, slot: Slot, at: Point, step: &mut Step) {
        self.participants[slot].at = at;
        step.touch(slot, Fields::PLACE);
        self.look_from(ruleset, slot, step);
    }

    /// The last point on the way to `to` before a wall or the end of the arena.
    pub(super) fn way(&self, ruleset: &Ruleset, from: Point, to: Point) -> Point {
        let arena = ruleset.environment.arena();
        let free = |at: Point| arena.encloses(at) && !self.wall_between(ruleset, from, at);
        if free(to) {
            return to;
        }
        // Rounding bends the way a little: every point that is taken has been looked at.
        let (mut free_cm, mut at) = (0, from);
        let mut blocked_cm = u32::try_from(from.distance(to)).unwrap_or(u32::MAX);
        while free_cm + 1 < blocked_cm {
            let middle = free_cm + (blocked_cm - free_cm) / 2;
            let tried = from.along(to, middle);
            if free(tried) {
                (free_cm, at) = (middle, tried);
            } else {
                blocked_cm = middle;
            }
        }
        at
    }

    /// Where its team begins.
    pub(super) fn place_at_start(&mut self, ruleset: &Ruleset, slot: Slot) {
        let at = self.free_near(ruleset, self.start_of(ruleset, slot));
        let p = &mut self.participants[slot];
        (p.at, p.moved_at) = (at, self.clock.now);
    }

    /// The team's spots in turn, or else a place of its own on a circle around the middle.
    fn start_of(&self, ruleset: &Ruleset, slot: Slot) -> Point {
        let team = self.participants[slot].team;
        let environment = &ruleset.environment;
        let mates = self.participants.iter().take(usize::from(slot)).filter(|p| p.team == team).count();
        let spots = || environment.spawns.iter().filter(|spot| spot.team == team);
        if let Some(spot) = spots().nth(mates % spots().count().max(1)) {
            return spot.at;
        }
        let turned = u32::from(slot) * 720 / u32::from(self.seats.max(1));
        let radius = environment.width_cm.min(environment.height_cm) / 5 * 2;
        ruleset.environment.middle().on_circle(radius, turned)
    }

    /// `at`, or a place near it that is inside the arena and not inside a wall.
    pub(super) fn free_near(&self, ruleset: &Ruleset, at: Point) -> Point {
        let arena = ruleset.environment.arena();
        let at = arena.clamp(at);
        let free = |place: &Point| arena.encloses(*place) && !self.walls(ruleset).any(|wall| wall.contains(*place));
        let around =
            (1..=SEARCH_STEPS).flat_map(|out| (0..8).map(move |turn| at.on_circle(out * SEARCH_CM, turn * 90)));
        std::iter::once(at).chain(around).find(free).unwrap_or(at)
    }

    /// Whether nothing is seen, shot or walked straight from the one to the other.
    pub(super) fn wall_between(&self, ruleset: &Ruleset, a: Point, b: Point) -> bool {
        self.walls(ruleset).any(|wall| wall.is_between(a, b))
    }

    pub(super) fn walls<'a>(&'a self, ruleset: &'a Ruleset) -> impl Iterator<Item = Rect> + use<'a> {
        self.covers(ruleset).filter(|cover| cover.kind == CoverKind::Wall).map(Cover::area)
    }

    /// Damage that reaches `to` from `from`, in percent: what it hides behind takes the rest. Of several the best counts.
    pub(super) fn cover(&self, ruleset: &Ruleset, from: Point, to: Point) -> u32 {
        let hidden = |cover: &&Cover| {
            let rect = cover.area();
            rect.is_near(to, HIDING_CM) && rect.is_between(from, to)
        };
        let percent = |cover: &Cover| match cover.kind {
            CoverKind::Soft => self.rules.soft_cover_percent,
            CoverKind::Hard => self.rules.hard_cover_percent,
            CoverKind::Wall => 100,
        };
        self.covers(ruleset).filter(hidden).map(percent).min().unwrap_or(100).min(100)
    }

    /// What still stands.
    fn covers<'a>(&'a self, ruleset: &'a Ruleset) -> impl Iterator<Item = &'a Cover> {
        let stands = |(cover, left): &(&Cover, &u32)| cover.health == 0 || **left > 0;
        ruleset.environment.covers.iter().zip(&self.field.covers).filter(stands).map(|(cover, _)| cover)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Action, Fight, Input, Point, Refusal, Rules, Ruleset, Step};

    #[test]
    fn what_is_in_reach_is_not_too_fast_and_a_centimetre_more_is() {
        let ruleset = Ruleset::plain();
        for speed_cm_per_s in [0, 1, 333, 850, 99_999] {
            let rules = Rules { speed_cm_per_s, preparation_ms: 0, afk_ms: 0, ..Rules::default() };
            let mut fight = Fight::plain(rules, 2, &[11, 12], 7);
            for now in [10, 11, 47, 300, 1_300, 9_000] {
                fight.handle(&ruleset, now, Input::Tick, &mut Step::default()).unwrap();
                let (at, allowed_cm) =
                    (fight.participants()[0].at(), i32::try_from(fight.allowed_cm(&ruleset, 0)).unwrap());
                let walk = |fight: &Fight, cm: i32| {
                    let mut fight = fight.clone();
                    let action = Action::Move { to: Point::new(at.x, at.y + cm) };
                    let answer =
                        fight.handle(&ruleset, now, Input::Act { slot: 0, id: 0, action }, &mut Step::default());
                    (answer, fight)
                };
                assert_eq!(walk(&fight, allowed_cm + 1).0, Err(Refusal::TooFast), "{speed_cm_per_s} at {now}");
                let (answer, gone) = walk(&fight, allowed_cm);
                assert_ne!(answer, Err(Refusal::TooFast), "{speed_cm_per_s} at {now}");
                fight = gone;
            }
            assert_eq!(fight.allowed_cm(&ruleset, 99), 0, "nobody");
        }
    }
}
