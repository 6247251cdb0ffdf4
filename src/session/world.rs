//! What is around the participants of a fight, and what happened last: by the ruleset's numbers, as a shard hands it out, for
//! naming things is not the shard's work; or by name, as REST and the store want it, so that neither needs the
//! ruleset.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::{Map, Value};
use tiltyard_combat::ruleset::{CoverKind, EffectId};
use tiltyard_combat::{Event, Point, Ruleset};
use uuid::Uuid;

use crate::session::words::details;

/// Either form; [`World::named`] is the same for both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum World {
    Numbered(Numbered),
    Named(Named),
}

/// By the ruleset's numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbered {
    pub ruleset: Arc<Ruleset>,
    /// Health of each cover.
    pub covers: Vec<u32>,
    /// Health of each hazard, and whether it is gone.
    pub hazards: Vec<(u32, bool)>,
    pub modifiers: Vec<EffectId>,
    /// Team and rounds won.
    pub wins: Vec<(u8, u8)>,
    /// Whose turn it is.
    pub turn: Option<Uuid>,
    /// The newest that the viewer may know of, oldest first; bounded.
    pub events: Vec<EventInfo>,
}

/// An event with those whom it names to the viewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventInfo {
    pub at: SystemTime,
    pub event: Event,
    pub by: Option<Uuid>,
    pub to: Option<Uuid>,
}

/// By name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Named {
    /// `None` for a fight that was kept before the store was told of it.
    pub environment: Option<Environment>,
    /// Oldest first.
    pub events: Vec<EventWords>,
}

/// The arena and what still stands of it. Lengths in centimetres.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    pub name: String,
    pub width_cm: u32,
    pub height_cm: u32,
    pub covers: Vec<Cover>,
    pub hazards: Vec<Hazard>,
    pub modifiers: Vec<String>,
    /// Team and rounds won.
    pub wins: Vec<(u8, u8)>,
    pub turn: Option<Uuid>,
}

/// A cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cover {
    pub name: String,
    pub kind: Cow<'static, str>,
    pub at: Point,
    pub width_cm: u32,
    pub height_cm: u32,
    /// Health that is left; `None` for one that cannot be destroyed.
    pub health: Option<u32>,
}

/// A hazard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hazard {
    pub name: String,
    pub at: Point,
    /// `None` for one that is everywhere.
    pub radius_cm: Option<u32>,
    /// What it still takes to set it off; `None` for one that nothing does.
    pub health: Option<u32>,
    pub gone: bool,
}

/// An event in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventWords {
    pub at: SystemTime,
    pub kind: Cow<'static, str>,
    pub by: Option<Uuid>,
    pub to: Option<Uuid>,
    /// Everything else, by name.
    pub details: Map<String, Value>,
}

impl World {
    /// With names.
    pub fn named(&self) -> Cow<'_, Named> {
        match self {
            Self::Numbered(numbered) => Cow::Owned(numbered.named()),
            Self::Named(named) => Cow::Borrowed(named),
        }
    }

    /// Bytes it takes, about; a ruleset is shared by all its fights.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Numbered(numbered) => {
                std::mem::size_of_val(&*numbered.covers)
                    + std::mem::size_of_val(&*numbered.hazards)
                    + numbered.modifiers.len()
                    + std::mem::size_of_val(&*numbered.events)
            }
            Self::Named(named) => named.bytes(),
        }
    }

    /// The ruleset of a fight that a shard has.
    pub fn ruleset(&self) -> Option<&Arc<Ruleset>> {
        match self {
            Self::Numbered(numbered) => Some(&numbered.ruleset),
            Self::Named(_) => None,
        }
    }
}

/// A detail of an event: its name, its value, and what a map needs for them, about.
const DETAIL_BYTES: usize = 64;

impl Named {
    fn bytes(&self) -> usize {
        let details: usize = self.events.iter().map(|told| told.details.len()).sum();
        let environment = self.environment.as_ref().map_or(0, |environment| {
            let covers = environment.covers.iter().map(|cover| cover.name.len() + std::mem::size_of::<Cover>());
            let hazards = environment.hazards.iter().map(|hazard| hazard.name.len() + std::mem::size_of::<Hazard>());
            let modifiers = environment.modifiers.iter().map(|name| name.len() + std::mem::size_of::<String>());
            environment.name.len() + covers.chain(hazards).chain(modifiers).sum::<usize>()
        });
        std::mem::size_of_val(&*self.events) + details * DETAIL_BYTES + environment
    }

    #[must_use]
    pub fn without_events(self) -> Self {
        Self { events: Vec::new(), ..self }
    }
}

impl Numbered {
    fn named(&self) -> Named {
        let told = |info: &EventInfo| EventWords::of(info.at, info.event, (info.by, info.to), &self.ruleset);
        Named { environment: Some(self.environment()), events: self.events.iter().map(told).collect() }
    }

    fn environment(&self) -> Environment {
        let environment = &self.ruleset.environment;
        let covers = environment.covers.iter().zip(&self.covers).map(|(cover, &health)| Cover {
            name: cover.name.clone(),
            kind: Cow::Borrowed(match cover.kind {
                CoverKind::Soft => "soft",
                CoverKind::Hard => "hard",
                CoverKind::Wall => "wall",
            }),
            at: cover.at,
            width_cm: cover.width_cm,
            height_cm: cover.height_cm,
            health: (cover.health > 0).then_some(health),
        });
        let hazards = environment.hazards.iter().zip(&self.hazards).map(|(hazard, &(health, gone))| Hazard {
            name: hazard.name.clone(),
            at: hazard.at,
            radius_cm: (hazard.radius_cm > 0).then_some(hazard.radius_cm),
            health: (hazard.health > 0).then_some(health),
            gone,
        });
        Environment {
            name: environment.name.clone(),
            width_cm: environment.width_cm,
            height_cm: environment.height_cm,
            covers: covers.collect(),
            hazards: hazards.collect(),
            modifiers: self.modifiers.iter().map(|&effect| self.ruleset.effect(effect).name.clone()).collect(),
            wins: self.wins.clone(),
            turn: self.turn,
        }
    }
}

impl EventWords {
    /// An event in the words of its ruleset, with those whom it names.
    pub fn of(at: SystemTime, event: Event, (by, to): (Option<Uuid>, Option<Uuid>), ruleset: &Ruleset) -> Self {
        let details = details(event, ruleset).into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { at, kind: Cow::Borrowed(crate::session::words::event_of(event).k.name()), by, to, details }
    }
}
