//! Promises, one file each, kept over real sockets against the real server on a free port.

mod bad_input;
mod encodings;
mod fight;
mod recovery;
mod slow_clients;
mod support;
mod tickets;
