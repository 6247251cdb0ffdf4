//! A fight told again: every event of it with its time, for readers who may know all of it or only a part.

use std::collections::VecDeque;
use std::sync::Arc;

use serde_json::Value;
use tiltyard_combat::replay::{Mismatch, Played, Replay};
use tiltyard_combat::{Audience, Event, Flag, Millis, Ruleset, Slot};

use crate::shard::event_of;

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    pub audience: Audience,
    /// Also what fair play noticed.
    pub flags: bool,
}

impl Reader {
    /// Somebody who may know everything.
    pub const ALL: Self = Self { audience: Audience::All, flags: true };
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

/// Happenings of a fight, newest first.
#[derive(Debug, Default)]
pub struct Page {
    pub happenings: Vec<Happening>,
    /// Older ones are left out.
    pub more: bool,
    /// Everybody's player, by slot.
    pub players: Vec<u128>,
}

/// The newest `limit` happenings before number `before`.
pub fn page(
    replay: &Replay,
    ruleset: Arc<Ruleset>,
    reader: Reader,
    before: u64,
    limit: usize,
) -> Result<Page, Mismatch> {
    let mut kept = VecDeque::with_capacity(limit + 1);
    let mut players = Vec::new();
    let mut teller = Teller::new(reader);
    replay.play(ruleset, |played| {
        let participants = played.fight.participants();
        players.extend(participants.iter().skip(players.len()).map(tiltyard_combat::Participant::player));
        teller.tell(played, |happening| {
            if happening.no < before {
                if kept.len() > limit {
                    kept.pop_front();
                }
                kept.push_back(happening);
            }
        });
    })?;
    let more = kept.len() > limit;
    let happenings = kept.into_iter().rev().take(limit).collect();
    Ok(Page { happenings, more, players })
}

/// Turns steps into happenings.
#[derive(Debug)]
pub struct Teller {
    reader: Reader,
    no: u64,
}

impl Teller {
    pub const fn new(reader: Reader) -> Self {
        Self { reader, no: 0 }
    }

    /// What happened in a step, as far as the reader may know.
    pub fn tell(&mut self, played: &Played<'_>, mut hear: impl FnMut(Happening)) {
        let (fight, step) = (played.fight, played.step);
        for event in step.events() {
            let Some(named) = fight.named(step, self.reader.audience, event) else { continue };
            self.no += 1;
            let (by, to) = event.of();
            hear(Happening {
                no: self.no,
                at: fight.now(),
                unix_ms: played.unix_ms,
                name: event_of(*event).k.name(),
                by: by.filter(|_| named.by),
                to: to.filter(|_| named.to),
                details: details(*event, fight.ruleset()),
            });
        }
        for &(slot, flag) in step.flags() {
            if self.reader.flags {
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

/// What an event says beside who did it to whom, with names in place of numbers of the ruleset.
pub fn details(event: Event, ruleset: &Ruleset) -> Vec<(&'static str, Value)> {
    let wire = event_of(event);
    let mut details: Vec<(&'static str, Value)> = Vec::new();
    let mut put = |name, value: Option<Value>| details.extend(value.map(|value| (name, value)));
    put(if matches!(event, Event::Healed { .. }) { "health" } else { "damage" }, wire.n.map(Value::from));
    if let Event::Hit { critical, guarded, .. } = event {
        put("critical", Some(critical.into()));
        put("guarded", Some(guarded.into()));
    }
    put("absorbed", wire.abs.map(Value::from));
    put("reaction", wire.react.then_some(true.into()));
    put("ability", wire.a.and_then(|id| ruleset.ability(id)).map(|ability| ability.name.clone().into()));
    let effect = |id: u8| ruleset.effects.get(usize::from(id)).map(|effect| effect.name.clone().into());
    put("effect", wire.e.and_then(effect));
    let cover = |place: u8| ruleset.environment.covers.get(usize::from(place)).map(|cover| cover.name.clone().into());
    put("cover", wire.c.and_then(cover));
    let hazard =
        |place: u8| ruleset.environment.hazards.get(usize::from(place)).map(|hazard| hazard.name.clone().into());
    put("hazard", wire.z.and_then(hazard));
    let enemy = |id: u8| ruleset.enemies.get(usize::from(id)).map(|enemy| enemy.name.clone().into());
    put("enemy", wire.enemy.and_then(enemy));
    let counted = match event {
        Event::Enraged { .. } => "phase",
        Event::Round { .. } => "round",
        _ => "stacks",
    };
    put(counted, wire.st.map(Value::from));
    put("team", wire.team.map(Value::from));
    put("until_ms", wire.until.map(Value::from));
    details
}
