//! The two things the standard library has no call for: choosing the core to run on, and a timer finer than a
//! millisecond for the poll loop.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use mio::event::Source;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::clock::SECOND;

/// Keeps this thread, and every thread and process it starts from now on, on `core`.
#[allow(unsafe_code)] // A plain system call on a set that lives on this stack.
pub fn pin(core: usize) -> io::Result<()> {
    if core >= libc::CPU_SETSIZE.unsigned_abs() as usize {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("there is no core {core}")));
    }
    // SAFETY: all zeroes is the empty set, and `core` is within it.
    let outcome = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    if outcome == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Lets every other thread have the core first: what a flood of messages costs the one who makes it is not to be felt by
/// those who are measured beside it.
#[allow(unsafe_code)] // A plain system call with numbers.
pub fn give_way() {
    // SAFETY: no pointer is passed. On Linux 0 is the calling thread alone. It cannot fail for a thread of one's own.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) };
}

/// Wakes the poll loop at a time it chooses. `epoll_wait` itself counts in milliseconds, a hundred times the latency
/// to be measured.
#[derive(Debug)]
pub struct Alarm {
    timer: OwnedFd,
    /// What it is set to, so that setting it again to the same costs nothing.
    due: u64,
}

impl Alarm {
    /// An alarm that wakes `registry` with `token`.
    #[allow(unsafe_code)] // The descriptor is fresh and owned by nobody else.
    pub fn new(registry: &Registry, token: Token) -> io::Result<Self> {
        // SAFETY: no pointer is passed; the result is checked before it is owned.
        let timer = unsafe {
            let raw = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC);
            if raw < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(raw)
        };
        // Edge-triggered: each expiry wakes once, and the timer never needs to be read.
        SourceFd(&timer.as_raw_fd()).register(registry, token, Interest::READABLE)?;
        Ok(Self { timer, due: 0 })
    }

    /// Sets it to ring at `due`, which is after `now`.
    #[allow(unsafe_code)] // A plain system call on a value that lives on this stack.
    pub fn set(&mut self, due: u64, now: u64) -> io::Result<()> {
        if due == self.due {
            return Ok(());
        }
        let wait = due.saturating_sub(now).max(1);
        let seconds = libc::time_t::try_from(wait / SECOND).unwrap_or(libc::time_t::MAX);
        let nanoseconds = libc::c_long::try_from(wait % SECOND).unwrap_or(0);
        let once = libc::itimerspec {
            it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: libc::timespec { tv_sec: seconds, tv_nsec: nanoseconds },
        };
        // SAFETY: the descriptor is open as long as `self`, `once` outlives the call, and the old value is not wanted.
        let outcome =
            unsafe { libc::timerfd_settime(self.timer.as_raw_fd(), 0, &raw const once, std::ptr::null_mut()) };
        if outcome != 0 {
            return Err(io::Error::last_os_error());
        }
        self.due = due;
        Ok(())
    }
}
