//! What of a delta is its recipient's own, in front of what all have in common who are shown the same: `id`, the highest action of its own
//! that is applied. Written by hand, as there is one for each recipient.

use tiltyard_protocol::Encoding;

use crate::socket::frame;

/// In front of the id.
const JSON: &[u8] = br#"{"t":"delta","d":{"id":"#;
/// In front of the size of the payload's map, and behind that.
const MSGPACK: &[u8] = b"\x82\xA1t\xA5delta\xA1d";
const MSGPACK_ID: &[u8] = b"\xA2id";
/// The bits of a small map's size that say that it is one.
const SMALL_MAP: u8 = 0x80;
/// The longest number: 20 digits, and a comma.
const NUMBER_MAX: usize = 21;

/// Appends the frame of a delta with this `id`. `common` is the payload without it: of JSON without the brace it begins with, of
/// `MessagePack` with the size that it has without it.
pub fn append(encoding: Encoding, id: u64, common: &[u8], out: &mut Vec<u8>) {
    let mut own = Own::new();
    match encoding {
        Encoding::Json => {
            own.put(JSON);
            own.put(itoa::Buffer::new().format(id).as_bytes());
            own.put(b",");
            frame::append(encoding, own.bytes(), common, out);
        }
        Encoding::MsgPack => {
            let Some((&size, fields)) = common.split_first() else { return };
            debug_assert!((SMALL_MAP..SMALL_MAP + 15).contains(&size), "a map with room for one more field");
            own.put(MSGPACK);
            own.put(&[size + 1]);
            own.put(MSGPACK_ID);
            own.put_number(id);
            frame::append(encoding, own.bytes(), fields, out);
        }
    }
}

/// Room for the part.
struct Own {
    bytes: [u8; JSON.len() + NUMBER_MAX],
    length: usize,
}

impl Own {
    const fn new() -> Self {
        Self { bytes: [0; JSON.len() + NUMBER_MAX], length: 0 }
    }

    fn put(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    /// As short as it can be, as the general encoder does.
    fn put_number(&mut self, number: u64) {
        let bytes = number.to_be_bytes();
        match number {
            0..=0x7F => self.put(&bytes[7..]),
            0x80..=0xFF => self.put(&[0xCC, bytes[7]]),
            0x100..=0xFFFF => {
                self.put(&[0xCD]);
                self.put(&bytes[6..]);
            }
            0x1_0000..=0xFFFF_FFFF => {
                self.put(&[0xCE]);
                self.put(&bytes[4..]);
            }
            _ => {
                self.put(&[0xCF]);
                self.put(&bytes);
            }
        }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::{Delta, Encoding, ServerMessage};

    use super::append;

    #[test]
    fn every_id_is_written_as_the_general_encoder_writes_it() {
        let edges = [0, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000, 0xFFFF_FFFF, 0x1_0000_0000, 1 << 53, u64::MAX];
        for id in edges.into_iter().chain((0..64).map(|bit| (1_u64 << bit) - 1)) {
            let delta = Delta { id, s: 5, q: 6, at: 7, time: 8, ..Delta::default() };
            for (encoding, common) in [
                (Encoding::Json, &br#""s":5,"q":6,"at":7,"time":8}}"#[..]),
                (Encoding::MsgPack, b"\x84\xA1s\x05\xA1q\x06\xA2at\x07\xA4time\x08"),
            ] {
                let (mut frame, mut whole) = (Vec::new(), Vec::new());
                append(encoding, id, common, &mut frame);
                encoding.encode(&ServerMessage::Delta(delta.clone()), &mut whole);
                assert_eq!(String::from_utf8_lossy(&frame[2..]), String::from_utf8_lossy(&whole));
            }
        }
    }
}
