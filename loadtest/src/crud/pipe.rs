//! One keep-alive connection with any number of requests in flight, which never waits. Answers come in the order of the
//! requests, so each is told with what its request was marked with.

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;

/// The longest head an answer may have.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// The connection; `T` marks a request.
#[derive(Debug)]
pub struct Pipe<T> {
    pub stream: TcpStream,
    pub outgoing: Outgoing<T>,
    incoming: Vec<u8>,
}

/// What is to be sent, and what waits for its answer.
#[derive(Debug)]
pub struct Outgoing<T> {
    bytes: Vec<u8>,
    sent: usize,
    waiting: VecDeque<T>,
}

/// An answer, complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

impl<T> Pipe<T> {
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = std::net::TcpStream::connect(address).with_context(|| format!("connect to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let outgoing = Outgoing { bytes: Vec::new(), sent: 0, waiting: VecDeque::new() };
        Ok(Self { stream: TcpStream::from_std(stream), outgoing, incoming: Vec::new() })
    }

    /// Sends what there is, as far as the kernel takes it.
    pub fn flush(&mut self) -> Result<()> {
        let Outgoing { bytes, sent, .. } = &mut self.outgoing;
        while *sent < bytes.len() {
            match self.stream.write(&bytes[*sent..]) {
                Ok(0) => bail!("the server takes nothing any more"),
                Ok(written) => *sent += written,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("send to the server"),
            }
        }
        bytes.clear();
        *sent = 0;
        Ok(())
    }

    /// Reads all there is and hands on every answer that is complete, together with where more can be asked for.
    pub fn receive(
        &mut self,
        buffer: &mut [u8],
        mut answered: impl FnMut(&mut Outgoing<T>, T, Answer) -> Result<()>,
    ) -> Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(length) => self.incoming.extend_from_slice(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("read from the server"),
            }
        }
        let mut done = 0;
        while let Some((answer, length)) = parse(&self.incoming[done..])? {
            let mark = self.outgoing.waiting.pop_front().context("an answer that nobody waits for")?;
            answered(&mut self.outgoing, mark, answer)?;
            done += length;
        }
        self.incoming.drain(..done);
        Ok(())
    }
}

impl<T> Outgoing<T> {
    /// Puts a request behind the others. Nothing is sent before the next flush.
    pub fn push(&mut self, mark: T, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.waiting.push_back(mark);
    }

    /// Requests without an answer.
    pub fn in_flight(&self) -> usize {
        self.waiting.len()
    }
}

/// The answer at the start of `bytes` and its length, or nothing while some of it is missing.
fn parse(bytes: &[u8]) -> Result<Option<(Answer<'_>, usize)>> {
    let Some(head_length) = bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4) else {
        ensure!(bytes.len() <= HEAD_BYTES_MAX, "an answer's head has no end");
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..head_length]).context("an answer's head is not text")?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let status: u16 = status.context("the answer is not HTTP")?;
    let length = match content_length(head) {
        Some(length) => length.parse().context("an answer's Content-Length is no number")?,
        // These have no body, whatever their head says.
        None if status == 204 || status == 304 => 0,
        None => bail!("an answer has no Content-Length: {head}"),
    };
    let end = head_length + length;
    Ok(bytes.get(head_length..end).map(|body| (Answer { status, body }, end)))
}

fn content_length(head: &str) -> Option<&str> {
    const NAME: &str = "content-length:";
    let line =
        head.split("\r\n").find(|line| line.get(..NAME.len()).is_some_and(|name| name.eq_ignore_ascii_case(NAME)));
    line.map(|line| line[NAME.len()..].trim())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::{Answer, Pipe, parse};

    #[test]
    fn answers_are_cut_where_they_end() {
        let two = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\n{}HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
        let (first, length) = parse(two).unwrap().unwrap();
        assert_eq!(first, Answer { status: 200, body: b"{}" });
        let (second, rest) = parse(&two[length..]).unwrap().unwrap();
        assert_eq!((second, length + rest), (Answer { status: 404, body: b"" }, two.len()));
        for short in 0..length {
            assert_eq!(parse(&two[..short]).unwrap(), None, "{short} bytes");
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\n\r\n").is_err() && parse(b"hello\r\n\r\n").is_err());
        assert_eq!(parse(b"HTTP/1.1 304 Not Modified\r\n\r\n").unwrap().unwrap().0.status, 304);
    }

    #[test]
    fn each_answer_comes_with_its_requests_mark() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut pipe = Pipe::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        for mark in [7, 8] {
            pipe.outgoing.push(mark, |bytes| bytes.extend_from_slice(format!("request {mark};").as_bytes()));
        }
        pipe.flush().unwrap();
        let mut seen = [0; 20];
        server.read_exact(&mut seen).unwrap();
        assert_eq!(&seen, b"request 7;request 8;");
        assert_eq!(pipe.outgoing.in_flight(), 2);
        server
            .write_all(
                b"HTTP/1.1 201 Created\r\ncontent-length: 1\r\n\r\n1HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n2",
            )
            .unwrap();
        let mut found = Vec::new();
        while found.len() < 2 {
            let note = |_: &mut _, mark, answer: Answer| {
                found.push((mark, answer.status, answer.body.to_vec()));
                Ok(())
            };
            pipe.receive(&mut [0; 64], note).unwrap();
        }
        assert_eq!(found, [(7, 201, b"1".to_vec()), (8, 200, b"2".to_vec())]);
        drop(server);
        assert!(std::iter::repeat_with(|| pipe.receive(&mut [0; 64], |_, _, _| Ok(()))).any(|end| end.is_err()));
    }
}
