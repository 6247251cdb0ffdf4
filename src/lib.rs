//! Tiltyard: a real-time session hub for games. This is the map, in the order the data goes:
//!
//! [`socket`] bytes to frames and back -> [`hub`] which shard -> [`shard`] the loop: messages to inputs, steps to deltas
//! -> [`log`] what happened, before anybody sees it. [`limits`] has every bound. The rules of a fight are in the crate
//! `tiltyard-combat`, what is said over a socket in `tiltyard-protocol`.

pub mod hub;
pub mod limits;
pub mod log;
pub mod shard;
pub mod socket;
