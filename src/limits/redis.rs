//! Bounds of the log in Redis.

/// Connections of one shard to it: a server reads 16 KiB of each in a turn of its own. A session has always the same.
pub const REDIS_CONNECTIONS: usize = 2;

/// Bytes on their way on one connection, as above. Over: the rest waits in the shard for answers; one command that is longer goes alone.
pub const REDIS_BATCH_BYTES: usize = 16 * 1024;

/// Milliseconds for a connection to be made, and for each answer at the start.
pub const REDIS_LOG_CONNECT_MS: u64 = 1_000;

/// Milliseconds without an answer while one is awaited. Over: the connection is given up, and what was on its way is said again on another:
/// the log knows again what it has.
pub const REDIS_LOG_ANSWER_MS: u64 = 1_000;

/// Microseconds from which an answer of it is counted as slow.
pub const REDIS_SLOW_US: u64 = 10_000;

/// Milliseconds before a connection that was lost is made again: at first, and at most. Each time twice as long, less up to a half by chance.
pub const REDIS_AGAIN_MS: u64 = 20;
pub const REDIS_AGAIN_MOST_MS: u64 = 1_000;

/// Milliseconds between two looks whether somebody has started under this node's name.
pub const REDIS_LOOK_MS: u64 = 250;

/// Entries of a session behind its snapshot, and bytes of them. Over: another snapshot is written, and what is before it goes. So much is read
/// and stepped again when somebody goes on with it.
pub const REDIS_ENTRIES: u32 = 512;
pub const REDIS_ENTRY_BYTES: usize = 32 * 1024;

/// Bytes that wait for a connection while snapshots are written. Over: they are left to later turns.
pub const REDIS_WAITING_BYTES: usize = 64 * 1024;

/// Bytes of one string in an answer: a session is much less. Over: what answers is no Redis.
pub const REDIS_REPLY_BYTES: usize = 64 * 1024 * 1024;

/// Arrays in arrays in an answer; likewise.
pub const REDIS_REPLY_DEPTH: usize = 16;

/// Sessions that a start asks for at once.
pub const REDIS_SESSIONS_AT_ONCE: usize = 64;

/// Seconds for which it is known that a session is over, and for which one is kept that could not be gone on with. Who has been away for
/// longer finds nothing of it.
pub const REDIS_OVER_SECONDS: u64 = 24 * 60 * 60;
