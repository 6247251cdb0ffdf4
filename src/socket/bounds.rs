//! Where a client's frame ends, found without keeping its payload, however the bytes are cut.

/// A frame on its way.
#[derive(Debug, Default)]
pub struct Bounds {
    head: [u8; Self::HEAD_MAX],
    /// How many bytes of the head there are.
    have: usize,
    /// How many bytes of the payload are to come, once the head is complete.
    left: u64,
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

    /// Takes of `bytes` what belongs to the frame, and says how much that is and what the frame was if it ends there.
    pub fn take(&mut self, bytes: &[u8]) -> (usize, Option<Ended>) {
        let mut rest = bytes;
        while self.have < self.head_length() {
            let Some((&byte, behind)) = rest.split_first() else { return (bytes.len(), None) };
            self.head[self.have] = byte;
            self.have += 1;
            rest = behind;
            if self.have == self.head_length() {
                self.left = self.payload_length();
            }
        }
        let taken = usize::try_from(self.left).map_or(rest.len(), |left| left.min(rest.len()));
        self.left -= taken as u64;
        let used = bytes.len() - rest.len() + taken;
        if self.left > 0 {
            return (used, None);
        }
        self.have = 0;
        (used, Some(self.kind()))
    }

    /// Two until both are there and say how much more there is.
    fn head_length(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let length = match self.head[1] & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask = if self.head[1] & 0x80 == 0 { 0 } else { 4 };
        2 + length + mask
    }

    fn payload_length(&self) -> u64 {
        let be = |bytes: &[u8]| bytes.iter().fold(0, |length, &byte| length << 8 | u64::from(byte));
        match self.head[1] & 0x7F {
            126 => be(&self.head[2..4]),
            127 => be(&self.head[2..10]),
            short => u64::from(short),
        }
    }

    const fn kind(&self) -> Ended {
        if self.head[0] & 0x08 != 0 {
            Ended::Control
        } else if self.head[0] & 0x80 != 0 {
            Ended::Message
        } else {
            Ended::Fragment
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Bounds, Ended};
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
                    let (used, ended) = bounds.take(chunk);
                    chunk = &chunk[used..];
                    begun += used;
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
        assert_eq!(bounds.take(&head), (14, None));
        assert_eq!(bounds.take(&[0; 1000]), (1000, None));
    }
}
