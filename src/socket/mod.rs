//! STUB: the parts of `socket` that this branch has.

pub mod accept;
pub mod upgrade;
