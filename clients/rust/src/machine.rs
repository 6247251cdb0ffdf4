//! One connection, and the way back after a loss, as a state machine without a socket and without a clock: what happens is handed in with
//! the time at which it does, and what is to be done is taken out.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use tiltyard_protocol::client::{Leave, Ping};
use tiltyard_protocol::mistake::About;
use tiltyard_protocol::server::{ErrorNotice, Joined, LeftWhy, Pong};
use tiltyard_protocol::{ClientMessage, Encoding, Reason, ServerMessage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::Timekeeper;
use crate::closing::{self, Closing, DONE, ENDED, LOST, NOT_LET_IN, REPLACED};
use crate::comeback::Comeback;
use crate::heartbeat::{Beat, Heartbeat};
use crate::joins::Joins;
use crate::member::sealed::Any;
use crate::member::{Effects, Member};
use crate::{Status, Told};

/// A session is joined again over the same connection at most this often.
const AGAIN: Duration = Duration::from_secs(1);
/// Where a `join` was too soon, and nothing says when it will not be.
const RETRY: Duration = Duration::from_secs(1);

/// What the machine wants done.
#[derive(Debug, PartialEq)]
pub(crate) enum Do {
    /// Let go of the socket, and of all that was still to come of it, after saying this.
    HangUp(Vec<ClientMessage>),
    /// Get a ticket and open a socket with it.
    Dial,
    /// Get new credentials.
    Renew,
}

/// The connection itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Connecting,
    Open,
    /// For the next try, at that time, after one that ended with `code`.
    Waiting {
        until: Instant,
        code: u16,
    },
    Closed(Closing),
}

#[derive(Debug)]
pub(crate) struct Machine {
    encoding: Encoding,
    members: BTreeMap<Uuid, Member>,
    handles: BTreeMap<u32, Uuid>,
    link: Link,
    todo: VecDeque<Do>,
    said: VecDeque<ClientMessage>,
    told: VecDeque<(Uuid, Told)>,
    time: Timekeeper,
    comeback: Comeback,
    heartbeat: Heartbeat,
    joins: Joins,
    is_renewing: bool,
    /// When to hand in new credentials again.
    renewal: Option<Instant>,
    /// Between 0 and 1.
    dice: fn() -> f64,
}

impl Machine {
    pub fn new(encoding: Encoding, give_up: Duration, now: Instant) -> Self {
        Self {
            encoding,
            members: BTreeMap::new(),
            handles: BTreeMap::new(),
            link: Link::Closed(Closing { code: DONE }),
            todo: VecDeque::new(),
            said: VecDeque::new(),
            told: VecDeque::new(),
            time: Timekeeper::new(now),
            comeback: Comeback::new(give_up),
            heartbeat: Heartbeat::new(),
            joins: Joins::default(),
            is_renewing: false,
            renewal: None,
            dice: || f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX),
        }
    }

    pub fn link(&self) -> Link {
        self.link
    }

    pub fn time(&self) -> &Timekeeper {
        &self.time
    }

    pub fn member(&self, session: Uuid) -> Option<&Member> {
        self.members.get(&session)
    }

    pub fn member_mut(&mut self, session: Uuid) -> Option<&mut Member> {
        self.members.get_mut(&session)
    }

    pub fn poll_todo(&mut self) -> Option<Do> {
        self.todo.pop_front()
    }

    pub fn poll_told(&mut self) -> Option<(Uuid, Told)> {
        self.told.pop_front()
    }

    /// The next message to send, where the socket is open.
    pub fn poll_said(&mut self) -> Option<ClientMessage> {
        self.said.pop_front().or_else(|| self.members.values_mut().find_map(|member| member.said().pop_front()))
    }

    // What the program wants.

    /// Has `session` joined, over the socket that there is or the next one.
    pub fn add(&mut self, session: Uuid, any: impl FnOnce(&Timekeeper) -> Any, now: Instant) {
        let time = &self.time;
        let place = self.members.values().map(|member| member.place + 1).max().unwrap_or_default();
        let member = self.members.entry(session).or_insert_with(|| Member::new(any(time), place));
        member.closing = None;
        match self.link {
            Link::Closed(_) => {
                self.comeback.start(now);
                self.dial();
            }
            Link::Open => self.join(session, now),
            Link::Connecting | Link::Waiting { .. } => {}
        }
        self.stand();
    }

    /// Stops receiving `session`; what the player has in it is kept.
    pub fn leave(&mut self, session: Uuid) {
        let Some(member) = self.members.get_mut(&session) else { return };
        if let Some(s) = member.handle {
            self.said.append(member.said());
            self.said.push_back(ClientMessage::Leave(Leave { s }));
        }
    }

    /// Leaves, and closes the connection if it is in no other session.
    pub fn close(&mut self, session: Uuid) {
        if self.members.get(&session).is_some_and(|member| member.closing.is_none()) {
            self.leave(session);
            self.drop_out(session, DONE);
        }
    }

    /// Lets go of a session that is closed.
    pub fn forget(&mut self, session: Uuid) {
        self.close(session);
        self.members.remove(&session);
    }

    /// Tries at once instead of waiting.
    pub fn hasten(&mut self) {
        if matches!(self.link, Link::Waiting { .. }) {
            self.dial();
        }
    }

    // What happens to the socket.

    pub fn opened(&mut self, now: Instant) {
        self.comeback.opened(now);
        self.turn(Link::Open);
        let mut open: Vec<Uuid> = self.open_members().collect();
        open.sort_by_key(|session| self.members.get(session).map(|member| member.place));
        for session in open {
            self.joins.want(session);
        }
        self.ask(now);
    }

    /// There is no ticket: `status` is HTTP's, 0 where nothing answered.
    pub fn no_ticket(&mut self, status: u16, retry: Option<Duration>, now: Instant) {
        match closing::of_ticket(status) {
            Some(code) => self.end(code),
            None => self.wait(LOST, retry.unwrap_or_default(), now),
        }
    }

    /// The socket is gone.
    pub fn lost(&mut self, code: u16, now: Instant) {
        if closing::comes_back(code) {
            self.hang_up(false);
            self.wait(code, Duration::ZERO, now);
        } else {
            self.end(code);
        }
    }

    /// New credentials are there to be handed in; `None` where there are none to be had: the connection ends when the old ones do.
    pub fn renew(&mut self, renew: Option<tiltyard_protocol::client::Renew>) {
        self.said.extend(renew.map(ClientMessage::Renew));
    }

    /// They could not be got.
    pub fn not_renewed(&mut self, why: String) {
        self.is_renewing = false;
        let about = About::default();
        self.tell_all(&ErrorNotice { message: why, ..ErrorNotice::new(about, Reason::Unauthorized) });
    }

    pub fn received(&mut self, bytes: &[u8], now: Instant) {
        match self.encoding.decode_server(bytes) {
            Ok(message) => self.take(message, now),
            Err(error) => {
                let notice = ErrorNotice::new(About::default(), Reason::BadMessage);
                self.tell_all(&ErrorNotice { message: error.to_string(), ..notice });
            }
        }
    }

    /// When [`Machine::tick`] is to be called.
    pub fn deadline(&self) -> Option<Instant> {
        let waiting = if let Link::Waiting { until, .. } = self.link { Some(until) } else { None };
        let pulses = self.members.values().filter_map(|member| match &member.any {
            Any::Pulse(pulse) => pulse.due(),
            Any::Fight(_) | Any::Room(_) => None,
        });
        let others = [waiting, self.renewal, self.heartbeat.due(), self.joins.deadline()];
        others.into_iter().flatten().chain(pulses).min()
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Instant) {
        if matches!(self.link, Link::Waiting { until, .. } if until <= now) {
            self.dial();
        }
        if self.renewal.take_if(|at| *at <= now).is_some() {
            self.begin_renewal();
        }
        match self.heartbeat.beat(now) {
            Some(Beat::Ping(n)) => self.ping(n),
            Some(Beat::Dead) => return self.lost(LOST, now),
            None => {}
        }
        if self.joins.is_unanswered(now) {
            return self.lost(LOST, now);
        }
        while let Some(session) = self.joins.due(now) {
            if self.members.get(&session).is_some_and(|member| !member.is_current) {
                self.join(session, now);
            }
        }
        for member in self.members.values_mut() {
            if let Any::Pulse(pulse) = &mut member.any {
                pulse.tick(now);
            }
        }
    }

    // Messages.

    fn take(&mut self, message: ServerMessage, now: Instant) {
        match message {
            ServerMessage::Joined(joined) => self.joined(joined, now),
            ServerMessage::Error(notice) => self.refused(notice, now),
            ServerMessage::Expiring(_) => self.begin_renewal(),
            ServerMessage::Renewed(renewed) => {
                self.is_renewing = false;
                let open: Vec<Uuid> = self.open_members().collect();
                for session in open {
                    self.tell(session, Told::Renewed(renewed.left_ms));
                }
            }
            ServerMessage::Left(left) => {
                if let Some(&session) = self.handles.get(&left.s) {
                    self.left(session, left.why, now);
                }
            }
            ServerMessage::Pong(pong) => self.pong(pong, now),
            // For newer clients.
            ServerMessage::Unknown => {}
            ServerMessage::Snapshot(ref snapshot) => self.pass(snapshot.s, Some(snapshot.time), message, now),
            ServerMessage::Delta(ref delta) => self.pass(delta.s, Some(delta.time), message, now),
            ServerMessage::Result(ref outcome) => self.pass(outcome.s, Some(outcome.time), message, now),
            ServerMessage::State(ref state) => self.pass(state.s, Some(state.time), message, now),
            ServerMessage::Relayed(ref relayed) => self.pass(relayed.s, Some(relayed.time), message, now),
            ServerMessage::Ack(ref ack) => self.pass(ack.s, None, message, now),
            ServerMessage::Refused(ref refused) => self.pass(refused.s, None, message, now),
            ServerMessage::Forgotten(ref forgotten) => self.pass(forgotten.s, None, message, now),
            ServerMessage::Missed(ref gap) => self.pass(gap.s, None, message, now),
            ServerMessage::Presence(ref presence) => self.pass(presence.s, None, message, now),
        }
    }

    /// Hands a message to the session that it names. What comes for one that was left is nobody's: an action that was refused as
    /// `not_joined` while the session moved has no answer, and is sent again where it is joined.
    fn pass(&mut self, s: u32, time: Option<u64>, message: ServerMessage, now: Instant) {
        if let Some(time) = time {
            self.time.heard(now, time);
            self.know_time();
        }
        let Some(&session) = self.handles.get(&s) else { return };
        let Some(member) = self.members.get_mut(&session) else { return };
        let effects = member.receive(message, now);
        self.follow(session, effects, now);
    }

    fn pong(&mut self, pong: Pong, now: Instant) {
        if let Some(sent) = self.heartbeat.pong(pong.n) {
            self.time.pong(sent, now, pong.time);
        }
        self.know_time();
        if let Some(s) = pong.s {
            self.pass(s, None, ServerMessage::Pong(pong), now);
        }
    }

    fn joined(&mut self, joined: Joined, now: Instant) {
        let (session, idle_ms) = (joined.session, joined.timers.idle_ms);
        self.time.heard(now, joined.time);
        self.know_time();
        let Some(member) = self.members.get_mut(&session).filter(|member| member.closing.is_none()) else { return };
        self.handles.insert(joined.s, session);
        self.comeback.joined();
        member.enter(joined.s, now);
        if member.is_of(joined.kind) {
            let effects = member.receive(ServerMessage::Joined(joined), now);
            self.follow(session, effects, now);
        } else {
            let notice = ErrorNotice::new(About::join(session), Reason::WrongType);
            self.tell(session, Told::Error(notice));
            self.drop_out(session, DONE);
        }
        if self.link == Link::Open {
            self.heartbeat.start(idle_ms, now);
        }
        self.joins.answered(session);
        self.ask(now);
    }

    /// Does what comes of a message for `session`.
    fn follow(&mut self, session: Uuid, effects: Effects, now: Instant) {
        self.stand();
        self.told.extend(effects.told.into_iter().map(|told| (session, told)));
        if effects.again {
            let joined_at = self.members.get(&session).and_then(|member| member.joined_at);
            self.joins.want_at(joined_at.map_or(now, |at| now.max(at + AGAIN)), session);
        }
    }

    fn left(&mut self, session: Uuid, why: LeftWhy, now: Instant) {
        self.out(session);
        self.tell(session, Told::Left(why));
        self.forget_joins(session);
        match why {
            LeftWhy::Moved => self.join(session, now),
            LeftWhy::Asked => self.drop_out(session, DONE),
            LeftWhy::Replaced => self.drop_out(session, REPLACED),
            LeftWhy::Removed => self.drop_out(session, NOT_LET_IN),
            LeftWhy::Ended | LeftWhy::Unknown => self.drop_out(session, ENDED),
        }
        self.stand();
        self.ask(now);
    }

    fn refused(&mut self, notice: ErrorNotice, now: Instant) {
        if let Some(session) = self.joining(&notice) {
            return self.join_refused(session, notice, now);
        }
        if self.is_renewing && notice.re.as_deref().unwrap_or("renew") == "renew" {
            self.is_renewing = false;
            self.renewal = notice.retry_ms.map(|ms| now + Duration::from_millis(ms.into()));
        }
        match notice.s.and_then(|s| self.handles.get(&s)) {
            Some(&session) => self.notice(session, notice),
            None => self.tell_all(&notice),
        }
    }

    /// Whose `join` it is that is refused, if it is one. A server that does not say so means the one that it has not answered.
    fn joining(&self, notice: &ErrorNotice) -> Option<Uuid> {
        let is_join = notice.re.as_deref().unwrap_or("join") == "join";
        let session = notice.session.or(self.joins.asked()).filter(|_| is_join)?;
        self.members.get(&session).is_some_and(|member| member.closing.is_none()).then_some(session)
    }

    fn join_refused(&mut self, session: Uuid, notice: ErrorNotice, now: Instant) {
        let (reason, retry_ms) = (notice.reason, notice.retry_ms);
        self.notice(session, notice);
        if let Some(code) = closing::of_join(reason) {
            self.drop_out(session, code);
        } else if retry_ms.is_some() || reason == Reason::AlreadyJoined {
            let retry = retry_ms.map_or(RETRY, |ms| Duration::from_millis(ms.into()));
            self.joins.want_at(now + retry, session);
            self.joins.answered(session);
        }
        self.ask(now);
    }

    // What the machine does.

    fn join(&mut self, session: Uuid, now: Instant) {
        self.joins.want(session);
        self.ask(now);
    }

    /// Sends the next `join`, if it is time for one.
    fn ask(&mut self, now: Instant) {
        if self.link != Link::Open {
            return;
        }
        if let Some(session) = self.joins.next(now) {
            self.said.extend(self.members.get(&session).map(|member| member.join(session)));
        }
    }

    /// Asks for the time of one session after the other.
    fn ping(&mut self, n: u64) {
        let place = usize::try_from(n).unwrap_or_default() % self.handles.len().max(1);
        let s = self.handles.keys().nth(place).copied();
        self.said.push_back(ClientMessage::Ping(Ping { n, s }));
    }

    fn begin_renewal(&mut self) {
        self.is_renewing = true;
        self.todo.push_back(Do::Renew);
    }

    fn dial(&mut self) {
        self.hang_up(false);
        self.turn(Link::Connecting);
        self.todo.push_back(Do::Dial);
    }

    fn wait(&mut self, code: u16, least: Duration, now: Instant) {
        let dice = (self.dice)();
        match self.comeback.after(code, now, dice) {
            Some(delay) => self.turn(Link::Waiting { until: now + delay.max(least), code }),
            None => self.end(code),
        }
    }

    /// `session` is out for good; without any other there is no use in a connection.
    fn drop_out(&mut self, session: Uuid, code: u16) {
        if self.open_members().all(|open| open == session) {
            self.end(code);
        } else {
            self.forget_joins(session);
            self.shut(session, code);
        }
    }

    /// Closes for good, with everybody in it.
    pub fn end(&mut self, code: u16) {
        self.hang_up(true);
        let open: Vec<Uuid> = self.open_members().collect();
        self.link = Link::Closed(Closing { code });
        for session in open {
            self.shut(session, code);
        }
    }

    fn shut(&mut self, session: Uuid, code: u16) {
        self.out(session);
        let Some(member) = self.members.get_mut(&session) else { return };
        let closing = Closing { code };
        member.closing = Some(closing);
        let ends = member.end();
        self.stand();
        self.told.extend(ends.into_iter().chain([Told::Closed(closing)]).map(|told| (session, told)));
    }

    /// Lets go of the socket and of everything that was still to come of it; politely after saying what there is to say.
    fn hang_up(&mut self, politely: bool) {
        let mut said = Vec::new();
        if politely {
            said.extend(std::iter::from_fn(|| self.poll_said()));
        }
        self.said.clear();
        self.todo.clear();
        self.todo.push_back(Do::HangUp(said));
        self.renewal = None;
        self.is_renewing = false;
        self.heartbeat.stop();
        self.joins = Joins::default();
        self.handles.clear();
    }

    fn turn(&mut self, link: Link) {
        self.link = link;
        if link != Link::Open {
            let open: Vec<Uuid> = self.open_members().collect();
            for session in open {
                self.out(session);
            }
        }
        self.stand();
    }

    fn out(&mut self, session: Uuid) {
        if let Some(member) = self.members.get_mut(&session) {
            let told = member.out();
            self.told.extend(told.into_iter().map(|told| (session, told)));
        }
    }

    fn forget_joins(&mut self, session: Uuid) {
        self.handles.retain(|_, of| *of != session);
        self.joins.forget(session);
    }

    /// Tells of each session where it is, if that is another place.
    fn stand(&mut self) {
        for (&session, member) in &mut self.members {
            let status = match (member.closing, self.link) {
                (Some(_), _) | (None, Link::Closed(_)) => Status::Closed,
                (None, Link::Connecting) => Status::Connecting,
                (None, Link::Waiting { .. }) => Status::Waiting,
                (None, Link::Open) if member.is_current => Status::Live,
                (None, Link::Open) => Status::Joining,
            };
            if std::mem::replace(&mut member.status, status) != status {
                self.told.push_back((session, Told::Status(status)));
            }
        }
    }

    fn know_time(&mut self) {
        let clock = self.time.clock();
        self.members.values_mut().for_each(|member| member.hear(clock));
    }

    fn open_members(&self) -> impl Iterator<Item = Uuid> {
        self.members.iter().filter(|(_, member)| member.closing.is_none()).map(|(&session, _)| session)
    }

    fn notice(&mut self, session: Uuid, notice: ErrorNotice) {
        if let Some(member) = self.members.get(&session) {
            let told = member.notice(notice);
            self.tell(session, told);
        }
    }

    fn tell(&mut self, session: Uuid, told: Told) {
        self.told.push_back((session, told));
    }

    fn tell_all(&mut self, notice: &ErrorNotice) {
        let open: Vec<Uuid> = self.open_members().collect();
        for session in open {
            self.notice(session, notice.clone());
        }
    }
}
