//! What a connection's bytes come from and go to: a socket of this shard, or another shard, which has the socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::far::Far;

/// A connection's stream. Another transport is another variant.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    /// The socket is another shard's: see [`super::far`]. The poll knows nothing of it.
    Far(Box<Far>),
}

impl Stream {
    /// What it is as a far connection.
    pub fn far(&self) -> Option<&Far> {
        match self {
            Self::Tcp(_) => None,
            Self::Far(far) => Some(far),
        }
    }

    /// The same, to change.
    pub fn far_mut(&mut self) -> Option<&mut Far> {
        match self {
            Self::Tcp(_) => None,
            Self::Far(far) => Some(far),
        }
    }

    /// Reads what has come.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Far(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes as much as it takes.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            // Whole frames are delivered instead.
            Self::Far(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Ends one or both of its directions.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(how),
            Self::Far(_) => Ok(()),
        }
    }

    /// Has the poll tell of it.
    pub fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.register(stream, token, interest),
            Self::Far(_) => Ok(()),
        }
    }

    /// Has the poll tell of something else.
    pub fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.reregister(stream, token, interest),
            Self::Far(_) => Ok(()),
        }
    }

    /// Has the poll forget it.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.deregister(stream),
            Self::Far(_) => Ok(()),
        }
    }
}
