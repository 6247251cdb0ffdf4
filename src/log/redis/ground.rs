//! What the log stands on: sockets, the monotonic clock and chance; of a simulation (`tests/sim`) those that it makes.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use uuid::Uuid;

#[cfg(test)]
use super::sim;

pub fn now() -> Instant {
    #[cfg(test)]
    if let Some(now) = sim::ground::now() {
        return now;
    }
    Instant::now()
}

/// How long ago that was.
pub fn since(then: Instant) -> Duration {
    now().saturating_duration_since(then)
}

/// A number by chance.
pub fn chance() -> u64 {
    #[cfg(test)]
    if let Some(chance) = sim::ground::chance() {
        return chance;
    }
    Uuid::new_v4().as_u64_pair().1
}

/// What makes sockets.
#[derive(Debug)]
pub enum Dial {
    /// For a loop that polls them.
    Net(Registry),
    #[cfg(test)]
    Simulated(sim::ground::Dialer),
}

impl Dial {
    /// Begins a connection, which the loop calls by `token`.
    pub fn connect(&self, address: SocketAddr, token: Token) -> io::Result<Stream> {
        match self {
            Self::Net(registry) => {
                let mut stream = TcpStream::connect(address)?;
                registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
                Ok(Stream::Net(stream))
            }
            #[cfg(test)]
            Self::Simulated(dialer) => Ok(Stream::Simulated(dialer.dial())),
        }
    }
}

/// A connection's socket, which never waits.
#[derive(Debug)]
pub enum Stream {
    Net(TcpStream),
    #[cfg(test)]
    Simulated(sim::ground::Pipe),
}

impl Stream {
    /// Whether it is connected by now; from then on what is written leaves at once.
    pub fn is_connected(&self) -> io::Result<bool> {
        match self {
            Self::Net(stream) => {
                if let Some(error) = stream.take_error()? {
                    return Err(error);
                }
                match stream.peer_addr() {
                    Ok(_) => stream.set_nodelay(true).map(|()| true),
                    Err(error) if error.kind() == ErrorKind::NotConnected => Ok(false),
                    Err(error) => Err(error),
                }
            }
            #[cfg(test)]
            Self::Simulated(pipe) => pipe.is_connected(),
        }
    }

    /// What the system calls it.
    pub fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Net(stream) => stream.as_fd(),
            #[cfg(test)]
            Self::Simulated(_) => unreachable!("nobody waits in a simulation"),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Net(stream) => stream.read(bytes),
            #[cfg(test)]
            Self::Simulated(pipe) => pipe.read(bytes),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Net(stream) => stream.write(bytes),
            #[cfg(test)]
            Self::Simulated(pipe) => pipe.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
