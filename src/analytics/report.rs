//! What `GET /analytics/sessions` answers: the contract's `SessionAnalytics`, made of buckets.
//!
//! A timeframe is made of whole periods in UTC and ends with the one that is running, so that every figure is of exactly
//! what the trends show: 24 h at 10:40 is from 11:00 yesterday.

use std::collections::BTreeMap;

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::bucket::{Bucket, Counters};
use super::row::Width;
use super::series::{Series, SessionType};
use super::sketch::Merged;

/// How far back a report looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Timeframe {
    Hour1,
    Hours6,
    #[default]
    Hours24,
    Days7,
    Days30,
}

/// Which optional groups a report has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Metric {
    /// `active_sessions`, `sessions_by_…`, `trends`.
    Count,
    /// `average_duration_seconds`, `trends`.
    Duration,
    /// `performance_metrics`.
    Performance,
    /// `error_rate`.
    Errors,
    #[default]
    All,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Query {
    pub timeframe: Timeframe,
    /// `None` is all, requests about no type included.
    pub session_type: Option<SessionType>,
    pub metric: Metric,
}

/// Sessions that are live now, by type: what the shards and arenas count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    pub combat: Live,
    pub player: Live,
    pub auth: Live,
    pub custom: Live,
}

/// Live sessions of one type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Live {
    pub active: u64,
    pub paused: u64,
}

/// `SessionAnalytics`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionAnalytics {
    timeframe: &'static str,
    /// Created within the timeframe.
    total_sessions: u64,
    /// Not ended: active or paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    active_sessions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    average_duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions_by_type: Option<BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sessions_by_status: Option<BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    performance_metrics: Option<PerformanceMetrics>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trends: Option<Vec<Trend>>,
}

/// How fast requests were answered. Where there were none, there are no times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PerformanceMetrics {
    #[serde(skip_serializing_if = "Option::is_none")]
    average_response_time_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_response_time_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p95_response_time_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p99_response_time_ms: Option<f64>,
    throughput_per_second: f64,
    /// How long the sessions that ended had lasted, where any did.
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p95_duration_seconds: Option<f64>,
}

/// One period of the timeframe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// Its start.
    period: String,
    sessions_created: u64,
    sessions_completed: u64,
    average_duration: f64,
}

/// The sums a report is made of.
#[derive(Debug)]
pub(super) struct Sums {
    query: Query,
    window: Window,
    all: Counters,
    created: [u64; SessionType::ALL.len()],
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

impl Timeframe {
    pub const ALL: [Self; 5] = [Self::Hour1, Self::Hours6, Self::Hours24, Self::Days7, Self::Days30];

    /// The timeframe of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|timeframe| timeframe.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::Hour1 => "1h",
            Self::Hours6 => "6h",
            Self::Hours24 => "24h",
            Self::Days7 => "7d",
            Self::Days30 => "30d",
        }
    }

    /// The width of its buckets, how many of them make a period, and how many periods it has.
    pub(super) const fn grid(self) -> (Width, i64, i64) {
        match self {
            Self::Hour1 => (Width::Minute, 5, 12),
            Self::Hours6 => (Width::Quarter, 1, 24),
            Self::Hours24 => (Width::Hour, 1, 24),
            Self::Days7 => (Width::Hour, 6, 28),
            Self::Days30 => (Width::Day, 1, 30),
        }
    }
}

impl Metric {
    /// The metric of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "duration" => Self::Duration,
            "performance" => Self::Performance,
            "errors" => Self::Errors,
            "all" => Self::All,
            _ => return None,
        })
    }
}

impl Query {
    /// Whether a series counts.
    pub(super) fn is_about(self, series: Series) -> bool {
        self.session_type.is_none_or(|kind| series.session_type() == Some(kind))
    }

    fn types(self) -> impl Iterator<Item = SessionType> + use<> {
        let only = self.session_type;
        SessionType::ALL.into_iter().filter(move |kind| only.is_none_or(|only| only == *kind))
    }
}

impl Totals {
    const fn of(&self, kind: SessionType) -> Live {
        match kind {
            SessionType::Combat => self.combat,
            SessionType::Player => self.player,
            SessionType::Auth => self.auth,
            SessionType::Custom => self.custom,
        }
    }
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
            created: [0; SessionType::ALL.len()],
            periods: vec![Counters::default(); usize::try_from(window.periods).expect("periods are few")],
            requests: Merged::default(),
            durations: Merged::default(),
        }
    }

    /// Adds the bucket at `index` of the window.
    pub(super) fn add(&mut self, series: Series, index: i64, bucket: &Bucket) {
        self.all.add(&bucket.counters);
        if let Some(kind) = series.session_type() {
            let created = &mut self.created[kind as usize];
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
    pub(super) fn report(self, totals: &Totals, since_ms: i64, now_ms: i64) -> SessionAnalytics {
        let has = |metrics: &[Metric]| self.query.metric == Metric::All || metrics.contains(&self.query.metric);
        let live = |count: fn(Live) -> u64| self.query.types().map(|kind| count(totals.of(kind))).sum::<u64>();
        let count = has(&[Metric::Count]);
        SessionAnalytics {
            timeframe: self.query.timeframe.name(),
            total_sessions: self.all.created,
            active_sessions: count.then(|| live(|live| live.active + live.paused)),
            average_duration_seconds: has(&[Metric::Duration]).then(|| average_duration(&self.all)),
            sessions_by_type: count
                .then(|| self.query.types().map(|kind| (kind.name(), self.created[kind as usize])).collect()),
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
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| "1970-01-01T00:00:00Z".to_owned())
}
