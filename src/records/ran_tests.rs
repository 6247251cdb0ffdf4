//! Sessions of a process that did not run for a while.

use smallvec::smallvec;
use tempfile::TempDir;
use uuid::Uuid;

use super::{Body, Change, Committer, Login, Presence, PresenceName, Record, Records, Room};
use crate::clock::now_ms;
use crate::store::{Batch, SqliteStore, Store};

/// Milliseconds that the process does not run, and those of them that count.
const STOOD: u64 = 65_000;
const COUNT: u64 = 2_000;

/// A player session with so many milliseconds of time, a custom one and a login, last seen when the process stopped.
async fn stopped(folder: &TempDir, player_ms: u32) -> (Records, Committer, [Uuid; 3], u64) {
    let now = now_ms();
    let store = SqliteStore::open(&folder.path().join("s.db"), "a", false, false).await.unwrap();
    let bodies = [
        Body::Player(Presence { heartbeat_ms: 5_000, reconnect_ms: player_ms - 10_000 }),
        Body::Custom(Box::new(Room { ttl_ms: 60_000, max_members: 2, members: smallvec![], state: "{}".into() })),
        Body::Auth(Box::new(Login {
            idle_ms: 60_000,
            absolute_at: now + 600_000,
            scope: "play".into(),
            generation: 1,
            seen_at: now - STOOD,
        })),
    ];
    let records = bodies.map(|body| Record::new(Uuid::now_v7(), Uuid::from_u128(1), body, now - STOOD));
    let sessions = records.iter().map(|record| record.row("a")).collect();
    let players = records.iter().flat_map(Record::player_rows).collect();
    store.commit(&Batch { sessions, players, ..Batch::default() }).await.unwrap();
    let (open, committer) = Records::open_at(Box::new(store), "a", now - STOOD).await.unwrap();
    (open, committer, records.map(|record| record.id), now)
}

fn expired(committer: &mut Committer, now: u64) -> Vec<Uuid> {
    let due = committer.due(now).into_iter();
    due.filter_map(|change| if let Change::Expire { id } = change { Some(id) } else { None }).collect()
}

#[tokio::test]
async fn who_could_give_no_sign_of_life_has_the_rest_of_its_time_after_that() {
    let folder = TempDir::new().unwrap();
    let (records, mut committer, [player, custom, login], now) = stopped(&folder, 20_000).await;
    assert_eq!(expired(&mut committer, now), [login], "whose end was told");
    let ends = |id| records.live(id).unwrap().expires_at().unwrap();
    assert_eq!((ends(player), ends(custom)), (now + 20_000 - COUNT, now + 60_000 - COUNT));
    assert_eq!(records.live(player).unwrap().presence(now), Some(PresenceName::Online));
    // Every 250 ms from there: without a sign of life it is over then.
    let at = (1..1_000).map(|looks| now + looks * 250).find(|&at| expired(&mut committer, at).contains(&player));
    assert_eq!(at, Some(now + 20_000 - COUNT));
    assert!(records.live(player).unwrap().expire(at.unwrap()));
}

#[tokio::test]
async fn a_heartbeat_that_waited_in_the_socket_counts_whoever_is_first() {
    for heartbeat_is_first in [true, false] {
        let folder = TempDir::new().unwrap();
        let (records, mut committer, [player, ..], now) = stopped(&folder, 20_000).await;
        let live = records.live(player).unwrap();
        if heartbeat_is_first {
            assert!(live.see(now));
        }
        assert!(!expired(&mut committer, now).contains(&player));
        assert!(!live.expire(now), "the committer looks again before it ends one");
        if !heartbeat_is_first {
            assert!(live.see(now));
        }
        assert_eq!(live.expires_at(), Some(now + 20_000), "no later than by a sign of life");
        // A state that takes its place goes on from there.
        let later = live.copy();
        later.goes_on_from(&live);
        assert_eq!(later.expires_at(), live.expires_at());
    }
}

#[tokio::test]
async fn a_committer_that_waits_for_the_store_is_no_process_that_does_not_run() {
    let folder = TempDir::new().unwrap();
    let (records, mut committer, [player, ..], now) = stopped(&folder, 20_000).await;
    // As what is beside it has noted.
    for at in (now - STOOD..now).step_by(250) {
        records.0.ran(at);
    }
    assert!(expired(&mut committer, now).contains(&player));
}
