//! The database goes away and comes back: what needs it is refused quickly, what does not goes on, and nothing is lost.

use std::future::{Future, IntoFuture};
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use super::case::{Case, new};
use super::reply::Reply;
use crate::postgres::Postgres;
use crate::support::{Fight, attack, plain_rules, result, soon};

/// The longest a write may take to be refused, and then some for a machine that runs everything at once.
const REFUSAL_MAX: Duration = Duration::from_millis(1500);

#[tokio::test]
async fn hung() {
    let mut database = Postgres::start();
    outage(&mut database, Postgres::hang, Postgres::resume).await;
}

#[tokio::test]
async fn killed() {
    let mut database = Postgres::start();
    outage(&mut database, Postgres::kill9, Postgres::restart).await;
}

async fn outage(database: &mut Postgres, go: impl Fn(&mut Postgres), come_back: impl Fn(&mut Postgres)) {
    let mut case = Case::on(&database.database().await);
    let player = Uuid::new_v4();
    let session = case.create("custom", player).await;
    let (mut ends, mut goes_on) = (fight(&case, 100).await, fight(&case, 1000).await);

    go(database);
    refused_soon(|| case.post("/sessions", &new("custom", player, json!({}))).into_future()).await;
    refused_soon(|| case.put(&session.path(""), &json!({ "metadata": { "lost": 1 } })).into_future()).await;
    refused_soon(|| case.patch(&session, &json!({ "lost": 1 })).into_future()).await;
    refused_soon(|| case.get("/sessions").into_future()).await;
    assert_eq!(case.read(&session).await.version(), session.version(), "what lives is in memory");
    for _ in 0..10 {
        attack(&mut ends.clients[0], 1).await.unwrap();
        attack(&mut goes_on.clients[0], 1).await.unwrap();
    }
    assert_eq!(result(&mut ends.clients[1]).await.winner, Some(0));

    come_back(database);
    let path = session.path("");
    let change = || case.put(&path, &json!({ "metadata": { "kept": 1 } })).into_future();
    soon(until_answered(change)).await;
    assert_eq!(case.read(&session).await.body["metadata"], json!({ "kept": 1 }));
    case.create("custom", player).await;
    attack(&mut goes_on.clients[1], 0).await.unwrap();
    let analytics = case.get("/analytics/sessions?metric=errors").by(&case.statistics).expect(200).await;
    assert!(analytics.body["error_rate"].as_f64().unwrap() > 0.0, "refusals of the server's own are errors");
    case.delete(&format!("/sessions/{}", ends.id)).json(&json!({ "force": true })).await;
    in_the_store(&case, &ends).await;
    case.node.crash_and_restart();
    in_the_store(&case, &ends).await;
    let live = case.get(&format!("/combat/sessions/{}/state", goes_on.id)).expect(200).await;
    assert_eq!(live.body["participants"][1]["hp"], 900, "{}", live.body);
}

/// A fight that has begun, of players with this much health.
async fn fight(case: &Case, health: u32) -> Fight {
    let mut rules = plain_rules();
    rules["health"] = json!(health);
    let mut fight = case.node.fight(2, rules).await;
    fight.begin().await;
    fight
}

async fn refused_soon<F: Future<Output = Reply>>(ask: impl Fn() -> F) {
    for _ in 0..3 {
        let since = Instant::now();
        let reply = ask().await;
        assert_eq!((reply.status, reply.reason()), (503, "store_unavailable"), "{}: {}", reply.line, reply.body);
        assert!(since.elapsed() < REFUSAL_MAX, "{} took {:?}", reply.line, since.elapsed());
    }
}

/// Asks again for as long as the store is not back.
async fn until_answered<F: Future<Output = Reply>>(ask: impl Fn() -> F) {
    loop {
        let reply = ask().await;
        if reply.status == 200 {
            return;
        }
        assert_eq!(reply.status, 503, "{}: {}", reply.line, reply.body);
    }
}

async fn in_the_store(case: &Case, ended: &Fight) {
    let view = case.get(&format!("/combat/sessions/{}", ended.id)).expect(200).await;
    assert_eq!(view.body["stats"]["winner"], ended.players[0].to_string(), "{}", view.body);
    soon(async {
        let path = format!("/sessions?player_id={}", ended.players[1]);
        while case.get(&path).expect(200).await.ids() != [ended.id] {}
    })
    .await;
}
