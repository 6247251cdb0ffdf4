//! A log of form 7, as the version that wrote that form left it when it was killed: its fights go on.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tiltyard_combat::{Action, Audience, BodyPart, Bout, Input, Step, Velocity};

use crate::log::segment;
use crate::replays::Folder;
use crate::rules::Library;
use crate::shard::recovery::{Found, Recovered, RecoveryError, recover};
use crate::shard::{Session, SessionRecord, view_digest};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/form7");

/// The number of the form in a segment's heading.
const FORM: usize = segment::MAGIC_NAME;

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let copied = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &copied);
        } else {
            fs::copy(&path, &copied).unwrap();
        }
    }
}

/// A data folder of that version.
fn data() -> TempDir {
    let data = TempDir::new().unwrap();
    copy(Path::new(FOLDER), data.path());
    data
}

fn start(data: &Path, shards: usize) -> Result<Recovered, RecoveryError> {
    let mut library = Library::built_in();
    library.archive(&data.join("rules")).unwrap();
    recover(data, shards, false, false, &library)
}

/// What is known of each fight: its id, its sequence, the digest of all that is to be seen of it, and everybody's health.
const FIGHTS: &str = "fights.txt";

fn players() -> [u128; 2] {
    [0x3f1b_8a52_0c54_4b65_9e38_0a6d_0b6f_0001, 0x3f1b_8a52_0c54_4b65_9e38_0a6d_0b6f_0002]
}

/// The records, by id.
fn records(recovered: Recovered) -> Vec<SessionRecord> {
    let mut records: Vec<_> = recovered.shards.into_iter().flat_map(|(_, records)| records).collect();
    records.sort_by_key(|record| record.id);
    records
}

fn stand_as_they_did(records: &[SessionRecord]) {
    let stands = |record: &SessionRecord| {
        let fight = &record.fight;
        let ruleset = Library::built_in().by_hash(&record.ruleset).unwrap();
        let digest = view_digest(Bout { fight, ruleset: &ruleset }, Audience::All);
        let seats = fight.participants().iter().zip(players());
        let health = seats.map(|(one, player)| {
            assert_eq!((one.player(), one.facing(), one.velocity()), (player, 0, Velocity::ZERO));
            format!(" {}", one.hp())
        });
        format!("{} {} {digest}{}\n", record.id, fight.seq(), health.collect::<String>())
    };
    let known = fs::read_to_string(Path::new(FOLDER).join(FIGHTS)).unwrap();
    assert_eq!(records.iter().map(stands).collect::<String>(), known);
}

#[test]
fn fights_in_a_log_of_form_7_go_on() {
    for shards in [1, 2, 3] {
        let data = data();
        let recovered = start(data.path(), shards).unwrap();
        assert_eq!(recovered.found, Found { inputs: 23, ..Found::default() });
        stand_as_they_did(&records(recovered));
        // Carried over into the form of today, which is what a second start reads.
        let written: Vec<_> =
            fs::read_dir(data.path().join("log/2")).unwrap().map(|file| file.unwrap().path()).collect();
        assert_eq!(written.len(), shards);
        assert!(written.iter().all(|path| fs::read(path).unwrap()[FORM] == segment::MAGIC[FORM]));
        assert!(!data.path().join("log/1").exists());
        let recovered = start(data.path(), shards).unwrap();
        let folder: Arc<Folder> = Arc::clone(&recovered.folder);
        let records = records(recovered);
        stand_as_they_did(&records);
        // Whose turn it is, goes on.
        let ruleset = Library::built_in().by_hash(&records[0].ruleset).unwrap();
        let mut session = Session::from_record(records[0].clone(), ruleset, &folder).unwrap();
        let (seq, at) = (session.fight.seq(), session.fight.host_now() + 1);
        let action = Action::Attack { target: Some(1), part: BodyPart::Torso };
        let input = Input::Act { slot: 0, id: 9, action };
        let answer = session.handle_input(at, 1, input, &mut Step::default());
        assert_eq!(answer.ok(), Some(seq + 1));
        assert!(session.fight.participants()[1].hp() < 82);
    }
}

#[test]
fn damage_to_a_log_of_form_7_is_told_as_that_of_any_other() {
    let whole = fs::read(Path::new(FOLDER).join("log/1/0-1.journal")).unwrap();
    for bit in (0..segment::HEADING * 8).step_by(5).chain([whole.len() * 4]) {
        let data = data();
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        fs::write(data.path().join("log/1/0-1.journal"), &bytes).unwrap();
        let error = start(data.path(), 2).unwrap_err();
        assert!(error.is_loss() && error.to_string().contains("0-1.journal"), "bit {bit}: {error}");
    }
}
