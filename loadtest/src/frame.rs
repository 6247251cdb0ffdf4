//! WebSocket's framing, both ways, by hand: at half a million frames a second the general library would be most of the
//! cost. Fragmented messages are refused; the servers driven here never send one.

use std::fmt;

/// The longest payload taken, far above the largest snapshot and below the receive buffer's size, so that a frame that
/// has begun always fits.
pub const PAYLOAD_MAX: usize = 128 * 1024;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// Why bytes are not a frame this harness takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadFrame {
    /// Reserved bits, an unknown opcode, or a part of a fragmented message; the first byte.
    Unsupported(u8),
    /// Masked where it must not be, or the other way round.
    Masking,
    /// Longer than [`PAYLOAD_MAX`].
    TooLong(u64),
}

/// The header of a frame that is complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub kind: Kind,
    /// Where the payload starts and ends, from the first byte of the frame.
    pub start: usize,
    pub end: usize,
    key: Option<[u8; 4]>,
}

impl Kind {
    const fn opcode(self) -> u8 {
        match self {
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

/// Reads the header of the frame at the start of `bytes`; `None` while the frame is not complete.
fn head(bytes: &[u8]) -> Result<Option<Head>, BadFrame> {
    let &[first, second, ..] = bytes else { return Ok(None) };
    let kind = match first {
        0x81 => Kind::Text,
        0x82 => Kind::Binary,
        0x88 => Kind::Close,
        0x89 => Kind::Ping,
        0x8A => Kind::Pong,
        other => return Err(BadFrame::Unsupported(other)),
    };
    let (length, after) = match second & 0x7F {
        126 => match bytes[2..].first_chunk() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 4),
            None => return Ok(None),
        },
        127 => match bytes[2..].first_chunk() {
            Some(length) => (u64::from_be_bytes(*length), 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    let length =
        usize::try_from(length).ok().filter(|&length| length <= PAYLOAD_MAX).ok_or(BadFrame::TooLong(length))?;
    let key = if second & 0x80 == 0 {
        None
    } else {
        let Some(&key) = bytes.get(after..).and_then(<[u8]>::first_chunk::<4>) else { return Ok(None) };
        Some(key)
    };
    let start = after + if key.is_some() { 4 } else { 0 };
    let end = start + length;
    Ok((bytes.len() >= end).then_some(Head { kind, start, end, key }))
}

/// The server's frame at the start of `bytes`; `None` while it is not complete.
pub fn from_server(bytes: &[u8]) -> Result<Option<Head>, BadFrame> {
    match head(bytes)? {
        Some(Head { key: Some(_), .. }) => Err(BadFrame::Masking),
        other => Ok(other),
    }
}

/// The client's frame at the start of `bytes`, its payload unmasked in place; `None` while it is not complete.
pub fn from_client(bytes: &mut [u8]) -> Result<Option<Head>, BadFrame> {
    let Some(head) = head(bytes)? else { return Ok(None) };
    mask(&mut bytes[head.start..head.end], head.key.ok_or(BadFrame::Masking)?);
    Ok(Some(head))
}

/// Appends a client's frame: masked with `key`.
pub fn to_server(out: &mut Vec<u8>, kind: Kind, payload: &[u8], key: [u8; 4]) {
    push_head(out, kind, payload.len(), 0x80);
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    mask(&mut out[start..], key);
}

/// Appends a server's frame.
pub fn to_client(out: &mut Vec<u8>, kind: Kind, payload: &[u8]) {
    push_head(out, kind, payload.len(), 0);
    out.extend_from_slice(payload);
}

#[allow(clippy::cast_possible_truncation)] // Each arm's pattern is the range of its type.
fn push_head(out: &mut Vec<u8>, kind: Kind, length: usize, masked: u8) {
    out.push(0x80 | kind.opcode());
    match length {
        0..126 => out.push(masked | length as u8),
        126..0x1_0000 => {
            out.push(masked | 0x7E);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | 0x7F);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

fn mask(bytes: &mut [u8], key: [u8; 4]) {
    let word = u32::from_ne_bytes(key);
    let (words, rest) = bytes.as_chunks_mut::<4>();
    for chunk in words {
        *chunk = (u32::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(key) {
        *byte ^= key;
    }
}

impl fmt::Display for BadFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsupported(first) => write!(f, "a frame that starts with {first:#04x} is not understood"),
            Self::Masking => f.write_str("a frame masked in the wrong direction"),
            Self::TooLong(length) => write!(f, "a frame of {length} bytes"),
        }
    }
}

impl std::error::Error for BadFrame {}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 4] = [0x11, 0x80, 0xFE, 0x5A];

    #[test]
    fn every_length_survives_both_directions() {
        for length in [0, 1, 3, 4, 125, 126, 127, 65_535, 65_536, PAYLOAD_MAX] {
            let payload: Vec<u8> = (0..=250).cycle().take(length).collect();
            let mut bytes = Vec::new();
            to_server(&mut bytes, Kind::Text, &payload, KEY);
            let found = from_client(&mut bytes).unwrap().unwrap();
            assert_eq!((found.kind, &bytes[found.start..found.end]), (Kind::Text, &payload[..]));

            bytes.clear();
            to_client(&mut bytes, Kind::Ping, &payload);
            let found = from_server(&bytes).unwrap().unwrap();
            assert_eq!((found.kind, &bytes[found.start..found.end]), (Kind::Ping, &payload[..]));
            assert_eq!(found.end, bytes.len());
        }
    }

    #[test]
    fn no_prefix_of_a_frame_is_a_frame() {
        for length in [5, 200, 70_000] {
            let mut bytes = Vec::new();
            to_client(&mut bytes, Kind::Text, &vec![b'x'; length]);
            for cut in (0..bytes.len()).filter(|cut| *cut < 20 || cut % 997 == 0) {
                assert_eq!(from_server(&bytes[..cut]), Ok(None), "{cut} of {length}");
            }
        }
    }

    #[test]
    fn a_masked_frame_is_really_masked() {
        let mut bytes = Vec::new();
        to_server(&mut bytes, Kind::Text, b"hello", KEY);
        assert_eq!(bytes[..6], [0x81, 0x85, 0x11, 0x80, 0xFE, 0x5A]);
        assert_eq!(bytes[6], b'h' ^ 0x11);
        assert_eq!(bytes[10], b'o' ^ 0x11);
    }

    #[test]
    fn what_is_not_a_frame_is_refused() {
        let check = |bytes: &[u8], expected| assert_eq!(from_server(bytes), Err(expected));
        check(&[0x01, 0], BadFrame::Unsupported(0x01));
        check(&[0x80, 0], BadFrame::Unsupported(0x80));
        check(&[0xC1, 0], BadFrame::Unsupported(0xC1));
        check(&[0x81, 0x80, 0, 0, 0, 0], BadFrame::Masking);
        check(&[0x81, 127, 0, 0, 0, 0, 1, 0, 0, 0], BadFrame::TooLong(1 << 24));
        assert_eq!(from_client(&mut [0x81, 1, b'x']), Err(BadFrame::Masking));
    }
}
