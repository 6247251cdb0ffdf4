//! What changed, in bytes: encoded once per audience that is shown something else and encoding, and copied to each recipient behind
//! what is its own.

use tiltyard_combat::audience::{Cut, Named, Patch};
use tiltyard_combat::{Audience, Bout, Event, Fields, Participant, Slot, Step, Thing};
use tiltyard_protocol::server::{self as wire, Missed, Outcome, Standing};
use tiltyard_protocol::{Digest, Encoding, ServerMessage, Snapshot};
use uuid::Uuid;

use super::connection::LeftOut;
use super::session::Session;
use super::wire::end_of;
use super::{form, history, shown};
use crate::limits;
use crate::session::words::event_of;
use crate::socket::frame::Framed;

/// Buffers for what is being encoded.
#[derive(Debug, Default)]
pub struct Publisher {
    encoded: [Encoded; Encoding::COUNT],
    single: Framed,
    /// Whether every audience is shown the same of the step; found out for the first recipient.
    same_for_all: Option<bool>,
    /// What the digests of the step have in common.
    common: Option<Digest>,
}

/// A step's deltas in one encoding.
#[derive(Debug, Default)]
struct Encoded {
    /// Of these the first `fresh` are of this step; the others keep their memory.
    deltas: Vec<Delta>,
    fresh: usize,
}

/// A delta for all who are shown the same.
#[derive(Debug, Default)]
struct Delta {
    /// `None` for everything.
    cut: Option<Cut>,
    digest: Option<u32>,
    /// The participants that it is for.
    slots: u128,
    /// It is for all others too.
    is_for_all: bool,
    common: Vec<u8>,
}

impl Publisher {
    /// Forgets the last step's deltas.
    pub fn begin(&mut self) {
        self.encoded.iter_mut().for_each(|encoded| encoded.fresh = 0);
        self.same_for_all = None;
        self.common = None;
    }

    /// Appends the step's delta for the participant in `slot`, of whose actions `applied` is the highest that is, as a frame; what is not its own alone is encoded for the first recipient
    /// of each encoding that is shown this. `whole` is the same for all of a step.
    pub fn delta(&mut self, encoding: Encoding, whole: &DeltaOf<'_>, slot: Slot, applied: u64, out: &mut Vec<u8>) {
        debug_assert_eq!(Some(applied), whole.fight.participant(slot).map(|own| own.answers().applied()));
        let delta = self.made_for(encoding, whole, Audience::Own(slot));
        delta.slots |= history::bit(slot);
        form::append(encoding, applied, &delta.common, out);
    }

    /// Makes the same, and appends it nowhere: it is only kept for when the participant comes back.
    pub fn note(&mut self, encoding: Encoding, whole: &DeltaOf<'_>, slot: Slot) {
        self.made_for(encoding, whole, Audience::Own(slot)).slots |= history::bit(slot);
    }

    /// What was made for participants, with those whom it is for.
    pub fn made(&self) -> impl Iterator<Item = (Encoding, u128, &[u8])> {
        Encoding::ALL.into_iter().zip(&self.encoded).flat_map(|(encoding, encoded)| {
            encoded.deltas[..encoded.fresh].iter().map(move |delta| (encoding, delta.slots, &delta.common[..]))
        })
    }

    /// The delta of any audience, which has had this action applied.
    #[cfg(test)]
    pub(super) fn delta_for(
        &mut self,
        encoding: Encoding,
        whole: &DeltaOf<'_>,
        audience: Audience,
        id: u64,
        out: &mut Vec<u8>,
    ) {
        form::append(encoding, id, &self.made_for(encoding, whole, audience).common, out);
    }

    /// Nearly always somebody has been shown the same before.
    #[inline]
    fn made_for(&mut self, encoding: Encoding, whole: &DeltaOf<'_>, audience: Audience) -> &mut Delta {
        let encoded = &self.encoded[encoding as usize];
        let is_made = encoded.fresh > 0 && encoded.deltas[0].is_for_all;
        let place = if is_made { 0 } else { self.make(encoding, whole, audience) };
        &mut self.encoded[encoding as usize].deltas[place]
    }

    /// Where the delta for an audience is, made for it where nobody has been shown the same.
    #[inline(never)]
    fn make(&mut self, encoding: Encoding, whole: &DeltaOf<'_>, audience: Audience) -> usize {
        let (fight, step) = (whole.fight, whole.step);
        let same_for_all = *self.same_for_all.get_or_insert_with(|| fight.same_for_all(step));
        let cut = (!same_for_all).then(|| fight.cut(step, audience));
        let digest = is_digest_due(fight, step).then(|| self.digest(fight, audience));
        if same_for_all && digest.is_none() {
            let encoded = &mut self.encoded[encoding as usize];
            form::delta(encoding, whole, &mut encoded.add(None, None).common);
            return encoded.fresh - 1;
        }
        self.encoded[encoding as usize].place_of(cut, digest, |cut, common| {
            form::delta(encoding, &DeltaOf { cut, digest, ..*whole }, common);
        })
    }

    fn digest(&mut self, fight: Bout<'_>, audience: Audience) -> u32 {
        let common = self.common.unwrap_or_else(|| shown::common_digest(fight, audience));
        if shown::is_common(fight) {
            self.common = Some(common);
        }
        shown::with_private(common, fight, audience)
    }

    /// A message for one recipient, which `encode` appends, as a frame.
    pub fn single(&mut self, encoding: Encoding, encode: impl FnOnce(&mut Vec<u8>)) -> &[u8] {
        self.single.message(encoding, encode)
    }
}

impl Encoded {
    /// Where the delta for this cut and digest is, once `encode` has made it.
    fn place_of(
        &mut self,
        cut: Option<Cut>,
        digest: Option<u32>,
        encode: impl FnOnce(Option<&Cut>, &mut Vec<u8>),
    ) -> usize {
        let known = self.deltas[..self.fresh].iter().position(|delta| delta.digest == digest && delta.cut == cut);
        known.unwrap_or_else(|| {
            let delta = self.add(cut, digest);
            encode(delta.cut.as_ref(), &mut delta.common);
            self.fresh - 1
        })
    }

    /// Another of the step, in which nothing is yet.
    fn add(&mut self, cut: Option<Cut>, digest: Option<u32>) -> &mut Delta {
        let place = self.fresh;
        self.fresh += 1;
        if place == self.deltas.len() {
            self.deltas.push(Delta::default());
        }
        let delta = &mut self.deltas[place];
        delta.is_for_all = cut.is_none() && digest.is_none();
        // Most have none, nor had one before: then nothing of its size is moved.
        if cut.is_some() || delta.cut.is_some() {
            delta.cut = cut;
        }
        (delta.digest, delta.slots) = (digest, 0);
        delta.common.clear();
        delta
    }
}

/// Whether a delta has a digest: every so often, and whenever the phase changed.
fn is_digest_due(fight: Bout<'_>, step: &Step) -> bool {
    fight.seq().is_multiple_of(limits::DIGEST_EVERY) || step.phase_changed()
}

/// When something is said.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// The shard's time.
    pub now: u64,
    /// Unix milliseconds.
    pub wall: u64,
}

/// A delta that is encoded straight from the fight: the same bytes as [`wire::Delta`], without building one. Whose action it
/// was is not in it: who acted has that from its acknowledgement, and all others see what they see of it.
#[derive(Debug, Clone, Copy)]
pub struct DeltaOf<'a> {
    pub handle: u32,
    pub fight: Bout<'a>,
    pub step: &'a Step,
    /// The wall's, in Unix milliseconds.
    pub time: u64,
    /// What its audience is shown of the step; `None` for everything.
    pub cut: Option<&'a Cut>,
    /// Of the audience's view, where one is due.
    pub digest: Option<u32>,
}

impl<'a> DeltaOf<'a> {
    /// With everything that a step changed, and no digest.
    pub const fn whole(handle: u32, fight: Bout<'a>, step: &'a Step, time: u64) -> Self {
        Self { handle, fight, step, time, cut: None, digest: None }
    }

    /// Appends what all recipients that are shown this have in common: everything but `id`.
    pub fn encode(&self, encoding: Encoding, out: &mut Vec<u8>) {
        form::delta(encoding, self, out);
    }

    /// What happened, as the audience is told of it.
    pub(super) fn events(&self) -> impl Iterator<Item = wire::Event> + Clone {
        let cut = self.cut;
        self.step.events().iter().enumerate().filter_map(move |(place, &event)| {
            let named = match cut {
                None => Some(Named { by: true, to: true }),
                Some(cut) => cut.events().get(place).copied().flatten(),
            };
            named.map(|named| told(event, named))
        })
    }

    /// What changed about participants that are still there, as the audience is shown it.
    pub(super) fn patches(&self) -> impl Iterator<Item = (Patch, &'a Participant)> + Clone {
        let Self { fight: Bout { fight, .. }, step, cut, .. } = *self;
        let changed = if cut.is_none() { step.changed() } else { &[] };
        let all =
            changed.iter().map(|&(slot, fields)| Patch { slot, fields, seat: fields.has(Fields::SEAT), hidden: None });
        let cut = cut.map_or(&[][..], Cut::patches).iter().copied();
        let there = |patch: Patch| Some((patch, fight.participants().get(usize::from(patch.slot))?));
        all.chain(cut).filter_map(there)
    }

    /// How many participants there are, where enemies may have gone: which happens only where a phase begins.
    pub(super) fn left(&self) -> Option<u16> {
        let may_have_gone = self.step.phase_changed() && !self.fight.ruleset.enemies.is_empty();
        may_have_gone.then(|| u16::try_from(self.fight.participants().len()).unwrap_or(u16::MAX))
    }

    pub(super) fn covers(&self) -> impl Iterator<Item = (u8, u32)> + Clone {
        let field = self.fight.field();
        self.step.things().iter().filter_map(move |&thing| match thing {
            Thing::Cover(cover) => Some((cover, *field.covers().get(usize::from(cover))?)),
            Thing::Hazard(_) => None,
        })
    }

    pub(super) fn hazards(&self) -> impl Iterator<Item = (u8, u32, u8)> + Clone {
        let field = self.fight.field();
        self.step.things().iter().filter_map(move |&thing| match thing {
            Thing::Cover(_) => None,
            Thing::Hazard(hazard) => {
                let state = field.hazards().get(usize::from(hazard))?;
                Some((hazard, state.health(), u8::from(state.is_gone())))
            }
        })
    }

    pub(super) fn modifiers(&self) -> Option<&'a [u8]> {
        self.step.modifiers_changed().then(|| self.fight.fight.field().modifiers())
    }
}

fn told(event: Event, named: Named) -> wire::Event {
    let event = event_of(event);
    wire::Event { by: event.by.filter(|_| named.by), to: event.to.filter(|_| named.to), ..event }
}

/// A session's snapshot for `audience`, and what it stands for where that was left out.
pub fn snapshot_of(session: &Session, moment: Moment, audience: Audience, missed: Option<LeftOut>) -> ServerMessage {
    let fight = &session.fight;
    let view = shown::view_of(session.bout(), audience);
    let h = view.digest();
    let (s, q, epoch) = (session.handle(), fight.seq(), session.epoch());
    let (at, time) = (session.session_time(moment.now), moment.wall);
    let own = if let Audience::Own(slot) = audience { fight.participant(slot) } else { None };
    let id = own.map_or(0, |own| own.answers().applied());
    let missed = missed.map(|LeftOut { from, events }| Missed { events, from, to: q });
    ServerMessage::Snapshot(Snapshot { s, q, at, time, epoch, id, missed, view, h })
}

/// A session's result.
pub fn result_of(session: &Session, moment: Moment) -> ServerMessage {
    let (fight, life) = (&session.fight, session.fight.lifecycle());
    let standing = |slot: Slot| {
        let p = &fight.participants()[usize::from(slot)];
        Standing {
            slot,
            player: Uuid::from_u128(p.player()),
            team: p.team(),
            enemy: p.enemy(),
            score: p.score(),
            eliminations: p.eliminations(),
            damage: p.damage(),
        }
    };
    ServerMessage::Result(Outcome {
        s: session.handle(),
        q: fight.seq(),
        at: session.session_time(moment.now),
        time: moment.wall,
        reason: life.end().map_or(wire::EndReason::Terminated, end_of),
        winner: life.winner(),
        team: life.winning_team(),
        duration_ms: life.active_ms(fight.now()),
        standings: fight.standings().into_iter().map(standing).collect(),
    })
}
