//! Where the others are drawn: a little in the past, between two places that the server has told. A delta is sent for every sequence, so
//! one that says nothing of a participant says that it has told nothing new. Who says how it moves is drawn on a curve that has these
//! velocities at its ends, and goes on for a moment where the next place is late.

use std::collections::VecDeque;

use tiltyard_protocol::view::ParticipantView;
use tiltyard_protocol::{Delta, View};

use crate::clock::millis;

/// Where somebody is drawn, in centimetres, and where it looks, in degrees.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Pose {
    pub x: f64,
    pub y: f64,
    pub f: f64,
}

/// A place that was told, at a session time in milliseconds, with the velocity there in centimetres per second.
#[derive(Debug, Clone, Copy)]
struct Mark {
    at: f64,
    pose: Pose,
    vx: f64,
    vy: f64,
}

/// Places of one participant that are kept: more than a drawing in the past looks back.
const MARKS: usize = 32;
/// Who has not been told of for longer than this was standing, and is drawn as starting this long before it arrived.
const STEP_MS: f64 = 250.0;
/// Who moves on is drawn further for as long as this after the last place that was told.
const AHEAD_MS: f64 = 250.0;

/// The places that were told of everybody in a session. Usable without the rest of this crate.
#[derive(Debug, Clone, Default)]
pub struct Interpolator {
    tracks: Vec<VecDeque<Mark>>,
    /// Session time of the state that is known best.
    known: f64,
}

impl Interpolator {
    /// A whole view: everybody is where it says, and was nowhere before.
    pub fn snapshot(&mut self, view: &View, at: u64) {
        self.known = millis(at);
        self.tracks = view.participants.iter().map(|who| Mark::of(self.known, who).into_iter().collect()).collect();
    }

    /// What a delta says of places; `view` is the one after it.
    pub fn delta(&mut self, delta: &Delta, view: &View) {
        let at = millis(delta.at);
        self.tracks.truncate(delta.n.map_or(usize::MAX, usize::from));
        for patch in &delta.p {
            let slot = usize::from(patch.i);
            let mark = view.participants.get(slot).and_then(|who| Mark::of(at, who));
            if self.tracks.len() <= slot {
                self.tracks.resize_with(slot + 1, VecDeque::new);
            }
            match mark {
                None => self.tracks[slot].clear(),
                // Who is put somewhere is there at once.
                Some(mark) if patch.player.is_some() => self.tracks[slot] = VecDeque::from([mark]),
                Some(mark) if patch.x.is_some() || patch.y.is_some() => self.step(slot, mark),
                Some(_) => {}
            }
        }
        self.known = at;
    }

    fn step(&mut self, slot: usize, next: Mark) {
        let track = &mut self.tracks[slot];
        if let Some(&last) = track.back()
            && !last.moves()
        {
            let stood = self.known.max(next.at - STEP_MS);
            if stood > last.at && stood < next.at {
                track.push_back(Mark { at: stood, ..last });
            }
        }
        track.push_back(next);
        while track.len() > MARKS {
            track.pop_front();
        }
    }

    /// Where the participant in `slot` was at session time `at`, in milliseconds; `None` where it was not seen.
    #[must_use]
    pub fn place(&self, slot: u8, at: f64) -> Option<Pose> {
        let track = self.tracks.get(usize::from(slot))?;
        let next = track.iter().position(|mark| mark.at > at).unwrap_or(track.len());
        match (next.checked_sub(1).and_then(|before| track.get(before)), track.get(next)) {
            (Some(before), Some(after)) => Some(between(before, after, at)),
            (Some(before), None) => Some(before.beyond(at)),
            (None, after) => after.map(|after| after.pose),
        }
    }
}

impl Mark {
    /// `None` of one that is not seen.
    fn of(at: f64, who: &ParticipantView) -> Option<Self> {
        let pose = Pose { x: who.x.into(), y: who.y.into(), f: who.f.into() };
        (!who.hidden).then(|| Self { at, pose, vx: who.vx.into(), vy: who.vy.into() })
    }

    fn moves(&self) -> bool {
        self.vx != 0.0 || self.vy != 0.0
    }

    fn beyond(&self, at: f64) -> Pose {
        let seconds = (at - self.at).min(AHEAD_MS) / 1_000.0;
        Pose { x: self.pose.x + self.vx * seconds, y: self.pose.y + self.vy * seconds, ..self.pose }
    }
}

fn between(before: &Mark, after: &Mark, at: f64) -> Pose {
    let seconds = (after.at - before.at) / 1_000.0;
    let share = (at - before.at) / (after.at - before.at);
    // Who says nothing of its velocity goes straight and evenly.
    let is_curved = before.moves() || after.moves();
    let along = |from: f64, to: f64, leaves: f64, arrives: f64| {
        if is_curved { cubic(share, from, to, leaves * seconds, arrives * seconds) } else { from + (to - from) * share }
    };
    Pose {
        x: along(before.pose.x, after.pose.x, before.vx, after.vx),
        y: along(before.pose.y, after.pose.y, before.vy, after.vy),
        f: turned(before.pose.f, after.pose.f, share),
    }
}

/// A cubic Hermite curve with these slopes at its ends. They are bounded as Fritsch and Carlson have it, so that it never leaves the way
/// between the two values: nobody is drawn where it cannot have been.
fn cubic(share: f64, from: f64, to: f64, leaves: f64, arrives: f64) -> f64 {
    let way = to - from;
    let bounded = |slope: f64| if way > 0.0 { slope.clamp(0.0, 3.0 * way) } else { slope.clamp(3.0 * way, 0.0) };
    let (square, cube) = (share.powi(2), share.powi(3));
    let along = way * (3.0 * square - 2.0 * cube);
    from + along + bounded(leaves) * (cube - 2.0 * square + share) + bounded(arrives) * (cube - square)
}

/// Between two directions, by the shorter way.
fn turned(from: f64, to: f64, share: f64) -> f64 {
    let turn = (to - from + 540.0).rem_euclid(360.0) - 180.0;
    (from + turn * share).rem_euclid(360.0)
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::server::Patch;
    use tiltyard_protocol::view::ParticipantView;
    use tiltyard_protocol::{Delta, View};

    use super::{Interpolator, Pose, turned};

    fn moves(at: u64, view: &mut View, others: &mut Interpolator, x: i32, vx: i32) {
        let patch = Patch { x: Some(x), y: Some(0), vx: Some(vx), vy: Some(0), ..Patch::default() };
        let delta = Delta { q: at, at, p: vec![patch], ..Delta::default() };
        view.apply(at - 1, &delta).unwrap();
        others.delta(&delta, view);
    }

    #[test]
    fn who_says_how_it_moves_is_drawn_on_a_curve_and_a_moment_further() {
        let mut view = View { participants: vec![ParticipantView::default()], ..View::default() };
        let mut others = Interpolator::default();
        others.snapshot(&view, 0);
        moves(1_000, &mut view, &mut others, 100, 400);
        moves(1_100, &mut view, &mut others, 140, 400);
        let x = |at: f64| others.place(0, at).unwrap().x;
        assert!((x(1_050.0) - 120.0).abs() < 0.01, "evenly where the speed is even: {}", x(1_050.0));
        assert!((x(1_200.0) - 180.0).abs() < 0.01, "on its way: {}", x(1_200.0));
        assert!((x(9_000.0) - 240.0).abs() < 0.01, "and no further: {}", x(9_000.0));
        assert_eq!(others.place(1, 0.0), None);
        // It stood, and began to move a quarter of a second before it was there.
        assert_eq!(others.place(0, 700.0), Some(Pose::default()));
        let leaves = x(1_000.0 - 200.0);
        assert!(leaves > 0.0 && leaves < 20.0, "slowly at first: {leaves}");
    }

    #[test]
    fn directions_turn_by_the_shorter_way() {
        assert!((turned(350.0, 20.0, 0.5) - 5.0).abs() < 0.01);
        assert!((turned(20.0, 350.0, 0.5) - 5.0).abs() < 0.01);
        assert!((turned(0.0, 90.0, 1.0) - 90.0).abs() < 0.01);
    }
}
