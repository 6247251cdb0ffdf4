//! A shard's loop, turn by turn, with a log that can be made to fail.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tempfile::TempDir;
use tiltyard_combat::replay::Cut;
use tiltyard_combat::{Input, Mode, Rules};
use tiltyard_protocol::{Act, ActionKind, Encoding};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Place, Worker};
use crate::book::WriteBehind;
use crate::limits;
use crate::replays::Recording;
use crate::rules::Library;
use crate::session::{Expected, FightInfo, Refusal, Viewer};
use crate::shard::recovery::{Recovered, recover};
use crate::shard::room::Desk;
use crate::shard::{
    Asked, Attachment, Command, NewFight, Renewals, Reply, RestAction, SessionRecord, ShardHandle, renewals,
};
use crate::socket::budget::Allowance;

#[path = "../adopt_tests/mod.rs"]
mod adopts;
#[path = "../far_tests/mod.rs"]
mod fars;
#[path = "../held_tests.rs"]
mod held;
#[path = "../lease_tests.rs"]
mod leases;
mod log;
mod logins;
#[path = "../pause_tests.rs"]
mod pauses;
#[path = "../receipt_tests.rs"]
mod receipts;
#[path = "../room_tests.rs"]
mod rooms;
mod sessions;
mod sockets;
mod tapes;
#[path = "../trim_tests.rs"]
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
        let place = place(0, &recovered, &library, renewals);
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

/// Where a shard stands that goes on with what was recovered, beside a store that has nothing.
fn place(number: usize, recovered: &Recovered, library: &Arc<Library>, renewals: Renewals) -> Place {
    Place {
        number,
        folder: Arc::clone(&recovered.folder),
        library: Arc::clone(library),
        allowance: Allowance::UNLIMITED,
        renewals,
        desk: Desk::default(),
        found: recovered.found,
        standing: Arc::default(),
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
        writes: true,
        permit: None,
        pass: None,
    };
    (attachment, client)
}

/// The code of the close frame that comes, and nothing before it.
fn close_code(client: &mut TcpStream) -> u16 {
    let mut frame = [0; 4];
    client.read_exact(&mut frame).unwrap();
    assert_eq!(frame[0], 0x88, "a close frame");
    u16::from_be_bytes([frame[2], frame[3]])
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
            let filling =
                tokio::spawn(self.book.fill_replays(Arc::new(Library::built_in()), stop.clone(), Arc::default()));
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

/// A shard that is not running, with this many connections that it has been given.
fn at_rest(connections: u64) -> (ShardHandle, Worker, Vec<TcpStream>, TempDir) {
    let data = TempDir::new().unwrap();
    let library = Arc::new(Library::built_in());
    let mut recovered = recover(data.path(), 1, false, false, &library).unwrap();
    let (journal, records) = recovered.shards.remove(0);
    let place = place(0, &recovered, &library, renewals().0);
    let (handle, worker) = Worker::new(place, journal, records, Arc::default()).unwrap();
    let attach = |_| {
        let (attachment, client) = attachment(None);
        handle.send(Command::Attach(Box::new(attachment))).unwrap();
        client
    };
    let clients = (0..connections).map(attach).collect();
    (handle, worker, clients, data)
}
