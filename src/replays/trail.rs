//! What is remembered of a fight that was told, so that nobody steps again what somebody has stepped already: its tape, bookmarks
//! on the way, and how much had happened by then.
//!
//! A tape is cut into segments of as many inputs each. What happened in a segment is told for a reader once, and kept by the
//! [`Stories`](super::Stories) under that reader; what is here is the same for everybody, and shown to nobody.

use std::collections::BTreeMap;
use std::sync::Arc;

use tiltyard_combat::replay::{Bookmark, Mismatch, Playback, Replay};
use tiltyard_combat::{Participant, Ruleset};
use tokio_util::sync::CancellationToken;

use super::recording::Known;
use super::story::{Happening, Page, Reader, Tally, Teller};
use crate::limits;

/// Inputs of a segment.
const SEGMENT: u64 = limits::STORY_SEGMENT_INPUTS;

/// A fight that is told.
#[derive(Debug)]
pub struct Trail {
    ruleset: Arc<Ruleset>,
    replay: Replay,
    known: Known,
    /// Nothing will be added to the tape any more, and where it ends is in the replay.
    ended: bool,
    /// How much was told before each segment that was reached, the first included.
    before: Vec<Tally>,
    /// The beginning of the last of these.
    tip: Bookmark,
    /// The beginnings of segments: of every one, of every second, of every fourth...
    bookmarks: BTreeMap<usize, Bookmark>,
    every: usize,
    bookmark_bytes: usize,
    /// It turned out to be another fight.
    broken: Option<Mismatch>,
}

/// What happened in a segment, for one reader.
#[derive(Debug)]
pub struct SegmentEvents {
    happenings: Vec<Happening>,
    /// Number of the last one.
    to: u64,
    /// Bytes of the tape as it was; what comes behind the segment is no matter.
    tape: usize,
    whole: bool,
    /// Everybody's player by then, by slot.
    players: Vec<u128>,
}

/// Where told segments are kept, for one fight and one reader.
pub trait Memory {
    fn get(&self, segment: usize) -> Option<Arc<SegmentEvents>>;
    fn keep(&self, segment: usize, told: &Arc<SegmentEvents>);
    /// So many inputs were stepped.
    fn stepped(&self, inputs: u64);
}

/// What is asked of a trail, and by whom.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a, M> {
    pub reader: Reader,
    /// Happenings with lower numbers than this, the newest first.
    pub before: u64,
    /// At most so many.
    pub limit: usize,
    pub memory: &'a M,
    pub stop: &'a CancellationToken,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Untold {
    /// Nobody waits for it any more.
    Cancelled,
    /// It cannot be stepped as it was recorded.
    Mismatch(Mismatch),
}

impl From<Mismatch> for Untold {
    fn from(mismatch: Mismatch) -> Self {
        Self::Mismatch(mismatch)
    }
}

impl Trail {
    /// Of a fight of which nothing was told yet.
    pub fn new(replay: Replay, known: Known, ended: bool, ruleset: Arc<Ruleset>) -> Result<Self, Mismatch> {
        let tip = Playback::of(&replay, Arc::clone(&ruleset))?.bookmark();
        let bookmark_bytes = tip.bytes();
        let bookmarks = BTreeMap::from([(0, tip.clone())]);
        let before = vec![Tally::default()];
        Ok(Self { ruleset, replay, known, ended, before, tip, bookmarks, every: 1, bookmark_bytes, broken: None })
    }

    /// The fight has gone on: its tape begins with the one that is here. Where it does not, a part of it has been lost since.
    pub fn go_on(&mut self, replay: Replay, known: Known, ended: bool) -> Result<(), Mismatch> {
        if replay.tape.starts_with(&self.replay.tape) {
            (self.replay, self.known, self.ended) = (replay, known, ended);
        } else {
            *self = Self::new(replay, known, ended, Arc::clone(&self.ruleset))?;
        }
        Ok(())
    }

    /// Whether it will not go on.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// What of its tape need not be read again.
    pub fn known(&self) -> (&Known, &[u8]) {
        (&self.known, &self.replay.tape)
    }

    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        // None takes more than the last.
        let before = self.before.len() * self.before.last().map_or(0, Tally::bytes);
        size_of::<Self>() + self.replay.tape.len() + self.bookmark_bytes + self.tip.bytes() + before
    }

    /// What is asked for.
    pub fn page(&mut self, asked: &Asked<'_, impl Memory>) -> Result<Page, Untold> {
        if let Some(mismatch) = &self.broken {
            return Err(mismatch.clone().into());
        }
        let page = self.reach(asked).and_then(|()| self.collect(asked));
        if let Err(Untold::Mismatch(mismatch)) = &page {
            self.broken = Some(mismatch.clone());
        }
        page
    }

    /// Steps on until it is known in which segment the happening is before which it is asked for. What there is of the last one is stepped where it
    /// is told.
    fn reach(&mut self, asked: &Asked<'_, impl Memory>) -> Result<(), Untold> {
        let mut playback = None;
        while self.reached().told(asked.reader) + 1 < asked.before && self.tip.is_followed_by(&self.replay, SEGMENT) {
            if asked.stop.is_cancelled() {
                return Err(Untold::Cancelled);
            }
            let mut here = match playback {
                Some(playback) => playback,
                None => Playback::resume(&self.tip, Arc::clone(&self.ruleset))?,
            };
            let to = here.inputs() + SEGMENT;
            let mut tally = self.reached().clone();
            while here.inputs() < to
                && let Some(played) = here.next(&self.replay)?
            {
                tally.add(&played);
            }
            asked.memory.stepped(SEGMENT);
            self.before.push(tally);
            self.tip = here.bookmark();
            self.keep(self.before.len() - 1);
            playback = Some(here);
        }
        Ok(())
    }

    fn reached(&self) -> &Tally {
        self.before.last().expect("the first segment is always there")
    }

    /// Keeps the tip, the beginning of `segment`; where there are too many bookmarks, every second one.
    fn keep(&mut self, segment: usize) {
        if !segment.is_multiple_of(self.every) {
            return;
        }
        self.bookmark_bytes += self.tip.bytes();
        self.bookmarks.insert(segment, self.tip.clone());
        if self.bookmark_bytes > limits::STORY_BOOKMARK_BYTES {
            self.every *= 2;
            self.bookmarks.retain(|segment, _| segment.is_multiple_of(self.every));
            self.bookmark_bytes = self.bookmarks.values().map(Bookmark::bytes).sum();
        }
    }

    fn collect(&self, asked: &Asked<'_, impl Memory>) -> Result<Page, Untold> {
        let Asked { reader, before, limit, memory, .. } = *asked;
        let mut page = Page::default();
        for segment in (0..self.before.partition_point(|tally| tally.told(reader) + 1 < before)).rev() {
            let told = match memory.get(segment).filter(|told| self.answers(told, before)) {
                Some(told) => told,
                None => self.tell(segment, asked)?,
            };
            if page.players.is_empty() {
                page.players.clone_from(&told.players);
            }
            let older = told.happenings.iter().rev().filter(|happening| happening.no < before);
            page.happenings.extend(older.take(limit + 1 - page.happenings.len()).cloned());
            if page.happenings.len() > limit {
                page.happenings.truncate(limit);
                page.more = true;
                break;
            }
        }
        Ok(page)
    }

    /// Whether a segment that was told says all that is before number `before`.
    fn answers(&self, told: &SegmentEvents, before: u64) -> bool {
        told.whole || told.tape == self.replay.tape.len() || told.to + 1 >= before
    }

    /// Tells a segment, and those on the way to it from the nearest bookmark: who reads on will need them.
    fn tell(&self, segment: usize, asked: &Asked<'_, impl Memory>) -> Result<Arc<SegmentEvents>, Untold> {
        let tip = (self.before.len() - 1, &self.tip);
        let kept = self.bookmarks.range(..=segment).next_back().map(|(&at, bookmark)| (at, bookmark));
        let (mut at, bookmark) = if tip.0 <= segment { tip } else { kept.unwrap_or(tip) };
        let mut playback = Playback::resume(bookmark, Arc::clone(&self.ruleset))?;
        loop {
            if asked.stop.is_cancelled() {
                return Err(Untold::Cancelled);
            }
            let (told, next) = self.tell_next(playback, at, asked)?;
            let told = Arc::new(told);
            asked.memory.keep(at, &told);
            let Some(next) = next.filter(|_| at < segment) else { return Ok(told) };
            (playback, at) = (next, at + 1);
        }
    }

    /// Tells what comes next: a segment, or what there is of it. Returns the playback where there may be more.
    fn tell_next(
        &self,
        mut playback: Playback,
        segment: usize,
        asked: &Asked<'_, impl Memory>,
    ) -> Result<(SegmentEvents, Option<Playback>), Mismatch> {
        let (from, before) = (playback.inputs(), self.before[segment].told(asked.reader));
        let (mut teller, mut happenings) = (Teller::after(asked.reader, before), Vec::new());
        while playback.inputs() < from + SEGMENT
            && let Some(played) = playback.next(&self.replay)?
        {
            teller.tell(&played, |happening| happenings.push(happening));
        }
        let inputs = playback.inputs() - from;
        asked.memory.stepped(inputs);
        let players = playback.fight().participants().iter().map(Participant::player).collect();
        let whole = inputs == SEGMENT;
        let next = if whole {
            Some(playback)
        } else {
            happenings.extend(self.replay.cut.map(|cut| teller.cut(cut, playback.unix_ms(&self.replay))));
            if self.ended {
                // What another engine has recorded is told, too, where it is stepped alike.
                let _verdict = playback.finish(&self.replay)?;
            }
            None
        };
        Ok((SegmentEvents { happenings, to: teller.told(), tape: self.replay.tape.len(), whole, players }, next))
    }
}

impl SegmentEvents {
    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        let happenings: usize = self.happenings.iter().map(Happening::bytes).sum();
        size_of::<Self>() + happenings + self.players.len() * size_of::<u128>()
    }
}
