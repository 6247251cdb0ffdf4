//! A client of bare bytes: it says what it likes as fast as it likes, and reads when it likes.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use tiltyard_protocol::{ClientMessage, Encoding};
use uuid::Uuid;

use crate::support::{Fight, Node, PATIENCE};

/// A JSON connection.
pub struct Raw {
    pub socket: TcpStream,
    /// Bytes that came and were not looked at.
    rest: Vec<u8>,
}

impl Raw {
    /// A connection of the player in `slot`, which has joined nothing.
    pub async fn connect(node: &Node, fight: &Fight, slot: usize) -> Self {
        Self::upgraded(asking(node, fight, slot).await)
    }

    /// A connection that lives by `token`, and may join other sessions than this one, too.
    pub fn connect_with_token(node: &Node, session: Uuid, token: &str) -> Self {
        let host = node.url.strip_prefix("http://").unwrap();
        Self::upgraded(ask(host, &format!("ws?session={session}"), &format!("Authorization: Bearer {token}\r\n")))
    }

    /// The same in this encoding.
    pub fn connect_in(node: &Node, session: Uuid, token: &str, encoding: Encoding) -> Self {
        let host = node.url.strip_prefix("http://").unwrap();
        let protocol = encoding.subprotocol();
        let headers = format!("Authorization: Bearer {token}\r\nSec-WebSocket-Protocol: {protocol}\r\n");
        Self::upgraded(ask(host, &format!("ws?session={session}"), &headers))
    }

    /// A connection to where a ticket leads, in plain text.
    pub fn at(url: &str) -> Self {
        let (host, path) = url.strip_prefix("ws://").unwrap().split_once('/').unwrap();
        Self::upgraded(ask(host, path, ""))
    }

    fn upgraded(socket: TcpStream) -> Self {
        let mut raw = Self { socket, rest: Vec::new() };
        while !raw.rest.windows(4).any(|window| window == b"\r\n\r\n") {
            assert!(raw.more(), "the server answers");
        }
        assert!(raw.rest.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&raw.rest));
        let head = raw.rest.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        raw.rest.drain(..head);
        raw
    }

    /// Sends all of these with one write.
    pub fn say(&mut self, messages: &[Value]) {
        let frames: Vec<u8> = messages.iter().flat_map(|message| frame(0x81, message.to_string().as_bytes())).collect();
        self.socket.write_all(&frames).unwrap();
    }

    /// Sends a message in this encoding.
    pub fn send(&mut self, encoding: Encoding, message: &ClientMessage) {
        let mut payload = Vec::new();
        encoding.encode(message, &mut payload);
        // An error means that the server has closed, which the next read tells.
        let _ = self.socket.write_all(&frame(if encoding == Encoding::Json { 0x81 } else { 0x82 }, &payload));
    }

    /// The next message and the bytes of its frame; a close is `{"close": code}`, the end `None`.
    pub fn hear(&mut self) -> Option<(Value, usize)> {
        let (opcode, payload, length) = self.hear_bytes()?;
        let message = match opcode {
            8 => json!({ "close": u16::from_be_bytes([payload[0], payload[1]]) }),
            _ => serde_json::from_slice(&payload).unwrap(),
        };
        Some((message, length))
    }

    /// The opcode and payload of the next frame that is a message or a close, and the bytes of the frame; the end is `None`.
    pub fn hear_bytes(&mut self) -> Option<(u8, Vec<u8>, usize)> {
        loop {
            if let Some((opcode, start, end)) = head(&self.rest) {
                let frame: Vec<u8> = self.rest.drain(..end).collect();
                match opcode {
                    1 | 2 | 8 => return Some((opcode, frame[start..].to_vec(), end)),
                    // As every library does. An error means that the server has closed, which the next read tells.
                    9 => drop(self.socket.write_all(&[0x8A, 0x80, 0, 0, 0, 0])),
                    _ => {}
                }
            } else if !self.more() {
                return None;
            }
        }
    }

    /// Everything up to the first message of type `t`, that included.
    pub fn until(&mut self, t: &str) -> Vec<(Value, usize)> {
        let mut heard = Vec::new();
        while heard.last().is_none_or(|(message, _): &(Value, usize)| message["t"] != t) {
            heard.push(self.hear().unwrap_or_else(|| panic!("no {t}: the end, after {:?}", heard.last())));
        }
        heard
    }

    fn more(&mut self) -> bool {
        let mut buffer = vec![0; 256 * 1024];
        let length = self.socket.read(&mut buffer).unwrap_or(0);
        self.rest.extend(&buffer[..length]);
        length > 0
    }
}

/// A socket of the player in `slot` that has asked to be upgraded and read no answer yet.
pub async fn asking(node: &Node, fight: &Fight, slot: usize) -> TcpStream {
    let ticket = node.rest().ticket(&node.service(), fight.id, fight.players[slot]).await.unwrap();
    let (host, path) = ticket.url.strip_prefix("ws://").unwrap().split_once('/').unwrap();
    ask(host, path, "")
}

/// A socket that has asked `host` for `path` with these headers besides.
fn ask(host: &str, path: &str, headers: &str) -> TcpStream {
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_nodelay(true).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        socket,
        "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    )
    .unwrap();
    socket
}

/// A frame, masked with zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![opcode];
    if let Ok(length @ 0..126) = u8::try_from(payload.len()) {
        frame.push(0x80 | length);
    } else {
        frame.push(0x80 | 0x7E);
        frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// Opcode, start and end of the payload of the frame at the start of `bytes`, if it is all there.
fn head(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (start, length) = match second {
        126 => (4, u64::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())),
        short => (2, u64::from(short)),
    };
    let end = start + usize::try_from(length).unwrap();
    (bytes.len() >= end).then_some((first & 0x0F, start, end))
}

/// A message.
pub fn join(fight: &Fight) -> Value {
    json!({ "t": "join", "d": { "session": fight.id } })
}

pub fn leave(fight: &Fight) -> Value {
    json!({ "t": "leave", "d": { "s": handle(fight) } })
}

pub fn ping(n: u64) -> Value {
    json!({ "t": "ping", "d": { "n": n } })
}

fn handle(fight: &Fight) -> u32 {
    tiltyard_protocol::view::player_word(fight.id)
}
