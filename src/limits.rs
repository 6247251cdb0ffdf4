//! Every bound in one place: its unit, why it is what it is, and what happens when it is reached.

/// Commands waiting in one shard's inbox. Full: the request is answered `overloaded` (503).
pub const INBOX_DEPTH: usize = 4096;

/// Milliseconds a REST request waits for its shard. Over: `timeout` (503); the command may still be applied.
pub const SHARD_ANSWER_MS: u64 = 5_000;

/// Bytes of one WebSocket message or frame. Over: close 1009.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// Bytes received from one connection in one turn, which is also the size of a shard's receive buffer. Over: the
/// rest waits for the next turn, so that nobody starves the others.
pub const READ_BYTES: usize = 64 * 1024;

/// Unsent bytes of one connection from which state is no longer queued for it. Over: deltas are left out and one
/// snapshot follows when the socket has taken the rest.
pub const OUTBOX_STATE_BYTES: usize = 128 * 1024;

/// Unsent bytes of one connection, answers included. Over: close 4413.
pub const OUTBOX_BYTES: usize = 256 * 1024;

/// Messages that could not be understood which one connection may send. Over: close 4400.
pub const BAD_MESSAGES: u8 = 16;

/// The highest action id: what a JavaScript number counts exactly. Over: `bad_action_id`.
pub const ACTION_ID_MAX: u64 = 1 << 53;

/// Sessions one connection may be joined to. Over: `too_many_sessions`.
pub const JOINS_PER_CONNECTION: usize = 8;

/// Milliseconds without a byte from a client after which the server pings it.
pub const PING_AFTER_MS: u64 = 20_000;

/// Milliseconds without a byte from a client after which it is closed with 4408.
pub const IDLE_CLOSE_MS: u64 = 60_000;

/// Milliseconds a connection has to take our close frame and to close its own side. Over: it is dropped.
pub const CLOSE_MS: u64 = 2_000;

/// Milliseconds between two looks of a shard at the memory it could give back.
pub const TIDY_MS: u64 = 5_000;

/// Messages from clients between two such looks up to which a shard counts as quiet. Above, memory in reserve is memory in use.
pub const QUIET_MESSAGES: u64 = 1_000;

/// Microseconds from which a turn is counted as long.
pub const LONG_TURN_US: u128 = 10_000;

/// Milliseconds an ended session stays in the arena, so that its players can read the result and REST can read it.
pub const ENDED_LINGER_MS: u64 = 60_000;

/// Sessions resident in one shard. Over: `too_many_sessions` (503).
pub const SESSIONS_PER_SHARD: usize = 500_000;

/// Events one session remembers for REST. Over: the oldest is forgotten; the log keeps them all.
pub const RECENT_EVENTS: usize = 16;

/// Ended sessions one shard remembers after they left the arena. Over: the oldest is forgotten.
pub const ENDED_SESSIONS: usize = 10_000;

/// Deltas of one session between two digests.
pub const DIGEST_EVERY: u64 = 16;

/// Bytes of one journal segment before the shard starts a new one with a checkpoint of every live session.
pub const SEGMENT_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes of one frame of the log. A larger length in a file is damage. A turn stays far below: it is bounded by the inbox and the
/// receive buffers.
pub const FRAME_BYTES: usize = 256 * 1024 * 1024;

/// Bytes after which a checkpoint starts another frame, so that writing it needs little memory.
pub const CHECKPOINT_FRAME_BYTES: usize = 1024 * 1024;

/// Milliseconds between two tries to write a log that refused.
pub const LOG_RETRY_MS: u64 = 50;

/// Connections one node accepts, sockets and REST together, as far as the limit of open files allows them; at half a KiB each they
/// need 125 MiB. Over: closed at once.
pub const CONNECTIONS: usize = 250_000;

/// Descriptors kept for files, the listener and the shards' own, out of what the process may have open.
pub const DESCRIPTORS_RESERVED: usize = 256;

/// Milliseconds a client has for its request's head.
pub const HEADER_MS: u64 = 5_000;

/// Bytes of a request's head, wide enough that a token of 64 KiB gets the same 401 as any other bad one. Over: 431.
pub const HEAD_BYTES: usize = 80 * 1024;

/// Fields of a request's head. Over: 431.
pub const HEADERS: usize = 100;

/// Milliseconds a client has for its request's body. Over: 408.
pub const BODY_MS: u64 = 5_000;

/// Milliseconds a request may take, its body included. Over: `timeout` (503).
pub const REQUEST_MS: u64 = 12_000;

/// Connections waiting in the kernel to be accepted. Over: the client's system tries again.
pub const BACKLOG: i32 = 4096;

/// Bytes of a token. Over: 401.
pub const TOKEN_BYTES: usize = 8 * 1024;

/// Seconds by which clocks may differ when a token's times are checked.
pub const TOKEN_LEEWAY_SECONDS: u64 = 5;

/// Seconds a token may still be good for. Over: 401, because such a token is a mistake.
pub const TOKEN_SECONDS: u64 = 10 * 366 * 24 * 60 * 60;

/// Seconds a guest's token is good for.
pub const GUEST_SECONDS: u64 = 12 * 60 * 60;

/// Faults of one request that are named. Over: the rest is left out.
pub const VALIDATION_ERRORS: usize = 20;

/// Bytes of an answer's body from which on it is compressed for a client that takes that. Below, it is not worth its time:
/// it fits into one packet as it is.
pub const COMPRESS_BYTES: u64 = 1024;

/// Requests of one player: more than a game sends by hand, far below what could disturb others. Over:
/// `too_many_requests` (429), as for the two below. All three can be set.
pub const RATE_PLAYER: &str = "50/s,200";

/// Requests of one service or one administrator: a guard against a loop gone wild, above what one node can answer them.
pub const RATE_SERVICE: &str = "20000/s,40000";

/// Requests from one address without a good token: guesses at tokens and tickets, and new guests. Many players may share an
/// address, so it is wide.
pub const RATE_ADDRESS: &str = "50/s,400";

/// Callers of one kind whose requests are counted, at some 60 bytes each. Over: newcomers share one count until others have
/// been quiet, for a few seconds.
pub const RATE_KEYS: usize = 100_000;

/// Bytes of a REST body. Over: 413 before it is read.
pub const BODY_BYTES: usize = 256 * 1024;

/// Milliseconds a ticket is good for.
pub const TICKET_MS: u64 = 30_000;

/// Tickets waiting to be used. Over: `overloaded` (503).
pub const TICKETS: usize = 65_536;

/// Seconds, minutes, quarters of an hour, hours and days that analytics look back: what the timeframe made of each needs (1 h
/// of minutes, 6 h of quarters, 7 d of hours, 30 d of days), and a little more. Over: the oldest makes room. Measured: the
/// full rings of all series take 2 MiB with 40 requests and 40 ended sessions in each bucket, 8 MiB with 300; 11 MiB if
/// every sketch were full.
pub const ANALYTICS_SECONDS: u16 = 120;
pub const ANALYTICS_MINUTES: u16 = 65;
pub const ANALYTICS_QUARTERS: u16 = 26;
pub const ANALYTICS_HOURS: u16 = 192;
pub const ANALYTICS_DAYS: u16 = 32;

/// Bins of one quantile sketch, 8 bytes and 1 % of relative error each: values of which the highest is 160 times the lowest,
/// none left out. Over: the lowest are put together, which costs the low quantiles their exactness, not the high ones.
pub const SKETCH_BINS: usize = 256;

/// Shards of one node, a thread each. Over: the configuration is refused.
pub const SHARDS: usize = 256;

/// Participants of one fight.
pub const PARTICIPANTS: usize = 100;

const _: () = assert!(OUTBOX_STATE_BYTES < OUTBOX_BYTES);
const _: () = assert!(PING_AFTER_MS * 2 < IDLE_CLOSE_MS);
const _: () = assert!(MESSAGE_BYTES <= READ_BYTES);
