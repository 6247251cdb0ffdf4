//! Requests that are repeated with their key until they are answered, through kill -9 of the server and of Postgres: each
//! takes effect once, and whoever was answered before is answered the same.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::contract::case::Case;
use crate::postgres::Postgres;
use crate::support::{plain_rules, soon};
use crate::wire::{Request, Wire};

/// Keys, and how many requests are in flight at a time on each of the connections.
const KEYS: u128 = 1_000;
const CLIENTS: usize = 32;
const WINDOW: usize = 2;

/// Answers before the crash.
const ENOUGH: usize = 200;

/// What the key `n` is for.
type Asked = Arc<dyn Fn(u128) -> Request + Send + Sync>;

/// An answer to the request with a key.
type Answered = (u128, u16, Value);

/// A session for the player `n`, by the service.
fn creation(n: u128) -> Request {
    let player = Uuid::from_u128(n + 1);
    let (path, body) = match n % 5 {
        0 => ("/combat/sessions", json!({ "mode": "pvp", "participants": [player] })),
        1 => ("/sessions", json!({ "type": "combat", "player_id": player })),
        2 => ("/sessions", json!({ "type": "player", "player_id": player })),
        3 => ("/sessions", json!({ "type": "auth", "player_id": player })),
        _ => ("/sessions", json!({ "type": "custom", "player_id": player })),
    };
    keyed(n, path, &body)
}

fn keyed(n: u128, path: &str, body: &Value) -> Request {
    Request { key: Some(format!("key-{n}")), ..Request::new("POST", path, &body.to_string()) }
}

/// Sends the requests of `keys` and tells every answer, until there is no more or the server is gone.
fn ask(case: &Case, asked: &Asked, keys: &[u128]) -> mpsc::UnboundedReceiver<Answered> {
    let (told, answers) = mpsc::unbounded_channel();
    for some in keys.chunks(keys.len().div_ceil(CLIENTS)).map(<[u128]>::to_vec) {
        let (url, token) = (case.node.url.clone(), case.service.clone());
        let (asked, told) = (Arc::clone(asked), told.clone());
        tokio::spawn(async move {
            // The server's death is an end like any other.
            let _ = ask_some(&url, &token, &asked, &some, &told).await;
        });
    }
    answers
}

async fn ask_some(
    url: &str,
    token: &str,
    asked: &Asked,
    keys: &[u128],
    told: &mpsc::UnboundedSender<Answered>,
) -> io::Result<()> {
    let mut wire = Wire::connect(url, token).await?;
    for window in keys.chunks(WINDOW) {
        wire.send(window.iter().map(|n| asked(*n))).await?;
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

/// What each key led to, as far as it is known: a session, or an action.
#[derive(Default)]
struct Known {
    ids: HashMap<u128, Uuid>,
    /// Whether it took effect cannot be told, which is said so.
    unknown: Vec<u128>,
}

impl Known {
    fn note(&mut self, (n, status, body): Answered) {
        match (status, body["details"]["reason"].as_str()) {
            (200 | 201, _) => {
                let id = body["action_id"].as_str().or(body["session_id"].as_str()).unwrap().parse().unwrap();
                let before = self.ids.insert(n, id);
                assert!(before.is_none_or(|before| before == id), "key {n}: not as before, {body}");
            }
            (409, Some("outcome_unknown")) => self.unknown.push(n),
            (409, Some("idempotency_running")) | (503, _) => {}
            other => panic!("key {n}: {other:?}: {body}"),
        }
    }

    fn open(&self) -> Vec<u128> {
        (0..KEYS).filter(|n| !self.ids.contains_key(n) && !self.unknown.contains(n)).collect()
    }

    /// Sends all, and has `crash` happen amid them.
    async fn until_the_crash(case: &mut Case, asked: &Asked, crash: impl FnOnce(&mut Case)) -> Self {
        let mut known = Self::default();
        known.until_the_next_crash(case, asked, crash).await;
        known
    }

    /// Sends what is open, and has `crash` happen amid that.
    async fn until_the_next_crash(&mut self, case: &mut Case, asked: &Asked, crash: impl FnOnce(&mut Case)) {
        let before = self.ids.len();
        let mut answers = ask(case, asked, &self.open());
        soon(async {
            while self.ids.len() < before + ENOUGH {
                self.note(answers.recv().await.unwrap());
            }
        })
        .await;
        crash(case);
        answers.close();
        while let Some(answered) = answers.recv().await {
            self.note(answered);
        }
    }

    /// Repeats every one, also those that were answered, until there is no open question.
    async fn repeat(&mut self, case: &Case, asked: &Asked) {
        let answered = self.ids.len();
        let mut keys: Vec<u128> = (0..KEYS).collect();
        soon(async {
            while !keys.is_empty() {
                let mut answers = ask(case, asked, &keys);
                while let Some(answered) = answers.recv().await {
                    self.note(answered);
                }
                keys = self.open();
            }
        })
        .await;
        println!("{answered} answered before, {} of unknown outcome", self.unknown.len());
        assert!(self.unknown.len() <= 3 * CLIENTS, "only of those that were just running: {:?}", self.unknown);
    }
}

/// That each player has the session its key led to, and no other.
async fn one_session_each(case: &Case, known: &Known) {
    assert!(known.unknown.iter().all(|n| n % 5 < 2), "only a fight's outcome may be unknown: {:?}", known.unknown);
    let mut wire = Wire::connect(&case.node.url, &case.service).await.unwrap();
    for n in 0..KEYS {
        let path = format!("/sessions?player_id={}", Uuid::from_u128(n + 1));
        wire.send([Request::new("GET", &path, "")]).await.unwrap();
        let (status, body) = soon(wire.answer()).await.unwrap();
        let sessions = body["sessions"].as_array().unwrap().iter();
        let listed: Vec<&str> = sessions.map(|session| session["session_id"].as_str().unwrap()).collect();
        match known.ids.get(&n) {
            Some(id) => assert_eq!((status, listed), (200, vec![id.to_string().as_str()]), "key {n}"),
            None => assert!(listed.len() <= 1, "key {n}: {body}"),
        }
    }
}

/// Three rounds of kill -9 amid what is still open: nothing that was answered is lost, and nothing is there twice.
async fn creations_in_rounds(mut case: Case) {
    let asked: Asked = Arc::new(creation);
    let mut known = Known::default();
    for _ in 0..3 {
        known.until_the_next_crash(&mut case, &asked, |case| case.node.kill()).await;
        case.node.crash_and_restart();
        let said: Vec<u128> = known.ids.keys().copied().collect();
        let mut answers = ask(&case, &asked, &said);
        let mut again = 0;
        while let Some(answered) = soon(answers.recv()).await {
            known.note(answered);
            again += 1;
        }
        assert_eq!(again, said.len(), "each is answered as before");
    }
    known.repeat(&case, &asked).await;
    one_session_each(&case, &known).await;
}

async fn creations(mut case: Case, crash: impl FnOnce(&mut Case), recover: impl FnOnce(&mut Case)) {
    let asked: Asked = Arc::new(creation);
    let mut known = Known::until_the_crash(&mut case, &asked, crash).await;
    recover(&mut case);
    known.repeat(&case, &asked).await;
    one_session_each(&case, &known).await;
}

/// Every key is for a hit of 10, and health says how many there were.
async fn hits(mut case: Case, crash: impl FnOnce(&mut Case), recover: impl FnOnce(&mut Case)) {
    let mut rules = plain_rules();
    rules["health"] = json!(1_000_000);
    let mut fight = case.node.fight(2, rules).await;
    fight.begin().await;
    let (id, players) = (fight.id, fight.players.clone());
    let path = format!("/combat/sessions/{id}/actions");
    let body = json!({ "action_type": "attack", "player_id": players[0], "target_id": players[1] });
    let asked: Asked = Arc::new(move |n| keyed(n, &path, &body));
    let mut known = Known::until_the_crash(&mut case, &asked, crash).await;
    recover(&mut case);
    known.repeat(&case, &asked).await;
    let state = case.get(&format!("/combat/sessions/{id}/state")).expect(200).await;
    let hits = (1_000_000 - usize::try_from(state.body["participants"][1]["hp"].as_u64().unwrap()).unwrap()) / 10;
    let (answered, unknown) = (known.ids.len(), known.unknown.len());
    assert!((answered..=answered + unknown).contains(&hits), "{hits} hits, {answered} answered, {unknown} unknown");
}

#[tokio::test]
async fn creations_when_the_server_dies_on_sqlite() {
    creations_in_rounds(Case::sqlite()).await;
}

#[tokio::test]
async fn creations_when_the_server_dies_on_postgres() {
    creations_in_rounds(Case::postgres().await).await;
}

#[tokio::test]
async fn creations_when_postgres_dies() {
    let database = Postgres::start();
    let case = Case::on(&database.database().await);
    let database = std::cell::RefCell::new(database);
    creations(case, |_| database.borrow_mut().kill9(), |_| database.borrow_mut().restart()).await;
}

#[tokio::test]
async fn creations_when_postgres_hangs() {
    let database = Postgres::start();
    let case = Case::on(&database.database().await);
    let database = std::cell::RefCell::new(database);
    creations(case, |_| database.borrow_mut().hang(), |_| database.borrow_mut().resume()).await;
}

#[tokio::test]
async fn hits_when_the_server_dies() {
    hits(Case::sqlite(), |case| case.node.kill(), |case| case.node.crash_and_restart()).await;
}

#[tokio::test]
async fn hits_when_postgres_dies() {
    let database = Postgres::start();
    let case = Case::on(&database.database().await);
    let database = std::cell::RefCell::new(database);
    hits(case, |_| database.borrow_mut().kill9(), |_| database.borrow_mut().restart()).await;
}
