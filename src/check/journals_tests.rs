//! Journals that a start does not need any more.

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;
use tiltyard_combat::Bout;
use tiltyard_combat::replay::Loss;

use super::check;
use crate::log::Journal;
use crate::log::frame::HEADER;
use crate::log::journal::Place;
use crate::log::marks::Marks;
use crate::log::reserve::Reserve;
use crate::log::segment::HEADING;
use crate::replays::{ChunkWriter, Folder, Recorder};
use crate::rules::Library;
use crate::session::hex;
use crate::shard::recovery::recover;
use crate::shard::recovery::tests::{log_of, session};
use crate::shard::{Entry, SessionRecord};

async fn said(data: &Path) -> (bool, String) {
    let mut out = Vec::new();
    let sound = check(data, None, None, &mut out).await.unwrap();
    (sound, String::from_utf8(out).unwrap())
}

/// What is said of a thing.
fn line<'a>(said: &'a str, name: &str) -> &'a str {
    said.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("nothing of {name}: {said}"))
}

/// Changes the first frame.
fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[HEADING + HEADER] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_segment_that_a_later_one_took_the_place_of_is_superseded_whatever_is_in_it() {
    let data = TempDir::new().unwrap();
    log_of(data.path(), 3);
    let (root, folder) = (data.path().join("log"), data.path().join("log/1"));
    let (sound, all) = said(data.path()).await;
    assert!(sound && line(&all, "0-1.journal").ends_with(": whole"), "{all}");
    // Whoever began it was killed before it could remove the one before.
    let (reserve, marks) = (Arc::new(Reserve::of(&root)), Arc::new(Marks::of(&root)));
    let place = Place { generation: 1, shard: 0, shards: 1, segment: 2, reserve, marks };
    drop(Journal::create(&folder, place, false, [Entry::CheckpointEnd].into_iter()).unwrap());
    damage(&folder.join("0-1.journal"));
    let (sound, all) = said(data.path()).await;
    assert!(sound && line(&all, "0-1.journal").contains("superseded"), "{all}");
    assert!(line(&all, "0-2.journal").ends_with(": whole"), "{all}");
    // If the later one is whole.
    let later = fs::read(folder.join("0-2.journal")).unwrap();
    damage(&folder.join("0-2.journal"));
    let (sound, all) = said(data.path()).await;
    assert!(!sound && ["0-1.journal", "0-2.journal"].iter().all(|name| line(&all, name).ends_with("DAMAGED")), "{all}");
    fs::write(folder.join("0-2.journal"), later).unwrap();
    // As a start has it.
    let recovered = recover(data.path(), 1, false, false, &Library::built_in()).unwrap();
    assert!(recovered.shards[0].1.is_empty());
}

#[tokio::test]
async fn so_is_a_generation_that_a_start_could_not_remove() {
    let data = TempDir::new().unwrap();
    log_of(data.path(), 3);
    let before = fs::read(data.path().join("log/1/0-1.journal")).unwrap();
    drop(recover(data.path(), 2, false, false, &Library::built_in()).unwrap());
    let left = data.path().join("log/1");
    fs::create_dir(&left).unwrap();
    fs::write(left.join("0-1.journal"), before).unwrap();
    damage(&left.join("0-1.journal"));
    let (sound, all) = said(data.path()).await;
    assert!(sound && line(&all, "1/0-1.journal").contains("superseded"), "{all}");
    fs::remove_file(data.path().join("log/2/1-1.journal")).unwrap();
    let (sound, all) = said(data.path()).await;
    assert!(!sound && line(&all, "1/0-1.journal").ends_with("DAMAGED"), "{all}");
}

#[tokio::test]
async fn a_folder_with_nothing_of_a_server_is_not_whole() {
    let data = TempDir::new().unwrap();
    let (sound, all) = said(data.path()).await;
    assert!(!sound && all.ends_with(": nothing of a server is in it\n"), "{all}");
}

#[tokio::test]
async fn a_ruleset_that_is_changed_or_gone_is_told_where_sessions_are_pinned_to_it() {
    let (data, rules) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let own = "name = \"x\"\ntitle = \"X\"\n[modes.pvp]\n";
    fs::write(rules.path().join("x.toml"), own).unwrap();
    let mut library = Library::with_folder(rules.path()).unwrap();
    library.archive(&data.path().join("rules")).unwrap();
    let (mut journal, _) = recover(data.path(), 1, false, false, &library).unwrap().shards.remove(0);
    let pinned = library.by_name("x").unwrap();
    let record = SessionRecord { ruleset: pinned.hash, ..session(&library).record() };
    journal.push(&Entry::Session { no: 0, record: Box::new(Cow::Owned(record)) });
    journal.append(1).unwrap();
    drop(journal);
    let kept = data.path().join("rules").join(format!("{}.toml", hex(&pinned.hash)));
    let name = kept.file_name().unwrap().to_str().unwrap();
    let (sound, all) = said(data.path()).await;
    assert!(sound && line(&all, name).ends_with(": whole"), "{all}");
    fs::write(&kept, own.replace('X', "Y")).unwrap();
    let (sound, all) = said(data.path()).await;
    assert!(!sound && line(&all, name).ends_with("DAMAGED") && all.contains("it was changed"), "{all}");
    fs::remove_file(&kept).unwrap();
    let (sound, all) = said(data.path()).await;
    assert!(!sound && line(&all, name).ends_with("DAMAGED") && all.contains("pinned to (1) is not there"), "{all}");
}

#[tokio::test]
async fn a_part_of_a_replay_that_a_live_fight_needs_is_told_where_its_file_is_cut_off_before_it_or_is_another() {
    let (data, library) = (TempDir::new().unwrap(), Library::built_in());
    let (mut journal, _) = recover(data.path(), 1, false, false, &library).unwrap().shards.remove(0);
    let mut chunks = ChunkWriter::new(Folder::open(data.path()).unwrap(), 0);
    let (mut ids, mut ends) = (Vec::new(), vec![0]);
    for no in 0..3 {
        let (session, mut recorder) = (session(&library), Recorder::default());
        let ruleset = library.by_name("default").unwrap();
        assert!(recorder.cut(Loss::Disk, Bout { fight: &session.fight, ruleset }));
        chunks.take(session.id, &mut recorder);
        ends.push(ends.last().unwrap() + usize::try_from(chunks.write().unwrap()).unwrap());
        ids.push(session.id.to_string());
        let record = SessionRecord { recorder: recorder.state(), ..session.record() };
        journal.push(&Entry::Session { no, record: Box::new(Cow::Owned(record)) });
    }
    journal.append(1).unwrap();
    drop(journal);
    let (sound, all) = said(data.path()).await;
    assert!(sound, "{all}");
    let path = data.path().join("replays/0-1.chunks");
    let whole = fs::read(&path).unwrap();
    let zeroed = |from: usize| [&whole[..from], &vec![0; whole.len() - from][..]].concat();
    let lost = |from: usize| ids.iter().zip(&ends[1..]).filter(move |(_, end)| **end > from).map(|(id, _)| id);
    for from in ends.iter().flat_map(|&end| [end.saturating_sub(1), end, end + 1]).filter(|&at| at < whole.len()) {
        for bytes in [whole[..from].to_vec(), zeroed(from)] {
            fs::write(&path, bytes).unwrap();
            let (sound, all) = said(data.path()).await;
            assert!(!sound && line(&all, "replays of live fights").ends_with("DAMAGED"), "from {from}: {all}");
            assert!(lost(from).all(|id| all.contains(id)), "from {from}: {all}");
            assert_eq!(all.matches("    fight ").count(), lost(from).count(), "from {from}: {all}");
        }
    }
    // Another one of that name, whole in itself.
    fs::write(&path, &whole[ends[1]..]).unwrap();
    let (sound, all) = said(data.path()).await;
    assert!(!sound && ids.iter().all(|id| all.contains(id)), "{all}");
    fs::remove_file(&path).unwrap();
    let (sound, all) = said(data.path()).await;
    assert!(!sound && all.contains("it is not there; fights with parts of their replays in it: 3"), "{all}");
}

#[tokio::test]
async fn a_torn_end_is_told_and_is_no_damage() {
    let data = TempDir::new().unwrap();
    log_of(data.path(), 2);
    let path = data.path().join("log/1/0-1.journal");
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend([7; 40]);
    fs::write(&path, bytes).unwrap();
    let (sound, all) = said(data.path()).await;
    assert!(
        sound && line(&all, "0-1.journal").ends_with(": whole") && all.contains("its end is torn at byte"),
        "{all}"
    );
}
