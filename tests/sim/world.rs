//! Virtual time, the network, and what happens in which order: all of it from one seed, in one thread.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, VecDeque};

use uuid::Uuid;

use crate::log::redis::connection::Net;
use crate::log::redis::ground::Dial;
use crate::log::redis::resp::Reply;
use crate::log::redis::start::Node as Name;
use crate::log::redis::{RedisLog, library};

use super::chance::Chance;
use super::check::{self, Life, Op, Rollback};
use super::failover::{Keeper, name};
use super::faults::{self, Fault, Loss, MS, SECOND, Which};
use super::ground::{Dialer, End, Far, Ground};
use super::notes;
use super::redis::{self, Owned, Redis};
use super::shard::{Answer, Request, Said, Shard, What, short};
use super::{Faulty, Rules};

/// Clients act for so long; then everything is mended, and all has to be well within the patience.
const UNTIL: u64 = 12 * SECOND;
const PATIENCE: u64 = 30 * SECOND;
/// The client that asks last.
const LAST: u8 = 200;

#[derive(Debug, Clone, Copy)]
enum Event {
    Wake(usize, usize),
    Connect(usize),
    ToStore(usize),
    ToNode(usize),
    FinToStore(usize),
    FinToNode(usize),
    Ask(usize, Request),
    Tell(Answer, usize),
    Client(usize, u64),
    Fault(Fault),
    Start(usize),
    Up(Which),
    Mend,
}

#[derive(Debug)]
struct Conn {
    node: usize,
    which: Which,
    far: Far,
    to: VecDeque<Vec<u8>>,
    from: VecDeque<Vec<u8>>,
    to_at: u64,
    from_at: u64,
    inbox: Vec<u8>,
    is_open: bool,
    /// What a cut holds back never arrives.
    is_lost: Option<bool>,
    is_finished: bool,
}

struct Store {
    redis: Redis,
    is_up: bool,
    hangs_until: u64,
}

struct Node {
    life: usize,
    dialers: [Dialer; 3],
    conns: Vec<usize>,
    shard: Shard,
    keeper: Keeper,
    paused_until: u64,
    wakes_at: u64,
}

struct Cut {
    node: usize,
    which: Which,
    to: bool,
    from: bool,
    until: u64,
}

#[derive(Debug, Default)]
struct Client {
    op: Option<usize>,
    attempt: u32,
    token: u64,
    gives_up: u64,
    asks: usize,
    ids: BTreeMap<Uuid, u32>,
}

/// How a run ended.
#[derive(Debug, Default)]
pub struct Report {
    pub problems: Vec<String>,
    pub counts: BTreeMap<&'static str, u64>,
    pub trace: Option<String>,
}

pub struct World {
    now: u64,
    seq: u64,
    events: BinaryHeap<Reverse<(u64, u64)>>,
    what: BTreeMap<u64, Event>,
    chance: Chance,
    rules: Rules,
    nodes: Vec<Option<Node>>,
    /// What a node remembers over its starts: which Redis it knew, and how its system's clock stands.
    disks: Vec<Option<u64>>,
    walls: Vec<i64>,
    log: Store,
    directory: Store,
    conns: Vec<Conn>,
    cuts: Vec<Cut>,
    slow_until: Vec<u64>,
    clients: Vec<Client>,
    sessions: Vec<Uuid>,
    /// Where each session was last.
    places: BTreeMap<Uuid, usize>,
    ops: Vec<Op>,
    lives: Vec<Life>,
    rollbacks: Vec<Rollback>,
    /// When the store of the log did not answer.
    downs: Vec<(u64, u64)>,
    owners: BTreeMap<(Uuid, u64), String>,
    takeovers: BTreeMap<Uuid, u64>,
    problems: Vec<String>,
    is_mended: bool,
    snapshot_after: u64,
}

/// Runs a seed.
pub fn run(seed: u64, faulty: Option<Faulty>, is_traced: bool) -> Report {
    let _ground = Ground::begin(seed);
    notes::begin(is_traced);
    let mut world = World::new(seed, faulty);
    world.go();
    let problems = world.end();
    let notes = notes::take();
    Report { problems, counts: notes.counts, trace: notes.trace }
}

fn code(faulty: Option<Faulty>) -> String {
    let code = library::CODE.to_owned();
    if faulty != Some(Faulty::NoEpochCheck) {
        return code;
    }
    let checks = "  if has.epoch == epoch and has.owner == owner then\n    return nil\n  end\n";
    let broken = code.replacen(checks, "  if true then\n    return nil\n  end\n", 1);
    assert_ne!(broken, code, "the planted fault is in the functions");
    broken
}

impl World {
    fn new(seed: u64, faulty: Option<Faulty>) -> Self {
        let mut chance = Chance::new(seed);
        let nodes = 3;
        let store = |code| Store { redis: Redis::new(code), is_up: true, hangs_until: 0 };
        let sessions = (0..chance.between(2, 5))
            .map(|place| Uuid::from_u128(u128::from(chance.word()) << 64 | 0x8000_0000_0000_0000 | u128::from(place)));
        let sessions: Vec<Uuid> = sessions.collect();
        let clients = (0..chance.between(2, 4)).map(|_| Client::default()).collect();
        let snapshot_after = chance.between(4, 30);
        let mut world = Self {
            now: 0,
            seq: 0,
            events: BinaryHeap::new(),
            what: BTreeMap::new(),
            chance,
            rules: Rules { faulty },
            nodes: (0..nodes).map(|_| None).collect(),
            disks: vec![None; nodes],
            walls: vec![0; nodes],
            log: store(code(faulty)),
            directory: store(library::CODE.to_owned()),
            conns: Vec::new(),
            cuts: Vec::new(),
            slow_until: vec![0; nodes],
            clients,
            sessions,
            places: BTreeMap::new(),
            ops: Vec::new(),
            lives: Vec::new(),
            rollbacks: Vec::new(),
            downs: Vec::new(),
            owners: BTreeMap::new(),
            takeovers: BTreeMap::new(),
            problems: Vec::new(),
            is_mended: false,
            snapshot_after,
        };
        for node in 0..nodes {
            world.walls[node] = world.chance.between(0, 2_000).cast_signed() - 1_000;
            world.start(node);
        }
        for session in world.sessions.clone() {
            let node = world.chance.place(nodes);
            world.nodes[node].as_mut().expect("it lives").shard.create(session);
            world.places.insert(session, node);
        }
        for client in 0..world.clients.len() {
            let at = 500 * MS + world.chance.below(200 * MS);
            world.at(at, Event::Client(client, 0));
        }
        for (at, fault) in faults::draw(&mut world.chance, nodes, UNTIL) {
            world.at(at, Event::Fault(fault));
        }
        world.at(UNTIL, Event::Mend);
        world
    }

    fn at(&mut self, at: u64, event: Event) {
        self.seq += 1;
        self.events.push(Reverse((at.max(self.now), self.seq)));
        self.what.insert(self.seq, event);
    }

    fn go(&mut self) {
        while let Some(Reverse((at, seq))) = self.events.pop() {
            let Some(event) = self.what.remove(&seq) else { continue };
            self.now = at;
            Ground::set(at);
            self.happen(event);
            if at > UNTIL + PATIENCE || self.is_done() || !self.problems.is_empty() {
                break;
            }
        }
    }

    /// Whether everybody who asked last was answered, and what that was on its way has come.
    fn is_done(&self) -> bool {
        let last = || self.ops.iter().filter(|op| op.client >= LAST);
        self.is_mended && last().all(|op| op.ended.is_some_and(|at| self.now > at + SECOND))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Wake(node, life) => self.turn(node, life),
            Event::Connect(conn) => self.connect(conn),
            Event::ToStore(conn) => self.come_to_store(conn),
            Event::ToNode(conn) => self.come_to_node(conn),
            Event::FinToStore(conn) => self.conns[conn].is_open = false,
            Event::FinToNode(conn) => {
                self.conns[conn].far.lock().end = End::Closed;
                self.wake(self.conns[conn].node);
            }
            Event::Ask(node, request) => self.ask(node, request),
            Event::Tell(answer, life) => self.tell(&answer, life),
            Event::Client(client, token) => self.client(client, token),
            Event::Fault(fault) => self.fault(fault),
            Event::Start(node) => {
                if self.nodes[node].is_none() {
                    self.start(node);
                }
            }
            Event::Up(which) => self.up(which),
            Event::Mend => self.mend(),
        }
    }

    // Nodes.

    fn start(&mut self, node: usize) {
        let life = self.lives.len();
        let owner = format!("{}#{life}", name(node));
        notes::say(|| format!("{owner} starts"));
        self.lives.push(Life::new(node, owner.clone()));
        let dialers: [Dialer; 3] = Default::default();
        let addresses = vec!["127.0.0.1:6379".parse().expect("an address")];
        let url = super::url();
        let net = Net { url: url.clone(), addresses: addresses.clone(), dial: Dial::Simulated(dialers[2].clone()) };
        let mut log = RedisLog::new(Name {
            url,
            addresses,
            name: name(node),
            owner: owner.clone(),
            log: super::LOG.to_owned(),
            before: None,
            standing: std::sync::Arc::default(),
        });
        log.net = Some(net);
        let lines = (dialers[0].clone(), dialers[1].clone());
        let keeper = Keeper::new(node, self.nodes.len(), owner, self.disks[node], lines, self.rules);
        let shard = Shard::new(log, self.snapshot_after, self.rules);
        self.nodes[node] =
            Some(Node { life, dialers, conns: Vec::new(), shard, keeper, paused_until: 0, wakes_at: u64::MAX });
        self.wake(node);
    }

    fn wake(&mut self, node: usize) {
        self.wake_in(node, 0);
    }

    fn wake_in(&mut self, node: usize, us: u64) {
        let Some(of) = &mut self.nodes[node] else { return };
        let at = (self.now + us).max(of.paused_until);
        if at < of.wakes_at {
            of.wakes_at = at;
            let life = of.life;
            self.at(at, Event::Wake(node, life));
        }
    }

    fn turn(&mut self, node: usize, life: usize) {
        let wall = (1_700_000_000_000 + self.now.cast_signed() / 1_000 + self.walls[node]).cast_unsigned();
        let Some(of) = self.nodes[node].as_mut().filter(|of| of.life == life && of.wakes_at == self.now) else {
            return;
        };
        of.wakes_at = u64::MAX;
        if self.now < of.paused_until {
            return self.wake(node);
        }
        let Node { shard, keeper, .. } = of;
        keeper.turn(wall, &|session| shard.holds(session));
        shard.adopted.extend(keeper.adopted.drain(..));
        self.problems.extend(keeper.damage.take());
        self.disks[node] = keeper.run;
        let mut is_stalled = false;
        if keeper.has_started() {
            self.lives[life].serves_since.get_or_insert(self.now);
            shard.turn(wall);
            if std::mem::take(&mut shard.has_missed) {
                keeper.missed();
            }
            is_stalled = shard.is_stalled();
        }
        let out = std::mem::take(&mut shard.out);
        self.collect(node);
        for answer in out {
            let at = self.now + self.chance.between(200, 4 * MS);
            self.at(at, Event::Tell(answer, life));
        }
        self.wake_in(node, if is_stalled { 50 * MS } else { 100 * MS });
    }

    // The network.

    /// Takes up what a node has begun, said and closed.
    fn collect(&mut self, node: usize) {
        let Some(of) = &mut self.nodes[node] else { return };
        let mut new = Vec::new();
        for (place, dialer) in of.dialers.iter().enumerate() {
            for far in dialer.take() {
                new.push((if place == 0 { Which::Directory } else { Which::Log }, far));
            }
        }
        for (which, far) in new {
            let conn = self.conns.len();
            self.conns.push(Conn {
                node,
                which,
                far,
                to: VecDeque::new(),
                from: VecDeque::new(),
                to_at: 0,
                from_at: 0,
                inbox: Vec::new(),
                is_open: false,
                is_lost: None,
                is_finished: false,
            });
            self.nodes[node].as_mut().expect("it lives").conns.push(conn);
            let mut at = self.now + self.delay(node);
            for cut in self.cuts.iter().filter(|cut| cut.node == node && cut.which == which) {
                at = at.max(cut.until + MS);
            }
            self.at(at, Event::Connect(conn));
        }
        let conns = std::mem::take(&mut self.nodes[node].as_mut().expect("it lives").conns);
        let conns = conns.into_iter().filter(|conn| {
            let (out, is_dropped) = {
                let mut between = self.conns[*conn].far.lock();
                (std::mem::take(&mut between.out), between.is_dropped)
            };
            if !out.is_empty() {
                self.say(*conn, out);
            }
            if is_dropped {
                self.finish(*conn);
            }
            !is_dropped
        });
        let conns: Vec<usize> = conns.collect();
        self.nodes[node].as_mut().expect("it lives").conns = conns;
    }

    fn delay(&mut self, node: usize) -> u64 {
        let most = if self.now < self.slow_until[node] { 300 * MS } else { 2 * MS };
        self.chance.between(100, most)
    }

    fn cut_until(&self, conn: usize, is_to: bool) -> Option<u64> {
        let Conn { node, which, .. } = self.conns[conn];
        let cuts = self.cuts.iter().filter(|cut| cut.node == node && cut.which == which);
        cuts.filter(|cut| (if is_to { cut.to } else { cut.from }) && cut.until > self.now).map(|cut| cut.until).max()
    }

    /// When what is sent now arrives, behind what was sent before; never where a cut has lost it.
    fn arrives(&mut self, conn: usize, is_to: bool) -> Option<u64> {
        let mut at = self.now + self.delay(self.conns[conn].node);
        if let Some(until) = self.cut_until(conn, is_to) {
            let is_lost = self.conns[conn].is_lost;
            let is_lost = is_lost.unwrap_or_else(|| self.chance.percent(50));
            self.conns[conn].is_lost = Some(is_lost);
            at += until - self.now;
        }
        let is_lost = self.conns[conn].is_lost == Some(true);
        let of = &mut self.conns[conn];
        let last = if is_to { &mut of.to_at } else { &mut of.from_at };
        *last = at.max(*last + 1);
        (!is_lost).then_some(*last)
    }

    fn say(&mut self, conn: usize, bytes: Vec<u8>) {
        if let Some(at) = self.arrives(conn, true) {
            self.conns[conn].to.push_back(bytes);
            self.at(at, Event::ToStore(conn));
        }
    }

    fn finish(&mut self, conn: usize) {
        if !std::mem::replace(&mut self.conns[conn].is_finished, true)
            && let Some(at) = self.arrives(conn, true)
        {
            self.at(at, Event::FinToStore(conn));
        }
    }

    const fn store(&mut self, which: Which) -> &mut Store {
        match which {
            Which::Log => &mut self.log,
            Which::Directory => &mut self.directory,
        }
    }

    fn connect(&mut self, conn: usize) {
        let which = self.conns[conn].which;
        let is_up = self.store(which).is_up;
        let of = &mut self.conns[conn];
        if of.far.lock().is_dropped {
            return;
        }
        of.is_open = is_up;
        of.far.lock().end = if is_up { End::Open } else { End::Refused };
        let node = of.node;
        self.wake(node);
    }

    fn come_to_store(&mut self, conn: usize) {
        let which = self.conns[conn].which;
        let (now, store) = (self.now, self.store(which));
        if now < store.hangs_until {
            let at = store.hangs_until;
            return self.at(at, Event::ToStore(conn));
        }
        let of = &mut self.conns[conn];
        let Some(bytes) = of.to.pop_front() else { return };
        if !of.is_open {
            return;
        }
        of.inbox.extend_from_slice(&bytes);
        let mut out = Vec::new();
        while let Some(words) = redis::take(&mut self.conns[conn].inbox) {
            let reply = self.done_by(conn, which, &words);
            redis::encode(&reply, &mut out);
        }
        if !out.is_empty()
            && let Some(at) = self.arrives(conn, false)
        {
            self.conns[conn].from.push_back(out);
            self.at(at, Event::ToNode(conn));
        }
    }

    fn come_to_node(&mut self, conn: usize) {
        let of = &mut self.conns[conn];
        let Some(bytes) = of.from.pop_front() else { return };
        of.far.lock().input.extend_from_slice(&bytes);
        let node = of.node;
        self.wake(node);
    }

    // Stores.

    /// Has a store do a command, and looks at what it does.
    fn done_by(&mut self, conn: usize, which: Which, words: &[Vec<u8>]) -> Reply {
        let now = self.now;
        let is_call = which == Which::Log && words[0] == b"FCALL";
        let session = is_call.then(|| session_of(&words[3])).flatten();
        let before = session.and_then(|session| self.log.redis.owned(session));
        let trimmed = self.log.redis.trimmed();
        let reply = self.store(which).redis.run(now, words);
        if let Some(session) = session {
            let function = std::str::from_utf8(&words[1]).expect("a name");
            let function = function.rsplit('_').next().expect("the last part of it");
            self.called(conn, session, function, words, &reply, before.as_ref());
            notes::count_more("snapshot with entries trimmed behind it", u64::from(self.log.redis.trimmed() > trimmed));
        } else if which == Which::Log && matches!(words[0].as_slice(), b"SADD" | b"SREM") {
            notes::say(|| {
                format!("log: {}", words.iter().map(|word| String::from_utf8_lossy(word)).collect::<Vec<_>>().join(" "))
            });
        }
        if let Reply::Error(said) = &reply {
            notes::say(|| format!("{which:?} refuses: {said}"));
            notes::count("command that is refused");
        }
        reply
    }

    fn called(
        &mut self,
        conn: usize,
        session: Uuid,
        function: &str,
        words: &[Vec<u8>],
        reply: &Reply,
        before: Option<&Owned>,
    ) {
        let args: Vec<&str> = words[5..].iter().take(4).map(|word| std::str::from_utf8(word).expect("text")).collect();
        let numbers: Vec<i64> = reply.items().iter().filter_map(Reply::number).collect();
        notes::say(|| {
            format!(
                "log: {function} {} {} +{} -> {numbers:?}",
                short(session),
                args.join(" "),
                words.len().saturating_sub(10)
            )
        });
        let [status, _, again] = numbers[..] else { return };
        let after = self.log.redis.owned(session);
        match (function, status) {
            ("append", 0) if again > 0 => notes::count("entries that came again"),
            ("append" | "claim", 2) => notes::count("gap"),
            ("append" | "claim", 3) => notes::count("behind"),
            ("restore", 0) if again == 0 => notes::count("restore"),
            _ => {}
        }
        let (owner, epoch) = match function {
            "claim" => (args[2], args[1]),
            _ => (args[1], args[0]),
        };
        let epoch: u64 = epoch.parse().expect("an epoch");
        if (function, status) == ("restore", 0) {
            let now = self.now;
            for of in self.rollbacks.iter_mut().filter(|of| of.session == session && of.owner == owner) {
                of.mended.get_or_insert(now);
            }
        }
        if status == 0 && matches!(function, "append" | "claim" | "restore") {
            let first = self.owners.entry((session, epoch)).or_insert_with(|| owner.to_owned());
            if first != owner && self.rollbacks.iter().all(|of| of.session != session) {
                let problem = format!("{} has two owners under {epoch}: {first} and {owner}", short(session));
                self.problems.push(problem);
            }
        }
        if let (Some(before), Some(after)) = (before, &after)
            && after.epoch < before.epoch
        {
            self.problems.push(format!("{}: the epoch falls from {} to {}", short(session), before.epoch, after.epoch));
        }
        if function == "claim" && !matches!(args[0], "own" | "none") {
            self.claimed(conn, session, owner, status, before);
        }
    }

    /// Somebody claims another's session, or its own of before.
    fn claimed(&mut self, conn: usize, session: Uuid, owner: &str, status: i64, before: Option<&Owned>) {
        if status == 1 {
            notes::count("claim that another was quicker with");
        }
        let Some(before) = before.filter(|before| status == 0 && before.owner != owner) else { return };
        let taker = self.conns[conn].node;
        let Some(of) = self.lives.iter().position(|life| life.owner == before.owner) else { return };
        if self.lives[of].node == taker {
            notes::count("owner that comes back");
            return;
        }
        notes::count("takeover");
        let times = self.takeovers.entry(session).or_default();
        *times += 1;
        if *times > 1 {
            notes::count("takeover of a session that was taken over before");
        }
        if self.lives[of].died.is_none() {
            notes::count("takeover from one that lives");
            if self.cuts.iter().any(|cut| cut.node == self.lives[of].node && cut.until > self.now) {
                notes::count("takeover during a partition");
            }
        }
        let (from, until) = (self.now.saturating_sub(5 * SECOND), self.now);
        let by = self.lives.iter().rposition(|life| life.node == taker).expect("it has lived");
        let is_well = |life: &Life| {
            let serves = life.serves_since.is_some_and(|since| since < from);
            serves && life.died.is_none() && !life.had_trouble(from, until, None)
        };
        if is_well(&self.lives[of]) && is_well(&self.lives[by]) {
            self.problems.push(format!("{} is taken from {}, which lives and is found", short(session), before.owner));
        }
    }

    // Clients.

    fn ask(&mut self, node: usize, request: Request) {
        if let Some(of) = &mut self.nodes[node] {
            of.shard.inbox.push_back(request);
            self.wake(node);
        }
    }

    fn client(&mut self, client: usize, token: u64) {
        if self.clients[client].token != token {
            return;
        }
        let Some(op) = self.clients[client].op else {
            return self.begin(client);
        };
        if self.now >= self.clients[client].gives_up {
            notes::count("action that nobody answers");
            notes::say(|| format!("client {client} gives {op} up"));
            self.clients[client].op = None;
            return self.again(client, 10 * MS);
        }
        // Another node may have it.
        self.clients[client].asks = self.chance.place(self.nodes.len());
        self.send(client, op);
    }

    fn again(&mut self, client: usize, in_us: u64) {
        self.clients[client].token += 1;
        let (at, token) = (self.now + in_us, self.clients[client].token);
        self.at(at, Event::Client(client, token));
    }

    fn begin(&mut self, client: usize) {
        if self.is_mended {
            return;
        }
        let session = self.sessions[self.chance.place(self.sessions.len())];
        let is_read = self.chance.percent(15);
        self.begin_on(client, u8::try_from(client).expect("few clients"), session, is_read, self.now + 6 * SECOND);
    }

    fn begin_on(&mut self, client: usize, by: u8, session: Uuid, is_read: bool, gives_up: u64) {
        let what = if is_read {
            What::Read
        } else {
            let id = self.clients[client].ids.entry(session).or_default();
            *id += 1;
            What::Act(*id)
        };
        let op = self.ops.len();
        self.ops.push(Op { client: by, session, what, began: self.now, ended: None, said: None, epoch: 0, life: 0 });
        let asks = self.places[&session];
        let of = &mut self.clients[client];
        (of.op, of.attempt, of.gives_up, of.asks) = (Some(op), 0, gives_up, asks);
        self.send(client, op);
    }

    fn send(&mut self, client: usize, op: usize) {
        let Op { client: by, session, what, .. } = self.ops[op];
        let of = &mut self.clients[client];
        of.attempt += 1;
        let request = Request { client: by, op, attempt: of.attempt, session, what };
        let node = of.asks;
        let at = self.now + self.chance.between(200, 4 * MS);
        self.at(at, Event::Ask(node, request));
        let patience = self.chance.between(150 * MS, 900 * MS);
        self.again(client, patience);
    }

    fn tell(&mut self, answer: &Answer, life: usize) {
        let Answer { to, said, epoch } = *answer;
        let client = self.clients.iter().position(|client| client.op == Some(to.op));
        let Some(client) = client else { return };
        match said {
            Said::Done { .. } | Said::Read { .. } => {
                notes::count("answer");
                notes::say(|| {
                    format!("client {} is answered {}: {said:?} under {epoch}", to.client, short(to.session))
                });
                let op = &mut self.ops[to.op];
                (op.ended, op.said, op.epoch, op.life) = (Some(self.now), Some(said), epoch, life);
                self.places.insert(to.session, self.lives[life].node);
                self.clients[client].op = None;
                let pause = self.chance.between(5 * MS, 150 * MS);
                self.again(client, pause);
            }
            Said::Elsewhere | Said::Unknown => {
                if to.attempt == self.clients[client].attempt {
                    let pause = self.chance.between(10 * MS, 80 * MS);
                    self.again(client, pause);
                }
            }
        }
    }

    // Faults.

    fn fault(&mut self, fault: Fault) {
        if self.is_mended {
            return;
        }
        notes::say(|| format!("FAULT {fault:?}"));
        let now = self.now;
        match fault {
            Fault::Crash { node, again } => {
                self.crash(node);
                if let Some(again) = again {
                    self.at(now + again, Event::Start(node));
                }
            }
            Fault::Pause { node, for_us } => {
                if let Some(of) = &mut self.nodes[node] {
                    of.paused_until = of.paused_until.max(now + for_us);
                }
                self.trouble(node, now + for_us, None);
            }
            Fault::Cut { node, which, to, from, for_us } => {
                self.cuts.push(Cut { node, which, to, from, until: now + for_us });
                self.trouble(node, now + for_us, Some(which));
            }
            Fault::Slow { node, for_us } => {
                self.slow_until[node] = self.slow_until[node].max(now + for_us);
                self.trouble(node, now + for_us + SECOND, None);
            }
            Fault::Restart { which, loss, for_us } => self.restart(which, loss, for_us),
            Fault::Hang { which, for_us } => {
                let store = self.store(which);
                store.hangs_until = store.hangs_until.max(now + for_us);
                if which == Which::Log {
                    self.downs.push((now, now + for_us));
                }
            }
            Fault::Step { node, by_ms } => self.walls[node] += by_ms,
        }
    }

    fn trouble(&mut self, node: usize, until: u64, which: Option<Which>) {
        let now = self.now;
        for life in self.lives.iter_mut().filter(|life| life.node == node) {
            life.troubles.push((now, until, which));
        }
    }

    fn crash(&mut self, node: usize) {
        let Some(of) = self.nodes[node].take() else { return };
        if of.keeper.is_claiming() {
            notes::count("claimant that dies in the middle");
        }
        self.lives[of.life].died = Some(self.now);
        let conns = of.conns.clone();
        drop(of);
        for conn in conns {
            self.finish(conn);
        }
    }

    fn restart(&mut self, which: Which, loss: Loss, for_us: u64) {
        let now = self.now;
        if !self.store(which).is_up {
            return;
        }
        if which == Which::Log {
            self.downs.push((now, now + for_us));
        }
        let known = |world: &Self| -> Vec<Option<Owned>> {
            world.sessions.iter().map(|session| world.log.redis.owned(*session)).collect()
        };
        let before = known(self);
        let store = self.store(which);
        store.is_up = false;
        store.redis.run += 1;
        match loss {
            Loss::Nothing => {}
            Loss::Last(commands) => store.redis.lose_last(commands),
            Loss::Since(us) => store.redis.lose_since(now.saturating_sub(us)),
            Loss::Everything => store.redis.empty(),
        }
        let after = known(self);
        for place in 0..self.sessions.len() {
            if let Some(was) = before[place].clone().filter(|was| after[place].as_ref() != Some(was)) {
                let session = self.sessions[place];
                let holds = self.nodes.iter().flatten().filter(|node| node.shard.holds(session));
                let holders = holds.map(|node| node.life).collect();
                notes::say(|| format!("lost of {}: {was:?} is {:?}", short(session), after[place]));
                self.rollbacks.push(Rollback {
                    session,
                    down: now,
                    up: now + for_us,
                    owner: was.owner,
                    holders,
                    mended: None,
                });
            }
        }
        for conn in 0..self.conns.len() {
            let of = &mut self.conns[conn];
            if of.which != which || !of.is_open {
                continue;
            }
            of.is_open = false;
            of.to.clear();
            // What was answered may still come.
            if self.chance.percent(50) {
                of.from.clear();
            }
            if let Some(at) = self.arrives(conn, false) {
                self.at(at, Event::FinToNode(conn));
            }
        }
        self.at(now + for_us, Event::Up(which));
    }

    fn up(&mut self, which: Which) {
        notes::say(|| format!("{which:?} is up"));
        self.store(which).is_up = true;
    }

    /// Nothing is wrong any more; everybody asks once more.
    fn mend(&mut self) {
        notes::say(|| "all is mended".to_owned());
        self.is_mended = true;
        for cut in &mut self.cuts {
            cut.until = cut.until.min(self.now);
        }
        self.slow_until.fill(0);
        for node in 0..self.nodes.len() {
            if let Some(of) = &mut self.nodes[node] {
                of.paused_until = 0;
                self.wake(node);
            } else if self.chance.percent(50) {
                self.start(node);
            }
        }
        if self.nodes.iter().all(Option::is_none) {
            self.start(0);
        }
        for client in &mut self.clients {
            client.op = None;
        }
        for place in 0..self.sessions.len() {
            let client = self.clients.len();
            self.clients.push(Client::default());
            self.begin_on(
                client,
                LAST + u8::try_from(place).expect("few sessions"),
                self.sessions[place],
                false,
                u64::MAX,
            );
        }
    }

    /// What is wrong with what has happened.
    fn end(mut self) -> Vec<String> {
        let mut problems = std::mem::take(&mut self.problems);
        if !problems.is_empty() {
            return problems;
        }
        for session in self.sessions.clone() {
            notes::count("session");
            let ops: Vec<&Op> = self.ops.iter().filter(|op| op.session == session).collect();
            let loss = check::excuse(session, &self.rollbacks, &self.lives, &self.downs);
            let is_answered = ops.iter().any(|op| op.client >= LAST && op.ended.is_some());
            let known = self.log.redis.owned(session);
            let holders: Vec<&Node> = self.nodes.iter().flatten().filter(|node| node.shard.holds(session)).collect();
            let owner = holders.iter().find(|node| known.as_ref().is_some_and(|of| of.owner == node.keeper.owner));
            if let (Some(owner), true) = (owner, is_answered) {
                notes::count_more("owner that does not know it is none", holders.len() as u64 - 1);
                let held = &owner.shard.sessions[&session];
                let stored = stored(&mut self.log.redis, self.now, session);
                match stored {
                    Ok(stored) if stored.state == held.state => {}
                    Ok(_) => problems.push(format!("{}: the store has another than its owner", short(session))),
                    Err(error) => problems.push(format!("{}: {error}", short(session))),
                }
                check::history(session, &ops, &held.state.done, loss, &mut problems);
            } else if loss.is_some() {
                notes::count("session that was lost with store and owner");
            } else {
                problems.push(format!("{}: nobody goes on with it: {known:?}", short(session)));
            }
        }
        problems
    }
}

fn session_of(key: &[u8]) -> Option<Uuid> {
    let key = std::str::from_utf8(key).ok()?;
    key.strip_prefix("o:{")?.strip_suffix('}')?.parse().ok()
}

/// A session as a start would find it.
fn stored(redis: &mut Redis, now: u64, session: Uuid) -> Result<super::state::Session, String> {
    use crate::log::redis::command::{entries_key, owner_key};
    let words = |words: &[&[u8]]| words.iter().map(|word| word.to_vec()).collect::<Vec<_>>();
    let (owner, entries) = (owner_key(session), entries_key(session));
    let known = redis.run(now, &words(&[b"HMGET", owner.as_bytes(), b"head", b"snap", b"form", b"wall", b"at"]));
    let entries = redis.run(now, &words(&[b"XRANGE", entries.as_bytes(), b"-", b"+"]));
    let stored = crate::log::redis::start::stored(session, &known, &entries).ok_or("no session's")?;
    super::state::rebuild(session, stored)
}
