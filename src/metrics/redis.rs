//! The figures of a log in Redis. A node whose log is in files does not have them, and has one that this does not have.

use metrics::Key;
use metrics_exporter_prometheus::PrometheusRecorder;

use super::Read;
use crate::metrics::records::set;
use crate::shard::Stats;

/// Name, description, how it is read.
const FIGURES: [(&str, &str, Read); 10] = [
    (
        "tiltyard_log_redis_connections",
        "Connections to the Redis of the log that can be used; two for each shard.",
        |stats| stats.log_redis_connections,
    ),
    ("tiltyard_log_redis_away", "Shards that have not all of their connections to the Redis of the log.", |stats| {
        stats.log_redis_away
    }),
    ("tiltyard_log_redis_reconnects_total", "Connections to the Redis of the log that were made again.", |stats| {
        stats.log_redis_reconnects
    }),
    ("tiltyard_log_redis_commands_total", "Commands sent to the Redis of the log.", |stats| stats.log_redis_commands),
    ("tiltyard_log_redis_answers_total", "Of these, those that were answered.", |stats| stats.log_redis_answers),
    (
        "tiltyard_log_redis_answer_microseconds_total",
        "Microseconds from these commands to their answers, of all together.",
        |stats| stats.log_redis_answer_us,
    ),
    ("tiltyard_log_redis_slow_total", "Answers of the Redis of the log that took longer than 10 ms.", |stats| {
        stats.log_redis_slow
    }),
    (
        "tiltyard_log_redis_restored_total",
        "Fights that were said anew to the Redis of the log, as it had lost something of them.",
        |stats| stats.log_redis_restored,
    ),
    ("tiltyard_log_redis_other_log", "Shards that have found another log than theirs in the Redis.", |stats| {
        stats.log_redis_other
    }),
    (
        "tiltyard_log_superseded",
        "Shards that have found that another server has started under the node's name.",
        |stats| stats.log_superseded,
    ),
];

/// Brings the recorder's figures up to date: those that there are.
pub fn record(recorder: &PrometheusRecorder, stats: &Stats) {
    if stats.log_redis == 0 {
        let text = "Whether room on the disk is kept for the log.";
        return set(
            recorder,
            "tiltyard_log_reserve",
            text,
            &Key::from_static_name("tiltyard_log_reserve"),
            stats.log_reserve,
        );
    }
    for (name, text, read) in FIGURES {
        set(recorder, name, text, &Key::from_static_name(name), read(stats));
    }
}
