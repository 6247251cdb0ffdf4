//! STUB until the engine is on main.

/// Stub.
#[derive(Debug)]
pub struct Fight;
