//! The wall's time: as it was when the process began, and since then by a clock that nobody sets. A step of the system's clock, of
//! whatever size, ends no presence and no login early or late, and nothing ends before it began. It is noticed, counted and told; the
//! time here follows it with the next start.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use uuid::{ContextV7, Timestamp, Uuid, Version};

/// Milliseconds by which the system's clock may run apart between two looks at it before that counts as a step.
const STEP_MS: u64 = 1_000;

static IDS: LazyLock<Mutex<ContextV7>> = LazyLock::new(|| Mutex::new(ContextV7::new()));

static CLOCK: LazyLock<Clock> = LazyLock::new(|| Clock::new(SystemTime::now(), Instant::now()));

#[derive(Debug)]
struct Clock {
    wall: SystemTime,
    at: Instant,
    /// Milliseconds by which the system's clock was ahead of this one at the last look.
    ahead: AtomicI64,
    steps: AtomicU64,
}

/// The wall's time now.
pub fn now() -> SystemTime {
    at(Instant::now())
}

/// The wall's time at `instant`.
pub fn at(instant: Instant) -> SystemTime {
    CLOCK.at(instant)
}

/// The wall's time now, in Unix milliseconds.
pub fn now_ms() -> u64 {
    unix_ms(now())
}

/// A new session's id: of version 7, by this clock, each above the one before. The order of ids is the order of
/// [`time_of`] them, which is when the session was created: lists go by the one and show the other.
pub fn new_id() -> Uuid {
    // Nothing panics while it is held.
    let ids = IDS.lock().unwrap_or_else(PoisonError::into_inner);
    let since = now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Uuid::new_v7(Timestamp::from_unix(&*ids, since.as_secs(), since.subsec_nanos()))
}

/// When an id of this kind was drawn, in Unix milliseconds.
pub fn time_of(id: Uuid) -> Option<u64> {
    let drawn = (id.get_version() == Some(Version::SortRand)).then(|| id.get_timestamp()).flatten();
    let (seconds, nanos) = drawn?.to_unix();
    Some(seconds * 1_000 + u64::from(nanos) / 1_000_000)
}

/// In Unix milliseconds; 0 before 1970.
pub fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Looks whether the system's clock has been set since the last look, and tells of it.
pub fn look() {
    if let Some(by) = CLOCK.look(SystemTime::now(), Instant::now()) {
        let (by_ms, ahead_ms) = (by, CLOCK.ahead.load(Ordering::Relaxed));
        tracing::warn!(by_ms, ahead_ms, "the system's clock was set; times go on as before until the next start");
    }
}

/// Steps of the system's clock that were noticed.
pub fn steps() -> u64 {
    CLOCK.steps.load(Ordering::Relaxed)
}

impl Clock {
    const fn new(wall: SystemTime, at: Instant) -> Self {
        Self { wall, at, ahead: AtomicI64::new(0), steps: AtomicU64::new(0) }
    }

    fn at(&self, instant: Instant) -> SystemTime {
        let since = instant.saturating_duration_since(self.at);
        self.wall.checked_add(since).unwrap_or(self.wall)
    }

    /// By how many milliseconds the system's clock has been set since the last look, if it has.
    fn look(&self, system: SystemTime, instant: Instant) -> Option<i64> {
        let own = self.at(instant);
        let ms = |apart: Duration| i64::try_from(apart.as_millis()).unwrap_or(i64::MAX);
        let ahead = system.duration_since(own).map_or_else(|behind| -ms(behind.duration()), ms);
        let by = ahead.saturating_sub(self.ahead.swap(ahead, Ordering::Relaxed));
        let stepped = by.unsigned_abs() >= STEP_MS;
        self.steps.fetch_add(u64::from(stepped), Ordering::Relaxed);
        stepped.then_some(by)
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;
    use std::sync::atomic::Ordering;
    use std::time::{Duration, Instant, SystemTime};

    #[test]
    fn a_step_of_the_systems_clock_is_noticed_once_and_changes_no_time() {
        let (wall, at) = (SystemTime::now(), Instant::now());
        let clock = Clock::new(wall, at);
        let after = |seconds: u64| (wall + Duration::from_secs(seconds), at + Duration::from_secs(seconds));
        let (hour, day) = (Duration::from_hours(1), Duration::from_hours(24));
        let (mut seconds, mut steps) = (0, 0);
        for (step, forward) in [(hour, true), (hour, false), (day, true), (day, false), (day, false), (day, true)] {
            seconds += 10;
            let (time, instant) = after(seconds);
            assert_eq!(clock.look(time + Duration::from_millis(400), instant), None, "drift is no step");
            let set = if forward { time + step } else { time - step };
            let by = clock.look(set, instant).expect("it is noticed");
            assert!(
                by.unsigned_abs().abs_diff(u64::try_from(step.as_millis()).unwrap()) < 1_000 && (by > 0) == forward
            );
            let (_, later) = after(seconds + 5);
            assert_eq!(clock.look(set + Duration::from_secs(5), later), None, "once");
            assert_eq!(clock.at(later), wall + Duration::from_secs(seconds + 5), "and time goes on as before");
            // Set right again.
            clock.look(time, instant).expect("that is a step, too");
            steps += 2;
            assert_eq!(clock.steps.load(Ordering::Relaxed), steps);
        }
    }

    #[test]
    fn ids_rise_with_the_time_that_they_tell() {
        let before = super::now_ms();
        let ids: Vec<_> = (0..5_000).map(|_| super::new_id()).collect();
        assert!(ids.is_sorted());
        let times: Vec<u64> = ids.iter().map(|id| super::time_of(*id).unwrap()).collect();
        assert!(times.is_sorted() && times[0] >= before && *times.last().unwrap() <= super::now_ms() + 1);
        assert_eq!(super::time_of(uuid::Uuid::new_v4()), None);
    }

    #[test]
    fn time_never_falls() {
        let (wall, at) = (SystemTime::now(), Instant::now());
        let clock = Clock::new(wall, at + Duration::from_secs(1));
        assert_eq!(clock.at(at), wall, "of an instant before the clock began");
    }
}
