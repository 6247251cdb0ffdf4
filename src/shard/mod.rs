//! STUB until the shard is on main: refuses everything.

use std::io;
use std::iter::Sum;
use std::path::PathBuf;

use tiltyard_protocol::Reason;

use crate::hub::{Command, Refusal};

#[derive(Debug, Clone)]
pub struct ShardConfig {
    pub shards: usize,
    pub data: PathBuf,
    pub sync: bool,
}

pub fn start(config: &ShardConfig) -> io::Result<(Vec<ShardHandle>, Vec<std::thread::JoinHandle<()>>)> {
    Ok((vec![ShardHandle; config.shards], Vec::new()))
}

#[derive(Debug, Clone)]
pub struct ShardHandle;

impl ShardHandle {
    pub fn send(&self, _command: Command) -> Result<(), Refusal> {
        Err(Reason::Overloaded.into())
    }

    pub fn drain(&self) {}

    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}

#[derive(Debug, Clone, Copy, Default)]
pub struct Stats {
    pub connections: u64,
    pub sessions: u64,
    pub live_sessions: u64,
    pub turns: u64,
    pub actions: u64,
    pub refused: u64,
    pub deltas: u64,
    pub deltas_out: u64,
    pub bytes_out: u64,
    pub conflated: u64,
    pub log_bytes: u64,
    pub log_failures: u64,
    pub closed_slow: u64,
    pub panics: u64,
}

impl Sum for Stats {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::default(), |all, _| all)
    }
}
