//! kill -9 amid creates, of the server and of Postgres: what was answered is there afterwards, at its version.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::contract::case::Case;
use crate::postgres::Postgres;
use crate::support::{Node, PATIENCE, soon};
use crate::wire::{Request, Wire};

/// Connections, and requests in flight on each.
const CLIENTS: usize = 64;
const WINDOW: usize = 4;

/// Answered creates before the kill.
const ENOUGH: usize = 3_000;

/// What the clients have seen, all together.
#[derive(Default)]
struct Seen {
    answered: AtomicUsize,
    refused: AtomicUsize,
    stop: AtomicBool,
}

/// A session somebody was told of, and its version.
type Created = (Uuid, u64);

/// Creates without a pause until it is told to stop or the server is gone.
async fn create(url: String, token: String, seen: Arc<Seen>) -> Vec<Created> {
    let mut created = Vec::new();
    // It ends with an error when the server dies, which is what this is about.
    let _ = create_into(&mut created, &url, &token, &seen).await;
    created
}

async fn create_into(created: &mut Vec<Created>, url: &str, token: &str, seen: &Seen) -> io::Result<()> {
    let mut wire = Wire::connect(url, token).await?;
    let kinds = ["custom", "player", "auth"];
    while !seen.stop.load(Ordering::Relaxed) {
        let body =
            |n: usize| json!({ "type": kinds[n % 3], "player_id": Uuid::new_v4(), "metadata": { "n": n } }).to_string();
        wire.send((0..WINDOW).map(|n| Request::new("POST", "/sessions", &body(n)))).await?;
        for _ in 0..WINDOW {
            let (status, body) = wire.answer().await?;
            if status == 201 {
                created
                    .push((body["session_id"].as_str().unwrap().parse().unwrap(), body["version"].as_u64().unwrap()));
                seen.answered.fetch_add(1, Ordering::Relaxed);
            } else {
                assert_eq!(status, 503, "{body}");
                seen.refused.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    Ok(())
}

struct Clients {
    seen: Arc<Seen>,
    running: Vec<JoinHandle<Vec<Created>>>,
}

impl Clients {
    fn start(case: &Case) -> Self {
        let seen = Arc::new(Seen::default());
        let start = |_| tokio::spawn(create(case.node.url.clone(), case.service.clone(), Arc::clone(&seen)));
        Self { running: (0..CLIENTS).map(start).collect(), seen }
    }

    /// Until `count` reaches `least`, however long that takes, as long as it goes on.
    async fn reach(&self, count: impl Fn(&Seen) -> &AtomicUsize, least: usize) {
        let (mut reached, mut since) = (0, Instant::now());
        while reached < least {
            assert!(since.elapsed() < PATIENCE, "no more than {reached} of {least}");
            tokio::time::sleep(Duration::from_millis(1)).await;
            let now = count(&self.seen).load(Ordering::Relaxed);
            if now > reached {
                (reached, since) = (now, Instant::now());
            }
        }
    }

    /// Everything they were told of.
    async fn end(self) -> Vec<Created> {
        self.seen.stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for client in self.running {
            all.extend(soon(client).await.unwrap());
        }
        all
    }
}

/// That each is there, as it was told.
async fn all_there(node: &Node, token: &str, created: &[Created]) {
    let mut wire = Wire::connect(&node.url, token).await.unwrap();
    for some in created.chunks(WINDOW) {
        wire.send(some.iter().map(|(id, _)| Request::new("GET", &format!("/sessions/{id}"), ""))).await.unwrap();
        for (id, version) in some {
            let (status, body) = soon(wire.answer()).await.unwrap();
            assert_eq!((status, &body["version"]), (200, &Value::from(*version)), "{id} was answered: {body}");
        }
    }
}

/// That a list says of each type how many there are, and has as many.
async fn counts_are_right(node: &Node, token: &str) {
    let mut wire = Wire::connect(&node.url, token).await.unwrap();
    for kind in ["custom", "player", "auth"] {
        let (mut walked, mut cursor) = (0, String::new());
        loop {
            let path = format!("/sessions?type={kind}&limit=100{cursor}");
            wire.send([Request::new("GET", &path, "")]).await.unwrap();
            let (_, page) = soon(wire.answer()).await.unwrap();
            walked += page["sessions"].as_array().unwrap().len();
            let Some(next) = page["next_cursor"].as_str() else {
                assert_eq!(page["total_count"], walked, "{kind}");
                break;
            };
            cursor = format!("&cursor={next}");
        }
    }
}

async fn the_server_dies_amid_creates(mut case: Case) {
    for round in 1..=2 {
        let clients = Clients::start(&case);
        let since = Instant::now();
        clients.reach(|seen| &seen.answered, ENOUGH).await;
        println!(
            "round {round}: {:.0} creates/s",
            f64::from(u32::try_from(ENOUGH).unwrap()) / since.elapsed().as_secs_f64()
        );
        case.node.kill();
        let created = clients.end().await;
        case.node.crash_and_restart();
        all_there(&case.node, &case.service, &created).await;
        counts_are_right(&case.node, &case.service).await;
    }
}

#[tokio::test]
async fn the_server_dies_on_sqlite() {
    the_server_dies_amid_creates(Case::sqlite()).await;
}

#[tokio::test]
async fn the_server_dies_on_postgres() {
    the_server_dies_amid_creates(Case::postgres().await).await;
}

#[tokio::test]
async fn postgres_dies_amid_creates() {
    let mut database = Postgres::start();
    let mut case = Case::on(&database.database().await);
    let clients = Clients::start(&case);
    clients.reach(|seen| &seen.answered, ENOUGH).await;
    database.kill9();
    clients.reach(|seen| &seen.refused, 1).await;
    database.restart();
    let before = clients.seen.answered.load(Ordering::Relaxed);
    clients.reach(|seen| &seen.answered, before + 100).await;
    let created = clients.end().await;
    // By a process that remembers nothing.
    case.node.crash_and_restart();
    all_there(&case.node, &case.service, &created).await;
    counts_are_right(&case.node, &case.service).await;
}
