//! Where the frames of a server stand that are passed on as they come: between two of them something can be said, within one it cannot.

use super::frame::{LENGTH_16, LENGTH_64};

/// Opcode of a close frame, which is never fragmented.
const CLOSE: u8 = 0x8;

/// Follows frames by their headers, however these are cut, and looks at nothing else of them. They are a server's, so not masked.
#[derive(Debug, Default)]
pub struct Passing {
    /// The first bytes of the header that is on its way.
    header: [u8; 10],
    /// How many of them have come.
    came: usize,
    /// Bytes of the frame's payload that are still to come.
    left: u64,
    has_closed: bool,
}

impl Passing {
    /// Whether what was passed on ends with a whole frame.
    pub const fn is_between(&self) -> bool {
        self.came == 0 && self.left == 0
    }

    /// Whether a close frame was passed on, or its beginning: nothing comes after it.
    pub const fn has_closed(&self) -> bool {
        self.has_closed
    }

    /// Follows these bytes to their end.
    pub fn pass(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            bytes = &bytes[self.step(bytes)..];
        }
    }

    /// Follows these bytes to the end of the frame that is on its way or begins with them, but no further; how many they are.
    pub fn step(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.left > 0 {
                let rest = bytes.len() - at;
                let part = usize::try_from(self.left).map_or(rest, |left| left.min(rest));
                self.left -= part as u64;
                at += part;
            } else {
                self.header[self.came] = bytes[at];
                self.came += 1;
                at += 1;
                let Some(length) = self.length() else { continue };
                self.has_closed |= self.header[0] & 0x0F == CLOSE;
                (self.came, self.left) = (0, length);
            }
            if self.left == 0 {
                break;
            }
        }
        at
    }

    /// The payload's length, where the header is whole.
    fn length(&self) -> Option<u64> {
        let [_, short, long @ ..] = self.header;
        match (short, self.came) {
            (_, 0 | 1) => None,
            (LENGTH_16, came) => (came == 4).then(|| u64::from(u16::from_be_bytes([long[0], long[1]]))),
            (LENGTH_64, came) => (came == 10).then(|| u64::from_be_bytes(long)),
            (short, _) => Some(u64::from(short)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Passing;
    use crate::socket::frame::{self, Framed};
    use proptest::prelude::*;
    use tiltyard_protocol::{CloseCode, Encoding};

    /// Frames of these lengths, pings between them, and where each ends.
    fn frames(lengths: &[usize]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let mut framed = Framed::default();
        for &length in lengths {
            bytes.extend_from_slice(framed.message(Encoding::MsgPack, |out| out.resize(out.len() + length, 0x88)));
            ends.push(bytes.len());
            frame::ping(&mut bytes);
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    #[test]
    fn every_length_has_its_end_and_no_payload_is_taken_for_a_close() {
        let (bytes, ends) = frames(&[0, 1, 125, 126, 65_535, 65_536, 200_000]);
        let (mut passing, mut at, mut found) = (Passing::default(), 0, Vec::new());
        while at < bytes.len() {
            at += passing.step(&bytes[at..]);
            assert!(passing.is_between());
            found.push(at);
        }
        assert_eq!(found, ends);
        assert!(!passing.has_closed());
    }

    #[test]
    fn a_close_is_seen_as_soon_as_it_begins() {
        let (mut passing, mut bytes) = (Passing::default(), Vec::new());
        frame::close(CloseCode::SessionEnded, &mut bytes);
        passing.pass(&bytes[..2]);
        assert!(passing.has_closed() && !passing.is_between());
        passing.pass(&bytes[2..]);
        assert!(passing.has_closed() && passing.is_between());
    }

    proptest! {
        #[test]
        fn is_between_frames_there_alone_however_they_are_cut(
            lengths in prop::collection::vec(prop_oneof![0..300_usize, 65_400..65_700_usize], 1..6),
            cuts in prop::collection::vec(1..70_000_usize, 1..20),
        ) {
            let (bytes, ends) = frames(&lengths);
            let (mut passing, mut at) = (Passing::default(), 0);
            for cut in cuts.iter().cycle() {
                prop_assert_eq!(passing.is_between(), at == 0 || ends.contains(&at));
                if at == bytes.len() {
                    break;
                }
                let end = (at + cut).min(bytes.len());
                passing.pass(&bytes[at..end]);
                at = end;
            }
        }
    }
}
