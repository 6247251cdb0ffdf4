//! The server's enemies: waves of them, how they come and how they go. What each decides is in [`super::minds`].

use serde::{Deserialize, Serialize};

use super::{Eliminated, Fight};
use crate::chance::below;
use crate::digest::form;
use crate::geometry::Point;
use crate::participant::Played;
use crate::ruleset::EnemyId;
use crate::{EndReason, Event, Fields, Millis, Participant, PlayerId, Ruleset, Slot, Step};

/// The enemies' team; the players are team 0.
pub(super) const TEAM: u8 = 1;

/// Most slots of enemies, and so most that stand at a time: after that, who comes takes the place of one that has fallen.
const MOST_ENEMIES: usize = 64;

/// How far apart those are that come from one place at one time.
const APART_CM: u32 = 120;

/// Which waves have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waves {
    /// Waves that have come.
    pub(super) come: u8,
    /// When the next comes; [`Millis::MAX`] while there is one to beat, or none left.
    pub(super) due: Millis,
}

form!(Waves: come, due);

impl Default for Waves {
    fn default() -> Self {
        Self { come: 0, due: Millis::MAX }
    }
}

impl Waves {
    /// Waves that have come.
    pub fn come(&self) -> u8 {
        self.come
    }

    pub(super) fn due(&self) -> Millis {
        self.due
    }
}

impl Fight {
    /// The first wave is on its way.
    pub(super) fn begin_waves(&mut self, ruleset: &Ruleset) {
        self.waves = Waves::default();
        if self.against_server(ruleset) {
            self.send_wave(ruleset);
        }
    }

    /// Sets the next wave on its way; whether there was one left.
    fn send_wave(&mut self, ruleset: &Ruleset) -> bool {
        let next = ruleset.waves.get(usize::from(self.waves.come));
        let Some(wave) = next.filter(|_| self.waves.come < u8::MAX) else { return false };
        self.waves.due = self.clock.now + u64::from(wave.delay_ms);
        self.wake(self.waves.due);
        true
    }

    /// The next wave comes.
    pub(super) fn wave_due(&mut self, ruleset: &Ruleset, step: &mut Step) {
        self.waves.due = Millis::MAX;
        let Some(wave) = ruleset.waves.get(usize::from(self.waves.come)) else { return };
        self.waves.come += 1;
        let lairs = &ruleset.environment.lairs;
        let mut coming = 0;
        for &(enemy, least, most) in &wave.spawns {
            let count = u32::from(least) + below(&mut self.rng, u32::from(most.saturating_sub(least)) + 1);
            for _ in 0..count {
                let lair = lairs.get(coming % lairs.len().max(1)).copied();
                self.spawn(ruleset, enemy, lair.unwrap_or_else(|| ruleset.environment.middle()), step);
                coming += 1;
            }
        }
        // One that nobody came with is beaten.
        self.fallen.get_or_insert(EndReason::LastStanding);
    }

    /// No enemy of the wave stands any more: the next is set on its way. Whether there is none left, so that the players
    /// have won.
    pub(super) fn wave_cleared(&mut self, ruleset: &Ruleset) -> bool {
        self.waves.due == Millis::MAX && !self.send_wave(ruleset)
    }

    /// A new enemy at a place or beside it; nobody where there are too many of them, or none at all in this mode.
    pub(super) fn spawn(&mut self, ruleset: &Ruleset, kind: EnemyId, near: Point, step: &mut Step) {
        let Some(slot) = self.slot_for_enemy().filter(|_| self.against_server(ruleset)) else { return };
        let enemy = ruleset.enemy(kind);
        let now = self.clock.now;
        let mut participant = Participant::new(self.draw_id(), TEAM, &self.rules, now);
        // Not all of a wave think in the same moment.
        let think_at = now + 1 + u64::from(below(&mut self.rng, enemy.think_ms));
        participant.enemy = Some(Played { kind, phase: 0, think_at });
        participant.activity = ruleset.activity.start;
        (participant.armor, participant.shield) = (enemy.armor, enemy.shield);
        participant.at = self.place_beside(ruleset, near);
        match self.participants.get_mut(slot) {
            Some(fallen) => {
                // With other luck than who had the slot before.
                participant.deeds = fallen.deeds;
                *fallen = participant;
            }
            None => self.participants.push(participant),
        }
        self.participants[slot].hp = self.most_health(ruleset, slot);
        self.wake(think_at);
        self.join_turns(slot);
        step.touch(slot, Fields::SEAT);
        step.note(Event::Spawned { by: slot, enemy: kind });
        self.give_passives(ruleset, slot, step);
        self.look_from(ruleset, slot, step);
    }

    /// The next slot behind all others, or the first of a fallen enemy once there are as many as there may be.
    fn slot_for_enemy(&self) -> Option<Slot> {
        let enemies = self.participants.iter().filter(|p| p.enemy.is_some()).count();
        if enemies < MOST_ENEMIES {
            return u8::try_from(self.participants.len()).ok().filter(|&slot| slot < u8::MAX);
        }
        let fallen = |&slot: &Slot| {
            let p = &self.participants[slot];
            p.enemy.is_some() && p.status == Eliminated
        };
        self.slots().find(fallen)
    }

    /// An id as a player has one: a uuid of version 8, drawn from the fight's own chance.
    fn draw_id(&mut self) -> PlayerId {
        const VERSION: PlayerId = 0xF << 76;
        const VARIANT: PlayerId = 0b11 << 62;
        let drawn =
            (0..4).fold(0, |id: PlayerId, _| id << 32 | PlayerId::from(rand_core::Rng::next_u32(&mut self.rng)));
        drawn & !VERSION & !VARIANT | 8 << 76 | 0b10 << 62
    }

    /// `near`, or the first place on a ring around it that nobody stands at.
    fn place_beside(&self, ruleset: &Ruleset, near: Point) -> Point {
        let taken = |at: Point| {
            let standing = self.participants.iter().filter(|p| p.status != Eliminated);
            standing.into_iter().any(|p| p.at.within(at, APART_CM / 2))
        };
        let rings = (1..=8).flat_map(|ring| (0..ring * 6).map(move |turn| (ring, turn * 720 / (ring * 6))));
        let places = rings.map(|(ring, turned)| near.on_circle(ring * APART_CM, turned));
        let near = self.free_near(ruleset, near);
        let free = |&at: &Point| {
            !taken(at) && ruleset.environment.arena().encloses(at) && !self.wall_between(ruleset, near, at)
        };
        std::iter::once(near).chain(places).find(free).unwrap_or(near)
    }

    /// A new round is prepared: whoever of the enemies is still there is gone. Their slots stay, so that no other
    /// participant ever changes its own.
    pub(super) fn dismiss_enemies(&mut self, ruleset: &Ruleset, step: &mut Step) {
        self.waves = Waves::default();
        for slot in self.slots() {
            let p = &mut self.participants[slot];
            if p.enemy.is_some() && p.status != Eliminated {
                p.hp = 0;
                step.touch(slot, Fields::SEAT);
                self.fall(ruleset, slot, step);
            }
        }
    }
}
