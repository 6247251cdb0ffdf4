//! The loop: poll, read what is ready, drain the inbox, fire what is due, append to the log, write once to every
//! socket that has something to say.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::{Events, Poll, Token, Waker};
use slotmap::{Key, SlotMap};
use tiltyard_combat::Step;
use tiltyard_combat::replay::Loss;
use uuid::Uuid;

use super::admission::Admission;
use super::away::Aways;
use super::commands::Pending;
use super::connection::{BySid, ConnKey, Connection};
use super::frozen::Move;
use super::hand_over::HandedOver;
use super::held::Held;
use super::history::History;
use super::inbox::{Inbox, ShardHandle, inbox};
use super::link::Near;
use super::peers::Peers;
use super::publish::{Moment, Publisher};
use super::room::{Desk, Rooms};
use super::session::{Session, SessionIndex, SessionKey};
use super::stats::Stats;
use super::trim::Checkpoint;
use super::welcome::Rulebooks;
use super::wheel::Wheel;
use crate::book::{News, WriteBehind};
use crate::clock;
use crate::limits;
use crate::log::{Log, redis};
use crate::ops::{memory, watch};
use crate::replays::{ChunkWriter, Folder, Recording};
use crate::rules::Library;
use crate::session::FightInfo;
use crate::shard::recovery::Found;
use crate::shard::{Command, Entry, InStore, Renewals, SessionRecord};
use crate::socket::budget::Allowance;
use crate::socket::outbox::Pool;

/// What the poll calls the waker; no connection has this number.
const WAKER: Token = Token(usize::MAX);

/// Readiness events taken in one poll. More wait for the next turn.
const EVENTS: usize = 4096;

/// A shard's thread: everything it owns.
#[derive(Debug)]
pub struct Worker {
    pub(super) number: usize,
    /// How fast a connection may send.
    pub(super) allowance: Allowance,
    /// Where connections' new credentials go to be checked.
    pub(super) renewals: Renewals,
    /// The way to whoever has the sessions that are no fights.
    pub(super) desk: Desk,
    pub(super) poll: Poll,
    pub(super) inbox: Inbox,
    pub(super) log: Log,
    /// Turns that the log has not kept yet, the oldest first.
    pub(super) held: VecDeque<Held>,
    /// What sessions record and have no room for.
    pub(super) chunks: ChunkWriter,
    pub(super) sessions: SlotMap<SessionKey, Session>,
    pub(super) index: SessionIndex,
    /// Those of them that change hands.
    pub(super) moves: BTreeMap<SessionKey, Move>,
    /// Whether it can be said of some of these whose they are.
    pub(super) moves_due: bool,
    /// Sessions that have left, and which the log has not forgotten yet.
    pub(super) handed_over: VecDeque<HandedOver>,
    /// Has the rulesets of sessions that come.
    pub(super) library: Arc<Library>,
    /// Where the store's news of fights go.
    pub(super) book: Arc<WriteBehind>,
    /// Sessions that are no fights, and somebody is connected to.
    pub(super) rooms: Rooms,
    pub(super) connections: SlotMap<ConnKey, Connection>,
    pub(super) by_sid: BySid,
    /// Logins that have ended, and the shard's time when that was: their connections may be on their way here.
    pub(super) ended_logins: HashMap<Uuid, u64>,
    /// The other shards, and this one.
    pub(super) peers: Peers,
    /// The connections here of sockets of other shards, each for one session.
    pub(super) far: HashMap<(Near, Uuid), ConnKey>,
    /// How many links connections here have had to sessions elsewhere.
    pub(super) links_made: u64,
    /// What must be said to other shards, whose inboxes were full.
    pub(super) unsaid: VecDeque<(usize, Command)>,
    /// Connections with something for other shards, likewise.
    pub(super) again: Vec<ConnKey>,
    /// What other shards said while the log could not be written.
    pub(super) stash: VecDeque<Command>,
    /// Joins that wait for their turn.
    pub(super) admission: Admission,
    pub(super) wheel: Wheel<Timer>,
    pub(super) clock: Clock,
    pub(super) stats: Stats,
    /// The next session's number in the journal.
    pub(super) next_no: u32,
    /// Asked to stop: no new connections, the ones there are being closed.
    pub(super) draining: bool,
    /// How many messages there had been at the last look for memory to give back.
    messages_tidied: u64,
    /// The checkpoint that is being written, a part in every turn.
    pub(super) checkpoint: Option<Checkpoint>,
    /// When one that could not be written is gone on with.
    pub(super) trim_at: u64,
    /// Microseconds and bytes of a turn for a part of a checkpoint.
    pub(super) part: (u128, usize),
    /// Milliseconds for which a turn's answers wait for the log.
    pub(super) answer_ms: u64,
    /// Milliseconds for which a session is held for a hand-over.
    pub(super) hand_over_ms: u64,

    // What a turn leaves for its end, and buffers kept between turns.
    /// Connections for which the turn has made something.
    pub(super) dirty: Vec<ConnKey>,
    /// The same of the turn that has just ended, where the log has kept it already.
    pub(super) kept: Vec<ConnKey>,
    /// Connections with something to write that may be shown.
    pub(super) ready: Vec<ConnKey>,
    /// Connections whose last read filled the buffer: no new readiness will tell.
    pub(super) more: Vec<ConnKey>,
    /// Connections with more waiting for them than an outbox may hold.
    pub(super) overfull: Vec<ConnKey>,
    /// Connections that broke, in order, until their sessions hear of it.
    pub(super) lost: VecDeque<ConnKey>,
    /// Connections of fenced sessions, until their other sessions hear that they are closed.
    pub(super) fenced: Vec<ConnKey>,
    /// Who has left which session in this turn.
    pub(super) left: Vec<(Uuid, ConnKey)>,
    /// Sessions of which the store has to be told.
    pub(super) announced: Vec<(SessionKey, News)>,
    /// Sessions that this turn has ended because stepping them panicked, and what is recorded of them.
    pub(super) failed: Vec<(FightInfo, Recording)>,
    /// Sessions that the store has under higher epochs, until the next turn.
    pub(super) overtaken: Vec<Uuid>,
    /// Sessions of other shards of which this turn tells the log.
    pub(super) adopted: Vec<SessionKey>,
    /// Auth sessions with connections here that ended while the log could not be written.
    pub(super) revoked: HashSet<Uuid>,
    /// Answers to other threads, each with the session it is about.
    pub(super) pending: Vec<(Uuid, Pending)>,
    /// Held turns between two uses.
    pub(super) spare: Vec<Held>,
    pub(super) receive: Vec<u8>,
    pub(super) replies: Vec<u8>,
    pub(super) pool: Pool,
    pub(super) due: Vec<Timer>,
    pub(super) step: Step,
    pub(super) publisher: Publisher,
    /// What has been made for members, for those who come back.
    pub(super) history: History,
    /// Seats whose connections are gone.
    pub(super) aways: Aways,
    pub(super) rulebooks: Rulebooks,
    /// Makes the next step panic.
    #[cfg(test)]
    pub(super) step_panics: std::sync::Arc<std::sync::atomic::AtomicBool>,
    /// Milliseconds by which the shard's time is ahead of the real one.
    #[cfg(test)]
    pub(super) clock_skips: std::sync::Arc<std::sync::atomic::AtomicU64>,
}

/// Where a shard stands among the others, and what they share.
#[derive(Debug)]
pub struct Place {
    pub number: usize,
    pub folder: Arc<Folder>,
    /// Has the rulesets of the sessions that are gone on with.
    pub library: Arc<Library>,
    /// How fast a connection may send.
    pub allowance: Allowance,
    /// Where connections' new credentials go to be checked.
    pub renewals: Renewals,
    /// The way to whoever has the sessions that are no fights.
    pub desk: Desk,
    /// What the start found in the log, for one shard to tell.
    pub found: Found,
    /// How the log's sessions stand in the store. Those that have ended are not gone on with.
    pub standing: Arc<InStore>,
}

/// What the wheel wakes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timer {
    Session(SessionKey),
    /// The session has ended a while ago.
    Forget(SessionKey),
    Connection(ConnKey),
    /// The session has been changing hands for long.
    Move(SessionKey),
    /// Look whether there is memory to give back.
    Tidy,
}

/// The shard's time, read once per turn.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    /// When this turn began.
    pub(super) turn: Instant,
    /// Milliseconds since the start, monotonic, without those for which the shard could do nothing.
    pub(super) now: u64,
    /// Milliseconds for which the shard could do nothing: its log could not be written, or the process was stopped.
    pub(super) stood: u64,
    /// Unix milliseconds.
    pub(super) wall: u64,
}

impl Clock {
    fn new() -> Self {
        let now = Instant::now();
        let mut clock = Self { started: now, turn: now, now: 0, stood: 0, wall: 0 };
        clock.read();
        clock
    }

    fn read(&mut self) {
        self.turn = Instant::now();
        self.advance(millis(self.turn.duration_since(self.started)));
        self.wall = clock::unix_ms(clock::at(self.turn));
    }

    /// It is `elapsed` milliseconds since the start. A shard that has nothing to do looks again before long, so what is later than
    /// that by more than a bound is time in which nobody could be served: for sessions and connections it has not passed, so that
    /// nobody forfeits or is idle by it.
    fn advance(&mut self, elapsed: u64) {
        let now = elapsed.saturating_sub(self.stood);
        let latest = self.now + limits::SLEEP_MS + limits::LATE_MS;
        self.stood += now.saturating_sub(latest);
        self.now = now.min(latest);
    }

    #[cfg(test)]
    const fn skip(&mut self, ms: u64) {
        self.now += ms;
        self.wall += ms;
    }

    /// When what is said in this turn is said.
    pub(super) const fn moment(&self) -> Moment {
        Moment { now: self.now, wall: self.wall }
    }

    /// When this turn began, by the wall.
    pub(super) fn wall_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.wall)
    }

    /// How long until the shard's time `at`.
    fn until(&self, at: u64) -> Duration {
        Duration::from_millis(at + self.stood).saturating_sub(self.started.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Worker {
    /// The shard at `place`, going on with `records`.
    pub fn new(
        Place { number, folder, library, allowance, renewals, desk, found, standing }: Place,
        log: impl Into<Log>,
        records: Vec<SessionRecord>,
        book: Arc<WriteBehind>,
    ) -> io::Result<(ShardHandle, Self)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let (handle, inbox) = inbox(limits::INBOX_DEPTH, waker);
        let mut log = log.into();
        log.enter(poll.registry(), handle.waker())?;
        let mut worker = Self {
            number,
            allowance,
            renewals,
            desk,
            poll,
            inbox,
            log,
            held: VecDeque::new(),
            chunks: ChunkWriter::new(Arc::clone(&folder), number),
            sessions: SlotMap::with_key(),
            index: SessionIndex::default(),
            moves: BTreeMap::new(),
            moves_due: false,
            handed_over: VecDeque::new(),
            library: Arc::clone(&library),
            book,
            rooms: Rooms::default(),
            connections: SlotMap::with_key(),
            by_sid: BySid::default(),
            ended_logins: HashMap::new(),
            peers: Peers::default(),
            far: HashMap::new(),
            links_made: 0,
            unsaid: VecDeque::new(),
            again: Vec::new(),
            stash: VecDeque::new(),
            admission: Admission::default(),
            wheel: Wheel::default(),
            clock: Clock::new(),
            stats: Stats {
                log_torn_bytes: found.torn_bytes,
                log_lost_turns: found.lost_frames,
                log_lost_journals: found.lost_journals,
                log_missing_bytes: found.missing_bytes,
                panics: found.failed,
                ..Stats::default()
            },
            next_no: 0,
            draining: false,
            messages_tidied: 0,
            checkpoint: None,
            trim_at: 0,
            part: (limits::CHECKPOINT_PART_US, limits::CHECKPOINT_PART_BYTES),
            answer_ms: limits::LOG_ANSWER_MS,
            hand_over_ms: limits::HAND_OVER_MS,
            dirty: Vec::new(),
            kept: Vec::new(),
            ready: Vec::new(),
            more: Vec::new(),
            overfull: Vec::new(),
            lost: VecDeque::new(),
            fenced: Vec::new(),
            left: Vec::new(),
            announced: Vec::new(),
            failed: Vec::new(),
            overtaken: Vec::new(),
            adopted: Vec::new(),
            revoked: HashSet::new(),
            pending: Vec::new(),
            spare: Vec::new(),
            receive: vec![0; limits::READ_BYTES],
            replies: Vec::new(),
            pool: Pool::default(),
            due: Vec::new(),
            step: Step::default(),
            publisher: Publisher::default(),
            history: History::default(),
            aways: Aways::default(),
            rulebooks: Rulebooks::default(),
            #[cfg(test)]
            step_panics: std::sync::Arc::default(),
            #[cfg(test)]
            clock_skips: std::sync::Arc::default(),
        };
        worker.wheel.insert(limits::TIDY_MS, Timer::Tidy);
        for record in records {
            if standing.ended.contains(&record.id) {
                let key = crate::log::Key { session: record.id, epoch: record.epoch, number: record.number + 1 };
                worker.log.end(key, &Entry::Forget { no: worker.next_no });
                worker.next_no += 1;
                continue;
            }
            let ruleset = library.by_hash(&record.ruleset);
            let ruleset =
                ruleset.ok_or_else(|| io::Error::other(format!("session {}: its ruleset is not there", record.id)))?;
            let known = standing.epochs.get(&record.id).copied().unwrap_or_default();
            let session = Session::from_record(record, ruleset, &folder).map_err(io::Error::other)?;
            worker.recall(session, known);
        }
        Ok((handle, worker))
    }

    /// Tells it of the other shards, before it runs.
    pub fn meet(&mut self, peers: Peers) {
        self.peers = peers;
    }

    /// Runs until drained.
    pub fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_drained() {
            match self.poll.poll(&mut events, self.sleep()) {
                Ok(()) => self.turn(&events),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Half a node would answer for sessions it cannot serve.
                Err(error) => watch::fatal("shard", &format!("cannot poll ({error})")),
            }
        }
        debug_assert!(self.by_sid.is_empty() || !self.connections.is_empty(), "forgotten with their connections");
        if let Err(error) = self.log.close() {
            tracing::error!(%error, "the log could not be synced at the end");
        }
        tracing::info!(sessions = self.sessions.len(), "shard stopped");
    }

    /// How long the shard has nothing to do if nothing comes.
    fn sleep(&self) -> Option<Duration> {
        let idle = self.more.is_empty()
            && self.lost.is_empty()
            && self.dirty.is_empty()
            && self.fenced.is_empty()
            && self.overtaken.is_empty()
            && self.revoked.is_empty()
            && !self.moves_due
            && self.stash.is_empty()
            && !self.is_trimming()
            && self.inbox.commands.is_empty();
        if !idle {
            return Some(Duration::ZERO);
        }
        let timer = self.wheel.next().map(|at| self.clock.until(at));
        let joins = self.admission.due(Instant::now());
        // What was done last is marked soon after it.
        let most = match (self.log.is_unmarked(), self.held.is_empty()) {
            (true, _) => limits::MARK_MS,
            (false, false) => limits::LOG_RETRY_MS,
            (false, true) => self.log.rest_ms(),
        };
        let peers = (!self.unsaid.is_empty() || !self.again.is_empty()).then_some(limits::FULL_LOOK_MS);
        let most = peers.map_or(most, |look| most.min(look));
        timer.into_iter().chain(joins).chain([Duration::from_millis(most)]).min()
    }

    fn turn(&mut self, events: &Events) {
        let stood = self.clock.stood;
        self.clock.read();
        if self.clock.stood > stood {
            let ms = self.clock.stood - stood;
            self.stats.stands += 1;
            tracing::warn!(ms, "the shard could do nothing for a while; its sessions' time stood still");
        }
        #[cfg(test)]
        self.clock.skip(self.clock_skips.load(std::sync::atomic::Ordering::SeqCst));
        self.let_go();
        self.settle_moves();
        let more = std::mem::take(&mut self.more);
        for &key in &more {
            self.read(key);
        }
        for event in events {
            if event.token() == WAKER {
                self.inbox.woken();
                continue;
            }
            // Looked at with every turn.
            if redis::is_own(event.token()) {
                continue;
            }
            let key = ConnKey::from(slotmap::KeyData::from_ffi(event.token().0 as u64));
            if event.is_writable() {
                self.writable(key);
            }
            if event.is_readable() {
                self.read(key);
                if event.is_read_closed() {
                    // The end came with the data: no further event will tell of it.
                    self.more.push(key);
                }
            }
        }
        self.drain_inbox();
        self.fire_timers();
        self.admit();
        self.close_overfull();
        if !self.commit() {
            self.abandon();
            return;
        }
        self.flush();
        self.send_off();
        let wall = self.clock.wall;
        if let Some(journal) = self.log.journal() {
            journal.mark_if_due(wall);
        }
        self.trim();
        self.publish_stats();
    }

    fn fire_timers(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.fire(self.clock.now, |timer| due.push(timer));
        for timer in due.drain(..) {
            match timer {
                Timer::Session(key) => self.session_due(key),
                Timer::Forget(key) => self.forget(key),
                Timer::Connection(key) => self.connection_due(key),
                Timer::Move(key) => self.move_overdue(key),
                Timer::Tidy => self.tidy(),
            }
        }
        self.due = due;
    }

    /// Appends what sessions recorded and have no room for. Where that fails they hold it a while longer, and are fought on.
    pub(super) fn write_chunks(&mut self) {
        match self.chunks.write() {
            Ok(bytes) => self.stats.replay_bytes += bytes,
            Err((error, unwritten)) => {
                self.stats.replay_failures += 1;
                for part in unwritten {
                    let Some(&key) = self.index.get(&part.session) else { continue };
                    if let Some(loss) = self.sessions[key].put_back(&part) {
                        tracing::warn!(%error, "parts of replays cannot be written");
                        self.tape_ended(key, loss);
                    }
                }
            }
        }
    }

    /// A fight's tape has ended before the fight: once for each.
    pub(super) fn tape_ended(&mut self, key: SessionKey, loss: Loss) {
        self.stats.loss(loss);
        let Some(session) = self.sessions.get(key) else { return };
        session.tell_of(loss);
    }

    /// Gives back what a burst left behind, once the shard is quiet.
    fn tidy(&mut self) {
        self.history.sweep(self.clock.now);
        self.aways.sweep(self.clock.now);
        let messages = self.stats.messages_in - std::mem::replace(&mut self.messages_tidied, self.stats.messages_in);
        if messages <= limits::QUIET_MESSAGES {
            self.pool = Pool::default();
            self.spare = Vec::new();
            self.rooms.shrink();
            if let Some(journal) = self.log.journal() {
                journal.shrink();
            }
            self.chunks.shrink();
            memory::give_back();
        }
        self.chunks.sweep();
        self.forget_handed_over(0);
        let now = self.clock.now;
        self.ended_logins.retain(|_, at| *at + limits::ENDED_LOGIN_MS > now);
        if self.number == 0
            && let Some(journal) = self.log.journal()
        {
            // It is all shards'.
            journal.reserve().take();
        }
        self.admission.sweep(self.clock.now);
        self.wheel.insert(self.clock.now + limits::TIDY_MS, Timer::Tidy);
    }

    pub(super) fn publish_stats(&mut self) {
        self.stats.turns += 1;
        self.stats.long_turns += u64::from(self.clock.turn.elapsed().as_micros() > limits::LONG_TURN_US);
        self.stats.connections = self.connections.len().saturating_sub(self.far.len()) as u64;
        self.stats.far = self.far.len() as u64;
        self.stats.sessions = self.sessions.len() as u64;
        self.stats.rooms = self.rooms.count() as u64;
        self.stats.log_bytes += self.log.take_bytes();
        self.stats.history_bytes = self.history.bytes();
        self.stats.history_ms = self.history.reach_ms(self.clock.now);
        if self.number == 0
            && let Some(journal) = self.log.journal()
        {
            self.stats.log_reserve = u64::from(journal.reserve().is_held());
        }
        if let Some(log) = self.log.redis() {
            self.stats.of_redis(&log.figures());
        }
        self.inbox.stats.store(&self.stats);
    }

    /// The poll's name for a connection.
    #[allow(clippy::cast_possible_truncation)] // Only built for 64-bit targets, see lib.rs.
    pub(super) fn token(key: ConnKey) -> Token {
        Token(key.data().as_ffi() as usize)
    }
}

#[cfg(test)]
#[path = "worker_tests/mod.rs"]
mod tests;
