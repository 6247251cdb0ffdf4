//! Log before show, with a log that answers late, in another order, not at all, or that the session is somebody else's.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mio::Events;
use tempfile::TempDir;
use tiltyard_combat::{ParticipantStatus, Rules, SessionStatus};
use tiltyard_protocol::{Act, ActionKind, CloseCode, Reason};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{Shard, Worker, attachment, close_code, new_fight, place, text};
use crate::limits;
use crate::log::double::{Double, Store};
use crate::log::{Journal, Log, TurnNo};
use crate::rules::Library;
use crate::session::{Expected, FightInfo, Refusal, Viewer};
use crate::shard::recovery::recover;
use crate::shard::renewal::renewals;
use crate::shard::{ActionApplied, Command, Control, Reply, RestAction, ShardHandle};

#[path = "sync_tests.rs"]
mod sync;

/// Longer than any machine takes for what a test waits for.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);

/// A shard whose turns the test takes, one by one.
struct ByHand {
    worker: Worker,
    handle: ShardHandle,
    store: Arc<Store>,
    data: TempDir,
}

type Waiting<T> = oneshot::Receiver<Result<T, Refusal>>;

/// What a client has been sent.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    pub(super) seen: String,
}

impl Client {
    /// All that has come since it was looked at last.
    pub(super) fn news(&mut self) -> String {
        let mut bytes = [0; 4096];
        let before = self.seen.len();
        self.stream.set_nonblocking(true).unwrap();
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => self.seen.push_str(&String::from_utf8_lossy(&bytes[..count])),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("{error}"),
            }
        }
        self.stream.set_nonblocking(false).unwrap();
        self.seen[before..].to_owned()
    }

    pub(super) fn say(&mut self, message: &str) {
        self.stream.write_all(&text(message)).unwrap();
    }

    /// How many messages of this kind have come.
    pub(super) fn count(&mut self, what: &str) -> usize {
        self.news();
        count(&self.seen, what)
    }

    /// The code of the close frame that comes, and nothing before it.
    pub(super) fn closed(&mut self) -> u16 {
        assert_eq!(self.stream.set_read_timeout(Some(PATIENCE)).ok(), Some(()));
        close_code(&mut self.stream)
    }
}

impl ByHand {
    fn start() -> Self {
        let (log, store) = Double::new();
        Self::start_with(store, false, |_| Log::Double(log))
    }

    /// With what `log` makes of the journal.
    fn start_with(store: Arc<Store>, sync: bool, log: impl FnOnce(Journal) -> Log) -> Self {
        let data = TempDir::new().unwrap();
        let library = Arc::new(Library::built_in());
        let mut recovered = recover(data.path(), 1, sync, false, &library).unwrap();
        let place = place(0, &recovered, &library, renewals().0);
        let (journal, records) = recovered.shards.remove(0);
        let (handle, mut worker) = Worker::new(place, log(journal), records, Arc::default()).unwrap();
        worker.answer_ms = u64::MAX;
        Self { worker, handle, store, data }
    }

    fn turn(&mut self) {
        let mut events = Events::with_capacity(64);
        self.worker.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        self.worker.turn(&events);
    }

    /// Takes turns until that is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let since = Instant::now();
        while !is_so(self) {
            assert!(since.elapsed() < PATIENCE, "not in time: {what}");
            self.turn();
        }
    }

    fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Waiting<T> {
        let (reply, answer) = oneshot::channel();
        self.handle.send(command(reply)).unwrap();
        answer
    }

    fn create(&mut self) -> Uuid {
        let rules = Rules { attack_interval_ms: 0, health: 1_000_000, ..Rules::default() };
        let (fight, shares) = (Box::new(new_fight(&rules, Uuid::nil(), 2)), Vec::new());
        let mut created = self.ask(|reply| Command::Create { fight, shares, viewer: Viewer::All, reply });
        let mut info = None;
        self.until("a fight", |_| {
            info = created.try_recv().ok();
            info.is_some()
        });
        info.unwrap().unwrap().id
    }

    fn attack(&self, session: Uuid) -> Waiting<ActionApplied> {
        let act = Act::new(0, 0, ActionKind::Attack);
        let action = RestAction { act, target: Some(Uuid::from_u128(2)), expected: Expected::default() };
        self.ask(|reply| Command::Act { session, player: Uuid::from_u128(1), action, viewer: Viewer::All, reply })
    }

    fn end(&self, session: Uuid) -> Waiting<FightInfo> {
        let (expected, control) = (Expected::default(), Control::Terminate { force: true });
        self.ask(|reply| Command::Control { session, expected, control, viewer: Viewer::All, reply })
    }

    /// A connection that has joined these.
    fn join(&mut self, sessions: &[Uuid]) -> Client {
        let (attachment, stream) = attachment(None);
        self.handle.send(Command::Attach(Box::new(attachment))).unwrap();
        let mut client = Client { stream, seen: String::new() };
        for (before, session) in sessions.iter().enumerate() {
            client.say(&format!(r#"{{"t":"join","d":{{"session":"{session}"}}}}"#));
            self.until("a join", |_| {
                client.news();
                client.seen.matches(r#""t":"snapshot""#).count() > before
            });
        }
        client
    }

    /// The turns that wait for the log, when there are so many.
    fn waiting(&mut self, count: usize) -> Vec<TurnNo> {
        let store = Arc::clone(&self.store);
        self.until("turns that wait", |shard| store.waiting().len() >= count && shard.worker.inbox.commands.is_empty());
        store.waiting()
    }

    /// The log has kept the turns up to that one, and the shard has heard of it.
    fn keep_to(&mut self, last: TurnNo) {
        for turn in self.store.waiting().into_iter().filter(|turn| *turn <= last) {
            self.store.keep(turn);
        }
        self.turn();
    }

    /// The log has kept that turn, and the shard has heard of it.
    fn keep(&mut self, turn: TurnNo) {
        self.store.keep(turn);
        self.turn();
    }
}

pub(super) fn handle_of(session: Uuid) -> u32 {
    u32::try_from(session.as_u128() & u128::from(u32::MAX)).unwrap()
}

/// An attack over a socket.
pub(super) fn attack_of(session: Uuid, id: u64) -> String {
    format!(r#"{{"t":"action","d":{{"s":{},"id":{id},"kind":"attack","to":1}}}}"#, handle_of(session))
}

pub(super) fn count(of: &str, what: &str) -> usize {
    of.matches(&format!(r#""t":"{what}""#)).count()
}

fn is_open<T>(answer: &mut Waiting<T>) -> bool {
    matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty))
}

#[test]
fn nothing_is_shown_before_the_log_has_kept_it_and_nothing_twice() {
    let mut shard = ByHand::start();
    let id = shard.create();
    let mut client = shard.join(&[id]);
    let entries = shard.store.kept(id);
    shard.store.be_late();
    // Each in a turn of its own, the last that waits by then.
    let mut over_rest = shard.attack(id);
    let mut turns = shard.waiting(1);
    let actions = shard.worker.stats.actions;
    client.say(&attack_of(id, 1));
    shard.until("an action", |shard| shard.worker.stats.actions > actions);
    turns.extend(shard.store.waiting().last());
    let mut ended = shard.end(id);
    shard.until("an end", |shard| shard.worker.stats.live_sessions == 0);
    turns.extend(shard.store.waiting().last());
    for _ in 0..3 {
        shard.turn();
    }
    let status = |shard: &ByHand| shard.worker.book.get(id).unwrap().status;
    assert_eq!((client.news(), is_open(&mut over_rest), is_open(&mut ended)), (String::new(), true, true));
    assert_ne!(status(&shard), SessionStatus::Terminated);
    assert_eq!(shard.worker.book.replay_queue().waiting(), 0);

    shard.keep_to(turns[0]);
    assert!(over_rest.try_recv().unwrap().is_ok());
    let news = client.news();
    assert_eq!((count(&news, "delta"), count(&news, "ack")), (1, 0), "the turn that is kept, and no more: {news}");
    shard.keep_to(turns[1]);
    let news = client.news();
    assert_eq!((count(&news, "delta"), count(&news, "ack"), count(&news, "result")), (1, 1, 0), "{news}");
    assert!(is_open(&mut ended));
    assert_ne!(status(&shard), SessionStatus::Terminated);
    shard.keep_to(turns[2]);
    assert_eq!(ended.try_recv().unwrap().unwrap().status, SessionStatus::Terminated);
    assert_eq!((status(&shard), shard.worker.book.replay_queue().waiting()), (SessionStatus::Terminated, 1));
    assert!(count(&client.news(), "delta") > 0);
    for _ in 0..3 {
        shard.turn();
    }
    assert_eq!((client.news(), count(&client.seen, "ack")), (String::new(), 1), "nothing twice");
    assert!(shard.store.kept(id) >= entries + 3);
}

#[test]
fn turns_that_are_kept_in_another_order_are_shown_in_theirs() {
    let mut shard = ByHand::start();
    let (one, two) = (shard.create(), shard.create());
    let (mut of_one, mut of_two) = (shard.join(&[one]), shard.join(&[two]));
    shard.store.be_late();
    let mut first = shard.attack(one);
    shard.waiting(1);
    let mut second = shard.attack(two);
    let turns = shard.waiting(2);
    shard.keep(turns[1]);
    assert!(is_open(&mut first) && is_open(&mut second));
    assert_eq!((of_one.news(), of_two.news()), (String::new(), String::new()));
    shard.keep(turns[0]);
    assert!(first.try_recv().unwrap().is_ok() && second.try_recv().unwrap().is_ok());
    assert_eq!((count(&of_one.news(), "delta"), count(&of_two.news(), "delta")), (1, 1));
}

#[test]
fn a_turn_of_unknown_outcome_is_handed_in_again_under_its_numbers() {
    let mut shard = ByHand::start();
    let id = shard.create();
    let mut client = shard.join(&[id]);
    let entries = shard.store.kept(id);
    shard.store.be_late();
    // The log had it, the second time it had not.
    for (round, had_it) in [true, false].into_iter().enumerate() {
        let mut answer = shard.attack(id);
        let turns = shard.waiting(1);
        shard.store.lose(turns[0], had_it);
        shard.turn();
        assert_eq!(shard.store.waiting(), turns, "the same turn again");
        assert_eq!((client.news(), is_open(&mut answer)), (String::new(), true), "nobody knows yet");
        shard.keep(turns[0]);
        assert!(answer.try_recv().unwrap().is_ok());
        assert_eq!(count(&client.news(), "delta"), 1);
        assert_eq!(shard.store.kept(id), entries + 1 + round, "it has happened once");
        assert_eq!(shard.store.known_again(), 1, "and the log knew what it had");
    }
    assert_eq!(shard.worker.stats.log_unknown, 2);
}

#[test]
fn a_fenced_session_is_dropped_and_its_connections_are_told_at_once() {
    let mut shard = ByHand::start();
    let (lost, other) = (shard.create(), shard.create());
    let mut both = shard.join(&[other, lost]);
    let entries = shard.store.kept(lost);

    shard.store.be_late();
    let mut attacks = [shard.attack(lost), shard.attack(other)];
    let many = vec![lost, other];
    let mut many = shard.ask(|reply| Command::ReadMany(many, Viewer::All, reply));
    let mut ended = shard.end(lost);
    shard.waiting(1);
    // It leaves, and then it would never have been in it.
    both.say(&format!(r#"{{"t":"leave","d":{{"s":{}}}}}"#, handle_of(lost)));
    shard.until("a leave", |shard| shard.worker.connections.values().all(|connection| connection.joins.len() < 2));
    assert_eq!(both.news(), "");
    let soon = Duration::from_millis(limits::LOG_RETRY_MS);
    assert!(shard.worker.sleep() <= Some(soon), "what the log says is heard soon");

    shard.store.fence(lost);
    shard.turn();
    assert_eq!(both.closed(), CloseCode::Restart.code(), "and nothing that was not kept before it");
    shard.turn();
    assert!(!shard.worker.index.contains_key(&lost));
    assert!(is_open(&mut attacks[0]) && is_open(&mut attacks[1]), "in their turn, which is not kept yet");
    for turn in shard.store.waiting() {
        shard.keep(turn);
    }
    let refused = attacks[0].try_recv().unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::Fenced, true));
    assert_eq!(ended.try_recv().unwrap().unwrap_err().reason, Reason::Fenced);
    assert!(attacks[1].try_recv().unwrap().is_ok(), "nothing else of the turn suffers");
    let told: Vec<Uuid> = many.try_recv().unwrap().unwrap().iter().map(|info| info.id).collect();
    assert_eq!(told, [other]);
    assert_ne!(shard.worker.book.get(lost).unwrap().status, SessionStatus::Terminated, "the store is not told");
    assert_eq!((shard.worker.book.replay_queue().waiting(), shard.store.kept(lost)), (0, entries));
    assert_eq!((shard.worker.stats.fenced, shard.worker.stats.live_sessions), (1, 1));
    let mut read = shard.ask(|reply| Command::Read(other, Viewer::All, reply));
    let mut told = None;
    shard.until("an answer", |shard| {
        for turn in shard.store.waiting() {
            shard.store.keep(turn);
        }
        told = read.try_recv().ok();
        told.is_some()
    });
    let other = told.unwrap().unwrap();
    assert!(other.participants[0].status != ParticipantStatus::Active, "its other session has heard of the end");
}

#[test]
fn only_the_connections_of_a_fenced_session_are_closed() {
    let mut shard = ByHand::start();
    let (lost, other) = (shard.create(), shard.create());
    let (mut of_lost, mut of_other) = (shard.join(&[lost]), shard.join(&[other]));
    shard.store.be_late();
    let mut attacks = [shard.attack(lost), shard.attack(other)];
    let turns = shard.waiting(1);
    shard.store.fence(lost);
    shard.turn();
    assert_eq!(of_lost.closed(), CloseCode::Restart.code());
    assert_eq!(of_other.news(), "");
    for turn in turns {
        shard.keep(turn);
    }
    assert!(attacks[0].try_recv().unwrap().is_err() && attacks[1].try_recv().unwrap().is_ok());
    assert_eq!(count(&of_other.news(), "delta"), 1);
    of_other.say(&attack_of(other, 1));
    let turns = shard.waiting(1);
    shard.keep(turns[0]);
    assert_eq!(count(&of_other.news(), "ack"), 1, "and goes on");
}

#[test]
fn who_is_brought_up_to_date_is_told_nothing_that_is_not_kept() {
    let mut shard = ByHand::start();
    let id = shard.create();
    let mut client = shard.join(&[id]);
    // More than the kernel and the outbox take.
    shard.until("a client that is behind", |shard| {
        if shard.worker.inbox.commands.is_empty() {
            (0..100).for_each(|_| drop(shard.attack(id)));
        }
        shard.worker.stats.lagged > 0
    });
    shard.until("no attacks any more", |shard| shard.worker.inbox.commands.is_empty());
    shard.store.be_late();
    let mut answer = shard.attack(id);
    let turns = shard.waiting(1);
    let snapshots = |client: &mut Client| {
        client.news();
        count(&client.seen, "snapshot")
    };
    shard.until("the rest", |shard| {
        snapshots(&mut client);
        shard.worker.stats.conflated > 0
    });
    shard.turn();
    assert_eq!((snapshots(&mut client), is_open(&mut answer)), (1, true), "the snapshot waits for what it shows");
    for turn in turns {
        shard.store.keep(turn);
    }
    shard.until("a snapshot", |_| snapshots(&mut client) == 2);
    let seq = answer.try_recv().unwrap().unwrap().seq;
    assert!(client.seen.contains(&format!(r#""q":{seq},"#)), "of the newest state");
}

#[test]
fn turns_that_wait_are_bounded_and_a_shard_that_waits_says_so() {
    let mut shard = ByHand::start();
    let id = shard.create();
    shard.store.be_late();
    let mut first = shard.attack(id);
    let turns = shard.waiting(1);
    let mut reads = Vec::new();
    for _ in 0..limits::TURNS_HELD - 2 {
        reads.push(shard.ask(|reply| Command::Read(id, Viewer::All, reply)));
        shard.turn();
    }
    assert!(reads.iter_mut().all(is_open), "what is read is not kept either");
    assert_eq!(shard.worker.held.len(), limits::TURNS_HELD - 1);
    assert_eq!(shard.handle.stats().stalled, 0);
    let (handle, store) = (shard.handle.clone(), Arc::clone(&shard.store));
    reads.push(shard.ask(|reply| Command::Read(id, Viewer::All, reply)));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| shard.turn());
        let since = Instant::now();
        while handle.stats().stalled == 0 {
            assert!(since.elapsed() < PATIENCE, "it does not say so");
            std::thread::yield_now();
        }
        store.keep(turns[0]);
        waits.join().unwrap();
    });
    assert!(first.try_recv().unwrap().is_ok());
    assert!(reads.iter_mut().all(|read| read.try_recv().unwrap().is_ok()));
    shard.turn();
    assert_eq!((shard.worker.held.len(), shard.handle.stats().stalled), (0, 0));
}

#[test]
fn a_shard_that_takes_no_turns_is_known_to_hang_until_it_does_and_is_not_while_it_waits_for_its_log() {
    let mut shard = ByHand::start();
    let id = shard.create();
    let hanging = |shard: &ByHand| shard.handle.stats().hanging;
    assert_eq!(hanging(&shard), 0);
    shard.handle.hang();
    assert_eq!(hanging(&shard), 1);
    shard.turn();
    assert_eq!(hanging(&shard), 0, "with nothing to do, too");
    shard.store.stall(true);
    let _attack = shard.attack(id);
    let (handle, store) = (shard.handle.clone(), Arc::clone(&shard.store));
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| shard.turn());
        let since = Instant::now();
        let until = |is_so: &dyn Fn() -> bool| {
            while !is_so() {
                assert!(since.elapsed() < PATIENCE, "it does not say so");
                std::thread::yield_now();
            }
        };
        until(&|| handle.stats().stalled == 1);
        handle.hang();
        until(&|| handle.stats().hanging == 0);
        assert_eq!(handle.stats().stalled, 1, "it is what it waits for that is named");
        store.stall(false);
        waits.join().unwrap();
    });
}

#[test]
fn who_waits_for_a_log_that_does_not_answer_is_told_after_a_while_and_a_stop_does_not_wait_for_it() {
    let mut shard = ByHand::start();
    let id = shard.create();
    shard.store.be_late();
    let mut answer = shard.attack(id);
    shard.waiting(1);
    shard.turn();
    assert!(is_open(&mut answer));
    shard.handle.send(Command::Drain).unwrap();
    shard.turn();
    assert!(!shard.worker.is_drained(), "it waits for its log");
    shard.worker.answer_ms = 0;
    shard.turn();
    let refused = answer.try_recv().unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::LogUnavailable, true));
    assert!(shard.worker.is_drained(), "but not for long");
}

#[test]
fn a_log_that_does_not_answer_for_long_is_told_of_as_one_that_cannot_be_written_and_gone_on_with() {
    let ByHand { mut worker, handle, store, data } = ByHand::start();
    worker.answer_ms = 200;
    let book = Arc::clone(&worker.book);
    let shard = Shard::run(handle, worker, book, Arc::<AtomicBool>::default(), renewals().1, data);
    let rules = Rules { attack_interval_ms: 0, ..Rules::default() };
    let id = shard.create_under(&rules, Uuid::nil(), 2).id;
    store.be_late();
    let held = shard.attack(id);
    let since = Instant::now();
    while shard.handle.stats().stalled == 0 {
        assert!(since.elapsed() < PATIENCE, "nobody is told");
        std::thread::yield_now();
    }
    assert_eq!(held.blocking_recv().unwrap().unwrap_err().reason, Reason::LogUnavailable);
    store.be_prompt();
    while shard.handle.stats().stalled == 1 {
        assert!(since.elapsed() < PATIENCE, "it goes on");
        std::thread::yield_now();
    }
    assert_eq!(shard.read(id).unwrap().actions, 1, "it is in the log by now");
    drop(shard.stop());
}

#[test]
fn while_the_log_takes_nothing_the_shard_waits_and_then_goes_on() {
    let ByHand { worker, handle, store, data } = ByHand::start();
    let book = Arc::clone(&worker.book);
    let shard = Shard::run(handle, worker, book, Arc::<AtomicBool>::default(), renewals().1, data);
    let rules = Rules { attack_interval_ms: 0, ..Rules::default() };
    let id = shard.create_under(&rules, Uuid::nil(), 2).id;
    // It has begun by that: nothing is due.
    assert!(shard.attack(id).blocking_recv().unwrap().is_ok());
    store.be_late();
    let mut held = shard.attack(id);
    let since = Instant::now();
    while store.waiting().is_empty() {
        assert!(since.elapsed() < PATIENCE, "the log is handed nothing");
        std::thread::yield_now();
    }
    store.stall(true);
    while shard.handle.stats().log_failures < 3 {
        assert!(since.elapsed() < PATIENCE, "it does not try");
        std::thread::yield_now();
    }
    assert!(held.try_recv().is_err(), "not answered before it is kept");
    assert_eq!(shard.handle.stats().stalled, 1);
    assert_eq!(shard.read(id).unwrap_err().reason, Reason::LogUnavailable);
    store.stall(false);
    store.be_prompt();
    assert!(held.blocking_recv().unwrap().is_ok());
    assert_eq!(shard.read(id).unwrap().actions, 2, "once, and not lost");
    drop(shard.stop());
}
