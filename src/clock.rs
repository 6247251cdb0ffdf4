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

/// When a session of this id was created, for one whose own time is `now`: when its id was drawn, as lists go by ids and show this.
/// A turn and a batch go by the time at which they began, so the id may be drawn a little later than that; one of long after is of a clock
/// that has been set back since.
pub fn created_at(id: Uuid, now: u64) -> u64 {
    time_of(id).filter(|drawn| *drawn <= now + STEP_MS).unwrap_or(now)
}

/// In Unix milliseconds; 0 before 1970.
pub fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A time as RFC 3339 writes it, in UTC or with how far from that it is.
pub fn rfc3339(text: &str) -> Option<SystemTime> {
    let (local, ahead) = if let Some(local) = text.strip_suffix(['Z', 'z']) {
        (local, 0)
    } else {
        let (local, ahead) = text.split_at_checked(text.len().checked_sub(6)?)?;
        (local, seconds_ahead(ahead)?)
    };
    let (date, time) = (local.get(..10)?, local.get(11..)?);
    let is_time = time.ends_with(|last: char| last.is_ascii_digit())
        && time.bytes().all(|byte| byte.is_ascii_digit() || b":.".contains(&byte));
    if !is_time || !matches!(&local[10..11], "T" | "t" | " ") {
        return None;
    }
    let local = humantime::parse_rfc3339_weak(&format!("{date}T{time}")).ok()?;
    let by = Duration::from_secs(ahead.unsigned_abs());
    if ahead < 0 { local.checked_add(by) } else { local.checked_sub(by) }
}

/// What is behind a time that is not in UTC: a sign, hours and minutes.
fn seconds_ahead(text: &str) -> Option<i64> {
    let (hours, minutes) = text.get(1..)?.split_once(':')?;
    let number = |digits: &str, below: i64| {
        let is_number = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<i64>().ok().filter(|number| is_number && *number < below)
    };
    let seconds = (number(hours, 24)? * 60 + number(minutes, 60)?) * 60;
    match text.get(..1)? {
        "+" => Some(seconds),
        "-" => Some(-seconds),
        _ => None,
    }
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
    fn a_session_is_created_when_its_id_was_drawn() {
        let id = super::new_id();
        let drawn = super::time_of(id).unwrap();
        // The turn that takes it has begun before, or a little later.
        for now in [drawn - 900, drawn - 1, drawn, drawn + 1, drawn + 5_000] {
            assert_eq!(super::created_at(id, now), drawn, "{now}");
        }
        assert_eq!(super::created_at(id, drawn - 3_600_000), drawn - 3_600_000, "the clock was set back since");
        assert_eq!(super::created_at(uuid::Uuid::new_v4(), 77), 77);
    }

    #[test]
    fn times_are_read_with_and_without_an_offset() {
        let at = |text: &str| super::rfc3339(text).map(super::unix_ms);
        let utc = Some(1_704_160_985_678);
        for text in [
            "2024-01-02T02:03:05.678Z",
            "2024-01-02t02:03:05.678z",
            "2024-01-02 02:03:05.6789-00:00",
            "2024-01-02T03:04:05.678+01:01",
            "2024-01-01T22:33:05.678-03:30",
        ] {
            assert_eq!(at(text), utc, "{text}");
        }
        assert_eq!(at("2016-12-31T23:59:60Z"), Some(1_483_228_799_000), "a leap second is the one before it");
        for text in [
            "now",
            "2024-01-02",
            "2024-01-02T02:03:05",
            "2024-01-02T02:03Z",
            "2024-01-02T02:03:05.Z",
            "2024-01-02T02:03:05ZZ",
            "2024-01-02T02:03:05+00:00Z",
            "2024-01-02T02:03:05+0100",
            "2024-01-02T02:03:05+24:00",
            "2024-01-02T02:03:05+00:60",
            "2024-01-02T02:03:05*01:00",
            "2024-02-30T02:03:05Z",
            "2024-01-02T24:00:00Z",
            "2024-01-02é02:03:05Z",
            "2024-01-02T02:03:05+é:00",
        ] {
            assert_eq!(at(text), None, "{text}");
        }
    }

    #[test]
    fn time_never_falls() {
        let (wall, at) = (SystemTime::now(), Instant::now());
        let clock = Clock::new(wall, at + Duration::from_secs(1));
        assert_eq!(clock.at(at), wall, "of an instant before the clock began");
    }
}
