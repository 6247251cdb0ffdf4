//! What REST, sockets and tickers put into a shard's inbox, and what comes back. Closed enums: a command can be logged.

use crate::session::Refusal;
use std::io::Write;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use tiltyard_combat::{Action, BodyPart, Mode, Point, Rules, Ruleset, Target, Thing, Velocity};
use tiltyard_protocol::{Act, ActionKind, CloseCode, Encoding, Reason};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::book::Share;
use crate::replays::Recording;
use crate::session::fight::{FightInfo, Viewer};
use crate::session::{Expected, Update};
use crate::shard::connection::ConnKey;
use crate::shard::entry::SessionRecord;
use crate::shard::link::{Forward, Return};
use crate::shard::room::News;
use crate::shard::transfer::Adoption;
use crate::socket::frame;
use crate::socket::ledger::Pass;
use crate::socket::tls::Tls;

/// One entry of a shard's inbox.
#[derive(Debug)]
pub enum Command {
    /// Take a new fight in, with its share of what its owner may have; the answer is what the viewer may see of it.
    Create { fight: Box<NewFight>, shares: Vec<Share>, viewer: Viewer, reply: Reply<FightInfo> },
    /// Read a session, as far as the viewer may see it.
    Read(Uuid, Viewer, Reply<FightInfo>),
    /// The same of several at once; those that are not there are left out.
    ReadMany(Vec<Uuid>, Viewer, Reply<Vec<FightInfo>>),
    /// Say who of these has a seat in a session, which is all that an upgrade or a ticket asks, and far less than reading it.
    Seats { session: Uuid, players: [Uuid; 2], reply: Reply<Seats> },
    /// Hand over what is recorded of a session; refused where some of it was lost.
    Recording(Uuid, Reply<Recording>),
    /// Apply an action for `player`, as if it had come over a socket, if the session is at the version that the action expects. What it did is told as the player may know it, the fight
    /// as the viewer may see it.
    Act { session: Uuid, player: Uuid, action: RestAction, viewer: Viewer, reply: Reply<ActionApplied> },
    /// Say for `player` that it is ready, as if it had come over a socket, if the session is at the expected version.
    Ready { session: Uuid, expected: Expected, player: Uuid, viewer: Viewer, reply: Reply<FightInfo> },
    /// Take a free seat, with its shares of what its player may have, if the session is at the expected version.
    Seat { session: Uuid, expected: Expected, player: Uuid, shares: Vec<Share>, reply: Reply<u8> },
    /// Change what is changed by hand, if the session is at the expected version.
    Control { session: Uuid, expected: Expected, control: Control, viewer: Viewer, reply: Reply<FightInfo> },
    /// A socket after its upgrade.
    Attach(Box<Attachment>),
    /// Close with 4401 every connection whose credentials were of this auth session.
    Revoke(Uuid),
    /// Hand a session over to another shard of the node; the answer is for how long nothing was done to it.
    HandOver { session: Uuid, to: usize, reply: Reply<Duration> },
    /// Go on with a session of another shard.
    Adopt(Box<Adoption>),
    /// Go on with a session that another node has had, and the log says is this one's, where the store may have it under a higher epoch. The
    /// answer leaves when the log has kept that it goes on here.
    TakeOver { record: Box<SessionRecord>, known: u64, reply: Reply<()> },
    /// Drop a session: the store has it under a higher epoch.
    Fence(Uuid),
    /// New credentials of a connection have been checked.
    Renew(ConnKey, Result<Renewal, Reason>),
    /// A connection whose socket is another shard's says something to a session of this one.
    Forward(Forward),
    /// A session of another shard says something to a connection of this one.
    Return(Return),
    /// Whoever has the records says something about a session that is no fight.
    Room(Uuid, News),
    /// Stop: flush, close every socket with 1012 and end the loop.
    Drain,
}

impl Command {
    /// The session that it is about, where it is about one that there is and somebody waits for what becomes of it.
    pub const fn session(&self) -> Option<Uuid> {
        match self {
            Self::Read(session, ..)
            | Self::Recording(session, _)
            | Self::Seats { session, .. }
            | Self::Act { session, .. }
            | Self::Ready { session, .. }
            | Self::Seat { session, .. }
            | Self::Control { session, .. }
            | Self::HandOver { session, .. } => Some(*session),
            // A socket is at home anywhere.
            Self::Attach(_)
            | Self::Create { .. }
            | Self::ReadMany(..)
            | Self::Adopt(_)
            | Self::TakeOver { .. }
            | Self::Revoke(_)
            | Self::Fence(_)
            | Self::Renew(..)
            | Self::Forward(_)
            | Self::Return(_)
            | Self::Room(..)
            | Self::Drain => None,
        }
    }

    /// Answers that nothing of it was done. To what nobody asks there is no answer.
    pub fn refuse(self, refusal: &Refusal) {
        let refusal = refusal.clone();
        // A receiver that is gone has stopped waiting.
        match self {
            Self::Create { reply, .. }
            | Self::Read(_, _, reply)
            | Self::Ready { reply, .. }
            | Self::Control { reply, .. } => drop(reply.send(Err(refusal))),
            Self::ReadMany(_, _, reply) => drop(reply.send(Err(refusal))),
            Self::Act { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Seat { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Seats { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Recording(_, reply) => drop(reply.send(Err(refusal))),
            Self::HandOver { reply, .. } => drop(reply.send(Err(refusal))),
            Self::TakeOver { reply, .. } => drop(reply.send(Err(refusal))),
            Self::Adopt(adoption) => {
                adoption.transfer.refuse(refusal.reason);
                adoption.from.wake();
            }
            Self::Attach(attachment) => {
                let stopping = refusal.reason == Reason::Draining;
                attachment.turn_away(if stopping { CloseCode::Restart } else { CloseCode::TryLater });
            }
            Self::Revoke(_)
            | Self::Fence(_)
            | Self::Renew(..)
            | Self::Forward(_)
            | Self::Return(_)
            | Self::Room(..)
            | Self::Drain => {}
        }
    }
}

/// Where an answer goes. The receiver may be gone.
pub type Reply<T> = oneshot::Sender<Result<T, Refusal>>;

/// A fight as far as letting somebody in is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    pub creator: Uuid,
    /// Of the players that were asked about, in their order.
    pub has_seat: [bool; 2],
    pub has_ended: bool,
}

/// How a fight is asked for; already validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFight {
    /// Also says which shard it lives on.
    pub id: Uuid,
    pub mode: Mode,
    pub creator: Uuid,
    /// Distinct, at most 100, at least one.
    pub participants: Vec<Uuid>,
    /// At least as many as `participants`; the rest can be taken with [`Command::Seat`].
    pub seats: u8,
    pub ruleset: Arc<Ruleset>,
    /// The ruleset's numbers, with everything that mode, difficulty and request set otherwise.
    pub rules: Rules,
    /// Of the first seats in order; the other seats are dealt to teams by the rules.
    pub teams: Vec<u8>,
    /// The request's `settings`, as JSON text, echoed to readers; empty where there were none.
    pub settings: String,
    /// The same of `metadata`.
    pub metadata: String,
}

/// An action asked for over REST: as over a socket, but the target is named by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestAction {
    /// Session and id are of no meaning.
    pub act: Act,
    pub target: Option<Uuid>,
    /// The version that the session must have.
    pub expected: Expected,
}

/// What a REST action did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionApplied {
    /// Sequence of the delta that shows it.
    pub seq: u64,
    pub damage: u64,
    pub effects: Vec<Effect>,
    pub fight: FightInfo,
}

/// An effect an action had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// `guard`, `heal`, `cast`, or an effect of the ruleset.
    pub name: String,
    /// Percent of a guard, health of a heal, stacks of an effect.
    pub value: u32,
    pub duration_ms: u32,
}

/// What an operator, a service or the one who created it may do to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Pause, resume, complete or terminate it, or say something else about it.
    Update(Update),
    /// With `force` the results phase is skipped.
    Terminate { force: bool },
}

/// What new credentials of a connection say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Renewal {
    /// The auth session they are of.
    pub sid: Option<Uuid>,
    /// Unix milliseconds at which they end.
    pub expires_at: u64,
    /// The one session that they admit to (a ticket).
    pub only: Option<Uuid>,
    /// They let their player change sessions that are no fights.
    pub writes: bool,
}

/// A socket on its way to its shard: authenticated, upgraded, taken from the runtime.
#[derive(Debug)]
pub struct Attachment {
    /// Non-blocking.
    pub stream: std::net::TcpStream,
    /// What has been agreed over it, where it is by TLS that its client speaks.
    pub tls: Option<Box<Tls>>,
    /// What had been read behind the request.
    pub leftover: Vec<u8>,
    pub player: Uuid,
    /// The auth session the credentials were of.
    pub sid: Option<Uuid>,
    /// Unix milliseconds at which they end.
    pub expires_at: u64,
    pub encoding: Encoding,
    /// The session the credentials were checked against; it is on this shard.
    pub session: Uuid,
    /// The credentials admit to `session` alone (a ticket).
    pub only: bool,
    /// The credentials let the player change sessions that are no fights.
    pub writes: bool,
    /// The node's place for this connection, given back when the connection is dropped.
    pub permit: Option<tokio::sync::OwnedSemaphorePermit>,
    /// The player's place for this connection, likewise.
    pub pass: Option<Pass>,
}

impl Attachment {
    /// Closes the socket before it ever got to a shard. It has sent nothing yet, so the frame fits into its buffer; where the
    /// client is gone nobody misses it.
    pub fn turn_away(mut self, code: CloseCode) {
        let mut bytes = Vec::new();
        frame::close(code, &mut bytes);
        let written = match &mut self.tls {
            None => self.stream.write_all(&bytes),
            Some(tls) => {
                let written = tls.write(&mut self.stream, &bytes).map(drop);
                tls.close(&mut self.stream);
                written
            }
        };
        let _ = written.and_then(|()| self.stream.shutdown(Shutdown::Write));
    }
}

/// What a message asks for; whether the ruleset has it and the fight allows it, the fight says. Refused is what no fight can
/// take for an action: its id stays free.
pub fn action(act: &Act) -> Result<Action, Reason> {
    let place = act.x.zip(act.y).map(|(x, y)| Point::new(x, y));
    let use_of = |item| {
        let aim = Target { slot: act.to, at: place };
        act.a.map_or(Action::Unavailable, |ability| Action::Use { ability, item, aim })
    };
    Ok(match act.kind {
        ActionKind::Attack => match (act.to, act.c, act.z) {
            (None, Some(cover), None) => Action::Break { thing: Thing::Cover(cover) },
            (None, None, Some(hazard)) => Action::Break { thing: Thing::Hazard(hazard) },
            (target, None, None) => Action::Attack { target, part: part(act.part.unwrap_or_default()) },
            _ => return Err(Reason::BadFields),
        },
        ActionKind::Defend => Action::Defend,
        ActionKind::Ability => use_of(false),
        ActionKind::ItemUse => use_of(true),
        ActionKind::Move => {
            let to = place.ok_or(Reason::NeedsPlace)?;
            let facing = act.f.map(tiltyard_protocol::client::Degrees::get);
            let velocity = Velocity::new(act.vx.unwrap_or_default(), act.vy.unwrap_or_default());
            if facing.is_none() && velocity.is_zero() {
                Action::Move { to }
            } else {
                Action::Walk { to, facing, velocity }
            }
        }
    })
}

const fn part(part: tiltyard_protocol::BodyPart) -> BodyPart {
    match part {
        tiltyard_protocol::BodyPart::Head => BodyPart::Head,
        tiltyard_protocol::BodyPart::Torso => BodyPart::Torso,
        tiltyard_protocol::BodyPart::Limb => BodyPart::Limb,
    }
}
