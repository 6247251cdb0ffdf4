//! All connections and the one loop that drives them.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use mio::{Events, Interest, Poll, Token};

use super::pipe::{Answer, Outgoing, Pipe};
use crate::sys::Alarm;

/// Readiness told of at a time, and bytes read at a time.
const EVENTS: usize = 1024;
const BUFFER_BYTES: usize = 64 * 1024;

/// The token of the alarm; no connection has it.
const ALARM: Token = Token(usize::MAX - 1);

/// The connections.
#[derive(Debug)]
pub struct Pool<T> {
    poll: Poll,
    events: Events,
    alarm: Alarm,
    pipes: Vec<Pipe<T>>,
    buffer: Vec<u8>,
    /// Where to look first for a connection that is free.
    next: usize,
}

impl<T> Pool<T> {
    pub fn open(address: SocketAddr, connections: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let mut pipes = Vec::with_capacity(connections);
        for index in 0..connections {
            let mut pipe = Pipe::connect(address)?;
            poll.registry().register(&mut pipe.stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            pipes.push(pipe);
        }
        let alarm = Alarm::new(poll.registry(), ALARM)?;
        Ok(Self { poll, events: Events::with_capacity(EVENTS), alarm, pipes, buffer: vec![0; BUFFER_BYTES], next: 0 })
    }

    /// Sends a request at once on a connection with the fewest in flight.
    pub fn send(&mut self, mark: T, write: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let count = self.pipes.len();
        let in_turn = (0..count).map(|offset| (self.next + offset) % count);
        let mut best = self.next;
        for index in in_turn {
            if self.pipes[index].outgoing.in_flight() < self.pipes[best].outgoing.in_flight() {
                best = index;
            }
            if self.pipes[best].outgoing.in_flight() == 0 {
                break;
            }
        }
        self.next = (best + 1) % count;
        self.pipes[best].outgoing.push(mark, write);
        self.pipes[best].flush()
    }

    /// Asks on every connection for as much as `ask` wants to.
    pub fn prime(&mut self, mut ask: impl FnMut(&mut Outgoing<T>)) -> Result<()> {
        for pipe in &mut self.pipes {
            ask(&mut pipe.outgoing);
            pipe.flush()?;
        }
        Ok(())
    }

    /// Requests without an answer, on all of them.
    pub fn in_flight(&self) -> usize {
        self.pipes.iter().map(|pipe| pipe.outgoing.in_flight()).sum()
    }

    /// Waits for answers, but not longer than `wait`, and hands them on; whatever is then asked for is sent.
    pub fn turn(
        &mut self,
        wait: Duration,
        mut answered: impl FnMut(&mut Outgoing<T>, T, Answer) -> Result<()>,
    ) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            outcome => outcome?,
        }
        for event in &self.events {
            let Some(pipe) = self.pipes.get_mut(event.token().0) else { continue };
            if event.is_readable() {
                pipe.receive(&mut self.buffer, &mut answered)?;
            }
            pipe.flush()?;
        }
        Ok(())
    }

    /// The same, but wakes at `due`, finer than a poll's own milliseconds.
    pub fn turn_until(
        &mut self,
        due: u64,
        now: u64,
        answered: impl FnMut(&mut Outgoing<T>, T, Answer) -> Result<()>,
    ) -> Result<()> {
        if due <= now {
            return self.turn(Duration::ZERO, answered);
        }
        self.alarm.set(due, now)?;
        self.turn(Duration::from_nanos(due - now) + Duration::from_millis(1), answered)
    }
}
