//! Starts that are refused leave everything as it was, and those that go on say what is other than before.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row};
use uuid::Uuid;

use crate::contract::case::Case;
use crate::support::{Node, attack, plain_rules};

/// Serves the data folder of a dead node on this address. Returns whether it got ready, when it was ended, and what it said.
fn serve(data: &Path, address: &str, flags: &[&str]) -> (bool, String) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_tiltyard"))
        .args(["serve", "--listen", address, "--shards", "2", "--data"])
        .arg(data)
        .args(flags)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says so, or ends.
    let mut line = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready = line.starts_with("listening on ");
    // Where it is not ready it has ended.
    let _ = process.kill();
    let output = process.wait_with_output().unwrap();
    (ready, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// The store and the log below `data`, by their files. Locks, and what SQLite shares between processes, are nobody's data; where there
/// is no write-ahead log SQLite may make an empty one.
fn kept(data: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.file_name().unwrap().to_str().unwrap();
            let is_data = !name.ends_with("lock") && !name.ends_with("-shm");
            let bytes = fs::read(&path).unwrap();
            if is_data && !(bytes.is_empty() && name.ends_with("-wal")) {
                files.insert(path, bytes);
            }
        }
    }
    files
}

fn names_of_others(is: &BTreeMap<PathBuf, Vec<u8>>, was: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<PathBuf> {
    let all: std::collections::BTreeSet<&PathBuf> = is.keys().chain(was.keys()).collect();
    all.into_iter().filter(|path| is.get(*path) != was.get(*path)).cloned().collect()
}

fn journal(data: &Path) -> PathBuf {
    let all = kept(data).into_iter().filter(|(path, _)| path.extension().is_some_and(|name| name == "journal"));
    all.max_by_key(|(_, bytes)| bytes.iter().filter(|byte| **byte != 0).count()).unwrap().0
}

#[tokio::test]
async fn a_start_that_is_refused_leaves_every_byte_as_it_was() {
    let mut node = Node::start();
    let mut fight = node.fight(2, plain_rules()).await;
    fight.begin().await;
    for _ in 0..5 {
        attack(&mut fight.clients[0], 1).await.unwrap();
    }
    node.kill();
    let data = node.data.path();
    let path = data.join("tiltyard.db");
    assert!(
        fs::metadata(data.join("tiltyard.db-wal")).unwrap().len() > 0,
        "something is in the log that is not to be copied"
    );
    let refused = |address: &str, flags: &[&str], by: &str| {
        let before = kept(data);
        for _ in 0..2 {
            let (ready, said) = serve(data, address, flags);
            assert!(!ready && said.contains(by), "{by:?}: {said}");
            assert_eq!(names_of_others(&kept(data), &before), Vec::<PathBuf>::new(), "refused by {by:?}");
        }
    };
    let changed = |path: &Path, flags: &[&str], by: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let whole = fs::read(path).unwrap();
        let mut bytes = whole.clone();
        change(&mut bytes);
        fs::write(path, bytes).unwrap();
        refused("127.0.0.1:0", flags, by);
        fs::write(path, whole).unwrap();
    };
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    refused(&taken.local_addr().unwrap().to_string(), &[], "cannot listen on");
    let journal = journal(data);
    changed(&journal, &[], "damaged at byte", &|bytes| {
        let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
        bytes[end / 2] ^= 1;
    });
    changed(&journal, &[], "the heading is damaged", &|bytes| bytes[8] += 1);
    // The operator accepts the store's loss, and the log refuses: the store is where it was.
    let in_the_way = data.join("log/9");
    fs::write(&in_the_way, "no folder").unwrap();
    changed(&path, &["--accept-loss"], "not a folder", &|bytes| bytes.truncate(300));
    fs::remove_file(in_the_way).unwrap();
    changed(&data.join("token.key"), &[], "the token key", &|bytes| bytes.truncate(9));
    changed(&path, &[], "cannot be read", &|bytes| bytes.truncate(300));
    // And then everything is there.
    node.crash_and_restart();
    let state = fight.state(&node).await;
    assert_eq!(state.status, 200, "{}", state.body);
}

#[tokio::test]
async fn a_store_that_cannot_be_read_is_put_aside_where_that_is_accepted_and_counted_as_lost() {
    let mut case = Case::sqlite();
    let player = Uuid::new_v4();
    case.create("custom", player).await;
    case.node.kill();
    let path = case.node.data.path().join("tiltyard.db");
    let bytes = vec![b'?'; 8192];
    fs::write(&path, &bytes).unwrap();
    // A page of the log is as good as one of the file.
    fs::write(case.node.data.path().join("tiltyard.db-wal"), [0; 4096]).unwrap();
    let (ready, said) = serve(case.node.data.path(), "127.0.0.1:0", &[]);
    assert!(!ready && said.contains("--accept-loss") && said.contains("acknowledged"), "{said}");
    assert!(fs::read(&path).unwrap() == bytes);
    case.node.flags_of_restart(&["--shards", "2", "--accept-loss"]);
    case.node.start_again();
    assert!(case.node.metric("tiltyard_store_lost_commits").await > 0.5);
    assert!(fs::read(case.node.data.path().join("tiltyard.db.damaged")).unwrap() == bytes);
    case.create("custom", player).await;
    case.node.flags_of_restart(&["--shards", "2"]);
    case.node.crash_and_restart();
    let page = case.get("/sessions?limit=100").expect(200).await;
    assert_eq!(page.body["sessions"].as_array().unwrap().len(), 1, "{}", page.body);
}

/// Overwrites the first page of a table, with the server stopped.
async fn zero_table(path: &Path, table: &str) {
    let options = SqliteConnectOptions::new().filename(path);
    let mut connection = options.connect().await.unwrap();
    let root = sqlx::query("SELECT rootpage FROM sqlite_schema WHERE name = $1").bind(table.to_owned());
    let root: i64 = root.fetch_one(&mut connection).await.unwrap().get(0);
    connection.close().await.unwrap();
    let mut bytes = fs::read(path).unwrap();
    let page = usize::try_from(root).unwrap();
    bytes[(page - 1) * 4096..page * 4096].fill(0);
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_store_of_which_a_table_cannot_be_read_is_put_aside_too() {
    for table in ["sessions", "session_players"] {
        let mut case = Case::sqlite();
        case.create("custom", Uuid::new_v4()).await;
        case.node.kill();
        let path = case.node.data.path().join("tiltyard.db");
        zero_table(&path, table).await;
        let bytes = fs::read(&path).unwrap();
        let (ready, said) = serve(case.node.data.path(), "127.0.0.1:0", &[]);
        assert!(!ready && said.contains("--accept-loss") && said.contains("backup"), "{table}: {said}");
        assert!(fs::read(&path).unwrap() == bytes, "{table}");
        case.node.flags_of_restart(&["--shards", "2", "--accept-loss"]);
        case.node.start_again();
        assert!(case.node.metric("tiltyard_store_lost_commits").await > 0.5, "{table}");
        let aside = fs::read(case.node.data.path().join("tiltyard.db.damaged")).unwrap();
        assert!(aside == bytes, "{table}");
        case.create("custom", Uuid::new_v4()).await;
    }
}

#[tokio::test]
async fn another_token_key_beside_sessions_is_told_once() {
    let mut case = Case::sqlite();
    let body = json!({ "type": "auth", "player_id": Uuid::new_v4() });
    case.post("/sessions", &body).header("idempotency-key", "k").expect(201).await;
    case.node.kill();
    let data = case.node.data.path();
    let key = data.join("token.key");
    let first = fs::read(&key).unwrap();
    let told = |what: &str| {
        let (ready, said) = serve(data, "127.0.0.1:0", &[]);
        assert!(ready, "{said}");
        let warned = said.lines().find(|line| line.contains("WARN") && line.contains("is void"));
        match warned {
            Some(line) => assert!(!what.is_empty() && line.contains(what), "{line}"),
            None => assert_eq!(what, "", "nothing was told: {said}"),
        }
    };
    told("");
    fs::write(&key, "another key of a length that is legal\n").unwrap();
    told("is another than at the last start");
    told("");
    fs::remove_file(&key).unwrap();
    told("a new one was made");
    told("");
    // Of a folder from before it was noted.
    let noted = data.join("token.fingerprint");
    fs::remove_file(&noted).unwrap();
    told("");
    for file in [&key, &noted] {
        fs::remove_file(file).unwrap();
    }
    told("a new one was made beside sessions");
    fs::write(&key, first).unwrap();
    told("is another than at the last start");
    fs::write(&noted, "").unwrap();
    told("is damaged");
    told("");
}

#[test]
fn a_new_key_in_a_new_folder_is_no_reason_to_warn() {
    let data = tempfile::tempdir().unwrap();
    let (ready, said) = serve(data.path(), "127.0.0.1:0", &[]);
    assert!(ready && !said.contains("is void"), "{said}");
}
