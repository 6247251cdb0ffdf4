//! Tiltyard: a real-time session hub for games. This is the map, in the order the data goes:
//!
//! [`socket`] bytes to frames and back -> [`hub`] which shard -> [`shard`] the loop: messages to inputs, steps to deltas
//! -> [`log`] what happened, before anybody sees it. [`rest`] takes the same way from the hub on. [`auth`] says who may
//! do what, [`analytics`] counts what happened, [`rules`] has the rulesets, [`replays`] has what was fought under them,
//! [`json`] is what others put in and get back, [`limits`] has every bound. Around it: [`server`] holds the parts together, [`cli`] and
//! [`config`] say how it is run, [`check`] whether what is on the disk is whole, [`ops`]
//! shows how it does. The rules of a fight are in the crate `tiltyard-combat`, what is said over a socket in
//! `tiltyard-protocol`.

pub mod analytics;
pub mod auth;
pub mod check;
pub mod cli;
pub mod clock;
pub mod config;
pub mod hub;
pub mod json;
pub mod limits;
pub mod log;
pub mod ops;
pub mod records;
pub mod replays;
pub mod rest;
pub mod rules;
pub mod server;
pub mod shard;
pub mod socket;
pub mod store;
