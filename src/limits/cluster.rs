//! Bounds of what nodes that share a store say to each other, directly and through Redis. Whether a node lives is judged by how long its
//! key in Redis lasts and by this machine's monotonic clock, never by a time that another machine says.

/// Milliseconds for which a node's key in Redis lasts without being renewed, and three renewals more: one may be late twice. Over: it is not
/// among the living, and who asks for its sessions is told so.
pub const NODE_TTL_MS: u64 = 1_200;

/// Milliseconds between two renewals of a node's key, and between two readings of who lives.
pub const NODE_RENEW_MS: u64 = 200;

/// Milliseconds for a node that stops to say so to the others first. Over: it stops all the same, and they may take it for dead a little sooner
/// than it is.
pub const NODE_LEAVE_MS: u64 = 300;

/// Milliseconds a start waits for the key of a node of its own name to go, which is that of its process before, killed a moment ago. Over: it
/// is another one that lives, and the start is refused.
pub const NODE_NAME_MS: u64 = NODE_TTL_MS + 1_000;

/// Milliseconds for a connection to Redis. Over: as if it was not there.
pub const REDIS_CONNECT_MS: u64 = 1_000;

/// Milliseconds for an answer of Redis. Over: the connection is given up, and a new one asked the same: what was asked is a node's own key,
/// and may be done twice.
pub const REDIS_ANSWER_MS: u64 = 500;

/// Milliseconds before Redis is tried again after a failure; twice as long after each, up to the second.
pub const REDIS_RETRY_MS: u64 = 100;
pub const REDIS_RETRY_MOST_MS: u64 = 1_000;

/// Milliseconds after Redis has come back in which who is not found there is still taken for living: a Redis that was started again knows
/// nobody at first, and all have to find that out.
pub const NODE_GRACE_MS: u64 = REDIS_RETRY_MOST_MS + REDIS_CONNECT_MS + NODE_TTL_MS;

/// Nodes of one cluster. Over: those beyond are not read, and the log says so.
pub const NODES: usize = 1_024;

/// Bytes of what one node says of itself. Over: it is not believed to be one.
pub const NODE_ENTRY_BYTES: usize = 8 * 1024;

/// Requests that one node has with others at the same time; well below what one address may have of connections at the other end. Over:
/// `overloaded` (503).
pub const FORWARDS: usize = 256;

/// Connections to one other node that wait for the next request. Over: they are closed.
pub const FORWARD_IDLE_CONNECTIONS: usize = 64;

/// Milliseconds for which they do, less than the other end waits ([`super::IDLE_MS`]). Over: closed.
pub const FORWARD_IDLE_MS: u64 = 30_000;

/// Milliseconds for a connection to another node. Over: `node_unavailable` (503); the request has not gone.
pub const FORWARD_CONNECT_MS: u64 = 1_000;

/// Milliseconds for another node's whole answer, below [`super::REQUEST_MS`]. Over: `node_unavailable` (503), and whether what was asked took
/// effect is not known.
pub const FORWARD_MS: u64 = 8_000;

/// Milliseconds for the beginning of another node's answer to a request that changes nothing, more than that node takes to say that its log does
/// not answer. Over: `node_unavailable` (503); asking again does no harm.
pub const FORWARD_READ_MS: u64 = 2_500;

/// Milliseconds for a socket's way to another node: the connection, and the answer to its upgrade. Over: `node_unavailable` (503); a ticket
/// may be used up.
pub const CROSSING_OPEN_MS: u64 = 4_000;

/// Sockets that are on their way to other nodes at the same time; well below what one address may have of connections at the other end.
/// Over: `overloaded` (503).
pub const CROSSINGS: usize = 256;

/// Bytes of a node's refusal to take a socket. Over: `node_unavailable` (503).
pub const CROSSING_ANSWER_BYTES: usize = 64 * 1024;

/// Bytes that are read of one side of a relayed socket at once, and, where there is TLS, of a record. Until the other side has taken them no more is
/// read: that is all that waits here for each direction.
pub const CROSSING_BYTES: usize = 16 * 1024;

/// Bytes that the kernel keeps of what another node sends to a client and that has not been read, and of what a client sends to another node,
/// which the system doubles for its own use. Over: the other node finds its socket full, as if it was the client's.
pub const CROSSING_KERNEL_BYTES: u32 = 64 * 1024;

/// Milliseconds for which a client may take nothing of what its node has sent to it: longer than that node itself bears it
/// ([`super::STUCK_MS`]), which tells it why. Over: cut.
pub const CROSSING_STUCK_MS: u64 = super::STUCK_MS + 5_000;

/// Milliseconds between two signs of life that the kernel asks of the other node on a connection that is silent, and for which what was sent there
/// may be without an answer. Over: the node is lost.
pub const CROSSING_ALIVE_MS: u64 = 10_000;

/// Addresses of other nodes from which many connections may come, and milliseconds since the last word of a node from there. Over: they are
/// counted like everybody's.
pub const NODE_ADDRESSES: usize = NODES;
pub const NODE_ADDRESS_MS: u64 = 60_000;

/// Milliseconds after which who was told `node_unavailable` may ask again.
pub const NODE_AGAIN_MS: u64 = 300;

/// Seconds for which another node's word about whom it asks for is good, between clocks that agree: the leeway that all tokens have, and no more,
/// as it is used at once. By so much one node's clock may be ahead of another's, less the time on the way, or behind. Over: refused.
pub const HOP_SECONDS: u64 = super::TOKEN_LEEWAY_SECONDS;

/// Sessions whose node is remembered. Over: the store, or a shard, is asked again.
pub const OWNERS: u64 = 200_000;

/// Milliseconds by which an id may be older or newer than the clock for the other nodes to be asked about it: a fight's node has it at once,
/// the store a moment later. Over: what the store does not have is nobody's.
pub const FRESH_MS: u64 = 10_000;

/// How often the store is asked about such a session that a socket is for, and milliseconds between. Over: there is no such session.
pub const YOUNG_READS: usize = 10;
pub const YOUNG_READ_MS: u64 = 50;

/// Milliseconds for which the store's word about a login of another node is believed. Over: it is asked again. So long a login that has ended
/// there may still be good here.
pub const FOREIGN_LOGIN_MS: u64 = 1_000;

/// Logins of other nodes that are remembered for that long. Over: the store is asked again.
pub const FOREIGN_LOGINS: u64 = 100_000;

/// Others that a node watches by a connection: each is watched by as many, so that one may die together with its neighbour.
pub const NEIGHBOURS: usize = 2;

/// Milliseconds before such a connection is made again. When it ended because the process did, that is where nobody listens.
pub const SENTRY_AGAIN_MS: u64 = 50;

/// Milliseconds between two requests on such a connection, less than the other end waits ([`super::IDLE_MS`]).
pub const SENTRY_ASKS_MS: u64 = 20_000;

/// Milliseconds between two looks for sessions whose node lives no more; also at once when a node goes.
pub const ORPHANS_LOOK_MS: u64 = 1_000;

/// Milliseconds after which it is tried again where something did not answer.
pub const ORPHANS_AGAIN_MS: u64 = 100;

/// Milliseconds for which an orphan is left to the node that comes first for it. Over: whoever finds it takes it.
pub const ORPHAN_HEIR_MS: u64 = 2_000;

/// Orphans that a node takes over in one go, and of which it waits for all to live before it takes more: so much is read and stepped again
/// at once, beside everything else.
pub const ORPHANS_AT_ONCE: usize = 128;

/// Milliseconds after another Redis has been found to have the log, in which nothing is taken over: it may have less than the one before, and
/// those who live say theirs anew meanwhile.
pub const LOG_GRACE_MS: u64 = 2 * NODE_TTL_MS;

const _: () =
    assert!(FORWARD_READ_MS > NODE_TTL_MS && FORWARD_READ_MS > super::LOG_ANSWER_MS && FORWARD_READ_MS < FORWARD_MS);

const _: () = assert!(NODE_TTL_MS > 4 * NODE_RENEW_MS && FORWARD_MS + FORWARD_CONNECT_MS < super::REQUEST_MS);
