//! What a session keeps of its tape: the last inputs, and where the parts before them are.

use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use tiltyard_combat::replay::{Cut, End, Loss, Mark, TapeWriter};
use tiltyard_combat::{Bout, Input, Millis};
use uuid::Uuid;

use super::chunks::{self, ChunkFile, FileId, Folder, Place};
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

impl RecorderState {
    /// The files that have parts of the tape.
    pub fn files(&self) -> &[FileId] {
        &self.files
    }

    /// The parts in files are not to be had any more: reading the tape tells that.
    pub fn leave_files(&mut self) {
        self.files.clear();
    }

    /// Whether all parts of the tape of `session` are in the files in `folder`, as they are needed for its replay; why not.
    pub fn look(&self, session: Uuid, folder: &Path) -> io::Result<()> {
        let file = |id| self.files.contains(&id).then(|| Arc::new(ChunkFile::at(folder, id)));
        chunks::walk(session, (self.state.last, self.state.bytes), file, |_, _| false, drop).map(drop)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    pen: TapeWriter,
    /// What no part has yet.
    tape: Vec<u8>,
    /// The newest part.
    last: Option<Place>,
    /// Of all parts.
    bytes: u64,
    /// Milliseconds for which the node was away, all together.
    away_ms: u64,
    /// Why the tape ends before its fight, if so.
    cut: Option<Cut>,
    /// Nothing is recorded behind it: the fight is over, or the tape was cut.
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

    /// Notes an input that `bout` has just handled, up to the one that ends it.
    pub fn note(&mut self, at: Millis, input: Input, bout: Bout<'_>) {
        let state = &mut self.state;
        if state.end.is_some() {
            return;
        }
        state.pen.input(at, input, &mut state.tape);
        if bout.lifecycle().is_ended() {
            state.end = Some(state.pen.end(bout, &mut state.tape));
        } else if state.pen.is_check_due() {
            TapeWriter::mark(Mark::check(bout), &mut state.tape);
        }
    }

    /// Notes that the node was away until a moment that is `since_ms` after the session's creation by the wall's clock, and
    /// `host_ms` by its host's, which has stood still meanwhile.
    pub fn note_away(&mut self, since_ms: u64, host_ms: Millis) {
        let state = &mut self.state;
        let ms = since_ms.saturating_sub(host_ms).saturating_sub(state.away_ms);
        if ms > 0 && state.end.is_none() {
            TapeWriter::mark(Mark::Away { ms }, &mut state.tape);
            state.away_ms += ms;
        }
    }

    /// Ends the tape where `bout` stands now: what there is of it stays. `false` where it has ended already.
    pub fn cut(&mut self, loss: Loss, bout: Bout<'_>) -> bool {
        let state = &mut self.state;
        if state.end.is_some() {
            return false;
        }
        state.end = Some(state.pen.end(bout, &mut state.tape));
        state.cut = Some(Cut { loss, at: bout.now() });
        true
    }

    /// Where the tape ends; `None` as long as the fight goes on.
    pub fn end(&self) -> Option<End> {
        self.state.end
    }

    /// Why it ends before its fight, if so.
    pub fn is_cut(&self) -> Option<Cut> {
        self.state.cut
    }

    /// Inputs on the tape.
    pub fn inputs(&self) -> u64 {
        self.state.pen.inputs()
    }

    /// Bytes of the whole tape.
    pub fn tape_bytes(&self) -> u64 {
        self.state.bytes + self.state.tape.len() as u64
    }

    /// Bytes of it that no part has yet.
    pub fn held_bytes(&self) -> u64 {
        self.state.tape.len() as u64
    }

    /// Whether it holds as much as it should before that is written.
    pub fn is_full(&self) -> bool {
        self.state.tape.len() >= limits::TAPE_BYTES
    }

    /// Whether it holds as much as it may where nothing can be written.
    pub fn is_overfull(&self) -> bool {
        self.state.tape.len() > limits::TAPE_HELD_BYTES
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

    /// Files that have parts of the tape.
    pub fn files(&self) -> &[Arc<ChunkFile>] {
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

    /// The newest part could not be written: what was in it is here again, and `before` is the newest.
    pub(super) fn put_back(&mut self, part: &[u8], before: Option<Place>) {
        let state = &mut self.state;
        state.bytes = state.bytes.saturating_sub(part.len() as u64);
        state.tape.splice(0..0, part.iter().copied());
        state.last = before;
    }
}
