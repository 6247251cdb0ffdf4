//! Ids: how they are written, which shard they belong to, and how tables of them hash.

use std::hash::Hasher;

use uuid::Uuid;

/// A uuid with its hyphens, in either case, and in no other form.
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    if text.len() == uuid::fmt::Hyphenated::LENGTH { Uuid::try_parse(text).ok() } else { None }
}

/// The shard, of `shards`, that owns `session`: by the random tail of its id.
#[allow(clippy::cast_possible_truncation)] // The low word is what is wanted.
pub fn shard_of(session: Uuid, shards: usize) -> usize {
    session.as_u128() as u32 as usize % shards
}

/// Takes the random tail of a session's id for its hash: the server draws the ids, so nobody can choose them to collide.
#[derive(Debug, Clone, Copy, Default)]
pub struct TailHasher(u64);

impl Hasher for TailHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(tail) = bytes.last_chunk::<8>() {
            self.0 = u64::from_le_bytes(*tail);
        }
    }

    fn write_usize(&mut self, _length: usize) {}
}

/// How a hash is written.
pub fn hex(hash: &[u8; 32]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use crate::session::parse_uuid;

    #[test]
    fn takes_one_form() {
        assert!(parse_uuid("01890a5d-ac96-774b-bcce-b302099a8057").is_some());
        assert!(parse_uuid("01890A5D-AC96-774B-BCCE-B302099A8057").is_some());
        for bad in [
            "",
            "01890a5dac96774bbcceb302099a8057",
            "{01890a5d-ac96-774b-bcce-b302099a8057}",
            "01890a5d-ac96-774b-bcce-b302099a805g",
        ] {
            assert_eq!(parse_uuid(bad), None, "{bad}");
        }
    }
}
