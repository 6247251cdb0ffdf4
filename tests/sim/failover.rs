//! The rules by which a node says that it lives, takes others for dead, and goes on with their sessions. Nothing here keeps two from
//! writing one session: that is the log's part. This is to be read beside the code of the server.
//!
//! - The directory, a Redis of its own, has a key of each node with a time to live, which is renewed by the monotonic clock. Nobody is taken
//!   for dead until a while after it answers again ([`limits::NODE_GRACE_MS`]).
//! - A node's sessions are in the log's list of its name. Whoever takes one over puts it into its own first, claims it under the
//!   epoch after that which it found, reads it, goes on with it under the next, and takes it out of the other's list last.
//! - Of those who live the one with the highest hash of session and node takes it; after a while anyone does.
//! - When the log's Redis is another (`run_id`), or lacks what it had, nothing is claimed for two lives of a key: living owners say
//!   anew what is theirs. A node remembers over its restarts which Redis it was, so that its own start waits, too.
//! - What is in a node's own list and not with it is looked at now and then: a claim may be done late, or its answer lost.

use std::collections::BTreeMap;

use uuid::Uuid;

use crate::limits;
use crate::log::redis::command::{self, entries_key, index_key, owner_key};
use crate::log::redis::library::{Called, Function, Status};
use crate::log::redis::resp::{self, Reply};
use crate::log::redis::start::stored;

use super::ground::{Dialer, now_us};
use super::line::{Heard, Line};
use super::notes;
use super::shard::short;
use super::state::{Session, rebuild};
use super::{Faulty, Rules};

const MS: u64 = 1_000;
const TTL_US: u64 = limits::NODE_TTL_MS * MS;
const RENEW_US: u64 = limits::NODE_RENEW_MS * MS;
/// Nothing is claimed for so long when the log's Redis went backwards.
pub const QUARANTINE_US: u64 = 2 * TTL_US;
/// A dead node's sessions are anyone's after that.
const ANYONE_US: u64 = 2 * TTL_US;
/// Between two looks at a list.
const LOOK_US: u64 = 300 * MS;
const OWN_US: u64 = 1_000 * MS;

/// What is being asked of the log's Redis.
#[derive(Debug)]
enum Job {
    Idle,
    Which,
    List(usize),
    Known { list: usize, sessions: Vec<Uuid> },
    Claim { list: usize, sessions: Vec<Uuid>, own: Vec<Uuid> },
    Read { list: usize, sessions: Vec<Uuid> },
    Aside,
    Started,
}

#[derive(Debug)]
pub struct Keeper {
    me: usize,
    /// Name and start.
    pub owner: String,
    rules: Rules,
    directory: Line,
    /// When the key is due, and since when an answer is awaited.
    renew_due: u64,
    asked: u64,
    looked: u64,
    grace_until: u64,
    /// Since when each of the others is not found.
    absent: BTreeMap<usize, Option<u64>>,
    log: Line,
    job: Job,
    /// Which Redis it was last, also before this start.
    pub run: Option<u64>,
    is_known: bool,
    quarantine_until: u64,
    list_due: BTreeMap<usize, u64>,
    has_started: bool,
    /// Taken over and read.
    pub adopted: Vec<(Uuid, Session)>,
    /// What cannot be read.
    pub damage: Option<String>,
}

impl Keeper {
    pub fn new(
        me: usize,
        nodes: usize,
        owner: String,
        run: Option<u64>,
        dialers: (Dialer, Dialer),
        rules: Rules,
    ) -> Self {
        Self {
            me,
            owner,
            rules,
            directory: Line::new(dialers.0),
            renew_due: 0,
            asked: 0,
            looked: 0,
            grace_until: u64::MAX,
            absent: (0..nodes).filter(|node| *node != me).map(|node| (node, None)).collect(),
            log: Line::new(dialers.1),
            job: Job::Idle,
            run,
            is_known: false,
            quarantine_until: 0,
            list_due: BTreeMap::new(),
            has_started: false,
            adopted: Vec::new(),
            damage: None,
        }
    }

    /// Whether it has its own sessions back, and serves.
    pub const fn has_started(&self) -> bool {
        self.has_started
    }

    /// Whether a claim is on its way.
    pub const fn is_claiming(&self) -> bool {
        matches!(self.job, Job::Claim { .. } | Job::Read { .. })
    }

    /// The store of the log was seen to lack something.
    pub fn missed(&mut self) {
        self.hold_back();
    }

    fn hold_back(&mut self) {
        if self.rules.faulty != Some(Faulty::NoQuarantine) {
            self.quarantine_until = self.quarantine_until.max(now_us() + QUARANTINE_US);
        }
    }

    /// Goes on. `holds` says what the shard has, `wall_ms` is the system's clock.
    pub fn turn(&mut self, wall_ms: u64, holds: &dyn Fn(Uuid) -> bool) {
        self.say_that_it_lives(wall_ms);
        while let Some(heard) = self.log.pump() {
            match heard {
                Heard::Connected => {
                    self.is_known = false;
                    self.job = Job::Which;
                    self.log.ask(&[resp::command(&[b"INFO"])]);
                }
                Heard::Lost => self.job = Job::Idle,
                Heard::Answers(answers) => self.answered(&answers, holds),
            }
        }
        if self.log.is_free() && matches!(self.job, Job::Idle) && self.is_known {
            self.next();
        }
    }

    fn say_that_it_lives(&mut self, wall_ms: u64) {
        let now = now_us();
        while let Some(heard) = self.directory.pump() {
            match heard {
                Heard::Connected => {
                    notes::say(|| format!("  {} has the directory", self.owner));
                    self.grace_until = now + limits::NODE_GRACE_MS * MS;
                    self.renew_due = now;
                }
                Heard::Lost => {}
                Heard::Answers(answers) => self.look(&answers[1], wall_ms),
            }
        }
        // One that has not started has nothing to be asked for.
        if now >= self.renew_due && self.directory.is_free() && self.has_started {
            (self.renew_due, self.asked) = (now + RENEW_US, now);
            let key = format!("i:{}", self.me);
            let set = if self.rules.faulty == Some(Faulty::AbsoluteLease) {
                resp::command(&[b"SET", key.as_bytes(), (wall_ms + limits::NODE_TTL_MS).to_string().as_bytes()])
            } else {
                let ttl = limits::NODE_TTL_MS.to_string();
                resp::command(&[b"SET", key.as_bytes(), self.owner.as_bytes(), b"PX", ttl.as_bytes()])
            };
            let others: Vec<String> = self.absent.keys().map(|node| format!("i:{node}")).collect();
            let words: Vec<&[u8]> = [&b"MGET"[..]].into_iter().chain(others.iter().map(String::as_bytes)).collect();
            self.directory.ask(&[set, resp::command(&words)]);
        }
    }

    fn look(&mut self, found: &Reply, wall_ms: u64) {
        let now = now_us();
        self.looked = self.asked;
        let is_absolute = self.rules.faulty == Some(Faulty::AbsoluteLease);
        for ((&node, absent), found) in self.absent.iter_mut().zip(found.items()) {
            let lives = if is_absolute {
                found.number().is_some_and(|until| until > wall_ms.cast_signed())
            } else {
                found.text().is_some()
            };
            if lives {
                *absent = None;
            } else if absent.is_none() {
                notes::say(|| format!("  {} does not find {}", self.owner, name(node)));
                *absent = Some(now);
            }
        }
    }

    /// Since when a node is to be taken for dead.
    fn dead_since(&self, node: usize) -> Option<u64> {
        let now = now_us();
        let is_fresh = now < self.looked + 2 * RENEW_US;
        self.absent[&node].filter(|_| now >= self.grace_until && is_fresh).map(|since| since.max(self.grace_until))
    }

    /// Whether this node is to take a session over of one that is dead since then.
    fn is_mine(&self, session: Uuid, since: u64) -> bool {
        let hash = |node: usize| mixed(session.as_u64_pair().0 ^ mixed(node as u64));
        let living = self.absent.iter().filter(|(_, absent)| absent.is_none()).map(|(&node, _)| node);
        living.into_iter().all(|node| hash(node) < hash(self.me)) || now_us() >= since + ANYONE_US
    }

    /// Begins the next thing to be done.
    fn next(&mut self) {
        let now = now_us();
        let mut due: Vec<usize> = Vec::new();
        let looks = !self.has_started || self.rules.faulty != Some(Faulty::LooksOnce);
        if looks && (!self.has_started || now >= self.list_due.get(&self.me).copied().unwrap_or_default()) {
            due.push(self.me);
        }
        let nodes: Vec<usize> = self.absent.keys().copied().collect();
        due.extend(nodes.into_iter().filter(|node| {
            self.has_started
                && self.dead_since(*node).is_some()
                && now >= self.list_due.get(node).copied().unwrap_or_default()
        }));
        let Some(&list) = due.first() else { return };
        if now < self.quarantine_until {
            if list != self.me {
                notes::count("takeover held back by the quarantine");
            }
            // Looked at again when it is over.
            self.list_due.insert(list, now + LOOK_US);
            return;
        }
        self.list_due.insert(list, now + if list == self.me { OWN_US } else { LOOK_US });
        self.job = Job::List(list);
        self.log.ask(&[resp::command(&[b"SMEMBERS", index_key(&name(list)).as_bytes()])]);
    }

    fn answered(&mut self, answers: &[Reply], holds: &dyn Fn(Uuid) -> bool) {
        match std::mem::replace(&mut self.job, Job::Idle) {
            Job::Which => self.is_this(&answers[0]),
            Job::List(list) => self.listed(list, &answers[0], holds),
            Job::Known { list, sessions } => self.known(list, &sessions, answers),
            Job::Claim { list, sessions, own } => self.claimed(list, &sessions, own, answers, holds),
            Job::Read { list, sessions } => self.read(list, &sessions, answers, holds),
            Job::Started => {
                notes::say(|| format!("  {} has started", self.owner));
                self.has_started = true;
                self.renew_due = now_us();
            }
            Job::Idle | Job::Aside => {}
        }
    }

    fn is_this(&mut self, info: &Reply) {
        let info = info.text().and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default();
        let run = info.strip_prefix("run_id:").and_then(|run| run.parse().ok());
        self.is_known = true;
        // The first start of all has nothing that could have been lost.
        let waits = self.has_started || self.rules.faulty != Some(Faulty::StartsAtOnce);
        if self.run.is_some() && self.run != run && waits {
            notes::say(|| format!("  {} sees another Redis of the log", self.owner));
            self.hold_back();
        }
        self.run = run;
    }

    fn listed(&mut self, list: usize, members: &Reply, holds: &dyn Fn(Uuid) -> bool) {
        let session = |item: &Reply| std::str::from_utf8(item.text()?).ok()?.parse().ok();
        let since = if list == self.me { Some(0) } else { self.dead_since(list) };
        let is_wanted = |session: &Uuid| {
            list == self.me && !holds(*session)
                || list != self.me && since.is_some_and(|since| self.is_mine(*session, since))
        };
        let sessions: Vec<Uuid> = members.items().iter().filter_map(session).filter(is_wanted).collect();
        if sessions.is_empty() {
            return self.go_on(list);
        }
        let asked = sessions
            .iter()
            .map(|session| resp::command(&[b"HMGET", owner_key(*session).as_bytes(), b"epoch", b"owner", b"over"]));
        let asked: Vec<Vec<u8>> = asked.collect();
        self.job = Job::Known { list, sessions };
        self.log.ask(&asked);
    }

    fn known(&mut self, list: usize, sessions: &[Uuid], answers: &[Reply]) {
        let (mut claims, mut own, mut asked, mut out) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let of_list = format!("{}#", name(list));
        for (&session, known) in sessions.iter().zip(answers) {
            let [epoch, owner, over] = known.items() else { continue };
            let owner = String::from_utf8_lossy(owner.text().unwrap_or_default()).into_owned();
            match epoch.number().filter(|_| over.text().is_none()) {
                // Claimed before, and not heard of.
                Some(_) if owner == self.owner => {
                    notes::count("claim that was done and not heard of");
                    own.push(session);
                }
                Some(epoch) if owner.starts_with(&of_list) => {
                    asked.push(index(b"SADD", self.me, session));
                    asked.push(self.claim(session, epoch));
                    claims.push(session);
                }
                _ => out.push(index(b"SREM", list, session)),
            }
        }
        if claims.is_empty() {
            if !own.is_empty() {
                return self.ask_for(list, own);
            }
            self.job = Job::Aside;
            return self.log.ask(&out);
        }
        self.job = Job::Claim { list, sessions: claims, own };
        self.log.ask(&asked);
    }

    fn claim(&self, session: Uuid, epoch: i64) -> Vec<u8> {
        let mut bytes = command::call(Function::Claim, session, 4);
        resp::word(epoch.to_string().as_bytes(), &mut bytes);
        resp::word((epoch + 1).to_string().as_bytes(), &mut bytes);
        resp::word(self.owner.as_bytes(), &mut bytes);
        resp::word(b"", &mut bytes);
        bytes
    }

    fn claimed(
        &mut self,
        list: usize,
        sessions: &[Uuid],
        own: Vec<Uuid>,
        answers: &[Reply],
        holds: &dyn Fn(Uuid) -> bool,
    ) {
        let (mut taken, mut out) = (own, Vec::new());
        for (&session, answers) in sessions.iter().zip(answers.chunks_exact(2)) {
            match Called::of(&answers[1]).map(|called| called.status) {
                Some(Status::Kept) => taken.push(session),
                // Another was quicker.
                _ if list != self.me && !holds(session) => out.push(index(b"SREM", self.me, session)),
                _ => {}
            }
        }
        if taken.is_empty() {
            self.job = Job::Aside;
            return self.log.ask(&out);
        }
        self.ask_for(list, taken);
    }

    fn ask_for(&mut self, list: usize, sessions: Vec<Uuid>) {
        let asked = sessions.iter().flat_map(|session| {
            let (owner, entries) = (owner_key(*session), entries_key(*session));
            let known = resp::command(&[b"HMGET", owner.as_bytes(), b"head", b"snap", b"form", b"wall", b"at"]);
            [known, resp::command(&[b"XRANGE", entries.as_bytes(), b"-", b"+"])]
        });
        let asked: Vec<Vec<u8>> = asked.collect();
        self.job = Job::Read { list, sessions };
        self.log.ask(&asked);
    }

    fn read(&mut self, list: usize, sessions: &[Uuid], answers: &[Reply], holds: &dyn Fn(Uuid) -> bool) {
        let mut out = Vec::new();
        for (&session, answers) in sessions.iter().zip(answers.chunks_exact(2)) {
            let found = stored(session, &answers[0], &answers[1]).ok_or_else(|| "no session's".to_owned());
            match found.and_then(|stored| rebuild(session, stored)) {
                Ok(found) if !holds(session) => {
                    notes::say(|| format!("  {} read {} {} {}", self.owner, short(session), found.epoch, found.number));
                    self.adopted.push((session, found));
                }
                Ok(_) => {}
                Err(damage) => self.damage = Some(damage),
            }
            if list != self.me {
                out.push(index(b"SREM", list, session));
            }
        }
        if out.is_empty() {
            return self.go_on(list);
        }
        self.job = Job::Aside;
        self.log.ask(&out);
    }

    /// A list is done with; at a start this was the last thing before it serves.
    fn go_on(&mut self, list: usize) {
        if list != self.me || self.has_started {
            return;
        }
        self.job = Job::Started;
        let key = command::start_key(&name(self.me));
        self.log.ask(&[resp::command(&[b"SET", key.as_bytes(), self.owner.as_bytes()])]);
    }
}

/// Puts a session into a node's list, or takes it out.
fn index(what: &[u8], list: usize, session: Uuid) -> Vec<u8> {
    resp::command(&[what, index_key(&name(list)).as_bytes(), session.to_string().as_bytes()])
}

/// What a node is called.
pub fn name(node: usize) -> String {
    ["a", "b", "c", "d", "e"][node].to_owned()
}

const fn mixed(word: u64) -> u64 {
    let word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    word ^ (word >> 31)
}
