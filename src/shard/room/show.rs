//! What members of a room are shown: each message is encoded once for each encoding that somebody here speaks. Changes are state: who has
//! too much to take gets the whole instead, once. What is relayed is queued up to a bound; what is beyond it is told as missed.

use tiltyard_protocol::room::{Gap, Presence, PresenceWhy, SessionType, State as StateNotice};
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{Encoding, ServerMessage};
use uuid::Uuid;

use super::Room;
use super::desk::{Changed, Facts};
use super::words::{Done, Shown, Timers, Welcome, Words};
use crate::limits;
use crate::session::Kind;
use crate::shard::connection::{ConnKey, State};
use crate::shard::worker::Worker;
use crate::socket::outbox::Offer;

/// What becomes of a message for a member who has too much to take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lane {
    /// The whole stands for it.
    State,
    /// It is that.
    Whole,
    /// It is missed. For one member, or for all.
    Relay { n: u64, to: Option<Uuid> },
}

impl Worker {
    /// Shows everybody in a room but one connection what `write` appends. To how many that is.
    pub(super) fn show_all(
        &mut self,
        session: Uuid,
        but: Option<ConnKey>,
        lane: Lane,
        write: impl Fn(Encoding, &mut Vec<u8>),
    ) -> u32 {
        let (mut frames, mut made) = (std::mem::take(&mut self.rooms.frames), [false; 2]);
        let (now, mut count) = (self.clock.now, 0);
        for (player, conn) in self.rooms.all.get(&session).into_iter().flat_map(Room::here) {
            if but == Some(conn) || matches!(lane, Lane::Relay { to: Some(to), .. } if to != player) {
                continue;
            }
            let Some(connection) = self.connections.get_mut(conn).filter(|of| of.state == State::Open) else {
                continue;
            };
            let Some(stay) = connection.stays.iter_mut().find(|stay| stay.session == session) else { continue };
            let encoding = connection.encoding;
            if matches!(lane, Lane::State | Lane::Whole)
                && let Offer::Skipped { first } = connection.outbox.offer_state(now)
            {
                self.stats.lagged += u64::from(first);
                stay.is_behind = true;
                continue;
            }
            let place = usize::from(encoding == Encoding::MsgPack);
            if !std::mem::replace(&mut made[place], true) {
                frames[place].message(encoding, |out| write(encoding, out));
            }
            let frame = frames[place].bytes();
            if let Lane::Relay { n, .. } = lane {
                if connection.outbox.len() + frame.len() > limits::RELAYS_WAITING_BYTES {
                    stay.missed_from.get_or_insert(n);
                    self.stats.relays_missed += 1;
                    // So that it hears of it when it has taken what waits.
                    self.stats.lagged += u64::from(connection.outbox.lag());
                    continue;
                }
                if let Some(from) = stay.missed_from.take() {
                    let gap = ServerMessage::Missed(Gap { s: stay.handle(), from, to: n - 1 });
                    let gap = self.publisher.single(encoding, |out| encoding.encode(&gap, out));
                    connection.outbox.push(gap, &mut self.pool);
                }
            }
            if matches!(lane, Lane::Whole) {
                connection.outbox.push_whole(frame, &mut self.pool);
            } else {
                connection.outbox.push(frame, &mut self.pool);
            }
            connection.outbox.ask_receipt(now);
            count += 1;
            if !connection.dirty {
                connection.dirty = true;
                self.dirty.push(conn);
            }
        }
        self.rooms.frames = frames;
        count
    }

    /// Shows what has been committed since `known`: change by change, or the whole where one of them is not known.
    pub(super) fn show_changes(&mut self, session: Uuid, known: &Facts, changes: &[Changed]) {
        let Some(facts) = self.rooms.all.get(&session).and_then(|room| room.facts.clone()) else { return };
        let (s, time) = (player_word(session), self.clock.wall);
        let new: Vec<&Changed> = changes.iter().filter(|change| change.version > known.version).collect();
        let versions = new.iter().map(|change| change.version);
        if !versions.eq(known.version + 1..=facts.version) {
            let here = self.here(session);
            self.show_all(session, None, Lane::Whole, |encoding, out| {
                encoding.encode(&Words::State(whole(encoding, s, &facts, here.clone(), time)), out);
            });
            return;
        }
        let members = (facts.members != known.members).then(|| facts.members.clone());
        for change in new {
            let members = members.clone().filter(|_| change.version == facts.version);
            self.show_all(session, None, Lane::State, |encoding, out| {
                let merge = change.merge.as_deref().map(|text| Shown::of(encoding, text));
                let (version, by, members) = (change.version, change.by, members.clone());
                let state = StateNotice { s, version, merge, by, state: None, members, here: None, time };
                encoding.encode(&Words::State(state), out);
            });
        }
    }

    /// Shows that a member has come or gone, but not to that one itself.
    pub(super) fn show_presence(&mut self, session: Uuid, player: Uuid, why: PresenceWhy, but: Option<ConnKey>) {
        let Some(room) = self.rooms.all.get(&session) else { return };
        let members_here = Some(room.count_here());
        let presence = Presence { s: player_word(session), player, why, members_here };
        self.show_all(session, but, Lane::State, |encoding, out| {
            encoding.encode(&ServerMessage::Presence(presence), out);
        });
    }

    /// Tells a connection what it has joined.
    pub(super) fn welcome_to_room(&mut self, conn: ConnKey, session: Uuid) {
        let Some(facts) = self.rooms.all.get(&session).and_then(|room| room.facts.clone()) else { return };
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if let Some(stay) = connection.stays.iter_mut().find(|stay| stay.session == session) {
            // It is told all.
            stay.is_behind = false;
        }
        let (encoding, is_custom) = (connection.encoding, facts.kind == Kind::Custom);
        let welcome = Welcome {
            session,
            s: player_word(session),
            kind: if is_custom { SessionType::Custom } else { SessionType::Player },
            members: is_custom.then_some(&facts.members),
            here: is_custom.then(|| self.here(session)),
            version: facts.version,
            state: is_custom.then(|| Shown::of(encoding, &facts.state)),
            expires_at: facts.expires_at,
            time: self.clock.wall,
            timers: Timers { ping_ms: limits::PING_AFTER_MS, idle_ms: limits::IDLE_CLOSE_MS },
        };
        let words = Words::Joined(Box::new(welcome));
        let mut publisher = std::mem::take(&mut self.publisher);
        let frame = publisher.single(encoding, |out| encoding.encode(&words, out));
        self.stats.single_bytes += frame.len() as u64;
        if let Some(connection) = self.connections.get_mut(conn).filter(|of| of.state == State::Open) {
            connection.outbox.push_whole(frame, &mut self.pool);
            self.mark_dirty(conn);
        }
        self.publisher = publisher;
    }

    /// Answers that something was done.
    pub(super) fn done(&mut self, session: Uuid, conn: ConnKey, done: &Done) {
        let Some(encoding) = self.connections.get(conn).map(|connection| connection.encoding) else { return };
        self.tell_words(conn, encoding, &Words::Ack(Done { s: player_word(session), ..*done }));
    }

    fn tell_words(&mut self, conn: ConnKey, encoding: Encoding, words: &Words<'_>) {
        let mut publisher = std::mem::take(&mut self.publisher);
        self.queue_single(conn, publisher.single(encoding, |out| encoding.encode(words, out)));
        self.publisher = publisher;
    }

    fn here(&self, session: Uuid) -> Vec<Uuid> {
        let room = self.rooms.all.get(&session);
        room.into_iter().flat_map(Room::here).map(|(player, _)| player).collect()
    }

    /// Queues what a connection is owed of its rooms, now that it has taken what waited: as much as it may be given at once.
    pub(in crate::shard) fn show_what_is_owed(&mut self, conn: ConnKey) {
        let time = self.clock.wall;
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let encoding = connection.encoding;
        for stay in &mut connection.stays {
            let Some(room) = self.rooms.all.get(&stay.session) else { continue };
            let Some(facts) = room.facts.as_ref().filter(|_| stay.is_behind || stay.missed_from.is_some()) else {
                continue;
            };
            if connection.outbox.len() > limits::OUTBOX_STATE_BYTES {
                connection.outbox.lag();
                return;
            }
            if let Some(from) = stay.missed_from.take() {
                let gap = ServerMessage::Missed(Gap { s: stay.handle(), from, to: room.relays });
                let gap = self.publisher.single(encoding, |out| encoding.encode(&gap, out));
                connection.outbox.push(gap, &mut self.pool);
            }
            if std::mem::take(&mut stay.is_behind) {
                let here = room.here().map(|(player, _)| player).collect();
                let words = Words::State(whole(encoding, stay.handle(), facts, here, time));
                let frame = self.publisher.single(encoding, |out| encoding.encode(&words, out));
                self.stats.single_bytes += frame.len() as u64;
                connection.outbox.push_whole(frame, &mut self.pool);
            }
        }
    }
}

/// All there is to know of a session.
fn whole(encoding: Encoding, s: u32, facts: &Facts, here: Vec<Uuid>, time: u64) -> StateNotice<Shown<'_>> {
    let is_custom = facts.kind == Kind::Custom;
    StateNotice {
        s,
        version: facts.version,
        state: is_custom.then(|| Shown::of(encoding, &facts.state)),
        members: is_custom.then(|| facts.members.clone()),
        here: is_custom.then_some(here),
        time,
        merge: None,
        by: None,
    }
}
