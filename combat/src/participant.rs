//! One seat of a fight.

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::budget::Budget;
use crate::digest::{choice, form};
use crate::fair_play::Conduct;
use crate::geometry::Point;
use crate::motion::{Motion, Velocity};
use crate::ruleset::EnemyId;
use crate::status::{Active, Cast, Used};
use crate::{Millis, PlayerId, Remembered, Rules};

/// How a participant stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ParticipantStatus {
    Active,
    Eliminated,
    Disconnected,
}

/// Whether a participant is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Link {
    /// It has not been, and nothing else has been heard of it: it has a time to come by.
    Awaited,
    /// It has not been: who acts over REST alone never is, and nobody waits for it to come back.
    Never,
    Up,
    Down,
}

choice!(ParticipantStatus: Active = 0, Eliminated = 1, Disconnected = 2);
choice!(Link: Awaited = 0, Never = 1, Up = 2, Down = 3);

impl Link {
    /// Until when a participant is waited for from `now` on; [`Millis::MAX`] where there is nothing to wait for.
    pub(crate) fn waited_for(self, rules: &Rules, now: Millis) -> Millis {
        match self {
            Self::Awaited => now + u64::from(rules.arrival_ms),
            Self::Down => now + u64::from(rules.reconnect_ms),
            Self::Never | Self::Up => Millis::MAX,
        }
    }
}

/// One participant's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    pub(crate) player: PlayerId,
    pub(crate) status: ParticipantStatus,
    pub(crate) ready: bool,
    pub(crate) link: Link,
    /// Gave its seat up: no round brings it back.
    pub(crate) forfeited: bool,
    pub(crate) team: u8,
    /// The state of its machine.
    pub(crate) activity: u8,
    /// What the server plays; `None` for a player.
    pub(crate) enemy: Option<Played>,
    pub(crate) hp: u32,
    pub(crate) armor: u32,
    pub(crate) shield: u32,
    pub(crate) stamina: Pool,
    pub(crate) energy: Pool,
    /// Of the ultimate ability, in thousandths of a percent.
    pub(crate) charge: u32,
    /// Shots left, where the rules count them.
    pub(crate) ammo: u32,
    /// When the reload is over; 0 while there is none.
    pub(crate) reload_at: Millis,
    pub(crate) guard_until: Millis,
    pub(crate) defend_ready_at: Millis,
    pub(crate) attack_ready_at: Millis,
    pub(crate) at: Point,
    pub(crate) motion: Motion,
    pub(crate) moved_at: Millis,
    pub(crate) effects: SmallVec<[Active; 0]>,
    pub(crate) cast: Option<Cast>,
    pub(crate) used: SmallVec<[Used; 0]>,
    /// A bit for each team that sees it; of no meaning where the rules have no fog.
    pub(crate) seen_by: u128,
    pub(crate) conduct: Conduct,
    /// What it has begun that may take dice; see [`crate::chance`].
    pub(crate) deeds: u16,
    /// When the seat is forfeited; [`Millis::MAX`] while it is connected, or nobody waits for it.
    pub(crate) forfeit_at: Millis,
    pub(crate) joined_at: Millis,
    pub(crate) score: u32,
    /// Of the rounds that are over.
    pub(crate) score_before: u32,
    pub(crate) eliminations: u32,
    pub(crate) damage: u64,
    /// What it may do, and how often it may connect.
    pub(crate) actions: Budget,
    pub(crate) connects: Budget,
    pub(crate) answers: Remembered,
}

form!(
    Participant: player, status, ready, link, forfeited, team, activity, enemy, hp, armor, shield, stamina, energy, charge, ammo,
    reload_at, guard_until, defend_ready_at, attack_ready_at, at, motion, moved_at, effects, cast, used, seen_by, conduct, deeds, forfeit_at,
    joined_at, score, score_before, eliminations, damage, actions, connects, answers,
);

/// An enemy's mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    pub(crate) kind: EnemyId,
    pub(crate) phase: u8,
    pub(crate) think_at: Millis,
}

form!(Played: kind, phase, think_at);

/// A pool that fills with time and is only computed when it is asked for: idle fights cost nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// Thousandths, as they were at `at`.
    pub(crate) milli: u32,
    /// Points regained per second, with what effects change.
    pub(crate) per_second: u32,
    pub(crate) at: Millis,
}

form!(Pool: milli, per_second, at);

impl Pool {
    /// A full one.
    pub(crate) const fn full(points: u32, per_second: u32, now: Millis) -> Self {
        Self { milli: points * 1000, per_second, at: now }
    }

    /// Thousandths at `now`, of at most `most` points.
    pub fn milli_at(self, now: Millis, most: u32) -> u32 {
        // Points per second are thousandths per millisecond.
        let grown = now.saturating_sub(self.at).saturating_mul(u64::from(self.per_second));
        let filled = u64::from(self.milli).saturating_add(grown).min(u64::from(most) * 1000);
        u32::try_from(filled).unwrap_or(u32::MAX)
    }

    /// Takes `points` at `now`, or says when there will be enough; `Millis::MAX` where there never will.
    pub(crate) fn take(&mut self, points: u32, now: Millis, most: u32) -> Result<(), Millis> {
        self.enough(points, now, most)?;
        self.spend(points, now, most);
        Ok(())
    }

    /// Whether there are `points` at `now`, or when there will be.
    pub(crate) fn enough(self, points: u32, now: Millis, most: u32) -> Result<(), Millis> {
        let (have, cost) = (u64::from(self.milli_at(now, most)), u64::from(points) * 1000);
        if have >= cost {
            return Ok(());
        }
        if points > most || self.per_second == 0 {
            return Err(Millis::MAX);
        }
        Err(now + (cost - have).div_ceil(u64::from(self.per_second)))
    }

    /// Takes `points` at `now`, or all that there is.
    pub(crate) fn spend(&mut self, points: u32, now: Millis, most: u32) {
        let left = self.milli_at(now, most).saturating_sub(points.saturating_mul(1000));
        (self.milli, self.at) = (left, now);
    }

    /// Gives `points` at `now`, up to the most.
    pub(crate) fn refill(&mut self, points: u32, now: Millis, most: u32) {
        let filled = u64::from(self.milli_at(now, most)) + u64::from(points) * 1000;
        let full = filled.min(u64::from(most) * 1000);
        (self.milli, self.at) = (u32::try_from(full).unwrap_or(u32::MAX), now);
    }

    /// Thousandths as they were at [`Pool::at`].
    pub fn milli(self) -> u32 {
        self.milli
    }

    /// Session time.
    pub fn at(self) -> Millis {
        self.at
    }

    /// Points regained per second.
    pub fn per_second(self) -> u32 {
        self.per_second
    }
}

impl Participant {
    pub(crate) fn new(player: PlayerId, team: u8, rules: &Rules, now: Millis) -> Self {
        let link = if rules.arrival_ms > 0 { Link::Awaited } else { Link::Never };
        Self {
            player,
            status: ParticipantStatus::Active,
            ready: false,
            link,
            forfeited: false,
            team,
            activity: 0,
            enemy: None,
            hp: rules.health,
            armor: rules.armor,
            shield: rules.shield,
            stamina: Pool::full(rules.stamina, rules.stamina_per_second, now),
            energy: Pool::full(rules.energy, rules.energy_per_second, now),
            charge: 0,
            ammo: rules.ammo,
            reload_at: 0,
            guard_until: 0,
            defend_ready_at: 0,
            attack_ready_at: 0,
            at: Point::default(),
            motion: Motion::default(),
            moved_at: now,
            effects: SmallVec::new(),
            cast: None,
            used: SmallVec::new(),
            seen_by: 0,
            conduct: Conduct::new(now),
            deeds: 0,
            forfeit_at: link.waited_for(rules, now),
            joined_at: now,
            score: 0,
            score_before: 0,
            eliminations: 0,
            damage: 0,
            actions: Budget::default(),
            connects: Budget::default(),
            answers: Remembered::default(),
        }
    }

    /// No longer eliminated.
    pub(crate) fn stand_again(&mut self, rules: &Rules, now: Millis) {
        let gone = self.link == Link::Down;
        self.status = if gone { ParticipantStatus::Disconnected } else { ParticipantStatus::Active };
        self.forfeit_at = self.link.waited_for(rules, now);
    }

    pub fn player(&self) -> PlayerId {
        self.player
    }

    pub fn status(&self) -> ParticipantStatus {
        self.status
    }

    pub fn is_ready(&self) -> bool {
        self.ready
    }

    pub fn is_connected(&self) -> bool {
        self.link == Link::Up
    }

    pub fn team(&self) -> u8 {
        self.team
    }

    /// The state of its machine: a place in the states of [`crate::Ruleset::activity`].
    pub fn activity(&self) -> u8 {
        self.activity
    }

    /// Which enemy of the ruleset it is; `None` for a player.
    pub fn enemy(&self) -> Option<EnemyId> {
        self.enemy.map(|enemy| enemy.kind)
    }

    /// An enemy's phase; 0 for a player.
    pub fn enemy_phase(&self) -> u8 {
        self.enemy.map_or(0, |enemy| enemy.phase)
    }

    pub fn hp(&self) -> u32 {
        self.hp
    }

    pub fn armor(&self) -> u32 {
        self.armor
    }

    pub fn shield(&self) -> u32 {
        self.shield
    }

    pub fn stamina(&self) -> Pool {
        self.stamina
    }

    pub fn energy(&self) -> Pool {
        self.energy
    }

    /// Charge of the ultimate ability, 0 to 100 percent.
    pub fn charge(&self) -> u32 {
        self.charge / 1000
    }

    /// Shots left, where the rules count them.
    pub fn ammo(&self) -> u32 {
        self.ammo
    }

    /// Session time at which the reload is over; 0 while there is none.
    pub fn reload_at(&self) -> Millis {
        self.reload_at
    }

    /// Session time until which the guard is up; 0 before the first.
    pub fn guard_until(&self) -> Millis {
        self.guard_until
    }

    pub fn at(&self) -> Point {
        self.at
    }

    /// Which way it faces, in degrees below [`crate::motion::FULL_TURN`].
    pub fn facing(&self) -> u16 {
        self.motion.facing()
    }

    /// How fast it goes, as it has said; zero where it cannot move.
    pub fn velocity(&self) -> Velocity {
        self.motion.velocity()
    }

    /// In the order in which they came.
    pub fn effects(&self) -> &[Active] {
        &self.effects
    }

    pub fn cast(&self) -> Option<&Cast> {
        self.cast.as_ref()
    }

    /// Abilities and items used in this round.
    pub fn used(&self) -> &[Used] {
        &self.used
    }

    /// A bit for each team that sees it; of no meaning where the rules have no fog.
    pub fn seen_by(&self) -> u128 {
        self.seen_by
    }

    pub fn joined_at(&self) -> Millis {
        self.joined_at
    }

    pub fn score(&self) -> u32 {
        self.score
    }

    pub fn eliminations(&self) -> u32 {
        self.eliminations
    }

    /// Damage dealt.
    pub fn damage(&self) -> u64 {
        self.damage
    }

    /// The highest action id of this participant that has an answer; 0 before the first.
    pub fn last_action_id(&self) -> u64 {
        self.answers.last_id()
    }

    /// Its memory of what its actions were answered.
    pub fn answers(&self) -> &Remembered {
        &self.answers
    }
}
