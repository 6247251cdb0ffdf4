//! Analytics count what was done, at once, and still know it after a crash.

use serde_json::{Value, json};
use uuid::Uuid;

use super::case::Case;
use crate::support::soon;

const COMMITS: &str = "tiltyard_store_commits_total";

async fn told(case: &Case, query: &str) -> Value {
    case.get(&format!("/analytics/sessions?{query}")).by(&case.statistics).expect(200).await.body
}

/// Three custom sessions of which one is terminated and one paused, a player session, and a fight: five.
async fn five(case: &Case) {
    let player = Uuid::new_v4();
    let mut customs = Vec::new();
    for _ in 0..3 {
        customs.push(case.create("custom", player).await);
    }
    case.delete(&customs[0].path("")).expect(200).await;
    case.put(&customs[1].path(""), &json!({ "status": "paused" })).expect(200).await;
    case.create("player", player).await;
    case.fight(&[player, Uuid::new_v4()]).await;
}

async fn they_count_what_was_done(case: Case) {
    five(&case).await;
    let all = told(&case, "").await;
    assert_eq!((&all["timeframe"], &all["total_sessions"]), (&json!("24h"), &json!(5)), "{all}");
    assert_eq!(all["active_sessions"], 4, "those that have not ended: {all}");
    let by_type = &all["sessions_by_type"];
    assert_eq!(
        (&by_type["custom"], &by_type["player"], &by_type["combat"]),
        (&json!(3), &json!(1), &json!(1)),
        "{all}"
    );
    let by_status = &all["sessions_by_status"];
    assert_eq!(by_status["terminated"], 1, "{all}");
    assert_eq!(by_status["paused"], 1, "{all}");
    assert_eq!(all["error_rate"], 0.0, "{all}");
    let performance = &all["performance_metrics"];
    for name in ["average_response_time_ms", "p95_response_time_ms", "throughput_per_second"] {
        assert!(performance[name].as_f64().unwrap() > 0.0, "{name}: {all}");
    }
    let created: u64 =
        all["trends"].as_array().unwrap().iter().map(|trend| trend["sessions_created"].as_u64().unwrap()).sum();
    assert_eq!(created, 5, "{all}");
    assert_eq!(told(&case, "session_type=custom").await["total_sessions"], 3);
    assert_eq!(told(&case, "session_type=auth").await["total_sessions"], 0);
    for timeframe in ["1h", "6h", "24h", "7d", "30d"] {
        let of = told(&case, &format!("timeframe={timeframe}")).await;
        assert_eq!((&of["timeframe"], &of["total_sessions"]), (&json!(timeframe), &json!(5)), "{of}");
    }
    for metric in ["count", "duration", "performance", "errors", "all"] {
        assert_eq!(told(&case, &format!("metric={metric}")).await["total_sessions"], 5, "{metric}");
    }
}

async fn they_survive_a_crash(mut case: Case) {
    five(&case).await;
    let before = told(&case, "").await;
    // They are kept with every commit of a second. The first from now on may have begun before, and one may be the fight's.
    let commits = case.node.metric(COMMITS).await;
    soon(async { while case.node.metric(COMMITS).await < commits + 3.0 {} }).await;
    case.node.crash_and_restart();
    let after = told(&case, "").await;
    for name in ["total_sessions", "active_sessions", "sessions_by_type", "sessions_by_status"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    case.create("auth", Uuid::new_v4()).await;
    assert_eq!(told(&case, "").await["total_sessions"], 6);
}

on_both_stores!(they_count_what_was_done, they_survive_a_crash);
