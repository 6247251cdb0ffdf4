//! Who receives a session: joins, when it is their turn, and leaves.

use std::time::Instant;

use tiltyard_combat::{Audience, Input, Parting, Slot};
use tiltyard_protocol::server::{ErrorNotice, Joined, Left, LeftWhy, RolledBack};
use tiltyard_protocol::{About, CloseCode, Reason, ServerMessage};
use uuid::Uuid;

use super::admission::{Asked, Has};
use super::connection::{ConnKey, Join, State};
use super::far::Far;
use super::publish;
use super::resume::{self, Course};
use super::session::{Member, SessionKey};
use super::welcome::timers_of;
use super::worker::Worker;
use crate::limits;

impl Worker {
    /// A connection asks for a session. What cannot be is refused at once; a join waits for its turn, and the connection with it.
    pub(super) fn ask_to_join(&mut self, conn: ConnKey, session: Uuid, has: Has) {
        if self.is_elsewhere(conn, session) {
            return self.ask_elsewhere(conn, session, has);
        }
        let (key, _) = match self.seat_of(conn, session) {
            Ok(seat) => seat,
            Err(Reason::NoSession) if self.may_be_a_room(conn, session) => return self.ask_for_room(conn, session),
            Err(reason) => return self.error(conn, About::join(session), reason),
        };
        let (now, connection) = (self.clock.now, &mut self.connections[conn]);
        let player = connection.player;
        if let Some(join) = connection.joins.iter_mut().find(|join| join.session == key) {
            if now < join.again_at {
                return self.error(conn, About::join(session), Reason::AlreadyJoined);
            }
            join.again_at = now + limits::JOIN_AGAIN_MS;
        }
        if !self.admission.charge(player, now) {
            self.stats.joins_refused += 1;
            return self.error(conn, About::join(session), Reason::TooManyRequests);
        }
        if !self.admission.push(player, Asked { conn, session, has }) {
            self.stats.joins_refused += 1;
            return self.close(conn, CloseCode::TryLater);
        }
        self.connections[conn].waits += 1;
    }

    /// Takes joins that wait, for as long as they may take in one turn.
    pub(super) fn admit(&mut self) {
        if self.admission.due(self.clock.turn).is_some_and(|wait| wait.is_zero()) {
            let started = Instant::now();
            while let Some(asked) = self.admission.next() {
                self.take_join(asked);
                if started.elapsed().as_micros() >= limits::JOINS_TURN_US {
                    break;
                }
            }
            self.admission.rest(started.elapsed(), Instant::now());
        }
        self.stats.joins_waiting = self.admission.waiting() as u64;
    }

    fn take_join(&mut self, Asked { conn, session, has }: Asked) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.waits -= 1;
        let is_ending = connection.stream.far().is_some_and(Far::is_ending);
        if connection.state == State::Open && !is_ending {
            if self.asks_there(conn, session) {
                return;
            }
            match self.seat_of(conn, session) {
                Ok((key, _)) if self.waits_to_join(conn, key) => {
                    return self.join_later(key, Asked { conn, session, has });
                }
                Ok((key, slot)) => self.join(conn, key, slot, has),
                // It has gone there since it was asked for.
                Err(_) if self.is_elsewhere(conn, session) => self.ask_elsewhere(conn, session, has),
                Err(reason) => self.error(conn, About::join(session), reason),
            }
        }
        self.join_settled(conn);
        self.hear(conn);
    }

    /// Whether a connection that is not in a session is to wait, as it is frozen.
    fn waits_to_join(&self, conn: ConnKey, key: SessionKey) -> bool {
        let session = &self.sessions[key];
        session.frozen && self.connections.get(conn).is_some_and(|of| of.join(session.handle()).is_none())
    }

    /// Which seat the connection's player has in `session`, if the connection can carry it.
    fn seat_of(&self, conn: ConnKey, session: Uuid) -> Result<(SessionKey, Slot), Reason> {
        let connection = self.connections.get(conn).ok_or(Reason::NoSession)?;
        if connection.only.is_some_and(|only| only != session) {
            return Err(Reason::NoSession);
        }
        let Some(&key) = self.index.get(&session) else {
            return Err(Reason::NoSession);
        };
        let slot = self.sessions[key].fight.slot_of(connection.player.as_u128()).ok_or(Reason::NoSession)?;
        match connection.join(self.sessions[key].handle()) {
            // Two sessions whose ids end alike: one connection could not tell their messages apart.
            Some(join) if join.session != key => Err(Reason::SessionElsewhere),
            None if connection.calls(self.sessions[key].handle()) => Err(Reason::SessionElsewhere),
            None if connection.session_count() >= limits::JOINS_PER_CONNECTION => Err(Reason::TooManySessions),
            _ => Ok((key, slot)),
        }
    }

    fn join(&mut self, conn: ConnKey, key: SessionKey, slot: Slot, has: Has) {
        let (id, handle) = (self.sessions[key].id, self.sessions[key].handle());
        let is_new = self.connections[conn].join(handle).is_none();
        if is_new {
            let connect = self.coming(key, slot);
            let turned_away = self.turned_away(key, connect);
            if turned_away.is_some_and(|answer| answer.is_err()) {
                // Who comes and goes all the time.
                self.error(conn, About::join(id), Reason::RateLimited);
                return;
            }
            self.replace(key, slot);
            // Else connecting is refused to nobody who has a seat; the others see it before the new member is one.
            if turned_away.is_none() {
                let _ = self.apply(key, connect, None);
            }
            let Some(session) = self.sessions.get_mut(key) else { return };
            session.members.push(Member { conn, slot });
            self.aways.comes(key, session, slot);
            let applied = session.applied_by(slot).unwrap_or_default();
            self.connections[conn].joins.push(Join { handle, session: key, slot, applied, again_at: 0, missed: None });
        }
        self.stats.joins += 1;
        self.welcome(conn, key, slot, has, is_new);
    }

    /// What a fight is told of a connection that joins: whether the player has another, which is then let go.
    fn coming(&self, key: SessionKey, slot: Slot) -> Input {
        let session = &self.sessions[key];
        let is_there = session.members.iter().any(|member| member.slot == slot);
        if is_there && session.fight.participants()[usize::from(slot)].is_connected() {
            Input::Replace { slot }
        } else {
            Input::Connect { slot }
        }
    }

    /// `player` has taken a seat. Whoever gave it up and still watches from it is let go; where that is the player, it is there. What was
    /// told to that seat before is nobody's any more.
    pub(super) fn seat_taken(&mut self, key: SessionKey, slot: Slot, player: Uuid) {
        let member = self.sessions[key].members.iter().find(|member| member.slot == slot);
        let connection = member.and_then(|member| self.connections.get(member.conn));
        let is_there = connection.map(|connection| connection.player == player);
        if is_there == Some(false) {
            self.replace(key, slot);
        }
        let session = &mut self.sessions[key];
        self.aways.comes(key, session, slot);
        self.history.cut(&mut session.history, self.clock.now, session.fight.seq(), slot);
        let connect = Input::Connect { slot };
        if is_there == Some(true) && self.turned_away(key, connect).is_none() {
            let _ = self.apply(key, connect, None);
        }
    }

    /// The newest connection of a player wins: the one that had the slot is let go.
    fn replace(&mut self, key: SessionKey, slot: Slot) {
        let session = &mut self.sessions[key];
        let Some(place) = session.members.iter().position(|member| member.slot == slot) else { return };
        let old = session.members.swap_remove(place).conn;
        self.left.push((session.id, old));
        let Some(connection) = self.connections.get_mut(old) else { return };
        // Who comes instead goes on from what it was told.
        self.aways.leaves(key, session, (slot, connection.encoding), self.clock.now);
        connection.joins.retain(|join| join.session != key);
        if connection.session_count() == 0 {
            self.close(old, CloseCode::Replaced);
        } else {
            let s = self.sessions[key].handle();
            self.tell(old, &ServerMessage::Left(Left { s, why: LeftWhy::Replaced }));
        }
    }

    fn welcome(&mut self, conn: ConnKey, key: SessionKey, slot: Slot, has: Has, is_new: bool) {
        let (session, moment) = (&self.sessions[key], self.clock.moment());
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let (encoding, missed) = (connection.encoding, connection.take_missed(session.handle()));
        let (q, epoch) = (session.fight.seq(), session.epoch());
        let course = Course::of(&self.history, session, slot, encoding, has, is_new);
        course.count(&mut self.stats);
        if has.is_ahead_of(q, epoch) {
            // Nothing is shown before it is in the log: a log from before was put back, or its end got lost with the power.
            let notice = ErrorNotice::new(About::join(session.id), Reason::RolledBack);
            let (seq, its) = (has.seq.unwrap_or_default(), has.epoch.unwrap_or_default());
            let epochs = if its > epoch { format!(" (epochs {epoch} and {its})") } else { String::new() };
            let message = format!("{} It is at {q}, and the client has {seq}{epochs}.", notice.message);
            let rolled_back = Some(RolledBack { from: has.seq, from_epoch: has.epoch, to: q, to_epoch: epoch });
            self.tell(conn, &ServerMessage::Error(ErrorNotice { message, rolled_back, ..notice }));
        }
        let (session, rulebooks) = (&self.sessions[key], &mut self.rulebooks);
        let participant = &session.fight.participants()[usize::from(slot)];
        let answers = participant.answers();
        let (resume, why) = course.told();
        let joined = Joined {
            session: session.id,
            s: session.handle(),
            slot,
            team: participant.team(),
            resume,
            why,
            last_id: answers.last_id(),
            applied: answers.applied(),
            epoch,
            at: session.session_time(moment.now),
            time: moment.wall,
            timers: timers_of(session.bout()),
            rules: None,
            ..Joined::default()
        };
        let result = session.fight.lifecycle().end().is_some().then(|| publish::result_of(session, moment));
        let mut publisher = std::mem::take(&mut self.publisher);
        let frame =
            publisher.single(encoding, |out| rulebooks.joined(encoding, session.bout(), joined, has.rules, out));
        self.queue_single(conn, frame);
        self.publisher = publisher;
        if let Course::Deltas(kept) = &course {
            let frames = resume::frames(&self.history, encoding, kept);
            self.queue_single(conn, &frames);
        } else {
            let missed = missed.or_else(|| course.left_out(has.seq, q));
            let snapshot = publish::snapshot_of(&self.sessions[key], moment, Audience::Own(slot), missed);
            self.tell(conn, &snapshot);
        }
        if let Some(result) = result {
            self.tell(conn, &result);
        }
    }

    pub(super) fn leave(&mut self, conn: ConnKey, s: u32) {
        let Some(join) = self.connections.get(conn).and_then(|connection| connection.join(s)) else {
            if !self.leave_room(conn, s) {
                self.leave_elsewhere(conn, s);
            }
            return;
        };
        self.connections[conn].joins.retain(|joined| joined.handle != s);
        self.part(conn, join, Parting::Left);
        self.left_alone(conn);
        self.tell(conn, &ServerMessage::Left(Left { s, why: LeftWhy::Asked }));
    }

    /// Takes a connection out of every session it joined.
    pub(super) fn leave_all(&mut self, conn: ConnKey) {
        self.unlink_all(conn);
        self.leave_rooms(conn);
        let Some(connection) = self.connections.get_mut(conn) else { return };
        for join in std::mem::take(&mut connection.joins) {
            self.part(conn, join, Parting::Lost);
        }
    }

    fn part(&mut self, conn: ConnKey, join: Join, why: Parting) {
        let Some(session) = self.sessions.get_mut(join.session) else { return };
        session.members.retain(|member| member.conn != conn);
        if let Some(connection) = self.connections.get(conn) {
            self.aways.leaves(join.session, session, (join.slot, connection.encoding), self.clock.now);
        }
        self.left.push((session.id, conn));
        if session.frozen {
            // It was lost: what is said to it is not heard meanwhile.
            return self.note_parted(join.session, join.slot);
        }
        self.disconnect(join.session, join.slot, why);
    }

    /// Tells a session that one of its participants has no connection any more.
    pub(super) fn disconnect(&mut self, key: SessionKey, slot: Slot, why: Parting) {
        let input = Input::Part { slot, why };
        if self.turned_away(key, input).is_none() {
            // Never refused.
            let _ = self.apply(key, input, None);
        }
    }
}
