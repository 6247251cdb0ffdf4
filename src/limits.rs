//! Every bound in one place: its unit, why it is what it is, and what happens when it is reached.

/// Commands waiting in one shard's inbox. Full: the request is answered `overloaded` (503).
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

/// Unsent bytes of one connection, answers included. Over: close 4413.
pub const OUTBOX_BYTES: usize = 256 * 1024;

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

/// Milliseconds by which a shard may be late for that. Over: the rest has not passed for its sessions and connections: nobody could be
/// served in it.
pub const LATE_MS: u64 = 1_000;

/// Milliseconds between two tries to write a log that refused.
pub const LOG_RETRY_MS: u64 = 50;

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

/// Milliseconds a client has for its request's head, and to begin its first. Over: 408, or closed where nothing came.
pub const HEADER_MS: u64 = 5_000;

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

/// Milliseconds for which an idempotency key is remembered.
pub const KEY_MS: u64 = 24 * 60 * 60 * 1000;

/// Milliseconds a call of the store may take: an answer within a second is a promise. Over: `store_unavailable` (503).
pub const STORE_MS: u64 = 750;

/// Statements a connection of the store keeps prepared. Over: the oldest is prepared again when it is needed.
pub const STORE_STATEMENTS: usize = 128;

/// Connections that read the embedded store. Over: a read waits, at most [`STORE_MS`].
pub const SQLITE_READERS: u32 = 4;

/// Connections to PostgreSQL of one node, one of which writes. Fifty nodes then need 400. Over: a read waits, at most
/// [`STORE_MS`].
pub const POSTGRES_CONNECTIONS: u32 = 8;

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

const _: () = assert!(OUTBOX_STATE_BYTES < OUTBOX_ASK_BYTES && OUTBOX_ASK_BYTES < OUTBOX_BYTES);
const _: () = assert!(LAG_MS < STUCK_MS && STUCK_MS <= PING_AFTER_MS);
const _: () = assert!(FIGHTS_PER_SERVICE < SESSIONS_PER_SHARD);
const _: () = assert!(TICKET_MS < ARENA_ARRIVAL_MS as u64);
const _: () = assert!(
    TAPE_BYTES < TAPE_HELD_BYTES && TAPE_HELD_BYTES + 512 <= CHUNK_MOST_BYTES && REPLAY_BYTES < CHUNK_FILE_BYTES
);
const _: () = assert!(PING_AFTER_MS * 2 < IDLE_CLOSE_MS);
const _: () = assert!(MESSAGE_BYTES <= READ_BYTES);
const _: () = assert!(CONNECTIONS_LEAVING * 2 < DESCRIPTORS_RESERVED && JOINS_PER_CONNECTION < TICKETS_PER_PLAYER);
const _: () = assert!(JWKS_TIMEOUT_MS < JWKS_RETRY_MS && JWKS_TIMEOUT_MS < JWKS_UNKNOWN_KID_MS);
