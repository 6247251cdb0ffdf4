//! STUB map until main has the whole one.

pub mod auth;
pub mod cli;
pub mod config;
pub mod hub;
pub mod limits;
pub mod ops;
pub mod rest;
pub mod server;
pub mod shard;
pub mod socket;
