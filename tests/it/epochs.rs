//! A session's epoch: who has it under a lower one than somebody else writes nothing of it any more, and drops it.

use std::time::Duration;

use serde_json::json;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;
use tiltyard::session::{FightStatus, Kind, Status};
use tiltyard::store::{Batch, Filter, Place, PlayerRow, SessionRow, Store};
use tiltyard_combat::Mode;
use uuid::Uuid;

use crate::contract::case::Case;
use crate::postgres::Postgres;
use crate::support::soon;

const ACTIVE: Option<(Mode, FightStatus)> = Some((Mode::Pvp, FightStatus::Active));

fn fight(id: Uuid, epoch: i64, version: i64) -> SessionRow {
    SessionRow {
        id,
        kind: Kind::Combat,
        status: Status::Active,
        player: Uuid::from_u128(7),
        created_at: 1,
        updated_at: version,
        ended_at: None,
        expires_at: None,
        version,
        node: "a".to_owned(),
        fight: ACTIVE,
        metadata: None,
        settings: None,
        body: format!(r#"{{"version":{version}}}"#),
        end_reason: None,
        logs: 0,
        epoch,
    }
}

/// Keeps these fights, each with this player; those that are refused.
async fn keep(store: &dyn Store, sessions: Vec<SessionRow>, player: Uuid) -> Vec<Uuid> {
    let of = |row: &SessionRow| PlayerRow {
        session: row.id,
        player,
        kind: Kind::Combat,
        status: Status::Active,
        fight: ACTIVE,
    };
    let players = sessions.iter().map(of).collect();
    soon(store.commit(&Batch { sessions, players, ..Batch::default() })).await.unwrap()
}

async fn refuses_older_epochs(place: Place) {
    let store = soon(place.open("a", false, false)).await.unwrap();
    store.begin().await.unwrap();
    let (one, two) = (Uuid::now_v7(), Uuid::now_v7());
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    assert!(keep(&*store, vec![fight(one, 2, 1), fight(two, 1, 1)], first).await.is_empty());
    assert_eq!(keep(&*store, vec![fight(one, 1, 2), fight(two, 1, 2)], second).await, [one]);
    let kept = soon(store.sessions(&[one, two])).await.unwrap();
    let version_of = |id| kept.iter().find(|row| row.id == id).map(|row| (row.epoch, row.version));
    assert_eq!((version_of(one), version_of(two)), (Some((2, 1)), Some((1, 2))), "nothing else suffers");
    let filter = Filter { player: Some(second), limit: 10, ..Filter::default() };
    let listed = soon(store.list(&filter)).await.unwrap();
    assert_eq!(listed.sessions.iter().map(|row| row.id).collect::<Vec<_>>(), [two], "nor is who takes part in it kept");
    for epoch in [2, 3] {
        assert!(keep(&*store, vec![fight(one, epoch, epoch)], second).await.is_empty());
        let row = soon(store.session(one)).await.unwrap().unwrap();
        assert_eq!((row.epoch, row.version), (epoch, epoch));
    }
}

#[tokio::test]
async fn a_write_under_an_older_epoch_is_refused_by_the_embedded_store() {
    let data = TempDir::new().unwrap();
    refuses_older_epochs(Place::of(None, data.path()).unwrap()).await;
}

#[tokio::test]
async fn a_write_under_an_older_epoch_is_refused_by_postgres() {
    let url = Postgres::shared().database().await;
    refuses_older_epochs(Place::of(Some(&url), "".as_ref()).unwrap()).await;
}

/// Somebody else has taken the fight over, which this node has not noticed.
#[tokio::test]
async fn a_fight_that_the_store_has_under_a_higher_epoch_is_dropped() {
    let url = Postgres::shared().database().await;
    let case = Case::on(&url);
    let mut database = soon(PgConnection::connect(&url)).await.unwrap();
    let [taken, other] = [case.create("combat", Uuid::new_v4()).await, case.create("combat", Uuid::new_v4()).await];
    let is_kept = "SELECT count(*) FROM sessions WHERE epoch = 1";
    let raise = "UPDATE sessions SET epoch = 9 WHERE id = $1";
    soon(async {
        while sqlx::query_scalar::<_, i64>(is_kept).fetch_one(&mut database).await.unwrap() < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        sqlx::query(raise).bind(taken.id()).execute(&mut database).await.unwrap();
    })
    .await;
    for session in [&taken, &other] {
        case.put(&session.path(""), &json!({ "metadata": { "by": "who had it" } })).expect(200).await;
    }
    soon(async {
        // It answers as it was when it was taken over.
        while case.read(&taken).await.body["metadata"]["by"] == "who had it" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(case.read(&other).await.body["metadata"]["by"], "who had it");
    soon(async {
        while case.node.metric("tiltyard_sessions_fenced_total").await < 1.0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}
