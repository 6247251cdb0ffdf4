//! A shard's figures: counted without atomics by the thread that owns them, published once per turn.

use std::iter::Sum;
use std::sync::atomic::{AtomicU64, Ordering};

use tiltyard_combat::Flag;
use tiltyard_combat::replay::Loss;

use crate::log::redis::Figures;
use crate::ops::beat::Beat;

macro_rules! stats {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// A shard's figures, or the sum of several shards'.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Stats {
            $($(#[$doc])* pub $name: u64,)*
        }

        /// The same, readable from any thread.
        #[derive(Debug, Default)]
        pub struct Published {
            $($name: AtomicU64,)*
            beat: Beat,
        }

        impl Published {
            /// Publishes `stats`. The fields are stored one by one: a reader may see a turn half published.
            pub fn store(&self, stats: &Stats) {
                $(self.$name.store(stats.$name, Ordering::Relaxed);)*
                self.beat.beat();
            }

            /// Nothing has been published for long.
            #[cfg(test)]
            pub fn hang(&self) {
                self.beat.stop();
            }

            /// What was published last.
            pub fn load(&self) -> Stats {
                Stats { hanging: u64::from(self.beat.is_late()), ..Stats { $($name: self.$name.load(Ordering::Relaxed),)* } }
            }
        }

        impl Sum for Stats {
            fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
                all.fold(Self::default(), |a, b| Self {
                    // That of all is that of the one that reaches the least far back.
                    history_ms: least(a.history_ms, b.history_ms),
                    ..Self { $($name: a.$name + b.$name,)* }
                })
            }
        }
    };
}

/// The lower of two, where 0 is none.
fn least(a: u64, b: u64) -> u64 {
    if a == 0 || b == 0 { a.max(b) } else { a.min(b) }
}

impl Stats {
    /// Counts what fair play noticed.
    pub fn flag(&mut self, flag: Flag) {
        *match flag {
            Flag::Speed => &mut self.flags_speed,
            Flag::Interval => &mut self.flags_interval,
            Flag::Aim => &mut self.flags_aim,
            Flag::Rate => &mut self.flags_rate,
            Flag::Regular => &mut self.flags_regular,
            Flag::Away => &mut self.flags_away,
        } += 1;
    }

    /// Notes how it stands with a log in Redis.
    pub fn of_redis(&mut self, figures: &Figures) {
        let Figures { counts, is_away, restored, has_other_log, is_superseded } = *figures;
        self.log_redis = 1;
        self.log_redis_connections = counts.ready;
        self.log_redis_away = is_away.into();
        self.log_redis_reconnects = counts.reconnects;
        self.log_redis_commands = counts.commands;
        self.log_redis_answers = counts.answers;
        self.log_redis_answer_us = counts.answer_us;
        self.log_redis_slow = counts.slow;
        self.log_redis_restored = restored;
        self.log_redis_other = has_other_log.into();
        self.log_superseded = is_superseded.into();
    }

    /// Counts a fight whose replay ends before it.
    pub fn loss(&mut self, loss: Loss) {
        *match loss {
            Loss::TooLong => &mut self.replays_too_long,
            Loss::Disk => &mut self.replays_disk,
            Loss::Panic => &mut self.replays_panic,
            Loss::Quota => &mut self.replays_quota,
            // Found out where tapes are put together, and counted there.
            Loss::Damaged => return,
        } += 1;
    }

    /// How often fair play noticed that.
    pub const fn flags(&self, flag: Flag) -> u64 {
        match flag {
            Flag::Speed => self.flags_speed,
            Flag::Interval => self.flags_interval,
            Flag::Aim => self.flags_aim,
            Flag::Rate => self.flags_rate,
            Flag::Regular => self.flags_regular,
            Flag::Away => self.flags_away,
        }
    }
}

stats! {
    /// Open connections.
    connections,
    /// Connections of sockets of other shards, one for each session that such a socket is in.
    far,
    /// Resident sessions.
    sessions,
    /// Resident sessions that have not ended.
    live_sessions,
    /// Sessions that are no fights, and somebody is connected to.
    rooms,
    /// Changes of these that clients have asked for.
    patches,
    /// Messages of members to others.
    relays,
    /// The same, one for each recipient.
    relays_out,
    /// Those that were left out for a slow client.
    relays_missed,
    /// Turns of the loop.
    turns,
    /// Turns that took longer than [`crate::limits::LONG_TURN_US`].
    long_turns,
    /// Inputs given to fights: actions, joins, timers.
    inputs,
    /// Actions applied.
    actions,
    /// Actions refused by name.
    refused,
    /// Inputs that no fight was given, as they were over their participant's budget or would have changed nothing.
    turned_away,
    /// Repeated actions answered from memory.
    repeated,
    /// Deltas made.
    deltas,
    /// Deltas queued, one for each recipient.
    deltas_out,
    /// Messages from clients.
    messages_in,
    /// Of these, those that went on to sessions of other shards.
    forwarded,
    /// Those that could not, as the other shard had no room.
    forwards_refused,
    /// Messages that could not be understood.
    bad_messages,
    /// Messages from clients that had sent too many, and were thrown away.
    messages_over,
    /// Bytes received.
    bytes_in,
    /// Bytes sockets took.
    bytes_out,
    /// Writes to sockets.
    writes,
    /// Joins taken.
    joins,
    /// Joins that wait for their turn.
    joins_waiting,
    /// Joins refused because their player asked for too many, or too many waited.
    joins_refused,
    /// Joins of clients that had a later sequence than there is.
    rolled_back,
    /// Joins of clients that were told what they had missed delta by delta, and how many deltas that were.
    resumed,
    resumed_deltas,
    /// Joins of clients that said what they had and were sent a snapshot, by why.
    resumes_too_old,
    resumes_changed_hands,
    resumes_other_encoding,
    /// Steps of which nothing is kept for those who come back, as their sessions had used their share.
    history_left_out,
    /// Bytes that what is kept may take.
    history_bytes,
    /// Milliseconds back to which it reaches.
    history_ms,
    /// Bytes of messages made for one connection alone: answers, welcomes, snapshots.
    single_bytes,
    /// Times a connection was not heard any more: its outbox was full, or it waited to join.
    held,
    /// Times state began to be left out for a slow client.
    lagged,
    /// Times a slow client was brought up to date with a snapshot.
    conflated,
    /// Connections closed because they took nothing.
    closed_slow,
    /// Connections closed because they sent too much.
    closed_flood,
    /// Connections closed because they were in no session.
    closed_unjoined,
    /// Connections closed because their tokens had expired.
    closed_expired,
    /// Times a connection was given new credentials.
    renewed,
    /// New credentials that were refused.
    renewals_refused,
    /// Bytes appended to the log.
    log_bytes,
    /// Tries to append that failed.
    log_failures,
    /// Turns that were handed to the log again, as nobody knew whether it had them.
    log_unknown,
    /// Shards whose log is in Redis.
    log_redis,
    /// Connections to it that can be used.
    log_redis_connections,
    /// Shards that have not all of theirs.
    log_redis_away,
    /// Times that one was made again.
    log_redis_reconnects,
    /// Commands put on their way, and those that were answered.
    log_redis_commands,
    log_redis_answers,
    /// Microseconds between the two, of all that were answered.
    log_redis_answer_us,
    /// Answers that took longer than [`crate::limits::REDIS_SLOW_US`].
    log_redis_slow,
    /// Sessions that were said to it anew, as it had lost something of them.
    log_redis_restored,
    /// Shards that have found another log in it than theirs.
    log_redis_other,
    /// Shards that have found that another server has started under the node's name.
    log_superseded,
    /// Sessions that were dropped because they had been taken over elsewhere.
    fenced,
    /// Sessions that were handed over to another shard.
    handed_over,
    /// Hand-overs that did not come about.
    hand_overs_failed,
    /// Sessions that came from another shard.
    adopted,
    /// Shards that cannot write their log, and do nothing until they can.
    stalled,
    /// Shards that take no turns any more. Seen by whoever reads what a shard has published.
    hanging,
    /// Times that the shard could do nothing for a while, which did not pass for its sessions.
    stands,
    /// Bytes that the start has cut off a torn log.
    log_torn_bytes,
    /// Turns of a damaged log that the start has left out.
    log_lost_turns,
    /// Fights with times from after the clock, at the start.
    times_clamped,
    /// Journals of which the start could read nothing.
    log_lost_journals,
    /// Bytes that journals lacked at the start, and had had.
    log_missing_bytes,
    /// Checkpoints that could not be written.
    checkpoint_failures,
    /// Shards whose last checkpoint could not be written, so that their segment grows on.
    checkpoint_overdue,
    /// Whether room is kept for the log.
    log_reserve,
    /// Bytes appended to files of replays.
    replay_bytes,
    /// Turns whose parts of replays could not be written.
    replay_failures,
    /// Fights whose replays end before them, by what was lost.
    replays_too_long,
    replays_disk,
    replays_panic,
    replays_quota,
    /// What fair play noticed, by its flags.
    flags_speed,
    flags_interval,
    flags_aim,
    flags_rate,
    flags_regular,
    flags_away,
    /// Sessions ended because stepping them panicked.
    panics,
}
