//! What happens to a connection that sends more than it may, that is in no session, or that is on its way out.

use mio::Interest;
use tiltyard_protocol::server::{ErrorNotice, Refused};
use tiltyard_protocol::{About, ClientMessage, CloseCode, Reason, ServerMessage};

use super::connection::{ConnKey, Connection};
use super::worker::Worker;
use crate::limits;
use crate::socket::budget::Taken;
use crate::socket::reader::Next;

impl Worker {
    /// A frame came that is one too many: the first is answered, the others are thrown away, and then it is enough.
    #[cold]
    pub(super) fn over_budget(&mut self, key: ConnKey, taken: Taken, next: &Next) {
        self.stats.messages_over += 1;
        match taken {
            Taken::Within | Taken::OverAgain => {}
            Taken::Over { retry_ms } => self.tell_of_budget(key, retry_ms, next),
            Taken::Flood => {
                self.stats.closed_flood += 1;
                if let Some(Connection { pass: Some(pass), .. }) = self.connections.get(key) {
                    pass.strike();
                }
                self.close(key, CloseCode::RateLimited);
            }
        }
    }

    /// An action is refused by its id, so that its client need not wait for it; anything else is an error.
    fn tell_of_budget(&mut self, key: ConnKey, retry_ms: u32, next: &Next) {
        let Some(connection) = self.connections.get(key) else { return };
        let (reason, retry_ms) = (Reason::RateLimited, Some(retry_ms));
        let (action, about) = match next {
            Next::Message { payload, .. } => match connection.encoding.decode_client(payload.as_ref()) {
                Ok(ClientMessage::Action(act)) => (Some((act.s, act.id)), About::default()),
                Ok(ClientMessage::Patch(patch)) => (Some((patch.s, patch.id)), About::default()),
                Ok(ClientMessage::Relay(relay)) => (Some((relay.s, relay.id)), About::default()),
                Ok(ClientMessage::Beat(beat)) => (Some((beat.s, beat.id)), About::default()),
                Ok(message) => (None, About::from(&message)),
                Err(mistake) => (mistake.action, mistake.about),
            },
            _ => (None, About::default()),
        };
        let answer = if let Some((s, id)) = action {
            self.stats.refused += 1;
            ServerMessage::Refused(Refused { retry_ms, ..Refused::new(s, id, reason) })
        } else {
            let message = "More messages than one connection may send; what comes too fast is thrown away.".to_owned();
            ServerMessage::Error(ErrorNotice { message, retry_ms, ..ErrorNotice::new(about, reason) })
        };
        self.tell(key, &answer);
    }

    /// A connection left a session: it has not for ever to join another. A far one has no other.
    pub(super) fn left_alone(&mut self, key: ConnKey) {
        let now = self.clock.now;
        if self.end_far(key, None) {
            return;
        }
        if let Some(connection) = self.connections.get_mut(key)
            && connection.session_count() == 0
        {
            connection.unjoined_since = now;
            self.still_alone(key);
        }
    }

    /// A connection that is in no session does not get longer for that by what it asked in vain.
    pub(super) fn still_alone(&mut self, key: ConnKey) {
        if let Some(connection) = self.connections.get(key)
            && connection.is_alone()
        {
            self.wake(key, connection.unjoined_since + limits::UNJOINED_MS);
        }
    }

    /// Bytes came from a connection that is being closed. Its end of the stream is worth waiting for, what it goes on to say is
    /// not: after a while nothing more is read, and the kernel makes it wait.
    pub(super) fn thrown_away(&mut self, key: ConnKey, length: usize, more: bool) {
        let Some(connection) = self.connections.get_mut(key) else { return };
        self.stats.bytes_in += length as u64;
        connection.closing_bytes = connection.closing_bytes.saturating_sub(length);
        if connection.closing_bytes == 0 {
            // An error means that the poll does not know it: then it is not read either.
            let _ = connection.stream.reregister(self.poll.registry(), Self::token(key), Interest::WRITABLE);
        } else if more {
            self.more.push(key);
        }
    }
}

impl Connection {
    /// Leaves what it owes to its player's next connection.
    pub(super) fn settle(&mut self, now: u64) {
        let debt = std::mem::take(&mut self.budget).debt(now);
        if let Some(pass) = &self.pass {
            pass.owe(debt);
        }
    }
}
