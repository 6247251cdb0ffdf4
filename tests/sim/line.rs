//! A node's connection to a store beside the log's own: questions, each answered before the next.

use crate::log::redis::library::Greeting;
use crate::log::redis::resp::{self, Reply};

use super::ground::{Dialer, Pipe, chance, now_us};

const CONNECT_US: u64 = 1_000_000;
const ANSWER_US: u64 = 500_000;
const RETRY_US: u64 = 100_000;
const RETRY_MOST_US: u64 = 1_000_000;

#[derive(Debug)]
enum State {
    Down(u64),
    Connecting(Pipe, u64),
    Greeting(Pipe, Greeting, u64),
    Ready(Pipe),
}

/// What is heard on it.
#[derive(Debug)]
pub enum Heard {
    Connected,
    Answers(Vec<Reply>),
    Lost,
}

#[derive(Debug)]
pub struct Line {
    dialer: Dialer,
    state: State,
    input: Vec<u8>,
    answers: Vec<Reply>,
    awaited: usize,
    since: u64,
    tries: u32,
}

impl Line {
    pub fn new(dialer: Dialer) -> Self {
        Self { dialer, state: State::Down(0), input: Vec::new(), answers: Vec::new(), awaited: 0, since: 0, tries: 0 }
    }

    /// Whether something may be asked.
    pub const fn is_free(&self) -> bool {
        matches!(self.state, State::Ready(_)) && self.awaited == 0
    }

    /// Asks all of this at once.
    pub fn ask(&mut self, commands: &[Vec<u8>]) {
        let State::Ready(pipe) = &self.state else { return };
        self.awaited = commands.len();
        self.since = now_us();
        // What is closed is seen when it is read.
        let _ = pipe.write(&commands.concat());
    }

    /// What there is to hear.
    pub fn pump(&mut self) -> Option<Heard> {
        let now = now_us();
        if let Ok(heard) = self.go_on(now) {
            return heard;
        }
        let was_ready = matches!(self.state, State::Ready(_));
        let most = RETRY_MOST_US.min(RETRY_US << self.tries.min(10));
        let less = chance().unwrap_or_default() % (most / 2 + 1);
        self.state = State::Down(now + most - less);
        self.tries += 1;
        self.awaited = 0;
        self.input.clear();
        self.answers.clear();
        was_ready.then_some(Heard::Lost)
    }

    fn go_on(&mut self, now: u64) -> Result<Option<Heard>, ()> {
        if let State::Down(until) = self.state {
            if now < until {
                return Ok(None);
            }
            self.state = State::Connecting(self.dialer.dial(), now);
        }
        if let State::Connecting(pipe, since) = &self.state {
            if !pipe.is_connected().map_err(drop)? {
                return if now >= since + CONNECT_US { Err(()) } else { Ok(None) };
            }
            let mut out = Vec::new();
            let url = super::url();
            let greeting = Greeting::begin(&url, &mut out);
            pipe.write(&out).map_err(drop)?;
            if let State::Connecting(pipe, _) = std::mem::replace(&mut self.state, State::Down(now)) {
                self.state = State::Greeting(pipe, greeting, now);
            }
        }
        self.read()?;
        while let Some(reply) = self.take()? {
            if let State::Greeting(pipe, greeting, _) = &mut self.state {
                let mut out = Vec::new();
                let is_done = greeting.hear(reply, &mut out).map_err(drop)?;
                pipe.write(&out).map_err(drop)?;
                if is_done && let State::Greeting(pipe, ..) = std::mem::replace(&mut self.state, State::Down(now)) {
                    self.state = State::Ready(pipe);
                    self.tries = 0;
                    return Ok(Some(Heard::Connected));
                }
                continue;
            }
            if matches!(reply, Reply::Error(_)) || self.awaited == 0 {
                return Err(());
            }
            self.answers.push(reply);
            if self.answers.len() == self.awaited {
                self.awaited = 0;
                return Ok(Some(Heard::Answers(std::mem::take(&mut self.answers))));
            }
        }
        let since = match &self.state {
            State::Greeting(_, _, since) => Some(*since),
            State::Ready(_) if self.awaited > 0 => Some(self.since),
            _ => None,
        };
        if since.is_some_and(|since| now >= since + ANSWER_US) { Err(()) } else { Ok(None) }
    }

    fn read(&mut self) -> Result<(), ()> {
        let (State::Greeting(pipe, ..) | State::Ready(pipe)) = &self.state else { return Ok(()) };
        let mut bytes = [0; 4_096];
        loop {
            match pipe.read(&mut bytes) {
                Ok(0) => return Err(()),
                Ok(count) => self.input.extend_from_slice(&bytes[..count]),
                Err(_would_block) => return Ok(()),
            }
        }
    }

    fn take(&mut self) -> Result<Option<Reply>, ()> {
        let mut rest = &self.input[..];
        let reply = resp::take(&mut rest).map_err(drop)?;
        let taken = self.input.len() - rest.len();
        self.input.drain(..taken);
        Ok(reply)
    }
}
