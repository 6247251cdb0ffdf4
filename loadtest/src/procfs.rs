//! What a process has used, from /proc: the same source for the server and for the harness itself.

use std::path::PathBuf;
use std::time::Duration;
use std::{fs, io, process};

/// `/proc/*/stat` counts in ticks of this many a second on every Linux.
const TICKS_PER_SECOND: u64 = 100;

/// Used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// In user space and in the kernel, of all threads.
    pub cpu: Duration,
    pub rss_kib: u64,
}

impl Usage {
    pub fn of(pid: u32) -> io::Result<Self> {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let read = |file| fs::read_to_string(folder.join(file));
        parse(&read("stat")?, &read("status")?)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid} is not as expected")))
    }

    pub fn own() -> io::Result<Self> {
        Self::of(process::id())
    }

    /// CPU time since `earlier`.
    pub fn cpu_since(&self, earlier: &Self) -> Duration {
        self.cpu.saturating_sub(earlier.cpu)
    }

    /// CPU time since `earlier` as a percentage of one core over `time`.
    pub fn cpu_percent_since(&self, earlier: &Self, time: Duration) -> f64 {
        100.0 * self.cpu_since(earlier).as_secs_f64() / time.as_secs_f64()
    }
}

/// How many descriptors a process has open.
pub fn descriptors(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name in parentheses may hold anything; the fields after it are numbered from 3.
    let after_name = &stat[stat.rfind(')')? + 1..];
    let mut times = after_name.split_ascii_whitespace().skip(14 - 3).map(str::parse::<u64>);
    let ticks = times.next()?.ok()? + times.next()?.ok()?;
    let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let rss_kib = rss.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(Usage { cpu: Duration::from_millis(ticks * 1000 / TICKS_PER_SECOND), rss_kib })
}

/// How many descriptors this process may have open.
pub fn descriptors_max() -> io::Result<usize> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_ascii_whitespace().next());
    Ok(soft.and_then(|soft| soft.parse().ok()).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Usage, parse};

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = "12 (a) b) (c) S 1 12 12 0 -1 4194304 100 0 0 0 250 150 7 9 20 0 3 0 55 1000 250";
        let status = "Name:\ta\nVmRSS:\t   1234 kB\nThreads:\t3\n";
        assert_eq!(parse(stat, status), Some(Usage { cpu: Duration::from_secs(4), rss_kib: 1234 }));
        assert_eq!(parse("12 (a) S 1", status), None);
        assert_eq!(parse(stat, "Name:\ta\n"), None);
    }

    #[test]
    fn percent_of_a_core() {
        let at = |seconds| Usage { cpu: Duration::from_secs(seconds), rss_kib: 0 };
        let percent = at(7).cpu_percent_since(&at(3), Duration::from_secs(8));
        assert!((percent - 50.0).abs() < 1e-9);
    }

    #[test]
    fn the_harness_can_read_itself() {
        assert!(Usage::own().unwrap().rss_kib > 0);
        assert!(super::descriptors_max().unwrap() > 10);
        assert!(super::descriptors(std::process::id()).unwrap() > 2);
    }
}
