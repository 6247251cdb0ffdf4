//! A fight fought again from its replay, input by input. It can stop anywhere, and go on from there later.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::replay::{End, Entries, Entry, Mark, REVISION, ReadError, Replay};
use crate::{Answer, Bout, Fight, Input, Millis, Ruleset, Step};

/// A fight that is being fought again.
#[derive(Debug)]
pub struct Playback {
    ruleset: Arc<Ruleset>,
    fight: Fight,
    step: Step,
    place: Place,
}

/// A playback as it was after some input, to go on from: small, and without the ruleset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bookmark {
    place: Place,
    /// The hash of its ruleset.
    ruleset: [u8; 32],
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
    /// Whose inputs these are, as far as the tape has said.
    engine: Option<u32>,
    /// The newest of other engines whose word it has had.
    other: Option<u32>,
    /// Whose check stands here, behind the last input.
    checked_by: Option<u32>,
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
    pub fight: Bout<'a>,
}

/// How far a fight that was fought again to its end is known to be the recorded one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Same,
    /// Its end was recorded by an engine of another revision. Inputs and sequences are the same; its digest only that one can compare.
    OtherEngine { recorded: u32 },
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
    /// No sign that anybody has changed the file: the engine has changed. Nothing else, where there is nothing that it steps otherwise.
    #[error("recorded by revision {recorded} of the engine, and this is revision {REVISION}, {}", otherwise(*recorded, what.as_deref()))]
    Revision { recorded: u32, what: Option<Box<Mismatch>> },
    #[error("a bookmark that cannot be read")]
    Bookmark,
}

fn otherwise(recorded: u32, what: Option<&Mismatch>) -> String {
    let who = format!("a version of Tiltyard with revision {recorded} can verify it");
    match what {
        Some(what) => format!("which steps it otherwise; {who} ({what})"),
        None => format!("which has other digests: inputs and sequences are the recorded ones, and {who}"),
    }
}

impl Playback {
    /// At the beginning of `replay`, under its ruleset.
    pub fn of(replay: &Replay, ruleset: Arc<Ruleset>) -> Result<Self, Mismatch> {
        if ruleset.hash != replay.hash {
            return Err(Mismatch::Ruleset);
        }
        let fight = Fight::new(&ruleset, replay.setup.clone());
        Ok(Self { ruleset, fight, step: Step::default(), place: Place::default() })
    }

    /// Where `bookmark` was taken, on a tape that begins with the one it was taken on.
    pub fn resume(bookmark: &Bookmark, ruleset: Arc<Ruleset>) -> Result<Self, Mismatch> {
        if ruleset.hash != bookmark.ruleset {
            return Err(Mismatch::Ruleset);
        }
        let fight = postcard::from_bytes(&bookmark.fight).map_err(|_| Mismatch::Bookmark)?;
        Ok(Self { ruleset, fight, step: Step::default(), place: bookmark.place })
    }

    /// What it takes to go on from here.
    pub fn bookmark(&self) -> Bookmark {
        let fight = postcard::to_stdvec(&self.fight).expect("a fight has no value that postcard refuses");
        Bookmark { place: self.place, ruleset: self.ruleset.hash, fight: fight.into() }
    }

    /// Steps the next input of `replay`; `None` at the end of its tape. After an error there is no going on.
    pub fn next(&mut self, replay: &Replay) -> Result<Option<Played<'_>>, Mismatch> {
        loop {
            let mut entries = Entries::from(replay, self.place.offset, self.place.at);
            let Some(entry) = entries.next() else { return Ok(None) };
            let after = self.place.inputs;
            let entry = entry.map_err(|error| self.blamed(replay, Mismatch::Tape { after, error }))?;
            self.place.offset = replay.tape.len() - entries.left();
            match entry {
                Entry::Input { at, input } => {
                    if self.place.engine.is_none() {
                        self.heed(replay.old_revision());
                    }
                    let place = &mut self.place;
                    place.checked_by = None;
                    place.at = at;
                    place.inputs += 1;
                    self.step.clear();
                    let answer = self.fight.handle(&self.ruleset, at, input, &mut self.step);
                    let unix_ms = replay.created_at.saturating_add(at).saturating_add(place.away);
                    let (no, step) = (place.inputs, &self.step);
                    let fight = Bout { fight: &self.fight, ruleset: &self.ruleset };
                    return Ok(Some(Played { no, at, unix_ms, input, answer, step, fight }));
                }
                Entry::Mark(Mark::Away { ms }) => self.place.away = self.place.away.saturating_add(ms),
                Entry::Mark(Mark::Begun { revision }) => self.heed(revision),
                Entry::Mark(Mark::OldCheck { seq, digest }) => {
                    self.check(replay, replay.old_revision(), seq, digest)?;
                }
                Entry::Mark(Mark::Check { revision, seq, digest }) => self.check(replay, revision, seq, digest)?,
            }
        }
    }

    /// At the end of the tape: whether the fight is where the recorded one was. Returns it as it is.
    pub fn finish(self, replay: &Replay) -> Result<(Fight, Verdict), Mismatch> {
        if self.place.inputs != replay.end.inputs {
            return Err(Mismatch::Inputs { recorded: replay.end.inputs, found: self.place.inputs });
        }
        let recorded = self.place.checked_by.unwrap_or_else(|| replay.old_revision());
        self.compare(replay, recorded, replay.end)?;
        let verdict = if recorded == REVISION { Verdict::Same } else { Verdict::OtherEngine { recorded } };
        Ok((self.fight, verdict))
    }

    /// Inputs that were stepped.
    pub fn inputs(&self) -> u64 {
        self.place.inputs
    }

    pub fn fight(&self) -> &Fight {
        &self.fight
    }

    /// The same, under its ruleset.
    pub fn bout(&self) -> Bout<'_> {
        Bout { fight: &self.fight, ruleset: &self.ruleset }
    }

    /// Where it is now, in the terms of a replay's end.
    pub fn end(&self) -> End {
        End { inputs: self.place.inputs, seq: self.fight.seq(), digest: self.fight.state_digest(&self.ruleset) }
    }

    /// Unix milliseconds of the last input.
    pub fn unix_ms(&self, replay: &Replay) -> u64 {
        replay.created_at.saturating_add(self.place.at).saturating_add(self.place.away)
    }

    /// What the engine of this revision says comes next.
    fn heed(&mut self, revision: u32) {
        self.place.engine = Some(revision);
        if revision != REVISION {
            self.place.other = Some(revision);
        }
    }

    /// A check on the tape.
    fn check(&mut self, replay: &Replay, revision: u32, seq: u64, digest: u64) -> Result<(), Mismatch> {
        self.compare(replay, revision, End { inputs: self.place.inputs, seq, digest })?;
        self.heed(revision);
        self.place.checked_by = Some(revision);
        self.place.same = self.place.inputs;
        Ok(())
    }

    /// Whether the fight is where the recorded one was, as far as the digest of an engine of that revision can be compared.
    fn compare(&self, replay: &Replay, revision: u32, recorded: End) -> Result<(), Mismatch> {
        let (same, input, seq) = (self.place.same, recorded.inputs, self.fight.seq());
        if seq != recorded.seq {
            let mismatch = Mismatch::Seq { same, input, recorded: recorded.seq, found: seq };
            return Err(if revision == REVISION { self.blamed(replay, mismatch) } else { of(revision, mismatch) });
        }
        if revision != REVISION {
            return Ok(());
        }
        let digest = self.fight.state_digest(&self.ruleset);
        if digest != recorded.digest {
            let mismatch = Mismatch::Digest { same, input, recorded: recorded.digest, found: digest };
            return Err(self.blamed(replay, mismatch));
        }
        Ok(())
    }

    /// The same mismatch; where an engine of another revision has been at work, it says that.
    fn blamed(&self, replay: &Replay, mismatch: Mismatch) -> Mismatch {
        let written = Some(replay.revision).filter(|&revision| revision != REVISION);
        match self.place.other.or(written) {
            Some(recorded) => of(recorded, mismatch),
            None => mismatch,
        }
    }
}

fn of(recorded: u32, mismatch: Mismatch) -> Mismatch {
    Mismatch::Revision { recorded, what: Some(Box::new(mismatch)) }
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
