//! A fight told again: every event of it with its time, for readers who may know all of it or only a part.

use crate::session::words::details;
use serde_json::Value;
use tiltyard_combat::replay::{Cut, Played};
use tiltyard_combat::{Audience, Event, Flag, Millis, Participant, Slot};

use crate::session::NOBODY;
use crate::session::words::event_of;

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reader {
    /// Somebody who may know everything, also what fair play noticed.
    All,
    /// Players, of what is over.
    Players,
    /// Players of a team, while it goes on.
    Side(u8),
}

impl Reader {
    const fn audience(self) -> Audience {
        match self {
            Self::All | Self::Players => Audience::All,
            Self::Side(team) => Audience::Team(team),
        }
    }

    const fn hears_flags(self) -> bool {
        matches!(self, Self::All)
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// Counts from 1 what the reader is told: a number that counted more would say how much is kept from it.
    pub no: u64,
    /// Session time.
    pub at: Millis,
    /// Unix milliseconds.
    pub unix_ms: u64,
    /// The event's name, as over a socket; `flagged` for what fair play noticed.
    pub name: &'static str,
    pub by: Option<Slot>,
    pub to: Option<Slot>,
    /// Everything else, by name.
    pub details: Vec<(&'static str, Value)>,
}

impl Happening {
    /// Bytes that it takes, about.
    pub fn bytes(&self) -> usize {
        let text = |value: &Value| value.as_str().map_or(0, str::len);
        let details = self.details.iter().map(|(_, value)| size_of::<(&str, Value)>() + text(value));
        size_of::<Self>() + details.sum::<usize>()
    }
}

/// Happenings of a fight, newest first.
#[derive(Debug, Default)]
pub struct Page {
    pub happenings: Vec<Happening>,
    /// Older ones are left out.
    pub more: bool,
    /// Everybody's player, by slot.
    pub players: Vec<u128>,
}

/// How much has happened that each reader is told of.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    events: u64,
    flags: u64,
    /// Where there is fog, by team, those who are on nobody's side first.
    sides: Vec<(u8, u64)>,
}

impl Tally {
    /// Adds what happened in a step.
    pub fn add(&mut self, played: &Played<'_>) {
        let (fight, step) = (played.fight, played.step);
        self.events += step.events().len() as u64;
        self.flags += step.flags().len() as u64;
        if fight.rules().sight_cm == 0 || step.events().is_empty() {
            return;
        }
        for team in std::iter::once(NOBODY).chain(fight.participants().iter().map(Participant::team)) {
            if self.sides.iter().all(|&(side, _)| side != team) {
                // Until somebody is on it, a side is told what nobody's is.
                let before = self.sides.first().map_or(0, |&(_, told)| told);
                self.sides.push((team, before));
            }
        }
        for (team, told) in &mut self.sides {
            let hears = |event: &&Event| fight.named(step, Audience::Team(*team), event).is_some();
            *told += step.events().iter().filter(hears).count() as u64;
        }
    }

    /// How much of it `reader` is told.
    pub fn told(&self, reader: Reader) -> u64 {
        match reader {
            Reader::All => self.events + self.flags,
            Reader::Players => self.events,
            Reader::Side(team) => {
                let side = self.sides.iter().find(|&&(side, _)| side == team).or(self.sides.first());
                side.map_or(self.events, |&(_, told)| told)
            }
        }
    }

    /// Bytes that it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.sides)
    }
}

/// Turns steps into happenings.
#[derive(Debug)]
pub struct Teller {
    reader: Reader,
    no: u64,
}

impl Teller {
    pub const fn new(reader: Reader) -> Self {
        Self::after(reader, 0)
    }

    /// Of what happens after the reader was told so much.
    pub const fn after(reader: Reader, told: u64) -> Self {
        Self { reader, no: told }
    }

    /// Number of the last happening that was told.
    pub const fn told(&self) -> u64 {
        self.no
    }

    /// What stands at the end of a tape that was cut, for everybody.
    pub fn cut(&mut self, cut: Cut, unix_ms: u64) -> Happening {
        self.no += 1;
        Happening {
            no: self.no,
            at: cut.at,
            unix_ms,
            name: "recording_ended",
            by: None,
            to: None,
            details: vec![("reason", cut.loss.name().into())],
        }
    }

    /// What happened in a step, as far as the reader may know.
    pub fn tell(&mut self, played: &Played<'_>, mut hear: impl FnMut(Happening)) {
        let (fight, step) = (played.fight, played.step);
        for event in step.events() {
            let Some(named) = fight.named(step, self.reader.audience(), event) else { continue };
            self.no += 1;
            let (by, to) = event.of();
            hear(Happening {
                no: self.no,
                at: fight.now(),
                unix_ms: played.unix_ms,
                name: event_of(*event).k.name(),
                by: by.filter(|_| named.by),
                to: to.filter(|_| named.to),
                details: details(*event, fight.ruleset),
            });
        }
        for &(slot, flag) in step.flags() {
            if self.reader.hears_flags() {
                self.no += 1;
                hear(self.flagged(played, slot, flag));
            }
        }
    }

    fn flagged(&self, played: &Played<'_>, slot: Slot, flag: Flag) -> Happening {
        Happening {
            no: self.no,
            at: played.fight.now(),
            unix_ms: played.unix_ms,
            name: "flagged",
            by: Some(slot),
            to: None,
            details: vec![("flag", flag.name().into())],
        }
    }
}
