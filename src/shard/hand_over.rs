//! A session leaves for another shard, between two turns. From when it is asked for nothing is done to it (it is *frozen*): its connections are
//! not heard, commands about it wait, its timers do not fire. When the log has kept all that was done to it, its record is offered to the
//! other shard, with its connections and what it has of its owner's. Once that one's log has it, it is the other's, under a higher epoch, and
//! what has waited goes after it. Where the other does not take it, or not in time, it goes on here ([`Transfer`] decides which).

use std::sync::Arc;
use std::time::{Duration, Instant};

use tiltyard_combat::Parting;
use tiltyard_protocol::Reason;
use uuid::Uuid;

use super::connection::{ConnKey, Connection, State};
use super::far::Far;
use super::frozen::{Leaving, Move, Way, overloaded};
use super::held::Held;
use super::link::{Link, Near};
use super::session::{Member, SessionKey};
use super::transfer::{Adoption, Parcel, Transfer};
use super::worker::{Timer, Worker};
use crate::book::News;
use crate::limits;
use crate::log::Key;
use crate::session::Refusal;
use crate::shard::{Command, Entry, Reply};

/// A session that has left, and which the log is not to forget before the other shard's has it on the disk and has gone on: what is last in a
/// log is what a disk may take.
#[derive(Debug)]
pub(super) struct HandedOver {
    at: u64,
    key: Key,
    no: u32,
}

impl Worker {
    /// Begins to hand a session over.
    pub(super) fn begin_hand_over(&mut self, id: Uuid, to: usize, reply: Reply<Duration>) {
        // Nobody may wait for it any more.
        match self.leaves(id, to) {
            Ok(Some(key)) => {
                self.freeze(
                    key,
                    Leaving { to, reply, since: Instant::now(), after: None, transfer: None, staying: Vec::new() },
                );
            }
            Ok(None) => drop(reply.send(Ok(Duration::ZERO))),
            Err(refusal) => drop(reply.send(Err(refusal))),
        }
    }

    /// The session that is to leave, or nothing where it is there already.
    fn leaves(&self, id: Uuid, to: usize) -> Result<Option<SessionKey>, Refusal> {
        if self.draining {
            return Err(Reason::Draining.into());
        }
        if self.peers.shard(to).is_none() {
            return Err(Reason::BadRequest.into());
        }
        let key = self.find(id)?;
        if self.sessions[key].fight.lifecycle().is_ended() {
            return Err(Reason::SessionEnded.into());
        }
        if to == self.number {
            return Ok(None);
        }
        if !self.peers.moved().has_room() {
            return Err(Reason::TooManySessions.into());
        }
        if self.moves.len() >= limits::HAND_OVERS_AT_ONCE { Err(overloaded()) } else { Ok(Some(key)) }
    }

    fn freeze(&mut self, key: SessionKey, leaving: Leaving) {
        let session = &mut self.sessions[key];
        session.frozen = true;
        for member in &session.members {
            if let Some(connection) = self.connections.get_mut(member.conn) {
                connection.frozen += 1;
            }
        }
        self.moves.insert(key, Move::new(Way::Out(leaving)));
        self.wheel.insert(self.clock.now + self.hand_over_ms, Timer::Move(key));
    }

    /// Offers the sessions that are to leave, and of which the log has kept everything by now, to where they are to go.
    pub(super) fn send_off(&mut self) {
        if self.moves.is_empty() {
            return;
        }
        let (first, last) = (self.held.front().map(Held::turn), self.held.back().map(Held::turn));
        let mut ready = Vec::new();
        for (&key, of) in &mut self.moves {
            let Way::Out(leaving) = &mut of.way else { continue };
            if leaving.transfer.is_none() {
                let after = *leaving.after.get_or_insert(last.unwrap_or_default());
                if first.is_none_or(|first| first > after) {
                    ready.push(key);
                }
            }
        }
        for key in ready {
            let connections = &self.connections;
            let is_ready = |member: &Member| {
                let connection = connections.get(member.conn).filter(|connection| connection.state == State::Open);
                // One that stays does so whatever it waits for: nobody's fight waits with it.
                connection.is_none_or(|of| !of.is_of_one() || of.may_leave())
            };
            if self.sessions[key].members.iter().all(is_ready) {
                self.offer(key);
            }
        }
    }

    fn offer(&mut self, key: SessionKey) {
        let Some(Move { way: Way::Out(Leaving { to, .. }), .. }) = self.moves.get(&key) else { return };
        let to = self.peers.all()[*to].clone();
        let (parcel, staying) = self.pack(key);
        let session = &self.sessions[key];
        let transfer = Arc::new(Transfer::new(parcel));
        let adoption = Adoption {
            record: session.record(),
            host: session.host_time(self.clock.now),
            at: self.clock.turn,
            from: self.peers.all()[self.number].clone(),
            transfer: Arc::clone(&transfer),
        };
        if let Err((_, reason)) = to.offer(Command::Adopt(Box::new(adoption))) {
            // Heard of in the next turn, as this one is over.
            transfer.refuse(reason);
            self.moves_due = true;
        }
        if let Some(Move { way: Way::Out(leaving), .. }) = self.moves.get_mut(&key) {
            (leaving.transfer, leaving.staying) = (Some(transfer), staying);
        }
    }

    /// Takes out of this shard what goes with a session. A connection that is in others, too, stays and is still in it: with the session goes
    /// what stands for it there.
    fn pack(&mut self, key: SessionKey) -> (Parcel, Vec<(ConnKey, u64)>) {
        let session = &mut self.sessions[key];
        let shares = std::mem::take(&mut session.shares);
        let (mut connections, mut staying) = (Vec::new(), Vec::new());
        for &Member { conn, slot } in &session.members {
            let Some(connection) = self.connections.get(conn) else { continue };
            if connection.state == State::Open && !connection.is_of_one() && connection.stream.far().is_none() {
                self.links_made += 1;
                let near = Near { shard: self.number, conn };
                let far = Far::going(near, session.id, self.links_made);
                connections.push((slot, connection.standing(far, key, self.clock.now)));
                staying.push((conn, self.links_made));
            }
        }
        session.members.retain(|&mut Member { conn, slot }| {
            let is_alone = |of: &Connection| of.state == State::Open && of.is_of_one();
            if !self.connections.get(conn).is_some_and(is_alone) {
                return true;
            }
            let Some(mut connection) = self.connections.remove(conn) else { return true };
            if let Some(sid) = connection.sid {
                self.by_sid.remove(sid, conn);
            }
            if let Some(far) = connection.stream.far() {
                self.far.remove(&far.place());
            }
            if let Err(error) = connection.stream.deregister(self.poll.registry()) {
                tracing::error!(%error, "a socket could not be taken out of its shard's poll");
            }
            connections.push((slot, connection));
            false
        });
        (Parcel { shares, connections, clock: self.clock.now }, staying)
    }

    /// What was to go with a session comes back, but for what was to stand for those who have not gone.
    pub(super) fn come_back(&mut self, key: SessionKey, parcel: Parcel) {
        for (slot, mut connection) in parcel.connections {
            if !connection.stream.far_mut().is_some_and(|far| far.is_home(self.number)) {
                self.arrive(connection, parcel.clock, key, slot);
            }
        }
    }

    /// A session has been held for long enough.
    pub(super) fn move_overdue(&mut self, key: SessionKey) {
        let Some(Move { way: Way::Out(leaving), .. }) = self.moves.get(&key) else { return };
        match &leaving.transfer {
            None => self.stays(key, Parcel::default(), overloaded()),
            // Otherwise it is decided, and heard of in the next turn.
            Some(transfer) => {
                if let Some(parcel) = transfer.withdraw() {
                    self.outbid(key);
                    self.stays(key, parcel, overloaded());
                }
            }
        }
    }

    /// The other shard's log may have the session under the next epoch, and nobody was shown anything of that: it is gone on with under the one
    /// behind.
    fn outbid(&mut self, key: SessionKey) {
        let session = &mut self.sessions[key];
        let claim = session.raise(session.epoch() + 1);
        self.log.push(claim, &Entry::Claim { no: session.no, epoch: claim.epoch, number: claim.number });
        self.announced.push((key, News::Changed));
    }

    /// The session goes on here, with all that has waited.
    pub(super) fn stays(&mut self, key: SessionKey, mut parcel: Parcel, refusal: Refusal) {
        let Some(Move { way: Way::Out(leaving), waiting, joins, parted, forwards }) = self.moves.remove(&key) else {
            return;
        };
        self.stats.hand_overs_failed += 1;
        let session = &mut self.sessions[key];
        session.frozen = false;
        session.shares.append(&mut parcel.shares);
        for conn in self.members_of(key) {
            self.thaw(conn);
        }
        self.come_back(key, parcel);
        for slot in parted {
            self.disconnect(key, slot, Parting::Lost);
        }
        self.arm(key);
        for forward in forwards {
            self.forwarded(forward);
        }
        self.go_on(waiting, joins);
        drop(leaving.reply.send(Err(refusal)));
    }

    /// The session is another shard's.
    pub(super) fn has_left(&mut self, key: SessionKey) {
        let Some(Move { way: Way::Out(leaving), waiting, joins, forwards, .. }) = self.moves.remove(&key) else {
            return;
        };
        let Some(session) = self.sessions.remove(key) else { return };
        self.index.remove(&session.id);
        self.stats.live_sessions -= 1;
        self.stats.handed_over += 1;
        self.forget_in_time(HandedOver {
            at: self.clock.now + limits::HANDED_OVER_MS,
            key: session.next_key(),
            no: session.no,
        });
        self.left.extend(session.members.iter().map(|member| (session.id, member.conn)));
        for (conn, no) in leaving.staying {
            let link = Link::gone(session.id, session.handle(), (leaving.to, no));
            match self.connections.get_mut(conn) {
                Some(connection) if connection.joins.iter().any(|join| join.session == key) => {
                    connection.joins.retain(|join| join.session != key);
                    connection.links.get_or_insert_default().push(link);
                    self.thaw(conn);
                }
                // It was lost meanwhile.
                _ => self.lost(conn, &link),
            }
        }
        for forward in forwards {
            self.follow(forward);
        }
        for command in waiting {
            self.send_on(session.id, command);
        }
        for asked in joins {
            self.ask_again(asked);
        }
        drop(leaving.reply.send(Ok(leaving.since.elapsed())));
    }

    /// Has the log forget a session that another shard's log has.
    fn forget_in_time(&mut self, handed_over: HandedOver) {
        self.handed_over.push_back(handed_over);
        if self.handed_over.len() > limits::HANDED_OVER {
            self.forget_handed_over(1);
        }
    }

    /// Has the log forget those that have left a while ago, and at least so many.
    pub(super) fn forget_handed_over(&mut self, least: usize) {
        let mut count = 0;
        while let Some(HandedOver { key, no, .. }) =
            self.handed_over.pop_front_if(|of| count < least || of.at <= self.clock.now)
        {
            self.log.leave(key, &Entry::Forget { no });
            count += 1;
        }
    }
}
