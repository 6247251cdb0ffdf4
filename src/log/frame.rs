//! Frames: what of a file is whole. `length u32 | checksum u32 | check u32 | payload`, little-endian; `checksum` is the payload's,
//! `check` that of the length and the checksum, under the file's salt.
//!
//! Behind the last frame is an empty one, which the next frame takes the place of: without it the file has been cut off, be it exactly
//! between two frames.
//!
//! So a length that was changed on the disk is known for what it is, and frames can be found again behind damage: that tells the
//! end that a loss of power tears off, behind which there is nothing, from damage in the middle of what was acknowledged.

use thiserror::Error;

/// Length, checksum and check in front of a payload.
pub const HEADER: usize = 12;

/// Why a frame cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Damage {
    #[error("the file ends inside a frame")]
    Torn,
    #[error("there is no frame's head, or a changed one")]
    Head,
    #[error("a frame's checksum does not fit its bytes")]
    Checksum,
    #[error("a frame with a fitting checksum has an entry that cannot be decoded")]
    Entry,
}

/// The polynomial of the checksum, as it is shifted to the right.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// Whole frames behind damage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behind {
    pub frames: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Fills in the head of the frame in `frame`, whose first [`HEADER`] bytes are reserved.
pub fn seal(frame: &mut [u8], salt: u32) {
    let (head, payload) = frame.split_at_mut(HEADER);
    let length =
        u32::try_from(payload.len()).expect("a turn's entries are bounded by the inbox and the receive buffer");
    head[..4].copy_from_slice(&length.to_le_bytes());
    head[4..8].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
    let check = check(&head[..8], salt);
    head[8..].copy_from_slice(&check.to_le_bytes());
}

/// The empty frame that a file ends with.
pub fn end(salt: u32) -> [u8; HEADER] {
    let mut end = [0; HEADER];
    seal(&mut end, salt);
    end
}

/// Takes the first frame off `bytes` and returns its payload; `None` at the end. `bytes` is left as it is where there is damage.
pub fn next<'a>(bytes: &mut &'a [u8], salt: u32) -> Result<Option<&'a [u8]>, Damage> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (head, rest) = bytes.split_at_checked(HEADER).ok_or(Damage::Torn)?;
    if check(&head[..8], salt) != word(head, 8) {
        return Err(Damage::Head);
    }
    let (payload, rest) = rest.split_at_checked(word(head, 0) as usize).ok_or(Damage::Torn)?;
    if crc32fast::hash(payload) != word(head, 4) {
        return Err(Damage::Checksum);
    }
    *bytes = rest;
    Ok(Some(payload))
}

/// Where in `bytes`, which begin with damage, the first whole frame behind it begins; their length where there is none.
pub fn skip(bytes: &[u8], salt: u32) -> usize {
    (1..bytes.len()).find(|&at| matches!(next(&mut &bytes[at..], salt), Ok(Some(_)))).unwrap_or(bytes.len())
}

/// The whole frames in `bytes`, which begin with damage: wherever one begins. Those whose payload `counts`.
pub fn behind(bytes: &[u8], salt: u32, mut counts: impl FnMut(&[u8]) -> bool) -> Behind {
    let (mut found, mut rest) = (Behind::default(), &bytes[skip(bytes, salt)..]);
    while !rest.is_empty() {
        let before = rest.len();
        if let Ok(Some(payload)) = next(&mut rest, salt) {
            if counts(payload) {
                found.frames += 1;
                found.bytes += (before - rest.len()) as u64;
            }
        } else {
            rest = &rest[skip(rest, salt)..];
        }
    }
    found
}

/// The salt that the frame at the beginning of `bytes` was sealed under, if it is whole: for a file that no longer says it.
pub fn salt_of(bytes: &[u8]) -> Option<u32> {
    let (head, rest) = bytes.split_at_checked(HEADER)?;
    let payload = rest.get(..word(head, 0) as usize).filter(|payload| !payload.is_empty())?;
    if crc32fast::hash(payload) != word(head, 4) {
        return None;
    }
    // The steps of the check, backwards.
    let mut state = !word(head, 8);
    for &byte in head[..8].iter().rev() {
        for _ in 0..8 {
            state = if state >> 31 == 1 { ((state ^ POLYNOMIAL) << 1) | 1 } else { state << 1 };
        }
        state ^= u32::from(byte);
    }
    Some(!state)
}

fn check(length_and_checksum: &[u8], salt: u32) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(length_and_checksum);
    hasher.finalize()
}

fn word(head: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::{Behind, Damage, HEADER, behind, next, salt_of, seal};

    const SALT: u32 = 77;

    fn frame(payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![0; HEADER];
        frame.extend(payload);
        seal(&mut frame, SALT);
        frame
    }

    #[test]
    fn a_frame_comes_back_as_it_was_written() {
        let frames = [frame(b"one"), frame(b"another")].concat();
        let mut rest = frames.as_slice();
        assert_eq!(next(&mut rest, SALT), Ok(Some(&b"one"[..])));
        assert_eq!(next(&mut rest, SALT), Ok(Some(&b"another"[..])));
        assert_eq!(next(&mut rest, SALT), Ok(None));
        assert_eq!(next(&mut frames.as_slice(), SALT + 1), Err(Damage::Head), "one of another file");
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_noticed_and_what_follows_is_found() {
        let (one, two) = (frame(b"what is to be read"), frame(b"what follows"));
        let both = [&one[..], &two[..]].concat();
        let follows = Behind { frames: 1, bytes: two.len() as u64 };
        for bit in 0..one.len() * 8 {
            let mut bad = both.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(next(&mut bad.as_slice(), SALT).is_err(), "bit {bit}");
            assert_eq!(behind(&bad, SALT, |_| true), follows, "bit {bit}");
            let torn = &bad[..one.len() + two.len() - 1];
            assert_eq!(behind(torn, SALT, |_| true), Behind::default(), "bit {bit}, torn behind");
        }
        for cut in 1..one.len() {
            assert_eq!(next(&mut &one[..cut], SALT), Err(Damage::Torn), "cut at {cut}");
        }
    }

    #[test]
    fn zeros_are_no_frames() {
        assert_eq!(next(&mut &[0; 64][..], SALT), Err(Damage::Head));
        assert_eq!(behind(&[0; 64], SALT, |_| true), Behind::default());
        assert_eq!(salt_of(&[0; 64]), None);
    }

    #[test]
    fn a_whole_frame_tells_its_salt() {
        for salt in [0, 1, SALT, 0x8000_0000, u32::MAX] {
            let mut frame = frame(b"what is to be read");
            seal(&mut frame, salt);
            assert_eq!(salt_of(&frame), Some(salt));
            frame[HEADER] ^= 1;
            assert_eq!(salt_of(&frame), None);
        }
    }
}
