//! What changed, in bytes: encoded once per audience and encoding, framed once, copied to each recipient.

use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeStruct, Serializer};
use tiltyard_combat::{Event, Fields, Fight, Lifecycle, Participant, Slot, Step, Thing};
use tiltyard_protocol::server::{self as wire, EventKind, Outcome, Standing};
use tiltyard_protocol::view::{ParticipantView, RulesView, View, player_word};
use tiltyard_protocol::{Digest, Encoding, ServerMessage, Snapshot};
use uuid::Uuid;

use super::json;
use super::session::Session;
use crate::limits;
use crate::socket::frame::Framed;

/// Buffers for what is being encoded.
#[derive(Debug, Default)]
pub struct Publisher {
    json: Cached,
    msgpack: Cached,
    single: Framed,
}

/// A step's delta in one encoding, once somebody needed it.
#[derive(Debug, Default)]
struct Cached {
    framed: Framed,
    fresh: bool,
}

impl Publisher {
    /// Forgets the last step's delta.
    pub fn begin(&mut self) {
        self.json.fresh = false;
        self.msgpack.fresh = false;
    }

    /// The step's delta as a frame; encoded for the first recipient of each encoding.
    pub fn delta(&mut self, encoding: Encoding, session: &Session, step: &Step, by: Option<(Slot, u64)>) -> &[u8] {
        let cached = match encoding {
            Encoding::Json => &mut self.json,
            Encoding::MsgPack => &mut self.msgpack,
        };
        if !cached.fresh {
            let delta = DeltaOf { handle: session.handle(), fight: &session.fight, step, by };
            cached.framed.message(encoding, |out| delta.encode(encoding, out));
            cached.fresh = true;
        }
        cached.framed.bytes()
    }

    /// A message for one recipient as a frame.
    pub fn message(&mut self, encoding: Encoding, message: &ServerMessage) -> &[u8] {
        self.single.message(encoding, |out| encoding.encode(message, out))
    }
}

/// A delta that is encoded straight from the fight: the same bytes as [`wire::Delta`], without building one.
#[derive(Debug, Clone, Copy)]
pub struct DeltaOf<'a> {
    pub handle: u32,
    pub fight: &'a Fight,
    pub step: &'a Step,
    /// Slot and id of the action that caused it.
    pub by: Option<(Slot, u64)>,
}

impl DeltaOf<'_> {
    /// Appends the message.
    pub fn encode(&self, encoding: Encoding, out: &mut Vec<u8>) {
        match encoding {
            Encoding::Json => json::delta(self, out),
            Encoding::MsgPack => encoding.encode(self, out),
        }
    }

    /// The digest, where one is due: every so often, and whenever the phase changed.
    pub(super) fn digest(&self) -> Option<u32> {
        let due = self.fight.seq().is_multiple_of(limits::DIGEST_EVERY) || self.step.phase_changed();
        due.then(|| view_digest(self.fight))
    }
}

impl Serialize for DeltaOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut message = serializer.serialize_struct("ServerMessage", 2)?;
        message.serialize_field("t", "delta")?;
        message.serialize_field("d", &Body(self))?;
        message.end()
    }
}

struct Body<'a>(&'a DeltaOf<'a>);

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let DeltaOf { handle, fight, step, by } = *self.0;
        let digest = self.0.digest();
        let fields = 3
            + usize::from(by.is_some())
            + usize::from(!step.events().is_empty())
            + usize::from(!step.changed().is_empty())
            + usize::from(step.phase_changed())
            + usize::from(digest.is_some());
        let mut delta = serializer.serialize_struct("Delta", fields)?;
        delta.serialize_field("s", &handle)?;
        delta.serialize_field("q", &fight.seq())?;
        delta.serialize_field("at", &fight.now())?;
        if let Some(by) = by {
            delta.serialize_field("by", &by)?;
        }
        if !step.events().is_empty() {
            delta.serialize_field("ev", &Events(step.events()))?;
        }
        if !step.changed().is_empty() {
            delta.serialize_field("p", &Patches { fight, changed: step.changed() })?;
        }
        if step.phase_changed() {
            delta.serialize_field("ph", &phase_of(fight.lifecycle()))?;
        }
        if let Some(digest) = digest {
            delta.serialize_field("h", &digest)?;
        }
        delta.end()
    }
}

struct Events<'a>(&'a [Event]);

impl Serialize for Events<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut events = serializer.serialize_seq(Some(self.0.len()))?;
        for event in self.0 {
            events.serialize_element(&event_of(*event))?;
        }
        events.end()
    }
}

struct Patches<'a> {
    fight: &'a Fight,
    changed: &'a [(Slot, Fields)],
}

impl Serialize for Patches<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut patches = serializer.serialize_seq(Some(self.changed.len()))?;
        for &(slot, fields) in self.changed {
            let participant = &self.fight.participants()[usize::from(slot)];
            patches.serialize_element(&PatchOf { slot, participant, fields })?;
        }
        patches.end()
    }
}

struct PatchOf<'a> {
    slot: Slot,
    participant: &'a Participant,
    fields: Fields,
}

impl Serialize for PatchOf<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (p, has) = (self.participant, |fields| self.fields.has(fields));
        let seat = has(Fields::SEAT);
        let one_each = [Fields::STATUS, Fields::READY, Fields::HP, Fields::GUARD, Fields::SCORE];
        let length = 1
            + one_each.into_iter().filter(|&fields| has(fields)).count()
            + 2 * usize::from(has(Fields::STAMINA))
            + 2 * usize::from(seat);
        let mut patch = serializer.serialize_map(Some(length))?;
        patch.serialize_entry("i", &self.slot)?;
        if seat {
            patch.serialize_entry("player", &Uuid::from_u128(p.player()))?;
        }
        if has(Fields::STATUS) {
            patch.serialize_entry("status", &status_of(p.status()))?;
        }
        if has(Fields::READY) {
            patch.serialize_entry("ready", &p.is_ready())?;
        }
        if has(Fields::HP) {
            patch.serialize_entry("hp", &p.hp())?;
        }
        if seat {
            patch.serialize_entry("armor", &p.armor())?;
        }
        if has(Fields::STAMINA) {
            patch.serialize_entry("stamina", &p.stamina().milli())?;
            patch.serialize_entry("stamina_at", &p.stamina().at())?;
        }
        if has(Fields::GUARD) {
            patch.serialize_entry("guard_until", &p.guard_until())?;
        }
        if has(Fields::SCORE) {
            patch.serialize_entry("score", &p.score())?;
        }
        patch.end()
    }
}

/// The view everybody has of a fight.
pub fn view_of(fight: &Fight) -> View {
    let rules = fight.rules();
    View {
        phase: phase_of(fight.lifecycle()),
        seats: fight.seats(),
        participants: fight.participants().iter().map(participant_of).collect(),
        rules: RulesView {
            health: rules.health,
            stamina: rules.stamina,
            stamina_per_second: rules.stamina_per_second,
            attack_interval_ms: rules.attack_interval_ms,
            defend_cost: rules.defend_cost,
            defend_ms: rules.defend_ms,
            defend_cooldown_ms: rules.defend_cooldown_ms,
        },
    }
}

/// The digest of [`view_of`], without building one.
pub fn view_digest(fight: &Fight) -> u32 {
    let mut digest = Digest::new();
    phase_of(fight.lifecycle()).digest(&mut digest);
    digest.word(u32::from(fight.seats()));
    for p in fight.participants() {
        digest.word(player_word(Uuid::from_u128(p.player())));
        digest.word(status_of(p.status()).code());
        digest.word(u32::from(p.is_ready()));
        digest.word(p.hp());
        digest.word(p.armor());
        digest.word(p.stamina().milli());
        digest.wide(p.stamina().at());
        digest.wide(p.guard_until());
        digest.word(p.score());
    }
    digest.finish()
}

/// A session's snapshot at the shard's time `now`.
pub fn snapshot_of(session: &Session, now: u64) -> ServerMessage {
    let fight = &session.fight;
    let view = view_of(fight);
    let h = view.digest();
    ServerMessage::Snapshot(Snapshot { s: session.handle(), q: fight.seq(), at: session.session_time(now), view, h })
}

/// A session's result.
pub fn result_of(session: &Session) -> ServerMessage {
    let (fight, life) = (&session.fight, session.fight.lifecycle());
    let standing = |slot: Slot| {
        let p = &fight.participants()[usize::from(slot)];
        Standing {
            slot,
            player: Uuid::from_u128(p.player()),
            score: p.score(),
            eliminations: p.eliminations(),
            damage: p.damage(),
        }
    };
    ServerMessage::Result(Outcome {
        s: session.handle(),
        q: fight.seq(),
        reason: life.end().map_or(wire::EndReason::Terminated, end_of),
        winner: life.winner(),
        duration_ms: life.active_ms(fight.now()),
        standings: fight.standings().into_iter().map(standing).collect(),
    })
}

// Engine types to wire types, by hand: each may change without the other.

fn participant_of(p: &Participant) -> ParticipantView {
    ParticipantView {
        player: Uuid::from_u128(p.player()),
        status: status_of(p.status()),
        ready: p.is_ready(),
        hp: p.hp(),
        armor: p.armor(),
        stamina: p.stamina().milli(),
        stamina_at: p.stamina().at(),
        guard_until: p.guard_until(),
        score: p.score(),
    }
}

pub(super) fn phase_of(life: &Lifecycle) -> wire::Phase {
    use tiltyard_combat::{PhaseName, SessionStatus};
    wire::Phase {
        status: match life.status() {
            SessionStatus::Initializing => wire::SessionStatus::Initializing,
            SessionStatus::Active => wire::SessionStatus::Active,
            SessionStatus::Paused => wire::SessionStatus::Paused,
            SessionStatus::Completed => wire::SessionStatus::Completed,
            SessionStatus::Terminated => wire::SessionStatus::Terminated,
        },
        phase: match life.phase() {
            PhaseName::Preparation => wire::PhaseName::Preparation,
            PhaseName::Active => wire::PhaseName::Active,
            PhaseName::Cooldown => wire::PhaseName::Cooldown,
            PhaseName::Finished => wire::PhaseName::Finished,
        },
        until: life.until(),
        winner: life.winner(),
        end: life.end().map(end_of),
    }
}

pub(super) const fn status_of(status: tiltyard_combat::ParticipantStatus) -> wire::ParticipantStatus {
    use tiltyard_combat::ParticipantStatus;
    match status {
        ParticipantStatus::Active => wire::ParticipantStatus::Active,
        ParticipantStatus::Eliminated => wire::ParticipantStatus::Eliminated,
        ParticipantStatus::Disconnected => wire::ParticipantStatus::Disconnected,
    }
}

const fn end_of(end: tiltyard_combat::EndReason) -> wire::EndReason {
    use tiltyard_combat::EndReason;
    match end {
        EndReason::LastStanding => wire::EndReason::LastStanding,
        EndReason::TimeLimit => wire::EndReason::TimeLimit,
        EndReason::Forfeit => wire::EndReason::Forfeit,
        EndReason::Terminated => wire::EndReason::Terminated,
        EndReason::Completed => wire::EndReason::Completed,
        EndReason::Abandoned => wire::EndReason::Abandoned,
        EndReason::Failed => wire::EndReason::Failed,
        EndReason::ScoreLimit => wire::EndReason::ScoreLimit,
        EndReason::RoundsWon => wire::EndReason::RoundsWon,
        EndReason::Cleared => wire::EndReason::Cleared,
        EndReason::Survived => wire::EndReason::Survived,
        EndReason::Defeated => wire::EndReason::Defeated,
        EndReason::NotReady => wire::EndReason::NotReady,
    }
}

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
        Event::Forfeited { by } => by_of(EventKind::Forfeited, by),
        Event::Turn { by } => by_of(EventKind::Turn, by),
        Event::Round { no, team } => wire::Event { st: Some(no), team, ..of(EventKind::Round) },
        Event::Phase => of(EventKind::Phase),
    }
}

#[cfg(test)]
mod tests {
    use super::{DeltaOf, view_digest, view_of};
    use tiltyard_combat::{Action, BodyPart, Fight, Input, Rules, Step};
    use tiltyard_protocol::{Encoding, ServerMessage};

    /// A fight that goes through every kind of change, seen by a client in each encoding.
    #[test]
    fn a_client_that_applies_every_delta_has_the_servers_view() {
        for encoding in Encoding::ALL {
            let rules = Rules { attack_interval_ms: 0, ..Rules::default() };
            let mut fight = Fight::plain(rules, 3, &[11, 12], 7);
            let mut view = view_of(&fight);
            let (mut seq, mut time, mut id) = (0, 0, 0);
            let mut inputs = vec![Input::Connect { slot: 0 }, Input::Seat { player: 13 }, Input::Connect { slot: 2 }];
            inputs.extend((0..3).map(|slot| Input::Ready { slot }));
            inputs.extend([Input::Disconnect { slot: 2 }, Input::Connect { slot: 2 }, Input::Pause, Input::Resume]);
            for round in 0..40 {
                let slot = round % 3;
                id += 1;
                let action = if round % 7 == 0 {
                    Action::Defend
                } else {
                    Action::Attack { target: Some((slot + 1) % 3), part: BodyPart::Torso }
                };
                inputs.push(Input::Act { slot, id, action });
            }
            let mut shown = 0;
            for input in inputs {
                time += 50;
                let mut step = Step::default();
                let answer = fight.handle(time, input, &mut step);
                if step.is_empty() {
                    continue;
                }
                let by = answer.ok().map(|_| (1, id));
                let mut bytes = Vec::new();
                DeltaOf { handle: 5, fight: &fight, step: &step, by }.encode(encoding, &mut bytes);
                let ServerMessage::Delta(delta) = encoding.decode_server(&bytes).unwrap() else { panic!("a delta") };
                let mut again = Vec::new();
                encoding.encode(&ServerMessage::Delta(delta.clone()), &mut again);
                assert_eq!(bytes, again, "the short way writes what the long way writes");
                seq = view.apply(seq, &delta).unwrap();
                assert_eq!(view, view_of(&fight));
                assert_eq!(view.digest(), view_digest(&fight));
                shown += 1;
            }
            assert!(shown > 20 && fight.lifecycle().end().is_some(), "{shown} deltas to the end of the fight");
        }
    }
}
