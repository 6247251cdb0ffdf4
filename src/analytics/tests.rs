//! The figures as a whole: what is counted is reported, survives a restart, and adds up over nodes.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{Analytics, BucketRow, Ended, Live, Metric, Query, Series, Timeframe};
use crate::session::{Kind, PerKind};

/// 2026-03-05T10:40:30Z.
const NOW: i64 = 1_772_707_230_000;
const MINUTE: i64 = 60_000;

fn query(timeframe: Timeframe) -> Query {
    Query { timeframe, ..Query::default() }
}

fn told(analytics: &Analytics, query: Query, others: &[BucketRow]) -> Value {
    serde_json::to_value(analytics.report(query, &PerKind::default(), others, NOW)).unwrap()
}

fn ended(completed: bool, duration_ms: u64) -> Ended {
    Ended { completed, duration_ms, actions: 10, refused_actions: 1 }
}

fn sum(trends: &Value, field: &str) -> u64 {
    trends.as_array().unwrap().iter().map(|trend| trend[field].as_u64().unwrap()).sum()
}

#[test]
fn a_report_has_the_contracts_fields() {
    let analytics = Analytics::new(NOW - 100_000);
    analytics.created(Series::CombatPvp, NOW - 6 * MINUTE);
    analytics.created(Series::CombatArena, NOW);
    analytics.created(Series::Auth, NOW);
    analytics.ended(Series::CombatPvp, ended(true, 3_000), NOW);
    analytics.ended(Series::Auth, ended(false, 1_000), NOW);
    for status in [200, 404, 500, 200] {
        analytics.request(Series::None, status, Duration::from_millis(4), NOW);
    }
    let mut totals = PerKind::<Live>::default();
    (totals[Kind::Combat], totals[Kind::Custom]) = (Live { active: 5, paused: 2 }, Live { active: 1, paused: 0 });
    let report = analytics.report(query(Timeframe::Hour1), &totals, &[], NOW);
    let mut report = serde_json::to_value(report).unwrap();
    let trends = report["trends"].take();
    let performance = report["performance_metrics"].take();
    assert_eq!(
        report,
        json!({
            "timeframe": "1h", "total_sessions": 3, "active_sessions": 8, "average_duration_seconds": 2.0,
            "sessions_by_type": { "combat": 2, "player": 0, "auth": 1, "custom": 0 },
            "sessions_by_status": { "active": 6, "paused": 2, "completed": 1, "terminated": 1 },
            "error_rate": 0.25, "performance_metrics": null, "trends": null,
        })
    );
    let near = |field: &str, value: f64| (performance[field].as_f64().unwrap() - value).abs() <= value * 0.02;
    assert!(near("average_response_time_ms", 4.0) && near("p95_response_time_ms", 4.0), "{performance}");
    assert!(near("throughput_per_second", 0.04), "4 in the 100 s it has been recording: {performance}");
    assert!(near("p95_duration_seconds", 1.0), "{performance}");
    let trend = |index: usize| &trends[index];
    assert_eq!(trends.as_array().unwrap().len(), 12);
    assert_eq!(trend(0)["period"], "2026-03-05T09:45:00Z");
    assert_eq!(
        *trend(11),
        json!({ "period": "2026-03-05T10:40:00Z", "sessions_created": 2, "sessions_completed": 1, "average_duration": 2.0 })
    );
    assert_eq!(trend(9)["sessions_created"], 1);
}

#[test]
fn periods_are_whole_and_end_with_the_one_that_runs() {
    let analytics = Analytics::new(NOW);
    for (timeframe, periods, first, last) in [
        (Timeframe::Hour1, 12, "2026-03-05T09:45:00Z", "2026-03-05T10:40:00Z"),
        (Timeframe::Hours6, 24, "2026-03-05T04:45:00Z", "2026-03-05T10:30:00Z"),
        (Timeframe::Hours24, 24, "2026-03-04T11:00:00Z", "2026-03-05T10:00:00Z"),
        (Timeframe::Days7, 28, "2026-02-26T12:00:00Z", "2026-03-05T06:00:00Z"),
        (Timeframe::Days30, 30, "2026-02-04T00:00:00Z", "2026-03-05T00:00:00Z"),
    ] {
        let report = told(&analytics, query(timeframe), &[]);
        let trends = report["trends"].as_array().unwrap();
        assert_eq!(report["timeframe"], timeframe.name());
        assert_eq!(
            (trends.len(), &trends[0]["period"], &trends[periods - 1]["period"]),
            (periods, &json!(first), &json!(last))
        );
        assert_eq!(Timeframe::named(timeframe.name()), Some(timeframe));
    }
}

#[test]
fn the_metric_chooses_the_groups() {
    let analytics = Analytics::new(NOW);
    for (name, groups) in [
        ("count", &["active_sessions", "sessions_by_type", "sessions_by_status", "trends"][..]),
        ("duration", &["average_duration_seconds", "trends"]),
        ("performance", &["performance_metrics"]),
        ("errors", &["error_rate"]),
    ] {
        let metric = Metric::named(name).unwrap();
        let report = told(&analytics, Query { metric, ..Query::default() }, &[]);
        let mut fields: Vec<&str> = report.as_object().unwrap().keys().map(String::as_str).collect();
        fields.retain(|field| !["timeframe", "total_sessions"].contains(field));
        let mut groups = groups.to_vec();
        groups.sort_unstable();
        assert_eq!(fields, groups, "{name}");
    }
    let report = told(&analytics, Query::default(), &[]);
    assert_eq!(report.as_object().unwrap().len(), 9, "all");
    assert_eq!(report["performance_metrics"], json!({ "throughput_per_second": 0.0 }), "nothing asked, no times");
    assert_eq!(Metric::named("everything"), None);
}

#[test]
fn a_type_is_reported_alone() {
    let analytics = Analytics::new(NOW);
    analytics.created(Series::CombatPve, NOW);
    analytics.created(Series::Player, NOW);
    analytics.request(Series::None, 500, Duration::ZERO, NOW);
    analytics.request(Series::Player, 200, Duration::ZERO, NOW);
    let of = |session_type| told(&analytics, Query { session_type, ..Query::default() }, &[]);
    let players = of(Some(Kind::Player));
    assert_eq!((&players["total_sessions"], &players["error_rate"]), (&json!(1), &json!(0.0)));
    assert_eq!(players["sessions_by_type"], json!({ "player": 1 }));
    assert_eq!(of(None)["error_rate"], 0.5);
}

#[test]
fn the_last_seconds_are_there_at_once() {
    let analytics = Analytics::new(NOW);
    for ago in [0, 1_000, 9_000, 11_000] {
        analytics.request(Series::Custom, 200, Duration::ZERO, NOW - ago);
    }
    assert_eq!(analytics.recent(Series::Custom, 10, NOW).requests, 2, "whole seconds only");
    assert_eq!(analytics.recent(Series::Player, 10, NOW).requests, 0);
}

#[test]
fn a_write_that_failed_is_tried_again_with_what_came_since() {
    let analytics = Analytics::new(NOW);
    analytics.created(Series::Custom, NOW);
    let rows = analytics.dirty();
    assert_eq!(rows.len(), 4, "minute, quarter, hour, day");
    assert_eq!(analytics.dirty(), []);
    analytics.created(Series::Custom, NOW);
    analytics.not_written(&rows);
    let again = analytics.dirty();
    assert_eq!(again.len(), 4);
    let other = Analytics::new(NOW);
    other.restore(&again);
    assert_eq!(told(&other, Query::default(), &[])["total_sessions"], 2);
}

#[test]
fn what_is_restored_adds_to_what_was_counted_meanwhile() {
    let before = Analytics::new(NOW);
    before.created(Series::Auth, NOW);
    let after = Analytics::new(NOW);
    after.created(Series::Auth, NOW);
    after.restore(&before.dirty());
    after.created(Series::Auth, NOW);
    assert_eq!(told(&after, Query::default(), &[])["total_sessions"], 3);
    let third = Analytics::new(NOW);
    third.restore(&after.dirty());
    assert_eq!(told(&third, Query::default(), &[])["total_sessions"], 3, "and is written with it");
}

#[test]
fn a_query_says_which_rows_it_needs() {
    let analytics = Analytics::new(NOW);
    analytics.created(Series::Custom, NOW - 23 * 60 * MINUTE);
    let (width_s, from_s) = query(Timeframe::Hours24).rows(NOW);
    let needed: Vec<BucketRow> =
        analytics.dirty().into_iter().filter(|row| row.width_s == width_s && row.start_s >= from_s).collect();
    assert_eq!(needed.len(), 1);
    assert_eq!(told(&Analytics::new(NOW), query(Timeframe::Hours24), &needed)["total_sessions"], 1);
    assert_eq!(super::Width::Hour.oldest(NOW) % 3600, 0);
    assert!(super::Width::Hour.oldest(NOW) < query(Timeframe::Days7).rows(NOW).1);
    assert!(super::Width::Minute.oldest(NOW) < query(Timeframe::Hour1).rows(NOW).1);
    assert!(super::Width::Quarter.oldest(NOW) < query(Timeframe::Hours6).rows(NOW).1);
    assert!(super::Width::Day.oldest(NOW) < query(Timeframe::Days30).rows(NOW).1);
}

/// Something that happened some time ago on one of three nodes.
#[derive(Debug, Clone)]
struct Happened {
    node: usize,
    series: Series,
    ago_ms: i64,
    what: u8,
}

fn happened() -> impl Strategy<Value = Happened> {
    // Within the timeframe of 30 days, most of it lately.
    let ago = prop_oneof![0..50 * MINUTE, 0..28 * 24 * 60 * MINUTE];
    (0_usize..3, 0_u8..8, ago, 0_u8..4).prop_map(|(node, series, ago_ms, what)| Happened {
        node,
        series: Series::numbered(series).unwrap(),
        ago_ms,
        what,
    })
}

fn play(analytics: &Analytics, happened: &Happened) {
    let at = NOW - happened.ago_ms;
    let length = happened.ago_ms.unsigned_abs() % 100_000;
    match happened.what {
        0 => analytics.created(happened.series, at),
        1 => analytics.ended(happened.series, ended(true, length), at),
        2 => analytics.ended(happened.series, ended(false, length), at),
        _ => analytics.request(
            happened.series,
            200 + u16::from(happened.series.number()) * 50,
            Duration::from_micros(length),
            at,
        ),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Three nodes' figures together are those of one node that saw it all; and a node that was restarted half-way says the
    /// same as one that was not.
    #[test]
    fn nodes_and_restarts_change_nothing(mut all in vec(happened(), 0..200), half in 0_usize..200) {
        all.sort_by_key(|happened| -happened.ago_ms);
        let one = Analytics::new(NOW - 30 * 24 * 60 * MINUTE);
        for happened in &all {
            play(&one, happened);
        }

        let nodes = [(); 3].map(|()| Analytics::new(NOW - 30 * 24 * 60 * MINUTE));
        for happened in &all {
            play(&nodes[happened.node], happened);
        }
        let mut rows = nodes[1].dirty();
        rows.extend(nodes[2].dirty());

        let (before, after) = all.split_at(half.min(all.len()));
        let first = Analytics::new(NOW - 30 * 24 * 60 * MINUTE);
        for happened in before {
            play(&first, happened);
        }
        let second = Analytics::new(NOW - 30 * 24 * 60 * MINUTE);
        second.restore(&first.dirty());
        for happened in after {
            play(&second, happened);
        }

        for timeframe in Timeframe::ALL {
            let query = query(timeframe);
            let whole = told(&one, query, &[]);
            prop_assert_eq!(&told(&nodes[0], query, &rows), &whole);
            prop_assert_eq!(&told(&second, query, &[]), &whole);
        }
    }

    /// Every total is the sum of what the periods show.
    #[test]
    fn trends_sum_to_totals(all in vec(happened(), 0..200)) {
        let analytics = Analytics::new(NOW);
        for happened in &all {
            play(&analytics, happened);
        }
        for timeframe in Timeframe::ALL {
            let report = told(&analytics, query(timeframe), &[]);
            prop_assert_eq!(sum(&report["trends"], "sessions_created"), report["total_sessions"].as_u64().unwrap());
            let completed = report["sessions_by_status"]["completed"].as_u64().unwrap();
            prop_assert_eq!(sum(&report["trends"], "sessions_completed"), completed);
        }
    }

    /// Wherever the clock steps, nothing breaks, and what is counted after it is right is there.
    #[test]
    fn any_clock(times in vec(any::<i64>(), 0..50), steps in vec(-(3 * 24 * 60 * MINUTE)..3 * 24 * 60 * MINUTE, 0..50)) {
        let analytics = Analytics::new(NOW);
        for at in times.into_iter().chain(steps.into_iter().map(|step| NOW + step)) {
            analytics.created(Series::Player, at);
            analytics.recent(Series::Player, 60, at);
            told(&analytics, Query::default(), &[]);
        }
        analytics.restore(&analytics.dirty());
        let before = told(&analytics, Query::default(), &[])["total_sessions"].as_u64().unwrap();
        analytics.created(Series::Player, NOW);
        prop_assert_eq!(told(&analytics, Query::default(), &[])["total_sessions"].as_u64().unwrap(), before + 1);
    }
}
