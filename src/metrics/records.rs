//! The figures of sessions that are no fights, and of the store.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{Key, KeyName, Label, Metadata, Recorder};
use metrics_exporter_prometheus::PrometheusRecorder;

use crate::metrics::{REPLAYS_LOST, REPLAYS_LOST_TEXT, float};
use crate::records::{Records, TypeFigures};
use crate::session::Quota;
use crate::store::Figures;

const METADATA: Metadata<'static> = Metadata::new(module_path!(), metrics::Level::INFO, None);

/// Reads a figure of one type.
type OfType = fn(&TypeFigures) -> u64;

/// Reads a figure of all types.
type OfAll = fn(&Records) -> u64;

/// Reads a figure of the store.
type OfStore = fn(&Figures) -> u64;

/// Name, description, how it is read. Those whose names end in `_total` are counters, here and below.
const BY_TYPE: [(&str, &str, OfType); 4] = [
    ("tiltyard_records", "Resident sessions that are no fights, by type.", |figures| figures.live as u64),
    ("tiltyard_changes_waiting", "Changes of sessions that wait for the store, by type.", |figures| {
        figures.waiting as u64
    }),
    ("tiltyard_changes_total", "Changes of sessions that were committed, by type.", |figures| figures.changes),
    ("tiltyard_changes_refused_total", "Changes of sessions that were refused, by type.", |figures| figures.refused),
];

const OF_ALL: [(&str, &str, OfAll); 13] = [
    ("tiltyard_fights_unsettled", "Fights that the store does not know as they are.", |records| {
        records.book().waiting() as u64
    }),
    ("tiltyard_replays_unsettled", "Ended fights whose replays the store does not have yet.", |records| {
        records.book().replay_queue().waiting() as u64
    }),
    ("tiltyard_replays_failed_total", "Ended fights whose replays could not be read or kept.", |records| {
        records.book().replay_queue().failed()
    }),
    ("tiltyard_store_commits_total", "Transactions the store has committed.", |r| load(&r.counters().commits)),
    ("tiltyard_store_commit_failures_total", "Transactions the store has not committed.", |r| {
        load(&r.counters().commit_failures)
    }),
    ("tiltyard_store_sessions_written_total", "Sessions written by transactions.", |r| load(&r.counters().rows)),
    ("tiltyard_store_sessions_deleted_total", "Sessions deleted because their retention was over.", |r| {
        load(&r.counters().swept)
    }),
    (
        "tiltyard_fights_rolled_back_total",
        "Fights of which the log, at the start, was from before what the store has of them.",
        |r| load(&r.counters().rolled_back),
    ),
    ("tiltyard_times_clamped_total", "Sessions with times from after the clock, at the start.", |r| {
        load(&r.counters().clamped)
    }),
    ("tiltyard_fights_lost_total", "Fights ended because the log has nothing of them.", |r| {
        load(&r.counters().fights_lost)
    }),
    ("tiltyard_sessions_expired_total", "Sessions ended because their time was over.", |r| load(&r.counters().expired)),
    ("tiltyard_ended_cache_hits_total", "Reads of ended sessions answered from memory.", |r| {
        r.cache_hits_and_misses().0
    }),
    ("tiltyard_ended_cache_misses_total", "Reads of ended sessions that the store was asked for.", |r| {
        r.cache_hits_and_misses().1
    }),
];

/// What a store has noticed of itself; of one that notices nothing there are none.
const OF_STORE: [(&str, &str, OfStore); 6] = [
    (
        "tiltyard_store_damaged_rows_total",
        "Damaged rows of the store that were met, as often as they were.",
        |figures| load(&figures.damaged),
    ),
    ("tiltyard_store_damage", "Damaged things that the check at the start has found in the store.", |figures| {
        load(&figures.found)
    }),
    (
        "tiltyard_store_lost_commits",
        "Commits that had been acknowledged and were not in the store at the start.",
        |figures| load(&figures.lost_commits),
    ),
    ("tiltyard_store_bytes", "Bytes of the store's file.", |figures| load(&figures.bytes)),
    ("tiltyard_store_free_bytes", "Bytes of the store's file that hold nothing.", |figures| load(&figures.free_bytes)),
    ("tiltyard_store_log_bytes", "Bytes of the store's write-ahead log.", |figures| load(&figures.log_bytes)),
];

const QUOTAS: &str = "tiltyard_quota_refused_total";

/// Brings the recorder's figures up to date.
pub fn record(recorder: &PrometheusRecorder, records: &Records) {
    for (name, text, read) in BY_TYPE {
        for figures in records.figures() {
            let key = Key::from_parts(name, vec![Label::new("type", figures.kind.name())]);
            set(recorder, name, text, &key, read(&figures));
        }
    }
    let replay_queue = records.book().replay_queue();
    for (reason, fights) in [("damaged", replay_queue.damaged()), ("store", replay_queue.failed())] {
        let key = Key::from_parts(REPLAYS_LOST, vec![Label::new("reason", reason)]);
        set(recorder, REPLAYS_LOST, REPLAYS_LOST_TEXT, &key, fights);
    }
    for &quota in Quota::ALL {
        let key = Key::from_parts(QUOTAS, vec![Label::new("quota", quota.name())]);
        let refused = records.book().holdings().refused(quota);
        set(
            recorder,
            QUOTAS,
            "Requests refused because the caller has all that one may have, by quota.",
            &key,
            refused,
        );
    }
    for (name, text, read) in OF_ALL {
        set(recorder, name, text, &Key::from_static_name(name), read(records));
    }
    if let Some(figures) = records.store().figures() {
        for (name, text, read) in OF_STORE {
            set(recorder, name, text, &Key::from_static_name(name), read(figures));
        }
    }
}

pub(super) fn set(recorder: &PrometheusRecorder, name: &'static str, text: &'static str, key: &Key, value: u64) {
    if name.ends_with("_total") {
        recorder.describe_counter(KeyName::from(name), None, text.into());
        recorder.register_counter(key, &METADATA).absolute(value);
    } else {
        recorder.describe_gauge(KeyName::from(name), None, text.into());
        recorder.register_gauge(key, &METADATA).set(float(value));
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}
