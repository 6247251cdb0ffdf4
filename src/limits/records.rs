//! Bounds of sessions that are no fights, of the store and of analytics.

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

/// Live sessions of one type that is not combat; at half a KiB each they need 500 MiB. Over: `too_many_sessions` (503).
pub const RECORDS_PER_TYPE: usize = 1_000_000;

/// Bytes of the live sessions of one type, whatever they hold. Over: what makes one larger is refused as
/// `too_many_sessions` (503).
pub const RECORD_BYTES_PER_TYPE: usize = 2 * 1024 * 1024 * 1024;

/// Bytes of one player's live sessions of one type. Over: what makes one larger is refused as `quota_exceeded` (409).
pub const RECORD_BYTES_PER_PLAYER: usize = 4 * 1024 * 1024;

/// Bytes by which a session may grow without that being looked at.
pub const RECORD_BYTES_SMALL: usize = 4 * 1024;

/// Live sessions of one type that one player may own. Over: `quota_exceeded` (409).
pub const RECORDS_PER_PLAYER: usize = 256;

/// Levels of objects and lists within each other in a body. Over: 400.
pub const JSON_LEVELS: usize = 127;

/// Bytes of a session's metadata, or of its settings, as JSON. Over: 400 that names the field.
pub const DOCUMENT_BYTES: usize = 8 * 1024;

/// Bytes of a custom session's state as JSON. Over: 413.
pub const STATE_BYTES: usize = 64 * 1024;

/// Members of a custom session.
pub const MEMBERS: usize = 1_000;

/// Entries of one session's activity log. Over: the oldest is forgotten.
pub const SESSION_LOGS: i64 = 1_000;

/// Changes of one type that wait for the store. Over: `overloaded` (503); the other types have queues of their own.
pub const CHANGES_DEPTH: usize = 4_096;

/// Changes of one type in one commit, so that a flood of one type leaves room for the others.
pub const CHANGES_PER_COMMIT: usize = 256;

/// Sessions and idempotency keys of which nobody knows what the store has after commits that failed, besides those of one more commit: so
/// many are taken back in the next one that succeeds. Over: changes are refused (`store_unavailable`) without being tried until then.
pub const DOUBTFUL: usize = 2_048;

/// Milliseconds after a failed commit in which changes are refused at once.
pub const STORE_PAUSE_MS: u64 = 250;

/// Milliseconds between the first two tries to write to the embedded store by another connection than one that is lost; twice as many between
/// the next two, and so on.
pub const STORE_REOPEN_MS: u64 = 250;

/// The most of them.
pub const STORE_REOPEN_MOST_MS: u64 = 5_000;

/// Milliseconds between two looks for sessions whose time is over.
pub const EXPIRY_MS: u64 = 250;

/// Milliseconds after which the store is told again that a login is in use: what a crash can take from its idle time.
pub const TOUCH_MS: u64 = 60_000;

/// Changes that one look finds due. More wait for the next.
pub const CHANGES_DUE: usize = 8_192;

/// Milliseconds after which a session is looked at again at the latest.
pub const LOOK_MS: u64 = 60 * 60 * 1000;

/// Milliseconds between two writes of analytics: what a crash can take from them.
pub const ANALYTICS_MS: u64 = 1_000;

/// Live fights of all nodes that a start which is refused looks at, to say of which node they are. Over: it says that there are more.
pub const AT_STAKE_ROWS: usize = 100;

/// Sessions read at once when a node starts: each may have 80 KiB.
pub const LOAD_ROWS: usize = 1_000;

/// Milliseconds for such a page: its rows may be large, and nobody waits for an answer yet.
pub const LOAD_MS: u64 = 30_000;

/// Milliseconds after which fights without a log are looked for again, where that failed.
pub const LOST_FIGHTS_RETRY_MS: u64 = 5_000;

/// Bytes of ended sessions kept in memory for reading. Over: the least used ones are read from the store again.
pub const ENDED_CACHE_BYTES: u64 = 64 * 1024 * 1024;

/// Milliseconds between two rounds of deleting what is past its time.
pub const SWEEP_MS: u64 = 10_000;

/// Sessions, and keys, deleted in one round; fewer after a round that took too long. Changes wait behind it.
pub const SWEEP_ROWS: usize = 2_000;

/// Bytes of a node's name: it goes into the database's name of a connection, which has 63. Over: the configuration is refused.
pub const NODE_NAME_BYTES: usize = 40;

/// Days for which ended sessions can be kept. Over: the configuration is refused.
pub const RETENTION_DAYS: u64 = 3_650;

/// Characters of the reason that a session is terminated with. Over: 400.
pub const REASON_CHARS: usize = 200;

/// Entries of its log that come with a session. The rest is in pages.
pub const LOGS_WITH_SESSION: usize = 100;

/// Seconds for which an access token of an auth session is good. The session's end ends it at once, this bounds how old the
/// scopes in it can be.
pub const ACCESS_TOKEN_SECONDS: u64 = 15 * 60;

/// Requests with idempotency keys that run at the same time. Over: `overloaded` (503).
pub const KEYS_RUNNING: usize = 65_536;

/// Milliseconds for which a repeat waits for the first request with its key, which has its own answer by then as a rule. Over:
/// `idempotency_running` (409).
pub const KEY_WAIT_MS: u64 = super::SHARD_ANSWER_MS;

/// Milliseconds for which an idempotency key is remembered.
pub const KEY_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds a call of the store may take: an answer within a second is a promise. Over: `store_unavailable` (503). Can be set, up to the
/// second figure.
pub const STORE_MS: u64 = 750;
pub const STORE_MS_MOST: u64 = 3_000;

/// Statements a connection of the store keeps prepared. Over: the oldest is prepared again when it is needed.
pub const STORE_STATEMENTS: usize = 128;

/// Connections that read the embedded store. Over: a read waits, at most [`STORE_MS`].
pub const SQLITE_READERS: u32 = 4;

/// Connections to PostgreSQL of one node, one of which writes. Fifty nodes then need 400. Over: a read waits, at most
/// [`STORE_MS`].
pub const POSTGRES_CONNECTIONS: u32 = 8;

/// Milliseconds a start goes on reading a store that is there and does not answer within [`STORE_MS`], from the beginning each time: a machine
/// that starts is busy. Over: it says so and ends.
pub const STORE_START_MS: u64 = 10_000;

/// Milliseconds a node waits at its start for another of its name, which may be on its way out, to let go of the database.
pub const WRITER_LOCK_MS: u64 = 10_000;

/// Milliseconds between two tries to get the lock that lets a node write to PostgreSQL.
pub const WRITER_LOCK_RETRY_MS: u64 = 20;

/// Milliseconds between two copies of the embedded store's write-ahead log into its file. With four times as many a copy takes
/// so long that commits were held up beyond [`STORE_MS`] (500,000 sessions, 1,000 changes a second).
pub const CHECKPOINT_MS: u64 = 1_000;

/// Pages of 4 KiB in that log (64 MiB) from which what is left of it is copied between two commits, so that the log starts over.
/// That holds commits up for as long as the disk needs. Measured with 500,000 sessions and 1,000 changes a second: at 16 MiB it
/// was every second, at 256 MiB commits fell behind.
pub const WAL_PAGES: i64 = 16_384;

/// Bytes of that log that stay on the disk after it has started over. Over: cut off by the next commit.
pub const WAL_KEPT_BYTES: u64 = 4 * 1024 * 1024;

/// Pages of the embedded store that hold nothing from which on, where they are a quarter of all, some are given back.
pub const FREE_PAGES: u64 = 1_024;

/// Pages given back at once, once a second: commits wait behind it.
pub const FREED_PAGES: u32 = 256;

/// Rows of the embedded store compared with their sums at once; replays, of up to 8 MiB each, come one by one.
pub const CHECK_ROWS: i64 = 256;

/// Damaged things that a check names. Over: they are counted.
pub const DAMAGE_NAMED: usize = 100;

/// Milliseconds a start waits for the check of the embedded store before it serves. Over: the check goes on beside.
pub const STORE_CHECK_MS: u64 = 3_000;
