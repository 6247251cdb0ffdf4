//! What an audience is shown of a fight: its view, the digest of that, and the fields of a patch, each from one list, so that
//! they cannot differ in what they hide.

use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use tiltyard_combat::audience::Patch;
use tiltyard_combat::status::{Active, Used};
use tiltyard_combat::{Audience, Bout, Fields, Participant, Point};
use tiltyard_protocol::Digest;
use tiltyard_protocol::server::ParticipantStatus;
use tiltyard_protocol::view::{CastView, Motion, ParticipantView, Private, View, digest_motions, player_word};
use uuid::Uuid;

use super::wire::{lasting, phase_of, status_of};

/// What a digest has last, for it differs even among those who see all else alike.
const PRIVATE: Fields = Fields::ENERGY.or(Fields::CHARGE).or(Fields::AMMO).or(Fields::COOLDOWNS);

/// A participant as an audience sees it: what it is not shown is at its zero value.
#[derive(Debug, Clone, Copy)]
struct Shown<'a> {
    p: &'a Participant,
    fields: Fields,
    /// Fog hides it.
    hidden: bool,
}

impl<'a> Shown<'a> {
    fn new(fight: Bout<'a>, audience: Audience, slot: u8, p: &'a Participant) -> Self {
        Self { p, fields: fight.visible(audience, slot), hidden: !fight.sees(audience, slot) }
    }

    fn player(self) -> Uuid {
        Uuid::from_u128(self.p.player())
    }

    fn enemy(self) -> Option<u8> {
        self.p.enemy().filter(|_| !self.hidden)
    }

    fn or_zero<T: Default>(self, field: Fields, value: T) -> T {
        if self.fields.has(field) { value } else { T::default() }
    }

    fn status(self) -> ParticipantStatus {
        self.or_zero(Fields::STATUS, status_of(self.p.status()))
    }

    fn place(self) -> Point {
        self.or_zero(Fields::PLACE, self.p.at())
    }

    fn motion(self) -> Motion {
        let velocity = self.or_zero(Fields::VELOCITY, self.p.velocity());
        Motion { f: self.or_zero(Fields::FACING, self.p.facing()), vx: velocity.x, vy: velocity.y }
    }

    fn effects(self) -> &'a [Active] {
        self.or_zero(Fields::EFFECTS, self.p.effects())
    }

    fn cast(self) -> Option<(u8, u64)> {
        self.or_zero(Fields::CAST, self.p.cast().map(|cast| (cast.ability(), cast.until())))
    }

    fn used(self) -> &'a [Used] {
        self.or_zero(Fields::COOLDOWNS, self.p.used())
    }

    fn view(self) -> ParticipantView {
        let p = self.p;
        let Private { energy, energy_at, energy_rate, charge, ammo, reload_at } = self.private();
        let Motion { f, vx, vy } = self.motion();
        ParticipantView {
            player: self.player(),
            team: p.team(),
            status: self.status(),
            ready: self.or_zero(Fields::READY, p.is_ready()),
            score: self.or_zero(Fields::SCORE, p.score()),
            hidden: self.hidden,
            enemy: self.enemy(),
            phase: self.or_zero(Fields::RAGE, p.enemy_phase()),
            hp: self.or_zero(Fields::HP, p.hp()),
            armor: self.or_zero(Fields::ARMOR, p.armor()),
            shield: self.or_zero(Fields::SHIELD, p.shield()),
            stamina: self.or_zero(Fields::STAMINA, p.stamina().milli()),
            stamina_at: self.or_zero(Fields::STAMINA, p.stamina().at()),
            stamina_rate: self.or_zero(Fields::STAMINA, p.stamina().per_second()),
            guard_until: self.or_zero(Fields::GUARD, p.guard_until()),
            state: self.or_zero(Fields::ACTIVITY, p.activity()),
            x: self.place().x,
            y: self.place().y,
            f,
            vx,
            vy,
            effects: self.effects().iter().map(effect).collect(),
            cast: CastView(self.cast()),
            energy,
            energy_at,
            energy_rate,
            charge,
            ammo,
            reload_at,
            used: self.used().iter().map(use_of).collect(),
        }
    }

    fn private(self) -> Private {
        let p = self.p;
        Private {
            energy: self.or_zero(Fields::ENERGY, p.energy().milli()),
            energy_at: self.or_zero(Fields::ENERGY, p.energy().at()),
            energy_rate: self.or_zero(Fields::ENERGY, p.energy().per_second()),
            charge: self.or_zero(Fields::CHARGE, p.charge()),
            ammo: self.or_zero(Fields::AMMO, p.ammo()),
            reload_at: self.or_zero(Fields::AMMO, p.reload_at()),
        }
    }

    /// The words of [`ParticipantView::digest`].
    fn digest(self, digest: &mut Digest) {
        let p = self.p;
        digest.word(player_word(self.player()));
        digest.word(u32::from(p.team()));
        digest.word(self.status().code());
        digest.word(u32::from(self.or_zero(Fields::READY, p.is_ready())) + 2 * u32::from(self.hidden));
        digest.word(self.or_zero(Fields::SCORE, p.score()));
        digest.word(self.enemy().map_or(0, |enemy| u32::from(enemy) + 1));
        digest.word(u32::from(self.or_zero(Fields::RAGE, p.enemy_phase())));
        digest.word(self.or_zero(Fields::HP, p.hp()));
        digest.word(self.or_zero(Fields::ARMOR, p.armor()));
        digest.word(self.or_zero(Fields::SHIELD, p.shield()));
        digest.word(self.or_zero(Fields::STAMINA, p.stamina().milli()));
        digest.wide(self.or_zero(Fields::STAMINA, p.stamina().at()));
        digest.word(self.or_zero(Fields::STAMINA, p.stamina().per_second()));
        digest.wide(self.or_zero(Fields::GUARD, p.guard_until()));
        digest.word(u32::from(self.or_zero(Fields::ACTIVITY, p.activity())));
        digest.word(self.place().x.cast_unsigned());
        digest.word(self.place().y.cast_unsigned());
        digest.triples(self.effects().iter().map(effect));
        let cast = self.cast();
        digest.word(cast.map_or(0, |(ability, _)| u32::from(ability) + 1));
        digest.wide(cast.map_or(0, |(_, until)| until));
    }
}

fn effect(active: &Active) -> (u8, u8, u64) {
    (active.effect(), active.stacks(), lasting(active.until()))
}

fn use_of(used: &Used) -> (u8, u8, u64) {
    (used.ability(), used.times(), used.ready_at())
}

fn shown(fight: Bout<'_>, audience: Audience) -> impl Iterator<Item = (u8, Shown<'_>)> {
    let slots = (0_u8..=u8::MAX).zip(fight.fight.participants());
    slots.map(move |(slot, p)| (slot, Shown::new(fight, audience, slot, p)))
}

/// The view that `audience` has of a fight.
pub fn view_of(fight: Bout<'_>, audience: Audience) -> View {
    let field = fight.field();
    View {
        phase: super::wire::owned(phase_of(fight)),
        seats: fight.seats(),
        participants: shown(fight, audience).map(|(_, shown)| shown.view()).collect(),
        covers: field.covers().to_vec(),
        hazards: field.hazards().iter().map(|hazard| (hazard.health(), u8::from(hazard.is_gone()))).collect(),
        modifiers: field.modifiers().to_vec(),
    }
}

/// The digest of [`view_of`], without building one.
pub fn view_digest(fight: Bout<'_>, audience: Audience) -> u32 {
    with_private(common_digest(fight, audience), fight, audience)
}

/// Whether [`common_digest`] is the same for every audience.
pub(super) fn is_common(fight: Bout<'_>) -> bool {
    let visibility = &fight.ruleset.visibility;
    let common = Fields::ANY.without(PRIVATE);
    fight.rules().sight_cm == 0 && visibility.all.has(common) && visibility.team.has(common)
}

/// The digest up to what is each participant's own affair.
pub(super) fn common_digest(fight: Bout<'_>, audience: Audience) -> Digest {
    let (mut digest, field) = (Digest::new(), fight.field());
    phase_of(fight).digest(&mut digest);
    digest.word(u32::from(fight.seats()));
    digest.count(field.covers().len());
    field.covers().iter().for_each(|&health| digest.word(health));
    digest.count(field.hazards().len());
    for hazard in field.hazards() {
        digest.word(hazard.health());
        digest.word(u32::from(hazard.is_gone()));
    }
    digest.count(field.modifiers().len());
    field.modifiers().iter().for_each(|&effect| digest.word(u32::from(effect)));
    digest.count(fight.participants().len());
    shown(fight, audience).for_each(|(_, shown)| shown.digest(&mut digest));
    digest
}

/// The whole digest, of what `audience` has in common with others and what it has not.
pub(super) fn with_private(mut digest: Digest, fight: Bout<'_>, audience: Audience) -> u32 {
    for (slot, shown) in shown(fight, audience) {
        shown.private().digest(u32::from(slot), shown.used().iter().map(use_of), &mut digest);
    }
    digest_motions(shown(fight, audience).map(|(slot, shown)| (u32::from(slot), shown.motion())), &mut digest);
    digest.finish()
}

/// A name of a patch's field, bare and as it stands in JSON behind another field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Key {
    pub name: &'static str,
    pub json: &'static str,
}

macro_rules! key {
    ($name:literal) => {
        Key { name: $name, json: concat!(",\"", $name, "\":") }
    };
}

/// Where the fields of a patch go.
pub(super) trait Sink {
    fn number<N: itoa::Integer + serde::Serialize>(&mut self, key: Key, number: N);
    fn flag(&mut self, key: Key, flag: bool);
    /// A name that needs no escaping.
    fn name(&mut self, key: Key, name: &str);
    fn triples(&mut self, key: Key, triples: impl ExactSizeIterator<Item = (u8, u8, u64)>);
    fn cast(&mut self, key: Key, cast: Option<(u8, u64)>);
}

/// Puts a patch's fields behind its slot into `sink`.
pub(super) fn put_patch(patch: Patch, p: &Participant, sink: &mut impl Sink) {
    let has = |field| patch.fields.has(field);
    if patch.seat {
        let mut buffer = Uuid::encode_buffer();
        sink.name(key!("player"), Uuid::from_u128(p.player()).hyphenated().encode_lower(&mut buffer));
        sink.number(key!("team"), p.team());
    }
    if patch.hidden == Some(true) {
        sink.flag(key!("hidden"), true);
    } else if patch.seat
        && let Some(enemy) = p.enemy()
    {
        sink.number(key!("enemy"), enemy);
    }
    if has(Fields::STATUS) {
        sink.name(key!("status"), status_name(status_of(p.status())));
    }
    if has(Fields::READY) {
        sink.flag(key!("ready"), p.is_ready());
    }
    if has(Fields::SCORE) {
        sink.number(key!("score"), p.score());
    }
    if has(Fields::RAGE) && p.enemy().is_some() {
        sink.number(key!("phase"), p.enemy_phase());
    }
    put_body(patch, p, sink);
    put_private(patch.fields, p, sink);
}

fn put_body(patch: Patch, p: &Participant, sink: &mut impl Sink) {
    let has = |field| patch.fields.has(field);
    if has(Fields::HP) {
        sink.number(key!("hp"), p.hp());
    }
    if has(Fields::ARMOR) {
        sink.number(key!("armor"), p.armor());
    }
    if has(Fields::SHIELD) {
        sink.number(key!("shield"), p.shield());
    }
    if has(Fields::STAMINA) {
        sink.number(key!("stamina"), p.stamina().milli());
        sink.number(key!("stamina_at"), p.stamina().at());
        sink.number(key!("stamina_rate"), p.stamina().per_second());
    }
    if has(Fields::GUARD) {
        sink.number(key!("guard_until"), p.guard_until());
    }
    if has(Fields::ACTIVITY) {
        sink.number(key!("state"), p.activity());
    }
    if has(Fields::PLACE) {
        sink.number(key!("x"), p.at().x);
        sink.number(key!("y"), p.at().y);
        put_motion(patch, p, sink);
    }
    if has(Fields::EFFECTS) {
        sink.triples(key!("effects"), p.effects().iter().map(effect));
    }
    if has(Fields::CAST) {
        sink.cast(key!("cast"), p.cast().map(|cast| (cast.ability(), cast.until())));
    }
}

/// What of it changed; of one that begins at zero values what is not zero.
fn put_motion(patch: Patch, p: &Participant, sink: &mut impl Sink) {
    let (facing, velocity) = (p.facing(), p.velocity());
    if patch.fields.has(Fields::FACING) && !(patch.seat && facing == 0) {
        sink.number(key!("f"), facing);
    }
    if patch.fields.has(Fields::VELOCITY) && !(patch.seat && velocity.is_zero()) {
        sink.number(key!("vx"), velocity.x);
        sink.number(key!("vy"), velocity.y);
    }
}

fn put_private(fields: Fields, p: &Participant, sink: &mut impl Sink) {
    let has = |field| fields.has(field);
    if has(Fields::ENERGY) {
        sink.number(key!("energy"), p.energy().milli());
        sink.number(key!("energy_at"), p.energy().at());
        sink.number(key!("energy_rate"), p.energy().per_second());
    }
    if has(Fields::CHARGE) {
        sink.number(key!("charge"), p.charge());
    }
    if has(Fields::AMMO) {
        sink.number(key!("ammo"), p.ammo());
        sink.number(key!("reload_at"), p.reload_at());
    }
    if has(Fields::COOLDOWNS) {
        sink.triples(key!("used"), p.used().iter().map(use_of));
    }
}

const fn status_name(status: ParticipantStatus) -> &'static str {
    match status {
        ParticipantStatus::Active => "active",
        ParticipantStatus::Eliminated => "eliminated",
        ParticipantStatus::Disconnected => "disconnected",
        // Read, and never sent.
        ParticipantStatus::Unknown => "unknown",
    }
}

/// Counts fields.
#[derive(Debug, Default)]
pub(super) struct Count(pub usize);

impl Sink for Count {
    fn number<N: itoa::Integer + serde::Serialize>(&mut self, _: Key, _: N) {
        self.0 += 1;
    }

    fn flag(&mut self, _: Key, _: bool) {
        self.0 += 1;
    }

    fn name(&mut self, _: Key, _: &str) {
        self.0 += 1;
    }

    fn triples(&mut self, _: Key, _: impl ExactSizeIterator<Item = (u8, u8, u64)>) {
        self.0 += 1;
    }

    fn cast(&mut self, _: Key, _: Option<(u8, u64)>) {
        self.0 += 1;
    }
}

/// Fields into a map of any encoding; the first error stays, and nothing is put in after it.
pub(super) struct Entries<'a, M: SerializeMap> {
    pub map: &'a mut M,
    pub outcome: Result<(), M::Error>,
}

impl<M: SerializeMap> Entries<'_, M> {
    fn put<T: serde::Serialize + ?Sized>(&mut self, key: Key, value: &T) {
        if self.outcome.is_ok() {
            self.outcome = self.map.serialize_entry(key.name, value);
        }
    }
}

impl<M: SerializeMap> Sink for Entries<'_, M> {
    fn number<N: itoa::Integer + serde::Serialize>(&mut self, key: Key, number: N) {
        self.put(key, &number);
    }

    fn flag(&mut self, key: Key, flag: bool) {
        self.put(key, &flag);
    }

    fn name(&mut self, key: Key, name: &str) {
        self.put(key, name);
    }

    fn triples(&mut self, key: Key, triples: impl ExactSizeIterator<Item = (u8, u8, u64)>) {
        self.put(key, &List(std::cell::Cell::new(Some(triples))));
    }

    fn cast(&mut self, key: Key, cast: Option<(u8, u64)>) {
        match cast {
            Some(cast) => self.put(key, &cast),
            None => self.put::<[u64; 0]>(key, &[]),
        }
    }
}

/// A list from an iterator; it can be serialized once.
pub(super) struct List<I>(pub std::cell::Cell<Option<I>>);

impl<I: ExactSizeIterator<Item: serde::Serialize>> serde::Serialize for List<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let items = self.0.take();
        let mut list = serializer.serialize_seq(Some(items.as_ref().map_or(0, ExactSizeIterator::len)))?;
        for item in items.into_iter().flatten() {
            list.serialize_element(&item)?;
        }
        list.end()
    }
}
