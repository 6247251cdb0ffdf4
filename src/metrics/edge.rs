//! What happens at the edge, before anybody is known: connections that are turned away or cut off, tickets that are given up.

use metrics::{Counter, Gauge, Key, Label, Recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

use super::{METADATA, counter, describe_counter, gauge};

/// Counted there.
#[derive(Debug, Clone)]
pub struct EdgeFigures {
    /// Connections that speak HTTP.
    pub http: Gauge,
    /// Connections turned away: the node is full, their address has too many at work, all places for sockets are taken.
    pub refused_full: Counter,
    pub refused_address: Counter,
    pub refused_socket: Counter,
    /// Waiting connections closed for others to come: the node was full, their address had too many.
    pub evicted_full: Counter,
    pub evicted_address: Counter,
    /// Connections cut off because their clients did not take their answers.
    pub write_timeouts: Counter,
    /// Tickets given up for others: their player had too many, who asked for them had, all together were.
    pub tickets_player: Counter,
    pub tickets_sponsor: Counter,
    pub tickets_full: Counter,
}

impl EdgeFigures {
    /// All at zero.
    pub(super) fn new(recorder: &PrometheusRecorder) -> Self {
        let [refused_full, refused_address, refused_socket] = by_reason(
            recorder,
            "tiltyard_connections_refused_total",
            "Connections turned away: the node is full, their address has too many, all places for sockets are taken.",
            ["full", "address", "socket"],
        );
        let [evicted_full, evicted_address] = by_reason(
            recorder,
            "tiltyard_connections_evicted_total",
            "Connections waiting for their clients that were closed for others: the node was full, their address had too many.",
            ["full", "address"],
        );
        let [tickets_player, tickets_sponsor, tickets_full] = by_reason(
            recorder,
            "tiltyard_tickets_given_up_total",
            "Tickets given up for others: their player had too many, who asked for them had, all together were.",
            ["player", "sponsor", "full"],
        );
        Self {
            http: gauge(recorder, "tiltyard_http_connections", "Connections that speak HTTP."),
            refused_full,
            refused_address,
            refused_socket,
            evicted_full,
            evicted_address,
            write_timeouts: counter(
                recorder,
                "tiltyard_write_timeouts_total",
                "Connections cut off because their clients did not take their answers.",
            ),
            tickets_player,
            tickets_sponsor,
            tickets_full,
        }
    }
}

/// One for each of the reasons.
fn by_reason<const N: usize>(
    recorder: &PrometheusRecorder,
    name: &'static str,
    text: &'static str,
    reasons: [&'static str; N],
) -> [Counter; N] {
    by_label(recorder, name, text, "reason", reasons)
}

/// One for each value of a label.
pub(super) fn by_label<const N: usize>(
    recorder: &PrometheusRecorder,
    name: &'static str,
    text: &'static str,
    label: &'static str,
    values: [&'static str; N],
) -> [Counter; N] {
    describe_counter(recorder, name, text);
    values.map(|value| recorder.register_counter(&Key::from_parts(name, vec![Label::new(label, value)]), &METADATA))
}
