//! The file: a head, the tape, and where it ends.

use serde::{Deserialize, Serialize};

use super::{MAGIC, MOST_BYTES, MOST_TEXT_BYTES, ReadError, Replay, VERSION};
use crate::fight::MOST_SEATS;
use crate::{Mode, PlayerId, Rules, Setup};

/// Numbers of a ruleset that a file may name.
const MOST_NUMBERS: usize = 1024;

/// What stands in front of the tape.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    session: u128,
    created_at: u64,
    text: String,
    hash: [u8; 32],
    mode: Mode,
    /// By name, so that a version with more settings reads the file.
    numbers: Vec<(String, u32)>,
    seats: u8,
    participants: Vec<PlayerId>,
    teams: Vec<u8>,
    seed: u64,
}

impl Replay {
    /// The file.
    pub fn encode(&self) -> Vec<u8> {
        let named = Rules::SETTINGS.iter().zip(self.setup.rules.values());
        let head = Head {
            session: self.session,
            created_at: self.created_at,
            text: self.text.clone(),
            hash: self.hash,
            mode: self.setup.mode,
            numbers: named.map(|(setting, value)| (setting.name.to_owned(), value)).collect(),
            seats: self.setup.seats,
            participants: self.setup.participants.clone(),
            teams: self.setup.teams.clone(),
            seed: self.setup.seed,
        };
        let mut out = Vec::with_capacity(self.text.len() + self.tape.len() + 4096);
        out.extend(MAGIC);
        out.extend(VERSION.to_le_bytes());
        out = append(&self.revision, out);
        out = append(&head, out);
        out = append(&(self.tape.len() as u64), out);
        out.extend(&self.tape);
        out = append(&self.end, out);
        out = append(&self.cut, out);
        let checksum = crc32fast::hash(&out);
        out.extend(checksum.to_le_bytes());
        out
    }

    /// Reads a file. Its tape is read when it is played.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReadError> {
        if bytes.len() > MOST_BYTES {
            return Err(ReadError::TooLarge(bytes.len()));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or(ReadError::NoReplay)?;
        let (version, rest) = rest.split_first_chunk::<4>().ok_or(ReadError::NoReplay)?;
        let version = u32::from_le_bytes(*version);
        if !(1..=VERSION).contains(&version) {
            return Err(ReadError::Version(version));
        }
        let (rest, checksum) = rest.split_last_chunk::<4>().ok_or(ReadError::Malformed("it ends too soon"))?;
        if crc32fast::hash(&bytes[..bytes.len() - 4]) != u32::from_le_bytes(*checksum) {
            return Err(ReadError::Checksum);
        }
        let (revision, rest) = if version == 1 { (0, rest) } else { take(rest, "its revision")? };
        let (head, rest): (Head, _) = take(rest, "its head")?;
        let (length, rest): (u64, _) = take(rest, "the length of its tape")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (tape, rest) = rest.split_at_checked(length).ok_or(ReadError::Malformed("the length of its tape"))?;
        let (end, rest) = take(rest, "its end")?;
        let (cut, rest) = if version == 1 { (None, rest) } else { take(rest, "how it was cut")? };
        if !rest.is_empty() {
            return Err(ReadError::Malformed("there is something behind its end"));
        }
        Ok(Self {
            session: head.session,
            created_at: head.created_at,
            revision,
            hash: head.hash,
            setup: head.setup()?,
            text: head.text,
            tape: tape.to_vec(),
            end,
            cut,
        })
    }
}

impl Head {
    fn setup(&self) -> Result<Setup, ReadError> {
        let most = usize::from(MOST_SEATS);
        if self.text.len() > MOST_TEXT_BYTES {
            return Err(ReadError::Malformed("the ruleset's text is too long"));
        }
        if self.seats > MOST_SEATS || self.participants.len() > most || self.teams.len() > most {
            return Err(ReadError::Malformed("more seats than there can be"));
        }
        if self.numbers.len() > MOST_NUMBERS {
            return Err(ReadError::Malformed("more numbers than a ruleset has"));
        }
        let mut rules = Rules::default();
        for (name, value) in &self.numbers {
            rules.set(name, Some(u64::from(*value)))?;
        }
        rules.check()?;
        Ok(Setup {
            mode: self.mode,
            rules,
            seats: self.seats,
            participants: self.participants.clone(),
            teams: self.teams.clone(),
            seed: self.seed,
        })
    }
}

pub(super) fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &'static str) -> Result<(T, &'a [u8]), ReadError> {
    postcard::take_from_bytes(bytes).map_err(|_| ReadError::Malformed(what))
}

pub(super) fn append<T: Serialize>(value: &T, out: Vec<u8>) -> Vec<u8> {
    postcard::to_extend(value, out).expect("nothing in a replay is a value that postcard refuses")
}
