//! What becomes of recordings when their files are damaged: whole, or a head that says why it ends there.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tiltyard_combat::replay::Loss;
use tiltyard_combat::{Action, BodyPart, Bout, Difficulty, Fight, Input, Mode, Ruleset, Step};
use uuid::Uuid;

use super::super::chunks::{ChunkWriter, Folder};
use super::super::recorder::Recorder;
use super::Recording;
use crate::limits;
use crate::log::frame::HEADER;
use crate::rules::Library;
use crate::shard::{NewFight, Session};

/// Three fights in one file, a part of each after the other.
struct Kept {
    _data: TempDir,
    path: PathBuf,
    whole: Vec<u8>,
    recordings: Vec<Recording>,
    tapes: Vec<Vec<u8>>,
    /// Where frames begin, and the file ends.
    frames: Vec<usize>,
}

const PARTS: u64 = 4;

impl Kept {
    fn new() -> Self {
        let (data, library) = (TempDir::new().unwrap(), Library::built_in());
        let ruleset = library.by_name("default").unwrap();
        let folder = Folder::open(data.path()).unwrap();
        let mut chunks = ChunkWriter::new(Arc::clone(&folder), 0);
        let mut fights: Vec<(Uuid, Fight, Recorder)> =
            (0..3).map(|_| (Uuid::now_v7(), fight(&library), Recorder::default())).collect();
        let mut frames = vec![0];
        for part in 0..=PARTS {
            for (id, fight, recorder) in &mut fights {
                record(fight, recorder, ruleset, part);
                // What is left after the last part is in memory alone.
                if part < PARTS {
                    chunks.take(*id, recorder);
                    let bytes = usize::try_from(chunks.write().unwrap()).unwrap();
                    frames.push(frames.last().unwrap() + bytes);
                }
            }
        }
        let path = fs::read_dir(data.path().join("replays")).unwrap().next().unwrap().unwrap().path();
        let recordings: Vec<Recording> = fights
            .iter()
            .map(|(id, fight, recorder)| Recording::of(*id, 0, Bout { fight, ruleset }, 7, 2, recorder))
            .collect();
        let tapes = recordings.iter().map(|recording| recording.clone().tape(None).unwrap().0.tape).collect();
        Self { whole: fs::read(&path).unwrap(), _data: data, path, recordings, tapes, frames }
    }

    /// How many of the recordings are whole, cut and not there when their file is this.
    fn check(&self, what: &str, bytes: &[u8]) -> [usize; 3] {
        fs::write(&self.path, bytes).unwrap();
        let mut counts = [0; 3];
        for (recording, tape) in self.recordings.iter().zip(&self.tapes) {
            match recording.clone().tape(None) {
                Ok((replay, _)) if replay.cut.is_none() => {
                    assert_eq!(&replay.tape, tape, "{what}: nothing says that it is another");
                    counts[0] += 1;
                }
                Ok((replay, _)) => {
                    assert_eq!(replay.cut.unwrap().loss, Loss::Damaged, "{what}");
                    assert!(replay.tape.len() < tape.len() && tape.starts_with(&replay.tape), "{what}: it is its head");
                    counts[1] += 1;
                }
                Err(_named) => counts[2] += 1,
            }
        }
        counts
    }
}

/// Twenty inputs more.
fn record(fight: &mut Fight, recorder: &mut Recorder, ruleset: &Ruleset, part: u64) {
    for n in 0..20 {
        let action = Action::Attack { target: Some(1), part: BodyPart::Torso };
        let (at, input) = (part * 20 + n, Input::Act { slot: 0, id: part * 20 + n + 1, action });
        let _ = fight.handle(ruleset, at, input, &mut Step::default());
        recorder.note(at, input, Bout { fight, ruleset });
    }
}

fn fight(library: &Library) -> Fight {
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
    Session::new(new, 7, 0, 0).fight
}

#[test]
fn no_change_of_a_file_of_replays_goes_unnoticed() {
    let kept = Kept::new();
    let (whole, frames) = (&kept.whole, &kept.frames);
    assert_eq!(kept.check("as it was", whole), [3, 0, 0]);
    let last_three = frames[frames.len() - 4];
    let heads = frames[..frames.len() - 1].iter().flat_map(|&start| start..start + HEADER);
    let of_heads = heads.flat_map(|at| (0..8).map(move |bit| (at, bit)));
    for (at, bit) in of_heads.chain((last_three..whole.len()).map(|at| (at, at % 8))) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << bit;
        let [unharmed, cut, gone] = kept.check(&format!("bit {bit} of byte {at}"), &bytes);
        assert_eq!((unharmed, cut + gone), (2, 1), "bit {bit} of byte {at}: the one whose part it is");
        assert_eq!(gone, usize::from(at < frames[3]), "bit {bit} of byte {at}: what is before is kept");
    }
    for &at in frames.iter().chain(&(last_three..whole.len()).collect::<Vec<_>>()) {
        // Everything that is lost is missed: its place is known elsewhere.
        let lost = frames.iter().filter(|&&end| end > at).count().min(3);
        let zeros = [&whole[..at], &vec![0; whole.len() - at]].concat();
        for (what, bytes) in [("cut", &whole[..at]), ("zeros", &zeros)] {
            assert_eq!(kept.check(&format!("{what} from {at}"), bytes)[0], 3 - lost, "{what} from {at}");
        }
    }
    fs::remove_file(&kept.path).unwrap();
    assert!(kept.recordings.iter().all(|recording| recording.clone().tape(None).is_err()));
}

#[test]
fn random_flips_in_a_file_of_replays_go_unnoticed_never() {
    let kept = Kept::new();
    let seed = Uuid::new_v4().as_u64_pair().0;
    println!("seed {seed}");
    let mut state = seed;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    for round in 0..500 {
        let mut bytes = kept.whole.clone();
        for _ in 0..=draw(3) {
            bytes[draw(kept.whole.len())] ^= 1 << draw(8);
        }
        let [unharmed, ..] = kept.check(&format!("round {round} of seed {seed}"), &bytes);
        assert!(unharmed < 3 || bytes == kept.whole, "round {round} of seed {seed}");
    }
    assert!(limits::CHUNK_MOST_BYTES > kept.whole.len() / kept.frames.len(), "parts as they are in life");
}

/// A fight that changes hands is recorded by one shard after the other, each into files of its own.
#[test]
fn parts_that_several_shards_have_written_have_their_order() {
    let (data, library) = (TempDir::new().unwrap(), Library::built_in());
    let ruleset = library.by_name("default").unwrap();
    let folder = Folder::open(data.path()).unwrap();
    let mut shards = [0, 1].map(|shard| ChunkWriter::new(Arc::clone(&folder), shard));
    let (id, mut fight, mut recorder) = (Uuid::now_v7(), fight(&library), Recorder::default());
    let mut ends = vec![0];
    for part in 0..PARTS {
        let shard = &mut shards[usize::from(part % 2 == 1)];
        shard.refer_to(recorder.files());
        record(&mut fight, &mut recorder, ruleset, part);
        shard.take(id, &mut recorder);
        shard.write().unwrap();
        ends.push(usize::try_from(recorder.tape_bytes()).unwrap());
    }
    let recording = Recording::of(id, 0, Bout { fight: &fight, ruleset }, 7, 2, &recorder);
    let (whole, _) = recording.clone().tape(None).unwrap();
    assert!(whole.cut.is_none());
    // The newest part is damaged: all before it is there.
    let newest = recorder.last().unwrap().file.name();
    let path = data.path().join("replays").join(newest);
    let mut bytes = fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (head, _) = recording.tape(None).unwrap();
    assert_eq!(head.cut.unwrap().loss, Loss::Damaged);
    assert_eq!(head.tape, whole.tape[..head.tape.len()]);
    assert!(head.tape.len() > ends[ends.len() - 3], "{} of {ends:?}", head.tape.len());
}
