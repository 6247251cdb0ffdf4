//! Bots play whole fights through real sockets, in both encodings: every digest of every view is right, and everybody is told
//! the same result.

use std::time::Duration;

use serde_json::{Value, json};
use tiltyard_loadtest::bots::{Kind, Report, Team};
use tiltyard_protocol::server::EndReason;
use uuid::Uuid;

use crate::support::Node;

/// The longest a fight may take. They are over in seconds; on a machine with much else to do in more.
const PATIENCE: Duration = Duration::from_mins(4);

async fn play(node: &Node, kind: Kind, ruleset: &str, difficulty: Option<&str>, rules: Value) -> Report {
    let players: Vec<Uuid> = (0..kind.players()).map(|_| Uuid::new_v4()).collect();
    let body = kind.request(&players, ruleset, difficulty, &rules);
    let team = Team::create(&node.rest(), &node.service(), &players, &body, 7).await.unwrap();
    let played = tokio::time::timeout(PATIENCE, team.play()).await;
    played.expect("it takes too long").unwrap()
}

#[tokio::test]
async fn three_bots_beat_the_servers_enemies_and_their_boss() {
    let node = Node::start();
    // Stronger than people are, so that every wave up to the boss is over soon; but no blow takes the boss from its first phase to none.
    let rules = json!({
        "preparation_ms": 500, "health": 2_000, "attack_damage_min": 120, "attack_damage_max": 160, "critical_percent": 0,
        "attack_interval_ms": 100, "actions_per_second": 0,
    });
    let report = play(&node, Kind::Boss, "default", Some("easy"), rules).await;
    assert_eq!(report.outcome.reason, EndReason::Cleared, "{report:#?}");
    assert_eq!(report.outcome.team, Some(0), "the players' team");
    let enemies = report.outcome.standings.iter().filter(|row| row.enemy.is_some()).count();
    assert!(enemies > 0, "the boss stood against them: {:?}", report.outcome.standings);
    let seen = |kind: &str| report.events.get(kind).copied().unwrap_or_default();
    for kind in ["spawned", "hit", "eliminated", "used", "affected", "enraged"] {
        assert!(seen(kind) > 0, "no event {kind}: {:?}", report.events);
    }
}

#[tokio::test]
async fn ten_bots_play_rounds_of_five_against_five() {
    let node = Node::start();
    let rules = json!({
        "preparation_ms": 500, "intermission_ms": 500, "rounds": 3, "attack_interval_ms": 200, "actions_per_second": 0,
    });
    let report = play(&node, Kind::Arena, "default", None, rules).await;
    assert_eq!(report.bots, 10);
    assert_eq!(report.outcome.reason, EndReason::RoundsWon, "{report:#?}");
    assert!(matches!(report.outcome.team, Some(0 | 1)));
    let seen = |kind: &str| report.events.get(kind).copied().unwrap_or_default();
    assert!(seen("round") >= 2, "{:?}", report.events);
    let teams = |team| report.outcome.standings.iter().filter(|row| row.team == team).count();
    assert_eq!((teams(0), teams(1)), (5, 5));
}

#[tokio::test]
async fn bots_find_each_other_in_the_fog() {
    let node = Node::start();
    let rules = json!({ "preparation_ms": 500, "intermission_ms": 500, "actions_per_second": 0 });
    let report = play(&node, Kind::Arena, "arena-fast", None, rules).await;
    assert!(report.outcome.team.is_some(), "{report:#?}");
    assert!(report.taken > 0);
}
