//! The one loop: waits for sockets or for the next action that is due, and lets the crowd deal with it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::{Events, Poll, Token};

use crate::clock::{Clock, SECOND};
use crate::connect::{self, interrupted};
use crate::crowd::Crowd;
use crate::lobby::Lobby;
use crate::number::{float, whole};
use crate::player::Player;
use crate::rng::Rng;
use crate::schedule::Schedule;
use crate::sys::Alarm;

const ALARM: Token = Token(usize::MAX);

/// Sockets dealt with per wait: all that are ever ready, so that a turn gathers what it can.
const EVENTS_MAX: usize = 8192;

/// Due actions sent before sockets are read again, so that a harness that is late still reads.
const SENDS_MAX: usize = 256;

/// The longest that joining, and starting the fights, may take.
const STEP_TIME_MAX: Duration = Duration::from_mins(1);

/// An action's send time is kept until this many seconds' worth of later ones were sent.
const REMEMBERED_SECONDS: f64 = 10.0;

/// How often players act.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Load {
    /// This many times a second each, whatever the server does.
    Rate(f64),
    /// Each as soon as its last action is answered.
    Saturate,
}

/// Who sends when.
#[derive(Debug)]
enum Pace {
    Still,
    Saturate,
    Open(Schedule),
}

/// The loop and everybody in it.
#[derive(Debug)]
pub struct Fleet {
    poll: Poll,
    events: Events,
    alarm: Alarm,
    pace: Pace,
    clock: Clock,
    rng: Rng,
    /// Whether it never sleeps while actions are on a schedule.
    spin: bool,
    /// Who may act at the end of a turn.
    acting: Vec<usize>,
    pub crowd: Crowd,
}

impl Fleet {
    /// Opens a socket for every seat of `lobby`.
    pub fn open(lobby: &mut Lobby, load: Option<Load>, clock: Clock, seed: u64) -> Result<Self> {
        let mut poll = Poll::new().context("create the poll")?;
        let alarm = Alarm::new(poll.registry(), ALARM).context("create the timer")?;
        let sockets = connect::open_all(&mut poll, lobby)?;
        let remembered = match load {
            Some(Load::Rate(rate)) => usize::try_from(whole(rate * REMEMBERED_SECONDS))?.clamp(64, 2048),
            Some(Load::Saturate) => 64,
            None => 1,
        };
        let crowd = Crowd::new(lobby, sockets, remembered, clock, Rng::new(seed));
        let events = Events::with_capacity(EVENTS_MAX);
        Ok(Self {
            poll,
            events,
            alarm,
            pace: Pace::Still,
            clock,
            rng: Rng::new(!seed),
            spin: false,
            acting: Vec::new(),
            crowd,
        })
    }

    /// Everybody joins and has a snapshot.
    pub fn join(&mut self) -> Result<()> {
        for index in 0..self.crowd.len() {
            self.crowd.join(index)?;
        }
        self.until("have their snapshot", Player::joined)
    }

    /// Everybody is ready and sees the fight begin.
    pub fn ready(&mut self) -> Result<()> {
        for index in 0..self.crowd.len() {
            self.crowd.ready(index)?;
        }
        self.until("see their fight begin", Player::fighting)
    }

    /// From now on players act. `spin` keeps a loop on a schedule awake between actions.
    pub fn start(&mut self, load: Load, spin: bool) {
        self.spin = spin;
        self.pace = match load {
            Load::Rate(rate) => Pace::Open(Schedule::new(self.crowd.len(), rate, self.clock.now(), &mut self.rng)),
            Load::Saturate => Pace::Saturate,
        };
        if load == Load::Saturate {
            for index in 0..self.crowd.len() {
                self.crowd.act(index, self.clock.now(), self.poll.registry());
            }
        }
    }

    /// From now on nobody acts any more.
    pub fn stop(&mut self) {
        self.pace = Pace::Still;
    }

    /// Sends what is due, waits `at_most` for something to happen, and deals with it.
    pub fn turn(&mut self, at_most: Duration) -> Result<()> {
        let wait = self.send_due(at_most)?;
        self.poll.poll(&mut self.events, Some(wait)).or_else(interrupted)?;
        let registry = self.poll.registry();
        for event in &self.events {
            if event.token() == ALARM {
                continue;
            }
            let index = event.token().0;
            self.crowd.receive(index, event.is_read_closed() || event.is_error(), registry);
            if event.is_writable() {
                self.crowd.writable(index, registry);
            }
        }
        if matches!(self.pace, Pace::Saturate) {
            // Only when all have been read, and session by session, so that the server finds the actions of one session
            // together and answers them with one write. Saturated, each on a core, the bare loop delivered 278k deltas a
            // second when each player acted as soon as it was read, 311-363k with this.
            self.acting.clear();
            self.acting.extend(self.events.iter().map(|event| event.token().0).filter(|&index| index != ALARM.0));
            self.acting.sort_unstable();
            for &index in &self.acting {
                if self.crowd.may_act(index) {
                    self.crowd.act(index, self.clock.now(), registry);
                }
            }
        }
        Ok(())
    }

    /// How long to wait: not at all while actions are due or the loop spins, else until the alarm for the next one.
    fn send_due(&mut self, at_most: Duration) -> Result<Duration> {
        let Pace::Open(schedule) = &mut self.pace else { return Ok(at_most) };
        let mut now = self.clock.now();
        for _ in 0..SENDS_MAX {
            let Some((player, due)) = schedule.take(now) else {
                if self.spin {
                    return Ok(Duration::ZERO);
                }
                self.alarm.set(schedule.due(), now)?;
                return Ok(at_most);
            };
            let tally = &mut self.crowd.tally;
            crate::tally::Tally::time(&tally.window, &mut tally.late, due, now);
            self.crowd.act(player, due, self.poll.registry());
            now = self.clock.now();
        }
        Ok(Duration::ZERO)
    }

    fn until(&mut self, what: &str, is: impl Fn(&Player) -> bool) -> Result<()> {
        let deadline = Instant::now() + STEP_TIME_MAX;
        let all = self.crowd.len();
        loop {
            let there = self.crowd.count(&is);
            if there == all {
                return Ok(());
            }
            if self.crowd.tally.counts.closed > 0 || Instant::now() > deadline {
                bail!("{there} of {all} players {what}; {}", self.crowd.tally.troubles.join("; "));
            }
            self.turn(Duration::from_millis(100))?;
        }
    }

    /// Seconds of the clock as its nanoseconds.
    pub fn after(&self, seconds: f64) -> u64 {
        self.clock.now() + whole(seconds * float(SECOND))
    }
}
