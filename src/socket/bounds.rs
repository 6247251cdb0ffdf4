//! Where a client's frame ends, and whether it may be one, found without keeping its payload, however the bytes are cut.

use super::frame::{LENGTH_16, LENGTH_64, MASKED};
use super::utf8::Utf8;

/// Of a head's first byte: the last frame of its message, bits that nothing was agreed on for, and what the frame is.
const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0F;
/// In an opcode: a ping, a pong, a close.
const CONTROL: u8 = 0x08;
/// Of the second: there is a mask, and how long the payload is or how the length is written.
const LENGTH: u8 = 0x7F;
/// Bytes of a control frame's payload at most.
const CONTROL_MOST: u8 = 125;
const MASK_BYTES: usize = 4;

/// A frame on its way.
#[derive(Debug, Default)]
pub struct Bounds {
    head: [u8; Self::HEAD_MAX],
    /// How many bytes of the head there are.
    have: usize,
    /// How many bytes of the payload are to come, once the head is complete.
    left: u64,
}

/// Bytes that belong to one frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// How many there are.
    pub length: usize,
    /// At which of them the payload begins or goes on.
    pub payload: usize,
    /// What the frame was, if it ends with them.
    pub ended: Option<Ended>,
}

/// What a frame was that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// A message goes on.
    Fragment,
    /// A message is complete.
    Message,
    /// A ping, a pong, a close.
    Control,
}

impl Bounds {
    /// Two bytes, eight of length, four of mask.
    const HEAD_MAX: usize = 14;

    /// Takes of `bytes` what belongs to the frame.
    pub fn take(&mut self, bytes: &[u8]) -> Piece {
        if self.has_ended() {
            self.have = 0;
        }
        let mut rest = bytes;
        while self.have < self.head_length() {
            let Some((&byte, behind)) = rest.split_first() else {
                return Piece { length: bytes.len(), payload: bytes.len(), ended: None };
            };
            self.head[self.have] = byte;
            self.have += 1;
            rest = behind;
            if self.have == self.head_length() {
                self.left = self.payload_length();
            }
        }
        let taken = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
        self.left -= taken as u64;
        let payload = bytes.len() - rest.len();
        Piece { length: payload + taken, payload, ended: self.has_ended().then(|| self.kind()) }
    }

    /// Whether its head cannot be that of a client's frame, which its first two bytes tell; within a message that is not complete, or
    /// where there is none.
    pub fn is_wrong(&self, in_message: bool) -> bool {
        let [first, second, ..] = self.head;
        let is_out_of_place = match first & OPCODE {
            0 => !in_message,
            1 | 2 => in_message,
            8..=10 => first & FIN == 0 || second & LENGTH > CONTROL_MOST,
            _ => true,
        };
        self.have >= 2 && (first & RESERVED != 0 || second & MASKED == 0 || is_out_of_place)
    }

    /// Whether `payload`, the last bytes that were taken of a message's frame, may go on with its text. The first frame begins one.
    pub fn goes_on_with(&self, text: &mut Option<Utf8>, payload: &[u8]) -> bool {
        if self.have < self.head_length() {
            return true;
        }
        let at = self.payload_length() - self.left - payload.len() as u64;
        match self.head[0] & OPCODE {
            1 if at == 0 => *text = Some(Utf8::default()),
            0 | 1 => {}
            _ => return true,
        }
        let Some(text) = text else { return true };
        let mask = &self.head[self.head_length() - MASK_BYTES..self.head_length()];
        let mask = mask.iter().cycle().skip((at % 4) as usize);
        text.take(payload.iter().zip(mask).map(|(byte, mask)| byte ^ mask))
    }

    fn has_ended(&self) -> bool {
        self.have == self.head_length() && self.left == 0
    }

    /// Two until both are there and say how much more there is.
    fn head_length(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let length = match self.head[1] & LENGTH {
            LENGTH_16 => 2,
            LENGTH_64 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & MASKED == 0 { 0 } else { MASK_BYTES };
        2 + length + mask
    }

    fn payload_length(&self) -> u64 {
        let be = |bytes: &[u8]| bytes.iter().fold(0, |length, &byte| length << 8 | u64::from(byte));
        match self.head[1] & LENGTH {
            LENGTH_16 => be(&self.head[2..4]),
            LENGTH_64 => be(&self.head[2..10]),
            short => u64::from(short),
        }
    }

    const fn kind(&self) -> Ended {
        if self.head[0] & CONTROL != 0 {
            Ended::Control
        } else if self.head[0] & FIN != 0 {
            Ended::Message
        } else {
            Ended::Fragment
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Ended, Piece, Utf8};
    use proptest::prelude::*;

    /// A frame with that first byte, masked or not, and its length written in the shortest form or a longer one.
    fn frame(first: u8, masked: bool, length: usize, longer: bool) -> Vec<u8> {
        let mask = if masked { 0x80 } else { 0 };
        let mut frame = vec![first];
        if longer || length > 65_535 {
            frame.push(mask | 0x7F);
            frame.extend((length as u64).to_be_bytes());
        } else if let Ok(short @ 0..126) = u8::try_from(length) {
            frame.push(mask | short);
        } else {
            frame.push(mask | 0x7E);
            frame.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        frame.extend(vec![0xAA; if masked { 4 } else { 0 }]);
        frame.extend(vec![0xFF; length]);
        frame
    }

    proptest! {
        #[test]
        fn frames_end_where_they_end_however_they_are_cut(
            frames in prop::collection::vec(
                (prop::sample::select(vec![0x81_u8, 0x01, 0x00, 0x80, 0x89, 0x88]), any::<bool>(), 0_usize..400, any::<bool>()),
                1..8,
            ),
            cuts in prop::collection::vec(1_usize..200, 1..50),
        ) {
            let frames: Vec<Vec<u8>> = frames.into_iter().map(|(f, m, n, l)| frame(f, m, n, l)).collect();
            let all = frames.concat();
            let (mut bounds, mut at, mut begun, mut ends) = (Bounds::default(), 0, 0, Vec::new());
            for cut in cuts.into_iter().cycle() {
                let mut chunk = &all[at..all.len().min(at + cut)];
                at += chunk.len();
                while !chunk.is_empty() {
                    let Piece { length, ended, .. } = bounds.take(chunk);
                    chunk = &chunk[length..];
                    begun += length;
                    if let Some(ended) = ended {
                        ends.push((begun, ended));
                        begun = 0;
                    }
                }
                if at == all.len() {
                    break;
                }
            }
            let wanted: Vec<_> = frames
                .iter()
                .map(|frame| {
                    let kind = match frame[0] {
                        0x81 | 0x80 => Ended::Message,
                        0x01 | 0x00 => Ended::Fragment,
                        _ => Ended::Control,
                    };
                    (frame.len(), kind)
                })
                .collect();
            prop_assert_eq!(ends, wanted);
        }
    }

    #[test]
    fn a_length_beyond_everything_never_ends() {
        let mut bounds = Bounds::default();
        let mut head = vec![0x82, 0xFF];
        head.extend(u64::MAX.to_be_bytes());
        head.extend([0; 4]);
        assert_eq!(bounds.take(&head), Piece { length: 14, payload: 14, ended: None });
        assert_eq!(bounds.take(&[0; 1000]), Piece { length: 1000, payload: 0, ended: None });
    }

    #[test]
    fn every_head_that_is_none_is_known_by_its_second_byte() {
        for first in 0..=u8::MAX {
            for second in 0..=u8::MAX {
                for in_message in [false, true] {
                    let mut bounds = Bounds::default();
                    bounds.take(&[first]);
                    assert!(!bounds.is_wrong(in_message), "it is not all there");
                    bounds.take(&[second]);
                    let may_be = match first {
                        0x00 | 0x80 => in_message,
                        0x01 | 0x02 | 0x81 | 0x82 => !in_message,
                        0x88..=0x8A => second <= 0x80 + 125,
                        _ => false,
                    };
                    assert_eq!(
                        bounds.is_wrong(in_message),
                        !(may_be && second >= 0x80),
                        "{first:x} {second:x} {in_message}"
                    );
                }
            }
        }
    }

    #[test]
    fn text_goes_on_from_frame_to_frame_whatever_is_between_them_and_however_it_is_cut() {
        let mask = [0x11, 0x22, 0x44, 0x88];
        let masked = |first: u8, payload: &[u8]| {
            let length = u8::try_from(payload.len()).unwrap();
            let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
            [vec![first, 0x80 | length], mask.to_vec(), payload.collect()].concat()
        };
        // The last bytes of a character come behind a ping whose payload is no text.
        let begin =
            [masked(0x01, b""), masked(0x00, "h\u{e9}llo \u{1F40E}".as_bytes()), masked(0x00, b"\xF0\x9F")].concat();
        let ping = masked(0x89, &[0xFF; 3]);
        for (end, is_text) in [(b"\x90\x8E", true), (b"\x90\x41", false)] {
            let bytes = [begin.clone(), ping.clone(), masked(0x80, end)].concat();
            for size in 1..bytes.len() {
                let (mut bounds, mut text) = (Bounds::default(), None::<Utf8>);
                let goes_on = bytes.chunks(size).all(|mut chunk| {
                    let mut goes_on = true;
                    while !chunk.is_empty() {
                        let Piece { length, payload, .. } = bounds.take(chunk);
                        goes_on &= bounds.goes_on_with(&mut text, &chunk[payload..length]);
                        chunk = &chunk[length..];
                    }
                    goes_on
                });
                assert_eq!(goes_on, is_text, "in pieces of {size}");
            }
        }
        // Whatever bytes are not text's.
        let (mut bounds, mut text) = (Bounds::default(), None);
        let Piece { payload, .. } = bounds.take(&masked(0x82, &[0xFF; 3]));
        assert!(bounds.goes_on_with(&mut text, &masked(0x82, &[0xFF; 3])[payload..]));
    }
}
