//! Bounds of what is said over sockets about custom sessions, and players' own.

/// Wishes of one shard's connections that wait for whoever has the records: joins, patches, beats. Over: `overloaded`, also of a join.
pub const ROOM_ASKS: usize = 1_024;

/// Patches of one shard's connections that wait for the store: a quarter of [`super::CHANGES_DEPTH`], so that sockets leave room for REST.
/// Over: the next wishes wait, up to those above.
pub const PATCHES_COMMITTING: usize = 1_024;

/// Patches of one member that wait for the store. Over: `rate_limited`.
pub const PATCHES_WAITING: u8 = 16;

/// Milliseconds after which a member may send another one then.
pub const PATCHES_WAITING_MS: u32 = 100;

/// Microseconds of one patch of a member, ten a second, and of those that it may send at once, twenty. Each has the session's row written
/// anew. Over: `rate_limited`.
pub const PATCH_US: u64 = 100_000;
pub const PATCHES_US: u64 = 20 * PATCH_US;

/// The same of relays: thirty a second, for a member that moves something, and sixty at once.
pub const RELAY_US: u64 = 33_333;
pub const RELAYS_US: u64 = 60 * RELAY_US;

/// Bytes of what one relay carries, as JSON. Over: `body_too_large`.
pub const RELAY_BYTES: usize = 16 * 1024;

/// Bytes a second that a session's members are sent of relays and patches, all copies counted, and of these one member's: a relay of 200
/// bytes to a thousand others is 200 KB. One second's may come at once, and the last of them may be larger. Over: `rate_limited`.
pub const ROOM_BYTES_PER_SECOND: u64 = 8 * 1024 * 1024;
pub const MEMBER_BYTES_PER_SECOND: u64 = ROOM_BYTES_PER_SECOND / 4;

/// Bytes that wait for a member from which no relay is queued behind them. Over: it is left out, and told as `missed`. Below
/// [`super::OUTBOX_ASK_BYTES`], so that what others send keeps nobody from being heard.
pub const RELAYS_WAITING_BYTES: usize = 96 * 1024;

/// Milliseconds after which a shard whose inbox was full is told again what it must know of a session.
pub const ROOM_LATE_MS: u64 = 5;

const _: () = assert!(RELAYS_WAITING_BYTES + RELAY_BYTES < super::OUTBOX_ASK_BYTES);
const _: () = assert!(PATCHES_COMMITTING * 4 <= super::CHANGES_DEPTH);
