//! A session of one shard, a socket of another: what the two say to each other, and what the socket's connection knows of its sessions
//! elsewhere. [`super::near`] is the socket's side, [`super::far`] the session's.
//!
//! Everything names the connection and the session, and nothing the other side's places, so what comes for a session that has moved is
//! passed on as it is ([`super::follow`]). Each side says things in order, and a side that has no room for them is asked again: nobody waits
//! for anybody.

use std::collections::VecDeque;

use smallvec::SmallVec;
use tiltyard_protocol::room::{Beat, Patch, Relay};
use tiltyard_protocol::{Act, CloseCode, Encoding, Reason};
use uuid::Uuid;

use super::admission::Has;
use super::connection::ConnKey;

/// A connection, and the shard that has its socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Near {
    pub shard: usize,
    pub conn: ConnKey,
}

/// To the shard of a session, from one of the connections elsewhere.
#[derive(Debug)]
pub struct Forward {
    pub near: Near,
    pub session: Uuid,
    pub what: Forwarded,
}

/// What a connection says to a session elsewhere.
#[derive(Debug)]
pub enum Forwarded {
    /// It joins for the first time.
    Link {
        player: Uuid,
        encoding: Encoding,
        has: Has,
        /// The link's.
        no: u64,
    },
    /// It joins again.
    Join {
        has: Has,
    },
    Act(Act),
    /// An action of which only the id could be read, and what is wrong with it.
    BadAct {
        id: u64,
        wrong: String,
    },
    Ready,
    Concede,
    Patch(Patch),
    Relay(Relay),
    Beat(Beat),
    /// It asks for the session's time.
    Ping {
        n: u64,
    },
    Leave,
    /// The socket has taken so many bytes of what was delivered.
    Taken(u32),
    /// It has taken some, and the client does not read.
    Unread,
    /// The connection has nothing to do with the session any more, by the link of this number: it is gone, or it was told that this has ended.
    Lost(u64),
    /// By the link of this number nothing more comes by way of the shard that had the session before.
    Through(u64),
}

impl Forwarded {
    /// What is answered where it cannot be looked at for this reason; `None` where nobody waits for an answer to it alone.
    pub fn unheard(&self, reason: Reason) -> Option<Returned> {
        let id = match self {
            Self::Act(act) => act.id,
            Self::BadAct { id, .. }
            | Self::Patch(Patch { id, .. })
            | Self::Relay(Relay { id, .. })
            | Self::Beat(Beat { id, .. }) => *id,
            Self::Ready | Self::Concede => 0,
            Self::Ping { n } => return Some(Returned::Untimed { n: *n }),
            Self::Link { .. }
            | Self::Join { .. }
            | Self::Leave
            | Self::Taken(_)
            | Self::Unread
            | Self::Lost(_)
            | Self::Through(_) => return None,
        };
        Some(Returned::Unheard { id, reason })
    }
}

/// To the shard of a connection, from that of a session.
#[derive(Debug)]
pub struct Return {
    pub conn: ConnKey,
    pub session: Uuid,
    pub what: Returned,
}

/// What a session says to a connection elsewhere.
#[derive(Debug)]
pub enum Returned {
    /// It cannot join: there is nothing that belongs to it here.
    Refused(Reason),
    /// Its join has had its turn: what it says after that may come.
    Answered,
    /// It cannot join here: the session is another shard's now.
    Moved,
    /// The session is this shard's now, and what stands for the connection has come with it.
    Here(usize),
    /// All that was said by way of the shard that had the session before has come.
    Through,
    /// Whole frames, of turns that are kept.
    Bytes(Vec<u8>),
    /// Whether it may ask for more: not before it has taken what it asked for.
    Hear(bool),
    /// An action, or what else is answered by id 0, could not be looked at.
    Unheard { id: u64, reason: Reason },
    /// A ping could not: it is answered without the session's time.
    Untimed { n: u64 },
    /// It is in the session no more, and why, if that is more than that it left.
    Closed(Option<CloseCode>),
}

/// What a connection knows of its sessions elsewhere.
#[derive(Debug, Default)]
pub struct Links {
    all: SmallVec<[Link; 1]>,
    /// What was delivered and the socket has not taken, oldest first.
    handed: VecDeque<Handed>,
    /// Bytes that the socket has taken.
    taken: u64,
}

/// A session elsewhere.
#[derive(Debug)]
pub struct Link {
    pub session: Uuid,
    /// What the client calls it.
    pub handle: u32,
    /// Whom to ask.
    pub shard: usize,
    /// No other link of the shard has it: one session may be left and asked for again.
    pub no: u64,
    /// Where the session has gone: there it is asked as soon as all has come that was said by way of the shard before.
    pub next: Option<usize>,
    /// A join that has not had its turn, and what came with it.
    pub asked: Option<Has>,
    /// The client leaves.
    pub leaving: bool,
    /// The client has much of it to take, and may not ask for more.
    pub deaf: bool,
    /// Bytes that the socket has taken, and the session has not heard of.
    pub taken: u32,
    /// It has heard that the client does not read.
    pub unread: bool,
}

/// Bytes of a session in a socket's outbox.
#[derive(Debug)]
struct Handed {
    session: Uuid,
    count: u32,
    /// How many bytes the socket has taken when it has taken these.
    until: u64,
}

impl Link {
    /// A session that is asked for.
    pub fn asking(session: Uuid, handle: u32, (shard, no): (usize, u64), has: Has) -> Self {
        let (asked, next) = (Some(has), None);
        Self { session, handle, shard, no, next, asked, leaving: false, deaf: false, taken: 0, unread: false }
    }

    /// A session that the connection is in, and which has gone to another shard with what has this number there.
    pub fn gone(session: Uuid, handle: u32, to: (usize, u64)) -> Self {
        Self { asked: None, ..Self::asking(session, handle, to, Has::default()) }
    }

    /// How many things the connection waits for.
    pub fn waits(&self) -> u8 {
        u8::from(self.asked.is_some()) + u8::from(self.leaving) + u8::from(self.deaf) + u8::from(self.next.is_some())
    }
}

impl Links {
    /// Adds one.
    pub fn push(&mut self, link: Link) {
        self.all.push(link);
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.all.iter()
    }

    /// The one of a session.
    pub fn of(&mut self, session: Uuid) -> Option<&mut Link> {
        self.all.iter_mut().find(|link| link.session == session)
    }

    /// The one that the client calls `handle`.
    pub fn called(&mut self, handle: u32) -> Option<&mut Link> {
        self.all.iter_mut().find(|link| link.handle == handle)
    }

    /// Takes one out.
    pub fn remove(&mut self, session: Uuid) -> Option<Link> {
        let place = self.all.iter().position(|link| link.session == session)?;
        self.handed.retain(|handed| handed.session != session);
        Some(self.all.remove(place))
    }

    /// So many bytes of a session are the last of `waiting` that wait for the socket.
    pub fn handed(&mut self, session: Uuid, count: usize, waiting: usize) {
        if self.all.iter().any(|link| link.session == session) {
            let count = u32::try_from(count).unwrap_or(u32::MAX);
            self.handed.push_back(Handed { session, count, until: self.taken + waiting as u64 });
        }
    }

    /// The socket has taken so many bytes. Whether there is something to tell by that.
    pub fn took(&mut self, count: usize) -> bool {
        self.taken += count as u64;
        let mut is_news = false;
        while let Some(handed) = self.handed.pop_front_if(|handed| handed.until <= self.taken) {
            if let Some(link) = self.of(handed.session) {
                link.taken += handed.count;
                is_news = true;
            }
        }
        is_news
    }

    /// The next session that has not heard what the socket has taken: where it is, and how much. Where the client does not read, that is
    /// what there is to hear, once.
    pub fn untold(&self, is_unread: bool) -> Option<(usize, Uuid, u32)> {
        self.all
            .iter()
            .find(|link| link.taken > 0 && !(is_unread && link.unread))
            .map(|link| (link.shard, link.session, link.taken))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{Has, Link, Links};

    #[test]
    fn each_session_hears_of_its_own_bytes_when_the_socket_has_taken_the_last_of_them() {
        let (one, two) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut links = Links::default();
        links.push(Link::asking(one, 1, (5, 1), Has::default()));
        links.push(Link::asking(two, 2, (6, 2), Has::default()));
        // Ten bytes wait already, of which nobody wants to know.
        links.handed(one, 20, 30);
        links.handed(two, 5, 35);
        links.handed(one, 5, 50);
        assert!(!links.took(29) && links.untold(false).is_none());
        assert!(links.took(1));
        assert_eq!(links.untold(false), Some((5, one, 20)));
        assert!(links.took(20));
        assert_eq!(links.untold(false), Some((5, one, 25)), "together with what it has not heard of before");
        links.of(one).unwrap().taken = 0;
        assert_eq!(links.untold(false), Some((6, two, 5)));
        // Of one that is no more nobody hears.
        links.handed(two, 7, 7);
        assert_eq!(links.remove(two).map(|link| link.session), Some(two));
        links.handed(two, 7, 14);
        assert!(!links.took(14) && links.untold(false).is_none());
        assert!(links.remove(two).is_none() && links.len() == 1);
    }
}
