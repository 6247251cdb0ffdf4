//! A session that the player is in, as its connection sees it: what it says to join, and what it makes of messages.

use std::collections::VecDeque;

use tiltyard_protocol::client::Join;
use tiltyard_protocol::room::SessionType;
use tiltyard_protocol::server::ErrorNotice;
use tiltyard_protocol::{ClientMessage, ServerMessage};
use tokio::time::Instant;
use uuid::Uuid;

use crate::clock::ServerClock;
use crate::{Closing, Fight, Pulse, Room, Status, Told};

/// A type of session that can be joined: [`Fight`], [`Room`] or [`Pulse`].
pub trait Kind: sealed::Kind {}

impl Kind for Fight {}
impl Kind for Room {}
impl Kind for Pulse {}

pub(crate) mod sealed {
    use crate::clock::ServerClock;
    use crate::{Fight, Pulse, Room};

    /// One session of whatever type.
    #[derive(Debug)]
    pub enum Any {
        Fight(Box<Fight>),
        Room(Room),
        Pulse(Pulse),
    }

    pub trait Kind: Sized {
        fn begin(clock: ServerClock) -> Any;
        fn of(any: &Any) -> Option<&Self>;
        fn of_mut(any: &mut Any) -> Option<&mut Self>;
    }

    impl Kind for Fight {
        fn begin(clock: ServerClock) -> Any {
            Any::Fight(Box::new(Self::new(clock)))
        }
        fn of(any: &Any) -> Option<&Self> {
            if let Any::Fight(fight) = any { Some(fight) } else { None }
        }
        fn of_mut(any: &mut Any) -> Option<&mut Self> {
            if let Any::Fight(fight) = any { Some(fight) } else { None }
        }
    }

    impl Kind for Room {
        fn begin(_clock: ServerClock) -> Any {
            Any::Room(Self::new())
        }
        fn of(any: &Any) -> Option<&Self> {
            if let Any::Room(room) = any { Some(room) } else { None }
        }
        fn of_mut(any: &mut Any) -> Option<&mut Self> {
            if let Any::Room(room) = any { Some(room) } else { None }
        }
    }

    impl Kind for Pulse {
        fn begin(clock: ServerClock) -> Any {
            Any::Pulse(Self::new(clock))
        }
        fn of(any: &Any) -> Option<&Self> {
            if let Any::Pulse(pulse) = any { Some(pulse) } else { None }
        }
        fn of_mut(any: &mut Any) -> Option<&mut Self> {
            if let Any::Pulse(pulse) = any { Some(pulse) } else { None }
        }
    }
}

use sealed::Any;

/// What comes of a message: what is told, and where the session then is.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub told: Vec<Told>,
    /// What is here is the server's, or is not any more.
    pub stands: Option<bool>,
    /// It must be joined again over the same connection.
    pub again: bool,
}

impl Effects {
    pub fn tell(&mut self, told: Told) {
        self.told.push(told);
    }
}

/// A session of a connection.
#[derive(Debug)]
pub(crate) struct Member {
    pub any: Any,
    /// Members of a connection come back in the order of this, which is that in which they were added.
    pub place: u64,
    pub status: Status,
    pub closing: Option<Closing>,
    /// What the session is called while it is joined.
    pub handle: Option<u32>,
    /// What is here is the server's.
    pub is_current: bool,
    pub joined_at: Option<Instant>,
}

impl Member {
    pub fn new(any: Any, place: u64) -> Self {
        Self { any, place, status: Status::Connecting, closing: None, handle: None, is_current: false, joined_at: None }
    }

    /// Whether a session of that type can be this one.
    pub fn is_of(&self, kind: SessionType) -> bool {
        matches!(
            (&self.any, kind),
            (Any::Fight(_), SessionType::Combat)
                | (Any::Room(_), SessionType::Custom)
                | (Any::Pulse(_), SessionType::Player)
        )
    }

    pub fn join(&self, session: Uuid) -> ClientMessage {
        ClientMessage::Join(match &self.any {
            Any::Fight(fight) => fight.join(session),
            Any::Room(_) | Any::Pulse(_) => Join::new(session),
        })
    }

    /// The server calls it `s` from now on.
    pub fn enter(&mut self, s: u32, now: Instant) {
        self.handle = Some(s);
        self.joined_at = Some(now);
        self.is_current = false;
        self.stand(false);
    }

    /// Takes a message of the session.
    pub fn receive(&mut self, message: ServerMessage, now: Instant) -> Effects {
        let mut effects = Effects::default();
        match &mut self.any {
            Any::Fight(fight) => fight.receive(message, self.is_current, &mut effects),
            Any::Room(room) => room.receive(message, self.is_current, &mut effects),
            Any::Pulse(pulse) => pulse.receive(message, now, &mut effects),
        }
        self.is_current = effects.stands.unwrap_or(self.is_current);
        self.stand(self.is_current);
        effects
    }

    /// An `error` that is not known to be another session's.
    pub fn notice(&self, notice: ErrorNotice) -> Told {
        let is_fight = matches!(self.any, Any::Fight(_));
        if is_fight && notice.reason == tiltyard_protocol::Reason::RolledBack {
            Told::RolledBack(notice)
        } else {
            Told::Error(notice)
        }
    }

    /// Out of the session, perhaps for a while: what was sent may not have arrived.
    pub fn out(&mut self) -> Vec<Told> {
        self.handle = None;
        self.is_current = false;
        self.stand(false);
        match &mut self.any {
            Any::Fight(fight) => {
                fight.lost();
                Vec::new()
            }
            Any::Room(room) => room.lost(),
            Any::Pulse(pulse) => pulse.lost(),
        }
    }

    /// Closed for good: no answer can come any more.
    pub fn end(&mut self) -> Vec<Told> {
        match &mut self.any {
            Any::Fight(fight) => fight.ended(),
            Any::Room(_) | Any::Pulse(_) => Vec::new(),
        }
    }

    /// What it wants to say.
    pub fn said(&mut self) -> &mut VecDeque<ClientMessage> {
        match &mut self.any {
            Any::Fight(fight) => &mut fight.said,
            Any::Room(room) => &mut room.requests.said,
            Any::Pulse(pulse) => &mut pulse.requests.said,
        }
    }

    /// The server's clock is known better.
    pub fn hear(&mut self, clock: ServerClock) {
        match &mut self.any {
            Any::Fight(fight) => fight.clock.server = clock,
            Any::Pulse(pulse) => pulse.clock = clock,
            Any::Room(_) => {}
        }
    }

    /// Whether the program may send something in it, under its handle.
    fn stand(&mut self, is_live: bool) {
        let handle = self.handle;
        match &mut self.any {
            Any::Fight(fight) => {
                fight.is_live = is_live;
                fight.handle = handle;
            }
            Any::Room(room) => room.requests.handle = handle,
            Any::Pulse(pulse) => pulse.requests.handle = handle,
        }
    }
}
