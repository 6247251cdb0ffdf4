//! Fights that are told to readers of logs, and what is remembered of them. Two caches, each bounded in bytes: trails, which are
//! the same for all readers, and told segments, each under the reader it was told for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use moka::sync::Cache;
use tiltyard_combat::Ruleset;
use tiltyard_combat::replay::{Loss, Replay};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::recording::{Known, Recording};
use super::story::{Page, Reader};
use super::trail::{Asked, Memory, SegmentEvents, Trail, Untold};
use super::turns::Turns;
use crate::limits;

/// The stories of one node.
#[derive(Debug)]
pub struct Stories {
    /// Who may have one told now.
    pub turns: Arc<Turns>,
    trails: Cache<Uuid, Arc<Path>>,
    told: Cache<(Uuid, usize, Reader), Arc<SegmentEvents>>,
    steps: AtomicU64,
    remembered: AtomicU64,
    stepped: AtomicU64,
}

/// The way to a fight's trail: whoever tells it has it alone, and the next one finds what that one has left.
#[derive(Debug, Default)]
pub struct Path(Mutex<Option<Trail>>);

/// What a fight is told from.
#[derive(Debug)]
pub enum Source {
    /// A live one, or one that has just ended.
    Recording(Box<Recording>),
    /// One that the store has.
    Replay(Box<Replay>),
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    pub session: Uuid,
    pub reader: Reader,
    /// Happenings with lower numbers than this.
    pub before: u64,
    pub limit: usize,
}

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    #[error("nobody waits for it any more")]
    Cancelled,
    #[error("its tape cannot be read: {0}")]
    Tape(#[from] std::io::Error),
    #[error("{0}")]
    Mismatch(#[from] tiltyard_combat::replay::Mismatch),
}

/// The told segments of one fight, for one reader.
struct Segments<'a> {
    stories: &'a Stories,
    question: Question,
    steps: std::cell::Cell<u64>,
}

impl Default for Stories {
    fn default() -> Self {
        let weight = |bytes: usize| u32::try_from(bytes + ENTRY_BYTES).unwrap_or(u32::MAX);
        let trails = Cache::builder().max_capacity(limits::STORY_TRAILS_BYTES);
        let told = Cache::builder().max_capacity(limits::STORY_TOLD_BYTES);
        Self {
            turns: Arc::default(),
            trails: trails.weigher(move |_, path: &Arc<Path>| weight(path.bytes())).build(),
            told: told.weigher(move |_, told: &Arc<SegmentEvents>| weight(told.bytes())).build(),
            steps: AtomicU64::new(0),
            remembered: AtomicU64::new(0),
            stepped: AtomicU64::new(0),
        }
    }
}

/// What a cache itself needs for an entry, about.
const ENTRY_BYTES: usize = 200;

impl Stories {
    /// Where the fight is told.
    pub fn path(&self, session: Uuid) -> Arc<Path> {
        self.trails.get_with(session, Arc::default)
    }

    /// Tells a page, from `source` where the path has not led to the end already. Steps what nobody has stepped before; off the
    /// runtime.
    pub fn page(
        &self,
        path: &Arc<Path>,
        source: Option<(Source, Arc<Ruleset>)>,
        question: Question,
        stop: &CancellationToken,
    ) -> Result<Page, Silence> {
        let segments = Segments { stories: self, question, steps: std::cell::Cell::new(0) };
        let page = {
            // What a panic has left is whole: a trail changes between steps.
            let mut trail = path.0.lock().unwrap_or_else(PoisonError::into_inner);
            if stop.is_cancelled() {
                return Err(Silence::Cancelled);
            }
            if let Some((source, ruleset)) = source {
                source.into_trail(&mut trail, ruleset)?;
            }
            let Some(trail) = trail.as_mut() else { return Err(Silence::Cancelled) };
            let Question { reader, before, limit, .. } = question;
            trail.page(&Asked { reader, before, limit, memory: &segments, stop })
        };
        let steps = segments.steps.get();
        if steps > 0 {
            self.steps.fetch_add(steps, Ordering::Relaxed);
            // Its weight has changed.
            self.trails.insert(question.session, Arc::clone(path));
        }
        let page = page.map_err(|untold| match untold {
            Untold::Cancelled => Silence::Cancelled,
            Untold::Mismatch(mismatch) => mismatch.into(),
        })?;
        (if steps == 0 { &self.remembered } else { &self.stepped }).fetch_add(1, Ordering::Relaxed);
        Ok(page)
    }

    /// Inputs that were stepped to tell pages.
    pub fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }

    /// Pages told from memory, and those for which something had to be stepped.
    pub fn pages(&self) -> (u64, u64) {
        (self.remembered.load(Ordering::Relaxed), self.stepped.load(Ordering::Relaxed))
    }
}

impl Path {
    /// Whether all of the fight's tape is here, so that no source is needed.
    pub fn has_ended(&self) -> bool {
        // While it is being told nobody knows; asking the shard or the store once more does no harm.
        self.0.try_lock().is_ok_and(|trail| trail.as_ref().is_some_and(Trail::has_ended))
    }

    fn bytes(&self) -> usize {
        self.0.try_lock().map_or(0, |trail| trail.as_ref().map_or(0, Trail::bytes))
    }
}

impl Source {
    fn into_trail(self, trail: &mut Option<Trail>, ruleset: Arc<Ruleset>) -> Result<(), Silence> {
        if trail.as_ref().is_some_and(Trail::has_ended) {
            return Ok(());
        }
        let (replay, known, ended) = match self {
            Self::Replay(replay) => (*replay, Known::default(), true),
            Self::Recording(recording) => {
                let ended = recording.is_settled();
                let (replay, known) = recording.tape(trail.as_ref().map(Trail::known))?;
                let damaged = replay.cut.is_some_and(|cut| cut.loss == Loss::Damaged);
                (replay, known, ended && !damaged)
            }
        };
        match trail {
            Some(trail) => trail.go_on(replay, known, ended)?,
            None => *trail = Some(Trail::new(replay, known, ended, ruleset)?),
        }
        Ok(())
    }
}

impl Memory for Segments<'_> {
    fn get(&self, segment: usize) -> Option<Arc<SegmentEvents>> {
        self.stories.told.get(&(self.question.session, segment, self.question.reader))
    }

    fn keep(&self, segment: usize, told: &Arc<SegmentEvents>) {
        self.stories.told.insert((self.question.session, segment, self.question.reader), Arc::clone(told));
    }

    fn stepped(&self, inputs: u64) {
        self.steps.set(self.steps.get() + inputs);
    }
}
