//! A shard as far as its log is concerned: what a turn made waits until the log has kept it, as in `src/shard/held.rs`. The log is the
//! real one.

use std::collections::{BTreeMap, VecDeque};

use uuid::Uuid;

use crate::limits;
use crate::log::redis::RedisLog;
use crate::log::{Key, Outcome, TurnNo};

use super::ground::now_us;
use super::notes;
use super::state::{Act, Entry, Session, State};
use super::{Faulty, Rules};

/// What a client asks for.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    pub client: u8,
    /// Which of all that are asked, and the how-manieth time.
    pub op: usize,
    pub attempt: u32,
    pub session: Uuid,
    pub what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    Act(u32),
    Read,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    /// It is done, and the how-manieth.
    Done { place: usize },
    /// So many were done, and which.
    Read { count: usize, digest: u64 },
    /// Not here.
    Elsewhere,
    /// It may have been done or not.
    Unknown,
}

#[derive(Debug, Clone, Copy)]
pub struct Answer {
    pub to: Request,
    pub said: Said,
    pub epoch: u64,
}

#[derive(Debug)]
struct Held {
    turn: TurnNo,
    is_kept: bool,
    since: u64,
    answers: Vec<Answer>,
}

#[derive(Debug)]
pub struct Shard {
    pub log: RedisLog,
    pub sessions: BTreeMap<Uuid, Session>,
    /// Taken over, and not gone on with yet.
    pub adopted: VecDeque<(Uuid, Session)>,
    pub inbox: VecDeque<Request>,
    /// What leaves.
    pub out: Vec<Answer>,
    /// The store was seen to have lost something.
    pub has_missed: bool,
    held: VecDeque<Held>,
    answers: Vec<Answer>,
    is_stalled: bool,
    snapshot_after: u64,
    rules: Rules,
}

impl Shard {
    pub fn new(log: RedisLog, snapshot_after: u64, rules: Rules) -> Self {
        Self {
            log,
            sessions: BTreeMap::new(),
            adopted: VecDeque::new(),
            inbox: VecDeque::new(),
            out: Vec::new(),
            has_missed: false,
            held: VecDeque::new(),
            answers: Vec::new(),
            is_stalled: false,
            snapshot_after,
            rules,
        }
    }

    /// Whether it has a session, or is about to.
    pub fn holds(&self, session: Uuid) -> bool {
        self.sessions.contains_key(&session) || self.adopted.iter().any(|(id, _)| *id == session)
    }

    /// Begins a session.
    pub fn create(&mut self, id: Uuid) {
        let session = Session { state: State::default(), epoch: 1, number: 0, grown: 0 };
        self.log.push(Key { session: id, epoch: 1, number: 0 }, &Entry::Whole(&session.state));
        self.sessions.insert(id, session);
    }

    /// A turn at this wall time.
    pub fn turn(&mut self, wall_ms: u64) {
        // As long as nothing is taken, what clients send waits in their sockets.
        if self.settle() {
            while let Some((id, session)) = self.adopted.pop_front() {
                self.recall(id, session);
            }
            while let Some(request) = self.inbox.pop_front() {
                self.apply(request);
            }
            self.commit(wall_ms);
        }
        self.snapshots();
    }

    /// Whether it waits for its log, and is to look again soon.
    pub const fn is_stalled(&self) -> bool {
        self.is_stalled
    }

    fn recall(&mut self, id: Uuid, mut session: Session) {
        (session.epoch, session.number) = (session.epoch + 1, session.number + 1);
        notes::say(|| format!("  goes on with {} under {}", short(id), session.epoch));
        self.log.push(Key { session: id, epoch: session.epoch, number: session.number }, &Entry::Claim);
        self.sessions.insert(id, session);
    }

    fn apply(&mut self, request: Request) {
        let Some(session) = self.sessions.get_mut(&request.session) else {
            self.out.push(Answer { to: request, said: Said::Elsewhere, epoch: 0 });
            return;
        };
        let said = match request.what {
            What::Read => {
                let done = &session.state.done;
                Said::Read { count: done.len(), digest: State::digest(done) }
            }
            What::Act(id) => match session.state.look(request.client, id) {
                Act::Again(place) if self.rules.faulty != Some(Faulty::DoesTwice) => {
                    notes::count("action again");
                    Said::Done { place }
                }
                Act::Late => Said::Unknown,
                Act::New | Act::Again(_) => {
                    let place = session.state.act(request.client, id, session.epoch);
                    session.number += 1;
                    session.grown += 1;
                    let key = Key { session: request.session, epoch: session.epoch, number: session.number };
                    self.log.push(key, &Entry::Act { client: request.client, id });
                    Said::Done { place }
                }
            },
        };
        self.answers.push(Answer { to: request, said, epoch: session.epoch });
    }

    /// Ends the turn.
    fn commit(&mut self, wall_ms: u64) {
        if !self.log.has_batch() && self.answers.is_empty() {
            return;
        }
        let turn = self.log.seal(wall_ms);
        let mut held = Held { turn, is_kept: false, since: now_us(), answers: std::mem::take(&mut self.answers) };
        if self.rules.faulty == Some(Faulty::AnswersBefore) {
            self.out.append(&mut held.answers);
        }
        self.held.push_back(held);
        self.settle();
    }

    /// Hears what became of turns; whether more may be done.
    fn settle(&mut self) -> bool {
        loop {
            match self.log.poll() {
                Some(Outcome::Kept(turn)) => self.kept(turn),
                Some(Outcome::Fenced(session)) => self.fence(session),
                Some(Outcome::Unknown(turn)) => {
                    notes::count("turn of unknown outcome");
                    self.log.again(turn);
                }
                Some(Outcome::Missing(session)) => self.restore(session),
                Some(Outcome::Stalled(_)) => {
                    self.is_stalled = true;
                    break;
                }
                None => {
                    self.is_stalled = self.held.len() >= limits::TURNS_HELD || self.is_late();
                    break;
                }
            }
        }
        self.answer_the_late();
        !self.is_stalled
    }

    fn is_late(&self) -> bool {
        self.held.front().is_some_and(|held| now_us() >= held.since + limits::LOG_ANSWER_MS * 1_000)
    }

    fn answer_the_late(&mut self) {
        let now = now_us();
        let is_late = |held: &&mut Held| now >= held.since + limits::LOG_ANSWER_MS * 1_000;
        for held in self.held.iter_mut().take_while(is_late) {
            self.out.extend(held.answers.drain(..).map(|answer| Answer { said: Said::Unknown, ..answer }));
        }
    }

    fn kept(&mut self, turn: TurnNo) {
        if let Some(held) = self.held.iter_mut().find(|held| held.turn == turn) {
            held.is_kept = true;
        }
        while let Some(held) = self.held.pop_front_if(|held| held.is_kept) {
            self.out.extend(held.answers);
        }
    }

    fn fence(&mut self, session: Uuid) {
        notes::say(|| format!("  has lost {} to another", short(session)));
        notes::count("owner that is fenced");
        let mut has_more = false;
        for held in &mut self.held {
            for answer in held.answers.iter_mut().filter(|answer| answer.to.session == session) {
                has_more |= matches!(answer.to.what, What::Act(_));
                answer.said = Said::Unknown;
            }
        }
        if has_more {
            notes::count("owner that is fenced with entries on their way");
        }
        self.sessions.remove(&session);
    }

    fn restore(&mut self, id: Uuid) {
        self.has_missed = true;
        let found = self.sessions.get_mut(&id).filter(|_| self.rules.faulty != Some(Faulty::NeverRestores));
        let Some(session) = found else {
            return self.log.restore(id, None::<(_, &Entry<'_>)>);
        };
        notes::count("session said anew");
        (session.epoch, session.number, session.grown) = (session.epoch + 1, session.number + 1, 0);
        notes::say(|| format!("  says {} anew under {}", short(id), session.epoch));
        let key = Key { session: id, epoch: session.epoch, number: session.number };
        self.log.restore(id, Some((key, &Entry::Whole(&session.state))));
    }

    fn snapshots(&mut self) {
        let after = self.snapshot_after;
        for (&id, session) in self.sessions.iter_mut().filter(|(_, session)| session.grown >= after) {
            session.grown = 0;
            let key = Key { session: id, epoch: session.epoch, number: session.number };
            self.log.snapshot(key, &Entry::Whole(&session.state));
        }
        while self.log.take_grown().is_some() {}
    }
}

/// What a session is called in a trace.
pub fn short(session: Uuid) -> String {
    format!("s{}", session.as_bytes()[15])
}
