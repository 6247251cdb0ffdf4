//! A shard's loop, turn by turn, with a log that can be made to fail.

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
use crate::hub::{Attachment, Command, FightInfo, Hub, Mode, NewFight, Refusal, Reply, RestAction, Viewer};
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
            rules: Rules { preparation_ms: 0, actions_per_second: 0, ..Rules::default() },
            teams: Vec::new(),
            settings: String::new(),
            metadata: String::new(),
        };
        self.ask(|reply| Command::Create(Box::new(asked), Viewer::All, reply)).blocking_recv().unwrap().unwrap()
    }

    fn read(&self, id: Uuid) -> Result<FightInfo, Refusal> {
        self.ask(|reply| Command::Read(id, Viewer::All, reply)).blocking_recv().unwrap()
    }

    fn attack(&self, session: Uuid) -> oneshot::Receiver<Result<crate::hub::ActionApplied, Refusal>> {
        let act = Act::new(0, 0, ActionKind::Attack);
        let action = RestAction { act, target: Some(Uuid::from_u128(2)) };
        self.ask(|reply| Command::Act { session, player: Uuid::from_u128(1), action, viewer: Viewer::All, reply })
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
        let mut answer = shard.ask(|reply| Command::Read(id, Viewer::All, reply));
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
