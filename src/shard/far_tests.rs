//! A socket of one shard, sessions of two: turn by turn, with logs that answer when the test says so.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Events;
use serde_json::{Value, json};
use tempfile::TempDir;
use tiltyard_combat::Rules;
use tiltyard_protocol::{Act, ActionKind, CloseCode};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::held::{Client, PATIENCE, attack_of, count, handle_of};
use super::{Worker, attachment, new_fight, place, text};
use crate::limits;
use crate::log::Log;
use crate::log::double::{Double, Store};
use crate::rules::Library;
use crate::session::{Expected, FightInfo, Refusal, Viewer, shard_of};
use crate::shard::recovery::recover;
use crate::shard::renewal::renewals;
use crate::shard::{ActionApplied, Command, Peers, Reply, RestAction, ShardHandle};

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

/// An action with these fields.
fn action_of(session: Uuid, fields: &str) -> String {
    format!(r#"{{"t":"action","d":{{"s":{},{fields}}}}}"#, handle_of(session))
}

#[test]
fn every_action_whose_id_can_be_read_is_answered_by_it_wherever_its_session_is() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    for session in [here, there] {
        for fields in [
            r#""id":1,"kind":"fly""#,
            r#""id":2,"kind":"attack","to":"him""#,
            r#""id":3,"kind":"attack","to":1,"c":0"#,
            r#""id":4,"kind":"move","x":1000000,"y":0"#,
            r#""id":9007199254740993,"kind":"fly""#,
            // Its id is still free, and then it is not.
            r#""id":1,"kind":"attack","to":1"#,
            r#""id":1,"kind":7"#,
        ] {
            client.say(&action_of(session, fields));
        }
        pair.heard(&mut client, "the last answer", |seen| acks(seen, session, 1) == 2);
        let refused = |id: u64, rest: &str| {
            let begin = format!(r#""t":"refused","d":{{"s":{},"id":{id},"reason":"{rest}"#, handle_of(session));
            assert_eq!(client.seen.matches(&begin).count(), 1, "{begin} in {}", client.seen);
        };
        refused(1, r#"bad_fields","message":"kind: unknown variant `fly`"#);
        refused(2, r#"bad_fields","message":"to: invalid type"#);
        refused(3, r#"bad_fields","message":"One of to, c and z is needed."}"#);
        let at = pair.read(session).participants[0].at.unwrap();
        refused(4, &format!(r#"too_fast","x":{},"y":{},"allowed_cm":"#, at.x, at.y));
        refused(9_007_199_254_740_993, "bad_action_id");
    }
    assert_eq!(count(&client.seen, "error"), 0);
    assert_eq!((pair.workers[NEAR].stats.bad_messages, pair.workers[OWNER].stats.bad_messages), (8, 0));
}

#[test]
fn an_action_that_is_too_old_is_answered_with_what_is_known_of_it() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    for session in [here, there] {
        let forgotten =
            |id: u64, rest: &str| format!(r#""t":"forgotten","d":{{"s":{},"id":{id},{rest}}}"#, handle_of(session));
        for id in 1..=70 {
            client.say(&action_of(session, &format!(r#""id":{id},"kind":"attack","to":0"#)));
        }
        client.say(&attack_of(session, 1));
        let never = forgotten(1, r#""applied":false,"last_id":70"#);
        pair.heard(&mut client, "what was never applied", |seen| seen.contains(&never));
        for id in 71..=140 {
            client.say(&attack_of(session, id));
        }
        client.say(&attack_of(session, 71));
        let perhaps = forgotten(71, r#""last_id":140"#);
        pair.heard(&mut client, "what may have been", |seen| seen.contains(&perhaps));
        assert_eq!(pair.read(session).actions, 70, "nothing is applied twice");
    }
}

fn concede_of(session: Uuid) -> String {
    format!(r#"{{"t":"concede","d":{{"s":{}}}}}"#, handle_of(session))
}

#[test]
fn who_concedes_has_lost_at_once_wherever_the_session_is_and_is_refused_by_name_after_that() {
    let mut pair = Pair::start();
    let (here, there, nowhere) = (pair.create(NEAR), pair.create(OWNER), Uuid::from_u128(77));
    let mut client = pair.join(&[here, there]);
    for session in [here, there] {
        client.say(&concede_of(session));
        pair.heard(&mut client, "its delta", |seen| {
            seen.split(r#""t":"delta""#).any(|delta| {
                delta.contains(&format!(r#""s":{},"#, handle_of(session)))
                    && delta.contains(r#"{"k":"forfeited","by":0}"#)
            })
        });
        let info = pair.read(session);
        assert_eq!(info.end_reason, Some(tiltyard_combat::EndReason::Forfeit));
        assert_eq!(info.winner, Some(Uuid::from_u128(2)));
        client.say(&concede_of(session));
        pair.heard(&mut client, "a refusal", |seen| refusals(seen, session, r#""id":0,"reason":"wrong_phase""#) == 1);
    }
    client.say(&concede_of(nowhere));
    pair.heard(&mut client, "a refusal", |seen| refusals(seen, nowhere, r#""id":0,"reason":"not_joined""#) == 1);
}

/// The seat of who gave up before all had come is another's: nothing of that one is shown to who had it.
#[test]
fn who_watches_from_a_seat_that_it_gave_up_is_let_go_when_another_takes_it() {
    let mut pair = Pair::start();
    let (other, open) = (pair.create(NEAR), pair.create_open(OWNER));
    let mut client = pair.join(&[other, open]);
    client.say(&concede_of(open));
    pair.until("a free seat", |pair| pair.workers[OWNER].sessions.values().any(|session| session.fight.is_vacant(0)));
    for (player, is_let_go) in [(1, false), (3, true)] {
        if player == 3 {
            client.say(&concede_of(open));
            pair.settle();
        }
        let mut seat = pair.ask(OWNER, |reply| Command::Seat {
            session: open,
            expected: Expected::default(),
            player: Uuid::from_u128(player),
            shares: Vec::new(),
            reply,
        });
        pair.until("a seat", |_| seat.try_recv().is_ok_and(|slot| slot == Ok(0)));
        pair.settle();
        client.news();
        let left = format!(r#""t":"left","d":{{"s":{},"why":"replaced"}}"#, handle_of(open));
        assert_eq!(client.seen.contains(&left), is_let_go, "{player}");
        let info = pair.read(open);
        assert_eq!(
            pair.workers[OWNER].sessions.values().next().unwrap().fight.participants()[0].is_connected(),
            !is_let_go
        );
        assert_eq!(info.participants[0].player, Uuid::from_u128(player));
    }
    pair.until("nothing left of it", |pair| pair.far(OWNER) == (0, 0));
}

fn ping_of(n: u64, s: u32) -> String {
    format!(r#"{{"t":"ping","d":{{"n":{n},"s":{s}}}}}"#)
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

#[test]
fn the_time_of_a_session_is_told_with_the_servers_wherever_it_is() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    pair.skip_to(5_000);
    for (n, session) in [(1, here), (2, there)] {
        client.say(&ping_of(n, handle_of(session)));
        pair.heard(&mut client, "a pong", |seen| messages(seen, "pong").iter().any(|pong| pong["n"] == n));
        let pong = newest(&client.seen, "pong", session);
        for t in ["joined", "snapshot"] {
            let before = newest(&client.seen, t, session);
            let since = |of: &str| pong[of].as_u64().unwrap() - before[of].as_u64().unwrap();
            assert!(since("time").abs_diff(since("at")) <= 2, "{t}: {before} {pong}");
            assert!(since("at") >= 5_000);
        }
    }
    client.say(&ping_of(3, 77));
    pair.heard(&mut client, "a pong", |seen| count(seen, "pong") == 3);
    let pong = messages(&client.seen, "pong").pop().unwrap();
    assert_eq!((&pong["n"], &pong["s"], &pong["at"]), (&3.into(), &Value::Null, &Value::Null), "it is not in that one");
    // Nor in this one any more.
    let at_once = [&leave_of(there), &ping_of(4, handle_of(there))];
    client.stream.write_all(&at_once.map(|message| text(message)).concat()).unwrap();
    pair.heard(&mut client, "a pong", |seen| count(seen, "pong") == 4);
    let pong = messages(&client.seen, "pong").pop().unwrap();
    assert_eq!((&pong["n"], &pong["at"]), (&4.into(), &Value::Null));
}

#[test]
fn joined_says_how_things_stand_and_the_rules_to_who_does_not_have_them() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    for session in [here, there] {
        let first = newest(&client.seen, "joined", session);
        assert_eq!((&first["applied"], &first["last_id"], &first["team"]), (&0.into(), &0.into(), &0.into()));
        assert_eq!((&first["timers"]["seat_ms"], &first["timers"]["idle_ms"]), (&30_000.into(), &60_000.into()));
        client.say(&attack_of(session, 7));
        client.say(&action_of(session, r#""id":8,"kind":"attack","to":0"#));
        pair.heard(&mut client, "a refusal", |seen| refusals(seen, session, "invalid_target") == 1);
        let joined = count(&client.seen, "joined");
        let (epoch, hash) = (first["epoch"].as_u64().unwrap(), first["rules"]["hash"].as_str().unwrap());
        let join = |epoch: u64| {
            format!(r#"{{"t":"join","d":{{"session":"{session}","seq":1,"epoch":{epoch},"rules":"{hash}"}}}}"#)
        };
        client.say(&join(epoch));
        pair.heard(&mut client, "a second welcome", |seen| count(seen, "joined") > joined);
        let again = newest(&client.seen, "joined", session);
        assert_eq!((&again["applied"], &again["last_id"]), (&7.into(), &8.into()));
        assert_eq!((&again["rules"], &again["timers"]), (&Value::Null, &first["timers"]));
        assert!(again["time"].as_u64() >= first["time"].as_u64() && again["at"].as_u64() >= first["at"].as_u64());
    }
    // One that the server knows nothing of: it was put back to before that.
    pair.skip_to(2_000);
    client.say(&format!(r#"{{"t":"join","d":{{"session":"{there}","seq":1,"epoch":9}}}}"#));
    pair.heard(&mut client, "an answer", |seen| seen.contains(r#""reason":"rolled_back""#));
}

#[test]
fn each_is_told_what_of_its_own_is_applied() {
    let mut pair = Pair::start();
    for shard in [NEAR, OWNER] {
        let session = pair.create(shard);
        let mut clients = [pair.attach(NEAR, 1), pair.attach(NEAR, 2)];
        for client in &mut clients {
            pair.join_too(client, session);
            assert_eq!(newest(&client.seen, "snapshot", session)["id"], 0);
        }
        let [one, two] = &mut clients;
        let attack = |id: u64, to: u8| action_of(session, &format!(r#""id":{id},"kind":"attack","to":{to}"#));
        let told = |client: &Client, id: u64| newest(&client.seen, "delta", session)["id"] == id;
        one.say(&attack(5, 1));
        pair.heard(one, "an answer", |seen| acks(seen, session, 5) == 1);
        two.say(&attack(70_000, 0));
        pair.heard(two, "an answer", |seen| acks(seen, session, 70_000) == 1);
        pair.settle();
        one.news();
        two.news();
        assert!(told(one, 5) && told(two, 70_000));
        // What is refused, and what is asked for over REST, is none of them.
        one.say(&attack(6, 0));
        pair.heard(one, "a refusal", |seen| refusals(seen, session, "invalid_target") == 1);
        pair.attack_often(session, 1);
        one.news();
        two.news();
        assert!(told(one, 5) && told(two, 70_000));
        pair.join_too(one, session);
        assert_eq!(newest(&one.seen, "snapshot", session)["id"], 5);
    }
}

#[test]
fn nothing_of_a_session_elsewhere_is_shown_before_its_own_log_has_kept_it() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    let entries = pair.stores[OWNER].kept(there);
    pair.stores[OWNER].be_late();
    client.say(&attack_of(there, 1));
    pair.until("an action", |pair| !pair.stores[OWNER].waiting().is_empty());
    let first = pair.stores[OWNER].waiting()[0];
    client.say(&attack_of(there, 2));
    pair.until("another", |pair| pair.workers[OWNER].stats.actions == 2);
    client.news();
    let before = client.seen.len();
    client.say(&attack_of(here, 1));
    pair.heard(&mut client, "the other fight", |seen| acks(seen, here, 1) == 1);
    assert_eq!((deltas(&client.seen[before..], there), acks(&client.seen, there, 1)), (0, 0));

    // The socket's own shard is late, too: what is shown stays in order.
    pair.stores[NEAR].be_late();
    client.say(&attack_of(here, 2));
    pair.until("an action here", |pair| !pair.stores[NEAR].waiting().is_empty());
    pair.stores[OWNER].keep(first);
    pair.settle();
    client.news();
    assert_eq!((acks(&client.seen, here, 2), acks(&client.seen, there, 1)), (0, 0), "behind what is not kept");
    pair.stores[NEAR].be_prompt();
    pair.heard(&mut client, "the first", |seen| acks(seen, there, 1) == 1);
    pair.settle();
    client.news();
    assert_eq!(
        (acks(&client.seen, here, 2), acks(&client.seen, there, 2)),
        (1, 0),
        "the turn that is kept, and no more"
    );
    pair.stores[OWNER].be_prompt();
    pair.heard(&mut client, "the second", |seen| acks(seen, there, 2) == 1);
    assert_eq!((acks(&client.seen, there, 1), pair.stores[OWNER].kept(there)), (1, entries + 2), "nothing twice");
    let place = |id: u64| client.seen.find(&format!(r#""t":"ack","d":{{"s":{},"id":{id},"#, handle_of(there)));
    assert!(place(1) < place(2));
}

#[test]
fn who_does_not_read_is_brought_up_to_date_by_a_session_elsewhere_too() {
    let mut pair = Pair::start();
    let there = pair.create(OWNER);
    let mut client = pair.join(&[there]);
    let mut attacks = 0;
    pair.until("a client that is behind", |pair| {
        if pair.workers[OWNER].inbox.commands.is_empty() {
            (0..20).for_each(|_| drop(pair.attack(there)));
            attacks += 20;
        }
        let near = pair.workers[NEAR].connections.values().next().unwrap().outbox.len();
        let far: usize =
            pair.workers[OWNER].far.values().map(|key| pair.workers[OWNER].connections[*key].outbox.len()).sum();
        assert!(near <= limits::FAR_BYTES, "{near}");
        assert!(far <= limits::FAR_BYTES + limits::FAR_STATE_BYTES + 8 * 1024, "{far}");
        pair.workers[OWNER].stats.lagged > 0
    });
    assert!(attacks > 100);
    pair.until("no attacks any more", |pair| pair.workers[OWNER].inbox.commands.is_empty());
    let before = client.seen.len();
    pair.heard(&mut client, "a snapshot", |seen| count(&seen[before..], "snapshot") > 0);
    let waited = client.seen[before..].find(r#""t":"snapshot""#).unwrap();
    assert!(waited <= 512 * 1024, "{waited} bytes before it");
    // It says how much it stands for: of each attack there was one event.
    let (told, snapshot) = (&client.seen[..before + waited], newest(&client.seen, "snapshot", there));
    let (last, q) = (newest(told, "delta", there)["q"].as_u64().unwrap(), snapshot["q"].as_u64().unwrap());
    assert!(q > last);
    assert_eq!(snapshot["missed"], json!({ "events": q - last, "from": last + 1, "to": q }));
    // Then it goes on from there.
    let mut last = pair.attack(there);
    let mut seq = None;
    pair.until("an action", |_| {
        seq = last.try_recv().ok();
        seq.is_some()
    });
    let seq = seq.unwrap().unwrap().seq;
    pair.heard(&mut client, "its delta", |seen| seen.contains(&format!(r#""q":{seq},"#)));
    assert_eq!(pair.workers[OWNER].stats.closed_slow, 0);
}

#[test]
fn a_session_elsewhere_hears_that_a_connection_is_lost() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let client = pair.join(&[here, there]);
    drop(client);
    pair.until("an end", |pair| pair.far(NEAR) == (0, 0) && pair.far(OWNER) == (0, 0));
    for session in [here, there] {
        let status = pair.read(session).participants[0].status;
        assert_eq!(status, tiltyard_combat::ParticipantStatus::Disconnected);
    }
    // Its way back goes on where it was.
    let mut client = pair.join(&[here, there]);
    client.say(&attack_of(there, 1));
    pair.heard(&mut client, "an answer", |seen| acks(seen, there, 1) == 1);
}

#[test]
fn a_shard_with_a_full_inbox_is_not_waited_for_and_nothing_is_lost() {
    let mut pair = Pair::start();
    let (here, there, other) = (pair.create(NEAR), pair.create(OWNER), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    while pair.handles[OWNER].send(Command::Fence(Uuid::nil())).is_ok() {}
    client.say(&attack_of(there, 1));
    client.say(&leave_of(there));
    client.say(&join_of(other));
    client.say(&attack_of(here, 1));
    let since = Instant::now();
    while acks(&client.seen, here, 1) == 0 {
        assert!(since.elapsed() < PATIENCE);
        take_turn(&mut pair.workers[NEAR]);
        client.news();
    }
    assert_eq!(refusals(&client.seen, there, "overloaded"), 1, "{}", client.seen);
    assert_eq!(client.seen.matches(r#""reason":"overloaded""#).count(), 3, "{}", client.seen);
    // It is gone: that waits until there is room.
    drop(client);
    while pair.workers[NEAR].unsaid.is_empty() {
        assert!(since.elapsed() < PATIENCE);
        take_turn(&mut pair.workers[NEAR]);
    }
    assert!(pair.workers[NEAR].sleep() <= Some(Duration::from_millis(limits::FULL_LOOK_MS)));
    assert_eq!(pair.far(OWNER), (1, 1));
    pair.until("an end", |pair| pair.far(OWNER) == (0, 0) && pair.is_quiet());
    assert_eq!(pair.read(there).participants[0].status, tiltyard_combat::ParticipantStatus::Disconnected);
    assert_eq!(pair.read(there).actions, 0);
}

#[test]
fn what_two_full_shards_have_for_each_other_comes_in_order() {
    let mut pair = Pair::start();
    let (zero, one) = (pair.create(NEAR), pair.create(OWNER));
    let mut clients = [pair.join(&[zero, one]), pair.attach(OWNER, 2)];
    pair.join_too(&mut clients[1], zero);
    pair.join_too(&mut clients[1], one);
    let mut ids = 0;
    for _ in 0..6 {
        for _ in 0..3 {
            ids += 1;
            clients[0].say(&attack_of(one, ids));
            clients[1].say(&attack_of(zero, ids).replace(r#""to":1"#, r#""to":0"#));
        }
        pair.turn();
        // Both are full when either has something for the other.
        for handle in &pair.handles {
            while handle.send(Command::Fence(Uuid::nil())).is_ok() {}
        }
        let [first, second] = &mut clients;
        pair.until("answers", |_| {
            let done = |client: &mut Client, session| {
                client.news();
                (1..=ids).all(|id| acks(&client.seen, session, id) + refused_ids(&client.seen, session, id) == 1)
            };
            done(first, one) && done(second, zero)
        });
    }
    pair.until("quiet", |pair| pair.is_quiet());
    let applied: u64 = (1..=ids).map(|id| acks(&clients[0].seen, one, id) as u64).sum();
    assert_eq!(pair.read(one).actions, applied);
    assert_eq!(pair.far(NEAR).1 + pair.far(OWNER).1, 2);
    for (client, session) in clients.iter().zip([one, zero]) {
        let deltas = messages(&client.seen, "delta").into_iter().filter(|delta| delta["s"] == handle_of(session));
        let places: Vec<u64> = deltas.map(|delta| delta["q"].as_u64().unwrap()).collect();
        assert!(places.len() as u64 >= applied, "each is shown");
        assert!(places.windows(2).all(|two| two[1] == two[0] + 1), "no delta is missing or out of order");
    }
}

fn refused_ids(of: &str, session: Uuid, id: u64) -> usize {
    of.matches(&format!(r#""t":"refused","d":{{"s":{},"id":{id},"#, handle_of(session))).count()
}

#[test]
fn a_fenced_session_elsewhere_closes_the_connection() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    client.news();
    pair.stores[OWNER].be_late();
    client.say(&attack_of(there, 1));
    pair.until("an action", |pair| !pair.stores[OWNER].waiting().is_empty());
    pair.stores[OWNER].fence(there);
    pair.settle();
    assert_eq!(client.closed(), CloseCode::Restart.code(), "and nothing that was not kept before it");
    pair.stores[OWNER].be_prompt();
    drop(client);
    pair.until("an end", |pair| pair.far(NEAR) == (0, 0) && pair.far(OWNER) == (0, 0));
}

#[test]
fn the_newest_connection_wins_wherever_the_others_are() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let (mut both, mut newer) = (pair.join(&[here, there]), pair.attach(OWNER, 1));
    pair.join_too(&mut newer, there);
    pair.heard(&mut both, "that it has left", |seen| count(seen, "left") == 1);
    both.say(&attack_of(there, 1));
    both.say(&attack_of(here, 1));
    pair.heard(&mut both, "answers", |seen| acks(seen, here, 1) == 1 && refusals(seen, there, "not_joined") == 1);
    let mut alone = pair.join(&[there]);
    pair.settle();
    assert_eq!(newer.closed(), CloseCode::Replaced.code());
    drop(newer);
    let mut newest = pair.attach(NEAR, 1);
    alone.news();
    pair.join_too(&mut newest, there);
    pair.settle();
    assert_eq!(alone.closed(), CloseCode::Replaced.code());
    pair.until("the places of the old ones", |pair| pair.far(OWNER).1 == 1);
    newest.say(&attack_of(there, 1));
    pair.heard(&mut newest, "an answer", |seen| acks(seen, there, 1) == 1);
}

#[test]
fn what_is_asked_in_the_moment_in_which_a_seat_is_taken_is_answered() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut both = pair.join(&[here, there]);
    let mut newer = pair.attach(OWNER, 1);
    pair.settle();
    newer.say(&join_of(there));
    // The session has said that it is left, and the socket's shard has not heard that yet.
    let since = Instant::now();
    while pair.workers[NEAR].inbox.commands.is_empty() {
        assert!(since.elapsed() < PATIENCE);
        take_turn(&mut pair.workers[OWNER]);
    }
    for id in 1..=3 {
        both.say(&attack_of(there, id));
    }
    let is_answered = |seen: &str| (1..=3).all(|id| refused_ids(seen, there, id) == 1);
    pair.heard(&mut both, "an answer to each", is_answered);
    assert_eq!((count(&both.seen, "left"), refusals(&both.seen, there, "not_joined")), (1, 3));
    pair.until("the place of the old one", |pair| pair.far(OWNER) == (1, 0));
    pair.settle();
    assert!(is_answered(&both.seen) && pair.is_quiet());
}

#[test]
fn what_cannot_be_joined_elsewhere_leaves_nothing_behind() {
    let mut pair = Pair::start();
    let there = pair.create(OWNER);
    let unknown = Uuid::from_u128((Uuid::now_v7().as_u128() & !0xF) | 1);
    let mut stranger = pair.attach(NEAR, 3);
    for (nth, session) in [unknown, there].into_iter().enumerate() {
        stranger.say(&join_of(session));
        pair.heard(&mut stranger, "a refusal", |seen| seen.matches(r#""reason":"no_session""#).count() > nth);
    }
    assert_eq!((pair.far(OWNER), pair.far(NEAR)), ((0, 0), (1, 0)));
    // A ticket is for its own session alone.
    let (mut ticket, stream) = attachment(None);
    (ticket.only, ticket.session) = (true, unknown);
    pair.handles[NEAR].send(Command::Attach(Box::new(ticket))).unwrap();
    let mut by_ticket = Client { stream, seen: String::new() };
    by_ticket.say(&join_of(there));
    pair.heard(&mut by_ticket, "a refusal", |seen| seen.contains("no_session"));
    assert_eq!(pair.far(OWNER), (0, 0));

    // There is a bound for all together, and joining again is not joining more.
    let mut sessions = Vec::new();
    for nth in 0..=limits::JOINS_PER_CONNECTION {
        sessions.push(pair.create(nth % 2));
    }
    let last = sessions.pop().unwrap();
    let mut client = pair.join(&sessions);
    let other = pair.create(OWNER);
    for (nth, session) in [last, other].into_iter().enumerate() {
        client.say(&join_of(session));
        pair.heard(&mut client, "a refusal", |seen| seen.matches("too_many_sessions").count() > nth);
    }
    pair.join_too(&mut client, sessions[1]);
    client.say(&join_of(sessions[1]));
    pair.heard(&mut client, "another", |seen| seen.contains("already_joined"));
    // Neither did a refusal end it, nor does anything wait.
    client.say(&attack_of(sessions[1], 1));
    pair.heard(&mut client, "an answer", |seen| acks(seen, sessions[1], 1) == 1);
    pair.settle();
    assert!(pair.is_quiet());
    assert_eq!(pair.far(OWNER), (limits::JOINS_PER_CONNECTION / 2, limits::JOINS_PER_CONNECTION / 2));
    // Who asks for too many at once is told by the session's shard, as for its own.
    let mut greedy = pair.attach(NEAR, 2);
    for _ in 0..=limits::JOINS_AT_ONCE {
        greedy.say(&join_of(there));
        greedy.say(&leave_of(there));
    }
    pair.heard(&mut greedy, "a refusal", |seen| seen.contains("too_many_requests"));
    greedy.say(&join_of(sessions[0]));
    pair.heard(&mut greedy, "another fight", |seen| seen.contains(&format!(r#""session":"{}""#, sessions[0])));
}

#[test]
fn while_the_log_elsewhere_takes_nothing_what_is_said_to_it_waits() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    pair.stores[OWNER].be_late();
    pair.stores[OWNER].stall(true);
    let mut over_rest = pair.attack(there);
    let stats = pair.handles[OWNER].clone();
    let (near, owner) = pair.workers.split_at_mut(1);
    let store = Arc::clone(&pair.stores[OWNER]);
    std::thread::scope(|scope| {
        let stalled = scope.spawn(|| take_turn(&mut owner[0]));
        let since = Instant::now();
        let mut near_until = |client: &mut Client, is_so: &dyn Fn(&str) -> bool| {
            while !is_so(&client.seen) {
                assert!(since.elapsed() < PATIENCE);
                take_turn(&mut near[0]);
                client.news();
            }
        };
        while stats.stats().stalled == 0 {
            assert!(since.elapsed() < PATIENCE, "it does not say so");
            std::thread::yield_now();
        }
        for id in 1..=3 {
            client.say(&attack_of(there, id));
        }
        client.say(&attack_of(here, 1));
        near_until(&mut client, &|seen| acks(seen, here, 1) == 1);
        assert_eq!(acks(&client.seen, there, 1), 0);
        // It has seen what came by then.
        let failures = stats.stats().log_failures;
        while stats.stats().log_failures < failures + 3 {
            assert!(since.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
        store.stall(false);
        store.be_prompt();
        stalled.join().unwrap();
    });
    pair.heard(&mut client, "answers", |seen| (1..=3).all(|id| acks(seen, there, id) == 1));
    assert!(over_rest.try_recv().unwrap().is_ok());
    assert_eq!(pair.read(there).actions, 4);
}

#[test]
fn shards_that_stop_do_not_wait_for_each_other() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    let mut other = pair.attach(OWNER, 2);
    pair.join_too(&mut other, here);
    client.news();
    other.news();
    for handle in &pair.handles {
        handle.drain();
    }
    pair.settle();
    for client in [&mut client, &mut other] {
        assert_eq!(client.closed(), CloseCode::Restart.code());
    }
    drop((client, other));
    pair.until("the end", |pair| pair.workers.iter().all(Worker::is_drained));
}

#[test]
fn a_client_that_asks_and_does_not_read_is_not_heard_before_it_has() {
    let mut pair = Pair::start();
    let there = pair.create(OWNER);
    let mut client = pair.join(&[there]);
    let before = client.seen.len();
    let (mut id, mut most, mut turns_deaf) = (0, 0, 0);
    pair.until("a client that is not heard", |pair| {
        let worker = &pair.workers[OWNER];
        most = most.max(worker.far.values().map(|key| worker.connections[*key].outbox.len()).sum());
        if pair.workers[NEAR].connections.values().any(|connection| connection.waits > 0) {
            turns_deaf += 1;
        } else {
            for _ in 0..400 {
                id += 1;
                client.say(&attack_of(there, id));
            }
        }
        turns_deaf > 200
    });
    assert!((limits::OUTBOX_ASK_BYTES..limits::OUTBOX_ASK_BYTES + 32 * 1024).contains(&most), "{most}");
    assert_eq!(pair.workers[NEAR].stats.closed_slow + pair.workers[OWNER].stats.closed_slow, 0);
    let answers = |seen: &str| (count(seen, "ack") as u64, count(seen, "refused") as u64);
    let mut length = 0;
    pair.until("all answers", |_| {
        client.news();
        // Counting takes long: not before nothing more comes.
        let is_still = std::mem::replace(&mut length, client.seen.len()) == client.seen.len();
        let (acknowledged, refused) = if is_still { answers(&client.seen[before..]) } else { (0, 0) };
        acknowledged + refused >= id
    });
    // What was on its way when it was heard no more waits at the session, as much as that takes of it.
    let (acknowledged, refused) = answers(&client.seen[before..]);
    assert_eq!(acknowledged + refused, id, "each once");
    assert_eq!(refusals(&client.seen[before..], there, "overloaded") as u64, refused);
    assert_eq!(pair.read(there).actions, acknowledged);
}

#[test]
fn what_could_not_be_said_comes_before_what_can() {
    let mut pair = Pair::start();
    let (here, there) = (pair.create(NEAR), pair.create(OWNER));
    let mut client = pair.join(&[here, there]);
    client.news();
    let mut newer = pair.attach(OWNER, 1);
    newer.say(&join_of(there));
    let since = Instant::now();
    while pair.workers[NEAR].inbox.commands.is_empty() {
        assert!(since.elapsed() < PATIENCE);
        take_turn(&mut pair.workers[OWNER]);
    }
    // It has been replaced, and says so to a full inbox.
    while pair.handles[OWNER].send(Command::Fence(Uuid::nil())).is_ok() {}
    take_turn(&mut pair.workers[NEAR]);
    assert_eq!(pair.workers[NEAR].unsaid.len(), 1);
    take_turn(&mut pair.workers[OWNER]);
    // Then there is room, for who is first.
    let asked = pair.workers[NEAR].stats.messages_in + 1;
    client.say(&join_of(there));
    let mut events = Events::with_capacity(64);
    pair.workers[NEAR].poll.poll(&mut events, Some(PATIENCE)).unwrap();
    pair.workers[NEAR].turn(&events);
    assert_eq!(pair.workers[NEAR].stats.messages_in, asked);
    pair.heard(&mut client, "that it is to try again", |seen| count(seen, "error") == 1);
    pair.join_too(&mut client, there);
    pair.settle();
    client.say(&attack_of(there, 1));
    pair.heard(&mut client, "an answer", |seen| acks(seen, there, 1) == 1);
    assert!(client.seen.contains(r#""reason":"overloaded""#) && pair.is_quiet());
}

#[test]
fn who_does_not_read_what_its_system_takes_is_sent_no_more_by_a_session_elsewhere_either() {
    let mut pair = Pair::start();
    let there = pair.create(OWNER);
    let mut client = pair.join(&[there]);
    pair.attack_often(there, 100);
    pair.skip_to(limits::RECEIPT_EVERY_MS);
    pair.attack_often(there, 1);
    assert!(client.news().contains("\u{FFFD}\0"), "it is pinged");
    assert_eq!(pair.workers[OWNER].stats.lagged, 0);
    pair.skip_to(limits::RECEIPT_EVERY_MS + limits::RECEIPT_MS);
    pair.attack_often(there, 10);
    assert_eq!((pair.workers[OWNER].stats.lagged, pair.workers[OWNER].stats.conflated), (1, 0));
    client.news();
    pair.attack_often(there, 10);
    assert_eq!(deltas(&client.news(), there), 0, "nothing more");
    client.stream.write_all(&[0x8A, 0x80, 0, 0, 0, 0]).unwrap();
    let before = client.seen.len();
    pair.heard(&mut client, "a snapshot", |seen| count(&seen[before..], "snapshot") == 1);
    pair.attack_often(there, 1);
    assert_eq!((deltas(&client.news(), there), pair.workers[OWNER].stats.conflated), (1, 1));
}
