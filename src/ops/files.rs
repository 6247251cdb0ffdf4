//! Who may read what the server writes: its own user.

/// Has every file and folder that this process makes from now on be its user's alone, whatever the shell that started it says.
#[allow(unsafe_code)] // A call of the system's C interface.
pub fn keep_to_owner() {
    // SAFETY: `umask` takes any bits, cannot fail, and touches no memory.
    unsafe { libc::umask(0o077) };
}
