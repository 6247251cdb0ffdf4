//! A session is handed over from one shard to another: with logs in files, and with logs that answer when the test says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::Events;
use tempfile::TempDir;
use tiltyard_combat::Rules;
use tiltyard_protocol::{Act, ActionKind};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::held::{Client, PATIENCE};
use super::{Worker, attachment, new_fight, place};
use crate::book::WriteBehind;
use crate::book::holdings::{Bounds, weight};
use crate::limits;
use crate::log::Log;
use crate::log::double::{Double, Store};
use crate::rules::Library;
use crate::session::{Expected, FightInfo, Refusal, Viewer};
use crate::shard::recovery::recover;
use crate::shard::renewal::renewals;
use crate::shard::stream::Stream;
use crate::shard::{
    ActionApplied, Asked, Attachment, Command, NewFight, Peers, Reply, RestAction, Session, SessionRecord, ShardHandle,
};

mod connections;
mod ends;
mod far_life;
mod follow;
mod moves;
mod staying;

/// As long as a hand-over is waited for: longer than any machine takes for a test, if its clock does not skip.
const HELD_MS: u64 = 25_000;

type Waiting<T> = oneshot::Receiver<Result<T, Refusal>>;

/// Shards whose turns the test takes, one by one.
struct Shards<const N: usize> {
    workers: [Worker; N],
    handles: [ShardHandle; N],
    /// Credentials that clients have handed in.
    handed_in: flume::Receiver<Asked>,
    book: Arc<WriteBehind>,
    /// Held by a node that runs.
    lock: std::fs::File,
    data: TempDir,
}

type Two = Shards<2>;

impl<const N: usize> Shards<N> {
    fn start() -> Self {
        Self::start_on(TempDir::new().unwrap())
    }

    /// With logs in files, on what there is.
    fn start_on(data: TempDir) -> Self {
        Self::start_with(data, |_| None)
    }

    /// With logs that answer when the test says so.
    fn with_doubles() -> (Self, [Arc<Store>; N]) {
        let mut stores = Vec::new();
        let two = Self::start_with(TempDir::new().unwrap(), |_| {
            let (log, store) = Double::new();
            stores.push(store);
            Some(Log::Double(log))
        });
        (two, stores.try_into().unwrap())
    }

    fn start_with(data: TempDir, mut log: impl FnMut(usize) -> Option<Log>) -> Self {
        let library = Arc::new(Library::built_in());
        let mut recovered = recover(data.path(), N, false, false, &library).unwrap();
        let book = Arc::<WriteBehind>::default();
        let (renewals, handed_in) = renewals();
        let (mut workers, mut handles) = (Vec::new(), Vec::new());
        for (number, (journal, records)) in std::mem::take(&mut recovered.shards).into_iter().enumerate() {
            let place = place(number, &recovered, &library, renewals.clone());
            let log = log(number).unwrap_or_else(|| journal.into());
            let (handle, mut worker) = Worker::new(place, log, records, Arc::clone(&book)).unwrap();
            worker.answer_ms = u64::MAX;
            worker.hand_over_ms = HELD_MS;
            handles.push(handle);
            workers.push(worker);
        }
        let peers = Peers::new(handles.clone());
        for worker in &mut workers {
            worker.meet(peers.clone());
        }
        let (Ok(workers), Ok(handles)) = (workers.try_into(), handles.try_into()) else { panic!("N of each") };
        Self { workers, handles, handed_in, book, lock: recovered.lock, data }
    }

    /// As after a kill -9.
    fn crash(self) -> TempDir {
        let Self { workers, lock, data, .. } = self;
        drop((workers, lock));
        data
    }

    fn turn(&mut self, shard: usize) {
        let mut events = Events::with_capacity(64);
        let worker = &mut self.workers[shard];
        worker.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        worker.turn(&events);
    }

    /// Takes turns of all until that is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let since = Instant::now();
        while !is_so(self) {
            assert!(since.elapsed() < PATIENCE, "not in time: {what}");
            (0..N).for_each(|shard| self.turn(shard));
        }
    }

    fn ask<T>(&self, shard: usize, command: impl FnOnce(Reply<T>) -> Command) -> Waiting<T> {
        let (reply, answer) = oneshot::channel();
        self.handles[shard].send(command(reply)).unwrap();
        answer
    }

    /// A fight at its own shard, and which that is.
    fn create(&mut self) -> (Uuid, usize) {
        self.create_that_begins_after(0)
    }

    fn create_that_begins_after(&mut self, preparation_ms: u32) -> (Uuid, usize) {
        let rules = Rules { attack_interval_ms: 0, health: 1_000_000, ..Rules::default() };
        let owner = Uuid::from_u128(1);
        let mut fight = new_fight(&rules, owner, 2);
        fight.rules.preparation_ms = preparation_ms;
        self.create_this(fight)
    }

    fn create_this(&mut self, fight: NewFight) -> (Uuid, usize) {
        let owner = fight.creator;
        let fight = Box::new(fight);
        let shares = vec![self.book.holdings().take(owner, weight(2), &Bounds::PLAYER).unwrap()];
        let home = self.workers[0].peers.place_of(fight.id);
        let id = fight.id;
        let mut created = self.ask(home, |reply| Command::Create { fight, shares, viewer: Viewer::All, reply });
        self.until("a fight", |_| created.try_recv().is_ok());
        (id, home)
    }

    /// Another one of the same shard.
    fn create_at(&mut self, shard: usize) -> Uuid {
        loop {
            let (id, home) = self.create();
            if home == shard {
                return id;
            }
        }
    }

    /// A connection at that shard that has joined the fight as player 1.
    fn join(&mut self, shard: usize, session: Uuid, sid: Option<Uuid>) -> Client {
        let mut client = self.attach(shard, session, sid);
        self.join_too(&mut client, session);
        client
    }

    fn attach(&self, shard: usize, session: Uuid, sid: Option<Uuid>) -> Client {
        let (attachment, stream) = attachment(sid);
        self.handles[shard].send(Command::Attach(Box::new(Attachment { session, ..attachment }))).unwrap();
        Client { stream, seen: String::new() }
    }

    fn join_too(&mut self, client: &mut Client, session: Uuid) {
        let before = client.count("snapshot");
        client.say(&format!(r#"{{"t":"join","d":{{"session":"{session}"}}}}"#));
        self.until("a join", |_| client.count("snapshot") > before);
    }

    /// Has a client of that shard say something, which has come to its socket then.
    fn say(&self, shard: usize, client: &mut Client, message: &str) {
        client.say(message);
        let has_come = |stream: &Stream| matches!(stream, Stream::Tcp(stream) if stream.peek(&mut [0]).is_ok());
        let since = Instant::now();
        while !self.workers[shard].connections.values().any(|of| has_come(&of.stream)) {
            assert!(since.elapsed() < PATIENCE, "it does not come: {message}");
            std::thread::yield_now();
        }
    }

    fn attack(&self, shard: usize, session: Uuid) -> Waiting<ActionApplied> {
        let act = Act::new(0, 0, ActionKind::Attack);
        let action = RestAction { act, target: Some(Uuid::from_u128(2)), expected: Expected::default() };
        self.ask(shard, |reply| Command::Act {
            session,
            player: Uuid::from_u128(1),
            action,
            viewer: Viewer::All,
            reply,
        })
    }

    fn read(&mut self, shard: usize, session: Uuid) -> Result<FightInfo, Refusal> {
        let mut answer = self.ask(shard, |reply| Command::Read(session, Viewer::All, reply));
        self.answer("a read", &mut answer)
    }

    fn answer<T>(&mut self, what: &str, answer: &mut Waiting<T>) -> Result<T, Refusal> {
        let mut told = None;
        self.until(what, |_| {
            told = answer.try_recv().ok();
            told.is_some()
        });
        told.unwrap()
    }

    fn begin(&self, from: usize, session: Uuid, to: usize) -> Waiting<Duration> {
        self.ask(from, |reply| Command::HandOver { session, to, reply })
    }

    /// Hands it over, to the end.
    fn hand_over(&mut self, from: usize, session: Uuid, to: usize) -> Result<Duration, Refusal> {
        let mut answer = self.begin(from, session, to);
        self.answer("a hand-over", &mut answer)
    }

    fn session(&self, shard: usize, session: Uuid) -> Option<&Session> {
        let worker = &self.workers[shard];
        worker.index.get(&session).map(|key| &worker.sessions[*key])
    }

    fn record(&self, shard: usize, session: Uuid) -> SessionRecord {
        self.session(shard, session).unwrap().record()
    }

    /// Lets that shard's time pass.
    fn skip(&mut self, shard: usize, ms: u64) {
        self.workers[shard].clock_skips.fetch_add(ms, Ordering::SeqCst);
    }

    /// The store has the replay of a fight that has ended.
    fn keep_replay(&self, session: Uuid) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (library, stop) = (Arc::new(Library::built_in()), CancellationToken::new());
        runtime.block_on(async {
            let filled = tokio::spawn(self.book.fill_replays(library, stop.clone(), Arc::default()));
            let since = Instant::now();
            while self.book.replay_queue().take().replays.is_empty() {
                assert!(since.elapsed() < PATIENCE, "it is not put together");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            self.book.replay_queue().committed(&[session], &[]);
            stop.cancel();
            filled.await.unwrap();
        });
    }

    /// Whether the fight's owner may have one more, where it has as many as it may but for this one.
    fn has_room(&self) -> bool {
        let (owner, holdings) = (Uuid::from_u128(1), self.book.holdings());
        let others: Vec<_> = (1..limits::FIGHTS_PER_PLAYER).map(|_| holdings.hold(owner, 0)).collect();
        let has_room = holdings.take(owner, 0, &Bounds::PLAYER).is_ok();
        drop(others);
        has_room
    }
}

fn handle_of(session: Uuid) -> u32 {
    u32::try_from(session.as_u128() & u128::from(u32::MAX)).unwrap()
}

/// An attack over a socket.
fn attack_of(session: Uuid, id: u64) -> String {
    format!(r#"{{"t":"action","d":{{"s":{},"id":{id},"kind":"attack","to":1}}}}"#, handle_of(session))
}

fn is_open<T>(answer: &mut Waiting<T>) -> bool {
    matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}
