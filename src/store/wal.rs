//! What of SQLite's write-ahead log is whole, looked at before SQLite does: it goes on from what is before the first frame that does
//! not fit, and says nothing of what is behind.
//!
//! ```text
//! magic u32 | version u32 | page size u32 | checkpoint u32 | salts 2 × u32 | checksum 2 × u32
//! page u32 | pages after the commit u32, or 0 | salts | checksum | the page        and so on, big-endian
//! ```
//!
//! A frame's checksum goes on from that of the frame before, so each can be compared once that is read. A transaction that was
//! broken off leaves frames at the end and no commit behind them; a commit behind damage was acknowledged.

use std::fs;
use std::io;
use std::path::Path;

use thiserror::Error;

const MAGIC: u32 = 0x377f_0682;
const HEADER: usize = 32;
const FRAME: usize = 24;

/// How a write-ahead log is damaged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WalDamage {
    #[error("its heading is damaged, so that nothing in its {bytes} bytes is read")]
    Heading { bytes: usize },
    #[error("damaged at byte {offset}; {commits} commits behind it are whole")]
    Frame { offset: usize, commits: u64 },
}

/// Looks at the log at `path`. `None` where nothing that was acknowledged is known to be lost.
pub fn look(path: &Path) -> io::Result<Option<WalDamage>> {
    match fs::read(path) {
        Ok(bytes) => Ok(damage(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn damage(bytes: &[u8]) -> Option<WalDamage> {
    // No frame: nothing was committed into it.
    let (header, frames) = bytes.split_at_checked(HEADER).filter(|(_, frames)| !frames.is_empty())?;
    let heading = WalDamage::Heading { bytes: bytes.len() };
    let (magic, page) = (word(header, 0), word(header, 8) as usize);
    let little = magic == MAGIC;
    if (!little && magic != MAGIC | 1) || checksum((0, 0), &header[..24], little) != pair(header, 24) {
        // A file that a loss of power has left as zeros was never read from either.
        return header.iter().any(|byte| *byte != 0).then_some(heading);
    }
    if !page.is_power_of_two() || !(512..=65_536).contains(&page) {
        return Some(heading);
    }
    let (salts, mut before) = (pair(header, 16), pair(header, 24));
    let (mut bad, mut commits) = (None, 0);
    for (number, frame) in frames.chunks_exact(FRAME + page).enumerate() {
        let sum = checksum(checksum(before, &frame[..8], little), &frame[FRAME..], little);
        before = pair(frame, 16);
        let whole = pair(frame, 8) == salts && sum == before;
        match bad {
            None if !whole => bad = Some(HEADER + number * (FRAME + page)),
            Some(_) if whole && word(frame, 4) > 0 => commits += 1,
            _ => {}
        }
    }
    bad.filter(|_| commits > 0).map(|offset| WalDamage::Frame { offset, commits })
}

fn checksum((mut a, mut b): (u32, u32), bytes: &[u8], little: bool) -> (u32, u32) {
    for words in bytes.chunks_exact(8) {
        let read = |at: usize| {
            let bytes = [words[at], words[at + 1], words[at + 2], words[at + 3]];
            if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) }
        };
        a = a.wrapping_add(read(0)).wrapping_add(b);
        b = b.wrapping_add(read(4)).wrapping_add(a);
    }
    (a, b)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn pair(bytes: &[u8], at: usize) -> (u32, u32) {
    (word(bytes, at), word(bytes, at + 4))
}
