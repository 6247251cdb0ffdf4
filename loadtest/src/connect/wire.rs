//! What a socket's bytes come from and go to: TCP as it is, or with TLS on it.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};

use mio::net::TcpStream;
use rustls::ClientConnection;

/// Bytes of records read at once.
const SPACE_BYTES: usize = 64 * 1024;

thread_local! {
    static SPACE: RefCell<Vec<u8>> = RefCell::new(vec![0; SPACE_BYTES]);
}

/// One or the other.
#[derive(Debug)]
pub enum Wire {
    Plain(TcpStream),
    Tls(Box<Secured>),
}

/// A socket and the client's side of TLS.
#[derive(Debug)]
pub struct Secured {
    stream: TcpStream,
    tls: ClientConnection,
}

impl Wire {
    pub fn new(stream: TcpStream, tls: Option<ClientConnection>) -> Self {
        match tls {
            None => Self::Plain(stream),
            Some(tls) => Self::Tls(Box::new(Secured { stream, tls })),
        }
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(secured) => &mut secured.stream,
        }
    }

    /// Whether something was taken that the kernel has not.
    pub fn is_behind(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Tls(secured) => secured.tls.wants_write(),
        }
    }

    /// Has the kernel take it.
    pub fn go_on(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(secured) => secured.go_on(),
        }
    }
}

impl Secured {
    fn go_on(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.stream) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads until there is nothing more, or no room for what that may say: a short read has drained the socket.
    fn read(&mut self, buffer: &mut [u8], space: &mut [u8]) -> io::Result<usize> {
        let mut length = 0;
        while length < buffer.len() {
            let most = space.len().min(buffer.len() - length);
            let count = match self.stream.read(&mut space[..most]) {
                Ok(count) => count,
                Err(_) if length > 0 => break,
                Err(error) => return Err(error),
            };
            let mut records = &space[..count];
            while !records.is_empty() {
                self.tls.read_tls(&mut records)?;
                self.tls.process_new_packets().map_err(io::Error::other)?;
                loop {
                    match self.tls.reader().read(&mut buffer[length..]) {
                        Ok(0) => break,
                        Ok(said) => length += said,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) => return Err(error),
                    }
                }
            }
            self.go_on()?;
            if count == 0 {
                return Ok(length);
            }
            if count < most {
                break;
            }
        }
        if length == 0 { Err(ErrorKind::WouldBlock.into()) } else { Ok(length) }
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Tls(secured) => SPACE.with_borrow_mut(|space| secured.read(buffer, space)),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Tls(secured) => {
                let count = secured.tls.writer().write(bytes)?;
                secured.go_on()?;
                if count == 0 && !bytes.is_empty() { Err(ErrorKind::WouldBlock.into()) } else { Ok(count) }
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.go_on()
    }
}
