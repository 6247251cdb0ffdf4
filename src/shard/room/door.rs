//! Who comes into a room and who goes.

use std::collections::HashMap;
use std::sync::Arc;

use tiltyard_protocol::room::PresenceWhy;
use tiltyard_protocol::server::{ErrorNotice, Left, LeftWhy};
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{About, CloseCode, Reason, ServerMessage};
use uuid::Uuid;

use super::desk::{Changed, Declined, Facts, News, Wanted};
use super::{Room, Stay};
use crate::limits;
use crate::shard::connection::{ConnKey, State};
use crate::shard::far::Far;
use crate::shard::worker::Worker;

impl Worker {
    /// Whether a connection that has no fight by this id may ask whether there is another session.
    pub(in crate::shard) fn may_be_a_room(&self, conn: ConnKey, session: Uuid) -> bool {
        let may_ask = |only: Option<Uuid>| only.is_none_or(|only| only == session);
        !self.index.contains_key(&session) && self.connections.get(conn).is_some_and(|of| may_ask(of.only))
    }

    /// A connection asks for a session that is no fight. Of one that its player is known to be a member of it hears at once; else it is not
    /// heard until whoever has the records has said whether it may.
    pub(in crate::shard) fn ask_for_room(&mut self, conn: ConnKey, session: Uuid) {
        let now = self.clock.now;
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let player = connection.player;
        let is_in = match connection.stays.iter_mut().find(|stay| stay.session == session) {
            Some(stay) if now < stay.again_at => return self.error(conn, About::join(session), Reason::AlreadyJoined),
            Some(stay) => {
                stay.again_at = now + limits::JOIN_AGAIN_MS;
                true
            }
            None => false,
        };
        if !is_in && connection.calls(player_word(session)) {
            return self.error(conn, About::join(session), Reason::SessionElsewhere);
        }
        if !is_in && connection.session_count() >= limits::JOINS_PER_CONNECTION {
            return self.error(conn, About::join(session), Reason::TooManySessions);
        }
        if !self.admission.charge(player, now) {
            self.stats.joins_refused += 1;
            return self.error(conn, About::join(session), Reason::TooManyRequests);
        }
        let facts = self.rooms.all.get(&session).and_then(|room| room.facts.as_ref());
        if facts.is_some_and(|facts| facts.concerns(player)) {
            return self.enter(conn, session);
        }
        match self.desk.ask(session, Wanted::Open { conn, player }) {
            Ok(()) => {}
            Err(Reason::NoSession) => return self.error(conn, About::join(session), Reason::NoSession),
            Err(reason) => {
                self.stats.joins_refused += 1;
                return self.not_now(conn, About::join(session), reason);
            }
        }
        self.rooms.all.entry(session).or_default().opening += 1;
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.waits += 1;
        }
    }

    /// Whoever has the records says something about a session.
    pub(in crate::shard) fn room_news(&mut self, session: Uuid, news: News) {
        match news {
            News::Opened { conn, opened } => self.opened(session, conn, opened),
            News::Changed { facts, changes } => self.learn(session, &facts, &changes),
            News::Ended => self.room_ended(session),
            News::Patched { conn, id, patched } => self.patched(session, conn, id, patched),
            News::Beaten { conn, id, beaten } => self.beaten(session, conn, id, beaten),
        }
    }

    fn opened(&mut self, session: Uuid, conn: ConnKey, opened: Result<Arc<Facts>, Declined>) {
        if let Some(room) = self.rooms.all.get_mut(&session) {
            room.opening = room.opening.saturating_sub(1);
        }
        let opened = opened.map(|facts| self.learn(session, &facts, &[]));
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.waits -= 1;
            let is_ending = connection.stream.far().is_some_and(Far::is_ending);
            match opened {
                _ if connection.state != State::Open || is_ending => {}
                Ok(()) => self.enter(conn, session),
                Err(Declined { reason, url }) => {
                    let notice = ErrorNotice { url, ..ErrorNotice::new(About::join(session), reason) };
                    self.tell(conn, &ServerMessage::Error(notice));
                    self.still_alone(conn);
                }
            }
            self.join_settled(conn);
            self.hear(conn);
        }
        self.close_if_empty(session);
    }

    /// A connection is in a room from now on, or is told again what there is. The newest connection of a player wins.
    fn enter(&mut self, conn: ConnKey, session: Uuid) {
        let (Some(connection), Some(room)) = (self.connections.get_mut(conn), self.rooms.all.get_mut(&session)) else {
            return;
        };
        let player = connection.player;
        let is_known = room.visitors.contains_key(&player);
        let old = room.visitors.entry(player).or_default().conn.replace(conn);
        self.stats.joins += 1;
        if old == Some(conn) {
            return self.welcome_to_room(conn, session);
        }
        connection.stays.push(Stay::new(session));
        if let Some(old) = old {
            self.send_out(old, session, CloseCode::Replaced);
        }
        self.welcome_to_room(conn, session);
        let why = match old {
            Some(_) => PresenceWhy::Replaced,
            None if is_known => PresenceWhy::Returned,
            None => PresenceWhy::Joined,
        };
        self.show_presence(session, player, why, Some(conn));
    }

    /// A connection is in a room no more, which the client did not ask for.
    fn send_out(&mut self, conn: ConnKey, session: Uuid, code: CloseCode) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.stays.retain(|stay| stay.session != session);
        if connection.session_count() == 0 {
            return self.close(conn, code);
        }
        let why = if matches!(code, CloseCode::Replaced) { LeftWhy::Replaced } else { LeftWhy::Ended };
        self.tell(conn, &ServerMessage::Left(Left { s: player_word(session), why }));
    }

    /// The player is no member any more. The connection may be of use for other sessions.
    fn put_out(&mut self, conn: ConnKey, session: Uuid) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.stays.retain(|stay| stay.session != session);
        self.left_alone(conn);
        self.tell(conn, &ServerMessage::Left(Left { s: player_word(session), why: LeftWhy::Removed }));
    }

    /// A client leaves what it calls `s`; `false` where that is no room.
    pub(in crate::shard) fn leave_room(&mut self, conn: ConnKey, s: u32) -> bool {
        let Some(session) = self.room_called(conn, s) else { return false };
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.stays.retain(|stay| stay.session != session);
        }
        self.part_from_room(conn, session, PresenceWhy::Left);
        self.left_alone(conn);
        self.tell(conn, &ServerMessage::Left(Left { s, why: LeftWhy::Asked }));
        true
    }

    /// A connection is gone from every room.
    pub(in crate::shard) fn leave_rooms(&mut self, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        for stay in std::mem::take(&mut connection.stays) {
            self.part_from_room(conn, stay.session, PresenceWhy::Lost);
        }
    }

    fn part_from_room(&mut self, conn: ConnKey, session: Uuid, why: PresenceWhy) {
        let (Some(connection), Some(room)) = (self.connections.get(conn), self.rooms.all.get_mut(&session)) else {
            return;
        };
        let player = connection.player;
        let Some(visitor) = room.visitors.get_mut(&player).filter(|visitor| visitor.conn == Some(conn)) else { return };
        visitor.conn = None;
        if !self.draining {
            self.show_presence(session, player, why, None);
        }
        self.close_if_empty(session);
    }

    /// Which session a connection calls `s`, where that is no fight.
    pub(in crate::shard) fn room_called(&self, conn: ConnKey, s: u32) -> Option<Uuid> {
        let stays = &self.connections.get(conn)?.stays;
        stays.iter().find(|stay| stay.handle() == s).map(|stay| stay.session)
    }

    /// The room that nobody is in any more goes. Where that cannot be said, it is with the next change.
    fn close_if_empty(&mut self, session: Uuid) {
        if self.rooms.all.get(&session).is_some_and(Room::is_empty)
            && let Some(Room { facts: Some(_), .. }) = self.rooms.all.remove(&session)
        {
            self.close_desk(session);
        }
    }

    fn close_desk(&self, session: Uuid) {
        // Where there is no room for it, it is said again at the next change.
        let _ = self.desk.ask(session, Wanted::Close);
    }

    /// The session has been committed like this. Who is no member any more goes; the others are shown what has changed.
    fn learn(&mut self, session: Uuid, facts: &Arc<Facts>, changes: &[Changed]) {
        let Some(room) = self.rooms.all.get_mut(&session) else {
            return self.close_desk(session);
        };
        let known = match &room.facts {
            // A join waits for what is newer than this, or as new.
            None if room.opening > 0 && !changes.is_empty() => return,
            Some(known) if known.version > facts.version => return,
            known => known.clone(),
        };
        room.facts = Some(Arc::clone(facts));
        let Some(known) = known.filter(|known| known.version < facts.version) else { return };
        let removed: Vec<Uuid> = room.visitors.keys().copied().filter(|&player| !facts.concerns(player)).collect();
        let removed: Vec<_> =
            removed.into_iter().filter_map(|player| Some((player, room.visitors.remove(&player)?.conn?))).collect();
        for &(_, conn) in &removed {
            self.put_out(conn, session);
        }
        self.show_changes(session, &known, changes);
        for (player, _) in removed {
            self.show_presence(session, player, PresenceWhy::Left, None);
        }
        self.tell_done(session);
        self.close_if_empty(session);
    }

    /// The session is no more.
    fn room_ended(&mut self, session: Uuid) {
        let Some(room) = self.rooms.all.get_mut(&session) else { return };
        let conns: Vec<ConnKey> = room.here().map(|(_, conn)| conn).collect();
        // What was committed before is told.
        for (conn, id, version) in std::mem::take(&mut room.done) {
            self.tell_patched(session, conn, id, version);
        }
        let Some(room) = self.rooms.all.get_mut(&session) else { return };
        (room.facts, room.visitors) = (None, HashMap::new());
        if room.opening == 0 {
            self.rooms.all.remove(&session);
        }
        for conn in conns {
            self.send_out(conn, session, CloseCode::SessionEnded);
        }
    }
}
