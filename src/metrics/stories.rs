//! The figures of fights that are told to readers of logs.

use metrics::{Key, Label};
use metrics_exporter_prometheus::PrometheusRecorder;

use crate::metrics::records::set;
use crate::replays::Stories;
use crate::replays::turns::Refused;

/// Brings the recorder's figures up to date.
pub fn record(recorder: &PrometheusRecorder, stories: &Stories) {
    const PAGES: (&str, &str) =
        ("tiltyard_story_pages_total", "Pages of fights' logs, by whether anything had to be stepped for them.");
    const REFUSED: (&str, &str) = ("tiltyard_story_refused_total", "Requests that got no turn to have a fight told.");
    let turns = &stories.turns;
    let (remembered, stepped) = stories.pages();
    let (backlog, busy) = (turns.refused(Refused::Backlog), turns.refused(Refused::Busy));
    let by = [
        (PAGES, "from", "memory", remembered),
        (PAGES, "from", "steps", stepped),
        (REFUSED, "reason", "backlog", backlog),
        (REFUSED, "reason", "busy", busy),
    ];
    for ((name, text), label, value, figure) in by {
        set(recorder, name, text, &Key::from_parts(name, vec![Label::new(label, value)]), figure);
    }
    let plain = [
        ("tiltyard_story_steps_total", "Inputs of fights stepped again for logs.", stories.steps()),
        ("tiltyard_story_turns_total", "Turns given to have a fight told or its replay read.", turns.taken()),
        ("tiltyard_story_waiting", "Requests that wait for such a turn.", turns.waiting() as u64),
    ];
    for (name, text, figure) in plain {
        set(recorder, name, text, &Key::from_static_name(name), figure);
    }
}
