//! How a node begins with its log in Redis: it waits for every answer, before anything is served.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use thiserror::Error;
use uuid::Uuid;

use super::command::{entries_key, index_key, owner_key, start_key, taken_key};
use super::library::{Called, Function, Greeting, Status, Unfit};
use super::resp::{self, Reply};
use crate::config::RedisUrl;
use crate::limits;
use crate::log::segment::FORM;
use crate::log::{Append, Key};

/// Which log it is.
const LOG_KEY: &[u8] = b"tiltyard:log";

/// The names of the nodes that may have sessions.
pub(super) const NODES_KEY: &[u8] = b"tiltyard:nodes";

/// Why a node cannot begin with a log in Redis.
#[derive(Debug, Error)]
pub enum RedisError {
    #[error("{url}: cannot be reached: {error}")]
    Unreachable { url: String, error: io::Error },
    #[error("{url}: {why}")]
    Unfit { url: String, why: Unfit },
    #[error("{url}: it refuses {command}: {said}")]
    Refused { url: String, command: String, said: String },
    #[error(
        "{url}: another has taken a session meanwhile: is a server starting under the same name, `{node}`? Give one another --node"
    )]
    Contended { url: String, node: String },
    #[error("{url}: an answer that was not to be expected, to {command}")]
    Unexpected { url: String, command: &'static str },
}

/// What a Redis promises about what it has acknowledged, as far as it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    pub version: String,
    /// It keeps a file of what it is told.
    pub has_file: bool,
    /// When it waits for the disk: `always`, `everysec` or `no`; nothing where this user may not ask.
    pub waits: Option<String>,
    /// It throws away keys when its memory is full.
    pub evicts: bool,
}

impl Promise {
    /// What is not promised, if anything.
    pub fn warning(&self) -> Option<String> {
        let not = "an action that was acknowledged may be lost";
        let mut said = Vec::new();
        if !self.has_file {
            said.push(format!("it keeps nothing on its disk (appendonly no): {not} whenever it stops, with its fight"));
        } else if self.waits.as_deref() == Some("no") {
            said.push(format!("it does not wait for its disk (appendfsync no): {not} when its machine stops"));
        } else if self.waits.as_deref() == Some("everysec") {
            said.push(format!(
                "it waits for its disk once a second (appendfsync everysec): {not} when its machine stops"
            ));
        }
        if self.evicts {
            said.push(format!("it throws keys away when its memory is full (maxmemory-policy is not noeviction): {not} then, with its fight"));
        }
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// This node in the log, since its start.
#[derive(Debug, Clone)]
pub struct Node {
    pub url: RedisUrl,
    pub addresses: Vec<SocketAddr>,
    pub name: String,
    /// Name and start: who has a session.
    pub owner: String,
    /// Which log it goes on with.
    pub log: String,
    /// Who had started last before it: who is found there again is from a copy of Redis that has lost this start.
    pub before: Option<String>,
    /// How its shards found it to stand.
    pub standing: Arc<Standing>,
}

/// What of the log concerns all of a node: as its shards, which look at it all the time, have seen it last.
#[derive(Debug, Default)]
pub struct Standing {
    superseded: AtomicBool,
    other_log: AtomicBool,
}

impl Standing {
    /// Whether another server has started under the node's name: it has the node's sessions, for good.
    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Relaxed)
    }

    /// Whether the Redis has another log than the node goes on with.
    pub fn has_other_log(&self) -> bool {
        self.other_log.load(Ordering::Relaxed)
    }
}

impl Node {
    /// `SADD` or `SREM` of one of its sessions.
    pub fn index(&self, what: &[u8], session: Uuid) -> Vec<u8> {
        resp::command(&[what, index_key(&self.name).as_bytes(), session.to_string().as_bytes()])
    }

    /// Which log it is, who has started last, and whether sessions were taken over.
    pub(super) fn look(&self) -> [Vec<u8>; 3] {
        let (started, taken) = (start_key(&self.name), taken_key(&self.name));
        [LOG_KEY, started.as_bytes(), taken.as_bytes()].map(|key| resp::command(&[b"GET", key]))
    }

    /// The first two, said anew where there is nothing, and that there is this node.
    pub(super) fn anew(&self) -> [Vec<u8>; 3] {
        let (key, owner) = (start_key(&self.name), self.owner.as_bytes());
        [
            resp::command(&[b"SET", LOG_KEY, self.log.as_bytes(), b"NX"]),
            resp::command(&[b"SET", key.as_bytes(), owner, b"NX"]),
            resp::command(&[b"SADD", NODES_KEY, self.name.as_bytes()]),
        ]
    }

    /// Hears which log there is; `false` where there is none.
    pub(super) fn heard_log(&self, found: Option<&[u8]>) -> bool {
        let Some(found) = found else { return false };
        let is_other = found != self.log.as_bytes();
        if self.standing.other_log.swap(is_other, Ordering::Relaxed) != is_other {
            let (url, own, found) = (&self.url, &self.log, String::from_utf8_lossy(found));
            if is_other {
                tracing::error!(%url, own, %found, "the Redis of --redis-log has another log than this server goes on with: was another Redis put in its place, or a backup put back? Fights go on, and the next start will stop there: put the right one back, or have them end");
            } else {
                tracing::warn!(%url, own, "the Redis of --redis-log has this server's log again");
            }
        }
        true
    }

    /// Says that it has started, whoever has before.
    pub(super) fn begun(&self) -> Vec<u8> {
        resp::command(&[b"SET", start_key(&self.name).as_bytes(), self.owner.as_bytes(), b"GET"])
    }

    /// Hears who has started last under the node's name; `false` where nobody has since before its own start.
    pub(super) fn heard_owner(&self, found: Option<&[u8]>) -> bool {
        let Some(found) = found else { return false };
        if self.before.as_ref().is_some_and(|before| found == before.as_bytes()) {
            return false;
        }
        if found != self.owner.as_bytes() && !self.standing.superseded.swap(true, Ordering::Relaxed) {
            let (url, node) = (&self.url, &self.name);
            tracing::error!(%url, node, "another server has started under this node's name with the same --redis-log, and has its fights: this one takes no new ones and is not ready any more. Stop it; where both are wanted, give one another --node and start it again");
        }
        true
    }
}

/// What there is of a session.
#[derive(Debug)]
pub struct Stored {
    pub session: Uuid,
    /// The number of its newest entry.
    pub head: u64,
    /// Its snapshot, where there is one.
    pub snapshot: Option<Entry>,
    /// The entries behind it, in order.
    pub entries: Vec<Entry>,
}

/// An entry, or a session's snapshot as after that entry.
#[derive(Debug)]
pub struct Entry {
    pub key: Key,
    /// Its form, and its payload, with the wall time before it; nothing for a claim.
    pub payload: Option<(u8, Vec<u8>)>,
}

/// A session that a start has asked for.
#[derive(Debug)]
pub enum Asked {
    /// It is there, under this epoch; what of it is damaged, where it cannot be read.
    There { epoch: u64, stored: Result<Stored, String> },
    /// It is over, or never was: it is in the list only.
    Over,
    /// Another node has it.
    Elsewhere { owner: String },
}

/// A connection that waits for answers.
#[derive(Debug)]
pub struct Client {
    pub(super) node: Node,
    stream: TcpStream,
    input: Vec<u8>,
}

impl Client {
    /// Connects, and makes sure that it is a Redis with the log's functions.
    pub fn connect(url: &RedisUrl, node: &str) -> Result<Self, RedisError> {
        Self::connect_as(url, node, format!("{node}#{}", Uuid::new_v4().simple()))
    }

    /// The same, once more for a node that has begun.
    pub fn connect_again(node: &Node) -> Result<Self, RedisError> {
        let client = Self::connect_as(&node.url, &node.name, node.owner.clone())?;
        Ok(Self { node: node.clone(), ..client })
    }

    fn connect_as(url: &RedisUrl, node: &str, owner: String) -> Result<Self, RedisError> {
        let unreachable = |error| RedisError::Unreachable { url: url.to_string(), error };
        let addresses: Vec<SocketAddr> = url.place().to_socket_addrs().map_err(unreachable)?.collect();
        let patience = Duration::from_millis(limits::REDIS_LOG_CONNECT_MS);
        let mut connected = Err(io::Error::new(io::ErrorKind::NotFound, "its name has no address"));
        for address in &addresses {
            connected = TcpStream::connect_timeout(address, patience);
            if connected.is_ok() {
                break;
            }
        }
        let stream = connected.map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        stream.set_read_timeout(Some(patience)).map_err(unreachable)?;
        stream.set_write_timeout(Some(patience)).map_err(unreachable)?;
        let (name, log, standing) = (node.to_owned(), String::new(), Arc::default());
        let node = Node { url: url.clone(), addresses, name, owner, log, before: None, standing };
        let mut client = Self { node, stream, input: Vec::new() };
        let mut out = Vec::new();
        let mut greeting = Greeting::begin(url, &mut out);
        loop {
            client.write(&std::mem::take(&mut out))?;
            let reply = client.read()?;
            if greeting.hear(reply, &mut out).map_err(|why| RedisError::Unfit { url: url.to_string(), why })? {
                return Ok(client);
            }
        }
    }

    /// This node, as its shards are to say.
    pub const fn node(&self) -> &Node {
        &self.node
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), RedisError> {
        self.stream.write_all(bytes).map_err(|error| self.unreachable(error))
    }

    fn read(&mut self) -> Result<Reply, RedisError> {
        let mut bytes = vec![0; limits::READ_BYTES];
        loop {
            let mut rest = &self.input[..];
            if let Some(reply) = resp::take(&mut rest).map_err(|error| self.unreachable(error))? {
                let taken = self.input.len() - rest.len();
                self.input.drain(..taken);
                return Ok(reply);
            }
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(self.unreachable(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.unreachable(error)),
            }
        }
    }

    fn unreachable(&self, error: io::Error) -> RedisError {
        let error = match error.kind() {
            // What a socket says whose time is over.
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                io::Error::other(format!("no answer within {} ms", limits::REDIS_LOG_CONNECT_MS))
            }
            _ => error,
        };
        RedisError::Unreachable { url: self.node.url.to_string(), error }
    }

    pub(super) fn unexpected(&self, command: &'static str) -> RedisError {
        RedisError::Unexpected { url: self.node.url.to_string(), command }
    }

    /// Says commands, and hears their answers.
    pub(super) fn ask(&mut self, commands: &[Vec<u8>]) -> Result<Vec<Reply>, RedisError> {
        self.write(&commands.concat())?;
        let replies = commands.iter().map(|_| self.read()).collect::<Result<Vec<_>, _>>()?;
        let refused = |(command, reply): (&Vec<u8>, &Reply)| match reply {
            Reply::Error(said) => Some((resp::name(command), said.clone())),
            _ => None,
        };
        match commands.iter().zip(&replies).find_map(refused) {
            Some((command, said)) => Err(RedisError::Refused { url: self.node.url.to_string(), command, said }),
            None => Ok(replies),
        }
    }

    pub(super) fn ask_one(&mut self, words: &[&[u8]]) -> Result<Reply, RedisError> {
        let mut replies = self.ask(&[resp::command(words)])?;
        replies.pop().ok_or_else(|| self.unexpected("a command"))
    }

    /// What it promises.
    pub fn promise(&mut self) -> Result<Promise, RedisError> {
        let info = self.ask_one(&[b"INFO"])?;
        let info = String::from_utf8_lossy(info.text().unwrap_or_default()).into_owned();
        let said = |name: &str| info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
        // A user may be kept from it.
        self.write(&resp::command(&[b"CONFIG", b"GET", b"appendfsync"]))?;
        let waits = self.read()?.items().get(1).and_then(|value| String::from_utf8(value.text()?.to_vec()).ok());
        Ok(Promise {
            version: said("valkey_version").or_else(|| said("redis_version")).unwrap_or("of no version").to_owned(),
            has_file: said("aof_enabled") == Some("1"),
            waits,
            evicts: said("maxmemory_policy").is_some_and(|policy| policy != "noeviction"),
        })
    }

    /// Which log it is: `None` where there is none yet.
    pub fn identity(&mut self) -> Result<Option<String>, RedisError> {
        match self.ask_one(&[b"GET", LOG_KEY])? {
            Reply::Text(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
            _ => Ok(None),
        }
    }

    /// Begins a log, unless there is one by now; which it is.
    pub fn begin(&mut self) -> Result<String, RedisError> {
        let new = Uuid::new_v4().to_string();
        self.ask_one(&[b"SET", LOG_KEY, new.as_bytes(), b"NX"])?;
        let log = self.identity()?.ok_or_else(|| self.unexpected("GET"))?;
        self.node.log.clone_from(&log);
        Ok(log)
    }

    /// Says that this node has started: whoever has started before under its name sees it, and looks what it still has.
    pub fn started(&mut self) -> Result<(), RedisError> {
        let name = self.node.name.clone();
        self.ask_one(&[b"SADD", NODES_KEY, name.as_bytes()])?;
        let said = self.node.begun();
        let before = self.ask(&[said])?.pop();
        self.node.before = before.and_then(|before| Some(String::from_utf8_lossy(before.text()?).into_owned()));
        Ok(())
    }

    /// The node's sessions.
    pub fn sessions(&mut self) -> Result<Vec<Uuid>, RedisError> {
        let all = self.ask_one(&[b"SMEMBERS", index_key(&self.node.name).as_bytes()])?;
        let session = |item: &Reply| std::str::from_utf8(item.text()?).ok()?.parse().ok();
        let mut sessions: Vec<Uuid> = all.items().iter().filter_map(session).collect();
        sessions.sort_unstable();
        Ok(sessions)
    }

    /// Reads what there is of these sessions. Nothing is changed.
    pub fn look(&mut self, sessions: &[Uuid]) -> Result<Vec<Asked>, RedisError> {
        let name = self.node.name.clone();
        self.look_of(&name, sessions)
    }

    /// The same, of the node `name`.
    pub fn look_of(&mut self, name: &str, sessions: &[Uuid]) -> Result<Vec<Asked>, RedisError> {
        let known = |session: &Uuid| {
            let key = owner_key(*session);
            resp::command(&[b"HMGET", key.as_bytes(), b"epoch", b"owner", b"over"])
        };
        let known = self.ask(&sessions.iter().map(known).collect::<Vec<_>>())?;
        let own = format!("{name}#");
        let mut asked: Vec<Result<Asked, u64>> = Vec::with_capacity(sessions.len());
        for known in &known {
            let [epoch, owner, over] = known.items() else { return Err(self.unexpected("HMGET")) };
            let owner = String::from_utf8_lossy(owner.text().unwrap_or_default());
            asked.push(match epoch.number().and_then(|epoch| u64::try_from(epoch).ok()) {
                None => Ok(Asked::Over),
                Some(_) if over.text().is_some() => Ok(Asked::Over),
                Some(_) if !owner.starts_with(&own) => Ok(Asked::Elsewhere { owner: owner.into_owned() }),
                Some(epoch) => Err(epoch),
            });
        }
        let there = sessions.iter().zip(&asked).filter(|(_, asked)| asked.is_err());
        let mut read = self.read_all(&there.map(|(&session, _)| session).collect::<Vec<_>>())?.into_iter();
        let asked = asked.into_iter().map(|asked| match asked {
            Ok(asked) => asked,
            Err(epoch) => read.next().map_or(Asked::Over, |stored| Asked::There { epoch, stored }),
        });
        Ok(asked.collect())
    }

    /// Takes these sessions over, each from whoever has it under this epoch. The number of the entry that says so, of each; nothing where
    /// somebody was faster, or it is over.
    pub fn claim(&mut self, sessions: &[(Uuid, u64)]) -> Result<Vec<Option<u64>>, RedisError> {
        let claims: Vec<Vec<u8>> = sessions.iter().map(|&(session, epoch)| self.claim_of(session, epoch)).collect();
        let head = |answer: &Reply| {
            let claimed = Called::of(answer).filter(|of| of.status == Status::Kept);
            claimed.and_then(|of| u64::try_from(of.head).ok())
        };
        Ok(self.ask(&claims)?.iter().map(head).collect())
    }

    /// Makes sure that of these sessions, which could not be taken over, none is with another server of this node's name.
    pub fn not_contended(&mut self, sessions: &[Uuid]) -> Result<(), RedisError> {
        let (own, owners) = (format!("{}#", self.node.name), self.owners_of(sessions)?);
        if owners.iter().flatten().any(|(_, owner)| owner.starts_with(&own)) {
            return Err(RedisError::Contended { url: self.node.url.to_string(), node: self.node.name.clone() });
        }
        Ok(())
    }

    /// Puts a session there that was not; `false` where it is there under as high an epoch.
    pub fn put(&mut self, key: Key, wall: u64, record: &impl Append) -> Result<bool, RedisError> {
        let mut bytes = Vec::new();
        record.append_to(&mut bytes);
        let owner = &self.node.owner;
        let whole = super::command::whole(Function::Restore, key, owner, FORM, wall, &bytes);
        let index = self.node.index(b"SADD", key.session);
        let called = self.ask(&[index, whole])?.last().and_then(Called::of);
        called.map(|of| of.status == Status::Kept).ok_or_else(|| self.unexpected("FCALL"))
    }

    /// Takes a session over from whoever has it under this epoch.
    pub(super) fn claim_of(&self, session: Uuid, epoch: u64) -> Vec<u8> {
        let mut bytes = super::command::call(Function::Claim, session, 4);
        resp::number(epoch, &mut bytes);
        resp::number(epoch + 1, &mut bytes);
        resp::word(self.node.owner.as_bytes(), &mut bytes);
        // Behind whatever is there then.
        resp::word(b"", &mut bytes);
        bytes
    }

    /// What there is of sessions, whosever they are.
    pub fn read_all(&mut self, sessions: &[Uuid]) -> Result<Vec<Result<Stored, String>>, RedisError> {
        let both = |&session: &Uuid| {
            let (owner, entries) = (owner_key(session), entries_key(session));
            let known = resp::command(&[b"HMGET", owner.as_bytes(), b"head", b"snap", b"form", b"wall", b"at"]);
            [known, resp::command(&[b"XRANGE", entries.as_bytes(), b"-", b"+"])]
        };
        let replies = self.ask(&sessions.iter().flat_map(both).collect::<Vec<_>>())?;
        let read = |(&session, of): (&Uuid, &[Reply])| {
            stored(session, &of[0], &of[1]).ok_or_else(|| "it is no session's".to_owned())
        };
        Ok(sessions.iter().zip(replies.chunks_exact(2)).map(read).collect())
    }

    /// Takes sessions out of the node's list. Where `expires`, what there is of them goes in a while.
    pub fn drop_out(&mut self, sessions: &[Uuid], expires: bool) -> Result<(), RedisError> {
        let seconds = limits::REDIS_OVER_SECONDS.to_string();
        let commands = sessions.iter().flat_map(|&session| {
            let keys = if expires { vec![owner_key(session), entries_key(session)] } else { Vec::new() };
            let expire = |key: String| resp::command(&[b"EXPIRE", key.as_bytes(), seconds.as_bytes()]);
            keys.into_iter().map(expire).chain([self.node.index(b"SREM", session)]).collect::<Vec<_>>()
        });
        let commands: Vec<Vec<u8>> = commands.collect();
        for some in commands.chunks(limits::REDIS_SESSIONS_AT_ONCE) {
            self.ask(some)?;
        }
        Ok(())
    }
}

/// What there is of a session, as it was answered; nothing where that is no session.
pub(super) fn stored(session: Uuid, known: &Reply, entries: &Reply) -> Option<Stored> {
    let [head, snap, form, wall, at] = known.items() else { return None };
    let head = u64::try_from(head.number()?).ok()?;
    let key = |id: &[u8]| {
        let (epoch, number) = std::str::from_utf8(id).ok()?.split_once('-')?;
        Some(Key { session, epoch: epoch.parse().ok()?, number: number.parse().ok()? })
    };
    let payload = |form: u8, wall: &Reply, entry: &[u8]| {
        let mut payload = u64::try_from(wall.number()?).ok()?.to_le_bytes().to_vec();
        payload.extend_from_slice(entry);
        Some((form, payload))
    };
    let snapshot = match snap.text() {
        None => None,
        Some(record) => {
            let form = u8::try_from(form.number()?).ok()?;
            Some(Entry { key: key(at.text()?)?, payload: Some(payload(form, wall, record)?) })
        }
    };
    let entry = |item: &Reply| {
        let [id, fields] = item.items() else { return None };
        let key = key(id.text()?)?;
        match fields.items() {
            [what, _owner] if what.text() == Some(b"claim") => Some(Entry { key, payload: None }),
            [form, entry, _, wall] => {
                let form = u8::try_from(form.number()?).ok()?;
                Some(Entry { key, payload: Some(payload(form, wall, entry.text()?)?) })
            }
            _ => None,
        }
    };
    let entries = entries.items().iter().map(entry).collect::<Option<Vec<_>>>()?;
    Some(Stored { session, head, snapshot, entries })
}

#[cfg(test)]
mod tests {
    use super::Promise;

    #[test]
    fn what_a_redis_does_not_promise_is_said() {
        let safe =
            Promise { version: "7.0".to_owned(), has_file: true, waits: Some("always".to_owned()), evicts: false };
        assert_eq!(safe.warning(), None);
        let said = |promise: Promise| promise.warning().unwrap();
        assert!(said(Promise { has_file: false, ..safe.clone() }).contains("appendonly no"));
        for waits in ["everysec", "no"] {
            let waits = Some(waits.to_owned());
            assert!(said(Promise { waits, ..safe.clone() }).contains("when its machine stops"));
        }
        assert!(said(Promise { evicts: true, ..safe }).contains("noeviction"));
    }
}
