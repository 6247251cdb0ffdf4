//! What one input changed: which fields of whom, and what happened. The host encodes it; the values are in the fight.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::action::{Arrival, Parting, Thing};
use crate::fair_play::Flag;
use crate::ruleset::{AbilityId, EffectId, EnemyId};
use crate::{Millis, Slot};

/// The changes of one input. Reused from input to input: nothing is allocated for usual ones.
#[derive(Debug, Default)]
pub struct Step {
    changed: SmallVec<[(Slot, Fields); 4]>,
    events: SmallVec<[Event; 8]>,
    /// Who came into a team's sight, or left it.
    sights: SmallVec<[Sight; 0]>,
    /// What was taken from whom by another.
    taken: SmallVec<[(Slot, u32); 4]>,
    /// Which covers and hazards changed.
    things: SmallVec<[Thing; 0]>,
    flags: SmallVec<[(Slot, Flag); 0]>,
    modifiers: bool,
    course: bool,
    decided: bool,
    /// Last words that are being carried out, each brought about by the one before, and how many there were.
    words: (u8, u8),
}

/// Most last words that one death brings about, by the deaths that they bring about: a ruleset whose enemies take each
/// other along, and call new ones, comes to an end.
const MOST_LAST_WORDS: u8 = 32;

/// A set of a participant's fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fields(u32);

impl Fields {
    pub const NONE: Self = Self(0);
    /// Everything, also what never changes again: who sits there.
    pub const SEAT: Self = Self(0xFFFF_FFFF);
    pub const STATUS: Self = Self(1 << 1);
    pub const READY: Self = Self(1 << 2);
    pub const HP: Self = Self(1 << 3);
    pub const STAMINA: Self = Self(1 << 4);
    pub const GUARD: Self = Self(1 << 5);
    pub const SCORE: Self = Self(1 << 6);
    pub const ARMOR: Self = Self(1 << 7);
    pub const SHIELD: Self = Self(1 << 8);
    pub const ENERGY: Self = Self(1 << 9);
    /// Of the ultimate ability.
    pub const CHARGE: Self = Self(1 << 10);
    /// Shots left, and the end of a reload.
    pub const AMMO: Self = Self(1 << 11);
    /// Where it is.
    pub const PLACE: Self = Self(1 << 12);
    pub const EFFECTS: Self = Self(1 << 13);
    /// What it is casting.
    pub const CAST: Self = Self(1 << 14);
    /// Cooldowns and uses of abilities and items.
    pub const COOLDOWNS: Self = Self(1 << 15);
    /// The state of its machine.
    pub const ACTIVITY: Self = Self(1 << 16);
    /// An enemy's phase.
    pub const RAGE: Self = Self(1 << 17);
    /// Which way it faces; never without where it is.
    pub const FACING: Self = Self(1 << 18);
    /// How fast it goes; never without where it is.
    pub const VELOCITY: Self = Self(1 << 19);
    /// What a team that does not see it knows all the same.
    pub const KNOWN: Self = Self(Self::STATUS.0 | Self::READY.0 | Self::SCORE.0);
    /// Everything that can be shown or hidden.
    pub const ANY: Self = Self::SEAT;

    /// Every field that can be hidden, with its name in a ruleset.
    pub const NAMES: [(&'static str, Self); 14] = [
        ("health", Self::HP),
        ("stamina", Self::STAMINA),
        ("guard", Self::GUARD),
        ("armor", Self::ARMOR),
        ("shield", Self::SHIELD),
        ("energy", Self::ENERGY),
        ("charge", Self::CHARGE),
        ("ammo", Self::AMMO),
        ("place", Self::PLACE.or(Self::FACING).or(Self::VELOCITY)),
        ("effects", Self::EFFECTS),
        ("cast", Self::CAST),
        ("cooldowns", Self::COOLDOWNS),
        ("activity", Self::ACTIVITY),
        ("phase", Self::RAGE),
    ];

    /// Whether all of `other` are in the set.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is in the set.
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// A participant that teams see, or see no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    pub of: Slot,
    /// A bit for each team that sees it now and did not before.
    pub gained: u128,
    /// A bit for each team that saw it before and does not now.
    pub lost: u128,
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// `by` hit `to` for `damage`, of which `absorbed` never reached its health.
    Hit {
        by: Slot,
        to: Slot,
        damage: u32,
        // The store has events from before there were these three.
        #[serde(default)]
        absorbed: u32,
        critical: bool,
        guarded: bool,
        /// The element's reaction with an effect.
        #[serde(default)]
        reaction: bool,
        /// With what; `None` for an attack.
        #[serde(default)]
        ability: Option<AbilityId>,
    },
    /// `by` missed `to`.
    Missed { by: Slot, to: Slot },
    /// An effect that `by` had put on `to` hurt it.
    Suffered { by: Slot, to: Slot, effect: EffectId, damage: u32 },
    /// A hazard hurt `to`.
    Burned { to: Slot, hazard: u8, damage: u32 },
    /// `by` gave `to` health.
    Healed { by: Slot, to: Slot, points: u32 },
    /// `by` raised its guard.
    Guard { by: Slot },
    /// `by` begins a cast that takes until `until`.
    Casting { by: Slot, ability: AbilityId, until: Millis },
    /// The cast of `by` was broken off.
    Broken { by: Slot, ability: AbilityId },
    /// `by` used an ability or an item, at `to` where it has one target.
    Used { by: Slot, ability: AbilityId, to: Option<Slot> },
    /// `to` is under an effect of `by` with this many stacks.
    Affected { by: Slot, to: Slot, effect: EffectId, stacks: u8 },
    /// An effect ended.
    Faded { to: Slot, effect: EffectId },
    /// `by` hit a cover or a hazard.
    Struck { by: Slot, thing: Thing, damage: u32 },
    /// A cover or a hazard is no more.
    Destroyed { by: Slot, thing: Thing },
    /// `to` was eliminated by `by`.
    Eliminated { by: Slot, to: Slot },
    /// `to` was eliminated by nobody: by a hazard or an effect without a bearer.
    Perished { to: Slot },
    /// `by` brought `to` back.
    Revived { by: Slot, to: Slot },
    /// `by` took a seat.
    Seated { by: Slot },
    /// An enemy came.
    Spawned { by: Slot, enemy: EnemyId },
    /// An enemy entered another phase.
    Enraged { by: Slot, phase: u8 },
    /// `by` is ready.
    Ready { by: Slot },
    /// `by` is connected, as engines before revision 3 have told it.
    Connected { by: Slot },
    /// `by` has no connection any more, as engines before revision 3 have told it, or were told.
    Disconnected { by: Slot },
    /// `by` gave up or did not come back in time.
    Forfeited { by: Slot },
    /// It is the turn of `by`.
    Turn { by: Slot },
    /// A round is over; the team that won it, if one did.
    Round { no: u8, team: Option<u8> },
    /// Status or phase changed.
    Phase,
    /// `by` is connected. (Logs and the store have the places and names of these: a new one comes last.)
    Came { by: Slot, why: Arrival },
    /// `by` has no connection any more.
    Went { by: Slot, why: Parting },
}

impl Event {
    /// Who did it and to whom, as far as it has these.
    pub const fn of(&self) -> (Option<Slot>, Option<Slot>) {
        match *self {
            Self::Hit { by, to, .. }
            | Self::Missed { by, to }
            | Self::Suffered { by, to, .. }
            | Self::Healed { by, to, .. }
            | Self::Affected { by, to, .. }
            | Self::Eliminated { by, to }
            | Self::Revived { by, to } => (Some(by), Some(to)),
            Self::Burned { to, .. } | Self::Faded { to, .. } | Self::Perished { to } => (None, Some(to)),
            Self::Used { by, to, .. } => (Some(by), to),
            Self::Guard { by }
            | Self::Casting { by, .. }
            | Self::Broken { by, .. }
            | Self::Struck { by, .. }
            | Self::Destroyed { by, .. }
            | Self::Seated { by }
            | Self::Spawned { by, .. }
            | Self::Enraged { by, .. }
            | Self::Ready { by }
            | Self::Connected { by }
            | Self::Disconnected { by }
            | Self::Came { by, .. }
            | Self::Went { by, .. }
            | Self::Forfeited { by }
            | Self::Turn { by } => (Some(by), None),
            Self::Round { .. } | Self::Phase => (None, None),
        }
    }
}

impl Step {
    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.changed.clear();
        self.events.clear();
        self.sights.clear();
        self.taken.clear();
        self.things.clear();
        self.flags.clear();
        self.modifiers = false;
        self.course = false;
        self.decided = false;
        self.words = (0, 0);
    }

    /// Whether there is nothing to show to anybody.
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty()
            && self.events.is_empty()
            && self.sights.is_empty()
            && self.things.is_empty()
            && !self.modifiers
            && !self.course
    }

    /// Who changed, each once, and in which fields.
    pub fn changed(&self) -> &[(Slot, Fields)] {
        &self.changed
    }

    /// What happened, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Who came into sight or left it; each once.
    pub fn sights(&self) -> &[Sight] {
        &self.sights
    }

    /// Health and shield that participants have taken from others: of whom, and how much, in order.
    pub fn taken(&self) -> &[(Slot, u32)] {
        &self.taken
    }

    /// Which covers and hazards changed; each once.
    pub fn things(&self) -> &[Thing] {
        &self.things
    }

    /// Whether the modifiers of the round changed.
    pub const fn modifiers_changed(&self) -> bool {
        self.modifiers
    }

    /// What fair play noticed about whom. For the log and the metrics: no client is shown it, and alone it is nothing to show.
    pub fn flags(&self) -> &[(Slot, Flag)] {
        &self.flags
    }

    /// Whether status, phase, deadline, turn, round, winner or end reason changed.
    pub const fn phase_changed(&self) -> bool {
        self.course
    }

    /// Whether the fight was decided in this step.
    pub const fn decided(&self) -> bool {
        self.decided
    }

    pub(crate) fn touch(&mut self, slot: Slot, fields: Fields) {
        match self.changed.iter_mut().find(|(changed, _)| *changed == slot) {
            Some((_, set)) => set.0 |= fields.0,
            None => self.changed.push((slot, fields)),
        }
    }

    pub(crate) fn take(&mut self, of: Slot, taken: u32) {
        self.taken.push((of, taken));
    }

    pub(crate) fn touch_thing(&mut self, thing: Thing) {
        if !self.things.contains(&thing) {
            self.things.push(thing);
        }
    }

    /// An enemy has last words; whether they are heard. Then [`Step::end_words`] comes after them.
    pub(crate) const fn begin_words(&mut self) -> bool {
        let (deep, heard) = self.words;
        let heard = if deep == 0 { 0 } else { heard };
        if heard == MOST_LAST_WORDS {
            return false;
        }
        self.words = (deep + 1, heard + 1);
        true
    }

    pub(crate) const fn end_words(&mut self) {
        self.words.0 -= 1;
    }

    pub(crate) const fn modifiers(&mut self) {
        self.modifiers = true;
    }

    /// What a team sees now and did not before, and the other way round; the two of one step are put together.
    pub(crate) fn sight(&mut self, of: Slot, gained: u128, lost: u128) {
        match self.sights.iter_mut().find(|sight| sight.of == of) {
            Some(sight) => {
                let was_lost = sight.lost;
                sight.lost = (sight.lost & !gained) | (lost & !sight.gained);
                sight.gained = (sight.gained & !lost) | (gained & !was_lost);
            }
            None => self.sights.push(Sight { of, gained, lost }),
        }
    }

    pub(crate) fn flag(&mut self, slot: Slot, flag: Flag) {
        self.flags.push((slot, flag));
    }

    pub(crate) fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The status or the phase changed.
    pub(crate) fn phase(&mut self) {
        self.course = true;
        self.events.push(Event::Phase);
    }

    /// Something else about the course changed: the turn, the round.
    pub(crate) const fn course(&mut self) {
        self.course = true;
    }

    pub(crate) const fn decide(&mut self) {
        self.decided = true;
    }
}
