//! TLS without a socket, a thread or a buffer of its own: what a client sent is opened in the buffer that it was read into, and what it is
//! told is sealed into one that the thread's connections share, and written once. Whoever has the socket drives it, for HTTP the
//! runtime and then a shard. A connection owns bytes only while a record is on its way: the part of one that has come, and what is sealed
//! and was not taken.

use std::cell::RefCell;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::Arc;

use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus,
};
use rustls::{HandshakeKind, ServerConfig};

use crate::limits;

/// Bytes by which sealing makes a record longer, at the most that is usual. Where it is more the buffer grows.
const RECORD_MORE_BYTES: usize = 64;

thread_local! {
    static SEALED: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::TLS_SEAL_BYTES + 4 * RECORD_MORE_BYTES]);
}

/// The server's side of one connection.
pub struct Tls {
    connection: UnbufferedServerConnection,
    /// What has come of a record, or of a message of the handshake, whose end has not.
    came: Vec<u8>,
    /// What is sealed and the socket has not taken.
    going: Vec<u8>,
    /// How many of the bytes that were given to be written are in it and not told to be taken.
    sealed: usize,
    /// The client has nothing more to say.
    is_over: bool,
    has_failed: bool,
}

impl Tls {
    /// Of a connection on which nothing has been said.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, rustls::Error> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            came: Vec::new(),
            going: Vec::new(),
            sealed: 0,
            is_over: false,
            has_failed: false,
        })
    }

    /// Whether the handshake goes on: nothing can be written before it is done.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether it was one that began with what was known of an earlier connection.
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether something is sealed that the socket has not taken.
    pub const fn is_behind(&self) -> bool {
        !self.going.is_empty()
    }

    /// Reads once and puts what that says to the front of `space`: how much it is, and whether there may be more that no readiness will
    /// tell of. Nothing (0) is the end. What the protocol has to answer is written at once, as far as the socket takes it.
    ///
    /// `space` has room for more than [`limits::TLS_RECORD_BYTES`] and [`limits::TLS_WIRE_BYTES`].
    pub fn read(&mut self, socket: &mut (impl Read + Write), space: &mut [u8]) -> io::Result<(usize, bool)> {
        loop {
            if self.is_over {
                return Ok((0, false));
            }
            // What a record says is never longer than the record, so with one record's room in front there is always enough.
            let start = limits::TLS_RECORD_BYTES;
            let kept = start + self.came.len();
            if self.has_failed || kept >= space.len() {
                return Err(ErrorKind::InvalidData.into());
            }
            space[start..kept].copy_from_slice(&self.came);
            let count = socket.read(&mut space[kept..])?;
            if count == 0 {
                self.is_over = true;
                return Ok((0, false));
            }
            let end = kept + count;
            let more = end == space.len();
            let opened = self.open(&mut space[..end], start);
            if self.sealed == 0 {
                // An error means that the client is gone, which the next read tells.
                let _ = self.go_on(socket);
            }
            let (length, used) = opened.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            self.keep(&space[used..end]);
            if length > 0 {
                return Ok((length, more || self.is_over));
            }
            if !self.is_over && !more {
                return Err(ErrorKind::WouldBlock.into());
            }
        }
    }

    /// Writes as much of `bytes` as the socket takes. What was sealed and not taken counts as not written: what is given next begins with
    /// the first byte that was not written this time, as it was.
    pub fn write(&mut self, socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        loop {
            let tried = if self.is_behind() {
                self.go_on(socket)
            } else if taken == bytes.len() {
                return Ok(taken);
            } else {
                self.seal_and_write(socket, &bytes[taken..])
            };
            match tried {
                Ok(count) => taken += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if self.is_behind() {
                return if taken > 0 { Ok(taken) } else { Err(ErrorKind::WouldBlock.into()) };
            }
        }
    }

    /// Has the socket take what is sealed; how many of the bytes that were given are written by that.
    pub fn go_on(&mut self, socket: &mut impl Write) -> io::Result<usize> {
        if !self.is_behind() {
            return Ok(0);
        }
        let count = socket.write(&self.going)?;
        if count == self.going.len() {
            self.going = Vec::new();
            return Ok(std::mem::take(&mut self.sealed));
        }
        self.going.drain(..count);
        Ok(self.partly(count))
    }

    /// Says that nothing more will be said, as far as the socket takes that: who does not hear it sees the connection end all the same.
    pub fn close(&mut self, socket: &mut impl Write) {
        if self.has_failed {
            return;
        }
        let UnbufferedStatus { state, .. } = self.connection.process_tls_records(&mut self.came);
        if let Ok(ConnectionState::WriteTraffic(mut traffic)) = state {
            let mut notice = [0; 2 * RECORD_MORE_BYTES];
            if let Ok(length) = traffic.queue_close_notify(&mut notice) {
                self.going.extend_from_slice(&notice[..length]);
            }
        }
        let _ = self.go_on(socket);
    }

    /// The socket took `count` bytes of what is sealed, and not all. So many are told: all but the last, which is told with the end of the rest.
    fn partly(&mut self, count: usize) -> usize {
        let told = count.min(self.sealed.saturating_sub(1));
        self.sealed -= told;
        told
    }

    /// Keeps what is not all there. Most connections wait for their clients most of the time, and then keep nothing.
    fn keep(&mut self, rest: &[u8]) {
        if rest.is_empty() {
            self.came = Vec::new();
        } else {
            self.came.clear();
            self.came.extend_from_slice(rest);
        }
    }

    /// Opens what is in `space` behind `at` and moves what it says to the front: how much that is, and up to where `space` was used.
    fn open(&mut self, space: &mut [u8], mut at: usize) -> Result<(usize, usize), rustls::Error> {
        let Self { connection, going, is_over, has_failed, .. } = self;
        let mut length = 0;
        loop {
            let (front, rest) = space.split_at_mut(at);
            let UnbufferedStatus { discard, state } = connection.process_tls_records(rest);
            at += discard;
            let failed = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record?;
                        front[length..length + record.payload.len()].copy_from_slice(record.payload);
                        length += record.payload.len();
                        at += record.discard;
                    }
                    continue;
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    let end = going.len();
                    encode(&mut data, going, end);
                    continue;
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    continue;
                }
                Ok(ConnectionState::PeerClosed) => {
                    *is_over = true;
                    continue;
                }
                Ok(ConnectionState::WriteTraffic(_) | ConnectionState::BlockedHandshake | ConnectionState::Closed) => {
                    return Ok((length, at));
                }
                // Data before the handshake is done is not asked for.
                Ok(_) => rustls::Error::HandshakeNotComplete,
                Err(error) => error,
            };
            *has_failed = true;
            // What the client is told about it. Nothing else is looked at any more.
            while connection.wants_write() {
                let state = connection.process_tls_records(&mut space[at..]).state;
                let Ok(ConnectionState::EncodeTlsData(mut data)) = state else { break };
                let end = going.len();
                encode(&mut data, going, end);
            }
            return Err(failed);
        }
    }

    /// Seals as much of `bytes` as goes at once and has the socket take it; how many of them it has. What it does not take is kept.
    fn seal_and_write(&mut self, socket: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
        let part = &bytes[..bytes.len().min(limits::TLS_SEAL_BYTES)];
        SEALED.with_borrow_mut(|space| {
            let length = self.seal(part, space)?;
            let sealed = &space[..length];
            let count = match socket.write(sealed) {
                Ok(count) if count == length => return Ok(part.len()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            self.going = sealed[count..].to_vec();
            self.sealed = part.len();
            Ok(self.partly(count))
        })
    }

    /// Seals `bytes` into `space`; how long that is.
    fn seal(&mut self, bytes: &[u8], space: &mut Vec<u8>) -> io::Result<usize> {
        let mut at = 0;
        if self.has_failed {
            return Err(ErrorKind::NotConnected.into());
        }
        loop {
            // What has come of a record is not looked at before all of it has.
            let UnbufferedStatus { state, .. } = self.connection.process_tls_records(&mut self.came);
            match state.map_err(io::Error::other)? {
                ConnectionState::WriteTraffic(mut traffic) => match traffic.encrypt(bytes, &mut space[at..]) {
                    Ok(length) => return Ok(at + length),
                    Err(EncryptError::InsufficientSize(InsufficientSizeError { required_size })) => {
                        space.resize(at + required_size, 0);
                    }
                    Err(error @ EncryptError::EncryptExhausted) => return Err(io::Error::other(error)),
                },
                ConnectionState::EncodeTlsData(mut data) => at = encode(&mut data, space, at),
                ConnectionState::TransmitTlsData(data) => data.done(),
                ConnectionState::PeerClosed => self.is_over = true,
                _ => return Err(ErrorKind::NotConnected.into()),
            }
        }
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (came, going) = (self.came.len(), self.going.len());
        f.debug_struct("Tls").field("came", &came).field("going", &going).finish_non_exhaustive()
    }
}

/// Puts a message of the protocol's own into `out` from `at`, and returns its end.
fn encode(data: &mut EncodeTlsData<'_, ServerConnectionData>, out: &mut Vec<u8>, at: usize) -> usize {
    loop {
        match data.encode(&mut out[at..]) {
            Ok(length) => return at + length,
            Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) => {
                out.resize(at + required_size, 0);
            }
            Err(EncodeError::AlreadyEncoded) => return at,
        }
    }
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
