//! What waits to be written to one socket, in order, and what becomes of more when that is too much: state is left out and
//! owed as one snapshot, the client is not heard any more, and answers close the connection in the end. Empty outboxes
//! own no memory: buffers come from the shard's [`Pool`] with the first byte and go back when the socket has taken the last.
//!
//! Bytes wait for two things, in order: for the log to keep the turn that made them ([`Outbox::mark`] at its end,
//! [`Outbox::show`] when it is kept), and then for the socket. The bounds are of both together.

use super::frame;
use super::receipt::Receipt;
use crate::limits;

/// The bytes of one connection that its socket has not taken yet.
#[derive(Debug, Default)]
pub struct Outbox {
    buffer: Vec<u8>,
    /// How many of them it has taken.
    sent: u32,
    /// Before which of them the turns are kept: no byte behind is written.
    shown: u32,
    /// Before which of them the turns have ended.
    marked: u32,
    /// How many are of whole sessions, and behind which of them no more such come.
    whole: u32,
    whole_until: u32,
    /// When the socket last took something of what waits; `None` while it takes all it is given.
    waiting_since: Option<u64>,
    /// The socket took less than it was given: wait for it to say that it is writable.
    blocked: bool,
    /// State was left out: a snapshot is owed.
    lagging: bool,
    /// Whether the client reads what its system has taken.
    receipt: Receipt,
}

/// What becomes of a change of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offer {
    /// There is room for it.
    Taken,
    /// It is left out; `first` where the one before was not.
    Skipped { first: bool },
}

/// Buffers between two uses. The one given back last is the first to go out: it is still in the cache.
#[derive(Debug, Default)]
pub struct Pool {
    buffers: Vec<Vec<u8>>,
}

impl Pool {
    /// Buffers kept. More are freed.
    const KEPT: usize = 2048;
    /// Bytes a kept buffer may hold. A larger one is freed.
    const BYTES: usize = 16 * 1024;

    fn take(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_default()
    }

    fn give(&mut self, mut buffer: Vec<u8>) {
        if self.buffers.len() < Self::KEPT && (1..=Self::BYTES).contains(&buffer.capacity()) {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }
}

impl Outbox {
    /// Appends `bytes`.
    pub fn push(&mut self, bytes: &[u8], pool: &mut Pool) {
        self.buffer(pool).extend_from_slice(bytes);
    }

    /// Appends all there is to know of a session, which may be nearly as much as may wait. It is no sign of a client that does not read, so
    /// what comes behind it has as much room as without it.
    pub fn push_whole(&mut self, bytes: &[u8], pool: &mut Pool) {
        let before = self.whole();
        self.push(bytes, pool);
        (self.whole, self.whole_until) = (before + place(bytes.len()), place(self.buffer.len()));
    }

    /// Bytes of whole sessions that the socket has not taken.
    fn whole(&self) -> u32 {
        self.whole.min(self.whole_until.saturating_sub(self.sent))
    }

    /// The buffer, to append to.
    pub fn buffer(&mut self, pool: &mut Pool) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = pool.take();
        }
        &mut self.buffer
    }

    /// What may be written, and the socket has not taken.
    pub fn unsent(&self) -> &[u8] {
        &self.buffer[self.sent as usize..self.shown as usize]
    }

    /// The turn that appended what is behind the last mark has ended: how many bytes that is.
    pub fn mark(&mut self) -> u32 {
        let before = std::mem::replace(&mut self.marked, place(self.buffer.len()));
        self.marked - before
    }

    /// A turn is kept that had so many bytes. Turns are kept in their order.
    pub fn show(&mut self, bytes: u32) {
        // Those of turns before a cut are gone.
        self.shown = self.marked.min(self.shown + bytes);
    }

    /// All turns are kept, the last one too, which has no mark yet.
    pub fn show_all(&mut self) {
        self.marked = place(self.buffer.len());
        self.shown = self.marked;
    }

    /// Drops what is not shown: the log will not keep it. Whether there was any.
    pub fn cut(&mut self) -> bool {
        let cut = self.buffer.len() > self.shown as usize;
        self.buffer.truncate(self.shown as usize);
        self.marked = self.shown;
        let until = self.whole_until.min(self.shown);
        self.whole = self.whole.saturating_sub(self.whole_until - until);
        self.whole_until = until;
        cut
    }

    /// Whether a change of state has room at the shard's time `now`. It has none behind too many bytes, behind bytes that
    /// have waited too long or that the client does not read, and behind another that had none: after that only a snapshot makes sense.
    pub fn offer_state(&mut self, now: u64) -> Offer {
        let full = self.len() > limits::OUTBOX_STATE_BYTES
            || self.waited_ms(now) >= limits::LAG_MS
            || self.receipt.is_overdue(now);
        if !self.lagging && !full {
            return Offer::Taken;
        }
        Offer::Skipped { first: !std::mem::replace(&mut self.lagging, true) }
    }

    /// From now on changes of state are left out, and a snapshot is owed; `true` where that is news.
    pub fn lag(&mut self) -> bool {
        !std::mem::replace(&mut self.lagging, true)
    }

    /// Whether changes of state are left out.
    pub fn is_lagging(&self) -> bool {
        self.lagging
    }

    /// Appends an answer, which must arrive; `false` where there is no room even for that.
    pub fn offer_answer(&mut self, bytes: &[u8], pool: &mut Pool) -> bool {
        let fits = self.len() - self.whole() as usize + bytes.len() <= limits::OUTBOX_BYTES;
        if fits {
            self.push(bytes, pool);
        }
        fits
    }

    /// Whether the client may ask for more: not before it has taken what it asked for.
    pub fn may_ask(&self) -> bool {
        self.len() <= limits::OUTBOX_ASK_BYTES
    }

    /// Appends a ping where it is time to ask whether the client reads. Only behind state: who is told nothing is asked nothing.
    pub fn ask_receipt(&mut self, now: u64) {
        if self.receipt.ask(now) {
            frame::ping(&mut self.buffer);
        }
    }

    /// The client has sent something, a pong where `is_pong`; `true` where it is owed a snapshot because it had not read.
    pub fn heard(&mut self, is_pong: bool) -> bool {
        self.receipt.heard(is_pong) && self.lagging
    }

    /// Whether the client does not read what its system takes, at the shard's time `now`.
    pub fn is_unread(&mut self, now: u64) -> bool {
        self.receipt.is_overdue(now)
    }

    /// Whoever has the socket asks whether the client reads.
    pub fn is_asked_elsewhere(&mut self) {
        self.receipt = Receipt::default();
    }

    /// Whether there is a snapshot to be sent now.
    pub fn owes_snapshot(&self) -> bool {
        self.lagging && self.is_empty() && !self.receipt.is_unread()
    }

    /// The snapshot that was owed is queued.
    pub fn caught_up(&mut self) {
        self.lagging = false;
    }

    /// Whether the socket has to say first that it takes bytes.
    pub fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// The socket says that it takes bytes again; `true` where that is news.
    pub fn unblock(&mut self) -> bool {
        std::mem::replace(&mut self.blocked, false)
    }

    /// Whether nothing in it waits for the log.
    pub fn is_shown(&self) -> bool {
        self.shown as usize == self.buffer.len()
    }

    /// It is another shard's from now on, whose clock says `to` when that of before says `from`.
    pub fn move_clock(&mut self, from: u64, to: u64) {
        self.waiting_since = self.waiting_since.map(|since| since.saturating_add(to).saturating_sub(from));
        self.receipt.move_clock(from, to);
    }

    /// Milliseconds at the shard's time `now` for which the socket has taken nothing of what waits.
    pub fn waited_ms(&self, now: u64) -> u64 {
        self.waiting_since.map_or(0, |since| now.saturating_sub(since))
    }

    /// How many bytes the socket has not taken, shown or not.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.sent as usize
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The socket was given [`Outbox::unsent`] at the shard's time `now` and took `count` bytes of it.
    pub fn took(&mut self, count: usize, now: u64, pool: &mut Pool) {
        self.sent += place(count);
        self.receipt.took(place(count));
        self.blocked = self.sent < self.shown;
        if count > 0 || self.waiting_since.is_none() {
            self.waiting_since = self.blocked.then_some(now);
        }
        if self.is_empty() {
            (self.sent, self.shown, self.marked, self.whole_until) = (0, 0, 0, 0);
            pool.give(std::mem::take(&mut self.buffer));
        } else if self.sent as usize > Pool::BYTES {
            // What was sent does not stay in memory as long as the rest waits.
            self.buffer.drain(..self.sent as usize);
            (self.shown, self.marked) = (self.shown - self.sent, self.marked - self.sent);
            (self.whole, self.whole_until) = (self.whole(), self.whole_until.saturating_sub(self.sent));
            self.sent = 0;
        }
    }
}

/// A place in a buffer, all of which are far smaller than this: see [`limits::OUTBOX_BYTES`].
#[allow(clippy::cast_possible_truncation)]
const fn place(bytes: usize) -> u32 {
    bytes as u32
}

#[cfg(test)]
mod tests {
    use super::{Offer, Outbox, Pool};
    use crate::limits;

    /// Ends the turn, which is kept at once.
    fn keep(outbox: &mut Outbox) {
        let bytes = outbox.mark();
        outbox.show(bytes);
    }

    #[test]
    fn bytes_leave_in_order_and_an_empty_outbox_owns_nothing() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        outbox.push(b"hello ", &mut pool);
        outbox.push(b"world", &mut pool);
        keep(&mut outbox);
        outbox.took(3, 0, &mut pool);
        assert_eq!(outbox.unsent(), b"lo world");
        outbox.took(8, 0, &mut pool);
        assert!(outbox.is_empty());
        assert_eq!(outbox.buffer.capacity(), 0);
        assert_eq!(pool.buffers.len(), 1, "the buffer went back");
    }

    #[test]
    fn large_buffers_are_not_kept() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        outbox.push(&vec![0; Pool::BYTES * 4], &mut pool);
        keep(&mut outbox);
        outbox.took(Pool::BYTES + 1, 0, &mut pool);
        assert_eq!(outbox.len(), Pool::BYTES * 3 - 1);
        outbox.took(Pool::BYTES * 3 - 1, 0, &mut pool);
        assert!(pool.buffers.is_empty());
    }

    #[test]
    fn state_behind_too_many_bytes_is_left_out_until_a_snapshot_has_been_sent() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        outbox.push(&vec![0; limits::OUTBOX_STATE_BYTES], &mut pool);
        assert_eq!(outbox.offer_state(0), Offer::Taken);
        outbox.push(&[0], &mut pool);
        assert_eq!(outbox.offer_state(0), Offer::Skipped { first: true });
        assert_eq!(outbox.offer_state(0), Offer::Skipped { first: false });
        assert!(!outbox.owes_snapshot(), "the rest comes first");
        keep(&mut outbox);
        outbox.took(outbox.len(), 1, &mut pool);
        assert!(outbox.owes_snapshot());
        assert_eq!(outbox.offer_state(1), Offer::Skipped { first: false }, "a delta does not fit what was before it");
        outbox.caught_up();
        assert_eq!(outbox.offer_state(1), Offer::Taken);
    }

    #[test]
    fn state_behind_bytes_that_have_waited_long_is_left_out_too() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        outbox.push(b"0123", &mut pool);
        keep(&mut outbox);
        outbox.took(1, 10, &mut pool);
        assert!(outbox.is_blocked());
        assert_eq!(outbox.offer_state(9 + limits::LAG_MS), Offer::Taken);
        // It takes another byte, and then nothing, which is not the same as taking one.
        outbox.took(1, 20, &mut pool);
        assert!(outbox.unblock() && !outbox.unblock());
        outbox.took(0, 30, &mut pool);
        assert_eq!(outbox.offer_state(19 + limits::LAG_MS), Offer::Taken);
        assert_eq!(outbox.offer_state(20 + limits::LAG_MS), Offer::Skipped { first: true });
        outbox.took(2, 5_000, &mut pool);
        assert_eq!(outbox.waited_ms(9_000), 0, "nothing waits");
    }

    #[test]
    fn a_client_that_has_much_to_take_may_not_ask_for_more_and_answers_have_an_end() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        assert!(outbox.offer_answer(&vec![0; limits::OUTBOX_ASK_BYTES], &mut pool));
        assert!(outbox.may_ask());
        assert!(outbox.offer_answer(&[0], &mut pool));
        assert!(!outbox.may_ask());
        assert!(outbox.offer_answer(&vec![0; limits::OUTBOX_BYTES - outbox.len()], &mut pool));
        assert!(!outbox.offer_answer(&[0], &mut pool));
        assert_eq!(outbox.len(), limits::OUTBOX_BYTES);
    }

    #[test]
    fn a_whole_session_leaves_answers_the_room_that_they_have_without_it_until_it_is_taken() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        let room = |outbox: &mut Outbox, bytes: usize| {
            let (more, fits) = (vec![0; bytes + 1], vec![0; bytes]);
            let mut pool = Pool::default();
            !outbox.offer_answer(&more, &mut pool) && outbox.offer_answer(&fits, &mut pool)
        };
        outbox.push(&vec![0; limits::OUTBOX_ASK_BYTES], &mut pool);
        outbox.push_whole(&vec![0; limits::OUTBOX_BYTES], &mut pool);
        assert!(!outbox.may_ask(), "it is not heard before it has taken that");
        assert!(room(&mut outbox, limits::OUTBOX_BYTES - limits::OUTBOX_ASK_BYTES));
        keep(&mut outbox);
        // What was before it; then half of it.
        outbox.took(limits::OUTBOX_ASK_BYTES, 1, &mut pool);
        outbox.took(limits::OUTBOX_BYTES / 2, 1, &mut pool);
        assert_eq!(outbox.len(), limits::OUTBOX_BYTES - limits::OUTBOX_ASK_BYTES + limits::OUTBOX_BYTES / 2);
        assert!(room(&mut outbox, limits::OUTBOX_ASK_BYTES));
        keep(&mut outbox);
        // And then there is none of it.
        outbox.took(limits::OUTBOX_BYTES / 2 + 1, 1, &mut pool);
        assert_eq!(outbox.len(), limits::OUTBOX_BYTES - 1);
        assert!(room(&mut outbox, 1));
        // One that the log has not kept is nothing that waits.
        outbox.push_whole(&[0; 100], &mut pool);
        assert!(outbox.cut());
        assert!(!outbox.offer_answer(&[0; 2], &mut pool));
        keep(&mut outbox);
        outbox.took(outbox.len(), 2, &mut pool);
        assert!(room(&mut outbox, limits::OUTBOX_BYTES));
    }

    #[test]
    fn nothing_is_written_before_its_turn_is_kept_and_what_waits_for_that_counts() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        outbox.push(b"one", &mut pool);
        assert_eq!(outbox.unsent(), b"", "the turn goes on");
        let one = outbox.mark();
        outbox.push(b"two", &mut pool);
        let two = outbox.mark();
        outbox.push(b"three", &mut pool);
        assert_eq!((outbox.unsent(), outbox.len()), (&b""[..], 11));
        outbox.show(one);
        assert_eq!(outbox.unsent(), b"one");
        outbox.took(3, 0, &mut pool);
        assert!(!outbox.is_blocked() && !outbox.is_empty());
        assert_eq!((outbox.unsent(), outbox.waited_ms(9_000)), (&b""[..], 0), "the socket has taken all it was given");
        outbox.show(two);
        assert_eq!(outbox.unsent(), b"two");
        outbox.took(1, 0, &mut pool);
        assert!(outbox.is_blocked());
        let three = outbox.mark();
        outbox.show(three);
        assert_eq!(outbox.unsent(), b"wothree");
        outbox.took(7, 0, &mut pool);
        assert_eq!((outbox.len(), outbox.buffer.capacity()), (0, 0));
        // State is bounded by what waits for either.
        outbox.push(&vec![0; limits::OUTBOX_STATE_BYTES + 1], &mut pool);
        assert_eq!(outbox.offer_state(0), Offer::Skipped { first: true });
        keep(&mut outbox);
        outbox.took(Pool::BYTES + 1, 0, &mut pool);
        outbox.push(b"behind", &mut pool);
        assert_eq!(outbox.unsent().len(), limits::OUTBOX_STATE_BYTES - Pool::BYTES, "marks move with what is taken");
        outbox.took(outbox.unsent().len(), 0, &mut pool);
        assert!(!outbox.owes_snapshot(), "the rest comes first");
    }

    #[test]
    fn what_is_cut_is_never_shown() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        outbox.push(b"kept", &mut pool);
        keep(&mut outbox);
        outbox.took(1, 0, &mut pool);
        outbox.push(b"lost", &mut pool);
        let lost = outbox.mark();
        outbox.push(b"too", &mut pool);
        assert!(outbox.cut() && !outbox.cut());
        outbox.push(b"bye", &mut pool);
        outbox.show(lost);
        assert_eq!(outbox.unsent(), b"ept", "the turn of what was cut shows nothing of what came later");
        keep(&mut outbox);
        assert_eq!(outbox.unsent(), b"eptbye");
    }
}
