//! Buckets added up to a report.

use std::collections::BTreeMap;
use std::time::{Duration, UNIX_EPOCH};

use super::bucket::{Bucket, Counters};
use super::report::{Live, Metric, PerformanceMetrics, Query, SessionAnalytics, Timeframe, Trend};
use super::row::Width;
use super::series::Series;
use super::sketch::Merged;
use crate::session::PerKind;

/// The sums a report is made of.
#[derive(Debug)]
pub(super) struct Sums {
    query: Query,
    window: Window,
    all: Counters,
    created: PerKind<u64>,
    periods: Vec<Counters>,
    requests: Merged,
    durations: Merged,
}

/// The stretches of time a timeframe is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) width: Width,
    /// The number of its first bucket; all periods together have [`Window::buckets`].
    pub(super) first: i64,
    per_period: i64,
    periods: i64,
}

impl Window {
    /// The periods of `timeframe` of which the last one is running at `now_ms`.
    pub(super) fn at(timeframe: Timeframe, now_ms: i64) -> Self {
        let (width, per_period, periods) = timeframe.grid();
        let running = width.number_at(now_ms).div_euclid(per_period);
        Self { width, first: (running - periods + 1) * per_period, per_period, periods }
    }

    pub(super) const fn buckets(&self) -> i64 {
        self.per_period * self.periods
    }

    /// Which of its buckets this is, if it is one.
    pub(super) fn index(&self, width: Width, number: i64) -> Option<i64> {
        let index = number.checked_sub(self.first)?;
        (width == self.width && (0..self.buckets()).contains(&index)).then_some(index)
    }

    fn start_s(&self, bucket: i64) -> i64 {
        (self.first + bucket) * i64::from(self.width.seconds())
    }
}

impl Sums {
    pub(super) fn new(query: Query, window: Window) -> Self {
        Self {
            query,
            window,
            all: Counters::default(),
            created: PerKind::default(),
            periods: vec![Counters::default(); usize::try_from(window.periods).expect("periods are few")],
            requests: Merged::default(),
            durations: Merged::default(),
        }
    }

    /// Adds the bucket at `index` of the window.
    pub(super) fn add(&mut self, series: Series, index: i64, bucket: &Bucket) {
        self.all.add(&bucket.counters);
        if let Some(kind) = series.kind() {
            let created = &mut self.created[kind];
            *created = created.saturating_add(bucket.counters.created);
        }
        let period = usize::try_from(index / self.window.per_period).expect("an index is not negative");
        self.periods[period].add(&bucket.counters);
        if matches!(self.query.metric, Metric::Performance | Metric::All) {
            self.requests.add(&bucket.requests);
            self.durations.add(&bucket.durations);
        }
    }

    /// The answer. Figures are kept since `since_ms`.
    pub(super) fn report(self, totals: &PerKind<Live>, since_ms: i64, now_ms: i64) -> SessionAnalytics {
        let has = |metrics: &[Metric]| self.query.metric == Metric::All || metrics.contains(&self.query.metric);
        let live = |count: fn(Live) -> u64| self.query.types().map(|kind| count(totals[kind])).sum::<u64>();
        let count = has(&[Metric::Count]);
        SessionAnalytics {
            timeframe: self.query.timeframe.name(),
            total_sessions: self.all.created,
            active_sessions: count.then(|| live(|live| live.active + live.paused)),
            average_duration_seconds: has(&[Metric::Duration]).then(|| average_duration(&self.all)),
            sessions_by_type: count.then(|| self.query.types().map(|kind| (kind.name(), self.created[kind])).collect()),
            sessions_by_status: count.then(|| {
                BTreeMap::from([
                    ("active", live(|live| live.active)),
                    ("paused", live(|live| live.paused)),
                    ("completed", self.all.completed),
                    ("terminated", self.all.terminated),
                ])
            }),
            error_rate: has(&[Metric::Errors]).then(|| ratio(self.all.failed_requests, self.all.requests)),
            performance_metrics: has(&[Metric::Performance]).then(|| self.performance(since_ms, now_ms)),
            trends: has(&[Metric::Count, Metric::Duration]).then(|| self.trends()),
        }
    }

    fn performance(&self, since_ms: i64, now_ms: i64) -> PerformanceMetrics {
        let from_ms = (self.window.start_s(0) * 1000).max(since_ms);
        let recorded_ms = u64::try_from(now_ms.saturating_sub(from_ms)).unwrap_or_default().max(1000);
        let times = self.requests.quantiles([0.5, 0.95, 0.99]);
        let durations = self.durations.quantiles([0.5, 0.95]);
        PerformanceMetrics {
            average_response_time_ms: times.map(|_| ratio(self.all.request_us, self.all.requests) / 1e3),
            p50_response_time_ms: times.map(|times| times[0] / 1e3),
            p95_response_time_ms: times.map(|times| times[1] / 1e3),
            p99_response_time_ms: times.map(|times| times[2] / 1e3),
            throughput_per_second: ratio(self.all.requests.saturating_mul(1000), recorded_ms),
            p50_duration_seconds: durations.map(|durations| durations[0] / 1e3),
            p95_duration_seconds: durations.map(|durations| durations[1] / 1e3),
        }
    }

    fn trends(&self) -> Vec<Trend> {
        let trend = |(period, sums): (i64, &Counters)| Trend {
            period: rfc3339(self.window.start_s(period * self.window.per_period)),
            sessions_created: sums.created,
            sessions_completed: sums.completed,
            average_duration: average_duration(sums),
        };
        (0..).zip(&self.periods).map(trend).collect()
    }
}

/// Seconds.
fn average_duration(sums: &Counters) -> f64 {
    ratio(sums.duration_ms, sums.ended()) / 1e3
}

/// 0 of nothing is 0.
#[expect(clippy::cast_precision_loss)] // Figures for people.
fn ratio(part: u64, of: u64) -> f64 {
    part as f64 / of.max(1) as f64
}

fn rfc3339(seconds: i64) -> String {
    let since = Duration::from_secs(seconds.try_into().unwrap_or(0));
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}
