//! The deltas a session's players were sent last, parsed. All players of a session are usually sent the same bytes behind what is
//! their own, and the same bytes parse to the same delta: each is parsed for the player who sees it first and compared for the others.
//! Every player still applies it to a view of its own.

use tiltyard_protocol::Delta;

/// Deltas remembered; more than one read usually brings.
const REMEMBERED: u64 = 8;

/// The memory.
#[derive(Debug)]
pub struct Memo {
    /// Bytes and what they parse to, by sequence modulo the length.
    recent: Vec<(Vec<u8>, Delta)>,
}

impl Memo {
    pub fn new() -> Self {
        Self { recent: (0..REMEMBERED).map(|_| <(Vec<u8>, Delta)>::default()).collect() }
    }

    /// What `payload` parses to, if it is remembered. `next`, the sequence due, is only a hint at where to look.
    pub fn known(&self, next: u64, payload: &[u8]) -> Option<&Delta> {
        let (bytes, delta) = &self.recent[place(next)];
        (bytes.as_slice() == payload && !payload.is_empty()).then_some(delta)
    }

    /// Remembers that `payload` parses to `delta`.
    pub fn keep(&mut self, payload: &[u8], delta: Delta) {
        let (bytes, known) = &mut self.recent[place(delta.q)];
        bytes.clear();
        bytes.extend_from_slice(payload);
        *known = delta;
    }
}

#[allow(clippy::cast_possible_truncation)] // A remainder of a small number.
const fn place(seq: u64) -> usize {
    (seq % REMEMBERED) as usize
}

#[cfg(test)]
mod tests {
    use tiltyard_protocol::Delta;

    use super::Memo;

    #[test]
    fn only_the_same_bytes_are_known() {
        let delta = |q, at| Delta { q, at, ..Delta::default() };
        let mut memo = Memo::new();
        assert_eq!(memo.known(1, b""), None);
        memo.keep(b"one", delta(1, 5));
        assert_eq!(memo.known(1, b"one"), Some(&delta(1, 5)));
        assert_eq!(memo.known(1, b"other audience"), None);
        assert_eq!(memo.known(2, b"one"), None);
        // A whole round later, in the same place.
        memo.keep(b"nine", delta(9, 6));
        assert_eq!((memo.known(1, b"one"), memo.known(9, b"nine")), (None, Some(&delta(9, 6))));
    }
}
