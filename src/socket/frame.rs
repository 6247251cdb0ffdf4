//! WebSocket frames by hand where it pays: the header in front of what we send, and the one shape nearly every client
//! frame has. Everything else is tungstenite's, see [`super::reader`].

use tiltyard_protocol::{CloseCode, Encoding};

const FIN_TEXT: u8 = 0x81;
const FIN_BINARY: u8 = 0x82;
const FIN_CLOSE: u8 = 0x88;
const FIN_PING: u8 = 0x89;
const FIN_PONG: u8 = 0x8A;
/// In the length byte: the sender has masked the payload, as every client does.
pub(super) const MASKED: u8 = 0x80;
/// In the length byte: two more bytes have the length.
pub(super) const LENGTH_16: u8 = 126;
/// In the length byte: eight more bytes have the length.
pub(super) const LENGTH_64: u8 = 127;

/// The longest header of a frame we send.
pub const HEADER_MAX: usize = 10;

/// A buffer that holds one outgoing message behind room for its header, so that header and payload are copied to each
/// recipient at once.
#[derive(Debug, Default)]
pub struct Framed {
    buffer: Vec<u8>,
    start: usize,
}

impl Framed {
    /// Lets `write` append the payload and puts the header for `encoding` in front.
    pub fn message(&mut self, encoding: Encoding, write: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.buffer.clear();
        self.buffer.resize(HEADER_MAX, 0);
        write(&mut self.buffer);
        let mut header = [0; HEADER_MAX];
        let length = header_of(opcode_of(encoding), self.buffer.len() - HEADER_MAX, &mut header);
        self.start = HEADER_MAX - length;
        self.buffer[self.start..HEADER_MAX].copy_from_slice(&header[..length]);
        self.bytes()
    }

    /// The frame made last.
    pub fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..]
    }
}

/// The digits of every number below a hundred.
#[allow(clippy::cast_possible_truncation)] // Less than a hundred.
const PAIRS: [[u8; 2]; 100] = {
    let (mut pairs, mut number) = ([[0; 2]; 100], 0);
    while number < pairs.len() {
        pairs[number] = [b'0' + (number / 10) as u8, b'0' + (number % 10) as u8];
        number += 1;
    }
    pairs
};

/// The short first part of a message of which the second is copied to many. It is written from its end to its start, so that its header
/// comes in front of it wherever that is, and all of it is copied at once.
#[derive(Debug)]
pub struct Head<const MOST: usize> {
    bytes: [u8; MOST],
    start: usize,
}

impl<const MOST: usize> Default for Head<MOST> {
    /// Nothing yet. Of its room [`HEADER_MAX`] is the header's.
    fn default() -> Self {
        const { assert!(MOST > HEADER_MAX) };
        Self { bytes: [0; MOST], start: MOST }
    }
}

impl<const MOST: usize> Head<MOST> {
    /// Puts bytes, for which there has to be room, in front of those that are there.
    #[inline]
    pub fn put<const LENGTH: usize>(&mut self, bytes: [u8; LENGTH]) {
        self.start -= LENGTH;
        self.bytes[self.start..][..LENGTH].copy_from_slice(&bytes);
    }

    /// Puts a number's decimal digits there.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // Less than a hundred.
    pub fn put_digits(&mut self, mut number: u64) {
        while number >= 100 {
            self.put(PAIRS[(number % 100) as usize]);
            number /= 100;
        }
        if number >= 10 { self.put(PAIRS[number as usize]) } else { self.put([b'0' + number as u8]) }
    }

    /// Appends the message with its second part as a frame.
    #[inline]
    pub fn append(&mut self, encoding: Encoding, common: &[u8], out: &mut Vec<u8>) {
        let (opcode, payload) = (opcode_of(encoding), MOST - self.start + common.len());
        match (u8::try_from(payload), u16::try_from(payload)) {
            (Ok(short), _) if short < LENGTH_16 => self.put([opcode, short]),
            (_, Ok(long)) => {
                let [high, low] = long.to_be_bytes();
                self.put([opcode, LENGTH_16, high, low]);
            }
            _ => {
                self.put((payload as u64).to_be_bytes());
                self.put([opcode, LENGTH_64]);
            }
        }
        out.reserve(MOST - self.start + common.len());
        out.extend_from_slice(&self.bytes[self.start..]);
        out.extend_from_slice(common);
    }
}

const fn opcode_of(encoding: Encoding) -> u8 {
    match encoding {
        Encoding::Json => FIN_TEXT,
        Encoding::MsgPack => FIN_BINARY,
    }
}

/// Writes the header of an unmasked frame and returns its length.
#[allow(clippy::cast_possible_truncation)] // Each branch has bounded the length.
fn header_of(opcode: u8, payload: usize, header: &mut [u8; HEADER_MAX]) -> usize {
    header[0] = opcode;
    if payload < usize::from(LENGTH_16) {
        header[1] = payload as u8;
        2
    } else if let Ok(short) = u16::try_from(payload) {
        header[1] = LENGTH_16;
        header[2..4].copy_from_slice(&short.to_be_bytes());
        4
    } else {
        header[1] = LENGTH_64;
        header[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
        10
    }
}

/// The length of the first of these frames of ours, which are whole; 0 where there is none.
#[allow(clippy::cast_possible_truncation)] // Only built for 64-bit targets, see lib.rs.
pub fn whole_length(frames: &[u8]) -> usize {
    let Some((&[_, first], rest)) = frames.split_first_chunk() else { return 0 };
    match (first, rest.first_chunk(), rest.first_chunk()) {
        (LENGTH_16, Some(&length), _) => 4 + usize::from(u16::from_be_bytes(length)),
        (LENGTH_64, _, Some(&length)) => 10 + u64::from_be_bytes(length) as usize,
        (short, ..) => 2 + usize::from(short),
    }
}

/// How many bytes the first of these frames of ours have together, as many as fit into `most`.
pub fn whole(frames: &[u8], most: usize) -> usize {
    let mut end = 0;
    loop {
        let length = whole_length(&frames[end..]);
        if length == 0 || end + length > most {
            return end;
        }
        end += length;
    }
}

/// Appends a control frame; its payload is at most 125 bytes.
fn control(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    debug_assert!(payload.len() < usize::from(LENGTH_16), "control frames are short");
    let mut header = [0; HEADER_MAX];
    let length = header_of(opcode, payload.len(), &mut header);
    out.extend_from_slice(&header[..length]);
    out.extend_from_slice(payload);
}

/// Appends an empty ping.
pub fn ping(out: &mut Vec<u8>) {
    control(FIN_PING, &[], out);
}

/// Appends the answer to a ping.
pub fn pong(payload: &[u8], out: &mut Vec<u8>) {
    control(FIN_PONG, payload, out);
}

/// Appends a close frame.
pub fn close(code: CloseCode, out: &mut Vec<u8>) {
    let mut payload = code.code().to_be_bytes().to_vec();
    payload.extend_from_slice(code.text().as_bytes());
    control(FIN_CLOSE, &payload, out);
}

/// A client's frame as it usually is: whole, final, masked, short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plain {
    pub kind: Kind,
    /// Where the payload starts.
    pub start: usize,
    /// Where the frame, and with it the payload, ends.
    pub end: usize,
}

/// Kinds of plain frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Binary,
    Ping,
    Pong,
}

/// The plain frame at the start of `bytes`, unmasked in place; `None`, and nothing changed, where it is anything else:
/// incomplete, fragmented, over 64 KiB, a close, a mistake.
pub fn plain(bytes: &mut [u8]) -> Option<Plain> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let kind = match first {
        FIN_TEXT => Kind::Text,
        FIN_BINARY => Kind::Binary,
        FIN_PING => Kind::Ping,
        FIN_PONG => Kind::Pong,
        _ => return None,
    };
    if second & MASKED == 0 {
        return None;
    }
    let (mask_at, payload) = match second & !MASKED {
        LENGTH_16 if matches!(kind, Kind::Text | Kind::Binary) => {
            (4, usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])))
        }
        LENGTH_16 | LENGTH_64 => return None,
        short => (2, usize::from(short)),
    };
    let start = mask_at + 4;
    let end = start + payload;
    let mask: [u8; 4] = bytes.get(mask_at..start)?.try_into().ok()?;
    unmask(bytes.get_mut(start..end)?, mask);
    Some(Plain { kind, start, end })
}

/// Eight bytes at a time; the rest one by one.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let word = u32::from_ne_bytes(mask);
    let wide = u64::from(word) << 32 | u64::from(word);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

#[cfg(test)]
mod tests {
    use super::{Framed, HEADER_MAX, Head, Kind, plain, whole, whole_length};
    use tiltyard_protocol::Encoding;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 250];
        let mut frame = vec![first];
        if let Ok(short @ 0..126) = u8::try_from(payload.len()) {
            frame.push(0x80 | short);
        } else {
            frame.push(0xFE);
            frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        }
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    #[test]
    fn plain_frames_of_every_length_come_out_unmasked() {
        for length in [0, 1, 7, 8, 9, 125, 126, 127, 1000, 65_535] {
            let payload: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut frame = masked(0x82, &payload);
            let whole = frame.len();
            frame.extend(b"next");
            let got = plain(&mut frame).unwrap();
            assert_eq!((got.kind, &frame[got.start..got.end], got.end), (Kind::Binary, payload.as_slice(), whole));
        }
    }

    #[test]
    fn anything_else_is_left_alone() {
        let frame = masked(0x81, b"hello");
        for cut in 0..frame.len() {
            let mut part = frame[..cut].to_vec();
            assert_eq!(plain(&mut part), None, "cut at {cut}");
            assert_eq!(part, &frame[..cut]);
        }
        for first in [0x01, 0x00, 0x80, 0x88, 0xC1, 0x83, 0x8B] {
            assert_eq!(plain(&mut masked(first, b"x")), None, "first byte {first:#x}");
        }
        assert_eq!(plain(&mut [0x81, 0x01, b'x']), None, "not masked");
        assert_eq!(plain(&mut masked(0x89, &[0; 126])), None, "a ping too long");
    }

    #[test]
    fn our_headers_are_as_short_as_they_can_be() {
        let mut framed = Framed::default();
        for (length, header) in [(0, 2), (125, 2), (126, 4), (65_535, 4), (65_536, 10)] {
            let frame = framed.message(Encoding::Json, |out| out.resize(out.len() + length, b'x'));
            assert_eq!(frame.len(), header + length);
            assert_eq!(frame[0], 0x81);
        }
    }

    #[test]
    fn a_message_in_two_parts_is_the_same_frame_as_in_one() {
        let mut framed = Framed::default();
        for (encoding, own, common) in [
            (Encoding::Json, 0, 0),
            (Encoding::Json, 25, 100),
            (Encoding::MsgPack, 26, 100),
            (Encoding::MsgPack, 9, 65_530),
        ] {
            let (own, common) = (vec![b'o'; own], vec![b'c'; common]);
            let mut out = b"before".to_vec();
            let mut head = Head::<{ HEADER_MAX + 26 }>::default();
            own.iter().rev().for_each(|&byte| head.put([byte]));
            head.append(encoding, &common, &mut out);
            let whole = framed.message(encoding, |out| out.extend([own, common].concat()));
            assert_eq!(&out[b"before".len()..], whole);
        }
    }

    #[test]
    fn our_frames_are_cut_between_two_of_them() {
        let (mut framed, mut all, mut ends) = (Framed::default(), Vec::new(), vec![0]);
        for length in [0, 125, 126, 65_535, 65_536, 3] {
            let frame = framed.message(Encoding::Json, |out| out.resize(out.len() + length, b'x'));
            assert_eq!(whole_length(frame), frame.len());
            all.extend_from_slice(frame);
            ends.push(all.len());
        }
        for (nth, &end) in ends.iter().enumerate() {
            assert_eq!(whole(&all, end), end);
            let next = ends.get(nth + 1).copied().unwrap_or(usize::MAX);
            assert_eq!(whole(&all, next - 1), end, "the next does not fit");
        }
        assert_eq!((whole_length(&[]), whole(&[], 9)), (0, 0));
    }
}
