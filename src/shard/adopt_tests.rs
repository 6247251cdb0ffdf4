//! A session is handed over from one shard to another: with logs in files, and with logs that answer when the test says so.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use mio::Events;
use tempfile::TempDir;
use tiltyard_combat::{Input, Rules};
use tiltyard_protocol::{Act, ActionKind, CloseCode, Reason};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::held::{Client, PATIENCE};
use super::{Place, Worker, attachment, close_code, new_fight};
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
    ActionApplied, Asked, Attachment, Command, Control, NewFight, Peers, Reply, RestAction, Session, SessionRecord,
    ShardHandle,
};
use crate::socket::budget::Allowance;

/// As long as a hand-over is waited for: longer than any machine takes for a test, if its clock does not skip.
const HELD_MS: u64 = 25_000;

#[path = "far_life_tests.rs"]
mod far_life;
#[path = "follow_tests.rs"]
mod follow;

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
        let recovered = recover(data.path(), N, false, false, &library).unwrap();
        let book = Arc::<WriteBehind>::default();
        let (renewals, handed_in) = renewals();
        let (mut workers, mut handles) = (Vec::new(), Vec::new());
        for (number, (journal, records)) in recovered.shards.into_iter().enumerate() {
            let place = Place {
                number,
                folder: Arc::clone(&recovered.folder),
                library: Arc::clone(&library),
                allowance: Allowance::UNLIMITED,
                renewals: renewals.clone(),
                found: recovered.found,
                standing: Arc::default(),
            };
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
            let filled = tokio::spawn(self.book.fill_replays(library, stop.clone()));
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

#[test]
fn a_session_goes_on_at_another_shard_as_it_was_under_a_higher_epoch() {
    let mut two = Two::start();
    let (id, home) = two.create();
    let away = 1 - home;
    for _ in 0..50 {
        let mut answer = two.attack(home, id);
        two.answer("an attack", &mut answer).unwrap();
    }
    let before = two.record(home, id);
    assert!(!two.has_room(), "its owner pays for it");
    two.hand_over(home, id, away).unwrap();
    assert!(two.session(home, id).is_none(), "it is there no more");
    let after = two.record(away, id);
    assert_eq!(after.epoch, before.epoch + 1);
    assert_eq!(SessionRecord { epoch: before.epoch, number: before.number, ..after.clone() }, before);
    assert!(!two.has_room(), "and pays once");
    let stats = two.workers.each_ref().map(|worker| worker.stats.live_sessions);
    assert_eq!((stats[home], stats[away]), (0, 1));

    // Who asks where it was is answered from where it is.
    let applied = two.attack(home, id);
    let mut applied = applied;
    assert_eq!(two.answer("an attack", &mut applied).unwrap().fight.actions, 51);
    assert_eq!(two.read(home, id).unwrap().actions, 51);
    two.hand_over(home, id, away).unwrap();
    assert_eq!(two.record(away, id).epoch, before.epoch + 1, "it is there already");
    two.hand_over(home, id, home).unwrap();
    assert_eq!(two.record(home, id).epoch, before.epoch + 2);
    assert!(two.workers[0].peers.moved().is_empty(), "at home again");
    assert_eq!(two.read(away, id).unwrap().actions, 51, "who has asked before is answered, too");
    assert_eq!(two.read(away, Uuid::nil()).unwrap_err().reason, Reason::NoSession);
}

#[test]
fn its_time_goes_on_meanwhile() {
    let mut two = Two::start();
    let (id, home) = two.create();
    // Their clocks have nothing to do with each other.
    two.skip(1 - home, 1_000_000);
    two.turn(1 - home);
    let before = Instant::now();
    let time = |two: &Two, shard: usize| two.session(shard, id).unwrap().host_time(two.workers[shard].clock.now);
    two.turn(home);
    let (at, mut answer) = (time(&two, home), two.begin(home, id, 1 - home));
    two.turn(home);
    std::thread::sleep(Duration::from_millis(20));
    two.answer("a hand-over", &mut answer).unwrap();
    two.turn(1 - home);
    let passed = time(&two, 1 - home) - at;
    let most = u64::try_from(before.elapsed().as_millis()).unwrap() + 2;
    assert!((18..=most).contains(&passed), "{passed} of {most}");
}

#[test]
fn what_comes_meanwhile_waits_and_is_done_after_it_in_its_order() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    stores[away].be_late();
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    let mut attacks: Vec<_> = (0..limits::HAND_OVER_WAITING - 1).map(|_| two.attack(home, id)).collect();
    let mut read = two.ask(home, |reply| Command::Read(id, Viewer::All, reply));
    let mut too_many = two.attack(home, id);
    // The fight's own time does not change it either.
    let inputs = two.workers[home].stats.inputs;
    for _ in 0..3 {
        two.turn(home);
        two.turn(away);
    }
    assert!(attacks.iter_mut().all(is_open) && is_open(&mut read) && is_open(&mut handed_over));
    assert_eq!(two.workers[home].stats.inputs, inputs);
    let refused = too_many.try_recv().unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::Overloaded, false));
    assert_eq!(two.session(away, id).map(|session| session.frozen), Some(true), "it is not sure yet");

    stores[away].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    let told: Vec<u64> =
        attacks.iter_mut().map(|attack| two.answer("an attack", attack).unwrap().fight.actions).collect();
    assert!(told.is_sorted() && told.last() == Some(&(limits::HAND_OVER_WAITING as u64 - 1)), "{told:?}");
    assert_eq!(two.answer("a read", &mut read).unwrap().actions, told[told.len() - 1]);
}

#[test]
fn what_the_log_has_not_kept_does_not_leave() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    stores[home].be_late();
    let mut attack = two.attack(home, id);
    two.turn(home);
    let mut handed_over = two.begin(home, id, away);
    for _ in 0..3 {
        two.turn(home);
        two.turn(away);
    }
    assert!(is_open(&mut attack) && two.session(away, id).is_none(), "it waits for its log");
    // And not for ever.
    two.skip(home, HELD_MS);
    two.turn(home);
    assert_eq!(handed_over.try_recv().unwrap().unwrap_err().reason, Reason::Overloaded);
    assert_eq!(two.record(home, id).epoch, 1, "nobody has seen it");
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    stores[home].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    assert_eq!(attack.try_recv().unwrap().unwrap().fight.actions, 1);
    assert_eq!(two.read(away, id).unwrap().actions, 1, "what was acknowledged went with it");
}

#[test]
fn who_has_not_kept_it_in_time_does_not_get_it() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    let mut client = two.join(home, id, None);
    stores[away].be_late();
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    let mut attack = two.attack(home, id);
    client.say(&attack_of(id, 1));
    two.skip(home, HELD_MS);
    two.turn(home);
    let refused = handed_over.try_recv().unwrap().unwrap_err();
    assert_eq!((refused.reason, refused.is_unknown), (Reason::Overloaded, false), "it is known whose it is");
    assert!(two.answer("an attack", &mut attack).unwrap().damage > 0, "it goes on here, with what has waited");
    two.until("an ack", |_| client.count("ack") == 1);
    assert_eq!(two.record(home, id).epoch, 3, "above what the other's log may have");
    assert!(!two.has_room());
    // Now it hears of it.
    stores[away].be_prompt();
    two.until("that it is dropped", |two| two.session(away, id).is_none());
    assert_eq!(two.read(home, id).unwrap().actions, 2);
    assert!(!two.has_room() && two.workers[0].peers.moved().is_empty());
    assert_eq!(two.workers[home].stats.hand_overs_failed, 1);
    two.hand_over(home, id, away).unwrap();
    assert_eq!((two.record(away, id).epoch, two.read(home, id).unwrap().actions), (4, 2), "another try");
}

#[test]
fn a_shard_that_does_not_take_it_changes_nothing() {
    let mut two = Two::start();
    let (id, home) = two.create();
    let away = 1 - home;
    let mut client = two.join(home, id, None);
    two.workers[away].draining = true;
    assert_eq!(two.hand_over(home, id, away).unwrap_err().reason, Reason::Draining);
    assert_eq!(two.record(home, id).epoch, 1);
    client.say(&attack_of(id, 1));
    two.until("an ack", |_| client.count("ack") == 1);
    two.workers[away].draining = false;
    assert_eq!(two.hand_over(home, id, 2).unwrap_err().reason, Reason::BadRequest, "no shard");
    assert_eq!(two.hand_over(home, Uuid::nil(), away).unwrap_err().reason, Reason::NoSession);
    // Nor one whose inbox is full.
    while two.handles[away].send(Command::Revoke(Uuid::nil())).is_ok() {}
    let mut answer = two.begin(home, id, away);
    two.turn(home);
    assert!(two.workers[home].sleep().is_some_and(|sleep| sleep.is_zero()), "it does not wait for anything");
    two.turn(home);
    assert_eq!(answer.try_recv().unwrap().unwrap_err().reason, Reason::Overloaded);
    client.say(&attack_of(id, 2));
    two.until("an ack", |_| client.count("ack") == 2);
    let (expected, control) = (Expected::default(), Control::Terminate { force: true });
    let mut ended =
        two.ask(home, |reply| Command::Control { session: id, expected, control, viewer: Viewer::All, reply });
    two.answer("an end", &mut ended).unwrap();
    for shard in [home, away] {
        assert_eq!(two.hand_over(home, id, shard).unwrap_err().reason, Reason::SessionEnded);
    }
}

#[test]
fn who_stays_and_waits_for_something_holds_nobody_up() {
    let mut two = Two::start();
    let (one, home) = two.create();
    let (other, away) = (two.create_at(home), 1 - home);
    let mut client = two.join(home, one, None);
    two.join_too(&mut client, other);
    // As for what another shard has not answered.
    for connection in two.workers[home].connections.values_mut() {
        connection.waits += 1;
    }
    two.hand_over(home, one, away).unwrap();
    two.until("that it left", |_| client.count("left") == 1);
}

#[test]
fn wherever_it_is_broken_off_a_start_goes_on_with_all_that_was_acknowledged() {
    // How far it gets, and which epoch the start finds.
    for (stop, epoch) in [("offered", 1), ("kept", 2), ("taken", 2), ("left", 2), ("withdrawn", 3), ("back", 3)] {
        let mut two = Two::start();
        let (id, home) = two.create();
        let away = 1 - home;
        let mut client = two.join(home, id, None);
        let mut actions = 0;
        let mut act = |two: &mut Two| {
            actions += 1;
            client.say(&attack_of(id, actions));
            two.until("an ack", |_| client.count("ack") as u64 == actions);
        };
        act(&mut two);
        let mut handed_over = two.begin(home, id, away);
        two.turn(home);
        match stop {
            "offered" => {}
            "kept" => two.turn(away),
            "withdrawn" => {
                // The other's log has it, and does not know yet that it is not its own.
                two.turn(away);
                two.skip(home, HELD_MS);
                two.turn(home);
                assert!(handed_over.try_recv().unwrap().is_err());
                act_at(&mut two, home, id);
                actions += 1;
            }
            _ => {
                two.turn(away);
                two.turn(away);
                if stop != "taken" {
                    two.answer("a hand-over", &mut handed_over).unwrap();
                    act(&mut two);
                }
                if stop == "back" {
                    two.hand_over(away, id, home).unwrap();
                    act(&mut two);
                }
            }
        }
        let two = Two::start_on(two.crash());
        let there: Vec<usize> = (0..2).filter(|&shard| two.session(shard, id).is_some()).collect();
        assert_eq!(there, [home], "{stop}: at home, and nowhere else");
        let record = two.record(home, id);
        // The start has raised it once more.
        assert_eq!(record.epoch, epoch + 1, "{stop}");
        assert_eq!(record.fight.totals().actions, actions, "{stop}: nothing is lost, nothing twice");
        let replay = two.session(home, id).unwrap().recording();
        let ruleset = Library::built_in().by_hash(&replay.hash).unwrap();
        let replay = replay.assemble(|| Some(Arc::clone(&ruleset))).unwrap();
        let mut played = 0;
        replay.play(ruleset, |one| played += u64::from(matches!(one.input, Input::Act { .. }))).unwrap();
        assert_eq!(played, actions, "{stop}: and its replay has all");
    }
}

/// An attack that is answered, with turns of that shard alone.
fn act_at(two: &mut Two, shard: usize, session: Uuid) {
    let mut answer = two.attack(shard, session);
    let since = Instant::now();
    while is_open(&mut answer) {
        assert!(since.elapsed() < PATIENCE);
        two.turn(shard);
    }
}

#[test]
fn a_connection_goes_with_its_session_and_is_told_nothing() {
    let mut two = Two::start();
    let (id, mut shard) = two.create();
    let sid = Uuid::now_v7();
    let mut client = two.join(shard, id, Some(sid));
    for round in 1..=6 {
        // Some are sent before, some meanwhile, some after.
        let sent = 3 * round;
        client.say(&attack_of(id, sent - 2));
        let mut handed_over = two.begin(shard, id, 1 - shard);
        two.turn(shard);
        client.say(&attack_of(id, sent - 1));
        two.answer("a hand-over", &mut handed_over).unwrap();
        shard = 1 - shard;
        client.say(&attack_of(id, sent));
        two.until("acks", |_| client.count("ack") as u64 == sent);
        let connections = two.workers.each_ref().map(|worker| worker.connections.len());
        assert_eq!((connections[shard], connections[1 - shard]), (1, 0), "it is where its session is");
        assert_eq!(two.read(shard, id).unwrap().actions, sent);
    }
    for told in ["left", "error", "refused"] {
        assert_eq!(client.count(told), 0, "{}", client.seen);
    }
    assert_eq!((client.count("joined"), client.count("snapshot")), (1, 1), "nothing it had not asked for");
    // A repeat gets the answer that it had.
    client.say(&attack_of(id, 17));
    two.until("the same answer", |_| client.count("ack") == 19);
    assert_eq!(two.read(shard, id).unwrap().actions, 18);
    // The end of its login finds it.
    two.handles[shard].send(Command::Revoke(sid)).unwrap();
    client.news();
    two.turn(shard);
    assert_eq!(close_code(&mut client.stream), CloseCode::Unauthorized.code());
}

#[test]
fn a_login_that_ends_while_its_connection_is_on_the_way_closes_it() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    let sid = Uuid::now_v7();
    let mut client = two.join(home, id, Some(sid));
    client.news();
    stores[away].be_late();
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    for handle in &two.handles {
        handle.send(Command::Revoke(sid)).unwrap();
    }
    two.turn(home);
    two.turn(away);
    stores[away].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    two.until("a close", |two| two.workers[away].connections.values().all(|of| of.joins.is_empty()));
    for _ in 0..3 {
        two.turn(away);
    }
    assert_eq!(close_code(&mut client.stream), CloseCode::Unauthorized.code());
}

#[test]
fn who_is_lost_meanwhile_is_lost_there_too() {
    let mut two = Two::start();
    let (id, home) = two.create();
    let away = 1 - home;
    let client = two.join(home, id, None);
    let is_connected = |two: &Two, shard| two.session(shard, id).unwrap().fight.participants()[0].is_connected();
    assert!(is_connected(&two, home));
    let mut handed_over = two.begin(home, id, away);
    // It breaks in the turn in which it is to leave.
    drop(client);
    two.answer("a hand-over", &mut handed_over).unwrap();
    two.until("that it is lost", |two| !is_connected(two, away));
    two.until("that it is gone", |two| two.workers.iter().all(|worker| worker.connections.is_empty()));
}

#[test]
fn nothing_that_happens_meanwhile_changes_it_before_it_is_known_whose_it_is() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create_that_begins_after(500);
    let away = 1 - home;
    let sid = Uuid::now_v7();
    let _client = two.join(home, id, Some(sid));
    stores[home].be_late();
    let mut attack = two.attack(home, id);
    two.turn(home);
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    // Its time comes, and its connection is closed.
    let before = two.record(home, id).fight;
    two.handles[home].send(Command::Revoke(sid)).unwrap();
    two.skip(home, 700);
    two.until("that it is closed", |two| two.workers[home].connections.values().all(|of| of.joins.is_empty()));
    two.turn(home);
    assert_eq!(two.record(home, id).fight, before);
    stores[away].be_late();
    stores[home].be_prompt();
    two.until("that it is offered", |two| two.session(away, id).is_some());
    two.skip(away, 700);
    for _ in 0..3 {
        two.turn(away);
    }
    assert_eq!(two.record(away, id).fight, before);
    stores[away].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    assert!(attack.try_recv().unwrap().is_err(), "before it has begun");
    two.until("that it has begun", |two| two.session(away, id).unwrap().fight.lifecycle().is_fighting());
    assert!(!two.session(away, id).unwrap().fight.participants()[0].is_connected());
}

#[test]
fn a_fenced_session_is_nobodys_whether_it_is_on_its_way_or_has_gone() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    let mut client = two.join(home, id, None);
    client.news();
    stores[away].be_late();
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    let mut attack = two.attack(home, id);
    two.turn(home);
    two.handles[home].send(Command::Fence(id)).unwrap();
    two.turn(home);
    two.turn(home);
    assert_eq!(handed_over.try_recv().unwrap().unwrap_err().reason, Reason::Fenced);
    assert_eq!(attack.try_recv().unwrap().unwrap_err().reason, Reason::Fenced);
    assert_eq!(close_code(&mut client.stream), CloseCode::Restart.code());
    stores[away].be_prompt();
    two.until("nobody has it", |two| (0..2).all(|shard| two.session(shard, id).is_none()));

    let (id, home) = two.create();
    two.hand_over(home, id, 1 - home).unwrap();
    two.handles[home].send(Command::Fence(id)).unwrap();
    two.until("that it is dropped", |two| two.session(1 - home, id).is_none());
    assert!(two.workers[0].peers.moved().is_empty(), "and nobody looks for it there");
}

#[test]
fn a_log_that_may_lose_its_end_forgets_it_when_the_others_is_on_the_disk() {
    let mut two = Two::start();
    let (id, home) = two.create();
    two.hand_over(home, id, 1 - home).unwrap();
    assert_eq!(two.workers[home].handed_over.len(), 1);
    two.skip(home, limits::HANDED_OVER_MS + limits::TIDY_MS);
    two.turn(home);
    two.skip(home, limits::TIDY_MS);
    two.turn(home);
    assert!(two.workers[home].handed_over.is_empty());
    // A segment that is begun has nothing of it to forget.
    two.hand_over(1 - home, id, home).unwrap();
    let worker = &mut two.workers[1 - home];
    worker.log.journal().unwrap().most = 0;
    two.attack(1 - home, id);
    two.until("a segment", |two| two.workers[1 - home].handed_over.is_empty());
    two.skip(1 - home, limits::HANDED_OVER_MS + limits::TIDY_MS);
    two.turn(1 - home);
    let two = Two::start_on(two.crash());
    assert!(two.session(home, id).is_some());
}

#[test]
fn an_ended_session_is_looked_for_nowhere() {
    let mut two = Two::start();
    let (id, home) = two.create();
    let away = 1 - home;
    two.hand_over(home, id, away).unwrap();
    let (expected, control) = (Expected::default(), Control::Terminate { force: true });
    let mut ended =
        two.ask(home, |reply| Command::Control { session: id, expected, control, viewer: Viewer::All, reply });
    two.answer("an end", &mut ended).unwrap();
    assert!(two.has_room(), "its owner pays no more");
    let fights = two.book.take(10);
    two.book.committed(&fights);
    assert!(!two.workers[0].peers.moved().is_empty(), "it shows its result there");
    two.keep_replay(id);
    let key = two.workers[away].index[&id];
    two.workers[away].forget(key);
    two.turn(away);
    assert!(two.workers[0].peers.moved().is_empty());
    assert_eq!(two.read(home, id).unwrap_err().reason, Reason::NoSession);
}

#[test]
fn a_connection_that_is_in_another_session_too_stays_and_is_told_that_it_left_this_one() {
    let mut two = Two::start();
    let (one, home) = two.create();
    let other = two.create_at(home);
    let mut client = two.join(home, one, None);
    two.join_too(&mut client, other);
    two.hand_over(home, one, 1 - home).unwrap();
    two.until("that it left", |_| client.count("left") == 1);
    assert!(
        client.seen.contains(&format!(r#"{{"t":"left","d":{{"s":{},"why":"moved"}}}}"#, handle_of(one))),
        "{}",
        client.seen
    );
    assert!(!two.session(1 - home, one).unwrap().fight.participants()[0].is_connected());
    client.say(&attack_of(other, 1));
    two.until("an ack", |_| client.count("ack") == 1);
    // Somebody else's connection comes to where it is.
    let mut client = two.join(home, one, None);
    client.say(&attack_of(one, 1));
    two.until("an ack", |_| client.count("ack") == 1);
    assert!(two.session(1 - home, one).unwrap().fight.participants()[0].is_connected());
}

#[test]
fn who_wants_to_join_meanwhile_joins_where_it_is_then() {
    let (mut two, stores) = Two::with_doubles();
    let (id, home) = two.create();
    let away = 1 - home;
    let other = two.create_at(home);
    let mut client = two.attach(home, other, None);
    two.turn(home);
    stores[away].be_late();
    // One hand-over that does not come about.
    let mut handed_over = two.begin(home, id, away);
    two.turn(home);
    two.turn(away);
    client.say(&format!(r#"{{"t":"join","d":{{"session":"{id}"}}}}"#));
    for _ in 0..3 {
        two.turn(home);
    }
    assert_eq!(client.news(), "", "it waits");
    two.skip(home, HELD_MS);
    two.turn(home);
    assert!(handed_over.try_recv().unwrap().is_err());
    two.until("a snapshot", |_| client.count("snapshot") == 1);

    // And one that does, for clients of both shards.
    stores[away].be_prompt();
    two.until("that it is dropped", |two| two.session(away, id).is_none());
    let session = two.create_at(home);
    let elsewhere = two.create_at(away);
    let mut clients = [two.attach(home, other, None), two.attach(away, elsewhere, None)];
    stores[away].be_late();
    let mut handed_over = two.begin(home, session, away);
    two.turn(home);
    two.turn(away);
    for (client, shard) in clients.iter_mut().zip([home, away]) {
        two.say(shard, client, &format!(r#"{{"t":"join","d":{{"session":"{session}"}}}}"#));
    }
    for _ in 0..3 {
        two.turn(away);
        two.turn(home);
    }
    assert!(is_open(&mut handed_over) && clients.each_mut().map(Client::news).iter().all(String::is_empty));
    stores[away].be_prompt();
    two.answer("a hand-over", &mut handed_over).unwrap();
    // Both are the same player's: one is joined, and then the other.
    for mut client in clients {
        two.until("a snapshot", |_| client.count("snapshot") == 1);
    }
}
