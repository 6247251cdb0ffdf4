//! Going on with a session that somebody else has had: whoever stopped, as its log says, or another shard of the node, which hands it over.
//! Both are the same: the session under a higher epoch than any that is known, which the log is told, and then it lives here.

use std::borrow::Cow;

use mio::Interest;
use tiltyard_combat::{Input, Parting, Slot};
use tiltyard_protocol::{CloseCode, Reason};

use super::connection::Connection;
use super::far::Far;
use super::frozen::{Coming, Move, Way};
use super::session::{Member, SessionKey};
use super::transfer::Adoption;
use super::worker::Worker;
use crate::book::News;
use crate::limits;
use crate::session::Refusal;
use crate::shard::{Entry, Session, SessionRecord};

/// How somebody else's session comes.
#[derive(Debug, Clone, Copy)]
enum Origin {
    /// By this shard's log, which has its record: its clients are gone, and its time has stood still.
    Log,
    /// From another shard, where its fight's host time would be this now.
    Shard { host: u64 },
}

impl Worker {
    /// Goes on with a session of the log, where `known` is the highest epoch that the store has of it.
    pub(super) fn recall(&mut self, mut session: Session, known: u64) {
        if session.set_back(self.clock.wall) {
            tracing::warn!(session = %session.id, "a fight has times from after the clock, which was set back; they are now");
            self.stats.times_clamped += 1;
        }
        session.hold_again(self.book.holdings());
        let key = self.take_over(session, known, Origin::Log);
        self.disconnect_absent(key);
        // The store may not have been told before the node stopped.
        self.announced.push((key, News::Changed));
    }

    /// Goes on with a session that another node has had, and that the log says is this one's, where `known` is the highest epoch that the store
    /// has of it.
    pub(super) fn take_in(&mut self, record: SessionRecord, known: u64) -> Result<(), Refusal> {
        if let Some(here) = self.index.get(&record.id).and_then(|key| self.sessions.get(*key)) {
            if here.epoch() >= record.epoch {
                // It was asked for before, and the answer came too late.
                return Ok(());
            }
            // It was this node's before it was the other's, which it has not heard: with the next turn, as this one may have answers about it.
            self.overtaken.push(record.id);
            return Err(Reason::Overloaded.into());
        }
        self.room_for(&record.id)?;
        let ruleset = self.library.by_hash(&record.ruleset).ok_or(Reason::Internal)?;
        let session = Session::from_record(record, ruleset, self.chunks.folder()).map_err(|_| Reason::Internal)?;
        self.recall(session, known);
        Ok(())
    }

    /// Goes on with a session of another shard, once the log has kept that: until then it is frozen.
    pub(super) fn adopt(&mut self, adoption: Adoption) {
        let Adoption { record, host, at, from, transfer } = adoption;
        let id = record.id;
        let session = self.room_for(&record.id).and_then(|()| {
            let ruleset = self.library.by_hash(&record.ruleset).ok_or(Reason::Internal)?;
            Session::from_record(record, ruleset, self.chunks.folder()).map_err(|_| Reason::Internal)
        });
        let mut session = match session {
            Ok(session) => session,
            Err(reason) => {
                tracing::warn!(session = %id, %reason, "a session of another shard is not taken");
                transfer.refuse(reason);
                return from.wake();
            }
        };
        session.frozen = true;
        self.chunks.refer_to(session.recorder().files());
        let passed = self.clock.turn.saturating_duration_since(at).as_millis();
        let host = host.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX));
        let key = self.take_over(session, 0, Origin::Shard { host });
        self.moves.insert(key, Move::new(Way::In(Coming { transfer, from, is_kept: false })));
        self.adopted.push(key);
    }

    fn room_for(&self, id: &uuid::Uuid) -> Result<(), Reason> {
        if self.draining {
            return Err(Reason::Draining);
        }
        if self.sessions.len() >= limits::SESSIONS_PER_SHARD {
            return Err(Reason::TooManySessions);
        }
        // It was offered before, and its withdrawal is not heard of yet; or nobody would know which connections are to be closed.
        let is_busy = self.index.contains_key(id) || self.ended_logins.len() >= limits::ENDED_LOGINS;
        if is_busy { Err(Reason::Overloaded) } else { Ok(()) }
    }

    /// Takes somebody else's session in, under a higher epoch than any that is known, and has the log say so.
    fn take_over(&mut self, mut session: Session, known: u64, origin: Origin) -> SessionKey {
        session.no = self.next_no;
        self.next_no += 1;
        let mut key = session.raise(known);
        match origin {
            Origin::Log => session.go_on(self.clock.now),
            Origin::Shard { host } => {
                session.go_on_at(host, self.clock.now);
                let record = Box::new(Cow::Owned(session.record()));
                self.log.push(key, &Entry::Session { no: session.no, record });
                key = session.next_key();
                session.claim(key.epoch, key.number);
            }
        }
        self.log.push(key, &Entry::Claim { no: session.no, epoch: key.epoch, number: key.number });
        self.insert(session)
    }

    /// The log has kept an adoption: in the next turn it is asked whose the session is.
    pub(super) fn adoption_kept(&mut self, key: SessionKey) {
        if let Some(Move { way: Way::In(coming), .. }) = self.moves.get_mut(&key) {
            coming.is_kept = true;
            self.moves_due = true;
        }
    }

    /// The log has a session that another shard has offered: it is this shard's, unless that one has withdrawn it.
    pub(super) fn has_come(&mut self, key: SessionKey) {
        let Some(Move { way: Way::In(coming), waiting, joins, .. }) = self.moves.remove(&key) else { return };
        let Some(id) = self.sessions.get(key).map(|session| session.id) else { return };
        // Whoever hears that it is taken finds it here.
        let before = self.peers.place_of(id);
        self.peers.put(id, self.number);
        let parcel = coming.transfer.take();
        coming.from.wake();
        let Some(parcel) = parcel else {
            self.peers.put(id, before);
            self.drop_adopted(key);
            for command in waiting {
                self.send_on(id, command);
            }
            for asked in joins {
                self.ask_again(asked);
            }
            return;
        };
        self.stats.adopted += 1;
        let session = &mut self.sessions[key];
        session.frozen = false;
        session.shares = parcel.shares;
        let mut said = Vec::new();
        for (slot, mut connection) in parcel.connections {
            match connection.stream.far_mut() {
                Some(far) if far.is_home(self.number) => {
                    said.extend(self.come_home(connection, parcel.clock, key, slot));
                    continue;
                }
                Some(far) => far.has_gone(),
                None => {}
            }
            self.arrive(connection, parcel.clock, key, slot);
        }
        self.disconnect_absent(key);
        self.arm(key);
        self.announced.push((key, News::Changed));
        for forward in said {
            self.come_around(forward);
        }
        self.go_on(waiting, joins);
    }

    /// The session was withdrawn before it was this shard's: its owner goes on with it under a higher epoch.
    fn drop_adopted(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.remove(key) else { return };
        self.index.remove(&session.id);
        self.stats.live_sessions -= u64::from(!session.fight.lifecycle().is_ended());
        self.log.leave(session.next_key(), &Entry::Forget { no: session.no });
    }

    /// Those who are in a session as far as it knows, and have no connection here, are gone: their reconnect windows begin.
    fn disconnect_absent(&mut self, key: SessionKey) {
        let session = &self.sessions[key];
        let is_here = |slot| session.members.iter().any(|member| member.slot == slot);
        let participants = session.fight.participants().iter();
        let absent: Vec<Slot> = (0..)
            .zip(participants)
            .filter(|(slot, participant)| participant.is_connected() && !is_here(*slot))
            .map(|(slot, _)| slot)
            .collect();
        for slot in absent {
            // Never refused; there is nobody to tell of it.
            let _ = self.apply(key, Input::Part { slot, why: Parting::Lost }, None);
        }
    }

    /// A member's connection comes from another shard, or back from the way to one, with times by a clock that says `clock` now.
    pub(super) fn arrive(&mut self, mut connection: Connection, clock: u64, key: SessionKey, slot: Slot) {
        connection.move_clock(clock, self.clock.now);
        connection.frozen = 0;
        for join in &mut connection.joins {
            join.session = key;
        }
        let (sid, due, far) = (connection.sid, connection.lease.due(), connection.stream.far().map(Far::place));
        let conn = self.connections.insert(connection);
        self.sessions[key].members.push(Member { conn, slot });
        // What has come meanwhile, and what waits for a socket that may have room by now.
        self.more.push(conn);
        if let Some(place) = far {
            self.stands_for(place, conn);
            self.ready.push(conn);
            if self.draining {
                self.close(conn, CloseCode::Restart);
            }
            return;
        }
        if let Some(sid) = sid {
            self.by_sid.add(sid, conn);
        }
        let (interest, stream) = (Interest::READABLE | Interest::WRITABLE, &mut self.connections[conn].stream);
        if let Err(error) = stream.register(self.poll.registry(), Self::token(conn), interest) {
            tracing::error!(%error, "a socket could not be registered");
            return self.lose(conn);
        }
        self.wake(conn, due.min(self.clock.now + limits::PING_AFTER_MS));
        if self.draining || self.ended_logins.len() >= limits::ENDED_LOGINS {
            return self.close(conn, CloseCode::Restart);
        }
        if sid.is_some_and(|sid| self.ended_logins.contains_key(&sid)) {
            // It ended while the connection was on its way.
            return self.close(conn, CloseCode::Unauthorized);
        }
        self.writable(conn);
    }
}
