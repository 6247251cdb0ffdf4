//! Requests that are repeated with their key until they are answered, through kill -9 of the server and of Postgres: each
//! takes effect once, and whoever was answered before is answered the same.

use std::collections::HashMap;
use std::io;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::contract::case::Case;
use crate::postgres::Postgres;
use crate::support::{Node, soon};
use crate::wire::{Request, Wire};

/// Keys, and how many requests are in flight at a time on each of the connections.
const KEYS: u128 = 1_000;
const CLIENTS: usize = 32;
const WINDOW: usize = 2;

/// Answers before the crash.
const ENOUGH: usize = 200;

/// What the key `n` is for: a session for the player `n`, by the service.
fn request(n: u128) -> Request {
    let player = Uuid::from_u128(n + 1);
    let (path, body) = match n % 5 {
        0 => ("/combat/sessions", json!({ "mode": "pvp", "participants": [player] })),
        1 => ("/sessions", json!({ "type": "combat", "player_id": player })),
        2 => ("/sessions", json!({ "type": "player", "player_id": player })),
        3 => ("/sessions", json!({ "type": "auth", "player_id": player })),
        _ => ("/sessions", json!({ "type": "custom", "player_id": player })),
    };
    Request { key: Some(format!("key-{n}")), ..Request::new("POST", path, &body.to_string()) }
}

/// An answer to the request with a key.
type Answered = (u128, u16, Value);

/// Sends the requests of `keys` and tells every answer, until there is no more or the server is gone.
fn ask(node: &Node, token: &str, keys: &[u128], told: mpsc::UnboundedSender<Answered>) {
    let (url, token) = (node.url.clone(), token.to_owned());
    for some in keys.chunks(keys.len().div_ceil(CLIENTS)).map(<[u128]>::to_vec) {
        let (url, token, told) = (url.clone(), token.clone(), told.clone());
        tokio::spawn(async move {
            // The server's death is an end like any other.
            let _ = ask_some(&url, &token, &some, &told).await;
        });
    }
}

async fn ask_some(url: &str, token: &str, keys: &[u128], told: &mpsc::UnboundedSender<Answered>) -> io::Result<()> {
    let mut wire = Wire::connect(url, token).await?;
    for window in keys.chunks(WINDOW) {
        wire.send(window.iter().map(|n| request(*n))).await?;
        for n in window {
            let (status, body) = wire.answer().await?;
            if told.send((*n, status, body)).is_err() {
                // Nobody listens any more.
                return Ok(());
            }
        }
    }
    Ok(())
}

/// The session of each key, as far as it is known.
#[derive(Default)]
struct Known {
    sessions: HashMap<u128, Uuid>,
    /// Whether it took effect cannot be told, which is said so.
    unknown: Vec<u128>,
}

impl Known {
    fn note(&mut self, (n, status, body): Answered) {
        match (status, body["details"]["reason"].as_str()) {
            (201, _) => {
                let session = body["session_id"].as_str().unwrap().parse().unwrap();
                let before = self.sessions.insert(n, session);
                assert!(before.is_none_or(|before| before == session), "key {n}: another session, {body}");
            }
            (409, Some("outcome_unknown")) => self.unknown.push(n),
            (409, Some("idempotency_running")) | (503, _) => {}
            other => panic!("key {n}: {other:?}: {body}"),
        }
    }

    fn open(&self) -> Vec<u128> {
        (0..KEYS).filter(|n| !self.sessions.contains_key(n) && !self.unknown.contains(n)).collect()
    }
}

/// Sends all, and has `crash` happen amid them.
async fn until_the_crash(case: &mut Case, crash: impl FnOnce(&mut Case)) -> Known {
    let mut known = Known::default();
    let (told, mut answers) = mpsc::unbounded_channel();
    ask(&case.node, &case.service, &(0..KEYS).collect::<Vec<_>>(), told);
    soon(async {
        while known.sessions.len() < ENOUGH {
            known.note(answers.recv().await.unwrap());
        }
    })
    .await;
    crash(case);
    answers.close();
    while let Some(answered) = answers.recv().await {
        known.note(answered);
    }
    known
}

/// Repeats every one, also those that were answered, until there is no open question.
async fn repeat_and_count(case: &Case, mut known: Known) {
    let answered = known.sessions.len();
    let mut keys: Vec<u128> = (0..KEYS).collect();
    soon(async {
        while !keys.is_empty() {
            let (told, mut answers) = mpsc::unbounded_channel();
            ask(&case.node, &case.service, &keys, told);
            while let Some(answered) = answers.recv().await {
                known.note(answered);
            }
            keys = known.open();
        }
    })
    .await;
    println!("{answered} answered before, {} of unknown outcome", known.unknown.len());
    assert!(known.unknown.iter().all(|n| n % 5 < 2), "only a fight's outcome may be unknown: {:?}", known.unknown);
    assert!(known.unknown.len() <= CLIENTS, "and only of those that were just running: {:?}", known.unknown);
    let mut wire = Wire::connect(&case.node.url, &case.service).await.unwrap();
    for n in 0..KEYS {
        let path = format!("/sessions?player_id={}", Uuid::from_u128(n + 1));
        wire.send([Request::new("GET", &path, "")]).await.unwrap();
        let (status, body) = soon(wire.answer()).await.unwrap();
        let listed: Vec<&str> =
            body["sessions"].as_array().unwrap().iter().map(|s| s["session_id"].as_str().unwrap()).collect();
        match known.sessions.get(&n) {
            Some(session) => assert_eq!((status, listed), (200, vec![session.to_string().as_str()]), "key {n}"),
            None => assert!(listed.len() <= 1, "key {n}: {body}"),
        }
    }
}

async fn the_server_dies(mut case: Case) {
    let known = until_the_crash(&mut case, |case| case.node.kill()).await;
    case.node.crash_and_restart();
    repeat_and_count(&case, known).await;
}

#[tokio::test]
async fn the_server_dies_on_sqlite() {
    the_server_dies(Case::sqlite()).await;
}

#[tokio::test]
async fn the_server_dies_on_postgres() {
    the_server_dies(Case::postgres().await).await;
}

#[tokio::test]
async fn postgres_dies() {
    let mut database = Postgres::start();
    let mut case = Case::on(&database.database().await);
    let known = until_the_crash(&mut case, |_| database.kill9()).await;
    database.restart();
    repeat_and_count(&case, known).await;
}

#[tokio::test]
async fn postgres_hangs() {
    let mut database = Postgres::start();
    let mut case = Case::on(&database.database().await);
    let known = until_the_crash(&mut case, |_| database.hang()).await;
    database.resume();
    repeat_and_count(&case, known).await;
}
