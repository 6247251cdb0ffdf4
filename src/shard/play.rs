//! Messages to inputs, inputs to steps, and who hears of them.

use std::panic::{AssertUnwindSafe, catch_unwind};

use slotmap::SlotMap;
use smallvec::SmallVec;
use tiltyard_combat::replay::Loss;
use tiltyard_combat::{Answer, Audience, Bout, Input, Refusal as Refused, Slot};
use tiltyard_protocol::client::Ping;
use tiltyard_protocol::server::{ErrorNotice, Left, LeftWhy, Pong, Refused as RefusedNotice};
use tiltyard_protocol::view::player_word;
use tiltyard_protocol::{About, Act, ClientMessage, CloseCode, Encoding, Reason, ServerMessage};
use uuid::Uuid;

use super::admission::Has;
use super::answer::{answer_of, refusal};
use super::connection::{ConnKey, Connection, Join, State};
use super::link::Forwarded;
use super::publish::{self, DeltaOf};
use super::session::{Session, SessionKey};
use super::worker::{Timer, Worker};
use super::{form, resume};
use crate::book::{News, Share};
use crate::limits;
use crate::session::{Refusal, Viewer};
use crate::shard::{Entry, command};
use crate::socket::outbox::Offer;

/// Whose action an input is: the connection that waits for the answer, its seat, and the action's id.
pub type Actor = (ConnKey, Slot, u64);

impl Worker {
    /// Takes a session in.
    pub(super) fn insert(&mut self, session: Session) -> SessionKey {
        let id = session.id;
        let ended = session.fight.lifecycle().is_ended();
        self.stats.live_sessions += u64::from(!ended);
        let key = self.sessions.insert(session);
        self.index.insert(id, key);
        if ended {
            // A restart does not have it stay for longer.
            let ended_ms = self.sessions[key].ended_ms().map_or(0, |at| self.clock.wall.saturating_sub(at));
            let left = limits::ENDED_LINGER_MS.saturating_sub(ended_ms);
            self.wheel.insert(self.clock.now + left, Timer::Forget(key));
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
        let acts = resume::applied_of(session, input);
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
        self.publish(key, input, acts);
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

    /// Queues the step's delta, and the result where the fight was decided, for every member, and keeps it for those who come back. Of
    /// whoever has acted `applied` was the highest action before.
    fn publish(&mut self, key: SessionKey, input: Input, applied: Option<u64>) {
        let (now, session) = (self.clock.now, &mut self.sessions[key]);
        let acted = resume::acted(session, input, applied);
        let (seq, seats) = (session.fight.seq(), session.fight.seats());
        if let Some((slot, _)) = acted {
            note_applied(&mut self.connections, session, key, slot);
        }
        if self.step.is_empty() {
            if let Some(acted) = acted {
                self.history.applied(&mut session.history, now, seq, acted);
            }
            return;
        }
        self.stats.deltas += 1;
        self.publisher.begin();
        let is_kept = session.history.is_kept(seats, now);
        self.stats.history_left_out += u64::from(!is_kept);
        let away = if is_kept { self.aways.of(key, session, now) } else { SmallVec::new() };
        let bout = Bout { fight: &session.fight, ruleset: &session.ruleset };
        let whole = DeltaOf::whole(player_word(session.id), bout, &self.step, self.clock.wall);
        for member in &session.members {
            let Some(connection) = self.connections.get_mut(member.conn) else { continue };
            // One that broke has not left yet.
            let offer = (connection.state == State::Open).then(|| connection.outbox.offer_state(now));
            if offer != Some(Offer::Taken) {
                if let Some(Offer::Skipped { first }) = offer {
                    self.stats.lagged += u64::from(first);
                    let events = bout.fight.told_events(&self.step, Audience::Own(member.slot));
                    connection.leave_out(whole.handle, seq, events);
                }
                if is_kept {
                    self.publisher.note(connection.encoding, &whole, member.slot);
                }
                continue;
            }
            let applied = connection.applied_in(key);
            let out = connection.outbox.buffer(&mut self.pool);
            self.publisher.delta(connection.encoding, &whole, member.slot, applied, out);
            connection.outbox.ask_receipt(now);
            self.stats.deltas_out += 1;
            if !connection.dirty {
                connection.dirty = true;
                self.dirty.push(member.conn);
            }
        }
        if is_kept {
            for away in &away {
                self.publisher.note(away.encoding, &whole, away.slot);
            }
            self.history.keep(&mut session.history, now, seq, acted, self.publisher.made());
        }
        if self.step.decided() {
            let session = &self.sessions[key];
            let result = publish::result_of(session, self.clock.moment());
            let members = session.members.clone();
            for member in members {
                self.tell(member.conn, &result);
            }
        }
    }

    fn answer_action(&mut self, key: SessionKey, (conn, slot, id): Actor, answer: Answer) {
        let session = &self.sessions[key];
        if let Ok(q) = answer {
            let s = session.handle();
            self.tell_as(conn, |encoding, out| form::ack(encoding, s, id, q, out));
        } else {
            let message = answer_of(session, slot, id, answer);
            self.tell(conn, &message);
        }
    }

    /// Queues a message for one connection.
    pub(super) fn tell(&mut self, conn: ConnKey, message: &ServerMessage) {
        self.tell_as(conn, |encoding, out| encoding.encode(message, out));
    }

    /// Queues what `encode` appends for one connection.
    fn tell_as(&mut self, conn: ConnKey, encode: impl FnOnce(Encoding, &mut Vec<u8>)) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        let encoding = connection.encoding;
        let frame = self.publisher.single(encoding, |out| encode(encoding, out));
        self.stats.single_bytes += frame.len() as u64;
        let offered = connection.offer_answer(frame, &mut self.pool);
        self.offered(conn, offered);
    }

    /// Queues a frame that was made for this connection alone.
    pub(super) fn queue_single(&mut self, conn: ConnKey, frame: &[u8]) {
        self.stats.single_bytes += frame.len() as u64;
        self.queue_answer(conn, frame);
    }

    pub(super) fn error(&mut self, conn: ConnKey, about: About, reason: Reason) {
        self.tell(conn, &ServerMessage::Error(ErrorNotice::new(about, reason)));
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
            Ok(ClientMessage::Join(request)) => self.ask_to_join(conn, request.session, Has::from(&request)),
            Ok(ClientMessage::Leave(leave)) => self.leave(conn, leave.s),
            Ok(ClientMessage::Ready(ready)) => self.ready(conn, ready.s),
            Ok(ClientMessage::Concede(concede)) => self.concede(conn, concede.s),
            Ok(ClientMessage::Renew(renew)) => self.renew(conn, renew),
            Ok(ClientMessage::Ping(ping)) => self.ping(conn, &ping),
            Ok(ClientMessage::Patch(patch)) => self.patch(conn, patch),
            Ok(ClientMessage::Relay(relay)) => self.relay(conn, relay),
            Ok(ClientMessage::Beat(beat)) => self.beat(conn, beat),
            Err(error) => match error.action {
                Some((s, id)) => {
                    self.act_badly(conn, s, id, error.detail);
                    self.count_mistake(conn);
                }
                None => self.misunderstood(conn, error.about, error.reason, &error.detail),
            },
        }
    }

    pub(super) fn misunderstood(&mut self, conn: ConnKey, about: About, reason: Reason, detail: &str) {
        let message = format!("{} ({detail})", reason.message());
        self.tell(conn, &ServerMessage::Error(ErrorNotice { message, ..ErrorNotice::new(about, reason) }));
        self.count_mistake(conn);
    }

    /// A message could not be understood: of too many of these the connection is closed.
    fn count_mistake(&mut self, conn: ConnKey) {
        self.stats.bad_messages += 1;
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.bad += 1;
            if connection.bad >= limits::BAD_MESSAGES {
                self.close(conn, CloseCode::BadMessages);
            }
        }
    }

    /// A client asks what time it is; of a session that is not this shard's its own shard says it.
    pub(super) fn ping(&mut self, conn: ConnKey, ping: &Ping) {
        let n = ping.n;
        let Some(s) = ping.s else { return self.pong(conn, n, None, None) };
        if let Some(join) = self.connections.get(conn).and_then(|connection| connection.join(s)) {
            let session = self.sessions.get(join.session);
            let at = session.map(|session| session.session_time(self.clock.now));
            self.pong(conn, n, at.map(|_| s), at);
        } else if self.room_called(conn, s).is_some() {
            self.pong(conn, n, Some(s), None);
        } else if self.forward_to(conn, s, Forwarded::Ping { n }).is_err() {
            self.pong(conn, n, None, None);
        }
    }

    /// Answers a ping, with the handle of a session that the connection is in, and its time where it has one.
    pub(super) fn pong(&mut self, conn: ConnKey, n: u64, s: Option<u32>, at: Option<u64>) {
        self.tell(conn, &ServerMessage::Pong(Pong { n, time: self.clock.wall, s, at }));
    }

    pub(super) fn act(&mut self, conn: ConnKey, act: &Act) {
        let Some(join) = self.connections.get(conn).and_then(|connection| connection.join(act.s)) else {
            return self.say_elsewhere(conn, act.s, act.id, Forwarded::Act(act.clone()));
        };
        if !self.is_new_action(conn, join, act.id) {
            return;
        }
        let action = match command::action(act) {
            Ok(action) => action,
            Err(reason) => {
                let message =
                    (reason == Reason::BadFields).then(|| "to, c, z: only one of them can be attacked".to_owned());
                return self
                    .refuse_action(conn, RefusedNotice { message, ..RefusedNotice::new(act.s, act.id, reason) });
            }
        };
        let input = Input::Act { slot: join.slot, id: act.id, action };
        let actor = (conn, join.slot, act.id);
        if let Some(refused) = self.turned_away(join.session, input).and_then(Result::err) {
            self.stats.refused += 1;
            self.answer_action(join.session, actor, Err(refused));
            return;
        }
        // The answer goes out with the step.
        let _ = self.apply(join.session, input, Some(actor));
    }

    /// An action of which only the id can be read: it is refused by that, with what is wrong with it.
    pub(super) fn act_badly(&mut self, conn: ConnKey, s: u32, id: u64, wrong: String) {
        if self.room_called(conn, s).is_some() {
            let message = Some(wrong);
            return self.refuse_action(conn, RefusedNotice { message, ..RefusedNotice::new(s, id, Reason::BadFields) });
        }
        let Some(join) = self.connections.get(conn).and_then(|connection| connection.join(s)) else {
            return self.say_elsewhere(conn, s, id, Forwarded::BadAct { id, wrong });
        };
        if self.is_new_action(conn, join, id) {
            let message = Some(wrong);
            self.refuse_action(conn, RefusedNotice { message, ..RefusedNotice::new(s, id, Reason::BadFields) });
        }
    }

    /// Whether an action has an id that can be one and had no answer. Any other has its answer here.
    fn is_new_action(&mut self, conn: ConnKey, join: Join, id: u64) -> bool {
        let refuse = |worker: &mut Self, reason| {
            worker.refuse_action(conn, RefusedNotice::new(join.handle, id, reason));
            false
        };
        if !(1..=limits::ACTION_ID_MAX).contains(&id) {
            return refuse(self, Reason::BadActionId);
        }
        let Some(session) = self.sessions.get(join.session) else { return refuse(self, Reason::SessionEnded) };
        let Some(answer) = session.fight.remembered(join.slot, id) else { return true };
        self.stats.repeated += 1;
        self.answer_action(join.session, (conn, join.slot, id), answer);
        false
    }

    fn refuse_action(&mut self, conn: ConnKey, notice: RefusedNotice) {
        self.stats.refused += 1;
        self.tell(conn, &ServerMessage::Refused(notice));
    }

    pub(super) fn ready(&mut self, conn: ConnKey, s: u32) {
        self.ask(conn, s, Forwarded::Ready, |slot| Input::Ready { slot });
    }

    pub(super) fn concede(&mut self, conn: ConnKey, s: u32) {
        self.ask(conn, s, Forwarded::Concede, |slot| Input::Concede { slot });
    }

    /// What is no action: it is answered by what it changes, or refused under id 0.
    fn ask(&mut self, conn: ConnKey, s: u32, elsewhere: Forwarded, input: impl FnOnce(Slot) -> Input) {
        let Some(join) = self.connections.get(conn).and_then(|connection| connection.join(s)) else {
            return self.say_elsewhere(conn, s, 0, elsewhere);
        };
        let input = input(join.slot);
        let turned_away = self.turned_away(join.session, input);
        let answer = turned_away.unwrap_or_else(|| self.apply(join.session, input, None).map(drop));
        if let Err(refused) = answer {
            let Refusal { reason, retry_ms, .. } = refusal(refused, 0);
            self.tell(conn, &ServerMessage::Refused(RefusedNotice { retry_ms, ..RefusedNotice::new(s, 0, reason) }));
        }
    }

    /// Queues a snapshot of every joined session in place of the deltas that were left out: to be shown at once where the log has kept
    /// everything, otherwise with the next turn.
    pub(super) fn bring_up_to_date(&mut self, conn: ConnKey) {
        let Some(connection) = self.connections.get_mut(conn) else { return };
        connection.outbox.caught_up();
        self.stats.conflated += 1;
        for join in &mut connection.joins {
            let missed = join.missed.take();
            let Some(session) = self.sessions.get(join.session) else { continue };
            let snapshot = publish::snapshot_of(session, self.clock.moment(), Audience::Own(join.slot), missed);
            let encoding = connection.encoding;
            let frame = self.publisher.single(encoding, |out| encoding.encode(&snapshot, out));
            self.stats.single_bytes += frame.len() as u64;
            connection.outbox.push(frame, &mut self.pool);
        }
        self.show_what_is_owed(conn);
        let Some(connection) = self.connections.get_mut(conn) else { return };
        if self.held.is_empty() {
            let bytes = connection.outbox.mark();
            connection.outbox.show(bytes);
        } else {
            self.mark_dirty(conn);
        }
    }

    /// Lets an ended session go, once the store has it.
    pub(super) fn forget(&mut self, key: SessionKey) {
        if self.sessions.get(key).is_some_and(|session| !self.book.is_kept(session.id)) {
            self.wheel.insert(self.clock.now + limits::STORE_WAIT_MS, Timer::Forget(key));
            return;
        }
        let Some(session) = self.sessions.remove(key) else { return };
        self.is_nowhere(session.id);
        self.index.remove(&session.id);
        self.log.end(session.next_key(), &Entry::Forget { no: session.no });
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
        self.log.end(session.next_key(), &Entry::Forget { no: session.no });
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

    /// Lets the members of a session go that is here no longer.
    fn dismiss(&mut self, session: &Session, key: SessionKey, code: CloseCode) {
        let members: SmallVec<[ConnKey; 4]> = session.members.iter().map(|member| member.conn).collect();
        for conn in members {
            self.left.push((session.id, conn));
            let Some(connection) = self.connections.get_mut(conn) else { continue };
            connection.joins.retain(|join| join.session != key);
            if connection.session_count() == 0 {
                self.close(conn, code);
            } else {
                self.tell(conn, &ServerMessage::Left(Left { s: session.handle(), why: LeftWhy::Ended }));
            }
        }
    }
}

/// Notes for a participant's connection which of its actions is applied, as its deltas say it.
fn note_applied(connections: &mut SlotMap<ConnKey, Connection>, session: &Session, key: SessionKey, slot: Slot) {
    let Some(applied) = session.applied_by(slot) else { return };
    for member in session.members.iter().filter(|member| member.slot == slot) {
        let joins = connections.get_mut(member.conn).map(|connection| &mut connection.joins);
        for join in joins.into_iter().flatten().filter(|join| join.session == key) {
            join.applied = applied;
        }
    }
}
