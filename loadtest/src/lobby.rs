//! The sessions of a run and who sits in them, before anybody is connected.

use std::ops::Range;

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tiltyard_protocol::Encoding;
use uuid::Uuid;

use crate::procfs;
use crate::rest::{Base, Rest};

/// The most connections one run opens, within 20,000 descriptors.
const CONNECTIONS_MAX: usize = 18_000;

/// Who is measured.
#[derive(Debug, Clone)]
pub enum Peer {
    /// A Tiltyard server, with the token that may create sessions and mint tickets.
    Tiltyard { token: String, encoding: Encoding },
    /// The bare loop: no REST, no tickets, no acks.
    Bare,
}

/// Sessions with empty seats.
#[derive(Debug)]
pub struct Lobby {
    base: Base,
    /// Another node, at which every second seat's socket is opened.
    other: Option<Base>,
    players: usize,
    sessions: Vec<Uuid>,
    /// What its sockets speak.
    encoding: Encoding,
    /// Absent for the bare loop, which knows a seat by its number.
    desk: Option<Desk>,
}

/// Where tickets come from.
#[derive(Debug)]
struct Desk {
    rest: Rest,
    rosters: Vec<Vec<Uuid>>,
}

impl Lobby {
    /// Creates `sessions` sessions of `players` players each.
    pub fn create(base: &Base, peer: &Peer, sessions: usize, players: usize) -> Result<Self> {
        let seats = sessions * players;
        ensure!(seats <= CONNECTIONS_MAX, "{seats} connections are more than the {CONNECTIONS_MAX} one harness opens");
        let descriptors = procfs::descriptors_max().context("read the limit of descriptors")?;
        ensure!(
            seats + 100 <= descriptors,
            "{seats} connections do not fit in {descriptors} descriptors: see `ulimit -n`"
        );
        let Peer::Tiltyard { token, encoding } = peer else {
            let sessions = (0..sessions).map(bare_session).collect();
            return Ok(Self {
                base: base.clone(),
                other: None,
                players,
                sessions,
                encoding: Encoding::Json,
                desk: None,
            });
        };
        // Nobody falls and nothing is throttled, so that every action has the same work to do; the countdown is longer
        // than any setup, so that a fight starts when its players say so.
        let rules = json!({ "health": 1_000_000_000, "attack_interval_ms": 0, "actions_per_second": 0, "preparation_ms": 60_000 });
        Ok(Self { encoding: *encoding, ..Self::by_rules(base, token, sessions, (players, 0), &rules)? })
    }

    /// Creates sessions under `rules` with `players` seats each to connect, and behind these `spare` seats that are left empty.
    pub fn by_rules(
        base: &Base,
        token: &str,
        sessions: usize,
        (players, spare): (usize, usize),
        rules: &serde_json::Value,
    ) -> Result<Self> {
        let mut rest = Rest::connect(base, token)?;
        let roster = |_| (0..players + spare).map(|_| Uuid::new_v4()).collect();
        let rosters: Vec<Vec<Uuid>> = (0..sessions).map(roster).collect();
        let sessions = rest.create_sessions(&rosters, rules).context("create the sessions")?;
        let desk = Some(Desk { rest, rosters });
        Ok(Self { base: base.clone(), other: None, players, sessions, encoding: Encoding::Json, desk })
    }

    /// What its sockets speak.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The same with the sockets of every second seat of a session at `other`, where that is one.
    pub fn beside(self, other: Option<Base>) -> Self {
        Self { other, ..self }
    }

    /// Whether a seat's socket is at another node than its session.
    pub const fn is_away(&self, seat: usize) -> bool {
        self.other.is_some() && seat % self.players % 2 == 1
    }

    /// Where a seat's socket is opened.
    pub fn base(&self, seat: usize) -> &Base {
        self.other.as_ref().filter(|_| self.is_away(seat)).unwrap_or(&self.base)
    }

    pub const fn players(&self) -> usize {
        self.players
    }

    pub fn sessions(&self) -> &[Uuid] {
        &self.sessions
    }

    /// Who has a seat; nobody is known by the bare loop.
    pub fn player(&self, session: usize, slot: usize) -> Option<Uuid> {
        self.desk.as_ref()?.rosters.get(session)?.get(slot).copied()
    }

    /// All of them: session by session, slot by slot.
    pub fn seats(&self) -> usize {
        self.sessions.len() * self.players
    }

    /// Whether the server acknowledges actions and starts a fight when its players are ready.
    pub const fn answers(&self) -> bool {
        self.desk.is_some()
    }

    /// The paths at which the sockets of `seats` are opened. Those of a Tiltyard are good for one use and half a minute.
    pub fn paths(&mut self, seats: Range<usize>) -> Result<Vec<String>> {
        self.paths_of(seats)
    }

    /// The same for any seats.
    pub fn paths_of(&mut self, seats: impl Iterator<Item = usize>) -> Result<Vec<String>> {
        let (players, sessions) = (self.players, &self.sessions);
        let place = |seat: usize| (seat / players, seat % players);
        let Some(Desk { rest, rosters }) = &mut self.desk else {
            let path = |(session, slot)| format!("/ws?bare={session}&slot={slot}&players={players}");
            return Ok(seats.map(place).map(path).collect());
        };
        let seats: Vec<usize> = seats.collect();
        let pairs = seats.iter().copied().map(place).map(|(session, slot)| (sessions[session], rosters[session][slot]));
        let tickets = rest.tickets(pairs).context("mint tickets")?;
        let path = |(seat, ticket)| format!("{}/ws?ticket={ticket}", self.base(seat).prefix);
        Ok(seats.into_iter().zip(tickets).map(path).collect())
    }
}

/// The id of the bare loop's session of this number; its handle, the low 32 bits, is never 0.
pub fn bare_session(index: usize) -> Uuid {
    Uuid::from_u128(index as u128 + 1)
}
