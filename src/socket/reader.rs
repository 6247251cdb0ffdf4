//! The client's frames. Whole short frames are read in place from the shard's receive buffer; the first thing that is
//! anything else (a fragment, half a frame, a close, a mistake) brings in tungstenite, which keeps what has to be
//! kept between reads and answers as the RFC wants. It is given one frame at a time, so that each can be counted, and goes
//! when the message is complete. An idle connection carries none of it.

use std::io;

use tiltyard_protocol::CloseCode;
use tungstenite::error::{CapacityError, Error};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Bytes, Message};

use super::bounds::{Bounds, Ended, Piece};
use super::frame::{self, Kind};
use super::utf8::Utf8;
use crate::limits;

/// One connection's reader.
#[derive(Debug, Default)]
pub struct Reader {
    long: Option<Box<Long>>,
}

/// What takes more than one look.
#[derive(Debug)]
struct Long {
    context: WebSocketContext,
    /// Where the frame ends that is being read.
    bounds: Bounds,
    /// Frames so far of a message that is not complete.
    fragments: u32,
    /// Where its text is, if it is one.
    text: Option<Utf8>,
}

/// What the next bytes were.
#[derive(Debug)]
pub enum Next<'a> {
    /// A message.
    Message { text: bool, payload: Payload<'a> },
    /// A ping, answered.
    Control,
    /// A pong.
    Pong,
    /// A frame of a message that is not complete.
    Fragment,
    /// All bytes are used.
    Drained,
    /// The client closed; the answer is in `replies`.
    Closed,
    /// The client broke a rule.
    Broken(CloseCode),
}

/// A message's bytes: in the receive buffer, or put together by tungstenite.
#[derive(Debug)]
pub enum Payload<'a> {
    Here(&'a [u8]),
    Owned(Bytes),
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Here(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

impl Reader {
    /// Whether nothing is kept between two reads.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.long.is_none()
    }

    /// Reads on in `bytes` from `at`, which moves. What has to be answered (pongs, the close) is appended to `replies`.
    pub fn next<'a>(&mut self, bytes: &'a mut [u8], at: &mut usize, replies: &mut Vec<u8>) -> Next<'a> {
        if self.long.is_none() {
            if *at == bytes.len() {
                return Next::Drained;
            }
            if let Some(plain) = frame::plain(&mut bytes[*at..]) {
                let payload = &bytes[*at + plain.start..*at + plain.end];
                *at += plain.end;
                return match plain.kind {
                    Kind::Text if std::str::from_utf8(payload).is_err() => Next::Broken(CloseCode::BadText),
                    Kind::Text => Next::Message { text: true, payload: Payload::Here(payload) },
                    Kind::Binary => Next::Message { text: false, payload: Payload::Here(payload) },
                    Kind::Ping => {
                        frame::pong(payload, replies);
                        Next::Control
                    }
                    Kind::Pong => Next::Pong,
                };
            }
        }
        self.next_of_long(&bytes[*at..], at, replies)
    }

    fn next_of_long(&mut self, rest: &[u8], at: &mut usize, replies: &mut Vec<u8>) -> Next<'static> {
        let long = self.long.get_or_insert_with(Box::default);
        let piece = long.bounds.take(rest);
        *at += piece.length;
        let next = long.next(&rest[..piece.length], piece, replies);
        if piece.ended.is_some() && long.fragments == 0 {
            self.long = None;
        }
        next
    }
}

impl Long {
    /// Takes `bytes`, which are a `piece` of one frame. tungstenite looks at a frame when all of it is there; what is wrong is told as
    /// soon as it has come.
    fn next(&mut self, bytes: &[u8], Piece { payload, ended, .. }: Piece, replies: &mut Vec<u8>) -> Next<'static> {
        if self.bounds.is_wrong(self.fragments > 0) {
            return Next::Broken(CloseCode::ProtocolError);
        }
        let is_text = self.bounds.goes_on_with(&mut self.text, &bytes[payload..]);
        match ended {
            Some(Ended::Fragment) => self.fragments += 1,
            Some(Ended::Message) => self.fragments = 0,
            Some(Ended::Control) | None => {}
        }
        if self.fragments > limits::FRAGMENTS {
            return Next::Broken(CloseCode::TooBig);
        }
        let mut stream = Pipe { input: bytes, output: replies };
        let outcome = self.context.read(&mut stream);
        // The answer to a ping or a close is queued by the read; this moves it into `replies`.
        let _ = self.context.flush(&mut stream);
        match outcome {
            Ok(Message::Text(text)) => Next::Message { text: true, payload: Payload::Owned(text.into()) },
            Ok(Message::Binary(bytes)) => Next::Message { text: false, payload: Payload::Owned(bytes) },
            Ok(Message::Close(_)) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Next::Closed,
            Ok(Message::Pong(_)) => Next::Pong,
            Ok(_) => Next::Control,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                if !is_text {
                    Next::Broken(CloseCode::BadText)
                } else if ended.is_some() {
                    Next::Fragment
                } else {
                    Next::Drained
                }
            }
            Err(Error::Capacity(CapacityError::MessageTooLong { .. })) => Next::Broken(CloseCode::TooBig),
            Err(Error::Utf8(_)) => Next::Broken(CloseCode::BadText),
            Err(_) => Next::Broken(CloseCode::ProtocolError),
        }
    }
}

impl Default for Long {
    fn default() -> Self {
        let context = WebSocketContext::new(Role::Server, Some(config()));
        Self { context, bounds: Bounds::default(), fragments: 0, text: None }
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(256)
        .write_buffer_size(0)
        .max_write_buffer_size(limits::OUTBOX_BYTES)
        .max_message_size(Some(limits::MESSAGE_BYTES))
        .max_frame_size(Some(limits::MESSAGE_BYTES))
}

/// What tungstenite takes for the socket: the bytes that were received, and the replies.
struct Pipe<'a> {
    input: &'a [u8],
    output: &'a mut Vec<u8>,
}

impl io::Read for Pipe<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        io::Read::read(&mut self.input, buffer)
    }
}

impl io::Write for Pipe<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.output.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Next, Reader};
    use tiltyard_protocol::CloseCode;

    /// A masked frame with a mask of zeros, which leaves the payload as it is.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | u8::try_from(short).unwrap()),
            medium @ 126..65_536 => {
                frame.push(0xFE);
                frame.extend(u16::try_from(medium).unwrap().to_be_bytes());
            }
            long => {
                frame.push(0xFF);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        frame
    }

    /// Feeds `chunks` one by one and tells what came of it.
    fn read(chunks: &[&[u8]]) -> (Vec<String>, Vec<u8>) {
        let (mut reader, mut seen, mut replies) = (Reader::default(), Vec::new(), Vec::new());
        for chunk in chunks {
            let (mut bytes, mut at) = (chunk.to_vec(), 0);
            loop {
                seen.push(match reader.next(&mut bytes, &mut at, &mut replies) {
                    Next::Message { text, payload } => {
                        format!("{}:{}", if text { "text" } else { "binary" }, payload.as_ref().len())
                    }
                    Next::Control => "control".to_owned(),
                    Next::Pong => "pong".to_owned(),
                    Next::Fragment => "fragment".to_owned(),
                    Next::Drained => break,
                    Next::Closed => {
                        seen.push("closed".to_owned());
                        return (seen, replies);
                    }
                    Next::Broken(code) => {
                        seen.push(format!("broken {}", code.code()));
                        return (seen, replies);
                    }
                });
            }
        }
        (seen, replies)
    }

    #[test]
    fn several_frames_in_one_read() {
        let bytes = [frame(0x81, b"one"), frame(0x82, b"four"), frame(0x8A, b"")].concat();
        assert_eq!(read(&[&bytes]).0, ["text:3", "binary:4", "pong"]);
    }

    #[test]
    fn a_frame_cut_anywhere_is_put_together_and_what_follows_is_read_too() {
        let bytes = [frame(0x81, b"hello"), frame(0x82, &[7; 300])].concat();
        for cut in 1..bytes.len() {
            assert_eq!(read(&[&bytes[..cut], &bytes[cut..]]).0, ["text:5", "binary:300"], "cut at {cut}");
        }
    }

    #[test]
    fn fragments_are_joined_and_pings_between_them_answered() {
        let bytes = [frame(0x01, b"he"), frame(0x89, b"p"), frame(0x8A, b""), frame(0x80, b"llo")].concat();
        let (seen, replies) = read(&[&bytes]);
        assert_eq!(seen, ["fragment", "control", "pong", "text:5"]);
        assert_eq!(replies, [0x8A, 1, b'p']);
    }

    #[test]
    fn every_fragment_is_seen_and_there_is_a_bound_of_them() {
        let empty = frame(0x00, b"");
        let of = |count: usize| [frame(0x01, b"a"), empty.repeat(count), frame(0x80, b"")].concat();
        let (seen, _) = read(&[&of(254)]);
        assert_eq!((seen.len(), seen.last().unwrap().as_str()), (256, "text:1"));
        let (seen, _) = read(&[&of(1_000_000)]);
        assert_eq!((seen.len(), seen.last().unwrap().as_str()), (257, "broken 1009"));
    }

    #[test]
    fn a_complete_message_leaves_nothing_behind() {
        let (mut reader, mut replies) = (Reader::default(), Vec::new());
        let halves = [frame(0x81, b"hello"), frame(0x01, b"he"), frame(0x80, b"llo"), frame(0x81, b"again")].concat();
        for byte in halves {
            let (mut bytes, mut at) = ([byte], 0);
            while !matches!(reader.next(&mut bytes, &mut at, &mut replies), Next::Drained) {}
        }
        assert!(reader.long.is_none());
    }

    #[test]
    fn pings_are_answered_in_place() {
        assert_eq!(read(&[&frame(0x89, b"abc")]).1, [0x8A, 3, b'a', b'b', b'c']);
    }

    #[test]
    fn each_mistake_has_its_close_code() {
        let broken = |bytes: &[u8]| read(&[bytes]).0.pop().expect("an outcome");
        assert_eq!(broken(&frame(0x82, &vec![0; 70_000])), format!("broken {}", CloseCode::TooBig.code()));
        assert_eq!(broken(&frame(0x81, &[0xFF])), format!("broken {}", CloseCode::BadText.code()));
        assert_eq!(broken(&[0x81, 0x01, b'x']), format!("broken {}", CloseCode::ProtocolError.code()), "not masked");
        assert_eq!(broken(&frame(0x83, b"x")), format!("broken {}", CloseCode::ProtocolError.code()), "reserved");
        let mut endless = vec![0x82, 0xFF];
        endless.extend(u64::MAX.to_be_bytes());
        endless.extend([0; 4]);
        assert!(broken(&endless).starts_with("broken 10"), "a frame of 2^64-1 bytes");
    }

    #[test]
    fn what_is_wrong_is_told_before_the_rest_has_come() {
        // Of a frame of 60,000 bytes: reserved bits, an opcode that is none, a fragment of nothing, no mask; a ping that is too long.
        for head in [[0xC1, 0xFE], [0x83, 0xFE], [0x00, 0xFE], [0x81, 0x7E], [0x89, 0xFE]] {
            assert_eq!(read(&[&head]).0, ["broken 1002"], "{head:x?}");
        }
        assert_eq!(
            read(&[&frame(0x01, b"a"), &[0x81, 0x85]]).0,
            ["fragment", "broken 1002"],
            "a message within another"
        );
        let text = frame(0x81, "k\u{f3}smos \u{10FFFF} and so on".as_bytes());
        let at = text.iter().position(|&byte| byte == 0xF4).unwrap();
        let (good, rest) = text.split_at(at + 1);
        assert_eq!(read(&[good, rest]).0, [format!("text:{}", text.len() - 6)]);
        assert_eq!(read(&[good, &[0x90]]).0, ["broken 1007"], "by the first byte that cannot be");
        assert_eq!(read(&[&frame(0x01, b"\xF4"), &[0x00, 0x85, 0, 0, 0, 0, 0x90]]).0, ["fragment", "broken 1007"]);
    }

    #[test]
    fn a_close_is_answered_with_its_code() {
        let (seen, replies) = read(&[&frame(0x88, &1000u16.to_be_bytes())]);
        assert_eq!(seen, ["closed"]);
        assert_eq!(replies, [0x88, 2, 0x03, 0xE8]);
    }
}
