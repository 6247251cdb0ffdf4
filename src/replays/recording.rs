//! A recording on its way from a shard: everything that a replay is made of, some of it still in files.

use std::io;
use std::sync::Arc;

use tiltyard_combat::replay::{Cut, End, Loss, REVISION, Replay};
use tiltyard_combat::{Bout, Participant, Ruleset, Setup, Slot};
use uuid::Uuid;

use super::chunks::{self, ChunkFile, Place};
use super::recorder::Recorder;

/// A fight's recording, complete up to where it ends.
#[derive(Debug, Clone)]
pub struct Recording {
    pub session: Uuid,
    /// Of its ruleset.
    pub hash: [u8; 32],
    /// Whether the fight is over, and the recording of it.
    pub ended: bool,
    created_at: u64,
    setup: Setup,
    /// What no file has.
    tape: Vec<u8>,
    last: Option<Place>,
    /// Of the parts in files.
    bytes: u64,
    files: Vec<Arc<ChunkFile>>,
    /// Nothing where that has to be found out by fighting it again: finding it out would cost the shard more than all the rest.
    end: Option<End>,
    cut: Option<Cut>,
}

/// What somebody has read of a fight's parts before.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// The newest of them.
    last: Option<Place>,
    /// Bytes of them all: as many of the tape's beginning.
    bytes: u64,
}

impl Recording {
    /// Of a session created at `created_at` with this seed and this many participants.
    pub fn of(session: Uuid, created_at: u64, fight: Bout<'_>, seed: u64, founders: u8, recorder: &Recorder) -> Self {
        let founders = fight.participants().iter().take(usize::from(founders));
        // Whoever sat in a seat first.
        let founder = |(slot, participant): (Slot, &Participant)| {
            let before = fight.given_up().iter().find(|(of, _)| *of == slot);
            before.map_or(participant.player(), |&(_, player)| player)
        };
        Self {
            session,
            hash: fight.ruleset.hash,
            ended: fight.lifecycle().is_ended(),
            created_at,
            setup: Setup {
                mode: fight.mode(),
                rules: fight.rules().clone(),
                seats: fight.seats(),
                participants: (0..).zip(founders).map(founder).collect(),
                teams: fight.teams().to_vec(),
                seed,
            },
            tape: recorder.tape().to_vec(),
            last: recorder.last(),
            bytes: recorder.bytes(),
            files: recorder.files().to_vec(),
            end: recorder.end(),
            cut: recorder.is_cut(),
        }
    }

    /// The same of a fight that the engine has given up in the middle of a step: up to the input before.
    #[must_use]
    pub fn broken_off(mut self) -> Self {
        self.ended = true;
        if self.end.is_none() {
            self.cut = Some(Cut { loss: Loss::Panic, at: 0 });
        }
        self
    }

    /// Bytes of its tape.
    pub fn tape_bytes(&self) -> usize {
        usize::try_from(self.bytes).unwrap_or(usize::MAX).saturating_add(self.tape.len())
    }

    /// Whether it says where its tape ends, and so ends there for good.
    pub fn is_settled(&self) -> bool {
        self.end.is_some()
    }

    /// Reads the parts and puts them together, without the ruleset's text. Waits for the disk, and fights it again where nobody
    /// knows where it ends. Where a part is damaged, what is before it is the replay.
    pub fn assemble(self, ruleset: impl FnOnce() -> Option<Arc<Ruleset>>) -> io::Result<Replay> {
        let settled = self.is_settled();
        let (mut replay, _) = self.tape(None)?;
        if !settled || replay.cut.is_some_and(|cut| cut.loss == Loss::Damaged) {
            let ruleset = ruleset().ok_or_else(|| io::Error::other("its ruleset is not there"))?;
            replay.settle(ruleset).map_err(|mismatch| io::Error::other(mismatch.to_string()))?;
        }
        Ok(replay)
    }

    /// As [`Recording::assemble`], but where the tape ends may be wrong. What somebody knows already, and that one's tape, is not
    /// read again.
    pub fn tape(self, known: Option<(&Known, &[u8])>) -> io::Result<(Replay, Known)> {
        let (tape, cut, known) = match self.read(known) {
            Ok(mut tape) => {
                tape.extend_from_slice(&self.tape);
                (tape, self.cut, Known { last: self.last, bytes: self.bytes })
            }
            Err(error) => {
                let tape = chunks::salvage(&self.files, self.session);
                if tape.is_empty() {
                    return Err(error);
                }
                let (session, bytes) = (self.session, tape.len());
                tracing::warn!(%session, %error, bytes, "a part of a fight's tape cannot be read; what is before it is kept");
                (tape, Some(Cut { loss: Loss::Damaged, at: 0 }), Known::default())
            }
        };
        let replay = Replay {
            session: self.session.as_u128(),
            created_at: self.created_at,
            revision: REVISION,
            text: String::new(),
            hash: self.hash,
            setup: self.setup,
            tape,
            end: self.end.unwrap_or_default(),
            cut,
        };
        Ok((replay, known))
    }

    /// The parts in files.
    fn read(&self, known: Option<(&Known, &[u8])>) -> io::Result<Vec<u8>> {
        let known = known.and_then(|(known, tape)| Some((known, tape.get(..usize::try_from(known.bytes).ok()?)?)));
        let is_known = |last, bytes| known.is_some_and(|(known, _)| (known.last, known.bytes) == (last, bytes));
        let file = |id| self.files.iter().find(|file| file.id() == id).cloned();
        let mut parts = Vec::new();
        let had = chunks::walk(self.session, (self.last, self.bytes), file, is_known, |part| parts.push(part))?;
        let beginning = known.filter(|_| had > 0).map_or(&[][..], |(_, tape)| tape);
        let mut tape = Vec::with_capacity(self.tape_bytes());
        tape.extend_from_slice(beginning);
        parts.iter().rev().for_each(|part| tape.extend_from_slice(part));
        Ok(tape)
    }
}

#[cfg(test)]
#[path = "recording_tests.rs"]
mod tests;
