//! A non-blocking socket: reads into a buffer that all sockets share, keeps only what a read left over.

use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;

use super::wire::Wire;

/// Room for one read. Larger than any frame, so what is left over from the read before always fits in front.
pub const BUFFER_BYTES: usize = 256 * 1024;

/// The most that may wait for the other side to read. Nothing here is worth buffering beyond this.
const UNSENT_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// This many bytes are in the buffer, those left over before included. A short read has `drained` the socket: the
    /// next byte raises a new edge.
    Bytes { length: usize, drained: bool },
    /// Nothing new.
    Nothing,
    /// The other side has closed.
    Closed,
}

/// The socket.
#[derive(Debug)]
pub struct Socket {
    wire: Wire,
    /// The start of a frame whose end has not come yet.
    carry: Vec<u8>,
    /// What could not be sent yet, or is gathered for the next flush.
    out: Vec<u8>,
    /// Whether the kernel did not take all of the last write; it says when it takes more.
    blocked: bool,
}

impl Socket {
    pub fn new(wire: Wire) -> Self {
        Self { wire, carry: Vec::new(), out: Vec::new(), blocked: false }
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        self.wire.stream()
    }

    /// Reads into `buffer`, after what [`Socket::keep`] was given.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Fill> {
        let kept = self.carry.len();
        buffer[..kept].copy_from_slice(&self.carry);
        loop {
            return match self.wire.read(&mut buffer[kept..]) {
                Ok(0) => Ok(Fill::Closed),
                Ok(read) => Ok(Fill::Bytes { length: kept + read, drained: kept + read < buffer.len() }),
                Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(Fill::Nothing),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
        }
    }

    /// Remembers `rest`, the bytes of a read that are not a whole frame yet, for the next read.
    pub fn keep(&mut self, rest: &[u8]) {
        self.carry.clear();
        self.carry.extend_from_slice(rest);
    }

    /// Sends now what the kernel takes, the rest when the socket is writable again.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        // The usual case goes past the queue.
        let sent = if self.out.is_empty() { write(&mut self.wire, bytes)? } else { 0 };
        self.out.extend_from_slice(&bytes[sent..]);
        self.blocked = !self.out.is_empty() || self.wire.is_behind();
        Ok(())
    }

    /// Where to append what the next [`Socket::flush`] sends.
    pub const fn queue(&mut self) -> &mut Vec<u8> {
        &mut self.out
    }

    /// Sends what is waiting, as far as the kernel takes it.
    pub fn flush(&mut self) -> io::Result<()> {
        self.wire.go_on()?;
        let mut sent = 0;
        while sent < self.out.len() {
            match write(&mut self.wire, &self.out[sent..])? {
                0 if self.out.len() - sent > UNSENT_BYTES_MAX => {
                    return Err(io::Error::other("the other side does not read"));
                }
                0 => break,
                more => sent += more,
            }
        }
        self.out.drain(..sent);
        self.blocked = !self.out.is_empty() || self.wire.is_behind();
        Ok(())
    }

    /// Goes on sending where the last write was short. Not where bytes are only being gathered: every edge says that the
    /// socket is writable, and sending then would send one message at a time.
    pub fn writable(&mut self) -> io::Result<()> {
        if self.blocked { self.flush() } else { Ok(()) }
    }
}

/// Writes what the kernel takes, which may be nothing.
fn write(wire: &mut Wire, bytes: &[u8]) -> io::Result<usize> {
    loop {
        return match wire.write(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            outcome => outcome,
        };
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::{Fill, Socket, Wire};

    fn pair() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        near.set_nonblocking(true).unwrap();
        (Socket::new(Wire::new(mio::net::TcpStream::from_std(near), None)), far)
    }

    #[test]
    fn what_is_gathered_waits_for_its_flush() {
        let (mut socket, mut far) = pair();
        far.set_nonblocking(true).unwrap();
        socket.queue().extend_from_slice(b"gathered");
        socket.writable().unwrap();
        assert_eq!(far.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
        far.set_nonblocking(false).unwrap();
        socket.flush().unwrap();
        let mut read = [0; 8];
        far.read_exact(&mut read).unwrap();
        assert_eq!(&read, b"gathered");
    }

    #[test]
    fn what_the_kernel_did_not_take_goes_on_when_it_does_and_in_order() {
        let (mut socket, mut far) = pair();
        // More than any socket buffers by default, less than may wait.
        let message: Vec<u8> = (0..=255).cycle().take(1024 * 1024).collect();
        for _ in 0..16 {
            if socket.queue().is_empty() {
                socket.send(&message).unwrap();
            }
        }
        assert!(!socket.queue().is_empty(), "the socket never was full");
        socket.send(b"end").unwrap();
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            far.read_to_end(&mut all).unwrap();
            all
        });
        while !socket.queue().is_empty() {
            socket.writable().unwrap();
            std::thread::yield_now();
        }
        drop(socket);
        let all = reader.join().unwrap();
        assert!(all.ends_with(b"end"));
        assert!(all[..all.len() - 3].chunks(256).all(|chunk| chunk == &message[..256]));
    }

    #[test]
    fn what_is_kept_comes_back_in_front_of_the_next_read() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (near, _) = listener.accept().unwrap();
        // Left blocking, so that each read waits for its bytes.
        let mut socket = Socket::new(Wire::new(mio::net::TcpStream::from_std(near), None));
        let mut buffer = [0; 8];

        far.write_all(b"abcde").unwrap();
        assert_eq!(socket.read(&mut buffer).unwrap(), Fill::Bytes { length: 5, drained: true });
        socket.keep(&buffer[3..5]);
        far.write_all(b"fghijk").unwrap();
        assert_eq!(socket.read(&mut buffer).unwrap(), Fill::Bytes { length: 8, drained: false });
        assert_eq!(&buffer, b"defghijk");
        socket.keep(&[]);
        drop(far);
        assert_eq!(socket.read(&mut buffer).unwrap(), Fill::Closed);
    }
}
