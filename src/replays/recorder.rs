//! What a session keeps of its tape: the last inputs, and where the parts before them are.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tiltyard_combat::replay::{End, Mark, Pen};
use tiltyard_combat::{Fight, Input, Millis};

use super::chunks::{ChunkFile, FileId, Folder, Place};
use crate::limits;

/// A session's recorder. Goes on after a restart from what the log has of it.
#[derive(Debug, Default)]
pub struct Recorder {
    state: State,
    /// Holds the files that have parts of the tape.
    files: SmallVec<[Arc<ChunkFile>; 1]>,
}

/// A recorder as the log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecorderState {
    state: State,
    files: Vec<FileId>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    pen: Pen,
    /// What no part has yet.
    tape: Vec<u8>,
    /// The newest part.
    last: Option<Place>,
    /// Of all parts.
    bytes: u64,
    /// Milliseconds for which the node was away, all together.
    away_ms: u64,
    /// Something of the tape is missing.
    lost: bool,
    /// The fight is over.
    end: Option<End>,
}

impl Recorder {
    /// Goes on with what the log had.
    pub fn resume(kept: RecorderState, folder: &Folder) -> Self {
        Self { state: kept.state, files: kept.files.into_iter().map(|id| folder.file(id)).collect() }
    }

    /// The recorder as the log keeps it.
    pub fn state(&self) -> RecorderState {
        RecorderState { state: self.state.clone(), files: self.files.iter().map(|file| file.id()).collect() }
    }

    /// Notes an input that `fight` has just handled, up to the one that ends it.
    pub fn note(&mut self, at: Millis, input: Input, fight: &Fight) {
        let state = &mut self.state;
        if state.lost || state.end.is_some() {
            return;
        }
        state.pen.input(at, input, &mut state.tape);
        if fight.lifecycle().is_ended() {
            state.end = Some(end_of(state.pen, fight));
        } else if state.pen.is_check_due() {
            let End { seq, digest, .. } = end_of(state.pen, fight);
            Pen::mark(Mark::Check { seq, digest }, &mut state.tape);
        }
        if self.state.bytes + self.state.tape.len() as u64 > limits::REPLAY_BYTES {
            self.lose();
        }
    }

    /// Notes that the node was away until a moment that is `since_ms` after the session's creation by the wall's clock, and
    /// `host_ms` by its host's, which has stood still meanwhile.
    pub fn note_away(&mut self, since_ms: u64, host_ms: Millis) {
        let state = &mut self.state;
        let ms = since_ms.saturating_sub(host_ms).saturating_sub(state.away_ms);
        if ms > 0 && !state.lost && state.end.is_none() {
            Pen::mark(Mark::Away { ms }, &mut state.tape);
            state.away_ms += ms;
        }
    }

    /// Gives up: something of the tape is missing, so there will be no replay.
    pub fn lose(&mut self) {
        self.files = SmallVec::new();
        self.state = State { lost: true, pen: self.state.pen, ..State::default() };
    }

    pub fn is_lost(&self) -> bool {
        self.state.lost
    }

    /// Where the fight ended; as `fight` stands now where it has not.
    pub fn end(&self, fight: &Fight) -> End {
        self.state.end.unwrap_or_else(|| end_of(self.state.pen, fight))
    }

    /// Whether it holds as much as it may.
    pub fn is_full(&self) -> bool {
        self.state.tape.len() >= limits::TAPE_BYTES
    }

    pub(super) fn tape(&self) -> &[u8] {
        &self.state.tape
    }

    pub(super) fn last(&self) -> Option<Place> {
        self.state.last
    }

    /// Bytes of the parts.
    pub(super) fn bytes(&self) -> u64 {
        self.state.bytes
    }

    pub(super) fn files(&self) -> &[Arc<ChunkFile>] {
        &self.files
    }

    /// What it held is on its way into a part.
    pub(super) fn written(&mut self, place: Place, file: &Arc<ChunkFile>) {
        self.state.bytes += self.state.tape.len() as u64;
        self.state.tape.clear();
        self.state.last = Some(place);
        if !self.files.iter().any(|held| held.id() == file.id()) {
            self.files.push(Arc::clone(file));
        }
    }
}

fn end_of(pen: Pen, fight: &Fight) -> End {
    End { inputs: pen.inputs(), seq: fight.seq(), digest: fight.state_digest() }
}
