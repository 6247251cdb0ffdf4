//! Bounds of REST, of connections before they are sockets, and of tokens and tickets.

/// Connections one node accepts, sockets and REST together, as far as the limit of open files allows them; at half a KiB each they
/// need 125 MiB. Over: a connection that waits for its client, of the address with the most that are not sockets, is closed for the
/// new one; where there is none, the new one.
pub const CONNECTIONS: usize = 250_000;

/// One in so many of these is kept from sockets, so that REST is reached while all sockets are taken. Over: `overloaded` (503).
pub const CONNECTIONS_NO_SOCKET: usize = 8;

/// Connections of one address that are no sockets, and no more than a quarter of all: half-sent requests, idle ones, requests that
/// are being answered. A WebSocket is its player's and not counted here. Over: the one of them that has waited for its client the
/// longest is closed; where all are at work, the new one. It can be set; proxies that are trusted are exempt.
pub const CONNECTIONS_PER_ADDRESS: usize = 4_096;

/// Milliseconds for which a connection whose request is being answered is at work. Over: it is its client that is waited for.
pub const AT_WORK_MS: u64 = 1_000;

/// Connections closed for others that may still have their descriptors. Over: no further one is accepted for the moment.
pub const CONNECTIONS_LEAVING: usize = 64;

/// Milliseconds a client may keep us waiting in taking what it asked for; what it takes earns time back. Over: the connection is
/// cut off with all that waits in it.
pub const WRITE_MS: u64 = 10_000;

/// Bytes that earn a second of that: the pace of a slow client, over a bad telephone line. Below, the time runs out.
pub const WRITE_BYTES_PER_SECOND: u64 = 8 * 1024;

/// Bytes of answers in the kernel for one connection, which the system doubles for its own use. Over: the rest waits here.
pub const HTTP_SEND_BYTES: usize = 32 * 1024;

/// Descriptors kept for files, the listener and the shards' own, out of what the process may have open.
pub const DESCRIPTORS_RESERVED: usize = 256;

/// Milliseconds a client has for its request's head, and to begin its first, so that it is gone within five seconds by its own clock, on a
/// busy machine, too. Over: 408, or closed where nothing came.
pub const HEADER_MS: u64 = 4_500;

/// Milliseconds a connection may be idle between two requests: longer than proxies and clients keep theirs, most of which do so for a
/// minute, so that it is not us who close one under a request. Over: closed.
pub const IDLE_MS: u64 = 75_000;

/// Bytes of a request's head, wide enough that a token of 64 KiB gets the same 401 as any other bad one. Over: 431.
pub const HEAD_BYTES: usize = 80 * 1024;

/// Fields of a request's head. Over: 431.
pub const HEADERS: usize = 100;

/// Bytes of a path with its query. Over: 414.
pub const URI_BYTES: usize = 16 * 1024;

/// Milliseconds a client has for its request's body. Over: 408.
pub const BODY_MS: u64 = 5_000;

/// Bytes of a body that an answer did not need which are read all the same, so that its connection can be used again. Over: the answer
/// says `Connection: close`.
pub const UNREAD_BYTES: u64 = 64 * 1024;

/// Milliseconds they may take, where bodies come right behind their heads. Over: as above.
pub const UNREAD_MS: u64 = 250;

/// Bytes read of what a client still sends to a connection that was closed with an answer: it has to send them before it reads that.
/// Over: nothing more is read, and the client may find its connection reset.
pub const LINGER_BYTES: usize = 4 * 1024 * 1024;

/// Milliseconds for which they are read. Over: as above.
pub const LINGER_MS: u64 = 2_000;

/// Milliseconds a request may take, its body included. Over: `timeout` (503).
pub const REQUEST_MS: u64 = 12_000;

/// Seconds for which a server that is told to stop says so and serves all the same, so that whoever sends requests to it finds out before
/// nothing answers. Over: no new connections, and the end. Can be set, up to the second figure.
pub const DRAIN_SECONDS: u64 = 2;
pub const DRAIN_SECONDS_MOST: u64 = 600;

/// Connections waiting in the kernel to be accepted. Over: the client's system tries again.
pub const BACKLOG: i32 = 4096;

/// Bytes of a token. Over: 401.
pub const TOKEN_BYTES: usize = 8 * 1024;

/// Seconds by which clocks may differ when a token's times are checked.
pub const TOKEN_LEEWAY_SECONDS: u64 = 5;

/// Seconds a token may still be good for. Over: 401, because such a token is a mistake.
pub const TOKEN_SECONDS: u64 = 10 * 366 * 24 * 60 * 60;

/// Bytes of a key's id, in a token's head and in a JWKS. Over: 401, and the key is left out.
pub const KID_BYTES: usize = 64;

/// Issuers whose tokens are taken, audiences of theirs, and claims in which they name scopes. Over: the configuration is refused.
pub const TOKEN_ISSUERS: usize = 32;
pub const TOKEN_AUDIENCES: usize = 32;
pub const TOKEN_SCOPE_CLAIMS: usize = 8;

/// Bytes of what an issuer calls a player. Over: 401.
pub const SUBJECT_BYTES: usize = 256;

/// Milliseconds from one line about refused tokens to the next about the same flaw: anybody can show bad ones. Over: they are counted,
/// and the next line says how many there were.
pub const TOKEN_FLAW_TOLD_MS: u64 = 10_000;

/// Bytes of such a line about the token. Over: cut off.
pub const TOKEN_FLAW_BYTES: usize = 512;

/// Bytes of a JWKS. Over: it is refused and the keys of before stay in use.
pub const JWKS_BYTES: usize = 64 * 1024;

/// Keys in a JWKS. Over: it is refused and the keys of before stay in use.
pub const JWKS_KEYS: usize = 64;

/// Milliseconds between two looks at the JWKS file's time of change.
pub const JWKS_LOOK_MS: u64 = 5_000;

/// Milliseconds between two fetches of the JWKS, give or take a tenth, so that a fleet does not ask all at once.
pub const JWKS_FETCH_EVERY_MS: u64 = 5 * 60 * 1_000;

/// Milliseconds from a fetch that failed to the next.
pub const JWKS_RETRY_MS: u64 = 10_000;

/// Milliseconds between two fetches because of tokens with an unknown key's id: what anybody can cause is no more than this.
pub const JWKS_UNKNOWN_KID_MS: u64 = 10_000;

/// Milliseconds a fetch of the JWKS may take. Over: it has failed.
pub const JWKS_TIMEOUT_MS: u64 = 3_000;

/// Tokens remembered as good, at most half a KiB each. Over: those seldom seen are forgotten, and checked again when they come.
pub const TOKENS_REMEMBERED: u64 = 16_384;

/// Seconds after which a remembered token that nobody has shown again is forgotten.
pub const TOKEN_IDLE_SECONDS: u64 = 600;

/// Seconds a guest's token is good for.
pub const GUEST_SECONDS: u64 = 12 * 60 * 60;

/// Faults of one request that are named. Over: the rest is left out.
pub const VALIDATION_ERRORS: usize = 20;

/// Bytes of an answer's body from which on it is compressed for a client that takes that. Below, it is not worth its time:
/// it fits into one packet as it is.
pub const COMPRESS_BYTES: u64 = 1024;

/// Bytes of an answer's body up to which it is compressed: a few milliseconds. Over: it is sent as it is, so that no answer holds up
/// the others.
pub const COMPRESS_MOST_BYTES: u64 = 256 * 1024;

/// Requests of one player: more than a game sends by hand, far below what could disturb others. Over:
/// `too_many_requests` (429), as for the two below. All three can be set.
pub const RATE_PLAYER: &str = "50/s,200";

/// Requests of one service or one administrator: a guard against a loop gone wild, above what one node can answer them.
pub const RATE_SERVICE: &str = "20000/s,40000";

/// Requests from one address without a good token: guesses at tokens and tickets, and new guests. Many players may share an
/// address, so it is wide.
pub const RATE_ADDRESS: &str = "50/s,400";

/// Web pages and API documents sent to one address: a visit to the arena is some sixty of them, so a hundred players behind one
/// address may come at once. Over: `too_many_requests` (429). It can be set.
pub const RATE_PAGE: &str = "600/s,6000";

/// Bytes of a page that cost as much as one more page.
pub const PAGE_BYTES: usize = 256 * 1024;

/// Callers of one kind whose requests are counted, at some 60 bytes each. Over: newcomers share one count until others have
/// been quiet, for a few seconds.
pub const RATE_KEYS: usize = 100_000;

/// Bytes of a REST body, as it is sent and as it is unpacked. Over: 413, before it is read or unpacked any further.
pub const BODY_BYTES: usize = 256 * 1024;

/// Milliseconds a ticket is good for.
pub const TICKET_MS: u64 = 30_000;

/// Tickets waiting to be used, at some 300 bytes each. Over: the oldest of whoever asked for the most is given up.
pub const TICKETS: usize = 65_536;

/// Such tickets of one player: more than it may be joined to, and tried again with. Over: its oldest is given up.
pub const TICKETS_PER_PLAYER: usize = 16;

/// Such tickets that players of one address asked for: ten thousand behind one come at once. Over: the oldest of them is given up.
pub const TICKETS_PER_ADDRESS: usize = TICKETS / 4;

/// Such tickets that one service, or one administrator, asked for. Over: the oldest of them is given up.
pub const TICKETS_PER_SERVICE: usize = TICKETS / 2;
