//! Bytes in and out of a shard's sockets.

use std::io;
use std::time::Instant;

use tiltyard_protocol::CloseCode;

use super::connection::{ConnKey, State};
use super::worker::{Timer, Worker};
use crate::limits;
use crate::socket::budget::Taken;
use crate::socket::frame;
use crate::socket::reader::{Next, Reader};

impl Worker {
    /// Reads once from a connection, as much as the receive buffer takes, unless what it sent before still waits.
    pub(super) fn read(&mut self, key: ConnKey) {
        if !self.take_held(key) {
            return;
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        let mut buffer = std::mem::take(&mut self.receive);
        match connection.stream.read(&mut buffer) {
            Ok((0, _)) => self.lose(key),
            Ok((length, more)) if connection.state != State::Open => self.thrown_away(key, length, more),
            Ok((length, more)) => {
                if more {
                    self.more.push(key);
                }
                self.received(key, &mut buffer[..length]);
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                self.hear_far(key);
            }
            Err(_reset) => self.lose(key),
        }
        self.receive = buffer;
    }

    /// Takes the bytes a connection sent.
    pub(super) fn received(&mut self, key: ConnKey, bytes: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        self.stats.bytes_in += bytes.len() as u64;
        connection.heard_at = self.clock.now;
        connection.budget.receive(&self.allowance, self.clock.now, bytes.len());
        if connection.outbox.heard(false) {
            self.ready.push(key);
        }
        if connection.links.is_some() {
            self.tell_taken(key);
        }
        self.take(key, bytes);
    }

    /// Takes what a connection had sent when it was no longer heard. `false` where there is more than it may ask for yet: it is
    /// to be read from when [`Worker::hear`] says so, whatever the poll has said by then.
    fn take_held(&mut self, key: ConnKey) -> bool {
        let Some(connection) = self.connections.get_mut(key) else { return false };
        if !connection.is_heard() {
            connection.held.get_or_insert_default();
            return false;
        }
        if let Some(mut held) = connection.held.take() {
            // Its bytes were counted when they came.
            connection.budget.receive(&self.allowance, self.clock.now, 0);
            self.take(key, &mut held);
        }
        self.connections.get(key).is_some_and(|connection| connection.held.is_none())
    }

    /// Has a connection read from in the next turn that was not heard and may be again.
    pub(super) fn hear(&mut self, key: ConnKey) {
        if let Some(connection) = self.connections.get(key)
            && connection.held.is_some()
            && connection.is_heard()
        {
            self.more.push(key);
        }
    }

    /// Takes messages for as long as the connection is heard, and keeps the rest.
    fn take(&mut self, key: ConnKey, bytes: &mut [u8]) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let mut reader = std::mem::take(&mut connection.reader);
        let mut replies = std::mem::take(&mut self.replies);
        let mut at = 0;
        while let Some(connection) = self.connections.get_mut(key)
            && connection.state == State::Open
        {
            if !connection.is_heard() {
                // The reader may have a part of it already.
                connection.held = Some(bytes[at..].into());
                self.stats.held += 1;
                break;
            }
            let next = reader.next(bytes, &mut at, &mut replies);
            if let Next::Message { .. } | Next::Control | Next::Pong | Next::Fragment = next {
                // Before anything is made of it.
                let taken = connection.budget.take(&self.allowance, self.clock.now);
                if taken != Taken::Within {
                    self.over_budget(key, taken, &next);
                    replies.clear();
                    continue;
                }
            }
            match next {
                Next::Message { text, payload } => self.message(key, text, payload.as_ref()),
                Next::Control => self.queue_answer(key, &replies),
                Next::Pong => {
                    // One that reads again is brought up to date in this turn.
                    if connection.outbox.heard(true) {
                        self.ready.push(key);
                    }
                    if connection.links.is_some() {
                        self.tell_taken(key);
                    }
                }
                Next::Fragment => {}
                Next::Drained => break,
                Next::Closed => {
                    self.queue_answer(key, &replies);
                    self.leave_all(key);
                    self.shut_when_sent(key);
                }
                Next::Broken(code) => self.close(key, code),
            }
            replies.clear();
        }
        self.replies = replies;
        // Of one that is being closed nothing is read any more: half a message must not stay for as long as that takes.
        if let Some(connection) = self.connections.get_mut(key)
            && connection.state == State::Open
        {
            connection.reader = reader;
        }
    }

    /// The socket says that it takes bytes again.
    pub(super) fn writable(&mut self, key: ConnKey) {
        // Read events say writable too: only after a short write is it news.
        if let Some(connection) = self.connections.get_mut(key)
            && connection.outbox.unblock()
        {
            self.ready.push(key);
        }
    }

    /// Writes once to every socket that may be told something.
    pub(super) fn flush(&mut self) {
        let mut kept = std::mem::take(&mut self.kept);
        for key in kept.drain(..) {
            debug_assert!(
                self.dirty.is_empty(),
                "writing makes nothing for anybody else, which would be shown unsealed"
            );
            if let Some(connection) = self.connections.get_mut(key) {
                connection.dirty = false;
                connection.outbox.show_all();
            }
            self.write(key);
        }
        self.kept = kept;
        self.say_again();
        let mut ready = std::mem::take(&mut self.ready);
        for key in ready.drain(..) {
            self.write(key);
        }
        debug_assert!(self.ready.is_empty(), "writing shows nothing to anybody else");
        self.ready = ready;
    }

    /// Writes what the log has kept.
    fn write(&mut self, key: ConnKey) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.stream.far().is_some() {
            return self.deliver(key);
        }
        if connection.outbox.is_blocked() {
            return;
        }
        if !connection.outbox.unsent().is_empty() {
            self.stats.writes += 1;
            match connection.stream.write(connection.outbox.unsent()) {
                Ok(count) => {
                    self.stats.bytes_out += count as u64;
                    connection.outbox.took(count, self.clock.now, &mut self.pool);
                    if connection.links.is_some() {
                        self.taken_of(key, count);
                    }
                }
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                    connection.outbox.took(0, self.clock.now, &mut self.pool);
                }
                Err(_reset) => return self.lose(key),
            }
            self.hear(key);
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.outbox.is_blocked() {
            return;
        }
        match connection.state {
            State::Open if connection.outbox.owes_snapshot() => {
                self.bring_up_to_date(key);
                self.write(key);
            }
            State::Closing if connection.outbox.is_empty() => {
                connection.state = State::Shut;
                // An error means that the client is gone, which the next read tells.
                let _ = connection.stream.shutdown();
            }
            State::Open | State::Closing | State::Shut => {}
        }
    }

    /// Tells the client `code` and closes as soon as it has taken that.
    pub(super) fn close(&mut self, key: ConnKey, code: CloseCode) {
        if self.end_far(key, Some(code)) {
            return self.leave_all(key);
        }
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.state == State::Open {
            tracing::debug!(player = %connection.player, code = code.code(), "closing a connection");
            let mut frame = Vec::new();
            frame::close(code, &mut frame);
            connection.outbox.push(&frame, &mut self.pool);
            self.leave_all(key);
            self.shut_when_sent(key);
        }
    }

    pub(super) fn shut_when_sent(&mut self, key: ConnKey) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.state = State::Closing;
            connection.reader = Reader::default();
            if connection.held.take().is_some() {
                // The poll will not tell again of what is still in the socket.
                self.more.push(key);
            }
            connection.settle(self.clock.now);
            // Whenever it would have been looked at, it now has that long and no less.
            connection.wake_at = u64::MAX;
            self.wake(key, self.clock.now + limits::CLOSE_MS);
            self.mark_dirty(key);
        }
    }

    /// Has the wheel wake a connection at `at`, if it does not earlier. The entry of a time that was changed meanwhile is of
    /// no meaning when it comes up.
    pub(super) fn wake(&mut self, key: ConnKey, at: u64) {
        if let Some(connection) = self.connections.get_mut(key)
            && at < connection.wake_at
        {
            connection.wake_at = at;
            self.wheel.insert(at, Timer::Connection(key));
        }
    }

    /// The connection broke. Its sessions hear of it in a later turn, because this one may be in the log already, and because many
    /// may have broken at once.
    pub(super) fn lose(&mut self, key: ConnKey) {
        if let Some(connection) = self.connections.get_mut(key) {
            connection.state = State::Shut;
            self.lost.push_back(key);
        }
    }

    /// Has connections that broke leave their sessions, for as long as that may take in one turn.
    pub(super) fn let_go(&mut self) {
        for key in std::mem::take(&mut self.fenced) {
            self.leave_all(key);
        }
        let started = Instant::now();
        while let Some(key) = self.lost.pop_front() {
            self.gone(key);
            if started.elapsed().as_micros() >= limits::LEAVES_TURN_US {
                break;
            }
        }
    }

    /// The client's end is gone: so is the connection.
    pub(super) fn gone(&mut self, key: ConnKey) {
        self.leave_all(key);
        if let Some(mut connection) = self.connections.remove(key) {
            connection.settle(self.clock.now);
            if let Some(sid) = connection.sid {
                self.by_sid.remove(sid, key);
            }
            if let Some(far) = connection.stream.far() {
                self.forget_far(far.place(), key);
            }
            // Dropping the stream closes the descriptor, which is all that deregistering would add to.
            let _ = connection.stream.deregister(self.poll.registry());
        }
    }

    /// Closes the connections that let even answers pile up.
    pub(super) fn close_overfull(&mut self) {
        while let Some(key) = self.overfull.pop() {
            if self.connections.get(key).is_some_and(|connection| connection.state == State::Open) {
                self.stats.closed_slow += 1;
                self.close(key, CloseCode::TooSlow);
            }
        }
    }

    /// A connection's timer: pings the silent, closes the dead and the stuck, drops what has had its time to close.
    pub(super) fn connection_due(&mut self, key: ConnKey) {
        let now = self.clock.now;
        let Some(connection) = self.connections.get_mut(key) else { return };
        if connection.wake_at > now {
            return;
        }
        connection.wake_at = u64::MAX;
        if connection.state != State::Open {
            self.gone(key);
            return;
        }
        let silent = now.saturating_sub(connection.heard_at);
        if connection.outbox.waited_ms(now) >= limits::STUCK_MS {
            self.stats.closed_slow += 1;
            self.close(key, CloseCode::TooSlow);
            return;
        }
        if silent >= limits::IDLE_CLOSE_MS {
            self.close(key, CloseCode::Idle);
            return;
        }
        if connection.lease.has_ended(now) {
            self.stats.closed_expired += 1;
            self.close(key, CloseCode::TokenExpired);
            return;
        }
        let alone_until = connection.is_alone().then_some(connection.unjoined_since + limits::UNJOINED_MS);
        if alone_until.is_some_and(|until| until <= now) {
            self.stats.closed_unjoined += 1;
            self.close(key, CloseCode::NoSession);
            return;
        }
        if let Some(sid) = connection.sid {
            self.book.login_used(sid);
        }
        let due = self.ask_for_token(key);
        let next = if silent >= limits::PING_AFTER_MS {
            let mut ping = Vec::new();
            frame::ping(&mut ping);
            self.queue_answer(key, &ping);
            limits::PING_AFTER_MS
        } else {
            limits::PING_AFTER_MS - silent
        };
        self.wake(key, alone_until.unwrap_or(u64::MAX).min(due).min(now + next));
    }

    /// Queues bytes that must arrive. A client that lets even these pile up is closed.
    pub(super) fn queue_answer(&mut self, key: ConnKey, bytes: &[u8]) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        let offered = connection.offer_answer(bytes, &mut self.pool);
        self.offered(key, offered);
    }

    /// A connection was offered an answer, and had room for it or not.
    pub(super) fn offered(&mut self, key: ConnKey, offered: Option<bool>) {
        match offered {
            Some(true) => self.mark_dirty(key),
            // Closing disconnects a participant, which is a step of its own: not in the middle of another.
            Some(false) => self.overfull.push(key),
            None => {}
        }
    }

    /// Notes that the turn has made something for a connection.
    pub(super) fn mark_dirty(&mut self, key: ConnKey) {
        if let Some(connection) = self.connections.get_mut(key)
            && !connection.dirty
        {
            connection.dirty = true;
            self.dirty.push(key);
        }
    }
}
