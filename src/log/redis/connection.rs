//! A connection of a shard to its Redis: a socket in the shard's loop, which never waits.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use mio::Token;

use super::command::Command;
use super::ground::{self, Dial, Stream};
use super::library::{Called, Greeting};
use super::resp::{self, Reply};
use crate::config::RedisUrl;
use crate::limits;
use crate::log::TurnNo;

/// Where Redis is, and who asks.
#[derive(Debug)]
pub struct Net {
    pub url: RedisUrl,
    /// As its name was resolved at the start.
    pub addresses: Vec<SocketAddr>,
    pub dial: Dial,
}

#[derive(Debug)]
enum State {
    /// There is none until then.
    Down(Instant),
    Connecting(Stream, Instant),
    Greeting(Stream, Greeting),
    Ready(Stream),
}

/// What has happened on connections, and how many can be used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub ready: u64,
    pub reconnects: u64,
    pub commands: u64,
    pub answers: u64,
    pub answer_us: u64,
    pub slow: u64,
}

impl Counts {
    fn answered(&mut self, after: Duration) {
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.answers += 1;
        self.answer_us += us;
        self.slow += u64::from(us > limits::REDIS_SLOW_US);
    }
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, of: Self) {
        let Self { ready, reconnects, commands, answers, answer_us, slow } = of;
        self.ready += ready;
        self.reconnects += reconnects;
        self.commands += commands;
        self.answers += answers;
        self.answer_us += answer_us;
        self.slow += slow;
    }
}

/// A connection, with what is to be said on it.
#[derive(Debug)]
pub struct Connection {
    token: Token,
    state: State,
    /// What has no answer yet, in order; the first so many of them are on their way.
    commands: VecDeque<Command>,
    sent: usize,
    sent_bytes: usize,
    /// Since when each of these is.
    sent_at: VecDeque<Instant>,
    counts: Counts,
    /// Bytes of all of them.
    bytes: usize,
    /// Turns that had something on its way when a connection was lost, until they are handed in again: nothing overtakes them.
    unknown: BTreeSet<TurnNo>,
    /// Turns of these of which the shard is to be told.
    lost: Vec<TurnNo>,
    /// What the socket has not taken yet.
    out: Vec<u8>,
    /// What came and is no whole answer.
    input: Vec<u8>,
    /// Since when an answer is awaited, without one.
    since: Instant,
    /// How often in a row there was none.
    tries: u32,
    /// It was made again, which nobody has been told.
    is_again: bool,
    why: String,
}

impl Connection {
    pub fn new(token: Token) -> Self {
        let now = ground::now();
        Self {
            token,
            state: State::Down(now),
            commands: VecDeque::new(),
            sent: 0,
            sent_bytes: 0,
            sent_at: VecDeque::new(),
            counts: Counts::default(),
            bytes: 0,
            unknown: BTreeSet::new(),
            lost: Vec::new(),
            out: Vec::new(),
            input: Vec::new(),
            since: now,
            tries: 0,
            is_again: false,
            why: "not connected yet".to_owned(),
        }
    }

    /// Has a command said when it is its turn.
    pub fn push(&mut self, command: Command) {
        self.bytes += command.bytes.len();
        self.commands.push_back(command);
    }

    pub const fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready(_))
    }

    /// What has happened on it.
    pub fn counts(&self) -> Counts {
        Counts { ready: self.is_ready().into(), ..self.counts }
    }

    /// Its socket, where there is one.
    pub fn socket(&self) -> Option<BorrowedFd<'_>> {
        match &self.state {
            State::Down(_) => None,
            State::Connecting(stream, _) | State::Greeting(stream, _) | State::Ready(stream) => Some(stream.fd()),
        }
    }

    /// Whether everything has been answered.
    pub fn is_idle(&self) -> bool {
        self.commands.is_empty()
    }

    /// Bytes that have no answer yet.
    pub const fn waiting(&self) -> usize {
        self.bytes
    }

    /// Why there is none.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Why nothing goes on, where something waits for a connection.
    pub fn stalled(&self) -> Option<io::Error> {
        let stalls = !self.is_ready() && !self.commands.is_empty();
        stalls.then(|| io::Error::new(ErrorKind::NotConnected, self.why.clone()))
    }

    /// Whether it was made again since this was asked last: what answers may be another.
    pub const fn take_again(&mut self) -> bool {
        std::mem::replace(&mut self.is_again, false)
    }

    /// A turn that may be kept or not, and of which the shard is to be told.
    pub fn take_lost(&mut self) -> Option<TurnNo> {
        self.lost.pop()
    }

    /// The shard has handed a turn in again.
    pub fn again(&mut self, turn: TurnNo) {
        self.unknown.remove(&turn);
    }

    /// Says what can be said and hears what was answered.
    pub fn pump(&mut self, net: &Net, heard: &mut Vec<(Command, Reply)>) {
        if let Err(error) = self.go_on(net, heard) {
            self.lose(&error, &net.url);
        }
    }

    fn go_on(&mut self, net: &Net, heard: &mut Vec<(Command, Reply)>) -> io::Result<()> {
        if let State::Down(until) = self.state {
            if ground::now() < until {
                return Ok(());
            }
            self.since = ground::now();
            let address = net.addresses[self.tries as usize % net.addresses.len()];
            self.state = State::Connecting(net.dial.connect(address, self.token)?, self.since);
        }
        if let State::Connecting(stream, since) = &self.state {
            if !stream.is_connected()? {
                let is_late = ground::since(*since) >= Duration::from_millis(limits::REDIS_LOG_CONNECT_MS);
                return if is_late { Err(late("connection", limits::REDIS_LOG_CONNECT_MS)) } else { Ok(()) };
            }
            let greeting = Greeting::begin(&net.url, &mut self.out);
            self.since = ground::now();
            if let State::Connecting(stream, _) = std::mem::replace(&mut self.state, State::Down(self.since)) {
                self.state = State::Greeting(stream, greeting);
            }
        }
        self.say()?;
        while self.hear(net, heard)? {
            self.say()?;
        }
        let awaits = self.sent > 0 || matches!(self.state, State::Greeting(..));
        if awaits && ground::since(self.since) >= Duration::from_millis(limits::REDIS_LOG_ANSWER_MS) {
            return Err(late("answer", limits::REDIS_LOG_ANSWER_MS));
        }
        Ok(())
    }

    /// Puts as many commands on their way as may be, and gives the socket what it takes.
    fn say(&mut self) -> io::Result<()> {
        if self.is_ready() && self.unknown.is_empty() {
            let now = ground::now();
            while let Some(command) = self.commands.get(self.sent) {
                let bytes = command.bytes.len();
                if self.sent > 0 && self.sent_bytes + bytes > limits::REDIS_BATCH_BYTES {
                    break;
                }
                if self.sent == 0 {
                    self.since = now;
                }
                self.sent_at.push_back(now);
                self.counts.commands += 1;
                self.out.extend_from_slice(&command.bytes);
                self.sent += 1;
                self.sent_bytes += bytes;
            }
        }
        let (State::Greeting(stream, _) | State::Ready(stream)) = &mut self.state else { return Ok(()) };
        while !self.out.is_empty() {
            match stream.write(&self.out) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => drop(self.out.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what has come; whether there was something that makes room for more to be said.
    fn hear(&mut self, net: &Net, heard: &mut Vec<(Command, Reply)>) -> io::Result<bool> {
        let mut is_news = false;
        let mut bytes = [0; limits::REDIS_BATCH_BYTES];
        loop {
            let (State::Greeting(stream, _) | State::Ready(stream)) = &mut self.state else { return Ok(false) };
            match stream.read(&mut bytes) {
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "it was closed")),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(is_news),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            let input = std::mem::take(&mut self.input);
            let mut rest = &input[..];
            while let Some(reply) = resp::take(&mut rest)? {
                is_news = true;
                self.since = ground::now();
                self.answered(reply, net, heard)?;
            }
            self.input.extend_from_slice(rest);
        }
    }

    fn answered(&mut self, reply: Reply, net: &Net, heard: &mut Vec<(Command, Reply)>) -> io::Result<()> {
        if let State::Greeting(_, greeting) = &mut self.state {
            if greeting.hear(reply, &mut self.out).map_err(io::Error::other)?
                && let State::Greeting(stream, _) = std::mem::replace(&mut self.state, State::Down(self.since))
            {
                self.state = State::Ready(stream);
                if self.tries > 0 {
                    tracing::info!(url = %net.url, "connected to the Redis of --redis-log again");
                    self.counts.reconnects += 1;
                    self.is_again = true;
                }
                self.tries = 0;
            }
            return Ok(());
        }
        let unasked = || io::Error::new(ErrorKind::InvalidData, "an answer that nothing has asked for");
        let about = self.commands.front().filter(|_| self.sent > 0).ok_or_else(unasked)?.about;
        match &reply {
            // Whatever it is, it says nothing of whether a part was done.
            Reply::Error(said) => return Err(io::Error::other(format!("it refuses {}: {said}", about.what()))),
            reply if about.is_call() && Called::of(reply).is_none() => {
                return Err(io::Error::new(ErrorKind::InvalidData, "an answer that is none of the log's functions'"));
            }
            _ => {}
        }
        let command = self.commands.pop_front().ok_or_else(unasked)?;
        self.sent -= 1;
        if let Some(at) = self.sent_at.pop_front() {
            self.counts.answered(self.since.saturating_duration_since(at));
        }
        self.sent_bytes -= command.bytes.len();
        self.bytes -= command.bytes.len();
        heard.push((command, reply));
        Ok(())
    }

    /// The connection is gone. What was on its way may have been done or not; all of it is said again, in its order, on the next.
    fn lose(&mut self, error: &io::Error, url: &RedisUrl) {
        let on_their_way = self.commands.iter().take(self.sent).filter_map(|command| command.turn);
        let turns: BTreeSet<TurnNo> = on_their_way.collect();
        self.lost.extend(turns.iter().rev().filter(|turn| !self.unknown.contains(turn)));
        self.unknown.extend(turns);
        (self.sent, self.sent_bytes) = (0, 0);
        self.sent_at.clear();
        self.out.clear();
        self.input.clear();
        let most = limits::REDIS_AGAIN_MOST_MS.min(limits::REDIS_AGAIN_MS << self.tries.min(10));
        // Not all shards of all nodes at once.
        let chance = ground::chance() % (most / 2 + 1);
        self.state = State::Down(ground::now() + Duration::from_millis(most - chance));
        if self.tries == 0 {
            tracing::warn!(%url, %error, "a connection to the Redis of --redis-log is lost");
        }
        self.why = format!("no connection to the Redis of --redis-log, {url}: {error}");
        self.tries = self.tries.saturating_add(1);
    }
}

fn late(what: &str, ms: u64) -> io::Error {
    io::Error::new(ErrorKind::TimedOut, format!("no {what} within {ms} ms"))
}
