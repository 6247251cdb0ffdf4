//! Which segments of a shard are needed: the newest, and, as long as its checkpoint is being written between its turns, those before
//! it, back to one whose checkpoint is complete.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::log::frame;
use crate::log::segment::Heading;
use crate::shard::entry;

/// What a segment says of itself, up to where it is damaged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Outline {
    /// It goes on from the one before it.
    follows: bool,
    /// Its checkpoint was written between turns, and is complete.
    complete: bool,
}

/// The segments that are needed of those of a shard, the oldest first.
#[derive(Debug)]
pub struct Chain<'a> {
    pub paths: &'a [&'a PathBuf],
    /// Whether the oldest of them goes on from one that is not there.
    pub is_broken: bool,
    /// Whether the newest was begun without a checkpoint.
    pub is_written_between_turns: bool,
}

/// How a segment is cut off from the one that it goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It is not there.
    Missing,
    /// Another has its name.
    Another,
    /// Its whole frames do not end where they ended.
    Ends { there: u64, said: u64 },
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("which is not there"),
            Self::Another => f.write_str("in whose place another is"),
            Self::Ends { there, said } => write!(f, "whose whole turns end at byte {there}, and ended at byte {said}"),
        }
    }
}

impl<'a> Chain<'a> {
    /// What is needed to go on from the last of `paths`, which are all up to there, the oldest first.
    pub fn of(paths: &'a [&'a PathBuf]) -> io::Result<Self> {
        let mut oldest = paths.len();
        let mut newest = None;
        while let Some(path) = oldest.checked_sub(1).map(|before| paths[before]) {
            let outline = outline(path)?;
            oldest -= 1;
            newest = newest.or(Some(outline));
            if !outline.follows || outline.complete {
                return Ok(Self::from(&paths[oldest..], newest, false));
            }
        }
        Ok(Self::from(paths, newest, true))
    }

    fn from(paths: &'a [&'a PathBuf], newest: Option<Outline>, is_broken: bool) -> Self {
        Self { paths, is_broken, is_written_between_turns: newest.is_some_and(|newest| newest.follows) }
    }
}

fn outline(path: &Path) -> io::Result<Outline> {
    let bytes = fs::read(path)?;
    let Ok((heading, mut rest)) = Heading::read_at(path, &bytes) else { return Ok(Outline::default()) };
    let mut outline = Outline::default();
    let first = frame::next(&mut rest, heading.salt);
    outline.follows = matches!(first, Ok(Some(payload)) if entry::follows(payload).is_some());
    while outline.follows
        && !outline.complete
        && let Ok(Some(payload)) = frame::next(&mut rest, heading.salt)
    {
        outline.complete = entry::is_checkpoint_end(payload);
    }
    Ok(outline)
}
