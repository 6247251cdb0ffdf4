//! `tiltyard-loadtest`: plays many fights at once against a server, rebuilds every player's view, and says how fast,
//! how costly and how truthful the server was. In reading order:
//! - [`cli`]: the commands. [`run`] measures under load, [`idle`] measures memory, [`bare`] is the smallest server that
//!   could do the same work, [`compare`] measures a server against it; [`crud`] measures REST, [`bare_http`] is the smallest
//!   server for that. A [`hub`] is a server started for a measurement.
//! - [`lobby`] creates the sessions over [`rest`]; [`connect`] opens the sockets; [`frame`] is WebSocket's framing.
//! - [`fleet`] is the one loop; the [`crowd`] are all players with their sockets; a [`player`] checks what it is sent, with
//!   a [`memo`] of what others were sent and [`quick`] ways for the usual messages; a [`session`] is what its players know
//!   together; a [`schedule`] says when an open-loop player acts.
//! - [`hand_over`] has fights change hands between shards under load.
//! - [`cut`] cuts connections at random under load, which come back and resume.
//! - [`rude`] puts clients that do not behave beside honest ones, and measures what these notice.
//! - [`play`] has bots play fights; they are the library's `bots`.
//! - [`tally`] counts, [`report`] shows it, [`bounds`] decides the exit code, [`procfs`] reads what a process used.

mod bare;
mod bare_http;
mod bounds;
mod child;
mod cli;
mod clock;
mod compare;
mod connect;
mod crowd;
mod crud;
mod cut;
mod fleet;
mod frame;
mod hand_over;
mod hub;
mod idle;
mod lobby;
mod memo;
mod number;
mod play;
mod player;
mod procfs;
mod progress;
mod quick;
mod report;
mod rest;
mod rude;
mod run;
mod schedule;
mod session;
mod shows;
mod sys;
mod tally;

use std::process::ExitCode;

use clap::Parser;
use tiltyard_loadtest::rng;

use crate::cli::{Cli, Command};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        eprintln!("warning: the limit of open files cannot be raised: {error}");
    }
    let outcome = match Cli::parse().command {
        Command::Run(args) => run::command(&args),
        Command::Idle(args) => idle::command(&args),
        Command::Bare(args) => bare::command(&args),
        Command::Compare(args) => compare::command(&args),
        Command::Crud(args) => crud::command(&args),
        Command::Rude(args) => rude::command(&args),
        Command::Cut(args) => cut::command(&args),
        Command::Failover(args) => cut::failover::command(&args),
        Command::HandOver(args) => hand_over::command(&args),
        Command::BareHttp(args) => bare_http::command(&args),
        Command::Bots(args) => play::command(&args),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::from(2) // Not 1: that is a measurement that was made and failed.
    })
}
