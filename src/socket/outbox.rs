//! What waits to be written to one socket, in order. Empty outboxes own no memory: buffers come from the shard's
//! [`Pool`] with the first byte and go back when the socket has taken the last.

/// The bytes of one connection that its socket has not taken yet.
#[derive(Debug, Default)]
pub struct Outbox {
    buffer: Vec<u8>,
    /// How many of them it has taken.
    sent: usize,
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

    /// The buffer, to append to.
    pub fn buffer(&mut self, pool: &mut Pool) -> &mut Vec<u8> {
        if self.buffer.capacity() == 0 {
            self.buffer = pool.take();
        }
        &mut self.buffer
    }

    /// What the socket has not taken.
    pub fn unsent(&self) -> &[u8] {
        &self.buffer[self.sent..]
    }

    /// How many bytes the socket has not taken.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.sent
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The socket took `count` more bytes.
    pub fn took(&mut self, count: usize, pool: &mut Pool) {
        self.sent += count;
        if self.sent == self.buffer.len() {
            self.sent = 0;
            pool.give(std::mem::take(&mut self.buffer));
        } else if self.sent > Pool::BYTES {
            // What was sent does not stay in memory as long as the rest waits.
            self.buffer.drain(..self.sent);
            self.sent = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outbox, Pool};

    #[test]
    fn bytes_leave_in_order_and_an_empty_outbox_owns_nothing() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        outbox.push(b"hello ", &mut pool);
        outbox.push(b"world", &mut pool);
        outbox.took(3, &mut pool);
        assert_eq!(outbox.unsent(), b"lo world");
        outbox.took(8, &mut pool);
        assert!(outbox.is_empty());
        assert_eq!(outbox.buffer.capacity(), 0);
        assert_eq!(pool.buffers.len(), 1, "the buffer went back");
    }

    #[test]
    fn large_buffers_are_not_kept() {
        let (mut outbox, mut pool) = (Outbox::default(), Pool::default());
        outbox.push(&vec![0; Pool::BYTES * 4], &mut pool);
        outbox.took(Pool::BYTES + 1, &mut pool);
        assert_eq!(outbox.len(), Pool::BYTES * 3 - 1);
        outbox.took(Pool::BYTES * 3 - 1, &mut pool);
        assert!(pool.buffers.is_empty());
    }
}
