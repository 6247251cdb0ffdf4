//! `GET /analytics/sessions`.

use axum::Json;
use axum::extract::State;

use super::App;
use super::error::ApiError;
use super::extract::{Caller, Parameters};
use crate::analytics::counting::counted;
use crate::analytics::{Live, Metric, Query, SessionAnalytics, Timeframe, Width};
use crate::auth::Operation;
use crate::clock::now_ms;
use crate::session::{Kind, PerKind, Refusal, Status};
use crate::store::Count;

/// Reports what has happened in a timeframe.
pub async fn read(
    State(app): State<App>,
    Caller(caller): Caller,
    mut query: Parameters,
) -> Result<Json<SessionAnalytics>, ApiError> {
    caller.may(Operation::ReadAnalytics)?;
    let timeframe = query.named("timeframe", "1h, 6h, 24h, 7d or 30d", Timeframe::named);
    let of_type = |name: &str| if name == "all" { Some(None) } else { Kind::named(name).map(Some) };
    let session_type = query.named("session_type", Kind::NAMES_AND_ALL, of_type);
    let metric = query.named("metric", "count, duration, performance, errors or all", Metric::named);
    query.finish()?;
    let asked = Query {
        timeframe: timeframe.unwrap_or_default(),
        session_type: session_type.flatten(),
        metric: metric.unwrap_or_default(),
    };
    let now = now_ms().cast_signed();
    let (width, start) = asked.rows(now);
    let store = app.records.store();
    // The second question is since when others have counted.
    let asked_store = tokio::try_join!(
        store.counts(),
        store.buckets(width.cast_signed(), start, false),
        store.buckets(Width::Second.seconds().cast_signed(), 0, false)
    );
    let (counts, rows, marks) = asked_store.map_err(Refusal::from)?;
    let others: Vec<_> = rows.iter().chain(&marks).filter_map(counted).collect();
    Ok(Json(app.counting.analytics.report(asked, &totals(&counts), &others, now)))
}

fn totals(counts: &[Count]) -> PerKind<Live> {
    PerKind::from_fn(|kind| {
        let sum = |status: Status| {
            let sums = counts.iter().filter(|count| count.kind == kind && count.status == status);
            sums.map(|count| u64::try_from(count.sessions).unwrap_or_default()).sum()
        };
        Live { active: sum(Status::Active), paused: sum(Status::Paused) }
    })
}
