//! The loop: poll, read what is ready, drain the inbox, fire what is due, append to the log, write once to every
//! socket that has something to say.

use std::borrow::Cow;
use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use mio::{Events, Poll, Token, Waker};
use slotmap::{Key, SlotMap};
use tiltyard_combat::{Input, Step};
use uuid::Uuid;

use super::commands::Pending;
use super::connection::{BySid, ConnKey, Connection};
use super::inbox::{Inbox, ShardHandle, inbox};
use super::publish::Publisher;
use super::session::{Session, SessionIndex, SessionKey};
use super::stats::Stats;
use super::wheel::Wheel;
use crate::limits;
use crate::log::{Entry, Journal, SessionRecord};
use crate::ops::memory;
use crate::records::{FightBook, News};
use crate::replays::{ChunkWriter, Folder};
use crate::socket::outbox::Pool;

/// What the poll calls the waker; no connection has this number.
const WAKER: Token = Token(usize::MAX);

/// Readiness events taken in one poll. More wait for the next turn.
const EVENTS: usize = 4096;

/// A shard's thread: everything it owns.
#[derive(Debug)]
pub struct Worker {
    pub(super) number: usize,
    /// How many shards there are.
    pub(super) shards: usize,
    pub(super) poll: Poll,
    pub(super) inbox: Inbox,
    pub(super) journal: Journal,
    /// What sessions record and have no room for.
    pub(super) chunks: ChunkWriter,
    pub(super) sessions: SlotMap<SessionKey, Session>,
    pub(super) index: SessionIndex,
    /// Where the store's news of fights go.
    pub(super) book: Arc<FightBook>,
    pub(super) connections: SlotMap<ConnKey, Connection>,
    pub(super) by_sid: BySid,
    pub(super) wheel: Wheel<Timer>,
    pub(super) clock: Clock,
    pub(super) stats: Stats,
    /// The next session's number in the journal.
    pub(super) next_no: u32,
    /// Asked to stop: no new connections, the ones there are being closed.
    pub(super) draining: bool,
    /// How many messages there had been at the last look for memory to give back.
    messages_tidied: u64,

    // What a turn leaves for its end, and buffers kept between turns.
    /// Connections with something to write.
    pub(super) dirty: Vec<ConnKey>,
    /// Connections whose last read filled the buffer: no new readiness will tell.
    pub(super) more: Vec<ConnKey>,
    /// Connections with more waiting for them than an outbox may hold.
    pub(super) overfull: Vec<ConnKey>,
    /// Connections whose write failed.
    pub(super) lost: Vec<ConnKey>,
    /// Sessions of which the store has to be told.
    pub(super) announced: Vec<(SessionKey, News)>,
    /// Auth sessions with connections here that ended while the log could not be written.
    pub(super) revoked: HashSet<Uuid>,
    /// Answers to other threads, held until the turn is in the log.
    pub(super) pending: Vec<Pending>,
    pub(super) receive: Vec<u8>,
    pub(super) replies: Vec<u8>,
    pub(super) pool: Pool,
    pub(super) due: Vec<Timer>,
    pub(super) step: Step,
    pub(super) publisher: Publisher,
    /// Makes the next step panic.
    #[cfg(test)]
    pub(super) step_panics: std::sync::Arc<std::sync::atomic::AtomicBool>,
}

/// Where a shard stands among the others, and what they share.
#[derive(Debug)]
pub struct Place {
    pub number: usize,
    /// How many shards there are.
    pub shards: usize,
    pub folder: Arc<Folder>,
}

/// What the wheel wakes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Timer {
    Session(SessionKey),
    /// The session has ended a while ago.
    Forget(SessionKey),
    Connection(ConnKey),
    /// Look whether there is memory to give back.
    Tidy,
}

/// The shard's time, read once per turn.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    /// When this turn began.
    pub(super) turn: Instant,
    /// Milliseconds since the start, monotonic.
    pub(super) now: u64,
    /// Unix milliseconds.
    pub(super) wall: u64,
}

impl Clock {
    fn new() -> Self {
        let now = Instant::now();
        let mut clock = Self { started: now, turn: now, now: 0, wall: 0 };
        clock.read();
        clock
    }

    fn read(&mut self) {
        self.turn = Instant::now();
        self.now = millis(self.turn.duration_since(self.started));
        self.wall = millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default());
    }

    /// When this turn began, by the wall.
    pub(super) fn wall_time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.wall)
    }

    /// How long until the shard's time `at`.
    fn until(&self, at: u64) -> Duration {
        Duration::from_millis(at).saturating_sub(self.started.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Worker {
    /// The shard at `place`, going on with `records`.
    pub fn new(
        Place { number, shards, folder }: Place,
        journal: Journal,
        records: Vec<SessionRecord>,
        book: Arc<FightBook>,
    ) -> io::Result<(ShardHandle, Self)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        let (handle, inbox) = inbox(limits::INBOX_DEPTH, waker);
        let mut worker = Self {
            number,
            shards,
            poll,
            inbox,
            journal,
            chunks: ChunkWriter::new(Arc::clone(&folder), number),
            sessions: SlotMap::with_key(),
            index: SessionIndex::default(),
            book,
            connections: SlotMap::with_key(),
            by_sid: BySid::default(),
            wheel: Wheel::default(),
            clock: Clock::new(),
            stats: Stats::default(),
            next_no: 0,
            draining: false,
            messages_tidied: 0,
            dirty: Vec::new(),
            more: Vec::new(),
            overfull: Vec::new(),
            lost: Vec::new(),
            announced: Vec::new(),
            revoked: HashSet::new(),
            pending: Vec::new(),
            receive: vec![0; limits::READ_BYTES],
            replies: Vec::new(),
            pool: Pool::default(),
            due: Vec::new(),
            step: Step::default(),
            publisher: Publisher::default(),
            #[cfg(test)]
            step_panics: std::sync::Arc::default(),
        };
        worker.wheel.insert(limits::TIDY_MS, Timer::Tidy);
        for record in records {
            worker.take_over(Session::from_record(record, &folder));
        }
        Ok((handle, worker))
    }

    /// Puts a recovered session into the arena. Its clients are gone: their reconnect windows begin.
    fn take_over(&mut self, mut session: Session) {
        session.no = self.next_no;
        self.next_no += 1;
        session.go_on(self.clock.now);
        let participants = session.fight.participants().iter();
        let connected: Vec<u8> =
            (0..).zip(participants).filter(|(_, p)| p.is_connected()).map(|(slot, _)| slot).collect();
        let key = self.insert(session);
        for slot in connected {
            // A disconnect is never refused; there is nobody to tell of it yet.
            let _ = self.apply(key, Input::Disconnect { slot }, None);
        }
        // The store may not have been told before the node stopped.
        self.announced.push((key, News::Changed));
    }

    /// Runs until drained.
    pub fn run(&mut self) {
        let mut events = Events::with_capacity(EVENTS);
        while !self.is_drained() {
            let idle = self.more.is_empty() && self.lost.is_empty() && self.dirty.is_empty() && self.revoked.is_empty();
            let timeout = if idle { self.wheel.next().map(|at| self.clock.until(at)) } else { Some(Duration::ZERO) };
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => self.turn(&events),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::error!(shard = self.number, %error, "poll failed, the shard stops");
                    break;
                }
            }
        }
        debug_assert!(self.by_sid.is_empty() || !self.connections.is_empty(), "forgotten with their connections");
        if let Err(error) = self.journal.sync() {
            tracing::error!(shard = self.number, %error, "the log could not be synced at the end");
        }
        tracing::info!(shard = self.number, sessions = self.sessions.len(), "shard stopped");
    }

    fn turn(&mut self, events: &Events) {
        self.clock.read();
        for key in std::mem::take(&mut self.lost) {
            self.gone(key);
        }
        let more = std::mem::take(&mut self.more);
        for &key in &more {
            self.read(key);
        }
        for event in events {
            if event.token() == WAKER {
                self.inbox.woken();
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
        self.close_overfull();
        if !self.commit() {
            self.abandon();
            return;
        }
        self.write_chunks();
        self.announce();
        self.answer();
        self.flush();
        self.publish_stats();
        if self.journal.is_long() {
            self.rotate();
        }
    }

    fn fire_timers(&mut self) {
        let mut due = std::mem::take(&mut self.due);
        self.wheel.fire(self.clock.now, |timer| due.push(timer));
        for timer in due.drain(..) {
            match timer {
                Timer::Session(key) => self.session_due(key),
                Timer::Forget(key) => self.forget(key),
                Timer::Connection(key) => self.connection_due(key),
                Timer::Tidy => self.tidy(),
            }
        }
        self.due = due;
    }

    /// Appends the turn to the log. As long as that fails the shard does nothing else: what the turn produced is shown
    /// to nobody, and what clients send waits in their sockets. `false` where the shard was drained meanwhile.
    fn commit(&mut self) -> bool {
        let mut failed = false;
        while self.journal.has_batch() {
            match self.journal.append(self.clock.wall) {
                Ok(bytes) => self.stats.log_bytes += bytes,
                Err(error) => {
                    if !std::mem::replace(&mut failed, true) {
                        tracing::error!(shard = self.number, %error, "the log cannot be written; waiting");
                    }
                    self.stats.log_failures += 1;
                    self.publish_stats();
                    // Asked before the failure or during it.
                    if self.draining || self.refuse_while_stalled() {
                        return false;
                    }
                    std::thread::sleep(Duration::from_millis(limits::LOG_RETRY_MS));
                }
            }
        }
        if failed {
            tracing::warn!(shard = self.number, "the log can be written again");
        }
        true
    }

    /// Tells the store of the sessions that the turn changed in a way it keeps. Before the turn's answers leave, so that who
    /// gets one can wait for the store.
    fn announce(&mut self) {
        let mut announced = std::mem::take(&mut self.announced);
        announced.sort_unstable();
        announced.dedup();
        for (key, news) in announced.drain(..) {
            if let Some(session) = self.sessions.get(key) {
                // After a restart nobody knows whether the store has got it.
                if session.fight.lifecycle().is_ended()
                    && let Some(recording) = session.recording()
                {
                    self.book.shelf().put(recording);
                }
                self.book.put(session.info(self.clock.now), news);
            }
        }
        self.announced = announced;
    }

    /// Appends what sessions recorded and have no room for. Where that fails they are fought on, without a replay.
    fn write_chunks(&mut self) {
        match self.chunks.write() {
            Ok(bytes) => self.stats.replay_bytes += bytes,
            Err((error, owners)) => {
                tracing::warn!(
                    shard = self.number,
                    %error,
                    replays = owners.len(),
                    "replays are incomplete: their inputs could not be written"
                );
                self.stats.replays_lost += owners.len() as u64;
                for id in owners {
                    if let Some(session) = self.index.get(&id).and_then(|&key| self.sessions.get_mut(key)) {
                        session.recorder().lose();
                    }
                }
            }
        }
    }

    fn rotate(&mut self) {
        let started = Instant::now();
        if let Err(error) = self.journal.sync_others(|| self.chunks.sync()) {
            tracing::error!(shard = self.number, %error, "replays could not be synced; the segment grows on");
            self.journal.postpone();
            return;
        }
        let sessions = self.sessions.values();
        let checkpoint = sessions.map(|s| Entry::Session { no: s.no, record: Box::new(Cow::Owned(s.record())) });
        match self.journal.rotate(checkpoint) {
            Ok(()) => tracing::info!(
                shard = self.number,
                sessions = self.sessions.len(),
                elapsed_ms = started.elapsed().as_millis(),
                "checkpoint written, log segment begun"
            ),
            Err(error) => {
                tracing::error!(shard = self.number, %error, "no checkpoint could be written; the segment grows on");
                self.journal.postpone();
            }
        }
    }

    /// Gives back what a burst left behind, once the shard is quiet.
    fn tidy(&mut self) {
        let messages = self.stats.messages_in - std::mem::replace(&mut self.messages_tidied, self.stats.messages_in);
        if messages <= limits::QUIET_MESSAGES {
            self.pool = Pool::default();
            self.journal.shrink();
            self.chunks.shrink();
            memory::give_back();
        }
        self.chunks.sweep();
        self.wheel.insert(self.clock.now + limits::TIDY_MS, Timer::Tidy);
    }

    fn publish_stats(&mut self) {
        self.stats.turns += 1;
        self.stats.long_turns += u64::from(self.clock.turn.elapsed().as_micros() > limits::LONG_TURN_US);
        self.stats.connections = self.connections.len() as u64;
        self.stats.sessions = self.sessions.len() as u64;
        self.inbox.stats.store(&self.stats);
    }

    /// The poll's name for a connection.
    #[allow(clippy::cast_possible_truncation)] // Only built for 64-bit targets, see lib.rs.
    pub(super) fn token(key: ConnKey) -> Token {
        Token(key.data().as_ffi() as usize)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;
    use std::time::Duration;

    use tempfile::TempDir;
    use tiltyard_combat::{Input, Rules};
    use tiltyard_protocol::{Act, ActionKind, CloseCode, Encoding, Reason};
    use tokio::sync::oneshot;
    use uuid::Uuid;

    use super::{Place, Worker};
    use crate::hub::{Attachment, Command, FightInfo, Hub, Mode, NewFight, Refusal, Reply, RestAction};
    use crate::log::recovery::recover;
    use crate::records::FightBook;
    use crate::replays::Recording;
    use crate::rules::Library;
    use crate::shard::ShardHandle;

    /// A shard on its thread, with switches for what can go wrong.
    struct Shard {
        handle: ShardHandle,
        log_fails: Arc<AtomicBool>,
        step_panics: Arc<AtomicBool>,
        chunks_fail: Arc<AtomicBool>,
        book: Arc<FightBook>,
        thread: JoinHandle<()>,
        data: TempDir,
    }

    impl Shard {
        fn start() -> Self {
            Self::start_on(TempDir::new().unwrap())
        }

        fn start_on(data: TempDir) -> Self {
            let library = Arc::new(Library::built_in());
            let mut recovered = recover(data.path(), 1, false, &library).unwrap();
            let (journal, records) = recovered.shards.remove(0);
            let log_fails = journal.failing.clone();
            let book = Arc::new(FightBook::default());
            let place = Place { number: 0, shards: 1, folder: recovered.folder };
            let (handle, mut worker) = Worker::new(place, journal, records, Arc::clone(&book)).unwrap();
            let step_panics = worker.step_panics.clone();
            let chunks_fail = worker.chunks.failing.clone();
            let thread = std::thread::spawn(move || worker.run());
            Self { handle, log_fails, step_panics, chunks_fail, book, thread, data }
        }

        fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> oneshot::Receiver<Result<T, Refusal>> {
            let (reply, answer) = oneshot::channel();
            self.handle.send(command(reply)).unwrap();
            answer
        }

        fn create(&self) -> FightInfo {
            let asked = NewFight {
                id: Uuid::now_v7(),
                mode: Mode::Pvp,
                creator: Uuid::nil(),
                participants: vec![Uuid::from_u128(1), Uuid::from_u128(2)],
                seats: 2,
                ruleset: Arc::clone(Library::built_in().by_name("default").unwrap()),
                rules: Rules { preparation_ms: 0, ..Rules::default() },
                teams: Vec::new(),
                settings: String::new(),
                metadata: String::new(),
            };
            self.ask(|reply| Command::Create(Box::new(asked), reply)).blocking_recv().unwrap().unwrap()
        }

        fn read(&self, id: Uuid) -> Result<FightInfo, Refusal> {
            self.ask(|reply| Command::Read(id, reply)).blocking_recv().unwrap()
        }

        fn attack(&self, session: Uuid) -> oneshot::Receiver<Result<crate::hub::ActionApplied, Refusal>> {
            let act = Act::new(0, 0, ActionKind::Attack);
            let action = RestAction { act, target: Some(Uuid::from_u128(2)) };
            self.ask(|reply| Command::Act { session, player: Uuid::from_u128(1), action, reply })
        }

        /// A client's end of a connection whose credentials were of `sid`.
        fn attach(&self, sid: Option<Uuid>) -> TcpStream {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let (stream, _) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            self.handle
                .send(Command::Attach(Box::new(Attachment {
                    stream,
                    leftover: Vec::new(),
                    player: Uuid::from_u128(1),
                    sid,
                    encoding: Encoding::Json,
                    session: Uuid::nil(),
                    only: false,
                    permit: None,
                })))
                .unwrap();
            client
        }

        fn stop(self) -> TempDir {
            self.handle.drain();
            self.thread.join().unwrap();
            self.data
        }

        fn recording(&self, id: Uuid) -> Result<Recording, Refusal> {
            self.ask(|reply| Command::Recording(id, reply)).blocking_recv().unwrap()
        }

        /// Fought again: how many actions were tried in it.
        fn fought_again(&self, id: Uuid) -> u64 {
            let replay = self.recording(id).unwrap().assemble().unwrap();
            let ruleset = Library::built_in().by_hash(&replay.hash).unwrap();
            let mut actions = 0;
            replay.play(ruleset, |played| actions += u64::from(matches!(played.input, Input::Act { .. }))).unwrap();
            actions
        }

        /// Refused or not: every attack is an input.
        fn attack_often(&self, session: Uuid, times: usize) {
            for _ in 0..times {
                let _ = self.attack(session).blocking_recv().unwrap();
            }
        }
    }

    #[test]
    fn while_the_log_cannot_be_written_nothing_is_shown_and_then_it_goes_on() {
        let shard = Shard::start();
        let id = shard.create().id;
        shard.log_fails.store(true, Ordering::SeqCst);
        let mut held = shard.attack(id);
        // The first of these may still be in the turn of the attack, and is then held with it.
        let refused = (0..3).filter_map(|_| {
            let mut answer = shard.ask(|reply| Command::Read(id, reply));
            while shard.handle.stats().log_failures < 3 {
                std::thread::yield_now();
            }
            answer.try_recv().ok()
        });
        let refused: Vec<_> = refused.collect();
        assert!(refused.iter().all(|answer| answer.as_ref().is_err_and(|r| r.reason == Reason::LogUnavailable)));
        assert!(held.try_recv().is_err(), "not answered before it is in the log");
        shard.log_fails.store(false, Ordering::SeqCst);
        let applied = held.blocking_recv().unwrap().unwrap();
        assert!(applied.damage > 0);
        assert_eq!(shard.read(id).unwrap().actions, 1, "once, and not lost");
        drop(shard.stop());
    }

    /// The code of the close frame that comes, and nothing before it.
    fn close_code(client: &mut TcpStream) -> u16 {
        let mut frame = [0; 4];
        client.read_exact(&mut frame).unwrap();
        assert_eq!(frame[0], 0x88, "a close frame");
        u16::from_be_bytes([frame[2], frame[3]])
    }

    #[test]
    fn the_end_of_an_auth_session_closes_its_connections_and_no_others() {
        let shard = Shard::start();
        let (ended, other) = (Uuid::now_v7(), Uuid::now_v7());
        let mut its = [shard.attach(Some(ended)), shard.attach(Some(ended))];
        let mut others = [shard.attach(Some(other)), shard.attach(None)];
        drop(shard.attach(Some(ended)));
        shard.handle.send(Command::Revoke(ended)).unwrap();
        for client in &mut its {
            assert_eq!(close_code(client), CloseCode::Unauthorized.code());
        }
        shard.handle.drain();
        for client in &mut others {
            assert_eq!(close_code(client), CloseCode::Restart.code());
        }
        drop((its, others));
        shard.thread.join().unwrap();
    }

    #[test]
    fn an_auth_session_that_ends_while_the_log_cannot_be_written_is_not_forgotten() {
        let shard = Shard::start();
        let (id, sid) = (shard.create().id, Uuid::now_v7());
        let mut client = shard.attach(Some(sid));
        // Answered, and so attached.
        shard.read(id).unwrap();
        shard.log_fails.store(true, Ordering::SeqCst);
        let held = shard.attack(id);
        while shard.handle.stats().log_failures < 1 {
            std::thread::yield_now();
        }
        shard.handle.send(Command::Revoke(sid)).unwrap();
        let failures = shard.handle.stats().log_failures;
        while shard.handle.stats().log_failures < failures + 3 {
            std::thread::yield_now();
        }
        shard.log_fails.store(false, Ordering::SeqCst);
        assert_eq!(close_code(&mut client), CloseCode::Unauthorized.code());
        held.blocking_recv().unwrap().unwrap();
        drop(client);
        drop(shard.stop());
    }

    #[test]
    fn a_full_inbox_does_not_lose_the_end_of_an_auth_session() {
        let shard = Shard::start();
        let (id, sid) = (shard.create().id, Uuid::now_v7());
        let mut client = shard.attach(Some(sid));
        shard.read(id).unwrap();
        shard.log_fails.store(true, Ordering::SeqCst);
        let held = shard.attack(id);
        // Where the log cannot be written the inbox is looked at every 50 ms only.
        while shard.handle.send(Command::Revoke(Uuid::nil())).is_ok() {}
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
        {
            let _entered = runtime.enter();
            Hub::new(vec![shard.handle.clone()]).revoke(sid);
        }
        shard.log_fails.store(false, Ordering::SeqCst);
        assert_eq!(close_code(&mut client), CloseCode::Unauthorized.code());
        held.blocking_recv().unwrap().unwrap();
        drop(client);
        drop(shard.stop());
    }

    #[test]
    fn a_panic_ends_its_session_and_no_other() {
        let shard = Shard::start();
        let (bad, good) = (shard.create().id, shard.create().id);
        shard.step_panics.store(true, Ordering::SeqCst);
        let refused = shard.attack(bad).blocking_recv().unwrap().unwrap_err();
        assert_eq!(refused.reason, Reason::Internal);
        assert_eq!(shard.read(bad).unwrap_err().reason, Reason::NoSession);
        let ended = shard.book.get(bad).unwrap();
        assert_eq!(ended.end_reason, Some(tiltyard_combat::EndReason::Failed));
        shard.attack(good).blocking_recv().unwrap().unwrap();
        assert_eq!(shard.handle.stats().panics, 1);
        drop(shard.stop());
    }

    #[test]
    fn what_is_recorded_is_the_fight_in_memory_in_files_and_after_a_restart() {
        let shard = Shard::start();
        let (id, other) = (shard.create().id, shard.create().id);
        shard.attack_often(id, 20);
        assert_eq!(shard.fought_again(id), 20);
        shard.attack_often(id, 700);
        shard.attack_often(other, 5);
        assert!(shard.handle.stats().replay_bytes > 4_000, "most of it is in a file");
        assert_eq!((shard.fought_again(id), shard.fought_again(other)), (720, 5));
        let shard = Shard::start_on(shard.stop());
        shard.attack_often(id, 300);
        assert_eq!((shard.fought_again(id), shard.fought_again(other)), (1020, 5));
        drop(shard.stop());
    }

    #[test]
    fn a_fight_whose_inputs_cannot_be_kept_goes_on_without_a_replay() {
        let shard = Shard::start();
        let (id, other) = (shard.create().id, shard.create().id);
        shard.chunks_fail.store(true, Ordering::SeqCst);
        shard.attack_often(id, 300);
        assert_eq!(shard.recording(id).unwrap_err().reason, Reason::NoReplay);
        assert_eq!(shard.handle.stats().replays_lost, 1);
        shard.chunks_fail.store(false, Ordering::SeqCst);
        shard.attack_often(other, 300);
        assert_eq!(shard.fought_again(other), 300, "the others are as they were");
        assert!(shard.read(id).unwrap().actions > 0, "and the fight goes on");
        let shard = Shard::start_on(shard.stop());
        assert_eq!(shard.fought_again(id), 300, "the log still had them all");
        drop(shard.stop());
    }

    #[test]
    fn draining_while_the_log_cannot_be_written_ends_without_showing_anything() {
        let shard = Shard::start();
        let id = shard.create().id;
        shard.log_fails.store(true, Ordering::SeqCst);
        let held = shard.attack(id);
        shard.handle.drain();
        assert!(held.blocking_recv().is_err(), "the answer is dropped, not given");
        shard.thread.join().unwrap();
    }
}
