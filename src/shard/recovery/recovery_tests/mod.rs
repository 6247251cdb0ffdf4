//! Starts on logs that were changed, cut off, taken away or put back.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tiltyard_combat::{Action, BodyPart, Difficulty, Fight, Input, Mode, Step};
use uuid::Uuid;

use super::{RecoveryError, recover};
use crate::limits;
use crate::log::frame::HEADER;
use crate::log::marks::{MARK, Mark};
use crate::log::segment::Heading;
use crate::log::{frame, segment};
use crate::rules::Library;
use crate::shard::recovery::Recovered;
use crate::shard::{Entry, NewFight, Session, SessionRecord};

mod changed;
mod fights;
mod generations;
mod older;

/// A data folder with the log of a node that was killed: three fights, and a turn for each blow, all of them marked.
struct Killed {
    data: TempDir,
    library: Library,
    journal: PathBuf,
    /// Where each turn's frame ends, the checkpoint's first.
    ends: Vec<usize>,
    /// How the fights stood after each of them, by session.
    states: Vec<Vec<(Uuid, Fight)>>,
}

const TURNS: usize = 6;

impl Killed {
    fn new() -> Self {
        let (data, library) = (TempDir::new().unwrap(), Library::built_in());
        let mut recovered = recover(data.path(), 1, false, false, &library).unwrap();
        let (mut journal, _) = recovered.shards.remove(0);
        let path = only(data.path());
        let (mut ends, mut states) = (vec![length(&path) - HEADER], vec![Vec::new()]);
        let mut sessions: Vec<Session> = (0..3).map(|_| session(&library)).collect();
        for (no, session) in (0..).zip(&sessions) {
            journal.push(&Entry::Session { no, record: Box::new(Cow::Owned(session.record())) });
        }
        for turn in 0..TURNS as u64 {
            for (no, session) in (0..).zip(&mut sessions) {
                let action = Action::Attack { target: Some(1), part: BodyPart::Torso };
                for input in
                    [Input::Ready { slot: 0 }, Input::Ready { slot: 1 }, Input::Act { slot: 0, id: turn + 1, action }]
                {
                    let (at, wall) = (1_000 * turn, 1_000_000 + turn);
                    // Some are refused, which is in the log all the same.
                    let _ = session.handle_input(at, wall, input, &mut Step::default());
                    journal.push(&Entry::Input { no, at, input });
                }
            }
            journal.append(1_000_000 + turn).unwrap();
            journal.mark_if_due(1_000_000 + turn);
            ends.push(length(&path) - HEADER);
            states.push(state(sessions.iter().map(|session| (session.id, session.fight.clone()))));
        }
        assert!(journal.is_unmarked(), "not every turn is marked at once");
        journal.mark_if_due(1_000_000 + 2 * limits::MARK_MS);
        Self { data, library, journal: path, ends, states }
    }

    /// What becomes of it when its journal is this.
    fn with(&self, bytes: &[u8]) -> Result<Recovered, RecoveryError> {
        fs::remove_dir_all(self.data.path().join("log")).unwrap();
        fs::create_dir_all(self.journal.parent().unwrap()).unwrap();
        fs::write(&self.journal, bytes).unwrap();
        let told = recover(self.data.path(), 1, false, false, &self.library);
        if told.is_err() {
            assert_eq!(fs::read(&self.journal).unwrap(), bytes, "what cannot be read is not touched");
        }
        told
    }

    /// Makes the log these files, by their names in it.
    fn lay(&self, files: &[(&str, &[u8])]) {
        fs::remove_dir_all(self.log()).unwrap();
        for (name, bytes) in files {
            let path = self.log().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    fn recover(&self) -> Result<Recovered, RecoveryError> {
        recover(self.data.path(), 1, false, false, &self.library)
    }

    fn accept(&self) -> Recovered {
        recover(self.data.path(), 1, false, true, &self.library).unwrap()
    }

    fn log(&self) -> PathBuf {
        self.data.path().join("log")
    }

    /// The journal as it was after so many turns.
    fn after(&self, whole: &[u8], turns: usize) -> Vec<u8> {
        let (heading, _) = Heading::read(whole).unwrap();
        [&whole[..self.ends[turns]], &frame::end(heading.salt)].concat()
    }

    /// The mark, changed.
    fn mark(&self, change: impl FnOnce(Mark) -> Mark) -> [u8; MARK] {
        let bytes = fs::read(self.log().join("marks")).unwrap();
        change(Mark::read(bytes.first_chunk().unwrap()).unwrap()).bytes()
    }
}

/// The same journal as another segment, of another generation.
fn headed(bytes: &[u8], generation: u64, segment: u64) -> Vec<u8> {
    let (heading, rest) = Heading::read(bytes).unwrap();
    [&Heading { generation, segment, ..heading }.bytes(), rest].concat()
}

pub fn session(library: &Library) -> Session {
    let ruleset = library.by_name("default").unwrap();
    let new = NewFight {
        id: Uuid::now_v7(),
        mode: Mode::Pvp,
        creator: Uuid::nil(),
        participants: vec![Uuid::new_v4(), Uuid::new_v4()],
        seats: 2,
        ruleset: ruleset.clone(),
        rules: ruleset.rules_of(Mode::Pvp, Difficulty::Normal).unwrap(),
        teams: Vec::new(),
        settings: String::new(),
        metadata: String::new(),
    };
    Session::new(new, 7, 0, 0)
}

/// A data folder with the log of so many fights, of some KiB each.
pub fn log_of(data: &Path, fights: usize) -> usize {
    let library = Library::built_in();
    let (mut journal, _) = recover(data, 1, false, false, &library).unwrap().shards.remove(0);
    for no in 0..u32::try_from(fights).unwrap() {
        let record = SessionRecord { metadata: "x".repeat(4_000), ..session(&library).record() };
        journal.push(&Entry::Session { no, record: Box::new(Cow::Owned(record)) });
    }
    journal.append(1).unwrap();
    fights
}

fn length(path: &Path) -> usize {
    usize::try_from(fs::metadata(path).unwrap().len()).unwrap()
}

fn only(data: &Path) -> PathBuf {
    let segments = segment::all(&data.join("log/1")).unwrap();
    segments.into_values().flat_map(BTreeMap::into_values).next().unwrap()
}

pub fn state(fights: impl Iterator<Item = (Uuid, Fight)>) -> Vec<(Uuid, Fight)> {
    let mut fights: Vec<_> = fights.collect();
    fights.sort_unstable_by_key(|(id, _)| *id);
    fights
}

pub fn stands(recovered: &Recovered) -> Vec<(Uuid, Fight)> {
    let records = recovered.shards.iter().flat_map(|(_, records)| records);
    state(records.map(|record| (record.id, record.fight.clone())))
}

/// Fights as they stood after a turn, where a restart sets no clock.
pub fn same(one: &[(Uuid, Fight)], other: &[(Uuid, Fight)]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a == b)
}

/// Every file below a folder.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.append(&mut files(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
    found
}
