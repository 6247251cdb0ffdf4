//! Who may read what the server writes: its own user.

/// Has every file and folder that this process makes from now on be its user's alone, whatever the shell that started it says.
pub fn keep_to_owner() {
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
}
