//! What a run tells of itself: how often each state was reached, and, if somebody reads it, every event.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::ground;

#[derive(Debug, Default)]
pub struct Notes {
    pub counts: BTreeMap<&'static str, u64>,
    /// Events in order, each with its time; nothing where nobody reads them.
    pub trace: Option<String>,
}

thread_local! {
    static NOTES: RefCell<Notes> = RefCell::default();
}

/// Begins anew.
pub fn begin(is_traced: bool) {
    NOTES.replace(Notes { counts: BTreeMap::new(), trace: is_traced.then(String::new) });
}

pub fn take() -> Notes {
    NOTES.take()
}

/// A state was reached.
pub fn count(what: &'static str) {
    count_more(what, 1);
}

pub fn count_more(what: &'static str, times: u64) {
    NOTES.with_borrow_mut(|notes| *notes.counts.entry(what).or_default() += times);
}

/// Something happened.
pub fn say(what: impl FnOnce() -> String) {
    NOTES.with_borrow_mut(|notes| {
        if let Some(trace) = &mut notes.trace {
            let now = ground::now_us();
            writeln!(trace, "{:>3}.{:06} {}", now / 1_000_000, now % 1_000_000, what()).expect("a string");
        }
    });
}
