//! What each of the server's enemies decides: when it enters another phase, whom it goes for, and what it does.

use smallvec::SmallVec;

use super::abilities::Reach;
use super::{Eliminated, Fight};
use crate::chance::Dice;
use crate::geometry::Point;
use crate::participant::Participant;
use crate::ruleset::{Ability, Affects, Aim, Move, Op, Shape};
use crate::{Action, ActionKind, BodyPart, Event, Fields, Millis, Ruleset, Slot, Step, Target};

/// Least time between two decisions: a ruleset that has none does not stop the server.
const LEAST_THINK_MS: Millis = 50;

/// Targets that are tried for one move, the preferred first: another may still be behind a wall.
const MOST_TRIED: usize = 4;

/// How far from where it wants to stand an enemy may be without taking a step.
const EASE_CM: u32 = 50;

/// Nearer than this two of a side do not stop side by side.
const CROWD_CM: u32 = 60;

/// What there is to choose from for one move.
type Options = SmallVec<[Slot; MOST_TRIED]>;

/// A group of participants, by slot.
type Those = SmallVec<[Slot; 16]>;

impl Fight {
    /// An enemy decides what to do: a step, then the first of its moves that it can do.
    pub(super) fn think(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let Some(played) = &mut self.participants[slot].enemy else { return };
        let enemy = ruleset.enemy(played.kind);
        let next = self.clock.now + Millis::from(enemy.think_ms).max(LEAST_THINK_MS);
        played.think_at = next;
        self.wake(next);
        self.enter_phase(ruleset, slot, step);
        // It may have been its own end, or that of the fight.
        if !self.can_think(slot) {
            return;
        }
        let phase = self.participants[slot].enemy_phase();
        if let Some(phase) = enemy.phases.get(usize::from(phase)) {
            self.begin_deed(slot);
            let mut dice = self.dice(slot, 0, slot);
            self.stride(ruleset, slot, phase.keep_cm, step);
            for &decision in &phase.moves {
                let considered = dice.below(100) < u32::from(decision.percent);
                if considered && self.choose(ruleset, slot, decision, &mut dice, step) {
                    break;
                }
            }
        }
        if self.turn.is_some() && self.lifecycle.is_fighting() {
            self.end_turn_of(ruleset, slot, step);
        }
    }

    fn can_think(&self, slot: Slot) -> bool {
        let its_turn = self.turn.as_ref().is_none_or(|turn| turn.slot() == slot);
        its_turn && self.lifecycle.is_fighting() && self.participants[slot].status != Eliminated
    }

    /// The next phase, where health has fallen to it: one at a time, so that none is left out.
    fn enter_phase(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let most = u64::from(self.most_health(ruleset, slot));
        let p = &mut self.participants[slot];
        let Some(played) = &mut p.enemy else { return };
        let phases = &ruleset.enemy(played.kind).phases;
        let Some(next) = phases.get(usize::from(played.phase) + 1) else { return };
        if u64::from(p.hp) * 100 > most * u64::from(next.from_percent) {
            return;
        }
        played.phase += 1;
        let phase = played.phase;
        step.touch(slot, Fields::RAGE);
        step.note(Event::Enraged { by: slot, phase });
        let reach = self.reach_of(slot, [slot]);
        self.do_ops(ruleset, slot, None, &next.entry, &reach, step);
    }

    /// What its fall does to all others of its side; what comes in its place comes where it fell.
    pub(super) fn enemy_fell(&mut self, ruleset: &Ruleset, slot: Slot, step: &mut Step) {
        let Some(played) = self.participants[slot].enemy else { return };
        let words = &ruleset.enemy(played.kind).last_words;
        if words.is_empty() || !step.begin_words() {
            return;
        }
        let mates = self.mates(slot).into_iter().filter(|&mate| mate != slot);
        let reach = self.reach_of(slot, mates);
        self.do_ops(ruleset, slot, None, words, &reach, step);
        step.end_words();
    }

    /// What it does without aiming: to these, from where it stands.
    fn reach_of(&self, slot: Slot, targets: impl IntoIterator<Item = Slot>) -> Reach {
        let at = self.participants[slot].at;
        Reach { targets: targets.into_iter().collect(), at, from: at, covered: false }
    }

    fn choose(&mut self, ruleset: &Ruleset, slot: Slot, decision: Move, dice: &mut Dice, step: &mut Step) -> bool {
        let Some(id) = decision.ability else {
            let foes =
                self.options(ruleset, slot, self.foes(slot), self.weapon_range(ruleset, slot), decision.aim, dice);
            let attacks = foes.iter().map(|&foe| Action::Attack { target: Some(foe), part: BodyPart::Torso });
            return attacks.into_iter().any(|attack| self.try_to(ruleset, slot, attack, step));
        };
        let Some(ability) = ruleset.ability(id) else { return false };
        let item = ability.kind == crate::ruleset::AbilityKind::Item;
        self.aims(ruleset, slot, ability, decision.aim, dice)
            .into_iter()
            .any(|aim| self.try_to(ruleset, slot, Action::Use { ability: id, item, aim }, step))
    }

    /// Under the same conditions as a player: what is refused changes nothing.
    fn try_to(&mut self, ruleset: &Ruleset, slot: Slot, action: Action, step: &mut Step) -> bool {
        let may = action.kind().is_some_and(|kind| self.may(ruleset, slot, kind).is_ok());
        may && self.perform(ruleset, slot, action, step).is_ok()
    }

    /// What it can aim an ability at, in order of preference; what helps nobody is not worth its cost.
    fn aims(
        &self,
        ruleset: &Ruleset,
        slot: Slot,
        ability: &Ability,
        aim: Aim,
        dice: &mut Dice,
    ) -> SmallVec<[Target; MOST_TRIED]> {
        let heals = !ability.does.is_empty() && ability.does.iter().all(|op| matches!(op, Op::Heal { .. }));
        let reach = match ability.shape {
            Shape::Area { radius_cm } if ability.range_cm == 0 => radius_cm,
            _ => ability.range_cm,
        };
        let hurt = |fight: &Self, slot: Slot| fight.participants[slot].hp < fight.most_health(ruleset, slot);
        let mut of: Those = match ability.affects {
            Affects::Own => std::iter::once(slot).collect(),
            Affects::Allies => self.mates(slot),
            Affects::Fallen => self.fallen_mates(slot),
            Affects::Enemies | Affects::Others => self.foes(slot),
        };
        if heals {
            of.retain(|slot| hurt(self, *slot));
        }
        let options = self.options(ruleset, slot, of, reach, aim, dice);
        let around_itself =
            ability.affects == Affects::Own || (ability.range_cm == 0 && ability.shape != Shape::Single);
        let target = |&option: &Slot| Target { slot: Some(option), at: Some(self.participants[option].at) };
        if around_itself {
            options.first().map(|_| Target::default()).into_iter().collect()
        } else {
            options.iter().map(target).collect()
        }
    }

    /// Those within reach, the preferred first.
    fn options(&self, ruleset: &Ruleset, slot: Slot, of: Those, reach_cm: u32, aim: Aim, dice: &mut Dice) -> Options {
        let at = self.participants[slot].at;
        let mut within = of;
        within.retain(|other| *other == slot || self.participants[*other].at.within(at, reach_cm));
        let far = |fight: &Self, other: Slot| fight.participants[other].at.distance_squared(at);
        within.sort_by_key(|&other| far(self, other));
        match aim {
            Aim::Nearest => {}
            // By what share of their health they have left; the sort keeps the nearer first.
            Aim::Weakest => within.sort_by_key(|&other| self.share_left(ruleset, other)),
            Aim::Strongest => within.sort_by_key(|&other| std::cmp::Reverse(self.share_left(ruleset, other))),
            Aim::Random => {
                if let Some(most) = u32::try_from(within.len()).ok().filter(|&most| most > 0) {
                    let drawn = dice.below(most) as usize;
                    within.swap(0, drawn);
                }
            }
        }
        within.into_iter().take(MOST_TRIED).collect()
    }

    /// Health left, in thousandths of the most.
    fn share_left(&self, ruleset: &Ruleset, slot: Slot) -> u64 {
        u64::from(self.participants[slot].hp) * 1000 / u64::from(self.most_health(ruleset, slot)).max(1)
    }

    fn foes(&self, of: Slot) -> Those {
        let team = self.participants[of].team;
        self.those(move |p| p.team != team && p.status != Eliminated)
    }

    /// Itself too.
    fn mates(&self, of: Slot) -> Those {
        let team = self.participants[of].team;
        self.those(move |p| p.team == team && p.status != Eliminated)
    }

    fn fallen_mates(&self, of: Slot) -> Those {
        let team = self.participants[of].team;
        self.those(move |p| p.team == team && p.status == Eliminated)
    }

    fn those(&self, which: impl Fn(&Participant) -> bool) -> Those {
        self.slots().filter(|&slot| which(&self.participants[slot])).collect()
    }

    // Walking.

    /// A step towards where it wants to be: `keep_cm` away from the nearest foe, and in sight of it.
    fn stride(&mut self, ruleset: &Ruleset, slot: Slot, keep_cm: u32, step: &mut Step) {
        if self.may(ruleset, slot, ActionKind::Move).is_err() {
            return;
        }
        let at = self.participants[slot].at;
        let foes = self.foes(slot).into_iter().map(|foe| self.participants[foe].at);
        let Some(foe) = foes.min_by_key(|foe| foe.distance_squared(at)) else { return };
        let (far, longest) = (u32::try_from(at.distance(foe)).unwrap_or(u32::MAX), self.longest_step(ruleset, slot));
        let to = if self.wall_between(ruleset, at, foe) {
            at.towards(self.heading(ruleset, at, foe), longest)
        } else if far > keep_cm.saturating_add(EASE_CM) {
            at.along(foe, longest.min(far - keep_cm))
        } else if far.saturating_add(EASE_CM) < keep_cm {
            // Who stands upon it has no direction to flee from.
            let away = if far == 0 { at.on_circle(1_000, u32::from(slot) * 90) } else { foe.mirrored(at) };
            let back = self.way(ruleset, at, at.along(away, longest.min(keep_cm - far)));
            // Behind a corner it would only have to come out again.
            if self.wall_between(ruleset, back, foe) { at } else { back }
        } else {
            return;
        };
        self.step_to(ruleset, slot, to, longest, step);
    }

    /// As far as it gets before its next decision.
    fn longest_step(&self, ruleset: &Ruleset, slot: Slot) -> u32 {
        let p = &self.participants[slot];
        let think_ms = p.enemy.map_or(0, |played| Millis::from(ruleset.enemy(played.kind).think_ms));
        let since = self.clock.now.saturating_sub(p.moved_at).min(think_ms.clamp(LEAST_THINK_MS, 1_000));
        u32::try_from(self.speed(ruleset, slot).saturating_mul(since) / 1_000).unwrap_or(u32::MAX)
    }

    /// To `to`, or beside it where another of its side stands, or along one of the axes where it cannot be reached.
    fn step_to(&mut self, ruleset: &Ruleset, slot: Slot, to: Point, longest: u32, step: &mut Step) {
        let at = self.participants[slot].at;
        if at == to {
            return;
        }
        let turned = u32::from(slot % 2) * 360;
        let beside = [180, 540, 0, 360].map(|turn| at.towards(to.on_circle(CROWD_CM * 2, turned + turn), longest));
        let along = [Point::new(to.x, at.y), Point::new(at.x, to.y)];
        let places = std::iter::once(to).chain(beside).chain(along);
        let free: SmallVec<[Point; 8]> = places.filter(|&place| place != at && !self.is_crowded(slot, place)).collect();
        let _stepped =
            free.into_iter().any(|place| self.perform(ruleset, slot, Action::Move { to: place }, step).is_ok());
    }

    fn is_crowded(&self, slot: Slot, place: Point) -> bool {
        let team = self.participants[slot].team;
        let mut others = (0_u8..).zip(&self.participants).filter(|&(other, _)| other != slot);
        others.any(|(_, p)| p.team == team && p.status != Eliminated && p.at.within(place, CROWD_CM))
    }
}
