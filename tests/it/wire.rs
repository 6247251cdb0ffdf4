//! The leanest HTTP client there is, for tests that need many requests a second: one keep-alive connection, many in flight.

use std::fmt::Write as _;
use std::io;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A request.
pub struct Request {
    pub method: &'static str,
    pub path: String,
    pub body: String,
    /// Its `Idempotency-Key`.
    pub key: Option<String>,
}

impl Request {
    pub fn new(method: &'static str, path: &str, body: &str) -> Self {
        Self { method, path: path.to_owned(), body: body.to_owned(), key: None }
    }
}

/// A connection.
pub struct Wire {
    stream: TcpStream,
    host: String,
    token: String,
    received: Vec<u8>,
}

impl Wire {
    pub async fn connect(url: &str, token: &str) -> io::Result<Self> {
        let host = url.strip_prefix("http://").expect("the node's URL").to_owned();
        let stream = TcpStream::connect(&host).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host, token: token.to_owned(), received: Vec::new() })
    }

    /// Sends all of these at once.
    pub async fn send(&mut self, requests: impl IntoIterator<Item = Request>) -> io::Result<()> {
        let mut bytes = String::new();
        for Request { method, path, body, key } in requests {
            let key = key.map(|key| format!("Idempotency-Key: {key}\r\n")).unwrap_or_default();
            // Writing to a string cannot fail.
            let (host, token, length) = (&self.host, &self.token, body.len());
            let _ = write!(
                bytes,
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{key}\
                 Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            );
        }
        self.stream.write_all(bytes.as_bytes()).await
    }

    /// The next answer. Answers come in the order of the requests.
    pub async fn answer(&mut self) -> io::Result<(u16, Value)> {
        loop {
            if let Some((status, body, length)) = parse(&self.received) {
                let value = serde_json::from_slice(body).unwrap_or_default();
                self.received.drain(..length);
                return Ok((status, value));
            }
            if self.stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Status, body and length of the answer at the start of `bytes`, if all of it is there.
fn parse(bytes: &[u8]) -> Option<(u16, &[u8], usize)> {
    let head_length = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..head_length]).unwrap().to_ascii_lowercase();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")).expect("answers have a length");
    let end = head_length + length.trim().parse::<usize>().unwrap();
    Some((status, bytes.get(head_length..end)?, end))
}
