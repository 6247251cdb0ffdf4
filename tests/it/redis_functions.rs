//! The functions that Redis runs for the log, each with every answer it has, and the log of a shard on them.

use std::time::{Duration, Instant};

use mio::{Events, Poll};
use tiltyard::config::RedisUrl;
use tiltyard::log::redis::resp::Reply;
use tiltyard::log::redis::start::{Asked, Client};
use tiltyard::log::{Append, Key, Log, Outcome, RedisLog, TurnNo};
use uuid::Uuid;

use crate::redis::Redis;
use crate::support::PATIENCE;

/// An entry that says nothing.
struct Bytes(&'static [u8]);

impl Append for Bytes {
    fn append_to(&self, payload: &mut Vec<u8>) {
        payload.extend_from_slice(self.0);
    }
}

fn client(redis: &Redis, node: &str) -> Client {
    Client::connect(&RedisUrl::try_from(redis.url()).unwrap(), node).unwrap()
}

/// What a function answers: status, head, how much was there.
fn call(redis: &Redis, name: &str, session: &str, arguments: &str) -> [i64; 3] {
    let (function, owner, entries) =
        (format!("tiltyard_log_1_{name}"), format!("o:{{{session}}}"), format!("l:{{{session}}}"));
    let mut words = vec!["FCALL", &function, "2", &owner, &entries];
    words.extend(arguments.split(' '));
    let reply = redis.ask(&words);
    let numbers: Vec<i64> = reply.items().iter().map(|item| item.number().unwrap()).collect();
    numbers.try_into().unwrap_or_else(|_| panic!("{name} {arguments}: {reply:?}"))
}

const KEPT: i64 = 0;
const FENCED: i64 = 1;
const GAP: i64 = 2;
const BEHIND: i64 = 3;
const STALE: i64 = 4;

fn entries(redis: &Redis, session: &str) -> Vec<String> {
    let all = redis.ask(&["XRANGE", &format!("l:{{{session}}}"), "-", "+"]);
    all.items().iter().map(|item| String::from_utf8(item.items()[0].text().unwrap().to_vec()).unwrap()).collect()
}

#[test]
fn the_functions_know_who_may_write_and_what_they_have() {
    let redis = Redis::start();
    drop(client(&redis, "a"));
    let s = "one";
    assert_eq!(call(&redis, "append", s, "1 a#1 0 8 7 x"), [BEHIND, -1, 0], "it was never claimed");
    assert_eq!(call(&redis, "claim", s, "own 1 a#1 0 8 7 x"), [BEHIND, -1, 0]);
    assert_eq!(call(&redis, "claim", s, "none 1 a#1 0 8 7 x"), [KEPT, 0, 0]);
    assert_eq!(call(&redis, "claim", s, "none 1 a#1 0 8 7 x"), [KEPT, 0, 1], "said again");
    assert_eq!(call(&redis, "claim", s, "none 1 b#1 0 8 7 x"), [FENCED, 0, 0], "somebody else's");
    assert_eq!(call(&redis, "append", s, "1 a#1 1 8 7 y z"), [KEPT, 2, 0]);
    assert_eq!(call(&redis, "append", s, "1 a#1 1 8 7 y z"), [KEPT, 2, 2], "said again");
    assert_eq!(call(&redis, "append", s, "1 a#1 2 8 7 z more"), [KEPT, 3, 1], "half of it said again");
    assert_eq!(call(&redis, "append", s, "1 a#1 5 8 7 x"), [GAP, 3, 0]);
    assert_eq!(call(&redis, "append", s, "1 b#1 4 8 7 x"), [FENCED, 3, 0], "another owner");
    assert_eq!(call(&redis, "append", s, "2 a#1 4 8 7 x"), [BEHIND, 3, 0], "it has lost the claim");
    assert_eq!(call(&redis, "append", s, "1 a#1 0 8 0"), [KEPT, 3, 0], "a look");
    assert_eq!(entries(&redis, s), ["1-0", "1-1", "1-2", "1-3"]);
    // Taken over, by compare-and-set.
    assert_eq!(call(&redis, "claim", s, "7 8 b#1 "), [FENCED, 3, 0]);
    assert_eq!(call(&redis, "claim", s, "1 2 b#1 "), [KEPT, 4, 0]);
    assert_eq!(call(&redis, "claim", s, "1 2 c#1 "), [FENCED, 4, 0], "one wins");
    assert_eq!(call(&redis, "append", s, "1 a#1 4 8 7 x"), [FENCED, 4, 0]);
    assert_eq!(call(&redis, "claim", s, "own 3 a#1 5 8 7 x"), [FENCED, 4, 0]);
    assert_eq!(call(&redis, "claim", s, "own 3 b#1 5 8 7 x y"), [KEPT, 6, 0]);
    assert_eq!(call(&redis, "append", s, "2 b#1 5 8 7 x"), [STALE, 6, 0], "its own, of before");
    assert_eq!(call(&redis, "claim", s, "own 4 b#1 9 8 7 x"), [GAP, 6, 0]);
    assert_eq!(entries(&redis, s)[4..], ["2-4", "3-5", "3-6"]);
}

#[test]
fn snapshots_trim_and_what_is_over_is_gone() {
    let redis = Redis::start();
    drop(client(&redis, "a"));
    let s = "one";
    assert_eq!(call(&redis, "snapshot", s, "1 a#1 0 8 7 all"), [BEHIND, -1, 0]);
    call(&redis, "claim", s, "none 1 a#1 0 8 7 a b c d");
    assert_eq!(call(&redis, "snapshot", s, "1 a#1 4 8 7 all"), [GAP, 3, 0]);
    assert_eq!(call(&redis, "snapshot", s, "1 b#1 2 8 7 all"), [FENCED, 3, 0]);
    assert_eq!(call(&redis, "snapshot", s, "1 a#1 2 8 7 all"), [KEPT, 3, 0]);
    assert_eq!(entries(&redis, s), ["1-3"]);
    assert_eq!(call(&redis, "snapshot", s, "1 a#1 1 8 7 older"), [KEPT, 3, 1]);
    assert_eq!(redis.ask(&["HGET", "o:{one}", "snap"]), Reply::Text(b"all".to_vec()));
    assert_eq!(call(&redis, "append", s, "1 a#1 2 8 7 c d"), [KEPT, 3, 2], "what is trimmed is known, too");
    // Said anew, under a higher epoch.
    assert_eq!(call(&redis, "restore", s, "1 b#1 9 8 7 other"), [FENCED, 3, 0]);
    assert_eq!(call(&redis, "restore", s, "2 a#1 9 8 7 anew"), [KEPT, 9, 0]);
    assert_eq!(call(&redis, "restore", s, "2 a#1 9 8 7 anew"), [KEPT, 9, 1]);
    assert_eq!(call(&redis, "append", s, "1 a#1 3 8 7 d"), [STALE, 9, 0]);
    assert_eq!(call(&redis, "append", s, "2 a#1 10 8 7 e"), [KEPT, 10, 0]);
    assert_eq!(entries(&redis, s), ["2-10"]);
    assert_eq!(call(&redis, "forget", s, "1 b#1 60"), [FENCED, 10, 0]);
    assert_eq!(call(&redis, "forget", s, "2 a#1 60"), [KEPT, 10, 0]);
    assert_eq!(call(&redis, "forget", s, "2 a#1 60"), [KEPT, 10, 0]);
    assert_eq!(entries(&redis, s), Vec::<String>::new());
    assert_eq!(call(&redis, "append", s, "2 a#1 10 8 7 e"), [KEPT, 10, 1], "said again after its end");
    assert_eq!(call(&redis, "claim", s, "2 3 b#1 "), [FENCED, 10, 0], "nobody goes on with it");
    assert!(matches!(redis.ask(&["TTL", "o:{one}"]), Reply::Int(1..=60)));
}

/// A shard's log, looked at by hand.
struct Shard {
    log: RedisLog,
    poll: Poll,
    outcomes: Vec<String>,
}

impl Shard {
    fn of(client: &Client) -> Self {
        let poll = Poll::new().unwrap();
        let mut log = RedisLog::new(client.node().clone());
        log.register(poll.registry().try_clone().unwrap()).unwrap();
        Self { log, poll, outcomes: Vec::new() }
    }

    fn turn(&mut self, keys: &[Key]) -> TurnNo {
        for &key in keys {
            self.log.push(key, &Bytes(b"an entry"));
        }
        self.log.seal(1_000)
    }

    /// Polls, as a loop does, until that was said.
    fn until(&mut self, what: &str) {
        let since = Instant::now();
        let mut events = Events::with_capacity(8);
        while !self.outcomes.iter().any(|said| said.starts_with(what)) {
            assert!(since.elapsed() < PATIENCE, "no {what} but {:?}", self.outcomes);
            match self.log.poll() {
                Some(Outcome::Unknown(turn)) => {
                    self.log.again(turn);
                    self.outcomes.push(format!("unknown {turn}"));
                }
                Some(Outcome::Stalled(_)) => {
                    self.outcomes.push("stalled".to_owned());
                    std::thread::sleep(Duration::from_millis(5));
                }
                Some(Outcome::Kept(turn)) => self.outcomes.push(format!("kept {turn}")),
                Some(Outcome::Fenced(session)) => self.outcomes.push(format!("fenced {session}")),
                Some(Outcome::Missing(session)) => self.outcomes.push(format!("missing {session}")),
                None => self.poll.poll(&mut events, Some(Duration::from_millis(20))).unwrap(),
            }
        }
    }

    /// What was said, but for how often nothing went on.
    fn said(&mut self) -> Vec<String> {
        self.outcomes.retain(|said| said != "stalled");
        std::mem::take(&mut self.outcomes)
    }
}

const fn key(session: Uuid, epoch: u64, number: u64) -> Key {
    Key { session, epoch, number }
}

fn numbers(stored: &[Asked]) -> Vec<Vec<u64>> {
    let numbers = |asked: &Asked| match asked {
        Asked::There { stored: Ok(stored), .. } => stored.entries.iter().map(|entry| entry.key.number).collect(),
        other => panic!("{other:?}"),
    };
    stored.iter().map(numbers).collect()
}

#[test]
fn a_log_keeps_turns_and_a_start_finds_their_sessions() {
    let redis = Redis::start();
    let mut client = client(&redis, "a");
    let mut shard = Shard::of(&client);
    let [one, two] = [Uuid::now_v7(), Uuid::now_v7()];
    shard.turn(&[key(one, 1, 0), key(two, 1, 0), key(one, 1, 1)]);
    shard.turn(&[]);
    shard.turn(&[key(one, 1, 2)]);
    shard.until("kept 3");
    shard.until("kept 1");
    assert!(shard.outcomes.contains(&"kept 2".to_owned()));
    let mut sessions = vec![one, two];
    sessions.sort_unstable();
    assert_eq!(client.sessions().unwrap(), sessions);
    assert_eq!(numbers(&client.look(&[one, two]).unwrap()), [vec![0, 1, 2], vec![0]]);
    shard.log.end(key(two, 1, 1));
    shard.log.seal(1_000);
    shard.log.close();
    assert_eq!(client.sessions().unwrap(), [one]);
    assert!(matches!(client.look(&[two]).unwrap()[..], [Asked::Over]));
}

#[test]
fn turns_that_were_not_answered_are_said_again_and_known_again() {
    let mut redis = Redis::start();
    let mut client = client(&redis, "a");
    let mut shard = Shard::of(&client);
    let one = Uuid::now_v7();
    shard.turn(&[key(one, 1, 0)]);
    shard.until("kept 1");
    redis.hang();
    shard.turn(&[key(one, 1, 1)]);
    shard.turn(&[key(one, 1, 2), key(one, 1, 3)]);
    shard.until("unknown 3");
    // Nothing overtakes them.
    shard.turn(&[key(one, 1, 4)]);
    shard.until("stalled");
    // It reads what was said on the connection that was given up, before it hears it again.
    redis.resume();
    shard.until("kept 4");
    assert_eq!(shard.said(), ["kept 1", "unknown 2", "unknown 3", "kept 2", "kept 3", "kept 4"]);
    assert_eq!(numbers(&client.look(&[one]).unwrap()), [[0, 1, 2, 3, 4]]);
    assert_eq!(shard.log.known_again(), 3);
    // What was answered is on its disk.
    redis.kill9();
    shard.turn(&[key(one, 1, 5)]);
    shard.until("stalled");
    redis.restart();
    shard.until("kept 5");
    client = self::client(&redis, "a");
    assert_eq!(numbers(&client.look(&[one]).unwrap()), [[0, 1, 2, 3, 4, 5]]);
}

#[test]
fn who_is_fenced_is_told_once_and_others_go_on() {
    let redis = Redis::start();
    let first = client(&redis, "a");
    let mut shard = Shard::of(&first);
    let [one, two] = [Uuid::now_v7(), Uuid::now_v7()];
    shard.turn(&[key(one, 1, 0), key(two, 1, 0)]);
    shard.until("kept 1");
    let mut second = client(&redis, "a");
    second.claim(&[(one, 1)]).unwrap();
    shard.turn(&[key(one, 1, 1), key(two, 1, 1)]);
    shard.turn(&[key(one, 1, 2), key(two, 1, 2)]);
    shard.until("kept 2");
    shard.until("kept 3");
    assert_eq!(shard.said().iter().filter(|said| said.starts_with("fenced")).count(), 1);
    assert_eq!(numbers(&second.look(&[two]).unwrap()), [[0, 1, 2]]);
    let Asked::There { stored: Ok(stored), .. } = &second.look(&[one]).unwrap()[0] else { panic!("it is there") };
    assert_eq!((stored.head, stored.entries.len()), (1, 2), "the claim is the entry after its first");
    // Of a session that nothing happens to it is heard, too.
    second.claim(&[(two, 1)]).unwrap();
    second.started().unwrap();
    shard.until(&format!("fenced {two}"));
}

#[test]
fn what_redis_has_lost_is_said_to_it_anew() {
    let mut redis = Redis::forgetful();
    let mut client = client(&redis, "a");
    let mut shard = Shard::of(&client);
    let one = Uuid::now_v7();
    shard.turn(&[key(one, 1, 0), key(one, 1, 1)]);
    shard.until("kept 1");
    let idle = Uuid::now_v7();
    shard.turn(&[key(idle, 1, 0)]);
    shard.until("kept 2");
    redis.kill9();
    redis.restart();
    // Also of one that nothing happens to.
    shard.until(&format!("missing {idle}"));
    shard.log.restore(idle, Some((key(idle, 2, 1), &Bytes(b"all of it"))));
    shard.turn(&[key(one, 1, 2)]);
    shard.until(&format!("missing {one}"));
    assert!(!shard.outcomes.contains(&"kept 3".to_owned()), "not before it is there");
    shard.log.restore(one, Some((key(one, 2, 3), &Bytes(b"all of it"))));
    shard.until("kept 3");
    shard.turn(&[key(one, 2, 4)]);
    shard.until("kept 4");
    client = self::client(&redis, "a");
    assert_eq!(client.sessions().unwrap().len(), 2);
    let Asked::There { stored: Ok(stored), .. } = &client.look(&[one]).unwrap()[0] else { panic!("it is there") };
    assert_eq!((stored.head, stored.snapshot.as_ref().unwrap().key), (4, key(one, 2, 3)));
    assert_eq!(stored.entries.iter().map(|entry| entry.key).collect::<Vec<_>>(), [key(one, 2, 4)]);
}

#[test]
fn newest_entries_that_redis_has_lost_are_missed_also_where_nothing_happens() {
    let redis = Redis::start();
    let client = client(&redis, "a");
    let mut shard = Shard::of(&client);
    let [one, whole] = [Uuid::now_v7(), Uuid::now_v7()];
    shard.turn(&[key(one, 1, 0), key(one, 1, 1), key(one, 1, 2), key(whole, 1, 0), key(whole, 1, 1)]);
    shard.until("kept 1");
    // As one that waits for its disk once a second, when its machine stops.
    redis.ask(&["XDEL", &format!("l:{{{one}}}"), "1-2"]);
    redis.ask(&["HSET", &format!("o:{{{one}}}"), "head", "1"]);
    redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]);
    shard.until(&format!("missing {one}"));
    shard.log.restore(one, Some((key(one, 2, 3), &Bytes(b"all of it"))));
    shard.turn(&[key(one, 2, 4), key(whole, 1, 2)]);
    shard.until("kept 2");
    assert!(!shard.outcomes.contains(&format!("missing {whole}")), "{:?}", shard.outcomes);
}

#[test]
fn a_long_log_asks_for_snapshots() {
    let redis = Redis::start();
    let mut client = client(&redis, "a");
    let mut shard = Shard::of(&client);
    let one = Uuid::now_v7();
    let mut number = 0;
    let mut grown = None;
    while grown.is_none() {
        let turn = shard.turn(&[key(one, 1, number)]);
        shard.until(&format!("kept {turn}"));
        grown = shard.log.take_grown();
        number += 1;
        assert!(number < 10_000, "it does");
    }
    shard.log.snapshot(key(one, 1, number - 1), &Bytes(b"all of it"));
    let turn = shard.turn(&[key(one, 1, number)]);
    shard.until(&format!("kept {turn}"));
    let Asked::There { stored: Ok(stored), .. } = &client.look(&[one]).unwrap()[0] else { panic!("it is there") };
    assert_eq!(stored.snapshot.as_ref().unwrap().key, key(one, 1, number - 1));
    assert_eq!(stored.entries.iter().map(|entry| entry.key.number).collect::<Vec<_>>(), [number]);
    assert_eq!(shard.log.take_grown(), None, "for long");
}

#[test]
fn the_contract_has_it_as_a_variant() {
    let redis = Redis::start();
    let poll = Poll::new().unwrap();
    let mut log = Log::from(RedisLog::new(client(&redis, "a").node().clone()));
    log.enter(poll.registry(), || {}).unwrap();
    log.push(key(Uuid::now_v7(), 1, 0), &Bytes(b"an entry"));
    assert!(log.has_batch());
    let turn = log.seal(1);
    assert!(log.wait(PATIENCE) && matches!(log.poll(), Some(Outcome::Kept(kept)) if kept == turn));
    assert!(log.take_bytes() > 0);
}
