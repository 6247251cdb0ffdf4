//! What is said of an event of a fight, over a socket and by name.

use serde_json::Value;
use tiltyard_combat::{Arrival, Event, Parting, Ruleset, Thing};
use tiltyard_protocol::server::{self as wire, EventKind, PresenceWhy};

/// The team of those who are on nobody's side: no participant's, for there are at most 128 of these.
pub const NOBODY: u8 = u8::MAX;

/// An event as everybody sees it who may see all of it.
pub fn event_of(event: Event) -> wire::Event {
    let of = |kind| wire::Event::new(kind);
    let by_of = |kind, by| wire::Event { by: Some(by), ..of(kind) };
    let both_of = |kind, by, to| wire::Event { to: Some(to), ..by_of(kind, by) };
    let thing_of = |thing, event| match thing {
        Thing::Cover(cover) => wire::Event { c: Some(cover), ..event },
        Thing::Hazard(hazard) => wire::Event { z: Some(hazard), ..event },
    };
    match event {
        Event::Hit { by, to, damage, absorbed, critical, guarded, reaction, ability } => wire::Event {
            n: Some(damage),
            abs: (absorbed > 0).then_some(absorbed),
            crit: critical,
            guarded,
            react: reaction,
            a: ability,
            ..both_of(EventKind::Hit, by, to)
        },
        Event::Missed { by, to } => both_of(EventKind::Missed, by, to),
        Event::Suffered { by, to, effect, damage } => {
            wire::Event { n: Some(damage), e: Some(effect), ..both_of(EventKind::Suffered, by, to) }
        }
        Event::Burned { to, hazard, damage } => {
            wire::Event { to: Some(to), z: Some(hazard), n: Some(damage), ..of(EventKind::Burned) }
        }
        Event::Healed { by, to, points } => wire::Event { n: Some(points), ..both_of(EventKind::Healed, by, to) },
        Event::Guard { by } => by_of(EventKind::Guard, by),
        Event::Casting { by, ability, until } => {
            wire::Event { a: Some(ability), until: Some(until), ..by_of(EventKind::Casting, by) }
        }
        Event::Broken { by, ability } => wire::Event { a: Some(ability), ..by_of(EventKind::Broken, by) },
        Event::Used { by, ability, to } => wire::Event { a: Some(ability), to, ..by_of(EventKind::Used, by) },
        Event::Affected { by, to, effect, stacks } => {
            wire::Event { e: Some(effect), st: Some(stacks), ..both_of(EventKind::Affected, by, to) }
        }
        Event::Faded { to, effect } => wire::Event { to: Some(to), e: Some(effect), ..of(EventKind::Faded) },
        Event::Struck { by, thing, damage } => {
            thing_of(thing, wire::Event { n: Some(damage), ..by_of(EventKind::Struck, by) })
        }
        Event::Destroyed { by, thing } => thing_of(thing, by_of(EventKind::Destroyed, by)),
        Event::Eliminated { by, to } => both_of(EventKind::Eliminated, by, to),
        Event::Perished { to } => wire::Event { to: Some(to), ..of(EventKind::Perished) },
        Event::Revived { by, to } => both_of(EventKind::Revived, by, to),
        Event::Seated { by } => by_of(EventKind::Seated, by),
        Event::Spawned { by, enemy } => wire::Event { enemy: Some(enemy), ..by_of(EventKind::Spawned, by) },
        Event::Enraged { by, phase } => wire::Event { st: Some(phase), ..by_of(EventKind::Enraged, by) },
        Event::Ready { by } => by_of(EventKind::Ready, by),
        Event::Connected { by } => by_of(EventKind::Connected, by),
        Event::Disconnected { by } => by_of(EventKind::Disconnected, by),
        Event::Came { by, why } => wire::Event { why: Some(arrival(why)), ..by_of(EventKind::Connected, by) },
        Event::Went { by, why } => wire::Event { why: Some(parting(why)), ..by_of(EventKind::Disconnected, by) },
        Event::Forfeited { by } => by_of(EventKind::Forfeited, by),
        Event::Turn { by } => by_of(EventKind::Turn, by),
        Event::Round { no, team } => wire::Event { st: Some(no), team, ..of(EventKind::Round) },
        Event::Phase => of(EventKind::Phase),
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
    put("why", wire.why.map(|why| why.name().into()));
    details
}

const fn arrival(why: Arrival) -> PresenceWhy {
    match why {
        Arrival::Joined => PresenceWhy::Joined,
        Arrival::Returned => PresenceWhy::Returned,
        Arrival::Replaced => PresenceWhy::Replaced,
    }
}

const fn parting(why: Parting) -> PresenceWhy {
    match why {
        Parting::Lost => PresenceWhy::Lost,
        Parting::Left => PresenceWhy::Left,
    }
}
