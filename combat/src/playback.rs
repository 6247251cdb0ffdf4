//! A fight fought again from its replay, input by input. It can stop anywhere, and go on from there later.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::replay::{End, Entries, Entry, Mark, REVISION, ReadError, Replay};
use crate::{Answer, Fight, Input, Millis, Ruleset, Step};

/// A fight that is being fought again.
#[derive(Debug)]
pub struct Playback {
    fight: Fight,
    step: Step,
    place: Place,
}

/// A playback as it was after some input, to go on from: small, and without the ruleset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    place: Place,
    /// The fight in the postcard format, as the log keeps it.
    fight: Box<[u8]>,
}

/// Where a playback stands on its tape.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    /// Bytes of the tape that were read.
    offset: usize,
    /// Host's time of the last input.
    at: Millis,
    /// Inputs that were stepped.
    inputs: u64,
    /// Up to which of them it is known to be the same fight.
    same: u64,
    /// Milliseconds for which the host was away.
    away: u64,
}

/// One input, fought again.
#[derive(Debug)]
pub struct Played<'a> {
    /// Which one, from 1.
    pub no: u64,
    /// Host's time.
    pub at: Millis,
    /// Unix milliseconds.
    pub unix_ms: u64,
    pub input: Input,
    pub answer: Answer,
    /// What it changed.
    pub step: &'a Step,
    /// As it is after the input.
    pub fight: &'a Fight,
}

/// How a fight that was fought again differs from the one that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Mismatch {
    #[error("it was fought under another ruleset than the one it is stepped with")]
    Ruleset,
    #[error("the tape cannot be read after input {after}: {error}")]
    Tape { after: u64, error: ReadError },
    #[error("it says it has {recorded} inputs, and has {found}")]
    Inputs { recorded: u64, found: u64 },
    #[error(
        "the same up to input {same}, another fight at input {input}: sequence {recorded} in the replay, {found} when stepped again"
    )]
    Seq { same: u64, input: u64, recorded: u64, found: u64 },
    #[error(
        "the same up to input {same}, another fight at input {input}: digest {recorded:016x} in the replay, {found:016x} when stepped again"
    )]
    Digest { same: u64, input: u64, recorded: u64, found: u64 },
    /// No sign that anybody has changed the file: the engine has changed.
    #[error(
        "recorded by revision {recorded} of the engine, and this is revision {REVISION}, which steps it otherwise; a version of Tiltyard with revision {recorded} can verify it ({what})"
    )]
    Revision { recorded: u32, what: Box<Mismatch> },
    #[error("a bookmark that cannot be read")]
    Bookmark,
}

impl Playback {
    /// At the beginning of `replay`, under its ruleset.
    pub fn of(replay: &Replay, ruleset: Arc<Ruleset>) -> Result<Self, Mismatch> {
        if ruleset.hash != replay.hash {
            return Err(Mismatch::Ruleset);
        }
        let fight = Fight::new(ruleset, replay.setup.clone());
        Ok(Self { fight, step: Step::default(), place: Place::default() })
    }

    /// Where `bookmark` was taken, on a tape that begins with the one it was taken on.
    pub fn resume(bookmark: &Bookmark, ruleset: Arc<Ruleset>) -> Result<Self, Mismatch> {
        let mut fight: Fight = postcard::from_bytes(&bookmark.fight).map_err(|_| Mismatch::Bookmark)?;
        fight.bind(ruleset);
        Ok(Self { fight, step: Step::default(), place: bookmark.place })
    }

    /// What it takes to go on from here.
    pub fn bookmark(&self) -> Bookmark {
        let fight = postcard::to_stdvec(&self.fight).expect("a fight has no value that postcard refuses");
        Bookmark { place: self.place, fight: fight.into() }
    }

    /// Steps the next input of `replay`; `None` at the end of its tape. After an error there is no going on.
    pub fn next(&mut self, replay: &Replay) -> Result<Option<Played<'_>>, Mismatch> {
        loop {
            let mut entries = Entries::from(replay, self.place.offset, self.place.at);
            let Some(entry) = entries.next() else { return Ok(None) };
            let place = &mut self.place;
            let entry = entry.map_err(|error| replay.blamed(Mismatch::Tape { after: place.inputs, error }))?;
            place.offset = replay.tape.len() - entries.left();
            match entry {
                Entry::Input { at, input } => {
                    place.at = at;
                    place.inputs += 1;
                    self.step.clear();
                    let answer = self.fight.handle(at, input, &mut self.step);
                    let unix_ms = replay.created_at.saturating_add(at).saturating_add(place.away);
                    let (no, step, fight) = (place.inputs, &self.step, &self.fight);
                    return Ok(Some(Played { no, at, unix_ms, input, answer, step, fight }));
                }
                Entry::Mark(Mark::Away { ms }) => place.away = place.away.saturating_add(ms),
                Entry::Mark(Mark::Check { seq, digest }) => {
                    self.compare(replay, End { inputs: self.place.inputs, seq, digest })?;
                    self.place.same = self.place.inputs;
                }
            }
        }
    }

    /// At the end of the tape: whether the fight is where the recorded one was. Returns it as it is.
    pub fn finish(self, replay: &Replay) -> Result<Fight, Mismatch> {
        if self.place.inputs != replay.end.inputs {
            return Err(Mismatch::Inputs { recorded: replay.end.inputs, found: self.place.inputs });
        }
        self.compare(replay, replay.end)?;
        Ok(self.fight)
    }

    /// Inputs that were stepped.
    pub fn inputs(&self) -> u64 {
        self.place.inputs
    }

    pub fn fight(&self) -> &Fight {
        &self.fight
    }

    /// Where it is now, in the terms of a replay's end.
    pub fn end(&self) -> End {
        End { inputs: self.place.inputs, seq: self.fight.seq(), digest: self.fight.state_digest() }
    }

    /// Unix milliseconds of the last input.
    pub fn unix_ms(&self, replay: &Replay) -> u64 {
        replay.created_at.saturating_add(self.place.at).saturating_add(self.place.away)
    }

    /// Whether the fight is where the recorded one was.
    fn compare(&self, replay: &Replay, recorded: End) -> Result<(), Mismatch> {
        let End { seq, digest, .. } = self.end();
        let (same, input) = (self.place.same, recorded.inputs);
        if seq != recorded.seq {
            return Err(replay.blamed(Mismatch::Seq { same, input, recorded: recorded.seq, found: seq }));
        }
        if digest != recorded.digest {
            return Err(replay.blamed(Mismatch::Digest { same, input, recorded: recorded.digest, found: digest }));
        }
        Ok(())
    }
}

impl Bookmark {
    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.fight.len()
    }

    /// Whether the tape of `replay` has so many inputs behind it.
    pub fn is_followed_by(&self, replay: &Replay, inputs: u64) -> bool {
        let entries = Entries::from(replay, self.place.offset, self.place.at);
        let found = entries.filter(|entry| matches!(entry, Ok(Entry::Input { .. })));
        (0..inputs).zip(found).count() as u64 == inputs
    }

    /// Inputs before it.
    pub fn inputs(&self) -> u64 {
        self.place.inputs
    }
}
