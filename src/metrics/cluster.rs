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
    let figures = cluster.figures();
    let by = [
        (FIGHTS, "outcome", "taken", &failover.taken),
        (FIGHTS, "outcome", "ended", &failover.ended),
        (FIGHTS, "outcome", "left", &failover.left),
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
    ];
    for (name, text, figure) in plain {
        set(recorder, name, text, &Key::from_static_name(name), figure);
    }
}
