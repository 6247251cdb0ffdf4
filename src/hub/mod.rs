//! Which session lives on which shard, and the way into that shard's inbox. A session's shard follows from its id, so every thread and
//! restart agrees, and nothing is looked up; but for sessions that were handed over, as long as there are any.

use std::time::Duration;

use tiltyard_protocol::{CloseCode, Reason};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::book::Share;
use crate::limits;
use crate::replays::Recording;
use crate::session::{Expected, FightInfo, Refusal, Viewer};
use crate::shard::connection::ConnKey;
use crate::shard::room::News;
use crate::shard::{
    ActionApplied, Attachment, Command, Control, NewFight, Peers, Renewal, Reply, RestAction, Seats, SessionRecord,
    ShardHandle, Stats,
};

/// How often sessions are looked for that change hands just then.
const READS: usize = 3;

/// The way to every shard of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    peers: Peers,
}

impl Hub {
    /// A hub over these shards, at least one.
    pub fn new(shards: impl Into<Peers>) -> Self {
        let peers = shards.into();
        assert!(!peers.all().is_empty(), "a hub has a shard");
        Self { peers }
    }

    /// The number of the shard that has `session`.
    pub fn shard_of(&self, session: Uuid) -> usize {
        self.peers.place_of(session)
    }

    /// How many shards there are.
    pub fn shards(&self) -> usize {
        self.peers.all().len()
    }

    /// Hands a session over to another shard of this node, and waits for that however long the shards take. The answer, for how long nothing
    /// was done to it, leaves when it is there; after an error it is where it was, but where the shard ends instead, of which nobody knows.
    pub async fn hand_over(&self, session: Uuid, to: usize) -> Result<Duration, Refusal> {
        self.ask_to_the_end(session, |reply| Command::HandOver { session, to, reply }).await
    }

    /// Has a session live that another node has had, and the log says is this one's; `known` is the highest epoch that the store has of it.
    pub async fn take_over(&self, record: SessionRecord, known: u64) -> Result<(), Refusal> {
        self.ask(record.id, |reply| Command::TakeOver { record: Box::new(record), known, reply }).await
    }

    /// Creates a fight that has these shares, and tells what `viewer` may see of it; the answer leaves after it is in the log.
    pub async fn create_for(&self, viewer: Viewer, fight: NewFight, shares: Vec<Share>) -> Result<FightInfo, Refusal> {
        self.ask(fight.id, |reply| Command::Create { fight: Box::new(fight), shares, viewer, reply }).await
    }

    /// Reads all of a session, which is for the server itself.
    pub async fn read(&self, session: Uuid) -> Result<FightInfo, Refusal> {
        self.read_for(Viewer::All, session).await
    }

    /// Reads what `viewer` may see of a session.
    pub async fn read_for(&self, viewer: Viewer, session: Uuid) -> Result<FightInfo, Refusal> {
        self.ask(session, |reply| Command::Read(session, viewer, reply)).await
    }

    /// Reads what `viewer` may see of these sessions, each shard's in one go. Those that no shard has are left out.
    pub async fn read_many(&self, viewer: Viewer, sessions: &[Uuid]) -> Result<Vec<FightInfo>, Refusal> {
        let mut found: Vec<FightInfo> = Vec::with_capacity(sessions.len());
        let mut left = sessions.to_vec();
        for _ in 0..READS {
            let version = self.peers.moved().version();
            for shard in 0..self.shards() {
                let here: Vec<Uuid> = left.iter().copied().filter(|&id| self.shard_of(id) == shard).collect();
                if let Some(&first) = here.first() {
                    found.append(&mut self.ask(first, |reply| Command::ReadMany(here, viewer, reply)).await?);
                }
            }
            left.retain(|id| found.iter().all(|fight| fight.id != *id));
            // One that was asked for where it is no more may be somewhere else.
            if left.is_empty() || self.peers.moved().version() == version {
                break;
            }
        }
        Ok(found)
    }

    /// Who of these players has a seat in a session.
    pub async fn seats(&self, session: Uuid, players: [Uuid; 2]) -> Result<Seats, Refusal> {
        self.ask(session, |reply| Command::Seats { session, players, reply }).await
    }

    /// What is recorded of a session up to now.
    pub async fn recording(&self, session: Uuid) -> Result<Recording, Refusal> {
        self.ask(session, |reply| Command::Recording(session, reply)).await
    }

    /// Applies an action; the answer leaves after it is in the log, with the fight as `viewer` may see it.
    pub async fn act(
        &self,
        viewer: Viewer,
        session: Uuid,
        player: Uuid,
        action: RestAction,
    ) -> Result<ActionApplied, Refusal> {
        self.ask(session, |reply| Command::Act { session, player, action, viewer, reply }).await
    }

    /// The same, and waits for the answer however long the shard takes; where the shard ends instead, the reason is
    /// [`Reason::Timeout`]: whether the action took effect is not known then.
    pub async fn act_to_the_end(
        &self,
        viewer: Viewer,
        session: Uuid,
        player: Uuid,
        action: RestAction,
    ) -> Result<ActionApplied, Refusal> {
        self.ask_to_the_end(session, |reply| Command::Act { session, player, action, viewer, reply }).await
    }

    /// Says for a player that it is ready, and tells what `viewer` may see of the fight.
    pub async fn ready(
        &self,
        viewer: Viewer,
        session: Uuid,
        expected: Expected,
        player: Uuid,
    ) -> Result<FightInfo, Refusal> {
        self.ask(session, |reply| Command::Ready { session, expected, player, viewer, reply }).await
    }

    /// Takes a free seat, which has these shares, and returns its slot.
    pub async fn seat(
        &self,
        session: Uuid,
        expected: Expected,
        player: Uuid,
        shares: Vec<Share>,
    ) -> Result<u8, Refusal> {
        self.ask(session, |reply| Command::Seat { session, expected, player, shares, reply }).await
    }

    /// Changes what is changed by hand, if the session is at the expected version, and tells all of it.
    pub async fn control(&self, session: Uuid, expected: Expected, control: Control) -> Result<FightInfo, Refusal> {
        self.control_for(Viewer::All, session, expected, control).await
    }

    /// The same, and tells what `viewer` may see of it.
    pub async fn control_for(
        &self,
        viewer: Viewer,
        session: Uuid,
        expected: Expected,
        control: Control,
    ) -> Result<FightInfo, Refusal> {
        self.ask(session, |reply| Command::Control { session, expected, control, viewer, reply }).await
    }

    /// Hands a socket to the shard that owns its session. A socket that is not taken is closed, with a code that says why.
    pub fn attach(&self, attachment: Attachment) -> Result<(), Refusal> {
        let shard = self.shard(attachment.session);
        shard.offer(Command::Attach(Box::new(attachment))).map_err(|(command, reason)| {
            if let Command::Attach(attachment) = command {
                let stopping = reason == Reason::Draining;
                attachment.turn_away(if stopping { CloseCode::Restart } else { CloseCode::TryLater });
            }
            reason.into()
        })
    }

    /// Has every shard close the connections of an auth session that has ended. Returns at once; where an inbox is full the
    /// command waits for its place in a task of its own, so that it is lost only with the shard. Needs a tokio runtime.
    ///
    /// A socket that is on its way to its shard meanwhile is not closed: whoever attaches one looks afterwards whether its
    /// auth session still lives, and revokes it again where not.
    pub fn revoke(&self, sid: Uuid) {
        for shard in self.peers.all() {
            deliver(shard, || Command::Revoke(sid));
        }
    }

    /// Has its shard drop a session that the store has under a higher epoch, likewise.
    pub fn fence(&self, session: Uuid) {
        deliver(self.shard(session), || Command::Fence(session));
    }

    /// Tells the shard of a session that is no fight something about it, if its inbox has room.
    pub fn room(&self, session: Uuid, news: News) -> Result<(), Reason> {
        self.send(session, Command::Room(session, news)).map_err(|refusal| refusal.reason)
    }

    /// The same, waiting for room.
    pub async fn room_waiting(&self, session: Uuid, news: News) {
        self.shard(session).send_waiting(Command::Room(session, news)).await;
    }

    /// Tells a shard what became of a connection's new credentials, waiting for room in its inbox.
    pub async fn renew(&self, shard: usize, connection: ConnKey, checked: Result<Renewal, Reason>) {
        self.peers.all()[shard].send_waiting(Command::Renew(connection, checked)).await;
    }

    /// Asks every shard to stop.
    pub fn drain(&self) {
        for shard in self.peers.all() {
            shard.drain();
        }
    }

    /// The figures of all shards together.
    pub fn stats(&self) -> Stats {
        self.peers.all().iter().map(ShardHandle::stats).sum()
    }

    async fn ask<T>(&self, session: Uuid, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(session, command(reply))?;
        match tokio::time::timeout(Duration::from_millis(limits::SHARD_ANSWER_MS), answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_gone)) => Err(Reason::Draining.into()),
            Err(_elapsed) => Err(Reason::Timeout.into()),
        }
    }

    /// The same without a bound: where the shard ends instead, the reason is [`Reason::Timeout`].
    async fn ask_to_the_end<T>(&self, session: Uuid, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        self.send(session, command(reply))?;
        answer.await.unwrap_or_else(|_gone| Err(Reason::Timeout.into()))
    }

    fn send(&self, session: Uuid, command: Command) -> Result<(), Refusal> {
        self.shard(session).send(command)
    }

    fn shard(&self, session: Uuid) -> &ShardHandle {
        &self.peers.all()[self.shard_of(session)]
    }
}

/// Queues a command, in a task of its own where the inbox is full.
fn deliver(shard: &ShardHandle, command: impl Fn() -> Command) {
    if shard.send(command()).is_err_and(|refusal| refusal.reason == Reason::Overloaded) {
        let (shard, command) = (shard.clone(), command());
        tokio::spawn(async move { shard.send_waiting(command).await });
    }
}
