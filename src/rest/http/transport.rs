//! What lies between the runtime's socket and the bytes that are HTTP: nothing, or TLS.

use std::cell::RefCell;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::limits;
use crate::socket::tls::Tls;

/// Bytes read from a connection at once, where there is no TLS.
const READ_BYTES: usize = 8 * 1024;

thread_local! {
    static SPACE: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::TLS_SPACE_BYTES]);
}

/// A connection's socket, with TLS on it or without.
#[derive(Debug)]
pub struct Transport {
    socket: TcpStream,
    tls: Option<Box<Tls>>,
}

/// A socket that does what it can at once.
#[derive(Debug)]
pub struct AtOnce<'a>(pub &'a TcpStream);

/// Lends the thread's room in which records are opened.
pub fn with_space<T>(work: impl FnOnce(&mut [u8]) -> T) -> T {
    SPACE.with_borrow_mut(|space| work(space))
}

impl Transport {
    pub const fn new(socket: TcpStream, tls: Option<Box<Tls>>) -> Self {
        Self { socket, tls }
    }

    /// The socket, and what has been agreed over it.
    pub fn into_parts(self) -> (TcpStream, Option<Box<Tls>>) {
        (self.socket, self.tls)
    }

    /// The socket, to set what it does.
    pub fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.socket)
    }

    /// Ends the connection, and has the kernel throw away what waits in it for a client that does not take it.
    pub fn abandon(self) {
        if let Err(error) = self.socket().set_linger(Some(Duration::ZERO)) {
            tracing::debug!(%error, "no linger");
        }
    }

    /// Whether several buffers are written in one go.
    pub const fn is_vectored(&self) -> bool {
        self.tls.is_none()
    }

    /// Reads once and has `look` see what came; how much that was. Nothing (0) is the end.
    pub fn poll_receive(&mut self, context: &mut Context<'_>, look: impl FnOnce(&[u8])) -> Poll<io::Result<usize>> {
        let Self { socket, tls } = self;
        let Some(tls) = tls else {
            let mut space = [MaybeUninit::uninit(); READ_BYTES];
            let mut came = ReadBuf::uninit(&mut space);
            ready!(Pin::new(socket).poll_read(context, &mut came))?;
            look(came.filled());
            return Poll::Ready(Ok(came.filled().len()));
        };
        with_space(|space| {
            loop {
                match tls.read(&mut AtOnce(socket), space) {
                    Ok((length, _)) => {
                        look(&space[..length]);
                        return Poll::Ready(Ok(length));
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(socket.poll_read_ready(context))?,
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        })
    }

    /// Writes as much as the socket takes. What is given next begins with what it did not take.
    pub fn poll_send(&mut self, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let Self { socket, tls } = self;
        let Some(tls) = tls else { return Pin::new(socket).poll_write(context, bytes) };
        loop {
            match tls.write(&mut AtOnce(socket), bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => ready!(socket.poll_write_ready(context))?,
                written => return Poll::Ready(written),
            }
        }
    }

    /// The same with several buffers.
    pub fn poll_send_all(&mut self, context: &mut Context<'_>, parts: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        if self.is_vectored() {
            return Pin::new(&mut self.socket).poll_write_vectored(context, parts);
        }
        let first = parts.iter().find(|part| !part.is_empty());
        self.poll_send(context, first.map_or(&[], |part| part))
    }

    /// Says that nothing more is written.
    pub fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { socket, tls } = self;
        if let Some(tls) = tls {
            tls.close(&mut AtOnce(socket));
        }
        Pin::new(socket).poll_shutdown(context)
    }
}

impl Read for AtOnce<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.try_read(buffer)
    }
}

impl Write for AtOnce<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
