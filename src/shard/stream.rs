//! What a connection's bytes come from and go to: a socket of this shard, with TLS on it or without, or another shard, which has the socket.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::far::Far;
use crate::socket::tls::Tls;

/// A connection's stream. Another transport is another variant.
#[derive(Debug)]
pub enum Stream {
    Tcp(TcpStream),
    Tls(Box<Secured>),
    /// The socket is another shard's: see [`super::far`]. The poll knows nothing of it.
    Far(Box<Far>),
}

/// A socket and the TLS that is spoken over it.
#[derive(Debug)]
pub struct Secured {
    socket: TcpStream,
    tls: Tls,
}

impl Stream {
    /// Of a socket that was accepted elsewhere, and what has been agreed over it.
    pub fn new(socket: std::net::TcpStream, tls: Option<Box<Tls>>) -> Self {
        let socket = TcpStream::from_std(socket);
        match tls {
            None => Self::Tcp(socket),
            Some(tls) => Self::Tls(Box::new(Secured { socket, tls: *tls })),
        }
    }

    /// What it is as a far connection.
    pub fn far(&self) -> Option<&Far> {
        match self {
            Self::Tcp(_) | Self::Tls(_) => None,
            Self::Far(far) => Some(far),
        }
    }

    /// The same, to change.
    pub fn far_mut(&mut self) -> Option<&mut Far> {
        match self {
            Self::Tcp(_) | Self::Tls(_) => None,
            Self::Far(far) => Some(far),
        }
    }

    /// Reads what has come: how much, and whether there may be more that no readiness will tell of.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<(usize, bool)> {
        match self {
            Self::Tcp(stream) => stream.read(buffer).map(|length| (length, length == buffer.len())),
            Self::Tls(stream) => stream.tls.read(&mut stream.socket, buffer),
            Self::Far(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Writes as much as it takes. What is given next begins with what it did not take.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.tls.write(&mut stream.socket, bytes),
            // Whole frames are delivered instead.
            Self::Far(_) => Err(ErrorKind::WouldBlock.into()),
        }
    }

    /// Says that nothing more is written.
    pub fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => {
                stream.tls.close(&mut stream.socket);
                stream.socket.shutdown(Shutdown::Write)
            }
            Self::Far(_) => Ok(()),
        }
    }

    /// Has the poll tell of it.
    pub fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.register(stream, token, interest),
            Self::Tls(stream) => registry.register(&mut stream.socket, token, interest),
            Self::Far(_) => Ok(()),
        }
    }

    /// Has the poll tell of something else.
    pub fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.reregister(stream, token, interest),
            Self::Tls(stream) => registry.reregister(&mut stream.socket, token, interest),
            Self::Far(_) => Ok(()),
        }
    }

    /// Has the poll forget it.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => registry.deregister(stream),
            Self::Tls(stream) => registry.deregister(&mut stream.socket),
            Self::Far(_) => Ok(()),
        }
    }
}
