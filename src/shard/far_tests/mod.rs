//! A socket of one shard, sessions of two: turn by turn, with logs that answer when the test says so.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Events;
use serde_json::Value;
use tempfile::TempDir;
use tiltyard_combat::Rules;
use tiltyard_protocol::{Act, ActionKind};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::held::{Client, PATIENCE, attack_of, count, handle_of};
use super::{Worker, attachment, new_fight, place, text};
use crate::log::Log;
use crate::log::double::{Double, Store};
use crate::rules::Library;
use crate::session::{Expected, FightInfo, Refusal, Viewer, shard_of};
use crate::shard::recovery::recover;
use crate::shard::renewal::renewals;
use crate::shard::{ActionApplied, Command, Peers, Reply, RestAction, ShardHandle};

mod answers;
mod ends;
mod resumes;
mod rooms;
mod waiting;

/// Two shards whose turns the test takes. Sockets are the first one's.
struct Pair {
    workers: Vec<Worker>,
    handles: Vec<ShardHandle>,
    stores: Vec<Arc<Store>>,
    _data: TempDir,
}

const NEAR: usize = 0;
const OWNER: usize = 1;

fn take_turn(worker: &mut Worker) {
    let mut events = Events::with_capacity(64);
    worker.poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
    worker.turn(&events);
}

impl Pair {
    fn start() -> Self {
        let data = TempDir::new().unwrap();
        let library = Arc::new(Library::built_in());
        let mut recovered = recover(data.path(), 2, false, false, &library).unwrap();
        let (mut workers, mut handles, mut stores) = (Vec::new(), Vec::new(), Vec::new());
        for (number, (_, records)) in std::mem::take(&mut recovered.shards).into_iter().enumerate() {
            let place = place(number, &recovered, &library, renewals().0);
            let (log, store) = Double::new();
            let (handle, mut worker) = Worker::new(place, Log::Double(log), records, Arc::default()).unwrap();
            worker.answer_ms = u64::MAX;
            workers.push(worker);
            handles.push(handle);
            stores.push(store);
        }
        let peers = Peers::new(handles.clone());
        for worker in &mut workers {
            worker.meet(peers.clone());
        }
        Self { workers, handles, stores, _data: data }
    }

    fn turn(&mut self) {
        self.workers.iter_mut().for_each(take_turn);
    }

    /// Takes turns until that is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let since = Instant::now();
        while !is_so(self) {
            assert!(since.elapsed() < PATIENCE, "not in time: {what}");
            self.turn();
        }
    }

    /// As many turns as anything takes that is on its way.
    fn settle(&mut self) {
        for _ in 0..8 {
            self.turn();
        }
    }

    fn ask<T>(&self, shard: usize, command: impl FnOnce(Reply<T>) -> Command) -> oneshot::Receiver<Result<T, Refusal>> {
        let (reply, answer) = oneshot::channel();
        self.handles[shard].send(command(reply)).unwrap();
        answer
    }

    /// A fight of players 1 and 2 on this shard.
    fn create(&mut self, shard: usize) -> Uuid {
        self.create_of(shard, 2)
    }

    /// The same with a free seat for another.
    fn create_open(&mut self, shard: usize) -> Uuid {
        self.create_of(shard, 3)
    }

    fn create_of(&mut self, shard: usize, seats: u8) -> Uuid {
        let rules = Rules { attack_interval_ms: 0, health: 1_000_000, ..Rules::default() };
        let mut fight = Box::new(new_fight(&rules, Uuid::nil(), seats));
        while shard_of(fight.id, 2) != shard {
            fight.id = Uuid::now_v7();
        }
        let mut created =
            self.ask(shard, |reply| Command::Create { fight, shares: Vec::new(), viewer: Viewer::All, reply });
        self.turn();
        created.try_recv().unwrap().unwrap().id
    }

    /// The first player attacks over REST.
    fn attack(&self, session: Uuid) -> oneshot::Receiver<Result<ActionApplied, Refusal>> {
        let act = Act::new(0, 0, ActionKind::Attack);
        let action = RestAction { act, target: Some(Uuid::from_u128(2)), expected: Expected::default() };
        let player = Uuid::from_u128(1);
        let viewer = Viewer::All;
        self.ask(shard_of(session, 2), |reply| Command::Act { session, player, action, viewer, reply })
    }

    /// It does so many times, and everybody who reads has been told.
    fn attack_often(&mut self, session: Uuid, times: usize) {
        let attacks: Vec<_> = (0..times).map(|_| self.attack(session)).collect();
        for mut attack in attacks {
            self.until("an attack", |_| attack.try_recv().is_ok());
        }
        self.settle();
    }

    /// From now on the shards' time is so much later than the real one.
    fn skip_to(&mut self, ms: u64) {
        for worker in &self.workers {
            worker.clock_skips.store(ms, std::sync::atomic::Ordering::SeqCst);
        }
        self.turn();
    }

    fn read(&mut self, session: Uuid) -> FightInfo {
        let mut read = self.ask(shard_of(session, 2), |reply| Command::Read(session, Viewer::All, reply));
        let mut info = None;
        self.until("an answer", |_| {
            info = read.try_recv().ok();
            info.is_some()
        });
        info.unwrap().unwrap()
    }

    /// A connection of this player on this shard.
    fn attach(&mut self, shard: usize, player: u128) -> Client {
        let (mut attachment, stream) = attachment(None);
        attachment.player = Uuid::from_u128(player);
        self.handles[shard].send(Command::Attach(Box::new(attachment))).unwrap();
        Client { stream, seen: String::new() }
    }

    /// A connection of the first player on the first shard that has joined these.
    fn join(&mut self, sessions: &[Uuid]) -> Client {
        let mut client = self.attach(NEAR, 1);
        for &session in sessions {
            self.join_too(&mut client, session);
        }
        client
    }

    fn join_too(&mut self, client: &mut Client, session: Uuid) {
        client.news();
        let before = count(&client.seen, "snapshot");
        client.say(&join_of(session));
        self.heard(client, "a join", |seen| count(seen, "snapshot") > before);
    }

    /// Takes turns until that is so of what a client has been sent.
    fn heard(&mut self, client: &mut Client, what: &str, is_so: impl Fn(&str) -> bool) {
        self.until(what, |_| {
            client.news();
            is_so(&client.seen)
        });
    }

    /// All that a shard has of connections and of others' sessions.
    fn far(&self, shard: usize) -> (usize, usize) {
        (self.workers[shard].connections.len(), self.workers[shard].far.len())
    }

    /// No shard has anything to say to another.
    fn is_quiet(&self) -> bool {
        self.workers.iter().all(|worker| {
            worker.unsaid.is_empty()
                && worker.again.is_empty()
                && worker.stash.is_empty()
                && worker.inbox.commands.is_empty()
        })
    }
}

fn join_of(session: Uuid) -> String {
    format!(r#"{{"t":"join","d":{{"session":"{session}"}}}}"#)
}

fn leave_of(session: Uuid) -> String {
    format!(r#"{{"t":"leave","d":{{"s":{}}}}}"#, handle_of(session))
}

fn acks(of: &str, session: Uuid, id: u64) -> usize {
    of.matches(&format!(r#""t":"ack","d":{{"s":{},"id":{id},"#, handle_of(session))).count()
}

fn deltas(of: &str, session: Uuid) -> usize {
    let handle = format!(r#""s":{},"#, handle_of(session));
    let own = |rest: &str| rest.split_once(',').is_some_and(|(_, common)| common.starts_with(&handle));
    of.split(r#""t":"delta","d":{"id":"#).skip(1).filter(|rest| own(rest)).count()
}

fn refusals(of: &str, session: Uuid, reason: &str) -> usize {
    let start = format!(r#""t":"refused","d":{{"s":{},"#, handle_of(session));
    of.split(&start).skip(1).filter(|rest| rest.split('}').next().unwrap().contains(reason)).count()
}

fn concede_of(session: Uuid) -> String {
    format!(r#"{{"t":"concede","d":{{"s":{}}}}}"#, handle_of(session))
}

/// The messages of this type in what a client has been sent, oldest first.
fn messages(seen: &str, t: &str) -> Vec<Value> {
    let starts = seen.match_indices(&format!(r#"{{"t":"{t}","d":"#)).map(|(at, _)| &seen[at..]).collect::<Vec<_>>();
    let parsed = |text: &&str| serde_json::Deserializer::from_str(text).into_iter::<Value>().next()?.ok();
    starts.iter().filter_map(parsed).map(|message| message["d"].clone()).collect()
}

/// The newest message of this type about a session.
fn newest(seen: &str, t: &str, session: Uuid) -> Value {
    messages(seen, t).into_iter().rfind(|d| d["s"] == handle_of(session)).unwrap()
}

fn refused_ids(of: &str, session: Uuid, id: u64) -> usize {
    of.matches(&format!(r#""t":"refused","d":{{"s":{},"id":{id},"#, handle_of(session))).count()
}

#[test]
fn a_connection_plays_in_fights_of_two_shards() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    assert_eq!((pair.far(NEAR), pair.far(OWNER)), ((1, 0), (1, 1)));
    for id in 1..=20 {
        client.say(&attack_of(here, id));
        client.say(&attack_of(there, id));
    }
    pair.heard(&mut client, "answers", |seen| acks(seen, here, 20) > 0 && acks(seen, there, 20) > 0);
    // Again: the same answer, and nothing happens.
    client.say(&attack_of(there, 20));
    pair.heard(&mut client, "an answer again", |seen| acks(seen, there, 20) == 2);
    for session in [here, there] {
        let info = pair.read(session);
        assert_eq!((info.actions, info.participants[0].status), (20, tiltyard_combat::ParticipantStatus::Active));
    }
    client.news();
    for id in 1..20 {
        assert_eq!((acks(&client.seen, here, id), acks(&client.seen, there, id)), (1, 1), "{id}");
    }
    assert!(deltas(&client.seen, there) >= 20);
    // It leaves, and joins again.
    let (leave, join) = (leave_of(there), join_of(there));
    let at_once = [&leave, &leave, &attack_of(there, 21), &join, &attack_of(there, 22)];
    client.stream.write_all(&at_once.map(|message| text(message)).concat()).unwrap();
    pair.heard(&mut client, "an answer after all", |seen| acks(seen, there, 22) == 1);
    assert_eq!((count(&client.seen, "left"), refusals(&client.seen, there, "not_joined")), (1, 1));
    assert!(client.seen.contains(&format!(r#""t":"left","d":{{"s":{},"why":"asked"}}"#, handle_of(there))));
    assert_eq!(client.seen.matches(r#""t":"error","d":{"reason":"not_joined""#).count(), 1, "left once");
    assert_eq!((acks(&client.seen, there, 21), count(&client.seen, "joined")), (0, 3));
    pair.settle();
    assert!(pair.is_quiet());
    assert_eq!(pair.far(OWNER), (1, 1), "nothing is left of the first time");
    assert_eq!(pair.workers[OWNER].stats.joins, 2);
    assert_eq!(pair.handles[OWNER].stats().connections, 0);
    assert_eq!(pair.handles[OWNER].stats().far, 1);
}
