//! Starts: what is only looked at stays as it was, and what cannot be read is told, and put aside where that is accepted.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use sqlx::migrate::Migrator;
use sqlx::{ConnectOptions, Connection, Executor};
use tempfile::TempDir;

use super::damage_tests::{COMMITS, answers, batch, filled, id, still};
use super::{SqliteStore, beside, opening, options};
use crate::store::upkeep::copy;
use crate::store::{Filter, OpenError, Store, StoreError};

/// The store's files as they are; an empty one stands for none, which SQLite makes of it.
fn files(path: &Path) -> [Vec<u8>; 3] {
    [path.to_owned(), beside(path, "-wal"), path.with_extension("commits")]
        .map(|file| fs::read(file).unwrap_or_default())
}

/// The same in a folder of their own.
fn copied(files: &[Vec<u8>; 3]) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.db");
    for (name, bytes) in ["s.db", "s.db-wal", "s.commits"].into_iter().zip(files).filter(|(_, bytes)| !bytes.is_empty())
    {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    (folder, path)
}

async fn look(path: &Path, accept_loss: bool) -> Result<SqliteStore, OpenError> {
    SqliteStore::look(path, "a", false, accept_loss).await
}

fn lost(store: &SqliteStore) -> u64 {
    store.figures.lost_commits.load(Ordering::Relaxed)
}

#[tokio::test]
async fn a_look_changes_nothing_and_finds_what_there_is() {
    let folder = TempDir::new().unwrap();
    let live = still(folder.path()).await;
    for commit in 0..COMMITS {
        live.commit(&batch(commit)).await.unwrap();
        if commit == 2 {
            copy(&mut live.writer().unwrap().lock().await.connection).await.unwrap();
        }
    }
    let should = format!("{:?}", answers(&live).await);
    let (_kept, path) = copied(&files(&folder.path().join("s.db")));
    let before = files(&path);
    assert!(before.iter().all(|file| !file.is_empty()));
    for _ in 0..2 {
        let store = look(&path, false).await.unwrap();
        assert_eq!(format!("{:?}", answers(&store).await), should);
        assert!(store.check().await.unwrap().is_sound());
        assert!(matches!(store.commit(&batch(0)).await, Err(StoreError::Unavailable(_))), "it is only read");
        store.readers().close().await;
        drop(store);
        assert!(files(&path) == before);
    }
    let store = look(&path, false).await.unwrap();
    store.begin().await.unwrap();
    assert_eq!((format!("{:?}", answers(&store).await), lost(&store)), (should, 0));
    store.commit(&batch(0)).await.unwrap();
}

#[tokio::test]
async fn a_look_at_nothing_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.db");
    let store = look(&path, false).await.unwrap();
    assert!(store.list(&Filter { limit: 9, ..Filter::default() }).await.unwrap().sessions.is_empty());
    drop(store);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["s.lock"]);
    let store = look(&path, false).await.unwrap();
    store.begin().await.unwrap();
    store.commit(&batch(0)).await.unwrap();
    assert!(store.session(id(0)).await.unwrap().is_some(), "who reads sees what was written since");
    assert!(!beside(&path, "-trial").exists());
}

#[tokio::test]
async fn a_store_of_an_older_form_stays_one_until_the_start_is_through() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("s.db");
    let mut raw = options(&path, false).pragma("wal_autocheckpoint", "0").connect().await.unwrap();
    Migrator::with_migrations(opening::migrations()[..2].to_vec()).run(&mut raw).await.unwrap();
    raw.execute(
        "INSERT INTO sessions (id, kind, status, player_id, created_at, updated_at, version, node, mode, fight_status, body, logs)
            VALUES (x'019f0000000070008000000000000000', 3, 0, x'019f0000000070008000000000000001', 1, 1, 1, 'a', -1, -1, '{}', 0)",
    )
    .await
    .unwrap();
    let (_kept, path) = copied(&files(&path));
    let before = files(&path);
    let store = look(&path, false).await.unwrap();
    let should = store.session(id(0)).await.unwrap();
    assert!(should.is_some() && store.check().await.unwrap().is_sound());
    store.readers().close().await;
    drop(store);
    assert!(opening::inspect(&path).await.unwrap().found.is_sound());
    assert!(files(&path) == before && !beside(&path, "-trial").exists());
    let store = SqliteStore::open(&path, "a", false, false).await.unwrap();
    assert_eq!(store.session(id(0)).await.unwrap(), should);
    assert!(store.check().await.unwrap().is_sound());
}

#[tokio::test]
async fn what_is_damaged_in_a_store_of_the_form_before_is_told_and_nothing_else() {
    let folder = filled().await;
    let path = folder.path().join("s.db");
    let mut raw = options(&path, false).connect().await.unwrap();
    let back = "DELETE FROM sessions WHERE epoch > 0; ALTER TABLE sessions DROP COLUMN epoch;
        DELETE FROM _sqlx_migrations WHERE version = 4";
    raw.execute(sqlx::raw_sql(back)).await.unwrap();
    let found = opening::inspect(&path).await.unwrap().found;
    assert!(found.is_sound() && found.rows > 100, "{found}");
    raw.execute("UPDATE session_logs SET message = 'another' WHERE no = 1").await.unwrap();
    raw.close().await.unwrap();
    let damaged = opening::inspect(&path).await.unwrap().found;
    assert!(damaged.damaged > 0 && damaged.structure.is_empty() && damaged.rows == found.rows, "{damaged}");
}

#[tokio::test]
async fn what_cannot_be_read_is_told_with_what_to_do_and_put_aside_where_that_is_accepted() {
    let folder = filled().await;
    let [whole, log, counted] = files(&folder.path().join("s.db"));
    assert!(log.is_empty());
    let but = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let mut other = options(&folder.path().join("other.db"), false).connect().await.unwrap();
    other.execute("CREATE TABLE sessions (a); PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    let cases = [
        ("its first 100 bytes zeroed", but(&|bytes| bytes[..100].fill(0))),
        ("a text", b"Please do not remove this file.\n".repeat(40)),
        ("a short text", b"x".to_vec()),
        ("its first page zeroed", but(&|bytes| bytes[..4096].fill(0))),
        ("its schema zeroed", but(&|bytes| bytes[100..4096].fill(0))),
        ("half a page", but(&|bytes| bytes.truncate(2048))),
        ("zeros", but(&|bytes| bytes.fill(0))),
        ("another database", fs::read(folder.path().join("other.db")).unwrap()),
        ("without a row of its migrations", in_which(&folder, "DELETE FROM _sqlx_migrations WHERE version = 2").await),
        ("without its last migration", in_which(&folder, "DELETE FROM _sqlx_migrations WHERE version = 4").await),
        ("without its migrations", in_which(&folder, "DROP TABLE _sqlx_migrations").await),
        ("without a table", in_which(&folder, "DROP TABLE session_logs").await),
        ("with another checksum", in_which(&folder, "UPDATE _sqlx_migrations SET checksum = x'07'").await),
    ];
    for (what, bytes) in cases {
        // What a loss of power has left of a log; SQLite reads nothing of it.
        let before = [bytes, vec![0; 5_000], counted.clone()];
        let (kept, path) = copied(&before);
        let kept = kept.path();
        for _ in 0..2 {
            let said = look(&path, false).await.unwrap_err().to_string();
            let advice =
                [path.to_str().unwrap(), "cannot be read", "8 commits were", "backup", "--accept-loss", ".damaged"];
            for advice in advice {
                assert!(said.contains(advice), "{what}: {advice:?} in {said}");
            }
            assert!(files(&path) == before, "{what}: nothing is changed");
        }
        // A start that is refused by something else changes nothing either.
        drop(look(&path, true).await.unwrap());
        assert!(files(&path) == before, "{what}");
        let store = SqliteStore::open(&path, "a", false, true).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(lost(&store), 8, "{what}");
        assert!(fs::read(kept.join("s.db.damaged")).unwrap() == before[0], "{what}");
        assert!(fs::read(kept.join("s.db.damaged-wal")).unwrap() == before[1], "{what}");
        store.commit(&batch(1)).await.unwrap();
        store.close().await;
        let store = SqliteStore::open(&path, "a", false, false).await.unwrap();
        assert!(lost(&store) == 0 && store.session(id(1)).await.unwrap().is_some(), "{what}");
        store.close().await;
        // What was put aside before stays.
        fs::write(&path, "again".repeat(200)).unwrap();
        let store = SqliteStore::open(&path, "a", false, true).await.unwrap();
        assert_eq!(lost(&store), 1, "{what}");
        assert!(fs::read(kept.join("s.db.damaged")).unwrap() == before[0], "{what}");
        assert!(fs::read(kept.join("s.db.damaged.2")).unwrap().starts_with(b"again"), "{what}");
    }
}

/// The bytes of a copy of the store in which this was done.
async fn in_which(folder: &TempDir, sql: &'static str) -> Vec<u8> {
    let (_kept, path) = copied(&files(&folder.path().join("s.db")));
    let mut raw = options(&path, false).connect().await.unwrap();
    raw.execute(sql).await.unwrap();
    raw.close().await.unwrap();
    fs::read(&path).unwrap()
}

#[tokio::test]
async fn what_turns_out_later_not_to_be_readable_is_put_aside_too() {
    let folder = filled().await;
    let path = folder.path().join("s.db");
    let before = files(&path);
    let anew = async |accept_loss| SqliteStore::anew(&path, "a", false, accept_loss, "a page of it".to_owned()).await;
    let said = anew(false).await.unwrap_err().to_string();
    assert!(said.contains("cannot be read: a page of it. 8 commits were acknowledged"), "{said}");
    assert!(files(&path) == before);
    let store = anew(true).await.unwrap();
    assert!(files(&path) == before);
    store.begin().await.unwrap();
    assert_eq!(lost(&store), 8);
    assert!(fs::read(folder.path().join("s.db.damaged")).unwrap() == before[0]);
}

#[tokio::test]
async fn a_folder_in_place_of_a_file_is_named_and_never_removed() {
    let folder = filled().await;
    let before = files(&folder.path().join("s.db"));
    for name in ["s.db", "s.db-wal", "s.db-shm", "s.commits", "s.lock"] {
        let (kept, path) = copied(&before);
        let place = kept.path().join(name);
        let _ = fs::remove_file(&place);
        fs::create_dir(&place).unwrap();
        fs::write(place.join("precious"), "x").unwrap();
        for accept_loss in [false, true] {
            let said = look(&path, accept_loss).await.unwrap_err().to_string();
            for what in [&format!("{} is a folder", place.display()), "Move it away", "backup", "--accept-loss"] {
                assert!(said.contains(what), "{name}: {what:?} in {said}");
            }
            assert!(place.join("precious").exists());
        }
    }
}

#[tokio::test]
async fn a_store_of_a_later_version_is_no_damage() {
    let folder = filled().await;
    let path = folder.path().join("s.db");
    let mut raw = options(&path, false).connect().await.unwrap();
    let sql = "INSERT INTO _sqlx_migrations SELECT 5, 'later', installed_on, true, checksum, execution_time FROM _sqlx_migrations LIMIT 1";
    raw.execute(sql).await.unwrap();
    raw.close().await.unwrap();
    let before = files(&path);
    for accept_loss in [false, true] {
        let error = look(&path, accept_loss).await.unwrap_err();
        assert!(matches!(error, OpenError::Later { form: 5, .. }), "{error}");
    }
    assert!(files(&path) == before);
}
