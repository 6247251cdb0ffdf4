//! What happened to a session is remembered, newest first, and comes with the session or in pages.

use serde_json::{Value, json};
use uuid::Uuid;

use super::case::{Case, TYPES};
use super::listing::walk;
use super::reply::{Reply, time};

fn entries(reply: &Reply) -> Vec<Value> {
    reply.list("logs").to_vec()
}

/// Each has a time and a name, and none is newer than the one before it.
fn newest_first(logs: &[Value]) {
    assert!(logs.iter().all(|entry| entry["event_type"].is_string()), "{logs:?}");
    let times: Vec<_> = logs.iter().map(|entry| time(&entry["timestamp"])).collect();
    assert!(times.is_sorted_by(|a, b| a >= b), "{times:?}");
}

async fn logs_and_stats_come_when_they_are_asked_for(case: Case) {
    for kind in TYPES {
        let session = case.create(kind, Uuid::new_v4()).await;
        for level in 0..3 {
            case.put(&session.path(""), &json!({ "metadata": { "level": level } })).expect(200).await;
        }
        let plain = case.read(&session).await;
        assert!(plain.body.get("logs").is_none() && plain.body.get("stats").is_none(), "{kind}");
        let off = case.get(&session.path("?include_logs=false&include_stats=false")).expect(200).await;
        assert!(off.body.get("logs").is_none() && off.body.get("stats").is_none(), "{kind}");
        let full = case.get(&session.path("?include_logs=true&include_stats=true")).expect(200).await;
        assert_eq!(full.etag(), plain.etag());
        newest_first(full.list("logs"));
        let stats = &full.body["stats"];
        // A fight's log is of what happens in it.
        if kind != "combat" {
            assert!(full.list("logs").len() >= 4, "{kind}: created and changed three times: {}", full.body["logs"]);
            assert!(stats["events_count"].as_u64().unwrap() >= 4, "{kind}: {stats}");
        }
        assert!(stats["duration_seconds"].is_u64(), "{kind}: {stats}");
    }
}

async fn pages_of_the_log_reach_the_beginning(mut case: Case) {
    let session = case.create("custom", Uuid::new_v4()).await;
    for level in 0..24 {
        case.put(&session.path(""), &json!({ "metadata": { "level": level } })).expect(200).await;
    }
    let all = walk(&case, &session.path("/logs?limit=7"), entries).await.concat();
    newest_first(&all);
    assert!(all.len() >= 25, "{} entries", all.len());
    assert_eq!(entries(&case.get(&session.path("/logs")).expect(200).await), all[..20], "20 is the default");
    assert_eq!(entries(&case.get(&session.path("/logs?limit=100")).expect(200).await), all);
    case.node.crash_and_restart();
    assert_eq!(walk(&case, &session.path("/logs?limit=100"), entries).await.concat(), all, "and after a crash");
}

async fn a_fight_tells_what_happened_in_it(case: Case) {
    let mut fight = case.node.fight(2, crate::support::plain_rules()).await;
    fight.begin().await;
    for _ in 0..10 {
        crate::support::attack(&mut fight.clients[0], 1).await.unwrap();
    }
    let path = format!("/sessions/{}", fight.id);
    let logs = entries(&case.get(&format!("{path}/logs?limit=100")).expect(200).await);
    newest_first(&logs);
    let count = |name: &str| logs.iter().filter(|entry| entry["event_type"] == name).count();
    assert_eq!((count("hit"), count("eliminated")), (10, 1), "{logs:?}");
    let hit = logs.iter().find(|entry| entry["event_type"] == "hit").unwrap();
    assert_eq!(hit["data"]["damage"], 10);
}

on_both_stores!(
    logs_and_stats_come_when_they_are_asked_for,
    pages_of_the_log_reach_the_beginning,
    a_fight_tells_what_happened_in_it,
);
