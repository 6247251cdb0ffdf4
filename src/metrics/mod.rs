//! The figures. Shards count for themselves and are read when somebody looks; REST counts here. Each server has its own
//! recorder, so that two in one process do not mix theirs.

mod cluster;
mod edge;
mod records;
mod redis;
mod stories;
mod tls;

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::Method;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Label, Level, Metadata, Recorder, SharedString, Unit};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

pub use edge::EdgeFigures;
pub use tls::TlsFigures;

use tiltyard_combat::Flag;
use tiltyard_combat::replay::Loss;

use crate::auth::flaw::Flaw;
use crate::auth::keyring::TokenFigures;
use crate::clock;
use crate::cluster::Cluster;
use crate::failover;
use crate::ops::beat::Beats;
use crate::records::Records;
use crate::replays::Stories;
use crate::shard::Stats;
use crate::socket::ledger::Turned;

/// Whose requests are counted apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    Player,
    Service,
    Admin,
    Address,
    Page,
}

impl Caller {
    pub const ALL: [Self; 5] = [Self::Player, Self::Service, Self::Admin, Self::Address, Self::Page];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Player => "player",
            Self::Service => "service",
            Self::Admin => "admin",
            Self::Address => "address",
            Self::Page => "page",
        }
    }
}

/// Seconds. The contract's figures, 5 to 20 ms, lie in the middle.
const BUCKETS: [f64; 12] = [0.000_25, 0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0];

const REQUESTS: &str = "tiltyard_http_requests_total";
const DURATION: &str = "tiltyard_http_request_duration_seconds";
const COMMITS: &str = "tiltyard_store_commit_duration_seconds";
const HAND_OVER_GAPS: &str = "tiltyard_hand_over_gap_seconds";

/// Counts fights, by why a part of their tape is lost.
pub(super) const REPLAYS_LOST: &str = "tiltyard_replays_lost_total";
pub(super) const REPLAYS_LOST_TEXT: &str = "Fights of whose replays a part or all is missing, by reason.";

/// Every figure of one server.
#[derive(Debug)]
pub struct Metrics {
    recorder: Hidden<PrometheusRecorder>,
    handle: Hidden<PrometheusHandle>,
    shards: Vec<ShardFigure>,
    clock_steps: Counter,
    tickets: Gauge,
    /// Connections and tickets that are too many.
    pub edge: EdgeFigures,
    /// Failures to accept a connection.
    pub accept_errors: Counter,
    /// Sockets handed to their shards.
    pub upgrades: Counter,
    /// Upgrades refused to players, by why.
    turned_away: [Counter; 2],
    /// Times of the store's transactions.
    pub commits: Histogram,
    /// For how long nothing was done to fights that were handed over.
    pub hand_over_gaps: Histogram,
    /// Bearer tokens and their keys.
    pub tokens: TokenFigures,
    /// Requests refused because their caller had sent too many.
    limited: [Counter; Caller::ALL.len()],
    by_route: RwLock<HashMap<RouteKey, (Counter, Histogram)>>,
}

/// Route, method, status.
type RouteKey = (&'static str, Method, u16);

/// Reads one figure.
type Read = fn(&Stats) -> u64;

/// A figure of [`Stats`] and where it goes.
#[derive(Debug)]
enum ShardFigure {
    Count(Counter, Read),
    Level(Gauge, Read),
}

/// Something without `Debug`.
struct Hidden<T>(T);

impl<T> std::fmt::Debug for Hidden<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

/// Name, description, how it is read. Those whose names end in `_total` are counters.
const SHARD_FIGURES: [(&str, &str, Read); 63] = [
    ("tiltyard_connections", "WebSocket connections.", |stats| stats.connections),
    ("tiltyard_far_connections", "Fights that connections are in on other shards than their own.", |stats| stats.far),
    ("tiltyard_sessions", "Sessions in memory.", |stats| stats.sessions),
    ("tiltyard_live_sessions", "Sessions that have not ended.", |stats| stats.live_sessions),
    ("tiltyard_rooms", "Custom and player sessions that somebody is connected to.", |stats| stats.rooms),
    ("tiltyard_patches_total", "Changes of custom sessions that sockets have asked for.", |stats| stats.patches),
    ("tiltyard_relays_total", "Messages of custom sessions' members to others.", |stats| stats.relays),
    ("tiltyard_relays_out_total", "The same, one for each recipient.", |stats| stats.relays_out),
    ("tiltyard_relays_missed_total", "Those of them that were left out for slow clients.", |stats| stats.relays_missed),
    ("tiltyard_turns_total", "Turns of the shards' loops.", |stats| stats.turns),
    ("tiltyard_long_turns_total", "Turns that took too long.", |stats| stats.long_turns),
    ("tiltyard_inputs_total", "Inputs given to fights: actions, joins, timers.", |stats| stats.inputs),
    ("tiltyard_actions_total", "Actions applied.", |stats| stats.actions),
    ("tiltyard_actions_refused_total", "Actions refused.", |stats| stats.refused),
    (
        "tiltyard_inputs_turned_away_total",
        "Inputs over their participant's budget, or that would have changed nothing.",
        |stats| stats.turned_away,
    ),
    ("tiltyard_actions_repeated_total", "Repeated actions answered from memory.", |stats| stats.repeated),
    ("tiltyard_deltas_total", "Deltas produced.", |stats| stats.deltas),
    ("tiltyard_deltas_sent_total", "Deltas queued for connections.", |stats| stats.deltas_out),
    ("tiltyard_messages_received_total", "Messages from WebSocket clients.", |stats| stats.messages_in),
    ("tiltyard_messages_forwarded_total", "Messages passed on to fights of other shards.", |stats| stats.forwarded),
    ("tiltyard_forwards_refused_total", "Messages refused as the fight's shard had no room.", |stats| {
        stats.forwards_refused
    }),
    ("tiltyard_bad_messages_total", "Messages that could not be understood.", |stats| stats.bad_messages),
    ("tiltyard_received_bytes_total", "Bytes read from WebSocket connections.", |stats| stats.bytes_in),
    ("tiltyard_writes_total", "Writes to WebSocket connections.", |stats| stats.writes),
    ("tiltyard_sent_bytes_total", "Bytes written to WebSocket connections.", |stats| stats.bytes_out),
    ("tiltyard_joins_total", "Joins taken.", |stats| stats.joins),
    ("tiltyard_joins_waiting", "Joins that wait for their turn.", |stats| stats.joins_waiting),
    ("tiltyard_joins_refused_total", "Joins refused: their player asked for too many, or too many waited.", |stats| {
        stats.joins_refused
    }),
    ("tiltyard_joins_rolled_back_total", "Joins of clients that had a later sequence than there is.", |stats| {
        stats.rolled_back
    }),
    ("tiltyard_resumed_deltas_total", "Deltas sent again to clients that came back.", |stats| stats.resumed_deltas),
    (
        "tiltyard_history_left_out_total",
        "Steps of which nothing is kept for clients that come back, as their fights had used their share.",
        |stats| stats.history_left_out,
    ),
    ("tiltyard_history_bytes", "Bytes that the deltas kept for clients that come back may take.", |stats| {
        stats.history_bytes
    }),
    (
        "tiltyard_history_reach_seconds",
        "How long ago the oldest of these was made, on the shard where that is the least.",
        |stats| stats.history_ms / 1_000,
    ),
    (
        "tiltyard_single_bytes_total",
        "Bytes of messages made for one connection alone: answers, welcomes, snapshots.",
        |stats| stats.single_bytes,
    ),
    (
        "tiltyard_held_total",
        "Times a connection was not read from: its outbox was full, or it waited to join.",
        |stats| stats.held,
    ),
    ("tiltyard_lagged_total", "Times changes began to be left out for a slow client.", |stats| stats.lagged),
    ("tiltyard_conflated_total", "Times a slow client was brought up to date with a snapshot.", |stats| {
        stats.conflated
    }),
    ("tiltyard_log_bytes_total", "Bytes appended to the log.", |stats| stats.log_bytes),
    ("tiltyard_log_failures_total", "Appends the log refused.", |stats| stats.log_failures),
    ("tiltyard_log_unknown_total", "Turns handed to the log again, as nobody knew whether it had them.", |stats| {
        stats.log_unknown
    }),
    ("tiltyard_sessions_fenced_total", "Fights dropped because they had been taken over elsewhere.", |stats| {
        stats.fenced
    }),
    ("tiltyard_log_stalled", "Shards that cannot write their log, and do nothing until they can.", |stats| {
        stats.stalled
    }),
    ("tiltyard_shards_hanging", "Shards that have taken no turn for five seconds.", |stats| stats.hanging),
    ("tiltyard_stands_total", "Times that a shard could do nothing, which did not pass for its sessions.", |stats| {
        stats.stands
    }),
    ("tiltyard_log_torn_bytes_total", "Bytes that the start has cut off a torn log.", |stats| stats.log_torn_bytes),
    ("tiltyard_log_lost_turns_total", "Turns of a damaged log that the start has left out.", |stats| {
        stats.log_lost_turns
    }),
    ("tiltyard_fight_times_clamped_total", "Fights with times from after the clock, at the start.", |stats| {
        stats.times_clamped
    }),
    ("tiltyard_log_lost_journals_total", "Journals of which the start could read nothing.", |stats| {
        stats.log_lost_journals
    }),
    ("tiltyard_log_missing_bytes_total", "Bytes that the log lacked at the start, and had had.", |stats| {
        stats.log_missing_bytes
    }),
    ("tiltyard_log_checkpoint_failures_total", "Checkpoints that could not be written.", |stats| {
        stats.checkpoint_failures
    }),
    (
        "tiltyard_log_checkpoints_overdue",
        "Shards whose last checkpoint could not be written, so that their part of the log grows on.",
        |stats| stats.checkpoint_overdue,
    ),
    ("tiltyard_replay_bytes_total", "Bytes appended to files of replays.", |stats| stats.replay_bytes),
    ("tiltyard_replay_failures_total", "Turns whose parts of replays could not be written.", |stats| {
        stats.replay_failures
    }),
    ("tiltyard_closed_slow_total", "Connections closed because they took nothing.", |stats| stats.closed_slow),
    (
        "tiltyard_messages_over_budget_total",
        "Messages thrown away because their connection had sent too many.",
        |stats| stats.messages_over,
    ),
    ("tiltyard_closed_flood_total", "Connections closed because they sent too much.", |stats| stats.closed_flood),
    ("tiltyard_closed_expired_total", "Connections closed because their tokens had expired.", |stats| {
        stats.closed_expired
    }),
    ("tiltyard_tokens_renewed_total", "Times a connection was given a new token or ticket.", |stats| stats.renewed),
    ("tiltyard_renewals_refused_total", "New tokens and tickets of connections that were refused.", |stats| {
        stats.renewals_refused
    }),
    ("tiltyard_closed_unjoined_total", "Connections closed because they were in no session.", |stats| {
        stats.closed_unjoined
    }),
    ("tiltyard_sessions_handed_over_total", "Fights handed over to another shard.", |stats| stats.handed_over),
    ("tiltyard_hand_overs_failed_total", "Hand-overs after which the fight was where it had been.", |stats| {
        stats.hand_overs_failed
    }),
    ("tiltyard_panics_total", "Sessions ended because stepping them panicked.", |stats| stats.panics),
];

pub(super) const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);

impl Metrics {
    /// All figures at zero.
    pub fn new(node: &str) -> Self {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Full(DURATION.to_owned()), &BUCKETS)
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(COMMITS.to_owned()), &BUCKETS))
            .and_then(|builder| builder.set_buckets_for_metric(Matcher::Full(HAND_OVER_GAPS.to_owned()), &BUCKETS))
            .expect("there are buckets")
            .build_recorder();
        let figure = |(name, text, read): (&'static str, &'static str, Read)| {
            if name.ends_with("_total") {
                ShardFigure::Count(counter(&recorder, name, text), read)
            } else {
                ShardFigure::Level(gauge(&recorder, name, text), read)
            }
        };
        let mut shards: Vec<ShardFigure> = SHARD_FIGURES.into_iter().map(figure).collect();
        shards.extend(flags(&recorder));
        shards.extend(losses(&recorder));
        shards.extend(resumes(&recorder));
        let clock_steps =
            counter(&recorder, "tiltyard_clock_steps_total", "Steps of the system's clock that were noticed.");
        let tickets = gauge(&recorder, "tiltyard_tickets", "Tickets minted and neither used nor forgotten.");
        let accept_errors = counter(&recorder, "tiltyard_accept_errors_total", "Failures to accept a connection.");
        let upgrades = counter(&recorder, "tiltyard_upgrades_total", "Sockets handed to their shards.");
        let limited = limited(&recorder);
        describe_counter(&recorder, REQUESTS, "HTTP requests by route, method and status.");
        recorder.describe_histogram(
            KeyName::from(DURATION),
            Some(Unit::Seconds),
            "Time to answer an HTTP request.".into(),
        );
        about(&recorder, node);
        let handle = Hidden(recorder.handle());
        Self {
            handle,
            shards,
            clock_steps,
            tickets,
            edge: EdgeFigures::new(&recorder),
            accept_errors,
            upgrades,
            turned_away: turned_away(&recorder),
            commits: histogram(&recorder, COMMITS, "Time of the store's transactions."),
            hand_over_gaps: histogram(
                &recorder,
                HAND_OVER_GAPS,
                "Time for which nothing was done to a fight that was handed over to another shard.",
            ),
            tokens: tokens(&recorder),
            limited,
            by_route: RwLock::default(),
            recorder: Hidden(recorder),
        }
    }

    /// Counts one answered request. `route` is a pattern, so there are few of them; a method nobody knows is `OTHER`.
    pub fn request(&self, route: &'static str, method: &Method, status: u16, elapsed: Duration) {
        let method = match *method {
            Method::GET
            | Method::POST
            | Method::PUT
            | Method::DELETE
            | Method::HEAD
            | Method::OPTIONS
            | Method::PATCH => method.clone(),
            _ => Method::from_bytes(b"OTHER").expect("a token"),
        };
        let key = (route, method, status);
        let known = self.by_route.read().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        let (requests, duration) = known.unwrap_or_else(|| {
            let handles = self.register_route(&key);
            self.by_route.write().unwrap_or_else(PoisonError::into_inner).entry(key).or_insert(handles).clone()
        });
        requests.increment(1);
        duration.record(elapsed.as_secs_f64());
    }

    /// Counts one request that was one too many.
    pub fn limited(&self, kind: Caller) {
        self.limited[kind as usize].increment(1);
    }

    /// Counts one upgrade that a player was refused.
    pub fn turned_away(&self, turned: Turned) {
        self.turned_away[usize::from(turned != Turned::TooMany)].increment(1);
    }

    /// Empties the histograms' buffers; every few seconds, or they grow.
    pub fn upkeep(&self) {
        self.handle.0.run_upkeep();
    }

    /// The figures as Prometheus reads them.
    pub fn render(&self, stats: &Stats, tickets: usize) -> String {
        for figure in &self.shards {
            match figure {
                ShardFigure::Count(counter, read) => counter.absolute(read(stats)),
                ShardFigure::Level(gauge, read) => gauge.set(float(read(stats))),
            }
        }
        redis::record(&self.recorder.0, stats);
        self.clock_steps.absolute(clock::steps());
        self.tickets.set(float(tickets as u64));
        self.upkeep();
        self.handle.0.render()
    }

    /// Brings the figures of sessions that are no fights, and of the store, up to date for the next rendering.
    pub fn records(&self, records: &Records) {
        records::record(&self.recorder.0, records);
    }

    /// Brings up to date how many loops hang, by name.
    pub fn loops(&self, beats: &Beats) {
        let (recorder, name) = (&self.recorder.0, "tiltyard_loops_hanging");
        let text =
            "Loops of the process that do not go round any more, by name; the shards have a figure of their own.";
        recorder.describe_gauge(KeyName::from(name), None, text.into());
        for (of, hanging) in beats.all() {
            recorder
                .register_gauge(&Key::from_parts(name, vec![Label::new("loop", of)]), &METADATA)
                .set(float(hanging));
        }
    }

    /// Brings the figures of the cluster up to date.
    pub fn cluster(&self, cluster: &Cluster, failover: &failover::Figures) {
        cluster::record(&self.recorder.0, cluster, failover);
    }

    /// Brings the figures of stories up to date.
    pub fn stories(&self, stories: &Stories) {
        stories::record(&self.recorder.0, stories);
    }

    fn register_route(&self, (route, method, status): &RouteKey) -> (Counter, Histogram) {
        let route = Label::new("route", *route);
        let method = Label::new("method", method.as_str().to_owned());
        let status = Label::new("status", status.to_string());
        let recorder = &self.recorder.0;
        let requests = Key::from_parts(REQUESTS, vec![route.clone(), method.clone(), status]);
        let duration = Key::from_parts(DURATION, vec![route, method]);
        (recorder.register_counter(&requests, &METADATA), recorder.register_histogram(&duration, &METADATA))
    }
}

fn histogram(recorder: &PrometheusRecorder, name: &'static str, text: &'static str) -> Histogram {
    recorder.describe_histogram(KeyName::from(name), Some(Unit::Seconds), text.into());
    recorder.register_histogram(&Key::from_static_name(name), &METADATA)
}

pub(super) fn counter(recorder: &PrometheusRecorder, name: &'static str, text: &'static str) -> Counter {
    describe_counter(recorder, name, text);
    recorder.register_counter(&Key::from_static_name(name), &METADATA)
}

pub(super) fn describe_counter(recorder: &PrometheusRecorder, name: &'static str, text: &'static str) {
    recorder.describe_counter(KeyName::from(name), None, SharedString::from(text));
}

/// One for each flag of fair play.
fn flags(recorder: &PrometheusRecorder) -> impl Iterator<Item = ShardFigure> {
    const NAME: &str = "tiltyard_fair_play_flags_total";
    const READ: [(Flag, Read); Flag::ALL.len()] = [
        (Flag::Speed, |stats| stats.flags(Flag::Speed)),
        (Flag::Interval, |stats| stats.flags(Flag::Interval)),
        (Flag::Aim, |stats| stats.flags(Flag::Aim)),
        (Flag::Rate, |stats| stats.flags(Flag::Rate)),
        (Flag::Regular, |stats| stats.flags(Flag::Regular)),
        (Flag::Away, |stats| stats.flags(Flag::Away)),
    ];
    describe_counter(recorder, NAME, "What fair play noticed about participants, by flag.");
    READ.into_iter().map(|(flag, read)| {
        let key = Key::from_parts(NAME, vec![Label::new("flag", flag.name())]);
        ShardFigure::Count(recorder.register_counter(&key, &METADATA), read)
    })
}

/// One for each reason why a replay ends before its fight that shards know of.
fn losses(recorder: &PrometheusRecorder) -> impl Iterator<Item = ShardFigure> {
    const READ: [(Loss, Read); 4] = [
        (Loss::TooLong, |stats| stats.replays_too_long),
        (Loss::Disk, |stats| stats.replays_disk),
        (Loss::Panic, |stats| stats.replays_panic),
        (Loss::Quota, |stats| stats.replays_quota),
    ];
    describe_counter(recorder, REPLAYS_LOST, REPLAYS_LOST_TEXT);
    READ.into_iter().map(|(loss, read)| {
        let key = Key::from_parts(REPLAYS_LOST, vec![Label::new("reason", loss.name())]);
        ShardFigure::Count(recorder.register_counter(&key, &METADATA), read)
    })
}

/// One for each way in which who says what it has is brought up to date.
fn resumes(recorder: &PrometheusRecorder) -> impl Iterator<Item = ShardFigure> {
    const NAME: &str = "tiltyard_resumes_total";
    const READ: [(&str, Read); 5] = [
        ("deltas", |stats| stats.resumed),
        ("too_old", |stats| stats.resumes_too_old),
        ("changed_hands", |stats| stats.resumes_changed_hands),
        ("rolled_back", |stats| stats.rolled_back),
        ("other_encoding", |stats| stats.resumes_other_encoding),
    ];
    describe_counter(
        recorder,
        NAME,
        "Joins of clients that said what they had: told by deltas, or by a snapshot and why.",
    );
    READ.into_iter().map(|(outcome, read)| {
        let key = Key::from_parts(NAME, vec![Label::new("outcome", outcome)]);
        ShardFigure::Count(recorder.register_counter(&key, &METADATA), read)
    })
}

/// One for each kind of caller.
fn limited(recorder: &PrometheusRecorder) -> [Counter; Caller::ALL.len()] {
    const NAME: &str = "tiltyard_rate_limited_total";
    describe_counter(recorder, NAME, "Requests refused because their caller had sent too many, by kind of caller.");
    Caller::ALL.map(|kind| {
        let key = Key::from_parts(NAME, vec![Label::new("kind", kind.name())]);
        recorder.register_counter(&key, &METADATA)
    })
}

/// One for each reason.
fn turned_away(recorder: &PrometheusRecorder) -> [Counter; 2] {
    const NAME: &str = "tiltyard_upgrades_refused_total";
    describe_counter(recorder, NAME, "WebSocket connections refused to players who had too many or had sent too much.");
    ["too_many_connections", "flood"].map(|reason| {
        let key = Key::from_parts(NAME, vec![Label::new("reason", reason)]);
        recorder.register_counter(&key, &METADATA)
    })
}

pub(super) fn gauge(recorder: &PrometheusRecorder, name: &'static str, text: &'static str) -> Gauge {
    recorder.describe_gauge(KeyName::from(name), None, SharedString::from(text));
    recorder.register_gauge(&Key::from_static_name(name), &METADATA)
}

fn tokens(recorder: &PrometheusRecorder) -> TokenFigures {
    const REFRESHES: &str = "tiltyard_token_key_refreshes_total";
    const REFUSED: &str = "tiltyard_tokens_refused_total";
    describe_counter(recorder, REFRESHES, "Times the JWKS was read, by what came of it.");
    let refreshes = |outcome| {
        recorder.register_counter(&Key::from_parts(REFRESHES, vec![Label::new("outcome", outcome)]), &METADATA)
    };
    describe_counter(recorder, REFUSED, "Bearer tokens that were not good, by what is wrong with them.");
    let refused =
        |reason| recorder.register_counter(&Key::from_parts(REFUSED, vec![Label::new("reason", reason)]), &METADATA);
    let hits = "Good tokens that were remembered and not checked again.";
    TokenFigures {
        keys: gauge(recorder, "tiltyard_token_keys", "Keys of the JWKS in use, besides the node's own secret."),
        changed: refreshes("changed"),
        unchanged: refreshes("unchanged"),
        failed: refreshes("failed"),
        refused: Flaw::NAMES.map(refused),
        hits: counter(recorder, "tiltyard_token_cache_hits_total", hits),
        misses: counter(recorder, "tiltyard_token_cache_misses_total", "Tokens that had to be checked."),
    }
}

/// What runs, since when.
fn about(recorder: &PrometheusRecorder, node: &str) {
    const NAME: &str = "tiltyard_build_info";
    recorder.describe_gauge(KeyName::from(NAME), None, "The version that runs, and the node's name.".into());
    let labels = vec![Label::new("version", env!("CARGO_PKG_VERSION")), Label::new("node", node.to_owned())];
    recorder.register_gauge(&Key::from_parts(NAME, labels), &METADATA).set(1.0);
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
    gauge(recorder, "process_start_time_seconds", "When the server started, in seconds since the Unix epoch.")
        .set(started);
}

#[expect(clippy::cast_precision_loss)] // Prometheus has nothing but floats.
pub(super) fn float(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::{Caller, Flag, Metrics};
    use crate::shard::Stats;
    use axum::http::Method;
    use std::time::Duration;

    #[test]
    fn shows_shards_and_requests() {
        let metrics = Metrics::new("a");
        metrics.request("/health", &Method::GET, 200, Duration::from_millis(3));
        metrics.request("/health", &Method::GET, 200, Duration::from_millis(3));
        let odd = Method::from_bytes(b"BREW").unwrap();
        metrics.request("none", &odd, 404, Duration::ZERO);
        metrics.limited(Caller::Service);
        let mut stats = Stats { actions: 7, connections: 2, ..Stats::default() };
        stats.flag(Flag::Aim);
        let text = metrics.render(&stats, 5);
        for line in [
            "tiltyard_actions_total 7",
            "tiltyard_connections 2",
            "tiltyard_tickets 5",
            r#"tiltyard_http_requests_total{route="/health",method="GET",status="200"} 2"#,
            r#"tiltyard_http_request_duration_seconds_bucket{route="/health",method="GET",le="0.005"} 2"#,
            r#"tiltyard_http_requests_total{route="none",method="OTHER",status="404"} 1"#,
            "# HELP tiltyard_panics_total",
            r#"tiltyard_fair_play_flags_total{flag="aim"} 1"#,
            r#"tiltyard_fair_play_flags_total{flag="speed"} 0"#,
            r#"tiltyard_rate_limited_total{kind="service"} 1"#,
            r#"tiltyard_rate_limited_total{kind="player"} 0"#,
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    }
}
