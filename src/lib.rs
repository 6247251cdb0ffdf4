//! Tiltyard: a real-time session hub for games. This is the map. Each part uses only those before it:
//!
//! [`limits`] · [`clock`] · [`session`] · [`json`] · [`rules`] · [`ops`] · [`auth`] · [`config`] · [`cluster`] · [`store`] · [`log`] · [`socket`] · [`replays`] ·
//! [`book`] · [`shard`] · [`hub`] · [`records`] · [`failover`] · [`analytics`] · [`metrics`] · [`rest`] · [`server`] · [`check`] · [`trial`] · [`cli`]
//!
//! - The ground: [`limits`] has every bound, [`clock`] the time, [`session`] the words all share about a session, [`json`] what others
//!   put in and get back, [`rules`] the rulesets, [`ops`] what an operator tells the process and it asks of the system, [`auth`] who may do
//!   what, [`config`] how the server is run, [`cluster`] which other nodes there are.
//! - What keeps and carries: [`store`] has rows, [`log`] what happened before anybody sees it, [`socket`] bytes to frames and back,
//!   [`replays`] what was fought, [`book`] what is to be kept of fights and who holds how many.
//! - The data's way: [`shard`] is the loop, messages to inputs and steps to deltas; [`hub`] says which shard; [`records`] are the
//!   sessions that are no fights, and the store's side of all; [`failover`] goes on with fights whose node lives no more; [`analytics`] counts what happened, [`metrics`] shows how it does.
//! - The outside: [`rest`] is HTTP, from accepting a connection to the upgrade; [`server`] holds the parts together, [`check`] says whether
//!   what is on the disk is whole, [`trial`] runs a cluster on one machine to be tried, [`cli`] how all is called.
//!
//! The rules of a fight are in the crate `tiltyard-combat`, what is said over a socket in `tiltyard-protocol`.

pub mod analytics;
pub mod auth;
pub mod book;
pub mod check;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod failover;
pub mod hub;
pub mod json;
pub mod limits;
pub mod log;
pub mod metrics;
pub mod ops;
pub mod records;
pub mod replays;
pub mod rest;
pub mod rules;
pub mod server;
pub mod session;
pub mod shard;
pub mod socket;
pub mod store;
pub mod trial;
