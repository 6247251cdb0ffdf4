//! Promises, one file each, kept over real sockets against the real server on a free port.

// A test that cannot go on has failed: unwrapping says so where it happens.
#![allow(clippy::unwrap_used)]

mod abilities;
mod arena;
#[path = "../authority/mod.rs"]
mod authority;
mod bad_input;
mod bare;
mod bots;
mod budgets;
mod cluster;
mod contract;
mod crash;
mod disk_full;
mod document;
mod edge;
mod encodings;
mod epochs;
mod far;
mod fight;
mod floods;
mod frames;
mod hand_over;
mod heads;
mod honest;
mod hostile;
mod joins;
mod keys;
mod layout;
mod limits;
mod metrics;
mod motion;
mod openapi;
mod pages;
mod plans;
mod postgres;
mod quotas;
mod raw;
mod recovery;
mod redis;
mod redis_functions;
mod redis_log;
mod repeats;
mod replays;
mod rest_alone;
mod restored;
mod resume;
mod returns;
mod rooms;
mod rust_client;
#[path = "../signer/mod.rs"]
mod signer;
mod slow_clients;
mod starts;
mod stories;
mod support;
mod tickets;
mod tls;
mod token_ends;
mod transport;
mod trial;
mod upgrade;
mod wire;
