//! STUB map until main has the whole one.

pub mod hub;
pub mod limits;
pub mod shard;
