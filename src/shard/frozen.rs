//! Sessions that change hands are *frozen*: nothing is done to them until it is known whose they are. Commands about them wait, and go where
//! they are then; so do connections that want to join them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tiltyard_combat::Slot;
use tiltyard_protocol::{CloseCode, Reason};
use uuid::Uuid;

use super::admission::Asked;
use super::connection::ConnKey;
use super::inbox::ShardHandle;
use super::link::Forward;
use super::session::SessionKey;
use super::transfer::{Outcome, Transfer};
use super::worker::Worker;
use crate::limits;
use crate::log::TurnNo;
use crate::session::Refusal;
use crate::shard::{Command, Reply};

/// A session of which it is not known yet whose it is.
#[derive(Debug)]
pub(super) struct Move {
    pub way: Way,
    /// Commands about it, in order.
    pub waiting: VecDeque<Command>,
    /// Connections that want to join it.
    pub joins: Vec<Asked>,
    /// Seats whose connections were lost meanwhile.
    pub parted: Vec<Slot>,
    /// What connections elsewhere say to those that are on the way with it, in order.
    pub forwards: VecDeque<Forward>,
}

#[derive(Debug)]
pub(super) enum Way {
    Out(Leaving),
    In(Coming),
}

/// To another shard.
#[derive(Debug)]
pub(super) struct Leaving {
    pub to: usize,
    pub reply: Reply<Duration>,
    pub since: Instant,
    /// The last turn that may have something of it, once that has ended.
    pub after: Option<TurnNo>,
    /// There where it was offered.
    pub transfer: Option<Arc<Transfer>>,
    /// Connections that stay, and the number by which each of them is there what stands for it.
    pub staying: Vec<(ConnKey, u64)>,
}

/// From another shard.
#[derive(Debug)]
pub(super) struct Coming {
    pub transfer: Arc<Transfer>,
    pub from: ShardHandle,
    /// The log has it.
    pub is_kept: bool,
}

/// Why there is no hand-over at the moment.
pub(super) fn overloaded() -> Refusal {
    Refusal { retry_ms: Some(1_000), ..Refusal::from(Reason::Overloaded) }
}

impl Move {
    pub(super) const fn new(way: Way) -> Self {
        Self { way, waiting: VecDeque::new(), joins: Vec::new(), parted: Vec::new(), forwards: VecDeque::new() }
    }

    /// Whether it is on the way from here, and its connections with it.
    pub(super) const fn is_offered(&self) -> bool {
        matches!(self.way, Way::Out(Leaving { transfer: Some(_), .. }))
    }
}

impl Worker {
    /// Has a command wait that is about a frozen session, and sends one on that is about a session which lives at another shard. Any other
    /// comes back.
    pub(super) fn route(&mut self, command: Command) -> Option<Command> {
        let Some(id) = command.session() else { return Some(command) };
        if self.moves.is_empty() && self.peers.moved().is_empty() && self.peers.place_of(id) == self.number {
            return Some(command);
        }
        match self.index.get(&id) {
            Some(key) => {
                let Some(of) = self.moves.get_mut(key) else { return Some(command) };
                if of.waiting.len() < limits::HAND_OVER_WAITING {
                    of.waiting.push_back(command);
                } else {
                    command.refuse(&overloaded());
                }
            }
            None if self.peers.place_of(id) == self.number => return Some(command),
            None => self.send_on(id, command),
        }
        None
    }

    /// Sends a command to where its session is. Whoever is said to have one knows whether there is one, so nothing goes in a circle.
    pub(super) fn send_on(&self, id: Uuid, command: Command) {
        let place = self.peers.place_of(id);
        match self.peers.shard(place) {
            Some(shard) if place != self.number => {
                if let Err((command, reason)) = shard.offer(command) {
                    command.refuse(&reason.into());
                }
            }
            _ => command.refuse(&Reason::NoSession.into()),
        }
    }

    /// A seat's connection is lost while its session is frozen: whoever has the session then hears of it.
    pub(super) fn note_parted(&mut self, key: SessionKey, slot: Slot) {
        if let Some(of) = self.moves.get_mut(&key) {
            of.parted.push(slot);
        }
    }

    /// A connection wants to join a session that is frozen: it waits until it is known where that is.
    pub(super) fn join_later(&mut self, key: SessionKey, asked: Asked) {
        let Some(of) = self.moves.get_mut(&key) else { return };
        of.joins.push(asked);
        if let Some(connection) = self.connections.get_mut(asked.conn) {
            connection.waits += 1;
        }
    }

    /// Hears what has become of sessions on their way.
    pub(super) fn settle_moves(&mut self) {
        if self.moves.is_empty() {
            return;
        }
        self.moves_due = false;
        let keys: Vec<SessionKey> = self.moves.keys().copied().collect();
        for key in keys {
            match self.moves.get(&key).map(|of| &of.way) {
                Some(Way::Out(Leaving { transfer: Some(transfer), .. })) => match transfer.outcome() {
                    Some(Outcome::Taken) => self.has_left(key),
                    Some(Outcome::Refused(reason, parcel)) => self.stays(key, parcel, reason.into()),
                    None => {}
                },
                Some(Way::In(Coming { is_kept: true, .. })) => self.has_come(key),
                _ => {}
            }
        }
    }

    /// A frozen session is somebody else's altogether.
    pub(super) fn give_up_move(&mut self, key: SessionKey) {
        let Some(Move { way, waiting, joins, forwards, .. }) = self.moves.remove(&key) else { return };
        let fenced = Refusal::from(Reason::Fenced);
        for conn in self.members_of(key) {
            self.thaw(conn);
        }
        match way {
            Way::Out(leaving) => {
                if let Some(parcel) = leaving.transfer.and_then(|transfer| transfer.withdraw()) {
                    self.come_back(key, parcel);
                }
                drop(leaving.reply.send(Err(fenced.clone())));
            }
            Way::In(coming) => {
                coming.transfer.refuse(Reason::Fenced);
                coming.from.wake();
            }
        }
        for forward in forwards {
            self.forwarded(forward);
        }
        for command in waiting {
            command.refuse(&fenced);
        }
        for asked in joins {
            self.ask_again(asked);
        }
    }

    pub(super) fn members_of(&self, key: SessionKey) -> Vec<ConnKey> {
        self.sessions.get(key).map_or_else(Vec::new, |session| session.members.iter().map(|of| of.conn).collect())
    }

    /// What a session's connection sends is looked at again.
    pub(super) fn thaw(&mut self, conn: ConnKey) {
        if let Some(connection) = self.connections.get_mut(conn) {
            connection.frozen -= 1;
        }
        self.hear(conn);
    }

    /// Does what has waited for a session that is here.
    pub(super) fn go_on(&mut self, waiting: VecDeque<Command>, joins: Vec<Asked>) {
        for command in waiting {
            self.command(command);
        }
        for asked in joins {
            self.ask_again(asked);
        }
    }

    /// A join that has waited is asked for again.
    pub(super) fn ask_again(&mut self, asked: Asked) {
        let Some(player) = self.connections.get(asked.conn).map(|connection| connection.player) else { return };
        if !self.admission.push(player, asked) {
            self.stats.joins_refused += 1;
            self.close(asked.conn, CloseCode::TryLater);
        }
    }
}
