//! Whether a client reads what its system takes for it. The kernel at the other end acknowledges bytes that nobody has read yet, a few
//! hundred KiB of them: in a slow fight that is minutes of the past. So a ping goes among the state every so often: its answer shows
//! that the client has read up to there.

use crate::limits;

/// What one connection has been asked, and has answered.
#[derive(Debug, Default)]
pub struct Receipt {
    /// The shard's time of the last ping.
    asked_at: u64,
    /// Bytes that the socket has taken since then.
    bytes: u32,
    /// The last ping has not been answered.
    is_waiting: bool,
    /// It has not been answered for too long.
    is_unread: bool,
    /// The client answers pings, as the RFC wants. Of one that never has, any byte is taken for an answer.
    answers: bool,
}

impl Receipt {
    /// The socket has taken `count` bytes.
    pub const fn took(&mut self, count: u32) {
        self.bytes = self.bytes.saturating_add(count);
    }

    /// Whether a ping is to be sent at the shard's time `now`; then it is.
    pub const fn ask(&mut self, now: u64) -> bool {
        let is_due = self.bytes >= limits::RECEIPT_BYTES
            && !self.is_waiting
            && now.saturating_sub(self.asked_at) >= limits::RECEIPT_EVERY_MS;
        if is_due {
            (self.asked_at, self.bytes, self.is_waiting) = (now, 0, true);
        }
        is_due
    }

    /// The connection is another shard's from now on, whose clock says `to` when that of before says `from`.
    pub const fn move_clock(&mut self, from: u64, to: u64) {
        self.asked_at = self.asked_at.saturating_add(to).saturating_sub(from);
    }

    /// Whether the answer should have been there at the shard's time `now`.
    pub const fn is_overdue(&mut self, now: u64) -> bool {
        if self.is_waiting && now.saturating_sub(self.asked_at) >= limits::RECEIPT_MS {
            self.is_unread = true;
        }
        self.is_unread
    }

    /// Whether the client was found not to read, and has not answered since.
    pub const fn is_unread(&self) -> bool {
        self.is_unread
    }

    /// The client has sent something; `true` where it had been found not to read and does again.
    pub const fn heard(&mut self, is_pong: bool) -> bool {
        if !is_pong && self.answers {
            return false;
        }
        self.answers |= is_pong;
        self.is_waiting = false;
        std::mem::replace(&mut self.is_unread, false)
    }
}

#[cfg(test)]
mod tests {
    use super::Receipt;
    use crate::limits::{RECEIPT_BYTES, RECEIPT_EVERY_MS, RECEIPT_MS};

    /// One that has been asked at `now`.
    fn asked(now: u64) -> Receipt {
        let mut receipt = Receipt::default();
        receipt.took(RECEIPT_BYTES);
        assert!(receipt.ask(now));
        receipt
    }

    #[test]
    fn a_ping_goes_after_so_many_bytes_and_no_more_often_than_once_a_second() {
        let mut receipt = Receipt::default();
        receipt.took(RECEIPT_BYTES - 1);
        assert!(!receipt.ask(5_000));
        receipt.took(1);
        assert!(receipt.ask(5_000));
        receipt.took(RECEIPT_BYTES);
        assert!(!receipt.ask(9_000), "the last has no answer");
        receipt.heard(true);
        assert!(receipt.ask(9_000));
        receipt.heard(true);
        receipt.took(RECEIPT_BYTES);
        assert!(!receipt.ask(9_000 + RECEIPT_EVERY_MS - 1));
        assert!(receipt.ask(9_000 + RECEIPT_EVERY_MS));
    }

    #[test]
    fn who_does_not_answer_for_too_long_does_not_read_until_it_answers() {
        let mut receipt = asked(5_000);
        assert!(!receipt.is_overdue(5_000 + RECEIPT_MS - 1) && !receipt.is_unread());
        assert!(receipt.is_overdue(5_000 + RECEIPT_MS) && receipt.is_unread());
        assert!(receipt.heard(true) && !receipt.is_unread());
        assert!(!receipt.heard(true), "that is news once");
        assert!(!receipt.is_overdue(90_000), "nothing is asked");
    }

    #[test]
    fn a_ping_keeps_its_time_where_the_clock_is_another() {
        let mut receipt = asked(50_000);
        receipt.move_clock(50_000, 1_000);
        assert!(!receipt.is_overdue(1_000 + RECEIPT_MS - 1) && receipt.is_overdue(1_000 + RECEIPT_MS));
    }

    #[test]
    fn who_answers_pings_is_believed_by_nothing_else_and_who_never_has_by_anything() {
        let mut receipt = asked(5_000);
        receipt.heard(false);
        assert!(!receipt.is_overdue(5_000 + RECEIPT_MS), "perhaps it knows no pings");
        receipt.took(RECEIPT_BYTES);
        assert!(receipt.ask(10_000));
        receipt.heard(true);
        receipt.took(RECEIPT_BYTES);
        assert!(receipt.ask(20_000));
        assert!(!receipt.heard(false) && receipt.is_overdue(20_000 + RECEIPT_MS), "it acts, and does not read");
    }
}
