//! Every bound in one place: its unit, why it is what it is, and what happens when it is reached. Here are those of sockets, shards,
//! Every bound in one place: its unit, why it is what it is, and what happens when it is reached. Here are those of sockets, shards,
//! fights, their log and their replays; [`history`] has those of what is kept for who comes back, [`http`] those of REST and its connections,
//! [`tls`] those of TLS on them, [`cluster`] those of what nodes say to each other, [`records`] those of the other sessions, of the store and of analytics, [`rooms`] those of what sockets say about them.

mod cluster;
mod history;
mod http;
mod records;
mod redis;
mod rooms;
mod tls;

pub use cluster::*;
pub use history::*;
pub use http::*;
pub use records::*;
pub use redis::*;
pub use rooms::*;
pub use tls::*;

/// Commands waiting in one shard's inbox. Full: the request is answered `overloaded` (503). As many messages of one connection of another shard
/// wait at a session while its client has too much to take. Over: actions are refused, `overloaded`.
pub const INBOX_DEPTH: usize = 4096;

/// Commands that a shard takes from its inbox in one turn. Over: the rest waits for the next, behind what sockets have sent meanwhile.
pub const COMMANDS_PER_TURN: usize = 256;

/// Milliseconds a REST request waits for its shard. Over: `timeout` (503); the command may still be applied.
pub const SHARD_ANSWER_MS: u64 = 5_000;

/// Bytes of one WebSocket message or frame. Over: close 1009.
pub const MESSAGE_BYTES: usize = 64 * 1024;

/// Frames of one message. What a client sends of 64 KiB in 256 byte fragments fits. Over: close 1009.
pub const FRAGMENTS: u32 = 256;

/// Messages one connection may send, counted as frames of any kind: a client that acts, pings and moves at 60 Hz in three or
/// four sessions stays below it. Over: the first is answered `rate_limited`, the others are thrown away, and the connection
/// is closed with 4429 when there are as many again as the burst or when it is still too much after [`FLOOD_MS`]. Can be set.
pub const RATE_CONNECTION: &str = "240/s,480";

/// Bytes that come with each of them: 240 KiB a second, 480 KiB at once. Over: as above.
pub const RATE_CONNECTION_BYTES: u64 = 1024;

/// Milliseconds from the first message that was one too many to the close, where it does not end. It has ended when half the
/// burst may come again.
pub const FLOOD_MS: u64 = 1_000;

/// Milliseconds for which a player gets no connection after one was closed for a flood; twice as many with each that is still
/// remembered, up to the second figure. Over: `too_many_requests` (429).
pub const FLOOD_BAR_MS: u64 = 5_000;
pub const FLOOD_BAR_MOST_MS: u64 = 5 * 60 * 1_000;

/// Milliseconds for which a flood is remembered of its player.
pub const FLOOD_REMEMBERED_MS: u64 = 10 * 60 * 1_000;

/// Players of whom something is remembered: all with a connection, and 100,000 more, at a hundred bytes each. Over: what
/// ended connections leave is forgotten at once.
pub const PLAYERS_REMEMBERED: usize = CONNECTIONS + 100_000;

/// WebSocket connections of one player, over all shards: one for each session there is to play at once, and as many again that
/// have not noticed yet that they were lost. Over: `too_many_connections` (429).
pub const CONNECTIONS_PER_PLAYER: usize = 16;

/// Milliseconds a connection may be in no session, after it was opened and after it left the last one. Over: close 4404,
/// pings or not.
pub const UNJOINED_MS: u64 = 10_000;

/// Milliseconds before the end of its token at which a client is asked for a new one; of a token that has less than twice as much
/// left when it is shown, half of that. At the end: close 4419.
pub const TOKEN_ASK_MS: u64 = 60_000;

/// Milliseconds from one hand-in of new credentials to the next of one connection, and how many may come at once: each may cost a
/// signature's check, some 0.1 ms. Over, or while one is being checked: `too_many_requests`.
pub const RENEW_EVERY_MS: u64 = 1_000;
pub const RENEW_BURST: u64 = 4;

/// Credentials that wait to be checked, of all connections together, at 8 KiB. Over: `overloaded`.
pub const RENEWALS_WAITING: usize = 1_024;

/// Bytes read from a connection that is being closed, so that its answer to our close is seen. Over: nothing more is read.
pub const CLOSING_BYTES: usize = READ_BYTES;

/// Bytes received from one connection in one turn, which is also the size of a shard's receive buffer. Over: the
/// rest waits for the next turn, so that nobody starves the others.
pub const READ_BYTES: usize = 64 * 1024;

/// Unsent bytes of one connection from which state is no longer queued for it. Over: deltas are left out and one
/// snapshot follows when the socket has taken the rest.
pub const OUTBOX_STATE_BYTES: usize = 64 * 1024;

/// Milliseconds for which a socket may take nothing of what waits for it before state is no longer queued behind that. Over:
/// as above.
pub const LAG_MS: u64 = 1_000;

/// Unsent bytes of one connection from which it is not read from: what it has sent waits, undecoded, until it has taken what it
/// asked for. State alone does not reach it. Above it there is room for the largest answer, a welcome to a hundred seats
/// with its result, so that nobody is closed for what it asked.
pub const OUTBOX_ASK_BYTES: usize = 128 * 1024;

/// Bytes that a socket has taken for a client since it last showed that it reads, behind which a ping goes with the next state. Few
/// enough to notice within seconds who does not read a lively fight, and so many that a slow one costs no pings.
pub const RECEIPT_BYTES: u32 = 8 * 1024;

/// Milliseconds between two such pings. As seldom as the bound of five seconds below allows: each has a pong, which the shard reads by
/// itself.
pub const RECEIPT_EVERY_MS: u64 = 2_000;

/// Milliseconds for which such a ping may go without an answer before state is no longer queued. Over: as above. What the client's own
/// system has taken for it, and it does not read, is seen in no other way.
pub const RECEIPT_MS: u64 = 2_500;

/// Unsent bytes of one connection, answers included, beside what it is told of a whole session that is no fight: that may be as much again,
/// comes one at a time to a client that asks, and closes nobody. Over: close 4413.
pub const OUTBOX_BYTES: usize = 256 * 1024;

/// Bytes of one session that are on their way to a socket of another shard, or wait for it there. Over: the rest waits at the session, but
/// for one frame that is larger. With eight sessions they fill no more of the outbox than a client may leave in it.
pub const FAR_BYTES: usize = 16 * 1024;

/// Bytes that wait at a session behind those, from which state is no longer queued. Over: as with [`OUTBOX_STATE_BYTES`], of which it is
/// half, as each of a connection's sessions elsewhere has its own.
pub const FAR_STATE_BYTES: usize = 32 * 1024;

/// Milliseconds until another shard whose inbox was full is asked again.
pub const FULL_LOOK_MS: u64 = 1;

/// Milliseconds that a client is told to wait where its message found another shard's inbox full (`overloaded`).
pub const FULL_RETRY_MS: u32 = 1_000;

/// What other shards say that waits while a shard cannot write its log. Over: actions are refused, `log_unavailable`.
pub const STASHED: usize = 4_096;

/// Milliseconds for which a socket may take nothing of what waits for it, looked at whenever the connection's timer fires, which is
/// after [`PING_AFTER_MS`] at the latest. Over: close 4413.
pub const STUCK_MS: u64 = 20_000;

/// Bytes a socket's send buffer may hold, sent and unsent; the kernel counts its own memory for small writes too, and allows for
/// that by doubling the number. Enough for what a game sends in a second over the longest way. Over: the socket takes no
/// more.
pub const KERNEL_BYTES: usize = 128 * 1024;

/// Bytes in that buffer that are not yet on their way, because the client's side has no room, from which a socket takes no more. One
/// write may go beyond it by a segment of at most 64 KiB.
pub const KERNEL_UNSENT_BYTES: u32 = 16 * 1024;

/// Messages that could not be understood which one connection may send. Over: close 4400.
pub const BAD_MESSAGES: u8 = 16;

/// The highest action id: what a JavaScript number counts exactly. Over: `bad_action_id`.
pub const ACTION_ID_MAX: u64 = 1 << 53;

/// Sessions one connection may be joined to. Over: `too_many_sessions`.
pub const JOINS_PER_CONNECTION: usize = 8;

/// Milliseconds after which a connection that joins a session it is in gets another snapshot. Before: `already_joined`. The first
/// time it always does: a client that has drifted is helped at once.
pub const JOIN_AGAIN_MS: u64 = 1_000;

/// Joins that one player may ask of a shard at once, over all its connections and sessions; each is shown to the fight's others and
/// logged, and so is each leave. Over: `too_many_requests`.
pub const JOINS_AT_ONCE: u64 = 16;

/// Milliseconds after which a player may ask for one more.
pub const JOIN_EVERY_MS: u64 = 1_000;

/// Joins that wait in one shard. Over: close 1013.
pub const JOINS_WAITING: usize = 16_384;

/// Microseconds from which no more commands are taken from the inbox in a turn; one always is. Over: as with [`COMMANDS_PER_TURN`]. To
/// take a socket over costs several calls of the kernel, and all of a game's come at once when its network is back.
pub const COMMANDS_TURN_US: u128 = 500;

/// Microseconds from which no more connections that broke leave their sessions in a turn; one always does. Over: the rest waits for
/// the next turn, behind what the others have sent. Each leave is shown to the fight's others and logged, and thousands break at once.
pub const LEAVES_TURN_US: u128 = 500;

/// Microseconds from which no more joins are taken in a turn; one always is.
pub const JOINS_TURN_US: u128 = 500;

/// Of how many parts of a shard's time joins have one, while some wait. The others keep the rest.
pub const JOINS_SHARE: u32 = 4;

/// Bytes of encoded rules a shard keeps. Over: all are forgotten, and made anew as they are needed.
pub const RULEBOOK_BYTES: usize = 512 * 1024;

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

/// Sessions of a node that are on other shards than their own, after they were handed over there, at some 40 bytes. Over: no other leaves
/// its own shard, `too_many_sessions` (503). Each shard may go beyond it by the hand-overs that it has begun.
pub const SESSIONS_MOVED: usize = 500_000;

/// Hand-overs that one shard has begun and not ended. Over: `overloaded` (503).
pub const HAND_OVERS_AT_ONCE: usize = 256;

/// Milliseconds for which a session may be held for a hand-over. Over: it goes on where it was, `overloaded` (503).
pub const HAND_OVER_MS: u64 = 1_000;

/// Commands about one session that wait while it changes hands. Over: `overloaded` (503).
pub const HAND_OVER_WAITING: usize = 64;

/// Sessions handed over that the log of a shard has not forgotten yet, at 56 bytes. Over: it forgets the oldest at once.
pub const HANDED_OVER: usize = 65_536;

/// Logins that have ended which a shard remembers, at some 40 bytes. Over: it takes no session of another shard until it has forgotten some.
pub const ENDED_LOGINS: usize = 65_536;

/// Milliseconds for which a shard remembers which logins have ended, so that a connection that was on its way to it is closed, too: longer than
/// one is on its way.
pub const ENDED_LOGIN_MS: u64 = 10_000;

/// Milliseconds after which the log of a shard forgets a session that it has handed over: by then the system has written what the other
/// shard's log has of it, and that is not the last it has.
pub const HANDED_OVER_MS: u64 = 60_000;

/// Milliseconds for which a fight may be paused at a time: until the same hour of the next day, so that whoever runs the games has
/// been there once, and what a player pauses and leaves is gone the day after. Over: it ends without a winner (`pause_limit`).
pub const PAUSED_MS: u64 = 24 * 60 * 60 * 1_000;

/// Fights of one player that have not ended. Over: `quota_exceeded` (409), as for the bounds below.
pub const FIGHTS_PER_PLAYER: usize = 256;

/// Bytes that a fight may take beside its seats: its documents as long as they may be, and what every fight needs.
pub const FIGHT_BYTES: usize = 2 * DOCUMENT_BYTES + 4 * 1024;

/// Bytes that a seat of a fight may take, with all that is remembered for it.
pub const SEAT_BYTES: usize = 2 * 1024;

/// Bytes of one player's fights that have not ended, by the two above: all 256 may have six seats, and 37 may have a hundred.
pub const FIGHT_BYTES_PER_PLAYER: usize = 8 * 1024 * 1024;

/// The same with fights that have ended and not left their shards, so that making and ending them takes no more memory.
pub const RECENT_FIGHT_BYTES_PER_PLAYER: usize = 32 * 1024 * 1024;

/// Fights that one player makes in a day, all at once if it likes: one every minute and a half, day and night, where a person plays
/// some dozens. Each may leave 33 KiB of documents in the store, beside its replay. What services make is not counted. Over:
/// `quota_exceeded` (409), until some of it is given back, evenly over the day.
pub const FIGHTS_PER_PLAYER_DAY: u64 = 1_000;

/// Sessions of one other type that one player makes in a day: twice as many as may live, or one every three minutes. Over: as above.
pub const RECORDS_PER_PLAYER_DAY: u64 = 500;

/// Bytes of inputs that are recorded of one player's fights in a day: an evening of ten players at 25 inputs a second each, where an
/// hour of a duel is a fifth of a MiB. Over: its fights' replays have their beginning only, up to there, and say so.
pub const REPLAY_BYTES_PER_PLAYER_DAY: u64 = 64 * 1024 * 1024;

/// Bytes of idempotency keys, with the answers kept for them, of one player in a day: an action a second by REST, day and night. They
/// are kept for a day. Over: `quota_exceeded` (409) for requests with a new key.
pub const KEY_BYTES_PER_PLAYER_DAY: u64 = 256 * 1024 * 1024;

/// Bytes that a key takes in the store without its answer, its place in the index included.
pub const KEY_ROW_BYTES: u64 = 256;

/// Those whose budgets of a day are remembered, of each kind, at some hundred bytes each. Over: who has spent the least has all of
/// it again.
pub const DAILY_OWNERS: usize = 100_000;

/// Fights of one service, or one administrator, that have not ended: they run the games, and even where all lie in one shard
/// there is a fifth of it left for others.
pub const FIGHTS_PER_SERVICE: usize = 400_000;

/// Fights of the arena that have not ended which one player has a seat in: it plays in one, and may wait in some others. Over:
/// `quota_exceeded` (409).
pub const ARENA_SEATS_PER_PLAYER: usize = 8;

/// Seats in such fights that were asked for from one address, at 26 KiB each where they are alone with the server's enemies: some 105
/// MiB. Over: as above.
pub const ARENA_SEATS_PER_ADDRESS: usize = 4_096;

/// Seats in the arena that one player takes in a day, all at once if it likes: a short fight every three minutes, day and night. Over:
/// `quota_exceeded` (409), until some of it is given back, evenly over the day.
pub const ARENA_SEATS_PER_PLAYER_DAY: u64 = 500;

/// Seats in the arena taken in a day from one address: forty such players, or a thousand who play twenty fights each. A fight leaves 38
/// KiB in the store and 0.3 MiB of replay at the very most for each seat, as it is over after five minutes. Over: as above.
pub const ARENA_SEATS_PER_ADDRESS_DAY: u64 = 20_000;

/// Milliseconds after which a seat in the arena is given up that nobody has come for: its ticket is no good any more.
pub const ARENA_ARRIVAL_MS: u32 = 31_000;

/// Events one session remembers for REST, and in the fog each side of it. Over: the oldest is forgotten; the log keeps them all.
pub const RECENT_EVENTS: usize = 16;

/// Milliseconds after which a shard looks again whether the store has an ended session, which stays until then.
pub const STORE_WAIT_MS: u64 = 1_000;

/// Deltas of one session between two digests.
pub const DIGEST_EVERY: u64 = 16;

/// Bytes of one journal segment behind its checkpoint, before the shard goes on in a new one. What is in it then, and a snapshot of every
/// session, is what a start has to read at most.
pub const SEGMENT_BYTES: u64 = 256 * 1024 * 1024;

/// Bytes of inputs that a session keeps in memory for its replay, about 25 inputs; with the one that is one too many they fit in
/// 256, and a live session of four in 4 KiB. Over: they go into a file.
pub const TAPE_BYTES: usize = 224;

/// Bytes of inputs that a session holds where no file takes them, because the disk is full. Over: its replay ends there.
pub const TAPE_HELD_BYTES: usize = 4 * 1024;

/// Bytes of one part of a tape in a file: what a session holds, the input that was one too many, a heading. A larger length in a
/// file is damage.
pub const CHUNK_MOST_BYTES: usize = 8 * 1024;

/// Bytes of a file of parts before the shard begins another. A file is removed when the last session with a part in it goes.
pub const CHUNK_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of the inputs of one fight for each of its seats, at some 10 bytes an input: an hour of 50 inputs a second from everybody,
/// which is more than rules let anybody do, and what nobody does for an hour. Over: the fight's replay has its beginning only, up
/// to there, and says so.
pub const REPLAY_BYTES_PER_SEAT: u64 = 2 * 1024 * 1024;

/// Bytes of the inputs of one fight, however many seats it has: at 25 inputs a second from everybody 55 minutes of ten, 5 of a
/// hundred. One commit has to take it: SQLite needs a quarter of a second for it, of the [`STORE_MS`]. Over: as above.
pub const REPLAY_BYTES: u64 = 8 * 1024 * 1024;

/// Fights told again at once for players, and as many for services, for logs and replays; one of them for each player, and one for
/// administrators beside. Over: a request waits, at most [`STORY_WAIT_MS`], and callers are served in turn.
pub const STORIES: usize = 2;

/// Requests of one player that wait for such a turn: two pages that are open, and something to spare. Over: `too_many_requests` (429).
pub const STORIES_WAITING_PER_PLAYER: usize = 4;

/// Requests of one service or administrator that wait: those may ask for many players. Over: as above.
pub const STORIES_WAITING_PER_SERVICE: usize = 64;

/// Requests of one kind of caller that wait for such a turn. Over: `overloaded` (503).
pub const STORIES_WAITING: usize = 1_024;

/// Milliseconds a request waits for its turn to have a fight told. Over: `overloaded` (503).
pub const STORY_WAIT_MS: u64 = 2_000;

/// Inputs of a fight that are told at once: some milliseconds of stepping, after which a request that nobody waits for any more
/// stops, and as much of a fight that goes on is stepped again for its next reader.
pub const STORY_SEGMENT_INPUTS: u64 = 512;

/// Bytes of bookmarks in one fight's trail: 1,000 of a fight of four, from which a page is some hundred inputs away. Over: every
/// second one is left out.
pub const STORY_BOOKMARK_BYTES: usize = 2 * 1024 * 1024;

/// Bytes of fights that were told, to go on from: tapes and bookmarks. Over: the least used are stepped from their beginning again.
pub const STORY_TRAILS_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes of what happened in them, as it was told. Over: the least used is stepped again, from the nearest bookmark.
pub const STORY_TOLD_BYTES: u64 = 32 * 1024 * 1024;

/// Replays put together at once, off the shards.
pub const REPLAYS_AT_ONCE: usize = 64;

/// Bytes of replays that wait for the store in memory; the rest waits in files, and its sessions in their shards.
pub const REPLAY_BYTES_READY: usize = 16 * 1024 * 1024;

/// Bytes of replays in one commit, or one replay, so that a commit stays far below [`STORE_MS`].
pub const REPLAY_BYTES_PER_COMMIT: usize = 512 * 1024;

/// Bytes of one frame of the log. A larger length in a file is damage. A turn stays far below: it is bounded by the inbox and the
/// receive buffers.
pub const FRAME_BYTES: usize = 256 * 1024 * 1024;

/// Bytes after which a start's checkpoint begins another frame, so that writing it needs little memory.
pub const CHECKPOINT_FRAME_BYTES: usize = 1024 * 1024;

/// Microseconds of a turn in which snapshots of sessions are made for the checkpoint of a new segment, some hundred of them. Over: the
/// others are left to the next turns, and the segment before is needed as long.
pub const CHECKPOINT_PART_US: u128 = 2_000;

/// Bytes of snapshots that are written in one turn: what the disk's cache takes in less than the time above. Over: as above.
pub const CHECKPOINT_PART_BYTES: usize = 256 * 1024;

/// Milliseconds after which a shard that has nothing to do looks at the time.
pub const SLEEP_MS: u64 = 1_000;

/// Milliseconds in which a shard takes a turn, and any other loop that has something to do goes round, whatever they wait for. Over: it hangs;
/// `/health` is `unhealthy`, or `degraded` for what is no shard, until it does not.
pub const BEAT_MS: u64 = 5_000;

/// The same for what waits for a disk or another server, or puts a whole fight's replay together: a minute is no sign of hanging there.
pub const BEAT_LONG_MS: u64 = 60_000;

/// Milliseconds by which a shard may be late for that. Over: the rest has not passed for its sessions and connections: nobody could be
/// served in it.
pub const LATE_MS: u64 = 1_000;

/// Milliseconds between two tries to write a log that refused.
pub const LOG_RETRY_MS: u64 = 50;

/// Turns of a shard that may wait for its log. Over: the shard waits for a disk that is about to answer, no longer than [`LOG_ANSWER_MS`]; then,
/// and at once for any other log, it does as while its log refuses, until one is kept.
pub const TURNS_HELD: usize = 256;

/// Milliseconds for which the answers of a turn wait for a log that refuses. Over: `log_unavailable` (503), with `outcome` `unknown`: the
/// turn is in the log as soon as it can be.
pub const LOG_ANSWER_MS: u64 = 1_000;

/// Milliseconds between two marks of how far a journal is whole, while there are turns. What was done since the last is not missed where
/// somebody puts an older copy of the journal in its place.
pub const MARK_MS: u64 = 20;

/// Fights that an error of the log names. More are counted only.
pub const LOST_FIGHTS_NAMED: usize = 8;

/// Milliseconds after which a checkpoint that could not be written is tried again. The segment grows on until one can.
pub const CHECKPOINT_RETRY_MS: u64 = 10_000;

/// Bytes of the disk that are kept for the log, for half a million turns of an action. Over, when a turn finds no room: they are given
/// up, and taken again when there is room.
pub const LOG_RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// How many times as much has to be free for them to be taken. Below: the log has no reserve.
pub const LOG_RESERVE_OF: u64 = 16;

/// Participants of one fight.
pub const PARTICIPANTS: usize = 100;

const _: () = assert!(OUTBOX_STATE_BYTES < OUTBOX_ASK_BYTES && OUTBOX_ASK_BYTES < OUTBOX_BYTES);
const _: () = assert!(RECEIPT_EVERY_MS + RECEIPT_MS < 5_000);
const _: () = assert!(FAR_BYTES * JOINS_PER_CONNECTION <= OUTBOX_ASK_BYTES && FAR_STATE_BYTES < OUTBOX_STATE_BYTES);
const _: () = assert!(LAG_MS < STUCK_MS && STUCK_MS <= PING_AFTER_MS);
const _: () = assert!(FIGHTS_PER_SERVICE < SESSIONS_PER_SHARD);
const _: () = assert!(TICKET_MS < ARENA_ARRIVAL_MS as u64);
const _: () = assert!(
    TAPE_BYTES < TAPE_HELD_BYTES && TAPE_HELD_BYTES + 512 <= CHUNK_MOST_BYTES && REPLAY_BYTES < CHUNK_FILE_BYTES
);
const _: () = assert!(PING_AFTER_MS * 2 < IDLE_CLOSE_MS);
const _: () = assert!(MESSAGE_BYTES <= READ_BYTES);

// What is bounded itself is no sign of one that hangs.
const _: () = assert!(BEAT_MS > 2 * (SLEEP_MS + LOG_ANSWER_MS) && BEAT_MS > 2 * (EXPIRY_MS + 2 * STORE_MS));
const _: () = assert!(CONNECTIONS_LEAVING * 2 < DESCRIPTORS_RESERVED && JOINS_PER_CONNECTION < TICKETS_PER_PLAYER);
const _: () = assert!(JWKS_TIMEOUT_MS < JWKS_RETRY_MS && JWKS_TIMEOUT_MS < JWKS_UNKNOWN_KID_MS);
