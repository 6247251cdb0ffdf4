//! Which action each sequence shows. A delta does not say whose action it was; the acknowledgement of who acted does, and may
//! be read after the deltas that the others were sent.

/// Sequences remembered; more than lie between two reads.
const REMEMBERED: u64 = 64;

/// The latest sequences of a session.
#[derive(Debug, Default)]
pub struct Shows {
    /// By sequence modulo the length; empty before the first.
    recent: Vec<Show>,
}

/// The action that a sequence shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    pub slot: u8,
    /// When it was sent.
    pub sent: u64,
}

#[derive(Debug, Clone, Default)]
struct Show {
    seq: u64,
    shown: Option<Shown>,
    /// When its delta came to those who read it before anybody knew what it shows, and whether by way of the other node.
    early: Vec<(u64, bool)>,
}

impl Shows {
    /// A delta was read at `now`, by way of the other node or not: the action it shows, if that is known by now.
    pub fn seen(&mut self, seq: u64, now: u64, is_away: bool) -> Option<Shown> {
        let show = self.at(seq)?;
        if show.shown.is_none() {
            show.early.push((now, is_away));
        }
        show.shown
    }

    /// What a sequence shows; when its delta was read by those who could not know. Only once.
    pub fn told(&mut self, seq: u64, shown: Shown) -> impl Iterator<Item = (u64, bool)> {
        let show = self.at(seq).filter(|show| show.shown.is_none());
        show.into_iter().flat_map(move |show| {
            show.shown = Some(shown);
            show.early.drain(..)
        })
    }

    /// `None` for one that is forgotten.
    #[allow(clippy::cast_possible_truncation)] // A remainder of a small number.
    fn at(&mut self, seq: u64) -> Option<&mut Show> {
        if self.recent.is_empty() {
            self.recent.resize(REMEMBERED as usize, Show::default());
        }
        let show = &mut self.recent[(seq % REMEMBERED) as usize];
        if show.seq < seq {
            (show.seq, show.shown) = (seq, None);
            show.early.clear();
        }
        (show.seq == seq).then_some(show)
    }
}

#[cfg(test)]
mod tests {
    use super::{REMEMBERED, Shown, Shows};

    #[test]
    fn who_reads_a_delta_before_its_acknowledgement_is_timed_all_the_same() {
        let (mut shows, action) = (Shows::default(), Shown { slot: 2, sent: 5 });
        assert_eq!((shows.seen(7, 10, false), shows.seen(7, 11, true)), (None, None));
        assert!(shows.told(7, action).eq([(10, false), (11, true)]));
        assert_eq!(shows.seen(7, 12, false), Some(action));
        assert_eq!(shows.told(7, action).count(), 0, "once");
        assert_eq!(shows.seen(8, 13, false), None, "another sequence");
        assert_eq!(shows.seen(7 + REMEMBERED, 14, false), None);
        assert_eq!(shows.told(7, action).count(), 0, "it is forgotten");
        assert!(shows.told(7 + REMEMBERED, action).eq([(14, false)]));
    }
}
