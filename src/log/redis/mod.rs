//! The log in Redis: a stream of entries for each session, written by functions ([`library`]) that know who has the session. Every shard has
//! connections of its own ([`connection`], `resp` the bytes on them), which its loop drives; [`start`] is how a node begins, [`orphans`] how it
//! finds what nodes had that live no more, and takes it over.
//!
//! # In Redis
//!
//! ```text
//! o:{<session>}    hash: epoch, owner (node#start), head; its newest snapshot; whether it is over
//! l:{<session>}    stream: <epoch>-<number>, an entry and its wall time, or a claim
//! s:<node>         set: the sessions of a node, so that a start finds them
//! b:<node>         who has started under that name last
//! t:<node>         drawn anew whenever another takes sessions of that node over
//! tiltyard:log     which log it is
//! tiltyard:nodes   set: the names of the nodes that may have sessions
//! ```
//!
//! A session is in `s:<node>` before it is anywhere else, so that none is overlooked. Nothing there has an absolute time that anything is
//! decided by.

mod command;
mod connection;
mod ground;
mod library;
pub mod orphans;
pub mod resp;
#[cfg(test)]
#[path = "../../../tests/sim/mod.rs"]
mod sim;
pub mod start;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use mio::{Registry, Token};
use uuid::Uuid;

use super::segment::FORM;
use super::{Append, Key, Outcome, TurnNo};
use crate::limits;
use command::{About, Command};
use connection::{Connection, Counts, Net};
use ground::Dial;
use library::{Called, Function, Status};
use resp::Reply;
use start::Node;

/// What the poll of a shard calls the first of its connections to Redis; the others are below. No connection of a client has such a number.
const TOKEN: usize = usize::MAX - 1;

/// Whether an event is about a connection to Redis.
pub const fn is_own(token: Token) -> bool {
    token.0 <= TOKEN && token.0 > TOKEN - limits::REDIS_CONNECTIONS
}

/// A shard's log in Redis, behind the contract.
#[derive(Debug)]
pub struct RedisLog {
    node: Node,
    /// There once it is in a loop.
    net: Option<Net>,
    connections: Vec<Connection>,
    sessions: HashMap<Uuid, Known>,
    /// The turn in progress.
    batch: Vec<Pushed>,
    ends: Vec<Key>,
    /// The last turn that was sealed, and its wall time.
    turn: TurnNo,
    wall: u64,
    /// Turns that are not kept, and how many of their commands are not answered.
    open: BTreeMap<TurnNo, usize>,
    outcomes: VecDeque<Outcome>,
    /// Sessions that are somebody else's, and under which epoch this node had them.
    fenced: HashMap<Uuid, u64>,
    /// Sessions that are to be said anew, and the turns that wait for it.
    missing: HashMap<Uuid, Vec<TurnNo>>,
    /// Sessions that need a snapshot.
    grown: VecDeque<Uuid>,
    /// What was answered, between two looks.
    heard: Vec<(Command, Reply)>,
    scratch: Vec<u8>,
    /// When it was looked last which log it is and who has started under the node's name, and how much of that is being asked.
    looked: Instant,
    looks: usize,
    /// Redis has forgotten that, or may have: it is said anew.
    is_forgotten: bool,
    /// Sessions of which it is being asked whether they are still this node's, and whether that is to be asked.
    probes: usize,
    probe_due: bool,
    bytes: u64,
    again: u64,
    restored: u64,
    /// What was drawn when somebody took sessions of this node over last.
    taken: Option<Vec<u8>>,
}

/// What has happened with Redis, and how that stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    pub counts: Counts,
    /// Not all connections can be used.
    pub is_away: bool,
    /// Sessions that were said anew.
    pub restored: u64,
    pub has_other_log: bool,
    pub is_superseded: bool,
}

/// What is known of a session.
#[derive(Debug)]
struct Known {
    epoch: u64,
    /// That of its newest entry.
    number: u64,
    /// Where its entries of the turn in progress are.
    place: Option<usize>,
    /// Entries since its snapshot, and bytes of them.
    entries: u32,
    bytes: usize,
    has_grown: bool,
}

/// Entries of the turn in progress, of one session under one epoch.
#[derive(Debug)]
struct Pushed {
    /// Of the first.
    key: Key,
    claims: bool,
    count: usize,
    /// As words of a command.
    entries: Vec<u8>,
}

impl RedisLog {
    /// The log of a shard of this node.
    pub fn new(node: Node) -> Self {
        let token = |place| Token(TOKEN - place);
        Self {
            node,
            net: None,
            connections: (0..limits::REDIS_CONNECTIONS).map(|place| Connection::new(token(place))).collect(),
            sessions: HashMap::new(),
            batch: Vec::new(),
            ends: Vec::new(),
            turn: 0,
            wall: 0,
            open: BTreeMap::new(),
            outcomes: VecDeque::new(),
            fenced: HashMap::new(),
            missing: HashMap::new(),
            grown: VecDeque::new(),
            heard: Vec::new(),
            scratch: Vec::new(),
            looked: ground::now(),
            looks: 0,
            is_forgotten: false,
            probes: 0,
            probe_due: false,
            bytes: 0,
            again: 0,
            restored: 0,
            taken: None,
        }
    }

    /// Connects, in a loop of its own from now on. Waits until that is done: the node starts.
    pub fn register(&mut self, registry: Registry) -> io::Result<()> {
        let (url, addresses) = (self.node.url.clone(), self.node.addresses.clone());
        self.net = Some(Net { url, addresses, dial: Dial::Net(registry) });
        let since = ground::now();
        while !self.connections.iter().all(Connection::is_ready) {
            self.pump();
            if ground::since(since) > Duration::from_millis(2 * limits::REDIS_LOG_CONNECT_MS) {
                let why = self.connections.iter().find(|of| !of.is_ready()).map(Connection::why).unwrap_or_default();
                return Err(io::Error::new(io::ErrorKind::TimedOut, why.to_owned()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// Adds an entry to the turn in progress.
    pub fn push(&mut self, key: Key, entry: &impl Append) {
        if let Some(&epoch) = self.fenced.get(&key.session) {
            if key.epoch <= epoch {
                return;
            }
            // It has come back.
            self.fenced.remove(&key.session);
        }
        let new = || Known { epoch: 0, number: 0, place: None, entries: 0, bytes: 0, has_grown: false };
        let known = self.sessions.entry(key.session).or_insert_with(new);
        let claims = known.epoch != key.epoch;
        let place = known.place.filter(|_| !claims).unwrap_or(self.batch.len());
        if place == self.batch.len() {
            self.batch.push(Pushed { key, claims, count: 0, entries: Vec::new() });
        }
        (known.epoch, known.number, known.place) = (key.epoch, key.number, Some(place));
        self.scratch.clear();
        entry.append_to(&mut self.scratch);
        let pushed = &mut self.batch[place];
        debug_assert_eq!(key.number, pushed.key.number + pushed.count as u64, "one after the other");
        pushed.count += 1;
        resp::word(&self.scratch, &mut pushed.entries);
        known.entries += 1;
        known.bytes += self.scratch.len();
        let is_long = known.entries >= limits::REDIS_ENTRIES || known.bytes >= limits::REDIS_ENTRY_BYTES;
        if is_long && !known.has_grown {
            known.has_grown = true;
            self.grown.push_back(key.session);
        }
    }

    /// The session is over: nothing of it is needed any more.
    pub fn end(&mut self, key: Key) {
        self.sessions.remove(&key.session);
        self.ends.push(key);
    }

    /// The session goes on elsewhere, under another epoch than this.
    pub fn leave(&mut self, key: Key) {
        if self.sessions.get(&key.session).is_some_and(|known| known.epoch == key.epoch) {
            self.sessions.remove(&key.session);
        }
    }

    pub fn has_batch(&self) -> bool {
        !self.batch.is_empty() || !self.ends.is_empty()
    }

    /// Ends the turn in progress.
    pub fn seal(&mut self, wall_ms: u64) -> TurnNo {
        self.turn += 1;
        self.wall = wall_ms;
        let turn = Some(self.turn);
        let mut count = 0;
        for Pushed { key, claims, count: entries, entries: words } in std::mem::take(&mut self.batch) {
            let Key { session, epoch, number } = key;
            if let Some(known) = self.sessions.get_mut(&session) {
                known.place = None;
            }
            let is_new = claims && number == 0;
            if is_new {
                let bytes = self.node.index(b"SADD", session);
                self.say(session, Command { about: About::Index, turn, bytes });
                count += 1;
            }
            let function = if claims { Function::Claim } else { Function::Append };
            let mut bytes = command::call(function, session, 5 + usize::from(claims) + entries);
            if claims {
                resp::word(if is_new { b"none" } else { b"own" }, &mut bytes);
            }
            self.numbered(epoch, number, &mut bytes);
            resp::number(FORM.into(), &mut bytes);
            resp::number(wall_ms, &mut bytes);
            bytes.extend_from_slice(&words);
            self.bytes += bytes.len() as u64;
            self.say(session, Command { about: About::Entries { session, epoch }, turn, bytes });
            count += 1;
        }
        for Key { session, epoch, .. } in std::mem::take(&mut self.ends) {
            let mut bytes = command::call(Function::Forget, session, 3);
            resp::number(epoch, &mut bytes);
            resp::word(self.node.owner.as_bytes(), &mut bytes);
            resp::number(limits::REDIS_OVER_SECONDS, &mut bytes);
            self.say(session, Command { about: About::Aside, turn: None, bytes });
            let bytes = self.node.index(b"SREM", session);
            self.say(session, Command { about: About::Index, turn: None, bytes });
        }
        if count == 0 {
            self.outcomes.push_back(Outcome::Kept(self.turn));
        } else {
            self.open.insert(self.turn, count);
        }
        self.turn
    }

    fn numbered(&self, epoch: u64, number: u64, bytes: &mut Vec<u8>) {
        resp::number(epoch, bytes);
        resp::word(self.node.owner.as_bytes(), bytes);
        resp::number(number, bytes);
    }

    /// The connection of a session.
    const fn place(session: Uuid) -> usize {
        // Of the bits that are drawn by chance.
        session.as_bytes()[15] as usize % limits::REDIS_CONNECTIONS
    }

    fn say(&mut self, session: Uuid, command: Command) {
        self.connections[Self::place(session)].push(command);
    }

    /// The next outcome, as far as there is one by now.
    pub fn poll(&mut self) -> Option<Outcome> {
        self.look();
        self.pump();
        if let Some(outcome) = self.outcomes.pop_front() {
            return Some(outcome);
        }
        if self.open.is_empty() {
            if self.batch.is_empty() && self.connections.iter().all(Connection::is_idle) {
                // Nothing of them can come any more.
                self.fenced.clear();
            }
            return None;
        }
        self.connections.iter().find_map(Connection::stalled).map(Outcome::Stalled)
    }

    fn pump(&mut self) {
        let Some(net) = &self.net else { return };
        for connection in &mut self.connections {
            connection.pump(net, &mut self.heard);
            self.probe_due |= connection.take_again();
            while let Some(turn) = connection.take_lost() {
                // Once for each, also where both connections are lost.
                let is_said = |of: &Outcome| matches!(of, Outcome::Unknown(said) if *said == turn);
                if !self.outcomes.iter().any(is_said) {
                    self.outcomes.push_back(Outcome::Unknown(turn));
                }
            }
        }
        let mut heard = std::mem::take(&mut self.heard);
        for (command, reply) in heard.drain(..) {
            self.answered(&command, &reply);
        }
        self.heard = heard;
        if std::mem::take(&mut self.is_forgotten) {
            self.say_anew();
        }
        if self.probe_due && self.probes == 0 {
            self.probe_due = false;
            self.probe();
        }
    }

    /// Hands in again what of a turn was on its way on a connection that was lost: it is there, and only waits for that.
    pub fn again(&mut self, turn: TurnNo) {
        for connection in &mut self.connections {
            connection.again(turn);
        }
    }

    fn answered(&mut self, command: &Command, reply: &Reply) {
        let turn = command.turn;
        let status = Called::of(reply).map(|Called { status, again, .. }| {
            self.again += again;
            status
        });
        match (command.about, status) {
            (About::Log, _) => {
                self.looks -= 1;
                self.is_forgotten |= !self.node.heard_log(reply.text());
            }
            (About::Taken, _) => {
                self.looks -= 1;
                // Nobody tells sessions that nothing happens to: every one is asked for.
                let taken = reply.text().map(<[u8]>::to_vec);
                self.probe_due |= taken.is_some() && taken != self.taken;
                self.taken = taken;
            }
            (About::Look, _) => {
                self.looks -= 1;
                if !self.node.heard_owner(reply.text()) {
                    self.is_forgotten = true;
                    if reply.text().is_some() {
                        let bytes = self.node.begun();
                        self.connections[0].push(Command { about: About::Anew, turn: None, bytes });
                    }
                }
                self.probe_due |= reply.text().is_some_and(|owner| owner != self.node.owner.as_bytes());
            }
            (About::Entries { session, epoch }, Some(status)) => self.entries_answered(session, epoch, status, turn),
            (About::Probe { session, epoch }, Some(status)) => {
                self.probes -= 1;
                // It may be with another shard by now.
                if status != Status::Stale {
                    self.entries_answered(session, epoch, status, None);
                }
            }
            (About::Restore { session }, Some(Status::Fenced)) => self.fence(session),
            (About::Restore { session }, _) => self.is_there(session),
            (About::Index | About::Aside | About::Anew, _) | (_, None) => self.resolve(turn),
        }
    }

    fn entries_answered(&mut self, session: Uuid, epoch: u64, status: Status, turn: Option<TurnNo>) {
        let known = self.sessions.get(&session).map(|known| known.epoch);
        match status {
            _ if self.fenced.contains_key(&session) => self.resolve(turn),
            Status::Kept => self.resolve(turn),
            Status::Gap | Status::Behind => self.miss(session, turn),
            // It is in what is being said anew, whose answer says whose the session is.
            Status::Stale | Status::Fenced if self.missing.contains_key(&session) => self.miss(session, turn),
            Status::Stale if known.is_none() => self.resolve(turn),
            // It has been claimed anew since: that is answered, too.
            Status::Stale | Status::Fenced if known.is_some_and(|known| known > epoch) => self.resolve(turn),
            Status::Stale | Status::Fenced => {
                self.fence(session);
                self.resolve(turn);
            }
        }
    }

    /// A command of a turn is done with.
    fn resolve(&mut self, turn: Option<TurnNo>) {
        let Some(turn) = turn else { return };
        let Some(left) = self.open.get_mut(&turn) else { return };
        *left -= 1;
        if *left == 0 {
            self.open.remove(&turn);
            self.outcomes.push_back(Outcome::Kept(turn));
        }
    }

    /// The session is somebody else's.
    fn fence(&mut self, session: Uuid) {
        let known = self.sessions.remove(&session);
        let epoch = known.map_or(u64::MAX, |known| known.epoch);
        if self.fenced.insert(session, epoch).is_none() {
            self.outcomes.push_back(Outcome::Fenced(session));
        }
        self.is_there(session);
    }

    /// The store has lost something of a session: its shard is asked for all of it.
    fn miss(&mut self, session: Uuid, turn: Option<TurnNo>) {
        if self.missing.is_empty() {
            // Whatever has lost that may have lost which log it is, which is to be there before what is said of sessions.
            self.say_anew();
        }
        let outcomes = &mut self.outcomes;
        let waiting = self.missing.entry(session).or_insert_with(|| {
            outcomes.push_back(Outcome::Missing(session));
            Vec::new()
        });
        waiting.extend(turn);
    }

    /// Whatever waits for a session to be said anew waits no longer.
    fn is_there(&mut self, session: Uuid) {
        for turn in self.missing.remove(&session).unwrap_or_default() {
            self.resolve(Some(turn));
        }
    }

    /// Says a session anew, as it is under this key, whose epoch is above all before; or nothing, where there is none any more.
    pub fn restore(&mut self, session: Uuid, anew: Option<(Key, &impl Append)>) {
        let Some((key, record)) = anew else { return self.is_there(session) };
        tracing::warn!(url = %self.node.url, %session, "Redis has lost something of a session, which is said to it anew");
        self.restored += 1;
        let bytes = self.whole(Function::Restore, key, record);
        if let Some(known) = self.sessions.get_mut(&session) {
            (known.epoch, known.number) = (key.epoch, key.number);
        }
        // It may have lost that, too.
        let index = self.node.index(b"SADD", session);
        self.say(session, Command { about: About::Index, turn: None, bytes: index });
        self.say(session, Command { about: About::Restore { session }, turn: None, bytes });
    }

    /// Writes a session's snapshot, as it was after its newest entry.
    pub fn snapshot(&mut self, key: Key, record: &impl Append) {
        let bytes = self.whole(Function::Snapshot, key, record);
        self.say(key.session, Command { about: About::Aside, turn: None, bytes });
    }

    fn whole(&mut self, function: Function, key: Key, record: &impl Append) -> Vec<u8> {
        if let Some(known) = self.sessions.get_mut(&key.session) {
            (known.entries, known.bytes, known.has_grown) = (0, 0, false);
        }
        self.scratch.clear();
        record.append_to(&mut self.scratch);
        let bytes = command::whole(function, key, &self.node.owner, FORM, self.wall, &self.scratch);
        self.bytes += bytes.len() as u64;
        bytes
    }

    /// A session that needs a snapshot, unless so much waits already that it would be in the way.
    pub fn take_grown(&mut self) -> Option<Uuid> {
        self.grown
            .pop_front_if(|session| self.connections[Self::place(*session)].waiting() < limits::REDIS_WAITING_BYTES)
    }

    /// Looks now and then which log it is, and whether another has started under the node's name: then it has, or takes, its sessions.
    fn look(&mut self) {
        let is_due = ground::since(self.looked) >= Duration::from_millis(limits::REDIS_LOOK_MS);
        if !is_due || self.looks > 0 || !self.connections[0].is_ready() {
            return;
        }
        (self.looked, self.looks) = (ground::now(), 3);
        for (about, bytes) in [About::Log, About::Look, About::Taken].into_iter().zip(self.node.look()) {
            self.connections[0].push(Command { about, turn: None, bytes });
        }
    }

    /// Says which log it is, and who has it, where Redis has nothing of that: on each connection, before sessions are said anew there. One
    /// whose name another has by now says nothing.
    fn say_anew(&mut self) {
        if self.node.standing.is_superseded() {
            return;
        }
        for connection in &mut self.connections {
            for bytes in self.node.anew() {
                connection.push(Command { about: About::Anew, turn: None, bytes });
            }
        }
    }

    /// Asks of every session whether it is still this node's, and still there.
    fn probe(&mut self) {
        // What is missing is known, and what is not sealed yet is said later.
        let is_asked =
            |(session, known): &(&Uuid, &Known)| known.place.is_none() && !self.missing.contains_key(session);
        let all = self.sessions.iter().filter(is_asked).map(|(&session, known)| (session, known.epoch, known.number));
        let mut all: Vec<(Uuid, u64, u64)> = all.collect();
        // Always in the same order.
        all.sort_unstable();
        for (session, epoch, number) in all {
            let mut bytes = command::call(Function::Append, session, 5);
            // It lacks something also where it has lost no more than the newest entries.
            self.numbered(epoch, number + 1, &mut bytes);
            resp::number(FORM.into(), &mut bytes);
            resp::number(0, &mut bytes);
            self.say(session, Command { about: About::Probe { session, epoch }, turn: None, bytes });
            self.probes += 1;
        }
    }

    /// Waits, no longer than that, until there is something to be polled; whether there is.
    pub fn wait(&mut self, most: Duration) -> bool {
        let since = ground::now();
        loop {
            self.pump();
            if !self.outcomes.is_empty() {
                return true;
            }
            let left = most.saturating_sub(ground::since(since));
            if left.is_zero() || self.connections.iter().any(|of| of.stalled().is_some()) {
                return false;
            }
            self.wait_for_bytes(left.min(Duration::from_millis(limits::LOG_RETRY_MS)));
        }
    }

    fn wait_for_bytes(&self, most: Duration) {
        let sockets = self.connections.iter().filter_map(Connection::socket);
        let mut sockets: Vec<_> = sockets.map(|fd: BorrowedFd<'_>| fd_to_read(fd)).collect();
        let most = rustix::time::Timespec { tv_sec: 0, tv_nsec: most.subsec_nanos().into() };
        // Looked at again anyway.
        let _ = rustix::event::poll(&mut sockets, Some(&most));
    }

    /// Nothing more will be appended: waits a while for what is on its way.
    pub fn close(&mut self) {
        let since = ground::now();
        while !self.connections.iter().all(Connection::is_idle)
            && ground::since(since) < Duration::from_millis(limits::REDIS_LOG_ANSWER_MS)
        {
            self.pump();
            self.wait_for_bytes(Duration::from_millis(1));
        }
    }

    /// Whether another server has started under the node's name, and has its sessions.
    pub fn is_superseded(&self) -> bool {
        self.node.standing.is_superseded()
    }

    /// What has happened, and how it stands.
    pub fn figures(&self) -> Figures {
        let mut counts = Counts::default();
        self.connections.iter().for_each(|connection| counts += connection.counts());
        Figures {
            counts,
            is_away: counts.ready < self.connections.len() as u64,
            restored: self.restored,
            has_other_log: self.node.standing.has_other_log(),
            is_superseded: self.is_superseded(),
        }
    }

    /// How many entries came again that Redis had.
    pub const fn known_again(&self) -> u64 {
        self.again
    }

    /// Bytes that were appended since it was asked last.
    pub const fn take_bytes(&mut self) -> u64 {
        std::mem::replace(&mut self.bytes, 0)
    }
}

fn fd_to_read(fd: BorrowedFd<'_>) -> rustix::event::PollFd<'_> {
    rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::IN)
}
