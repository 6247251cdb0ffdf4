//! Fights whose node lives no more go on here: what that node had in the log in Redis is shared out among those that live, each of which takes
//! its part over and goes on with it.
//!
//! Who lives is only a hint ([`crate::cluster`]), and so is who comes first for a session: two nodes may think so at the same time, and whoever
//! had it may live. The log decides who has it, and refuses everything of who had it from then on. So nothing acknowledged is lost, and
//! nothing happens twice, whatever the clocks, the directory and the network do.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use thiserror::Error;
use tiltyard_protocol::Reason;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::book::News;
use crate::clock;
use crate::cluster::Cluster;
use crate::hub::Hub;
use crate::limits;
use crate::ops::beat::Beat;
use crate::records::{Kept, Records, fights};
use crate::shard::recovery::{RecoveryError, Taken, Taker};
use crate::shard::{Logged, SessionRecord};
use crate::store::StoreError;

/// What is counted.
#[derive(Debug, Default)]
pub struct Figures {
    /// Sessions of other nodes that go on here.
    pub taken: AtomicU64,
    /// Those that were ended, as they could not be gone on with.
    pub ended: AtomicU64,
    /// Times one was left where it is: this node cannot go on with it.
    pub left: AtomicU64,
    /// Rounds that were given up: the log, the store or a shard did not answer.
    pub failed: AtomicU64,
}

/// Goes on with what nodes had that live no more.
#[derive(Debug)]
pub struct Failover {
    cluster: Cluster,
    hub: Hub,
    records: Records,
    figures: Arc<Figures>,
    /// `None` while it works in a thread of its own, and for ever if that was lost.
    taker: Option<Taker>,
    /// Which process has the log, and since when that is known.
    log: Option<(String, Instant)>,
    /// Since when nodes are missed that have sessions.
    missed: HashMap<String, Instant>,
    /// Sessions that were left, which has been said.
    left: HashSet<Uuid>,
    /// Those that are this node's by now, and live nowhere yet.
    waiting: Vec<(Uuid, SessionRecord)>,
    /// Something was asked of the log, and the answer was lost: it may have been done.
    is_unsure: bool,
    /// Those of this node's list that no shard had at the last look.
    unheard: HashSet<Uuid>,
    /// The last round was given up, which has been said.
    is_told: bool,
    /// Sessions that were said anew to a log that had lost something of them.
    restored: u64,
}

/// Why a round was given up. The next begins where it ended.
#[derive(Debug, Error)]
enum Failed {
    #[error(transparent)]
    Log(#[from] RecoveryError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("a shard does not take it: {0}")]
    Shard(Reason),
    #[error("the thread that read the log was lost")]
    Lost,
}

impl Failover {
    pub fn new(cluster: Cluster, hub: Hub, records: Records, taker: Taker, figures: Arc<Figures>) -> Self {
        Self {
            cluster,
            hub,
            records,
            figures,
            taker: Some(taker),
            log: None,
            missed: HashMap::new(),
            left: HashSet::new(),
            waiting: Vec::new(),
            is_unsure: false,
            unheard: HashSet::new(),
            is_told: false,
            restored: 0,
        }
    }

    /// Looks for orphans whenever a node goes, and now and then, until `stop`.
    pub async fn run(mut self, stop: CancellationToken, beat: Arc<Beat>) {
        let mut changes = self.cluster.changes();
        loop {
            beat.beat();
            let pause = match self.round(&beat).await {
                Ok(()) => {
                    self.is_told = false;
                    limits::ORPHANS_LOOK_MS
                }
                Err(Failed::Shard(Reason::Draining)) => break,
                Err(error) => {
                    self.figures.failed.fetch_add(1, Ordering::Relaxed);
                    if !std::mem::replace(&mut self.is_told, true) {
                        tracing::warn!(%error, "if a node was gone now, its sessions could not be taken over; tried again until they can be");
                    }
                    limits::ORPHANS_AGAIN_MS
                }
            };
            let news = tokio::time::timeout(Duration::from_millis(pause), changes.changed());
            if beat.idle(stop.run_until_cancelled(news)).await.is_none() {
                break;
            }
        }
        beat.done();
    }

    async fn round(&mut self, beat: &Beat) -> Result<(), Failed> {
        self.bring_in(beat).await?;
        let (process, nodes) = self.ask(Taker::survey).await?;
        let restored = self.hub.stats().log_redis_restored;
        if self.log.as_ref().is_none_or(|(known, _)| *known != process) || restored != self.restored {
            // At first as well: the other one may have gone a moment ago. Likewise where it has turned out to lack something.
            self.log = Some((process, Instant::now()));
        }
        self.restored = restored;
        let is_calm = |(_, since): &(String, Instant)| since.elapsed() >= Duration::from_millis(limits::LOG_GRACE_MS);
        let missed: Vec<String> =
            nodes.into_iter().filter(|name| self.cluster.is_linked() && !self.cluster.is_there(name)).collect();
        self.missed.retain(|name, _| missed.contains(name));
        if !self.cluster.is_calm() || !self.log.as_ref().is_some_and(is_calm) {
            return Ok(());
        }
        for name in missed {
            self.orphans_of(&name, beat).await?;
        }
        self.look_for_unheard().await?;
        self.bring_in(beat).await
    }

    /// Takes over what is this node's part of another's sessions.
    async fn orphans_of(&mut self, name: &str, beat: &Beat) -> Result<(), Failed> {
        let since = *self.missed.entry(name.to_owned()).or_insert_with(Instant::now);
        let all = since.elapsed() >= Duration::from_millis(limits::ORPHAN_HEIR_MS);
        let of = name.to_owned();
        let mut sessions = self.ask(move |taker| taker.sessions_of(&of)).await?;
        sessions.retain(|&session| all || self.cluster.is_heir(session));
        if sessions.iter().all(|session| self.left.contains(session)) {
            return Ok(());
        }
        tracing::info!(node = name, sessions = sessions.len(), "sessions of a node that lives no more are taken over");
        let (started, mut taken) = (Instant::now(), 0);
        for some in sessions.chunks(limits::ORPHANS_AT_ONCE) {
            // It may be back: then it goes on with what is left.
            if self.cluster.is_there(name) || !self.cluster.is_calm() {
                break;
            }
            beat.beat();
            let (of, these) = (name.to_owned(), some.to_vec());
            let found = self.ask(move |taker| taker.take(&of, &these)).await?;
            taken += self.found(name, found).await?;
            self.bring_in(beat).await?;
        }
        let elapsed_ms = started.elapsed().as_millis();
        tracing::info!(node = name, taken, elapsed_ms, "sessions of a node that lives no more go on here");
        Ok(())
    }

    /// After an answer was lost: sessions that were claimed for this node, and which nobody here has heard of. What no shard has twice, a second
    /// apart, is not on its way into one or out of it.
    async fn look_for_unheard(&mut self) -> Result<(), Failed> {
        if !self.is_unsure && self.unheard.is_empty() {
            return Ok(());
        }
        self.is_unsure = false;
        let mut missing = HashSet::new();
        for session in self.ask(Taker::own).await? {
            match self.hub.seats(session, [Uuid::nil(); 2]).await.map_err(|refusal| refusal.reason) {
                Err(Reason::NoSession) => drop(missing.insert(session)),
                Err(Reason::Draining) => return Err(Failed::Shard(Reason::Draining)),
                _ => {}
            }
        }
        let twice: Vec<Uuid> = missing.intersection(&self.unheard).copied().collect();
        self.unheard = missing.difference(&self.unheard).copied().collect();
        for some in twice.chunks(limits::ORPHANS_AT_ONCE) {
            let these = some.to_vec();
            let found = self.ask(move |taker| taker.unheard(&these)).await?;
            let own = self.records.node().to_owned();
            self.found(&own, found).await?;
        }
        Ok(())
    }

    /// Notes what was found of a node's sessions; how many are this node's by now.
    async fn found(&mut self, name: &str, Taken { records, settled, failed, left }: Taken) -> Result<usize, Failed> {
        let count = records.len();
        self.waiting.extend(records.into_iter().map(|record| (record.id, record)));
        for (session, error) in left {
            self.figures.left.fetch_add(1, Ordering::Relaxed);
            if self.left.insert(session) {
                tracing::error!(%session, %error, "a session of a node that lives no more cannot go on here");
            }
        }
        self.left.retain(|session| !settled.contains(session));
        for &session in &failed {
            self.end(session).await?;
        }
        let gone: Vec<Uuid> = settled.iter().chain(&failed).copied().collect();
        let of = name.to_owned();
        self.ask(move |taker| {
            taker.settle(&of, &gone)?;
            if failed.is_empty() { Ok(()) } else { taker.forget(&failed) }
        })
        .await?;
        Ok(count)
    }

    /// Has the sessions live that are this node's by now.
    async fn bring_in(&mut self, beat: &Beat) -> Result<(), Failed> {
        while !self.waiting.is_empty() {
            beat.beat();
            let some = self.waiting.len().saturating_sub(limits::ORPHANS_AT_ONCE);
            let logged = |(_, record): &(Uuid, SessionRecord)| Logged {
                id: record.id,
                seq: record.fight.seq(),
                epoch: record.epoch,
            };
            let live: Vec<Logged> = self.waiting[some..].iter().map(logged).collect();
            let standing = self.records.standing_of(&live).await?;
            let batch = self.waiting.split_off(some);
            let (over, batch): (Vec<_>, Vec<_>) = batch.into_iter().partition(|(id, _)| standing.ended.contains(id));
            let known = |id: &Uuid| standing.epochs.get(id).copied().unwrap_or_default();
            let mut asked = JoinSet::new();
            for (id, record) in batch {
                let (hub, known) = (self.hub.clone(), known(&id));
                asked.spawn(async move {
                    let answer = hub.take_over(record.clone(), known).await;
                    (id, record, answer.map_err(|refusal| refusal.reason))
                });
            }
            let mut refused = None;
            let mut here: Vec<Uuid> = over.iter().map(|(id, _)| *id).collect();
            let is_over: Vec<Uuid> = here.clone();
            for (id, record, answer) in asked.join_all().await {
                match answer {
                    Ok(()) => {
                        self.figures.taken.fetch_add(1, Ordering::Relaxed);
                        self.cluster.owned(id, self.records.node().into());
                        here.push(id);
                    }
                    // Somebody else has it by now.
                    Err(Reason::Fenced) => here.push(id),
                    Err(reason) => {
                        refused = Some(reason);
                        self.waiting.push((id, record));
                    }
                }
            }
            let names: Vec<String> = self.missed.keys().cloned().collect();
            self.ask(move |taker| {
                for name in &names {
                    taker.settle(name, &here)?;
                }
                if is_over.is_empty() { Ok(()) } else { taker.forget(&is_over) }
            })
            .await?;
            if let Some(reason) = refused {
                return Err(Failed::Shard(reason));
            }
        }
        Ok(())
    }

    /// A session that cannot go on has ended.
    async fn end(&self, session: Uuid) -> Result<(), Failed> {
        self.figures.ended.fetch_add(1, Ordering::Relaxed);
        let kept = self.records.kept(session).await.map_err(|refusal| Failed::Shard(refusal.reason))?;
        if let Some(Kept::Fight(fight)) = kept.map(|owned| owned.kept)
            && !fight.has_ended()
        {
            self.records.book().put(fights::lost((*fight).clone(), clock::now()), News::Ended);
        }
        Ok(())
    }

    /// Has the log asked, in a thread that may wait.
    async fn ask<T: Send + 'static>(
        &mut self,
        what: impl FnOnce(&mut Taker) -> Result<T, RecoveryError> + Send + 'static,
    ) -> Result<T, Failed> {
        let mut taker = self.taker.take().ok_or(Failed::Lost)?;
        let asked = tokio::task::spawn_blocking(move || {
            let told = what(&mut taker);
            (taker, told)
        });
        let (taker, told) = asked.await.map_err(|_| Failed::Lost)?;
        self.taker = Some(taker);
        self.is_unsure |= told.is_err();
        Ok(told?)
    }
}
