//! Sessions that somebody is connected to, and their shards. Such a session is *watched*: each of its changes is told to its shard once it is
//! committed. Of the others nobody is told anything, and it costs them a look at one number.
//!
//! What a shard knows of a session is never older than what it was told: whether a session may be joined is read, the watch begun, and
//! both put into the shard's inbox, under the lock without which the committer shows nothing.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tiltyard_protocol::Reason;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::body::Body;
use super::change::{Change, Changed};
use super::ended::{Kept, Owned};
use super::{Record, Records, Shared};
use crate::clock::now_ms;
use crate::cluster::Cluster;
use crate::hub::Hub;
use crate::json::Json;
use crate::limits;
use crate::ops::beat::Beat;
use crate::session::{Expected, Kind, Refusal};
use crate::shard::connection::ConnKey;
use crate::shard::room::desk::{Changed as Step, Declined, Facts, News, Wanted, Wish};

/// The sessions that are watched.
#[derive(Debug, Default)]
pub struct Watches {
    count: AtomicUsize,
    lists: Mutex<Lists>,
}

#[derive(Debug, Default)]
struct Lists {
    watched: HashSet<Uuid>,
    /// Those of which a shard could not be told, as its inbox was full, and is to be.
    late: HashSet<Uuid>,
}

impl Watches {
    /// Whether changes of the session are told.
    pub fn has(&self, session: Uuid) -> bool {
        // Whoever begins to watch has the lock that whoever changes a session takes before asking this.
        self.count.load(Ordering::Relaxed) > 0 && self.lock().watched.contains(&session)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }

    pub(super) fn begin(&self, session: Uuid) {
        let mut lists = self.lock();
        lists.watched.insert(session);
        self.count.store(lists.watched.len(), Ordering::Relaxed);
    }

    pub(super) fn end(&self, session: Uuid) {
        let mut lists = self.lock();
        lists.watched.remove(&session);
        self.count.store(lists.watched.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Lists> {
        // Nothing panics while it is held.
        self.lists.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session as its shard is told of it.
fn facts_of(record: &Record) -> Arc<Facts> {
    let state = match &record.body {
        Body::Custom(room) => room.state.clone(),
        Body::Player(_) | Body::Auth(_) => Box::default(),
    };
    Arc::new(Facts {
        kind: record.kind(),
        owner: record.player,
        members: record.members().iter().map(|member| member.player).collect(),
        version: record.version,
        state,
        expires_at: record.expires_at().unwrap_or(record.updated_at),
    })
}

impl Shared {
    /// Tells the shard of a session that it has changed, where that is watched, and how. After it is shown, and before it is answered.
    pub(super) fn tell_room(self: &Arc<Self>, hub: &Hub, record: &Record, steps: Vec<Step>) {
        if !self.watches.has(record.id) {
            return;
        }
        let news = if record.status.is_end() {
            self.watches.end(record.id);
            News::Ended
        } else {
            News::Changed { facts: facts_of(record), changes: steps }
        };
        if hub.room(record.id, news) == Err(Reason::Overloaded) {
            self.tell_late(hub, record.id);
        }
    }

    /// The shard had no room for that: it is told how the session stands as soon as it has.
    fn tell_late(self: &Arc<Self>, hub: &Hub, session: Uuid) {
        if !self.watches.lock().late.insert(session) {
            return;
        }
        let (shared, hub) = (Arc::clone(self), hub.clone());
        tokio::spawn(async move {
            let wait = Duration::from_millis(limits::ROOM_LATE_MS);
            while shared.tell_as_it_is(&hub, session) == Err(Reason::Overloaded) {
                tokio::time::sleep(wait).await;
            }
        });
    }

    fn tell_as_it_is(&self, hub: &Hub, session: Uuid) -> Result<(), Reason> {
        // What changes from here on is told by whoever shows it, behind this.
        let residents = [Kind::Custom, Kind::Player].map(|kind| self.read(kind));
        let record = residents.iter().find_map(|of| of.get(session));
        let news = record.map_or(News::Ended, |record| News::Changed { facts: facts_of(record), changes: Vec::new() });
        let told = hub.room(session, news);
        if told != Err(Reason::Overloaded) {
            self.watches.lock().late.remove(&session);
        }
        told
    }

    /// Whether a player may join a session, with what it is; from then on it is watched. Into the inbox of its shard, if that has room.
    fn open(&self, hub: &Hub, session: Uuid, player: Uuid, conn: ConnKey) -> Result<(), Reason> {
        let residents = Kind::RESIDENT.map(|kind| self.read(kind));
        let ended = || match self.ended.get(session).map(|owned| owned.kept) {
            Some(Kept::Record(record)) => answer_of(&record, player).and(Err(Reason::SessionEnded)),
            _ => Err(Reason::NoSession),
        };
        let opened = match residents.iter().find_map(|of| of.get(session)) {
            Some(record) => answer_of(record, player).map(|()| {
                self.watches.begin(session);
                facts_of(record)
            }),
            None => ended(),
        };
        hub.room(session, News::Opened { conn, opened: opened.map_err(Declined::from) })
    }
}

/// Whether a player may join a session by a socket: the same as may read it.
fn answer_of(record: &Record, player: Uuid) -> Result<(), Reason> {
    match record.body {
        _ if !record.concerns(player) => Err(Reason::NoSession),
        Body::Auth(_) => Err(Reason::WrongType),
        Body::Custom(_) | Body::Player(_) => Ok(()),
    }
}

/// A patch that waits for its commit.
#[derive(Debug)]
struct Waiting {
    session: Uuid,
    conn: ConnKey,
    id: u64,
    answer: oneshot::Receiver<Result<Changed, Refusal>>,
}

/// Does what the connections of one shard wish, in order, until the shard is gone.
pub async fn serve(
    records: Records,
    hub: Hub,
    cluster: Option<Cluster>,
    wishes: flume::Receiver<Wish>,
    beat: Arc<Beat>,
) {
    let mut waiting = VecDeque::new();
    loop {
        let has_room = waiting.len() < limits::PATCHES_COMMITTING;
        let first = async {
            match waiting.front_mut() {
                Some(Waiting { answer, .. }) => answer.await,
                None => std::future::pending().await,
            }
        };
        // For as long as there is neither an answer nor a wish there is nothing to do.
        beat.done();
        tokio::select! {
            biased;
            answer = first => {
                beat.beat();
                let Some(Waiting { session, conn, id, .. }) = waiting.pop_front() else { continue };
                let answer = answer.unwrap_or_else(|_gone| Err(Reason::Draining.into()));
                let patched = answer.and_then(|changed| Ok(changed.record.ok_or(Reason::Internal)?.version));
                hub.room_waiting(session, News::Patched { conn, id, patched: patched.map_err(in_a_room) }).await;
            }
            wish = wishes.recv_async(), if has_room => match wish {
                Ok(wish) => {
                    beat.beat();
                    waiting.extend(do_wish(&records, &hub, cluster.as_ref(), wish).await);
                }
                Err(_gone) => return,
            },
        }
    }
}

/// One that is to be waited for, or nothing where it is done.
async fn do_wish(
    records: &Records,
    hub: &Hub,
    cluster: Option<&Cluster>,
    Wish { session, what }: Wish,
) -> Option<Waiting> {
    match what {
        Wanted::Open { conn, player } => {
            match cluster {
                // The store is asked, which the others here are not to wait for.
                Some(cluster) if records.live(session).is_none() => {
                    let (records, hub, cluster) = (records.clone(), hub.clone(), cluster.clone());
                    tokio::spawn(async move {
                        match elsewhere(&records, &cluster, session, player).await {
                            Some(declined) => {
                                hub.room_waiting(session, News::Opened { conn, opened: Err(declined) }).await;
                            }
                            None => open(&records, &hub, session, player, conn).await,
                        }
                    });
                }
                _ => open(records, hub, session, player, conn).await,
            }
        }
        Wanted::Close => records.0.watches.end(session),
        Wanted::Beat { conn, player, id } => {
            let record = records.0.live_of(Kind::Player, session);
            let record = record.filter(|record| record.player == player).ok_or(Reason::SessionEnded);
            let beaten = record.and_then(|record| {
                if !record.see(now_ms()) {
                    return Err(Reason::SessionEnded);
                }
                record.expires_at().ok_or(Reason::SessionEnded)
            });
            hub.room_waiting(session, News::Beaten { conn, id, beaten }).await;
        }
        Wanted::Patch { conn, player, id, expected, merge } => match ask(records, session, player, expected, &merge) {
            Ok(answer) => return Some(Waiting { session, conn, id, answer }),
            Err(refusal) => {
                let patched = Err(in_a_room(refusal));
                hub.room_waiting(session, News::Patched { conn, id, patched }).await;
            }
        },
    }
    None
}

async fn open(records: &Records, hub: &Hub, session: Uuid, player: Uuid, conn: ConnKey) {
    while records.0.open(hub, session, player, conn) == Err(Reason::Overloaded) {
        tokio::time::sleep(Duration::from_millis(limits::ROOM_LATE_MS)).await;
    }
}

/// Where a session of this player's lives, if that is another node. The store says so: what it cannot say now, nobody knows here.
async fn elsewhere(records: &Records, cluster: &Cluster, session: Uuid, player: Uuid) -> Option<Declined> {
    let Owned { kept, node } = records.kept(session).await.ok()??;
    let concerns = match &kept {
        Kept::Fight(fight) => fight.takes_part(player),
        Kept::Record(record) => answer_of(record, player).is_ok(),
    };
    if kept.has_ended() || cluster.is_me(&node) || !concerns {
        return None;
    }
    Some(match cluster.peer(&node) {
        Some(peer) => Declined { reason: Reason::SessionElsewhere, url: Some(peer.public_url.clone()) },
        None => Reason::NodeUnavailable.into(),
    })
}

fn ask(
    records: &Records,
    session: Uuid,
    player: Uuid,
    version: Option<u64>,
    merge: &str,
) -> Result<oneshot::Receiver<Result<Changed, Refusal>>, Refusal> {
    let record = records.0.live_of(Kind::Custom, session).ok_or(Reason::SessionEnded)?;
    if !record.concerns(player) {
        return Err(Reason::NoSession.into());
    }
    let patch = Json::parse(merge.as_bytes()).map_err(|_fault| Reason::BadFields)?;
    if !matches!(patch, Json::Object(_)) || !patch.beyond_doubles("").is_empty() {
        return Err(Reason::BadFields.into());
    }
    let expected = Expected { version, ..Expected::default() };
    records.ask(Kind::Custom, Change::Patch { id: session, expected, patch, by: Some(player) }, None)
}

/// What it is called where somebody is in the session: it was live when that was asked.
fn in_a_room(refusal: Refusal) -> Refusal {
    match refusal.reason {
        Reason::InvalidTransition => Reason::SessionEnded.into(),
        _ => refusal,
    }
}
