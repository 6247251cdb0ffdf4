//! How many files and sockets the process may have open. Many systems start processes with a soft limit of 1,024, far under
//! what they would allow.

use crate::limits;

/// Raises the limit as far as it goes and returns how many connections fit under it, [`limits::CONNECTIONS`] at the most.
pub fn connections() -> usize {
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
        tracing::warn!(%error, "the limit of open files cannot be read");
        0
    });
    let fit = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(limits::DESCRIPTORS_RESERVED);
    if fit < limits::CONNECTIONS {
        tracing::warn!(open_files = limit, connections = fit, "few connections fit under the limit of open files");
    }
    fit.clamp(1, limits::CONNECTIONS)
}
