//! The files beside the log: what a start tells of them, a check does.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use uuid::Uuid;

use super::check;
use crate::auth::TokenKey;
use crate::session::{Kind, Status};
use crate::shard::recovery::tests::log_of;
use crate::store::{Batch, SessionRow, SqliteStore, Store};

async fn said(data: &Path) -> (bool, String) {
    let mut out = Vec::new();
    let sound = check(data, None, None, &mut out).await.unwrap();
    (sound, String::from_utf8(out).unwrap())
}

/// A folder of a server that has run: a key that was noted, a log, a store that has had commits.
async fn of_a_server() -> TempDir {
    let data = TempDir::new().unwrap();
    TokenKey::open(data.path()).unwrap().note(data.path()).unwrap();
    log_of(data.path(), 1);
    let store = SqliteStore::open(&data.path().join("tiltyard.db"), "a", false, false).await.unwrap();
    store.commit(&Batch { undone: vec![Uuid::nil()], ..Batch::default() }).await.unwrap();
    data
}

/// What becomes of a file: it is gone, that of another folder, or has these bytes.
#[derive(Clone, Copy)]
enum Change {
    Gone,
    Other,
    Bytes(&'static [u8]),
}

#[tokio::test]
async fn what_is_gone_empty_or_of_another_folder_is_told() {
    use Change::{Bytes, Gone, Other};

    let (data, other) = (of_a_server().await, of_a_server().await);
    let (sound, all) = said(data.path()).await;
    assert!(sound, "{all}");
    let cases: [(&str, &str, Change); 12] = [
        ("token.key", "no token key any more", Gone),
        ("token.key", "nothing of text", Bytes(b"")),
        ("token.key", "another than at the last start", Other),
        ("token.fingerprint", "another than at the last start", Other),
        ("token.fingerprint", "is damaged", Bytes(b"")),
        ("token.fingerprint", "is damaged", Bytes(&[0; 73])),
        ("tiltyard.commits", "nothing says how many commits", Gone),
        ("tiltyard.commits", "nothing says how many commits", Bytes(b"")),
        ("tiltyard.commits", "of another store", Other),
        ("tiltyard.commits", "is damaged", Bytes(&[0; 36])),
        ("tiltyard.db", "bytes are no database", Bytes(&[0; 500])),
        ("tiltyard.db", "it is gone", Gone),
    ];
    for (file, why, change) in cases {
        let path = data.path().join(file);
        let before = fs::read(&path).unwrap();
        match change {
            Gone => fs::remove_file(&path).unwrap(),
            Other => drop(fs::copy(other.path().join(file), &path).unwrap()),
            Bytes(bytes) => fs::write(&path, bytes).unwrap(),
        }
        let (sound, all) = said(data.path()).await;
        assert!(!sound && all.contains("DAMAGED") && all.contains(why), "{file}, {why}: {all}");
        fs::write(&path, before).unwrap();
        let (sound, all) = said(data.path()).await;
        assert!(sound, "{file}, put back: {all}");
    }
}

#[tokio::test]
async fn fights_that_the_store_has_live_and_the_log_has_not_are_told() {
    let data = of_a_server().await;
    let store = SqliteStore::open(&data.path().join("tiltyard.db"), "a", false, false).await.unwrap();
    let id = Uuid::now_v7();
    let row = SessionRow {
        id,
        kind: Kind::Combat,
        status: Status::Active,
        player: Uuid::nil(),
        created_at: 1,
        updated_at: 1,
        ended_at: None,
        expires_at: None,
        version: 1,
        node: "a".to_owned(),
        fight: None,
        metadata: None,
        settings: None,
        body: "{}".to_owned(),
        end_reason: None,
        logs: 0,
        epoch: 0,
    };
    store.commit(&Batch { sessions: vec![row], ..Batch::default() }).await.unwrap();
    drop(store);
    let (sound, all) = said(data.path()).await;
    assert!(!sound && all.contains("not in it: 1, the first") && all.contains(&id.to_string()), "{all}");
}
