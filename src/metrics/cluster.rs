//! The figures of a node of a cluster: those of a node alone do not have them.

use std::sync::atomic::Ordering;

use metrics::{Key, Label};
use metrics_exporter_prometheus::PrometheusRecorder;

use crate::cluster::Cluster;
use crate::failover::Figures as Failover;
use crate::metrics::records::set;

/// Brings the recorder's figures up to date.
pub fn record(recorder: &PrometheusRecorder, cluster: &Cluster, failover: &Failover) {
    const FORWARDED: (&str, &str) =
        ("tiltyard_cluster_forwarded_total", "Requests sent to the nodes of their sessions, by what came of it.");
    const HOPS: (&str, &str) =
        ("tiltyard_cluster_hops_total", "Requests that say to come from another node, by whether one had sent them.");
    const FIGHTS: (&str, &str) = (
        "tiltyard_failover_fights_total",
        "Fights of nodes that live no more, by what became of them here; `left` counts every try.",
    );
    const BYTES: (&str, &str) = (
        "tiltyard_cluster_relayed_bytes_total",
        "Bytes of relayed sockets: of clients (up), of the sessions' nodes (down).",
    );
    const FAILED: (&str, &str) = (
        "tiltyard_cluster_relay_failures_total",
        "Upgrades that other nodes have refused or not answered, or for which there was no room; relayed sockets whose node was lost, or whose client was stuck.",
    );
    let figures = cluster.figures();
    let relays = &figures.relays;
    let by = [
        (FIGHTS, "outcome", "taken", &failover.taken),
        (FIGHTS, "outcome", "ended", &failover.ended),
        (FIGHTS, "outcome", "left", &failover.left),
        (BYTES, "direction", "up", &relays.up),
        (BYTES, "direction", "down", &relays.down),
        (FAILED, "reason", "refused", &relays.refused),
        (FAILED, "reason", "unanswered", &relays.unanswered),
        (FAILED, "reason", "full", &relays.full),
        (FAILED, "reason", "lost", &relays.lost),
        (FAILED, "reason", "stuck", &relays.stuck),
        (FORWARDED, "outcome", "answered", &figures.forwarded),
        (FORWARDED, "outcome", "failed", &figures.failed),
        (HOPS, "of", "node", &figures.taken),
        (HOPS, "of", "forger", &figures.forged),
    ];
    for ((name, text), label, value, figure) in by {
        let key = Key::from_parts(name, vec![Label::new(label, value)]);
        set(recorder, name, text, &key, figure.load(Ordering::Relaxed));
    }
    let plain = [
        ("tiltyard_cluster_nodes", "Nodes that live, this one included.", cluster.count() as u64),
        ("tiltyard_cluster_redis_up", "1 while Redis answers.", u64::from(cluster.is_linked())),
        ("tiltyard_cluster_redis_lost_total", "Times Redis was lost.", figures.lost.load(Ordering::Relaxed)),
        (
            "tiltyard_failover_rounds_failed_total",
            "Times that fights of nodes that live no more were not taken over, as something did not answer.",
            failover.failed.load(Ordering::Relaxed),
        ),
        (
            "tiltyard_cluster_relayed_sockets",
            "Sockets of clients here for sessions of other nodes.",
            relays.live.load(Ordering::Relaxed),
        ),
        (
            "tiltyard_cluster_relays_total",
            "Sockets that were taken to other nodes.",
            relays.opened.load(Ordering::Relaxed),
        ),
    ];
    for (name, text, figure) in plain {
        set(recorder, name, text, &Key::from_static_name(name), figure);
    }
}
