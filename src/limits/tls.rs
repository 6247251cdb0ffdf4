//! Bounds of TLS: handshakes, records, certificates.

use super::READ_BYTES;

/// Milliseconds a client has for its handshake, from when it was accepted; as for the head of a request. Over: closed, and counted as
/// `timeout`.
pub const TLS_HANDSHAKE_MS: u64 = super::HEADER_MS;

/// Bytes of one record as it is read, which the protocol says, and as it comes: 16 KiB, 2 KiB for what sealing adds, and a head. Over: an
/// alert, and closed.
pub const TLS_RECORD_BYTES: usize = 16 * 1024;
pub const TLS_WIRE_BYTES: usize = TLS_RECORD_BYTES + 2 * 1024 + 5;

/// Bytes in which what came of an HTTP connection is opened, one such buffer for each thread of the runtime: what came, and room in front of
/// it for what that says. A message of a handshake has to be all there before it is read, and has the second part for that: with keys of
/// every kind the first has three KiB. Over: closed, and counted as `protocol`. A shard opens in its receive buffer.
pub const TLS_SPACE_BYTES: usize = TLS_RECORD_BYTES + 20 * 1024;

/// Bytes sealed for one write. They stay with the connection until its socket has taken them, and count as waiting as long. Over: the rest is
/// sealed when they are gone.
pub const TLS_SEAL_BYTES: usize = 2 * TLS_RECORD_BYTES;

/// Bytes of the file of a certificate chain or a key. Over: it is refused by name.
pub const TLS_FILE_BYTES: usize = 256 * 1024;

/// Milliseconds between two looks at these files. What is changed is taken when it has not changed any more since the look before, so that
/// two files that are replaced one after the other are taken together.
pub const TLS_LOOK_MS: u64 = 5_000;

/// Days before its end from which on a certificate that is read is warned of.
pub const TLS_ENDING_DAYS: u64 = 14;

const _: () = assert!(TLS_SPACE_BYTES > TLS_RECORD_BYTES + TLS_WIRE_BYTES, "a whole record fits");
const _: () = assert!(READ_BYTES > TLS_RECORD_BYTES + TLS_WIRE_BYTES, "a whole record fits");
