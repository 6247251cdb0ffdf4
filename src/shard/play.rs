//! Messages to inputs, inputs to steps, and who hears of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use smallvec::SmallVec;
use tiltyard_combat::replay::Loss;
use tiltyard_combat::ruleset::Resource;
use tiltyard_combat::{Answer, Audience, Input, Refusal as Refused};
use tiltyard_protocol::server::{Ack, ErrorNotice, Left, Pong, Refused as RefusedNotice};
use tiltyard_protocol::{Act, ClientMessage, CloseCode, Encoding, Reason, ServerMessage};
use uuid::Uuid;

use super::connection::{ConnKey, Connection, State};
use super::publish::{self, DeltaOf};
use super::session::{Session, SessionKey};
use super::worker::{Timer, Worker};
use crate::book::{News, Share};
use crate::limits;
use crate::session::{Refusal, Viewer};
use crate::shard::{Entry, command};
use crate::socket::outbox::Offer;

/// Whose action an input is: the connection that waits for the answer, and the action's id.
pub type Actor = (ConnKey, u64);

/// What the outside calls a fight's refusal, at session time `now`.
pub fn refusal(refused: Refused, now: u64) -> Refusal {
    let (reason, until) = match refused {
        Refused::Ended => (Reason::SessionEnded, None),
        Refused::WrongPhase => (Reason::WrongPhase, None),
        Refused::InvalidTransition => (Reason::InvalidTransition, None),
        Refused::Paused => (Reason::Paused, None),
        Refused::NoSeat => (Reason::NotAParticipant, None),
        Refused::Full => (Reason::SessionFull, None),
        Refused::AlreadySeated => (Reason::AlreadySeated, None),
        Refused::Eliminated => (Reason::Eliminated, None),
        Refused::StaleId => (Reason::StaleActionId, None),
        Refused::Unavailable => (Reason::ActionUnavailable, None),
        Refused::NeedsTarget => (Reason::NeedsTarget, None),
        Refused::NoSuchTarget => (Reason::NoSuchTarget, None),
        Refused::InvalidTarget => (Reason::InvalidTarget, None),
        Refused::Cooldown { until } => (Reason::Cooldown, Some(until)),
        Refused::Stamina { until } => (Reason::NotEnoughStamina, Some(until)),
        Refused::RateLimited { until } => (Reason::RateLimited, Some(until)),
        Refused::Failed => (Reason::Internal, None),
        Refused::NotEnough { of, until } => (lacking(of), Some(until)),
        Refused::Reloading { until } => (Reason::Reloading, Some(until)),
        Refused::UsedUp => (Reason::UsedUp, None),
        Refused::NeedsPlace => (Reason::NeedsPlace, None),
        Refused::OutOfRange => (Reason::OutOfRange, None),
        Refused::NoSight => (Reason::NoSight, None),
        Refused::TooFast => (Reason::TooFast, None),
        Refused::OutOfBounds => (Reason::OutOfBounds, None),
        Refused::Blocked => (Reason::Blocked, None),
        Refused::Stunned => (Reason::Stunned, None),
        Refused::Denied => (Reason::Denied, None),
        Refused::Busy => (Reason::Busy, None),
        Refused::NotYourTurn => (Reason::NotYourTurn, None),
    };
    let retry_ms = until.and_then(|until| u32::try_from(until.saturating_sub(now)).ok());
    Refusal { retry_ms, ..Refusal::from(reason) }
}

const fn lacking(of: Resource) -> Reason {
    match of {
        Resource::Stamina => Reason::NotEnoughStamina,
        Resource::Energy => Reason::NotEnoughEnergy,
        Resource::Charge => Reason::NotEnoughCharge,
        Resource::Ammo => Reason::NotEnoughAmmo,
    }
}

impl Worker {
    /// Puts a session into the arena.
    pub(super) fn insert(&mut self, session: Session) -> SessionKey {
        let id = session.id;
        let ended = session.fight.lifecycle().is_ended();
        self.stats.live_sessions += u64::from(!ended);
        let key = self.sessions.insert(session);
        self.index.insert(id, key);
        if ended {
            self.wheel.insert(self.clock.now + limits::ENDED_LINGER_MS, Timer::Forget(key));
        }
        self.arm(key);
        key
    }

    /// Makes sure that the wheel wakes the session when it is due. A later deadline than the one known is found out
    /// when the earlier one fires, so an ordinary action costs nothing here.
    pub(super) fn arm(&mut self, key: SessionKey) {
        let session = &mut self.sessions[key];
        if let Some((due, _)) = session.due(self.clock.now, self.clock.wall)
            && due < session.timer
        {
            session.timer = due;
            self.wheel.insert(due, Timer::Session(key));
        }
    }

    pub(super) fn session_due(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.get_mut(key) else { return };
        session.timer = u64::MAX;
        if session.frozen {
            // When it is known whose it is it is armed again.
            return;
        }
        match session.due(self.clock.now, self.clock.wall) {
            // What is due is never refused.
            Some((due, input)) if due <= self.clock.now => drop(self.apply(key, input, None)),
            _ => self.arm(key),
        }
    }

    /// What the session's fight would answer `input`, where it is over its participant's budget or changes nothing: it is not
    /// handled then, and not logged, so that nobody can fill the log with it.
    pub(super) fn turned_away(&mut self, key: SessionKey, input: Input) -> Option<Result<(), Refused>> {
        let session = self.sessions.get(key)?;
        let answer = session.fight.turned_away(session.host_time(self.clock.now), input)?;
        self.stats.turned_away += 1;
        Some(answer)
    }

    /// The one way to change a session: steps it, logs the input, queues the answer and what everybody is shown.
    pub(super) fn apply(&mut self, key: SessionKey, input: Input, actor: Option<Actor>) -> Answer {
        let Some(session) = self.sessions.get_mut(key) else { return Err(Refused::Ended) };
        let at = session.host_time(self.clock.now);
        let was_ended = session.fight.lifecycle().is_ended();
        let outline = session.outline();
        self.step.clear();
        let (step, wall) = (&mut self.step, self.clock.wall);
        // After a panic the session is dropped as it is, so nobody sees it broken.
        let stepped = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            assert!(!self.step_panics.swap(false, std::sync::atomic::Ordering::SeqCst), "asked to panic");
            session.handle_input(at, wall, input, step)
        }));
        let Ok(answer) = stepped else {
            self.fail(key);
            return Err(Refused::Failed);
        };
        self.log.push(session.key(), &Entry::Input { no: session.no, at, input });
        let book = &self.book;
        if let Some(loss) = session.spill(&mut self.chunks, |creator, bytes| book.has_room_on_tapes(creator, bytes)) {
            self.tape_ended(key, loss);
        }
        for &(_, flag) in self.step.flags() {
            self.stats.flag(flag);
        }
        self.stats.inputs += 1;
        if matches!(input, Input::Act { .. }) {
            *(if answer.is_ok() { &mut self.stats.actions } else { &mut self.stats.refused }) += 1;
        }
        if let Some(actor) = actor {
            self.answer_action(key, actor, answer);
        }
        if !self.step.is_empty() {
            self.publish(key);
        }
        if self.sessions[key].outline() != outline {
            self.sessions[key].release_seats();
            self.announced.push((key, News::Changed));
        }
        // One that only shows its result is no longer live to its owner, who may have ended it.
        if self.sessions[key].is_over() {
            self.sessions[key].shares.iter_mut().for_each(Share::end);
        }
        if !was_ended && self.sessions[key].fight.lifecycle().is_ended() {
            self.announced.push((key, News::Ended));
            self.stats.live_sessions -= 1;
            self.wheel.insert(self.clock.now + limits::ENDED_LINGER_MS, Timer::Forget(key));
        }
        self.arm(key);
        answer
    }

    /// Queues the step's delta, and the result where the fight was decided, for every member.
    fn publish(&mut self, key: SessionKey) {
        let session = &self.sessions[key];
        self.stats.deltas += 1;
        self.publisher.begin();
        let whole = DeltaOf::whole(session.handle(), session.bout(), &self.step);
        for member in &session.members {
            let Some(connection) = self.connections.get_mut(member.conn) else { continue };
            if connection.state != State::Open {
                // It broke, and has not left yet.
                continue;
            }
            if let Offer::Skipped { first } = connection.outbox.offer_state(self.clock.now) {
                self.stats.lagged += u64::from(first);
                continue;
            }
            let audience = Audience::Own(member.slot);
            let frame = self.publisher.delta(connection.encoding, &whole, audience);
            connection.outbox.push(frame, &mut self.pool);
            connection.outbox.ask_receipt(self.clock.now);
            self.stats.deltas_out += 1;
            if !connection.dirty {
                connection.dirty = true;
                self.dirty.push(member.conn);
            }
        }
        if self.step.decided() {
            let result = publish::result_of(session);
            let members = session.members.clone();
            for member in members {
                self.tell(member.conn, &result);
            }
        }
    }

    fn answer_action(&mut self, key: SessionKey, (conn, id): Actor, answer: Answer) {
        let session = &self.sessions[key];
        let (s, now) = (session.handle(), session.fight.now());
        match answer {
            Ok(q) => self.tell(conn, &ServerMessage::Ack(Ack { s, id, q })),
            Err(refused) => {
                let Refusal { reason, retry_ms, .. } = refusal(refused, now);
                self.tell(conn, &ServerMessage::Refused(RefusedNotice { s, id, reason, retry_ms }));
            }
        }
    }

    /// Queues a message for one connection.
    pub(super) fn tell(&mut self, conn: ConnKey, message: &ServerMessage) {
        let Some(&Connection { encoding, .. }) = self.connections.get(conn) else { return };
        let mut publisher = std::mem::take(&mut self.publisher);
        self.queue_single(conn, publisher.single(encoding, |out| encoding.encode(message, out)));
        self.publisher = publisher;
    }

    /// Queues a frame that was made for this connection alone.
    pub(super) fn queue_single(&mut self, conn: ConnKey, frame: &[u8]) {
        self.stats.single_bytes += frame.len() as u64;
        self.queue_answer(conn, frame);
    }

    pub(super) fn error(&mut self, conn: ConnKey, reason: Reason) {
        let message = reason.message().to_owned();
        self.tell(conn, &ServerMessage::Error(ErrorNotice { reason, message, retry_ms: None }));
    }

    /// A message came over a socket.
    pub(super) fn message(&mut self, conn: ConnKey, text: bool, payload: &[u8]) {
        self.stats.messages_in += 1;
        let Some(connection) = self.connections.get(conn) else { return };
        let encoding = connection.encoding;
        if text != (encoding == Encoding::Json) {
            self.close(conn, CloseCode::WrongEncoding);
            return;
        }
        match encoding.decode_client(payload) {
            Ok(ClientMessage::Action(act)) => self.act(conn, &act),
            Ok(ClientMessage::Join(request)) => self.ask_to_join(conn, request.session, request.seq.unwrap_or(0)),
            Ok(ClientMessage::Leave(leave)) => self.leave(conn, leave.s),
            Ok(ClientMessage::Ready(ready)) => self.ready(conn, ready.s),
            Ok(ClientMessage::Renew(renew)) => self.renew(conn, renew),
            Ok(ClientMessage::Ping(ping)) => {
                self.tell(conn, &ServerMessage::Pong(Pong { n: ping.n, time: self.clock.wall }));
            }
            Err(error) => self.misunderstood(conn, error.reason, &error.detail),
        }
    }

    pub(super) fn misunderstood(&mut self, conn: ConnKey, reason: Reason, detail: &str) {
        self.stats.bad_messages += 1;
        let message = format!("{} ({detail})", reason.message());
        self.tell(conn, &ServerMessage::Error(ErrorNotice { reason, message, retry_ms: None }));
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.bad += 1;
            if connection.bad >= limits::BAD_MESSAGES {
                self.close(conn, CloseCode::BadMessages);
            }
        }
    }

    pub(super) fn act(&mut self, conn: ConnKey, act: &Act) {
        let refuse = |worker: &mut Self, reason| {
            worker.stats.refused += 1;
            let notice = RefusedNotice { s: act.s, id: act.id, reason, retry_ms: None };
            worker.tell(conn, &ServerMessage::Refused(notice));
        };
        let Some(join) = self.connections.get(conn).and_then(|connection| connection.join(act.s)) else {
            return self.act_elsewhere(conn, act);
        };
        if !(1..=limits::ACTION_ID_MAX).contains(&act.id) {
            refuse(self, Reason::BadActionId);
            return;
        }
        let Some(session) = self.sessions.get(join.session) else {
            refuse(self, Reason::SessionEnded);
            return;
        };
        if let Some(answer) = session.fight.remembered(join.slot, act.id) {
            self.stats.repeated += 1;
            self.answer_action(join.session, (conn, act.id), answer);
            return;
        }
        let action = match command::action(act) {
            Ok(action) => action,
            Err(reason) => return refuse(self, reason),
        };
        let input = Input::Act { slot: join.slot, id: act.id, action };
        if let Some(refused) = self.turned_away(join.session, input).and_then(Result::err) {
            self.stats.refused += 1;
            self.answer_action(join.session, (conn, act.id), Err(refused));
            return;
        }
        // The answer goes out with the step.
        let _ = self.apply(join.session, input, Some((conn, act.id)));
    }

    pub(super) fn ready(&mut self, conn: ConnKey, s: u32) {
        let Some(join) = self.connections.get(conn).and_then(|connection| connection.join(s)) else {
            return self.ready_elsewhere(conn, s);
        };
        let input = Input::Ready { slot: join.slot };
        let turned_away = self.turned_away(join.session, input);
        let answer = turned_away.unwrap_or_else(|| self.apply(join.session, input, None).map(drop));
        if let Err(refused) = answer {
            let Refusal { reason, retry_ms, .. } = refusal(refused, 0);
            self.tell(conn, &ServerMessage::Refused(RefusedNotice { s, id: 0, reason, retry_ms }));
        }
    }

    /// Queues a snapshot of every joined session in place of the deltas that were left out: to be shown at once where the log has kept
    /// everything, otherwise with the next turn.
    pub(super) fn bring_up_to_date(&mut self, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.outbox.caught_up();
        self.stats.conflated += 1;
        for join in &connection.joins {
            let Some(session) = self.sessions.get(join.session) else { continue };
            let snapshot = publish::snapshot_of(session, self.clock.now, Audience::Own(join.slot));
            let encoding = connection.encoding;
            let frame = self.publisher.single(encoding, |out| encoding.encode(&snapshot, out));
            self.stats.single_bytes += frame.len() as u64;
            connection.outbox.push(frame, &mut self.pool);
        }
        if self.held.is_empty() {
            let bytes = connection.outbox.mark();
            connection.outbox.show(bytes);
        } else {
            self.mark_dirty(conn);
        }
    }

    /// Takes an ended session out of the arena, once the store has it.
    pub(super) fn forget(&mut self, key: SessionKey) {
        if self.sessions.get(key).is_some_and(|session| !self.book.is_kept(session.id)) {
            self.wheel.insert(self.clock.now + limits::STORE_WAIT_MS, Timer::Forget(key));
            return;
        }
        let Some(session) = self.sessions.remove(key) else { return };
        self.is_nowhere(session.id);
        self.index.remove(&session.id);
        self.log.push(session.next_key(), &Entry::Forget { no: session.no });
        self.dismiss(&session, key, CloseCode::SessionEnded);
    }

    /// A session whose stepping panicked ends; the shard and its other sessions go on.
    fn fail(&mut self, key: SessionKey) {
        let Some(session) = self.sessions.remove(key) else { return };
        tracing::error!(session = %session.id, "stepping a session panicked; it is ended");
        self.stats.panics += 1;
        if session.recorder().end().is_none() {
            self.stats.loss(Loss::Panic);
            session.tell_of(Loss::Panic);
        }
        self.stats.live_sessions -= u64::from(!session.fight.lifecycle().is_ended());
        self.is_nowhere(session.id);
        self.index.remove(&session.id);
        self.log.push(session.next_key(), &Entry::Forget { no: session.no });
        let mut info = session.info(self.clock.now, Viewer::All);
        info.status = tiltyard_combat::SessionStatus::Terminated;
        info.phase = tiltyard_combat::PhaseName::Finished;
        info.end_reason = Some(tiltyard_combat::EndReason::Failed);
        info.ended_at = Some(self.clock.wall_time());
        info.updated_at = self.clock.wall_time();
        info.version += 1;
        // Told with all else that the turn has changed, when it is in the log.
        self.failed.push((info, session.recording().broken_off()));
        self.dismiss(&session, key, CloseCode::Internal);
    }

    /// A session that was here is not to be looked for any more.
    pub(super) fn is_nowhere(&self, id: Uuid) {
        if self.peers.place_of(id) == self.number {
            self.peers.moved().remove(id);
        }
    }

    /// Lets the members of a session go that is no longer in the arena.
    fn dismiss(&mut self, session: &Session, key: SessionKey, code: CloseCode) {
        let members: SmallVec<[ConnKey; 4]> = session.members.iter().map(|member| member.conn).collect();
        for conn in members {
            self.left.push((session.id, conn));
            let Some(connection) = self.connections.get_mut(conn) else { continue };
            connection.joins.retain(|join| join.session != key);
            if connection.joins.is_empty() {
                self.close(conn, code);
            } else {
                self.tell(conn, &ServerMessage::Left(Left { s: session.handle() }));
            }
        }
    }
}
