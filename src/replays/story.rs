//! A fight told again: every event of it with its time, for readers who may know all of it or only a part.

use serde_json::Value;
use tiltyard_combat::replay::{Cut, Played};
use tiltyard_combat::{Audience, Event, Flag, Millis, Ruleset, Slot};

use crate::shard::event_of;

/// Who is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

    /// Of what happens after so much has happened.
    pub const fn after(reader: Reader, happened: u64) -> Self {
        Self { reader, no: happened }
    }

    /// How much happened in a step, whoever may know.
    pub fn count(played: &Played<'_>) -> u64 {
        (played.step.events().len() + played.step.flags().len()) as u64
    }

    /// Number of the last happening, told or not.
    pub const fn happened(&self) -> u64 {
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
