//! Log before show: what a turn made waits until the log has kept the turn and all before it, and is then shown, in their order.
//! Bytes wait in their outboxes, behind marks; answers and what the store is told wait here.

use std::time::{Duration, Instant};

use tiltyard_protocol::{CloseCode, Reason};
use uuid::Uuid;

use super::commands::{Pending, no_log};
use super::connection::{ConnKey, State};
use super::entry::Entry;
use super::session::SessionKey;
use super::worker::Worker;
use crate::book::News;
use crate::limits;
use crate::log::{Outcome, TurnNo};
use crate::replays::Recording;
use crate::session::{FightInfo, Refusal, Viewer};
use crate::shard::Command;
use crate::socket::frame;

/// What a turn made.
#[derive(Debug)]
pub(super) struct Held {
    turn: TurnNo,
    is_kept: bool,
    /// When the turn began.
    since: Instant,
    /// Answers, each with the session it is about.
    pending: Vec<(Uuid, Pending)>,
    /// What the store is told, with the replay of what has ended.
    announced: Vec<(FightInfo, News, Option<Recording>)>,
    /// How many bytes were queued for whom.
    bytes: Vec<(ConnKey, u32)>,
    /// Who has left which session, and may have been told something of it before.
    left: Vec<(Uuid, ConnKey)>,
    /// Sessions of other shards that the log is told of.
    adopted: Vec<SessionKey>,
}

impl Held {
    fn new(since: Instant) -> Self {
        let (pending, announced, bytes) = (Vec::new(), Vec::new(), Vec::new());
        let (left, adopted) = (Vec::new(), Vec::new());
        Self { turn: 0, is_kept: false, since, pending, announced, bytes, left, adopted }
    }

    pub(super) const fn turn(&self) -> TurnNo {
        self.turn
    }

    /// Takes out everything about a session that is somebody else's: the answers that wait say so.
    fn fence(&mut self, session: Uuid) {
        for (about, pending) in &mut self.pending {
            if let Pending::Infos(_, Ok(infos)) = pending {
                infos.retain(|info| info.id != session);
            }
            if *about == session {
                pending.refuse_instead(&Refusal { is_unknown: true, ..Reason::Fenced.into() });
            }
        }
        self.announced.retain(|(info, ..)| info.id != session);
    }
}

impl Worker {
    /// Ends the turn: has the log take it, and shows what it has kept by now. `false` where the shard was drained while the log could
    /// not be written.
    pub(super) fn commit(&mut self) -> bool {
        if !self.made_something() {
            return self.settle(None);
        }
        let turn = self.log.seal(self.clock.wall);
        self.write_chunks();
        let mut held = self.put_away(turn);
        match self.log.poll() {
            // As a rule it is kept by now: then its bytes need no marks, and are shown as they are written, while they are in the cache.
            Some(Outcome::Kept(kept)) if kept == turn && self.held.is_empty() => {
                std::mem::swap(&mut self.kept, &mut self.dirty);
                self.show(held);
                // Whatever else the log has to say can wait for the next turn: these bytes are to be written before anything is added.
                true
            }
            outcome => {
                self.mark(&mut held);
                self.held.push_back(held);
                self.settle(outcome)
            }
        }
    }

    fn made_something(&self) -> bool {
        self.log.has_batch()
            || !self.dirty.is_empty()
            || !self.pending.is_empty()
            || !self.announced.is_empty()
            || !self.failed.is_empty()
    }

    /// Puts away what the turn made, but for bytes. What the store is told is how things stand now: later turns are not kept with this
    /// one.
    fn put_away(&mut self, turn: TurnNo) -> Held {
        let mut held = self.spare.pop().unwrap_or_else(|| Held::new(self.clock.turn));
        (held.turn, held.is_kept, held.since) = (turn, false, self.clock.turn);
        std::mem::swap(&mut held.pending, &mut self.pending);
        std::mem::swap(&mut held.left, &mut self.left);
        std::mem::swap(&mut held.adopted, &mut self.adopted);
        let failed = self.failed.drain(..);
        held.announced.extend(failed.map(|(info, recording)| (info, News::Ended, Some(recording))));
        self.announced.sort_unstable();
        self.announced.dedup();
        for (key, news) in self.announced.drain(..) {
            let Some(session) = self.sessions.get(key) else { continue };
            // After a restart nobody knows whether the store has got it.
            let recording = session.fight.lifecycle().is_ended().then(|| session.recording());
            held.announced.push((session.info(self.clock.now, Viewer::All), news, recording));
        }
        held
    }

    /// Marks the bytes that the turn made: they wait in their outboxes.
    fn mark(&mut self, held: &mut Held) {
        for key in self.dirty.drain(..) {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            connection.dirty = false;
            held.bytes.push((key, connection.outbox.mark()));
        }
    }

    /// Hears what became of turns, of one at first that was heard before, and shows those that are kept. As long as nothing is taken, too many turns wait or one waits for too long, the shard does
    /// nothing else: what clients send waits in their sockets; requests are told so after a while, as nobody knows how long it takes.
    fn settle(&mut self, mut heard: Option<Outcome>) -> bool {
        let mut is_stalled = false;
        loop {
            match heard.take().or_else(|| self.log.poll()) {
                Some(Outcome::Kept(turn)) => {
                    self.kept(turn);
                    continue;
                }
                Some(Outcome::Fenced(session)) => {
                    self.fence(session);
                    continue;
                }
                Some(Outcome::Unknown(turn)) => {
                    self.stats.log_unknown += 1;
                    self.log.again(turn);
                    continue;
                }
                Some(Outcome::Missing(session)) => {
                    self.restore(session);
                    continue;
                }
                Some(Outcome::Stalled(error)) => {
                    if !std::mem::replace(&mut is_stalled, true) {
                        tracing::error!(%error, "the log cannot be written; waiting");
                    }
                    self.stats.log_failures += 1;
                }
                None if self.held.len() < limits::TURNS_HELD && (self.draining || !self.is_late()) => break,
                // The disk is slower than the loop: it is waited for as if there were no thread for it.
                None if !self.is_late() && self.log.wait(Duration::from_millis(limits::LOG_ANSWER_MS)) => continue,
                None => {
                    if !std::mem::replace(&mut is_stalled, true) {
                        tracing::error!(turns = self.held.len(), "the log does not answer; waiting");
                    }
                }
            }
            self.stats.stalled = 1;
            self.publish_stats();
            // Asked before the failure or during it.
            if self.draining || self.refuse_while_stalled() {
                return false;
            }
            self.answer_the_late();
            std::thread::sleep(Duration::from_millis(limits::LOG_RETRY_MS));
        }
        if is_stalled {
            self.stats.stalled = 0;
            tracing::warn!("the log can be written again");
        }
        // One that does not answer is not waited for at the end.
        let is_late = self.answer_the_late();
        !(is_late && self.draining)
    }

    /// Whether the log has had a turn for so long that it is to be taken for one that cannot be written: who watches is told, and no time
    /// passes in sessions while nobody in them is answered.
    fn is_late(&self) -> bool {
        self.held.front().is_some_and(|held| held.since.elapsed() >= Duration::from_millis(self.answer_ms))
    }

    /// Answers turns that the log has not kept for long: `true` where there are some. What they did is not undone: it is in the log, and
    /// seen, as soon as that is possible.
    fn answer_the_late(&mut self) -> bool {
        let patience = Duration::from_millis(self.answer_ms);
        let mut is_late = false;
        for held in self.held.iter_mut().take_while(|held| held.since.elapsed() >= patience) {
            is_late = true;
            for (_, pending) in held.pending.drain(..) {
                pending.refuse(Refusal { is_unknown: true, ..no_log() });
            }
        }
        is_late
    }

    /// The log has kept a turn.
    fn kept(&mut self, turn: TurnNo) {
        if let Some(held) = self.held.iter_mut().find(|held| held.turn == turn) {
            held.is_kept = true;
        }
        while let Some(held) = self.held.pop_front_if(|held| held.is_kept) {
            self.show(held);
        }
    }

    /// Shows what a turn made. The store is told before the answers leave, so that who gets one can wait for the store.
    fn show(&mut self, mut held: Held) {
        for (info, news, recording) in held.announced.drain(..) {
            if let Some(recording) = recording {
                self.book.replay_queue().put(recording);
            }
            self.book.put(info, news);
        }
        for (_, pending) in held.pending.drain(..) {
            pending.send();
        }
        for (key, bytes) in held.bytes.drain(..) {
            let Some(connection) = self.connections.get_mut(key) else { continue };
            connection.outbox.show(bytes);
            self.ready.push(key);
        }
        for key in held.adopted.drain(..) {
            self.adoption_kept(key);
        }
        held.left.clear();
        self.spare.push(held);
    }

    /// The store has the session under a higher epoch, which the log does not know of.
    pub(super) fn overtake(&mut self, id: Uuid) {
        let Some(session) = self.index.get(&id).and_then(|key| self.sessions.get(*key)) else {
            return self.overtake_elsewhere(id);
        };
        self.log.leave(session.next_key(), &Entry::Forget { no: session.no });
        self.fence(id);
    }

    /// The same of one that has been handed over.
    fn overtake_elsewhere(&mut self, id: Uuid) {
        let place = self.peers.place_of(id);
        if place != self.number
            && let Some(shard) = self.peers.shard(place)
            && shard.send(Command::Fence(id)).is_err()
        {
            self.overtaken.push(id);
        }
    }

    /// The session is somebody else's: it leaves the shard, and nothing is shown of what the log has not kept of it. Who was told something
    /// of it is closed at once: they can ask whoever has it.
    fn fence(&mut self, id: Uuid) {
        tracing::warn!(session = %id, "the session has been taken over elsewhere; it is dropped here");
        self.stats.fenced += 1;
        let mut conns = Vec::new();
        for held in &mut self.held {
            held.fence(id);
            conns.extend(held.left.iter().filter(|(session, _)| *session == id).map(|&(_, conn)| conn));
        }
        if let Some(key) = self.index.get(&id).copied() {
            self.give_up_move(key);
        }
        if let Some(session) = self.index.remove(&id).and_then(|key| self.sessions.remove(key)) {
            self.is_nowhere(id);
            self.stats.live_sessions -= u64::from(!session.fight.lifecycle().is_ended());
            conns.extend(session.members.iter().map(|member| member.conn));
        }
        for conn in conns {
            self.cut_off(conn);
        }
    }

    /// Closes a connection without what is not shown yet. Its other sessions hear of it in the next turn, as this one has been sealed.
    fn cut_off(&mut self, key: ConnKey) {
        let Some(connection) = self.connections.get_mut(key).filter(|of| of.state != State::Shut) else { return };
        let was_cut = connection.outbox.cut();
        if let Some(far) = connection.stream.far() {
            if was_cut || !far.is_ending() {
                self.end_far(key, Some(CloseCode::Restart));
                self.fenced.push(key);
            }
            return;
        }
        if connection.state == State::Closing && !was_cut {
            // Its close frame has been shown.
            return;
        }
        let mut close = Vec::new();
        frame::close(CloseCode::Restart, &mut close);
        connection.outbox.push(&close, &mut self.pool);
        let bytes = connection.outbox.mark();
        connection.outbox.show(bytes);
        self.fenced.push(key);
        self.ready.push(key);
        if connection.state == State::Open {
            self.shut_when_sent(key);
        }
    }
}
