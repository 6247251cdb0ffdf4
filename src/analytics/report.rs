//! What `GET /analytics/sessions` answers: the contract's `SessionAnalytics`, made of buckets.
//!
//! A timeframe is made of whole periods in UTC and ends with the one that is running, so that every figure is of exactly
//! what the trends show: 24 h at 10:40 is from 11:00 yesterday.

use std::collections::BTreeMap;

use serde::Serialize;

use super::row::Width;
use super::series::Series;
use crate::session::Kind;

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
    pub session_type: Option<Kind>,
    pub metric: Metric,
}

/// Sessions of one type that are live now: what the shards and arenas count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Live {
    pub active: u64,
    pub paused: u64,
}

/// `SessionAnalytics`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionAnalytics {
    pub(super) timeframe: &'static str,
    /// Created within the timeframe.
    pub(super) total_sessions: u64,
    /// Not ended: active or paused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) active_sessions: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) average_duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sessions_by_type: Option<BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sessions_by_status: Option<BTreeMap<&'static str, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) performance_metrics: Option<PerformanceMetrics>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trends: Option<Vec<Trend>>,
}

/// How fast requests were answered. Where there were none, there are no times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PerformanceMetrics {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) average_response_time_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p50_response_time_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p95_response_time_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p99_response_time_ms: Option<f64>,
    pub(super) throughput_per_second: f64,
    /// How long the sessions that ended had lasted, where any did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p50_duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) p95_duration_seconds: Option<f64>,
}

/// One period of the timeframe.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trend {
    /// Its start.
    pub(super) period: String,
    pub(super) sessions_created: u64,
    pub(super) sessions_completed: u64,
    pub(super) average_duration: f64,
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
        self.session_type.is_none_or(|kind| series.kind() == Some(kind))
    }

    /// The types it is about.
    pub(super) fn types(self) -> impl Iterator<Item = Kind> + use<> {
        let only = self.session_type;
        Kind::ALL.into_iter().filter(move |kind| only.is_none_or(|only| only == *kind))
    }
}
