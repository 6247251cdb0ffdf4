//! What comes through the inbox, and the answers that wait for the log to keep the turn.

use std::borrow::Cow;
use std::time::Instant;

use mio::Interest;
use tiltyard_combat::{Answer, Input, SessionStatus};
use tiltyard_protocol::{CloseCode, Reason};
use uuid::Uuid;

use super::answer::refusal;
use super::connection::{BySid, Connection, State};
use super::lease::Lease;
use super::room::Rooms;
use super::session::{Session, SessionKey};
use super::stream::Stream;
use super::worker::Worker;
use crate::book::{News, Share};
use crate::limits;
use crate::log::RedisLog;
use crate::replays::Recording;
use crate::session::{Expected, FightInfo, Refusal, Status, Update, Viewer};
use crate::shard::{
    ActionApplied, Attachment, Command, Control, Description, Entry, NewFight, Reply, RestAction, Seats,
};
use crate::socket::budget::Budget;
use crate::socket::kernel;
use crate::socket::ledger::Pass;

/// An answer to another thread, held until the log has kept the turn.
#[derive(Debug)]
pub enum Pending {
    Info(Reply<FightInfo>, Box<Result<FightInfo, Refusal>>),
    Infos(Reply<Vec<FightInfo>>, Result<Vec<FightInfo>, Refusal>),
    Applied(Reply<ActionApplied>, Box<Result<ActionApplied, Refusal>>),
    Slot(Reply<u8>, Result<u8, Refusal>),
    Seats(Reply<Seats>, Result<Seats, Refusal>),
    Recording(Reply<Recording>, Box<Result<Recording, Refusal>>),
    Taken(Reply<()>, Result<(), Refusal>),
}

impl Pending {
    pub(super) fn send(self) {
        // A receiver that is gone has stopped waiting: a client that went away, or a time-out.
        match self {
            Self::Info(reply, answer) => drop(reply.send(*answer)),
            Self::Infos(reply, answer) => drop(reply.send(answer)),
            Self::Applied(reply, answer) => drop(reply.send(*answer)),
            Self::Slot(reply, answer) => drop(reply.send(answer)),
            Self::Seats(reply, answer) => drop(reply.send(answer)),
            Self::Recording(reply, answer) => drop(reply.send(*answer)),
            Self::Taken(reply, answer) => drop(reply.send(answer)),
        }
    }

    /// Has it refuse when it is sent, instead of what it was going to say.
    pub(super) fn refuse_instead(&mut self, refusal: &Refusal) {
        let refusal = refusal.clone();
        match self {
            Self::Info(_, answer) => **answer = Err(refusal),
            Self::Infos(_, answer) => *answer = Err(refusal),
            Self::Applied(_, answer) => **answer = Err(refusal),
            Self::Slot(_, answer) => *answer = Err(refusal),
            Self::Seats(_, answer) => *answer = Err(refusal),
            Self::Recording(_, answer) => **answer = Err(refusal),
            Self::Taken(_, answer) => *answer = Err(refusal),
        }
    }

    /// Refuses it instead of what it was going to say.
    pub(super) fn refuse(self, refusal: Refusal) {
        match self {
            Self::Info(reply, _) => drop(reply.send(Err(refusal))),
            Self::Infos(reply, _) => drop(reply.send(Err(refusal))),
            Self::Applied(reply, _) => drop(reply.send(Err(refusal))),
            Self::Slot(reply, _) => drop(reply.send(Err(refusal))),
            Self::Seats(reply, _) => drop(reply.send(Err(refusal))),
            Self::Recording(reply, _) => drop(reply.send(Err(refusal))),
            Self::Taken(reply, _) => drop(reply.send(Err(refusal))),
        }
    }
}

/// Why nothing is done about a fight while the log cannot be written.
pub(super) fn no_log() -> Refusal {
    Refusal { retry_ms: Some(1_000), ..Refusal::from(Reason::LogUnavailable) }
}

impl Worker {
    /// Handles what is in the inbox, as much as one turn takes.
    pub(super) fn drain_inbox(&mut self) {
        for sid in std::mem::take(&mut self.revoked) {
            self.revoke(sid);
        }
        for session in std::mem::take(&mut self.overtaken) {
            self.overtake(session);
        }
        let started = Instant::now();
        for _ in 0..limits::COMMANDS_PER_TURN {
            match self.stash.pop_front().map_or_else(|| self.inbox.commands.try_recv(), Ok) {
                Ok(command) => self.command(command),
                Err(_empty) => return,
            }
            if started.elapsed().as_micros() >= limits::COMMANDS_TURN_US {
                return;
            }
        }
    }

    pub(super) fn command(&mut self, command: Command) {
        let Some(command) = self.route(command) else { return };
        match command {
            Command::Create { fight, shares, viewer, reply } => {
                let id = fight.id;
                let answer = self.create(*fight, shares, viewer);
                self.pending.push((id, Pending::Info(reply, Box::new(answer))));
            }
            Command::Read(id, viewer, reply) => {
                let answer = self.find_info(id, viewer);
                self.pending.push((id, Pending::Info(reply, Box::new(answer))));
            }
            Command::ReadMany(ids, viewer, reply) => {
                let found = ids.into_iter().filter_map(|id| self.find_info(id, viewer).ok()).collect();
                self.pending.push((Uuid::nil(), Pending::Infos(reply, Ok(found))));
            }
            Command::Seats { session, players, reply } => {
                let answer = self.find(session).map(|key| self.sessions[key].seats_of(players));
                self.pending.push((session, Pending::Seats(reply, answer)));
            }
            Command::Recording(id, reply) => {
                let answer = self.find(id).map(|key| self.sessions[key].recording());
                self.pending.push((id, Pending::Recording(reply, Box::new(answer))));
            }
            Command::Act { session, player, action, viewer, reply } => {
                let answer = self.act_over_rest(session, player, &action, viewer);
                self.pending.push((session, Pending::Applied(reply, Box::new(answer))));
            }
            Command::Ready { session, expected, player, viewer, reply } => {
                let answer = self.ready_over_rest(session, &expected, player, viewer);
                self.pending.push((session, Pending::Info(reply, Box::new(answer))));
            }
            Command::Seat { session, expected, player, shares, reply } => {
                let answer = self.seat(session, &expected, player, shares);
                self.pending.push((session, Pending::Slot(reply, answer)));
            }
            Command::Control { session, expected, control, viewer, reply } => {
                let answer = self.control(session, &expected, control, viewer);
                self.pending.push((session, Pending::Info(reply, Box::new(answer))));
            }
            Command::Attach(attachment) => self.attach(*attachment),
            Command::HandOver { session, to, reply } => self.begin_hand_over(session, to, reply),
            Command::Adopt(adoption) => self.adopt(*adoption),
            Command::TakeOver { record, known, reply } => {
                let id = record.id;
                let answer = self.take_in(*record, known);
                self.pending.push((id, Pending::Taken(reply, answer)));
            }
            Command::Revoke(sid) => self.revoke(sid),
            // With the next turn: this one may have answers about it.
            Command::Fence(session) => self.overtaken.push(session),
            Command::Renew(conn, checked) => self.renewed(conn, checked),
            Command::Forward(forward) => self.forwarded(forward),
            Command::Return(back) => self.returned(back),
            Command::Room(session, news) => self.room_news(session, news),
            Command::Drain => self.begin_drain(),
        }
    }

    /// While the log cannot be written: refuses what waits in the inbox. `true` where the shard is asked to stop.
    pub(super) fn refuse_while_stalled(&mut self) -> bool {
        self.inbox.woken();
        while let Ok(command) = self.inbox.commands.try_recv() {
            match command {
                // Closing is a step of the sessions the connection is in, which the next turn takes.
                Command::Revoke(sid) => {
                    self.ended_logins.insert(sid, self.clock.now);
                    if !self.by_sid.of(sid).is_empty() {
                        self.revoked.insert(sid);
                    }
                }
                Command::Fence(session) => self.overtaken.push(session),
                // No step of any session: what it says is sent when the turn is in the log.
                Command::Renew(conn, checked) => self.renewed(conn, checked),
                Command::Room(session, news) => self.room_news(session, news),
                Command::Forward(_) | Command::Return(_) => self.put_by(command),
                Command::Drain => return true,
                command => command.refuse(&no_log()),
            }
        }
        false
    }

    /// Stops without showing what is not in the log: clients see a broken connection and ask again after the restart.
    pub(super) fn abandon(&mut self) {
        tracing::error!("stopped while the log could not be written; what was not in it is not shown");
        self.held.clear();
        self.moves.clear();
        self.dirty.clear();
        self.kept.clear();
        self.connections.clear();
        self.by_sid = BySid::default();
        self.far.clear();
        self.rooms = Rooms::default();
        self.draining = true;
    }

    pub(super) fn create(&mut self, asked: NewFight, shares: Vec<Share>, viewer: Viewer) -> Result<FightInfo, Refusal> {
        if self.draining {
            return Err(Reason::Draining.into());
        }
        // It would have them to itself: whoever has its name by now does not know of them.
        if self.log.redis().is_some_and(RedisLog::is_superseded) {
            return Err(Reason::NodeSuperseded.into());
        }
        if self.sessions.len() >= limits::SESSIONS_PER_SHARD {
            return Err(Reason::TooManySessions.into());
        }
        if self.index.contains_key(&asked.id) {
            return Err(Refusal { session: Some(asked.id), ..Refusal::from(Reason::AlreadyActive) });
        }
        let (seed, _) = Uuid::new_v4().as_u64_pair();
        let mut session = Session::new(asked, seed, self.clock.now, self.clock.wall);
        session.shares = shares;
        session.no = self.next_no;
        self.next_no += 1;
        let record = Box::new(Cow::Owned(session.record()));
        self.log.push(session.key(), &Entry::Session { no: session.no, record });
        let info = session.info(self.clock.now, viewer);
        let key = self.insert(session);
        self.announced.push((key, News::Created));
        Ok(info)
    }

    pub(super) fn find(&self, id: Uuid) -> Result<SessionKey, Refusal> {
        self.index.get(&id).copied().ok_or_else(|| Reason::NoSession.into())
    }

    fn find_info(&self, id: Uuid, viewer: Viewer) -> Result<FightInfo, Refusal> {
        self.find(id).map(|key| self.sessions[key].info(self.clock.now, viewer))
    }

    fn act_over_rest(
        &mut self,
        id: Uuid,
        player: Uuid,
        action: &RestAction,
        viewer: Viewer,
    ) -> Result<ActionApplied, Refusal> {
        let key = self.find(id)?;
        action.expected.check(self.sessions[key].facts.version)?;
        let (slot, input) = self.sessions[key].asked(player, action)?;
        let answer = match self.turned_away(key, input) {
            Some(answer) => answer.map(|()| 0),
            None => self.apply(key, input, None),
        };
        let seq = self.named(key, answer)?;
        let session = self.sessions.get(key).ok_or(Reason::Internal)?;
        Ok(ActionApplied { seq, ..session.applied(self.clock.now, viewer, slot, &self.step) })
    }

    /// Who says it again is told how the fight stands: it may have begun by that, and the answer may have been lost.
    fn ready_over_rest(
        &mut self,
        id: Uuid,
        expected: &Expected,
        player: Uuid,
        viewer: Viewer,
    ) -> Result<FightInfo, Refusal> {
        let key = self.find(id)?;
        expected.check(self.sessions[key].facts.version)?;
        let slot = self.sessions[key].fight.slot_of(player.as_u128()).ok_or(Reason::NotAParticipant)?;
        if !self.sessions[key].fight.lifecycle().is_fighting() {
            let input = Input::Ready { slot };
            let answer = match self.turned_away(key, input) {
                Some(answer) => answer.map(|()| 0),
                None => self.apply(key, input, None),
            };
            self.named(key, answer)?;
        }
        self.find_info(id, viewer)
    }

    fn seat(&mut self, id: Uuid, expected: &Expected, player: Uuid, shares: Vec<Share>) -> Result<u8, Refusal> {
        let key = self.find(id)?;
        expected.check(self.sessions[key].facts.version)?;
        let input = Input::Seat { player: player.as_u128() };
        let answer = match self.turned_away(key, input) {
            Some(answer) => answer.map(|()| 0),
            None => self.apply(key, input, None),
        };
        self.named(key, answer)?;
        let session = self.sessions.get_mut(key).ok_or(Reason::Internal)?;
        session.shares.extend(shares);
        let slot = session.fight.slot_of(player.as_u128()).ok_or(Reason::Internal)?;
        self.seat_taken(key, slot, player);
        Ok(slot)
    }

    fn control(
        &mut self,
        id: Uuid,
        expected: &Expected,
        control: Control,
        viewer: Viewer,
    ) -> Result<FightInfo, Refusal> {
        let key = self.find(id)?;
        let known = self.sessions[key].info(self.clock.now, viewer);
        expected.check(known.version)?;
        match control {
            Control::Terminate { force } => {
                let status = known.generic_status();
                match status {
                    // One that still shows its result can be told to stop that.
                    Status::Terminated if known.status == SessionStatus::Terminated || !force => return Ok(known),
                    Status::Completed => return Err(Reason::InvalidTransition.into()),
                    _ => {}
                }
                let answer = self.apply(key, Input::Terminate { force }, None);
                self.named(key, answer)?;
            }
            Control::Update(update) => self.update(key, known.generic_status(), update)?,
        }
        self.find_info(id, viewer)
    }

    fn update(&mut self, key: SessionKey, current: Status, update: Update) -> Result<(), Refusal> {
        if current.is_end() {
            return Err(Reason::InvalidTransition.into());
        }
        let Some(session) = self.sessions.get(key) else { return Err(Reason::Internal.into()) };
        let update = update.beyond(current, &session.facts.metadata, &session.facts.settings);
        let input = update.status.map(|wanted| match wanted {
            Status::Paused => Input::Pause,
            Status::Active => Input::Resume,
            Status::Completed => Input::Complete,
            Status::Terminated => Input::Terminate { force: false },
        });
        if let Some(input) = input {
            let answer = self.apply(key, input, None);
            self.named(key, answer)?;
        }
        if update.metadata.is_some() || update.settings.is_some() {
            let Some(session) = self.sessions.get_mut(key) else { return Err(Reason::Internal.into()) };
            let description = Description {
                metadata: update.metadata.map(Into::into),
                settings: update.settings.map(Into::into),
                own_version: input.is_none(),
            };
            let entry = Entry::Describe { no: session.no, description: Cow::Borrowed(&description) };
            self.log.push(session.next_key(), &entry);
            session.describe(self.clock.wall, description);
            self.announced.push((key, News::Changed));
        }
        Ok(())
    }

    /// A fight's answer with the name and the time the outside knows.
    pub(super) fn named(&self, key: SessionKey, answer: Answer) -> Result<u64, Refusal> {
        answer.map_err(|refused| refusal(refused, self.sessions.get(key).map_or(0, |session| session.fight.now())))
    }

    fn attach(&mut self, mut attachment: Attachment) {
        if let Err(error) = kernel::bound(&attachment.stream) {
            tracing::debug!(%error, "what a socket holds is not bounded");
        }
        let debt = attachment.pass.as_mut().map(Pass::take_debt).unwrap_or_default();
        let mut stream = Stream::new(attachment.stream, attachment.tls);
        let key = self.connections.insert_with_key(|key| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            let registered = stream.register(self.poll.registry(), Self::token(key), interest);
            if let Err(error) = &registered {
                tracing::error!(%error, "a socket could not be registered");
            }
            Connection {
                budget: Budget::owing(debt, self.clock.now),
                sid: attachment.sid,
                lease: Lease::new(attachment.expires_at.saturating_sub(self.clock.wall), self.clock.now),
                only: attachment.only.then_some(attachment.session),
                writes: attachment.writes,
                state: if registered.is_ok() { State::Open } else { State::Shut },
                permit: attachment.permit,
                pass: attachment.pass,
                ..Connection::new(stream, attachment.player, attachment.encoding, self.clock.now)
            }
        });
        if let Some(sid) = attachment.sid {
            self.by_sid.add(sid, key);
        }
        let due = self.connections[key].lease.due();
        self.wake(key, due.min(self.clock.now + limits::UNJOINED_MS));
        if self.draining {
            self.close(key, CloseCode::Restart);
        } else if !attachment.leftover.is_empty() {
            let mut leftover = attachment.leftover;
            self.received(key, &mut leftover);
        }
    }

    fn revoke(&mut self, sid: Uuid) {
        self.ended_logins.insert(sid, self.clock.now);
        for key in self.by_sid.of(sid) {
            self.close(key, CloseCode::Unauthorized);
        }
    }

    fn begin_drain(&mut self) {
        self.draining = true;
        // Their time since their last inputs has been told, and is not to go back: so the log has it, too.
        let now = self.clock.now;
        let behind = self.sessions.iter().filter(|(_, session)| session.is_behind(now));
        for key in behind.map(|(key, _)| key).collect::<Vec<_>>() {
            self.apply(key, Input::Tick, None).ok();
        }
        let keys: Vec<_> = self.connections.keys().collect();
        for key in keys {
            self.close(key, CloseCode::Restart);
        }
    }

    /// Whether there is nothing left to wait for.
    pub(super) fn is_drained(&self) -> bool {
        self.draining && self.connections.is_empty() && self.held.is_empty()
    }
}
