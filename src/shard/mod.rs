//! A shard: one thread, one loop, its own sessions and sockets. Nothing in it is shared, locked or awaited.
//!
//! A turn of the loop is a tick: [`worker`] polls and orders the turn, [`sockets`] reads and writes, [`inbox`] is the
//! way in from other threads for [`command`]s, [`commands`] what becomes of them, [`play`] turns messages into inputs and steps, and [`answer`]s them, [`joins`] takes members in
//! when [`admission`] says that it is their turn and [`welcome`]s them, [`publish`] encodes what changed (in a [`form`] for each encoding: [`json`], [`msgpack`]),
//! [`history`] keeps that for those who come back to be [`resume`]d, also while they are [`away`],
//! [`near`] and [`far`] are the two sides of a session and a socket that are of different shards ([`link`] what they say, [`peers`] the way,
//! [`follow`] where the session goes),
//! [`hand_over`] gives a session to another shard, which [`adopt`]s it as a start does ([`transfer`] decides who has it, meanwhile it is [`frozen`]),
//! [`lease`] ends with a connection's token, [`told`] answers what REST asks ([`fog`] knows what each side has seen), [`trim`] begins another segment of
//! the log when one is long, [`wheel`] wakes what is due.
//! [`room`] is what sockets have of sessions that are no fights,
//! [`entry`] is what the log is told, [`recovery`] the way back from it at start.

mod admission;
mod adopt;
pub(crate) mod answer;
mod away;
pub mod command;
mod commands;
pub mod connection;
pub mod entry;
mod far;
mod flood;
mod fog;
#[cfg(test)]
pub(crate) mod fog_ground;
mod follow;
mod form;
mod frozen;
mod hand_over;
mod held;
pub mod history;
mod inbox;
mod joins;
mod json;
mod lease;
pub mod link;
mod msgpack;
mod near;
mod peers;
mod play;
pub(crate) mod publish;
#[cfg(test)]
mod publish_tests;
pub mod recovery;
mod renewal;
mod resume;
pub mod room;
mod rulebook;
pub mod session;
mod shown;
mod sockets;
mod stats;
mod stream;
mod told;
mod transfer;
mod trim;
mod welcome;
pub mod wheel;
mod wire;
mod worker;

use std::collections::{HashMap, HashSet};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use thiserror::Error;
use uuid::Uuid;

pub use command::{ActionApplied, Attachment, Command, Control, Effect, NewFight, Renewal, Reply, RestAction, Seats};
pub use entry::{Description, Entry, SessionRecord};
pub use fog::Fog;
pub use inbox::ShardHandle;
pub use peers::Peers;
pub use publish::DeltaOf;
pub use renewal::{Asked, Credential, Renewals, renewals};
pub use room::Desks;
pub use session::Session;
pub use shown::{view_digest, view_of};
pub use stats::Stats;

use crate::book::WriteBehind;
use crate::config::RedisUrl;
use crate::log::Log;
use crate::rules::Library;
use crate::socket::budget::Allowance;
use crate::store::StoreError;
use recovery::{Found, Recovered, RecoveryError, Taker};

/// How many shards, and where their logs are.
#[derive(Debug, Clone)]
pub struct ShardConfig {
    /// At least one.
    pub shards: usize,
    /// The data folder.
    pub data: PathBuf,
    /// The Redis that has the log, and this node's name there; `None` for files in the data folder.
    pub redis: Option<(RedisUrl, String)>,
    /// Wait for the disk with every turn: what is acknowledged then survives a loss of power, not only of the process.
    pub sync: bool,
    /// Leave out what cannot be read of the log, instead of not starting.
    pub accept_loss: bool,
    /// Where the store's news of fights go.
    pub book: Arc<WriteBehind>,
    /// How fast a connection may send.
    pub allowance: Allowance,
    /// Where connections' new credentials go to be checked.
    pub renewals: Renewals,
    /// The ways to whoever has the sessions that are no fights.
    pub desks: Desks,
    /// The rulesets of sessions in the log.
    pub library: Arc<Library>,
}

/// Why the shards did not start.
#[derive(Debug, Error)]
pub enum StartError {
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot start a shard: {0}")]
    Io(io::Error),
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        // It says why itself: it is not its cause, too.
        Self::Io(error)
    }
}

/// A fight that is live in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Logged {
    pub id: Uuid,
    /// Its newest sequence.
    pub seq: u64,
    /// Under which it was written.
    pub epoch: u64,
}

/// How fights that are live in the log stand in the store.
#[derive(Debug, Default)]
pub struct InStore {
    /// Those that have ended there.
    pub ended: HashSet<Uuid>,
    /// Under which the others are there.
    pub epochs: HashMap<Uuid, u64>,
}

/// Recovers the log and starts one thread per shard.
pub fn start(config: &ShardConfig) -> Result<(Peers, Vec<JoinHandle<()>>), StartError> {
    let Started { peers, threads, .. } = start_with(config, |_live| Ok(InStore::default()))?;
    Ok((peers, threads))
}

/// Shards that run.
#[derive(Debug)]
pub struct Started {
    pub peers: Peers,
    pub threads: Vec<JoinHandle<()>>,
    /// Where the log is in Redis: who goes on with sessions of other nodes.
    pub taker: Option<Taker>,
}

/// The same, with how the fights stand in the store that are live in the log: without those that have ended there, and the others under
/// higher epochs than it has.
pub fn start_with(
    config: &ShardConfig,
    standing: impl FnOnce(&[Logged]) -> Result<InStore, StoreError>,
) -> Result<Started, StartError> {
    let started = Instant::now();
    let (data, shards) = (&config.data, config.shards.max(1));
    if let Some((url, node)) = &config.redis {
        let recovered = recovery::recover_redis((url, node), data, shards, config.accept_loss, &config.library)?;
        return go_on(config, recovered, standing, started);
    }
    let recovered = recovery::recover(data, shards, config.sync, config.accept_loss, &config.library)?;
    go_on(config, recovered, standing, started)
}

/// Has shards go on with what a log has.
fn go_on<L: Into<Log>>(
    config: &ShardConfig,
    recovered: Recovered<L>,
    standing: impl FnOnce(&[Logged]) -> Result<InStore, StoreError>,
    started: Instant,
) -> Result<Started, StartError> {
    let sessions: usize = recovered.shards.iter().map(|(_, records)| records.len()).sum();
    tracing::info!(
        sessions,
        inputs = recovered.found.inputs,
        torn_bytes = recovered.found.torn_bytes,
        lost_frames = recovered.found.lost_frames,
        missing_bytes = recovered.found.missing_bytes,
        failed = recovered.found.failed,
        elapsed_ms = started.elapsed().as_millis(),
        "log recovered"
    );
    if recovered.set_back.count() > 0 {
        let fights = &recovered.set_back;
        tracing::warn!(%fights, "set back to before they were handed over to another shard, whose journal cannot be read");
    }
    let records = recovered.shards.iter().flat_map(|(_, records)| records);
    let lives = |record: &&SessionRecord| {
        let life = record.fight.lifecycle();
        life.end().is_none() && !life.is_ended()
    };
    let logged = |record: &SessionRecord| Logged { id: record.id, seq: record.fight.seq(), epoch: record.epoch };
    let live: Vec<Logged> = records.filter(lives).map(logged).collect();
    let standing = Arc::new(if live.is_empty() { InStore::default() } else { standing(&live)? });
    let lock = Arc::new(recovered.lock);
    let (mut handles, mut workers) = (Vec::new(), Vec::new());
    for (number, (journal, records)) in recovered.shards.into_iter().enumerate() {
        let found = if number == 0 { recovered.found } else { Found::default() };
        let folder = Arc::clone(&recovered.folder);
        let (allowance, renewals) = (config.allowance, config.renewals.clone());
        let (library, standing) = (Arc::clone(&config.library), Arc::clone(&standing));
        let desk = config.desks.of(number);
        let place = worker::Place { number, folder, library, allowance, renewals, desk, found, standing };
        let (handle, worker) = worker::Worker::new(place, journal, records, Arc::clone(&config.book))?;
        handles.push(handle);
        workers.push(worker);
    }
    let (peers, mut threads) = (Peers::new(handles), Vec::new());
    for (number, mut worker) in workers.into_iter().enumerate() {
        worker.meet(peers.clone());
        let lock = lock.clone();
        let thread = std::thread::Builder::new().name(format!("shard-{number}")).spawn(move || {
            let _span = tracing::info_span!("shard", shard = number).entered();
            let ran = catch_unwind(AssertUnwindSafe(|| worker.run()));
            drop(lock);
            if ran.is_err() {
                // Half a node would answer for sessions it cannot serve. A whole restart recovers every one of them.
                tracing::error!("the shard's loop panicked; the process ends to be restarted");
                std::process::abort();
            }
        })?;
        threads.push(thread);
    }
    let taker =
        recovered.in_redis.map(|of| Taker::new(of, config.data.clone(), recovered.folder, Arc::clone(&config.library)));
    Ok(Started { peers, threads, taker })
}
