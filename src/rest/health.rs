//! `/health`, `/livez`, `/readyz` and `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::{Value, json};
use tiltyard_protocol::Reason;

use super::App;
use super::error::ApiError;
use super::extract::Caller;
use super::shapes::Timestamp;
use crate::auth::Operation;
use crate::clock;
use crate::cluster::Cluster;
use crate::shard::Stats;

/// `HealthResponse`.
#[derive(Debug, Serialize)]
pub struct HealthResponse {
    status: &'static str,
    timestamp: Timestamp,
    domain: &'static str,
    version: &'static str,
    uptime_seconds: u64,
    active_connections: u64,
    /// What of the process does not go round any more, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hanging: Vec<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<ClusterHealth>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<LogHealth>,
}

/// How a log in Redis is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct LogHealth {
    redis: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'static str>,
}

impl LogHealth {
    /// `None` where the log is in files.
    fn of(shards: &Stats) -> Option<Self> {
        let (redis, message) = if shards.log_redis == 0 {
            return None;
        } else if shards.log_superseded > 0 {
            ("superseded", Some(SUPERSEDED))
        } else if shards.log_redis_away > 0 || shards.stalled > 0 {
            ("away", Some(AWAY))
        } else if shards.log_redis_other > 0 {
            (
                "other_log",
                Some("The Redis of --redis-log has another log than this node goes on with: see this node's log."),
            )
        } else {
            ("connected", None)
        };
        Some(Self { redis, message })
    }
}

const AWAY: &str = "The Redis of --redis-log does not answer: fights stand still until it does.";
const SUPERSEDED: &str = "Another server has started under this node's name with the same --redis-log, and has its fights: stop this one, or give one another --node.";

/// How this node stands in its cluster.
#[derive(Debug, Serialize)]
struct ClusterHealth {
    /// `connected`, or `away`.
    redis: &'static str,
    /// Nodes that live and serve, this one included.
    nodes: usize,
    /// Where else clients reach it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also_at: Vec<String>,
}

/// How the server is: degraded while the store or a Redis is away, the log has no room for a checkpoint, another has the node's name or something of the
/// process hangs, 503 while it stops, and while a shard cannot write its log or takes no turns.
pub async fn health(State(app): State<App>) -> Response {
    let shards = app.hub.stats();
    let hanging = hanging(&app, &shards);
    let works = !app.records.book().store_is_away() && hanging.is_empty();
    let has_redis = app.cluster.as_ref().is_none_or(Cluster::is_linked);
    let log = LogHealth::of(&shards);
    let has_log = log.is_none_or(|log| log.message.is_none());
    let (code, status) = standing(app.draining.is_cancelled(), &shards, works && has_redis && has_log);
    let answer = HealthResponse {
        status,
        timestamp: Timestamp(clock::now()),
        domain: "session",
        version: env!("CARGO_PKG_VERSION"),
        uptime_seconds: app.started.elapsed().as_secs(),
        active_connections: shards.connections,
        hanging,
        cluster: app.cluster.as_ref().map(|cluster| ClusterHealth {
            redis: if cluster.is_linked() { "connected" } else { "away" },
            nodes: cluster.count(),
            also_at: app.also_at.clone(),
        }),
        log,
    };
    let mut response = (code, Json(answer)).into_response();
    if code == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The loops that hang, by name.
fn hanging(app: &App, shards: &Stats) -> Vec<&'static str> {
    let mut hanging = app.beats.hanging();
    hanging.extend((shards.hanging > 0).then_some("shards"));
    hanging
}

const fn standing(is_draining: bool, shards: &Stats, has_all: bool) -> (StatusCode, &'static str) {
    if is_draining || shards.stalled > 0 || shards.hanging > 0 {
        (StatusCode::SERVICE_UNAVAILABLE, "unhealthy")
    } else if !has_all || shards.checkpoint_overdue > 0 {
        // Fights go on, and so do reads of what lives; nothing else can be kept, the log cannot be for ever, or others are not known.
        (StatusCode::OK, "degraded")
    } else {
        (StatusCode::OK, "healthy")
    }
}

/// The process answers.
pub async fn live() -> Json<Value> {
    Json(json!({ "status": "live" }))
}

/// New players may be sent here.
pub async fn ready(State(app): State<App>) -> Result<Json<Value>, ApiError> {
    if app.draining.is_cancelled() {
        return Err(Reason::Draining.into());
    }
    let shards = app.hub.stats();
    let superseded = || ApiError::new(Reason::NodeSuperseded).message(SUPERSEDED);
    match LogHealth::of(&shards) {
        Some(LogHealth { redis: "superseded", .. }) => return Err(superseded()),
        Some(LogHealth { redis: redis @ "away", .. }) => {
            return Err(ApiError::new(Reason::LogUnavailable).message(AWAY).with("redis", redis.into()));
        }
        _ if shards.stalled > 0 => return Err(Reason::LogUnavailable.into()),
        _ => {}
    }
    let hanging = hanging(&app, &shards);
    if !hanging.is_empty() {
        let message = format!("Of the process there hangs: {}.", hanging.join(", "));
        return Err(ApiError::new(Reason::Timeout).message(message).with("hanging", json!(hanging)));
    }
    Ok(Json(json!({ "status": "ready" })))
}

/// The figures in Prometheus' text format.
pub async fn metrics(State(app): State<App>, Caller(caller): Caller) -> Result<Response, ApiError> {
    caller.may(Operation::ReadMetrics)?;
    app.metrics.records(&app.records);
    app.metrics.stories(&app.stories);
    app.metrics.loops(&app.beats);
    if let Some(cluster) = &app.cluster {
        app.metrics.cluster(cluster, &app.failover);
    }
    let text = app.metrics.render(&app.hub.stats(), app.tickets.waiting());
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

#[cfg(test)]
mod tests {
    use super::standing;
    use crate::shard::Stats;

    #[test]
    fn who_cannot_do_its_work_is_not_healthy() {
        let (well, of) = (Stats::default(), |draining, stats: &Stats, commits| standing(draining, stats, commits).1);
        assert_eq!(of(false, &well, true), "healthy");
        assert_eq!(of(false, &well, false), "degraded");
        assert_eq!(of(false, &Stats { checkpoint_overdue: 1, ..well }, true), "degraded");
        assert_eq!(of(true, &well, true), "unhealthy");
        for stats in [Stats { stalled: 1, ..well }, Stats { hanging: 1, ..well }] {
            let (code, status) = standing(false, &stats, false);
            assert_eq!((code.as_u16(), status), (503, "unhealthy"));
        }
    }
}
