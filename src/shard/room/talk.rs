//! What members say in a room. A patch goes to whoever has the records, and is answered when it is committed; what is relayed is passed on
//! and not kept. Each member has budgets, so that one who says too much is refused and nobody else.

use tiltyard_protocol::room::{Beat, Patch, Relay, Relayed};
use tiltyard_protocol::server::Refused;
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{Reason, ServerMessage, fields};
use uuid::Uuid;

use super::desk::Wanted;
use super::show::Lane;
use super::words::{Done, Shown, Words};
use crate::json::Json;
use crate::limits;
use crate::session::{Kind, Refusal};
use crate::shard::connection::ConnKey;
use crate::shard::link::Forwarded;
use crate::shard::worker::Worker;

/// Microseconds' worth of bytes that may be sent at once.
const BYTES_US: u64 = 1_000_000;

/// What is said to one who sends something to itself.
const TO_ONESELF: &str = "to: is who sends it, and a relay is for others";

/// What `bytes` are worth where so many are sent in a second.
const fn worth(bytes: u64, per_second: u64) -> u64 {
    bytes.saturating_mul(1_000_000) / per_second
}

impl Worker {
    /// A client changes a session's state.
    pub(in crate::shard) fn patch(&mut self, conn: ConnKey, patch: Patch) {
        let (s, id) = (patch.s, patch.id);
        if !self.may_write(conn) {
            return self.refuse_in_room(conn, "patch", (s, id), &Reason::Forbidden.into());
        }
        let Some(session) = self.room_called(conn, s) else {
            return self.say_outside(conn, s, id, Forwarded::Patch(patch));
        };
        if let Err(refusal) = self.ask_for_patch(conn, session, patch) {
            self.refuse_in_room(conn, "patch", (s, id), &refusal);
        }
    }

    fn ask_for_patch(&mut self, conn: ConnKey, session: Uuid, patch: Patch) -> Result<(), Refusal> {
        self.take_id(conn, session, patch.id)?;
        let (now, Patch { id, merge, expected, .. }) = (self.clock.now, patch);
        let connection = self.connections.get(conn).ok_or(Reason::NotJoined)?;
        let room = self.rooms.all.get_mut(&session).ok_or(Reason::NotJoined)?;
        if room.facts.as_ref().is_none_or(|facts| facts.kind != Kind::Custom) {
            return Err(Reason::WrongType.into());
        }
        let (player, copies) = (connection.player, u64::from(room.count_here()));
        let visitor = room.visitors.get_mut(&player).ok_or(Reason::NotJoined)?;
        let bytes = merge.as_str().len() as u64 * copies;
        visitor
            .patches
            .check(now, limits::PATCHES_US - limits::PATCH_US)
            .and_then(|()| visitor.bytes.check(now, BYTES_US))
            .and_then(|()| room.bytes.check(now, BYTES_US))
            .map_err(rate_limited)?;
        if visitor.waiting >= limits::PATCHES_WAITING {
            return Err(rate_limited(limits::PATCHES_WAITING_MS));
        }
        let wanted = Wanted::Patch { conn, player, id, expected, merge: merge.as_str().into() };
        self.desk.ask(session, wanted).map_err(not_asked)?;
        visitor.patches.pay(now, limits::PATCH_US);
        visitor.bytes.pay(now, worth(bytes, limits::MEMBER_BYTES_PER_SECOND));
        room.bytes.pay(now, worth(bytes, limits::ROOM_BYTES_PER_SECOND));
        visitor.waiting += 1;
        self.stats.patches += 1;
        Ok(())
    }

    /// What became of a patch. Where the room has not heard of the version yet, the answer waits for that.
    pub(super) fn patched(&mut self, session: Uuid, conn: ConnKey, id: u64, patched: Result<u64, Refusal>) {
        if let (Some(connection), Some(room)) = (self.connections.get(conn), self.rooms.all.get_mut(&session)) {
            if let Some(visitor) = room.visitors.get_mut(&connection.player) {
                visitor.waiting = visitor.waiting.saturating_sub(1);
            }
            if let (Ok(version), Some(facts)) = (&patched, &room.facts)
                && facts.version < *version
            {
                return room.done.push((conn, id, *version));
            }
        }
        match patched {
            Ok(version) => self.tell_patched(session, conn, id, version),
            Err(refusal) => self.refuse_in_room(conn, "patch", (player_word(session), id), &refusal),
        }
    }

    /// Answers the patches that the room has shown by now.
    pub(super) fn tell_done(&mut self, session: Uuid) {
        let Some(room) = self.rooms.all.get_mut(&session) else { return };
        let Some(known) = room.facts.as_ref().map(|facts| facts.version) else { return };
        let shown: Vec<_> = room.done.extract_if(.., |(_, _, version)| *version <= known).collect();
        for (conn, id, version) in shown {
            self.tell_patched(session, conn, id, version);
        }
    }

    pub(super) fn tell_patched(&mut self, session: Uuid, conn: ConnKey, id: u64, version: u64) {
        self.done(session, conn, &Done { id, version: Some(version), ..Done::default() });
    }

    /// A client sends something to other members.
    pub(in crate::shard) fn relay(&mut self, conn: ConnKey, relay: Relay) {
        let (s, id) = (relay.s, relay.id);
        if !self.may_write(conn) {
            return self.refuse_in_room(conn, "relay", (s, id), &Reason::Forbidden.into());
        }
        let Some(session) = self.room_called(conn, s) else {
            return self.say_outside(conn, s, id, Forwarded::Relay(relay));
        };
        match self.pass_on(conn, session, &relay) {
            Ok(count) => self.done(session, conn, &Done { id, to: Some(count), ..Done::default() }),
            Err(refusal) => self.refuse_in_room(conn, "relay", (s, id), &refusal),
        }
    }

    fn pass_on(&mut self, conn: ConnKey, session: Uuid, relay: &Relay) -> Result<u32, Refusal> {
        self.take_id(conn, session, relay.id)?;
        let now = self.clock.now;
        let connection = self.connections.get(conn).ok_or(Reason::NotJoined)?;
        let room = self.rooms.all.get_mut(&session).ok_or(Reason::NotJoined)?;
        if room.facts.as_ref().is_none_or(|facts| facts.kind != Kind::Custom) {
            return Err(Reason::WrongType.into());
        }
        let from = connection.player;
        let visitor = room.visitors.get_mut(&from).ok_or(Reason::NotJoined)?;
        // Before its text is looked at.
        visitor
            .relays
            .check(now, limits::RELAYS_US - limits::RELAY_US)
            .and_then(|()| visitor.bytes.check(now, BYTES_US))
            .and_then(|()| room.bytes.check(now, BYTES_US))
            .map_err(rate_limited)?;
        visitor.relays.pay(now, limits::RELAY_US);
        let text = compact(relay.data.as_str()).ok_or(Reason::BadFields)?;
        if text.len() > limits::RELAY_BYTES {
            return Err(Reason::BodyTooLarge.into());
        }
        match relay.to {
            Some(to) if to == from => return Err(Reason::InvalidTarget.into()),
            Some(to) if !room.here().any(|(here, _)| here == to) => return Err(Reason::NotHere.into()),
            _ => {}
        }
        room.relays += 1;
        let (n, time) = (room.relays, self.clock.wall);
        let lane = Lane::Relay { n, to: relay.to };
        let count = self.show_all(session, Some(conn), lane, |encoding, out| {
            let data = Shown::of(encoding, &text);
            encoding.encode(&Words::Relayed(Relayed { s: relay.s, n, from, data, time }), out);
        });
        self.stats.relays += 1;
        self.stats.relays_out += u64::from(count);
        if let Some(room) = self.rooms.all.get_mut(&session) {
            let bytes = text.len() as u64 * u64::from(count);
            room.bytes.pay(now, worth(bytes, limits::ROOM_BYTES_PER_SECOND));
            if let Some(visitor) = room.visitors.get_mut(&from) {
                visitor.bytes.pay(now, worth(bytes, limits::MEMBER_BYTES_PER_SECOND));
            }
        }
        Ok(count)
    }

    /// A client gives a sign of life.
    pub(in crate::shard) fn beat(&mut self, conn: ConnKey, beat: Beat) {
        let Beat { s, id } = beat;
        let Some(session) = self.room_called(conn, s) else {
            return self.say_outside(conn, s, id, Forwarded::Beat(beat));
        };
        if let Err(refusal) = self.ask_for_beat(conn, session, id) {
            self.refuse_in_room(conn, "beat", (s, id), &refusal);
        }
    }

    fn ask_for_beat(&mut self, conn: ConnKey, session: Uuid, id: u64) -> Result<(), Refusal> {
        self.take_id(conn, session, id)?;
        let now = self.clock.now;
        let connection = self.connections.get(conn).ok_or(Reason::NotJoined)?;
        let room = self.rooms.all.get_mut(&session).ok_or(Reason::NotJoined)?;
        if room.facts.as_ref().is_none_or(|facts| facts.kind != Kind::Player) {
            return Err(Reason::WrongType.into());
        }
        let player = connection.player;
        let visitor = room.visitors.get_mut(&player).ok_or(Reason::NotJoined)?;
        visitor.patches.check(now, limits::PATCHES_US - limits::PATCH_US).map_err(rate_limited)?;
        visitor.patches.pay(now, limits::PATCH_US);
        self.desk.ask(session, Wanted::Beat { conn, player, id }).map_err(not_asked)
    }

    pub(super) fn beaten(&mut self, session: Uuid, conn: ConnKey, id: u64, beaten: Result<u64, Reason>) {
        match beaten {
            Ok(until) => self.done(session, conn, &Done { id, expires_at: Some(until), ..Done::default() }),
            Err(reason) => {
                self.refuse_in_room(conn, "beat", (player_word(session), id), &reason.into());
            }
        }
    }

    /// Whether the credentials of a connection let it change what it is in. Of one whose socket is elsewhere that was looked at there.
    fn may_write(&self, conn: ConnKey) -> bool {
        self.connections.get(conn).is_some_and(|connection| connection.writes)
    }

    /// What is said to a session that is no room of this shard's.
    fn say_outside(&mut self, conn: ConnKey, s: u32, id: u64, what: Forwarded) {
        if self.connections.get(conn).is_some_and(|connection| connection.join(s).is_some()) {
            return self.refuse_in_room(conn, "", (s, id), &Reason::WrongType.into());
        }
        self.say_elsewhere(conn, s, id, what);
    }

    /// The ids of a connection in a room rise.
    fn take_id(&mut self, conn: ConnKey, session: Uuid, id: u64) -> Result<(), Reason> {
        let connection = self.connections.get_mut(conn).ok_or(Reason::NotJoined)?;
        let stay = connection.stays.iter_mut().find(|stay| stay.session == session).ok_or(Reason::NotJoined)?;
        if !(1..=limits::ACTION_ID_MAX).contains(&id) {
            return Err(Reason::BadActionId);
        }
        if id <= stay.last_id {
            return Err(Reason::StaleActionId);
        }
        stay.last_id = id;
        Ok(())
    }

    /// Refuses a message of type `t`.
    fn refuse_in_room(&mut self, conn: ConnKey, t: &str, (s, id): (u32, u64), refusal: &Refusal) {
        self.stats.refused += 1;
        let Refusal { reason, retry_ms, version, .. } = *refusal;
        let message = wrong(t, reason);
        self.tell(conn, &ServerMessage::Refused(Refused { retry_ms, message, version, ..Refused::new(s, id, reason) }));
    }
}

/// What is wrong with a message of type `t` that could be read, where there is more to say than the reason does.
fn wrong(t: &str, reason: Reason) -> Option<String> {
    match (t, reason) {
        ("patch", Reason::BadFields) => Some(fields::wrong(t, "merge")),
        ("relay", Reason::BadFields) => Some(fields::wrong(t, "data")),
        ("relay", Reason::InvalidTarget) => Some(TO_ONESELF.to_owned()),
        _ => None,
    }
}

/// The shortest text of what every reader of JSON can read.
fn compact(text: &str) -> Option<String> {
    let json = Json::parse(text.as_bytes()).ok()?;
    json.beyond_doubles("").is_empty().then(|| json.to_text())
}

fn rate_limited(retry_ms: u32) -> Refusal {
    Refusal { retry_ms: Some(retry_ms), ..Refusal::from(Reason::RateLimited) }
}

fn not_asked(reason: Reason) -> Refusal {
    let retry_ms = (reason == Reason::Overloaded).then_some(limits::FULL_RETRY_MS);
    Refusal { retry_ms, ..Refusal::from(reason) }
}
