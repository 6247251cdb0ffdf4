//! A data folder that was restored from before its store, and ids and times that agree.

use std::fs;
use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use reqwest::Method;
use serde_json::json;
use tiltyard_client::{Client, Error};
use tiltyard_protocol::{Encoding, Reason};
use uuid::Uuid;

use crate::contract::case::Case;
use crate::recovery::{journals, marked, refuse_to_start};
use crate::support::{Node, PATIENCE, attack, plain_rules, soon};

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

/// Asks until the answer has this status.
async fn until_status(node: &Node, path: &str, status: u16) -> serde_json::Value {
    let (token, since) = (node.service(), std::time::Instant::now());
    loop {
        let answer = node.rest().call(Method::GET, path, Some(&token), None).await.unwrap();
        if answer.status == status {
            return answer.body;
        }
        assert!(since.elapsed() < PATIENCE, "{path}: {} and not {status}", answer.status);
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

async fn a_log_from_before(mut node: Node) {
    let mut ends = node.fight(2, plain_rules()).await;
    let mut goes_on = node.fight(2, plain_rules()).await;
    ends.begin().await;
    goes_on.begin().await;
    node.kill();
    let (log, aside) = (node.data.path().join("log"), node.data.path().join("aside"));
    copy(&log, &aside);
    node.start_again();
    let mut client = goes_on.connect(&node, 0, Encoding::Json).await;
    for _ in 0..5 {
        attack(&mut client, 1).await.unwrap();
    }
    let seq = client.seq();
    let path = format!("/sessions/{}", ends.id);
    let ended = ends.call(&node, Method::DELETE, &path, Some(&json!({ "force": true }))).await;
    assert_eq!(ended.status, 200, "{}", ended.body);
    until_status(&node, &format!("/combat/sessions/{}/replay", ends.id), 200).await;
    let before = ends.state(&node).await.body;
    node.kill();
    fs::remove_dir_all(&log).unwrap();
    fs::rename(&aside, &log).unwrap();

    for round in 0..2 {
        if round == 0 {
            node.start_again();
        } else {
            node.crash_and_restart();
        }
        let is = until_status(&node, &path, 200).await;
        assert_eq!(is["status"], "terminated", "the store's end stands: {is}");
        until_status(&node, &format!("/combat/sessions/{}/replay", ends.id), 200).await;
        assert_eq!(ends.state(&node).await.body["phase"], before["phase"]);
        let counted = node.metric("tiltyard_fights_rolled_back_total").await;
        assert!(if round == 0 { counted >= 1.0 } else { counted < 0.5 }, "{counted} in round {round}");
    }
    let ticket = node.rest().ticket(&node.service(), goes_on.id, goes_on.players[0]).await.unwrap();
    let mut client = Client::connect(&ticket.url, Encoding::Json).await.unwrap();
    client.join_again(goes_on.id, seq).await.unwrap();
    let back = match soon(client.next()).await {
        Err(Error::Notice { reason: Reason::RolledBack, message, rolled_back: Some(back), .. }) => {
            assert!(message.contains(&format!("has {seq}")), "{message}");
            assert_eq!((back.from, back.from_epoch), (Some(seq), None));
            back
        }
        other => panic!("not told: {other:?}"),
    };
    while client.seq() == 0 {
        soon(client.next()).await.unwrap();
    }
    assert_eq!(client.seq(), back.to, "as it was told");
    assert!(
        back.to < seq && back.to_epoch > 1 && client.view().participants[1].hp == 100,
        "and then it goes on from there"
    );
    attack(&mut client, 1).await.unwrap();
    assert!(node.metric("tiltyard_joins_rolled_back_total").await > 0.5);
    // Who has nothing later is told nothing.
    let ticket = node.rest().ticket(&node.service(), goes_on.id, goes_on.players[0]).await.unwrap();
    let mut again = Client::connect(&ticket.url, Encoding::Json).await.unwrap();
    again.join_again(goes_on.id, client.seq()).await.unwrap();
    soon(again.next()).await.unwrap();
}

#[tokio::test]
async fn a_log_from_before_its_sqlite_store_ends_nothing_again_and_says_what_is_lost() {
    a_log_from_before(Node::start()).await;
}

#[tokio::test]
async fn a_log_from_before_its_postgres_store_ends_nothing_again_and_says_what_is_lost() {
    a_log_from_before(Case::postgres().await.node).await;
}

/// What is listed newest first is in the order of the times that are told, and those are the ids' own.
async fn lists_go_by_the_time_that_is_told(case: Case) {
    let case = &case;
    let create = async |n: u32| match n % 4 {
        0 => case.fight(&[Uuid::new_v4(), Uuid::new_v4()]).await,
        1 => case.create("custom", Uuid::new_v4()).await,
        2 => case.create("player", Uuid::new_v4()).await,
        _ => {
            let body = json!({ "type": "auth", "player_id": Uuid::new_v4() });
            let key = Uuid::new_v4().to_string();
            case.post("/sessions", &body).header("idempotency-key", &key).expect(201).await
        }
    };
    let asked: Vec<_> = (0..16)
        .map(|part| async move {
            for n in 0..6 {
                create(part + n).await;
            }
        })
        .collect();
    futures_util::future::join_all(asked).await;
    let page = case.get("/sessions?limit=100").expect(200).await;
    let sessions = page.body["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 96);
    let mut before: Option<(Uuid, String)> = None;
    for session in sessions {
        let id: Uuid = session["session_id"].as_str().unwrap().parse().unwrap();
        let created_at = session["created_at"].as_str().unwrap().to_owned();
        let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
        let told = humantime::parse_rfc3339(&created_at).unwrap().duration_since(UNIX_EPOCH).unwrap();
        let drawn = Duration::new(seconds, nanos).as_millis();
        assert_eq!(told.as_millis(), drawn, "{id} was created when its id says");
        if let Some((newer, newer_at)) = &before {
            assert!(*newer > id && *newer_at >= created_at, "{newer} of {newer_at} is before {id} of {created_at}");
        }
        before = Some((id, created_at));
    }
}

#[tokio::test]
async fn lists_of_sqlite_go_by_the_time_that_is_told() {
    lists_go_by_the_time_that_is_told(Case::sqlite()).await;
}

#[tokio::test]
async fn lists_of_postgres_go_by_the_time_that_is_told() {
    lists_go_by_the_time_that_is_told(Case::postgres().await).await;
}

fn check(node: &Node) -> (bool, String) {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tiltyard"))
        .args(["check", "--data"])
        .arg(node.data.path())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn a_check_reads_everything_changes_nothing_and_names_what_is_damaged() {
    let mut case = Case::sqlite();
    let custom = case.create("custom", Uuid::new_v4()).await;
    let mut fight = case.node.fight(2, plain_rules()).await;
    fight.begin().await;
    attack(&mut fight.clients[0], 1).await.unwrap();
    let (sound, said) = check(&case.node);
    assert!(!sound && said.contains("a server is using it"), "{said}");
    // Again, so that the start has copied the write-ahead log; and until nothing has been written to that page since.
    let log = case.node.data.path().join("tiltyard.db-wal");
    let is_in_log = || fs::read(&log).is_ok_and(|log| log.windows(9).any(|window| window == b"by a test"));
    loop {
        case.node.crash_and_restart();
        case.node.kill();
        if !is_in_log() {
            break;
        }
    }
    let files = |node: &Node| {
        let journals = fs::read_dir(node.data.path().join("log")).unwrap().map(|entry| entry.unwrap().path());
        let journals = journals.filter(|path| path.is_dir()).flat_map(|path| fs::read_dir(path).unwrap());
        let mut files: Vec<_> = journals.map(|entry| entry.unwrap().path()).collect();
        files.push(node.data.path().join("tiltyard.db"));
        files
    };
    let before: Vec<Vec<u8>> = files(&case.node).iter().map(|path| fs::read(path).unwrap()).collect();
    let (sound, said) = check(&case.node);
    assert!(
        sound && said.contains("tiltyard.db") && said.contains("0-1.journal") && !said.contains("DAMAGED"),
        "{said}"
    );
    assert_eq!(files(&case.node).iter().map(|path| fs::read(path).unwrap()).collect::<Vec<_>>(), before);

    // What somebody else has put there is left alone; but not in the way of a generation.
    let (old, file) = (case.node.data.path().join("log/1"), case.node.data.path().join("log/999"));
    fs::create_dir_all(&old).unwrap();
    fs::write(old.join("notes.txt"), "x").unwrap();
    let (sound, said) = check(&case.node);
    assert!(sound, "{said}");
    fs::write(&file, "x").unwrap();
    let (sound, said) = check(&case.node);
    assert!(!sound && said.contains("999") && said.contains("not a folder"), "{said}");
    fs::remove_file(&file).unwrap();

    let path = case.node.data.path().join("tiltyard.db");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(9).position(|window| window == b"by a test").expect("the metadata of a session");
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (sound, said) = check(&case.node);
    let id = custom.body["session_id"].as_str().unwrap();
    assert!(!sound && said.contains("DAMAGED") && said.contains(id), "{said}");
    // The start goes on, and the session is told to be damaged.
    case.node.start_again();
    let read = case.get(&custom.path("")).expect(500).await;
    assert_eq!(read.body["details"]["reason"], "damaged");
    let page = case.get("/sessions?type=custom").expect(200).await;
    assert_eq!((page.body["sessions"].as_array().unwrap().len(), &page.body["damaged_count"]), (0, &json!(1)));
    assert!(case.node.metric("tiltyard_store_damaged_rows_total").await > 1.5);
    assert!(case.node.metric("tiltyard_store_damage").await > 0.5);
}

/// What a start would stop for is damaged, and nothing else is.
#[tokio::test]
async fn a_check_says_damaged_where_a_start_stops() {
    let mut node = Node::start();
    node.flags_of_restart(&["--shards", "2"]);
    node.crash_and_restart();
    let mut fights = Vec::new();
    for _ in 0..8 {
        let mut fight = node.fight(2, plain_rules()).await;
        fight.begin().await;
        fights.push(fight);
    }
    marked(&node).await;
    let (log, key) = (node.data.path().join("log"), node.data.path().join("token.key"));
    let before: Vec<Vec<u8>> = both(&node).iter().map(|path| fs::read(path).unwrap()).collect();
    node.crash_and_restart();
    let begun: Vec<Vec<u8>> = both(&node).iter().map(|path| fs::read(path).unwrap()).collect();
    for fight in &fights {
        let mut client = fight.connect(&node, 0, Encoding::Json).await;
        attack(&mut client, 1).await.unwrap();
    }
    marked(&node).await;
    node.kill();
    let (whole, secret) = (node.data.path().join("whole"), fs::read(&key).unwrap());
    copy(&log, &whole);
    let generation = both(&node)[0].parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    let (first, second) = (log.join(&generation).join("0-1.journal"), log.join(&generation).join("1-1.journal"));
    // Which shard a fight is on is drawn.
    let grown = both(&node).iter().zip(&begun).position(|(now, begun)| fs::read(now).unwrap().len() > begun.len());
    let (grown, older) = (&both(&node)[grown.unwrap()], &begun[grown.unwrap()]);
    let swap = || {
        let (one, other) = (fs::read(&first).unwrap(), fs::read(&second).unwrap());
        fs::write(&first, other).unwrap();
        fs::write(&second, one).unwrap();
    };
    let cases: [(&str, &str, &dyn Fn()); 8] = [
        ("a journal of the generation before", "in generation", &|| fs::write(&first, &before[0]).unwrap()),
        ("an older copy of a journal", "bytes are missing", &|| fs::write(grown, older).unwrap()),
        ("the journals of two shards", "it says that it is segment", &swap),
        ("what is in use", "which generation", &|| fs::write(log.join("in-use"), "x").unwrap()),
        ("the log in use", "is not there", &|| fs::remove_dir_all(log.join(&generation)).unwrap()),
        ("the log", "is not there", &|| fs::remove_dir_all(&log).unwrap()),
        ("a short key", "it should have 32 to 4096", &|| fs::write(&key, "short").unwrap()),
        ("a key that is no text", "UTF-8", &|| fs::write(&key, [0xFF; 40]).unwrap()),
    ];
    for (what, why, damage) in cases {
        let (sound, said) = check(&node);
        assert!(sound && !said.contains("DAMAGED"), "before {what}: {said}");
        damage();
        let (sound, said) = check(&node);
        assert!(!sound && said.contains("DAMAGED") && said.contains(why), "{what}: {said}");
        let said = refuse_to_start(&node);
        assert!(said.contains(why), "{what}: {said}");
        let _ = fs::remove_dir_all(&log);
        copy(&whole, &log);
        fs::write(&key, &secret).unwrap();
    }
    node.start_again();
    for fight in &fights {
        let client = fight.connect(&node, 0, Encoding::Json).await;
        assert_eq!(client.view().participants[1].hp, 90);
    }
}

/// The journals of two shards, in their order.
fn both(node: &Node) -> [std::path::PathBuf; 2] {
    let mut journals = journals(node);
    journals.sort();
    journals.try_into().expect("of two shards")
}
