//! A connection that writes and is lost, and files that are not there any more: nothing acknowledged is lost, and it goes on by itself.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use sqlx::ConnectOptions;
use tempfile::TempDir;
use uuid::Uuid;

use super::{beside, opening};
use crate::limits;
use crate::store::{Batch, KeyRow, SqliteStore, Store, StoreError};

struct Case {
    folder: TempDir,
    store: SqliteStore,
    /// Keys of which it was acknowledged that they are kept.
    acknowledged: Vec<[u8; 16]>,
    next: u8,
}

impl Case {
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let store = open(folder.path()).await;
        let mut case = Self { folder, store, acknowledged: Vec::new(), next: 0 };
        case.commit().await.unwrap();
        case
    }

    async fn commit(&mut self) -> Result<(), StoreError> {
        self.next += 1;
        let hash = [self.next; 16];
        let key = KeyRow { hash, fingerprint: [0; 16], created_at: 1, session: Uuid::nil(), answer: None };
        self.store.commit(&Batch { keys: vec![key], ..Batch::default() }).await?;
        self.acknowledged.push(hash);
        Ok(())
    }

    /// Commits until one succeeds; how often it failed.
    async fn until_it_commits(&mut self) -> usize {
        let (patience, mut failed) = (Instant::now() + Duration::from_secs(20), 0);
        while let Err(error) = self.commit().await {
            assert!(Instant::now() < patience, "{error}");
            failed += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        failed
    }

    async fn all_are_there(self) {
        drop(self.store);
        let store = open(self.folder.path()).await;
        for key in self.acknowledged {
            assert!(store.key(key).await.unwrap().is_some(), "an acknowledged key is lost");
        }
        assert_eq!(store.figures().unwrap().lost_commits.load(std::sync::atomic::Ordering::Relaxed), 0);
    }
}

async fn open(folder: &Path) -> SqliteStore {
    // The one of before lets go of its lock when its tasks have ended.
    SqliteStore::open(&folder.join("s.db"), "a", false, false).await.unwrap()
}

#[tokio::test]
async fn another_connection_takes_the_place_of_one_that_is_lost() {
    let mut case = Case::new().await;
    for _ in 0..3 {
        let mut writer = case.store.writer().unwrap().lock().await;
        writer.connection = opening::options(&case.folder.path().join("s.db")).read_only(true).connect().await.unwrap();
        drop(writer);
        let refused = case.commit().await.unwrap_err();
        assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
        assert_eq!(case.until_it_commits().await, 0, "the next goes by another");
        case.commit().await.unwrap();
    }
    case.all_are_there().await;
}

#[tokio::test]
async fn it_is_tried_again_less_and_less_often_until_one_can_be_had() {
    let mut case = Case::new().await;
    let mut writer = case.store.writer().unwrap().lock().await;
    let options = writer.options.clone();
    writer.connection = opening::options(&case.folder.path().join("s.db")).read_only(true).connect().await.unwrap();
    writer.options = options.clone().filename(case.folder.path().join("none/s.db"));
    drop(writer);
    for _ in 0..20 {
        case.commit().await.unwrap_err();
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let mut writer = case.store.writer().unwrap().lock().await;
    let pause = writer.lost.as_ref().unwrap().pause;
    let most = Duration::from_millis(limits::STORE_REOPEN_MOST_MS);
    assert!(pause > Duration::from_millis(2 * limits::STORE_REOPEN_MS) && pause <= most, "{pause:?}");
    writer.options = options;
    drop(writer);
    assert!(case.until_it_commits().await > 0);
    assert!(case.store.writer().unwrap().lock().await.lost.is_none());
    case.all_are_there().await;
}

#[tokio::test]
async fn nothing_is_committed_to_a_file_that_nobody_would_find_again() {
    let mut case = Case::new().await;
    let path = case.folder.path().join("s.db");
    for path in [path.clone(), beside(&path, "-wal")] {
        let away = beside(&path, ".away");
        for is_replaced in [false, true] {
            fs::rename(&path, &away).unwrap();
            if is_replaced {
                fs::copy(&away, &path).unwrap();
            }
            for _ in 0..3 {
                let refused = case.commit().await.unwrap_err().to_string();
                let why = if is_replaced { "another file" } else { "it is gone" };
                assert!(refused.contains(&*path.to_string_lossy()) && refused.contains(why), "{refused}");
            }
            // Put back, it goes on.
            fs::rename(&away, &path).unwrap();
            case.commit().await.unwrap();
        }
    }
    case.all_are_there().await;
}

#[tokio::test]
async fn a_connection_to_what_lacks_acknowledged_commits_is_not_written_to() {
    let mut case = Case::new().await;
    let mut writer = case.store.writer().unwrap().lock().await;
    writer.connection = opening::options(&case.folder.path().join("s.db")).read_only(true).connect().await.unwrap();
    writer.acknowledged += 1;
    drop(writer);
    case.commit().await.unwrap_err();
    let refused = case.commit().await.unwrap_err();
    assert!(refused.to_string().contains("not all of the"), "{refused}");
    case.store.writer().unwrap().lock().await.acknowledged -= 1;
    case.until_it_commits().await;
    case.all_are_there().await;
}

#[tokio::test]
async fn a_slow_commit_is_waited_for_as_long_as_was_set() {
    let mut case = Case::new().await;
    let refused = {
        let writer = std::sync::Arc::clone(case.store.writer.get().unwrap());
        let held = writer.lock().await;
        let refused = case.commit().await.unwrap_err();
        drop(held);
        refused
    };
    assert!(matches!(refused, StoreError::Unavailable(_)), "{refused}");
    case.store.set_patience_ms(limits::STORE_MS_MOST);
    let writer = std::sync::Arc::clone(case.store.writer.get().unwrap());
    let held = writer.lock_owned().await;
    let let_go = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(2 * limits::STORE_MS)).await;
        drop(held);
    });
    case.commit().await.unwrap();
    let_go.await.unwrap();
}
