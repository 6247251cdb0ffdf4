//! What is WebSocket is taken, and what is not is closed with its code: sections 1 to 7 and 10 of the Autobahn test suite's fuzzing client
//! by their numbers, in both encodings, with and without TLS, each write as it is there and octet by octet.
//!
//! Autobahn asks for an echo; this server has none. In its place stands:
//! - for a message, a `ping` of the protocol of the case's length, fragments and text. Its number comes last, so a `pong` with that number
//!   says that all of it was read;
//! - for a text that is no message whatever is around it, an `error` with `bad_message`, after which the connection goes on;
//! - for text on a connection that speaks `MessagePack`, and for binary on one that speaks JSON, a close with 1003: where a case is about
//!   the kind of a frame, that is what is wrong with it here; and where it is about text, 1007 comes before that.
//!
//! Otherwise each case ends as Autobahn's does: with the client's close, which is answered with its code, or with the server's, after which
//! nothing comes but the end of TCP, that the server brings. Where Autobahn waits to see that a part of a message was accepted, there is a
//! ping and its pong; where it lets a server be late in seeing what is wrong (its NON-STRICT), this one must not.

mod cases;
mod text;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use reqwest::Method;
use serde_json::json;
use tiltyard_protocol::{Encoding, Reason, ServerMessage};
use uuid::Uuid;

use crate::bare::{self, head_of};
use crate::support::{Node, PATIENCE};
use crate::tls::Secured;

/// Not zeros, so that what is unmasked is seen to be.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// Cases are sent octet by octet, too, where they are no longer than this.
const OCTETS: usize = 2_000;

/// Of a frame's first byte.
pub const FIN: u8 = 0x80;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = FIN | 0x8;
pub const PING: u8 = FIN | 0x9;
pub const PONG: u8 = FIN | 0xA;

/// One of Autobahn's cases, or what is like one.
pub struct Case {
    pub name: String,
    steps: Vec<Step>,
    end: End,
}

enum Step {
    /// This is sent, in one write.
    Send(Vec<u8>),
    /// This comes, and nothing before it.
    Hear(Heard),
}

/// What came.
#[derive(Debug, PartialEq, Eq, Clone)]
pub enum Heard {
    /// The answer to a WebSocket's ping.
    Pong(Vec<u8>),
    /// The answer to the message with that number.
    Answer(u64),
    /// An `error`: it was no message.
    NoMessage,
    /// A close and its code, if it has one.
    Close(Option<u16>),
    /// The end of what comes.
    End,
}

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The connection goes on, until the client closes it.
    GoesOn,
    /// The server closes it with this code, or answers the client's close.
    Closed(Option<u16>),
}

impl Case {
    /// A case that ends so.
    pub fn new(name: impl Into<String>, end: End) -> Self {
        Self { name: name.into(), steps: Vec::new(), end }
    }

    pub fn broken(name: impl Into<String>, code: u16) -> Self {
        Self::new(name, End::Closed(Some(code)))
    }

    pub fn send(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.steps.push(Step::Send(bytes.into()));
        self
    }

    /// Each of these in a write of its own.
    pub fn send_each<'a>(self, pieces: impl IntoIterator<Item = &'a [u8]>) -> Self {
        pieces.into_iter().fold(self, Self::send)
    }

    pub fn hear(mut self, heard: Heard) -> Self {
        self.steps.push(Step::Hear(heard));
        self
    }

    /// The same, an octet a write.
    fn in_octets(&self) -> Option<Self> {
        let length: usize =
            self.steps.iter().map(|step| if let Step::Send(bytes) = step { bytes.len() } else { 0 }).sum();
        let mut case = Self::new(format!("{} in octets", self.name), self.end);
        for step in &self.steps {
            case = match step {
                Step::Send(bytes) => case.send_each(bytes.chunks(1)),
                Step::Hear(heard) => case.hear(heard.clone()),
            };
        }
        (length <= OCTETS).then_some(case)
    }
}

/// A masked frame.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = bare::frame(first, payload);
    let start = frame.len() - payload.len();
    frame[start - MASK.len()..start].copy_from_slice(&MASK);
    for (byte, mask) in frame[start..].iter_mut().zip(MASK.iter().cycle()) {
        *byte ^= mask;
    }
    frame
}

/// The opcode of an encoding's messages.
pub fn opcode(encoding: Encoding) -> u8 {
    if encoding == Encoding::Json { TEXT } else { BINARY }
}

/// A `ping` with this number behind `fill`, which nobody looks at.
pub fn message_around(encoding: Encoding, n: u8, fill: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Json => [&br#"{"t":"ping","x":""#[..], fill, format!(r#"","d":{{"n":{n}}}}}"#).as_bytes()].concat(),
        Encoding::MsgPack => {
            let length = u16::try_from(fill.len()).unwrap().to_be_bytes();
            [&b"\x83\xA1t\xA4ping\xA1x\xC5"[..], &length, fill, b"\xA1d\x81\xA1n\xCC", &[n]].concat()
        }
    }
}

/// One of that many bytes.
pub fn message_of(encoding: Encoding, n: u8, length: usize) -> Vec<u8> {
    let around = message_around(encoding, n, b"").len();
    message_around(encoding, n, &vec![b'*'; length - around])
}

/// A whole frame with a short message.
pub fn said(encoding: Encoding, n: u8) -> Vec<u8> {
    frame(FIN | opcode(encoding), &message_around(encoding, n, b"Hello, world!"))
}

/// A message in fragments.
pub fn fragments<'a>(opcode: u8, parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let mut parts = parts.into_iter().peekable();
    let mut first = opcode;
    let mut frames = Vec::new();
    while let Some(part) = parts.next() {
        let fin = if parts.peek().is_none() { FIN } else { 0 };
        frames.push(frame(fin | first, part));
        first = 0;
    }
    frames
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A client of a server with or without TLS.
struct Peer {
    stream: Box<dyn Stream>,
    encoding: Encoding,
    came: Vec<u8>,
}

impl Peer {
    fn upgraded(mut stream: Box<dyn Stream>, host: &str, session: Uuid, token: &str, encoding: Encoding) -> Self {
        write!(
            stream,
            "GET /ws?session={session} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: {}\r\nAuthorization: Bearer {token}\r\n\r\n",
            encoding.subprotocol()
        )
        .unwrap();
        let mut peer = Self { stream, encoding, came: Vec::new() };
        let end = loop {
            if let Some(end) = peer.came.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            assert!(peer.more(), "{:?}", String::from_utf8_lossy(&peer.came));
        };
        assert!(peer.came.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&peer.came));
        peer.came.drain(..end);
        peer
    }

    fn more(&mut self) -> bool {
        let mut space = [0; 4096];
        match self.stream.read(&mut space) {
            Ok(count) => {
                self.came.extend_from_slice(&space[..count]);
                count > 0
            }
            Err(error) => panic!("{error}, after {:x?}", self.came),
        }
    }

    fn send(&mut self, bytes: &[u8]) {
        match self.stream.write_all(bytes).and_then(|()| self.stream.flush()) {
            // The server has closed, which is heard next.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {}
            sent => sent.unwrap(),
        }
    }

    fn hear(&mut self) -> Heard {
        let (first, payload) = loop {
            if let Some((head, length)) = head_of(&self.came)
                && self.came.len() >= head + length
            {
                let frame: Vec<u8> = self.came.drain(..head + length).collect();
                break (frame[0], frame[head..].to_vec());
            }
            if !self.more() {
                assert!(self.came.is_empty(), "half a frame: {:x?}", self.came);
                return Heard::End;
            }
        };
        match first {
            PONG => Heard::Pong(payload),
            CLOSE => Heard::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            message if message == FIN | opcode(self.encoding) => match self.encoding.decode_server(&payload).unwrap() {
                ServerMessage::Pong(pong) => Heard::Answer(pong.n),
                ServerMessage::Error(error) if error.reason == Reason::BadMessage => Heard::NoMessage,
                other => panic!("{other:?}"),
            },
            other => panic!("a frame that begins with {other:#x}"),
        }
    }

    /// What comes is what should; otherwise what came.
    fn runs(mut self, case: &Case) -> Result<(), String> {
        let hear = |peer: &mut Self, wanted: Heard| match peer.hear() {
            heard if heard == wanted => Ok(()),
            heard => Err(format!("{}: {heard:?} in place of {wanted:?}", case.name)),
        };
        for step in &case.steps {
            match step {
                Step::Send(bytes) => self.send(bytes),
                Step::Hear(wanted) => hear(&mut self, wanted.clone())?,
            }
        }
        let code = match case.end {
            End::GoesOn => {
                self.send(&frame(PING, b"still there?"));
                hear(&mut self, Heard::Pong(b"still there?".to_vec()))?;
                self.send(&frame(CLOSE, &1000_u16.to_be_bytes()));
                Some(1000)
            }
            End::Closed(code) => code,
        };
        hear(&mut self, Heard::Close(code))?;
        hear(&mut self, Heard::End)
    }
}

/// Runs the cases on connections to a player's own session, which there is as long as need be.
async fn run(node: &Node, cases: &[Case], encoding: Encoding, connect: impl Fn() -> Box<dyn Stream>) {
    let (player, service) = (Uuid::new_v4(), node.service());
    let body = json!({ "type": "custom", "player_id": player });
    let made = node.rest().call(Method::POST, "/sessions", Some(&service), Some(&body)).await.unwrap();
    let session = made.body["session_id"].as_str().unwrap_or_else(|| panic!("{}", made.body)).parse().unwrap();
    let token = node.player(player);
    let host = node.url.split_once("://").unwrap().1;
    let failed: Vec<String> = cases
        .iter()
        .filter_map(|case| Peer::upgraded(connect(), host, session, &token, encoding).runs(case).err())
        .collect();
    println!("{} cases, {} failed", cases.len(), failed.len());
    assert!(failed.is_empty(), "{failed:#?}");
}

/// Nobody is limited: the cases are one player's.
const FLAGS: [&str; 4] = ["--rate-limits", "off", "--rate-connection", "off"];

fn all(encoding: Encoding) -> Vec<Case> {
    let mut cases = cases::all(encoding);
    cases.extend(text::all(encoding));
    cases
}

async fn over_tcp(encoding: Encoding) {
    let node = Node::start_with(&FLAGS);
    let mut cases = all(encoding);
    let octets: Vec<Case> = cases.iter().filter_map(Case::in_octets).collect();
    cases.extend(octets);
    let connect = || -> Box<dyn Stream> {
        let stream = TcpStream::connect(node.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Box::new(stream)
    };
    run(&node, &cases, encoding, connect).await;
}

async fn over_tls(encoding: Encoding) {
    let secured = Secured::start(&FLAGS);
    let config = secured.client();
    run(&secured.node, &all(encoding), encoding, || Box::new(secured.stream(&config))).await;
}

#[tokio::test]
async fn every_case_in_json() {
    over_tcp(Encoding::Json).await;
}

#[tokio::test]
async fn every_case_in_messagepack() {
    over_tcp(Encoding::MsgPack).await;
}

#[tokio::test]
async fn every_case_in_json_over_tls() {
    over_tls(Encoding::Json).await;
}

#[tokio::test]
async fn every_case_in_messagepack_over_tls() {
    over_tls(Encoding::MsgPack).await;
}

/// Each number is there once, and as many as Autobahn has in these sections.
#[test]
fn the_sections_are_whole() {
    let cases = all(Encoding::Json);
    let mut names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    names.sort_unstable();
    let count = names.len();
    names.dedup();
    assert_eq!(names.len(), count);
    let of = |section: &str| {
        names.iter().filter(|name| name.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))).count()
    };
    let counts = ["1", "2", "3", "4", "5", "6", "7", "10"].map(of);
    assert_eq!(counts, [16, 11, 7, 10, 20, 145, 37, 1]);
}
