//! A WebSocket client that keeps to no rule: it sends the bytes it is given as fast as they are taken, and reads frames.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use uuid::Uuid;

use crate::support::{Node, PATIENCE};

/// A masked frame with a mask of zeros, which leaves the payload as it is.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    if let Ok(short @ 0..126) = u8::try_from(payload.len()) {
        frame.push(0x80 | short);
    } else if let Ok(medium) = u16::try_from(payload.len()) {
        frame.push(0xFE);
        frame.extend(medium.to_be_bytes());
    } else {
        frame.push(0xFF);
        frame.extend((payload.len() as u64).to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A text message.
pub fn text(message: &Value) -> Vec<u8> {
    frame(0x81, message.to_string().as_bytes())
}

/// A connection, past its upgrade.
pub struct Raw {
    pub stream: TcpStream,
    received: Vec<u8>,
}

impl Raw {
    /// Opens a socket to `session` with a player's token; the answer's head where it is refused.
    pub fn open(node: &Node, session: Uuid, token: &str) -> Result<Self, String> {
        let host = node.url.strip_prefix("http://").expect("the node's URL");
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        write!(
            stream,
            "GET /ws?session={session} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Authorization: Bearer {token}\r\n\r\n"
        )
        .unwrap();
        let (mut head, mut byte) = (Vec::new(), [0]);
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap();
        if head.starts_with("HTTP/1.1 101") { Ok(Self { stream, received: Vec::new() }) } else { Err(head) }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends `bytes` again and again, at full speed, until the server has it no more or for that long; tells how many bytes were
    /// taken.
    pub fn flood(&self, bytes: Vec<u8>, most: Duration) -> JoinHandle<u64> {
        let mut stream = self.stream.try_clone().unwrap();
        stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        std::thread::spawn(move || {
            let begun = std::time::Instant::now();
            let mut sent = 0;
            while begun.elapsed() < most {
                match stream.write(&bytes) {
                    Ok(count) => sent += count as u64,
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
                    Err(_closed) => break,
                }
            }
            sent
        })
    }

    /// The next frame's first byte and payload; `None` at the end.
    pub fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some((head, length)) = head_of(&self.received)
                && self.received.len() >= head + length
            {
                let rest = self.received.split_off(head + length);
                let frame = std::mem::replace(&mut self.received, rest);
                return Some((frame[0], frame[head..].to_vec()));
            }
            match self.stream.read(&mut chunk) {
                Ok(count @ 1..) => self.received.extend(&chunk[..count]),
                Ok(_) => return None,
                // What had come before is told first.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing comes: {error}"),
            }
        }
    }

    /// The next message of that type.
    pub fn message(&mut self, of: &str) -> Value {
        loop {
            let (_, payload) = self.next().expect("the server goes on");
            if let Ok(message) = serde_json::from_slice::<Value>(&payload)
                && message["t"] == of
            {
                return message["d"].clone();
            }
        }
    }

    /// Every message up to the close, and its code.
    pub fn until_the_end(&mut self) -> (Vec<Value>, Option<u16>) {
        let mut messages = Vec::new();
        while let Some((first, payload)) = self.next() {
            match first {
                0x88 => return (messages, Some(u16::from_be_bytes([payload[0], payload[1]]))),
                0x81 => messages.push(serde_json::from_slice(&payload).unwrap()),
                _ => {}
            }
        }
        (messages, None)
    }

    /// Joins, and returns the session's handle.
    pub fn join(&mut self, session: Uuid) -> u64 {
        self.send(&text(&serde_json::json!({ "t": "join", "d": { "session": session } })));
        let joined = self.message("joined");
        self.message("snapshot");
        joined["s"].as_u64().unwrap()
    }

    pub fn hang_up(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// Lengths of head and payload of the frame that begins here.
pub fn head_of(bytes: &[u8]) -> Option<(usize, usize)> {
    match bytes.get(1)? {
        126 => Some((4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap())))),
        127 => Some((10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())).unwrap())),
        short => Some((2, usize::from(*short))),
    }
}
