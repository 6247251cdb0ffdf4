//! Bounds of what is kept of fights for those who come back.

/// Bytes of deltas that a shard keeps for members who come back to a session, its own note of each included; in parts of the size below, of
/// which there are as many as have been needed in the last [`HISTORY_MS`]. Over: the oldest part is forgotten, whosever it is.
pub const HISTORY_BYTES: usize = HISTORY_PARTS * (HISTORY_PART_BYTES + HISTORY_PART_DELTAS * HISTORY_NOTE_BYTES);
pub const HISTORY_PARTS: usize = 128;
pub const HISTORY_PART_BYTES: usize = 192 * 1024;
pub const HISTORY_PART_DELTAS: usize = 1024;

/// Bytes of such a note.
pub const HISTORY_NOTE_BYTES: usize = 64;

/// Milliseconds after which they are forgotten, wherever there is room or not: four times as long as a seat is kept by default, so whoever
/// comes to its seat in time is told all.
pub const HISTORY_MS: u64 = 120_000;

/// Bytes that a session may have kept in a millisecond for each of its seats, 8 KB a second, of so many seats at most: 27 deltas of 300 bytes a
/// second for each. Over, by what it may have at once, or by one delta that is larger than a part: nothing is kept of it until half of that
/// is given back, and who comes back to before that is sent a snapshot.
pub const HISTORY_SEAT_BYTES_PER_MS: u64 = 8;
pub const HISTORY_SEATS: u8 = 16;

/// Milliseconds' worth of it at once.
pub const HISTORY_BURST_MS: u64 = 4_000;

/// Bytes of deltas that one who comes back is sent, so that after them there is as much room again in its outbox for state. Over: a snapshot.
pub const RESUME_BYTES: usize = 32 * 1024;

/// Notes that are looked at for one who comes back, some 100 us of them. Over: a snapshot.
pub const RESUME_NOTES: usize = 8_192;

const _: () = assert!(RESUME_BYTES * 2 <= super::OUTBOX_STATE_BYTES && RESUME_BYTES <= super::FAR_STATE_BYTES);
const _: () = assert!(HISTORY_BYTES == 32 * 1024 * 1024 && HISTORY_PART_DELTAS < 1 << 16);
