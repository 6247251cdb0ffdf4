//! The server: bound, running, drained, joined. The binary is a shell around it, and a test runs it on port 0.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;
use tokio::runtime::Handle;
use tokio::signal::unix::Signal;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::analytics::counting::Counting;
use crate::auth::key::{KeyError, Known, Unwritten};
use crate::auth::refresh::{Pace, Refresher};
use crate::auth::source::{Source, SourceError};
use crate::auth::{KeyRing, Tickets, TokenKey};
use crate::book;
use crate::clock;
use crate::cluster::{self, Cluster, ClusterError, Load};
use crate::config::Config;
use crate::failover::Failover;
use crate::hub::Hub;
use crate::limits;
use crate::metrics::Metrics;
use crate::ops::beat::{Beat, Beats};
use crate::ops::{memory, signals, watch};
use crate::records::keys::Keys;
use crate::records::lost::{AtStake, end_lost_fights, live_fights};
use crate::records::{self, Committer, RecordObserver, Records};
use crate::rest::http::certificate::{CertificateError, Files};
use crate::rest::http::identity::{Identity, Keeper};
use crate::rest::http::{accept, renewal};
use crate::rest::lobby::Lobby;
use crate::rest::origin::Origins;
use crate::rest::rate::RateLimits;
use crate::rest::{self, App, AppState};
use crate::rules::{Library, LibraryError};
use crate::shard::recovery::{self, RecoveryError, Taker};
use crate::shard::{self, Desks, Renewals, ShardConfig, StartError, Started, room};
use crate::socket::budget::Allowance;
use crate::socket::ledger::Ledger;
use crate::store::{OpenError, Place, Soundness, Store, StoreError, private};

/// Milliseconds for requests in flight before the shards stop too. They usually need less than one.
const REQUESTS_FIRST_MS: u64 = 500;

/// Milliseconds for what is left then: slow requests, sockets that take their last bytes.
const REST_MS: u64 = 6_000;

/// Milliseconds between two rounds of upkeep.
const UPKEEP_MS: u64 = 5_000;

/// A running server.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    app: App,
    accepting: JoinHandle<()>,
    shards: Vec<thread::JoinHandle<()>>,
    committing: JoinHandle<()>,
    stop_committing: CancellationToken,
    /// Where there is a cluster: who keeps this node among the living, and what takes it out.
    keeping: Option<Keeping>,
    /// How long it serves on when it is told to stop.
    drain: Duration,
}

/// This node in the cluster, as long as it is held.
#[derive(Debug)]
struct Keeping {
    cluster: Cluster,
    beat: Arc<Beat>,
    task: JoinHandle<()>,
    stop: DropGuard,
}

/// Why there is no server.
#[derive(Debug, Error)]
pub enum ServerError {
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    #[error("SIGHUP cannot be listened for: {0}")]
    Signal(io::Error),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("jwks {from}: {error}")]
    Jwks { from: Source, error: SourceError },
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    #[error(transparent)]
    Shards(#[from] StartError),
    #[error("{error}. {at_stake}")]
    Log { error: RecoveryError, at_stake: Box<AtStake> },
    #[error("the thread that read the log was lost: {0}")]
    Lost(tokio::task::JoinError),
    #[error(transparent)]
    Database(#[from] OpenError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Rules(#[from] LibraryError),
    #[error("cannot listen on {address}: {error}")]
    Listen { address: SocketAddr, error: io::Error },
}

impl Server {
    /// Opens the data folder, recovers the sessions in it, listens and serves. Needs a tokio runtime.
    pub async fn bind(config: Config) -> Result<Self, ServerError> {
        let metrics = Metrics::new(&config.node);
        let (tls, keeper) = open_tls(&config, &metrics)?.unzip();
        let (own, unwritten) = TokenKey::begin(&config.data)?;
        let failed = |error| ServerError::Listen { address: config.listen, error };
        let listener = accept::listen(config.listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let key = KeyRing::new(own.clone(), config.dialect(), metrics.tokens.clone());
        let refresher = keys_of_others(&config, &key).await?;
        let keeping = join_cluster(&config, &own, &url(address, tls.is_some())).await?;
        // Before anything is served: whatever becomes of a ruleset's file, sessions begun under it can go on.
        let mut library = Library::open(config.rules.as_deref())?;
        library.archive(&config.data.join("rules"))?;
        let library = Arc::new(library);
        private::close_folder(&config.data);
        let place = Place::of(config.database.as_deref(), &config.data)?;
        let Read { counting, records, committer, found } = read_store(&place, &config, &metrics).await?;
        records.book().tell(Arc::clone(&counting) as Arc<dyn book::FightObserver>);
        let (renewals, handed_in) = shard::renewals();
        let (desks, wishes) = room::desk::desks(config.shards);
        let (hub, shards, taker) = start_shards(&config, &records, &library, (renewals, desks)).await?;
        // All that may be refused has been looked at: until here nothing of the store has been changed.
        let begun = begin_store(&place, &records, &found, config.accept_loss).await;
        if let Err(error) = begun.and_then(|()| keep_key(unwritten, &config.data)) {
            end_shards(hub, shards).await;
            return Err(error);
        }
        tell_of_key(&own, &config.data, &records).await;
        let lobby = Lobby::recall(&hub, records.store()).await;
        let stop_committing = CancellationToken::new();
        let retention_ms = config.retention_days * 24 * 60 * 60 * 1000;
        let observer = Arc::clone(&counting) as Arc<dyn RecordObserver>;
        let filling_replays = |beat| records.book().fill_replays(Arc::clone(&library), stop_committing.clone(), beat);
        let beats = Beats::default();
        let running = (stop_committing.clone(), records.clone());
        watch::beating(&beats, running.0.clone(), ("time", limits::BEAT_MS), |beat| async move {
            running.0.run_until_cancelled(running.1.note_running(beat)).await;
        });
        watch::beating(&beats, stop_committing.clone(), ("replays", limits::BEAT_LONG_MS), filling_replays);
        let ending = Arc::new(Beat::within(limits::BEAT_LONG_MS));
        beats.add("lost fights", Arc::clone(&ending));
        let log = taker.as_ref().map(|taker| taker.node().clone());
        watch::once("lost fights", end_lost_fights(records.clone(), hub.clone(), log, ending));
        let commits = committer.run(hub.clone(), observer, retention_ms, stop_committing.clone());
        let committing = watch::until(stop_committing.clone(), "committer", commits);
        beats.add("committer", Arc::clone(records.beat()));
        if let Some(figures) = records.store().figures() {
            beats.add("upkeep of the store", Arc::clone(&figures.upkeep));
        }
        let app = Arc::new(AppState {
            hub,
            beats,
            cluster: keeping.as_ref().map(|keeping| keeping.cluster.clone()),
            failover: Arc::default(),
            tickets: Tickets::new(own),
            key,
            lobby,
            origins: Origins::new(config.allow_origin.clone()),
            metrics,
            rates: RateLimits::new(&config),
            ledger: Ledger::new(Allowance::of(&config).burst()),
            records,
            counting,
            idempotency: Keys::default(),
            library,
            stories: Arc::default(),
            guests: config.guests(),
            own_url: config.advertise.clone().unwrap_or_else(|| url(address, tls.is_some())),
            tls,
            advertised: config.advertise.is_some(),
            also_at: config.also_at.clone(),
            started: Instant::now(),
            draining: CancellationToken::new(),
            stopping: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        tell_of_guests(&config);
        let (stop, doors) = (&app.stopping, accept::Doors::new(&config));
        let beating = |name| (name, limits::BEAT_MS);
        let accepting = watch::beating(&app.beats, stop.clone(), beating("accepting connections"), |beat| {
            accept::run(listener, rest::service(&app), Arc::clone(&app), doors, beat)
        });
        watch::beating(&app.beats, stop.clone(), beating("new tokens of sockets"), |beat| {
            renewal::run(handed_in, Arc::clone(&app), beat)
        });
        for wishes in wishes {
            watch::beating(&app.beats, stop.clone(), beating("rooms"), |beat| {
                records::rooms::serve(app.records.clone(), app.hub.clone(), app.cluster.clone(), wishes, beat)
            });
        }
        look_after(&app, refresher, keeper);
        let drain = Duration::from_secs(config.drain_seconds);
        Keeping::begin(keeping.as_ref(), &app, taker);
        Ok(Self { address, app, accepting, shards, committing, stop_committing, keeping, drain })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.address
    }

    /// How it is reached on this machine.
    pub fn url(&self) -> String {
        url(self.address, self.app.tls.is_some())
    }

    /// Begins to stop: not ready any more. [`Server::join`] sees it through.
    pub fn drain(&self) {
        self.app.draining.cancel();
    }

    /// Cancelled when it stops, or to have it stop at once when it drains.
    pub fn stopping(&self) -> CancellationToken {
        self.app.stopping.clone()
    }

    /// Waits until it is told to stop, says so as long as it should, then stops: requests in flight are answered, shards write what they
    /// have and close their sockets. That takes less than eight seconds.
    pub async fn join(self) {
        self.app.draining.cancelled().await;
        let _ = self.app.stopping.run_until_cancelled(tokio::time::sleep(self.drain)).await;
        if let Some(Keeping { cluster, .. }) = &self.keeping {
            cluster.leaves().await;
        }
        self.app.stopping.cancel();
        self.app.tasks.close();
        let tasks = &self.app.tasks;
        // One that hangs in accepting connections does not end, and holds nothing up.
        let requests = async { tokio::join!(self.accepting, tasks.wait()) };
        let _ = tokio::time::timeout(Duration::from_millis(REQUESTS_FIRST_MS), requests).await;
        let hub = self.app.hub.clone();
        // Both wait for the shards, which may be busy: off the runtime's threads.
        let shards = tokio::task::spawn_blocking(move || {
            hub.drain();
            self.shards.into_iter().map(thread::JoinHandle::join).filter(Result::is_err).count()
        });
        let rest = async { tokio::join!(tasks.wait(), shards) };
        match tokio::time::timeout(Duration::from_millis(REST_MS), rest).await {
            Ok(((), Ok(0))) => tracing::info!("stopped"),
            Ok(((), failed)) => tracing::error!(?failed, "shards ended by a panic"),
            Err(_elapsed) => tracing::warn!("stopped before everything had ended"),
        }
        // Last, so that what the shards have left is kept too.
        self.stop_committing.cancel();
        let patience = Duration::from_millis(self.app.records.store().patience_ms() * 2);
        if tokio::time::timeout(patience, self.committing).await.is_err() {
            tracing::warn!("stopped before the store had everything; the log has it");
        }
        if let Some(Keeping { task, stop, .. }) = self.keeping {
            drop(stop);
            // Without it the others find out by themselves, a second later.
            let _ = tokio::time::timeout(Duration::from_millis(limits::REDIS_ANSWER_MS), task).await;
        }
    }
}

/// Who reads the keys of others again and again, where there are any; they have been read once.
async fn keys_of_others(config: &Config, key: &KeyRing) -> Result<Option<Refresher>, ServerError> {
    let Some(from) = config.jwks.clone() else { return Ok(None) };
    let started = Refresher::start(key.clone(), from.clone(), Pace::default()).await;
    started.map(Some).map_err(|error| ServerError::Jwks { from, error })
}

/// Joins the cluster, if there is one, and keeps this node in it from then on.
async fn join_cluster(config: &Config, key: &TokenKey, own_url: &str) -> Result<Option<Keeping>, ClusterError> {
    let Some(keeper) = cluster::Keeper::join(config, key, own_url).await? else { return Ok(None) };
    let (cluster, stop) = (keeper.cluster(), CancellationToken::new());
    let beat = Arc::new(Beat::within(limits::BEAT_LONG_MS));
    let task = watch::until(stop.clone(), "the cluster", keeper.run(stop.clone(), Arc::clone(&beat)));
    Ok(Some(Keeping { cluster, beat, task, stop: stop.drop_guard() }))
}

impl Keeping {
    /// The node serves: the others, where there are any, may ask it.
    fn begin(keeping: Option<&Self>, app: &App, taker: Option<Taker>) {
        let Some(Self { cluster, beat, .. }) = keeping else { return };
        app.beats.add("cluster", Arc::clone(beat));
        let (hub, records) = (app.hub.clone(), app.records.clone());
        let log = taker.as_ref().map(|taker| taker.log().to_owned());
        cluster.begin(log, move || {
            let stats = hub.stats();
            let others: usize = records.figures().iter().map(|figures| figures.live).sum();
            Load { sessions: stats.live_sessions + others as u64, connections: stats.connections }
        });
        let stop = &app.stopping;
        watch::until(stop.clone(), "neighbours", cluster::sentry(cluster.clone(), stop.clone()));
        let Some(taker) = taker else { return };
        let (hub, records, figures) = (app.hub.clone(), app.records.clone(), Arc::clone(&app.failover));
        let failover = Failover::new(cluster.clone(), hub, records, taker, figures);
        watch::beating(&app.beats, stop.clone(), ("failover", limits::BEAT_LONG_MS), |beat| {
            failover.run(stop.clone(), beat)
        });
    }
}

fn tell_of_guests(config: &Config) {
    if config.guests() {
        let why = if config.allow_guests { "--allow-guests" } else { "only this machine can connect" };
        tracing::info!("guests are admitted ({why})");
    }
}

fn url(address: SocketAddr, has_tls: bool) -> String {
    format!("{}://{address}", if has_tls { "https" } else { "http" })
}

/// Who looks after what is shown over TLS, and what has that done at once.
type Looks = (Keeper, Signal);

/// What is shown over TLS, if that is spoken, and who looks after it.
fn open_tls(config: &Config, metrics: &Metrics) -> Result<Option<(Arc<Identity>, Looks)>, ServerError> {
    let Some((cert, key)) = config.tls_cert.clone().zip(config.tls_key.clone()) else { return Ok(None) };
    let (identity, keeper) = Identity::open(Files { cert, key }, metrics.tls())?;
    Ok(Some((identity, (keeper, signals::hang_up().map_err(ServerError::Signal)?))))
}

/// What a start has read of the store.
struct Read {
    counting: Arc<Counting>,
    records: Records,
    committer: Committer,
    found: Soundness,
}

/// Opens the store and reads what is needed of it. Where it turns out that it cannot be read, an empty one is begun in its place, if
/// that is accepted.
async fn read_store(place: &Place, config: &Config, metrics: &Metrics) -> Result<Read, ServerError> {
    let (node, sync, accept_loss) = (config.node.as_str(), config.sync, config.accept_loss);
    let patience = Instant::now() + Duration::from_millis(limits::STORE_START_MS);
    loop {
        match read(place.open(node, sync, accept_loss).await?, place, config, metrics).await {
            Err(ServerError::Store(StoreError::Damaged(what))) => {
                return read(place.anew(node, sync, accept_loss, what).await?, place, config, metrics).await;
            }
            // It is there, but slow: a request would be told to come back, and so does a start.
            Err(ServerError::Store(StoreError::Unavailable(why))) if Instant::now() < patience => {
                tracing::warn!(why, "the store did not answer in time; it is read again");
                tokio::time::sleep(Duration::from_millis(limits::STORE_PAUSE_MS)).await;
            }
            read => return read,
        }
    }
}

async fn read(
    mut store: Box<dyn Store>,
    place: &Place,
    config: &Config,
    metrics: &Metrics,
) -> Result<Read, ServerError> {
    store.set_patience_ms(config.store_timeout_ms);
    let counting = Arc::new(Counting::restored(&*store, &config.node, metrics.commits.clone()).await?);
    let started = Instant::now();
    let (records, committer) = Records::open(store, &config.node).await?;
    let live: usize = records.figures().iter().map(|figures| figures.live).sum();
    tracing::info!(sessions = live, elapsed_ms = started.elapsed().as_millis(), "store read");
    let found = check_store(place, &records, config).await?;
    Ok(Read { counting, records, committer, found })
}

/// Has the store checked: before it is served where that is quick, else beside. Damaged rows are told and left out. What would make
/// lists and look-ups miss rows is a reason not to start, unless the operator takes the loss. Says what was found.
async fn check_store(place: &Place, records: &Records, config: &Config) -> Result<Soundness, ServerError> {
    let checked = records.clone();
    let check = tokio::spawn(async move {
        let found =
            checked.store().check().await.inspect_err(|error| tracing::error!(%error, "the store was not checked"))?;
        for damage in found.structure.iter().chain(&found.counts).chain(&found.named) {
            tracing::error!("the store is damaged: {damage}");
        }
        tracing::info!(rows = found.rows, damaged = found.count(), "store checked");
        Ok::<_, StoreError>(found)
    });
    let Ok(found) = tokio::time::timeout(Duration::from_millis(limits::STORE_CHECK_MS), check).await else {
        tracing::info!("the store is large: it is checked while it is served");
        return Ok(Soundness::default());
    };
    let found = found.map_err(ServerError::Lost)??;
    match found.structure.is_empty() {
        false if !config.accept_loss => Err(place.damaged(found.to_string(), false).into()),
        false if found.is_past_mending => Err(StoreError::Damaged(found.to_string()).into()),
        _ => Ok(found),
    }
}

/// Has the store written to from here on. Before that damaged rows are taken out, where their loss is accepted, so that they are told
/// once; and counts and indexes are made anew where something is wrong with them.
async fn begin_store(
    place: &Place,
    records: &Records,
    found: &Soundness,
    accept_loss: bool,
) -> Result<(), ServerError> {
    let store = records.store();
    store.begin().await?;
    let failed = |error| match error {
        StoreError::Damaged(what) => place.damaged(format!("it cannot be mended: {what}"), accept_loss).into(),
        error => ServerError::Store(error),
    };
    let taken = if accept_loss && found.damaged > 0 { store.take_out().await.map_err(failed)? } else { 0 };
    if taken > 0 || !found.structure.is_empty() || !found.counts.is_empty() {
        store.mend().await.map_err(failed)?;
        tracing::warn!("the store's counts and indexes have been made anew from what can be read");
    }
    Ok(())
}

/// Ends shards that nobody has been served by.
async fn end_shards(hub: Hub, shards: Vec<thread::JoinHandle<()>>) {
    let ended = tokio::task::spawn_blocking(move || {
        hub.drain();
        shards.into_iter().map(thread::JoinHandle::join).filter(Result::is_err).count()
    });
    if !matches!(ended.await, Ok(0)) {
        tracing::error!("shards ended by a panic");
    }
}

/// Writes a key that was made: one that is left by a start that was refused would be in the way of the right one.
fn keep_key(unwritten: Option<Unwritten>, data: &Path) -> Result<(), ServerError> {
    let Some(unwritten) = unwritten else { return Ok(()) };
    unwritten.write()?;
    let data = data.display();
    tracing::info!("made a token key; `tiltyard token --data {data} --player UUID` prints a token");
    Ok(())
}

/// Warns where the tokens of before are good no more, and notes which key this start had.
async fn tell_of_key(own: &TokenKey, data: &Path, records: &Records) {
    let known = own.known(data);
    let fights = if own.made { live_fights(records, |_, _| true).await.unwrap_or_default() } else { 0 };
    let sessions = fights + records.figures().iter().map(|figures| figures.live).sum::<usize>();
    let what = match known {
        Known::Same => return,
        Known::Never if own.made && sessions > 0 => "there was no token key, and a new one was made beside sessions",
        known => known.damage(own.made).unwrap_or_default(),
    };
    if !what.is_empty() {
        tracing::warn!(
            sessions,
            "{what}: every login, token, refresh token and ticket of before is void. Where that was not meant, stop, put the token.key of before back, and start again"
        );
    }
    if let Err(error) = own.note(data) {
        tracing::warn!(%error, "which token key there is was not noted: that it has changed would not be noticed");
    }
}

/// Recovery reads files and may take its time: off the runtime's threads.
async fn start_shards(
    config: &Config,
    records: &Records,
    library: &Arc<Library>,
    (renewals, desks): (Renewals, Desks),
) -> Result<(Hub, Vec<thread::JoinHandle<()>>, Option<Taker>), ServerError> {
    let (book, library) = (Arc::clone(records.book()), Arc::clone(library));
    let settings = ShardConfig {
        shards: config.shards,
        data: config.data.clone(),
        redis: config.redis_log.clone().map(|url| (url, config.node.clone())),
        sync: config.sync,
        accept_loss: config.accept_loss,
        allowance: Allowance::of(config),
        renewals,
        desks,
        book,
        library,
    };
    // A data folder that has had a log, and a store that has fights of it: not a first start.
    if let Some(gone) = recovery::gone(&config.data).filter(|_| !config.accept_loss && config.redis_log.is_none())
        && live_fights(records, |_, _| true).await? > 0
    {
        return Err(at_stake(gone, records).await);
    }
    let (runtime, book) = (Handle::current(), records.clone());
    let start = move || shard::start_with(&settings, |live| runtime.block_on(book.standing_of(live)));
    match tokio::task::spawn_blocking(start).await.map_err(ServerError::Lost)? {
        Ok(Started { peers, threads, taker }) => Ok((Hub::new(peers), threads, taker)),
        Err(StartError::Recovery(error)) if error.is_loss() => Err(at_stake(error, records).await),
        Err(error) => Err(error.into()),
    }
}

async fn at_stake(error: RecoveryError, records: &Records) -> ServerError {
    let looked_for = tokio::task::spawn_blocking(move || (error.at_stake(), error));
    let (at_stake, error) = match looked_for.await {
        Ok(looked) => looked,
        Err(lost) => return ServerError::Lost(lost),
    };
    match AtStake::of(records, |session, epoch| at_stake.concerns(session, epoch)).await {
        Ok(at_stake) => ServerError::Log { error, at_stake: Box::new(at_stake) },
        Err(_unknown) => StartError::from(error).into(),
    }
}

/// Starts what looks after the server beside its work.
fn look_after(app: &App, refresher: Option<Refresher>, keeper: Option<Looks>) {
    let stop = &app.stopping;
    watch::beating(&app.beats, stop.clone(), ("upkeep", limits::BEAT_MS), |beat| upkeep(Arc::clone(app), beat));
    if let Some(refresher) = refresher {
        watch::beating(&app.beats, stop.clone(), ("keys of others", limits::BEAT_LONG_MS), |beat| {
            refresher.run(stop.clone(), beat)
        });
    }
    if let Some((keeper, hang_up)) = keeper {
        watch::beating(&app.beats, stop.clone(), ("the certificate", limits::BEAT_LONG_MS), |beat| {
            keeper.run(hang_up, stop.clone(), beat)
        });
    }
}

async fn upkeep(app: App, beat: Arc<Beat>) {
    let pause = || tokio::time::sleep(Duration::from_millis(UPKEEP_MS));
    while beat.idle(app.stopping.run_until_cancelled(pause())).await.is_some() {
        clock::look();
        app.metrics.upkeep();
        app.rates.forget();
        app.ledger.forget();
        // A thread gives back its own heap and no other's: as many tasks at once as there are workers reach them all, unless one is busy,
        // which then has its turn another time.
        for _ in 0..Handle::current().metrics().num_workers() {
            tokio::spawn(async { memory::give_back() });
        }
    }
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
