//! A shard's loop, turn by turn, with a log that can be made to fail.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use mio::Events;
use tempfile::TempDir;
use tiltyard_combat::replay::{Cut, Loss};
use tiltyard_combat::{Input, Rules};
use tiltyard_protocol::{Act, ActionKind, CloseCode, Encoding, Reason};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Place, Worker};
use crate::book::WriteBehind;
use crate::hub::Hub;
use crate::limits;
use crate::replays::Recording;
use crate::rules::Library;
use crate::session::{Expected, FightInfo, Refusal, Viewer};
use crate::shard::recovery::recover;
use crate::shard::{
    Asked, Attachment, Command, Control, Entry, InStore, NewFight, Reply, RestAction, SessionRecord, ShardHandle,
    renewals,
};
use crate::socket::budget::Allowance;
use tiltyard_combat::Mode;

#[path = "adopt_tests.rs"]
mod adopts;
#[path = "far_tests.rs"]
mod fars;
#[path = "held_tests.rs"]
mod held;
#[path = "lease_tests.rs"]
mod leases;
#[path = "pause_tests.rs"]
mod pauses;
#[path = "receipt_tests.rs"]
mod receipts;
#[path = "trim_tests.rs"]
mod trims;

/// A shard on its thread, with switches for what can go wrong.
struct Shard {
    handle: ShardHandle,
    log_fails: Arc<AtomicBool>,
    step_panics: Arc<AtomicBool>,
    clock_skips: Arc<AtomicU64>,
    chunks_fail: Arc<AtomicBool>,
    book: Arc<WriteBehind>,
    /// Credentials that connections have handed in.
    handed_in: flume::Receiver<Asked>,
    thread: JoinHandle<()>,
    data: TempDir,
}

impl Shard {
    fn start() -> Self {
        Self::start_on(TempDir::new().unwrap())
    }

    fn start_on(data: TempDir) -> Self {
        Self::start_with(data, limits::REPLAY_BYTES)
    }

    /// With room for so many bytes of a fight's tape.
    fn start_with(data: TempDir, most: u64) -> Self {
        Self::start_from(data, most, |_| {})
    }

    /// Goes on with what `change` makes of what the log has.
    fn start_from(data: TempDir, most: u64, change: impl FnMut(&mut SessionRecord)) -> Self {
        Self::start_of(data, WriteBehind::default(), most, change)
    }

    fn start_of(data: TempDir, book: WriteBehind, most: u64, change: impl FnMut(&mut SessionRecord)) -> Self {
        let library = Arc::new(Library::built_in());
        let mut recovered = recover(data.path(), 1, false, false, &library).unwrap();
        let (journal, mut records) = recovered.shards.remove(0);
        records.iter_mut().for_each(change);
        let log_fails = journal.failing.clone();
        let book = Arc::new(book);
        let (renewals, handed_in) = renewals();
        let place = Place {
            number: 0,
            folder: recovered.folder,
            library,
            allowance: Allowance::UNLIMITED,
            renewals,
            found: recovered.found,
            standing: Arc::default(),
        };
        let (handle, mut worker) = Worker::new(place, journal, records, Arc::clone(&book)).unwrap();
        worker.chunks.most.1 = most;
        // However slow the machine is.
        worker.answer_ms = u64::MAX;
        Self::run(handle, worker, book, log_fails, handed_in, data)
    }

    fn run(
        handle: ShardHandle,
        mut worker: Worker,
        book: Arc<WriteBehind>,
        log_fails: Arc<AtomicBool>,
        handed_in: flume::Receiver<Asked>,
        data: TempDir,
    ) -> Self {
        let step_panics = worker.step_panics.clone();
        let clock_skips = worker.clock_skips.clone();
        let chunks_fail = worker.chunks.failing.clone();
        let thread = std::thread::spawn(move || worker.run());
        Self { handle, log_fails, step_panics, clock_skips, chunks_fail, book, handed_in, thread, data }
    }

    fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> oneshot::Receiver<Result<T, Refusal>> {
        let (reply, answer) = oneshot::channel();
        self.handle.send(command(reply)).unwrap();
        answer
    }

    fn create(&self) -> FightInfo {
        self.create_with(2)
    }

    /// A fight of two, which waits for more where it has more seats.
    fn create_with(&self, seats: u8) -> FightInfo {
        self.create_of(Uuid::nil(), seats)
    }

    fn create_of(&self, creator: Uuid, seats: u8) -> FightInfo {
        self.create_under(&Rules::default(), creator, seats)
    }

    /// A fight that begins at once when it has all, of players who may act as often as they like.
    fn create_under(&self, rules: &Rules, creator: Uuid, seats: u8) -> FightInfo {
        let asked = new_fight(rules, creator, seats);
        let shares = Vec::new();
        let create = |reply| Command::Create { fight: Box::new(asked), shares, viewer: Viewer::All, reply };
        self.ask(create).blocking_recv().unwrap().unwrap()
    }

    fn read(&self, id: Uuid) -> Result<FightInfo, Refusal> {
        self.ask(|reply| Command::Read(id, Viewer::All, reply)).blocking_recv().unwrap()
    }

    fn attack(&self, session: Uuid) -> oneshot::Receiver<Result<crate::shard::ActionApplied, Refusal>> {
        let act = Act::new(0, 0, ActionKind::Attack);
        let action = RestAction { act, target: Some(Uuid::from_u128(2)), expected: Expected::default() };
        self.ask(|reply| Command::Act { session, player: Uuid::from_u128(1), action, viewer: Viewer::All, reply })
    }

    /// A client's end of a connection whose credentials were of `sid`.
    fn attach(&self, sid: Option<Uuid>) -> TcpStream {
        let (attachment, client) = attachment(sid);
        self.handle.send(Command::Attach(Box::new(attachment))).unwrap();
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
        self.verified(id).0
    }

    /// Fought again up to where its tape ends: how many actions were tried in it, and why it ends there.
    fn verified(&self, id: Uuid) -> (u64, Option<Cut>) {
        let (recording, library) = (self.recording(id).unwrap(), Library::built_in());
        let ruleset = library.by_hash(&recording.hash).unwrap();
        let replay = recording.assemble(|| Some(Arc::clone(&ruleset))).unwrap();
        let mut actions = 0;
        replay.play(ruleset, |played| actions += u64::from(matches!(played.input, Input::Act { .. }))).unwrap();
        (actions, replay.cut)
    }

    /// Refused or not: every attack is an input.
    fn attack_often(&self, session: Uuid, times: usize) {
        for _ in 0..times {
            let _ = self.attack(session).blocking_recv().unwrap();
        }
    }
}

/// A fight of players 1 and 2 that begins at once when it has all, in which one may act as often as one likes.
fn new_fight(rules: &Rules, creator: Uuid, seats: u8) -> NewFight {
    NewFight {
        id: Uuid::now_v7(),
        mode: Mode::Pvp,
        creator,
        participants: vec![Uuid::from_u128(1), Uuid::from_u128(2)],
        seats,
        ruleset: Arc::clone(Library::built_in().by_name("default").unwrap()),
        rules: Rules { preparation_ms: 0, actions_per_second: 0, ..rules.clone() },
        teams: Vec::new(),
        settings: String::new(),
        metadata: String::new(),
    }
}

/// Both ends of a connection whose credentials were of `sid`.
fn attachment(sid: Option<Uuid>) -> (Attachment, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    // As those that are accepted: what is written comes at once.
    stream.set_nodelay(true).unwrap();
    let attachment = Attachment {
        stream,
        tls: None,
        leftover: Vec::new(),
        player: Uuid::from_u128(1),
        sid,
        expires_at: u64::MAX,
        encoding: Encoding::Json,
        session: Uuid::nil(),
        only: false,
        permit: None,
        pass: None,
    };
    (attachment, client)
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

#[test]
fn who_waits_for_a_turn_that_the_log_does_not_take_is_told_before_long_and_the_turn_is_not_lost() {
    let (handle, mut worker, _clients, data) = at_rest(0);
    let (book, log_fails) = (Arc::clone(&worker.book), worker.log.journal().unwrap().failing.clone());
    let shard = Shard::run(handle, worker, book, log_fails, renewals().1, data);
    let id = shard.create().id;
    shard.log_fails.store(true, Ordering::SeqCst);
    let (held, since) = (shard.attack(id), std::time::Instant::now());
    let refused = held.blocking_recv().unwrap().unwrap_err();
    let took = since.elapsed();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::LogUnavailable, true));
    assert!(took < Duration::from_millis(limits::SHARD_ANSWER_MS), "after {took:?}");
    // What comes now is refused, and has no effect.
    let refused = shard.attack(id).blocking_recv().unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::LogUnavailable, false));
    shard.log_fails.store(false, Ordering::SeqCst);
    loop {
        match shard.read(id) {
            Ok(fight) => break assert_eq!(fight.actions, 1, "once, and not lost"),
            Err(refused) => assert_eq!(refused.reason, Reason::LogUnavailable),
        }
    }
    drop(shard.stop());
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_tried_again_and_told() {
    let (handle, mut worker, _clients, data) = at_rest(0);
    let folder = data.path().join("log/1");
    worker.log.journal().unwrap().most = 0;
    // Where the next segment is to be written there is something else.
    std::fs::create_dir_all(folder.join("0-2.new/x")).unwrap();
    let turn = |worker: &mut Worker| {
        worker.log.journal().unwrap().push(&Entry::CheckpointEnd);
        worker.turn(&mio::Events::with_capacity(1));
        let stats = handle.stats();
        (stats.checkpoint_failures, stats.checkpoint_overdue)
    };
    assert_eq!(turn(&mut worker), (1, 1));
    assert_eq!(turn(&mut worker), (1, 1), "not tried in every turn");
    worker.clock_skips.store(limits::CHECKPOINT_RETRY_MS, Ordering::SeqCst);
    assert_eq!(turn(&mut worker), (2, 1), "but tried again");
    std::fs::remove_dir_all(folder.join("0-2.new")).unwrap();
    worker.clock_skips.store(2 * limits::CHECKPOINT_RETRY_MS, Ordering::SeqCst);
    assert_eq!(turn(&mut worker), (2, 0));
    drop(handle);
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
    assert_eq!((shard.handle.stats().panics, shard.handle.stats().replays_panic), (1, 1));
    assert_eq!(shard.book.replay_queue().waiting(), 1, "what it was up to then is kept");
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
fn at_its_bound_a_tape_keeps_its_head_and_the_fight_goes_on() {
    let shard = Shard::start_with(TempDir::new().unwrap(), 2_000);
    let (id, other) = (shard.create().id, shard.create().id);
    shard.attack_often(other, 20);
    shard.attack_often(id, 600);
    let (actions, cut) = shard.verified(id);
    assert!((150..=600).contains(&actions), "what fits into 2,000 bytes: {actions}");
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::TooLong));
    assert_eq!(shard.read(id).unwrap().refused + shard.read(id).unwrap().actions, 600, "the fight goes on");
    let stats = shard.handle.stats();
    assert_eq!((stats.replays_too_long, stats.replays_disk), (1, 0), "counted once");
    assert_eq!(shard.verified(other), (20, None), "and the others are whole");

    // What was cut stays cut, also over a restart, and is the same head.
    let shard = Shard::start_with(shard.stop(), u64::MAX);
    shard.attack_often(id, 100);
    let (again, cut) = shard.verified(id);
    assert!(cut.is_none() || again == actions, "{again} {cut:?}");
    drop(shard.stop());
}

#[test]
fn what_is_recorded_of_a_players_fights_in_a_day_is_bounded_and_of_others_it_is_not() {
    let book = WriteBehind::recording(2_000);
    let shard = Shard::start_of(TempDir::new().unwrap(), book, limits::REPLAY_BYTES, |_| {});
    let (ann, bob, service) = (Uuid::from_u128(8), Uuid::from_u128(9), crate::auth::named("service:games"));
    let [first, second, bobs, services] = [ann, ann, bob, service].map(|creator| shard.create_of(creator, 2).id);
    shard.attack_often(first, 300);
    let (head, cut) = shard.verified(first);
    assert!((150..300).contains(&head), "what fits into 2,000 bytes: {head}");
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::Quota));
    shard.attack_often(second, 100);
    let (rest, cut) = shard.verified(second);
    assert!((10..50).contains(&rest), "what a session holds by itself: {rest}");
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::Quota));
    shard.attack_often(first, 100);
    assert_eq!(shard.verified(first).0, head, "what is cut stays cut");
    assert_eq!(shard.read(first).unwrap().refused + shard.read(first).unwrap().actions, 400, "the fight goes on");
    for id in [bobs, services] {
        shard.attack_often(id, 150);
        assert_eq!(shard.verified(id), (150, None), "nobody pays for another");
    }
    shard.attack_often(services, 300);
    assert_eq!(shard.verified(services), (450, None), "who runs the games has no such bound");
    let stats = shard.handle.stats();
    assert_eq!((stats.replays_quota, stats.replays_too_long), (2, 0), "counted once for each");
    drop(shard.stop());
}

#[test]
fn while_parts_cannot_be_written_they_are_held_and_nothing_is_lost() {
    let shard = Shard::start();
    let id = shard.create().id;
    shard.attack_often(id, 100);
    shard.chunks_fail.store(true, Ordering::SeqCst);
    shard.attack_often(id, 100);
    assert_eq!(shard.verified(id), (200, None));
    shard.chunks_fail.store(false, Ordering::SeqCst);
    shard.attack_often(id, 100);
    assert_eq!(shard.verified(id), (300, None));
    let stats = shard.handle.stats();
    assert!(stats.replay_failures > 0 && stats.replays_disk == 0, "{stats:?}");
    drop(shard.stop());
}

#[test]
fn a_fight_whose_inputs_cannot_be_kept_goes_on_with_the_head_of_its_replay() {
    let shard = Shard::start();
    let (id, other) = (shard.create().id, shard.create().id);
    shard.attack_often(id, 100);
    shard.chunks_fail.store(true, Ordering::SeqCst);
    shard.attack_often(id, 900);
    let (actions, cut) = shard.verified(id);
    assert!((400..1_000).contains(&actions), "all that there was room for: {actions}");
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::Disk));
    assert_eq!(shard.handle.stats().replays_disk, 1, "counted once");
    shard.chunks_fail.store(false, Ordering::SeqCst);
    shard.attack_often(other, 300);
    assert_eq!(shard.verified(other), (300, None), "the others are as they were");
    shard.attack_often(id, 10);
    assert_eq!(shard.verified(id), (actions, cut), "what is cut stays cut");
    assert!(shard.read(id).unwrap().actions > 0, "and the fight goes on");
    let shard = Shard::start_on(shard.stop());
    assert_eq!(shard.fought_again(id), 1_010, "the log still had them all");
    drop(shard.stop());
}

#[test]
fn a_damaged_part_costs_what_comes_behind_it() {
    let shard = Shard::start();
    let id = shard.create().id;
    shard.attack_often(id, 700);
    let folder = shard.data.path().join("replays");
    let file = std::fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let (actions, cut) = shard.verified(id);
    assert_eq!(cut.map(|cut| cut.loss), Some(Loss::Damaged));
    assert!((200..600).contains(&actions), "the half before it: {actions}");
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

/// A masked text frame with a mask of zeros.
fn text(message: &str) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let head = if length < 126 { vec![0x81, 0x80 | low] } else { vec![0x81, 0xFE, high, low] };
    [&head, &[0; 4][..], message.as_bytes()].concat()
}

/// The connection, when it has joined.
fn joined(session: Uuid, mut client: TcpStream) -> TcpStream {
    client.write_all(&text(&format!(r#"{{"t":"join","d":{{"session":"{session}"}}}}"#))).unwrap();
    read_until(&mut client, r#""t":"snapshot""#);
    client
}

impl Shard {
    /// Attaches player 1's connection and joins `session` with it.
    fn join(&self, session: Uuid) -> TcpStream {
        joined(session, self.attach(None))
    }

    /// Does with the replays of fights that have ended what a commit does.
    fn keep_replays(&self) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let stop = CancellationToken::new();
            let filling = tokio::spawn(self.book.fill_replays(Arc::new(Library::built_in()), stop.clone()));
            let kept = self.book.replay_queue();
            while kept.waiting() > 0 {
                for replay in kept.take().replays {
                    kept.committed(&[replay.session], &[replay.ruleset]);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            stop.cancel();
            filling.await.unwrap();
        });
    }

    /// Lets this much of the shard's time pass at once.
    fn skip(&self, by: Duration) {
        self.clock_skips.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
        // The shard looks at its clock when there is something to do.
        let _ = self.read(Uuid::nil());
    }
}

/// Reads until that text has come.
fn read_until(client: &mut TcpStream, wanted: &str) {
    let (mut seen, mut chunk) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&seen).contains(wanted) {
        let count = client.read(&mut chunk).unwrap();
        assert!(count > 0, "{wanted} comes");
        seen.extend(&chunk[..count]);
    }
}

/// The code of the close frame that is the last of what comes.
fn last_code(client: &mut TcpStream) -> u16 {
    let mut all = Vec::new();
    // The end of the stream, or a reset behind it.
    let _ = client.read_to_end(&mut all);
    let is_close = |at: &usize| all[*at] == 0x88 && *at + 2 + usize::from(all[*at + 1]) == all.len();
    let at = (0..all.len() - 1).find(is_close).expect("a close frame");
    u16::from_be_bytes([all[at + 2], all[at + 3]])
}

#[test]
fn whoever_says_nothing_for_a_minute_is_closed_and_pings_of_ours_do_not_count() {
    let shard = Shard::start();
    let id = shard.create().id;
    let mut client = shard.join(id);
    for _ in 0..3 {
        shard.skip(Duration::from_millis(limits::PING_AFTER_MS));
    }
    assert_eq!(last_code(&mut client), CloseCode::Idle.code());
    drop(client);
    drop(shard.stop());
}

#[test]
fn whoever_takes_nothing_for_long_is_closed_as_too_slow_once_it_reads_again() {
    let shard = Shard::start();
    let rules = Rules { attack_interval_ms: 0, health: 1_000_000, ..Rules::default() };
    let id = shard.create_under(&rules, Uuid::nil(), 2).id;
    let mut client = shard.join(id);
    // More than kernel and outbox take: state is left out.
    while shard.handle.stats().lagged == 0 {
        shard.attack_often(id, 100);
    }
    shard.skip(Duration::from_millis(limits::STUCK_MS / 2));
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().closed_slow, 0, "it still has time");
    shard.skip(Duration::from_millis(limits::STUCK_MS / 2));
    assert_eq!(last_code(&mut client), CloseCode::TooSlow.code());
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().closed_slow, 1);
    drop(client);
    drop(shard.stop());
}

#[test]
fn a_connection_that_joins_nothing_is_closed_pings_or_not() {
    let shard = Shard::start();
    let id = shard.create().id;
    let mut silent = shard.attach(None);
    let mut pings = shard.attach(None);
    let mut left = shard.join(id);
    // As the protocol has it.
    let handle = id.as_u128() & u128::from(u32::MAX);
    left.write_all(&text(&format!(r#"{{"t":"leave","d":{{"s":{handle}}}}}"#))).unwrap();
    read_until(&mut left, r#""t":"left""#);
    shard.skip(Duration::from_millis(limits::UNJOINED_MS / 2));
    // Of the protocol, and of the WebSocket.
    pings.write_all(&[0x89, 0x80, 0, 0, 0, 0]).unwrap();
    pings.write_all(&text(r#"{"t":"ping","d":{"n":1}}"#)).unwrap();
    read_until(&mut pings, r#""t":"pong""#);
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().closed_unjoined, 0, "it still has time");
    shard.skip(Duration::from_millis(limits::UNJOINED_MS / 2));
    for client in [&mut silent, &mut pings, &mut left] {
        assert_eq!(last_code(client), CloseCode::NoSession.code());
    }
    shard.skip(Duration::ZERO);
    assert_eq!(shard.handle.stats().closed_unjoined, 3);
    drop((silent, pings, left));
    drop(shard.stop());
}

#[test]
fn a_fight_that_panics_or_is_forgotten_closes_its_connections_with_the_reason() {
    let shard = Shard::start();
    let (bad, over) = (shard.create().id, shard.create().id);
    let mut of_bad = shard.join(bad);
    shard.step_panics.store(true, Ordering::SeqCst);
    assert!(shard.attack(bad).blocking_recv().unwrap().is_err());
    assert_eq!(last_code(&mut of_bad), CloseCode::Internal.code());

    let mut of_over = shard.join(over);
    let control = Control::Terminate { force: true };
    let end =
        |reply| Command::Control { session: over, expected: Expected::default(), control, viewer: Viewer::All, reply };
    shard.ask(end).blocking_recv().unwrap().unwrap();
    let ended = shard.book.take(8);
    shard.book.committed(&ended);
    shard.keep_replays();
    // In two steps, with a sign of life between them: else it is closed for its silence.
    shard.skip(Duration::from_millis(limits::ENDED_LINGER_MS / 2));
    of_over.write_all(&text(r#"{"t":"ping","d":{"n":1}}"#)).unwrap();
    read_until(&mut of_over, r#""t":"pong""#);
    shard.skip(Duration::from_millis(limits::ENDED_LINGER_MS / 2));
    assert_eq!(last_code(&mut of_over), CloseCode::SessionEnded.code());
    drop((of_bad, of_over));
    drop(shard.stop());
}

#[test]
fn a_connection_that_is_being_closed_has_its_time_for_that_whenever_it_was_to_be_pinged() {
    let shard = Shard::start();
    let id = shard.create().id;
    let mut client = shard.join(id);
    // One millisecond before it would be pinged.
    shard.skip(Duration::from_millis(limits::UNJOINED_MS));
    shard.skip(Duration::from_millis(limits::PING_AFTER_MS - limits::UNJOINED_MS - 1_000));
    client.write_all(&text("nonsense").repeat(usize::from(limits::BAD_MESSAGES))).unwrap();
    assert_eq!(last_code(&mut client), CloseCode::BadMessages.code());
    let connections = || shard.handle.stats().connections;
    shard.skip(Duration::from_millis(1_100));
    shard.skip(Duration::ZERO);
    assert_eq!(connections(), 1, "it could still answer the close");
    shard.skip(Duration::from_millis(limits::CLOSE_MS));
    shard.skip(Duration::ZERO);
    assert_eq!(connections(), 0);
    drop(shard.stop());
}

#[test]
fn a_connection_that_no_shard_takes_is_told_to_come_back() {
    let shard = Shard::start();
    let id = shard.create().id;
    shard.log_fails.store(true, Ordering::SeqCst);
    let held = shard.attack(id);
    while shard.handle.stats().log_failures < 1 {
        std::thread::yield_now();
    }
    // Taken from the inbox by a shard that cannot write its log, and refused by a full inbox.
    assert_eq!(close_code(&mut shard.attach(None)), CloseCode::TryLater.code());
    let hub = Hub::new(vec![shard.handle.clone()]);
    while shard.handle.send(Command::Revoke(Uuid::nil())).is_ok() {}
    let (refused, mut client) = attachment(None);
    if hub.attach(refused).is_err() {
        assert_eq!(close_code(&mut client), CloseCode::TryLater.code());
    }
    shard.log_fails.store(false, Ordering::SeqCst);
    held.blocking_recv().unwrap().unwrap();
    shard.handle.drain();
    shard.thread.join().unwrap();
    let (refused, mut client) = attachment(None);
    assert!(hub.attach(refused).is_err());
    assert_eq!(close_code(&mut client), CloseCode::Restart.code());
}

/// A shard that is not running, with this many connections that it has been given.
fn at_rest(connections: u64) -> (ShardHandle, Worker, Vec<TcpStream>, TempDir) {
    let data = TempDir::new().unwrap();
    let library = Arc::new(Library::built_in());
    let mut recovered = recover(data.path(), 1, false, false, &library).unwrap();
    let (journal, records) = recovered.shards.remove(0);
    let place = Place {
        number: 0,
        folder: recovered.folder,
        library,
        allowance: Allowance::UNLIMITED,
        renewals: renewals().0,
        found: recovered.found,
        standing: Arc::default(),
    };
    let (handle, worker) = Worker::new(place, journal, records, Arc::default()).unwrap();
    let attach = |_| {
        let (attachment, client) = attachment(None);
        handle.send(Command::Attach(Box::new(attachment))).unwrap();
        client
    };
    let clients = (0..connections).map(attach).collect();
    (handle, worker, clients, data)
}

#[test]
fn sockets_that_come_at_once_and_break_at_once_are_dealt_with_over_several_turns() {
    // Each costs calls of the kernel: hundreds cannot be dealt with in half a millisecond.
    let (handle, mut worker, clients, _data) = at_rest(limits::COMMANDS_PER_TURN as u64);
    worker.drain_inbox();
    assert!((1..clients.len()).contains(&worker.connections.len()), "{} in one turn", worker.connections.len());
    while worker.connections.len() < clients.len() {
        worker.drain_inbox();
    }
    for key in worker.connections.keys().collect::<Vec<_>>() {
        worker.lose(key);
    }
    worker.let_go();
    assert!((1..clients.len()).contains(&worker.connections.len()), "{} are left", worker.connections.len());
    assert!(worker.sleep().is_some_and(|sleep| sleep.is_zero()), "and the next turn begins at once");
    while !worker.lost.is_empty() {
        worker.let_go();
    }
    assert!(worker.connections.is_empty());
    drop(handle);
}

#[test]
fn time_in_which_nobody_can_be_served_does_not_pass() {
    let mut clock = super::Clock::new();
    let (start, most) = (clock.now, limits::SLEEP_MS + limits::LATE_MS);
    clock.advance(start + 900);
    assert_eq!((clock.now, clock.stood), (start + 900, 0));
    // Stopped for a minute, twice.
    for stops in 1..=2 {
        let before = clock.now;
        clock.advance(clock.now + clock.stood + 65_000);
        assert_eq!((clock.now, clock.stood), (before + most, stops * (65_000 - most)));
        clock.advance(clock.now + clock.stood + 10);
        assert_eq!(clock.now, before + most + 10, "and then it goes on");
    }
}

#[test]
fn what_was_done_last_is_marked_soon_without_anything_else_that_comes() {
    let (handle, mut worker, _clients, _data) = at_rest(0);
    let soon = Duration::from_millis(limits::MARK_MS);
    assert!(!worker.log.is_unmarked() && worker.sleep() > Some(soon), "there is nothing to do");
    worker.log.journal().unwrap().push(&Entry::CheckpointEnd);
    assert!(worker.commit());
    assert!(worker.log.is_unmarked() && worker.sleep() <= Some(soon));
    let (events, since) = (Events::with_capacity(1), Instant::now());
    while worker.log.is_unmarked() {
        assert!(since.elapsed() < Duration::from_secs(20), "it is not marked");
        worker.turn(&events);
    }
    assert!(worker.sleep() > Some(soon), "and then it sleeps on");
    drop(handle);
}

/// What the store may say of a fight that is about to get this epoch.
fn in_store(id: Uuid, epoch: u64) -> InStore {
    InStore { epochs: [(id, epoch - 1)].into(), ..InStore::default() }
}

#[test]
fn entries_of_a_session_are_numbered_over_checkpoints_and_starts_and_every_start_raises_its_epoch() {
    let (handle, mut worker, _clients, data) = at_rest(0);
    let events = Events::with_capacity(1);
    let (reply, mut created) = oneshot::channel();
    let (fight, shares) = (Box::new(new_fight(&Rules::default(), Uuid::nil(), 2)), Vec::new());
    handle.send(Command::Create { fight, shares, viewer: Viewer::All, reply }).unwrap();
    worker.turn(&events);
    let id = created.try_recv().unwrap().unwrap().id;
    let key_of = |worker: &Worker| worker.sessions[worker.index[&id]].key();
    let attack = |handle: &ShardHandle, worker: &mut Worker| {
        let action =
            RestAction { act: Act::new(0, 0, ActionKind::Defend), target: None, expected: Expected::default() };
        let (reply, mut answer) = oneshot::channel();
        let act = Command::Act { session: id, player: Uuid::from_u128(1), action, viewer: Viewer::All, reply };
        handle.send(act).unwrap();
        worker.turn(&events);
        answer.try_recv().unwrap().unwrap();
    };
    let first = key_of(&worker);
    attack(&handle, &mut worker);
    assert!((first.epoch, key_of(&worker).epoch) == (1, 1) && key_of(&worker).number > first.number);
    for epoch in [2, 3, 8] {
        // One from the entries, one from a checkpoint.
        let before = key_of(&worker);
        drop(worker);
        let library = Arc::new(Library::built_in());
        let mut recovered = recover(data.path(), 1, false, false, &library).unwrap();
        let (journal, records) = recovered.shards.remove(0);
        assert_eq!((records[0].epoch, records[0].number), (before.epoch, before.number));
        let place = Place {
            number: 0,
            folder: recovered.folder,
            library,
            allowance: Allowance::UNLIMITED,
            renewals: renewals().0,
            found: recovered.found,
            standing: Arc::new(in_store(id, epoch)),
        };
        worker = Worker::new(place, journal, records, Arc::default()).unwrap().1;
        assert_eq!((key_of(&worker).epoch, key_of(&worker).number), (epoch, before.number + 1), "the claim");
        worker.log.journal().unwrap().most = 0;
        worker.turn(&events);
    }
}

#[test]
fn a_session_that_the_store_has_under_a_higher_epoch_is_dropped_for_good() {
    let shard = Shard::start();
    let (taken, other) = (shard.create().id, shard.create().id);
    let (mut of_taken, mut of_other) = (shard.join(taken), shard.join(other));
    shard.handle.send(Command::Fence(taken)).unwrap();
    shard.handle.send(Command::Fence(Uuid::nil())).unwrap();
    assert_eq!(last_code(&mut of_taken), CloseCode::Restart.code());
    assert_eq!(shard.read(taken).unwrap_err().reason, Reason::NoSession);
    of_other.write_all(&text(r#"{"t":"ping","d":{"n":1}}"#)).unwrap();
    read_until(&mut of_other, r#""t":"pong""#);
    assert_eq!(shard.handle.stats().fenced, 1);
    drop((of_taken, of_other));
    let shard = Shard::start_on(shard.stop());
    assert_eq!(shard.read(taken).unwrap_err().reason, Reason::NoSession);
    assert!(shard.read(other).is_ok());
    drop(shard.stop());
}
