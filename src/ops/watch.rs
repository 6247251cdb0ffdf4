//! Tasks that the server cannot do without. One that panics, or that ends before it is told to, would leave a server that looks well
//! and does not do its work: the process ends instead, to be restarted, and goes on from its log and its store.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::beat::{Beat, Beats};

/// The same as [`until`] of a loop that goes round in `within_ms` milliseconds, and is one of `beats`.
pub fn beating<T: Future<Output = ()> + Send + 'static>(
    beats: &Beats,
    stop: CancellationToken,
    (name, within_ms): (&'static str, u64),
    task: impl FnOnce(Arc<Beat>) -> T,
) -> JoinHandle<()> {
    let beat = Arc::new(Beat::within(within_ms));
    beats.add(name, Arc::clone(&beat));
    until(stop, name, task(beat))
}

/// Runs `task` until `stop`. Needs a tokio runtime.
pub fn until(
    stop: CancellationToken,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    tokio::spawn(watched(stop, task, move |how| fatal(name, how)))
}

/// Runs `task` to its end, whenever that is, as long as it does not panic.
pub fn once(name: &'static str, task: impl Future<Output = ()> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        let task = tokio::spawn(task);
        if task.await.is_err_and(|error| error.is_panic()) {
            fatal(name, PANICKED);
        }
    })
}

/// Does a thread's work, which the server cannot do without as long as there is some.
pub fn working(name: &'static str, work: impl FnOnce()) {
    worked(work, |how| fatal(name, how));
}

/// Ends the process.
pub fn fatal(name: &str, how: &str) -> ! {
    tracing::error!(task = name, "a task that the server cannot do without {how}; the process ends to be restarted");
    std::process::abort()
}

const PANICKED: &str = "panicked";
const ENDED: &str = "has ended";

fn worked(work: impl FnOnce(), fatal: impl FnOnce(&'static str)) {
    // Whatever it leaves behind, nobody looks at it.
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        fatal(PANICKED);
    }
}

async fn watched(
    stop: CancellationToken,
    task: impl Future<Output = ()> + Send + 'static,
    fatal: impl FnOnce(&'static str),
) {
    // In a task of its own, so that its panic is seen here.
    match tokio::spawn(task).await {
        Err(error) if error.is_panic() => fatal(PANICKED),
        Ok(()) if !stop.is_cancelled() => fatal(ENDED),
        // Told to stop, or taken down with the runtime.
        Ok(()) | Err(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::{ENDED, PANICKED, watched, worked};
    use std::sync::{Arc, Mutex};
    use tokio_util::sync::CancellationToken;

    async fn how(stop: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) -> Option<&'static str> {
        let how = Arc::new(Mutex::new(None));
        let told = Arc::clone(&how);
        watched(stop.clone(), task, move |how| *told.lock().unwrap() = Some(how)).await;
        *how.lock().unwrap()
    }

    #[tokio::test]
    async fn who_panics_or_ends_by_itself_ends_all_and_who_was_told_to_does_not() {
        let stop = CancellationToken::new();
        assert_eq!(how(&stop, async { panic!("planted") }).await, Some(PANICKED));
        assert_eq!(how(&stop, async {}).await, Some(ENDED));
        let told = stop.clone();
        stop.cancel();
        assert_eq!(how(&stop, async move { told.cancelled().await }).await, None);
        assert_eq!(how(&stop, async { panic!("planted") }).await, Some(PANICKED), "in stopping, too");
    }

    #[test]
    fn a_thread_that_panics_ends_all_and_one_that_is_done_does_not() {
        let how = |work: fn()| {
            let mut how = None;
            worked(work, |told| how = Some(told));
            how
        };
        assert_eq!(how(|| panic!("planted")), Some(PANICKED));
        assert_eq!(how(|| ()), None);
    }
}
