//! Players that play by themselves: see [`bots`]. The command `tiltyard-loadtest` plays them too, beside its measurements.

pub mod bots;
pub mod rng;
pub mod words;
